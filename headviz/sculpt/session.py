"""The sculpting session: one head, everything that was done to it, and the way back."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float, Float32

from headviz.errors import SessionError
from headviz.geometry.mesh import Mesh
from headviz.sculpt import brushes
from headviz.sculpt.buffers import Before, Buffers
from headviz.sculpt.history import Delta, Entry, History, Keyframe, Settings, swap
from headviz.sculpt.layers import Layers
from headviz.sculpt.origin import Origin
from headviz.sculpt.steps import (
    Brush,
    ChangeMask,
    Keypoint,
    Point,
    Step,
    Stroke,
    Symmetrise,
    point_of,
)
from headviz.sculpt.strokes import Change, Live, LiveDabs, LiveGrab, LiveKeypoint, LiveSliders, delta_since
from headviz.sculpt.surface import Surface

_L = TypeVar("_L", bound=Live)
BUDGET = 128 * 2**20  #: bytes that undo may take by default
_PLANE = 2e-3  # sizes of the head: a keypoint nearer to x = 0 is put onto it


class SculptSession:
    """A head that is being sculpted. It is the one object that changes, and it can undo.

    Positions are the base, moved step by step; each step is a frozen value, and the same steps on the same base give
    the same bits. Not for use from several threads at once. It can be copied and pickled between strokes, without who
    looks on.

    Args:
        mesh: the base, metres; its morphs become sliders, its mirror map, where it has one, the symmetry.
        name: what it is called.
        budget: bytes that undo may take; beyond it, old states are made again by doing the steps again.

    Attributes:
        base: the mesh that was given.
        surface: its connectivity, size and mirror map.
        buffers: the live arrays.
        layers: sliders and keypoints.
        origin: where the base comes from, and the frame that an export goes back to; whoever loads it says so.

    Raises:
        MeshError: the mesh has no faces, vertices that are not finite, or a mirror map that is none.
    """

    def __init__(self, mesh: Mesh, *, name: str = "head", budget: int = BUDGET) -> None:
        self.base = mesh
        self.name = name
        self.origin = Origin()
        self.surface = Surface(mesh).prepare()
        self.buffers = Buffers(self.surface)
        self.layers = Layers(self.buffers, mesh.morphs)
        self.log = History(budget)
        self._listeners: list[Callable[[Change], None]] = []
        self._live: Live | None = None

    # What it is now ------------------------------------------------------------------------------------------

    @property
    def positions(self) -> Float32[np.ndarray, "n 3"]:
        """Where the vertices are, metres: the live array, for reading."""
        return self.buffers.positions

    @property
    def normals(self) -> Float32[np.ndarray, "n 3"]:
        """Unit normals: the live array, for reading."""
        return self.buffers.normals

    @property
    def mask(self) -> Float32[np.ndarray, " n"]:
        """1 where nothing moves: the live array, for reading."""
        return self.buffers.mask

    @property
    def settings(self) -> Settings:
        """Keypoints and sliders that hold now."""
        return self.log.settings

    @property
    def keypoints(self) -> tuple[Keypoint, ...]:
        """The keypoints."""
        return self.settings.keypoints

    @property
    def exact(self) -> bool:
        """Whether keypoints go exactly where their vectors point (the interpolating mode)."""
        return self.settings.exact

    @property
    def sliders(self) -> dict[str, float]:
        """Weight of every morph of the base."""
        return {name: self.settings.sliders.get(name, 0.0) for name in self.layers.morphs}

    @property
    def mesh(self) -> Mesh:
        """The head as it is now, with all that the base had: morphs, texture coordinates, texture, colours."""
        return replace(
            self.base,
            vertices=torch.from_numpy(self.positions.copy()),
            normals=torch.from_numpy(self.normals.copy()),
        )

    @property
    def residual(self) -> float:
        """Largest distance of a vertex's mirror image from its twin, in sizes of the head; NaN without a mirror map."""
        return self._asymmetry(self.positions)

    @property
    def base_residual(self) -> float:
        """The same of the base."""
        return self._asymmetry(self.surface.rest)

    @property
    def sculpted_residual(self) -> float:
        """The same of what strokes and keypoints have added to base and sliders."""
        added = self.positions - self.surface.rest
        for name, weight in self.settings.sliders.items():
            added -= np.float32(weight) * self.layers.morphs[name]
        return self._asymmetry(added)

    def _asymmetry(self, points: Float32[np.ndarray, "n 3"]) -> float:
        from headviz.sculpt import compiled

        mirror = self.surface.mirror
        return float("nan") if mirror is None else float(compiled.asymmetry(points, mirror)) / self.surface.size

    # Doing ---------------------------------------------------------------------------------------------------

    def begin(self, brush: Brush, point: Point) -> LiveGrab | LiveDabs:
        """Press a brush onto the surface at a point; the stroke goes on until it is finished or cancelled."""
        self._require_idle()
        live = LiveGrab if brush.tool == "grab" else LiveDabs
        return self._hold(live(self, brush, point_of(point)))

    def begin_keypoint(self, index: int) -> LiveKeypoint:
        """Take hold of a keypoint.

        Raises:
            SessionError: there is no such keypoint.
        """
        self._require_idle()
        return self._hold(LiveKeypoint(self, index))

    def begin_sliders(self) -> LiveSliders:
        """Take hold of sliders."""
        self._require_idle()
        return self._hold(LiveSliders(self))

    def apply(self, step: Step, *, id: int | None = None) -> Entry:  # noqa: A002
        """Do a step.

        Args:
            step: what to do.
            id: its number in the history, by default the next; for files, which keep numbers.

        Raises:
            SessionError: the step asks for what this head does not have, or goes too far; nothing has changed.
        """
        self._require_idle()
        begun, number = time.perf_counter(), self.log.free(id)
        entry = self.log.add(step, self._do(step), number)
        self._keep_frame()
        self.notify(Change("history", None, 1000 * (time.perf_counter() - begun)))
        return entry

    def _do(self, step: Step) -> Delta:
        """Change the arrays as a step says; what they were."""
        if isinstance(step, Stroke):
            return self._do_stroke(step)
        if isinstance(step, ChangeMask):
            before = self.mask.copy()
            self.mask[:] = 0 if step.how == "clear" else 1 - self.mask
            return Delta(None, mask=before)
        start = self.positions.copy()
        try:
            self.layers.do(self.settings, step)
        except Exception:
            self.positions[:] = start
            self.buffers.refresh(None)
            raise
        changed = np.flatnonzero((start != self.positions).any(1)).astype(np.int32)
        return Delta(changed, start[changed])

    def _do_stroke(self, step: Stroke) -> Delta:
        if step.brush.tool == "grab":
            handle = brushes.grab_handle(self.buffers, step.brush, step.points[0])
            handle.move(step.vector)
            return Delta(handle.indices, handle.start)
        before = Before(self.buffers, masks=step.brush.tool == "mask")
        try:
            for point in step.points:
                before.touch(brushes.dab(self.buffers, step.brush, point))
        except SessionError:
            self._put_back(delta_since(before))
            raise
        return delta_since(before)

    def _put_back(self, delta: Delta) -> None:
        swap(delta, self.positions, self.mask)
        self._refresh([delta])

    def symmetrise(self, keep: str = "left") -> None:
        """Make one side the mirror image of the other, which stays: the head's own ``left`` (+x) or ``right``.

        Raises:
            SessionError: the mesh has no mirror map.
        """
        self.apply(Symmetrise(keep))

    def _hold(self, live: _L) -> _L:
        self._live = live
        return live

    def _require_idle(self) -> None:
        if self._live is not None:
            raise SessionError("a stroke is going on; finish or cancel it first")

    @property
    def live(self) -> Live | None:
        """The stroke that is going on."""
        return self._live

    def end_live(self, step: Step | None, delta: Delta) -> None:
        """End the stroke that goes on; called by it. Without a step everything is put back."""
        self._live = None
        if step is None:
            self._put_back(delta)
        else:
            self.log.add(step, delta)
            self._keep_frame()
        self.notify(Change("history"))

    # Going back and forth ------------------------------------------------------------------------------------

    @property
    def history(self) -> tuple[Entry, ...]:
        """From the base to the present entry, and on as far as redo goes."""
        return self.log.line()

    @property
    def current(self) -> int:
        """Id of the present entry."""
        return self.log.current

    @property
    def can_undo(self) -> bool:
        """Whether there is something to undo."""
        return self.log.current != 0

    @property
    def can_redo(self) -> bool:
        """Whether there is something to redo."""
        return self.log.following() is not None

    def undo(self) -> Step | None:
        """Take the last step back; what it was, or ``None`` at the base."""
        entry = self.log.entries[self.log.current]
        if entry.parent is not None:
            self.goto(entry.parent)
        return entry.step

    def redo(self) -> Step | None:
        """Do the step again that was undone last; ``None`` where there is none."""
        entry = self.log.following()
        if entry is not None:
            self.goto(entry.id)
        return None if entry is None else entry.step

    def goto(self, id: int) -> None:  # noqa: A002
        """Go to any entry of the history.

        Raises:
            SessionError: there is none with this id.
        """
        self._require_idle()
        begun = time.perf_counter()
        back, forth = self.log.route(id)
        missing = sum(self.log.delta(entry.id) is None for entry in forth)
        if any(self.log.delta(entry.id) is None for entry in back) or missing > self.log.redone(id):
            back, forth = [], self._restore(id)
        changed: list[Delta] = []
        for entry in back:
            changed.append(self._swap(entry))
            self.log.back()
        for entry in forth:
            if self.log.delta(entry.id) is None:
                assert entry.step is not None
                self._refresh(changed)  # brushes read normals
                changed = []
                self.log.remember(entry.id, self._do(entry.step))
            else:
                changed.append(self._swap(entry))
            self.log.forth(entry)
            self._keep_frame()
        self._refresh(changed)
        self.notify(Change("history", None, 1000 * (time.perf_counter() - begun)))

    def _swap(self, entry: Entry) -> Delta:
        delta = self.log.delta(entry.id)
        assert delta is not None
        swap(delta, self.positions, self.mask)
        return delta

    def _restore(self, target: int) -> list[Entry]:
        """Go to the nearest whole state before an entry; the steps from there to it."""
        way: list[Entry] = []
        for entry in self.log.ancestors(target):
            frame = self.log.frame(entry.id)
            if frame is not None or entry.parent is None:
                self.positions[:] = self.surface.rest if frame is None else frame.positions
                self.mask[:] = 0 if frame is None or frame.mask is None else frame.mask
                self.buffers.refresh(None)
                self.log.jump(entry.id)
                break
            way.append(entry)
        return way[::-1]

    def _refresh(self, changed: list[Delta]) -> None:
        """Normals after deltas were swapped."""
        moved = [delta for delta in changed if delta.positions is not None]
        if any(delta.indices is None for delta in moved):
            self.buffers.refresh(None)
        elif moved:
            self.buffers.refresh(self.buffers.around(*(delta.indices for delta in moved if delta.indices is not None)))

    def _keep_frame(self) -> None:
        if self.log.wants_keyframe():
            mask = self.mask.copy() if self.mask.any() else None
            self.log.keep(Keyframe(self.positions.copy(), mask))

    @property
    def versions(self) -> dict[str, int]:
        """Entry by name of the version."""
        return dict(self.log.versions)

    def keep_version(self, name: str) -> None:
        """Give the present state a name, to go back to by ``goto(versions[name])``.

        Raises:
            SessionError: the name is empty, or has more than 100 letters.
        """
        if not isinstance(name, str) or not 0 < len(name.strip()) <= 100:
            raise SessionError(f"a version's name should have 1 to 100 letters; it is {name!r:.40}")
        self.log.versions[name.strip()] = self.log.current
        self.notify(Change("history"))

    # Keypoints -----------------------------------------------------------------------------------------------

    def rest_point(self, corners: tuple[int, int, int], weights: tuple[float, float, float]) -> Point:
        """The place on the base of a place on a face, for a new keypoint; near the mirror plane it is put onto it.

        Args:
            corners: the face's vertices.
            weights: barycentric coordinates.

        Raises:
            SessionError: there is no such vertex.
        """
        if not all(0 <= corner < len(self.surface) for corner in corners):
            raise SessionError(f"there are {len(self.surface):,} vertices; not all of {tuple(corners)} are among them")
        place = np.asarray(weights, np.float64) @ self.surface.rest[list(corners)]
        if abs(place[0]) < _PLANE * self.surface.size:
            place[0] = 0.0
        return point_of(place)

    def keypoint_positions(self) -> Float[np.ndarray, "k 3"]:
        """Where the keypoints are on the head as it is now, metres."""
        return self.layers.places(self.keypoints)

    # Who looks on ----------------------------------------------------------------------------------------------

    def subscribe(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Be told of every change; returns what ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def __getstate__(self) -> dict[str, object]:
        self._require_idle()
        return {**vars(self), "_listeners": []}

    def notify(self, change: Change) -> None:
        """Tell all who look on."""
        for listener in tuple(self._listeners):
            listener(change)
