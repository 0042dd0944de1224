"""What a sculpting session says of itself; ``web/sculpt/words.js`` says the same, and a test holds them together."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from headviz.sculpt import SculptSession
from headviz.viewers import look

_ROUNDING = 1e-6  # of the head's size: what lies nearer to the base has not moved


def moved_of(session: SculptSession) -> tuple[int, float]:
    """How many vertices lie off the base, and the farthest, metres."""
    away = session.positions.astype(np.float64) - session.surface.rest
    distance = np.sqrt(np.einsum("nc,nc->n", away, away))
    far = distance > _ROUNDING * session.surface.size
    return int(far.sum()), float(distance[far].max()) if far.any() else 0.0


def place_of(session: SculptSession) -> tuple[int, int]:
    """The number of steps done, and of those on the line of undo and redo."""
    line = session.history
    return [entry.id for entry in line].index(session.current), len(line) - 1


def length(metres: float) -> str:
    """A length as people say it of heads: millimetres below 0.1 m, as everywhere else where they are rounding."""
    return f"{look.number(1000 * metres)} mm" if metres == 0 or 1e-5 <= metres < 0.1 else look.length(metres)


def sliders_residual(session: SculptSession) -> float:
    """How far what the sliders add is from its mirror image, in sizes of the head; NaN where no vertex has a twin."""
    mirror, added = session.surface.mirror, np.zeros_like(session.positions)
    if mirror is None:
        return math.nan
    for name, weight in session.sliders.items():
        if weight:
            added += np.float32(weight) * session.layers.morphs[name]
    apart = added[mirror] * np.array([-1, 1, 1], np.float32) - added
    return float(np.sqrt(np.einsum("nc,nc->n", apart, apart).max())) / session.surface.size


def symmetry_of(session: SculptSession) -> str:
    """How symmetric the head is; where it is not, what makes it so: what was sculpted, the base, or sliders."""
    residual = session.residual
    if math.isnan(residual):
        return "no vertex knows its twin"
    sculpted = session.sculpted_residual
    parts = {
        "what was sculpted": sculpted,
        "the base": session.base_residual,
        "sliders": sliders_residual(session),
    }
    names = [name for name, part in parts.items() if part > _ROUNDING]
    causes = ", ".join(f"{name} by {look.number(parts[name])}" for name in names)
    if residual <= _ROUNDING or not names:
        return f"symmetric to {look.number(residual)} of the head’s size"
    if sculpted > _ROUNDING or session.current == 0:
        who = f"{names[0]} is " if len(names) == 1 else ""
        return f"{who}asymmetric by {look.number(residual)} of the head’s size" + ("" if who else f": {causes}")
    are = causes.replace(" by ", f" {'are' if names[0] == 'sliders' else 'is'} asymmetric by ", 1)
    return f"what was sculpted is symmetric to {look.number(sculpted)} of the head’s size, {are}"


def caption_of(session: SculptSession) -> str:
    """Where the session is, in one sentence with its numbers."""
    symmetry, count = symmetry_of(session), len(session.surface)
    every = look.count(count, "vertex", "vertices")
    if session.current == 0:
        return f"{every}, {length(session.surface.size)} long, nothing sculpted yet; {symmetry}."
    vertices, most = moved_of(session)
    step, steps = place_of(session)
    moved = (
        f"{vertices:,} of {every} lie up to {length(most)} off the base" if vertices else f"all {every} lie on the base"
    )
    text = session.log.entries[session.current].text
    return f"Step {step:,} of {steps:,}, {text}: {moved}; {symmetry}."


def numbers_of(session: SculptSession) -> dict[str, Any]:
    """The numbers of the caption."""
    vertices, most = moved_of(session)
    step, steps = place_of(session)
    return {
        "step": step,
        "steps": steps,
        "vertices": len(session.surface),
        "moved": vertices,
        "farthest": most,
        "residual": None if math.isnan(session.residual) else session.residual,
        "sculpted_residual": None if math.isnan(session.residual) else session.sculpted_residual,
        "keypoints": len(session.keypoints),
    }
