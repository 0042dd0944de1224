// The cells of an octree in space: boxes and squares on the cut, instanced, one buffer per level and reason. A step of
// the slider only shows and hides them; the plane only changes a number.

import * as THREE from "three";

import { COLOR, PAPER, SOFT } from "./core/look.js";
import { DROPPED, REASONS } from "./subdivisions.js";

const EDGES = [0, 1, 2, 3, 4, 5, 6, 7, 0, 2, 1, 3, 4, 6, 5, 7, 0, 4, 1, 5, 2, 6, 3, 7];
const corner = (k) => [k & 1, (k >> 1) & 1, (k >> 2) & 1];

// What both shaders share: the cell's ends, cut off by the lattice and, where wanted, by the plane.
const COMMON = `
  attribute vec4 cell;
  uniform float size, spacing, plane, side; // side: −1 where what lies below the plane is taken away, 1 above
  uniform vec3 origin, limit, axis;
  uniform bool cut;
`;

const BOX = `${COMMON}
  varying float away;
  varying vec3 face;
  uniform vec3 middle;
  uniform float radius;
  void main() {
    vec3 low = cell.xyz;
    vec3 high = min(low + size, limit);
    bool beyond = cut && (side > 0.0 ? dot(axis, low) >= plane : dot(axis, high) <= plane);
    if (cut && side > 0.0) high = mix(high, min(high, vec3(plane)), axis);
    if (cut && side < 0.0) low = mix(low, max(low, vec3(plane)), axis);
    vec4 seen = modelViewMatrix * vec4(origin + spacing * mix(low, high, position), 1.0);
    vec4 centre = modelViewMatrix * vec4(middle, 1.0);
    away = clamp((centre.z - seen.z) / radius * 0.5 + 0.5, 0.0, 1.0);
    face = normal;
    gl_Position = beyond ? vec4(2.0, 2.0, 2.0, 1.0) : projectionMatrix * seen;
  }
`;

// Wires fade towards the paper with their distance, so that front and back can be told apart.
const WIRE_COLOR = `
  uniform vec3 color, paper;
  varying float away;
  void main() { gl_FragColor = vec4(mix(color, paper, 0.65 * away), 1.0); }
`;

const FILL_COLOR = `
  uniform vec3 color;
  varying vec3 face;
  void main() { gl_FragColor = vec4(color * (0.72 + 0.28 * abs(face.y) + 0.12 * abs(face.z)), 1.0); }
`;

const SQUARE = `${COMMON}
  varying vec2 spot;
  varying float inside;
  void main() {
    vec3 low = cell.xyz;
    vec3 high = min(low + size, limit);
    float at = dot(axis, low);
    bool passed = cut && at <= plane && plane < at + size;
    vec3 way = axis.x > 0.5 ? vec3(0.0, position.y, position.x) : axis.y > 0.5 ? vec3(position.x, 0.0, position.y) : vec3(position.xy, 0.0);
    vec3 place = mix(mix(low, high, way), vec3(plane), axis);
    spot = position.xy;
    inside = cell.w;
    gl_Position = passed ? projectionMatrix * modelViewMatrix * vec4(origin + spacing * place, 1.0) : vec4(2.0, 2.0, 2.0, 1.0);
  }
`;

// Inside a square: a border, and on dropped ones inside the hatching (1) or the dots (2); those outside are open.
const SQUARE_COLOR = `
  uniform vec3 border, fill, tintInside, paper;
  uniform float mark, gap, strong;
  varying vec2 spot;
  varying float inside;
  void main() {
    vec2 width = fwidth(spot);
    vec2 near = min(spot, 1.0 - spot) / max(width, vec2(1e-6));
    bool edge = min(near.x, near.y) < strong && max(width.x, width.y) < 0.4;
    vec2 pixel = gl_FragCoord.xy;
    bool open = mark >= 0.0 && inside < 0.5;
    bool ink = !open && mark == 1.0 ? mod(pixel.x + pixel.y, gap) < gap * 0.18
      : !open && mark == 2.0 ? length(mod(pixel, gap * 0.5) - gap * 0.25) < gap * 0.11 : false;
    if (!edge && !ink && open) discard;
    vec3 ground = mark < 0.0 ? fill : tintInside;
    gl_FragColor = vec4(edge || ink ? mix(border, paper, open ? 0.45 : 0.0) : ground, 1.0);
  }
`;

/** The colour as the screen shows it, without a detour through linear light. */
const screen = (color) => new THREE.Color().setStyle(color, THREE.LinearSRGBColorSpace);

/** All cells of one tree. */
export class Boxes {
  /**
   * @param {object} facts - of the record's lattice: origin, spacing, cells
   * @param {object} tree - from treeOf()
   */
  constructor(facts, tree) {
    this.group = new THREE.Group();
    this.sets = [];
    const limit = new THREE.Vector3(...facts.cells);
    const origin = new THREE.Vector3(...facts.origin);
    const half = limit.clone().multiplyScalar(facts.spacing / 2);
    this.shared = {
      origin: { value: origin }, limit: { value: limit }, spacing: { value: facts.spacing }, plane: { value: 0 }, side: { value: 1 }, axis: { value: new THREE.Vector3(1, 0, 0) },
      cut: { value: true }, middle: { value: origin.clone().add(half) }, radius: { value: half.length() }, paper: { value: new THREE.Color() }, gap: { value: 8 },
    };
    tree.levels.forEach((level, depth) => {
      for (let reason = 0; reason < REASONS.length; reason += 1) this.#add(tree, level, depth, reason);
    });
    this.#addLost(tree);
  }

