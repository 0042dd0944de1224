"""The head model seen by the fit: its landmarks as a linear model."""

from __future__ import annotations

import torch

from headviz.heads.model import HeadModel
from headviz.photo.fit import LandmarkModel


def landmark_model(head: HeadModel) -> LandmarkModel:
    """Mean and basis of the 478 landmarks, identity first, double precision."""
    shapes = torch.cat([head.identity, head.expression])
    return LandmarkModel(head.landmarks(head.mean).double(), head.landmarks(shapes).double(), len(head.identity))
