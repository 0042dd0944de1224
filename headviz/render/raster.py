"""Which face covers which pixel: the rasterizer protocol and its Embree backend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

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

    def interpolate(
        self, attribute: Float[Tensor, "n c"], faces: Int[Tensor, "m 3"]
    ) -> Float[Tensor, "h w c"]:
        """Attribute per corner index, interpolated at every pixel; 0 where uncovered."""
        height, width = self.face.shape
        picture = attribute.new_zeros((height, width, attribute.shape[-1]))
        mask = self.mask
        corners = attribute[faces[self.face[mask]]]  # (p, 3, c)
        picture[mask] = (self.barycentric[mask].to(attribute.dtype)[..., None] * corners).sum(1)
        return picture


class Rasterizer(Protocol):
    """Anything that tells which face each pixel of a camera sees."""

    def __call__(
        self, vertices: Float[Tensor, "n 3"], faces: Int[Tensor, "m 3"], camera: Camera
    ) -> Fragments: ...


def embree_rasterize(
    vertices: Float[Tensor, "n 3"], faces: Int[Tensor, "m 3"], camera: Camera
) -> Fragments:
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
