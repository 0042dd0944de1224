"""Vertices that stand several times at one place: along texture seams, and in files that cannot say otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from headviz.geometry.mesh import Mesh, vertex_normals

#: Normals closer than this are taken for one normal that was rounded.
_SAME_NORMAL = 1e-3
_SOURCE, _MIRROR, _MORPH = "source_vertex", "mirror", "morph_"


def copy_at_seams(mesh: Mesh) -> tuple[Mesh, Int[Tensor, " v"]]:
    """Give every texture coordinate a vertex of its own, the copies after all vertices.

    Unlike :func:`headviz.geometry.mesh.split_seams` this keeps every vertex in its place, those without a face
    included. A mesh with seams gets normals where it has none, so that the seams do not show. The mirror is left out.

    Returns:
        The mesh with per-vertex ``uv``, and for each of its v vertices the one that it copies, at first itself.
    """
    source = torch.arange(len(mesh.vertices), device=mesh.vertices.device)
    if mesh.uv is None or mesh.uv_faces is None:
        return replace(mesh, mirror=None), source
    keys, inverse = torch.unique(mesh.faces * len(mesh.uv) + mesh.uv_faces, return_inverse=True)
    owner, coordinate = keys // len(mesh.uv), keys % len(mesh.uv)
    again = torch.zeros_like(owner, dtype=torch.bool)
    again[1:] = owner[1:] == owner[:-1]
    place = torch.where(again, len(mesh.vertices) - 1 + again.cumsum(0), owner)
    source = torch.cat([source, owner[again]])
    uv = mesh.uv.new_zeros(len(source), 2).index_put((place,), mesh.uv[coordinate])
    normals = vertex_normals(mesh.vertices, mesh.faces) if mesh.normals is None else mesh.normals
    split = Mesh(
        vertices=mesh.vertices[source],
        faces=place[inverse],
        uv=uv,
        texture=mesh.texture,
        colors=None if mesh.colors is None else mesh.colors[source],
        normals=normals[source],
        morphs={name: offsets[source] for name, offsets in mesh.morphs.items()},
    )
    return split, source


def join_copies(mesh: Mesh, source: Int[Tensor, " v"]) -> Mesh:
    """The way back: vertices with one source become one, in the order of the sources, with what the first of them has.

    Texture coordinates keep their seams by ``uv_faces``. The mirror is left out.
    """
    group = torch.unique(source, return_inverse=True)[1]
    first = first_of(group)
    return Mesh(
        vertices=mesh.vertices[first],
        faces=group[mesh.faces],
        uv=mesh.uv,
        uv_faces=mesh.faces if mesh.uv is not None and mesh.uv_faces is None else mesh.uv_faces,
        texture=mesh.texture,
        colors=None if mesh.colors is None else mesh.colors[first],
        normals=None if mesh.normals is None else mesh.normals[first],
        morphs={name: offsets[first] for name, offsets in mesh.morphs.items()},
    )


def join_coincident(mesh: Mesh) -> Mesh:
    """Join vertices that agree exactly in position and morph targets, so that seams do not open the surface.

    GLB, OBJ and PLY hold a vertex several times where the texture has a seam, STL once for every face. Vertices keep
    the order in which they first appear, faces theirs; texture coordinates keep their seams by ``uv_faces``. Vertices
    that are joined get the mean of their colours; all normals are left out where some differ, as at sharp edges.
    """
    tables = [mesh.vertices, *mesh.morphs.values()]
    rows = torch.cat([table.detach().to(mesh.vertices) for table in tables], 1).cpu().numpy() + 0.0  # −0 becomes 0
    first, group = _equal_rows(np.ascontiguousarray(rows))
    if len(first) == len(rows):
        return mesh
    source = torch.from_numpy(first[group]).to(mesh.faces.device)
    joined = join_copies(mesh, source)
    if mesh.normals is not None and float((mesh.normals[source] - mesh.normals).abs().max()) > _SAME_NORMAL:
        joined = replace(joined, normals=None)
    if mesh.colors is not None:
        place = torch.unique(source, return_inverse=True)[1]
        sums = torch.zeros_like(joined.vertices, dtype=mesh.colors.dtype).index_add(0, place, mesh.colors)
        joined = replace(joined, colors=sums / torch.bincount(place)[:, None])
    return joined


def _equal_rows(rows: Shaped[np.ndarray, "n k"]) -> tuple[Int[np.ndarray, " g"], Int[np.ndarray, " n"]]:
    """Where each distinct row appears first, and the number of each row among them."""
    words = rows.view(np.uint32).astype(np.uint64)
    keys = np.zeros(len(rows), np.uint64)
    with np.errstate(over="ignore"):  # a hash, for numbers are sorted ten times as fast as rows
        for column in words.T:
            keys = (keys ^ column) * np.uint64(0x9E3779B97F4A7C15)
            keys ^= keys >> np.uint64(32)
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    if np.array_equal(words[first][group.reshape(-1)], words):
        return first, group.reshape(-1)
    whole = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1])))[:, 0]  # two rows had one key
    return np.unique(whole, return_index=True, return_inverse=True)[1:]


def first_of(group: Int[Tensor, " v"]) -> Int[Tensor, " g"]:
    """Where each of the groups 0, 1, … appears first, shape (g,)."""
    order = torch.argsort(group, stable=True)
    ordered = group[order]
    starts = torch.ones_like(ordered, dtype=torch.bool)
    starts[1:] = ordered[1:] != ordered[:-1]
    return order[starts]


def attributes_of(mesh: Mesh) -> tuple[Mesh, dict[str, Shaped[Tensor, "v ..."]]]:
    """A mesh with one texture coordinate per vertex, for libraries that know no other, and what it would lose.

    Returns:
        The mesh of :func:`copy_at_seams`, and attributes of its v vertices: ``source_vertex`` (v,) where there are
        seams, ``mirror`` (v,), ``morph_NAME`` (v, 3).
    """
    split, source = copy_at_seams(mesh)
    found: dict[str, Tensor] = {} if mesh.uv is None or mesh.uv_faces is None else {_SOURCE: source}
    found |= {_MORPH + name: offsets for name, offsets in split.morphs.items()}
    return split, found if mesh.mirror is None else found | {_MIRROR: mesh.mirror[source]}


def with_attributes(mesh: Mesh, attributes: Mapping[str, Shaped[Tensor, "..."]]) -> Mesh:
    """The way back from :func:`attributes_of`, also after the mesh was changed; other attributes do not matter.

    Copies are joined where all of them still are where their first is. The mirror is left out where vertices are gone.
    """
    count = len(mesh.vertices)
    known = {name: values for name, values in attributes.items() if len(values) == count}
    offsets = {name: known[name] for name in known if name.startswith(_MORPH) and known[name].shape == (count, 3)}
    mesh = replace(mesh, morphs={name[len(_MORPH) :]: values.to(mesh.vertices) for name, values in offsets.items()})
    source = known.get(_SOURCE, torch.arange(count)).long()
    group = torch.unique(source, return_inverse=True)[1]
    first = first_of(group)
    if _SOURCE in known:
        if not torch.equal(mesh.vertices[first][group], mesh.vertices):
            return mesh
        mesh = join_copies(mesh, source)
    mirror = known.get(_MIRROR)
    whole = mirror is not None and torch.equal(mirror[first].long().sort().values, torch.arange(len(first)))
    return replace(mesh, mirror=mirror[first].long()) if mirror is not None and whole else mesh


def uv_of_corners(
    corners: Float[Tensor, "c 2"], faces: Int[Tensor, "m 3"], count: int
) -> tuple[Float[Tensor, "k 2"], Int[Tensor, "m 3"] | None]:
    """``uv`` and ``uv_faces`` of texture coordinates per corner, shape (3 m, 2), for a mesh of ``count`` vertices.

    Per vertex where all corners of every vertex agree, else a table in ascending order and indices into it.
    """
    flat = faces.reshape(-1)
    uv = corners.new_zeros(count, 2).index_put((flat,), corners)
    if torch.equal(uv[flat], corners):
        return uv, None
    uv, index = torch.unique(corners, dim=0, return_inverse=True)
    return uv, index.reshape(-1, 3)
