"""What the window is about: the session, the brush, what is chosen and how it is shown. Widgets read it and listen."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, Signal

from headviz.errors import HeadvizError
from headviz.geometry.rbf import alpha_of_radius
from headviz.sculpt import Brush, Keypoint, SculptSession, SetKeypoints, Step

#: Tools in the order of the bar and of the digits that choose them; ``keypoint`` is no brush.
TOOLS = ("grab", "inflate", "smooth", "flatten", "pinch", "mask", "keypoint")
_MOST_RADIUS, _LEAST_RADIUS = 0.75, 0.004  # of the head's size


@dataclass(frozen=True)
class View:
    """How the head is shown.

    Attributes:
        shading: "skin", "matcap", "texture" or "heat".
        wireframe: whether edges are drawn.
        plane: whether the plane of symmetry is drawn.
        keypoints: whether keypoints are drawn.
        theme: "system", "light" or "dark".
    """

    shading: str = "skin"
    wireframe: bool = False
    plane: bool = False
    keypoints: bool = True
    theme: str = "system"


class Workspace(QObject):
    """One session and all that a person has set; every widget listens to its signals.

    Signals:
        opened: there is another session.
        changed: the session has changed; its Change is given.
        brush_changed, view_changed, chosen: tool or brush, view, or the chosen keypoint.
        said: a sentence for the status bar.
        failed: a sentence for a person to confirm.
    """

    opened = Signal()
    changed = Signal(object)
    brush_changed = Signal()
    view_changed = Signal()
    chosen = Signal()
    said = Signal(str)
    failed = Signal(str)

    def __init__(self, session: SculptSession) -> None:
        super().__init__()
        self.tool = "grab"
        self.view = View()
        self.choice: int | None = None
        self.kernel = "gaussian"
        self._strengths = {"grab": 1.0, "inflate": 0.5, "smooth": 0.5, "flatten": 0.5, "pinch": 0.5, "mask": 1.0}
        self._leave: Callable[[], None] | None = None
        self._settlers: list[Callable[[], None]] = []
        self.session = session
        self._take(session)

    def open(self, session: SculptSession) -> None:
        """Work on another session."""
        self.settle()
        self._take(session)
        self.opened.emit()

    def on_settle(self, settler: Callable[[], None]) -> None:
        """Call this before anything else changes the session, so that what a widget holds open is finished."""
        self._settlers.append(settler)

    def settle(self) -> None:
        """Finish what is going on, such as a slider's movement."""
        for settler in self._settlers:
            settler()

    def _take(self, session: SculptSession) -> None:
        if self._leave is not None:
            self._leave()
        self.session, self.choice, self._found = session, None, (-1, (math.nan, math.nan))
        size = float(session.surface.size)
        self.brush = Brush(tool="grab", radius=0.12 * size, strength=1.0)
        if self.tool != "keypoint":
            self.brush = replace(self.brush, tool=self.tool, strength=self._strengths[self.tool])
        self._leave = session.subscribe(self._heard)

    def _heard(self, change: Any) -> None:
        count = len(self.session.keypoints)
        if self.choice is not None and self.choice >= count:
            self.choice = count - 1 if count else None
        self.changed.emit(change)

    @property
    def residual(self) -> float:
        """The session's residual, found once per step: it takes milliseconds on a large mesh."""
        return self._residuals()[0]

    @property
    def sculpted_residual(self) -> float:
        """The residual of what was sculpted, without base and sliders; found once per step."""
        return self._residuals()[1]

    def _residuals(self) -> tuple[float, float]:
        session = self.session
        if session.live is None and self._found[0] != session.current:
            self._found = session.current, (float(session.residual), float(session.sculpted_residual))
        return self._found[1]

    # -- the brush

    def choose_tool(self, tool: str) -> None:
        """Work with another tool."""
        if tool == self.tool:
            return
        self._strengths[self.brush.tool] = self.brush.strength
        self.tool = tool
        if tool != "keypoint":
            self.brush = replace(self.brush, tool=tool, strength=self._strengths[tool])
        self.brush_changed.emit()

    def set_brush(self, **values: Any) -> None:
        """Change radius (kept between sensible bounds), strength, falloff, or what else a brush has."""
        if "radius" in values:
            size = float(self.session.surface.size)
            values["radius"] = float(np.clip(values["radius"], _LEAST_RADIUS * size, _MOST_RADIUS * size))
        if "strength" in values:
            values["strength"] = float(np.clip(values["strength"], 0.0, 2.0))
        made = replace(self.brush, **values)
        if made != self.brush:
            self.brush = made
            self.brush_changed.emit()

    # -- the view

    def set_view(self, **values: Any) -> None:
        """Change how the head is shown."""
        made = replace(self.view, **values)
        if made != self.view:
            self.view = made
            self.view_changed.emit()

    # -- steps

    def apply(self, step: Step) -> bool:
        """Do a step; a refusal is said, not raised. Whether it was done."""
        self.settle()
        try:
            self.session.apply(step)
        except HeadvizError as error:
            self.failed.emit(str(error))
            return False
        return True

    def undo(self) -> None:
        """Take the last step back."""
        self.settle()
        if self.session.live is not None:
            return
        text = self._text(self.session.current)
        self.said.emit(f"Undone: {text}" if self.session.undo() is not None else "There is nothing to undo")

    def redo(self) -> None:
        """Do the last step again that was taken back."""
        self.settle()
        if self.session.live is not None:
            return
        done = self.session.redo() is not None
        self.said.emit(f"Redone: {self._text(self.session.current)}" if done else "There is nothing to redo")

    def _text(self, entry: int) -> str:
        return next(one.text for one in self.session.history if one.id == entry)

    def go_to(self, entry: int) -> None:
        """Go to an entry of the history."""
        self.settle()
        if self.session.live is None and entry != self.session.current:
            self.session.goto(entry)

    # -- keypoints

    def choose(self, index: int | None) -> None:
        """Choose a keypoint, or none."""
        if index != self.choice:
            self.choice = index
            self.chosen.emit()

    def add_keypoint(self, face: int, weights: Any) -> None:
        """Place a keypoint on the surface; its width is the brush's radius."""
        a, b, c = (int(corner) for corner in self.session.surface.faces[face])
        u, v, w = (float(weight) for weight in weights)
        x, y, z = self.session.rest_point((a, b, c), (u, v, w))
        if self.brush.symmetric and abs(x) < 0.01 * float(self.session.surface.size):
            x = 0.0  # near the plane, on the plane is meant
        alpha = float(alpha_of_radius(self.kernel, self.brush.radius))
        made = Keypoint((x, y, z), kernel=self.kernel, alpha=alpha, symmetric=self.brush.symmetric)
        if self.apply(SetKeypoints((*self.session.keypoints, made), self.session.exact)):
            self.choose(len(self.session.keypoints) - 1)
            self.said.emit(f"Keypoint {len(self.session.keypoints)} placed: drag it, and the surface follows")

    def edit_keypoint(self, index: int, **values: Any) -> None:
        """Change values of a keypoint as one step."""
        points = list(self.session.keypoints)
        try:
            points[index] = replace(points[index], **values)
        except HeadvizError as error:
            self.failed.emit(str(error))
            return
        if points[index] != self.session.keypoints[index]:
            self.apply(SetKeypoints(tuple(points), self.session.exact))

    def remove_keypoint(self, index: int) -> None:
        """Remove a keypoint and what it has moved."""
        points = [point for k, point in enumerate(self.session.keypoints) if k != index]
        self.apply(SetKeypoints(tuple(points), self.session.exact))

    def set_exact(self, exact: bool) -> None:
        """Let vectors be solved for that move each keypoint by exactly its own, or blend them."""
        if exact != self.session.exact:
            self.apply(SetKeypoints(self.session.keypoints, exact))
