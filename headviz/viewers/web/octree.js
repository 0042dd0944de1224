// An octree over a field in space, level by level, with a plane that cuts through it.

import * as THREE from "three";
import { LineMaterial } from "three/examples/jsm/lines/LineMaterial.js";
import { LineSegments2 } from "three/examples/jsm/lines/LineSegments2.js";
import { LineSegmentsGeometry } from "three/examples/jsm/lines/LineSegmentsGeometry.js";

import { h } from "./core/dom.js";
import { count, length } from "./core/format.js";
import { INK, SURFACE } from "./core/look.js";
import { surfaceOf } from "./core/space.js";
import { Boxes } from "./octree_boxes.js";
import { AXES, TAKEN, cutPanel, passedBy, planeOf, sectionOf } from "./octree_cut.js";
import { pickCell } from "./octree_pick.js";
import { MethodTable, REASON_STYLE, ReasonPanel, column, errorPanel, moreBelow, pruneChoice, treePanel } from "./subdivision_panels.js";
import { captionOf, cornersOf, levelOf, numbersOf, placeOf, subdivision, treeOf } from "./subdivisions.js";

const words = {
  noun: "surface",
  made: ({ pieces }) => (pieces > 0 ? count(pieces, "triangle") : "nothing at this resolution"),
};
const base = subdivision(words, { embed: (record, place) => place, project: (record, point) => point });

const STYLE = `
.tag { position: absolute; left: 8px; top: 8px; padding: 2px 8px; border: 1px solid var(--line); border-radius: 6px; background: var(--panel); color: var(--ink); font-size: 13px; white-space: nowrap; }
.tag::before { content: "× "; color: var(--error); font-weight: 700; }
`;

export default {
  kind: "octree",
  ...base,
  initial: () => ({ ...base.initial(), axis: "x", position: 0, cut: true, surface: true, dropped: false }),
  update(record, before, changes) {
    const state = base.update(record, before, changes);
    const { origin, spacing, cells } = record.facts.lattice;
    const axis = AXES.indexOf(state.axis);
    const position = Math.min(Math.max(state.position, origin[axis]), origin[axis] + spacing * cells[axis]);
    return { ...state, position };
  },
  numbers: (record, state) => ({ ...numbersOf(record, state), axis: state.axis, position: state.position, passed: passedBy(record, state) }),
  caption: (record, state) => `${captionOf(record, state, words)} The plane ${state.axis} = ${length(state.position)} cuts ${count(passedBy(record, state), "cell")}.`,
  mount(shell, record) {
    shell.style.textContent += REASON_STYLE + STYLE;
    const scene = new Scene(shell, record);
    const cut = cutPanel(shell, {});
    cut.panel.element.style.flexBasis = "440px";
    const reasons = new ReasonPanel(shell);
    const tree = treePanel(shell);
    const errors = errorPanel(shell);
    const table = MethodTable.of(shell);
    moreBelow(shell, [column(shell.block(reasons.element), table && shell.block(table.element)), column(tree.element, errors?.element)]);
    for (const note of record.facts.notes) shell.about.append(` ${note}`);
    controls(shell, record);
    return {
      draw(state, before) {
        const section = scene.update(state, before);
        cut.update(state, section);
        reasons.show(state, numbersOf(record, state));
        table?.show(state);
        tree.draw();
        errors?.draw();
      },
      dispose: () => scene.dispose(),
    };
  },
};

function controls(shell, { facts: { lattice } }) {
  const ends = [0, 1].map((end) => lattice.origin.map((x, k) => x + end * lattice.spacing * lattice.cells[k]));
  pruneChoice(shell);
  shell.controls.choice("axis", { label: "Cut across", options: AXES.map((name) => [name, name]) });
  shell.controls.slider("position", { label: "Plane at", min: Math.min(...ends[0]), max: Math.max(...ends[1]), step: lattice.spacing / 4, format: length });
  shell.controls.toggle("cut", { label: "Cut one half away" });
  shell.controls.toggle("surface", { label: "Surface" });
  shell.controls.toggle("dropped", { label: "Boxes of dropped cells" });
}

