// One viewer on a page: panels, controls, step slider, caption, theme, links. Knows nothing of what is drawn.

import { Controls, Transport } from "./controls.js";
import { h } from "./dom.js";
import { length, number } from "./format.js";
import { busOf } from "./link.js";
import { scaleOf } from "./look.js";
import { Plane } from "./plane.js";
import { Space } from "./space.js";
import { CORE_STYLE } from "./style.js";

const THEMES = ["auto", "light", "dark"];

/**
 * A viewer is a module `{ kind, initial(record), steps(record, state), caption(record, state), numbers(record, state),
 * mount(shell, record), update?(record, state, changes), prepare?(record) }`; `mount` gives `{ draw(state, before),
 * dispose?() }`; `prepare` is awaited first, for what browsers decode in their own time.
 * All but mount are pure, so that they can be called without a page.
 */
export class Shell {
  /**
   * @param {HTMLElement} element - is filled; emptied again by dispose()
   * @param {object} viewer - the module
   * @param {object} record - from unpack()
   * @param {object} options - { title, link, note, theme, onChange(state, numbers, caption) }
   */
  constructor(element, viewer, record, { title = "", link = null, note = "", theme = "auto", onChange = () => {} } = {}) {
    Object.assign(this, { viewer, record, onChange });
    this.host = document.createElement("div");
    this.host.dataset.lmSuppressShortcuts = "true"; // or JupyterLab takes our keys for its commands
    this.root = this.host.attachShadow({ mode: "open" });
    element.replaceChildren(this.host);
    this.panels = [];
    this.request = 0;
    this.drawn = null;
    this.state = { step: 0, cursor: null, ...viewer.initial(record), ...record.state };
    this.bus = busOf(link);
    this.controls = new Controls(this);
    this.transport = new Transport(this);
    this.#build(title, note);
    this.picture = this.#mount();
    this.silence = this.bus.listen(this, (topic, value) => this.#hear(topic, value));
    this.#followTheme(theme);
    this.#draw();
  }

  get arrays() {
    return this.record.arrays;
  }

  get facts() {
    return this.record.facts;
  }

  get steps() {
    return this.viewer.steps(this.record, this.state);
  }

  #build(title, note) {
    this.style = h("style", {});
    this.style.textContent = CORE_STYLE;
    this.places = h("div", { class: "panels" });
    this.figcaption = h("figcaption", { "aria-live": "polite" });
    this.message = h("p", { class: "failure", role: "alert", hidden: true });
    this.about = h("p", { class: "hint" }, [note, this.#precision()].filter(Boolean).join(" "));
    this.figure = h("figure", { class: "shell", tabindex: "-1", "aria-label": title || this.viewer.kind, keydown: (event) => this.#key(event) },
      title ? h("h2", {}, title) : null, this.message, this.places, this.transport.element, this.figcaption, this.controls.element, this.about);
    this.root.append(this.style, this.figure);
  }

  /** How far rounded arrays may be off, said where there are any. */
  #precision() {
    const rounded = Object.entries(this.record.errors ?? {});
    if (rounded.length === 0) return "";
    return `Rounded for the page: ${rounded.map(([name, error]) => `${name} by at most ${length(error)}`).join(", ")}.`;
  }

  #mount() {
    try {
      return this.viewer.mount(this, this.record);
    } catch (error) {
      this.fail(error);
      return { draw() {} };
    }
  }

  /** Says what went wrong; never a blank page. */
  fail(error) {
    console.error(error);
    this.failed = this.drawing === true;
    this.message.hidden = false;
    this.message.textContent = `This record cannot be drawn: ${error.message}`;
  }

  // What a viewer's mount() uses.

  /** Adds a 2-D panel; see Plane. Options besides: { grow: how much of the width it wants, title, colorbar, legend }. */
  plane(options) {
    return this.place(new Plane(options), options);
  }

  /** Adds a 3-D panel; see Space. Options besides as for plane(). */
  space(options) {
    const onMove = (pose) => this.bus.say(this, "camera", pose);
    return this.place(new Space({ ...options, onMove }), options);
  }

  /** Adds any element as a panel. */
  block(element, options = {}) {
    const panel = h("div", { class: "panel block" }, element);
    this.place({ element: panel, setTheme() {}, dispose() {} }, options);
    return panel;
  }

  /** Adds a panel of the viewer's own: { element, setTheme(theme), dispose() }. Options as for plane(). */
  place(panel, { grow = 1, title = "", colorbar = null, legend = null }) {
    panel.element.style.setProperty("--grow", String(grow));
    if (title) panel.element.prepend(h("h3", {}, title));
    if (colorbar !== null) panel.element.append(this.colorbar(colorbar));
    if (legend !== null) panel.element.append(this.legend(legend));
    this.places.append(panel.element);
    this.panels.push(panel);
    return panel;
  }

  /** A scale of the look over a range: "sequential" or "signed". */
  scale(name, low, high) {
    return scaleOf(this.record.arrays[`look.${name}`], low, high);
  }

  /** A colour bar with its unit: { scale, label, unit, ends: [text, text] (instead of the numbers) }. */
  colorbar({ scale, label, unit = "", ends = null }) {
    const [low, high] = ends ?? [number(scale.low), number(scale.high)];
    return h("div", { class: "colorbar" }, h("span", {}, label + (unit ? ` (${unit})` : "")),
      h("span", { class: "ends" }, low), h("i", { style: `background:${scale.gradient()}` }), h("span", { class: "ends" }, high));
  }

  /** A legend: [[mark, color, text], …]; mark is "dot", "ring", "line", "cross", "hatch", "fill" or "outline". */
  legend(entries) {
    return h("ul", { class: "legend" }, ...entries.map(([mark, color, text]) =>
      h("li", {}, h("i", { class: `mark ${mark}`, style: `--color:${color}` }), text)));
  }

  /** Says where a person points, for linked viewers and this one: [x, y, z] in metres, or null. */
  point(cursor) {
    this.set({ cursor });
  }

  /** Changes the state; the picture follows at the next frame. */
  set(changes) {
    const { viewer, record } = this;
    const before = this.state;
    let state = viewer.update ? viewer.update(record, before, changes) : { ...before, ...changes };
    const last = Math.max(0, viewer.steps(record, state) - 1);
    const step = Math.max(0, Math.min(last, Math.round(Number(state.step) || 0)));
    if (step !== state.step) state = { ...state, step };
    this.state = state;
    if (state.cursor !== before.cursor && !this.hearing) this.bus.say(this, "cursor", state.cursor);
    if (this.request === 0) this.request = requestAnimationFrame(() => this.#draw());
  }

  #hear(topic, value) {
    this.hearing = true;
    if (topic === "cursor") this.set({ cursor: value });
    if (topic === "camera") for (const panel of this.panels) panel.orbit?.take(value);
    this.hearing = false;
  }

  #key(event) {
    if (event.target.closest?.("input, select, textarea, canvas.space") && event.key !== " ") return;
    if (event.target.closest?.("button, input, select, summary") && event.key === " ") return;
    if (this.transport.key(event)) event.preventDefault();
  }

