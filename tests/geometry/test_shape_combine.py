"""Combined shapes keep what they promise: bounds, exactness, Lipschitz constant."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from skimage.measure import find_contours

from headviz.errors import FieldError
from headviz.geometry.calculus import gradient
from headviz.geometry.combine import Union
from headviz.geometry.shape import Shape
from headviz.geometry.shapes import Box, Capsule, Cone, Cylinder, Ellipsoid, Plane, RoundedCone, Sphere, Torus
from headviz.geometry.shapes2d import Circle, Ellipse, HalfPlane, Polygon, Rectangle, Ring
from headviz.geometry.transform import rotation

length = st.floats(0.02, 0.15).map(lambda x: round(x, 3))
place = st.floats(-0.15, 0.15).map(lambda x: round(x, 3))
vector = st.tuples(place, place, place)
smooth = st.sampled_from([0.0, 0.0, 0.03])
axis = st.sampled_from(["x", "y", "z"])

Plan = tuple[Any, ...]


def plan(make: Callable[..., Shape], *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Plan]:
    """What to call with what; called in the test, since checking types takes random numbers of its own."""
    return st.tuples(st.just(make), *arguments)


def built(value: Any) -> Any:
    """A plan carried out."""
    if isinstance(value, tuple) and value and callable(value[0]):
        return value[0](*map(built, value[1:]))
    return value


flat = st.one_of(
    plan(Circle, length, st.tuples(place, place)),
    plan(Rectangle, st.tuples(length, length), st.tuples(place, place)),
    plan(Ring, length, length),
    plan(Ellipse, st.tuples(length, length)),
    plan(lambda: Polygon([(-0.1, -0.1), (0.1, -0.1), (0.1, -0.02), (-0.02, -0.02), (-0.02, 0.1), (-0.1, 0.1)])),
)
leaves = st.one_of(
    plan(Sphere, length, vector),
    plan(Ellipsoid, st.tuples(length, length, length), vector),
    plan(Box, st.tuples(length, length, length), vector),
    plan(Torus, length, length),
    plan(lambda a, b, r: Capsule(a, b, r), vector, vector, length),
    plan(Cylinder, length, length, vector),
    plan(Cone, length, length, length),
    plan(Plane, st.sampled_from([(0.0, 1.0, 0.0), (1.0, 1.0, 0.5), (-1.0, 0.0, 0.0)]), place),
    plan(Shape.extrude, flat, length),
    plan(Shape.revolve, flat, st.sampled_from([0.0, 0.1, 0.25])),
)


def repeated(shape: Shape, gap: float, counts: tuple[int | None, ...]) -> Shape:
    """A repetition whose cells hold the shape, if it is one that can be repeated."""
    if not shape.bounded:
        return shape
    low, high = shape.bounds.double().tolist()
    if max(b - a for a, b in zip(low, high, strict=True)) > 1:
        return shape
    return shape.repeat(tuple(b - a + gap for a, b in zip(low, high, strict=True)), counts)


def grow(children: st.SearchStrategy[Plan]) -> st.SearchStrategy[Plan]:
    count = st.sampled_from([1, 2, 3, None])
    return st.one_of(
        plan(lambda a, b, k: a.union(b, smooth=k), children, children, smooth),
        plan(lambda a, b, k: a.intersection(b, smooth=k), children, children, smooth),
        plan(lambda a, b, k: a.difference(b, smooth=k), children, children, smooth),
        plan(lambda a: ~a, children),
        plan(Shape.offset, children, st.sampled_from([0.02, -0.02])),
        plan(Shape.shell, children, st.sampled_from([0.01, 0.04])),
        plan(Shape.translate, children, vector),
        plan(Shape.rotate, children, st.one_of(axis, st.just((1.0, 2.0, -1.0))), st.floats(-180, 180)),
        plan(Shape.scale, children, st.sampled_from([0.5, 2.0])),
        plan(Shape.stretch, children, st.tuples(*[st.sampled_from([0.6, 1.0, 1.5])] * 3)),
        plan(Shape.mirror, children, axis),
        plan(Shape.elongate, children, st.tuples(*[st.sampled_from([0.0, 0.05])] * 3)),
        plan(repeated, children, st.sampled_from([0.0, 0.02]), st.tuples(count, count, st.just(1))),
        plan(lambda a: a.slice("z", 0.01).extrude(0.1), children),
    )


trees = st.recursive(leaves, grow, max_leaves=5)


def cloud(count: int, reach: float = 0.3, dimension: int = 3, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (2 * torch.rand(count, dimension, generator=generator, dtype=torch.float64) - 1) * reach


@settings(max_examples=250)
@given(trees, st.integers(0, 10**6))
def test_any_shape_keeps_its_promises(tree: Plan, seed: int) -> None:
    shape = built(tree)
    points = torch.cat([cloud(300, 0.3, seed=seed), cloud(100, 2.0, seed=seed)])
    values, slope = shape(points), gradient(shape, points)
    traits = shape.traits()
    steepness = slope.norm(dim=1)
    assert bool(values.isfinite().all())
    assert float(steepness.max()) <= traits.lipschitz * (1 + 1e-9)
    # Values of pairs, too, are no further apart than the points.
    other = points + cloud(len(points), 0.05, seed=seed + 1)
    assert bool(((shape(other) - values).abs() <= traits.lipschitz * (other - points).norm(dim=1) + 1e-12).all())
    # Where a value says that it is exact, a step down the gradient ends on the surface.
    claimed = (values > 0) & traits.exact_outside | (values < 0) & traits.exact_inside
    torch.testing.assert_close(steepness[claimed], torch.ones_like(steepness[claimed]), rtol=0, atol=1e-7)
    feet = points - values[:, None] * slope
    if bool(claimed.any()):
        assert float(shape(feet[claimed]).abs().max()) < 1e-9
    # Beyond the box there is one side only, and values grow away from it.
    low, high = torch.tensor([traits.low, traits.high]).double()
    away = torch.maximum(low - points, points - high).amax(1)
    beyond = away > 1e-6
    assert bool((traits.side * values[beyond] >= away[beyond] / traits.growth - 1e-6).all())
    torch.testing.assert_close(shape(points.float()).double(), values, rtol=1e-4, atol=1e-5)


FLAT: dict[str, Shape] = {
    "union": Circle(0.06, (-0.05, 0.0)) | Rectangle((0.12, 0.08), (0.04, 0.0)),
    "intersection": Circle(0.1, (-0.03, 0.0)) & Rectangle((0.16, 0.1), (0.02, 0.0)),
    "difference": Rectangle((0.2, 0.14)) - Circle(0.05, (0.06, 0.0)),
    "complement": ~Rectangle((0.2, 0.14)),
    "offset": (Circle(0.04, (-0.05, 0.0)) | Rectangle((0.06, 0.06), (0.04, 0.0))).offset(0.02),
    "eroded": (Rectangle((0.2, 0.14)) & Circle(0.09)).offset(-0.02),
    "shell": Rectangle((0.16, 0.12)).shell(0.02),
    "smooth": Circle(0.05, (-0.05, 0.0)).union(Circle(0.05, (0.05, 0.0)), smooth=0.06),
    "stretched": Circle(0.05).stretch(2.0, 1.0),
    "scaled": Rectangle((0.05, 0.03)).scale(3.0),
    "rotated": Rectangle((0.2, 0.1)).rotate("z", 30),
    "mirrored": Circle(0.04, (0.06, 0.0)).mirror("x"),
    "mirrored through": Rectangle((0.1, 0.06), (0.03, 0.0)).rotate("z", 20).mirror("x"),
    "elongated": Circle(0.04).elongate(0.1, 0.0),
    "repeated": Rectangle((0.06, 0.04), (0.0, 0.01)).rotate("z", 25).repeat(0.1, (3, 2)),
    "repeated bound": Ellipse((0.04, 0.02), (0.02, 0.0)).repeat((0.08, 0.06), (2, 3)),
    "repeated difference": (Circle(0.04) - Rectangle((0.06, 0.03), (0.03, 0.0))).repeat((0.08, 0.09), 2),
    "half planes": HalfPlane((1.0, 1.0), 0.05) & HalfPlane((-1.0, 0.5), 0.05) & Circle(0.15),
}


@pytest.mark.parametrize("name", FLAT)
def test_values_against_the_distance_to_the_outline(name: str) -> None:
    shape = FLAT[name]
    axis = np.linspace(-0.25, 0.25, 1001)
    step = axis[1] - axis[0]
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1)
    field = shape(grid.reshape(-1, 2)).reshape(1001, 1001)
    lines = [line * step - 0.25 for line in find_contours(field, 0.0)]
    fine = [a + (b - a) * t for line in lines for a, b in [(line[:-1], line[1:])] for t in (0.0, 0.25, 0.5, 0.75)]
    points = cloud(3000, 0.22, 2).numpy()
    values, distance = shape(points), cKDTree(np.concatenate(fine)).query(points)[0]
    assert (np.abs(values) <= distance * shape.lipschitz + 2e-4).all()
    exact = (values > 0) & shape.exact_outside | (values < 0) & shape.exact_inside
    np.testing.assert_allclose(np.abs(values[exact]), distance[exact], atol=4e-4)
    low, high = shape.bounds.double().numpy()
    assert (np.concatenate(lines) >= low - 1e-6).all()
    assert (np.concatenate(lines) <= high + 1e-6).all()


def test_flags_of_combinations() -> None:
    flags = {name: (shape.exact_outside, shape.exact_inside, shape.bounded) for name, shape in FLAT.items()}
    assert flags["union"] == flags["offset"] == (True, False, True)
    assert flags["intersection"] == flags["difference"] == flags["eroded"] == (False, True, True)
    assert flags["complement"] == (True, True, False)
    assert flags["shell"] == (True, False, True)
    assert flags["smooth"] == flags["stretched"] == flags["elongated"] == (False, False, True)
    assert flags["scaled"] == flags["rotated"] == flags["mirrored"] == (True, True, True)
    assert flags["mirrored through"] == (False, False, True)
    assert flags["repeated"] == (True, True, True)
    assert flags["repeated bound"] == (False, False, True)
    assert (~~FLAT["union"]).bounded
    assert not (FLAT["union"] | HalfPlane()).bounded
    assert (HalfPlane() & FLAT["union"]).bounded
    assert (FLAT["union"] - HalfPlane()).bounded


def test_booleans_are_those_of_the_insides() -> None:
    a, b, points = Sphere(0.1), Box((0.15, 0.15, 0.15), (0.05, 0.0, 0.0)), cloud(5000, 0.15)
    in_a, in_b = a(points) < 0, b(points) < 0
    for shape, inside in [
        (a | b, in_a | in_b),
        (a & b, in_a & in_b),
        (a - b, in_a & ~in_b),
        (-a, ~in_a),
        (~a, ~in_a),
        (a.union(b, Sphere(0.01)), in_a | in_b),
        (a.difference(b, Sphere(0.05)), in_a & ~in_b & (points.norm(dim=1) > 0.05)),
    ]:
        assert torch.equal(shape(points) < 0, inside)


@given(st.floats(0.01, 0.1), place)
def test_smooth_union_is_the_polynomial_and_grows_by_a_quarter_at_most(k: float, shift: float) -> None:
    a, b = Sphere(0.08), Sphere(0.06, (shift, 0.0, 0.0))
    points = cloud(500, 0.2)
    blended, sharp = a.union(b, smooth=k)(points), (a | b)(points)
    h = (k - (a(points) - b(points)).abs()).clamp_min(0) / k
    torch.testing.assert_close(blended, sharp - h * h * k / 4)
    assert bool((blended >= sharp - k / 4 - 1e-12).all())
    # De Morgan holds for the smooth ones too.
    torch.testing.assert_close((~a).intersection(~b, smooth=k)(points), -blended)
    parameter = torch.tensor(k, dtype=torch.float64)
    torch.testing.assert_close(a.union(b, smooth=parameter)(points), blended)
    torch.testing.assert_close(a.union(b, smooth=0 * parameter)(points), sharp)


@settings(max_examples=40)
@given(trees, vector, st.floats(-180, 180), st.floats(0.2, 5), axis)
def test_equivariance(tree: Plan, shift: tuple[float, ...], degrees: float, factor: float, about: str) -> None:
    shape = built(tree)
    points = cloud(200)
    values = shape(points)
    turn = rotation(about, degrees)
    close = torch.testing.assert_close
    close(shape.translate(shift)(points + torch.tensor(shift, dtype=torch.float64)), values, rtol=1e-6, atol=1e-9)
    close(shape.rotate(about, degrees)(points @ turn.T), values, rtol=1e-6, atol=1e-9)
    close(shape.transform(turn)(points @ turn.T), values, rtol=1e-6, atol=1e-9)
    close(shape.scale(factor)(points * factor), values * factor, rtol=1e-6, atol=1e-9)
    flipped = points * torch.tensor([-1.0, 1.0, 1.0]).double()
    close(shape.mirror("x")(flipped), shape.mirror("x")(points), rtol=0, atol=0)
    close(shape.mirror("x")(points.abs()), shape(points.abs()), rtol=0, atol=0)


def test_rotation_is_counter_clockwise_about_its_axis() -> None:
    for k, name in enumerate("xyz"):
        before, after = torch.eye(3).double()[(k + 1) % 3], torch.eye(3).double()[(k + 2) % 3]
        torch.testing.assert_close(rotation(name, 90) @ before, after)
    axis = (1.0, -2.0, 0.5)
    unit = torch.nn.functional.normalize(torch.tensor(axis).double(), dim=0)
    cross = torch.tensor([[0, -unit[2], unit[1]], [unit[2], 0, -unit[0]], [-unit[1], unit[0], 0]], dtype=torch.float64)
    torch.testing.assert_close(rotation(axis, 40), torch.linalg.matrix_exp(math.radians(40) * cross))
    ball = Sphere(0.01, (0.1, 0.0, 0.0)).rotate("z", 90)
    assert float(ball(torch.tensor([[0.0, 0.1, 0.0]]))) < 0


@pytest.mark.parametrize("r", [0.0, 0.03, 0.08])
def test_steiner(r: float) -> None:
    """J. Steiner 1840: V(r) = V + A r + M r² + 4πr³/3, here for a box, by counting cells."""
    a, b, c = 0.2, 0.14, 0.1
    grown = Box((a, b, c)).offset(r)
    sides = [(np.arange(n := round((s + 2 * r) / 0.002)) + 0.5) / n * (s + 2 * r) - s / 2 - r for s in (a, b, c)]
    cell = np.prod([side[1] - side[0] for side in sides])
    points = torch.tensor(np.stack(np.meshgrid(*sides, indexing="ij"), -1).reshape(-1, 3))
    points += cloud(len(points), 0.001)  # somewhere in their cells, lest whole layers fall on one side
    volume = float((grown(points) < 0).sum()) * cell
    expected = a * b * c + 2 * (a * b + b * c + c * a) * r + math.pi * (a + b + c) * r**2 + 4 / 3 * math.pi * r**3
    assert volume == pytest.approx(expected, rel=2e-3)
    assert torch.allclose(grown.bounds.double()[1], torch.tensor([a, b, c]).double() / 2 + r, atol=1e-6)


def test_repetition_is_the_union_of_the_copies() -> None:
    one = Box((0.05, 0.03, 0.04), (0.01, 0.0, 0.0)).rotate("z", 20)
    points = cloud(2000, 0.4)
    copies = [one.translate(0.1 * i, 0.08 * j - 0.04, 0.0) for i in (-1, 0, 1) for j in (0, 1)]
    lattice = one.repeat((0.1, 0.08, 0.0), (3, 2, 5))
    torch.testing.assert_close(lattice(points), Union(tuple(copies))(points))
    endless = one.repeat((0.1, 0.0, 0.0))
    assert endless.bounds.tolist()[1][0] == math.inf
    assert not endless.bounded
    torch.testing.assert_close(endless(points + torch.tensor([0.7, 0.0, 0.0])), endless(points))


def test_repetition_of_a_bound_is_continuous() -> None:
    shape = Ellipsoid((0.02, 0.08, 0.03), (0.01, 0.0, 0.0)).rotate("z", 45).repeat(0.2)
    start = cloud(300, 0.5)
    line = start[:, None] + torch.linspace(0, 0.3, 3001)[None, :, None] * torch.tensor([1.0, 0.3, -0.2])
    values = shape(line.reshape(-1, 3)).reshape(300, 3001)
    step = float((line[0, 1] - line[0, 0]).norm())
    assert float(values.diff(dim=1).abs().max()) <= shape.lipschitz * step * (1 + 1e-6)


def test_from_the_plane_to_space_and_back() -> None:
    points = cloud(2000, 0.2)
    torch.testing.assert_close(Circle(0.1).extrude(0.2).rotate("x", 90)(points), Cylinder(0.1, 0.2)(points))
    torch.testing.assert_close(Circle(0.03).revolve(0.1)(points), Torus(0.1, 0.03)(points))
    assert Circle(0.03).revolve(0.1).exact
    assert not Circle(0.03).revolve().exact
    flat = cloud(500, 0.2, 2)
    u, v, w = flat[:, 0], flat[:, 1], torch.full((500,), 0.02).double()
    shape = RoundedCone((0.0, -0.05, 0.02), (0.03, 0.07, 0.0), 0.06, 0.02)
    for name, space in {"x": (w, v, u), "y": (u, w, v), "z": (u, v, w)}.items():
        torch.testing.assert_close(shape.slice(name, 0.02)(flat), shape.at(*space))


def test_gradients_reach_parameters() -> None:
    def carved(*p: torch.Tensor) -> torch.Tensor:
        radius, k, shift, angle, factor, wall, thick = p
        ball = Sphere(radius).union(Box((0.1, 0.1, 0.1)).translate(shift), smooth=k)
        turned = ball.rotate((1.0, 1.0, 0.0), angle).scale(factor).offset(wall)
        return turned.stretch(factor, 1.0, 1.0).elongate(wall, 0.0, 0.0).shell(thick)(cloud(10, 0.2))

    numbers = [0.1, 0.03, (0.05, 0.02, -0.04), 30.0, 1.2, 0.01, 0.02]
    parameters = tuple(torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in numbers)
    assert torch.autograd.gradcheck(carved, parameters, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Sphere(0.1) | Circle(0.1), r"of one dimension; their dimensions are \[3, 2\]"),
        (lambda: Union(()), "one or more shapes"),
        (lambda: Sphere(0.1).union(Sphere(0.1), smooth=-1), "smooth should be a number ≥ 0; it is -1"),
        (lambda: Sphere(0.1).offset(math.nan), "distance should be a number; it is nan"),
        (lambda: Sphere(0.1).shell(0), "thickness"),
        (lambda: Sphere(0.1).translate(0.1, 0.2), "by should be 3 numbers; there are 2"),
        (lambda: Sphere(0.1).rotate((0, 0, 0), 10), "axis should have a direction"),
        (lambda: Circle(0.1).rotate((0, 1, 0), 10), "in the plane shapes turn about"),
        (lambda: Sphere(0.1).transform(2 * torch.eye(3)), "matrix should be orthogonal"),
        (lambda: Sphere(0.1).transform(torch.eye(2)), r"matrix should have shape \(3, 3\)"),
        (lambda: Sphere(0.1).scale(0), "factor"),
        (lambda: Sphere(0.1).stretch(1, 2, -1), r"factors\[2\]"),
        (lambda: Circle(0.1).mirror("z"), "axis should be one of x, y; it is 'z'"),
        (lambda: Sphere(0.1).elongate(-0.1, 0, 0), r"lengths\[0\]"),
        (lambda: Sphere(0.1).extrude(1), "the shape should be one of the plane; it has 3 axes"),
        (lambda: Sphere(0.1).revolve(), "plane"),
        (lambda: Circle(0.1).extrude(-1), "height"),
        (lambda: Circle(0.1).slice("x"), "the shape should be one of space"),
        (lambda: Sphere(0.1).repeat(0.15), "spacing should be at least the shape's size"),
        (lambda: (~Sphere(0.1)).repeat(0.5), "should be bounded"),
        (lambda: Plane().repeat(0.5), "spacing should be at least"),
        (lambda: Sphere(0.1).repeat(0.3, 0), "counts should be at least 1"),
        (lambda: Sphere(0.1).repeat(0.3, (1, 2)), "counts should be 3 numbers; there are 2"),
    ],
)
def test_says_what_is_wrong(make: Callable[[], Shape], message: str) -> None:
    with pytest.raises(FieldError, match=message):
        make()
