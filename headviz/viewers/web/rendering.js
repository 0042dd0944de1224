// A rendering: how a mesh becomes a picture, stage by stage, and what gradients flow back.

import { h } from "./core/dom.js";
import { grouped, length, number } from "./core/format.js";
import { COLOR, INK, PAPER } from "./core/look.js";
import { pixelTicks } from "./core/plane.js";
import { changedOf, chosenOf, numbersOf, ofOf, pixelOf, stageOf, update, vertexOf } from "./rendering_numbers.js";
import { captionOf, tone } from "./rendering_words.js";
import { boxAround, legendOf, paintVertex, Zoom } from "./rendering_zoom.js";
import { project } from "./trace_ray.js";

/** The grey of what is not seen, thinned so that a whole background of it stays quiet. */
const HATCH = { light: "rgba(153, 153, 153, 0.45)", dark: "rgba(153, 153, 153, 0.4)" };
const AXES = [["x", "x"], ["y", "y"], ["z", "z"]];
const HINT = "Click in a picture to choose a pixel; with the focus there, arrow keys move by one pixel, with Shift by ten. " +
  "The soft mask has a chosen pixel of its own, beside the mesh.";

export default {
  kind: "rendering",
  stepWord: "stage",
  initial: ({ facts }) => ({ pixel: facts.pixel, beside: facts.beside, vertex: facts.vertices[0]?.name ?? "", axis: "z", of: "picture" }),
  steps: ({ facts }) => facts.stages.length,
  caption: captionOf,
  numbers: numbersOf,
  update,
  mount: (shell, record) => new RenderingPicture(shell, record),
};

class RenderingPicture {
  constructor(shell, record) {
    Object.assign(this, { shell, record });
    const { width, height } = record.facts.camera;
    const axes = { axes: ["column", "row"], unit: "pixels", format: [pixelTicks(width, 1), pixelTicks(height, -1)] };
    this.canvas = h("canvas", { width, height });
    this.map = shell.plane({ label: `Picture of ${width} × ${height} pixels. ${HINT}`, box: [0, -height, width, 0], ...axes, paint: (plane) => this.#paint(plane) });
    this.zoom = new Zoom(record);
    this.near = shell.plane({
      label: "Faces around the chosen pixel", box: boxAround(record, pixelOf(record, shell.state)), ...axes,
      paint: (plane) => this.zoom.paint(plane, this.canvas, this.numbers, { state: shell.state, hatch: HATCH[plane.theme] }),
    });
    this.#addExplanations();
    this.#addControls();
    this.#addTable();
    for (const plane of [this.map, this.near]) this.#listen(plane);
  }

  #addExplanations() {
    this.heading = h("h3", {});
    this.headingNear = h("h3", {});
    this.map.element.prepend(this.heading);
    this.near.element.prepend(this.headingNear);
    this.explanation = h("div", { style: "min-height: 54px" });
    this.explanationNear = h("div", { style: "min-height: 54px" });
    this.map.element.append(this.explanation);
    this.near.element.append(this.explanationNear);
  }

  #addControls() {
    const { controls } = this.shell;
    const { stages, vertices } = this.record.facts;
    controls.choice("step", { label: "Stage", options: stages.map(({ title }, k) => [k, title]) }).style.flexBasis = "100%";
    if (vertices.length === 0) return;
    this.gradients = [
      controls.select("vertex", { label: "Vertex", options: vertices.map(({ name }) => [name, name]) }),
      controls.choice("axis", { label: "moves along", options: AXES }),
    ];
    if (ofOf(this.record).length > 1) this.gradients.push(controls.choice("of", { label: "and changes the", options: [["picture", "Picture"], ["soft mask", "Soft mask"]] }));
  }

