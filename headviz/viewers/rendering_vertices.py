"""Which vertices a rendering's viewer moves: named ones of the packaged head, or some that any mesh has."""

from __future__ import annotations

import torch
from torch import Tensor

from headviz.geometry.camera import Camera
from headviz.geometry.mesh import Mesh
from headviz.heads.landmarks import CHIN, NOSE_TIP
from headviz.heads.model import HeadModel, load_head
from headviz.render.shade import Rendering, render
from headviz.render.soft import SoftMask

CHEEK = 425  #: of MediaPipe's points, in the middle of the left cheek
OUTLINE = "on the outline"


def chosen_vertices(mesh: Mesh, camera: Camera, rendering: Rendering, soft: SoftMask | None) -> dict[str, int]:
    """Names of some telling vertices: of a head's parts, or of what is seen; with a soft mask, one on the outline.

    Args:
        mesh: that is drawn.
        camera: from where.
        rendering: of both.
        soft: how soft the mask is; ``None`` for none.
    """
    head = load_head()
    count = len(head.faces)
    is_head = len(mesh.vertices) >= len(head.mean) and torch.equal(mesh.faces[:count].cpu(), head.faces)
    found = _of_head(head) if is_head else _of_any(mesh, camera, rendering)
    if soft is not None:
        vertex = _on_outline(mesh, camera, soft)
        if vertex is not None and vertex not in found.values():
            found[OUTLINE] = vertex
    return found


def _of_head(head: HeadModel) -> dict[str, int]:
    """Of the packaged head, or one with its faces."""
    points = head.landmarks(head.mean)

    def nearest(landmark: int) -> int:
        return int((head.mean - points[landmark]).norm(dim=1).argmin())

    def farthest(region: str, axis: int) -> int:
        return int(torch.where(head.region(region), head.mean[:, axis], -torch.inf).argmax())

    return {
        "nose tip": nearest(NOSE_TIP), "chin": nearest(CHIN), "left cheek": nearest(CHEEK),
        "left ear rim": farthest("left_ear", 0), "crown": farthest("scalp", 1),
    }  # fmt: skip


def _of_any(mesh: Mesh, camera: Camera, rendering: Rendering) -> dict[str, int]:
    """Of what is seen: the vertex nearest to the camera, and the outermost ones in the picture."""
    seen = torch.unique(mesh.faces[rendering.fragments.covering])
    if not len(seen):
        return {}
    points = camera.to_camera(mesh.vertices[seen])
    spots = camera.project(mesh.vertices[seen])
    orders = {"nearest to the camera": points[:, 2], "highest": -spots[:, 1], "lowest": spots[:, 1],
              "farthest left": -spots[:, 0], "farthest right": spots[:, 0]}  # fmt: skip
    found: dict[str, int] = {}
    for name, order in orders.items():
        vertex = int(seen[order.argmax()])
        if vertex not in found.values():
            found[name] = vertex
    return found


def _on_outline(mesh: Mesh, camera: Camera, soft: SoftMask) -> int | None:
    """The vertex that the sum of the soft mask follows most; ``None`` where it follows none."""
    vertices: Tensor = mesh.vertices.detach().clone().requires_grad_(True)
    moved = Mesh(vertices=vertices, faces=mesh.faces)
    with torch.enable_grad():
        mask = render(moved, camera, soft=soft).soft_mask
        assert mask is not None
        (slope,) = torch.autograd.grad(mask.sum(), vertices)
    size = slope.norm(dim=1)
    return int(size.argmax()) if bool(size.max() > 0) else None
