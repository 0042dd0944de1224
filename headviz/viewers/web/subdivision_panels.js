// Panels beside a quadtree or an octree: which cells there are and why, the tree itself, and what the methods cost.

import { h } from "./core/dom.js";
import { count, length, number } from "./core/format.js";
import { COLOR, SOFT, SURFACE } from "./core/look.js";
import { DROPPED, REASONS, cellAt, grouped, levelOf, placeOf, treeOf } from "./subdivisions.js";

const WORDS = {
  crossing: "corners differ: split", near: "too near to rule out: split", forced: "too coarse to judge: split",
  safe: "proven empty: dropped", same_sign: "corners agree: dropped on trust", empty: "finest, corners agree", lost: "lost by the pruning",
};
const METHODS = { dense: "full grid", lipschitz: "Lipschitz", sign: "sign" };
const MARKS = { dense: [COLOR.missed, "dot"], lipschitz: [COLOR.inside, "ring"], sign: [COLOR.outside, "dot"] };

export const REASON_STYLE = `
.reasons { border-collapse: collapse; width: 100%; font-size: 13px; }
.reasons td { padding: 0; text-align: left; white-space: normal; }
.reasons td:last-child { text-align: right; white-space: nowrap; padding-left: 8px; }
.reasons label { display: flex; align-items: center; gap: 8px; min-height: 32px; cursor: pointer; }
.reasons input { flex: none; width: 18px; height: 18px; margin: 0; accent-color: var(--accent); }
.mark.dots::before { content: ""; position: absolute; inset: 1px; border: 1px solid var(--color);
  background: radial-gradient(circle, var(--color) 1px, transparent 1.4px) 0 0 / 4px 4px; }
.mark.dotted::before { content: ""; position: absolute; inset: 1px; border: 2px dotted var(--color); }
.mark.thin::before { content: ""; position: absolute; inset: 2px; border: 1px solid var(--color); opacity: 0.7; }
.column { display: flex; flex-direction: column; gap: 16px; }
.column > .panel { flex: none; width: 100%; }
.panels.more { margin-top: 16px; }
.panels.more > .panel { flex-basis: 440px; }
.panels .low .picture { height: clamp(240px, 60cqi, 300px); }
.methods caption { caption-side: top; text-align: left; font-size: 15px; font-weight: 600; padding-bottom: 4px; }
.methods td { white-space: nowrap; }
@container (max-width: 420px) { .methods th, .methods td { padding: 4px; } }
`;

/** The mark of a reason as the legend draws it: [mark, color]. */
export function markOf(reason, theme) {
  const dark = SOFT[theme];
  return {
    crossing: ["outline", COLOR.current], near: ["outline", dark], forced: ["dotted", dark], safe: ["hatch", COLOR.missed],
    same_sign: ["dots", COLOR.missed], empty: ["thin", COLOR.missed], lost: ["cross", COLOR.wrong],
  }[reason];
}

/** Legend, switches and numbers in one: a row per reason that the tree has. */
export class ReasonPanel {
  constructor(shell) {
    this.shell = shell;
    this.rows = [...REASONS, "lost"].map((name) => this.#row(name));
    this.title = h("h3", {});
    this.element = h("div", {}, this.title, h("table", { class: "reasons" }, h("tbody", {}, ...this.rows.map(({ row }) => row))));
  }

  #row(name) {
    const box = h("input", { type: "checkbox", "data-name": name, change: () => this.shell.set({ [name]: box.checked }) });
    const mark = h("i", {});
    const counted = h("td", {});
    return { name, box, mark, counted, row: h("tr", {}, h("td", {}, h("label", {}, box, mark, h("span", {}, WORDS[name]))), counted) };
  }

  show(state, numbers) {
    const tree = treeOf(this.shell.record, state.prune);
    const used = new Set(tree.levels.flatMap(({ reasons }) => Object.keys(reasons)));
    if (tree.lost.length > 0) used.add("lost");
    this.title.textContent = `Cells of level ${numbers.level}: ${grouped(numbers.looked)}`;
    for (const { name, box, mark, counted, row } of this.rows) {
      const [shape, color] = markOf(name, this.shell.shade ?? "light");
      row.hidden = !used.has(name);
      box.checked = state[name];
      mark.className = `mark ${shape}`;
      mark.style.setProperty("--color", color);
      counted.textContent = grouped(name === "lost" ? numbers.lost : numbers.reasons[name]);
    }
  }
}

