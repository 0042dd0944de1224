"""How long the sculpt window takes to its first drawn head, on a virtual screen of Xvfb."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image, ImageGrab

SIZE = (1400, 900)  #: pixels
PATIENCE = 40.0  #: seconds
#: Where the head is in a new window, in parts of the screen.
PLACES = [(x, y) for x in (0.25, 0.3, 0.35, 0.4, 0.45) for y in (0.3, 0.4, 0.5)]


def can_open() -> bool:
    """Whether there is what this takes."""
    return sys.platform.startswith("linux") and shutil.which("Xvfb") is not None


def starts(count: int) -> list[float]:
    """Seconds from the command ``headviz sculpt`` to a head on the screen, for some starts with settings of their own.

    Raises:
        RuntimeError: a window ended by itself, or showed no head in time.
    """
    read, write = os.pipe()
    words = ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{SIZE[0]}x{SIZE[1]}x24", "-nolisten", "tcp"]
    with subprocess.Popen(words, pass_fds=[write], stderr=subprocess.DEVNULL) as server:
        os.close(write)
        try:
            with os.fdopen(read) as said:
                display = f":{said.readline().strip()}"
            return [start(display) for _ in range(count)]
        finally:
            server.terminate()


def start(display: str) -> float:
    """One start, in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("QT_", "WAYLAND"))}
        environment |= {"DISPLAY": display, "XDG_CONFIG_HOME": folder, "XDG_STATE_HOME": folder}
        begun = time.perf_counter()
        window = subprocess.Popen([str(Path(sys.executable).with_name("headviz")), "sculpt"], env=environment)
        try:
            while not shows_head(ImageGrab.grab(xdisplay=display)):
                if window.poll() is not None or time.perf_counter() - begun > PATIENCE:
                    raise RuntimeError(f"no head after {time.perf_counter() - begun:.0f} s, exit code {window.poll()}")
                time.sleep(0.03)
            return time.perf_counter() - begun
        finally:
            window.terminate()
            window.wait()


def shows_head(screen: Image.Image) -> bool:
    """Whether some of the places have the colour of skin."""
    wide, high = screen.size
    colors = [screen.convert("RGB").getpixel((int(wide * x), int(high * y))) for x, y in PLACES]
    return sum(red - blue > 35 and red > 90 for red, _, blue in colors) >= 3  # type: ignore[misc]
