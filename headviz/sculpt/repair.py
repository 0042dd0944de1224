"""Repairs of a mesh before it is sculpted. Morph targets, texture coordinates and the mirror map come along."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from headviz.errors import OptionError
from headviz.geometry.mesh import Mesh
from headviz.geometry.seams import join_copies
from headviz.sculpt.condition import FIXES, cells_of, condition, unit_of
from headviz.sculpt.origin import Frame, arrays_of
from headviz.sculpt.sheets import duplicates, edges_of, parts_of, repeated, split_fans, wound_alike

#: What welding may leave behind.
_AFTER_WELDING = ("remove_degenerate", "remove_duplicates", "remove_unreferenced")


@dataclass(frozen=True, eq=False)
class Fixed:
    """A mesh after repairs.

    Attributes:
        mesh: the mesh.
        frame: how it lies in the frame of the mesh before; an export goes back by ``frame.restore``.
        fixes: the repairs that changed something, in the order in which they were made.
        notes: a sentence about each.
    """

    mesh: Mesh
    frame: Frame
    fixes: tuple[str, ...]
    notes: tuple[str, ...]


def fix(mesh: Mesh, *fixes: str) -> Fixed:
    """Repair a mesh.

    Args:
        mesh: what to repair; it stays as it is.
        fixes: names of ``FIXES``, made in the order that they have there, or "all" for those that
            :func:`headviz.sculpt.condition.condition` offers.

    Raises:
        OptionError: there is no such repair.
    """
    wanted = set(fixes)
    if "all" in wanted:
        offered = condition(mesh).fixes
        wanted |= {*offered, *(_AFTER_WELDING if "weld" in offered else ())}
        wanted.remove("all")
    if unknown := sorted(wanted - set(FIXES)):
        raise OptionError(f"a repair should be one of all, {', '.join(FIXES)}; it is {unknown[0]!r}")
    done: list[str] = []
    notes: list[str] = []
    frame = Frame()
    for name in (name for name in FIXES if name in wanted):
        if name in _MOVES:
            moved = _MOVES[name](mesh, frame)
            if moved != frame:
                mesh, frame = Frame(moved.center, moved.scale).apply(frame.restore(mesh)), moved
                done.append(name)
                notes.append(_moved_note(name, frame))
            continue
        changed, note = _CHANGES[name](mesh)
        if note:
            mesh = changed
            done.append(name)
            notes.append(note)
    return Fixed(mesh, frame, tuple(done), tuple(notes))


def keep_vertices(mesh: Mesh, keep: Bool[Tensor, " n"], faces: Bool[Tensor, " m"]) -> Mesh:
    """The mesh with some of its vertices and some of its faces, none of which may use a vertex that goes.

    The mirror map stays where twins stay together.
    """
    place = keep.cumsum(0) - 1
    mirror = mesh.mirror
    if mirror is not None:
        mirror = place[mirror[keep]] if bool((keep[mirror] == keep).all()) else None
    per_vertex = mesh.uv is not None and mesh.uv_faces is None
    return replace(
        mesh,
        vertices=mesh.vertices[keep],
        faces=place[mesh.faces[faces]],
        uv=mesh.uv[keep] if mesh.uv is not None and per_vertex else mesh.uv,
        uv_faces=None if mesh.uv_faces is None else mesh.uv_faces[faces],
        colors=None if mesh.colors is None else mesh.colors[keep],
        normals=None if mesh.normals is None else mesh.normals[keep],
        morphs={name: offsets[keep] for name, offsets in mesh.morphs.items()},
        mirror=mirror,
    )


def _remove_nan(mesh: Mesh) -> tuple[Mesh, str]:
    finite = mesh.vertices.isfinite().all(1)
    kept = finite[mesh.faces].all(1)
    values = {name: offsets.nan_to_num(0.0, 0.0, 0.0) for name, offsets in mesh.morphs.items()}
    uv = None if mesh.uv is None else mesh.uv.nan_to_num(0.0, 0.0, 0.0)
    changed = any(not bool(offsets.isfinite().all()) for offsets in mesh.morphs.values())
    changed |= mesh.uv is not None and not bool(mesh.uv.isfinite().all())
    made = replace(keep_vertices(replace(mesh, morphs=values, uv=uv), finite, kept))
    vertices, faces = int((~finite).sum()), int((~kept).sum())
    if not vertices and not changed:
        return mesh, ""
    return made, f"removed {vertices:,} vertices that were not finite and {faces:,} faces at them" + (
        "; numbers of morph targets and texture coordinates that were not finite became 0" * changed
    )


def _weld(mesh: Mesh) -> tuple[Mesh, str]:
    """Join vertices at one place whose morph targets agree as well; closed lips stay two."""
    size = float((mesh.vertices.amax(0) - mesh.vertices.amin(0)).max()) if len(mesh.vertices) else 0.0
    if not size > 0:
        return mesh, ""
    keys = np.zeros(len(mesh.vertices), np.uint64)
    for table in (mesh.vertices, *mesh.morphs.values()):
        with np.errstate(over="ignore"):
            keys = keys * np.uint64(31) + cells_of(table.detach().cpu().numpy(), size)
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    gone = len(keys) - len(first)
    if not gone:
        return mesh, ""
    source = torch.from_numpy(first[group.reshape(-1)])
    joined = replace(join_copies(replace(mesh, mirror=None), source), normals=None)
    place = torch.unique(source, return_inverse=True)[1]
    return replace(joined, mirror=_joined_mirror(mesh.mirror, place, len(first))), f"joined {gone:,} vertices to others"


def _joined_mirror(mirror: Int[Tensor, " n"] | None, place: Int[Tensor, " n"], count: int) -> Int[Tensor, " g"] | None:
    """The mirror map of joined vertices, where twins were joined alike."""
    if mirror is None:
        return None
    found = place.new_zeros(count).index_put((place,), place[mirror])
    whole = torch.equal(found[place], place[mirror]) and torch.equal(found[found], torch.arange(count))
    return found if whole else None


def _remove_faces(
    find: Callable[[Int[np.ndarray, "m 3"]], Bool[np.ndarray, " m"]], what: str
) -> Callable[[Mesh], tuple[Mesh, str]]:
    def remove(mesh: Mesh) -> tuple[Mesh, str]:
        gone = torch.from_numpy(find(arrays_of(mesh)[1]))
        if not bool(gone.any()):
            return mesh, ""
        everything = torch.ones(len(mesh.vertices), dtype=torch.bool)
        return keep_vertices(mesh, everything, ~gone), f"removed {int(gone.sum()):,} faces {what}"

    return remove


def _split(mesh: Mesh) -> tuple[Mesh, str]:
    """Give each fan of faces its own vertex."""
    faces, source = split_fans(mesh.faces.numpy(), len(mesh.vertices))
    more = len(source) - len(mesh.vertices)
    if not more:
        return mesh, ""
    rows = torch.from_numpy(source)
    per_vertex = mesh.uv is not None and mesh.uv_faces is None
    made = replace(
        mesh,
        vertices=mesh.vertices[rows],
        faces=torch.from_numpy(faces.astype(np.int64)),
        uv=mesh.uv[rows] if mesh.uv is not None and per_vertex else mesh.uv,
        colors=None if mesh.colors is None else mesh.colors[rows],
        normals=None,
        morphs={name: offsets[rows] for name, offsets in mesh.morphs.items()},
        mirror=None,
    )
    return made, f"split vertices where the surface was not one sheet: {more:,} more"


def _orient(mesh: Mesh) -> tuple[Mesh, str]:
    """Turn faces so that neighbours agree, and closed parts so that they look outwards."""
    if not len(mesh.faces):
        return mesh, ""
    faces = mesh.faces.numpy()
    turned = wound_alike(faces, len(mesh.vertices))
    part = parts_of(faces, len(mesh.vertices))
    points = mesh.vertices.detach().double().numpy()
    with np.errstate(all="ignore"):  # NaN is for another repair
        a, b, c = ((points - points.mean(0))[faces[:, corner]] for corner in range(3))
        volume = np.bincount(part, np.where(turned, -1, 1) * np.einsum("ij,ij->i", a, np.cross(b, c)))
    edges = edges_of(faces, len(mesh.vertices))
    closed = np.ones(len(volume), dtype=bool)
    open_ends = np.zeros(len(points), dtype=bool)
    open_ends[edges.ends[edges.count != 2]] = True
    closed[part[open_ends[faces].any(1)]] = False
    turn = torch.from_numpy(turned != (closed & (volume < 0))[part])
    if not bool(turn.any()):
        return mesh, ""
    uv_faces = None if mesh.uv_faces is None else _turn(mesh.uv_faces, turn)
    made = replace(mesh, faces=_turn(mesh.faces, turn), uv_faces=uv_faces, normals=None)
    return made, f"turned {int(turn.sum()):,} of {len(faces):,} faces"


def _turn(table: Int[Tensor, "m 3"], turned: Bool[Tensor, " m"]) -> Int[Tensor, "m 3"]:
    """Some rows the other way round."""
    return torch.where(turned[:, None], table[:, torch.tensor([0, 2, 1])], table)


def _remove_unreferenced(mesh: Mesh) -> tuple[Mesh, str]:
    used = torch.zeros(len(mesh.vertices), dtype=torch.bool)
    used[mesh.faces.reshape(-1)] = True
    gone = int((~used).sum())
    if not gone:
        return mesh, ""
    made = keep_vertices(mesh, used, torch.ones(len(mesh.faces), dtype=torch.bool))
    return made, f"removed {gone:,} vertices without a face"


def _recentre(mesh: Mesh, frame: Frame) -> Frame:
    """The middle of the box to the origin; no change where it is there already."""
    points = frame.restore(mesh).vertices.detach().double()
    if not len(points):
        return frame
    x, y, z = ((points.amin(0) + points.amax(0)) / 2).tolist()
    return replace(frame, center=(x, y, z))


def _rescale(mesh: Mesh, frame: Frame) -> Frame:
    """The size of a head: by the usual unit where one fits."""
    size = float((mesh.vertices.amax(0) - mesh.vertices.amin(0)).max()) if len(mesh.vertices) else 0.0
    return replace(frame, scale=frame.scale * unit_of(size)[1]) if size > 0 else frame


def _moved_note(name: str, frame: Frame) -> str:
    """What a move did."""
    if name == "recentre":
        return "moved the middle to the origin; an export goes back to ({:.4g}, {:.4g}, {:.4g})".format(*frame.center)
    return f"scaled by {frame.scale:.4g}; an export goes back to the file's unit"


_MOVES: Mapping[str, Callable[[Mesh, Frame], Frame]] = {"recentre": _recentre, "rescale": _rescale}
_CHANGES: Mapping[str, Callable[[Mesh], tuple[Mesh, str]]] = {
    "remove_nan": _remove_nan,
    "weld": _weld,
    "remove_degenerate": _remove_faces(repeated, "with one vertex at two corners"),
    "remove_duplicates": _remove_faces(duplicates, "that were there already"),
    "split": _split,
    "orient": _orient,
    "remove_unreferenced": _remove_unreferenced,
}
