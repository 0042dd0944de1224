"""The inner loops of :func:`headviz.geometry.warp.warp` for Gaussian and Wendland kernels, compiled by numba.

The formulas are those of :func:`headviz.geometry.warp.displacement`, which the tests compare values and gradients with.
Points go in blocks of 256 through a scratch array that stays in the innermost cache: each loop below runs over one
block, always whole, so that it becomes vector instructions only and every point is rounded alike. A mirrored point
therefore moves by the mirrored displacement to the bit.

In terms of q = α r² a kernel is φ(q) with slope −ψ(q): the gradient by r² is −αψ, that by α is −r²ψ.
"""

from __future__ import annotations

from functools import partial
from typing import no_type_check

import numpy as np
from numba import njit

from headviz.geometry.compiling import compiled

BLOCK = 256
#: Compiled kernels, in the order of their codes.
CODES = ("gaussian", "wendland")
#: κ of the shares over α: the Gaussian of about the same width, by code.
KAPPA = (np.float32(1.0), np.float32(4.0))

# Where a block's values start in the scratch array: points, squared distances to the keypoint (of the nearer and the
# farther twin where mirrored), their kernels φ and slopes ψ, w_x x, the share's exponential, sums, gradients.
X, Y, Z, NEAR, FAR, PHI, PSI, PHI2, PSI2, SIDE, SHARE, OUT_X, OUT_Y, OUT_Z, GX, GY, GZ = (
    row * BLOCK for row in range(17)
)
SCRATCH = 17 * BLOCK

LOWEST, HIGHEST = np.float32(-60.0), np.float32(88.0)
LOG2E, ROUND = np.float32(1.4426950408889634), np.float32(12582912.0)
LN2_HIGH, LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
P0, P1, P2 = np.float32(1.9875691500e-4), np.float32(1.3981999507e-3), np.float32(8.3334519073e-3)
P3, P4, P5 = np.float32(4.1665795894e-2), np.float32(1.6666665459e-1), np.float32(5.0000001201e-1)
BIAS, MANTISSA = np.float32(127.0), np.float32(8388608.0)
ZERO, ONE, TWO, FOUR, TEN = (np.float32(value) for value in (0.0, 1.0, 2.0, 4.0, 10.0))


whole = partial(compiled, nogil=True, error_model="numpy")


@njit(fastmath={"contract"}, error_model="numpy", forceinline=True)
@no_type_check
def _exp(x):
    """e^x in float32 with an error of 2e-7 of the value, in operations that become vector instructions.

    2^n times a polynomial of degree 6 (Cephes' expf). Below e⁻⁶⁰ it is 0: products of smaller numbers are denormal,
    which costs some processors a hundredfold. NaN stays NaN.
    """
    none = x < LOWEST
    x = LOWEST if none else x
    x = HIGHEST if x > HIGHEST else x
    n = (x * LOG2E + ROUND) - ROUND
    r = x - n * LN2_HIGH - n * LN2_LOW
    p = (((((P0 * r + P1) * r + P2) * r + P3) * r + P4) * r + P5) * r * r + r + ONE
    p *= np.int32((n + BIAS) * MANTISSA).view(np.float32)
    return ZERO if none else p


@njit(fastmath={"contract"}, error_model="numpy", forceinline=True)
@no_type_check
def _kernel(code, s, squared, phi, psi, alpha):
    """φ and ψ of a block's squared distances."""
    if code == 0:
        for i in range(BLOCK):
            value = _exp(-alpha * s[squared + i])
            s[phi + i] = value
            s[psi + i] = value
    else:
        for i in range(BLOCK):
            rho = np.sqrt(alpha * s[squared + i])
            rest = ONE - rho
            rest = ZERO if rest < ZERO else rest
            cube = rest * rest * rest
            s[phi + i] = cube * rest * (FOUR * rho + ONE)
            s[psi + i] = TEN * cube


@njit(fastmath={"contract"}, error_model="numpy", forceinline=True)
@no_type_check
def _load(s, points, start, row):
    """A block of points (n, 3) into three rows; a short block is filled up with its last point."""
    last = len(points) - 1
    for i in range(BLOCK):
        at = min(start + i, last)
        s[row + i] = points[at, 0]
        s[row + BLOCK + i] = points[at, 1]
        s[row + 2 * BLOCK + i] = points[at, 2]


@njit(fastmath={"contract"}, error_model="numpy", forceinline=True)
@no_type_check
def _plain(code, s, key, alpha):
    """φ and ψ of one keypoint."""
    wx, wy, wz = key[0], key[1], key[2]
    for i in range(BLOCK):
        x, y, z = s[X + i] - wx, s[Y + i] - wy, s[Z + i] - wz
        s[NEAR + i] = x * x + y * y + z * z
    _kernel(code, s, NEAR, PHI, PSI, alpha)


