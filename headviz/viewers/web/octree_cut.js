// A plane through an octree: which cells it passes, where it meets the surface, and the 2-D panel that shows both.

import { cornersOf, levelOf, placeOf, treeOf } from "./subdivisions.js";
import { isDropped, paintContour, paintLost, paintSelected, paintSquares } from "./subdivision_marks.js";

/** Per fixed axis, which coordinates run to the right and up: a head cut at x faces right. */
export const KEPT = { x: [2, 1], y: [0, 2], z: [0, 1] };
/** Per axis, which side of the plane is taken away, so that the cut is seen as the panel shows it. */
export const TAKEN = { x: -1, y: 1, z: 1 };
export const AXES = ["x", "y", "z"];

/** Where the plane of a state cuts, in lattice steps. */
export function planeOf({ facts: { lattice } }, state) {
  return (state.position - lattice.origin[AXES.indexOf(state.axis)]) / lattice.spacing;
}

/** Calls `use(place, depth)` for the cells at a step that the plane passes. */
function eachPassed(record, state, use) {
  const tree = treeOf(record, state.prune);
  const axis = AXES.indexOf(state.axis);
  const plane = planeOf(record, state);
  const level = levelOf(tree, state);
  tree.levels.slice(0, level + 1).forEach(({ first, count, size }, depth) => {
    for (let n = first; n < first + count; n += 1) {
      const low = tree.cells[3 * n + axis];
      if (low <= plane && plane < low + size && (depth === level || isDropped(tree.reasons[n]))) use(n, depth);
    }
  });
}

/** How many cells the plane passes. */
export function passedBy(record, state) {
  let passed = 0;
  eachPassed(record, state, () => (passed += 1));
  return passed;
}

/** The squares of these cells, for the panel. */
export function squaresOf(record, state) {
  const tree = treeOf(record, state.prune);
  const level = levelOf(tree, state);
  const [u, v] = KEPT[state.axis];
  const squares = [];
  eachPassed(record, state, (n, depth) => {
    const { size } = tree.levels[depth];
    const [low, high] = cornersOf(record, tree, [depth, ...[0, 1, 2].map((k) => tree.cells[3 * n + k] / size)]);
    squares.push({ box: [low[u], low[v], high[u], high[v]], reason: tree.reasons[n], now: depth === level, inside: tree.inside[n] > 0 });
  });
  return squares;
}

/** Where a plane meets a mesh: flat array of x, y, z of both ends per segment. */
export function sectionOf(vertices, faces, axis, position) {
  const found = [];
  const cross = (a, b) => {
    const [from, to] = [vertices[3 * a + axis] - position, vertices[3 * b + axis] - position];
    const part = from / (from - to);
    for (let k = 0; k < 3; k += 1) found.push(k === axis ? position : vertices[3 * a + k] + part * (vertices[3 * b + k] - vertices[3 * a + k]));
  };
  for (let f = 0; f < faces.length; f += 3) {
    const corners = [faces[f], faces[f + 1], faces[f + 2]];
    const above = corners.map((n) => vertices[3 * n + axis] >= position);
    if (above[0] === above[1] && above[1] === above[2]) continue;
    for (let k = 0; k < 3; k += 1) if (above[k] !== above[(k + 1) % 3]) cross(corners[k], corners[(k + 1) % 3]);
  }
  return found;
}

/** Lost cells that the plane passes, piece by piece, as places of the panel. */
function lostPieces(record, state) {
  const { lattice } = record.facts;
  const tree = treeOf(record, state.prune);
  const axis = AXES.indexOf(state.axis);
  const plane = planeOf(record, state);
  const pieces = new Map();
  for (let n = 0; n < tree.lost_part.length; n += 1) {
    const low = tree.lost[3 * n + axis];
    if (tree.lost_level[n] > levelOf(tree, state) || !(low <= plane && plane < low + 1)) continue;
    if (!pieces.has(tree.lost_part[n])) pieces.set(tree.lost_part[n], []);
    pieces.get(tree.lost_part[n]).push(KEPT[state.axis].map((k) => lattice.origin[k] + lattice.spacing * (tree.lost[3 * n + k] + 0.5)));
  }
  return [...pieces.values()];
}

/** The box of the panel for an axis, with some room around. */
function boxOf({ facts: { lattice } }, axis) {
  const [low, high] = [0, 1].map((end) => KEPT[axis].map((k) => lattice.origin[k] + end * lattice.spacing * lattice.cells[k]));
  const edge = 0.02 * Math.max(high[0] - low[0], high[1] - low[1]);
  return [low[0] - edge, low[1] - edge, high[0] + edge, high[1] + edge];
}

/** Adds the 2-D panel; `update(state, section)` draws it anew. */
export function cutPanel(shell, options) {
  const { record } = shell;
  let drawn = { squares: [], pieces: [], section: [] };
  let axis = shell.state.axis;
  const named = () => KEPT[axis].map((k) => AXES[k]);
  const panel = shell.plane({
    label: "The cut through the octree. Click a cell to select it.", box: boxOf(record, axis), axes: named(), title: "The cut",
    paint: (plane) => paintCut(plane, record, shell.state, drawn), ...options,
  });
  panel.onPointer({
    down: ([x, y]) => {
      const point = [0, 0, 0];
      point[AXES.indexOf(axis)] = shell.state.position;
      KEPT[axis].forEach((k, n) => (point[k] = [x, y][n]));
      shell.point(point);
    },
  });
  const update = (state, section) => {
    if (state.axis !== axis) {
      axis = state.axis;
      panel.home = boxOf(record, axis);
      panel.axes = named();
      panel.show(panel.home);
    }
    const [u, v] = KEPT[axis];
    const flat = [];
    for (let k = 0; k < section.length; k += 3) flat.push(section[k + u], section[k + v]);
    drawn = { squares: squaresOf(record, state), pieces: lostPieces(record, state), section: flat };
    panel.draw();
  };
  return { panel, update };
}

function paintCut(plane, record, state, { squares, pieces, section }) {
  const tree = treeOf(record, state.prune);
  const done = state.step >= tree.levels.length;
  paintSquares(plane, squares, state, { calm: done });
  if (state.surface) paintContour(plane, section, !done);
  if (state.lost) paintLost(plane, pieces, record.facts.lattice.spacing);
  if (state.cell === null || placeOf(tree, state.cell) < 0) return;
  const [low, high] = cornersOf(record, tree, state.cell);
  const axis = AXES.indexOf(state.axis);
  if (state.position < low[axis] || state.position > high[axis]) return;
  const [u, v] = KEPT[state.axis];
  paintSelected(plane, [low[u], low[v], high[u], high[v]], null, null);
}
