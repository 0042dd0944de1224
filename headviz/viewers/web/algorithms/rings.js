// What is next to what on a triangle mesh, and its normals; headviz/sculpt/surface.py has the same. Connectivity never
// changes while one sculpts.

/** For each vertex the opposite edges (b, c) of its faces: those of i are pairs 2 first[i] to 2 first[i + 1]. */
function ringsOf(faces, count) {
  const first = new Int32Array(count + 1);
  for (let k = 0; k < faces.length; k += 1) first[faces[k] + 1] += 1;
  for (let i = 0; i < count; i += 1) first[i + 1] += first[i];
  const next = first.slice(0, count);
  const pairs = new Int32Array(2 * faces.length);
  for (let k = 0; k < faces.length; k += 3) {
    for (let corner = 0; corner < 3; corner += 1) {
      const i = faces[k + corner];
      pairs[2 * next[i]] = faces[k + ((corner + 1) % 3)];
      pairs[2 * next[i] + 1] = faces[k + ((corner + 2) % 3)];
      next[i] += 1;
    }
  }
  return { first, pairs };
}

/** Which vertices have an edge with one face only. */
function boundaryOf({ first, pairs }, count) {
  const found = new Uint8Array(count);
  for (let i = 0; i < count; i += 1) {
    const [start, end] = [2 * first[i], 2 * first[i + 1]];
    for (let k = start; k < end && found[i] === 0; k += 1) {
      let closed = false;
      for (let other = start; other < end && !closed; other += 1) closed = other >> 1 !== k >> 1 && pairs[other] === pairs[k];
      if (!closed) found[i] = 1;
    }
  }
  return found;
}

/** A mesh's connectivity and its sizes at rest. */
export class Surface {
  /**
   * @param {Float32Array} base - positions at rest, xyz
   * @param {ArrayLike<number>} faces - abc
   * @param {ArrayLike<number> | null} mirror - for each vertex the one on the other side, where there is such a map
   */
  constructor(base, faces, mirror = null) {
    const count = base.length / 3;
    Object.assign(this, { base, faces, mirror, count }, ringsOf(faces, count));
    this.boundary = boundaryOf(this, count);
    this.low = [Infinity, Infinity, Infinity];
    this.high = [-Infinity, -Infinity, -Infinity];
    for (let k = 0; k < base.length; k += 1) {
      this.low[k % 3] = Math.min(this.low[k % 3], base[k]);
      this.high[k % 3] = Math.max(this.high[k % 3], base[k]);
    }
    this.size = Math.max(...this.high.map((high, k) => high - this.low[k]));
    this.marks = new Int32Array(count);
    this.mark = 0;
  }

  /** Some vertices and their neighbours: those whose normals a move of the first changes. */
  grown(indices) {
    const { first, pairs, marks } = this;
    const mark = (this.mark += 1);
    const found = new Int32Array(this.count);
    let size = 0;
    const take = (i) => {
      if (marks[i] === mark) return;
      marks[i] = mark;
      found[size] = i;
      size += 1;
    };
    for (let k = 0; k < indices.length; k += 1) {
      const i = indices[k];
      take(i);
      const end = 2 * first[i + 1];
      for (let at = 2 * first[i]; at < end; at += 1) take(pairs[at]);
    }
    return found.slice(0, size);
  }

  /** Unit normals of some vertices, or of all: the sum of their faces' by area; 0 where there is none. */
  normals(positions, out, indices = null) {
    const { first, pairs } = this;
    const size = indices === null ? this.count : indices.length;
    for (let k = 0; k < size; k += 1) {
      const i = indices === null ? k : indices[k];
      const px = positions[3 * i];
      const py = positions[3 * i + 1];
      const pz = positions[3 * i + 2];
      let x = 0;
      let y = 0;
      let z = 0;
      const end = 2 * first[i + 1];
      for (let at = 2 * first[i]; at < end; at += 2) {
        const b = 3 * pairs[at];
        const c = 3 * pairs[at + 1];
        const ux = positions[b] - px;
        const uy = positions[b + 1] - py;
        const uz = positions[b + 2] - pz;
        const vx = positions[c] - px;
        const vy = positions[c + 1] - py;
        const vz = positions[c + 2] - pz;
        x += uy * vz - uz * vy;
        y += uz * vx - ux * vz;
        z += ux * vy - uy * vx;
      }
      const length = Math.sqrt(x * x + y * y + z * z);
      const scale = length > 0 ? 1 / length : 0;
      out[3 * i] = x * scale;
      out[3 * i + 1] = y * scale;
      out[3 * i + 2] = z * scale;
    }
  }
}

/**
 * How far a surface is from its own mirror image in x = 0, as a part of its size; NaN without a map.
 *
 * @param {Surface} surface
 * @param {Float32Array} positions
 */
export function residualOf({ mirror, size, count }, positions) {
  if (mirror === null) return Number.NaN;
  let most = 0;
  for (let i = 0; i < count; i += 1) {
    const a = 3 * i;
    const b = 3 * mirror[i];
    const x = positions[a] + positions[b];
    const y = positions[a + 1] - positions[b + 1];
    const z = positions[a + 2] - positions[b + 2];
    most = Math.max(most, x * x + y * y + z * z);
  }
  return Math.sqrt(most) / size;
}
