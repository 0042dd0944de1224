"""A mesh as a viewer: the smallest one, and the pattern for others (docs/add-a-viewer.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from headviz.errors import MeshError
from headviz.geometry.mesh import Mesh
from headviz.viewers import look
from headviz.viewers.record import Record, array
from headviz.viewers.viewer import State, Viewer

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class MeshState(State):
    """``wireframe``: whether the edges are drawn instead of the surface."""

    wireframe: bool = False


@dataclass(frozen=True, eq=False)
class MeshViewer(Viewer):
    """A triangle mesh that can be turned."""

    kind: ClassVar[str] = "mesh"
    state_type: ClassVar[type[State]] = MeshState
    requires: ClassVar[tuple[str, ...]] = ("vertices", "faces")
    precision: ClassVar[dict[str, float]] = {"vertices": 1e-5}

    @property
    def numbers(self) -> dict[str, Any]:
        """Counts, and the sides of the box in metres."""
        return {name: self.record.facts[name] for name in ("vertices", "faces", "size")}

    @property
    def caption(self) -> str:
        """How large the mesh is."""
        facts = self.record.facts
        sides = " × ".join(look.number(side) for side in facts["size"])
        counts = f"{look.count(facts['vertices'], 'vertex', 'vertices')} and {look.count(facts['faces'], 'face')}"
        return f"{counts} in a box of {sides} m."

    def draw(self, figure: Figure) -> None:
        """The mesh from the front and from its left."""
        from headviz.viewers.surfaces import draw_surface

        vertices, faces = self.record.arrays["vertices"], self.record.arrays["faces"]
        for place, (yaw, name) in enumerate(((0.0, "front"), (90.0, "left"))):
            axes = figure.add_subplot(1, 2, place + 1)
            draw_surface(axes, vertices, faces, yaw=yaw)
            axes.set_title(name)


def view_mesh(mesh: Mesh, *, title: str = "") -> MeshViewer:
    """A viewer of a mesh.

    Args:
        mesh: vertices in metres.
        title: what it is.

    Raises:
        MeshError: it has no vertices, or some are NaN or infinite.
    """
    vertices, faces = array(mesh.vertices).astype(np.float32), array(mesh.faces)
    wrong = int((~np.isfinite(vertices)).any(axis=1).sum())
    if not len(vertices):
        raise MeshError("a mesh to look at should have at least one vertex; it has none")
    if wrong:
        raise MeshError(
            f"a mesh to look at should have finite vertices; {wrong} of {len(vertices)} are NaN or infinite"
        )
    size = vertices.max(axis=0) - vertices.min(axis=0)
    facts = {"vertices": len(vertices), "faces": len(faces), "size": size}
    return MeshViewer(Record("mesh", facts, {"vertices": vertices, "faces": faces}), MeshState(), title)
