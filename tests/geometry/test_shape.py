"""Primitives in space against meshes of other libraries, and what a distance must satisfy."""

from __future__ import annotations

import math
from collections.abc import Callable

import igl
import numpy as np
import pytest
import torch
import trimesh
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from headviz.errors import FieldError, ShapeError
from headviz.geometry.calculus import gradient
from headviz.geometry.distances import ellipsoid_lipschitz
from headviz.geometry.field import Field, evaluate
from headviz.geometry.shape import Shape
from headviz.geometry.shapes import (
    Box,
    Capsule,
    Cone,
    Cylinder,
    Ellipsoid,
    Plane,
    RoundedCone,
    Sphere,
    Torus,
    box,
    ellipsoid,
    rounded_box,
)

UP = trimesh.transformations.rotation_matrix(-math.pi / 2, (1, 0, 0))  # z up becomes y up


def balls(*spheres: tuple[tuple[float, float, float], float]) -> trimesh.Trimesh:
    """The convex hull of balls."""
    ball = trimesh.creation.icosphere(5)
    return trimesh.convex.convex_hull(np.concatenate([ball.vertices * r + np.array(c) for c, r in spheres]))


def turned(mesh: trimesh.Trimesh, lift: float = 0.0) -> trimesh.Trimesh:
    return mesh.apply_transform(UP).apply_translation((0, lift, 0))


CORNERS = [(x, y, z) for x in (-0.08, 0.08) for y in (-0.05, 0.05) for z in (-0.03, 0.03)]
EXACT: dict[str, tuple[Shape, Callable[[], trimesh.Trimesh]]] = {
    "sphere": (Sphere(0.1, (0.01, 0.02, 0.03)), lambda: balls(((0.01, 0.02, 0.03), 0.1))),
    "box": (Box((0.2, 0.14, 0.1)), lambda: trimesh.creation.box((0.2, 0.14, 0.1))),
    "rounded box": (Box((0.2, 0.14, 0.1), radius=0.02), lambda: balls(*((c, 0.02) for c in CORNERS))),
    "torus": (Torus(0.1, 0.03), lambda: turned(trimesh.creation.torus(0.1, 0.03, 256, 128))),
    "capsule": (
        Capsule((-0.02, 0.0, 0.01), (0.05, 0.06, -0.03), 0.04),
        lambda: balls(((-0.02, 0.0, 0.01), 0.04), ((0.05, 0.06, -0.03), 0.04)),
    ),
    "rounded cone": (
        RoundedCone((0.0, -0.05, 0.02), (0.03, 0.07, 0.0), 0.06, 0.02),
        lambda: balls(((0.0, -0.05, 0.02), 0.06), ((0.03, 0.07, 0.0), 0.02)),
    ),
    "cylinder": (Cylinder(0.08, 0.15), lambda: turned(trimesh.creation.cylinder(0.08, 0.15, sections=512))),
    "cone": (Cone(0.08, 0.2), lambda: turned(trimesh.creation.cone(0.08, 0.2, sections=512), -0.1)),
    "frustum": (
        Cone(0.08, 0.12, 0.03),
        lambda: turned(trimesh.creation.revolve([(0, -0.06), (0.08, -0.06), (0.03, 0.06), (0, 0.06)], sections=512)),
    ),
    "funnel": (
        Cone(0.02, 0.1, 0.07),
        lambda: turned(trimesh.creation.revolve([(0, -0.05), (0.02, -0.05), (0.07, 0.05), (0, 0.05)], sections=512)),
    ),
}
BOUNDS: dict[str, Shape] = {
    "ellipsoid": Ellipsoid((0.08, 0.12, 0.1)),
    "long ellipsoid": Ellipsoid((0.02, 0.12, 0.05)),
    "spindle": Torus(0.03, 0.05),
}
PLANE = Plane((1.0, 2.0, -0.5), 0.03)
EVERY = {name: shape for name, (shape, _) in EXACT.items()} | BOUNDS | {"plane": PLANE}


