// The slice through the head's signed distance: painted, with lines of equal distance and the surface.

import { marchingSquares } from "./algorithms/marching_squares.js";
import { number } from "./core/format.js";
import { INK, SOFT, painted } from "./core/look.js";
import { ACROSS, AXES, isFitted, movesOf, placeOf, sliceOf, weightsOf } from "./reconstruction_data.js";

const FINER = 4; // pixels per sample, along each axis
const SHARPER = 2; // pixels of the sheet in space per pixel of the picture
const OUTSIDE = 0.3; // how opaque the sheet is outside of the head
const LINE = 0.01; // metres between two lines of equal distance
const NAMED = 2; // every second line is labelled
const WAY = [0.5, 0.866]; // along which they are labelled

/** Slices of a record, the last one kept. */
export class Slices {
  constructor(record, scale) {
    Object.assign(this, { record, scale, key: "", last: null });
  }

  /** The slice of a state: values, box, canvas, lines [{ level, points, polylines }]. */
  at(state) {
    const key = `${state.axis} ${state.position}`;
    if (key === this.key) return this.last;
    const slice = sliceOf(this.record, state);
    this.key = key;
    const [canvas, lines] = [this.#paint(slice), this.#lines(slice)];
    this.last = { ...slice, canvas, lines, deepest: deepest(slice), sheet: sheetOf(slice, canvas, lines) };
    return this.last;
  }

  #paint({ values, width, height }) {
    const [wide, high] = [FINER * (width - 1), FINER * (height - 1)];
    const fine = new Float64Array(wide * high);
    for (let row = 0, k = 0; row < high; row += 1) {
      const [j, v] = split((high - 1 - row + 0.5) / FINER);
      for (let column = 0; column < wide; column += 1, k += 1) {
        const [i, u] = split((column + 0.5) / FINER);
        const at = j * width + i;
        const below = (1 - u) * values[at] + u * values[at + 1];
        fine[k] = (1 - v) * below + v * ((1 - u) * values[at + width] + u * values[at + width + 1]);
      }
    }
    return painted(fine, wide, high, this.scale);
  }

  #lines({ values, width, height, box: [left, low], least, greatest }) {
    const { square_segments: segments, square_count: count, square_ambiguous: ambiguous } = this.record.arrays;
    const table = { segments: segments.data, count: count.data, ambiguous: ambiguous.data };
    const { spacing } = this.record.facts.field;
    const found = [];
    for (let k = Math.ceil(least / LINE); k <= greatest / LINE; k += 1) {
      const { points, polylines } = marchingSquares({ values, width, height, level: k * LINE, table, spacing: spacing[0], origin: [left, low] });
      found.push({ level: k, points, polylines });
    }
    return found;
  }
}

/** Where the least value is. */
function deepest({ values, width, height, box: [left, low, right, high], least }) {
  const at = values.indexOf(least);
  return [left + ((at % width) / (width - 1)) * (right - left), low + (Math.floor(at / width) / (height - 1)) * (high - low)];
}

/** The slice as it stands in space: what is outside lets through what lies behind. */
function sheetOf({ box: [left, low, right, high] }, canvas, lines) {
  const sheet = document.createElement("canvas");
  [sheet.width, sheet.height] = [SHARPER * canvas.width, SHARPER * canvas.height];
  const context = sheet.getContext("2d");
  const path = new Path2D();
  const { points, polylines } = lines.find(({ level }) => level === 0) ?? { points: [], polylines: [] };
  const place = (k) => [((points[2 * k] - left) / (right - left)) * sheet.width, ((high - points[2 * k + 1]) / (high - low)) * sheet.height];
  for (const line of polylines) [...line].forEach((k, i) => path[i === 0 ? "moveTo" : "lineTo"](...place(k)));
  context.globalAlpha = OUTSIDE;
  context.drawImage(canvas, 0, 0, sheet.width, sheet.height);
  context.globalAlpha = 1;
  context.save();
  context.clip(path, "evenodd");
  context.drawImage(canvas, 0, 0, sheet.width, sheet.height);
  context.restore();
  context.lineWidth = 3;
  context.stroke(path);
  return sheet;
}

const split = (place) => [Math.floor(place), place - Math.floor(place)];

/** Draws a slice on a plane. */
export function paintSlice(plane, record, state, slice) {
  plane.image(slice.canvas, slice.box);
  const soft = plane.theme === "dark" ? "rgba(0, 0, 0, 0.45)" : "rgba(29, 31, 34, 0.35)";
  const lines = state.lines ? slice.lines : slice.lines.filter(({ level }) => level === 0);
  for (const { level, points, polylines } of lines) {
    const style = level === 0 ? { width: 2, color: "#000000", halo: "#ffffff" } : { width: level % NAMED === 0 ? 1 : 0.5, color: soft };
    for (const line of polylines) plane.line([...line].flatMap((k) => [points[2 * k], points[2 * k + 1]]), style);
  }
  if (state.lines) for (const entry of lines) if (entry.level !== 0 && entry.level % NAMED === 0) label(plane, entry, slice.deepest);
  if (state.expression !== null) plane.segments(section(record, state), { color: INK.light, width: 1.5, dash: [4, 3] });
  if (state.cursor !== null) plane.ring(...placeOf(state, state.cursor));
}

/** The distance of a line, where the line crosses the way from the deepest place to the upper right. */
function label(plane, { level, points }, [x0, y0]) {
  const [left, low, right, high] = plane.shown;
  const [inX, inY] = [0.04 * (right - left), 0.04 * (high - low)];
  let [top, best] = [-1, Infinity];
  for (let k = 0; k < points.length / 2; k += 1) {
    const [x, y] = [points[2 * k], points[2 * k + 1]];
    if (x < left + inX || x > right - inX || y < low + inY || y > high - inY) continue;
    const [along, aside] = [WAY[0] * (x - x0) + WAY[1] * (y - y0), Math.abs(WAY[1] * (x - x0) - WAY[0] * (y - y0))];
    if (along > 0 && aside < best) [top, best] = [k, aside];
  }
  if (best > 0.2 * (high - low)) return;
  const { context } = plane;
  const [x, y] = plane.at(points[2 * top], points[2 * top + 1]);
  const words = number(level * LINE);
  context.font = '11px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.lineWidth = 3;
  context.strokeStyle = "rgba(255, 255, 255, 0.85)";
  context.strokeText(words, x, y);
  context.fillStyle = SOFT.light;
  context.fillText(words, x, y);
}

/** Where the head with its present expression meets the plane: x, y, x, y per segment. */
function section(record, state) {
  if (!isFitted(record, state)) return [];
  const { vertices, source, faces } = record.arrays;
  const moved = movesOf(record, weightsOf(record, state));
  const fixed = AXES.indexOf(state.axis);
  const kept = ACROSS[state.axis].map((name) => AXES.indexOf(name));
  const at = (vertex, axis) => vertices.data[3 * vertex + axis] + moved[3 * vertex + axis];
  const found = [];
  for (let face = 0; face < faces.data.length; face += 3) {
    const corners = [0, 1, 2].map((k) => source.data[faces.data[face + k]]);
    const height = corners.map((vertex) => at(vertex, fixed) - state.position);
    for (let k = 0; k < 3; k += 1) {
      const [a, b] = [k, (k + 1) % 3];
      if (height[a] < 0 === height[b] < 0) continue;
      const part = height[a] / (height[a] - height[b]);
      for (const axis of kept) found.push(at(corners[a], axis) + part * (at(corners[b], axis) - at(corners[a], axis)));
    }
  }
  return found;
}