/** Where each cell of a tree stands in a row of all leaves: [from, to] pairs; leaves are 1 wide. */
export function layoutOf(tree) {
  if (tree.layout !== undefined) return tree.layout;
  const total = tree.reasons.length;
  const wide = new Float64Array(total);
  const from = new Float64Array(total);
  for (let level = tree.levels.length - 1; level >= 0; level -= 1) {
    const { first, count: cells } = tree.levels[level];
    for (let n = first; n < first + cells; n += 1) {
      wide[n] = Math.max(1, wide[n]);
      if (level > 0) wide[tree.levels[level - 1].first + tree.parents[n]] += wide[n];
    }
  }
  for (let level = 1; level < tree.levels.length; level += 1) {
    const { first, count: cells } = tree.levels[level];
    for (let n = first, parent = -1, next = 0; n < first + cells; n += 1) {
      const above = tree.levels[level - 1].first + tree.parents[n];
      if (above !== parent) next = from[above];
      parent = above;
      from[n] = next;
      next += wide[n];
    }
  }
  tree.layout = { wide, from, leaves: total === 0 ? 1 : wide[0] };
  return tree.layout;
}

/** Places from the root down to a cell. */
function pathTo(tree, cell) {
  const path = [];
  for (let [level, place] = [cell[0], placeOf(tree, cell)]; place >= 0; level -= 1) {
    path.unshift(place);
    if (level === 0) break;
    place = tree.levels[level - 1].first + tree.parents[place];
  }
  return path;
}

const FEW = 160; // leaves up to which nodes and links are drawn

/** Puts the panel of the tree below the legend, into one column. */
export function besides(shell, reasons, tree) {
  const column = shell.block(reasons.element);
  column.classList.add("column");
  column.style.flexBasis = "300px";
  column.append(tree.element);
}

/** Panels below each other. */
export function column(...elements) {
  return h("div", { class: "panel column" }, ...elements.filter(Boolean));
}

/** Moves panels below caption and controls, so that these stay beside the main picture. */
export function moreBelow(shell, elements) {
  const there = elements.filter(Boolean);
  if (there.length > 0) shell.figure.insertBefore(h("div", { class: "panels more" }, ...there), shell.about);
}

/** The choice between the prunings that a record has. */
export function pruneChoice(shell) {
  const names = { lipschitz: "Lipschitz bound", sign: "signs only" };
  const options = Object.keys(shell.facts.trees).map((name) => [name, names[name]]);
  shell.controls.choice("prune", { label: "Drop cells by", options });
}

/** Adds the panel of the tree: a row per level, the root above; a click selects a cell. */
export function treePanel(shell, options = {}) {
  const { record } = shell;
  const depth = Object.values(record.facts.trees)[0].levels.length;
  const paint = (plane) => paintTree(plane, record, shell.state);
  const level = (value) => (Number.isInteger(value) ? String(Math.max(0, -value)) : null);
  const panel = shell.plane({
    label: "The tree: a row per level, the root above. Click a cell to select it.", box: [0, 0.44 - depth, 1, 0.6], axes: ["leaves, in the order of the tree", "level"],
    unit: "", equal: false, zoom: false, format: [() => null, level], paint, title: "The tree", ...options,
  });
  panel.element.classList.add("low");
  panel.onPointer({
    down: ([x, y]) => {
      const tree = treeOf(record, shell.state.prune);
      const row = Math.round(-y);
      if (row < 0 || row >= depth) return;
      const place = nodeAt(tree, row, x * layoutOf(tree).leaves);
      if (place >= 0) shell.set({ cell: cellAt(tree, place), step: Math.max(shell.state.step, row) });
    },
  });
  return panel;
}

function nodeAt(tree, level, x) {
  const { first, count: cells } = tree.levels[level];
  const { from, wide } = layoutOf(tree);
  for (let n = first; n < first + cells; n += 1) if (x >= from[n] && x < from[n] + wide[n]) return n;
  return -1;
}

