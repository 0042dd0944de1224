"""Sphere tracing of one ray in a slice: its safe circles, and what other methods find on the same ray."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from jaxtyping import Shaped

from headviz.errors import OptionError, RayError
from headviz.geometry import Field
from headviz.viewers.look import length, number
from headviz.viewers.ray_search import (
    METHODS,
    RELAXATION,
    STATUS_WORDS,
    RaySettings,
    Search,
    instructive_ray,
    search,
    true_root,
)
from headviz.viewers.ray_words import sentence
from headviz.viewers.record import Record
from headviz.viewers.slices import Box, IsoLines, Slice, iso_lines, slice_field, slice_of
from headviz.viewers.viewer import State, Viewer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Place = tuple[float, float]


@dataclass(frozen=True)
class RayState(State):
    """What a person has chosen of the ray.

    Attributes:
        origin: where it starts in the plane, metres.
        angle: of its direction, degrees, counter-clockwise from the first axis.
        method: ``"plain"``, ``"relaxed"`` or ``"adaptive"`` sphere tracing, ``"fixed"`` steps, or ``"bracketing"``.
        relaxation: how many radii far over-relaxed steps go, in [1, 2).
        tolerance: of the field's value at a hit, metres.
        max_steps: moves that sphere tracing may use.
        step_size: of fixed steps, metres.
        bound_factor: the Lipschitz bound that sphere tracing assumes, as a part of the one that the field claims; below
            1 steps may end beyond the surface.
    """

    origin: Place = (0.0, 0.0)
    angle: float = 180.0
    method: str = "plain"
    relaxation: float = RELAXATION
    tolerance: float = 1e-4
    max_steps: int = 64
    step_size: float = 0.01
    bound_factor: float = 1.0


@dataclass(frozen=True, eq=False)
class RayViewer(Viewer):
    """A slice through a field, and a ray that is searched in it."""

    state: RayState

    kind: ClassVar[str] = "ray"
    state_type: ClassVar[type[State]] = RayState
    requires: ClassVar[tuple[str, ...]] = ("grid", "iso_points", "iso_offsets", "iso_level", "iso_labels")
    size: ClassVar[tuple[float, float]] = (10.5, 5.6)

    def __post_init__(self) -> None:
        if isinstance(self.state, RayState):
            _check(self.state)
        super().__post_init__()

    @cached_property
    def slice(self) -> Slice:
        """The sampled plane."""
        return slice_of(self.record)

    @property
    def iso(self) -> IsoLines:
        """Its lines of round values."""
        arrays = self.record.arrays
        points, offsets, level, labels = (arrays[f"iso_{name}"] for name in ("points", "offsets", "level", "labels"))
        return IsoLines(points.astype(np.float64), offsets.astype(np.int64), level, labels)

    @property
    def settings(self) -> RaySettings:
        """The ray and how it is searched."""
        state = self.state
        bound = state.bound_factor * self.slice.lipschitz
        return RaySettings(
            state.origin, state.angle, state.relaxation, state.tolerance, int(state.max_steps), state.step_size, bound
        )

    @cached_property
    def search(self) -> Search:
        """What the chosen method finds, look by look."""
        return search(self.slice.grid, self.state.method, self.settings)

    @cached_property
    def root(self) -> float | None:
        """The true first root of the samples on the ray, metres along it; ``None`` if there is none."""
        return true_root(self.slice.grid, self.settings)

    @cached_property
    def comparison(self) -> list[dict[str, Any]]:
        """All methods on this ray: status, steps, evaluations, error against the true root, over-steps."""
        grid, settings, chosen = self.slice.grid, self.settings, self.state.method
        found = (self.search if name == chosen else search(grid, name, settings) for name in METHODS)
        return [entry.row(self.root) for entry in found]

    @property
    def steps(self) -> int:
        """Steps of the chosen method, and its start."""
        return self.search.steps + 1

    @property
    def position(self) -> Place | None:
        """Where the current step looks, in the plane, metres; ``None`` where the ray does not meet the box."""
        if len(self.search.t) == 0:
            return None
        t = float(self.search.t[self.search.kept[self.state.step]])
        (u, v), (du, dv) = self.state.origin, self.settings.direction
        return u + t * du, v + t * dv

    @property
    def caption(self) -> str:
        """What happens in this step, and the distance at the cursor where somebody points at the plane."""
        told = sentence(self.search, self.state.step, self.settings, self.root)
        seen = self.at_cursor
        if seen is None:
            return told
        u, v, value = seen
        return f"{told} At the cursor ({number(u)}, {number(v)}) the distance is {length(value)}."

    @property
    def at_cursor(self) -> tuple[float, float, float] | None:
        """Place and distance at the cursor, where it is in the plane's box and not at the current look."""
        if self.state.cursor is None:
            return None
        u, v, away = self.slice.project(self.state.cursor)
        left, low, right, high = self.slice.box
        here = self.position
        if here is not None and math.hypot(u - here[0], v - here[1]) < 1e-9:
            return None
        near = abs(away) <= float(self.slice.grid.spacing.max())
        return (u, v, self.slice.value((u, v))) if near and left <= u <= right and low <= v <= high else None

    @property
    def numbers(self) -> dict[str, Any]:
        """The current step, the answer, and the comparison of all methods; lengths in metres."""
        found, step = self.search, self.state.step
        look = int(found.kept[step]) if len(found.t) else None
        distance = None if look is None else float(found.distance[look])
        seen = self.at_cursor
        return {
            "method": found.method, "status": STATUS_WORDS[found.status], "step": step, "last": found.steps,
            "t": None if look is None else float(found.t[look]), "distance": distance,
            "position": None if self.position is None else list(self.position),
            "moved": found.moved(step) if look is not None else 0.0,
            "overstep": look is not None and found.overstep(step) is not None,
            "hit": found.hit, "root": self.root, "bound": self.settings.bound, "comparison": self.comparison,
            "cursor_distance": None if seen is None else seen[2],
        }  # fmt: skip

    def at(self, **changes: Any) -> RayViewer:
        """The same record in another state.

        The cursor follows the current look unless it is given, and a changed ray shows its last step if the last step
        was shown before; else the step stays, as far as there are as many.

        Raises:
            OptionError: there is no such field, or a value is out of range.
            RayError: the ray cannot be searched with these settings.
        """
        state = self.state.changed(changes)
        assert isinstance(state, RayState)
        if changes.keys() - {"step", "cursor"} and "step" not in changes:
            first = replace(self, state=replace(state, step=0))
            shown = first.steps - 1 if self.state.step == self.steps - 1 else min(self.state.step, first.steps - 1)
            state = replace(state, step=shown)
        made = replace(self, state=state)
        if "cursor" in changes or not changes or made.position is None:
            return made
        return replace(made, state=replace(state, cursor=self.slice.embed(made.position)))

    def draw(self, figure: Figure) -> None:
        """The slice with the ray, the field along it, and the table of methods."""
        from headviz.viewers.ray_picture import draw_ray

        draw_ray(self, figure)


