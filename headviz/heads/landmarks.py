"""MediaPipe's 478 points on the head: index sets, and where they lie on the surface."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

#: Outlines among MediaPipe's 478 points (facts of its face mesh topology); right and left are the subject's own.
OUTLINES: dict[str, tuple[int, ...]] = {
    "lips": (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185),
    "mouth": (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191),
    "right_brow": (70, 63, 105, 66, 107, 55, 65, 52, 53, 46),
    "left_brow": (300, 293, 334, 296, 336, 285, 295, 282, 283, 276),
    "right_eye": (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
    "left_eye": (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466),
    "oval": (
        10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
        152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
    ),
}  # fmt: skip
RIGHT_IRIS, LEFT_IRIS = range(468, 473), range(473, 478)
#: Points used by name: face edges beside the eyes, brow ridge, nose base, chin.
RIGHT_EDGE, LEFT_EDGE, GLABELLA, NOSE_TIP, NOSE_BASE, CHIN, FOREHEAD = 234, 454, 168, 1, 2, 152, 10


def mirror_pairs(points: Float[Tensor, "478 3"]) -> Int[Tensor, "478"]:
    """Twin of each landmark across x = 0 on a nearly symmetric head; points on the plane are their own twins.

    Pairs are taken in the order of how well one point's mirror image meets the other.
    """
    flipped = points * torch.tensor([-1.0, 1.0, 1.0])
    cost = torch.cdist(flipped, points)
    cost = cost + cost.T
    rows, columns = torch.triu_indices(len(points), len(points))
    twin = torch.full((len(points),), -1)
    for k in cost[rows, columns].argsort().tolist():
        i, j = int(rows[k]), int(columns[k])
        if twin[i] < 0 and twin[j] < 0:
            twin[i], twin[j] = j, i
    return twin


def closest_on_surface(
    points: Float[Tensor, "l 3"], vertices: Float[Tensor, "n 3"], faces: Int[Tensor, "m 3"]
) -> tuple[Int[Tensor, " l"], Float[Tensor, "l 3"]]:
    """Face and barycentric weights of the surface point nearest to each point."""
    from trimesh import triangles

    corners = vertices[faces]  # (m, 3, 3)
    near_faces = torch.cdist(points, corners.mean(1)).topk(40, largest=False).indices  # (l, 40)
    candidates = corners[near_faces].reshape(-1, 3, 3).numpy()
    queries = points.repeat_interleave(40, 0).numpy()
    near = triangles.closest_point(candidates, queries)
    best = np.linalg.norm(near - queries, axis=1).reshape(-1, 40).argmin(1)
    rows = np.arange(len(points)) * 40 + best
    weights = triangles.points_to_barycentric(candidates[rows], near[rows])
    face = near_faces.numpy()[np.arange(len(points)), best]
    weights = np.clip(weights, 0.0, None)
    weights /= weights.sum(1, keepdims=True)
    return torch.as_tensor(face).long(), torch.as_tensor(weights).float()
