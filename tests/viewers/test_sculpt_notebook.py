"""The sculpting widget in a real JupyterLab: one session in the browser and in Python."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from .jupyter import Notebook, lab, notebook  # noqa: F401

pytestmark = pytest.mark.browser

START = (
    "import numpy as np\nfrom headviz import viewers\nfrom headviz.heads.model import load_head\n"
    "from headviz.sculpt import Brush, SculptSession, Stroke\n"
    "session = SculptSession(load_head().mesh())\n"
    "pull = Stroke(Brush('grab', 0.03), ((0.0, -0.02, 0.06),), (0.0, 0.0, 0.01))\n"
    "session.apply(pull)\nwidget = viewers.view_sculpt(session).widget()"
)
CELLS = [START, "widget", "widget"]
#: The sculpting desk of a cell's output.
DESK = """cell => { const areas = document.querySelectorAll('.jp-Notebook .jp-Cell')[cell].querySelectorAll('.jp-OutputArea-output *');
  for (const element of areas) if (element.viewer) return element.viewer; }"""


def desk(opened: Notebook, cell: int, script: str) -> object:
    """The value of a script over `desk` and `viewer` of a cell."""
    return opened.page.evaluate(
        f"cell => {{ const viewer = ({DESK})(cell); const {{ desk }} = viewer.panels[0]; return {script}; }}", cell
    )


def settled(opened: Notebook, steps: int) -> None:
    """Wait until both views and Python stand at a step of their common history."""
    for _ in range(100):
        found = [desk(opened, cell, "desk.pending.length === 0 ? desk.session.history.current : -1") for cell in (1, 2)]
        if found == [steps, steps] and opened.value("session.current") == steps:
            return
        opened.page.wait_for_timeout(100)
    pytest.fail(f"the views stand at {found}, Python at {opened.value('session.current')}; all should stand at {steps}")


def apart(opened: Notebook) -> float:
    """How far the views' positions are from Python's, in parts of the head's size."""
    python = np.array(opened.value("session.positions.ravel().tolist()"))
    size = opened.value("session.surface.size")
    views = [np.array(desk(opened, cell, "Array.from(desk.session.positions)")) for cell in (1, 2)]
    return max(float(np.abs(view - python).max()) for view in views) / size


def drag(opened: Notebook, cell: int, way: list[tuple[float, float]]) -> None:
    """Drag over the picture of a cell; places are parts of its sides from the middle."""
    canvas = opened.output(cell).locator("canvas.space")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    spots = [(box["x"] + box["width"] * (0.5 + x), box["y"] + box["height"] * (0.5 + y)) for x, y in way]
    mouse = opened.page.mouse
    mouse.move(*spots[0])
    mouse.down()
    for spot in spots[1:]:
        mouse.move(*spot, steps=4)
    mouse.up()


def test_one_history_in_the_browser_and_in_python(notebook: Callable[..., Notebook]) -> None:  # noqa: F811
    opened = notebook(CELLS, width=1200, height=1000)
    for cell in (1, 2):
        opened.output(cell).locator("canvas.space").wait_for()
    settled(opened, 1)
    drag(opened, 1, [(0.02, 0.2), (0.06, 0.28)])
    settled(opened, 2)
    assert opened.value("session.history[-1].step.brush.tool") == "grab"
    assert apart(opened) <= 1e-4
    assert "grab, radius 30.5 mm" in opened.value("widget.caption")

    opened.value("session.apply(Stroke(Brush('inflate', 0.04), ((0.03, 0.05, 0.04), (0.03, 0.06, 0.04)))).id")
    settled(opened, 3)
    assert apart(opened) <= 1e-4
    opened.value("session.undo() and None")
    settled(opened, 2)
    opened.output(2).locator("[data-do=undo]").click()
    settled(opened, 1)
    assert apart(opened) <= 1e-4
    opened.output(2).locator("[data-do=redo]").click()
    settled(opened, 2)

    # Both at once: Python is busy while the browser sculpts, then does a step of its own first.
    opened.page.evaluate(
        "() => { window.busy = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({ code: "
        "'import time; time.sleep(3); session.apply(pull)' }).done; }"
    )
    drag(opened, 1, [(0.0, 0.0), (0.0, 0.05)])
    drag(opened, 1, [(0.05, -0.2), (0.05, -0.25)])
    opened.page.evaluate("() => window.busy")
    settled(opened, 6)
    assert opened.value("[entry.text for entry in session.history][-3:]") == [
        "grab, radius 30 mm", "grab, radius 30.5 mm", "grab, radius 30.5 mm",
    ]  # fmt: skip
    assert apart(opened) <= 1e-4
    opened.run(2)  # a view that comes later shows the present state
    opened.output(2).locator("canvas.space").wait_for()
    settled(opened, 6)
    assert apart(opened) <= 1e-4
    opened.watch.photograph("sculpt-notebook")
    assert opened.value("session.live is None")
    opened.value("widget.close()")
