"""A reconstruction as files: complete, valid, and never half written."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image

import headviz
from headviz.errors import OutputError
from headviz.geometry.camera import look_at_head
from headviz.geometry.files import read_glb
from headviz.geometry.mesh import Mesh
from headviz.models.export import FORMATS, plain, report, write_reconstruction
from headviz.models.reconstruction import Reconstruction

ALL = ["head.glb", "head.obj", "head.mtl", "head.png", "head.ply", "preview.png", "report.json"]


@pytest.fixture
def reconstruction(monkeypatch: pytest.MonkeyPatch) -> Reconstruction:
    """A tetrahedron that stands for a head, and a grey preview instead of the drawn one."""
    stub = ModuleType("headviz.models.preview")
    stub.preview_picture = lambda _: np.full((30, 40, 3), 99, np.uint8)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "headviz.models.preview", stub)
    vertices = torch.tensor([[0.0, 0.1, 0.0], [-0.1, -0.1, -0.1], [0.1, -0.1, -0.1], [0.0, -0.1, 0.1]])
    mesh = Mesh(
        vertices=vertices,
        faces=torch.tensor([[0, 1, 3], [0, 3, 2], [0, 2, 1], [1, 2, 3]]),
        uv=vertices[:, :2] * 4 + 0.5,
        texture=torch.rand(8, 8, 3),
        morphs={"jawOpen": vertices * 0.1},
    )
    return Reconstruction(
        image=torch.rand(16, 16, 3),
        camera=look_at_head(size=16),
        mesh=mesh,
        timings={"detect": 0.01, "fit": 0.2},
        model="stand-in",
        report={"fraction_seen": 0.5, "rmse": float("nan"), "expression": {"jawOpen": torch.tensor(0.25)}},
    )


def test_every_file_is_written_and_listed(reconstruction: Reconstruction, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "head"
    written = write_reconstruction(reconstruction, folder)
    assert [path.name for path in written] == ALL
    assert sorted(written) == sorted(folder.iterdir())
    content = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert content["files"] == ALL


@pytest.mark.parametrize("chosen", [*FORMATS, ""])
def test_formats_can_be_chosen(reconstruction: Reconstruction, chosen: str, tmp_path: Path) -> None:
    written = write_reconstruction(reconstruction, tmp_path, formats=[chosen] if chosen else [])
    expected = {"glb": ALL[:1], "obj": ALL[1:4], "ply": ALL[4:5], "": []}[chosen] + ALL[5:]
    assert [path.name for path in written] == expected
    assert sorted(written) == sorted(tmp_path.iterdir())


def test_unknown_formats_are_named(reconstruction: Reconstruction, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="among glb, obj, ply; got 'stl'"):
        write_reconstruction(reconstruction, tmp_path, formats=["glb", "stl"])
    assert list(tmp_path.iterdir()) == []


def test_what_is_written_can_be_read(reconstruction: Reconstruction, tmp_path: Path) -> None:
    write_reconstruction(reconstruction, tmp_path)
    assert list(read_glb(tmp_path / "head.glb").morphs) == ["jawOpen"]
    with Image.open(tmp_path / "preview.png") as preview:
        assert (preview.size, preview.getpixel((3, 3))) == ((40, 30), (99, 99, 99))


def test_the_report_is_valid_json_with_versions(reconstruction: Reconstruction, tmp_path: Path) -> None:
    write_reconstruction(reconstruction, tmp_path)

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    content = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"), parse_constant=refuse)
    assert content["model"] == "stand-in"
    assert content["timings"] == {"detect": 0.01, "fit": 0.2}
    assert content["rmse"] is None
    assert content["expression"] == {"jawOpen": 0.25}
    assert content["mesh"] == {"vertices": 4, "faces": 4, "morphs": ["jawOpen"]}
    assert content["versions"]["headviz"] == headviz.__version__
    assert content["versions"]["torch"] == torch.__version__
    assert {"python", "numpy", "mediapipe", "pillow"} <= set(content["versions"])


def test_attribution_goes_into_the_files(reconstruction: Reconstruction, tmp_path: Path) -> None:
    attributed = replace(reconstruction, report={"attribution": "shapes by someone, CC0"})
    write_reconstruction(attributed, tmp_path)
    for name in ("head.glb", "head.obj", "head.ply"):
        assert b"shapes by someone, CC0" in (tmp_path / name).read_bytes()
    write_reconstruction(attributed, tmp_path, attribution="by another")
    assert b"by another" in (tmp_path / "head.ply").read_bytes()


def test_an_existing_folder_keeps_its_other_files(reconstruction: Reconstruction, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "head.glb").write_text("old")
    write_reconstruction(reconstruction, tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert (tmp_path / "head.glb").read_bytes()[:4] == b"glTF"


def test_places_that_cannot_be_written(reconstruction: Reconstruction, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for folder, message in (
        (tmp_path / "file", "should be a folder"),
        (tmp_path / "file" / "below", "should be a folder"),
        (tmp_path / ("x" * 300), "name too long"),
        (tmp_path / "nul\0", "not the name of a folder"),
    ):
        with pytest.raises(OutputError, match=message) as caught:
            write_reconstruction(reconstruction, folder)
        assert "\n" not in str(caught.value)
    assert (tmp_path / "file").read_text() == "mine"
    (tmp_path / "head.ply").mkdir()
    with pytest.raises(OutputError, match=r"head\.ply cannot be written: it is a folder"):
        write_reconstruction(reconstruction, tmp_path)


@pytest.mark.parametrize("moment", range(len(ALL)))
def test_an_interrupt_leaves_only_whole_files(
    reconstruction: Reconstruction, moment: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tmp_path / "whole"
    write_reconstruction(reconstruction, whole)
    calls = 0
    rename = Path.replace

    def interrupted(path: Path, target: Path) -> Path:
        nonlocal calls
        calls += 1
        if calls > moment:
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_reconstruction(reconstruction, tmp_path / "cut")
    left = list((tmp_path / "cut").iterdir())
    assert len(left) == moment
    assert not any(path.name == "report.json" for path in left)
    for path in left:
        assert path.read_bytes() == (whole / path.name).read_bytes()


def test_values_become_plain(reconstruction: Reconstruction) -> None:
    value = {"a": torch.tensor([1.0, torch.nan]), "b": np.float32(2.5), 3: (np.arange(2), Path("x")), "c": [True, None]}
    assert plain(value) == {"a": [1.0, None], "b": 2.5, "3": [[0, 1], "x"], "c": [True, None]}
    assert plain(float("-inf")) is None
    with pytest.raises(TypeError, match="it holds a function"):
        plain({"call": test_values_become_plain})
    assert report(reconstruction)["files"] == []
