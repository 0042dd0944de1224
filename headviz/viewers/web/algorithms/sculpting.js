// A sculpting session in the browser: the same steps as headviz/sculpt/session.py, with the same results.

import { Bench, dab, grabHandle } from "./brushes.js";
import { History } from "./history.js";
import { keypointHandle, setKeypoints } from "./keypoints.js";
import { residualOf, Surface } from "./rings.js";

/** Dabs of a stroke follow each other at this part of the radius. */
const SPACING = 0.15;
const single = (point) => Array.from(point, Math.fround);

export class Sculpting {
  /**
   * @param {object} base - { vertices: Float32Array, faces, mirror: ArrayLike | null, edge: metres, morphs: { name: Float32Array } }
   */
  constructor({ vertices, faces, mirror = null, edge, morphs = {} }) {
    this.surface = new Surface(vertices, faces, mirror);
    this.surface.edge = edge;
    this.morphs = morphs;
    this.positions = vertices.slice();
    this.normals = new Float32Array(vertices.length);
    this.mask = new Float32Array(this.surface.count);
    this.surface.normals(this.positions, this.normals);
    this.bench = new Bench(this.surface, this.positions, this.normals, this.mask);
    this.history = new History(this);
    this.touched = new Uint8Array(this.surface.count);
    this.listeners = new Set();
    this.measured = {};
  }

  /** Keypoints, whether they are exact, and sliders that hold now. */
  get settings() {
    return this.history.settings;
  }

  /** What is far from its mirror image, as a part of the size; see residualOf. */
  get residual() {
    return (this.measured.residual ??= residualOf(this.surface, this.positions));
  }

  /** The same of what strokes and keypoints have added to base and sliders. */
  get sculptedResidual() {
    return (this.measured.sculpted ??= residualOf(this.surface, this.#added()));
  }

  /** The same of the base. */
  get baseResidual() {
    return (this.atRest ??= residualOf(this.surface, this.surface.base));
  }

  /** The same of what sliders add. */
  get slidersResidual() {
    return (this.measured.sliders ??= residualOf(this.surface, this.#weighted(new Float32Array(this.positions.length), 1)));
  }

  #added() {
    const { base } = this.surface;
    return this.#weighted(this.positions.map((value, k) => value - base[k]), -1);
  }

  /** Adds what sliders add, times a sign. */
  #weighted(out, sign) {
    for (const [name, weight] of Object.entries(this.settings.sliders)) {
      const { indices, offsets } = this.morphs[name];
      for (let k = 0; k < offsets.length; k += 1) out[3 * indices[(k / 3) | 0] + (k % 3)] += sign * Math.fround(weight) * offsets[k];
    }
    return out;
  }

  /** Calls `listener(what)` after each change: "positions", "mask" or "history"; gives a function that ends it. */
  subscribe(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  say(what) {
    this.measured = {};
    for (const listener of this.listeners) listener(what);
  }

  /** Does a step, without history. Steps that it does not know are refused. */
  run(step) {
    const runs = { stroke, keypoints, sliders, symmetrise, mask };
    if (!Object.hasOwn(runs, step.kind)) throw new RangeError(`a step should be one of ${Object.keys(runs).join(", ")}; it is ${step.kind}`);
    this.touched.fill(0);
    runs[step.kind](this, step);
  }

  /** Says which vertices a step changes. */
  touch(indices) {
    for (let k = 0; k < indices.length; k += 1) this.touched[indices[k]] = 1;
  }

  touchAll() {
    this.touched.fill(1);
  }

  /** Normals of everything, after a step that moved everything. */
  renew() {
    this.surface.normals(this.positions, this.normals);
  }

  /** Positions and mask as before the first step. */
  clear() {
    this.positions.set(this.surface.base);
    this.mask.fill(0);
    this.renew();
  }

  /** Takes hold of the surface; see LiveStroke. */
  begin(brush, point) {
    return new LiveStroke(this, brush, point);
  }

  /** Takes hold of a keypoint; see LiveKeypoint. */
  beginKeypoint(index, keypoints) {
    return new LiveKeypoint(this, index, keypoints);
  }

  /** How many vertices lie off the base, and the farthest, metres. What is below a millionth of the size is rounding. */
  get moved() {
    return (this.measured.moved ??= this.#moved());
  }

  #moved() {
    const { base, size } = this.surface;
    const least = (1e-6 * size) ** 2;
    let [vertices, most] = [0, 0];
    for (let k = 0; k < base.length; k += 3) {
      const x = this.positions[k] - base[k];
      const y = this.positions[k + 1] - base[k + 1];
      const z = this.positions[k + 2] - base[k + 2];
      const squared = x * x + y * y + z * z;
      if (squared <= least) continue;
      vertices += 1;
      if (squared > most) most = squared;
    }
    return { vertices, most: Math.sqrt(most) };
  }
}

// Steps.

function stroke(session, { brush, points, vector }) {
  if (brush.tool !== "grab") {
    for (const point of points) dab(session.bench, brush, point, (indices) => session.touch(indices));
    return;
  }
  const handle = grabHandle(session.bench, brush, points[0]);
  session.touch(handle.indices);
  handle.move(...single(vector));
}

function keypoints(session, step) {
  for (const handle of setKeypoints(session.bench, session.settings, step)) session.touch(handle.indices);
}

function sliders(session, { values }) {
  const { positions, morphs, settings } = session;
  const missing = Object.keys(values).filter((name) => !(name in morphs));
  if (missing.length > 0) throw new RangeError(`this head has no slider ${missing.join(", ")}`);
  for (const [name, { indices, offsets }] of Object.entries(morphs)) {
    const change = Math.fround((values[name] ?? 0) - (name in values ? (settings.sliders[name] ?? 0) : 0));
    if (change === 0) continue;
    session.touch(indices);
    for (let k = 0; k < offsets.length; k += 1) positions[3 * indices[(k / 3) | 0] + (k % 3)] += change * offsets[k];
  }
  session.renew();
}

function symmetrise(session, { keep }) {
  const { positions, surface: { base, mirror, count } } = session;
  if (mirror === null) throw new RangeError("this mesh has no mirror map: not every vertex has a twin across x = 0");
  session.touched.fill(1);
  for (let i = 0; i < count; i += 1) {
    const j = mirror[i];
    if (j === i) positions[3 * i] = 0;
    else if ((base[3 * i] > base[3 * j] || (base[3 * i] === base[3 * j] && i < j)) === (keep === "left")) {
      positions[3 * j] = -positions[3 * i];
      positions[3 * j + 1] = positions[3 * i + 1];
      positions[3 * j + 2] = positions[3 * i + 2];
    }
  }
  session.renew();
}

function mask(session, { how }) {
  session.touched.fill(1);
  for (let i = 0; i < session.mask.length; i += 1) session.mask[i] = how === "clear" ? 0 : 1 - session.mask[i];
}

// What is under way.

/** A stroke that is being made: `move(point)`, then `finish()` or `cancel()`. */
export class LiveStroke {
  /**
   * @param {Sculpting} session
   * @param {object} brush
   * @param {number[]} point - of the surface, metres
   */
  constructor(session, brush, point) {
    Object.assign(this, { session, brush: { ...brush }, points: [single(point)], vector: [0, 0, 0] });
    session.touched.fill(0);
    this.before = session.history.keep();
    if (brush.tool !== "grab") return this.#dab(this.points[0]);
    this.handle = grabHandle(session.bench, brush, this.points[0]);
    session.touch(this.handle.indices);
  }

  get step() {
    return { kind: "stroke", brush: this.brush, points: this.points, vector: this.vector };
  }

  /** Whether it has changed anything. */
  get done() {
    return !this.handle || this.vector.some((value) => value !== 0);
  }

  /** A grab goes to the point; other tools dab on the way to it. Gives milliseconds. */
  move(point) {
    const start = performance.now();
    if (this.handle) {
      const [x, y, z] = this.points[0];
      this.vector = single([point[0] - x, point[1] - y, point[2] - z]);
      this.handle.move(...this.vector);
    } else this.#follow(single(point));
    this.session.say(this.brush.tool === "mask" ? "mask" : "positions");
    return performance.now() - start;
  }

  #follow(point) {
    const last = this.points.at(-1);
    const way = point.map((value, axis) => value - last[axis]);
    const steps = Math.min(1000, Math.floor(Math.hypot(...way) / (SPACING * this.brush.radius)));
    for (let k = 1; k <= steps; k += 1) this.#dab(single(way.map((value, axis) => last[axis] + (value * k) / steps)));
  }

  #dab(point) {
    if (point !== this.points[0]) this.points.push(point);
    dab(this.session.bench, this.brush, point, (indices) => this.session.touch(indices));
  }

  /** The step's entry in the history. */
  finish(options) {
    return this.session.history.add(this.step, this.before, options);
  }

  cancel() {
    this.session.history.restore(this.before);
  }
}

/** A keypoint whose vector is being dragged; one that is new, where other keypoints than the session's are given. */
export class LiveKeypoint {
  constructor(session, index, keypoints = session.settings.keypoints) {
    Object.assign(this, { session, index, keypoints, vector: keypoints[index].vector });
    this.exact = session.settings.exact;
    this.before = session.history.keep();
    this.fresh = keypoints !== session.settings.keypoints;
    session.touched.fill(0);
    if (this.fresh) session.run(this.step);
    this.from = this.vector;
    this.handle = keypointHandle(session.bench, { keypoints, exact: this.exact }, index);
    session.touch(this.handle.indices);
  }

