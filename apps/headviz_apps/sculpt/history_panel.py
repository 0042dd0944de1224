"""The panel of the history: every step, where one is, and named versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QHBoxLayout, QInputDialog, QListWidget, QListWidgetItem, QPushButton, QVBoxLayout, QWidget

from headviz.errors import HeadvizError
from headviz_apps.sculpt.look import GRID, LIGHT, Theme
from headviz_apps.sculpt.widgets import caption, quietly

if TYPE_CHECKING:
    from headviz_apps.sculpt.workspace import Workspace

_ID = Qt.ItemDataRole.UserRole
_MOST = 500  #: steps that are listed, the newest


class HistoryPanel(QWidget):
    """Steps from the newest to the base; a click goes there. Those that were undone are listed softly above."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self.workspace, self.theme = workspace, LIGHT
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * GRID, GRID, 2 * GRID, 2 * GRID)
        column.setSpacing(GRID)
        row = QHBoxLayout()
        self.title = caption("History", "title")
        row.addWidget(self.title)
        row.addStretch(1)
        self.keep = QPushButton("Keep version…")
        self.keep.setToolTip("Give the head as it is now a name, to come back to (Ctrl+K)")
        row.addWidget(self.keep)
        column.addLayout(row)
        self.list = QListWidget()
        self.list.setAccessibleName("History")
        column.addWidget(self.list, 1)
        self.keep.clicked.connect(self.keep_version)
        self.list.itemClicked.connect(lambda item: workspace.go_to(item.data(_ID)))
        self.list.itemActivated.connect(lambda item: workspace.go_to(item.data(_ID)))
        workspace.opened.connect(self.refresh)
        workspace.changed.connect(lambda change: self.refresh() if change.what == "history" else None)
        self.refresh()

    def restyle(self, theme: Theme) -> None:
        """Write undone steps in the theme's softer colour."""
        self.theme = theme
        self.refresh()

    def refresh(self) -> None:
        """List the steps."""
        session = self.workspace.session
        names: dict[int, list[str]] = {}
        for name, entry in session.versions.items():
            names.setdefault(entry, []).append(name)
        line = session.history
        quietly(self.list, lambda: self._fill(line[-_MOST:], names))
        self.title.setText("History" if len(line) < 2 else f"History · {len(line) - 1:,}")

    def _fill(self, line: tuple, names: dict[int, list[str]]) -> None:  # type: ignore[type-arg]
        current = self.workspace.session.current
        self.list.clear()
        ahead = False
        rows = []
        for entry in line:
            text = "Start" if entry.step is None else entry.text[:1].upper() + entry.text[1:]
            versions = names.get(entry.id)
            item = QListWidgetItem(f"{text}  ·  {', '.join(versions)}" if versions else text)
            item.setData(_ID, entry.id)
            if versions:
                font = item.font()
                font.setBold(True)
                item.setFont(font)
            if ahead:
                item.setForeground(QColor(self.theme.soft))
                font = item.font()
                font.setItalic(True)
                item.setFont(font)
                item.setToolTip("Undone; click to do it again")
            ahead = ahead or entry.id == current
            rows.append(item)
        for item in reversed(rows):
            self.list.addItem(item)
            if item.data(_ID) == current:
                self.list.setCurrentItem(item)
        if (now := self.list.currentItem()) is not None:
            self.list.scrollToItem(now)

    def keep_version(self) -> None:
        """Ask for a name and keep the present state under it."""
        suggestion = f"Version {len(self.workspace.session.versions) + 1}"
        name, given = QInputDialog.getText(self, "Keep version", "Name of this version", text=suggestion)
        if given:
            self.workspace.settle()
            try:
                self.workspace.session.keep_version(name)
            except HeadvizError as error:
                self.workspace.failed.emit(str(error))
            else:
                self.workspace.said.emit(f"Kept as “{name.strip()}”")
