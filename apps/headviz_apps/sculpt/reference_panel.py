"""The panel of the reference picture: load, opacity, place."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QCheckBox, QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from headviz_apps.sculpt.canvas import Canvas
from headviz_apps.sculpt.look import GRID
from headviz_apps.sculpt.widgets import NumberSlider, caption


class ReferencePanel(QWidget):
    """What can be done with the picture over the head.

    Args:
        canvas: where it lies.
        load: asks for a file and loads it.
        likeness: makes the head like the face in a photograph.
    """

    def __init__(self, canvas: Canvas, load: Callable[[], None], likeness: Callable[[], None]) -> None:
        super().__init__()
        self.canvas = canvas
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, GRID)
        column.setSpacing(GRID)
        self.name = QLabel()
        self.name.setWordWrap(True)
        column.addWidget(self.name)
        row = QHBoxLayout()
        self.load, self.remove = QPushButton("Load picture…"), QPushButton("Remove")
        self.load.setToolTip("A photograph or a drawing to sculpt after; it can be dropped on the window too")
        row.addWidget(self.load, 1)
        row.addWidget(self.remove)
        column.addLayout(row)
        self.controls = QWidget()
        grid = QGridLayout(self.controls)
        grid.setContentsMargins(0, GRID, 0, 0)
        grid.setVerticalSpacing(GRID)
        self.opacity, self.tall = NumberSlider(0, 1, wide=56), NumberSlider(0.05, 5, logarithmic=True, wide=56)
        self.opacity.name("Opacity", "0 is invisible, 1 hides the head")
        self.tall.name("Size", "Height of the picture, 1 is as high as the canvas")
        for line, (text, control) in enumerate((("Opacity", self.opacity), ("Size", self.tall))):
            grid.addWidget(caption(text), line, 0)
            grid.addWidget(control, line, 1)
        self.shown = QCheckBox("Show it (R)")
        self.moving = QPushButton("Move with the mouse")
        self.moving.setCheckable(True)
        self.moving.setToolTip("Drag moves the picture and the wheel scales it, until Esc")
        grid.addWidget(self.shown, 2, 0, 1, 2)
        grid.addWidget(self.moving, 3, 0, 1, 2)
        column.addWidget(self.controls)
        column.addSpacing(2 * GRID)
        column.addWidget(caption("Make like this face", "title"))
        words = QLabel("Finds the face in a photograph and sets the identity sliders to it. It takes a few seconds.")
        words.setWordWrap(True)
        words.setProperty("role", "soft")
        column.addWidget(words)
        self.likeness = QPushButton("Choose a photograph…")
        column.addWidget(self.likeness)
        column.addStretch(1)
        self.load.clicked.connect(load)
        self.likeness.clicked.connect(likeness)
        self.remove.clicked.connect(self._remove)
        self.opacity.moved.connect(self._set_opacity)
        self.tall.moved.connect(self._set_size)
        self.shown.clicked.connect(self._set_shown)
        self.moving.clicked.connect(self._set_moving)
        canvas.workspace.view_changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what there is."""
        reference = self.canvas.reference
        self.name.setText(reference.name or "A picture lies over the head to sculpt after.")
        self.name.setProperty("role", "plain" if reference.exists else "soft")
        self.remove.setVisible(reference.exists)
        self.controls.setVisible(reference.exists)
        self.opacity.set_value(reference.opacity)
        self.tall.set_value(reference.height)
        self.shown.setChecked(reference.shown)
        self.moving.setChecked(reference.moving)

    def _remove(self) -> None:
        self.canvas.reference.remove()
        self.canvas.update()
        self.refresh()

    def _set_opacity(self, value: float) -> None:
        self.canvas.reference.opacity = value
        self.canvas.update()

    def _set_size(self, value: float) -> None:
        self.canvas.reference.height = value
        self.canvas.update()

    def _set_shown(self, shown: bool) -> None:
        self.canvas.reference.shown = shown
        self.canvas.update()

    def _set_moving(self, moving: bool) -> None:
        self.canvas.reference.moving = moving
        self.canvas.setFocus()
        self.canvas.update()
