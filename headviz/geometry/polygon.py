"""Distances to polygons in the plane."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def polygon_distance(points: Float[Tensor, "p 2"], polygon: Float[Tensor, "q 2"]) -> Float[Tensor, " p"]:
    """Signed distance to a closed polygon, negative inside (even–odd rule), in the points' unit."""
    best = points.new_full((len(points),), torch.inf)
    inside = torch.zeros(len(points), dtype=torch.bool)
    for a, b in zip(polygon, polygon.roll(-1, 0), strict=True):
        edge, to = b - a, points - a
        t = ((to @ edge) / edge.dot(edge).clamp(min=1e-20)).clamp(0, 1)
        best = torch.minimum(best, (to - t[:, None] * edge).norm(dim=1))
        crosses = (a[1] > points[:, 1]) != (b[1] > points[:, 1])
        at = a[0] + (points[:, 1] - a[1]) * (edge[0] / torch.where(edge[1] == 0, 1e-20, edge[1]))
        inside ^= crosses & (points[:, 0] < at)
    return torch.where(inside, -best, best)
