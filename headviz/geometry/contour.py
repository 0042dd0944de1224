"""Marching squares: the lines on which samples in the plane take one value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped, UInt8
from torch import Tensor

from headviz.errors import FieldError, InputError, OptionError, ResolutionError, ShapeError
from headviz.geometry.polylines import chain_segments, polyline_areas, polyline_lengths

#: What may be done with the two inside corners of a cell whose corners alternate.
SADDLES = ("asymptotic", "join", "split")

#: One case of each class, and its segments as (from edge, to edge); inside corners of a saddle are kept apart.
REPRESENTATIVES: tuple[tuple[int, tuple[tuple[int, int], ...]], ...] = (
    (0b0000, ()),
    (0b0001, ((0, 3),)),
    (0b0011, ((1, 3),)),
    (0b0101, ((0, 3), (2, 1))),
)


@dataclass(frozen=True, eq=False)
class SquareTable:
    """The 16 cases of a cell. Corners and edges run counter-clockwise from (0, 0); y is up.

    Corner k is bit k of a case, set where the corner is inside.

    Attributes:
        corners: (x, y) of each corner in the unit cell, shape (4, 2).
        edges: the two corners of each edge, shape (4, 2): edge k joins corner k and the next one.
        classes: the class of each case under rotation and complement, shape (16,): its index in ``representatives``.
        representatives: one case of each class, shape (4,).
        ambiguous: cases whose corners alternate (5 and 10), shape (16,).
        crossed: edges on which the contour has a point, shape (16, 4).
        count: segments of each case, 0 to 2, shape (16,).
        segments: (from edge, to edge) of each segment, shape (2, 16, 2, 2), padded with −1; the first index is 1
            where the inside corners of a saddle are joined. Inside is on the left; by increasing first edge.
    """

    corners: Int[Tensor, "4 2"]
    edges: Int[Tensor, "4 2"]
    classes: Int[Tensor, "16"]
    representatives: Int[Tensor, "4"]
    ambiguous: Bool[Tensor, "16"]
    crossed: Bool[Tensor, "16 4"]
    count: Int[Tensor, "16"]
    segments: Int[Tensor, "2 16 2 2"]


@cache
def square_table() -> SquareTable:
    """The case table, generated from :data:`REPRESENTATIVES` by rotation and complement.

    A complement reverses the segments and swaps joined and kept apart: what is kept apart are now the outside corners.
    """
    segments = torch.full((2, 16, 2, 2), -1)
    classes = torch.zeros(16, dtype=torch.int64)
    for number, (case, lines) in enumerate(REPRESENTATIVES):
        for turn in range(4):
            turned = (case << turn | case >> (4 - turn)) & 15
            rotated = sorted(((a + turn) % 4, (b + turn) % 4) for a, b in lines)
            reverse = sorted((b, a) for a, b in rotated)
            classes[turned] = classes[15 - turned] = number
            for joined in (0,) if len(lines) == 2 else (0, 1):
                for row, (a, b) in enumerate(rotated):
                    segments[joined, turned, row] = torch.tensor((a, b))
                for row, (a, b) in enumerate(reverse):
                    segments[1 - joined, 15 - turned, row] = torch.tensor((a, b))
    corner = torch.arange(4)
    inside = (torch.arange(16)[:, None] >> corner & 1).bool()
    count = (segments[0, :, :, 0] >= 0).sum(1)
    return SquareTable(
        corners=torch.tensor([(0, 0), (1, 0), (1, 1), (0, 1)]),
        edges=torch.stack((corner, (corner + 1) % 4), 1),
        classes=classes,
        representatives=torch.tensor([case for case, _ in REPRESENTATIVES]),
        ambiguous=count == 2,
        crossed=inside != inside.roll(-1, 1),
        count=count,
        segments=segments,
    )


@dataclass(frozen=True, eq=False)
class ContourHistory:
    """What marching squares did, cell by cell: the a cells that the contour crosses, row by row.

    Corners and edges are numbered as in :class:`SquareTable`. Nothing here carries gradients.

    Attributes:
        cell: row and column of each cell, shape (a, 2).
        case: its case, shape (a,).
        values: its corner values, shape (a, 4).
        saddle: where its corners alternate, the bilinear value at the saddle minus the level, else NaN, shape (a,).
        joined: whether the inside corners of such a cell were joined, shape (a,).
        first: the index of its first segment in :attr:`Contour.segments`, shape (a,).
        count: how many segments it has, 1 or 2, shape (a,).
        points: the contour's point on each of its edges, −1 where there is none, shape (a, 4).
        fraction: where on each edge that point lies, as in :attr:`Contour.fraction`, else NaN, shape (a, 4).
    """

    cell: Int[Tensor, "a 2"]
    case: UInt8[Tensor, " a"]
    values: Float[Tensor, "a 4"]
    saddle: Float[Tensor, " a"]
    joined: Bool[Tensor, " a"]
    first: Int[Tensor, " a"]
    count: Int[Tensor, " a"]
    points: Int[Tensor, "a 4"]
    fraction: Float[Tensor, "a 4"]


@dataclass(frozen=True, eq=False)
class Contour:
    """The lines of one level: oriented segments, welded points, and the polylines that they form.

    Inside (value < level) is to the left of every segment with y up, so a line around an inside region runs
    counter-clockwise and has positive area. Where nothing is crossed all arrays are empty.

    Attributes:
        points: (x, y), shape (n, 2), in the units of the spacing; one per crossed grid edge, ordered by the
            edge's lower sample, x edge before y edge.
        segments: point indices (from, to), shape (m, 2), ordered by cell. A sample exactly at the level gives segments
            of length 0; they are kept, so that lines stay whole.
        polylines: point indices in order, in the order of their first point. A closed line begins with its least index
            and repeats it at the end; an open one runs from border to border.
        closed: which polylines are closed, shape (k,).
        case: case of each cell, bit k set where corner k is inside, shape (h − 1, w − 1).
        edges: the two samples between which each point lies, lower first, as indices row · w + column, shape (n, 2).
        fraction: how far each point is from the first to the second sample, 0 to 1, shape (n,).
        cell: the cell of each segment, index into ``case.reshape(-1)``, shape (m,).
        level: the level, rounded to the values' precision.
        spacing: distance of columns and of rows.
        origin: (x, y) of the first sample.
        history: cell by cell, if it was asked for.
    """

    points: Float[Tensor, "n 2"]
    segments: Int[Tensor, "m 2"]
    polylines: tuple[Int[Tensor, " _"], ...]
    closed: Bool[Tensor, " k"]
    case: UInt8[Tensor, "rows columns"]
    edges: Int[Tensor, "n 2"]
    fraction: Float[Tensor, " n"]
    cell: Int[Tensor, " m"]
    level: float
    spacing: tuple[float, float]
    origin: tuple[float, float]
    history: ContourHistory | None = None

    @property
    def length(self) -> Float[Tensor, " k"]:
        """Length of each polyline, shape (k,), in the units of the spacing; differentiable."""
        return polyline_lengths(self.points, self.polylines)

    @property
    def area(self) -> Float[Tensor, " k"]:
        """Signed area inside each closed polyline, NaN for open ones, shape (k,); differentiable.

        Positive around an inside region, negative around a hole.
        """
        return polyline_areas(self.points, self.polylines).where(self.closed, math.nan)


def marching_squares(
    values: Tensor | Shaped[np.ndarray, "..."],
    level: float = 0.0,
    *,
    spacing: float | tuple[float, float] = 1.0,
    origin: tuple[float, float] = (0, 0),
    saddle: str = "asymptotic",
    record: bool = False,
) -> Contour:
    """The lines on which samples on a grid take a level, by linear interpolation along the grid's edges.

    Sample (i, j), row i and column j, lies at x = origin[0] + spacing[0] · j, y = origin[1] + spacing[1] · i. Inside is
    value < level; a value equal to the level is outside. Cells with alternating corners are ambiguous: the asymptotic
    decider (G. Nielson and B. Hamann, "The asymptotic decider: resolving the ambiguity in marching cubes",
    Visualization 1991) joins the inside corners where the bilinear interpolant is inside at its saddle; a saddle
    exactly at the level is outside, like a corner, and keeps them apart. Points are differentiable in the values; which
    edges are crossed is not.

    Args:
        values: samples, shape (h, w), h and w at least 2, float32 or float64; an array is converted.
        level: the value sought; rounded to the values' precision. One that is taken nowhere gives an empty contour.
        spacing: distance of samples, one number or (columns, rows).
        origin: (x, y) of sample (0, 0).
        saddle: ``"asymptotic"``, or ``"join"`` or ``"split"`` for the inside corners of every ambiguous cell.
        record: whether the contour gets its history.

    Raises:
        ShapeError: the values have another shape, or spacing or origin another number of entries.
        FieldError: a value or the level is NaN or infinite, or of another type, or the values' range overflows.
        ResolutionError: the spacing is not positive and finite.
        OptionError: there is no such choice for saddles.
        InputError: the origin is not finite.
    """
    grid = _checked(values)
    steps, start = _placed(spacing, origin)
    if saddle not in SADDLES:
        raise OptionError(f"saddle should be one of {', '.join(SADDLES)}; it is {saddle!r}")
    if not math.isfinite(level := float(torch.tensor(level, dtype=grid.dtype))):
        raise FieldError(f"the level should be finite in {grid.dtype}; it is {level}")
    return _march(grid, level, (steps, start), saddle, record=record)


def _march(
    grid: Tensor, level: float, place: tuple[tuple[float, float], tuple[float, float]], saddle: str, *, record: bool
) -> Contour:
    """What :func:`marching_squares` does, for arguments that were checked."""
    steps, start = place
    flat, width = grid.reshape(-1), grid.shape[1]
    case = _cases(grid.detach(), level)
    cells, edges = _weld(case)
    fraction = _interpolate(flat[edges[:, 0]], flat[edges[:, 1]], level)
    column, row = edges[:, 0] % width, edges[:, 0] // width
    along = (edges[:, 1] - edges[:, 0] == 1).to(fraction)  # 1 on the edges along x
    x = start[0] + steps[0] * (column + along * fraction)
    y = start[1] + steps[1] * (row + (1 - along) * fraction)

    decision = _decide(cells, flat.detach(), width, level, saddle)
    segments, owner = _segments(cells, decision.joined)
    chains = chain_segments(segments, len(edges))
    lower = cells.sample[owner]
    return Contour(
        points=torch.stack((x, y), 1),
        segments=segments,
        polylines=chains.polylines,
        closed=chains.closed,
        case=case[:-1, :-1],
        edges=edges,
        fraction=fraction,
        cell=lower - lower // width,  # a row has one cell less than samples
        level=level,
        spacing=steps,
        origin=start,
        history=_history(cells, decision, flat.detach(), fraction.detach(), width) if record else None,
    )


class _Cells(NamedTuple):
    """The a cells that the contour crosses, row by row."""

    sample: Int[Tensor, " a"]  # index of corner 0 among the samples
    case: Int[Tensor, " a"]
    points: Int[Tensor, "a 4"]  # the point on each edge, or −1


class _Decision(NamedTuple):
    """What is done in ambiguous cells."""

    joined: Bool[Tensor, " a"]
    saddle: Float[Tensor, " a"]  # value at the saddle minus the level; NaN in other cells


def _checked(values: Tensor | Shaped[np.ndarray, "..."]) -> Tensor:
    """The values as a tensor of finite numbers, at least 2 × 2."""
    if (kind := str(values.dtype).removeprefix("torch.").strip("<>")) not in ("float32", "float64", "f4", "f8"):
        raise FieldError(f"values should be float32 or float64; they are {kind}")
    if not isinstance(values, Tensor):
        native = np.ascontiguousarray(values, values.dtype.newbyteorder("="))
        values = torch.from_numpy(native if native.flags.writeable else native.copy())
    if values.ndim != 2 or min(values.shape) < 2:
        raise ShapeError(f"values should have shape (h, w) with h and w at least 2; shape is {tuple(values.shape)}")
    low, high = values.detach().aminmax()
    if bool(torch.isfinite(high - low)):
        return values
    bad = (~torch.isfinite(values.detach())).nonzero()
    if not len(bad):
        raise FieldError(f"values should have a range that {values.dtype} can hold; they run from {low} to {high}")
    row, column = bad[0].tolist()
    raise FieldError(
        f"values should be finite; {len(bad)} of {values.numel()} are not, "
        f"the first is {float(values[row, column].detach())} at row {row}, column {column}"
    )


def _placed(
    spacing: float | tuple[float, float], origin: tuple[float, float]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Spacing and origin as checked pairs."""
    steps = tuple(spacing) if isinstance(spacing, Sequence) else (spacing, spacing)
    if len(steps) != 2 or len(origin) != 2:
        raise ShapeError(f"spacing and origin should have 2 entries; they have {len(steps)} and {len(origin)}")
    dx, dy, x, y = (float(number) for number in (*steps, *origin))
    if not (0 < dx < math.inf and 0 < dy < math.inf):
        raise ResolutionError(f"spacing should be positive and finite; it is ({dx}, {dy})")
    if not (math.isfinite(x) and math.isfinite(y)):
        raise InputError(f"origin should be finite; it is ({x}, {y})")
    return (dx, dy), (x, y)


