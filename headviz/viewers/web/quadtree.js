// A quadtree over a field in the plane, level by level: what is split, what is dropped, why, and what is lost.

import { count, length } from "./core/format.js";
import { painted } from "./core/look.js";
import { isDropped, paintContour, paintLost, paintSelected, paintSquares } from "./subdivision_marks.js";
import { MethodTable, REASON_STYLE, ReasonPanel, besides, errorPanel, moreBelow, pruneChoice, treePanel } from "./subdivision_panels.js";
import { cornersOf, levelOf, numbersOf, placeOf, subdivision, treeOf } from "./subdivisions.js";

const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

const places = {
  embed({ facts: { embedding: [start, u, v] } }, [x, y]) {
    return start.map((s, k) => s + x * u[k] + y * v[k]);
  },
  project({ facts: { embedding: [start, u, v] } }, point) {
    const away = point.map((x, k) => x - start[k]);
    return [dot(away, u), dot(away, v)];
  },
};

const words = {
  noun: "contour",
  made: ({ pieces, length: long }) => (pieces > 0 ? `${count(pieces, "line")}, ${length(long)} long` : "nothing at this resolution"),
};

/** The squares that are drawn at a step. */
function squaresOf(record, tree, level) {
  const squares = [];
  tree.levels.slice(0, level + 1).forEach(({ first, count: cells, size }, depth) => {
    for (let n = first; n < first + cells; n += 1) {
      const reason = tree.reasons[n];
      if (depth < level && !isDropped(reason)) continue;
      const [low, high] = cornersOf(record, tree, [depth, tree.cells[2 * n] / size, tree.cells[2 * n + 1] / size]);
      squares.push({ box: [...low, ...high], reason, now: depth === level });
    }
  });
  return squares;
}

/** Middles of the lost cells, piece by piece, as far as they were dropped down to a level. */
function lostPieces({ facts: { lattice } }, tree, level) {
  const pieces = new Map();
  for (let n = 0; n < tree.lost_part.length; n += 1) {
    if (tree.lost_level[n] > level) continue;
    const part = tree.lost_part[n];
    if (!pieces.has(part)) pieces.set(part, []);
    pieces.get(part).push([0, 1].map((axis) => lattice.origin[axis] + lattice.spacing * (tree.lost[2 * n + axis] + 0.5)));
  }
  return [...pieces.values()];
}

function upright({ data, shape: [width, height] }) {
  const rows = new Float32Array(width * height);
  for (let i = 0; i < width; i += 1) for (let j = 0; j < height; j += 1) rows[(height - 1 - j) * width + i] = data[i * height + j];
  return rows;
}

export default {
  kind: "quadtree",
  ...subdivision(words, places),
  mount(shell, record) {
    const { facts, arrays } = record;
    shell.style.textContent += REASON_STYLE;
    const reach = arrays.grid.data.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-9);
    const scale = shell.scale("signed", -reach, reach);
    const field = painted(upright(arrays.grid), ...arrays.grid.shape, scale);
    const [left, low, right, high] = facts.grid.box;
    const edge = 0.02 * (high - low);
    const home = [left - edge, low - edge, right + edge, high + edge];
    let drawn = { squares: [], pieces: [] };
    const main = shell.plane({
      label: "Quadtree over the signed distance. Click a cell to select it.", box: home, axes: facts.axes,
      paint: (plane) => paint(plane, record, shell.state, field, drawn),
      colorbar: { scale, label: "signed distance", unit: "m" },
    });
    main.element.style.flexBasis = "520px";
    main.element.style.setProperty("--grow", "1.7");
    main.onPointer({ down: (place) => shell.point(places.embed(record, place)) });
    const side = new ReasonPanel(shell);
    const tree = treePanel(shell);
    besides(shell, side, tree);
    const errors = errorPanel(shell);
    const table = MethodTable.of(shell);
    moreBelow(shell, [errors?.element, table && shell.block(table.element)]);
    pruneChoice(shell);
    return {
      draw(state) {
        const shown = treeOf(record, state.prune);
        const level = levelOf(shown, state);
        drawn = { squares: squaresOf(record, shown, level), pieces: lostPieces(record, shown, level) };
        side.show(state, numbersOf(record, state));
        table?.show(state);
        for (const panel of [main, tree, errors]) panel?.draw();
      },
    };
  },
};

function paint(plane, record, state, field, { squares, pieces }) {
  const { context } = plane;
  const tree = treeOf(record, state.prune);
  const done = state.step >= tree.levels.length;
  context.save();
  context.globalAlpha = 0.32;
  plane.image(field, record.facts.grid.box);
  context.restore();
  if (!done) paintContour(plane, tree.contour, true);
  paintSquares(plane, squares, state, { calm: done });
  if (done) paintContour(plane, tree.contour, false);
  if (state.lost) paintLost(plane, pieces, record.facts.lattice.spacing);
  if (state.cell !== null && placeOf(tree, state.cell) >= 0) {
    const [low, high] = cornersOf(record, tree, state.cell);
    const { values } = numbersOf(record, state).cell;
    paintSelected(plane, [...low, ...high], values, record.facts.lipschitz);
  }
}
