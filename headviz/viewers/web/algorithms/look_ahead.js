// Several looks along a ray at once, for adaptive sphere tracing. Source: headviz/geometry/look_ahead.py.

const [SHRINKS, GROWS] = [0.25, 4]; // smallest and largest ratio of one planned radius to the one before

/**
 * Where adaptive steps would lead if the field went on as over the last step: `count` parameters, the first `at`.
 *
 * @param {{at: number, radius: number, relaxation: number}} walk the next look, the radius of the free sphere around the
 *   last, and how many radii far the last step went; metres
 * @param {number} end of the ray, metres
 * @param {number} count how many
 * @param {number} trust of the relaxation, 1 + trust (1 + slope) / (1 − slope)
 * @returns {number[]}
 */
export function planAhead({ at, radius, relaxation }, end, count, trust) {
  const quotient = (relaxation - 1) / trust;
  const slope = (quotient - 1) / (quotient + 1);
  const ratio = Math.min(Math.max(1 + slope * relaxation, SHRINKS), GROWS);
  const places = [at];
  for (let k = 1, sum = 0; k < count; k += 1) {
    sum += relaxation * radius * ratio ** k;
    places.push(Math.min(at + sum, end));
  }
  return places;
}

/**
 * Which of the places is the ray's last look: the first that settles something, else the last before a gap.
 *
 * @param {number[]} at places in the order of the walk, metres
 * @param {number[]} radius of the free spheres around them, metres
 * @param {number} reach up to where the ray is known to be free, metres
 * @param {number} end of the ray, metres
 * @param {number} near radius up to which a place is at the surface, metres
 * @returns {number}
 */
export function firstEvent(at, radius, reach, end, near) {
  const gap = (k) => at[k] - Math.max(radius[k], 0) > (k === 0 ? reach : at[k - 1] + radius[k - 1]);
  const goesOn = (k) => !gap(k) && radius[k] > near && at[k] + radius[k] < end;
  let last = 0;
  while (last < at.length - 1 && goesOn(last)) last += 1;
  return gap(last) ? Math.max(last - 1, 0) : last;
}
