"""Boxes of pixels around faces, written out pixel by pixel: work that grows with the boxes, not with pixels × faces."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

#: Pixels of boxes that are written out at once.
AT_ONCE = 1 << 21


def boxes_around(
    pixels: Float[Tensor, "f 3 2"], front: Bool[Tensor, "f 3"], size: tuple[int, int], margin: float
) -> Int[Tensor, "f 4"]:
    """First and last + 1 of the rows and columns whose centre is within a margin of a face's box, shape (f, 4).

    Args:
        pixels: pixel positions (u, v) of the corners, shape (f, 3, 2).
        front: which corners are in front of the camera. With none of them a box is empty; with some, a face may be
            seen anywhere, and its box is the picture.
        size: height and width.
        margin: pixels.
    """
    bound = pixels.new_tensor([size[1], size[0]])
    low = torch.minimum((pixels.amin(1) - margin - 0.5).ceil().clamp(min=0), bound)
    high = torch.minimum((pixels.amax(1) + margin - 0.5).floor() + 1, bound).clamp(min=0)
    all_in_front, some = front.all(1)[:, None], front.any(1)[:, None]
    low = torch.where(all_in_front, low, 0.0)
    high = torch.where(all_in_front, high, torch.where(some, bound, 0.0))
    return torch.stack([low[:, 1], high[:, 1], low[:, 0], high[:, 0]], dim=1).nan_to_num(0.0).long()


def pixels_of(boxes: Int[Tensor, "f 4"]) -> Iterator[tuple[Int[Tensor, " c"], Int[Tensor, " c"], Int[Tensor, " c"]]]:
    """Box number, row and column of every pixel of boxes from :func:`boxes_around`, some boxes at a time."""
    height = (boxes[:, 1] - boxes[:, 0]).clamp(min=0)
    width = (boxes[:, 3] - boxes[:, 2]).clamp(min=0)
    kept = ((height > 0) & (width > 0)).nonzero()[:, 0]
    counts = (height * width)[kept]
    ends = counts.cumsum(0)
    start = 0
    while start < len(kept):
        before = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(torch.searchsorted(ends, before + AT_ONCE, right=True)))
        part, count = kept[start:stop], counts[start:stop]
        box = part.repeat_interleave(count)
        place = torch.arange(len(box), device=boxes.device) - (ends[start:stop] - count - before).repeat_interleave(
            count
        )
        across = width[box]
        yield box, boxes[box, 0] + place // across, boxes[box, 2] + place % across
        start = stop
