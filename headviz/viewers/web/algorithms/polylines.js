// Segments that share points, put one after the other. Source: headviz/geometry/polylines.py.

/**
 * Polylines in the order of their first point. A closed one begins with its least index and repeats it at the end; an
 * open one begins where no segment ends.
 *
 * @param {Int32Array|number[]} segments point indices (from, to), shape (m, 2); at most one begins and one ends at a point
 * @param {number} count how many points there are
 * @returns {{polylines: Int32Array[], closed: boolean[]}} point indices in order, and which are closed
 */
export function chainSegments(segments, count) {
  const [before, after] = [new Int32Array(count).fill(-1), new Int32Array(count).fill(-1)];
  for (let k = 0; k < segments.length; k += 2) {
    after[segments[k]] = segments[k + 1];
    before[segments[k + 1]] = segments[k];
  }
  const [taken, lines] = [new Uint8Array(count), []];
  const follow = (first) => {
    const line = [];
    for (let point = first; point >= 0; point = after[point]) {
      line.push(point);
      if (taken[point]) break; // a closed line is back at its first point
      taken[point] = 1;
    }
    lines.push(line);
  };
  for (let point = 0; point < count; point += 1) if (before[point] < 0) follow(point);
  for (let point = 0; point < count; point += 1) if (!taken[point]) follow(point);
  lines.sort((one, other) => one[0] - other[0]);
  return { polylines: lines.map((line) => Int32Array.from(line)), closed: lines.map(([first]) => before[first] >= 0) };
}
