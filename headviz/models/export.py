"""A reconstruction as files: the head in several formats, a preview picture, a report."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

import headviz
from headviz.errors import OutputError
from headviz.geometry.files import atomic_write, write_glb, write_obj, write_ply
from headviz.models.reconstruction import Reconstruction

FORMATS = ("glb", "obj", "ply")  #: what a head can be written as
PACKAGES = ("torch", "numpy", "pillow", "mediapipe")  #: those whose versions decide about a result


def write_reconstruction(
    reconstruction: Reconstruction,
    folder: Path,
    *,
    formats: Sequence[str] = FORMATS,
    attribution: str | None = None,
) -> list[Path]:
    """Write a head, its preview and its report into a folder, which is made where it does not exist.

    The GLB file holds the neutral head with its morphs turned on as in the picture; OBJ and PLY, which have no
    morphs, hold the head with that expression. The files are ``head.glb``, ``head.obj`` with ``head.mtl`` and
    ``head.png``, ``head.ply``, ``preview.png`` and ``report.json``. Each appears whole or not at all, and replaces
    one of the same name; others are left alone. The report comes last, so it lists only what is there.

    Args:
        reconstruction: what to write.
        folder: where to.
        formats: which of ``FORMATS`` to write the head as.
        attribution: goes into the head's files; ``report["attribution"]`` by default.

    Returns:
        Paths of all files written, in that order.

    Raises:
        OutputError: the folder cannot be made or written.
        ValueError: a format is not known.
    """
    if unknown := [name for name in formats if name not in FORMATS]:
        raise ValueError(f"formats should be among {', '.join(FORMATS)}; got {', '.join(map(repr, unknown))}")
    make_folder(folder)
    mesh = reconstruction.mesh
    if attribution is None and isinstance(known := reconstruction.report.get("attribution"), str):
        attribution = known
    written: list[Path] = []
    if "glb" in formats:
        weights = reconstruction.expression
        write_glb(folder / "head.glb", mesh, weights=weights, attribution=attribution)
        written.append(folder / "head.glb")
    if "obj" in formats:
        written += write_obj(folder / "head.obj", reconstruction.posed, attribution=attribution)
    if "ply" in formats:
        picture = "head.png" if folder / "head.png" in written else None
        write_ply(folder / "head.ply", reconstruction.posed, texture_file=picture, attribution=attribution)
        written.append(folder / "head.ply")
    written.append(_write_preview(reconstruction, folder / "preview.png"))
    written.append(folder / "report.json")
    text = json.dumps(report(reconstruction, written), indent=2, allow_nan=False, ensure_ascii=False)
    with atomic_write(written[-1]) as file:
        file.write(text.encode("utf-8", "backslashreplace") + b"\n")
    return written


def make_folder(folder: Path) -> None:
    """Make a folder and those above it.

    Raises:
        OutputError: it cannot be made, or something that is not a folder has its name.
    """
    shown = str(folder) if str(folder).isprintable() else repr(str(folder))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise OutputError(f"{shown} should be a folder; it is, or lies below, a file") from None
    except OSError as error:
        raise OutputError(f"{shown} cannot be made: {error.strerror}") from None
    except ValueError as error:  # a NUL in the name
        raise OutputError(f"{shown} is not the name of a folder: {error}") from None


def report(reconstruction: Reconstruction, files: Sequence[Path] = ()) -> dict[str, Any]:
    """What is known of a reconstruction as values that fit into JSON; numbers that are not finite become null.

    The reconstruction's own report stands at the top level; ``model``, ``timings`` (seconds), ``mesh``, ``files`` and
    ``versions`` are added.
    """
    mesh = reconstruction.mesh
    own = {str(name): plain(value) for name, value in reconstruction.report.items()}
    return (
        {"expression": plain(reconstruction.expression)}
        | own
        | {
            "model": reconstruction.model,
            "timings": plain(reconstruction.timings),
            "mesh": {"vertices": len(mesh.vertices), "faces": len(mesh.faces), "morphs": list(mesh.morphs)},
            "files": [path.name for path in files],
            "versions": versions(),
        }
    )


def versions() -> dict[str, str]:
    """Versions of headviz, Python and the packages that decide about a result."""
    found = {"headviz": headviz.__version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def plain(value: Any) -> Any:
    """A value as JSON has them: tensors and arrays become lists, paths text, NaN and infinity null.

    Raises:
        TypeError: JSON has nothing for it.
    """
    if isinstance(value, Mapping):
        return {str(name): plain(entry) for name, entry in value.items()}
    if isinstance(value, (Tensor, np.ndarray, np.generic)):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"a report should hold numbers, text, lists and mappings; it holds a {type(value).__name__}")


def _write_preview(reconstruction: Reconstruction, path: Path) -> Path:
    """The photograph, the overlay and the head from three sides."""
    from headviz.models.preview import preview_picture

    picture = Image.fromarray(preview_picture(reconstruction))
    with atomic_write(path) as file:
        picture.save(file, "PNG", compress_level=1)
    return path
