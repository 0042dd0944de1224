"""Fields: functions of space whose level 0 is a surface."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from headviz.geometry.mesh import Mesh


@runtime_checkable
class Field(Protocol):
    """A function of space, negative inside.

    Attributes:
        bounds: lower and upper corner of a box that contains the surface, metres, shape (2, 3).
        lipschitz: an upper bound of the gradient's length; 1 for an exact distance.
    """

    bounds: Float[Tensor, "2 3"]
    lipschitz: float

    def __call__(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Values at points of shape (n, 3), metres."""
        ...


class MeshField:
    """Signed distance to a closed mesh, exact, not differentiable.

    The sign is the generalised winding number's (Barill et al., "Fast Winding Numbers for Soups and
    Clouds", 2018), so small holes and overlapping parts do no harm. Computed by libigl.

    Args:
        mesh: closed surface, or several, faces counter-clockwise seen from outside.
    """

    lipschitz: float = 1.0

    def __init__(self, mesh: Mesh) -> None:
        self._vertices = mesh.vertices.detach().double().numpy()
        self._faces = mesh.faces.numpy()
        self.bounds: Float[Tensor, "2 3"] = torch.stack([mesh.vertices.amin(0), mesh.vertices.amax(0)]).detach()

    def __call__(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Signed distances in metres, shape (n,), in the points' precision.

        Raises:
            ValueError: a point is not finite.
        """
        if not bool(torch.isfinite(points).all()):
            raise ValueError("points should be finite; some are NaN or infinite")
        if not len(points):
            return points.new_zeros(0)
        import igl

        queries = np.ascontiguousarray(points.detach().double().numpy())
        kind = igl.SIGNED_DISTANCE_TYPE_FAST_WINDING_NUMBER
        signed, _, nearest, _ = igl.signed_distance(queries, self._vertices, self._faces, sign_type=kind)
        # libigl scales the distance by an approximate winding number; only its sign is wanted here.
        distance = np.copysign(np.linalg.norm(queries - nearest.reshape(-1, 3), axis=1), np.reshape(signed, -1))
        return torch.from_numpy(distance).to(points.dtype)
