// The photograph with what is known of it so far: the face's box, landmarks, the fitted head over it.

import { h } from "./core/dom.js";
import { COLOR, PAPER } from "./core/look.js";
import { Marks } from "./core/marks.js";
import { isFitted, stageOf, viewBox } from "./reconstruction_data.js";

const WHITE = "#ffffff";
const DARK = "rgba(0, 0, 0, 0.55)";
const LABEL = "Photograph. Click the head to choose a place on it";

/** A 2-D panel whose places are the photograph's pixels, rows downwards. */
export class Photo extends Marks {
  /** @param {object} options - { record, pick(u, v): a person points at these pixels } */
  constructor({ record, pick }) {
    super();
    this.record = record;
    this.theme = "light";
    this.canvas = h("canvas", { class: "plane", role: "img", "aria-label": LABEL });
    this.picture = h("div", { class: "picture" }, this.canvas);
    this.words = h("div", {});
    this.element = h("div", { class: "panel" }, this.picture, this.words);
    this.context = this.canvas.getContext("2d");
    this.frames = 0;
    this.listeners = new AbortController();
    this.canvas.addEventListener("click", (event) => pick(...this.under(event)), { signal: this.listeners.signal });
    this.resizes = new ResizeObserver(() => this.#resize());
    this.resizes.observe(this.picture);
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.picture;
    if (width === 0 || height === 0) return;
    this.ratio = Math.min(window.devicePixelRatio || 1, 2);
    Object.assign(this, { width, height });
    this.canvas.width = Math.round(width * this.ratio);
    this.canvas.height = Math.round(height * this.ratio);
    this.draw();
  }

  #fit() {
    const [left, top, right, bottom] = viewBox(this.record, stageOf(this.record, this.state));
    const scale = Math.min(this.width / (right - left), this.height / (bottom - top));
    this.scale = [scale, scale];
    this.origin = [this.width / 2 - (scale * (left + right)) / 2, this.height / 2 - (scale * (top + bottom)) / 2];
  }

  /** Pixels of the canvas of a place. */
  at(u, v) {
    return [this.origin[0] + this.scale[0] * u, this.origin[1] + this.scale[1] * v];
  }

  /** The pixels of the photograph under a pointer. */
  under(event) {
    const box = this.picture.getBoundingClientRect();
    return [(event.clientX - box.left - this.origin[0]) / this.scale[0], (event.clientY - box.top - this.origin[1]) / this.scale[1]];
  }

  show(state) {
    this.state = state;
    this.draw();
  }

  draw() {
    if (this.width === undefined || this.state === undefined) return;
    this.#fit();
    const { context, record, state } = this;
    const { facts, images } = record;
    const stage = stageOf(record, state);
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.fillStyle = PAPER[this.theme];
    context.fillRect(0, 0, this.width, this.height);
    this.#image(images.photograph, [0, 0, ...facts.size]);
    context.save();
    this.#clip(facts.size);
    if (stage !== "photograph" && stage !== "face") this.#image(images.window, facts.window);
    if (isFitted(record, state)) {
      context.globalAlpha = state.opacity;
      this.#image(images.overlay, facts.window);
    }
    context.restore();
    if (stage === "face") this.#box(facts.face);
    if (state.landmarks && record.arrays.landmarks !== undefined && (stage === "landmarks" || stage === "fit")) this.#landmarks(stage === "fit");
    if (state.cursor !== null && isFitted(record, state)) this.ring(...projected(facts.camera, state.cursor));
    this.frames += 1;
  }

  /** Nothing is drawn beside the photograph: the window around the head may reach farther. */
  #clip([width, height]) {
    const [x, y] = this.at(0, 0);
    this.context.beginPath();
    this.context.rect(x, y, this.scale[0] * width, this.scale[1] * height);
    this.context.clip();
  }

  #image(source, [left, top, right, bottom]) {
    const [x0, y0] = this.at(left, top);
    const [x1, y1] = this.at(right, bottom);
    this.context.imageSmoothingQuality = "high";
    this.context.drawImage(source, x0, y0, x1 - x0, y1 - y0);
  }

  #box([left, top, right, bottom]) {
    this.line([left, top, right, top, right, bottom, left, bottom], { color: COLOR.current, width: 2.5, close: true, halo: WHITE });
  }

  #landmarks(withFit) {
    const { landmarks, landmarks_fitted: fitted, outlying, outlines } = this.record.arrays;
    const seen = landmarks.data;
    const ends = outlines === undefined ? [] : [...outlines.data].flatMap((k) => [seen[2 * k], seen[2 * k + 1]]);
    this.segments(ends, { color: WHITE, width: 1, halo: DARK });
    const both = withFit && fitted !== undefined;
    if (both) {
      const links = [];
      for (let k = 0; k < seen.length; k += 2) links.push(seen[k], seen[k + 1], fitted.data[k], fitted.data[k + 1]);
      this.segments(links, { color: WHITE, width: 1 });
      this.#dots(fitted.data, COLOR.hit, 2.2);
    }
    this.#dots(seen, COLOR.current, both ? 1.6 : 2);
    if (outlying === undefined) return;
    outlying.data.forEach((is, k) => is && this.cross(seen[2 * k], seen[2 * k + 1], "", { size: 4 }));
  }

  #dots(points, color, size) {
    const { context } = this;
    context.fillStyle = color;
    context.beginPath();
    for (let k = 0; k < points.length; k += 2) {
      const [x, y] = this.at(points[k], points[k + 1]);
      context.moveTo(x + size, y);
      context.arc(x, y, size, 0, 2 * Math.PI);
    }
    context.fill();
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

/** The pixels (u, v) of a point in space; see headviz/geometry/camera.py. */
export function projected({ rotation, translation, focal, center }, point) {
  const [x, y, z] = rotation.map((row, k) => row[0] * point[0] + row[1] * point[1] + row[2] * point[2] + translation[k]);
  return [center[0] - (focal * x) / z, center[1] + (focal * y) / z];
}

/** Origin and direction, in space, of the ray through pixels (u, v). */
export function rayThrough({ rotation, translation, focal, center }, u, v) {
  const seen = [(u - center[0]) / focal, (center[1] - v) / focal, -1];
  const turned = (vector) => [0, 1, 2].map((k) => rotation[0][k] * vector[0] + rotation[1][k] * vector[1] + rotation[2][k] * vector[2]);
  return { origin: turned(translation).map((value) => -value), direction: turned(seen) };
}
