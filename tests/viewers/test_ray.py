"""The viewer of a ray: what it records, says and draws, and that the page computes the same."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from headviz import viewers
from headviz.errors import FieldError, OptionError, RayError, RecordError
from headviz.geometry import preset, sphere_trace
from headviz.viewers.picture import picture_bytes
from headviz.viewers.ray import RayState, RayViewer, view_ray
from headviz.viewers.ray_search import METHODS, Claim

from .conftest import Watch


@cache
def circle() -> RayViewer:
    """A ray that meets a circle of radius 0.1 at x = 0.1 cos φ, y = 0.04."""
    return view_ray(preset("circle"), origin=(0.15, 0.04), direction=(-1, 0), title="Circle")


@cache
def head() -> RayViewer:
    return view_ray(preset("head"), title="A head")


class Constant:
    """A field without a surface, that claims a bound."""

    def __init__(self, value: float) -> None:
        self.value, self.lipschitz = value, 1.0
        self.bounds = torch.tensor([[-0.1, -0.1], [0.1, 0.1]])

    def __call__(self, points: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        return torch.full_like(points[:, 0], self.value)


# The record.


def test_the_looks_are_those_of_sphere_tracing_on_the_samples() -> None:
    viewer = head()
    settings, facts = viewer.settings, viewer.record.facts
    found = sphere_trace(
        Claim(viewer.slice.grid, 1.0), *settings.rays(), near=0.0, far=math.inf, max_steps=64,
        tolerance=settings.tolerance, record=True,
    )  # fmt: skip
    assert found.history is not None
    looks = found.history.ray(0)
    assert np.array_equal(viewer.record.arrays["look_t"], looks.t.numpy())
    assert np.array_equal(viewer.record.arrays["look_distance"], looks.distances.numpy())
    assert facts["comparison"][0]["evaluations"] == len(looks.t) == viewer.steps
    assert [row["method"] for row in facts["comparison"]] == list(METHODS)


def test_the_circle_is_traced_as_by_hand() -> None:
    """Against the exact distance √(x² + y²) − 0.1, and the intersection of a line with a circle."""
    viewer, t = circle(), 0.0
    error = viewer.record.facts["sampling_error"]
    assert error < 5e-5
    for look in viewer.search.t[:6]:
        assert look == pytest.approx(t, abs=8 * error)
        t += math.hypot(0.15 - t, 0.04) - 0.1
    true = 0.15 - math.sqrt(0.1**2 - 0.04**2)
    assert viewer.root == pytest.approx(true, abs=2 * error)
    assert viewer.search.hit == pytest.approx(true, abs=2 * viewer.state.tolerance)
    fixed = viewer.at(method="fixed", step_size=0.01)
    assert fixed.search.hit == pytest.approx(0.06)
    assert fixed.comparison[3]["error"] == pytest.approx(0.06 - true, abs=2 * error)


def test_samples_with_one_cell_and_fields_without_surface_say_so() -> None:
    assert "Missed" in view_ray(Constant(0.05)).caption
    assert "starts inside" in view_ray(Constant(-0.05)).caption
    tiny = view_ray(preset("circle"), samples=1)
    assert tiny.record.arrays["grid"].shape == (2, 2)
    assert tiny.caption
    assert picture_bytes(tiny, dpi=40)


# The state.


def test_states_change_purely() -> None:
    viewer = circle()
    before = viewer.state
    other = viewer.at(method="relaxed", relaxation=1.7)
    assert (viewer.state, other.state.method, other.state.relaxation) == (before, "relaxed", 1.7)
    assert viewer.at(step=2).at(step=2).numbers == viewer.at(step=2).numbers
    assert other.state.step == other.steps - 1, "the last step stays the last"
    assert viewer.at(step=1).at(angle=175.0).state.step == 1
    assert viewer.at(step=2).at(max_steps=1).state.step == 1, "as far as there are as many"
    assert viewer.at().state == before


def test_the_cursor_follows_the_look_in_space() -> None:
    viewer = head().at(step=4)
    u, v = viewer.position or (math.nan, math.nan)
    assert viewer.state.cursor == pytest.approx((0.0, v, u))
    assert viewer.at_cursor is None
    pointed = viewer.at(cursor=(0.0, 0.12, 0.18))
    assert pointed.caption.startswith(viewer.caption)
    assert "At the cursor (0.18, 0.12) the distance is" in pointed.caption
    field = float(preset("head")(torch.tensor([[0.0, 0.12, 0.18]]))[0])
    assert pointed.numbers["cursor_distance"] == pytest.approx(field, abs=viewer.slice.error)
    assert viewer.at(cursor=(0.05, 0.12, 0.18)).at_cursor is None, "off the plane"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "magic"}, "method should be one of"),
        ({"relaxation": 2.0}, r"\[1, 2\)"),
        ({"tolerance": 0.0}, "tolerance should be positive"),
        ({"step_size": math.inf}, "step_size should be a finite number"),
        ({"bound_factor": -1.0}, "bound_factor should be positive"),
        ({"max_steps": 0}, "at least 1"),
        ({"angle": math.nan}, "finite"),
        ({"origin": (0.1, math.inf)}, "finite"),
        ({"step": 10_000}, "step should be in 0 to"),
        ({"colour": 1}, "there is no 'colour'"),
    ],
)
def test_states_that_cannot_be_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        circle().at(**changes)


def test_rays_that_cannot_be_are_refused() -> None:
    with pytest.raises(RayError, match="not 0"):
        view_ray(preset("circle"), direction=(0.0, 0.0))
    with pytest.raises(RayError, match="not 0"):
        view_ray(preset("head"), direction=(1.0, 0.0, 0.0))  # across the plane
    with pytest.raises(OptionError, match="should have 2 coordinates"):
        view_ray(preset("circle"), origin=(0.0, 0.0, 0.0))
    with pytest.raises(FieldError, match="finite values"):
        view_ray(Constant(math.nan))


def test_points_of_space_are_moved_into_the_plane() -> None:
    viewer = view_ray(preset("head"), plane=("x", 0.01), origin=(0.5, 0.0, 0.2), direction=(3.0, 0.0, -2.0), samples=64)
    assert viewer.state.origin == (0.2, 0.0)
    assert viewer.state.angle == 180.0
    assert viewer.state.cursor is None
    aimed = view_ray(preset("circle"), direction=(0.0, 2.0))
    assert aimed.state.origin[0] == pytest.approx(0.0, abs=1e-6)
    assert aimed.state.origin[1] < -0.1
    assert "Hit" in aimed.caption


# The sentences.


def test_sentences_tell_steps_with_their_numbers() -> None:
    viewer = circle()
    first = float(np.hypot(0.15, 0.04) - 0.1)
    assert (
        viewer.at(step=0).caption
        == f"Step 0 of {viewer.steps - 1}: distance {first:.4f} m, so the ray may move {first:.4f} m."
    )
    assert viewer.caption.startswith(
        f"Hit after {viewer.steps - 1} steps and {viewer.steps} evaluations at t = 0.0583 m, "
    )
    assert viewer.caption.endswith("before the surface.")
    assert "so with the bound 2 the ray may move 0.0276 m" in viewer.at(step=0, bound_factor=2.0).caption
    assert "whatever the distance" in viewer.at(method="fixed", step=0).caption
    assert (
        "the sign has changed" in viewer.at(method="bracketing", step=viewer.at(method="bracketing").steps - 2).caption
    )
    relaxed = viewer.at(method="relaxed", relaxation=1.9)
    tries = [relaxed.at(step=k).caption for k in range(relaxed.steps)]
    assert "it tries 0.105 m, the circles leave a gap, and it comes back." in tries[0]
    assert tries[-1].endswith("1 step was taken back.")


def test_a_bound_that_is_too_small_is_caught() -> None:
    viewer = circle().at(bound_factor=0.5, origin=(0.15, 0.0), angle=180.0)
    over = viewer.at(step=1)
    assert over.caption.startswith("Step 1 of ")
    assert (
        "over-stepped: it trusted the bound 0.5 and went 0.1 m, but the field falls by 1 per metre there"
        in over.caption
    )
    assert over.numbers["overstep"] is True
    assert viewer.caption.endswith("1 step over-stepped: the bound 0.5 is too small for this field.")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"origin": (0.02, 0.0)}, "Hit after 0 steps: the ray starts inside the solid, where the field is −0.08 m."),
        ({"origin": (0.5, 0.5), "angle": 0.0}, "Missed: the ray does not meet the box of the slice"),
        ({"origin": (0.15, 0.11)}, "the smallest distance on the way was"),
        ({"max_steps": 1}, "Out of steps after 1 step and 2 evaluations"),
        ({"method": "fixed", "step_size": 0.25, "origin": (0.13, 0.0)}, "Missed wrongly after"),
        ({"method": "bracketing"}, "Hit after"),
    ],
)
def test_every_end_has_its_sentence(changes: dict[str, Any], sentence: str) -> None:
    assert sentence in circle().at(**changes).caption


# The picture and the file.


def test_pictures_differ_between_steps_and_keep_their_size() -> None:
    import io

    pictures = [Image.open(io.BytesIO(picture_bytes(head().at(step=k), dpi=50))).convert("RGB") for k in (1, 5)]
    assert pictures[0].width == 525
    assert pictures[0].size == pictures[1].size
    changed = np.abs(np.asarray(pictures[0]).astype(int) - np.asarray(pictures[1])).max(-1) > 20
    assert 0.002 < changed.mean() < 0.3


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "fixed", "step_size": 0.25, "origin": (0.13, 0.0)}, {"bound_factor": 0.5, "origin": (0.15, 0.0)},
        {"origin": (0.5, 0.5), "angle": 0.0}, {"method": "adaptive"},
    ],
)  # fmt: skip
def test_every_end_can_be_drawn(changes: dict[str, Any]) -> None:
    assert len(picture_bytes(circle().at(**changes), dpi=40, dark=True)) > 5000


def test_a_saved_ray_opens_as_it_was_left(tmp_path: Path) -> None:
    viewer = head().at(method="adaptive", tolerance=1e-3).at(step=2)
    viewer.save(tmp_path / "ray.npz")
    again = viewers.open_record(tmp_path / "ray.npz")
    assert isinstance(again, RayViewer)
    assert again.state == viewer.state
    assert again.numbers == viewer.numbers
    assert again.caption == viewer.caption
    spoilt = viewer.record.arrays["grid"].copy()
    spoilt[3, 3] = np.nan
    type(viewer.record)("ray", viewer.record.facts, {**viewer.record.arrays, "grid": spoilt}).save(tmp_path / "bad.npz")
    with pytest.raises(RecordError, match="NaN"):
        viewers.open_record(tmp_path / "bad.npz")


# The page.

STATES: list[dict[str, Any]] = [
    {"step": 3}, {"method": "relaxed", "relaxation": 1.6, "step": 1}, {"method": "adaptive", "step": 4}, {"method": "fixed"},
    {"method": "bracketing", "tolerance": 1e-6}, {"bound_factor": 0.5, "step": 1}, {"bound_factor": 0.3, "max_steps": 3},
    {"origin": (0.0, 0.05), "angle": 30.0}, {"origin": (0.9, 0.9), "angle": 45.0}, {"angle": 271.5, "method": "fixed"},
    {"step": 2, "cursor": (0.0, 0.1, 0.15)}, {"angle": 90.0}, {"bound_factor": 1.7, "method": "relaxed", "relaxation": 1.99},
]  # fmt: skip


def opened(visit: Callable[..., Watch], viewer: RayViewer, path: Path, **options: Any) -> Watch:
    watch = visit(viewer.to_html(path / "ray.html").as_uri(), **options)
    watch.until("window.viewersReady === true")
    return watch


def same(one: Any, other: Any) -> bool:
    """Equal, floats within 10⁻⁶ or a hundredth of a nanometre."""
    if isinstance(one, float) or isinstance(other, float):
        return one is not None and other is not None and math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-11)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(*pair) for pair in zip(one, other, strict=True))
    return bool(one == other)


@pytest.mark.browser
def test_the_page_computes_what_python_computes(visit: Callable[..., Watch], tmp_path: Path) -> None:
    viewer = head()
    watch = opened(visit, viewer, tmp_path)
    begin = watch.page.evaluate("viewers[0].state")
    for changes in [{}, *STATES]:
        watch.page.evaluate("(s) => { viewers[0].set(s); viewers[0].flush(); }", begin | {"cursor": None})
        watch.page.evaluate("(s) => { viewers[0].set(s); viewers[0].flush(); }", changes)
        expected = viewer.at(**changes) if changes else viewer
        found = watch.page.evaluate(
            "({ numbers: viewers[0].numbers, caption: viewers[0].caption, state: viewers[0].state })"
        )
        assert found["caption"] == expected.caption, changes
        assert same(found["numbers"], expected.numbers), (changes, found["numbers"], expected.numbers)
        assert found["state"]["step"] == expected.state.step
        assert not changes or same(found["state"]["cursor"], expected.state.plain()["cursor"])
    assert "RangeError" in watch.page.evaluate(
        "(() => { try { viewers[0].set({ relaxation: 3 }); } catch (e) { return String(e); } })()"
    )


@pytest.mark.browser
def test_the_ray_can_be_dragged_and_the_methods_chosen(visit: Callable[..., Watch], tmp_path: Path) -> None:
    watch = opened(visit, head(), tmp_path)
    page, state = watch.page, lambda: watch.page.evaluate("viewers[0].state")
    before, picture = state(), watch.pixels("viewers[0]")

    def drag(label: str, right: int, down: int) -> None:
        box = page.get_by_role("button", name=label).bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + right, y + down, steps=3)
        page.mouse.up()
        page.evaluate("viewers[0].flush()")

    scale = page.evaluate("viewers[0].panels[0].scale[0]")
    drag("Origin of the ray", -20, -40)
    moved = state()
    assert moved["origin"] == pytest.approx(
        [before["origin"][0] - 20 / scale, before["origin"][1] + 40 / scale], abs=1.5 / scale
    )
    assert np.abs(watch.pixels("viewers[0]") - picture).max(-1).mean() > 0.5
    drag("Direction of the ray", 0, -30)
    assert state()["angle"] != moved["angle"]
    turned = head().at(**{name: value for name, value in state().items() if name != "step"})
    assert watch.page.evaluate("viewers[0].caption") == turned.caption
    page.get_by_role("button", name="Direction of the ray").press("ArrowUp")
    page.get_by_role("button", name="Fixed step").click()
    page.evaluate("viewers[0].flush()")
    assert state()["method"] == "fixed"
    assert state()["angle"] != turned.state.angle
    page.get_by_role("slider", name="Step", exact=True).focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.evaluate("viewers[0].flush()")
    assert "step 1 / " in page.locator(".transport output").inner_text()
    assert page.locator("figcaption").inner_text().startswith("Step 1 of ")
    watch.photograph("ray-dragged")


@pytest.mark.browser
def test_a_click_on_the_slice_points(visit: Callable[..., Watch], tmp_path: Path) -> None:
    watch = opened(visit, head(), tmp_path)
    box = watch.page.locator("canvas.plane").first.bounding_box()
    watch.page.mouse.click(box["x"] + 0.7 * box["width"], box["y"] + 0.2 * box["height"])
    watch.page.evaluate("viewers[0].flush()")
    cursor = watch.page.evaluate("viewers[0].state.cursor")
    assert cursor[0] == 0
    pointed = head().at(cursor=tuple(cursor))
    assert watch.page.evaluate("viewers[0].caption") == pointed.caption
    assert "At the cursor" in pointed.caption


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_readable_and_fits(visit: Callable[..., Watch], tmp_path: Path, scheme: str) -> None:
    viewer = head().at(bound_factor=0.5).at(step=1)
    for width in (1200, 700, 360):
        watch = opened(visit, viewer, tmp_path, width=width, color_scheme=scheme)
        assert watch.overflow() <= 0
        assert watch.low_contrast() == []
        assert watch.page.locator(".methods").evaluate("(table) => table.scrollWidth - table.clientWidth") <= 0
        watch.photograph(f"ray-{width}-{scheme}")


def test_a_state_has_plain_values() -> None:
    assert RayState(origin=(0.1, 0.2)).plain()["origin"] == [0.1, 0.2]
