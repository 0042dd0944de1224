"""From a field to a triangle mesh: by an octree that looks only near the surface, or by looking everywhere.

Both give the same mesh where the field keeps its Lipschitz bound. Two kinds of fields do not quite: a network's values
may differ in their last bits with the size of a batch, and the distance to an open mesh jumps across its holes, so that
the octree may lose cells there and leave its mesh open.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import SupportsIndex, TypeAlias

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped, UInt8
from torch import Tensor

from headviz.errors import EmptySurfaceError, OptionError, ResolutionError, ShapeError, SurfaceWarning
from headviz.geometry.contour import Contour, marching_squares
from headviz.geometry.cubes import CubeMesh, march_cells
from headviz.geometry.field import Field
from headviz.geometry.lattice import Lattice, lattice_in
from headviz.geometry.mesh import Mesh
from headviz.geometry.octree import Level, Reason, Subdivision, lost_cells, subdivide, subdivide_everywhere

#: The lower and upper corner of a box, metres.
Box: TypeAlias = Shaped[Tensor, "2 d"] | Shaped[np.ndarray, "2 d"] | list[list[float]]
#: Ways to find the cells that the surface passes through.
METHODS = ("octree", "dense")
#: A full grid has at most this many points: at four bytes each, 4 GiB.
MOST_POINTS = 1 << 30


@dataclass(frozen=True, eq=False)
class ExtractionHistory:
    """What was done in each cell that the surface passes through, in the order of the cells.

    Attributes:
        cells: lower corners in lattice coordinates, shape (n, 3).
        values: field values at the corners, corner k at (k & 1, k >> 1 & 1, k >> 2 & 1), metres, shape (n, 8).
        case: bit k is set if corner k is inside, shape (n,).
        state: row of the case table, which also tells how ambiguous faces were decided, shape (n,).
        face_cell: the cell that each face of the mesh comes from, shape (m,).
        lost: cells that pruning by sign lost, lattice coordinates, shape (l, 3); empty for safe pruning.
        lost_part: to which connected piece each of them belongs, counted from 0, shape (l,).
    """

    cells: Int[Tensor, "n 3"]
    values: Float[Tensor, "n 8"]
    case: UInt8[Tensor, " n"]
    state: Int[Tensor, " n"]
    face_cell: Int[Tensor, " m"]
    lost: Int[Tensor, "l 3"]
    lost_part: Int[Tensor, " l"]


@dataclass(frozen=True, eq=False)
class Extraction:
    """A surface and what it took to find it.

    Attributes:
        mesh: the surface; faces are counter-clockwise seen from outside.
        evaluations: points at which the field was evaluated.
        levels: what happened per level of the octree, coarsest first; a full grid has one level.
        lattice: the grid whose cells were meshed.
        method, prune: how cells were found.
        history: what happened in each cell; only when recorded.
    """

    mesh: Mesh
    evaluations: int
    levels: tuple[Level, ...]
    lattice: Lattice
    method: str
    prune: str
    history: ExtractionHistory | None = None

    @property
    def dense_evaluations(self) -> int:
        """How many points a full grid of the same resolution has."""
        return self.lattice.points


def extract_surface(
    field: Field,
    *,
    resolution: SupportsIndex,
    method: str = "octree",
    prune: str = "lipschitz",
    bounds: Box | None = None,
    record: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Extraction:
    """The surface where a field in space vanishes, as a closed triangle mesh.

    Marching cubes (Lorensen & Cline 1987) with ambiguous faces decided by the bilinear interpolant (Nielson & Hamann
    1991). Both methods mesh the same cells by the same code: with a correct Lipschitz bound they give the same mesh.

    Args:
        field: negative inside.
        resolution: number of cells along the longest side of the box.
        method: "octree" evaluates the field only near the surface; "dense" on the whole grid.
        prune: how the octree decides that a cell is empty, see :func:`headviz.geometry.octree.subdivide`.
        bounds: box to look in, metres; ``field.bounds`` by default, with a margin of half a cell around it.
        record: keep the cells of all levels and what was done in each; with ``prune="sign"`` also search for what the
            pruning lost, by a second, safe run whose evaluations are not counted.
        progress: called with a line of text now and then.

    Raises:
        BoundsError: the box is not finite or has no extent.
        EmptySurfaceError: the field does not change its sign.
        FieldError: a value is not finite, or the Lipschitz bound cannot be used.
        OptionError: there is no such method or pruning.
        ResolutionError, ShapeError: the resolution is no whole number from 1, or too large; the field is in the plane.

    Warns:
        SurfaceWarning: the surface leaves the box, so that the mesh is open there.
    """
    if method not in METHODS:
        raise OptionError(f"method should be one of {', '.join(METHODS)}; it is {method!r}")
    lattice = _lattice(field, bounds, resolution, 3)
    if method == "dense":
        found = subdivide_everywhere(field, _checked_size(lattice), record=record, progress=progress)
    else:
        found = subdivide(field, lattice, prune=prune, record=record, progress=progress)
    if not len(found.cells):
        raise EmptySurfaceError(_say_empty(found, method, prune))
    if progress is not None:
        progress(f"meshing {len(found.cells):,} cells")
    cubes = march_cells(found.corners, found.store.values)
    _warn_if_clipped(found)
    history = _history(field, found, cubes, method, prune) if record else None
    return Extraction(_mesh(found, cubes), found.evaluations, found.levels, lattice, method, prune, history)


@dataclass(frozen=True, eq=False)
class ContourExtraction:
    """A contour and what it took to find it.

    Attributes:
        contour: the lines; inside is to their left.
        values: the samples that it was made from, shape (rows, columns); where nothing was evaluated, the value at a
            corner of the cell that was dropped there.
        evaluations: points at which the field was evaluated.
        levels: what happened per level of the quadtree, coarsest first.
        lattice: where the samples are.
        prune: how cells were dropped.
    """

    contour: Contour
    values: Float[Tensor, "h w"]
    evaluations: int
    levels: tuple[Level, ...]
    lattice: Lattice
    prune: str

    @property
    def dense_evaluations(self) -> int:
        """How many points a full grid of the same resolution has."""
        return self.lattice.points


def extract_contour(
    field: Field,
    *,
    resolution: SupportsIndex,
    prune: str = "lipschitz",
    saddle: str = "asymptotic",
    bounds: Box | None = None,
    record: bool = False,
    progress: Callable[[str], None] | None = None,
) -> ContourExtraction:
    """The lines on which a field in the plane vanishes, by a quadtree and marching squares.

    With a correct Lipschitz bound the lines are those of the full grid. Where ``prune="sign"`` loses a thin part that
    a neighbouring cell has seen, the line follows the border of the cell that was dropped.

    Args:
        field: in the plane, negative inside.
        resolution: number of cells along the longer side of the box.
        prune: how the quadtree decides that a cell is empty, see :func:`headviz.geometry.octree.subdivide`.
        saddle: see :func:`headviz.geometry.contour.marching_squares`.
        bounds: box to look in, metres; ``field.bounds`` by default, with a margin of half a cell around it.
        record: keep what marching squares did in each cell; the cells of all levels are always kept.
        progress: called with a line of text now and then.

    Raises:
        BoundsError, FieldError, OptionError, ResolutionError, ShapeError: as :func:`extract_surface`. An empty
            contour is no error.
    """
    lattice = _lattice(field, bounds, resolution, 2)
    found = subdivide(field, lattice, prune=prune, record=True, progress=progress)
    columns, rows = (n + 1 for n in lattice.cells)
    values = torch.full((rows, columns), torch.nan, dtype=lattice.origin.dtype, device=lattice.origin.device)
    (x, y), known = found.known()
    values[y.long(), x.long()] = known
    for level in reversed(found.levels):
        assert level.cells is not None
        assert level.reasons is not None
        dropped = level.cells[(level.reasons > Reason.FORCED) & (level.size > 1)].long()
        steps = torch.arange(level.size + 1, device=dropped.device)
        x = (dropped[:, 0, None, None] + steps).clamp(max=columns - 1)
        y = (dropped[:, 1, None, None] + steps[:, None]).clamp(max=rows - 1)
        block = values[y, x]
        values[y, x] = torch.where(block.isnan(), values[dropped[:, 1], dropped[:, 0]][:, None, None], block)
    origin = (float(lattice.origin[0]), float(lattice.origin[1]))
    contour = marching_squares(values, spacing=lattice.spacing, origin=origin, saddle=saddle, record=record)
    return ContourExtraction(contour, values, found.evaluations, found.levels, lattice, prune)


def _lattice(field: Field, bounds: Box | None, resolution: SupportsIndex, dimension: int) -> Lattice:
    """A lattice in a box as it was given, or in the field's own with a margin that keeps its surface off the sides."""
    own = field.bounds
    if own.shape[-1] != dimension:
        other = "extract_contour" if dimension == 3 else "extract_surface"
        raise ShapeError(f"the field has {own.shape[-1]} coordinates, not {dimension}; use {other}")
    return lattice_in(own, resolution, margin=0.5) if bounds is None else lattice_in(bounds, resolution)


