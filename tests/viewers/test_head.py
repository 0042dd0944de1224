"""The head viewer in a real browser, as the self-contained page that opens from disk."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headviz.geometry.glb import glb_bytes
from headviz.geometry.mesh import Mesh
from headviz.viewers.head import head_page

BACKGROUND = {"light": (0xF6, 0xF5, 0xF2), "dark": (0x15, 0x17, 0x1A)}
READY = "window.head?.state?.ready && !window.head.state.moving"
browser_test = pytest.mark.browser


@pytest.fixture
def page_file(small_head: Mesh, tmp_path: Path) -> Path:
    """The small head as a page on disk."""
    glb = glb_bytes(small_head, texture_format="png")
    file = tmp_path / "head.html"
    words = head_page(glb, 'A <b>"head"</b>', "63 % of the skin seen", {"mouthSmileLeft": 0.5, "unknown": 1.0})
    file.write_text(words, encoding="utf-8")
    return file


@pytest.fixture
def shown(page_file: Path, visit: Callable[..., Any]) -> Callable[..., Any]:
    """Open the page and wait for the head."""

    def show(**options: Any) -> Any:
        watch = visit(page_file.as_uri(), **{"width": 900, "height": 640, **options})
        watch.until(READY)
        return watch

    return show


def test_page_is_self_contained(page_file: Path) -> None:
    text = page_file.read_text(encoding="utf-8")
    without_data = re.sub(r"[A-Za-z0-9+/=]{200,}", "", text)
    assert not re.findall(r"(?:https?:)?//[a-z]", without_data)
    assert "default-src 'none'" in without_data
    assert "<b>" not in without_data
    assert len(without_data) < 5000 < len(text)


def test_page_refuses_what_is_not_a_glb() -> None:
    with pytest.raises(ValueError, match=r"begin with b'glTF'; it begins with b'PK"):
        head_page(b"PK\x03\x04", "", "", {})


@browser_test
def test_head_is_drawn_from_the_front_in_its_own_colours(shown: Callable[..., Any], small_head: Mesh) -> None:
    watch = shown(color_scheme="light")
    state = watch.page.evaluate("head.state")
    assert (state["vertices"], state["triangles"]) == (
        len({tuple(point) for point in small_head.vertices.tolist()}),
        len(small_head.faces),
    )
    assert state["front"][2] > 0.95
    assert (state["yaw"], state["pitch"]) == (0, 0)
    pixels = watch.pixels("head")
    drawn = (abs(pixels - BACKGROUND["light"]).sum(-1) > 12).mean()
    assert 0.1 < drawn < 0.8
    flat = pixels[pixels.shape[0] // 3, pixels.shape[1] // 2]  # the forehead, which faces the camera
    assert abs(flat - (200, 150, 120)).max() <= 12, "sRGB in should be sRGB out"
    assert watch.page.evaluate("head.state.caption").endswith("mouth smile left 0.50 · 63 % of the skin seen")


@browser_test
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_background_and_contrast(shown: Callable[..., Any], scheme: str) -> None:
    watch = shown(color_scheme=scheme)
    watch.page.locator("summary", has_text="Mouth").click()
    assert tuple(watch.pixels("head")[4, 4]) == BACKGROUND[scheme]
    assert watch.low_contrast() == []
    watch.photograph(f"page-{scheme}")


@browser_test
def test_sliders_move_the_head(shown: Callable[..., Any]) -> None:
    watch = shown()
    before = watch.pixels("head")
    watch.page.locator("summary", has_text="Jaw").click()
    watch.page.get_by_label("Jaw: Open").focus()
    watch.page.keyboard.press("End")
    assert watch.page.evaluate("head.state.morphs.jawOpen") == 1
    assert "jaw open 1.00" in watch.page.evaluate("head.state.caption")
    moved = watch.pixels("head")
    assert (abs(moved - before).sum(-1) > 30).mean() > 0.005
    watch.page.get_by_role("button", name="Neutral").click()
    assert set(watch.page.evaluate("Object.values(head.state.morphs)")) == {0}
    assert "neutral expression" in watch.page.evaluate("head.state.caption")
    watch.page.get_by_role("button", name="As in the photograph").click()
    assert watch.page.evaluate("head.state.morphs.mouthSmileLeft") == 0.5
    assert np.array_equal(watch.pixels("head"), before)


@browser_test
def test_mouse_and_keys_turn_the_head(shown: Callable[..., Any]) -> None:
    watch = shown(reduced_motion="reduce")
    canvas = watch.page.locator("canvas")
    box = canvas.bounding_box()
    start = watch.page.evaluate("head.state.distance")
    watch.page.mouse.move(box["x"] + 200, box["y"] + 200)
    watch.page.mouse.wheel(0, -300)
    time.sleep(0.2)
    assert watch.page.evaluate("head.state.distance") == pytest.approx(start), "the wheel should scroll until a click"
    watch.page.mouse.down()
    watch.page.mouse.move(box["x"] + 300, box["y"] + 200, steps=4)
    watch.page.mouse.up()
    assert watch.page.evaluate("head.state.yaw") < -10
    watch.page.get_by_role("button", name="Left").click()
    assert watch.page.evaluate("head.state.yaw") == pytest.approx(90), "without motion the view is there at once"
    canvas.focus()
    watch.page.keyboard.press("ArrowRight")
    assert watch.page.evaluate("head.state.yaw") == pytest.approx(84)
    watch.page.keyboard.press("+")
    assert watch.page.evaluate("head.state.distance") < start
    watch.page.keyboard.press("Shift+ArrowUp")
    assert watch.page.evaluate("head.state.target[1]") < -0.001
    watch.page.get_by_role("button", name="Reset").click()
    assert watch.page.evaluate("head.state.yaw") == pytest.approx(0)
    assert watch.page.evaluate("head.state.distance") == pytest.approx(start)


@browser_test
def test_a_moving_view_arrives_and_then_nothing_is_drawn(shown: Callable[..., Any]) -> None:
    watch = shown()
    watch.page.get_by_role("button", name="Right").click()
    assert watch.until("!head.state.moving && Math.round(head.state.yaw) === -90")
    frames = watch.page.evaluate("head.state.frames")
    time.sleep(0.5)
    assert watch.page.evaluate("head.state.frames") == frames


@browser_test
def test_surfaces_differ(shown: Callable[..., Any]) -> None:
    watch = shown()
    pictures = {}
    for name in ("Photograph", "Plain skin", "Wireframe"):
        watch.page.get_by_role("button", name=name, exact=True).click()
        pictures[name] = watch.pixels("head")
        assert watch.page.get_by_role("button", name=name, exact=True).get_attribute("aria-pressed") == "true"
    assert abs(pictures["Photograph"] - pictures["Plain skin"]).mean() > 0.5
    lines = (pictures["Wireframe"].sum(-1) < 300).mean()
    assert 0.005 < lines < 0.3


@browser_test
def test_narrow_and_touched(shown: Callable[..., Any]) -> None:
    watch = shown(width=360, height=740, has_touch=True, is_mobile=True)
    watch.page.locator("summary", has_text="Mouth").tap()
    assert watch.overflow() <= 0
    small = watch.page.evaluate(
        """() => [...document.querySelector("#head > div").shadowRoot.querySelectorAll("button, summary, input")]
        .filter((e) => e.checkVisibility() && Math.min(e.offsetWidth, e.offsetHeight) < 24).map((e) => e.outerHTML)"""
    )
    assert small == [], "controls should be large enough for a finger"
    watch.photograph("page-360")


@browser_test
def test_broken_head_is_told_and_the_next_one_is_shown(shown: Callable[..., Any], page_file: Path) -> None:
    watch = shown()
    told = watch.page.evaluate("head.load(new Uint8Array(40)).then(() => 'shown', (error) => 'refused')")
    assert told == "refused"
    assert "cannot be shown" in watch.page.locator(".message").inner_text()
    again = "head.load(Uint8Array.from(atob(document.getElementById('glb').textContent), (c) => c.charCodeAt(0)))"
    watch.page.evaluate(f"{again}.then(() => null)")
    assert watch.page.evaluate("head.state.ready")
    assert not watch.page.locator(".message").is_visible()
    assert watch.page.evaluate("(() => { try { head.setMorph('jawOpne', 1) } catch (e) { return e.message } })()")
    watch.page.evaluate("head.dispose()")
    assert watch.page.locator("canvas").count() == 0
