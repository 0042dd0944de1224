// The frame of every viewer, on top of the look's sizes and colours.

import { STYLE } from "../style.js";

export const CORE_STYLE = `${STYLE}
.shell { color: var(--ink); font: 15px/1.4 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; outline: none; }
h2 { margin: 0 0 8px; font-size: 20px; font-weight: 600; line-height: 1.2; overflow-wrap: anywhere; }
.panel > h3 { margin-bottom: 4px; }
.panels { display: flex; flex-wrap: wrap; gap: 16px; }
.panel { flex: var(--grow, 1) 1 320px; min-width: 0; max-width: 100%; }
.panels .picture { height: clamp(280px, 100cqi, min(520px, 68vh)); }
.panel.block { overflow: auto; }
canvas.plane { cursor: crosshair; touch-action: pan-y; }
canvas.plane:focus-visible, canvas.space:focus-visible { outline: 2px solid var(--accent); outline-offset: -3px; }
.overlay { position: absolute; inset: 0; pointer-events: none; }
.handles { position: absolute; inset: 0; pointer-events: none; }
.handle {
  position: absolute; left: -16px; top: -16px; width: 32px; height: 32px; min-height: 0; padding: 0; border: 0; border-radius: 50%;
  background: none; pointer-events: auto; touch-action: none; cursor: grab;
}
.handle::after {
  content: ""; position: absolute; inset: 8px; border: 2px solid var(--paper); border-radius: 50%; background: var(--ink);
  box-shadow: 0 0 0 1.5px var(--ink);
}
.handle:active { cursor: grabbing; }
.transport { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 8px; margin-top: 12px; }
.transport button { min-width: 36px; }
.transport .play { min-width: 64px; }
.transport input { flex: 1 1 160px; width: auto; min-width: 120px; }
.transport output { min-width: 96px; font-variant-numeric: tabular-nums; font-size: 13px; color: var(--soft); }
.shell figcaption { min-height: 2.8em; margin-top: 8px; overflow-wrap: anywhere; }
.controls { display: flex; flex-wrap: wrap; gap: 8px 24px; margin-top: 8px; align-items: flex-end; }
.controls:empty { display: none; }
.controls .slider { flex: 1 1 200px; max-width: 320px; }
.choice { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 8px; font-size: 13px; }
.toggle { display: inline-flex; align-items: center; gap: 8px; min-height: 32px; font-size: 13px; cursor: pointer; }
.toggle input { width: 18px; height: 18px; margin: 0; accent-color: var(--accent); }
select { min-height: 32px; padding: 4px 8px; border: 1px solid var(--line); border-radius: 6px; background: var(--panel); color: var(--ink); font: inherit; font-size: 13px; max-width: 100%; }
button:disabled, input:disabled, select:disabled { opacity: 0.45; cursor: default; }
.failure { margin-bottom: 8px; padding: 12px 16px; border: 1px solid var(--error); border-radius: 8px; color: var(--error); }
.colorbar { display: flex; align-items: center; gap: 8px; margin-top: 8px; font-size: 13px; color: var(--soft); font-variant-numeric: tabular-nums; }
.colorbar i { flex: 1 1 60px; height: 12px; border-radius: 3px; border: 1px solid var(--line); min-width: 40px; }
.colorbar .ends { color: var(--ink); white-space: nowrap; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 8px 0 0; padding: 0; list-style: none; font-size: 13px; color: var(--soft); }
.legend li { display: flex; align-items: center; gap: 6px; }
.mark { position: relative; flex: none; width: 16px; height: 16px; }
.mark.dot::before { content: ""; position: absolute; inset: 3px; border-radius: 50%; background: var(--color); }
.mark.ring::before { content: ""; position: absolute; inset: 1px; border-radius: 50%; border: 3px solid var(--color); }
.mark.line::before { content: ""; position: absolute; left: 0; right: 0; top: 7px; height: 2px; background: var(--color); }
.mark.fill::before { content: ""; position: absolute; inset: 1px; border-radius: 3px; background: var(--color); }
.mark.outline::before { content: ""; position: absolute; inset: 1px; border: 2px solid var(--color); }
.mark.hatch::before { content: ""; position: absolute; inset: 1px; border: 1px solid var(--color);
  background: repeating-linear-gradient(135deg, transparent 0 3px, var(--color) 3px 4px); }
.mark.cross::before, .mark.cross::after { content: ""; position: absolute; left: 0; right: 0; top: 7px; height: 3px; background: var(--color); transform: rotate(45deg); }
.mark.cross::after { transform: rotate(-45deg); }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; width: 100%; }
th, td { padding: 4px 8px; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
th { font-weight: 600; color: var(--soft); }
tr[aria-selected="true"] td { background: color-mix(in srgb, var(--accent) 14%, transparent); }
.transport input:focus-visible, .controls input:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
@container (max-width: 420px) { .transport output { order: 5; } .panel { flex-basis: 100%; } }
`;
