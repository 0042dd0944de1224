// What the viewer of a reconstruction computes: expressions, the slice of the distance, what is said. No page needed.

import { length, number } from "./core/format.js";
import { words } from "./morphs.js";

export const AXES = ["x", "y", "z"];
/** Axes of a slice across each axis, first the one to the right; as in headviz/viewers/reconstruction_picture.py. */
export const ACROSS = { x: ["z", "y"], y: ["x", "z"], z: ["x", "y"] };
const EARLY = ["photograph", "face", "landmarks"];

export const stageOf = ({ facts }, state) => facts.stages[state.step].name;
/** Whether a head is known at this stage. */
export const isFitted = (record, state) => !EARLY.includes(stageOf(record, state));

/** The weights of the morphs: what was chosen, or what the photograph shows. */
export const weightsOf = ({ facts }, state) => state.expression ?? facts.expression;

/** [name, weight] of the strongest morph, or null where none is in use. */
export function strongestOf(record, state) {
  const weights = weightsOf(record, state);
  let best = -1;
  weights.forEach((weight, k) => {
    if (best < 0 || weight > weights[best]) best = k;
  });
  return best >= 0 && weights[best] > 0 ? [record.facts.morphs[best], weights[best]] : null;
}

/** How far each vertex is from the neutral head, metres, xyz per vertex. */
export function movesOf({ facts, arrays }, weights) {
  const moved = new Float64Array(3 * facts.vertices);
  weights.forEach((weight, k) => {
    if (weight === 0) return;
    const [start, vertex, offset] = [arrays.morph_start.data, arrays.morph_vertex.data, arrays.morph_offset.data];
    const size = weight * facts.morph_step;
    for (let i = start[k]; i < start[k + 1]; i += 1) {
      for (let axis = 0; axis < 3; axis += 1) moved[3 * vertex[i] + axis] += size * offset[3 * i + axis];
    }
  });
  return moved;
}

/** How far the farthest vertex has moved, metres. */
export function farthestMove(record, state) {
  if (record.facts.morphs.length === 0) return 0;
  const moved = movesOf(record, weightsOf(record, state));
  let greatest = 0;
  for (let i = 0; i < moved.length; i += 3) {
    greatest = Math.max(greatest, moved[i] ** 2 + moved[i + 1] ** 2 + moved[i + 2] ** 2);
  }
  return Math.sqrt(greatest);
}

/** Lowest and highest position along an axis that the samples reach, metres. */
export function reachOf({ facts: { field } }, axis) {
  const k = AXES.indexOf(axis);
  return [field.origin[k], field.origin[k] + (field.shape[k] - 1) * field.spacing[k]];
}

/** The sample at whole places (i, j, k), metres. */
function sampleAt({ facts: { field }, arrays }, i, j, k) {
  return field.low + field.size * arrays.distance.data[(i * field.shape[1] + j) * field.shape[2] + k];
}

/** The cell of a position along an axis, and where in it the position is, 0 to 1. */
function cellOf({ facts: { field } }, axis, position) {
  const place = (position - field.origin[axis]) / field.spacing[axis];
  const first = Math.min(field.shape[axis] - 2, Math.max(0, Math.floor(place)));
  return [first, place - first];
}

/**
 * The distance on the plane of the slice.
 *
 * @returns {{values: Float64Array, width: number, height: number, box: number[], least: number, greatest: number}}
 *   samples row by row from below, the first axis of ACROSS along a row; box: left, low, right, high, metres
 */
export function sliceOf(record, { axis, position }) {
  const { field } = record.facts;
  const fixed = AXES.indexOf(axis);
  const [across, up] = ACROSS[axis].map((name) => AXES.indexOf(name));
  const [first, place] = cellOf(record, fixed, position);
  const part = Math.min(1, Math.max(0, place));
  const [width, height] = [field.shape[across], field.shape[up]];
  const values = new Float64Array(width * height);
  const at = [0, 0, 0];
  let [least, greatest] = [Infinity, -Infinity];
  for (let row = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1) {
      [at[across], at[up], at[fixed]] = [column, row, first];
      const near = sampleAt(record, ...at);
      at[fixed] = first + 1;
      const value = (1 - part) * near + part * sampleAt(record, ...at);
      values[row * width + column] = value;
      least = Math.min(least, value);
      greatest = Math.max(greatest, value);
    }
  }
  const [left, right] = reachOf(record, AXES[across]);
  const [low, high] = reachOf(record, AXES[up]);
  return { values, width, height, box: [left, low, right, high], least, greatest };
}

