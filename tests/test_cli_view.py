"""``headviz view``, and the pages of ``reconstruct`` and ``extract``: what they make, say, and refuse."""

from __future__ import annotations

import json
import shutil
import sys
import webbrowser
from pathlib import Path

import numpy as np
import pytest
import torch

from headviz import cli, viewers
from headviz.commands import view
from headviz.geometry import extract_surface, preset
from headviz.geometry.files import write_obj
from headviz.viewers import page
from headviz.viewers.record import ENTRY, FORMAT, Record

needs_bundle = pytest.mark.skipif(not page.BUNDLE.is_file(), reason="the browser module has not been built")


@pytest.fixture(scope="module")
def ball_record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small ball, cell by cell, as a record on disk."""
    path = tmp_path_factory.mktemp("record") / "ball.npz"
    viewers.view_cubes(preset("sphere"), resolution=6, title="A ball").save(path)
    return path


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Exit code and what was said, on both ways."""
    try:
        code = cli.main(["view", *words])
    except SystemExit as stop:
        code = int(stop.code or 0)
    said = capsys.readouterr()
    return code, said.out, said.err


@needs_bundle
def test_record_becomes_a_page_and_a_picture(ball_record, workplace, capsys) -> None:
    code, out, err = run(capsys, str(ball_record), "--html", "out.html")
    assert (code, err) == (0, "")
    viewer = viewers.open_record(ball_record)
    assert out == f"out.html: {viewer.caption}\n"
    assert "A ball" in Path("out.html").read_text(encoding="utf-8")
    code, out, _ = run(capsys, str(ball_record), "--png", "out.png", "--step", "3")
    assert (code, out) == (0, f"out.png: {viewer.at(step=3).caption}\n")
    assert Path("out.png").read_bytes()[:4] == b"\x89PNG"


@needs_bundle
def test_without_a_display_the_file_is_named(ball_record, workplace, monkeypatch, capsys) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    code, out, _ = run(capsys, str(ball_record))
    assert code == 0
    assert "no browser here" in out
    assert Path(out.split(":")[0]).is_file()


@needs_bundle
def test_with_a_display_the_page_opens(ball_record, workplace, monkeypatch, capsys) -> None:
    opened: list[str] = []
    monkeypatch.setattr(view, "has_display", lambda: True)
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or True)
    code, out, _ = run(capsys, str(ball_record))
    assert code == 0
    assert "opened in the browser" in out
    assert opened == [Path(out.split(":")[0]).as_uri()]


@needs_bundle
def test_mesh_and_shapes(workplace, capsys) -> None:
    mesh = extract_surface(preset("sphere"), resolution=8).mesh
    write_obj("ball.obj", mesh)
    code, out, _ = run(capsys, "ball.obj", "--html", "mesh.html")
    assert code == 0
    assert f"{len(mesh.vertices):,} vertices" in out
    code, out, _ = run(capsys, "sphere(0.1) | sphere(0.05).translate((0.1, 0, 0))", "--html", "rays.html")
    assert code == 0
    assert "ray" in out
    code, out, _ = run(capsys, "circle(0.1)", "--html", "flat.html")
    assert code == 0
    assert "evaluations" in out


def foreign(path: Path) -> None:
    np.savez(path, values=np.zeros(3))


def truncated(path: Path) -> None:
    Record("mesh", {}, {"vertices": np.random.default_rng(0).random((500, 3))}).save(path)
    path.write_bytes(path.read_bytes()[:300])


def newer(path: Path) -> None:
    says = {"format": FORMAT, "version": 99, "kind": "mesh", "facts": {}, "state": None}
    np.savez(path, **{ENTRY: np.asarray(json.dumps(says))})


def unknown(path: Path) -> None:
    Record("hologram", {}, {"a": np.zeros(2)}).save(path)


def incomplete(path: Path) -> None:
    Record("reconstruction", {"stages": []}, {"photograph": np.zeros(2)}).save(path)


def text(path: Path) -> None:
    path.write_text("no record", encoding="utf-8")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (foreign, "not of headviz"),
        (truncated, "cannot be read"),
        (newer, "reads up to 1: update it"),
        (unknown, "for a viewer 'hologram'"),
        (incomplete, "is damaged"),
        (text, "should be an .npz file"),
        (empty, "is empty"),
        (folder, "is a folder"),
        (None, "No such file or directory"),
    ],
)
def test_bad_files_get_one_clear_line(make, words, workplace, capsys) -> None:
    path = workplace / "x.npz"
    if make is not None:
        make(path)
    code, out, err = run(capsys, "x.npz", "--html", "out.html")
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert not Path("out.html").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["x.xyz"], "No such file"),
        (["notes.txt"], "should be a record, a mesh, a network or a photograph (.npz"),
        (["nonsense("], "expression"),
        (["ball.npz", "--html", "out.txt"], "ends with .html"),
        (["ball.npz", "--png", "out.gif"], "ends with .png"),
        (["ball.npz", "--html", "a.html", "--window"], "not allowed with"),
        (["ball.npz", "--step", "999", "--html", "a.html"], "--step should be in 0 to"),
        (["ball.npz", "--html", "nowhere/a.html"], "its folder does not exist"),
        (["ball.obj", "--html", "a.html"], "No such file"),
        (["ball.jpg", "--html", "a.html"], "ball.jpg"),
    ],
)
def test_bad_words_get_one_clear_line(words, said, ball_record, workplace, capsys) -> None:
    shutil.copy(ball_record, workplace / "ball.npz")
    (workplace / "notes.txt").write_text("words", encoding="utf-8")
    code, out, err = run(capsys, *words)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_the_file_itself_is_never_written_over(ball_record, workplace, capsys) -> None:
    shutil.copy(ball_record, workplace / "page.html")
    code, _, err = run(capsys, "page.html", "--html", "page.html")
    assert code == 2
    assert err == "headviz: page.html is what is read; name another file\n"  # there is no -o


