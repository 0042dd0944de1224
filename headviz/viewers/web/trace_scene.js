// The scene of a traced picture: the surface, the camera with its picture, and one ray with its safe spheres.

import * as THREE from "three";
import { LineMaterial } from "three/examples/jsm/lines/LineMaterial.js";
import { LineSegments2 } from "three/examples/jsm/lines/LineSegments2.js";
import { LineSegmentsGeometry } from "three/examples/jsm/lines/LineSegmentsGeometry.js";

import { h } from "./core/dom.js";
import { COLOR, INK, SOFT } from "./core/look.js";
import { discard, surfaceOf } from "./core/space.js";
import { directionOf, endsOf, indexOf, pointAt, project } from "./trace_ray.js";

const MOST_SPHERES = 400;
const CLEAR = 0.28; // opacity of a translucent surface

export class TraceScene {
  /**
   * @param {object} space - see Space
   * @param {object} record
   * @param {HTMLCanvasElement} picture - the map that is shown, also on the pane in front of the camera
   */
  constructor(space, record, picture) {
    Object.assign(this, { space, record });
    const { arrays, facts } = record;
    this.group = new THREE.Group();
    space.scene.add(this.group);
    this.surface = surfaceOf(arrays.vertices.data, arrays.faces.data);
    this.surface.visible = arrays.faces.data.length > 0;
    this.group.add(this.surface);
    this.#addPane(picture);
    this.size = this.#fit(facts.bounds);
    this.lines = Object.fromEntries(["free", "marched", "ahead", "through", "frame"].map((name) => [name, this.#line(name)]));
    this.spheres = this.#spheres();
    this.dots = this.#dots();
    this.flag = h("div", { hidden: true, style: "position:absolute;left:0;top:0;font-size:13px;font-weight:600;color:var(--error);background:var(--paper);padding:0 6px;border-radius:4px;white-space:nowrap" }, "✕ over-step");
    space.overlay.append(this.flag);
    space.onDraw = () => this.#placeFlag();
  }

  /** Corners of the pane: where the rays of the picture's corners are at the pane's depth. */
  #corners() {
    const { camera, plane } = this.record.facts;
    const ends = [[-0.5, -0.5], [camera.width - 0.5, -0.5], [camera.width - 0.5, camera.height - 0.5], [-0.5, camera.height - 0.5]];
    return ends.map((pixel) => pointAt(this.record, directionOf(this.record, pixel), plane));
  }

  /** The picture, as the camera sees it, on a pane between camera and surface. */
  #addPane(picture) {
    this.texture = new THREE.CanvasTexture(picture);
    this.texture.colorSpace = THREE.SRGBColorSpace;
    this.texture.magFilter = THREE.NearestFilter;
    this.texture.minFilter = THREE.LinearFilter;
    this.texture.generateMipmaps = false;
    const geometry = new THREE.BufferGeometry();
    geometry.setAttribute("position", new THREE.Float32BufferAttribute(this.#corners().flat(), 3));
    geometry.setAttribute("uv", new THREE.Float32BufferAttribute([0, 1, 1, 1, 1, 0, 0, 0], 2));
    geometry.setIndex([0, 2, 1, 0, 3, 2]);
    const material = new THREE.MeshBasicMaterial({ map: this.texture, alphaTest: 0.5, side: THREE.DoubleSide });
    this.group.add(new THREE.Mesh(geometry, material));
  }

  #fit([low, high]) {
    const box = new THREE.Box3(new THREE.Vector3(...low), new THREE.Vector3(...high));
    const size = box.getSize(new THREE.Vector3()).length() || 1;
    for (const corner of this.#shadow(low, high)) box.expandByPoint(new THREE.Vector3(...corner));
    this.space.fit(box.min.toArray(), box.max.toArray());
    return size;
  }

  /** Where the corners of a box are seen on the pane. */
  #shadow(low, high) {
    const { plane, camera } = this.record.facts;
    const corners = Array.from({ length: 8 }, (_, k) => low.map((side, axis) => ((k >> axis) & 1 ? high[axis] : side)));
    const spots = corners.map((corner) => project(this.record, corner)).filter((spot) => spot !== null);
    const within = ([u, v]) => [Math.max(0, Math.min(camera.width, u)) - 0.5, Math.max(0, Math.min(camera.height, v)) - 0.5];
    return spots.map((spot) => pointAt(this.record, directionOf(this.record, within(spot)), plane));
  }

  #line(name) {
    const thin = name === "free" || name === "ahead" || name === "frame";
    const dashed = name === "ahead" || name === "through";
    const dash = this.size * 0.012;
    const material = new LineMaterial({ linewidth: thin ? 1.25 : 2.5, dashed, dashSize: dash, gapSize: dash });
    const line = new LineSegments2(new LineSegmentsGeometry(), material);
    line.frustumCulled = false;
    line.raycast = () => {};
    this.group.add(line);
    return line;
  }

  /** Draws pairs of points; none hides the line. */
  #draw(name, pairs, color) {
    const line = this.lines[name];
    line.visible = pairs.length > 0;
    if (!line.visible) return;
    line.geometry.dispose();
    line.geometry = new LineSegmentsGeometry();
    line.geometry.setPositions(pairs.flat(2));
    line.computeLineDistances();
    line.material.color.set(color);
  }

