"""How a session file says what was sculpted: a name, a file beside it with the hash of its content, or the arrays."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from headviz.errors import InputError, SessionError
from headviz.geometry.mesh import Mesh
from headviz.interop import load_mesh
from headviz.sculpt.condition import FIXES
from headviz.sculpt.embedded import pack_mesh, unpack_mesh
from headviz.sculpt.origin import KINDS, Frame, Origin, content_hash
from headviz.sculpt.repair import fix
from headviz.sculpt.session import SculptSession
from headviz.sculpt.steps import number_of

Bases = Mapping[str, Callable[[], Mesh]]
_LARGE = 300_000  #: vertices from which on arrays are stored without being compressed, which would take seconds


def reference(mesh: Mesh, origin: Origin, folder: Path, *, embed: bool = False) -> dict[str, Any]:
    """What a file in a folder says about the base.

    Warns:
        UserWarning: the base's own file is gone, so that the base is put in.
    """
    plain: dict[str, Any] = {
        "kind": origin.kind,
        "name": _relative(origin, folder),
        "fixes": list(origin.fixes),
        "frame": {"center": list(origin.frame.center), "scale": origin.frame.scale},
        "vertices": len(mesh.vertices),
        "faces": len(mesh.faces),
        "sha256": content_hash(mesh),
    }
    gone = origin.kind == "file" and not Path(origin.name).is_file()
    if gone and not embed:
        warnings.warn(f"{origin.name} is gone, so the session file holds the base itself", stacklevel=3)
    if embed or gone or origin.kind == "memory":
        plain["mesh"] = pack_mesh(mesh, 6 if len(mesh.vertices) < _LARGE else 0)
    return plain


def _relative(origin: Origin, folder: Path) -> str:
    """The name, or the path from the folder to the base's file."""
    if origin.kind != "file":
        return origin.name
    try:
        return Path(os.path.relpath(origin.name, folder.resolve())).as_posix()
    except ValueError:  # another drive
        return Path(origin.name).as_posix()


def base_of(plain: Any, folder: Path, *, mesh: Mesh | None, bases: Bases, changed: bool) -> tuple[SculptSession, bool]:
    """A session without steps on the base that a file in a folder describes, and whether it is the very same base.

    Raises:
        SessionError: the base is missing or another one; the message says what to do.
    """
    if not isinstance(plain, Mapping):
        raise SessionError("a session should say what its base is")
    origin = _origin(plain, folder)
    if mesh is None:
        mesh = unpack_mesh(plain["mesh"]) if plain.get("mesh") is not None else _load(origin, bases)
    found, wanted = content_hash(mesh), plain["sha256"]
    same = found == wanted
    if not same and not changed:
        raise SessionError(
            f"the base {origin.name or 'mesh'} has changed: it had {plain['vertices']!r:.12} vertices and the content "
            f"{wanted!s:.8}, and has {len(mesh.vertices)} and {found:.8}; put the old one back and carry the strokes "
            "over with replay_on, or do them at the places that they name with changed=True"
        )
    session = SculptSession(mesh)
    session.origin = origin
    return session, same


def _origin(plain: Mapping[str, Any], folder: Path) -> Origin:
    """Where the base comes from, checked."""
    kind, name, fixes, frame = plain["kind"], plain["name"], plain["fixes"], plain["frame"]
    if kind not in KINDS or not isinstance(name, str) or len(name) > 4096 or "\0" in name:
        raise SessionError(f"a base should be one of {', '.join(KINDS)}, with a name; it is {kind!r:.40} {name!r:.80}")
    if not isinstance(fixes, list) or any(one not in FIXES for one in fixes):
        raise SessionError(f"repairs of a base should be some of {', '.join(FIXES)}; they are {fixes!r:.80}")
    if not isinstance(frame["center"], list) or len(frame["center"]) != 3:
        raise SessionError(f"the frame of a base should have a centre; it is {frame['center']!r:.80}")
    x, y, z = (number_of(value, "the frame's centre", -1e30, 1e30) for value in frame["center"])
    made = Frame((x, y, z), number_of(frame["scale"], "the frame's scale", 1e-30, 1e30))
    if kind == "file":
        if name.startswith(("//", "\\\\")):  # a session from elsewhere must not make this computer call another
            raise SessionError(f"a base on another computer, {name!r:.80}, is not fetched; copy it and use mesh=")
        name = str((folder / name).resolve())
    return Origin(kind, name, tuple(fixes), made)


def _load(origin: Origin, bases: Bases) -> Mesh:
    """The base by its name or from its file."""
    if origin.kind == "named":
        if origin.name not in bases:
            known = f"known are {', '.join(bases)}" if bases else "no bases were given"
            raise SessionError(f"the session's base is {origin.name!r:.60} ({known}); open it with mesh= or bases=")
        return bases[origin.name]()
    if origin.kind == "memory":
        raise SessionError("the base came from memory and is not in the file; open it with mesh=")
    if not Path(origin.name).is_file():
        raise SessionError(f"the base {origin.name} is missing; put it there, or open the session with mesh=")
    try:
        loaded = load_mesh(origin.name, finite=False)
    except InputError as error:
        raise SessionError(f"the base cannot be read: {error}") from error
    return fix(loaded, *origin.fixes).mesh
