// Marching squares: the lines on which samples in the plane take one value. Source: headviz/geometry/contour.py.

import { checkFinite } from "./grid.js";
import { chainSegments } from "./polylines.js";

/** What may be done with the two inside corners of a cell whose corners alternate. */
export const SADDLES = Object.freeze(["asymptotic", "join", "split"]);

/**
 * The arrays of headviz.geometry.contour.square_table() that are needed here, row by row: `segments` (from edge, to edge)
 * of shape (2, 16, 2, 2), padded with −1, the first index 1 where the inside corners of a saddle are joined; `count` of
 * segments and whether a case is `ambiguous`, of shape (16,). Corners and edges run counter-clockwise from (0, 0).
 * @typedef {{segments: ArrayLike<number>, count: ArrayLike<number>, ambiguous: ArrayLike<number|boolean>}} SquareTable
 */

/**
 * What was done, cell by cell, for the a cells that are crossed: row and column, case, corner values, the bilinear value
 * at the saddle minus the level (NaN where corners do not alternate), whether the inside corners were joined, the first
 * segment and how many, and on each edge the point (−1: none) and where on the edge it is (NaN: none).
 * @typedef {{cell: Int32Array, case: Uint8Array, values: Float64Array, saddle: Float64Array, joined: Uint8Array,
 *   first: Int32Array, count: Int32Array, points: Int32Array, fraction: Float64Array}} SquaresHistory
 */

/**
 * The lines on which samples take a level, in the order of headviz.geometry.marching_squares, in double precision.
 *
 * Sample (i, j), row i and column j, is values[i · width + j] and lies at x = origin[0] + spacing[0] · j,
 * y = origin[1] + spacing[1] · i. Inside is value < level, to the left of every segment with y up.
 *
 * @param {object} given
 * @param {Float32Array|Float64Array|number[]} given.values samples, row by row
 * @param {number} given.width samples in a row, at least 2
 * @param {number} given.height rows, at least 2
 * @param {number} [given.level] the value sought
 * @param {"asymptotic"|"join"|"split"} [given.saddle] what ambiguous cells do
 * @param {SquareTable} given.table the cases
 * @param {number|[number, number]} [given.spacing] distance of columns and of rows
 * @param {[number, number]} [given.origin] (x, y) of the first sample
 * @returns {{points: Float64Array, segments: Int32Array, polylines: Int32Array[], closed: boolean[], case: Uint8Array,
 *   edges: Int32Array, fraction: Float64Array, cell: Int32Array, history: SquaresHistory}} points (x, y) of shape (n, 2),
 *   segments (from, to) of shape (m, 2), polylines of point indices (a closed one repeats its first), the case of each of
 *   the (height − 1) · (width − 1) cells, the two samples and the fraction between them of each point, the cell of each
 *   segment, and what was done cell by cell
 * @throws {RangeError} the samples do not fit, or a number or a choice cannot be used
 */
export function marchingSquares({ values, width, height, level = 0, saddle = "asymptotic", table, spacing = 1, origin = [0, 0] }) {
  const steps = typeof spacing === "number" ? [spacing, spacing] : spacing;
  check(values, width, height, { level, saddle, steps, origin });
  const grid = { values, width, height, level };
  const crossings = weld(grid, steps, origin);
  const cells = visit(grid, crossings, saddle, table);
  const { points, edges, fraction } = crossings;
  return { points, ...cells, ...chainSegments(cells.segments, fraction.length), edges, fraction };
}

function check(values, width, height, { level, saddle, steps, origin }) {
  if (!(width >= 2 && height >= 2) || values.length !== width * height) {
    throw new RangeError(`values should be height · width samples, at least 2 · 2; they are ${values.length} for ${height} · ${width}`);
  }
  checkFinite(values, "values");
  if (!Number.isFinite(level)) throw new RangeError(`the level should be finite; it is ${level}`);
  if (!SADDLES.includes(saddle)) throw new RangeError(`saddle should be one of ${SADDLES.join(", ")}; it is ${saddle}`);
  if (!steps.every((s) => s > 0 && s < Infinity)) throw new RangeError(`spacing should be positive and finite; it is (${steps})`);
  if (!origin.every(Number.isFinite)) throw new RangeError(`origin should be finite; it is (${origin})`);
}

