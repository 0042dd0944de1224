"""Start the sculpt window: check what it needs, open it, run until it is closed."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from headviz.errors import HeadvizError, MissingExtraError

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from headviz_apps.sculpt.opening import Loaded
    from headviz_apps.sculpt.window import SculptWindow

PAGE = "write a page instead: headviz sculpt … --html FILE"


def require_desktop() -> None:
    """Check for the libraries and the display that a window needs.

    Raises:
        MissingExtraError: PySide6 or pyvistaqt is not installed.
        HeadvizError: there is no display.
    """
    from importlib.util import find_spec

    for package in ("PySide6", "pyvistaqt"):
        if find_spec(package) is None:
            raise MissingExtraError(package, "desktop")
    shown = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or os.environ.get("QT_QPA_PLATFORM")
    xcb = os.environ.get("QT_QPA_PLATFORM", "").startswith("xcb") and not os.environ.get("DISPLAY")
    if sys.platform.startswith("linux") and (xcb or not shown):
        raise HeadvizError(f"there is no display to open a window on; {PAGE}")
    if sys.platform.startswith("linux") and not _x_answers():
        raise HeadvizError(f"the display {os.environ['DISPLAY']} does not answer; {PAGE}")


def _load_toolkits() -> None:
    """Import what drawing takes while the main thread reads the source: a second of each start."""
    os.environ["QT_API"] = "pyside6"
    with suppress(ImportError):  # told by whoever needs it
        import pyvistaqt  # noqa: F401


def _prepare() -> None:
    """Load or compile the brushes."""
    with suppress(Exception):  # told by the session, which needs the same
        from headviz.sculpt import prepare

        prepare()


def _x_answers() -> bool:
    """Whether the X server can be reached, where one will be asked for: Qt would abort the process."""
    platform = os.environ.get("QT_QPA_PLATFORM", "xcb" if not os.environ.get("WAYLAND_DISPLAY") else "wayland")
    if not os.environ.get("DISPLAY") or not platform.startswith("xcb"):
        return True
    try:
        x = ctypes.CDLL("libX11.so.6")
    except OSError:  # not to be found out this way
        return True
    x.XOpenDisplay.restype = ctypes.c_void_p
    opened = x.XOpenDisplay(None)
    if opened:
        x.XCloseDisplay(ctypes.c_void_p(opened))
    return bool(opened)


def application() -> QApplication:
    """Qt's application, with a style that looks alike everywhere.

    Raises:
        HeadvizError: Qt cannot open a window here, or there is no OpenGL.
    """
    os.environ["QT_API"] = "pyside6"
    try:
        from PySide6.QtCore import QCoreApplication
        from PySide6.QtGui import QOffscreenSurface, QOpenGLContext
        from PySide6.QtWidgets import QApplication
    except ImportError as error:  # a library of the system is missing
        raise HeadvizError(f"Qt cannot be loaded ({error}); {PAGE}") from error
    QCoreApplication.setOrganizationName("headviz")
    QCoreApplication.setApplicationName("headviz sculpt")
    running = QApplication.instance()
    made = running if isinstance(running, QApplication) else QApplication(["headviz"])
    made.setStyle("Fusion")
    context, surface = QOpenGLContext(), QOffscreenSurface()
    surface.create()
    if not (context.create() and context.makeCurrent(surface)) or context.format().version() < (3, 2):
        raise HeadvizError(f"this machine has no OpenGL 3.2, which the window draws with; {PAGE}")
    name = str(context.functions().glGetString(0x1F01)).lower()  # GL_RENDERER
    made.setProperty("software", any(word in name for word in ("llvmpipe", "softpipe", "swiftshader", "software")))
    context.doneCurrent()
    return made


def open_window(loaded: Loaded) -> SculptWindow:
    """A window that shows what was read; the application must exist."""
    from headviz_apps.sculpt.opening import session_of
    from headviz_apps.sculpt.window import SculptWindow

    if not loaded.questions:
        window = SculptWindow(session_of(loaded))
        if loaded.session is not None:
            window.documents.path = loaded.path
        for note in loaded.notes:
            window.say(note)
        return window
    from PySide6.QtCore import QTimer

    from headviz_apps.sculpt.opening import HEAD, load

    window = SculptWindow(session_of(load(HEAD, lambda _: None)))
    QTimer.singleShot(0, lambda: window.documents.take(loaded))
    return window


def main(source: str = "", html: Path | None = None, progress: Callable[[str], None] = lambda _: None) -> str:
    """Open the window and wait until it is closed, or write the page.

    Args:
        source: a mesh, the folder of a reconstruction, a photograph or a session; the packaged head by default.
        html: write a page for the browser to this file instead.
        progress: called with what is being done.

    Returns:
        What to tell the user.

    Raises:
        InputError: the source cannot be used.
        HeadvizError: no window can be opened here; the message says what to do.
    """
    if html is not None:
        from headviz_apps.sculpt.opening import load

        loaded = load(source, progress)
        progress("writing the page")
        return f"{path_of_page(loaded, html)}: open it in a browser to sculpt “{loaded.name}”"
    require_desktop()
    with _quick_imports():
        import numpy  # noqa: F401, ICN001 -- before both threads ask for it

        threading.Thread(target=_load_toolkits, name="headviz-imports", daemon=True).start()
        from headviz_apps.sculpt.opening import load

        loaded = load(source, progress)
        progress("opening the window")
        made = application()
        brushes = threading.Thread(target=_prepare, name="headviz-prepare", daemon=True)
        brushes.start()
        import headviz_apps.sculpt.window  # noqa: F401 -- meanwhile
        from headviz_apps.sculpt.preparing import wait_for

        if not wait_for(brushes):
            return ""
        window = open_window(loaded)
        window.show()
    window.start()
    signal.signal(signal.SIGINT, lambda *_: window.close())
    progress("")
    made.exec()
    return ""


@contextmanager
def _quick_imports() -> Iterator[None]:
    """No look for garbage while modules are read, all of which stay: it takes a quarter of the start."""
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


def path_of_page(loaded: Loaded, target: Path) -> Path:
    """Write the page on which the same head can be sculpted in a browser.

    Raises:
        OutputError: the file cannot be written.
    """
    from headviz.viewers import view_sculpt
    from headviz_apps.sculpt.opening import session_of

    return Path(view_sculpt(session_of(loaded), title=loaded.name).to_html(target))
