"""GridField against scipy's interpolator and closed forms; its slope bound against sampled gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import RegularGridInterpolator

from headviz.errors import BoundsError, FieldError, ResolutionError, ShapeError
from headviz.geometry.field import ArrayField, Field
from headviz.geometry.grid_field import GridField

SHAPES = [(5, 6, 7), (4, 9), (2, 2, 2)]


class Ball(ArrayField):
    """The distance to a sphere, in any dimension."""

    def __init__(self, radius: float, half: float, dimension: int = 3) -> None:
        self.radius = radius
        self.bounds = torch.tensor([[-half] * dimension, [half] * dimension], dtype=torch.float64)

    def values(self, points: torch.Tensor) -> torch.Tensor:
        return points.norm(dim=1) - self.radius


def random_grid(shape: tuple[int, ...], seed: int = 0) -> GridField:
    generator = torch.Generator().manual_seed(seed)
    samples = torch.randn(*shape, generator=generator, dtype=torch.float64)
    return GridField(samples, [0.1, -0.2, 0.3][: len(shape)], [0.5, 0.25, 0.75][: len(shape)])


def cloud(field: GridField, count: int, seed: int = 0, grow: float = 0.0) -> torch.Tensor:
    """Points in the field's box, enlarged on each side by a share of it."""
    low, high = field.bounds
    random = torch.rand(count, len(low), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return low + (random * (1 + 2 * grow) - grow) * (high - low)


@pytest.mark.parametrize("shape", SHAPES)
def test_values_are_those_of_scipy(shape: tuple[int, ...]) -> None:
    field = random_grid(shape)
    axes = [field.bounds[0, a].item() + field.spacing[a].item() * np.arange(n) for a, n in enumerate(shape)]
    scipys = RegularGridInterpolator(axes, field.samples.numpy(), bounds_error=False, fill_value=None)
    points = torch.cat([cloud(field, 500), field.bounds])
    np.testing.assert_allclose(field(points).numpy(), scipys(points.numpy()), rtol=0, atol=1e-13)
    assert isinstance(field, Field)


@pytest.mark.parametrize("shape", SHAPES)
def test_samples_are_met(shape: tuple[int, ...]) -> None:
    field = random_grid(shape)
    index = torch.cartesian_prod(*[torch.arange(n) for n in shape])
    torch.testing.assert_close(field(field.origin + index * field.spacing), field.samples.reshape(-1))


def test_exact_on_trilinear_functions() -> None:
    def function(p: torch.Tensor) -> torch.Tensor:
        x, y, z = p.unbind(1)
        return 1 + 2 * x - y + x * y - 3 * y * z + 0.5 * x * y * z

    index = torch.cartesian_prod(*[torch.arange(4)] * 3).double()
    field = GridField(function(0.3 * index).reshape(4, 4, 4), spacing=0.3)
    points = cloud(field, 300)
    torch.testing.assert_close(field(points), function(points))


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(SHAPES), st.integers(0, 10**6))
def test_never_steeper_than_its_bound(shape: tuple[int, ...], seed: int) -> None:
    field = random_grid(shape, seed)
    points = cloud(field, 500, seed, grow=0.5).requires_grad_()
    (slope,) = torch.autograd.grad(field(points).sum(), points)
    assert float(slope.norm(dim=1).max()) <= field.lipschitz
    a, b = cloud(field, 500, seed, grow=0.5), cloud(field, 500, seed + 1, grow=0.5)
    assert bool(((field(a) - field(b)).abs() <= field.lipschitz * (a - b).norm(dim=1) + 1e-12).all())


@pytest.mark.parametrize("shape", SHAPES)
def test_bound_is_reached_at_a_corner_of_a_cell(shape: tuple[int, ...]) -> None:
    field = random_grid(shape)
    cells = torch.cartesian_prod(*[torch.arange(n - 1) for n in shape])
    corners = torch.cartesian_prod(*[torch.tensor([1e-9, 1 - 1e-9], dtype=torch.float64)] * len(shape))
    points = (field.origin + (cells[:, None] + corners) * field.spacing).reshape(-1, len(shape)).requires_grad_()
    (slope,) = torch.autograd.grad(field(points).sum(), points)
    assert float(slope.norm(dim=1).max()) == pytest.approx(field.lipschitz, rel=1e-6)


def test_bound_of_a_linear_function_is_its_gradient() -> None:
    index = torch.cartesian_prod(*[torch.arange(5)] * 3).double()
    field = GridField((index @ torch.tensor([2.0, -3.0, 6.0]).double() * 0.1).reshape(5, 5, 5), spacing=0.1)
    assert field.lipschitz == pytest.approx(7.0)


