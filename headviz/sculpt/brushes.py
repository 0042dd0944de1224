"""Brushes: what a dab and a drag do to the vertices around a point. Readable formulas; the loops are compiled.

With t = |x − c| / R the weight of a vertex at x is w = falloff(t). One side of a dab moves it by d:

========= ==================================================================================================
grab      w s v
inflate   w s 0.1 R n
smooth    w s (mean of the neighbours − x), s ≤ 1, repeated so that a dab reaches about as far on fine meshes;
          inverted, −0.1 w s of it once, for sharpening grows with every dab
flatten   w s ((m − x) · N) N, with m and N the weighted mean of positions and normals
pinch     w s 0.1 (e − (e · N) N), with e = c − x
mask      mask + w s
========= ==================================================================================================

Symmetry. Let x′ be the twin's position and M = diag(−1, 1, 1). A vertex moves by the symmetric sum
D = p d + M p′ d′, p = 1 / (1 + exp(−4 (|x′ − c|² − |x − c|²) / R²)), p + p′ = 1, where d′ and p′ are the twin's.
So D of the twin is M D exactly: strokes cannot make a symmetric head asymmetric, and on an asymmetric head both sides
move alike. On the seam D is d without its x, not twice d; far from it D is d. Without a mirror map the dab is made at c
and at M c, and twins are mirror images of places. A mask of 1 holds a vertex where it is.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from headviz.geometry.rbf import KERNELS
from headviz.sculpt.buffers import Buffers, Handle, too_far
from headviz.sculpt.steps import FALLOFFS, TOOLS, Brush, Keypoint, Point, choice_of
from headviz.sculpt.surface import Indices

__all__ = ["FALLOFFS", "TOOLS", "Brush", "dab", "falloff", "grab_handle", "keypoint_handle", "reach_of"]

SPACING = 0.15  #: of the radius, between dabs
_GAUSSIAN_REACH = 2.04  # exp(−4 t²) is below half a unit in the last place of float32
_INFLATE = _PINCH = _SHARPEN = 0.1
_Center = Float[np.ndarray, "3"]


def falloff(t: Float[np.ndarray, "..."], name: str) -> Float[np.ndarray, "..."]:
    """Weight at t radii from the centre; all but ``gaussian`` are 0 from t = 1 on.

    smooth: 1 − t³ (10 − 15 t + 6 t²); wendland: (1 − t)⁴ (4 t + 1), H. Wendland 1995; gaussian: exp(−4 t²);
    sphere: √(1 − t²); linear: 1 − t; sharp: (1 − t)²; constant: 1.

    Raises:
        OptionError: there is no such falloff.
    """
    from headviz.sculpt import compiled

    code = FALLOFFS.index(choice_of(name, "falloff", FALLOFFS))
    flat = [compiled.falloff(value, code) for value in np.ravel(t).astype(np.float64)]
    return np.array(flat).reshape(np.shape(t))


def reach_of(brush: Brush) -> float:
    """How far a brush has any effect, metres."""
    return brush.radius * (_GAUSSIAN_REACH if brush.falloff == "gaussian" else 1.0)


def grab_handle(buffers: Buffers, brush: Brush, point: Point) -> Handle:
    """What a grab at a point takes hold of."""
    from headviz.sculpt import compiled

    center = np.array(point)
    indices = buffers.near(center, reach_of(brush), brush.symmetric)
    weights = np.empty(len(indices), np.float32), np.empty(len(indices), np.float32)
    mode, mirror = buffers.twins(brush.symmetric)
    shape = (brush.radius, FALLOFFS.index(brush.falloff), brush.amount, mode)
    compiled.grab_weights(buffers.positions, mirror, buffers.mask, indices, center, shape, *weights)
    return Handle(buffers, indices, weights)


def keypoint_handle(buffers: Buffers, keypoint: Keypoint) -> Handle:
    """What a keypoint moves, per unit of its vector: Eq. 3.1, weighed on the base and relative to the kernel's peak."""
    from headviz.sculpt import compiled

    rest, center = buffers.surface.rest, np.array(keypoint.position)
    alpha, name = keypoint.alpha, keypoint.kernel
    reach = {"gaussian": 4.08 / np.sqrt(alpha), "wendland": 1 / np.sqrt(alpha)}.get(name, np.inf)
    kappa = {"gaussian": alpha, "wendland": 4 * alpha, "thin_plate": 0.0}.get(name, 4 / alpha**2)
    indices = buffers.near(center, float(reach), keypoint.symmetric, rest)
    wx, wyz = np.empty(len(indices), np.float32), np.empty(len(indices), np.float32)
    mode, mirror = buffers.twins(keypoint.symmetric)
    shape = (KERNELS.index(name), alpha, float(kappa), mode)
    compiled.keypoint_weights(rest, mirror, indices, center, shape, wx, wyz)
    strength = np.float32(keypoint.strength)
    return Handle(buffers, indices, (wx * strength, wyz * strength))


