// How cells look on a 2-D panel: split ones outlined, dropped ones hatched or dotted, the selected one with its balls.

import { COLOR, INK, PAPER, SOFT, SURFACE } from "./core/look.js";
import { DROPPED, REASONS } from "./subdivisions.js";

/** Tiles of patterns, by name and colour. */
const tiles = new Map();

/** A fill of fine diagonal lines ("hatch") or dots ("dots"), in pixels of the screen. */
function pattern(context, name, color, ratio) {
  const key = `${name} ${color} ${ratio}`;
  if (!tiles.has(key)) tiles.set(key, tile(name, color, Math.round(8 * ratio)));
  const made = context.createPattern(tiles.get(key), "repeat");
  made.setTransform(new DOMMatrix().scale(1 / ratio));
  return made;
}

function tile(name, color, side) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  const context = canvas.getContext("2d");
  context.strokeStyle = context.fillStyle = color;
  context.lineWidth = side / 8;
  context.beginPath();
  if (name === "hatch") {
    for (const shift of [-side, 0, side]) {
      context.moveTo(shift - side / 2, side * 1.5);
      context.lineTo(shift + side * 1.5, -side / 2);
    }
    context.stroke();
  } else {
    for (const [x, y] of [[0.25, 0.25], [0.75, 0.75]]) {
      context.moveTo(x * side, y * side);
      context.arc(x * side, y * side, side / 9, 0, 2 * Math.PI);
    }
    context.fill();
  }
  return canvas;
}

/**
 * Draws squares: those of the level shown, and the dropped ones of the levels above.
 *
 * @param {Plane} plane
 * @param {Array<{box: number[], reason: number, now: boolean, inside?: boolean}>} squares - box: left, low, right, high; now: of this level; inside: on which side a dropped
 *   cell lies, where its tint is wanted
 * @param {object} state - which reasons are drawn
 * @param {{calm: boolean}} options - calm: split cells with thin lines, where the contour is what counts
 */
export function paintSquares(plane, squares, state, { calm = false } = {}) {
  for (let reason = REASONS.length - 1; reason >= 0; reason -= 1) {
    if (!state[REASONS[reason]]) continue;
    const some = squares.filter((square) => square.reason === reason);
    for (const now of [false, true]) paintReason(plane, some.filter((square) => square.now === now), reason, now, calm);
  }
}

function paintReason(plane, squares, reason, now, calm) {
  if (squares.length === 0) return;
  const { context } = plane;
  const name = REASONS[reason];
  const boxes = squares.map(({ box: [left, low, right, high] }) => [...plane.at(left, high), ...plane.at(right, low)]);
  const narrow = Math.min(...boxes.map(([x0, , x1]) => x1 - x0));
  context.save();
  context.beginPath();
  for (const [x0, y0, x1, y1] of boxes) context.rect(x0, y0, x1 - x0, y1 - y0);
  if (name === "crossing" && !calm) {
    context.globalAlpha = 0.1;
    context.fillStyle = COLOR.current;
    context.fill();
  }
  if (reason >= DROPPED) tint(plane, squares, boxes);
  if (name === "safe" || name === "same_sign") {
    context.globalAlpha = now ? 0.95 : 0.55;
    context.fillStyle = pattern(context, name === "safe" ? "hatch" : "dots", plane.theme === "dark" ? "#7c7f84" : "#8d8d8d", plane.ratio);
    context.fill();
  }
  context.globalAlpha = 1;
  const dark = SOFT[plane.theme];
  const fine = Math.max(0.6, Math.min(1, narrow / 10));
  const [color, width, dash] = {
    crossing: [COLOR.current, calm ? 0.8 : Math.max(0.9, Math.min(2.2, narrow / 6)), []],
    near: [dark, Math.min(1.5, Math.max(0.7, narrow / 8)), []],
    forced: [dark, Math.min(1.5, Math.max(0.7, narrow / 8)), [1.5, 3]],
  }[name] ?? [plane.theme === "dark" ? "#6d7075" : "#a6a6a3", fine, []];
  context.setLineDash(dash);
  context.strokeStyle = color;
  context.lineWidth = width;
  context.stroke();
  context.restore();
}

/** Dropped cells of which the side is known: blue inside, orange outside. */
function tint({ context, theme }, squares, boxes) {
  for (const [inside, color] of [[true, COLOR.inside], [false, COLOR.outside]]) {
    context.save();
    context.globalAlpha = theme === "dark" ? 0.3 : 0.2;
    context.fillStyle = color;
    squares.forEach((square, k) => {
      const [x0, y0, x1, y1] = boxes[k];
      if (square.inside === inside) context.fillRect(x0, y0, x1 - x0, y1 - y0);
    });
    context.restore();
  }
}

/** The selected cell, with the balls that its corners prove empty. */
export function paintSelected(plane, [left, low, right, high], values, lipschitz) {
  const color = INK[plane.theme];
  const corners = [[left, low], [right, low], [left, high], [right, high]];
  if (values !== null && lipschitz !== null && lipschitz > 0) {
    corners.forEach(([x, y], k) => plane.circle(x, y, Math.abs(values[k]) / lipschitz, { color, width: 1.25, dash: [5, 4], fill: plane.theme === "dark" ? "#ffffff12" : "#0000000d" }));
  }
  plane.rectangle(left, low, right, high, { color, width: 3, halo: PAPER[plane.theme] });
  if (values !== null) corners.forEach(([x, y], k) => plane.dot(x, y, { color: values[k] < 0 ? COLOR.inside : COLOR.outside, size: 4.5 }));
}

/** Crosses where cells of a size (metres) were lost, one word per connected piece: `pieces` are lists of [x, y]. */
export function paintLost(plane, pieces, side) {
  const { context } = plane;
  const reach = Math.max(1.6, Math.min(6, 0.32 * side * plane.scale[0]));
  context.beginPath();
  for (const [x, y] of pieces.flat()) {
    const [px, py] = plane.at(x, y);
    for (const up of [1, -1]) {
      context.moveTo(px - reach, py - up * reach);
      context.lineTo(px + reach, py + up * reach);
    }
  }
  plane.ink({ color: COLOR.wrong, width: Math.max(1.5, Math.min(3, reach / 2)), dash: [], fill: null, halo: reach > 3 ? PAPER[plane.theme] : null });
  const word = (cells) => (cells > 1 ? `lost: ${cells} cells` : "lost: 1 cell");
  const placed = [];
  for (const piece of [...pieces].sort((a, b) => b.length - a.length)) {
    const [x, y] = piece.reduce((best, spot) => (spot[0] > best[0] ? spot : best));
    const [px, py] = plane.at(x, y);
    if (placed.some(([qx, qy]) => Math.abs(qx - px) < 110 && Math.abs(qy - py) < 18)) continue;
    placed.push([px, py]);
    const right = px > plane.width - 120;
    plane.text(x, y, word(piece.length), { offset: right ? [-10, -12] : [10, -12], align: right ? "right" : "left" });
  }
}

/** The contour: a line of 2 px with paper around it; thin and soft where it is only a hint. */
export function paintContour(plane, segments, hint) {
  if (hint) plane.segments(segments, { color: `${SURFACE[plane.theme]}73`, width: 1.25 });
  else plane.segments(segments, { color: SURFACE[plane.theme], width: 2.25, halo: PAPER[plane.theme] });
}

/** Whether a reason is one for which cells are dropped. */
export const isDropped = (reason) => reason >= DROPPED;
