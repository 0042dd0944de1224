// The rays of a traced picture, as pure functions of the record: which looks a ray took, and what it knows after a step.

const ENDINGS = ["missed", "hit", "out of steps"];
const INDEXES = new WeakMap();

/**
 * What is worked out once per record.
 *
 * @returns {{order: Uint32Array, start: Uint32Array, done: Uint32Array[], rays: number, width: number, height: number}}
 *   order: looks by ray, in order, those of ray r at start[r] … start[r + 1]; done[status][s]: how many rays have ended
 *   so after step s
 */
export function indexOf(record) {
  if (!INDEXES.has(record)) INDEXES.set(record, makeIndex(record));
  return INDEXES.get(record);
}

function makeIndex({ arrays, facts: { camera } }) {
  const [height, width] = [camera.height, camera.width];
  const rays = width * height;
  const ray = arrays.index.data;
  const start = new Uint32Array(rays + 1);
  for (let k = 0; k < ray.length; k += 1) start[ray[k] + 1] += 1;
  for (let r = 0; r < rays; r += 1) start[r + 1] += start[r];
  const next = start.slice(0, rays);
  const order = new Uint32Array(ray.length);
  for (let k = 0; k < ray.length; k += 1) {
    order[next[ray[k]]] = k;
    next[ray[k]] += 1;
  }
  return { order, start, done: endings(arrays), rays, width, height };
}

/** How many rays have ended in each way after each step. */
function endings({ last, status, look }) {
  const steps = Math.max(1, look.data.length);
  const done = ENDINGS.map(() => new Uint32Array(steps));
  for (let r = 0; r < last.data.length; r += 1) done[status.data[r]][Math.max(0, last.data[r])] += 1;
  for (const counts of done) for (let s = 1; s < steps; s += 1) counts[s] += counts[s - 1];
  return done;
}

/** Column and row of the ray that is shown for a chosen pixel: the nearest before it whose looks are kept. */
export function kept({ facts: { every } }, [column, row]) {
  return [column - (column % every), row - (row % every)];
}

/** Direction of a pixel's ray, of length 1 along the optical axis. */
export function directionOf({ facts: { camera } }, [column, row]) {
  const x = (column + 0.5 - camera.center[0]) / camera.focal;
  const y = -(row + 0.5 - camera.center[1]) / camera.focal;
  return [0, 1, 2].map((k) => x * camera.rotation[0][k] + y * camera.rotation[1][k] - camera.rotation[2][k]);
}

/** The point of a pixel's ray at a depth, metres. */
export function pointAt(record, direction, depth) {
  return direction.map((side, k) => record.facts.camera.position[k] + depth * side);
}

/** Where a point is seen, in pixels from the upper left corner; null behind the camera. */
export function project({ facts: { camera } }, point) {
  const away = point.map((side, k) => side - camera.position[k]);
  const [x, y, z] = camera.rotation.map((axis) => axis[0] * away[0] + axis[1] * away[1] + axis[2] * away[2]);
  if (z >= 0) return null;
  return [camera.center[0] - (camera.focal * x) / z, camera.center[1] + (camera.focal * y) / z];
}

/** The step in which a look was taken: the last that begins at or before it. */
function stepOf(offsets, look) {
  let [low, high] = [0, offsets.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (offsets[middle] <= look) low = middle;
    else high = middle;
  }
  return low;
}

/** All looks of a pixel's ray, in order: { step, kind, along, distance, undone, position }, lengths in metres. */
export function looksOf(record, pixel) {
  const { arrays } = record;
  const { order, start, width } = indexOf(record);
  const ray = pixel[1] * width + pixel[0];
  const direction = directionOf(record, pixel);
  const long = Math.hypot(...direction);
  return Array.from(order.subarray(start[ray], start[ray + 1]), (look) => {
    const step = stepOf(arrays.offsets.data, look);
    const t = arrays.t.data[look];
    return {
      step, kind: arrays.look.data[step], along: t * long, distance: arrays.distance.data[look],
      undone: arrays.undone.data[look] !== 0, position: pointAt(record, direction, t),
    };
  });
}

/** Depth at which a pixel's ray hits and leaves for good, metres along the optical axis; null where there is none. */
export function endsOf({ arrays, facts: { camera } }, [column, row]) {
  const place = row * camera.width + column;
  const known = (value) => (Number.isFinite(value) ? value : null);
  const front = known(arrays.depth.data[place]);
  return { front, back: front === null || !arrays.back ? null : known(arrays.back.data[place]) };
}

const look = (looks, own, lipschitz) => {
  if (own < 0) return { undone: false, at: null, distance: null, radius: null, moved: null, position: null };
  const { along, distance, undone, position } = looks[own];
  const moved = own + 1 < looks.length ? looks[own + 1].along - along : null;
  return { undone, at: along, distance, radius: distance / lipschitz, moved, position };
};

/** Everything that is drawn now: see TraceViewer.numbers. */
export function numbersOf(record, state) {
  const { arrays, facts } = record;
  const index = indexOf(record);
  const pixel = kept(record, state.pixel);
  const ray = pixel[1] * index.width + pixel[0];
  const looks = looksOf(record, pixel);
  const own = looks.filter(({ step }) => step <= state.step).length - 1;
  const ended = own === looks.length - 1;
  const long = Math.hypot(...directionOf(record, pixel));
  const ends = ended ? endsOf(record, pixel) : { front: null, back: null };
  const [missed, hit, out] = index.done.map((counts) => counts[state.step]);
  return {
    step: state.step, pixel, look: own >= 0 ? own : null, looks: looks.length, ...look(looks, own, facts.lipschitz),
    ended: ended ? ENDINGS[arrays.status.data[ray]] : null,
    hit_at: ends.front === null ? null : ends.front * long,
    thickness: ends.back === null ? null : ends.back * long - ends.front * long,
    overstepped: own >= 0 && overstepped(record, ray, looks[own].step),
    marching: index.rays - missed - hit - out, hit, missed, out_of_steps: out,
  };
}

/** Whether a ray's step went through the surface. */
export function overstepped({ arrays }, ray, step) {
  const [rays, steps] = [arrays.overstep_ray.data, arrays.overstep_step.data];
  for (let k = 0; k < rays.length; k += 1) if (rays[k] === ray && steps[k] === step) return true;
  return false;
}
