"""Alignment recovers the map that was applied, is the best one, and has gradients."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from headviz.geometry.metrics import Similarity, similarity_align, vertex_error

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
