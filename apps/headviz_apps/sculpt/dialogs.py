"""What the window asks and tells: unsaved changes, damaged meshes, lost sessions, keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFrame,
    QGridLayout,
    QLabel,
    QMessageBox,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from headviz_apps.sculpt.look import GRID
from headviz_apps.sculpt.widgets import caption

if TYPE_CHECKING:
    from headviz.sculpt.condition import Condition

#: Repairs in plain words, by their name.
REPAIRS = {
    "remove_nan": "Remove vertices that are not numbers",
    "weld": "Join vertices that lie at the same place",
    "remove_degenerate": "Remove faces without an area",
    "remove_duplicates": "Remove faces that are there twice",
    "split": "Split edges and vertices where surfaces touch",
    "orient": "Turn all faces outwards",
    "remove_unreferenced": "Remove vertices without a face",
    "recentre": "Move it to the middle; an export moves it back",
    "rescale": "Scale it to metres; an export scales it back",
}
KEYS = {
    "Sculpt": (
        ("Left drag on the head", "sculpt"),
        ("Ctrl, Shift", "invert the brush, smooth"),
        ("1 to 7", "tools"),
        ("F, then move", "radius; click confirms, Esc takes back"),
        ("Shift+F, then move", "strength"),
        ("[ and ]", "smaller, larger brush"),
        ("X or M", "symmetry"),
        ("Esc while dragging", "take the stroke back"),
        ("Del", "remove the chosen keypoint"),
    ),
    "Look": (
        ("Left drag beside the head", "turn (also Alt+left, middle)"),
        ("Right drag", "move (also Shift+middle)"),
        ("Wheel", "nearer, farther"),
        ("Home", "the whole head"),
        ("Alt+1, 3, 7 or keypad", "front, left, top; with Ctrl from the other side"),
        ("W, P, H, K", "wireframe, plane, displacement, keypoints"),
        ("R", "reference picture"),
    ),
    "Files and history": (
        ("Ctrl+Z, Ctrl+Shift+Z", "undo, redo"),
        ("Ctrl+K", "keep a named version"),
        ("Ctrl+S, Ctrl+O, Ctrl+N", "save, open, new"),
        ("Ctrl+E", "export the mesh"),
        ("Ctrl+P", "picture of the canvas"),
        ("F1 or ?", "this list"),
    ),
}


def ask_save(parent: QWidget, name: str) -> str:
    """Whether unsaved changes should be kept: "save", "discard" or "cancel"."""
    return _ask(
        parent, "Unsaved changes", f"Save the changes to “{name}”?", "Otherwise they are lost.",
        ("Save", "Discard", "Cancel"),
    )  # fmt: skip


def ask_recover(parent: QWidget, text: str, what: str) -> str:
    """Whether a session that was not closed should be opened: "recover", "discard" or "later"."""
    more = f"{what}. It was not closed, and is as it was up to two seconds before the end."
    return _ask(parent, "Recover a session", text, more, ("Recover", "Discard", "Later"))


def _ask(parent: QWidget, title: str, text: str, more: str, words: tuple[str, str, str]) -> str:
    """Which of three a person chooses, in small letters: to do it, to throw away, or (Esc) neither."""
    box = QMessageBox(parent)
    box.setWindowTitle(title)
    box.setText(text)
    box.setInformativeText(more)
    role = QMessageBox.ButtonRole
    roles = (role.AcceptRole, role.DestructiveRole, role.RejectRole)
    buttons = [box.addButton(word, each) for word, each in zip(words, roles, strict=True)]
    box.setDefaultButton(buttons[0])
    box.setEscapeButton(buttons[2])
    box.exec()
    clicked = box.clickedButton()
    return next((word.lower() for word, each in zip(words, buttons, strict=True) if each is clicked), words[2].lower())


def tell(parent: QWidget, text: str, more: str = "") -> None:
    """A sentence that a person confirms."""
    box = QMessageBox(parent)
    box.setWindowTitle("headviz")
    box.setText(text)
    box.setInformativeText(more)
    box.exec()


class ConditionDialog(QDialog):
    """What is wrong with a mesh, with a box to tick per repair.

    Args:
        parent: the window.
        name: what the mesh is called.
        found: what was found.
    """

    def __init__(self, parent: QWidget, name: str, found: Condition) -> None:
        super().__init__(parent)
        self.setWindowTitle("Check the mesh")
        self.setMinimumWidth(520)
        column = QVBoxLayout(self)
        column.setContentsMargins(3 * GRID, 3 * GRID, 3 * GRID, 2 * GRID)
        column.setSpacing(GRID)
        column.addWidget(caption(f"“{name}” before it is sculpted", "title"))
        text = f"{found.vertices:,} vertices, {found.faces:,} faces, {found.size:.3g} m at its longest."
        column.addWidget(caption(text))
        column.addSpacing(GRID)
        self.boxes: dict[str, QCheckBox] = {}
        for problem in found.problems:
            label = QLabel(problem.text)
            label.setWordWrap(True)
            column.addWidget(label)
            if problem.fix is not None and problem.fix not in self.boxes:
                box = QCheckBox(REPAIRS.get(problem.fix, problem.fix.replace("_", " ").capitalize()))
                box.setChecked(True)
                box.setEnabled(problem.severity != "error")
                self.boxes[problem.fix] = box
                column.addWidget(box)
            line = QFrame()
            line.setFixedHeight(GRID)
            column.addWidget(line)
        buttons = QDialogButtonBox()
        self.go = buttons.addButton("Sculpt it", QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.addButton("Cancel", QDialogButtonBox.ButtonRole.RejectRole)
        self.go.setDefault(True)
        blocked = [p for p in found.problems if p.severity == "error" and p.fix is None]
        self.go.setEnabled(not blocked)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column.addWidget(buttons)

    @property
    def fixes(self) -> tuple[str, ...]:
        """The repairs that are ticked."""
        return tuple(name for name, box in self.boxes.items() if box.isChecked())


class KeysDialog(QDialog):
    """All keys and gestures, on one page."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 2 * GRID)
        inner = QWidget()
        grid = QGridLayout(inner)
        grid.setContentsMargins(3 * GRID, 3 * GRID, 3 * GRID, GRID)
        grid.setHorizontalSpacing(3 * GRID)
        grid.setVerticalSpacing(4)
        row = 0
        for title, keys in KEYS.items():
            if row:
                grid.setRowMinimumHeight(row, 2 * GRID)
                row += 1
            grid.addWidget(caption(title, "title"), row, 0, 1, 2)
            row += 1
            for key, does in keys:
                grid.addWidget(QLabel(key), row, 0)
                grid.addWidget(caption(does), row, 1)
                row += 1
        grid.setRowStretch(row, 1)
        area = QScrollArea()
        area.setWidget(inner)
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        column.addWidget(area)
        buttons = QDialogButtonBox()
        buttons.addButton("Close", QDialogButtonBox.ButtonRole.RejectRole)
        buttons.rejected.connect(self.reject)
        buttons.setContentsMargins(0, 0, 2 * GRID, 0)
        column.addWidget(buttons)
        self.resize(560, 628)
