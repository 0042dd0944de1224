"""What the mouse does on the canvas: sculpt on the head, turn beside it, drag keypoints, size the brush."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QMouseEvent

from headviz.errors import HeadvizError
from headviz.sculpt import Brush
from headviz_apps.sculpt.camera import hit_near
from headviz_apps.sculpt.overlay import DOT

if TYPE_CHECKING:
    from headviz_apps.sculpt.canvas import Canvas, Hit

_LEFT, _MIDDLE, _RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton, Qt.MouseButton.RightButton
_SHIFT, _CONTROL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier
_ALT = Qt.KeyboardModifier.AltModifier


@dataclass
class Resize:
    """Radius or strength being set with the mouse, as by F in Blender.

    Attributes:
        what: "radius" or "strength".
        center: of the circle, pixels.
        begin: the value before, for Esc.
        scale: metres per pixel at the centre.
        start: where the mouse was, pixels.
    """

    what: str
    center: tuple[float, float]
    begin: float
    scale: float
    start: tuple[float, float]


class Pointer:
    """The gestures of the canvas. One is going on at a time.

    Args:
        canvas: where the mouse is.

    Attributes:
        hover: where the mouse is, pixels; ``None`` outside.
        live: what the session holds while the button is down.
        held: the hit that a grab holds, so that its ring stays with it.
        resize: radius or strength being set.
    """

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas
        self.hover: tuple[float, float] | None = None
        self.live: Any = None
        self.held: Hit | None = None
        self.resize: Resize | None = None
        self._gesture = ""
        self._button: Qt.MouseButton = Qt.MouseButton.NoButton
        self._last = (0.0, 0.0)
        self._anchor: Float[np.ndarray, "3"] = np.zeros(3)
        self._vector: Float[np.ndarray, "3"] = np.zeros(3)
        self._factor = 1.0
        self._waiting: list[tuple[float, float]] = []
        self._timer = QTimer(canvas)
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self.flush)

    @property
    def busy(self) -> bool:
        """Whether something is going on that the history must not be changed under."""
        return self.live is not None

    def forget(self) -> None:
        """The session is another one: nothing goes on."""
        self.live, self.held, self.resize, self._gesture = None, None, None, ""
        self._waiting.clear()

    # -- events

    def press(self, event: QMouseEvent) -> None:
        """A button goes down."""
        x, y = event.position().x(), event.position().y()
        self.hover = self._last = (x, y)
        if self.resize is not None:
            self.end_resize(keep=event.button() == _LEFT)
            return
        if self._gesture:  # another button while one is down
            return
        self._button = event.button()
        modifiers = event.modifiers()
        if event.button() == _LEFT and not modifiers & _ALT:
            self._press_left(x, y, modifiers)
        elif event.button() == _RIGHT or (event.button() == _MIDDLE and modifiers & _SHIFT):
            self._gesture = "pan"
        elif event.button() == _MIDDLE and modifiers & _CONTROL:
            self._gesture = "dolly"
        elif event.button() in (_MIDDLE, _LEFT):
            self._gesture = "orbit"
        self._cursor()

    def move(self, event: QMouseEvent) -> None:
        """The mouse moves."""
        x, y = event.position().x(), event.position().y()
        dx, dy = x - self._last[0], y - self._last[1]
        self.hover = self._last = (x, y)
        canvas = self.canvas
        if self.resize is not None:
            self._go_on_resizing(x, y)
        elif self._gesture == "orbit":
            canvas.look(canvas.camera_now.orbited(dx, dy))
        elif self._gesture == "pan":
            canvas.look(canvas.camera_now.panned(dx, dy))
        elif self._gesture == "dolly":
            canvas.zoom(-dy / 20)
        elif self._gesture == "reference":
            canvas.reference.move(dx, dy, canvas.height())
        elif self.live is not None:
            self._waiting.append((x, y))
            if not self._timer.isActive():
                self._timer.start()
        canvas.update()

    def release(self, event: QMouseEvent) -> None:
        """A button goes up."""
        if event.button() != self._button:
            return
        self._gesture, self._button = "", Qt.MouseButton.NoButton
        if self.live is not None:
            self.flush()
            self.finish()
        self._cursor()
        self.canvas.update()

    def wheel(self, steps: float, x: float, y: float) -> None:
        """The wheel turns: nearer or farther, or the reference picture larger or smaller."""
        self.hover = (x, y)
        if self.canvas.reference.moving:
            self.canvas.reference.scale(steps)
            self.canvas.update()
        elif self.live is None:
            self.canvas.zoom(steps)

    def leave(self) -> None:
        """The mouse leaves the canvas."""
        if self.live is None and self.resize is None:
            self.hover = None
            self.canvas.update()

    def key(self, key: int) -> bool:
        """Escape and Return end what is going on; whether the key meant something."""
        escape, enter = key == Qt.Key.Key_Escape, key in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if self.resize is not None and (escape or enter):
            self.end_resize(keep=enter)
        elif self.live is not None and escape:
            self.cancel()
        elif self.canvas.reference.moving and (escape or enter):
            self.canvas.reference.moving = False
            self.canvas.workspace.view_changed.emit()
        else:
            return False
        self.canvas.update()
        return True

    # -- sculpting

    def _press_left(self, x: float, y: float, modifiers: Qt.KeyboardModifier) -> None:
        canvas, workspace = self.canvas, self.canvas.workspace
        if canvas.reference.moving:
            self._gesture = "reference"
            return
        if workspace.tool == "keypoint" and (index := self.near_keypoint(x, y)) is not None:
            self._take_keypoint(index)
            return
        hit = canvas.pick(x, y)
        if hit is None:
            self._gesture = "orbit"
            return
        if workspace.tool == "keypoint":
            self._place_keypoint(x, y, hit)
            return
        self._gesture = "stroke"
        brush = self.brush_for(modifiers)
        self._anchor = hit.point
        self.held = hit if brush.tool == "grab" else None
        self._begin(lambda: workspace.session.begin(brush, plain(hit.point)))

    def brush_for(self, modifiers: Qt.KeyboardModifier) -> Brush:
        """The brush with what Ctrl (inverts) and Shift (smooths) ask for."""
        brush = self.canvas.workspace.brush
        if modifiers & _SHIFT:
            return replace(brush, tool="smooth", strength=0.5, invert=False)
        if modifiers & _CONTROL:
            return replace(brush, invert=not brush.invert)
        return brush

    def _begin(self, begin: Any) -> None:
        self.canvas.workspace.settle()
        try:
            self.live = begin()
        except HeadvizError as error:
            self._gesture, self.held = "", None
            self.canvas.workspace.failed.emit(str(error))

    def flush(self) -> None:
        """Give the session the places that the mouse has been at since the last time."""
        waiting, self._waiting = self._waiting, []
        if self.live is None or not waiting:
            return
        canvas = self.canvas
        try:
            if self._gesture == "keypoint":
                moved = self._dragged(*waiting[-1]) / self._factor
                self.live.move(plain(self._vector + moved))
            elif self.held is not None:
                self.live.move(plain(self._anchor + self._dragged(*waiting[-1])))
            else:
                for x, y in waiting:
                    if (hit := canvas.pick(x, y)) is not None:
                        self.live.move(plain(hit.point))
        except HeadvizError as error:
            self.cancel()
            canvas.workspace.failed.emit(str(error))

    def _dragged(self, x: float, y: float) -> Float[np.ndarray, "3"]:
        """The mouse's way in the plane through the anchor that faces the eye, metres."""
        camera = self.canvas.camera_now
        depth = float(camera.project(self._anchor)[2])
        return np.asarray(camera.at_depth(x, y, depth) - self._anchor)

    def finish(self) -> None:
        """Make what went on a step."""
        live, self.live, self.held = self.live, None, None
        live.finish()
        self.canvas.scene.measure()

    def cancel(self) -> None:
        """Put back what went on."""
        live, self.live, self.held, self._gesture = self.live, None, None, ""
        self._waiting.clear()
        if live is not None:
            live.cancel()
            self.canvas.workspace.said.emit("Cancelled: nothing has changed")

    # -- keypoints

    def near_keypoint(self, x: float, y: float) -> int | None:
        """The keypoint under the mouse, the nearest to the eye where there are several."""
        workspace = self.canvas.workspace
        if not workspace.session.keypoints or not workspace.view.keypoints:
            return None
        places = self.canvas.camera_now.project(np.asarray(workspace.session.keypoint_positions(), dtype=np.float64))
        away = np.hypot(places[:, 0] - x, places[:, 1] - y)
        near = np.flatnonzero(away <= DOT + 5)
        return None if not len(near) else int(near[np.argmin(places[near, 2])])

    def _take_keypoint(self, index: int) -> None:
        session = self.canvas.workspace.session
        self.canvas.workspace.choose(index)
        place = np.asarray(session.keypoint_positions()[index], dtype=np.float64)
        camera = self.canvas.camera_now
        x, y = self._last
        self._anchor = camera.at_depth(x, y, float(camera.project(place)[2]))
        point = session.keypoints[index]
        self._vector = np.asarray(point.vector, dtype=np.float64)
        strength = 1.0 if session.exact else point.strength
        self._factor = strength if abs(strength) > 1e-3 else 1.0
        self._gesture = "keypoint"
        self._begin(lambda: session.begin_keypoint(index))

    def _place_keypoint(self, x: float, y: float, hit: Hit) -> None:
        workspace, camera = self.canvas.workspace, self.canvas.camera_now
        session = workspace.session
        reach = 4 * float(session.surface.edge)
        met = hit_near(camera.eye, camera.ray(x, y), session.positions, session.surface.faces, hit.point, reach)
        if met is not None:
            workspace.add_keypoint(*met)
            if workspace.choice is not None:
                self._take_keypoint(workspace.choice)

    # -- F and Shift-F

    def begin_resize(self, what: str) -> None:
        """Let the mouse set radius or strength: a click confirms, Esc takes back."""
        canvas = self.canvas
        if self.live is not None or (canvas.workspace.tool == "keypoint" and what == "strength"):
            return
        if self.hover is None:
            self.hover = (canvas.width() / 2, canvas.height() / 2)
        x, y = self.hover
        hit = canvas.pick(x, y)
        depth = hit.depth if hit is not None else canvas.camera_now.distance
        scale, brush = canvas.camera_now.metres_per_pixel(depth), canvas.workspace.brush
        begin = brush.radius if what == "radius" else brush.strength
        aside = brush.radius / scale if what == "radius" else 80.0 * brush.strength / 2
        self.resize = Resize(what, (x - aside, y), begin, scale, (x, y))
        canvas.workspace.said.emit(f"Move the mouse to set the {what}; click confirms, Esc takes back")
        canvas.update()

    def _go_on_resizing(self, x: float, y: float) -> None:
        assert self.resize is not None
        away = float(np.hypot(x - self.resize.center[0], y - self.resize.center[1]))
        if self.resize.what == "radius":
            self.canvas.workspace.set_brush(radius=max(away, 2) * self.resize.scale)
        else:
            self.canvas.workspace.set_brush(strength=round(away / 40.0, 2))

    def end_resize(self, *, keep: bool) -> None:
        """Confirm, or take back."""
        resize, self.resize = self.resize, None
        if resize is not None and not keep:
            self.canvas.workspace.set_brush(**{resize.what: resize.begin})
        self.canvas.update()

    def _cursor(self) -> None:
        shapes = {
            "orbit": Qt.CursorShape.ClosedHandCursor,
            "pan": Qt.CursorShape.SizeAllCursor,
            "reference": Qt.CursorShape.SizeAllCursor,
            "dolly": Qt.CursorShape.SizeVerCursor,
        }
        self.canvas.setCursor(shapes.get(self._gesture, Qt.CursorShape.ArrowCursor))


def plain(point: Float[np.ndarray, "3"]) -> tuple[float, float, float]:
    """A point as a session takes it."""
    return float(point[0]), float(point[1]), float(point[2])
