// Everything that was done, as a tree; headviz/sculpt/history.py has the same. Undo goes to the parent, a new step after
// an undo begins a branch. What a step changed is kept beside it within a budget; what was dropped is done again.

const BUDGET = 128 * 2 ** 20;

/** Settings after a step: { keypoints, exact, sliders }. */
function settingsAfter(settings, step) {
  if (step.kind === "keypoints") return { ...settings, keypoints: step.keypoints, exact: step.exact ?? false };
  if (step.kind === "sliders") return { ...settings, sliders: { ...settings.sliders, ...step.values } };
  return settings;
}

/** The places of an array that are not 0. */
function touchedOf(flags) {
  const found = new Int32Array(flags.length);
  let size = 0;
  for (let i = 0; i < flags.length; i += 1) {
    if (flags[i] === 0) continue;
    found[size] = i;
    size += 1;
  }
  return found.slice(0, size);
}

export class History {
  /** @param {object} session - { positions, mask, touched, run(step), clear(), renew(), say(what) } */
  constructor(session, budget = BUDGET) {
    Object.assign(this, { session, budget, current: 0 });
    this.entries = new Map([[0, { id: 0, parent: null, step: null, settings: { keypoints: [], exact: false, sliders: {} } }]]);
    this.versions = {}; // entries by a person's names
    this.next = new Map(); // the child that redo goes to
    this.deltas = new Map();
    this.bytes = 0;
    this.guesses = 0; // entries that the kernel has not numbered yet have ids below 0
  }

  get settings() {
    return this.entries.get(this.current).settings;
  }

  /** The present positions and mask, to come back to. */
  keep() {
    return { positions: this.session.positions.slice(), mask: this.session.mask.slice() };
  }

  /** Back to what was kept. */
  restore({ positions, mask }) {
    this.session.positions.set(positions);
    this.session.mask.set(mask);
    this.session.renew();
    this.session.say("positions");
  }

  /** Does a step and puts it after the current entry. */
  apply(step, options = {}) {
    const before = this.keep();
    this.session.run(step);
    return this.add(step, before, options);
  }

  /** Puts a step that is done after the current entry; `id` may be given, `guess` gives a provisional one. */
  add(step, before, { id = null, guess = false } = {}) {
    const largest = () => Math.max(...this.entries.keys());
    const number = id ?? (guess ? (this.guesses -= 1) : largest() + 1);
    this.#put({ id: number, parent: this.current, step });
    this.#remember(number, before);
    this.standAt(number);
    this.session.say("history");
    return this.entries.get(number);
  }

