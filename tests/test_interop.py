"""Round trips through other libraries, what their own readers and pictures make of ours, and files that are broken."""

from __future__ import annotations

import importlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import open3d
import pytest
import pyvista
import torch
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from headviz import interop
from headviz.errors import MeshError, MissingExtraError
from headviz.geometry.files import write_obj
from headviz.geometry.mesh import Mesh
from headviz.geometry.sampling import sample_texture
from headviz.interop import load_mesh, pyvista_texture, to_open3d, to_pyvista, to_trimesh

HALF_A_LEVEL = 0.0045  # of 8-bit sRGB, in linear light, where it is coarsest
LIBRARIES = ("trimesh", "pyvista", "open3d")


def tube(columns: int = 8, size: int = 12) -> Mesh:
    """An open tube with a seam in its texture, normals, morph targets, a mirror, and a vertex without a face."""
    phi = torch.arange(columns) * 2 * torch.pi / columns
    ring = torch.stack([phi.sin(), torch.zeros(columns), phi.cos()], 1)
    lone = torch.tensor([[0.0, 5.0, 0.0]])
    vertices = torch.cat([ring, lone, ring + torch.tensor([0.0, 1.0, 0.0])])
    k = torch.arange(columns)
    right, up = (k + 1) % columns, columns + 1
    faces = torch.cat([torch.stack([k, right, right + up], 1), torch.stack([k, right + up, k + up], 1)])
    u = torch.linspace(0, 1, columns + 1)
    uv = torch.cat([torch.stack([u, 0 * u], 1), torch.stack([u, 0 * u + 1], 1)])
    uv_faces = torch.cat([torch.stack([k, k + 1, k + 1 + up], 1), torch.stack([k, k + 1 + up, k + up], 1)])
    normals = torch.cat([ring, lone / 5, ring])
    mirror = torch.cat([(-k) % columns, torch.tensor([columns]), (-k) % columns + up])
    texture = torch.rand(size, size + 3, 3, generator=torch.Generator().manual_seed(0))
    morphs = {"open": vertices.flip(0), "Mouth smile": 0.1 * vertices}
    return Mesh(vertices, faces, uv, uv_faces, texture, None, normals, morphs, mirror)


TUBE = tube()
COLORS = torch.rand(len(TUBE.vertices), 3, generator=torch.Generator().manual_seed(1))
BARE = Mesh(TUBE.vertices, TUBE.faces)
TRIANGLE = Mesh(torch.eye(3), torch.tensor([[0, 1, 2]]), uv=torch.tensor([[0.0, 0], [1, 0], [0, 1]]))


def there_and_back(mesh: Mesh, library: str, dtype: torch.dtype = torch.float32) -> Mesh:
    to, fro = getattr(interop, f"to_{library}"), getattr(interop, f"from_{library}")
    return fro(to(mesh), dtype=dtype)


def corner_uv(mesh: Mesh) -> torch.Tensor:
    assert mesh.uv is not None
    return mesh.uv[mesh.faces if mesh.uv_faces is None else mesh.uv_faces]


def close(found: torch.Tensor | None, wanted: torch.Tensor, atol: float = 0.0) -> None:
    assert found is not None
    torch.testing.assert_close(found, wanted, rtol=0, atol=atol)


@pytest.mark.parametrize("library", LIBRARIES)
def test_everything_at_once(library: str) -> None:
    found = there_and_back(TUBE, library)
    close(found.vertices, TUBE.vertices)
    close(found.faces, TUBE.faces)
    close(corner_uv(found), corner_uv(TUBE))
    close(found.normals, TUBE.normals)
    close(found.texture, TUBE.texture, 0.0 if library == "pyvista" else HALF_A_LEVEL)
    assert found.uv_faces is not None
    assert found.colors is None
    if library == "open3d":
        assert not found.morphs
        assert found.mirror is None
    else:
        close(found.mirror, TUBE.mirror)
        assert list(found.morphs) == list(TUBE.morphs)
        for name, offsets in TUBE.morphs.items():
            close(found.morphs[name], offsets)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("textured", [False, True])
def test_colors(library: str, textured: bool) -> None:
    found = there_and_back(replace(TUBE if textured else BARE, colors=COLORS), library)
    close(found.colors, COLORS, 1e-6 if library == "open3d" else HALF_A_LEVEL)
    assert (found.texture is not None) == textured
    # What came from 8 bits goes there again without loss.
    again = there_and_back(found, library)
    close(again.colors, found.colors, 1e-6)
    if textured:
        close(again.texture, found.texture)


@pytest.mark.parametrize("library", LIBRARIES)
def test_plain_meshes_get_nothing_added(library: str) -> None:
    found = there_and_back(BARE, library)
    close(found.vertices, BARE.vertices)
    close(found.faces, BARE.faces)
    assert (found.uv, found.uv_faces, found.texture, found.colors, found.normals, found.mirror) == (None,) * 6
    assert not found.morphs


