"""The soft mask of DIB-R: beside a mesh, the probability of a pixel falls with its distance to every face.

W. Chen et al., "Learning to predict 3D objects with an interpolation-based differentiable renderer", NeurIPS 2019,
equations 6 and 7: at an uncovered pixel Aⱼ = exp(−d²/δ), d the distance to face j in the picture, and the mask is
1 − Πⱼ (1 − Aⱼ); at a covered pixel it is 1. Distances are in units of half the picture's shorter side, so that a square
picture reaches from −1 to 1 and δ means the same at every size. All faces count, hidden ones too; a face with a corner
behind the camera does not. A face counts up to where A is ``cutoff``: its margin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from headviz.errors import OptionError
from headviz.geometry.threads import share_out
from headviz.render.boxes import boxes_around, pixels_of

LEAST = 1e-12  #: that a face leaves of a pixel, so that a pixel on an edge has finite gradients


@dataclass(frozen=True)
class SoftMask:
    """How soft a mask is.

    Attributes:
        delta: δ, in squares of half the picture's shorter side; 1/7000 is that of DIB-R.
        cutoff: probability below which a face does not count. The mask's step there is at most this times the number
            of faces whose margins end at one pixel.
    """

    delta: float = 1 / 7000
    cutoff: float = 1e-4

    def __post_init__(self) -> None:
        if not 0 < self.delta < math.inf:
            raise OptionError(f"delta should be positive and finite; it is {self.delta}")
        if not 0 < self.cutoff < 1:
            raise OptionError(f"cutoff should be in (0, 1); it is {self.cutoff}")

    def square(self, height: int, width: int) -> float:
        """δ in square pixels."""
        return self.delta * (min(height, width) / 2) ** 2

    def margin(self, height: int, width: int) -> float:
        """Distance up to which a face counts, pixels."""
        return math.sqrt(-self.square(height, width) * math.log(self.cutoff))


@dataclass(frozen=True, eq=False)
class Contributions:
    """Which faces make the soft mask at which pixels: one row per pair, by pixel.

    Attributes:
        pixel: number of an uncovered pixel, counted row by row, picture after picture, shape (c,).
        face: shape (c,).
        distance: to the face, pixels, shape (c,).
        probability: A, shape (c,).
    """

    pixel: Int[Tensor, " c"]
    face: Int[Tensor, " c"]
    distance: Float[Tensor, " c"]
    probability: Float[Tensor, " c"]


def contributions(
    pixels: Float[Tensor, "b n 2"],
    front: Bool[Tensor, "b n"],
    faces: Int[Tensor, "m 3"],
    mask: Bool[Tensor, "b h w"],
    soft: SoftMask,
) -> Contributions:
    """All pairs of an uncovered pixel and a face within its margin, differentiable in the corners' pixel positions.

    Args:
        pixels: pixel positions of corners, shape (b, n, 2).
        front: which corners are in front of the camera, shape (b, n).
        faces: shape (m, 3).
        mask: covered pixels, shape (b, h, w).
        soft: how soft.
    """
    size, count = mask.shape[1:], len(faces)
    margin, square = soft.margin(*size), soft.square(*size)
    corners, seen = pixels[:, faces].reshape(-1, 3, 2), front[:, faces].reshape(-1, 3)
    boxes = boxes_around(corners.detach(), seen, (size[0], size[1]), margin)
    boxes[~seen.all(1)] = 0
    rows = []
    for item, row, column in pixels_of(boxes):
        picture = item // count
        free = ~mask[picture, row, column]
        item, row, column, picture = item[free], row[free], column[free], picture[free]
        place = torch.stack([column, row], 1).to(pixels.dtype) + 0.5
        far = squared_distance(place, corners[item])
        near = far < margin**2
        pixel = (picture * size[0] + row) * size[1] + column
        rows.append((pixel[near], item[near] % count, far[near]))
    none = torch.zeros(0, dtype=torch.int64, device=faces.device), pixels.reshape(-1)[:0]  # differentiable, too
    pixel, face, far = (torch.cat(parts) for parts in zip(*rows, (none[0], *none), strict=True))
    order = torch.argsort(pixel, stable=True)
    far = far[order]
    return Contributions(pixel[order], face[order], far.clamp(min=LEAST).sqrt(), torch.exp(-far / square))


def squared_distance(points: Float[Tensor, "c 2"], corners: Float[Tensor, "c 3 2"]) -> Float[Tensor, " c"]:
    """To the nearest side of a triangle, without regard to its inside."""
    from_, to = corners, corners.roll(-1, 1)
    side, away = to - from_, points[:, None] - from_
    length = side.square().sum(-1)
    along = (away * side).sum(-1) / torch.where(length > 0, length, 1.0)
    nearest = away - along.clamp(0, 1)[..., None] * side
    return nearest.square().sum(-1).amin(1)


def reference(
    pixels: Float[Tensor, "b n 2"],
    front: Bool[Tensor, "b n"],
    faces: Int[Tensor, "m 3"],
    mask: Bool[Tensor, "b h w"],
    soft: SoftMask,
) -> Float[Tensor, "b h w"]:
    """The soft mask in plain PyTorch, on any device; all that is faster is compared with it."""
    found = contributions(pixels, front, faces, mask, soft)
    left = torch.log((1 - found.probability).clamp(min=LEAST))
    rest = left.new_zeros(mask.numel()).index_add(0, found.pixel, left).reshape(mask.shape).exp()
    return torch.where(mask, 1.0, 1 - rest)


def soft_mask(
    pixels: Float[Tensor, "b n 2"],
    front: Bool[Tensor, "b n"],
    faces: Int[Tensor, "m 3"],
    mask: Bool[Tensor, "b h w"],
    soft: SoftMask,
) -> Float[Tensor, "b h w"]:
    """The soft mask, compiled on a CPU, differentiable in the corners' pixel positions; see :func:`contributions`."""
    if pixels.device.type != "cpu":
        return reference(pixels, front, faces, mask, soft)
    made: Tensor = _Soft.apply(pixels, front, faces, mask, soft)  # type: ignore[no-untyped-call]
    return made


