"""Compile what sculpting needs before the first stroke: seconds once per computer, then a fraction of one per start."""

from __future__ import annotations

import torch

from headviz.geometry.mesh import Mesh
from headviz.sculpt.session import SculptSession
from headviz.sculpt.steps import TOOLS, Brush, ChangeMask, Keypoint, SetKeypoints, Stroke, Symmetrise


def prepare() -> None:
    """Use every tool once, on an octahedron. May run in a thread of its own, before a session is sculpted."""
    corners = torch.cat([torch.eye(3), -torch.eye(3)])
    faces = [[x, 1 + 3 * y, 2 + 3 * z] for x in (0, 3) for y in (0, 1) for z in (0, 1)]
    session = SculptSession(Mesh(corners, torch.tensor(faces)))
    for tool in TOOLS:
        session.apply(Stroke(Brush(tool, radius=1.5), ((0.0, 0.0, 1.0),), (0.0, 0.1, 0.0)))
    session.apply(SetKeypoints((Keypoint((1.0, 0.0, 0.0), (0.1, 0.0, 0.0), alpha=1.0),)))
    session.apply(Symmetrise())
    session.apply(ChangeMask())
    session.residual  # noqa: B018
    session.undo()
