"""What marching squares starts from, as a record: samples at several resolutions, the case table, and the errors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from headviz.errors import BoundsError, ResolutionError, ShapeError
from headviz.geometry.contour import Contour, marching_squares, square_table
from headviz.geometry.field import Field
from headviz.viewers.record import Record, array
from headviz.viewers.slices import KEPT, Box, Slice, slice_field

#: Numbers of cells along the longer side between which a page can choose.
SIZES = (4, 8, 12, 16, 24, 32, 48, 64, 96, 128)
#: More cells along a side than this cannot be stepped through.
MOST = 512
#: Cells along the longer side of the grid that stands for the truth; every second of its samples is drawn.
TRUTH, THIN = 512, 2
#: Room around a field's own box, as a share of its longer side.
MARGIN = 0.08
#: From this resolution on the slope of the errors is measured; coarser grids lose whole features.
SLOPE_FROM = 16

Plane = tuple[str, float]


def record_of_field(
    field: Field, resolution: int, level: float, box: Box | None, plane: Plane | None, saddle: str
) -> Record:
    """The record of a field in the plane, or in space with a plane.

    Raises:
        BoundsError, FieldError, OptionError, ResolutionError: as :func:`headviz.viewers.view_squares` says.
    """
    if not isinstance(resolution, int) or not 1 <= resolution <= MOST:
        raise ResolutionError(f"resolution should be a whole number from 1 to {MOST}; it is {resolution!r}")
    cut = slice_field(field, plane=plane, box=box or _box_of(field, plane), samples=TRUTH)
    grids = {
        size: _grid_of(slice_field(field, plane=plane, box=cut.box, samples=size))
        for size in sorted({*SIZES, resolution})
    }
    facts = {"axes": cut.axes, "place": cut.embedding, "box": cut.box}
    return _record(grids, _grid_of(cut), level, saddle, facts, thin=THIN)


def record_of_samples(values: Tensor | Shaped[np.ndarray, "..."], level: float, box: Box | None, saddle: str) -> Record:
    """The record of samples: they are the truth, and every second, fourth, … of them the coarser grids.

    Raises:
        BoundsError, FieldError, ResolutionError, ShapeError, OptionError: as :func:`view_squares` says.
    """
    samples = torch.as_tensor(values).detach().cpu()
    if samples.ndim != 2 or min(samples.shape) < 2:
        raise ShapeError(f"samples should have shape (h, w) with h and w at least 2; shape is {tuple(samples.shape)}")
    rows, columns = (n - 1 for n in samples.shape)
    if max(rows, columns) > MOST:
        stride = math.ceil(max(rows, columns) / MOST)
        raise ResolutionError(
            f"samples to step through should have at most {MOST} cells along a side; they have {columns} × {rows}: "
            f"give every {stride}th, values[::{stride}, ::{stride}]"
        )
    corners = torch.tensor([0.0, 0.0, columns, rows] if box is None else box, dtype=torch.float64).reshape(-1, 2)
    if len(corners) != 2 or not bool((corners[1] > corners[0]).all()) or not bool(torch.isfinite(corners).all()):
        raise BoundsError(f"the box should be left, low, right, high, finite and ascending; it is {box}")
    spacing = (corners[1] - corners[0]) / torch.tensor([columns, rows], dtype=torch.float64)
    grids = {}
    stride = 1
    while rows % stride == columns % stride == 0 and min(rows, columns) // stride >= 1:
        grid = _Grid(samples[::stride, ::stride].double().contiguous(), corners[0], spacing * stride)
        grids[max(rows, columns) // stride] = grid
        stride *= 2
    place = [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    facts = {"axes": ["x", "y"], "place": place, "box": corners.reshape(-1)}
    return _record(dict(sorted(grids.items())), grids[max(rows, columns)], level, saddle, facts, thin=1)


@dataclass(frozen=True, eq=False)
class _Grid:
    """Samples and where they are."""

    values: Float[Tensor, "h w"]
    origin: Float[Tensor, "2"]
    spacing: Float[Tensor, "2"]

    def march(self, level: float, saddle: str) -> Contour:
        return marching_squares(self.values, level, saddle=saddle, **self.placed)

    @property
    def placed(self) -> dict[str, Any]:
        return {"spacing": tuple(self.spacing.tolist()), "origin": tuple(self.origin.tolist())}


def _box_of(field: Field, plane: Plane | None) -> Box | None:
    """A square around what a field's own box has in the plane; ``None`` where that is not finite."""
    kept = KEPT.get(plane[0] if plane else "x", (0, 1)) if field.bounds.shape[-1] == 3 else (0, 1)
    low, high = field.bounds.detach().cpu().double()[:, list(kept)]
    half = (0.5 + MARGIN) * float((high - low).max())
    if not math.isfinite(half):
        return None  # slice_field says what is missing
    x, y = ((low + high) / 2).tolist()
    return x - half, y - half, x + half, y + half


