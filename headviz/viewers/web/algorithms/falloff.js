// How much of a brush's strength acts at a distance t = r / R from its centre; headviz/sculpt/brushes.py has the same.

const SHAPES = {
  smooth: (t) => 1 - t * t * t * (10 - 15 * t + 6 * t * t),
  wendland: (t) => (1 - t) ** 4 * (4 * t + 1),
  gaussian: (t) => Math.exp(-4 * t * t),
  sphere: (t) => Math.sqrt(1 - t * t),
  linear: (t) => 1 - t,
  sharp: (t) => (1 - t) * (1 - t),
  constant: () => 1,
};

/** Names, in the order of a menu. */
export const FALLOFFS = Object.keys(SHAPES);

/** Where a falloff ends, as a multiple of the radius. */
export const reachOf = (name) => (name === "gaussian" ? 2.04 : 1);

/** The falloff's function of t = r / R; what lies at reachOf(name) or beyond gets 0. */
export function falloffOf(name) {
  const shape = SHAPES[name];
  if (shape === undefined) throw new RangeError(`falloff should be one of ${FALLOFFS.join(", ")}; it is ${name}`);
  const reach = reachOf(name);
  return (t) => (t < reach ? shape(t) : 0);
}
