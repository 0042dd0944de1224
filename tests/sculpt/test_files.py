"""Session files: the same bits again, and one clear line for everything that is no session."""

from __future__ import annotations

import base64
import json
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headviz.errors import InputError, OutputError, SessionError
from headviz.geometry.files import write_obj
from headviz.geometry.mesh import Mesh
from headviz.sculpt import Brush, Keypoint, SculptSession, SetKeypoints, SetSliders, Stroke, Symmetrise
from headviz.sculpt.files import open_session, save_session, start_named, start_session
from headviz.sculpt.origin import Frame, Origin

from .conftest import wavy_sheet
from .strategies import steps

pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
CHEEK = (0.055, -0.03, 0.02)


def same(one: SculptSession, other: SculptSession) -> None:
    """Two sessions are equal to the bit, history included."""
    np.testing.assert_array_equal(one.positions, other.positions)
    np.testing.assert_array_equal(one.mask, other.mask)
    np.testing.assert_array_equal(one.normals, other.normals)
    assert (one.keypoints, one.exact, one.sliders) == (other.keypoints, other.exact, other.sliders)
    assert one.log.entries == other.log.entries
    assert (one.history, one.current, one.versions) == (other.history, other.current, other.versions)
    assert (one.name, one.origin) == (other.name, other.origin)


def sculpted(mesh: Mesh) -> SculptSession:
    """A session with a branch, a version and something to redo."""
    session = SculptSession(mesh, name="someone")
    session.apply(Stroke(Brush(radius=0.04), (CHEEK,), (0.0, 0.01, 0.02)))
    session.apply(Stroke(Brush("inflate", radius=0.03), (CHEEK, (0.05, -0.02, 0.03))))
    session.keep_version("first try")
    session.undo()
    if mesh.morphs:
        session.apply(SetSliders({next(iter(mesh.morphs)): 0.5}))
    session.apply(SetKeypoints((Keypoint(CHEEK, (0.0, 0.01, 0.0)),)))
    session.apply(Stroke(Brush("mask", radius=0.05), (CHEEK,)))
    session.undo()
    return session


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(done=st.lists(steps(), min_size=1, max_size=5), back=st.lists(st.integers(0, 4), max_size=2))
def test_opening_gives_the_same_bits(head, tmp_path, done, back):
    session = start_named("head", head)
    for step in done:
        session.apply(step)
    for k in back:
        session.goto(min(k, len(done)))
        session.apply(done[0])
    save_session(session, tmp_path / "a.json")
    same(session, open_session(tmp_path / "a.json", bases={"head": lambda: head}))


