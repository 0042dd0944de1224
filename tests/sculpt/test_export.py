"""Sculpted heads as mesh files, and back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh

from headviz.errors import OutputError, SessionError
from headviz.geometry.files import write_glb, write_obj, write_ply, write_stl
from headviz.geometry.glb import MORPH_FLOOR
from headviz.geometry.mesh import Mesh
from headviz.interop import load_mesh
from headviz.sculpt import Brush, SculptSession, SetSliders, Stroke
from headviz.sculpt.export import EXPORT_FORMATS, baked_mesh, export_mesh, posed_mesh
from headviz.sculpt.files import open_session, save_session, start_session

CHEEK = (0.055, -0.03, 0.02)
HALF_A_LEVEL = 0.0045  # of 8-bit sRGB, in linear light
MICROMETRE = 5.1e-7  # half of one: what OBJ's rounding may do


@pytest.fixture(scope="module")
def textured(head: Mesh) -> Mesh:
    texture = torch.rand(8, 8, 3, generator=torch.Generator().manual_seed(0))
    return replace(head, texture=texture)


def write(path, mesh: Mesh) -> None:
    {".glb": write_glb, ".obj": write_obj, ".ply": write_ply, ".stl": write_stl}[path.suffix](path, mesh)


def corner_uv(mesh: Mesh) -> torch.Tensor:
    assert mesh.uv is not None
    return mesh.uv[mesh.faces if mesh.uv_faces is None else mesh.uv_faces]


@pytest.mark.parametrize("kind", EXPORT_FORMATS)
def test_a_file_that_is_not_sculpted_comes_out_as_it_went_in(kind, textured, tmp_path):
    write(tmp_path / f"in{kind}", textured)
    first = load_mesh(tmp_path / f"in{kind}")
    export_mesh(start_session(tmp_path / f"in{kind}"), tmp_path / f"out{kind}")
    second = load_mesh(tmp_path / f"out{kind}")
    assert torch.equal(second.vertices, first.vertices)
    assert torch.equal(second.faces, first.faces)
    torch.testing.assert_close(
        second.vertices[second.faces],
        textured.vertices[textured.faces],
        rtol=0,
        atol=MICROMETRE if kind == ".obj" else 0,
    )
    if kind != ".stl":
        torch.testing.assert_close(corner_uv(second), corner_uv(first), rtol=0, atol=1e-6)
    if kind in (".glb", ".obj"):
        torch.testing.assert_close(second.texture, first.texture, rtol=0, atol=1e-3)
        assert first.texture is not None
    if kind == ".ply":
        torch.testing.assert_close(second.colors, first.colors, rtol=0, atol=HALF_A_LEVEL)
    if kind == ".glb":
        assert list(second.morphs) == list(textured.morphs)
        for name, offsets in textured.morphs.items():
            apart = (second.morphs[name][second.faces] - offsets[textured.faces]).norm(dim=-1).max()
            assert apart <= MORPH_FLOOR * 1.001


def test_obj_keeps_the_numbers_of_an_artists_file(head, tmp_path):
    order = torch.randperm(len(head.vertices), generator=torch.Generator().manual_seed(0))
    back = torch.argsort(order)
    shuffled = Mesh(head.vertices[order], back[head.faces], head.uv, head.uv_faces)
    write_obj(tmp_path / "in.obj", shuffled)
    session = start_session(tmp_path / "in.obj")
    session.apply(Stroke(Brush(radius=0.03), (CHEEK,), (0.01, 0.0, 0.0)))
    export_mesh(session, tmp_path / "out.obj")
    lines = [(tmp_path / name).read_text().splitlines() for name in ("in.obj", "out.obj")]
    for kind in ("f ", "vt "):
        assert [x for x in lines[0] if x.startswith(kind)] == [x for x in lines[1] if x.startswith(kind)]
    vertices = [[x for x in part if x.startswith("v ")] for part in lines]
    moved = [k for k, (one, other) in enumerate(zip(*vertices, strict=True)) if one != other]
    far = np.linalg.norm(session.positions - session.surface.rest, axis=1)
    assert moved
    assert set(np.flatnonzero(far > 2e-6)) <= set(moved) <= set(np.flatnonzero(far > 0))


def test_sliders_stay_sliders_in_glb_and_are_baked_elsewhere(head, tmp_path):
    session = SculptSession(head)
    session.apply(Stroke(Brush(radius=0.04), (CHEEK,), (0.01, 0.0, 0.01)))
    still = session.positions.copy()
    session.apply(SetSliders({"jawOpen": 0.7, "mouthSmileLeft": 0.4}))
    for kind in EXPORT_FORMATS:
        written = export_mesh(session, tmp_path / f"a{kind}", attribution="someone, CC0")
        assert written == [tmp_path / f"a{kind}"]
    pose = load_mesh(tmp_path / "a.glb")
    np.testing.assert_allclose(pose.vertices[pose.faces], still[head.faces], atol=2e-8)
    mesh, weights = posed_mesh(session)
    assert weights == {"jawOpen": 0.7, "mouthSmileLeft": 0.4}
    whole = mesh.vertices + sum(weight * mesh.morphs[name] for name, weight in weights.items())
    np.testing.assert_allclose(whole, session.positions, atol=2e-8)
    scene = (tmp_path / "a.glb").read_bytes()
    values = [0.0] * len(head.morphs)
    for name, weight in weights.items():
        values[list(head.morphs).index(name)] = weight
    assert f'"weights":[{",".join(map(str, values))}]'.encode() in scene
    for kind, exact in ((".ply", 0.0), (".stl", 0.0), (".obj", MICROMETRE)):
        found = load_mesh(tmp_path / f"a{kind}")
        np.testing.assert_allclose(found.vertices[found.faces], session.positions[head.faces], rtol=0, atol=exact)
    assert baked_mesh(session).morphs == {}


@pytest.mark.parametrize("kind", EXPORT_FORMATS)
def test_a_mesh_goes_back_to_the_frame_of_its_file(kind, tmp_path):
    ball = trimesh.creation.icosphere(3, 120.0)
    mesh = Mesh(
        torch.from_numpy(ball.vertices).float() + torch.tensor([0.0, 1600.0, 20.0]), torch.from_numpy(ball.faces).long()
    )
    write(tmp_path / f"in{kind}", mesh)
    session = start_session(tmp_path / f"in{kind}", fixes=["all"])
    assert session.surface.size == pytest.approx(0.24, rel=1e-3)
    session.apply(Stroke(Brush(radius=0.04), ((0.0, 0.0, 0.12),), (0.0, 0.0, 0.03)))
    export_mesh(session, tmp_path / f"out{kind}")
    before, after = (load_mesh(tmp_path / f"{name}{kind}").vertices for name in ("in", "out"))
    apart = (after - before).norm(dim=1)
    assert float(apart.max()) == pytest.approx(30, rel=0.01)
    assert float(apart[before[:, 2] < 0].max()) < 2e-4  # a last place of float32 at 1600
    assert float(before[apart.argmax(), 2]) == pytest.approx(140, abs=5)


def test_colors_of_vertices_survive(head, tmp_path):
    colors = torch.rand(len(head.vertices), 3, generator=torch.Generator().manual_seed(0))
    session = SculptSession(Mesh(head.vertices, head.faces, colors=colors))
    for kind in (".glb", ".obj", ".ply"):
        export_mesh(session, tmp_path / f"a{kind}")
        found = load_mesh(tmp_path / f"a{kind}")
        torch.testing.assert_close(found.colors[found.faces], colors[head.faces], rtol=0, atol=HALF_A_LEVEL)


def test_writing_over_the_base_does_not_lose_the_session(sheet, tmp_path):
    write_obj(tmp_path / "a.obj", sheet)
    session = start_session(tmp_path / "a.obj")
    session.apply(Stroke(Brush(radius=0.04), ((0.0, 0.0, 0.0),), (0.0, 0.0, 0.03)))
    save_session(session, tmp_path / "before.json")
    with pytest.warns(UserWarning, match=r"a\.obj was the base of the session: save the session again"):
        export_mesh(session, tmp_path / "a.obj")
    save_session(session, tmp_path / "after.json")
    assert np.array_equal(open_session(tmp_path / "after.json").positions, session.positions)
    with pytest.raises(SessionError, match=r"a\.obj has changed"):
        open_session(tmp_path / "before.json")


def test_other_endings_and_places(session, tmp_path):
    for path, message in ((tmp_path / "a.fbx", r"should end in .glb, .obj, .ply, .stl; it ends in '.fbx'"),
                          (tmp_path / "gone" / "a.glb", "its folder does not exist")):  # fmt: skip
        with pytest.raises(OutputError, match=message):
            export_mesh(session, path)
    assert list(tmp_path.iterdir()) == []