function paintTree(plane, record, state) {
  const tree = treeOf(record, state.prune);
  const { leaves } = layoutOf(tree);
  const shown = levelOf(tree, state);
  if (leaves <= FEW) paintNodes(plane, tree, shown);
  else tree.levels.forEach((_, level) => paintRow(plane, tree, level, level > shown));
  const color = SURFACE[plane.theme];
  plane.segments([-1, -shown + 0.46, 2, -shown + 0.46, -1, -shown - 0.46, 2, -shown - 0.46], { color: COLOR.current, width: 1.5 });
  if (state.cell === null) return;
  const { from, wide } = layoutOf(tree);
  const spots = pathTo(tree, state.cell).map((n, level) => [(from[n] + wide[n] / 2) / leaves, -level]);
  if (spots.length > 1) plane.line(spots, { color, width: 2, halo: plane.theme === "dark" ? "#15171a" : "#f6f5f2" });
  spots.forEach(([x, y], k) => plane.dot(x, y, { color, size: k === spots.length - 1 ? 5 : 3 }));
}

/** A row of cells as bars; where they are narrower than a pixel, columns of pixels show which reasons mix there. */
function paintRow(plane, tree, level, later) {
  const { context } = plane;
  const { from, wide, leaves } = layoutOf(tree);
  const { first, count: cells } = tree.levels[level];
  const [, top] = plane.at(0, -level + 0.34);
  const [, bottom] = plane.at(0, -level - 0.34);
  const colors = barColors(plane.theme);
  context.save();
  context.globalAlpha = later ? 0.22 : 1;
  for (let n = first; n < first + cells; n += 1) {
    let last = n; // neighbours of one reason that are too narrow for a gap are one bar
    const reason = tree.reasons[n];
    const one = (wide[n] / leaves) * plane.scale[0];
    if (one < 3) while (last + 1 < first + cells && tree.reasons[last + 1] === reason && from[last + 1] === from[last] + wide[last]) last += 1;
    const [x0] = plane.at(from[n] / leaves, 0);
    const [x1] = plane.at((from[last] + wide[last]) / leaves, 0);
    context.fillStyle = colors[reason];
    context.fillRect(x0, top, Math.max(0.35, x1 - x0 - (one >= 3 ? 1 : 0)), bottom - top);
    n = last;
  }
  context.restore();
}

function barColors(theme) {
  const dark = theme === "dark";
  return [COLOR.current, SOFT[theme], SOFT[theme], dark ? "#55585d" : "#c4c4c2", dark ? "#55585d" : "#c4c4c2", dark ? "#34373c" : "#e2e1dd"];
}

/** A small tree as nodes and links, as on paper. */
function paintNodes(plane, tree, shown) {
  const { from, wide, leaves } = layoutOf(tree);
  const spot = (n, level) => [(from[n] + wide[n] / 2) / leaves, -level];
  const colors = barColors(plane.theme);
  tree.levels.forEach(({ first, count: cells }, level) => {
    if (level === 0) return;
    const links = [];
    for (let n = first; n < first + cells; n += 1) links.push(...spot(tree.levels[level - 1].first + tree.parents[n], level - 1), ...spot(n, level));
    plane.segments(links, { color: level > shown ? colors[5] : SOFT[plane.theme], width: 1 });
  });
  tree.levels.forEach(({ first, count: cells }, level) => {
    const room = plane.scale[0] / Math.max(1, cells);
    const size = Math.max(2.5, Math.min(9, room * 0.42));
    for (let n = first; n < first + cells; n += 1) {
      const color = level > shown ? colors[5] : colors[tree.reasons[n]];
      plane.dot(...spot(n, level), { color, size, ring: level > shown ? colors[3] : tree.reasons[n] < DROPPED ? color : SOFT[plane.theme] });
    }
  });
}

/** Adds the graph of evaluations against mean error, both logarithmic; null where nothing was compared. */
export function errorPanel(shell, options = {}) {
  const rows = shell.facts.rows.filter(({ mean }) => mean > 0);
  if (rows.length === 0) return null;
  const logs = (name) => rows.map((row) => Math.log10(row[name]));
  const around = (values) => [Math.min(...values) - 0.25, Math.max(...values) + 0.25];
  const [left, right] = around(logs("evaluations"));
  const [low, high] = around(logs("mean"));
  const power = (value) => (Number.isInteger(value) ? number(10 ** value) : null);
  const size = (value) => (Number.isInteger(value) ? number(10 ** (value + 3)) : null);
  const legend = Object.keys(MARKS).filter((name) => rows.some(({ method }) => method === name)).map((name) => [MARKS[name][1], MARKS[name][0], METHODS[name]]);
  const panel = shell.plane({
    label: "Evaluations against mean error for the full grid, Lipschitz pruning and sign pruning, both axes logarithmic",
    box: [left, low, right, high], axes: ["evaluations", "mean error (mm)"], unit: "", equal: false, zoom: false, format: [power, size],
    paint: (plane) => paintErrors(plane, rows, shell), title: "Evaluations against error", legend, ...options,
  });
  panel.element.classList.add("low");
  return panel;
}