def test_a_mesh_from_memory_is_in_the_file(head, tmp_path):
    texture = torch.rand(4, 5, 3, generator=torch.Generator().manual_seed(0))
    colors = torch.rand(len(head.vertices), 3, generator=torch.Generator().manual_seed(1))
    mesh = Mesh(head.vertices, head.faces, head.uv, head.uv_faces, texture, colors, None, head.morphs, head.mirror)
    session = sculpted(mesh)
    save_session(session, tmp_path / "a.json")
    opened = open_session(tmp_path / "a.json")
    same(session, opened)
    for name in ("vertices", "faces", "uv", "uv_faces", "colors", "mirror"):
        assert torch.equal(getattr(opened.base, name), getattr(mesh, name))
    assert all(torch.equal(opened.base.morphs[name], mesh.morphs[name]) for name in mesh.morphs)
    torch.testing.assert_close(opened.base.texture, texture, rtol=0, atol=0.0045)  # 8 bits of sRGB
    save_session(opened, tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_a_file_is_found_beside_the_session_wherever_both_go(sheet, tmp_path):
    (tmp_path / "old").mkdir()
    write_obj(tmp_path / "old" / "sheet.obj", sheet)
    session = start_session(tmp_path / "old" / "sheet.obj")
    session.apply(Stroke(Brush(), (CHEEK,), (0.0, 0.0, 0.01)))
    save_session(session, tmp_path / "old" / "a.json")
    (tmp_path / "old").rename(tmp_path / "new")
    opened = open_session(tmp_path / "new" / "a.json")
    np.testing.assert_array_equal(opened.positions, session.positions)
    assert opened.origin.name == str((tmp_path / "new" / "sheet.obj").resolve())
    assert len((tmp_path / "new" / "a.json").read_bytes()) < 15_000
    save_session(opened, tmp_path / "whole.json", embed=True)
    (tmp_path / "new" / "sheet.obj").unlink()
    np.testing.assert_array_equal(open_session(tmp_path / "whole.json").positions, session.positions)
    with pytest.raises(SessionError, match=r"sheet.obj is missing; put it there, or open the session with mesh="):
        open_session(tmp_path / "new" / "a.json")
    np.testing.assert_array_equal(
        open_session(tmp_path / "new" / "a.json", mesh=session.base).positions, session.positions
    )
    with pytest.warns(UserWarning, match=r"sheet.obj is gone, so the session file holds the base itself"):
        save_session(opened, tmp_path / "gone.json")
    np.testing.assert_array_equal(open_session(tmp_path / "gone.json").positions, session.positions)


def test_repairs_are_made_again(sheet, tmp_path):
    millimetres = Mesh(1000 * sheet.vertices + torch.tensor([7.0, 0.0, 9000.0]), sheet.faces)
    write_obj(tmp_path / "sheet.obj", millimetres)
    session = start_session(tmp_path / "sheet.obj", fixes=["all"])
    assert session.origin.fixes == ("recentre", "rescale")
    assert session.surface.size == pytest.approx(0.2, rel=1e-4)
    session.apply(Stroke(Brush(), (CHEEK,), (0.0, 0.0, 0.01)))
    save_session(session, tmp_path / "a.json")
    same(session, open_session(tmp_path / "a.json"))


def test_a_base_that_has_changed(sheet, tmp_path):
    write_obj(tmp_path / "sheet.obj", sheet)
    session = start_session(tmp_path / "sheet.obj")
    session.apply(Stroke(Brush(), (CHEEK,), (0.0, 0.0, 0.01)))
    save_session(session, tmp_path / "a.json")
    write_obj(tmp_path / "sheet.obj", wavy_sheet(lean=0.1))
    with pytest.raises(SessionError, match=r"sheet.obj has changed: it had 576 vertices .* replay_on"):
        open_session(tmp_path / "a.json")
    opened = open_session(tmp_path / "a.json", changed=True)
    assert opened.history[1:] == session.history[1:]
    assert np.abs(opened.positions - opened.surface.rest).max() == pytest.approx(0.01, rel=0.1)


def test_another_rounding_is_told_with_its_size(session, tmp_path):
    session.apply(Stroke(Brush(radius=0.05), (CHEEK,), (0.0, 0.01, 0.0)))
    save_session(session, tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_bytes())
    sample = np.frombuffer(zlib.decompress(base64.b64decode(document["result"]["sample"]["data"])), "<f4") + 2e-6
    document["result"]["sample"]["data"] = base64.b64encode(zlib.compress(sample.astype("<f4").tobytes())).decode()
    document["result"]["sha256"] = "0" * 64
    (tmp_path / "a.json").write_text(json.dumps(document))
    with pytest.warns(UserWarning, match=r"do not lead to the saved positions .* the farthest is 2e-06 m away"):
        np.testing.assert_array_equal(open_session(tmp_path / "a.json").positions, session.positions)


def test_a_failed_save_leaves_the_old_file(session, tmp_path):
    save_session(session, tmp_path / "a.json")
    before = (tmp_path / "a.json").read_bytes()
    session.apply(Symmetrise())
    for path in (tmp_path / "no folder" / "a.json", tmp_path):
        with pytest.raises(OutputError, match="cannot be written"):
            save_session(session, path)
    assert (tmp_path / "a.json").read_bytes() == before
    assert list(tmp_path.iterdir()) == [tmp_path / "a.json"]


def test_frames_go_there_and_back():
    mesh = wavy_sheet()
    frame = Frame((1.0, -2.0, 3.0), 0.01)
    there = frame.restore(mesh)
    assert float((there.vertices[0] - mesh.vertices[0] / 0.01).norm()) == pytest.approx(14**0.5, abs=1e-4)
    torch.testing.assert_close(frame.apply(there).vertices, mesh.vertices, rtol=0, atol=1e-7)


# Broken files ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> bytes:
    """A file with everything."""
    mesh = wavy_sheet(8)
    moved = torch.zeros_like(mesh.vertices)
    moved[:9, 2] = 0.01
    session = sculpted(Mesh(mesh.vertices, mesh.faces, mesh.vertices[:, :2], morphs={"lift": moved}))
    path = save_session(session, tmp_path_factory.mktemp("saved") / "a.json")
    return path.read_bytes()


def opened(folder: Path, content: bytes) -> SculptSession:
    (folder / "b.json").write_bytes(content)
    return open_session(folder / "b.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: {"some": "json"}, "is no session of headviz"),
        (lambda d: [], "is no session of headviz"),
        (lambda d: d | {"version": 2}, r"comes from a newer headviz \(format 2, this one reads 1\); update headviz"),
        (lambda d: d | {"version": "1"}, "should have a version"),
        (lambda d: d | {"steps": {}}, "list of steps"),
        (lambda d: d | {"current": 99}, "no entry 99"),
        (lambda d: d | {"current": 1.5}, "whole and not negative"),
        (lambda d: d | {"versions": {"x": 77}}, "no entry 77"),
        (lambda d: d | {"steps": [d["steps"][0] | {"parent": 5}]}, "should come after a step that is there"),
        (lambda d: d | {"steps": [d["steps"][0], d["steps"][0]]}, "entry 1 already"),
        (lambda d: d | {"steps": [d["steps"][0] | {"step": {"kind": "exec"}}]}, "a step should be one of"),
        (lambda d: d | {"base": None}, "say what its base is"),
        (lambda d: d | {"base": d["base"] | {"kind": "module"}}, "a base should be one of memory, file, named"),
        (lambda d: d | {"base": d["base"] | {"kind": "named", "name": "x", "mesh": None}}, "base is 'x'"),
        (lambda d: d | {"base": d["base"] | {"kind": "file", "name": "//host/x.obj"}}, "another computer"),
        (lambda d: d | {"base": d["base"] | {"mesh": None}}, "came from memory"),
        (lambda d: d | {"base": d["base"] | {"frame": {"center": [0, 0, 0], "scale": 0}}}, "the frame's scale"),
        (lambda d: d | {"base": d["base"] | {"fixes": ["rm"]}}, "repairs of a base"),
        (lambda d: {name: value for name, value in d.items() if name != "current"}, "damaged session: KeyError 'current'"),
    ],
)  # fmt: skip
def test_what_is_no_session_is_told_in_one_line(saved, tmp_path, change, message):
    with pytest.raises(SessionError, match=message) as caught:
        opened(tmp_path, json.dumps(change(json.loads(saved))).encode())
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(tmp_path))


