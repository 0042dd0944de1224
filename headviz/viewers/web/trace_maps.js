// The maps of a traced picture as pixels: what is known after a step, steps, depth, normals, thickness, status.

import { length, number } from "./core/format.js";
import { channels, COLOR } from "./core/look.js";
import { directionOf } from "./trace_ray.js";

const HIT = 1;
const OUT_OF_STEPS = 2;
const CLEAR = 0; // the hatching behind the picture shows through

const packed = (red, green, blue) => ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
const ofColor = (color) => packed(...channels(color));

/** Names of the maps that a record has, with their words. */
export function mapsOf({ arrays }) {
  const all = [
    ["known", "After this step"], ["shaded", "Lit", "shaded"], ["steps", "Steps"], ["depth", "Depth"],
    ["normals", "Normals", "normal"], ["thickness", "Thickness", "back"], ["status", "Status"],
  ];
  return all.filter(([, , needs]) => needs === undefined || needs in arrays).map(([name, words]) => [name, words]);
}

/** One canvas with as many pixels as the picture has; show() fills it, and allocates nothing from step to step. */
export class Maps {
  constructor(record) {
    this.record = record;
    const { camera } = record.facts;
    this.canvas = document.createElement("canvas");
    this.canvas.width = camera.width;
    this.canvas.height = camera.height;
    this.context = this.canvas.getContext("2d", { willReadFrequently: true }); // it is written at every step: kept beside the processor
    this.image = this.context.createImageData(camera.width, camera.height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    const colors = record.arrays["look.sequential"].data;
    this.colors = Uint32Array.from({ length: 256 }, (_, k) => packed(colors[3 * k], colors[3 * k + 1], colors[3 * k + 2]));
    this.wrong = ofColor(COLOR.wrong);
    this.from = null; // the step whose "known" is in the pixels
    this.ranges = { depth: this.#range(record.arrays.depth.data), thickness: [0, 0] };
    if (record.arrays.back) {
      this.thick = this.#thickness();
      this.ranges.thickness = [0, this.#range(this.thick)[1]];
    }
  }

  #range(values) {
    let [low, high] = [Infinity, -Infinity];
    for (const value of values) {
      if (!Number.isFinite(value)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
    return low <= high ? [low, high] : [0, 0];
  }

  /** Front to back along each ray, metres; NaN without a hit. */
  #thickness() {
    const { arrays, facts: { camera } } = this.record;
    const [front, back] = [arrays.depth.data, arrays.back.data];
    const found = new Float32Array(front.length).fill(NaN);
    for (let row = 0, p = 0; row < camera.height; row += 1) {
      for (let column = 0; column < camera.width; column += 1, p += 1) {
        if (front[p] < Infinity) found[p] = (back[p] - front[p]) * Math.hypot(...directionOf(this.record, [column, row]));
      }
    }
    return found;
  }

  /** Fills the canvas with a map at a step; true where that changed it. */
  show(map, step) {
    const name = map === "known" ? `known ${step}` : map;
    if (name === this.shown) return false;
    this.shown = name;
    if (map === "known") this.#known(step);
    else this[`_${map}`]();
    this.from = map === "known" ? step : null;
    this.context.putImageData(this.image, 0, 0);
    return true;
  }

  /**
   * Hits lit, misses clear, and rays that still march in the colour of the distance that they have just found. Only
   * what differs from the step that was shown before is touched.
   */
  #known(step) {
    this.#prepareKnown();
    const { pixels, settled, codes, colors } = this;
    const { arrays } = this.record;
    const last = arrays.last.data;
    if (this.from === null) pixels.fill(CLEAR);
    const [old, now] = [this.from === null ? 0 : this.ended[this.from + 2], this.ended[step + 2]];
    for (let k = old; k < now; k += 1) pixels[this.byEnd[k]] = settled[this.byEnd[k]];
    for (let k = now; k < old; k += 1) pixels[this.byEnd[k]] = CLEAR;
    const [ray, offsets] = [arrays.index.data, arrays.offsets.data];
    const spread = this.record.facts.every > 1;
    for (let k = offsets[step]; k < (offsets[step + 1] ?? 0); k += 1) {
      if (spread) this.#spread(ray[k], step, colors[codes[k]]);
      else if (last[ray[k]] > step) pixels[ray[k]] = colors[codes[k]];
    }
  }

  /** The colour of a ray on all pixels that it stands for, as far as they still march. */
  #spread(ray, step, color) {
    const { every, camera: { width, height } } = this.record.facts;
    const last = this.record.arrays.last.data;
    const [column, row] = [ray % width, Math.floor(ray / width)];
    for (let y = row; y < Math.min(row + every, height); y += 1) {
      for (let p = y * width + column; p < y * width + Math.min(column + every, width); p += 1) {
        if (last[p] > step) this.pixels[p] = color;
      }
    }
  }

  /** The colour of each ray when it has ended, and of each look: its distance on a scale of equal factors. */
  #prepareKnown() {
    if (this.settled) return;
    const { arrays, facts: { distances } } = this.record;
    const status = arrays.status.data;
    const skin = ofColor(COLOR.skin);
    const lit = arrays.shaded?.data;
    this.settled = new Uint32Array(status.length);
    for (let p = 0; p < status.length; p += 1) {
      if (status[p] === HIT) this.settled[p] = lit ? packed(lit[3 * p], lit[3 * p + 1], lit[3 * p + 2]) : skin;
      else this.settled[p] = status[p] === OUT_OF_STEPS ? this.wrong : CLEAR;
    }
    this.#sortByEnd();
    const [low, high] = distances.map(Math.log);
    const values = arrays.distance.data;
    this.codes = new Uint8Array(values.length);
    for (let k = 0; k < values.length; k += 1) {
      const part = (Math.log(Math.abs(values[k])) - low) / (high - low);
      this.codes[k] = Math.max(0, Math.min(255, Math.round(255 * part))); // −∞ for 0 gives the first
    }
  }

