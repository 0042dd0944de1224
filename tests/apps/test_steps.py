"""The demo's pages "Watch the steps" and "Sculpt it": made on demand, opened in a new tab, of the head just made."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from headviz.geometry.camera import look_at_head
from headviz.geometry.mesh import Mesh
from headviz.models.reconstruction import Reconstruction
from headviz_apps import steps

KINDS = ["reconstruction", "ray", "trace", "squares", "cubes", "octree"]


@pytest.mark.browser
def test_steps_of_the_head_just_made(demo: Any, visit: Callable[..., Any], astronaut: Path) -> None:
    watch = visit(demo.url)
    watch.page.locator("#make[disabled]").wait_for()
    assert not watch.page.locator("#watch").is_visible()
    watch.page.set_input_files("#photo input[type=file]", str(astronaut))
    watch.page.locator(".hv-box").wait_for()
    watch.page.locator("#make:not([disabled])").click()
    watch.page.get_by_text("The head is ready").wait_for(timeout=90_000)
    with watch.page.context.expect_page() as opened:
        watch.page.locator("#watch").click()
    tab = type(watch)(opened.value)
    assert "being drawn" in tab.page.locator("body").inner_text()
    watch.page.locator("#watched li").first.wait_for(timeout=60_000)  # progress in place
    watch.photograph("demo-steps-progress")
    watch.page.locator("#steps-link a").wait_for(timeout=120_000)
    tab.page.wait_for_url(f"{demo.url.rstrip('/')}/**", timeout=60_000)
    tab.until("window.viewersReady === true", seconds=90)
    assert tab.page.evaluate("viewers.map((viewer) => viewer.kind)") == KINDS
    tab.page.evaluate("viewers[0].set({ step: 6, cursor: [0, 0.03, 0.045] })")
    tab.until("viewers.every((viewer) => viewer.state.cursor !== null && viewer.state.cursor[1] === 0.03)")
    assert "at the cursor (0, 0.03, 0.045) m it is" in tab.page.evaluate("viewers[0].caption")
    assert watch.page.locator("#steps-link a").get_attribute("href") == tab.page.url
    assert watch.low_contrast() == []
    watch.photograph("demo-steps")
    assert tab.problems == []
    sculpt_the_head(watch, demo.url)
    assert demo.outside() == []


def sculpt_the_head(watch: Any, address: str) -> None:
    """From the same head on to the sculpting page, and one stroke there."""
    with watch.page.context.expect_page() as opened:
        watch.page.locator("#sculpt").click()
    tab = type(watch)(opened.value)
    tab.page.wait_for_url(f"{address.rstrip('/')}/**", timeout=60_000)
    tab.until("window.viewersReady === true", seconds=90)
    assert tab.page.evaluate("viewers.map((viewer) => viewer.kind)") == ["sculpt"]
    tab.page.locator("canvas").first.scroll_into_view_if_needed()
    box = tab.page.locator("canvas").first.bounding_box()
    assert box is not None
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tab.page.mouse.move(*middle)
    tab.page.mouse.down()
    tab.page.mouse.move(middle[0] + 10, middle[1] + 25, steps=4)
    tab.page.mouse.up()
    tab.until("viewers[0].caption.includes('grab')")
    assert tab.problems == []


@pytest.fixture
def tetrahedron() -> Reconstruction:
    """A head without anything but a mesh."""
    mesh = Mesh(
        0.1 * torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]),
        torch.tensor([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]),
    )
    return Reconstruction(torch.full((32, 48, 3), 0.5), look_at_head(size=48), mesh)


def test_pages_have_secret_names_and_old_ones_go(
    tetrahedron: Reconstruction, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    said: list[str] = []
    first = steps.make_page(tetrahedron, said.append)
    assert said[-1] == "writing the page"
    assert first.startswith(f"{steps.MOUNT}/")
    page = steps.folder() / Path(first).name
    assert "viewer-0" in page.read_text(encoding="utf-8")
    old = time.time() - steps.KEPT - 10
    os.utime(page, (old, old))
    second = steps.make_page(tetrahedron, said.append)
    assert second != first
    assert [path.name for path in steps.folder().iterdir()] == [Path(second).name]
