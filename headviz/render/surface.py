"""What the covered pixels of pictures see of a surface, one row per pixel: places, normals, colours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from headviz.geometry.camera import Cameras
from headviz.geometry.mesh_batch import MeshBatch
from headviz.geometry.sampling import sample_textures
from headviz.render.fragments import CoveredPixels, Fragments
from headviz.render.light import Lighting
from headviz.render.texture import footprints, sample_mip_mapped

#: The look sheet's plain skin #d9a58b and light background #f6f5f2, linear RGB.
SKIN = (0.6939, 0.3763, 0.2582)
BACKGROUND = (0.9216, 0.9131, 0.8879)

TextureFilter = Literal["bilinear", "mipmap"]


class Surface:
    """What covered pixels see; all arrays have one row for each of them.

    Attributes:
        pixels: which they are.
        points: in the world, metres, shape (p, 3).
        depths: along the optical axis, metres, shape (p,).
        normals: unit vectors out of the surface, shape (p, 3).
        colors: of the surface without light, linear RGB, shape (p, 3).
        uv: texture coordinates, shape (p, 2), where there are any.
    """

    pixels: CoveredPixels
    points: Float[Tensor, "p 3"]
    depths: Float[Tensor, " p"]
    normals: Float[Tensor, "p 3"]
    colors: Float[Tensor, "p 3"]
    uv: Float[Tensor, "p 2"] | None = None


@dataclass(frozen=True, eq=False)
class MeshSurface(Surface):
    """What pixels see of b meshes.

    Attributes:
        meshes, cameras: b of each.
        pixels: the fragments.
        texture_filter: how textures are looked up.
    """

    meshes: MeshBatch
    cameras: Cameras
    pixels: Fragments
    texture_filter: TextureFilter = "bilinear"

    @cached_property
    def points(self) -> Float[Tensor, "p 3"]:  # type: ignore[override]
        """See :class:`Surface`."""
        return self.pixels.at(self.meshes.vertices, self.meshes.faces)

    @property
    def depths(self) -> Float[Tensor, " p"]:  # type: ignore[override]
        """See :class:`Surface`."""
        return self.pixels.depths

    @cached_property
    def normals(self) -> Float[Tensor, "p 3"]:  # type: ignore[override]
        """Interpolated between the vertices' normals."""
        return normalize(self.pixels.at(self.meshes.vertex_normals, self.meshes.faces), dim=-1)

    @cached_property
    def uv(self) -> Float[Tensor, "p 2"] | None:  # type: ignore[override]
        """See :class:`Surface`."""
        return None if self.meshes.uv is None else self.pixels.at(self.meshes.uv, self.meshes.uv_index)

    @cached_property
    def colors(self) -> Float[Tensor, "p 3"]:  # type: ignore[override]
        """The texture's if there is one, else the vertices', else plain skin."""
        meshes = self.meshes
        if meshes.texture is not None and self.uv is not None:
            return self._texture(meshes.texture, self.uv)
        if meshes.colors is not None:
            return self.pixels.at(meshes.colors, meshes.faces)
        return self.depths.new_tensor(SKIN).expand(len(self.depths), 3)

    def _texture(self, texture: Tensor, uv: Tensor) -> Tensor:
        if self.texture_filter == "bilinear":
            return sample_textures(texture, uv, self.pixels.picture)
        assert self.meshes.uv is not None
        coordinates = (self.meshes.uv, self.meshes.uv_index, (texture.shape[1], texture.shape[2]))
        points = self.cameras.to_camera(self.meshes.vertices)
        footprint = footprints(self.pixels, points, self.meshes.faces, self.cameras, coordinates)
        return sample_mip_mapped(texture, uv, self.pixels.picture, footprint)


def light_on(surface: Surface, light: Lighting, cameras: Cameras) -> tuple[Float[Tensor, "p 3"], Float[Tensor, "p 3"]]:
    """What arrives at the pixels of a surface, and what its gloss adds to what they see, linear RGB, both (p, 3)."""
    light, picture = light.to(surface.colors), surface.pixels.picture
    arriving = light.irradiance(surface.points, surface.normals, picture)
    if not light.shines:
        return arriving, torch.zeros_like(arriving)
    view = normalize(cameras.position.index_select(0, picture) - surface.points, dim=-1)
    return arriving, light.highlights(surface.points, surface.normals, view, picture)


def lit(surface: Surface, light: Lighting | None, cameras: Cameras) -> Float[Tensor, "p 3"]:
    """What pixels see of a surface in some light, linear RGB, shape (p, 3); ``None`` shows its colours as they are."""
    if light is None:
        return surface.colors
    arriving, shine = light_on(surface, light, cameras)
    return surface.colors * arriving + shine if light.shines else surface.colors * arriving


def over(
    pixels: CoveredPixels, colors: Float[Tensor, "p 3"], background: Float[Tensor, "..."] | None
) -> Float[Tensor, "b h w 3"]:
    """Colours of covered pixels before a background.

    Args:
        pixels: of b pictures.
        colors: linear RGB, shape (p, 3).
        background: linear RGB: one colour (3,), a picture (h, w, 3), or one per picture (b, h, w, 3); the light
            background by default.
    """
    behind = torch.tensor(BACKGROUND) if background is None else background
    whole = behind.to(colors).expand(*pixels.mask.shape, 3).reshape(-1, 3)
    return whole.index_copy(0, pixels.pixel, colors).reshape(*pixels.mask.shape, 3)
