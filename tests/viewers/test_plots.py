"""Plots: what they draw is what they were given, and their captions have its numbers."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from headviz.errors import OptionError, ShapeError
from headviz.geometry import WarpSolver, warp
from headviz.geometry.mesh import Mesh
from headviz.heads.model import load_head
from headviz.viewers import look
from headviz.viewers.picture import style
from headviz.viewers.plots import Plot, plot_curves, plot_heads, plot_warp

X = torch.linspace(0, 2, 5)


def drawn(plot: Plot) -> Any:
    """Its axes, the first of them, inside the figure."""
    return figure_of(plot).axes[0]


def figure_of(plot: Plot) -> Figure:
    """All that it draws."""
    figure = Figure()
    with style():
        plot.draw(figure)
    return figure


def test_curves_are_where_their_values_are() -> None:
    plot = plot_curves({"square": (X, X**2), "line": (X, 10 - X)}, x="x (m)", y="y (m)")
    axes = drawn(plot)
    assert [line.get_ydata().tolist() for line in axes.get_lines()] == [(X**2).tolist(), (10 - X).tolist()]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x (m)", "y (m)")
    assert [text.get_text() for text in axes.texts] == ["square", "line"]
    assert plot.caption == "Y (m) for x (m) from 0 to 2: square from 0 to 4, line from 10 to 8."


def test_names_too_near_to_each_other_are_in_a_legend() -> None:
    axes = drawn(plot_curves({"a": (X, X), "b": (X, X * (2 - X) + X)}, x="x", y="y"))
    assert not axes.texts
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b"]


@pytest.mark.parametrize("top", [3.0, 1e6])
def test_logarithmic_axes_have_plain_numbers(top: float) -> None:
    axes = drawn(plot_curves({"a": (X + 1, torch.linspace(1, top, 5))}, x="x", y="y", log="xy"))
    assert axes.get_xscale() == axes.get_yscale() == "log"
    axes.get_figure().canvas.draw()
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert {"1", "2", "3"} <= set(labels)


@pytest.mark.parametrize(
    ("curves", "log", "error"),
    [({}, "", ShapeError), ({"a": (X, X[:2])}, "", ShapeError), ({"a": (X[:0], X[:0])}, "", ShapeError),
     ({"a": (X, X)}, "z", OptionError)],
)  # fmt: skip
def test_curves_that_cannot_be_drawn(curves: dict[str, Any], log: str, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"; it|; there"):
        plot_curves(curves, x="x", y="y", log=log)


def test_keypoints_that_arrive_are_green() -> None:
    keypoints = torch.tensor([[0.0, 0.0, 0.0], [0.02, 0.0, 0.0]]).double()
    vectors = torch.tensor([[0.0, 0.01, 0.0], [0.01, 0.0, 0.0]]).double()
    solver = WarpSolver(keypoints, alpha=1000.0)
    exact = plot_warp(lambda x: solver.warp(x, solver.vectors(vectors)), keypoints, vectors)
    blend = plot_warp(lambda x: warp(x, keypoints, vectors, alpha=1000.0), keypoints, vectors)
    assert "each keypoint arrives" in exact.caption
    # φ of 20 mm is exp(−0.4): each vector of 10 mm pushes the other keypoint by 6.7 mm
    assert "vectors up to 10.0 mm" in blend.caption
    assert "up to 6.7 mm from the tip" in blend.caption
    green = np.array([int(look.HIT[k : k + 2], 16) / 255 for k in (1, 3, 5)])
    for plot, arrived in ((exact, 2), (blend, 0)):
        dots = [each for each in drawn(plot).collections if len(np.asarray(each.get_facecolor()))]
        shown = [len(np.asarray(c.get_offsets())) for c in dots if np.allclose(c.get_facecolor()[0, :3], green)]
        assert shown == [arrived]


def test_heads_are_coloured_by_their_distance(tmp_path: Path) -> None:
    base = load_head().mesh(morphs=False)
    pushed = replace(base, vertices=base.vertices + torch.tensor([0.003, 0.0, 0.004]))
    plot = plot_heads({"base": base, "pushed": pushed}, base=base, columns=2)
    told = "2 heads of 4,506 vertices, farthest from the base: base 0.0 mm, pushed 5.0 mm; the bar is 50 mm."
    assert plot.caption == told
    bar = drawn(plot).get_lines()[0].get_xdata()
    near, far = (np.asarray(axes.get_images()[0].get_array()) for axes in figure_of(plot).axes[:2])
    assert near.shape == far.shape, "one camera"
    wide = float(base.vertices[:, 0].max() - base.vertices[:, 0].min()) + 0.003
    assert bar[1] - bar[0] == pytest.approx(0.05 / wide * near.shape[1], rel=0.05)
    middle = (slice(near.shape[0] // 3, near.shape[0] // 2), slice(near.shape[1] // 3, near.shape[1] // 2))
    assert near[middle][..., 2].mean() > near[middle][..., 1].mean(), "0 is violet"
    assert far[middle][..., 1].mean() > far[middle][..., 2].mean() + 50, "the most is yellow"
    with Image.open(plot.to_png(tmp_path / "heads.png", dpi=50, dark=True)) as picture:
        assert picture.getpixel((1, 1))[:3] == (0x15, 0x17, 0x1A)  # type: ignore[index]


def test_heads_that_cannot_be_compared() -> None:
    base = load_head().mesh(morphs=False)
    with pytest.raises(ShapeError, match="at least one"):
        plot_heads({})
    with pytest.raises(ShapeError, match=r"\(4506, 3\), as the base; shape is \(5, 3\)"):
        plot_heads({"small": Mesh(base.vertices[:5], base.faces[:0])}, base=base)


def test_notebooks_show_a_picture_with_its_caption() -> None:
    plot = plot_curves({'<"a">': (X, X), "b": (X, 2 * X)}, x="x", y="y", title="Two lines")
    bundle = plot._repr_mimebundle_()
    assert bundle["text/plain"] == f"Two lines: {plot.caption}"
    assert '<"a">' not in bundle["text/html"]
    data = base64.b64decode(bundle["text/html"].split("base64,")[1].split('"')[0])
    assert data.startswith(b"\x89PNG")
