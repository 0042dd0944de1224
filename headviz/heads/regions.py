"""Named regions of the head, from landmarks, charts and the reach of anny's sliders. Build time only."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from headviz.geometry.polygon import polygon_distance
from headviz.heads.landmarks import CHIN, GLABELLA, NOSE_BASE, OUTLINES
from headviz.heads.topology import Topology

Regions = dict[str, Bool[Tensor, " n"]]


def chart_regions(topology: Topology) -> Regions:
    """Regions that need no landmarks: skin, eyeballs, mouth interior, tongue, eye sockets."""
    count = len(topology.kept)
    sizes = np.bincount(topology.chart)
    order = np.argsort(-sizes)

    def vertices_of(*charts: int) -> Bool[Tensor, " n"]:
        mask = torch.zeros(count, dtype=torch.bool)
        mask[topology.faces[np.isin(topology.chart, charts)].ravel()] = True
        return mask

    outer = vertices_of(order[0], order[5])
    regions = {"skin": outer, "mouth_inside": vertices_of(order[1]), "tongue": vertices_of(order[4])}
    regions["sockets"] = vertices_of(order[2], order[3]) & ~outer
    for name, index in zip(("right_eyeball", "left_eyeball"), topology.eyes, strict=True):
        mask = torch.zeros(count, dtype=torch.bool)
        mask[index] = True
        regions[name] = mask
    return regions


def _reach(offsets: dict[str, Float[Tensor, "n 3"]], starts: tuple[str, ...], share: float) -> Bool[Tensor, " n"]:
    """Vertices that a group of sliders moves by more than a share of the group's largest move."""
    moves = torch.stack([value.norm(dim=1) for name, value in offsets.items() if name.startswith(starts)])
    return (moves / moves.amax(1, keepdim=True)).mean(0) > share


def landmark_regions(
    base: Regions,
    mean: Float[Tensor, "n 3"],
    landmarks: Float[Tensor, "478 3"],
    sliders: dict[str, Float[Tensor, "n 3"]],
) -> Regions:
    """All regions. A vertex may belong to several: ``face`` contains lips, nose and brows."""
    skin = base["skin"]
    x, y, z = mean.unbind(1)
    front = skin & (z > landmarks[:, 2].min() - 0.01)

    def within(name: str, margin: float) -> Bool[Tensor, " n"]:
        return front & (polygon_distance(mean[:, :2], landmarks[list(OUTLINES[name]), :2]) < margin)

    brow, nose, chin = (float(landmarks[i, 1]) for i in (GLABELLA, NOSE_BASE, CHIN))
    behind = z.max() - z
    regions = dict(base)
    regions["left_ear"] = skin & _reach(sliders, ("l-ear-trans", "l-ear-scale"), 0.5) & (x > 0)
    regions["right_ear"] = skin & _reach(sliders, ("r-ear-trans", "r-ear-scale"), 0.5) & (x < 0)
    ears = regions["left_ear"] | regions["right_ear"]
    regions["face"] = within("oval", 0.0) & ~ears
    regions["lips"] = within("lips", 0.0015) & (behind < 0.06)
    for side in ("right", "left"):
        regions[f"{side}_brow"] = within(f"{side}_brow", 0.002)
        regions[f"{side}_eyelids"] = within(f"{side}_eye", 0.009) & ~regions[f"{side}_brow"]
    regions["nose"] = regions["face"] & _reach(sliders, ("nose-trans", "nose-scale", "nose-volume"), 0.25)
    hairline = y - brow - 0.06 + 1.15 * (behind - 0.035).clamp(min=0)
    regions["scalp"] = skin & ~ears & ~regions["face"] & (hairline > 0) & (y > nose)
    brows = regions["right_brow"] | regions["left_brow"]
    lids = regions["right_eyelids"] | regions["left_eyelids"]
    regions["forehead"] = regions["face"] & (y > brow) & ~brows & ~lids & ~regions["nose"]
    regions["chin"] = regions["face"] & (y < nose - 0.03) & ~regions["lips"] & (x.abs() < 0.03)
    regions["neck"] = (
        skin & ~regions["face"] & ~ears & ~regions["scalp"] & (y < chin + 0.004 + 0.5 * behind.clamp(min=0.05) - 0.025)
    )
    named = regions["nose"] | regions["lips"] | regions["chin"] | regions["forehead"]
    regions["right_cheek"] = regions["face"] & ~named & ~lids & ~brows & (x < 0)
    regions["left_cheek"] = regions["face"] & ~named & ~lids & ~brows & (x > 0)
    empty = [name for name, mask in regions.items() if not bool(mask.any())]
    if empty:
        raise ValueError(f"regions without vertices: {', '.join(empty)}")
    return regions
