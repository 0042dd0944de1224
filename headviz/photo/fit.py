"""Fit camera, identity and expression to landmarks: damped Gauss–Newton on a linear model with priors."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from headviz.geometry.camera import Camera

FOCAL_SPREAD = 0.3  #: standard deviation of the logarithm of an unknown focal length
ROBUST_SCALE = 3.0  #: residuals beyond this many standard deviations lose influence


@dataclass(frozen=True, eq=False)
class LandmarkModel:
    """The linear head model at the landmarks, double precision, metres.

    Attributes:
        mean: shape (l, 3).
        basis: identity components (per standard deviation), then expressions (per unit weight), (k + e, l, 3).
        identities: k, how many of the rows are identity; the rest are weights bounded by [0, 1].
    """

    mean: Float[Tensor, "l 3"]
    basis: Float[Tensor, "c l 3"]
    identities: int

    def points(self, parameters: Float[Tensor, " c"]) -> Float[Tensor, "l 3"]:
        """Landmarks in the head's frame, metres."""
        moved: Tensor = self.mean + (parameters @ self.basis.flatten(1)).unflatten(0, (-1, 3))
        return moved


@dataclass(frozen=True, eq=False)
class Gaussian:
    """A normal distribution of the parameters: mean (c,) and precision (c, c)."""

    mean: Float[Tensor, " c"]
    precision: Float[Tensor, "c c"]


@dataclass(frozen=True, eq=False)
class Observation:
    """Landmarks as seen.

    Attributes:
        points: u and v in pixels with the detector's known bias removed, shape (l, 2).
        sigma: standard deviation of each landmark, pixels, shape (l,).
    """

    points: Float[Tensor, "l 2"]
    sigma: Float[Tensor, " l"]


@dataclass(frozen=True, eq=False)
class HeadFit:
    """Result of a fit.

    Attributes:
        camera: the camera, double precision.
        parameters: identity coefficients, then expression weights, shape (c,).
        residuals: seen minus projected, pixels, shape (l, 2).
        influence: weight that each landmark kept in the robust fit, in [0, 1], shape (l,).
        iterations: how many steps were taken.
        cost: value of the objective after every step, first entry before the first.
    """

    camera: Camera
    parameters: Float[Tensor, " c"]
    residuals: Float[Tensor, "l 2"]
    influence: Float[Tensor, " l"]
    iterations: int
    cost: tuple[float, ...]


def rotation_matrix(vector: Float[Tensor, "3"]) -> Float[Tensor, "3 3"]:
    """Rotation by |vector| radians about vector (Rodrigues' formula, as a matrix exponential)."""
    x, y, z = vector.unbind()
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero]).reshape(3, 3)
    return torch.matrix_exp(skew)


def projection_jacobian(
    model: LandmarkModel, camera: Camera, parameters: Float[Tensor, " c"]
) -> tuple[Float[Tensor, "l 2"], Float[Tensor, "l 2 v"]]:
    """Projected landmarks and their derivatives.

    Columns: rotation about the camera's axes (3), translation (3), logarithm of the focal length (1), parameters (c).
    """
    turned = model.points(parameters) @ camera.rotation.T
    q = turned + camera.translation
    depth = -q[:, 2]
    scale = camera.focal / depth
    offset = torch.stack([q[:, 0] * scale, -q[:, 1] * scale], dim=1)
    zero = torch.zeros_like(scale)
    du = torch.stack([scale, zero, offset[:, 0] / depth], dim=1)
    dv = torch.stack([zero, -scale, offset[:, 1] / depth], dim=1)
    outer = torch.stack([du, dv], dim=1)  # (l, 2, 3): derivative by q
    rotate = torch.linalg.cross(turned[:, None, :].expand_as(outer), outer)  # a · (ω × p) = ω · (p × a)
    shapes = (model.basis @ camera.rotation.T).permute(1, 2, 0)  # (l, 3, c)
    jacobian = torch.cat([rotate, outer, offset[:, :, None], outer @ shapes], dim=2)
    return camera.center + offset, jacobian


def _moved(camera: Camera, step: Float[Tensor, "7"]) -> Camera:
    rotation = rotation_matrix(step[:3]) @ camera.rotation
    u, _, v = torch.linalg.svd(rotation)
    focal = camera.focal * float(step[6].clamp(-0.5, 0.5).exp())
    return replace(camera, rotation=u @ v, translation=camera.translation + step[3:6], focal=focal)


