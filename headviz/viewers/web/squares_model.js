// What marching squares shows, as pure functions of a record and a state. Source: headviz/viewers/squares.py.

import { marchingSquares } from "./algorithms/marching_squares.js";
import { polylineAreas } from "./algorithms/quantities.js";
import { count, length, number } from "./core/format.js";

const RESHAPING = ["resolution", "level", "saddle", "painted", "all_cells"];
const COUNTS = ["none", "1", "2", "3", "4"];
const SEGMENTS = ["no segment", "one segment", "two segments"];
const memory = new WeakMap();

/** The latest answer of a function of the state for a record; the same object while `key` is the same. */
function remembered(record, name, key, make) {
  if (!memory.has(record)) memory.set(record, new Map());
  const known = memory.get(record);
  if (known.get(name)?.key !== key) known.set(name, { key, value: make() });
  return known.get(name).value;
}

const paintKey = (painted) => painted.map(([index, side]) => `${index}${side < 0 ? "i" : "o"}`).join();

/** The samples of the state's resolution with what was painted: { values, width, height, spacing, origin }. */
export function samplesOf(record, { resolution, level, painted }) {
  return remembered(record, "samples", `${resolution} ${level} ${paintKey(painted)}`, () => {
    const { data, shape } = record.arrays[`samples.${resolution}`];
    const { spacing, origin } = record.facts.places[resolution];
    const values = Float64Array.from(data);
    for (const [index, side] of painted) values[index] = level + (side * spacing[0]) / 2;
    return { values, width: shape[1], height: shape[0], spacing, origin };
  });
}

/** The line of a state, with the order in which its cells are shown; see marchingSquares for the rest. */
export function contourOf(record, state) {
  const { resolution, level, saddle, painted, all_cells: all } = state;
  return remembered(record, "contour", `${resolution} ${level} ${saddle} ${all} ${paintKey(painted)}`, () => {
    const grid = samplesOf(record, state);
    const line = marchingSquares({ ...grid, level, saddle, table: tableOf(record) });
    const columns = grid.width - 1;
    const crossed = Array.from(line.history.case, (_, k) => line.history.cell[2 * k] * columns + line.history.cell[2 * k + 1]);
    const rows = new Map(crossed.map((cell, k) => [cell, k]));
    const sequence = all ? Array.from(line.case, (_, k) => k) : crossed;
    return { ...line, crossed, rows, sequence, grid, lengths: lengthsOf(line) };
  });
}

/** The lines of the state's level on the finest grid, each as x, y, x, y, … */
export function trueLinesOf(record, { level, saddle }) {
  return remembered(record, "true", `${level} ${saddle}`, () => {
    const { data, shape } = record.arrays.fine;
    const place = record.facts.places.fine;
    const grid = { values: Float64Array.from(data), width: shape[1], height: shape[0], ...place };
    const { points, polylines } = marchingSquares({ ...grid, level, saddle, table: tableOf(record) });
    return polylines.map((line) => Array.from(line).flatMap((point) => [points[2 * point], points[2 * point + 1]]));
  });
}

export function tableOf({ arrays }) {
  return { segments: arrays.segments.data, count: arrays.count.data, ambiguous: arrays.ambiguous.data, classes: arrays.classes.data };
}

function lengthsOf({ points, segments }) {
  return Array.from({ length: segments.length / 2 }, (_, k) => {
    const [a, b] = [2 * segments[2 * k], 2 * segments[2 * k + 1]];
    return Math.hypot(points[b] - points[a], points[b + 1] - points[a + 1]);
  });
}

const sum = (values) => values.reduce((total, value) => total + value, 0);

/** How many segments belong to the cells done, the current one included. */
export function doneOf(line, step) {
  if (step > line.sequence.length) return line.cell.length;
  const place = step === 0 ? 0 : line.cell.findIndex((cell) => cell > line.sequence[step - 1]);
  return place < 0 ? line.cell.length : place;
}

/** The current cell, or null at the first and the last step. */
export function currentOf(record, line, step) {
  const cell = line.sequence[step - 1];
  if (cell === undefined) return null;
  const columns = line.grid.width - 1;
  const row = line.rows.get(cell);
  const code = line.case[cell];
  const saddle = row === undefined ? NaN : line.history.saddle[row];
  const inside = [0, 1, 2, 3].filter((corner) => (code >> corner) & 1).length;
  return {
    at: [cell % columns, Math.floor(cell / columns)], case: code, class: record.arrays.classes.data[code], inside,
    segments: record.arrays.count.data[code],
    fractions: row === undefined ? [] : Array.from(line.history.fraction.subarray(4 * row, 4 * row + 4)).filter(Number.isFinite),
    saddle: Number.isNaN(saddle) ? null : saddle,
    joined: row !== undefined && line.history.joined[row] === 1,
  };
}

export function numbers(record, state) {
  const line = contourOf(record, state);
  const { sequence, lengths, closed, points, polylines } = line;
  const whole = closed.length > 0 && closed.every(Boolean);
  return {
    resolution: state.resolution, level: state.level, painted: state.painted.length,
    cells: sequence.length, done: Math.min(state.step, sequence.length),
    length: sum(lengths.slice(0, doneOf(line, state.step))), total: sum(lengths), lines: closed.length,
    area: whole ? sum(polylineAreas(points, polylines, closed)) : null, current: currentOf(record, line, state.step),
  };
}