def dab(buffers: Buffers, brush: Brush, point: Point) -> Indices:
    """Press a brush onto the surface once.

    Returns:
        The vertices that it may have changed. Normals around them are computed anew.

    Raises:
        SessionError: it would take some too far; nothing has changed.
    """
    from headviz.sculpt import compiled

    center = np.array(point)
    touched = buffers.near(center, reach_of(brush), brush.symmetric)
    if not len(touched):
        return touched
    if brush.tool == "mask":
        mode, mirror = buffers.twins(brush.symmetric)
        shape = (brush.radius, FALLOFFS.index(brush.falloff), brush.amount, mode)
        compiled.paint(buffers.positions, mirror, buffers.mask, touched, center, shape)
        return touched
    start = buffers.rows(touched)
    for _ in range(smoothing(buffers, brush) if brush.tool == "smooth" else 1):
        if lost := _displace(buffers, brush, center, touched):
            buffers.positions[touched] = start
            raise too_far(lost)
    buffers.refresh(buffers.around(touched))
    return touched


def smoothing(buffers: Buffers, brush: Brush) -> int:
    """How often a dab of the smooth brush averages: more often where the mesh is fine for the radius."""
    return 1 if brush.invert else int(np.clip(round(0.1 * brush.radius / buffers.surface.edge), 1, 8))


def toward_mean(brush: Brush) -> float:
    """Which part of the way to the mean of its neighbours a vertex goes; away from it only gently."""
    return min(brush.strength, 1.0) * (-_SHARPEN if brush.invert else 1.0)


def _displace(buffers: Buffers, brush: Brush, center: _Center, touched: Indices) -> int:
    """Move vertices by the symmetric sum of a dab's displacements; how many of them go too far."""
    from headviz.sculpt import compiled

    mode, mirror = buffers.twins(brush.symmetric)
    raw = buffers.scratch(0)
    own = _one_side(buffers, brush, center, touched, raw)
    other, twins = raw, own
    if mode == compiled.MIRRORED:
        other = buffers.scratch(1)
        twins = _one_side(buffers, brush, center * np.array([-1.0, 1.0, 1.0]), touched, other)
    moved = np.empty((len(touched), 3), np.float32)
    shape, sides = (brush.radius, mode), (raw, other)
    compiled.combine(buffers.positions, mirror, buffers.mask, touched, center, shape, sides, moved)
    compiled.clear(raw, own)
    compiled.clear(other, twins)
    return int(compiled.add(buffers.positions, touched, moved))


def _one_side(buffers: Buffers, brush: Brush, center: _Center, touched: Indices, raw: np.ndarray) -> Indices:
    """Displacements of a dab without its twin, into ``raw``; the vertices that have one."""
    from headviz.sculpt import compiled

    reached = np.empty(len(touched), np.bool_)
    compiled.within_some(buffers.positions, touched, center, reach_of(brush), reached)
    indices: Indices = touched[reached]
    weights = np.empty(len(indices))
    compiled.dab_weights(buffers.positions, indices, center, brush.radius, FALLOFFS.index(brush.falloff), weights)
    if brush.tool == "smooth":
        surface = buffers.surface
        compiled.ring_steps(
            buffers.positions, *surface.rings, surface.boundary, indices, weights * toward_mean(brush), raw
        )  # fmt: skip
        return indices
    if brush.tool == "inflate":
        compiled.along(buffers.normals, indices, weights, brush.amount * _INFLATE * brush.radius, raw)
        return indices
    places = buffers.positions[indices].astype(np.float64)
    total = max(float(weights.sum()), 1e-300)
    normal = weights @ buffers.normals[indices].astype(np.float64)
    normal /= max(float(np.linalg.norm(normal)), 1e-300)
    if brush.tool == "flatten":
        heights = (weights @ places / total - places) @ normal
        raw[indices] = (weights * brush.amount * heights)[:, None] * normal
    else:
        toward = center - places
        raw[indices] = (weights * (brush.amount * _PINCH))[:, None] * (toward - (toward @ normal)[:, None] * normal)
    return indices
