"""Triangle meshes: one frozen dataclass and the few functions that every room needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Mesh:
    """A triangle mesh in metres: right-handed, y up, faces counter-clockwise seen from outside.

    Attributes:
        vertices: positions, shape (n, 3), metres.
        faces: vertex indices, shape (m, 3).
        uv: texture coordinates, shape (k, 2), origin at the lower left corner of the texture.
        uv_faces: indices into ``uv``, shape (m, 3); ``None`` means that ``uv`` is per vertex.
        texture: linear RGB in [0, 1], shape (height, width, 3), first row on top.
        colors: linear RGB per vertex, shape (n, 3).
        normals: unit normals per vertex, shape (n, 3).
        morphs: named vertex offsets, each of shape (n, 3), metres.
        mirror: index of the vertex on the other side of x = 0, shape (n,).
    """

    vertices: Float[Tensor, "n 3"]
    faces: Int[Tensor, "m 3"]
    uv: Float[Tensor, "k 2"] | None = None
    uv_faces: Int[Tensor, "m 3"] | None = None
    texture: Float[Tensor, "h w 3"] | None = None
    colors: Float[Tensor, "n 3"] | None = None
    normals: Float[Tensor, "n 3"] | None = None
    morphs: Mapping[str, Float[Tensor, "n 3"]] = field(default_factory=dict)
    mirror: Int[Tensor, " n"] | None = None

    def __post_init__(self) -> None:
        count = len(self.vertices)
        if len(self.faces) and not 0 <= int(self.faces.min()) <= int(self.faces.max()) < count:
            low, high = int(self.faces.min()), int(self.faces.max())
            raise ValueError(f"faces should index {count} vertices; indices run from {low} to {high}")
        if self.uv is not None and self.uv_faces is None and len(self.uv) != count:
            raise ValueError(f"uv without uv_faces should have shape ({count}, 2); shape is {tuple(self.uv.shape)}")
        for name, offsets in self.morphs.items():
            if offsets.shape != self.vertices.shape:
                raise ValueError(
                    f"morph {name!r} should have shape {tuple(self.vertices.shape)}; shape is {tuple(offsets.shape)}"
                )


def face_normals(vertices: Float[Tensor, "*batch n 3"], faces: Int[Tensor, "m 3"]) -> Float[Tensor, "*batch m 3"]:
    """Normals scaled by twice the face area, shape (..., m, 3); their sum weighs by area."""
    a, b, c = (vertices[..., faces[:, k], :] for k in range(3))
    weighted: Tensor = torch.linalg.cross(b - a, c - a)
    return weighted


def vertex_normals(vertices: Float[Tensor, "*batch n 3"], faces: Int[Tensor, "m 3"]) -> Float[Tensor, "*batch n 3"]:
    """Unit normals per vertex, the area-weighted mean of the faces around it.

    A vertex without a face of positive area gets the zero vector.
    """
    weighted = face_normals(vertices, faces).reshape(-1, 3)
    normals = torch.zeros_like(vertices).reshape(-1, 3)  # one list: adding along it is ten times as fast
    first = torch.arange(0, len(normals), max(vertices.shape[-2], 1), device=faces.device)[:, None]
    for corner in range(3):
        normals = normals.index_add(0, (faces[:, corner] + first).reshape(-1), weighted)
    unit: Tensor = torch.nn.functional.normalize(normals.reshape(vertices.shape), dim=-1, eps=1e-20)
    return unit


def split_seams(mesh: Mesh) -> tuple[Mesh, Int[Tensor, " v"]]:
    """Give every texture coordinate a vertex of its own, as GLB and PLY require.

    Returns:
        The mesh with per-vertex ``uv``, and for each of its v vertices the index of the source vertex.
        Normals are those of the mesh before the split, so that seams do not show.
    """
    if mesh.uv is None or mesh.uv_faces is None:
        return mesh, torch.arange(len(mesh.vertices))
    keys = mesh.faces.reshape(-1) * len(mesh.uv) + mesh.uv_faces.reshape(-1)
    unique, inverse = torch.unique(keys, return_inverse=True)
    source, coordinate = unique // len(mesh.uv), unique % len(mesh.uv)
    normals = mesh.normals if mesh.normals is not None else vertex_normals(mesh.vertices, mesh.faces)
    split = Mesh(
        vertices=mesh.vertices[source],
        faces=inverse.reshape(-1, 3),
        uv=mesh.uv[coordinate],
        texture=mesh.texture,
        colors=None if mesh.colors is None else mesh.colors[source],
        normals=normals[source],
        morphs={name: offsets[source] for name, offsets in mesh.morphs.items()},
    )
    return split, source
