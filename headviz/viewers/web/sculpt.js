// A head that can be sculpted in the browser: drag on it to sculpt, beside it to turn it.

import { LiveKeypoint, Sculpting } from "./algorithms/sculpting.js";
import { alphaOfRadius } from "./algorithms/rbf.js";
import { h } from "./core/dom.js";
import { count, number } from "./core/format.js";
import { Desk } from "./sculpt/desk.js";
import { Handles } from "./sculpt/handles.js";
import { Keys } from "./sculpt/keys.js";
import { Panel } from "./sculpt/panel.js";
import { pointOn } from "./sculpt/pick.js";
import { Pointer } from "./sculpt/pointer.js";
import { Scene } from "./sculpt/scene.js";
import { SCULPT_STYLE } from "./sculpt/style.js";
import { captionOf, length, numbersOf } from "./sculpt/words.js";

const ON_PLANE = 2e-3; // of the size: a keypoint nearer to x = 0 is put onto it
const HINT = "Drag on the head to sculpt, beside it to turn; wheel or two fingers zoom. Keys: arrows turn, Enter presses the brush, F and Shift F change it, X symmetry, Ctrl Z undoes.";

export default {
  kind: "sculpt",
  initial: ({ facts: { size }, arrays }) => ({
    tool: "grab", radius: Number((0.12 * size).toPrecision(3)), strength: 1, falloff: "smooth", symmetric: true, kernel: "gaussian",
    surface: (arrays.texture && arrays.uv) || arrays.colors ? "texture" : "skin", wireframe: false, keypoint: null,
  }),
  steps: () => 1,
  async prepare(record) {
    record.session = sessionOf(record);
    const { texture, uv } = record.arrays;
    if (texture && uv) record.picture = await createImageBitmap(new Blob([texture.data], { type: "image/png" }), { colorSpaceConversion: "none" });
  },
  caption: ({ session }) => captionOf(session),
  numbers: ({ session }) => numbersOf(session),
  mount: (shell, record) => new View(shell, record),
};

/** The session of a record, as it was left. */
export function sessionOf({ facts, arrays }) {
  const morphs = {};
  for (const { name, start, end } of facts.morphs) {
    morphs[name] = { indices: arrays["morph.indices"].data.subarray(start, end), offsets: arrays["morph.offsets"].data.subarray(3 * start, 3 * end) };
  }
  const { vertices, faces, mirror, positions, mask } = arrays;
  const session = new Sculpting({ vertices: vertices.data, faces: faces.data, mirror: mirror?.data ?? null, edge: facts.edge, morphs });
  session.history.learn(facts.entries);
  session.history.versions = { ...facts.versions };
  session.history.standAt(facts.line);
  session.history.standAt(facts.current);
  if (positions) session.positions.set(positions.data);
  if (mask) session.mask.set(mask.data);
  session.renew();
  return session;
}

class View {
  constructor(shell, record) {
    const { session } = record;
    Object.assign(this, { shell, record, session, dirty: true });
    const style = h("style", {});
    style.textContent = SCULPT_STYLE;
    shell.root.append(style);
    this.space = shell.space({ label: "Head", home: "front", grow: 3 });
    this.space.canvas.setAttribute("aria-label", `Head to sculpt. ${HINT}`);
    this.status = h("div", { class: "status", role: "status" });
    this.bar = h("div", {});
    this.desk = new Desk(session, record.channel ?? null, (text) => this.say(`Python refused the step: ${text}`));
    if (this.space.works) this.#stage();
    this.panel = new Panel(this);
    this.space.tools.append(this.panel.steppers);
    this.space.element.append(this.bar, shell.figcaption, this.status); // what it says stays with the picture, also on a telephone
    shell.block(this.panel.element, { grow: 1 });
    this.silence = session.subscribe((what) => this.#hear(what));
    this.space.desk = this.desk; // for code on the page: viewers[0].panels[0].desk.apply(step)
  }

  #stage() {
    const { space, session, record: { arrays: { colors, uv, uv_faces: uvFaces }, picture } } = this;
    const texture = picture ? { picture, uv: uv.data, uvFaces: uvFaces?.data ?? null } : null;
    this.scene = new Scene(space, session, { colors: colors ? bytesOf(colors.data) : null, texture });
    this.pointer = new Pointer(space, session, {
      hover: (place) => this.#hover(place),
      begin: (place, event) => this.#begin(place, event),
      adjusting: (event) => this.keys.takes(event),
    });
    this.keys = new Keys(this);
    this.handles = new Handles(this);
    space.onDraw = () => this.handles.place();
    space.canvas.classList.add("sculpting");
  }

  say(words) {
    this.status.textContent = words;
  }

  // What a hand does.

