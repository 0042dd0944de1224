"""Meshes out of files of every format, and files that are broken."""

from __future__ import annotations

import base64
import json
import struct
from contextlib import suppress
from pathlib import Path

import pytest
import torch
import trimesh
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headviz.errors import InputError, MeshError
from headviz.geometry.files import glb_bytes, write_glb, write_obj, write_ply
from headviz.geometry.mesh import Mesh, vertex_normals
from headviz.interop import MESH_FORMATS, load_mesh, to_trimesh

HALF_A_LEVEL = 0.0045  # of 8-bit sRGB, in linear light, where it is coarsest


def tent() -> Mesh:
    """A pyramid whose texture coordinates have a seam, with a texture and a morph target."""
    vertices = torch.tensor([[1.0, 0, 1], [1, 0, -1], [-1, 0, -1], [-1, 0, 1], [0, 1, 0]])
    sides = torch.tensor([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4], [0, 3, 2], [0, 2, 1]])
    uv = torch.tensor([[0.0, 0], [0.25, 0], [0.5, 0], [0.75, 0], [1, 0], [0.5, 1], [0.5, 0.5]])
    corners = torch.tensor([[0, 1, 5], [1, 2, 5], [2, 3, 5], [3, 4, 5], [0, 3, 2], [0, 2, 1]])
    texture = torch.rand(12, 15, 3, generator=torch.Generator().manual_seed(0))
    normals = vertex_normals(vertices, sides)
    return Mesh(vertices, sides, uv, corners, texture, normals=normals, morphs={"jaw open": 0.1 * vertices})


TENT = tent()
COLORS = torch.rand(5, 3, generator=torch.Generator().manual_seed(1))


def corner_uv(mesh: Mesh) -> torch.Tensor:
    assert mesh.uv is not None
    return mesh.uv[mesh.faces if mesh.uv_faces is None else mesh.uv_faces]


def close(found: torch.Tensor | None, wanted: torch.Tensor, atol: float) -> None:
    assert found is not None
    torch.testing.assert_close(found, wanted, rtol=0, atol=atol)


def written(folder: Path, mesh: Mesh) -> list[Path]:
    write_obj(folder / "mesh.obj", mesh)
    write_ply(folder / "mesh.ply", mesh)
    write_glb(folder / "mesh.glb", mesh, texture_format="png")
    made = to_trimesh(mesh)
    for kind in ("stl", "off"):
        made.export(folder / f"mesh.{kind}")
    (folder / "mesh.gltf").write_text(gltf(glb_bytes(mesh)))
    return [folder / f"mesh{kind}" for kind in MESH_FORMATS]


def gltf(data: bytes) -> str:
    """A GLB file as one glTF file."""
    (size,) = struct.unpack_from("<I", data, 12)
    document = json.loads(data[20 : 20 + size])
    for primitive in document["meshes"][0]["primitives"]:
        if "COLOR_0" in primitive["attributes"]:
            del primitive["material"]  # beside one, trimesh does not read colours
    document["buffers"][0]["uri"] = (
        "data:application/octet-stream;base64," + base64.b64encode(data[28 + size :]).decode()
    )
    return json.dumps(document)


@pytest.mark.parametrize("mesh", [TENT, Mesh(TENT.vertices, TENT.faces, colors=COLORS)], ids=["textured", "colored"])
def test_files_of_every_format_keep_the_surface(mesh: Mesh, tmp_path: Path) -> None:
    for path in written(tmp_path, mesh):
        found = load_mesh(path)
        close(found.vertices[found.faces], mesh.vertices[mesh.faces], 1e-6)
        assert len(found.vertices) == 5, path.suffix
        if mesh.uv is not None and path.suffix not in (".stl", ".off"):
            close(corner_uv(found), corner_uv(mesh), 1e-6)
        if path.suffix in (".obj", ".glb", ".gltf") and mesh.texture is not None:
            close(found.texture, mesh.texture, 0.1 if path.suffix == ".gltf" else HALF_A_LEVEL)  # JPEG in glTF
        if mesh.colors is not None and path.suffix not in (".stl", ".off"):
            assert found.colors is not None
            close(found.colors[found.faces], COLORS[mesh.faces], HALF_A_LEVEL)


