// A head from a photograph, stage by stage. Panels: photograph, head, slice; below: expressions, maps, measurements.

import { h } from "./core/dom.js";
import { length } from "./core/format.js";
import { COLOR, PAPER, painted } from "./core/look.js";
import { ACROSS, captionOf, changed, isFitted, numbersOf, pointOf, reachOf, sliceOf, stageOf } from "./reconstruction_data.js";
import { Head } from "./reconstruction_head.js";
import { STYLE, expressionSliders, measurements, skinMaps, stageStrip } from "./reconstruction_parts.js";
import { Photo } from "./reconstruction_photo.js";
import { Slices, paintSlice } from "./reconstruction_slice.js";

/** Which panel a stage is about. */
const ABOUT = { photograph: "photo", face: "photo", landmarks: "photo", fit: "photo", texture: "head", head: "head", distance: "slice" };

export default {
  kind: "reconstruction",
  stepWord: "stage",
  initial: () => ({ landmarks: true, opacity: 0.75, surface: "auto", expression: null, axis: "x", position: 0, follow: true, lines: true, map: "texture" }),
  steps: ({ facts }) => facts.stages.length,
  caption: captionOf,
  numbers: numbersOf,
  update: changed,
  prepare: decode,
  mount(shell, record) {
    const scene = new Scene(shell, record);
    return { draw: (state) => scene.draw(state), dispose: () => scene.head?.dispose() };
  },
};

/** Pictures travel as JPEG files; browsers decode them before the viewer is mounted. */
async function decode(record) {
  const { form, names } = record.facts.pictures;
  const decoded = names.map((name) => createImageBitmap(new Blob([record.arrays[name].data], { type: form })));
  const pictures = await Promise.all(decoded);
  record.images = Object.fromEntries(names.map((name, k) => [name, pictures[k]]));
}

class Scene {
  constructor(shell, record) {
    Object.assign(this, { shell, record, panels: {} });
    const style = h("style", {});
    style.textContent = STYLE;
    shell.root.append(style);
    this.strip = stageStrip(shell);
    shell.block(this.strip.element).classList.add("whole");
    this.scale = shell.scale("sequential", 0, 1);
    this.confidence = this.#confidence();
    this.#addPhoto();
    this.#addHead();
    if (record.facts.field !== null) this.#addSlice();
    this.#addRest();
  }

