"""Primitive shapes in the plane, siblings of those in space. Metres; values are exact distances except where said."""

from __future__ import annotations

from collections.abc import Sequence
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
    ellipsoid_distance,
    ellipsoid_traits,
    hull,
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

_ORIGIN = (0.0, 0.0)


@dataclass(frozen=True, eq=False)
class Circle(Shape):
    """A disc.

    Attributes:
        radius: metres.
        center: its middle, metres.
    """

    radius: Number
    center: Vector = _ORIGIN

    def __post_init__(self) -> None:
        check_number("radius", self.radius, positive=True)
        check_vector("center", self.center, 2)

    def at(self, *coordinates: Tensor) -> Tensor:
        """See :meth:`Shape.at`."""
        return length(*map(minus, coordinates, components(self.center))) - self.radius

    def traits(self) -> Traits:
        """See :meth:`Shape.traits`."""
        return around(self.center, plain((self.radius,)) * 2)


@dataclass(frozen=True, eq=False)
class Ellipse(Shape):
    """An ellipse along the axes; a bound, exact only where both radii are equal.

    Attributes:
        radii: metres.
        center: its middle, metres.
    """

    radii: Vector
    center: Vector = _ORIGIN

    def __post_init__(self) -> None:
        check_vector("radii", self.radii, 2, positive=True)
        check_vector("center", self.center, 2)

    def at(self, *coordinates: Tensor) -> Tensor:
        """See :meth:`Shape.at`."""
        return ellipsoid_distance(tuple(map(minus, coordinates, components(self.center))), components(self.radii))

    def traits(self) -> Traits:
        """See :meth:`Shape.traits`."""
        return ellipsoid_traits(self.center, plain(self.radii))


@dataclass(frozen=True, eq=False)
class Rectangle(Shape):
    """A rectangle along the axes, its corners rounded if asked; the size includes the rounding.

    Attributes:
        size: lengths of the edges, metres.
        center: its middle, metres.
        radius: of the rounding, metres, at most half the shorter edge.
    """

    size: Vector
    center: Vector = _ORIGIN
    radius: Number = 0.0

    def __post_init__(self) -> None:
        check_vector("center", self.center, 2)
        check_rounding(check_vector("size", self.size, 2, positive=True), self.radius)

    def at(self, *coordinates: Tensor) -> Tensor:
        """See :meth:`Shape.at`."""
        shifted = tuple(map(minus, coordinates, components(self.center)))
        return box_distance(shifted, components(self.size), self.radius)

    def traits(self) -> Traits:
        """See :meth:`Shape.traits`."""
        return around(self.center, [x / 2 for x in plain(self.size)])


@dataclass(frozen=True, eq=False)
class Ring(Shape):
    """A ring. If it is thicker than its hole is wide, the value is a bound inside.

    Attributes:
        major: from its middle to the middle of the band, metres.
        minor: half the width of the band, metres.
        center: its middle, metres.
    """

    major: Number
    minor: Number
    center: Vector = _ORIGIN

    def __post_init__(self) -> None:
        check_number("major", self.major, positive=True)
        check_number("minor", self.minor, positive=True)
        check_vector("center", self.center, 2)

    def at(self, *coordinates: Tensor) -> Tensor:
        """See :meth:`Shape.at`."""
        return (length(*map(minus, coordinates, components(self.center))) - self.major).abs() - self.minor

    def traits(self) -> Traits:
        """See :meth:`Shape.traits`."""
        major, minor = plain((self.major, self.minor))
        return around(self.center, (major + minor,) * 2, exact_inside=major >= minor)


@dataclass(frozen=True, eq=False)
class Segment(Shape):
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
        check_vector("start", self.start, 2)
        check_vector("end", self.end, 2)
        check_number("radius", self.radius, positive=True)

    def at(self, *coordinates: Tensor) -> Tensor:
        """See :meth:`Shape.at`."""
        return capsule_distance(coordinates, components(self.start), components(self.end), self.radius)

    def traits(self) -> Traits:
        """See :meth:`Shape.traits`."""
        return hull((self.start, self.end), plain((self.radius, self.radius)))


@dataclass(frozen=True, eq=False)
class HalfPlane(Shape):
    """All below a line.

    Attributes:
        normal: points out of the inside; of any length but 0.
        distance: of the line from the origin, in the direction of the normal, metres.
    """

    normal: Vector = (0.0, 1.0)
    distance: Number = 0.0

    def __post_init__(self) -> None:
        check_normal(check_vector("normal", self.normal, 2))
        check_number("distance", self.distance)

    def at(self, *coordinates: Tensor) -> Tensor:
        """See :meth:`Shape.at`."""
        return plane_distance(coordinates, components(self.normal), self.distance)

    def traits(self) -> Traits:
        """See :meth:`Shape.traits`."""
        return plane_traits(plain(self.normal), plain((self.distance,))[0])


