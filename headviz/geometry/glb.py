"""Binary glTF 2.0 (https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html), written.

Why our own writer: trimesh writes no morph targets, and pygltflib only types the JSON; the buffers, which
are the work, would be ours with it all the same.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor

import headviz
from headviz.geometry.color import to_uint8
from headviz.geometry.mesh import Mesh, split_seams, vertex_normals

ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER = 34962, 34963
FLOAT, UINT16, UINT32 = 5126, 5123, 5125
LINEAR, LINEAR_MIPMAP_LINEAR, CLAMP_TO_EDGE = 9729, 9987, 33071

MORPH_FLOOR = 1e-6  #: offsets shorter than this are written as 0, metres
NORMAL_FLOOR = 1e-3  #: turns of normals smaller than this are written as 0, radians
ROUGHNESS = 0.6  #: of skin

TextureFormat = Literal["jpeg", "png"]
Array = npt.NDArray[Any]


def glb_bytes(
    mesh: Mesh,
    *,
    name: str = "head",
    texture_format: TextureFormat = "jpeg",
    morph_normals: bool = False,
    weights: Mapping[str, float] | None = None,
    attribution: str | None = None,
) -> bytes:
    """A mesh as one binary glTF file: y up, front to +z, metres, as glTF asks and as our meshes are.

    Vertices are split along texture seams. Morph targets keep their order; each is written as a sparse accessor
    where that is smaller, and their names are in ``mesh.extras.targetNames``. The material is not metallic; its
    colour is the texture, or the vertex colours where there is no texture.

    Args:
        mesh: what to write; normals are computed where it has none.
        name: name of the node and the mesh.
        texture_format: JPEG of quality 95 without chroma subsampling, or PNG, which is lossless, four times as
            large and takes ten times as long.
        morph_normals: also write how each morph target at full weight turns the normals. It doubles the morphs'
            size; viewers that compute normals themselves do better without.
        weights: how far each morph target is turned on when the file is opened; 0 for those not named.
        attribution: goes to ``asset.copyright``.

    Raises:
        ValueError: the mesh has no faces, or coordinates that are not finite.
    """
    _check(mesh)
    split, source = split_seams(replace(mesh, morphs={}))  # morphs are split below, by numpy, which is faster
    pieces = _Pieces()
    primitive = _primitive(mesh, split, source, pieces)
    shape: dict[str, Any] = {"name": name, "primitives": [primitive]}
    if mesh.morphs:
        primitive["targets"] = _targets(mesh, source, pieces, with_normals=morph_normals)
        shape |= {
            "weights": [float((weights or {}).get(name, 0.0)) for name in mesh.morphs],
            "extras": {"targetNames": list(mesh.morphs)},
        }
    asset = {"version": "2.0", "generator": f"headviz {headviz.__version__}"}
    document: dict[str, Any] = {
        "asset": asset | ({"copyright": attribution} if attribution else {}),
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"name": name, "mesh": 0}],
        "meshes": [shape],
    }
    picture = None if mesh.texture is None or mesh.uv is None else encode_texture(mesh.texture, texture_format)
    return pieces.join(document | _material(name, picture, f"image/{texture_format}", pieces))


def encode_texture(texture: Float[Tensor, "h w 3"], texture_format: TextureFormat) -> bytes:
    """A linear picture as the bytes of a JPEG (quality 95, no chroma subsampling) or PNG file in sRGB."""
    file = io.BytesIO()
    image = Image.fromarray(to_uint8(texture))
    if texture_format == "jpeg":
        image.save(file, "JPEG", quality=95, subsampling="4:4:4")
    else:
        image.save(file, "PNG", compress_level=1)  # 6 saves 12 % and takes five times as long
    return file.getvalue()


def _check(mesh: Mesh) -> None:
    """Refuse what glTF cannot hold."""
    if len(mesh.faces) == 0:
        raise ValueError("the mesh has no faces")
    for what, values in (("vertices", mesh.vertices), ("uv", mesh.uv), *mesh.morphs.items()):
        if values is not None and not bool(values.isfinite().all()):
            raise ValueError(f"{what} should be finite numbers; {int((~values.isfinite()).sum())} are not")


def _primitive(mesh: Mesh, split: Mesh, source: Int[Tensor, " v"], pieces: _Pieces) -> dict[str, Any]:
    """Triangles and the attributes of their vertices."""
    positions, normals = _array(split.vertices), _unit(_normals(mesh)[source])
    attributes = {"POSITION": pieces.vectors(positions), "NORMAL": pieces.vectors(normals)}
    if split.uv is not None:
        flipped = _array(split.uv) * np.array([1, -1], np.float32) + np.array([0, 1], np.float32)
        attributes["TEXCOORD_0"] = pieces.vectors(flipped)  # glTF counts v from the top
    if split.colors is not None and split.texture is None:
        attributes["COLOR_0"] = pieces.vectors(_array(split.colors).clip(0, 1))
    wide = len(positions) > 65535
    indices = _array(split.faces).reshape(-1).astype(np.uint32 if wide else np.uint16)
    triangles = pieces.accessor(indices, UINT32 if wide else UINT16, ELEMENT_ARRAY_BUFFER)
    return {"attributes": attributes, "indices": triangles, "material": 0, "mode": 4}


def _targets(mesh: Mesh, source: Int[Tensor, " v"], pieces: _Pieces, *, with_normals: bool) -> list[dict[str, int]]:
    """One morph target per name: how positions move at weight 1 and, if asked for, how normals turn."""
    rows = source.cpu().numpy()
    targets = [{"POSITION": pieces.sparse(_array(offsets)[rows], MORPH_FLOOR)} for offsets in mesh.morphs.values()]
    if with_normals:
        still = _unit(_normals(mesh)[source])
        for target, offsets in zip(targets, mesh.morphs.values(), strict=True):
            turned = _unit(vertex_normals(mesh.vertices + offsets, mesh.faces)[source])
            target["NORMAL"] = pieces.sparse(turned - still, NORMAL_FLOOR)
    return targets


def _material(name: str, picture: bytes | None, kind: str, pieces: _Pieces) -> dict[str, Any]:
    """The parts of the document that say how the surface looks."""
    surface: dict[str, Any] = {"metallicFactor": 0.0, "roughnessFactor": ROUGHNESS}
    parts = {"materials": [{"name": name, "pbrMetallicRoughness": surface, "doubleSided": True}]}
    if picture is None:
        return parts
    surface["baseColorTexture"] = {"index": 0}
    filters = {"magFilter": LINEAR, "minFilter": LINEAR_MIPMAP_LINEAR, "wrapS": CLAMP_TO_EDGE, "wrapT": CLAMP_TO_EDGE}
    return parts | {
        "images": [{"name": name, "mimeType": kind, "bufferView": pieces.view(picture)}],
        "samplers": [filters],
        "textures": [{"sampler": 0, "source": 0}],
    }


def _normals(mesh: Mesh) -> Float[Tensor, "n 3"]:
    return mesh.normals if mesh.normals is not None else vertex_normals(mesh.vertices, mesh.faces)


class _Pieces:
    """The binary chunk as it grows, with the views and accessors that describe it."""

    def __init__(self) -> None:
        self._data: list[bytes] = []
        self._length = 0
        self._views: list[dict[str, Any]] = []
        self._accessors: list[dict[str, Any]] = []

    def view(self, data: bytes, target: int | None = None) -> int:
        """Append bytes, aligned to 4, and return the index of their view."""
        view = {"buffer": 0, "byteOffset": self._length, "byteLength": len(data)}
        self._views.append(view if target is None else view | {"target": target})
        padding = -len(data) % 4
        self._data += [data, bytes(padding)]
        self._length += len(data) + padding
        return len(self._views) - 1

    def accessor(self, values: Array, component: int, target: int) -> int:
        """Append an array of shape (n,) or (n, 2…3) and return the index of its accessor."""
        self._accessors.append(
            {"bufferView": self.view(values.tobytes(), target), "componentType": component, **_extent(values)}
        )
        return len(self._accessors) - 1

    def vectors(self, values: Array) -> int:
        """Append a float attribute of the vertices."""
        return self.accessor(values, FLOAT, ARRAY_BUFFER)

    def sparse(self, offsets: Array, floor: float) -> int:
        """Append offsets of which those shorter than ``floor`` are 0; sparse where that is smaller."""
        offsets = np.where(np.linalg.norm(offsets, axis=1, keepdims=True) < floor, np.float32(0), offsets)
        moved = np.flatnonzero(offsets.any(axis=1))
        if len(moved) == 0:
            moved = np.zeros(1, dtype=np.int64)  # a sparse accessor needs at least one entry
        wide = len(offsets) > 65535
        indices = moved.astype(np.uint32 if wide else np.uint16)
        if indices.nbytes + len(moved) * 12 >= offsets.nbytes:
            return self.vectors(offsets)
        entry = {
            "count": len(moved),
            "indices": {"bufferView": self.view(indices.tobytes()), "componentType": UINT32 if wide else UINT16},
            "values": {"bufferView": self.view(np.ascontiguousarray(offsets[moved]).tobytes())},
        }
        self._accessors.append({"componentType": FLOAT, **_extent(offsets), "sparse": entry})
        return len(self._accessors) - 1

    def join(self, document: Mapping[str, Any]) -> bytes:
        """The file: header, JSON chunk, binary chunk."""
        parts = {"accessors": self._accessors, "bufferViews": self._views, "buffers": [{"byteLength": self._length}]}
        text = json.dumps({**document, **parts}, separators=(",", ":"), allow_nan=False).encode()
        text += b" " * (-len(text) % 4)
        header = struct.pack("<4sII", b"glTF", 2, 28 + len(text) + self._length)
        chunk = struct.pack("<I4s", self._length, b"BIN\0")
        return b"".join([header, struct.pack("<I4s", len(text), b"JSON"), text, chunk, *self._data])


def _extent(values: Array) -> dict[str, Any]:
    """Count, type, and the bounds that positions must have and other accessors may have."""
    kind = "SCALAR" if values.ndim == 1 else f"VEC{values.shape[1]}"
    low, high = np.atleast_1d(values.min(axis=0)).tolist(), np.atleast_1d(values.max(axis=0)).tolist()
    return {"count": len(values), "type": kind, "min": low, "max": high}


def _array(values: Tensor) -> Array:
    """A tensor as a contiguous array, floats as little-endian float32."""
    array = values.detach().cpu().numpy()
    return np.ascontiguousarray(array, dtype="<f4" if array.dtype.kind == "f" else "<i8")


def _unit(normals: Float[Tensor, "n 3"]) -> Array:
    """Normals of length 1, as glTF demands; +z where there is none."""
    array = _array(normals).astype(np.float64)
    length = np.linalg.norm(array, axis=1, keepdims=True)
    return np.where(length > 1e-6, array / np.maximum(length, 1e-6), np.array([0.0, 0.0, 1.0])).astype("<f4")
