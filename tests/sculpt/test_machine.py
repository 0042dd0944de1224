"""Sessions against a plain model: however one gets to a state, it is what its steps alone make of the base."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from headviz.sculpt import Journal, SculptSession, Step, open_session, recover, save_session, step_of

from .conftest import wavy_sheet
from .strategies import brushes, points, small, steps

pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
BASE = wavy_sheet(12)
BASE.morphs["jawOpen"] = 0.1 * BASE.vertices.flip(1)
NAMES = st.sampled_from(["one", "two"])


def wanted(steps_: tuple[Step, ...]) -> SculptSession:
    """The model: a fresh session that does the steps, read back from their plain values."""
    session = SculptSession(BASE)
    for step in steps_:
        session.apply(step_of(step.plain()))
    return session


def known(step: Step) -> bool:
    """Whether the sheet has the sliders."""
    return set(step.plain().get("values", ())) <= {"jawOpen"}


class Sculpting(RuleBasedStateMachine):
    """What a person can do. The model is the tree of steps: for each entry all steps from the base to it."""

    def __init__(self) -> None:
        super().__init__()
        self.session = SculptSession(BASE)
        self.live = None
        self.paths: dict[int, tuple[Step, ...]] = {0: ()}
        self.names: dict[str, int] = {}
        self.folder = tempfile.TemporaryDirectory()

    @initialize(budget=st.sampled_from([0, 8_000, 20_000]))
    def small_budget(self, budget):
        self.budget = self.session.log.budget = budget

    def teardown(self) -> None:
        self.folder.cleanup()

    def added(self, step: Step, before: int) -> None:
        """A step was done after an entry, unless it did nothing."""
        if self.session.current != before:
            self.paths[self.session.current] = (*self.paths[before], step)

    @precondition(lambda self: self.live is None)
    @rule(many=st.lists(steps().filter(known), min_size=4, max_size=12))
    def apply(self, many):
        for step in many:
            before = self.session.current
            self.session.apply(step)
            self.added(step, before)

    @precondition(lambda self: self.live is None)
    @rule(brush=brushes(), point=points)
    def begin(self, brush, point):
        self.live = self.session.begin(brush, point)

    @precondition(lambda self: self.live is None and self.session.keypoints)
    @rule()
    def begin_keypoint(self):
        self.live = self.session.begin_keypoint(len(self.session.keypoints) - 1)

    @precondition(lambda self: self.live is not None)
    @rule(point=small)
    def move(self, point):
        self.live.move(point)

    @precondition(lambda self: self.live is not None)
    @rule(keep=st.booleans())
    def end(self, keep):
        before, live, self.live = self.session.current, self.live, None
        if keep:
            self.added(live.finish(), before)
        else:
            live.cancel()

    @precondition(lambda self: self.live is None)
    @rule(times=st.integers(1, 5))
    def undo(self, times):
        for _ in range(times):
            path = self.paths[self.session.current]
            assert self.session.undo() == (path[-1] if path else None)

    @precondition(lambda self: self.live is None)
    @rule(times=st.integers(1, 5))
    def redo(self, times):
        for _ in range(times):
            before, step = self.session.current, self.session.redo()
            assert self.paths[self.session.current] == self.paths[before] + ((step,) if step else ())

    @precondition(lambda self: self.live is None)
    @rule(places=st.lists(st.floats(0, 1), min_size=1, max_size=6))
    def goto(self, places):
        known_places = sorted(self.paths)
        for place in places:
            self.session.goto(known_places[round(place * (len(known_places) - 1))])
            assert np.array_equal(self.session.positions, wanted(self.paths[self.session.current]).positions)

    @rule(name=NAMES)
    def keep_version(self, name):
        self.session.keep_version(name)
        self.names[name] = self.session.current

    @precondition(lambda self: self.live is None)
    @rule(journal=st.booleans())
    def save_and_open(self, journal):
        place, line = self.session.current, [entry.id for entry in self.session.history]
        folder = Path(self.folder.name)
        if journal:
            writer = Journal(self.session, folder)
            writer.close(keep=True)
            self.session = recover(writer.path)
            writer.path.unlink()
        else:
            self.session = open_session(save_session(self.session, folder / "a.headviz.json"))
        self.session.log.budget = self.budget
        assert self.session.current == place
        assert [entry.id for entry in self.session.history] == line
        assert sorted(self.session.log.entries) == sorted(self.paths)

    @invariant()
    def is_what_its_steps_make(self):
        session = self.session
        path = self.paths[session.current] + ((self.live.step,) if self.live is not None else ())
        model = wanted(path)
        assert np.array_equal(session.positions, model.positions)
        assert np.array_equal(session.mask, model.mask)
        assert np.array_equal(session.normals, model.normals)
        assert session.keypoints == (model.keypoints if self.live is None else session.settings.keypoints)
        assert session.sliders == model.sliders
        assert session.versions == self.names
        assert session.log.bytes == sum(delta.bytes for delta in session.log._deltas.values()) + sum(
            frame.bytes for frame in session.log._frames.values()
        )


TestSculpting = Sculpting.TestCase
TestSculpting.settings = settings(
    max_examples=30, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
