"""What ``headviz extract`` and ``headviz trace`` take a field from: a shape, a mesh, a network, or a photograph."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from headviz.errors import InputError, OutputError, ShapeError
from headviz.geometry.expression import parse_shape
from headviz.geometry.field import Field
from headviz.geometry.mesh_field import MeshField

#: Files that are read as meshes.
MESH_SUFFIXES = (".glb", ".gltf", ".obj", ".off", ".ply", ".stl")
#: Files that are read as networks.
NETWORK_SUFFIX = ".safetensors"
#: Files that a head is made from.
PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".heic", ".avif")
#: What makes it, and the smallest texture, for only the shape is wanted.
MODEL, TEXTURE_SIZE = "landmark-fit", 64


@dataclass(frozen=True)
class Source:
    """A field and what to call it.

    Attributes:
        field: the field.
        name: for files that are made from it.
        kind: "shape", "mesh", "network" or "photograph".
    """

    field: Field
    name: str
    kind: str


def load_source(text: str, progress: Callable[[str], None]) -> Source:
    """The field that a word of the command line stands for.

    Args:
        text: a file of a mesh, a network or a photograph, the name of a preset shape, or an expression.
        progress: called with what is being done.

    Raises:
        InputError: it is none of them, or the file cannot be used.
    """
    path = Path(text)
    suffix = path.suffix.lower()
    if suffix in MESH_SUFFIXES:
        from headviz.interop import load_mesh

        progress("reading the mesh")
        return Source(MeshField(load_mesh(path)), source_name(text), "mesh")
    if suffix == NETWORK_SUFFIX:
        from headviz.geometry.field_network import load_field_network

        progress("reading the network")
        return Source(load_field_network(path), source_name(text), "network")
    if suffix in PHOTO_SUFFIXES:
        return Source(_head_field(path, progress), source_name(text), "photograph")
    if path.is_file():
        kinds = ", ".join([*MESH_SUFFIXES, NETWORK_SUFFIX, *PHOTO_SUFFIXES])
        raise InputError(f"{path} should be a mesh, a network or a photograph ({kinds})")
    if not path.is_file() and ("/" in text or (path.suffix[1:].isalpha() and "(" not in text)):
        raise InputError(f"{text} cannot be read: No such file or directory")
    return Source(parse_shape(text), source_name(text), "shape")


def _head_field(path: Path, progress: Callable[[str], None]) -> Field:
    """The signed distance of the head in a photograph."""
    from headviz.commands.models import LazyModel
    from headviz.models import registry
    from headviz.photo.picture import load_photo

    photo = load_photo(path)
    progress("making a head of the photograph")
    with LazyModel(MODEL, TEXTURE_SIZE) as model:
        made = registry.reconstruct(model.get(), photo.pixels, focal_35mm=photo.focal_35mm)
    if made.field is None:
        raise InputError(f"the model {made.model} gives no field")
    return made.field


def require_space(source: Source) -> None:
    """Refuse a shape in the plane.

    Raises:
        ShapeError: the field is in the plane.
    """
    if source.field.bounds.shape[1] != 3:
        raise ShapeError(
            f"{source.name} lies in the plane; a surface needs a shape in space, such as its .extrude(0.1)"
        )


def source_name(text: str) -> str:
    """What to call the files that are made from a word of the command line."""
    if Path(text).suffix.lower() in (*MESH_SUFFIXES, NETWORK_SUFFIX, *PHOTO_SUFFIXES):
        return Path(text).stem
    return text if text.isidentifier() else "shape"


def check_targets(source: str, *targets: Path) -> None:
    """Refuse, before the work, what cannot be written, and to write over what is read.

    Raises:
        OutputError: a target is the source's file or a folder, or its folder does not exist.
    """
    keep_source(source, *targets)
    for target in targets:
        if target.is_dir():
            raise OutputError(f"{target} cannot be written: it is a folder")
        if not target.parent.is_dir():
            raise OutputError(f"{target} cannot be written: its folder does not exist")


def keep_source(source: str, *targets: Path, instead: str = "name another file by -o") -> None:
    """Refuse to write over what is read.

    Raises:
        OutputError: a target is the source's file; the message ends with what to do instead.
    """
    for target in targets:
        if target.exists() and Path(source).exists() and target.samefile(source):
            raise OutputError(f"{target} is what is read; {instead}")


@contextmanager
def collected_warnings() -> Iterator[list[str]]:
    """Warnings as lines of text instead of Python's way to print them."""
    lines: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield lines
        finally:
            lines += [str(one.message) for one in caught]
