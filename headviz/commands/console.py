"""What every command says to a person at a terminal: errors in one line, progress, exit codes."""

from __future__ import annotations

import os
import sys

BAD_INPUT, INTERRUPTED, CLOSED_PIPE = 2, 130, 141


def describe(error: Exception) -> str:
    """An error in one line."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    return " ".join(str(error).split())


class Progress:
    """One line on stderr that says what is being done, shown only to a person at a terminal."""

    def __init__(self, total: int) -> None:
        self.total, self.done, self.name = total, 0, ""
        self._visible = sys.stderr.isatty()

    def __call__(self, stage: str) -> None:
        """Show a stage of the current picture."""
        if self._visible:
            filled = 20 * self.done // self.total
            bar = f"[{'#' * filled}{'.' * (20 - filled)}] {self.done + 1}/{self.total} " if self.total > 1 else ""
            sys.stderr.write(f"\r\x1b[K{bar}{self.name}: {stage}")
            sys.stderr.flush()

    def clear(self) -> None:
        """Remove the line, so that something else can be printed."""
        if self._visible:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
