"""Binary glTF 2.0, read: our own files and the ordinary ones of other programs."""

from __future__ import annotations

import base64
import binascii
import io
import json
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from headviz.errors import InputError
from headviz.geometry.color import from_uint8
from headviz.geometry.mesh import Mesh

Array = npt.NDArray[Any]

_COMPONENTS = {5120: np.int8, 5121: np.uint8, 5122: np.int16, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
_KNOWN_EXTENSIONS = ("KHR_mesh_quantization", "KHR_materials_", "KHR_lights_punctual", "KHR_texture_transform")
_DAMAGE = (
    LookupError,
    TypeError,
    ValueError,
    ArithmeticError,
    AttributeError,
    RecursionError,
    MemoryError,
    struct.error,
    # of the embedded picture
    OSError,
    SyntaxError,
    Image.DecompressionBombError,
)
_MAX_PIXELS = 64_000_000  # of an embedded picture
_MAX_VERTICES = 10_000_000  # that an accessor without data may ask for
_MAX_ENTRIES = 100_000_000  # of any other: its data must be there


@dataclass(frozen=True, eq=False)
class _Part:
    """One primitive in world coordinates; the picture is an index into the document's images."""

    vertices: Array
    faces: Array
    uv: Array | None
    colors: Array | None
    normals: Array | None
    morphs: dict[str, Array]
    picture: int | None


def read_glb(path: str | Path) -> Mesh:
    """Read a binary glTF file as one mesh.

    All triangles of the default scene are put into one mesh, with the transforms of their nodes applied; skins,
    animations, cameras and lights are left out. Texture coordinates are per vertex, as glTF has them. The texture is
    the base colour of the material. Where there are several, none is kept, and a warning says so. Attributes that
    only some of the parts have are left out.

    Raises:
        InputError: the file cannot be read, is not a GLB file, is damaged, has no triangles, or needs an extension
            that is not supported, such as Draco compression.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    try:
        return _Document(data).mesh()
    except _DAMAGE as error:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise InputError(f"{path} is not a GLB file that can be read ({reason})") from error


class _Document:
    """The JSON and binary chunks of a GLB file."""

    def __init__(self, data: bytes) -> None:
        magic, version, length = struct.unpack("<4sII", data[:12].ljust(12, b"\0"))
        if magic != b"glTF" or version != 2:
            raise ValueError(f"it should begin with glTF 2; it begins with {data[:8]!r}")
        if length > len(data):
            raise ValueError(f"it should have {length} bytes; it has {len(data)}")
        chunks: dict[bytes, bytes] = {}
        start = 12
        while start + 8 <= length:
            size, kind = struct.unpack_from("<I4s", data, start)
            chunks.setdefault(kind, data[start + 8 : start + 8 + size])
            start += 8 + size
        self.json: dict[str, Any] = json.loads(chunks[b"JSON"])
        self.binary = chunks.get(b"BIN\0", b"")
        for name in self.json.get("extensionsRequired", []):
            if not name.startswith(_KNOWN_EXTENSIONS):
                raise ValueError(f"it needs the extension {name}, which is not supported; export it without")

    def mesh(self) -> Mesh:
        """All triangles as one mesh."""
        parts = [part for node, matrix in self._nodes() for part in self._parts(node, matrix)]
        if not parts:
            raise ValueError("it has no triangles")
        starts = np.cumsum([0] + [len(part.vertices) for part in parts])
        faces = [part.faces + start for part, start in zip(parts, starts[:-1], strict=True)]
        uv = _joined([part.uv for part in parts])
        texture = self._texture({part.picture for part in parts})
        names = dict.fromkeys(name for part in parts for name in part.morphs)
        return Mesh(
            vertices=_tensor(np.concatenate([part.vertices for part in parts])),
            faces=torch.from_numpy(np.concatenate(faces).astype(np.int64)),
            uv=None if uv is None else _tensor(uv * np.array([1, -1], np.float32) + np.array([0, 1], np.float32)),
            texture=None if uv is None else texture,
            colors=_maybe(_joined([part.colors for part in parts])),
            normals=_maybe(_joined([part.normals for part in parts])),
            morphs={
                name: _tensor(np.concatenate([part.morphs.get(name, np.zeros_like(part.vertices)) for part in parts]))
                for name in names
            },
        )

    def _nodes(self) -> Iterator[tuple[dict[str, Any], Array]]:
        """Nodes with a mesh and their transforms to the world, parents before children."""
        nodes = self.json.get("nodes", [])
        scenes = self.json.get("scenes")
        roots = scenes[self.json.get("scene", 0)].get("nodes", []) if scenes else range(len(nodes))
        waiting = [(index, np.eye(4)) for index in reversed(list(roots))]
        seen: set[int] = set()
        while waiting:
            index, parent = waiting.pop()
            if index in seen:
                raise ValueError(f"node {index} has two parents")
            seen.add(index)
            matrix = parent @ _local(nodes[index])
            if "mesh" in nodes[index]:
                yield nodes[index], matrix
            waiting += [(child, matrix) for child in reversed(nodes[index].get("children", []))]

    def _parts(self, node: dict[str, Any], matrix: Array) -> Iterator[_Part]:
        """The primitives of a node that are made of triangles."""
        mesh = self.json["meshes"][node["mesh"]]
        names = mesh.get("extras", {}).get("targetNames", [])
        linear, offset = matrix[:3, :3], matrix[:3, 3]
        for primitive in mesh["primitives"]:
            if primitive.get("mode", 4) not in (4, 5, 6):
                continue
            attributes = primitive["attributes"]
            vertices = self._values(attributes["POSITION"])
            normals = self._optional(attributes, "NORMAL")
            colors = self._optional(attributes, "COLOR_0")
            targets = [self._optional(target, "POSITION") for target in primitive.get("targets", [])]
            faces = _triangles(self._optional(primitive, "indices"), len(vertices), primitive.get("mode", 4))
            mirrored = np.linalg.det(linear) < 0
            yield _Part(
                vertices=vertices @ linear.T + offset,
                faces=faces[:, ::-1] if mirrored else faces,
                uv=self._optional(attributes, "TEXCOORD_0"),
                colors=None if colors is None else colors[:, :3],
                normals=None if normals is None else _unit(normals @ np.linalg.inv(linear)),
                morphs={
                    names[k] if k < len(names) else f"morph_{k}": target @ linear.T
                    for k, target in enumerate(targets)
                    if target is not None
                },
                picture=self._picture(primitive),
            )

    def _optional(self, owner: dict[str, Any], key: str) -> Array | None:
        return self._values(owner[key]) if key in owner else None

    def _values(self, index: int) -> Array:
        """An accessor as an array of shape (n, width), or (n,) for scalars; normalized integers become floats."""
        accessor = self.json["accessors"][index]
        kind, width, count = accessor["componentType"], _WIDTHS[accessor["type"]], accessor["count"]
        if not 0 <= count <= (_MAX_VERTICES if "bufferView" not in accessor else _MAX_ENTRIES):
            raise ValueError(f"accessor {index} has {count} entries")
        if "bufferView" in accessor:
            start = accessor.get("byteOffset", 0)
            values = self._table(accessor["bufferView"], start, kind, width, count).copy()
        else:
            values = np.zeros((count, width), _COMPONENTS[kind])
        if sparse := accessor.get("sparse"):
            where, what, entries = sparse["indices"], sparse["values"], sparse["count"]
            rows = self._table(where["bufferView"], where.get("byteOffset", 0), where["componentType"], 1, entries)
            values[rows[:, 0]] = self._table(what["bufferView"], what.get("byteOffset", 0), kind, width, entries)
        if accessor.get("normalized"):
            values = np.maximum(values / np.iinfo(values.dtype).max, -1.0).astype(np.float32)
        result: Array = values[:, 0] if accessor["type"] == "SCALAR" else values
        return result

    def _table(self, view_index: int, start: int, kind: int, width: int, count: int) -> Array:
        """Rows of numbers in a buffer view, which may be interleaved with others."""
        view = self.json["bufferViews"][view_index]
        dtype = np.dtype(_COMPONENTS[kind]).newbyteorder("<")
        stride = view.get("byteStride", dtype.itemsize * width)
        data = self._view(view_index)
        if start < 0 or stride < 0 or (count and start + stride * (count - 1) + dtype.itemsize * width > len(data)):
            raise ValueError(f"an accessor reaches beyond the end of buffer view {view_index}")
        table: Array = np.ndarray((count, width), dtype, data, start, (stride, dtype.itemsize))
        return table

    def _view(self, index: int) -> bytes:
        """The bytes of a buffer view."""
        view = self.json["bufferViews"][index]
        buffer = self.json["buffers"][view["buffer"]]
        whole = _embedded(buffer["uri"]) if "uri" in buffer else self.binary
        start = view.get("byteOffset", 0)
        if not 0 <= start <= start + view["byteLength"] <= len(whole):
            raise ValueError(f"buffer view {index} reaches beyond the end of its buffer")
        return whole[start : start + view["byteLength"]]

    def _picture(self, primitive: dict[str, Any]) -> int | None:
        """Index of the image that colours a primitive."""
        if "material" not in primitive:
            return None
        surface = self.json["materials"][primitive["material"]].get("pbrMetallicRoughness", {})
        if "baseColorTexture" not in surface:
            return None
        source = self.json["textures"][surface["baseColorTexture"]["index"]].get("source")
        return None if source is None else int(source)

    def _texture(self, pictures: set[int | None]) -> Tensor | None:
        """The one texture as a linear picture."""
        used = sorted(index for index in pictures if index is not None)
        if len(used) > 1:
            warnings.warn(f"{len(used)} textures in one file; none is kept, for a mesh has one", stacklevel=4)
        if len(used) != 1:
            return None
        image = self.json["images"][used[0]]
        data = self._view(image["bufferView"]) if "bufferView" in image else _embedded(image["uri"])
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP")) as picture:
            if picture.width * picture.height > _MAX_PIXELS:
                raise ValueError(f"its texture has {picture.width} × {picture.height} pixels")
            return from_uint8(np.asarray(picture.convert("RGB")))


def _embedded(uri: str) -> bytes:
    """The bytes of a data URI."""
    head, _, body = uri.partition(",")
    if not head.startswith("data:") or not head.endswith(";base64"):
        raise ValueError(f"it refers to another file, {uri[:60]!r}; export it as one file")
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise ValueError(f"embedded data are damaged: {error}") from None


def _local(node: dict[str, Any]) -> Array:
    """The transform of a node to its parent, shape (4, 4)."""
    if "matrix" in node:
        given: Array = np.array(node["matrix"], dtype=np.float64).reshape(4, 4).T  # by columns in the file
        return given
    x, y, z, w = node.get("rotation", (0.0, 0.0, 0.0, 1.0))
    rotation = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    matrix: Array = np.eye(4)
    matrix[:3, :3] = rotation * np.asarray(node.get("scale", (1.0, 1.0, 1.0)))
    matrix[:3, 3] = node.get("translation", (0.0, 0.0, 0.0))
    return matrix


def _triangles(indices: Array | None, count: int, mode: int) -> Array:
    """Triangles of a list (4), strip (5) or fan (6), shape (m, 3)."""
    corners: Array = np.arange(count) if indices is None else indices.astype(np.int64)
    if mode == 4:
        return corners[: len(corners) // 3 * 3].reshape(-1, 3)
    if mode == 6:
        return np.stack([np.full(max(0, len(corners) - 2), corners[0]), corners[1:-1], corners[2:]], axis=1)
    strip = np.stack([corners[:-2], corners[1:-1], corners[2:]], axis=1)
    strip[1::2] = strip[1::2, [1, 0, 2]]
    return strip.reshape(-1, 3)


def _unit(normals: Array) -> Array:
    unit: Array = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return unit


def _joined(parts: list[Array | None]) -> Array | None:
    """One array of all parts, with zeros where some have none; ``None`` where all have none."""
    known = next((part for part in parts if part is not None), None)
    if known is None or any(part is None for part in parts):
        return known if len(parts) == 1 else None
    return np.concatenate([part for part in parts if part is not None])


def _maybe(values: Array | None) -> Tensor | None:
    return None if values is None else _tensor(values)


def _tensor(values: Array) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
