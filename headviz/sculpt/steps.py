"""The steps of a sculpting session: what was done, as plain numbers. A session is its base and these."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar, TypeVar

import numpy as np

from headviz.errors import OptionError, SessionError
from headviz.geometry.rbf import KERNELS

TOOLS = ("grab", "inflate", "smooth", "flatten", "pinch", "mask")
FALLOFFS = ("smooth", "wendland", "gaussian", "sphere", "linear", "sharp", "constant")
SIDES = ("left", "right")
MASK_CHANGES = ("clear", "invert")

FARTHEST = 1e6  #: metres from the origin, along each axis, to which points and vertices may go

Point = tuple[float, float, float]
_T = TypeVar("_T")


def point_of(values: Any) -> Point:
    """Three finite numbers, rounded to float32, which is what a session computes with.

    Raises:
        SessionError: they are not three finite numbers.
    """
    values = values.tolist() if hasattr(values, "tolist") else values  # of numpy or torch
    try:
        x, y, z = (float(np.float32(number_of(value, "a coordinate"))) for value in values)
    except (TypeError, ValueError) as error:
        raise SessionError(
            f"a point should be three numbers from {-FARTHEST:g} to {FARTHEST:g}; it is {values!r:.80}"
        ) from error
    return x, y, z


def number_of(value: Any, name: str, low: float = -FARTHEST, high: float = FARTHEST) -> float:
    """A finite number between two others.

    Raises:
        SessionError: it is none.
    """
    value = value.item() if getattr(value, "ndim", 1) == 0 else value  # of numpy or torch
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise SessionError(f"{name} should be a number; it is {value!r:.80}")
    if not (math.isfinite(value) and low <= value <= high):
        raise SessionError(f"{name} should be a number from {low:g} to {high:g}; it is {value!r:.80}")
    return float(value)


def flag_of(value: Any, name: str) -> bool:
    """Yes or no.

    Raises:
        SessionError: it is neither.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise SessionError(f"{name} should be true or false; it is {value!r:.80}")
    return bool(value)


def choice_of(value: Any, name: str, known: Sequence[str]) -> str:
    """One of some words.

    Raises:
        OptionError: it is none of them.
    """
    if not isinstance(value, str) or value not in known:
        raise OptionError(f"{name} should be one of {', '.join(known)}; it is {value!r:.80}")
    return value


@dataclass(frozen=True)
class Brush:
    """What a stroke is made with.

    Attributes:
        tool: one of ``TOOLS``.
        radius: how far it reaches, metres.
        strength: 1 is the tool's usual amount, in [0, 4].
        falloff: how its weight falls from the centre to the radius, one of ``FALLOFFS``.
        invert: deflate, sharpen, roughen, spread, unmask; a grab goes the other way.
        symmetric: whether the other side follows.
    """

    tool: str = "grab"
    radius: float = 0.03
    strength: float = 1.0
    falloff: str = "smooth"
    invert: bool = False
    symmetric: bool = True

    def __post_init__(self) -> None:
        choice_of(self.tool, "tool", TOOLS)
        choice_of(self.falloff, "falloff", FALLOFFS)
        set_ = object.__setattr__
        set_(self, "radius", number_of(self.radius, "radius", 1e-9))
        set_(self, "strength", number_of(self.strength, "strength", 0.0, 4.0))
        set_(self, "invert", flag_of(self.invert, "invert"))
        set_(self, "symmetric", flag_of(self.symmetric, "symmetric"))

    @property
    def amount(self) -> float:
        """Strength with its sign."""
        return -self.strength if self.invert else self.strength


