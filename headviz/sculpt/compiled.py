"""The inner loops of sculpting, compiled by numba: every one has its formula in :mod:`headviz.sculpt.brushes`.

Arrays are C-contiguous: positions and normals float32 (n, 3), indices int32. Nothing here checks its arguments.
Compiled code is cached on disk. Where a loop adds numbers it does so in a fixed order, so that a replay gives the same
bits; sums that a mirror image must share are written so that both sides round alike.
"""

from typing import no_type_check

import numpy as np
from numba import prange

from headviz.geometry.compiling import compiled, parallel
from headviz.sculpt.steps import FARTHEST

PLAIN, MAPPED, MIRRORED = 0, 1, 2  # one side; twins by the mirror map; twins by position


@compiled
@no_type_check
def outside(place):
    """1 where a place is farther away than a vertex may go, or no number, else 0."""
    near = abs(place[0]) <= FARTHEST and abs(place[1]) <= FARTHEST and abs(place[2]) <= FARTHEST
    return 0 if near else 1


@parallel
@no_type_check
def within(positions, center, reach, flag):
    """Which vertices lie nearer to the centre than the reach."""
    x, y, z, limit = center[0], center[1], center[2], reach * reach
    for i in prange(len(positions)):
        dx, dy, dz = positions[i, 0] - x, positions[i, 1] - y, positions[i, 2] - z
        flag[i] = dx * dx + dy * dy + dz * dz < limit


@parallel
@no_type_check
def within_some(positions, indices, center, reach, flag):
    """Which of some vertices lie nearer to the centre than the reach, (k,)."""
    x, y, z, limit = center[0], center[1], center[2], reach * reach
    for k in prange(len(indices)):
        i = indices[k]
        dx, dy, dz = positions[i, 0] - x, positions[i, 1] - y, positions[i, 2] - z
        flag[k] = dx * dx + dy * dy + dz * dz < limit


@parallel
@no_type_check
def or_twins(flag, mirror, out):
    """Which vertices, or their twins, are marked."""
    for i in prange(len(flag)):
        out[i] = flag[i] or flag[mirror[i]]


@parallel
@no_type_check
def mark_rings(indices, first, pairs, flag):
    """Mark some vertices and their neighbours."""
    for k in prange(len(indices)):
        i = indices[k]
        flag[i] = True
        for c in range(first[i], first[i + 1]):
            flag[pairs[c, 0]] = True
            flag[pairs[c, 1]] = True


@compiled
@no_type_check
def falloff(t, code):
    """Weight of a vertex at t radii from the centre; codes are the places in ``FALLOFFS``."""
    if code == 2:  # gaussian
        return np.exp(-4.0 * t * t) if t < 2.04 else 0.0
    if t >= 1.0:
        return 0.0
    if code == 0:  # smooth
        return 1.0 - t * t * t * (10.0 - 15.0 * t + 6.0 * t * t)
    if code == 1:  # wendland
        rest = (1.0 - t) * (1.0 - t)
        return rest * rest * (4.0 * t + 1.0)
    if code == 3:  # sphere
        return np.sqrt(1.0 - t * t)
    if code == 4:  # linear
        return 1.0 - t
    if code == 5:  # sharp
        return (1.0 - t) * (1.0 - t)
    return 1.0


@compiled
@no_type_check
def distances(positions, mirror, i, center, mode):
    """Squared distances of a vertex and of its twin from a centre."""
    dx = np.float64(positions[i, 0]) - center[0]
    dy = np.float64(positions[i, 1]) - center[1]
    dz = np.float64(positions[i, 2]) - center[2]
    own = dx * dx + dy * dy + dz * dz
    if mode == PLAIN:
        return own, np.inf
    if mode == MAPPED:
        j = mirror[i]
        dx = np.float64(positions[j, 0]) - center[0]
        dy = np.float64(positions[j, 1]) - center[1]
        dz = np.float64(positions[j, 2]) - center[2]
    else:
        dx = -np.float64(positions[i, 0]) - center[0]
    return own, dx * dx + dy * dy + dz * dz


@compiled
@no_type_check
def share(own, twin, kappa):
    """How much of a displacement belongs to this side; the shares of twins add up to 1, to the bit where they can."""
    far = kappa * abs(twin - own)
    e = np.exp(-far) if far < 40.0 else 0.0  # below that 1 + e is 1
    return 1.0 / (1.0 + e) if own <= twin else e / (1.0 + e)


