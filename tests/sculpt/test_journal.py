"""Autosave and crash recovery, with processes that are really killed."""

from __future__ import annotations

import itertools
import json
import random
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from permissions import unprivileged

from headviz.errors import InputError, SessionError
from headviz.geometry.mesh import Mesh
from headviz.sculpt import Brush, SculptSession, SetSliders, Stroke, journal, journal_files
from headviz.sculpt.files import start_named
from headviz.sculpt.journal import Journal, discard, recover, recoverable

CHEEK = (0.055, -0.03, 0.02)
KEPT = 2.0  # seconds of work that may be lost

# Strokes without end, each told when it is done; every fifth is undone; a long one is going on at the end.
SCULPTING = """
import sys, time
from pathlib import Path
from headviz.heads.model import load_head
from headviz.sculpt import Brush, SculptSession, prepare
from headviz.sculpt.journal import Journal
prepare()
session = SculptSession(load_head().mesh(), name="lost")
Journal(session, Path(sys.argv[1]))
print("ready", flush=True)
strokes, moves = int(sys.argv[2]), 0
for k in range(strokes):
    live = session.begin(Brush("grab" if k % 2 else "inflate", radius=0.03), (0.055, -0.03, 0.02))
    for step in range(4):
        live.move((0.055 + 0.002 * step, -0.03, 0.02))
        time.sleep(0.01)
    live.finish()
    print("stroke", session.current, time.monotonic(), flush=True)
    if k % 5 == 4:
        session.undo()
        session.keep_version(f"version {k}")
live = session.begin(Brush("grab", radius=0.03), (0.055, -0.03, 0.02))
while True:
    moves += 1
    live.move((0.055, -0.03, 0.02 + 1e-5 * moves))
    print("move", moves, time.monotonic(), flush=True)
    time.sleep(0.02)
"""


