// What a sculpting session says of itself; headviz/viewers/sculpt_words.py says the same, and a test holds them together.

import { count, grouped, length as anyLength, number } from "../core/format.js";

const ROUNDING = 1e-6; // of the size

/** A length in millimetres: three digits. */
export const millimetres = (metres) => `${Number((1000 * metres).toPrecision(3))} mm`;

/** A length as people say it of heads: millimetres below 0.1 m, as everywhere else where they are rounding. */
export const length = (metres) => (metres === 0 || (metres >= 1e-5 && metres < 0.1) ? `${number(1000 * metres)} mm` : anyLength(metres));

/** What an entry of the history did to what was there, in a few words. */
export function textOf(history, { parent, step }) {
  if (step === null) return "base";
  return step.kind === "keypoints" ? keypointsText(history.entries.get(parent).settings, step) : stepText(step);
}

function keypointsText({ keypoints: old, exact }, step) {
  const { keypoints } = step;
  if ((step.exact ?? false) !== exact) return `keypoints ${step.exact ? "exact" : "blended"}`;
  if (Math.abs(keypoints.length - old.length) === 1) return `keypoint ${keypoints.length > old.length ? "added" : "removed"}`;
  const changed = keypoints.length === old.length ? [...keypoints.keys()].filter((k) => plainOf(keypoints[k]) !== plainOf(old[k])) : [];
  if (changed.length !== 1) return stepText(step);
  const [k] = changed;
  const { vector } = keypoints[k];
  return `keypoint ${k + 1} ${plainOf({ ...old[k], vector }) === plainOf(keypoints[k]) ? "dragged" : "changed"}`;
}

const plainOf = ({ position, vector, kernel, alpha, strength, symmetric }) => JSON.stringify([position, vector, kernel, alpha, strength, symmetric]);

function stepText(step) {
  const texts = {
    stroke: ({ brush }) => `${brush.tool}, radius ${millimetres(brush.radius)}`,
    keypoints: ({ keypoints, exact }) => `${count(keypoints.length, "keypoint")}${exact ? ", exact" : ""}`,
    sliders: ({ values }) => slidersText(Object.entries(values)),
    symmetrise: ({ keep }) => `symmetrise, ${keep} side kept`,
    mask: ({ how }) => `${how} mask`,
  };
  return texts[step.kind](step);
}

const slidersText = (pairs) => (pairs.length === 1 ? `${pairs[0][0]} ${pairs[0][1].toFixed(2)}` : `${pairs.length} sliders`);

/** How symmetric the head is; where it is not, what makes it so: what was sculpted, the base, or sliders. */
function symmetryOf(session) {
  const { residual, history } = session;
  if (Number.isNaN(residual)) return "no vertex knows its twin";
  const whole = `symmetric to ${number(residual)} of the head’s size`;
  if (residual <= ROUNDING) return whole;
  const { sculptedResidual: sculpted, baseResidual, slidersResidual } = session;
  const parts = [["what was sculpted", sculpted], ["the base", baseResidual], ["sliders", slidersResidual]];
  const causes = parts.filter(([, part]) => part > ROUNDING);
  if (causes.length === 0) return whole;
  const told = causes.map(([name, part]) => `${name} by ${number(part)}`).join(", ");
  if (sculpted > ROUNDING || history.current === 0) {
    const words = `asymmetric by ${number(residual)} of the head’s size`;
    return causes.length === 1 ? `${causes[0][0]} is ${words}` : `${words}: ${told}`;
  }
  return `what was sculpted is symmetric to ${number(sculpted)} of the head’s size, ${told.replace(" by ", ` ${causes[0][0] === "sliders" ? "are" : "is"} asymmetric by `)}`;
}

/** Where the session is, in one sentence with its numbers. */
export function captionOf(session) {
  const { history, surface } = session;
  const symmetry = symmetryOf(session);
  if (history.current === 0) return `${count(surface.count, "vertex", "vertices")}, ${length(surface.size)} long, nothing sculpted yet; ${symmetry}.`;
  const { vertices, most } = session.moved;
  const place = `Step ${grouped(history.ancestors(history.current).length - 1)} of ${grouped(history.line().length - 1)}`;
  const moved = vertices === 0 ? `all ${count(surface.count, "vertex", "vertices")} lie on the base` : `${grouped(vertices)} of ${count(surface.count, "vertex", "vertices")} lie up to ${length(most)} off the base`;
  return `${place}, ${textOf(history, history.entries.get(history.current))}: ${moved}; ${symmetry}.`;
}

/** The numbers of the caption. */
export function numbersOf(session) {
  const { vertices, most } = session.moved;
  const { history, settings } = session;
  return {
    step: history.ancestors(history.current).length - 1, steps: history.line().length - 1, vertices: session.surface.count, moved: vertices,
    farthest: most, residual: orNull(session.residual), sculpted_residual: orNull(session.sculptedResidual), keypoints: settings.keypoints.length,
  };
}

const orNull = (value) => (Number.isNaN(value) ? null : value);
