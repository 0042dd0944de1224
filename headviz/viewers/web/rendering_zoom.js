// What lies around the chosen pixel of a rendering: centres of pixels, faces as they are projected, distances.

import { number } from "./core/format.js";
import { COLOR, INK, PAPER } from "./core/look.js";
import { pairsOf, vertexOf } from "./rendering_numbers.js";

const CORNERS = [COLOR.inside, COLOR.outside, COLOR.hit];
const LEAST_HALF = 4.5; // pixels to each side, from the middle of the chosen one
const ARROW = 34; // pixels of the longest arrow on the screen
// Marks lie on maps, which are the same in both themes.
const DARK = INK.light;
const PALE = "rgba(255, 255, 255, 0.35)";
const AXES = ["x", "y", "z"];

/** What is seen around a pixel: left, low, right, high; rows run downwards. */
export function boxAround({ facts }, [column, row]) {
  const half = Math.max(LEAST_HALF, (facts.margin ?? 0) + 1);
  const [x, y] = [column + 0.5, -(row + 0.5)];
  return [x - half, y - half, x + half, y + half];
}

/** Entries of the legend for a stage. */
export function legendOf(stage, ink) {
  const all = [["dot", ink, "centre of a pixel"], ["line", ink, "faces"]];
  if (stage === "soft_mask") return [...all, ["fill", COLOR.current, "faces that count, stronger with A"], ["ring", COLOR.current, "distance to the strongest; dashed: margin"]];
  if (stage === "gradient") return [...all, ["line", COLOR.current, "the vertex and its way"]];
  return [...all, ["outline", COLOR.current, "the face that is seen"]];
}

/** Where the vertex of the gradients is, and where it goes in the picture. */
export function paintVertex(plane, record, state) {
  const { spot, per_mm: moves } = vertexOf(record, state);
  if (spot === null) return; // behind the camera
  const [x, y] = spot;
  const longest = Math.max(...moves.map(([right, down]) => Math.hypot(right, down)));
  const [right, down] = moves[AXES.indexOf(state.axis)];
  const far = ARROW / plane.scale[0] / (longest || 1);
  plane.arrow(x, -y, x + far * right, -(y + far * down), { color: COLOR.current, width: 2.5 });
  plane.dot(x, -y, { color: COLOR.current, size: 5 });
}

export class Zoom {
  constructor(record) {
    this.record = record;
    const { visible, faces, corners } = record.arrays;
    this.visible = [];
    for (let face = 0; face < visible.data.length; face += 1) if (visible.data[face]) this.visible.push(face);
    this.triangle = (face) => [0, 1, 2].map((k) => {
      const corner = 2 * faces.data[3 * face + k];
      return [corners.data[corner], -corners.data[corner + 1]];
    });
  }

  /** Draws all; `picture` is the canvas of the whole map. */
  paint(plane, picture, numbers, { state, hatch }) {
    const { width, height } = this.record.facts.camera;
    const [left, low, right, high] = plane.shown;
    plane.hatch(Math.max(0, left), Math.max(-height, low), Math.min(width, right), Math.min(0, high), { gap: 10, color: hatch });
    plane.image(picture, [0, -height, width, 0], { smooth: false });
    const soft = numbers.stage === "soft_mask";
    if (soft) this.#paintContributions(plane, numbers.pixel);
    this.#paintOutlines(plane);
    this.#paintCentres(plane);
    if (numbers.covered && numbers.stage !== "gradient") plane.line(this.triangle(numbers.face), { close: true, color: COLOR.current, width: 2.5, halo: PAPER.light });
    const [x, y] = [numbers.pixel[0] + 0.5, -(numbers.pixel[1] + 0.5)];
    if (soft) this.#paintDistances(plane, x, y, numbers);
    plane.rectangle(x - 0.5, y - 0.5, x + 0.5, y + 0.5, { color: COLOR.current, width: 1.5, dash: [4, 3], halo: PAPER.light });
    plane.ring(x, y, { size: 5, width: 2.5 });
    if (numbers.stage === "gradient") paintVertex(plane, this.record, state);
    if (numbers.stage === "weights" && numbers.covered) this.#paintWeights(plane, numbers);
  }

  #paintOutlines(plane) {
    const [left, low, right, high] = plane.shown;
    const flat = [];
    for (const face of this.visible) {
      const [a, b, c] = this.triangle(face);
      if (Math.max(a[0], b[0], c[0]) < left || Math.min(a[0], b[0], c[0]) > right) continue;
      if (Math.max(a[1], b[1], c[1]) < low || Math.min(a[1], b[1], c[1]) > high) continue;
      flat.push(...a, ...b, ...b, ...c, ...c, ...a);
    }
    plane.segments(flat, { color: DARK, width: 0.9, halo: PALE });
  }

  #paintCentres(plane) {
    const { width, height } = this.record.facts.camera;
    const [left, low, right, high] = plane.shown;
    if (right - left > 40) return; // they would hide the picture
    for (let column = Math.max(0, Math.floor(left)); column < Math.min(width, right); column += 1) {
      for (let row = Math.max(0, Math.floor(-high)); row < Math.min(height, -low); row += 1) {
        plane.dot(column + 0.5, -(row + 0.5), { color: DARK, size: 2, ring: PAPER.light });
      }
    }
  }

  /** Faces that make the soft mask of the pixel, as strong as their A. */
  #paintContributions(plane, pixel) {
    const { pair_face: face, pair_probability: probability } = this.record.arrays;
    const [from, to] = pairsOf(this.record, pixel);
    for (let k = to - 1; k >= from; k -= 1) {
      const fill = `rgba(213, 94, 0, ${(0.08 + (0.82 * probability.data[k]) / probability.data[from]).toFixed(3)})`;
      plane.line(this.triangle(face.data[k]), { close: true, color: COLOR.current, width: 1, fill });
    }
  }

  #paintDistances(plane, x, y, { strongest_distance: distance }) {
    plane.circle(x, y, this.record.facts.margin, { color: COLOR.current, width: 1.5, dash: [5, 4], halo: PAPER.light });
    if (distance !== null) plane.circle(x, y, distance, { color: COLOR.current, width: 2.5, halo: PAPER.light });
  }

  #paintWeights(plane, { face, weights }) {
    const corners = this.triangle(face);
    const middle = [0, 1].map((k) => (corners[0][k] + corners[1][k] + corners[2][k]) / 3);
    corners.forEach(([x, y], k) => {
      plane.dot(x, y, { color: CORNERS[k], size: 6 });
      const right = x >= middle[0];
      plane.text(x, y, number(weights[k]), { align: right ? "left" : "right", offset: [right ? 10 : -10, y >= middle[1] ? -8 : 8] });
    });
  }
}
