// A 3-D panel: a canvas with a camera that orbits, and the few things that viewers put into it.

import * as THREE from "three";

import { h } from "./dom.js";
import { COLOR, PAPER } from "./look.js";
import { Orbit } from "./orbit.js";

const HINT = "Drag to turn, wheel or pinch to zoom, right-drag to move. Keys: arrows, Shift with arrows, + and −, F L R T.";
const VIEW_NAMES = { front: "Front", left: "Left", right: "Right", top: "Top" };

export class Space {
  /**
   * @param {object} options - { label, home, views, onMove(pose) }
   *   label: what a screen reader calls it; home: the view it starts with; views: whether there are view buttons
   */
  constructor({ label, home = "front", views = true, onMove = () => {} }) {
    this.home = home;
    this.canvas = h("canvas", { tabindex: "0", role: "application", "aria-label": `${label}. ${HINT}`, class: "space" });
    this.message = h("p", { class: "message", role: "status", hidden: true });
    this.overlay = h("div", { class: "overlay" });
    this.picture = h("div", { class: "picture" }, this.canvas, this.message, this.overlay);
    const buttons = Object.entries(VIEW_NAMES).map(([name, text]) =>
      h("button", { type: "button", "data-view": name, click: () => this.orbit?.view(name) }, text),
    );
    this.tools = h("div", { class: "tools" }, h("div", { class: "set", role: "group", "aria-label": `View: ${label}` }, ...buttons));
    this.tools.hidden = !views;
    this.element = h("div", { class: "panel" }, this.picture, this.tools);
    this.scene = new THREE.Scene();
    this.frames = 0;
    this.drawn = 0;
    this.#start(onMove);
  }

  #start(onMove) {
    try {
      this.renderer = new THREE.WebGLRenderer({ canvas: this.canvas, antialias: true });
    } catch (error) {
      this.say(`This browser gives no WebGL 2, which the 3-D picture needs. ${error.message}`);
      return;
    }
    this.renderer.toneMapping = THREE.NoToneMapping;
    this.renderer.setPixelRatio(Math.min(window.devicePixelRatio, 2));
    this.orbit = new Orbit(this.canvas, { draw: () => this.draw(), move: onMove });
    this.camera = this.orbit.camera;
    this.light = new THREE.DirectionalLight(0xffffff, 2.2);
    this.scene.add(new THREE.HemisphereLight(0xffffff, 0x8a8580, 1.2), this.light);
    this.marker = cursorMarker();
    this.scene.add(this.marker);
    this.resizes = new ResizeObserver(() => this.#resize());
    this.resizes.observe(this.picture);
    this.canvas.addEventListener("webglcontextlost", () => this.say("The browser has taken the 3-D picture away; reload the page."));
    this.canvas.addEventListener("webglcontextrestored", () => {
      this.message.hidden = true;
      this.invalidate();
    });
    this.picks = new AbortController();
  }

  /** Words in place of the picture. */
  say(text) {
    this.message.hidden = false;
    this.message.dataset.kind = "error";
    this.message.textContent = text;
  }

  get works() {
    return this.renderer !== undefined;
  }

  /** Fits the camera to a box: two corners [x, y, z], metres. */
  fit(low, high) {
    const [a, b] = [new THREE.Vector3(...low), new THREE.Vector3(...high)];
    this.size = b.clone().sub(a);
    this.orbit?.fit({ center: a.add(b).multiplyScalar(0.5), size: this.size }, this.home);
    const radius = Math.max(this.size.length() * 0.012, 1e-9);
    this.marker?.scale.setScalar(radius);
  }

  /**
   * Calls `pick(hit)` when a person clicks without dragging: hit has THREE's { point, object, faceIndex, instanceId }, or
   * is null beside everything. `objects()` gives what can be hit.
   */
  onPick(objects, pick) {
    if (!this.works) return;
    let down = null;
    const { signal } = this.picks;
    this.canvas.addEventListener("pointerdown", (event) => (down = [event.clientX, event.clientY]), { signal });
    this.canvas.addEventListener("pointerup", (event) => {
      if (down === null || Math.hypot(event.clientX - down[0], event.clientY - down[1]) > 4) return;
      pick(this.cast(event.clientX, event.clientY, objects()));
    }, { signal });
  }

