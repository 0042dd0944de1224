"""Primitive shapes in space. Metres, y up; values are exact distances except where said."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from headviz.errors import FieldError
from headviz.geometry.distances import (
    around,
    box_distance,
    capsule_distance,
    check_normal,
    check_rounding,
    corner_distance,
    dot,
    ellipsoid_distance,
    ellipsoid_traits,
    hull,
    less,
    plane_distance,
    plane_traits,
)
from headviz.geometry.shape import (
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
)

_ORIGIN = (0.0, 0.0, 0.0)


@dataclass(frozen=True, eq=False)
class Sphere(Shape):
    """A ball.

    Attributes:
        radius: metres.
        center: its middle, metres.
    """

    radius: Number
    center: Vector = _ORIGIN

    def __post_init__(self) -> None:
        check_number("radius", self.radius, positive=True)
        check_vector("center", self.center, 3)

    def at(self, *coordinates: Tensor) -> Tensor:
        """See :meth:`Shape.at`."""
        return length(*map(minus, coordinates, components(self.center))) - self.radius

    def traits(self) -> Traits:
        """See :meth:`Shape.traits`."""
        return around(self.center, plain((self.radius,)) * 3)


@dataclass(frozen=True, eq=False)
class Ellipsoid(Shape):
    """An ellipsoid along the axes; a bound, exact only where all radii are equal.

    Attributes:
        radii: metres.
        center: its middle, metres.
    """

    radii: Vector
    center: Vector = _ORIGIN

    def __post_init__(self) -> None:
        check_vector("radii", self.radii, 3, positive=True)
        check_vector("center", self.center, 3)

    def at(self, *coordinates: Tensor) -> Tensor:
        """See :meth:`Shape.at`."""
        return ellipsoid_distance(tuple(map(minus, coordinates, components(self.center))), components(self.radii))

    def traits(self) -> Traits:
        """See :meth:`Shape.traits`."""
        return ellipsoid_traits(self.center, plain(self.radii))


@dataclass(frozen=True, eq=False)
class Box(Shape):
    """A box along the axes, its edges rounded if asked; the size includes the rounding.

    Attributes:
        size: lengths of the edges, metres.
        center: its middle, metres.
        radius: of the rounding, metres, at most half the shortest edge.
    """

    size: Vector
    center: Vector = _ORIGIN
    radius: Number = 0.0

    def __post_init__(self) -> None:
        check_vector("center", self.center, 3)
        check_rounding(check_vector("size", self.size, 3, positive=True), self.radius)

    def at(self, *coordinates: Tensor) -> Tensor:
        """See :meth:`Shape.at`."""
        shifted = tuple(map(minus, coordinates, components(self.center)))
        return box_distance(shifted, components(self.size), self.radius)

    def traits(self) -> Traits:
        """See :meth:`Shape.traits`."""
        return around(self.center, [x / 2 for x in plain(self.size)])


@dataclass(frozen=True, eq=False)
class Torus(Shape):
    """A ring about the y axis. If it is thicker than its hole is wide, the value is a bound inside.

    Attributes:
        major: from the middle of the ring to the middle of its tube, metres.
        minor: radius of the tube, metres.
        center: its middle, metres.
    """

    major: Number
    minor: Number
    center: Vector = _ORIGIN

    def __post_init__(self) -> None:
        check_number("major", self.major, positive=True)
        check_number("minor", self.minor, positive=True)
        check_vector("center", self.center, 3)

    def at(self, *coordinates: Tensor) -> Tensor:
        """See :meth:`Shape.at`."""
        x, y, z = map(minus, coordinates, components(self.center))
        return length(length(x, z) - self.major, y) - self.minor

    def traits(self) -> Traits:
        """See :meth:`Shape.traits`."""
        major, minor = plain((self.major, self.minor))
        return around(self.center, (major + minor, minor, major + minor), exact_inside=major >= minor)


@dataclass(frozen=True, eq=False)
class Capsule(Shape):
    """All points within a radius of a line segment.

    Attributes:
        start: one end of the segment, metres.
        end: its other end, metres.
        radius: metres.
    """

    start: Vector
    end: Vector
    radius: Number

    def __post_init__(self) -> None:
        check_vector("start", self.start, 3)
        check_vector("end", self.end, 3)
        check_number("radius", self.radius, positive=True)

    def at(self, *coordinates: Tensor) -> Tensor:
        """See :meth:`Shape.at`."""
        return capsule_distance(coordinates, components(self.start), components(self.end), self.radius)

    def traits(self) -> Traits:
        """See :meth:`Shape.traits`."""
        return hull((self.start, self.end), plain((self.radius, self.radius)))


@dataclass(frozen=True, eq=False)
class RoundedCone(Shape):
    """The convex hull of two balls, none of which contains the other.

    Attributes:
        start: middle of the first ball, metres.
        end: middle of the second ball, metres.
        start_radius: metres.
        end_radius: metres.
    """

    start: Vector
    end: Vector
    start_radius: Number
    end_radius: Number

    def __post_init__(self) -> None:
        start, end = check_vector("start", self.start, 3), check_vector("end", self.end, 3)
        first = check_number("start_radius", self.start_radius, positive=True)
        second = check_number("end_radius", self.end_radius, positive=True)
        if math.dist(start, end) <= abs(first - second):
            raise FieldError(
                "a rounded cone's ends should be further apart than their radii differ, "
                f"else one ball contains the other; {math.dist(start, end):g} is not more than {abs(first - second):g}"
            )

    def at(self, *coordinates: Tensor) -> Tensor:
        """See :meth:`Shape.at`. The least |p − c(t)| − r(t) of all balls between the two; t has a closed form."""
        start, end = components(self.start), components(self.end)
        along = [b - a for a, b in zip(start, end, strict=True)]
        size = sum(x * x for x in along) ** 0.5
        unit = [x / size for x in along]
        shrink = self.start_radius - self.end_radius
        slope = shrink / (size * size - shrink * shrink) ** 0.5
        to = tuple(map(minus, coordinates, start))
        height = dot(to, unit)
        across = length(*(less(x, height, a) for x, a in zip(to, unit, strict=True)))
        t = (less(height, across, slope) / size).clamp(0, 1)
        return length(across, less(height, t, size)) + t * shrink - self.start_radius

    def traits(self) -> Traits:
        """See :meth:`Shape.traits`."""
        return hull((self.start, self.end), plain((self.start_radius, self.end_radius)))


@dataclass(frozen=True, eq=False)
class Cylinder(Shape):
    """A cylinder along y.

    Attributes:
        radius: metres.
        height: metres.
        center: its middle, metres.
    """

    radius: Number
    height: Number
    center: Vector = _ORIGIN

    def __post_init__(self) -> None:
        check_number("radius", self.radius, positive=True)
        check_number("height", self.height, positive=True)
        check_vector("center", self.center, 3)

    def at(self, *coordinates: Tensor) -> Tensor:
        """See :meth:`Shape.at`."""
        x, y, z = map(minus, coordinates, components(self.center))
        return corner_distance(length(x, z) - self.radius, y.abs() - self.height / 2)

    def traits(self) -> Traits:
        """See :meth:`Shape.traits`."""
        radius, height = plain((self.radius, self.height))
        return around(self.center, (radius, height / 2, radius))


@dataclass(frozen=True, eq=False)
class Cone(Shape):
    """A cone along y, with its tip up, or cut off where its radius is ``top``.

    Attributes:
        radius: at the bottom, metres.
        height: metres.
        top: radius at the top, metres, may be 0.
        center: the middle of its axis, metres.
    """

    radius: Number
    height: Number
    top: Number = 0.0
    center: Vector = _ORIGIN

    def __post_init__(self) -> None:
        check_number("radius", self.radius, positive=True)
        check_number("height", self.height, positive=True)
        check_number("top", self.top, least=0.0)
        check_vector("center", self.center, 3)

    def at(self, *coordinates: Tensor) -> Tensor:
        """See :meth:`Shape.at`. In the half plane of radius and height: a side and two caps."""
        x, y, z = map(minus, coordinates, components(self.center))
        across, half = length(x, z), self.height / 2
        lean = self.top - self.radius
        side = (lean * lean + self.height * self.height) ** 0.5
        # Coordinates along the side, from its middle, and away from it.
        out = across - (self.radius + self.top) / 2
        along = (out * lean + y * self.height) / side
        away = (out * self.height - y * lean) / side
        cap = y.abs() - half
        rim = torch.where(y < 0, across - self.radius, minus(across, self.top)).relu()
        past = (along.abs() - side / 2).relu()
        outside = torch.minimum(past.square() + away.square(), rim.square() + cap.square())
        inside = torch.maximum(away, cap)
        return torch.where(inside <= 0, inside, (outside + 1e-30).sqrt())

    def traits(self) -> Traits:
        """See :meth:`Shape.traits`."""
        radius, height, top = plain((self.radius, self.height, self.top))
        widest = max(radius, top)
        return around(self.center, (widest, height / 2, widest))


@dataclass(frozen=True, eq=False)
class Plane(Shape):
    """The half space below a plane.

    Attributes:
        normal: points out of the inside; of any length but 0.
        distance: of the plane from the origin, in the direction of the normal, metres.
    """

    normal: Vector = (0.0, 1.0, 0.0)
    distance: Number = 0.0

    def __post_init__(self) -> None:
        check_normal(check_vector("normal", self.normal, 3))
        check_number("distance", self.distance)

    def at(self, *coordinates: Tensor) -> Tensor:
        """See :meth:`Shape.at`."""
        return plane_distance(coordinates, components(self.normal), self.distance)

    def traits(self) -> Traits:
        """See :meth:`Shape.traits`."""
        return plane_traits(plain(self.normal), plain((self.distance,))[0])


#: The shapes in lower case, for expressions such as ``sphere(0.1) | box(0.2, 0.1, 0.1)``.
sphere, torus, capsule, rounded_cone = Sphere, Torus, Capsule, RoundedCone
cylinder, cone, plane = Cylinder, Cone, Plane


def ellipsoid(x: Number, y: Number, z: Number, *, center: Vector = _ORIGIN) -> Ellipsoid:
    """An ellipsoid of three radii, metres."""
    return Ellipsoid((x, y, z), center)


def box(x: Number, y: Number | None = None, z: Number | None = None, *, center: Vector = _ORIGIN) -> Box:
    """A box of three edge lengths, metres; what is left out is as long as the one before it."""
    y = x if y is None else y
    return Box((x, y, y if z is None else z), center)


def rounded_box(x: Number, y: Number, z: Number, radius: Number, *, center: Vector = _ORIGIN) -> Box:
    """A box of three edge lengths, metres, that include the rounding of its edges."""
    return Box((x, y, z), center, radius)
