"""First sign changes of a field along rays, for fields whose Lipschitz bound cannot be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from headviz.errors import RayError
from headviz.geometry.field import Field, evaluate
from headviz.geometry.rays import Rays
from headviz.geometry.trace_history import Look
from headviz.geometry.trace_recorder import Recorder


@dataclass(frozen=True)
class Bracketing:
    """How rays are searched that sphere tracing cannot settle, after Yariv et al., IDR, NeurIPS 2020, appendix.

    Attributes:
        samples: into how many equal parts the interval is divided; a part that the surface enters and leaves again
            is not seen.
        secant: how many steps of the regula falsi narrow down the first sign change (IDR takes 8). The estimate
            always stays inside the sign change; an end that does not move counts half (the Illinois rule).
        misses: whether rays that missed are sampled too, all the way. Where the bound is far too small, they may
            have leapt over the whole surface unnoticed. IDR does not; it costs ``samples`` evaluations for each ray
            that misses.
    """

    samples: int = 100
    secant: int = 8
    misses: bool = False

    def __post_init__(self) -> None:
        if self.samples < 1 or self.secant < 0:
            raise RayError(
                f"bracketing should take at least 1 sample and 0 secant steps; they are {self.samples}, {self.secant}"
            )


@dataclass(frozen=True, eq=False)
class Brackets:
    """Intervals of rays, parameters in metres.

    Attributes:
        index: which ray, shape (m,).
        low, low_value: the last look before the surface and the field there, > 0, shape (m,).
        high, high_value: the other end and the field there, shape (m,).
    """

    index: Int[Tensor, " m"]
    low: Float[Tensor, " m"]
    low_value: Float[Tensor, " m"]
    high: Float[Tensor, " m"]
    high_value: Float[Tensor, " m"]

    def select(self, keep: Tensor) -> Brackets:
        """Some of them, by mask or index."""
        return Brackets(self.index[keep], self.low[keep], self.low_value[keep], self.high[keep], self.high_value[keep])


@dataclass(frozen=True, eq=False)
class Roots:
    """Sign changes that were found: index of the ray, parameter in metres and the field there, shape (m,) each."""

    index: Int[Tensor, " m"]
    at: Float[Tensor, " m"]
    value: Float[Tensor, " m"]


def first_roots(
    field: Field, rays: Rays, intervals: Brackets, bracketing: Bracketing, *, tolerance: float, recorder: Recorder
) -> Roots:
    """The first sign change that samples show in each interval, narrowed down; rays without one are left out."""
    found = _sample(field, rays, intervals, bracketing.samples, recorder)
    roots = []
    # Until a step has been taken, the estimate is the end beyond the surface.
    at, value = found.high, found.high_value
    weights, last = torch.ones(2, len(at), dtype=at.dtype, device=at.device), torch.zeros_like(at)
    for _ in range(bracketing.secant):
        done = value.abs() <= tolerance
        roots.append(Roots(found.index[done], at[done], value[done]))
        found, weights, last = found.select(~done), weights[:, ~done], last[~done]
        if not len(last):
            at, value = last, last
            break
        low, high = found.low_value * weights[0], -found.high_value * weights[1]
        at = found.low + (found.high - found.low) * (low / (low + high))
        value = _look(field, rays, found.index, at, recorder, Look.SECANT)
        moved = torch.where(value <= 0, 1.0, -1.0).to(at)  # 1 where the high end moves
        found = _narrow(found, at, value)
        # The end that moved counts fully; one that stays for the second time in a row counts half of what it did.
        stays = torch.where(moved == last, 0.5, 1.0)
        weights = torch.where(torch.stack([moved > 0, moved < 0]), weights * stays, 1.0)
        last = moved
    roots.append(Roots(found.index, at, value))
    return Roots(*(torch.cat([getattr(part, name) for part in roots]) for name in ("index", "at", "value")))


def _sample(field: Field, rays: Rays, intervals: Brackets, samples: int, recorder: Recorder) -> Brackets:
    """The first part of each interval at whose ends the signs differ."""
    found = [intervals.select(intervals.index[:0])]
    open_, width = intervals, (intervals.high - intervals.low) / samples
    for k in range(1, samples + 1):
        # The last sample is the end itself, so that a sign known there is met again.
        at = open_.high if k == samples else intervals.low + k * width
        value = _look(field, rays, open_.index, at, recorder, Look.SAMPLE)
        part = Brackets(open_.index, open_.low, open_.low_value, at, value)
        beyond = value <= 0
        found.append(part.select(beyond))
        before = ~beyond
        open_ = Brackets(open_.index, at, value, open_.high, open_.high_value).select(before)
        intervals, width = intervals.select(before), width[before]
        if not len(width):
            break
    names = ("index", "low", "low_value", "high", "high_value")
    return Brackets(*(torch.cat([getattr(part, name) for part in found]) for name in names))


def _narrow(found: Brackets, at: Tensor, value: Tensor) -> Brackets:
    """The brackets with one end moved to the estimate."""
    below = value <= 0
    low, low_value = torch.where(below, found.low, at), torch.where(below, found.low_value, value)
    high, high_value = torch.where(below, at, found.high), torch.where(below, value, found.high_value)
    return Brackets(found.index, low, low_value, high, high_value)


def _look(field: Field, rays: Rays, index: Tensor, at: Tensor, recorder: Recorder, kind: Look) -> Tensor:
    value = evaluate(field, rays.select(index).points(at)).to(at.dtype)
    recorder.look(index, at, value, kind=kind)
    return value
