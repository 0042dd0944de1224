"""Gradients of hits, against closed forms and finite differences."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from headviz.errors import FieldError
from headviz.geometry.camera import Camera, look_at_head
from headviz.geometry.hit_gradient import GRAZING, differentiable_hits
from headviz.geometry.trace import sphere_trace

DOUBLE = torch.float64
TIGHT = {"near": 0.0, "far": 2.0, "tolerance": 1e-13, "max_steps": 2000}


class Ball:
    """The distance to a sphere whose radius and centre may require gradients."""

    def __init__(self, radius: Tensor, center: Tensor) -> None:
        self.bounds, self.lipschitz = torch.tensor([[-0.3] * 3, [0.3] * 3]), 1.0
        self.radius, self.center, self.count = radius, center, 0

    def __call__(self, points: Tensor) -> Tensor:
        self.count += len(points)
        return (points - self.center).norm(dim=1) - self.radius


def scene() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Radius, centre, origins and directions; two rays hit, one misses."""
    origins = torch.tensor([[0.02, 0.01, 0.7], [0.5, 0.1, 0.3], [0.5, 0.5, 0.5]], dtype=DOUBLE)
    targets = torch.tensor([[0.03, -0.02, 0.0], [0.02, 0.03, 0.01], [0.5, 0.5, 0.0]], dtype=DOUBLE)
    scale = torch.tensor([[1.0], [1.7], [1.0]], dtype=DOUBLE)
    radius, center = torch.tensor(0.1, dtype=DOUBLE), torch.tensor([0.01, 0.0, -0.01], dtype=DOUBLE)
    return radius, center, origins, (targets - origins) * scale


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("which", [{0}, {1}, {2}, {3}, {0, 1, 2, 3}])
def test_gradcheck(which: set[int], backward: bool) -> None:
    inputs = [x.requires_grad_(k in which) for k, x in enumerate(scene())]

    def hits(radius, center, origins, directions):
        found = sphere_trace(Ball(radius, center), origins, directions, backward=backward, **TIGHT)
        assert found.hit.tolist() == [True, True, False]
        return found.t[:2], found.points[:2]

    assert torch.autograd.gradcheck(hits, tuple(inputs), atol=1e-5)


def test_closed_form() -> None:
    """A hit's distance along the ray falls by 1 / cos of the angle to the normal as the sphere grows."""
    radius, center, origins, directions = scene()
    found = sphere_trace(Ball(radius.requires_grad_(), center), origins, directions, **TIGHT)
    (slope,) = torch.autograd.grad(found.t[1], radius)
    normal = (found.points[1] - center) / radius
    torch.testing.assert_close(slope, 1 / (normal @ directions[1]).detach())
    assert float(slope) < 0


def test_values_are_those_without_gradient() -> None:
    radius, center, origins, directions = scene()
    with torch.no_grad():
        plain = sphere_trace(Ball(radius, center), origins, directions, near=0.0, far=2.0)
    found = sphere_trace(Ball(radius.requires_grad_(), center), origins, directions, near=0.0, far=2.0)
    assert torch.equal(plain.t, found.t)
    assert torch.equal(plain.points, found.points)
    assert not plain.t.requires_grad
    assert found.t.requires_grad


def test_evaluations_of_gradients_are_counted() -> None:
    radius, center, origins, directions = scene()
    for require, no_grad, extra in ((False, True, 0), (False, False, 1), (True, False, 3), (True, True, 0)):
        field = Ball(radius.clone().requires_grad_(require), center)
        with torch.set_grad_enabled(not no_grad):
            found = sphere_trace(field, origins, directions, near=0.0, far=2.0)
        assert field.count == found.evaluations == int(found.steps.sum()) + extra
        assert found.t.requires_grad == (require and not no_grad)


def test_a_camera_learns_where_it_is() -> None:
    """Depths of a picture pull a camera that was moved back to its place."""
    view = look_at_head(size=8, distance=0.6, focal=2.0)
    field = Ball(torch.tensor(0.1), torch.tensor([0.02, -0.01, 0.0]))
    _, directions = view.rays()
    rays = directions.reshape(-1, 3)

    def depths(shift: Tensor) -> tuple[Tensor, Tensor]:
        moved = Camera(view.rotation, view.translation + shift, view.focal, view.center, 8, 8)
        place, ways = moved.rays()
        found = sphere_trace(field, place.expand_as(rays), ways.reshape(-1, 3), near=0.1, far=2.0, tolerance=1e-6)
        return found.t, found.hit

    truth, seen = depths(torch.zeros(3))
    shift = torch.tensor([0.004, -0.006, 0.02], requires_grad=True)
    optimizer = torch.optim.Adam([shift], lr=2e-3)
    for _ in range(50):
        optimizer.zero_grad()
        t, hit = depths(shift)
        (t - truth)[hit & seen].square().mean().backward()
        optimizer.step()
    assert float(shift.detach().norm()) < 1e-3


def test_grazing_hits_have_finite_gradients() -> None:
    """At the sphere's rim the field does not change along the ray at all; just beside it, it hardly does."""
    radius = torch.tensor(0.1, dtype=DOUBLE, requires_grad=True)
    field = Ball(radius, torch.zeros(3, dtype=DOUBLE))
    origins = torch.tensor([[0.1, 0.0, 0.5]], dtype=DOUBLE).expand(3, 3)
    directions = torch.tensor([[0.0, 0.0, -1.0]], dtype=DOUBLE).expand(3, 3)
    ts = torch.tensor([0.5, 0.5 - 1e-6, 0.5 + 1e-6], dtype=DOUBLE)
    t, points, _ = differentiable_hits(field, origins, directions, ts, torch.ones(3, dtype=torch.bool))
    slopes = [float(torch.autograd.grad(one, radius, retain_graph=True)[0]) for one in t]
    assert slopes == pytest.approx([-1 / GRAZING, -1 / GRAZING, 1 / GRAZING])
    assert bool(points.isfinite().all())


def test_a_field_without_gradient_says_so() -> None:
    _, _, origins, directions = scene()

    class Opaque(Ball):
        def __call__(self, points: Tensor) -> Tensor:
            return super().__call__(points.detach())

    field = Opaque(torch.tensor(0.1, dtype=DOUBLE), torch.zeros(3, dtype=DOUBLE))
    assert sphere_trace(field, origins, directions, near=0.0, far=2.0).hit.any()
    with pytest.raises(FieldError, match="gradient in its points"):
        sphere_trace(field, origins.requires_grad_(), directions, near=0.0, far=2.0)
