// What the viewers of quadtrees and octrees share: trees of a record, their numbers, and the sentences that say them.
// The same as headviz/viewers/subdivisions.py, and a test holds the two together.

import { count, length, number } from "./core/format.js";

/** Why a cell was split or dropped, by the number that records keep. */
export const REASONS = ["crossing", "near", "forced", "safe", "same_sign", "empty"];
/** Cells with this reason or a greater one have no children. */
export const DROPPED = 3;
const kept = new WeakMap();

/**
 * The tree of one pruning: its facts (levels, evaluations, …), arrays (cells, reasons, parents, inside, lost, …) as flat
 * data, and how many numbers a cell has.
 */
export function treeOf(record, prune) {
  if (!kept.has(record)) kept.set(record, {});
  return (kept.get(record)[prune] ??= unfolded(record, prune));
}

function unfolded(record, prune) {
  const arrays = {};
  for (const [name, array] of Object.entries(record.arrays)) {
    if (name.startsWith(`${prune}.`)) arrays[name.slice(prune.length + 1)] = array.data;
  }
  return { ...record.facts.trees[prune], ...arrays, dimension: record.facts.lattice.cells.length };
}

/** The level that a state shows; the finest one with the contour or surface. */
export const levelOf = (tree, state) => Math.max(0, Math.min(Math.round(state.step) || 0, tree.levels.length - 1));

/** Where a cell [level, i, j, …] stands in the arrays of its tree; −1 where there is none. */
export function placeOf(tree, cell) {
  const { size, first, count: cells } = tree.levels[cell[0]];
  const { dimension } = tree;
  const want = cell.slice(1).map((k) => k * size);
  for (let n = first; n < first + cells; n += 1) {
    let axis = 0;
    while (axis < dimension && tree.cells[n * dimension + axis] === want[axis]) axis += 1;
    if (axis === dimension) return n;
  }
  return -1;
}

/** The cell [level, i, j, …] at a place of the arrays. */
export function cellAt(tree, place) {
  const level = tree.levels.findLastIndex(({ first }) => first <= place);
  const { size } = tree.levels[level];
  return [level, ...Array.from({ length: tree.dimension }, (_, axis) => tree.cells[place * tree.dimension + axis] / size)];
}

/** The smallest cell at a place of the lattice's axes (metres), down to a level; null outside. */
export function deepestAt(record, tree, where, level) {
  const { origin, spacing, cells } = record.facts.lattice;
  const at = where.map((x, axis) => Math.floor((x - origin[axis]) / spacing));
  if (!at.every((k, axis) => k >= 0 && k < cells[axis])) return null;
  for (let deep = level; deep >= 0; deep -= 1) {
    const { size } = tree.levels[deep];
    const cell = [deep, ...at.map((k) => Math.floor(k / size))];
    if (placeOf(tree, cell) >= 0) return cell;
  }
  return null;
}

/** Low and high corner of a cell in metres, cut off where the lattice ends. */
export function cornersOf(record, tree, cell) {
  const { origin, spacing, cells } = record.facts.lattice;
  const { size } = tree.levels[cell[0]];
  const low = cell.slice(1).map((k, axis) => origin[axis] + spacing * k * size);
  const high = cell.slice(1).map((k, axis) => origin[axis] + spacing * Math.min((k + 1) * size, cells[axis]));
  return [low, high];
}

/** Values at the corners of a cell, corner k at (k & 1, k >> 1 & 1, …), metres. */
function cornerValues(record, tree, cell) {
  const { cells } = record.facts.lattice;
  const { size } = tree.levels[cell[0]];
  const samples = record.arrays.samples.data;
  return Array.from({ length: 2 ** cells.length }, (_, corner) => {
    let index = 0;
    cells.forEach((limit, axis) => (index = index * (limit + 1) + Math.min((cell[1 + axis] + ((corner >> axis) & 1)) * size, limit)));
    return record.arrays.values.data[firstFrom(samples, index)];
  });
}

function firstFrom(sorted, value) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function lostIn(tree, cell) {
  const { size } = tree.levels[cell[0]];
  const { dimension, lost } = tree;
  let found = 0;
  for (let n = 0; n < lost.length; n += dimension) {
    let axis = 0;
    while (axis < dimension && Math.floor(lost[n + axis] / size) === cell[1 + axis]) axis += 1;
    found += Number(axis === dimension);
  }
  return found;
}

function cellNumbers(record, tree, cell) {
  const place = cell === null ? -1 : placeOf(tree, cell);
  if (place < 0) return null;
  const values = cornerValues(record, tree, cell);
  const { lattice, lipschitz } = record.facts;
  const size = tree.levels[cell[0]].size * lattice.spacing;
  const needed = lipschitz === null ? null : (lipschitz * size * (1 + lattice.slack) * Math.sqrt(cell.length - 1)) / 2;
  return {
    level: cell[0], at: cell.slice(1), size, reason: REASONS[tree.reasons[place]], values,
    inside: tree.inside[place], nearest: Math.min(...values.map(Math.abs)), needed, lost: lostIn(tree, cell),
  };
}

