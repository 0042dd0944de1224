// A head that can be turned and moved: mountHead(element, {...}) -> handle.
// Knows nothing of the page around it; a page, a notebook or an application gives it data and keeps the handle.

import { strongest } from "./morphs.js";
import { Panel } from "./panel.js";
import { Stage } from "./stage.js";
import { BACKGROUND, STYLE } from "./style.js";

const THEMES = ["auto", "light", "dark"];
const MODES = ["texture", "plain", "wireframe"];
const START = { view: "front", mode: "texture" };

/**
 * Shows a head inside an element.
 *
 * @param {HTMLElement} element - is filled with the viewer; emptied again by dispose()
 * @param {object} options
 * @param {ArrayBuffer|Uint8Array|string} [options.glb] - the head, or its address; without it an empty state is shown
 * @param {Record<string, number>} [options.expression] - morph values of the photograph, shown at the start
 * @param {string} [options.note] - ends the caption, such as "63 % of the skin seen in the photograph"
 * @param {string} [options.label] - what a screen reader calls the picture
 * @param {string} [options.empty] - words of the empty state
 * @param {"auto"|"light"|"dark"} [options.theme] - "auto" follows the system
 * @returns {object} handle: ready, state, load, setMorph, setMorphs, setView, setMode, setTheme, screenshot, dispose
 */
export function mountHead(element, options = {}) {
  const viewer = new Viewer(element, options);
  return viewer.handle;
}

class Viewer {
  constructor(element, { glb = null, theme = "auto", label = "3-D head", empty = "No head yet.", ...content }) {
    this.host = document.createElement("div");
    this.root = this.host.attachShadow({ mode: "open" });
    this.panel = new Panel(this, { label, empty });
    const style = document.createElement("style");
    style.textContent = STYLE;
    this.root.append(style, this.panel.element);
    element.replaceChildren(this.host);
    this.expression = {};
    this.note = "";
    this.loads = 0;
    this.stage = this.#makeStage();
    this.system = window.matchMedia("(prefers-color-scheme: dark)");
    this.follow = () => this.setTheme(this.theme);
    this.system.addEventListener("change", this.follow);
    this.setTheme(theme);
    this.handle = this.#makeHandle();
    if (glb !== null) this.handle.ready = this.load(glb, content);
    this.handle.ready.catch(() => {}); // told on the page by load()
  }

  #makeStage() {
    try {
      return new Stage(this.panel.canvas);
    } catch (error) {
      this.panel.say(`This browser gives no WebGL 2, which the 3-D picture needs. ${error.message}`, "error");
      return null;
    }
  }

  #makeHandle() {
    const viewer = this;
    return {
      ready: Promise.resolve(),
      get state() {
        return { ...viewer.stage?.state, theme: viewer.host.dataset.theme, caption: viewer.panel.caption };
      },
      load(glb, content) {
        this.ready = viewer.load(glb, content);
        return this.ready;
      },
      setMorph: (name, value) => viewer.setMorphs({ [name]: value }),
      setMorphs: (values) => viewer.setMorphs(values),
      setView: (name) => viewer.setView(name),
      setMode: (mode) => viewer.setMode(mode),
      setTheme: (theme) => viewer.setTheme(theme),
      screenshot: () => viewer.stage.screenshot(),
      dispose: () => viewer.dispose(),
    };
  }

  /** Shows another head. Of two loads at once the later one wins. */
  async load(glb, { expression = {}, note = "" } = {}) {
    if (this.stage === null) return;
    const turn = (this.loads += 1);
    this.panel.say("Opening the head …", "wait");
    try {
      const buffer = typeof glb === "string" ? await fetchBytes(glb) : glb;
      if (turn !== this.loads) return;
      await this.stage.load(buffer);
    } catch (error) {
      if (turn === this.loads) this.panel.say(`The head cannot be shown: ${error.message}`, "error");
      throw error;
    }
    if (turn !== this.loads) return;
    const { morphs } = this.stage.state;
    this.expression = Object.fromEntries(Object.entries(expression).filter(([name]) => name in morphs));
    this.note = note;
    this.panel.showHead(Object.keys(morphs), Object.keys(this.expression).length > 0);
    this.reset();
  }

  /** Everything as at the start: from the front, with its texture, as in the photograph. */
  reset() {
    this.setMode(START.mode);
    this.setView(START.view);
    this.setExpression(this.expression);
  }

  /** Sets all morphs: those that are not named go to 0. */
  setExpression(values) {
    const rest = Object.fromEntries(Object.keys(this.stage.state.morphs).map((name) => [name, 0]));
    this.setMorphs({ ...rest, ...values });
  }

  setMorphs(values) {
    for (const [name, value] of Object.entries(values)) this.stage.setMorph(name, Number(value));
    const { morphs, vertices, triangles } = this.stage.state;
    this.panel.showMorphs(morphs);
    const counts = [`${vertices.toLocaleString("en")} vertices`, `${triangles.toLocaleString("en")} triangles`];
    this.panel.showCaption([...counts, strongest(morphs), this.note].filter(Boolean).join(" · "));
  }

  setView(name) {
    this.stage.view(name);
  }

  setMode(mode) {
    if (!MODES.includes(mode)) throw new RangeError(`mode should be one of ${MODES.join(", ")}; it is ${mode}`);
    this.stage.setMode(mode);
    this.panel.showMode(mode);
  }

  setTheme(theme) {
    if (!THEMES.includes(theme)) throw new RangeError(`theme should be one of ${THEMES.join(", ")}; it is ${theme}`);
    this.theme = theme;
    const dark = theme === "auto" ? this.system.matches : theme === "dark";
    this.host.dataset.theme = dark ? "dark" : "light";
    this.stage?.setBackground(BACKGROUND[this.host.dataset.theme]);
  }

  dispose() {
    this.loads += 1;
    this.system.removeEventListener("change", this.follow);
    this.stage?.dispose();
    this.host.remove();
  }
}

async function fetchBytes(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
  return answer.arrayBuffer();
}
