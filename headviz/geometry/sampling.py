"""Looking up pictures between their pixels; the one place that knows how a picture lies in [0, 1]²."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def sample_texture(texture: Float[Tensor, "h w c"], uv: Float[Tensor, "*batch 2"]) -> Float[Tensor, "*batch c"]:
    """Bilinear texture look-up; uv from the lower left corner, texels' centres at half integers."""
    found = _look_up(texture[None], uv.reshape(1, -1, 2))
    return found[0].reshape(*uv.shape[:-1], texture.shape[-1])


def sample_textures(
    textures: Float[Tensor, "b h w c"], uv: Float[Tensor, "p 2"], picture: Int[Tensor, " p"]
) -> Float[Tensor, "p c"]:
    """Bilinear look-up in one of several textures for every point.

    Args:
        textures: shape (b, h, w, c).
        uv: from the lower left corner, shape (p, 2).
        picture: which texture, not falling, shape (p,).
    """
    if len(textures) == 1:
        return sample_texture(textures[0], uv)
    counts = torch.bincount(picture, minlength=len(textures))
    place = torch.arange(len(uv), device=uv.device) - (counts.cumsum(0) - counts).index_select(0, picture)
    longest = int(counts.max())
    flat = picture * longest + place
    padded = uv.new_zeros(len(textures) * longest, 2).index_copy(0, flat, uv)
    found = _look_up(textures, padded.reshape(len(textures), longest, 2))
    return found.reshape(-1, textures.shape[-1]).index_select(0, flat)


def _look_up(textures: Float[Tensor, "b h w c"], uv: Float[Tensor, "b n 2"]) -> Float[Tensor, "b n c"]:
    """The one place that chooses ``align_corners`` (False: the picture's borders are at 0 and 1)."""
    grid = torch.stack([2 * uv[..., 0] - 1, 1 - 2 * uv[..., 1]], dim=-1)[:, None]
    planes = textures.permute(0, 3, 1, 2)
    found = torch.nn.functional.grid_sample(planes, grid, align_corners=False, padding_mode="border")
    return found[:, :, 0].transpose(1, 2)


def sample_pixels(picture: Float[Tensor, "h w c"], points: Float[Tensor, "*batch 2"]) -> Float[Tensor, "*batch c"]:
    """Bilinear look-up at pixel positions (u, v) from the upper left corner, centres at half integers."""
    height, width = picture.shape[:2]
    scale = points.new_tensor([1 / width, -1 / height])
    return sample_texture(picture, points * scale + points.new_tensor([0.0, 1.0]))
