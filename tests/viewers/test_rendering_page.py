"""The page of a rendering: it says, counts and paints what Python does, and can be worked by mouse, keys and finger."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headviz import viewers
from headviz.geometry.mesh import Mesh
from headviz.heads.model import load_head
from headviz.render.light import Lighting
from headviz.viewers.rendering import LIGHT, RenderingViewer
from headviz.viewers.rendering_picture import pixels
from headviz.viewers.wire import pack

from .node import run_module
from .rendering_cases import CAMERA, SIDE, SOFT, some_pixels

READY = "window.viewersReady === true"


@pytest.fixture(scope="module")
def ball(small_head: Mesh) -> RenderingViewer:
    """A ball with a nose, small enough to be looked at everywhere."""
    return viewers.view_rendering(small_head, CAMERA, light=LIGHT, soft=SOFT, title="A ball")


@pytest.fixture(scope="module")
def head() -> RenderingViewer:
    """The packaged head by default."""
    return viewers.view_rendering(load_head().mesh(morphs=False), title="A head")


def same(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        if value is None or isinstance(value, str | bool):
            assert found[name] == value, name
        else:
            np.testing.assert_allclose(found[name], value, rtol=1e-6, atol=1e-9, err_msg=name)


def walk(viewer: RenderingViewer) -> list[dict[str, Any]]:
    """Changes of a state that lead to all stages, many pixels, and all gradients."""
    random, spots = np.random.default_rng(1), some_pixels(viewer, 12)
    changes: list[dict[str, Any]] = []
    for step in range(viewer.steps):
        some = [spots[k] for k in random.choice(len(spots), 6)]
        changes += [{"step": step, "pixel": spot, "beside": spot} for spot in some]
    for vertex in viewer.vertices:
        changes += [{"vertex": vertex, "of": of, "axis": axis} for of in viewer.of for axis in "xyz"]
    return [*changes, {"step": 0}, {"of": "picture"}, {"cursor": (0.0, 0.1, 0.0)}, {"pixel": (1, 2)}]


@pytest.mark.parametrize("light", [LIGHT, None])
def test_the_browser_says_and_counts_the_same(small_head: Mesh, light: Lighting | None) -> None:
    mesh = small_head if light is not None else Mesh(small_head.vertices, small_head.faces)
    viewer = viewers.view_rendering(mesh, CAMERA, light=light, soft=SOFT)
    changes = walk(viewer)
    code = """
    import { unpack } from "./core/wire.js";
    import { captionOf } from "./rendering_words.js";
    import { changedOf, numbersOf, update } from "./rendering_numbers.js";
    const answer = async ([text, changes]) => {
      const record = await unpack(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)));
      let state = record.state;
      return changes.map((change) => {
        state = update(record, state, change);
        return [state, numbersOf(record, state), captionOf(record, state), changedOf(record, state).map((row) => row.slice(0, 2))];
      });
    };
    """
    packed = base64.b64encode(pack(viewer.record, viewer.state.plain(), precision=viewer.precision)).decode()
    shown = viewer
    for change, (state, numbers, caption, changed) in zip(changes, run_module(code, [packed, changes]), strict=True):
        shown = shown.at(**change)
        cursor, wanted = state.pop("cursor"), shown.state.plain()
        assert (cursor or ()) == pytest.approx(wanted.pop("cursor") or (), rel=1e-6, abs=1e-9)
        assert state == wanted
        assert caption == shown.caption
        same(numbers, shown.numbers)
        np.testing.assert_array_equal(np.reshape(changed, (-1, 2)), np.stack(shown.changed(), axis=1))


@pytest.fixture
def opened(visit: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    def open_page(*shown: viewers.Viewer, **options: Any) -> Any:
        watch = visit(viewers.write_page(tmp_path / "page.html", shown).as_uri(), **options)
        watch.until(READY)
        return watch

    return open_page


@pytest.mark.browser
def test_page_paints_the_maps_of_python(opened: Callable[..., Any], ball: RenderingViewer) -> None:
    watch = opened(ball)
    watch.page.evaluate("""() => { const plane = viewers[0].panels[0]; const image = plane.image;
      plane.image = function (source, ...rest) { window.map = source.getContext("2d"); return image.call(this, source, ...rest); };
      plane.draw(); }""")
    script = f"""(state) => {{ viewers[0].set(state); viewers[0].flush();
      return [Array.from(window.map.getImageData(0, 0, {SIDE}, {SIDE}).data), viewers[0].caption]; }}"""
    shown = ball
    states = [{"step": step} for step in range(11)] + [
        {"axis": "x", "vertex": ball.vertices[1]},
        {"of": "soft mask"},
        {"step": 3},
    ]
    for state in states:
        found, caption = watch.page.evaluate(script, state)
        shown = shown.at(**state)
        painted, wanted = np.reshape(found, (SIDE, SIDE, 4)), pixels(shown)
        np.testing.assert_array_equal(painted, wanted)
        assert caption == shown.caption == watch.page.locator("figcaption").inner_text()
        assert watch.page.locator("tr[aria-selected]").count() == 1


@pytest.mark.browser
def test_slider_mouse_keys_and_choices(opened: Callable[..., Any], ball: RenderingViewer) -> None:
    watch = opened(ball)
    page = watch.page
    page.locator('input[data-name="step"]').focus()
    page.keyboard.press("ArrowRight")
    watch.until("viewers[0].state.step === 1")
    assert not page.locator("select").is_visible()
    box = page.locator("canvas.plane").first.bounding_box()
    x, y = page.evaluate("viewers[0].panels[0].at(20.5, -22.5)")
    before = watch.pixels("({ screenshot: () => viewers[0].screenshot(1) })")
    page.mouse.click(box["x"] + x, box["y"] + y)
    watch.until("viewers[0].state.pixel[0] === 20 && viewers[0].state.pixel[1] === 22")
    assert np.abs(watch.pixels("({ screenshot: () => viewers[0].screenshot(1) })") - before).max() > 50
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("ArrowDown")
    watch.until("viewers[0].state.pixel[0] === 10 && viewers[0].state.pixel[1] === 23")
    near = page.locator("canvas.plane").nth(1).bounding_box()
    x, y = page.evaluate("viewers[0].flush(), viewers[0].panels[1].at(12.5, -21.5)")
    page.mouse.click(near["x"] + x, near["y"] + y)
    watch.until("viewers[0].state.pixel[0] === 12 && viewers[0].state.pixel[1] === 21")
    page.get_by_role("button", name="Gradient").click()
    watch.until("viewers[0].state.step === 10")
    page.locator("select").select_option(label="on the outline")
    page.get_by_role("button", name="Soft mask").last.click()
    page.get_by_role("button", name="x", exact=True).click()
    shown = watch.until("viewers[0].state.axis === 'x' && (viewers[0].flush(), viewers[0].state)")
    wanted = ball.at(step=10, pixel=(12, 21)).at(vertex="on the outline").at(of="soft mask", axis="x")
    assert {name: value for name, value in shown.items() if name != "cursor"} == {
        name: value for name, value in wanted.state.plain().items() if name != "cursor"
    }
    assert page.locator("figcaption").inner_text() == wanted.caption
    page.locator("tr", has_text="Depth").click()
    watch.until("viewers[0].state.step === 2")


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_narrow_pages_fit_and_can_be_read(opened: Callable[..., Any], head: RenderingViewer, scheme: str) -> None:
    watch = opened(head, width=360, height=740, color_scheme=scheme)
    for step in (0, 9, 10):
        watch.page.evaluate(f"viewers[0].set({{ step: {step} }}), viewers[0].flush()")
        assert watch.overflow() <= 0
        assert watch.low_contrast() == []
        watch.photograph(f"rendering-{scheme}-{step}")


@pytest.mark.browser
def test_linked_viewers_mark_each_others_cursor(
    opened: Callable[..., Any], ball: RenderingViewer, small_head: Mesh
) -> None:
    watch = opened(ball, viewers.view_mesh(small_head))
    watch.page.evaluate("viewers[0].set({ pixel: [24, 20] })")
    watch.until("viewers[1].state.cursor !== null")
    assert watch.page.evaluate("viewers[1].state.cursor") == pytest.approx(ball.at(pixel=(24, 20)).numbers["position"])
    before = watch.pixels("viewers[0]")
    watch.page.evaluate("viewers[1].set({ cursor: [0.05, 0.08, 0] })")
    watch.until("viewers[0].state.cursor[1] === 0.08")
    watch.page.evaluate("viewers[0].flush()")
    assert np.abs(watch.pixels("viewers[0]") - before).max() > 50
    assert watch.page.evaluate("viewers[0].state.pixel") == [24, 20]


@pytest.mark.browser
def test_a_page_without_soft_mask_or_vertices_works(opened: Callable[..., Any], small_head: Mesh) -> None:
    bare = Mesh(small_head.vertices, small_head.faces)
    few = viewers.view_rendering(bare, CAMERA, light=None, soft=None, vertices={})
    watch = opened(few, viewers.view_rendering(bare, CAMERA, soft=None))
    for step in range(few.steps):
        found = watch.page.evaluate(f"viewers[0].set({{ step: {step} }}), viewers[0].flush(), viewers[0].caption")
        assert found == few.at(step=step).caption
    assert watch.page.locator("select").count() == 1
    assert watch.page.get_by_role("button", name="Soft mask").count() == 0
