// Ray marching in constant steps. Source: headviz/geometry/fixed_steps.py.

import { LOOK, Ray, STATUS } from "./rays.js";

const MOST_STEPS = 2 ** 20; // more along one ray are taken for a mistake

/**
 * Looks at a constant distance until the field is no longer positive, then bisections of the last step:
 * headviz.geometry.fixed_steps for one ray. A hit is the last place that was seen to be at or beyond the surface, so it
 * is behind the first sign change by at most step / 2^refine; a surface that is entered and left between two looks is
 * not seen.
 *
 * @param {import("./rays.js").Field} field negative inside; its Lipschitz bound is not used
 * @param {number[]} origin metres, 2 or 3 coordinates
 * @param {number[]} direction of any length but 0
 * @param {{step: number, near?: number, far?: number, refine?: number}} options step in metres; near and far in units of
 *   the direction's length; refine is the number of bisections
 * @returns {import("./rays.js").RayAnswer}
 * @throws {RangeError} the ray or a setting cannot be used
 */
export function fixedSteps(field, origin, direction, { near = 0, far = Infinity, step, refine = 0 }) {
  if (!(step > 0 && step < Infinity)) throw new RangeError(`step should be positive and finite, in metres; it is ${step}`);
  if (!(refine >= 0)) throw new RangeError(`refine should be at least 0 bisections; it is ${refine}`);
  const ray = new Ray(field, origin, direction, { near, far });
  if (ray.empty) return ray.answer({ status: STATUS.MISSED, at: ray.end, value: NaN });
  return ray.answer(firstBeyond(ray, step, refine, (at, kind) => ray.look(at, kind)));
}

/**
 * The search itself, by any way to look: where a ray ends, how, and the field there.
 *
 * @param {Ray} ray not empty
 * @param {number} step metres
 * @param {number} refine bisections
 * @param {(at: number, kind: number) => number} look the field at a parameter in metres
 * @returns {{status: number, at: number, value: number}}
 */
export function firstBeyond(ray, step, refine, look) {
  const { start, end } = ray;
  if ((end - start) / step > MOST_STEPS) {
    throw new RangeError(`a ray should take at most ${MOST_STEPS} steps; ${end - start} m in steps of ${step} m are more`);
  }
  for (let k = 0; ; k += 1) {
    const at = Math.min(start + k * step, end);
    const value = look(at, LOOK.MARCH);
    if (value <= 0) {
      const found = k === 0 ? { at, value } : bisect(start + (k - 1) * step, at, value, refine, look);
      return { status: STATUS.HIT, ...found };
    }
    if (at >= end) return { status: STATUS.MISSED, at: end, value };
  }
}

function bisect(low, high, value, count, look) {
  for (let k = 0; k < count; k += 1) {
    const middle = (low + high) / 2;
    const found = look(middle, LOOK.SECANT);
    if (found <= 0) [high, value] = [middle, found];
    else low = middle;
  }
  return { at: high, value };
}
