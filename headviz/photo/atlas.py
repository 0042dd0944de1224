"""A texture atlas prepared for projection: every texel's place on the mesh and its twin across x = 0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from headviz.geometry.mesh import Mesh
from headviz.render.raster import embree_rasterize_uv

GUTTER = 4  #: texels that every chart's colours reach beyond its border


@dataclass(frozen=True, eq=False)
class Atlas:
    """The texels of a size × size texture that lie on the mesh, p of them.

    Attributes:
        size: width and height of the texture.
        covered: which texels, shape (size, size); the other attributes follow their row-major order.
        corners: vertices of each texel's face, shape (p, 3).
        weights: barycentric weights, shape (p, 3).
        twin: index among the p texels of the mirror texel; −1 where there is none, shape (p,).
        labels: named masks of texels, shape (p,).
        regions: the same as masks of vertices, shape (n,).
        share: what part of its face's area a texel stands for, shape (p,).
        gutter: texels just outside the charts, shape (size, size); they repeat the colours of ``gutter_source``,
            so that bilinear look-ups and smaller copies of the texture do not mix in what lies between charts.
        gutter_source: index among the p texels for each gutter texel.
    """

    size: int
    covered: Bool[Tensor, "s s"]
    corners: Int[Tensor, "p 3"]
    weights: Float[Tensor, "p 3"]
    twin: Int[Tensor, " p"]
    labels: Mapping[str, Bool[Tensor, " p"]]
    regions: Mapping[str, Bool[Tensor, " n"]]
    share: Float[Tensor, " p"]
    gutter: Bool[Tensor, "s s"]
    gutter_source: Int[Tensor, " g"]

    def interpolate(self, values: Float[Tensor, "n c"]) -> Float[Tensor, "p c"]:
        """Values per vertex, interpolated at the texels."""
        a, b, c = self.weights.unbind(1)
        i, j, k = self.corners.unbind(1)
        return a[:, None] * values[i] + b[:, None] * values[j] + c[:, None] * values[k]

    @cached_property
    def index(self) -> Int[Tensor, " p"]:
        """Place of each texel in the flattened picture."""
        return self.covered.flatten().nonzero()[:, 0]

    def picture(self, values: Float[Tensor, "p c"], fill: float = 0.0) -> Float[Tensor, "s s c"]:
        """Values per texel as a picture."""
        image = values.new_full((self.size * self.size, values.shape[1]), fill)
        return image.index_copy_(0, self.index, values).reshape(self.size, self.size, -1)

    def texels(self, picture: Float[Tensor, "s s c"]) -> Float[Tensor, "p c"]:
        """A picture's values at the texels."""
        return picture.reshape(-1, picture.shape[-1]).index_select(0, self.index)


def build_atlas(mesh: Mesh, regions: Mapping[str, Bool[Tensor, " n"]], size: int) -> Atlas:
    """Prepare an atlas.

    Args:
        mesh: needs ``uv`` and ``mirror``.
        regions: named vertex masks; a texel belongs to a region if all corners of its face do.
        size: width and height of the texture, texels.

    Raises:
        ValueError: the mesh has no texture coordinates or no mirror map.
    """
    if mesh.uv is None or mesh.mirror is None:
        raise ValueError("an atlas needs a mesh with uv and a mirror map")
    uv_faces = mesh.faces if mesh.uv_faces is None else mesh.uv_faces
    fragments = embree_rasterize_uv(mesh.uv, uv_faces, size)
    covered = fragments.mask
    face, weights = fragments.face[covered], fragments.barycentric[covered]
    number = torch.full((size, size), -1)
    number[covered] = torch.arange(len(face))
    place = (weights[..., None] * mirrored_uv(mesh.uv, uv_faces, mesh.faces, mesh.mirror)[uv_faces[face]]).sum(1)
    columns = (place[:, 0] * size).long().clamp(0, size - 1)
    rows = ((1 - place[:, 1]) * size).long().clamp(0, size - 1)
    labels = {name: mask[mesh.faces].all(1)[face] for name, mask in regions.items()}
    share = 1 / torch.bincount(face, minlength=len(mesh.faces))[face]
    spread = _grown(number, GUTTER)
    gutter = (spread >= 0) & ~covered
    return Atlas(
        size,
        covered,
        mesh.faces[face],
        weights,
        number[rows, columns],
        labels,
        dict(regions),
        share,
        gutter,
        spread[gutter],
    )


def _grown(number: Int[Tensor, "s s"], steps: int) -> Int[Tensor, "s s"]:
    """Spread the numbers of covered texels into their empty neighbours, one texel per step."""
    for _ in range(steps):
        above = torch.nn.functional.pad(number, (0, 0, 1, 1), value=-1)
        number = torch.where(number < 0, torch.maximum(above[:-2], above[2:]), number)
        beside = torch.nn.functional.pad(number, (1, 1, 0, 0), value=-1)
        number = torch.where(number < 0, torch.maximum(beside[:, :-2], beside[:, 2:]), number)
    return number


def mirrored_uv(
    uv: Float[Tensor, "t 2"], uv_faces: Int[Tensor, "m 3"], faces: Int[Tensor, "m 3"], mirror: Int[Tensor, " n"]
) -> Float[Tensor, "t 2"]:
    """Texture coordinates of the mirror image of every texture coordinate's point.

    A vertex on a seam has several coordinates; of its twin's coordinates the one whose faces lie nearest
    to the mirrored faces is taken, so that charts map to charts.
    """
    vertex = torch.empty(len(uv), dtype=torch.int64)
    vertex[uv_faces.reshape(-1)] = faces.reshape(-1)
    owner: dict[int, list[int]] = {}
    for index, v in enumerate(vertex.tolist()):
        owner.setdefault(v, []).append(index)
    neighbours = _neighbour_sets(vertex, uv_faces)
    twins = mirror.tolist()
    result = torch.empty_like(uv)
    for index, v in enumerate(vertex.tolist()):
        wanted = {twins[w] for w in neighbours[index]}
        flipped = torch.tensor([1 - float(uv[index, 0]), float(uv[index, 1])])
        options = owner[twins[v]]
        best = max(options, key=lambda o: (len(wanted & neighbours[o]), -float((uv[o] - flipped).norm())))
        result[index] = uv[best]
    return result


def _neighbour_sets(vertex: Int[Tensor, " t"], uv_faces: Int[Tensor, "m 3"]) -> list[set[int]]:
    """Mesh vertices around every texture coordinate, within its own chart."""
    around: list[set[int]] = [set() for _ in range(len(vertex))]
    names = vertex.tolist()
    for a, b, c in uv_faces.tolist():
        around[a] |= {names[b], names[c]}
        around[b] |= {names[a], names[c]}
        around[c] |= {names[a], names[b]}
    return around