def cloud(count: int, reach: float = 0.2, dimension: int = 3, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (2 * torch.rand(count, dimension, generator=generator, dtype=torch.float64) - 1) * reach


@pytest.mark.parametrize("name", EXACT)
def test_value_is_the_signed_distance_to_a_mesh(name: str) -> None:
    shape, make = EXACT[name]
    mesh, points = make(), torch.cat([cloud(1500, 0.1), cloud(1500)]).numpy()
    vertices, faces = np.array(mesh.vertices), np.array(mesh.faces).astype(np.int64)
    distance = np.sqrt(igl.point_mesh_squared_distance(points, vertices, faces)[0])
    inside = igl.winding_number(vertices, faces, points) > 0.5
    np.testing.assert_allclose(shape(points), np.where(inside, -distance, distance), atol=1.5e-4)
    assert 50 < inside.sum() < 2900
    assert shape.exact
    assert shape.lipschitz == 1


@pytest.mark.parametrize("name", [*EXACT, "plane"])
def test_a_step_down_the_gradient_ends_on_the_surface(name: str) -> None:
    shape, points = EVERY[name], cloud(4000, 0.3)
    values, slope = shape(points), gradient(shape, points)
    torch.testing.assert_close(slope.norm(dim=1), torch.ones(4000).double(), rtol=0, atol=1e-9)
    assert float(shape(points - values[:, None] * slope).abs().max()) < 1e-12


@pytest.mark.parametrize("name", BOUNDS)
def test_a_bound_says_so_and_keeps_to_its_lipschitz_constant(name: str) -> None:
    shape = BOUNDS[name]
    assert not shape.exact
    steepest = max(float(gradient(shape, cloud(100_000, reach)).norm(dim=1).max()) for reach in (0.15, 0.5, 50.0))
    assert steepest <= shape.lipschitz * (1 + 1e-9)
    assert steepest > 0.98 * shape.lipschitz


def true_distance(point: np.ndarray, radii: np.ndarray) -> float:
    """From a point outside to an ellipsoid: D. Eberly's root, found by bisection of SciPy's."""
    p = np.abs(point)
    root = brentq(
        lambda t: float(np.sum((radii * p / (t + radii**2)) ** 2)) - 1, 0, float(radii.max() * np.linalg.norm(p))
    )
    return float(np.linalg.norm(p - radii**2 * p / (root + radii**2)))


@given(
    st.tuples(*[st.floats(0.02, 0.2)] * 3),
    st.tuples(*[st.floats(-0.6, 0.6)] * 3).filter(lambda p: np.linalg.norm(p) > 0.21),
)
def test_ellipsoid_never_exceeds_the_true_distance(radii: tuple[float, ...], point: tuple[float, ...]) -> None:
    shape, at = Ellipsoid(radii), torch.tensor([point], dtype=torch.float64)
    value, true = float(shape(at)), true_distance(np.array(point), np.array(radii))
    assert 0 < value <= true * (1 + 1e-9)
    assert value >= true * min(radii) / max(radii) * (1 - 1e-9)  # not uselessly small either


def test_ellipsoid_inside_never_exceeds_the_true_depth() -> None:
    radii = np.array([0.05, 0.12, 0.08])
    sphere = trimesh.creation.icosphere(6)
    mesh = np.array(sphere.vertices) * radii, np.array(sphere.faces).astype(np.int64)
    points = cloud(20_000, 0.12).numpy()
    points = points[((points / radii) ** 2).sum(1) < 1]
    depth = np.sqrt(igl.point_mesh_squared_distance(points, *mesh)[0])
    values = Ellipsoid(tuple(radii.tolist()))(points)
    assert (values < 0).all()
    assert (-values <= depth + 1e-4).all()


@given(st.tuples(*[st.floats(0.05, 0.5)] * 3))
def test_lipschitz_constant_of_ellipsoids_is_the_supremum(radii: tuple[float, ...]) -> None:
    normals = torch.nn.functional.normalize(cloud(20_000), dim=1)
    squares = torch.tensor(radii, dtype=torch.float64) ** 2
    h2 = (normals.square() * squares).sum(1, keepdim=True)
    sampled = float((2 * normals - h2 * normals / squares).norm(dim=1).max())  # the gradient far away
    claimed = ellipsoid_lipschitz(radii)
    assert max(1.0, sampled) <= claimed * (1 + 1e-9)
    assert claimed <= max(1.0, 1.05 * sampled)


@pytest.mark.parametrize("name", EVERY)
def test_precision_kind_and_repetition(name: str) -> None:
    shape, points = EVERY[name], cloud(500)
    double, single = shape(points), shape(points.float())
    assert (double.dtype, single.dtype) == (torch.float64, torch.float32)
    torch.testing.assert_close(single.double(), double, rtol=1e-5, atol=1e-6)
    array = shape(points.numpy())
    assert isinstance(array, np.ndarray)
    np.testing.assert_array_equal(array, double.numpy())
    assert torch.equal(shape(points), double)
    assert shape(points[:0]).shape == (0,)
    assert torch.equal(shape.at(*points.reshape(5, 100, 3).unbind(-1)).reshape(-1), double)
    assert isinstance(shape, Field)


@pytest.mark.parametrize("name", [*EXACT, *BOUNDS])
def test_bounds_are_tight_and_the_outside_is_beyond(name: str) -> None:
    shape = EVERY[name]
    low, high = shape.bounds.double()
    points = cloud(200_000, 0.25)
    inside = points[shape(points) < 0]
    beyond = ((points < low) | (points > high)).any(1)
    assert float(shape(points[beyond]).min()) > 0
    assert shape.bounded
    if not name.startswith("rounded cone"):
        margin = (inside.amin(0) - low).clamp_min(0) + (high - inside.amax(0)).clamp_min(0)
        assert float(margin.max()) < 0.03


@pytest.mark.parametrize("name", EVERY)
def test_gradients_are_finite_where_formulas_have_no_direction(name: str) -> None:
    shape, values = EVERY[name], torch.tensor([0.0, 0.02, -0.05, 0.1], dtype=torch.float64)
    points = torch.cartesian_prod(values, values, values)
    for precise in (points, points.float()):
        slope = gradient(shape, precise)
        assert bool(slope.isfinite().all())
        assert float(slope.norm(dim=1).max()) <= shape.lipschitz * (1 + 1e-5)


V = [0.03, -0.02, 0.01]
PARAMETERS = {
    "sphere": (lambda r, c: Sphere(r, c), [0.1, V]),
    "ellipsoid": (lambda r, c: Ellipsoid(r, c), [[0.08, 0.12, 0.1], V]),
    "box": (lambda s, c, r: Box(s, c, r), [[0.2, 0.15, 0.1], V, 0.02]),
    "torus": (lambda a, b, c: Torus(a, b, c), [0.1, 0.03, V]),
    "capsule": (lambda a, b, r: Capsule(a, b, r), [V, [0.0, 0.1, 0.05], 0.04]),
    "rounded cone": (lambda a, b, r, s: RoundedCone(a, b, r, s), [V, [0.0, 0.1, 0.05], 0.04, 0.02]),
    "cylinder": (lambda r, h, c: Cylinder(r, h, c), [0.08, 0.15, V]),
    "cone": (lambda r, h, t, c: Cone(r, h, t, c), [0.08, 0.15, 0.03, V]),
    "plane": (lambda n, d: Plane(n, d), [[1.0, 0.5, 0.2], 0.02]),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_gradients_reach_parameters_and_points(name: str) -> None:
    make, numbers = PARAMETERS[name]
    parameters = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in numbers]
    points = cloud(12, 0.15, seed=3).requires_grad_()
    assert torch.autograd.gradcheck(lambda at, *given: make(*given)(at), (points, *parameters))
    plain = make(*numbers)
    torch.testing.assert_close(make(*parameters)(points), plain(points))
    assert make(*parameters)(points.float()).dtype == torch.float32
    assert torch.equal(make(*parameters).bounds, plain.bounds)


def test_bounds_follow_a_parameter_that_changes() -> None:
    radius = torch.tensor(0.1)
    ball = Sphere(radius)
    radius += 0.2
    assert float(ball.bounds[1, 0]) == pytest.approx(0.3)


def test_bounds_are_rounded_outwards() -> None:
    low, high = Sphere(0.1).bounds.double()
    assert float(low.max()) <= -0.1
    assert float(high.min()) >= 0.1


def test_short_names() -> None:
    points = cloud(50)
    for short, long in [
        (box(0.1), Box((0.1, 0.1, 0.1))),
        (box(0.1, 0.2), Box((0.1, 0.2, 0.2))),
        (box(0.1, 0.2, 0.3, center=(0, 1, 0)), Box((0.1, 0.2, 0.3), (0, 1, 0))),
        (rounded_box(0.1, 0.2, 0.3, 0.02), Box((0.1, 0.2, 0.3), radius=0.02)),
        (ellipsoid(0.1, 0.2, 0.3), Ellipsoid((0.1, 0.2, 0.3))),
    ]:
        assert torch.equal(short(points), long(points))


def test_infinite_bounds_of_planes_end_where_the_plane_does() -> None:
    assert Plane((0, 2, 0), 0.1).bounds.tolist()[1][1] == pytest.approx(0.1)
    assert Plane((0, 0, -1), 0.1).bounds.tolist()[0][2] == pytest.approx(-0.1)
    assert not PLANE.bounded
    assert PLANE.bounds.isinf().all()


def test_evaluate_takes_shapes() -> None:
    points = cloud(1000)
    torch.testing.assert_close(evaluate(Sphere(0.1), points, chunk=100), points.norm(dim=1) - 0.1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Sphere(-0.1), "radius should be a positive number; it is -0.1"),
        (lambda: Sphere(0.0), "positive"),
        (lambda: Sphere(math.nan), "it is nan"),
        (lambda: Sphere(torch.tensor(math.inf)), "it is inf"),
        (lambda: Sphere(torch.ones(2)), r"one number; it is a tensor of shape \(2,\)"),
        (lambda: Sphere(0.1, (0.0, 0.0)), "center should be 3 numbers; there are 2"),
        (lambda: Sphere(0.1, torch.zeros(1, 3)), r"center should have shape \(3,\)"),
        (lambda: Sphere(0.1, (0, math.nan, 0)), r"center\[1\] should be a number; it is nan"),
        (lambda: Ellipsoid((0.1, 0.2, 0)), r"radii\[2\] should be a positive number"),
        (lambda: Box((0.1, -0.2, 0.3)), r"size\[1\]"),
        (lambda: Box((0.1, 0.2, 0.3), radius=0.06), "at most half the shortest edge, 0.05; it is 0.06"),
        (lambda: Torus(0.1, 0), "minor"),
        (lambda: Capsule((0, 0, 0), (0, 0, 1), -1), "radius"),
        (lambda: RoundedCone((0, 0, 0), (0, 0.1, 0), 0.2, 0.1), "one ball contains the other"),
        (lambda: Cylinder(0.1, 0), "height"),
        (lambda: Cone(0.1, 0.2, -0.1), "top should be a number ≥ 0; it is -0.1"),
        (lambda: Plane((0, 0, 0)), "normal should not be zero"),
    ],
)
def test_says_what_is_wrong_with_a_parameter(make: Callable[[], Shape], message: str) -> None:
    with pytest.raises(FieldError, match=message):
        make()


def test_says_what_is_wrong_with_points() -> None:
    with pytest.raises(ShapeError, match=r"should have shape \(n, 3\); shape is \(4, 2\)"):
        Sphere(0.1)(torch.zeros(4, 2))


def test_what_follows_from_parameters_cannot_be_set() -> None:
    class Mutable(Shape):
        def traits(self) -> object:
            return Sphere(1.0).traits()

    with pytest.raises(AttributeError, match="bounds of a Mutable follow from its parameters"):
        Mutable().bounds = torch.zeros(2, 3)
    with pytest.raises(AttributeError, match="lipschitz of a Mutable"):
        Mutable().lipschitz = 2.0


def test_a_capsule_of_no_length_is_a_ball() -> None:
    points = cloud(100)
    torch.testing.assert_close(Capsule((0, 0, 0), (0, 0, 0), 0.1)(points), Sphere(0.1)(points))