def killed(folder: Path, seconds: float, strokes: int = 10**6) -> tuple[float, list[list[str]]]:
    """Sculpt in a process of its own and kill it; when, and what it had told by then."""
    command = [sys.executable, "-c", SCULPTING, str(folder), str(strokes)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(seconds)
        assert recoverable(folder) == []  # it lives, so nobody may take its journal
        moment = time.monotonic()
        process.kill()
        told = [line.split() for line in process.stdout.read().splitlines()]
    return moment, [words for words in told if len(words) == 3]


def test_at_most_two_seconds_are_lost_whenever_the_process_is_killed(tmp_path):
    for k in range(2):
        folder = tmp_path / str(k)
        moment, told = killed(folder, random.uniform(2.2, 3.2))
        old = [int(number) for kind, number, when in told if float(when) < moment - KEPT]
        (lost,) = recoverable(folder)
        session = recover(lost.path)
        assert (lost.name, session.name) == ("lost", "lost")
        assert set(old) <= session.log.entries.keys()
        assert 1 <= lost.steps <= len(told) + 1
        again = SculptSession(session.base)
        for entry in session.history[1:]:
            again.apply(entry.step)
            if entry.id == session.current:
                np.testing.assert_array_equal(again.positions, session.positions)


def test_a_drag_that_was_going_on_comes_back(tmp_path):
    moment, told = killed(tmp_path, 2.8, strokes=1)
    old = [int(number) for kind, number, when in told if kind == "move" and float(when) < moment - KEPT]
    (lost,) = recoverable(tmp_path)
    session = recover(lost.path)
    step = session.history[-1].step
    assert [entry.text for entry in session.history] == ["base", "inflate, radius 30 mm", "grab, radius 30 mm"]
    assert isinstance(step, Stroke)
    assert step.vector[2] >= 1e-5 * max(old) - 1e-7


@pytest.fixture
def begun(head: Mesh, tmp_path: Path) -> tuple[SculptSession, Journal]:
    """A session with a journal that writes only when it is told to."""
    session = start_named("head", head)
    return session, Journal(session, tmp_path / "journals", every=3600)


def stroke(session: SculptSession, amount: float = 0.01) -> None:
    session.apply(Stroke(Brush(radius=0.05), (CHEEK,), (amount, 0.0, 0.0)))


def left_behind(written: Journal) -> Path:
    """The journal as a crash would leave it."""
    written.flush()
    path = written.path.with_name("copy.journal")
    path.write_bytes(written.path.read_bytes())
    return path


def test_a_line_that_was_being_written_is_left_out(begun, head):
    session, written = begun
    for k in range(4):
        stroke(session, 0.001 * (k + 1))
        written.flush()
    path = left_behind(written)
    written.close()
    whole = path.read_bytes()
    begin = whole.index(b'{"id":1')
    for end in range(begin, len(whole), 17):
        path.write_bytes(whole[:end])
        session = recover(path, bases={"head": lambda: head})
        complete = whole[:end].count(b'\n{"current"', 0, whole[:end].rfind(b"\n"))
        assert session.current in (complete, complete - 1 if complete else 0, complete + 1)
        assert len(session.log.entries) - 1 >= complete
    for end in (0, 3, 30, begin - 40):
        path.write_bytes(whole[:end])
        with pytest.raises(SessionError):
            recover(path, bases={"head": lambda: head})
        assert recoverable(path.parent) == []


def test_what_is_recovered_is_what_was_there(begun, head):
    session, written = begun
    stroke(session)
    session.keep_version("one")
    session.apply(SetSliders({"jawOpen": 0.4}))
    session.undo()
    session.apply(SetSliders({"jawOpen": 0.7}))
    stroke(session)
    session.undo()
    live = session.begin(Brush("smooth", radius=0.03), CHEEK)
    written.flush()
    live.move((0.06, -0.02, 0.03))
    path = left_behind(written)
    expected = live.finish()
    again = recover(path, bases={"head": lambda: head})
    np.testing.assert_array_equal(again.positions, session.positions)
    assert again.history[-1].step == expected
    assert (again.versions, again.sliders, again.origin) == (session.versions, session.sliders, session.origin)
    with pytest.raises(SessionError, match="base is 'head'"):
        recover(path)
    written.close()


def test_a_clean_end_leaves_nothing_and_a_kept_one_everything(begun, head):
    session, written = begun
    folder = written.path.parent
    stroke(session)
    written.flush()
    assert written.path.is_file()
    assert recoverable(folder) == []
    assert not discard(written.path)
    written.close()
    assert list(folder.iterdir()) == []
    with Journal(session, folder) as one, Journal(SculptSession(head), folder) as other:
        for both in (one, other):
            both.flush()
        assert len(list(folder.glob("*.journal"))) == 2
        assert recoverable(folder) == []
    assert list(folder.iterdir()) == []
    with pytest.raises(ZeroDivisionError), Journal(session, folder) as one:
        raise ZeroDivisionError
    (lost,) = recoverable(folder)
    assert (lost.path, lost.steps) == (one.path, 1)
    with Journal(recover(lost.path, bases={"head": lambda: head}), folder, replaces=lost.path) as other:
        other.flush()
        assert [*folder.glob("*.journal")] == [other.path]


def test_sessions_in_which_nothing_was_done_are_not_offered(begun):
    _, written = begun
    written.flush()
    written.close(keep=True)
    assert written.path.is_file()
    assert recoverable(written.path.parent) == []
    assert not written.path.exists()


def test_a_listener_does_next_to_nothing(begun, monkeypatch):
    session, written = begun
    written.flush()

    def refuse(*_):
        pytest.fail("a drag waited for the journal")

    monkeypatch.setattr(Journal, "_write", refuse)
    live = session.begin(Brush(radius=0.03), CHEEK)
    for k in range(50):
        live.move((0.055 + 1e-4 * k, -0.03, 0.02))
    live.finish()
    monkeypatch.undo()
    written.close()


def test_a_journal_grows_short_again(begun, head, monkeypatch):
    monkeypatch.setattr(journal, "_LONG", 20_000)
    session, written = begun
    written.flush()
    live = session.begin(Brush("inflate", radius=0.01), CHEEK)
    lengths = []
    for k in range(60):
        live.move((0.055, -0.03 + 0.0016 * k, 0.02))
        written.flush()
        lengths.append(written.path.stat().st_size)
    live.finish()
    assert sum(later < before for before, later in itertools.pairwise(lengths)) >= 1
    path = left_behind(written)
    again = recover(path, bases={"head": lambda: head})
    np.testing.assert_array_equal(again.positions, session.positions)
    written.close()


@pytest.mark.skipif(not hasattr(journal_files.os, "geteuid"), reason="this system has no such permissions")
def test_an_unwritable_folder_is_told_once_and_work_goes_on(session, tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "_AGAIN", 0.0)
    told: list[str] = []
    locked = tmp_path / "locked"
    locked.mkdir()
    with unprivileged(locked):
        locked.chmod(0o500)
        written = Journal(session, locked / "state", on_problem=told.append, every=3600)
        for _ in range(3):
            stroke(session)
            written.flush()
        assert len(told) == 1
        assert "not being saved automatically" in told[0]
        assert "Permission denied" in told[0]
        locked.chmod(0o700)
        written.flush()
        assert (written.problem, len(told)) == ("", 1)
        assert recover(left_behind(written)).current == 3
        written.close()


def test_a_full_disk_is_told_once_and_the_journal_is_whole_when_there_is_room(begun, head, monkeypatch):
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(journal, "_AGAIN", 0.0)
    session, written = begun
    told: list[str] = []
    monkeypatch.setattr(written, "_on_problem", told.append)
    stroke(session)
    written.flush()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (written.path.stat().st_size + 40, hard))
    try:
        for _ in range(3):
            stroke(session)
            written.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(told) == 1
    assert "File too large" in told[0]
    assert recover(left_behind(written), bases={"head": lambda: head}).current == 4
    written.close()


