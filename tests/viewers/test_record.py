"""Records: checked when made, kept in files, refused with a clear message when foreign."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from headviz.errors import RecordError
from headviz.geometry.mesh import Mesh
from headviz.viewers import Record, open_record, view_mesh
from headviz.viewers.record import ENTRY, FORMAT, load, plain


@pytest.fixture
def record() -> Record:
    return Record("mesh", {"faces": 2, "size": np.array([1.5, 2.0]), "worst": float("nan")}, {"a": np.arange(6.0)})


def test_facts_are_plain_and_what_is_not_finite_is_none(record: Record) -> None:
    assert dict(record.facts) == {"faces": 2, "size": [1.5, 2.0], "worst": None}
    assert plain({"t": torch.tensor([1, 2]), "n": np.float32(0.5), "deep": ({"x": (True, None)},)}) == {
        "t": [1, 2], "n": 0.5, "deep": [{"x": [True, None]}],
    }  # fmt: skip
    with pytest.raises(TypeError):
        record.facts["new"] = 1  # type: ignore[index]


@pytest.mark.parametrize("wrong", [{"a": np.array(["x"])}, {"a": np.array([None])}])
def test_arrays_hold_numbers(wrong: dict[str, Any]) -> None:
    with pytest.raises(RecordError, match="array 'a' should be a numpy array of numbers"):
        Record("mesh", {}, wrong)


def test_facts_that_json_cannot_hold_are_refused() -> None:
    with pytest.raises(RecordError, match="it is object"):
        Record("mesh", {"x": object()})


def test_round_trip_keeps_every_bit(record: Record, tmp_path: Path) -> None:
    record.save(tmp_path / "r.npz", state={"step": 3})
    again, state = load(tmp_path / "r.npz")
    assert (again.kind, dict(again.facts), state) == (record.kind, dict(record.facts), {"step": 3})
    assert again.arrays["a"].dtype == np.float64
    assert np.array_equal(again.arrays["a"], record.arrays["a"])
    with np.load(tmp_path / "r.npz") as plain_file:  # any program can use the arrays
        assert np.array_equal(plain_file["a"], record.arrays["a"])


def test_a_viewer_opens_as_it_was_left(small_head: Mesh, tmp_path: Path) -> None:
    viewer = view_mesh(small_head, title="Ball").at(wireframe=True, cursor=(0.0, 0.1, 0.2))
    viewer.save(tmp_path / "ball.npz")
    again = open_record(tmp_path / "ball.npz")
    assert (again.state, again.title, again.caption) == (viewer.state, "Ball", viewer.caption)


def says(**changes: Any) -> str:
    return json.dumps({"format": FORMAT, "version": 1, "kind": "mesh", "facts": {}, "state": None} | changes)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"x": np.zeros(3)}, "not of headviz: it has no entry"),
        ({ENTRY: np.zeros(3)}, "not of headviz"),
        ({ENTRY: np.asarray("{")}, "no JSON"),
        ({ENTRY: np.asarray("[1]")}, "is not of a headviz record"),
        ({ENTRY: np.asarray(says(version=99))}, "version 99 of the format; this headviz reads up to 1: update it"),
        ({ENTRY: np.asarray(says(kind=None))}, "does not say for which viewer"),
        ({ENTRY: np.asarray(says(kind="hologram"))}, "for a viewer 'hologram'.*update it"),
        ({ENTRY: np.asarray(says())}, "damaged: a mesh record should have the arrays vertices, faces"),
        ({ENTRY: np.asarray(says(facts=None))}, "damaged"),
        ({ENTRY: np.asarray(says(state=[1]))}, "damaged: its state should be a mapping"),
        (
            dict.fromkeys(("origins", "directions", "index", "offsets", "mask", "status"), np.zeros(2)),
            "of an older `headviz trace`.*trace it again",
        ),
    ],
)
def test_foreign_and_damaged_files_say_so(entries: dict[str, Any], message: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "f.npz", **entries)
    with pytest.raises(RecordError, match=message):
        open_record(tmp_path / "f.npz")


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 truncated", b"\x93NUMPY\x01\x00"])
def test_what_is_no_npz_file_says_so(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "f.npz").write_bytes(content)
    with pytest.raises(RecordError, match=r"f\.npz should be an \.npz file of headviz") as caught:
        open_record(tmp_path / "f.npz")
    assert str(caught.value).count("should be") == 1
    assert "pickle" not in str(caught.value)


def test_a_zip_file_without_arrays_says_so(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "f.npz", "w") as file:
        file.writestr("notes.txt", "words")
    with pytest.raises(RecordError, match=r"its entry 'notes\.txt' is no array"):
        open_record(tmp_path / "f.npz")


def test_changed_bytes_are_never_another_error(small_head: Mesh, tmp_path: Path) -> None:
    path = view_mesh(small_head).save(tmp_path / "ball.npz")
    whole = path.read_bytes()
    refused = 0
    for place in range(0, len(whole), max(1, len(whole) // 60)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
        try:
            open_record(path)
        except RecordError:
            refused += 1
    assert refused > 30


def test_a_truncated_file_says_so(small_head: Mesh, tmp_path: Path) -> None:
    path = view_mesh(small_head).save(tmp_path / "ball.npz")
    whole = path.read_bytes()
    for share in (0.3, 0.9, 0.999):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(RecordError):
            open_record(path)


def test_a_pickle_is_never_run(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (tmp_path.joinpath("boom").touch, ())

    np.savez(tmp_path / "f.npz", **{ENTRY: np.array([Bomb()], dtype=object)})
    with pytest.raises(RecordError):
        open_record(tmp_path / "f.npz")
    assert not (tmp_path / "boom").exists()


def test_an_unknown_or_impossible_state_says_so(small_head: Mesh, tmp_path: Path) -> None:
    record = view_mesh(small_head).record
    for state in ({"colour": 1}, {"step": 7}, {"step": "two"}):
        record.save(tmp_path / "f.npz", state=state)
        with pytest.raises(RecordError, match="damaged"):
            open_record(tmp_path / "f.npz")
