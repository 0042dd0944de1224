// The 3-D part: a renderer, a camera that orbits, and one head. It draws only when something has changed.

import * as THREE from "three";
import { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";
import { GLTFLoader } from "three/examples/jsm/loaders/GLTFLoader.js";

import { Surface, countVertices, frontDirection, neutralBox } from "./surface.js";

const FIELD_OF_VIEW = 20; // degrees, vertical: a portrait lens
const MARGIN = 1.12;
const TURN = THREE.MathUtils.degToRad(6);
const MOVE_MS = 260;
const VIEWS = { front: [0, 0], left: [90, 0], right: [-90, 0] }; // yaw, pitch in degrees; left is the head's own left

const reducedMotion = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

export class Stage {
  /** Draws into a canvas, which follows the size of its parent. */
  constructor(canvas, { onChange = () => {} } = {}) {
    this.canvas = canvas;
    this.onChange = onChange;
    this.renderer = new THREE.WebGLRenderer({ canvas, antialias: true });
    this.renderer.toneMapping = THREE.NoToneMapping; // the photograph's colours stay as they are
    this.renderer.setPixelRatio(Math.min(window.devicePixelRatio, 2));
    this.scene = new THREE.Scene();
    this.camera = new THREE.PerspectiveCamera(FIELD_OF_VIEW, 1, 0.01, 20);
    this.surface = new Surface(this.scene, this.camera);
    this.head = null;
    this.frames = 0;
    this.request = 0;
    this.move = null;
    this.#addControls();
    this.resizes = new ResizeObserver(() => this.#resize());
    this.resizes.observe(canvas.parentElement);
    this.#resize();
  }

  #addControls() {
    this.controls = new OrbitControls(this.camera, this.canvas);
    this.controls.enableZoom = false; // until the canvas has the focus, so that the wheel still scrolls the page
    this.controls.minPolarAngle = 0.15;
    this.controls.maxPolarAngle = Math.PI - 0.15;
    this.controls.addEventListener("change", () => this.invalidate());
    this.controls.addEventListener("start", () => {
      this.move = null;
      this.touched = true;
    });
    this.listeners = new AbortController();
    const { signal } = this.listeners;
    this.canvas.addEventListener("pointerdown", () => this.canvas.focus({ preventScroll: true }), { signal });
    this.canvas.addEventListener("focus", () => (this.controls.enableZoom = true), { signal });
    this.canvas.addEventListener("blur", () => (this.controls.enableZoom = false), { signal });
    this.canvas.addEventListener("keydown", (event) => this.#key(event), { signal });
    this.canvas.addEventListener("webglcontextrestored", () => this.invalidate(), { signal });
  }

  /** Reads a GLB from an ArrayBuffer or a typed array, and shows it from the front. */
  async load(glb) {
    const bytes = ArrayBuffer.isView(glb) ? glb.slice().buffer : glb;
    const gltf = await new GLTFLoader().parseAsync(bytes, "");
    this.surface.show(gltf.scene, this.renderer.capabilities.getMaxAnisotropy());
    const box = neutralBox(this.surface.meshes);
    this.head = {
      center: box.getCenter(new THREE.Vector3()),
      size: box.getSize(new THREE.Vector3()),
      front: frontDirection(this.surface.meshes),
      vertices: countVertices(this.surface.meshes),
      triangles: this.surface.meshes.reduce((sum, { geometry }) => sum + (geometry.index ?? geometry.attributes.position).count / 3, 0),
    };
    this.controls.cursor.copy(this.head.center);
    this.controls.maxTargetRadius = this.head.size.length() / 2;
    this.view("front", { animate: false });
  }

  /** Turns the camera to "front", "left" or "right". */
  view(name, { animate = true } = {}) {
    if (this.head === null) return;
    this.touched = false;
    const [yaw, pitch] = VIEWS[name].map(THREE.MathUtils.degToRad);
    const goal = { yaw, pitch, distance: this.#fitDistance(), target: this.head.center.clone() };
    if (animate && !reducedMotion()) this.#startMove(goal);
    else this.#place(goal);
  }

  #fitDistance() {
    const { size } = this.head;
    const half = Math.tan(THREE.MathUtils.degToRad(FIELD_OF_VIEW / 2));
    const across = Math.max(size.x, size.z) / this.camera.aspect;
    return (Math.max(size.y, across) / 2 / half) * MARGIN + Math.max(size.x, size.z) / 2;
  }

  #place({ yaw, pitch, distance, target }) {
    const away = new THREE.Vector3(Math.sin(yaw) * Math.cos(pitch), Math.sin(pitch), Math.cos(yaw) * Math.cos(pitch));
    this.camera.position.copy(target).addScaledVector(away, distance);
    this.controls.target.copy(target);
    this.controls.minDistance = this.head.size.y * 0.35;
    this.controls.maxDistance = this.head.size.y * 12;
    this.controls.update();
    this.invalidate();
  }

  #pose() {
    const away = this.camera.position.clone().sub(this.controls.target);
    const distance = away.length();
    const pitch = Math.asin(THREE.MathUtils.clamp(away.y / distance, -1, 1));
    return { yaw: Math.atan2(away.x, away.z), pitch, distance, target: this.controls.target.clone() };
  }

  #startMove(goal) {
    const from = this.#pose();
    const turn = THREE.MathUtils.euclideanModulo(goal.yaw - from.yaw + Math.PI, 2 * Math.PI) - Math.PI;
    this.move = { from, goal, turn, start: performance.now() };
    this.invalidate();
  }

  #stepMove(now) {
    const { from, goal, turn, start } = this.move;
    const part = Math.min(1, Math.max(0, (now - start) / MOVE_MS));
    const ease = part * part * (3 - 2 * part);
    if (part === 1) this.move = null;
    this.#place({
      yaw: from.yaw + turn * ease,
      pitch: THREE.MathUtils.lerp(from.pitch, goal.pitch, ease),
      distance: THREE.MathUtils.lerp(from.distance, goal.distance, ease),
      target: from.target.clone().lerp(goal.target, ease),
    });
  }

  #key(event) {
    if (this.head === null || event.ctrlKey || event.metaKey || event.altKey) return;
    const sides = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const zooms = { "+": 0.9, "=": 0.9, "-": 1 / 0.9, _: 1 / 0.9 };
    const views = { f: "front", l: "left", r: "right", Home: "front" };
    if (event.key in sides && event.shiftKey) this.#slide(...sides[event.key]);
    else if (event.key in sides) this.#turn(...sides[event.key]);
    else if (event.key in zooms) this.#zoom(zooms[event.key]);
    else if (event.key in views) this.view(views[event.key]);
    else return;
    event.preventDefault();
  }

  /** Turns the head as a finger would: the arrow to the right shows more of the head's right side. */
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

  #zoom(factor) {
    this.#nudge((pose) => (pose.distance *= factor));
  }

  #nudge(change) {
    this.move = null;
    this.touched = true;
    const pose = this.#pose();
    change(pose);
    this.#place(pose);
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.canvas.parentElement;
    if (width === 0 || height === 0) return;
    this.renderer.setSize(width, height, false);
    this.camera.aspect = width / height;
    this.camera.updateProjectionMatrix();
    if (this.head !== null && !this.touched) this.view("front", { animate: false });
    this.draw();
  }

  setMode(mode) {
    this.surface.setMode(mode);
    this.invalidate();
  }

  setBackground(color) {
    this.scene.background = new THREE.Color(color);
    this.surface.setPaper(color);
    this.invalidate();
  }

  setMorph(name, value) {
    this.surface.setMorph(name, value);
    this.invalidate();
  }

  /** Asks for one drawing at the next frame of the screen; many calls give one drawing. */
  invalidate() {
    if (this.request !== 0) return;
    this.request = requestAnimationFrame((now) => {
      if (this.move !== null) this.#stepMove(now);
      this.request = 0;
      this.draw();
      if (this.move !== null) this.invalidate();
    });
  }

  draw() {
    this.surface.prepare();
    this.renderer.render(this.scene, this.camera);
    this.frames += 1;
    this.onChange();
  }

  /** The picture as a PNG in a data address. */
  screenshot() {
    this.draw();
    return this.canvas.toDataURL("image/png");
  }

  /** What is shown, in plain values: degrees, metres, unit vectors in the world. */
  get state() {
    const { yaw, pitch, distance } = this.#pose();
    const degrees = (angle) => Math.round(THREE.MathUtils.radToDeg(angle) * 1e3) / 1e3;
    return {
      ready: this.head !== null,
      vertices: this.head?.vertices ?? 0,
      triangles: this.head?.triangles ?? 0,
      front: this.head?.front ?? null,
      size: this.head?.size.toArray() ?? null,
      yaw: degrees(yaw),
      pitch: degrees(pitch),
      distance,
      target: this.controls.target.toArray(),
      moving: this.move !== null,
      mode: this.surface.mode,
      morphs: this.surface.morphs,
      frames: this.frames,
    };
  }

  dispose() {
    cancelAnimationFrame(this.request);
    this.request = -1; // nothing is drawn any more
    this.resizes.disconnect();
    this.listeners.abort();
    this.controls.dispose();
    this.surface.dispose();
    this.renderer.dispose();
    this.renderer.forceContextLoss();
  }
}
