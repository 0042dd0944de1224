"""Shapes made of shapes: booleans, sharp or smooth, and what changes the level of a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce

import torch
from torch import Tensor

from headviz.errors import FieldError
from headviz.geometry.shape import Number, Shape, Traits, check_number, is_zero, plain


@dataclass(frozen=True, eq=False)
class Union(Shape):
    """What is in any part: the least value, min(a, b) − max(k − |a − b|, 0)² / (4k) for smoothness k.

    The smooth minimum is the quadratic polynomial one (Quilez, "Smooth minimum"): parts blend where their values
    differ by less than k, and the surface moves outwards by at most k/4 of value. Several parts are blended one after
    the other, in order.

    Exact outside if all parts are, and k = 0: the distance to a union is the least distance. Inside, the value knows
    nothing of the parts of surface that the union buried, so it is a bound. The smooth minimum's gradient is a convex
    combination of those of the parts, so the Lipschitz constant is the largest of the parts', and values are bounds.

    Attributes:
        parts: at least one shape.
        smooth: k, metres; 0 gives a sharp edge.
    """

    parts: tuple[Shape, ...]
    smooth: Number = 0.0

    def __post_init__(self) -> None:
        check_parts(self.parts)
        check_number("smooth", self.smooth, least=0.0)

    def at(self, *coordinates: Tensor) -> Tensor:
        """See :meth:`Shape.at`."""
        values = [part.at(*coordinates) for part in self.parts]
        return reduce(torch.minimum if is_zero(self.smooth) else lambda a, b: smooth_minimum(a, b, self.smooth), values)

    def traits(self) -> Traits:
        """See :meth:`Shape.traits`."""
        (smooth,) = plain((self.smooth,))
        return reduce(lambda a, b: union_traits(a, b, smooth), [part.traits() for part in self.parts])


@dataclass(frozen=True, eq=False)
class Intersection(Shape):
    """What is in all parts: the largest value, max(a, b) + max(k − |a − b|, 0)² / (4k) for smoothness k.

    The mirror image of :class:`Union`: exact inside if all parts are, and k = 0; the surface moves inwards by at most
    k/4 of value.

    Attributes:
        parts: at least one shape.
        smooth: k, metres; 0 gives a sharp edge.
    """

    parts: tuple[Shape, ...]
    smooth: Number = 0.0

    def __post_init__(self) -> None:
        check_parts(self.parts)
        check_number("smooth", self.smooth, least=0.0)

    def at(self, *coordinates: Tensor) -> Tensor:
        """See :meth:`Shape.at`."""
        values = [part.at(*coordinates) for part in self.parts]
        return reduce(torch.maximum if is_zero(self.smooth) else lambda a, b: smooth_maximum(a, b, self.smooth), values)

    def traits(self) -> Traits:
        """See :meth:`Shape.traits`."""
        (smooth,) = plain((self.smooth,))
        outsides = [complement_traits(part.traits()) for part in self.parts]
        return complement_traits(reduce(lambda a, b: union_traits(a, b, smooth), outsides))


@dataclass(frozen=True, eq=False)
class Complement(Shape):
    """What is not in a shape. What was exact outside is exact inside, and the other way round."""

    shape: Shape

    def at(self, *coordinates: Tensor) -> Tensor:
        """See :meth:`Shape.at`."""
        return -self.shape.at(*coordinates)

    def traits(self) -> Traits:
        """See :meth:`Shape.traits`."""
        return complement_traits(self.shape.traits())


@dataclass(frozen=True, eq=False)
class Offset(Shape):
    """A shape grown by a distance, or eroded by a negative one.

    Grown, it stays exact outside: whoever is d away is d − r away from all that is within r. Its inside becomes a
    bound, for growing closes gaps and rounds dents. Eroding is growing the complement.

    Attributes:
        shape: what grows.
        distance: r, metres of value.
    """

    shape: Shape
    distance: Number

    def __post_init__(self) -> None:
        check_number("distance", self.distance)

    def at(self, *coordinates: Tensor) -> Tensor:
        """See :meth:`Shape.at`."""
        return self.shape.at(*coordinates) - self.distance

    def traits(self) -> Traits:
        """See :meth:`Shape.traits`."""
        traits, (distance,) = self.shape.traits(), plain((self.distance,))
        outside, inside = traits.exact_outside and distance >= 0, traits.exact_inside and distance <= 0
        grown = enlarged(traits, max(distance * traits.side, 0.0))
        return replace(grown, exact_outside=outside, exact_inside=inside)


@dataclass(frozen=True, eq=False)
class Shell(Shape):
    """The hollow wall around a surface, |f| − thickness/2.

    Exact outside, on either side of the wall, if the shape is exact; within the wall the value is a bound.

    Attributes:
        shape: whose surface is the middle of the wall.
        thickness: of the whole wall, metres of value.
    """

    shape: Shape
    thickness: Number

    def __post_init__(self) -> None:
        check_number("thickness", self.thickness, positive=True)

    def at(self, *coordinates: Tensor) -> Tensor:
        """See :meth:`Shape.at`."""
        return self.shape.at(*coordinates).abs() - self.thickness / 2

    def traits(self) -> Traits:
        """See :meth:`Shape.traits`."""
        traits, (thickness,) = self.shape.traits(), plain((self.thickness,))
        exact = traits.exact_outside and traits.exact_inside
        grown = enlarged(traits, thickness / 2)
        return replace(grown, side=1, exact_outside=exact, exact_inside=False)


def smooth_minimum(a: Tensor, b: Tensor, smooth: Number) -> Tensor:
    """The quadratic smooth minimum, min(a, b) − max(k − |a − b|, 0)² / (4k); k > 0, unless it is a tensor."""
    return _blend(torch.minimum(a, b), a - b, smooth, -1)


def smooth_maximum(a: Tensor, b: Tensor, smooth: Number) -> Tensor:
    """The quadratic smooth maximum, max(a, b) + max(k − |a − b|, 0)² / (4k); k > 0, unless it is a tensor."""
    return _blend(torch.maximum(a, b), a - b, smooth, 1)


def _blend(sharp: Tensor, difference: Tensor, smooth: Number, sign: int) -> Tensor:
    near = (smooth - difference.abs()).relu()
    if isinstance(smooth, Tensor):
        return sharp + sign * near * near / (4 * smooth + 1e-30)  # whether it is 0 is not asked of a device
    return torch.addcmul(sharp, near, near, value=sign / (4 * smooth))


def union_traits(a: Traits, b: Traits, smooth: float) -> Traits:
    """Traits of a union of two, smooth or not."""
    outside = a.exact_outside and b.exact_outside and smooth == 0
    lipschitz = max(a.lipschitz, b.lipschitz)
    if a.side == 1 == b.side:
        low, high = _union_box(a, b, smooth)
        growth = 1.0 if outside else max(a.growth, b.growth)
        return Traits(low, high, lipschitz, 1, outside, False, growth)
    # The outside is in every box that contains that of a part, and blending only takes away from it.
    holes = [part for part in (a, b) if part.side == -1]
    low, high = _overlap(holes)
    return Traits(low, high, lipschitz, -1, outside, False, max(part.growth for part in holes))


def complement_traits(traits: Traits) -> Traits:
    """Traits of the complement."""
    return replace(traits, side=-traits.side, exact_outside=traits.exact_inside, exact_inside=traits.exact_outside)


def enlarged(traits: Traits, value: float) -> Traits:
    """Traits with the box of all points whose value is at most ``value`` from 0, on the side that it bounds."""
    low = tuple(x - traits.growth * value for x in traits.low)
    high = tuple(x + traits.growth * value for x in traits.high)
    return replace(traits, low=low, high=high)


def check_parts(parts: Sequence[Shape]) -> None:
    """Raise a FieldError unless there are parts and all have the same number of axes."""
    strangers = [type(part).__name__ for part in parts if not isinstance(part, Shape)]
    if strangers:
        raise FieldError(f"parts should be shapes; there is a {strangers[0]}")
    dimensions = [part.dimension for part in parts]
    if not parts or len(set(dimensions)) > 1:
        raise FieldError(f"parts should be one or more shapes of one dimension; their dimensions are {dimensions}")


_Box = tuple[tuple[float, ...], tuple[float, ...]]


def _union_box(a: Traits, b: Traits, smooth: float) -> _Box:
    """The box of both, and of where they blend: there the lesser value is ≤ k/4 and the larger one ≤ k."""
    low, high = _around([a, b])
    if smooth > 0:
        # Parts too far apart to blend do blend in offsets, so the gap between them counts too.
        wide_low, wide_high = _overlap([enlarged(a, smooth), enlarged(b, smooth)])
        near_low, near_high = _around([enlarged(a, smooth / 4), enlarged(b, smooth / 4)])
        low = tuple(map(min, low, map(max, wide_low, near_low)))
        high = tuple(map(max, high, map(min, wide_high, near_high)))
    return low, high


def _around(parts: Sequence[Traits]) -> _Box:
    return tuple(map(min, *(x.low for x in parts))), tuple(map(max, *(x.high for x in parts)))


def _overlap(parts: Sequence[Traits]) -> _Box:
    """The box that is in all boxes; where there is none, the gap between them, which can be enlarged like a box."""
    low = reduce(lambda p, q: tuple(map(max, p, q)), [x.low for x in parts])
    high = reduce(lambda p, q: tuple(map(min, p, q)), [x.high for x in parts])
    return tuple(map(min, low, high)), tuple(map(max, low, high))
