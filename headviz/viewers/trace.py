"""A traced picture as a viewer: what every ray knows after each step, and one ray with its safe spheres in space."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from headviz.errors import OptionError
from headviz.geometry.camera import Camera
from headviz.geometry.field import Field
from headviz.geometry.mesh import Mesh
from headviz.geometry.trace_history import Status
from headviz.render.cones import TraceSettings
from headviz.render.traced import TracedImage, camera_around, tolerance_for, trace_camera
from headviz.viewers.record import Record
from headviz.viewers.trace_record import camera_of_rays, trace_record
from headviz.viewers.trace_thin import NEEDED, checked, lean
from headviz.viewers.trace_words import caption_of
from headviz.viewers.viewer import State, Viewer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: What the picture can show, and whether that changes from step to step.
MAPS = ("known", "shaded", "steps", "depth", "normals", "thickness", "status")
SURFACES = ("solid", "clear", "none")
ENDINGS = {Status.MISSED: "missed", Status.HIT: "hit", Status.OUT_OF_STEPS: "out of steps"}
#: From where a shape is looked at if nothing else is said, degrees.
YAW, PITCH = 25.0, 5.0


@dataclass(frozen=True)
class TraceState(State):
    """What is chosen of a traced picture.

    Attributes:
        pixel: column and row of the pixel whose ray is shown.
        map: what the picture shows: ``"known"`` after the step, or one of :data:`MAPS`.
        show_back: whether it is shown where the ray leaves the surface for good.
        surface: in the scene: ``"solid"``, ``"clear"`` (translucent) or ``"none"``.
    """

    pixel: tuple[int, int] = (0, 0)
    map: str = "known"
    show_back: bool = True
    surface: str = "solid"


@dataclass(frozen=True, eq=False)
class Looks:
    """What happened to one ray.

    Attributes:
        step: of the whole trace, shape (k,).
        along: metres from the camera, shape (k,).
        distance: the field there, metres, shape (k,).
        undone: the look was taken back, shape (k,).
        positions: metres, shape (k, 3).
    """

    step: Int[np.ndarray, " k"]
    along: Float[np.ndarray, " k"]
    distance: Float[np.ndarray, " k"]
    undone: Bool[np.ndarray, " k"]
    positions: Float[np.ndarray, "k 3"]


@dataclass(frozen=True, eq=False)
class TraceViewer(Viewer):
    """A picture of a field by sphere tracing, with every look of every ray."""

    kind: ClassVar[str] = "trace"
    state_type: ClassVar[type[State]] = TraceState
    requires: ClassVar[tuple[str, ...]] = NEEDED
    precision: ClassVar[Mapping[str, float]] = {"vertices": 1e-5}
    size: ClassVar[tuple[float, float]] = (11.0, 5.6)

    def __post_init__(self) -> None:
        super().__post_init__()
        checked(self.record)
        object.__setattr__(self, "record", lean(self.record))
        state: Any = self.state
        camera = self.record.facts["camera"]
        column, row = state.pixel
        if not (0 <= column < camera["width"] and 0 <= row < camera["height"]):
            raise OptionError(f"pixel should be a column below {camera['width']} and a row below {camera['height']}; "
                              f"it is ({column}, {row})")  # fmt: skip
        if state.map not in self.maps:
            raise OptionError(f"map should be one of {', '.join(self.maps)}; it is {state.map!r}")
        if state.surface not in SURFACES:
            raise OptionError(f"surface should be one of {', '.join(SURFACES)}; it is {state.surface!r}")

    @property
    def maps(self) -> list[str]:
        """What the picture can show, of :data:`MAPS`."""
        needs = {"shaded": "shaded", "normals": "normal", "thickness": "back"}
        return [name for name in MAPS if name not in needs or needs[name] in self.record.arrays]

    @property
    def steps(self) -> int:
        """Steps of the whole trace; each ray has its own last one."""
        return max(1, len(self.record.arrays["look"]))

    @property
    def pixel(self) -> tuple[int, int]:
        """Column and row of the ray that is shown: the chosen pixel, or the nearest before it whose looks are kept."""
        state: Any = self.state
        every = self.record.facts["every"]
        return state.pixel[0] - state.pixel[0] % every, state.pixel[1] - state.pixel[1] % every

    def direction(self) -> Float[np.ndarray, "3"]:
        """Of the chosen ray; of length 1 along the optical axis."""
        camera, (column, row) = self.record.facts["camera"], self.pixel
        x = (column + 0.5 - camera["center"][0]) / camera["focal"]
        y = -(row + 0.5 - camera["center"][1]) / camera["focal"]
        direction: Float[np.ndarray, "3"] = np.array([x, y, -1.0]) @ np.array(camera["rotation"])
        return direction

    def looks(self) -> Looks:
        """All looks of the chosen ray."""
        arrays, camera, (column, row) = self.record.arrays, self.record.facts["camera"], self.pixel
        where = np.flatnonzero(arrays["index"] == row * camera["width"] + column)
        direction, t = self.direction(), arrays["t"][where].astype(np.float64)
        return Looks(
            np.searchsorted(arrays["offsets"], where, side="right") - 1, t * float(np.linalg.norm(direction)),
            arrays["distance"][where].astype(np.float64), arrays["undone"][where].astype(bool),
            np.array(camera["position"]) + t[:, None] * direction,
        )  # fmt: skip

    def at(self, **changes: Any) -> TraceViewer:
        """The same record in another state; a step or a pixel moves the cursor to where the ray then is.

        Raises:
            OptionError: there is no such field, or a value is out of range.
        """
        made, before = replace(self, state=self.state.changed(changes)), self.state
        new: Any = made.state
        moved = (new.step, new.pixel) != (before.step, getattr(before, "pixel", None))
        if not moved or "cursor" in changes:
            return made
        return replace(made, state=new.changed({"cursor": made.numbers["position"]}))

    @property
    def numbers(self) -> dict[str, Any]:
        """The chosen ray after the step, lengths in metres, and how many rays are how far."""
        arrays, state, (column, row) = self.record.arrays, self.state, self.pixel
        looks = self.looks()
        own = int((looks.step <= state.step).sum()) - 1
        status, last = arrays["status"], arrays["last"]
        done = last <= state.step
        counts = {name: int((done & (status == end)).sum()) for end, name in ENDINGS.items()}
        ended = own == len(looks.step) - 1
        length = float(np.linalg.norm(self.direction()))
        here = ray_numbers(looks, own, self.record.facts["lipschitz"])
        depth = float(arrays["depth"][row, column]) * length if ended else math.inf
        back = float(arrays["back"][row, column]) * length if ended and "back" in arrays else math.inf
        ray = row * self.record.facts["camera"]["width"] + column
        over = (arrays["overstep_ray"] == ray) & (arrays["overstep_step"] == here["step_of_look"])
        return {
            "step": state.step, "pixel": [column, row], "look": own if own >= 0 else None, "looks": len(looks.step),
            **{name: value for name, value in here.items() if name != "step_of_look"},
            "ended": ENDINGS[Status(int(status[row, column]))] if ended else None,
            "hit_at": depth if math.isfinite(depth) else None,
            "thickness": back - depth if math.isfinite(back) and math.isfinite(depth) else None,
            "overstepped": bool(over.any()), "marching": int((~done).sum()), "hit": counts["hit"],
            "missed": counts["missed"], "out_of_steps": counts["out of steps"],
        }  # fmt: skip

    @property
    def caption(self) -> str:
        """What the chosen ray has found at this step, how many rays still march, and what is wrong with the trace."""
        state: Any = self.state
        step = self.numbers["look"]
        kinds = self.record.arrays["look"]
        looks = self.looks()
        kind = int(kinds[looks.step[step]]) if step is not None else 0
        return caption_of(self.numbers, self.record.facts, kind=kind, back=state.show_back)

    def draw(self, figure: Figure) -> None:
        """The map, and the ray in the scene."""
        from headviz.viewers.trace_picture import draw

        draw(self, figure)


def ray_numbers(looks: Looks, own: int, lipschitz: float) -> dict[str, Any]:
    """What a ray has found at one of its looks, −1 for none yet; lengths in metres."""
    if own < 0:
        names = ("at", "distance", "radius", "moved", "position")
        return {"step_of_look": -1, "undone": False, **dict.fromkeys(names)}
    distance = float(looks.distance[own])
    following = own + 1 < len(looks.step)
    return {
        "step_of_look": int(looks.step[own]),
        "undone": bool(looks.undone[own]),
        "at": float(looks.along[own]),
        "distance": distance,
        "radius": distance / lipschitz,
        "moved": float(looks.along[own + 1] - looks.along[own]) if following else None,
        "position": looks.positions[own].tolist(),
    }


def view_trace(
    source: Field | TracedImage,
    *,
    camera: Camera | None = None,
    size: int = 160,
    settings: TraceSettings | None = None,
    mesh: Mesh | None = None,
    title: str = "",
) -> TraceViewer:
    """A viewer of sphere tracing in space: a picture, and for each of its pixels the ray with all its looks.

    Args:
        source: a field, which is traced here; or a picture that was traced with ``record=True``, without the field,
            so that the back of the surface is unknown.
        camera: from where; by default one that sees the field's whole box. Of a traced picture, the one it was
            traced with, which its rays show as well.
        size: side of the picture in pixels, without a camera.
        settings: how the field is traced; by default every ray from the box on, by plain safe steps, to within
            0.0003 of the box's size.
        mesh: the surface for the scene, metres; by default extracted from the field.
        title: what it is.

    Raises:
        BoundsError: the field has no finite box, so there is no camera that sees it all.
        InputError: the traced picture has no history.
        FieldError, RayError, ShapeError: as :func:`~headviz.render.traced.trace_camera`.
    """
    if isinstance(source, TracedImage):
        record = trace_record(source, camera or camera_of_rays(source), mesh=mesh, settings=settings)
        return viewer_of(record, title=title)
    camera = camera_around(source, yaw=YAW, pitch=PITCH, size=size) if camera is None else camera
    if settings is None:
        tolerance = tolerance_for(source, camera)
        settings = TraceSettings(blocks=(), relaxation=1.0, max_steps=256, tolerance=tolerance)
    with torch.no_grad():
        image = trace_camera(source, camera, settings=settings, record=True)
    return viewer_of(trace_record(image, camera, field=source, mesh=mesh, settings=settings), title=title)


def viewer_of(record: Record, *, title: str = "") -> TraceViewer:
    """The viewer of a traced picture's record, at a telling pixel and the last look of its ray."""
    first = TraceViewer(record, TraceState(), title)
    first = first.at(pixel=tuple(first.record.facts["pixel"]))
    steps = first.looks().step
    return first.at(step=int(steps[-1])) if len(steps) else first