def _cases(values: Float[Tensor, "h w"], level: float) -> UInt8[Tensor, "h w"]:
    """The case of the cell above and to the right of each sample.

    The last row and column are repeated once: the cells beyond them are not real, but have the grid's last edges.
    """
    height, width = values.shape
    inside = torch.empty(height + 1, width + 1, dtype=torch.bool, device=values.device)
    torch.lt(values, level, out=inside[:height, :width])
    inside[height] = inside[height - 1]
    inside[:, width] = inside[:, width - 1]
    corner = inside.view(torch.uint8)
    lower = torch.add(corner[:-1, :-1], corner[:-1, 1:], alpha=2)
    upper = torch.add(corner[1:, 1:], corner[1:, :-1], alpha=2)
    return lower.add_(upper, alpha=4)


def _weld(case: UInt8[Tensor, "h w"]) -> tuple[_Cells, Int[Tensor, "n 2"]]:
    """The cells that are crossed, with their points, and the edge of each point.

    A cell owns the points on its bottom and left edge. Cells come row by row, so its right edge is the left edge of the
    next cell, and the cells with a point on top are, in the same order, those below the cells with a point at the
    bottom: points are shared without a search.
    """
    height, width = case.shape
    sample = ((case + 1) & 14).view(-1).nonzero()[:, 0]  # neither case 0 nor case 15
    code = case.view(-1).index_select(0, sample).long()
    table = square_table().crossed.to(case.device)
    own = table[:, [0, 3]].index_select(0, code)
    number = own.view(-1).cumsum(0).view(-1, 2) - 1  # counts up to here: bottom before left, as edges are ordered
    not_first, not_last = sample >= width, sample < (height - 1) * width
    points = torch.stack((number[:, 0], number[:, 1].roll(-1), number[:, 0], number[:, 1]), 1)
    crossed = table.index_select(0, code)
    below = (crossed[:, 2] & not_last).nonzero()[:, 0]
    points[below, 2] = number[(crossed[:, 0] & not_first).nonzero()[:, 0], 0]
    points.masked_fill_(~crossed, -1)
    cell, axis = own.nonzero().unbind(1)
    lower = sample.index_select(0, cell)
    edges = torch.stack((lower, lower + 1 + axis * (width - 1)), 1)
    real = (not_last & (sample % width < width - 1)).nonzero()[:, 0]
    return _Cells(*(of_cell.index_select(0, real) for of_cell in (sample, code, points))), edges


