// What the head is made of on the screen: materials, lights, morph values.

import * as THREE from "three";

import { MorphNormals, samePlaces } from "./normals.js";

const SKIN = "#d9a58b";
const EYES = "#f4f4f4";
const INK = { light: "#1d1f22", dark: "#e8e6e1" };

// A Lambert surface shows its own colour where the light sums to pi. The photograph holds its light already, so its
// texture gets mostly even light with a hint of shading; plain skin needs shading to be read.
const LIGHTS = {
  texture: { even: 0.86, lamp: 0.14 },
  confidence: { even: 0.86, lamp: 0.14 },
  plain: { even: 0.38, lamp: 0.62 },
  wireframe: { even: 1, lamp: 0 },
};

export class Surface {
  /** Lights hang on the camera, so that the side one looks at is lit. */
  constructor(scene, camera) {
    this.scene = scene;
    this.even = new THREE.AmbientLight("#ffffff");
    this.lamp = new THREE.DirectionalLight("#ffffff");
    camera.add(this.lamp, this.lamp.target);
    this.lamp.target.position.set(0, 0, -1);
    scene.add(this.even, camera);
    this.mode = "texture";
    this.paper = "#ffffff";
    this.root = null;
    this.meshes = [];
    this.lines = [];
    this.values = new Map();
    this.changed = false;
  }

  /** Replaces the head by the meshes below ``root``. */
  show(root, anisotropy) {
    this.#clear();
    this.root = root;
    root.traverse((object) => object.isMesh && this.meshes.push(object));
    for (const mesh of this.meshes) this.#dress(mesh, anisotropy);
    for (const mesh of this.meshes) for (const name of Object.keys(mesh.morphTargetDictionary ?? {})) this.values.set(name, 0);
    this.scene.add(root);
    this.setMode(this.mode);
    this.changed = true;
  }

  #dress(mesh, anisotropy) {
    const source = mesh.material;
    const side = THREE.DoubleSide;
    const vertexColors = source.map === null && mesh.geometry.attributes.color !== undefined;
    const pushed = { polygonOffset: true, polygonOffsetFactor: 1, polygonOffsetUnits: 1 };
    if (source.map) source.map.anisotropy = anisotropy;
    const color = source.map || vertexColors ? "#ffffff" : source.color;
    mesh.userData.materials = {
      texture: new THREE.MeshLambertMaterial({ map: source.map, color, vertexColors, side }),
      plain: new THREE.MeshLambertMaterial({ color: /eye/i.test(source.name) ? EYES : SKIN, side }),
      wireframe: new THREE.MeshBasicMaterial({ color: this.paper, side, ...pushed }),
    };
    source.dispose();
    if (!mesh.geometry.attributes.normal) mesh.geometry.computeVertexNormals();
    mesh.userData.normals = new MorphNormals(mesh.geometry);
    mesh.frustumCulled = false; // the bounds do not know the morphs
    const lines = new THREE.Mesh(mesh.geometry, new THREE.MeshBasicMaterial({ wireframe: true }));
    lines.morphTargetInfluences = mesh.morphTargetInfluences;
    lines.morphTargetDictionary = mesh.morphTargetDictionary;
    lines.frustumCulled = false;
    mesh.add(lines);
    this.lines.push(lines);
  }

  /** "texture", "plain" or "wireframe"; or "confidence", where a viewer has added that material. */
  setMode(mode) {
    this.mode = mode;
    const { even, lamp } = LIGHTS[mode];
    this.even.intensity = even * Math.PI;
    this.lamp.intensity = lamp * Math.PI;
    this.lamp.position.set(...(mode === "plain" ? [-0.5, 0.7, 0.6] : [0, 0, 1]));
    for (const mesh of this.meshes) mesh.material = mesh.userData.materials[mode];
    for (const lines of this.lines) lines.visible = mode === "wireframe";
    this.setPaper(this.paper);
  }

  /** The colour behind the head; the wireframe hides its own back with it. */
  setPaper(color) {
    this.paper = color;
    const { r, g, b } = new THREE.Color(color);
    const ink = 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.2 ? INK.light : INK.dark;
    for (const lines of this.lines) lines.material.color.set(ink);
    for (const mesh of this.meshes) mesh.userData.materials.wireframe.color.set(color);
  }

  setMorph(name, value) {
    if (!this.values.has(name)) throw new RangeError(`the head has no morph named ${name}`);
    if (!Number.isFinite(value)) throw new RangeError(`the value of ${name} should be a number; it is ${value}`);
    this.values.set(name, Math.min(1, Math.max(0, value)));
    this.changed = true;
  }

  get morphs() {
    return Object.fromEntries(this.values);
  }

  /** Puts the morph values into the meshes, once before a drawing. */
  prepare() {
    if (!this.changed) return;
    this.changed = false;
    for (const mesh of this.meshes) {
      for (const [name, index] of Object.entries(mesh.morphTargetDictionary ?? {})) {
        mesh.morphTargetInfluences[index] = this.values.get(name);
      }
      mesh.userData.normals.update(mesh.morphTargetInfluences ?? []);
    }
  }

  #clear() {
    for (const mesh of this.meshes) {
      mesh.geometry.dispose();
      mesh.userData.materials.texture.map?.dispose();
      for (const material of Object.values(mesh.userData.materials)) material.dispose();
    }
    for (const lines of this.lines) lines.material.dispose();
    if (this.root !== null) this.scene.remove(this.root);
    this.root = null;
    this.meshes = [];
    this.lines = [];
    this.values.clear();
  }

  dispose() {
    this.#clear();
  }
}

/** The box around the neutral head; three's own boxes make room for every morph at once. */
export function neutralBox(meshes) {
  const box = new THREE.Box3();
  for (const mesh of meshes) {
    mesh.updateWorldMatrix(true, false);
    box.union(new THREE.Box3().setFromBufferAttribute(mesh.geometry.attributes.position).applyMatrix4(mesh.matrixWorld));
  }
  return box;
}

/** Number of distinct positions: a GLB holds a vertex once for every texture coordinate it has. */
export function countVertices(meshes) {
  return meshes.reduce((sum, { geometry }) => sum + new Set(samePlaces(geometry.attributes.position.array)).size, 0);
}

/** The horizontal direction in which the face lies, a unit vector: where the expressions move most. */
export function frontDirection(meshes) {
  const sum = new THREE.Vector3();
  const middle = new THREE.Vector3();
  const [place, offset] = [new THREE.Vector3(), new THREE.Vector3()];
  let [weight, count] = [0, 0];
  for (const { geometry } of meshes) {
    const positions = geometry.attributes.position;
    for (let i = 0; i < positions.count; i += 1) {
      place.fromBufferAttribute(positions, i);
      middle.add(place);
      count += 1;
      for (const morph of geometry.morphAttributes.position ?? []) {
        const moved = offset.fromBufferAttribute(morph, i).length();
        sum.addScaledVector(place, moved);
        weight += moved;
      }
    }
  }
  if (weight === 0) return null;
  return sum.divideScalar(weight).sub(middle.divideScalar(count)).setY(0).normalize().toArray();
}
