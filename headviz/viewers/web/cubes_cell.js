// One cell of marching cubes: seen in perspective, drawn large on a canvas, or small as SVG for the 15 classes.

import { h } from "./core/dom.js";
import { count, number } from "./core/format.js";
import { COLOR, INK, PAPER, SOFT } from "./core/look.js";
import { crossingsOf, valuesOf } from "./cubes_model.js";

const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';
/** How far the eye is from the middle, in sides of the cell; as headviz/viewers/cubes_picture.py. */
const DISTANCE = 3.4;
const CORNERS = [0, 1, 2, 3, 4, 5, 6, 7].map((k) => [k & 1, (k >> 1) & 1, (k >> 2) & 1]);
const FACE_NAMES = ["−x", "+x", "−y", "+y", "−z", "+z"];

export const CELL_STYLE = `
.classes { display: grid; grid-template-columns: repeat(auto-fill, minmax(88px, 1fr)); gap: 4px; }
.classes button { display: block; position: relative; min-width: 0; padding: 2px; border-color: transparent; background: none; line-height: 1.2; }
.classes button:hover { border-color: var(--soft); }
.classes button[aria-current="true"] { border-color: #d55e00; box-shadow: inset 0 0 0 2px #d55e00; }
.classes b { position: absolute; left: 6px; top: 3px; }
.classes small { display: block; min-height: 15px; color: var(--soft); font-size: 12px; font-variant-numeric: tabular-nums; }
.classes svg { display: block; width: 100%; max-width: 96px; margin: 4px auto 0; }
.classes .cube { stroke: var(--soft); fill: none; stroke-width: 1; } .classes .hidden { stroke-dasharray: 1.5 2.5; }
.classes .triangle { fill: #d9a58b; fill-opacity: 0.88; stroke: var(--ink); stroke-width: 1.2; stroke-linejoin: round; }
.classes .outside { fill: var(--paper); stroke: #e69f00; stroke-width: 1.3; }
.panel.block { overflow: visible; }
.small { font-size: 13px; color: var(--soft); margin: 0 0 8px; }
`;

/** A view of the unit cube: point → [right, up, towards the eye], 0 in its middle. */
export function viewOf({ yaw, pitch }) {
  const [cy, sy, cp, sp] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
  return ([x, y, z]) => {
    const [a, b, c] = [x - 0.5, y - 0.5, z - 0.5];
    const depth = a * sy * cp + b * sp + c * cy * cp;
    const scale = DISTANCE / (DISTANCE - depth);
    return [(a * cy - c * sy) * scale, (-a * sy * sp + b * cp - c * cy * sp) * scale, depth];
  };
}

/** What a state of the table looks like: edges with whether they are hidden, triangles back to front, corners. */
function shapeOf({ arrays }, state, view, fractions = null) {
  const [edges, faces] = [arrays.edges.data, arrays.cube_faces.data];
  const corners = CORNERS.map(view);
  const turned = [0, 1, 2, 3, 4, 5].map((face) => {
    const [a, b, c] = [0, 1, 2].map((k) => corners[faces[4 * face + k]]);
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) > 0;
  });
  const has = (face, corner) => [0, 1, 2, 3].some((k) => faces[4 * face + k] === corner);
  const lines = Array.from({ length: 12 }, (_, edge) => {
    const [a, b] = [edges[2 * edge], edges[2 * edge + 1]];
    return { ends: [corners[a], corners[b]], hidden: !turned.some((seen, face) => seen && has(face, a) && has(face, b)) };
  });
  const on = (edge) => {
    const [a, b] = [CORNERS[edges[2 * edge]], CORNERS[edges[2 * edge + 1]]];
    const part = fractions?.get(edge) ?? 0.5;
    return view(a.map((x, axis) => x + part * (b[axis] - x)));
  };
  const table = arrays.state_triangles.data;
  const most = arrays.state_triangles.shape[1];
  const triangles = Array.from({ length: arrays.state_count.data[state] }, (_, row) =>
    [0, 1, 2].map((k) => on(table[(state * most + row) * 3 + k])));
  const depth = (triangle) => triangle[0][2] + triangle[1][2] + triangle[2][2];
  triangles.sort((one, other) => depth(one) - depth(other));
  return { corners, lines, triangles, on, code: arrays.state_case.data[state] };
}

