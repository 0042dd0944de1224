"""The command line: what it makes, what it says, and how it fails."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from headviz import cli
from headviz.commands import reconstruct
from headviz.errors import FaceTooSmallError, InputError, MissingExtraError, NoFaceError, PictureError
from headviz.geometry.camera import look_at_head
from headviz.geometry.mesh import Mesh
from headviz.models import registry
from headviz.models.reconstruction import Reconstruction
from headviz.models.registry import ModelCard
from headviz.photo.picture import Box, Photo

CARD = ModelCard(
    "fake",
    "A head for the tests.",
    "any picture",
    "none",
    "",
    1_500_000,
    "CC0",
    "here",
    {"face_mm": 1.5},
    {"face_mm": 2.5},
)
BOXES = [Box(10, 10, 60, 60), Box(70, 10, 90, 30)]


class FakeModel:
    """A model that makes a triangle, or raises what it is told to."""

    card = CARD

    def __init__(self, faults: dict[str, BaseException]) -> None:
        self.faults, self.crops, self.closed = faults, [], 0

    def close(self) -> None:
        """Count."""
        self.closed += 1

    def reconstruct(
        self,
        image: torch.Tensor,
        *,
        crop: Box | None = None,
        progress: Callable[[str], None] | None = None,
        focal_35mm: float | None = None,
    ) -> Reconstruction:
        """A triangle; the picture's first pixel says which picture it is."""
        self.crops.append(crop)
        self.focal = focal_35mm
        if progress:
            progress("fitting")
        for name, fault in self.faults.items():
            if name == str(int(image[0, 0, 0])) or (crop is not None and name == f"crop {crop.left:g}"):
                raise fault
        mesh = Mesh(torch.eye(3), torch.tensor([[0, 1, 2]]))
        return Reconstruction(image, look_at_head(), mesh, timings={"fit": 0.1}, model="fake", report={"error": 1.0})


class FakeFinder:
    """Two faces in every picture, the larger first."""

    def __enter__(self) -> FakeFinder:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def find(self, image: torch.Tensor) -> list[Any]:
        """The faces."""
        return [SimpleNamespace(box=box) for box in BOXES]


def fake_load(path: Path) -> Photo:
    """A picture whose first value is the number in the file; it was 200 × 200 pixels large."""
    if not path.is_file():
        raise PictureError(f"{path} does not exist")
    text = path.read_text()
    if not text.isdecimal():
        raise PictureError(f"{path} is not a picture")
    return Photo(torch.full((100, 100, 3), float(text)), 35.0, 1, (200, 200), "PNG", ("reduced",))


