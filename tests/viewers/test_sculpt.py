"""The sculpting viewer without a browser: the ports against the engine, words, records, the exchange with a kernel."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from headviz import viewers
from headviz.errors import OptionError, RecordError
from headviz.geometry.mesh import Mesh
from headviz.geometry.rbf import KERNELS, alpha_of_radius
from headviz.sculpt import (
    FALLOFFS,
    TOOLS,
    Brush,
    ChangeMask,
    Keypoint,
    SculptSession,
    SetKeypoints,
    SetSliders,
    Step,
    Stroke,
    Symmetrise,
)
from headviz.viewers import Record, view_sculpt
from headviz.viewers.sculpt import SculptState, SculptViewer

from .node import run_module

#: In parts of the head's size: how far a port may be from the engine. The order of sums in single precision is 1e-7.
CLOSE = 1e-5

REPLAY = """
import { sessionOf } from "./sculpt.js";
import { captionOf, numbersOf } from "./sculpt/words.js";
const typed = ({ vertices, positions, mask, ...rest }) => Object.fromEntries(Object.entries({ vertices, positions, mask, ...rest })
  .filter(([, values]) => values !== undefined)
  .map(([name, values]) => [name, { data: (/faces|mirror|indices/.test(name) ? Int32Array : Float32Array).from(values.flat()) }]));
const answer = ({ facts, arrays, lists }) => lists.map((steps) => {
  const session = sessionOf({ facts, arrays: typed(arrays) });
  for (const step of steps) session.history.apply(step);
  const found = { positions: session.positions.slice(), normals: session.normals.slice(), mask: session.mask.slice() };
  const words = [captionOf(session), numbersOf(session)];
  while (session.history.canUndo) session.history.undo();
  const back = session.positions.every((value, k) => value === session.surface.base[k]) && session.mask.every((value) => value === 0);
  while (session.history.canRedo) session.history.redo();
  return { ...found, words, back, again: session.positions.every((value, k) => value === found.positions[k]) };
});
"""


def replayed(record: Record, lists: list[list[Step]]) -> list[dict[str, Any]]:
    """What the browser's session makes of lists of steps."""
    data = {
        "facts": dict(record.facts),
        "arrays": dict(record.arrays),
        "lists": [[step.plain() for step in steps] for steps in lists],
    }
    found: list[dict[str, Any]] = run_module(REPLAY, data)
    return found


def twinned(head: Mesh) -> Mesh:
    """The small head, symmetric to the bit, with its mirror map; the poles are many vertices at one place."""
    rows, columns = 25, 48
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    mirror = (row * columns + (-column) % columns).reshape(-1)
    across = torch.tensor([-1.0, 1.0, 1.0])
    return replace(head, vertices=(head.vertices + head.vertices[mirror] * across) / 2, mirror=mirror)


def bent(head: Mesh) -> Mesh:
    """The small head without a twin for most vertices."""
    vertices = head.vertices.clone()
    vertices[:, 0] += 0.01 * (30 * vertices[:, 1]).sin() + 0.002 * (90 * vertices[:, 2]).cos()
    return Mesh(vertices, head.faces)


def strokes(session: SculptSession) -> list[list[Step]]:
    """Every tool, with and without symmetry, every falloff; near the seam, on it and far from it."""
    places = ((0.001, 0.0, 0.12), (0.03, 0.02, 0.09), (0.0, 0.05, 0.1))
    found: list[list[Step]] = []
    for (k, tool), symmetric in product(enumerate(TOOLS), (True, False)):
        falloff, invert = FALLOFFS[(2 * k + symmetric) % len(FALLOFFS)], k % 2 == 1
        brush = Brush(tool, 0.15 * session.surface.size, 1.4 if symmetric else 0.8, falloff, invert, symmetric)
        path = tuple((x, y + 0.004 * i, z) for i in range(4) for x, y, z in places[:2])
        one = Stroke(brush, places[k % 3 : k % 3 + 1], (0.01, 0.004, 0.02)) if tool == "grab" else Stroke(brush, path)
        found.append([Stroke(Brush("mask", 0.04, 0.7), places[1:2]), one])
    way = (0.012, -0.01, 0.02)
    return found + [[Stroke(Brush("grab", 0.05, falloff=falloff), places[:1], way)] for falloff in FALLOFFS]