/** The 15 classes as small pictures that can be pressed: { element, show(current) }. */
export function classTiles(record, press) {
  const view = viewOf({ yaw: (28 * Math.PI) / 180, pitch: (16 * Math.PI) / 180 });
  const tiles = Array.from({ length: 15 }, (_, number_) => {
    const cells = record.facts.class_counts[number_];
    const told = `Class ${number_}: ${count(cells, "cell")}`;
    const button = h("button", { type: "button", "data-class": String(number_), "aria-label": told, title: told, click: () => press(number_) });
    button.innerHTML = `<b>${number_}</b>${drawing(shapeOf(record, record.arrays.class_state.data[number_], view))}<small>${cells > 0 ? `${number(cells, 1)} ×` : ""}</small>`;
    return button;
  });
  const element = h("div", { class: "classes", role: "group", "aria-label": "The 15 classes" }, ...tiles);
  const show = (current) => tiles.forEach((tile, k) => tile.setAttribute("aria-current", String(current?.class === k)));
  return { element, show };
}

function drawing({ corners, lines, triangles, code }) {
  const at = ([x, y]) => `${(48 + 54 * x).toFixed(1)} ${(46 - 54 * y).toFixed(1)}`;
  const line = ({ ends, hidden }) => `<path class="cube${hidden ? " hidden" : ""}" d="M${at(ends[0])}L${at(ends[1])}"/>`;
  const dot = (corner, k) => {
    const [x, y] = at(corner).split(" ");
    return (code >> k) & 1 ? `<circle cx="${x}" cy="${y}" r="4.2" fill="#0072B2"/>` : `<circle class="outside" cx="${x}" cy="${y}" r="2.6"/>`;
  };
  return `<svg viewBox="0 0 96 92" aria-hidden="true">${lines.filter(({ hidden }) => hidden).map(line).join("")}` +
    triangles.map((triangle) => `<path class="triangle" d="M${triangle.map(at).join("L")}Z"/>`).join("") +
    lines.filter(({ hidden }) => !hidden).map(line).join("") + corners.map(dot).join("") + "</svg>";
}

/** The current cell, large; it is seen from where the head is seen, and turning it turns the head. */
export class Cell {
  /** @param {object} options - { record, pose() → { yaw, pitch }, turn(dx, dy): by pixels } */
  constructor({ record, pose, turn }) {
    Object.assign(this, { record, pose, theme: "light", number: null });
    this.unit = record.facts.spacing < 0.5 ? { name: "millimetres", factor: 1e3 } : { name: "metres", factor: 1 };
    this.canvas = h("canvas", { role: "img", "aria-label": "The current cell: corner values, crossings, triangles" });
    this.picture = h("div", { class: "picture" }, this.canvas);
    const about = `Corner values in ${this.unit.name}; where on its edge each crossing is. Drag to turn it and the head.`;
    this.element = h("div", {}, this.picture, h("p", { class: "hint" }, about));
    this.context = this.canvas.getContext("2d");
    this.resizes = new ResizeObserver(() => this.draw());
    this.resizes.observe(this.picture);
    let from = null;
    this.canvas.addEventListener("pointerdown", (event) => {
      from = [event.clientX, event.clientY];
      this.canvas.setPointerCapture(event.pointerId);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (from === null) return;
      turn(event.clientX - from[0], event.clientY - from[1]);
      from = [event.clientX, event.clientY];
    });
    for (const end of ["pointerup", "pointercancel"]) this.canvas.addEventListener(end, () => (from = null));
  }

  show(number_, theme) {
    Object.assign(this, { number: number_, theme });
    this.draw();
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.picture;
    if (width === 0 || height === 0) return;
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    Object.assign(this, { width, height, scale: 0.5 * Math.min(width * 0.98, height) });
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.context.fillStyle = PAPER[this.theme];
    this.context.fillRect(0, 0, width, height);
    if (this.number === null) return this.#words("No current cell at this step", [width / 2, height / 2], SOFT[this.theme]);
    this.#paint();
  }

