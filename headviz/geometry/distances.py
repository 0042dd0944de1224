"""The formulas behind the primitive shapes, in the plane and in space, and what is known of their values.

They follow I. Quilez, "Distance functions" (https://iquilezles.org/articles/distfunctions), written so that gradients
are finite everywhere; the ellipsoid's bound is proven at :func:`ellipsoid_distance`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from headviz.errors import FieldError
from headviz.geometry.shape import (
    Number,
    Traits,
    Vector,
    check_number,
    length,
    minus,
    plain,
    unbounded,
    weighted_length,
)


def ellipsoid_distance(centred: Sequence[Tensor], radii: Sequence[Number]) -> Tensor:
    """A bound of the distance to an ellipse or ellipsoid, at coordinates relative to its centre.

    With k₀ = |p/r| and k₁ = |p/r²| it is (k₀ − 1)·k₀/k₁ outside: the distance to the supporting plane whose normal is
    p/r², n·p − h(n), and no supporting plane is further away than the surface. Inside it is (k₀ − 1)·min r, for k₀ is
    1/min r-Lipschitz and 1 on the surface. Of the two the larger one is always the right one.
    """
    inverse = [1 / r for r in radii]
    least = functools.reduce(smaller, radii)
    k0 = weighted_length(centred, inverse)
    k1 = weighted_length(centred, [least * w * w for w in inverse])  # times min r, so that k₀/k₁ ≥ 1, and 1 at 0
    excess = k0 - 1
    return least * torch.maximum(excess, excess * k0 / k1)


def ellipsoid_traits(center: Vector, radii: tuple[float, ...]) -> Traits:
    """Traits of an ellipse or ellipsoid."""
    round_ = min(radii) == max(radii)
    box = around(center, radii)
    growth = max(radii) / min(radii)
    return Traits(box.low, box.high, ellipsoid_lipschitz(radii), 1, round_, round_, growth)


@functools.lru_cache(1024)
def ellipsoid_lipschitz(radii: tuple[float, ...]) -> float:
    """The least Lipschitz constant of :func:`ellipsoid_distance`.

    Inside it is 1. Outside the gradient is (1 + c)·n − c·h²·R⁻²n with n the unit normal of the supporting plane,
    h² = Σ nᵢ²rᵢ² and c = 1 − 1/k₀ < 1. Its length is convex in c, so the supremum is at c = 0, where it is 1, or at
    c = 1. There its square is 4 − 4mA + m²B with m = Σ xᵢrᵢ², A = Σ xᵢ/rᵢ², B = Σ xᵢ/rᵢ⁴ and xᵢ = nᵢ² ≥ 0, Σ xᵢ = 1.
    For fixed m that is linear in x, so the maximum has at most two xᵢ that are not 0: for each pair of axes a cubic
    of one number in [0, 1] remains.
    """
    largest = 1.0
    for first in range(len(radii)):
        for second in range(first):
            largest = max(largest, _edge_maximum(radii[first] ** 2 / radii[second] ** 2))
    return math.sqrt(largest) if largest > 1 + 1e-9 else 1.0


def _edge_maximum(ratio: float) -> float:
    """The largest 4 − 4mA + m²B for x of the squared radius ``ratio`` and 1 − x of the squared radius 1."""
    m, a, b = (1.0, ratio - 1), (1.0, 1 / ratio - 1), (1.0, 1 / ratio**2 - 1)  # constants and slopes in x
    # The derivative, c₀ + c₁x + c₂x².
    c0 = -4 * (m[1] * a[0] + m[0] * a[1]) + 2 * m[0] * m[1] * b[0] + m[0] ** 2 * b[1]
    c1 = -8 * m[1] * a[1] + 2 * m[1] ** 2 * b[0] + 4 * m[0] * m[1] * b[1]
    c2 = 3 * m[1] ** 2 * b[1]
    root = math.sqrt(max(c1 * c1 - 4 * c0 * c2, 0.0))
    candidates = [0.0, 1.0] + ([(-c1 + root) / (2 * c2), (-c1 - root) / (2 * c2)] if c2 else [])
    found = 1.0
    for x in candidates:
        if 0 <= x <= 1:
            m0, a0, b0 = m[0] + m[1] * x, a[0] + a[1] * x, b[0] + b[1] * x
            found = max(found, 4 - 4 * m0 * a0 + m0 * m0 * b0)
    return found


def box_distance(centred: Sequence[Tensor], size: Sequence[Number], radius: Number) -> Tensor:
    """The distance to a rectangle or box, at coordinates relative to its centre."""
    return corner_distance(*(x.abs() - (s / 2 - radius) for x, s in zip(centred, size, strict=True)), radius=radius)


def corner_distance(*walls: Tensor, radius: Number = 0.0) -> Tensor:
    """The distance to the corner of perpendicular walls, given that to each wall, with a rounding added."""
    outside = length(*(x.relu() for x in walls))
    inside = functools.reduce(torch.maximum, walls).clamp_max(0)
    return minus(outside + inside, radius)


def capsule_distance(
    coordinates: Sequence[Tensor], start: Sequence[Number], end: Sequence[Number], radius: Number
) -> Tensor:
    """The distance to all that is within a radius of a line segment."""
    along = [b - a for a, b in zip(start, end, strict=True)]
    squared = sum(x * x for x in along) + 1e-30
    to = tuple(map(minus, coordinates, start))
    t = dot(to, [x / squared for x in along]).clamp(0, 1)
    return length(*(less(x, t, a) for x, a in zip(to, along, strict=True))) - radius


def plane_distance(coordinates: Sequence[Tensor], normal: Sequence[Number], offset: Number) -> Tensor:
    """The distance to a line in the plane or a plane in space, negative on the side that its normal leaves."""
    size = sum(x * x for x in normal) ** 0.5
    return minus(dot(coordinates, [x / size for x in normal]), offset)


def plane_traits(normal: tuple[float, ...], offset: float) -> Traits:
    """Traits of a half plane or half space; a normal along an axis bounds it on one side."""
    traits = unbounded(len(normal))
    axes = [k for k, x in enumerate(normal) if x]
    if len(axes) > 1:
        return traits
    (k,) = axes
    if normal[k] > 0:
        return replace(traits, high=(*traits.high[:k], offset, *traits.high[k + 1 :]))
    return replace(traits, low=(*traits.low[:k], -offset, *traits.low[k + 1 :]))


def around(center: Vector, half: Sequence[float], *, exact_inside: bool = True) -> Traits:
    """Traits of a shape that fills a box, given by its middle and half its size."""
    middle = plain(center)
    low = tuple(c - h for c, h in zip(middle, half, strict=True))
    high = tuple(c + h for c, h in zip(middle, half, strict=True))
    return Traits(low, high, exact_inside=exact_inside)


def hull(centers: Sequence[Vector], radii: Sequence[float]) -> Traits:
    """Traits of a shape that fills the box of some balls."""
    ends = [around(center, [radius] * len(plain(center))) for center, radius in zip(centers, radii, strict=True)]
    low = tuple(map(min, *(end.low for end in ends)))
    high = tuple(map(max, *(end.high for end in ends)))
    return Traits(low, high)


def check_rounding(size: Sequence[float], radius: Number) -> None:
    """Raise a FieldError unless a rounding fits into a box."""
    number = check_number("radius", radius, least=0.0)
    if number > min(size) / 2:
        raise FieldError(f"radius should be at most half the shortest edge, {min(size) / 2:g}; it is {number:g}")


def check_normal(normal: Sequence[float]) -> None:
    """Raise a FieldError unless a vector has a direction."""
    if not any(normal):
        raise FieldError(f"normal should not be zero; it is {tuple(normal)}")


def dot(coordinates: Sequence[Tensor], weights: Sequence[Number]) -> Tensor:
    """Σ wᵢ xᵢ in as few passes as there are weights that are not the number 0."""
    total: Tensor | None = None
    for x, w in zip(coordinates, weights, strict=True):
        if isinstance(w, Tensor):
            total = x * w if total is None else total + x * w
        elif w != 0:
            total = (x if w == 1 else x * w) if total is None else torch.add(total, x, alpha=w)
    return torch.zeros_like(coordinates[0]) if total is None else total


def less(x: Tensor, t: Tensor, a: Number) -> Tensor:
    """``x − t · a`` in one pass where it can be."""
    if isinstance(a, Tensor):
        return x - t * a
    return x if a == 0 else torch.sub(x, t, alpha=a)


def smaller(a: Number, b: Number) -> Number:
    """The lesser of two parameters."""
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        return torch.minimum(torch.as_tensor(a), torch.as_tensor(b))
    return min(a, b)
