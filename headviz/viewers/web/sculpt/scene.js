// The head on the screen: its colours, the rings of the brush, the vectors of keypoints.

import * as THREE from "three";
import { Line2 } from "three/examples/jsm/lines/Line2.js";
import { LineGeometry } from "three/examples/jsm/lines/LineGeometry.js";
import { LineMaterial } from "three/examples/jsm/lines/LineMaterial.js";
import { LineSegments2 } from "three/examples/jsm/lines/LineSegments2.js";
import { LineSegmentsGeometry } from "three/examples/jsm/lines/LineSegmentsGeometry.js";

import { channels, COLOR } from "../core/look.js";
import { copiesOf, copy } from "./copies.js";

const AROUND = 72;
const MASKED = 0.55; // how much darker a mask of 1 is
const linear = (byte) => ((byte / 255 <= 0.04045) ? byte / 255 / 12.92 : ((byte / 255 + 0.055) / 1.055) ** 2.4);

export class Scene {
  /**
   * @param {object} space - of the shell
   * @param {object} session - a Sculpting
   * @param {object} own - of the base: { colors: Uint8Array | null, sRGB, per vertex; texture: { picture, uv, uvFaces } | null }
   */
  constructor(space, session, { colors, texture }) {
    Object.assign(this, { space, session, colors });
    const { corners, copied, uv } = copiesOf(session.surface.faces, session.surface.count, texture);
    this.copied = copied;
    this.geometry = new THREE.BufferGeometry();
    const { positions, normals } = session;
    const room = (values) => (copied.length === 0 ? values : new Float32Array(values.length + 3 * copied.length));
    for (const [name, values] of [["position", room(positions)], ["normal", room(normals)], ["color", new Float32Array(positions.length + 3 * copied.length)]]) {
      this.geometry.setAttribute(name, new THREE.BufferAttribute(values, 3).setUsage(THREE.DynamicDrawUsage));
    }
    if (uv !== null) this.geometry.setAttribute("uv", new THREE.BufferAttribute(uv, 2));
    this.geometry.setIndex(new THREE.BufferAttribute(corners, 1));
    this.map = texture === null ? null : mapOf(texture.picture, space.renderer.capabilities.getMaxAnisotropy());
    this.material = new THREE.MeshLambertMaterial({ vertexColors: true, side: THREE.DoubleSide });
    this.mesh = new THREE.Mesh(this.geometry, this.material);
    this.mesh.frustumCulled = false; // its box changes while one sculpts
    this.rings = [2.5, 1.5].map((width) => ring(width));
    this.vectors = new LineSegments2(new LineSegmentsGeometry(), lineMaterial(COLOR.current, 2.5));
    this.twins = new THREE.Points(new THREE.BufferGeometry(), new THREE.PointsMaterial({ color: COLOR.current, opacity: 0.7, size: 12, sizeAttenuation: false, depthTest: false, transparent: true, map: dot(), alphaTest: 0.5 }));
    for (const object of [this.vectors, this.twins]) Object.assign(object, { frustumCulled: false, renderOrder: 5 });
    space.scene.add(this.mesh, this.vectors, this.twins, ...this.rings);
    space.fit(session.surface.low, session.surface.high);
    this.refresh();
    this.paint(null);
  }

  /** After positions have changed. */
  refresh() {
    const { geometry: { attributes: { position, normal } }, session, copied } = this;
    for (const [{ array }, values] of [[position, session.positions], [normal, session.normals]]) {
      if (array !== values) array.set(values);
      copy(array, values.length, copied);
    }
    position.needsUpdate = true;
    normal.needsUpdate = true;
    this.space.invalidate();
  }

