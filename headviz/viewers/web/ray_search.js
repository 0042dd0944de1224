// One ray searched by every method; the same as headviz/viewers/ray_search.py on the same samples.

import { gridField } from "./algorithms/grid.js";
import { trueRoot } from "./algorithms/quantities.js";
import { STATUS } from "./algorithms/rays.js";
import { bracketing, fixedSteps, sphereTrace } from "./algorithms/sphere_trace.js";

/** Methods, and what they are called. */
export const METHODS = new Map([
  ["plain", "Plain"], ["relaxed", "Over-relaxed"], ["adaptive", "Adaptive"], ["fixed", "Fixed step"], ["bracketing", "Bracketing"],
]);
const STATUS_WORDS = new Map([[STATUS.MISSED, "missed"], [STATUS.HIT, "hit"], [STATUS.OUT_OF_STEPS, "out of steps"]]);
const SEARCHES = {
  plain: (field, ray, settings) => sphereTrace(field, ...ray, { ...settings, lipschitz: settings.bound, relaxation: 1 }),
  relaxed: (field, ray, settings) => sphereTrace(field, ...ray, { ...settings, lipschitz: settings.bound }),
  adaptive: (field, ray, settings) => sphereTrace(field, ...ray, { ...settings, lipschitz: settings.bound, relaxation: "adaptive" }),
  fixed: (field, ray, { stepSize }) => fixedSteps(field, ...ray, { step: stepSize }),
  bracketing: (field, ray, { tolerance }) => bracketing(field, ...ray, { tolerance }),
};

const fields = new WeakMap();
const answers = new WeakMap();

/** The sampled field of a record, made once. */
export function fieldOf(record) {
  if (!fields.has(record)) {
    const { data, shape } = record.arrays.grid;
    const { origin, spacing } = record.facts;
    fields.set(record, gridField({ values: data, shape, origin, spacing }));
  }
  return fields.get(record);
}

/** The ray of a state, as the tracers take it. */
export function settingsOf({ facts }, state) {
  const turn = (state.angle * Math.PI) / 180;
  return {
    origin: state.origin, direction: [Math.cos(turn), Math.sin(turn)], relaxation: state.relaxation, tolerance: state.tolerance,
    maxSteps: state.max_steps, stepSize: state.step_size, bound: state.bound_factor * facts.lipschitz,
  };
}

/** What one method found, with every look on the way; see Search in ray_search.py. */
class Search {
  constructor(method, { status, t, value, looks, oversteps }) {
    Object.assign(this, { method, status, value, looks, oversteps, hit: t });
    this.kept = looks.flatMap((taken, k) => (taken.undone ? [] : [k]));
    this.steps = Math.max(0, this.kept.length - 1);
  }

  /** The look on which a step ended. */
  look(step) {
    return this.looks[this.kept[step]];
  }

  /** The looks between the last step and this one that led nowhere; for the last step also those after it. */
  unused(step) {
    const first = step > 0 ? this.kept[step - 1] + 1 : 0;
    const after = step === this.kept.length - 1 ? this.looks.length : this.kept[step];
    return this.looks.slice(first, after).filter((taken) => taken.undone);
  }

  /** How far the next step leads from here, metres; 0 for the last. */
  moved(step) {
    return step < this.steps ? this.look(step + 1).t - this.look(step).t : 0;
  }

  /** The over-step that this step was, or null. */
  overstep(step) {
    return this.oversteps.find((over) => over.step === this.kept[step]) ?? null;
  }

  /** What the table of methods says. */
  row(root) {
    const known = root !== null && this.status !== STATUS.MISSED;
    return {
      method: this.method, status: STATUS_WORDS.get(this.status), steps: this.steps, evaluations: this.looks.length,
      unused: this.looks.filter((taken) => taken.undone).length, oversteps: this.oversteps.length, t: this.hit,
      error: known ? Math.abs(this.hit - root) : null,
    };
  }
}

/**
 * All methods on the ray of a state. The last answer of a record is kept.
 *
 * @returns {{settings: object, chosen: Search, rows: object[], root: number|null}} root: the true first root, metres along
 *   the ray
 */
export function searched(record, state) {
  const settings = settingsOf(record, state);
  const key = JSON.stringify([state.method, settings]);
  const last = answers.get(record);
  if (last?.key === key) return last;
  const field = fieldOf(record);
  const ray = [settings.origin, settings.direction];
  const all = [...METHODS.keys()].map((method) => new Search(method, SEARCHES[method](field, ray, settings)));
  const chosen = all.find(({ method }) => method === state.method);
  const root = trueRoot(field, ...ray)?.t ?? null;
  const answer = { key, settings, chosen, root, rows: all.map((one) => one.row(root)) };
  answers.set(record, answer);
  return answer;
}

/** A place on the ray, in the plane. */
export function along({ origin, direction }, t) {
  return [origin[0] + t * direction[0], origin[1] + t * direction[1]];
}

/** Where the current step looks, in the plane; null where the ray does not meet the box. */
export function position(record, state) {
  const { settings, chosen } = searched(record, state);
  return chosen.looks.length === 0 ? null : along(settings, chosen.look(state.step).t);
}

/** The point of space at a place of the plane. */
export function embed({ facts }, [u, v]) {
  const [start, alongU, alongV] = facts.embedding;
  return start.map((part, k) => part + u * alongU[k] + v * alongV[k]);
}

/** Place of the nearest point of the plane, and the distance to it along the normal. */
export function project({ facts }, point) {
  const [start, u, v] = facts.embedding;
  const away = point.map((part, k) => part - start[k]);
  const dot = (one, other) => one[0] * other[0] + one[1] * other[1] + one[2] * other[2];
  const normal = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
  return [dot(away, u), dot(away, v), dot(away, normal)];
}

/** Place and distance at the cursor, where it is in the plane's box and not at the current look; else null. */
export function atCursor(record, state) {
  if (state.cursor === null) return null;
  const [u, v, away] = project(record, state.cursor);
  const [left, low, right, high] = record.facts.box;
  const here = position(record, state);
  if (here !== null && Math.hypot(u - here[0], v - here[1]) < 1e-9) return null;
  const near = Math.abs(away) <= Math.max(...record.facts.spacing);
  return near && left <= u && u <= right && low <= v && v <= high ? { u, v, value: fieldOf(record).value(u, v) } : null;
}
