"""Small widgets that several panels share: a slider with its number, captions, buttons with icons."""

from __future__ import annotations

import math
from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QPointF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QHBoxLayout, QLabel, QSlider, QToolButton, QWidget

from headviz.viewers import look
from headviz_apps.sculpt.icons import icon
from headviz_apps.sculpt.look import GRID, Theme

_STEPS = 1000


class NoWheel(QObject):
    """Lets the wheel scroll the panel instead of changing a number by accident."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 -- Qt's name
        """Pass the wheel on unless the widget has the focus."""
        if isinstance(event, QWheelEvent) and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return False


class NumberSlider(QWidget):
    """A slider and a field for the same number.

    Args:
        low, high: its range.
        decimals: of the field.
        suffix: unit of the field.
        logarithmic: whether equal ways of the slider are equal factors.

    Signals:
        moved: a person has changed the number; it is given.
        settled: a person has let the slider go, or has left the field.
    """

    moved = Signal(float)
    settled = Signal()

    def __init__(
        self, low: float, high: float, *, decimals: int = 2, suffix: str = "", logarithmic: bool = False, wide: int = 76
    ) -> None:
        super().__init__()
        self._low, self._high, self._logarithmic = low, high, logarithmic
        self.slider, self.field = QSlider(Qt.Orientation.Horizontal), QDoubleSpinBox()
        self.slider.setRange(0, _STEPS)
        self.slider.setMinimumWidth(56)
        self.field.setRange(low, high)
        self.field.setDecimals(decimals)
        self.field.setSuffix(suffix)
        self.field.setSingleStep(10.0**-decimals * (5 if decimals else 1))
        self.field.setFixedWidth(wide)
        self.field.setKeyboardTracking(False)
        self.field.lineEdit().setTextMargins(6, 0, 2, 0)
        self.slider.setProperty("plain", low < 0)  # filled up to its value only where it begins at 0
        self.field.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.slider.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._filter = NoWheel(self)
        self.field.installEventFilter(self._filter)
        self.slider.installEventFilter(self._filter)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        row.addWidget(self.slider, 1)
        row.addWidget(self.field)
        self.slider.valueChanged.connect(self._slid)
        self.slider.sliderReleased.connect(self.settled)
        self.field.valueChanged.connect(self._typed)
        self.field.editingFinished.connect(self.settled)

    def name(self, text: str, tip: str = "") -> None:
        """Say what the number is, to those who listen to the screen and to those who point at it."""
        for widget in (self.slider, self.field):
            widget.setAccessibleName(text)
            widget.setToolTip(tip or text)

    def set_range(self, low: float, high: float) -> None:
        """Give it another range."""
        self._low, self._high = low, high
        for widget in (self.slider, self.field):
            widget.blockSignals(True)
        self.field.setRange(low, high)
        for widget in (self.slider, self.field):
            widget.blockSignals(False)

    def set_value(self, value: float) -> None:
        """Show a number without telling anybody."""
        for widget in (self.slider, self.field):
            widget.blockSignals(True)
        if not self.slider.isSliderDown():
            self.slider.setValue(self._place(value))
        if not self.field.hasFocus() or abs(self.field.value() - value) > 10.0 ** -self.field.decimals():
            self.field.setValue(value)
        for widget in (self.slider, self.field):
            widget.blockSignals(False)

    def _place(self, value: float) -> int:
        value = min(max(value, self._low), self._high)
        if self._logarithmic:
            return round(_STEPS * math.log(value / self._low) / math.log(self._high / self._low))
        return round(_STEPS * (value - self._low) / (self._high - self._low))

    def _slid(self, place: int) -> None:
        part = place / _STEPS
        if self._logarithmic:
            value = self._low * (self._high / self._low) ** part
        else:
            value = self._low + part * (self._high - self._low)
        self.field.blockSignals(True)
        self.field.setValue(value)
        self.field.blockSignals(False)
        self.moved.emit(value)

    def _typed(self, value: float) -> None:
        self.slider.blockSignals(True)
        self.slider.setValue(self._place(value))
        self.slider.blockSignals(False)
        self.moved.emit(value)


class Choice(QComboBox):
    """A box to choose one of several from, with an arrow in the theme's colour, which style sheets cannot draw.

    Args:
        name: what is chosen.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._filter = NoWheel(self)
        self.installEventFilter(self._filter)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 -- Qt's name
        """Draw it and its arrow."""
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self.palette().color(self.foregroundRole()), 1.6))
        x, y = self.width() - 16.0, self.height() / 2
        painter.drawPolyline([QPointF(x - 4, y - 2), QPointF(x, y + 2), QPointF(x + 4, y - 2)])
        painter.end()


def caption(text: str, role: str = "soft") -> QLabel:
    """Words beside a control ("soft"), above a group ("title"), or large."""
    label = QLabel(text)
    label.setProperty("role", role)
    return label


class IconButton(QToolButton):
    """A button with one of our icons, which follows the theme.

    Args:
        name: of the icon.
        tip: what it does and its key.
        checkable: whether it stays down.
    """

    def __init__(self, name: str, tip: str, *, checkable: bool = False, size: int = 36) -> None:
        super().__init__()
        self._name = name
        self.setCheckable(checkable)
        self.setToolTip(tip)
        self.setAccessibleName(tip.split("\n", maxsplit=1)[0].split(" (", maxsplit=1)[0])
        self.setIconSize(QSize(24, 24))
        self.setFixedSize(size, size)

    def restyle(self, theme: Theme) -> None:
        """Draw its icon in the theme's colours."""
        self.setIcon(icon(self._name, theme.ink, theme.on_accent))


def millimetres(value: float) -> str:
    """A length as sculptors read it; metres are given."""
    return f"{look.number(1000 * value)} mm"


def quietly(widget: QObject, action: Callable[[], None]) -> None:
    """Change a widget without its signals."""
    blocked = widget.blockSignals(True)
    try:
        action()
    finally:
        widget.blockSignals(blocked)
