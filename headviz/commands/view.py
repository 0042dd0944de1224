"""``headviz view``: a record, a mesh, a photograph's head or a field, as a page, a picture or a window."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import webbrowser
from collections.abc import Callable
from pathlib import Path

import torch

from headviz.commands.console import Progress
from headviz.commands.fields import (
    MESH_SUFFIXES,
    MODEL,
    NETWORK_SUFFIX,
    PHOTO_SUFFIXES,
    check_targets,
    collected_warnings,
    keep_source,
    load_source,
    require_space,
    source_name,
)
from headviz.commands.models import LazyModel
from headviz.errors import InputError, OptionError
from headviz.viewers.viewer import Viewer

RECORD_SUFFIX = ".npz"
PHOTO_TEXTURE = 1024  #: texels of the side of a head's texture
FACES_OF_PAGE = 2_000_000  #: a mesh with more is refused: a browser would not open its page


def run(options: argparse.Namespace) -> int:
    """Show what a file holds."""
    targets = [target for target in (options.html, options.png) if target is not None]
    keep_source(options.source, *targets, instead="name another file")
    check_targets(options.source, *targets)
    progress = Progress(1)
    progress.name = "view"
    try:
        with collected_warnings() as notes:
            viewer = at_step(viewer_of(options.source, progress), options.step)
        progress("drawing")
        said = show(viewer, options, progress)
    finally:
        progress.clear()
    for note in notes:
        print(f"headviz: warning: {note}", file=sys.stderr)
    print(said)
    return 0


def at_step(viewer: Viewer, step: int | None) -> Viewer:
    """The viewer at a step.

    Raises:
        OptionError: there is no such step.
    """
    if step is None:
        return viewer
    if step >= max(1, viewer.steps):
        raise OptionError(f"--step should be in 0 to {max(1, viewer.steps) - 1}; it is {step}")
    return viewer.at(step=step)


def viewer_of(text: str, progress: Callable[[str], None]) -> Viewer:
    """The viewer of what a word of the command line stands for.

    Args:
        text: a record, a mesh, a photograph, a network, the name of a preset shape, or an expression.
        progress: called with what is being done.

    Raises:
        InputError: it is none of them, or cannot be read; the message says what it should be.
    """
    path, suffix = Path(text), Path(text).suffix.lower()
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a file in it")
    if suffix in (RECORD_SUFFIX, *MESH_SUFFIXES, *PHOTO_SUFFIXES) and path.is_file() and path.stat().st_size == 0:
        raise InputError(f"{path} is empty")
    if suffix == RECORD_SUFFIX:
        from headviz.viewers.registry import open_record

        progress("reading the record")
        return open_record(path)
    if suffix in MESH_SUFFIXES:
        return _mesh_viewer(path, progress)
    if suffix in PHOTO_SUFFIXES:
        return _photo_viewer(path, progress)
    return _field_viewer(text, progress)


def _mesh_viewer(path: Path, progress: Callable[[str], None]) -> Viewer:
    from headviz.interop import load_mesh
    from headviz.viewers.mesh import view_mesh

    progress("reading the mesh")
    mesh = load_mesh(path)
    if len(mesh.faces) > FACES_OF_PAGE:
        raise InputError(f"{path} has {len(mesh.faces):,} faces; a viewer shows at most {FACES_OF_PAGE:,}: reduce it")
    return view_mesh(mesh, title=path.name)


def _photo_viewer(path: Path, progress: Callable[[str], None]) -> Viewer:
    from headviz.models import registry
    from headviz.photo.picture import load_photo
    from headviz.viewers.reconstruction import view_reconstruction

    photo = load_photo(path)
    progress("making a head of the photograph")
    with LazyModel(MODEL, PHOTO_TEXTURE) as model:
        made = registry.reconstruct(model.get(), photo.pixels, focal_35mm=photo.focal_35mm)
    return view_reconstruction(made, title=path.name, progress=progress)


def _field_viewer(text: str, progress: Callable[[str], None]) -> Viewer:
    from headviz.viewers.trace import view_trace

    if Path(text).is_file() and Path(text).suffix.lower() != NETWORK_SUFFIX:
        kinds = ", ".join([RECORD_SUFFIX, *MESH_SUFFIXES, NETWORK_SUFFIX, *PHOTO_SUFFIXES])
        raise InputError(f"{text} should be a record, a mesh, a network or a photograph ({kinds})")
    source = load_source(text, progress)
    if source.field.bounds.shape[1] == 2:
        from headviz.viewers.ray import view_ray

        return view_ray(source.field, title=text)
    require_space(source)
    progress("sending rays through it")
    with torch.no_grad():
        return view_trace(source.field, title=source.name if source.kind != "shape" else text)


def show(viewer: Viewer, options: argparse.Namespace, progress: Callable[[str], None]) -> str:
    """Show a viewer as asked for; what to tell the user."""
    if options.png is not None:
        return f"{viewer.to_png(options.png)}: {viewer.caption}"
    if options.html is not None:
        return f"{viewer.to_html(options.html)}: {viewer.caption}"
    if options.window:
        from headviz.viewers.window import show_window

        progress("opening the window")
        show_window(viewer)
        return viewer.caption
    folder = Path(tempfile.mkdtemp(prefix="headviz-"))
    source = Path(options.source)
    name = source.stem if source.suffix.lower() == RECORD_SUFFIX else source_name(source.name)
    path = viewer.to_html(folder / f"{name}.html")
    if has_display() and webbrowser.open(path.as_uri()):
        return f"{path}: opened in the browser. {viewer.caption}"
    return f"{path}: there is no browser here to open it in; copy this file to a computer with one. {viewer.caption}"


def has_display() -> bool:
    """Whether a browser could show something: on Linux there must be a display."""
    if not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or os.environ.get("BROWSER"))
