// What viewers of one head share: the camera's pose and the cursor. One bus per name in a document, even where
// several copies of this module run (each notebook output has its own).

const KEY = Symbol.for("headviz.links");

/** The bus of a name; null gives a bus that nobody shares. */
export function busOf(name) {
  if (name === null || name === undefined || name === "") return new Bus();
  globalThis[KEY] ??= new Map();
  const buses = globalThis[KEY];
  if (!buses.has(name)) buses.set(name, new Bus());
  return buses.get(name);
}

class Bus {
  constructor() {
    this.values = new Map();
    this.listeners = new Set();
  }

  /** Calls `listener(topic, value)` for what others say; gives a function that ends it. */
  listen(owner, listener) {
    const entry = { owner, listener };
    this.listeners.add(entry);
    for (const [topic, { from, value }] of this.values) if (from !== owner) listener(topic, value);
    return () => this.listeners.delete(entry);
  }

  say(owner, topic, value) {
    this.values.set(topic, { from: owner, value });
    for (const { owner: other, listener } of this.listeners) if (other !== owner) listener(topic, value);
  }
}
