"""Colours from textures: bilinear, or from a pyramid of ever smaller ones so that nothing flickers (mip-mapping)."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from headviz.geometry.camera import Cameras
from headviz.geometry.sampling import sample_textures
from headviz.render.fragments import Fragments


def mip_levels(textures: Float[Tensor, "b h w c"]) -> tuple[Float[Tensor, "b _h _w c"], ...]:
    """Textures, halved by averaging until one texel is left; differentiable.

    Source: L. Williams, "Pyramidal parametrics", SIGGRAPH 1983; for odd sizes, whose half is rounded down, S. Guthe and
    P. Heckbert, "Non-power-of-two mipmapping", NVIDIA 2005.
    """
    levels = [textures]
    while max(levels[-1].shape[1:3]) > 1:
        levels.append(_halved(_halved(levels[-1], 1), 2))
    return tuple(levels)


def _halved(values: Tensor, axis: int) -> Tensor:
    """Half as many means of two along an axis; for an odd size of three, the outer ones as far as they are inside."""
    size, half = values.shape[axis], values.shape[axis] // 2
    if size == 1:
        return values
    first, second = values.narrow(axis, 0, 2 * half).unflatten(axis, (half, 2)).unbind(axis + 1)
    if size == 2 * half:
        mean: Tensor = (first + second) / 2
        return mean
    third = values.narrow(axis, 1, 2 * half).unflatten(axis, (half, 2)).select(axis + 1, 1)
    share = (torch.arange(1, half + 1).to(values) / size).reshape(-1, *[1] * (values.ndim - axis - 1))
    whole: Tensor = half / size * second + ((half + 1) / size - share) * first + share * third
    return whole


def sample_mip_mapped(
    textures: Float[Tensor, "b h w c"],
    uv: Float[Tensor, "p 2"],
    picture: Int[Tensor, " p"],
    footprint: Float[Tensor, " p"],
) -> Float[Tensor, "p c"]:
    """Trilinear look-up: in the two levels whose texels are about as large as a pixel.

    Args:
        textures: shape (b, h, w, c).
        uv: from the lower left corner, shape (p, 2).
        picture: which texture, not falling, shape (p,).
        footprint: texels of the full texture along a pixel, shape (p,); below 1 it is a bilinear look-up.
    """
    levels = mip_levels(textures)
    level = torch.log2(footprint.detach().clamp(min=1)).clamp(max=len(levels) - 1)
    found = uv.new_zeros(len(uv), textures.shape[-1])
    for k, smaller in enumerate(levels):
        share = 1 - (level - k).abs()
        here = (share > 0).nonzero()[:, 0]
        if len(here):
            part = sample_textures(smaller, uv[here], picture[here])
            found = found.index_add(0, here, part * share[here, None].to(part))
    return found


def footprints(
    fragments: Fragments,
    points: Float[Tensor, "b n 3"],
    faces: Int[Tensor, "m 3"],
    cameras: Cameras,
    coordinates: tuple[Float[Tensor, "k 2"], Int[Tensor, "m 3"], tuple[int, int]],
) -> Float[Tensor, " p"]:
    """Texels that each covered pixel is long in the texture, along the longer of its two sides; without gradient.

    When a ray through d = (x, y, −1) turns, it meets the face's plane elsewhere: by α e₁ + β e₂ with e₁, e₂ two sides
    of the face. Seen along the ray, so that only their parts e + e_z d across it count, these are the ray's depth times
    the change of d, which gives α and β and with them the change of the texture's coordinates.

    Args:
        fragments: of b pictures.
        points: corners in the cameras' frames, metres, shape (b, n, 3).
        faces: shape (m, 3).
        cameras: b of them.
        coordinates: uv, shape (k, 2), their indices (m, 3), and height and width of the texture.
    """
    uv, uv_faces, (height, width) = coordinates
    with torch.no_grad():
        corners = points.reshape(-1, 3)[faces[fragments.covering] + (fragments.picture * points.shape[1])[:, None]]
        hit = (fragments.weights[..., None] * corners).sum(1)
        sides = corners[:, 1:] - corners[:, :1]
        (ax, ay), (bx, by) = ((e[:, :2] + e[:, 2:] * hit[:, :2] / -hit[:, 2:]).T for e in sides.unbind(1))
        texels = uv[uv_faces[fragments.covering]] * uv.new_tensor([width, height])
        a, b = (texels[:, k] - texels[:, 0] for k in (1, 2))
        step = -hit[:, 2] / cameras.focal[fragments.picture] / (ax * by - ay * bx)
        across = (by[:, None] * a - ay[:, None] * b) * step[:, None]
        along = (ax[:, None] * b - bx[:, None] * a) * step[:, None]
        longest = torch.maximum(across.square().sum(1), along.square().sum(1)).sqrt()
        return longest.nan_to_num(1.0, posinf=float(max(height, width)))
