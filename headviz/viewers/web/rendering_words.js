// The caption of a rendering: says the same as headviz/viewers/rendering_words.py.

import { count, grouped, length, number } from "./core/format.js";
import { numbersOf } from "./rendering_numbers.js";

const LEAST = 1e-4; // the first step of 8-bit sRGB is three times as bright

/** What the chosen pixel knows after a stage, in one sentence. */
export function captionOf(record, state) {
  const { facts } = record;
  const numbers = numbersOf(record, state);
  const place = `Pixel (${numbers.pixel[0]}, ${numbers.pixel[1]})`;
  if (numbers.stage === "gradient") return gradientWords(numbers, facts);
  if (numbers.stage === "soft_mask") return `${place} ${softMaskWords(numbers, facts)}.`;
  if (numbers.stage === "picture") return `${place} ${pictureWords(numbers)}.`;
  if (!numbers.covered) return `${place} sees no face: its ray meets none of ${count(facts.faces, "face")}${seenWords(numbers, facts)}.`;
  return `${place} ${COVERED[numbers.stage](numbers, facts)}.`;
}

/** "0.21, 0.331 and 0.459" */
function listed(values) {
  const words = values.map((value) => number(value));
  return `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

/** A colour or light: one number where red, green and blue are the same; what no screen can show is 0. */
export function tone(values) {
  const shown = values.map((value) => (Math.abs(value) < LEAST ? 0 : value));
  return shown[0] === shown[1] && shown[1] === shown[2] ? number(shown[0]) : `(${shown.map((value) => number(value)).join(", ")})`;
}

/** A change with its sign, also where it is a rise. */
const signed = (value) => (value > 0 ? `+${number(value)}` : number(value));

function seenWords({ stage }, facts) {
  if (stage !== "faces") return "";
  const verb = facts.faces_seen === 1 ? "is" : "are";
  return `; ${grouped(facts.faces_seen)} of ${count(facts.faces, "face")} ${verb} seen by the centres of ${count(facts.covered, "pixel")}`;
}

const COVERED = {
  faces(numbers, facts) {
    const which = numbers.faces_met > 1 ? `the nearest of ${numbers.faces_met} that its ray meets` : "the only one that its ray meets";
    return `sees face ${grouped(numbers.face)}, ${which}${seenWords(numbers, facts)}`;
  },
  weights({ face, corners, weights }) {
    const [first, second, third] = corners.map(grouped);
    return `meets face ${grouped(face)} where its corners, the vertices ${first}, ${second} and ${third}, ` +
      `weigh ${listed(weights)}: all that follows is mixed by these weights`;
  },
  depth: ({ depth }) => `sees the surface at depth ${length(depth)}, along the camera's axis`,
  normals: ({ normal }) => `sees the normal (${normal.map((side) => number(side)).join(", ")}), mixed from those of the corners and made 1 long`,
  uv({ uv }, { texture }) {
    const [u, v] = uv.map((side) => number(side));
    if (texture === null) return `has the texture coordinates u = ${u}, v = ${v}; the mesh has no texture`;
    return `looks at u = ${u}, v = ${v} of the texture, which has ${grouped(texture[0])} × ${grouped(texture[1])} texels`;
  },
  color: ({ color }, facts) => `has the colour ${tone(color)} of ${facts.colors_from}, in linear red, green and blue`,
  light: ({ light }, { sources }) => `gets light of ${tone(light)} from ${count(sources, "source")}; light of 1 would show the colour as it is`,
  highlights: ({ highlight }, facts) => `gets a highlight of ${tone(highlight)}, of at most ${number(facts.most_highlight)} in the picture`,
};

function pictureWords({ covered, picture, color, light, highlight }) {
  const shown = tone(picture);
  if (!covered) return `sees no face and shows the background, ${shown}`;
  if (light === null) return `shows its colour as it is, without light: ${shown}`;
  const shine = highlight === null ? "" : ` + highlight ${tone(highlight)}`;
  return `shows colour ${tone(color)} × light ${tone(light)}${shine} = ${shown}`;
}

function softMaskWords(numbers, facts) {
  const margin = `${number(facts.margin)} pixels`;
  if (numbers.covered) return `is covered, so its mask is 1; beside the mesh, faces up to ${margin} away count`;
  if (numbers.contributing === 0) return `is not covered, and no face is within ${margin}: its mask is 0`;
  const strongest = `face ${grouped(numbers.strongest_face)}, ${number(numbers.strongest_distance)} pixels away`;
  const probability = number(numbers.strongest_probability);
  if (numbers.contributing === 1) return `is not covered: its only face within ${margin}, ${strongest}, has A = ${probability}, which is its mask`;
  return `is not covered: ${grouped(numbers.contributing)} faces within ${margin} make its mask ` +
    `1 − Π(1 − A) = ${number(numbers.soft_mask)}; the strongest, ${strongest}, has A = ${probability}`;
}

function gradientWords(numbers, facts) {
  const { name, index } = facts.vertices.find((row) => row.name === numbers.vertex);
  const { of: what, pixel, change, changed } = numbers;
  const start = `Moving vertex ${grouped(index)} (${name}) along +${numbers.axis}`;
  const counts = `${grouped(changed)} of ${count(numbers.pixels, "pixel")} ${changed === 1 ? "changes" : "change"}`;
  const place = `pixel (${pixel[0]}, ${pixel[1]})`;
  const where = what === "picture" ? place : `the soft mask of ${place}`;
  if (change === null) return `${start} does not change ${where}; ${changed > 0 ? counts : "it changes no pixel"}.`;
  if (what === "picture") return `${start} changes ${where} by ${signed(change[0])}, ${signed(change[1])} and ${signed(change[2])} (red, green, blue) per mm; ${counts}.`;
  return `${start} changes ${where} by ${signed(change[0])} per mm; ${counts}.`;
}