def fake_write(reconstruction: Reconstruction, folder: Path) -> list[Path]:
    """One file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "head.glb").write_bytes(b"glTF")
    return [folder / "head.glb"]


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> FakeModel:
    """The command line with a fake loader, finder, model and writer."""
    fake = FakeModel({})
    monkeypatch.setattr(reconstruct, "load_photo", fake_load)
    monkeypatch.setattr(reconstruct, "FaceFinder", FakeFinder)
    monkeypatch.setattr(registry, "load", lambda name: fake)
    monkeypatch.setattr(reconstruct, "write_reconstruction", fake_write)
    return fake


@pytest.fixture
def pictures(workplace: Path) -> Path:
    """A folder with three pictures and a file that is none."""
    folder = workplace / "album"
    folder.mkdir()
    for number, name in enumerate(("a.png", "b.jpg", "c.JPEG")):
        (folder / name).write_text(str(number))
    (folder / "notes.txt").write_text("3")
    return folder


def made(workplace: Path) -> list[str]:
    """The heads that were written, by folder."""
    return sorted(path.parent.relative_to(workplace).as_posix() for path in workplace.rglob("head.glb"))


def test_one_picture_gets_a_folder_of_its_name(model, pictures, workplace, capsys) -> None:
    assert cli.main(["reconstruct", "album/a.png"]) == 0
    assert made(workplace) == ["a_head"]
    assert model.crops == [None]
    assert model.closed == 1
    assert model.focal == 35.0
    output = capsys.readouterr()
    assert re.fullmatch(r"album/a\.png: a_head \(head\.glb; \d\.\d s; reduced\)\n", output.out)
    assert output.err == ""


def test_output_names_the_folder_of_one_picture(model, pictures, workplace) -> None:
    assert cli.main(["reconstruct", "album/a.png", "-o", "deep/out"]) == 0
    assert made(workplace) == ["deep/out"]


def test_several_pictures_get_sub_folders_and_a_summary(model, pictures, workplace, capsys) -> None:
    (workplace / "a.jpg").write_text("7")
    assert cli.main(["reconstruct", "a.jpg", "album", "album/a.png", "-o", "out"]) == 0
    assert made(workplace) == ["out/a", "out/a_2", "out/b", "out/c"]
    assert capsys.readouterr().out.splitlines()[-1] == "4 of 4 heads made"


def test_faces_get_sub_folders(model, pictures, workplace) -> None:
    assert cli.main(["reconstruct", "album/a.png", "--face", "all"]) == 0
    assert made(workplace) == ["a_head/face_1", "a_head/face_2"]
    assert model.crops == BOXES


def test_one_face_by_number(model, pictures, workplace) -> None:
    assert cli.main(["reconstruct", "album/a.png", "--face", "2"]) == 0
    assert made(workplace) == ["a_head"]
    assert model.crops == [BOXES[1]]


def test_face_out_of_range_is_one_line(model, pictures, workplace, capsys) -> None:
    assert cli.main(["reconstruct", "album/a.png", "--face", "3"]) == 2
    assert capsys.readouterr().err == "headviz: album/a.png: --face 3 is out of range: 2 faces were found\n"
    assert made(workplace) == []


def test_crop_is_cut_to_the_picture(model, pictures) -> None:
    assert cli.main(["reconstruct", "album/a.png", "--crop=-5,10,50,500"]) == 0
    assert model.crops == [Box(0, 5, 25, 100)]


def test_crop_is_in_pixels_of_the_upright_picture() -> None:
    lying = Photo(torch.zeros(100, 50, 3), None, 6, (400, 200), "JPEG", ())
    assert reconstruct.crop_box(lying, (40.0, 80.0, 400.0, 200.0)) == Box(10, 20, 50, 50)


def test_crop_outside_the_picture_is_one_line(model, pictures, capsys) -> None:
    assert cli.main(["reconstruct", "album/a.png", "--crop", "200,200,300,300"]) == 2
    assert "--crop lies outside the picture, which has 200 × 200 pixels" in capsys.readouterr().err


def test_a_batch_goes_on_after_a_failure(model, pictures, workplace, capsys) -> None:
    model.faults = {"0": NoFaceError("no face was found"), "2": OSError(28, "No space left on device", "c_head")}
    (pictures / "b2.png").write_text("not a picture")
    assert cli.main(["reconstruct", "album", "gone.jpg"]) == 2
    assert made(workplace) == ["b_head"]
    output = capsys.readouterr()
    assert output.err.splitlines() == [
        "headviz: album/a.png: no face was found",
        "headviz: album/b2.png is not a picture",
        "headviz: album/c.JPEG: c_head: No space left on device",
        "headviz: gone.jpg does not exist",
    ]
    assert output.out.splitlines()[-1] == "1 of 5 heads made; 4 failed: a.png, b2.png, c.JPEG, gone.jpg"


def test_one_bad_face_leaves_the_others(model, pictures, workplace, capsys) -> None:
    model.faults = {"crop 10": FaceTooSmallError("the face has 8 pixels")}
    assert cli.main(["reconstruct", "album/a.png", "--face", "all"]) == 2
    assert made(workplace) == ["a_head/face_2"]
    assert "1 of 2 heads made; 1 failed: a.png (face 1)" in capsys.readouterr().out


def test_interrupting_keeps_what_was_made(model, pictures, workplace, capsys) -> None:
    model.faults = {"1": KeyboardInterrupt()}
    assert cli.main(["reconstruct", "album"]) == 130
    assert made(workplace) == ["a_head"]
    output = capsys.readouterr()
    assert output.err == "headviz: interrupted\n"
    assert output.out.splitlines()[-1] == "1 of 1 heads made; 2 pictures not done"


def test_json_tells_what_was_made_and_what_failed(model, pictures, capsys) -> None:
    model.faults = {"1": NoFaceError("no face was found")}
    assert cli.main(["reconstruct", "album/a.png", "album/b.jpg", "--json"]) == 2
    first, second = json.loads(capsys.readouterr().out)
    assert first["files"] == [str(Path("a_head", "head.glb"))]
    assert (first["model"], first["timings"], first["report"]) == ("fake", {"fit": 0.1}, {"error": 1.0})
    assert second == {"photo": "album/b.jpg", "error": "no face was found"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["fly"], "invalid choice: 'fly'"),
        (["reconstruct"], "the following arguments are required: PHOTO"),
        (["reconstruct", "a.png", "--face", "0"], "should be largest, all or a number from 1; got '0'"),
        (["reconstruct", "a.png", "--face", "some"], "should be largest, all or a number from 1; got 'some'"),
        (["reconstruct", "a.png", "--crop", "1,2,3"], "should be four numbers LEFT,TOP,RIGHT,BOTTOM; got '1,2,3'"),
        (["reconstruct", "a.png", "--crop", "9,2,3,4"], "should have LEFT < RIGHT and TOP < BOTTOM; got '9,2,3,4'"),
        (["reconstruct", "a.png", "--crop", "nan,2,3,4"], "should have LEFT < RIGHT and TOP < BOTTOM; got 'nan,2,3,4'"),
        (["reconstruct", "a.png", "--crop", "1,2,3,4", "--face", "all"], "not allowed with argument --crop"),
        (["reconstruct", "a.png", "--texture-size", "9"], "should be a number of pixels from 64 to 8192; got '9'"),
        (["demo", "--port", "70000"], "should be a number from 0 to 65535; got '70000'"),
    ],
)
def test_bad_arguments_are_one_line(arguments: list[str], message: str, capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("headviz: ")
    assert message in line


@pytest.mark.parametrize("name", ["gone.png", "empty", "x" * 300 + ".png"])
def test_bad_paths_are_one_line(name: str, model, workplace, capsys) -> None:
    (workplace / "empty").mkdir()
    assert cli.main(["reconstruct", name]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"headviz: {name}")


def test_output_that_is_a_file_is_one_line_before_any_work(model, pictures, workplace, capsys) -> None:
    (workplace / "out").write_text("keep me")
    assert cli.main(["reconstruct", "album", "-o", "out/deeper"]) == 2
    assert capsys.readouterr().err == "headviz: out is a file; the result needs a folder\n"
    assert model.crops == []
    assert (workplace / "out").read_text() == "keep me"


def test_output_without_permission_is_one_line(model, pictures, workplace, capsys, monkeypatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert cli.main(["reconstruct", "album", "-o", "out"]) == 2
    assert capsys.readouterr().err == "headviz: .: no permission to write there\n"


def test_the_size_of_the_texture_reaches_the_model(model, pictures) -> None:
    model.texture_size = 1024
    assert cli.main(["reconstruct", "album/a.png", "--texture-size", "256"]) == 0
    assert model.texture_size == 256


def test_a_model_with_textures_of_one_size_says_so(model, pictures, capsys) -> None:
    assert cli.main(["reconstruct", "album/a.png", "--texture-size", "256"]) == 2
    assert capsys.readouterr().err == "headviz: --texture-size cannot be chosen for the model landmark-fit\n"


def test_unknown_model_is_one_line(pictures, monkeypatch, capsys) -> None:
    monkeypatch.setattr(reconstruct, "load_photo", fake_load)
    assert cli.main(["reconstruct", "album/a.png", "--model", "none"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("headviz: no model is named 'none'; there are:")


def test_names_that_are_not_text_can_be_printed(model, workplace) -> None:
    name = os.fsdecode(b"\xff.png")
    Path(name).write_text("1")
    assert cli.main(["reconstruct", name]) == 0


class Terminal(io.StringIO):
    """A screen."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def test_progress_is_shown_at_a_terminal_and_removed(model, pictures, monkeypatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    assert cli.main(["reconstruct", "album"]) == 0
    assert "[######..............] 2/3 b.jpg: fitting" in screen.getvalue()
    assert screen.getvalue().endswith("\r\x1b[K")