/** The distance at a point, metres; null without a point or outside of the samples. */
export function distanceAt(record, point) {
  if (point === null || record.facts.field === null) return null;
  if (!AXES.every((axis, k) => point[k] >= reachOf(record, axis)[0] && point[k] <= reachOf(record, axis)[1])) return null;
  const cells = AXES.map((_, k) => cellOf(record, k, point[k]));
  let sum = 0;
  for (let corner = 0; corner < 8; corner += 1) {
    const bits = [corner & 1, (corner >> 1) & 1, (corner >> 2) & 1];
    const weight = bits.reduce((product, bit, k) => product * (bit ? cells[k][1] : 1 - cells[k][1]), 1);
    sum += weight * sampleAt(record, ...bits.map((bit, k) => cells[k][0] + bit));
  }
  return sum;
}

/** The point in space under a place of the slice. */
export function pointOf({ axis, position }, [across, up]) {
  const point = [0, 0, 0];
  point[AXES.indexOf(axis)] = position;
  ACROSS[axis].forEach((name, k) => (point[AXES.indexOf(name)] = k === 0 ? across : up));
  return point;
}

/** Where a point of space lies in the slice's own axes. */
export const placeOf = ({ axis }, point) => ACROSS[axis].map((name) => point[AXES.indexOf(name)]);

/** The state after a change: the slice goes where the cursor goes, and stays within the samples. */
export function changed(record, before, changes) {
  const state = { ...before, ...changes };
  if (record.facts.field === null) return state;
  const goes = state.follow && !("position" in changes) && ("cursor" in changes || "axis" in changes) && state.cursor !== null;
  const wanted = goes ? state.cursor[AXES.indexOf(state.axis)] : state.position;
  const [low, high] = reachOf(record, state.axis);
  return { ...state, position: Math.min(high, Math.max(low, wanted)) };
}

/** What the current stage did, in one sentence with its numbers. */
export function captionOf(record, state) {
  const stage = record.facts.stages[state.step];
  if (stage.name === "head") return `${stage.words}; ${expressionWords(record, state)}.`;
  if (stage.name !== "distance") return stage.words;
  const { least, greatest } = sliceOf(record, state);
  const where = `The signed distance of the head on the plane ${state.axis} = ${length(state.position)} runs from ${length(least)} to ${length(greatest)}`;
  return `${where}; ${cursorWords(record, state)}.`;
}

function expressionWords(record, state) {
  const strongest = strongestOf(record, state);
  if (strongest === null) return "all expressions are at 0";
  const [name, weight] = strongest;
  return `the strongest is ${words(name)} ${number(weight, 2)}, and the expression moves vertices by up to ${length(farthestMove(record, state))}`;
}

function cursorWords(record, { cursor }) {
  if (cursor === null) return "a click on the slice tells it at a place";
  const place = cursor.map((value) => number(value)).join(", ");
  const distance = distanceAt(record, cursor);
  if (distance === null) return `the cursor (${place}) m lies outside of the samples`;
  return `at the cursor (${place}) m it is ${length(distance)}, ${distance < 0 ? "inside" : "outside"}`;
}

/** The values that are drawn now, plain. */
export function numbersOf(record, state) {
  const made = {
    stage: stageOf(record, state),
    strongest: strongestOf(record, state),
    moved: farthestMove(record, state),
    distance: distanceAt(record, state.cursor),
    slice: null,
  };
  if (record.facts.field !== null) {
    const { least, greatest } = sliceOf(record, state);
    made.slice = { position: state.position, least, greatest };
  }
  return made;
}

/** How the head is painted: as chosen, or as fits the stage. */
export function surfaceName(record, state) {
  const fits = [...EARLY, "fit"].includes(stageOf(record, state)) ? "plain" : "texture";
  const wanted = state.surface === "auto" ? fits : state.surface;
  const has = wanted === "plain" || wanted === "wireframe" || ("uv" in record.arrays && wanted in record.arrays);
  return has ? wanted : "plain";
}

/** What of the photograph is shown: left, top, right, bottom in its pixels. */
export function viewBox({ facts }, stage) {
  if (stage === "photograph" || stage === "face") return [0, 0, ...facts.size];
  if (!["landmarks", "fit"].includes(stage) || facts.face === null) return facts.window;
  const [x0, y0, x1, y1] = facts.face;
  const half = 0.65 * Math.max(x1 - x0, y1 - y0);
  const [x, y] = [(x0 + x1) / 2, (y0 + y1) / 2];
  return [x - half, y - half, x + half, y + half];
}