def keypoint_steps() -> list[list[Step]]:
    """Every kernel, blending and exact, with and without twins; keypoints on the plane, near it and far from it."""
    found: list[list[Step]] = []
    for kernel, exact, symmetric in product(KERNELS, (False, True), (True, False)):
        alpha = alpha_of_radius(kernel, 0.06)
        sites = [(0.0, 0.0, 0.13), (0.004, 0.06, 0.09), (0.05, -0.03, 0.07), (-0.03, -0.08, 0.05), (0.06, 0.08, 0.0)]
        ways = [(0.004, 0.01, 0.008), (0.002, 0.0, 0.01), (-0.01, 0.005, 0.0), (0.006, -0.01, 0.004), (0.01, 0.0, 0.0)]
        points = [
            Keypoint(site, way, kernel, alpha * (1 + 0.1 * k), symmetric=symmetric)
            for k, (site, way) in enumerate(zip(sites, ways, strict=True))
        ]
        moved = (*points[:2], Keypoint(sites[2], (0.0, 0.01, 0.01), kernel, points[2].alpha, symmetric=symmetric))
        found.append([SetKeypoints(tuple(points), exact), SetKeypoints((*moved, *points[3:]), exact)])
    return found


@pytest.mark.parametrize("twins", [True, False])
def test_the_browser_computes_what_the_engine_computes(small_head: Mesh, twins: bool) -> None:
    mesh = twinned(small_head) if twins else bent(small_head)
    record = view_sculpt(SculptSession(mesh)).record
    lists = strokes(SculptSession(mesh)) + keypoint_steps()
    if twins:
        lists.append(
            [SetSliders({"jawOpen": 0.7, "mouthSmileLeft": -0.2}), SetSliders({"jawOpen": 0.1}), Symmetrise("right")]
        )
        lists.append(
            [Stroke(Brush("grab", 0.05, symmetric=False), ((0.03, 0.0, 0.1),), (0.01, 0.0, 0.02)), Symmetrise()]
        )
        lists.append([Stroke(Brush("mask", 0.05), ((0.0, 0.0, 0.1),)), ChangeMask("invert")])
    for steps, found in zip(lists, replayed(record, lists), strict=True):
        session = SculptSession(mesh)
        assert (session.surface.mirror is not None) == twins
        for step in steps:
            session.apply(step)
        size, text = session.surface.size, f"{[step.plain() for step in steps]}"
        moved = np.abs(session.positions - session.surface.rest).max()
        assert moved > 1e-3 * size or session.mask.any(), f"the step does something: {text}"
        positions = np.array(found["positions"]).reshape(-1, 3)
        assert np.abs(positions - session.positions).max() <= CLOSE * size, text
        assert np.abs(np.array(found["mask"]) - session.mask).max() <= 1e-5, text
        assert np.abs(np.array(found["normals"]).reshape(-1, 3) - session.normals).max() <= 5e-3, text
        assert found["back"], f"undo: {text}"
        assert found["again"], f"redo: {text}"


@pytest.mark.parametrize("twins", [True, False])
def test_the_page_says_what_python_says(small_head: Mesh, twins: bool) -> None:
    mesh = twinned(small_head) if twins else bent(small_head)
    grab = Stroke(Brush("grab", 0.05), ((0.03, 0.0, 0.1),), (0.01, 0.0, 0.02))
    one = Keypoint((0.0, 0.0, 0.13), (0.0, 0.0, 0.01))
    moved = replace(one, vector=(0.0, 0.01, 0.0))
    lists: list[list[Step]] = [
        [], [grab], [grab, ChangeMask("invert")], [SetKeypoints((one,), exact=True)], [SetKeypoints((one, one))],
        [SetKeypoints((one,))], [SetKeypoints((one,)), SetKeypoints(())], [SetKeypoints((one,)), SetKeypoints((moved,))],
        [SetKeypoints((one,)), SetKeypoints((replace(moved, alpha=1000.0),))],
        [Stroke(Brush("mask", 0.0412), ((0.03, 0.0, 0.1),))],
    ]  # fmt: skip
    if twins:
        lists += [
            [SetSliders({"jawOpen": 0.755})],
            [SetSliders({"jawOpen": 0.5, "browInnerUp": 1})],
            [Symmetrise("left")],
        ]
    record = view_sculpt(SculptSession(mesh)).record
    for steps, found in zip(lists, replayed(record, lists), strict=True):
        viewer = view_sculpt(SculptSession(mesh))
        for step in steps:
            viewer.session.apply(step)
        caption, numbers = found["words"]
        wanted = viewer.numbers
        for name in ("residual", "sculpted_residual"):
            residual, expected = numbers.pop(name), wanted.pop(name)
            assert (residual is None) == (expected is None) == (not twins)
            assert residual is None or residual == pytest.approx(expected, abs=2e-7)
        assert numbers == pytest.approx(wanted, rel=1e-5)
        start, symmetry = caption.rsplit("; ", 1)
        assert [start, shape(symmetry)] == [
            *viewer.caption.rsplit("; ", 1)[:1],
            shape(viewer.caption.rsplit("; ", 1)[1]),
        ]
        assert symmetry == "no vertex knows its twin." or twins


