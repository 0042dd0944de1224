"""Tensors of ours from arrays of other libraries, and back: always copies, colours always linear here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from headviz.errors import InputError, ShapeError
from headviz.geometry.color import from_uint8, srgb_to_linear

Array = npt.NDArray[Any]


def array_of(values: Tensor) -> Array:
    """A copy in C order, so that no library writes into a mesh of ours."""
    return np.array(values.detach().cpu().numpy(), order="C")


def tensor_of(values: Any, dtype: torch.dtype | None = None) -> Tensor:
    """A copy in C order, in the precision of the values by default."""
    return torch.from_numpy(np.array(values, order="C")).to(dtype)


def tensors_of(arrays: Mapping[str, Any]) -> dict[str, Tensor]:
    """Copies of those that hold numbers."""
    numbers = {name: values for name, values in arrays.items() if np.asarray(values).dtype.kind in "iuf"}
    return {name: tensor_of(values) for name, values in numbers.items()}


def linear_of(colors: Array) -> Tensor:
    """Linear float32 colours, shape (n, 3), of sRGB ones in 8 bits or, where they are floats, in [0, 1].

    Opacity, a fourth column, is left out.
    """
    if colors.dtype == np.uint8:
        return from_uint8(np.asarray(colors[None, :, :3]))[0]
    return srgb_to_linear(tensor_of(colors[:, :3], torch.float64)).float()


def rgb_of(picture: Array) -> Array:
    """An 8-bit picture with three channels of one with one to four.

    Raises:
        InputError: it has not 8 bits per channel.
    """
    if picture.dtype != np.uint8:
        raise InputError(f"a texture should have 8 bits per channel; it has {picture.dtype}")
    picture = picture.reshape(*picture.shape[:2], -1)
    return np.ascontiguousarray(np.repeat(picture[..., :1], 3, 2) if picture.shape[2] < 3 else picture[..., :3])


def three_channels(values: Tensor) -> Tensor:
    """Colours as they are.

    Raises:
        ShapeError: they have not three channels.
    """
    if values.shape[-1] != 3:
        raise ShapeError(f"colours should have 3 channels; they have {values.shape[-1]}")
    return values