class _Soft(torch.autograd.Function):
    """:func:`reference` by compiled loops, forward and backward."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        from headviz.render.soft_compiled import spread, sum_table

        pixels, front, faces, mask, soft = inputs
        arrays = _Arrays(pixels, front, faces, mask, soft)
        rest = pixels.new_ones(mask.shape)
        written = rest.numpy()
        for k in range(len(mask)):
            sum_table(arrays.mask[k], arrays.tables[k])
        arrays.run(lambda k, first, last, _: spread(*arrays.of(k), written[k], first, last))
        ctx.save_for_backward(pixels, front, faces, mask, rest)
        ctx.soft, ctx.arrays = soft, arrays
        return torch.where(mask, 1.0, 1 - rest)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        from headviz.render.soft_compiled import pull_back

        pixels, front, faces, mask, rest = ctx.saved_tensors
        if torch.is_grad_enabled():  # a second derivative may be asked for: the formula
            made = reference(pixels, front, faces, mask, ctx.soft)
            (found,) = torch.autograd.grad(made, pixels, gradients[0], create_graph=True, materialize_grads=True)
            return found, None, None, None, None
        arrays = ctx.arrays
        given, left = gradients[0].contiguous().numpy(), rest.numpy()
        totals = pixels.new_zeros(arrays.bands, *pixels.shape)  # every band of rows sums for itself
        sums = totals.numpy()
        arrays.run(lambda k, first, last, band: pull_back(*arrays.of(k), left[k], given[k], sums[band, k], first, last))
        return totals.sum(0), None, None, None, None


class _Arrays:
    """What the compiled loops read, and how pictures are shared out among threads."""

    def __init__(self, pixels: Tensor, front: Tensor, faces: Tensor, mask: Tensor, soft: SoftMask) -> None:
        height, width = mask.shape[1:]
        self.height = height
        self.pixels, self.front = pixels.detach().contiguous().numpy(), front.contiguous().numpy()
        self.faces, self.mask = faces.to(torch.int32).contiguous().numpy(), mask.contiguous().numpy()
        self.tables = np.empty((len(mask), height + 1, width + 1), np.int32)
        real = self.pixels.dtype.type
        self.centres = tuple((np.arange(size) + 0.5).astype(real) for size in (width, height))
        self.numbers = np.array([0, 1, -1 / soft.square(height, width), soft.margin(height, width), LEAST], real)
        self.bands = max(1, min(torch.get_num_threads() // len(mask), height // 16))

    def of(self, k: int) -> tuple[Any, ...]:
        """The arrays of one picture."""
        mesh = (self.pixels[k], self.front[k], self.faces)
        return mesh, (self.mask[k], self.tables[k], *self.centres), self.numbers

    def run(self, work: Any) -> None:
        """Do ``work(picture, first row, last row, band)`` for all rows of all pictures."""

        def items(start: int, stop: int, _: int) -> None:
            for item in range(start, stop):
                k, band = divmod(item, self.bands)
                work(k, self.height * band // self.bands, self.height * (band + 1) // self.bands, band)

        share_out(len(self.mask) * self.bands, items)


def iou_loss(mask: Float[Tensor, "*b h w"], wanted: Float[Tensor, "*b h w"]) -> Float[Tensor, "*b"]:
    """1 − Σ S Ŝ / Σ (S + Ŝ − S Ŝ) of every picture: 0 where soft masks agree and are 0 or 1.

    Source: DIB-R, equation 8. Two empty masks agree.
    """
    shared, either = (mask * wanted).sum((-2, -1)), (mask + wanted - mask * wanted).sum((-2, -1))
    return 1 - torch.where(either > 0, shared / torch.where(either > 0, either, 1.0), 1.0)
