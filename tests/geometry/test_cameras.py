"""Batches of cameras: the same as one camera after the other, differentiable in every number."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck

from headviz.errors import ShapeError
from headviz.geometry.camera import Camera, Cameras, look_at_head

DOUBLE = torch.float64
POINTS = torch.tensor([[0.05, 0.02, 0.0], [-0.05, 0.1, 0.02], [0.0, -0.07, 0.11], [0.2, 0.2, -0.3]])


def some(count: int = 3, dtype: torch.dtype = torch.float32) -> list[Camera]:
    """Cameras that differ in everything but the pictures' size, which is not square."""
    made = []
    for k in range(count):
        seen = look_at_head(yaw=0.7 * k - 0.5, pitch=0.3 - 0.2 * k, distance=0.6 + 0.2 * k, target=(0.01 * k, 0, 0.02))
        center = torch.tensor([13.3 + 2 * k, 9.1 - k], dtype=dtype)
        made.append(Camera(seen.rotation.to(dtype), seen.translation.to(dtype), 30.5 + 7 * k, center, 31, 17))
    return made


def values(cameras: Cameras) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return cameras.rotation, cameras.translation, cameras.focal, cameras.center


def same(one: Cameras, other: Cameras) -> bool:
    return all(map(torch.equal, values(one), values(other))) and (one.width, one.height) == (other.width, other.height)


