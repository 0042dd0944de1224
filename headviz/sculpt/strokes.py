"""What is being done while the button is down: a live change, which becomes a step or leaves nothing behind."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int32

from headviz.errors import SessionError
from headviz.sculpt import brushes
from headviz.sculpt.buffers import Before, Handle
from headviz.sculpt.history import Delta
from headviz.sculpt.layers import move_sliders
from headviz.sculpt.steps import Point, SetKeypoints, SetSliders, Step, Stroke, point_of

if TYPE_CHECKING:
    from headviz.sculpt.session import SculptSession


@dataclass(frozen=True, eq=False)
class Change:
    """What has changed.

    Attributes:
        what: ``positions``, ``mask`` or ``history`` (a step was made, undone or redone; positions and mask may differ).
        indices: which vertices, (k,); ``None`` means all.
        milliseconds: what the update took, without any drawing.
    """

    what: str
    indices: Int32[np.ndarray, " k"] | None = None
    milliseconds: float = 0.0


class Live(ABC):
    """A change that goes on. It ends with :meth:`finish` or :meth:`cancel`; a session has one at a time."""

    def __init__(self, session: SculptSession) -> None:
        self._session = session
        self._open = True

    @property
    @abstractmethod
    def step(self) -> Step:
        """The step that this change is, as it is now."""

    @property
    def open(self) -> bool:
        """Whether it goes on."""
        return self._open

    @property
    @abstractmethod
    def idle(self) -> bool:
        """Whether nothing has changed so far, as by a click without a drag."""

    def finish(self) -> Step:
        """Make it a step of the history, unless nothing has changed."""
        self._require_open()
        step, delta = self.step, self._delta()
        self._open = False
        self._session.end_live(None if self.idle else step, delta)
        return step

    def cancel(self) -> None:
        """Put everything back."""
        if self._open:
            self._open = False
            self._session.end_live(None, self._delta())

    @abstractmethod
    def _delta(self) -> Delta: ...

    def _timed(self, what: str, change: Callable[[], Int32[np.ndarray, " k"] | None]) -> Change:
        self._require_open()
        begun = time.perf_counter()
        indices = change()
        made = Change(what, indices, 1000 * (time.perf_counter() - begun))
        self._session.notify(made)
        return made

    def _require_open(self) -> None:
        if not self._open:
            raise SessionError("this stroke has ended; begin another")


class LiveGrab(Live):
    """A grab that is being dragged."""

    def __init__(self, session: SculptSession, brush: brushes.Brush, point: Point) -> None:
        super().__init__(session)
        self._handle = brushes.grab_handle(session.buffers, brush, point)
        self._step = Stroke(brush, (point,))

    @property
    def step(self) -> Stroke:
        """The stroke so far."""
        return self._step

    @property
    def indices(self) -> Int32[np.ndarray, " k"]:
        """The vertices that follow."""
        return self._handle.indices

    def move(self, point: Point) -> Change:
        """Drag to a place; metres."""
        vector = point_of(np.subtract(point_of(point), self._step.points[0]))
        return self._timed("positions", lambda: self._follow(vector))

    def _follow(self, vector: Point) -> Int32[np.ndarray, " k"]:
        self._handle.move(vector)
        self._step = replace(self._step, vector=vector)
        return self._handle.indices

    @property
    def idle(self) -> bool:
        """Whether nothing has changed so far."""
        return not any(self._step.vector)

    def _delta(self) -> Delta:
        return Delta(self._handle.indices, self._handle.start)


class LiveDabs(Live):
    """A stroke of dabs along a path over the surface."""

    def __init__(self, session: SculptSession, brush: brushes.Brush, point: Point) -> None:
        super().__init__(session)
        self._brush = brush
        self._what = "mask" if brush.tool == "mask" else "positions"
        self._before = Before(session.buffers, masks=brush.tool == "mask")
        self._points: list[Point] = []
        self._timed(self._what, lambda: self._press(point))

    @property
    def step(self) -> Stroke:
        """The stroke so far."""
        return Stroke(self._brush, tuple(self._points))

    def move(self, point: Point) -> Change:
        """Go on to a place on the surface; dabs lie ``SPACING`` radii apart; metres."""
        return self._timed(self._what, lambda: self._go(point_of(point)))

    def _go(self, point: Point) -> Int32[np.ndarray, " k"]:
        spacing = brushes.SPACING * self._brush.radius
        last = np.array(self._points[-1])
        way = np.array(point) - last
        count = min(int(np.linalg.norm(way) / spacing), 1000)
        touched: list[Int32[np.ndarray, " k"]] = []
        for k in range(count):
            try:
                touched.append(self._press(point_of(last + way * (k + 1) / count)))
            except SessionError:  # too far: the stroke stands as it was before this dab
                if not touched:
                    raise
                break
        return self._session.buffers.union(*touched)

    def _press(self, point: Point) -> Int32[np.ndarray, " k"]:
        indices = brushes.dab(self._session.buffers, self._brush, point)
        self._before.touch(indices)
        self._points.append(point)
        return indices

    @property
    def idle(self) -> bool:
        """Whether nothing has changed so far."""
        return not self._before.touched.any()

    def _delta(self) -> Delta:
        return delta_since(self._before)


def delta_since(before: Before) -> Delta:
    """What dabs have changed."""
    indices = np.flatnonzero(before.touched).astype(np.int32)
    values = before.values(indices)
    return Delta(indices, mask=values) if before.masks else Delta(indices, values)


class LiveKeypoint(Live):
    """A keypoint whose vector is being dragged."""

    def __init__(self, session: SculptSession, index: int) -> None:
        super().__init__(session)
        settings = session.settings
        if not 0 <= index < len(settings.keypoints):
            raise SessionError(f"there are {len(settings.keypoints)} keypoints; {index} is none of them")
        self._index = index
        self._handle: Handle = session.layers.handle(settings, index)
        self._begin = np.array(settings.keypoints[index].vector, np.float32)
        self._step = SetKeypoints(settings.keypoints, settings.exact)

    @property
    def step(self) -> SetKeypoints:
        """The keypoints so far."""
        return self._step

    @property
    def indices(self) -> Int32[np.ndarray, " k"]:
        """The vertices that follow."""
        return self._handle.indices

    def move(self, vector: Point) -> Change:
        """Give the keypoint a vector; metres."""
        points = list(self._step.keypoints)
        points[self._index] = replace(points[self._index], vector=point_of(vector))
        step = SetKeypoints(tuple(points), self._step.exact)
        return self._timed("positions", lambda: self._follow(step))

    def _follow(self, step: SetKeypoints) -> Int32[np.ndarray, " k"]:
        self._handle.move(np.array(step.keypoints[self._index].vector, np.float32) - self._begin)
        self._step = step
        return self._handle.indices

    @property
    def idle(self) -> bool:
        """Whether nothing has changed so far."""
        return self._step.keypoints == self._session.keypoints

    def _delta(self) -> Delta:
        return Delta(self._handle.indices, self._handle.start)


class LiveSliders(Live):
    """Sliders that are being moved."""

    def __init__(self, session: SculptSession) -> None:
        super().__init__(session)
        self._start = session.buffers.positions.copy()
        self._step = SetSliders({})

    @property
    def step(self) -> SetSliders:
        """The weights that were changed so far."""
        return self._step

    def move(self, values: Mapping[str, float]) -> Change:
        """Give some sliders their weights."""
        step = SetSliders({**self._step.values, **values})
        self._session.layers.require(step)
        return self._timed("positions", lambda: self._follow(step))

    def _follow(self, step: SetSliders) -> None:
        session, now = self._session, self._session.buffers.positions.copy()
        session.buffers.positions[:] = self._start
        try:
            move_sliders(session.buffers, session.layers.morphs, session.settings.sliders, step)
        except SessionError:
            session.buffers.positions[:] = now
            raise
        self._step = step

    @property
    def idle(self) -> bool:
        """Whether nothing has changed so far."""
        return all(self._session.sliders[name] == value for name, value in self._step.values.items())

    def _delta(self) -> Delta:
        return Delta(None, self._start)
