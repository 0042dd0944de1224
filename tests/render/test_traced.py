"""Traced pictures: cones lose no hit, depths and normals are those of the closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from headviz.errors import InputError, RayError
from headviz.geometry.camera import Camera, look_at_head
from headviz.geometry.color import to_uint8
from headviz.geometry.presets import preset
from headviz.geometry.trace import sphere_trace
from headviz.geometry.trace_history import Status
from headviz.render.colormap import viridis
from headviz.render.cones import ConeField, TraceSettings, cone_starts
from headviz.render.light import headlight
from headviz.render.surface import BACKGROUND, SKIN
from headviz.render.traced import surface_normals, trace_camera
from headviz.viewers.maps import colored


class Balls:
    """The distance to small spheres; some pixels see them only at their rims."""

    lipschitz = 1.0

    def __init__(self, centers=((0.0, 0.0, 0.0),), radius=0.1):
        self.centers, self.radius, self.count = torch.tensor(centers), radius, 0
        self.bounds = torch.stack([self.centers.amin(0) - radius, self.centers.amax(0) + radius])

    def __call__(self, points: Tensor) -> Tensor:
        self.count += len(points)
        return torch.cdist(points, self.centers.to(points)).amin(1) - self.radius


class Opaque(Balls):
    """The same without a gradient."""

    def __call__(self, points: Tensor) -> Tensor:
        return super().__call__(points.detach())


class Painted(Balls):
    def color(self, points: Tensor) -> Tensor:
        return points.sign().clamp(min=0)


def double(camera: Camera) -> Camera:
    parts = (camera.rotation.double(), camera.translation.double(), camera.focal, camera.center.double())
    return Camera(*parts, camera.width, camera.height)


def direct(field, camera: Camera, **options):
    origin, directions = camera.rays()
    rays = directions.reshape(-1, 3)
    return sphere_trace(field, origin.expand_as(rays), rays, **{"near": 0.0, "far": 5.0} | options)


def crowd() -> Balls:
    """Twelve overlapping and separate balls, with many rims one behind another."""
    centers = 0.12 * torch.randn(12, 3, generator=torch.Generator().manual_seed(3))
    return Balls(tuple(map(tuple, centers.tolist())), 0.05)


@pytest.mark.parametrize("blocks", [(16, 4), (8,), (32, 8, 2), (6, 2)])
@pytest.mark.parametrize("relaxation", [1.0, 1.5, "adaptive"])
def test_cones_give_the_direct_picture(blocks: tuple[int, ...], relaxation: float | str) -> None:
    """In double precision and to a small tolerance, so that both mean the same surface, rims included."""
    camera = double(look_at_head(yaw=0.6, pitch=-0.2, size=75, focal=1.5))
    options = {"tolerance": 1e-7, "max_steps": 1000, "relaxation": relaxation}
    image = trace_camera(crowd(), camera, settings=TraceSettings(**options, blocks=blocks, normals=False))
    other = direct(crowd(), camera, **options)
    assert torch.equal(image.mask.reshape(-1), other.hit)
    assert 1000 < int(other.hit.sum()) < 4000
    difference = (image.trace.t - other.t)[other.hit].abs()
    assert float(difference.quantile(0.99)) < 1e-6
    assert float(difference.max()) < 1e-3
    # Looking ahead costs evaluations where few rays are left, as in every cone of a small picture.
    assert image.evaluations < (1.2 if relaxation == "adaptive" else 1) * other.evaluations


def test_the_head_is_the_same_with_and_without_cones() -> None:
    camera = double(look_at_head(yaw=0.6, pitch=-0.2, size=41))
    with torch.no_grad():
        image = trace_camera(preset("head"), camera, settings=TraceSettings(normals=False))
        other = direct(preset("head"), camera, relaxation="adaptive")
    assert torch.equal(image.mask.reshape(-1), other.hit)
    assert float((image.trace.t - other.t)[other.hit].abs().quantile(0.99)) < 1e-3


balls = st.lists(st.tuples(*[st.floats(-0.3, 0.3)] * 3), min_size=1, max_size=5)


@settings(max_examples=25)
@given(balls, st.floats(0.002, 0.1), st.floats(-3, 3), st.floats(0.3, 3), st.sampled_from([0.1, 0.5, 2.0]))
def test_no_ray_loses_its_hit(centers, radius: float, yaw: float, focal: float, cone_tolerance: float) -> None:
    """Balls of less than a pixel, wide angles, balls around the camera."""
    field = Balls(tuple(centers), radius)
    camera = double(look_at_head(yaw=yaw, size=25, focal=focal, distance=0.5))
    options = {"tolerance": 1e-6, "max_steps": 300}
    given_settings = TraceSettings(**options, blocks=(8, 2), cone_tolerance=cone_tolerance, normals=False)
    image, other = trace_camera(field, camera, settings=given_settings), direct(field, camera, **options)
    certain = other.status != Status.OUT_OF_STEPS
    assert bool((image.mask.reshape(-1) == other.hit)[certain].all())
    assert bool((image.trace.t - other.t)[other.hit & image.mask.reshape(-1)].abs().le(0.02).all())


def test_starts_are_in_front_of_every_surface() -> None:
    """What the cones promise, ray by ray, also where they ran out of steps."""
    field, camera = Balls(((0.0, 0.0, 0.0), (0.2, 0.1, -0.3)), 0.1), double(look_at_head(size=48))
    origin, directions = camera.rays()
    first = direct(field, camera, tolerance=1e-9, max_steps=2000)
    for cone_steps in (1, 3, 12, 100):
        found, traces = cone_starts(
            field, origin, directions, span=(0.1, 5.0), settings=TraceSettings(cone_steps=cone_steps)
        )
        assert bool((found.reshape(-1) <= first.t + 1e-7)[first.hit].all())
        assert bool((found >= 0.1).all())
        assert any(trace.count(Status.OUT_OF_STEPS) for trace in traces) == (cone_steps < 100)
    assert float((first.t - found.reshape(-1))[first.hit].median()) < 0.03


def test_a_cone_field_is_lipschitz_and_below_its_field() -> None:
    field, origin = Balls(), torch.tensor([0.0, 0.1, 0.9])
    cone = ConeField(field, origin, 0.05)
    points = 0.3 * torch.randn(4000, 3, generator=torch.Generator().manual_seed(0))
    steps = (cone(points[1:]) - cone(points[:-1])).abs() / points.diff(dim=0).norm(dim=1)
    assert 1 < float(steps.max()) <= cone.lipschitz == pytest.approx(1.05)
    assert bool((cone(points) < field(points)).all())


def test_depth_and_normals_of_a_sphere() -> None:
    image = trace_camera(Balls(), look_at_head(size=64, yaw=0.7, pitch=0.3), settings=TraceSettings(tolerance=1e-6))
    origin, directions = look_at_head(size=64, yaw=0.7, pitch=0.3).rays()
    a, b, c = (directions**2).sum(-1), directions @ origin, origin @ origin - 0.01
    truth = (-b - (b * b - a * c).sqrt()) / a
    assert torch.equal(image.mask, truth.isfinite())
    torch.testing.assert_close(image.depth[image.mask], truth[image.mask], atol=2e-4, rtol=0)
    assert bool((image.depth[~image.mask] == math.inf).all())
    points = origin + image.depth[..., None] * directions
    torch.testing.assert_close(image.normals[image.mask], points[image.mask] / 0.1, atol=1e-3, rtol=0)
    assert bool((image.normals[~image.mask] == 0).all())
    assert image.normals_from == "autograd"


def test_normals_without_gradient_are_differences_and_say_so() -> None:
    camera = look_at_head(size=40)
    one, two = trace_camera(Balls(), camera), trace_camera(Opaque(), camera)
    assert two.normals_from == "differences"
    torch.testing.assert_close(one.normals, two.normals, atol=5e-3, rtol=0)
    none = trace_camera(Balls(), camera, settings=TraceSettings(normals=False))
    assert none.normals_from == "none"
    with pytest.raises(InputError, match="needs normals"):
        none.shaded()


@pytest.mark.parametrize("field", [Balls, Opaque])
def test_evaluations_are_all_counted(field: type[Balls]) -> None:
    made = field()
    with torch.no_grad():
        image = trace_camera(made, look_at_head(size=40))
    assert made.count == image.evaluations
    marching = sum(cone.evaluations for cone in image.cones) + int(image.steps.sum())
    assert image.evaluations == marching + int(image.mask.sum()) * (1 if field is Balls else 7)


def test_background_costs_no_ray() -> None:
    field = Balls()
    away = look_at_head(size=64, target=(3.0, 0.0, 0.0))
    image = trace_camera(field, away)
    assert (field.count, image.evaluations, int(image.mask.sum())) == (0, 0, 0)
    assert image.shaded().unique(dim=0).numel() <= 64 * 3
    near = trace_camera(field, look_at_head(size=64, focal=1.0))
    assert int((near.steps == 0).sum()) > 64 * 64 // 2


def test_a_camera_inside_sees_the_surface_at_once() -> None:
    image = trace_camera(Balls(), look_at_head(size=20, distance=0.05), near=0.01)
    assert bool(image.mask.all())
    torch.testing.assert_close(image.depth, torch.full((20, 20), 0.01))


def test_recorded_and_repeated_pictures_are_the_same() -> None:
    camera = look_at_head(size=24, yaw=0.4)
    images = [trace_camera(preset("head"), camera, record=record) for record in (False, True, True)]
    for image in images[1:]:
        for name in ("depth", "normals", "steps", "mask"):
            assert torch.equal(getattr(images[0], name), getattr(image, name))
        assert image.evaluations == images[0].evaluations
    recorded = images[1]
    assert recorded.trace.history.ray(24 * 12 + 12).t[-1] == recorded.depth[12, 12]
    assert all(len(cone.history) for cone in recorded.cones)


def test_depth_carries_gradients() -> None:
    field = Balls()
    field.radius = torch.tensor(0.1, requires_grad=True)
    image = trace_camera(field, look_at_head(size=21), settings=TraceSettings(tolerance=1e-6))
    (slope,) = torch.autograd.grad(image.depth[10, 10], field.radius)
    assert float(slope) == pytest.approx(-1, abs=1e-4)
    assert not image.normals.requires_grad


def test_shading_is_that_of_plain_renders() -> None:
    image = trace_camera(Balls(), look_at_head(size=33))
    picture = image.shaded()
    assert picture.shape == (33, 33, 3)
    torch.testing.assert_close(picture[0, 0], torch.tensor(BACKGROUND))
    here = image.normals[16, 16][None]
    lit = (torch.tensor(SKIN) * headlight().irradiance(torch.zeros(1, 3), here))[0]
    torch.testing.assert_close(picture[16, 16], lit)
    black = image.shaded(background=torch.zeros(3))
    assert bool((black[~image.mask] == 0).all())


def test_a_field_with_colours_is_painted() -> None:
    image = trace_camera(Painted(), look_at_head(size=32))
    assert image.colors[16, 20].tolist() == [1, 0, 1]  # right of the middle, below it, in front
    assert float(image.shaded()[16, 20, 1]) == 0
    assert bool((image.colors[~image.mask] == 0).all())


def test_steps_as_a_picture() -> None:
    image = trace_camera(crowd(), look_at_head(size=60, focal=1.5))
    assert int(image.steps.max()) > 8
    picture = image.step_picture(most=20)
    np.testing.assert_allclose(
        to_uint8(picture).astype(int), colored(image.steps.float(), 0.0, 20.0).astype(int), atol=1
    )
    assert bool((image.step_picture() <= 1).all())
    assert viridis(torch.tensor([0.0, 1.0, 2.0, math.nan])).shape == (4, 3)


def test_normals_of_no_points() -> None:
    normals, source, spent = surface_normals(Balls(), torch.zeros(0, 3))
    assert (normals.shape, source, spent) == ((0, 3), "autograd", 0)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"near": -1.0}, RayError, "at least 0"),
        ({"near": 2.0, "far": 1.0}, RayError, "before far; they are 2.0 and 1.0"),
    ],
)
def test_says_what_is_wrong(options: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        trace_camera(Balls(), look_at_head(size=8), **options)


@pytest.mark.parametrize("blocks", [(4, 16), (16, 5), (1,), (0,)])
def test_block_sizes(blocks: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="multiple of the next"):
        TraceSettings(blocks=blocks)


def test_an_endless_picture_is_refused() -> None:
    endless = Balls()
    endless.bounds = torch.tensor([[-math.inf] * 3, [math.inf] * 3])
    with pytest.raises(RayError, match="endless"):
        trace_camera(endless, look_at_head(size=8))
    assert trace_camera(endless, look_at_head(size=8), far=3.0).mask.any()
