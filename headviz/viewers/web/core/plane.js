// A 2-D panel: a canvas with axes in metres, zoom, and points that can be dragged by mouse, finger and keys.

import { h } from "./dom.js";
import { number } from "./format.js";
import { PAPER, SOFT } from "./look.js";
import { Marks } from "./marks.js";

const EDGE = { left: 52, right: 12, top: 12, bottom: 40 }; // pixels; the left one grows with the tick labels
const SMALL = '12px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';

export class Plane extends Marks {
  /**
   * @param {object} options
   * @param {string} options.label - what a screen reader calls it
   * @param {[number, number, number, number]} options.box - left, low, right, high of what is shown at first
   * @param {[string, string]} [options.axes] - names of the axes
   * @param {string} [options.unit] - of both axes; "" for none
   * @param {boolean} [options.equal] - whether both axes have one scale (a place) or not (a graph)
   * @param {boolean} [options.zoom] - whether wheel, pinch and drag look closer
   * @param {[Function, Function]} [options.format] - per axis: value at a tick → its text, or null for no tick there
   * @param {(plane: Plane) => void} options.paint - draws everything, back to front
   */
  constructor({ label, box, axes = ["x", "y"], unit = "m", equal = true, zoom = true, format = [tickText, tickText], paint }) {
    super();
    Object.assign(this, { home: box, box, axes, unit, equal, format, paint });
    this.theme = "light";
    this.left = EDGE.left;
    this.canvas = h("canvas", { class: "plane", role: "img", "aria-label": label });
    this.handles = h("div", { class: "handles" });
    this.message = h("p", { class: "message", role: "status", hidden: true });
    this.picture = h("div", { class: "picture" }, this.canvas, this.handles, this.message);
    this.tools = h("div", { class: "tools" });
    this.element = h("div", { class: "panel" }, this.picture, this.tools);
    this.context = this.canvas.getContext("2d");
    this.frames = 0;
    this.grips = [];
    this.listeners = new AbortController();
    this.resizes = new ResizeObserver(() => this.#resize());
    this.resizes.observe(this.picture);
    if (zoom) this.#addZoom();
  }

  /** Whether everything that has a place here can be drawn; words in place of the picture otherwise. */
  say(text) {
    this.message.hidden = text === "";
    this.message.dataset.kind = "error";
    this.message.textContent = text;
  }

  #resize() {
    this.#shape();
    const { clientWidth: width, clientHeight: height } = this.picture;
    if (width === 0 || height === 0) return;
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    Object.assign(this, { width, height, ratio });
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.draw();
  }

