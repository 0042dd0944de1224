"""Rays as the tracer walks them: checked, of unit direction, clipped to the box that contains the surface."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from headviz.errors import FieldError, RayError, ShapeError
from headviz.geometry.field import Field


@dataclass(frozen=True, eq=False)
class Rays:
    """Rays whose parameter is a length in metres, one column per ray, so that every operation runs over whole rows.

    Attributes:
        origins: where the parameter is 0, shape (d, n), or (d, 1) where all rays share it.
        directions: unit vectors the way the tracer walks, shape (d, n).
        lengths: length of the directions that were given, negative for rays that are walked backwards, shape (n,);
            a parameter divided by it is the caller's t.
        start: where the search begins, shape (n,).
        end: where it ends, shape (n,); the same as ``start`` where there is nothing to search.
    """

    origins: Float[Tensor, "d m"]
    directions: Float[Tensor, "d n"]
    lengths: Float[Tensor, " n"]
    start: Float[Tensor, " n"]
    end: Float[Tensor, " n"]

    def __len__(self) -> int:
        return len(self.lengths)

    def select(self, index: Tensor) -> Rays:
        """Some of the rays, by index of shape (m,)."""
        return Rays(
            select_columns(self.origins, index),
            self.directions.index_select(1, index),
            *(column.index_select(0, index) for column in (self.lengths, self.start, self.end)),
        )

    def points(self, at: Float[Tensor, " n"]) -> Float[Tensor, "n d"]:
        """Points at a parameter per ray, shape (n, d): a view of contiguous columns, which fields evaluate fastest."""
        return torch.addcmul(self.origins, at, self.directions).T


def select_columns(origins: Float[Tensor, "d m"], index: Tensor) -> Float[Tensor, "d k"]:
    """Columns by index; a single column that is shared by all rays stays."""
    return origins if origins.shape[1] == 1 else origins.index_select(1, index)


def prepare_rays(
    field: Field,
    origins: Tensor,
    directions: Tensor,
    *,
    span: tuple[float | Tensor, float | Tensor],
    padding: float,
    backward: bool,
) -> Rays:
    """Checked rays of shape (n, d), clipped to the field's box, which grows by ``padding`` metres on every side.

    ``span`` is near and far, in units of the directions' lengths, numbers or shape (n,).

    Raises:
        ShapeError: shapes do not fit each other or the field.
        RayError: an origin or a direction is not finite, a direction is 0, near is not before far, or a ray has no
            end because neither far nor the box is finite.
        FieldError: the field's Lipschitz bound is not a positive number.
    """
    _check_shapes(field, origins, directions)
    origins, directions = origins.detach(), directions.detach()
    dtype = torch.promote_types(origins.dtype, directions.dtype)
    shared = len(origins) > 0 and origins.stride(0) == 0
    columns = (origins[:1] if shared else origins).T.to(dtype).contiguous()
    unit = directions.T.to(dtype).contiguous()
    lengths = functools.reduce(torch.hypot, unit.unbind(0), torch.zeros_like(unit[0]))  # faster than a norm
    _check_finite(columns, lengths)
    near, far = (_parameter(name, value, lengths) for name, value in zip(("near", "far"), span, strict=True))
    _check_span(near, far, per_ray=any(isinstance(value, Tensor) for value in span))
    unit = unit / lengths
    bounds = field.bounds.detach().to(unit)
    enter, leave = _clip(columns, unit, bounds[0] - padding, bounds[1] + padding)
    start, end = torch.maximum(near * lengths, enter), torch.minimum(far * lengths, leave)
    endless = (start < end) & ~(torch.isfinite(start) & torch.isfinite(end))
    if bool(endless.any()):
        count = int(endless.sum())
        raise RayError(
            f"a ray should end: near and far, or the field's bounds, should be finite; "
            f"{count} of {len(lengths)} rays are endless"
        )
    # Nothing to search: the interval shrinks to one finite parameter.
    first, second = (far, near) if backward else (near, far)
    rest = torch.where(torch.isfinite(first), first, torch.where(torch.isfinite(second), second, 0.0)) * lengths
    start, end = torch.where(start < end, start, rest), torch.where(start < end, end, rest)
    if backward:
        return Rays(columns, -unit, -lengths, -end, -start)
    return Rays(columns, unit, lengths, start, end)


def _check_shapes(field: Field, origins: Tensor, directions: Tensor) -> None:
    dimension = int(field.bounds.shape[-1])
    for name, array in (("origins", origins), ("directions", directions)):
        if array.ndim != 2 or array.shape[1] != dimension:
            raise ShapeError(f"{name} should have shape (n, {dimension}); shape is {tuple(array.shape)}")
        if not array.is_floating_point():
            raise ShapeError(f"{name} should be floating-point; they are {array.dtype}")
    if len(origins) != len(directions):
        raise ShapeError(f"there should be one origin per direction; there are {len(origins)} and {len(directions)}")
    if not 0 < field.lipschitz < float("inf"):
        raise FieldError(f"a field's Lipschitz bound should be positive and finite; it is {field.lipschitz}")


def _check_finite(origins: Tensor, lengths: Tensor) -> None:
    bad = ~torch.isfinite(origins).all(0)
    if bool(bad.any()):
        raise RayError(f"origins should be finite; {int(bad.sum())} of {origins.shape[1]} are not")
    bad = ~(torch.isfinite(lengths) & (lengths > 0))
    if bool(bad.any()):
        first = int(bad.nonzero()[0, 0])
        raise RayError(
            f"directions should be finite and not 0; {int(bad.sum())} of {len(lengths)} are not, "
            f"the first is ray {first} of length {float(lengths[first])}"
        )


def _parameter(name: str, value: float | Tensor, like: Tensor) -> Tensor:
    if isinstance(value, Tensor):
        if value.shape not in ((), like.shape):
            raise ShapeError(f"{name} should be a number or have shape ({len(like)},); shape is {tuple(value.shape)}")
        value = value.detach().to(like)
    return torch.as_tensor(value, dtype=like.dtype, device=like.device).expand(len(like))


def _check_span(near: Tensor, far: Tensor, *, per_ray: bool) -> None:
    # Given per ray, an empty interval says that there is nothing to search; given as numbers, it is a mistake.
    good = near <= far if per_ray else near < far
    if not bool(good.all()):
        first = int((~good).nonzero()[0, 0])
        raise RayError(
            f"near should be before far; it is not for {int((~good).sum())} of {len(good)} rays, "
            f"the first is ray {first} with near {float(near[first]):.6g} and far {float(far[first]):.6g}"
        )


def _clip(origins: Tensor, unit: Tensor, lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
    """Where rays enter and leave a box; the entry is after the exit where they miss it.

    The slab method: T. Kay and J. Kajiya, "Ray tracing complex scenes", SIGGRAPH 1986.
    """
    enter, leave = unit.new_full((unit.shape[1],), -torch.inf), unit.new_full((unit.shape[1],), torch.inf)
    for axis in range(len(unit)):
        origin, direction = origins[axis], unit[axis]
        one, other = (lower[axis] - origin) / direction, (upper[axis] - origin) / direction
        first, last = torch.minimum(one, other), torch.maximum(one, other)
        # Along the slab the quotient is ±∞, or NaN on its very face: such a ray is in or out as a whole.
        along = direction == 0
        inside = (lower[axis] <= origin) & (origin <= upper[axis])
        first = torch.where(along, torch.where(inside, -torch.inf, torch.inf), first)
        last = torch.where(along, torch.where(inside, torch.inf, -torch.inf), last)
        enter, leave = torch.maximum(enter, first), torch.minimum(leave, last)
    return enter, leave
