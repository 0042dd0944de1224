// Records on their way from Python: see headviz/viewers/wire.py for the layout.

const MAGIC = "HVZ1";
const TYPES = {
  uint8: Uint8Array, int8: Int8Array, uint16: Uint16Array, int16: Int16Array,
  uint32: Uint32Array, int32: Int32Array, float32: Float32Array, float64: Float64Array,
};

/**
 * Reads a packed record.
 *
 * @param {Uint8Array} packed - gzip of the block
 * @returns {Promise<{kind: string, facts: object, state: object, arrays: object, bytes: number, errors: object}>}
 *   arrays by name, each { data, shape }; errors: how far rounded arrays may be off, in their own unit
 */
export async function unpack(packed) {
  const block = new Uint8Array(await unzipped(packed));
  const magic = String.fromCharCode(...block.subarray(0, 4));
  if (magic !== MAGIC) throw new Error(`the data should begin with ${MAGIC}; it begins with ${magic}`);
  const length = new DataView(block.buffer).getUint32(4, true);
  const header = JSON.parse(new TextDecoder().decode(block.subarray(8, 8 + length)));
  const start = 8 + length;
  const arrays = {};
  const errors = {};
  for (const entry of header.arrays) {
    arrays[entry.name] = { data: values(block, start + entry.offset, entry), shape: entry.shape };
    if (entry.error !== undefined) errors[entry.name] = entry.error;
  }
  return { kind: header.kind, facts: header.facts, state: header.state, arrays, errors, bytes: packed.byteLength };
}

async function unzipped(packed) {
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

/** The values of one array: bytes of one significance lie together and are put side by side again. */
function values(block, offset, { dtype, shape, low, size }) {
  const Type = TYPES[dtype];
  const count = shape.reduce((product, side) => product * side, 1);
  const width = Type.BYTES_PER_ELEMENT;
  if (width === 1) return new Type(block.slice(offset, offset + count).buffer);
  const bytes = new Uint8Array(count * width);
  for (let byte = 0; byte < width; byte += 1) {
    const plane = block.subarray(offset + byte * count, offset + (byte + 1) * count);
    for (let i = 0, to = byte; i < count; i += 1, to += width) bytes[to] = plane[i];
  }
  const found = new Type(bytes.buffer);
  return low === undefined ? found : unrounded(found, low, size);
}

/** 16-bit steps as numbers: each column has its own least value and size of a step. */
function unrounded(steps, low, size) {
  const columns = low.length;
  const found = new Float32Array(steps.length);
  for (let column = 0; column < columns; column += 1) {
    for (let i = column; i < steps.length; i += columns) found[i] = low[column] + size[column] * steps[i];
  }
  return found;
}

/** The bytes of base64 text, without a loop over its letters. */
export async function fromBase64(text) {
  const answer = await fetch(`data:application/octet-stream;base64,${text.trim()}`);
  return new Uint8Array(await answer.arrayBuffer());
}
