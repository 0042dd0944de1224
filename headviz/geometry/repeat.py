"""Shapes repeated on a lattice."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce

import torch
from torch import Tensor

from headviz.errors import FieldError
from headviz.geometry.shape import Number, Shape, Traits, Vector, check_vector, components, plain


@dataclass(frozen=True, eq=False)
class Repeated(Shape):
    """Copies of a bounded shape on a lattice, each in a cell of its own, centred about the shape.

    The nearest copy is the one in the point's cell or a neighbour on the side of the cell where the point is, so two
    copies per axis are evaluated. That is proven for distances; where the shape's values are only bounds, a copy
    further away might have the lesser one. Then values are cut at what all other copies are known to exceed, so that
    the field stays continuous, a bound, and as steep as before.

    Attributes:
        shape: what is repeated; its box must fit into a cell.
        spacing: size of a cell, metres, one number or one per axis; 0 does not repeat along this axis.
        counts: how many copies, one number or one per axis; ``None`` goes on for ever. Copies are put symmetrically
            about the original.
    """

    shape: Shape
    spacing: Number | Vector
    counts: int | Sequence[int | None] | None = None

    def __post_init__(self) -> None:
        traits = self.shape.traits()
        spacing = check_vector("spacing", self._spacing(traits.dimension), traits.dimension)
        if traits.side != 1:
            raise FieldError("a shape that is repeated should be bounded; this one is a complement")
        counts = self._counts(traits.dimension)
        if any(count is not None and count < 1 for count in counts):
            raise FieldError(f"counts should be at least 1; they are {counts}")
        if len(counts) != traits.dimension:
            raise FieldError(f"counts should be {traits.dimension} numbers; there are {len(counts)}")
        size = tuple(high - low for low, high in zip(traits.low, traits.high, strict=True))
        if any(s < 0 or 0 < s < w for s, w in zip(spacing, size, strict=True)):
            raise FieldError(f"spacing should be at least the shape's size, {size}, or 0; it is {spacing}")

    def _spacing(self, dimension: int) -> Vector:
        if isinstance(self.spacing, int | float) or (isinstance(self.spacing, Tensor) and not self.spacing.ndim):
            return (self.spacing,) * dimension
        return self.spacing

    def _counts(self, dimension: int) -> tuple[int | None, ...]:
        counts = self.counts
        return (counts,) * dimension if counts is None or isinstance(counts, int) else tuple(counts)

    def at(self, *coordinates: Tensor) -> Tensor:
        """See :meth:`Shape.at`."""
        traits = self.shape.traits()
        dimension = traits.dimension
        lattice = zip(components(self._spacing(dimension)), self._counts(dimension), strict=True)
        choices, caps = [], []
        for x, (spacing, count), low, high in zip(coordinates, lattice, traits.low, traits.high, strict=True):
            (size,) = plain((spacing,))
            if count == 1 or not size:
                choices.append([x])
                continue
            middle = (low + high) / 2
            own, other = _cells(x.detach(), middle, size, count)
            choices.append([x - own * spacing, x - other * spacing])
            caps.append((choices[-1][0] - middle).abs() + spacing / 2)  # to the nearest cell that is left out
        values = [self.shape.at(*point) for point in itertools.product(*choices)]
        if caps and not traits.exact_outside:
            values.append(torch.maximum(reduce(torch.minimum, caps), self._beyond(coordinates)) / traits.growth)
        return reduce(torch.minimum, values)

    def _beyond(self, coordinates: Sequence[Tensor]) -> Tensor:
        """How far points are, along the axis where that is most, from the box of all copies; negative inside."""
        traits = self.traits()
        sides = zip(coordinates, traits.low, traits.high, strict=True)
        return reduce(torch.maximum, (torch.maximum(low - x, x - high) for x, low, high in sides))

    def traits(self) -> Traits:
        """See :meth:`Shape.traits`."""
        traits = self.shape.traits()
        spacing, counts = plain(self._spacing(traits.dimension)), self._counts(traits.dimension)
        reach = [_reach(s, count) for s, count in zip(spacing, counts, strict=True)]
        size = [high - low for low, high in zip(traits.low, traits.high, strict=True)]
        # Touching copies bury the wall between them.
        apart = all(w < s or not r for w, s, r in zip(size, spacing, reach, strict=True))
        return replace(
            traits,
            low=tuple(x - r for x, r in zip(traits.low, reach, strict=True)),
            high=tuple(x + r for x, r in zip(traits.high, reach, strict=True)),
            lipschitz=traits.lipschitz if traits.exact_outside else max(traits.lipschitz, 1 / traits.growth),
            exact_inside=traits.exact_inside and traits.exact_outside and apart,
        )


def _cells(x: Tensor, middle: float, spacing: float, count: int | None) -> tuple[Tensor, Tensor]:
    """The numbers of the cell that a coordinate is in and of the neighbour on its side, 0 in the middle."""
    shift = 0.0 if count is None else (count - 1) / 2  # an even number of copies has no one in the middle
    place = (x - middle) / spacing + shift
    own = place.round() if count is None else place.round().clamp(0, count - 1)
    other = own + torch.where(place < own, -1.0, 1.0).to(x)
    if count is not None:
        other = other.clamp(0, count - 1)
    return own - shift, other - shift


def _reach(spacing: float, count: int | None) -> float:
    if not spacing or count == 1:
        return 0.0
    return math.inf if count is None else spacing * (count - 1) / 2
