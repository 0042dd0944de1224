// The look: sizes 13/15/20 px, an 8 px grid, system fonts, contrast of at least 4.5 : 1 in both themes.

export const BACKGROUND = { light: "#f6f5f2", dark: "#15171a" };

export const STYLE = `
:host {
  --paper: #f6f5f2; --panel: #ffffff; --ink: #1d1f22; --soft: #595e66; --line: #d5d3cd; --accent: #0072b2; --on-accent: #ffffff; --error: #8f2a63;
  color-scheme: light; display: block; container-type: inline-size;
}
:host([data-theme="dark"]) {
  --paper: #15171a; --panel: #1f2226; --ink: #eceae6; --soft: #a9aeb6; --line: #3a3f46; --accent: #6cb8e6; --on-accent: #10151a; --error: #e9a3c9;
  color-scheme: dark;
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
.viewer {
  display: flex; flex-direction: column; gap: 16px; color: var(--ink);
  font: 15px/1.4 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
figure, p, h3 { margin: 0; }
.main { min-width: 0; flex: 1 1 0; }
.picture {
  position: relative; height: clamp(300px, 100cqi, min(640px, 72vh)); overflow: hidden;
  background: var(--paper); border: 1px solid var(--line); border-radius: 8px;
}
canvas { display: block; width: 100%; height: 100%; touch-action: none; cursor: grab; border-radius: 7px; }
canvas:active { cursor: grabbing; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
canvas:focus-visible { outline-offset: -3px; }
.message {
  position: absolute; inset: 0; display: grid; place-content: center; padding: 24px; text-align: center;
  background: var(--paper); color: var(--soft);
}
.message[data-kind="error"] { color: var(--error); }
.tools { display: flex; flex-wrap: wrap; gap: 8px 16px; margin-top: 8px; justify-content: space-between; }
.set { display: flex; flex-wrap: wrap; gap: 4px; }
button {
  min-height: 32px; padding: 4px 10px; border: 1px solid var(--line); border-radius: 6px; background: var(--panel);
  color: var(--ink); font: inherit; font-size: 13px; cursor: pointer;
}
button:hover { border-color: var(--soft); }
button[aria-pressed="true"] { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
figcaption { margin-top: 8px; font-variant-numeric: tabular-nums; min-height: 1.4em; }
.hint { margin-top: 4px; font-size: 13px; color: var(--soft); }
.expression { min-width: 0; }
.title { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; justify-content: space-between; margin-bottom: 8px; }
h3 { font-size: 15px; font-weight: 600; }
details { border-top: 1px solid var(--line); }
details:last-child { border-bottom: 1px solid var(--line); }
summary { display: flex; align-items: center; gap: 8px; min-height: 40px; cursor: pointer; list-style: none; }
summary::-webkit-details-marker { display: none; }
summary::before {
  content: ""; flex: none; width: 6px; height: 6px; margin: 0 4px 0 2px; border: solid var(--soft); border-width: 0 2px 2px 0;
  transform: rotate(-45deg);
}
details[open] > summary::before { transform: rotate(45deg); }
.count { margin-left: auto; font-size: 13px; color: var(--soft); font-variant-numeric: tabular-nums; }
.sliders { display: grid; grid-template-columns: repeat(auto-fill, minmax(136px, 1fr)); gap: 4px 16px; padding: 4px 2px 16px; }
.slider { display: grid; grid-template-columns: 1fr auto; gap: 0 8px; font-size: 13px; align-items: baseline; }
.slider output { color: var(--soft); font-variant-numeric: tabular-nums; }
input[type="range"] { grid-column: 1 / -1; width: 100%; height: 24px; margin: 0; appearance: none; background: none; cursor: pointer; }
input[type="range"]::-webkit-slider-runnable-track {
  height: 4px; border-radius: 2px; background: linear-gradient(to right, var(--accent) var(--part, 0%), var(--line) var(--part, 0%));
}
input[type="range"]::-moz-range-track { height: 4px; border-radius: 2px; background: var(--line); }
input[type="range"]::-moz-range-progress { height: 4px; border-radius: 2px; background: var(--accent); }
input[type="range"]::-webkit-slider-thumb {
  appearance: none; width: 16px; height: 16px; margin-top: -6px; border: 2px solid var(--accent); border-radius: 50%; background: var(--panel);
}
input[type="range"]::-moz-range-thumb { width: 12px; height: 12px; border: 2px solid var(--accent); border-radius: 50%; background: var(--panel); }
@container (min-width: 760px) {
  .viewer { flex-direction: row; gap: 24px; }
  .expression { flex: 0 0 320px; max-height: min(760px, 86vh); overflow-y: auto; padding-right: 8px; }
}
@media (prefers-reduced-motion: reduce) { * { transition: none !important; animation: none !important; } }
`;
