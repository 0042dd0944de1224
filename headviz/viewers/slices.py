"""A plane through a field, sampled: what viewers compute with in the browser and, on the same samples, in Python."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from headviz.errors import BoundsError, OptionError
from headviz.geometry import Field, GridField, marching_squares
from headviz.geometry.field import evaluate
from headviz.geometry.lattice import lattice_in
from headviz.viewers.record import Record

Box = tuple[float, float, float, float]

#: Per fixed axis: which coordinates of space run to the right and up. A head cut at x = 0 faces right.
KEPT = {"x": (2, 1), "y": (0, 2), "z": (0, 1)}
_NAMES = "xyz"
_CHECKED, _MARGIN, _WIDE, _MOST = 4096, 0.16, 1.2, 1024


@dataclass(frozen=True, eq=False)
class Slice:
    """A field in a plane, as samples between which it is interpolated.

    Attributes:
        grid: the samples, in double precision; sample (i, j) is at place (u, v) = origin + spacing · (i, j), metres.
        axes: what u and v are called.
        embedding: rows: the point of space at place (0, 0), metres; unit vectors along u and v; shape (3, 3).
        lipschitz: the bound that the sampled field claims.
        error: greatest |grid − field| at 4,096 random places of the box, metres.
        plane: the fixed axis and its value, metres; ``None`` for a field of the plane.
    """

    grid: GridField
    axes: tuple[str, str]
    embedding: Float[np.ndarray, "3 3"]
    lipschitz: float
    error: float
    plane: tuple[str, float] | None

    @property
    def box(self) -> Box:
        """Left, low, right, high, metres."""
        (left, low), (right, high) = self.grid.bounds.tolist()
        return left, low, right, high

    @property
    def color_range(self) -> float:
        """Where the signed colours end, metres, rounded: the depth inside, or most of the distance far outside."""
        least, most = float(self.grid.samples.min()), float(self.grid.samples.max())
        return float(f"{max(-least, 0.7 * most, 1e-12):.1e}")

    def embed(self, place: Sequence[float]) -> tuple[float, float, float]:
        """The point of space at a place (u, v), metres."""
        start, u, v = self.embedding
        x, y, z = (start + place[0] * u + place[1] * v).tolist()
        return x, y, z

    def project(self, point: Sequence[float]) -> tuple[float, float, float]:
        """Place (u, v) of the nearest point of the plane, and the distance to it along the plane's normal, metres."""
        start, u, v = self.embedding
        away = np.asarray(point, dtype=float) - start
        return float(away @ u), float(away @ v), float(away @ np.cross(u, v))

    def value(self, place: Sequence[float]) -> float:
        """The grid's value at a place, metres."""
        return float(self.grid(torch.tensor([list(place)], dtype=torch.float64))[0])

    def facts(self) -> dict[str, object]:
        """What :func:`slice_of` needs besides the samples, plain."""
        grid = self.grid
        least, most = float(grid.samples.min()), float(grid.samples.max())
        return {
            "origin": grid.origin, "spacing": grid.spacing, "axes": self.axes, "embedding": self.embedding,
            "lipschitz": self.lipschitz, "grid_lipschitz": grid.lipschitz, "sampling_error": self.error,
            "plane": self.plane, "samples": list(grid.samples.shape), "box": self.box, "least": least, "most": most,
            "color_range": self.color_range,
        }  # fmt: skip

    def arrays(self) -> dict[str, Float[np.ndarray, "nu nv"]]:
        """The samples, ``grid``: they fit into single precision without loss."""
        return {"grid": self.grid.samples.numpy().astype(np.float32)}


