"""Sampled metrics against closed forms, brute force, scipy and trimesh, and how they scale and turn."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest
import torch
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import directed_hausdorff
from scipy.stats import chisquare

from headviz.errors import InputError, MeshError, ShapeError
from headviz.geometry import surface_metrics as metrics
from headviz.geometry.mesh import Mesh, face_normals
from headviz.geometry.surface_metrics import (
    chamfer_dgsm,
    chamfer_l1,
    chamfer_l2,
    compare_surfaces,
    f_score,
    hausdorff,
    hausdorff_directed,
    nearest_points,
    normal_consistency,
    sample_surface,
)

seeds = st.integers(0, 10**6)
few = settings(max_examples=25)


def cloud(seed: int, count: int = 20) -> torch.Tensor:
    return torch.randn(count, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def rotation(seed: int) -> torch.Tensor:
    q, r = torch.linalg.qr(cloud(seed, 3))
    q = q * r.diagonal().sign()
    return q * torch.det(q)


def ball(radius: float, level: int = 4) -> Mesh:
    made = trimesh.creation.icosphere(level, radius)
    return Mesh(torch.tensor(np.array(made.vertices)), torch.tensor(np.array(made.faces)))


def square(height: float) -> Mesh:
    corners = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]) + torch.tensor([0.0, 0.0, height])
    return Mesh(corners, torch.tensor([[0, 1, 2], [0, 2, 3]]))


# Samples


def test_samples_lie_on_their_faces() -> None:
    mesh = ball(0.1, 2)
    points, normals, faces = sample_surface(mesh, 1000, seed=3)
    corner = mesh.vertices[mesh.faces[faces, 0]]
    true = torch.nn.functional.normalize(face_normals(mesh.vertices, mesh.faces), dim=1)[faces]
    torch.testing.assert_close(normals, true)
    assert float(((points - corner) * true).sum(1).abs().max()) < 1e-15
    bary = trimesh.triangles.points_to_barycentric(mesh.vertices[mesh.faces[faces]].numpy(), points.numpy())
    assert bary.min() >= -1e-9


def test_samples_are_uniform_over_the_area_and_within_a_triangle() -> None:
    flat = Mesh(torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [-3, 0, 0]]), torch.tensor([[0, 1, 2], [0, 2, 3]]))
    points, _, faces = sample_surface(flat, 8000)
    assert torch.bincount(faces).tolist() == [2000, 6000]
    x, y = points[faces == 0, :2].T.double()
    # The share of a right triangle within x < s is 1 − (1 − s)²: that number is uniform, for each leg.
    for leg in (x, y):
        assert chisquare(np.histogram((1 - (1 - leg) ** 2).numpy(), 20, (0, 1))[0]).pvalue > 1e-3


def test_the_mean_of_samples_is_the_centroid() -> None:
    mesh = trimesh.creation.box((1, 2, 3)).subdivide()
    mesh.apply_translation((1, 2, 3))
    ours = Mesh(torch.tensor(np.array(mesh.vertices)), torch.tensor(np.array(mesh.faces)))
    np.testing.assert_allclose(sample_surface(ours, 50_000).points.mean(0).numpy(), mesh.centroid, atol=5e-3)


def test_samples_repeat_by_their_seed() -> None:
    mesh = ball(1.0, 1)
    assert torch.equal(sample_surface(mesh, 99, seed=1).points, sample_surface(mesh, 99, seed=1).points)
    assert not torch.equal(sample_surface(mesh, 99, seed=1).points, sample_surface(mesh, 99, seed=2).points)
    assert sample_surface(Mesh(mesh.vertices.float(), mesh.faces), 5).points.dtype == torch.float32


def test_faces_without_area_get_no_samples() -> None:
    mesh = square(0.0)
    faces = torch.cat([torch.tensor([[0, 0, 1]]), mesh.faces, torch.tensor([[3, 3, 3], [1, 2, 1]])])
    found = sample_surface(Mesh(mesh.vertices, faces), 500).faces
    assert set(found.tolist()) == {1, 2}


def test_tiny_meshes_have_normals() -> None:
    found = sample_surface(Mesh(ball(1.0, 1).vertices.float() * 1e-8, ball(1.0, 1).faces), 50)
    torch.testing.assert_close(torch.linalg.vector_norm(found.normals, dim=1), torch.ones(50))


def test_samples_follow_the_vertices() -> None:
    mesh = ball(1.0, 1)
    vertices = mesh.vertices.clone().requires_grad_()
    sample_surface(Mesh(vertices, mesh.faces), 1000).points.sum().backward()
    assert vertices.grad is not None
    torch.testing.assert_close(vertices.grad.sum(0), torch.full((3,), 1000.0).double())


# Distances between clouds


@given(seeds, st.integers(1, 40), st.integers(1, 40))
@few
def test_neighbours_are_those_of_brute_force(seed: int, n: int, m: int) -> None:
    a, b = cloud(seed, n).requires_grad_(), cloud(seed + 1, m).requires_grad_()
    distance, index = nearest_points(a, b)
    wanted = torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist").min(1)
    torch.testing.assert_close(distance, wanted.values)
    assert torch.equal(index, wanted.indices)
    for ours, true in zip(
        torch.autograd.grad(distance.sum(), (a, b)), torch.autograd.grad(wanted.values.sum(), (a, b)), strict=True
    ):
        torch.testing.assert_close(ours, true)


def test_the_gradient_is_finite_where_points_coincide() -> None:
    a = cloud(0).requires_grad_()
    chamfer_l1(a, a.detach().clone()).backward()
    assert a.grad is not None
    assert float(a.grad.abs().max()) == 0


@pytest.mark.parametrize("measure", [chamfer_l1, chamfer_l2, chamfer_dgsm, hausdorff])
def test_gradients(measure) -> None:
    assert torch.autograd.gradcheck(measure, (cloud(1, 8).requires_grad_(), cloud(2, 9).requires_grad_()))


def test_variants_differ_as_they_are_defined() -> None:
    a = torch.tensor([[0.0, 0, 0], [1, 0, 0]])
    b = torch.tensor([[0.0, 3, 0], [1, 0, 0], [0, 0, 0], [0, 0, 4]])
    # There: 0, 0. Back: 3, 0, 0, 4.
    assert float(chamfer_l1(a, b)) == pytest.approx((0 + 7 / 4) / 2)
    assert float(chamfer_l2(a, b)) == pytest.approx((0 + 25 / 4) / 2)
    assert float(hausdorff_directed(a, b)) == 0
    assert float(hausdorff_directed(b, a)) == float(hausdorff(a, b)) == 4
    assert float(hausdorff_directed(b, a, percentile=50)) == pytest.approx(1.5)
    assert f_score(a, b, 1.0) == (pytest.approx(2 * 0.5 / 1.5), 1.0, 0.5)


def test_dgsm_chamfer_is_the_sum_on_unit_clouds() -> None:
    a = torch.tensor([[0.0, 0, 0], [2, 0, 0]])  # → ±0.5 in x
    b = torch.tensor([[0.0, 0, 0], [0, 4, 0]])  # → ±0.5 in y
    assert float(chamfer_dgsm(a, b)) == pytest.approx(0.5 + 0.5)


@given(seeds, st.floats(0.01, 100), st.floats(0.01, 100))
@few
def test_dgsm_chamfer_ignores_place_and_size(seed: int, size: float, other: float) -> None:
    a, b = cloud(seed), cloud(seed + 1)
    moved = chamfer_dgsm(size * a + 3, other * b - 5)
    torch.testing.assert_close(moved, chamfer_dgsm(a, b), rtol=1e-7, atol=1e-9)


@given(seeds, st.floats(0.01, 100))
@few
def test_distances_turn_and_scale_with_the_clouds(seed: int, size: float) -> None:
    a, b, turn = cloud(seed), cloud(seed + 1, 31), rotation(seed + 2)
    for measure, power in ((chamfer_l1, 1), (chamfer_l2, 2), (hausdorff, 1), (hausdorff_directed, 1)):
        moved = measure(size * a @ turn.T + 1, size * b @ turn.T + 1)
        torch.testing.assert_close(moved, size**power * measure(a, b), rtol=1e-9, atol=1e-11)
    assert f_score(size * a @ turn.T, size * b @ turn.T, 0.7 * size) == f_score(a, b, 0.7)


@given(seeds)
@few
def test_symmetries(seed: int) -> None:
    a, b = cloud(seed), cloud(seed + 1, 31)
    for measure in (chamfer_l1, chamfer_l2, chamfer_dgsm, hausdorff):
        torch.testing.assert_close(measure(a, b), measure(b, a))
        assert float(measure(a, a)) == 0
    there, back = f_score(a, b, 0.8), f_score(b, a, 0.8)
    assert (there.precision, there.recall) == (back.recall, back.precision)
    assert there.score == pytest.approx(back.score)


@given(seeds)
@few
def test_hausdorff_is_scipys(seed: int) -> None:
    a, b = cloud(seed), cloud(seed + 1, 31)
    assert float(hausdorff_directed(a, b)) == pytest.approx(directed_hausdorff(a.numpy(), b.numpy())[0])
    distance = nearest_points(a, b)[0].numpy()
    for percentile in (0.0, 33.0, 95.0, 100.0):
        assert float(hausdorff_directed(a, b, percentile=percentile)) == pytest.approx(
            np.percentile(distance, percentile)
        )


def test_normals_agree_up_to_their_sign() -> None:
    points, normals = cloud(0), cloud(1)
    assert float(normal_consistency(points, normals, points, -3 * normals)) == pytest.approx(1)
    across = torch.linalg.cross(normals, cloud(2))
    assert float(normal_consistency(points, normals, points, across)) == pytest.approx(0, abs=1e-12)
    tilted = torch.nn.functional.normalize(normals, dim=1) + torch.nn.functional.normalize(across, dim=1)
    assert float(normal_consistency(points, normals, points, tilted)) == pytest.approx(math.cos(math.pi / 4))


# Surfaces


def test_concentric_spheres() -> None:
    found = compare_surfaces(ball(1.0), ball(1.2), samples=30_000)
    for value in (found.accuracy, found.completeness, found.chamfer_l1, found.hausdorff, found.hausdorff_95):
        assert value == pytest.approx(0.2, rel=0.02)
    assert found.chamfer_l2 == pytest.approx(0.04, rel=0.02)
    assert found.chamfer_dgsm < 1e-3
    assert found.normal_consistency > 0.999
    assert found.threshold == pytest.approx(0.024)
    assert found.f_score == found.precision == found.recall == 0


def test_shifted_squares() -> None:
    found = compare_surfaces(square(0.0), square(0.25), samples=20_000, threshold=0.3)
    assert found.chamfer_l1 == pytest.approx(0.25, rel=1e-3)
    assert found.chamfer_l2 == pytest.approx(0.0625, rel=1e-3)
    assert found.f_score == found.precision == found.recall == 1
    assert found.normal_consistency == pytest.approx(1)
    assert compare_surfaces(square(0.0), square(0.25), samples=20_000, threshold=0.25).f_score == 0


def test_a_surface_against_itself_shows_the_floor() -> None:
    found = compare_surfaces(ball(1.0), ball(1.0), samples=20_000)
    assert found.chamfer_l1 == pytest.approx(0.5 * (4 * math.pi / 20_000) ** 0.5, rel=0.1)
    assert found == compare_surfaces(ball(1.0), ball(1.0), samples=20_000)


def test_half_a_surface_is_accurate_but_not_complete() -> None:
    whole = ball(1.0)
    half = Mesh(whole.vertices, whole.faces[whole.vertices[whole.faces].mean(1)[:, 2] > 0])
    found = compare_surfaces(half, whole, samples=20_000, threshold=0.06)
    assert found.precision == 1
    assert found.recall == pytest.approx(0.5 * 1.06, abs=0.03)
    assert found.hausdorff == pytest.approx(2**0.5, rel=0.05)
    assert found.accuracy < 0.02
    assert found.completeness > 0.2


def test_the_record_agrees_with_the_functions() -> None:
    mesh, truth = ball(1.0, 2), square(0.3)
    found = compare_surfaces(mesh, truth, samples=500, threshold=0.4, seed=5)
    a, b = sample_surface(mesh, 500, seed=5), sample_surface(truth, 500, seed=6)
    assert found.chamfer_l1 == pytest.approx(float(chamfer_l1(a.points, b.points)))
    assert found.chamfer_l2 == pytest.approx(float(chamfer_l2(a.points, b.points)))
    assert found.chamfer_dgsm == pytest.approx(float(chamfer_dgsm(a.points, b.points)))
    assert found.hausdorff_95 == pytest.approx(float(hausdorff(a.points, b.points, percentile=95.0)))
    assert (found.f_score, found.precision, found.recall) == f_score(a.points, b.points, 0.4)
    assert found.normal_consistency == pytest.approx(
        float(normal_consistency(a.points, a.normals, b.points, b.normals))
    )


NONE = torch.zeros(0, 3)
ONE = torch.zeros(1, 3)


@pytest.mark.parametrize(
    ("name", "arguments", "error", "message"),
    [
        (
            "chamfer_l1",
            (NONE, ONE),
            ShapeError,
            r"source points should have shape \(n, 3\) with n ≥ 1; shape is \(0, 3\)",
        ),
        ("nearest_points", (ONE, torch.zeros(4, 2)), ShapeError, r"\(4, 2\)"),
        ("nearest_points", (ONE, torch.zeros(3)), ShapeError, r"\(3,\)"),
        ("chamfer_l1", (ONE, torch.full((2, 3), torch.nan)), InputError, "2 of 2"),
        ("chamfer_dgsm", (ONE, ONE), InputError, "coincide"),
        ("normal_consistency", (ONE, torch.ones(2, 3), ONE, ONE), ShapeError, r"normals should have shape \(1, 3\)"),
        ("f_score", (ONE, ONE, 0.0), InputError, "positive; it is 0"),
        ("f_score", (ONE, ONE, math.nan), InputError, "positive; it is nan"),
        ("sample_surface", (square(0.0), 0), InputError, "at least 1; it is 0"),
        ("sample_surface", (Mesh(ONE, torch.zeros(0, 3).long()), 5), MeshError, "1 vertices and no faces"),
        ("sample_surface", (Mesh(ONE, torch.zeros(2, 3).long()), 5), MeshError, "all of its 2 faces have none"),
        ("sample_surface", (square(math.inf), 5), MeshError, "4 of 4"),
        ("compare_surfaces", (square(0.0), Mesh(ONE, torch.zeros(0, 3).long())), MeshError, "no faces"),
    ],
)
def test_says_what_is_wrong(name, arguments, error, message) -> None:
    # The bare function: in the tests jaxtyping would refuse some shapes before it does.
    with pytest.raises(error, match=message):
        inspect.unwrap(getattr(metrics, name))(*arguments)


def test_a_percentile_lies_between_0_and_100() -> None:
    with pytest.raises(InputError, match="101"):
        hausdorff(ONE, ONE, percentile=101)
