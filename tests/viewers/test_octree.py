"""Octrees as a viewer: what it shows is what the algorithm did, on the page as in Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from headviz import viewers
from headviz.errors import OptionError, ShapeError
from headviz.geometry import extract_surface, preset, subdivide
from headviz.geometry.lattice import lattice_in
from headviz.geometry.shapes import Sphere
from headviz.viewers import subdivision_record
from headviz.viewers.octree import OctreeViewer
from headviz.viewers.octree_pictures import section_of

from .subdivision_checks import check_browser_module, check_cover, check_levels, read_back


@pytest.fixture(scope="module")
def thin() -> OctreeViewer:
    return viewers.view_octree(preset("thin"), resolution=64, compare=(16,), title="Thin")


@pytest.fixture(scope="module")
def ball() -> OctreeViewer:
    return viewers.view_octree(Sphere(0.1, (0.01, 0.0, 0.0)), resolution=16, compare=(8, 16))


def test_levels_and_losses_are_the_algorithms(thin: OctreeViewer) -> None:
    field = preset("thin")
    lattice = lattice_in(field.bounds, 64, margin=0.5)
    for prune in ("lipschitz", "sign"):
        extraction = extract_surface(field, resolution=64, prune=prune, record=True)
        shown = thin.at(prune=prune, step=thin.steps - 1)
        check_levels(shown, subdivide(field, lattice, prune=prune, record=True))
        assert extraction.history is not None
        assert sorted(shown.of("lost").tolist()) == sorted(extraction.history.lost.tolist())
        assert shown.numbers["lost_parts"] == len(extraction.history.lost_part.unique())
        assert shown.numbers["evaluations"] == extraction.evaluations
        vertices, faces = shown.surface()
        np.testing.assert_array_equal(faces, extraction.mesh.faces)
        np.testing.assert_allclose(vertices, extraction.mesh.vertices, atol=1e-7)
    assert thin.at(prune="sign", step=thin.steps - 1).numbers["lost"] > 0
    check_cover(thin)


def test_one_cube_eight_and_two_of_them_again() -> None:
    """Seed 000, figure 3.4: a cube, its eight children, and again eight of the two that the surface passes."""
    field = Sphere(1.2, (0.0, 4.0, 4.0)) | Sphere(1.2, (4.0, 0.0, 0.0))
    with pytest.warns(match="leaves the box"):
        extract_surface(field, resolution=4, bounds=[[0.0, 0.0, 0.0], [4.0, 4.0, 4.0]])
    viewer = viewers.view_octree(field, resolution=4, bounds=[[0.0, 0.0, 0.0], [4.0, 4.0, 4.0]], compare=())
    assert [viewer.at(step=step).numbers["looked"] for step in range(3)] == [1, 8, 16]
    assert [viewer.at(step=step).numbers["split"] for step in range(2)] == [1, 2]
    assert np.bincount(viewer.on_level("parents", 2)).max() == 8
    assert len(np.unique(viewer.on_level("parents", 2))) == 2


def test_the_cut(ball: OctreeViewer) -> None:
    """Cells on the cut fill it once; where the plane meets the mesh are circles of the right radius."""
    for axis, position in (("x", 0.03), ("y", -0.0312), ("z", 0.0)):
        viewer = ball.at(axis=axis, position=position, step=ball.steps - 1)
        area = 0
        for level in range(len(viewer.levels)):
            chosen = viewer.cut_on(level) & viewer.shown_on(level)
            area += int(chosen.sum()) * viewer.levels[level]["size"] ** 2
        cells = viewer.lattice["cells"]
        assert area == np.prod(cells) // cells[viewer.fixed]
        section = section_of(*viewer.surface(), viewer.fixed, position)
        radius = np.sqrt(0.01 - (position - (0.01 if axis == "x" else 0.0)) ** 2)
        away = np.delete(section.reshape(-1, 3) - (0.01, 0.0, 0.0), viewer.fixed, axis=1)
        np.testing.assert_allclose(np.hypot(*away.T), radius, atol=viewer.lattice["spacing"] ** 2 / 0.1)
    assert ball.at(position=7.0).view.position == pytest.approx(
        ball.lattice["origin"][0] + ball.lattice["spacing"] * ball.lattice["cells"][0]
    )


def test_states_and_errors(ball: OctreeViewer) -> None:
    with pytest.raises(OptionError, match="axis"):
        ball.at(axis="xy")
    with pytest.raises(OptionError, match="prune"):
        viewers.view_octree(preset("sphere"), resolution=8, prune="luck")
    with pytest.raises(ShapeError, match="view_quadtree"):
        viewers.view_octree(preset("circle"), resolution=8)
    one = viewers.view_octree(preset("sphere"), resolution=1)
    assert "Level 0 of 0" in one.at(step=0).caption
    nothing = viewers.view_octree(preset("sphere"), resolution=8, bounds=[[1.0, 1, 1], [2.0, 2, 2]])
    assert "nothing at this resolution" in nothing.at(step=nothing.steps - 1).caption


def test_too_many_cells_are_thinned_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = viewers.view_octree(preset("sphere"), resolution=32, compare=())
    monkeypatch.setattr(subdivision_record, "MOST_CELLS", 2000)
    some = viewers.view_octree(preset("sphere"), resolution=32, compare=())
    assert len(some.of("cells")) <= 2000 < len(whole.of("cells"))
    assert "are drawn" in some.record.facts["notes"][0]
    assert some.numbers["looked"] == whole.numbers["looked"]
    assert whole.record.facts["notes"] == []
    some.at(cursor=(0.05, 0.05, 0.05), step=some.steps - 1)
    check_browser_module(some, [{"step": 5}, {"cursor": [0.05, 0.05, 0.05]}])


def test_the_browser_says_the_same(thin: OctreeViewer, ball: OctreeViewer) -> None:
    changes: list[dict[str, Any]] = [{"step": step} for step in range(thin.steps)]
    changes += [{"cursor": [0.0, 0.02, 0.1]}, {"prune": "sign"}, {"axis": "y", "position": 0.02}, {"step": 3}, {"position": 5.0},
                {"cell": [2, 1, 1, 2]}, {"cursor": [0.3, 0.0, 0.0]}, {"cursor": None}]  # fmt: skip
    check_browser_module(thin, changes)
    check_browser_module(ball, [{"step": step, "cursor": [0.02 * step, 0.05, 0.0]} for step in range(ball.steps)])


def test_files_and_pictures(thin: OctreeViewer, tmp_path: Path) -> None:
    chosen = thin.at(prune="sign", axis="z", position=0.011)
    opened = viewers.open_record(chosen.save(tmp_path / "tree.npz"))
    assert opened.caption == chosen.caption
    pictures = []
    for step in (2, 7):
        picture = Image.open(opened.at(step=step).to_png(tmp_path / "tree.png", dpi=40))
        pictures.append(np.asarray(picture.convert("L")).astype(int))
    assert pictures[0].shape == pictures[1].shape
    assert np.abs(pictures[0] - pictures[1]).mean() > 1


@pytest.mark.browser
def test_page(visit: Any, thin: OctreeViewer, tmp_path: Path) -> None:
    watch = visit(thin.to_html(tmp_path / "tree.html").as_uri())
    watch.until("window.viewersReady === true")
    page = watch.page
    read_back(watch, thin)
    before = watch.pixels("window.viewers[0]")
    assert before.std() > 5
    page.locator("[data-name=step]").focus()
    page.keyboard.press("ArrowRight")
    read_back(watch, thin)
    assert page.evaluate("window.viewers[0].state.step") == thin.state.step + 1
    assert np.abs(watch.pixels("window.viewers[0]") - before).mean() > 0.3
    box = page.locator("canvas.space").bounding_box()
    page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    read_back(watch, thin)
    point = page.evaluate("window.viewers[0].state.cursor")
    assert page.evaluate("window.viewers[0].numbers.cell") is not None
    assert point[0] == pytest.approx(thin.view.position)  # on the cut
    page.get_by_role("button", name="signs only").click()
    page.get_by_role("button", name="z", exact=True).click()
    page.locator("input[data-name=position]").focus()
    page.keyboard.press("ArrowRight")
    read_back(watch, thin)
    assert page.evaluate("window.viewers[0].state.axis") == "z"
    before = watch.pixels("window.viewers[0]")
    page.locator("input[data-name=cut]").uncheck()
    assert np.abs(watch.pixels("window.viewers[0]") - before).mean() > 0.3
    cut = page.locator("canvas.plane").first.bounding_box()
    page.mouse.click(cut["x"] + 0.6 * cut["width"], cut["y"] + 0.3 * cut["height"])
    read_back(watch, thin)
    assert page.evaluate("window.viewers[0].state.cursor[2]") == page.evaluate("window.viewers[0].state.position")
    assert watch.low_contrast() == []
    watch.photograph("octree")


@pytest.mark.browser
def test_page_on_a_phone_in_the_dark(visit: Any, thin: OctreeViewer, tmp_path: Path) -> None:
    path = thin.at(prune="sign", step=6).to_html(tmp_path / "tree.html")
    watch = visit(path.as_uri(), width=360, height=740, color_scheme="dark")
    watch.until("window.viewersReady === true")
    read_back(watch, thin)
    assert watch.overflow() <= 0
    assert watch.low_contrast() == []
    watch.photograph("octree-phone")
