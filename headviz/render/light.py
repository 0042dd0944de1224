"""Light: ambient, directional, point and spherical-harmonic sources, and the highlights that a surface adds to them.

Every number may be one for all pictures or, with a first dimension, one per picture. Gradients flow to all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from headviz.errors import OptionError, ShapeError

#: Directions towards a source and the light that arrives from there, both shape (p, 3) or (3,).
Beam = tuple[Tensor, Tensor]


@runtime_checkable
class Source(Protocol):
    """Anything that lights surfaces."""

    def diffuse(
        self, points: Float[Tensor, "p 3"], normals: Float[Tensor, "p 3"], picture: Int[Tensor, " p"]
    ) -> Float[Tensor, "..."]:
        """Light that arrives at a matt surface, linear RGB, shape (p, 3) or (3,)."""
        ...

    def beam(self, points: Float[Tensor, "p 3"], picture: Int[Tensor, " p"]) -> Beam | None:
        """Where light comes from, for highlights; ``None`` if from everywhere."""
        ...


@dataclass(frozen=True, eq=False)
class Ambient:
    """The same light on every side.

    Attributes:
        color: linear RGB, shape (3,) or (b, 3).
    """

    color: Float[Tensor, "..."]

    def __post_init__(self) -> None:
        _check("color", self.color, (3,))

    def diffuse(self, points: Tensor, normals: Tensor, picture: Tensor) -> Tensor:
        """See :class:`Source`."""
        del points, normals
        return _each(self.color, 1, picture)

    def beam(self, points: Tensor, picture: Tensor) -> None:
        """From everywhere."""
        del points, picture


@dataclass(frozen=True, eq=False)
class Directional:
    """Light from far away.

    Attributes:
        direction: towards the source, of any length but 0, shape (3,) or (b, 3).
        color: linear RGB that arrives at a surface across the light, shape (3,) or (b, 3).
    """

    direction: Float[Tensor, "..."]
    color: Float[Tensor, "..."]

    def __post_init__(self) -> None:
        _check("direction", self.direction, (3,))
        _check("color", self.color, (3,))

    def diffuse(self, points: Tensor, normals: Tensor, picture: Tensor) -> Tensor:
        """Lambert's cosine."""
        toward, color = self.beam(points, picture)
        return _lambert(normals, toward, color)

    def beam(self, points: Tensor, picture: Tensor) -> Beam:
        """The same everywhere."""
        del points
        return _each(normalize(self.direction, dim=-1), 1, picture), _each(self.color, 1, picture)


@dataclass(frozen=True, eq=False)
class Point:
    """Light from a place.

    Attributes:
        position: in the world, metres, shape (3,) or (b, 3).
        color: linear RGB, shape (3,) or (b, 3): what arrives at a surface across the light in a distance of 1 m.
        falloff: power of the distance by which light falls: 2 for a physical source, 0 for one that does not.
    """

    position: Float[Tensor, "..."]
    color: Float[Tensor, "..."]
    falloff: float = 2.0

    def __post_init__(self) -> None:
        _check("position", self.position, (3,))
        _check("color", self.color, (3,))

    def diffuse(self, points: Tensor, normals: Tensor, picture: Tensor) -> Tensor:
        """Lambert's cosine."""
        toward, color = self.beam(points, picture)
        return _lambert(normals, toward, color)

    def beam(self, points: Tensor, picture: Tensor) -> Beam:
        """Towards the position, weaker with the distance."""
        away = _each(self.position, 1, picture) - points
        color = _each(self.color, 1, picture)
        if self.falloff:
            squared = away.square().sum(-1, keepdim=True).clamp(min=1e-12)
            color = color * squared ** (-self.falloff / 2)
        return normalize(away, dim=-1), color


@dataclass(frozen=True, eq=False)
class Harmonics:
    """Soft light from all around: irradiance as a quadratic function of the normal, never below 0.

    Source: R. Ramamoorthi and P. Hanrahan, "An efficient representation for irradiance environment maps",
    SIGGRAPH 2001.

    Attributes:
        coefficients: of bands 0 to 2 per colour, shape (9, 3) or (b, 9, 3), in the order
            1, y, z, x, xy, yz, 3z²−1, xz, x²−y², without normalisation constants.
    """

    coefficients: Float[Tensor, "..."]

    def __post_init__(self) -> None:
        _check("coefficients", self.coefficients, (9, 3))

    def diffuse(self, points: Tensor, normals: Tensor, picture: Tensor) -> Tensor:
        """The polynomial, clamped at 0."""
        del points
        x, y, z = normals.unbind(-1)
        one = torch.ones_like(x)
        basis = torch.stack([one, y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y], dim=-1)
        if self.coefficients.ndim == 2 or len(self.coefficients) == 1:
            return (basis @ self.coefficients.reshape(9, 3).to(basis)).clamp(min=0)
        return torch.einsum("pk,pkc->pc", basis, _each(self.coefficients, 2, picture).to(basis)).clamp(min=0)

    def beam(self, points: Tensor, picture: Tensor) -> None:
        """From everywhere."""
        del points, picture


