// What the viewer of a ray draws: the slice with the ray and its circles, and the field along the ray.

import { STATUS } from "./algorithms/rays.js";
import { length, number } from "./core/format.js";
import { channels, COLOR, INK, painted, PAPER, scaleOf, SOFT, SURFACE } from "./core/look.js";
import { along, fieldOf, project } from "./ray_search.js";

/** How much of the colours is left where lines are to be read on them. */
const TINT = { light: 0.55, dark: 0.4 };
const SPHERES = ["plain", "relaxed", "adaptive"]; // methods whose steps follow the field

/** The grey of the k-th newest of some earlier steps, newest strongest; the oldest can still be seen on the colours. */
function grey(age, total, theme) {
  const part = age / Math.max(total, 5);
  const level = Math.round(255 * (theme === "dark" ? 0.85 - 0.35 * part : 0.28 + 0.34 * part));
  return `rgb(${level},${level},${level})`;
}

/** The signed scale of a record, mixed with the paper of a theme. */
export function tintedScale({ arrays, facts }, theme) {
  const table = arrays["look.signed"];
  const paper = channels(PAPER[theme]);
  const data = table.data.map((value, k) => Math.round(paper[k % 3] + TINT[theme] * (value - paper[k % 3])));
  return scaleOf({ data, shape: table.shape }, -facts.color_range, facts.color_range);
}

/** The samples as a picture, rows downwards. */
export function picture({ arrays }, scale) {
  const { data, shape } = arrays.grid;
  const [nu, nv] = shape;
  const values = new Float32Array(nu * nv);
  for (let i = 0; i < nu; i += 1) for (let j = 0; j < nv; j += 1) values[(nv - 1 - j) * nu + i] = data[i * nv + j];
  return painted(values, nu, nv, scale);
}

/** Everything that does not change with the state. */
export function drawField(plane, { arrays, facts }, background) {
  const [left, low, right, high] = facts.box;
  const [du, dv] = facts.spacing.map((side) => side / 2);
  plane.image(background, [left - du, low - dv, right + du, high + dv]);
  const { data: points } = arrays.iso_points;
  const { data: offsets } = arrays.iso_offsets;
  const line = (k) => points.subarray(2 * offsets[k], 2 * offsets[k + 1]);
  const levels = Array.from(arrays.iso_level.data);
  plane.context.globalAlpha = 0.45;
  levels.forEach((level, k) => level !== 0 && plane.line(line(k), { color: SOFT[plane.theme], width: 1 }));
  plane.context.globalAlpha = 1;
  levels.forEach((level, k) => level === 0 && plane.line(line(k), { width: 2, halo: PAPER[plane.theme] }));
  const { data: labels } = arrays.iso_labels;
  const small = plane.width < 440;
  for (let k = 0; k < labels.length; k += 3) {
    if (small && (k / 3) % 2 === 1) continue;
    plane.text(labels[k + 1], labels[k + 2], number(labels[k]), { color: SOFT[plane.theme], align: "center", size: 11 });
  }
}

/** The ray, its looks up to a step, and what became of it. `answer` is from searched(). */
export function drawRay(plane, { chosen, settings, root }, step, box) {
  const { theme } = plane;
  const place = (t) => along(settings, t);
  const far = 2 * Math.hypot(box[2] - box[0], box[3] - box[1]);
  plane.line([settings.origin, place(far)], { color: SOFT[theme], width: 1.25, dash: [5, 5] });
  if (chosen.looks.length > 0) {
    plane.line([settings.origin, place(chosen.look(step).t)], { color: INK[theme], width: 2, halo: PAPER[theme] });
    if (SPHERES.includes(chosen.method)) drawCircles(plane, chosen, step, settings.bound);
    drawLooks(plane, chosen, step);
    drawEnd(plane, chosen, step, root, place);
  }
  plane.arrow(...settings.origin, ...place(1.24 * plane.reach()), { color: INK[theme], width: 2.5, head: 11 });
}

function drawCircles(plane, chosen, step, bound) {
  const { theme } = plane;
  const ghosts = (s, style) => {
    for (const taken of chosen.unused(s)) plane.circle(...taken.position, taken.distance / bound, { width: 1.25, dash: [3, 4], ...style });
  };
  for (let s = 0; s < step; s += 1) {
    const { position, distance } = chosen.look(s);
    plane.circle(...position, distance / bound, { color: grey(step - 1 - s, step, theme), width: 1.25 });
    ghosts(s, { color: grey(step, step, theme) });
  }
  ghosts(step, { color: COLOR.current });
  const { position, distance } = chosen.look(step);
  plane.circle(...position, distance / bound, { color: COLOR.current, width: 3, halo: PAPER[theme] });
}

function drawLooks(plane, chosen, step) {
  for (let s = 0; s < step; s += 1) plane.dot(...chosen.look(s).position, { color: grey(step - 1 - s, step, plane.theme), size: 3 });
  for (let s = 0; s <= step; s += 1) {
    if (chosen.overstep(s) !== null) plane.cross(...chosen.look(s).position, s === step ? "over-step" : "");
  }
  const { position } = chosen.look(step);
  if (chosen.overstep(step) === null) plane.ring(...position, { size: 6, width: 3 });
}

