"""Notebook 03 in a real JupyterLab: its ray viewer is live in both directions."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from .jupyter import Notebook, lab, notebook  # noqa: F401

pytestmark = pytest.mark.browser


def shortened(path: Path, last: str) -> nbformat.NotebookNode:
    """A notebook up to the cell with this name: what follows is run by tests/test_notebooks.py."""
    book = nbformat.read(path, as_version=4)
    names = [cell.id for cell in book.cells]
    book.cells = book.cells[: names.index(last) + 1]
    return book


def test_the_ray_is_live_in_both_directions(root: Path, notebook: Callable[..., Notebook]) -> None:  # noqa: F811
    book = shortened(root / "notebooks" / "03_sphere_tracing.ipynb", "a-03-1")
    place = {cell.id: number for number, cell in enumerate(book.cells)}
    opened = notebook(book, width=1200, height=1000)
    output = opened.output(place["ray"])
    output.locator("canvas").first.wait_for()
    handle = output.locator(".handle").first
    handle.scroll_into_view_if_needed()
    before = opened.value("profile.state")
    assert opened.value("profile.caption") == output.locator("figcaption").inner_text() != ""

    box = handle.bounding_box()
    mouse, spot = opened.page.mouse, (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    mouse.move(*spot)
    mouse.down()
    mouse.move(spot[0] - 20, spot[1] - 35, steps=5)
    mouse.move(spot[0] - 40, spot[1] - 70, steps=5)
    mouse.up()
    after = opened.value("profile.state")
    for _ in range(50):  # the last move may still be on its way to the kernel
        opened.page.wait_for_timeout(100)
        before_that, after = after, opened.value("profile.state")
        if after == before_that != before:
            break
    assert after["origin"][0] < before["origin"][0] - 0.005, "dragged to the left"
    assert after["origin"][1] > before["origin"][1] + 0.01, "and up"
    opened.run(place["state"])
    assert str(after["origin"][0]) in str(opened.outputs(place["state"]))
    assert opened.value("profile.viewer.caption") == output.locator("figcaption").inner_text()

    opened.value("setattr(profile, 'state', {'step': 1})")
    shown = opened.value("profile.viewer.caption")
    output.locator("figcaption", has_text=shown).wait_for(timeout=10_000)
    assert shown.startswith("Step 1 of ")
    check = opened.outputs(place["a-03-1"])[-1]["data"]
    assert "No answer yet" in check["text/html"]
    if folder := os.environ.get("HEADVIZ_SCREENSHOTS"):
        opened.page.set_viewport_size({"width": 1200, "height": 3400})
        opened.page.wait_for_timeout(1000)
        opened.watch.photograph("notebook-03")
        output.screenshot(path=Path(folder) / "notebook-03-ray.png")
