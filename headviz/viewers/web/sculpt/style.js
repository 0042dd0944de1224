// What the sculpting page adds to the look of all viewers.

export const SCULPT_STYLE = `
.panels .picture { height: clamp(300px, 100cqi, min(640px, 72vh)); }
.panels > .panel:first-child { align-self: flex-start; position: sticky; top: 8px; }
@container (max-width: 760px) { .panels > .panel { flex-basis: 100%; } .panels > .panel:first-child { position: static; } }
.sculpt.side { display: flex; flex-direction: column; gap: 12px; }
.sculpt .controls { margin-top: 0; gap: 8px 16px; align-items: center; }
.sculpt .controls .slider { flex: 1 1 140px; max-width: none; }
.sculpt .controls .choice.tools { flex-basis: 100%; justify-content: flex-start; }
.sculpt .controls .choice.tools > span { flex-basis: 100%; }
.sculpt .versions { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 8px; padding-bottom: 12px; }
.sculpt .versions .names { grid-column: 1 / -1; }
.sculpt .names button { overflow-wrap: anywhere; }
.sculpt [hidden] { display: none; }
.sculpt .row { display: flex; flex-wrap: wrap; gap: 4px; }
.sculpt .lists { min-width: 0; }
.sculpt ol.steps { margin: 0; padding: 0 0 8px; list-style: none; max-height: 240px; overflow-y: auto; }
.sculpt ol.steps button { width: 100%; text-align: left; border: 0; background: none; border-radius: 4px; min-height: 32px; overflow-wrap: anywhere; }
.sculpt ol.steps button[aria-current="step"] { background: var(--accent); color: var(--on-accent); }
.sculpt ol.steps i { display: inline-block; min-width: 32px; font-style: normal; font-variant-numeric: tabular-nums; opacity: 0.8; }
.sculpt ol.steps button.later { color: var(--soft); font-style: italic; }
.sculpt .points { display: grid; gap: 8px; padding-bottom: 12px; }
.sculpt .point { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 4px 8px; padding: 8px; border: 1px solid var(--line); border-radius: 6px; font-size: 13px; }
.sculpt .point[data-chosen="true"] { border-color: var(--accent); }
.sculpt .point header { grid-column: 1 / -1; display: flex; gap: 8px; align-items: center; }
.sculpt .point header > span { flex: 1; }
.sculpt .point header .toggle { display: inline-flex; gap: 6px; color: var(--ink); }
.sculpt .point label { display: grid; gap: 2px; color: var(--soft); min-width: 0; }
.sculpt .point select { width: 100%; min-width: 0; padding: 4px 2px; }
.sculpt input[type="search"] { margin: 4px 4px 8px; width: calc(100% - 8px); }
.sculpt input:is([type="number"], [type="text"], [type="search"]) { width: 100%; min-width: 0; min-height: 32px; padding: 4px 6px; border: 1px solid var(--line); border-radius: 6px; background: var(--panel); color: var(--ink); font: inherit; font-size: 13px; }
.sculpt .hint { margin: 0 0 8px; }
.sculpt dl { display: grid; grid-template-columns: auto 1fr; gap: 4px 12px; margin: 0 0 12px; font-size: 13px; }
.sculpt dt { font-weight: 600; white-space: nowrap; }
.sculpt dd { margin: 0; color: var(--soft); }
.sculpt .morphs { max-height: 320px; overflow-y: auto; }
figcaption { min-height: 0; }
.status { min-height: 1.4em; margin-top: 4px; font-size: 13px; color: var(--soft); font-variant-numeric: tabular-nums; }
.handle.keypoint::after { background: #D55E00; inset: 7px; border-color: #ffffff; box-shadow: 0 0 0 1px #1d1f22; }
.handle.keypoint[aria-pressed="true"] { background: none; }
.handle.keypoint[aria-pressed="true"]::after { inset: 5px; box-shadow: 0 0 0 3px var(--accent); }
.handle.keypoint.behind { opacity: 0.35; }
.handle.keypoint span {
  position: absolute; left: 28px; top: -4px; padding: 0 4px; border-radius: 4px; background: var(--panel); color: var(--ink); font-size: 13px; line-height: 1.3;
}
canvas.space.sculpting { cursor: crosshair; }
`;
