"""Everything that was done, as a tree: undo goes to the parent, a step after an undo begins a branch, nothing is lost.

What a step changed is kept beside it, so that going back is copying. The copies have a budget; where one has been
dropped, the state is made again from the nearest kept state by doing the steps again, which gives the same bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float32, Int32

from headviz.errors import SessionError
from headviz.sculpt.steps import Keypoint, SetKeypoints, SetSliders, Step

KEYFRAMES = 32  #: steps from one whole copy of a state to the next


@dataclass(frozen=True)
class Settings:
    """What holds besides positions and mask.

    Attributes:
        keypoints, exact: as the last :class:`SetKeypoints` set them.
        sliders: weight of each morph that is not 0.
    """

    keypoints: tuple[Keypoint, ...] = ()
    exact: bool = False
    sliders: Mapping[str, float] = field(default_factory=dict)

    def after(self, step: Step) -> Settings:
        """Settings after a step."""
        if isinstance(step, SetKeypoints):
            return replace(self, keypoints=step.keypoints, exact=step.exact)
        if isinstance(step, SetSliders):
            weights = {**self.sliders, **step.values}
            return replace(self, sliders={name: weight for name, weight in weights.items() if weight})
        return self


@dataclass(frozen=True)
class Entry:
    """A place in the history.

    Attributes:
        id: its number; the base is 0, later ones are larger.
        parent: the entry before it; ``None`` for the base.
        step: what led here from the parent; ``None`` for the base.
        settings: what holds here.
        text: what was done, in a few words.
    """

    id: int
    parent: int | None
    step: Step | None
    settings: Settings
    text: str = "base"


def told(step: Step, before: Settings) -> str:
    """What a step does to what was there, in a few words."""
    if not isinstance(step, SetKeypoints):
        return step.text
    old, new = before.keypoints, step.keypoints
    if step.exact != before.exact:
        return f"keypoints {'exact' if step.exact else 'blended'}"
    if len(new) != len(old):
        one = abs(len(new) - len(old)) == 1
        return f"keypoint {'added' if len(new) > len(old) else 'removed'}" if one else step.text
    changed = [index for index, (was, now) in enumerate(zip(old, new, strict=True)) if was != now]
    if len(changed) != 1:
        return step.text
    was, now = old[changed[0]], new[changed[0]]
    return f"keypoint {changed[0] + 1} {'dragged' if replace(was, vector=now.vector) == now else 'changed'}"


@dataclass(eq=False)
class Delta:
    """Values of some vertices on the other side of a step: before it where the step is done, after it where undone.

    Attributes:
        indices: which vertices, (k,), or ``None`` for all.
        positions: (k, 3), or ``None`` where they did not change.
        mask: (k,), or ``None`` where it did not change.
    """

    indices: Int32[np.ndarray, " k"] | None
    positions: Float32[np.ndarray, "k 3"] | None = None
    mask: Float32[np.ndarray, " k"] | None = None

    @property
    def bytes(self) -> int:
        """Memory that it takes."""
        return sum(part.nbytes for part in (self.indices, self.positions, self.mask) if part is not None)


@dataclass(frozen=True, eq=False)
class Keyframe:
    """A whole state: positions (n, 3) and mask (n,)."""

    positions: Float32[np.ndarray, "n 3"]
    mask: Float32[np.ndarray, " n"] | None

    @property
    def bytes(self) -> int:
        """Memory that it takes."""
        return self.positions.nbytes + (0 if self.mask is None else self.mask.nbytes)


class History:
    """The tree of steps, and what is kept of their effects.

    Args:
        budget: bytes for the copies, of which keyframes may take half.

    Attributes:
        entries: by id.
        current: id of the entry whose state is the present one.
        versions: id by name.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.entries: dict[int, Entry] = {0: Entry(0, None, None, Settings())}
        self.current = 0
        self.versions: dict[str, int] = {}
        self._deltas: dict[int, Delta] = {}
        self._frames: dict[int, Keyframe] = {}
        self._next: dict[int, int] = {}  # the child that redo goes to
        self._depth = {0: 0}
        self._last = 0  # the largest id
        self._delta_bytes = self._frame_bytes = 0

    @property
    def settings(self) -> Settings:
        """What holds now."""
        return self.entries[self.current].settings

    @property
    def bytes(self) -> int:
        """Memory of all copies."""
        return self._delta_bytes + self._frame_bytes

    def free(self, id: int | None) -> int:  # noqa: A002
        """The number of the next entry: the one that is asked for, or the next.

        Raises:
            SessionError: there is an entry of this number.
        """
        number = self._last + 1 if id is None else id
        if number in self.entries:
            raise SessionError(f"the history has an entry {number} already")
        return number

    def add(self, step: Step, delta: Delta | None, id: int | None = None) -> Entry:  # noqa: A002
        """Put a step after the current entry, which it becomes."""
        number = self.free(id)
        entry = Entry(number, self.current, step, self.settings.after(step), told(step, self.settings))
        self.entries[number] = entry
        self._depth[number] = self._depth[self.current] + 1
        self._last = max(self._last, number)
        self._next[self.current] = self.current = number
        if delta is not None:
            self.remember(number, delta)
        return entry

    def remember(self, id: int, delta: Delta) -> None:  # noqa: A002
        """Keep what a step changed, and drop what the budget no longer has room for."""
        self._forget(id)
        self._deltas[id] = delta
        self._delta_bytes += delta.bytes
        if self.bytes <= self.budget:
            return
        room = (self.budget - self._frame_bytes) * 7 // 8  # some room at once, for it takes looking at all
        for old in sorted(self._deltas, key=lambda number: abs(self._depth[number] - self._depth[id]), reverse=True):
            if self._delta_bytes <= room or (old == id and self.bytes <= self.budget):
                break
            self._forget(old)

    def _forget(self, id: int) -> None:  # noqa: A002
        delta = self._deltas.pop(id, None)
        if delta is not None:
            self._delta_bytes -= delta.bytes

    def wants_keyframe(self) -> bool:
        """Whether the present state should be kept whole."""
        return self._depth[self.current] % KEYFRAMES == 0 and self.current not in self._frames and self.current != 0

    def keep(self, frame: Keyframe) -> None:
        """Keep the present state whole; every second one goes where they would take more than half of the budget."""
        if frame.bytes > self.budget // 2:
            return
        self._frames[self.current] = frame
        self._frame_bytes += frame.bytes
        while self._frame_bytes > self.budget // 2:
            for number in sorted(self._frames)[::2]:
                self._frame_bytes -= self._frames.pop(number).bytes

    def jump(self, target: int) -> None:
        """Stand at an entry whose state was put back whole; what was kept of steps passed over no longer fits."""
        passed = {entry.id for entry in self.ancestors(self.current)} ^ {entry.id for entry in self.ancestors(target)}
        for number in passed:
            self._forget(number)
        for entry in self.ancestors(target):
            if entry.parent is not None:
                self._next[entry.parent] = entry.id
        self.current = target

    def redone(self, id: int) -> int:  # noqa: A002
        """How many steps lead to an entry from the last whole state before it."""
        for count, entry in enumerate(self.ancestors(id)):
            if entry.id in self._frames or entry.parent is None:
                return count
        raise AssertionError("every entry descends from the base")

    def delta(self, id: int) -> Delta | None:  # noqa: A002
        """What a step changed, where it is still kept."""
        return self._deltas.get(id)

    def frame(self, id: int) -> Keyframe | None:  # noqa: A002
        """A whole state, where it is kept."""
        return self._frames.get(id)

    def ancestors(self, id: int) -> Iterator[Entry]:  # noqa: A002
        """An entry, its parent, and so on up to the base."""
        number: int | None = id
        while number is not None:
            entry = self.entries[number]
            yield entry
            number = entry.parent

    def route(self, target: int) -> tuple[list[Entry], list[Entry]]:
        """The steps to undo and then those to do, in order, from the current entry to another.

        Raises:
            SessionError: there is no such entry.
        """
        if target not in self.entries:
            raise SessionError(f"the history has no entry {target!r:.40}")
        here, there = self.entries[self.current], self.entries[target]
        undo: list[Entry] = []
        do: list[Entry] = []
        while here is not there:  # both end at the base
            if self._depth[here.id] >= self._depth[there.id]:
                undo.append(here)
                here = self.entries[here.parent or 0]
            else:
                do.append(there)
                there = self.entries[there.parent or 0]
        return undo, do[::-1]

    def back(self) -> None:
        """Stand at the parent; redo leads back."""
        self.current = self.entries[self.current].parent or 0

    def forth(self, entry: Entry) -> None:
        """Stand at a child, to which redo then leads."""
        self._next[self.current] = self.current = entry.id

    def following(self) -> Entry | None:
        """The entry that redo goes to."""
        number = self._next.get(self.current)
        return None if number is None else self.entries[number]

    def line(self) -> tuple[Entry, ...]:
        """From the base to the current entry, and on as far as redo goes."""
        line = [*self.ancestors(self.current)][::-1]
        while (number := self._next.get(line[-1].id)) is not None:
            line.append(self.entries[number])
        return tuple(line)


def swap(delta: Delta, positions: Float32[np.ndarray, "n 3"], mask: Float32[np.ndarray, " n"]) -> None:
    """Exchange what a delta holds with what the arrays hold, in place."""
    from headviz.sculpt import compiled

    indices = np.arange(len(positions), dtype=np.int32) if delta.indices is None else delta.indices
    if delta.positions is not None:
        compiled.exchange(positions, indices, delta.positions)
    if delta.mask is not None:
        compiled.exchange(mask[:, None], indices, delta.mask[:, None])
