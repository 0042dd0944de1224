// What marching cubes shows, as pure functions of a record and a state. Source: headviz/viewers/cubes.py.

import { count, length, number } from "./core/format.js";

const FACE_NAMES = ["−x", "+x", "−y", "+y", "−z", "+z"];
const FACES = [0, 1, 2, 3, 4, 5];
const CORNERS = [0, 1, 2, 3, 4, 5, 6, 7];

export const cellsOf = ({ arrays }) => arrays.cells.shape[0];

/** Index of the current cell; null at the first and the last step. */
export function numberOf(record, { step }) {
  return step >= 1 && step <= cellsOf(record) ? step - 1 : null;
}

/** How many faces of the mesh are made, those of the current cell included. */
export const doneOf = (record, { step }) => record.arrays.first.data[Math.min(step, cellsOf(record))];

/** The middle of a cell, metres. */
export function centerOf({ arrays, facts }, number) {
  return [0, 1, 2].map((axis) => facts.origin[axis] + facts.spacing * (arrays.cells.data[3 * number + axis] + 0.5));
}

/** The corner values of a cell, metres. */
export const valuesOf = ({ arrays }, number) => Array.from(arrays.values.data.subarray(8 * number, 8 * number + 8));

/** The edges of a cell that the surface crosses, and where on them: [[edge, fraction], …]. */
export function crossingsOf(record, number) {
  const values = valuesOf(record, number);
  const edges = record.arrays.edges.data;
  const found = [];
  for (let edge = 0; edge < 12; edge += 1) {
    const [a, b] = [values[edges[2 * edge]], values[edges[2 * edge + 1]]];
    if (a < 0 !== b < 0) found.push([edge, a / (a - b)]);
  }
  return found;
}

/** The current cell, or null. */
export function currentOf(record, state) {
  const number = numberOf(record, state);
  if (number === null) return null;
  const { arrays, facts } = record;
  const row = arrays.state.data[number];
  const [code, decisions] = [arrays.state_case.data[row], arrays.state_decisions.data[row]];
  const ambiguous = FACES.filter((face) => (arrays.ambiguous.data[code] >> face) & 1);
  return {
    at: Array.from(arrays.cells.data.subarray(3 * number, 3 * number + 3)), case: code, class: arrays.classes.data[code],
    inside: CORNERS.filter((corner) => (code >> corner) & 1).length, triangles: arrays.state_count.data[row],
    loops: facts.loops[row].map((loop) => loop.length), ambiguous, joined: ambiguous.filter((face) => (decisions >> face) & 1),
    values: valuesOf(record, number), fractions: crossingsOf(record, number).map(([, fraction]) => fraction),
  };
}

export const steps = (record) => cellsOf(record) + 2;

export function numbers(record, state) {
  const cells = cellsOf(record);
  return { cells, done: Math.min(state.step, cells), triangles: doneOf(record, state), current: currentOf(record, state) };
}

const grouped = (value) => number(value, 1);

export function caption(record, state) {
  const { facts } = record;
  const shown = numbers(record, state);
  const now = shown.current;
  if (now !== null) {
    const corners = `${now.inside} of 8 corners inside`;
    return `Cell ${grouped(shown.done)} of ${grouped(shown.cells)} at (${now.at.join(", ")}), case ${now.case} (class ${now.class}): ` +
      `${corners}, ${count(now.triangles, "triangle")} in ${loops(now.loops)}${facesText(now)}.`;
  }
  if (state.step === 0) {
    return `${facts.resolution} cells of ${length(facts.spacing)} along the longest side: the surface crosses ` +
      `${grouped(shown.cells)} of ${count(facts.all_cells, "cell")}, and none is done yet.`;
  }
  const most = facts.class_counts.indexOf(Math.max(...facts.class_counts));
  return `All ${count(shown.cells, "cell")} that the surface crosses done: ${count(shown.triangles, "triangle")} with ` +
    `${count(facts.vertices, "vertex", "vertices")}; the most frequent class is ${most}, ${count(facts.class_counts[most], "cell")}.`;
}

function loops(sizes) {
  if (sizes.length === 1) return `one loop of ${sizes[0]} edges`;
  return `${sizes.length} loops of ${sizes.slice(0, -1).join(", ")} and ${sizes.at(-1)} edges`;
}

function facesText(now) {
  if (now.ambiguous.length === 0) return "";
  const said = now.ambiguous.map((face) => `${FACE_NAMES[face]} (${now.joined.includes(face) ? "joined" : "kept apart"})`);
  return `; ${said.length} ${said.length === 1 ? "face is" : "faces are"} ambiguous, inside corners: ${said.join(", ")}`;
}

/** The next state: a step moves the cursor to its cell, a cursor goes to the nearest cell. */
export function update(record, before, changes) {
  const state = { ...before, ...changes };
  if ("step" in changes && !("cursor" in changes)) {
    const number = numberOf(record, { step: Math.max(0, Math.min(steps(record) - 1, Math.round(Number(state.step) || 0))) });
    state.cursor = number === null ? null : centerOf(record, number);
  } else if (changes.cursor && !("step" in changes)) {
    state.step = nearest(record, changes.cursor) + 1;
  }
  return state;
}

function nearest(record, point) {
  let [best, found] = [Infinity, 0];
  for (let number = 0; number < cellsOf(record); number += 1) {
    const [x, y, z] = centerOf(record, number);
    const away = (x - point[0]) ** 2 + (y - point[1]) ** 2 + (z - point[2]) ** 2;
    if (away < best) [best, found] = [away, number];
  }
  return found;
}

/** The next cell after the current one whose class this is, as a step; null if there is none. */
export function nextOfClass(record, { step }, wanted) {
  const { state, state_case: cases, classes } = record.arrays;
  const cells = cellsOf(record);
  for (let k = 0; k < cells; k += 1) {
    const number = (step + k) % cells;
    if (classes.data[cases.data[state.data[number]]] === wanted) return number + 1;
  }
  return null;
}
