// A field in the plane, given by samples on a grid: what headviz.geometry.GridField is, in the browser.

/** Refuses samples that are NaN or infinite. */
export function checkFinite(values, what = "samples") {
  let bad = 0;
  for (const value of values) if (!Number.isFinite(value)) bad += 1;
  if (bad > 0) throw new RangeError(`${what} should be finite; ${bad} of ${values.length} are NaN or infinite`);
}

/**
 * Samples on a grid in the plane, interpolated bilinearly; computed in double precision.
 *
 * Sample (i, j) is at origin + spacing · (i, j), and is values[i · ny + j]: the first index is x. Outside the grid, at
 * distance d from its nearest point with value v, the value is √(v² + (L d)²) if all samples on the border are
 * positive, else v. Source: headviz/geometry/grid_field.py.
 *
 * @param {object} grid
 * @param {Float32Array|Float64Array|number[]} grid.values samples, nx · ny of them, metres
 * @param {[number, number]} grid.shape nx and ny, at least 2 each
 * @param {[number, number]} [grid.origin] where the first sample is, metres
 * @param {number|[number, number]} [grid.spacing] distance between samples, metres, one number or one per axis
 * @returns {{value: (x: number, y: number) => number, gradient: (x: number, y: number) => [number, number],
 *   bounds: [[number, number], [number, number]], lipschitz: number, closed: boolean}} the field: its value at a point
 *   in metres, its gradient there, the grid's lower and upper corner, the greatest slope of the interpolant, and whether
 *   all samples on the border are positive
 * @throws {RangeError} the samples do not fit the shape, or something is not finite or not positive
 */
export function gridField({ values, shape, origin = [0, 0], spacing = 1 }) {
  const [dx, dy] = typeof spacing === "number" ? [spacing, spacing] : spacing;
  checkGrid(values, shape, origin, [dx, dy]);
  const grid = { values, nx: shape[0], ny: shape[1], x0: origin[0], y0: origin[1], dx, dy };
  const bounds = [
    [grid.x0, grid.y0],
    [grid.x0 + (grid.nx - 1) * dx, grid.y0 + (grid.ny - 1) * dy],
  ];
  const [closed, lipschitz] = [isClosed(grid), greatestSlope(grid)];
  const [[left, bottom], [right, top]] = bounds;
  const value = (x, y) => {
    const [inX, inY] = [clamp(x, left, right), clamp(y, bottom, top)];
    const found = interpolate(grid, inX, inY);
    const beyond = (x - inX) * (x - inX) + (y - inY) * (y - inY);
    return closed && beyond > 0 ? Math.sqrt(found * found + lipschitz * lipschitz * beyond) : found;
  };
  const gradient = (x, y) => {
    const [inX, inY] = [clamp(x, left, right), clamp(y, bottom, top)];
    const [slopeX, slopeY] = slope(grid, inX, inY);
    const along = [x === inX ? slopeX : 0, y === inY ? slopeY : 0];
    const total = value(x, y);
    if (!closed || (x === inX && y === inY) || total === 0) return along;
    const [found, steep] = [interpolate(grid, inX, inY), lipschitz * lipschitz];
    return [(found * along[0] + steep * (x - inX)) / total, (found * along[1] + steep * (y - inY)) / total];
  };
  return { value, gradient, bounds, lipschitz, closed };
}

function checkGrid(values, shape, origin, spacing) {
  const [nx, ny] = shape;
  if (!(nx >= 2 && ny >= 2) || shape.length !== 2) throw new RangeError(`a grid should have shape (nx, ny), at least 2 each; shape is (${shape})`);
  if (values.length !== nx * ny) throw new RangeError(`a grid of shape (${shape}) should have ${nx * ny} samples; there are ${values.length}`);
  checkFinite(values);
  if (!origin.every(Number.isFinite)) throw new RangeError(`origin should be finite; it is (${origin})`);
  if (!spacing.every((s) => s > 0 && s < Infinity)) throw new RangeError(`spacing should be positive and finite; it is (${spacing})`);
}

const clamp = (number, low, high) => Math.min(Math.max(number, low), high);

/** The cell of a point of the box, and where in the cell the point is. */
function place({ nx, ny, x0, y0, dx, dy }, x, y) {
  const [atX, atY] = [(x - x0) / dx, (y - y0) / dy];
  const i = clamp(Math.floor(atX), 0, nx - 2);
  const j = clamp(Math.floor(atY), 0, ny - 2);
  return [i * ny + j, atX - i, atY - j];
}

function interpolate(grid, x, y) {
  const [first, u, v] = place(grid, x, y);
  const { values, ny } = grid;
  // The order of the terms is Python's, so that both round alike.
  return (1 - u) * (1 - v) * values[first] + (1 - u) * v * values[first + 1] + u * (1 - v) * values[first + ny] + u * v * values[first + ny + 1];
}

function slope(grid, x, y) {
  const [first, u, v] = place(grid, x, y);
  const { values, ny, dx, dy } = grid;
  const [a, b, c, d] = [values[first], values[first + 1], values[first + ny], values[first + ny + 1]];
  return [((1 - v) * (c - a) + v * (d - b)) / dx, ((1 - u) * (b - a) + u * (d - c)) / dy];
}

function isClosed({ values, nx, ny }) {
  for (let i = 0; i < nx; i += 1) if (!(values[i * ny] > 0 && values[i * ny + ny - 1] > 0)) return false;
  for (let j = 0; j < ny; j += 1) if (!(values[j] > 0 && values[(nx - 1) * ny + j] > 0)) return false;
  return true;
}

/** The greatest gradient length of the interpolant, rounded upwards: a cell's is longest at one of its corners. */
function greatestSlope({ values, nx, ny, dx, dy }) {
  const square = (a, b, step) => ((values[b] - values[a]) / step) ** 2;
  let greatest = 0;
  for (let i = 0; i < nx - 1; i += 1) {
    for (let j = 0; j < ny - 1; j += 1) {
      const k = i * ny + j;
      const alongX = Math.max(square(k, k + ny, dx), square(k + 1, k + ny + 1, dx));
      const alongY = Math.max(square(k, k + 1, dy), square(k + ny, k + ny + 1, dy));
      greatest = Math.max(greatest, alongX + alongY);
    }
  }
  return Math.sqrt(greatest) * (1 + 4 * Number.EPSILON);
}
