"""sRGB and linear colour (IEC 61966-2-1), with tables for 8-bit pictures."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

_LEVELS = 1 << 17  # entries of the table from linear to 8 bit; a step is at most 0.03 levels of sRGB
_BLOCK = 1 << 15  # values converted at a time, so that intermediate results stay in the processor's cache


def srgb_to_linear(values: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
    """Linear values of sRGB in [0, 1], differentiable."""
    return torch.where(values <= 0.04045, values / 12.92, ((values.clamp(min=0.0) + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(values: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
    """Values in sRGB of linear ones in [0, 1], differentiable."""
    return torch.where(values <= 0.0031308, values * 12.92, 1.055 * values.clamp(min=1e-9) ** (1 / 2.4) - 0.055)


def to_uint8(picture: Float[Tensor, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """8-bit sRGB of a linear picture; values outside [0, 1] are clamped and NaN becomes black.

    A table of 2¹⁷ entries takes the place of the power, so a value may be rounded the other way
    where it lies within 0.02 levels of the middle between two levels.
    """
    values = picture.detach().to("cpu", torch.float32).reshape(-1)
    result = np.empty(len(values), dtype=np.uint8)
    for start in range(0, len(values), _BLOCK):
        block = slice(start, start + _BLOCK)
        index = values[block].clamp(0.0, 1.0).mul_(_LEVELS - 1).add_(0.5).to(torch.int32)
        np.take(_to_uint8_table(), index.numpy(), out=result[block], mode="clip")
    return result.reshape(*picture.shape)


def from_uint8(picture: UInt8[np.ndarray, "h w 3"]) -> Float[Tensor, "h w 3"]:
    """Linear float32 of an 8-bit sRGB picture; ``to_uint8`` gives back the same bytes."""
    return torch.from_numpy(np.take(_from_uint8_table(), picture))


@lru_cache(maxsize=1)
def _to_uint8_table() -> UInt8[np.ndarray, " levels"]:
    linear = torch.linspace(0.0, 1.0, _LEVELS, dtype=torch.float64)
    return (linear_to_srgb(linear) * 255 + 0.5).to(torch.uint8).numpy()


@lru_cache(maxsize=1)
def _from_uint8_table() -> Float[np.ndarray, " levels"]:
    return srgb_to_linear(torch.linspace(0.0, 1.0, 256, dtype=torch.float64)).to(torch.float32).numpy()
