"""The JupyterLab of the tests shows widgets, carries their bytes both ways, and tells their errors from its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .jupyter import Notebook, lab, notebook  # noqa: F401

pytestmark = pytest.mark.browser

WIDGET = """
import anywidget, traitlets

class Sum(anywidget.AnyWidget):
    _esm = '''
    export default { render({ model, el }) {
      const bytes = new Uint8Array(model.get("data").buffer);
      const sum = document.createElement("output");
      sum.textContent = bytes.reduce((a, b) => a + b, 0);
      const slider = Object.assign(document.createElement("input"), { type: "range", max: 9, value: 0 });
      slider.addEventListener("input", () => { model.set("value", +slider.value); model.save_changes(); });
      el.append(slider, sum);
      EXTRA
    } };'''
    data = traitlets.Bytes().tag(sync=True)
    value = traitlets.Int(0).tag(sync=True)

widget = Sum(data=bytes(range(100)))
widget
"""


def test_a_widget_gets_bytes_and_writes_back(notebook: Callable[..., Notebook]) -> None:  # noqa: F811
    opened = notebook([WIDGET.replace("EXTRA", ""), "print(widget.value)"])
    sum_ = opened.output(0).locator("output")
    sum_.wait_for()
    assert int(sum_.inner_text()) == sum(range(100))
    assert opened.text(1) == "0\n"

    opened.output(0).locator("input").fill("7")
    assert opened.value("widget.value") == 7
    opened.run(1)
    assert opened.text(1) == "7\n"
    assert opened.page.locator(".jp-Dialog, .Toastify__toast").count() == 0
    opened.watch.photograph("jupyter")


def test_errors_of_cells_and_widgets_are_told_from_jupyterlabs(notebook: Callable[..., Notebook]) -> None:  # noqa: F811
    extra = "setTimeout(() => { throw new Error('a moment later'); }); throw new Error('while drawing');"
    opened = notebook([WIDGET.replace("EXTRA", extra), "1 / 0"], run=False)
    opened.run(0)
    opened.output(0).locator("output").wait_for()
    opened.page.evaluate("eval(`console.error('its own')\\n//# sourceURL=${location.origin}/static/lab/own.js`)")
    opened.page.evaluate("console.error('from nowhere')")
    opened.page.wait_for_timeout(200)
    for ours in ("while drawing", "a moment later", "from nowhere"):
        assert [line for line in opened.problems if ours in line]
        assert not [line for line in opened.noise if ours in line]
    assert [line for line in opened.noise if "its own" in line]
    assert not [line for line in opened.problems if "its own" in line]
    opened.problems.clear()
    with pytest.raises(pytest.fail.Exception, match="cell 1: ZeroDivisionError"):
        opened.run(1)
