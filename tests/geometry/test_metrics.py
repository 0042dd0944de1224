"""Alignment recovers the map that was applied, is the best one, and has gradients; scans; solids."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest
import torch
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jaccard

from headviz.errors import BoundsError, InputError, MeshError, ResolutionError, ShapeError
from headviz.geometry import metrics
from headviz.geometry.mesh import Mesh
from headviz.geometry.metrics import Similarity, field_iou, similarity_align, vertex_error
from headviz.geometry.surface_metrics import sample_surface

# The bare functions: in the tests jaxtyping would refuse some shapes before they do.
now_region, points_to_mesh, scan_to_mesh, voxel_iou = map(
    inspect.unwrap, (metrics.now_region, metrics.points_to_mesh, metrics.scan_to_mesh, metrics.voxel_iou)
)

angles = st.floats(-math.pi, math.pi)


def cloud(seed: int, count: int = 12) -> torch.Tensor:
    return torch.randn(count, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def turn(yaw: float, pitch: float, roll: float) -> torch.Tensor:
    """The rotation of three angles, as the exponential of their generator."""
    generator = torch.tensor([[0, -roll, yaw], [roll, 0, -pitch], [-yaw, pitch, 0]], dtype=torch.float64)
    return torch.linalg.matrix_exp(generator)


@given(st.integers(0, 10**6), angles, angles, angles, st.floats(0.01, 100), st.floats(-10, 10))
def test_recovers_a_similarity(seed: int, yaw: float, pitch: float, roll: float, size: float, shift: float) -> None:
    source = cloud(seed)
    true = Similarity(torch.tensor(size).double(), turn(yaw, pitch, roll), torch.tensor([shift, -1.0, 2.0]).double())
    found = similarity_align(source, true.apply(source))
    for name, value in true._asdict().items():
        torch.testing.assert_close(getattr(found, name), value, rtol=1e-6, atol=1e-6 * max(1.0, size), msg=name)


@given(st.integers(0, 10**6), st.booleans())
def test_rotation_is_proper_even_for_mirrored_points(seed: int, scale: bool) -> None:
    source = cloud(seed)
    found = similarity_align(source, source * torch.tensor([-1.0, 1.0, 1.0]).double(), scale=scale)
    assert float(torch.det(found.rotation)) == pytest.approx(1.0)
    assert float(found.scale) == pytest.approx(1.0) if not scale else 0 < float(found.scale) < 1


@given(st.integers(0, 10**6), angles, st.floats(0.9, 1.1), st.booleans())
def test_no_other_map_is_better(seed: int, angle: float, size: float, scale: bool) -> None:
    source, target = cloud(seed), cloud(seed + 1)
    weights = cloud(seed + 2)[:, 0].abs()
    best = similarity_align(source, target, weights, scale)
    other = Similarity(
        best.scale * (size if scale else 1), best.rotation @ turn(0.1 * angle, 0.02, 0), best.translation + 0.01
    )

    def error(candidate: Similarity) -> float:
        return float((weights * (candidate.apply(source) - target).square().sum(1)).sum())

    assert error(best) <= error(other) + 1e-12


def test_points_of_weight_zero_do_not_count() -> None:
    source = cloud(0)
    target = 2 * source + 1
    target[3] += 100
    weights = torch.ones(12).double()
    weights[3] = 0
    assert float(similarity_align(source, target, weights).scale) == pytest.approx(2)
    assert float(similarity_align(source, target).scale) != pytest.approx(2, rel=0.01)


@pytest.mark.parametrize("scale", [True, False])
def test_gradients(scale: bool) -> None:
    source, target = cloud(3, 5).requires_grad_(), cloud(4, 5).requires_grad_()

    def aligned(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return similarity_align(a, b, scale=scale).apply(a)

    assert torch.autograd.gradcheck(aligned, (source, target))


def test_float32_stays_float32() -> None:
    found = similarity_align(cloud(0).float(), cloud(1).float())
    assert {value.dtype for value in found} == {torch.float32}


def test_points_in_a_plane_are_aligned() -> None:
    flat = cloud(5) * torch.tensor([1.0, 1.0, 0.0]).double()
    rotation = turn(0.3, 0.7, -0.2)
    torch.testing.assert_close(similarity_align(flat, flat @ rotation.T).rotation, rotation)


@pytest.mark.parametrize(
    ("source", "weights", "message"),
    [
        (torch.zeros(2, 3), None, "at least 3 points; there are 2"),
        (torch.zeros(4, 3), None, "coincide"),
        (torch.eye(3), torch.zeros(3), "not all 0"),
        (torch.eye(3), torch.tensor([1.0, -1.0, 1.0]), "≥ 0"),
        (torch.eye(3), torch.full((3,), torch.nan), "not all 0"),
    ],
)
def test_says_what_is_wrong(source: torch.Tensor, weights: torch.Tensor | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        similarity_align(source, source, weights)


def test_vertex_error_takes_out_what_it_is_told_to() -> None:
    truth = cloud(7)
    moved = 3 * truth @ turn(0.5, 0, 0).T + 4
    assert float(vertex_error(moved, truth).max()) < 1e-9
    assert float(vertex_error(moved, truth, align="rigid").mean()) > 0.5
    rigid = truth @ turn(0.5, 0, 0).T + 4
    assert float(vertex_error(rigid, truth, align="rigid").max()) < 1e-9
    torch.testing.assert_close(vertex_error(truth + 2, truth, align="none"), torch.full((12,), 12**0.5).double())


def test_vertex_error_can_be_aligned_by_a_region() -> None:
    truth = cloud(8)
    moved = truth.clone()
    moved[0] += 1
    region = torch.ones(12).double()
    region[0] = 0
    error = vertex_error(moved, truth, weights=region)
    assert float(error[1:].max()) < 1e-9
    assert float(error[0]) == pytest.approx(3**0.5)


# A scan against a mesh


def face() -> Mesh:
    """A bumpy egg without symmetry, millimetres."""
    ball = trimesh.creation.icosphere(4)
    unit = torch.tensor(np.array(ball.vertices))
    bumps = 1 + 0.1 * torch.sin(5 * unit[:, :1]) * torch.cos(4 * unit[:, 1:2])
    return Mesh(100 * unit * torch.tensor([0.8, 1.2, 1.0]).double() * bumps, torch.tensor(np.array(ball.faces)))


FACE = face()
LANDMARKS = FACE.vertices[[5, 40, 100, 300, 700, 1200, 2000]]
SCAN = sample_surface(FACE, 3000, seed=1).points


def away(transform: Similarity, points: torch.Tensor) -> torch.Tensor:
    """Where ``transform`` has moved points from."""
    return (points - transform.translation) @ transform.rotation / transform.scale


@given(st.integers(0, 10**6), st.floats(0.01, 100))
@settings(max_examples=10)
def test_a_scan_recovers_the_known_similarity(seed: int, size: float) -> None:
    known = Similarity(torch.tensor(size).double(), turn(*(0.3 * cloud(seed, 1)[0]).tolist()), 500 * cloud(seed, 1)[0])
    moved = Mesh(away(known, FACE.vertices), FACE.faces)
    beside = LANDMARKS + 5 * cloud(seed + 1, 7)
    found = scan_to_mesh(SCAN, moved, LANDMARKS, away(known, beside), region="all")
    assert found.converged
    assert found.median < 1e-5
    assert scan_to_mesh(SCAN, moved, LANDMARKS, away(known, beside), region="all", max_steps=0).median > 0.3
    torch.testing.assert_close(found.transform.scale, known.scale, rtol=1e-6, atol=0)
    torch.testing.assert_close(found.transform.rotation, known.rotation, rtol=0, atol=1e-6)


def test_no_similarity_nearby_fits_a_noisy_scan_better() -> None:
    scan = SCAN + 2 * cloud(4, len(SCAN))
    found = scan_to_mesh(scan, FACE, LANDMARKS, LANDMARKS, region="all")
    least = float(found.distances.square().sum())
    for seed in range(20):
        step = 1e-3 * cloud(seed, 3)
        nudged = Similarity(
            found.transform.scale * (1 + step[0, 0]),
            turn(*step[1].tolist()) @ found.transform.rotation,
            found.transform.translation + 100 * step[2],
        )
        moved = Mesh(nudged.apply(FACE.vertices), FACE.faces)
        assert float(points_to_mesh(scan, moved)[0].square().sum()) > least


def test_scan_distances_are_summed_up_as_numpy_does() -> None:
    found = scan_to_mesh(SCAN[:100] + cloud(4, 100), FACE, LANDMARKS, LANDMARKS, region="all")
    values = found.distances.numpy()
    assert (found.median, found.mean, found.std) == pytest.approx((np.median(values), values.mean(), values.std()))


def test_a_mirrored_face_is_an_error() -> None:
    flip = torch.tensor([-1.0, 1.0, 1.0]).double()
    mirrored = Mesh(FACE.vertices * flip, FACE.faces.flip(1))
    assert scan_to_mesh(SCAN, mirrored, LANDMARKS, LANDMARKS * flip, region="all").mean > 1


def test_the_face_region_is_the_benchmarks() -> None:
    eyes = [[-45.0, 0, 0], [-15, 0, 0], [15, 0, 0], [45, 0, 0]]
    seven = torch.tensor([*eyes, [0, -50, 0], [-25, -80, 0], [25, -80, 0]])
    # centre (0, −35, 0), radius 1.4 · (90 + 50) / 2 = 98
    points = torch.tensor([[0.0, -35, 97.9], [0, -35, 98.1], [0, -132.9, 0], [0, 63.1, 0]])
    assert now_region(points, seven).tolist() == [True, False, True, False]
    found = scan_to_mesh(SCAN.float(), FACE, seven, seven)
    assert torch.equal(found.counted, now_region(SCAN.float(), seven))
    assert len(found.distances) == int(found.counted.sum()) < len(SCAN)
    assert found.distances.dtype == torch.float32


@given(st.integers(0, 10**6))
@settings(max_examples=20)
def test_distances_from_a_mesh_are_trimeshs(seed: int) -> None:
    points = (100 * cloud(seed, 5)).requires_grad_()
    distance, nearest_face, closest = points_to_mesh(points, FACE)
    corners = FACE.vertices[FACE.faces].numpy()
    for point, found, one, on in zip(points.detach().numpy(), distance.tolist(), nearest_face, closest, strict=True):
        feet = trimesh.triangles.closest_point(corners, np.broadcast_to(point, (len(corners), 3)))
        assert found == pytest.approx(np.linalg.norm(feet - point, axis=1).min(), abs=1e-9)
        np.testing.assert_allclose(on, feet[one], atol=1e-6)
    (slope,) = torch.autograd.grad(distance.sum(), points)
    torch.testing.assert_close(slope, torch.nn.functional.normalize(points.detach() - closest, dim=1))


# Intersection over union


def box(low: float, high: float) -> torch.Tensor:
    """A cube of 20³ voxels in which [low, high)³ is full."""
    full = torch.zeros(20, 20, 20, dtype=torch.bool)
    side = slice(round(20 * low), round(20 * high))
    full[side, side, side] = True
    return full


def test_iou_of_cubes() -> None:
    assert voxel_iou(box(0, 0.5), box(0, 1)) == 1 / 8
    assert voxel_iou(box(0, 0.6), box(0.3, 0.9)) == pytest.approx(0.3**3 / (2 * 0.6**3 - 0.3**3))
    assert voxel_iou(box(0, 0.5), box(0.5, 1)) == 0
    assert voxel_iou(0.9 * box(0, 0.5), 0.5 * box(0, 0.5)) == 1
    assert voxel_iou(0.4 * box(0, 0.5), box(0, 0.5)) == 0


def test_iou_of_nothing() -> None:
    assert voxel_iou(box(0, 0), box(0, 1)) == voxel_iou(box(0, 1), box(0, 0)) == 0
    assert voxel_iou(box(0, 0), box(0, 0)) == 1


@given(st.integers(0, 10**6))
def test_iou_is_the_jaccard_distances_complement(seed: int) -> None:
    a, b = cloud(seed, 30) > 0, cloud(seed + 1, 30) > 0.3
    assert voxel_iou(a, b) == pytest.approx(1 - jaccard(a.flatten().numpy(), b.flatten().numpy()))


class Ball:
    """The distance to a sphere around the origin."""

    lipschitz = 1.0

    def __init__(self, radius: float, *shift: float) -> None:
        self.radius, self.centre = radius, torch.tensor(shift or (0.0, 0.0, 0.0)).double()
        self.bounds = torch.stack([self.centre - radius, self.centre + radius])

    def __call__(self, points: torch.Tensor) -> torch.Tensor:
        return torch.linalg.vector_norm(points - self.centre.to(points), dim=1) - self.radius


def test_iou_of_fields() -> None:
    assert field_iou(Ball(0.8), Ball(1.0), resolution=64) == pytest.approx(0.8**3, rel=0.01)
    # Two balls of radius 1 at distance 1 share 5π/12.
    assert field_iou(Ball(1.0), Ball(1.0, 1.0, 0.0, 0.0), resolution=64) == pytest.approx(5 / 27, rel=0.01)
    assert field_iou(Ball(1.0), Ball(1.0), resolution=9) == 1
    far = torch.tensor([[5.0, 5.0, 5.0], [6.0, 7.0, 6.5]])
    assert field_iou(Ball(1.0), Ball(1.0), resolution=9, bounds=far) == 1
    assert field_iou(Ball(0.01, 2.0, 0.0, 0.0), Ball(1.0), resolution=16) == 0


SEVEN = torch.zeros(7, 3)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: voxel_iou(box(0, 1), box(0, 1)[:3]), ShapeError, r"\(20, 20, 20\) and \(3, 20, 20\)"),
        (lambda: voxel_iou(torch.full((2,), torch.nan), torch.ones(2)), InputError, "2 are NaN"),
        (lambda: field_iou(Ball(1), Ball(1), resolution=0), ResolutionError, "it is 0"),
        (lambda: field_iou(Ball(1), Ball(1), resolution=10**6), ResolutionError, "1000000"),
        (lambda: field_iou(Ball(0), Ball(0)), BoundsError, "volume"),
        (lambda: field_iou(Ball(math.inf), Ball(1)), BoundsError, "finite"),
        (lambda: now_region(SCAN, LANDMARKS[:5]), ShapeError, r"\(5, 3\)"),
        (lambda: scan_to_mesh(SCAN[:0], FACE, LANDMARKS, LANDMARKS), ShapeError, "scan points"),
        (lambda: scan_to_mesh(SCAN, FACE, LANDMARKS, LANDMARKS[:6]), ShapeError, r"\(6, 3\)"),
        (lambda: scan_to_mesh(SCAN + 1e6, FACE, LANDMARKS, LANDMARKS), InputError, "no scan point lies"),
        (lambda: scan_to_mesh(SCAN, FACE, LANDMARKS, LANDMARKS * math.nan), InputError, "7 of 7"),
        (lambda: points_to_mesh(SCAN, Mesh(SCAN, torch.zeros(0, 3).long())), MeshError, "no faces"),
    ],
)
def test_refuses_what_cannot_be_measured(call, error, message) -> None:
    with pytest.raises(error, match=message):
        call()
