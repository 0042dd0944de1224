"""A sculpted head as a mesh file, in the frame of the file that it came from."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from headviz.errors import OutputError
from headviz.geometry.files import write_glb, write_obj, write_ply, write_stl
from headviz.geometry.mesh import Mesh
from headviz.sculpt.origin import Origin
from headviz.sculpt.session import SculptSession

#: Endings of the files that :func:`export_mesh` writes.
EXPORT_FORMATS = (".glb", ".obj", ".ply", ".stl")
_DIGITS = 6  #: of the longest side, in OBJ files


def posed_mesh(session: SculptSession) -> tuple[Mesh, dict[str, float]]:
    """The head as it would be with all sliders at 0, and the sliders' weights, in the frame of its file.

    Morph targets are those of the base: pose + Σ weight · morph is the head as it is, to the rounding of float32.
    """
    weights = {name: weight for name, weight in session.sliders.items() if weight}
    pose = session.positions.astype(np.float64)
    for name, weight in weights.items():
        pose -= np.float32(weight) * session.layers.morphs[name].astype(np.float64)
    still = torch.from_numpy(pose.astype(np.float32))
    normals = None if weights else torch.from_numpy(session.normals.copy())
    return session.origin.frame.restore(replace(session.mesh, vertices=still, normals=normals)), weights


def baked_mesh(session: SculptSession) -> Mesh:
    """The head as it is, sliders included, without morph targets, in the frame of its file."""
    return session.origin.frame.restore(replace(session.mesh, morphs={}))


def export_mesh(session: SculptSession, path: str | Path, *, attribution: str | None = None) -> list[Path]:
    """Write the head as a mesh.

    GLB keeps texture, texture coordinates, colours and morph targets; sliders are its morph weights, so they stay
    sliders. OBJ keeps the numbers of vertices, texture and coordinates; PLY coordinates and colours; STL the shape. In
    these three the sliders' weights are baked in. A mesh that was moved or scaled before goes back to its own frame.

    Args:
        session: what to write.
        path: the file; its ending tells the format.
        attribution: goes into the file, where the format has a place for it.

    Returns:
        The files that were written, the mesh first.

    Raises:
        OutputError: the ending is another one, or the file cannot be written.

    Warns:
        UserWarning: the base's own file was written over; from now on the session keeps the base itself.
    """
    path = Path(path)
    base = Path(session.origin.name)
    own = session.origin.kind == "file" and path.exists() and base.exists() and path.samefile(base)
    written = _write(session, path, attribution)
    if own:
        session.origin = Origin(frame=session.origin.frame)
        warnings.warn(
            f"{path.name} was the base of the session: save the session again, for files saved before need the old one",
            stacklevel=2,
        )
    return written


def _write(session: SculptSession, path: Path, attribution: str | None) -> list[Path]:
    kind = path.suffix.lower()
    if kind == ".glb":
        mesh, weights = posed_mesh(session)
        write_glb(path, mesh, weights=weights, attribution=attribution, texture_format="png")
    elif kind == ".obj":
        mesh = baked_mesh(session)
        return write_obj(path, mesh, attribution=attribution, decimals=_decimals(mesh))
    elif kind == ".ply":
        write_ply(path, baked_mesh(session), attribution=attribution)
    elif kind == ".stl":
        write_stl(path, baked_mesh(session), attribution=attribution)
    else:
        raise OutputError(f"{path} should end in {', '.join(EXPORT_FORMATS)}; it ends in {kind!r}")
    return [path]


def _decimals(mesh: Mesh) -> int:
    """Digits behind the point: micrometres where the unit is the metre, more where the whole mesh is small."""
    size = float((mesh.vertices.amax(0) - mesh.vertices.amin(0)).max())
    return min(20, max(6, _DIGITS - 1 - math.floor(math.log10(size)))) if size > 0 else 6
