// Marching squares, cell by cell: samples that can be painted, the line through them, the 16 cases, the error.

import { h } from "./core/dom.js";
import { length, number } from "./core/format.js";
import { COLOR, INK, PAPER, SOFT, SURFACE } from "./core/look.js";
import { CASES_STYLE, caseTiles, errorGraph } from "./squares_cases.js";
import * as model from "./squares_model.js";

const HINT = "Press a cell to go to it, or a case for the next cell that has it. With a brush, drag over samples to paint them; a case then paints the corners of the current cell.";

export default {
  kind: "squares",
  initial: ({ facts }) => ({
    resolution: facts.sizes.at(-1), level: facts.level, saddle: "asymptotic", painted: [], brush: "off", all_cells: false,
  }),
  steps: model.steps,
  caption: model.caption,
  numbers: model.numbers,
  update: model.update,
  mount(shell, record) {
    return new Squares(shell, record);
  },
};

class Squares {
  constructor(shell, record) {
    Object.assign(this, { shell, record, state: shell.state });
    const [left, low, right, high] = record.facts.box;
    const room = 0.03 * Math.max(right - left, high - low);
    this.plane = shell.plane({
      label: `The samples and the line through them. ${HINT}`, box: [left - room, low - room, right + room, high + room], axes: record.facts.axes,
      grow: 1.25, paint: () => this.#paint(),
      legend: [["dot", COLOR.inside, "inside"], ["dot", COLOR.outside, "outside"], ["outline", COLOR.current, "current cell"],
        ["dot", COLOR.hit, "its crossings"], ["line", "var(--ink)", "line so far"], ["line", "var(--soft)", "dashed: finest grid"]],
    });
    this.plane.tools.append(h("p", { class: "hint" }, HINT));
    this.plane.onPointer({
      down: (at) => this.#press(at), move: (at, _, held) => held && this.#stroke(at), up: () => (this.last = -1),
    });
    this.#addBlock();
    this.#addControls();
  }

  #addBlock() {
    const { facts } = this.record;
    this.tiles = caseTiles(model.tableOf(this.record), (code) => this.#pressCase(code));
    const parts = [h("style", {}, CASES_STYLE), h("h3", {}, "The 16 cases"), this.tiles.element,
      h("p", { class: "small" }, "Blue: inside. Classes under rotation and complement: a, b, c, d. The ambiguous cases 5 and 10: solid where the inside corners are kept apart, dashed where they are joined.")];
    this.graph = facts.errors.filter(({ distance }) => distance > 0).length > 2 ? errorGraph(facts) : null;
    parts.push(h("h3", {}, `Error against resolution, level ${length(facts.level)}`));
    parts.push(this.graph?.element ?? h("p", { class: "small" }, "There are too few resolutions with a line to compare."));
    if (this.graph) parts.push(h("p", { class: "small" }, `Against the line on a grid of ${facts.truth}. The farthest point of either line from the other, and the difference of their lengths.`));
    this.shell.block(h("div", {}, ...parts));
  }

