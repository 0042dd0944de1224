"""What a contour or a surface costs and how good it is: a full grid beside trees that prune, at several resolutions."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from headviz.geometry.contour import marching_squares
from headviz.geometry.cubes import march_cells
from headviz.geometry.field import Field, evaluate
from headviz.geometry.lattice import BrickStore, Lattice, Store
from headviz.geometry.mesh import Mesh
from headviz.geometry.metrics import points_to_mesh
from headviz.geometry.octree import PRUNE, Subdivision, lost_cells, subdivide, subdivide_everywhere

#: All ways, in the order of the table.
METHODS = ("dense", *PRUNE)
#: A full grid with more points than this is counted, not computed.
MOST_DENSE = 1 << 22
#: Points that are measured against the other surface.
_MEASURED = 8_000


@dataclass(frozen=True, eq=False)
class Drawn:
    """A contour or a surface: points (n, d), metres, and lines (m, 2) or triangles (m, 3) between them."""

    points: Float[Tensor, "n d"]
    simplices: Int[Tensor, "m k"]


def prunings(field: Field) -> tuple[str, ...]:
    """The prunings that a field allows: without a finite Lipschitz bound only that by signs."""
    return PRUNE if math.isfinite(field.lipschitz) and field.lipschitz >= 0 else ("sign",)


def resolutions_of(resolution: int) -> list[int]:
    """A resolution, its half, quarter and eighth, as far as they have at least two cells."""
    return sorted({max(2, resolution >> k) for k in range(4)} | {resolution}) if resolution > 1 else [1]


def compare_methods(
    field: Field, lattice_at: Callable[[int], Lattice], resolutions: Sequence[int]
) -> tuple[list[dict[str, Any]], int]:
    """Cost and error of all methods at some resolutions.

    Args:
        field: in the plane or in space.
        lattice_at: the lattice of a resolution.
        resolutions: numbers of cells along the longest side.

    Returns:
        A row per method and resolution: ``method``, ``resolution``; ``evaluations``; ``seconds`` for finding the cells
        and making the contour or surface, measured once; ``bytes`` that the stores of values hold at the end;
        ``error`` and ``mean``, the greatest and the mean distance between the result and the reference, both ways, from
        the vertices of one to the other, metres; ``lost`` cells of the full grid and their connected pieces,
        ``lost_parts``. What was not computed is ``None``. And the resolution of the reference, twice the finest, or 0.
    """
    if not resolutions:
        return [], 0
    fine = 2 * max(resolutions)
    reference = _reference(field, lattice_at(fine))
    rows = []
    for resolution in resolutions:
        rows += _compare_at(field, lattice_at(resolution), resolution, reference)
    return rows, fine if reference is not None else 0


def _compare_at(field: Field, lattice: Lattice, resolution: int, reference: Drawn | None) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    first, first_error = None, _error(None, None)
    for method in ("dense", *prunings(field)):
        row: dict[str, Any] = {"method": method, "resolution": resolution, "evaluations": lattice.points}
        row |= dict.fromkeys(("seconds", "bytes", "error", "mean", "lost", "lost_parts"))
        rows.append(row)
        if method == "dense" and lattice.points > MOST_DENSE:
            continue
        found, drawn, seconds = _timed(field, lattice, method)
        row |= {"seconds": seconds, "bytes": held_bytes(found, method), "evaluations": found.evaluations}
        if first is None:
            first, first_error = found, _error(drawn, reference)
            row |= {"lost": 0, "lost_parts": 0} | first_error
            continue
        cells, parts = lost_cells(found, first)
        same = not len(cells) and len(found.cells) == len(first.cells)
        row |= {"lost": len(cells), "lost_parts": len(parts.unique())}
        row |= first_error if same else _error(drawn, reference)  # the same cells give the same surface
    return rows


def _timed(field: Field, lattice: Lattice, method: str) -> tuple[Subdivision, Drawn, float]:
    """Cells, contour or surface, and the seconds for both."""
    start = time.perf_counter()
    plane = len(lattice.cells) == 2
    if plane and method == "dense":  # squares are marched on the grid itself
        drawn = contour_of(grid_samples(field, lattice), lattice)
        seconds = time.perf_counter() - start
        return find(field, lattice, method), drawn, seconds
    found = find(field, lattice, method, record=plane)
    drawn = draw(found)
    return found, drawn, time.perf_counter() - start


def grid_samples(field: Field, lattice: Lattice) -> Float[Tensor, "h w"]:
    """The field at all points of a lattice in the plane, row by row."""
    columns, rows = (torch.arange(n + 1) for n in lattice.cells)
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    with torch.no_grad():
        return evaluate(field, lattice.positions([x.reshape(-1), y.reshape(-1)])).reshape(x.shape)


def find(field: Field, lattice: Lattice, method: str, *, record: bool = False) -> Subdivision:
    """The finest cells of a lattice by one of :data:`METHODS`."""
    if method == "dense":
        return subdivide_everywhere(field, lattice, record=record)
    return subdivide(field, lattice, prune=method, record=record)


def draw(found: Subdivision) -> Drawn:
    """The contour or the surface of the cells that were found."""
    if len(found.lattice.cells) == 3:
        cubes = march_cells(found.corners, found.store.values)
        low, high = (found.lattice.positions(found.store.coordinates(cubes.edges[:, end])) for end in (0, 1))
        return Drawn(torch.lerp(low.contiguous(), high.contiguous(), cubes.fraction[:, None]), cubes.faces)
    return contour_of(_filled(found), found.lattice)


def contour_of(values: Float[Tensor, "h w"], lattice: Lattice) -> Drawn:
    """The lines on which samples of a lattice in the plane vanish."""
    origin = (float(lattice.origin[0]), float(lattice.origin[1]))
    contour = marching_squares(values, spacing=lattice.spacing, origin=origin)
    return Drawn(contour.points, contour.segments)


def _filled(found: Subdivision) -> Float[Tensor, "h w"]:
    """Samples of a recorded quadtree; where none were taken, the value at a corner of the cell that was dropped."""
    columns, rows = (n + 1 for n in found.lattice.cells)
    values = torch.full((rows, columns), torch.nan, dtype=found.lattice.origin.dtype)
    (x, y), known = found.known()
    values[y.long(), x.long()] = known
    for level in reversed(found.levels):
        if level.cells is None or level.reasons is None or level.size == 1:
            continue
        corner = level.cells.long()
        steps = torch.arange(level.size + 1)
        x = (corner[:, 0, None, None] + steps).clamp(max=columns - 1)
        y = (corner[:, 1, None, None] + steps[:, None]).clamp(max=rows - 1)
        block = values[y, x]
        values[y, x] = torch.where(block.isnan(), values[corner[:, 1], corner[:, 0]][:, None, None], block)
    return values


def held_bytes(found: Subdivision, method: str) -> int:
    """Bytes of the values kept while searching: the full grid, or bricks, their table, and the coarse levels."""
    stores: list[Store] = [found.store] + ([found.coarse] if found.coarse is not None else [])
    size = sum(store.values.nbytes for store in stores)
    if isinstance(found.store, BrickStore):
        size += found.store.table.nbytes
    return size + (found.lattice.points * found.lattice.origin.element_size() if method == "dense" else 0)


def _reference(field: Field, lattice: Lattice) -> Drawn | None:
    """The contour or surface on a fine lattice, found without losing anything."""
    safe = "lipschitz" if "lipschitz" in prunings(field) else "dense"
    if safe == "dense" and lattice.points > 4 * MOST_DENSE:
        return None
    drawn = _timed(field, lattice, safe)[1]
    return drawn if len(drawn.simplices) else None


def _error(drawn: Drawn | None, reference: Drawn | None) -> dict[str, float | None]:
    """Greatest and mean distance from the vertices of one to the other, both ways, metres."""
    if drawn is None or reference is None or not len(drawn.simplices):
        return {"error": None, "mean": None}
    there, back = _distances(drawn, reference), _distances(reference, drawn)
    return {"error": float(max(there.max(), back.max())), "mean": float(there.mean() + back.mean()) / 2}


def _distances(from_: Drawn, to: Drawn) -> Float[np.ndarray, " n"]:
    """How far vertices are from a contour or a surface, metres."""
    points = from_.points[:: -(-len(from_.points) // _MEASURED)].double()
    if points.shape[1] == 3:
        return points_to_mesh(points, Mesh(to.points.double(), to.simplices.long()))[0].numpy()
    ends = to.points.double().numpy()[to.simplices.long().numpy()]
    parts = np.array_split(points.numpy(), -(-len(points) // 512))
    return np.concatenate([_from_lines(part, ends) for part in parts])


def _from_lines(points: Float[np.ndarray, "n 2"], ends: Float[np.ndarray, "m 2 2"]) -> Float[np.ndarray, " n"]:
    """Distance of points from the nearest of some lines, metres."""
    along = ends[:, 1] - ends[:, 0]
    size = (along**2).sum(axis=1)
    away = points[:, None] - ends[:, 0]
    part = np.clip((away * along).sum(axis=-1) / np.where(size > 0, size, 1), 0, 1)
    nearest: Float[np.ndarray, " n"] = np.linalg.norm(away - part[..., None] * along, axis=-1).min(axis=1)
    return nearest