@dataclass(frozen=True, eq=False)
class Polygon(Shape):
    """A polygon whose edges do not cross.

    Attributes:
        corners: at least three points, metres, in either sense of rotation, shape (k, 2).
    """

    corners: Sequence[Vector] | Tensor

    def __post_init__(self) -> None:
        if len(self.corners) < 3:
            raise FieldError(f"a polygon should have at least 3 corners; there are {len(self.corners)}")
        for k, corner in enumerate(self.corners):
            check_vector(f"corners[{k}]", corner, 2)
        _check_simple(self._corners().detach().double())

    def _corners(self) -> Tensor:
        if isinstance(self.corners, Tensor):
            return self.corners
        numbers = [components(corner) for corner in self.corners]
        return torch.stack([torch.stack([torch.as_tensor(x, dtype=torch.float64) for x in row]) for row in numbers])

    def at(self, *coordinates: Tensor) -> Tensor:
        """See :meth:`Shape.at`.

        Where the nearest point is within an edge, the edge's side decides the sign; where it is a corner, a convex
        one is seen from outside and a reflex one from inside.
        """
        x, y = (c.reshape(1, -1) for c in coordinates)
        start = self._corners()
        if float(_twice_area(start.detach())) < 0:
            start = start.flip(0)
        start = start.to(x)
        along = start.roll(-1, 0) - start
        turn = torch.sign(_cross(along.roll(1, 0), along)).detach()
        (ax, ay), (ex, ey) = start.T[..., None], along.T[..., None]
        to_x, to_y = x - ax, y - ay
        squared = ex * ex + ey * ey
        t = ((to_x * ex + to_y * ey) / squared).clamp(0, 1)
        distance = length(to_x - t * ex, to_y - t * ey)  # (k, n)
        nearest = distance.detach().argmin(0, keepdim=True)
        side = (to_x * ey - to_y * ex) / squared.sqrt()
        within = (t > 0) & (t < 1)
        corner = torch.where(t == 0, turn[:, None], turn.roll(-1, 0)[:, None])
        signed = torch.where(within, side, distance * corner)
        return signed.gather(0, nearest).reshape(coordinates[0].shape)

    def traits(self) -> Traits:
        """See :meth:`Shape.traits`."""
        corners = self._corners().detach()
        return Traits(tuple(corners.amin(0).tolist()), tuple(corners.amax(0).tolist()))


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _twice_area(corners: Tensor) -> Tensor:
    return _cross(corners, corners.roll(-1, 0)).sum()


def _check_simple(corners: Tensor) -> None:
    """Raise a FieldError if edges have no length, touch or cross."""
    start, end = corners, corners.roll(-1, 0)
    count = len(corners)
    if bool((start == end).all(1).any()):
        raise FieldError("corners of a polygon that follow each other should differ; some are equal")

    def side(p: Tensor) -> Tensor:
        """Of each edge's line (rows), on which side each point is."""
        return torch.sign(_cross((end - start)[:, None], p[None] - start[:, None]))

    # Two edges cross if the ends of each are not on one side of the other.
    splits = side(start) * side(end) <= 0
    index = torch.arange(count)
    gap = (index[:, None] - index[None]).abs()
    apart = (gap > 1) & (gap < count - 1)
    crossing = (splits & splits.T & apart).nonzero()
    boxes = torch.stack([torch.minimum(start, end), torch.maximum(start, end)])
    for i, j in crossing.tolist():
        if bool((boxes[0, i] <= boxes[1, j]).all() and (boxes[0, j] <= boxes[1, i]).all()):
            raise FieldError(f"edges of a polygon should not cross or touch; edges {i} and {j} do")
    if not abs(float(_twice_area(corners))) > 0:
        raise FieldError("a polygon should have an area; its corners lie on one line")


#: The shapes in lower case, for expressions such as ``circle(0.1) - rectangle(0.1, 0.05)``.
circle, ring, segment, half_plane, polygon = Circle, Ring, Segment, HalfPlane, Polygon


def ellipse(x: Number, y: Number, *, center: Vector = _ORIGIN) -> Ellipse:
    """An ellipse of two radii, metres."""
    return Ellipse((x, y), center)


def rectangle(x: Number, y: Number | None = None, *, center: Vector = _ORIGIN) -> Rectangle:
    """A rectangle of two edge lengths, metres; a square if there is one."""
    return Rectangle((x, x if y is None else y), center)


def rounded_rectangle(x: Number, y: Number, radius: Number, *, center: Vector = _ORIGIN) -> Rectangle:
    """A rectangle of two edge lengths, metres, that include the rounding of its corners."""
    return Rectangle((x, y), center, radius)


def triangle(a: Vector, b: Vector, c: Vector) -> Polygon:
    """A triangle of three corners, metres."""
    return Polygon((a, b, c))
