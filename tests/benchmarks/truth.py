"""Fit rendered heads whose shape is known, from the picture alone, beside the mean head."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor

from headviz.errors import InputError
from headviz.geometry.metrics import vertex_error
from headviz.heads.data import render_head
from headviz.heads.paint import paint_maps
from headviz.models.landmark_fit import DEFAULT_FOCAL_35MM, LandmarkFit, initial_camera
from headviz.photo.calibration import features
from headviz.photo.detect import FaceDetection
from headviz.photo.fit import Gaussian, Observation, fit_landmarks

HELD_OUT = Path(__file__).with_name("held_out_heads.safetensors")
RENDER_SEED = 77_001
MAX_YAW = math.radians(40)
BANDS = ((0, 15), (15, 30), (30, 40))  #: degrees to either side


@dataclass(frozen=True)
class TruthRow:
    """One head. Errors are mean vertex errors of the face region after similarity alignment, mm.

    Attributes:
        yaw: degrees.
        fitted, mean: neutral fitted head and neutral mean head against the true neutral head.
        fitted_expressed: fitted head with fitted expression against the true head with its expression.
        mean_expressed: mean head with the detector's raw scores as expression, against the same.
        naive: neutral head of a plain reprojection fit, against the true neutral head.
    """

    yaw: float
    fitted: float
    mean: float
    fitted_expressed: float
    mean_expressed: float
    naive: float


@dataclass(frozen=True)
class Truth:
    """All rows and the number of pictures in which no head could be fitted."""

    rows: tuple[TruthRow, ...]
    failures: int

    def average(self, value: Callable[[TruthRow], float], low: float = 0.0, high: float = 90.0) -> float:
        """Mean of a value over the rows of a yaw band; NaN for an empty band."""
        chosen = [value(row) for row in self.rows if low <= abs(row.yaw) < high]
        return sum(chosen) / len(chosen) if chosen else math.nan

    def count(self, low: float, high: float) -> int:
        """Heads in a yaw band."""
        return sum(low <= abs(row.yaw) < high for row in self.rows)


def held_out_heads() -> Float[Tensor, "b n 3"]:
    """The true neutral heads, metres."""
    return load_file(HELD_OUT)["vertices_mm"].float() / 1000


def naive_identity(model: LandmarkFit, seen: FaceDetection, size: tuple[int, int]) -> Float[Tensor, " k"]:
    """Identity by following the landmarks: no calibration, identity ~ N(0, 1), expression near the detected scores."""
    names, linear = model.head.expression_names, model.landmarks
    scores = torch.tensor([seen.scores.get(name, 0.0) for name in names], dtype=torch.float64)
    _, aligned = features(linear, seen.landmarks.double()[None], scores[None])
    prior = Gaussian(
        torch.cat([torch.zeros(linear.identities, dtype=torch.float64), scores]),
        torch.diag(torch.tensor([1.0] * linear.identities + [1 / 0.3**2] * len(names), dtype=torch.float64)),
    )
    points = seen.landmarks[:, :2].double()
    focal = DEFAULT_FOCAL_35MM / 36 * max(size)
    start = initial_camera(aligned, points, linear.points(prior.mean), size, focal)
    noise = torch.full((len(points),), 0.002 * float(aligned.scale[0]), dtype=torch.float64)  # 2 mm
    fit = fit_landmarks(linear, Observation(points, noise), prior, start)
    return fit.parameters[: linear.identities].float()


def measure_truth(model: LandmarkFit, count: int = 100) -> Truth:
    """Render the first ``count`` held-out heads with random paint, expression, light and pose, and fit them."""
    head, rng = model.head, np.random.default_rng(RENDER_SEED)
    maps = paint_maps(head)
    face = head.region("face").float()
    rows, failures = [], 0

    def error(vertices: Tensor, truth: Tensor) -> float:
        distance = vertex_error(vertices, truth, weights=face)
        return 1000 * float((distance * face).sum() / face.sum())

    for neutral in held_out_heads()[:count]:
        taken = render_head(head, maps, neutral, rng, max_yaw=MAX_YAW)
        try:
            seen = model.detect(taken.picture)
        except InputError:
            failures += 1
            continue
        size = (taken.picture.shape[1], taken.picture.shape[0])
        fitted = model.fit(seen, size)
        true_expressed = neutral + torch.einsum("e,enc->nc", taken.expression, head.expression)
        scores = torch.tensor([seen.scores.get(name, 0.0) for name in head.expression_names])
        rows.append(
            TruthRow(
                yaw=math.degrees(taken.yaw),
                fitted=error(head.vertices(fitted.identity), neutral),
                mean=error(head.mean, neutral),
                fitted_expressed=error(head.vertices(fitted.identity, fitted.expression), true_expressed),
                mean_expressed=error(head.vertices(expression=scores), true_expressed),
                naive=error(head.vertices(naive_identity(model, seen, size)), neutral),
            )
        )
    return Truth(tuple(rows), failures)
