"""PyTorch3D's rasterizer behind the protocol of ours: its faces, its weights, its depths (N. Ravi et al., 2020)."""

from __future__ import annotations

import importlib
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from headviz.errors import MissingExtraError
from headviz.geometry.camera import Cameras
from headviz.render.fragments import Fragments


def rasterize_by_pytorch3d(vertices: Float[Tensor, "b n 3"], faces: Int[Tensor, "m 3"], cameras: Cameras) -> Fragments:
    """Fragments as of :class:`~headviz.render.raster.Rasterizer`, by ``rasterize_meshes``.

    A face that reaches behind a camera is not seen, other than by our own rasterizers: PyTorch3D drops it, or clips it
    at a depth that would have to be known. It sees x to the left and y up, from −1 to 1 along the shorter side of the
    picture, and depths along +z.

    Raises:
        MissingExtraError: PyTorch3D is not installed.
    """
    try:
        structures: Any = importlib.import_module("pytorch3d.structures")
        library: Any = importlib.import_module("pytorch3d.renderer.mesh.rasterize_meshes")
    except ImportError as error:
        raise MissingExtraError("pytorch3d", "pytorch3d") from error
    seen = to_pytorch3d_screen(vertices, cameras)
    meshes = structures.Meshes(seen, faces[None].expand(len(seen), -1, -1))
    face, depth, weights, _ = library.rasterize_meshes(
        meshes, (cameras.height, cameras.width), blur_radius=0.0, faces_per_pixel=1, perspective_correct=True,
        clip_barycentric_coords=False, cull_backfaces=False,
    )  # fmt: skip
    face = face[..., 0]
    mask = face >= 0
    first = torch.arange(len(seen), device=face.device)[:, None, None] * len(faces)
    return Fragments(torch.where(mask, face - first, -1), weights[..., 0, :][mask], depth[..., 0][mask])


def to_pytorch3d_screen(vertices: Float[Tensor, "b n 3"], cameras: Cameras) -> Float[Tensor, "b n 3"]:
    """Vertices where PyTorch3D's rasterizer expects them: x to the left and y up in its screen units, depth."""
    points = cameras.to_camera(vertices)
    half = min(cameras.width, cameras.height) / 2
    middle = points.new_tensor([cameras.width / 2, cameras.height / 2])
    return torch.cat([(middle - cameras.to_pixels(points)) / half, -points[..., 2:]], dim=-1)
