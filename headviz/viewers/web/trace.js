// A traced picture: what every ray knows after each step, and one ray with its safe spheres in space.

import { h } from "./core/dom.js";
import { length, number } from "./core/format.js";
import { COLOR, INK, PAPER } from "./core/look.js";
import { pixelTicks } from "./core/plane.js";
import { Maps, mapsOf } from "./trace_maps.js";
import { kept, looksOf, numbersOf, project } from "./trace_ray.js";
import { TraceScene } from "./trace_scene.js";
import { captionOf } from "./trace_words.js";

/** The grey of what was missed, thinned so that a whole background of it stays quiet. */
const HATCH = { light: "rgba(153, 153, 153, 0.45)", dark: "rgba(153, 153, 153, 0.4)" };
const SURFACES = [["solid", "Solid"], ["clear", "Translucent"], ["none", "None"]];
const HINT = "Click or drag in the picture to choose a ray; with the focus there, arrow keys move by one pixel, with Shift by ten.";

export default {
  kind: "trace",
  initial: ({ facts }) => ({ pixel: facts.pixel, map: "known", show_back: true, surface: "solid" }),
  steps: ({ arrays }) => Math.max(1, arrays.look.data.length),
  caption: captionOf,
  numbers: numbersOf,
  update,
  mount: (shell, record) => new TracePicture(shell, record),
};

/** A new state; who chooses a step or a pixel also points at where the ray then is. */
export function update(record, state, changes) {
  const { camera } = record.facts;
  const next = { ...state, ...changes };
  const inside = (value, size) => Math.max(0, Math.min(size - 1, Math.floor(value)));
  next.pixel = [inside(next.pixel[0], camera.width), inside(next.pixel[1], camera.height)];
  const last = Math.max(1, record.arrays.look.data.length) - 1;
  next.step = Math.max(0, Math.min(last, Math.round(Number(next.step) || 0)));
  const moved = next.step !== state.step || next.pixel.some((side, k) => side !== state.pixel[k]);
  if (moved && !("cursor" in changes)) next.cursor = numbersOf(record, next).position;
  return next;
}

class TracePicture {
  constructor(shell, record) {
    Object.assign(this, { shell, record });
    const { width, height } = record.facts.camera;
    this.maps = new Maps(record);
    this.plane = shell.plane({
      label: `Picture of ${width} × ${height} rays. ${HINT}`, box: [0, -height, width, 0], axes: ["column", "row"], unit: "pixels",
      format: [pixelTicks(width, 1), pixelTicks(height, -1)], paint: (plane) => this.#paint(plane),
    });
    this.explanation = h("div", { style: "min-height: 58px" });
    this.plane.element.append(this.explanation);
    this.space = shell.space({ label: "The ray in space", home: record.facts.view, legend: [
      ["ring", COLOR.current, "this look and its safe sphere"], ["ring", COLOR.missed, "earlier looks"], ["dot", COLOR.hit, "hit, and where it leaves for good"],
    ] });
    if (this.space.works) this.scene = new TraceScene(this.space, record, this.maps.canvas);
    this.#addControls();
    this.#addTable();
    this.#listen();
  }

