"""Quadtrees and octrees as records: cells of all levels in the order of the tree, samples, and what a pruning lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Int, Shaped

from headviz.geometry.lattice import Lattice
from headviz.geometry.octree import COARSEST, SLACK, Reason, Subdivision, lost_cells
from headviz.viewers.record import array

#: Reasons by the number that records keep, as words of the wire.
REASONS = tuple(reason.name.lower() for reason in Reason)
#: Reasons for which a cell is dropped: it has no children.
DROPPED = (Reason.SAFE, Reason.SAME_SIGN, Reason.EMPTY)
#: A page holds about this many cells of each tree; of larger ones it holds whole subtrees, evenly chosen.
MOST_CELLS = 200_000

Arrays = dict[str, Shaped[np.ndarray, "..."]]


def record_of(found: Mapping[str, Subdivision], lost_against: Subdivision | None) -> tuple[dict[str, Any], Arrays]:
    """Facts and arrays of the trees of one field on one lattice.

    Args:
        found: by the name of the pruning; recorded.
        lost_against: a subdivision of the same lattice that has all cells of the surface.

    Returns:
        Facts: ``lattice`` and ``trees``, by pruning. Arrays, with the pruning before their names: ``cells`` (n, d),
        lower corners in lattice steps, level by level, children of one parent side by side; ``reasons`` (n,), numbers
        of :data:`REASONS`; ``parents`` (n,), places within the level above; ``inside`` (n,), corners that are inside;
        ``lost`` (l, d), ``lost_part`` and ``lost_level`` (l,): cells that pruning lost, their connected piece, and the
        level on which it dropped them. And ``samples``, ascending indices of lattice points, with their ``values``.
    """
    lattice = next(iter(found.values())).lattice
    known = _known(list(found.values()))
    facts: dict[str, Any] = {"lattice": _lattice_facts(lattice), "trees": {}}
    arrays: Arrays = {}
    needed = []
    for prune, one in found.items():
        tree, own = _tree(one)
        corners = _corners(own["cells"], own.pop("sizes"), lattice)
        slots = np.searchsorted(known[0], corners)
        own["inside"] = (known[1][slots] < 0).sum(axis=1).astype(np.uint8)
        needed.append(np.unique(slots))
        tree |= _add_lost(own, tree["levels"], one, lost_against)
        facts["trees"][prune] = tree
        arrays |= {f"{prune}.{name}": values for name, values in own.items()}
    chosen = np.unique(np.concatenate(needed))
    return facts, arrays | {"samples": known[0][chosen], "values": known[1][chosen].astype(np.float32)}


def _lattice_facts(lattice: Lattice) -> dict[str, Any]:
    return {
        "origin": lattice.origin.double(), "spacing": lattice.spacing, "cells": list(lattice.cells),
        "points": lattice.points, "coarsest": COARSEST, "slack": SLACK,
    }  # fmt: skip


def _known(found: Sequence[Subdivision]) -> tuple[Int[np.ndarray, " n"], Shaped[np.ndarray, " n"]]:
    """Indices of all points that have a value, ascending, and the values."""
    sides = [cells + 1 for cells in found[0].lattice.cells]
    indices, values = [], []
    for one in found:
        columns, known = one.known()
        indices.append(_flat([array(column).astype(np.int64) for column in columns], sides))
        values.append(array(known))
    index, first = np.unique(np.concatenate(indices), return_index=True)
    return index, np.concatenate(values)[first]


def _flat(columns: Sequence[Int[np.ndarray, "..."]], sides: Sequence[int]) -> Int[np.ndarray, "..."]:
    """One number per place, row-major."""
    index = columns[0]
    for column, side in zip(columns[1:], sides[1:], strict=True):
        index = index * side + column
    return index


def _corners(
    cells: Int[np.ndarray, "n d"], sizes: Int[np.ndarray, " n"], lattice: Lattice
) -> Int[np.ndarray, "n corners"]:
    """Indices of the points at the corners of cells; the lattice ends where it ends."""
    limits = np.array(lattice.cells)
    corners = []
    for corner in range(2 ** len(limits)):
        ends = np.minimum(cells + sizes[:, None] * (corner >> np.arange(len(limits)) & 1), limits)
        corners.append(_flat(list(ends.T), [side + 1 for side in limits.tolist()]))
    return np.stack(corners, axis=1)


def _tree(found: Subdivision) -> tuple[dict[str, Any], Arrays]:
    """The levels of one subdivision, in the order of the tree, thinned where there are too many cells."""
    total = sum(level.total for level in found.levels)
    parts: list[tuple[Shaped[np.ndarray, "..."], ...]] = []
    levels: list[dict[str, Any]] = []
    before, so_far, stored, thinned = None, 0, 0, False
    for number, level in enumerate(found.levels):
        assert level.cells is not None
        assert level.reasons is not None
        cells, reasons = array(level.cells).astype(np.int64), array(level.reasons)
        order, parents = _ordered(cells, before, level.size)
        cells, reasons = cells[order], reasons[order]
        if not thinned and number and stored + len(cells) > MOST_CELLS // 2 and total > MOST_CELLS:
            thinned = True  # from here on whole subtrees are missing
            below = sum(one.total for one in found.levels[number:])
            keep = slice(None, None, -(-below // max(1, MOST_CELLS - stored)))
            cells, reasons, parents = cells[keep], reasons[keep], parents[keep]
        before = cells, level.size
        so_far += level.evaluations
        levels.append({
            "size": level.size, "first": stored, "count": len(cells), "looked": level.total,
            "reasons": {reason.name.lower(): count for reason, count in level.counts.items()},
            "evaluations": level.evaluations, "so_far": so_far,
        })  # fmt: skip
        stored += len(cells)
        parts.append((cells, reasons, parents, np.full(len(cells), level.size, dtype=np.int64)))
    names = ("cells", "reasons", "parents", "sizes")
    joined = {name: np.concatenate(columns) for name, columns in zip(names, zip(*parts, strict=True), strict=True)}
    return {"levels": levels, "stored": stored, "total": total, "evaluations": found.evaluations}, joined


def _ordered(
    cells: Int[np.ndarray, "n d"], above: tuple[Int[np.ndarray, "m d"], int] | None, size: int
) -> tuple[Int[np.ndarray, " k"], Int[np.ndarray, " k"]]:
    """The order of a level's cells in the tree, without those whose parent is missing, and their parents."""
    if above is None:
        return np.arange(len(cells)), np.zeros(len(cells), dtype=np.int64)
    parents, parent_size = above
    side = int(max(cells.max(initial=0), parents.max(initial=0))) // size + 2
    sides = [side] * cells.shape[1]
    keys = _flat(list((parents // parent_size).T), sides)
    wanted = _flat(list((cells // parent_size).T), sides)
    sorter = np.argsort(keys)
    place = sorter[np.searchsorted(keys[sorter], wanted).clip(max=len(keys) - 1)]
    there = keys[place] == wanted
    child = (cells // size % 2) @ (1 << np.arange(cells.shape[1]))
    order = np.lexsort((child, place))
    order = order[there[order]]
    return order, place[order]


def _add_lost(
    own: Arrays, levels: list[dict[str, Any]], found: Subdivision, safe: Subdivision | None
) -> dict[str, Any]:
    """Put the lost cells into the arrays and, level by level, their numbers into the facts."""
    dimension = own["cells"].shape[1]
    cells, parts = np.zeros((0, dimension), dtype=np.int64), np.zeros(0, dtype=np.int64)
    if safe is not None and safe is not found:
        lost = lost_cells(found, safe)
        cells, parts = array(lost[0]).astype(np.int64), array(lost[1]).astype(np.int64)
    dropped_on = np.full(len(cells), len(levels) - 1, dtype=np.int64)
    for number, level in enumerate(found.levels):
        assert level.cells is not None
        assert level.reasons is not None
        dropped = array(level.cells)[np.isin(array(level.reasons), DROPPED)].astype(np.int64)
        side = int(max(cells.max(initial=0), dropped.max(initial=0))) // level.size + 2
        keys = _flat(list((dropped // level.size).T), [side] * dimension)
        dropped_on[np.isin(_flat(list((cells // level.size).T), [side] * dimension), keys)] = number
    for number, facts in enumerate(levels):
        gone: Bool[np.ndarray, " l"] = dropped_on <= number
        facts |= {"lost": int(gone.sum()), "lost_parts": len(np.unique(parts[gone]))}
    own |= {"lost": cells, "lost_part": parts, "lost_level": dropped_on}
    return {"lost": len(cells), "lost_parts": len(np.unique(parts))}
