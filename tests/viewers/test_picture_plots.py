"""Pictures side by side: every pixel is where and what it was, and the caption has the numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from headviz.errors import OptionError, ShapeError
from headviz.geometry.color import to_uint8
from headviz.viewers import look
from headviz.viewers.picture import style
from headviz.viewers.picture_plots import plot_pictures
from headviz.viewers.plots import Plot

COLOUR = torch.rand(4, 6, 3, generator=torch.Generator().manual_seed(0))
NUMBERS = torch.arange(24.0).reshape(4, 6)


def axes_of(plot: Plot) -> list[Any]:
    figure = Figure()
    with style():
        plot.draw(figure)
    return [axes for axes in figure.axes if axes.get_visible()]


def pixels(axes: Any) -> np.ndarray:
    """What an axes shows, one value per pixel of the picture."""
    image = axes.get_images()[0]
    values, (left, right, low, high) = np.asarray(image.get_array()), image.get_extent()
    assert (left, high) == (0, 0), "coordinates count pixels from the upper left"
    times = len(values) // int(low)
    assert values.shape[:2] == (times * int(low), times * int(right))
    return values[times // 2 :: times, times // 2 :: times]


def test_pixels_stay_what_they_are() -> None:
    first, second, _ = axes_of(plot_pictures({"colour": COLOUR, "numbers": NUMBERS}, scale="height (m)"))
    assert np.array_equal(pixels(first), to_uint8(COLOUR))
    assert np.array_equal(pixels(second), NUMBERS.numpy())
    assert (first.get_title(), second.get_title()) == ("", "")  # the house's titles begin on the left
    assert [axes.get_title("left") for axes in (first, second)] == ["colour", "numbers"]
    assert (first.get_xlabel(), first.get_ylabel(), second.get_ylabel()) == ("column (pixels)", "row (pixels)", "")


@pytest.mark.parametrize(
    ("values", "limits", "ends"),
    [
        (NUMBERS, (0, 23), look.sequential()),
        (NUMBERS - 3, (-20, 20), look.signed()),
        (NUMBERS + 100, (100, 123), look.sequential()),
        (NUMBERS.bool(), (0, 1), look.sequential()),
        (torch.full((2, 2), torch.inf), (0, 1), look.sequential()),
        (torch.full((2, 2), 5.0), (5, 6), look.sequential()),
    ],
)
def test_numbers_share_one_scale_of_the_look(values: torch.Tensor, limits: Any, ends: np.ndarray) -> None:
    one, bar = axes_of(plot_pictures({"a": values}, scale="m"))
    image = one.get_images()[0]
    assert image.get_clim() == limits
    for end in (0.0, 1.0):
        assert np.array_equal(np.rint(255 * np.array(image.cmap(end)[:3])), ends[-1 if end else 0])
    assert bar.get_ylabel() == "m"


def test_what_is_not_finite_is_hatched_and_not_coloured() -> None:
    values = NUMBERS.clone()
    values[0, 0], values[1, 1] = torch.inf, torch.nan
    plot = plot_pictures({"depth": values}, scale="depth (m)")
    one, _ = axes_of(plot)
    shown = pixels(one)
    assert np.isnan(np.ma.filled(np.ma.asarray(shown), np.nan))[[0, 1], [0, 1]].all()
    assert np.isfinite(shown).sum() == 22
    assert one.get_images()[0].cmap(np.nan)[3] == 0, "clear"
    assert one.patch.get_hatch() == "////"
    assert plot.caption == "1 picture of 6 × 4 pixels; depth (m): depth from 1 to 23."


def test_many_stand_in_rows() -> None:
    plot = plot_pictures({str(k): COLOUR for k in range(5)}, columns=3, title="Five")
    axes = axes_of(plot)
    assert len(axes) == 5
    assert [one.get_ylabel() != "" for one in axes] == [True, False, False, True, False]
    assert [one.get_xlabel() != "" for one in axes] == [False, False, True, True, True]
    assert plot.caption == "5 pictures of 6 × 4 pixels."


def test_sizes_may_differ(tmp_path: Path) -> None:
    plot = plot_pictures({"a": COLOUR, "b": torch.zeros(3, 300, 3)}, caption="Two.")
    assert plot.caption == "Two."
    assert "several sizes" in plot_pictures({"a": COLOUR, "b": torch.zeros(3, 300, 3)}).caption
    assert plot.to_png(tmp_path / "a.png", dpi=50, dark=True).stat().st_size > 1000


def test_gradients_do_not_matter() -> None:
    plot = plot_pictures({"a": COLOUR.clone().requires_grad_()})
    assert np.array_equal(pixels(axes_of(plot)[0]), to_uint8(COLOUR))


@pytest.mark.parametrize(
    ("pictures", "options", "error", "words"),
    [
        ({}, {}, ShapeError, "at least one"),
        ({"a": torch.zeros(3, 3, 4)}, {}, ShapeError, r"picture 'a' .* \(3, 3, 4\)"),
        ({"a": torch.zeros(0, 3, 3)}, {}, ShapeError, r"\(0, 3, 3\)"),
        ({"a": NUMBERS}, {}, OptionError, "scale should say what the numbers of a are"),
        ({"a": COLOUR}, {"columns": 0}, OptionError, "at least 1"),
    ],
)
def test_mistakes(pictures: Any, options: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        plot_pictures(pictures, **options)
