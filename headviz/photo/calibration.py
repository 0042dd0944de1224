"""What the landmark detector is known to get wrong, learnt on rendered heads whose shape is known.

Landmarks of a detector are biased and noisy by about as much as people differ, so a fit that simply
follows them is worse than the mean head. A linear-Gaussian model of (detection | head), learnt on rendered
heads, gives the posterior of the head given the detection in closed form; this is the ridge regression
from aligned landmarks, scores and pose to the parameters, with the covariance of its residual.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import safe_open
from torch import Tensor

from headviz.photo.fit import Gaussian, LandmarkModel

MAX_YAW, MAX_PITCH = 0.9, 0.6  #: radians that the rendered heads cover


@dataclass(frozen=True, eq=False)
class Alignment:
    """A detection turned into the head's frame.

    Attributes:
        points: aligned landmarks, metres, head frame, shape (b, l, 3).
        rotation: head to camera, shape (b, 3, 3).
        scale: pixels per metre, shape (b,).
        yaw, pitch, roll: radians, shape (b,).
    """

    points: Float[Tensor, "b l 3"]
    rotation: Float[Tensor, "b 3 3"]
    scale: Float[Tensor, " b"]
    yaw: Float[Tensor, " b"]
    pitch: Float[Tensor, " b"]
    roll: Float[Tensor, " b"]


def align(landmarks: Float[Tensor, "b l 3"], target: Float[Tensor, "b l 3"]) -> Alignment:
    """Similarity that takes detected landmarks (pixels; u right, v down, z away) to the target (Umeyama 1991)."""
    source = landmarks * landmarks.new_tensor([1.0, -1.0, -1.0])
    a, b = source - source.mean(1, keepdim=True), target - target.mean(1, keepdim=True)
    u, values, v = torch.linalg.svd(b.transpose(1, 2) @ a)
    signs = torch.ones_like(values)
    signs[:, 2] = torch.det(u @ v).sign()
    turn = u @ (signs[:, :, None] * v)  # camera to head
    scale = (values * signs).sum(1) / a.pow(2).sum((1, 2))
    points = scale[:, None, None] * (a @ turn.transpose(1, 2)) + target.mean(1, keepdim=True)
    rotation = turn.transpose(1, 2)
    pitch = torch.asin(rotation[:, 1, 2].clamp(-1, 1))
    yaw = torch.atan2(-rotation[:, 0, 2], rotation[:, 2, 2])
    roll = torch.atan2(rotation[:, 0, 1], rotation[:, 1, 1])
    return Alignment(points, rotation, 1 / scale, yaw, pitch, -roll)


def pose_terms(yaw: Float[Tensor, " b"], pitch: Float[Tensor, " b"]) -> Float[Tensor, "b 7"]:
    """Polynomial in the pose that carries the detector's pose-dependent bias, held constant beyond what was learnt."""
    yaw, pitch = yaw.clamp(-MAX_YAW, MAX_YAW), pitch.clamp(-MAX_PITCH, MAX_PITCH)
    return torch.stack([yaw, pitch, yaw**2, pitch**2, yaw * pitch, yaw**3, yaw.abs()], dim=1)


def features(
    model: LandmarkModel, landmarks: Float[Tensor, "b l 3"], scores: Float[Tensor, "b e"]
) -> tuple[Float[Tensor, "b f"], Alignment]:
    """What the posterior is linear in: aligned landmarks (mm), pose terms, scores."""
    shapes = model.basis[model.identities :].flatten(1)
    target = model.mean + (scores @ shapes).unflatten(1, (-1, 3))
    aligned = align(landmarks, target)
    rows = (aligned.points - model.mean).flatten(1) * 1000
    return torch.cat([rows, 3 * pose_terms(aligned.yaw, aligned.pitch), 3 * scores], dim=1), aligned


@dataclass(frozen=True, eq=False)
class Calibration:
    """The learnt posterior and the detector's bias and noise in the picture.

    Attributes:
        feature_mean, weights, intercept: posterior mean = intercept + (features − feature_mean) · weights.
        precision: inverse covariance of the posterior, shape (c, c).
        bias: coefficients (8, l, 2) of the detector's bias in the picture, metres, along the head's upright
            axes as the camera sees them, for 1 and the seven pose terms.
        log_variance: coefficients (8, l) of the logarithm of the noise variance, metres².
    """

    feature_mean: Float[Tensor, " f"]
    weights: Float[Tensor, "f c"]
    intercept: Float[Tensor, " c"]
    precision: Float[Tensor, "c c"]
    bias: Float[Tensor, "8 l 2"]
    log_variance: Float[Tensor, "8 l"]

    def posterior(self, rows: Float[Tensor, "b f"]) -> Float[Tensor, "b c"]:
        """Posterior mean of the parameters, shape (b, c)."""
        return self.intercept + (rows - self.feature_mean) @ self.weights

    def prior(self, rows: Float[Tensor, "1 f"]) -> Gaussian:
        """The posterior given one detection, to be the prior of the fit in the picture."""
        return Gaussian(self.posterior(rows)[0], self.precision)

    def picture_bias(self, aligned: Alignment) -> Float[Tensor, "b l 2"]:
        """Detected minus true position in the picture, pixels (u right, v down)."""
        terms = _with_one(aligned)
        upright = torch.einsum("bt,tlc->blc", terms, self.bias)
        return rotate_pixels(upright, aligned.roll) * aligned.scale[:, None, None]

    def sigma(self, aligned: Alignment) -> Float[Tensor, "b l"]:
        """Standard deviation of every landmark per axis, pixels."""
        return torch.exp(0.5 * _with_one(aligned) @ self.log_variance) * aligned.scale[:, None]


def _with_one(aligned: Alignment) -> Float[Tensor, "b 8"]:
    terms = pose_terms(aligned.yaw, aligned.pitch)
    return torch.cat([torch.ones_like(terms[:, :1]), terms], dim=1)


def rotate_pixels(offsets: Float[Tensor, "b l 2"], angle: Float[Tensor, " b"]) -> Float[Tensor, "b l 2"]:
    """Turn offsets (u right, v down) by an angle, counter-clockwise as seen on the screen."""
    c, s = torch.cos(angle)[:, None], torch.sin(angle)[:, None]
    u, v = offsets.unbind(-1)
    return torch.stack([c * u + s * v, -s * u + c * v], dim=-1)


def read_calibration(path: Path) -> Calibration:
    """Read what ``python -m headviz.models.calibrate`` wrote, in double precision."""
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name).double() for name in file.keys()}  # noqa: SIM118
    weights = tensors["weights"] * tensors["weights_scale"]
    factor = tensors["precision_factor"]
    return Calibration(
        feature_mean=tensors["feature_mean"],
        weights=weights,
        intercept=tensors["intercept"],
        precision=factor @ factor.T,
        bias=tensors["bias"],
        log_variance=tensors["log_variance"],
    )
