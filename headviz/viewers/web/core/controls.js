// Sliders, choices, switches and the step slider. Each shows the state and changes it; none keeps anything itself.

import { h, unique } from "./dom.js";
import { grouped, number } from "./format.js";

/** The controls of one viewer: every one has show(state), which follows the state. */
export class Controls {
  constructor(shell) {
    this.shell = shell;
    this.element = h("div", { class: "controls" });
    this.all = [];
  }

  #add(element, show) {
    this.element.append(element);
    this.all.push({ element, show });
    return element;
  }

  show(state) {
    for (const { show } of this.all) show(state);
  }

  /**
   * A slider for a number of the state.
   *
   * @param {string} name - the state's field
   * @param {object} options - { label, min, max, step, log, format, when(state) }
   *   log: equal steps are equal factors; when: whether it can be used now
   */
  slider(name, { label, min, max, step = "any", log = false, format = (value) => number(value), when = () => true }) {
    const output = h("output", {});
    const into = log ? Math.log10 : (value) => value;
    const from = log ? (value) => Number((10 ** value).toPrecision(3)) : (value) => value;
    const input = h("input", {
      type: "range", min: String(into(min)), max: String(into(max)), step: log ? "0.01" : String(step),
      "data-name": name, "aria-label": label, input: () => this.shell.set({ [name]: from(input.valueAsNumber) }),
    });
    const row = h("label", { class: "slider" }, h("span", {}, label), output, input);
    return this.#add(row, (state) => {
      const value = state[name];
      const place = into(value);
      if (document.activeElement !== input || Math.abs(input.valueAsNumber - place) > 1e-9) input.value = String(place);
      input.style.setProperty("--part", `${(100 * (place - into(min))) / (into(max) - into(min) || 1)}%`);
      output.textContent = format(value);
      input.setAttribute("aria-valuetext", format(value));
      input.disabled = !when(state);
    });
  }

  /** A choice among a few: buttons of which one is pressed. `options`: [[value, text], …] */
  choice(name, { label, options, when = () => true }) {
    const buttons = options.map(([value, text]) =>
      h("button", { type: "button", "data-name": name, "data-value": String(value), click: () => this.shell.set({ [name]: value }) }, text),
    );
    const id = unique("choice");
    const row = h("div", { class: "choice" }, h("span", { id }, label), h("div", { class: "set", role: "group", "aria-labelledby": id }, ...buttons));
    return this.#add(row, (state) => {
      buttons.forEach((button, k) => {
        button.setAttribute("aria-pressed", String(options[k][0] === state[name]));
        button.disabled = !when(state);
      });
    });
  }

  /** A choice among many: a list that opens. */
  select(name, { label, options, when = () => true }) {
    const list = h("select", { "data-name": name, "aria-label": label, change: () => this.shell.set({ [name]: options[list.selectedIndex][0] }) },
      ...options.map(([, text]) => h("option", {}, text)));
    return this.#add(h("label", { class: "choice" }, h("span", {}, label), list), (state) => {
      list.selectedIndex = options.findIndex(([value]) => value === state[name]);
      list.disabled = !when(state);
    });
  }

  /** A switch. */
  toggle(name, { label, when = () => true }) {
    const box = h("input", { type: "checkbox", "data-name": name, change: () => this.shell.set({ [name]: box.checked }) });
    return this.#add(h("label", { class: "toggle" }, box, h("span", {}, label)), (state) => {
      box.checked = Boolean(state[name]);
      box.disabled = !when(state);
    });
  }

  /** A button that changes the state: `changes(state)` gives what. */
  button(text, changes, { when = () => true } = {}) {
    const button = h("button", { type: "button", click: () => this.shell.set(changes(this.shell.state)) }, text);
    return this.#add(button, (state) => (button.disabled = !when(state)));
  }
}

/** ◀ ▶ ▷ and a slider over the steps, with keys. */
export class Transport {
  constructor(shell) {
    this.shell = shell;
    this.timer = 0;
    const go = (to) => () => this.go(to());
    const step = () => this.shell.state.step;
    this.slider = h("input", { type: "range", min: "0", max: "0", step: "1", "data-name": "step", "aria-label": "Step", input: () => this.go(this.slider.valueAsNumber) });
    this.playing = h("button", { type: "button", class: "play", "aria-label": "Play", click: () => this.toggle() }, "▶");
    this.words = h("output", {});
    this.element = h("div", { class: "transport", role: "group", "aria-label": "Steps" },
      h("button", { type: "button", "aria-label": "One step back", click: go(() => step() - 1) }, "◀︎"),
      this.playing,
      h("button", { type: "button", "aria-label": "One step on", click: go(() => step() + 1) }, "▶︎"),
      this.slider, this.words);
    this.playing.textContent = "Play";
  }

  /** Goes to a step, within what there is; ends playing. */
  go(step) {
    this.stop();
    this.shell.set({ step });
  }

  toggle() {
    if (this.timer !== 0) return this.stop();
    const { steps, state } = this.shell;
    if (state.step >= steps - 1) this.shell.set({ step: 0 });
    const pause = Math.max(60, Math.min(500, 12000 / steps));
    this.timer = window.setInterval(() => {
      const next = this.shell.state.step + 1;
      if (next >= this.shell.steps) this.stop();
      else this.shell.set({ step: next });
    }, pause);
    this.#showPlaying();
  }

  stop() {
    window.clearInterval(this.timer);
    this.timer = 0;
    this.#showPlaying();
  }

  #showPlaying() {
    const runs = this.timer !== 0;
    this.playing.textContent = runs ? "Pause" : "Play";
    this.playing.setAttribute("aria-label", runs ? "Pause" : "Play");
    this.playing.setAttribute("aria-pressed", String(runs));
  }

  show(state, steps, word) {
    this.element.hidden = steps < 2;
    this.slider.max = String(Math.max(0, steps - 1));
    this.slider.value = String(state.step);
    this.slider.style.setProperty("--part", `${(100 * state.step) / Math.max(1, steps - 1)}%`);
    const text = `${word} ${grouped(state.step)} / ${grouped(Math.max(0, steps - 1))}`;
    this.slider.setAttribute("aria-valuetext", text);
    this.words.textContent = text;
  }

  /** Keys of the whole viewer; true where one was used. */
  key(event) {
    const { steps, state } = this.shell;
    if (steps < 2 || event.ctrlKey || event.metaKey || event.altKey) return false;
    const to = { ArrowRight: state.step + 1, ArrowLeft: state.step - 1, ".": state.step + 1, ",": state.step - 1, Home: 0, End: steps - 1 };
    if (event.key === " ") this.toggle();
    else if (event.key in to) this.go(to[event.key]);
    else return false;
    return true;
  }
}
