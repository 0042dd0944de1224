"""Wavefront OBJ, read: vertices keep their numbers, which whoever sculpts one of several shapes relies on.

Why our own reader: trimesh splits vertices at seams and sorts faces by material, so that the numbers are lost; libigl
knows no colours and no materials.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from PIL import Image
from torch import Tensor

from headviz.geometry.arrays import linear_of
from headviz.geometry.color import from_uint8
from headviz.geometry.mesh import Mesh

_MAX_PIXELS = 64_000_000  # of a texture
_SAME_NORMAL = 1e-3  # what rounding may do
_PICTURES = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "TGA")


@dataclass(frozen=True, eq=False)
class _Corners:
    """Corners of the triangles: numbers of positions, texture coordinates and normals, −1 where there is none."""

    positions: Int[np.ndarray, "m 3"]
    uv: Int[np.ndarray, "m 3"]
    normals: Int[np.ndarray, "m 3"]


def read_obj(path: Path) -> Mesh:
    """Read a Wavefront OBJ file with every vertex in its place, those without a face included.

    Polygons are cut into fans from their first corner. Objects and groups become one mesh. Kept: texture coordinates
    with numbers of their own, colours behind the positions (sRGB, in [0, 1] or up to 255), normals where every vertex
    has one, and the ``map_Kd`` of the material, if there is one. Corners without a texture coordinate in a file that
    has some get (0, 0). Curves and lines are left out.

    Raises:
        ValueError: a line cannot be read, or a face names a vertex that there is not.
        OSError: the file cannot be read.

    Warns:
        UserWarning: the material or its picture is missing, or there are several pictures.
    """
    data = path.read_bytes()
    if b"\\" in data:
        data = data.replace(b"\\\r\n", b" ").replace(b"\\\n", b" ")
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    vertices, colors = _positions(_rows(data, b"v"))
    uv, normals = _table(_rows(data, b"vt"), 2)[:, :2], _table(_rows(data, b"vn"), 3)[:, :3]
    corners = _corners(data, {b"v": len(vertices), b"vt": len(uv), b"vn": len(normals)})
    found = Mesh(
        vertices=torch.from_numpy(vertices.astype(np.float32)),
        faces=torch.from_numpy(corners.positions),
        colors=None if colors is None else linear_of(colors),
        normals=_normals(normals, corners, len(vertices)),
    )
    if not len(uv) or not (corners.uv >= 0).any():
        return found
    mesh_uv, uv_faces = _uv(uv, corners, len(vertices))
    return Mesh(
        found.vertices, found.faces, mesh_uv, uv_faces, _texture(path, data), found.colors, normals=found.normals
    )


def _pattern(word: bytes) -> re.Pattern[bytes]:
    """Lines that begin with a word; what follows it, without comments."""
    return re.compile(rb"^[ \t]*" + word + rb"[ \t]+([^\r\n#]*)", re.MULTILINE)


def _rows(data: bytes, word: bytes) -> list[bytes]:
    """What stands behind a word in the lines that begin with it."""
    return _pattern(word).findall(data)


def _numbers(text: bytes, kind: type = np.float64) -> Shaped[np.ndarray, " n"]:
    """All numbers of a text.

    Raises:
        ValueError: a word is not a number.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # how numpy says that a text is no number
        try:
            return np.fromstring(text.decode("ascii", "replace"), dtype=kind, sep=" ")
        except DeprecationWarning:
            raise ValueError("a word where a number should be") from None


def _table(rows: list[bytes], least: int) -> Float[np.ndarray, "n w"]:
    """Numbers in rows: as many columns as all rows have, or the least number where they differ.

    A texture coordinate may have one number only; the other is 0.
    """
    if not rows:
        return np.zeros((0, least))
    if len({row.count(b" ") for row in rows}) == 1:  # so all rows have as many words, or one has odd spaces
        flat = _numbers(b" ".join(rows))
        width = len(rows[0].split())
        if len(flat) == width * len(rows) and width >= least:
            return flat.reshape(-1, width)
    split = [row.split() for row in rows]
    if least == 2:
        split = [[*row, b"0"] if len(row) == 1 else row for row in split]
    width = min(map(len, split))
    if width < least:
        raise ValueError(f"a line with fewer than {least} numbers")
    width = width if len(set(map(len, split))) == 1 else least
    flat = _numbers(b" ".join(word for row in split for word in row[:width]))
    if len(flat) != width * len(rows):
        raise ValueError("a word where a number should be")
    return flat.reshape(-1, width)


