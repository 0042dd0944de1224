// The caption of a traced picture: says the same as headviz/viewers/trace_words.py.

import { count, length, number } from "./core/format.js";
import { looksOf, numbersOf } from "./trace_ray.js";

const SAMPLE = 1;
const grouped = (value) => count(value, "", "").trimEnd();

/** What a ray has found, how many rays still march, and what is wrong with the trace. */
export function captionOf(record, state) {
  const { facts } = record;
  const numbers = numbersOf(record, state);
  const place = `Pixel (${numbers.pixel[0]}, ${numbers.pixel[1]})`;
  let words;
  if (numbers.looks === 0) {
    const means = facts.cones.length > 0 ? "the cones and the box show" : "the box shows";
    words = `${place}: the ray never looks, for ${means} that nothing lies on its way`;
  } else if (numbers.look === null) words = `${place}: the ray has not looked yet`;
  else {
    const { kind } = looksOf(record, numbers.pixel)[numbers.look];
    words = `${place}, step ${numbers.look} of ${numbers.looks - 1}: ${lookWords(numbers, facts, kind)}`;
    if (numbers.ended !== null) words += ending(numbers, facts, state.show_back);
  }
  const { marching } = numbers;
  const still = `${grouped(marching)} of ${count(facts.rays, "ray")} still ${marching === 1 ? "marches" : "march"}`;
  words += `; ${still} after step ${numbers.step}.`;
  return [words, ...warningsOf(facts)].join(" ");
}

function lookWords(numbers, facts, kind) {
  const words = `distance ${length(numbers.distance)}`;
  if (numbers.overstepped) return `${words}: the step went through the surface, so the Lipschitz bound ${number(facts.lipschitz)} is wrong`;
  if (kind !== 0) return `${words} at ${kind === SAMPLE ? "a sample" : "a secant step"} that looks for the change of sign`;
  if (numbers.undone) return `${words}, but this look is taken back: it leaves a gap, or looked ahead in vain`;
  if (numbers.ended !== null) return words;
  const bound = facts.lipschitz === 1 ? "" : ` by a Lipschitz bound of ${number(facts.lipschitz)}`;
  const moved = facts.relaxation !== 1 && numbers.moved > 0 ? `; over-relaxed, it moves ${length(numbers.moved)}` : "";
  const free = numbers.look === 0 && facts.cones.length > 0 ? "; up to here the cones or the box left it free" : "";
  return `${words}${bound}, so the ray may move ${length(numbers.radius)}${free}${moved}`;
}

function ending(numbers, facts, back) {
  if (numbers.ended === "out of steps") return ", and no step is left: the ray ran out of steps";
  if (numbers.ended === "missed") return ", which reaches beyond the end of the ray: it misses";
  const within = Math.abs(numbers.distance) <= facts.tolerance;
  const why = within ? ` is within the tolerance of ${length(facts.tolerance)}` : ", where the field changes its sign";
  const leaves = back && numbers.thickness !== null ? `, and leaves for good ${length(numbers.thickness)} further on` : "";
  return `${why}: the ray hits, ${length(numbers.hit_at)} from the camera${leaves}`;
}

/** What is wrong with the trace or its field, one sentence each. */
function warningsOf({ oversteps, status }) {
  const found = [];
  if (oversteps > 0) found.push(`${count(oversteps, "step")} went through the surface: the field's Lipschitz bound is too small.`);
  if (status.out_of_steps > 0) found.push(`${count(status.out_of_steps, "ray")} ran out of steps: allow more, or a larger tolerance.`);
  if (status.hit === 0) found.push("No ray hit anything: the field may be empty here, or steeper than its Lipschitz bound.");
  return found;
}
