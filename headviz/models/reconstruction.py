"""What every reconstructor returns: one frozen record of a head made from a picture."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from jaxtyping import Float
from torch import Tensor

from headviz.geometry.camera import Camera
from headviz.geometry.field import Field
from headviz.geometry.mesh import Mesh, vertex_normals


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """A head made from one picture.

    Attributes:
        image: the prepared picture, linear RGB in [0, 1], shape (h, w, 3); ``camera`` belongs to it.
        camera: the camera that saw the head.
        mesh: the neutral head in the canonical pose (y up, face to +z, metres), with UVs, texture and morphs.
        expression: weights of the mesh's morphs that give the face in the picture, by name.
        field: signed distance of the head, or ``None`` where the model has none.
        maps: named pictures, such as ``confidence`` in UV space, each (h, w) or (h, w, c).
        features: named intermediate results that viewers can draw.
        timings: seconds per stage, in the order in which the stages ran.
        model: name of the model that made it.
        report: plain values (errors, fractions, versions) that fit into JSON.
    """

    image: Float[Tensor, "h w 3"]
    camera: Camera
    mesh: Mesh
    expression: Mapping[str, float] = dataclasses.field(default_factory=dict)
    field: Field | None = None
    maps: Mapping[str, Tensor] = dataclasses.field(default_factory=dict)
    features: Mapping[str, Tensor] = dataclasses.field(default_factory=dict)
    timings: Mapping[str, float] = dataclasses.field(default_factory=dict)
    model: str = ""
    report: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @cached_property
    def posed(self) -> Mesh:
        """The mesh with the expression of the picture, as ``camera`` saw it."""
        vertices = self.mesh.vertices
        for name, weight in self.expression.items():
            if weight and name in self.mesh.morphs:
                vertices = vertices + weight * self.mesh.morphs[name]
        return replace(self.mesh, vertices=vertices, normals=vertex_normals(vertices, self.mesh.faces))