def test_files_as_they_are(tmp_path: Path) -> None:
    paths = {path.suffix: path for path in written(tmp_path, TENT)}
    assert len(load_mesh(paths[".stl"], join=False).vertices) == 3 * len(TENT.faces)
    assert len(load_mesh(paths[".glb"], join=False).vertices) == 6
    assert list(load_mesh(paths[".glb"]).morphs) == list(TENT.morphs)


def test_sharp_edges_keep_no_single_normal(tmp_path: Path) -> None:
    box = trimesh.creation.box()
    box.unmerge_vertices()
    assert len(box.vertex_normals) == 36
    box.export(tmp_path / "box.ply", vertex_normal=True)
    assert load_mesh(tmp_path / "box.ply", join=False).normals is not None
    found = load_mesh(tmp_path / "box.ply")
    assert (len(found.vertices), found.normals) == (8, None)


def test_quadrangles_of_files_are_cut(tmp_path: Path) -> None:
    (tmp_path / "quad.obj").write_text("v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nf 1 2 3 4\n")
    assert load_mesh(tmp_path / "quad.obj").faces.shape == (2, 3)


PLY = "ply\nformat ascii 1.0\nelement vertex {}\nproperty float x\nproperty float y\nproperty float z\n"


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("gone.obj", None, InputError, "gone.obj cannot be read: No such file"),
        ("a.obj", b"", InputError, "a.obj is empty"),
        ("a.txt", b"v 0 0 0", InputError, r"should end in \.glb.*ends in '.txt'"),
        ("a", b"v 0 0 0", InputError, "ends in ''"),
        ("a.obj", b"# nothing here\n", InputError, "a.obj"),
        ("a.obj", b"v 0 0 0\nv 1 0 0\n", MeshError, "should have faces; it has 2 points and no faces"),
        ("a.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n", InputError, "a.obj is not a OBJ file"),
        ("a.obj", b"v nan 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", MeshError, "finite vertices; 1 of 3"),
        ("a.obj", b"v 1e99 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", MeshError, "finite vertices; 1 of 3"),
        ("a.stl", b"solid\nfacet", InputError, "a.stl"),
        ("a.stl", b"\0" * 83, InputError, "a.stl"),
        ("a.off", b"OFF\n1 2", InputError, "a.off"),
        ("a.ply", PLY.format(2).encode() + b"end_header\n0 0 0\n1 1 1\n", MeshError, "2 points and no faces"),
        ("a.ply", b"ply\nformat binary_little_endian 1.0\n", InputError, "a.ply"),
        ("a.glb", b"glTF", InputError, "a.glb"),
        ("a.gltf", b"{", InputError, "a.gltf is not a GLTF file"),
        ("a.gltf", b"{}", InputError, "a.gltf"),
        ("a.gltf", b'{"buffers": [{"uri": "/etc/hostname"}]}', InputError, "a.gltf"),
    ],
)
def test_broken_files_give_one_clear_line(
    name: str, content: bytes | None, error: type, message: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(error, match=message) as caught:
        load_mesh(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300 + len(str(tmp_path))


def test_folders_and_odd_names(tmp_path: Path) -> None:
    (tmp_path / "folder.obj").mkdir()
    for path in (tmp_path / "folder.obj", "\0.obj", "a\nb.obj"):
        with pytest.raises(InputError, match="cannot be read") as caught:
            load_mesh(path)
        assert "\n" not in str(caught.value)


@given(data=st.data())
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.filterwarnings("ignore")  # numpy's, about numbers that damage has made
def test_damaged_files_load_or_say_so(data: st.DataObject, tmp_path: Path) -> None:
    if not any(tmp_path.iterdir()):
        written(tmp_path, TENT)
    path = tmp_path / f"mesh{data.draw(st.sampled_from(MESH_FORMATS))}"
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, min(len(content) - 1, 2000)))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(1, len(content))) :]
    damaged = tmp_path / f"damaged{path.suffix}"
    damaged.write_bytes(bytes(content))
    with suppress(InputError):  # anything else would pass through
        assert len(load_mesh(damaged).faces)
