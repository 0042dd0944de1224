"""The caption of a rendering; ``web/rendering_words.js`` says the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from headviz.viewers.look import count, length, number

Values = Mapping[str, Any]

#: The first step of 8-bit sRGB is three times as bright.
LEAST = 1e-4


def caption_of(numbers: Values, facts: Values) -> str:
    """What the chosen pixel knows after a stage, in one sentence.

    Args:
        numbers: of the viewer.
        facts: of the record.
    """
    stage, (column, row) = numbers["stage"], numbers["pixel"]
    place = f"Pixel ({column}, {row})"
    if stage == "gradient":
        return _gradient(numbers, facts)
    if stage == "soft_mask":
        return f"{place} {_soft_mask(numbers, facts)}."
    if stage == "picture":
        return f"{place} {_picture(numbers)}."
    if not numbers["covered"]:
        return f"{place} sees no face: its ray meets none of {count(facts['faces'], 'face')}{_seen(numbers, facts)}."
    return f"{place} {_COVERED[stage](numbers, facts)}."


def listed(values: Sequence[float]) -> str:
    """Numbers as in "0.21, 0.331 and 0.459"."""
    words = [number(value) for value in values]
    return f"{', '.join(words[:-1])} and {words[-1]}"


def tone(values: Sequence[float]) -> str:
    """A colour or light: one number where red, green and blue are the same; what no screen can show is 0."""
    shown = [0.0 if abs(value) < LEAST else value for value in values]
    return number(shown[0]) if shown[0] == shown[1] == shown[2] else f"({', '.join(number(part) for part in shown)})"


def signed(value: float) -> str:
    """A change with its sign, also where it is a rise."""
    return f"+{number(value)}" if value > 0 else number(value)


def _seen(numbers: Values, facts: Values) -> str:
    if numbers["stage"] != "faces":
        return ""
    verb = "is" if facts["faces_seen"] == 1 else "are"
    seen = f"{facts['faces_seen']:,} of {count(facts['faces'], 'face')} {verb}"
    return f"; {seen} seen by the centres of {count(facts['covered'], 'pixel')}"


def _faces(numbers: Values, facts: Values) -> str:
    met = numbers["faces_met"]
    which = f"the nearest of {met} that its ray meets" if met > 1 else "the only one that its ray meets"
    return f"sees face {numbers['face']:,}, {which}{_seen(numbers, facts)}"


def _weights(numbers: Values, facts: Values) -> str:
    del facts
    first, second, third = (f"{corner:,}" for corner in numbers["corners"])
    return (
        f"meets face {numbers['face']:,} where its corners, the vertices {first}, {second} and {third}, "
        f"weigh {listed(numbers['weights'])}: all that follows is mixed by these weights"
    )


def _depth(numbers: Values, facts: Values) -> str:
    del facts
    return f"sees the surface at depth {length(numbers['depth'])}, along the camera's axis"


def _normals(numbers: Values, facts: Values) -> str:
    del facts
    x, y, z = (number(side) for side in numbers["normal"])
    return f"sees the normal ({x}, {y}, {z}), mixed from those of the corners and made 1 long"


def _uv(numbers: Values, facts: Values) -> str:
    u, v = (number(side) for side in numbers["uv"])
    size = facts["texture"]
    if size is None:
        return f"has the texture coordinates u = {u}, v = {v}; the mesh has no texture"
    return f"looks at u = {u}, v = {v} of the texture, which has {size[0]:,} × {size[1]:,} texels"


def _color(numbers: Values, facts: Values) -> str:
    return f"has the colour {tone(numbers['color'])} of {facts['colors_from']}, in linear red, green and blue"


def _light(numbers: Values, facts: Values) -> str:
    sources = count(facts["sources"], "source")
    return f"gets light of {tone(numbers['light'])} from {sources}; light of 1 would show the colour as it is"


def _highlights(numbers: Values, facts: Values) -> str:
    return (
        f"gets a highlight of {tone(numbers['highlight'])}, of at most {number(facts['most_highlight'])} in the picture"
    )


def _picture(numbers: Values) -> str:
    shown = tone(numbers["picture"])
    if not numbers["covered"]:
        return f"sees no face and shows the background, {shown}"
    if numbers["light"] is None:
        return f"shows its colour as it is, without light: {shown}"
    shine = "" if numbers["highlight"] is None else f" + highlight {tone(numbers['highlight'])}"
    return f"shows colour {tone(numbers['color'])} × light {tone(numbers['light'])}{shine} = {shown}"


def _soft_mask(numbers: Values, facts: Values) -> str:
    margin = f"{number(facts['margin'])} pixels"
    if numbers["covered"]:
        return f"is covered, so its mask is 1; beside the mesh, faces up to {margin} away count"
    if not numbers["contributing"]:
        return f"is not covered, and no face is within {margin}: its mask is 0"
    strongest = f"face {numbers['strongest_face']:,}, {number(numbers['strongest_distance'])} pixels away"
    probability = number(numbers["strongest_probability"])
    if numbers["contributing"] == 1:
        return f"is not covered: its only face within {margin}, {strongest}, has A = {probability}, which is its mask"
    return (
        f"is not covered: {numbers['contributing']:,} faces within {margin} make its mask "
        f"1 − Π(1 − A) = {number(numbers['soft_mask'])}; the strongest, {strongest}, has A = {probability}"
    )


def _gradient(numbers: Values, facts: Values) -> str:
    vertex = next(row for row in facts["vertices"] if row["name"] == numbers["vertex"])
    what, (column, row) = numbers["of"], numbers["pixel"]
    start = f"Moving vertex {vertex['index']:,} ({vertex['name']}) along +{numbers['axis']}"
    verb = "changes" if numbers["changed"] == 1 else "change"
    changed = f"{numbers['changed']:,} of {count(numbers['pixels'], 'pixel')} {verb}"
    where = f"pixel ({column}, {row})" if what == "picture" else f"the soft mask of pixel ({column}, {row})"
    change = numbers["change"]
    if change is None:
        return f"{start} does not change {where}; {changed if numbers['changed'] else 'it changes no pixel'}."
    if what == "picture":
        red, green, blue = (signed(value) for value in change)
        return f"{start} changes {where} by {red}, {green} and {blue} (red, green, blue) per mm; {changed}."
    return f"{start} changes {where} by {signed(change[0])} per mm; {changed}."


_COVERED: Mapping[str, Callable[[Values, Values], str]] = {
    "faces": _faces, "weights": _weights, "depth": _depth, "normals": _normals, "uv": _uv, "color": _color,
    "light": _light, "highlights": _highlights,
}  # fmt: skip
