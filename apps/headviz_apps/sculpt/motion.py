"""Pictures of the canvas: a PNG, or a turntable as GIF or MP4."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from headviz.geometry.files import atomic_write

if TYPE_CHECKING:
    from headviz_apps.sculpt.canvas import Canvas

FRAMES, RATE = 72, 24  #: of one turn, and how many a second


def write_screenshot(canvas: Canvas, path: Path) -> Path:
    """Write what the canvas shows, without rings and keypoints, as a PNG.

    Raises:
        OutputError: the file cannot be written.
    """
    from PIL import Image

    path = path if path.suffix.lower() == ".png" else path.with_name(path.name + ".png")
    picture = Image.fromarray(canvas.picture())
    with atomic_write(path) as file:
        picture.save(file, "PNG")
    return path


def write_turntable(canvas: Canvas, path: Path, progress: Callable[[int, int], bool]) -> Path:
    """Turn the head once around and write it as a GIF or an MP4; the camera comes back to where it was.

    Args:
        canvas: what to draw.
        path: its end says in which format.
        progress: called with frames done and all; when it says no, the turn ends there.

    Raises:
        OutputError: the name ends with something else, or the file cannot be written.
        MissingExtraError: imageio-ffmpeg, which carries the encoder of MP4, is not installed.
    """
    from PIL import Image

    from headviz.viewers.picture import check_motion, write_frames

    check_motion(path)
    before, drawn = canvas.camera_now, []
    try:
        for number in range(FRAMES):
            canvas.camera_now = replace(before, yaw=before.yaw + 360 * number / FRAMES)
            frame = Image.fromarray(canvas.picture())
            drawn.append(frame.crop((0, 0, frame.width - frame.width % 2, frame.height - frame.height % 2)))
            if not progress(number + 1, FRAMES):
                break
    finally:
        canvas.look(before)
    return write_frames(drawn, path, seconds=1 / RATE, dither=True)
