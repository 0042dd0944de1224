"""The formulas of :mod:`headviz.sculpt.brushes` in plain numpy, all vertices at once: slow, short, what tests compare.

Everything is float64; nothing is changed in place.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from headviz.sculpt.steps import Brush

Points = Float[np.ndarray, "n 3"]
_FLIP = np.array([-1.0, 1.0, 1.0])


def weight(t: Float[np.ndarray, " n"], name: str) -> Float[np.ndarray, " n"]:
    """Falloff at t radii from the centre."""
    inside = np.clip(t, 0, 1)
    curves = {
        "smooth": 1 - inside**3 * (10 - 15 * inside + 6 * inside**2),
        "wendland": (1 - inside) ** 4 * (4 * inside + 1),
        "gaussian": np.where(t < 2.04, np.exp(-4 * t**2), 0),
        "sphere": np.sqrt(1 - inside**2),
        "linear": 1 - inside,
        "sharp": (1 - inside) ** 2,
        "constant": np.where(t < 1, 1.0, 0.0),
    }
    return np.asarray(curves[name])


def unit_normals(points: Points, faces: Int[np.ndarray, "m 3"]) -> Points:
    """Sum of the faces' normals by area, of unit length; 0 where there is none."""
    a, b, c = (points[faces[:, corner]] for corner in range(3))
    total = np.zeros_like(points)
    for corner in range(3):
        np.add.at(total, faces[:, corner], np.cross(b - a, c - a))
    return np.asarray(total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-300))


def neighbour_means(points: Points, faces: Int[np.ndarray, "m 3"]) -> Points:
    """Mean of each vertex's neighbours; of a vertex on an open edge, of its neighbours along open edges."""
    sides = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    edges, uses = np.unique(sides, axis=0, return_counts=True)
    border = np.zeros(len(points), bool)
    border[edges[uses == 1]] = True
    total, count = np.zeros_like(points), np.zeros(len(points))
    for here, there in (edges.T, edges.T[::-1]):
        along = ~border[here] | border[there]
        np.add.at(total, here[along], points[there[along]])
        np.add.at(count, here[along], 1)
    return np.where(count[:, None] > 0, total / np.maximum(count, 1)[:, None], points)


def one_side(
    points: Points, faces: Int[np.ndarray, "m 3"], brush: Brush, center: Float[np.ndarray, "3"],
    vector: Float[np.ndarray, "3"],
) -> Points:  # fmt: skip
    """Displacements of a dab, or of a grab, without its twin."""
    w = weight(np.linalg.norm(points - center, axis=1) / brush.radius, brush.falloff) * brush.amount
    if brush.tool == "grab":
        return np.asarray(w[:, None] * vector)
    if brush.tool == "smooth":
        w = min(brush.strength, 1) * (-0.1 if brush.invert else 1) * (w / brush.amount if brush.amount else w)
        return np.asarray(w[:, None] * (neighbour_means(points, faces) - points))
    normals = unit_normals(points, faces)
    if brush.tool == "inflate":
        return np.asarray(0.1 * brush.radius * w[:, None] * normals)
    share = w / max(w.sum(), 1e-300) if brush.amount > 0 else w / min(w.sum(), -1e-300)
    normal = share @ normals
    normal /= max(np.linalg.norm(normal), 1e-300)
    if brush.tool == "flatten":
        return np.asarray((w * ((share @ points - points) @ normal))[:, None] * normal)
    toward = center - points
    return np.asarray(0.1 * w[:, None] * (toward - (toward @ normal)[:, None] * normal))


def displacement(
    points: Points, faces: Int[np.ndarray, "m 3"], mirror: Int[np.ndarray, " n"] | None, brush: Brush,
    center: Float[np.ndarray, "3"], vector: Float[np.ndarray, "3"],
) -> Points:  # fmt: skip
    """The symmetric sum of a dab's or a grab's displacements, without any mask."""
    d = one_side(points, faces, brush, center, vector)
    if not brush.symmetric:
        return d
    twins = points * _FLIP if mirror is None else points[mirror]
    own, other = (((places - center) ** 2).sum(1) for places in (points, twins))
    p = 1 / (1 + np.exp(np.clip(-4 * (other - own) / brush.radius**2, -700, 700)))
    if mirror is not None:
        return np.asarray(p[:, None] * d + _FLIP * (p[:, None] * d)[mirror])
    return np.asarray(
        p[:, None] * d + (1 - p)[:, None] * one_side(points, faces, brush, center * _FLIP, vector * _FLIP)
    )
