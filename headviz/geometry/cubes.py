"""Marching cubes: the surface where values at lattice points change their sign.

:func:`march_cells` is the one mesher. It takes any set of cells, so that a full grid (:func:`marching_cubes`) and an
octree that keeps only the cells at the surface give the same mesh.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped, UInt8
from torch import Tensor

from headviz.errors import BoundsError, EmptySurfaceError, FieldError, InputError, ShapeError, SurfaceWarning
from headviz.geometry.cube_tables import CORNERS, EDGE_AXIS, EDGES, FACES, CubeTable, cube_table
from headviz.geometry.mesh import Mesh
from headviz.geometry.mesh_libraries import march_scikit_image, march_vtk

_LIBRARIES = {"scikit-image": march_scikit_image, "vtk": march_vtk}

#: With more lattice points than this per cell, those that no cell touches are left out first.
_SPARSE = 8
#: Grid points in a slab of a full grid: their signs fit into the cache.
_SLAB = 1 << 21
#: Multiplied with eight bytes of 0 or 1 it gathers them in the top byte, the first in its lowest bit.
_GATHER_BITS = 0x0102040810204080


@dataclass(frozen=True, eq=False)
class CubeMesh:
    """Triangles in cells, with vertices on lattice edges.

    Attributes:
        edges: the two lattice points that a vertex lies between, the one at the lower corner first, shape (v, 2).
        fraction: where the vertex lies on its edge, 0 at the first point, 1 at the second, shape (v,).
        faces: vertices of each triangle, counter-clockwise seen from outside, shape (m, 3).
        cell: cell that each triangle lies in, shape (m,).
        case: case of each cell, bit k set where corner k is inside, shape (n,).
        state: state of each cell in :func:`~headviz.geometry.cube_tables.cube_table`, shape (n,).
    """

    edges: Int[Tensor, "v 2"]
    fraction: Float[Tensor, " v"]
    faces: Int[Tensor, "m 3"]
    cell: Int[Tensor, " m"]
    case: UInt8[Tensor, " n"]
    state: Int[Tensor, " n"]


@dataclass(frozen=True, eq=False)
class CubeHistory:
    """The cells that the surface crosses, in scan order (the last axis runs fastest): n of them.

    Attributes:
        cell: index (i, j, k) of each cell, its lowest corner, shape (n, 3).
        values: values less the level at its corners, shape (n, 8).
        case: which corners are inside, bit k for corner k, shape (n,).
        cube_class: class of the case under rotations and complement, 0 to 14, shape (n,).
        state: state in :func:`~headviz.geometry.cube_tables.cube_table`, which has its loops, shape (n,).
        decisions: bit f set where the inside corners of the ambiguous face f are joined, shape (n,).
        faces: range of the mesh's faces in this cell, the end not included, shape (n, 2).
    """

    cell: Int[Tensor, "n 3"]
    values: Float[Tensor, "n 8"]
    case: UInt8[Tensor, " n"]
    cube_class: Int[Tensor, " n"]
    state: Int[Tensor, " n"]
    decisions: Int[Tensor, " n"]
    faces: Int[Tensor, "n 2"]


@dataclass(frozen=True, eq=False)
class CubeContour:
    """A surface in a grid.

    Attributes:
        mesh: the surface, in the units of spacing and origin.
        edges: the two grid points that each vertex lies between, as (i·ny + j)·nz + k, the lower first, shape (v, 2);
            ``None`` from another library.
        fraction: where the vertex lies between them, shape (v,); ``None`` from another library.
        case: case of every cell of the grid, shape (nx − 1, ny − 1, nz − 1); only with ``record=True``.
        history: what happened cell by cell; only with ``record=True``.
    """

    mesh: Mesh
    edges: Int[Tensor, "v 2"] | None = None
    fraction: Float[Tensor, " v"] | None = None
    case: UInt8[Tensor, "_ _ _"] | None = None
    history: CubeHistory | None = None


def marching_cubes(
    values: Tensor | Shaped[np.ndarray, "..."],
    level: float = 0.0,
    *,
    spacing: float | Sequence[float] = 1.0,
    origin: Sequence[float] = (0.0, 0.0, 0.0),
    library: str = "headviz",
    record: bool = False,
) -> CubeContour:
    """The surface on which values on a full grid pass a level: :func:`march_cells` on the cells that it crosses.

    Inside is where values are less than the level. Differentiable in ``values`` with ``library="headviz"``.

    Args:
        values: one number per grid point, shape (nx, ny, nz), each at least 2. ``values[i, j, k]`` lies at
            origin + spacing · (i, j, k): the first axis is x. Whole numbers become float32.
        level: the value on the surface.
        spacing: distance of grid points, one number or one per axis, metres.
        origin: where ``values[0, 0, 0]`` lies, metres.
        library: who does it: headviz, scikit-image ("lorensen") or VTK (flying edges). The others place the same
            vertices, cut some faces along other diagonals, and do not decide ambiguous faces by the saddle.
        record: keep the cases and the history; only with ``library="headviz"``. The mesh is the same, bit for bit.

    Raises:
        ShapeError: values are not 3-D, or have fewer than 2 points along an axis.
        FieldError: values or level are not finite.
        BoundsError: spacing is not positive, or spacing or origin are not finite.
        EmptySurfaceError: the level is not between the values.
        InputError: an unknown library, or one that keeps no record and is asked for one.
        MissingExtraError: the library is not installed.

    Warns:
        SurfaceWarning: the surface leaves the grid and is open there.
    """
    values = torch.as_tensor(values)
    values = values.to(torch.float32) if not values.is_floating_point() or values.itemsize < 4 else values
    _check(values, level)
    step, start = _placement(spacing, origin)
    if library == "headviz":
        return _contour(values, level, (step, start), record)
    if library not in _LIBRARIES:
        raise InputError(f"library should be headviz, {' or '.join(_LIBRARIES)}; it is {library!r}")
    if record:
        raise InputError(f"only library='headviz' keeps a record; library is {library!r}")
    place, faces = _LIBRARIES[library](values.detach(), level)
    _warn_open(values, level)
    return CubeContour(Mesh(place * values.new_tensor(step) + values.new_tensor(start), faces))


def march_cells(corners: Int[Tensor, "n corners"], values: Float[Tensor, " s"]) -> CubeMesh:
    """The surface on which values change their sign, in any set of cells.

    A value is inside where it is < 0; a value that is exactly 0 is outside. Vertices are placed by linear interpolation
    and welded by lattice edge: each crossed edge has one. On an ambiguous face the two inside corners are joined where
    the bilinear saddle is < 0 (Nielson and Hamann, "The asymptotic decider", Visualization 1991); a saddle that is
    exactly 0 is outside, as a corner is. Both cells at a face compare the same two products and always agree. If all
    four cells at each crossed edge are given, the mesh is closed: each directed edge of a face has its opposite exactly
    once. Where values are exactly 0, vertices may coincide and triangles have no area; the mesh is closed all the same.

    Vertices are numbered by (first lattice point, axis), triangles by cell: calls whose lattice points and cells are
    ordered alike give the same mesh. Differentiable in ``values``, by ``fraction``.

    Args:
        corners: index into ``values`` of the corners of each cell, corner k at offset (k & 1, k >> 1 & 1, k >> 2 & 1),
            shape (n, 8). Cells that share a lattice point have the same index there. Cells without a sign change give
            nothing.
        values: finite value at each lattice point, shape (s,).

    Raises:
        ShapeError: a cell has not 8 corners.
    """
    if corners.ndim != 2 or corners.shape[1] != 8:
        raise ShapeError(f"corners should have shape (n, 8); shape is {tuple(corners.shape)}")
    corners = corners.to(torch.int64).contiguous()
    if len(values) <= _SPARSE * len(corners):
        return _march(corners, values)
    used, corners = _compact(corners, len(values))
    mesh = _march(corners, values.index_select(0, used))
    return replace(mesh, edges=used[mesh.edges])


@functools.cache
def table_on(device: torch.device) -> CubeTable:
    """:func:`~headviz.geometry.cube_tables.cube_table` on a device, copied there once."""
    return cube_table().to(device)


def _march(corners: Tensor, values: Tensor) -> CubeMesh:
    table = table_on(values.device)
    case, state = _states(corners, values.detach(), table)
    count = table.count.index_select(0, state)
    cell = torch.arange(len(state), device=state.device).repeat_interleave(count)
    # The triangles of a cell follow each other in the table: row of the first, and how far we are past it.
    row = state * table.triangles.shape[1] - count.cumsum(0) + count
    row = row.index_select(0, cell) + torch.arange(len(cell), device=state.device)
    edge = table.triangles.view(-1, 3).index_select(0, row).view(-1)
    place = EDGES[:, 0].to(edge.device).index_select(0, edge).view(-1, 3).add_(cell[:, None], alpha=8).view(-1)
    key = EDGE_AXIS.to(edge.device).index_select(0, edge).add_(corners.view(-1).index_select(0, place), alpha=3)
    used, vertex = _weld(key, 3 * len(values))
    # Any triangle at a vertex knows the far end of its edge: which one is left after the writing does not matter.
    some = torch.empty_like(used).scatter_(0, vertex, place)
    axis = used % 3
    near = (used - axis) // 3
    far = corners.view(-1).index_select(0, some + (1 << axis))
    at_near, at_far = values.index_select(0, near), values.index_select(0, far)
    # Of values that are not both < 0 or both ≥ 0 the difference is the larger, rounded or not: this is never > 1.
    fraction = at_near / (at_near - at_far)
    return CubeMesh(torch.stack((near, far), 1), fraction, vertex.view(-1, 3), cell, case, state)


def _states(corners: Tensor, values: Tensor, table: CubeTable) -> tuple[Tensor, Tensor]:
    """Case of each cell, and its state: the case with what its ambiguous faces decide."""
    inside = (values < 0).view(torch.uint8).index_select(0, corners.reshape(-1))
    case = (inside.view(torch.int64) * _GATHER_BITS >> 56) & 255
    state = table.state[:, 0].index_select(0, case)
    rows = table.ambiguous.index_select(0, case).nonzero()[:, 0]
    if len(rows):
        # Each product is of the two ends of a diagonal. The neighbour numbers the corners otherwise, but multiplies the
        # same pairs, and the order of two factors does not matter. In float64 products of float32 are exact.
        a, b, c, d = values[corners[rows]].to(torch.float64)[:, FACES.to(values.device)].unbind(-1)
        joined = torch.where(a < 0, a * c > b * d, b * d > a * c)
        decisions = (joined << torch.arange(6, device=values.device)).sum(1)
        state[rows] = table.state[case[rows], decisions]
    return case.to(torch.uint8), state


def _weld(keys: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The different keys, ascending, and the place of each given key among them; keys are less than ``size``.

    One pass over flags, without sorting.
    """
    flags = keys.new_zeros(-(-size // 8) * 8, dtype=torch.bool).index_fill_(0, keys, value=True)
    words, different = set_flags(flags)
    if size <= _SPARSE * len(keys):
        place = torch.empty_like(flags, dtype=torch.int64)
        place[different] = torch.arange(len(different), device=keys.device)
        return different, place.index_select(0, keys)
    # A table of words is small enough to stay in the cache; within the words that are used, flags are counted.
    slot = torch.empty(len(flags) // 8, dtype=torch.int64, device=keys.device)
    slot[words] = torch.arange(len(words), device=keys.device)
    place = flags.view(-1, 8).index_select(0, words).view(-1).cumsum(0) - 1
    where = slot.index_select(0, keys >> 3).mul_(8).add_(keys & 7)
    return different, place.index_select(0, where)


def set_flags(flags: Tensor) -> tuple[Tensor, Tensor]:
    """Words of eight flags in which any is set, and the places of all flags that are set, both ascending.

    Args:
        flags: bool, shape (n,), n a multiple of 8.
    """
    # Most flags are not set: look at eight at once, then into those.
    words = flags.view(torch.int64).nonzero()[:, 0]
    found = flags.view(-1, 8).index_select(0, words).nonzero()
    return words, words.index_select(0, found[:, 0]) * 8 + found[:, 1]


def _compact(corners: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Lattice points that cells touch, ascending, and the corners as places among them."""
    used, place = _weld(corners.reshape(-1), size)
    return used, place.view(-1, 8)


def _contour(values: Tensor, level: float, placement: tuple[list[float], list[float]], record: bool) -> CubeContour:
    shifted = (values if level == 0 else values - level).contiguous()
    cells, case = _active_cells(shifted.detach(), record)
    if not len(cells):
        low, high = (float(x) for x in values.detach().aminmax())
        raise EmptySurfaceError(f"level {level:.6g} is passed nowhere: values run from {low:.6g} to {high:.6g}")
    _warn_open(values, level, stacklevel=4)
    strides = torch.tensor(shifted.stride(), device=values.device)
    corners = cells[:, None] + CORNERS.to(values.device) @ strides
    found = march_cells(corners, shifted.view(-1))
    along = (found.edges[:, 1] - found.edges[:, 0])[:, None] == strides
    place = _unravel(found.edges[:, 0], shifted.shape) + along * found.fraction[:, None]
    step, start = (values.new_tensor(numbers) for numbers in placement)
    mesh = Mesh(place * step + start, found.faces)
    if not record:
        return CubeContour(mesh, found.edges, found.fraction)
    history = _history(_unravel(cells, shifted.shape), shifted.detach().view(-1)[corners], found)
    return CubeContour(mesh, found.edges, found.fraction, case, history)


def _check(values: Tensor, level: float) -> None:
    if values.ndim != 3 or min(values.shape) < 2:
        raise ShapeError(f"values should have shape (nx, ny, nz), each at least 2; shape is {tuple(values.shape)}")
    if not math.isfinite(level):
        raise FieldError(f"level should be finite; it is {level}")
    # One pass: a sum is finite unless a term is not, or it overflows, and then the slow look decides.
    if not bool(torch.isfinite(values.detach().sum())):
        bad = (~torch.isfinite(values.detach())).nonzero()
        if len(bad):
            place = tuple(bad[0].tolist())
            raise FieldError(
                f"values should be finite; {len(bad)} of {values.numel()} are not, "
                f"the first is {float(values[place])} at index {place}"
            )


def _placement(spacing: float | Sequence[float], origin: Sequence[float]) -> tuple[list[float], list[float]]:
    step = [float(s) for s in spacing] if isinstance(spacing, Sequence) else [float(spacing)] * 3
    start = [float(x) for x in origin]
    if len(step) != 3 or not all(math.isfinite(s) and s > 0 for s in step):
        raise BoundsError(f"spacing should be one positive number or three; it is {spacing}")
    if len(start) != 3 or not all(map(math.isfinite, start)):
        raise BoundsError(f"origin should be three finite numbers; it is {origin}")
    return step, start


def _warn_open(values: Tensor, level: float, stacklevel: int = 3) -> None:
    """Say on which sides of the grid the surface is cut off."""
    open_edges = {}
    for axis, name in enumerate("xyz"):
        for side, sign in ((0, "−"), (-1, "+")):
            inside = values.detach().select(axis, side) < level
            ring = [inside[:-1, :-1], inside[1:, :-1], inside[1:, 1:], inside[:-1, 1:]]
            changes = sum(int((ring[i] != ring[i - 1]).sum()) for i in range(4))
            if changes:
                open_edges[sign + name] = changes // 2
    if open_edges:
        sides = ", ".join(f"{count} on {name}" for name, count in open_edges.items())
        warnings.warn(
            f"the surface leaves the grid and is open there: {sum(open_edges.values())} boundary edges ({sides})",
            SurfaceWarning,
            stacklevel=stacklevel,
        )


def _active_cells(values: Tensor, keep: bool) -> tuple[Tensor, Tensor | None]:
    """Flat index of the lowest corner of each cell that the surface crosses, ascending; if kept, every case.

    Slab by slab, so that what is computed on the way stays in the cache.
    """
    depth = max(1, _SLAB // values.stride(0))
    found, cases = [], []
    for first in range(0, len(values) - 1, depth):
        cells, case = _crossed_cells(values[first : first + depth + 1])
        found.append(cells + first * values.stride(0))
        if keep:
            cases.append(case)
    return torch.cat(found), torch.cat(cases) if keep else None


def _crossed_cells(values: Tensor) -> tuple[Tensor, Tensor]:
    """Flat indices of the crossed cells, and the case of every cell."""
    inside = (values < 0).view(-1).view(torch.uint8)
    x, y, z = values.stride()
    # A cell's bits are gathered axis by axis, on the flat grid: pairs, squares, cubes.
    pairs = torch.add(inside[:-x], inside[x:], alpha=2)
    squares = torch.add(pairs[:-y], pairs[y:], alpha=4)
    flat = inside.new_zeros(-(-len(inside) // 8) * 8)
    torch.add(squares[:-z], squares[z:], alpha=16, out=flat[: len(squares) - z])
    cubes = flat[: len(pairs)].view(-1, *values.shape[1:])
    cubes[:, -1] = 0  # there the flat neighbours are not neighbours in the grid
    cubes[:, :, -1] = 0
    # Most cells are empty or full: look at eight at once.
    words = flat.view(torch.int64)
    rows = ((words != 0) & (words != -1)).nonzero()[:, 0]
    crossed = flat.view(-1, 8).index_select(0, rows)
    found = ((crossed != 0) & (crossed != 255)).nonzero()
    return rows.index_select(0, found[:, 0]) * 8 + found[:, 1], cubes[:, :-1, :-1]


def _unravel(places: Tensor, shape: torch.Size) -> Tensor:
    """Index (i, j, k) of flat places, shape (n, 3)."""
    return torch.stack(torch.unravel_index(places, shape), 1)


def _history(cells: Tensor, values: Tensor, found: CubeMesh) -> CubeHistory:
    table = table_on(found.state.device)
    count = table.count[found.state]
    end = count.cumsum(0)
    return CubeHistory(
        cell=cells,
        values=values,
        case=found.case,
        cube_class=table.classes[found.case.long()],
        state=found.state,
        decisions=table.decisions[found.state],
        faces=torch.stack((end - count, end), 1),
    )
