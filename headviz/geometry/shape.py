"""Shapes: fields that know what their values mean, and can be combined by operators.

``sphere(0.1) & box(0.15) - cylinder(0.05, 0.3)`` is a shape; so is what any method of a shape returns. The style
follows https://github.com/fogleman/sdf: values are functions, operators work on them, nothing is computed before a
shape is called with points.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from headviz.errors import FieldError
from headviz.geometry.field import ArrayField

#: A parameter: a number, or a tensor without dimensions that may require a gradient.
Number: TypeAlias = int | float | Tensor
#: As many numbers as there are axes, or a tensor of shape (d,).
Vector: TypeAlias = Sequence[Number] | Tensor
#: The name of a coordinate.
Axis: TypeAlias = Literal["x", "y", "z"]

# Squares are summed upon this, so that the length of a vector of zeros has a gradient, and it is zero.
_TINY = 1e-30


@dataclass(frozen=True)
class Traits:
    """What is known of a shape without evaluating it.

    Attributes:
        low: lower corner of a box that contains the surface, metres; may be infinite.
        high: upper corner of that box.
        lipschitz: an upper bound of the gradient's length.
        side: what else the box contains: 1 all of the inside, −1 all of the outside.
        exact_outside: outside, the value is the distance to the surface, not just a bound of it.
        exact_inside: the same for the inside.
        growth: how fast level sets spread: points beyond the box where |value| ≤ v lie in the box enlarged by
            growth · v on every side.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    lipschitz: float = 1.0
    side: int = 1
    exact_outside: bool = True
    exact_inside: bool = True
    growth: float = 1.0

    @property
    def dimension(self) -> int:
        """The number of axes."""
        return len(self.low)


def unbounded(
    dimension: int, *, lipschitz: float = 1.0, exact_outside: bool = True, exact_inside: bool = True
) -> Traits:
    """The traits of a shape whose surface fits into no box."""
    infinite = (math.inf,) * dimension
    return Traits(tuple(-x for x in infinite), infinite, lipschitz, 1, exact_outside, exact_inside)


