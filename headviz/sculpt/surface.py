"""What stays the same while a head is sculpted: its triangles, its neighbours, its twins across x = 0."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float32, Int32

from headviz.errors import MeshError
from headviz.geometry.mesh import Mesh
from headviz.sculpt.steps import FARTHEST

MIRROR_TOLERANCE = 1e-4  #: a twin lies this near to the mirror image, in sizes of the head
_SAMPLE = 1000
_CROWDED = 300  # vertices at most that lie nearer to each other than a twin to its place

Points = Float32[np.ndarray, "n 3"]
Indices = Int32[np.ndarray, " _"]


class Surface:
    """Connectivity of a triangle mesh, and the frame in which it was given.

    Args:
        mesh: at least one face, finite vertices less than ``FARTHEST`` from the origin. Its mirror map is used where it
            has one; else twins are looked for.

    Attributes:
        rest: vertices as they were given, float32 (n, 3), metres.
        faces: int32 (m, 3).

    Raises:
        MeshError: there are no faces, vertices are not finite or too far away, or the mirror map is none.
    """

    def __init__(self, mesh: Mesh) -> None:
        self.rest: Points = np.array(mesh.vertices.detach().cpu().numpy(), dtype=np.float32, order="C")
        self.faces: Int32[np.ndarray, "m 3"] = np.array(mesh.faces.cpu().numpy(), dtype=np.int32, order="C")
        if not len(self.faces):
            raise MeshError("a mesh to sculpt should have faces; it has none")
        if not np.isfinite(self.rest).all():
            broken = int((~np.isfinite(self.rest)).any(1).sum())
            raise MeshError(f"a mesh to sculpt should have finite vertices; {broken:,} of {len(self.rest):,} are not")
        if not (np.abs(self.rest) <= FARTHEST).all():
            far = float(np.abs(self.rest).max())
            raise MeshError(
                f"a mesh to sculpt should lie within {FARTHEST:g} m of the origin; it reaches to {far:.3g} m: move or "
                "scale it first"
            )
        self._given = None if mesh.mirror is None else mesh.mirror.cpu().numpy().astype(np.int32)
        if self._given is not None:
            _require_involution(self._given, len(self.rest))

    def __len__(self) -> int:
        return len(self.rest)

    def prepare(self) -> Surface:
        """Compute all that the first stroke would otherwise wait for."""
        _ = self.mirror, self.fans, self.boundary, self.edge, self.size
        return self

    @cached_property
    def center(self) -> Float32[np.ndarray, "3"]:
        """Middle of the box, metres."""
        return np.asarray((self.rest.min(0) + self.rest.max(0)) / 2, np.float32)

    @cached_property
    def size(self) -> float:
        """Longest side of the box, metres: what "the size of the head" means everywhere in sculpting."""
        return max(float((self.rest.max(0) - self.rest.min(0)).max()), 1e-30)

    @cached_property
    def edge(self) -> float:
        """Mean length of an edge, metres."""
        corners = self.rest[self.faces[:: max(1, len(self.faces) // 100_000)]]
        return max(float(np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).mean()), 1e-30)

    @cached_property
    def rings(self) -> tuple[Int32[np.ndarray, " n1"], Int32[np.ndarray, "c 2"]]:
        """For vertex i the opposite edges of its faces: ``pairs[first[i] : first[i + 1]]``."""
        from headviz.sculpt import rings_compiled

        first, pairs = rings_compiled.rings(self.faces, len(self.rest))
        return first, pairs

    @cached_property
    def fans(self) -> tuple[Int32[np.ndarray, " n1"], Int32[np.ndarray, " c"]]:
        """Neighbours of vertex i in their order, ``order[first[i] : first[i + 1]]``; ~j instead of j begins a fan."""
        from headviz.sculpt import rings_compiled

        first, order = rings_compiled.fans(*self.rings)
        return first, order

    @cached_property
    def boundary(self) -> Bool[np.ndarray, " n"]:
        """Which vertices lie on an open edge."""
        from headviz.sculpt import rings_compiled

        flags: Bool[np.ndarray, " n"] = rings_compiled.boundary(*self.rings)
        return flags

    @cached_property
    def mirror(self) -> Int32[np.ndarray, " n"] | None:
        """Twin of every vertex across x = 0: given with the mesh or found by position; ``None`` where one has none."""
        return self._given if self._given is not None else find_mirror(self.rest, self.size)

    def closest(self, point: tuple[float, float, float]) -> tuple[Indices, Float32[np.ndarray, "3"]]:
        """The place on the base that is nearest to a point, among the faces around the nearest vertex.

        Returns:
            Its three corners and their weights.
        """
        offsets = self.rest - np.asarray(point, dtype=np.float32)
        nearest = int(np.einsum("nc,nc->n", offsets, offsets).argmin())
        first, pairs = self.rings
        around = pairs[first[nearest] : first[nearest + 1]]
        if not len(around):
            return np.full(3, nearest, np.int32), np.array([1, 0, 0], np.float32)
        corners = np.column_stack([np.full(len(around), nearest, np.int32), around])
        weights = np.stack([_barycentric(self.rest[row].astype(np.float64), np.asarray(point)) for row in corners])
        found = np.einsum("kc,kcd->kd", weights, self.rest[corners])
        best = int(np.linalg.norm(found - point, axis=1).argmin())
        return corners[best].astype(np.int32), weights[best].astype(np.float32)


def _barycentric(corners: Float32[np.ndarray, "3 3"] | np.ndarray, point: np.ndarray) -> np.ndarray:
    """Weights of the point of a triangle that is nearest to a point; outside, clamped and shared out again."""
    edges = (corners[1:] - corners[0]).T
    inner = np.linalg.lstsq(edges, point - corners[0], rcond=None)[0]
    weights = np.clip(np.array([1 - inner.sum(), *inner]), 0, 1)
    return np.asarray(weights / weights.sum())


def _require_involution(mirror: Int32[np.ndarray, " k"], count: int) -> None:
    if len(mirror) != count:
        raise MeshError(f"a mirror map should have one entry for each of {count:,} vertices; it has {len(mirror):,}")
    if not 0 <= mirror.min() <= mirror.max() < count:
        raise MeshError(
            f"a mirror map should hold indices of {count} vertices; it runs from {mirror.min()} to {mirror.max()}"
        )
    if not np.array_equal(mirror[mirror], np.arange(count)):
        wrong = int((mirror[mirror] != np.arange(count)).sum())
        raise MeshError(f"the twin of a vertex's twin should be the vertex; for {wrong:,} of {count:,} it is not")


def find_mirror(rest: Points, size: float) -> Int32[np.ndarray, " n"] | None:
    """Twin of every vertex across x = 0 by position, shape (n,), or ``None`` where some vertex has none.

    A twin lies within ``MIRROR_TOLERANCE`` of the mirror image; twins of twins must be the vertices themselves.
    """
    from scipy.spatial import cKDTree

    flip = np.array([-1, 1, 1], np.float32)
    tree = cKDTree(rest, balanced_tree=False, compact_nodes=False)
    reach = MIRROR_TOLERANCE * size
    sample = rest[:: max(1, len(rest) // _SAMPLE)] * flip
    if (tree.query(sample, distance_upper_bound=reach)[0] > reach).any():
        return None
    distance, twin = tree.query(rest * flip, distance_upper_bound=reach, workers=-1)
    alone = np.flatnonzero(twin[twin % len(rest)] != np.arange(len(rest)))
    if (distance > reach).any() or len(alone) > _CROWDED or not _pair(alone, rest, reach, twin):
        return None
    return np.asarray(twin, np.int32)


def _pair(alone: np.ndarray, rest: Points, reach: float, twin: np.ndarray) -> bool:
    """Pair vertices that crowd together, the nearest first; whether all found a twin."""
    places = rest[alone].astype(np.float64)
    apart = np.linalg.norm(places[:, None] * [-1.0, 1.0, 1.0] - places[None], axis=2)
    free = np.ones(len(alone), bool)
    for flat in apart.argsort(axis=None):
        i, j = divmod(int(flat), len(alone))
        if apart[i, j] <= reach and free[i] and free[j]:
            twin[alone[i]], twin[alone[j]] = alone[j], alone[i]
            free[[i, j]] = False
    return not free.any()
