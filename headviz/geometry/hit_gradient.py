"""Gradients of hits by implicit differentiation: how a hit moves when the surface or the ray does."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from headviz.errors import FieldError
from headviz.geometry.field import Field, evaluate

#: A ray that meets the surface under a smaller sine than this counts as meeting it under this one.
GRAZING = 1e-3


def differentiable_hits(
    field: Field,
    origins: Float[Tensor, "n d"],
    directions: Float[Tensor, "n d"],
    t: Float[Tensor, " n"],
    hit: Bool[Tensor, " n"],
) -> tuple[Float[Tensor, " n"], Float[Tensor, "n d"], int]:
    """Hits, as t and points = origin + t · direction, with gradients at hits if anything there requires them.

    L. Yariv et al., "Multiview neural surface reconstruction" (IDR), NeurIPS 2020, equation 3; M. Niemeyer et al.,
    "Differentiable volumetric rendering", CVPR 2020: with x = o + t v, t held,

        t_θ = t − (f_θ(x) − f(x)) / (∇f · v),    point = o + t_θ v,

    the denominator and f(x) held. Its values are those of t; its gradients reach the field's parameters, the origins
    and the directions. Where |∇f · v| < GRAZING |∇f| |v| the denominator is held at that bound, so that the
    gradient of a grazing hit is finite, though too small.

    Args:
        field: what was traced.
        origins: metres, shape (n, d).
        directions: shape (n, d).
        t: in units of the direction's length, without gradient, shape (n,).
        hit: at which rays, shape (n,).

    Returns:
        t, points, and how many evaluations of the field this took.

    Raises:
        FieldError: a ray requires a gradient and the field has none with respect to its points.
    """
    t = t.to(torch.promote_types(origins.dtype, directions.dtype))
    which = hit.nonzero()[:, 0]
    rays_require = torch.is_grad_enabled() and (origins.requires_grad or directions.requires_grad)
    spent = 0
    if torch.is_grad_enabled() and len(which):
        o, v, at = origins[which], directions[which], t[which, None]
        spent = 0 if rays_require else 1
        if rays_require or field((o + at * v)[:1]).requires_grad:
            t = t.index_put((which,), _implicit(field, o, v, at))
            spent += len(which)
    return t, origins + t[:, None] * directions, spent


def _implicit(field: Field, origins: Tensor, directions: Tensor, at: Tensor) -> Tensor:
    points = origins + at * directions
    if not points.requires_grad:
        points.requires_grad_()
    value = evaluate(field, points)
    slope: Tensor | None = None
    if value.requires_grad:
        (slope,) = torch.autograd.grad(value.sum(), points, retain_graph=True, allow_unused=True)
    if slope is None:
        raise FieldError("a hit's gradient needs the field's gradient in its points; this field has none")
    held = directions.detach()
    across = (slope * held).sum(1)
    least = GRAZING * torch.linalg.vector_norm(slope, dim=1) * torch.linalg.vector_norm(held, dim=1)
    # The sign is kept; across exactly 0 counts as entering, where the field falls along the ray.
    least = least.clamp(min=torch.finfo(least.dtype).tiny)
    across = torch.where(across.abs() < least, torch.where(across > 0, least, -least), across)
    moved: Tensor = at[:, 0] - (value - value.detach()) / across
    return moved