def _checked_size(lattice: Lattice) -> Lattice:
    """Refuse a full grid that is too large."""
    if lattice.points > MOST_POINTS:
        raise ResolutionError(
            f"a full grid of {lattice.points:,} points would take more than 4 GiB; "
            f'use method="octree", or a resolution below {max(lattice.cells)}'
        )
    return lattice


def _mesh(found: Subdivision, cubes: CubeMesh) -> Mesh:
    """Vertices between the two lattice points of their edges."""
    low, high = (found.lattice.positions(found.store.coordinates(cubes.edges[:, end])) for end in (0, 1))
    return Mesh(torch.lerp(low.contiguous(), high.contiguous(), cubes.fraction[:, None]), cubes.faces)


def _say_empty(found: Subdivision, method: str, prune: str) -> str:
    _, seen = found.known()
    low, high = float(seen.min()), float(seen.max())
    side = "outside" if low >= 0 else "inside"
    advice = "look in another box"
    if method == "octree" and prune == "sign":
        advice = 'it may be too thin for this pruning: use prune="lipschitz"'
    elif low >= 0:
        advice = "it may be thinner than a cell: raise the resolution, or look in another box"
    return (
        f"there is no surface at this resolution: all {found.evaluations:,} values lie {side}, "
        f"from {low:.4g} to {high:.4g} m; {advice}"
    )