  /** Whether the texture is drawn. */
  #wear(map) {
    if (this.material.map === map) return;
    this.material.map = map;
    this.material.needsUpdate = true;
  }

  /** Colours: skin or, with `own`, the base's, darker where the mask holds; or, with a scale, the distance from the base. */
  paint(scale, own = false) {
    const { session: { positions, mask, surface: { base } } } = this;
    const out = this.geometry.attributes.color.array;
    const map = own && scale === null ? this.map : null;
    const colors = own && map === null ? this.colors : null;
    const skin = map === null ? channels(COLOR.skin) : [255, 255, 255];
    const shade = TABLE;
    this.#wear(map);
    for (let i = 0, k = 0; i < mask.length; i += 1, k += 3) {
      const free = scale === null ? 1 - MASKED * mask[i] : 1; // a darker colour of the scale would be another distance
      let [from, at] = colors === null ? [skin, 0] : [colors, k];
      if (scale !== null) {
        const x = positions[k] - base[k];
        const y = positions[k + 1] - base[k + 1];
        const z = positions[k + 2] - base[k + 2];
        from = scale.colors;
        at = scale.index(Math.sqrt(x * x + y * y + z * z));
      }
      out[k] = free * shade[from[at]];
      out[k + 1] = free * shade[from[at + 1]];
      out[k + 2] = free * shade[from[at + 2]];
    }
    copy(out, 3 * mask.length, this.copied);
    this.geometry.attributes.color.needsUpdate = true;
    this.space.invalidate();
  }

  /** Shows the brush at a place of the surface, and its twin where both sides are worked on; null hides both. */
  showBrush(place, radius, symmetric) {
    this.rings[0].visible = place !== null;
    this.rings[1].visible = place !== null && symmetric;
    if (place !== null) {
      const { point: [x, y, z], normal: [nx, ny, nz] } = place;
      put(this.rings[0], [x, y, z], [nx, ny, nz], radius);
      put(this.rings[1], [-x, y, z], [-nx, ny, nz], radius);
    }
    this.space.invalidate();
  }

  /** Shows where keypoints have gone: [[from, to, twin], …] of points in metres. */
  showVectors(vectors) {
    const lines = [];
    const twins = [];
    const across = ([x, y, z]) => [-x, y, z];
    for (const [from, to, twin] of vectors) {
      lines.push(...from, ...to);
      if (!twin) continue;
      lines.push(...across(from), ...across(to));
      twins.push(...across(to));
    }
    for (const object of [this.vectors, this.twins]) object.geometry.dispose();
    this.vectors.geometry = new LineSegmentsGeometry();
    this.twins.geometry = new THREE.BufferGeometry();
    if (lines.length > 0) this.vectors.geometry.setPositions(lines);
    this.twins.geometry.setAttribute("position", new THREE.BufferAttribute(Float32Array.from(twins), 3));
    this.vectors.visible = lines.length > 0;
    this.twins.visible = twins.length > 0;
    this.space.invalidate();
  }
}

/** A picture as a texture; browsers hand pictures over with the first row on top. */
function mapOf(picture, anisotropy) {
  const map = new THREE.Texture(picture);
  Object.assign(map, { colorSpace: THREE.SRGBColorSpace, flipY: false, wrapS: THREE.RepeatWrapping, wrapT: THREE.RepeatWrapping, anisotropy });
  map.needsUpdate = true;
  return map;
}

const TABLE = Float32Array.from({ length: 256 }, (_, byte) => linear(byte));

/** A disc as a picture: points are squares without it. */
function dot() {
  const side = 32;
  const bytes = new Uint8Array(4 * side * side).fill(255);
  for (let k = 0; k < side * side; k += 1) {
    const [x, y] = [(k % side) + 0.5 - side / 2, Math.floor(k / side) + 0.5 - side / 2];
    bytes[4 * k + 3] = 255 * Number(x * x + y * y < (side / 2) ** 2);
  }
  const texture = new THREE.DataTexture(bytes, side, side);
  texture.needsUpdate = true;
  return texture;
}

/** A line of so many pixels, in front of everything. */
const lineMaterial = (color, linewidth, opacity = 1) => new LineMaterial({ color, linewidth, opacity, depthTest: false, transparent: true });

/** A ring with a light edge, so that it is seen on skin, on hair and on either paper. */
function ring(width) {
  const points = [];
  for (let k = 0; k <= AROUND; k += 1) points.push(Math.cos((2 * Math.PI * k) / AROUND), Math.sin((2 * Math.PI * k) / AROUND), 0);
  const geometry = new LineGeometry().setPositions(points);
  const both = new THREE.Group();
  both.visible = false;
  for (const [order, material] of [[6, lineMaterial("#ffffff", width + 2, 0.6)], [7, lineMaterial(COLOR.current, width)]]) {
    const line = new Line2(geometry, material);
    Object.assign(line, { frustumCulled: false, renderOrder: order });
    both.add(line);
  }
  return both;
}

function put(line, point, normal, radius) {
  line.position.set(...point);
  line.quaternion.setFromUnitVectors(new THREE.Vector3(0, 0, 1), new THREE.Vector3(...normal));
  line.scale.setScalar(radius);
}
