// Normals of a mesh whose morphs move: a GLB holds those of the neutral head only, and shading needs the moved ones.

/** Recomputes the normals of one geometry. Vertices at one place (texture seams) share a normal. */
export class MorphNormals {
  constructor(geometry) {
    this.geometry = geometry;
    this.base = vectors(geometry.attributes.position);
    this.morphs = (geometry.morphAttributes.position ?? []).map(vectors);
    this.moved = new Float32Array(this.base.length);
    this.places = samePlaces(this.base);
    this.sums = new Float32Array(this.base.length);
    const { index } = geometry;
    this.corners = index === null ? Uint32Array.from({ length: this.base.length / 3 }, (_, i) => i) : index.array;
  }

  /** Normals for these morph values, in the order of the morphs; written into the geometry. */
  update(influences) {
    this.moved.set(this.base);
    this.morphs.forEach((offsets, morph) => {
      const weight = influences[morph];
      if (weight === 0) return;
      for (let i = 0; i < offsets.length; i += 1) this.moved[i] += weight * offsets[i];
    });
    this.sums.fill(0);
    for (let i = 0; i < this.corners.length; i += 3) this.#add(this.corners[i], this.corners[i + 1], this.corners[i + 2]);
    this.#write();
  }

  /** Adds a triangle's normal, as long as twice its area, to its three places. */
  #add(a, b, c) {
    const { moved, places, sums } = this;
    const [a3, b3, c3] = [3 * a, 3 * b, 3 * c];
    const [ux, uy, uz] = [moved[b3] - moved[a3], moved[b3 + 1] - moved[a3 + 1], moved[b3 + 2] - moved[a3 + 2]];
    const [vx, vy, vz] = [moved[c3] - moved[a3], moved[c3 + 1] - moved[a3 + 1], moved[c3 + 2] - moved[a3 + 2]];
    const [nx, ny, nz] = [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx];
    for (const place of [places[a], places[b], places[c]]) {
      sums[3 * place] += nx;
      sums[3 * place + 1] += ny;
      sums[3 * place + 2] += nz;
    }
  }

  #write() {
    const normals = this.geometry.attributes.normal;
    for (let i = 0; i < this.places.length; i += 1) {
      const [x, y, z] = this.sums.subarray(3 * this.places[i], 3 * this.places[i] + 3);
      const length = Math.hypot(x, y, z);
      if (length > 0) normals.setXYZ(i, x / length, y / length, z / length);
    }
    normals.needsUpdate = true;
  }
}

/** The vectors of an attribute as one flat array, whatever its storage is. */
function vectors(attribute) {
  const flat = new Float32Array(attribute.count * 3);
  for (let i = 0; i < attribute.count; i += 1) {
    flat.set([attribute.getX(i), attribute.getY(i), attribute.getZ(i)], 3 * i);
  }
  return flat;
}

/** For each vertex the first one that lies at the same place. */
export function samePlaces(flat) {
  const first = new Map();
  const places = new Uint32Array(flat.length / 3);
  for (let i = 0; i < places.length; i += 1) {
    const key = `${flat[3 * i]} ${flat[3 * i + 1]} ${flat[3 * i + 2]}`;
    if (!first.has(key)) first.set(key, i);
    places[i] = first.get(key);
  }
  return places;
}
