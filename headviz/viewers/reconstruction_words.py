"""What the viewer of a reconstruction says about each stage of the way; the page gets the sentences with the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headviz.viewers.look import count, length, number


def stages_of(facts: Mapping[str, Any], *, has_texture: bool) -> list[dict[str, str]]:
    """The stages that a reconstruction has, in order: name, title, and the sentence with its numbers.

    Args:
        facts: of the record; ``report`` and ``timings`` among them.
        has_texture: whether there is one.
    """
    report, times = facts["report"], dict(facts["timings"])
    stages = [("photograph", "Photograph", _photograph(facts))]
    if facts["face"] is not None:
        stages += [
            ("face", "Face", _face(facts, report)),
            ("landmarks", "Landmarks", _landmarks(facts, report, times)),
        ]
    stages.append(("fit", "Fitted head", _fit(facts, report, times)))
    if has_texture:
        stages.append(("texture", "Texture", _texture(report, times)))
    stages.append(("head", "Head in 3-D", _head(facts)))
    if facts["field"] is not None:
        stages.append(("distance", "Signed distance", ""))
    return [{"name": name, "title": title, "words": words} for name, title, words in stages]


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _took(times: Mapping[str, float], name: str) -> str:
    return f" in {number(times[name], 2)} s" if name in times else ""


def _photograph(facts: Mapping[str, Any]) -> str:
    width, height = facts["size"]
    return f"The photograph has {width:,} × {height:,} pixels; all that follows is made from it alone."


def _face(facts: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    left, top, right, bottom = facts["face"]
    share = 100 * (right - left) / facts["size"][0]
    sure = f" with confidence {number(report['detector_confidence'])}" if "detector_confidence" in report else ""
    box = f"{number(right - left)} × {number(bottom - top)} pixels"
    return f"A face was found{sure}: {box}, {number(share)} % of the picture's width."


def _landmarks(facts: Mapping[str, Any], report: Mapping[str, Any], times: Mapping[str, float]) -> str:
    found = f"{count(facts['landmarks'], 'landmark')} were found on the face{_took(times, 'detect')}"
    outlying = report.get("outlying_landmarks")
    return _joined(found, "" if outlying is None else f"{outlying:,} of them fit no head well and count less") + "."


def _fit(facts: Mapping[str, Any], report: Mapping[str, Any], times: Mapping[str, float]) -> str:
    rounds = f", {count(report['fit_iterations'], 'iteration')}" if "fit_iterations" in report else ""
    first = f"Camera, head and expression were fitted to the landmarks{_took(times, 'fit')}{rounds}"
    if facts["face"] is None:
        first = f"The head, as the camera of the picture saw it{_took(times, 'fit')}"
    off = ""
    if "landmark_error_pixels" in report:
        off = f"the head's own points lie {number(report['landmark_error_pixels'])} pixels from them on average"
        if "landmark_error_percent_of_face_width" in report:
            off += f", {number(report['landmark_error_percent_of_face_width'])} % of the face's width"
    lens = report.get("focal_length_35mm")
    return _joined(first, off, f"the lens is one of {number(lens)} mm on film" if lens else "") + "."


def _texture(report: Mapping[str, Any], times: Mapping[str, float]) -> str:
    first = f"The photograph was projected onto the head{_took(times, 'texture')}"
    if "seen_fraction_of_skin" not in report:
        return f"{first}."
    seen = f"it shows {number(100 * report['seen_fraction_of_skin'])} % of the skin"
    if "seen_fraction_of_face" in report:
        seen += f" and {number(100 * report['seen_fraction_of_face'])} % of the face"
    return _joined(first, seen, "the rest is completed by symmetry and skin tone") + "."


def _head(facts: Mapping[str, Any]) -> str:
    counts = f"{count(facts['vertices'], 'vertex', 'vertices')}, {count(facts['faces'], 'triangle')}"
    return f"The head has {counts} and {count(len(facts['morphs']), 'expression')}"


def words(name: str) -> str:
    """A morph's name as words: "mouthSmileLeft" is "mouth smile left"."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()


def expression_words(strongest: tuple[str, float] | None, moved: float) -> str:
    """How the expression is told: the strongest morph, and how far the farthest vertex has moved (metres)."""
    if strongest is None:
        return "all expressions are at 0"
    strong = f"the strongest is {words(strongest[0])} {number(strongest[1], 2)}"
    return f"{strong}, and the expression moves vertices by up to {length(moved)}"


def slice_words(axis: str, position: float, span: tuple[float, float]) -> str:
    """Where the slice is, and which values it has."""
    least, greatest = (length(value) for value in span)
    return f"The signed distance of the head on the plane {axis} = {length(position)} runs from {least} to {greatest}"


def cursor_words(cursor: tuple[float, float, float] | None, distance: float | None) -> str:
    """The distance at the cursor."""
    if cursor is None:
        return "a click on the slice tells it at a place"
    place = ", ".join(number(value) for value in cursor)
    if distance is None:
        return f"the cursor ({place}) m lies outside of the samples"
    side = "inside" if distance < 0 else "outside"
    return f"at the cursor ({place}) m it is {length(distance)}, {side}"
