// Keypoints of a session and what they move; headviz/sculpt/layers.py has the same.

import { Handle } from "./brushes.js";
import { cardinalOf } from "./exact.js";
import { weightsOf } from "./rbf.js";

const LEAST = 1e-7; // what a smaller part of the vector moves, single precision hardly sees

/** What one keypoint moves per unit of its vector, all others staying as they are. */
export function keypointHandle(bench, { keypoints, exact }, index) {
  const { surface } = bench;
  const wx = new Float32Array(surface.count);
  const wyz = new Float32Array(surface.count);
  if (exact) cardinalOf(surface, keypoints, index, wx, wyz);
  else weightsOf(surface, keypoints[index], wx, wyz);
  const indices = new Int32Array(surface.count);
  let size = 0;
  for (let i = 0; i < surface.count; i += 1) {
    if (Math.abs(wx[i]) <= LEAST && Math.abs(wyz[i]) <= LEAST) continue;
    indices[size] = i;
    wx[size] = wx[i];
    wyz[size] = wyz[i];
    size += 1;
  }
  return new Handle(bench, indices.slice(0, size), wx.slice(0, size), wyz.slice(0, size));
}

/** A keypoint without its vector: what its weights depend on. */
const siteOf = ({ position, kernel, alpha, strength, symmetric }) => JSON.stringify([position, kernel, alpha, strength, symmetric]);

/**
 * Positions − what the old keypoints did + what the new ones do, with normals. Keypoints of which only the vector changes
 * move by the difference, as they do while they are dragged.
 *
 * @returns {Handle[]} what was moved
 */
export function setKeypoints(bench, settings, { keypoints, exact = false }) {
  const old = settings.keypoints;
  const now = { keypoints, exact };
  const same = old.length === keypoints.length && settings.exact === exact;
  let still = keypoints.map((keypoint, k) => same && siteOf(keypoint) === siteOf(old[k]));
  if (exact || settings.exact) still = still.map(() => still.every(Boolean)); // every weight depends on all sites
  const moved = [];
  const push = (from, index, vector) => {
    if (vector.every((value) => value === 0)) return;
    const handle = keypointHandle(bench, from, index);
    handle.move(...vector.map(Math.fround));
    moved.push(handle);
  };
  old.forEach(({ vector }, k) => still[k] || push(settings, k, vector.map((value) => -value)));
  keypoints.forEach(({ vector }, k) => push(now, k, still[k] ? vector.map((value, axis) => value - old[k].vector[axis]) : vector));
  return moved;
}
