"""Marching cubes as a viewer: what it shows is what the algorithm did, on the page as in Python."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from headviz import viewers
from headviz.errors import EmptySurfaceError, OptionError, ResolutionError
from headviz.geometry import GridField, extract_surface, preset
from headviz.viewers import cubes
from headviz.viewers.cubes import CubesViewer

RADIUS = 0.1


@pytest.fixture(scope="module")
def ball() -> CubesViewer:
    return viewers.view_cubes(preset("sphere"), resolution=8, title="Ball")


@pytest.fixture(scope="module")
def noise() -> CubesViewer:
    """All classes and both decisions occur; nothing leaves the box."""
    samples = 0.01 * torch.randn(8, 8, 8, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    for axis, end in itertools.product(range(3), (0, -1)):
        samples.select(axis, end).fill_(0.01)
    field = GridField(samples, spacing=0.02)
    return viewers.view_cubes(field, resolution=7, bounds=field.bounds)


def corners_of(viewer: CubesViewer) -> np.ndarray:
    """Places of the corners of every cell, corner k at (k & 1, k >> 1 & 1, k >> 2 & 1), shape (n, 8, 3)."""
    offsets = np.array([[k & 1, k >> 1 & 1, k >> 2 & 1] for k in range(8)])
    facts = viewer.record.facts
    return np.array(facts["origin"]) + facts["spacing"] * (viewer.record.arrays["cells"][:, None] + offsets)


def test_cells_are_the_field(ball: CubesViewer) -> None:
    arrays = ball.record.arrays
    away = np.linalg.norm(corners_of(ball), axis=2) - RADIUS
    np.testing.assert_allclose(arrays["values"], away, atol=1e-6)
    cases = ((away < 0) << np.arange(8)).sum(1)
    np.testing.assert_array_equal(arrays["state_case"][arrays["state"]], cases)
    found = extract_surface(preset("sphere"), resolution=8, record=True)
    assert len(found.history.cells) == len(cases)
    assert {tuple(cell) for cell in arrays["cells"].tolist()} == {tuple(cell) for cell in found.history.cells.tolist()}
    triangles = lambda faces: {tuple(sorted(face)) for face in faces.tolist()}  # noqa: E731
    assert triangles(arrays["faces"]) == triangles(found.mesh.faces)


@pytest.mark.parametrize("name", ["ball", "noise"])
def test_faces_of_the_cells_done_come_first(name: str, request: pytest.FixtureRequest) -> None:
    viewer: CubesViewer = request.getfixturevalue(name)
    arrays = viewer.record.arrays
    heights = arrays["cells"][:, 1]
    assert (np.diff(heights.astype(int)) >= 0).all()  # from the lowest layer up
    boxes = corners_of(viewer)
    for number in range(len(heights)):
        own = arrays["faces"][arrays["first"][number] : arrays["first"][number + 1]]
        points = arrays["vertices"][own]
        assert (points >= boxes[number, 0] - 1e-6).all()
        assert (points <= boxes[number, 7] + 1e-6).all()
        assert viewer.at(step=number + 1).numbers["triangles"] == arrays["first"][number + 1]
    assert arrays["first"][-1] == len(arrays["faces"])


def test_the_table_entry_of_a_cell_is_its_own(noise: CubesViewer) -> None:
    """Each loop of n edges is filled by n − 2 triangles, and goes through every crossed edge once."""
    seen = set()
    for step in range(1, noise.steps - 1):
        now = noise.at(step=step).numbers["current"]
        values = np.array(now["values"])
        assert now["case"] == sum(1 << k for k in range(8) if values[k] < 0)
        assert now["inside"] == int((values < 0).sum())
        assert sum(size - 2 for size in now["loops"]) == now["triangles"]
        assert sum(now["loops"]) == len(now["fractions"])
        for face in now["ambiguous"]:
            axis, side = divmod(face, 2)
            u, v = (1 << k for k in range(3) if k != axis)
            a, b, c, d = values[np.array([0, u, u | v, v]) + (side << axis)]
            assert (a < 0) == (c < 0) != (b < 0) == (d < 0)
            inside_at_saddle = (a * c - b * d) / (a + c - b - d) < 0
            assert (face in now["joined"]) == inside_at_saddle
            seen.add(inside_at_saddle)
        seen.add(now["class"])
    assert seen >= {*range(1, 15), False, True}


def test_crossings_are_where_the_vertices_are(ball: CubesViewer) -> None:
    viewer = ball.at(step=5)
    arrays, number = viewer.record.arrays, viewer.number
    corners = corners_of(viewer)[number]
    own = np.unique(arrays["faces"][arrays["first"][number] : arrays["first"][number + 1]])
    found = [
        corners[a] + fraction * (corners[b] - corners[a])
        for edge, fraction in cubes.crossings(arrays, number)
        for a, b in [arrays["edges"][edge]]
    ]
    assert len(found) == len(own)
    for point in found:
        assert np.linalg.norm(arrays["vertices"][own] - point, axis=1).min() < 1e-6


def test_captions_have_the_numbers(ball: CubesViewer, noise: CubesViewer) -> None:
    cells = len(ball.record.arrays["cells"])
    assert ball.at(step=0).caption == (
        f"8 cells of 0.0286 m along the longest side: the surface crosses {cells} of 512 cells, and none is done yet."
    )
    # A closed surface of a ball: vertices − edges + faces = 2 with 3 edges for 2 faces.
    faces, vertices = len(ball.record.arrays["faces"]), len(ball.record.arrays["vertices"])
    assert vertices - faces / 2 == 2
    last = ball.at(step=ball.steps - 1).caption
    assert last.startswith(
        f"All {cells} cells that the surface crosses done: {faces} triangles with {vertices} vertices; "
    )
    case = ball.at(step=1).numbers["current"]["case"]
    assert ball.at(step=1).caption.startswith(f"Cell 1 of {cells} at (2, 0, 2), case {case} (class ")
    joined = next(
        one for k in range(1, noise.steps - 1) if (one := noise.at(step=k)).numbers["current"]["joined"] == [3]
        and one.numbers["current"]["ambiguous"] == [3]
    )  # fmt: skip
    assert joined.caption.endswith("; 1 face is ambiguous, inside corners: +y (joined).")


def test_steps_and_cursor_go_together(ball: CubesViewer) -> None:
    viewer = ball.at(step=4)
    assert viewer.state.cursor == pytest.approx(corners_of(ball)[3].mean(axis=0))
    near = ball.at(cursor=(0.0, 0.12, 0.001))
    centers = corners_of(ball).mean(axis=1)
    assert near.number == np.linalg.norm(centers - [0.0, 0.12, 0.001], axis=1).argmin()
    assert near.state.cursor == (0.0, 0.12, 0.001)
    assert ball.at(step=0).state.cursor is None
    assert ball.at(smooth=True).state.step == ball.state.step


def test_one_cell_is_enough() -> None:
    values = torch.ones(2, 2, 2)
    values[0, 0, 0] = -1
    with pytest.warns(match="leaves"):
        viewer = viewers.view_cubes(GridField(values), resolution=1, bounds=[[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    assert viewer.steps == 3
    assert viewer.caption == (
        "Cell 1 of 1 at (0, 0, 0), case 1 (class 1): 1 of 8 corners inside, 1 triangle in one loop of 3 edges."
    )
    assert viewer.numbers["current"]["fractions"] == [0.5] * 3


def test_what_cannot_be_shown_is_refused(ball: CubesViewer, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OptionError, match=f"0 to {ball.steps - 1}"):
        ball.at(step=ball.steps)
    with pytest.raises(EmptySurfaceError):
        viewers.view_cubes(preset("sphere"), resolution=4, bounds=[[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]])
    monkeypatch.setattr(cubes, "MOST", 10)
    with pytest.raises(ResolutionError, match="at most 10 cells; at resolution 8 it crosses"):
        viewers.view_cubes(preset("sphere"), resolution=8)


def test_pictures_and_files(ball: CubesViewer, tmp_path: Path) -> None:
    steps = (0, 20, ball.steps - 1)
    pictures = [np.asarray(Image.open(ball.at(step=step).to_png(tmp_path / f"{step}.png", dpi=50))) for step in steps]
    assert all((one != other).any() for one, other in itertools.combinations((p[:220] for p in pictures), 2))
    left = ball.at(step=20, follow=True)
    left.save(tmp_path / "cubes.npz")
    found = viewers.open_record(tmp_path / "cubes.npz")
    assert (found.state, found.caption, found.numbers) == (left.state, left.caption, left.numbers)


# On a page.


def close(found: Any, expected: Any) -> None:
    """Equal, numbers to one part in a million."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            close(found[name], value)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            close(one, other)
    else:
        assert found == (pytest.approx(expected, rel=1e-6, abs=1e-12) if isinstance(expected, float) else expected)