def test_a_batch_keeps_every_camera() -> None:
    batch = Cameras.of(some())
    assert len(batch) == 3
    assert (batch.width, batch.height) == (31, 17)
    assert batch.focal.tolist() == [30.5, 37.5, 44.5]
    for k, camera in enumerate(some()):
        one = batch[k]
        for name in ("rotation", "translation", "center"):
            assert torch.equal(getattr(one, name), getattr(camera, name))
        assert (one.focal, one.width, one.height) == (camera.focal, 31, 17)
    assert len(list(batch)) == 3
    assert torch.equal(batch[-1].center, batch[2].center)
    with pytest.raises(IndexError):
        batch[3]
    assert same(Cameras.of(some()[0]), Cameras.of(some()[:1]))
    with pytest.raises(FrozenInstanceError):
        batch.width = 5  # type: ignore[misc]


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
def test_a_batch_sees_what_each_camera_sees(dtype: torch.dtype) -> None:
    batch, points = Cameras.of(some(dtype=dtype)), POINTS.to(dtype)
    each = torch.stack([points + 0.01 * k for k in range(3)])
    for k, camera in enumerate(some(dtype=dtype)):
        for given_, own in ((points[None], points), (each, each[k])):
            torch.testing.assert_close(batch.to_camera(given_)[k], camera.to_camera(own), atol=1e-6, rtol=1e-6)
            torch.testing.assert_close(batch.project(given_)[k], camera.project(own), atol=1e-4, rtol=1e-6)
        torch.testing.assert_close(batch.position[k], camera.position, atol=1e-6, rtol=0)
        columns, rows = batch.image_plane()
        origin, directions = camera.rays()
        local = directions @ camera.rotation.T
        torch.testing.assert_close(columns[k].expand(17, 31), local[..., 0], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(rows[k][:, None].expand(17, 31), local[..., 1], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(origin, batch.position[k], atol=1e-6, rtol=0)
    assert batch.project(points[None]).dtype == columns.dtype == rows.dtype == dtype


@given(st.integers(0, 30), st.integers(0, 16), st.floats(0.1, 9), st.integers(0, 2))
def test_a_point_on_a_pixels_ray_is_seen_at_its_centre(column: int, row: int, depth: float, k: int) -> None:
    batch = Cameras.of(some(dtype=DOUBLE))
    x, y = batch.image_plane()
    local = depth * torch.tensor([float(x[k, column]), float(y[k, row]), -1.0], dtype=DOUBLE)
    seen = batch.to_pixels(local.expand(3, 1, 3))[k, 0]
    assert seen.tolist() == pytest.approx([column + 0.5, row + 0.5], abs=1e-10)
    world = torch.linalg.solve(batch.rotation[k], local - batch.translation[k])
    assert batch.project(world[None, None])[k, 0].tolist() == pytest.approx([column + 0.5, row + 0.5], abs=1e-9)


@pytest.mark.parametrize("yaws", [[0.3], [-3.1, 0.0, 0.5, 1.5, 2.5], [0.1 * k for k in range(21)]])
def test_an_orbit_of_many_is_that_of_one_bit_for_bit(yaws: list[float]) -> None:
    yaw = torch.tensor(yaws)
    pitch, distance, focal = yaw * 0.4, 0.7 + yaw * 0.05, 2 + yaw * 0.1
    target = torch.stack([yaw * 0.01, yaw * 0.02, 0.01 - yaw * 0.01], -1)
    batch = Cameras.orbit(yaw, pitch, distance=distance, target=target, focal=focal, size=40)
    for k in range(len(yaw)):
        x, y, z = target[k].tolist()
        one = look_at_head(
            yaw=float(yaw[k]), pitch=float(pitch[k]), distance=float(distance[k]), target=(x, y, z),
            focal=float(focal[k]), size=40,
        )  # fmt: skip
        for name in ("rotation", "translation", "center"):
            assert torch.equal(getattr(batch[k], name), getattr(one, name)), name
        assert batch[k].focal == pytest.approx(one.focal, rel=1e-6)


@given(st.floats(-3, 3), st.floats(-1.5, 1.5), st.floats(0.1, 9), st.tuples(*[st.floats(-1, 1)] * 3))
def test_an_orbit_is_where_the_angles_say(yaw: float, pitch: float, distance: float, target: tuple[float, ...]) -> None:
    batch = Cameras.orbit(
        torch.tensor([yaw], dtype=DOUBLE), pitch, distance=distance, target=torch.tensor(target, dtype=DOUBLE), size=30
    )
    away = np.array([math.sin(yaw) * math.cos(pitch), math.sin(pitch), math.cos(yaw) * math.cos(pitch)])
    # To the last bits of float64: the plain numbers beside the tensor are not rounded to float32.
    np.testing.assert_allclose(batch.position[0], np.array(target) + distance * away, atol=1e-13)
    rotation = batch.rotation[0].numpy()
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-14)
    assert np.linalg.det(rotation) == pytest.approx(1)
    np.testing.assert_allclose(rotation[2], away, atol=1e-14)  # looks down −z, at the target
    assert rotation[0, 1] == 0  # its right is level
    assert rotation[1, 1] >= 0  # its up is up
    assert batch.focal.tolist() == [90.0]
    assert batch.center.tolist() == [[15.0, 15.0]]


def test_an_orbit_of_numbers_is_one_camera_and_one_of_targets_is_many() -> None:
    assert len(Cameras.orbit()) == 1
    assert Cameras.orbit(1, 0, distance=2).rotation.dtype == torch.float32
    batch = Cameras.orbit(0.2, target=torch.zeros(4, 3), distance=torch.tensor([0.5]))
    assert len(batch) == 4
    assert all(same(Cameras.of(batch[k]), Cameras.of(batch[0])) for k in range(4))
    assert Cameras.orbit(torch.zeros(2, dtype=DOUBLE), target=(0.1, 0.0, 0.0)).translation.dtype == DOUBLE


def test_an_orbit_is_made_where_its_tensors_are() -> None:
    made = Cameras.orbit(torch.zeros(3, device="meta"), 0.1, target=(0.1, 0.2, 0.3))
    assert {value.device.type for value in values(made)} == {"meta"}


@pytest.mark.parametrize("factor", [1, 2, 5])
def test_enlarged_cameras_see_the_same_in_more_pixels(factor: int) -> None:
    batch = Cameras.of(some(dtype=DOUBLE))
    large = batch.enlarged(factor)
    assert (large.width, large.height) == (31 * factor, 17 * factor)
    points = POINTS.double()[None]
    torch.testing.assert_close(large.project(points), batch.project(points) * factor)
    for one, many in zip(batch.image_plane(), large.image_plane(), strict=True):
        torch.testing.assert_close(many.unflatten(1, (-1, factor)).mean(-1), one)  # a pixel is the middle of its k × k


def test_repeated_cameras_come_in_turns() -> None:
    batch = Cameras.of(some())
    twice = batch.repeated(2)
    assert len(twice) == 6
    for k in range(6):
        assert same(Cameras.of(twice[k]), Cameras.of(batch[k % 3]))
    assert same(batch.repeated(1), batch)


def test_projection_has_gradients_in_everything() -> None:
    batch = Cameras.of(some(2, DOUBLE))
    inputs = (POINTS.double().expand(2, 4, 3).clone(), *(value.clone() for value in values(batch)))

    def project(points: Tensor, *numbers: Tensor) -> tuple[Tensor, ...]:
        cameras = Cameras(*numbers, 31, 17)
        return cameras.project(points), cameras.position, *cameras.image_plane()

    assert gradcheck(project, [value.requires_grad_() for value in inputs], check_batched_grad=False)


def test_an_orbit_has_gradients_in_everything() -> None:
    def orbit(yaw: Tensor, pitch: Tensor, distance: Tensor, target: Tensor, focal: Tensor) -> tuple[Tensor, ...]:
        made = Cameras.orbit(yaw, pitch, distance=distance, target=target, focal=focal, size=64)
        return made.rotation, made.translation, made.focal, made.project(POINTS.double()[None])

    numbers = [[0.3, -2.0, 1.1], [0.2, -0.7, 1.3], [0.9, 1.2, 0.6], [[0.1, 0.0, 0.2]] * 3, [3.0, 2.0, 1.0]]
    assert gradcheck(orbit, [torch.tensor(number, dtype=DOUBLE).requires_grad_() for number in numbers])
    one = [torch.tensor(number[0], dtype=DOUBLE).requires_grad_() for number in numbers]  # no first dimension
    assert gradcheck(orbit, one)


def test_gradients_flow_through_a_batch_to_its_cameras() -> None:
    one, two = some(2, DOUBLE)
    one = replace(one, translation=one.translation.requires_grad_())
    Cameras.of([one, two]).project(POINTS.double()[None]).sum().backward()
    assert one.translation.grad is not None
    assert bool((one.translation.grad != 0).all())
    moving = replace(Cameras.of(two), focal=torch.tensor([33.0], dtype=DOUBLE).requires_grad_())
    assert moving[0].focal == 33.0  # without the warning that PyTorch has for it


def test_points_in_a_cameras_plane_do_not_spoil_gradients() -> None:
    batch = Cameras(torch.eye(3)[None], torch.zeros(1, 3), torch.tensor([9.0]), torch.tensor([[4.0, 3.0]]), 8, 6)
    points = torch.tensor([[[0.1, 0.2, 0.0], [0.1, 0.2, -2.0]]]).requires_grad_()
    seen = batch.to_pixels(points)
    assert bool(torch.isfinite(seen).all())
    seen[0, 1].sum().backward()  # the other one is not used
    assert points.grad is not None
    torch.testing.assert_close(points.grad[0], torch.tensor([[0.0, 0, 0], [4.5, -4.5, 0.225 - 0.45]]))


def test_wrong_shapes_are_named() -> None:
    rotation, translation, focal, center = values(Cameras.of(some()))
    for changed, message in (
        ({"translation": translation[:2]}, r"translation of 3 cameras should have shape \(3, 3\); shape is \(2, 3\)"),
        ({"focal": focal[:, None]}, r"focal of 3 cameras should have shape \(3,\); shape is \(3, 1\)"),
        ({"center": center[..., :1]}, r"center of 3 cameras should have shape \(3, 2\); shape is \(3, 1\)"),
        ({"rotation": rotation[0]}, r"rotation of 3 cameras should have shape \(3, 3, 3\); shape is \(3, 3\)"),
        ({"rotation": torch.tensor(1.0)}, r"rotation of 0 cameras should have shape \(0, 3, 3\); shape is \(\)"),
        ({"width": 0}, "at least one pixel; they have 0 × 17"),
        ({"height": -2}, "at least one pixel; they have 31 × -2"),
    ):
        with pytest.raises(ShapeError, match=message):
            replace(Cameras.of(some()), **changed)  # type: ignore[arg-type]


def test_cameras_of_several_sizes_are_no_batch() -> None:
    other = replace(some()[0], width=30)
    with pytest.raises(ShapeError, match=r"pictures of one size; they have \[\(30, 17\), \(31, 17\)\]"):
        Cameras.of([*some(), other])
    with pytest.raises(ShapeError, match=r"of one size; they have \[\]"):
        Cameras.of([])


def test_some_of_a_batch_are_chosen_by_number() -> None:
    cameras = Cameras.orbit(torch.tensor([0.0, 0.5, 1.0]), size=16)
    some = cameras.select(torch.tensor([2, 0, 2]))
    for place, number in enumerate((2, 0, 2)):
        assert torch.equal(some.rotation[place], cameras.rotation[number])
        assert torch.equal(some.translation[place], cameras.translation[number])
    assert (some.width, len(some)) == (16, 3)
