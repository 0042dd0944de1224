"""Signed distance to a mesh."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor
from torch.autograd.function import once_differentiable

from headviz.errors import FieldError, MeshError, SurfaceWarning
from headviz.geometry.field import ArrayField
from headviz.geometry.mesh import Mesh
from headviz.geometry.mesh_sign import Closest, Surface, morton_order


class Nearest(NamedTuple):
    """Where a mesh is nearest to some points.

    Attributes:
        distance: to the surface, without sign, metres, shape (n,).
        face: index of the nearest face among the mesh's, shape (n,).
        weights: barycentric weights of the nearest point on that face, shape (n, 3).
        points: the nearest points, metres, shape (n, 3).
    """

    distance: Float[Tensor, " n"]
    face: Int[Tensor, " n"]
    weights: Float[Tensor, "n 3"]
    points: Float[Tensor, "n 3"]


class MeshField(ArrayField):
    """Signed distance to a mesh, exact: negative where the mesh's winding number is above 1/2 or below −1/2.

    The distance is that to the nearest face, whichever it is: overlapping parts are one inside, and a face within it
    is at distance 0 without a change of sign. The sign is the generalised winding number's (Jacobson et al.,
    SIGGRAPH 2013), so parts may overlap, faces may be doubled, an inside-out mesh is the same solid, and across a small
    hole the inside ends at a membrane; there the value jumps, and only there a step by it is not safe.
    See :class:`headviz.geometry.mesh_sign.Surface` for how it is found.

    The value has first derivatives by the points and by the mesh's vertices as they were when the field was made: the
    direction from the surface, and on the surface the face's normal. Second derivatives are refused by autograd.
    Queries are computed by libigl on the processor's cores, in double precision, wherever the points are.

    Args:
        mesh: a surface, or several, closed, faces counter-clockwise seen from outside. Faces without area are left out.

    Attributes:
        exact: the value is the distance, not a bound of it.
        boundary_edges: edges of the mesh that are not closed, 0 for a watertight mesh; vertices at one place are one.
        degenerate_faces: how many faces have no area and were left out.

    Raises:
        MeshError: the mesh has no face with an area, or a vertex that is not finite.

    Warns:
        SurfaceWarning: the mesh is not watertight; says how many edges are open.
    """

    lipschitz: float = 1.0
    exact: bool = True

    def __init__(self, mesh: Mesh) -> None:
        bad = int((~torch.isfinite(mesh.vertices.detach()).all(1)).sum())
        if bad:
            raise MeshError(f"vertices should be finite; {bad} of {len(mesh.vertices)} are NaN or infinite")
        if not len(mesh.faces):
            raise MeshError(f"a mesh should have faces; this one has {len(mesh.vertices)} vertices and no face")
        self._vertices, self._faces = mesh.vertices, mesh.faces.long()
        self._surface = Surface(mesh.vertices.detach().double().cpu().numpy(), self._faces.cpu().numpy())
        self.degenerate_faces = len(mesh.faces) - len(self._surface.faces)
        self.boundary_edges = self._surface.boundary_edges
        if not len(self._surface.faces):
            raise MeshError(f"a mesh should have a face with an area; all {len(mesh.faces)} faces have none")
        used = mesh.vertices.detach()[self._faces.reshape(-1)]
        self.bounds: Float[Tensor, "2 3"] = torch.stack([used.amin(0), used.amax(0)])
        if self.boundary_edges:
            dropped = f"; {self.degenerate_faces} faces without area are left out" if self.degenerate_faces else ""
            warnings.warn(
                f"the mesh is not watertight: {self.boundary_edges} edges are open{dropped}; "
                "what is inside is told by the winding number, which closes small holes",
                SurfaceWarning,
                stacklevel=2,
            )

    def __getstate__(self) -> dict[str, Any]:
        """Without the part of autograd's graph that the vertices came from, which cannot be copied."""
        return {**self.__dict__, "_vertices": self._vertices.detach()}

    def values(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Signed distances in metres, shape (n,), in the points' precision and on their device.

        Raises:
            FieldError: a point is not finite.
        """
        queries = _array(points)
        order, closest = self._closest(queries)
        sign = np.where(self._surface.inside(queries[order], closest), -1.0, 1.0)
        signed = _unsorted(sign * closest.distance, order)
        if not (torch.is_grad_enabled() and (points.requires_grad or self._vertices.requires_grad)):
            return torch.from_numpy(signed).to(points)
        return self._differentiable(points, queries[order], (order, closest), (sign, signed))

    def nearest(self, points: Float[Tensor, "n 3"]) -> Nearest:
        """Where the mesh is nearest to points of shape (n, 3), in the points' precision; without gradients.

        Raises:
            FieldError: a point is not finite.
        """
        order, closest = self._closest(_array(points))
        face = _unsorted(self._surface.kept[closest.face], order)
        distance, weights, where = (
            torch.from_numpy(_unsorted(part, order)).to(points)
            for part in (closest.distance, closest.weights, closest.point)
        )
        return Nearest(distance, torch.from_numpy(face).to(points.device), weights, where)

    def _closest(self, queries: Float[np.ndarray, "n 3"]) -> tuple[Int[np.ndarray, " n"], Closest]:
        if not len(queries):
            return np.zeros(0, np.int64), Closest(queries, np.zeros(0, np.int64), queries, queries[:, 0])
        order = morton_order(queries)
        return order, self._surface.closest(queries[order])

    def _differentiable(
        self,
        points: Tensor,
        queries: Float[np.ndarray, "n 3"],
        closest: tuple[Int[np.ndarray, " n"], Closest],
        signed: tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]],
    ) -> Tensor:
        """The values with the way back; ``queries``, the closest points and the sign are in Morton order."""
        order, at = closest
        away = queries - at.point
        far = (at.distance > 1e-12 * self._surface.size)[:, None]
        normal = self._surface.normals[at.face]
        direction = np.where(far, signed[0][:, None] * away / np.where(far, at.distance[:, None], 1.0), normal)
        value, slope, weights = (
            torch.from_numpy(part).to(points)
            for part in (signed[1], _unsorted(direction, order), _unsorted(at.weights, order))
        )
        face = torch.from_numpy(_unsorted(self._surface.kept[at.face], order)).to(self._faces.device)
        corners = self._faces[face]
        found: Tensor = _Distance.apply(points, self._vertices, value, slope, weights, corners)  # type: ignore[no-untyped-call]
        return found


class _Distance(torch.autograd.Function):
    """Values whose derivative by the point is the slope, and by the nearest face's corners minus its share of it."""

    @staticmethod
    def forward(
        ctx: Any, points: Tensor, vertices: Tensor, value: Tensor, slope: Tensor, weights: Tensor, corners: Tensor
    ) -> Tensor:
        ctx.save_for_backward(vertices, slope, weights, corners)
        ctx.points_need = points.requires_grad
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        vertices, slope, weights, corners = ctx.saved_tensors
        pull = upstream[:, None] * slope
        moved = None
        if ctx.needs_input_grad[1]:
            shares = -(weights[:, :, None] * pull[:, None]).reshape(-1, 3).to(vertices)
            moved = torch.zeros_like(vertices).index_add(0, corners.reshape(-1), shares)
        return pull if ctx.needs_input_grad[0] else None, moved, None, None, None, None


def _array(points: Float[Tensor, "n 3"]) -> Float[np.ndarray, "n 3"]:
    found: np.ndarray[Any, Any] = points.detach().double().cpu().numpy()
    bad = len(found) - int(np.isfinite(found).all(1).sum())
    if bad:
        raise FieldError(f"points should be finite; {bad} of {len(found)} are NaN or infinite")
    return np.ascontiguousarray(found)


def _unsorted(values: Shaped[np.ndarray, "..."], order: Int[np.ndarray, " n"]) -> Shaped[np.ndarray, "..."]:
    """Values back in the order of the queries that were sorted by ``order``."""
    found = np.empty_like(values)
    found[order] = values
    return found