  #at([x, y]) {
    return [this.width / 2 + this.scale * x, this.height / 2 - this.scale * y];
  }

  #paint() {
    const fractions = new Map(crossingsOf(this.record, this.number));
    const view = viewOf(this.pose());
    const shape = shapeOf(this.record, this.record.arrays.state.data[this.number], view, fractions);
    for (const line of shape.lines) if (line.hidden) this.#line(line.ends, SOFT[this.theme], 1, [3, 4]);
    for (const triangle of shape.triangles) this.#triangle(triangle);
    for (const line of shape.lines) if (!line.hidden) this.#line(line.ends, SOFT[this.theme], 1.5);
    const taken = this.#faces(view);
    shape.corners.forEach((corner, k) => this.#dot(corner, (shape.code >> k) & 1));
    for (const edge of fractions.keys()) this.#mark(shape.on(edge), COLOR.hit, 5, PAPER[this.theme]);
    const values = valuesOf(this.record, this.number);
    shape.corners.forEach((corner, k) => this.#label(number(values[k] * this.unit.factor), corner, 22, taken));
    for (const [edge, fraction] of fractions) this.#label(number(fraction, 2), shape.on(edge), 18, taken);
  }

  #line(ends, color, width, dash = []) {
    const { context } = this;
    context.beginPath();
    context.moveTo(...this.#at(ends[0]));
    context.lineTo(...this.#at(ends[1]));
    context.setLineDash(dash);
    context.strokeStyle = color;
    context.lineWidth = width;
    context.stroke();
    context.setLineDash([]);
  }

  #triangle(points) {
    const { context } = this;
    context.beginPath();
    points.forEach((point, k) => context[k === 0 ? "moveTo" : "lineTo"](...this.#at(point)));
    context.closePath();
    context.globalAlpha = 0.88;
    context.fillStyle = COLOR.skin;
    context.fill();
    context.globalAlpha = 1;
    context.lineJoin = "round";
    context.strokeStyle = INK[this.theme];
    context.lineWidth = 2.5;
    context.stroke();
  }

  /** Ambiguous faces by name, in their middle; gives where words are: [x, y, half their width]. */
  #faces(view) {
    const { arrays } = this.record;
    const row = arrays.state.data[this.number];
    const code = arrays.state_case.data[row];
    const taken = [];
    for (let face = 0; face < 6; face += 1) {
      if (!((arrays.ambiguous.data[code] >> face) & 1)) continue;
      const middle = [0.5, 0.5, 0.5];
      middle[face >> 1] = face & 1;
      const joined = (arrays.state_decisions.data[row] >> face) & 1;
      const [x, y] = this.#at(view(middle));
      this.#words(`${FACE_NAMES[face]} ${joined ? "joined" : "apart"}`, [x, y], INK[this.theme]);
      taken.push([x, y, 32]);
    }
    return taken;
  }

  #dot(place, inside) {
    if (inside) this.#mark(place, COLOR.inside, 8, PAPER[this.theme]);
    else this.#mark(place, PAPER[this.theme], 6, COLOR.outside, 2.5);
  }

  #mark(place, color, size, rim, width = 1.5) {
    const { context } = this;
    context.beginPath();
    context.arc(...this.#at(place), size, 0, 2 * Math.PI);
    context.fillStyle = color;
    context.fill();
    context.strokeStyle = rim;
    context.lineWidth = width;
    context.stroke();
  }

  /** Words beside a place, away from the middle, or where nothing else is written. */
  #label(words, place, far, taken) {
    const [x, y] = this.#at(place);
    const outwards = Math.atan2(y - this.height / 2, x - this.width / 2);
    const size = this.context.measureText(words).width / 2 + 4;
    let best = null;
    for (const turn of [0, 0.8, -0.8, 1.6, -1.6, 2.4, -2.4, 3.1]) {
      const at = [x + (far + size * 0.55) * Math.cos(outwards + turn), y + far * Math.sin(outwards + turn)];
      at[0] = Math.max(size, Math.min(this.width - size, at[0]));
      best ??= at;
      if (taken.every(([u, v, wide]) => Math.abs(at[0] - u) > size + wide || Math.abs(at[1] - v) > 17)) {
        best = at;
        break;
      }
    }
    taken.push([...best, size]);
    this.#words(words, best, INK[this.theme]);
  }

  #words(words, [x, y], color) {
    const { context } = this;
    context.font = `13px ${FONT}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineWidth = 4;
    context.lineJoin = "round";
    context.strokeStyle = PAPER[this.theme];
    context.strokeText(words, x, y);
    context.fillStyle = color;
    context.fillText(words, x, y);
  }

  dispose() {
    this.resizes.disconnect();
  }
}
