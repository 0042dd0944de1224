// Numbers about contours and rays that pages show. Source: headviz/geometry/polylines.py, fixed_steps.py.

import { firstBeyond } from "./fixed_steps.js";
import { Ray, STATUS } from "./rays.js";

/**
 * Length of each polyline, in the points' units.
 *
 * @param {ArrayLike<number>} points (x, y), shape (n, 2)
 * @param {ArrayLike<number>[]} polylines point indices in order
 * @returns {number[]}
 */
export function polylineLengths(points, polylines) {
  return polylines.map((line) => {
    let sum = 0;
    for (let k = 0; k + 1 < line.length; k += 1) {
      const [a, b] = [2 * line[k], 2 * line[k + 1]];
      sum += Math.hypot(points[b] - points[a], points[b + 1] - points[a + 1]);
    }
    return sum;
  });
}

/**
 * Signed area inside each closed polyline, in squares of the points' units: positive around an inside region, negative
 * around a hole, NaN for open polylines. Gauss's formula, relative to the line's own first point.
 *
 * @param {ArrayLike<number>} points (x, y), shape (n, 2)
 * @param {ArrayLike<number>[]} polylines point indices in order
 * @param {boolean[]} closed which of them are closed
 * @returns {number[]}
 */
export function polylineAreas(points, polylines, closed) {
  return polylines.map((line, which) => {
    if (!closed[which]) return NaN;
    const [x, y] = [points[2 * line[0]], points[2 * line[0] + 1]];
    let sum = 0;
    for (let k = 0; k + 1 < line.length; k += 1) {
      const [a, b] = [2 * line[k], 2 * line[k + 1]];
      sum += ((points[a] - x) * (points[b + 1] - y) - (points[a + 1] - y) * (points[b] - x)) / 2;
    }
    return sum;
  });
}

/**
 * The true first root of a field on a ray, against which errors are measured: the first sign change between dense samples,
 * bisected to 10⁻¹² m or as far as numbers go. A surface that is entered and left between two samples is not seen.
 *
 * @param {import("./rays.js").Field} field negative inside
 * @param {number[]} origin metres, 2 or 3 coordinates
 * @param {number[]} direction of any length but 0
 * @param {{near?: number, far?: number, samples?: number}} [options] near and far in units of the direction's length, and
 *   into how many parts the ray is divided inside the field's bounds
 * @returns {{t: number, point: number[]}|null} in units of the direction's length, and in metres; null if there is none. A
 *   ray that starts inside has it where it starts.
 */
export function trueRoot(field, origin, direction, { near = 0, far = Infinity, samples = 4096 } = {}) {
  const ray = new Ray(field, origin, direction, { near, far });
  if (ray.empty) return null;
  const step = (ray.end - ray.start) / samples;
  const halvings = Math.max(0, Math.ceil(Math.log2(step / 1e-12)));
  const found = firstBeyond(ray, step, halvings, (at) => ray.value(at));
  if (found.status !== STATUS.HIT) return null;
  const { t, point } = ray.answer(found);
  return { t, point };
}
