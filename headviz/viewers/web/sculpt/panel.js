// The controls beside the picture: brush, history, keypoints, sliders, files.

import { FALLOFFS } from "../algorithms/falloff.js";
import { alphaOfRadius, KERNELS } from "../algorithms/rbf.js";
import { LiveSliders } from "../algorithms/sculpting.js";
import { h } from "../core/dom.js";
import { number } from "../core/format.js";
import { groupsOf } from "../morphs.js";
import { download, fileName, objText, sessionText } from "./files.js";
import { limitsOf } from "./keys.js";
import { millimetres, textOf } from "./words.js";

const TOOLS = [["grab", "Grab"], ["inflate", "Inflate"], ["smooth", "Smooth"], ["flatten", "Flatten"], ["pinch", "Pinch"], ["mask", "Mask"], ["keypoint", "Keypoint"]];
const KEYS = [
  ["Drag on the head", "sculpts; beside it, or with Alt, the camera turns"], ["Ctrl", "the other way round: deflate, sharpen, unmask"], ["Shift", "smooths"],
  ["F, Shift F", "radius and strength by the mouse; [ and ] by keys"], ["X or M", "symmetry on and off"],
  ["Ctrl Z, Ctrl Shift Z", "undo and redo"], ["Enter", "presses the brush where the ring is"], ["Delete", "removes the chosen keypoint"],
  ["Arrows, + and −", "turn and zoom; on a keypoint they move it"], ["1, 3, 7", "from the front, the left, the top"], ["Esc", "takes back what is under way"],
];
const words = (name) => name[0].toUpperCase() + name.slice(1).replaceAll("_", " ");

