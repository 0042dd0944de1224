"""Where the base of a session comes from, and how its frame lies in the file's."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from headviz.geometry.mesh import Mesh

#: What a base can be: arrays in memory, a file, or a mesh that a program knows by name.
KINDS = ("memory", "file", "named")


@dataclass(frozen=True)
class Frame:
    """How a mesh was moved and scaled before it was sculpted: ours = (theirs − center) · scale.

    Attributes:
        center: the point that became the origin, in the units of the file.
        scale: metres per unit of the file.
    """

    center: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: float = 1.0

    def apply(self, mesh: Mesh) -> Mesh:
        """From the file's frame into ours."""
        if self == Frame():
            return mesh
        center = torch.tensor(self.center, dtype=torch.float64)
        return _moved(mesh, ((mesh.vertices.detach().double() - center) * self.scale), self.scale)

    def restore(self, mesh: Mesh) -> Mesh:
        """From our frame back into the file's, morph targets included."""
        if self == Frame():
            return mesh
        center = torch.tensor(self.center, dtype=torch.float64)
        return _moved(mesh, mesh.vertices.detach().double() / self.scale + center, 1.0 / self.scale)


def _moved(mesh: Mesh, vertices: Float[Tensor, "n 3"], scale: float) -> Mesh:
    """The mesh with other positions, in its precision; computed in double precision, so that little is lost."""
    kind = mesh.vertices.dtype
    morphs = {name: (offsets.detach().double() * scale).to(kind) for name, offsets in mesh.morphs.items()}
    return replace(mesh, vertices=vertices.to(kind), morphs=morphs)


@dataclass(frozen=True)
class Origin:
    """Where the base of a session comes from.

    Attributes:
        kind: one of ``KINDS``.
        name: path of the file or the name; empty for a mesh from memory.
        fixes: what :func:`headviz.sculpt.condition.fix` did after reading, in this order.
        frame: how the mesh lies in the file's frame; an export goes back to it.
    """

    kind: str = "memory"
    name: str = ""
    fixes: tuple[str, ...] = ()
    frame: Frame = Frame()


def content_hash(mesh: Mesh) -> str:
    """SHA-256 of what strokes depend on: positions as float32 and faces as int32, both little-endian."""
    digest = hashlib.sha256()
    for array in arrays_of(mesh):
        digest.update(np.array(array.shape, "<i8").tobytes())
        digest.update(array.data)
    return digest.hexdigest()


def arrays_of(mesh: Mesh) -> tuple[Shaped[np.ndarray, "n 3"], Shaped[np.ndarray, "m 3"]]:
    """Positions as little-endian float32 and faces as little-endian int32, in C order."""
    vertices = np.ascontiguousarray(mesh.vertices.detach().cpu().numpy(), "<f4")
    return vertices, np.ascontiguousarray(mesh.faces.cpu().numpy(), "<i4")
