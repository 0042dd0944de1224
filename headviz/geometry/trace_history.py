"""Records of sphere tracing: what a call answers, and every look it took on the way."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped, UInt8
from torch import Tensor

from headviz.errors import RayError


class Status(IntEnum):
    """How a ray ended."""

    MISSED = 0  #: it reached the end of its interval, or had none, without meeting the surface
    HIT = 1  #: the field is within the tolerance of 0 there, or changes its sign there (bracketing)
    OUT_OF_STEPS = 2  #: neither could be shown in the steps allowed


class Look(IntEnum):
    """Why the field was evaluated."""

    MARCH = 0  #: at the end of a step along the ray
    SAMPLE = 1  #: at one of the samples that look for a sign change
    SECANT = 2  #: at the estimate of a secant step inside a sign change


@dataclass(frozen=True, eq=False)
class Oversteps:
    """Steps that claimed to be safe and ended beyond the surface: each shows that the Lipschitz bound is too small.

    The step led from ``t_before``, where the field was ``value_before`` > 0, over value_before / lipschitz metres to
    ``t_after``, where it is ``value_after`` < −tolerance. An honest bound would have kept it ≥ 0.

    Attributes:
        ray: index of the ray, shape (m,).
        step: the step of the history in which the ray was found beyond the surface, shape (m,).
        t_before, t_after: in units of the direction's length, shape (m,).
        value_before, value_after: the field there, shape (m,).
    """

    ray: Int[Tensor, " m"]
    step: Int[Tensor, " m"]
    t_before: Float[Tensor, " m"]
    t_after: Float[Tensor, " m"]
    value_before: Float[Tensor, " m"]
    value_after: Float[Tensor, " m"]

    def __len__(self) -> int:
        return len(self.ray)


@dataclass(frozen=True, eq=False)
class RayHistory:
    """Everything that happened to one ray, in order.

    Attributes:
        step: the step of the whole history in which the look was taken, shape (k,).
        t: in units of the direction's length, shape (k,).
        positions: metres, shape (k, d).
        distances: the field's values, shape (k,); divided by ``lipschitz`` they are radii of the safe circles.
        moved: how far the ray went from this look to the next, metres, along its walk: negative where it went
            back, 0 for the last, shape (k,).
        undone: the over-relaxed step to this look left a gap and was taken back, or adaptive tracing looked here in
            advance and had no use for it, shape (k,).
        look: why the field was evaluated, a :class:`Look`, shape (k,).
        lipschitz: the bound that the steps relied on.
    """

    step: Int[Tensor, " k"]
    t: Float[Tensor, " k"]
    positions: Float[Tensor, "k d"]
    distances: Float[Tensor, " k"]
    moved: Float[Tensor, " k"]
    undone: Bool[Tensor, " k"]
    look: UInt8[Tensor, " k"]
    lipschitz: float


@dataclass(frozen=True, eq=False)
class TraceHistory:
    """Every evaluation of a trace, step after step: K evaluations in S steps of n rays.

    Step s has the evaluations ``offsets[s]:offsets[s + 1]``, one per ray that was still active, by ray.

    Attributes:
        origins, directions: the rays as they were given, shape (n, d).
        index: which ray, shape (K,).
        t: where on it, in units of the direction's length, shape (K,).
        distance: the field's value, shape (K,).
        undone: the over-relaxed step to this place left a gap and was taken back, or adaptive tracing looked there
            in advance and had no use for it, shape (K,).
        offsets: shape (S + 1,).
        look: why the step evaluated, a :class:`Look` per step, shape (S,).
        oversteps: what showed that the Lipschitz bound is too small.
        lipschitz, tolerance, relaxation, backward: as the trace was called; the relaxation is ``"fixed"`` or
            ``"bracketing"`` where rays were searched by fixed steps or by bracketing alone.
    """

    origins: Float[Tensor, "n d"]
    directions: Float[Tensor, "n d"]
    index: Int[Tensor, " K"]
    t: Float[Tensor, " K"]
    distance: Float[Tensor, " K"]
    undone: Bool[Tensor, " K"]
    offsets: Int[Tensor, " S1"]
    look: UInt8[Tensor, " S"]
    oversteps: Oversteps
    lipschitz: float
    tolerance: float
    relaxation: float | str
    backward: bool

    def __len__(self) -> int:
        """How many steps there are."""
        return len(self.look)

    @property
    def positions(self) -> Float[Tensor, "K d"]:
        """Where the field was evaluated, metres, shape (K, d)."""
        return self._positions(slice(None))

    @property
    def evaluations(self) -> Int[Tensor, " S"]:
        """How many evaluations each step took, shape (S,)."""
        return self.offsets.diff()

    def active(self, step: int) -> Bool[Tensor, " n"]:
        """Which rays were still active in a step, shape (n,)."""
        mask = torch.zeros(len(self.origins), dtype=torch.bool, device=self.index.device)
        mask[self.index[self.step(step)].long()] = True
        return mask

    def step(self, step: int) -> slice:
        """Where the evaluations of a step are; negative steps count from the end."""
        place = range(len(self))[step]
        return slice(int(self.offsets[place]), int(self.offsets[place + 1]))

    def ray(self, ray: int) -> RayHistory:
        """What happened to one ray.

        Raises:
            RayError: there is no such ray.
        """
        if not 0 <= ray < len(self.origins):
            raise RayError(f"a ray should be in 0 to {len(self.origins) - 1}; it is {ray}")
        where = (self.index == ray).nonzero()[:, 0]
        step = torch.searchsorted(self.offsets, where, right=True) - 1
        t = self.t[where]
        length = torch.linalg.vector_norm(self.directions[ray]) * (-1 if self.backward else 1)
        moved = torch.cat([t.diff() * length, t.new_zeros(1)])[: len(t)]
        return RayHistory(
            step, t, self._positions(where), self.distance[where], moved, self.undone[where], self.look[step],
            self.lipschitz,
        )  # fmt: skip

    def arrays(self) -> dict[str, Shaped[np.ndarray, "..."]]:
        """All arrays by name, for an ``.npz`` file: those of this record, and its over-steps as ``overstep_…``."""
        names = ("origins", "directions", "index", "t", "distance", "undone", "offsets", "look")
        named = {name: getattr(self, name) for name in names}
        for name in ("ray", "step", "t_before", "t_after", "value_before", "value_after"):
            named[f"overstep_{name}"] = getattr(self.oversteps, name)
        arrays = {name: value.detach().cpu().contiguous().numpy() for name, value in named.items()}
        numbers = {name: getattr(self, name) for name in ("lipschitz", "tolerance", "relaxation", "backward")}
        return arrays | {name: np.asarray(value) for name, value in numbers.items()}

    def save(self, path: Path | str) -> None:
        """Write :meth:`arrays` into a compressed ``.npz`` file, under exactly this name."""
        named: dict[str, Any] = dict(self.arrays())
        with Path(path).open("wb") as file:
            np.savez_compressed(file, **named)

    def _positions(self, where: slice | Tensor) -> Tensor:
        ray = self.index[where].long()
        return self.origins[ray] + self.t[where, None] * self.directions[ray]


@dataclass(frozen=True, eq=False)
class SphereTrace:
    """Where n rays meet the surface.

    Attributes:
        points: origin + t · direction, metres, shape (n, d); differentiable at hits where the call was.
        t: in units of the direction's length, shape (n,). Of a hit, the place of the hit; of a ray that missed, the
            end of its interval (far, or where it left the field's box; near if it missed the box); of a ray that
            ran out of steps, the accepted look with the smallest |f| / |t| (Keinert et al. 2014).
        status: a :class:`Status` per ray, shape (n,).
        steps: evaluations spent on the ray's way, shape (n,); adaptive tracing may spend more than its moves, looking
            ahead in vain.
        values: the field at the last look, of a ray that ran out of steps at ``t``; NaN without a look, shape (n,).
        evaluations: of the field, all that the call took, those for bracketing and gradients included.
        oversteps: how many steps that claimed to be safe ended beyond the surface. More than 0 shows that the
            field's Lipschitz bound is too small, and then thin parts may have been stepped over unseen.
        history: every look, if the call was to record them.
    """

    points: Float[Tensor, "n d"]
    t: Float[Tensor, " n"]
    status: UInt8[Tensor, " n"]
    steps: Int[Tensor, " n"]
    values: Float[Tensor, " n"]
    evaluations: int
    oversteps: int
    history: TraceHistory | None = None

    @property
    def hit(self) -> Bool[Tensor, " n"]:
        """Which rays hit, shape (n,)."""
        return self.status == Status.HIT

    def count(self, status: Status) -> int:
        """How many rays ended in this way."""
        return int((self.status == status).sum())
