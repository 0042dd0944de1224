// Sphere tracing of one ray: the looks of headviz.geometry.sphere_trace, in the browser. Source: headviz/geometry/trace.py.

import { checkTolerance, checkedBracketing, firstRoot } from "./bracketing.js";
import { firstEvent, planAhead } from "./look_ahead.js";
import { Ray, STATUS } from "./rays.js";

export { bracketing } from "./bracketing.js";
export { fixedSteps } from "./fixed_steps.js";
export { LOOK, STATUS } from "./rays.js";

/** The relaxation that follows the field's slope along the ray (C. Bálint and G. Valasek, Eurographics 2018). */
export const ADAPTIVE = "adaptive";
const [TRUST, STEEPEST] = [0.9, 0.9]; // how far it trusts the slope, and the steepest rise that it counts on
const MOST_AHEAD = 8; // looks at once

/**
 * Where a ray first meets the surface, and every look on the way: J. Hart, "Sphere tracing", The Visual Computer 12,
 * 1996; over-relaxed (B. Keinert et al., STAG 2014) or adaptive (Bálint and Valasek).
 *
 * @param {import("./rays.js").Field} field negative inside
 * @param {number[]} origin metres, 2 or 3 coordinates
 * @param {number[]} direction of any length but 0: t is in units of it
 * @param {object} [options]
 * @param {number} [options.near] where t begins
 * @param {number} [options.far] where t ends; may be infinite, since the ray ends with the field's bounds
 * @param {number} [options.maxSteps] moves of the ray; it is looked at once more after the last
 * @param {number} [options.tolerance] of the field's value, metres
 * @param {number|"adaptive"} [options.relaxation] how many radii far a step goes, in [1, 2)
 * @param {number} [options.lipschitz] the bound that steps rely on; the field's by default. One that is too small makes
 *   steps that end beyond the surface, which are told as `oversteps`.
 * @param {boolean} [options.backward] walk from far to near
 * @param {{samples?: number, secant?: number, misses?: boolean}} [options.bracketing] how the ray is searched after an
 *   over-step or without steps left; by default it is not
 * @returns {import("./rays.js").RayAnswer}
 * @throws {RangeError} the ray or a setting cannot be used
 */
export function sphereTrace(field, origin, direction, options = {}) {
  const { near = 0, far = Infinity, backward = false, ...rest } = options;
  const settings = checkedSettings(rest, field);
  const ray = new Ray(field, origin, direction, { near, far, padding: settings.tolerance, backward });
  if (ray.empty) return ray.answer({ status: STATUS.MISSED, at: ray.end, value: NaN }, settings.lipschitz);
  const { interval, ...found } = new March(ray, settings).run();
  const root = interval === null ? null : firstRoot(ray, interval, settings.bracketing, settings.tolerance);
  return ray.answer(root === null ? found : { status: STATUS.HIT, ...root }, settings.lipschitz);
}

function checkedSettings({ maxSteps = 128, tolerance = 1e-4, relaxation = 1, lipschitz, bracketing = null }, field) {
  const bound = lipschitz ?? field.lipschitz;
  if (!(maxSteps >= 1)) throw new RangeError(`maxSteps should be at least 1; it is ${maxSteps}`);
  checkTolerance(tolerance);
  if (relaxation !== ADAPTIVE && !(relaxation >= 1 && relaxation < 2)) {
    throw new RangeError(`relaxation should be in [1, 2) or "${ADAPTIVE}"; it is ${relaxation}`);
  }
  if (!(bound > 0 && bound < Infinity)) throw new RangeError(`lipschitz should be positive and finite; it is ${bound}`);
  return { maxSteps, tolerance, relaxation, lipschitz: bound, bracketing: bracketing && checkedBracketing(bracketing) };
}

/** One walk. Parameters are metres along it; `reach` is up to where the last accepted look has shown the ray to be free. */
class March {
  constructor(ray, settings) {
    Object.assign(this, { ray, ...settings });
    this.adaptive = settings.relaxation === ADAPTIVE;
    this.relaxation = this.adaptive ? 1 : settings.relaxation;
    this.at = this.reach = this.bestAt = ray.start;
    this.radius = 0; // of the free sphere around the last accepted look, which was at reach − radius
    this.best = Infinity; // the smallest |f| / |t| of the accepted looks
    this.looks = 0;
    this.firstValue = NaN;
  }