@parallel
@no_type_check
def grab_weights(positions, mirror, mask, indices, center, shape, wx, wyz):
    """Displacement of vertices per unit of the vector along x, and along y and z; shape: radius, code, amount, mode."""
    radius, code, strength, mode = shape
    kappa = 4.0 / (radius * radius)
    for k in prange(len(indices)):
        i = indices[k]
        own, twin = distances(positions, mirror, i, center, mode)
        a, b = falloff(np.sqrt(own) / radius, code), 0.0
        if mode != PLAIN:
            b = falloff(np.sqrt(twin) / radius, code) * share(twin, own, kappa)
            a *= share(own, twin, kappa)
        free = strength * (1.0 - np.float64(mask[i]))
        wx[k] = (a - b) * free
        wyz[k] = (a + b) * free


@compiled
@no_type_check
def radial(squared, code, alpha):
    """Value of a kernel over its value at 0; codes are the places in ``KERNELS``."""
    if code == 0:  # gaussian
        return np.exp(-alpha * squared)
    if code == 1:  # multiquadric
        return np.sqrt(squared / (alpha * alpha) + 1.0)
    if code == 2:  # inverse multiquadric
        return 1.0 / np.sqrt(squared / (alpha * alpha) + 1.0)
    if code == 3:  # thin plate, 0 at 0, so as it is
        return 0.5 * squared * np.log(squared) if squared > 0 else 0.0
    rest = max(0.0, 1.0 - np.sqrt(alpha * squared))
    return rest * rest * rest * rest * (4.0 * np.sqrt(alpha * squared) + 1.0)


@parallel
@no_type_check
def keypoint_weights(positions, mirror, indices, center, shape, wx, wyz):
    """As :func:`grab_weights`, for a keypoint and its twin; shape: code, alpha, kappa (0: shares by distance), mode."""
    code, alpha, kappa, mode = shape
    for k in prange(len(indices)):
        own, twin = distances(positions, mirror, indices[k], center, mode)
        a, b = radial(own, code, alpha), 0.0
        if mode != PLAIN:
            b = radial(twin, code, alpha)
            if kappa > 0:
                a, b = a * share(own, twin, kappa), b * share(twin, own, kappa)
            elif own + twin > 0:
                a, b = a * (twin / (own + twin)), b * (own / (own + twin))
        wx[k] = a - b
        wyz[k] = a + b


@parallel
@no_type_check
def move(positions, start, indices, wx, wyz, vector):
    """Positions = start + weights · vector; how many go farther than they may, or are no numbers."""
    x, y, z = vector[0], vector[1], vector[2]
    lost = 0
    for k in prange(len(indices)):
        i = indices[k]
        positions[i, 0] = start[k, 0] + wx[k] * x
        positions[i, 1] = start[k, 1] + wyz[k] * y
        positions[i, 2] = start[k, 2] + wyz[k] * z
        lost += outside(positions[i])
    return lost


@parallel
@no_type_check
def normals(positions, first, fans, indices, out):
    """Unit normals of some vertices: the sum of their faces' normals by area; 0 where there is none.

    Unsigned indices spare a test each, and a fan spares reading every neighbour twice: together a third of the time.
    """
    for k in prange(len(indices)):
        i = np.uint32(indices[k])
        x, y, z = positions[i, 0], positions[i, 1], positions[i, 2]
        nx = ny = nz = ax = ay = az = np.float32(0.0)
        for c in range(np.uint32(first[i]), np.uint32(first[i + 1])):
            begins = fans[c] < 0
            j = np.uint32(~fans[c] if begins else fans[c])
            bx, by, bz = positions[j, 0] - x, positions[j, 1] - y, positions[j, 2] - z
            if not begins:
                nx += ay * bz - az * by
                ny += az * bx - ax * bz
                nz += ax * by - ay * bx
            ax, ay, az = bx, by, bz
        length = np.sqrt(nx * nx + ny * ny + nz * nz)
        scale = np.float32(1.0) / length if length > 0 else np.float32(0.0)
        out[i, 0], out[i, 1], out[i, 2] = nx * scale, ny * scale, nz * scale


@parallel
@no_type_check
def dab_weights(positions, indices, center, radius, code, weights):
    """Weight of each vertex in a dab, float64 (k,)."""
    for k in prange(len(indices)):
        i = indices[k]
        dx, dy, dz = positions[i, 0] - center[0], positions[i, 1] - center[1], positions[i, 2] - center[2]
        weights[k] = falloff(np.sqrt(dx * dx + dy * dy + dz * dz) / radius, code)


