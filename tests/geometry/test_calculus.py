"""Gradients, normals and curvatures against closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from headviz.errors import FieldError
from headviz.geometry.calculus import curvature, gradient, normals
from headviz.geometry.field import ArrayField
from headviz.geometry.shapes import Box, Capsule, Cylinder, Ellipsoid, Plane, RoundedCone, Sphere, Torus
from headviz.geometry.shapes2d import Circle, Ring


class Formula(ArrayField):
    """A field from a function of points."""

    bounds = torch.tensor([[-1.0] * 3, [1.0] * 3])

    def __init__(self, function: object) -> None:
        self.values = function


def around(radius: float, count: int = 200, dimension: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(count, dimension, generator=generator, dtype=torch.float64)
    return radius * torch.nn.functional.normalize(points, dim=1)


def test_gradient_and_normals_of_a_formula() -> None:
    points = around(0.7)
    field = Formula(lambda p: p[:, 0] ** 2 + 3 * p[:, 1] - p[:, 2] * p[:, 0])
    x, z = points[:, 0], points[:, 2]
    expected = torch.stack([2 * x - z, torch.full_like(x, 3), -x], dim=1)
    torch.testing.assert_close(gradient(field, points), expected)
    torch.testing.assert_close(normals(field, points), torch.nn.functional.normalize(expected, dim=1))
    assert gradient(field, points.float()).dtype == torch.float32
    assert gradient(field, points[:0]).shape == (0, 3)


def test_gradient_works_without_grad_mode_and_leaves_no_graph() -> None:
    points = around(0.2).requires_grad_()
    with torch.no_grad():
        found = gradient(Sphere(0.1), points)
    assert not found.requires_grad
    assert points.grad is None
    torch.testing.assert_close(found, 5 * points.detach())


@pytest.mark.parametrize("r", [0.05, 0.1, 0.3])
def test_curvature_of_spheres_and_circles(r: float) -> None:
    mean, gaussian = curvature(Sphere(0.1, (0.25, 0.0, 0.0)), around(r) + torch.tensor([0.25, 0.0, 0.0]))
    torch.testing.assert_close(mean, torch.full_like(mean, 1 / r))
    torch.testing.assert_close(gaussian, torch.full_like(gaussian, 1 / r**2))
    flat = curvature(Circle(0.1), around(r, dimension=2))
    torch.testing.assert_close(flat.mean, torch.full_like(mean, 1 / r))
    assert float(flat.gaussian.abs().max()) == 0


@given(st.floats(0.05, 0.3), st.floats(0.01, 0.04), st.floats(0, 2 * math.pi), st.floats(0, 2 * math.pi))
def test_curvature_of_a_torus(major: float, minor: float, turn: float, theta: float) -> None:
    across = major + minor * math.cos(theta)
    point = [across * math.cos(turn), minor * math.sin(theta), across * math.sin(turn)]
    found = curvature(Torus(major, minor), torch.tensor([point], dtype=torch.float64))
    ring, tube = math.cos(theta) / across, 1 / minor
    assert float(found.mean) == pytest.approx((ring + tube) / 2, rel=1e-6)
    assert float(found.gaussian) == pytest.approx(ring * tube, rel=1e-6, abs=1e-6)


def test_curvature_of_cylinders_capsules_cones_and_planes() -> None:
    points = torch.tensor([[0.08, 0.01, 0.0], [0.0, -0.03, 0.08]], dtype=torch.float64)
    for shape in (Cylinder(0.08, 0.3), Capsule((0.0, -0.1, 0.0), (0.0, 0.1, 0.0), 0.08)):
        mean, gaussian = curvature(shape, points)
        torch.testing.assert_close(mean, torch.full_like(mean, 1 / 0.16))
        assert float(gaussian.abs().max()) < 1e-9
    for flat in (Plane((1.0, 2.0, 0.5)), Box((0.1, 0.1, 0.1))):
        mean, gaussian = curvature(flat, points)
        assert float(mean.abs().max()) < 1e-9
        assert float(gaussian.abs().max()) < 1e-9
    # On a cone's side the level set's one curvature is cos β / ρ, with β the angle between side and axis.
    lean = math.asin(0.04 / 0.2)
    cone = RoundedCone((0.0, -0.1, 0.0), (0.0, 0.1, 0.0), 0.06, 0.02)
    mean, gaussian = curvature(cone, points)
    torch.testing.assert_close(mean, torch.full_like(mean, math.cos(lean) / 0.16))
    assert float(gaussian.abs().max()) < 1e-9


def test_curvature_does_not_depend_on_the_scale_of_values() -> None:
    points = around(0.1)
    steep = Formula(lambda p: torch.exp(7 * p.square().sum(1)))
    torch.testing.assert_close(curvature(steep, points).mean, torch.full((200,), 10.0).double())
    torch.testing.assert_close(curvature(steep, points).gaussian, torch.full((200,), 100.0).double())
    inverted = curvature(~Sphere(0.1), points)
    torch.testing.assert_close(inverted.mean, torch.full((200,), -10.0).double())
    torch.testing.assert_close(inverted.gaussian, torch.full((200,), 100.0).double())


def test_curvature_of_an_ellipsoid_in_closed_form() -> None:
    radii = torch.tensor([0.08, 0.12, 0.1], dtype=torch.float64)
    points = around(1.0) * radii
    h = 1 / (points / radii**2).norm(dim=1)  # the distance of the tangent plane from the middle
    gaussian = h**4 / radii.prod() ** 2
    mean = h**3 * (radii.square().sum() - points.square().sum(1)) / (2 * radii.prod() ** 2)
    implicit = curvature(Formula(lambda p: (p / radii).square().sum(1)), points)
    torch.testing.assert_close(implicit.mean, mean)
    torch.testing.assert_close(implicit.gaussian, gaussian)
    inside = curvature(Ellipsoid(tuple(radii.tolist())), points * (1 - 1e-9))
    torch.testing.assert_close(inside.mean, mean, rtol=1e-6, atol=0)


def test_gradients_of_gradients_reach_parameters() -> None:
    radius = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
    points = torch.tensor([[0.09, 0.02, 0.01], [0.12, 0.04, -0.03]], dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda r: gradient(Torus(r, 0.03).union(Sphere(r), smooth=0.05), points, create_graph=True), (radius,)
    )
    ring = normals(Ring(radius, 0.01), torch.rand(5, 2, dtype=torch.float64), create_graph=True)
    assert ring.shape == (5, 2)


def test_a_field_that_cannot_be_differentiated_is_named() -> None:
    points = around(0.1)
    with pytest.raises(FieldError, match="Formula returns values without a graph"):
        gradient(Formula(lambda p: torch.ones(len(p))), points)
    weight = torch.tensor(2.0, requires_grad=True)
    with pytest.raises(FieldError, match="values of Formula should depend on the points"):
        normals(Formula(lambda p: weight.expand(len(p))), points)

    class Once(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, points: torch.Tensor) -> torch.Tensor:
            ctx.save_for_backward(points)
            return points.norm(dim=1)

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx: object, given: torch.Tensor) -> torch.Tensor:
            (points,) = ctx.saved_tensors
            return given[:, None] * torch.nn.functional.normalize(points, dim=1)

    torch.testing.assert_close(gradient(Formula(Once.apply), points), 10 * points)
    with pytest.raises(FieldError, match="differentiable twice to have a curvature; Formula is not"):
        curvature(Formula(Once.apply), points)
    both = Formula(lambda p: torch.minimum(Once.apply(p), 0.1 + p[:, 0] - p[:, 0].detach()))
    with pytest.raises(FieldError, match="Formula is not"):
        curvature(both, torch.cat([0.9 * points, 2 * points]))
