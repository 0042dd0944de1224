"""The caption of a traced picture; ``web/trace_words.js`` says the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headviz.geometry.trace_history import Look
from headviz.viewers.look import count, length, number


def caption_of(numbers: Mapping[str, Any], facts: Mapping[str, Any], *, kind: int, back: bool) -> str:
    """What a ray has found, how many rays still march, and what is wrong with the trace.

    Args:
        numbers: of the viewer.
        facts: of the record.
        kind: why the field was evaluated, a :class:`Look`.
        back: whether the way through the solid is said.
    """
    column, row = numbers["pixel"]
    place = f"Pixel ({column}, {row})"
    if numbers["looks"] == 0:
        means = "the cones and the box show" if facts["cones"] else "the box shows"
        words = f"{place}: the ray never looks, for {means} that nothing lies on its way"
    elif numbers["look"] is None:
        words = f"{place}: the ray has not looked yet"
    else:
        words = f"{place}, step {numbers['look']} of {numbers['looks'] - 1}: {_look(numbers, facts, kind)}"
        if numbers["ended"] is not None:
            words += _ending(numbers, facts, back=back)
    marching = numbers["marching"]
    verb = "marches" if marching == 1 else "march"
    words += f"; {marching:,} of {count(facts['rays'], 'ray')} still {verb} after step {numbers['step']}."
    return words + "".join(f" {warning}" for warning in warnings_of(facts))


def _look(numbers: Mapping[str, Any], facts: Mapping[str, Any], kind: int) -> str:
    """The look itself: what the field says, and what the ray makes of it."""
    words = f"distance {length(numbers['distance'])}"
    if numbers["overstepped"]:
        return (
            f"{words}: the step went through the surface, so the Lipschitz bound {number(facts['lipschitz'])} is wrong"
        )
    if kind != Look.MARCH:
        where = "a sample" if kind == Look.SAMPLE else "a secant step"
        return f"{words} at {where} that looks for the change of sign"
    if numbers["undone"]:
        return f"{words}, but this look is taken back: it leaves a gap, or looked ahead in vain"
    if numbers["ended"] is not None:
        return words
    if facts["lipschitz"] != 1:
        words += f" by a Lipschitz bound of {number(facts['lipschitz'])}"
    words += f", so the ray may move {length(numbers['radius'])}"
    moved = numbers["moved"]
    if numbers["look"] == 0 and facts["cones"]:
        words += "; up to here the cones or the box left it free"
    if facts["relaxation"] != 1 and moved is not None and moved > 0:
        words += f"; over-relaxed, it moves {length(moved)}"
    return words


def _ending(numbers: Mapping[str, Any], facts: Mapping[str, Any], *, back: bool) -> str:
    """How the ray ended."""
    if numbers["ended"] == "out of steps":
        return ", and no step is left: the ray ran out of steps"
    if numbers["ended"] == "missed":
        return ", which reaches beyond the end of the ray: it misses"
    within = abs(numbers["distance"]) <= facts["tolerance"]
    why = (
        f" is within the tolerance of {length(facts['tolerance'])}" if within else ", where the field changes its sign"
    )
    words = f"{why}: the ray hits, {length(numbers['hit_at'])} from the camera"
    if back and numbers["thickness"] is not None:
        words += f", and leaves for good {length(numbers['thickness'])} further on"
    return words


def warnings_of(facts: Mapping[str, Any]) -> list[str]:
    """What is wrong with the trace or its field, one sentence each."""
    found = []
    over, lost = facts["oversteps"], facts["status"]["out_of_steps"]
    if over:
        found.append(f"{count(over, 'step')} went through the surface: the field's Lipschitz bound is too small.")
    if lost:
        found.append(f"{count(lost, 'ray')} ran out of steps: allow more, or a larger tolerance.")
    if facts["status"]["hit"] == 0:
        found.append("No ray hit anything: the field may be empty here, or steeper than its Lipschitz bound.")
    return found
