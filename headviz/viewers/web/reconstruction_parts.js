// What stands around the pictures of a reconstruction: stages, expressions, maps of the skin, times and measurements.

import { h } from "./core/dom.js";
import { count, length, number } from "./core/format.js";
import { groupsOf } from "./morphs.js";
import { strongestOf, weightsOf } from "./reconstruction_data.js";

const IN_USE = 0.05; // smaller values are hardly seen

export const STYLE = `
.panel.whole { flex: 1 1 100%; }
.panel[data-current="true"] .picture { outline: 2px solid var(--accent); outline-offset: -1px; }
.panels .picture { height: clamp(300px, 32cqi, 460px); }
.tools { align-items: center; }
.tools .slider { flex: 1 1 150px; max-width: 280px; }
.stages { display: flex; flex-wrap: wrap; gap: 4px; margin: 0; padding: 0; list-style: none; counter-reset: stage; }
.stages li { flex: 1 1 120px; min-width: 0; }
.stages button { width: 100%; min-height: 40px; text-align: left; border-width: 0 0 4px; border-radius: 0; background: none; padding: 4px 2px; }
.stages button b { display: inline-block; min-width: 16px; font-weight: 400; color: var(--soft); font-variant-numeric: tabular-nums; }
.stages button[data-past="true"] { border-color: var(--accent); }
.stages button[aria-current="step"] { border-color: var(--accent); font-weight: 600; background: var(--panel); }
.map { position: relative; max-width: 320px; margin-top: 8px; }
.map canvas { width: 100%; height: auto; border: 1px solid var(--line); border-radius: 8px; cursor: default; touch-action: auto; image-rendering: auto; }
.times { display: grid; grid-template-columns: auto 1fr auto; gap: 4px 8px; align-items: center; margin: 8px 0 16px; font-size: 13px; font-variant-numeric: tabular-nums; }
.times dt, .times dd { margin: 0; }
.times dd + dd { text-align: right; }
.times .all { background: var(--soft); }
.panels.rest { margin-top: 24px; }
.times i { display: block; height: 12px; min-width: 1px; border-radius: 2px; background: var(--accent); }
.measured td { white-space: normal; }
.measured th { font-weight: 400; color: var(--soft); text-align: left; white-space: normal; }
@container (min-width: 760px) { .expression-sliders { max-height: 480px; overflow-y: auto; padding-right: 8px; } }
.tools .across { flex: 1 1 100%; max-width: none; }
@container (max-width: 480px) { .stages li { flex-basis: 45%; } .stages button { min-height: 32px; } }
`;

/** The stages in order; a click goes there. */
export function stageStrip(shell) {
  const { stages } = shell.facts;
  const buttons = stages.map(({ title }, k) =>
    h("button", { type: "button", click: () => shell.transport.go(k) }, h("b", {}, String(k)), ` ${title}`));
  const element = h("ol", { class: "stages", "aria-label": "Stages" }, ...buttons.map((button) => h("li", {}, button)));
  const show = ({ step }) => buttons.forEach((button, k) => {
    button.dataset.past = String(k < step);
    if (k === step) button.setAttribute("aria-current", "step");
    else button.removeAttribute("aria-current");
  });
  return { element, show };
}

/** Sliders of all morphs in groups; a head without morphs has none. */
export function expressionSliders(shell, record) {
  const { morphs, expression } = record.facts;
  const inputs = new Map();
  const set = (name, value) => {
    const weights = [...weightsOf(record, shell.state)];
    weights[morphs.indexOf(name)] = value;
    shell.set({ expression: weights });
  };
  const slider = (name, label, title) => {
    const output = h("output", {}, "0.00");
    const range = h("input", { type: "range", min: "0", max: "1", step: "0.01", "data-morph": name, "aria-label": `${title}: ${label}`, input: () => set(name, range.valueAsNumber) });
    inputs.set(name, { range, output });
    return h("label", { class: "slider" }, h("span", {}, label), output, range);
  };
  const groups = groupsOf(morphs).map(({ title, morphs: entries }) => {
    const used = h("span", { class: "count" });
    const rows = entries.map(([name, label]) => slider(name, label, title));
    const strong = entries.some(([name]) => name === strongestOf(record, shell.state)?.[0]);
    const element = h("details", { open: strong }, h("summary", {}, h("span", {}, title), used), h("div", { class: "sliders" }, ...rows));
    return { element, used, names: entries.map(([name]) => name) };
  });
  const seen = h("button", { type: "button", "data-expression": "photograph", click: () => shell.set({ expression: null }) }, "As in the photograph");
  const neutral = h("button", { type: "button", "data-expression": "neutral", click: () => shell.set({ expression: expression.map(() => 0) }) }, "Neutral");
  const element = h("div", {}, h("div", { class: "set", role: "group", "aria-label": "Expression" }, seen, neutral),
    h("div", { class: "expression-sliders" }, ...groups.map((group) => group.element)));
  const show = (state) => {
    const weights = weightsOf(record, state);
    seen.setAttribute("aria-pressed", String(state.expression === null));
    neutral.setAttribute("aria-pressed", String(weights.every((weight) => weight === 0)));
    for (const [name, { range, output }] of inputs) {
      const weight = weights[morphs.indexOf(name)];
      if (Math.abs(range.valueAsNumber - weight) > 0.004) range.value = String(weight);
      range.style.setProperty("--part", `${weight * 100}%`);
      output.textContent = weight.toFixed(2);
    }
    for (const { names, used } of groups) {
      const many = names.filter((name) => weights[morphs.indexOf(name)] >= IN_USE).length;
      used.textContent = many === 0 ? `${names.length}` : `${many} of ${names.length} in use`;
    }
  };
  return { element, show };
}

