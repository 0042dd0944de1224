"""Windows of the desktop: off the screen, and, where Xvfb is there, a real one with keys."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from headviz import viewers
from headviz.errors import HeadvizError, MissingExtraError
from headviz.geometry import extract_surface, preset
from headviz.viewers import window as windows
from headviz.viewers.viewer import Viewer
from headviz.viewers.window_scenes import boxes_of

pytest.importorskip("pyvista")
PAPER = np.array([0xF6, 0xF5, 0xF2])
SHAPE = preset("sphere")
MAKE: dict[str, Callable[[], Viewer]] = {
    "mesh": lambda: viewers.view_mesh(extract_surface(SHAPE, resolution=12).mesh),
    "trace": lambda: viewers.view_trace(SHAPE, size=32),
    "cubes": lambda: viewers.view_cubes(SHAPE, resolution=8).at(step=5),
    "octree": lambda: viewers.view_octree(SHAPE, resolution=8).at(step=1),
    "ray": lambda: viewers.view_ray(SHAPE, samples=48).at(step=1),
    "rendering": lambda: viewers.view_rendering(extract_surface(SHAPE, resolution=12).mesh).at(step=1),
}

#: Opens a real window, types the keys argv[2:] into it, and prints the step after each; keeps a picture in argv[1].
TYPE = """
import sys
from headviz import viewers
from headviz.geometry import preset
from headviz.viewers.window import Window
window = Window(viewers.view_cubes(preset("sphere"), resolution=8))
window.plotter.show(interactive=False, auto_close=False)
keyboard = window.plotter.iren.interactor
for key in sys.argv[2:]:
    keyboard.SetKeySym(key)
    keyboard.InvokeEvent("KeyPressEvent")
    print(window.viewer.state.step, flush=True)
window.screenshot(sys.argv[1])
window.close()
"""


@pytest.fixture
def opened() -> Iterator[Callable[[Viewer], windows.Window]]:
    """Open windows off the screen; all are closed afterwards."""
    made: list[windows.Window] = []

    def open_window(viewer: Viewer) -> windows.Window:
        made.append(windows.Window(viewer, off_screen=True))
        return made[-1]

    yield open_window
    for one in made:
        one.close()


def drawn(picture: np.ndarray) -> np.ndarray:
    """Which pixels are not paper."""
    return abs(picture.astype(int) - PAPER).sum(-1) > 24


@pytest.mark.parametrize("kind", list(MAKE))
def test_every_kind_is_drawn_with_its_caption(kind: str, opened: Callable[[Viewer], windows.Window]) -> None:
    viewer = MAKE[kind]()
    window = opened(viewer)
    picture = window.screenshot()
    assert picture.shape == (*windows.SIZE[::-1], 3)
    assert drawn(picture)[60:600].mean() > 0.03
    assert drawn(picture)[-110:].sum() > 300, "the caption should be written below"
    assert window.caption == viewer.caption
    if folder := os.environ.get("HEADVIZ_SCREENSHOTS"):
        window.screenshot(Path(folder) / f"window-{kind}.png")
    if viewer.steps < 2:
        assert window.slider is None
        return
    window.go(viewer.steps - 1)
    assert window.viewer.state.step == viewer.steps - 1
    assert window.caption == viewer.at(step=viewer.steps - 1).caption
    assert (window.screenshot() != picture).any()


def test_slider_and_steps_stay_together(opened: Callable[[Viewer], windows.Window]) -> None:
    window = opened(MAKE["cubes"]())
    shape = window.slider.GetRepresentation()
    assert (shape.GetMinimumValue(), shape.GetMaximumValue()) == (0, window.viewer.steps - 1)
    window.go(2.6)
    assert (window.viewer.state.step, shape.GetValue()) == (3, 3)
    window.go(1e9)
    assert window.viewer.state.step == window.viewer.steps - 1
    window.go(-5)
    assert window.viewer.state.step == 0


def test_views_turn_the_camera(opened: Callable[[Viewer], windows.Window]) -> None:
    window = opened(MAKE["mesh"]())
    window.look_from(0, 0)
    camera = window.plotter.camera
    assert camera.position[2] - camera.focal_point[2] > 0.1, "the front is seen from +z"
    window.look_from(90, 0)
    assert camera.position[0] - camera.focal_point[0] > 0.1, "the left is seen from +x"


def test_boxes_are_cubes() -> None:
    mesh = boxes_of(np.array([[0.0, 0, 0], [1, 2, 3]]), np.array([0.5, 0.25]))
    assert mesh.n_cells == 12
    assert mesh.area == pytest.approx(6 * (0.5**2 + 0.25**2))
    np.testing.assert_allclose(mesh.bounds, [0, 1.25, 0, 2.25, 0, 3.25])


def test_without_pyvista_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyvista", None)
    with pytest.raises(MissingExtraError, match=r"headviz\[desktop\]"):
        windows.Window(MAKE["mesh"](), off_screen=True)


def test_without_a_display_a_page_is_recommended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(HeadvizError, match="no display"):
        windows.show_window(MAKE["mesh"]())


@pytest.fixture
def display() -> Iterator[str]:
    """A display of its own, in memory."""
    xvfb = shutil.which("Xvfb")
    if xvfb is None:
        pytest.skip("no Xvfb on the PATH; make test installs it where it may")
    read, write = os.pipe()
    words = [xvfb, "-displayfd", str(write), "-screen", "0", "1280x1024x24", "-nolisten", "tcp"]
    with subprocess.Popen(words, pass_fds=[write], stderr=subprocess.DEVNULL) as server:
        os.close(write)
        try:
            with os.fdopen(read) as said:
                number = said.readline().strip()
            assert number.isdecimal(), "Xvfb should name its display"
            yield f":{number}"
        finally:
            server.terminate()


def test_keys_in_a_real_window(display: str, tmp_path: Path) -> None:
    keys = ["Right", "Right", "Left", "End", "Right", "Home", "Left", "l"]
    picture = Path(os.environ.get("HEADVIZ_SCREENSHOTS", tmp_path)) / "window-real.png"
    environ = {**os.environ, "DISPLAY": display, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", TYPE, str(picture), *keys], env=environ, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    viewer = viewers.view_cubes(SHAPE, resolution=8)
    begins, last = viewer.state.step, viewer.steps - 1
    steps = [int(line) for line in done.stdout.split()]
    assert steps == [begins + 1, begins + 2, begins + 1, last, last, 0, 0, 0]
    assert picture.stat().st_size > 5000
