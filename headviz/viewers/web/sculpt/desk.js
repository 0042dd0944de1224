// One history in two places: a session in the browser and, where a kernel runs, the same one in Python.
//
// A person's steps are done here at once, under provisional numbers, and sent. The kernel does everything in the order in
// which it comes there, numbers it, and tells all views. What it tells counts: where something else came in between, the
// provisional steps are taken back, what the kernel says is done, and they are done again after it. Nothing is lost.

let views = 0;

export class Desk {
  /**
   * @param {object} session - a Sculpting
   * @param {object | null} channel - the widget's model: send(message), on and off("msg:custom", listener)
   * @param {(text: string) => void} fail - is told what the kernel refuses
   */
  constructor(session, channel, fail) {
    Object.assign(this, { session, channel, fail, confirmed: session.history.current });
    this.name = `${Date.now().toString(36)}${Math.random().toString(36).slice(2, 8)}${(views += 1)}`;
    this.sent = 0;
    this.pending = []; // what the kernel has not answered yet, oldest first
    this.tokens = new Map(); // of provisional entries
    this.waiting = [];
    this.live = null;
    if (channel === null) return;
    this.hear = (message) => this.take(message);
    channel.on("msg:custom", this.hear);
    this.#send({ op: "hello", view: this.name, known: Math.max(...session.history.entries.keys()) });
  }

  #send(message) {
    try {
      this.channel.send(message);
    } catch (error) {
      console.warn(`The kernel does not answer; sculpting goes on here. ${error.message}`);
    }
  }

  get #options() {
    return { guess: this.channel !== null };
  }

  /** Sends an operation; an entry that it made is known by its token until it has a number. */
  #ask(operation, entry = null) {
    if (this.channel === null) return;
    const asked = { ...operation, token: `${this.name}:${(this.sent += 1)}` };
    if (entry !== null) this.tokens.set(entry.id, asked.token);
    this.pending.push(asked);
    this.#send(asked);
  }

  /** Does a step. */
  apply(step) {
    if (this.live !== null) return;
    this.#ask({ op: "apply", step }, this.session.history.apply(step, this.#options));
  }

  /** Holds a live stroke; what the kernel says meanwhile waits. */
  hold(live) {
    this.live = live;
    return live;
  }

  /** Ends the live stroke: makes it a step where it has changed something and is wanted. */
  release({ keep = true } = {}) {
    const { live } = this;
    if (live === null) return;
    this.live = null;
    if (keep && live.done) {
      const { step } = live;
      this.#ask({ op: "apply", step }, live.finish(this.#options));
    } else live.cancel();
    for (const message of this.waiting.splice(0)) this.take(message);
  }

  undo() {
    if (this.live !== null || !this.session.history.canUndo) return;
    this.session.history.undo();
    this.#ask({ op: "undo" });
  }

  redo() {
    if (this.live !== null || !this.session.history.canRedo) return;
    this.session.history.redo();
    this.#ask({ op: "redo" });
  }

  goto(id) {
    if (this.live !== null || id === this.session.history.current) return;
    this.session.history.goto(id);
    this.#ask({ op: "goto", id, made: this.tokens.get(id) ?? null });
  }

  /** Gives the present state a name. */
  keep(name) {
    if (this.live !== null || name === "") return;
    this.session.history.keepVersion(name);
    this.#ask({ op: "keep", name });
  }

  /** Takes what the kernel says: { entries, current, versions, token, error, view }. */
  take(message) {
    if (message.view && message.view !== this.name) return; // the answer to another view's hello
    if (this.live !== null) return void this.waiting.push(message);
    const { history } = this.session;
    const own = this.pending.findIndex(({ token }) => token === message.token);
    if (message.error !== undefined && own < 0) return; // another view's
    if (this.#confirms(message, own)) return;
    history.goto(this.confirmed);
    history.dropGuesses();
    this.tokens.clear();
    if (own >= 0) this.pending.splice(own, 1);
    if (message.versions) history.versions = { ...message.versions };
    if (message.error !== undefined) this.fail(message.error);
    else {
      history.learn(message.entries);
      history.goto(message.current);
      this.confirmed = message.current;
    }
    for (const operation of this.pending) this.#again(operation);
  }

  /** Whether a message says no more than that the oldest step here has a number now; then it gets it. */
  #confirms(message, own) {
    const { history } = this.session;
    const { entries, current, error } = message;
    if (error !== undefined || own !== 0 || this.pending[0].op !== "apply" || entries.length !== 1) return false;
    const guess = [...history.entries.values()].find(({ id, parent }) => id < 0 && parent === this.confirmed);
    if (guess === undefined || entries[0].parent !== guess.parent || entries[0].id !== current || history.entries.has(current)) return false;
    history.rename(guess.id, current);
    for (const operation of this.pending) if (operation.made === message.token) Object.assign(operation, { id: current, made: null });
    this.tokens.delete(guess.id);
    this.pending.shift();
    this.confirmed = current;
    this.session.say("history");
    return true;
  }

  /** Does an operation again that the kernel has not answered yet. */
  #again({ op, step, id, made, name, token }) {
    const { history } = this.session;
    if (op === "apply") this.tokens.set(history.apply(step, this.#options).id, token);
    if (op === "undo") history.undo();
    if (op === "redo") history.redo();
    if (op === "keep") history.keepVersion(name);
    const target = made ? [...this.tokens].find(([, known]) => known === made)?.[0] : id;
    if (op === "goto" && history.entries.has(target)) history.goto(target);
  }

  dispose() {
    this.channel?.off("msg:custom", this.hear);
  }
}
