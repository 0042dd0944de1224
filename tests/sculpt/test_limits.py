"""What goes too far is refused before anything changes; long histories, forked processes and odd numbers work."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch

from headviz.errors import MeshError, SessionError
from headviz.geometry.mesh import Mesh
from headviz.sculpt import (
    TOOLS,
    Brush,
    Keypoint,
    SculptSession,
    SetKeypoints,
    SetSliders,
    Stroke,
    Symmetrise,
)

from .conftest import wavy_sheet
from .test_session import CHEEK, NOSE

WILD = Brush(
    "flatten", radius=1e6, strength=4.0, falloff="constant", invert=True, symmetric=False
)  # a vertex goes 5 times as far per dab


def worked(session: SculptSession) -> None:
    """Some steps, of which later ones need normals that earlier ones changed."""
    for tool in TOOLS:
        session.apply(Stroke(Brush(tool, 0.05), (CHEEK,), (0.01, 0.0, 0.0)))


@pytest.mark.parametrize(
    "step",
    [
        Stroke(WILD, ((0.01, 0.0, 0.0),) * 100),
        Stroke(Brush(radius=0.1, strength=4.0, falloff="constant"), ((0.0, 0.0, 0.0),), (0.0, 1e6, 0.0)),
        SetKeypoints((Keypoint((0.05, 0.0, 0.0), (0.1, 0.0, 0.0)), Keypoint((0.0, 0.0, 0.0), (0.0, 1e6, 0.0), strength=9))),
        SetSliders({"up": 100.0}),
    ],
    ids=lambda step: step.kind,
)  # fmt: skip
def test_a_step_that_goes_too_far_changes_nothing(step):
    base = wavy_sheet()
    base.morphs["up"] = torch.full_like(base.vertices, 1e5)
    session = SculptSession(base)
    session.apply(Stroke(Brush("inflate", 0.05), ((0.05, 0.0, 0.0),)))
    positions, normals = session.positions.copy(), session.normals.copy()
    with pytest.raises(SessionError, match="within 1e\\+06 m"):
        session.apply(step)
    assert np.array_equal(session.positions, positions)
    assert np.array_equal(session.normals, normals)
    assert session.current == 1
    session.undo()


def test_a_live_stroke_that_goes_too_far_stands_where_it_was(sheet):
    session, again = SculptSession(sheet), SculptSession(sheet)
    live = session.begin(WILD, (0.01, 0.0, 0.0))

    def scrub():
        for side in range(20):
            live.move((-5e5 + 1e6 * (side % 2), 0.0, 0.0))

    with pytest.raises(SessionError, match="would not"):
        scrub()
    assert np.isfinite(session.positions).all()
    again.apply(live.finish())
    assert np.array_equal(session.positions, again.positions)
    assert np.array_equal(session.normals, again.normals)
    session.undo()
    grab = session.begin(Brush(strength=4.0, radius=0.1), (0.0, 0.0, 0.0))
    grab.move((0.01, 0.0, 0.02))
    there = session.positions.copy()
    with pytest.raises(SessionError, match="would not"):
        grab.move((0.0, 1e6, 0.0))
    assert np.array_equal(session.positions, there)
    assert grab.finish().vector == pytest.approx((0.01, 0.0, 0.02))


def test_a_number_that_is_taken_is_refused_before_anything_changes(session):
    session.apply(Stroke(Brush(), (CHEEK,), (0.01, 0, 0)), id=7)
    before = session.positions.copy()
    with pytest.raises(SessionError, match="entry 7 already"):
        session.apply(Stroke(Brush(), (NOSE,), (0.01, 0, 0)), id=7)
    assert np.array_equal(session.positions, before)
    assert session.apply(Stroke(Brush(), (NOSE,), (0.01, 0, 0))).id == 8


def test_meshes_that_no_loop_could_read_are_refused(sheet):
    count = len(sheet.vertices)
    for wrong in (torch.arange(count - 1), torch.arange(count + 5)):
        mesh = Mesh(sheet.vertices, sheet.faces)
        object.__setattr__(mesh, "mirror", wrong)  # the types that tests check would refuse it
        with pytest.raises(MeshError, match="one entry for each of 576"):
            SculptSession(mesh)
    with pytest.raises(MeshError, match="reaches to 5e\\+06 m"):
        SculptSession(Mesh(sheet.vertices + 5e6, sheet.faces))
    with pytest.raises(MeshError, match="'a'"):
        SculptSession(Mesh(sheet.vertices, sheet.faces, morphs={"a": sheet.vertices * torch.nan}))


def test_a_mesh_without_any_extent_can_be_smoothed(sheet):
    session = SculptSession(Mesh(torch.zeros(3, 3), sheet.faces[:1] * 0 + torch.arange(3)))
    session.apply(Stroke(Brush("smooth"), ((0.0, 0.0, 0.0),)))
    assert not session.positions.any()


def test_symmetrise_where_twins_lie_on_the_plane():
    points = torch.tensor([[0.0, 0, 0], [0.0, 1, 0], [0.0, 0, 1]])
    for keep, kept in (("left", 1), ("right", 2)):
        session = SculptSession(Mesh(points, torch.tensor([[0, 1, 2]]), mirror=torch.tensor([0, 2, 1])))
        session.apply(Symmetrise(keep))
        assert session.residual == 0
        assert np.array_equal(session.positions[kept], points[kept])


def test_whatever_the_budget_a_brush_reads_the_normals_of_now(head):
    small, large = SculptSession(head, budget=120_000), SculptSession(head)
    rng = np.random.default_rng(0)
    states = [large.positions.copy()]
    for k in range(40):
        place = tuple(head.vertices[rng.integers(len(head.vertices))].tolist())
        step = Stroke(Brush(("grab", "inflate", "flatten")[k % 3], radius=0.07), (place,), (0.01, 0.01, 0.0))
        small.apply(step)
        large.apply(step)
        states.append(large.positions.copy())
    for entry in rng.integers(0, 41, 60).tolist():
        small.goto(entry)
        assert np.array_equal(small.positions, states[entry])


def test_going_far_forth_begins_at_a_whole_state(head, monkeypatch):
    session = SculptSession(head, budget=400_000)
    for k in range(300):
        session.apply(Stroke(Brush(radius=0.1), (CHEEK,), (0.0001 * (-1) ** k, 0, 0)))
    end = session.positions.copy()
    session.goto(0)
    done = []
    monkeypatch.setattr(session, "_do", lambda step, do=session._do: done.append(step) or do(step))
    session.goto(300)
    assert np.array_equal(session.positions, end)
    assert len(done) < 150


def test_undo_of_the_last_step_is_kept_where_a_whole_state_would_take_all(head):
    session = SculptSession(head, budget=60_000)  # a whole state takes 54,072
    for _ in range(40):
        session.apply(Stroke(Brush(radius=0.03), (CHEEK,), (0.0001, 0, 0)))
    assert session.log.delta(40) is not None
    assert session.log.frame(32) is None


def test_exact_keypoints_together_are_those_one_after_the_other(head):
    rest = head.vertices
    sites = [tuple(rest[k].tolist()) for k in (10, 700, 1500)]
    vectors = [(0.004, 0.002, -0.003), (0.0, 0.003, 0.001), (-0.002, 0.0, 0.002)]
    together, single = SculptSession(head), SculptSession(head)
    still = tuple(Keypoint(site, alpha=1500.0) for site in sites)
    moved = tuple(Keypoint(site, v, alpha=1500.0) for site, v in zip(sites, vectors, strict=True))
    together.apply(SetKeypoints(moved, True))
    single.apply(SetKeypoints(still, True))
    for index, vector in enumerate(vectors):
        live = single.begin_keypoint(index)
        live.move(vector)
        live.finish()
    assert together.keypoints == single.keypoints
    assert np.abs(together.positions - single.positions).max() < 1e-7
    assert np.abs(together.keypoint_positions() - sites - vectors).max() < 1e-7


@pytest.mark.skipif(sys.platform != "linux", reason="only there processes are forked")
def test_a_forked_process_sculpts_to_the_same_bits(session):
    def work(pipe):
        worked(session)
        pipe.send((session.positions, session.normals, session.residual))

    session.residual  # noqa: B018
    here, there = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=work, args=(there,))
    child.start()
    assert here.poll(100), f"the process ended with {child.exitcode}"
    positions, normals, residual = here.recv()
    child.join()
    worked(session)
    assert np.array_equal(session.positions, positions)
    assert np.array_equal(session.normals, normals)
    assert session.residual == residual


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda session: pickle.loads(pickle.dumps(session))])
def test_a_session_can_be_copied_with_its_history(session, twin):
    worked(session)
    lock = threading.Lock()  # listeners, such as a journal, can often not be copied
    session.subscribe(lambda _, lock=lock: None)
    other = twin(session)
    other.undo()
    other.redo()
    assert np.array_equal(other.positions, session.positions)
    assert other.history == session.history


def test_numbers_of_numpy_and_torch_are_taken_and_what_is_none_is_refused_readably():
    code = """