  /** The first of some objects under a spot of the window, or null. */
  cast(clientX, clientY, objects) {
    const box = this.canvas.getBoundingClientRect();
    const spot = new THREE.Vector2(((clientX - box.left) / box.width) * 2 - 1, 1 - ((clientY - box.top) / box.height) * 2);
    const ray = new THREE.Raycaster();
    ray.setFromCamera(spot, this.camera);
    return ray.intersectObjects(objects, false)[0] ?? null;
  }

  /** Where a point [x, y, z] is on the canvas, in its own pixels from the left and the top. */
  project(point) {
    const spot = new THREE.Vector3(...point).project(this.camera);
    const { clientWidth: width, clientHeight: height } = this.picture;
    return [((spot.x + 1) / 2) * width, ((1 - spot.y) / 2) * height];
  }

  /** Shows the cursor that linked viewers share, or hides it (null). */
  showCursor(point) {
    if (!this.works) return;
    this.marker.visible = point !== null;
    if (point !== null) this.marker.position.set(...point);
    this.invalidate();
  }

  setTheme(theme) {
    this.scene.background = new THREE.Color(PAPER[theme]);
    this.invalidate();
  }

  invalidate() {
    this.orbit?.invalidate();
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.picture;
    if (width === 0 || height === 0) return;
    this.renderer.setSize(width, height, false);
    this.orbit.reshape(width / height);
    this.draw();
  }

  draw() {
    if (!this.works) return;
    this.light.position.copy(this.camera.position).add(new THREE.Vector3(0, this.size?.y ?? 1, 0));
    this.renderer.render(this.scene, this.camera);
    this.frames += 1;
    this.onDraw?.();
  }

  /** The picture as a PNG in a data address. */
  screenshot() {
    this.draw();
    return this.canvas.toDataURL("image/png");
  }

  dispose() {
    if (!this.works) return;
    this.resizes.disconnect();
    this.picks.abort();
    this.orbit.dispose();
    this.scene.traverse((object) => {
      object.geometry?.dispose();
      for (const material of [object.material].flat()) material?.dispose();
    });
    this.renderer.dispose();
    this.renderer.forceContextLoss();
  }
}

function cursorMarker() {
  const material = new THREE.MeshBasicMaterial({ color: COLOR.current, depthTest: false, transparent: true });
  const marker = new THREE.Mesh(new THREE.TorusGeometry(1, 0.22, 12, 32), material);
  marker.renderOrder = 10;
  marker.visible = false;
  marker.onBeforeRender = (renderer, scene, camera) => {
    marker.quaternion.copy(camera.quaternion);
    marker.updateMatrixWorld();
  };
  return marker;
}

/** A triangle mesh of flat arrays (vertices xyz, faces abc), in skin colour unless another is given. */
export function surfaceOf(vertices, faces, { color = COLOR.skin, opacity = 1, colors = null, flat = false } = {}) {
  const geometry = new THREE.BufferGeometry();
  geometry.setAttribute("position", new THREE.BufferAttribute(vertices, 3));
  geometry.setIndex(new THREE.BufferAttribute(faces instanceof Uint32Array || faces instanceof Uint16Array ? faces : Uint32Array.from(faces), 1));
  if (colors !== null) geometry.setAttribute("color", new THREE.BufferAttribute(colors, 3, colors instanceof Uint8Array));
  if (!flat) geometry.computeVertexNormals();
  const material = new THREE.MeshLambertMaterial({
    color: colors === null ? color : "#ffffff", vertexColors: colors !== null, flatShading: flat, side: THREE.DoubleSide,
    transparent: opacity < 1, opacity, depthWrite: opacity === 1,
  });
  return new THREE.Mesh(geometry, material);
}

/** Line segments between pairs of points, xyz each. */
export function linesOf(points, color, { opacity = 1 } = {}) {
  const geometry = new THREE.BufferGeometry();
  geometry.setAttribute("position", new THREE.BufferAttribute(Float32Array.from(points), 3));
  return new THREE.LineSegments(geometry, new THREE.LineBasicMaterial({ color, transparent: opacity < 1, opacity }));
}

/** Takes an object out of the scene and gives its memory back. */
export function discard(object) {
  object.removeFromParent();
  object.geometry?.dispose();
  for (const material of [object.material].flat()) material?.dispose();
}
