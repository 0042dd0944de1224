// Sphere tracing of one ray in a slice: drag it, and watch how each method searches it. Everything is computed here, on the
// record's samples; headviz/viewers/ray.py computes the same.

import { h } from "./core/dom.js";
import { count, length, number } from "./core/format.js";
import { COLOR } from "./core/look.js";
import { drawCursor, drawField, drawProfile, drawRay, picture, profileOf, tintedScale } from "./ray_draw.js";
import { atCursor, embed, METHODS, position, searched } from "./ray_search.js";
import { errorWords, sentence } from "./ray_words.js";

const REACH = 84; // pixels from the origin to the handle of the direction

export default {
  kind: "ray",
  initial: ({ facts }) => ({ ...facts.ray }),
  steps: (record, state) => searched(record, state).chosen.steps + 1,

  /** The cursor follows the current look; a changed ray shows its last step if the last was shown before. */
  update(record, before, changes) {
    let state = { ...before, ...changes };
    check(state);
    const last = searched(record, before).chosen.steps;
    const now = searched(record, state).chosen.steps;
    const turned = Object.keys(changes).some((name) => name !== "step" && name !== "cursor");
    if (turned && !("step" in changes) && before.step === last) state.step = now;
    state.step = Math.max(0, Math.min(now, Math.round(Number(state.step) || 0)));
    if (!("cursor" in changes)) {
      const place = position(record, state);
      if (place !== null) state = { ...state, cursor: embed(record, place) };
    }
    return state;
  },

  caption(record, state) {
    const told = sentence(searched(record, state), state.step);
    const seen = atCursor(record, state);
    if (seen === null) return told;
    return `${told} At the cursor (${number(seen.u)}, ${number(seen.v)}) the distance is ${length(seen.value)}.`;
  },

  numbers(record, state) {
    const { chosen, settings, root, rows } = searched(record, state);
    const empty = chosen.looks.length === 0;
    const { t, distance } = empty ? { t: null, distance: null } : chosen.look(state.step);
    return {
      method: chosen.method, status: rows.find(({ method }) => method === chosen.method).status, step: state.step, last: chosen.steps,
      t, distance, position: position(record, state), moved: empty ? 0 : chosen.moved(state.step),
      overstep: !empty && chosen.overstep(state.step) !== null, hit: chosen.hit, root, bound: settings.bound, comparison: rows,
      cursor_distance: atCursor(record, state)?.value ?? null,
    };
  },

  mount(shell, record) {
    const view = { answer: null, profile: null, theme: null };
    const slice = mountSlice(shell, record, view);
    const graph = shell.plane({
      label: "The field along the ray, and what each look promised", box: [0, -0.1, 1, 0.1], axes: ["t", "f"], equal: false, zoom: false,
      grow: 1, title: "Field along the ray", paint: (plane) => view.answer && drawProfile(plane, view.profile, view.answer, view.state.step),
    });
    graph.picture.style.height = "clamp(200px, 34vh, 268px)";
    const table = methodTable(shell);
    graph.element.append(table.element, h("p", { class: "hint" }, aboutSamples(record)));
    addControls(shell, record);
    return {
      draw(state) {
        const answer = searched(record, state);
        if (answer !== view.answer) {
          view.profile = profileOf(record, answer);
          graph.home = graph.box = view.profile.box;
        }
        Object.assign(view, { answer, state });
        graph.say(answer.chosen.looks.length === 0 ? "The ray does not meet the box." : "");
        slice.retint(shell.shade);
        slice.plane.draw();
        graph.draw();
        table.show(answer);
      },
    };
  },
};

/** Refuses what headviz.viewers.ray refuses. */
function check({ origin, angle, method, relaxation, tolerance, max_steps: maxSteps, step_size: stepSize, bound_factor: factor }) {
  const positive = [tolerance, stepSize, factor].every((value) => value > 0 && value < Infinity);
  const whole = Number.isInteger(maxSteps) && maxSteps >= 1;
  if (![...origin, angle].every(Number.isFinite)) throw new RangeError(`origin and angle should be finite; they are (${origin}) and ${angle}`);
  if (!METHODS.has(method)) throw new RangeError(`method should be one of ${[...METHODS.keys()].join(", ")}; it is ${method}`);
  if (!(relaxation >= 1 && relaxation < 2)) throw new RangeError(`relaxation should be in [1, 2); it is ${relaxation}`);
  if (!whole) throw new RangeError(`max_steps should be a whole number of at least 1; it is ${maxSteps}`);
  if (!positive) throw new RangeError("tolerance, step_size and bound_factor should be positive and finite");
}

/** The slice: field, ray, handles, and a click that points. */
function mountSlice(shell, record, view) {
  const { facts } = record;
  let background = null;
  const plane = shell.plane({
    label: "Slice through the field, with the ray and its safe circles", box: facts.box, axes: facts.axes, grow: 1.5, title: sliceTitle(facts),
    paint: (panel) => {
      if (background === null || view.answer === null) return;
      drawField(panel, record, background);
      drawRay(panel, view.answer, view.state.step, facts.box);
      if (view.state.cursor !== null && !atLook(record, view.state)) drawCursor(panel, record, view.state.cursor);
    },
  });
  plane.reach = () => Math.min(REACH, 0.19 * plane.width) / plane.scale[0];
  const bar = shell.colorbar({ scale: tintedScale(record, "light"), label: "signed distance", unit: "m", ends: ends(facts) });
  plane.element.append(bar, shell.legend([
    ["ring", COLOR.current, "current look and its safe circle"], ["ring", "#8a8a8a", "earlier"], ["dot", COLOR.hit, "hit"],
    ["cross", COLOR.wrong, "over-step, or surface stepped over"],
  ]));
  addHandles(shell, plane);
  addPointing(shell, plane, record);
  const retint = (theme) => {
    if (theme === view.theme) return;
    view.theme = theme;
    const scale = tintedScale(record, theme);
    background = picture(record, scale);
    bar.querySelector("i").style.background = scale.gradient();
  };
  return { plane, retint };
}

