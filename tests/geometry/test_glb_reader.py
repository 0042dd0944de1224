"""GLB files are read back: ours, those of other programs, and damaged ones."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from headviz.errors import InputError
from headviz.geometry.color import to_uint8
from headviz.geometry.files import glb_bytes, read_glb, write_glb
from headviz.geometry.mesh import Mesh, split_seams, vertex_normals


@pytest.mark.parametrize(("texture_format", "tolerance"), [("png", 0.005), ("jpeg", 0.05)])
def test_glb_round_trip(head: Mesh, texture_format: Any, tolerance: float, tmp_path: Path) -> None:
    write_glb(tmp_path / "head.glb", head, texture_format=texture_format)
    back = read_glb(tmp_path / "head.glb")
    split, source = split_seams(head)
    assert torch.equal(back.vertices, split.vertices)
    assert torch.equal(back.faces, split.faces)
    assert list(back.morphs) == list(head.morphs)
    for name, offsets in head.morphs.items():
        torch.testing.assert_close(back.morphs[name], offsets[source], atol=1e-6, rtol=0)
    assert back.uv is not None
    assert split.uv is not None
    torch.testing.assert_close(back.uv, split.uv, atol=1e-6, rtol=0)
    assert back.texture is not None
    assert head.texture is not None
    assert float((back.texture - head.texture).abs().max()) < tolerance
    assert back.normals is not None
    torch.testing.assert_close(back.normals, vertex_normals(head.vertices, head.faces)[source], atol=1e-6, rtol=0)


def test_trimesh_reads_the_same_head(head: Mesh, tmp_path: Path) -> None:
    write_glb(tmp_path / "head.glb", head, texture_format="png")
    (seen,) = trimesh.load_scene(tmp_path / "head.glb").geometry.values()
    split, _ = split_seams(head)
    np.testing.assert_array_equal(seen.vertices.astype(np.float32), split.vertices)
    np.testing.assert_array_equal(seen.faces, split.faces)
    assert seen.vertices[:, 2].max() == pytest.approx(0.13)  # the nose is in front, at +z
    assert seen.vertices[:, 1].max() == pytest.approx(0.1)
    assert seen.volume > 0  # faces outwards
    assert split.uv is not None
    np.testing.assert_allclose(seen.visual.uv, split.uv, atol=1e-6)  # trimesh counts v from below, as we do
    picture = np.asarray(seen.visual.material.baseColorTexture.convert("RGB"))
    assert head.texture is not None
    assert (picture == to_uint8(head.texture)).all()


def test_a_scene_of_another_program(tmp_path: Path) -> None:
    ball, box = trimesh.creation.icosphere(subdivisions=1), trimesh.creation.box((1, 2, 3))
    scene = trimesh.Scene()
    mirrored = trimesh.transformations.compose_matrix(scale=(-2, 1, 1), angles=(0.3, 0.2, 0.1), translate=(5, 0, 0))
    parent = trimesh.transformations.translation_matrix((0, 10, 0))
    scene.add_geometry(ball, node_name="ball", transform=parent)
    scene.add_geometry(box, node_name="box", parent_node_name="ball", transform=mirrored)
    scene.export(tmp_path / "scene.glb")
    found = read_glb(tmp_path / "scene.glb")
    expected = [ball.copy().apply_transform(parent), box.copy().apply_transform(parent @ mirrored)]
    assert len(found.vertices) == sum(len(part.vertices) for part in expected)
    assert len(found.faces) == len(ball.faces) + len(box.faces)
    seen = trimesh.Trimesh(found.vertices.numpy(), found.faces.numpy(), process=False)
    assert seen.volume == pytest.approx(
        sum(part.volume for part in expected), rel=1e-5
    )  # a mirrored box faces outwards
    np.testing.assert_allclose(seen.bounds, trimesh.util.concatenate(expected).bounds, atol=1e-5)


@pytest.fixture
def read_bytes(tmp_path: Path) -> Callable[[bytes], Mesh]:
    """Reads a GLB file that is not on disk."""

    def read(data: bytes) -> Mesh:
        (tmp_path / "some.glb").write_bytes(data)
        return read_glb(tmp_path / "some.glb")

    return read


def foreign(**changes: Any) -> bytes:
    """A GLB file of one quad as other programs may write it: interleaved 16-bit positions and 8-bit colours."""
    corners = [(0, 0), (32767, 0), (32767, 32767), (0, 32767)]
    rows = b"".join(struct.pack("<3hxxBBBx", x, y, 0, 255, 51, 0) for x, y in corners)
    document: dict[str, Any] = {
        "asset": {"version": "2.0"},
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "matrix": [2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0, 1, 0, 0, 1]}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0, "COLOR_0": 1}, "mode": 6}]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5122, "normalized": True, "count": 4, "type": "VEC3"},
            {"bufferView": 0, "byteOffset": 8, "componentType": 5121, "normalized": True, "count": 4, "type": "VEC3"},
        ],
        "bufferViews": [{"buffer": 0, "byteLength": len(rows), "byteStride": 12}],
        "buffers": [{"byteLength": len(rows)}],
        **changes,
    }
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    body = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(rows), b"BIN\0") + rows
    return struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body


def test_interleaved_quantized_fans_are_read(read_bytes: Callable[[bytes], Mesh]) -> None:
    mesh = read_bytes(foreign())
    assert mesh.vertices.tolist() == [[1, 0, 0], [3, 0, 0], [3, 2, 0], [1, 2, 0]]
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3]]
    assert mesh.colors is not None
    torch.testing.assert_close(mesh.colors[0], torch.tensor([1.0, 0.2, 0.0]))


def test_strips_keep_their_winding(read_bytes: Callable[[bytes], Mesh]) -> None:
    strip = {"meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "mode": 5}]}]}
    assert read_bytes(foreign(**strip)).faces.tolist() == [[0, 1, 2], [2, 1, 3]]


def test_several_textures_are_left_out_with_a_warning(tmp_path: Path) -> None:
    scene = trimesh.Scene()
    for k in range(2):
        ball = trimesh.creation.icosphere(subdivisions=1)
        picture = Image.new("RGB", (8, 8), (k * 99, 0, 0))
        material = trimesh.visual.material.PBRMaterial(baseColorTexture=picture)
        ball.visual = trimesh.visual.TextureVisuals(uv=ball.vertices[:, :2], material=material)
        scene.add_geometry(ball)
    scene.export(tmp_path / "two.glb")
    with pytest.warns(UserWarning, match="2 textures in one file; none is kept"):
        mesh = read_glb(tmp_path / "two.glb")
    assert mesh.texture is None
    assert mesh.uv is not None


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a GLB file"),
        (b"solid cube", "begin with glTF 2"),
        (b'{"asset": {"version": "2.0"}}', "begin with glTF 2"),
        (foreign()[:-10], "bytes; it has"),
        (
            foreign(extensionsRequired=["KHR_draco_mesh_compression"]),
            "KHR_draco_mesh_compression, which is not supported",
        ),
        (foreign(buffers=[{"byteLength": 48, "uri": "head.bin"}]), "refers to another file, 'head.bin'"),
        (foreign(bufferViews=[{"buffer": 0, "byteLength": 400, "byteStride": 12}]), "beyond the end of its buffer"),
        (foreign(bufferViews=[{"buffer": 0, "byteLength": 40, "byteStride": 12}]), "beyond the end of buffer view"),
        (foreign(nodes=[{"mesh": 0, "children": [0]}]), "two parents"),
        (foreign(meshes=[{"primitives": []}]), "no triangles"),
        (foreign(accessors=[{"componentType": 5126, "count": 10**12, "type": "VEC3"}]), "entries"),
        (foreign(scenes=None, nodes=json.loads("[" * 400 + "]" * 400)), "not a GLB file"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_clear_line(
    data: bytes, message: str, read_bytes: Callable[[bytes], Mesh]
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_bytes(data)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.glb cannot be read: No such file"):
        read_glb(tmp_path / "none.glb")


def test_damaged_files_are_refused_or_read_but_nothing_else(head: Mesh, colored: Mesh, tmp_path: Path) -> None:
    dice = random.Random(0)
    samples = [glb_bytes(head), glb_bytes(colored), foreign()]
    path = tmp_path / "damaged.glb"
    outcomes = {"read": 0, "refused": 0}
    for k in range(600):
        data = bytearray(samples[k % 3])
        reach = len(data) if k % 2 else min(len(data), 4000)  # the document is at the beginning
        for _ in range(dice.randint(1, 6)):
            data[dice.randrange(reach)] = dice.randrange(256)
        if k % 7 == 0:
            del data[dice.randrange(len(data)) :]
        path.write_bytes(data)
        try:
            mesh = read_glb(path)
        except InputError:
            outcomes["refused"] += 1
        else:
            assert len(mesh.faces) > 0
            outcomes["read"] += 1
    assert min(outcomes.values()) > 50, outcomes