def test_outside_is_never_beyond_the_surface() -> None:
    """With all of the border positive, |f|/L stays below the distance to the surface, and the border is met."""
    field, ball = GridField.sample(Ball(0.3, 0.5), 24), Ball(0.3, 0.5)
    assert field.closed
    points = cloud(field, 5000, grow=1.0)
    points = points[(points.abs() > 0.5).any(1)]
    assert bool((field(points) > 0).all())
    assert bool((field(points) / field.lipschitz <= ball(points) + 1e-9).all())
    border = points.clamp(-0.5, 0.5)
    torch.testing.assert_close(field(border + 1e-9 * (points - border)), field(border), rtol=0, atol=1e-8)
    far = torch.tensor([[100.0, 0.0, 0.0]]).double()
    assert float(field(far)) == pytest.approx(field.lipschitz * 99.5, rel=1e-3)


def test_outside_of_a_surface_that_leaves_the_grid() -> None:
    field = GridField.sample(Ball(0.3, 0.2), 8)
    assert not field.closed
    points = cloud(field, 1000, grow=1.0)
    torch.testing.assert_close(field(points), field(points.clamp(-0.2, 0.2)))


@pytest.mark.parametrize("dimension", [2, 3])
def test_sampled_distance_is_near_the_distance(dimension: int) -> None:
    field = GridField.sample(Ball(0.3, 0.5, dimension), 64)
    assert tuple(field.samples.shape) == (65,) * dimension
    points = cloud(field, 2000)
    points = points[points.norm(dim=1) > 0.1]
    # Second derivatives of the distance are at most (d − 1) / |p| in sum; h²/8 of them is the interpolation error.
    most = (dimension - 1) / 0.08 * (1 / 64) ** 2 / 8
    assert float((field(points) - Ball(0.3, 0.5, dimension)(points)).abs().max()) < most


def test_sampling_covers_a_box_that_is_not_a_cube() -> None:
    box = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.4, 0.24]])
    lines: list[str] = []
    field = GridField.sample(Ball(0.3, 0.5), 10, box, progress=lines.append)
    assert tuple(field.samples.shape) == (11, 5, 4)
    assert bool((field.bounds[0] <= box[0] + 1e-6).all())
    assert bool((field.bounds[1] >= box[1] - 1e-6).all())
    assert lines == ["sampling 0 of 220 points"]


def test_gradients() -> None:
    origin, spacing = torch.tensor([0.1, 0.2, 0.3]).double(), torch.tensor([0.5, 0.25, 0.75]).double()
    points = cloud(random_grid((4, 4, 4)), 20, grow=0.3)
    samples = torch.rand(4, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def inside(values: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
        return GridField(values - 0.5, origin, spacing)(at)

    assert torch.autograd.gradcheck(inside, (samples.requires_grad_(), points.requires_grad_()))
    closed = GridField(samples.detach() + 1, origin, spacing)
    assert closed.closed
    assert torch.autograd.gradcheck(closed, (points,))
    assert torch.autograd.gradgradcheck(closed, (points,))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_precision_is_the_points(dtype: torch.dtype) -> None:
    field = random_grid((5, 6, 7))
    values = field(cloud(field, 50).to(dtype))
    assert values.dtype == dtype
    torch.testing.assert_close(values.double(), field(cloud(field, 50)), rtol=0, atol=2e-5)


def test_same_answer_however_it_is_asked() -> None:
    field = random_grid((5, 6, 7))
    points = cloud(field, 1000, grow=0.2)
    assert torch.equal(field(points), field(points))
    assert torch.equal(torch.cat([field(part) for part in points.split(33)]), field(points))
    assert np.array_equal(field(points.numpy()), field(points).numpy())
    assert torch.equal(GridField(field.samples.numpy(), field.origin.numpy(), [0.5, 0.25, 0.75])(points), field(points))
    assert field(points[:0]).shape == (0,)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((torch.zeros(4),), ShapeError, r"shape is \(4,\)"),
        ((torch.zeros(4, 1, 3),), ShapeError, r"at least 2 each; shape is \(4, 1, 3\)"),
        ((torch.zeros(2, 2, 2), [0.0, 0.0]), ShapeError, r"origin should have shape \(3,\); shape is \(2,\)"),
        ((torch.zeros(2, 2, 2), None, [1.0, 1.0]), ShapeError, "spacing should have shape"),
        ((torch.zeros(2, 2), None, 0.0), BoundsError, "positive"),
        ((torch.zeros(2, 2), None, [1.0, -1.0]), BoundsError, "positive"),
        ((torch.zeros(2, 2), [math.nan, 0.0]), BoundsError, "origin should be finite"),
        ((torch.tensor([[0.0, math.nan], [math.inf, 1.0]]),), FieldError, "2 of 4"),
    ],
)
def test_grids_that_cannot_be_used(arguments: tuple[object, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        GridField(*arguments)  # type: ignore[arg-type]


def test_points_and_resolutions_that_cannot_be_used() -> None:
    with pytest.raises(FieldError, match="finite; 1 of 2"):
        random_grid((4, 9))(torch.tensor([[math.nan, 0.0], [0.0, 0.0]]))
    with pytest.raises(ResolutionError, match="at most"):
        GridField.sample(Ball(0.3, 0.5), 5000)
    with pytest.raises(ResolutionError, match="whole number"):
        GridField.sample(Ball(0.3, 0.5), 0)
