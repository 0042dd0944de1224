"""Places on a surface: which face a point lies on, and the same place on another state of the same faces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from headviz.sculpt.surface import Surface

_NEIGHBOURS = 8  #: nearest vertices whose faces are looked at


@dataclass(frozen=True, eq=False)
class Places:
    """Points on or near a surface.

    Attributes:
        corners: vertices of their faces, (p, 3).
        weights: barycentric, (p, 3).
        offsets: from the surface to the points, metres, (p, 3).
    """

    corners: Int[np.ndarray, "p 3"]
    weights: Float[np.ndarray, "p 3"]
    offsets: Float[np.ndarray, "p 3"]

    def on(self, positions: Float[np.ndarray, "n 3"], scale: float = 1.0) -> Float[np.ndarray, "p 3"]:
        """The places on another state of the surface, offsets scaled."""
        moved: Float[np.ndarray, "p 3"] = np.einsum("pc,pcd->pd", self.weights, positions[self.corners].astype(float))
        return np.asarray(moved + scale * self.offsets)


def locate(surface: Surface, positions: Float[np.ndarray, "n 3"], points: Float[np.ndarray, "p 3"]) -> Places:
    """The nearest place of the surface for each point, among the faces at the nearest vertices.

    Args:
        surface: whose faces they are.
        positions: where its vertices are now, metres.
        points: metres.
    """
    from trimesh import triangles

    points = points.astype(np.float64)
    near = _nearest_vertices(positions, points)
    first, pairs = surface.rings
    counts = (first[1:] - first[:-1])[near].astype(np.int64)
    owner = np.repeat(np.arange(near.size), counts.reshape(-1))
    within = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts.reshape(-1), counts.reshape(-1))
    vertex = near.reshape(-1)[owner]
    candidates = np.column_stack([vertex, pairs[first[vertex] + within]]).astype(np.int64)
    rows = owner // near.shape[1]
    corners = positions[candidates].astype(np.float64)
    unit = max(surface.edge, 1e-30)  # trimesh takes what is small for 0, whatever the unit
    with np.errstate(all="ignore"):  # faces without an area
        closest = unit * triangles.closest_point(corners / unit, points[rows] / unit)
        distance = np.nan_to_num(np.linalg.norm(closest - points[rows], axis=1), nan=np.inf)
    order = np.lexsort((distance, rows))
    best = order[np.searchsorted(rows[order], np.arange(len(points)))]
    weights = _barycentric(corners[best], closest[best])
    found = np.einsum("pc,pcd->pd", weights, corners[best])
    return Places(candidates[best], weights, points - found)


def _nearest_vertices(positions: Float[np.ndarray, "n 3"], points: Float[np.ndarray, "p 3"]) -> Int[np.ndarray, "p k"]:
    """The nearest vertices of each point; a tree pays where there are many points."""
    count = min(_NEIGHBOURS, len(positions))
    if len(points) * len(positions) > 20_000_000 or len(points) > 64:
        from scipy.spatial import cKDTree

        tree = cKDTree(positions, balanced_tree=False, compact_nodes=False)
        return np.asarray(tree.query(points, count)[1], dtype=np.int64).reshape(len(points), count)
    rows = []
    for point in points:
        offsets = positions - point
        rows.append(np.argpartition(np.einsum("nc,nc->n", offsets, offsets), count - 1)[:count])
    return np.array(rows, dtype=np.int64).reshape(len(points), count)


def _barycentric(corners: Float[np.ndarray, "p 3 3"], points: Float[np.ndarray, "p 3"]) -> Float[np.ndarray, "p 3"]:
    """Weights of points on triangles, clamped; the first corner where a triangle has no area."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    u, v, w = b - a, c - a, points - a
    uu, uv, vv = (np.einsum("pd,pd->p", one, other) for one, other in ((u, u), (u, v), (v, v)))
    wu, wv = np.einsum("pd,pd->p", w, u), np.einsum("pd,pd->p", w, v)
    area = uu * vv - uv * uv
    flat = ~(area > 0)
    area = np.where(flat, 1.0, area)
    second, third = (vv * wu - uv * wv) / area, (uu * wv - uv * wu) / area
    weights = np.clip(np.stack([1 - second - third, second, third], axis=1), 0.0, None)
    weights[flat] = np.array([1.0, 0.0, 0.0])
    total: Float[np.ndarray, "p 3"] = weights / weights.sum(1, keepdims=True)
    return total
