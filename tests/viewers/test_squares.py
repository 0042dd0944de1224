"""Marching squares as a viewer: what it shows is what the algorithm did, on the page as in Python."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from headviz import viewers
from headviz.errors import BoundsError, FieldError, OptionError, ResolutionError, ShapeError
from headviz.geometry import marching_squares, preset
from headviz.viewers.squares import SquaresViewer

RADIUS = 0.1
#: The inside makes one corner, an ambiguous cell (case 10) whose saddle is outside, and a hole.
SAMPLES = np.array(
    [[3, 3, 3, 3, 3], [3, -1, 4, -2, 3], [3, -1, -1, 4, 3], [3, -3, -1, 2, 3], [3, 3, 3, 3, 3]], dtype=float
)


@pytest.fixture(scope="module")
def circle() -> SquaresViewer:
    return viewers.view_squares(preset("circle"), resolution=12, title="Circle")


@pytest.fixture(scope="module")
def small() -> SquaresViewer:
    return viewers.view_squares(SAMPLES, box=(0.0, 0.0, 0.4, 0.4), title="Small")


def cells_by_hand(values: np.ndarray, level: float = 0.0) -> list[tuple[int, int, int]]:
    """Column, row and case of every cell that is crossed, row by row, one corner after the other."""
    found = []
    for row in range(len(values) - 1):
        for column in range(len(values[0]) - 1):
            corners = [
                values[row, column],
                values[row, column + 1],
                values[row + 1, column + 1],
                values[row + 1, column],
            ]
            case = sum(1 << k for k, value in enumerate(corners) if value < level)
            if 0 < case < 15:
                found.append((column, row, case))
    return found


def test_samples_are_the_field_and_the_line_is_the_algorithms(circle: SquaresViewer) -> None:
    for size in circle.record.facts["sizes"]:
        values, place = circle.record.arrays[f"samples.{size}"], circle.record.facts["places"][str(size)]
        x = place["origin"][0] + place["spacing"][0] * np.arange(values.shape[1])
        y = place["origin"][1] + place["spacing"][1] * np.arange(values.shape[0])
        np.testing.assert_allclose(values, np.hypot(x[None], y[:, None]) - RADIUS, atol=1e-7)
        assert max(values.shape) == size + 1
    place = circle.place
    alone = marching_squares(circle.samples, spacing=tuple(place["spacing"]), origin=tuple(place["origin"]))
    np.testing.assert_array_equal(circle.contour.points, alone.points)
    np.testing.assert_array_equal(circle.contour.segments, alone.segments)


def test_each_step_shows_one_crossed_cell(circle: SquaresViewer) -> None:
    by_hand = cells_by_hand(np.asarray(circle.samples))
    assert circle.steps == len(by_hand) + 2
    length = 0.0
    for step, (column, row, case) in enumerate(by_hand, start=1):
        numbers = circle.at(step=step).numbers
        now = numbers["current"]
        assert (now["at"], now["case"], now["inside"]) == ([column, row], case, f"{case:b}".count("1"))
        assert numbers["done"] == step
        assert numbers["length"] > length
        length = numbers["length"]
    whole = circle.at(step=circle.steps - 1).numbers
    assert length == pytest.approx(whole["total"], rel=1e-12)
    assert whole["total"] == pytest.approx(2 * math.pi * RADIUS, rel=0.03)
    assert whole["area"] == pytest.approx(math.pi * RADIUS**2, rel=0.06)
    assert circle.at(step=0).numbers["length"] == 0


def test_errors_fall_with_the_square_of_the_cell(circle: SquaresViewer) -> None:
    facts = circle.record.facts
    assert facts["slope"]["distance"] == pytest.approx(-2, abs=0.3)
    for row in facts["errors"]:
        line = circle.at(resolution=row["resolution"]).contour
        away = np.abs(np.hypot(*np.asarray(line.points[line.segments].mean(1)).T) - RADIUS).max()
        assert row["distance"] == pytest.approx(away, rel=0.25)
        assert row["length"] == pytest.approx(2 * math.pi * RADIUS - float(line.length.sum()), rel=0.08)


def test_captions_have_the_numbers(small: SquaresViewer) -> None:
    assert small.at(step=0).caption == (
        "5 × 5 samples, 6 of them inside: the line crosses 13 of 16 cells, where both signs meet."
    )
    assert small.at(step=1).caption == (
        "Cell (0, 0), case 4: 1 of 4 corners inside, so one segment; crossings at 0.75 and 0.75 of their edges; "
        "1 of 13 cells done, length so far 0.0354 m."
    )
    assert small.caption == (
        "Cell (2, 1), case 10: 2 opposite corners inside, which is ambiguous; the saddle between them is outside "
        "(1.27 m), so they are kept apart, two segments; crossings at 0.67, 0.33, 0.2 and 0.8 of their edges; "
        "7 of 13 cells done, length so far 0.465 m."
    )
    joined = small.at(saddle="join")
    assert "joined by choice, two segments" in joined.caption
    assert joined.numbers["current"]["at"] == [2, 1]
    # Lengths and areas as scikit-image's find_contours has them, fully_connected="high" and "low".
    whole = small.at(step=14)
    assert whole.caption == (
        "All 13 cells with a crossing done, 4 along the longer side: 2 lines, 0.936 m long around 0.0346 m²."
    )
    assert whole.numbers["total"] == pytest.approx(0.728209915552816 + 0.20784565691944903, rel=1e-12)
    assert whole.at(saddle="join").numbers["total"] == pytest.approx(1.068904173836544, rel=1e-12)
    assert whole.at(saddle="join").numbers["area"] == pytest.approx(0.03849583333333333, rel=1e-12)
    assert whole.at(saddle="join").numbers["lines"] == 1


def test_a_saddle_is_decided_by_its_value() -> None:
    apart = viewers.view_squares(np.array([[-1.0, 2.0], [2.0, -1.0]]))
    assert apart.numbers["current"]["saddle"] == pytest.approx(0.5)  # (1 − 4) / (−2 − 4)
    assert apart.numbers["current"]["joined"] is False
    deep = apart.at(level=0.6)
    assert deep.numbers["current"]["saddle"] == pytest.approx(-0.1)
    assert deep.numbers["current"]["joined"] is True


def test_painting_is_a_pure_update(small: SquaresViewer) -> None:
    painted = small.at(painted=((12, 1), (1, -1)))
    assert (float(small.samples[2, 2]), float(small.samples[0, 1])) == (-1, 3)
    assert (float(painted.samples[2, 2]), float(painted.samples[0, 1])) == (0.05, -0.05)  # half a cell of 0.1 m
    assert painted.steps != small.steps
    assert painted.caption.endswith("2 samples painted.")
    assert painted.at(painted=()).contour.segments.equal(small.contour.segments)
    assert small.at(brush="inside").state.step == small.steps - 1
    assert painted.at(resolution=2).state.painted == ()


def test_the_current_cell_is_kept_where_the_line_changes(circle: SquaresViewer) -> None:
    before = circle.at(step=10)
    after = before.at(all_cells=True)
    assert after.numbers["current"]["at"] == before.numbers["current"]["at"]
    assert after.steps == 12 * 12 + 2
    fine = before.at(resolution=48)
    assert np.subtract(fine.numbers["current"]["at"], np.multiply(before.numbers["current"]["at"], 4))[1] in (
        0,
        1,
        2,
        3,
    )
    assert circle.at(step=circle.steps - 1).at(resolution=4).numbers["current"] is None


def test_a_cut_through_space_knows_its_place() -> None:
    viewer = viewers.view_squares(preset("ellipsoid"), resolution=8, plane=("x", 0.01))
    assert viewer.record.facts["axes"] == ["z", "y"]
    assert viewer.record.facts["place"] == [[0.01, 0, 0], [0, 0, 1], [0, 1, 0]]
    (z, y), (dz, dy) = viewer.place["origin"], viewer.place["spacing"]
    points = np.array([[0.01, y + 3 * dy, z + 5 * dz]])
    assert float(viewer.samples[3, 5]) == pytest.approx(float(preset("ellipsoid")(points)[0]), abs=1e-6)


def test_nothing_to_draw_is_said_in_words() -> None:
    alone = viewers.view_squares(np.ones((2, 2)))
    assert alone.steps == 2
    assert alone.caption == "No cell is crossed: all 4 samples lie outside, from 1 m to 1 m."
    assert alone.at(all_cells=True, step=1).caption == (
        "Cell (0, 0), case 0: none of 4 corners inside, so no segment; 1 of 1 cells looked at, length so far 0 m."
    )


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: viewers.view_squares(np.array([[1.0, math.nan], [0.0, 1.0]])), FieldError, "1 of 4 are not"),
        (lambda: viewers.view_squares(np.ones((2, 1))), ShapeError, r"shape is \(2, 1\)"),
        (lambda: viewers.view_squares(np.ones((1100, 20))), ResolutionError, r"values\[::3, ::3\]"),
        (lambda: viewers.view_squares(np.ones((3, 3)), box=(0, 0, 0, 1)), BoundsError, "ascending"),
        (lambda: viewers.view_squares(np.ones((3, 3)), plane=("x", 0.0)), OptionError, "leave plane out"),
        (lambda: viewers.view_squares(preset("circle"), resolution=0), ResolutionError, "from 1 to 512; it is 0"),
        (lambda: viewers.view_squares(preset("circle"), saddle="guess"), OptionError, "it is 'guess'"),
    ],
)
def test_what_cannot_be_used_is_refused(call: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"resolution": 5}, "one of 1, 2, 4; it is 5"),
        ({"painted": ((25, 1),)}, "0 to 24"),
        ({"painted": ((3, 2),)}, "side"),
        ({"brush": "wet"}, "off, inside, outside"),
        ({"step": 15}, "0 to 14"),
        ({"saddle": "x"}, "asymptotic"),
    ],
)
def test_states_that_do_not_exist_are_refused(small: SquaresViewer, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        small.at(**changes)


def test_pictures_and_files(small: SquaresViewer, tmp_path: Path) -> None:
    pictures = [
        np.asarray(Image.open(small.at(step=step).to_png(tmp_path / f"{step}.png", dpi=50))) for step in (3, 14)
    ]
    assert pictures[0].shape[1] == pictures[1].shape[1]  # the caption's lines may differ in number
    assert (pictures[0][:220] != pictures[1][:220]).any()
    left = small.at(painted=((12, 1),), level=0.5, step=2)
    left.save(tmp_path / "squares.npz")
    found = viewers.open_record(tmp_path / "squares.npz")
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


STATE = "({caption: viewers[0].caption, numbers: viewers[0].numbers, state: viewers[0].state})"


def compare(watch: Any, viewer: SquaresViewer, **changes: Any) -> None:
    page = watch.page
    page.evaluate("changes => { viewers[0].set(changes); viewers[0].flush(); }", viewer.state.plain())
    page.evaluate("changes => { viewers[0].set(changes); viewers[0].flush(); }", changes)
    same(watch, viewer.at(**changes))


def same(watch: Any, expected: SquaresViewer) -> None:
    """Caption, numbers and state of the page are those of a viewer."""
    found = watch.page.evaluate(STATE)
    assert found["caption"] == expected.caption
    close(found["numbers"], expected.numbers)
    close({name: found["state"][name] for name in ("step", "painted")}, {
        "step": expected.state.step, "painted": [list(pair) for pair in expected.chosen.painted],
    })  # fmt: skip


@pytest.mark.browser
def test_the_page_computes_what_python_computes(
    visit: Any, circle: SquaresViewer, small: SquaresViewer, tmp_path: Path
) -> None:
    noise = viewers.view_squares(np.random.default_rng(4).normal(size=(9, 9)) * 0.01, box=(-0.2, -0.1, 0.2, 0.3))
    for viewer, states in (
        (circle, [{"step": 7}, {"resolution": 128}, {"level": 0.013}, {"all_cells": True}, {"brush": "inside"}]),
        (small, [{"saddle": "join"}, {"painted": [[12, 1], [1, -1]]}, {"resolution": 2}, {"level": 20.0}, {"step": 0}]),
        (noise, [{"step": 30}, {"saddle": "split"}, {"step": noise.steps - 1}, {"level": -0.004}]),
    ):
        watch = visit(viewer.to_html(tmp_path / "page.html").as_uri())
        watch.until("window.viewersReady")
        for changes in states:
            compare(watch, viewer, **changes)


@pytest.mark.browser
def test_a_person_steps_paints_and_presses_cases(visit: Any, small: SquaresViewer, tmp_path: Path) -> None:
    watch = visit(small.to_html(tmp_path / "page.html").as_uri())
    page = watch.page
    watch.until("window.viewersReady")
    page.locator("input[data-name=step]").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    watch.until("viewers[0].state.step === 9")
    same(watch, small.at(step=9))

    box = page.locator("canvas.plane").bounding_box()
    at = lambda x, y: page.evaluate("p => viewers[0].panels[0].at(...p)", [x, y])  # noqa: E731
    spot = lambda x, y: [side + start for side, start in zip(at(x, y), (box["x"], box["y"]), strict=True)]  # noqa: E731
    page.mouse.click(*spot(0.17, 0.04))
    watch.until("viewers[0].state.step === 2")
    cursor = page.evaluate("viewers[0].state.cursor")
    assert cursor == pytest.approx([0.17, 0.04, 0], abs=2e-3)

    page.get_by_role("button", name="Inside", exact=True).click()
    watch.until("viewers[0].state.brush === 'inside'")
    before = watch.pixels("viewers[0]")
    page.mouse.move(*spot(0.0, 0.0))
    page.mouse.down()
    page.mouse.move(*spot(0.1, 0.0), steps=4)
    page.mouse.up()
    watch.until("viewers[0].state.painted.length === 2")
    expected = small.at(brush="inside").at(painted=((0, -1), (1, -1)))
    same(watch, expected)
    assert (watch.pixels("viewers[0]") != before).any()

    page.evaluate("viewers[0].set({ step: 1 })")
    page.locator("button[data-case='5']").click()
    watch.until("viewers[0].numbers.current?.case === 5")
    page.get_by_role("button", name="Off", exact=True).click()
    page.get_by_role("button", name="Clear painting").click()
    page.locator("button[data-case='13']").click()
    watch.until("viewers[0].numbers.current?.case === 13")
    page.evaluate("viewers[0].flush()")
    assert page.locator("button[data-case='13']").get_attribute("aria-current") == "true"


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_telephone_and_can_be_read(visit: Any, small: SquaresViewer, tmp_path: Path, scheme: str) -> None:
    watch = visit(small.to_html(tmp_path / "page.html").as_uri(), width=360, height=740, color_scheme=scheme)
    watch.until("window.viewersReady")
    assert watch.overflow() <= 0
    assert watch.low_contrast() == []
    watch.photograph(f"squares-360-{scheme}")