export const steps = (record, state) => contourOf(record, state).sequence.length + 2;

export function caption(record, state) {
  const shown = numbers(record, state);
  const painted = shown.painted > 0 ? `; ${count(shown.painted, "sample")} painted` : "";
  const now = shown.current;
  if (now === null) return `${state.step === 0 ? start(record, state, shown) : whole(record, state, shown)}${painted}.`;
  let crossings = "";
  if (now.fractions.length > 0) {
    const listed = now.fractions.map((fraction) => number(fraction, 2));
    crossings = `; crossings at ${listed.slice(0, -1).join(", ")} and ${listed.at(-1)} of their edges`;
  }
  const word = state.all_cells ? "cells looked at" : "cells done";
  return `Cell (${now.at[0]}, ${now.at[1]}), case ${now.case}: ${why(state, now)}${crossings}; ` +
    `${number(shown.done, 1)} of ${number(shown.cells, 1)} ${word}, length so far ${length(shown.length)}${painted}.`;
}

function start(record, state, shown) {
  const line = contourOf(record, state);
  if (line.crossed.length === 0) return whole(record, state, shown);
  const { values, width, height } = line.grid;
  const inside = values.reduce((found, value) => found + (value < state.level ? 1 : 0), 0);
  return `${width} × ${height} samples, ${number(inside, 1)} of them inside: the line crosses ` +
    `${number(line.crossed.length, 1)} of ${count(line.case.length, "cell")}, where both signs meet`;
}

function why({ saddle }, now) {
  if (now.saddle === null) {
    return `${COUNTS[now.inside]} of 4 corners inside, so ${SEGMENTS[now.segments]}`;
  }
  const end = now.joined ? "joined" : "kept apart";
  if (saddle !== "asymptotic") return `2 opposite corners inside, ${end} by choice, two segments`;
  const side = now.joined ? "inside" : "outside";
  return `2 opposite corners inside, which is ambiguous; the saddle between them is ${side} (${length(now.saddle)}), so they are ${end}, two segments`;
}

function whole(record, state, shown) {
  const line = contourOf(record, state);
  if (shown.lines === 0) {
    const low = line.grid.values.reduce((a, b) => Math.min(a, b));
    const high = line.grid.values.reduce((a, b) => Math.max(a, b));
    const side = low >= state.level ? "outside" : "inside";
    return `No cell is crossed: all ${count(line.grid.values.length, "sample")} lie ${side}, from ${length(low)} to ${length(high)}`;
  }
  const around = shown.area === null ? "" : ` around ${number(shown.area)} m²`;
  return `All ${count(line.crossed.length, "cell")} with a crossing done, ${state.resolution} along the longer side: ` +
    `${count(shown.lines, "line")}, ${length(shown.total)} long${around}${errorText(record, state)}`;
}

/** Whether the errors that were measured are those of this state. */
export const measured = ({ facts }, { painted, level, saddle }) => painted.length === 0 && level === facts.level && saddle === facts.saddle;

function errorText(record, state) {
  if (!measured(record, state)) return "";
  const row = record.facts.errors.find(({ resolution }) => resolution === state.resolution);
  return row?.distance == null ? "" : `, at most ${length(row.distance)} from that on a grid of ${record.facts.truth}`;
}

/** The next state; where the line changes and no step is given, the current cell is kept. */
export function update(record, before, changes) {
  const state = { ...before, ...changes };
  if (state.resolution !== before.resolution && !("painted" in changes)) state.painted = [];
  const same = RESHAPING.every((name) => state[name] === before[name]);
  if ("step" in changes) return state;
  if (!same) state.step = stepIn(record, before, state);
  if (state.brush !== "off" && before.brush === "off") state.step = steps(record, state) - 1; // who paints wants to see the line
  return state;
}

function stepIn(record, before, state) {
  const { sequence, grid } = contourOf(record, before);
  const [rows, columns] = [grid.height - 1, grid.width - 1];
  const cell = sequence[before.step - 1];
  const other = contourOf(record, state);
  if (cell === undefined) return before.step === 0 ? 0 : other.sequence.length + 1;
  const [row, column] = [Math.floor(cell / columns), cell % columns];
  const [height, width] = [other.grid.height - 1, other.grid.width - 1];
  const wanted = Math.floor(((2 * row + 1) * height) / (2 * rows)) * width + Math.floor(((2 * column + 1) * width) / (2 * columns));
  const found = other.sequence.findIndex((value) => value >= wanted);
  return (found < 0 ? other.sequence.length : found) + 1;
}

/** Paints one sample: the list of painted samples with it, or the same list where nothing changes. */
export function paintedWith(record, state, index, side) {
  const is = (values) => (values[index] < state.level ? -1 : 1);
  if (is(samplesOf(record, state).values) === side) return state.painted;
  const others = state.painted.filter(([other]) => other !== index);
  return is(record.arrays[`samples.${state.resolution}`].data) === side ? others : [...others, [index, side]];
}

/** Paints the corners of a cell so that it has a case. */
export function paintedAs(record, state, cell, code) {
  const { width } = samplesOf(record, state);
  const first = Math.floor(cell / (width - 1)) * width + (cell % (width - 1));
  return [first, first + 1, first + width + 1, first + width].reduce(
    (painted, index, corner) => paintedWith(record, { ...state, painted }, index, (code >> corner) & 1 ? -1 : 1), state.painted);
}
