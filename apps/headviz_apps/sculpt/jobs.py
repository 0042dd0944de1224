"""Work beside the window: a thread with progress, whose result comes back to the window's own thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QThread, Signal

from headviz.errors import HeadvizError


class Job(QThread):
    """A function in a thread of its own.

    Args:
        work: called with a function that takes the names of stages.
        parent: what it belongs to.

    Signals:
        stage: a stage begins.
        done: the result.
        failed: a sentence that says why there is none.
    """

    stage = Signal(str)
    done = Signal(object)
    failed = Signal(str)

    def __init__(self, work: Callable[[Callable[[str], None]], Any], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._work = work

    def run(self) -> None:
        """Called by Qt in the thread."""
        try:
            result = self._work(self.stage.emit)
        except (HeadvizError, OSError, ValueError, RuntimeError, MemoryError) as error:
            self.failed.emit(str(error) or type(error).__name__)
        else:
            self.done.emit(result)
