// Which cell of an octree lies under a ray: on the cut, on the surface, or the nearest box that is drawn.

import { AXES, TAKEN, planeOf } from "./octree_cut.js";
import { deepestAt, levelOf, treeOf } from "./subdivisions.js";

/**
 * What a click changes, { cursor } or { cursor, cell }, or null beside everything.
 *
 * @param {object} record
 * @param {object} state
 * @param {Boxes} boxes - of the tree that is shown
 * @param {THREE.Ray} ray - metres
 * @param {number} surface - distance along the ray to the surface, or Infinity
 */
export function pickCell(record, state, boxes, ray, surface) {
  const { origin, direction } = ray;
  const [from, way] = [origin.toArray(), direction.toArray()];
  const at = (distance) => from.map((x, k) => x + distance * way[k]);
  const tree = treeOf(record, state.prune);
  const level = levelOf(tree, state);
  const nearest = { distance: Math.min(surface, onCut(record, state, tree, level, from, way)), cell: null };
  if (!Number.isFinite(nearest.distance)) nearest.cell = nearestBox(record, state, boxes, from, way);
  if (nearest.cell !== null) return { cell: nearest.cell };
  if (!Number.isFinite(nearest.distance)) return null;
  const point = at(nearest.distance);
  if (nearest.distance < surface) point[AXES.indexOf(state.axis)] = state.position; // exactly in the plane
  return { cursor: point };
}

/** Distance to the plane, where there is a cell of it. */
function onCut(record, state, tree, level, from, way) {
  const axis = AXES.indexOf(state.axis);
  if (!state.cut || Math.abs(way[axis]) < 1e-9) return Infinity;
  const distance = (state.position - from[axis]) / way[axis];
  if (!(distance > 0)) return Infinity;
  const point = from.map((x, k) => (k === axis ? state.position : x + distance * way[k]));
  return deepestAt(record, tree, point, level) === null ? Infinity : distance;
}

/** The nearest box of those that are drawn as wires, as [level, i, j, k], or null. */
function nearestBox(record, state, boxes, from, way) {
  const { origin, spacing, cells: limit } = record.facts.lattice;
  const plane = planeOf(record, state);
  const axis = AXES.indexOf(state.axis);
  const start = from.map((x, k) => (x - origin[k]) / spacing);
  let best = { enter: Infinity, cell: null };
  for (const { wires, cells, size, depth } of boxes.sets) {
    if (!wires?.visible) continue;
    for (let n = 0; n < cells.length; n += 4) {
      const [low, high] = [cells[n + axis], Math.min(cells[n + axis] + size, limit[axis])];
      if (state.cut && (TAKEN[state.axis] > 0 ? low >= plane : high <= plane)) continue;
      const enter = entry(start, way, cells, n, size, limit);
      if (enter < best.enter) best = { enter, cell: [depth, cells[n] / size, cells[n + 1] / size, cells[n + 2] / size] };
    }
  }
  return best.cell;
}

function entry(start, way, cells, n, size, limit) {
  let [enter, leave] = [0, Infinity];
  for (let k = 0; k < 3; k += 1) {
    const low = (cells[n + k] - start[k]) / way[k];
    const high = (Math.min(cells[n + k] + size, limit[k]) - start[k]) / way[k];
    enter = Math.max(enter, Math.min(low, high));
    leave = Math.min(leave, Math.max(low, high));
  }
  return enter < leave ? enter : Infinity;
}
