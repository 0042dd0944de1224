"""Shapes moved, turned, enlarged, mirrored, pulled apart, and lifted from the plane to space."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import reduce

import torch
from jaxtyping import Float
from torch import Tensor

from headviz.errors import FieldError
from headviz.geometry.distances import corner_distance, dot, smaller
from headviz.geometry.shape import (
    Axis,
    Number,
    Shape,
    Traits,
    Vector,
    check_number,
    check_vector,
    components,
    length,
    minus,
    plain,
    unbounded,
)

_AXES = {"x": 0, "y": 1, "z": 2}


@dataclass(frozen=True, eq=False)
class Translated(Shape):
    """A shape moved by a vector, metres. Keeps all that is known of it."""

    shape: Shape
    by: Vector

    def __post_init__(self) -> None:
        check_vector("by", self.by, self.shape.dimension)

    def at(self, *coordinates: Tensor) -> Tensor:
        """See :meth:`Shape.at`."""
        return self.shape.at(*map(minus, coordinates, components(self.by)))

    def traits(self) -> Traits:
        """See :meth:`Shape.traits`."""
        traits, offset = self.shape.traits(), plain(self.by)
        low = tuple(x + t for x, t in zip(traits.low, offset, strict=True))
        high = tuple(x + t for x, t in zip(traits.high, offset, strict=True))
        return replace(traits, low=low, high=high)


@dataclass(frozen=True, eq=False)
class Rotated(Shape):
    """A shape turned by an orthogonal matrix of shape (d, d): p → matrix · p. Values stay as exact as they were."""

    shape: Shape
    matrix: Float[Tensor, "d d"]

    def __post_init__(self) -> None:
        dimension = self.shape.dimension
        if self.matrix.shape != (dimension, dimension):
            raise FieldError(
                f"matrix should have shape ({dimension}, {dimension}); shape is {tuple(self.matrix.shape)}"
            )
        matrix = self.matrix.detach().double()
        error = float((matrix @ matrix.T - torch.eye(dimension, device=matrix.device)).abs().max())
        if not error < 1e-5:
            raise FieldError(f"matrix should be orthogonal; matrix · matrixᵀ is up to {error:.3g} from the identity")

    def at(self, *coordinates: Tensor) -> Tensor:
        """See :meth:`Shape.at`."""
        fixed = not self.matrix.requires_grad
        rows = self.matrix.T.tolist() if fixed else [list(row.unbind()) for row in self.matrix.T]
        return self.shape.at(*(dot(coordinates, row) for row in rows))

    def traits(self) -> Traits:
        """See :meth:`Shape.traits`."""
        traits = self.shape.traits()
        rows: list[list[float]] = self.matrix.detach().double().tolist()
        pairs = [
            [_times(m, low, high) for m, low, high in zip(row, traits.low, traits.high, strict=True)] for row in rows
        ]
        low = tuple(sum(pair[0] for pair in row) for row in pairs)
        high = tuple(sum(pair[1] for pair in row) for row in pairs)
        # Distances turn with the shape; a bound's level sets may be as boxy as the box.
        exact = traits.exact_outside if traits.side == 1 else traits.exact_inside
        spread = 1.0 if exact else max(sum(map(abs, row)) for row in rows)
        return replace(traits, low=low, high=high, growth=traits.growth * spread)


@dataclass(frozen=True, eq=False)
class Scaled(Shape):
    """A shape enlarged by one factor about the origin; its values grow with it and stay as exact as they were."""

    shape: Shape
    factor: Number

    def __post_init__(self) -> None:
        check_number("factor", self.factor, positive=True)

    def at(self, *coordinates: Tensor) -> Tensor:
        """See :meth:`Shape.at`."""
        return self.shape.at(*(x / self.factor for x in coordinates)) * self.factor

    def traits(self) -> Traits:
        """See :meth:`Shape.traits`."""
        traits, (factor,) = self.shape.traits(), plain((self.factor,))
        return replace(traits, low=tuple(x * factor for x in traits.low), high=tuple(x * factor for x in traits.high))


@dataclass(frozen=True, eq=False)
class Stretched(Shape):
    """A shape enlarged by one factor per axis about the origin: f(p/s) · min s.

    Stretching shrinks gradients, and min s makes up for the least of it, so the Lipschitz constant stays; but the
    values are only bounds, unless all factors are equal.
    """

    shape: Shape
    factors: Vector

    def __post_init__(self) -> None:
        check_vector("factors", self.factors, self.shape.dimension, positive=True)

    def at(self, *coordinates: Tensor) -> Tensor:
        """See :meth:`Shape.at`."""
        factors = components(self.factors)
        least = reduce(smaller, factors)
        return self.shape.at(*(x / s for x, s in zip(coordinates, factors, strict=True))) * least

    def traits(self) -> Traits:
        """See :meth:`Shape.traits`."""
        traits, factors = self.shape.traits(), plain(self.factors)
        same = min(factors) == max(factors)
        return replace(
            traits,
            low=tuple(x * s for x, s in zip(traits.low, factors, strict=True)),
            high=tuple(x * s for x, s in zip(traits.high, factors, strict=True)),
            exact_outside=traits.exact_outside and same,
            exact_inside=traits.exact_inside and same,
            growth=traits.growth * max(factors) / min(factors),
        )


@dataclass(frozen=True, eq=False)
class Mirrored(Shape):
    """The half of a shape on the positive side of an axis, and its mirror image: f(|x|, y, z).

    Exact outside only if the whole shape is on the positive side: then the nearest point is on one's own side. Exact
    inside if it also keeps off the mirror plane, where a wall would vanish. Otherwise a bound, for the values still
    know of the surface that was cut away.
    """

    shape: Shape
    axis: Axis = "x"

    def __post_init__(self) -> None:
        axis_number(self.axis, self.shape.dimension)

    def at(self, *coordinates: Tensor) -> Tensor:
        """See :meth:`Shape.at`."""
        k = axis_number(self.axis, len(coordinates))
        return self.shape.at(*(x.abs() if i == k else x for i, x in enumerate(coordinates)))

    def traits(self) -> Traits:
        """See :meth:`Shape.traits`."""
        traits = self.shape.traits()
        k = axis_number(self.axis, traits.dimension)
        reach = max(traits.high[k], 0.0)
        return replace(
            traits,
            low=(*traits.low[:k], -reach, *traits.low[k + 1 :]),
            high=(*traits.high[:k], reach, *traits.high[k + 1 :]),
            exact_outside=traits.exact_outside and traits.side == 1 and traits.low[k] >= 0,
            exact_inside=traits.exact_inside and traits.side == 1 and traits.low[k] > 0,
        )


@dataclass(frozen=True, eq=False)
class Elongated(Shape):
    """A shape cut at the origin and pulled apart by a length per axis, the gap filled with the cut: f(p − clamp(p)).

    A bound: in the gap the value is that of the cut, but the halves may bulge nearer. p − clamp(p) shrinks no
    distance, so the Lipschitz constant stays.
    """

    shape: Shape
    lengths: Vector

    def __post_init__(self) -> None:
        for k, x in enumerate(check_vector("lengths", self.lengths, self.shape.dimension)):
            check_number(f"lengths[{k}]", x, least=0.0)

    def at(self, *coordinates: Tensor) -> Tensor:
        """See :meth:`Shape.at`."""
        halves = (x / 2 for x in components(self.lengths))
        return self.shape.at(*(_pulled(x, half) for x, half in zip(coordinates, halves, strict=True)))

    def traits(self) -> Traits:
        """See :meth:`Shape.traits`."""
        traits, lengths = self.shape.traits(), plain(self.lengths)
        still = not any(lengths)
        return replace(
            traits,
            low=tuple(x - h / 2 for x, h in zip(traits.low, lengths, strict=True)),
            high=tuple(x + h / 2 for x, h in zip(traits.high, lengths, strict=True)),
            exact_outside=traits.exact_outside and still,
            exact_inside=traits.exact_inside and still,
        )


@dataclass(frozen=True, eq=False)
class Extruded(Shape):
    """A shape of the plane between z = −height/2 and height/2; as exact as the shape of the plane."""

    shape: Shape
    height: Number

    def __post_init__(self) -> None:
        check_number("height", self.height, positive=True)
        check_plane(self.shape)

    def at(self, *coordinates: Tensor) -> Tensor:
        """See :meth:`Shape.at`."""
        x, y, z = coordinates
        return corner_distance(self.shape.at(x, y), z.abs() - self.height / 2)

    def traits(self) -> Traits:
        """See :meth:`Shape.traits`."""
        traits, (height,) = self.shape.traits(), plain((self.height,))
        lipschitz = max(traits.lipschitz, 1.0)
        if traits.side != 1:
            return unbounded(
                3, lipschitz=lipschitz, exact_outside=traits.exact_outside, exact_inside=traits.exact_inside
            )
        low, high = (*traits.low, -height / 2), (*traits.high, height / 2)
        return replace(traits, low=low, high=high, lipschitz=lipschitz)


@dataclass(frozen=True, eq=False)
class Revolved(Shape):
    """A shape of the plane, moved along x and turned about the y axis: f(√(x² + z²) − outwards, y).

    Exact where :class:`Mirrored` is, for the same reason: if the shape of the plane, moved, keeps to positive x.
    """

    shape: Shape
    outwards: Number = 0.0

    def __post_init__(self) -> None:
        check_number("outwards", self.outwards)
        check_plane(self.shape)

    def at(self, *coordinates: Tensor) -> Tensor:
        """See :meth:`Shape.at`."""
        x, y, z = coordinates
        return self.shape.at(minus(length(x, z), self.outwards), y)

    def traits(self) -> Traits:
        """See :meth:`Shape.traits`."""
        traits, (offset,) = self.shape.traits(), plain((self.outwards,))
        reach, nearest = max(traits.high[0] + offset, 0.0), traits.low[0] + offset
        return replace(
            traits,
            low=(-reach, traits.low[1], -reach),
            high=(reach, traits.high[1], reach),
            exact_outside=traits.exact_outside and traits.side == 1 and nearest >= 0,
            exact_inside=traits.exact_inside and traits.side == 1 and nearest > 0,
        )


@dataclass(frozen=True, eq=False)
class Sliced(Shape):
    """The cut of a shape with the plane where one coordinate has a value; a bound, for the surface may be nearer.

    Points of the plane are (z, y) if x is fixed, as one sees a head that faces right; (x, z) if y is; (x, y) if z is.
    """

    shape: Shape
    axis: Axis = "x"
    position: Number = 0.0

    def __post_init__(self) -> None:
        axis_number(self.axis, 3)
        check_number("position", self.position)
        if self.shape.dimension != 3:
            raise FieldError(f"the shape should be one of space; it has {self.shape.dimension} axes")

    def at(self, *coordinates: Tensor) -> Tensor:
        """See :meth:`Shape.at`."""
        u, v = coordinates
        fixed = torch.zeros_like(u) + self.position
        x, y, z = {"x": (fixed, v, u), "y": (u, fixed, v), "z": (u, v, fixed)}[self.axis]
        return self.shape.at(x, y, z)

    def traits(self) -> Traits:
        """See :meth:`Shape.traits`."""
        traits = self.shape.traits()
        kept = {"x": (2, 1), "y": (0, 2), "z": (0, 1)}[self.axis]
        low, high = tuple(traits.low[k] for k in kept), tuple(traits.high[k] for k in kept)
        return replace(traits, low=low, high=high, exact_outside=False, exact_inside=False)


def rotation(axis: Axis | Vector, degrees: Number, dimension: int = 3) -> Float[Tensor, "d d"]:
    """The matrix of a rotation, counter-clockwise seen from the axis' tip, in double precision unless given a tensor.

    Args:
        axis: "x", "y", "z", or a vector of any length but 0; "z" in the plane.
        degrees: the angle.
        dimension: 3, or 2 for the plane.

    Raises:
        FieldError: the axis has no direction, or is none of the plane's.
    """
    check_number("degrees", degrees)
    if isinstance(axis, str):
        k = axis_number(axis, 3)
        axis = tuple(float(k == i) for i in range(3))
    vector = torch.tensor(check_vector("axis", axis, 3), dtype=torch.float64)
    if not float(vector.norm()) > 0:
        raise FieldError(f"axis should have a direction; it is {tuple(vector.tolist())}")
    if dimension == 2 and float(vector[:2].norm()) > 0:
        raise FieldError(f'in the plane shapes turn about "z"; the axis is {tuple(vector.tolist())}')
    x, y, z = (vector / vector.norm()).tolist()
    turn = torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=torch.float64)
    angle = degrees.double() if isinstance(degrees, Tensor) else torch.tensor(degrees, dtype=torch.float64)
    angle = angle * (math.pi / 180)
    # Rodrigues' formula.
    matrix: Tensor = torch.eye(3, dtype=torch.float64) + angle.sin() * turn + (1 - angle.cos()) * (turn @ turn)
    return matrix[:dimension, :dimension]


def axis_number(axis: str, dimension: int) -> int:
    """0, 1 or 2 for "x", "y" or "z".

    Raises:
        FieldError: there is no such axis.
    """
    number = _AXES.get(axis, dimension)
    if number >= dimension:
        raise FieldError(f"axis should be one of {', '.join(list(_AXES)[:dimension])}; it is {axis!r}")
    return number


def check_plane(shape: Shape) -> None:
    """Raise a FieldError unless a shape is one of the plane."""
    if shape.dimension != 2:
        raise FieldError(f"the shape should be one of the plane; it has {shape.dimension} axes")


def _times(factor: float, low: float, high: float) -> tuple[float, float]:
    ends = (factor * low, factor * high) if factor else (0.0, 0.0)  # 0 · ∞ is 0 here
    return min(ends), max(ends)


def _pulled(x: Tensor, half: Number) -> Tensor:
    if isinstance(half, Tensor):
        return x - torch.maximum(torch.minimum(x, half), -half)
    return x if half == 0 else x - x.clamp(-half, half)
