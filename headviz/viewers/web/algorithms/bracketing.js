// The first sign change of a field along a ray, by samples and secants. Source: headviz/geometry/bracket.py, fixed_steps.py.

import { LOOK, Ray, STATUS } from "./rays.js";

/**
 * The first sign change that samples show in an interval of a ray, narrowed down by the regula falsi with the Illinois
 * rule (an end that does not move counts half), after IDR (L. Yariv et al., NeurIPS 2020, appendix).
 *
 * @param {Ray} ray
 * @param {{low: number, lowValue: number, high: number, highValue: number}} interval parameters in metres, and the field
 *   there; lowValue > 0, highValue may be NaN
 * @param {{samples: number, secant: number}} settings parts of the interval, and steps of the regula falsi
 * @param {number} tolerance of the field's value, at which the steps end, metres
 * @returns {{at: number, value: number}|null} the estimate and the field there, or null without a sign change
 */
export function firstRoot(ray, interval, { samples, secant }, tolerance) {
  let found = firstChange(ray, interval, samples);
  if (found === null) return null;
  let [at, value] = [found.high, found.highValue];
  let [weightLow, weightHigh, last] = [1, 1, 0];
  for (let k = 0; k < secant && Math.abs(value) > tolerance; k += 1) {
    const [low, high] = [found.lowValue * weightLow, -found.highValue * weightHigh];
    at = found.low + (found.high - found.low) * (low / (low + high));
    value = ray.look(at, LOOK.SECANT);
    const moved = value <= 0 ? 1 : -1; // 1 where the high end moves
    found = moved > 0 ? { ...found, high: at, highValue: value } : { ...found, low: at, lowValue: value };
    const stays = moved === last ? 0.5 : 1;
    [weightLow, weightHigh] = moved > 0 ? [weightLow * stays, 1] : [1, weightHigh * stays];
    last = moved;
  }
  return { at, value };
}

/** The first part of an interval at whose ends the signs differ, or null. */
function firstChange(ray, { low: first, lowValue, high }, samples) {
  const width = (high - first) / samples;
  let low = first;
  for (let k = 1; k <= samples; k += 1) {
    const at = k === samples ? high : first + k * width;
    const value = ray.look(at, LOOK.SAMPLE);
    if (value <= 0) return { low, lowValue, high: at, highValue: value };
    [low, lowValue] = [at, value];
  }
  return null;
}

/** Refuses settings that bracketing cannot use; returns them complete. */
export function checkedBracketing({ samples = 100, secant = 8, misses = false } = {}) {
  if (!(samples >= 1 && secant >= 0)) {
    throw new RangeError(`bracketing should take at least 1 sample and 0 secant steps; they are ${samples}, ${secant}`);
  }
  return { samples, secant, misses };
}

/** Refuses a tolerance that is not positive and finite. */
export function checkTolerance(tolerance) {
  if (!(tolerance > 0 && tolerance < Infinity)) throw new RangeError(`tolerance should be positive and finite; it is ${tolerance}`);
}

/**
 * Samples over the whole ray and secant steps in the first sign change: headviz.geometry.bracket_rays for one ray.
 *
 * @param {import("./rays.js").Field} field negative inside; its Lipschitz bound is not used
 * @param {number[]} origin metres, 2 or 3 coordinates
 * @param {number[]} direction of any length but 0
 * @param {{near?: number, far?: number, samples?: number, secant?: number, tolerance?: number}} [options] near and far in
 *   units of the direction's length, tolerance in metres
 * @returns {import("./rays.js").RayAnswer} its value is NaN unless the ray hit
 * @throws {RangeError} the ray or a setting cannot be used
 */
export function bracketing(field, origin, direction, { near = 0, far = Infinity, samples = 100, secant = 8, tolerance = 1e-4 } = {}) {
  const settings = checkedBracketing({ samples, secant });
  checkTolerance(tolerance);
  const ray = new Ray(field, origin, direction, { near, far, padding: tolerance });
  const missed = { status: STATUS.MISSED, at: ray.end, value: NaN };
  if (ray.empty) return ray.answer(missed);
  const value = ray.look(ray.start);
  if (value <= tolerance) return ray.answer({ status: STATUS.HIT, at: ray.start, value });
  const root = firstRoot(ray, { low: ray.start, lowValue: value, high: ray.end, highValue: NaN }, settings, tolerance);
  return ray.answer(root === null ? missed : { status: STATUS.HIT, ...root });
}
