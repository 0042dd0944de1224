"""An OBJ file line by line: what is read, what is said, what is drawn, here and in the browser."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from headviz.errors import MeshError
from headviz.interop import load_mesh
from headviz.viewers import open_record, view_obj
from headviz.viewers.obj import ObjViewer

CUBE = """\
# a cube with sides of 0.1 m
o cube
v -0.05 -0.05  0.05
v  0.05 -0.05  0.05
v  0.05  0.05  0.05
v -0.05  0.05  0.05
v -0.05 -0.05 -0.05
v  0.05 -0.05 -0.05
v  0.05  0.05 -0.05
v -0.05  0.05 -0.05
f 1 2 3 4
f 2 6 7 3
f 6 5 8 7
f 5 1 4 8
f 4/1 3/2/3 7//1 8
f -8 -7 -3 -4
"""
STEPS = (0, 1, 2, 3, 10, 11, 14, 16)


@pytest.fixture
def viewer() -> ObjViewer:
    return view_obj(CUBE, title="A cube")


def test_it_reads_what_other_programs_read(viewer: ObjViewer, tmp_path: Path) -> None:
    path = tmp_path / "cube.obj"
    path.write_text(CUBE)
    other = load_mesh(path, join=False)  # by trimesh
    arrays = viewer.record.arrays
    ours = arrays["vertices"][arrays["triangles"]]
    theirs = other.vertices[other.faces].numpy()
    assert ours.shape == theirs.shape == (12, 3, 3)
    middles = [np.array(sorted(part.mean(axis=1).round(6).tolist())) for part in (ours, theirs.astype(float))]
    assert np.allclose(*middles, atol=1e-6)


def test_normals_and_which_way_they_point(viewer: ObjViewer) -> None:
    arrays = viewer.record.arrays
    expected = [(0, 0, 1), (1, 0, 0), (0, 0, -1), (-1, 0, 0), (0, 1, 0), (0, 1, 0)]
    assert np.allclose(arrays["normals"], expected)
    assert arrays["outward"].tolist() == [True] * 5 + [False], "the last face is turned the wrong way"


def test_captions(viewer: ObjViewer) -> None:
    said = [viewer.at(step=step).caption for step in STEPS]
    assert said[:3] == [
        "No line of 16 is read yet.",
        "Line 1 of 16: a comment.",
        "Line 2 of 16: nothing is drawn for it.",
    ]
    assert said[3] == "Line 3 of 16: vertex 1 lies at x = −0.05 m, y = −0.05 m, z = 0.05 m."
    assert (
        said[5] == "Line 11 of 16: a face from vertex 1 to 2 to 3 to 4 and back; its normal (0, 0, 1) points outwards."
    )
    assert said[7].endswith(
        "1 to 2 to 6 to 5 and back; its normal (0, 1, 0) points inwards: it is turned the wrong way."
    )
    assert viewer.at(step=11).numbers == {"line": 11, "vertices": 8, "faces": 1}
    assert viewer.state.step == 16


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "none of its 0 lines"),
        ("f 1 2 3", "line 1 should name vertices 1 to 0"),
        ("v 0 0", "line 1 should be 'v x y z'"),
        ("v 0 0 nan", "finite numbers"),
        ("v 0 0 up", "line 1 should be 'v x y z'"),
        ("v 0 0 0\nf 1 1", "line 2 should name at least 3"),
        ("v 0 0 0\nf 1 1 2", "line 2 should name vertices 1 to 1"),
        ("v 0 0 0\nf 1 1 0", "line 2 should name vertices"),
        ("v 0 0 0\nf 1 1 -2", "line 2 should name vertices"),
        ("v 0 0 0\n" * 401, "at most 400 lines"),
    ],
)
def test_what_cannot_be_read(text: str, message: str) -> None:
    with pytest.raises(MeshError, match=message.replace("(", r"\(")):
        view_obj(text)


def test_a_face_without_area_and_one_point() -> None:
    flat = view_obj("v 0 0 0\nv 1 0 0\nf 1 2 1")
    assert "its normal (0, 0, 0)" in flat.caption
    assert "vertex 1" in view_obj("v 0 0 0").caption


def test_files_and_pictures(viewer: ObjViewer, tmp_path: Path) -> None:
    left = viewer.at(step=12, labels=False)
    found = open_record(left.save(tmp_path / "cube.npz"))
    assert (found.caption, found.state, found.title) == (left.caption, left.state, "A cube")
    pictures = [
        np.asarray(Image.open(viewer.at(**state).to_png(tmp_path / "p.png", dpi=50)).convert("RGB")).astype(int)
        for state in ({"step": 0}, {"step": 12}, {"step": 16}, {"step": 16, "labels": False})
    ]
    assert all((abs(a - b).sum(-1) > 60).any() for a, b in itertools.pairwise(pictures))


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_says_and_draws_the_same(
    viewer: ObjViewer, visit: Callable[..., Any], tmp_path: Path, scheme: str
) -> None:
    watch = visit(viewer.to_html(tmp_path / "cube.html").as_uri(), width=1200, color_scheme=scheme)
    watch.until("window.viewersReady === true")
    for step in STEPS:
        watch.page.evaluate(f"viewers[0].set({{ step: {step} }}), viewers[0].flush()")
        here = viewer.at(step=step)
        assert watch.page.evaluate("[viewers[0].caption, viewers[0].numbers]") == [here.caption, here.numbers]
        assert watch.page.locator(".number:not([hidden])").count() == here.numbers["vertices"]
    assert watch.low_contrast() == []
    before = watch.pixels("viewers[0].panels[1]")
    watch.page.get_by_role("button", name="f 1 2 3 4").click()
    assert watch.until("viewers[0].state.step === 11")
    watch.page.evaluate("viewers[0].flush()")
    assert (abs(watch.pixels("viewers[0].panels[1]") - before).sum(-1) > 30).mean() > 0.02
    watch.page.get_by_label("Vertex numbers").uncheck()
    watch.until("viewers[0].state.labels === false")
    watch.page.evaluate("viewers[0].flush()")
    assert watch.page.locator(".number:not([hidden])").count() == 0
    watch.photograph(f"obj-{scheme}")


@pytest.mark.browser
def test_narrow_and_by_keyboard(viewer: ObjViewer, visit: Callable[..., Any], tmp_path: Path) -> None:
    page = viewer.at(step=0).to_html(tmp_path / "cube.html")
    watch = visit(page.as_uri(), width=360, height=740, has_touch=True, is_mobile=True)
    watch.until("window.viewersReady === true")
    assert watch.overflow() <= 0
    slider = watch.page.get_by_label("Step", exact=True)
    slider.focus()
    for _ in range(3):
        watch.page.keyboard.press("ArrowRight")
    assert watch.until("viewers[0].state.step === 3")
    watch.page.evaluate("viewers[0].flush()")
    assert watch.page.locator("figcaption").inner_text() == viewer.at(step=3).caption


@pytest.mark.browser
def test_a_face_from_behind_is_magenta(visit: Callable[..., Any], tmp_path: Path) -> None:
    away = view_obj("v 0 0 0\nv 0.1 0 0\nv 0.1 0.1 0\nv 0 0.1 0\nf 4 3 2 1")
    watch = visit(away.to_html(tmp_path / "away.html").as_uri(), width=800, height=700)
    watch.until("window.viewersReady === true")
    red, green, blue = watch.pixels("viewers[0].panels[1]").reshape(-1, 3).T
    assert ((blue > green + 20) & (red > green + 20)).mean() > 0.05