function paintErrors(plane, rows, shell) {
  const { state } = shell;
  for (const method of ["dense", "sign", "lipschitz"]) {
    const [color, shape] = MARKS[method];
    const spots = rows.filter((row) => row.method === method).map((row) => [Math.log10(row.evaluations), Math.log10(row.mean), row]);
    if (spots.length === 0) continue;
    plane.line(spots.map(([x, y]) => [x, y]), { color, width: method === state.prune ? 3 : 2 });
    for (const [x, y, row] of spots) {
      if (shape === "ring") plane.ring(x, y, { color, size: 6, width: 2.5 });
      else plane.dot(x, y, { color, size: 5 });
      if (method === "dense") plane.text(x, y, `${row.resolution}`, { color: SOFT[plane.theme], offset: [8, -10], size: 12 });
    }
  }
  for (const { evaluations, mean, lost } of rows) {
    if (!(lost > 0)) continue;
    const [x, y] = [Math.log10(evaluations), Math.log10(mean)];
    plane.cross(x, y, "");
    const right = plane.at(x, y)[0] > plane.width - 120;
    plane.text(x, y, `lost: ${count(lost, "cell")}`, { offset: [right ? -10 : 10, 14], align: right ? "right" : "left" });
  }
}

const bytes = (value) => (value === null ? "–" : value < 1e6 ? `${number(value / 1e3)} kB` : `${number(value / 1e6)} MB`);
const seconds = (value) => (value === null ? "–" : value < 1 ? `${number(value * 1e3)} ms` : `${number(value)} s`);

/** The methods beside each other at the finest resolution that was compared; null where nothing was. */
export class MethodTable {
  static of(shell) {
    const { rows } = shell.facts;
    return rows.length === 0 ? null : new MethodTable(shell, rows);
  }

  constructor(shell, rows) {
    const finest = Math.max(...rows.map(({ resolution }) => resolution));
    const columns = rows.filter(({ resolution }) => resolution === finest);
    const dense = columns.find(({ method }) => method === "dense").evaluations;
    const lines = {
      evaluations: ({ evaluations }) => grouped(evaluations), "of the full grid": ({ evaluations }) => `${number((100 * evaluations) / dense)} %`,
      time: (row) => seconds(row.seconds), memory: (row) => bytes(row.bytes), "mean error": ({ mean }) => (mean === null ? "–" : length(mean)),
      "greatest error": ({ error }) => (error === null ? "–" : length(error)), "cells lost": ({ lost }) => (lost === null ? "–" : grouped(lost)),
      "pieces lost": ({ lost_parts: parts }) => (parts === null ? "–" : String(parts)),
    };
    this.heads = columns.map(({ method }) => h("th", { scope: "col", "data-method": method }, METHODS[method]));
    this.element = h("div", {}, h("table", { class: "methods" }, h("caption", {}, `The methods at resolution ${finest}`),
      h("thead", {}, h("tr", {}, h("th", {}, ""), ...this.heads)),
      h("tbody", {}, ...Object.entries(lines).map(([name, text]) => h("tr", {}, h("td", {}, name), ...columns.map((row) => h("td", {}, text(row))))))),
    h("p", { class: "hint" }, aboutTable(shell.facts)));
  }

  show(state) {
    for (const head of this.heads) head.style.color = head.dataset.method === state.prune ? "var(--ink)" : "";
    for (const head of this.heads) head.style.textDecoration = head.dataset.method === state.prune ? "underline" : "";
  }
}

function aboutTable({ reference }) {
  const error = reference > 0 ? ` Error: distance between vertices and a reference of resolution ${reference}, both ways.` : "";
  return `Time: once, cells and drawing. Memory: values held when the search ends.${error}`;
}