  // Drawing.

  /** Draws now what has changed; waiting frames are dropped. */
  flush() {
    if (this.request !== 0) cancelAnimationFrame(this.request);
    this.#draw();
  }

  #draw() {
    this.request = 0;
    const { viewer, record, state } = this;
    this.drawing = true;
    try {
      if (this.failed) this.message.hidden = true; // what went wrong before may be right now
      this.controls.show(state);
      this.transport.show(state, this.steps, viewer.stepWord ?? "step");
      this.caption = viewer.caption(record, state);
      this.figcaption.textContent = this.caption;
      this.picture.draw(state, this.drawn);
      for (const panel of this.panels) panel.showCursor?.(state.cursor);
    } catch (error) {
      this.fail(error);
    }
    this.drawing = false;
    const changed = this.drawn !== null && this.drawn !== state;
    this.drawn = state;
    if (changed) this.onChange(state, this.numbers, this.caption);
  }

  get numbers() {
    return this.viewer.numbers(this.record, this.state);
  }

  // Theme.

  #followTheme(theme) {
    this.system = window.matchMedia("(prefers-color-scheme: dark)");
    this.follow = () => this.setTheme(this.theme);
    this.system.addEventListener("change", this.follow);
    this.watcher = new MutationObserver(this.follow); // JupyterLab says its theme on the body
    this.watcher.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
    this.setTheme(theme);
  }

  setTheme(theme) {
    if (!THEMES.includes(theme)) throw new RangeError(`theme should be one of ${THEMES.join(", ")}; it is ${theme}`);
    this.theme = theme;
    const lab = document.body.dataset.jpThemeLight;
    const auto = lab === undefined ? this.system.matches : lab === "false";
    this.shade = (theme === "auto" ? auto : theme === "dark") ? "dark" : "light";
    this.host.dataset.theme = this.shade;
    for (const panel of this.panels) panel.setTheme(this.shade);
    if (this.drawn !== null) this.picture.draw(this.state, null);
  }

  /** What a page, a notebook or a test holds. */
  get handle() {
    const shell = this;
    return {
      get kind() { return shell.viewer.kind; },
      get state() { return { ...shell.state }; },
      get numbers() { return shell.numbers; },
      get caption() { return shell.viewer.caption(shell.record, shell.state); },
      get steps() { return shell.steps; },
      get theme() { return shell.shade; },
      get facts() { return shell.record.facts; },
      get arrays() { return shell.record.arrays; },
      get cameras() { return shell.panels.filter((panel) => panel.orbit).map((panel) => panel.orbit.state); },
      get frames() { return shell.panels.reduce((sum, panel) => sum + (panel.frames ?? 0), 0); },
      get panels() { return shell.panels; },
      set: (changes) => shell.set(changes),
      flush: () => shell.flush(),
      setTheme: (theme) => shell.setTheme(theme),
      screenshot: (panel = 0) => {
        if (shell.request !== 0) shell.flush(); // a change that waits for its frame belongs into the picture
        return shell.panels[panel].screenshot();
      },
      dispose: () => shell.dispose(),
    };
  }

  dispose() {
    cancelAnimationFrame(this.request);
    this.transport.stop();
    this.silence();
    this.watcher.disconnect();
    this.system.removeEventListener("change", this.follow);
    this.picture.dispose?.();
    for (const panel of this.panels) panel.dispose();
    this.host.remove();
  }
}
