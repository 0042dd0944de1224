"""Rays searched for a sign change alone: in constant steps, or by samples and secants. No Lipschitz bound is used.

Both are what sphere tracing is compared with. They look at places that do not depend on the field, so a part of the
surface that the ray enters and leaves again between two looks is not seen; a ray that missed has proved nothing.
Neither answer is differentiable.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from headviz.errors import RayError
from headviz.geometry.bracket import Bracketing, Brackets, first_roots
from headviz.geometry.field import Field, evaluate
from headviz.geometry.rays import Rays, prepare_rays
from headviz.geometry.trace_history import Look, SphereTrace, Status
from headviz.geometry.trace_recorder import Recorder

#: More steps than this along one ray are taken for a mistake.
MOST_STEPS = 1 << 20


def fixed_steps(
    field: Field,
    origins: Float[Tensor, "n d"],
    directions: Float[Tensor, "n d"],
    *,
    near: float | Float[Tensor, " n"],
    far: float | Float[Tensor, " n"],
    step: float,
    refine: int = 0,
    record: bool = False,
) -> SphereTrace:
    """Ray marching: looks at a constant distance until the field is no longer positive, then bisections.

    Looks are at start + k · step, the last at the end of the ray's interval inside ``field.bounds``. A hit is the last
    place that was seen to be at or beyond the surface, f ≤ 0, not the look before it: so a hit is never outside, it is
    behind the first sign change by at most step / 2^refine, and a bisection never makes it worse. A ray that starts
    inside hits where it starts.

    Args:
        field: negative inside.
        origins: metres, shape (n, d), d = 3 or 2.
        directions: shape (n, d), of any length but 0: t is in units of it.
        near: where t begins, a number or shape (n,), as for :func:`sphere_trace`.
        far: where t ends, a number or shape (n,).
        step: metres between looks.
        refine: bisections of the step in which the sign changed.
        record: keep every look as ``history``; there the steps are of kind ``Look.MARCH``, bisections of kind
            ``Look.SECANT``, the relaxation is ``"fixed"`` and the tolerance 0.

    Returns:
        The record of sphere tracing. No ray runs out of steps, ``oversteps`` is 0, and ``values`` belong to ``t``.

    Raises:
        RayError: a ray cannot be used, the step is not positive and finite, a ray would take more than 2²⁰ steps, or
            the number of bisections is negative.
        ShapeError: shapes do not fit each other or the field.
        FieldError: the field's values are not finite, or its Lipschitz bound is not positive and finite.
    """
    _check_steps(step, refine)
    with torch.no_grad():
        rays = prepare_rays(field, origins, directions, span=(near, far), padding=0.0, backward=False)
        search = _Search(field, rays, record=record)
        search.bisect(*search.march(step), refine)
        return search.answer(origins, directions, 0.0, "fixed")


def bracket_rays(
    field: Field,
    origins: Float[Tensor, "n d"],
    directions: Float[Tensor, "n d"],
    *,
    near: float | Float[Tensor, " n"],
    far: float | Float[Tensor, " n"],
    bracketing: Bracketing | None = None,
    tolerance: float = 1e-4,
    record: bool = False,
) -> SphereTrace:
    """Samples over the whole ray and secant steps in the first sign change, without any sphere tracing before.

    It is what :func:`sphere_trace` does with the rays that it leaves to ``bracketing``, for all rays from their start,
    which costs one look more. A ray hits at its start if the field is ≤ tolerance there.

    Args:
        field: negative inside.
        origins: metres, shape (n, d), d = 3 or 2.
        directions: shape (n, d), of any length but 0: t is in units of it.
        near: where t begins, a number or shape (n,), as for :func:`sphere_trace`.
        far: where t ends, a number or shape (n,).
        bracketing: how many samples and secant steps, IDR's by default; ``misses`` has no meaning here.
        tolerance: of the field's value at which secant steps end, metres.
        record: keep every look as ``history``; there the relaxation is ``"bracketing"``.

    Returns:
        The record of sphere tracing. No ray runs out of steps, and ``oversteps`` is 0; ``values`` belong to ``t`` at
        hits and are NaN elsewhere.

    Raises:
        RayError: a ray or the tolerance cannot be used.
        ShapeError: shapes do not fit each other or the field.
        FieldError: the field's values are not finite, or its Lipschitz bound is not positive and finite.
    """
    if not 0 < tolerance < math.inf:
        raise RayError(f"tolerance should be positive and finite; it is {tolerance}")
    with torch.no_grad():
        rays = prepare_rays(field, origins, directions, span=(near, far), padding=tolerance, backward=False)
        search = _Search(field, rays, record=record)
        search.bracket(bracketing or Bracketing(), tolerance)
        return search.answer(origins, directions, tolerance, "bracketing")


def _check_steps(step: float, refine: int) -> None:
    if not 0 < step < math.inf:
        raise RayError(f"step should be positive and finite, in metres; it is {step}")
    if refine < 0:
        raise RayError(f"refine should be at least 0 bisections; it is {refine}")


class _Search:
    """One search: the answer per ray, filled in as rays finish; parameters in metres."""

    status: UInt8[Tensor, " n"]
    steps: Int[Tensor, " n"]

    def __init__(self, field: Field, rays: Rays, *, record: bool) -> None:
        self.field, self.rays, self.recorder = field, rays, Recorder(rays, record=record)
        count, device = len(rays), rays.end.device
        self.status = torch.full((count,), Status.MISSED, dtype=torch.uint8, device=device)
        self.steps = torch.zeros(count, dtype=torch.int32, device=device)
        self.at = rays.end.clone()
        self.values = torch.full_like(rays.end, torch.nan)
        self.index = (rays.start < rays.end).nonzero()[:, 0]  # rays that have something to search

    def march(self, step: float) -> tuple[Int[Tensor, " m"], Float[Tensor, " m"]]:
        """Constant steps; the rays whose sign changed behind their start, and the look before."""
        index, rays = self.index, self.rays.select(self.index)
        start, end = rays.start, rays.end
        longest = float((end - start).max()) if len(index) else 0.0
        if longest / step > MOST_STEPS:
            raise RayError(
                f"a ray should take at most {MOST_STEPS} steps; {longest:.6g} m in steps of {step:.6g} m are more"
            )
        changed, before, k = [index[:0]], [start[:0]], 0
        while len(index):
            at = torch.minimum(start + k * step, end)
            value = self._look(index, at)
            beyond = value <= 0
            self._hit(index[beyond], at[beyond], value[beyond])
            ended = ~beyond & (at >= end)
            self.values[index[ended]] = value[ended]
            if k > 0:
                changed.append(index[beyond])
                before.append(start[beyond] + (k - 1) * step)
            goes_on = ~(beyond | ended)
            index, start, end = index[goes_on], start[goes_on], end[goes_on]
            k += 1
        return torch.cat(changed), torch.cat(before)

    def bisect(self, index: Int[Tensor, " m"], low: Float[Tensor, " m"], count: int) -> None:
        """Halve the intervals from ``low`` to the hits that were found."""
        high, high_value = self.at[index], self.values[index]
        for _ in range(count if len(index) else 0):
            middle = (low + high) / 2
            value = self._look(index, middle, Look.SECANT)
            beyond = value <= 0
            low = torch.where(beyond, low, middle)
            high, high_value = torch.where(beyond, middle, high), torch.where(beyond, value, high_value)
        self._hit(index, high, high_value)

    def bracket(self, bracketing: Bracketing, tolerance: float) -> None:
        """One look at the start, then samples and secants."""
        index = self.index
        if not len(index):
            return
        start = self.rays.start[index]
        value = self._look(index, start)
        inside = value <= tolerance
        self._hit(index[inside], start[inside], value[inside])
        high = self.rays.end[index]
        whole = Brackets(index, start, value, high, torch.full_like(high, torch.nan)).select(~inside)
        roots = first_roots(self.field, self.rays, whole, bracketing, tolerance=tolerance, recorder=self.recorder)
        self._hit(roots.index, roots.at, roots.value)

    def answer(self, origins: Tensor, directions: Tensor, tolerance: float, method: str) -> SphereTrace:
        """The record, in units of the directions' lengths."""
        t = self.at / self.rays.lengths
        settings = (float(self.field.lipschitz), tolerance, method, False)
        return SphereTrace(
            origins.detach() + t[:, None] * directions.detach(), t, self.status, self.steps + self.recorder.searched,
            self.values, self.recorder.evaluations, 0, self.recorder.history(origins, directions, settings),
        )  # fmt: skip

    def _hit(self, index: Tensor, at: Tensor, value: Tensor) -> None:
        self.status[index], self.at[index], self.values[index] = int(Status.HIT), at, value

    def _look(self, index: Tensor, at: Tensor, kind: Look = Look.MARCH) -> Tensor:
        value = evaluate(self.field, self.rays.select(index).points(at)).to(at.dtype)
        self.recorder.look(index, at, value, kind=kind)
        if kind is Look.MARCH:
            self.steps[index] += 1
        return value
