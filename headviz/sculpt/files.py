"""Session files: the base by reference or by value, and every step. Opening one does the steps again, to the same bits.

A file is a JSON object: ``headviz`` ("sculpt"), ``version`` (1), ``name``, ``base``, ``steps``, ``line``, ``current``,
``versions``, ``result``. Nothing in it is code, and nothing that it says is believed before it was checked.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from headviz.errors import HeadvizError, MeshError, SessionError
from headviz.geometry.files import atomic_write
from headviz.geometry.mesh import Mesh
from headviz.interop import load_mesh
from headviz.sculpt.embedded import pack_array, unpack_array
from headviz.sculpt.history import Entry
from headviz.sculpt.origin import Origin, content_hash
from headviz.sculpt.references import Bases, base_of, reference
from headviz.sculpt.repair import fix
from headviz.sculpt.session import SculptSession
from headviz.sculpt.steps import step_of

VERSION = 1
SUFFIX = ".headviz.json"  #: the usual ending of a session file
_LARGEST = 2**31  #: bytes of a file that is opened
_SAMPLES = 1024  #: vertices whose final positions a file keeps, to say by how much another computer's differ
_ROUNDING = 1e-6  # of the size of the head: what lies nearer is another computer's last place
_DAMAGE = (ArithmeticError, LookupError, TypeError, ValueError, AttributeError, RecursionError, MemoryError)

Progress = Callable[[int, int], None]


def start_session(path: str | Path, *, fixes: Sequence[str] = ()) -> SculptSession:
    """Begin to sculpt a mesh file.

    Args:
        path: a file that :func:`headviz.interop.load_mesh` reads.
        fixes: repairs of :data:`headviz.sculpt.condition.FIXES` to make first, or "all".

    Raises:
        InputError: the file cannot be read.
        MeshError: vertices are not finite and "remove_nan" is not among the repairs.
    """
    made = fix(load_mesh(path, finite=False), *fixes)
    session = SculptSession(made.mesh, name=Path(path).stem)
    session.origin = Origin("file", str(Path(path).resolve()), made.fixes, made.frame)
    return session


def start_named(name: str, mesh: Mesh) -> SculptSession:
    """Begin to sculpt a mesh that programs know by name, such as the packaged head; files keep the name only."""
    session = SculptSession(mesh, name=name)
    session.origin = Origin("named", name)
    return session


def save_session(session: SculptSession, path: str | Path, *, embed: bool = False) -> Path:
    """Write a session: the whole history with its branches and versions, not the undone pieces of a drag.

    Args:
        session: what to write.
        path: the file; ``SUFFIX`` is its usual ending.
        embed: put the base into the file, even where a reference would do.

    Returns:
        The path.

    Raises:
        OutputError: the file cannot be written.

    Warns:
        UserWarning: the base's own file is gone, so that the base is put into the session file.
    """
    path = Path(path)
    text = json.dumps(
        {
            "headviz": "sculpt",
            "version": VERSION,
            "name": session.name,
            "base": reference(session.base, session.origin, path.parent, embed=embed),
            **history_of(session),
            "result": _result(session),
        },
        separators=(",", ":"),
        allow_nan=False,
    )
    with atomic_write(path) as file:
        file.write(text.encode())
    return path


def open_session(
    path: str | Path,
    *,
    mesh: Mesh | None = None,
    bases: Bases | None = None,
    changed: bool = False,
    progress: Progress | None = None,
) -> SculptSession:
    """Read a session and do its steps again.

    Args:
        path: the file.
        mesh: the base, where it is not to be looked for.
        bases: meshes by name, such as ``{"head": lambda: load_head().mesh()}``, for sessions whose base is one.
        changed: go on where the base is not the one that was sculpted; the steps are done at the places they name.
        progress: called with the number of steps done and of all.

    Raises:
        SessionError: the file is no session, is damaged, comes from a newer version, or its base is missing or another.
        InputError: the file or the base cannot be read.

    Warns:
        UserWarning: the result is not the saved one, as on a processor that rounds otherwise; says by how much.
    """
    shown = _shown(path)
    document = read_document(path, "sculpt", VERSION, shown)
    try:
        session, same = base_of(document["base"], Path(path).parent, mesh=mesh, bases=bases or {}, changed=changed)
        session.name = str(document["name"])[:200]
        replay(session, document, progress)
        if same:
            _compare(session, document["result"], shown)
    except MeshError as error:
        raise SessionError(f"{shown} has a base that cannot be sculpted: {error}") from error
    except HeadvizError:
        raise
    except _DAMAGE as error:
        raise SessionError(f"{shown} is a damaged session: {_reason(error)}") from error
    return session


def history_of(session: SculptSession) -> dict[str, Any]:
    """The tree of steps, the line that undo and redo follow, where the session stands, and its versions."""
    entries = [entry for entry in tuple(session.log.entries.values()) if entry.step is not None]
    return {
        "steps": [step_line(entry) for entry in sorted(entries, key=lambda entry: entry.id)],
        "line": session.history[-1].id,
        "current": session.current,
        "versions": session.versions,
    }


def step_line(entry: Entry) -> dict[str, Any]:
    """One step as JSON values."""
    assert entry.step is not None
    return {"id": entry.id, "parent": entry.parent, "step": entry.step.plain()}


def replay(session: SculptSession, document: Mapping[str, Any], progress: Progress | None = None) -> None:
    """Do the steps of a document, go where it stood, and give its versions their names.

    Raises:
        SessionError: a step cannot be done, or the history is no tree.
        LookupError, TypeError, ValueError: the document is damaged.
    """
    steps = document["steps"]
    if not isinstance(steps, list) or not isinstance(document["versions"], dict):
        raise SessionError("a session should have a list of steps and versions by name")
    with np.errstate(all="ignore"):  # what becomes infinite is told below
        for done, line in enumerate(steps):
            number, parent = _id(line["id"]), _id(line["parent"])
            if parent >= number or parent not in session.log.entries:
                raise SessionError(f"step {number} should come after a step that is there; it comes after {parent}")
            if parent != session.current:
                session.goto(parent)
            session.apply(step_of(line["step"]), id=number)
            if progress is not None:
                progress(done + 1, len(steps))
        for name, number in document["versions"].items():
            session.goto(_id(number))
            session.keep_version(name)
        session.goto(_id(document["line"]))
        session.goto(_id(document["current"]))
    if not np.isfinite(session.positions).all():
        raise SessionError("the steps move vertices to places that are no numbers; the file is damaged")


def read_document(path: str | Path, kind: str, version: int, shown: str) -> dict[str, Any]:
    """A JSON file of ours.

    Raises:
        SessionError: it cannot be read, is not JSON, of another kind, or from a newer version.
    """
    try:
        if Path(path).stat().st_size > _LARGEST:
            raise SessionError(f"{shown} is larger than {_LARGEST:,} bytes, which no session is")
        data = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SessionError(f"{shown} cannot be read: {reason}") from None
    return parse_document(data, kind, version, shown)


def parse_document(data: bytes, kind: str, version: int, shown: str) -> dict[str, Any]:
    """The JSON object of some bytes, if it is one of ours; see :func:`read_document`."""
    try:
        document = json.loads(data, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        what = (
            "is cut off or damaged"
            if data.lstrip()[:20].startswith((b'{"headviz"', b'{ "headviz"'))
            else "is no session"
        )
        raise SessionError(f"{shown} {what}: {_reason(error)}") from error
    if not isinstance(document, dict) or document.get("headviz") != kind:
        raise SessionError(f'{shown} is no session of headviz; sessions begin with {{"headviz":"{kind}"')
    found = document.get("version")
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise SessionError(f"{shown} should have a version from 1 to {version}; it has {found!r:.40}")
    if found > version:
        raise SessionError(
            f"{shown} comes from a newer headviz (format {found}, this one reads {version}); update headviz"
        )
    return document


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _id(value: Any) -> int:
    """The number of an entry."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise SessionError(f"an entry's number should be whole and not negative; it is {value!r:.40}")
    return value


