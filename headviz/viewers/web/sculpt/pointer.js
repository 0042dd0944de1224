// A hand on the picture: on the head it sculpts, beside it the camera orbits. Mouse, pen and touch; a second finger ends a
// stroke that has just begun and orbits.

import * as THREE from "three";

import { normalOn, pick } from "./pick.js";

const QUICK = 250; // milliseconds in which a second finger means that the first was not meant

export class Pointer {
  /**
   * @param {object} space - of the shell
   * @param {object} session - a Sculpting
   * @param {object} on - { hover(place | null), begin(place, event) -> { move(point, place) , end(keep) } | null, adjusting() }
   */
  constructor(space, session, on) {
    Object.assign(this, { space, session, on, stroke: null, first: null, place: null });
    this.ray = new THREE.Raycaster();
    this.listeners = new AbortController();
    const { signal } = this.listeners;
    const listen = (type, handler) => space.picture.addEventListener(type, handler, { signal, capture: true });
    listen("pointerdown", (event) => this.#down(event));
    listen("pointermove", (event) => this.#move(event));
    listen("pointerup", (event) => this.#up(event, true));
    listen("pointercancel", (event) => this.#up(event, false));
    listen("pointerleave", (event) => event.target === space.canvas && this.stroke === null && this.#hover(null));
  }

  /** The ray through a spot of the window. */
  #aim(clientX, clientY) {
    const box = this.space.canvas.getBoundingClientRect();
    const spot = new THREE.Vector2(((clientX - box.left) / box.width) * 2 - 1, 1 - ((clientY - box.top) / box.height) * 2);
    this.ray.setFromCamera(spot, this.space.camera);
    return this.ray.ray;
  }

  /** The place of the surface under a spot of the window: { point, normal, face, weights }, or null. */
  at(clientX, clientY) {
    const { origin, direction } = this.#aim(clientX, clientY);
    const { positions, normals, surface: { faces } } = this.session;
    const hit = pick(positions, faces, origin.toArray(), direction.toArray());
    return hit && { ...hit, normal: normalOn(normals, faces, hit.face, hit.weights) };
  }

  /** The point under a spot of the window at the depth of another point. */
  level(clientX, clientY, point) {
    const normal = this.space.camera.getWorldDirection(new THREE.Vector3());
    const plane = new THREE.Plane().setFromNormalAndCoplanarPoint(normal, new THREE.Vector3(...point));
    return this.#aim(clientX, clientY).intersectPlane(plane, new THREE.Vector3())?.toArray() ?? null;
  }

  #hover(place) {
    this.place = place;
    this.on.hover(place);
  }

  #down(event) {
    if (event.target !== this.space.canvas || event.passed) return;
    if (this.on.adjusting(event)) return void stop(event);
    if (this.stroke !== null) return this.#second(event);
    if (event.button !== 0 || event.altKey) return;
    const place = this.at(event.clientX, event.clientY);
    const stroke = place && this.on.begin(place, event);
    if (!stroke) return;
    event.stopPropagation(); // the orbit; the browser still gives the canvas the focus
    this.#capture(event.pointerId);
    Object.assign(this, { stroke, first: event, begun: event.timeStamp, place });
    this.#hover(place);
  }

  /** A second finger: a stroke that has just begun was a mistake, and both fingers turn the head. */
  #second(event) {
    if (event.pointerId === this.first.pointerId) return;
    if (event.timeStamp - this.begun > QUICK) return void stop(event);
    const { first } = this;
    this.#end(false);
    const again = new PointerEvent("pointerdown", first);
    again.passed = true;
    this.space.canvas.dispatchEvent(again);
  }

  #capture(pointerId) {
    try {
      this.space.canvas.setPointerCapture(pointerId);
    } catch {
      // a pointer that a program made up cannot be captured
    }
  }

  #move(event) {
    if (event.target !== this.space.canvas) return;
    if (this.on.adjusting(event)) return void stop(event);
    if (this.stroke === null) {
      if (event.buttons === 0) this.#hover(this.at(event.clientX, event.clientY));
      return;
    }
    if (event.pointerId !== this.first.pointerId) return;
    if (event.buttons === 0) return this.#up(event, true); // let go where nobody told us
    stop(event);
    this.stroke.move(event.clientX, event.clientY);
  }

  #up(event, keep) {
    if (this.stroke === null || event.pointerId !== this.first.pointerId) return;
    stop(event);
    this.#end(keep);
  }

  #end(keep) {
    const { stroke } = this;
    this.stroke = null;
    stroke.end(keep);
  }

  /** Takes back the stroke that is under way; whether there was one. */
  cancel() {
    if (this.stroke === null) return false;
    this.#end(false);
    return true;
  }

  dispose() {
    this.listeners.abort();
  }
}

function stop(event) {
  event.stopPropagation();
  event.preventDefault();
}
