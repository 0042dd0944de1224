"""Dense heads for the sculpting benchmark: the packaged head with every face split into n² faces."""

from __future__ import annotations

import numpy as np
import torch

from headviz.geometry.mesh import Mesh
from headviz.heads.model import load_head


def split_faces(vertices: np.ndarray, faces: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Every face split into n² alike, welded; vertices in the order of the faces, as a scanner's or a mesher's are."""
    grid = [(i, j, n - i - j) for i in range(n + 1) for j in range(n + 1 - i)]
    place = {corner: index for index, corner in enumerate(grid)}
    small = []
    for i, j, k in grid:
        if k > 0:
            small.append([place[i, j, k], place[i + 1, j, k - 1], place[i, j + 1, k - 1]])
        if k > 1:
            small.append([place[i + 1, j, k - 1], place[i + 1, j + 1, k - 2], place[i, j + 1, k - 1]])
    points = np.einsum("pc,fcd->fpd", np.array(grid) / n, vertices[faces]).reshape(-1, 3)
    cells = np.round(points * 1e8).astype(np.int64)  # two faces compute a point of their edge alike to 1e-16
    keys = cells @ np.array([1, 1_000_003, 1_000_003**2])
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    whole = np.array(small) + len(grid) * np.arange(len(faces))[:, None, None]
    return points[first[order]], rank[inverse][whole.reshape(-1, 3)]


def dense_head(n: int, *, shuffled: bool = False) -> Mesh:
    """The packaged head with n² times its faces; about 4,500 n² vertices, with twins across x = 0.

    Args:
        n: parts of each edge.
        shuffled: whether vertices and faces come in random order, as some exporters write them.
    """
    head = load_head().mesh(morphs=False)
    vertices, faces = split_faces(head.vertices.double().numpy(), head.faces.numpy(), n)
    if shuffled:
        generator = np.random.default_rng(0)
        order = generator.permutation(len(vertices))
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        vertices, faces = vertices[order], generator.permutation(rank[faces])
    return Mesh(torch.from_numpy(vertices).float(), torch.from_numpy(faces))