def same(watch: Any, expected: CubesViewer) -> None:
    found = watch.page.evaluate("({caption: viewers[0].caption, numbers: viewers[0].numbers, state: viewers[0].state})")
    assert found["caption"] == expected.caption
    close(found["numbers"], expected.numbers)
    close(found["state"], expected.state.plain())


@pytest.mark.browser
def test_the_page_says_what_python_says(visit: Any, ball: CubesViewer, noise: CubesViewer, tmp_path: Path) -> None:
    for viewer, states in (
        (ball, [{"step": 0}, {"step": 20}, {"cursor": (0.01, 0.1, 0.03)}, {"step": ball.steps - 1}, {"follow": True}]),
        (noise, [{"step": k} for k in range(1, noise.steps - 1, 9)]),
    ):
        watch = visit(viewer.to_html(tmp_path / "page.html").as_uri())
        watch.until("window.viewersReady")
        for changes in states:
            viewer = viewer.at(**changes)
            watch.page.evaluate("changes => { viewers[0].set(changes); viewers[0].flush(); }", changes)
            same(watch, viewer)


@pytest.mark.browser
def test_a_person_steps_picks_and_presses_classes(visit: Any, ball: CubesViewer, tmp_path: Path) -> None:
    watch = visit(ball.at(step=1).to_html(tmp_path / "page.html").as_uri())
    page = watch.page
    watch.until("window.viewersReady")
    low = watch.pixels("viewers[0]")
    page.locator("input[data-name=step]").focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    watch.until(f"viewers[0].state.step === {ball.steps - 2}")
    page.evaluate("viewers[0].flush()")
    same(watch, ball.at(step=ball.steps - 2))
    high = watch.pixels("viewers[0]")
    skin = lambda p: int(((p[..., 0] - p[..., 2]) > 40).sum())  # noqa: E731
    assert skin(high) > 2 * skin(low)  # what is done is opaque

    spot = page.evaluate("viewers[0].panels[0].project([0, 0, 0.1])")
    box = page.locator("canvas.space").bounding_box()
    page.mouse.click(box["x"] + spot[0], box["y"] + spot[1])
    watch.until(f"viewers[0].state.step !== {ball.steps - 2}")
    cursor = page.evaluate("viewers[0].state.cursor")
    assert math.dist(cursor, (0, 0, 0.1)) < 0.01
    assert page.evaluate("viewers[0].state.step") == ball.at(cursor=cursor).state.step

    page.locator("button[data-class='4']").click()
    watch.until("viewers[0].numbers.current.class === 4")
    page.evaluate("viewers[0].flush()")
    assert page.locator("button[data-class='4']").get_attribute("aria-current") == "true"
    page.get_by_text("Camera follows the cell").click()
    watch.until("viewers[0].cameras[0].distance < 0.6")


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_telephone_and_can_be_read(visit: Any, ball: CubesViewer, tmp_path: Path, scheme: str) -> None:
    watch = visit(ball.to_html(tmp_path / "page.html").as_uri(), width=360, height=740, color_scheme=scheme)
    watch.until("window.viewersReady")
    assert watch.overflow() <= 0
    assert watch.low_contrast() == []
    watch.photograph(f"cubes-360-{scheme}")
