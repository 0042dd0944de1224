"""The pinhole camera: where points are seen, and that rays and projection agree."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from headviz.geometry.camera import Camera, look_at_head

cameras = st.builds(
    look_at_head,
    yaw=st.floats(-3, 3),
    pitch=st.floats(-1.4, 1.4),
    distance=st.floats(0.3, 3),
    target=st.tuples(*[st.floats(-0.2, 0.2)] * 3),
    focal=st.floats(0.5, 5),
    size=st.integers(8, 40),
)
IDENTITY = Camera(torch.eye(3), torch.zeros(3), 100.0, torch.tensor([32.0, 24.0]), 64, 48)


def test_a_point_is_seen_where_the_formula_says() -> None:
    # u = cx + f·x/(−z), v = cy − f·y/(−z)
    seen = IDENTITY.project(torch.tensor([[0.1, 0.2, -2.0], [0.0, 0.0, -1.0]]))
    torch.testing.assert_close(seen, torch.tensor([[37.0, 14.0], [32.0, 24.0]]))


def test_rays_of_pixel_centres_start_half_a_pixel_in() -> None:
    origin, directions = IDENTITY.rays()
    assert origin.tolist() == [0.0, 0.0, 0.0]
    assert directions.shape == (48, 64, 3)
    torch.testing.assert_close(directions[0, 0], torch.tensor([-0.315, 0.235, -1.0]))


@given(cameras, st.floats(0.1, 5))
def test_rays_and_projection_agree(camera: Camera, depth: float) -> None:
    origin, directions = camera.rays()
    points = origin + depth * directions
    u, v = torch.meshgrid(torch.arange(camera.width) + 0.5, torch.arange(camera.height) + 0.5, indexing="xy")
    seen = camera.project(points)
    torch.testing.assert_close(seen, torch.stack([u, v], dim=-1), atol=2e-2, rtol=1e-3)
    along_axis = -camera.to_camera(points)[..., 2]
    torch.testing.assert_close(along_axis, torch.full_like(along_axis, depth), atol=1e-4, rtol=1e-4)


@given(cameras)
def test_a_camera_is_a_rigid_motion_and_stands_where_it_says(camera: Camera) -> None:
    torch.testing.assert_close(camera.rotation @ camera.rotation.T, torch.eye(3), atol=1e-5, rtol=0)
    assert float(torch.det(camera.rotation)) == pytest.approx(1.0, abs=1e-5)
    assert float(camera.to_camera(camera.position).norm()) < 1e-5


@given(st.floats(-3, 3), st.floats(-1.4, 1.4), st.floats(0.3, 3))
def test_an_orbit_keeps_the_target_in_the_middle(yaw: float, pitch: float, distance: float) -> None:
    target = (0.1, -0.2, 0.05)
    camera = look_at_head(yaw=yaw, pitch=pitch, distance=distance, target=target, size=200)
    torch.testing.assert_close(camera.project(torch.tensor(target)), torch.tensor([100.0, 100.0]), atol=1e-2, rtol=0)
    assert float((camera.position - torch.tensor(target)).norm()) == pytest.approx(distance, rel=1e-5)


def test_the_front_view_shows_the_face_upright_and_the_heads_left_on_the_right() -> None:
    camera = look_at_head(size=100)
    nose, left_ear, crown = camera.project(torch.tensor([[0.0, 0.0, 0.1], [0.08, 0.0, 0.0], [0.0, 0.1, 0.0]]))
    assert float(camera.position[2]) == pytest.approx(0.9)  # in front of the face
    assert nose.tolist() == pytest.approx([50.0, 50.0])
    assert left_ear[0] > 60
    assert crown[1] < 40


def test_yaw_and_pitch_move_the_camera_as_documented() -> None:
    assert float(look_at_head(yaw=math.pi / 2).position[0]) == pytest.approx(0.9)
    assert float(look_at_head(pitch=0.5).position[1]) == pytest.approx(0.9 * math.sin(0.5))


@given(cameras, st.floats(0.3, 4))
def test_a_scaled_camera_sees_the_same_picture(camera: Camera, factor: float) -> None:
    points = torch.tensor([[0.05, 0.02, 0.0], [-0.05, 0.1, 0.02]])
    scaled = camera.scaled(factor)
    torch.testing.assert_close(scaled.project(points), camera.project(points) * factor, atol=1e-3, rtol=1e-4)
    assert (scaled.width, scaled.height) == (max(1, round(camera.width * factor)),) * 2


def test_a_batch_of_points_keeps_its_shape_and_has_gradients() -> None:
    points = torch.randn(2, 3, 4, 3, dtype=torch.float64) * 0.1
    camera = look_at_head(yaw=0.3)
    camera = Camera(
        camera.rotation.double(), camera.translation.double(), camera.focal, camera.center.double(), 512, 512
    )
    assert camera.project(points).shape == (2, 3, 4, 2)
    assert torch.autograd.gradcheck(camera.project, points[0, 0].requires_grad_())
