"""Small meshes for the scene of a traced picture: the relief of its hits, and larger meshes simplified."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Int, Shaped

from headviz.geometry.camera import Camera

#: Pixels along a side of a relief.
SIDE = 200
#: Neighbours in a relief that are further apart than this many pixels' widths belong to different parts.
JUMP = 8.0


def relief(depth: Shaped[np.ndarray, "h w"], camera: Camera) -> tuple[Float[np.ndarray, "v 3"], Int[np.ndarray, "f 3"]]:
    """What a depth map shows of the surface, as a mesh that faces the camera; cut where the depth jumps.

    Args:
        depth: along the optical axis, metres; infinite or NaN where there is nothing.
        camera: that sees it.
    """
    every = max(1, math.ceil(max(depth.shape) / SIDE))
    near = depth[::every, ::every].astype(np.float64)
    rows, columns = np.indices(near.shape)
    center, rotation = camera.center.double().numpy(), camera.rotation.double().numpy()
    u, v = columns * every + 0.5 - center[0], rows * every + 0.5 - center[1]
    rays = np.stack([u / camera.focal, -v / camera.focal, -np.ones_like(near)], axis=-1) @ rotation
    there = np.isfinite(near)
    points = camera.position.double().numpy() + rays * np.where(there, near, 0.0)[..., None]
    corner = np.arange(near.size).reshape(near.shape)
    a, b, c, d = corner[:-1, :-1], corner[1:, :-1], corner[:-1, 1:], corner[1:, 1:]
    faces = np.concatenate([np.stack(three, axis=-1).reshape(-1, 3) for three in ((a, b, c), (c, b, d))])
    some = near.reshape(-1)[faces]
    kept = there.reshape(-1)[faces].all(axis=1)
    some = np.where(kept[:, None], some, 0.0)
    kept &= np.ptp(some, axis=1) <= JUMP * every * some.min(axis=1) / camera.focal
    return compact(points.reshape(-1, 3), faces[kept])


def clustered(
    vertices: Shaped[np.ndarray, "v 3"], faces: Shaped[np.ndarray, "f 3"], most: int
) -> tuple[Float[np.ndarray, "w 3"], Int[np.ndarray, "g 3"]]:
    """A mesh with at most about so many faces: the vertices of each cell of a grid become their mean.

    J. Rossignac and P. Borrel, "Multi-resolution 3D approximations for rendering complex scenes", 1993.
    """
    points = vertices.astype(np.float64)
    low, size = points.min(axis=0), float(np.ptp(points, axis=0).max())
    cells = max(8, int(math.sqrt(most / 5)))  # a closed surface passes through about 5/2 cells² cells of cells³
    where = np.floor((points - low) / max(size, 1e-30) * cells).astype(np.int64)
    key = (where[:, 0] * (cells + 1) + where[:, 1]) * (cells + 1) + where[:, 2]
    _, cell, counts = np.unique(key, return_inverse=True, return_counts=True)
    middle = np.stack([np.bincount(cell, points[:, axis]) for axis in range(3)], axis=1) / counts[:, None]
    joined = cell[faces]
    real = (joined != np.roll(joined, 1, axis=1)).all(axis=1)
    return compact(middle, joined[real])


def compact(
    points: Shaped[np.ndarray, "v 3"], faces: Shaped[np.ndarray, "f 3"]
) -> tuple[Float[np.ndarray, "w 3"], Int[np.ndarray, "f 3"]]:
    """The mesh without the vertices that no face has."""
    used, renumbered = np.unique(faces.reshape(-1), return_inverse=True)
    return points[used].astype(np.float32), renumbered.reshape(-1, 3).astype(np.int64)