/** In the last step: the hit, or the surface that was stepped over. */
function drawEnd(plane, chosen, step, root, place) {
  if (step < chosen.steps) return;
  if (chosen.status === STATUS.HIT) plane.dot(...place(chosen.hit), { size: 6 });
  else if (chosen.status === STATUS.MISSED && root !== null) plane.cross(...place(root), "stepped over");
}

/** Where a linked viewer, or a click, points: in the plane, or dashed above or below it. */
export function drawCursor(plane, record, cursor) {
  const [u, v, away] = project(record, cursor);
  const inPlane = Math.abs(away) <= Math.max(...record.facts.spacing);
  const [px, py] = plane.at(u, v);
  const { context, theme } = plane;
  context.beginPath();
  context.arc(px, py, 5, 0, 2 * Math.PI);
  for (const [x, y] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
    context.moveTo(px + 5 * x, py + 5 * y);
    context.lineTo(px + 11 * x, py + 11 * y);
  }
  plane.ink({ color: INK[theme], width: 1.5, dash: inPlane ? [] : [2, 2], fill: null, halo: PAPER[theme] });
}

// The field along the ray.

/** Rows (t, f) where the ray is inside the box, and the panel's box around them. */
export function profileOf(record, { settings }) {
  const field = fieldOf(record);
  const [start, end] = spanOf(settings, record.facts.box);
  if (!(start < end)) return { points: [], box: [0, -0.1, 1, 0.1] };
  const points = Array.from({ length: 401 }, (_, k) => {
    const t = start + ((end - start) * k) / 400;
    return [t, field.value(...along(settings, t))];
  });
  const values = points.map(([, value]) => value);
  const [least, most] = [Math.min(0, ...values), Math.max(0, ...values)];
  const room = 0.08 * (most - least || 1);
  return { points, box: [start - 0.02 * (end - start), least - room, end + 0.02 * (end - start), most + room] };
}

/** Where a ray enters and leaves a box; nothing to see where the first is not less than the second. */
function spanOf({ origin, direction }, [left, low, right, high]) {
  let [enter, leave] = [0, Infinity];
  [[left, right], [low, high]].forEach(([first, last], axis) => {
    const [one, other] = [(first - origin[axis]) / direction[axis], (last - origin[axis]) / direction[axis]];
    if (Number.isNaN(one) || Number.isNaN(other)) return; // along the side of the box
    enter = Math.max(enter, Math.min(one, other));
    leave = Math.min(leave, Math.max(one, other));
  });
  return [enter, leave];
}

/** The field along the ray; from each look the line that falls as steeply as the bound allows: where it lands, one may go. */
export function drawProfile(plane, { points }, { chosen, settings, root }, step) {
  const { theme } = plane;
  const [left, , right] = plane.box;
  fillBetween(plane, points, (f) => Math.max(f, 0), COLOR.outside);
  fillBetween(plane, points, (f) => Math.min(f, 0), COLOR.inside);
  plane.line([[left, 0], [right, 0]], { color: SURFACE[theme], width: 1.25 });
  if (root !== null) drawRoot(plane, root);
  plane.line(points, { color: INK[theme], width: 2 });
  if (chosen.looks.length === 0) return;
  for (let s = 0; s <= step; s += 1) drawStep(plane, chosen, s, step, settings.bound);
  if (step === chosen.steps && chosen.status === STATUS.HIT) plane.dot(chosen.hit, 0, { size: 6 });
}

function fillBetween(plane, points, limit, color) {
  if (points.length === 0) return;
  const shape = [[points[0][0], 0], ...points.map(([t, f]) => [t, limit(f)]), [points.at(-1)[0], 0]];
  plane.context.globalAlpha = 0.5 * TINT[plane.theme];
  plane.line(shape, { color: null, fill: color });
  plane.context.globalAlpha = 1;
}

function drawRoot(plane, root) {
  const [, low, right, high] = plane.box;
  const toLeft = root > plane.box[0] + 0.5 * (right - plane.box[0]);
  plane.line([[root, low], [root, high]], { color: SURFACE[plane.theme], width: 1.25, dash: [3, 3] });
  const words = { color: SOFT[plane.theme], align: toLeft ? "right" : "left", offset: [toLeft ? -6 : 6, 10], size: 12 };
  plane.text(root, high, `surface, t = ${length(root)}`, words);
}

function drawStep(plane, chosen, s, step, bound) {
  const { theme } = plane;
  const { t, distance } = chosen.look(s);
  const color = s === step ? COLOR.current : grey(step - 1 - s, step, theme);
  const width = s === step ? 2.5 : 1.25;
  const lands = SPHERES.includes(chosen.method) ? t + distance / bound : t;
  plane.line([[t, distance], [lands, 0]], { color, width, halo: s === step ? PAPER[theme] : null });
  if (s > 0 && lands !== t) plane.line([[t, 0], [t, distance]], { color, width: 1, dash: [2, 3] });
  for (const taken of chosen.unused(s)) plane.dot(taken.t, taken.distance, { color: PAPER[theme], ring: color, size: 3 });
  if (chosen.overstep(s) !== null) plane.cross(t, distance, s === step ? "over-step" : "");
  else if (s === step) plane.ring(t, distance, { size: 5, width: 3 });
  else plane.dot(t, distance, { color, size: 3 });
}
