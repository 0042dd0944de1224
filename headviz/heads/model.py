"""The parametric head: a linear model of identity and expression, shipped as one file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from safetensors import safe_open
from torch import Tensor

from headviz import assets
from headviz.geometry.mesh import Mesh

ASSET = "heads/head.safetensors"


@dataclass(frozen=True)
class Slider:
    """A named direction of the identity space.

    Attributes:
        name: what it changes, in plain words.
        component: index of the identity component.
        sign: +1 or −1, so that a larger value means more of what the name says.
        correlation: how well the component follows the named property, in [0, 1].
    """

    name: str
    component: int
    sign: float
    correlation: float


@dataclass(frozen=True, eq=False)
class HeadModel:
    """Heads as mean + identity · basis + expression · shapes, in metres, y up, face to +z.

    Identity coefficients are in standard deviations: a random head has coefficients ~ N(0, 1).
    Expression weights are in [0, 1], named as ARKit's 52 blend shapes.

    Attributes:
        mean: mean head, shape (n, 3).
        identity: scaled principal components, shape (k, n, 3), metres per standard deviation.
        expression: one shape per name in ``expression_names``, shape (52, n, 3), metres.
        faces, uv, uv_faces: triangles (m, 3), texture coordinates (t, 2), indices into them (m, 3).
        mirror: index of each vertex's twin across x = 0, shape (n,).
        landmark_faces, landmark_weights: where MediaPipe's 478 points lie: face (478,), barycentric (478, 3).
        landmark_mirror: twin of each landmark across x = 0, shape (478,).
        region_bits: one bit per region, shape (n,); use ``region``.
        solid_loops: boundary loops (neck, right eye, left eye) that the solid version closes with a fan.
        metadata: sliders, regions' names, attribution and measured figures, as built.
    """

    mean: Float[Tensor, "n 3"]
    identity: Float[Tensor, "k n 3"]
    expression: Float[Tensor, "e n 3"]
    faces: Int[Tensor, "m 3"]
    uv: Float[Tensor, "t 2"]
    uv_faces: Int[Tensor, "m 3"]
    mirror: Int[Tensor, " n"]
    landmark_faces: Int[Tensor, " l"]
    landmark_weights: Float[Tensor, "l 3"]
    landmark_mirror: Int[Tensor, " l"]
    region_bits: Int[Tensor, " n"]
    solid_loops: tuple[Int[Tensor, " _"], ...]
    expression_names: tuple[str, ...]
    metadata: Mapping[str, object]

    @cached_property
    def _basis(self) -> Float[Tensor, "c d"]:
        return torch.cat([self.identity.flatten(1), self.expression.flatten(1)])

    def vertices(
        self,
        identity: Float[Tensor, "*batch k"] | None = None,
        expression: Float[Tensor, "*batch e"] | None = None,
    ) -> Float[Tensor, "*batch n 3"]:
        """Vertices of one head or a batch, differentiable in both arguments.

        Args:
            identity: coefficients in standard deviations, shape (..., k); fewer than k are padded with 0.
            expression: weights of the 52 expressions, shape (..., 52).

        Returns:
            Positions in metres, shape (..., n, 3).

        Raises:
            ValueError: an argument has too many coefficients.
        """
        count, shapes = len(self.identity), len(self.expression)
        if identity is not None and identity.shape[-1] > count:
            raise ValueError(f"identity should have at most {count} coefficients; it has {identity.shape[-1]}")
        if expression is not None and expression.shape[-1] != shapes:
            raise ValueError(f"expression should have {shapes} weights; it has {expression.shape[-1]}")
        if identity is None and expression is None:
            return self.mean
        if expression is None:
            assert identity is not None
            weights, basis = identity, self._basis[: identity.shape[-1]]
        elif identity is None:
            weights, basis = expression, self._basis[count:]
        else:
            padded = torch.nn.functional.pad(identity, (0, count - identity.shape[-1] + shapes))
            weights, basis = padded + torch.nn.functional.pad(expression, (count, 0)), self._basis
        moved: Tensor = self.mean + (weights @ basis).unflatten(-1, (-1, 3))
        return moved

    def landmarks(self, vertices: Float[Tensor, "*batch n 3"]) -> Float[Tensor, "*batch l 3"]:
        """MediaPipe's 478 points on the surface, metres, shape (..., 478, 3)."""
        corners = vertices[..., self.faces[self.landmark_faces], :]
        return (corners * self.landmark_weights[:, :, None]).sum(-2)

    @property
    def region_names(self) -> tuple[str, ...]:
        """Names of the regions; ``region(name)`` gives the vertices."""
        return tuple(self.metadata["regions"])  # type: ignore[arg-type]

    def region(self, name: str) -> Bool[Tensor, " n"]:
        """Which vertices belong to a named region, shape (n,).

        Raises:
            KeyError: no region has this name; the message lists them.
        """
        if name not in self.region_names:
            raise KeyError(f"no region is named {name!r}; there are: {', '.join(self.region_names)}")
        return (self.region_bits >> self.region_names.index(name)) & 1 == 1

    @property
    def sliders(self) -> tuple[Slider, ...]:
        """The first identity components that have a human name."""
        rows = self.metadata["sliders"]
        return tuple(Slider(**row) for row in rows)  # type: ignore[attr-defined]

    def mesh(self, vertices: Float[Tensor, "n 3"] | None = None, *, morphs: bool = True) -> Mesh:
        """A mesh of the head (the mean head by default), with UVs and the 52 expressions as morphs."""
        named = dict(zip(self.expression_names, self.expression, strict=True)) if morphs else {}
        return Mesh(
            vertices=self.mean if vertices is None else vertices,
            faces=self.faces,
            uv=self.uv,
            uv_faces=self.uv_faces,
            morphs=named,
            mirror=self.mirror,
        )

    def solid(self, vertices: Float[Tensor, "n 3"] | None = None) -> Mesh:
        """A watertight version for signed distances: the neck capped, both eyeballs closed.

        Three vertices are appended, the middle of each loop. Eyeballs remain separate closed surfaces.
        """
        points = self.mean if vertices is None else vertices
        extra: list[Tensor] = []
        faces = [self.faces]
        for loop in self.solid_loops:
            center = len(points) + len(extra)
            extra.append(points[loop].mean(0))
            fan = torch.stack([loop.roll(-1), loop, torch.full_like(loop, center)], dim=1)
            faces.append(fan)
        return Mesh(vertices=torch.cat([points, torch.stack(extra)]), faces=torch.cat(faces))

    def sample(self, count: int, seed: int) -> Float[Tensor, "count k"]:
        """Identity coefficients of random heads, N(0, 1), shape (count, k); the same seed gives the same heads."""
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(count, len(self.identity), generator=generator)


def read_head(path: Path) -> HeadModel:
    """Read a head model that ``python -m headviz.heads.build`` wrote."""
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = json.loads(file.metadata()["headviz"])
    loops = tuple(tensors[f"solid_loop_{k}"].long() for k in range(len(metadata["solid_loops"])))
    return HeadModel(
        mean=tensors["mean"],
        identity=tensors["identity"].float() * tensors["identity_scale"][:, None, None],
        expression=tensors["expression"].float() * tensors["expression_scale"][:, None, None],
        faces=tensors["faces"].long(),
        uv=tensors["uv"],
        uv_faces=tensors["uv_faces"].long(),
        mirror=tensors["mirror"].long(),
        landmark_faces=tensors["landmark_faces"].long(),
        landmark_weights=tensors["landmark_weights"],
        landmark_mirror=tensors["landmark_mirror"].long(),
        region_bits=tensors["region_bits"].long(),
        solid_loops=loops,
        expression_names=tuple(metadata["expressions"]),
        metadata=metadata,
    )


@lru_cache(maxsize=1)
def load_head() -> HeadModel:
    """The packaged head model; loaded once, in under 50 ms."""
    return read_head(assets.path(ASSET))
