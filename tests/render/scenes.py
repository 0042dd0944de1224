"""Small scenes that several tests draw, and what numpy says in float64 that their pixels should see."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from headviz.geometry.camera import Camera, Cameras
from headviz.geometry.mesh_batch import MeshBatch

DOUBLE = torch.float64
ONE = torch.tensor([[0, 1, 2]])


def noise(*shape: int, seed: int = 0) -> Tensor:
    """Numbers in [0, 1) of float64."""
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def turned(seed: int) -> Tensor:
    """A rotation, shape (3, 3)."""
    q, r = torch.linalg.qr(noise(3, 3, seed=seed) - 0.5)
    q = q * r.diagonal().sign()
    return q * torch.linalg.det(q)


def oblique(count: int = 1, width: int = 34, height: int = 26, *, focal: float = 30.0) -> Cameras:
    """Cameras in float64 that look from anywhere, with pictures that are neither square nor centred."""
    rotation = torch.stack([turned(seed) for seed in range(count)])
    translation = noise(count, 3, seed=7) - 0.5
    center = torch.tensor([[width * 0.4, height * 0.6]], dtype=DOUBLE) + 3 * noise(count, 2, seed=8)
    return Cameras(rotation, translation, focal * (1 + 0.2 * noise(count, seed=9)), center, width, height)


def straight(width: int = 16, height: int = 16, focal: float = 16.0, dtype: torch.dtype = torch.float32) -> Camera:
    """A camera at the origin whose pixels at depth 1 are 1 / focal wide."""
    center = torch.tensor([width / 2, height / 2], dtype=dtype)
    return Camera(torch.eye(3, dtype=dtype), torch.zeros(3, dtype=dtype), focal, center, width, height)


def cast(scene: Cameras | MeshBatch, dtype: torch.dtype) -> Cameras | MeshBatch:
    """The same in another precision."""
    names = ("vertices", "texture", "colors", "normals", "uv", "rotation", "translation", "focal", "center")
    given = {name: getattr(scene, name, None) for name in names}
    return replace(scene, **{name: value.to(dtype) for name, value in given.items() if value is not None})


def cameras_in(cameras: Cameras, dtype: torch.dtype) -> Cameras:
    """The same cameras in another precision."""
    made = cast(cameras, dtype)
    assert isinstance(made, Cameras)
    return made


def before(cameras: Cameras, local: Tensor) -> Tensor:
    """World points of points in the cameras' frames, shape (b, n, 3)."""
    return (local - cameras.translation[:, None]) @ torch.linalg.inv(cameras.rotation).mT


def rays_of(cameras: Cameras, k: int = 0) -> np.ndarray:
    """Rays of pixel centres in a camera's frame, one per pixel, row by row, shape (h w, 3)."""
    cx, cy = cameras.center[k].double().tolist()
    focal = float(cameras.focal[k].detach())
    u, v = np.meshgrid(np.arange(cameras.width) + 0.5, np.arange(cameras.height) + 0.5)
    return np.stack([(u - cx) / focal, (cy - v) / focal, -np.ones_like(u)], -1).reshape(-1, 3)


def meet(corners: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights (m, 3, p) and depths (m, p) where rays d meet the planes of faces (m, 3, 3).

    Σ bᵢ pᵢ = t d and Σ bᵢ = 1 by Cramer's rule: bᵢ is proportional to (pⱼ × pₖ) · d.
    """
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    normals = np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], 1)
    raw = normals @ rays.T
    total = raw.sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return raw / total[:, None], (a * normals[:, 0]).sum(1)[:, None] / total


def depth_range(corners: np.ndarray, rays: np.ndarray, band: float) -> tuple[np.ndarray, np.ndarray]:
    """The least and the largest depth that pixels may see, shape (p,), infinite for none.

    A ray that passes a face's edge within the band, in units of its weights, may meet the face or miss it.
    """
    low, high = np.full(len(rays), np.inf), np.full(len(rays), np.inf)
    for start in range(0, len(corners), 256):
        weights, depth = meet(corners[start : start + 256], rays)
        least = weights.min(1)
        depth = np.where(depth > 0, depth, np.inf)
        with np.errstate(invalid="ignore"):
            low = np.minimum(low, np.where(least > -band, depth, np.inf).min(0))
            high = np.minimum(high, np.where(least > band, depth, np.inf).min(0))
    return low, high


def corners_of(vertices: Tensor, faces: Tensor, cameras: Cameras, k: int = 0) -> np.ndarray:
    """Corners of faces in a camera's frame, shape (m, 3, 3)."""
    rotation, translation = cameras.rotation[k].double().numpy(), cameras.translation[k].double().numpy()
    points: np.ndarray = vertices.detach().double().numpy() @ rotation.T + translation
    return points[faces.numpy()]


def sheet(rows: int, columns: int, seed: int, *, jitter: float = 0.0, depth: float = 0.0) -> tuple[Tensor, Tensor]:
    """A sheet that is seen from (0, 0) to (columns, rows) as (u, v, depth), and its faces; diagonals go either way."""
    v, u = torch.meshgrid(torch.arange(rows + 1.0), torch.arange(columns + 1.0), indexing="ij")
    places = torch.stack([u, v, torch.ones_like(u)], -1)
    places[1:-1, 1:-1, :2] += jitter * (noise(rows - 1, columns - 1, 2, seed=seed).float() - 0.5)
    places[..., 2] += depth * noise(rows + 1, columns + 1, seed=seed + 1).float()
    number = torch.arange((rows + 1) * (columns + 1)).reshape(rows + 1, columns + 1)
    a, b, c, d = number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]
    other = (noise(rows, columns, seed=seed + 2) > 0.5)[..., None, None]
    one = torch.stack([torch.stack([a, b, c], -1), torch.stack([a, c, d], -1)], -2)
    two = torch.stack([torch.stack([a, b, d], -1), torch.stack([b, c, d], -1)], -2)
    return places.reshape(-1, 3), torch.where(other, two, one).reshape(-1, 3)
