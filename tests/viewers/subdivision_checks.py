"""What the tests of quadtrees and octrees share: oracles of trees, and the page beside Python."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

from headviz.geometry.octree import Reason, Subdivision
from headviz.viewers.page import packed
from headviz.viewers.subdivision_record import DROPPED
from headviz.viewers.subdivisions import SubdivisionViewer

from .node import run_module

PURE = """
import { unpack } from "./core/wire.js";
import viewer from "./KIND.js";
globalThis.Blob ??= (await import("node:buffer")).Blob;
const answer = async ([text, changes]) => {
  const record = await unpack(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)));
  let state = { step: 0, cursor: null, ...viewer.initial(record), ...record.state };
  return changes.map((change) => {
    state = viewer.update(record, state, change);
    return [viewer.caption(record, state), viewer.numbers(record, state), state.cell, state.cursor];
  });
};
"""


def check_levels(viewer: SubdivisionViewer, found: Subdivision) -> None:
    """Cells, reasons and evaluations are the algorithm's; every cell lies in its parent, which was split."""
    evaluations = 0
    for number, (level, facts) in enumerate(zip(found.levels, viewer.levels, strict=True)):
        cells, reasons = viewer.on_level("cells", number), viewer.on_level("reasons", number)
        assert level.cells is not None
        assert level.reasons is not None
        ours = {(*cell, reason) for cell, reason in zip(cells.tolist(), reasons.tolist(), strict=True)}
        theirs = zip(level.cells.tolist(), level.reasons.tolist(), strict=True)
        assert ours == {(*cell, reason) for cell, reason in theirs}
        evaluations += level.evaluations
        assert (facts["so_far"], facts["looked"], facts["size"]) == (evaluations, level.total, level.size)
        if number:
            parents = viewer.on_level("parents", number)
            assert (np.diff(parents.astype(int)) >= 0).all()
            above = viewer.on_level("cells", number - 1)[parents]
            size = viewer.levels[number - 1]["size"]
            assert (above // size == cells // size).all()
            assert (viewer.on_level("reasons", number - 1)[parents] <= Reason.FORCED).all()


def check_cover(viewer: SubdivisionViewer) -> None:
    """Cells without children fill the lattice, each place once."""
    cells = viewer.lattice["cells"]
    filled = np.zeros(cells, dtype=int)
    for number, level in enumerate(viewer.levels):
        reasons = viewer.on_level("reasons", number)
        leaves = viewer.on_level("cells", number)[np.isin(reasons, DROPPED) | (level["size"] == 1)]
        for corner in leaves.tolist():
            filled[tuple(slice(at, at + level["size"]) for at in corner)] += 1
    assert (filled == 1).all()


def check_browser_module(viewer: SubdivisionViewer, changes: list[dict[str, Any]]) -> None:
    """Caption, numbers, cell and cursor of the page's module are Python's after each of some changes."""
    text = base64.b64encode(packed(viewer)).decode("ascii")
    answers = run_module(PURE.replace("KIND", viewer.kind), [text, changes])
    for change, (caption, numbers, cell, cursor) in zip(changes, answers, strict=True):
        viewer = viewer.at(**change)
        assert caption == viewer.caption, change
        assert same(numbers, viewer.numbers), (change, numbers, viewer.numbers)
        assert cell == (None if viewer.choice.cell is None else list(viewer.choice.cell))
        assert same(cursor, viewer.state.plain()["cursor"])


def same(found: Any, expected: Any) -> bool:
    """Whether plain values agree, numbers to a millionth."""
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(same(found[name], expected[name]) for name in expected)
    if isinstance(expected, list | tuple):
        return len(found) == len(expected) and all(same(*pair) for pair in zip(found, expected, strict=True))
    if isinstance(expected, float):
        return bool(found == pytest.approx(expected, rel=1e-6, abs=1e-12))
    return bool(found == expected)


def read_back(watch: Any, viewer: SubdivisionViewer) -> None:
    """The first viewer of a page says and shows what Python's says in the page's state."""
    watch.page.evaluate("window.viewers[0].flush()")
    state = watch.page.evaluate("window.viewers[0].state")
    there = viewer.at(**state)
    assert watch.page.evaluate("window.viewers[0].caption") == there.caption
    assert same(watch.page.evaluate("window.viewers[0].numbers"), there.numbers)
    assert there.caption in watch.page.locator("figcaption").inner_text()
