"""What the sculpt window computes: its camera, what it opens, its heads. No window is opened."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageSequence

from headviz.errors import InputError, OutputError
from headviz.geometry.files import write_glb
from headviz.heads import load_head
from headviz.heads.sculptable import group_of, identity_morphs, identity_weights, sculptable_head, with_identity
from headviz.sculpt import SculptSession, SetSliders
from headviz.viewers.picture import check_motion, write_frames
from headviz_apps.sculpt.camera import VIEWS, Camera, hit_face, hit_near
from headviz_apps.sculpt.opening import load, session_of

ANGLE = st.floats(-180, 180)
PIXEL = st.floats(0, 600)


def quiet(_: str) -> None:
    """No progress."""


@given(ANGLE, st.floats(-89, 89), PIXEL, PIXEL, st.floats(0.1, 5))
def test_pixels_and_points_belong_together(yaw: float, pitch: float, x: float, y: float, depth: float) -> None:
    camera = Camera((0.01, 0.02, -0.03), 0.8, yaw, pitch, 900, 600)
    np.testing.assert_allclose(camera.project(camera.at_depth(x, y, depth)), [x, y, depth], atol=1e-6)
    np.testing.assert_allclose(camera.axes @ camera.axes.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(camera.axes) == pytest.approx(1)


def test_camera_agrees_with_vtk() -> None:
    vtk = pytest.importorskip("vtkmodules.vtkRenderingCore")
    camera = Camera((0.01, 0.02, -0.03), 0.8, 35, 20, 900, 600)
    other = vtk.vtkCamera()
    other.SetFocalPoint(*camera.target)
    other.SetPosition(*camera.eye)
    other.SetViewUp(*camera.axes[1])
    other.SetViewAngle(camera.field)
    matrix = other.GetCompositeProjectionTransformMatrix(900 / 600, 0.1, 2)
    point = np.array([0.05, -0.03, 0.06])
    seen = np.array(matrix.MultiplyPoint([*point, 1]))
    there = seen[:2] / seen[3]
    np.testing.assert_allclose(camera.project(point)[:2], [450 * (1 + there[0]), 300 * (1 - there[1])], atol=1e-6)


def test_views_look_from_where_they_say() -> None:
    eyes = {name: Camera().looking(*angles).axes[2] for name, angles in VIEWS.items()}
    np.testing.assert_allclose(eyes["front"], [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(eyes["left"], [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(eyes["right"], [-1, 0, 0], atol=1e-12)
    assert eyes["top"][1] > 0.99


def test_first_face_on_a_ray_is_trimeshs() -> None:
    head = load_head()
    faces = head.faces.numpy().astype(np.int32)
    camera = Camera(distance=0.9, yaw=25, pitch=5, width=600, height=600).framed(
        head.mean.numpy().min(0), head.mean.numpy().max(0)
    )
    mesh = trimesh.Trimesh(head.mean.numpy(), faces, process=False)
    hits = 0
    for x, y in np.random.default_rng(0).uniform(100, 500, (40, 2)):
        found = hit_face(camera.eye, camera.ray(x, y), head.mean.numpy(), faces, chunk=1000)
        places, _, _ = mesh.ray.intersects_location([camera.eye], [camera.ray(x, y)])
        assert (found is None) == (len(places) == 0)
        if found is not None:
            nearest = places[np.linalg.norm(places - camera.eye, axis=1).argmin()]
            np.testing.assert_allclose(found[1] @ head.mean.numpy()[faces[found[0]]], nearest, atol=1e-6)
            near = hit_near(camera.eye, camera.ray(x, y), head.mean.numpy(), faces, nearest + 1e-4, 0.02)
            assert near is not None
            assert near[0] == found[0]
            elsewhere = hit_near(camera.eye, camera.ray(x, y), head.mean.numpy(), faces, nearest + 1, 1e-3)
            assert elsewhere is not None
            assert elsewhere[0] == found[0]
            hits += 1
    assert hits > 10


def test_head_comes_with_all_its_sliders() -> None:
    head, mesh = load_head(), sculptable_head()
    groups = [group_of(name) for name in mesh.morphs]
    assert groups.count("expression") == 52
    assert groups.count("identity") == len(head.identity)
    assert "other" not in groups
    slider = head.sliders[0]
    session = SculptSession(mesh)
    session.apply(SetSliders({slider.name: 2.0, "jawOpen": 0.5}))
    identity = torch.zeros(len(head.identity))
    identity[slider.component] = 2.0 * slider.sign
    expression = torch.tensor([0.5 * (name == "jawOpen") for name in head.expression_names])
    np.testing.assert_allclose(session.positions, head.vertices(identity, expression).numpy(), atol=1e-7)


def test_identity_of_a_head_is_found_again() -> None:
    head = load_head()
    wanted = head.sample(1, seed=3)[0]
    found = identity_weights(head.vertices(wanted))
    morphs = identity_morphs(head)
    made = head.mean + sum(weight * morphs[name] for name, weight in found.items())
    assert float((made - head.vertices(wanted)).abs().max()) < 1e-6
    signs = {slider.component: slider.sign for slider in head.sliders}
    np.testing.assert_allclose([signs.get(k, 1) * w for k, w in enumerate(found.values())], wanted, atol=1e-3)
    with pytest.raises(ValueError, match="4506"):
        identity_weights(torch.zeros(3, 3))


def test_other_meshes_get_no_identity() -> None:
    head = load_head().solid()
    assert with_identity(head) is head


def test_reconstruction_keeps_its_texture(tmp_path: Path) -> None:
    head = load_head()
    mesh = head.mesh(head.vertices(head.sample(1, seed=1)[0]))
    textured = type(mesh)(**{**vars(mesh), "texture": torch.rand(16, 16, 3)})
    write_glb(tmp_path / "head.glb", textured)
    loaded = load(str(tmp_path), quiet)
    session = session_of(loaded)
    assert loaded.name == tmp_path.name
    assert session.base.texture is not None
    assert {group_of(name) for name in session.sliders} == {"expression", "identity"}
    assert session.surface.mirror is not None


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("nothing.obj", None, "No such file"),
        ("foreign.xyz", b"hello", "should be a mesh, a session or a photograph"),
        ("broken.glb", b"glTF....", "broken.glb"),
        ("other.json", b'{"a": 1}', "other.json"),
        ("broken.png", b"PNG", "broken.png"),
    ],
)
def test_what_cannot_be_opened_is_named(name: str, content: bytes | None, says: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=says):
        load(str(tmp_path / name), quiet)


def test_folder_without_a_reconstruction_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"head\.glb"):
        load(str(tmp_path), quiet)


def test_motion_is_refused_before_it_is_drawn(tmp_path: Path) -> None:
    check_motion(tmp_path / "turn.gif")
    for name, says in (("turn.webm", r"\.gif or \.mp4"), ("none/turn.mp4", "folder does not exist")):
        with pytest.raises(OutputError, match=says):
            check_motion(tmp_path / name)


def test_frames_become_a_picture_that_moves(tmp_path: Path) -> None:
    drawn = [Image.new("RGB", (64, 48), (60 * k, 90, 120)) for k in range(4)]
    write_frames(drawn, tmp_path / "turn.gif", seconds=0.25, hold=1.0, dither=True)
    with Image.open(tmp_path / "turn.gif") as opened:
        frames = [(np.array(one.convert("RGB")), one.info["duration"]) for one in ImageSequence.Iterator(opened)]
    assert [wait for _, wait in frames] == [250, 250, 250, 1250]
    for (picture, _), expected in zip(frames, drawn, strict=True):
        assert abs(picture.astype(int).mean((0, 1)) - np.asarray(expected).mean((0, 1))).max() < 6