def _interpolate(low: Float[Tensor, " n"], high: Float[Tensor, " n"], level: float) -> Float[Tensor, " n"]:
    """Where between two values the level lies, 0 to 1.

    From the nearer end, so that no digits are lost there, and the mirrored grid has the mirrored point. No
    quotient exceeds 1: one value is less than the level, the other is not, and rounding keeps the order of differences.
    """
    from_low, from_high = (low - level) / (low - high), (high - level) / (high - low)
    return torch.where(from_low <= from_high, from_low, 1 - from_high)


def _decide(cells: _Cells, flat: Float[Tensor, " s"], width: int, level: float, saddle: str) -> _Decision:
    """Whether the inside corners of ambiguous cells are joined, and the values at the saddles."""
    joined = torch.zeros_like(cells.case, dtype=torch.bool)
    value = flat.new_full((len(joined),), math.nan)
    ambiguous = square_table().ambiguous.to(flat.device)[cells.case].nonzero()[:, 0]
    corner = _corners(cells.sample[ambiguous], flat, width) - level
    # Scaled, for the products of tiny or huge values. All terms of the divisor have the same sign.
    scale = corner.abs().amax(1)
    a, b, c, d = (corner / scale[:, None]).unbind(1)
    found = (a * c - b * d) / ((a + c) - (b + d)) * scale
    value[ambiguous] = found
    joined[ambiguous] = found < 0 if saddle == "asymptotic" else torch.full_like(found, saddle == "join").bool()
    return _Decision(joined, value)