def test_what_is_no_journal(tmp_path, head):
    for name, content in (("a", b""), ("b", b"\xff\n\n"), ("c", b'{"headviz":"journal","version":9}\n{}\n'),
                          ("d", b'{"headviz":"journal","version":1}\n{"base":7}\n'),
                          ("e", b'{"headviz":"journal","version":1}\n{"base":{}}\n{"id":1}\n')):  # fmt: skip
        path = tmp_path / f"{name}.journal"
        path.write_bytes(content)
        with pytest.raises(SessionError):
            recover(path)
    assert {lost.path.stem for lost in recoverable(tmp_path)} <= {"e"}
    with pytest.raises(SessionError, match="cannot be read"):
        recover(tmp_path / "gone.journal")


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_journal_opens_or_says_so(sheet, tmp_path, data):
    path = tmp_path / "damaged.journal"
    original = tmp_path / "whole.bytes"
    if not original.exists():
        session = SculptSession(sheet)
        with Journal(session, tmp_path / "journals", every=3600) as written:
            for k in range(3):
                stroke(session, 0.01 * k)
                session.keep_version(f"version {k}")
            session.undo()
            original.write_bytes(left_behind(written).read_bytes())
    content = bytearray(original.read_bytes())
    begin = content.index(b'{"id":1')
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.one_of(st.integers(0, len(content) - 1), st.integers(begin, len(content) - 1)))
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content))
    with suppress(InputError):  # anything else would pass through
        recover(path)
    assert all(lost.path == path for lost in recoverable(tmp_path))


def test_where_journals_are(monkeypatch, tmp_path):
    monkeypatch.setattr(journal_files.sys, "platform", "linux")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert journal_files.state_folder() == tmp_path / "headviz" / "sculpt"
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    assert journal_files.state_folder() == Path.home() / ".local" / "state" / "headviz" / "sculpt"
    monkeypatch.setattr(journal_files.sys, "platform", "darwin")
    assert journal_files.state_folder() == Path.home() / "Library" / "Application Support" / "headviz" / "sculpt"
    monkeypatch.setattr(journal_files.sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert journal_files.state_folder() == tmp_path / "local" / "headviz" / "sculpt"


def test_a_journal_is_lines_of_json(begun):
    session, written = begun
    stroke(session)
    path = left_behind(written)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [next(iter(line)) for line in lines] == ["headviz", "base", "id", "current"]
    written.close()