/** One point per crossed grid edge, by the edge's lower sample, x edge before y edge; `alongX` and `alongY` find them. */
function weld({ values, width, height, level }, [dx, dy], [x0, y0]) {
  const alongX = new Int32Array(width * height).fill(-1);
  const alongY = new Int32Array(width * height).fill(-1);
  const [points, edges, fraction] = [[], [], []];
  const cross = (low, high, row, column, x, y) => {
    const part = interpolate(values[low], values[high], level);
    points.push(x0 + dx * (column + x * part), y0 + dy * (row + y * part));
    edges.push(low, high);
    return fraction.push(part) - 1;
  };
  for (let row = 0, k = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1, k += 1) {
      const inside = values[k] < level;
      if (column < width - 1 && inside !== values[k + 1] < level) alongX[k] = cross(k, k + 1, row, column, 1, 0);
      if (row < height - 1 && inside !== values[k + width] < level) alongY[k] = cross(k, k + width, row, column, 0, 1);
    }
  }
  return { points: Float64Array.from(points), edges: Int32Array.from(edges), fraction: Float64Array.from(fraction), alongX, alongY };
}

/** Where between two values the level lies, 0 to 1, from the nearer end, so that no digits are lost there. */
function interpolate(low, high, level) {
  const [fromLow, fromHigh] = [(low - level) / (low - high), (high - level) / (high - low)];
  return fromLow <= fromHigh ? fromLow : 1 - fromHigh;
}

/** The case of a cell: bit k is set where corner k, counter-clockwise from the lower left, is inside. */
export function caseOf([a, b, c, d], level = 0) {
  return (a < level ? 1 : 0) | (b < level ? 2 : 0) | (c < level ? 4 : 0) | (d < level ? 8 : 0);
}

/** Cell by cell, row by row: the case, the choice at a saddle, the segments. */
function visit(grid, crossings, saddle, table) {
  const { values, width, height, level } = grid;
  const cases = new Uint8Array((width - 1) * (height - 1));
  const history = emptyHistory(countCrossed(grid));
  const [segments, owner] = [[], []];
  for (let row = 0, number = 0, visited = 0; row < height - 1; row += 1) {
    for (let column = 0; column < width - 1; column += 1, number += 1) {
      const k = row * width + column;
      const corners = [values[k], values[k + 1], values[k + width + 1], values[k + width]];
      const code = (cases[number] = caseOf(corners, level));
      if (code === 0 || code === 15) continue;
      const points = [crossings.alongX[k], crossings.alongY[k + 1], crossings.alongX[k + width], crossings.alongY[k]];
      const middle = table.ambiguous[code] ? saddleValue(corners, level) : NaN;
      const joined = table.ambiguous[code] && (saddle === "asymptotic" ? middle < 0 : saddle === "join") ? 1 : 0;
      remember(history, visited, { row, column, code, corners, middle, joined, first: owner.length, count: table.count[code], points });
      for (let line = 0; line < table.count[code]; line += 1) {
        const entry = ((joined * 16 + code) * 2 + line) * 2; // in the table's segments, of shape (2, 16, 2, 2)
        segments.push(points[table.segments[entry]], points[table.segments[entry + 1]]);
        owner.push(number);
      }
      visited += 1;
    }
  }
  history.points.forEach((point, edge) => point >= 0 && (history.fraction[edge] = crossings.fraction[point]));
  return { case: cases, segments: Int32Array.from(segments), cell: Int32Array.from(owner), history };
}

/** How many cells are crossed. */
function countCrossed({ values, width, height, level }) {
  let count = 0;
  for (let row = 0; row < height - 1; row += 1) {
    for (let k = row * width; k < row * width + width - 1; k += 1) {
      const inside = values[k] < level;
      if (inside !== values[k + 1] < level || inside !== values[k + width] < level || inside !== values[k + width + 1] < level) count += 1;
    }
  }
  return count;
}

/** Room for a cells. */
const emptyHistory = (a) => ({
  cell: new Int32Array(2 * a),
  case: new Uint8Array(a),
  values: new Float64Array(4 * a),
  saddle: new Float64Array(a),
  joined: new Uint8Array(a),
  first: new Int32Array(a),
  count: new Int32Array(a),
  points: new Int32Array(4 * a),
  fraction: new Float64Array(4 * a).fill(NaN),
});

function remember(history, at, { row, column, code, corners, middle, joined, first, count, points }) {
  history.cell[2 * at] = row;
  history.cell[2 * at + 1] = column;
  history.case[at] = code;
  history.values.set(corners, 4 * at);
  history.saddle[at] = middle;
  history.joined[at] = joined;
  history.first[at] = first;
  history.count[at] = count;
  history.points.set(points, 4 * at);
}

/**
 * The bilinear value at the saddle minus the level, by which the asymptotic decider joins inside corners: G. Nielson and
 * B. Hamann, "The asymptotic decider", Visualization 1991.
 */
export function saddleValue(corners, level = 0) {
  const above = corners.map((value) => value - level);
  const scale = Math.max(...above.map(Math.abs)); // for the products of tiny or huge values
  const [a, b, c, d] = above.map((value) => value / scale);
  return ((a * c - b * d) / (a + c - (b + d))) * scale;
}
