"""Draws the pictures of the sculpt window: python docs/make_sculpt_picture.py [FOLDER].

``sculpt-window.png`` shows a head with pulled ears and both rings, ``sculpt.gif`` how an ear is pulled. It is the real
window; where there is no display it opens on a virtual one of Xvfb.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
STILL, MOVING, WIDTH = (1200, 760), (1000, 640), 800  #: pixels


@contextmanager
def screen() -> Iterator[None]:
    """A virtual display where there is none; settings and journals of the person who runs this stay untouched."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(XDG_CONFIG_HOME=folder, XDG_STATE_HOME=folder)
        if os.environ.get("DISPLAY") or not sys.platform.startswith("linux"):
            yield
            return
        if not shutil.which("Xvfb"):
            raise SystemExit("there is no display, and no Xvfb on the PATH")
        read, write = os.pipe()
        words = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x800x24", "-nolisten", "tcp"]
        with subprocess.Popen(words, pass_fds=[write], stderr=subprocess.DEVNULL) as server:
            os.close(write)
            try:
                with os.fdopen(read) as said:
                    os.environ["DISPLAY"] = f":{said.readline().strip()}"
                yield
            finally:
                server.terminate()


class Player:
    """The window and a hand that moves the mouse over its canvas."""

    def __init__(self) -> None:
        from headviz_apps.sculpt import start
        from headviz_apps.sculpt.opening import load

        self.application = start.application()
        self.window = start.open_window(load("", lambda _: None))
        self.window.workspace.set_view(theme="light")
        self.window.show()
        self.window.start()
        self.work, self.canvas = self.window.workspace, self.window.canvas

    def spin(self, seconds: float = 0.3) -> None:
        """Let the window draw."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.application.processEvents()

    def near(self, place: tuple[float, float, float]) -> tuple[float, float, float]:
        """The vertex nearest to a place, metres."""
        points = self.work.session.positions
        x, y, z = points[np.linalg.norm(points - np.float32(place), axis=1).argmin()]
        return float(x), float(y), float(z)

    def pixel(self, place: tuple[float, float, float]) -> tuple[float, float]:
        """Where a place is on the canvas."""
        x, y, _ = self.canvas.camera_now.project(np.asarray(place))
        return float(x), float(y)

    def mouse(self, kind: str, where: tuple[float, float]) -> None:
        """Send the canvas an event of the mouse."""
        from PySide6.QtCore import QEvent, QPointF, Qt
        from PySide6.QtGui import QMouseEvent

        left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
        types = {"press": QEvent.Type.MouseButtonPress, "release": QEvent.Type.MouseButtonRelease}
        button, held = (none, none) if kind == "move" else (left, left if kind == "press" else none)
        there = QPointF(*where)
        event = QMouseEvent(
            types.get(kind, QEvent.Type.MouseMove), there, self.canvas.mapToGlobal(there), button, held,
            Qt.KeyboardModifier.NoModifier,
        )  # fmt: skip
        self.application.sendEvent(self.canvas, event)

    def picture(self) -> Image.Image:
        """The whole window as it is."""
        from PySide6.QtCore import QBuffer

        self.spin(0.2)
        data = QBuffer()
        data.open(QBuffer.OpenModeFlag.WriteOnly)
        self.application.primaryScreen().grabWindow(self.window.winId()).save(data, "PNG")
        return Image.open(io.BytesIO(bytes(data.data().data()))).convert("RGB")

    def look(self, size: tuple[int, int], *, yaw: float, pitch: float) -> None:
        """Give the window a size and look at the whole head."""
        self.window.resize(*size)
        self.spin()
        self.canvas.look(self.canvas.camera_now.looking(yaw, pitch))
        self.canvas.frame()
        self.spin()


def still(player: Player) -> Image.Image:
    """A head with an elf's ears and a smile, and the brush beside its mouth."""
    from headviz.sculpt import Brush, SetSliders, Stroke

    work = player.work
    steps: tuple[tuple[Any, tuple[float, float, float], tuple[float, float, float], int], ...] = (
        (Brush("grab", 0.034), (0.085, 0.03, -0.045), (0.012, 0.045, -0.006), 1),
        (Brush("grab", 0.02), (0.1, 0.075, -0.05), (0.004, 0.014, -0.002), 1),
        (Brush("inflate", 0.02, 0.6), (0.03, 0.03, 0.05), (0.0, 0.0, 0.0), 3),
    )
    for brush, place, vector, often in steps:
        work.apply(Stroke(brush, (player.near(place),) * often, vector))
    work.apply(SetSliders({"mouthSmileLeft": 0.5, "mouthSmileRight": 0.5}))
    work.set_brush(radius=0.024)
    player.look(STILL, yaw=14, pitch=4)
    player.mouse("move", player.pixel(player.near((0.03, -0.045, 0.04))))
    return player.picture()


def moving(player: Player) -> list[Image.Image]:
    """One ear is pulled, the other follows; then it is undone."""
    player.work.set_brush(radius=0.034)
    player.look(MOVING, yaw=8, pitch=2)
    begin = player.pixel(player.near((0.085, 0.03, -0.045)))
    ways = [(begin[0] + 90 - 9 * k, begin[1] + 60 - 6 * k) for k in range(11)]
    drawn = []

    def keep() -> None:
        picture = player.picture()
        size = WIDTH, 2 * round(picture.height * WIDTH / picture.width / 2)
        drawn.append(picture.resize(size, Image.Resampling.LANCZOS))

    for where in ways:
        player.mouse("move", where)
        keep()
    player.mouse("press", begin)
    for part in np.sin(np.linspace(0, np.pi / 2, 20)):
        player.mouse("move", (begin[0] + 16 * part, begin[1] - 70 * part))
        keep()
    player.mouse("release", (begin[0] + 16, begin[1] - 70))
    for _ in range(8):
        keep()
    player.work.undo()
    keep()
    return drawn


def main(folder: Path) -> None:
    """Draw both."""
    from headviz.viewers.picture import write_frames

    with screen():
        player = Player()
        frames = moving(player)
        write_frames(frames, folder / "sculpt.gif", seconds=0.08, hold=0.8)
        player.work.set_brush(radius=0.024)
        picture = still(player)
        picture.quantize(256, dither=Image.Dither.FLOYDSTEINBERG).save(folder / "sculpt-window.png", optimize=True)
        player.window.documents.stop_journal()
        player.window.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
