"""What sliders and keypoints add to the base, each a displacement that is linear in its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from headviz.errors import MeshError, SessionError
from headviz.sculpt import brushes
from headviz.sculpt.buffers import Buffers, Handle
from headviz.sculpt.history import Settings
from headviz.sculpt.steps import Keypoint, Point, SetKeypoints, SetSliders, Step, Symmetrise

if TYPE_CHECKING:
    from headviz.geometry.warp_solver import WarpSolver

Morphs = Mapping[str, Float32[np.ndarray, "n 3"]]


def move_sliders(buffers: Buffers, morphs: Morphs, weights: Mapping[str, float], step: SetSliders) -> None:
    """Positions + Σ (new − old weight) · morph, with normals; the order of names is that of the morphs.

    Raises:
        SessionError: vertices would go too far; normals are as they were, positions are not.
    """
    for name, offsets in morphs.items():
        if name in step.values and (change := step.values[name] - weights.get(name, 0.0)):
            buffers.positions += np.float32(change) * offsets
    buffers.require_near()
    buffers.refresh(None)


def symmetrise(buffers: Buffers, keep: str) -> None:
    """Make one side the mirror image of the other, which stays.

    Raises:
        SessionError: there is no mirror map.
    """
    rest, mirror, positions = buffers.surface.rest, buffers.surface.mirror, buffers.positions
    if mirror is None:
        raise SessionError("this mesh has no mirror map: not every vertex has a twin across x = 0")
    own = np.arange(len(mirror))
    left = (rest[:, 0] > rest[mirror, 0]) | ((rest[:, 0] == rest[mirror, 0]) & (own < mirror))
    seam = mirror == own
    sources = np.flatnonzero((left == (keep == "left")) & ~seam)
    positions[mirror[sources]] = positions[sources] * np.array([-1, 1, 1], np.float32)
    positions[seam, 0] = 0
    buffers.refresh(None)


class Layers:
    """Sliders and keypoints of a session.

    Args:
        buffers: what they move.
        morphs: offset of every vertex per unit of a slider, (n, 3) each, metres.

    Raises:
        MeshError: a morph is not finite.
    """

    def __init__(self, buffers: Buffers, morphs: Mapping[str, Tensor]) -> None:
        self.buffers = buffers
        self.morphs: dict[str, Float32[np.ndarray, "n 3"]] = {
            name: np.ascontiguousarray(offsets.detach().cpu().numpy(), dtype=np.float32)
            for name, offsets in morphs.items()
        }
        for name, offsets in self.morphs.items():
            if not np.isfinite(offsets).all():
                raise MeshError(f"morphs should be finite; of {name!r:.40} some offsets are not")
        self._solved: tuple[tuple[Keypoint, ...], WarpSolver] | None = None
        self._places: dict[Point, tuple[np.ndarray, np.ndarray]] = {}

    def places(self, keypoints: tuple[Keypoint, ...]) -> Float[np.ndarray, "k 3"]:
        """Where keypoints, which sit on the base, are on the head as it is now, metres."""
        surface = self.buffers.surface
        found = np.zeros((len(keypoints), 3))
        for row, keypoint in enumerate(keypoints):
            if keypoint.position not in self._places:
                self._places[keypoint.position] = surface.closest(keypoint.position)
            corners, weights = self._places[keypoint.position]
            off = np.array(keypoint.position) - weights @ surface.rest[corners]
            found[row] = weights @ self.buffers.positions[corners] + off
        return found

    def require(self, step: SetSliders) -> None:
        """Refuse sliders that this head does not have.

        Raises:
            SessionError: there is one.
        """
        missing = [name for name in step.values if name not in self.morphs]
        if missing:
            raise SessionError(
                f"this head has no slider {', '.join(map(repr, missing)):.120}; it has {len(self.morphs)}"
            )

    def do(self, settings: Settings, step: Step) -> None:
        """A step that may move any vertex: sliders, keypoints, a side made the other's mirror image.

        Raises:
            SessionError: it asks for what this head does not have, or is of none of these kinds.
        """
        if isinstance(step, SetSliders):
            self.require(step)
            move_sliders(self.buffers, self.morphs, settings.sliders, step)
        elif isinstance(step, SetKeypoints):
            self.set_keypoints(settings, step)
        elif isinstance(step, Symmetrise):
            symmetrise(self.buffers, step.keep)
        else:
            raise SessionError(f"a session knows no step of the type {type(step).__name__}")

    def handle(self, settings: Settings, index: int) -> Handle:
        """What one keypoint moves per unit of its vector, all others staying as they are."""
        if not settings.exact:
            return brushes.keypoint_handle(self.buffers, settings.keypoints[index])
        wx, wyz = self._solver(settings.keypoints).cardinal(torch.from_numpy(self.buffers.surface.rest), index)
        weights = tuple(np.asarray(torch.as_tensor(part).float().numpy()) for part in (wx, wyz))
        indices = np.flatnonzero((np.abs(weights[0]) > 1e-7) | (np.abs(weights[1]) > 1e-7)).astype(np.int32)
        return Handle(self.buffers, indices, (weights[0][indices], weights[1][indices]))

    def set_keypoints(self, settings: Settings, step: SetKeypoints) -> None:
        """Positions − what the old keypoints did + what the new ones do, with normals.

        Keypoints of which only the vector changes move by the difference, as they do while they are dragged.
        """
        new = replace(settings, keypoints=step.keypoints, exact=step.exact)
        same = len(settings.keypoints) == len(new.keypoints) and settings.exact == new.exact
        still = [same and _site(old) == _site(now) for old, now in zip(settings.keypoints, new.keypoints, strict=False)]
        if new.exact or settings.exact:  # every weight depends on all sites
            still = [all(still)] * len(still)
        off, on = _vectors(settings), _vectors(new)
        kept = np.flatnonzero(still)
        on[kept] -= off[kept]
        off[kept] = 0
        self._push(settings, -off)
        self._push(new, on)

    def _push(self, settings: Settings, vectors: Float32[np.ndarray, "k 3"]) -> None:
        """Move by all keypoints; in exact mode several at once, for a weight takes as long as the whole warp."""
        moved = np.flatnonzero(vectors.any(1)).tolist()
        if settings.exact and len(moved) > 1:
            solver = self._solver(settings.keypoints)
            rest = torch.from_numpy(self.buffers.surface.rest).double()
            offsets = solver.warp(rest, solver.vectors(torch.from_numpy(vectors))) - rest
            self.buffers.positions += offsets.float().numpy()
            self.buffers.require_near()
            self.buffers.refresh(None)
            return
        for index in moved:
            self.handle(settings, index).move(vectors[index])

    def _solver(self, keypoints: tuple[Keypoint, ...]) -> WarpSolver:
        """The solver of some keypoints, whatever their vectors; the last one is kept, for a drag asks for it again."""
        from headviz.geometry.warp_solver import WarpSolver

        sites = tuple(_site(point) for point in keypoints)
        if self._solved is None or self._solved[0] != sites:
            solver = WarpSolver(
                torch.tensor([point.position for point in keypoints], dtype=torch.float64),
                kernel=keypoints[0].kernel,
                alpha=torch.tensor([point.alpha for point in keypoints], dtype=torch.float64),
                mirror="x" if keypoints[0].symmetric else None,
            )
            self._solved = sites, solver
        return self._solved[1]


def _vectors(settings: Settings) -> Float32[np.ndarray, "k 3"]:
    return np.array([point.vector for point in settings.keypoints], np.float32).reshape(-1, 3)


def _site(keypoint: Keypoint) -> Keypoint:
    """A keypoint without its vector: what its weights depend on."""
    return replace(keypoint, vector=(0.0, 0.0, 0.0))
