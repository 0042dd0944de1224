// What is shown of a rendering, as pure functions of the record and the state: the same as headviz/viewers/rendering.py.

import { directionOf, pointAt } from "./trace_ray.js";

const AXES = ["x", "y", "z"];

export const stageOf = ({ facts }, { step }) => facts.stages[step].name;

/** What can change when a vertex moves: there may be no soft mask. */
export const ofOf = ({ arrays }) => (arrays.soft_mask ? ["picture", "soft mask"] : ["picture"]);

/** Which of the two chosen pixels a stage is about: "pixel" or "beside". */
export function chosenOf(record, state) {
  const stage = stageOf(record, state);
  return stage === "soft_mask" || (stage === "gradient" && state.of === "soft mask") ? "beside" : "pixel";
}

export const pixelOf = (record, state) => state[chosenOf(record, state)];

/** The vertex that is moved, as the record's facts have it; undefined where there is none. */
export const vertexOf = ({ facts }, { vertex }) => facts.vertices.find(({ name }) => name === vertex) ?? facts.vertices[0];

const rowOf = ({ facts }, [column, row]) => row * facts.camera.width + column;

/** The values of an array at a pixel; null where the record does not have it. */
function valuesAt({ arrays }, name, number) {
  if (!arrays[name]) return null;
  const size = arrays[name].shape[2] ?? 1;
  const found = Array.from(arrays[name].data.subarray(number * size, (number + 1) * size));
  return arrays[name].shape.length === 3 ? found : found[0];
}

/** First and last + 1, among the pairs that are kept, of the faces that make the soft mask of a pixel, the strongest first. */
export function pairsOf(record, pixel) {
  const first = record.arrays.pair_first.data;
  const number = rowOf(record, pixel);
  return [first[number], first[number + 1]];
}

/** Pixels that the vertex changes along the axis: [number of the pixel, entry of the signed scale, row], … */
export function changedOf(record, state) {
  const vertex = vertexOf(record, state);
  if (!vertex) return [];
  const { arrays, facts } = record;
  const [first, place] = [arrays.change_first.data, facts.vertices.indexOf(vertex)];
  const [axis, of] = [AXES.indexOf(state.axis), ofOf(record).indexOf(state.of)];
  const found = [];
  for (let row = first[place]; row < first[place + 1]; row += 1) {
    if (changeAt(record, state, row).some((value) => value !== 0)) found.push([arrays.change_pixel.data[row], arrays.change_code.data[6 * row + 3 * of + axis], row]);
  }
  return found;
}

/** The change per millimetre in one row: of red, green and blue, or of the soft mask. */
function changeAt({ arrays }, { axis, of }, row) {
  const place = 3 * row + AXES.indexOf(axis);
  return of === "picture" ? Array.from(arrays.change_picture.data.subarray(3 * place, 3 * place + 3)) : [arrays.change_mask.data[place]];
}

/** The point that a pixel sees, metres; null beside the mesh. */
export function positionOf(record, pixel) {
  const depth = record.arrays.depth.data[rowOf(record, pixel)];
  return Number.isFinite(depth) ? pointAt(record, directionOf(record, pixel), depth) : null;
}

/** What the pixel knows, whichever stage is shown; null for what it does not have. */
export function numbersOf(record, state) {
  const { arrays } = record;
  const pixel = [...pixelOf(record, state)];
  const number = rowOf(record, pixel);
  const face = arrays.face.data[number];
  const covered = face >= 0;
  const value = (name) => valuesAt(record, name, number);
  const seen = (name) => (covered ? value(name) : null);
  const [from, to] = pairsOf(record, pixel);
  const strongest = (name) => (to > from ? arrays[name].data[from] : null);
  const changed = changedOf(record, state);
  const own = changed.find(([other]) => other === number);
  return {
    stage: stageOf(record, state), pixel, covered, face: covered ? face : null, faces_met: arrays.layers.data[number],
    corners: covered ? Array.from(arrays.faces.data.subarray(3 * face, 3 * face + 3)) : null,
    weights: seen("weights"), depth: seen("depth"), normal: seen("normal"), uv: seen("uv"), color: seen("color"),
    light: seen("light"), highlight: seen("highlight"),
    picture: value("picture"), soft_mask: value("soft_mask"), contributing: arrays.contributing.data[number],
    strongest_face: strongest("pair_face"), strongest_distance: strongest("pair_distance"), strongest_probability: strongest("pair_probability"),
    vertex: vertexOf(record, state)?.name ?? null, axis: state.axis, of: state.of,
    change: own ? changeAt(record, state, own[2]) : null, changed: changed.length, pixels: arrays.face.data.length,
    position: positionOf(record, pixel),
  };
}

/** A new state; another vertex brings a pixel that it changes, another pixel moves the cursor to what it sees. */
export function update(record, state, changes) {
  const { camera, stages } = record.facts;
  const next = { ...state, ...changes };
  next.step = Math.max(0, Math.min(stages.length - 1, Math.round(Number(next.step) || 0)));
  const where = next.of === "picture" ? "pixel" : "beside";
  if ((next.vertex !== state.vertex || next.of !== state.of) && !(where in changes)) next[where] = vertexOf(record, next)?.[where] ?? next[where];
  const inside = (value, size) => Math.max(0, Math.min(size - 1, Math.floor(value)));
  for (const name of ["pixel", "beside"]) next[name] = [inside(next[name][0], camera.width), inside(next[name][1], camera.height)];
  const [before, now] = [pixelOf(record, state), pixelOf(record, next)];
  if (now.some((side, k) => side !== before[k]) && !("cursor" in changes)) next.cursor = positionOf(record, now);
  return next;
}
