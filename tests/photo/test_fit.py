"""The fit on synthetic heads: derivatives, exact recovery, outliers, bounds, and another optimiser beside it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation
from torch import Tensor

from headviz.geometry.camera import Camera
from headviz.photo.fit import (
    FOCAL_SPREAD,
    ROBUST_SCALE,
    Gaussian,
    HeadFit,
    LandmarkModel,
    Observation,
    fit_landmarks,
    projection_jacobian,
    rotation_matrix,
)

POINTS, IDENTITIES, EXPRESSIONS = 80, 5, 4
COUNT = IDENTITIES + EXPRESSIONS


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture(scope="module")
def model() -> LandmarkModel:
    """Points on an ellipsoid as large as a head, moved by millimetres."""
    mean = torch.nn.functional.normalize(random(POINTS, 3), dim=1) * torch.tensor([0.08, 0.11, 0.09])
    return LandmarkModel(mean, 0.004 * random(COUNT, POINTS, 3, seed=1), IDENTITIES)


def camera_at(yaw: float = 0.3, pitch: float = 0.1, roll: float = -0.1, focal: float = 600.0) -> Camera:
    turn = torch.as_tensor(Rotation.from_euler("yxz", [yaw, pitch, roll]).as_matrix())
    return Camera(
        turn, torch.tensor([0.02, -0.03, -0.6]).double(), focal, torch.tensor([160.0, 120.0]).double(), 320, 240
    )


def perturbed(camera: Camera, step: np.ndarray) -> Camera:
    """A camera turned about its own axes, moved and zoomed: what the derivatives are by."""
    turn = torch.as_tensor(Rotation.from_rotvec(step[:3]).as_matrix())
    return replace(
        camera,
        rotation=turn @ camera.rotation,
        translation=camera.translation + torch.as_tensor(step[3:6]),
        focal=camera.focal * float(np.exp(step[6])),
    )


def weak(strength: float = 1e-6) -> Gaussian:
    return Gaussian(torch.zeros(COUNT).double(), strength * torch.eye(COUNT).double())


def truth(seed: int = 7) -> Tensor:
    parameters = random(COUNT, seed=seed)
    parameters[IDENTITIES:] = parameters[IDENTITIES:].abs().clamp(0.1, 0.9)
    return parameters


def seen(model: LandmarkModel, camera: Camera, parameters: Tensor, sigma: float = 0.5) -> Observation:
    return Observation(camera.project(model.points(parameters)), torch.full((POINTS,), sigma).double())


def cost_by_hand(
    model: LandmarkModel, observation: Observation, prior: Gaussian, camera: Camera, parameters: Tensor, start: Camera,
    focal_spread: float = FOCAL_SPREAD, strength: float = 1.0,
) -> float:  # fmt: skip
    """Σ ρ + Mahalanobis + focal prior, with ρ(s) = c² s / (c² + s) (Geman & McClure 1987)."""
    residual = (observation.points - camera.project(model.points(parameters))).numpy()
    s = np.square(residual).sum(1) / observation.sigma.numpy() ** 2
    rho = (ROBUST_SCALE**2 * s / (ROBUST_SCALE**2 + s)).sum()
    off = (parameters - prior.mean).numpy()
    focal = (np.log(camera.focal) - np.log(start.focal)) / focal_spread
    return float(strength * rho + off @ prior.precision.numpy() @ off + focal**2)


@given(st.tuples(*[st.floats(-3, 3)] * 3))
def test_rotation_matrices_are_scipys(vector: tuple[float, float, float]) -> None:
    found = rotation_matrix(torch.tensor(vector, dtype=torch.float64))
    np.testing.assert_allclose(found, Rotation.from_rotvec(vector).as_matrix(), atol=1e-12)


@settings(max_examples=10)
@given(st.floats(-1, 1), st.floats(-0.5, 0.5), st.floats(-1, 1), st.integers(0, 100))
def test_the_jacobian_is_that_of_finite_differences(
    model: LandmarkModel, yaw: float, pitch: float, roll: float, seed: int
) -> None:
    camera, parameters = camera_at(yaw, pitch, roll), truth(seed)
    projected, jacobian = projection_jacobian(model, camera, parameters)
    torch.testing.assert_close(projected, camera.project(model.points(parameters)))
    assert jacobian.shape == (POINTS, 2, 7 + COUNT)
    h = 1e-6
    for column in range(7 + COUNT):
        step = np.zeros(7 + COUNT)
        step[column] = h
        pair = [
            perturbed(camera, sign * step).project(model.points(parameters + sign * torch.as_tensor(step[7:])))
            for sign in (1, -1)
        ]
        numeric = (pair[0] - pair[1]) / (2 * h)
        torch.testing.assert_close(jacobian[..., column], numeric, rtol=1e-5, atol=1e-3)  # values up to 1,000


@settings(max_examples=15)
@given(st.floats(-0.7, 0.7), st.floats(-0.3, 0.3), st.integers(0, 1000))
def test_noise_free_landmarks_are_met(model: LandmarkModel, yaw: float, pitch: float, seed: int) -> None:
    camera, parameters = camera_at(yaw, pitch), truth(seed)
    start = perturbed(camera, np.array([0.15, -0.1, 0.1, 0.01, 0.01, -0.05, 0.05]))
    fit = fit_landmarks(model, seen(model, camera, parameters), weak(), start, max_iterations=50)
    assert float(fit.residuals.norm(dim=1).max()) < 0.01
    torch.testing.assert_close(
        fit.residuals,
        seen(model, camera, parameters).points - fit.camera.project(model.points(fit.parameters)),
        atol=1e-9,
        rtol=0,
    )


def test_with_a_known_focal_length_pose_and_shape_come_back(model: LandmarkModel) -> None:
    camera, parameters = camera_at(), truth()
    start = perturbed(camera, np.array([0.1, -0.1, 0.1, 0.01, 0.01, 0.03, 0.0]))
    fit = fit_landmarks(model, seen(model, camera, parameters), weak(1e-8), start, focal_spread=1e-4, max_iterations=60)
    torch.testing.assert_close(fit.camera.rotation, camera.rotation, atol=1e-3, rtol=0)
    torch.testing.assert_close(fit.camera.translation, camera.translation, atol=1e-3, rtol=0)
    torch.testing.assert_close(fit.parameters, parameters, atol=0.02, rtol=0)


def noisy_fit(model: LandmarkModel, outliers: int, seed: int = 0) -> tuple[HeadFit, Observation, Tensor]:
    """A fit with 0.5-pixel noise and some landmarks thrown 40 to 120 pixels away."""
    rng = np.random.default_rng(seed)
    camera, parameters = camera_at(), truth()
    observation = seen(model, camera, parameters)
    points = observation.points + 0.5 * torch.as_tensor(rng.normal(size=(POINTS, 2)))
    thrown = torch.zeros(POINTS, dtype=torch.bool)
    thrown[torch.as_tensor(rng.permutation(POINTS)[:outliers])] = True
    angle, length = rng.uniform(0, 6.28, POINTS), rng.uniform(40, 120, POINTS)
    points[thrown] += torch.as_tensor(np.stack([length * np.cos(angle), length * np.sin(angle)], 1))[thrown]
    start = perturbed(camera, np.array([0.05, -0.05, 0.05, 0.005, 0.005, 0.0, 0.0]))
    fit = fit_landmarks(model, Observation(points, observation.sigma), weak(1.0), start, max_iterations=40)
    return fit, observation, thrown


@pytest.mark.parametrize("seed", range(3))
def test_fifteen_percent_of_gross_outliers_hardly_matter(model: LandmarkModel, seed: int) -> None:
    clean, _, _ = noisy_fit(model, 0, seed)
    fit, observation, thrown = noisy_fit(model, 12, seed)
    assert int(thrown.sum()) == 12
    shift = [(f.camera.project(model.points(f.parameters)) - observation.points).norm(dim=1) for f in (clean, fit)]
    # From the true places: the noise is 0.5 pixels per axis; an ordinary least-squares fit goes astray by 10.
    assert float(shift[0].mean()) < 0.5
    assert float(shift[1].mean()) < float(shift[0].mean()) + 0.2
    assert float(fit.influence[thrown].max()) < 0.01
    assert float(fit.influence[~thrown].mean()) > 0.7


def test_influence_is_geman_mcclures_weight(model: LandmarkModel) -> None:
    fit, observation, _ = noisy_fit(model, 12)
    s = (fit.residuals.norm(dim=1) / observation.sigma / ROBUST_SCALE) ** 2
    torch.testing.assert_close(fit.influence, 1 / (1 + s) ** 2)


@pytest.mark.parametrize("seed", range(4))
def test_the_cost_never_rises_and_is_the_written_one(model: LandmarkModel, seed: int) -> None:
    camera, parameters = camera_at(), truth(seed)
    start = perturbed(camera, np.array([0.4, -0.3, 0.3, 0.03, 0.02, -0.1, 0.2]))
    observation = replace(
        seen(model, camera, parameters), points=camera.project(model.points(parameters)) + random(POINTS, 2)
    )
    prior = weak(1.0)
    fit = fit_landmarks(model, observation, prior, start, strength=0.3)
    assert len(fit.cost) == fit.iterations + 1 > 2
    assert (np.diff(fit.cost) <= 0).all()
    first = cost_by_hand(model, observation, prior, start, prior.mean, start, strength=0.3)
    last = cost_by_hand(model, observation, prior, fit.camera, fit.parameters, start, strength=0.3)
    assert fit.cost[0] == pytest.approx(first, rel=1e-6)
    assert fit.cost[-1] == pytest.approx(last, rel=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_scipys_optimiser_finds_nothing_better(model: LandmarkModel, seed: int) -> None:
    camera = camera_at()
    parameters = truth(seed)
    parameters[IDENTITIES], parameters[-1] = 0.0, 1.0  # at the bounds
    points = camera.project(model.points(parameters)) + 0.5 * random(POINTS, 2, seed=seed)
    observation, prior = Observation(points, torch.full((POINTS,), 0.5).double()), weak(1.0)
    start = perturbed(camera, np.array([0.05, -0.05, 0.05, 0.005, 0.005, 0.0, 0.0]))
    fit = fit_landmarks(model, observation, prior, start, max_iterations=60)

    scale = np.array([0.1] * 3 + [0.05] * 3 + [0.3] + [1.0] * COUNT)  # variables of like size

    def objective(x: np.ndarray) -> float:
        step = x * scale
        moved = perturbed(start, step[:7])
        return cost_by_hand(model, observation, prior, moved, torch.as_tensor(step[7:]), start)

    bounds = [(None, None)] * (7 + IDENTITIES) + [(0, 1)] * EXPRESSIONS
    best = minimize(objective, np.zeros(7 + COUNT), method="L-BFGS-B", bounds=bounds, options={"maxfun": 4000})
    assert fit.cost[-1] <= best.fun * 1.002


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.floats(0.01, 4))
def test_expression_weights_stay_between_0_and_1(model: LandmarkModel, seed: int, strength: float) -> None:
    camera = camera_at()
    parameters = 2 * random(COUNT, seed=seed)  # far outside
    prior = Gaussian(3 * random(COUNT, seed=seed + 1), torch.eye(COUNT).double())
    fit = fit_landmarks(model, seen(model, camera, parameters), prior, camera, strength=strength)
    weights = fit.parameters[IDENTITIES:]
    assert float(weights.min()) >= 0
    assert float(weights.max()) <= 1


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_a_true_weight_at_its_bound_is_found(model: LandmarkModel, weight: float) -> None:
    camera, parameters = camera_at(), truth()
    parameters[IDENTITIES + 1] = weight
    prior = Gaussian(torch.full((COUNT,), 0.5).double(), 1e-6 * torch.eye(COUNT).double())
    fit = fit_landmarks(model, seen(model, camera, parameters), prior, camera, focal_spread=1e-4, max_iterations=60)
    assert float(fit.parameters[IDENTITIES + 1]) == pytest.approx(weight, abs=0.02)


def test_an_infinitely_sure_prior_wins(model: LandmarkModel) -> None:
    camera = camera_at()
    mean = truth(3)
    prior = Gaussian(mean, 1e12 * torch.eye(COUNT).double())
    fit = fit_landmarks(model, seen(model, camera, truth(4)), prior, camera)
    torch.testing.assert_close(fit.parameters, mean, atol=1e-6, rtol=0)
    assert fit.camera.rotation.isfinite().all()


def test_without_strength_the_landmarks_do_not_count(model: LandmarkModel) -> None:
    camera, mean = camera_at(), truth(3)
    fit = fit_landmarks(
        model, seen(model, camera, truth(4)), Gaussian(mean, torch.eye(COUNT).double()), camera, strength=1e-12
    )
    torch.testing.assert_close(fit.parameters, mean, atol=1e-6, rtol=0)


def test_an_uncertain_landmark_counts_little(model: LandmarkModel) -> None:
    camera, parameters = camera_at(), truth()
    exact = seen(model, camera, parameters, sigma=3.0)
    points, sigma = exact.points.clone(), exact.sigma.clone()
    points[:20] += 4.0  # too little to be taken for an outlier
    errors = []
    for uncertain in (3.0, 3000.0):
        sigma[:20] = uncertain
        fit = fit_landmarks(model, Observation(points, sigma), weak(), camera, max_iterations=40)
        errors.append(float((fit.camera.project(model.points(fit.parameters)) - exact.points)[20:].norm(dim=1).mean()))
    assert errors[1] < 0.02
    assert errors[0] > 0.1


def test_the_focal_length_is_held_by_its_prior(model: LandmarkModel) -> None:
    camera, parameters = camera_at(focal=600.0), truth()
    start = perturbed(camera, np.array([0, 0, 0, 0, 0, -0.2, 0.3]))
    held = fit_landmarks(model, seen(model, camera, parameters), weak(), start, focal_spread=1e-5, max_iterations=40)
    free = fit_landmarks(model, seen(model, camera, parameters), weak(), start, focal_spread=10.0, max_iterations=40)
    assert held.camera.focal == pytest.approx(start.focal, rel=1e-3)
    assert abs(free.camera.focal - 600) < 0.5 * abs(start.focal - 600)


def test_cameras_stay_rotations(model: LandmarkModel) -> None:
    fit, _, _ = noisy_fit(model, 12)
    rotation = fit.camera.rotation
    torch.testing.assert_close(rotation @ rotation.T, torch.eye(3).double(), atol=1e-9, rtol=0)
    assert float(torch.det(rotation)) == pytest.approx(1)
    assert (fit.camera.width, fit.camera.height) == (320, 240)


def test_the_same_input_gives_the_same_fit(model: LandmarkModel) -> None:
    one, two = noisy_fit(model, 12)[0], noisy_fit(model, 12)[0]
    assert torch.equal(one.parameters, two.parameters)
    assert one.cost == two.cost
