"""What sphere tracing is compared with: two plain loops, written to be read."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from headviz.geometry.field import Field, evaluate

STEPS, TOLERANCE = 128, 1e-4


@dataclass(frozen=True, eq=False)
class Traced:
    """What a peer answers: t in units of the direction's length, which rays hit, evaluations of the field."""

    t: Tensor
    hit: Tensor
    evaluations: int


def trace_all(field: Field, origins: Tensor, directions: Tensor, near: float, far: float) -> Traced:
    """The plain loop: every ray is evaluated in every step, finished or not."""
    lengths = directions.norm(dim=1)
    t = torch.full_like(lengths, near)
    for _ in range(STEPS):
        value = evaluate(field, origins + t[:, None] * directions)
        moves = (value.abs() > TOLERANCE) & (t < far)
        t = torch.where(moves, t + value / (field.lipschitz * lengths), t)
    return Traced(t, (value.abs() <= TOLERANCE) & (t < far), STEPS * len(t))


def trace_active(field: Field, origins: Tensor, directions: Tensor, near: float, far: float) -> Traced:
    """The plain loop over active rays: those that are finished are left out of the next step."""
    lengths = directions.norm(dim=1)
    t = torch.full_like(lengths, near)
    hit = torch.zeros_like(lengths, dtype=torch.bool)
    active = torch.arange(len(t))
    evaluations = 0
    for _ in range(STEPS):
        value = evaluate(field, origins[active] + t[active, None] * directions[active])
        evaluations += len(active)
        close = value.abs() <= TOLERANCE
        hit[active] = close
        t[active] += torch.where(close, 0.0, value / (field.lipschitz * lengths[active]))
        active = active[~close & (t[active] < far)]
        if not len(active):
            break
    return Traced(t, hit, evaluations)