def _positions(rows: list[bytes]) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "n 3"] | None]:
    """Positions, and colours where every vertex has them, sRGB in [0, 1]."""
    table = _table(rows, 3)
    if table.shape[1] < 6:
        return table[:, :3], None
    colors = table[:, 3:6]
    scale = 255.0 if colors.max() > 1.0 else 1.0
    return table[:, :3], np.clip(np.nan_to_num(colors / scale), 0.0, 1.0)


def _corners(data: bytes, known: dict[bytes, int]) -> _Corners:
    """All faces as triangles, in the order of the file.

    Raises:
        ValueError: a face has fewer than 3 corners, or a number that there is not.
    """
    rows = _evened([row.rstrip() for row in _rows(data, b"f")])
    triangles, order = [np.zeros((0, 3, 3), np.int64)], [np.zeros(0, np.int64)]
    for (words, slashes), where in _alike(rows).items():
        if words < 3:
            raise ValueError(f"face {where[0] + 1} should name at least 3 vertices; it names {words}")
        chosen = rows if len(where) == len(rows) else [rows[k] for k in where]
        table = _face_numbers(b" ".join(chosen), (len(where), words, slashes))
        before = _known_before(data, where) if (table < 0).any() else {}
        for column, kind in enumerate((b"v", b"vt", b"vn")):
            values = table[..., column]
            if column > 0 and not known[kind]:  # a file without any such lines, whatever its faces say
                table[..., column] = -1
                continue
            found = np.where(values > 0, values - 1, np.where(values < 0, values + before.get(kind, 0), -1))
            wrong = (found >= known[kind]) | (found < 0) & ((values != 0) | (column == 0))
            if wrong.any():
                line, word = np.argwhere(wrong)[0]
                raise ValueError(f"face {where[line] + 1} names {values[line, word]} of {known[kind]}")
            table[..., column] = found
        fan = np.stack([np.zeros(words - 2, int), np.arange(1, words - 1), np.arange(2, words)], axis=1)
        triangles.append(table[:, fan].reshape(-1, 3, 3))
        order.append(np.repeat(where, words - 2))
    ordered = np.concatenate(triangles)
    if len(order) > 2:  # the first is empty
        ordered = ordered[np.argsort(np.concatenate(order), kind="stable")]
    return _Corners(*(np.ascontiguousarray(ordered[..., column]) for column in range(3)))


def _evened(rows: list[bytes]) -> list[bytes]:
    """Faces as they are; where corners have different forms, as in 4/1 3/2/3 7//1 8, all in the form a/b/c."""
    if not rows:
        return rows
    single = [b" ".join(row.split()) if b"  " in row or b"\t" in row else row for row in rows]
    letters = np.frombuffer(b" ".join(single), np.uint8)
    ends = np.append(np.flatnonzero(letters == ord(" ")), len(letters))
    slashes = np.diff(np.searchsorted(np.flatnonzero(letters == ord("/")), ends), prepend=0)
    firsts = np.cumsum([0, *(row.count(b" ") + 1 for row in single[:-1])])
    mixed = np.minimum.reduceat(slashes, firsts) != np.maximum.reduceat(slashes, firsts)
    for k in np.flatnonzero(mixed).tolist():
        parts = [[*word.split(b"/"), b"", b""][:3] for word in single[k].split()]
        single[k] = b" ".join(b"/".join(part or b"0" for part in word) for word in parts)
    return single