def test_models_lists_every_figure_beside_the_mean_head(monkeypatch, capsys) -> None:
    monkeypatch.setattr(registry, "names", lambda: ["fake"])
    monkeypatch.setattr(registry, "load", lambda name: FakeModel({}))
    assert cli.main(["models"]) == 0
    text = capsys.readouterr().out
    assert "fake: A head for the tests." in text
    assert "licence  CC0" in text
    assert "size     1.5 MB" in text
    assert "measured face_mm 1.5 (mean head 2.5)" in text
    assert cli.main(["models", "--json"]) == 0
    (card,) = json.loads(capsys.readouterr().out)
    assert (card["name"], card["metrics"], card["baseline"]) == ("fake", {"face_mm": 1.5}, {"face_mm": 2.5})


def test_a_model_that_cannot_be_loaded_leaves_the_others(monkeypatch, capsys) -> None:
    def load(name: str) -> FakeModel:
        if name == "broken":
            raise InputError("its weights are gone")
        return FakeModel({})

    monkeypatch.setattr(registry, "names", lambda: ["broken", "fake"])
    monkeypatch.setattr(registry, "load", load)
    assert cli.main(["models"]) == 2
    output = capsys.readouterr()
    assert output.err == "headviz: the model broken cannot be loaded: its weights are gone\n"
    assert output.out.startswith("fake: ")


def test_demo_hands_its_options_over(monkeypatch) -> None:
    from headviz_apps import demo

    calls = []
    monkeypatch.setattr(demo, "main", lambda *arguments, **options: calls.append((arguments, options)))
    assert cli.main(["demo"]) == 0
    assert cli.main(["demo", "--host", "0.0.0.0", "--port", "8000", "--share", "--open"]) == 0
    assert calls == [
        (("127.0.0.1", None), {"share": False, "browser": False}),
        (("0.0.0.0", 8000), {"share": True, "browser": True}),
    ]


def test_a_missing_extra_is_one_line(monkeypatch, capsys) -> None:
    from headviz_apps import demo

    def main(*_: object, **__: object) -> None:
        raise MissingExtraError("gradio", "demo")

    monkeypatch.setattr(demo, "main", main)
    assert cli.main(["demo"]) == 2
    assert capsys.readouterr().err == "headviz: gradio is not installed; run: pip install 'headviz[demo]'\n"


def test_a_reader_that_leaves_early_is_no_error() -> None:
    code = """
import sys
from headviz import cli
cli.run_models = lambda _: print('x' * 10**6) or 0
sys.exit(cli.main(['models']))
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == cli.CLOSED_PIPE
