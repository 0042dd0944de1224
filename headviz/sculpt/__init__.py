"""Sculpting a head: brushes, keypoints, sliders, exact symmetry, undo; a session is its base and its steps."""

from headviz.sculpt.brushes import falloff
from headviz.sculpt.export import export_mesh
from headviz.sculpt.files import open_session, save_session, start_named, start_session
from headviz.sculpt.journal import Journal, recover, recoverable
from headviz.sculpt.prepare import prepare
from headviz.sculpt.repair import fix
from headviz.sculpt.session import SculptSession
from headviz.sculpt.steps import (
    FALLOFFS,
    TOOLS,
    Brush,
    ChangeMask,
    Keypoint,
    SetKeypoints,
    SetSliders,
    Step,
    Stroke,
    Symmetrise,
    step_of,
)
from headviz.sculpt.strokes import Change
from headviz.sculpt.transfer import Transfer, replay_on

__all__ = [
    "FALLOFFS",
    "TOOLS",
    "Brush",
    "Change",
    "ChangeMask",
    "Journal",
    "Keypoint",
    "SculptSession",
    "SetKeypoints",
    "SetSliders",
    "Step",
    "Stroke",
    "Symmetrise",
    "Transfer",
    "export_mesh",
    "falloff",
    "fix",
    "open_session",
    "prepare",
    "recover",
    "recoverable",
    "replay_on",
    "save_session",
    "start_named",
    "start_session",
    "step_of",
]