def test_files_that_are_not_there_or_not_json(saved, tmp_path):
    for content, message in ((b"", "is no session"), (b"\x89PNG", "is no session"), (saved[:-9], "cut off or damaged"),
                             (saved.replace(b'"current":', b'"current":NaN,"x":'), "NaN is no number"),
                             (b"[" * 100_000, "is no session")):  # fmt: skip
        with pytest.raises(SessionError, match=message):
            opened(tmp_path, content)
    for path in (tmp_path / "gone.json", tmp_path, "\0"):
        with pytest.raises(SessionError, match="cannot be read"):
            open_session(path)


def test_an_array_cannot_ask_for_more_memory_than_it_fills(saved, tmp_path):
    for shape in ([2**31, 3], [10**7, 3], [-1, 3], [64.0, 3], "big"):
        document = json.loads(saved)
        document["base"]["mesh"]["vertices"]["shape"] = shape
        with pytest.raises(SessionError, match="array"):
            opened(tmp_path, json.dumps(document).encode())


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.filterwarnings("ignore:the steps of")
def test_damaged_bytes_open_or_say_so(saved, tmp_path, data):
    content = bytearray(saved)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with suppress(InputError):  # anything else would pass through
        opened(tmp_path, bytes(content))


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**400), 10**400), st.floats(), st.text(max_size=9),
    st.lists(st.integers(-1, 9), max_size=4), st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)  # fmt: skip


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.filterwarnings("ignore:the steps of")
def test_wrong_values_open_or_say_so(saved, tmp_path, data):
    document = json.loads(saved)
    place = document
    while True:
        keys = list(range(len(place))) if isinstance(place, list) else list(place)
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], (dict, list)) or not place[key] or data.draw(st.integers(0, 3)) == 0:
            break
        place = place[key]
    place[key] = data.draw(VALUES)
    with suppress(InputError):
        opened(tmp_path, json.dumps(document).encode())


def test_origins_are_kept(sheet, tmp_path):
    session = SculptSession(sheet)
    session.origin = Origin(frame=Frame((0.1, 0.2, 0.3), 0.5))
    save_session(session, tmp_path / "a.json")
    assert open_session(tmp_path / "a.json").origin == session.origin