import numpy as np, torch
from headviz.errors import OptionError, SessionError
from headviz.sculpt import Brush, Keypoint, SetKeypoints, SetSliders, Stroke, falloff
places = np.float32([[0.05, 0.0, 0.05], [0.04, 0.0, 0.05]])
plain = Stroke(Brush("inflate", 0.25), ((0.05, 0.0, 0.05), (0.04, 0.0, 0.05)))
for points, radius in ((places, np.float32(0.25)), (torch.from_numpy(places), torch.tensor(0.25)), (places.tolist(), 0.25)):
    assert Stroke(Brush("inflate", radius), points) == plain
assert SetKeypoints([Keypoint(places[0])]) == SetKeypoints((Keypoint(torch.from_numpy(places[0])),))
for make, text in [
    (lambda: Stroke(Brush(), ((5e6, 0, 0),)), "from -1e+06 to 1e+06"), (lambda: Stroke({}, places[:1]), "a Brush"),
    (lambda: Stroke(Brush("inflate"), places[0]), "three numbers"), (lambda: SetKeypoints(Keypoint(places[0])), "a list"),
    (lambda: SetKeypoints([places[0]]), "type Keypoint"), (lambda: SetSliders(["jawOpen"]), "names with weights"),
    (lambda: falloff(np.zeros(1), "steep"), "falloff should be one of smooth"),
]:
    try:
        print(make())
    except (OptionError, SessionError) as error:
        assert text in str(error), error
    else:
        raise AssertionError(text)
"""
    subprocess.run([sys.executable, "-c", code], check=True)  # without the types that tests check


def test_a_long_stroke_is_shown_shortly():
    assert len(repr(Stroke(Brush("inflate"), (CHEEK,) * 500))) < 300
