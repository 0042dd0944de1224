// The 16 cases of a cell as small pictures that can be pressed, and the error against the resolution as a graph.

import { count, length, number } from "./core/format.js";
import { h } from "./core/dom.js";

/** Corners counter-clockwise from the lower left one, and the middles of the edges that follow them; y down, side 32. */
const CORNERS = [[8, 40], [40, 40], [40, 8], [8, 8]];
const MIDDLES = [[24, 40], [40, 24], [24, 8], [8, 24]];
const LETTERS = ["a", "b", "c", "d"];
const TOLD = ["nothing is crossed", "one segment", "one segment", "two segments, ambiguous"];

export const CASES_STYLE = `
.cases { display: grid; grid-template-columns: repeat(8, minmax(0, 1fr)); gap: 4px; }
.cases button { display: flex; flex-direction: column; align-items: center; min-width: 0; padding: 2px 2px 4px; border-radius: 6px; border-color: transparent; background: none; line-height: 1.25; }
.cases button:hover { border-color: var(--soft); }
.cases button[aria-current="true"] { border-color: #d55e00; box-shadow: inset 0 0 0 2px #d55e00; }
.cases svg { width: 100%; max-width: 56px; }
.cases b { font-weight: 600; }
.cases small { color: var(--soft); font-size: 12px; font-variant-numeric: tabular-nums; }
.cases .none .tally { visibility: hidden; }
.small { font-size: 13px; color: var(--soft); margin: 4px 0 16px; }
.graph svg { display: block; width: 100%; height: auto; font: 12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
.graph text { fill: var(--soft); }
.graph .grid { stroke: var(--line); }
.graph .distance, .graph .length { fill: none; stroke: var(--ink); stroke-width: 2; }
.graph .length { stroke: var(--soft); stroke-dasharray: 5 4; }
.graph .dots { fill: var(--ink); } .graph .length-dots { fill: var(--soft); }
.graph .now { stroke: #d55e00; stroke-width: 2; } .graph .ring { fill: none; stroke: #d55e00; stroke-width: 3; }
.graph .name { fill: var(--ink); }
@container (max-width: 700px) { .cases { grid-template-columns: repeat(4, minmax(0, 1fr)); } .cases svg { max-width: 64px; } }
`;

/**
 * The 16 cases.
 *
 * @param {object} table - segments, count, ambiguous, classes
 * @param {(code: number) => void} press - what a case that is pressed does
 * @returns {{element: HTMLElement, show: (current: object|null, counts: number[]) => void}}
 */
export function caseTiles(table, press) {
  const tiles = Array.from({ length: 16 }, (_, code) => {
    const button = h("button", { type: "button", "data-case": String(code), click: () => press(code) });
    button.innerHTML = `${drawing(table, code)}<span><b>${code}</b> <small>${LETTERS[table.classes[code]]}</small></span><small class="tally"></small>`;
    return button;
  });
  const element = h("div", { class: "cases", role: "group", "aria-label": "The 16 cases" }, ...tiles);
  const show = (current, counts) => {
    for (const [code, tile] of tiles.entries()) {
      tile.setAttribute("aria-current", String(current?.case === code));
      tile.classList.toggle("none", counts[code] === 0);
      tile.querySelector(".tally").textContent = `${number(counts[code], 1)} ×`;
      const told = `Case ${code}, class ${LETTERS[table.classes[code]]}: ${TOLD[table.classes[code]]}; ${count(counts[code], "cell")}`;
      tile.setAttribute("aria-label", told);
      tile.title = told;
      const [apart, joined] = ["0", "1"].map((choice) => tile.querySelector(`[data-joined="${choice}"]`));
      if (!joined) continue;
      const active = current?.case === code ? Number(current.joined) : -1;
      apart.setAttribute("stroke-width", active === 1 ? "1.5" : "3");
      joined.setAttribute("stroke-width", active === 1 ? "3" : "1.5");
    }
  };
  return { element, show };
}

/** One case: dots inside filled, outside hollow; segments green, at a saddle the joined ones dashed. */
function drawing(table, code) {
  const segments = (joined) => {
    let path = "";
    for (let line = 0; line < table.count[code]; line += 1) {
      const entry = ((joined * 16 + code) * 2 + line) * 2;
      const [a, b] = [MIDDLES[table.segments[entry]], MIDDLES[table.segments[entry + 1]]];
      path += `M${a[0]} ${a[1]}L${b[0]} ${b[1]}`;
    }
    return path;
  };
  const line = (joined, dash) => `<path data-joined="${joined}" d="${segments(joined)}" stroke="#009E73" stroke-width="3" ${dash} fill="none" stroke-linecap="round"/>`;
  const dots = CORNERS.map(([x, y], corner) =>
    (code >> corner) & 1 ? `<circle cx="${x}" cy="${y}" r="5.5" fill="#0072B2"/>` : `<circle cx="${x}" cy="${y}" r="4.5" fill="var(--paper)" stroke="#E69F00" stroke-width="2"/>`);
  const lines = table.ambiguous[code] ? line(1, 'stroke-dasharray="2 4"') + line(0, "") : line(0, "");
  return `<svg viewBox="0 0 48 48" aria-hidden="true"><rect x="8" y="8" width="32" height="32" fill="none" stroke="var(--soft)" stroke-width="1"/>${lines}${dots.join("")}</svg>`;
}