@dataclass(frozen=True)
class Keypoint:
    """A radial basis function and its warp vector: one term of Eq. 3.1, with its mirror twin where it has one.

    Attributes:
        position: where it sits on the base mesh, metres. Distances are measured there, so that the weights of a
            keypoint never change while the surface moves.
        vector: warp vector; in exact mode the displacement that the keypoint itself makes; metres.
        kernel: one of :data:`headviz.geometry.rbf.KERNELS`.
        alpha: shape parameter of the kernel.
        strength: factor on the vector, relative to the kernel's value at the keypoint; without effect in exact mode.
        symmetric: whether its mirror twin moves with it.
    """

    position: Point
    vector: Point = (0.0, 0.0, 0.0)
    kernel: str = "gaussian"
    alpha: float = 4000.0
    strength: float = 1.0
    symmetric: bool = True

    def __post_init__(self) -> None:
        choice_of(self.kernel, "kernel", KERNELS)
        set_ = object.__setattr__
        set_(self, "position", point_of(self.position))
        set_(self, "vector", point_of(self.vector))
        set_(self, "alpha", number_of(self.alpha, "alpha", 1e-9, 1e12))
        set_(self, "strength", number_of(self.strength, "strength", -100.0, 100.0))
        set_(self, "symmetric", flag_of(self.symmetric, "symmetric"))


class Step:
    """One thing that was done to a head. Subclasses are frozen dataclasses of plain values."""

    kind: ClassVar[str]

    @property
    def text(self) -> str:
        """What was done, in a few words."""
        raise NotImplementedError

    def plain(self) -> dict[str, Any]:
        """JSON values, from which :func:`step_of` makes the step again."""
        return {"kind": self.kind, **{f.name: _plain(getattr(self, f.name)) for f in fields(self)}}  # type: ignore[arg-type]


@dataclass(frozen=True)
class Stroke(Step):
    """A stroke of a brush.

    Attributes:
        brush: what it was made with.
        points: the dabs' centres; of a grab the one point that was taken hold of; metres.
        vector: where a grab was dragged to, from that point; metres.
    """

    kind = "stroke"
    brush: Brush
    points: tuple[Point, ...]
    vector: Point = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        if not isinstance(self.brush, Brush):
            raise SessionError(f"a stroke should be made with a Brush; it is {self.brush!r:.80}")
        if not len(self.points) or (self.brush.tool == "grab" and len(self.points) > 1):
            wanted = "one point" if self.brush.tool == "grab" else "at least one point"
            raise SessionError(
                f"a stroke of the tool {self.brush.tool} should have {wanted}; it has {len(self.points)}"
            )
        object.__setattr__(self, "points", tuple(point_of(point) for point in self.points))
        object.__setattr__(self, "vector", point_of(self.vector))

    def __repr__(self) -> str:
        points = repr(self.points[0]) + f" and {len(self.points) - 1:,} more" * (len(self.points) > 1)
        return f"Stroke({self.brush!r}, {points}, vector={self.vector!r})"

    @property
    def text(self) -> str:
        """The tool and its radius."""
        radius = 1000 * self.brush.radius
        return (
            f"{self.brush.tool}, radius {radius:.0f} mm"
            if radius >= 1000
            else f"{self.brush.tool}, radius {radius:.3g} mm"
        )


@dataclass(frozen=True)
class SetKeypoints(Step):
    """The keypoints as they are from now on.

    Attributes:
        keypoints: all of them.
        exact: whether vectors are solved for that move each keypoint by exactly its own vector.
    """

    kind = "keypoints"
    keypoints: tuple[Keypoint, ...] = ()
    exact: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "exact", flag_of(self.exact, "exact"))
        points = _list(self.keypoints, "keypoints")
        if not all(isinstance(point, Keypoint) for point in points):
            raise SessionError(f"keypoints should be of the type Keypoint; they are {points!r:.80}")
        object.__setattr__(self, "keypoints", tuple(points))
        if self.exact and len({(point.kernel, point.symmetric) for point in self.keypoints}) > 1:
            raise SessionError("keypoints in exact mode should share one kernel and be all symmetric or none")

    @property
    def text(self) -> str:
        """How many there are."""
        count = len(self.keypoints)
        return f"{count} keypoint{'s' * (count != 1)}{', exact' * self.exact}"


