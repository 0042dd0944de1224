// Keypoints on the picture: a handle each, to be dragged or moved by keys, and what it does as a line.

import { h } from "../core/dom.js";
import { blend, siteOf } from "./site.js";

const NUDGE = 0.004; // of the head's size, by which an arrow key moves

export class Handles {
  /** @param {object} view - { space, session, desk, pointer, shell, moved(ms) } */
  constructor(view) {
    this.view = view;
    this.buttons = [];
    this.layer = h("div", { class: "handles" });
    view.space.picture.append(this.layer);
    this.sites = [];
    this.drop = null; // takes back the drag that is under way
  }

  /** Follows the session's keypoints. */
  show() {
    const { keypoints } = this.view;
    while (this.buttons.length > keypoints.length) this.buttons.pop().remove();
    while (this.buttons.length < keypoints.length) this.#add(this.buttons.length);
    this.sites = keypoints.map(({ position }, k) => (same(this.sites[k]?.position, position) ? this.sites[k] : siteOf(this.view.session.surface, position)));
    this.#vectors();
    this.place();
  }

  #add(index) {
    const button = h("button", {
      type: "button", class: "handle keypoint", "aria-label": `Keypoint ${index + 1}. Drag it, or move it by the arrow keys; Delete removes it.`,
      pointerdown: (event) => this.#down(event, index), keydown: (event) => this.#key(event, index), focus: () => this.view.shell.set({ keypoint: index }),
    }, h("span", { "aria-hidden": "true" }, String(index + 1)));
    this.layer.append(button);
    this.buttons.push(button);
  }

  /** Where a keypoint is on the surface as it is now. */
  at(index) {
    const { corners, weights, off } = this.sites[index];
    return blend(this.view.session.positions, corners, weights).map((value, axis) => value + off[axis]);
  }

  /** Puts the handles where their keypoints are seen; those on the far side are faint. */
  place() {
    const { space, session: { normals } } = this.view;
    if (!space.works || this.buttons.length === 0) return;
    const eye = space.camera.position.toArray();
    this.buttons.forEach((button, index) => {
      const point = this.at(index);
      const [x, y] = space.project(point);
      const normal = blend(normals, this.sites[index].corners, this.sites[index].weights);
      const facing = eye.reduce((sum, value, axis) => sum + (value - point[axis]) * normal[axis], 0);
      button.style.transform = `translate(${x}px, ${y}px)`;
      button.classList.toggle("behind", facing < 0);
      button.setAttribute("aria-pressed", String(this.view.shell.state.keypoint === index));
    });
  }

  #vectors() {
    this.view.scene.showVectors(this.view.keypoints.map(({ position, symmetric }, index) => [position, this.at(index), symmetric]));
  }

  /** After positions have changed while one drags. */
  follow() {
    if (this.buttons.length !== this.view.keypoints.length) return this.show();
    this.#vectors();
    this.place();
  }

  #down(event, index) {
    if (event.button !== 0) return;
    event.preventDefault();
    event.stopPropagation();
    const button = this.buttons[index];
    button.focus({ preventScroll: true });
    button.setPointerCapture(event.pointerId);
    const drag = this.drag(index, this.at(index), event);
    if (drag === null) return;
    const listeners = new AbortController();
    const listen = (type, handler) => button.addEventListener(type, handler, { signal: listeners.signal });
    const end = (keep) => {
      listeners.abort();
      this.drop = null;
      drag.end(keep);
    };
    this.drop = () => end(false);
    listen("pointermove", ({ clientX, clientY }) => drag.move(clientX, clientY));
    listen("pointerup", () => end(true));
    listen("pointercancel", () => end(false));
    listen("lostpointercapture", () => end(true));
  }

  /** A drag of a keypoint's vector in the plane of the screen, from where the pointer is. */
  drag(index, point, { clientX, clientY }, keypoints = undefined) {
    const { desk, session, pointer } = this.view;
    if (desk.live !== null) return null;
    const live = desk.hold(session.beginKeypoint(index, keypoints));
    this.follow();
    const start = pointer.level(clientX, clientY, point);
    const from = live.vector.slice();
    return {
      move: (x, y) => {
        const to = pointer.level(x, y, point);
        if (to !== null) this.view.moved(live.move(from.map((value, axis) => value + to[axis] - start[axis])), live);
      },
      end: (keep) => desk.release({ keep }),
    };
  }

  #key(event, index) {
    const { desk, session, space } = this.view;
    const sides = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    if (event.key === "Escape" && this.drop !== null) this.drop();
    else if (event.ctrlKey || event.metaKey || event.altKey || desk.live !== null) return;
    else if (event.key === "Delete" || event.key === "Backspace") this.view.forget(index);
    else if (event.key in sides) {
      const [right, up] = sides[event.key];
      const [a, b] = [0, 4].map((k) => space.camera.matrixWorld.elements.slice(k, k + 3));
      const step = NUDGE * session.surface.size * (event.shiftKey ? 5 : 1);
      const live = desk.hold(session.beginKeypoint(index));
      live.move(live.vector.map((value, axis) => value + step * (right * a[axis] + up * b[axis])));
      desk.release();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

const same = (a, b) => a !== undefined && a.every((value, axis) => value === b[axis]);
