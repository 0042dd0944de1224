"""Maps of numbers as pictures, in the house's colours."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from headviz.render.colormap import VIRIDIS


def colored(values: Float[Tensor, "h w"], low: float = 0.0, high: float = 1.0) -> UInt8[np.ndarray, "h w 3"]:
    """A map in viridis; what is not a number is magenta.

    Args:
        values: shape (h, w).
        low: value of the first colour; smaller ones get it too.
        high: value of the last colour; larger ones get it too.

    Returns:
        8-bit sRGB, shape (h, w, 3).
    """
    if not low < high:
        raise ValueError(f"low should be smaller than high; they are {low} and {high}")
    table = torch.tensor([[int(color[k : k + 2], 16) for k in (1, 3, 5)] for color in VIRIDIS], dtype=torch.float32)
    wrong = values.isnan()
    place = ((values - low) / (high - low)).clamp(0, 1).masked_fill(wrong, 0) * (len(VIRIDIS) - 1)
    index = place.long().clamp(max=len(VIRIDIS) - 2)
    part = (place - index)[..., None]
    picture = table[index] * (1 - part) + table[index + 1] * part
    picture[wrong] = torch.tensor([204.0, 121.0, 167.0])
    return (picture + 0.5).to(torch.uint8).numpy()