def _corners(sample: Int[Tensor, " a"], flat: Float[Tensor, " s"], width: int) -> Float[Tensor, "a 4"]:
    """The four values of cells, counter-clockwise."""
    return flat[sample[:, None] + torch.tensor((0, 1, width + 1, width), device=sample.device)]


def _segments(cells: _Cells, joined: Bool[Tensor, " a"]) -> tuple[Int[Tensor, "m 2"], Int[Tensor, " m"]]:
    """The segments by cell, and which of the cells each is in."""
    line = square_table().segments.to(joined.device)[joined.long(), cells.case]
    owner, row = (line[:, :, 0] >= 0).nonzero().unbind(1)
    return cells.points[owner[:, None], line[owner, row]], owner


def _history(
    cells: _Cells, decision: _Decision, flat: Float[Tensor, " s"], fraction: Float[Tensor, " n"], width: int
) -> ContourHistory:
    count = square_table().count.to(flat.device)[cells.case]
    on_edge = fraction.new_full(cells.points.shape, math.nan)
    on_edge[cells.points >= 0] = fraction[cells.points[cells.points >= 0]]
    return ContourHistory(
        cell=torch.stack((cells.sample // width, cells.sample % width), 1),
        case=cells.case.to(torch.uint8),
        values=_corners(cells.sample, flat, width),
        saddle=decision.saddle,
        joined=decision.joined,
        first=count.cumsum(0) - count,
        count=count,
        points=cells.points,
        fraction=on_edge,
    )
