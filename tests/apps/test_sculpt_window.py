"""The sculpt window on a virtual screen, with a real mouse and real keys. Every scenario is a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from headviz.geometry.files import write_obj
from headviz.heads import load_head
from headviz.interop import load_mesh

for module in ("PySide6", "pyvistaqt"):
    pytest.importorskip(module)
ROBOT = Path(__file__).with_name("sculpt_robot.py")
Play = Callable[..., Any]


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """A screen of its own, in memory."""
    if not shutil.which("Xvfb") or not shutil.which("xdotool"):
        pytest.skip("no Xvfb or no xdotool on the PATH; make test installs them where it may")
    read, write = os.pipe()
    words = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x800x24", "-nolisten", "tcp"]
    with subprocess.Popen(words, pass_fds=[write], stderr=subprocess.DEVNULL) as server:
        os.close(write)
        try:
            with os.fdopen(read) as said:
                number = said.readline().strip()
            assert number.isdecimal(), "Xvfb should name its display"
            yield f":{number}"
        finally:
            server.terminate()


def start(display: str, folder: Path, scenario: str, *words: str) -> subprocess.Popen[str]:
    """A window and its robot; settings and journals stay in the folder."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("QT_", "WAYLAND"))}
    environ |= {
        "DISPLAY": display, "XDG_CONFIG_HOME": str(folder), "XDG_STATE_HOME": str(folder), "GOMP_SPINCOUNT": "2000",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "QT_QPA_PLATFORM": "xcb",
    }  # fmt: skip
    command = [sys.executable, str(ROBOT), scenario, str(folder), *words]
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def play(display: str, tmp_path: Path) -> Play:
    """Play a scenario to its end; what it returns."""

    def run(scenario: str, *words: str) -> Any:
        with start(display, tmp_path, scenario, *words) as process:
            out, err = process.communicate(timeout=180)
        assert process.returncode == 0, err[-3000:]
        return json.loads(out.splitlines()[-1])

    return run


def test_keypoint_moves_both_sides_and_survives_undo_save_and_reopening(play: Play) -> None:
    seen = play("keypoint")
    here, twin = np.array(seen["here"]), np.array(seen["twin"])
    assert np.linalg.norm(here) > 0.005
    np.testing.assert_array_equal(twin, here * [-1, 1, 1])
    assert seen["undone"] == 0
    assert seen["again"] == 0, "the file should hold the very same head"
    assert seen["points"] == 1
    assert seen["residual"] == seen["base_residual"] <= 1e-6
    assert seen["title"].startswith("mine")


def test_brush_and_blenders_habits(play: Play) -> None:
    seen = play("brush")
    here, twin = map(np.array, seen["grab"])
    assert np.linalg.norm(here) > 0.005
    np.testing.assert_allclose(twin, here * [-1, 1, 1], atol=1e-7)
    first, then = seen["radius"]
    assert then > 1.2 * first, "F and a way of the mouse should make the brush larger"
    assert seen["after escape"] == then
    assert seen["bracket"] == pytest.approx(then / 1.15)
    assert seen["steps after setting"] == 1, "setting the brush is no step"
    assert seen["tools"] == [["grab", False, True], ["smooth", False, True], ["inflate", True, True]]
    assert seen["held"] > 0.005
    assert seen["cancelled"] == 0
    moved, other = seen["one side"]
    assert moved > 0.003
    assert other == 0
    assert seen["asymmetric"] > 1e-3
    assert seen["turned"] == pytest.approx(-21)
    assert seen["zoomed"] < 1
    assert seen["left"] == 90
    assert seen["steps"] == 4


def test_closing_asks_about_unsaved_changes(play: Play) -> None:
    assert play("close") == {"modified": True, "stayed": True}


def test_killed_session_comes_back(display: str, tmp_path: Path, play: Play) -> None:
    with start(display, tmp_path, "killed") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        _, err = process.communicate(timeout=30)
    assert line == "sculpted\n", err[-3000:]
    assert play("recover") == {"away": 0, "dirty": True}


def test_dropped_mesh_is_checked_and_a_picture_becomes_the_reference(play: Play, tmp_path: Path) -> None:
    head = load_head().mesh(morphs=False)
    there = head.vertices * 1000 + torch.tensor([500.0, 0, 0])
    write_obj(tmp_path / "millimetres.obj", replace(head, vertices=there, mirror=None))
    Image.new("RGB", (64, 80), "#3366aa").save(tmp_path / "picture.png")
    seen = play("drop")
    assert seen["name"] == "millimetres"
    assert seen["size"] == pytest.approx(float(head.vertices[:, 1].max() - head.vertices[:, 1].min()), rel=1e-3)
    back = load_mesh(tmp_path / "out.obj").vertices
    np.testing.assert_allclose(back.numpy(), there.numpy(), atol=2e-3)  # of 500 mm


def test_pictures_of_the_canvas(play: Play, tmp_path: Path) -> None:
    seen = play("pictures")
    with Image.open(seen["png"]) as opened:
        picture = np.asarray(opened).astype(int)
    assert [picture.shape[1], picture.shape[0]] == seen["size"]
    paper = np.array([0xF6, 0xF5, 0xF2])
    assert abs(picture[4, 4] - paper).max() <= 1
    middle = picture[picture.shape[0] // 2, picture.shape[1] // 2]
    assert middle[0] > middle[1] > middle[2], "skin in the middle"
    with Image.open(seen["gif"]) as turn:
        assert turn.n_frames == 6
        assert turn.size == tuple(seen["size"])
