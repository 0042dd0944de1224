"""Looking up pictures between their pixels; the one place that knows how a picture lies in [0, 1]²."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def sample_texture(texture: Float[Tensor, "h w c"], uv: Float[Tensor, "*batch 2"]) -> Float[Tensor, "*batch c"]:
    """Bilinear texture look-up; uv from the lower left corner, texels' centres at half integers.

    This is the one place that chooses ``align_corners`` (False: the picture's borders are at 0 and 1).
    """
    grid = torch.stack([2 * uv[..., 0] - 1, 1 - 2 * uv[..., 1]], dim=-1).reshape(1, 1, -1, 2)
    planes = texture.permute(2, 0, 1)[None]
    found = torch.nn.functional.grid_sample(planes, grid, align_corners=False, padding_mode="border")
    return found[0, :, 0].T.reshape(*uv.shape[:-1], texture.shape[-1])


def sample_pixels(picture: Float[Tensor, "h w c"], points: Float[Tensor, "*batch 2"]) -> Float[Tensor, "*batch c"]:
    """Bilinear look-up at pixel positions (u, v) from the upper left corner, centres at half integers."""
    height, width = picture.shape[:2]
    scale = points.new_tensor([1 / width, -1 / height])
    return sample_texture(picture, points * scale + points.new_tensor([0.0, 1.0]))