@dataclass(frozen=True, eq=False)
class Lighting:
    """All that lights a scene, and how surfaces shine.

    Attributes:
        sources: their light is added up.
        gloss: strength of highlights, a number or a tensor with one value or one per picture; 0 is Lambert's matt
            surface.
        shininess: exponent of highlights.
        model: ``"blinn-phong"`` compares the normal with the direction halfway between light and viewer (J. Blinn,
            1977), ``"phong"`` the mirrored light with the viewer (B. Phong, 1975).
    """

    sources: tuple[Source, ...]
    gloss: float | Float[Tensor, "..."] = 0.0
    shininess: float = 24.0
    model: Literal["blinn-phong", "phong"] = "blinn-phong"

    def __post_init__(self) -> None:
        if self.model not in ("blinn-phong", "phong"):
            raise OptionError(f"model should be 'blinn-phong' or 'phong'; it is {self.model!r}")
        if not self.shininess > 0:
            raise OptionError(f"shininess should be positive; it is {self.shininess}")
        if isinstance(self.gloss, Tensor) and self.gloss.ndim > 1:
            raise ShapeError(f"gloss should have shape () or (b,); shape is {tuple(self.gloss.shape)}")

    def irradiance(
        self, points: Float[Tensor, "p 3"], normals: Float[Tensor, "p 3"], picture: Int[Tensor, " p"] | None = None
    ) -> Float[Tensor, "p 3"]:
        """Light that arrives at matt surfaces, linear RGB, shape (p, 3).

        Args:
            points: in the world, metres, shape (p, 3).
            normals: unit vectors, shape (p, 3).
            picture: which picture each point is in, shape (p,); the first by default.
        """
        picture = torch.zeros(len(points), dtype=torch.int64, device=points.device) if picture is None else picture
        total = torch.zeros_like(normals)
        for source in self.sources:
            total = total + source.diffuse(points, normals, picture)
        return total

    @property
    def shines(self) -> bool:
        """Whether there are highlights."""
        return isinstance(self.gloss, Tensor) or self.gloss > 0

    def highlights(
        self,
        points: Float[Tensor, "p 3"],
        normals: Float[Tensor, "p 3"],
        view: Float[Tensor, "p 3"],
        picture: Int[Tensor, " p"],
    ) -> Float[Tensor, "p 3"]:
        """Light that a glossy surface reflects towards the viewer, linear RGB, shape (p, 3).

        Args:
            points: in the world, metres, shape (p, 3).
            normals: unit vectors, shape (p, 3).
            view: unit vectors towards the viewer, shape (p, 3).
            picture: which picture each point is in, shape (p,).
        """
        total = torch.zeros_like(normals)
        for source in self.sources:
            beam = source.beam(points, picture)
            if beam is None:
                continue
            toward, color = beam
            cosine = (normals * toward).sum(-1, keepdim=True)
            if self.model == "phong":
                found = ((2 * cosine * normals - toward) * view).sum(-1)
            else:
                found = (normals * normalize(view + toward, dim=-1)).sum(-1)
            found = torch.where(cosine[..., 0] > 0, found, 0.0)  # no light arrives from behind the surface
            total = total + (found.clamp(min=0) ** self.shininess)[..., None] * color
        gloss = self.gloss
        if isinstance(gloss, Tensor):
            gloss = gloss.reshape(-1)[0] if gloss.numel() == 1 else gloss[picture][:, None]
        return gloss * total

    def mapped(self, change: Callable[[str, Tensor], Tensor]) -> Lighting:
        """The same light with every tensor changed by a function of its name and itself."""
        gloss = change("gloss", self.gloss) if isinstance(self.gloss, Tensor) else self.gloss
        return replace(self, sources=tuple(_mapped(source, change) for source in self.sources), gloss=gloss)

    def to(self, like: Tensor) -> Lighting:
        """The same light in the precision and on the device of a tensor."""
        return self.mapped(lambda _, values: values.to(like))


def headlight(strength: float = 0.55) -> Lighting:
    """The look of all plain renders: soft light from above and in front."""
    harmonics = torch.zeros(9, 3)
    harmonics[0], harmonics[1], harmonics[2] = 0.5, 0.12, 0.08
    direction = torch.nn.functional.normalize(torch.tensor([0.25, 0.45, 0.85]), dim=0)
    return Lighting((Harmonics(harmonics), Directional(direction, torch.full((3,), strength))))


def _lambert(normals: Tensor, toward: Tensor, color: Tensor) -> Tensor:
    return (normals * toward).sum(-1, keepdim=True).clamp(min=0) * color


def _each(values: Tensor, own: int, picture: Tensor) -> Tensor:
    """Values of every point's picture, or the ones for all."""
    if values.ndim == own:
        return values
    return values[0] if len(values) == 1 else values.index_select(0, picture)


def _check(name: str, values: Tensor, shape: tuple[int, ...]) -> None:
    if tuple(values.shape[values.ndim - len(shape) :]) != shape or values.ndim > len(shape) + 1:
        text = ", ".join(map(str, shape))
        raise ShapeError(f"{name} should have shape ({text}{',' if len(shape) == 1 else ''}) or (b, {text}); "
                         f"shape is {tuple(values.shape)}")  # fmt: skip


def _mapped(source: Source, change: Callable[[str, Tensor], Tensor]) -> Source:
    thing: Any = source
    named = is_dataclass(thing)  # a source of another package may be anything
    if not named:
        return source
    values = {field.name: getattr(thing, field.name) for field in fields(thing)}
    changed: Source = replace(thing, **{n: change(n, v) for n, v in values.items() if isinstance(v, Tensor)})
    return changed
