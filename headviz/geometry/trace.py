"""Sphere tracing: rays march through a field in steps that cannot cross its surface.

J. Hart, "Sphere tracing", The Visual Computer 12, 1996: from a point where the field is f, no surface is nearer than
f / L, so the ray may go that far. Over-relaxed (B. Keinert et al., "Enhanced sphere tracing", STAG 2014) it goes ω
times as far, and where the two spheres do not overlap it goes back and takes safe steps from there on. ``"adaptive"``
(C. Bálint and G. Valasek, "Accelerating sphere tracing", Eurographics short papers 2018) chooses ω for every step so
that the next sphere would just touch if the field went on as over the last step; after a step back it starts anew.
With few rays left it looks several steps ahead at once (``look_ahead.py``), so there its looks depend on how many rays
are traced together, and so do its hits, within the tolerance.

A ray is searched from near to far inside ``field.bounds`` (grown by the tolerance). It hits at the first look with
|f| ≤ tolerance. A ray that starts inside (f < 0) hits where it starts; the way out of a solid is found by
``backward=True``, which walks from far to near. A step that ends beyond the surface nevertheless is counted as an
over-step; the ray goes on at the secant's estimate between the step's ends, or is bracketed.

Where gradients are enabled and the field at the hits, the origins or the directions require them, ``t`` and
``points`` are differentiable at hits (``hit_gradient.py``; it costs one evaluation per hit, and one to find out).
Marching itself never builds a graph. ``torch.no_grad()`` saves both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from headviz.errors import RayError
from headviz.geometry.bracket import Bracketing, Brackets, first_roots
from headviz.geometry.field import Field, evaluate
from headviz.geometry.hit_gradient import differentiable_hits
from headviz.geometry.look_ahead import event_last, first_event, plan_ahead
from headviz.geometry.rays import Rays, prepare_rays, select_columns
from headviz.geometry.trace_history import SphereTrace, Status
from headviz.geometry.trace_recorder import Recorder

#: The relaxation that follows the field's slope along the ray, how far it trusts it (ω of Bálint and Valasek), and the
#: steepest rise of the field that it counts on.
ADAPTIVE, TRUST, STEEPEST = "adaptive", 0.9, 0.9

#: Points that adaptive tracing evaluates at once when fewer rays are left, and the most looks per ray among them.
AHEAD, MOST_AHEAD = 16384, 8


def sphere_trace(  # noqa: PLR0913 -- the signature is a contract
    field: Field,
    origins: Float[Tensor, "n d"],
    directions: Float[Tensor, "n d"],
    *,
    near: float | Float[Tensor, " n"],
    far: float | Float[Tensor, " n"],
    max_steps: int = 128,
    tolerance: float = 1e-4,
    relaxation: float | Literal["adaptive"] = 1.0,
    backward: bool = False,
    record: bool = False,
    bracketing: Bracketing | None = None,
) -> SphereTrace:
    """Where rays first meet the surface of a field, or with ``backward`` where they leave it for good; see above.

    Args:
        field: negative inside; its ``lipschitz`` L must bound its gradient.
        origins: metres, shape (n, d), d = 3 or 2; one row expanded to all rays is not copied.
        directions: shape (n, d), of any length but 0: t is in units of it.
        near: where t begins, a number or shape (n,); per ray, near = far means that there is nothing to search.
        far: where t ends, a number or shape (n,); may be infinite where the field's bounds are not.
        max_steps: moves of a ray; it is looked at once more after the last.
        tolerance: of the field's value, metres.
        relaxation: ω in [1, 2), or ``"adaptive"``.
        backward: walk from far towards near.
        record: keep every look as ``history``.
        bracketing: how rays that over-stepped or ran out of steps are searched; ``None`` leaves them as they are.

    Raises:
        RayError: a ray or a setting cannot be used (zero or infinite direction, near not before far, …).
        ShapeError: shapes do not fit each other or the field.
        FieldError: the field's values are not finite, or its Lipschitz bound is not positive and finite.
    """
    _check_settings(max_steps, tolerance, relaxation)
    with torch.no_grad():
        rays = prepare_rays(field, origins, directions, span=(near, far), padding=tolerance, backward=backward)
        recorder = Recorder(rays, record=record)
        march = _March(field, rays, recorder, tolerance, bracketing)
        march.run(max_steps, relaxation)
        if bracketing is not None:
            _bracket(march, bracketing)
        status = march.status
        t = march.at / rays.lengths
    t, points, extra = differentiable_hits(field, origins, directions, t, status == Status.HIT)
    return SphereTrace(
        points, t, status, march.steps, march.values, recorder.evaluations + extra, recorder.oversteps,
        recorder.history(origins, directions, (march.lipschitz, tolerance, relaxation, backward)),
    )  # fmt: skip


def _check_settings(max_steps: int, tolerance: float, relaxation: float | str) -> None:
    if max_steps < 1:
        raise RayError(f"max_steps should be at least 1; it is {max_steps}")
    if not 0 < tolerance < math.inf:
        raise RayError(f"tolerance should be positive and finite; it is {tolerance}")
    if relaxation != ADAPTIVE and (isinstance(relaxation, str) or not 1 <= relaxation < 2):
        raise RayError(f"relaxation should be in [1, 2) or {ADAPTIVE!r}; it is {relaxation!r}")


@dataclass(frozen=True, eq=False)
class _Active:
    """Rays that are on their way, compacted: one column per ray, lengths in metres.

    Attributes:
        index: which ray.
        origins, directions, end: of the ray.
        at: where the next look is.
        reach: up to where the last accepted look has shown the ray to be free.
        radius: of the free sphere around that look, which therefore was at reach − radius.
        relaxation: how many radii far the next step goes; 1 since the ray took a step back, or after it if adaptive.
        best, best_at: the smallest |f| / |t| of the accepted looks, and where it was.
        looks: how many it has used.
    """

    index: Int[Tensor, " k"]
    origins: Float[Tensor, "d m"]
    directions: Float[Tensor, "d k"]
    end: Float[Tensor, " k"]
    at: Float[Tensor, " k"]
    reach: Float[Tensor, " k"]
    radius: Float[Tensor, " k"]
    relaxation: Float[Tensor, " k"]
    best: Float[Tensor, " k"]
    best_at: Float[Tensor, " k"]
    looks: Int[Tensor, " k"]

    def select(self, keep: Int[Tensor, " j"]) -> _Active:
        """Some of the rays, by index."""
        columns = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("origins", "directions")}
        return _Active(
            origins=select_columns(self.origins, keep),
            directions=self.directions.index_select(1, keep),
            **{name: column.index_select(0, keep) for name, column in columns.items()},
        )

    def points(self) -> Float[Tensor, "k d"]:
        """Where to look."""
        return torch.addcmul(self.origins, self.at, self.directions).T


@dataclass(frozen=True, eq=False)
class _Seen:
    """What a look has shown, per active ray.

    Attributes:
        value: the field.
        radius: of the free sphere, value / L.
        gap: the spheres before and after the last step do not overlap, so the step is not accepted.
        beyond: the ray is beyond the surface.
        hit, missed: the ray is at the surface; it is free up to its end.
    """

    value: Float[Tensor, " k"]
    radius: Float[Tensor, " k"]
    gap: Bool[Tensor, " k"]
    beyond: Bool[Tensor, " k"]
    hit: Bool[Tensor, " k"]
    missed: Bool[Tensor, " k"]

    def select(self, keep: Int[Tensor, " j"]) -> _Seen:
        """Those of some of the rays, by index."""
        return _Seen(*(getattr(self, f.name).index_select(0, keep) for f in fields(self)))


class _March:
    """One trace: the answer per ray, filled in as rays finish.

    Attributes:
        status, at, steps, values: of the answer, ``at`` in metres along the walk.
        first: the field where rays began.
        unsettled: intervals that are left to bracketing.
    """

    status: UInt8[Tensor, " n"]
    steps: Int[Tensor, " n"]

    def __init__(
        self, field: Field, rays: Rays, recorder: Recorder, tolerance: float, bracketing: Bracketing | None
    ) -> None:
        self.field, self.rays, self.recorder, self.tolerance = field, rays, recorder, tolerance
        self.bracketing, self.lipschitz, self.adaptive = bracketing, float(field.lipschitz), False
        count, device = len(rays), rays.end.device
        self.status = torch.full((count,), Status.MISSED, dtype=torch.uint8, device=device)
        self.steps = torch.zeros(count, dtype=torch.int32, device=device)
        self.at = rays.end.clone()
        self.values = torch.full_like(rays.end, torch.nan)
        self.first = torch.full_like(rays.end, torch.nan)
        self.unsettled: list[Brackets] = []

    def run(self, max_steps: int, relaxation: float | str) -> None:
        """The one loop: look, settle the rays that are done, move the others."""
        self.adaptive = relaxation == ADAPTIVE
        active = self._begin(1.0 if isinstance(relaxation, str) else relaxation)
        step = 0
        while len(active.index):
            active, value, looks = self._evaluate(active, max_steps + 1, first=step == 0)
            seen = self._look(active, value, first=step == 0)
            self.recorder.look(active.index, active.at, value, seen.gap)
            active = self._accept(active, seen, first=step == 0)
            finished = seen.hit | seen.missed
            if step > 0:
                finished = self._overstep(active, seen, finished)
            step += looks
            active, seen = self._settle(active, seen, finished, step)
            if step > max_steps:  # a ray has used as many looks, or fewer if it looked ahead in vain
                active, seen = self._give_up(active, seen, step, max_steps + 1)
            active = self._move(active, seen)

    def _evaluate(self, active: _Active, most: int, *, first: bool) -> tuple[_Active, Tensor, int]:
        """The field where rays look, after as many looks ahead as are worth while; how many looks that took."""
        count = min(MOST_AHEAD, AHEAD // max(1, len(active.index))) if self.adaptive and not first else 1
        if count > 1:
            count = min(count, most - int(active.looks.max()))
        if count < 2:
            value = evaluate(self.field, active.points()).to(active.at.dtype)
            if first:
                self.first[active.index] = value
            return replace(active, looks=active.looks + 1), value, 1
        at = plan_ahead(active.at, active.radius, active.relaxation, active.end, count=count, trust=TRUST)
        points = torch.addcmul(active.origins[:, None], at, active.directions[:, None])  # (d, m, k)
        value = evaluate(self.field, points.flatten(1).T).to(at.dtype).reshape(at.shape)
        event = first_event(at, value / self.lipschitz, active.reach, active.end, near=self.tolerance / self.lipschitz)
        at, value = event_last(at, event), event_last(value, event)
        for row in range(count - 1):
            used = row < event
            self.recorder.look(active.index, at[row], value[row], ~used)
            active = self._remember(active, at[row], value[row] / self.lipschitz, value[row], used)
        return replace(active, at=at[-1], looks=active.looks + event.to(torch.int32) + 1), value[-1], count

    def _begin(self, relaxation: float) -> _Active:
        rays = self.rays
        index = (rays.start < rays.end).nonzero()[:, 0]
        chosen = rays.select(index)
        start = chosen.start
        return _Active(
            index, chosen.origins, chosen.directions, chosen.end, start, start, torch.zeros_like(start),
            torch.full_like(start, relaxation), torch.full_like(start, torch.inf), start,
            torch.zeros_like(index, dtype=torch.int32),
        )  # fmt: skip

    def _look(self, active: _Active, value: Tensor, *, first: bool) -> _Seen:
        radius = value / self.lipschitz
        gap = active.at - radius.clamp(min=0) > active.reach
        hit = (value if first else value.abs()) <= self.tolerance
        if not first:
            hit &= ~gap
        beyond = (value < -self.tolerance) & ~gap
        missed = (active.at + radius >= active.end) & ~gap & ~hit
        return _Seen(value, radius, gap, beyond, hit, missed)

    def _accept(self, active: _Active, seen: _Seen, *, first: bool) -> _Active:
        """Remember what the look has shown, unless it left a gap or was beyond the surface."""
        refused = seen.gap | seen.beyond
        relaxation = active.relaxation
        if self.adaptive and not first:
            # The slope of the radius since the accepted look before, which was at reach − radius.
            slope = (seen.radius - active.radius) / (active.at - (active.reach - active.radius))
            slope = slope.nan_to_num(-1.0).clamp(-1, STEEPEST)  # NaN where rounding kept the ray in its place
            relaxation = 1 + TRUST * (1 + slope) / (1 - slope)
        active = replace(active, relaxation=torch.where(refused, 1.0, relaxation))
        return self._remember(active, active.at, seen.radius, seen.value, ~refused)

    def _remember(self, active: _Active, at: Tensor, radius: Tensor, value: Tensor, accepted: Tensor) -> _Active:
        error = value.abs() / at.abs().clamp(min=self.tolerance)
        better = (error < active.best) & accepted
        return replace(
            active,
            reach=torch.where(accepted, at + radius, active.reach),
            radius=torch.where(accepted, radius, active.radius),
            best=torch.where(better, error, active.best),
            best_at=torch.where(better, at, active.best_at),
        )

    def _overstep(self, active: _Active, seen: _Seen, finished: Tensor) -> Tensor:
        """Note steps that claimed to be safe and were not; with bracketing, their rays are finished too."""
        if not bool(seen.beyond.any()):
            return finished
        over = seen.beyond & (active.at == active.reach)
        which = over.nonzero()[:, 0]
        index, high, high_value = active.index[which], active.at[which], seen.value[which]
        radius = active.radius[which]
        low, low_value = active.reach[which] - radius, radius * self.lipschitz
        self.recorder.overstep(index, low, high, low_value, high_value)
        if self.bracketing is None:
            return finished
        self.unsettled.append(Brackets(index, low, low_value, high, high_value))
        return finished | over

    def _settle(self, active: _Active, seen: _Seen, finished: Tensor, steps: int) -> tuple[_Active, _Seen]:
        """Write down the rays that are finished, and go on with the others."""
        done = finished.nonzero()[:, 0]
        if not len(done):
            return active, seen
        index, hit, missed = active.index[done], seen.hit[done], seen.missed[done]
        other = torch.where(missed, int(Status.MISSED), int(Status.OUT_OF_STEPS))
        self.status[index] = torch.where(hit, int(Status.HIT), other).to(torch.uint8)
        at = torch.where(missed, active.end[done], active.best_at[done])
        self.at[index] = torch.where(hit, active.at[done], at)
        if self.bracketing is not None and self.bracketing.misses:
            free = index[missed]
            start, unknown = self.rays.start[free], torch.full_like(self.at[free], torch.nan)
            self.unsettled.append(Brackets(free, start, self.first[free], self.rays.end[free], unknown))
        self.values[index] = seen.value[done]
        self.steps[index] = steps
        keep = (~finished).nonzero()[:, 0]
        return active.select(keep), seen.select(keep)

    def _move(self, active: _Active, seen: _Seen) -> _Active:
        forward = torch.minimum(active.at + active.relaxation * seen.radius, active.end)
        at = torch.where(seen.gap, active.reach, forward)
        if bool(seen.beyond.any()):
            before = active.reach - active.radius
            secant = before + (active.at - before) * (active.radius / (active.radius - seen.radius))
            at = torch.where(seen.beyond, secant, at)
        return replace(active, at=at)

    def _give_up(self, active: _Active, seen: _Seen, steps: int, most: int) -> tuple[_Active, _Seen]:
        """Rays that are still on their way when no look is left."""
        out = active.looks >= most
        gone = active.select(out.nonzero()[:, 0])
        index = gone.index
        self.status[index] = int(Status.OUT_OF_STEPS)
        self.at[index] = gone.best_at
        self.values[index] = gone.best * gone.best_at.abs().clamp(min=self.tolerance)
        self.steps[index] = steps
        low, low_value = gone.reach - gone.radius, gone.radius * self.lipschitz
        self.unsettled.append(Brackets(index, low, low_value, gone.end, torch.full_like(low, torch.nan)))
        keep = (~out).nonzero()[:, 0]
        return active.select(keep), seen.select(keep)


def _bracket(march: _March, bracketing: Bracketing) -> None:
    """Search what marching left unsettled; rays without a sign change stay out of steps."""
    names = [f.name for f in fields(Brackets)]
    if not march.unsettled:
        return
    intervals = Brackets(*(torch.cat([getattr(part, name) for part in march.unsettled]) for name in names))
    roots = first_roots(
        march.field, march.rays, intervals, bracketing, tolerance=march.tolerance, recorder=march.recorder
    )
    march.status[roots.index] = int(Status.HIT)
    march.at[roots.index] = roots.at
    march.values[roots.index] = roots.value
    march.steps += march.recorder.searched
