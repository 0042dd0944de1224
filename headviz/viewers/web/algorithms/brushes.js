// What a brush does to a surface; headviz/sculpt/brushes.py has the same formulas. Nothing is allocated while a grab is
// dragged: its weights are found once.

import { falloffOf, reachOf } from "./falloff.js";

/** Names, in the order of a menu. */
export const TOOLS = ["grab", "inflate", "smooth", "flatten", "pinch", "mask"];

/** One side; twins by the mirror map; twins by position. */
const [PLAIN, MAPPED, MIRRORED] = [0, 1, 2];

const modeOf = ({ symmetric }, { mirror }) => (!symmetric ? PLAIN : mirror !== null ? MAPPED : MIRRORED);

/** How often a dab of the tool smooth repeats. */
export const repeatsOf = (radius, edge) => Math.max(1, Math.min(8, Math.round((0.1 * radius) / edge)));

/** Of a displacement, the part that belongs to this side: the shares of twins sum to 1, to the bit. */
function shareOf(own, twin, kappa) {
  const e = Math.exp(-kappa * Math.abs(twin - own));
  return own <= twin ? 1 / (1 + e) : e / (1 + e);
}

/** What a brush works on: { surface, positions, normals, mask } and room for what it finds on the way. */
export class Bench {
  constructor(surface, positions, normals, mask) {
    Object.assign(this, { surface, positions, normals, mask });
    this.flags = new Uint8Array(surface.count);
    this.found = new Int32Array(surface.count);
    this.raw = new Float32Array(3 * surface.count);
    this.other = new Float32Array(3 * surface.count);
    this.out = new Float32Array(3 * surface.count);
    this.weights = new Float64Array(surface.count);
  }

  /** Vertices that a dab can move: those within its reach, and their twins. A view that the next call overwrites. */
  region(center, radius, name, mode) {
    const { positions, flags, found, surface: { count, mirror } } = this;
    const reach = (radius * reachOf(name)) ** 2;
    const [x, y, z] = center;
    for (let i = 0, k = 0; i < count; i += 1, k += 3) {
      const dx = positions[k] - x;
      const rest = (positions[k + 1] - y) ** 2 + (positions[k + 2] - z) ** 2;
      flags[i] = dx * dx + rest < reach ? 1 : 0;
      if (mode === MIRRORED && (positions[k] + x) ** 2 + rest < reach) flags[i] = 1;
    }
    let size = 0;
    for (let i = 0; i < count; i += 1) {
      if (flags[i] === 0 && (mode !== MAPPED || flags[mirror[i]] === 0)) continue;
      found[size] = i;
      size += 1;
    }
    return found.subarray(0, size);
  }

  /** Squared distance of a vertex, or with side −1 of its mirror image, from a centre. */
  own(i, center, side = 1) {
    const { positions } = this;
    const x = side * positions[3 * i] - center[0];
    const y = positions[3 * i + 1] - center[1];
    const z = positions[3 * i + 2] - center[2];
    return x * x + y * y + z * z;
  }

  /** Squared distance of a vertex's twin from a centre. */
  twin(i, center, mode) {
    return mode === MAPPED ? this.own(this.surface.mirror[i], center) : this.own(i, center, -1);
  }
}

/** Vertices that follow a vector with fixed weights: found once, moved often. */
export class Handle {
  /**
   * @param {Bench} bench
   * @param {Int32Array} indices - which vertices
   * @param {Float32Array} wx - displacement per unit of the vector, along x
   * @param {Float32Array} wyz - along y and z
   */
  constructor(bench, indices, wx, wyz) {
    Object.assign(this, { bench, indices, wx, wyz });
    this.start = new Float32Array(3 * indices.length);
    for (let k = 0; k < indices.length; k += 1) {
      for (let axis = 0; axis < 3; axis += 1) this.start[3 * k + axis] = bench.positions[3 * indices[k] + axis];
    }
    this.grown = bench.surface.grown(indices);
  }

  /** Positions = start + weights · vector, and the normals there. */
  move(vx, vy, vz) {
    const { bench: { positions, normals, surface }, indices, wx, wyz, start, grown } = this;
    for (let k = 0; k < indices.length; k += 1) {
      const i = 3 * indices[k];
      positions[i] = start[3 * k] + wx[k] * vx;
      positions[i + 1] = start[3 * k + 1] + wyz[k] * vy;
      positions[i + 2] = start[3 * k + 2] + wyz[k] * vz;
    }
    surface.normals(positions, normals, grown);
  }
}

