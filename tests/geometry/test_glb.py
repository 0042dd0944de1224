"""GLB files follow the rules of the standard, and are small and fast to write."""

from __future__ import annotations

import io
import json
import struct
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from headviz.geometry.files import glb_bytes, read_glb, write_glb
from headviz.geometry.mesh import Mesh


def grid(side: int) -> Mesh:
    """A square of side × side vertices in the plane z = 0."""
    x, y = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="xy")
    vertices = torch.stack([x, y, torch.zeros_like(x)], -1).reshape(-1, 3).float()
    corner = torch.arange((side - 1) * side).reshape(-1, side)[:, :-1].reshape(-1)
    faces = torch.cat(
        [
            torch.stack([corner, corner + 1, corner + side + 1], 1),
            torch.stack([corner, corner + side + 1, corner + side], 1),
        ]
    )
    return Mesh(vertices, faces)


SIZES = {5121: 1, 5123: 2, 5125: 4, 5126: 4}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}


def chunks(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The JSON and the binary chunk, after the checks of the container (section 4 of the standard)."""
    magic, version, length = struct.unpack_from("<4sII", data)
    assert (magic, version, length) == (b"glTF", 2, len(data))
    size, kind = struct.unpack_from("<I4s", data, 12)
    assert kind == b"JSON"
    assert size % 4 == 0
    document = json.loads(data[20 : 20 + size])
    binary_size, kind = struct.unpack_from("<I4s", data, 20 + size)
    assert kind == b"BIN\0"
    assert binary_size % 4 == 0
    binary = data[28 + size :]
    assert len(binary) == binary_size
    (buffer,) = document["buffers"]
    assert "uri" not in buffer
    assert buffer["byteLength"] <= binary_size < buffer["byteLength"] + 4
    return document, binary


def values(document: dict[str, Any], binary: bytes, index: int) -> np.ndarray:
    """An accessor's values, after the checks of sections 3.6.2 and 5.1."""

    def piece(view_index: int, component: int, count: int, target: tuple[int | None, ...]) -> np.ndarray:
        view = document["bufferViews"][view_index]
        assert view["byteOffset"] % SIZES[component] == 0
        assert view["byteOffset"] % 4 == 0
        assert view["byteOffset"] + view["byteLength"] <= document["buffers"][0]["byteLength"]
        assert view["byteLength"] == count * SIZES[component]
        assert view.get("target") in target
        kind = {5121: "<u1", 5123: "<u2", 5125: "<u4", 5126: "<f4"}[component]
        return np.frombuffer(binary, kind, count, view["byteOffset"])

    accessor = document["accessors"][index]
    width, count, component = WIDTHS[accessor["type"]], accessor["count"], accessor["componentType"]
    assert count >= 1
    found = np.zeros((count, width), "<f4")
    if "bufferView" in accessor:
        targets = (34963,) if accessor["type"] == "SCALAR" else (34962,)
        found = piece(accessor["bufferView"], component, count * width, targets).reshape(count, width)
    else:
        assert "sparse" in accessor
    if sparse := accessor.get("sparse"):
        assert 1 <= sparse["count"] <= count
        rows = piece(sparse["indices"]["bufferView"], sparse["indices"]["componentType"], sparse["count"], (None,))
        assert (np.diff(rows.astype(int)) > 0).all()
        assert int(rows.max()) < count
        found = found.copy()
        size = sparse["count"] * width
        found[rows] = piece(sparse["values"]["bufferView"], component, size, (None,)).reshape(-1, width)
    assert np.isfinite(found).all()
    assert accessor["min"] == found.min(0).tolist()
    assert accessor["max"] == found.max(0).tolist()
    return found


def check_valid(data: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Everything that we know of the rules; returns the document and the attributes."""
    document, binary = chunks(data)
    assert document["asset"]["version"] == "2.0"
    used = set()
    (mesh,) = document["meshes"]
    (primitive,) = mesh["primitives"]
    attributes = {name: values(document, binary, index) for name, index in primitive["attributes"].items()}
    used |= {*primitive["attributes"].values(), primitive["indices"]}
    counts = {len(array) for array in attributes.values()}
    assert len(counts) == 1
    indices = values(document, binary, primitive["indices"])
    kind = document["accessors"][primitive["indices"]]["componentType"]
    assert int(indices.max()) < min(*counts, *counts, {5123: 65535, 5125: 2**32 - 1}[kind])  # the last one is reserved
    assert len(indices) % 3 == 0
    assert np.abs(np.linalg.norm(attributes["NORMAL"], axis=1) - 1).max() < 5e-4
    for target in primitive.get("targets", []):
        for name, index in target.items():
            used.add(index)
            assert name in attributes
            assert values(document, binary, index).shape == attributes[name].shape
    if "targets" in primitive:
        names = mesh["extras"]["targetNames"]
        assert len(names) == len(set(names)) == len(primitive["targets"]) == len(mesh["weights"])
    assert used == set(range(len(document["accessors"])))  # nothing is left over
    for image in document.get("images", []):
        view = document["bufferViews"][image["bufferView"]]
        start = view["byteOffset"]
        picture = Image.open(io.BytesIO(binary[start : start + view["byteLength"]]))
        assert image["mimeType"] == f"image/{str(picture.format).lower()}"
    assert primitive["material"] < len(document["materials"])
    return document, attributes


VARIANTS: dict[str, Callable[[Mesh], Mesh]] = {
    "head": lambda head: head,
    "plain": lambda head: Mesh(head.vertices, head.faces),
    "colored": lambda head: Mesh(head.vertices, head.faces, colors=torch.rand(len(head.vertices), 3)),
    "untextured": lambda head: replace(head, texture=None),
    "rigid": lambda head: replace(head, morphs={}),
    "colors and texture": lambda head: replace(head, colors=torch.rand(len(head.vertices), 3)),
    "no normal anywhere": lambda _: Mesh(torch.rand(4, 3), torch.tensor([[0, 1, 1]])),
    "one too many for 16 bits": lambda _: grid(256),
    "large": lambda _: replace(grid(300), morphs={"up": torch.eye(3)[2] * (torch.arange(90000) % 9 == 0)[:, None]}),
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("options", [{}, {"texture_format": "png", "morph_normals": True}], ids=["default", "more"])
def test_glb_follows_the_standard(head: Mesh, variant: str, options: dict[str, Any]) -> None:
    mesh = VARIANTS[variant](head)
    document, attributes = check_valid(glb_bytes(mesh, **options))
    assert ("TEXCOORD_0" in attributes) == (mesh.uv is not None)
    assert ("images" in document) == (mesh.texture is not None)
    assert ("COLOR_0" in attributes) == (mesh.colors is not None and mesh.texture is None)
    targets = document["meshes"][0]["primitives"][0].get("targets", [])
    assert len(targets) == len(mesh.morphs)
    assert all(("NORMAL" in target) == ("morph_normals" in options) for target in targets)


def test_glb_says_who_made_it_and_from_what(head: Mesh) -> None:
    document, _ = chunks(glb_bytes(head, attribution="shapes by someone, CC0"))
    assert document["asset"]["generator"].startswith("headviz ")
    assert document["asset"]["copyright"] == "shapes by someone, CC0"
    assert "copyright" not in chunks(glb_bytes(head))[0]["asset"]


def test_glb_is_not_metal(head: Mesh) -> None:
    (material,) = chunks(glb_bytes(head))[0]["materials"]
    surface = material["pbrMetallicRoughness"]
    assert (surface["metallicFactor"], surface["roughnessFactor"]) == (0.0, 0.6)
    assert surface["baseColorTexture"] == {"index": 0}


def test_morphs_that_move_little_are_sparse_and_others_are_not(head: Mesh) -> None:
    document, _ = chunks(glb_bytes(head))
    targets = document["meshes"][0]["primitives"][0]["targets"]
    sparse = ["sparse" in document["accessors"][target["POSITION"]] for target in targets]
    assert sparse == [False, True, True]


def test_the_same_mesh_gives_the_same_bytes(head: Mesh) -> None:
    assert glb_bytes(head) == glb_bytes(head)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda mesh: replace(mesh, faces=mesh.faces[:0], uv=None, uv_faces=None), "no faces"),
        (lambda mesh: replace(mesh, vertices=mesh.vertices * torch.nan), "vertices should be finite"),
        (lambda mesh: replace(mesh, morphs={"blink": mesh.vertices * torch.inf}), "blink should be finite"),
    ],
)
def test_what_gltf_cannot_hold_is_refused_and_nothing_is_written(
    head: Mesh, change: Callable[[Mesh], Mesh], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        write_glb(tmp_path / "head.glb", change(head))
    assert list(tmp_path.iterdir()) == []


def test_a_head_is_written_fast(fine_head: Mesh, tmp_path: Path) -> None:
    assert len(fine_head.vertices) > 4500
    times = []
    for _ in range(3):
        start = time.process_time()
        write_glb(tmp_path / "head.glb", fine_head)
        times.append(time.process_time() - start)
    assert min(times) < 1.0  # 0.1 s on a quiet machine
    assert (tmp_path / "head.glb").stat().st_size < 1_500_000


def test_vertex_colors_survive_as_they_are(colored: Mesh) -> None:
    _, attributes = check_valid(glb_bytes(colored))
    assert colored.colors is not None
    assert (attributes["COLOR_0"] == colored.colors.numpy()).all()  # linear, as glTF's are


@given(st.integers(0, 10**6), st.integers(3, 40), st.integers(1, 60), st.booleans())
def test_any_mesh_survives(
    tmp_path_factory: pytest.TempPathFactory, seed: int, count: int, triangles: int, colored: bool
) -> None:
    generator = torch.Generator().manual_seed(seed)
    mesh = Mesh(
        vertices=torch.randn(count, 3, generator=generator),
        faces=torch.randint(count, (triangles, 3), generator=generator),
        colors=torch.rand(count, 3, generator=generator) if colored else None,
        morphs={"a": torch.randn(count, 3, generator=generator) * (torch.rand(count, 1, generator=generator) < 0.3)},
    )
    path = tmp_path_factory.getbasetemp() / "any.glb"
    data = glb_bytes(mesh)
    check_valid(data)
    path.write_bytes(data)
    back = read_glb(path)
    assert torch.equal(back.vertices, mesh.vertices)
    assert torch.equal(back.faces, mesh.faces)
    torch.testing.assert_close(back.morphs["a"], mesh.morphs["a"], atol=1e-6, rtol=0)
    assert (back.colors is not None) == colored
