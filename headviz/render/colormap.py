"""The house's colours for numbers, as pictures in linear colour."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from headviz.geometry.color import srgb_to_linear

#: viridis (CC0, by Nathaniel Smith and Stéfan van der Walt) at equal steps from 0 to 1, sRGB
VIRIDIS = (
    "#440154", "#482475", "#414487", "#355f8d", "#2a788e", "#21918c",
    "#22a884", "#44bf70", "#7ad151", "#bddf26", "#fde725",
)  # fmt: skip


def viridis(values: Float[Tensor, "*s"]) -> Float[Tensor, "*s 3"]:
    """Linear RGB of values from 0 to 1, shape (..., 3); values outside get the first or last colour, NaN the first."""
    table = torch.tensor([[int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)] for color in VIRIDIS])
    place = values.to("cpu", torch.float32).nan_to_num(0.0).clamp(0, 1) * (len(table) - 1)
    index = place.long().clamp(max=len(table) - 2)
    part = (place - index)[..., None]
    return srgb_to_linear(table[index] * (1 - part) + table[index + 1] * part)