def _warn_if_clipped(found: Subdivision) -> None:
    """Warn if the surface crosses a side of the box."""
    sides = []
    for axis, (name, cells) in enumerate(zip("xyz", found.lattice.cells, strict=False)):
        for side, last, word in ((0, 0, "low"), (1, cells - 1, "high")):
            at = (found.cells[:, axis] == last).nonzero()[:, 0]
            corner = [k for k in range(found.corners.shape[1]) if (k >> axis & 1) == side]
            inside = found.store.values[found.corners[at][:, corner].long()] < 0
            crossed = int((inside.any(1) & ~inside.all(1)).sum())
            if crossed:
                sides.append(f"{name} {word} ({crossed} cells)")
    if sides:
        text = f"the surface leaves the box at {', '.join(sides)}: the mesh is open there; enlarge the bounds"
        warnings.warn(text, SurfaceWarning, stacklevel=3)


def _history(field: Field, found: Subdivision, cubes: CubeMesh, method: str, prune: str) -> ExtractionHistory:
    lost = found.cells[:0], torch.zeros(0, dtype=torch.int64)
    if method == "octree" and prune == "sign":
        lost = lost_cells(found, subdivide(field, found.lattice))
    values = found.store.values[found.corners.long()]
    return ExtractionHistory(found.cells, values, cubes.case, cubes.state, cubes.cell, *lost)