@pytest.mark.parametrize("library", LIBRARIES)
def test_coordinates_per_vertex_stay_so(library: str) -> None:
    found = there_and_back(TRIANGLE, library)
    close(found.uv, TRIANGLE.uv)
    assert (found.uv_faces, found.texture) == (None, None)


@pytest.mark.parametrize("library", LIBRARIES)
def test_double_precision(library: str) -> None:
    mesh = replace(BARE, vertices=BARE.vertices.double() / 3)
    close(there_and_back(mesh, library, torch.float64).vertices, mesh.vertices)


@pytest.mark.parametrize("library", LIBRARIES)
def test_no_library_writes_into_our_mesh(library: str) -> None:
    mesh = replace(TUBE, vertices=TUBE.vertices.clone())
    made = getattr(interop, f"to_{library}")(mesh)
    points = {"trimesh": lambda: made.vertices, "pyvista": lambda: made.points, "open3d": lambda: made.vertices}
    np.asarray(points[library]())[:] = 7
    close(mesh.vertices, TUBE.vertices)


@pytest.mark.parametrize("library", LIBRARIES)
def test_meshes_without_faces_or_with_gradients(library: str) -> None:
    leaf = TRIANGLE.vertices.clone().requires_grad_()
    close(there_and_back(replace(TRIANGLE, vertices=leaf), library).vertices, TRIANGLE.vertices)
    empty = Mesh(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int64))
    assert there_and_back(empty, library).vertices.shape == (0, 3)


@given(st.integers(0, 10**6), st.integers(3, 12), st.integers(1, 20))
@settings(max_examples=25)
@pytest.mark.parametrize("library", LIBRARIES)
def test_any_seams(library: str, seed: int, vertices: int, faces: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    mesh = Mesh(
        torch.rand(vertices, 3, generator=generator),
        torch.randint(vertices, (faces, 3), generator=generator),
        uv=torch.rand(9, 2, generator=generator),
        uv_faces=torch.randint(9, (faces, 3), generator=generator),
    )
    found = there_and_back(mesh, library)
    close(found.vertices, mesh.vertices)
    close(found.faces, mesh.faces)
    close(corner_uv(found), corner_uv(mesh))


# What the libraries make of it


def quadrants() -> Mesh:
    """A square facing +z: red and green on top, blue and white below."""
    texture = torch.zeros(32, 32, 3)
    texture[:16, :16, 0] = texture[:16, 16:, 1] = texture[16:, :16, 2] = 1
    texture[16:, 16:] = 1
    corners = torch.tensor([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
    return Mesh(corners, torch.tensor([[0, 1, 2], [0, 2, 3]]), uv=(corners[:, :2] + 1) / 2, texture=texture)


QUARTERS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]])


def test_pyvista_draws_the_texture_the_right_way_up() -> None:
    plotter = pyvista.Plotter(off_screen=True, window_size=(100, 100))
    plotter.add_mesh(to_pyvista(quadrants()), texture=pyvista_texture(quadrants()), lighting=False)
    plotter.view_xy()
    picture = plotter.screenshot(return_img=True)
    plotter.close()
    assert np.array_equal(picture[[35, 35, 65, 65], [35, 65, 35, 65]], QUARTERS)


def test_trimesh_finds_the_texture_the_right_way_up() -> None:
    made = to_trimesh(quadrants())
    where = np.array([[0.2, 0.8], [0.8, 0.8], [0.2, 0.2], [0.8, 0.2]])
    assert np.array_equal(made.visual.material.to_color(where)[:, :3], QUARTERS)


def test_open3d_writes_and_reads_the_texture_the_right_way_up(tmp_path: Path) -> None:
    path = tmp_path / "quad.obj"
    assert open3d.io.write_triangle_mesh(str(path), to_open3d(quadrants()))
    by_file = load_mesh(path)
    where = torch.tensor([[0.2, 0.8], [0.8, 0.8], [0.2, 0.2], [0.8, 0.2]])
    assert by_file.texture is not None
    close(255 * sample_texture(by_file.texture, where), torch.tensor(QUARTERS).float(), 1e-3)
    write_obj(tmp_path / "tube.obj", TUBE)
    for read in (open3d.io.read_triangle_mesh, open3d.t.io.read_triangle_mesh):
        found = interop.from_open3d(read(str(tmp_path / "tube.obj")))
        close(found.texture, TUBE.texture, HALF_A_LEVEL)
        close(corner_uv(found), corner_uv(TUBE), 1e-6)


