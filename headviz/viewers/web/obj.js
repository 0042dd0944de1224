// A small OBJ file, line by line: the text on the left, what its lines have made on the right.

import * as THREE from "three";
import { LineMaterial } from "three/examples/jsm/lines/LineMaterial.js";
import { LineSegments2 } from "three/examples/jsm/lines/LineSegments2.js";
import { LineSegmentsGeometry } from "three/examples/jsm/lines/LineSegmentsGeometry.js";

import { h } from "./core/dom.js";
import { length, number } from "./core/format.js";
import { COLOR, INK } from "./core/look.js";
import { discard, linesOf } from "./core/space.js";

const STYLE = `
.obj { margin: 0; padding: 8px 0; list-style: none; font: 13px/1.6 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.obj button { display: flex; gap: 16px; width: 100%; min-height: 0; padding: 1px 8px; border: 0; border-left: 4px solid transparent; border-radius: 0;
  background: none; color: var(--soft); font: inherit; text-align: left; white-space: pre; }
.obj button span { min-width: 2ch; text-align: right; }
.obj .read button { color: var(--ink); }
.obj [aria-current] button { border-left-color: ${COLOR.current}; background: color-mix(in srgb, ${COLOR.current} 14%, transparent); font-weight: 600; }
.number { position: absolute; transform: translate(4px, -110%); font-size: 13px; font-weight: 600; color: var(--ink);
  text-shadow: 0 0 3px var(--paper), 0 0 3px var(--paper), 0 0 3px var(--paper); }
.number.now { color: var(--ink); text-decoration: underline; text-decoration-color: ${COLOR.current}; text-decoration-thickness: 3px; }
.number.behind { opacity: 0.75; font-weight: 400; }
`;

const at = (lines, step) => Array.from(lines.data).indexOf(step);
const upTo = (lines, step) => lines.data.reduce((sum, line) => sum + (line <= step ? 1 : 0), 0);
const triple = (array, row) => Array.from(array.data.slice(3 * row, 3 * row + 3));
const ring = ({ corners, offsets }, face) => Array.from(corners.data.slice(offsets.data[face], offsets.data[face + 1]));

export default {
  kind: "obj",
  stepWord: "line",
  initial: () => ({ labels: true }),
  steps: ({ facts }) => facts.lines.length + 1,
  caption({ facts, arrays }, { step }) {
    if (step === 0) return `No line of ${facts.lines.length} is read yet.`;
    const begin = `Line ${step} of ${facts.lines.length}`;
    const [vertex, face] = [at(arrays.vertex_line, step), at(arrays.face_line, step)];
    if (vertex >= 0) {
      const place = triple(arrays.vertices, vertex).map((v, k) => `${"xyz"[k]} = ${length(v)}`).join(", ");
      return `${begin}: vertex ${vertex + 1} lies at ${place}.`;
    }
    if (face >= 0) {
      const names = ring(arrays, face).map((corner) => corner + 1).join(" to ");
      const normal = triple(arrays.normals, face).map((v) => number(v)).join(", ");
      const way = arrays.outward.data[face] ? "outwards" : "inwards: it is turned the wrong way";
      return `${begin}: a face from vertex ${names} and back; its normal (${normal}) points ${way}.`;
    }
    return `${begin}: ${facts.others[step] ?? "nothing is drawn for it"}.`;
  },
  numbers: ({ arrays }, { step }) => ({ line: step, vertices: upTo(arrays.vertex_line, step), faces: upTo(arrays.face_line, step) }),
  mount(shell, record) {
    shell.root.append(Object.assign(h("style"), { textContent: STYLE }));
    const text = new Text(shell, record.facts.lines);
    const scene = new Scene(shell, record.arrays);
    shell.controls.toggle("labels", { label: "Vertex numbers" });
    return {
      draw(state) {
        text.draw(state);
        scene.draw(state);
      },
      dispose: () => scene.clear(),
    };
  },
};

/** The lines; a click goes to one. */
class Text {
  constructor(shell, lines) {
    this.rows = lines.map((line, step) =>
      h("li", {}, h("button", { type: "button", click: () => shell.set({ step: step + 1 }) }, h("span", {}, String(step + 1)), line)));
    this.panel = shell.block(h("ol", { class: "obj", "aria-label": "The file" }, ...this.rows), { grow: 0.6, title: "The file" });
  }

  draw({ step }) {
    this.rows.forEach((row, k) => {
      row.classList.toggle("read", k < step);
      if (k + 1 === step) row.setAttribute("aria-current", "step");
      else row.removeAttribute("aria-current");
    });
  }
}

