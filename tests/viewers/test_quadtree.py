"""Quadtrees as a viewer: what it shows is what the algorithm did, on the page as in Python."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from headviz import viewers
from headviz.errors import BoundsError, FieldError, OptionError, RecordError
from headviz.geometry import preset, subdivide
from headviz.geometry.lattice import lattice_in
from headviz.geometry.octree import lost_cells
from headviz.viewers.quadtree import QuadtreeViewer

from .subdivision_checks import check_browser_module, check_cover, check_levels, read_back

RADIUS = 0.1


@pytest.fixture(scope="module")
def thin() -> QuadtreeViewer:
    return viewers.view_quadtree(preset("thin"), resolution=64, compare=(16, 64), title="Thin")


@pytest.fixture(scope="module")
def circle() -> QuadtreeViewer:
    return viewers.view_quadtree(preset("circle"), resolution=32, compare=(8, 16, 32))


def test_levels_are_the_algorithms(thin: QuadtreeViewer) -> None:
    field = preset("thin").slice("x")
    lattice = lattice_in(field.bounds, 64, margin=0.5)
    for prune in ("lipschitz", "sign"):
        check_levels(thin.at(prune=prune), subdivide(field, lattice, prune=prune, record=True))
        check_cover(thin.at(prune=prune))
    cells, parts = lost_cells(subdivide(field, lattice, prune="sign"), subdivide(field, lattice))
    sign = thin.at(prune="sign", step=thin.steps - 1)
    assert len(cells) > 0
    assert sorted(sign.of("lost").tolist()) == sorted(cells.tolist())
    assert (sign.numbers["lost"], sign.numbers["lost_parts"]) == (len(cells), len(parts.unique()))
    assert f"lost {len(cells)} cells in {len(parts.unique())} pieces" in sign.caption
    assert thin.at(prune="sign", step=4).numbers["lost"] == 0  # all are dropped on level 5, the first that is judged


def test_a_cell_says_its_corners_and_why(circle: QuadtreeViewer) -> None:
    for step in range(circle.steps):
        for x, y in ((0.0, 0.0), (0.071, 0.071), (0.1001, 0.003), (-0.09, 0.09)):
            cell = circle.at(step=step, cursor=(x, y, 0.0)).numbers["cell"]
            low = np.array(circle.lattice["origin"]) + cell["size"] * np.array(cell["at"])
            assert (low <= (x, y)).all()
            assert ((x, y) < low + cell["size"]).all()
            corners = [
                math.hypot(*(low + cell["size"] * np.array(at))) - RADIUS for at in ((0, 0), (1, 0), (0, 1), (1, 1))
            ]
            assert cell["values"] == pytest.approx(corners, abs=1e-6)
            assert cell["inside"] == sum(value < 0 for value in corners)
            if cell["reason"] == "crossing":
                assert 0 < cell["inside"] < 4
            if cell["reason"] == "near":
                assert cell["nearest"] <= cell["needed"]
            if cell["reason"] == "safe":  # nothing of the circle within
                grid = low + cell["size"] * np.stack(np.meshgrid(*[np.linspace(0, 1, 9)] * 2), -1).reshape(-1, 2)
                assert len({bool(np.hypot(*place) < RADIUS) for place in grid}) == 1


def test_errors_and_costs_of_the_methods(circle: QuadtreeViewer) -> None:
    rows = circle.record.facts["rows"]
    dense = {row["resolution"]: row for row in rows if row["method"] == "dense"}
    assert dense[32]["evaluations"] == circle.lattice["points"]
    # Chords of a circle: the error falls with the square of the cell.
    assert 8 < dense[8]["mean"] / dense[32]["mean"] < 40
    assert dense[32]["error"] < circle.lattice["spacing"] ** 2 / RADIUS
    for row in rows:
        assert row["evaluations"] <= dense[row["resolution"]]["evaluations"]
        assert (row["lost"], row["error"]) == (0, dense[row["resolution"]]["error"])
    assert circle.tree["length"] == pytest.approx(2 * math.pi * RADIUS, rel=0.01)
    assert circle.tree["pieces"] == 1


def test_states_are_pure_updates(thin: QuadtreeViewer) -> None:
    before = thin.state
    chosen = thin.at(cell=(2, 1, 2))
    assert thin.state == before
    assert chosen.at(cursor=chosen.state.cursor, step=2).choice.cell == (2, 1, 2)
    assert thin.at(cursor=(0.0, 9.0, 0.0)).choice.cell is None
    assert chosen.at(cursor=None).choice.cell is None
    for wrong in ({"prune": "luck"}, {"step": 99}, {"cell": (0, 1)}, {"cell": (99, 0, 0)}, {"level": 3}):
        with pytest.raises(OptionError):
            thin.at(**wrong)


def test_the_browser_says_the_same(thin: QuadtreeViewer, circle: QuadtreeViewer) -> None:
    changes: list[dict[str, Any]] = [{"step": step} for step in range(thin.steps)]
    changes += [{"cursor": [0.0, 0.02, 0.03]}, {"prune": "sign"}, {"step": 5}, {"cursor": [0.0, 0.02, -0.1]}, {"cell": [1, 0, 1]},
                {"cursor": [0.0, 0.0, 0.0]}, {"step": 2}, {"cursor": [0.0, 0.5, 0.5]}]  # fmt: skip
    check_browser_module(thin, changes)
    check_browser_module(circle, [{"step": step, "cursor": [0.02 * step, 0.05, 0.0]} for step in range(circle.steps)])


@pytest.mark.parametrize("resolution", [1, 2, 5])
def test_few_cells(resolution: int) -> None:
    viewer = viewers.view_quadtree(preset("rectangle"), resolution=resolution)
    assert viewer.at(step=viewer.steps - 1).caption.startswith("The contour from")
    check_cover(viewer)


def test_what_cannot_be_shown_is_refused_or_said() -> None:
    class Broken:
        bounds = torch.tensor([[-1.0, -1.0], [1.0, 1.0]])
        lipschitz = 1.0

        def __call__(self, points: torch.Tensor) -> torch.Tensor:
            return points[:, 0] * torch.nan

    class Steep(Broken):
        lipschitz = math.inf

        def __call__(self, points: torch.Tensor) -> torch.Tensor:
            return points.square().sum(1) + 1

    with pytest.raises(FieldError, match="finite"):
        viewers.view_quadtree(Broken(), resolution=8)
    with pytest.raises(OptionError, match="plane"):
        viewers.view_quadtree(preset("circle"), plane=("x", 0.0), resolution=8)
    with pytest.raises(BoundsError):
        viewers.view_quadtree(preset("circle"), box=(0.0, 0.0, 0.0, 1.0), resolution=8)
    nothing = viewers.view_quadtree(Steep(), resolution=8)
    assert list(nothing.record.facts["trees"]) == ["sign"]
    assert "nothing at this resolution" in nothing.at(step=nothing.steps - 1).caption


def test_files_and_pictures(thin: QuadtreeViewer, tmp_path: Path) -> None:
    chosen = thin.at(prune="sign", step=6, cursor=(0.0, 0.09, 0.0))
    opened = viewers.open_record(chosen.save(tmp_path / "tree.npz"))
    assert (opened.caption, opened.title) == (chosen.caption, "Thin")
    sizes, pictures = set(), []
    for step in (3, 7):
        picture = Image.open(opened.at(step=step).to_png(tmp_path / "tree.png", dpi=50))
        sizes.add(picture.size)
        pictures.append(np.asarray(picture.convert("L")).astype(int))
    assert len(sizes) == 1
    assert np.abs(pictures[0] - pictures[1]).mean() > 1
    with pytest.raises(RecordError):
        QuadtreeViewer(viewers.Record("quadtree", {}, {}))


@pytest.mark.browser
def test_page(visit: Any, thin: QuadtreeViewer, tmp_path: Path) -> None:
    watch = visit(thin.to_html(tmp_path / "tree.html").as_uri())
    watch.until("window.viewersReady === true")
    page = watch.page
    read_back(watch, thin)
    before = watch.pixels("window.viewers[0]")
    page.locator("[data-name=step]").focus()
    page.keyboard.press("ArrowRight")
    read_back(watch, thin)
    assert page.evaluate("window.viewers[0].state.step") == thin.state.step + 1
    assert np.abs(watch.pixels("window.viewers[0]") - before).mean() > 0.3
    box = page.locator("canvas.plane").first.bounding_box()
    page.mouse.click(box["x"] + 0.55 * box["width"], box["y"] + 0.3 * box["height"])
    read_back(watch, thin)
    assert page.evaluate("window.viewers[0].numbers.cell") is not None
    page.get_by_role("button", name="signs only").click()
    read_back(watch, thin)
    assert "lost" in page.evaluate("window.viewers[0].caption")
    tree = page.locator("canvas.plane").nth(1).bounding_box()
    page.mouse.click(tree["x"] + 0.5 * tree["width"], tree["y"] + 0.12 * tree["height"])
    read_back(watch, thin)
    assert page.evaluate("window.viewers[0].state.cell") == [0, 0, 0]
    before = watch.pixels("window.viewers[0]")
    page.locator("input[data-name=same_sign]").uncheck()
    assert np.abs(watch.pixels("window.viewers[0]") - before).sum() > 0
    assert watch.low_contrast() == []
    watch.photograph("quadtree")


@pytest.mark.browser
def test_page_on_a_phone_in_the_dark(visit: Any, thin: QuadtreeViewer, tmp_path: Path) -> None:
    path = thin.at(prune="sign", step=7).to_html(tmp_path / "tree.html")
    watch = visit(path.as_uri(), width=360, height=740, color_scheme="dark")
    watch.until("window.viewersReady === true")
    read_back(watch, thin)
    assert watch.overflow() <= 0
    assert watch.low_contrast() == []
    watch.photograph("quadtree-phone")
