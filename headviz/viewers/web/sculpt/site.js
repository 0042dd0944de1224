// Where a keypoint sits on the surface: on a face, so that it goes where the face goes. headviz/sculpt/surface.py does the same.

/**
 * The place of the base that is nearest to a position, among the faces around the nearest vertex.
 *
 * @param {object} surface - a Surface
 * @param {number[]} position - metres
 * @returns {{ position: number[], corners: number[], weights: number[], off: number[] }} off: from the place to the position
 */
export function siteOf({ base, first, pairs }, position) {
  const vertex = nearestOf(base, position);
  let found = { corners: [vertex, vertex, vertex], weights: [1, 0, 0], apart: Infinity };
  for (let at = 2 * first[vertex]; at < 2 * first[vertex + 1]; at += 2) {
    const corners = [vertex, pairs[at], pairs[at + 1]];
    const weights = weightsOf(base, corners, position);
    const apart = Math.hypot(...blend(base, corners, weights).map((value, axis) => value - position[axis]));
    if (apart < found.apart) found = { corners, weights, apart };
  }
  const { corners, weights } = found;
  const place = blend(base, corners, weights);
  return { position, corners, weights, off: position.map((value, axis) => value - place[axis]) };
}

/** The sum of three vertices' values xyz, weighted. */
export function blend(values, corners, weights) {
  return [0, 1, 2].map((axis) => corners.reduce((sum, corner, k) => sum + weights[k] * values[3 * corner + axis], 0));
}

function nearestOf(base, [x, y, z]) {
  let [nearest, vertex] = [Infinity, 0];
  for (let k = 0; k < base.length; k += 3) {
    const squared = (base[k] - x) ** 2 + (base[k + 1] - y) ** 2 + (base[k + 2] - z) ** 2;
    if (squared < nearest) [nearest, vertex] = [squared, k / 3];
  }
  return vertex;
}

/** Weights of the point of a triangle that is nearest to a position; outside, clamped and shared out again. */
function weightsOf(base, [a, b, c], position) {
  const from = (i) => [0, 1, 2].map((axis) => base[3 * i + axis] - base[3 * a + axis]);
  const dot = (p, q) => p[0] * q[0] + p[1] * q[1] + p[2] * q[2];
  const [u, v, w] = [from(b), from(c), position.map((value, axis) => value - base[3 * a + axis])];
  const [uu, uv, vv, wu, wv] = [dot(u, u), dot(u, v), dot(v, v), dot(w, u), dot(w, v)];
  const area = uu * vv - uv * uv;
  if (!(area > 0)) return [1, 0, 0];
  const [s, t] = [(vv * wu - uv * wv) / area, (uu * wv - uv * wu) / area];
  const inside = [1 - s - t, s, t].map((weight) => Math.max(0, Math.min(1, weight)));
  const sum = inside[0] + inside[1] + inside[2];
  return inside.map((weight) => weight / sum);
}
