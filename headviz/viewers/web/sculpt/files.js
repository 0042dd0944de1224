// What a page without a kernel can keep: the session as headviz/sculpt/files.py reads it, and the mesh as OBJ.

const SAMPLES = 1024;

/** Base64 of bytes. */
async function base64(bytes) {
  const address = await new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(new Blob([bytes]));
  });
  return address.slice(address.indexOf(",") + 1);
}

/** An array as headviz/sculpt/embedded.py packs it: zlib, base64. */
async function packed(values, shape) {
  const stream = new Blob([values]).stream().pipeThrough(new CompressionStream("deflate"));
  return { shape, data: await base64(await new Response(stream).arrayBuffer()) };
}

/** SHA-256 of bytes; empty where the browser gives none, as on a page without a secure address. */
async function sha256(values) {
  if (globalThis.crypto?.subtle === undefined) return "";
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", values));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The base by name where programs know it, else its arrays. */
async function baseOf({ facts, arrays }) {
  if (facts.base.kind === "named") return facts.base;
  const mesh = { morphs: {} };
  const types = { vertices: Float32Array, faces: Int32Array, uv: Float32Array, uv_faces: Int32Array, colors: Float32Array, mirror: Int32Array };
  for (const [name, Type] of Object.entries(types)) {
    if (arrays[name]) mesh[name] = await packed(Type.from(arrays[name].data), arrays[name].shape);
  }
  for (const { name, start, end } of facts.morphs) {
    const offsets = new Float32Array(arrays.vertices.data.length);
    for (let k = start; k < end; k += 1) {
      for (let axis = 0; axis < 3; axis += 1) offsets[3 * arrays["morph.indices"].data[k] + axis] = arrays["morph.offsets"].data[3 * k + axis];
    }
    mesh.morphs[name] = await packed(offsets, arrays.vertices.shape);
  }
  if (arrays.texture) mesh.texture = await base64(arrays.texture.data);
  return { ...facts.base, mesh };
}

/** The session's file, as text. */
export async function sessionText(record) {
  const { session, facts } = record;
  const { history, positions, surface: { count } } = session;
  const every = Math.max(1, Math.ceil(count / SAMPLES));
  const sample = new Float32Array(3 * Math.ceil(count / every));
  for (let k = 0; 3 * k < sample.length; k += 1) sample.set(positions.subarray(3 * k * every, 3 * k * every + 3), 3 * k);
  const numbers = numbered(history);
  const entries = [...history.entries.values()].filter(({ step }) => step !== null);
  return JSON.stringify({
    headviz: "sculpt", version: 1, name: facts.name, base: await baseOf(record),
    steps: entries.map(({ id, parent, step }) => ({ id: numbers(id), parent: numbers(parent), step })).sort((a, b) => a.id - b.id),
    line: numbers(history.line().at(-1).id), current: numbers(history.current),
    versions: Object.fromEntries(Object.entries(history.versions).map(([name, id]) => [name, numbers(id)])),
    result: { sha256: await sha256(positions), sample: await packed(sample, [sample.length / 3, 3]) },
  });
}

/** Numbers for all entries: provisional ones, which the kernel has not numbered yet, come after the others. */
function numbered({ entries }) {
  const known = Math.max(...entries.keys());
  return (id) => (id < 0 ? known - id : id);
}

/** The mesh as it is now, as the text of an OBJ file; texture coordinates as they were. */
export function objText({ session, arrays, facts }) {
  const { positions, surface: { faces, count } } = session;
  const lines = [`# ${facts.name}, sculpted with headviz; metres, y up`];
  for (let k = 0; k < 3 * count; k += 3) lines.push(`v ${positions[k]} ${positions[k + 1]} ${positions[k + 2]}`);
  const uv = arrays.uv?.data;
  if (uv) for (let k = 0; k < uv.length; k += 2) lines.push(`vt ${uv[k]} ${uv[k + 1]}`);
  const corners = arrays.uv_faces?.data ?? faces;
  const corner = uv ? (k) => `${faces[k] + 1}/${corners[k] + 1}` : (k) => `${faces[k] + 1}`;
  for (let k = 0; k < faces.length; k += 3) lines.push(`f ${corner(k)} ${corner(k + 1)} ${corner(k + 2)}`);
  return `${lines.join("\n")}\n`;
}

/** Gives a person a file. */
export function download(text, name) {
  const address = URL.createObjectURL(new Blob([text], { type: "application/octet-stream" }));
  const link = Object.assign(document.createElement("a"), { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** A name for a file: letters, digits, and what joins them. */
export const fileName = (name, ending) => `${name.replace(/[^\p{L}\p{N}._-]+/gu, "-").replace(/^-+|-+$/g, "") || "head"}${ending}`;
