// Marching cubes, cell by cell: the surface so far, the current cell with its table entry, the 15 classes.

import * as THREE from "three";
import { LineMaterial } from "three/examples/jsm/lines/LineMaterial.js";
import { LineSegments2 } from "three/examples/jsm/lines/LineSegments2.js";
import { LineSegmentsGeometry } from "three/examples/jsm/lines/LineSegmentsGeometry.js";

import { h } from "./core/dom.js";
import { COLOR, INK } from "./core/look.js";
import { surfaceOf } from "./core/space.js";
import { CELL_STYLE, Cell, classTiles } from "./cubes_cell.js";
import * as model from "./cubes_model.js";

const HINT = "A class is all cases that rotations and the complement turn into each other. Press one to go to the next cell that has it.";

export default {
  kind: "cubes",
  initial: () => ({ follow: false, rest: true, smooth: false }),
  steps: model.steps,
  caption: model.caption,
  numbers: model.numbers,
  update: model.update,
  mount(shell, record) {
    return new Cubes(shell, record);
  },
};

class Cubes {
  constructor(shell, record) {
    Object.assign(this, { shell, record });
    this.space = shell.space({
      label: "The surface so far", home: "three", grow: 1.2, title: "Surface so far",
      legend: [["fill", COLOR.skin, "cells done"], ["outline", COLOR.current, "current cell"], ["dot", COLOR.inside, "corner inside"], ["dot", COLOR.outside, "corner outside"]],
    });
    this.#addSurface();
    this.#addCube();
    this.cell = new Cell({ record, pose: () => this.#pose(), turn: (dx, dy) => this.#turn(dx, dy) });
    shell.block(this.cell.element, { title: "Current cell" });
    this.tiles = classTiles(record, (wanted) => this.#goTo(wanted));
    shell.block(h("div", {}, h("style", {}, CELL_STYLE), h("p", { class: "small" }, HINT), this.tiles.element), { title: "The 15 classes", grow: 0.9 });
    shell.controls.toggle("follow", { label: "Camera follows the cell" });
    shell.controls.toggle("rest", { label: "Show what is to come" });
    shell.controls.toggle("smooth", { label: "Smooth shading" });
    this.space.onPick(() => (this.space.works ? [this.done, ...(shell.state.rest ? [this.rest] : [])] : []), (hit) => hit && shell.set({ cursor: hit.point.toArray() }));
    this.space.onDraw = () => this.#afterDraw();
  }

  /** The faces done are a prefix of the index, so that a step only moves where drawing ends. */
  #addSurface() {
    const { vertices, faces } = this.record.arrays;
    const position = new THREE.BufferAttribute(Float32Array.from(vertices.data), 3);
    this.done = surfaceOf(position.array, faces.data);
    const geometry = new THREE.BufferGeometry();
    for (const name of ["position", "normal"]) geometry.setAttribute(name, this.done.geometry.getAttribute(name));
    geometry.setIndex(this.done.geometry.index);
    this.rest = new THREE.Mesh(geometry, new THREE.MeshLambertMaterial({ color: COLOR.skin, transparent: true, opacity: 0.2, depthWrite: false }));
    this.space.scene.add(this.done, this.rest);
    this.done.geometry.computeBoundingBox();
    const { min, max } = this.done.geometry.boundingBox;
    this.space.fit(min.toArray(), max.toArray());
    const small = this.record.facts.spacing < 0.03 * this.space.size.length();
    if (!small) this.space.showCursor = () => {}; // the cube itself shows where the cursor is
  }

  #addCube() {
    this.cube = new THREE.Group();
    const { edges, corners } = this.record.arrays;
    const ends = Array.from(edges.data).flatMap((corner) => Array.from(corners.data.subarray(3 * corner, 3 * corner + 3)));
    const line = (color, width) => new LineMaterial({ color, linewidth: width, depthTest: false, transparent: true });
    const frame = new LineSegments2(new LineSegmentsGeometry().setPositions(ends), line(COLOR.current, 3));
    const ball = new THREE.SphereGeometry(0.1, 16, 12);
    this.balls = new THREE.InstancedMesh(ball, new THREE.MeshBasicMaterial({ depthTest: false, transparent: true }), 8);
    for (let k = 0; k < 8; k += 1) {
      this.balls.setMatrixAt(k, new THREE.Matrix4().makeTranslation(...corners.data.subarray(3 * k, 3 * k + 3)));
      this.balls.setColorAt(k, new THREE.Color());
    }
    frame.renderOrder = 5;
    this.balls.renderOrder = 6;
    this.balls.frustumCulled = false;
    this.cube.add(frame, this.balls);
    this.outlines = new LineSegments2(new LineSegmentsGeometry(), line(INK.light, 2));
    this.outlines.material.depthTest = true;
    this.outlines.material.polygonOffset = true;
    this.outlines.material.polygonOffsetFactor = -2;
    this.outlines.frustumCulled = false;
    this.space.scene.add(this.cube, this.outlines);
    this.cube.scale.setScalar(this.record.facts.spacing);
  }

  #goTo(wanted) {
    const step = model.nextOfClass(this.record, this.shell.state, wanted);
    if (step !== null) this.shell.set({ step });
  }