  #addControls() {
    const { controls } = this.shell;
    const { sizes, range: [min, max, step] } = this.record.facts;
    if (sizes.length > 1) controls.select("resolution", { label: "Resolution", options: sizes.map((size) => [size, String(size)]) });
    controls.slider("level", { label: "Level", min, max, step, format: length });
    controls.choice("saddle", { label: "Ambiguous cells", options: [["asymptotic", "Decide"], ["join", "Join"], ["split", "Keep apart"]] });
    controls.choice("brush", { label: "Brush", options: [["off", "Off"], ["inside", "Inside"], ["outside", "Outside"]] });
    controls.button("Clear painting", () => ({ painted: [] }), { when: ({ painted }) => painted.length > 0 });
    controls.toggle("all_cells", { label: "Step through empty cells, too" });
  }

  // What a person does.

  #press(at) {
    this.last = -1;
    if (this.shell.state.brush !== "off") return this.#stroke(at);
    const { state } = this.shell;
    const line = model.contourOf(this.record, state);
    const { width, height, spacing, origin } = line.grid;
    const [column, row] = at.map((x, axis) => Math.floor((x - origin[axis]) / spacing[axis]));
    if (column < 0 || row < 0 || column >= width - 1 || row >= height - 1) return;
    const step = line.sequence.indexOf(row * (width - 1) + column);
    this.shell.set({ ...(step < 0 ? {} : { step: step + 1 }), cursor: this.#embed(at) });
  }

  #stroke(at) {
    const { state } = this.shell;
    if (state.brush === "off") return;
    const { width, height, spacing, origin } = model.samplesOf(this.record, state);
    const [column, row] = at.map((x, axis) => Math.round((x - origin[axis]) / spacing[axis]));
    const index = row * width + column;
    if (column < 0 || row < 0 || column >= width || row >= height || index === this.last) return;
    this.last = index;
    const painted = model.paintedWith(this.record, state, index, state.brush === "inside" ? -1 : 1);
    if (painted !== state.painted) this.shell.set({ painted });
  }

  /** With a brush the current cell gets the case; else the next cell that has it becomes the current one. */
  #pressCase(code) {
    const { state } = this.shell;
    const line = model.contourOf(this.record, state);
    const cell = line.sequence[Math.min(Math.max(state.step, 1), line.sequence.length) - 1];
    if (state.brush !== "off" && cell !== undefined) {
      const painted = model.paintedAs(this.record, state, cell, code);
      const after = model.contourOf(this.record, { ...state, painted });
      const step = after.sequence.indexOf(cell);
      return this.shell.set({ painted, step: step < 0 ? state.step : step + 1 });
    }
    const { sequence } = line;
    const found = sequence.map((_, k) => (state.step + k) % sequence.length).find((k) => line.case[sequence[k]] === code);
    if (found !== undefined) this.shell.set({ step: found + 1 });
  }

  /** A place of the plane as a point of space. */
  #embed([u, v]) {
    const [origin, along, up] = this.record.facts.place;
    return origin.map((x, axis) => x + u * along[axis] + v * up[axis]);
  }

  // Drawing.

  draw(state) {
    this.state = state;
    const line = model.contourOf(this.record, state);
    const counts = new Array(16).fill(0);
    for (const code of line.case) counts[code] += 1;
    this.tiles.show(model.currentOf(this.record, line, state.step), counts);
    this.graph?.show(state.resolution);
    this.plane.canvas.style.touchAction = state.brush === "off" ? "" : "none"; // a finger paints, or moves the page
    this.plane.draw();
  }

  #paint() {
    const { plane, record, state } = this;
    const line = model.contourOf(record, state);
    const pixels = line.grid.spacing[0] * plane.scale[0]; // side of a cell
    if (state.step > line.sequence.length) this.#fill(line);
    this.#grid(line, pixels);
    this.#trueLine();
    const done = model.doneOf(line, state.step);
    const flat = [...line.segments.subarray(0, 2 * done)].flatMap((point) => [line.points[2 * point], line.points[2 * point + 1]]);
    plane.segments(flat, { color: SURFACE[plane.theme], width: 2.5 });
    const now = model.currentOf(record, line, state.step);
    if (now !== null) this.#outline(line.grid, now, pixels);
    this.#samples(line.grid, pixels);
    if (pixels > 14) this.#crossings(line, done);
    if (now !== null) this.#current(line, now, pixels);
    this.#cursor();
  }

  #fill({ polylines, closed, points }) {
    const { context } = this.plane;
    context.beginPath();
    polylines.forEach((polyline, which) => {
      if (!closed[which]) return;
      polyline.forEach((point, k) => context[k === 0 ? "moveTo" : "lineTo"](...this.plane.at(points[2 * point], points[2 * point + 1])));
    });
    context.globalAlpha = this.plane.theme === "dark" ? 0.28 : 0.14;
    context.fillStyle = COLOR.inside;
    context.fill("evenodd");
    context.globalAlpha = 1;
  }

  #grid({ grid: { width, height, spacing: [dx, dy], origin: [x, y] } }, pixels) {
    if (pixels < 3) return;
    const flat = [];
    for (let column = 0; column < width; column += 1) flat.push(x + column * dx, y, x + column * dx, y + (height - 1) * dy);
    for (let row = 0; row < height; row += 1) flat.push(x, y + row * dy, x + (width - 1) * dx, y + row * dy);
    this.plane.context.globalAlpha = 0.35;
    this.plane.segments(flat, { color: SOFT[this.plane.theme], width: pixels > 10 ? 1 : 0.5 });
    this.plane.context.globalAlpha = 1;
  }

  #trueLine() {
    for (const flat of model.trueLinesOf(this.record, this.state)) {
      this.plane.line(flat, { color: SOFT[this.plane.theme], width: 1.25, dash: [5, 4] });
    }
  }

  /** One dot per sample: blue inside, orange outside, lighter towards the level, with its sign where there is room. */
  #samples({ values, width, spacing: [dx, dy], origin: [x, y] }, pixels) {
    const { plane, state, shell } = this;
    const size = Math.max(0.8, Math.min(7, pixels * 0.17));
    if (size < 2.5) return this.#manySamples({ values, width, spacing: [dx, dy], origin: [x, y] }, size);
    const most = values.reduce((found, value) => Math.max(found, Math.abs(value - state.level)), 1e-300);
    const scale = shell.scale("signed", -1, 1);
    const painted = new Set(state.painted.map(([index]) => index));
    values.forEach((value, index) => {
      const inside = value < state.level;
      const part = (inside ? -1 : 1) * (0.35 + (0.65 * Math.abs(value - state.level)) / most);
      const place = [x + dx * (index % width), y + dy * Math.floor(index / width)];
      const strong = inside ? COLOR.inside : COLOR.outside;
      if (painted.has(index)) plane.ring(...place, { color: INK[plane.theme], size: size + 2.5, width: 1.5 });
      plane.dot(...place, { color: scale.css(part), size, ring: strong });
      if (size >= 5.5) this.#sign(place, inside, part);
    });
  }

  /** Samples too small for shades and signs, one side after the other. */
  #manySamples({ values, width, spacing: [dx, dy], origin: [x, y] }, size) {
    const { context } = this.plane;
    for (const side of [-1, 1]) {
      context.beginPath();
      values.forEach((value, index) => {
        if (value < this.state.level !== side < 0) return;
        const [px, py] = this.plane.at(x + dx * (index % width), y + dy * Math.floor(index / width));
        context.rect(px - size, py - size, 2 * size, 2 * size);
      });
      context.fillStyle = side < 0 ? COLOR.inside : COLOR.outside;
      context.fill();
    }
    for (const [index] of this.state.painted) {
      this.plane.ring(x + dx * (index % width), y + dy * Math.floor(index / width), { color: INK[this.plane.theme], size: size + 2.5, width: 1.5 });
    }
  }

  #sign(place, inside, part) {
    const { context } = this.plane;
    const [px, py] = this.plane.at(...place);
    context.strokeStyle = inside && part < -0.72 ? "#ffffff" : INK.light;
    context.lineWidth = 1.5;
    context.beginPath();
    context.moveTo(px - 3, py);
    context.lineTo(px + 3, py);
    if (!inside) {
      context.moveTo(px, py - 3);
      context.lineTo(px, py + 3);
    }
    context.stroke();
  }

  #crossings({ points, segments }, done) {
    for (const point of new Set(segments.subarray(0, 2 * done))) {
      this.plane.dot(points[2 * point], points[2 * point + 1], { color: SURFACE[this.plane.theme], size: 3 });
    }
  }

  #outline({ spacing: [dx, dy], origin: [x0, y0] }, now, pixels) {
    const [x, y] = [x0 + dx * now.at[0], y0 + dy * now.at[1]];
    this.plane.rectangle(x, y, x + dx, y + dy, { color: COLOR.current, width: 3, halo: PAPER[this.plane.theme] });
    if (pixels < 14) this.plane.ring(x + dx / 2, y + dy / 2, { size: 14 });
  }

  /** The current cell: its segments' ends with their fractions, the saddle where it decides. */
  #current(line, now, pixels) {
    const { plane } = this;
    const { spacing: [dx, dy], origin: [x0, y0], width } = line.grid;
    const [x, y] = [x0 + dx * now.at[0], y0 + dy * now.at[1]];
    const row = line.rows.get(now.at[1] * (width - 1) + now.at[0]);
    if (row === undefined) return;
    const aside = [[0, 14], [12, 0], [0, -14], [-12, 0]]; // out of the cell, past the edge
    for (let edge = 0; edge < 4; edge += 1) {
      const point = line.history.points[4 * row + edge];
      if (point < 0) continue;
      const place = [line.points[2 * point], line.points[2 * point + 1]];
      plane.dot(...place, { color: COLOR.hit, size: 5 });
      if (pixels > 14) plane.text(...place, number(line.fraction[point], 2), { offset: aside[edge], align: ["center", "left", "center", "right"][edge] });
    }
    if (now.saddle !== null && pixels > 24) this.#saddle(line, row, [x, y, dx, dy], now.joined);
  }

  /** Where the bilinear value has its saddle; blue where that is inside. */
  #saddle({ history }, row, [x, y, dx, dy], joined) {
    const [a, b, c, d] = history.values.subarray(4 * row, 4 * row + 4);
    const sum = a - b + c - d;
    const place = [x + (dx * (a - d)) / sum, y + (dy * (a - b)) / sum];
    const inside = history.saddle[row] < 0;
    this.plane.dot(...place, { color: inside ? COLOR.inside : COLOR.outside, size: 4.5, ring: INK[this.plane.theme] });
    this.plane.text(...place, joined === inside ? "saddle" : "saddle, not heeded", { offset: [8, 0] });
  }

  #cursor() {
    const { cursor } = this.state;
    if (cursor === null) return;
    const [origin, ...sides] = this.record.facts.place;
    const [u, v] = sides.map((side) => side.reduce((sum, along, axis) => sum + along * (cursor[axis] - origin[axis]), 0));
    this.plane.ring(u, v, { size: 6, width: 2 });
  }
}
