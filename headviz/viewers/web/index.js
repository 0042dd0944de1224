// Everything that a page, a notebook or an application needs: one module.

import {
  BufferAttribute, BufferGeometry, Color, Group, InstancedMesh, LineBasicMaterial, LineSegments, Matrix4, Mesh, MeshBasicMaterial,
  MeshLambertMaterial, Points, PointsMaterial, Vector3,
} from "three";

import { h } from "./core/dom.js";
import { count, length, number } from "./core/format.js";
import { COLOR, greyOf, painted, scaleOf } from "./core/look.js";
import { Shell } from "./core/shell.js";
import { discard, linesOf, surfaceOf } from "./core/space.js";
import { fromBase64, unpack } from "./core/wire.js";
import { mountHead } from "./head.js";
import cubes from "./cubes.js";
import mesh from "./mesh.js";
import ray from "./ray.js";
import obj from "./obj.js";
import octree from "./octree.js";
import quadtree from "./quadtree.js";
import reconstruction from "./reconstruction.js";
import rendering from "./rendering.js";
import sculpt from "./sculpt.js";
import squares from "./squares.js";
import trace from "./trace.js";

export { mountHead, unpack };

/** The part of three.js that viewers of other packages may use; with all of it the module was 857 kB instead of 697. */
const THREE = {
  BufferAttribute, BufferGeometry, Color, Group, InstancedMesh, LineBasicMaterial, LineSegments, Matrix4, Mesh, MeshBasicMaterial,
  MeshLambertMaterial, Points, PointsMaterial, Vector3,
};

/** What a viewer of another package may use. */
const TOOLKIT = { h, count, length, number, COLOR, greyOf, painted, scaleOf, discard, linesOf, surfaceOf, THREE };

const VIEWERS = new Map([cubes, mesh, obj, octree, quadtree, ray, reconstruction, rendering, sculpt, squares, trace].map((viewer) => [viewer.kind, viewer]));

/**
 * Adds a viewer from the text of an ES module whose default export is `(toolkit) => viewer`; see docs/add-a-viewer.md.
 *
 * @param {string} text
 */
export async function addViewer(text) {
  const bytes = new TextEncoder().encode(text);
  const letters = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  const { default: make } = await import(`data:text/javascript;base64,${btoa(letters)}`);
  const viewer = make(TOOLKIT);
  VIEWERS.set(viewer.kind, viewer);
}

/**
 * Shows a packed record inside an element.
 *
 * @param {HTMLElement} element
 * @param {Uint8Array} packed - from headviz.viewers.wire.pack
 * @param {object} options - see Shell; also { state } to begin with another one, { module } with the text for addViewer(),
 *   { channel } to a kernel
 * @returns {Promise<object>} handle: state, numbers, caption, steps, set, flush, screenshot, setTheme, dispose
 */
export async function mountViewer(element, packed, options = {}) {
  try {
    const record = await unpack(packed);
    if (options.module && !VIEWERS.has(record.kind)) await addViewer(options.module);
    const viewer = VIEWERS.get(record.kind);
    if (viewer === undefined) throw new Error(`there is no viewer of kind ${record.kind}`);
    record.channel = options.channel ?? null;
    await viewer.prepare?.(record);
    if (options.state) record.state = { ...record.state, ...options.state };
    return new Shell(element, viewer, record, options).handle;
  } catch (error) {
    const words = document.createElement("p");
    words.setAttribute("role", "alert");
    words.textContent = `This viewer cannot be opened: ${error.message}`;
    element.replaceChildren(words);
    throw error;
  }
}

/** Opens all viewers of a page that headviz.viewers.page has written; window.viewers holds their handles. */
export async function openPage({ viewers, theme = "auto", note = "" }) {
  const opened = [];
  window.viewers = opened;
  if (theme !== "auto") document.documentElement.dataset.theme = theme;
  for (const [index, options] of viewers.entries()) {
    const text = document.getElementById(`data-${index}`);
    const packed = await fromBase64(text.textContent);
    text.remove();
    const last = index === viewers.length - 1;
    const place = document.getElementById(`viewer-${index}`);
    try {
      opened.push(await mountViewer(place, packed, { ...options, theme, note: last ? note : "" }));
    } catch (error) {
      console.error(error); // told on the page; the other viewers open
    }
  }
  window.viewersReady = true;
}

/** The notebook shell, as anywidget calls it. */
async function render({ model, el }) {
  const bytes = model.get("packed");
  const packed = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let telling = false;
  const tell = (state, numbers, caption) => {
    telling = true;
    model.set({ state, numbers, caption });
    model.save_changes();
    telling = false;
  };
  const handle = await mountViewer(el, packed, { ...model.get("options"), state: model.get("state"), onChange: tell, channel: model });
  tell(handle.state, handle.numbers, handle.caption);
  el.viewer = handle;
  const follow = () => {
    if (!telling) handle.set(model.get("state"));
  };
  model.on("change:state", follow);
  return () => {
    model.off("change:state", follow);
    handle.dispose();
  };
}

export default { render };
