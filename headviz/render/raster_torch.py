"""The readable rasterizer: plain PyTorch, on any device, in any precision, no compiled code.

Every face is tested at the pixels of its box, and every pixel keeps the nearest of the faces that pass. All steps are
operations on long lists, so it runs on a GPU as it is, and its work grows with the pixels of the faces' boxes.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from headviz.geometry.camera import Cameras
from headviz.render.boxes import boxes_around, pixels_of
from headviz.render.fragments import corner_areas

SLACK = 0.01  #: pixels by which a face's box is larger than the face, for rounding


def meetings(
    points: Float[Tensor, "b n 3"], faces: Int[Tensor, "m 3"], cameras: Cameras
) -> Iterator[tuple[Int[Tensor, " k"], Int[Tensor, " k"], Float[Tensor, " k"]]]:
    """Pixel number, face and depth of every meeting of a pixel's ray with a face, hidden ones too, some at a time.

    Args:
        points: corners in the cameras' frames, metres, shape (b, n, 3).
        faces: shape (m, 3).
        cameras: b of them; pixels are numbered row by row, picture after picture.
    """
    size, count = (cameras.height, cameras.width), len(faces)
    corners = points[:, faces].reshape(-1, 3, 3)  # (b m, 3, 3)
    places = cameras.to_pixels(points)[:, faces].reshape(-1, 3, 2)
    boxes = boxes_around(places, corners[..., 2] < 0, size, SLACK)
    columns, rows = cameras.image_plane()
    for item, row, column in pixels_of(boxes):
        picture = item // count
        some = corners[item]
        areas = corner_areas(some, columns[picture, column], rows[picture, row])
        total = areas.sum(1)
        depth = -(areas * some[..., 2]).sum(1) / total
        met = ((areas >= 0).all(1) | (areas <= 0).all(1)) & (total != 0) & (depth > 0)
        yield ((picture * size[0] + row) * size[1] + column)[met], item[met] % count, depth[met]


def find_faces(points: Float[Tensor, "b n 3"], faces: Int[Tensor, "m 3"], cameras: Cameras) -> Int[Tensor, "b h w"]:
    """The nearest face at every pixel, the first of those that are equally near; −1 where there is none.

    Args:
        points: corners in the cameras' frames, metres, shape (b, n, 3).
        faces: shape (m, 3).
        cameras: b of them.
    """
    count = len(faces)
    nearest = points.new_full((len(points) * cameras.height * cameras.width,), torch.inf)
    met = []
    for pixel, face, depth in meetings(points, faces, cameras):
        nearest.scatter_reduce_(0, pixel, depth, "amin")
        met.append((pixel, face, depth))
    found = torch.full(nearest.shape, count, dtype=torch.int64, device=points.device)
    for pixel, face, depth in met:
        first = depth == nearest[pixel]
        found.scatter_reduce_(0, pixel[first], face[first], "amin")
    return torch.where(found == count, -1, found).reshape(len(points), cameras.height, cameras.width)