  #confidence() {
    const { confidence } = this.record.arrays;
    if (confidence === undefined) return null;
    const values = Float32Array.from(confidence.data, (value) => value / 255);
    return painted(values, confidence.shape[1], confidence.shape[0], this.scale);
  }

  #addPhoto() {
    const { shell, record } = this;
    const pick = (u, v) => isFitted(record, shell.state) && this.head && shell.point(this.head.under(u, v));
    this.photo = new Photo({ record, pick });
    shell.place(this.photo, { title: "Photograph" });
    this.panels.photo = this.photo.element;
    const fitted = (state) => isFitted(record, state);
    const tools = h("div", { class: "tools" });
    if (record.arrays.landmarks !== undefined) {
      const seen = (state) => ["landmarks", "fit"].includes(stageOf(record, state));
      tools.append(shell.controls.toggle("landmarks", { label: "Landmarks", when: seen }));
    }
    tools.append(shell.controls.slider("opacity", { label: "Head over it", min: 0, max: 1, step: 0.01, when: fitted }));
    this.legend = shell.legend(this.#marks());
    this.photo.element.append(tools, this.legend);
  }

  #marks() {
    const { landmarks, landmarks_fitted: fitted, outlying } = this.record.arrays;
    const marks = [];
    if (landmarks !== undefined) marks.push(["dot", COLOR.current, "landmark in the photograph"]);
    if (fitted !== undefined) marks.push(["dot", COLOR.hit, "the head’s own point"]);
    if (outlying?.data.some((is) => is)) marks.push(["cross", COLOR.wrong, "outlying, counts less"]);
    return marks;
  }

  #addHead() {
    const { shell, record } = this;
    const space = shell.space({ label: "Head", home: "three", title: "Head" });
    this.space = space;
    this.panels.head = space.element;
    this.headTitle = space.element.querySelector("h3");
    if (!space.works) return;
    this.head = new Head(space, record, this.confidence);
    space.fit(...this.head.box);
    space.onPick(() => this.head.targets, (hit) => shell.point(hit && hit.point.toArray()));
    const has = (name) => name in record.arrays && "uv" in record.arrays;
    const options = [["auto", "as fits the stage"], ["texture", "photograph"], ["confidence", "confidence"], ["plain", "plain skin"], ["wireframe", "edges"]];
    const known = options.filter(([name]) => !["texture", "confidence"].includes(name) || has(name));
    space.tools.append(shell.controls.select("surface", { label: "Surface", options: known }));
  }

  #addSlice() {
    const { shell, record } = this;
    const { reach } = record.facts.field;
    const scale = shell.scale("signed", -reach, reach);
    this.slices = new Slices(record, scale);
    const { axis } = shell.state;
    const { box } = sliceOf(record, shell.state);
    this.plane = shell.plane({
      label: "Slice through the signed distance. Click it to choose a place", title: "Signed distance", box, axes: ACROSS[axis],
      paint: (plane) => isFitted(record, shell.state) && paintSlice(plane, record, shell.state, this.slices.at(shell.state)),
      colorbar: { scale, label: "inside to outside", unit: "m" },
    });
    this.panels.slice = this.plane.element;
    this.plane.onPointer({
      down: (place) => shell.point(pointOf(shell.state, place)),
      move: (place, event, held) => held && shell.point(pointOf(shell.state, place)),
    });
    this.#addSliceTools();
  }

  #addSliceTools() {
    const { shell, record, plane } = this;
    const options = Object.keys(ACROSS).map((axis) => [axis, axis]);
    plane.tools.append(shell.controls.choice("axis", { label: "Plane across", options }));
    this.positions = options.map(([axis]) => {
      const [min, max] = reachOf(record, axis);
      const slider = shell.controls.slider("position", { label: `at ${axis} =`, min, max, step: 0.001, format: length });
      slider.classList.add("across");
      plane.tools.append(slider);
      return [axis, slider];
    });
    plane.tools.append(shell.controls.toggle("lines", { label: "Lines every 0.01 m" }), shell.controls.toggle("follow", { label: "Follow the cursor" }));
  }

  #addRest() {
    const { shell, record } = this;
    this.shows = [this.strip];
    const rest = h("div", { class: "panels rest" });
    shell.figcaption.after(rest);
    const add = (element, title) => rest.append(h("div", { class: "panel block" }, h("h3", {}, title), element));
    if (record.facts.morphs.length > 0) {
      this.expression = expressionSliders(shell, record);
      add(this.expression.element, "Expression");
      this.shows.push(this.expression);
    }
    this.maps = skinMaps(shell, record, this.confidence, this.scale);
    if (this.maps !== null) {
      add(this.maps.element, "Skin, unrolled");
      this.shows.push(this.maps);
    }
    add(measurements(record), "Times and measurements");
  }

  draw(state) {
    const { record } = this;
    const stage = stageOf(record, state);
    for (const [name, element] of Object.entries(this.panels)) element.dataset.current = String(ABOUT[stage] === name);
    for (const part of this.shows) part.show(state);
    this.legend.hidden = !(state.landmarks && ["landmarks", "fit"].includes(stage));
    this.photo.show(state);
    this.#drawSlice(state);
    this.#drawHead(state);
  }

  #drawSlice(state) {
    if (this.plane === undefined) return;
    const { plane, record } = this;
    const fitted = isFitted(record, state);
    plane.message.hidden = fitted;
    plane.message.dataset.kind = "wait";
    plane.message.textContent = fitted ? "" : "The signed distance comes with the fitted head.";
    for (const [axis, slider] of this.positions) slider.hidden = axis !== state.axis;
    const axes = ACROSS[state.axis];
    if (plane.axes.join() !== axes.join()) {
      plane.axes = axes;
      plane.home = sliceOf(record, state).box;
      plane.show(plane.home);
    } else plane.draw();
  }

  #drawHead(state) {
    if (this.head === undefined) return;
    const { record, shell, head } = this;
    const fitted = isFitted(record, state);
    this.headTitle.textContent = fitted ? "Head" : "Average head: nothing is known yet";
    head.setPaper(PAPER[shell.shade]);
    head.show(state, this.slices === undefined ? null : this.slices.at(state));
    if (!fitted && head.average === null) this.space.say("The head comes with the fit.");
    else this.space.message.hidden = true;
  }
}