  #add(tree, { first, count, size }, depth, reason) {
    const cells = [];
    const full = tree.dimension === 3 ? 8 : 4;
    for (let n = first; n < first + count; n += 1) {
      if (tree.reasons[n] === reason) cells.push(tree.cells[3 * n], tree.cells[3 * n + 1], tree.cells[3 * n + 2], tree.inside[n] === full ? 1 : 0);
    }
    if (cells.length === 0) return;
    const own = new THREE.InstancedBufferAttribute(Uint16Array.from(cells), 4);
    const uniforms = { ...this.shared, size: { value: size }, color: { value: new THREE.Color() }, border: { value: new THREE.Color() }, fill: { value: new THREE.Color() }, tintInside: { value: new THREE.Color() }, mark: { value: -1 }, strong: { value: 1 } };
    const set = { depth, reason, size, cells: own.array, uniforms };
    set.wires = this.#object(new THREE.LineSegments(instanced(edgesOfBox(), own), shader(uniforms, BOX, WIRE_COLOR)), 2 + (REASONS.length - reason));
    set.squares = this.#object(new THREE.Mesh(instanced(unitSquare(), own), shader(uniforms, SQUARE, SQUARE_COLOR)), 0);
    this.sets.push(set);
  }

  #addLost(tree) {
    if (tree.lost_level.length === 0) return;
    for (const depth of new Set(tree.lost_level)) {
      const cells = [];
      for (let n = 0; n < tree.lost_level.length; n += 1) if (tree.lost_level[n] === depth) cells.push(tree.lost[3 * n], tree.lost[3 * n + 1], tree.lost[3 * n + 2], 0);
      const own = new THREE.InstancedBufferAttribute(Uint16Array.from(cells), 4);
      const uniforms = { ...this.shared, cut: { value: false }, size: { value: 1 }, color: { value: screen(COLOR.wrong) } };
      const solid = this.#object(new THREE.Mesh(instanced(new THREE.BoxGeometry().translate(0.5, 0.5, 0.5), own), shader(uniforms, BOX, FILL_COLOR)), 1);
      this.sets.push({ depth, lost: true, solid, cells: own.array, size: 1 });
    }
  }

  #object(object, order) {
    object.frustumCulled = false;
    object.renderOrder = order;
    this.group.add(object);
    return object;
  }

  /** Shows what a state asks for, on a level; nothing is built. */
  show(state, level, { calm }) {
    this.shared.cut.value = state.cut;
    for (const set of this.sets) {
      if (set.lost) {
        set.solid.visible = state.lost && set.depth <= level;
        continue;
      }
      const wanted = state[REASONS[set.reason]];
      const dropped = set.reason >= DROPPED;
      const there = set.depth === level || (dropped && set.depth < level);
      set.wires.visible = wanted && there && !(calm && !dropped) && (!dropped || state.dropped);
      set.squares.visible = wanted && there && state.cut;
    }
  }

  /** Moves the plane: number of its axis, where in lattice steps, and which side is taken away. */
  move(axis, plane, side) {
    this.shared.side.value = side;
    this.shared.axis.value.set(Number(axis === 0), Number(axis === 1), Number(axis === 2));
    this.shared.plane.value = plane;
  }

  setTheme(theme, ratio) {
    const paper = PAPER[theme];
    const grey = theme === "dark" ? "#7c7f84" : "#8d8d8d";
    this.shared.paper.value.copy(screen(paper));
    this.shared.gap.value = 8 * ratio;
    for (const { reason, uniforms, lost } of this.sets) {
      if (lost) continue;
      const name = REASONS[reason];
      const color = name === "crossing" ? COLOR.current : reason < DROPPED ? SOFT[theme] : grey;
      const mixed = (tint, part) => screen(paper).lerp(screen(tint), part);
      uniforms.color.value.copy(screen(color));
      uniforms.border.value.copy(screen(color));
      uniforms.fill.value.copy(mixed(name === "crossing" ? COLOR.current : SOFT[theme], name === "crossing" ? 0.16 : 0.05));
      uniforms.tintInside.value.copy(mixed(COLOR.inside, 0.2));
      uniforms.mark.value = { safe: 1, same_sign: 2, empty: 0 }[name] ?? -1;
      uniforms.strong.value = (name === "crossing" ? 1.4 : 1) * ratio;
    }
  }

  /** How many boxes and squares are drawn now. */
  get drawn() {
    return this.sets.reduce((sum, { wires, squares, solid, cells }) => sum + (Number(wires?.visible) || 0) * (cells.length / 4) + (Number(squares?.visible) || 0) * (cells.length / 4) + (Number(solid?.visible) || 0) * (cells.length / 4), 0);
  }

  dispose() {
    this.group.removeFromParent();
    this.group.traverse((object) => {
      object.geometry?.dispose();
      object.material?.dispose();
    });
  }
}

function shader(uniforms, vertexShader, fragmentShader) {
  return new THREE.ShaderMaterial({ uniforms, vertexShader, fragmentShader, side: THREE.DoubleSide, toneMapped: false });
}

function instanced(geometry, cells) {
  const made = new THREE.InstancedBufferGeometry();
  made.index = geometry.index;
  for (const [name, attribute] of Object.entries(geometry.attributes)) if (name !== "uv") made.setAttribute(name, attribute);
  made.setAttribute("cell", cells);
  made.instanceCount = cells.count;
  return made;
}

function edgesOfBox() {
  const geometry = new THREE.BufferGeometry();
  geometry.setAttribute("position", new THREE.BufferAttribute(Float32Array.from(EDGES.flatMap(corner)), 3));
  return geometry;
}

function unitSquare() {
  const geometry = new THREE.BufferGeometry();
  geometry.setAttribute("position", new THREE.BufferAttribute(Float32Array.from([0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 1, 0]), 3));
  geometry.setIndex([0, 1, 2, 0, 2, 3]);
  return geometry;
}
