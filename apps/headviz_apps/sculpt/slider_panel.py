"""The panel of sliders: expressions and identity of the parametric head, grouped, with a search field."""

from __future__ import annotations

import re

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from headviz.errors import HeadvizError
from headviz.heads.sculptable import group_of
from headviz.sculpt import SetSliders
from headviz_apps.sculpt.look import GRID
from headviz_apps.sculpt.widgets import NumberSlider, caption
from headviz_apps.sculpt.workspace import Workspace

GROUPS = {"expression": "Expressions", "identity": "Identity", "other": "Shapes"}
RANGES = {"expression": (0.0, 1.0), "identity": (-3.0, 3.0), "other": (0.0, 1.0)}
_PAUSE = 700  #: milliseconds after which keys on a slider are one step


class SliderPanel(QWidget):
    """One slider per morph of the base. A movement is one step of the history."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self.workspace = workspace
        self._live: object = None
        self._built_for: object = None
        self.rows: dict[str, tuple[QWidget, NumberSlider]] = {}
        self.heads: dict[str, QLabel] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 2 * GRID, 0, 0)
        column.setSpacing(GRID)
        top = QHBoxLayout()
        top.setContentsMargins(2 * GRID, 0, 2 * GRID, 0)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search, such as jaw or width")
        self.search.setAccessibleName("Search sliders")
        self.search.setClearButtonEnabled(True)
        self.reset = QPushButton("Reset")
        self.reset.setToolTip("All sliders back to 0, as one step")
        top.addWidget(self.search, 1)
        top.addWidget(self.reset)
        column.addLayout(top)
        self.empty = QLabel("This mesh has no morphs. A head of headviz has 52 expressions and its identity.")
        self.empty.setWordWrap(True)
        self.empty.setProperty("role", "soft")
        self.empty.setContentsMargins(2 * GRID, 0, 2 * GRID, 0)
        column.addWidget(self.empty)
        self.area = QScrollArea()
        self.area.setWidgetResizable(True)
        column.addWidget(self.area, 1)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE)
        self._timer.timeout.connect(self.settle)
        self.search.textChanged.connect(self.filter)
        self.reset.clicked.connect(self._reset)
        workspace.opened.connect(self._opened)
        workspace.changed.connect(lambda change: self.refresh() if change.what == "history" else None)
        workspace.on_settle(self.settle)

    def showEvent(self, event: object) -> None:  # noqa: ARG002, N802 -- Qt's name
        """Make the rows when they are first looked at."""
        self._build()

    def _opened(self) -> None:
        self._live, self._built_for = None, None
        if self.isVisible():
            self._build()

    def _build(self) -> None:
        session = self.workspace.session
        if self._built_for is session:
            self.refresh()
            return
        self._built_for = session
        self.rows, self.heads = {}, {}
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(2 * GRID, 0, 2 * GRID, 2 * GRID)
        column.setSpacing(4)
        names: dict[str, list[str]] = {group: [] for group in GROUPS}
        for name in session.sliders:
            names[group_of(name)].append(name)
        for group in ("identity", "expression", "other"):
            if names[group]:
                self._add_group(column, group, names[group])
        column.addStretch(1)
        self.area.setWidget(inner)
        self.empty.setVisible(not self.rows)
        self.search.setEnabled(bool(self.rows))
        self.reset.setEnabled(bool(self.rows))
        self.filter(self.search.text())
        self.refresh()

    def _add_group(self, column: QVBoxLayout, group: str, names: list[str]) -> None:
        head = caption(f"{GROUPS[group]} ({len(names)})", "title")
        head.setContentsMargins(0, GRID, 0, 4)
        self.heads[group] = head
        column.addWidget(head)
        for name in names:
            row = QWidget()
            line = QHBoxLayout(row)
            line.setContentsMargins(0, 0, 0, 0)
            line.setSpacing(GRID)
            label = caption(spoken(name), "plain")
            label.setFixedWidth(144)
            label.setToolTip(name)
            control = NumberSlider(*RANGES[group], wide=52)
            control.name(spoken(name), f"{name}: {RANGES[group][0]:g} to {RANGES[group][1]:g}")
            control.field.setRange(-10, 10)
            line.addWidget(label)
            line.addWidget(control, 1)
            column.addWidget(row)
            control.moved.connect(lambda value, which=name: self._move(which, value))
            control.settled.connect(self.settle)
            self.rows[name] = row, control

    def filter(self, text: str) -> None:
        """Show the sliders whose name has these words."""
        wanted = text.lower().split()
        seen: set[str] = set()
        for name, (row, _) in self.rows.items():
            fits = all(word in spoken(name).lower() or word in name.lower() for word in wanted)
            row.setVisible(fits)
            if fits:
                seen.add(group_of(name))
        for group, head in self.heads.items():
            head.setVisible(group in seen)

    def refresh(self) -> None:
        """Show the weights as they are."""
        if self._built_for is self.workspace.session and self._live is None:
            for name, value in self.workspace.session.sliders.items():
                self.rows[name][1].set_value(value)

    def _move(self, name: str, value: float) -> None:
        session = self.workspace.session
        try:
            if self._live is None:
                if session.live is not None:
                    return
                self._live = session.begin_sliders()
            self._live.move({name: value})  # type: ignore[attr-defined]
        except HeadvizError as error:
            self.workspace.failed.emit(str(error))
        self._timer.start()

    def settle(self) -> None:
        """Make the movement of a slider a step."""
        self._timer.stop()
        live, self._live = self._live, None
        if live is not None:
            live.finish()  # type: ignore[attr-defined]

    def _reset(self) -> None:
        self.settle()
        away = {name: 0.0 for name, value in self.workspace.session.sliders.items() if value}
        if away:
            self.workspace.apply(SetSliders(away))


def spoken(name: str) -> str:
    """A name of ARKit's in words: "mouthSmileLeft" is "mouth smile left"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower() if group_of(name) == "expression" else name
