// The head in 3-D: its morphs and surfaces, the average head before it is known, and the cut by the slice's plane.

import * as THREE from "three";

import { painted } from "./core/look.js";
import { AXES, isFitted, movesOf, pointOf, stageOf, surfaceName, weightsOf } from "./reconstruction_data.js";
import { rayThrough } from "./reconstruction_photo.js";
import { Surface } from "./surface.js";

/** What is drawn of the head inside a Space. */
export class Head {
  /**
   * @param {Space} space
   * @param {object} record
   * @param {HTMLCanvasElement|null} confidence - the map of confidence in colours
   */
  constructor(space, record, confidence) {
    Object.assign(this, { space, record });
    for (const light of space.scene.children.filter((child) => child.isLight)) space.scene.remove(light); // the surface has its own
    space.renderer.localClippingEnabled = true;
    this.surface = new Surface(space.scene, space.camera);
    this.mesh = new THREE.Mesh(this.#geometry(), new THREE.MeshBasicMaterial({ map: this.#texture() }));
    this.surface.show(new THREE.Group().add(this.mesh), space.renderer.capabilities.getMaxAnisotropy());
    if (confidence !== null && record.arrays.uv !== undefined) this.#addConfidence(confidence);
    this.cut = new THREE.Plane(new THREE.Vector3(-1, 0, 0), 0);
    this.mesh.raycast = (caster, found) => this.#raycast(caster, found);
    this.sheet = this.#sheet();
    this.shown = "";
  }

  /** One vertex per texture coordinate. */
  #geometry() {
    const { vertices, source, faces, uv } = this.record.arrays;
    const geometry = new THREE.BufferGeometry();
    this.neutral = gathered(vertices.data, source.data);
    const { average } = this.record.arrays;
    this.average = average === undefined ? null : gathered(average.data, source.data);
    geometry.setAttribute("position", new THREE.BufferAttribute(Float32Array.from(this.neutral), 3));
    geometry.setIndex(new THREE.BufferAttribute(Uint32Array.from(faces.data), 1));
    if (uv !== undefined) geometry.setAttribute("uv", new THREE.BufferAttribute(uv.data, 2));
    return geometry;
  }

  #texture() {
    const { texture } = this.record.images;
    return texture === undefined || this.record.arrays.uv === undefined ? null : textureOf(texture);
  }

  /** The confidence of the texture as one more surface. */
  #addConfidence(picture) {
    const map = textureOf(picture);
    this.mesh.userData.materials.confidence = new THREE.MeshLambertMaterial({ map, side: THREE.DoubleSide });
  }

  /** The slice as a sheet in space. */
  #sheet() {
    const material = new THREE.MeshBasicMaterial({ side: THREE.DoubleSide, transparent: true, depthWrite: false });
    const sheet = new THREE.Mesh(new THREE.PlaneGeometry(1, 1), material);
    sheet.visible = false;
    this.space.scene.add(sheet);
    return sheet;
  }

  get box() {
    this.mesh.geometry.computeBoundingBox();
    const { min, max } = this.mesh.geometry.boundingBox;
    return [min.toArray(), max.toArray()];
  }

  /** Shows a state; `slice` is what Slices give, or null. */
  show(state, slice) {
    const { record, surface } = this;
    const fitted = isFitted(record, state);
    this.mesh.visible = fitted || this.average !== null;
    this.#move(fitted ? weightsOf(record, state) : null);
    const mode = surfaceName(record, state);
    if (surface.mode !== mode || this.mesh.material !== this.mesh.userData.materials[mode]) surface.setMode(mode);
    this.#cut(stageOf(record, state) === "distance" && slice !== null ? state : null, slice);
    this.space.invalidate();
  }

  /** Puts the vertices where an expression has them; null for the average head. */
  #move(weights) {
    const key = weights === null ? "average" : weights.join(" ");
    if (key === this.shown) return;
    this.shown = key;
    const position = this.mesh.geometry.attributes.position;
    if (weights === null) position.array.set(this.average ?? this.neutral);
    else {
      const moved = gathered(movesOf(this.record, weights), this.record.arrays.source.data);
      for (let i = 0; i < moved.length; i += 1) position.array[i] = this.neutral[i] + moved[i];
    }
    position.needsUpdate = true;
    const { normals } = this.mesh.userData;
    normals.base.set(position.array);
    normals.update([]);
    this.mesh.geometry.computeBoundingSphere();
  }

  /** Takes away what lies before the plane of the slice, and shows the slice there. */
  #cut(state, slice) {
    const planes = state === null ? [] : [this.cut];
    for (const material of [...Object.values(this.mesh.userData.materials), ...this.surface.lines.map((line) => line.material)]) {
      if ((material.clippingPlanes ?? []).length !== planes.length) material.needsUpdate = true;
      material.clippingPlanes = planes;
    }
    this.sheet.visible = state !== null;
    this.clipped = state !== null;
    if (state === null) return;
    const normal = new THREE.Vector3();
    normal.setComponent(AXES.indexOf(state.axis), -1);
    this.cut.set(normal, state.position);
    this.#place(state, slice);
  }

  #place(state, slice) {
    const [left, low, right, high] = slice.box;
    const corners = [[left, high], [right, high], [left, low], [right, low]].map((place) => pointOf(state, place));
    const { position } = this.sheet.geometry.attributes;
    corners.forEach((corner, k) => position.setXYZ(k, ...corner));
    position.needsUpdate = true;
    this.sheet.geometry.computeBoundingSphere();
    const { material } = this.sheet;
    if (slice === this.slice) return;
    this.slice = slice;
    material.map?.dispose();
    material.map = textureOf(slice.sheet);
    material.needsUpdate = true;
  }

  #raycast(caster, found) {
    const hits = [];
    THREE.Mesh.prototype.raycast.call(this.mesh, caster, hits);
    found.push(...hits.filter(({ point }) => !this.clipped || this.cut.distanceToPoint(point) >= 0));
  }

  /** Where a pixel of the photograph lies on the head, or null. */
  under(u, v) {
    const { origin, direction } = rayThrough(this.record.facts.camera, u, v);
    const caster = new THREE.Raycaster(new THREE.Vector3(...origin), new THREE.Vector3(...direction).normalize());
    return caster.intersectObject(this.mesh, false)[0]?.point.toArray() ?? null;
  }

  /** What a click can hit. */
  get targets() {
    return this.sheet.visible ? [this.mesh, this.sheet] : [this.mesh];
  }

  setPaper(color) {
    this.surface.setPaper(color);
  }

  dispose() {
    this.surface.dispose();
    this.sheet.material.map?.dispose();
  }
}

/** Values (xyz each) of the vertices that corners come from. */
function gathered(values, source) {
  const found = new Float64Array(3 * source.length);
  for (let k = 0; k < source.length; k += 1) {
    for (let axis = 0; axis < 3; axis += 1) found[3 * k + axis] = values[3 * source[k] + axis];
  }
  return found;
}

/** A picture as a texture whose first row is on top. */
function textureOf(picture) {
  const canvas = document.createElement("canvas"); // a bitmap would ignore flipY
  [canvas.width, canvas.height] = [picture.width, picture.height];
  canvas.getContext("2d").drawImage(picture, 0, 0);
  const texture = new THREE.CanvasTexture(canvas);
  texture.colorSpace = THREE.SRGBColorSpace;
  return texture;
}
