"""Autosave: what is done is written down within a second, by a thread of its own, and read again after a crash.

A journal is a text file that only grows: a line about itself, one with the base, and then one per event. A line that
was being written when the process died is left out. Now and then the file is written anew, shorter.
"""

from __future__ import annotations

import atexit
import json
import os
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from headviz.errors import HeadvizError
from headviz.geometry.files import atomic_write
from headviz.sculpt.files import step_line
from headviz.sculpt.journal_files import SUFFIX, VERSION, Lock, Recoverable, discard, recover, recoverable, state_folder
from headviz.sculpt.references import reference
from headviz.sculpt.session import SculptSession
from headviz.sculpt.strokes import Change

__all__ = ["Journal", "Recoverable", "discard", "recover", "recoverable", "state_folder"]

_EVERY = 1.0  #: seconds between writes
_AGAIN = 10.0  #: seconds from a failure to the next trial
_LONG = 2**20  #: bytes from which on a journal may be written anew
_GROWN = 4  #: by which factor it has grown then


@dataclass(frozen=True)
class _Written:
    """What a file says: entries, versions, where the session stands and where redo ends, the stroke that goes on."""

    entries: int = 1
    versions: dict[str, int] = field(default_factory=dict)
    place: tuple[int, int] = (0, 0)
    pending: dict[str, Any] | None = None


class Journal:
    """Writes a session down while it is being sculpted.

    The listener only makes a note; encoding and writing are the thread's. Where the folder cannot be written or the
    disk is full, the session goes on without, the problem is told once, and writing is tried again from time to time.

    Args:
        session: what to write down; it may have a history already.
        folder: where; by default :func:`state_folder`.
        replaces: a journal that this one continues, as after :func:`recover`; deleted once this one is written.
        on_problem: called with one sentence, from the thread.
        every: seconds between writes.

    Attributes:
        path: the file.
        problem: why nothing is being written at present, or nothing.
    """

    def __init__(
        self,
        session: SculptSession,
        folder: Path | None = None,
        *,
        replaces: Path | None = None,
        on_problem: Callable[[str], None] | None = None,
        every: float = _EVERY,
    ) -> None:
        self._session = session
        self._replaces = replaces
        self._on_problem = on_problem
        self._every = every
        stamp = time.strftime("%Y%m%d-%H%M%S")
        self.path = (state_folder() if folder is None else folder) / f"{stamp}-{secrets.token_hex(4)}{SUFFIX}"
        self.problem = ""
        self._told = False
        self._lock = Lock(self.path)
        self._file: IO[bytes] | None = None
        self._written = _Written()
        self._begin = self._length = self._short = 0  # bytes: of head and base, of all, of all when it was last short
        self._next_try = 0.0
        self._awake, self._ending = threading.Event(), threading.Event()
        self._busy = threading.Lock()
        self._stop_listening = session.subscribe(self._note)
        self._thread = threading.Thread(target=self._run, name="headviz-journal", daemon=True)
        self._awake.set()
        self._thread.start()
        atexit.register(self.flush)

    def flush(self) -> None:
        """Write everything now."""
        self._write()

    def close(self, *, keep: bool = False) -> None:
        """End it. The file is deleted, for the session was saved or is not wanted, unless it is to be kept."""
        atexit.unregister(self.flush)
        self._stop_listening()
        self._ending.set()
        self._awake.set()
        self._thread.join()
        if keep:
            self._write()
        with self._busy:
            if self._file is not None:
                self._file.close()
                self._file = None
            if not keep:
                _forget(self.path)
            self._lock.release(delete=not keep)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.close(keep=kind is not None)

    def _note(self, _: Change) -> None:
        """Something has changed: all that the drag waits for."""
        self._awake.set()

    def _run(self) -> None:
        while not self._ending.is_set():
            self._awake.wait()
            self._awake.clear()
            if not self._ending.is_set():
                self._write()
            self._ending.wait(self._every)
            if self.problem and not self._ending.is_set():
                self._awake.set()  # try again though nothing happens

    def _write(self) -> None:
        """Bring the file up to date; a failure is told once and tried again later."""
        with self._busy:
            if self.problem and time.monotonic() < self._next_try:
                return
            try:
                if self._file is None:
                    self._open()
                elif self._length > _LONG and self._length - self._begin > _GROWN * (self._short - self._begin) + _LONG:
                    self._shorten()
                else:
                    self._append(self._news())
                self.problem = ""
            except (OSError, HeadvizError, ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
                self._fail(str(error))

    def _open(self) -> None:
        """Make the file: itself, the base, and the history so far."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self._lock.held and not self._lock.take():
            raise BlockingIOError(f"{self.path} is being written by another process")
        session = self._session
        head = {"headviz": "journal", "version": VERSION, "name": session.name, "process": os.getpid()}
        named = session.origin.kind == "named"  # a file could be written over, by an export for one
        base = {"base": reference(session.base, session.origin, self.path.parent, embed=not named)}
        self._replace(_line(head) + _line(base))
        if self._replaces is not None:
            discard(self._replaces)
            self._replaces = None

    def _shorten(self) -> None:
        """Write the file anew, without strokes that were going on and places that were left."""
        with self.path.open("rb") as file:
            begin = file.read(self._begin)
        self._replace(begin)

    def _replace(self, begin: bytes) -> None:
        """Put a file with head, base and present history in the place of the old one, and go on there."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._written = _Written()
        data = begin + self._news()
        with atomic_write(self.path) as made:
            made.write(data)
            made.flush()
            os.fsync(made.fileno())
        self._file = self.path.open("ab", buffering=0)
        self._begin, self._length, self._short = len(begin), len(data), len(data)

    def _news(self) -> bytes:
        """Lines about what the file does not say yet."""
        session, old = self._session, self._written
        # the stroke first: if it ends meanwhile, it is written twice rather than not at all
        pending, place = self._stroke(), (session.current, session.history[-1].id)
        entries, versions = tuple(session.log.entries.values()), session.versions
        parts = [_line(step_line(entry)) for entry in entries[old.entries :]]
        parts += [_line({"version": name, "at": at}) for name, at in versions.items() if old.versions.get(name) != at]
        if place != old.place:
            parts.append(_line({"current": place[0], "line": place[1]}))
        if pending != old.pending:
            parts.append(_line({"pending": pending}))
        self._written = _Written(len(entries), versions, place, pending)
        return b"".join(parts)

    def _stroke(self) -> dict[str, Any] | None:
        """The stroke that goes on, as far as it is."""
        live, parent = self._session.live, self._session.current
        return None if live is None or not live.open else {"parent": parent, "step": live.step.plain()}

    def _append(self, data: bytes) -> None:
        if data and self._file is not None:
            _write_whole(self._file, data)
            os.fsync(self._file.fileno())
            self._length += len(data)

    def _fail(self, reason: str) -> None:
        """Nothing can be written: what the file holds is no longer known, so it is made anew when it works again."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._next_try = time.monotonic() + _AGAIN
        self.problem = f"this session is not being saved automatically: {reason}; save it by hand"
        if not self._told and self._on_problem is not None:
            self._told = True
            self._on_problem(self.problem)


def _line(plain: dict[str, Any]) -> bytes:
    return json.dumps(plain, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def _write_whole(file: IO[bytes], data: bytes) -> None:
    """All bytes; a file without a buffer may take fewer at a time."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _forget(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return