/**
 * What a grab takes hold of.
 *
 * @param {Bench} bench
 * @param {object} brush - { radius, strength, falloff, invert, symmetric }
 * @param {number[]} anchor - the point that was taken hold of
 */
export function grabHandle(bench, brush, anchor) {
  const mode = modeOf(brush, bench.surface);
  const weight = falloffOf(brush.falloff);
  const { radius } = brush;
  const kappa = 4 / radius ** 2;
  const amount = brush.invert ? -brush.strength : brush.strength;
  const indices = bench.region(anchor, radius, brush.falloff, mode).slice();
  const wx = new Float32Array(indices.length);
  const wyz = new Float32Array(indices.length);
  for (let k = 0; k < indices.length; k += 1) {
    const i = indices[k];
    const own = bench.own(i, anchor);
    let a = weight(Math.sqrt(own) / radius);
    let b = 0;
    if (mode !== PLAIN) {
      const twin = bench.twin(i, anchor, mode);
      b = weight(Math.sqrt(twin) / radius) * shareOf(twin, own, kappa);
      a *= shareOf(own, twin, kappa);
    }
    const free = amount * (1 - bench.mask[i]);
    wx[k] = (a - b) * free;
    wyz[k] = (a + b) * free;
  }
  return new Handle(bench, indices, wx, wyz);
}

/**
 * One dab of any tool but grab.
 *
 * @param {Bench} bench
 * @param {object} brush
 * @param {number[]} center
 * @param {(indices: Int32Array) => void} before - is told which vertices will change
 */
export function dab(bench, brush, center, before) {
  const mode = modeOf(brush, bench.surface);
  const indices = bench.region(center, brush.radius, brush.falloff, mode);
  before(indices);
  if (brush.tool === "mask") return paint(bench, brush, center, mode, indices);
  const repeats = brush.tool === "smooth" && !brush.invert ? repeatsOf(brush.radius, bench.surface.edge) : 1;
  const mirrored = [-center[0], center[1], center[2]];
  for (let round = 0; round < repeats; round += 1) {
    displace(bench, brush, center, indices, bench.raw);
    if (mode === MIRRORED) displace(bench, brush, mirrored, indices, bench.other);
    combine(bench, brush, center, mode, indices);
  }
  bench.surface.normals(bench.positions, bench.normals, bench.surface.grown(indices));
}

/** The mask, by the greater weight of both sides. */
function paint(bench, brush, center, mode, indices) {
  const weight = falloffOf(brush.falloff);
  const amount = brush.invert ? -brush.strength : brush.strength;
  for (const i of indices) {
    let most = weight(Math.sqrt(bench.own(i, center)) / brush.radius);
    if (mode !== PLAIN) most = Math.max(most, weight(Math.sqrt(bench.twin(i, center, mode)) / brush.radius));
    bench.mask[i] = Math.min(1, Math.max(0, bench.mask[i] + amount * most));
  }
}

/** One-sided displacements of a dab, written to `raw` at the vertices of the region. */
function displace(bench, brush, center, indices, raw) {
  const { weights } = bench;
  const weight = falloffOf(brush.falloff);
  for (let k = 0; k < indices.length; k += 1) weights[k] = weight(Math.sqrt(bench.own(indices[k], center)) / brush.radius);
  const amount = brush.invert ? -brush.strength : brush.strength;
  ({ inflate, smooth, flatten, pinch })[brush.tool](bench, indices, raw, amount, brush.radius, center);
}

function inflate({ weights, normals }, indices, raw, amount, radius) {
  for (let k = 0; k < indices.length; k += 1) {
    const i = 3 * indices[k];
    const scale = weights[k] * amount * 0.1 * radius;
    for (let axis = i; axis < i + 3; axis += 1) raw[axis] = scale * normals[axis];
  }
}

