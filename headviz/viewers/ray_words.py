"""The sentence of the viewer ``ray`` about one step; ``web/ray_words.js`` says the same."""

from __future__ import annotations

from headviz.geometry.trace_history import Look, Status
from headviz.viewers.look import count, length, number
from headviz.viewers.ray_search import RaySettings, Search

#: Smaller errors than this, metres, are rounding, and are not told in digits.
LEAST_ERROR = 1e-9
_MORE = 1 + 1e-9


def sentence(search: Search, step: int, settings: RaySettings, root: float | None) -> str:
    """What happens in a step, with its numbers; in the last one, how the ray ended.

    Args:
        search: of the chosen method.
        step: from 0.
        settings: that it was searched with.
        root: the true first root, metres along the ray; ``None`` if there is none.
    """
    if len(search.t) == 0:
        return "Missed: the ray does not meet the box of the slice, so there is nothing to look at."
    if step < search.steps:
        over = search.overstep(step)
        if over is not None:
            return (
                f"Step {step} of {search.steps} over-stepped: it trusted the bound {number(settings.bound)} and went "
                f"{length(over.after - over.before)}, but the field falls by {number(over.slope)} per metre there, "
                f"to {length(over.value_after)}: beyond the surface."
            )
        return f"Step {step} of {search.steps}: {_march(search, step, settings)}"
    ended = {Status.HIT: _hit, Status.MISSED: _missed, Status.OUT_OF_STEPS: _out_of_steps}[search.status]
    return ended(search, settings, root) + _afterwards(search, settings)


def error_words(error: float) -> str:
    """An error as people read it; what is smaller than a nanometre is rounding."""
    return "less than 1 nm" if error < LEAST_ERROR else length(error)


def _march(search: Search, step: int, settings: RaySettings) -> str:
    """What is seen on the way, and how far the ray may go."""
    distance, moved = float(search.distance[search.kept[step]]), search.moved(step)
    seen = f"distance {length(distance)}"
    if search.method == "fixed":
        return f"{seen}; the next look is {length(moved)} farther, whatever the distance."
    if search.method == "bracketing":
        return seen + _bracket(search, step, moved)
    if distance < 0:
        return f"{seen}, beyond the surface, so the ray goes back {length(-moved)}."
    radius = distance / settings.bound
    trust = "" if settings.bound == 1 else f" with the bound {number(settings.bound)}"
    return f"{seen}, so{trust} the ray may move {length(radius)}{_tries(search, step, radius, settings)}."


def _tries(search: Search, step: int, radius: float, settings: RaySettings) -> str:
    """How a relaxed step goes farther than its radius."""
    look, unused = int(search.kept[step]), len(search.unused(step + 1))
    if search.method == "relaxed":
        tried = float(search.t[look + 1]) - float(search.t[look])
        if unused:
            return f"; it tries {length(tried)}, the circles leave a gap, and it comes back"
        return (
            f"; over-relaxed by {number(settings.relaxation)} it tries {length(tried)}"
            if tried > radius * _MORE
            else ""
        )
    moved = search.moved(step)
    tries = (
        f"; by the slope so far it tries {length(moved)}"
        if search.method == "adaptive" and moved > radius * _MORE
        else ""
    )
    return tries + (f"; {count(unused, 'look')} ahead led nowhere" if unused else "")


def _bracket(search: Search, step: int, moved: float) -> str:
    place = "the secant's estimate" if search.kind[search.kept[step]] == Look.SECANT else "a sample"
    way = f"{length(abs(moved))} {'farther' if moved >= 0 else 'back'}"
    if search.kind[search.kept[step + 1]] == Look.SECANT:
        return f" at {place}; the sign has changed, and the secant's next estimate is {way}."
    return f" at {place}; the next is {way}, whatever the distance."


def _spent(search: Search) -> str:
    return f"{count(search.steps, 'step')} and {count(len(search.t), 'evaluation')}"


def _hit(search: Search, settings: RaySettings, root: float | None) -> str:
    if len(search.t) == 1:
        where = "inside the solid" if search.value < 0 else "at the surface"
        return f"Hit after 0 steps: the ray starts {where}, where the field is {length(search.value)}."
    lead = f"Hit after {_spent(search)} at t = {length(search.hit)}"
    if root is None:
        return (
            f"{lead}, where the field is {length(search.value)}, within the tolerance of {length(settings.tolerance)}; "
            "the ray itself passes by the surface."
        )
    error = abs(search.hit - root)
    side = "from" if error < LEAST_ERROR else "beyond" if search.hit > root else "before"
    return f"{lead}, {error_words(error)} {side} the surface."


def _missed(search: Search, settings: RaySettings, root: float | None) -> str:
    if root is None:
        nearest = length(float(search.distance.min()))
        end = f"the end of the ray at t = {length(search.hit)}"
        return f"Missed: {_spent(search)} lead to {end}; the smallest distance on the way was {nearest}."
    reason = {
        "fixed": f"steps of {length(settings.step_size)} are too long for it",
        "bracketing": "it lies between two samples",
    }.get(search.method, f"the bound {number(settings.bound)} is too small for this field")
    return f"Missed wrongly after {_spent(search)}: the surface at t = {length(root)} was stepped over; {reason}."


def _out_of_steps(search: Search, settings: RaySettings, root: float | None) -> str:
    told = "" if root is None else f", {error_words(abs(search.hit - root))} from the surface"
    return (
        f"Out of steps after {_spent(search)}: the best look is at t = {length(search.hit)}{told}, "
        f"where the field is {length(search.value)}; more than {number(settings.max_steps)} steps are needed."
    )


def _afterwards(search: Search, settings: RaySettings) -> str:
    """What else happened on the way."""
    unused, over = int(search.undone.sum()), len(search.oversteps)
    told = ""
    if unused and search.method == "adaptive":
        told += f" {count(unused, 'look')} ahead led nowhere."
    elif unused:
        told += f" {count(unused, 'step')} {'was' if unused == 1 else 'were'} taken back."
    if over:
        told += f" {count(over, 'step')} over-stepped: the bound {number(settings.bound)} is too small for this field."
    return told