export class Panel {
  /** @param {object} view - { shell, record, session, desk, forget(index), choose(keypoints, exact) } */
  constructor(view) {
    this.view = view;
    this.#brush();
    const { controls } = view.shell;
    this.undo = h("button", { type: "button", "data-do": "undo", click: () => view.desk.undo() }, "Undo");
    this.redo = h("button", { type: "button", "data-do": "redo", click: () => view.desk.redo() }, "Redo");
    const step = (text, made, options = {}) => h("button", { type: "button", "data-do": text, disabled: options.disabled, click: () => view.desk.apply(made) }, text);
    const twinless = view.session.surface.mirror === null;
    this.steppers = h("div", { class: "set", role: "group", "aria-label": "History" }, this.undo, this.redo);
    this.actions = h("div", { class: "row sculpt" },
      step("Left onto right", { kind: "symmetrise", keep: "left" }, { disabled: twinless }),
      step("Right onto left", { kind: "symmetrise", keep: "right" }, { disabled: twinless }),
      step("Clear mask", { kind: "mask", how: "clear" }), step("Invert mask", { kind: "mask", how: "invert" }));
    this.files = h("div", { class: "row" },
      h("button", { type: "button", "data-do": "session", click: () => this.#save() }, "Download session"),
      h("button", { type: "button", "data-do": "obj", click: () => download(objText(view.record), fileName(view.record.facts.name, ".obj")) }, "Download OBJ"));
    this.steps = h("ol", { class: "steps" });
    this.points = h("div", { class: "points" });
    this.history = details("History", this.steps, this.#versions());
    this.history.element.addEventListener("toggle", () => this.#showHistory());
    this.keypoints = details("Keypoints", this.points);
    const keys = details("Keys", h("dl", {}, ...KEYS.flatMap(([key, text]) => [h("dt", {}, key), h("dd", {}, text)])));
    this.lists = h("div", { class: "lists" }, this.history.element, this.keypoints.element, ...this.#sliders(), keys.element);
    this.element = h("div", { class: "sculpt side" }, controls.element, this.actions, this.lists, this.files);
  }

  #brush() {
    const { shell: { controls }, session: { surface: { size } } } = this.view;
    const [low, high] = limitsOf("radius", size);
    const keypoint = ({ tool }) => tool === "keypoint";
    controls.choice("tool", { label: "Tool", options: TOOLS }).classList.add("tools");
    controls.slider("radius", { label: "Radius", min: low, max: high, log: true, format: millimetres });
    controls.slider("strength", { label: "Strength", min: 0, max: 2, step: 0.01, format: (value) => number(value, 2) });
    const falloff = controls.select("falloff", { label: "Falloff", options: FALLOFFS.map((name) => [name, words(name)]) });
    const kernel = controls.select("kernel", { label: "Kernel", options: KERNELS.map((name) => [name, words(name)]) });
    this.choices = (state) => [falloff.hidden, kernel.hidden] = [keypoint(state), !keypoint(state)];
    controls.toggle("symmetric", { label: "Symmetric" });
    controls.toggle("wireframe", { label: "Wireframe" });
    const { texture, uv, colors } = this.view.record.arrays;
    const own = texture && uv ? [["texture", "Texture"]] : colors ? [["texture", "Colours"]] : [];
    controls.choice("surface", { label: "Surface", options: [["skin", "Skin"], ...own, ["distance", "Distance from the base"]] }).classList.add("tools");
  }

  async #save() {
    try {
      download(await sessionText(this.view.record), fileName(this.view.record.facts.name, ".headviz.json"));
    } catch (error) {
      this.view.say(`The session cannot be written: ${error.message}`);
    }
  }

  // Sliders.

  #sliders() {
    this.morphs = new Map();
    const names = Object.keys(this.view.session.morphs);
    if (names.length === 0) return [];
    this.groups = groupsOf(names).map(({ title, morphs }) => {
      const shown = title === "Others" ? "Shape" : title;
      const group = details(shown, h("div", { class: "sliders" }, ...morphs.map(([name, label]) => this.#slider(name, label, title)))).element;
      group.dataset.title = shown;
      return group;
    });
    const find = h("input", { type: "search", placeholder: "Find a slider", "aria-label": "Find a slider", input: () => this.#find(find.value) });
    this.nothing = h("p", { class: "hint", hidden: true }, "No slider has these words.");
    this.sliders = details("Sliders", ...(names.length > 12 ? [find] : []), h("div", { class: "morphs" }, ...this.groups, this.nothing));
    return [this.sliders.element];
  }

  /** Hides what does not have the words; opens the groups in which something is left. */
  #find(words) {
    const wanted = words.trim().toLowerCase();
    for (const group of this.groups) {
      const rows = [...group.querySelectorAll("label.slider")];
      for (const row of rows) row.hidden = !`${group.dataset.title} ${row.textContent} ${row.querySelector("input").dataset.morph}`.toLowerCase().includes(wanted);
      group.hidden = rows.every((row) => row.hidden);
      if (wanted !== "") group.open = !group.hidden;
    }
    this.nothing.hidden = this.groups.some((group) => !group.hidden);
  }

  #slider(name, label, title) {
    const [low, high] = title === "Others" ? [-3, 3] : [0, 1]; // expressions are parts of a whole; identities may go either way
    const value = h("output", {});
    const { desk, session } = this.view;
    const move = ({ target }) => {
      if (desk.live === null) desk.hold(new LiveSliders(session));
      if (desk.live instanceof LiveSliders) this.view.moved(desk.live.move({ [name]: target.valueAsNumber }), null);
    };
    const end = () => desk.live instanceof LiveSliders && desk.release();
    const range = h("input", { type: "range", min: String(low), max: String(high), step: "0.01", value: "0", "data-morph": name, "aria-label": label, input: move, change: end });
    this.morphs.set(name, { range, value, low, high });
    return h("label", { class: "slider" }, h("span", {}, label), value, range);
  }

  #showSliders() {
    const { sliders } = this.view.session.settings;
    const set = Object.values(sliders).filter((weight) => weight !== 0).length;
    if (this.sliders) this.sliders.count.textContent = set > 0 ? `${set} set` : "";
    for (const [name, { range, value, low, high }] of this.morphs) {
      const weight = sliders[name] ?? 0;
      if (Math.abs(range.valueAsNumber - weight) > 1e-9) range.value = String(weight);
      range.style.setProperty("--part", `${(100 * (weight - low)) / (high - low)}%`);
      value.textContent = weight.toFixed(2);
    }
  }

  // History and keypoints.

  #showHistory() {
    const { history } = this.view.session;
    const line = history.line();
    const place = line.findIndex(({ id }) => id === history.current);
    this.undo.disabled = !history.canUndo;
    this.redo.disabled = !history.canRedo;
    this.history.count.textContent = `${place} of ${line.length - 1}`;
    if (!this.history.element.open) return; // a long list is made when it is looked at
    this.steps.replaceChildren(...line.map((entry, k) => h("li", {}, h("button", {
      type: "button", class: k > place ? "later" : null, "aria-current": k === place ? "step" : null, click: () => this.view.desk.goto(entry.id),
    }, h("i", {}, String(k)), textOf(history, entry)))));
    const now = this.steps.children[place];
    this.steps.scrollTop = now.offsetTop - this.steps.offsetTop - this.steps.clientHeight / 2;
  }

  // Versions: entries with names.

  #versions() {
    this.names = h("div", { class: "row names" });
    const name = h("input", { type: "text", maxlength: "100", placeholder: "Name of a version", "aria-label": "Name of a version" });
    const keep = (event) => {
      event.preventDefault();
      if (name.value.trim() === "") return void name.focus();
      this.view.desk.keep(name.value.trim());
      name.value = "";
    };
    return h("form", { class: "versions", submit: keep }, name, h("button", { type: "submit", "data-do": "keep" }, "Keep version"), this.names);
  }

  #showVersions() {
    const { history } = this.view.session;
    const all = Object.entries(history.versions).filter(([, id]) => history.entries.has(id));
    this.names.replaceChildren(...all.map(([name, id]) => h("button", {
      type: "button", "aria-pressed": String(id === history.current), title: `Go to the version ${name}`, click: () => this.view.desk.goto(id),
    }, name)));
  }

  #showPoints() {
    const { session, shell } = this.view;
    const { keypoints, exact } = session.settings;
    this.keypoints.count.textContent = String(keypoints.length);
    if (keypoints.length === 0) {
      this.points.replaceChildren(h("p", { class: "hint" }, "None yet: choose the tool Keypoint, then drag on the head."));
      return;
    }
    const box = h("input", { type: "checkbox", change: () => this.view.choose(keypoints, box.checked) });
    box.checked = exact;
    this.points.replaceChildren(
      h("label", { class: "toggle" }, box, h("span", {}, "Exact: each goes just where it is dragged")),
      ...keypoints.map((keypoint, index) => this.#point(keypoint, index, shell.state.keypoint === index)));
  }

  #point(keypoint, index, chosen) {
    const { keypoints, exact } = this.view.session.settings;
    const change = (changes) => this.view.choose(keypoints.map((other, k) => (k === index ? { ...other, ...changes } : other)), exact);
    const field = (label, value, take) => {
      const input = h("input", { type: "number", step: "any", value: String(Number(value.toPrecision(4))), change: () => Number.isFinite(input.valueAsNumber) && take(input.valueAsNumber) });
      return h("label", {}, h("span", {}, label), input);
    };
    const axis = (k) => (value) => change({ vector: keypoint.vector.map((other, at) => (at === k ? Math.fround(value / 1000) : other)) });
    const kernel = h("select", { "aria-label": "Kernel", change: () => change({ kernel: KERNELS[kernel.selectedIndex], alpha: alphaOfRadius(KERNELS[kernel.selectedIndex], this.view.shell.state.radius) }) },
      ...KERNELS.map((name) => h("option", {}, words(name))));
    kernel.selectedIndex = KERNELS.indexOf(keypoint.kernel);
    const twin = h("input", { type: "checkbox", "aria-label": `Keypoint ${index + 1} has a mirror twin`, change: () => change({ symmetric: twin.checked }) });
    twin.checked = keypoint.symmetric;
    return h("div", { class: "point", "data-chosen": String(chosen) },
      h("header", {}, h("span", {}, `Keypoint ${index + 1}`), h("label", { class: "toggle" }, twin, h("span", {}, "Mirror twin")), h("button", { type: "button", click: () => this.view.forget(index) }, "Remove")),
      ...["x", "y", "z"].map((name, k) => field(`${name} (mm)`, 1000 * keypoint.vector[k], axis(k))),
      h("label", {}, h("span", {}, "Kernel"), kernel),
      field("α", keypoint.alpha, (value) => value > 0 && change({ alpha: value })),
      field("Strength", keypoint.strength, (value) => change({ strength: value })));
  }

  /** Follows the session. */
  show() {
    this.choices(this.view.shell.state);
    this.#showHistory();
    this.#showVersions();
    this.#showPoints();
    this.#showSliders();
  }
}

/** A part that opens, with a count at its end. */
function details(title, ...children) {
  const count = h("span", { class: "count" });
  const element = h("details", {}, h("summary", {}, h("span", {}, title), count), ...children);
  return { element, count };
}