def _alike(rows: list[bytes]) -> dict[tuple[int, int], Int[np.ndarray, " k"]]:
    """Numbers of the rows by their words and the slashes in each."""
    spaces = np.array([row.count(b" ") for row in rows], dtype=np.int64)
    if any(b"  " in row or b"\t" in row for row in rows):
        spaces = np.array([len(row.split()) - 1 for row in rows], dtype=np.int64)
    slashes = np.array([row.count(b"/") for row in rows], dtype=np.int64)
    kinds = 4 * (spaces + 1) + np.minimum(slashes // (spaces + 1), 3)
    return {
        (kind // 4, kind % 4): np.flatnonzero(kinds == kind) for kind in np.flatnonzero(np.bincount(kinds)).tolist()
    }


def _known_before(data: bytes, where: Int[np.ndarray, " k"]) -> dict[bytes, Int[np.ndarray, "k 1"]]:
    """How many lines of each kind come before some faces, for numbers that count back."""
    places = {
        kind: np.array([match.start() for match in _pattern(kind).finditer(data)], dtype=np.int64)
        for kind in (b"v", b"vt", b"vn", b"f")
    }
    return {kind: np.searchsorted(places[kind], places[b"f"][where])[:, None] for kind in (b"v", b"vt", b"vn")}


def _face_numbers(text: bytes, shape: tuple[int, int, int]) -> Int[np.ndarray, "lines words 3"]:
    """The numbers of faces of one kind as they stand in the file, 0 where there is none."""
    count, words, slashes = shape
    values = _numbers(text.replace(b"//", b"/0/").replace(b"/", b" "), np.int64)
    if slashes > 2 or len(values) != count * words * (slashes + 1):
        raise ValueError("a face that is not of the form a, a/b, a//c or a/b/c")
    table = np.zeros((count, words, 3), np.int64)
    table[..., : slashes + 1] = values.reshape(count, words, slashes + 1)
    return table


def _uv(
    table: Float[np.ndarray, "k 2"], corners: _Corners, count: int
) -> tuple[Float[Tensor, "j 2"], Int[Tensor, "m 3"] | None]:
    """Texture coordinates and their numbers; none of the latter where they are those of the vertices."""
    index = corners.uv
    if (index < 0).any():
        table, index = np.concatenate([table, np.zeros((1, 2))]), np.where(index < 0, len(table), index)
    uv = torch.from_numpy(table.astype(np.float32))
    same = len(table) == count and np.array_equal(index, corners.positions)
    return uv, None if same else torch.from_numpy(index)


def _normals(table: Float[np.ndarray, "k 3"], corners: _Corners, count: int) -> Float[Tensor, "n 3"] | None:
    """One unit normal per vertex, or nothing where corners disagree, as at sharp edges, or some have none."""
    if not len(table) or (corners.normals < 0).any() or not len(corners.normals):
        return None
    length = np.linalg.norm(table, axis=1, keepdims=True)
    unit = (table / np.where(length > 0, length, 1.0))[corners.normals.reshape(-1)]
    vertex = corners.positions.reshape(-1)
    normals = np.full((count, 3), np.nan)
    normals[vertex] = unit
    if np.isnan(normals).any() or np.abs(normals[vertex] - unit).max() > _SAME_NORMAL:
        return None
    return torch.from_numpy(normals.astype(np.float32))


def _texture(path: Path, data: bytes) -> Float[Tensor, "h w 3"] | None:
    """The picture of the one material that faces use, linear; a warning where it should be there and is not."""
    used = {_text(row) for row in _rows(data, b"usemtl")}
    pictures: dict[str, Path] = {}
    for row in _rows(data, b"mtllib"):
        material = path.parent / _text(row)
        try:
            text = material.read_bytes()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            warnings.warn(f"the material file {material.name!r} cannot be read ({reason}): no texture", stacklevel=5)
            continue
        pictures |= {name: material.parent / file for name, file in _maps(text) if name in used}
    distinct = sorted(set(pictures.values()))
    if len(distinct) > 1:
        warnings.warn(f"{len(distinct)} textures in one file; none is kept, for a mesh has one", stacklevel=5)
    return _picture(distinct[0]) if len(distinct) == 1 else None


def _text(row: bytes) -> str:
    """What a row says, spaces inside included."""
    return row.strip().decode("utf-8", "replace")


def _maps(text: bytes) -> list[tuple[str, str]]:
    """Names of materials and the files of their colour."""
    found, current = [], ""
    for line in text.splitlines():
        word, *rest = line.strip().split(None, 1)[:2] or [b""]
        if word.lower() == b"newmtl" and rest:
            current = _text(rest[0])
        elif word.lower() == b"map_kd" and rest:
            file = _text(rest[0])  # options such as -s 1 1 1 come before the file's name
            found.append((current, file.split()[-1] if file.startswith("-") else file.replace("\\", "/")))
    return found


def _picture(path: Path) -> Float[Tensor, "h w 3"] | None:
    """A linear picture, or nothing, with a warning, where it cannot be read."""
    try:
        with Image.open(path, formats=_PICTURES) as picture:
            width, height = picture.size
            if width * height <= _MAX_PIXELS:
                return from_uint8(np.asarray(picture.convert("RGB")))
            reason: object = f"it has {width} × {height} pixels"
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = getattr(error, "strerror", None) or error
    warnings.warn(f"the texture {path.name!r} cannot be read ({reason}): no texture", stacklevel=6)
    return None
