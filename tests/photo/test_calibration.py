"""Alignment, bias and noise of the detector: planted values come back, and numpy agrees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from torch import Tensor

from headviz import assets
from headviz.heads.data import random_camera
from headviz.models.landmark_fit import WEIGHTS
from headviz.photo.calibration import (
    Alignment,
    Calibration,
    align,
    features,
    pose_terms,
    read_calibration,
    rotate_pixels,
)
from headviz.photo.fit import LandmarkModel

POINTS = 40
angles = st.floats(-1.2, 1.2)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


TARGET = 0.08 * random(POINTS, 3)
MODEL = LandmarkModel(TARGET, 0.003 * random(6, POINTS, 3, seed=1), 4)


def detected(points: Tensor, rotation: Tensor, scale: float, place: tuple[float, float, float]) -> Tensor:
    """What a detector gives for a head turned by ``rotation``: pixels, v down, z away from the camera."""
    turned = scale * points @ rotation.T
    return turned * torch.tensor([1.0, -1.0, -1.0]).double() + torch.tensor(place).double()


def turn(yaw: float, pitch: float, roll: float) -> Tensor:
    return torch.as_tensor(Rotation.from_euler("yxz", [-yaw, pitch, roll]).as_matrix())


@given(angles, angles, angles, st.floats(50, 5000), st.tuples(*[st.floats(-500, 2000)] * 3))
def test_a_known_similarity_is_recovered(
    yaw: float, pitch: float, roll: float, scale: float, place: tuple[float, float, float]
) -> None:
    rotation = turn(yaw, pitch, roll)
    found = align(detected(TARGET, rotation, scale, place)[None], TARGET[None])
    torch.testing.assert_close(found.points[0], TARGET, atol=1e-9, rtol=0)
    torch.testing.assert_close(found.rotation[0], rotation, atol=1e-9, rtol=0)
    assert float(found.scale) == pytest.approx(scale, rel=1e-9)


@given(st.integers(0, 1000))
def test_noise_does_not_bias_the_alignment(seed: int) -> None:
    rng = np.random.default_rng(seed)
    noisy = detected(TARGET, turn(0.4, 0.1, 0.2), 900.0, (200.0, 300.0, 0.0)) + torch.as_tensor(
        rng.normal(0, 3, (POINTS, 3))
    )
    found = align(noisy[None], TARGET[None])
    ours = float((found.points[0] - TARGET).square().sum())
    # No other turn is better (Umeyama's solution is the least-squares one): compare with scipy's.
    source = (noisy * torch.tensor([1.0, -1.0, -1.0]).double()).numpy()
    centred, wanted = source - source.mean(0), (TARGET - TARGET.mean(0)).numpy()
    best, _ = Rotation.align_vectors(wanted, centred)
    turned = best.apply(centred)
    scale = (turned * wanted).sum() / np.square(centred).sum()
    assert ours == pytest.approx(np.square(scale * turned - wanted).sum(), rel=1e-6)
    np.testing.assert_allclose(found.rotation[0].T, best.as_matrix(), atol=1e-6)


def test_a_mirrored_detection_is_not_reflected_back() -> None:
    flipped = TARGET * torch.tensor([-1.0, 1.0, 1.0]).double()
    found = align(detected(flipped, torch.eye(3).double(), 900.0, (0.0, 0.0, 0.0))[None], TARGET[None])
    assert float(torch.det(found.rotation[0])) == pytest.approx(1)


def test_a_batch_is_a_loop() -> None:
    rows = torch.stack([detected(TARGET, turn(k / 5, 0.1, -k / 7), 500.0 + k, (k, 2 * k, 0)) for k in range(4)])
    batch = align(rows, TARGET.expand(4, -1, -1))
    for k in range(4):
        one = align(rows[k : k + 1], TARGET[None])
        for name in ("points", "rotation", "scale", "yaw", "pitch", "roll"):
            torch.testing.assert_close(getattr(batch, name)[k], getattr(one, name)[0], atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("seed", range(12))
def test_yaw_and_roll_are_those_of_the_rendered_heads(seed: int) -> None:
    camera, yaw, _, roll = random_camera(np.random.default_rng(seed), 300, torch.zeros(3), 0.2, 0.7)
    found = align(detected(TARGET, camera.rotation.double(), 900.0, (150.0, 150.0, 0.0))[None], TARGET[None])
    assert float(found.roll) == pytest.approx(roll, abs=1e-5)
    # Yaw is read off so that pitch and roll together leak into it, at second order.
    assert float(found.yaw) == pytest.approx(yaw, abs=0.12)


@given(angles)
def test_each_angle_alone_is_exact(angle: float) -> None:
    def aligned(yaw: float, pitch: float, roll: float) -> Alignment:
        return align(detected(TARGET, turn(yaw, pitch, roll), 900.0, (0.0, 0.0, 0.0))[None], TARGET[None])

    assert float(aligned(angle, 0, 0).yaw) == pytest.approx(angle, abs=1e-9)
    assert abs(float(aligned(0, angle, 0).pitch)) == pytest.approx(abs(angle), abs=1e-9)
    assert float(aligned(0, 0, angle).roll) == pytest.approx(angle, abs=1e-9)


@given(st.lists(st.tuples(*[st.floats(-100, 100)] * 2), min_size=1, max_size=9), st.floats(-6, 6))
def test_turning_back_undoes_a_turn(offsets: list[tuple[float, float]], angle: float) -> None:
    points, turned_by = torch.tensor([offsets], dtype=torch.float64), torch.tensor([angle], dtype=torch.float64)
    there = rotate_pixels(points, turned_by)
    torch.testing.assert_close(rotate_pixels(there, -turned_by), points, atol=1e-9, rtol=0)
    torch.testing.assert_close(there.norm(dim=2), points.norm(dim=2))


def test_a_quarter_turn_is_counter_clockwise_on_the_screen() -> None:
    right = torch.tensor([[[1.0, 0.0]]]).double()
    up = rotate_pixels(right, torch.tensor([np.pi / 2], dtype=torch.float64))
    torch.testing.assert_close(up, torch.tensor([[[0.0, -1.0]]]).double(), atol=1e-12, rtol=0)


def test_offsets_turn_as_a_rolled_head_does() -> None:
    camera = turn(0, 0, 0.3)
    upright, rolled = (
        detected(torch.tensor([[0.02, 0.05, 0.0]], dtype=torch.float64), r, 900.0, (0.0, 0.0, 0.0))[:, :2]
        for r in (torch.eye(3).double(), camera)
    )
    torch.testing.assert_close(rotate_pixels(upright[None], torch.tensor([0.3], dtype=torch.float64))[0], rolled)


def test_pose_terms_are_bounded_beyond_what_was_learnt() -> None:
    small = pose_terms(torch.tensor([0.3]), torch.tensor([-0.2]))
    torch.testing.assert_close(small, torch.tensor([[0.3, -0.2, 0.09, 0.04, -0.06, 0.027, 0.3]]))
    assert torch.equal(
        pose_terms(torch.tensor([1.5]), torch.tensor([-1.5])), pose_terms(torch.tensor([3.0]), torch.tensor([-2.0]))
    )


@settings(max_examples=25)
@given(st.floats(-0.6, 0.6), st.floats(-0.3, 0.3), st.floats(100, 2000), st.tuples(*[st.floats(-500, 500)] * 3))
def test_features_do_not_depend_on_place_and_size_in_the_picture(
    yaw: float, pitch: float, scale: float, place: tuple[float, float, float]
) -> None:
    parameters = random(6, seed=5)
    scores = torch.tensor([[0.2, 0.7]]).double()
    points, rotation = MODEL.points(parameters), turn(yaw, pitch, 0.1)
    one, _ = features(MODEL, detected(points, rotation, scale, place)[None], scores)
    two, _ = features(MODEL, detected(points, rotation, 500.0, (0.0, 0.0, 0.0))[None], scores)
    torch.testing.assert_close(one, two, atol=1e-7, rtol=0)
    assert one.shape == (1, 3 * POINTS + 7 + 2)
    torch.testing.assert_close(one[0, -2:], 3 * scores[0])


def test_features_of_the_model_itself_are_its_offsets_in_millimetres() -> None:
    parameters = torch.zeros(6).double()
    parameters[4:] = torch.tensor([0.2, 0.7])
    rows, aligned = features(
        MODEL, detected(MODEL.points(parameters), turn(0.2, 0.0, 0.0), 700.0, (9, 9, 9))[None], parameters[None, 4:]
    )
    expected = 1000 * (MODEL.points(parameters) - MODEL.mean).flatten()
    torch.testing.assert_close(rows[0, : 3 * POINTS], expected, atol=1e-6, rtol=0)
    assert float(aligned.yaw) == pytest.approx(0.2)


def toy_calibration() -> Calibration:
    count = 3 * POINTS + 9
    factor = random(6, 6, seed=3)
    return Calibration(
        feature_mean=random(count, seed=4), weights=random(count, 6, seed=5), intercept=random(6, seed=6),
        precision=factor @ factor.T, bias=0.001 * random(8, POINTS, 2, seed=7), log_variance=random(8, POINTS, seed=8),
    )  # fmt: skip


def test_the_posterior_is_affine_in_the_features() -> None:
    calibration, rows = toy_calibration(), random(1, 3 * POINTS + 9, seed=9)
    expected = calibration.intercept.numpy() + (rows - calibration.feature_mean).numpy() @ calibration.weights.numpy()
    np.testing.assert_allclose(calibration.posterior(rows), expected)
    prior = calibration.prior(rows)
    np.testing.assert_allclose(prior.mean, expected[0])
    assert torch.equal(prior.precision, calibration.precision)


def test_bias_and_noise_scale_with_the_face_and_turn_with_it() -> None:
    calibration = toy_calibration()

    def aligned(roll: float, scale: float) -> Alignment:
        one = torch.ones(1).double()
        return Alignment(TARGET[None], torch.eye(3).double()[None], scale * one, 0.3 * one, 0.1 * one, roll * one)

    terms = np.array([1, 0.3, 0.1, 0.09, 0.01, 0.03, 0.027, 0.3])
    upright = np.einsum("t,tlc->lc", terms, calibration.bias.numpy())  # metres
    np.testing.assert_allclose(calibration.picture_bias(aligned(0.0, 900.0))[0], 900 * upright)
    quarter = calibration.picture_bias(aligned(np.pi / 2, 900.0))[0]
    np.testing.assert_allclose(quarter, 900 * np.stack([upright[:, 1], -upright[:, 0]], 1), atol=1e-9)
    variance = np.exp(terms @ calibration.log_variance.numpy())
    np.testing.assert_allclose(calibration.sigma(aligned(1.0, 900.0))[0], 900 * np.sqrt(variance))


@pytest.fixture(scope="module")
def shipped() -> Calibration:
    return read_calibration(assets.path(WEIGHTS))


def test_the_shipped_calibration_is_a_proper_distribution(shipped: Calibration) -> None:
    torch.testing.assert_close(shipped.precision, shipped.precision.T)
    assert float(torch.linalg.eigvalsh(shipped.precision).min()) > 0
    assert shipped.precision.shape == (132, 132)
    assert shipped.weights.shape == (3 * 478 + 7 + 52, 132)
    assert all(
        bool(getattr(shipped, name).isfinite().all()) for name in ("weights", "intercept", "bias", "log_variance")
    )


def test_the_shipped_noise_is_of_millimetres(shipped: Calibration) -> None:
    one = torch.ones(1).double()
    for yaw in (-0.7, 0.0, 0.7):
        aligned = Alignment(
            torch.zeros(1, 478, 3).double(), torch.eye(3).double()[None], one, yaw * one, 0 * one, 0 * one
        )
        sigma = 1000 * shipped.sigma(aligned)[0]
        assert 0.3 < float(sigma.median()) < 6
        assert float(sigma.max()) < 30
        assert float(1000 * shipped.picture_bias(aligned).norm(dim=2).median()) < 8


def test_a_calibration_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_calibration(tmp_path / "none.safetensors")
