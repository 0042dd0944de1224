"""Two pictures of the same camera, pixel by pixel: a mesh beside its field, or beside the truth."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from headviz.errors import ShapeError
from headviz.render.shade import Rendering


@dataclass(frozen=True, eq=False)
class PictureComparison:
    """How far two renderings are apart; shapes lack b where there was one picture.

    Attributes:
        iou: of the masks, pixels of both over pixels of either; 1 where both are empty.
        only_first, only_second: pixels that only one of them covers, shape (b, h, w).
        depth: second less first where both cover a pixel, metres, NaN elsewhere, shape (b, h, w).
        angle: between the normals there, degrees, NaN elsewhere, shape (b, h, w).
        color: root mean square difference of linear RGB there, NaN elsewhere, shape (b, h, w).
    """

    iou: float
    only_first: Bool[Tensor, "*b h w"]
    only_second: Bool[Tensor, "*b h w"]
    depth: Float[Tensor, "*b h w"]
    angle: Float[Tensor, "*b h w"]
    color: Float[Tensor, "*b h w"]

    @property
    def summary(self) -> str:
        """One sentence with its numbers."""
        both = ~self.depth.isnan()
        apart = int((self.only_first | self.only_second).sum())
        if not bool(both.any()):
            return f"masks overlap to {self.iou:.4f}: no pixel is covered by both"
        depth, angle = self.depth[both].abs(), self.angle[both]
        return (
            f"masks overlap to {self.iou:.4f} ({apart:,} pixels differ); depth differs by "
            f"{1e3 * float(depth.mean()):.3f} mm on average, {1e3 * float(depth.quantile(0.95)):.3f} mm at 95 %; "
            f"normals by {float(angle.mean()):.2f}°"
        )


def compare_pictures(first: Rendering, second: Rendering) -> PictureComparison:
    """Compare what two renderings of the same cameras see.

    Raises:
        ShapeError: their sizes differ.
    """
    if first.mask.shape != second.mask.shape:
        raise ShapeError(f"pictures should have one shape; they have {tuple(first.mask.shape)} and "
                         f"{tuple(second.mask.shape)}")  # fmt: skip
    with torch.no_grad():
        a, b = first.mask, second.mask
        both, either = a & b, int((a | b).sum())
        lost = first.picture.new_tensor(torch.nan)
        # By the arc's chord and its other side: exact for small angles, too.
        sides = [(first.normals + sign * second.normals).norm(dim=-1) for sign in (-1, 1)]
        return PictureComparison(
            iou=int(both.sum()) / either if either else 1.0,
            only_first=a & ~b,
            only_second=b & ~a,
            depth=torch.where(both, second.depth - first.depth, lost),
            angle=torch.where(both, torch.rad2deg(2 * torch.atan2(sides[0], sides[1])), lost),
            color=torch.where(both, (second.picture - first.picture).square().mean(-1).sqrt(), lost),
        )