def shape(words: str) -> str:
    """A sentence without its numbers, which may differ in rounding."""
    return re.sub(r"[\d.]+(e−\d+)?(?= |\.$|,)", "#", words)


def test_strokes_on_an_asymmetric_head_are_told_from_its_own_asymmetry(small_head: Mesh) -> None:
    head = twinned(small_head)
    leaning = replace(
        head, vertices=head.vertices + torch.tensor([0.003, 0.0, 0.0]) * (30 * head.vertices[:, 1:2]).sin()
    )
    viewer = view_sculpt(leaning)
    grab = Stroke(Brush("grab", 0.05), ((0.03, 0.0, 0.1),), (0.01, 0.0, 0.02))
    steps: list[Step] = [grab, SetSliders({"mouthSmileLeft": 0.5})]
    (found,) = replayed(viewer.record, [steps])
    for step in steps:
        viewer.session.apply(step)
    for caption in (found["words"][0], viewer.caption):
        found_words = re.search(
            r"was sculpted is symmetric to (.+) of the head’s size, the base is asymmetric by (.+), sliders by (.+)\.$",
            caption,
        )
        assert found_words is not None
        sculpted, base, sliders = found_words.groups()
        assert float(sculpted.replace("−", "-")) <= 1e-6
        assert min(float(base), float(sliders)) > 0.01


def test_a_record_goes_on_from_where_the_session_is(small_head: Mesh, tmp_path: Path) -> None:
    viewer = view_sculpt(small_head, title="A head")
    session = viewer.session
    assert "positions" not in viewer.record.arrays
    session.apply(Stroke(Brush("inflate", 0.05), ((0.03, 0.0, 0.1),)))
    session.apply(SetSliders({"jawOpen": 0.5}))
    session.undo()
    assert [line["id"] for line in viewer.record.facts["entries"]] == [1, 2]
    assert (viewer.record.facts["current"], viewer.record.facts["line"]) == (1, 2)
    np.testing.assert_array_equal(viewer.record.arrays["positions"], session.positions)
    viewer.at(surface="distance").save(tmp_path / "a.npz")
    opened = viewers.open_record(tmp_path / "a.npz")
    assert isinstance(opened, SculptViewer)
    assert opened.caption == viewer.caption
    np.testing.assert_array_equal(opened.session.positions, session.positions)
    assert opened.session.can_redo
    opened.session.redo()
    assert opened.at(surface="skin").session is opened.session
    assert opened.session.sliders["jawOpen"] == 0.5
    assert opened.record.facts["current"] == 2
    assert session.current == 1, "the opened session is another one"


def test_states_are_checked(small_head: Mesh, tmp_path: Path) -> None:
    viewer = view_sculpt(small_head)
    with pytest.raises(OptionError, match=r"tool should be one of grab, .*, keypoint; it is 'axe'"):
        viewer.at(tool="axe")
    with pytest.raises(OptionError, match="surface should be one of skin, texture, distance; it is 'gold'"):
        viewer.at(surface="gold")
    with pytest.raises(OptionError, match="positive radius"):
        viewer.at(radius=0.0)
    record = viewer.record
    broken = Record(
        "sculpt", {**record.facts, "entries": [{"id": 1, "parent": 0, "step": {"kind": "jump"}}]}, record.arrays
    )
    with pytest.raises(RecordError, match="jump"):
        SculptViewer(broken, SculptState())
    assert viewer.at(surface="distance", keypoint=2).to_png(tmp_path / "a.png").stat().st_size > 10_000
