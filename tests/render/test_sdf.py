"""Pictures of fields: closed forms of a sphere, gradients by differences, and the same head as mesh and as field."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from headviz.errors import CameraError, LightError, OptionError, ShapeError
from headviz.geometry import Mesh, MeshField, icosphere
from headviz.geometry.camera import Camera, Cameras, look_at_head
from headviz.geometry.shapes import sphere
from headviz.heads.model import load_head
from headviz.render import (
    Ambient,
    Directional,
    Harmonics,
    Lighting,
    Point,
    compare_pictures,
    headlight,
    render,
    render_field,
)
from headviz.render.cones import TraceSettings
from headviz.render.surface import BACKGROUND, SKIN

RADIUS, SIZE = 0.1, 48
CAMERA = look_at_head(yaw=0.5, pitch=0.3, size=SIZE)
FINE = TraceSettings(tolerance=3e-6)
KEY = Lighting((Ambient(torch.full((3,), 0.2)), Point(torch.tensor([0.3, 0.4, 1.0]), torch.full((3,), 0.7))), gloss=0.3)


def sphere_depth(camera: Camera, radius: float) -> Tensor:
    """Depth of a sphere about the origin at every pixel, infinite beside it: the lesser root of |o + t d|² = r²."""
    origin, directions = (values.double() for values in camera.rays())
    b, a = (origin * directions).sum(-1), directions.square().sum(-1)
    rest = b * b - a * (origin.square().sum() - radius**2)
    return torch.where(rest >= 0, (-b - rest.clamp(min=0).sqrt()) / a, torch.inf)


def test_a_sphere_is_where_it_is() -> None:
    drawn = render_field(sphere(RADIUS), CAMERA, settings=FINE)
    expected = sphere_depth(CAMERA, RADIUS)
    # A ray that passes within the tolerance hits.
    assert bool(drawn.mask[sphere_depth(CAMERA, RADIUS - 1e-5).isfinite()].all())
    assert not bool(drawn.mask[sphere_depth(CAMERA, RADIUS + 2e-5).isinf()].any())
    inside = sphere_depth(CAMERA, 0.99 * RADIUS).isfinite()
    torch.testing.assert_close(drawn.depth[inside].double(), expected[inside], atol=2e-5, rtol=0)
    torch.testing.assert_close(drawn.normals[drawn.mask], drawn.points[drawn.mask] / RADIUS, atol=1e-3, rtol=0)
    assert bool(drawn.depth[~drawn.mask].isinf().all())
    assert bool((drawn.picture[~drawn.mask] == torch.tensor(BACKGROUND)).all())
    torch.testing.assert_close(drawn.picture[drawn.mask], torch.tensor(SKIN).expand(int(drawn.mask.sum()), 3))
    assert (drawn.face, drawn.uv, drawn.soft_mask) == (None, None, None)
    with pytest.raises(OptionError, match="picture of a field"):
        _ = drawn.fragments


def test_light_is_that_of_meshes() -> None:
    """A finely divided ball and the field of the same ball are lit alike."""
    ball = icosphere(6, radius=RADIUS)
    mesh = Mesh(ball.vertices, ball.faces, normals=ball.vertices / RADIUS)
    for light in (headlight(), KEY):
        one, two = render(mesh, CAMERA, light=light), render_field(sphere(RADIUS), CAMERA, light=light, settings=FINE)
        found = compare_pictures(one, two)
        both = ~found.depth.isnan()
        assert found.iou > 0.99
        assert float(found.color[both].quantile(0.95)) < 2e-3
        assert float(found.depth[both].abs().median()) < 2e-5


@pytest.mark.parametrize("yaw", [0.0, 0.9])
def test_a_head_is_the_same_as_mesh_and_as_field(yaw: float) -> None:
    head = load_head().solid()
    camera = look_at_head(yaw=yaw, target=tuple(head.vertices.mean(0).tolist()), focal=2.6, size=96)
    one, two = render(head, camera), render_field(MeshField(head), camera, settings=FINE)
    found = compare_pictures(one, two)
    assert found.iou > 0.995
    both = ~found.depth.isnan()
    assert float(found.depth[both].abs().quantile(0.99)) < 1e-4  # metres
    assert "masks overlap" in found.summary


def test_several_cameras_give_several_pictures() -> None:
    cameras = Cameras.orbit(torch.tensor([0.0, 1.0]), torch.tensor([0.2, -0.2]), size=24)
    together = render_field(sphere(RADIUS), cameras, light=KEY)
    assert together.picture.shape == (2, 24, 24, 3)
    for k in range(2):
        alone = render_field(sphere(RADIUS), cameras[k], light=KEY)
        assert torch.equal(alone.mask, together.mask[k])
        torch.testing.assert_close(alone.picture, together.picture[k])
        torch.testing.assert_close(alone.depth, together.depth[k])


def test_gradients_reach_the_field_and_are_those_of_differences() -> None:
    def total(radius: Tensor, camera: Camera) -> Tensor:
        drawn = render_field(sphere(radius), camera, light=KEY, settings=TraceSettings(tolerance=1e-10))
        inner = (slice(None), *[slice(18, 30)] * 2) if drawn.mask.ndim == 3 else tuple([slice(18, 30)] * 2)
        assert bool(drawn.mask[inner].all())
        return drawn.picture[inner].sum() + 3 * drawn.depth[inner].sum()

    camera = Camera(CAMERA.rotation.double(), CAMERA.translation.double(), CAMERA.focal, CAMERA.center.double(), 48, 48)
    radius = torch.tensor(RADIUS, dtype=torch.float64, requires_grad=True)
    (found,) = torch.autograd.grad(total(radius, camera), radius)
    step = 1e-5
    with torch.no_grad():
        ends = [total(radius + side * step, camera) for side in (1, -1)]
    torch.testing.assert_close(found, (ends[0] - ends[1]) / (2 * step), rtol=1e-4, atol=1e-4)


def test_gradients_reach_the_camera_and_the_light() -> None:
    color = torch.full((3,), 0.5, requires_grad=True)
    shift = torch.zeros(3, requires_grad=True)
    camera = Camera(CAMERA.rotation, CAMERA.translation + shift, CAMERA.focal, CAMERA.center, SIZE, SIZE)
    light = Lighting((Directional(torch.tensor([0.3, 0.2, 1.0]), color),))
    drawn = render_field(sphere(RADIUS), camera, light=light)
    for k, wanted in enumerate((drawn.picture.sum(), drawn.depth[drawn.mask].sum())):
        by_color, by_shift = torch.autograd.grad(wanted, [color, shift], retain_graph=True, allow_unused=True)
        assert float(by_shift.abs().max()) > 0
        assert (by_color is None) == (k == 1)


def test_nothing_is_recorded_without_gradients() -> None:
    radius = torch.tensor(RADIUS, requires_grad=True)
    with torch.no_grad():
        drawn = render_field(sphere(radius), CAMERA, light=headlight())
    assert not drawn.picture.requires_grad


def test_a_field_may_bring_its_colours() -> None:
    class Painted:
        bounds = torch.tensor([[-0.2] * 3, [0.2] * 3])
        lipschitz = 1.0

        def __call__(self, points: Tensor) -> Tensor:
            return points.norm(dim=-1) - RADIUS

        def color(self, points: Tensor) -> Tensor:
            return 0.5 + points / (4 * RADIUS)

    drawn = render_field(Painted(), CAMERA)
    torch.testing.assert_close(drawn.picture[drawn.mask], 0.5 + drawn.points[drawn.mask] / (4 * RADIUS))

    class Wrong(Painted):
        def color(self, points: Tensor) -> Tensor:
            return points[:, 0]

    with pytest.raises(ShapeError, match=r"color\(points\) should have shape \(\d+, 3\)"):
        render_field(Wrong(), CAMERA)


def test_what_cannot_be_drawn_is_told() -> None:
    broken = Camera(CAMERA.rotation, torch.tensor([0.0, math.nan, 0.0]), 3.0, CAMERA.center, 8, 8)
    with pytest.raises(CameraError, match=r"translation should be finite; 1 of 3 are not: \[0, 1\]"):
        render_field(sphere(RADIUS), broken)
    dark = Lighting((Harmonics(torch.full((9, 3), math.inf)),))
    with pytest.raises(LightError, match="coefficients should be finite; 27 of 27"):
        render_field(sphere(RADIUS), CAMERA, light=dark)
    with pytest.raises(ShapeError, match=r"background should have shape \(3,\), \(48, 48, 3\)"):
        render_field(sphere(RADIUS), CAMERA, background=torch.zeros(4, 4, 3))


def test_comparing_says_what_differs() -> None:
    one = render(icosphere(3, radius=0.1), CAMERA)
    two = render(icosphere(3, radius=0.08), CAMERA)
    found = compare_pictures(one, two)
    assert torch.equal(found.only_first, one.mask & ~two.mask)
    assert not bool(found.only_second.any())
    assert found.iou == pytest.approx(int(two.mask.sum()) / int(one.mask.sum()))
    both = two.mask
    torch.testing.assert_close(found.depth[both], two.depth[both] - one.depth[both])
    assert float(found.depth[SIZE // 2, SIZE // 2]) == pytest.approx(0.02, rel=0.02)
    same = compare_pictures(one, one)
    assert same.iou == 1
    assert float(same.angle[one.mask].max()) == 0
    away = render(Mesh(torch.eye(3) + 50, torch.tensor([[0, 1, 2]])), CAMERA)
    assert "no pixel is covered by both" in compare_pictures(one, away).summary
    assert compare_pictures(away, away).iou == 1
    with pytest.raises(ShapeError, match=r"one shape; they have \(48, 48\) and \(24, 24\)"):
        compare_pictures(one, render(icosphere(1), look_at_head(size=24)))


def test_the_angle_between_normals_is_in_degrees() -> None:
    plane = torch.tensor([[-9.0, -9, 0], [9, -9, 0], [0, 9, 0]])
    faces = torch.tensor([[0, 1, 2]])
    tilted = torch.tensor([0.0, math.sin(math.radians(12)), math.cos(math.radians(12))]).expand(3, 3)
    pictures = [
        render(Mesh(plane, faces, normals=normals), look_at_head(size=16))
        for normals in (torch.tensor([0.0, 0, 1]).expand(3, 3), tilted)
    ]
    assert float(compare_pictures(*pictures).angle.mean()) == pytest.approx(12, abs=1e-3)