  get step() {
    const { keypoints: all, exact, index, vector } = this;
    return { kind: "keypoints", keypoints: all.map((keypoint, k) => (k === index ? { ...keypoint, vector } : keypoint)), exact };
  }

  get done() {
    return this.fresh || this.vector.some((value, axis) => value !== this.from[axis]);
  }

  /** Gives the keypoint another vector, metres; gives milliseconds. */
  move(vector) {
    const start = performance.now();
    this.vector = single(vector);
    this.handle.move(...single(this.vector.map((value, axis) => value - this.from[axis])));
    this.session.say("positions");
    return performance.now() - start;
  }

  finish(options) {
    return this.session.history.add(this.step, this.before, options);
  }

  cancel() {
    this.session.history.restore(this.before);
  }
}

/** Sliders that are being moved. */
export class LiveSliders {
  constructor(session) {
    Object.assign(this, { session, values: {} });
    this.before = session.history.keep();
    this.touched = new Uint8Array(session.touched.length);
  }

  get step() {
    return { kind: "sliders", values: this.values };
  }

  get done() {
    const { sliders: weights } = this.session.settings;
    return Object.entries(this.values).some(([name, value]) => value !== (weights[name] ?? 0));
  }

  move(values) {
    const start = performance.now();
    Object.assign(this.values, values);
    this.session.positions.set(this.before.positions);
    this.session.run(this.step);
    this.session.touched.forEach((value, i) => (this.touched[i] |= value));
    this.session.say("positions");
    return performance.now() - start;
  }

  finish(options) {
    this.session.touched.set(this.touched);
    return this.session.history.add(this.step, this.before, options);
  }

  cancel() {
    this.session.history.restore(this.before);
  }
}
