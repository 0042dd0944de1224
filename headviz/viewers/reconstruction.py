"""A head from a photograph, stage by stage: photograph, face, landmarks, fit, texture, head, signed distance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
import torch
from jaxtyping import Float

from headviz.errors import OptionError
from headviz.geometry.grid_field import GridField
from headviz.models.reconstruction import Reconstruction
from headviz.viewers.reconstruction_record import grid_in, moved_vertices, record_of
from headviz.viewers.reconstruction_words import cursor_words, expression_words, slice_words
from headviz.viewers.viewer import State, Viewer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AXES = ("x", "y", "z")
SURFACES = ("auto", "texture", "confidence", "plain", "wireframe")
MAPS = ("texture", "confidence")
Self = TypeVar("Self", bound="ReconstructionViewer")


@dataclass(frozen=True)
class ReconstructionState(State):
    """What was chosen.

    Attributes:
        landmarks: whether landmarks are drawn over the photograph, from their stage on.
        opacity: of the fitted head over the photograph, 0 to 1.
        surface: how the head is painted; ``"auto"`` as fits the stage.
        expression: weights of the morphs, 0 to 1; ``None`` as in the photograph.
        axis, position: the plane of the slice; position in metres.
        follow: whether the slice goes where the cursor goes.
        lines: whether lines of equal distance are drawn.
        map: which map of the skin is shown.
    """

    landmarks: bool = True
    opacity: float = 0.75
    surface: str = "auto"
    expression: tuple[float, ...] | None = None
    axis: str = "x"
    position: float = 0.0
    follow: bool = True
    lines: bool = True
    map: str = "texture"


@dataclass(frozen=True, eq=False)
class ReconstructionViewer(Viewer):
    """A reconstruction and the way to it."""

    kind: ClassVar[str] = "reconstruction"
    state_type: ClassVar[type[State]] = ReconstructionState
    requires: ClassVar[tuple[str, ...]] = ("photograph", "window", "overlay", "vertices", "faces", "source")
    precision: ClassVar[dict[str, float]] = {"vertices": 1e-5, "average": 1e-5}
    size: ClassVar[tuple[float, float]] = (12.0, 4.6)

    def __post_init__(self) -> None:
        super().__post_init__()
        state = self.choice
        choices = (("surface", state.surface, SURFACES), ("axis", state.axis, AXES), ("map", state.map, MAPS))
        for name, value, known in choices:
            if value not in known:
                raise OptionError(f"{name} should be one of {', '.join(known)}; it is {value!r}")
        if not 0 <= state.opacity <= 1:
            raise OptionError(f"opacity should be in 0 to 1; it is {state.opacity}")
        morphs = len(self.record.facts["morphs"])
        if state.expression is not None and len(state.expression) != morphs:
            raise OptionError(f"expression should have {morphs} weights; it has {len(state.expression)}")
        if not np.isfinite(state.position):
            raise OptionError(f"position should be a number of metres; it is {state.position}")

    @property
    def choice(self) -> ReconstructionState:
        """The state, as its own type."""
        assert isinstance(self.state, ReconstructionState)
        return self.state

    def at(self: Self, **changes: Any) -> Self:
        """The same in another state; a cursor takes the slice with it where ``follow`` is on, as on the page."""
        found = self.state.changed(changes)
        assert isinstance(found, ReconstructionState)
        if self.grid is None or found.axis not in AXES or not np.isfinite(found.position):
            return replace(self, state=found)
        axis = AXES.index(found.axis)
        goes = found.follow and "position" not in changes and ("cursor" in changes or "axis" in changes)
        position = found.cursor[axis] if goes and found.cursor is not None else found.position
        low, high = (float(corner[axis]) for corner in self.grid.bounds)
        return replace(self, state=replace(found, position=min(high, max(low, float(position)))))

    @property
    def stages(self) -> list[dict[str, str]]:
        """Name, title and sentence of each stage."""
        stages: list[dict[str, str]] = self.record.facts["stages"]
        return stages

    @property
    def stage(self) -> str:
        """Name of the current stage."""
        return self.stages[self.state.step]["name"]

    @property
    def steps(self) -> int:
        """One per stage."""
        return len(self.record.facts["stages"])

    @property
    def grid(self) -> GridField | None:
        """The sampled distance, in double precision."""
        return grid_in(self.record)

    @property
    def weights(self) -> list[float]:
        """The weights of the morphs."""
        chosen = self.choice.expression
        return list(self.record.facts["expression"] if chosen is None else chosen)

    def strongest(self) -> tuple[str, float] | None:
        """Name and weight of the strongest morph; ``None`` where none is in use."""
        pairs = list(zip(self.record.facts["morphs"], self.weights, strict=True))
        name, weight = max(pairs, key=lambda pair: pair[1], default=("", 0.0))
        return (name, weight) if weight > 0 else None

    def moved(self) -> float:
        """How far the farthest vertex is from the neutral head, metres."""
        if not self.record.facts["morphs"]:
            return 0.0
        return float(np.sqrt((moved_vertices(self.record, self.weights) ** 2).sum(axis=1)).max())

    def slice(self) -> Float[np.ndarray, "a b"]:
        """The distance on the slice's plane at the samples of the two other axes, metres, shape (a, b)."""
        assert self.grid is not None
        axis = AXES.index(self.choice.axis)
        samples = np.moveaxis(self.grid.samples.numpy(), axis, 0)
        place = (self.choice.position - float(self.grid.origin[axis])) / float(self.grid.spacing[axis])
        first = min(len(samples) - 2, max(0, int(np.floor(place))))
        part = min(1.0, max(0.0, place - first))
        found: Float[np.ndarray, "a b"] = (1 - part) * samples[first] + part * samples[first + 1]
        return found

    def distance(self) -> float | None:
        """The distance at the cursor, metres; ``None`` without one, or outside of the samples."""
        if self.grid is None or self.state.cursor is None:
            return None
        point = torch.tensor([self.state.cursor], dtype=torch.float64)
        if bool((point < self.grid.bounds[0]).any() | (point > self.grid.bounds[1]).any()):
            return None
        return float(self.grid(point)[0])

    @property
    def numbers(self) -> dict[str, Any]:
        """Stage, strongest morph and its effect, span of the slice, distance at the cursor; metres."""
        strongest = self.strongest()
        made: dict[str, Any] = {
            "stage": self.stage,
            "strongest": None if strongest is None else list(strongest),
            "moved": self.moved(),
            "distance": self.distance(),
            "slice": None,
        }
        if self.grid is not None:
            values = self.slice()
            made["slice"] = {"position": self.choice.position, "least": values.min(), "greatest": values.max()}
            made["slice"] = {name: float(value) for name, value in made["slice"].items()}
        return made

    @property
    def caption(self) -> str:
        """What the current stage did, with its numbers."""
        stage = self.stages[self.state.step]
        if stage["name"] == "head":
            return f"{stage['words']}; {expression_words(self.strongest(), self.moved())}."
        if stage["name"] == "distance":
            values = self.slice()
            span = (float(values.min()), float(values.max()))
            where = slice_words(self.choice.axis, self.choice.position, span)
            return f"{where}; {cursor_words(self.state.cursor, self.distance())}."
        return stage["words"]

    def draw(self, figure: Figure) -> None:
        """The photograph with what is known, the head in 3-D, and the slice."""
        from headviz.viewers.reconstruction_picture import draw

        draw(self, figure)


def view_reconstruction(
    reconstruction: Reconstruction,
    *,
    size: int = 512,
    title: str = "",
    grid: GridField | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> ReconstructionViewer:
    """A viewer of a head from a photograph, and of the way to it.

    Args:
        reconstruction: as every model returns it; what it lacks (landmarks, texture, field) is left out.
        size: pixels of the longer side of the photograph on the page.
        title: what it is a picture of.
        grid: samples of the head's field in space, where they are there already.
        progress: called with what is being done.

    Raises:
        MeshError: the head has no faces, or vertices that are not finite.
        InputError: the photograph has values that are not finite.
        OptionError: the size is not positive.
    """
    if not 16 <= size <= 4096:
        raise OptionError(f"size should be 16 to 4096 pixels; it is {size}")
    record = record_of(reconstruction, size=size, grid=grid, progress=progress)
    return ReconstructionViewer(record, ReconstructionState(), title)
