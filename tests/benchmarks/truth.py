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
from headviz.models.landmark_fit import LandmarkFit

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
    """

    yaw: float
    fitted: float
    mean: float
    fitted_expressed: float
    mean_expressed: float


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
        fitted = model.fit(seen, (taken.picture.shape[1], taken.picture.shape[0]))
        true_expressed = neutral + torch.einsum("e,enc->nc", taken.expression, head.expression)
        scores = torch.tensor([seen.scores.get(name, 0.0) for name in head.expression_names])
        rows.append(
            TruthRow(
                yaw=math.degrees(taken.yaw),
                fitted=error(head.vertices(fitted.identity), neutral),
                mean=error(head.mean, neutral),
                fitted_expressed=error(head.vertices(fitted.identity, fitted.expression), true_expressed),
                mean_expressed=error(head.vertices(expression=scores), true_expressed),
            )
        )
    return Truth(tuple(rows), failures)