  /** The one loop. Answers how the walk ended and, with bracketing, the interval that is left to it. */
  run() {
    for (let first = true; ; first = false) {
      const value = this.#evaluate(first);
      if (first) this.firstValue = value;
      const seen = this.#look(value, first);
      this.ray.write(this.at, value, seen.gap);
      this.#accept(seen, first);
      const over = !first && this.#overstep(seen);
      if (seen.hit) return { status: STATUS.HIT, at: this.at, value, interval: null };
      if (seen.missed) return this.#missed(value);
      if (over && this.bracketing) return { status: STATUS.OUT_OF_STEPS, at: this.bestAt, value, interval: this.#upTo(this.at, value) };
      if (this.looks > this.maxSteps) return this.#givenUp();
      this.#move(seen);
    }
  }

  /** The field where the ray looks next, after as many looks ahead as adaptive tracing takes for a single ray. */
  #evaluate(first) {
    const { ray, lipschitz } = this;
    const count = this.adaptive && !first ? Math.min(MOST_AHEAD, this.maxSteps + 1 - this.looks) : 1;
    if (count < 2) {
      this.looks += 1;
      return ray.value(this.at);
    }
    const at = planAhead(this, ray.end, count, TRUST);
    const values = at.map((place) => ray.value(place));
    const radii = values.map((value) => value / lipschitz);
    const event = firstEvent(at, radii, this.reach, ray.end, this.tolerance / lipschitz);
    at.forEach((place, k) => {
      if (k === event) return;
      ray.write(place, values[k], k > event);
      if (k < event) this.#remember(place, radii[k], values[k]);
    });
    this.at = at[event];
    this.looks += event + 1;
    return values[event];
  }

  /** What a look has shown; `gap`: the spheres before and after the last step do not overlap, so it is taken back. */
  #look(value, first) {
    const radius = value / this.lipschitz;
    const gap = this.at - Math.max(radius, 0) > this.reach;
    const hit = first ? value <= this.tolerance : Math.abs(value) <= this.tolerance && !gap;
    const beyond = value < -this.tolerance && !gap;
    const missed = this.at + radius >= this.ray.end && !gap && !hit;
    return { value, radius, gap, hit, beyond, missed };
  }

  /** Remembers what the look has shown, unless it left a gap or was beyond the surface. */
  #accept({ value, radius, gap, beyond }, first) {
    if (gap || beyond) {
      this.relaxation = 1;
      return;
    }
    if (this.adaptive && !first) {
      // The slope of the radius since the accepted look before; NaN where rounding kept the ray in its place.
      const slope = (radius - this.radius) / (this.at - (this.reach - this.radius));
      const held = Number.isNaN(slope) ? -1 : Math.min(Math.max(slope, -1), STEEPEST);
      this.relaxation = 1 + (TRUST * (1 + held)) / (1 - held);
    }
    this.#remember(this.at, radius, value);
  }

  #remember(at, radius, value) {
    this.reach = at + radius;
    this.radius = radius;
    const error = Math.abs(value) / Math.max(Math.abs(at), this.tolerance);
    if (error < this.best) [this.best, this.bestAt] = [error, at];
  }

  /** Notes a step that claimed to be safe and was not. */
  #overstep({ beyond, value }) {
    const over = beyond && this.at === this.reach;
    if (over) this.ray.overstep(this.reach - this.radius, this.at, this.radius * this.lipschitz, value);
    return over;
  }

  /** The interval from the last accepted look to here. */
  #upTo(high, highValue) {
    return { low: this.reach - this.radius, lowValue: this.radius * this.lipschitz, high, highValue };
  }

  #missed(value) {
    const { start, end } = this.ray;
    const whole = { low: start, lowValue: this.firstValue, high: end, highValue: NaN };
    return { status: STATUS.MISSED, at: end, value, interval: this.bracketing?.misses ? whole : null };
  }

  #givenUp() {
    const value = this.best * Math.max(Math.abs(this.bestAt), this.tolerance);
    const interval = this.bracketing ? this.#upTo(this.ray.end, NaN) : null;
    return { status: STATUS.OUT_OF_STEPS, at: this.bestAt, value, interval };
  }

  #move({ radius, gap, beyond }) {
    if (gap) this.at = this.reach;
    else if (beyond) {
      const before = this.reach - this.radius;
      this.at = before + (this.at - before) * (this.radius / (this.radius - radius)); // the secant's estimate
    } else this.at = Math.min(this.at + this.relaxation * radius, this.ray.end);
  }
}
