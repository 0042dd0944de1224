"""Meshes out of files: one function for every format, one line that says what is wrong with a file."""

from __future__ import annotations

import struct
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from headviz.errors import InputError, MeshError
from headviz.geometry.color import linear_to_srgb
from headviz.geometry.glb_reader import read_glb
from headviz.geometry.mesh import Mesh
from headviz.geometry.seams import join_coincident
from headviz.interop.libraries import from_trimesh
from headviz.interop.obj import read_obj

#: Endings of the files that :func:`load_mesh` reads.
MESH_FORMATS = (".glb", ".gltf", ".obj", ".off", ".ply", ".stl")

#: What readers of files fall over.
_DAMAGE = (ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, MemoryError, NameError, OSError)
_DAMAGE_TOO = (RuntimeError, SyntaxError, TypeError, ValueError, struct.error)


def load_mesh(path: str | Path, *, join: bool = True, finite: bool = True) -> Mesh:
    """Read a mesh from an OBJ, PLY, STL, OFF, GLB or glTF file.

    GLB by :func:`headviz.geometry.glb_reader.read_glb`, which keeps morph targets, OBJ by
    :func:`headviz.interop.obj.read_obj`, which keeps the numbers of vertices, the others by trimesh, unprocessed;
    what that leaves out is told at :func:`headviz.interop.from_trimesh`, in glTF also colours beside a material.
    Polygons are cut into triangles. Several parts become one mesh, with a warning. Coordinates are taken for metres.

    Args:
        path: the file; its ending tells the format.
        join: put together what the formats hold several times, see
            :func:`headviz.geometry.seams.join_coincident`; otherwise vertices are as the file has them.
        finite: refuse vertices that are NaN or infinite; otherwise they come as they are, for
            :func:`headviz.sculpt.condition.condition` to find.

    Raises:
        InputError: the file does not exist, is empty, has another ending, or is damaged.
        MeshError: it can be read, but has no faces (a point cloud, say), or vertices that are not finite.
    """
    path = Path(path)
    shown = str(path) if str(path).isprintable() else repr(str(path))
    kind = path.suffix.lower()
    if kind not in MESH_FORMATS:
        raise InputError(f"{shown} should end in {', '.join(MESH_FORMATS)}; it ends in {kind!r}")
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except (OSError, ValueError) as error:
        raise InputError(f"{shown} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if empty:
        raise InputError(f"{shown} is empty")
    mesh = read_glb(path) if kind == ".glb" else _read(path, kind, shown)
    known = torch.isfinite(mesh.vertices).all(1)
    if finite and not bool(known.all()):
        raise MeshError(f"{shown} should have finite vertices; {int((~known).sum())} of {len(known)} are not")
    return join_coincident(mesh) if join else mesh


def _read(path: Path, kind: str, shown: str) -> Mesh:
    """Read a file of any format but GLB, with damage told in one line."""
    points = 0
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "overflow encountered in cast", RuntimeWarning)  # told by the caller
            if kind == ".obj":
                mesh = read_obj(path)
                if len(mesh.faces):
                    return mesh
                points = len(mesh.vertices)
            else:
                found, points = _by_trimesh(path, kind)
                if found is not None:
                    return found
    except (*_DAMAGE, *_DAMAGE_TOO) as error:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise InputError(f"{shown} is not a {kind[1:].upper()} file that can be read ({reason})") from error
    raise MeshError(f"{shown} should have faces; it has {points or 'no'} points and no faces")


def _by_trimesh(path: Path, kind: str) -> tuple[Mesh | None, int]:
    """The mesh, or none where there are no faces, and the number of points."""
    import trimesh

    scene: Any = trimesh.load_scene(path, file_type=kind[1:], process=False)
    parts = list(scene.geometry.values())
    points = sum(len(getattr(part, "vertices", ())) for part in parts)
    if not any(isinstance(part, trimesh.Trimesh) and len(part.faces) for part in parts):
        return None, points
    mesh = from_trimesh(scene)
    if kind == ".gltf" and mesh.colors is not None:  # these are linear, which trimesh does not know
        mesh = replace(mesh, colors=linear_to_srgb(mesh.colors))
    return mesh, points
