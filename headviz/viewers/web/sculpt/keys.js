// Keys on the picture, Blender's where it has one: F and the mouse change the radius, Shift F the strength; X the symmetry.

import { number } from "../core/format.js";
import { millimetres } from "./words.js";

const PIXELS = 200; // by which the mouse moves for the whole range
const LIMITS = { radius: (size) => [0.004 * size, 0.6 * size], strength: () => [0, 2] };

/** The range of a brush's number. */
export const limitsOf = (name, size) => LIMITS[name](size);

export class Keys {
  /**
   * @param {object} view - { shell, space, session, desk, pointer, say(words), press(), forget() }
   */
  constructor(view) {
    this.view = view;
    this.change = null;
    this.listeners = new AbortController();
    const { signal } = this.listeners;
    const listen = (type, handler) => view.shell.figure.addEventListener(type, handler, { signal, capture: true });
    listen("keydown", (event) => this.#down(event));
  }

  #down(event) {
    const path = event.composedPath();
    const [target] = path;
    if (target.closest?.("input:not([type=range]):not([type=checkbox]), textarea, select") && event.key !== "Escape") return;
    const onPicture = target === this.view.space.canvas;
    const used = this.#anywhere(event) || (onPicture && !event.ctrlKey && !event.metaKey && !event.altKey && this.#onPicture(event));
    if (!used) return;
    event.preventDefault();
    event.stopPropagation();
  }

  #anywhere(event) {
    const key = event.key.toLowerCase();
    if (!(event.ctrlKey || event.metaKey) || event.altKey || (key !== "z" && key !== "y")) return false;
    if (key === "y" || event.shiftKey) this.view.desk.redo();
    else this.view.desk.undo();
    return true;
  }

  #onPicture(event) {
    const { view } = this;
    const key = event.key.toLowerCase();
    const { state } = view.shell;
    const scaled = (factor) => view.shell.set({ radius: clamp(state.radius * factor, limitsOf("radius", view.session.surface.size)) });
    const does = {
      f: () => this.#begin(event.shiftKey ? "strength" : "radius"),
      x: () => view.shell.set({ symmetric: !state.symmetric }),
      m: () => view.shell.set({ symmetric: !state.symmetric }),
      "[": () => scaled(1 / 1.1),
      "]": () => scaled(1.1),
      enter: () => (this.change === null ? view.press() : this.#end(true)),
      delete: () => view.forget(),
      backspace: () => view.forget(),
      escape: () => this.#end(false) || view.pointer.cancel(),
      1: () => view.space.orbit.view("front"),
      3: () => view.space.orbit.view("left"),
      7: () => view.space.orbit.view("top"),
    };
    if (!Object.hasOwn(does, key)) return false;
    does[key]();
    return true;
  }

  #begin(name) {
    this.#end(true);
    this.change = { name, from: this.view.shell.state[name], at: null };
    this.#say();
  }

  #say() {
    const { name } = this.change;
    const value = this.view.shell.state[name];
    const words = name === "radius" ? `Radius ${millimetres(value)}` : `Strength ${number(value)}`;
    this.view.say(`${words}. Move the mouse to the side; click or Enter takes it, Esc does not.`);
  }

  #end(keep) {
    if (this.change === null) return false;
    if (!keep) this.view.shell.set({ [this.change.name]: this.change.from });
    this.change = null;
    this.view.say("");
    return true;
  }

  /** Whether a pointer's event belongs to a change that a key has begun. */
  takes(event) {
    const { change } = this;
    if (change === null) return false;
    if (event.type === "pointerdown") return this.#end(event.button === 0);
    change.at ??= event.clientX;
    const [low, high] = limitsOf(change.name, this.view.session.surface.size);
    const part = (event.clientX - change.at) / PIXELS;
    const value = change.name === "radius" ? change.from * Math.exp(2 * part) : change.from + part * (high - low);
    this.view.shell.set({ [change.name]: Number(clamp(value, [low, high]).toPrecision(3)) });
    this.#say();
    return true;
  }

  dispose() {
    this.listeners.abort();
  }
}

const clamp = (value, [low, high]) => Math.max(low, Math.min(high, value));
