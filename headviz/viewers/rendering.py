"""A rendering as a viewer: how a mesh becomes a picture, stage by stage, and what gradients flow back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from headviz.errors import OptionError
from headviz.geometry.camera import Camera
from headviz.geometry.mesh import Mesh
from headviz.render.light import Lighting, headlight
from headviz.render.soft import SoftMask
from headviz.viewers.record import Record
from headviz.viewers.rendering_record import NEEDED, OF, Scene, camera_around, checked, rendering_record
from headviz.viewers.rendering_words import caption_of
from headviz.viewers.viewer import State, Viewer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AXES = ("x", "y", "z")
SIZE = 180  #: side of the picture without a camera, pixels
#: The light of all plain renders, with a little gloss so that there are highlights to see.
LIGHT = replace(headlight(), gloss=0.15, shininess=10.0)
SOFT = SoftMask()


@dataclass(frozen=True)
class RenderingState(State):
    """What is chosen of a rendering; the step is the stage.

    Attributes:
        pixel: column and row of the pixel that is looked at.
        beside: the same for the soft mask, which tells more beside the mesh, and for its gradient.
        vertex: name of the vertex that is moved; "" is the first.
        axis: along which it is moved: ``"x"``, ``"y"`` or ``"z"``.
        of: what changes then: ``"picture"`` or ``"soft mask"``.
    """

    pixel: tuple[int, int] = (0, 0)
    beside: tuple[int, int] = (0, 0)
    vertex: str = ""
    axis: str = "z"
    of: str = "picture"


@dataclass(frozen=True, eq=False)
class RenderingViewer(Viewer):
    """A mesh on its way to a picture."""

    kind: ClassVar[str] = "rendering"
    state_type: ClassVar[type[State]] = RenderingState
    requires: ClassVar[tuple[str, ...]] = NEEDED
    size: ClassVar[tuple[float, float]] = (11.0, 5.9)

    def __post_init__(self) -> None:
        super().__post_init__()
        checked(self.record)
        state, camera = self.chosen, self.record.facts["camera"]
        for name in ("pixel", "beside"):
            column, row = getattr(state, name)
            if not (0 <= column < camera["width"] and 0 <= row < camera["height"]):
                raise OptionError(f"{name} should be a column below {camera['width']} and a row below "
                                  f"{camera['height']}; it is ({column}, {row})")  # fmt: skip
        for name, allowed in (("vertex", ["", *self.vertices]), ("axis", list(AXES)), ("of", list(self.of))):
            if getattr(state, name) not in allowed:
                raise OptionError(f"{name} should be one of {', '.join(allowed)}; it is {getattr(state, name)!r}")

    @property
    def chosen(self) -> RenderingState:
        """The state."""
        assert isinstance(self.state, RenderingState)
        return self.state

    @property
    def stages(self) -> list[str]:
        """Names of the stages, in the order of the steps."""
        return [stage["name"] for stage in self.record.facts["stages"]]

    @property
    def vertices(self) -> list[str]:
        """Names of the vertices that can be moved."""
        return [vertex["name"] for vertex in self.record.facts["vertices"]]

    @property
    def vertex(self) -> str | None:
        """Name of the vertex that is moved."""
        return self.chosen.vertex or (self.vertices[0] if self.vertices else None)

    @property
    def of(self) -> tuple[str, ...]:
        """What can change when a vertex moves: there may be no soft mask."""
        return OF if "soft_mask" in self.record.arrays else OF[:1]

    @property
    def steps(self) -> int:
        """One per stage."""
        return len(self.stages)

    @property
    def stage(self) -> str:
        """Name of the stage that is shown."""
        return self.stages[self.state.step]

    @property
    def pixel(self) -> tuple[int, int]:
        """Column and row of the pixel that this stage is about."""
        state = self.chosen
        soft = self.stage == "soft_mask" or (self.stage == "gradient" and state.of == "soft mask")
        return state.beside if soft else state.pixel

    @property
    def pairs(self) -> slice:
        """Where the faces that make the soft mask of the pixel are among the pairs, the strongest first."""
        first, number = self.record.arrays["pair_first"], self._number
        return slice(int(first[number]), int(first[number + 1]))

    @property
    def changes(self) -> slice:
        """Where the pixels that change with the chosen vertex are among all."""
        if self.vertex is None:
            return slice(0, 0)
        first, place = self.record.arrays["change_first"], self.vertices.index(self.vertex)
        return slice(int(first[place]), int(first[place + 1]))

    @property
    def _number(self) -> int:
        column, row = self.pixel
        return row * int(self.record.facts["camera"]["width"]) + column

    def changed(self) -> tuple[Int[np.ndarray, " k"], Int[np.ndarray, " k"]]:
        """Numbers of the pixels that the vertex changes along the axis, and their entries of the signed scale."""
        arrays, axis = self.record.arrays, AXES.index(self.chosen.axis)
        values = arrays["change_picture"] if self.chosen.of == "picture" else arrays["change_mask"]
        rows = np.arange(len(values))[self.changes]
        moved = values[rows, axis].reshape(len(rows), math.prod(values.shape[2:])).any(axis=1)
        code = arrays["change_code"][rows[moved], self.of.index(self.chosen.of), axis]
        return arrays["change_pixel"][rows[moved]].astype(np.int64), code.astype(np.int64)

    def at(self, **changes: Any) -> RenderingViewer:
        """The same record in another state; another vertex brings a pixel that it changes, another pixel the cursor.

        Raises:
            OptionError: there is no such field, or a value is out of range.
        """
        made = replace(self, state=self.state.changed(changes))
        state = made.chosen
        where = "pixel" if state.of == "picture" else "beside"
        if (state.vertex, state.of) != (self.chosen.vertex, self.chosen.of) and where not in changes:
            own = next(row for row in self.record.facts["vertices"] if row["name"] == made.vertex)[where]
            made = replace(made, state=state.changed({where: own or getattr(state, where)}))
        if made.pixel == self.pixel or "cursor" in changes:
            return made
        return replace(made, state=made.state.changed({"cursor": made.position()}))

    def position(self) -> list[float] | None:
        """The point that the pixel sees, metres; ``None`` beside the mesh."""
        camera, (column, row) = self.record.facts["camera"], self.pixel
        depth = float(self.record.arrays["depth"][row, column])
        if not math.isfinite(depth):
            return None
        x = (column + 0.5 - camera["center"][0]) / camera["focal"]
        y = -(row + 0.5 - camera["center"][1]) / camera["focal"]
        direction: Float[np.ndarray, "3"] = np.array([x, y, -1.0]) @ np.array(camera["rotation"])
        found: list[float] = (np.array(camera["position"]) + depth * direction).tolist()
        return found

    @property
    def numbers(self) -> dict[str, Any]:
        """What the pixel knows, whichever stage is shown; ``None`` for what it does not have."""
        arrays, (column, row) = self.record.arrays, self.pixel
        face = int(arrays["face"][row, column])

        def value(name: str) -> Any:
            return arrays[name][row, column].astype(np.float64).tolist() if name in arrays else None

        names = ("weights", "depth", "normal", "uv", "color", "light", "highlight")
        return {
            "stage": self.stage, "pixel": [column, row], "covered": face >= 0, "face": face if face >= 0 else None,
            "faces_met": int(arrays["layers"][row, column]),
            "corners": arrays["faces"][face].tolist() if face >= 0 else None,
            **{name: value(name) if face >= 0 else None for name in names},
            "picture": value("picture"), "soft_mask": value("soft_mask"), **self._pair_numbers(),
            **self._change_numbers(), "position": self.position(),
        }  # fmt: skip

    def _pair_numbers(self) -> dict[str, Any]:
        """How many faces make the soft mask of the pixel, and the strongest of them."""
        arrays, here, (column, row) = self.record.arrays, self.pairs, self.pixel
        some = here.stop > here.start
        return {
            "contributing": int(arrays["contributing"][row, column]),
            "strongest_face": int(arrays["pair_face"][here.start]) if some else None,
            "strongest_distance": float(arrays["pair_distance"][here.start]) if some else None,
            "strongest_probability": float(arrays["pair_probability"][here.start]) if some else None,
        }

    def _change_numbers(self) -> dict[str, Any]:
        """How the pixel changes per millimetre that the vertex moves, and how many change at all."""
        arrays, state = self.record.arrays, self.chosen
        pixel, _ = self.changed()
        change = None
        if self._number in pixel:
            row = self.changes.start + int(np.flatnonzero(arrays["change_pixel"][self.changes] == self._number)[0])
            values = arrays["change_picture"] if state.of == "picture" else arrays["change_mask"]
            change = values[row, AXES.index(state.axis)].astype(np.float64).reshape(-1).tolist()
        return {
            "vertex": self.vertex, "axis": state.axis, "of": state.of,
            "change": change, "changed": len(pixel), "pixels": arrays["face"].size,
        }  # fmt: skip

    @property
    def caption(self) -> str:
        """What the pixel knows after this stage."""
        return caption_of(self.numbers, self.record.facts)

    def draw(self, figure: Figure) -> None:
        """The map of the stage, and the faces around the pixel."""
        from headviz.viewers.rendering_picture import draw

        draw(self, figure)


def view_rendering(
    mesh: Mesh,
    camera: Camera | None = None,
    *,
    light: Lighting | None = LIGHT,
    soft: SoftMask | None = SOFT,
    background: Float[Tensor, "..."] | None = None,
    vertices: Mapping[str, int] | None = None,
    title: str = "",
) -> RenderingViewer:
    """A viewer of a rendering: the stages on the way from a mesh to a picture, and how vertices change its pixels.

    Args:
        mesh: vertices in metres.
        camera: from where; by default one that sees all of the mesh, with a picture of 180 × 180 pixels.
        light: ``None`` shows colours as they are, and leaves out the stages of the light.
        soft: how soft the soft mask is; ``None`` leaves its stage out.
        background: linear RGB, as of :func:`~headviz.render.shade.render`.
        vertices: by which gradients are shown: name and index of each. By default, where the mesh has the faces of the
            packaged head, some of its parts, else the outermost that are seen; and one on the outline.
        title: what it is.

    Raises:
        OptionError: the picture has more than 262,144 pixels, or there is no such vertex.
        CameraError: no pixel sees the mesh; and, with ``MeshError`` and ``ShapeError``, as
            :func:`~headviz.render.shade.render`.
    """
    camera = camera_around(mesh, size=SIZE) if camera is None else camera
    record = rendering_record(Scene(mesh, camera, light, soft, background), vertices)
    return viewer_of(record, title=title)


def viewer_of(record: Record, *, title: str = "") -> RenderingViewer:
    """The viewer of a rendering's record, at its first stage and a telling pixel."""
    viewer = RenderingViewer(record, RenderingState(), title)
    first = {"pixel": record.facts["pixel"], "beside": record.facts["beside"], "vertex": viewer.vertex or ""}
    return viewer.at(**first)