  #brush({ ctrlKey = false, metaKey = false, shiftKey = false } = {}) {
    const { tool, radius, strength, falloff, symmetric } = this.shell.state;
    return { tool: shiftKey ? "smooth" : tool, radius, strength, falloff, invert: ctrlKey || metaKey, symmetric };
  }

  #hover(place) {
    const { radius, symmetric, tool } = this.shell.state;
    this.scene.showBrush(place, tool === "keypoint" ? radius / 6 : radius, symmetric);
  }

  #begin(place, event) {
    if (this.desk.live !== null) return null;
    if (this.shell.state.tool === "keypoint" && !event.shiftKey) return this.#place(place, event);
    const live = this.desk.hold(this.session.begin(this.#brush(event), place.point));
    this.#shown(null, live);
    return {
      move: (x, y) => {
        const at = live.handle ? null : this.pointer.at(x, y);
        const point = live.handle ? this.pointer.level(x, y, place.point) : at?.point;
        if (point) this.moved(live.move(point), live);
        if (at) this.#hover(at);
      },
      end: (keep) => this.desk.release({ keep }),
    };
  }

  /** A new keypoint where the hand is, which it drags at once. */
  #place({ face, weights, point }, event) {
    const { session, shell: { state } } = this;
    const { keypoints, exact } = session.settings;
    const rest = pointOn(session.surface.base, session.surface.faces, face, weights).map(Math.fround);
    if (Math.abs(rest[0]) < ON_PLANE * session.surface.size) rest[0] = 0;
    const shared = exact && keypoints.length > 0 ? keypoints[0] : state; // exact keypoints share one kernel
    const alpha = alphaOfRadius(shared.kernel, state.radius);
    const keypoint = { position: rest, vector: [0, 0, 0], kernel: shared.kernel, alpha, strength: state.strength, symmetric: shared.symmetric };
    this.shell.set({ keypoint: keypoints.length });
    return this.handles.drag(keypoints.length, point, event, [...keypoints, keypoint]);
  }

  /** The keypoints as they are seen: while one is dragged, as they would be. */
  get keypoints() {
    const { live } = this.desk;
    return live instanceof LiveKeypoint ? live.step.keypoints : this.session.settings.keypoints;
  }

  /** Other keypoints. */
  choose(keypoints, exact) {
    const mixed = new Set(keypoints.map(({ kernel, symmetric }) => `${kernel} ${symmetric}`)).size > 1;
    if (exact && mixed) this.say("Exact keypoints share one kernel, and all have twins or none has: change those first.");
    else this.desk.apply({ kind: "keypoints", keypoints, exact });
    if (exact && mixed) this.panel.show();
  }

  /** Removes a keypoint, the chosen one by default. */
  forget(index = this.shell.state.keypoint) {
    const { keypoints, exact } = this.session.settings;
    if (index === null || index >= keypoints.length) return;
    this.shell.set({ keypoint: null });
    this.choose(keypoints.filter((_, k) => k !== index), exact);
  }

  /** One press of the brush where the ring is, or in the middle of the picture: sculpting by keys. */
  press() {
    const box = this.space.canvas.getBoundingClientRect();
    const place = this.pointer.place ?? this.pointer.at(box.left + box.width / 2, box.top + box.height / 2);
    if (place === null || this.desk.live !== null) return;
    if (this.shell.state.tool === "keypoint") {
      this.#place(place, { clientX: box.left, clientY: box.top });
      return this.desk.release();
    }
    const live = this.desk.hold(this.session.begin(this.#brush(), place.point));
    if (live.handle) live.move(place.point.map((value, axis) => value + 0.1 * this.shell.state.radius * place.normal[axis]));
    this.desk.release();
    this.#hover(place);
  }

  /** After a live change has moved vertices, in so many milliseconds. */
  moved(milliseconds, live) {
    this.#shown(milliseconds, live);
    this.handles?.follow();
  }

  #shown(milliseconds, live) {
    const many = live?.handle ? live.handle.indices.length : null;
    this.say([many === null ? null : count(many, "vertex", "vertices"), milliseconds === null ? null : `${number(milliseconds, 2)} ms an update`].filter(Boolean).join(", "));
  }

  // What the session says.

  #hear(what) {
    this.dirty ||= what === "history";
    this.scene?.refresh();
    if (what === "mask" || this.shell.state.surface === "distance" || what === "history") this.#paint();
    if (what === "history") this.shell.set({});
  }

  #paint() {
    if (this.painting) return;
    this.painting = requestAnimationFrame(() => {
      this.painting = 0;
      this.scene?.paint(this.#scale(), this.shell.state.surface === "texture");
    });
  }

  #scale() {
    if (this.shell.state.surface !== "distance") return null;
    const { most } = this.session.moved;
    return this.shell.scale("sequential", 0, Math.max(most, 1e-6 * this.session.surface.size));
  }

  draw(state, before) {
    if (this.dirty || before === null || before.keypoint !== state.keypoint || before.tool !== state.tool) this.panel.show();
    this.dirty = false;
    if (this.scene === undefined) return;
    this.handles.show();
    this.scene.material.wireframe = state.wireframe;
    const scale = this.#scale();
    this.scene.paint(scale, state.surface === "texture");
    this.bar.replaceChildren(...(scale === null ? [] : [this.shell.colorbar({ scale, label: "distance from the base", ends: [length(0), length(scale.high)] })]));
    if (this.pointer.place !== null && this.pointer.stroke === null) this.#hover(this.pointer.place);
  }

  dispose() {
    cancelAnimationFrame(this.painting);
    this.silence();
    this.desk.dispose();
    this.pointer?.dispose();
    this.keys?.dispose();
  }
}

/** Linear colours as sRGB bytes. */
function bytesOf(colors) {
  return Uint8Array.from(colors, (value) => Math.round(255 * (value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055)));
}