  #put({ id, parent, step }) {
    this.entries.set(id, { id, parent, step, settings: settingsAfter(this.entries.get(parent).settings, step) });
  }

  /** What a step changed: values of the touched vertices on the other side of it. */
  #remember(id, before) {
    const { session } = this;
    const { step } = this.entries.get(id);
    const indices = touchedOf(session.touched);
    const masks = step.kind === "mask" || step.brush?.tool === "mask";
    const width = masks ? 1 : 3;
    const from = masks ? before.mask : before.positions;
    const values = new Float32Array(width * indices.length);
    for (let k = 0; k < indices.length; k += 1) for (let axis = 0; axis < width; axis += 1) values[width * k + axis] = from[width * indices[k] + axis];
    this.deltas.set(id, { indices, values, width });
    this.bytes += indices.byteLength + values.byteLength;
    for (const [old, delta] of this.deltas) {
      if (this.bytes <= this.budget || old === id) break;
      this.#forget(old, delta);
    }
  }

  #forget(id, { indices, values }) {
    this.bytes -= indices.byteLength + values.byteLength;
    this.deltas.delete(id);
  }

  /** Exchanges what is kept of a step with what is there. */
  #swap({ indices, values, width }) {
    const there = width === 1 ? this.session.mask : this.session.positions;
    for (let k = 0; k < indices.length; k += 1) {
      for (let axis = 0; axis < width; axis += 1) {
        const place = width * indices[k] + axis;
        const kept = there[place];
        there[place] = values[width * k + axis];
        values[width * k + axis] = kept;
      }
    }
  }

  /** An entry, its parent, and so on up to the base. */
  ancestors(id) {
    const found = [];
    for (let entry = this.entries.get(id); entry !== undefined; entry = this.entries.get(entry.parent)) found.push(entry);
    return found;
  }

  /** Makes an entry the current one, and the way to it the way that redo takes. */
  standAt(id) {
    for (const entry of this.ancestors(id)) if (entry.parent !== null) this.next.set(entry.parent, entry.id);
    this.current = id;
  }

  /** Goes to any entry. */
  goto(id) {
    if (!this.entries.has(id)) throw new RangeError(`the history has no entry ${id}`);
    const there = this.ancestors(id).map((entry) => entry.id);
    let back = this.ancestors(this.current).map((entry) => entry.id);
    const common = back.find((number) => there.includes(number));
    back = back.slice(0, back.indexOf(common));
    let forth = there.slice(0, there.indexOf(common)).reverse();
    if (back.some((number) => !this.deltas.has(number))) {
      this.session.clear();
      this.current = 0;
      const stale = [...there, ...back]; // what is kept of these fits the state that is given up
      for (const number of stale) if (this.deltas.has(number)) this.#forget(number, this.deltas.get(number));
      forth = there.slice(0, -1).reverse();
      back = [];
    }
    for (const number of back) {
      this.#swap(this.deltas.get(number));
      this.current = this.entries.get(number).parent;
    }
    for (const number of forth) this.#redo(number);
    this.standAt(id);
    this.session.renew();
    this.session.say("history");
  }

  #redo(number) {
    const delta = this.deltas.get(number);
    if (delta !== undefined) this.#swap(delta);
    else {
      const before = this.keep();
      this.session.run(this.entries.get(number).step);
      this.#remember(number, before);
    }
    this.current = number;
  }

  get canUndo() {
    return this.current !== 0;
  }

  get canRedo() {
    return this.next.has(this.current);
  }

  undo() {
    if (this.canUndo) this.goto(this.entries.get(this.current).parent);
  }

  redo() {
    if (this.canRedo) this.goto(this.next.get(this.current));
  }

  /** From the base to the current entry, and on as far as redo goes. */
  line() {
    const line = this.ancestors(this.current).reverse();
    for (let number = this.next.get(line.at(-1).id); number !== undefined; number = this.next.get(number)) line.push(this.entries.get(number));
    return line;
  }

  /** Takes up entries { id, parent, step } that were made elsewhere; those that are known are left as they are. */
  learn(entries) {
    for (const entry of entries) if (!this.entries.has(entry.id)) this.#put(entry);
  }

  /** Gives a provisional entry the number that it has in the kernel. */
  rename(from, to) {
    const entry = this.entries.get(from);
    this.entries.delete(from);
    this.entries.set(to, { ...entry, id: to });
    for (const child of this.entries.values()) if (child.parent === from) child.parent = to;
    for (const map of [this.next, this.deltas]) {
      if (!map.has(from)) continue;
      map.set(to, map.get(from));
      map.delete(from);
    }
    for (const [parent, child] of this.next) if (child === from) this.next.set(parent, to);
    for (const [name, id] of Object.entries(this.versions)) if (id === from) this.versions[name] = to;
    if (this.current === from) this.current = to;
  }

  /** Gives the current entry a name, to go back to. */
  keepVersion(name) {
    this.versions[name] = this.current;
    this.session.say("history");
  }

  /** Drops all provisional entries; the current one may not be among them. */
  dropGuesses() {
    for (const id of [...this.entries.keys()].filter((number) => number < 0)) {
      if (this.deltas.has(id)) this.#forget(id, this.deltas.get(id));
      this.entries.delete(id);
      this.next.delete(id);
    }
    for (const [parent, child] of this.next) if (child < 0) this.next.delete(parent);
    for (const [name, id] of Object.entries(this.versions)) if (id < 0) delete this.versions[name];
  }
}
