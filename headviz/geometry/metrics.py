"""How far two meshes with the same vertices are apart, after the best alignment."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Similarity(NamedTuple):
    """The map p → scale · rotation · p + translation.

    Attributes:
        scale: a positive number, shape ().
        rotation: a proper rotation, shape (3, 3).
        translation: metres, shape (3,).
    """

    scale: Float[Tensor, ""]
    rotation: Float[Tensor, "3 3"]
    translation: Float[Tensor, "3"]

    def apply(self, points: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
        """Mapped points, shape (..., 3)."""
        return self.scale * points @ self.rotation.T + self.translation


def similarity_align(
    source: Float[Tensor, "n 3"],
    target: Float[Tensor, "n 3"],
    weights: Float[Tensor, " n"] | None = None,
    scale: bool = True,
) -> Similarity:
    """The similarity that moves source points onto target points with the least squares error.

    S. Umeyama, "Least-squares estimation of transformation parameters between two point patterns",
    PAMI 13(4), 1991, equations 40 to 43, with weights. Differentiable where the best rotation is unique and the
    points are in general position; for points on one line it is one of many.

    Args:
        source: points to move, shape (n, 3), n ≥ 3.
        target: where they should come, shape (n, 3).
        weights: how much each point counts, ≥ 0, shape (n,); equal by default.
        scale: whether the size may change; ``False`` gives the best rigid motion.

    Raises:
        ValueError: there are fewer than 3 points, a weight is negative, all are 0, or all source points coincide.
    """
    if len(source) < 3:
        raise ValueError(f"an alignment needs at least 3 points; there are {len(source)}")
    share = source.new_ones(len(source)) if weights is None else weights.to(source)
    least, total = float(share.detach().min()), float(share.detach().sum())
    if least < 0 or not total > 0:
        raise ValueError(f"weights should be ≥ 0 and not all 0; the least is {least:.4g}, their sum {total:.4g}")
    share = (share / share.sum())[:, None]
    source_mean, target_mean = (share * source).sum(0), (share * target).sum(0)
    centred = source - source_mean
    variance = (share * centred.square()).sum()
    if scale and not float(variance.detach()) > 0:
        raise ValueError("the source points all coincide; their scale cannot be estimated")
    covariance = (share * (target - target_mean)).T @ centred
    left, strengths, right = torch.linalg.svd(covariance)
    sign = torch.ones_like(strengths)
    if float(torch.det(left.detach()) * torch.det(right.detach())) < 0:
        sign[-1] = -1.0  # a reflection would fit better; the best rotation flips the weakest axis
    rotation = left * sign @ right
    factor = (strengths * sign).sum() / variance if scale else variance.new_ones(())
    return Similarity(factor, rotation, target_mean - factor * rotation @ source_mean)


def vertex_error(
    vertices: Float[Tensor, "n 3"],
    truth: Float[Tensor, "n 3"],
    *,
    align: Literal["similarity", "rigid", "none"] = "similarity",
    weights: Float[Tensor, " n"] | None = None,
) -> Float[Tensor, " n"]:
    """Distance of each vertex from its true position, metres, shape (n,).

    Args:
        vertices: what was estimated, shape (n, 3), metres.
        truth: the same vertices where they should be, shape (n, 3), metres.
        align: what is taken out of the error first, by :func:`similarity_align` of ``vertices`` to ``truth``.
        weights: how much each vertex counts in the alignment, shape (n,); 1 and 0 align by a region.

    Raises:
        ValueError: as :func:`similarity_align`.
    """
    if align != "none":
        vertices = similarity_align(vertices, truth, weights, scale=align == "similarity").apply(vertices)
    distance: Tensor = torch.linalg.vector_norm(vertices - truth, dim=-1)
    return distance