class Shape(ArrayField):
    """A field made of a formula, negative inside.

    A subclass is a frozen dataclass of parameters, and defines :meth:`at` and :meth:`traits`. Parameters are numbers
    or tensors; gradients reach the tensors. What :meth:`traits` says follows the parameters, also after an optimiser
    changed them.
    """

    def at(self, *coordinates: Tensor) -> Tensor:
        """Values at points given axis by axis: x, y, z (x, y in the plane) of any one shape.

        Separate contiguous coordinates are several times faster than the columns of an array of points.
        """
        raise NotImplementedError

    def traits(self) -> Traits:
        """Bounds, Lipschitz constant and exactness."""
        raise NotImplementedError

    def values(self, points: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """Values at points of shape (n, dimension), metres, in the points' precision and on their device."""
        return self.at(*points.T.contiguous())

    @cached_property  # every call asks for it, and traits walk the whole tree
    def dimension(self) -> int:
        """3 in space, 2 in the plane."""
        return self.traits().dimension

    @property
    def bounds(self) -> Float[Tensor, "2 d"]:
        """Lower and upper corner of a box that contains the surface, metres, shape (2, d); may be infinite.

        Single precision, rounded outwards.
        """
        traits = self.traits()
        exact = torch.tensor([traits.low, traits.high], dtype=torch.float64)
        box = exact.to(torch.float32)
        outwards = torch.tensor([[-math.inf], [math.inf]]).expand_as(box)
        short = torch.stack([box[0].double() > exact[0], box[1].double() < exact[1]])
        return torch.where(short, torch.nextafter(box, outwards), box)

    @bounds.setter
    def bounds(self, value: Tensor) -> None:
        raise AttributeError(f"bounds of a {type(self).__name__} follow from its parameters, not set to {value}")

    @property
    def lipschitz(self) -> float:
        """An upper bound of the gradient's length; |value| ≤ lipschitz · distance everywhere."""
        return self.traits().lipschitz

    @lipschitz.setter
    def lipschitz(self, value: float) -> None:
        raise AttributeError(f"lipschitz of a {type(self).__name__} follows from its parameters, not set to {value}")

    @property
    def bounded(self) -> bool:
        """Whether the inside lies within the bounds, and these are finite."""
        traits = self.traits()
        return traits.side == 1 and all(map(math.isfinite, (*traits.low, *traits.high)))

    @property
    def exact_outside(self) -> bool:
        """Whether values outside are distances to the surface; otherwise they are bounds of them."""
        return self.traits().exact_outside

    @property
    def exact_inside(self) -> bool:
        """Whether values inside are distances to the surface, negative; otherwise they are bounds of them."""
        return self.traits().exact_inside

    @property
    def exact(self) -> bool:
        """Whether all values are distances to the surface."""
        traits = self.traits()
        return traits.exact_outside and traits.exact_inside

    def __or__(self, other: Shape) -> Shape:
        """What is in either."""
        return self.union(other)

    def __and__(self, other: Shape) -> Shape:
        """What is in both."""
        return self.intersection(other)

    def __sub__(self, other: Shape) -> Shape:
        """What is in this one but not in the other."""
        return self.difference(other)

    def __neg__(self) -> Shape:
        """Inside and outside change places."""
        from headviz.geometry.combine import Complement

        return Complement(self)

    __invert__ = __neg__

    def union(self, *others: Shape, smooth: Number = 0.0) -> Shape:
        """What is in any; see :class:`~headviz.geometry.combine.Union` for ``smooth``, metres."""
        from headviz.geometry.combine import Union

        return Union((self, *others), smooth)

    def intersection(self, *others: Shape, smooth: Number = 0.0) -> Shape:
        """What is in all; see :class:`~headviz.geometry.combine.Intersection` for ``smooth``, metres."""
        from headviz.geometry.combine import Intersection

        return Intersection((self, *others), smooth)

    def difference(self, *others: Shape, smooth: Number = 0.0) -> Shape:
        """What is in this one and in none of the others, the edge rounded over ``smooth`` metres."""
        return self.intersection(*(-other for other in others), smooth=smooth)

    def offset(self, distance: Number) -> Shape:
        """Grown by a distance in metres, or eroded by a negative one."""
        from headviz.geometry.combine import Offset

        return Offset(self, distance)

    def shell(self, thickness: Number) -> Shape:
        """The hollow wall of a thickness in metres whose middle is the surface."""
        from headviz.geometry.combine import Shell

        return Shell(self, thickness)

    def translate(self, *offset: Number | Vector) -> Shape:
        """Moved by a vector in metres, as one argument or as one per axis."""
        from headviz.geometry.transform import Translated

        return Translated(self, one_vector(offset))

    def rotate(self, axis: Axis | Vector, degrees: Number) -> Shape:
        """Turned about an axis through the origin, counter-clockwise seen from the axis' tip.

        In the plane the only axis is "z".
        """
        from headviz.geometry.transform import Rotated, rotation

        return Rotated(self, rotation(axis, degrees, self.dimension))

    def transform(self, matrix: Float[Tensor, "d d"]) -> Shape:
        """Turned by a rotation matrix (or reflected by an orthogonal one) of shape (d, d)."""
        from headviz.geometry.transform import Rotated

        return Rotated(self, matrix)

    def scale(self, factor: Number) -> Shape:
        """Enlarged by one factor about the origin; values stay distances."""
        from headviz.geometry.transform import Scaled

        return Scaled(self, factor)

    def stretch(self, *factors: Number | Vector) -> Shape:
        """Enlarged by one factor per axis about the origin; values become bounds."""
        from headviz.geometry.transform import Stretched

        return Stretched(self, one_vector(factors))

    def mirror(self, axis: Axis = "x") -> Shape:
        """The half on the positive side of an axis, and its mirror image."""
        from headviz.geometry.transform import Mirrored

        return Mirrored(self, axis)

    def repeat(self, spacing: Number | Vector, counts: int | Sequence[int | None] | None = None) -> Shape:
        """Copies on a lattice; see :class:`~headviz.geometry.repeat.Repeated`."""
        from headviz.geometry.repeat import Repeated

        return Repeated(self, spacing, counts)

    def elongate(self, *lengths: Number | Vector) -> Shape:
        """Cut at the origin and pulled apart by a length per axis, metres; values become bounds."""
        from headviz.geometry.transform import Elongated

        return Elongated(self, one_vector(lengths))

    def slice(self, axis: Axis = "x", position: Number = 0.0) -> Shape:
        """From space to the plane: the cut where a coordinate has a value; values become bounds."""
        from headviz.geometry.transform import Sliced

        return Sliced(self, axis, position)

    def extrude(self, height: Number) -> Shape:
        """From the plane to space: the shape from z = −height/2 to height/2, metres."""
        from headviz.geometry.transform import Extruded

        return Extruded(self, height)

    def revolve(self, outwards: Number = 0.0) -> Shape:
        """From the plane to space: the shape, moved by ``outwards`` along x, turned about the y axis."""
        from headviz.geometry.transform import Revolved

        return Revolved(self, outwards)


def length(*coordinates: Tensor) -> Tensor:
    """The length of vectors given axis by axis; its gradient at 0 is 0, not NaN."""
    return weighted_length(coordinates, (1.0,) * len(coordinates))


def weighted_length(coordinates: Sequence[Tensor], weights: Sequence[Number]) -> Tensor:
    """√(Σ wᵢ² xᵢ²), in one pass per axis where the weights are numbers; its gradient at 0 is 0, not NaN."""
    total = _tiny(coordinates[0].dtype, coordinates[0].device)
    for x, w in zip(coordinates, weights, strict=True):
        total = total + (x * w).square() if isinstance(w, Tensor) else torch.addcmul(total, x, x, value=w * w)
    return total.sqrt()


@cache  # making it takes as long as a pass over thousands of points
def _tiny(dtype: torch.dtype, device: torch.device) -> Tensor:
    with torch.inference_mode(False):
        return torch.tensor(_TINY, dtype=dtype, device=device)


def components(vector: Vector) -> tuple[Number, ...]:
    """A vector's numbers; those of a tensor keep their gradient."""
    return tuple(vector.unbind(0)) if isinstance(vector, Tensor) else tuple(vector)


def plain(vector: Vector) -> tuple[float, ...]:
    """A vector's numbers without their gradient."""
    return tuple(float(x.detach()) if isinstance(x, Tensor) else float(x) for x in components(vector))


def one_vector(arguments: Sequence[Number | Vector]) -> Vector:
    """A vector that was passed as one argument or as several."""
    if len(arguments) == 1 and not isinstance(arguments[0], int | float):
        only = arguments[0]
        return only if not isinstance(only, Tensor) or only.ndim else (only,)
    return tuple(x for x in arguments if isinstance(x, int | float | Tensor))


def minus(x: Tensor, offset: Number) -> Tensor:
    """``x − offset``, for nothing if the offset is the number 0."""
    return x if is_zero(offset) else x - offset


def is_zero(value: Number) -> bool:
    """Whether a parameter is the number 0; a tensor is not asked, it may become another."""
    return not isinstance(value, Tensor) and value == 0


def check_number(name: str, value: Number, *, positive: bool = False, least: float = -math.inf) -> float:
    """A parameter as a plain number, if it is finite and as large as asked.

    Raises:
        FieldError: it is not.
    """
    if isinstance(value, Tensor) and value.ndim:
        raise FieldError(f"{name} should be one number; it is a tensor of shape {tuple(value.shape)}")
    (number,) = plain((value,))
    wanted = "a positive number" if positive else "a number" if least == -math.inf else f"a number ≥ {least:g}"
    if not math.isfinite(number) or number < least or (positive and number <= 0):
        raise FieldError(f"{name} should be {wanted}; it is {number:g}")
    return number


def check_vector(name: str, value: Vector, dimension: int, *, positive: bool = False) -> tuple[float, ...]:
    """A parameter as plain numbers, if there are as many as axes and all are finite.

    Raises:
        FieldError: there are not, or they are not.
    """
    if isinstance(value, Tensor) and value.ndim != 1:
        raise FieldError(f"{name} should have shape ({dimension},); its shape is {tuple(value.shape)}")
    if len(value) != dimension:
        raise FieldError(f"{name} should be {dimension} numbers; there are {len(value)}")
    return tuple(check_number(f"{name}[{k}]", x, positive=positive) for k, x in enumerate(components(value)))
