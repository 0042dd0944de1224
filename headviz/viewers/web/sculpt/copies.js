// Vertices for drawing: one for each texture coordinate that a vertex has. The sculpting stays on the vertices themselves.

/**
 * Vertices that are drawn: at first all of the surface in their places, then copies of those at seams.
 *
 * @param {ArrayLike<number>} faces - abc
 * @param {number} count - of vertices
 * @param {{ uv: Float32Array, uvFaces: ArrayLike<number> | null } | null} texture - coordinates, origin at the lower left
 * @returns {{ corners: Uint32Array, copied: Int32Array, uv: Float32Array | null }} faces of drawn vertices; the vertex that
 *   each copy copies; coordinates of all drawn vertices, origin at the upper left
 */
export function copiesOf(faces, count, texture) {
  if (texture === null) return { corners: Uint32Array.from(faces), copied: new Int32Array(0), uv: null };
  const { uv, uvFaces } = texture;
  const corners = new Uint32Array(faces.length);
  const first = new Int32Array(count).fill(-1); // the coordinate of the vertex in its own place
  const copied = [];
  const coordinates = [];
  const known = new Map();
  const coordinateCount = uv.length / 2;
  for (let k = 0; k < faces.length; k += 1) {
    const i = faces[k];
    const coordinate = uvFaces === null ? i : uvFaces[k];
    if (first[i] < 0) first[i] = coordinate;
    if (first[i] === coordinate) {
      corners[k] = i;
      continue;
    }
    const key = i * coordinateCount + coordinate;
    if (!known.has(key)) {
      known.set(key, count + copied.length);
      copied.push(i);
      coordinates.push(coordinate);
    }
    corners[k] = known.get(key);
  }
  const places = new Float32Array(2 * (count + copied.length));
  for (let at = 0; 2 * at < places.length; at += 1) {
    const coordinate = Math.max(0, at < count ? first[at] : coordinates[at - count]);
    places[2 * at] = uv[2 * coordinate];
    places[2 * at + 1] = 1 - uv[2 * coordinate + 1];
  }
  return { corners, copied: Int32Array.from(copied), uv: places };
}

/** Gives copies, whose values begin at `start`, the values xyz of what they copy. Nothing is allocated. */
export function copy(drawn, start, copied) {
  for (let k = 0, to = start; k < copied.length; k += 1, to += 3) {
    const from = 3 * copied[k];
    drawn[to] = drawn[from];
    drawn[to + 1] = drawn[from + 1];
    drawn[to + 2] = drawn[from + 2];
  }
}