const [WIDE, HIGH, LEFT, RIGHT, TOP, BOTTOM] = [440, 208, 58, 14, 26, 36];

/**
 * The errors of facts.errors on logarithmic axes.
 *
 * @param {{errors: object[], slope: object, truth: number}} facts
 * @returns {{element: HTMLElement, show: (resolution: number) => void}}
 */
export function errorGraph(facts) {
  const rows = facts.errors.filter(({ distance }) => distance > 0);
  const place = axesOf(rows);
  const names = { distance: ["farthest point", 3], length: ["length", 3] };
  let drawn = gridOf(place);
  for (const name of ["length", "distance"]) {
    const points = rows.filter((row) => row[name] > 0).map((row) => place(row.resolution, row[name]));
    drawn += `<polyline class="${name}" points="${points.map((at) => at.join()).join(" ")}"/>`;
    drawn += points.map(([x, y]) => `<circle class="${name === "distance" ? "dots" : "length-dots"}" cx="${x}" cy="${y}" r="3"/>`).join("");
  }
  drawn += `<g class="mark-now"></g>`;
  const element = h("div", { class: "graph" });
  const slope = (name) => (facts.slope[name] === null ? "" : `, slope ${number(facts.slope[name], 2)}`);
  element.innerHTML = `<svg viewBox="0 0 ${WIDE} ${HIGH}" role="img" aria-label="Error against resolution">${drawn}
<text x="${LEFT}" y="14"><tspan class="name">— ${names.distance[0]}${slope("distance")}</tspan><tspan dx="16">- - ${names.length[0]}${slope("length")}</tspan></text>
<text x="${(LEFT + WIDE - RIGHT) / 2}" y="${HIGH - 2}" text-anchor="middle">cells along the longer side</text></svg>`;
  const show = (resolution) => {
    const row = rows.find((entry) => entry.resolution === resolution);
    if (row === undefined) return element.querySelector(".mark-now").replaceChildren();
    const [x, y] = place(row.resolution, row.distance);
    const left = x > WIDE * 0.3; // below the curve, which falls
    element.querySelector(".mark-now").innerHTML = `<line class="now" x1="${x}" x2="${x}" y1="${TOP}" y2="${HIGH - BOTTOM}"/><circle class="ring" cx="${x}" cy="${y}" r="6"/>
<text class="name" x="${x + (left ? -10 : 10)}" y="${y + 20}" text-anchor="${left ? "end" : "start"}" paint-order="stroke" stroke="var(--paper)" stroke-width="4">${resolution}: ${length(row.distance)}</text>`;
  };
  return { element, show };
}

/** Pixels of (resolution, error); also what the axes span. */
function axesOf(rows) {
  const sizes = rows.map(({ resolution }) => Math.log2(resolution));
  const errors = rows.flatMap((row) => [row.distance, row.length]).filter((error) => error > 0).map(Math.log10);
  const [low, high] = [Math.floor(Math.min(...errors)), Math.ceil(Math.max(...errors))];
  const [first, last] = [Math.min(...sizes), Math.max(...sizes)];
  const place = (size, error) => [
    LEFT + 8 + ((Math.log2(size) - first) / (last - first || 1)) * (WIDE - LEFT - RIGHT - 16),
    TOP + ((high - Math.log10(error)) / (high - low || 1)) * (HIGH - TOP - BOTTOM),
  ];
  return Object.assign(place, { low, high, sizes: rows.map(({ resolution }) => resolution).filter((size) => Number.isInteger(Math.log2(size))) });
}

function gridOf(place) {
  let drawn = "";
  for (let power = place.low; power <= place.high; power += 1) {
    const y = place(1, 10 ** power)[1];
    drawn += `<line class="grid" x1="${LEFT}" x2="${WIDE - RIGHT}" y1="${y}" y2="${y}"/><text x="${LEFT - 6}" y="${y + 4}" text-anchor="end">${length(10 ** power)}</text>`;
  }
  for (const size of place.sizes) {
    const [x] = place(size, 1);
    drawn += `<line class="grid" x1="${x}" x2="${x}" y1="${TOP}" y2="${HIGH - BOTTOM}"/><text x="${x}" y="${HIGH - BOTTOM + 16}" text-anchor="middle">${size}</text>`;
  }
  return drawn;
}