  #spheres() {
    const { start } = indexOf(this.record);
    let most = 1;
    for (let r = 0; r + 1 < start.length; r += 1) most = Math.max(most, start[r + 1] - start[r]);
    const made = new THREE.InstancedMesh(new THREE.SphereGeometry(1, 48, 32), bubble(), Math.min(most, MOST_SPHERES));
    made.setColorAt(0, new THREE.Color());
    made.frustumCulled = false;
    made.renderOrder = 5;
    this.group.add(made);
    return made;
  }

  #dots() {
    const made = new THREE.InstancedMesh(new THREE.SphereGeometry(1, 20, 14), new THREE.MeshBasicMaterial(), this.spheres.instanceMatrix.count + 2);
    made.setColorAt(0, new THREE.Color());
    made.frustumCulled = false;
    this.group.add(made);
    return made;
  }

  /** Shows a state: the numbers and looks of its ray. */
  show(state, numbers, looks, theme) {
    this.surface.visible = state.surface !== "none" && this.record.arrays.faces.data.length > 0;
    const { material } = this.surface;
    const clear = state.surface === "clear";
    if (material.transparent !== clear) Object.assign(material, { transparent: clear, depthWrite: !clear, opacity: clear ? CLEAR : 1, needsUpdate: true });
    const own = numbers.look ?? -1;
    this.#showLines(state, numbers, looks.slice(0, own + 1), looks.slice(own + 1), theme);
    this.#showSpheres(numbers, looks.slice(0, own + 1), theme);
    this.#showDots(state, numbers, looks.slice(0, own + 1), theme);
    this.mark = numbers.overstepped ? numbers.position : null;
    this.space.invalidate();
  }

  #showLines(state, numbers, past, ahead, theme) {
    const { facts } = this.record;
    const eye = facts.camera.position;
    const [ink, soft] = [INK[theme], SOFT[theme]];
    const corners = this.#corners();
    this.#draw("frame", [...corners.map((corner) => [eye, corner]), ...corners.map((corner, k) => [corner, corners[(k + 1) % 4]])], soft);
    const first = (past[0] ?? ahead[0])?.position ?? pointAt(this.record, directionOf(this.record, numbers.pixel), facts.plane + 2 * this.size);
    this.#draw("free", [[eye, first]], soft);
    const place = past.filter(({ undone }, k) => !undone || k === past.length - 1).map(({ position }) => position);
    this.#draw("marched", pairs(place), ink);
    this.#draw("ahead", past.length > 0 ? [...pairs([place.at(-1), ...ahead.filter(({ undone }) => !undone).map(({ position }) => position)])] : [], soft);
    const ends = this.#ends(state, numbers);
    this.#draw("through", ends.length === 2 ? [ends] : [], COLOR.hit);
  }

  /** Where the ray hits, and where it leaves for good, as far as they are known and wanted. */
  #ends(state, numbers) {
    if (numbers.ended !== "hit") return [];
    const { front, back } = endsOf(this.record, numbers.pixel);
    const direction = directionOf(this.record, numbers.pixel);
    const wanted = state.show_back && back !== null ? [front, back] : [front];
    return wanted.map((depth) => pointAt(this.record, direction, depth));
  }

  #showSpheres(numbers, past, theme) {
    const shown = past.filter(({ undone, distance }, k) => distance > 0 && (!undone || k === past.length - 1)).slice(-this.spheres.instanceMatrix.count);
    const earlier = new THREE.Color(theme === "dark" ? "#b9bec6" : "#6b7078");
    const current = new THREE.Color(COLOR.current);
    const { lipschitz } = this.record.facts;
    shown.forEach(({ position, distance }, k) => {
      const radius = distance / lipschitz;
      this.spheres.setMatrixAt(k, new THREE.Matrix4().makeScale(radius, radius, radius).setPosition(...position));
      this.spheres.setColorAt(k, past.at(-1).position === position ? current : earlier);
    });
    this.spheres.count = shown.length;
    this.spheres.instanceMatrix.needsUpdate = true;
    this.spheres.instanceColor.needsUpdate = true;
  }

  #showDots(state, numbers, past, theme) {
    const small = this.size * 0.0055;
    const dots = past.slice(-this.spheres.instanceMatrix.count).map(({ position }) => [position, small * 0.75, SOFT[theme]]);
    if (dots.length > 0) dots[dots.length - 1] = [dots.at(-1)[0], small * 1.2, COLOR.current];
    for (const end of this.#ends(state, numbers)) dots.push([end, small * 1.5, COLOR.hit]);
    dots.forEach(([position, radius, color], k) => {
      this.dots.setMatrixAt(k, new THREE.Matrix4().makeScale(radius, radius, radius).setPosition(...position));
      this.dots.setColorAt(k, new THREE.Color(color));
    });
    this.dots.count = dots.length;
    this.dots.instanceMatrix.needsUpdate = true;
    this.dots.instanceColor.needsUpdate = true;
  }

  /** The picture on the pane has changed. */
  refresh() {
    this.texture.needsUpdate = true;
    this.space.invalidate();
  }

  #placeFlag() {
    this.flag.hidden = !this.mark;
    if (!this.mark) return;
    const [x, y] = this.space.project(this.mark);
    this.flag.style.transform = `translate(${x + 10}px, ${y - 24}px)`;
  }

  dispose() {
    this.texture.dispose();
    for (const line of Object.values(this.lines)) discard(line);
  }
}

const pairs = (points) => points.slice(1).map((point, k) => [points[k], point]);

/** A sphere whose rim is seen best, so that what is inside it stays visible. */
function bubble() {
  return new THREE.ShaderMaterial({
    transparent: true,
    depthWrite: false,
    vertexShader: `
      varying vec3 toEye; varying vec3 away; varying vec3 tint;
      void main() {
        vec4 place = modelViewMatrix * instanceMatrix * vec4(position, 1.0);
        toEye = -place.xyz;
        away = normalMatrix * mat3(instanceMatrix) * normal;
        tint = instanceColor;
        gl_Position = projectionMatrix * place;
      }`,
    fragmentShader: `
      varying vec3 toEye; varying vec3 away; varying vec3 tint;
      void main() {
        float rim = 1.0 - abs(dot(normalize(toEye), normalize(away)));
        gl_FragColor = vec4(tint, 0.10 + 0.75 * pow(rim, 3.0));
        #include <colorspace_fragment>
      }`,
  });
}