def test_trimesh_writes_glb_with_our_attributes(tmp_path: Path) -> None:
    to_trimesh(TUBE).export(tmp_path / "tube.glb")
    found = load_mesh(tmp_path / "tube.glb")
    close(corner_uv(found), corner_uv(TUBE))
    close(found.vertices[found.faces], TUBE.vertices[TUBE.faces])


def test_normals_come_only_where_they_were_given() -> None:
    made = to_trimesh(BARE)
    assert made.vertex_normals.shape == (17, 3)  # now trimesh has computed them; they are as good as given
    assert interop.from_trimesh(made).normals is not None
    assert interop.from_trimesh(to_trimesh(BARE)).normals is None
    assert there_and_back(replace(TUBE, normals=None), "pyvista").normals is not None  # across the seams


def test_seams_stay_open_where_they_were_torn() -> None:
    made = to_pyvista(TUBE)
    made.points[-1] += 1  # a copy of a vertex on the seam
    found = interop.from_pyvista(made)
    assert len(found.vertices) == made.n_points > len(TUBE.vertices)
    assert found.mirror is None


def test_parts_of_a_mesh_lose_the_mirror_only() -> None:
    made = to_trimesh(TUBE)
    made.update_faces(np.arange(len(made.faces)) < 4)
    made.remove_unreferenced_vertices()
    found = interop.from_trimesh(made)
    close(found.vertices[found.faces], TUBE.vertices[TUBE.faces[:4]])
    close(found.morphs["open"][found.faces], TUBE.morphs["open"][TUBE.faces[:4]])
    assert found.mirror is None


def test_scenes_are_joined_and_said_so() -> None:
    scene = trimesh.Scene([to_trimesh(BARE)])
    scene.add_geometry(to_trimesh(BARE), transform=trimesh.transformations.translation_matrix((9, 0, 0)))
    with pytest.warns(UserWarning, match="2 parts are joined"):
        found = interop.from_trimesh(scene)
    assert len(found.faces) == 2 * len(BARE.faces)
    assert float(found.vertices[:, 0].max()) == pytest.approx(10)


def test_polygons_are_cut_into_triangles() -> None:
    found = interop.from_pyvista(pyvista.Plane(i_resolution=2, j_resolution=3))
    assert found.faces.shape == (12, 3)
    strip = pyvista.PolyData(np.random.default_rng(0).random((5, 3)), strips=[5, 0, 1, 2, 3, 4])
    assert interop.from_pyvista(strip).faces.shape == (3, 3)


def test_face_colors_and_several_textures() -> None:
    made = to_trimesh(TRIANGLE)
    made.visual = trimesh.visual.ColorVisuals(mesh=made, face_colors=[[255, 0, 0, 255]])
    close(interop.from_trimesh(made).colors, torch.tensor([[1.0, 0, 0]]).expand(3, 3))
    both = to_open3d(quadrants())
    both.textures = [both.textures[0], both.textures[0]]
    with pytest.warns(UserWarning, match="2 textures"):
        assert interop.from_open3d(both).texture is None


@pytest.mark.parametrize(
    ("library", "other", "message"),
    [
        ("trimesh", trimesh.PointCloud(np.eye(3)), "PointCloud"),
        ("trimesh", trimesh.Scene(), "nothing"),
        ("trimesh", trimesh.Scene([trimesh.PointCloud(np.eye(3))]), "PointCloud"),
        ("trimesh", None, "NoneType"),
        ("pyvista", pyvista.PolyData(np.eye(3)), "0 lines, 3 vertex cells and no faces"),
        ("pyvista", pyvista.Line(), "1 lines, 0 vertex cells and no faces"),
        ("pyvista", pyvista.ImageData(dimensions=(2, 2, 2)), r"extract_surface.*ImageData"),
        ("open3d", open3d.geometry.PointCloud(), "PointCloud"),
        ("open3d", open3d.t.geometry.PointCloud(), "PointCloud"),
    ],
)
def test_says_what_came(library: str, other: object, message: str) -> None:
    with pytest.raises(MeshError, match=message):
        getattr(interop, f"from_{library}")(other)


def test_importing_interop_loads_no_library() -> None:
    code = "import headviz.interop, sys; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"trimesh", "pyvista", "vtk", "vtkmodules", "open3d", "pytorch3d"} & set(done.stdout.split())


@pytest.mark.parametrize(
    ("library", "extra"), [("pyvista", "desktop"), ("open3d", "open3d"), ("pytorch3d", "pytorch3d")]
)
def test_names_the_missing_extra(library: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str, *_: object) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name.partition(".")[0])

    monkeypatch.setattr(importlib, "import_module", missing)
    for call in (getattr(interop, f"to_{library}"), getattr(interop, f"from_{library}")):
        with pytest.raises(MissingExtraError, match=rf"{library} is not installed.*headviz\[{extra}\]"):
            call(BARE)
