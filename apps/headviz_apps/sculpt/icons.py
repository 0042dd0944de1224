"""The window's icons, drawn here: strokes of 1.7 on a field of 24."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPainterPath, QPen, QPixmap

_SIZE = 24


def icon(name: str, color: str, chosen: str | None = None) -> QIcon:
    """The icon of a tool or an action, in a colour, and in another one where it is checked."""
    made = QIcon()
    for scale in (1, 2, 3):
        made.addPixmap(_pixmap(name, color, scale), QIcon.Mode.Normal, QIcon.State.Off)
        if chosen is not None:
            made.addPixmap(_pixmap(name, chosen, scale), QIcon.Mode.Normal, QIcon.State.On)
    return made


def _pixmap(name: str, color: str, scale: int) -> QPixmap:
    pixmap = QPixmap(_SIZE * scale, _SIZE * scale)
    pixmap.setDevicePixelRatio(scale)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    pen = QPen(QColor(color), 1.7)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.setPen(pen)
    DRAW[name](painter, QColor(color))
    painter.end()
    return pixmap


def _line(painter: QPainter, *points: tuple[float, float]) -> None:
    painter.drawPolyline([QPointF(x, y) for x, y in points])


def _arrow(painter: QPainter, start: tuple[float, float], end: tuple[float, float], head: float = 3.5) -> None:
    (x0, y0), (x1, y1) = start, end
    length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
    ux, uy = (x1 - x0) / length, (y1 - y0) / length
    _line(painter, start, end)
    for side in (1, -1):
        _line(painter, end, (x1 - head * (ux + side * 0.8 * uy), y1 - head * (uy - side * 0.8 * ux)))


def _curve(
    painter: QPainter, start: tuple[float, float], *cubics: tuple[float, float, float, float, float, float]
) -> None:
    path = QPainterPath(QPointF(*start))
    for a, b, c, d, e, f in cubics:
        path.cubicTo(a, b, c, d, e, f)
    painter.drawPath(path)


def _hill(painter: QPainter, height: float) -> None:
    _curve(painter, (2.5, 18), (7, 18, 8.5, height, 12, height), (15.5, height, 17, 18, 21.5, 18))


def _grab(painter: QPainter, color: QColor) -> None:
    _curve(painter, (2.5, 19), (8, 19, 8, 12.5, 12.5, 9.5), (13, 13, 15, 19, 21.5, 19))
    _arrow(painter, (12.5, 9.5), (18.5, 4.5))
    _dot(painter, color, 12.5, 9.5, 1.9)


def _inflate(painter: QPainter, _: QColor) -> None:
    _hill(painter, 10)
    _arrow(painter, (12, 7.5), (12, 2.5), 3)
    _arrow(painter, (6, 10), (3.2, 6), 3)
    _arrow(painter, (18, 10), (20.8, 6), 3)


def _smooth(painter: QPainter, _: QColor) -> None:
    _line(painter, (2.5, 9), (6, 4.5), (9, 10), (12.5, 4.5), (15.5, 10), (18.5, 5.5), (21.5, 9))
    _curve(painter, (2.5, 18), (7, 14, 9.5, 20.5, 13, 17.5), (16, 15, 18, 16, 21.5, 17.5))


def _flatten(painter: QPainter, _: QColor) -> None:
    _line(painter, (2.5, 18.5), (6.5, 12), (17.5, 12), (21.5, 18.5))
    _arrow(painter, (12, 3.5), (12, 9.5), 3.2)


def _pinch(painter: QPainter, _: QColor) -> None:
    _curve(painter, (3, 18.5), (9.5, 18, 11.2, 14, 12, 9), (12.8, 14, 14.5, 18, 21, 18.5))
    _arrow(painter, (2.5, 8), (8.5, 8), 3.2)
    _arrow(painter, (21.5, 8), (15.5, 8), 3.2)


def _mask(painter: QPainter, color: QColor) -> None:
    painter.drawEllipse(QRectF(4, 4, 16, 16))
    half = QPainterPath(QPointF(12, 4))
    half.arcTo(QRectF(4, 4, 16, 16), 90, 180)
    half.closeSubpath()
    painter.fillPath(half, color)


def _keypoint(painter: QPainter, color: QColor) -> None:
    _dot(painter, color, 7.5, 15, 3.2)
    _arrow(painter, (9.8, 12.7), (19, 4), 4)
    painter.drawEllipse(QRectF(2.5, 10, 10, 10))


def _dot(painter: QPainter, color: QColor, x: float, y: float, radius: float) -> None:
    painter.setBrush(color)
    painter.drawEllipse(QPointF(x, y), radius, radius)
    painter.setBrush(Qt.BrushStyle.NoBrush)


def _symmetry(painter: QPainter, color: QColor) -> None:
    for y in (2.5, 8, 13.5, 19):
        _line(painter, (12, y), (12, y + 2.5))
    _line(painter, (8.5, 6), (3, 18), (8.5, 18), (8.5, 6))
    path = QPainterPath(QPointF(15.5, 6))
    for x, y in ((21, 18), (15.5, 18)):
        path.lineTo(x, y)
    path.closeSubpath()
    painter.fillPath(path, color)
    painter.drawPath(path)


def _undo(painter: QPainter, _: QColor) -> None:
    _curve(painter, (6, 9), (18, 6, 21, 12, 19, 18))
    _line(painter, (10, 4.5), (5, 9), (10.5, 12.5))


def _redo(painter: QPainter, color: QColor) -> None:
    painter.translate(24, 0)
    painter.scale(-1, 1)
    _undo(painter, color)


def _invert(painter: QPainter, _: QColor) -> None:
    painter.drawEllipse(QRectF(4, 4, 16, 16))
    _line(painter, (8, 12), (16, 12))


def _plane(painter: QPainter, _: QColor) -> None:
    _line(painter, (9, 8), (15, 3), (15, 16), (9, 21), (9, 8))
    _line(painter, (2.5, 12), (6, 12))
    _line(painter, (18, 12), (21.5, 12))


def _wireframe(painter: QPainter, _: QColor) -> None:
    _line(painter, (12, 3), (20.5, 8), (20.5, 16), (12, 21), (3.5, 16), (3.5, 8), (12, 3))
    for x, y in ((12, 3), (20.5, 16), (3.5, 16)):
        _line(painter, (12, 12), (x, y))


def _trash(painter: QPainter, _: QColor) -> None:
    _line(painter, (5, 7), (19, 7))
    _line(painter, (9.5, 7), (9.5, 4), (14.5, 4), (14.5, 7))
    _line(painter, (6.5, 7), (7.5, 20), (16.5, 20), (17.5, 7))


def _head(painter: QPainter, color: QColor) -> None:
    _curve(
        painter,
        (12, 3),
        (17, 3, 19, 7, 18.5, 11),
        (18, 16, 15, 21, 12, 21),
        (9, 21, 6, 16, 5.5, 11),
        (5, 7, 7, 3, 12, 3),
    )
    _dot(painter, color, 9.3, 11, 0.9)
    _dot(painter, color, 14.7, 11, 0.9)
    _curve(painter, (9.5, 16), (11, 17.2, 13, 17.2, 14.5, 16))


DRAW: dict[str, Callable[[QPainter, QColor], None]] = {
    "grab": _grab, "inflate": _inflate, "smooth": _smooth, "flatten": _flatten, "pinch": _pinch, "mask": _mask,
    "keypoint": _keypoint, "symmetry": _symmetry, "undo": _undo, "redo": _redo, "invert": _invert, "plane": _plane,
    "wireframe": _wireframe, "trash": _trash, "head": _head,
}  # fmt: skip
