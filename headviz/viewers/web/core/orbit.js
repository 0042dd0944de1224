// A camera that orbits: drag, wheel, pinch, keys, named views, smooth moves. Draws only when something has changed.

import * as THREE from "three";
import { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";

import { reducedMotion } from "./dom.js";

const FIELD_OF_VIEW = 20; // degrees, vertical: a portrait lens
const MARGIN = 1.12;
const TURN = THREE.MathUtils.degToRad(6);
const MOVE_MS = 260;
/** Yaw and pitch in degrees; left is the head's own left. */
export const VIEWS = { front: [0, 0], left: [90, 0], right: [-90, 0], top: [0, 80], three: [28, 12], side: [-44, 12] };

export class Orbit {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {object} on - { draw(), move(pose) }: draw the picture now; a person has moved the camera
   */
  constructor(canvas, { draw, move = () => {} }) {
    this.canvas = canvas;
    this.draw = draw;
    this.told = move;
    this.camera = new THREE.PerspectiveCamera(FIELD_OF_VIEW, 1, 0.01, 20);
    this.box = null;
    this.home = "front";
    this.request = 0;
    this.moving = null;
    this.touched = false;
    this.listeners = new AbortController();
    this.#addControls();
  }

  #addControls() {
    this.controls = new OrbitControls(this.camera, this.canvas);
    this.controls.enableZoom = false; // until the canvas has the focus, so that the wheel still scrolls the page
    this.controls.minPolarAngle = 0.1;
    this.controls.maxPolarAngle = Math.PI - 0.1;
    this.controls.addEventListener("change", () => this.invalidate());
    this.controls.addEventListener("start", () => {
      this.moving = null;
      this.touched = true;
      this.dragging = true;
    });
    this.controls.addEventListener("end", () => (this.dragging = false));
    const { signal } = this.listeners;
    this.canvas.addEventListener("pointerdown", () => this.canvas.focus({ preventScroll: true }), { signal });
    this.canvas.addEventListener("focus", () => (this.controls.enableZoom = true), { signal });
    this.canvas.addEventListener("blur", () => (this.controls.enableZoom = false), { signal });
    this.canvas.addEventListener("keydown", (event) => this.#key(event), { signal });
  }

  /** What is looked at: center and size as THREE.Vector3, metres. */
  fit(box, home = "front") {
    this.box = box;
    this.home = home;
    this.controls.cursor.copy(box.center);
    this.controls.maxTargetRadius = box.size.length() / 2;
    const reach = Math.max(box.size.length(), 1e-6);
    this.camera.near = reach * 0.05;
    this.camera.far = reach * 60;
    this.view(home, { animate: false });
  }

  /** Turns the camera to a named view, or to [yaw, pitch] in degrees. */
  view(name, { animate = true } = {}) {
    if (this.box === null) return;
    this.touched = false;
    const [yaw, pitch] = (VIEWS[name] ?? name).map(THREE.MathUtils.degToRad);
    const goal = { yaw, pitch, distance: this.#fitDistance(), target: this.box.center.clone() };
    if (animate && !reducedMotion()) this.#startMove(goal);
    else this.#place(goal);
    if (animate) this.told(this.shared(goal));
  }

  #fitDistance() {
    const { size } = this.box;
    const half = Math.tan(THREE.MathUtils.degToRad(FIELD_OF_VIEW / 2));
    const wide = Math.hypot(size.x, size.z);
    const across = Math.max(size.x, size.z, this.home === "three" || Array.isArray(this.home) ? wide : 0) / this.camera.aspect;
    return (Math.max(size.y, across) / 2 / half) * MARGIN + Math.max(size.x, size.z) / 2;
  }

  #place({ yaw, pitch, distance, target }) {
    const away = new THREE.Vector3(Math.sin(yaw) * Math.cos(pitch), Math.sin(pitch), Math.cos(yaw) * Math.cos(pitch));
    const size = Math.max(this.box.size.x, this.box.size.y, this.box.size.z);
    this.camera.position.copy(target).addScaledVector(away, distance);
    this.controls.target.copy(target);
    this.controls.minDistance = size * 0.2;
    this.controls.maxDistance = size * 12;
    this.controls.update();
    this.invalidate();
  }

  get pose() {
    const away = this.camera.position.clone().sub(this.controls.target);
    const distance = away.length();
    const pitch = Math.asin(THREE.MathUtils.clamp(away.y / distance, -1, 1));
    return { yaw: Math.atan2(away.x, away.z), pitch, distance, target: this.controls.target.clone() };
  }

  /** A pose for other viewers: the distance as a multiple of what fits, because panels differ in shape. */
  shared({ yaw, pitch, distance, target }) {
    return { yaw, pitch, zoom: distance / this.#fitDistance(), target: target.toArray() };
  }

  /** Takes the pose of another viewer. */
  take({ yaw, pitch, zoom, target }) {
    if (this.box === null) return;
    this.moving = null;
    this.touched = true;
    this.#place({ yaw, pitch, distance: zoom * this.#fitDistance(), target: new THREE.Vector3(...target) });
  }

  #startMove(goal) {
    const from = this.pose;
    const turn = THREE.MathUtils.euclideanModulo(goal.yaw - from.yaw + Math.PI, 2 * Math.PI) - Math.PI;
    this.moving = { from, goal, turn, start: performance.now() };
    this.invalidate();
  }

  #stepMove(now) {
    const { from, goal, turn, start } = this.moving;
    const part = Math.min(1, Math.max(0, (now - start) / MOVE_MS));
    const ease = part * part * (3 - 2 * part);
    if (part === 1) this.moving = null;
    this.#place({
      yaw: from.yaw + turn * ease,
      pitch: THREE.MathUtils.lerp(from.pitch, goal.pitch, ease),
      distance: THREE.MathUtils.lerp(from.distance, goal.distance, ease),
      target: from.target.clone().lerp(goal.target, ease),
    });
  }

  #key(event) {
    if (this.box === null || event.ctrlKey || event.metaKey || event.altKey) return;
    const sides = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const zooms = { "+": 0.9, "=": 0.9, "-": 1 / 0.9, _: 1 / 0.9 };
    const views = { f: "front", l: "left", r: "right", t: "top", Home: this.home };
    if (event.key in sides && event.shiftKey) this.#slide(...sides[event.key]);
    else if (event.key in sides) this.#turn(...sides[event.key]);
    else if (event.key in zooms) this.#nudge((pose) => (pose.distance *= zooms[event.key]));
    else if (event.key in views) this.view(views[event.key]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Turns the object as a finger would: the arrow to the right shows more of its right side. */
  #turn(right, up) {
    this.#nudge((pose) => {
      pose.yaw -= right * TURN;
      pose.pitch = THREE.MathUtils.clamp(pose.pitch - up * TURN, -1.4, 1.4);
    });
  }

  #slide(right, up) {
    this.#nudge((pose) => {
      const step = pose.distance * 0.02;
      const across = new THREE.Vector3(Math.cos(pose.yaw), 0, -Math.sin(pose.yaw));
      pose.target.addScaledVector(across, -right * step).add(new THREE.Vector3(0, -up * step, 0));
    });
  }

  #nudge(change) {
    this.moving = null;
    this.touched = true;
    const pose = this.pose;
    change(pose);
    this.#place(pose);
    this.told(this.shared(this.pose));
  }

  /** The canvas has another shape. */
  reshape(aspect) {
    this.camera.aspect = aspect;
    this.camera.updateProjectionMatrix();
    if (this.box !== null && !this.touched) this.view(this.home, { animate: false });
  }

  /** Asks for one drawing at the next frame of the screen; many calls give one drawing. */
  invalidate() {
    if (this.request !== 0) return;
    this.request = requestAnimationFrame((now) => {
      if (this.moving !== null) this.#stepMove(now);
      this.request = 0;
      this.draw();
      if (this.dragging) this.told(this.shared(this.pose));
      if (this.moving !== null) this.invalidate();
    });
  }

  /** In plain values: degrees and metres. */
  get state() {
    const { yaw, pitch, distance, target } = this.pose;
    const degrees = (angle) => Math.round(THREE.MathUtils.radToDeg(angle) * 1e3) / 1e3;
    return { yaw: degrees(yaw), pitch: degrees(pitch), distance, target: target.toArray(), moving: this.moving !== null };
  }

  dispose() {
    cancelAnimationFrame(this.request);
    this.request = -1; // nothing is drawn any more
    this.listeners.abort();
    this.controls.dispose();
  }
}
