"""Where journals are, which of them were left behind, and how one is read."""

from __future__ import annotations

import importlib
import json
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Any

from headviz.errors import HeadvizError, SessionError
from headviz.geometry.mesh import Mesh
from headviz.sculpt.files import parse_document, replay
from headviz.sculpt.references import Bases, base_of
from headviz.sculpt.session import SculptSession

VERSION = 1
SUFFIX = ".journal"
_LOCK = ".lock"
_LARGEST = 2**31  #: bytes of a journal that is read


@dataclass(frozen=True)
class Recoverable:
    """A session that ended without being closed.

    Attributes:
        path: its journal; :func:`recover` gives the session back, :func:`discard` deletes it.
        name: of the session.
        steps: how many steps it has, a stroke that was going on included.
        when: when it was last written, local time.
    """

    path: Path
    name: str
    steps: int
    when: datetime


class Lock:
    """A file that is locked for as long as its owner lives, whatever ends the owner.

    Args:
        path: the journal; the lock is a file beside it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.with_suffix(_LOCK)
        self._file: IO[bytes] | None = None

    @property
    def held(self) -> bool:
        """Whether it is ours."""
        return self._file is not None

    def take(self) -> bool:
        """Whether nobody else had it; where files cannot be locked, the owner's process number decides.

        Raises:
            OSError: its file cannot be made.
        """
        file = self._path.open("a+b")
        try:
            _lock(file)
        except BlockingIOError:
            file.close()
            return False
        except OSError as error:
            if sys.platform == "win32" and error.errno in (13, 36):
                file.close()
                return False
            if _others(file):
                file.close()
                return False
        self._file = file
        with suppress(OSError):  # on Windows what is locked cannot be written, and need not be
            file.truncate(0)
            file.write(str(os.getpid()).encode())
            file.flush()
        return True

    def release(self, *, delete: bool) -> None:
        """Let go, and delete the file of the lock."""
        if self._file is not None:
            self._file.close()
            self._file = None
            if delete:
                with suppress(OSError):
                    self._path.unlink(missing_ok=True)


def _lock(file: IO[bytes]) -> None:
    """Lock a file without waiting, or raise an OSError."""
    if sys.platform == "win32":
        file.seek(0)
        importlib.import_module("msvcrt").locking(file.fileno(), 2, 1)  # LK_NBLCK: one byte, no waiting
    else:
        module: Any = importlib.import_module("fcntl")
        module.flock(file.fileno(), module.LOCK_EX | module.LOCK_NB)


def _others(file: IO[bytes]) -> bool:
    """Whether the process that wrote its number into a file lives, and is another one."""
    file.seek(0)
    text = file.read(20)
    if not text.isdigit() or int(text) == os.getpid():
        return False
    try:
        os.kill(int(text), 0)
    except OSError as error:
        return isinstance(error, PermissionError)
    return True


def state_folder() -> Path:
    """Where the system wants programs to keep their state; it need not exist yet."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        given = os.environ.get("XDG_STATE_HOME", "")
        base = Path(given) if given.startswith("/") else Path.home() / ".local" / "state"
    return base / "headviz" / "sculpt"


def recoverable(folder: Path | None = None) -> list[Recoverable]:
    """Sessions whose process ended without closing them, the latest first; not those that are being sculpted.

    Journals in which nothing was done are deleted on the way.
    """
    found = []
    where = state_folder() if folder is None else folder
    with suppress(OSError):
        for path in sorted(where.glob("*" + SUFFIX)):
            with suppress(OSError, SessionError):
                lock = Lock(path)
                if lock.take():
                    try:
                        seen = _seen(path)
                    finally:
                        lock.release(delete=False)
                    if seen.steps:
                        found.append(seen)
                    else:
                        discard(path)
    return sorted(found, key=lambda one: one.when, reverse=True)


def discard(path: Path) -> bool:
    """Delete a journal that nobody writes to; whether it was deleted."""
    with suppress(OSError):
        lock = Lock(path)
        if lock.take():
            path.unlink(missing_ok=True)
            lock.release(delete=True)
            return True
    return False


def recover(path: str | Path, *, mesh: Mesh | None = None, bases: Bases | None = None) -> SculptSession:
    """The session of a journal, with all that was written, the stroke that was going on included.

    The journal stays. ``Journal(session, replaces=path)`` deletes it once its own is written.

    Args:
        path: the journal.
        mesh: the base, where another object is wanted than the one that the journal holds.
        bases: meshes by name, as for :func:`headviz.sculpt.files.open_session`.

    Raises:
        SessionError: it cannot be read, or has no base.
    """
    path = Path(path)
    head, base, lines = _read(path)
    document = _collected(lines)
    try:
        session, _ = base_of(base, path.parent, mesh=mesh, bases=bases or {}, changed=False)
        session.name = str(head.get("name", "head"))[:200]
        replay(session, document)
        _pending(session, document["pending"])
    except HeadvizError:
        raise
    except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise SessionError(f"{path} is a damaged journal: {error}") from error
    return session


def _pending(session: SculptSession, pending: Any) -> None:
    """Do the stroke that was going on."""
    from headviz.sculpt.steps import step_of

    if isinstance(pending, dict) and pending.get("parent") == session.current:
        with suppress(HeadvizError):  # it is half a stroke; without it all else is there
            session.apply(step_of(pending.get("step")))


def _seen(path: Path) -> Recoverable:
    """What a list shows of a journal, read without its base."""
    steps, when = 0, datetime.fromtimestamp(path.stat().st_mtime, tz=timezone.utc).astimezone()
    with path.open("rb") as file:
        head = parse_document(file.readline(100_000), "journal", VERSION, str(path))
        if not file.readline().endswith(b"\n"):
            raise SessionError(f"{path} ends before its base is complete")
        pending = False
        for line in file:
            steps += line.startswith(b'{"id"')
            pending = line.startswith(b'{"pending":{') or (pending and not line.startswith(b'{"pending"'))
    return Recoverable(path, str(head.get("name", "head"))[:200], steps + pending, when)


def _read(path: Path) -> tuple[dict[str, Any], Any, list[dict[str, Any]]]:
    """The head, the base, and all lines that are complete."""
    try:
        if path.stat().st_size > _LARGEST:
            raise SessionError(f"{path} is larger than {_LARGEST:,} bytes, which no journal is")
        data = path.read_bytes()
    except OSError as error:
        raise SessionError(f"{path} cannot be read: {error.strerror or error}") from None
    first, *rest = data.split(b"\n")
    head = parse_document(first, "journal", VERSION, str(path))
    lines = []
    for line in rest[:-1]:  # behind the last newline is a line that was being written, or nothing
        try:
            lines.append(json.loads(line))
        except (ValueError, RecursionError):
            break  # what comes after a hole cannot be trusted
    if not lines or not isinstance(lines[0], dict):
        raise SessionError(f"{path} ends before its base is complete; nothing of the session was written")
    return head, lines[0].get("base"), [line for line in lines[1:] if isinstance(line, dict)]


def _collected(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Lines in the order of time as the document of a session."""
    steps: list[dict[str, Any]] = []
    versions: dict[str, Any] = {}
    current, line, pending = 0, 0, None
    for entry in lines:
        if "id" in entry:
            steps.append(entry)
        elif "version" in entry:
            versions[str(entry["version"])] = entry.get("at", 0)
        elif "pending" in entry:
            pending = entry["pending"]
        elif "current" in entry:
            current, line = entry["current"], entry.get("line", entry["current"])
    return {"steps": steps, "versions": versions, "current": current, "line": line, "pending": pending}
