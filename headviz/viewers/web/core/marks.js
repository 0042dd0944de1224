// What is drawn on a 2-D panel: lines, circles, dots, words. Places are in the units of the axes, sizes in pixels.

import { COLOR, INK, PAPER, SURFACE } from "./look.js";

const FONT = '13px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';

/** The marks of a panel; the panel gives `context`, `theme`, `scale` and `at(x, y)`. */
export class Marks {
  /** A picture whose rows run downwards, over a box of places. */
  image(source, [left, low, right, high], { smooth = true } = {}) {
    const [x0, y0] = this.at(left, high);
    const [x1, y1] = this.at(right, low);
    this.context.imageSmoothingEnabled = smooth;
    this.context.drawImage(source, x0, y0, x1 - x0, y1 - y0);
  }

  /** A line through places; flat array x, y, x, y, … or list of [x, y]. */
  line(points, { color = SURFACE[this.theme], width = 2, dash = [], close = false, fill = null, halo = null } = {}) {
    const flat = Array.isArray(points[0]) ? points.flat() : points;
    const { context } = this;
    context.beginPath();
    for (let i = 0; i < flat.length; i += 2) {
      const [x, y] = this.at(flat[i], flat[i + 1]);
      if (i === 0) context.moveTo(x, y);
      else context.lineTo(x, y);
    }
    if (close) context.closePath();
    this.ink({ color, width, dash, fill, halo });
  }

  /** Segments between pairs of places: flat array x, y, x, y per segment. */
  segments(flat, { color = SURFACE[this.theme], width = 2, dash = [], halo = null } = {}) {
    const { context } = this;
    context.beginPath();
    for (let i = 0; i < flat.length; i += 4) {
      context.moveTo(...this.at(flat[i], flat[i + 1]));
      context.lineTo(...this.at(flat[i + 2], flat[i + 3]));
    }
    this.ink({ color, width, dash, fill: null, halo });
  }

  circle(x, y, radius, { color = COLOR.current, width = 1.5, fill = null, dash = [], halo = null } = {}) {
    const [px, py] = this.at(x, y);
    this.context.beginPath();
    this.context.ellipse(px, py, Math.abs(radius * this.scale[0]), Math.abs(radius * this.scale[1]), 0, 0, 2 * Math.PI);
    this.ink({ color, width, dash, fill, halo });
  }

  rectangle(left, low, right, high, { color = null, width = 1, fill = null, dash = [], halo = null } = {}) {
    const [x0, y0] = this.at(left, high);
    const [x1, y1] = this.at(right, low);
    this.context.beginPath();
    this.context.rect(x0, y0, x1 - x0, y1 - y0);
    this.ink({ color, width, dash, fill, halo });
  }

  /** A dot of some pixels. */
  dot(x, y, { color = COLOR.hit, size = 5, ring = null } = {}) {
    const [px, py] = this.at(x, y);
    this.context.beginPath();
    this.context.arc(px, py, size, 0, 2 * Math.PI);
    this.ink({ color: ring ?? PAPER[this.theme], width: 1.5, dash: [], fill: color, halo: null });
  }

  /** A ring of some pixels: the current step. */
  ring(x, y, { color = COLOR.current, size = 8, width = 3 } = {}) {
    const [px, py] = this.at(x, y);
    this.context.beginPath();
    this.context.arc(px, py, size, 0, 2 * Math.PI);
    this.ink({ color, width, dash: [], fill: null, halo: PAPER[this.theme] });
  }

  /** A cross of some pixels, always with a word. */
  cross(x, y, word, { color = COLOR.wrong, size = 6 } = {}) {
    const [px, py] = this.at(x, y);
    this.context.beginPath();
    for (const side of [1, -1]) {
      this.context.moveTo(px - size, py - side * size);
      this.context.lineTo(px + size, py + side * size);
    }
    this.ink({ color, width: 3, dash: [], fill: null, halo: PAPER[this.theme] });
    if (word) this.text(x, y, word, { color: INK[this.theme], offset: [size + 4, -size] });
  }

  /** Words at a place, with paper behind them. */
  text(x, y, words, { color = INK[this.theme], align = "left", offset = [0, 0], baseline = "middle", size = 13 } = {}) {
    const { context } = this;
    const [px, py] = this.at(x, y);
    context.font = FONT.replace("13px", `${size}px`);
    context.textAlign = align;
    context.textBaseline = baseline;
    context.lineWidth = 4;
    context.lineJoin = "round";
    context.strokeStyle = PAPER[this.theme];
    context.strokeText(words, px + offset[0], py + offset[1]);
    context.fillStyle = color;
    context.fillText(words, px + offset[0], py + offset[1]);
  }

  /** An arrow between two places. */
  arrow(x0, y0, x1, y1, { color = INK[this.theme], width = 2, head = 9 } = {}) {
    const [a, b] = [this.at(x0, y0), this.at(x1, y1)];
    const turn = Math.atan2(b[1] - a[1], b[0] - a[0]);
    const { context } = this;
    context.beginPath();
    context.moveTo(...a);
    context.lineTo(...b);
    for (const side of [2.6, -2.6]) {
      context.moveTo(...b);
      context.lineTo(b[0] + head * Math.cos(turn + side), b[1] + head * Math.sin(turn + side));
    }
    this.ink({ color, width, dash: [], fill: null, halo: PAPER[this.theme] });
  }

  /** Diagonal hatching of a rectangle: dropped safely. */
  hatch(left, low, right, high, { color = COLOR.missed, gap = 8, width = 1 } = {}) {
    const { context } = this;
    const [x0, y0] = this.at(left, high);
    const [x1, y1] = this.at(right, low);
    context.save();
    context.beginPath();
    context.rect(x0, y0, x1 - x0, y1 - y0);
    context.clip();
    context.beginPath();
    const first = Math.floor((x0 + y0) / gap) * gap; // lines of all rectangles meet
    for (let sum = first; sum <= x1 + y1; sum += gap) {
      context.moveTo(sum - y1, y1);
      context.lineTo(sum - y0, y0);
    }
    this.ink({ color, width, dash: [], fill: null, halo: null });
    context.restore();
  }

  ink({ color, width, dash, fill, halo }) {
    const { context } = this;
    context.setLineDash(dash);
    context.lineJoin = "round";
    if (fill !== null) {
      context.fillStyle = fill;
      context.fill();
    }
    if (halo !== null) {
      context.strokeStyle = halo;
      context.lineWidth = width + 2.5;
      context.stroke();
    }
    if (color !== null) {
      context.strokeStyle = color;
      context.lineWidth = width;
      context.stroke();
    }
    context.setLineDash([]);
  }
}
