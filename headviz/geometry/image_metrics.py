"""Errors of depth maps and normal maps."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from headviz.errors import InputError, ShapeError


def side(
    depth: Float[Tensor, "*batch h w"],
    truth: Float[Tensor, "*batch h w"],
    mask: Bool[Tensor, "*batch h w"] | None = None,
    *,
    erode: int = 1,
) -> Float[Tensor, "*batch"]:
    """Scale-invariant depth error √(mean Δ² − (mean Δ)²) with Δ = ln d − ln d*, per picture, without unit.

    S. Wu et al., "Unsupervised Learning of Probably Symmetric Deformable 3D Objects", CVPR 2020, section 4.1, after
    D. Eigen et al., 2014. Multiplying all depths by a number does not change it. The mean over a data set is the mean
    of these. Differentiable; the gradient is 0 where the error is.

    Args:
        depth: what was estimated, shape (..., h, w), positive inside the mask.
        truth: true depth, shape (..., h, w), positive inside the mask.
        mask: which pixels count, shape (..., h, w): those that both maps cover. All by default.
        erode: how many pixels the mask loses at its border, which is mixed with background (1 in the paper). Pixels
            at the picture's border go too. Without a mask nothing is taken off.

    Raises:
        ShapeError: the maps or the mask have different shapes.
        InputError: the eroded mask of a picture is empty, or a depth inside it is not positive and finite.
    """
    inside = _inside(depth, truth, mask, erode, (depth.shape, truth.shape), 2)
    for name, values in (("depths", depth), ("true depths", truth)):
        bad = inside & ~((values.detach() > 0) & torch.isfinite(values.detach()))
        if bool(bad.any()):
            raise InputError(
                f"{name} should be positive and finite inside the mask; {int(bad.sum())} of {int(inside.sum())} are not"
            )
    # Outside the mask there may be anything, zero and NaN included; neither values nor gradients come from there.
    difference = torch.where(inside, depth, 1.0).log() - torch.where(inside, truth, 1.0).log()
    centred = torch.where(inside, difference - _mean(difference, inside)[..., None, None], 0.0)
    variance = _mean(centred.square(), inside)  # the same as mean Δ² − (mean Δ)², without cancellation
    return torch.where(variance > 0, torch.where(variance > 0, variance, 1.0).sqrt(), 0.0)


def mean_angle_deviation(
    normals: Float[Tensor, "*batch h w 3"],
    truth: Float[Tensor, "*batch h w 3"],
    mask: Bool[Tensor, "*batch h w"] | None = None,
    *,
    erode: int = 1,
) -> Float[Tensor, "*batch"]:
    """Mean angle between normals (MAD), per picture, in degrees, from 0 to 180.

    S. Wu et al., CVPR 2020, section 4.1. By the arctangent of |n × n′| and n·n′, which is exact for small angles too
    and does not ask for unit normals. Differentiable; the gradient of an angle of 0 is 0.

    Args:
        normals: what was estimated, shape (..., h, w, 3), of any length but 0 inside the mask.
        truth: true normals, shape (..., h, w, 3).
        mask: which pixels count, shape (..., h, w). All by default.
        erode: as in :func:`side`.

    Raises:
        ShapeError: the maps have different shapes, or the mask has not that of a map.
        InputError: the eroded mask of a picture is empty, or a normal inside it is zero or not finite.
    """
    inside = _inside(normals[..., 0], truth[..., 0], mask, erode, (normals.shape, truth.shape), 3)
    for name, values in (("normals", normals), ("true normals", truth)):
        length = torch.linalg.vector_norm(values.detach(), dim=-1)
        bad = inside & ~((length > 0) & torch.isfinite(length))
        if bool(bad.any()):
            raise InputError(
                f"{name} should be finite and not zero inside the mask; {int(bad.sum())} of {int(inside.sum())} are not"
            )
    front = normals.new_tensor([0.0, 0.0, 1.0])
    ours, true = (torch.where(inside[..., None], values, front) for values in (normals, truth))
    sine = torch.linalg.vector_norm(torch.linalg.cross(ours, true), dim=-1)
    return _mean(torch.rad2deg(torch.atan2(sine, (ours * true).sum(-1))), inside)


def erode_mask(mask: Bool[Tensor, "*batch h w"], pixels: int = 1) -> Bool[Tensor, "*batch h w"]:
    """The pixels whose neighbours within so many rows and columns all lie in the mask, shape (..., h, w).

    What is outside the picture counts as outside the mask. The eroded intersection of two masks is the intersection
    of the eroded ones.

    Raises:
        InputError: ``pixels`` is negative.
    """
    if pixels < 0:
        raise InputError(f"a mask can be eroded by 0 pixels or more; it is {pixels}")
    outside = (~mask).to(torch.float32).reshape(-1, 1, *mask.shape[-2:])
    padded = torch.nn.functional.pad(outside, (pixels,) * 4, value=1.0)
    return torch.nn.functional.max_pool2d(padded, 2 * pixels + 1, stride=1).reshape(mask.shape) == 0


def _inside(
    first: Tensor,
    second: Tensor,
    mask: Tensor | None,
    erode: int,
    shapes: tuple[torch.Size, torch.Size],
    rank: int,
) -> Tensor:
    """The pixels that count, shape (..., h, w)."""
    if shapes[0] != shapes[1]:
        raise ShapeError(f"both maps should have the same shape; shapes are {tuple(shapes[0])} and {tuple(shapes[1])}")
    if len(shapes[0]) < rank or (rank == 3 and shapes[0][-1] != 3):
        wanted = "(..., h, w)" if rank == 2 else "(..., h, w, 3)"
        raise ShapeError(f"maps should have shape {wanted}; shape is {tuple(shapes[0])}")
    if mask is None:
        inside = torch.ones(first.shape, dtype=torch.bool, device=second.device)
    elif mask.shape != first.shape:
        raise ShapeError(f"the mask should have shape {tuple(first.shape)}; shape is {tuple(mask.shape)}")
    else:
        inside = erode_mask(mask, erode)
    empty = ~inside.flatten(-2).any(-1)
    if bool(empty.any()):
        state = "" if mask is None or not erode else f" after it was eroded by {erode}"
        raise InputError(f"a mask should hold a pixel{state}; {int(empty.sum())} of {empty.numel()} hold none")
    return inside


def _mean(values: Tensor, inside: Tensor) -> Tensor:
    """Mean over the pixels that count, shape (...)."""
    return torch.where(inside, values, 0.0).sum((-2, -1)) / inside.sum((-2, -1))
