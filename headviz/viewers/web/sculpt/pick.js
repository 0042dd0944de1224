// Where a ray meets a surface that keeps changing. Every triangle is tried: 200,000 take about two milliseconds, and
// there is nothing to keep up to date while one sculpts.

/**
 * The first triangle that a ray meets, from either side.
 *
 * @param {Float32Array} positions - xyz
 * @param {ArrayLike<number>} faces - abc
 * @param {number[]} origin
 * @param {number[]} direction - of length 1
 * @returns {{ face: number, weights: number[], distance: number, point: number[] } | null} weights of the three corners
 */
export function pick(positions, faces, [ox, oy, oz], [dx, dy, dz]) {
  let found = -1;
  let nearest = Infinity;
  let [foundU, foundV] = [0, 0];
  for (let k = 0; k < faces.length; k += 3) {
    const a = 3 * faces[k];
    const b = 3 * faces[k + 1];
    const c = 3 * faces[k + 2];
    const ux = positions[b] - positions[a];
    const uy = positions[b + 1] - positions[a + 1];
    const uz = positions[b + 2] - positions[a + 2];
    const vx = positions[c] - positions[a];
    const vy = positions[c + 1] - positions[a + 1];
    const vz = positions[c + 2] - positions[a + 2];
    const px = dy * vz - dz * vy;
    const py = dz * vx - dx * vz;
    const pz = dx * vy - dy * vx;
    const volume = ux * px + uy * py + uz * pz;
    if (volume === 0) continue;
    const sx = ox - positions[a];
    const sy = oy - positions[a + 1];
    const sz = oz - positions[a + 2];
    const u = (sx * px + sy * py + sz * pz) / volume;
    if (u < 0 || u > 1) continue;
    const qx = sy * uz - sz * uy;
    const qy = sz * ux - sx * uz;
    const qz = sx * uy - sy * ux;
    const v = (dx * qx + dy * qy + dz * qz) / volume;
    if (v < 0 || u + v > 1) continue;
    const distance = (vx * qx + vy * qy + vz * qz) / volume;
    if (distance <= 0 || distance >= nearest) continue;
    nearest = distance;
    found = k / 3;
    foundU = u;
    foundV = v;
  }
  if (found < 0) return null;
  const point = [ox + nearest * dx, oy + nearest * dy, oz + nearest * dz];
  return { face: found, weights: [1 - foundU - foundV, foundU, foundV], distance: nearest, point };
}

/** The point of a triangle with these weights of its corners. */
export function pointOn(positions, faces, face, weights) {
  const point = [0, 0, 0];
  for (let corner = 0; corner < 3; corner += 1) {
    const i = 3 * faces[3 * face + corner];
    for (let axis = 0; axis < 3; axis += 1) point[axis] += weights[corner] * positions[i + axis];
  }
  return point;
}

/** The unit normal of a triangle's point, from those of its corners. */
export function normalOn(normals, faces, face, weights) {
  const [x, y, z] = pointOn(normals, faces, face, weights);
  const length = Math.hypot(x, y, z) || 1;
  return [x / length, y / length, z / length];
}
