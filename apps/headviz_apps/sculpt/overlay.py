"""What Qt draws over the head: brush ring and mirror ring, keypoints with their arrows and twins, the reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Shaped
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from headviz.viewers import look
from headviz_apps.sculpt.widgets import millimetres

if TYPE_CHECKING:
    from headviz_apps.sculpt.canvas import Canvas, Hit

_AROUND = np.linspace(0, 2 * np.pi, 64, endpoint=False)
_MIRROR = np.array([-1.0, 1.0, 1.0])
DOT = 5.5  #: radius of a keypoint's dot, pixels


class Overlay:
    """Draws over the canvas.

    Args:
        canvas: the canvas.

    Attributes:
        hidden: whether nothing is drawn, for pictures of the head alone.
    """

    def __init__(self, canvas: Canvas) -> None:
        self.canvas, self.hidden = canvas, False

    def draw(self, painter: QPainter) -> None:
        """Draw all that is to be seen now."""
        if self.hidden:
            return
        self._reference(painter)
        if self.canvas.workspace.view.keypoints:
            self._keypoints(painter)
        pointer = self.canvas.pointer
        if pointer.resize is not None:
            self._resizing(painter)
        elif pointer.hover is not None and not self.canvas.reference.moving:
            self._rings(painter, *pointer.hover)

    def _reference(self, painter: QPainter) -> None:
        reference = self.canvas.reference
        if not (reference.exists and reference.shown):
            return
        where = reference.rectangle(self.canvas.width(), self.canvas.height())
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setOpacity(reference.opacity)
        painter.drawImage(where, reference.image)
        painter.setOpacity(1.0)
        if reference.moving:
            painter.setPen(QPen(QColor(look.CURRENT), 2, Qt.PenStyle.DashLine))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(where)
            self._label(painter, "Drag moves, wheel scales, Esc ends", QPointF(where.center().x(), where.top() + 24))

    # -- rings

    def _rings(self, painter: QPainter, x: float, y: float) -> None:
        pointer, workspace = self.canvas.pointer, self.canvas.workspace
        hit = pointer.held or self.canvas.pick(x, y)
        if hit is None:
            return
        if workspace.tool == "keypoint":
            if pointer.near_keypoint(x, y) is None and pointer.live is None:
                self._ring(painter, hit.point, hit.normal, workspace.brush.radius, faint=True)
            return
        radius = workspace.brush.radius
        self._ring(painter, hit.point, hit.normal, radius)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(look.CURRENT))
        painter.drawEllipse(self._pixel(hit.point), 2.5, 2.5)
        if workspace.brush.symmetric:
            twin, normal = self.twin_of(hit)
            self._ring(painter, twin, normal, radius, faint=True, hidden=self._is_hidden(twin, radius))

    def twin_of(self, hit: Hit) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
        """Place and normal on the other side: the twin vertex's where the head is not symmetric in space."""
        session = self.canvas.workspace.session
        mirror = session.surface.mirror
        if mirror is not None and not self.canvas.workspace.residual < 1e-3:
            away = session.positions - hit.point.astype(np.float32)
            nearest = int(np.einsum("ij,ij->i", away, away).argmin())
            twin = int(mirror[nearest])
            offset = (hit.point - session.positions[nearest]) * _MIRROR
            return session.positions[twin] + offset, session.normals[twin].astype(np.float64)
        return hit.point * _MIRROR, hit.normal * _MIRROR

    def _ring(
        self,
        painter: QPainter,
        center: Shaped[np.ndarray, "3"],
        normal: Shaped[np.ndarray, "3"],
        radius: float,
        *,
        faint: bool = False,
        hidden: bool = False,
    ) -> None:
        aside = np.cross(normal, [0.0, 1.0, 0.0] if abs(normal[1]) < 0.9 else [1.0, 0.0, 0.0])
        aside /= np.linalg.norm(aside)
        other = np.cross(normal, aside)
        circle = center + radius * (np.cos(_AROUND)[:, None] * aside + np.sin(_AROUND)[:, None] * other)
        polygon = QPolygonF([QPointF(x, y) for x, y, _ in self.canvas.camera_now.project(circle)])
        painter.setBrush(Qt.BrushStyle.NoBrush)
        halo, color = QColor("#ffffff"), QColor(look.CURRENT)
        halo.setAlphaF(0.25 if faint else 0.6)
        color.setAlphaF(0.35 if hidden else 0.7 if faint else 1.0)
        style = Qt.PenStyle.DashLine if faint else Qt.PenStyle.SolidLine
        if not faint:
            painter.setPen(QPen(halo, 4))
            painter.drawPolygon(polygon)
        painter.setPen(QPen(color, 2, style))
        painter.drawPolygon(polygon)

    def _resizing(self, painter: QPainter) -> None:
        """The circle of F and Shift-F, around where the mouse was."""
        resize = self.canvas.pointer.resize
        assert resize is not None
        brush = self.canvas.workspace.brush
        center = QPointF(*resize.center)
        fill = QColor(look.CURRENT)
        fill.setAlphaF(0.12 if resize.what == "radius" else 0.08 + 0.2 * min(1.0, brush.strength))
        painter.setPen(QPen(QColor(look.CURRENT), 2))
        painter.setBrush(fill)
        around = brush.radius / resize.scale if resize.what == "radius" else 80.0
        painter.drawEllipse(center, around, around)
        if resize.what == "strength":
            inner = 80.0 * min(1.0, brush.strength / 2)
            painter.drawEllipse(center, inner, inner)
        text = f"radius {millimetres(brush.radius)}" if resize.what == "radius" else f"strength {brush.strength:.2f}"
        self._label(painter, text, center)

    # -- keypoints

    def _keypoints(self, painter: QPainter) -> None:
        workspace = self.canvas.workspace
        points = workspace.session.keypoints
        if not points:
            return
        places = np.asarray(workspace.session.keypoint_positions(), dtype=np.float64)
        for index, (point, place) in enumerate(zip(points, places, strict=True)):
            chosen = index == workspace.choice
            vector = np.asarray(point.vector) * point.strength
            if point.symmetric and abs(point.position[0]) > 1e-9:
                self._keypoint(painter, place * _MIRROR, vector * _MIRROR, chosen=chosen, twin=True)
            self._keypoint(painter, place, vector, chosen=chosen, label=str(index + 1))

    def _keypoint(
        self,
        painter: QPainter,
        place: Float[np.ndarray, "3"],
        vector: Float[np.ndarray, "3"],
        *,
        chosen: bool,
        twin: bool = False,
        label: str = "",
    ) -> None:
        at = self._pixel(place)
        color = QColor(look.CURRENT if chosen else look.INSIDE)
        if self._is_hidden(place, 0.0):
            color.setAlphaF(0.4)
        if np.linalg.norm(vector) > 1e-9:
            self._arrow(painter, self._pixel(place - vector), at, color)
        painter.setPen(QPen(QColor("#ffffff"), 1.5) if not twin else QPen(color, 2))
        painter.setBrush(QColor("#ffffff") if twin else color)
        radius = DOT + 1.5 if chosen and not twin else DOT if not twin else DOT - 1.5
        painter.drawEllipse(at, radius, radius)
        if label and chosen:
            self._label(painter, f"keypoint {label}", at + QPointF(58, 0))

    def _arrow(self, painter: QPainter, start: QPointF, end: QPointF, color: QColor) -> None:
        """From where the point would be without its own vector to where it is."""
        way = end - start
        length = (way.x() ** 2 + way.y() ** 2) ** 0.5
        if length < 3:
            return
        painter.setPen(QPen(color, 2))
        painter.drawLine(start, end)
        painter.drawEllipse(start, 1.5, 1.5)

    def _is_hidden(self, place: Shaped[np.ndarray, "3"], slack: float) -> bool:
        x, y, depth = self.canvas.camera_now.project(place)
        size = float(self.canvas.workspace.session.surface.size)
        return bool(self.canvas.depth_at(float(x), float(y)) < depth - max(0.02 * size, 0.3 * slack))

    def _pixel(self, place: Shaped[np.ndarray, "3"]) -> QPointF:
        x, y, _ = self.canvas.camera_now.project(place)
        return QPointF(float(x), float(y))

    def _label(self, painter: QPainter, text: str, middle: QPointF) -> None:
        """Words on a small plate."""
        theme, metrics = self.canvas.appearance, painter.fontMetrics()
        wide = metrics.horizontalAdvance(text) + 16
        box = QRectF(middle.x() - wide / 2, middle.y() - 12, wide, 24)
        plate = QColor(theme.chrome)
        plate.setAlphaF(0.92)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(plate)
        painter.drawRoundedRect(box, 6, 6)
        painter.setPen(QColor(theme.ink))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