/** The current face's outline, 4 pixels wide and never hidden. */
function thick(points) {
  const geometry = new LineSegmentsGeometry().setPositions(Float32Array.from(points));
  const lines = new LineSegments2(geometry, new LineMaterial({ color: COLOR.current, linewidth: 4, depthTest: false }));
  lines.renderOrder = 5;
  return lines;
}

/** The mesh so far, with numbers at its vertices. */
class Scene {
  constructor(shell, arrays) {
    const legend = [["fill", COLOR.skin, "face from its front"], ["fill", COLOR.wrong, "face from behind"], ["outline", COLOR.current, "this line"]];
    Object.assign(this, { shell, arrays, made: [] });
    this.space = shell.space({ label: "What it makes", home: "three", title: "What it makes", legend });
    this.points = Array.from({ length: arrays.vertices.shape[0] }, (_, k) => triple(arrays.vertices, k));
    const corner = (pick) => [0, 1, 2].map((axis) => pick(...this.points.map((point) => point[axis])));
    const [low, high] = [corner(Math.min), corner(Math.max)];
    const room = 0.1 * Math.hypot(...high.map((value, axis) => value - low[axis])); // for the numbers
    this.space.fit(low.map((value) => value - room), high.map((value) => value + room));
    this.labels = this.points.map((_, k) => h("span", { class: "number" }, String(k + 1)));
    this.space.overlay.append(...this.labels);
    this.space.onDraw = () => this.#place();
  }

  draw(state) {
    const { space, arrays } = this;
    this.clear();
    if (!space.works) return;
    this.state = state;
    this.#faces(state.step);
    const edges = [];
    const now = [];
    for (let face = 0; face < arrays.face_line.shape[0]; face += 1) {
      if (arrays.face_line.data[face] > state.step) continue;
      const around = ring(arrays, face);
      const into = arrays.face_line.data[face] === state.step ? now : edges;
      around.forEach((corner, k) => into.push(...this.points[corner], ...this.points[around[(k + 1) % around.length]]));
    }
    this.#add(linesOf(edges, INK[this.shell.shade]));
    if (now.length > 0) this.#add(thick(now));
    this.#dots(state.step);
    this.#place();
    space.invalidate();
  }

  /** One material for fronts and one for backs, so that a face turned the wrong way shows. */
  #faces(step) {
    const { triangles, triangle_line: lines } = this.arrays;
    const corners = [];
    for (let k = 0; k < triangles.shape[0]; k += 1) {
      if (lines.data[k] <= step) corners.push(...triple(triangles, k).flatMap((corner) => this.points[corner]));
    }
    for (const [side, color] of [[THREE.FrontSide, COLOR.skin], [THREE.BackSide, COLOR.wrong]]) {
      const geometry = new THREE.BufferGeometry();
      geometry.setAttribute("position", new THREE.BufferAttribute(Float32Array.from(corners), 3));
      geometry.computeVertexNormals();
      const options = { color, side, flatShading: true, polygonOffset: true, polygonOffsetFactor: 1, polygonOffsetUnits: 1 };
      this.#add(new THREE.Mesh(geometry, new THREE.MeshLambertMaterial(options)));
    }
  }

  #dots(step) {
    const seen = this.points.filter((_, k) => this.arrays.vertex_line.data[k] <= step);
    const geometry = new THREE.BufferGeometry().setFromPoints(seen.map((point) => new THREE.Vector3(...point)));
    this.#add(new THREE.Points(geometry, new THREE.PointsMaterial({ color: INK[this.shell.shade], size: 6, sizeAttenuation: false })));
  }

  #add(object) {
    this.space.scene.add(object);
    this.made.push(object);
    return object;
  }

  clear() {
    for (const object of this.made.splice(0)) discard(object);
  }

  #place() {
    if (this.state === undefined) return;
    const { step, labels } = this.state;
    const far = this.points.map((point) => this.space.camera.position.distanceTo(new THREE.Vector3(...point)));
    const middle = (Math.min(...far) + Math.max(...far)) / 2;
    this.labels.forEach((label, k) => {
      const line = this.arrays.vertex_line.data[k];
      label.hidden = !labels || line > step;
      label.classList.toggle("now", line === step);
      label.classList.toggle("behind", far[k] > middle);
      const [left, top] = this.space.project(this.points[k]);
      Object.assign(label.style, { left: `${left}px`, top: `${top}px` });
    });
  }
}
