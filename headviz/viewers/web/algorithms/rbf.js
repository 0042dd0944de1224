// Radial basis functions and the warps of keypoints; headviz/geometry/rbf.py and warp.py have the same.

const SHAPES = {
  gaussian: (squared, alpha) => Math.exp(-alpha * squared),
  multiquadric: (squared, alpha) => Math.sqrt(squared + alpha * alpha),
  inverse_multiquadric: (squared, alpha) => 1 / Math.sqrt(squared + alpha * alpha),
  thin_plate: (squared) => (squared > 0 ? 0.5 * squared * Math.log(squared) : 0),
  wendland(squared, alpha) {
    const t = Math.sqrt(alpha * squared);
    return t < 1 ? (1 - t) ** 4 * (4 * t + 1) : 0;
  },
};

/** Names, in the order of a menu. */
export const KERNELS = Object.keys(SHAPES);

/** φ of a squared distance. */
export function rbf(squared, kernel, alpha) {
  return shapeOf(kernel)(squared, alpha);
}

function shapeOf(kernel) {
  const shape = SHAPES[kernel];
  if (shape === undefined) throw new RangeError(`kernel should be one of ${KERNELS.join(", ")}; it is ${kernel}`);
  return shape;
}

/** The α with which a keypoint acts about as far as a brush of that radius. */
export function alphaOfRadius(kernel, radius) {
  return { gaussian: 4 / radius ** 2, wendland: 1 / radius ** 2, thin_plate: 1 }[kernel] ?? radius;
}

/** The α of the Gaussian of about the same width, by which two sides share a vertex; 0: they share by distance. */
const widthOf = (kernel, alpha) => ({ gaussian: alpha, wendland: 4 * alpha, thin_plate: 0 })[kernel] ?? 4 / (alpha * alpha);

/** The kernel's value at 0, by which a keypoint's weights are divided; the thin plate has none. */
const peakOf = (kernel, alpha) => (kernel === "thin_plate" ? 1 : rbf(0, kernel, alpha));

/**
 * How far each vertex follows a keypoint, per unit of its vector: [along x, along y and z], relative to the kernel's value
 * at the keypoint. With symmetry the sum p φ(|x−w|) v + (1−p) φ(|x′−w|) M v over a vertex x and its twin x′, else Eq. 3.1.
 * Distances are those of the surface at rest.
 *
 * @param {{ base: Float32Array, mirror: ArrayLike<number> | null }} surface
 * @param {object} keypoint - { position, kernel, alpha, symmetric, strength }
 * @param {Float32Array} wx - of every vertex; is filled
 * @param {Float32Array} wyz
 */
export function weightsOf({ base, mirror }, { position, kernel, alpha, symmetric, strength = 1 }, wx, wyz) {
  const shape = shapeOf(kernel);
  const scale = strength / peakOf(kernel, alpha);
  const kappa = widthOf(kernel, alpha);
  const [x, y, z] = position;
  const squared = (k, side) => (side * base[k] - x) ** 2 + (base[k + 1] - y) ** 2 + (base[k + 2] - z) ** 2;
  for (let i = 0; i < wx.length; i += 1) {
    const own = squared(3 * i, 1);
    if (!symmetric) {
      wx[i] = wyz[i] = scale * shape(own, alpha);
      continue;
    }
    const twin = mirror === null ? squared(3 * i, -1) : squared(3 * mirror[i], 1);
    const e = Math.exp(-kappa * Math.abs(twin - own));
    let [p, q] = own <= twin ? [1 / (1 + e), e / (1 + e)] : [e / (1 + e), 1 / (1 + e)];
    if (kappa === 0 && own + twin > 0) [p, q] = [twin / (own + twin), own / (own + twin)];
    const a = p * shape(own, alpha);
    const b = q * shape(twin, alpha);
    wx[i] = scale * (a - b);
    wyz[i] = scale * (a + b);
  }
}
