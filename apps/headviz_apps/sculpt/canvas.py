"""The canvas: VTK draws the head, Qt draws rings, keypoints and the reference picture over it."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, UInt8
from PySide6.QtCore import QCoreApplication, QEvent, QRect, Qt
from PySide6.QtGui import QImage, QKeyEvent, QMouseEvent, QPainter, QWheelEvent
from pyvistaqt import QtInteractor

from headviz_apps.sculpt.camera import VIEWS, Camera
from headviz_apps.sculpt.look import LIGHT, Theme
from headviz_apps.sculpt.overlay import Overlay
from headviz_apps.sculpt.pointer import Pointer
from headviz_apps.sculpt.reference import Reference
from headviz_apps.sculpt.scene import Scene

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from headviz_apps.sculpt.workspace import Workspace

_FAR = 1.0 - 1e-6  # a depth from here on is the background
_WINDOW = 3  # pixels to each side that a normal is found from


@dataclass(frozen=True, eq=False)
class Hit:
    """Where the surface is under a pixel.

    Attributes:
        point: metres, shape (3,).
        normal: towards the eye, shape (3,).
        depth: metres along the view.
    """

    point: Float[np.ndarray, "3"]
    normal: Float[np.ndarray, "3"]
    depth: float


def is_software() -> bool:
    """Whether the processor draws, as on a virtual screen; :func:`headviz_apps.sculpt.start.application` finds out."""
    running = QCoreApplication.instance()
    return running is not None and bool(running.property("software"))


class Canvas(QtInteractor):
    """The view of the head. It draws only when something has changed, and never twice for one frame.

    Args:
        workspace: what to show.
        parent: the widget it lies in.
    """

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        self._ready = False
        software = is_software()
        super().__init__(parent, auto_update=False, multi_samples=0 if software else 4)
        self.renderer.SetUseFXAA(software)  # where the processor draws, four samples per pixel take three times as long
        self.setAcceptDrops(False)  # the window takes what is dropped
        self.setObjectName("canvas")
        self.setAccessibleName("Head")
        self.setMinimumSize(320, 240)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.workspace, self.appearance = workspace, LIGHT
        self.scene = Scene(self.renderer)
        self.camera_now, self._range = Camera(), (0.01, 10.0)
        self.reference = Reference()
        self.pointer = Pointer(self)
        self.overlay = Overlay(self)
        self.frames: deque[float] = deque(maxlen=30)
        self._last_frame = 0.0
        self._dirty = True
        self._ready = True
        workspace.opened.connect(self.open)
        workspace.changed.connect(self._changed)
        workspace.view_changed.connect(self.restyle)
        for signal in (workspace.brush_changed, workspace.chosen):
            signal.connect(self.update)
        self.open()

    # -- what is shown

    def open(self) -> None:
        """Show the session that the workspace has now, from the front."""
        session = self.workspace.session
        self.pointer.forget()
        self.scene.show(session)
        points = session.positions
        self.camera_now = self.camera_now.looking(20.0, 6.0).framed(points.min(axis=0), points.max(axis=0))
        self.restyle()

    def set_theme(self, theme: Theme) -> None:
        """Draw in light or dark."""
        self.appearance = theme
        self.restyle()

    def restyle(self) -> None:
        """Shading, edges, plane and colours as the workspace has them."""
        view = self.workspace.view
        self.scene.style(self.appearance, shading=view.shading, wireframe=view.wireframe, plane=view.plane)
        self.redraw()

    def redraw(self) -> None:
        """Draw the head anew with the next frame."""
        self._dirty = True
        self.update()

    def _changed(self, change: Any) -> None:
        self.scene.update(change.indices)
        self.redraw()

    # -- the camera

    def look(self, camera: Camera) -> None:
        """Look through another camera."""
        self.camera_now = camera
        self.redraw()

    def look_from(self, name: str) -> None:
        """Look from a named side; see :data:`headviz_apps.sculpt.camera.VIEWS`."""
        self.look(self.camera_now.looking(*VIEWS[name]))

    def frame(self) -> None:
        """Bring the whole head into view."""
        self.scene.measure()
        points = self.workspace.session.positions
        self.look(self.camera_now.framed(points.min(axis=0), points.max(axis=0)))

    def zoom(self, steps: float) -> None:
        """Come nearer by some turns of the wheel."""
        size = float(self.workspace.session.surface.size)
        self.look(self.camera_now.zoomed(steps, 0.15 * size, 20 * size))

    # -- what is under a pixel

    def pick(self, x: float, y: float) -> Hit | None:
        """The surface under a pixel of the last frame, by its depth; ``None`` beside the head."""
        depths = self._depths(x, y)
        if depths is None:
            return None
        middle = depths[_WINDOW, _WINDOW]
        if not np.isfinite(middle):
            return None
        ratio = self.devicePixelRatioF()
        camera = self.camera_now

        def at(dx: int, dy: int) -> Float[np.ndarray, "3"] | None:
            value = depths[_WINDOW + dy, _WINDOW + dx]
            if not np.isfinite(value) or abs(value - middle) > 0.05 * middle:
                return None
            return camera.at_depth(x + dx / ratio, y - dy / ratio, float(value))

        point = camera.at_depth(x, y, float(middle))
        across = self._slope(at(_WINDOW, 0), at(-_WINDOW, 0), point)
        up = self._slope(at(0, _WINDOW), at(0, -_WINDOW), point)
        normal = np.cross(across, up) if across is not None and up is not None else camera.axes[2]
        length = float(np.linalg.norm(normal))
        return Hit(point, normal / length if length > 0 else camera.axes[2], float(middle))

    def _slope(
        self, one: Float[np.ndarray, "3"] | None, other: Float[np.ndarray, "3"] | None, middle: Float[np.ndarray, "3"]
    ) -> Float[np.ndarray, "3"] | None:
        if one is None and other is None:
            return None
        return np.asarray((middle if one is None else one) - (middle if other is None else other))

    def depth_at(self, x: float, y: float) -> float:
        """Depth of what is drawn at a pixel, metres; infinite beside the head."""
        depths = self._depths(x, y)
        return np.inf if depths is None else float(depths[_WINDOW, _WINDOW])

    def _depths(self, x: float, y: float) -> Float[np.ndarray, "h w"] | None:
        """Depths around a pixel of the last frame, metres, lowest row first; infinite where there is no surface."""
        from vtkmodules.util.numpy_support import vtk_to_numpy
        from vtkmodules.vtkCommonCore import vtkFloatArray

        if not self.frames and not self._last_frame:
            return None
        ratio = self.devicePixelRatioF()
        window: Any = self.ren_win
        width, height = window.GetSize()
        column, row = int(x * ratio), height - 1 - int(y * ratio)
        if not (_WINDOW <= column < width - _WINDOW and _WINDOW <= row < height - _WINDOW):
            return None
        taken = vtkFloatArray()
        window.GetZbufferData(column - _WINDOW, row - _WINDOW, column + _WINDOW, row + _WINDOW, taken)
        buffer = vtk_to_numpy(taken)  # type: ignore[no-untyped-call]
        buffer = buffer.reshape(2 * _WINDOW + 1, -1).astype(np.float64)
        near, far = self._range
        with np.errstate(divide="ignore"):
            return np.where(buffer < _FAR, near * far / (far - buffer * (far - near)), np.inf)

    # -- Qt

    def paintGL(self) -> None:  # noqa: N802 -- Qt's name
        """Draw the head if it has changed, else show the last frame; then what lies over it."""
        if not self._ready:
            return
        started = time.perf_counter()
        if self._dirty:
            self._range = self.scene.aim(self.camera_now)
            self._dirty = False
            super().paintGL()  # type: ignore[no-untyped-call]
            interval = started - self._last_frame  # a longer one is a pause, not a slow frame
            self.frames.append(max(time.perf_counter() - started, interval if interval < 0.1 else 0.0))
            self._last_frame = started
        else:
            window: Any = self.ren_win
            state = window.GetState()
            state.Reset()
            state.Push()
            self.makeCurrent()
            ratio = self.devicePixelRatioF()
            whole = QRect(0, 0, round(self.width() * ratio), round(self.height() * ratio))
            self._blit(self.defaultFramebufferObject(), whole)  # type: ignore[no-untyped-call]
            state.Pop()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.overlay.draw(painter)
        painter.end()

    def resizeGL(self, width: int, height: int) -> None:  # noqa: N802 -- Qt's name
        """Keep pixels and camera together."""
        super().resizeGL(width, height)  # type: ignore[no-untyped-call]
        self.camera_now = replace(self.camera_now, width=max(1, self.width()), height=max(1, self.height()))
        self._dirty = True

    @property
    def frames_per_second(self) -> float:
        """Of the last frames, by what drawing took or by how soon they followed each other; 0 before the first."""
        return 1 / float(np.mean(self.frames)) if self.frames else 0.0

    def picture(self) -> UInt8[np.ndarray, "h w 3"]:
        """The head without rings and keypoints, 8-bit sRGB."""
        self.overlay.hidden = True
        try:
            self._dirty = True
            image = self.grabFramebuffer().convertToFormat(QImage.Format.Format_RGB888)
        finally:
            self.overlay.hidden = False
        row = np.frombuffer(image.constBits(), dtype=np.uint8).reshape(image.height(), image.bytesPerLine())
        return np.array(row[:, : 3 * image.width()]).reshape(image.height(), image.width(), 3)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 -- Qt's name
        """Begin to sculpt, or to turn."""
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        self.pointer.press(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 -- Qt's name
        """Go on."""
        self.pointer.move(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 -- Qt's name
        """End."""
        self.pointer.release(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802 -- Qt's name
        """Two quick strokes are two strokes."""
        self.pointer.press(event)

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802 -- Qt's name
        """Zoom, or scale the reference picture while it is being placed."""
        self.pointer.wheel(event.angleDelta().y() / 120, event.position().x(), event.position().y())

    def leaveEvent(self, event: QEvent) -> None:  # noqa: N802 -- Qt's name
        """The ring goes with the mouse."""
        self.pointer.leave()
        event.accept()

    def enterEvent(self, event: QEvent) -> None:  # noqa: N802 -- Qt's name
        """Keys are for the canvas while the mouse is over it, unless a person is typing elsewhere."""
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 -- Qt's name
        """Keys that end what is going on; all others belong to the window."""
        if not self.pointer.key(event.key()):
            event.ignore()

    def keyReleaseEvent(self, event: QKeyEvent) -> None:  # noqa: N802 -- Qt's name
        """Nothing: VTK's own keys mean other things."""
        event.ignore()
