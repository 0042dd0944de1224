"""All kinds of viewers by name, and how a file becomes one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from headviz.errors import OptionError, RecordError
from headviz.viewers.cubes import CubesViewer
from headviz.viewers.mesh import MeshViewer
from headviz.viewers.obj import ObjViewer
from headviz.viewers.octree import OctreeViewer
from headviz.viewers.quadtree import QuadtreeViewer
from headviz.viewers.ray import RayViewer
from headviz.viewers.reconstruction import ReconstructionViewer
from headviz.viewers.record import load
from headviz.viewers.rendering import RenderingViewer
from headviz.viewers.sculpt import SculptViewer
from headviz.viewers.squares import SquaresViewer
from headviz.viewers.trace import TraceViewer
from headviz.viewers.viewer import Viewer

KINDS: dict[str, type[Viewer]] = {
    viewer.kind: viewer
    for viewer in (
        CubesViewer,
        MeshViewer,
        ObjViewer,
        ReconstructionViewer,
        RenderingViewer,
        SquaresViewer,
        TraceViewer,
        OctreeViewer,
        QuadtreeViewer,
        RayViewer,
        SculptViewer,
    )
}


def register(kind: type[Viewer]) -> type[Viewer]:
    """Make a viewer known, so that its records can be opened; a decorator of classes.

    Raises:
        OptionError: another viewer has this kind.
    """
    if KINDS.setdefault(kind.kind, kind) is not kind:
        raise OptionError(f"the kind {kind.kind!r} should be new; it belongs to {KINDS[kind.kind].__qualname__}")
    return kind


def open_record(path: Path | str) -> Viewer:
    """The viewer of a record in an ``.npz`` file, as it was left.

    Raises:
        RecordError: it is no record, is damaged, or from a newer headviz; the message says which.
        OSError: it cannot be read.
    """
    record, left = load(path)
    if record.kind not in KINDS:
        raise RecordError(f"{path} is for a viewer {record.kind!r}; this headviz has {', '.join(KINDS)}: update it")
    kind = KINDS[record.kind]
    title = left.get("title", "")
    fields = {name: value for name, value in left.items() if name != "title"}
    try:
        viewer = kind(record, kind.state_type(), str(title))
        return replace(viewer, state=viewer.state.changed(fields))
    except (OptionError, RecordError, KeyError, TypeError, ValueError) as error:
        raise RecordError(f"{path} is damaged: {error}") from None
