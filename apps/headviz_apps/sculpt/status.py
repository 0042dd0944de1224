"""The status bar and the legend of the heat map: numbers, and one sentence about what was done last."""

from __future__ import annotations

import math
import time
from collections import deque
from statistics import median
from typing import Any

import numpy as np
from PySide6.QtCore import QRectF, Qt, QTimer
from PySide6.QtGui import QColor, QLinearGradient, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QSizePolicy, QStatusBar, QWidget

from headviz.sculpt import SetSliders
from headviz.viewers import look
from headviz_apps.sculpt.canvas import Canvas
from headviz_apps.sculpt.look import GRID
from headviz_apps.sculpt.widgets import caption, millimetres
from headviz_apps.sculpt.workspace import Workspace

_KEPT = 20  #: updates whose median is shown
_SYMMETRIC = 1e-6  #: a larger residual is the base's or the sliders', or symmetry was off
_WIDE = 1100  #: pixels, from which on there is room for all numbers
_SAID = 6.0  #: seconds that a sentence stays


class StatusBar(QStatusBar):
    """Left what was done or is being done, right the numbers of the head and of the machine."""

    def __init__(self, workspace: Workspace, canvas: Canvas) -> None:
        super().__init__()
        self.workspace, self.canvas = workspace, canvas
        self.setSizeGripEnabled(False)
        self.setFixedHeight(32)
        self.sentence = QLabel()
        self.sentence.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.sentence.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)  # the numbers come first
        self.numbers = QLabel()
        self.numbers.setProperty("role", "soft")
        self.numbers.setContentsMargins(0, 0, 2 * GRID, 0)
        self.progress = QProgressBar()
        self.progress.setRange(0, 0)
        self.progress.setFixedWidth(96)
        self.progress.setTextVisible(False)
        self.progress.hide()
        self.sentence.setContentsMargins(2 * GRID, 0, 0, 0)
        self.addWidget(self.sentence, 1)
        self.addPermanentWidget(self.progress)
        self.addPermanentWidget(self.numbers)
        self._updates: deque[float] = deque(maxlen=_KEPT)
        self._said_until = 0.0
        self._working = ""
        workspace.changed.connect(self._changed)
        workspace.opened.connect(self._opened)
        workspace.said.connect(self.say)
        self._timer = QTimer(self)
        self._timer.setInterval(250)
        self._timer.timeout.connect(self.refresh)
        self._timer.start()
        self.refresh()

    def say(self, text: str) -> None:
        """Show a sentence for some seconds."""
        self._said_until = time.monotonic() + _SAID
        self.sentence.setText(text)

    def work(self, doing: str) -> None:
        """Show what takes a while; nothing ends it."""
        self._working = doing
        self.progress.setVisible(bool(doing))
        if doing:
            self.sentence.setText(f"{doing}…")
        else:
            self.refresh()

    def _changed(self, change: Any) -> None:
        if change.what == "history":
            self._said_until = 0.0
            self.refresh()
        elif change.milliseconds:
            self._updates.append(change.milliseconds)

    def _opened(self) -> None:
        self._updates.clear()
        self.refresh()

    def refresh(self) -> None:
        """Bring sentence and numbers up to date."""
        if not self._working and time.monotonic() > self._said_until and self.workspace.session.live is None:
            self.sentence.setText(sentence_of(self.workspace))
        self.numbers.setText(self._numbers())

    def _numbers(self) -> str:
        session = self.workspace.session
        parts = [look.count(len(session.positions), "vertex", "vertices")]
        rate = self.canvas.frames_per_second
        if self._updates:
            spent = median(self._updates)
            fits = rate and self.width() >= _WIDE
            share = f" ({look.number(100 * spent * rate / 1000, 2)} % of a frame)" if fits else ""
            parts.append(f"{look.number(spent, 2)} ms/update{share}")
        residual = self.workspace.residual
        own = f" ({scientific(self.workspace.sculpted_residual)} sculpted)" if residual > _SYMMETRIC else ""
        parts.append("no mirror map" if math.isnan(residual) else f"residual {scientific(residual)}{own}")
        if rate:
            parts.append(f"{round(rate)} fps")
        self.numbers.setToolTip(
            "Time of the last updates of positions and normals, and their share of a drawn frame.\n"
            "Residual: how far the head is from its mirror image, in sizes of the head;\n"
            "sculpted: what strokes and keypoints have added to it, without base and sliders."
        )
        return "  ·  ".join(parts)


