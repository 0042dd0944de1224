"""From fragments to a picture: textures, light, background."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from headviz.geometry.camera import Camera
from headviz.geometry.mesh import Mesh, vertex_normals
from headviz.geometry.sampling import sample_texture
from headviz.render.raster import Fragments, Rasterizer, embree_rasterize


@dataclass(frozen=True, eq=False)
class Light:
    """Spherical-harmonic light plus one directional light with a soft highlight.

    Attributes:
        harmonics: irradiance coefficients of bands 0 to 2 per colour, shape (9, 3), in the order
            1, y, z, x, xy, yz, 3z²−1, xz, x²−y², without normalisation constants.
        direction: unit vector towards the directional light, shape (3,).
        color: its linear RGB, shape (3,).
        gloss: strength of the highlight (Blinn–Phong, exponent 24).
    """

    harmonics: Float[Tensor, "9 3"]
    direction: Float[Tensor, "3"]
    color: Float[Tensor, "3"]
    gloss: float = 0.0


def headlight(strength: float = 0.55) -> Light:
    """The look of all plain renders: soft light from above and in front."""
    harmonics = torch.zeros(9, 3)
    harmonics[0], harmonics[1], harmonics[2] = 0.5, 0.12, 0.08
    direction = torch.nn.functional.normalize(torch.tensor([0.25, 0.45, 0.85]), dim=0)
    return Light(harmonics, direction, torch.full((3,), strength))


def irradiance(light: Light, normals: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
    """Light that arrives at surfaces with these unit normals, linear RGB (Ramamoorthi & Hanrahan 2001)."""
    x, y, z = normals.unbind(-1)
    one = torch.ones_like(x)
    basis = torch.stack([one, y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y], dim=-1)
    direct = (normals @ light.direction).clamp(min=0)[..., None] * light.color
    return (basis @ light.harmonics).clamp(min=0) + direct


@dataclass(frozen=True, eq=False)
class Rendering:
    """A picture (linear RGB, (h, w, 3)) and the fragments that it was made from."""

    picture: Float[Tensor, "h w 3"]
    fragments: Fragments


def render(
    mesh: Mesh,
    camera: Camera,
    *,
    light: Light | None = None,
    background: Float[Tensor, "h w 3"] | Float[Tensor, "3"] | None = None,
    rasterize: Rasterizer = embree_rasterize,
) -> Rendering:
    """Draw a mesh with its texture, its colours, or plain skin.

    Args:
        mesh: what to draw; ``texture`` is used if present, else ``colors``, else the plain skin colour.
        camera: from where.
        light: ``None`` shows the texture as it is, without light.
        background: linear RGB, one colour (3,) or a picture (h, w, 3); ``None`` is the light background.
        rasterize: the backend that finds the faces.
    """
    fragments = rasterize(mesh.vertices, mesh.faces, camera)
    mask = fragments.mask
    picture = torch.empty(camera.height, camera.width, 3)
    picture[:] = torch.tensor(BACKGROUND) if background is None else background
    face, weights = fragments.face[mask], fragments.barycentric[mask]

    def at(values: Tensor, index: Tensor) -> Tensor:
        return (weights[..., None] * values[index[face]]).sum(1)

    if mesh.texture is not None and mesh.uv is not None:
        uv_faces = mesh.faces if mesh.uv_faces is None else mesh.uv_faces
        color = sample_texture(mesh.texture, at(mesh.uv, uv_faces))
    elif mesh.colors is not None:
        color = at(mesh.colors, mesh.faces)
    else:
        color = torch.tensor(SKIN).expand(len(face), 3)
    if light is not None:
        vertex = mesh.normals if mesh.normals is not None else vertex_normals(mesh.vertices, mesh.faces)
        normals = torch.nn.functional.normalize(at(vertex, mesh.faces), dim=-1)
        color = color * irradiance(light, normals)
        if light.gloss > 0:
            view = torch.nn.functional.normalize(camera.position - at(mesh.vertices, mesh.faces), dim=-1)
            half = torch.nn.functional.normalize(view + light.direction, dim=-1)
            shine = (normals * half).sum(-1).clamp(min=0) ** 24
            color = color + light.gloss * shine[..., None] * light.color
    picture[mask] = color
    return Rendering(picture, fragments)


#: The look sheet's plain skin #d9a58b and light background #f6f5f2, linear RGB.
SKIN = (0.6939, 0.3763, 0.2582)
BACKGROUND = (0.9216, 0.9131, 0.8879)
