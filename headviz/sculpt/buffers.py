"""The live arrays of a session, and the two ways in which they change: a handle that is dragged, and a dab."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Float32, Int32, Shaped

from headviz.errors import SessionError
from headviz.sculpt.steps import FARTHEST
from headviz.sculpt.surface import Indices, Points, Surface

_NONE = np.zeros(0, np.int32)


class Buffers:
    """Positions, normals and mask of a surface, changed in place.

    Attributes:
        surface: what stays the same.
        positions, normals: float32 (n, 3), metres and unit vectors.
        mask: float32 (n,), 1 where nothing moves.
    """

    def __init__(self, surface: Surface) -> None:
        count = len(surface)
        self.surface = surface
        self.positions: Points = surface.rest.copy()
        self.normals: Points = np.zeros((count, 3), np.float32)
        self.mask: Float32[np.ndarray, " n"] = np.zeros(count, np.float32)
        self._flags = np.zeros(count, np.bool_)
        self._more = np.zeros(count, np.bool_)
        self._scratch: dict[int, Points] = {}
        self.refresh(None)

    def scratch(self, which: int) -> Points:
        """An array of zeros like the positions; who writes into it puts the zeros back."""
        if which not in self._scratch:
            self._scratch[which] = np.zeros_like(self.positions)
        return self._scratch[which]

    def twins(self, symmetric: bool) -> tuple[int, Int32[np.ndarray, " n"]]:
        """How twins are found, for the compiled loops: the mode and the mirror map, empty where it is not needed."""
        from headviz.sculpt import compiled

        if not symmetric:
            return compiled.PLAIN, _NONE
        mirror = self.surface.mirror
        return (compiled.MIRRORED, _NONE) if mirror is None else (compiled.MAPPED, mirror)

    def near(
        self, center: Float[np.ndarray, "3"], reach: float, symmetric: bool, points: Points | None = None
    ) -> Indices:
        """Vertices within reach of a centre, and with symmetry their twins, in ascending order.

        Args:
            center: metres.
            reach: metres.
            symmetric: whether twins count.
            points: where the vertices are; by default where they are now.
        """
        from headviz.sculpt import compiled

        places = self.positions if points is None else points
        mode, mirror = self.twins(symmetric)
        flags = self._flags
        compiled.within(places, center, reach, flags)
        if mode == compiled.MAPPED:
            compiled.or_twins(flags, mirror, self._more)
            flags = self._more
        elif mode == compiled.MIRRORED:
            compiled.within(places, center * np.array([-1.0, 1.0, 1.0]), reach, self._more)
            flags |= self._more
        return np.flatnonzero(flags).astype(np.int32)

    def around(self, *some: Indices) -> Indices:
        """Some vertices and their neighbours, ascending: those whose normals change when the vertices move."""
        from headviz.sculpt import compiled

        self._flags.fill(False)
        for indices in some:
            compiled.mark_rings(indices, *self.surface.rings, self._flags)
        return np.flatnonzero(self._flags).astype(np.int32)

    def union(self, *some: Indices) -> Indices:
        """Vertices that are in any of some lists, ascending."""
        if len(some) == 1:
            return some[0]
        self._flags.fill(False)
        for indices in some:
            self._flags[indices] = True
        return np.flatnonzero(self._flags).astype(np.int32)

    def refresh(self, indices: Indices | None) -> None:
        """Compute the normals of some vertices anew, or of all."""
        from headviz.sculpt import compiled

        every = np.arange(len(self.surface), dtype=np.int32) if indices is None else indices
        compiled.normals(self.positions, *self.surface.fans, every, self.normals)

    def require_near(self) -> None:
        """Refuse positions that are too far away or no numbers.

        Raises:
            SessionError: there are some.
        """
        if not (np.abs(self.positions) <= FARTHEST).all():
            raise too_far(int((~(np.abs(self.positions) <= FARTHEST)).any(1).sum()))

    def rows(self, indices: Indices) -> Float32[np.ndarray, "k 3"]:
        """A copy of some positions."""
        from headviz.sculpt import compiled

        values = np.empty((len(indices), 3), np.float32)
        compiled.gather(self.positions, indices, values)
        return values


class Handle:
    """Vertices that follow a vector with fixed weights; found once, moved often.

    Args:
        buffers: what moves.
        indices: which vertices, ascending, (k,).
        weights: displacement per unit of the vector along x, and along y and z; two of float32 (k,).
    """

    def __init__(self, buffers: Buffers, indices: Indices, weights: tuple[np.ndarray, np.ndarray]) -> None:
        self.buffers = buffers
        self.indices = indices
        self.start = buffers.rows(indices)
        self._wx, self._wyz = weights
        self._vector = np.zeros(3, np.float32)
        self._around: Indices | None = None  # found with the first move, so that the stroke begins at once

    def move(self, vector: tuple[float, float, float] | Shaped[np.ndarray, "3"]) -> None:
        """Put the vertices where the vector, from the start, takes them; metres.

        Raises:
            SessionError: it takes some too far; nothing has changed.
        """
        from headviz.sculpt import compiled

        buffers = self.buffers
        if self._around is None:
            self._around = buffers.around(self.indices)
        wanted = np.asarray(vector, dtype=np.float32)
        lost = compiled.move(buffers.positions, self.start, self.indices, self._wx, self._wyz, wanted)
        if lost:
            buffers.positions[self.indices] = self.start
            if self._vector.any():
                compiled.move(buffers.positions, self.start, self.indices, self._wx, self._wyz, self._vector)
            raise too_far(lost)
        self._vector = wanted
        compiled.normals(buffers.positions, *buffers.surface.fans, self._around, buffers.normals)


def too_far(count: int) -> SessionError:
    """What is said where vertices would go too far away."""
    return SessionError(
        f"vertices should stay within {FARTHEST:g} m of the origin; {count:,} would not: use less strength or way"
    )


class Before:
    """A state to come back to: all positions and the mask, and which vertices have been touched since.

    Args:
        buffers: whose state it is.
        masks: whether the mask is what changes, instead of positions.
    """

    def __init__(self, buffers: Buffers, *, masks: bool = False) -> None:
        self.buffers = buffers
        self.masks = masks
        self._values = (buffers.mask if masks else buffers.positions).copy()
        self.touched: Bool[np.ndarray, " n"] = np.zeros(len(buffers.surface), np.bool_)

    def touch(self, indices: Indices) -> None:
        """Say which vertices change."""
        self.touched[indices] = True

    def values(self, indices: Indices) -> np.ndarray:
        """What they were."""
        return np.asarray(self._values[indices])