def _grid_of(cut: Slice) -> _Grid:
    """The samples of a slice, row by row."""
    grid = cut.grid
    return _Grid(grid.samples.T.contiguous(), grid.origin, grid.spacing)


def _record(
    grids: dict[int, _Grid], fine: _Grid, level: float, saddle: str, facts: dict[str, Any], *, thin: int
) -> Record:
    table = square_table()
    arrays: dict[str, Shaped[np.ndarray, "..."]] = {
        "fine": array(fine.values[::thin, ::thin]).astype(np.float32),
        "segments": array(table.segments).astype(np.int8),
        "count": array(table.count).astype(np.uint8),
        "ambiguous": array(table.ambiguous).astype(np.uint8),
        "classes": array(table.classes).astype(np.uint8),
    }
    places = {"fine": {"spacing": (fine.spacing * thin).tolist(), "origin": fine.origin.tolist()}}
    for size, grid in grids.items():
        arrays[f"samples.{size}"] = _narrow(array(grid.values))
        places[str(size)] = {name: list(value) for name, value in grid.placed.items()}
    errors = _errors(grids, fine, level, saddle)
    facts = facts | {
        "level": level, "saddle": saddle, "sizes": list(grids), "places": places, "range": _level_range(fine.values),
        "errors": errors, "slope": {name: _slope(errors, name) for name in ("distance", "length")},
        "truth": max(fine.values.shape) - 1,
    }  # fmt: skip
    return Record("squares", facts, arrays)


def _narrow(values: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """In single precision where nothing is lost by that."""
    single = values.astype(np.float32)
    return single if np.array_equal(single, values) else values


def _level_range(values: Tensor) -> list[float]:
    """Least and greatest level to choose, and the step: round numbers, so that 0 is one of them."""
    low, high = 0.9 * float(values.min()), 0.6 * float(values.max())
    if not high > low:
        low, high = low - 0.5, low + 0.5
    step = 10.0 ** math.floor(math.log10((high - low) / 60))
    return [math.floor(low / step) * step, math.ceil(high / step) * step, step]


def _errors(grids: dict[int, _Grid], fine: _Grid, level: float, saddle: str) -> list[dict[str, float | None]]:
    """How far the line of each resolution is from the finest one, metres; ``None`` where there is no line."""
    truth = fine.march(level, saddle)
    found: list[dict[str, float | None]] = []
    for size, grid in grids.items():
        if grid is fine:
            continue  # nothing finer to compare with
        line = grid.march(level, saddle)
        row: dict[str, float | None] = {"resolution": size, "distance": None, "length": None}
        if len(line.segments) and len(truth.segments):
            ends, true_ends = line.points[line.segments], truth.points[truth.segments]
            apart = max(_farthest(ends, true_ends), _farthest(true_ends, ends))
            off = abs(float(line.length.sum() - truth.length.sum()))
            row |= {"distance": apart, "length": off}
        found.append(row)
    return found


def _farthest(segments: Float[Tensor, "n 2 2"], others: Float[Tensor, "m 2 2"]) -> float:
    """The greatest distance of a point of some segments (ends and middles) from the nearest of others."""
    points = torch.cat((segments[:, 0], segments[:, 1], segments.mean(1)))
    start, along = others[:, 0], others[:, 1] - others[:, 0]
    square = along.square().sum(1).clamp(min=1e-300)
    farthest = 0.0
    for part in points.split(max(1, (1 << 21) // len(others))):
        to = part[:, None] - start
        where = ((to * along).sum(-1) / square).clamp(0, 1)
        near = (to - where[..., None] * along).square().sum(-1).amin(1)
        farthest = max(farthest, float(near.max()))
    return math.sqrt(farthest)


def _slope(errors: list[dict[str, float | None]], name: str) -> float | None:
    """The exponent p of the error ~ resolutionᵖ, by least squares of the logarithms."""
    rows = [(row["resolution"], row[name]) for row in errors]
    pairs = [(math.log(size), math.log(error)) for size, error in rows if size and error and size >= SLOPE_FROM]
    if len(pairs) < 3:
        return None
    x, y = np.array(pairs).T
    return float(np.polyfit(x, y, 1)[0])
