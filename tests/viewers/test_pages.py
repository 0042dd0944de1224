"""Pages in a real browser: they open from disk, link their viewers, follow the theme, and never stay blank."""

from __future__ import annotations

import base64
import gzip
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headviz.geometry.mesh import Mesh
from headviz.viewers import Viewer, view_mesh, write_page

pytestmark = pytest.mark.browser
PAPER = {"light": (0xF6, 0xF5, 0xF2), "dark": (0x15, 0x17, 0x1A)}
READY = "window.viewersReady === true"


@pytest.fixture
def viewer(small_head: Mesh) -> Viewer:
    return view_mesh(small_head, title="A ball with a nose")


@pytest.fixture
def opened(viewer: Viewer, visit: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """Open a page with some viewers, by default one."""

    def open_page(*viewers: Viewer, **options: Any) -> Any:
        path = write_page(tmp_path / "page.html", viewers or [viewer])
        watch = visit(path.as_uri(), **{"width": 900, "height": 700, **options})
        watch.until(READY)
        return watch

    return open_page


def test_caption_numbers_and_state_are_those_of_python(opened: Callable[..., Any], viewer: Viewer) -> None:
    watch = opened(viewer.at(wireframe=True, cursor=(0.0, 0.0, 0.1)))
    found = watch.page.evaluate("[viewers[0].caption, viewers[0].numbers, viewers[0].state, viewers[0].steps]")
    shown = viewer.at(wireframe=True, cursor=(0.0, 0.0, 0.1))
    assert found == [shown.caption, shown.numbers, shown.state.plain(), 1]
    assert watch.page.locator("figcaption").inner_text() == viewer.caption
    assert watch.page.evaluate("viewers[0].arrays.faces.data.length") == 3 * viewer.record.facts["faces"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_theme_and_contrast(opened: Callable[..., Any], scheme: str) -> None:
    watch = opened(color_scheme=scheme)
    assert tuple(watch.pixels("viewers[0]")[4, 4]) == PAPER[scheme]
    assert watch.low_contrast() == []
    watch.page.evaluate("viewers[0].setTheme(viewers[0].theme === 'dark' ? 'light' : 'dark')")
    other = "light" if scheme == "dark" else "dark"
    assert tuple(watch.pixels("viewers[0]")[4, 4]) == PAPER[other]


def test_linked_viewers_share_camera_and_cursor(opened: Callable[..., Any], viewer: Viewer) -> None:
    watch = opened(viewer, viewer, reduced_motion="reduce")
    first = watch.page.locator("canvas").first
    first.focus()
    watch.page.keyboard.press("ArrowRight")
    watch.page.keyboard.press("+")
    cameras = watch.until("viewers[1].cameras[0].yaw !== 0 && viewers.map((v) => v.cameras[0])")
    assert cameras[0]["yaw"] == cameras[1]["yaw"] == pytest.approx(-6)
    assert cameras[0]["distance"] == pytest.approx(cameras[1]["distance"])
    box = first.bounding_box()
    watch.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    cursors = watch.until("viewers[1].state.cursor && viewers.map((v) => v.state.cursor)")
    assert cursors[0] == cursors[1]
    assert np.linalg.norm(np.array(cursors[0]) / (0.08, 0.12, 0.1)) > 0.95, "the cursor should lie on the ball"
    watch.page.mouse.click(box["x"] + 5, box["y"] + 5)
    assert watch.until("viewers.every((v) => v.state.cursor === null)")


def test_viewers_that_are_not_linked_do_not(viewer: Viewer, visit: Callable[..., Any], tmp_path: Path) -> None:
    watch = visit(write_page(tmp_path / "p.html", [viewer, viewer], linked=False).as_uri())
    watch.until(READY)
    watch.page.locator("canvas").first.focus()
    watch.page.keyboard.press("ArrowRight")
    watch.until("viewers[0].cameras[0].yaw !== 0")
    assert watch.page.evaluate("viewers[1].cameras[0].yaw") == 0


def test_switches_act_at_once(opened: Callable[..., Any]) -> None:
    watch = opened()
    before = watch.pixels("viewers[0]")
    watch.page.get_by_label("Wireframe").check()
    assert watch.until("viewers[0].state.wireframe")
    watch.page.evaluate("viewers[0].flush()")
    assert (abs(watch.pixels("viewers[0]") - before).sum(-1) > 30).mean() > 0.01


def test_narrow(opened: Callable[..., Any]) -> None:
    watch = opened(width=360, height=740, has_touch=True, is_mobile=True)
    assert watch.overflow() <= 0
    watch.photograph("mesh-360")


def test_everything_is_given_back(opened: Callable[..., Any]) -> None:
    watch = opened()
    watch.page.evaluate("viewers[0].dispose()")
    assert watch.page.locator("canvas").count() == 0


def broken(path: Path, change: Callable[[bytes], bytes]) -> Path:
    """The page with the first viewer's data changed."""
    text = path.read_text(encoding="utf-8")
    found = re.search(r'id="data-0">([^<]*)<', text)
    assert found is not None
    data = base64.b64encode(change(base64.b64decode(found[1]))).decode("ascii")
    path.write_text(text[: found.start(1)] + data + text[found.end(1) :], encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:-200], "This viewer cannot be opened"),
        (
            lambda data: gzip.compress(b"XXXX" + gzip.decompress(data)[4:]),
            "should begin with HVZ1; it begins with XXXX",
        ),
        (lambda data: gzip.compress(gzip.decompress(data).replace(b'"mesh"', b'"gone"')), "no viewer of kind gone"),
    ],
)
def test_damaged_data_says_so_and_the_others_open(
    viewer: Viewer, browser: Any, tmp_path: Path, change: Callable[[bytes], bytes], message: str
) -> None:
    path = broken(write_page(tmp_path / "p.html", [viewer, viewer]), change)
    context = browser.new_context()
    page = context.new_page()
    page.goto(path.as_uri())
    page.get_by_role("alert").wait_for()
    assert message in page.get_by_role("alert").inner_text()
    page.locator("figcaption").wait_for()
    assert page.locator("figcaption").inner_text() == viewer.caption
    context.close()
