// One ray as the searches walk it, and what they write down on the way. Source: headviz/geometry/rays.py, trace_recorder.py.

/** How a ray ended: the numbers of headviz.geometry.Status. */
export const STATUS = Object.freeze({ MISSED: 0, HIT: 1, OUT_OF_STEPS: 2 });

/** Why the field was evaluated: the numbers of headviz.geometry.trace_history.Look. */
export const LOOK = Object.freeze({ MARCH: 0, SAMPLE: 1, SECANT: 2 });

/**
 * What a field is here: `value` at a point given by its coordinates in metres, `bounds` the lower and upper corner of a
 * box that contains the surface, `lipschitz` an upper bound of the gradient's length. Two or three coordinates.
 * @typedef {{value: (...point: number[]) => number, bounds: number[][], lipschitz: number}} Field
 */

/**
 * One look at the field: in which step, why (LOOK), where in units of the direction's length and in metres, the field's
 * value, how far the ray went from here to the next look in metres along its walk (0 for the last), and whether the step
 * to this look was taken back, or it was looked at in advance without use.
 * @typedef {{step: number, look: number, t: number, position: number[], distance: number, moved: number,
 *   undone: boolean}} LookTaken
 */

/**
 * A step that claimed to be safe and ended beyond the surface: it led from tBefore, where the field was valueBefore > 0,
 * to tAfter, where it is valueAfter < −tolerance; found in this step.
 * @typedef {{step: number, tBefore: number, tAfter: number, valueBefore: number, valueAfter: number}} Overstep
 */

/**
 * The answer for one ray, as headviz.geometry.SphereTrace has it: status (STATUS), t and point of the hit, else of the
 * end of the ray's interval or of its best look; the field's value there; looks spent; evaluations of the field.
 * @typedef {{status: number, t: number, point: number[], value: number, steps: number, evaluations: number,
 *   oversteps: Overstep[], looks: LookTaken[], lipschitz: number}} RayAnswer
 */

/** A ray of unit direction, clipped to a box; its parameter is a length in metres, and a look at it is written down. */
export class Ray {
  /**
   * @param {Field} field negative inside
   * @param {number[]} origin metres
   * @param {number[]} direction of any length but 0
   * @param {{near: number, far: number, padding?: number, backward?: boolean}} span near and far in units of the
   *   direction's length, `padding` by how many metres the field's box grows, and whether the ray is walked from far to near
   * @throws {RangeError} the ray is not finite, has no direction, or has no end
   */
  constructor(field, origin, direction, { near, far, padding = 0, backward = false }) {
    checkRay(field, origin, direction, near, far);
    const length = direction.reduce((sum, part) => Math.hypot(sum, part), 0);
    const unit = direction.map((part) => part / length);
    const [enter, leave] = clip(origin, unit, field.bounds, padding);
    let [start, end] = [Math.max(near * length, enter), Math.min(far * length, leave)];
    if (start < end && !(Number.isFinite(start) && Number.isFinite(end))) {
      throw new RangeError("a ray should end: near and far, or the field's bounds, should be finite");
    }
    if (!(start < end)) start = end = restingPlace(near, far, backward) * length;
    const sign = backward ? -1 : 1;
    Object.assign(this, { field, origin, direction });
    this.unit = unit.map((part) => sign * part);
    this.length = sign * length;
    this.start = backward ? -end : start;
    this.end = backward ? -start : end;
    this.looks = [];
    this.oversteps = [];
  }

  /** Whether there is nothing to search. */
  get empty() {
    return !(this.start < this.end);
  }

  /** The field at a parameter, in metres along the walk. */
  value(at) {
    const { origin, unit } = this;
    if (origin.length === 2) return this.field.value(origin[0] + at * unit[0], origin[1] + at * unit[1]);
    return this.field.value(...origin.map((o, axis) => o + at * unit[axis]));
  }

  /** Writes down a look that was taken. */
  write(at, distance, undone = false, look = LOOK.MARCH) {
    const t = at / this.length;
    this.looks.push({ step: this.looks.length, look, t, position: this.#point(t), distance, moved: 0, undone });
  }

  /** Looks and writes it down. */
  look(at, kind = LOOK.MARCH) {
    const value = this.value(at);
    this.write(at, value, false, kind);
    return value;
  }

  /** Writes down that the last look was beyond the surface, although the step to it claimed to be safe. */
  overstep(before, after, valueBefore, valueAfter) {
    const [tBefore, tAfter] = [before / this.length, after / this.length];
    this.oversteps.push({ step: this.looks.length - 1, tBefore, tAfter, valueBefore, valueAfter });
  }

  /**
   * The answer, from a status, a parameter and the field's value there.
   * @returns {RayAnswer}
   */
  answer({ status, at, value }, lipschitz = this.field.lipschitz) {
    const { looks, oversteps } = this;
    const t = at / this.length;
    looks.forEach((taken, k) => (taken.moved = k + 1 < looks.length ? (looks[k + 1].t - taken.t) * this.length : 0));
    return { status, t, point: this.#point(t), value, steps: looks.length, evaluations: looks.length, oversteps, looks, lipschitz };
  }

  #point(t) {
    return this.origin.map((part, axis) => part + t * this.direction[axis]);
  }
}

function checkRay(field, origin, direction, near, far) {
  const dimension = field.bounds[0].length;
  for (const [name, given] of Object.entries({ origin, direction })) {
    if (given.length !== dimension) throw new RangeError(`${name} should have ${dimension} coordinates; it has ${given.length}`);
    if (!given.every(Number.isFinite)) throw new RangeError(`${name} should be finite; it is (${given.join(", ")})`);
  }
  if (direction.every((part) => part === 0)) throw new RangeError("direction should not be 0");
  if (!(near < far)) throw new RangeError(`near should be before far; they are ${near} and ${far}`);
}

/** Where a ray rests that has nothing to search: at the end where its walk would begin, if that is finite. */
function restingPlace(near, far, backward) {
  const [first, second] = backward ? [far, near] : [near, far];
  return [first, second, 0].find(Number.isFinite);
}

/** Where a ray enters and leaves a box: the slab method of T. Kay and J. Kajiya, SIGGRAPH 1986. */
function clip(origin, unit, [lower, upper], padding) {
  let [enter, leave] = [-Infinity, Infinity];
  unit.forEach((direction, axis) => {
    const [low, high, at] = [lower[axis] - padding, upper[axis] + padding, origin[axis]];
    if (direction === 0) {
      if (low <= at && at <= high) return;
      [enter, leave] = [Infinity, -Infinity];
      return;
    }
    const [one, other] = [(low - at) / direction, (high - at) / direction];
    enter = Math.max(enter, Math.min(one, other));
    leave = Math.min(leave, Math.max(one, other));
  });
  return [enter, leave];
}