@njit(fastmath={"contract"}, error_model="numpy", forceinline=True)
@no_type_check
def _mirrored(code, s, key, alpha, kappa):
    """φ and ψ of the twin on a point's own side and of the other one, and e^(−4κ|w_x x|)."""
    wx, wy, wz = key[0], key[1], key[2]
    ax = abs(wx)
    for i in range(BLOCK):
        x, y, z = abs(s[X + i]) - ax, s[Y + i] - wy, s[Z + i] - wz
        side = wx * s[X + i]
        near, apart = x * x + y * y + z * z, FOUR * abs(side)
        s[NEAR + i] = near
        s[FAR + i] = near + apart
        s[SIDE + i] = side
        s[SHARE + i] = _exp(-kappa * apart)
    _kernel(code, s, NEAR, PHI, PSI, alpha)
    _kernel(code, s, FAR, PHI2, PSI2, alpha)


@njit(fastmath={"contract"}, error_model="numpy", forceinline=True)
@no_type_check
def _add(s, vector):
    """Add one keypoint's displacement."""
    vx, vy, vz = vector[0], vector[1], vector[2]
    for i in range(BLOCK):
        s[OUT_X + i] += s[PHI + i] * vx
        s[OUT_Y + i] += s[PHI + i] * vy
        s[OUT_Z + i] += s[PHI + i] * vz


@njit(fastmath={"contract"}, error_model="numpy", forceinline=True)
@no_type_check
def _add_mirrored(s, vector):
    """Add the symmetric sum of one keypoint and its twin."""
    vx, vy, vz = vector[0], vector[1], vector[2]
    for i in range(BLOCK):
        e = s[SHARE + i]
        q = ONE / (ONE + e)
        own, other = q * s[PHI + i], q * e * s[PHI2 + i]
        across = own - other if s[SIDE + i] >= ZERO else other - own
        along = own + other
        s[OUT_X + i] += across * vx
        s[OUT_Y + i] += along * vy
        s[OUT_Z + i] += along * vz


@whole
@no_type_check
def displace(terms, kind, out, first, last):
    """Displacements of the blocks from ``first`` to ``last``, counted through the batch.

    Args:
        terms: points (b or 1, n, 3), keypoints (b or 1, k, 3), vectors (b or 1, k, 3), alphas (b or 1, k).
        kind: place of the kernel in ``CODES``, whether each keypoint has a twin across x = 0, and κ over α.
        out: (b, n, 3), written.
        first: first block.
        last: the block after the last.
    """
    points, keys, vectors, alphas = terms
    code, mirrored, kappa = kind
    s = np.empty(SCRATCH, np.float32)
    n = points.shape[1]
    blocks = (n + BLOCK - 1) // BLOCK
    for item in range(first, last):
        b, start = item // blocks, item % blocks * BLOCK
        w, v, a = keys[min(b, len(keys) - 1)], vectors[min(b, len(vectors) - 1)], alphas[min(b, len(alphas) - 1)]
        _load(s, points[min(b, len(points) - 1)], start, X)
        s[OUT_X : OUT_Z + BLOCK] = ZERO
        for j in range(len(w)):
            if mirrored:
                _mirrored(code, s, w[j], a[j], kappa * a[j])
                _add_mirrored(s, v[j])
            else:
                _plain(code, s, w[j], a[j])
                _add(s, v[j])
        for i in range(min(BLOCK, n - start)):
            out[b, start + i, 0] = s[OUT_X + i]
            out[b, start + i, 1] = s[OUT_Y + i]
            out[b, start + i, 2] = s[OUT_Z + i]


@njit(fastmath={"contract", "reassoc", "nsz", "arcp"}, error_model="numpy", forceinline=True)
@no_type_check
def _pull(s, key, vector, alpha, total):
    """Gradients of one keypoint: by the points into the scratch, by keypoint, vector and α into ``total`` (7,)."""
    wx, wy, wz, vx, vy, vz = key[0], key[1], key[2], vector[0], vector[1], vector[2]
    kx = ky = kz = ux = uy = uz = ua = ZERO
    for i in range(BLOCK):
        gx, gy, gz, phi = s[GX + i], s[GY + i], s[GZ + i], s[PHI + i]
        by_q = -(gx * vx + gy * vy + gz * vz) * s[PSI + i]
        slope = TWO * alpha * by_q
        x, y, z = slope * (s[X + i] - wx), slope * (s[Y + i] - wy), slope * (s[Z + i] - wz)
        s[OUT_X + i] += x
        s[OUT_Y + i] += y
        s[OUT_Z + i] += z
        kx -= x
        ky -= y
        kz -= z
        ux += phi * gx
        uy += phi * gy
        uz += phi * gz
        ua += by_q * s[NEAR + i]
    _tally(total, kx, ky, kz, ux, uy, uz, ua)