/** What is drawn on the level shown, and of the selected cell. */
export function numbersOf(record, state) {
  const tree = treeOf(record, state.prune);
  const level = levelOf(tree, state);
  const facts = tree.levels[level];
  const reasons = Object.fromEntries(REASONS.map((name) => [name, facts.reasons[name] ?? 0]));
  const dropped = REASONS.slice(DROPPED).reduce((sum, name) => sum + reasons[name], 0);
  const { spacing, points } = record.facts.lattice;
  return {
    level, size: facts.size * spacing, looked: facts.looked, split: facts.looked - dropped, dropped,
    evaluations: facts.so_far, share: facts.so_far / points, lost: facts.lost, lost_parts: facts.lost_parts,
    reasons, cell: cellNumbers(record, tree, state.cell),
  };
}

/** A whole number with its thousands apart. */
export const grouped = (value) => count(value, "", "").trimEnd();

/** What happened on the level shown, and to the selected cell; `words`: { noun, made(tree) }. */
export function captionOf(record, state, words) {
  const tree = treeOf(record, state.prune);
  const numbers = numbersOf(record, state);
  const last = tree.levels.length - 1;
  const { level, split, dropped } = numbers;
  const done = state.step > last;
  const spent = count(numbers.evaluations, "evaluation") + (done ? "" : " so far");
  const cost = `${spent}, ${number(100 * numbers.share)} % of the full grid${lostWords(numbers, state, last)}.`;
  const looked = `${count(numbers.looked, "cell")} of ${length(numbers.size)} looked at`;
  const why = cellWords(record, tree, numbers.cell, words.noun);
  if (done) return `The ${words.noun} from ${count(split, "cell")} of ${length(numbers.size)}: ${words.made(tree)}; ${cost}${why}`;
  if (level === last) return `Level ${last} of ${last}, the finest: ${looked}, the ${words.noun} passes through ${grouped(split)}; ${cost}${why}`;
  return `Level ${level} of ${last}: ${looked}, ${grouped(split)} split, ${grouped(dropped)} dropped; ${cost}${why}`;
}

function lostWords({ lost, lost_parts: parts, level }, state, last) {
  if (lost > 0) return `; ${state.prune} pruning has lost ${count(lost, "cell")} in ${count(parts, "piece")}`;
  return level === last ? "; no cell is lost" : "";
}

function cellWords(record, tree, cell, noun) {
  if (cell === null) return "";
  return ` Cell (${cell.at.join(", ")}) of level ${cell.level}, ${length(cell.size)} wide: ${reasonWords(record, tree, cell, noun)}.`;
}

function reasonWords(record, tree, cell, noun) {
  const { lattice, lipschitz } = record.facts;
  const corners = cell.values.length;
  const agree = `all ${corners} corners ${cell.inside > 0 ? "inside" : "outside"}`;
  const [nearest, needed] = [length(cell.nearest), length(cell.needed)];
  switch (cell.reason) {
    case "crossing":
      return `${cell.inside} of ${corners} corners inside, ${cell.level === tree.levels.length - 1 ? `the ${noun} passes` : "split"}`;
    case "near":
      return `split, because |f| is only ${nearest} at a corner and ${needed} at all of them would rule it out`;
    case "forced":
      return `split without asking, fewer than ${lattice.coarsest} cells across say nothing`;
    case "safe":
      if (cell.nearest > cell.needed) return `dropped safely, |f| ≥ ${nearest} at its corners and only ${needed} are needed`;
      return `dropped safely, the balls of radius ${lipschitz === 1 ? "|f|" : `|f| / ${number(lipschitz)}`} around its corners cover it`;
    case "same_sign":
      return `dropped on trust, ${agree}${cell.lost > 0 ? `; ${count(cell.lost, "lost cell")} in it` : ""}`;
    default:
      return `${agree}, no ${noun} at this resolution`;
  }
}

/**
 * The pure half of a viewer of a tree.
 *
 * @param {object} words - { noun, made(tree) }: what the tree is for, and what it is made of
 * @param {object} places - { embed(record, place), project(record, point) } between the lattice's axes and space
 */
export function subdivision(words, { embed, project }) {
  const initial = () => ({
    prune: "lipschitz", cell: null, crossing: true, near: true, forced: true, safe: true, same_sign: true, empty: true, lost: true,
  });
  const steps = (record) => 1 + Object.values(record.facts.trees)[0].levels.length;
  const update = (record, before, changes) => {
    const state = { ...before, ...changes };
    state.step = Math.max(0, Math.min(steps(record) - 1, Math.round(Number(state.step) || 0)));
    if (!(state.prune in record.facts.trees)) state.prune = before.prune;
    const tree = treeOf(record, state.prune);
    if ("cell" in changes) {
      if (state.cell === null || "cursor" in changes) return state;
      const [low] = cornersOf(record, tree, state.cell);
      const half = (tree.levels[state.cell[0]].size * record.facts.lattice.spacing) / 2;
      return { ...state, cursor: embed(record, low.map((x) => x + half)) };
    }
    if (state.cursor === null) return { ...state, cell: null };
    if (!["cursor", "step", "prune"].some((name) => name in changes)) return state;
    return { ...state, cell: deepestAt(record, tree, project(record, state.cursor), levelOf(tree, state)) };
  };
  return { stepWord: "level", initial, steps, update, numbers: numbersOf, caption: (record, state) => captionOf(record, state, words) };
}
