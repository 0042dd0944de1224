"""Arrays and meshes as JSON values: bytes that are compressed and written as text, with their shape."""

from __future__ import annotations

import base64
import io
import math
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Shaped
from PIL import Image

from headviz.errors import SessionError
from headviz.geometry.color import from_uint8
from headviz.geometry.glb import encode_texture
from headviz.geometry.mesh import Mesh
from headviz.sculpt.origin import arrays_of

_LARGEST = 2**32  #: bytes of one array
_MOST_PIXELS = 64_000_000
_RATIO = 1100  # DEFLATE cannot pack more tightly, so a file cannot ask for much more memory than it takes itself


def pack_array(values: Shaped[np.ndarray, "..."], level: int = 6) -> dict[str, Any]:
    """A little-endian array as JSON values."""
    data = base64.b64encode(zlib.compress(np.ascontiguousarray(values).data, level)).decode("ascii")
    return {"shape": list(values.shape), "data": data}


def unpack_array(plain: Any, dtype: str) -> Shaped[np.ndarray, "..."]:
    """The array of :func:`pack_array`.

    Raises:
        SessionError: it is not one.
    """
    if not isinstance(plain, Mapping) or not isinstance(plain.get("data"), str):
        raise SessionError("an array should have a shape and data")
    shape = plain.get("shape")
    if not isinstance(shape, list) or not all(type(side) is int and 0 <= side < 2**32 for side in shape):
        raise SessionError(f"the shape of an array should be whole numbers; it is {shape!r:.60}")
    size = math.prod(shape) * np.dtype(dtype).itemsize
    try:
        packed = base64.b64decode(plain["data"], validate=True)
        if size > min(_LARGEST, _RATIO * (len(packed) + 1)):
            raise SessionError(f"an array of {size:,} bytes cannot come from {len(packed):,}")
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(packed, size + 1)
    except (ValueError, zlib.error) as error:
        if isinstance(error, SessionError):
            raise
        raise SessionError(f"an array is damaged: {error}") from error
    if len(data) != size:
        raise SessionError(f"an array of the shape {shape} should have {size:,} bytes; it has another number")
    return np.array(np.frombuffer(data, dtype).reshape(shape))


def pack_mesh(mesh: Mesh, level: int = 6) -> dict[str, Any]:
    """All of a mesh but its normals: numbers as float32 and int32, the texture as a PNG picture."""
    vertices, faces = arrays_of(mesh)
    tables = {"vertices": vertices, "faces": faces}
    for name, values, kind in (
        ("uv", mesh.uv, "<f4"),
        ("uv_faces", mesh.uv_faces, "<i4"),
        ("colors", mesh.colors, "<f4"),
        ("mirror", mesh.mirror, "<i4"),
    ):
        if values is not None:
            tables[name] = np.ascontiguousarray(values.detach().cpu().numpy(), kind)
    plain: dict[str, Any] = {name: pack_array(values, level) for name, values in tables.items()}
    plain["morphs"] = {
        name: pack_array(np.ascontiguousarray(offsets.detach().cpu().numpy(), "<f4"), level)
        for name, offsets in mesh.morphs.items()
    }
    if mesh.texture is not None:
        plain["texture"] = base64.b64encode(encode_texture(mesh.texture, "png")).decode("ascii")
    return plain


def unpack_mesh(plain: Any) -> Mesh:
    """The mesh of :func:`pack_mesh`.

    Raises:
        SessionError: it is not one.
    """
    if not isinstance(plain, Mapping) or not isinstance(plain.get("morphs"), Mapping):
        raise SessionError("an embedded mesh should have arrays and morphs by name")
    vertices = _table(plain, "vertices", "<f4", (None, 3))
    faces = _table(plain, "faces", "<i4", (None, 3))
    if vertices is None or faces is None:
        raise SessionError("an embedded mesh should have vertices and faces")
    count = len(vertices)
    uv = _table(plain, "uv", "<f4", (None, 2))
    uv_faces = _table(plain, "uv_faces", "<i4", (len(faces), 3))
    if uv_faces is not None and (uv is None or bool(((uv_faces < 0) | (uv_faces >= len(uv))).any())):
        raise SessionError("an embedded mesh has texture indices that point nowhere")
    morphs = {str(name): _table(plain["morphs"], name, "<f4", (count, 3)) for name in plain["morphs"]}
    try:
        return Mesh(
            vertices=vertices,
            faces=faces.long(),
            uv=uv,
            uv_faces=None if uv_faces is None else uv_faces.long(),
            texture=_picture(plain.get("texture")),
            colors=_table(plain, "colors", "<f4", (count, 3)),
            morphs={name: offsets for name, offsets in morphs.items() if offsets is not None},
            mirror=None if (mirror := _table(plain, "mirror", "<i4", (count,))) is None else mirror.long(),
        )
    except ValueError as error:
        raise SessionError(f"an embedded mesh is damaged: {error}") from error


def _table(plain: Mapping[str, Any], name: str, dtype: str, shape: tuple[int | None, ...]) -> torch.Tensor | None:
    """One array, with the shape that it should have; floats finite."""
    if plain.get(name) is None:
        return None
    values = unpack_array(plain[name], dtype)
    if values.ndim != len(shape) or any(side not in (None, got) for side, got in zip(shape, values.shape, strict=True)):
        raise SessionError(f"{name!s:.40} of an embedded mesh should have the shape {shape}; it has {values.shape}")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise SessionError(f"{name!s:.40} of an embedded mesh should be finite numbers")
    return torch.from_numpy(values)


def _picture(text: Any) -> torch.Tensor | None:
    """The texture, linear."""
    if text is None:
        return None
    try:
        data = base64.b64decode(text, validate=True)
        with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
            if picture.width * picture.height <= _MOST_PIXELS:
                return from_uint8(np.asarray(picture.convert("RGB")))
    except (OSError, ValueError, TypeError, SyntaxError, Image.DecompressionBombError) as error:
        raise SessionError(f"an embedded texture is damaged: {error}") from error
    raise SessionError(f"an embedded texture should have at most {_MOST_PIXELS:,} pixels")
