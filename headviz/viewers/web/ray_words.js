// The sentence about one step; the same as headviz/viewers/ray_words.py, and a test holds the two together.

import { LOOK, STATUS } from "./algorithms/rays.js";
import { count, length, number } from "./core/format.js";

const LEAST_ERROR = 1e-9; // metres; smaller errors are rounding
const MORE = 1 + 1e-9;

/** What happens in a step, with its numbers; in the last one, how the ray ended. `answer` is from searched(). */
export function sentence({ chosen, settings, root }, step) {
  if (chosen.looks.length === 0) return "Missed: the ray does not meet the box of the slice, so there is nothing to look at.";
  if (step < chosen.steps) {
    const over = chosen.overstep(step);
    const lead = `Step ${step} of ${chosen.steps}`;
    return over === null ? `${lead}: ${march(chosen, step, settings)}` : `${lead} ${overstepped(over, settings)}`;
  }
  const ended = { [STATUS.HIT]: hit, [STATUS.MISSED]: missed, [STATUS.OUT_OF_STEPS]: outOfSteps }[chosen.status];
  return ended(chosen, settings, root) + afterwards(chosen, settings);
}

/** An error as people read it. */
export const errorWords = (error) => (error < LEAST_ERROR ? "less than 1 nm" : length(error));

function overstepped({ tBefore, tAfter, valueBefore, valueAfter }, { bound }) {
  const slope = (valueBefore - valueAfter) / (tAfter - tBefore);
  return (
    `over-stepped: it trusted the bound ${number(bound)} and went ${length(tAfter - tBefore)}, ` +
    `but the field falls by ${number(slope)} per metre there, to ${length(valueAfter)}: beyond the surface.`
  );
}

function march(chosen, step, settings) {
  const { distance } = chosen.look(step);
  const moved = chosen.moved(step);
  const seen = `distance ${length(distance)}`;
  if (chosen.method === "fixed") return `${seen}; the next look is ${length(moved)} farther, whatever the distance.`;
  if (chosen.method === "bracketing") return seen + bracket(chosen, step, moved);
  if (distance < 0) return `${seen}, beyond the surface, so the ray goes back ${length(-moved)}.`;
  const radius = distance / settings.bound;
  const trust = settings.bound === 1 ? "" : ` with the bound ${number(settings.bound)}`;
  return `${seen}, so${trust} the ray may move ${length(radius)}${tries(chosen, step, radius, settings)}.`;
}

function tries(chosen, step, radius, { relaxation }) {
  const unused = chosen.unused(step + 1).length;
  if (chosen.method === "relaxed") {
    const look = chosen.kept[step];
    const tried = chosen.looks[look + 1].t - chosen.looks[look].t;
    if (unused > 0) return `; it tries ${length(tried)}, the circles leave a gap, and it comes back`;
    return tried > radius * MORE ? `; over-relaxed by ${number(relaxation)} it tries ${length(tried)}` : "";
  }
  const moved = chosen.moved(step);
  const farther = chosen.method === "adaptive" && moved > radius * MORE ? `; by the slope so far it tries ${length(moved)}` : "";
  return farther + (unused > 0 ? `; ${count(unused, "look")} ahead led nowhere` : "");
}

function bracket(chosen, step, moved) {
  const place = chosen.look(step).look === LOOK.SECANT ? "the secant's estimate" : "a sample";
  const way = `${length(Math.abs(moved))} ${moved >= 0 ? "farther" : "back"}`;
  if (chosen.look(step + 1).look === LOOK.SECANT) return ` at ${place}; the sign has changed, and the secant's next estimate is ${way}.`;
  return ` at ${place}; the next is ${way}, whatever the distance.`;
}

const spent = ({ steps, looks }) => `${count(steps, "step")} and ${count(looks.length, "evaluation")}`;

function hit(chosen, { tolerance }, root) {
  if (chosen.looks.length === 1) {
    const where = chosen.value < 0 ? "inside the solid" : "at the surface";
    return `Hit after 0 steps: the ray starts ${where}, where the field is ${length(chosen.value)}.`;
  }
  const lead = `Hit after ${spent(chosen)} at t = ${length(chosen.hit)}`;
  if (root === null) {
    return `${lead}, where the field is ${length(chosen.value)}, within the tolerance of ${length(tolerance)}; the ray itself passes by the surface.`;
  }
  const error = Math.abs(chosen.hit - root);
  const side = error < LEAST_ERROR ? "from" : chosen.hit > root ? "beyond" : "before";
  return `${lead}, ${errorWords(error)} ${side} the surface.`;
}

function missed(chosen, { stepSize, bound }, root) {
  if (root === null) {
    const nearest = length(Math.min(...chosen.looks.map(({ distance }) => distance)));
    return `Missed: ${spent(chosen)} lead to the end of the ray at t = ${length(chosen.hit)}; the smallest distance on the way was ${nearest}.`;
  }
  const reasons = { fixed: `steps of ${length(stepSize)} are too long for it`, bracketing: "it lies between two samples" };
  const reason = reasons[chosen.method] ?? `the bound ${number(bound)} is too small for this field`;
  return `Missed wrongly after ${spent(chosen)}: the surface at t = ${length(root)} was stepped over; ${reason}.`;
}

function outOfSteps(chosen, { maxSteps }, root) {
  const told = root === null ? "" : `, ${errorWords(Math.abs(chosen.hit - root))} from the surface`;
  return (
    `Out of steps after ${spent(chosen)}: the best look is at t = ${length(chosen.hit)}${told}, ` +
    `where the field is ${length(chosen.value)}; more than ${number(maxSteps)} steps are needed.`
  );
}

function afterwards(chosen, { bound }) {
  const unused = chosen.looks.filter((taken) => taken.undone).length;
  const over = chosen.oversteps.length;
  let told = "";
  if (unused > 0) told = chosen.method === "adaptive" ? ` ${count(unused, "look")} ahead led nowhere.` : ` ${count(unused, "step")} ${unused === 1 ? "was" : "were"} taken back.`;
  if (over > 0) told += ` ${count(over, "step")} over-stepped: the bound ${number(bound)} is too small for this field.`;
  return told;
}