/** The 3-D panel. */
class Scene {
  constructor(shell, record) {
    Object.assign(this, { shell, record });
    this.space = shell.space({ label: "Octree. Click a box, the cut or the surface to select a cell", home: "side", title: "The octree" });
    this.space.element.style.flexBasis = "440px";
    this.tag = h("span", { class: "tag", hidden: true });
    this.space.overlay.append(this.tag);
    this.section = [];
    if (!this.space.works) return;
    this.boxes = {};
    this.plane = new THREE.Plane();
    this.beyond = new THREE.Plane();
    this.space.renderer.localClippingEnabled = true;
    this.surfaces = {};
    this.line = this.#wide(2);
    this.chosen = this.#wide(3);
    this.chosen.material.depthTest = false;
    this.chosen.renderOrder = 9;
    const { origin, spacing, cells } = record.facts.lattice;
    this.space.fit(origin, origin.map((x, k) => x + spacing * cells[k]));
    this.#listen();
  }

  #wide(width) {
    const line = new LineSegments2(new LineSegmentsGeometry(), new LineMaterial({ linewidth: width }));
    line.frustumCulled = false;
    line.renderOrder = 8;
    line.visible = false;
    this.space.scene.add(line);
    return line;
  }

  /** A click, not a drag, selects what lies under it. */
  #listen() {
    const { canvas } = this.space;
    let down = null;
    canvas.addEventListener("pointerdown", (event) => (down = [event.clientX, event.clientY]));
    canvas.addEventListener("pointerup", (event) => {
      if (down === null || Math.hypot(event.clientX - down[0], event.clientY - down[1]) > 4) return;
      const box = canvas.getBoundingClientRect();
      const spot = new THREE.Vector2(((event.clientX - box.left) / box.width) * 2 - 1, 1 - ((event.clientY - box.top) / box.height) * 2);
      const ray = new THREE.Raycaster();
      ray.setFromCamera(spot, this.space.camera);
      const found = pickCell(this.record, this.shell.state, this.boxes[this.shell.state.prune], ray.ray, this.#hitSurface(ray));
      if (found === null) this.shell.set({ cursor: null, cell: null });
      else this.shell.set(found);
    });
  }

  /** Distance along a ray to the kept half of the surface, metres. */
  #hitSurface(ray) {
    const state = this.shell.state;
    const name = treeOf(this.record, state.prune).mesh;
    if (!state.surface || name === null) return Infinity;
    const hits = ray.intersectObject(this.surfaces[name].kept, false);
    const hit = hits.find(({ point }) => !state.cut || this.plane.distanceToPoint(point) >= 0);
    return hit === undefined ? Infinity : hit.distance;
  }

  /** The boxes of a tree, made when they are first asked for. */
  #boxesOf(prune) {
    if (this.boxes[prune] === undefined) {
      this.boxes[prune] = new Boxes(this.record.facts.lattice, treeOf(this.record, prune));
      this.space.scene.add(this.boxes[prune].group);
    }
    return this.boxes[prune];
  }

  /** A surface twice: the half that is kept, solid, and the half that is taken away, as a ghost. */
  #surfaceOf(name) {
    if (this.surfaces[name] === undefined) {
      const { arrays } = this.record;
      const kept = surfaceOf(arrays[`${name}.vertices`].data, arrays[`${name}.faces`].data);
      const ghost = new THREE.Mesh(kept.geometry, kept.material.clone());
      Object.assign(ghost.material, { transparent: true, opacity: 0.3, depthWrite: false, clippingPlanes: [this.beyond] });
      ghost.renderOrder = 7;
      this.space.scene.add(kept, ghost);
      this.surfaces[name] = { kept, ghost };
    }
    return this.surfaces[name];
  }

  /** Shows a state; gives where the plane meets the surface, for the panel of the cut. */
  update(state, before) {
    const { record } = this;
    const tree = treeOf(record, state.prune);
    const axis = AXES.indexOf(state.axis);
    const moved = before === null || ["prune", "axis", "position"].some((name) => state[name] !== before[name]);
    if (moved) this.section = tree.mesh === null ? [] : sectionOf(record.arrays[`${tree.mesh}.vertices`].data, record.arrays[`${tree.mesh}.faces`].data, axis, state.position);
    if (!this.space.works) return this.section;
    const done = state.step >= tree.levels.length;
    const boxes = this.#boxesOf(state.prune);
    for (const [name, { group }] of Object.entries(this.boxes)) group.visible = name === state.prune;
    boxes.show(state, levelOf(tree, state), { calm: done });
    boxes.move(axis, planeOf(record, state), TAKEN[state.axis]);
    if (before === null) for (const one of Object.values(this.boxes)) one.setTheme(this.shell.shade, this.space.renderer.getPixelRatio());
    else boxes.setTheme(this.shell.shade, this.space.renderer.getPixelRatio());
    this.#showSurface(state, tree, axis, done);
    if (moved) this.#showLine();
    this.line.visible = state.cut && state.surface && this.section.length > 0;
    this.line.material.color.set(SURFACE[this.shell.shade]);
    this.#showChosen(state, tree);
    this.#showTag(state, tree);
    this.space.invalidate();
    return this.section;
  }

  #showSurface(state, tree, axis, done) {
    const side = TAKEN[state.axis];
    const inward = new THREE.Vector3().setComponent(axis, -side);
    this.plane.set(inward, side * state.position);
    this.beyond.set(inward.clone().negate(), -side * state.position);
    for (const { kept, ghost } of Object.values(this.surfaces)) kept.visible = ghost.visible = false;
    if (!state.surface || tree.mesh === null) return;
    const { kept, ghost } = this.#surfaceOf(tree.mesh);
    kept.visible = true;
    ghost.visible = state.cut;
    kept.material.clippingPlanes = state.cut ? [this.plane] : [];
    const seen = done || state.cut ? 1 : 0.6; // boxes on all sides: let what lies behind shine through
    Object.assign(kept.material, { transparent: seen < 1, opacity: seen });
  }

  #showLine() {
    this.line.geometry.dispose();
    this.line.geometry = new LineSegmentsGeometry();
    if (this.section.length > 0) this.line.geometry.setPositions(this.section);
    const axis = ["x", "y", "z"][AXES.indexOf(this.shell.state.axis)];
    this.line.position.set(0, 0, 0);
    this.line.position[axis] = 0.02 * TAKEN[this.shell.state.axis] * this.record.facts.lattice.spacing; // before the squares of the same plane
  }

  #showChosen(state, tree) {
    this.chosen.visible = state.cell !== null && placeOf(tree, state.cell) >= 0;
    if (!this.chosen.visible) return;
    const ends = cornersOf(this.record, tree, state.cell);
    const corner = (k) => [0, 1, 2].map((n) => ends[(k >> n) & 1][n]);
    const edges = [0, 1, 2, 3, 4, 5, 6, 7, 0, 2, 1, 3, 4, 6, 5, 7, 0, 4, 1, 5, 2, 6, 3, 7].flatMap(corner);
    this.chosen.geometry.dispose();
    this.chosen.geometry = new LineSegmentsGeometry().setPositions(edges);
    this.chosen.material.color.set(INK[this.shell.shade]);
  }

  #showTag(state, tree) {
    const { lost, lost_parts: parts } = tree.levels[levelOf(tree, state)];
    this.tag.hidden = !state.lost || lost === 0;
    this.tag.textContent = `lost: ${count(lost, "cell")} in ${count(parts, "piece")}`;
  }

  dispose() {
    for (const boxes of Object.values(this.boxes ?? {})) boxes.dispose();
  }
}
