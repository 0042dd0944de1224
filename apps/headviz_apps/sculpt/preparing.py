"""The first start on a computer compiles the brushes, which takes some seconds: a small window says so meanwhile."""

from __future__ import annotations

import sys
import threading
import time

from PySide6.QtCore import QCoreApplication, QEventLoop, Qt
from PySide6.QtWidgets import QApplication, QProgressBar, QVBoxLayout, QWidget

from headviz_apps.sculpt.look import GRID, LIGHT, palette_of, sheet_of
from headviz_apps.sculpt.widgets import caption

_PATIENCE = 0.8  #: seconds without a word
_CODE = ("headviz.sculpt.compiled", "headviz.sculpt.rings_compiled")


class Preparing(QWidget):
    """What is being done, and how much of it is."""

    def __init__(self) -> None:
        super().__init__()
        self.setWindowTitle("headviz")
        self.setWindowFlag(Qt.WindowType.Dialog)
        self.setPalette(palette_of(LIGHT))
        self.setStyleSheet(
            sheet_of(LIGHT) + f"Preparing, QWidget {{ background: {LIGHT.chrome}; color: {LIGHT.ink}; }}"
        )
        self.setFixedWidth(480)
        column = QVBoxLayout(self)
        column.setContentsMargins(3 * GRID, 3 * GRID, 3 * GRID, 3 * GRID)
        column.setSpacing(GRID)
        column.addWidget(caption("Preparing the brushes, once", "title"))
        column.addWidget(caption("Strokes are fast from the first one on; this takes some seconds."))
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("Prepared")
        column.addSpacing(GRID)
        column.addWidget(self.bar)

    def show_progress(self) -> None:
        """Bring the bar up to date."""
        done, everything = compiled()
        self.bar.setRange(0, everything)
        self.bar.setValue(done)


def compiled() -> tuple[int, int]:
    """How many of the brushes' functions are compiled, and of how many."""
    found = [
        function
        for name in _CODE
        for function in vars(sys.modules.get(name, object)).copy().values()
        if hasattr(function, "signatures")
    ]
    return sum(bool(function.signatures) for function in found), len(found)


def wait_for(work: threading.Thread) -> bool:
    """Wait for a thread, with a word on the screen where it takes long; no when a person has closed that word."""
    begun, shown = time.monotonic(), None
    while work.is_alive():
        work.join(0.03)
        if shown is None and time.monotonic() > begun + _PATIENCE:
            shown = Preparing()
            screen = QApplication.primaryScreen().availableGeometry()
            shown.show()
            shown.move(screen.center() - shown.rect().center())
        if shown is not None:
            shown.show_progress()
            QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 30)
    if shown is None:
        return True
    stay = shown.isVisible()  # where it is not, the thread has still come to its end: Python ends badly within one
    shown.close()
    return stay
