"""Meshes and functions that the tests of the regularisers share."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from headviz.geometry.icosphere import icosphere
from headviz.geometry.regularizers import (
    Topology,
    cotangent_laplacian,
    cotangent_weights,
    dirichlet_energy,
    edge_length,
    flatness,
    laplacian_smoothing,
    normal_consistency_loss,
    uniform_laplacian,
)

DOUBLE = torch.float64
Function = Callable[[Tensor, Topology], Tensor]

#: Losses of positions, each with the power of the length that its unit has.
LOSSES: dict[str, tuple[Function, int]] = {
    "uniform": (laplacian_smoothing, 1),
    "uniform squared": (lambda v, t: laplacian_smoothing(v, t, squared=True), 2),
    "cotangent": (lambda v, t: laplacian_smoothing(v, t, "cotangent"), 1),
    "cotangent through the weights": (lambda v, t: laplacian_smoothing(v, t, cotangent_weights(v, t)), 1),
    "energy": (lambda v, t: dirichlet_energy(v, t, cotangent_weights(v, t)), 2),
    "edges": (edge_length, 2),
    "normals": (normal_consistency_loss, 0),
    "flatness": (flatness, 0),
}
#: Those whose gradient is the derivative of their value, and what they are made of.
FUNCTIONS: dict[str, Function] = {
    **{name: loss for name, (loss, _) in LOSSES.items() if name != "cotangent"},
    "edges with a target": lambda v, t: edge_length(v, t, 0.7),
    "uniform laplacian": uniform_laplacian,
    "cotangent laplacian": cotangent_laplacian,
    "cotangent weights": cotangent_weights,
}
ALL: dict[str, Function] = {**FUNCTIONS, "cotangent": LOSSES["cotangent"][0]}


def noisy(n: int = 0, *batch: int, noise: float = 0.1, seed: int = 0) -> tuple[Tensor, Topology]:
    """An icosphere whose vertices were moved, in double precision."""
    mesh = icosphere(n, dtype=DOUBLE)
    generator = torch.Generator().manual_seed(seed)
    moved = mesh.vertices + noise * torch.randn(*batch, *mesh.vertices.shape, generator=generator, dtype=DOUBLE)
    return moved, Topology.of(mesh.faces, len(mesh.vertices))


def book(*angles: float) -> tuple[Tensor, Topology]:
    """Pages, each one triangle, all with the edge from vertex 0 to 1, at angles in degrees."""
    turn = torch.tensor(angles, dtype=DOUBLE).deg2rad()
    ends = torch.tensor([[0, 0, 0], [0, 0, 1]], dtype=DOUBLE)
    corners = torch.stack([turn.cos(), turn.sin(), 0.3 + 0 * turn], 1)
    faces = torch.tensor([[0, 1, 2 + k] for k in range(len(angles))])
    return torch.cat([ends, corners]), Topology.of(faces, 2 + len(angles))