def slice_field(
    field: Field, *, plane: tuple[str, float] | None = None, box: Box | None = None, samples: int = 256
) -> Slice:
    """Sample a field in a plane.

    Args:
        field: negative inside; of the plane, or of space.
        plane: for a field of space, the fixed axis and its value in metres; the mirror plane ("x", 0) by default. Axes
            then are (z, y) if x is fixed, as one sees a head that faces right; (x, z) if y is; (x, y) if z is.
        box: left, low, right, high, metres; by default the field's own with a margin, a fifth wider than high at least.
        samples: number of cells along the longest side.

    Raises:
        OptionError: there is no such plane, or more samples than a page should hold.
        BoundsError: the box is not finite or has no extent.
        FieldError: a value of the field is NaN or infinite.
    """
    if not 1 <= samples <= _MOST:
        raise OptionError(f"samples should be in 1 to {_MOST} along the longest side; it is {samples}")
    dimension = int(field.bounds.shape[1])
    kept, axes, embedding, plane = _embedding(dimension, plane)
    lattice = lattice_in(torch.tensor(_box(field, kept, box), dtype=torch.float64).reshape(2, 2), samples)
    shape = [count + 1 for count in lattice.cells]
    index = torch.stack(torch.meshgrid(*(torch.arange(count) for count in shape), indexing="ij"), -1).reshape(-1, 2)
    values = _values(field, lattice.origin + index * lattice.spacing, embedding)
    # Rounded to single precision, so that the samples travel without loss.
    grid = _grid(values.float().double().reshape(shape), lattice.origin.tolist(), [lattice.spacing] * 2)
    error = _sampling_error(field, grid, embedding)
    return Slice(grid, axes, embedding, float(field.lipschitz), error, plane)


def slice_of(record: Record) -> Slice:
    """The slice that a record keeps as :meth:`Slice.arrays` and :meth:`Slice.facts`."""
    facts = record.facts
    grid = _grid(torch.from_numpy(record.arrays["grid"].astype(np.float64)), facts["origin"], facts["spacing"])
    plane = None if facts["plane"] is None else (str(facts["plane"][0]), float(facts["plane"][1]))
    embedding = np.asarray(facts["embedding"], dtype=float)
    first, second = facts["axes"]
    return Slice(grid, (first, second), embedding, float(facts["lipschitz"]), float(facts["sampling_error"]), plane)


def _grid(values: Float[Tensor, "nu nv"], origin: Sequence[float], spacing: Sequence[float]) -> GridField:
    """Samples with their place in double precision; GridField would round plain numbers to single."""
    return GridField(values, torch.tensor(origin, dtype=torch.float64), torch.tensor(spacing, dtype=torch.float64))


def _embedding(
    dimension: int, plane: tuple[str, float] | None
) -> tuple[tuple[int, int], tuple[str, str], Float[np.ndarray, "3 3"], tuple[str, float] | None]:
    """Which coordinates are kept, what they are called, and where the plane lies in space."""
    if dimension == 2:
        if plane is not None:
            raise OptionError(f"plane is for fields of space; this one is of the plane already, and plane is {plane}")
        return (0, 1), ("x", "y"), np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]), None
    axis, value = plane or ("x", 0.0)
    if axis not in KEPT or not math.isfinite(value):
        raise OptionError(f"plane should be x, y or z and a finite number of metres; it is {plane}")
    u, v = KEPT[axis]
    rows = np.zeros((3, 3))
    rows[0, _NAMES.index(axis)], rows[1, u], rows[2, v] = value, 1.0, 1.0
    return (u, v), (_NAMES[u], _NAMES[v]), rows, (axis, float(value))


def _box(field: Field, kept: tuple[int, int], box: Box | None) -> list[float]:
    """Left, low, right, high, checked by the lattice."""
    if box is not None:
        if len(box) != 4:
            raise BoundsError(f"box should be left, low, right, high, metres; it has {len(box)} numbers")
        return [float(side) for side in box]
    low, high = field.bounds.detach().cpu().double()[:, list(kept)].numpy()
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise BoundsError(f"the field's bounds are {low.tolist()} to {high.tolist()}: give the box to look in")
    size, middle = high - low, (low + high) / 2
    half = size / 2 + _MARGIN * size.max()
    half[0] = max(half[0], _WIDE * half[1])
    return [*(middle - half).tolist(), *(middle + half).tolist()]


def _values(field: Field, places: Float[Tensor, "n 2"], embedding: Float[np.ndarray, "3 3"]) -> Float[Tensor, " n"]:
    """The field at places of the plane, asked in the precision and on the device of its bounds."""
    start, along = torch.as_tensor(embedding[0]), torch.as_tensor(embedding[1:])
    points = places if field.bounds.shape[1] == 2 else start + places @ along
    with torch.no_grad():
        return evaluate(field, points.to(field.bounds)).detach().cpu().double()