@parallel
@no_type_check
def along(normals, indices, weights, amount, raw):
    """Weights · amount · normals."""
    for k in prange(len(indices)):
        i = indices[k]
        scale = weights[k] * amount
        for axis in range(3):
            raw[i, axis] = scale * normals[i, axis]


@parallel
@no_type_check
def clear(raw, indices):
    """Zeros at the indices, by rows."""
    for k in prange(len(indices)):
        i = indices[k]
        raw[i, 0] = raw[i, 1] = raw[i, 2] = 0.0


@parallel
@no_type_check
def ring_steps(positions, first, pairs, border, indices, weights, raw):
    """Weights · (mean of the neighbours − position); at the boundary only of neighbours on the boundary."""
    for k in prange(len(indices)):
        i = indices[k]
        sx = sy = sz = 0.0
        count = 0
        for c in range(first[i], first[i + 1]):
            for side in range(2):
                j = pairs[c, side]
                if not border[i] or border[j]:
                    sx += positions[j, 0]
                    sy += positions[j, 1]
                    sz += positions[j, 2]
                    count += 1
        if count > 0:
            raw[i, 0] = weights[k] * (sx / count - positions[i, 0])
            raw[i, 1] = weights[k] * (sy / count - positions[i, 1])
            raw[i, 2] = weights[k] * (sz / count - positions[i, 2])


@parallel
@no_type_check
def combine(positions, mirror, mask, indices, center, shape, sides, out):
    """The symmetric sum D of one-sided displacements, times 1 − mask, float32 (k, 3).

    ``sides`` holds those of the dab and, for twins by position, those of the dab at the mirrored centre; shape: radius,
    mode.
    """
    radius, mode = shape
    raw, other = sides
    kappa = 4.0 / (radius * radius)
    for k in prange(len(indices)):
        i = indices[k]
        x, y, z = np.float64(raw[i, 0]), np.float64(raw[i, 1]), np.float64(raw[i, 2])
        if mode != PLAIN:
            own, twin = distances(positions, mirror, i, center, mode)
            p, q = share(own, twin, kappa), share(twin, own, kappa)
            if mode == MAPPED:
                j = mirror[i]
                x, y, z = p * x - q * raw[j, 0], p * y + q * raw[j, 1], p * z + q * raw[j, 2]
            else:
                x, y, z = p * x + q * other[i, 0], p * y + q * other[i, 1], p * z + q * other[i, 2]
        free = 1.0 - np.float64(mask[i])
        out[k, 0], out[k, 1], out[k, 2] = x * free, y * free, z * free


@parallel
@no_type_check
def add(positions, indices, out):
    """Positions += displacements; how many go farther than they may, or are no numbers."""
    lost = 0
    for k in prange(len(indices)):
        i = indices[k]
        positions[i, 0] += out[k, 0]
        positions[i, 1] += out[k, 1]
        positions[i, 2] += out[k, 2]
        lost += outside(positions[i])
    return lost


@parallel
@no_type_check
def paint(positions, mirror, mask, indices, center, shape):
    """Mask += amount · weight, in [0, 1]; shape: radius, code, amount, mode."""
    radius, code, strength, mode = shape
    for k in prange(len(indices)):
        i = indices[k]
        own, twin = distances(positions, mirror, i, center, mode)
        weight = falloff(np.sqrt(own) / radius, code)
        if mode != PLAIN:
            weight = max(weight, falloff(np.sqrt(twin) / radius, code))
        mask[i] = min(1.0, max(0.0, mask[i] + strength * weight))


@parallel
@no_type_check
def asymmetry(positions, mirror):
    """Largest distance between the mirror image of a vertex and its twin."""
    worst = 0.0
    for i in prange(len(mirror)):
        j = mirror[i]
        dx = np.float64(positions[i, 0]) + positions[j, 0]
        dy = np.float64(positions[i, 1]) - positions[j, 1]
        dz = np.float64(positions[i, 2]) - positions[j, 2]
        worst = max(worst, np.sqrt(dx * dx + dy * dy + dz * dz))
    return worst


@parallel
@no_type_check
def exchange(positions, indices, values):
    """Positions at the indices and values change places, by rows."""
    for k in prange(len(indices)):
        i = indices[k]
        for axis in range(positions.shape[1]):
            kept = positions[i, axis]
            positions[i, axis] = values[k, axis]
            values[k, axis] = kept


@parallel
@no_type_check
def gather(positions, indices, values):
    """Values = positions at the indices, by rows."""
    for k in prange(len(indices)):
        i = indices[k]
        for axis in range(positions.shape[1]):
            values[k, axis] = positions[i, axis]