  #addControls() {
    const { controls } = this.shell;
    controls.choice("map", { label: "Picture", options: mapsOf(this.record) });
    controls.choice("surface", { label: "Surface", options: SURFACES });
    if (this.record.arrays.back) controls.toggle("show_back", { label: "Where the ray leaves" });
  }

  /** All looks of the ray, and what was left out of the record. */
  #addTable() {
    this.summary = h("summary", {});
    this.body = h("tbody", {});
    const heads = ["look", "at", "distance", "moves", ""].map((text) => h("th", { scope: "col", style: "position: sticky; top: 0; background: var(--paper)" }, text));
    this.scroll = h("div", { style: "max-width: 640px; max-height: 220px; overflow: auto; position: relative", tabindex: "0", role: "region", "aria-label": "Looks of the ray" },
      h("table", { style: "max-width: 640px" }, h("thead", {}, h("tr", {}, ...heads)), this.body));
    const notes = [HINT, ...this.record.facts.notes].map((note) => h("p", { class: "hint" }, note));
    this.shell.controls.element.after(...notes, h("details", { open: true, style: "margin-top: 8px" }, this.summary, this.scroll));
  }

  #fillTable(pixel, looks) {
    const [column, row] = pixel;
    this.summary.textContent = `Looks of the ray through pixel (${column}, ${row}): ${looks.length}`;
    const cell = (text) => h("td", {}, text);
    this.rows = looks.map(({ step, along, distance, undone, kind }, k) => {
      const moves = k + 1 < looks.length ? length(looks[k + 1].along - along) : "—";
      const words = undone ? "taken back" : ["", "sample", "secant"][kind];
      return h("tr", { style: "cursor: pointer", click: () => this.shell.set({ step }) }, cell(String(k)), cell(`${number(along, 5)} m`), cell(length(distance)), cell(moves), cell(words));
    });
    this.body.replaceChildren(...this.rows);
  }

  #selectRow(own) {
    this.selected?.removeAttribute("aria-selected");
    this.selected = own === null ? null : this.rows[own];
    if (!this.selected) return;
    this.selected.setAttribute("aria-selected", "true");
    const { offsetTop, offsetHeight } = this.selected;
    const { scrollTop, clientHeight } = this.scroll;
    if (offsetTop < scrollTop + offsetHeight || offsetTop + offsetHeight > scrollTop + clientHeight) this.scroll.scrollTop = offsetTop - clientHeight / 2;
  }

  #listen() {
    const choose = ([x, y]) => this.shell.set({ pixel: [x, -y] });
    this.plane.onPointer({ down: choose, move: (place, event, held) => held && choose(place) });
    this.plane.canvas.setAttribute("role", "application");
    this.plane.canvas.addEventListener("keydown", (event) => this.#key(event));
    this.space.onPick(() => (this.scene.surface.visible ? [this.scene.surface] : []), (hit) => {
      const spot = hit && project(this.record, hit.point.toArray());
      const { width, height } = this.record.facts.camera;
      if (spot && spot[0] >= 0 && spot[1] >= 0 && spot[0] < width && spot[1] < height) this.shell.set({ pixel: spot });
    });
  }

  #key(event) {
    const sides = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (!(event.key in sides) || event.ctrlKey || event.metaKey || event.altKey) return;
    const far = (event.shiftKey ? 10 : 1) * this.record.facts.every;
    const { pixel } = this.shell.state;
    this.shell.set({ pixel: pixel.map((side, k) => side + far * sides[event.key][k]) });
    event.preventDefault();
    event.stopPropagation();
  }

  #paint(plane) {
    const { width, height } = this.record.facts.camera;
    plane.hatch(0, -height, width, 0, { gap: 10, color: HATCH[plane.theme] });
    plane.image(this.maps.canvas, [0, -height, width, 0], { smooth: plane.scale[0] * plane.ratio < 1 });
    const state = this.shell.state;
    const [x, y] = this.#middle(kept(this.record, state.pixel));
    const [from, to] = [11 / plane.scale[0], 24 / plane.scale[0]];
    const arms = [[-1, 0], [1, 0], [0, -1], [0, 1]].flatMap(([i, j]) => [x + i * from, y + j * from, x + i * to, y + j * to]);
    plane.segments(arms, { color: INK[plane.theme], width: 1.5, halo: PAPER[plane.theme] });
    plane.ring(x, y, { size: 8 });
    if (this.overstepped) plane.cross(x, y, "over-step");
    const spot = state.cursor && project(this.record, state.cursor);
    if (spot && Math.hypot(spot[0] - x, spot[1] + y) > 1) {
      plane.ring(spot[0], -spot[1], { color: COLOR.current, size: 5, width: 2 });
      plane.text(spot[0], -spot[1], "cursor", { offset: [9, -9] });
    }
  }

  #middle([column, row]) {
    return [column + 0.5, -(row + 0.5)];
  }

  #explain(map) {
    const { bar, legend } = this.maps.explain(map);
    const parts = [];
    if (bar !== null) parts.push(this.shell.colorbar({ scale: this.shell.scale("sequential", 0, 1), label: bar[0], ends: bar.slice(1) }));
    this.explanation.replaceChildren(...parts, this.shell.legend(legend));
  }

  draw(state, before) {
    const changed = this.maps.show(state.map, state.step);
    if (before === null || before.map !== state.map) this.#explain(state.map);
    const numbers = numbersOf(this.record, state);
    const same = this.pixel && numbers.pixel.every((side, k) => side === this.pixel[k]);
    if (!same) {
      this.pixel = numbers.pixel;
      this.looks = looksOf(this.record, this.pixel);
      this.#fillTable(this.pixel, this.looks);
    }
    this.overstepped = numbers.overstepped;
    this.#selectRow(numbers.look);
    this.plane.draw();
    if (changed) this.scene?.refresh();
    this.scene?.show(state, numbers, this.looks, this.shell.shade);
  }

  dispose() {
    this.scene?.dispose();
  }
}