  /** Pixels in the order of their rays' last steps: those that have ended after step s are the first ended[s + 2]. */
  #sortByEnd() {
    const { last, look } = this.record.arrays;
    this.ended = new Uint32Array(Math.max(1, look.data.length) + 2);
    for (const step of last.data) this.ended[step + 2] += 1;
    for (let s = 1; s < this.ended.length; s += 1) this.ended[s] += this.ended[s - 1];
    const next = this.ended.slice();
    this.byEnd = new Uint32Array(last.data.length);
    for (let p = 0; p < last.data.length; p += 1) {
      this.byEnd[next[last.data[p] + 1]] = p;
      next[last.data[p] + 1] += 1;
    }
  }

  // One function per map that the step does not change.

  _shaded() {
    this.#triples(this.record.arrays.shaded.data, (value) => value);
  }

  _normals() {
    this.#triples(this.record.arrays.normal.data, (value) => Math.round(127.5 + value * (127.5 / 127)));
  }

  #triples(values, level) {
    const status = this.record.arrays.status.data;
    for (let p = 0; p < status.length; p += 1) {
      this.pixels[p] = status[p] === HIT ? packed(level(values[3 * p]), level(values[3 * p + 1]), level(values[3 * p + 2])) : CLEAR;
    }
  }

  _steps() {
    const most = this.record.facts.most_steps;
    this.#scaled(this.record.arrays.steps.data, [1, most], (value) => value > 0);
  }

  _depth() {
    this.#scaled(this.record.arrays.depth.data, this.ranges.depth, (value) => value < Infinity);
  }

  _thickness() {
    const status = this.record.arrays.status.data;
    this.#scaled(this.thick, this.ranges.thickness, (_, p) => status[p] === HIT);
  }

  #scaled(values, [low, high], there) {
    const factor = high > low ? 255 / (high - low) : 0;
    for (let p = 0; p < this.pixels.length; p += 1) {
      const value = values[p];
      const code = Math.max(0, Math.min(255, Math.round((value - low) * factor)));
      this.pixels[p] = !there(value, p) ? CLEAR : Number.isNaN(value) ? this.wrong : this.colors[code];
    }
  }

  _status() {
    const colors = [CLEAR, ofColor(COLOR.hit), this.wrong];
    const status = this.record.arrays.status.data;
    for (let p = 0; p < status.length; p += 1) this.pixels[p] = colors[status[p]];
  }

  /** What explains a map: { bar: [label, low, high] or null, legend: entries of Shell.legend }. */
  explain(map) {
    const { facts } = this.record;
    const lost = facts.status.out_of_steps > 0 ? [["fill", COLOR.wrong, "out of steps"]] : [];
    const none = ["hatch", COLOR.missed, "no hit"];
    const metres = (name) => this.ranges[name].map((value) => length(value));
    const lit = ["fill", COLOR.skin, "hit: lit"];
    const explained = {
      known: { bar: ["still marching: distance", ...facts.distances.map(length)], legend: [lit, ["hatch", COLOR.missed, "missed"], ...lost] },
      shaded: { bar: null, legend: [lit, none] },
      steps: { bar: ["looks of a ray", "1", `${number(facts.most_steps)} or more`], legend: [["hatch", COLOR.missed, "none"]] },
      depth: { bar: ["depth of the hit", ...metres("depth")], legend: [none] },
      normals: { bar: null, legend: [["fill", "#ff8080", "+x: its own left"], ["fill", "#80ff80", "+y: up"], ["fill", "#8080ff", "+z: ahead"], none] },
      thickness: { bar: ["front to back", ...metres("thickness")], legend: [none, ["fill", COLOR.wrong, "back unknown"]] },
      status: { bar: null, legend: [["fill", COLOR.hit, "hit"], ["hatch", COLOR.missed, "missed"], ["fill", COLOR.wrong, "out of steps"]] },
    };
    return explained[map];
  }
}