def _check(state: RayState) -> None:
    """Refuse what the tracers would refuse, in the words of the state."""
    numbers = (*state.origin, state.angle)
    if len(state.origin) != 2 or not all(math.isfinite(value) for value in numbers):
        raise OptionError(f"origin and angle should be finite; they are {state.origin} and {state.angle}")
    if state.method not in METHODS:
        raise OptionError(f"method should be one of {', '.join(METHODS)}; it is {state.method!r}")
    if not 1 <= state.relaxation < 2:
        raise OptionError(f"relaxation should be in [1, 2); it is {state.relaxation}")
    if state.max_steps < 1 or state.max_steps != int(state.max_steps):
        raise OptionError(f"max_steps should be a whole number of at least 1; it is {state.max_steps}")
    for name in ("tolerance", "step_size", "bound_factor"):
        value = getattr(state, name)
        if not 0 < value < math.inf:
            raise OptionError(f"{name} should be positive and finite; it is {value}")


def view_ray(
    field: Field,
    *,
    origin: Sequence[float] | None = None,
    direction: Sequence[float] | None = None,
    plane: tuple[str, float] | None = None,
    box: Box | None = None,
    samples: int = 256,
    method: str = "plain",
    title: str = "",
) -> RayViewer:
    """A viewer of sphere tracing in a plane: one ray, its safe circles, and other methods on the same ray.

    It computes on samples of the field, here and in the browser; how far they are off is measured and told.

    Args:
        field: negative inside; of the plane, or of space.
        origin: where the ray starts, metres: (u, v) in the plane's axes, or a point of space, which is moved into the
            plane. By default an instructive ray is chosen, with a given direction one towards the middle of the box.
        direction: of the ray, of any length but 0, as the origin; by default towards the deepest inside.
        plane: for a field of space, the axis that is fixed and its value in metres; the mirror plane ("x", 0) by
            default. Axes then are (z, y) if x is fixed, as one sees a head that faces right; (x, z) if y is; (x, y)
            if z is.
        box: left, low, right, high of what is sampled, metres; by default the field's box with a margin.
        samples: number of cells along the longest side, at most 1,024.
        method: that is shown at first.
        title: what it is a picture of.

    Raises:
        OptionError: there is no such plane or method, or there are too many samples.
        RayError: the direction is 0 or not finite.
        BoundsError: the box is not finite; give one.
        FieldError: a value of the field is NaN or infinite.
    """
    cut = slice_field(field, plane=plane, box=box, samples=samples)
    start, angle = _ray(cut, origin, direction)
    size = max(cut.box[2] - cut.box[0], cut.box[3] - cut.box[1])
    state = RayState(
        origin=start, angle=angle, method=method, tolerance=float(f"{2.5e-4 * size:.1e}"),
        step_size=float(f"{size / 40:.1e}"),
    )  # fmt: skip
    arrays: dict[str, Shaped[np.ndarray, "..."]] = {**cut.arrays(), **iso_lines(cut.grid).arrays()}
    drawn = RayViewer(Record("ray", cut.facts(), arrays), state, title)
    facts: Mapping[str, Any] = {**cut.facts(), "ray": state.plain(), "comparison": drawn.comparison, "root": drawn.root}
    found = drawn.search
    looks = {"look_t": found.t, "look_distance": found.distance, "look_undone": found.undone}
    whole = Record("ray", facts, {**arrays, **looks})
    return RayViewer(whole, replace(state, step=drawn.steps - 1), title)