  /** A place with equal axes gets no more height than it can use in a narrow panel. */
  #shape() {
    const { clientWidth: width } = this.picture;
    if (!this.equal || width === 0 || width === this.shapedFor) return;
    this.shapedFor = width;
    const [left, low, right, high] = this.home;
    const inner = (width - this.left - EDGE.right) * ((high - low) / (right - left));
    this.picture.style.height = "";
    const wanted = Math.max(240, Math.round(inner + EDGE.top + EDGE.bottom));
    if (wanted < this.picture.clientHeight) this.picture.style.height = `${wanted}px`;
  }

  /** Scale and offset from the box to the canvas; one scale for both axes where they are places. */
  #fit() {
    const [left, low, right, high] = this.box;
    const inner = [this.width - this.left - EDGE.right, this.height - EDGE.top - EDGE.bottom];
    let scale = [inner[0] / (right - left), inner[1] / (high - low)];
    if (this.equal) scale = [Math.min(...scale), Math.min(...scale)];
    this.scale = scale;
    this.origin = [
      this.left + inner[0] / 2 - (scale[0] * (left + right)) / 2,
      EDGE.top + inner[1] / 2 + (scale[1] * (low + high)) / 2,
    ];
  }

  /** Pixels of a place. */
  at(x, y) {
    return [this.origin[0] + this.scale[0] * x, this.origin[1] - this.scale[1] * y];
  }

  /** The place under pixels of the canvas. */
  place(px, py) {
    return [(px - this.origin[0]) / this.scale[0], (this.origin[1] - py) / this.scale[1]];
  }

  /** The place under a pointer event. */
  under(event) {
    const box = this.picture.getBoundingClientRect();
    return this.place(event.clientX - box.left, event.clientY - box.top);
  }

  /** What can be seen now: left, low, right, high of the inner frame. */
  get shown() {
    const [left, low] = this.place(this.left, this.height - EDGE.bottom);
    const [right, high] = this.place(this.width - EDGE.right, EDGE.top);
    return [left, low, right, high];
  }

  draw() {
    if (this.width === undefined) return;
    this.#fit();
    const { context } = this;
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.fillStyle = PAPER[this.theme];
    context.fillRect(0, 0, this.width, this.height);
    context.save();
    context.beginPath();
    context.rect(this.left, EDGE.top, this.width - this.left - EDGE.right, this.height - EDGE.top - EDGE.bottom);
    context.clip();
    this.paint(this);
    context.restore();
    const needed = this.#drawAxes();
    if (Math.abs(needed - this.left) > 4 && !this.settling) {
      this.left = needed;
      this.settling = true; // once: other ticks may want another edge again
      this.draw();
      this.settling = false;
      return;
    }
    for (const grip of this.grips) grip.follow();
    this.frames += 1;
  }

  /** Frame, ticks and names; gives the left edge that its labels need. */
  #drawAxes() {
    const { context, width, height } = this;
    const [left, low, right, high] = this.shown;
    const [x0, y0, x1, y1] = [this.left, EDGE.top, width - EDGE.right, height - EDGE.bottom];
    context.strokeStyle = SOFT[this.theme];
    context.fillStyle = SOFT[this.theme];
    context.lineWidth = 1;
    context.strokeRect(x0 + 0.5, y0 + 0.5, x1 - x0 - 1, y1 - y0 - 1);
    context.font = SMALL;
    context.textAlign = "center";
    context.textBaseline = "top";
    for (const value of ticks(left, right, (x1 - x0) / 80)) {
      const text = this.format[0](value);
      if (text === null) continue;
      const [x] = this.at(value, 0);
      context.fillRect(Math.round(x), y1, 1, 4);
      context.fillText(text, x, y1 + 6);
    }
    let widest = 0;
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const value of ticks(low, high, (y1 - y0) / 48)) {
      const text = this.format[1](value);
      if (text === null) continue;
      const [, y] = this.at(0, value);
      context.fillRect(x0 - 4, Math.round(y), 4, 1);
      context.fillText(text, x0 - 7, y);
      widest = Math.max(widest, context.measureText(text).width);
    }
    const named = (name) => (this.unit ? `${name} (${this.unit})` : name);
    context.textAlign = "center";
    context.textBaseline = "bottom";
    context.fillText(named(this.axes[0]), (x0 + x1) / 2, height - 2);
    context.save();
    context.translate(10, (y0 + y1) / 2);
    context.rotate(-Math.PI / 2);
    context.textBaseline = "middle";
    context.fillText(named(this.axes[1]), 0, 0);
    context.restore();
    return Math.max(EDGE.left, Math.ceil(widest) + 28);
  }

  // Interaction.

  /**
   * A point that can be dragged, or moved by the arrow keys when it has the focus.
   *
   * @param {object} grip - { label, where() → [x, y], move(x, y) }
   */
  addHandle({ label, where, move }) {
    const button = h("button", { type: "button", class: "handle", "aria-label": `${label}. Drag it, or use the arrow keys.`, title: label });
    const { signal } = this.listeners;
    let held = false;
    button.addEventListener("pointerdown", (event) => {
      held = true;
      button.setPointerCapture(event.pointerId);
      event.preventDefault();
      button.focus({ preventScroll: true });
    }, { signal });
    button.addEventListener("pointermove", (event) => held && move(...this.#clamped(this.under(event))), { signal });
    for (const end of ["pointerup", "pointercancel"]) button.addEventListener(end, () => (held = false), { signal });
    button.addEventListener("keydown", (event) => {
      const sides = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
      if (!(event.key in sides)) return;
      const step = (event.shiftKey ? 20 : 4) / this.scale[0];
      const [x, y] = where();
      move(...this.#clamped([x + sides[event.key][0] * step, y + sides[event.key][1] * step]));
      event.preventDefault();
      event.stopPropagation();
    }, { signal });
    this.handles.append(button);
    const follow = () => {
      const [x, y] = this.at(...where());
      button.style.transform = `translate(${x}px, ${y}px)`;
    };
    this.grips.push({ follow });
  }

  #clamped([x, y]) {
    const [left, low, right, high] = this.shown;
    return [Math.min(right, Math.max(left, x)), Math.min(high, Math.max(low, y))];
  }

  /** Calls `on.down/move/up([x, y], event)` for a pointer on the picture; then dragging does not move the view. */
  onPointer({ down = () => {}, move = () => {}, up = () => {} }) {
    const { signal } = this.listeners;
    this.taken = true;
    let held = false;
    this.canvas.addEventListener("pointerdown", (event) => {
      held = true;
      this.canvas.setPointerCapture(event.pointerId);
      down(this.under(event), event);
    }, { signal });
    this.canvas.addEventListener("pointermove", (event) => move(this.under(event), event, held), { signal });
    for (const end of ["pointerup", "pointercancel"]) {
      this.canvas.addEventListener(end, (event) => {
        if (held) up(this.under(event), event);
        held = false;
      }, { signal });
    }
  }

  #addZoom() {
    const { signal } = this.listeners;
    const reset = h("button", { type: "button", hidden: true, click: () => this.show(this.home) }, "Whole picture");
    this.reset = reset;
    this.tools.append(h("div", { class: "set" },
      h("button", { type: "button", "aria-label": "Look closer", click: () => this.zoom(0.7) }, "+"),
      h("button", { type: "button", "aria-label": "Look from farther", click: () => this.zoom(1 / 0.7) }, "−"), reset));
    this.canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && document.activeElement === document.body && !this.picture.matches(":focus-within")) return;
      event.preventDefault();
      this.zoom(Math.exp(event.deltaY * 0.0015), this.under(event));
    }, { signal, passive: false });
    this.canvas.tabIndex = 0;
    let from = null;
    this.canvas.addEventListener("pointerdown", (event) => {
      this.canvas.focus({ preventScroll: true });
      if (!this.taken) from = this.under(event);
    }, { signal });
    this.canvas.addEventListener("pointermove", (event) => {
      if (from === null || event.buttons === 0) return;
      const [x, y] = this.under(event);
      const [left, low, right, high] = this.box;
      this.show([left + from[0] - x, low + from[1] - y, right + from[0] - x, high + from[1] - y]);
    }, { signal });
    this.canvas.addEventListener("pointerup", () => (from = null), { signal });
    this.canvas.addEventListener("dblclick", () => this.show(this.home), { signal });
  }

  zoom(factor, [x, y] = [(this.box[0] + this.box[2]) / 2, (this.box[1] + this.box[3]) / 2]) {
    const [left, low, right, high] = this.box;
    const wide = (this.home[2] - this.home[0]) / ((right - left) * factor);
    if (wide > 200 || wide < 0.5) return;
    this.show([x + (left - x) * factor, y + (low - y) * factor, x + (right - x) * factor, y + (high - y) * factor]);
  }

  /** Shows another box of places. */
  show(box) {
    this.box = box;
    if (this.reset) this.reset.hidden = box.every((side, k) => side === this.home[k]);
    this.draw();
  }

  setTheme(theme) {
    this.theme = theme;
    this.draw();
  }

  screenshot() {
    this.draw();
    return this.canvas.toDataURL("image/png");
  }

  dispose() {
    this.resizes.disconnect();
    this.listeners.abort();
  }
}

/** A number as it stands at a tick. */
const tickText = (value) => number(value, 4);

/** Ticks only at whole pixels of a picture's side; with sign −1 for rows, which run downwards from 0. */
export const pixelTicks = (size, sign) => (value) => (Number.isInteger(value) && value * sign >= 0 && value * sign <= size ? String(value * sign) : null);

/** Round values between two numbers, about `wanted` of them. */
export function ticks(low, high, wanted) {
  const rough = (high - low) / Math.max(1, wanted);
  if (!(rough > 0) || !Number.isFinite(rough)) return [];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((k) => k * power >= rough * 0.999) * power;
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k += 1) found.push(k * step);
  return found;
}