/** The skin unrolled: its texture, or how well the photograph shows it. */
export function skinMaps(shell, record, confidence, scale) {
  const pictures = { texture: record.images.texture ?? null, confidence };
  const names = Object.keys(pictures).filter((name) => pictures[name] !== null);
  if (names.length === 0) return null;
  const canvas = h("canvas", { width: "512", height: "512", role: "img" });
  const bar = shell.colorbar({ scale, label: "Confidence", ends: ["0: not seen", "1: seen face on"] });
  const titles = { texture: "Texture", confidence: "Confidence" };
  const choice = shell.controls.choice("map", { label: "Map", options: names.map((name) => [name, titles[name]]) });
  const element = h("div", {}, choice, h("div", { class: "map" }, canvas), bar);
  const show = ({ map }) => {
    const name = names.includes(map) ? map : names[0];
    canvas.setAttribute("aria-label", `${titles[name]} of the skin, unrolled`);
    canvas.getContext("2d").drawImage(pictures[name], 0, 0, 512, 512);
    bar.hidden = name !== "confidence";
  };
  return { element, show };
}

/** Seconds of each stage as bars, and what was measured. */
export function measurements({ facts }) {
  const times = [...facts.timings, ["in all", facts.timings.reduce((sum, [, seconds]) => sum + seconds, 0)]];
  const longest = Math.max(...times.map(([, seconds]) => seconds), 1e-9);
  const bars = times.flatMap(([name, seconds]) => [
    h("dt", {}, name), h("dd", {}, h("i", { class: name === "in all" ? "all" : null, style: `width:${(100 * seconds) / longest}%` })), h("dd", {}, `${number(seconds, 2)} s`)]);
  const rows = measured(facts).map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, value)));
  return h("div", {}, facts.timings.length === 0 ? null : h("dl", { class: "times" }, ...bars),
    h("table", { class: "measured" }, h("tbody", {}, ...rows)));
}

function measured({ report, field, pictures, model, morph_step: step }) {
  const rows = [["Model", model || "not named"]];
  const add = (key, name, form) => report[key] !== undefined && report[key] !== null && rows.push([name, form(report[key])]);
  add("landmark_error_pixels", "Landmarks to the head's own points", (value) => `${number(value)} pixels`);
  add("outlying_landmarks", "Outlying landmarks", (value) => number(value));
  add("focal_length_35mm", "Focal length on 35-mm film", (value) => `${number(value)} mm`);
  add("seen_fraction_of_face", "Face seen", (value) => `${number(100 * value)} %`);
  add("seen_fraction_of_skin", "Skin of the head seen", (value) => `${number(100 * value)} %`);
  add("expected_error_of_face_mm", "Expected error of the face", (value) => `${number(value)} mm`);
  if (field !== null) {
    rows.push(["Samples of the distance", `${length(field.spacing[0])} apart`]);
    rows.push([`Off by, at ${count(field.checked, "random point")}`, `${length(field.error_mean)} on average, ${length(field.error_greatest)} at most`]);
    rows.push(["Rounding of samples", `${length(field.rounding)} at most`]);
  }
  if (step > 0) rows.push(["Rounding of expressions", `${length(step / 2)} at most`]);
  rows.push(["Pictures as JPEG", `off by ${number(pictures.rms_error, 2)} of 255 (root mean square)`]);
  return rows;
}
