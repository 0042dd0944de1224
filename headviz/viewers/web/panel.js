// The controls around the picture: views, surfaces, caption, morph sliders. Plain HTML elements, no framework.

import { groupsOf } from "./morphs.js";

const VIEWS = { front: "Front", left: "Left", right: "Right" };
const MODES = { texture: "Photograph", plain: "Plain skin", wireframe: "Wireframe" };
const IN_USE = 0.05; // smaller values are hardly seen
const HINT = "Drag to turn, wheel or pinch to zoom, right-drag to move. Keys: arrows, Shift with arrows, + and −, F L R. Left and right are the head’s own.";

/** An element with attributes and children; a function as attribute listens to that event. */
function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export class Panel {
  constructor(viewer, { label, empty }) {
    this.viewer = viewer;
    this.sliders = new Map();
    this.canvas = h("canvas", { tabindex: "0", role: "application", "aria-label": label, "aria-describedby": "hint" });
    this.message = h("p", { class: "message", role: "status" }, empty);
    this.figcaption = h("figcaption", {});
    this.tools = h("div", { class: "tools", hidden: "" }, this.#views(), this.#modes());
    this.expression = h("div", { class: "expression", hidden: "" });
    this.element = h(
      "div",
      { class: "viewer" },
      h(
        "div",
        { class: "main" },
        h("figure", {}, h("div", { class: "picture" }, this.canvas, this.message), this.tools, this.figcaption),
        h("p", { id: "hint", class: "hint", hidden: "" }, HINT),
      ),
      this.expression,
    );
  }

  #views() {
    const buttons = Object.entries(VIEWS).map(([name, text]) =>
      h("button", { type: "button", "data-view": name, click: () => this.viewer.setView(name) }, text),
    );
    const reset = h("button", { type: "button", "data-view": "reset", click: () => this.viewer.reset() }, "Reset");
    return h("div", { class: "set", role: "group", "aria-label": "View" }, ...buttons, reset);
  }

  #modes() {
    this.modes = Object.entries(MODES).map(([name, text]) =>
      h("button", { type: "button", "data-mode": name, click: () => this.viewer.setMode(name) }, text),
    );
    return h("div", { class: "set", role: "group", "aria-label": "Surface" }, ...this.modes);
  }

  /** A message in place of the picture; ``kind`` is "wait" or "error". */
  say(text, kind) {
    this.message.hidden = false;
    this.message.dataset.kind = kind;
    this.message.textContent = text;
  }

  /** Shows the controls of a head with these morphs. */
  showHead(names, hasPhotograph) {
    this.message.hidden = true;
    this.tools.hidden = false;
    this.element.querySelector("#hint").hidden = false;
    this.expression.hidden = names.length === 0;
    this.sliders.clear();
    const choices = [h("button", { type: "button", "data-expression": "neutral", click: () => this.viewer.setExpression({}) }, "Neutral")];
    if (hasPhotograph) {
      const asSeen = () => this.viewer.setExpression(this.viewer.expression);
      choices.unshift(h("button", { type: "button", "data-expression": "photograph", click: asSeen }, "As in the photograph"));
    }
    const head = h("div", { class: "title" }, h("h3", {}, "Expression"), h("div", { class: "set", role: "group", "aria-label": "Expression" }, ...choices));
    this.groups = groupsOf(names).map((group) => this.#group(group));
    this.expression.replaceChildren(head, ...this.groups.map(({ element }) => element));
  }

  #group({ title, morphs }) {
    const count = h("span", { class: "count" });
    const rows = morphs.map(([name, label]) => this.#slider(name, label, title));
    const element = h("details", {}, h("summary", {}, h("span", {}, title), count), h("div", { class: "sliders" }, ...rows));
    return { element, count, names: morphs.map(([name]) => name) };
  }

  #slider(name, label, title) {
    const value = h("output", {}, "0.00");
    const move = ({ target }) => this.viewer.setMorphs({ [name]: target.valueAsNumber });
    const range = h("input", { type: "range", min: "0", max: "1", step: "0.01", value: "0", "data-morph": name, "aria-label": `${title}: ${label}`, input: move });
    this.sliders.set(name, { range, value });
    return h("label", { class: "slider" }, h("span", {}, label), value, range);
  }

  showMorphs(morphs) {
    for (const [name, { range, value }] of this.sliders) {
      const number = morphs[name];
      if (Math.abs(range.valueAsNumber - number) > 0.004) range.value = String(number);
      range.style.setProperty("--part", `${number * 100}%`);
      value.textContent = number.toFixed(2);
    }
    for (const { names, count } of this.groups ?? []) {
      const moved = names.filter((name) => morphs[name] >= IN_USE).length;
      count.textContent = moved === 0 ? `${names.length}` : `${moved} of ${names.length} in use`;
    }
  }

  showMode(mode) {
    for (const button of this.modes) button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
  }

  get caption() {
    return this.figcaption.textContent;
  }

  showCaption(text) {
    this.figcaption.textContent = text;
  }
}