  /** Everything that is known of the pixel; a row goes to its stage. */
  #addTable() {
    this.summary = h("summary", {});
    this.rows = this.record.facts.stages.map(({ title }, step) => {
      const value = h("td", { style: "text-align: left; white-space: normal" });
      return { value, row: h("tr", { style: "cursor: pointer", click: () => this.shell.set({ step }) }, h("td", { style: "width: 1%; text-align: left" }, title), value) };
    });
    const table = h("table", { style: "max-width: 640px" }, h("tbody", {}, ...this.rows.map(({ row }) => row)));
    const notes = [HINT, ...this.record.facts.notes].map((note) => h("p", { class: "hint" }, note));
    this.shell.controls.element.after(...notes, h("details", { open: true, style: "margin-top: 8px" }, this.summary, table));
  }

  #listen(plane) {
    const choose = ([x, y]) => this.#choose([x, -y]);
    plane.onPointer({ down: choose, move: (place, event, held) => held && plane === this.map && choose(place) });
    plane.canvas.setAttribute("role", "application");
    plane.canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  #choose(pixel) {
    this.shell.set({ [chosenOf(this.record, this.shell.state)]: pixel });
  }

  #key(event) {
    const sides = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (!(event.key in sides) || event.ctrlKey || event.metaKey || event.altKey) return;
    const far = event.shiftKey ? 10 : 1;
    this.#choose(pixelOf(this.record, this.shell.state).map((side, k) => side + far * sides[event.key][k]));
    event.preventDefault();
    event.stopPropagation();
  }

  /** The stage's map on the canvas; true where that changed it. */
  #fill(state) {
    const stage = stageOf(this.record, state);
    const name = stage === "gradient" ? [stage, state.vertex, state.axis, state.of].join(" ") : stage;
    if (name === this.filled) return;
    this.filled = name;
    const { arrays, facts: { camera } } = this.record;
    const image = new ImageData(Uint8ClampedArray.from(arrays[`map.${stage}`].data), camera.width, camera.height);
    if (stage === "gradient") {
      const colors = arrays["look.signed"].data;
      for (const [pixel, code] of changedOf(this.record, state)) image.data.set([...colors.subarray(3 * code, 3 * code + 3), 255], 4 * pixel);
    }
    this.canvas.getContext("2d").putImageData(image, 0, 0);
  }

  #paint(plane) {
    const { width, height } = this.record.facts.camera;
    plane.hatch(0, -height, width, 0, { gap: 10, color: HATCH[plane.theme] });
    plane.image(this.canvas, [0, -height, width, 0], { smooth: plane.scale[0] * plane.ratio < 1 });
    const { state } = this.shell;
    const [column, row] = this.numbers.pixel;
    const [x, y] = [column + 0.5, -(row + 0.5)];
    const [left, low, right, high] = boxAround(this.record, this.numbers.pixel);
    plane.rectangle(left, low, right, high, { color: INK[plane.theme], width: 1, halo: PAPER[plane.theme] });
    plane.ring(x, y, { size: 6, width: 2.5 });
    if (this.numbers.stage === "gradient") paintVertex(plane, this.record, state);
    const spot = state.cursor && project(this.record, state.cursor);
    if (spot && Math.hypot(spot[0] - x, spot[1] + y) > 1 && chosenOf(this.record, state) === "pixel") {
      plane.ring(spot[0], -spot[1], { color: COLOR.current, size: 5, width: 2 });
      plane.text(spot[0], -spot[1], "cursor", { offset: [9, -9] });
    }
  }

  #explain(state) {
    const { title, about, bar, legend } = this.record.facts.stages[state.step];
    this.heading.textContent = `${title}: ${about}`;
    const parts = [];
    const shown = stageOf(this.record, state) === "gradient" ? this.#barOfChanges(state) : bar && { ...bar, scale: bar.scale === "grey" ? GREY : this.shell.scale("sequential", 0, 1) };
    if (shown) parts.push(this.shell.colorbar(shown));
    if (legend.length > 0) parts.push(this.shell.legend(legend));
    this.explanation.replaceChildren(...parts);
    this.explanationNear.replaceChildren(this.shell.legend(legendOf(stageOf(this.record, state), "var(--ink)")));
    for (const control of this.gradients ?? []) control.hidden = stageOf(this.record, state) !== "gradient";
  }

  #barOfChanges(state) {
    const limit = vertexOf(this.record, state).limits[ofOf(this.record).indexOf(state.of)][AXES.findIndex(([axis]) => axis === state.axis)];
    const label = state.of === "picture" ? "change per mm, mean of red, green, blue" : "change per mm";
    return { scale: this.shell.scale("signed", -1, 1), label, ends: [number(-limit), `+${number(limit)}`] };
  }

  #fillTable(state) {
    const [column, row] = this.numbers.pixel;
    this.summary.textContent = `Pixel (${column}, ${row}), stage by stage`;
    const values = valuesOf(this.numbers);
    this.record.facts.stages.forEach(({ name }, k) => {
      this.rows[k].value.textContent = values[name] ?? "—";
      if (k === state.step) this.rows[k].row.setAttribute("aria-selected", "true");
      else this.rows[k].row.removeAttribute("aria-selected");
    });
  }

  draw(state) {
    this.numbers = numbersOf(this.record, state);
    const [column, row] = this.numbers.pixel;
    this.#fill(state);
    this.#explain(state);
    this.#fillTable(state);
    this.headingNear.textContent = `Around pixel (${column}, ${row})`;
    this.map.draw();
    this.#follow();
  }

  /** The zoom keeps its size, whatever it is, and moves with the pixel. */
  #follow() {
    const next = boxAround(this.record, this.numbers.pixel);
    const before = this.near.home;
    this.near.home = next;
    this.near.show(this.near.box.map((side, k) => side + next[k] - before[k]));
  }
}

const GREY = {
  gradient() {
    const level = (part) => Math.round(255 * (part <= 0.0031308 ? 12.92 * part : 1.055 * part ** (1 / 2.4) - 0.055));
    return `linear-gradient(to right, ${Array.from({ length: 17 }, (_, k) => `rgb(${level(k / 16)} ${level(k / 16)} ${level(k / 16)})`).join(", ")})`;
  },
};

const list = (values) => values.map((value) => number(value)).join(" · ");

/** What the table says of each stage. */
function valuesOf(numbers) {
  const { covered, face, faces_met: met, weights, depth, normal, uv, color, light, highlight, picture, soft_mask: soft, contributing, change, changed } = numbers;
  const seen = covered && {
    faces: `${grouped(face)}, of ${met} on its ray`, weights: list(weights), depth: length(depth), normals: list(normal), uv: uv && list(uv),
    color: tone(color), light: light && tone(light), highlights: highlight && tone(highlight),
  };
  const faces = contributing > 0 ? `${number(soft)}, by ${contributing} faces` : soft !== null && number(soft);
  return { ...seen, picture: tone(picture), soft_mask: faces, gradient: change ? `${list(change)} per mm; ${changed} pixels change` : `0; ${changed} pixels change` };
}
