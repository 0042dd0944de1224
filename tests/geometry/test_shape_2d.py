"""Primitives in the plane against their sampled outlines."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from skimage.measure import points_in_poly

from headviz.errors import FieldError
from headviz.geometry.calculus import gradient
from headviz.geometry.shape import Shape
from headviz.geometry.shapes2d import (
    Circle,
    Ellipse,
    HalfPlane,
    Polygon,
    Rectangle,
    Ring,
    Segment,
    ellipse,
    rectangle,
    rounded_rectangle,
    triangle,
)

L = [(-0.1, -0.1), (0.1, -0.1), (0.1, -0.02), (-0.02, -0.02), (-0.02, 0.1), (-0.1, 0.1)]
STAR = [
    (0.12 * (0.4 if k % 2 else 1) * math.cos(k * math.pi / 5), 0.12 * (0.4 if k % 2 else 1) * math.sin(k * math.pi / 5))
    for k in range(10)
]


def arc(center: tuple[float, float], radius: float, start: float, end: float) -> list[tuple[float, float]]:
    angles = np.radians(np.linspace(start, end, 400))
    return [(center[0] + radius * math.cos(a), center[1] + radius * math.sin(a)) for a in angles]


ROUNDED = [
    *arc((0.07, 0.04), 0.03, 0, 90),
    *arc((-0.07, 0.04), 0.03, 90, 180),
    *arc((-0.07, -0.04), 0.03, 180, 270),
    *arc((0.07, -0.04), 0.03, 270, 360),
]
EXACT: dict[str, tuple[Shape, list[tuple[float, float]]]] = {
    "circle": (Circle(0.1, (0.02, 0.01)), arc((0.02, 0.01), 0.1, 0, 360)[:-1]),
    "rectangle": (Rectangle((0.2, 0.14)), [(-0.1, -0.07), (0.1, -0.07), (0.1, 0.07), (-0.1, 0.07)]),
    "rounded rectangle": (Rectangle((0.2, 0.14), radius=0.03), ROUNDED),
    "segment": (
        Segment((-0.06, 0.0), (0.06, 0.0), 0.04),
        [*arc((0.06, 0.0), 0.04, -90, 90), *arc((-0.06, 0.0), 0.04, 90, 270)],
    ),
    "triangle": (triangle((-0.1, -0.08), (0.1, -0.05), (0.02, 0.1)), [(-0.1, -0.08), (0.1, -0.05), (0.02, 0.1)]),
    "l": (Polygon(L), L),
    "clockwise l": (Polygon(L[::-1]), L),
    "star": (Polygon(torch.tensor(STAR, dtype=torch.float64)), STAR),
}


def cloud(count: int, reach: float = 0.2, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (2 * torch.rand(count, 2, generator=generator, dtype=torch.float64) - 1) * reach


def outline(corners: list[tuple[float, float]]) -> np.ndarray:
    """Points along a closed polygon, at most 20 µm apart."""
    start = np.array(corners)
    end = np.roll(start, -1, axis=0)
    parts = [
        a + (b - a) * np.linspace(0, 1, 2 + int(np.hypot(*(b - a)) / 2e-5))[:, None]
        for a, b in zip(start, end, strict=True)
    ]
    return np.concatenate(parts)


@pytest.mark.parametrize("name", EXACT)
def test_value_is_the_signed_distance_to_the_outline(name: str) -> None:
    shape, corners = EXACT[name]
    points = cloud(3000).numpy()
    distance = cKDTree(outline(corners)).query(points)[0]
    inside = points_in_poly(points, np.array(corners))
    np.testing.assert_allclose(shape(points), np.where(inside, -distance, distance), atol=2e-5)
    assert shape.exact
    assert shape.bounded
    assert shape.bounds.shape == (2, 2)
    np.testing.assert_allclose(shape.bounds, [np.min(corners, axis=0), np.max(corners, axis=0)], atol=1e-5)


@pytest.mark.parametrize("name", EXACT)
def test_a_step_down_the_gradient_ends_on_the_outline(name: str) -> None:
    shape, points = EXACT[name][0], cloud(3000)
    values, slope = shape(points), gradient(shape, points)
    torch.testing.assert_close(slope.norm(dim=1), torch.ones(3000).double(), rtol=0, atol=1e-9)
    assert float(shape(points - values[:, None] * slope).abs().max()) < 1e-12


def test_ring_and_half_plane_in_closed_form() -> None:
    points = cloud(1000)
    ring = Ring(0.08, 0.03)
    torch.testing.assert_close(ring(points), ((points.norm(dim=1) - 0.08).abs() - 0.03))
    assert ring.exact
    assert not Ring(0.03, 0.08).exact
    torch.testing.assert_close(HalfPlane((3.0, 4.0), 0.1)(points), points @ torch.tensor([0.6, 0.8]).double() - 0.1)
    assert HalfPlane((-1.0, 0.0), 0.1).bounds.tolist()[0] == [pytest.approx(-0.1), -math.inf]


@given(st.tuples(*[st.floats(0.03, 0.2)] * 2), st.integers(0, 10**6))
def test_ellipse_is_a_bound_with_its_lipschitz_constant(radii: tuple[float, float], seed: int) -> None:
    shape, points = Ellipse(radii), cloud(200, 0.4, seed)
    angles = torch.linspace(0, 2 * math.pi, 4001, dtype=torch.float64)
    edge = torch.stack([radii[0] * angles.cos(), radii[1] * angles.sin()], dim=1)
    distance = torch.cdist(points, edge).amin(1)
    values = shape(points)
    assert bool((values.abs() <= distance * (1 + 1e-9)).all())
    assert torch.equal(values < 0, ((points / torch.tensor(radii).double()) ** 2).sum(1) < 1)
    assert float(gradient(shape, points).norm(dim=1).max()) <= shape.lipschitz * (1 + 1e-9)
    assert shape.exact == (radii[0] == radii[1])


def test_gradients_reach_corners() -> None:
    corners = torch.tensor(STAR, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda at, c: Polygon(c)(at), (cloud(10).requires_grad_(), corners))


def test_a_point_on_an_edge_has_a_normal() -> None:
    slope = gradient(Polygon(L), torch.tensor([[0.0, -0.1], [0.04, -0.02]]).double())
    torch.testing.assert_close(slope, torch.tensor([[0.0, -1.0], [0.0, 1.0]]).double())


def test_short_names() -> None:
    points = cloud(50)
    assert torch.equal(rectangle(0.1)(points), Rectangle((0.1, 0.1))(points))
    assert torch.equal(rounded_rectangle(0.1, 0.2, 0.01)(points), Rectangle((0.1, 0.2), radius=0.01)(points))
    assert torch.equal(ellipse(0.1, 0.2)(points), Ellipse((0.1, 0.2))(points))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Circle(-1), "radius"),
        (lambda: Ellipse((0.1, 0)), r"radii\[1\]"),
        (lambda: Rectangle((0.1, 0.1, 0.1)), "size should be 2 numbers; there are 3"),
        (lambda: Rectangle((0.1, 0.1), radius=0.2), "at most half"),
        (lambda: Ring(0.1, -1), "minor"),
        (lambda: Segment((0, 0), (1, 0), 0), "radius"),
        (lambda: HalfPlane((0, 0)), "normal"),
        (lambda: Polygon(L[:2]), "at least 3 corners; there are 2"),
        (lambda: Polygon([(0, 0), (1, 0, 0), (1, 1)]), r"corners\[1\] should be 2 numbers; there are 3"),
        (lambda: Polygon([(0, 0), (0, 0), (1, 1)]), "some are equal"),
        (lambda: Polygon([(0, 0), (1, 1), (1, 0), (0, 1)]), "edges 0 and 2 do"),
        (lambda: Polygon([(0, 0), (1, 1), (2, 2)]), "on one line"),
    ],
)
def test_says_what_is_wrong(make: Callable[[], Shape], message: str) -> None:
    with pytest.raises(FieldError, match=message):
        make()
