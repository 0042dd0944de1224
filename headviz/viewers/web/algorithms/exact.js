// The interpolating mode of keypoints: each goes exactly where its vector points. headviz/geometry/warp_solver.py has the
// same system, and the same way to solve it where it has several solutions or none.

import { rbf } from "./rbf.js";

const ON_PLANE = 1e-5; // keypoints nearer to x = 0 than this, in parts of their extent, lie on it
const RANK = 1e-13; // singular values below this, in parts of the largest, count as zero

/**
 * How far each vertex moves per unit by which one keypoint does while all others stay: [along x, along y and z].
 *
 * @param {{ base: Float32Array }} surface
 * @param {object[]} keypoints - of one kernel, all symmetric or none
 * @param {number} index
 * @param {Float32Array} wx - of every vertex; is filled
 * @param {Float32Array} wyz
 */
export function cardinalOf({ base }, keypoints, index, wx, wyz) {
  const system = new Warp(keypoints);
  const unit = new Float64Array(keypoints.length);
  unit[index] = 1;
  const across = system.across.solve(unit);
  const along = system.along.solve(unit);
  const row = new Float64Array(Math.max(across.length, along.length));
  for (let i = 0; i < wx.length; i += 1) {
    const point = [base[3 * i], base[3 * i + 1], base[3 * i + 2]];
    wyz[i] = dot(along, system.row(point, 1, row));
    wx[i] = system.mirrored ? dot(across, system.row(point, -1, row)) : wyz[i];
  }
}

function dot(weights, row) {
  let sum = 0;
  for (let k = 0; k < weights.length; k += 1) sum += weights[k] * row[k];
  return sum;
}

class Warp {
  constructor(keypoints) {
    this.keypoints = keypoints;
    this.kernel = keypoints[0].kernel;
    this.mirrored = keypoints[0].symmetric;
    const places = keypoints.map(({ position }) => position);
    this.center = [0, 1, 2].map((axis) => places.reduce((sum, place) => sum + place[axis], 0) / places.length);
    if (this.mirrored) this.center[0] = 0;
    const reach = Math.max(...places.map((place) => Math.hypot(...place.map((value, axis) => value - this.center[axis]))));
    this.scale = reach || 1;
    const held = places.map(([x]) => this.mirrored && Math.abs(x) <= ON_PLANE * reach);
    const rows = (side) => places.map((place) => Array.from(this.row(place, side, [])));
    this.along = new System(rows(1), held.map(() => false));
    this.across = this.mirrored ? new System(rows(-1), held) : this.along;
  }

  /** Kernels and polynomials at a point: for y and z with side 1, for x with side −1. */
  row(point, side, out) {
    const { keypoints, kernel, mirrored } = this;
    let k = 0;
    for (; k < keypoints.length; k += 1) {
      const { position: [x, y, z], alpha } = keypoints[k];
      const rest = (point[1] - y) ** 2 + (point[2] - z) ** 2;
      out[k] = rbf((point[0] - x) ** 2 + rest, kernel, alpha);
      if (mirrored) out[k] += side * rbf((point[0] + x) ** 2 + rest, kernel, alpha);
    }
    const odd = mirrored && side < 0;
    const [x, y, z] = point.map((value, axis) => (value - this.center[axis]) / this.scale);
    const tails = { thin_plate: odd ? [x] : mirrored ? [1, y, z] : [1, x, y, z], multiquadric: odd ? [] : [1] };
    for (const term of tails[kernel] ?? []) {
      out[k] = term;
      k += 1;
    }
    return out;
  }
}

/** Kernels and polynomials at the keypoints, and the pseudo-inverse; held keypoints take no part. */
class System {
  constructor(rows, held) {
    const [count, terms] = [rows.length, rows[0].length];
    const whole = Array.from({ length: terms }, () => new Float64Array(terms));
    for (let i = 0; i < count; i += 1) {
      for (let j = 0; j < terms; j += 1) {
        if (held[i] || held[j]) continue;
        whole[i][j] = rows[i][j];
        if (j >= count) whole[j][i] = rows[i][j];
      }
    }
    // Kernels that differ little from their twin's, near the plane, make small rows and columns, but not a low rank.
    const root = (values) => 1 / Math.sqrt(Math.max(...values) || 1);
    const down = whole.map((row, i) => (i < count ? root(row.map(Math.abs)) : 1));
    const over = whole.map((_, j) => (j < count ? root(whole.map((row) => Math.abs(row[j]))) : 1));
    const inverse = pseudoInverse(whole.map((row, i) => row.map((value, j) => value * down[i] * over[j])));
    this.inverse = inverse.map((row, i) => row.map((value, j) => over[i] * value * down[j]));
    this.whole = whole;
  }

  /** Weights for values at the keypoints, refined once against what the inverse has lost in rounding. */
  solve(values) {
    const wanted = new Float64Array(this.whole.length);
    wanted.set(values);
    const weights = this.inverse.map((row) => dot(wanted, row));
    const missed = this.whole.map((row, i) => wanted[i] - dot(weights, row));
    return Float64Array.from(weights, (weight, i) => weight + dot(missed, this.inverse[i]));
  }
}

/** The pseudo-inverse of a square matrix, by singular values: turns of pairs of columns until all are at right angles (Hestenes 1958). */
function pseudoInverse(matrix) {
  const n = matrix.length;
  const columns = Array.from({ length: n }, (_, j) => Float64Array.from(matrix, (row) => row[j]));
  const turns = Array.from({ length: n }, (_, j) => Float64Array.from({ length: n }, (__, i) => Number(i === j)));
  for (let sweep = 0, turned = true; turned && sweep < 60; sweep += 1) {
    turned = false;
    for (let p = 0; p < n; p += 1) for (let q = p + 1; q < n; q += 1) turned = turn(columns, turns, p, q) || turned;
  }
  const squares = columns.map((column) => dot(column, column));
  const least = (RANK * Math.sqrt(Math.max(...squares))) ** 2;
  const inverse = Array.from({ length: n }, () => new Float64Array(n));
  for (let k = 0; k < n; k += 1) {
    if (squares[k] <= least) continue;
    for (let i = 0; i < n; i += 1) for (let j = 0; j < n; j += 1) inverse[i][j] += (turns[k][i] * columns[k][j]) / squares[k];
  }
  return inverse;
}

function turn(columns, turns, p, q) {
  const [a, b, c] = [dot(columns[p], columns[p]), dot(columns[q], columns[q]), dot(columns[p], columns[q])];
  if (Math.abs(c) <= 1e-16 * Math.sqrt(a * b)) return false;
  const zeta = (b - a) / (2 * c);
  const tangent = Math.sign(zeta || 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
  const cosine = 1 / Math.sqrt(1 + tangent * tangent);
  for (const vectors of [columns, turns]) {
    const [u, v] = [vectors[p], vectors[q]];
    for (let i = 0; i < u.length; i += 1) {
      const kept = u[i];
      u[i] = cosine * (kept - tangent * v[i]);
      v[i] = cosine * (tangent * kept + v[i]);
    }
  }
  return true;
}
