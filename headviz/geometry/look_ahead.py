"""Several looks per ray in one evaluation of the field, where so few rays are left that the call itself costs most.

The places are where adaptive steps would lead if the field went on as over the last step. Looks count as long as each
one's free sphere overlaps the one before, exactly as for steps taken one by one; what was planned beyond is not used.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

#: The smallest and largest ratio of one planned radius to the one before.
_SHRINKS, _GROWS = 0.25, 4.0


def plan_ahead(
    at: Float[Tensor, " k"],
    radius: Float[Tensor, " k"],
    relaxation: Float[Tensor, " k"],
    end: Float[Tensor, " k"],
    *,
    count: int,
    trust: float,
) -> Float[Tensor, "m k"]:
    """Where to look, ``count`` places per ray, the first ``at``, none after ``end``.

    Args:
        at: the next look.
        radius: of the free sphere around the last.
        relaxation: how many radii far the last step went, from the slope: 1 + trust (1 + slope) / (1 − slope).
        end: of the ray.
        count: places per ray.
        trust: as above.
    """
    quotient = (relaxation - 1) / trust
    slope = (quotient - 1) / (quotient + 1)
    ratio = (1 + slope * relaxation).clamp(_SHRINKS, _GROWS)
    powers = torch.arange(1, count, device=at.device, dtype=at.dtype)[:, None]
    steps = relaxation * radius * ratio**powers
    return torch.cat([at[None], torch.minimum(at + steps.cumsum(0), end)])


def first_event(
    at: Float[Tensor, "m k"],
    radius: Float[Tensor, "m k"],
    reach: Float[Tensor, " k"],
    end: Float[Tensor, " k"],
    *,
    near: float,
) -> Int[Tensor, " k"]:
    """Which of the places is the ray's last look: the first that settles something, else the last before a gap.

    Args:
        at: places in the order of the walk.
        radius: of the free spheres around them.
        reach: up to where each ray is known to be free.
        end: of the ray.
        near: radius up to which a place is at the surface.
    """
    reached = torch.cat([reach[None], (at + radius)[:-1]])
    gap = at - radius.clamp(min=0) > reached
    goes_on = ~gap & (radius > near) & (at + radius < end)
    free = goes_on.to(torch.int64).cumprod(0).sum(0)
    last = free.clamp(max=len(at) - 1)
    stopped_by_gap = gap.gather(0, last[None])[0]
    return torch.where(stopped_by_gap, (last - 1).clamp(min=0), last)


def event_last(rows: Float[Tensor, "m k"], event: Int[Tensor, " k"]) -> Float[Tensor, "m k"]:
    """Rows reordered per ray: those before the event, those after it, the event."""
    order = torch.arange(len(rows), device=rows.device)[:, None]
    moved = torch.where(order < event, order, order + 1)
    return rows.gather(0, torch.cat([moved[:-1], event[None]]))
