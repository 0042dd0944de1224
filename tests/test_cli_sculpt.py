"""``headviz sculpt`` where no window opens: bad input, no display, no extra, and the page instead."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from headviz import cli


def fails(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run it; what its one line on stderr says."""
    assert cli.main(["sculpt", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


@pytest.fixture
def display(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if there were a display; none is opened."""
    for module in ("PySide6", "pyvistaqt"):
        pytest.importorskip(module)
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")


def test_display_that_does_not_answer_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pyvistaqt")
    if not sys.platform.startswith("linux"):
        pytest.skip("displays are named on Linux only")
    monkeypatch.setenv("DISPLAY", ":99999")
    for name in ("WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    assert "the display :99999 does not answer; write a page instead" in fails(capsys)


def test_without_opengl_the_page_is_recommended(tmp_path: Path) -> None:
    pytest.importorskip("pyvistaqt")
    if not shutil.which("Xvfb"):
        pytest.skip("no Xvfb on the PATH; make test installs it where it may")
    read, write = os.pipe()
    words = ["Xvfb", "-displayfd", str(write), "-nolisten", "tcp"]
    with subprocess.Popen(words, pass_fds=[write], stderr=subprocess.DEVNULL) as server:
        os.close(write)
        try:
            with os.fdopen(read) as said:
                shown = f":{said.readline().strip()}"
            environ = {**os.environ, "DISPLAY": shown, "QT_QPA_PLATFORM": "xcb", "XDG_STATE_HOME": str(tmp_path)}
            environ |= {"QT_XCB_GL_INTEGRATION": "none", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
            command = [sys.executable, "-m", "headviz", "sculpt"]
            done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)
        finally:
            server.kill()
    assert done.returncode == 2, done.stderr[-2000:]
    assert done.stderr.splitlines()[-1].startswith("headviz: this machine has no OpenGL 3.2")
    assert "--html FILE" in done.stderr


@pytest.mark.usefixtures("display")
@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("none.obj", None, "No such file"),
        ("foreign.txt", b"a", "should be a mesh, a session or a photograph"),
        ("empty.stl", b"", "empty.stl"),
        ("cut.headviz.json", b'{"headviz": "sculpt", "ver', "cut.headviz.json"),
    ],
)
def test_bad_input_is_one_line(
    name: str, content: bytes | None, says: str, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (workplace / name).write_bytes(content)
    assert says in fails(capsys, name)


def test_without_a_display_the_page_is_recommended(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pyvistaqt")
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    assert fails(capsys) == (
        "headviz: there is no display to open a window on; write a page instead: headviz sculpt … --html FILE\n"
    )


@pytest.mark.parametrize("package", ["PySide6", "pyvistaqt"])
def test_missing_extra_is_named(
    package: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    if package == "pyvistaqt":
        pytest.importorskip("PySide6")
    assert f"{package} is not installed; run: pip install 'headviz[desktop]'" in fails(capsys)


def test_page_is_written_without_a_display(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert cli.main(["sculpt", "--html", "page.html"]) == 0
    assert "page.html" in capsys.readouterr().out
    assert (workplace / "page.html").stat().st_size > 100_000


def test_page_is_not_written_over_the_mesh(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workplace / "a.html").write_text("mine")
    assert "is what is read" in fails(capsys, "a.html", "--html", "a.html")
    assert (workplace / "a.html").read_text() == "mine"
