"""Quadtrees and octrees that a field drives: cells are split where its surface may be.

Cells are cubes of 2ᵏ lattice steps. A level takes all its cells at once: look up or evaluate the points at the
corners of their children, decide which children may hold some of the surface, go on with those. Points are shared by
all cells around them, on every level, and evaluated once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import cache

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from headviz.errors import FieldError, OptionError
from headviz.geometry.field import Field
from headviz.geometry.lattice import BRICK, BrickStore, CoarseStore, Lattice, Store, corner_axes, crossing

#: Ways to decide that a cell is empty.
PRUNE = ("lipschitz", "sign")

#: Cells along the longest side down to which ``prune="sign"`` splits without looking.
COARSEST = 32
#: Cells that are split at once; bounds the memory that a level needs.
BATCH = 1 << 18
#: Rounding of single precision in values, as a share of the distances that they are compared with.
SLACK = 1e-5


class Reason(IntEnum):
    """Why a cell was split, kept or dropped."""

    CROSSING = 0  #: its corners differ in sign: split, or on the finest level meshed
    NEAR = 1  #: its corners agree, but the Lipschitz bound cannot exclude the surface: split
    FORCED = 2  #: too coarse for its corners to mean anything: split without looking
    SAFE = 3  #: the Lipschitz bound excludes the surface: dropped, nothing is lost
    SAME_SIGN = 4  #: its corners agree in sign: dropped on that ground alone, a thin part may be lost
    EMPTY = 5  #: on the finest level, corners agree in sign: no surface at this resolution


@dataclass(frozen=True, eq=False)
class Level:
    """What happened on one level.

    Attributes:
        size: side of its cells in lattice steps; the finest level has 1.
        counts: number of cells by reason.
        evaluations: points evaluated for it.
        cells: lower corners of its cells, lattice coordinates, shape (n, d); only when recorded.
        reasons: a :class:`Reason` per cell, shape (n,); only when recorded.
    """

    size: int
    counts: dict[Reason, int]
    evaluations: int
    cells: Int[Tensor, "n d"] | None = None
    reasons: UInt8[Tensor, " n"] | None = None

    @property
    def total(self) -> int:
        """Number of cells looked at."""
        return sum(self.counts.values())


@dataclass(frozen=True, eq=False)
class Subdivision:
    """The finest cells that the surface passes through, and how they were found.

    Attributes:
        lattice: the points.
        levels: what happened, coarsest level first.
        cells: lower corners of the finest cells whose corners differ, shape (n, d).
        corners: indices into ``store.values`` of their corners, corner k at (k & 1, k >> 1 & 1, …), shape (n, 2ᵈ).
        store: values at all points of these cells, and at some others.
        evaluations: how many points were evaluated.
        coarse: values found on levels coarser than a brick.
    """

    lattice: Lattice
    levels: tuple[Level, ...]
    cells: Int[Tensor, "n d"]
    corners: Int[Tensor, "n k"]
    store: Store
    evaluations: int
    coarse: Store | None = None

    def known(self) -> tuple[list[Int[Tensor, " n"]], Float[Tensor, " n"]]:
        """All points with a value, as one tensor of coordinates per axis, and the values; some occur twice."""
        columns: list[list[Tensor]] = []
        values = []
        for store in (self.coarse, self.store):
            if store is not None:
                slots = (~store.values.isnan()).nonzero()[:, 0]
                columns.append(store.coordinates(slots))
                values.append(store.values[slots])
        return [torch.cat(column) for column in zip(*columns, strict=True)], torch.cat(values)


def subdivide(
    field: Field,
    lattice: Lattice,
    *,
    prune: str = "lipschitz",
    record: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Subdivision:
    """Find the finest cells of a lattice that the surface of a field passes through.

    Args:
        field: negative inside; in the plane or in space.
        lattice: points at whose spacing the surface is wanted.
        prune: "lipschitz" drops a cell when the values at its corners and the field's Lipschitz bound prove that the
            sign is the same everywhere in it. With a correct bound it finds exactly the cells that a full grid would
            show. "sign" drops a cell when its corners agree in sign, the classic heuristic, and may lose thin parts.
        record: keep the cells of all levels.
        progress: called with a line of text before each level.

    Raises:
        FieldError: a value is not finite, or ``prune="lipschitz"`` and the bound is not a finite number ≥ 0.
        OptionError: there is no such pruning.
    """
    if prune not in PRUNE:
        raise OptionError(f"prune should be one of {', '.join(PRUNE)}; it is {prune!r}")
    lipschitz = field.lipschitz
    if prune == "lipschitz" and not (math.isfinite(lipschitz) and lipschitz >= 0):
        raise FieldError(
            f"pruning by the Lipschitz bound needs a finite number; the field states {lipschitz}; "
            'measure the bound, or use prune="sign"'
        )
    return _Subdivider(field, lattice, prune, record, progress).run()


class _Subdivider:
    """One run over the levels."""

    def __init__(
        self, field: Field, lattice: Lattice, prune: str, record: bool, progress: Callable[[str], None] | None
    ) -> None:
        self.field, self.lattice, self.prune = field, lattice, prune
        self.lipschitz = field.lipschitz  # asked once: a composed shape works it out each time
        self.record, self.progress = record, progress
        self.dimension = len(lattice.cells)
        self.levels: list[Level] = []
        self.evaluations = 0

    def run(self) -> Subdivision:
        """All levels."""
        brick, most = BRICK[self.dimension], max(self.lattice.cells)
        size = 1 << (most - 1).bit_length()
        cells = torch.zeros(self.dimension, 1, dtype=torch.int32, device=self.lattice.origin.device)
        coarse = CoarseStore(self.lattice, brick) if size > brick else None
        store: Store = BrickStore(self.lattice, cells) if coarse is None else coarse
        cells, corners = self._level(store, cells, size, split=False)
        while size > 1:
            if size == brick and coarse is not None:
                bricks = BrickStore(self.lattice, cells)
                bricks.take_from(
                    coarse, corner_axes(cells, torch.tensor([0, brick], device=cells.device), self.lattice.cells)
                )
                store = bricks
            size //= 2
            cells, corners = self._level(store, cells, size, split=True)
        cells, corners = _in_order(cells, corners)
        return Subdivision(self.lattice, tuple(self.levels), cells, corners, store, self.evaluations, coarse)

    def _level(self, store: Store, parents: Tensor, size: int, *, split: bool) -> tuple[Tensor, Tensor]:
        """Look at the children of cells, or with ``split=False`` at the cells themselves.

        Returns:
            Lower corners of those that go on, (d, n), and on the finest level the slots of their corners, (2ᵈ, n).
        """
        if self.progress is not None:
            across = -(-max(self.lattice.cells) // size)
            self.progress(f"{across} cells across: {parents.shape[1]:,} to look into, {self.evaluations:,} evaluations")
        before = store.evaluations
        offsets = torch.arange(3 if split else 2, dtype=torch.int32, device=parents.device) * size
        parts: list[tuple[Tensor, ...]] = []
        for batch in parents.split(BATCH, 1):
            slots = store.index(corner_axes(batch, offsets, self.lattice.cells))
            store.fill(self.field, slots.reshape(-1))
            values = store.values.index_select(0, slots.reshape(-1)).reshape(slots.shape)
            parts.append(self._sort_out(batch, size, slots, values))
        spent = store.evaluations - before
        self.evaluations += spent
        cells, corners, seen, reasons = (torch.cat(part, -1) for part in zip(*parts, strict=True))
        counts = torch.bincount(reasons, minlength=len(Reason)).tolist()
        kept = (seen.T, reasons) if self.record else (None, None)
        self.levels.append(Level(size, {reason: counts[reason] for reason in Reason if counts[reason]}, spent, *kept))
        return cells, corners

    def _sort_out(self, parents: Tensor, size: int, slots: Tensor, values: Tensor) -> tuple[Tensor, ...]:
        """Decide about the children of a batch: cells and corners that go on, all cells if recording, all reasons."""
        block, count = values.shape[0], values.shape[-1]
        reason, exists = self._reasons(parents, size, values)
        keep = exists & (reason <= (Reason.CROSSING if size == 1 else Reason.FORCED))
        parent, child = keep.T.contiguous().nonzero(as_tuple=True)  # parent by parent, as the bricks lie
        offsets = _child_offsets(block - 1, self.dimension, parents.device) * size
        cells = parents.index_select(1, parent) + offsets.index_select(1, child)
        corners = slots.new_zeros(0, len(parent))
        if size == 1:
            corners = _gather_corners(slots, block, count, parent, child)
        seen = cells[:, :0]
        if self.record:
            every, which = exists.T.contiguous().nonzero(as_tuple=True)
            seen = parents.index_select(1, every) + offsets.index_select(1, which)
        return cells, corners, seen, reason.T[exists.T]

    def _reasons(self, parents: Tensor, size: int, values: Tensor) -> tuple[Tensor, Tensor]:
        """A :class:`Reason` per child, and whether the child lies in the lattice: both of shape (children, n)."""
        block, count = values.shape[0], values.shape[-1]
        crosses = crossing(values < 0).flatten(0, -2)
        exists = torch.ones_like(crosses)
        for axis, (offsets, cells) in enumerate(
            zip(_child_offsets(block - 1, self.dimension, parents.device), self.lattice.cells, strict=True)
        ):
            if cells % (size * (block - 1)):
                exists &= parents[axis] + (offsets * size)[:, None] < cells
        reason = torch.full_like(crosses, self._otherwise(size), dtype=torch.uint8)
        if self.prune == "lipschitz" and size > 1:
            parent, child = (exists & ~crosses).T.contiguous().nonzero(as_tuple=True)
            corners = _gather_corners(values, block, count, parent, child)
            reach = self.lipschitz * self.lattice.spacing * size * (1 + SLACK)
            safe = excludes_surface(corners.abs(), reach)
            reason[child, parent] = Reason.NEAR + (Reason.SAFE - Reason.NEAR) * safe.to(torch.uint8)
        return reason.masked_fill_(crosses, Reason.CROSSING), exists

    def _otherwise(self, size: int) -> Reason:
        """What holds for a cell whose corners agree in sign, before the Lipschitz bound is asked."""
        if size == 1:
            return Reason.EMPTY
        if max(self.lattice.cells) < COARSEST * size:
            return Reason.FORCED
        return Reason.SAME_SIGN


def subdivide_everywhere(
    field: Field, lattice: Lattice, *, record: bool = False, progress: Callable[[str], None] | None = None
) -> Subdivision:
    """The same as :func:`subdivide` by evaluating the field at every point of the lattice: one level, no pruning."""
    if progress is not None:
        progress(f"{max(lattice.cells)} cells across: {lattice.points:,} evaluations")
    grid = CoarseStore(lattice, 1)
    evaluations = grid.fill(field, torch.arange(len(grid.values), device=grid.values.device))
    crosses = crossing((grid.values < 0).reshape(*grid.shape, 1))[..., 0]
    cells = crosses.nonzero().to(torch.int32).T
    counts = {Reason.CROSSING: cells.shape[1], Reason.EMPTY: crosses.numel() - cells.shape[1]}
    every = torch.ones_like(crosses).nonzero().to(torch.int32) if record else None
    reasons = torch.where(crosses, Reason.CROSSING, Reason.EMPTY).to(torch.uint8).reshape(-1) if record else None
    store = BrickStore(lattice, cells)
    axes = corner_axes(cells, torch.arange(2, dtype=torch.int32, device=cells.device), lattice.cells)
    store.take_from(grid, axes)
    corners = store.index(axes)
    dimension = len(lattice.cells)
    corners = corners.permute(*reversed(range(dimension)), dimension).reshape(2**dimension, -1)
    found, slots = _in_order(cells, corners)
    level = Level(1, {reason: count for reason, count in counts.items() if count}, evaluations, every, reasons)
    return Subdivision(lattice, (level,), found, slots, store, evaluations, None if len(found) else grid)


def lost_cells(found: Subdivision, safe: Subdivision) -> tuple[Int[Tensor, "n d"], Int[Tensor, " n"]]:
    """What one subdivision of a lattice lacks of another.

    Returns:
        Lower corners of the cells that only ``safe`` has, and for each the connected piece it belongs to (cells that
        share a corner are connected), counted from 0.
    """
    from scipy.ndimage import label

    sizes = torch.tensor(found.lattice.cells, device=found.cells.device)
    strides = torch.cat([sizes[1:].flip(0).cumprod(0).flip(0), sizes.new_ones(1)])
    only = ~torch.isin((safe.cells * strides).sum(1), (found.cells * strides).sum(1))
    cells = safe.cells[only]
    if not len(cells):
        return cells, torch.zeros(0, dtype=torch.int64, device=cells.device)
    low = cells.amin(0)
    box = torch.zeros(*(cells.amax(0) - low + 1).tolist(), dtype=torch.bool)
    at = tuple((cells - low).long().cpu().T)
    box[at] = True
    parts, _ = label(box.numpy(), structure=torch.ones([3] * len(low)).numpy())
    return cells, torch.from_numpy(parts)[at].to(cells.device) - 1


@cache
def _child_offsets(children: int, dimension: int, device: torch.device) -> Int[Tensor, "d children"]:
    """Lower corners of the children in a block, in units of their size."""
    steps = torch.arange(children, dtype=torch.int32, device=device)
    return torch.stack([axis.reshape(-1) for axis in torch.meshgrid(*[steps] * dimension, indexing="ij")])


def _gather_corners(points: Tensor, block: int, count: int, parent: Tensor, child: Tensor) -> Tensor:
    """What belongs to the corners of some children, (2ᵈ, m), from blocks of points, (block, …, block, count).

    Corner k is at (k & 1, k >> 1 & 1, …).
    """
    dimension = points.ndim - 1
    lower = _child_offsets(block - 1, dimension, points.device)
    strides = [block ** (dimension - 1 - axis) * count for axis in range(dimension)]
    first = sum(row * stride for row, stride in zip(lower.long(), strides, strict=True)).index_select(0, child) + parent
    steps = [sum(stride for axis, stride in enumerate(strides) if k >> axis & 1) for k in range(2**dimension)]
    flat = points.reshape(-1)
    return torch.stack([flat.index_select(0, first + step) for step in steps])


def _in_order(cells: Tensor, corners: Tensor) -> tuple[Tensor, Tensor]:
    """Finest cells, (n, d) and (n, 2ᵈ), in the order of their first corners' slots, whatever way they were found."""
    order = corners[0].argsort()
    return cells.index_select(1, order).T, corners.index_select(1, order).T


def excludes_surface(distance: Float[Tensor, "corners n"], reach: float) -> Bool[Tensor, " n"]:
    """Whether |f| at the corners of cubic cells proves that f has one sign in each of them.

    f cannot vanish within |f| / L of a corner. A cell is safe if each of its octants lies in one of these balls: the
    octant that belongs to corner j reaches √((d − h)/4 + h) sides away from a corner that differs from j in h
    coordinates. This is sharper than asking the centre alone (|f| > L·√d/2 sides), and needs no evaluation of its own.

    Args:
        distance: |f| at the corners, metres, corner k at (k & 1, k >> 1 & 1, …).
        reach: the Lipschitz bound times the side of the cells, metres.
    """
    corners = len(distance)
    dimension = corners.bit_length() - 1
    far = [reach * math.sqrt((dimension - differ) / 4 + differ) for differ in range(dimension + 1)]
    safe = None
    for octant in range(corners):
        covered = distance[octant] > far[0]
        for corner in range(corners):
            if corner != octant:
                covered |= distance[corner] > far[(corner ^ octant).bit_count()]
        safe = covered if safe is None else safe & covered
    assert safe is not None
    return safe
