from __future__ import annotations

import pytest
import torch

from headviz.render.colormap import VIRIDIS
from headviz.viewers.maps import colored


def test_ends_and_middle_have_viridis_colours() -> None:
    picture = colored(torch.tensor([[0.0, 0.5, 1.0]]))
    assert ["#" + bytes(pixel).hex() for pixel in picture[0]] == [VIRIDIS[0], VIRIDIS[5], VIRIDIS[-1]]


def test_values_beyond_the_range_are_clamped_and_nan_is_magenta() -> None:
    picture = colored(torch.tensor([[-3.0, 8.0, float("nan")]]), low=-1, high=5)
    assert ["#" + bytes(pixel).hex() for pixel in picture[0]] == [VIRIDIS[0], VIRIDIS[-1], "#cc79a7"]


def test_brightness_grows_with_the_value() -> None:
    picture = colored(torch.linspace(0, 1, 200)[None]).astype(float)
    luminance = picture @ [0.2126, 0.7152, 0.0722]
    assert (luminance[0, 1:] - luminance[0, :-1] > -1).all()
    assert luminance[0, -1] > luminance[0, 0] + 100


def test_empty_range_is_refused() -> None:
    with pytest.raises(ValueError, match="low should be smaller than high"):
        colored(torch.zeros(2, 2), low=1, high=1)