def _result(session: SculptSession) -> dict[str, Any]:
    """What tells whether doing the steps again gave the same."""
    positions = np.ascontiguousarray(session.positions, "<f4")
    return {"sha256": hashlib.sha256(positions.data).hexdigest(), "sample": pack_array(_sample(positions))}


def _sample(positions: Any) -> Any:
    """Some of the positions, evenly spread over the vertices' numbers."""
    return np.ascontiguousarray(positions[:: max(1, -(-len(positions) // _SAMPLES))], "<f4")


def _compare(session: SculptSession, result: Any, shown: str) -> None:
    """Say so where the steps did not lead to the saved positions."""
    positions = np.ascontiguousarray(session.positions, "<f4")
    if hashlib.sha256(positions.data).hexdigest() == result["sha256"]:
        return
    here, there = _sample(positions), unpack_array(result["sample"], "<f4")
    if here.shape != there.shape or not np.isfinite(there).all():
        raise SessionError(f"{shown} is a damaged session: its sample of positions has another shape than the base")
    apart = float(np.abs(here - there).max())
    if apart <= _ROUNDING * session.surface.size:
        return
    warnings.warn(
        f"the steps of {shown} do not lead to the saved positions bit by bit, as on a computer that rounds otherwise: "
        f"of {len(here):,} vertices compared the farthest is {apart:.2g} m away",
        stacklevel=3,
    )


def _shown(path: str | Path) -> str:
    return str(path) if str(path).isprintable() else repr(str(path))


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split())[:160]
    return f"{type(error).__name__} {text}" if isinstance(error, LookupError) else text or type(error).__name__


__all__ = [
    "SUFFIX", "VERSION", "content_hash", "history_of", "open_session", "parse_document", "read_document", "replay",
    "save_session", "start_named", "start_session", "step_line",
]  # fmt: skip