def _ray(cut: Slice, origin: Sequence[float] | None, direction: Sequence[float] | None) -> tuple[Place, float]:
    """Origin and angle: what was given, else what is worth looking at."""
    if origin is None and direction is None:
        return instructive_ray(cut.grid, cut.lipschitz)
    left, low, right, high = cut.box
    way = None if direction is None else _in_plane(cut, "direction", direction)
    if way is not None and (way == (0.0, 0.0) or not all(math.isfinite(part) for part in way)):
        raise RayError(f"direction should be finite and not 0 in the plane; it is {direction}")
    if origin is not None:
        start = _in_plane(cut, "origin", origin)
    else:
        assert way is not None
        back = 0.48 * min((right - left) / max(abs(way[0]), 1e-300), (high - low) / max(abs(way[1]), 1e-300))
        start = (left + right) / 2 - back * way[0], (low + high) / 2 - back * way[1]
    if way is None:
        samples = cut.grid.samples
        row, column = divmod(int(samples.argmin()), samples.shape[1])
        target = (cut.grid.origin + cut.grid.spacing * cut.grid.origin.new_tensor([row, column])).tolist()
        way = target[0] - start[0], target[1] - start[1]
        way = way if way != (0.0, 0.0) else (-1.0, 0.0)
    return start, math.degrees(math.atan2(way[1], way[0])) % 360.0


def _in_plane(cut: Slice, name: str, given: Sequence[float]) -> Place:
    """Two coordinates of the plane, or the same of a point or direction of space."""
    if len(given) == 2:
        return float(given[0]), float(given[1])
    if len(given) == 3 and cut.plane is not None:
        _, u, v = cut.embedding
        away = np.asarray([float(part) for part in given])
        return float(away @ u), float(away @ v)
    expected = "2" if cut.plane is None else "2 or 3"
    raise OptionError(f"{name} should have {expected} coordinates; it has {len(given)}")