@dataclass(frozen=True)
class SetSliders(Step):
    """New weights of some of the base's morphs.

    Attributes:
        values: weight by name.
    """

    kind = "sliders"
    values: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.values, Mapping):
            raise SessionError(f"sliders should be names with weights; they are {self.values!r:.80}")
        values = {str(name): number_of(value, f"slider {name!s:.40}", -100, 100) for name, value in self.values.items()}
        object.__setattr__(self, "values", values)

    @property
    def text(self) -> str:
        """The slider, or how many."""
        if len(self.values) == 1:
            return "{} {:.2f}".format(*next(iter(self.values.items())))
        return f"{len(self.values)} sliders"


@dataclass(frozen=True)
class Symmetrise(Step):
    """One side becomes the mirror image of the other.

    Attributes:
        keep: the side that stays, the head's own left (+x) or right.
    """

    kind = "symmetrise"
    keep: str = "left"

    def __post_init__(self) -> None:
        choice_of(self.keep, "keep", SIDES)

    @property
    def text(self) -> str:
        """The side that stays."""
        return f"symmetrise, {self.keep} side kept"


@dataclass(frozen=True)
class ChangeMask(Step):
    """The whole mask at once.

    Attributes:
        how: clear or invert.
    """

    kind = "mask"
    how: str = "clear"

    def __post_init__(self) -> None:
        choice_of(self.how, "how", MASK_CHANGES)

    @property
    def text(self) -> str:
        """What was done."""
        return f"{self.how} mask"


def step_of(plain: Any) -> Step:
    """The step of its plain values; see :meth:`Step.plain`.

    Raises:
        SessionError: they describe no step.
        OptionError: a name in them does not exist.
    """
    content = _known(
        plain, {"kind", "brush", "points", "vector", "keypoints", "exact", "values", "keep", "how"}, "a step"
    )
    kind = content.pop("kind", None)
    makers: dict[str, Any] = {
        "stroke": _stroke,
        "keypoints": _keypoints,
        "sliders": _sliders,
        "symmetrise": Symmetrise,
        "mask": ChangeMask,
    }
    if not isinstance(kind, str) or kind not in makers:
        raise SessionError(f"a step should be one of {', '.join(makers)}; it is {kind!r:.80}")
    try:
        step: Step = makers[kind](**content)
    except TypeError as error:
        raise SessionError(f"a step of the kind {kind} has other entries than it should: {error}") from error
    return step


def _stroke(brush: Any, points: Any, vector: Any = (0.0, 0.0, 0.0)) -> Stroke:
    known = _known(brush, {f.name for f in fields(Brush)}, "a brush")
    return Stroke(Brush(**known), tuple(point_of(point) for point in _list(points, "points")), point_of(vector))


def _keypoints(keypoints: Any, exact: Any = False) -> SetKeypoints:
    names = {f.name for f in fields(Keypoint)}
    known = [_known(point, names, "a keypoint") for point in _list(keypoints, "keypoints")]
    places = ("position", "vector")
    read: list[dict[str, Any]] = [
        {name: point_of(value) if name in places else value for name, value in point.items()} for point in known
    ]
    return SetKeypoints(tuple(Keypoint(**point) for point in read), exact)


def _sliders(values: Any) -> SetSliders:
    return SetSliders(values)


def _list(values: Any, name: str) -> list[Any]:
    if not isinstance(values, (list, tuple)):
        raise SessionError(f"{name} should be a list; it is {values!r:.80}")
    return list(values)


def _known(plain: Any, names: set[str], what: str) -> dict[str, Any]:
    """The entries of a JSON object, none of which may be unknown."""
    if not isinstance(plain, Mapping):
        raise SessionError(f"{what} should be a JSON object; it is {plain!r:.80}")
    unknown = sorted(str(name) for name in plain if name not in names)
    if unknown:
        raise SessionError(f"{what} has entries that are not known: {', '.join(unknown):.80}")
    return dict(plain)


def _plain(value: Any) -> Any:
    if isinstance(value, (Brush, Keypoint)):
        return {name: _plain(entry) for name, entry in asdict(value).items()}
    if isinstance(value, tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, Mapping):
        return dict(value)
    return value
