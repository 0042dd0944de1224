"""Which face covers which pixel: the rasterizer protocol and its Embree backend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from headviz.geometry.camera import Camera


@dataclass(frozen=True, eq=False)
class Fragments:
    """What each pixel sees.

    Attributes:
        face: index of the face nearest to the camera, −1 where there is none, shape (h, w).
        barycentric: perspective-correct weights of the face's corners, shape (h, w, 3); 0 where uncovered.
        depth: distance along the optical axis, metres, shape (h, w); infinite where uncovered.
    """

    face: Int[Tensor, "h w"]
    barycentric: Float[Tensor, "h w 3"]
    depth: Float[Tensor, "h w"]

    @property
    def mask(self) -> Bool[Tensor, "h w"]:
        """Covered pixels, shape (h, w)."""
        return self.face >= 0

    def interpolate(self, attribute: Float[Tensor, "n c"], faces: Int[Tensor, "m 3"]) -> Float[Tensor, "h w c"]:
        """Attribute per corner index, interpolated at every pixel; 0 where uncovered."""
        height, width = self.face.shape
        picture = attribute.new_zeros((height, width, attribute.shape[-1]))
        mask = self.mask
        corners = attribute[faces[self.face[mask]]]  # (p, 3, c)
        picture[mask] = (self.barycentric[mask].to(attribute.dtype)[..., None] * corners).sum(1)
        return picture


@runtime_checkable
class Rasterizer(Protocol):
    """Anything that tells which face each pixel of a camera sees."""

    def __call__(self, vertices: Float[Tensor, "n 3"], faces: Int[Tensor, "m 3"], camera: Camera) -> Fragments:
        """Face, barycentric weights and depth of every pixel of the camera."""
        ...


def embree_rasterize(vertices: Float[Tensor, "n 3"], faces: Int[Tensor, "m 3"], camera: Camera) -> Fragments:
    """Cast one primary ray per pixel with Embree (https://www.embree.org) through ``embreex``."""
    scene = ray_scene(vertices, faces)
    origin, directions = camera.rays()
    height, width = camera.height, camera.width
    rays = np.ascontiguousarray(directions.reshape(-1, 3).numpy(), dtype=np.float32)
    starts = np.ascontiguousarray(np.broadcast_to(origin.numpy().astype(np.float32), rays.shape))
    hits = scene.run(starts, rays, query="INTERSECT", output=1)  # type: ignore[attr-defined]
    face = torch.from_numpy(hits["primID"].astype(np.int64)).reshape(height, width)
    u = torch.from_numpy(hits["u"]).reshape(height, width)
    v = torch.from_numpy(hits["v"]).reshape(height, width)
    covered = face >= 0
    barycentric = torch.stack([1 - u - v, u, v], dim=-1) * covered[..., None]
    depth = torch.from_numpy(hits["tfar"]).reshape(height, width)
    return Fragments(face, barycentric, torch.where(covered, depth, torch.inf))


def ray_scene(vertices: Float[Tensor, "n 3"], faces: Int[Tensor, "m 3"]) -> object:
    """An Embree scene of the mesh, for repeated queries of the same geometry."""
    from embreex import rtcore_scene
    from embreex.mesh_construction import TriangleMesh

    scene = rtcore_scene.EmbreeScene()
    corners = np.ascontiguousarray(vertices.detach().numpy(), dtype=np.float32)
    TriangleMesh(scene, corners, np.ascontiguousarray(faces.numpy(), dtype=np.int32))
    return scene


def embree_rasterize_uv(uv: Float[Tensor, "t 2"], uv_faces: Int[Tensor, "m 3"], size: int) -> Fragments:
    """Which face covers which texel of a size × size texture (first row on top), depth 0.

    The charts are laid flat and seen from above by parallel rays through the texels' centres.
    """
    flat = torch.cat([uv, torch.zeros(len(uv), 1)], dim=1)
    scene = ray_scene(flat, uv_faces)
    steps = (torch.arange(size, dtype=torch.float32) + 0.5) / size
    v, u = torch.meshgrid(1 - steps, steps, indexing="ij")
    starts = torch.stack([u, v, torch.ones_like(u)], dim=-1).reshape(-1, 3).numpy()
    down = np.broadcast_to(np.array([0, 0, -1], dtype=np.float32), starts.shape)
    hits = scene.run(starts, np.ascontiguousarray(down), query="INTERSECT", output=1)  # type: ignore[attr-defined]
    face = torch.from_numpy(hits["primID"].astype(np.int64)).reshape(size, size)
    b, c = (torch.from_numpy(hits[name]).reshape(size, size) for name in ("u", "v"))
    covered = face >= 0
    barycentric = torch.stack([1 - b - c, b, c], dim=-1) * covered[..., None]
    return Fragments(face, barycentric, torch.where(covered, 0.0, torch.inf))
