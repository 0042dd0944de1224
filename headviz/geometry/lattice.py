"""Regular lattices in a box, and stores that keep values for a few of their points.

A lattice has points at integer coordinates. An octree asks for values at few of them, so they are kept either for a
coarse lattice in full, or in bricks: small full blocks, allocated where the surface may be. Looking a point up takes
two additions and one gather, without sorting or hashing.
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from typing import SupportsIndex

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from headviz.errors import BoundsError, ResolutionError, ShapeError
from headviz.geometry.field import CHUNK, Field, evaluate

#: More cells along one side than this are taken for a mistake.
MOST_CELLS = 1 << 14
#: Side of a brick in cells, by dimension.
BRICK = {2: 16, 3: 8}


@dataclass(frozen=True, eq=False)
class Lattice:
    """Points at origin + spacing · (i, j, k), 0 ≤ i ≤ cells[0] and so on.

    Attributes:
        origin: the first point, metres, shape (d,).
        spacing: side of a cell, metres; cells are cubes.
        cells: number of cells along each axis.
    """

    origin: Float[Tensor, " d"]
    spacing: float
    cells: tuple[int, ...]

    @property
    def points(self) -> int:
        """How many points there are."""
        return math.prod(n + 1 for n in self.cells)

    @property
    def bounds(self) -> Float[Tensor, "2 d"]:
        """First and last point, metres."""
        return torch.stack([self.origin, self.origin + self.spacing * self.origin.new_tensor(self.cells)])

    def positions(self, columns: list[Int[Tensor, " n"]]) -> Float[Tensor, "n d"]:
        """Where points are, metres, from one tensor of coordinates per axis.

        The result is a transposed view of contiguous columns, which is what shapes like best.
        """
        made = torch.empty(len(columns), len(columns[0]), dtype=self.origin.dtype, device=self.origin.device)
        for axis, column in enumerate(columns):
            torch.mul(column, self.spacing, out=made[axis]).add_(self.origin[axis])
        return made.T


def lattice_in(
    bounds: Shaped[Tensor, "2 d"] | Shaped[np.ndarray, "2 d"] | list[list[float]],
    resolution: SupportsIndex,
    *,
    margin: float = 0.0,
) -> Lattice:
    """The lattice of cubic cells that covers a box, ``resolution`` of them along its longest side, centred.

    Args:
        bounds: lower and upper corner, metres, shape (2, d).
        resolution: number of cells along the longest side, margin included.
        margin: width of a margin on every side, in cells; it keeps a surface that touches the box inside the lattice.

    Raises:
        BoundsError: the box is not finite or has no extent.
        ResolutionError: the resolution is not a number from 1 to 16,384.
        ShapeError: the box is neither in the plane nor in space.
    """
    bounds = torch.as_tensor(bounds)
    if not bounds.is_floating_point():
        bounds = bounds.to(torch.get_default_dtype())
    if bounds.shape not in ((2, 2), (2, 3)):
        raise ShapeError(f"bounds should have shape (2, 2) or (2, 3); shape is {tuple(bounds.shape)}")
    whole = not isinstance(resolution, bool) and hasattr(resolution, "__index__")
    across = operator.index(resolution) if whole else 0
    if not 1 <= across <= MOST_CELLS:
        raise ResolutionError(f"resolution should be a whole number from 1 to {MOST_CELLS}; got {resolution!r}")
    size = (bounds[1] - bounds[0]).double()
    if not bool(torch.isfinite(bounds).all()) or not float(size.min()) > 0:
        low, high = ([round(x, 6) for x in side.tolist()] for side in bounds)
        raise BoundsError(
            f"bounds should be a finite box with extent; they run from {low} to {high}; choose the box to look in"
        )
    spacing = float(size.max()) / max(across - 2 * margin, 0.5)
    cells = torch.ceil(size / spacing + 2 * margin - 1e-6).clamp(min=1, max=across)
    middle = bounds.double().mean(0)
    origin = (middle - spacing * cells / 2).to(bounds.dtype)
    return Lattice(origin, spacing, tuple(int(n) for n in cells))


class Store:
    """Values at some points of a lattice; NaN where nobody has asked yet.

    Attributes:
        lattice: where the points are.
        values: one number per slot, shape (slots,).
        evaluations: how often a field has been evaluated to fill slots.
    """

    def __init__(self, lattice: Lattice, slots: int) -> None:
        self.lattice = lattice
        self.values = torch.full((slots,), torch.nan, dtype=lattice.origin.dtype, device=lattice.origin.device)
        self.evaluations = 0

    def index(self, axes: list[Tensor]) -> Tensor:
        """Slots of points whose coordinates are given per axis; the tensors are broadcast against each other."""
        raise NotImplementedError

    def coordinates(self, slots: Int[Tensor, " n"]) -> list[Int[Tensor, " n"]]:
        """Coordinates of slots, one tensor per axis."""
        raise NotImplementedError

    def fill(self, field: Field, slots: Int[Tensor, " n"]) -> int:
        """Evaluate a field at those of the slots that have no value yet, each once.

        Returns:
            The number of evaluations.
        """
        wanted = torch.zeros(len(self.values), dtype=torch.bool, device=self.values.device)
        wanted.index_fill_(0, slots.long(), True)
        new = wanted.logical_and_(self.values.isnan()).nonzero()[:, 0]
        with torch.no_grad():  # a network would keep what its gradient needs
            for part in new.split(CHUNK):
                self.values[part] = evaluate(field, self.lattice.positions(self.coordinates(part))).to(self.values)
        self.evaluations += len(new)
        return len(new)


class CoarseStore(Store):
    """All points whose coordinates are multiples of a step, or the last along their axis."""

    def __init__(self, lattice: Lattice, step: int) -> None:
        self.step = step
        self.shape = [-(-n // step) + 1 for n in lattice.cells]
        super().__init__(lattice, math.prod(self.shape))

    def index(self, axes: list[Tensor]) -> Tensor:
        """Slots in row-major order."""
        slot = (axes[0] + (self.step - 1)) // self.step
        for axis, size in zip(axes[1:], self.shape[1:], strict=True):
            slot = slot * size + (axis + (self.step - 1)) // self.step
        return slot

    def coordinates(self, slots: Int[Tensor, " n"]) -> list[Int[Tensor, " n"]]:
        """Coordinates of slots, one tensor per axis."""
        columns = []
        for size, cells in zip(reversed(self.shape), reversed(self.lattice.cells), strict=True):
            columns.append((slots % size * self.step).clamp_(max=cells))
            slots = slots // size
        return columns[::-1]


class BrickStore(Store):
    """Points in bricks: cubes of 8 × 8 × 8 points (16 × 16 in the plane), in row-major order of bricks.

    Args:
        lattice: where the points are.
        cells: lower corners of the cells of one brick's size that are needed, shape (d, n); the layer of points that
            closes a brick belongs to its neighbours, which are allocated too.
    """

    def __init__(self, lattice: Lattice, cells: Int[Tensor, "d n"]) -> None:
        dimension = len(lattice.cells)
        self.side = BRICK[dimension]
        self.bits = self.side.bit_length() - 1
        self.shape = [n // self.side + 1 for n in lattice.cells]
        flags = torch.zeros([n + 1 for n in self.shape], dtype=torch.bool, device=cells.device)
        for corner in range(2**dimension):
            flags[tuple((cells[a].long() >> self.bits) + (corner >> a & 1) for a in range(dimension))] = True
        flags = flags[tuple(slice(0, n) for n in self.shape)]
        at = flags.nonzero()
        self.bricks = [(column << self.bits).to(torch.int32) for column in at.unbind(1)]
        self.volume = self.side**dimension
        self.table = torch.full((flags.numel(),), -1, dtype=torch.int32, device=cells.device)
        first = torch.arange(len(at), dtype=torch.int32, device=cells.device) * self.volume
        self.table[flags.reshape(-1).nonzero()[:, 0]] = first
        super().__init__(lattice, len(at) * self.volume)

    def index(self, axes: list[Tensor]) -> Tensor:
        """Slots; the points' bricks must be allocated."""
        mask = self.side - 1
        brick, local = axes[0] >> self.bits, axes[0] & mask
        for axis, size in zip(axes[1:], self.shape[1:], strict=True):
            brick = brick * size + (axis >> self.bits)
            local = (local << self.bits) + (axis & mask)
        return self.table.index_select(0, brick.reshape(-1)).reshape(brick.shape) + local

    def coordinates(self, slots: Int[Tensor, " n"]) -> list[Int[Tensor, " n"]]:
        """Coordinates of slots, one tensor per axis."""
        brick, mask, dimension = slots >> self.bits * len(self.bricks), self.side - 1, len(self.bricks)
        return [
            base.index_select(0, brick) + (slots >> self.bits * (dimension - 1 - axis) & mask)
            for axis, base in enumerate(self.bricks)
        ]

    def take_from(self, other: Store, axes: list[Tensor]) -> None:
        """Copy values of points, given as for :meth:`index`, from another store of the same lattice."""
        self.values[self.index(axes).long()] = other.values[other.index(axes).long()]


def corner_axes(
    cells: Int[Tensor, "d n"], offsets: Int[Tensor, " k"], limits: tuple[int, ...]
) -> list[Int[Tensor, "..."]]:
    """Coordinates of a block of points per cell, to be broadcast: for axis a a tensor (1, …, k, …, 1, n).

    Points beyond the last of the lattice are moved onto it. Cells run along the last dimension because that makes
    the rows that every operation works on long.
    """
    axes = []
    for axis, limit in enumerate(limits):
        shape = [1] * len(limits) + [cells.shape[1]]
        shape[axis] = len(offsets)
        axes.append((cells[axis] + offsets[:, None]).clamp_(max=limit).reshape(shape))
    return axes


def crossing(inside: Bool[Tensor, "*block n"]) -> Bool[Tensor, "*cells n"]:
    """Whether the corners of each cell differ, for blocks of points, one block per column."""
    some, every = inside, inside
    for axis in range(inside.ndim - 1):
        size = some.shape[axis] - 1
        some = some.narrow(axis, 0, size) | some.narrow(axis, 1, size)
        every = every.narrow(axis, 0, size) & every.narrow(axis, 1, size)
    return some & ~every