@pytest.mark.parametrize("name", ["head.png", "preview.png"])
def test_a_photograph_is_not_written_over_by_its_head(name, workplace, monkeypatch, capsys) -> None:
    from types import SimpleNamespace

    from PIL import Image

    from headviz.models import registry

    monkeypatch.setattr(registry, "load", lambda name: SimpleNamespace(reconstruct=lambda image: None, card=None))
    Image.new("RGB", (80, 80), "grey").save(name)
    before = Path(name).read_bytes()
    code = cli.main(["reconstruct", name, "-o", "."])
    assert code == 2
    assert f"{name} is what is read; name another folder by -o" in capsys.readouterr().err
    assert Path(name).read_bytes() == before


@pytest.mark.parametrize(
    ("words", "work"),
    [
        (["reconstruct", "ball.png"], "headviz.commands.reconstruct.plan"),
        (["trace", "sphere"], "headviz.commands.trace.load_source"),
        (["extract", "sphere"], "headviz.commands.extract.load_source"),
        (["view", "sphere"], "headviz.commands.view.viewer_of"),
    ],
)
def test_a_page_that_cannot_be_written_is_refused_before_the_work(words, work, workplace, monkeypatch, capsys) -> None:
    monkeypatch.setattr(work, lambda *_: pytest.fail("the work was begun"))
    Path("folder.html").mkdir()
    for path, reason in (("nowhere/a.html", "its folder does not exist"), ("folder.html", "it is a folder")):
        assert cli.main([*words, "--html", path]) == 2
        assert f"{path} cannot be written: {reason}" in capsys.readouterr().err


def test_window_without_a_display_says_so(ball_record, workplace, monkeypatch, capsys) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    code, _, err = run(capsys, str(ball_record), "--window")
    assert code == 2
    assert "no display" in err
    assert "--html" in err


@needs_bundle
def test_extract_writes_its_page(workplace, capsys) -> None:
    code = cli.main(["extract", "torus", "--resolution", "16", "-o", "t.ply", "--html", "t.html", "--json"])
    made = json.loads(capsys.readouterr().out)
    assert code == 0
    assert made["html"] == "t.html"
    shown = Path("t.html").read_text(encoding="utf-8")
    assert shown.count('<section id="viewer-') == 2
    assert "Octree of torus" in shown
    plain = cli.main(["extract", "torus", "--resolution", "16", "-o", "u.ply"])
    assert plain == 0
    assert Path("t.ply").read_bytes() == Path("u.ply").read_bytes(), "recording should change nothing"


@needs_bundle
def test_reconstruct_writes_a_page_per_head(workplace, monkeypatch, capsys) -> None:
    from types import SimpleNamespace

    from headviz.commands import reconstruct
    from headviz.geometry.camera import look_at_head
    from headviz.geometry.mesh import Mesh
    from headviz.models import registry
    from headviz.models.reconstruction import Reconstruction
    from headviz.photo.picture import Photo

    mesh = Mesh(0.1 * torch.eye(3), torch.tensor([[0, 1, 2]]))
    made = Reconstruction(torch.full((40, 40, 3), 0.5), look_at_head(size=40), mesh, model="fake")
    model = SimpleNamespace(reconstruct=lambda image, **_: made, card=None)
    monkeypatch.setattr(registry, "load", lambda name: model)
    monkeypatch.setattr(registry, "reconstruct", lambda model, image, **_: made)
    photo = Photo(made.image, None, 1, (40, 40), "PNG", ())
    monkeypatch.setattr(reconstruct, "load_photo", lambda path: photo)
    for name in ("a.png", "b.png"):
        Path(name).write_bytes(b"x")
    code = cli.main(["reconstruct", "a.png", "b.png", "--html", "way.html", "--json"])
    files = [entry["files"] for entry in json.loads(capsys.readouterr().out)]
    assert code == 0
    assert [listed[-1] for listed in files] == ["way.html", "way_2.html"]
    assert "From a photograph to a head" in Path("way_2.html").read_text(encoding="utf-8")
