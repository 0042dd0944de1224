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
from PIL import Image

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


OBJ_OF_ALL_KINDS = """\
# a comment
mtllib gone.mtl
o first
v 9 9 9
v 0 0 0 # the vertex before this one has no face
v 1 0 0
v 1 1 0
v 0 1 0
vt 0 0
vt 1 0
vt 1 1
vt 0 1
vn 0 0 1
g some_group
usemtl skin
f 2/1/1 3/2/1 4/3/1 5/4/1
o second
v 2 0 0
v 3 0 0
v 3 1 0
v 2.5 2 0
v 2 1 0
s off
f -5 -4 -3 \\
  -2 -1
l 1 2
f 2//1 3//1 6//1
"""


def test_obj_with_polygons_groups_and_numbers_that_count_back(tmp_path: Path) -> None:
    (tmp_path / "all.obj").write_text(OBJ_OF_ALL_KINDS)
    with pytest.warns(UserWarning, match=r"'gone\.mtl' cannot be read \(No such file or directory\): no texture"):
        found = load_mesh(tmp_path / "all.obj")
    assert found.vertices[:2].tolist() == [[9, 9, 9], [0, 0, 0]]  # numbers stay
    assert found.faces.tolist() == [[1, 2, 3], [1, 3, 4], [5, 6, 7], [5, 7, 8], [5, 8, 9], [1, 2, 5]]
    assert corner_uv(found)[:2].tolist() == [[[0, 0], [1, 0], [1, 1]], [[0, 0], [1, 1], [0, 1]]]
    assert corner_uv(found)[2:].abs().max() == 0
    assert (found.texture, found.normals) == (None, None)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_obj_as_trimesh_reads_it(end: str, tmp_path: Path) -> None:
    ball = trimesh.creation.icosphere(2)
    text = "".join(f"v {x} {y} {z}{end}" for x, y, z in ball.vertices) + "".join(
        f"f {a}/{a} {b}/{b} {c}/{c}{end}" for a, b, c in ball.faces + 1
    )
    text += "".join(f"vt {x} {y} 0{end}" for x, y in ball.vertices[:, :2])
    (tmp_path / "ball.obj").write_text(text, newline="")
    found = load_mesh(tmp_path / "ball.obj")
    assert torch.equal(found.faces, torch.from_numpy(ball.faces))
    close(found.vertices.double(), torch.from_numpy(ball.vertices), 1e-7)
    assert found.uv_faces is None
    close(found.uv, torch.from_numpy(ball.vertices[:, :2]).float(), 1e-7)


@pytest.mark.parametrize("face", ["f 1 2", "f 1 2 x", "f 1 2 0", "f 1 2 -4", "f 1/1/1/1 2/1/1/1 3/1/1/1", "f 1 2 1.5"])
def test_obj_with_a_face_that_is_none(face: str, tmp_path: Path) -> None:
    (tmp_path / "a.obj").write_text(f"v 0 0 0\nv 1 0 0\nv 0 1 0\n{face}\n")
    with pytest.raises(InputError, match="is not a OBJ file that can be read"):
        load_mesh(tmp_path / "a.obj")


def test_obj_with_colors_and_several_pictures(tmp_path: Path) -> None:
    triangle = "v 0 0 0 255 0 0\nv 1 0 0 0 255 0\nv 0 1 0 0 0 255\n"
    (tmp_path / "colors.obj").write_text(triangle + "f 1 2 3\n")
    close(load_mesh(tmp_path / "colors.obj").colors, torch.eye(3), 1e-6)
    for name in ("one", "two"):
        Image.new("RGB", (2, 2)).save(tmp_path / f"{name} picture.png")
    (tmp_path / "two.mtl").write_text("newmtl a\nmap_Kd one picture.png\nnewmtl b\nmap_Kd two picture.png\n")
    text = triangle + "vt 0 0\nvt 1 0\nvt 0 1\nmtllib two.mtl\nusemtl a\nf 1/1 2/2 3/3\n"
    (tmp_path / "one.obj").write_text(text)
    close(load_mesh(tmp_path / "one.obj").texture, torch.zeros(2, 2, 3), 0)
    (tmp_path / "two.obj").write_text(text + "usemtl b\nf 3/1 2/2 1/3\n")
    with pytest.warns(UserWarning, match="2 textures in one file"):
        assert load_mesh(tmp_path / "two.obj").texture is None


def test_ply_with_quadrangles(tmp_path: Path) -> None:
    faces = "element face 2\nproperty list uchar int vertex_indices\nend_header\n"
    points = "0 0 0\n1 0 0\n1 1 0\n0 1 0\n0 0 1\n"
    (tmp_path / "quad.ply").write_text(PLY.format(5) + faces + points + "4 0 1 2 3\n3 0 1 4\n")
    assert load_mesh(tmp_path / "quad.ply").faces.tolist() == [[0, 1, 4], [0, 1, 2], [2, 3, 0]]


def test_stl_of_both_kinds_is_welded(tmp_path: Path) -> None:
    ball = trimesh.creation.icosphere(2)
    for kind in ("stl", "stl_ascii"):
        ball.export(tmp_path / f"{kind}.stl", file_type=kind)
        found = load_mesh(tmp_path / f"{kind}.stl")
        assert (len(found.vertices), len(found.faces)) == (len(ball.vertices), len(ball.faces))
        assert trimesh.Trimesh(found.vertices, found.faces, process=False).is_watertight


def test_broken_numbers_can_be_let_through(tmp_path: Path) -> None:
    (tmp_path / "a.obj").write_text("v nan 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    assert load_mesh(tmp_path / "a.obj", finite=False).vertices.isfinite().all(1).tolist() == [False, True, True]


def test_corners_of_one_face_may_have_different_forms(tmp_path: Path) -> None:
    lines = ["v 0 0 0", "v 1 0 0", "v 0 1 0", "v 0 0 1", "vt 0 0", "vt 1 0", "vt 0 1", "vn 0 0 1"]
    (tmp_path / "mixed.obj").write_text("\n".join([*lines, "f 1 2/2/1 3/3", "f 1/1  3/2/1 4//1\t2", ""]))
    mesh = load_mesh(tmp_path / "mixed.obj", join=False)
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 3, 1]]


def test_faces_may_name_texture_coordinates_that_the_file_does_not_have(tmp_path: Path) -> None:
    (tmp_path / "bare.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1/1/1 2/2/1 3/3/1\n")
    mesh = load_mesh(tmp_path / "bare.obj", join=False)
    assert mesh.faces.tolist() == [[0, 1, 2]]
    assert mesh.uv is None