def scientific(value: float) -> str:
    """A residual as people read it: 0, or one digit and a power of ten."""
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.0e}".split("e")
    return f"{mantissa}e{'−' if int(exponent) < 0 else ''}{abs(int(exponent))}"


def sentence_of(workspace: Workspace) -> str:
    """What was done last, with its numbers."""
    session = workspace.session
    entry = next(one for one in session.history if one.id == session.current)
    if entry.step is None:
        return "Drag on the head to sculpt it, beside it to turn it; F1 lists the keys"
    number = [one.id for one in session.history].index(entry.id)
    delta = session.log.delta(entry.id)
    begin = f"Step {number}, {entry.text}"
    if isinstance(entry.step, SetSliders) or delta is None or delta.positions is None:
        masked = int((session.mask > 0).sum())
        return f"{begin}: {look.count(masked, 'vertex', 'vertices')} masked" if masked else begin
    where: Any = slice(None) if delta.indices is None else delta.indices
    moved = np.linalg.norm(session.positions[where] - delta.positions, axis=1)
    count = int((moved > 1e-6 * float(session.surface.size)).sum())  # less is rounding
    if not count:
        return f"{begin}: nothing moved"
    return f"{begin}: {look.count(count, 'vertex', 'vertices')} moved by at most {millimetres(float(moved.max()))}"


class Legend(QFrame):
    """The heat map's colours, with their numbers and unit; hidden without a heat map."""

    def __init__(self, workspace: Workspace, canvas: Canvas) -> None:
        super().__init__()
        self.setObjectName("legend")
        self.workspace, self.canvas = workspace, canvas
        self.setFixedHeight(40)
        row = QHBoxLayout(self)
        row.setContentsMargins(2 * GRID, 0, 2 * GRID, 0)
        row.setSpacing(GRID)
        self.low, self.high = caption("0 mm"), caption("")
        self.text = QLabel()
        self.text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        row.addWidget(QLabel("Displacement"))
        row.addWidget(self.low)
        row.addWidget(_Gradient(), 2)
        row.addWidget(self.high)
        row.addSpacing(2 * GRID)
        row.addWidget(self.text, 3)
        for signal in (workspace.changed, workspace.view_changed, workspace.opened):
            signal.connect(self.refresh)
        self.refresh()

    def refresh(self, _: Any = None) -> None:
        """Show the scale as it is."""
        shown = self.workspace.view.shading == "heat"
        self.setVisible(shown)
        if not shown:
            return
        self.high.setText(millimetres(self.canvas.scene.scale))
        if self.workspace.session.live is None:
            session = self.workspace.session
            moved = np.linalg.norm(session.positions - session.surface.rest, axis=1)
            away, most = int((moved > 0).sum()), float(moved.max())
            self.text.setText(
                f"{look.count(away, 'vertex', 'vertices')} displaced, by at most {millimetres(most)}"
                if away
                else "Nothing is displaced yet"
            )


class _Gradient(QWidget):
    """viridis, from left to right."""

    def __init__(self) -> None:
        super().__init__()
        self.setMinimumWidth(64)
        self.setMaximumWidth(160)
        self.setFixedHeight(12)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002, N802 -- Qt's name
        """Draw it."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        gradient = QLinearGradient(0, 0, self.width(), 0)
        for place, color in zip(np.linspace(0, 1, 17), look.sequential()[:: 255 // 16][:17], strict=True):
            gradient.setColorAt(float(place), QColor(*(int(value) for value in color)))
        painter.setBrush(gradient)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.drawRoundedRect(QRectF(self.rect()), 3, 3)
        painter.end()
