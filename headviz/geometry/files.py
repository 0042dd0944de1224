"""Meshes into files and back: GLB, OBJ, PLY, STL. What is written appears whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

import headviz
from headviz.errors import OutputError
from headviz.geometry.color import to_uint8
from headviz.geometry.glb import TextureFormat, encode_texture, glb_bytes
from headviz.geometry.glb_reader import read_glb
from headviz.geometry.mesh import Mesh, face_normals, split_seams, vertex_normals
from headviz.geometry.sampling import sample_texture

__all__ = ["atomic_write", "glb_bytes", "read_glb", "write_glb", "write_obj", "write_ply", "write_stl"]


@contextmanager
def atomic_write(path: str | Path) -> Iterator[BinaryIO]:
    """A file that takes its name when the block ends well; after an error or an interrupt nothing is left.

    The bytes go to a hidden file in the same folder, which then replaces ``path`` in one step, so that a
    reader sees the old file or the new one.

    Raises:
        OutputError: the folder does not exist or cannot be written, ``path`` is not a regular file, or the disk
            is full.
    """
    shown = str(path) if str(path).isprintable() else repr(str(path))
    if "\0" in str(path):
        raise OutputError(f"{shown} is not the name of a file")
    target = Path(os.path.realpath(path))  # a link stays, what it points to is replaced
    hidden = target.parent / f".headviz-{secrets.token_hex(8)}.part"
    try:
        _refuse_other_kinds(target, shown)
        with hidden.open("xb") as file:
            yield file
        hidden.replace(target)
    except BaseException as error:
        with suppress(OSError):
            hidden.unlink(missing_ok=True)
        # errors of writing have a number and name no file but ours; all others belong to the caller
        ours = (None, str(hidden), str(target))
        if isinstance(error, OSError) and error.errno is not None and error.filename in ours:
            reason = "its folder does not exist" if isinstance(error, FileNotFoundError) else error.strerror
            raise OutputError(f"{shown} cannot be written: {reason}") from error
        raise


def _refuse_other_kinds(target: Path, shown: str) -> None:
    """Only regular files are replaced: not folders, and not devices, which would be gone."""
    if target.exists() and not target.is_file():
        kind = "a folder" if target.is_dir() else "a device or pipe"
        raise OutputError(f"{shown} cannot be written: it is {kind}")


def write_glb(
    path: str | Path,
    mesh: Mesh,
    *,
    texture_format: TextureFormat = "jpeg",
    morph_normals: bool = False,
    weights: Mapping[str, float] | None = None,
    attribution: str | None = None,
) -> None:
    """Write a mesh as binary glTF 2.0, with texture and morph targets; see :func:`glb_bytes`.

    Raises:
        OutputError: the file cannot be written.
        ValueError: the mesh has no faces, or coordinates that are not finite.
    """
    name = Path(path).stem
    data = glb_bytes(
        mesh,
        name=name,
        texture_format=texture_format,
        morph_normals=morph_normals,
        weights=weights,
        attribution=attribution,
    )
    with atomic_write(path) as file:
        file.write(data)


def write_obj(path: str | Path, mesh: Mesh, *, attribution: str | None = None, decimals: int = 6) -> list[Path]:
    """Write a mesh as Wavefront OBJ, with an MTL file and a PNG file beside it where there is a texture.

    Positions are rounded, by default to micrometres. Vertices are not split: texture coordinates have indices of their
    own. Morph targets are left out, for OBJ has none; colours of vertices, as sRGB, follow the coordinates, as MeshLab
    and Blender read them.

    Args:
        path: the file.
        mesh: what to write.
        attribution: goes into comments.
        decimals: digits of positions behind the point.

    Returns:
        The files that were written, the OBJ file first.

    Raises:
        OutputError: a file cannot be written.
    """
    path = Path(path)
    written = [path]
    lines = [f"# headviz {headviz.__version__}", *_comments("# ", attribution)]
    if mesh.texture is not None and mesh.uv is not None:
        material, picture = path.with_suffix(".mtl"), path.with_suffix(".png")
        written += [material, picture]
        with atomic_write(picture) as file:
            file.write(encode_texture(mesh.texture, "png"))
        look = [
            "newmtl head",
            "Ka 0 0 0",
            "Kd 1 1 1",
            "Ks 0.04 0.04 0.04",
            "Ns 10",
            "illum 2",
            f"map_Kd {picture.name}",
        ]
        with atomic_write(material) as file:
            file.write("\n".join([*lines, *look, ""]).encode())
        lines.append(f"mtllib {material.name}")
    with atomic_write(path) as file:
        file.write("\n".join([*lines, f"o {path.stem}", *_obj_lines(mesh, decimals), ""]).encode())
    return written


def _obj_lines(mesh: Mesh, decimals: int) -> Iterator[str]:
    """Vertices, texture coordinates, normals and faces of an OBJ file, many lines at a time."""
    normals = mesh.normals if mesh.normals is not None else vertex_normals(mesh.vertices, mesh.faces)
    points = mesh.vertices
    if mesh.colors is not None:
        points = torch.cat([points, torch.from_numpy(to_uint8(mesh.colors[None])[0] / np.float32(255))], dim=1)
    yield _rows("v" + f" %.{decimals}f" * 3 + " %.6f" * (points.shape[1] - 3), points)
    if mesh.uv is not None:
        yield _rows("vt %.6f %.6f", mesh.uv)
    yield _rows("vn %.4f %.4f %.4f", normals)
    if mesh.texture is not None and mesh.uv is not None:
        yield "usemtl head"
    corners = mesh.faces + 1
    if mesh.uv is None:
        yield _rows("f %d//%d %d//%d %d//%d", corners.repeat_interleave(2, dim=1))
    else:
        uv_corners = (mesh.faces if mesh.uv_faces is None else mesh.uv_faces) + 1
        yield _rows("f %d/%d/%d %d/%d/%d %d/%d/%d", torch.stack([corners, uv_corners, corners], dim=2).flatten(1))


def _rows(template: str, values: Tensor) -> str:
    """One line per row of a table."""
    return "\n".join([template] * len(values)) % tuple(values.detach().reshape(-1).tolist())


def write_ply(path: str | Path, mesh: Mesh, *, texture_file: str | None = None, attribution: str | None = None) -> None:
    """Write a mesh as binary PLY with normals, texture coordinates (s, t) and 8-bit sRGB colours.

    Vertices are split along texture seams. Colours are those of the vertices or, where there are none, the texture's
    at each vertex; the texture itself and morph targets are left out, for PLY has none.

    Args:
        path: the file.
        mesh: what to write.
        texture_file: name of a picture beside the file that holds the texture, such as the one that
            :func:`write_obj` writes; MeshLab and trimesh show it.
        attribution: goes into comments.

    Raises:
        OutputError: the file cannot be written.
    """
    split, source = split_seams(replace(mesh, morphs={}))
    normals = mesh.normals if mesh.normals is not None else vertex_normals(mesh.vertices, mesh.faces)
    columns: list[tuple[str, str, Tensor | np.ndarray]] = [
        *((name, "<f4", split.vertices[:, axis]) for axis, name in enumerate("xyz")),
        *((name, "<f4", normals[source, axis]) for axis, name in enumerate(("nx", "ny", "nz"))),
    ]
    colors = split.colors
    if split.uv is not None:
        columns += [(name, "<f4", split.uv[:, axis]) for axis, name in enumerate("st")]
        if colors is None and split.texture is not None:
            colors = sample_texture(split.texture, split.uv)
    if colors is not None:
        columns += [(n, "u1", to_uint8(colors[None])[0, :, axis]) for axis, n in enumerate(("red", "green", "blue"))]
    vertices = np.zeros(len(split.vertices), dtype=[(name, kind) for name, kind, _ in columns])
    for name, _, values in columns:
        vertices[name] = values.detach().numpy() if isinstance(values, Tensor) else values
    faces = np.zeros(len(split.faces), dtype=[("count", "u1"), ("corners", "<i4", (3,))])
    faces["count"], faces["corners"] = 3, split.faces.numpy()
    header = [
        "ply",
        "format binary_little_endian 1.0",
        f"comment headviz {headviz.__version__}",
        *_comments("comment ", attribution),
        *_comments("comment TextureFile ", texture_file),
        f"element vertex {len(vertices)}",
        *(f"property {'uchar' if kind == 'u1' else 'float'} {name}" for name, kind, _ in columns),
        f"element face {len(faces)}",
        "property list uchar int vertex_indices",
        "end_header\n",
    ]
    with atomic_write(path) as file:
        file.write("\n".join(header).encode("ascii", "replace") + vertices.tobytes() + faces.tobytes())


def write_stl(path: str | Path, mesh: Mesh, *, attribution: str | None = None) -> None:
    """Write a mesh as binary STL: three positions and a normal per face.

    STL knows nothing else: vertices are written once for every face, which readers that weld them put together again.

    Raises:
        OutputError: the file cannot be written.
    """
    corners = mesh.vertices.detach()[mesh.faces]
    normals = torch.nn.functional.normalize(face_normals(mesh.vertices.detach(), mesh.faces), dim=-1, eps=1e-20)
    faces = np.zeros(len(mesh.faces), dtype=[("normal", "<f4", (3,)), ("corners", "<f4", (3, 3)), ("more", "<u2")])
    faces["normal"], faces["corners"] = normals.cpu().numpy(), corners.cpu().numpy()
    words = f"headviz {headviz.__version__} {attribution or ''}".encode("ascii", "replace").replace(b"\n", b" ")
    header = words[:80].ljust(80)  # must not begin with "solid", which is how text files begin
    with atomic_write(path) as file:
        file.write(header + np.array(len(faces), "<u4").tobytes())
        file.write(faces.tobytes())


def _comments(prefix: str, text: str | None) -> list[str]:
    """Comment lines of an attribution."""
    return [prefix + line for line in (text or "").splitlines()]