/** Towards the mean of the neighbours, and not beyond it, or gently away; at the boundary only of those on it. */
function smooth({ weights, positions, surface: { first, pairs, boundary } }, indices, raw, amount) {
  const most = amount < 0 ? -0.1 * Math.min(1, -amount) : Math.min(1, amount);
  for (let k = 0; k < indices.length; k += 1) {
    const i = indices[k];
    let x = 0;
    let y = 0;
    let z = 0;
    let size = 0;
    const end = 2 * first[i + 1];
    for (let at = 2 * first[i]; at < end; at += 1) {
      const j = pairs[at];
      if (boundary[i] === 1 && boundary[j] === 0) continue;
      x += positions[3 * j];
      y += positions[3 * j + 1];
      z += positions[3 * j + 2];
      size += 1;
    }
    const scale = size > 0 ? weights[k] * most : 0;
    const part = size > 0 ? 1 / size : 0;
    raw[3 * i] = scale * (x * part - positions[3 * i]);
    raw[3 * i + 1] = scale * (y * part - positions[3 * i + 1]);
    raw[3 * i + 2] = scale * (z * part - positions[3 * i + 2]);
  }
}

/** The weighted mean of some vectors of the region, over the sum of weights. */
function meanOf(weights, values, indices) {
  const mean = [0, 0, 0];
  let total = 0;
  for (let k = 0; k < indices.length; k += 1) {
    for (let axis = 0; axis < 3; axis += 1) mean[axis] += weights[k] * values[3 * indices[k] + axis];
    total += weights[k];
  }
  return total > 0 ? mean.map((sum) => sum / total) : mean;
}

function normalOf({ weights, normals }, indices) {
  const mean = meanOf(weights, normals, indices);
  const length = Math.hypot(...mean);
  return length > 0 ? mean.map((value) => value / length) : mean;
}

/** Towards the plane through the weighted mean. */
function flatten(bench, indices, raw, amount) {
  const { weights, positions } = bench;
  const [mx, my, mz] = meanOf(weights, positions, indices);
  const [nx, ny, nz] = normalOf(bench, indices);
  for (let k = 0; k < indices.length; k += 1) {
    const i = 3 * indices[k];
    const away = (mx - positions[i]) * nx + (my - positions[i + 1]) * ny + (mz - positions[i + 2]) * nz;
    const scale = weights[k] * amount * away;
    raw[i] = scale * nx;
    raw[i + 1] = scale * ny;
    raw[i + 2] = scale * nz;
  }
}

/** Towards the centre, along the surface. */
function pinch(bench, indices, raw, amount, radius, [cx, cy, cz]) {
  const { weights, positions } = bench;
  const [nx, ny, nz] = normalOf(bench, indices);
  for (let k = 0; k < indices.length; k += 1) {
    const i = 3 * indices[k];
    const [x, y, z] = [cx - positions[i], cy - positions[i + 1], cz - positions[i + 2]];
    const along = x * nx + y * ny + z * nz;
    const scale = weights[k] * amount * 0.1;
    raw[i] = scale * (x - along * nx);
    raw[i + 1] = scale * (y - along * ny);
    raw[i + 2] = scale * (z - along * nz);
  }
}

/** Adds the symmetric sum of the one-sided displacements, times 1 − mask. */
function combine(bench, { radius }, center, mode, indices) {
  const { positions, mask, raw, other, out, surface: { mirror } } = bench;
  const kappa = 4 / radius ** 2;
  for (let k = 0; k < indices.length; k += 1) {
    const i = indices[k];
    let x = raw[3 * i];
    let y = raw[3 * i + 1];
    let z = raw[3 * i + 2];
    if (mode !== PLAIN) {
      const own = bench.own(i, center);
      const twin = bench.twin(i, center, mode);
      const p = shareOf(own, twin, kappa);
      const q = shareOf(twin, own, kappa);
      const [from, j, sign] = mode === MAPPED ? [raw, mirror[i], -1] : [other, i, 1];
      x = p * x + sign * q * from[3 * j];
      y = p * y + q * from[3 * j + 1];
      z = p * z + q * from[3 * j + 2];
    }
    const free = 1 - mask[i];
    out[3 * k] = x * free;
    out[3 * k + 1] = y * free;
    out[3 * k + 2] = z * free;
  }
  for (let k = 0; k < indices.length; k += 1) {
    for (let axis = 0; axis < 3; axis += 1) positions[3 * indices[k] + axis] += out[3 * k + axis];
  }
}