@njit(fastmath={"contract", "reassoc", "nsz", "arcp"}, error_model="numpy", forceinline=True)
@no_type_check
def _pull_mirrored(s, key, vector, alpha, ratio, total):
    """The same for a keypoint with a twin; ``ratio`` is κ over α."""
    wx, wy, wz, vx, vy, vz = key[0], key[1], key[2], vector[0], vector[1], vector[2]
    kx = ky = kz = ux = uy = uz = ua = ZERO
    for i in range(BLOCK):
        gx, gy, gz, e = s[GX + i], s[GY + i], s[GZ + i], s[SHARE + i]
        right = s[SIDE + i] >= ZERO
        sign = ONE if right else -ONE
        q = ONE / (ONE + e)
        along, across = gy * vy + gz * vz, gx * vx * sign
        own, other = q * (along + across), q * e * (along - across)
        by_near, by_far = -own * s[PSI + i], -other * s[PSI2 + i]
        by_share = q * (e * own * s[PHI + i] - other * s[PHI2 + i])
        here, there = (by_near, by_far) if right else (by_far, by_near)
        here, there = TWO * alpha * here, TWO * alpha * there
        side = FOUR * ratio * alpha * sign * by_share
        x = s[X + i]
        a, b, c = here * (x - wx), there * (x + wx), here + there
        y, z = c * (s[Y + i] - wy), c * (s[Z + i] - wz)
        s[OUT_X + i] += a + b + side * wx
        s[OUT_Y + i] += y
        s[OUT_Z + i] += z
        kx += b - a + side * x
        ky -= y
        kz -= z
        own, other = q * s[PHI + i], q * e * s[PHI2 + i]
        ux += gx * sign * (own - other)
        uy += gy * (own + other)
        uz += gz * (own + other)
        ua += by_near * s[NEAR + i] + by_far * s[FAR + i] + by_share * ratio * FOUR * abs(s[SIDE + i])
    _tally(total, kx, ky, kz, ux, uy, uz, ua)


@njit(forceinline=True)
@no_type_check
def _tally(total, kx, ky, kz, ux, uy, uz, ua):
    """Add a block's sums to those of a keypoint, in double precision."""
    total[0] += kx
    total[1] += ky
    total[2] += kz
    total[3] += ux
    total[4] += uy
    total[5] += uz
    total[6] += ua


@whole
@no_type_check
def pull_back(terms, kind, gradient, out, totals, first, last):
    """Gradients of the blocks from ``first`` to ``last``.

    Args:
        terms: as for :func:`displace`.
        kind: as for :func:`displace`.
        gradient: by the displacements, (b, n, 3).
        out: by the points, (b, n, 3), written.
        totals: by keypoints, vectors and alphas, (b, k, 7) float64, added to.
        first: first block.
        last: the block after the last.
    """
    points, keys, vectors, alphas = terms
    code, mirrored, kappa = kind
    s = np.empty(SCRATCH, np.float32)
    n = points.shape[1]
    blocks = (n + BLOCK - 1) // BLOCK
    for item in range(first, last):
        b, start = item // blocks, item % blocks * BLOCK
        w, v, a = keys[min(b, len(keys) - 1)], vectors[min(b, len(vectors) - 1)], alphas[min(b, len(alphas) - 1)]
        _load(s, points[min(b, len(points) - 1)], start, X)
        _load(s, gradient[b], start, GX)
        s[OUT_X : OUT_Z + BLOCK] = ZERO
        for row in range(GX, GZ + BLOCK, BLOCK):  # what fills up a short block counts for nothing
            s[row + min(BLOCK, n - start) : row + BLOCK] = ZERO
        for j in range(len(w)):
            if mirrored:
                _mirrored(code, s, w[j], a[j], kappa * a[j])
                _pull_mirrored(s, w[j], v[j], a[j], kappa, totals[b, j])
            else:
                _plain(code, s, w[j], a[j])
                _pull(s, w[j], v[j], a[j], totals[b, j])
        for i in range(min(BLOCK, n - start)):
            out[b, start + i, 0] = s[OUT_X + i]
            out[b, start + i, 1] = s[OUT_Y + i]
            out[b, start + i, 2] = s[OUT_Z + i]