@dataclass(frozen=True, eq=False)
class _Objective:
    model: LandmarkModel
    seen: Observation
    prior: Gaussian
    log_focal: float
    focal_spread: float
    strength: float

    def influence(self, residuals: Float[Tensor, "l 2"]) -> Float[Tensor, " l"]:
        """Geman–McClure weights (Black & Rangarajan 1996)."""
        squared = (residuals.norm(dim=1) / (self.seen.sigma * ROBUST_SCALE)) ** 2
        weights: Tensor = 1 / (1 + squared) ** 2
        return weights

    def cost(self, camera: Camera, parameters: Tensor, residuals: Tensor) -> float:
        squared = (residuals.norm(dim=1) / self.seen.sigma) ** 2
        robust = ROBUST_SCALE**2 * squared / (ROBUST_SCALE**2 + squared)
        off = parameters - self.prior.mean
        focal = (torch.log(torch.tensor(camera.focal)) - self.log_focal) / self.focal_spread
        return float(self.strength * robust.sum() + off @ self.prior.precision @ off + focal**2)

    def normal_equations(self, camera: Camera, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Matrix, right-hand side and residuals of one Gauss–Newton step."""
        projected, jacobian = projection_jacobian(self.model, camera, parameters)
        residuals = self.seen.points - projected
        weight = self.strength * self.influence(residuals) / self.seen.sigma**2
        rows = jacobian.flatten(0, 1)
        weighted = rows * weight.repeat_interleave(2)[:, None]
        matrix, right = weighted.T @ rows, weighted.T @ residuals.flatten()
        off = self.prior.mean - parameters
        matrix[7:, 7:] += self.prior.precision
        right[7:] += self.prior.precision @ off
        matrix[6, 6] += self.focal_spread**-2
        right[6] += (self.log_focal - float(torch.log(torch.tensor(camera.focal)))) / self.focal_spread**2
        return matrix, right, residuals


def fit_landmarks(
    model: LandmarkModel,
    seen: Observation,
    prior: Gaussian,
    camera: Camera,
    *,
    focal_spread: float = FOCAL_SPREAD,
    strength: float = 1.0,
    max_iterations: int = 15,
) -> HeadFit:
    """Minimise strength · Σ ρ(|residual|/σ) + Mahalanobis distance to the prior over camera and parameters.

    Levenberg–Marquardt steps; expression weights stay in [0, 1] by holding those at a bound that the step
    would push further out; outliers lose influence by Geman–McClure weights.

    Args:
        model: the landmarks as a linear model.
        seen: where they were seen.
        prior: what is known of the parameters without this fit.
        camera: where to start; its focal length is also the mean of the focal prior.
        focal_spread: standard deviation of the logarithm of the focal length.
        strength: weight of the landmarks relative to the prior.
        max_iterations: how many steps at most, rejected ones included.
    """
    log_focal = float(torch.log(torch.tensor(camera.focal, dtype=torch.float64)))
    objective = _Objective(model, seen, prior, log_focal, focal_spread, strength)
    parameters = _bounded(prior.mean.clone(), model.identities)
    damping = 1e-3
    matrix, right, residuals = objective.normal_equations(camera, parameters)
    costs = [objective.cost(camera, parameters, residuals)]
    for _ in range(max_iterations):
        step = _solve(matrix, right, damping, _free(parameters, right, model.identities))
        trial_camera = _moved(camera, step[:7])
        trial = _bounded(parameters + step[7:], model.identities)
        system = objective.normal_equations(trial_camera, trial)
        cost = objective.cost(trial_camera, trial, system[2])
        if cost > costs[-1]:
            damping *= 8
            if damping > 1e6:
                break
            continue
        gain = costs[-1] - cost
        camera, parameters, damping = trial_camera, trial, max(damping / 4, 1e-9)
        matrix, right, residuals = system
        costs.append(cost)
        if gain < 1e-4 * cost:
            break
    return HeadFit(camera, parameters, residuals, objective.influence(residuals), len(costs) - 1, tuple(costs))


def _bounded(parameters: Tensor, identities: int) -> Tensor:
    return torch.cat([parameters[:identities], parameters[identities:].clamp(0, 1)])


def _free(parameters: Tensor, right: Tensor, identities: int) -> Bool[Tensor, " v"]:
    """Variables that may move: all but weights at a bound whose gradient points outwards."""
    free = torch.ones(len(right), dtype=torch.bool)
    weights, pull = parameters[identities:], right[7 + identities :]
    free[7 + identities :] = ~(((weights <= 0) & (pull < 0)) | ((weights >= 1) & (pull > 0)))
    return free


def _solve(matrix: Tensor, right: Tensor, damping: float, free: Tensor) -> Tensor:
    step = torch.zeros_like(right)
    reduced = matrix[free][:, free]
    reduced = reduced + damping * torch.diag(reduced.diagonal())
    step[free] = torch.linalg.solve(reduced, right[free])
    return step