  #pose() {
    return this.space.orbit?.pose ?? { yaw: 0.5, pitch: 0.3 };
  }

  #turn(dx, dy) {
    const { orbit } = this.space;
    if (orbit === undefined) return;
    const pose = orbit.pose;
    const shared = orbit.shared({ ...pose, yaw: pose.yaw - dx * 0.01, pitch: Math.max(-1.4, Math.min(1.4, pose.pitch + dy * 0.01)) });
    orbit.take(shared);
    orbit.told(shared);
  }

  /** The cell turns with the head. */
  #afterDraw() {
    const { yaw, pitch } = this.#pose();
    if (yaw === this.yaw && pitch === this.pitch) return;
    Object.assign(this, { yaw, pitch });
    this.cell.draw();
  }

  draw(state, before) {
    const { record, shell } = this;
    const number = model.numberOf(record, state);
    this.cell.show(number, shell.shade);
    this.tiles.show(model.currentOf(record, state));
    if (!this.space.works) return;
    const [done, all] = [3 * model.doneOf(record, state), record.arrays.faces.data.length];
    this.done.geometry.setDrawRange(0, done);
    this.rest.geometry.setDrawRange(done, all - done);
    this.rest.visible = state.rest;
    if (this.done.material.flatShading === state.smooth) {
      this.done.material.flatShading = !state.smooth;
      this.done.material.needsUpdate = true;
    }
    this.cube.visible = number !== null;
    this.outlines.visible = number !== null;
    if (number !== null) this.#placeCube(number);
    this.#follow(state, before, number);
    this.space.invalidate();
  }

  #placeCube(number) {
    const { arrays, facts } = this.record;
    const corner = [0, 1, 2].map((axis) => facts.origin[axis] + facts.spacing * arrays.cells.data[3 * number + axis]);
    this.cube.position.set(...corner);
    const code = arrays.state_case.data[arrays.state.data[number]];
    for (let k = 0; k < 8; k += 1) this.balls.setColorAt(k, new THREE.Color((code >> k) & 1 ? COLOR.inside : COLOR.outside));
    this.balls.instanceColor.needsUpdate = true;
    const [first, end] = [arrays.first.data[number], arrays.first.data[number + 1]];
    const points = [];
    for (let face = first; face < end; face += 1) {
      for (let k = 0; k < 3; k += 1) {
        for (const vertex of [arrays.faces.data[3 * face + k], arrays.faces.data[3 * face + ((k + 1) % 3)]]) {
          points.push(...arrays.vertices.data.subarray(3 * vertex, 3 * vertex + 3));
        }
      }
    }
    this.outlines.geometry.dispose();
    this.outlines.geometry = new LineSegmentsGeometry().setPositions(points);
  }

  #follow(state, before, number) {
    const { orbit } = this.space;
    if (before?.follow && !state.follow) return orbit.view("three");
    if (!state.follow || number === null || (before && before.step === state.step && before.follow)) return;
    orbit.take({ ...orbit.shared(orbit.pose), zoom: 0.42, target: model.centerOf(this.record, number) });
  }

  dispose() {
    this.cell.dispose();
    this.outlines.geometry.dispose();
  }
}
