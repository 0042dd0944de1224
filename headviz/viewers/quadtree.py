"""A quadtree over a field in the plane, level by level: what is split, what is dropped, why, and what is lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from headviz.geometry.field import Field
from headviz.geometry.lattice import Lattice, lattice_in
from headviz.geometry.octree import Subdivision
from headviz.viewers import look
from headviz.viewers.record import Record, array
from headviz.viewers.slices import KEPT, Box, slice_field
from headviz.viewers.subdivision_methods import compare_methods, draw, find, prunings, resolutions_of
from headviz.viewers.subdivision_record import record_of
from headviz.viewers.subdivisions import SubdivisionState, SubdivisionViewer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SAMPLES = 160


@dataclass(frozen=True, eq=False)
class QuadtreeViewer(SubdivisionViewer):
    """Squares of all levels over the field's colours, the tree they form, and evaluations against error."""

    kind: ClassVar[str] = "quadtree"
    requires: ClassVar[tuple[str, ...]] = ("samples", "values", "grid")
    precision: ClassVar[dict[str, float]] = {"grid": 1e-5}
    size: ClassVar[tuple[float, float]] = (11.0, 8.6)
    noun: ClassVar[str] = "contour"
    piece: ClassVar[tuple[str, str]] = ("line", "lines")

    def embed(self, place: Shaped[np.ndarray, " d"]) -> tuple[float, float, float]:
        """See :meth:`SubdivisionViewer.embed`."""
        start, u, v = (np.array(row) for row in self.record.facts["embedding"])
        x, y, z = (start + place[0] * u + place[1] * v).tolist()
        return x, y, z

    def project(self, point: tuple[float, float, float]) -> Float[np.ndarray, " d"]:
        """See :meth:`SubdivisionViewer.project`."""
        start, u, v = (np.array(row) for row in self.record.facts["embedding"])
        away = np.array(point, dtype=float) - start
        return np.array([(away * u).sum(), (away * v).sum()])

    def made_words(self) -> str:
        """Lines and their length."""
        made = super().made_words()
        return f"{made}, {look.length(self.tree['length'])} long" if self.tree["pieces"] else made

    def draw(self, figure: Figure) -> None:
        """Squares, tree, and the methods beside each other."""
        from headviz.viewers.subdivision_pictures import draw_quadtree

        draw_quadtree(figure, self)


def view_quadtree(
    field: Field,
    *,
    resolution: int = 64,
    prune: str | None = None,
    box: Box | None = None,
    plane: tuple[str, float] | None = None,
    compare: Sequence[int] | None = None,
    title: str = "",
) -> QuadtreeViewer:
    """A viewer of the quadtree that finds a field's contour.

    Args:
        field: negative inside; of the plane, or of space.
        resolution: number of finest cells along the longer side.
        prune: which tree is shown first, "lipschitz" or "sign"; by default the first that the field allows.
        box: left, low, right, high, metres; by default the field's own with a margin of half a cell.
        plane: for a field of space, the fixed axis and its value in metres; the mirror plane ("x", 0) by default.
        compare: resolutions at which the methods are compared; by default this one and its half, quarter and eighth.
        title: what it is.

    Raises:
        BoundsError, FieldError, OptionError, ResolutionError: there is no such box, plane, pruning or resolution, or a
            value of the field is not finite.
    """
    flat = _InPlane.of(field, plane)

    def lattice_at(cells: int) -> Lattice:
        if box is None:
            return lattice_in(flat.bounds, cells, margin=0.5)
        return lattice_in(torch.tensor(box).reshape(2, 2).to(flat.bounds), cells)

    lattice = lattice_at(resolution)
    found = {name: find(flat, lattice, name, record=True) for name in prunings(field)}
    safe = found.get("lipschitz") or find(flat, lattice, "dense")
    facts, arrays = record_of(found, safe)
    for name, one in found.items():
        made, arrays[f"{name}.contour"] = _contour(one)
        facts["trees"][name] |= made
    left, low, right, high = (float(side) for corner in lattice.bounds.double() for side in corner)
    cut = slice_field(field, plane=plane, box=(left, low, right, high), samples=_SAMPLES)
    rows, reference = compare_methods(flat, lattice_at, resolutions_of(resolution) if compare is None else compare)
    facts |= {
        "lipschitz": field.lipschitz, "resolution": resolution, "rows": rows, "reference": reference,
        "axes": cut.axes, "embedding": cut.embedding, "plane": cut.plane, "grid": {"box": cut.box},
    }  # fmt: skip
    arrays["grid"] = cut.arrays()["grid"]
    first = next(iter(found))
    state = SubdivisionState(max(0, len(found[first].levels) - 3), prune=first if prune is None else prune)
    return QuadtreeViewer(Record("quadtree", facts, arrays), state, title)


def _contour(found: Subdivision) -> tuple[dict[str, float], Float[np.ndarray, "m 4"]]:
    """Number of lines of a tree's contour and their length in metres, and x, y of both ends of each segment."""
    drawn = draw(found)
    ends = array(drawn.points).astype(np.float32)[array(drawn.simplices).astype(np.int64)]
    long = float(np.linalg.norm((ends[:, 1] - ends[:, 0]).astype(float), axis=1).sum())
    return {"pieces": _pieces(array(drawn.simplices)), "length": long}, ends.reshape(-1, 4)


def _pieces(segments: Shaped[np.ndarray, "m 2"]) -> int:
    """Number of connected lines."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not len(segments):
        return 0
    points = int(segments.max()) + 1
    links = coo_array((np.ones(len(segments)), (segments[:, 0], segments[:, 1])), shape=(points, points))
    return int(connected_components(links, directed=False)[0])


@dataclass(eq=False)
class _InPlane:
    """A field asked on a plane only, as a field of the plane."""

    field: Field
    kept: tuple[int, int]
    fixed: tuple[int, float] | None
    bounds: Float[Tensor, "2 2"]
    lipschitz: float

    @staticmethod
    def of(field: Field, plane: tuple[str, float] | None) -> _InPlane:
        """The field in a plane; the plane is checked by :func:`slice_field`."""
        bounds = field.bounds.detach()
        if bounds.shape[1] == 2 or (plane is not None and plane[0] not in KEPT):
            return _InPlane(field, (0, 1), None, bounds[:, :2], field.lipschitz)
        axis, value = plane or ("x", 0.0)
        kept = KEPT[axis]
        return _InPlane(field, kept, ("xyz".index(axis), value), bounds[:, list(kept)], field.lipschitz)

    def __call__(self, points: Float[Tensor, "n 2"]) -> Float[Tensor, " n"]:
        """Values at places of the plane."""
        if self.fixed is None:
            return self.field(points)
        columns = [torch.zeros_like(points[:, 0])] * 3
        columns[self.fixed[0]] = torch.full_like(points[:, 0], self.fixed[1])
        columns[self.kept[0]], columns[self.kept[1]] = points[:, 0], points[:, 1]
        return self.field(torch.stack(columns, dim=1))