const sliceTitle = ({ plane }) => (plane === null ? "Plane" : `Slice at ${plane[0]} = ${length(plane[1])}`);
const ends = ({ color_range: range, least, most }) => [`${least < -range ? "≤ " : ""}${number(-range)}`, `${most > range ? "≥ " : ""}${number(range)}`];

function atLook(record, state) {
  const place = position(record, state);
  if (place === null) return false;
  return Math.hypot(...embed(record, place).map((part, k) => part - state.cursor[k])) < 1e-9;
}

function addHandles(shell, plane) {
  const direction = ({ angle }) => [Math.cos((angle * Math.PI) / 180), Math.sin((angle * Math.PI) / 180)];
  plane.addHandle({
    label: "Origin of the ray", where: () => shell.state.origin, move: (x, y) => shell.set({ origin: [x, y] }),
  });
  plane.addHandle({
    label: "Direction of the ray",
    where: () => direction(shell.state).map((part, k) => shell.state.origin[k] + plane.reach() * part),
    move(x, y) {
      const [u, v] = shell.state.origin;
      if (x === u && y === v) return;
      shell.set({ angle: ((Math.atan2(y - v, x - u) * 180) / Math.PI + 360) % 360 });
    },
  });
}

/** A click, but not a drag, on the slice points there. */
function addPointing(shell, plane, record) {
  let from = null;
  const { signal } = plane.listeners;
  plane.canvas.addEventListener("pointerdown", (event) => (from = [event.clientX, event.clientY]), { signal });
  plane.canvas.addEventListener("click", (event) => {
    if (from !== null && Math.hypot(event.clientX - from[0], event.clientY - from[1]) < 5) shell.point(embed(record, plane.under(event)));
  }, { signal });
}

function addControls(shell, { facts }) {
  const { controls } = shell;
  const size = Math.max(facts.box[2] - facts.box[0], facts.box[3] - facts.box[1]);
  const bound = (factor) => `${number(factor)} × the field's`;
  controls.slider("bound_factor", { label: "Trusted bound", min: 0.25, max: 2, log: true, format: bound });
  controls.slider("max_steps", { label: "Most steps", min: 1, max: 200, step: 1 });
  controls.slider("tolerance", { label: "Tolerance", min: 1e-6 * size, max: 0.03 * size, log: true, format: length });
  controls.slider("relaxation", { label: "Over-relaxation", min: 1, max: 1.99, step: 0.01 });
  controls.slider("step_size", { label: "Fixed step", min: size / 400, max: size / 5, log: true, format: length });
}

function aboutSamples({ facts }) {
  const [nu, nv] = facts.samples;
  return `Computed on ${nu} × ${nv} samples, which are at most ${length(facts.sampling_error)} off the field; errors are against the first root of the samples on the ray.`;
}

/** Steps, evaluations and error of each method; a row chooses its method. */
function methodTable(shell) {
  const choose = (method) => () => shell.set({ method });
  const heads = ["method", "steps", "evalua\u00adtions", "over-steps", "error"].map((name) => h("th", { scope: "col" }, name));
  const rows = [...METHODS].map(([method, name]) => {
    const button = h("button", { type: "button", "data-name": "method", "data-value": method, click: choose(method) }, name);
    const cells = heads.slice(1).map(() => h("td", {}));
    return { method, button, cells, element: h("tr", { click: choose(method) }, h("td", {}, button), ...cells) };
  });
  const style = h("style", {}, `
    .methods { container-type: inline-size; overflow-x: auto; margin-top: 8px; }
    .methods tr { cursor: pointer; }
    .methods thead tr { cursor: default; }
    .methods th { white-space: normal; vertical-align: bottom; }
    .methods td { padding: 2px 8px; }
    .methods td button { min-height: 30px; padding: 2px 10px; width: 100%; text-align: left; }
    @container (max-width: 420px) { .methods table, .methods td button { font-size: 12px; } .methods th, .methods td { padding: 2px 3px; }
      .methods td button { padding: 2px 5px; } }
    @container (max-width: 340px) { .methods table, .methods td button { font-size: 11px; } .methods th, .methods td { padding: 2px; } }`);
  const table = h("table", { "aria-label": "Methods on this ray" }, h("thead", {}, h("tr", {}, ...heads)), h("tbody", {}, ...rows.map(({ element }) => element)));
  const show = ({ chosen, root, rows: answers }) => {
    rows.forEach(({ method, button, cells, element }, k) => {
      const answer = answers[k];
      const texts = [answer.steps, answer.evaluations, answer.oversteps, outcome(answer, root)];
      cells.forEach((cell, column) => (cell.textContent = String(texts[column])));
      cells[1].title = answer.unused > 0 ? `${count(answer.unused, "look")} led nowhere` : "";
      element.setAttribute("aria-selected", String(method === chosen.method));
      button.setAttribute("aria-pressed", String(method === chosen.method));
    });
  };
  return { element: h("div", { class: "methods" }, style, table), show };
}

/** The last column: the error, or why there is none. */
function outcome({ status, error }, root) {
  if (status === "out of steps") return status;
  if (root === null) return status === "missed" ? "—" : "no surface";
  return status === "missed" ? "missed it" : errorWords(error);
}