def _sampling_error(field: Field, grid: GridField, embedding: Float[np.ndarray, "3 3"]) -> float:
    low, high = grid.bounds
    generator = torch.Generator().manual_seed(0)
    places = low + (high - low) * torch.rand(_CHECKED, 2, generator=generator, dtype=torch.float64)
    return float((grid(places) - _values(field, places, embedding)).abs().max())


@dataclass(frozen=True, eq=False)
class IsoLines:
    """Lines on which a slice has round values.

    Attributes:
        points: places (u, v), metres, shape (n, 2).
        offsets: line k has the points ``offsets[k]:offsets[k + 1]``, shape (m + 1,).
        level: value on each line, metres, shape (m,).
        labels: per labelled level its value and the place of its number, (level, u, v), shape (l, 3).
    """

    points: Float[np.ndarray, "n 2"]
    offsets: Int[np.ndarray, " m1"]
    level: Float[np.ndarray, " m"]
    labels: Float[np.ndarray, "l 3"]

    def lines(self, level: float | None = None) -> list[Float[np.ndarray, "k 2"]]:
        """The lines of one level, or all but those of level 0."""
        chosen = self.level == level if level is not None else self.level != 0
        return [self.points[self.offsets[k] : self.offsets[k + 1]] for k in np.flatnonzero(chosen)]

    def arrays(self) -> dict[str, Float[np.ndarray, "..."] | Int[np.ndarray, "..."]]:
        """The arrays of a record, with ``iso_`` before their names."""
        return {
            "iso_points": self.points.astype(np.float32), "iso_offsets": self.offsets,
            "iso_level": self.level, "iso_labels": self.labels,
        }  # fmt: skip


def iso_lines(grid: GridField, *, wanted: int = 16) -> IsoLines:
    """Lines of a grid of the plane at about ``wanted`` round levels, 0 among them."""
    samples = grid.samples.detach().double()
    step = round_step((float(samples.max()) - float(samples.min())) / max(1, wanted))
    ends = (math.ceil(float(samples.min()) / step), math.floor(float(samples.max()) / step)) if step > 0 else (0, 0)
    spacing, origin = grid.spacing.tolist(), grid.origin.tolist()
    points, level, labels = [], [], []
    for k in range(ends[0], ends[1] + 1):
        value = k * step
        found = marching_squares(samples.T, value, spacing=(spacing[0], spacing[1]), origin=(origin[0], origin[1]))
        lines = [found.points[line.long()].numpy() for line in found.polylines]
        points += lines
        level += [value] * len(lines)
        if k != 0 and lines:
            labels += _label(grid, value, np.concatenate(lines))
    sizes = [0, *(len(line) for line in points)]
    joined = np.concatenate(points) if points else np.zeros((0, 2))
    table = np.array(labels, dtype=float).reshape(-1, 3)
    return IsoLines(joined, np.cumsum(sizes), np.array(level, dtype=float), table)


def round_step(rough: float) -> float:
    """The least of 1, 2, 5 times a power of ten that is at least as large."""
    if not (rough > 0 and math.isfinite(rough)):
        return 0.0
    exponent = math.floor(math.log10(rough))
    for factor in (1, 2, 5, 10):
        step = float(f"{factor}e{exponent}")
        if step >= rough * 0.999:
            return step
    return rough


def _label(grid: GridField, level: float, points: Float[np.ndarray, "n 2"]) -> list[tuple[float, float, float]]:
    """Where a level's number stands: on the way from the deepest sample to the upper left corner."""
    shape = grid.samples.shape
    deepest = int(grid.samples.argmin())
    spacing, low, high = grid.spacing.numpy(), *grid.bounds.numpy()
    start = low + spacing * np.array([deepest // shape[1], deepest % shape[1]])
    way = np.array([low[0], high[1]]) - start
    length = float(np.hypot(*way))
    if length == 0:
        return []
    way = way / length
    along, across = (points - start) @ way, np.abs((points - start) @ np.array([-way[1], way[0]]))
    across[along < 0] = np.inf
    best = int(across.argmin())
    if across[best] > 2 * spacing.max() or along[best] > 0.94 * length:
        return []
    return [(level, float(points[best, 0]), float(points[best, 1]))]
