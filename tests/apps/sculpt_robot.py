"""Plays a person at the sculpt window: a process of its own, with real mouse and key events of the X server.

Run as ``python sculpt_robot.py SCENARIO FOLDER [WORD…]``; the last line of its output is what the scenario returns.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


class Robot:
    """Hands and eyes at a window. Its methods run in a thread; the window lives in the main one.

    Args:
        window: the sculpt window.
        folder: for files and screenshots.
    """

    def __init__(self, window: Any, folder: Path) -> None:
        from PySide6.QtCore import QObject, Signal

        class Caller(QObject):
            wanted = Signal(object)

        self.window, self.folder = window, folder
        self._caller = Caller()
        self._caller.wanted.connect(lambda call: call())

    # -- eyes

    @property
    def session(self) -> Any:
        return self.window.workspace.session

    def gui(self, look: Callable[[], Any]) -> Any:
        """Do something in the window's thread; its result."""
        done, out = threading.Event(), []

        def call() -> None:
            try:
                out.append(look())
            except Exception as error:  # noqa: BLE001 -- raised again below
                out.append(error)
            done.set()

        self._caller.wanted.emit(call)
        assert done.wait(30), "the window does not answer"
        if isinstance(out[0], Exception):
            raise out[0]
        return out[0]

    def wait(self, until: Callable[[], Any], what: str, seconds: float = 20) -> Any:
        """Wait until something is true."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := until():
                return value
            time.sleep(0.02)
        raise AssertionError(f"after {seconds} s there is still not: {what}")

    def steps(self, count: int) -> None:
        """Wait for the session to stand at a step of its line."""
        self.wait(lambda: self.place() == count and self.session.live is None, f"step {count}, but {self.place()}")

    def place(self) -> int:
        return [entry.id for entry in self.session.history].index(self.session.current)

    def positions(self) -> np.ndarray:
        return self.session.positions.copy()

    def dialog(self, title: str) -> Any:
        """Wait for a dialog."""
        from PySide6.QtWidgets import QApplication

        def find() -> Any:
            shown = QApplication.activeModalWidget()
            return shown if shown is not None and title in shown.windowTitle() else None

        return self.wait(lambda: self.gui(find), f"a dialog called {title}")

    def press_button(self, dialog: Any, text: str) -> None:
        """Click on a button of a dialog."""
        from PySide6.QtWidgets import QAbstractButton

        def find() -> tuple[int, int]:
            button = next(b for b in dialog.findChildren(QAbstractButton) if b.text().replace("&", "") == text)
            middle = button.mapToGlobal(button.rect().center())
            return middle.x(), middle.y()

        time.sleep(0.2)
        self.move(self.gui(find))
        self.click()

    def screenshot(self, name: str) -> None:
        from PySide6.QtWidgets import QApplication

        time.sleep(0.3)
        target = Path(os.environ.get("HEADVIZ_SCREENSHOTS", self.folder)) / f"sculpt-{name}.png"
        self.gui(lambda: QApplication.primaryScreen().grabWindow(0).save(str(target)))

    # -- hands

    def _do(self, *words: Any) -> None:
        subprocess.run(["xdotool", *map(str, words)], check=True)
        time.sleep(0.06)
        self.gui(lambda: None)

    def at(self, point: Any) -> tuple[int, int]:
        """Where a place in space is on the screen."""
        from PySide6.QtCore import QPoint

        def find() -> tuple[int, int]:
            x, y, _ = self.window.canvas.camera_now.project(np.asarray(point, dtype=float))
            where = self.window.canvas.mapToGlobal(QPoint(round(float(x)), round(float(y))))
            return where.x(), where.y()

        return self.gui(find)

    def move(self, where: tuple[int, int]) -> None:
        self._do("mousemove", *where)

    def click(self, button: int = 1) -> None:
        self._do("click", button)

    def drag(self, start: tuple[int, int], end: tuple[int, int], *, button: int = 1, keep: bool = False) -> None:
        """Press, move in five steps, release."""
        self.move(start)
        self._do("mousedown", button)
        for part in np.linspace(0.2, 1, 5):
            self.move((round(start[0] + part * (end[0] - start[0])), round(start[1] + part * (end[1] - start[1]))))
        if not keep:
            self._do("mouseup", button)

    def key(self, *keys: str) -> None:
        self._do("key", *keys)

    def type(self, text: str) -> None:
        self._do("type", "--delay", "2", text)


def vertex(robot: Robot, where: tuple[float, float, float]) -> int:
    """The vertex nearest to a place."""
    return int(np.linalg.norm(robot.positions() - np.float32(where), axis=1).argmin())


CHEEK, FOREHEAD = (0.045, -0.02, 0.03), (0.02, 0.07, 0.05)


def ready(robot: Robot) -> None:
    """Wait for the first frame, look from the front, give the window the keys."""
    robot.wait(lambda: robot.window.canvas._last_frame, "the first frame")
    robot._do("windowfocus", int(robot.window.winId()))
    robot.gui(lambda: robot.window.canvas.look_from("front"))
    time.sleep(0.3)


def keypoint(robot: Robot) -> dict[str, Any]:
    """Place a keypoint, drag it, undo, redo, save by the dialog, open again."""
    ready(robot)
    rest, session = robot.positions(), robot.session
    here = vertex(robot, CHEEK)
    twin = int(session.surface.mirror[here])
    robot.key("7")
    begin = robot.at(rest[here])
    robot.move(begin)
    robot.click()
    robot.steps(1)
    robot.drag(begin, (begin[0] + 30, begin[1] - 20))
    robot.steps(2)
    moved = robot.positions()
    robot.screenshot("keypoint")
    robot.key("ctrl+z")
    robot.steps(1)
    undone = robot.positions()
    robot.key("ctrl+shift+z")
    robot.steps(2)
    robot.key("ctrl+s")
    dialog = robot.dialog("Save the session")
    target = robot.folder / "mine.headviz.json"
    robot.key("ctrl+a")
    robot.type(str(target))
    robot.key("Return")
    robot.wait(target.is_file, "the saved file")
    robot.wait(lambda: not robot.window.documents.dirty, "a clean window")
    del dialog
    robot.gui(lambda: robot.window.documents.open_text(str(target)))
    robot.wait(lambda: robot.session is not session, "the session from the file")
    robot.screenshot("reopened")
    return {
        "here": (moved - rest)[here].tolist(), "twin": (moved - rest)[twin].tolist(),
        "undone": float(abs(undone - rest).max()), "again": float(abs(robot.positions() - moved).max()),
        "residual": float(robot.session.residual), "base_residual": float(robot.session.base_residual),
        "points": len(robot.session.keypoints), "title": robot.gui(robot.window.windowTitle),
    }  # fmt: skip


def brush(robot: Robot) -> dict[str, Any]:
    """Strokes with every habit: F, brackets, Shift, Ctrl, Esc, X; orbit beside the head, zoom, views."""
    ready(robot)
    rest, out = robot.positions(), {}
    here = vertex(robot, FOREHEAD)
    twin = int(robot.session.surface.mirror[here])
    begin = robot.at(rest[here])
    robot.drag(begin, (begin[0] + 25, begin[1] - 25))
    robot.steps(1)
    first = robot.positions()
    out["grab"] = [(first - rest)[here].tolist(), (first - rest)[twin].tolist()]
    out |= sizes(robot, begin)
    out["steps after setting"] = robot.place()
    for key, tool, step in (("shift", "1", 2), ("ctrl", "2", 3)):
        robot.key(tool)
        robot._do("keydown", key)
        robot.drag(robot.at(robot.positions()[here]), (begin[0] + 10, begin[1]))
        robot._do("keyup", key)
        robot.steps(step)
    strokes = [entry.step.brush for entry in robot.session.history[1:]]
    out["tools"] = [[one.tool, one.invert, one.symmetric] for one in strokes]
    robot.key("1")
    before = robot.positions()
    place = robot.at(before[here])
    robot.drag(place, (place[0], place[1] + 40), keep=True)
    out["held"] = float(abs(robot.positions() - before).max())
    robot.key("Escape")
    robot._do("mouseup", 1)
    out["cancelled"] = float(abs(robot.positions() - before).max())
    robot.key("x")
    robot.wait(lambda: not robot.window.workspace.brush.symmetric, "symmetry off")
    robot.drag(place, (place[0] + 20, place[1]))
    robot.steps(4)
    away = robot.positions() - before
    out["one side"] = [float(np.linalg.norm(away[here])), float(np.linalg.norm(away[twin]))]
    out["asymmetric"] = float(robot.session.residual)
    out |= looks(robot)
    out["steps"] = robot.place()
    return out


def sizes(robot: Robot, begin: tuple[int, int]) -> dict[str, Any]:
    """Set the radius by F and by a bracket, and take one back by Escape."""
    out: dict[str, Any] = {}
    radius = robot.window.workspace.brush.radius
    robot.move(begin)
    robot.key("f")
    robot.wait(lambda: robot.window.canvas.pointer.resize, "a radius being set")
    robot.move((begin[0] + 40, begin[1]))
    robot.screenshot("resize")
    robot.click()
    robot.wait(lambda: robot.window.canvas.pointer.resize is None, "a radius that is set")
    out["radius"] = [radius, robot.window.workspace.brush.radius]
    robot.key("f")
    robot.move((begin[0] + 90, begin[1]))
    robot.key("Escape")
    out["after escape"] = robot.window.workspace.brush.radius
    robot.key("bracketleft")
    out["bracket"] = robot.window.workspace.brush.radius
    return out


def looks(robot: Robot) -> dict[str, Any]:
    """Turn the head beside it, zoom, look from its left, see the displacement."""
    camera = robot.window.canvas.camera_now
    corner = robot.gui(lambda: robot.window.canvas.mapToGlobal(robot.window.canvas.rect().topLeft()))
    robot.drag((corner.x() + 20, corner.y() + 20), (corner.x() + 80, corner.y() + 40))
    turned = robot.window.canvas.camera_now
    robot.click(4)
    zoomed = robot.window.canvas.camera_now.distance / turned.distance
    robot.key("alt+3")
    robot.key("h")
    robot.screenshot("displacement")
    return {"turned": turned.yaw - camera.yaw, "zoomed": zoomed, "left": robot.window.canvas.camera_now.yaw}


def close(robot: Robot) -> dict[str, Any]:
    """Close with unsaved changes: once taken back, then without saving."""
    ready(robot)
    here = robot.at(robot.positions()[vertex(robot, FOREHEAD)])
    robot.drag(here, (here[0] + 20, here[1]))
    robot.steps(1)
    modified = robot.gui(robot.window.isWindowModified)
    robot.key("ctrl+q")
    asked = robot.dialog("Unsaved changes")
    robot.screenshot("unsaved")
    robot.press_button(asked, "Cancel")
    robot.wait(lambda: not robot.gui(asked.isVisible), "the question gone")
    visible = robot.gui(robot.window.isVisible)
    robot._do("windowfocus", int(robot.window.winId()))  # no window manager does it here
    robot.key("ctrl+q")
    robot.press_button(robot.dialog("Unsaved changes"), "Discard")
    robot.wait(lambda: not robot.gui(robot.window.isVisible), "the window closed")
    return {"modified": modified, "stayed": visible}


def killed(robot: Robot) -> dict[str, Any]:
    """Sculpt, then hang, until somebody kills the process."""
    ready(robot)
    here = robot.at(robot.positions()[vertex(robot, FOREHEAD)])
    robot.drag(here, (here[0] + 20, here[1]))
    robot.steps(1)
    np.save(robot.folder / "lost.npy", robot.positions())
    time.sleep(2)
    sys.stdout.write("sculpted\n")
    sys.stdout.flush()
    time.sleep(60)
    return {}


def recover(robot: Robot) -> dict[str, Any]:
    """Take the lost session back."""
    asked = robot.dialog("Recover")
    robot.screenshot("recover")
    robot.press_button(asked, "Recover")
    robot.steps(1)
    lost = np.load(robot.folder / "lost.npy")
    return {"away": float(abs(robot.positions() - lost).max()), "dirty": robot.window.documents.dirty}


def drop(robot: Robot) -> dict[str, Any]:
    """Drop a damaged mesh, then a picture."""
    from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
    from PySide6.QtGui import QDragEnterEvent, QDropEvent
    from PySide6.QtWidgets import QApplication

    ready(robot)

    def drop_file(path: Path) -> None:
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(path))])
        buttons, modifiers = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        enter = QDragEnterEvent(QPoint(300, 300), Qt.DropAction.CopyAction, data, buttons, modifiers)
        QApplication.sendEvent(robot.window.canvas, enter)  # the canvas leaves it to the window
        event = QDropEvent(QPointF(300, 300), Qt.DropAction.CopyAction, data, buttons, modifiers)
        QApplication.sendEvent(robot.window.canvas, event)

    old = robot.session
    robot.gui(lambda: drop_file(robot.folder / "millimetres.obj"))
    asked = robot.dialog("Check the mesh")
    robot.screenshot("check")
    robot.press_button(asked, "Sculpt it")
    robot.wait(lambda: robot.session is not old, "the dropped mesh")
    robot.gui(lambda: drop_file(robot.folder / "picture.png"))
    robot.wait(lambda: robot.window.canvas.reference.exists, "the reference picture")
    robot.screenshot("dropped")
    robot.gui(lambda: robot.window.documents.export(robot.folder / "out.obj"))
    return {"name": robot.session.name, "size": float(robot.session.surface.size)}


def pictures(robot: Robot) -> dict[str, Any]:
    """A screenshot and a short turntable."""
    from headviz_apps.sculpt import motion

    ready(robot)
    robot.move((5, 5))
    png = robot.gui(lambda: motion.write_screenshot(robot.window.canvas, robot.folder / "canvas.png"))
    gif = robot.gui(lambda: motion.write_turntable(robot.window.canvas, robot.folder / "turn.gif", lambda n, _: n < 6))
    size = robot.window.canvas.size()
    return {"png": str(png), "gif": str(gif), "size": [size.width(), size.height()]}


def main() -> None:
    """Open a window, play the scenario, print what it returns."""
    scenario, folder = globals()[sys.argv[1]], Path(sys.argv[2])
    from headviz_apps.sculpt import start
    from headviz_apps.sculpt.opening import load

    application = start.application()
    window = start.open_window(load(sys.argv[3] if len(sys.argv) > 3 else "", lambda _: None))
    window.setGeometry(0, 0, 1280, 800)
    window.show()
    window.start()
    robot = Robot(window, folder)
    result: list[Any] = []

    def play() -> None:
        try:
            result.append(scenario(robot))
        except BaseException:  # noqa: BLE001 -- told below
            traceback.print_exc()
            robot.screenshot(f"failed-{sys.argv[1]}")
        sys.stdout.write(json.dumps(result[0] if result else None) + "\n")
        sys.stdout.flush()
        os._exit(0 if result else 1)

    threading.Thread(target=play, daemon=True).start()
    application.setQuitOnLastWindowClosed(False)
    application.exec()


if __name__ == "__main__":
    main()
