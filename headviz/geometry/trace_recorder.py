"""What a trace writes down while it runs: evaluations and over-steps, and the looks themselves if asked to."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from headviz.geometry.rays import Rays
from headviz.geometry.trace_history import Look, Oversteps, TraceHistory

_Row = tuple[Tensor, Tensor, Tensor, Tensor]


class Recorder:
    """Counts evaluations and over-steps of one trace and keeps its looks.

    Nothing is copied while the trace runs but the rays' indices: the loop never writes into an array that it has
    handed over.

    Args:
        rays: what is traced, parameters in metres.
        record: whether looks are kept.

    Attributes:
        steps: how many steps there were.
        evaluations: of the field.
        oversteps: how many.
        searched: evaluations per ray for samples and secants, shape (n,).
    """

    def __init__(self, rays: Rays, *, record: bool) -> None:
        self.rays = rays
        self.record = record
        self.steps = 0
        self.evaluations = 0
        self.oversteps = 0
        self.searched = torch.zeros(len(rays), dtype=torch.int32, device=rays.end.device)
        self._rows: list[_Row] = []
        self._kinds: list[Look] = []
        self._events: list[tuple[Tensor, ...]] = []

    def look(
        self,
        index: Int[Tensor, " k"],
        at: Float[Tensor, " k"],
        value: Float[Tensor, " k"],
        undone: Bool[Tensor, " k"] | None = None,
        kind: Look = Look.MARCH,
    ) -> None:
        """One step: the field was evaluated once for each of these rays."""
        self.steps += 1
        self.evaluations += len(index)
        if kind is not Look.MARCH:
            self.searched[index] += 1
        if self.record:
            none = torch.zeros(1, dtype=torch.bool, device=index.device).expand(len(index))
            self._rows.append((index.to(torch.int32), at, value, none if undone is None else undone))
            self._kinds.append(kind)

    def overstep(self, index: Tensor, before: Tensor, after: Tensor, value_before: Tensor, value_after: Tensor) -> None:
        """These rays were found beyond the surface in the step that was recorded last."""
        self.oversteps += len(index)
        if self.record:
            step = torch.full_like(index, self.steps - 1)
            self._events.append((index, step, before, after, value_before, value_after))

    def history(
        self,
        origins: Float[Tensor, "n d"],
        directions: Float[Tensor, "n d"],
        settings: tuple[float, float, float | str, bool],
    ) -> TraceHistory | None:
        """The record, with Lipschitz bound, tolerance, relaxation and backward as the trace was called."""
        if not self.record:
            return None
        like, rays = self.rays.lengths, self.rays
        nothing = torch.zeros(0, dtype=torch.int64, device=like.device)
        empty = (nothing.int(), like[:0], like[:0], nothing.bool())
        index, at, distance, undone = (torch.cat(part) for part in zip(empty, *self._rows, strict=True))
        counts = torch.tensor([0, *(len(row[0]) for row in self._rows)], device=like.device)
        none = (nothing, nothing, like[:0], like[:0], like[:0], like[:0])
        ray, step, before, after, *values = (torch.cat(part) for part in zip(none, *self._events, strict=True))
        return TraceHistory(
            origins.detach(), directions.detach(), index, at / rays.lengths[index.long()], distance, undone,
            counts.cumsum(0), torch.tensor(self._kinds, dtype=torch.uint8, device=like.device),
            Oversteps(ray, step, before / rays.lengths[ray], after / rays.lengths[ray], *values), *settings,
        )  # fmt: skip
