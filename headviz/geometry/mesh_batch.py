"""Several meshes with the same faces, as tensors: what a network predicts for a batch of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from headviz.errors import MeshError, ShapeError
from headviz.geometry.mesh import Mesh, vertex_normals

STACKED = ("texture", "colors", "normals")  #: what meshes of a batch may each have


@dataclass(frozen=True, eq=False)
class MeshBatch:
    """Meshes in metres that share faces and texture coordinates; conventions are those of :class:`Mesh`.

    Attributes:
        vertices: positions, shape (b, n, 3), metres.
        faces: vertex indices, shape (m, 3).
        uv: texture coordinates, shape (k, 2), origin at the lower left corner of the texture.
        uv_faces: indices into ``uv``, shape (m, 3); ``None`` means that ``uv`` is per vertex.
        texture: linear RGB, first row on top, one for all, shape (1, height, width, 3), or one each (b, …).
        colors: linear RGB per vertex, shape (1, n, 3) or (b, n, 3).
        normals: unit normals per vertex, shape (1, n, 3) or (b, n, 3); ``None``: those of the faces around.
    """

    vertices: Float[Tensor, "..."]
    faces: Int[Tensor, "..."]
    uv: Float[Tensor, "..."] | None = None
    uv_faces: Int[Tensor, "..."] | None = None
    texture: Float[Tensor, "..."] | None = None
    colors: Float[Tensor, "..."] | None = None
    normals: Float[Tensor, "..."] | None = None

    def __post_init__(self) -> None:
        if self.vertices.ndim != 3 or self.vertices.shape[2] != 3 or not len(self.vertices):
            raise ShapeError(f"vertices should have shape (b, n, 3), b ≥ 1; shape is {tuple(self.vertices.shape)}")
        batch, count = self.vertices.shape[:2]
        _check_indices("faces", self.faces, count, "vertices")
        if not len(self.faces):
            raise MeshError(f"a mesh should have faces; this one has {count} vertices and none")
        self._check_uv(count)
        for name in ("colors", "normals"):
            values = getattr(self, name)
            if values is not None and values.shape not in {(1, count, 3), (batch, count, 3)}:
                raise ShapeError(f"{name} should have shape (1 or {batch}, {count}, 3); shape is {tuple(values.shape)}")

    def _check_uv(self, count: int) -> None:
        texture, uv = self.texture, self.uv
        if texture is not None:
            if texture.ndim != 4 or texture.shape[3] != 3 or len(texture) not in {1, len(self.vertices)}:
                raise ShapeError(f"texture should have shape (1 or {len(self.vertices)}, height, width, 3); "
                                 f"shape is {tuple(texture.shape)}")  # fmt: skip
            if not texture.numel():
                raise ShapeError(f"a texture should have at least one texel; shape is {tuple(texture.shape)}")
            if uv is None:
                raise MeshError("a mesh with a texture should have texture coordinates (uv); it has none")
        if uv is None:
            return
        if uv.ndim != 2 or uv.shape[1] != 2:
            raise ShapeError(f"uv should have shape (k, 2); shape is {tuple(uv.shape)}")
        if self.uv_faces is not None:
            _check_indices("uv_faces", self.uv_faces, len(uv), "texture coordinates")
            if self.uv_faces.shape != self.faces.shape:
                raise ShapeError(f"uv_faces should have shape {tuple(self.faces.shape)}, as faces; "
                                 f"shape is {tuple(self.uv_faces.shape)}")  # fmt: skip
        elif len(uv) != count:
            raise ShapeError(f"uv without uv_faces should have shape ({count}, 2); shape is {tuple(uv.shape)}")

    @classmethod
    def of(cls, meshes: Mesh | Sequence[Mesh]) -> MeshBatch:
        """One or several meshes as a batch; faces and texture coordinates are those of the first.

        Raises:
            ShapeError: meshes have other faces, not as many vertices, or only some a texture, colours or normals.
        """
        some = [meshes] if isinstance(meshes, Mesh) else list(meshes)
        if not some:
            raise ShapeError("a batch should have at least one mesh; there is none")
        first = some[0]
        for place, mesh in enumerate(some[1:], 1):
            if mesh.faces is not first.faces and not torch.equal(mesh.faces, first.faces):
                raise ShapeError(f"meshes of a batch should have the same faces; mesh {place} has others than mesh 0")
            if len(mesh.vertices) != len(first.vertices):
                raise ShapeError(f"meshes of a batch should have as many vertices; mesh {place} has "
                                 f"{len(mesh.vertices)}, mesh 0 has {len(first.vertices)}")  # fmt: skip
        return cls(
            torch.stack([mesh.vertices for mesh in some]), first.faces, first.uv, first.uv_faces,
            **{name: _stacked(name, [getattr(mesh, name) for mesh in some]) for name in STACKED},
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.vertices)

    @property
    def uv_index(self) -> Int[Tensor, "m 3"]:
        """Indices into ``uv``, shape (m, 3)."""
        return self.faces if self.uv_faces is None else self.uv_faces

    @cached_property
    def vertex_normals(self) -> Float[Tensor, "_ n 3"]:
        """The given normals, else the area-weighted mean of the faces around each vertex, shape (b or 1, n, 3)."""
        if self.normals is not None:
            return self.normals
        found = vertex_normals(self.vertices, self.faces)
        return torch.where((found == 0).all(-1, keepdim=True), 0.0, found)  # 0 without gradient, which would be 1e20

    def seen_from(self, count: int) -> MeshBatch:
        """Every mesh ``count`` times in a row: a, a, b, b, …; with ``cameras.repeated(b)`` these are all pairs.

        A picture of the result, shape (b · count, …), is ``.unflatten(0, (b, count))``.
        """

        def each(values: Tensor | None) -> Tensor | None:
            return values if values is None or len(values) == 1 else values.repeat_interleave(count, 0)

        return replace(
            self, vertices=self.vertices.repeat_interleave(count, 0), texture=each(self.texture),
            colors=each(self.colors), normals=each(self.normals),
        )  # fmt: skip


def _stacked(name: str, values: Sequence[Tensor | None]) -> Tensor | None:
    """Tensors of all meshes, or one where they share it."""
    given = [each for each in values if each is not None]
    if not given:
        return None
    if len(given) < len(values):
        raise ShapeError(f"all meshes of a batch should have {name}, or none; {len(given)} of {len(values)} have it")
    if all(each is given[0] for each in given):
        return given[0][None]
    if len({each.shape for each in given}) > 1:
        raise ShapeError(f"{name} of all meshes should have one shape; they have "
                         f"{sorted({tuple(each.shape) for each in given})}")  # fmt: skip
    return torch.stack(given)


def _check_indices(name: str, faces: Tensor, count: int, what: str) -> None:
    if faces.ndim != 2 or faces.shape[1] != 3:
        raise ShapeError(f"{name} should have shape (m, 3); shape is {tuple(faces.shape)}")
    if not len(faces):
        return
    low, high = int(faces.min()), int(faces.max())
    if not 0 <= low <= high < count:
        raise MeshError(f"{name} should index {count} {what}; indices run from {low} to {high}")
