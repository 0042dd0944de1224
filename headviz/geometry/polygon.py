"""Distances to polygons in the plane."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def polygon_distance(points: Float[Tensor, "p 2"], polygon: Float[Tensor, "q 2"]) -> Float[Tensor, " p"]:
    """Signed distance to a closed polygon, negative inside (even–odd rule), in the points' unit."""
    start, edge = polygon, polygon.roll(-1, 0) - polygon
    to = points[:, None] - start  # (p, q, 2)
    along = ((to * edge).sum(-1) / edge.square().sum(-1).clamp(min=1e-20)).clamp(0, 1)
    distance = (to - along[..., None] * edge).square().sum(-1).amin(1).sqrt()
    crosses = (to[..., 1] < 0) != (to[..., 1] < edge[:, 1])
    at = edge[:, 0] * to[..., 1] / torch.where(edge[:, 1] == 0, 1e-20, edge[:, 1])
    inside = (crosses & (to[..., 0] < at)).sum(1) % 2 == 1
    return torch.where(inside, -distance, distance)
