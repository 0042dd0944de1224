"""Learning the calibration: ridge regression and noise model beside numpy, planted values come back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from scipy.spatial.transform import Rotation
from torch import Tensor

from headviz.heads import HeadModel, load_head
from headviz.models.calibrate import (
    Rows,
    face_basis,
    face_error,
    learn,
    noise_model,
    observed,
    read_shards,
    ridge,
    truth,
)
from headviz.models.collect import coefficients
from headviz.models.landmark_basis import landmark_model
from headviz.photo.calibration import pose_terms
from headviz.photo.fit import LandmarkModel

POINTS, IDENTITIES, EXPRESSIONS, SIZE = 30, 4, 3, 400.0


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return load_head()


@pytest.fixture(scope="module")
def toy() -> LandmarkModel:
    rng = np.random.default_rng(0)
    return LandmarkModel(
        torch.as_tensor(rng.normal(0, 0.06, (POINTS, 3))),
        torch.as_tensor(rng.normal(0, 0.002, (IDENTITIES + EXPRESSIONS, POINTS, 3))),
        IDENTITIES,
    )


def rendered(
    model: LandmarkModel, count: int, bias: Tensor, sigma: Tensor | float, seed: int = 0, distance: float = 8.0
) -> Rows:
    """Rows as a detector would give them, wrong by a bias (8, l, 2) of the pose and by noise, metres, upright axes."""
    rng = np.random.default_rng(seed)
    expressions = len(model.basis) - model.identities
    identity = torch.as_tensor(rng.normal(size=(count, model.identities)))
    expression = torch.as_tensor(rng.uniform(0, 1, (count, expressions)))
    yaw, pitch, roll = rng.uniform(-0.7, 0.7, count), rng.normal(0, 0.14, count), rng.normal(0, 0.1, count)
    rotation = torch.as_tensor(Rotation.from_euler("yxz", np.stack([-yaw, pitch, roll], 1)).as_matrix())
    translation = torch.as_tensor(
        np.stack([rng.uniform(-0.1, 0.1, count), rng.uniform(-0.1, 0.1, count), np.full(count, -distance)], 1)
    )
    focal = torch.as_tensor(rng.uniform(800, 1200, count) * distance)
    parameters = torch.cat([identity, expression], 1)
    points = model.mean + (parameters @ model.basis.flatten(1)).unflatten(1, (-1, 3))
    q = points @ rotation.transpose(1, 2) + translation[:, None]
    scale = focal[:, None] / -q[..., 2]
    seen = torch.stack([SIZE / 2 + q[..., 0] * scale, SIZE / 2 - q[..., 1] * scale], dim=-1)
    # The pose terms are read off the detection, so plant the bias in what ``align`` reads: exact without roll.
    terms = pose_terms(torch.as_tensor(yaw), torch.as_tensor(read_pitch(rotation)))
    wrong = torch.einsum("bt,tlc->blc", torch.cat([torch.ones(count, 1).double(), terms], 1), bias)
    wrong = wrong + torch.as_tensor(rng.normal(size=tuple(wrong.shape))) * torch.as_tensor(sigma).reshape(-1, 1)
    c, s = torch.as_tensor(np.cos(roll))[:, None], torch.as_tensor(np.sin(roll))[:, None]
    turned = torch.stack([c * wrong[..., 0] + s * wrong[..., 1], -s * wrong[..., 0] + c * wrong[..., 1]], -1)
    size = focal[:, None, None] / distance
    depth = -(q[..., 2:] - q[..., 2:].mean(1, keepdim=True)) * size
    landmarks = torch.cat([seen + turned * size, depth], dim=-1)
    pose = torch.stack(
        [torch.as_tensor(a) for a in (yaw, pitch, roll)] + [focal, torch.full((count,), SIZE).double()], 1
    )
    return {
        "landmarks": landmarks, "mirrored": landmarks.clone(), "scores": expression, "identity": identity,
        "expression": expression, "rotation": rotation, "translation": translation, "pose": pose,
    }  # fmt: skip


def read_pitch(rotation: Tensor) -> np.ndarray:
    """Pitch as ``align`` reads it off a rotation."""
    return np.arcsin(rotation[:, 1, 2].numpy())


@pytest.mark.parametrize("strength", [0.0, 0.01, 3.0])
def test_ridge_is_the_least_squares_solution_with_extra_rows(strength: float) -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(60, 7)) + 5, rng.normal(size=(60, 3)) - 2
    mean_x, weights, mean_y = ridge(torch.as_tensor(x), torch.as_tensor(y), strength)
    np.testing.assert_allclose(mean_x, x.mean(0))
    np.testing.assert_allclose(mean_y, y.mean(0))
    # min |Xw − y|² + n s |w|² is ordinary least squares with √(n s) I below X and zeros below y.
    below = np.sqrt(60 * strength) * np.eye(7)
    expected = np.linalg.lstsq(
        np.vstack([x - x.mean(0), below]), np.vstack([y - y.mean(0), np.zeros((7, 3))]), rcond=None
    )[0]
    np.testing.assert_allclose(weights, expected, rtol=1e-7, atol=1e-10)


def test_stronger_ridge_gives_smaller_weights() -> None:
    rng = np.random.default_rng(1)
    x, y = torch.as_tensor(rng.normal(size=(60, 7))), torch.as_tensor(rng.normal(size=(60, 3)))
    lengths = [float(ridge(x, y, s)[1].norm()) for s in (0.0, 0.1, 1.0, 1e6)]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[-1] < 1e-4


def test_observed_is_the_mean_of_the_picture_and_its_mirror_image(toy: LandmarkModel) -> None:
    rows = rendered(toy, 5, torch.zeros(8, POINTS, 2).double(), 0.0)
    rows["mirrored"] = rows["mirrored"] + 4
    torch.testing.assert_close(observed(rows), rows["landmarks"] + 2)
    assert torch.equal(truth(rows), torch.cat([rows["identity"], rows["expression"]], 1))


def test_a_perfect_detector_has_no_bias(toy: LandmarkModel) -> None:
    bias, log_variance = noise_model(toy, rendered(toy, 200, torch.zeros(8, POINTS, 2).double(), 0.0))
    assert float(bias.abs().max()) < 1e-5
    assert float(log_variance[0].max()) < np.log(1e-8)


def grid() -> tuple[Tensor, Tensor]:
    yaw, pitch = torch.meshgrid(
        torch.linspace(-0.6, 0.6, 7).double(), torch.linspace(-0.2, 0.2, 3).double(), indexing="ij"
    )
    terms = pose_terms(yaw.flatten(), pitch.flatten())
    return torch.cat([torch.ones(len(terms), 1).double(), terms], 1), yaw


def test_a_planted_bias_comes_back(toy: LandmarkModel) -> None:
    rng = np.random.default_rng(5)
    planted = torch.as_tensor(rng.normal(0, 0.001, (8, POINTS, 2)))
    planted[2:] *= 0.3
    # What a bias has in common with a turn or a zoom of the head goes into the pose: take that out.
    bias, _ = noise_model(toy, rendered(toy, 600, planted, 0.0005))
    terms, _ = grid()
    expected, found = (torch.einsum("bt,tlc->blc", terms, b) for b in (planted, bias))
    assert float((found - expected).norm() / expected.norm()) < 0.15
    assert float((found - expected).abs().max()) < 0.0006  # metres, of biases up to 4 mm


def test_a_planted_noise_comes_back(toy: LandmarkModel) -> None:
    sigma = torch.linspace(0.0005, 0.002, POINTS).double()
    _, log_variance = noise_model(toy, rendered(toy, 2000, torch.zeros(8, POINTS, 2).double(), sigma))
    terms, _ = grid()
    found = torch.exp(0.5 * terms @ log_variance)
    assert float((found / sigma - 1).abs().mean()) < 0.06
    assert float((found / sigma - 1).abs().max()) < 0.25


def test_the_face_basis_has_no_part_in_moving_turning_or_scaling(head: HeadModel) -> None:
    basis = face_basis(head).numpy()
    face = head.mean[head.region("face")].double().numpy()
    place = face - face.mean(0)
    fields = (
        [np.tile(axis, (len(place), 1)) for axis in np.eye(3)] + [np.cross(axis, place) for axis in np.eye(3)] + [place]
    )
    for field in fields:
        cosines = basis @ field.ravel() / np.linalg.norm(basis, axis=1) / np.linalg.norm(field)
        assert np.abs(cosines).max() < 1e-9
    # Nothing else was taken out: what is missing lies in those seven fields.
    missing = head.identity[:, head.region("face")].flatten(1).double().numpy() - basis
    q, _ = np.linalg.qr(np.stack([field.ravel() for field in fields], 1))
    np.testing.assert_allclose(missing @ q @ q.T, missing, atol=1e-10)


def test_the_face_error_is_a_root_mean_square_distance(head: HeadModel) -> None:
    basis = face_basis(head)
    difference = torch.as_tensor(np.random.default_rng(0).normal(size=(5, 80)))
    moved = (difference @ basis).reshape(5, -1, 3)
    expected = 1000 * np.sqrt(np.square(moved.numpy()).sum(-1).mean())
    assert face_error(basis, difference) == pytest.approx(expected)
    assert face_error(basis, torch.zeros(2, 80).double()) == 0


def test_coefficients_invert_the_head(head: HeadModel) -> None:
    identity = head.sample(3, 0)
    torch.testing.assert_close(coefficients(head, head.vertices(identity)), identity, atol=5e-3, rtol=0)


def test_shards_are_split_by_file(tmp_path: Path) -> None:
    for k in range(13):
        save_file({"pose": torch.full((2, 5), float(k))}, tmp_path / f"shard_{k:04d}.safetensors")
    kept, held = read_shards(tmp_path)
    assert held["pose"][:, 0].unique().tolist() == [1.0, 11.0]
    assert kept["pose"][:, 0].unique().tolist() == [0.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 12.0]
    assert kept["pose"].dtype == torch.float64


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_shards_are_refused(tmp_path: Path, count: int) -> None:
    for k in range(count):
        save_file({"pose": torch.zeros(2, 5)}, tmp_path / f"shard_{k:04d}.safetensors")
    with pytest.raises(FileNotFoundError, match=f"at least 2 shards; it holds {count}"):
        read_shards(tmp_path)


def test_learning_from_good_detections_gives_good_heads(head: HeadModel) -> None:
    model = landmark_model(head)
    none = torch.zeros(8, 478, 2).double()
    tensors, measured = learn(
        head, rendered(model, 600, none, 0.0002, seed=1), rendered(model, 100, none, 0.0002, seed=2)
    )
    assert measured["pictures"] == 600
    assert measured["pictures_held_out"] == 100
    assert 0 < measured["face_rms_mm"] < 0.3 * measured["mean_head_face_rms_mm"]
    assert all(bool(tensor.isfinite().all()) for tensor in tensors.values())
    factor = tensors["precision_factor"].double()
    assert float(torch.linalg.eigvalsh(factor @ factor.T).min()) > 0
    assert tensors["weights"].dtype == torch.float16
