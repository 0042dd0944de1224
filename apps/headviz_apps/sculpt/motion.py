"""Pictures of the canvas: a PNG, or a turntable as GIF or MP4."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headviz.errors import MissingExtraError, OutputError
from headviz.geometry.files import atomic_write

if TYPE_CHECKING:
    from PIL import Image

    from headviz_apps.sculpt.canvas import Canvas

FRAMES, RATE = 72, 24  #: of one turn, and how many a second
MOTION = (".gif", ".mp4")


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

    if path.suffix.lower() not in MOTION:
        raise OutputError(f"{path} should end with {' or '.join(MOTION)}")
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
    data = _gif(drawn) if path.suffix.lower() == ".gif" else _film(drawn)
    with atomic_write(path) as file:
        file.write(data)
    return path


def _gif(drawn: list[Image.Image]) -> bytes:
    import io

    from PIL import Image

    shared = drawn[0].quantize(255, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    frames = [frame.quantize(palette=shared, dither=Image.Dither.FLOYDSTEINBERG) for frame in drawn]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=round(1000 / RATE), loop=0)
    return out.getvalue()


def _film(drawn: list[Image.Image]) -> bytes:
    try:
        import imageio_ffmpeg
    except ImportError:
        raise MissingExtraError("imageio_ffmpeg", "notebook") from None
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "film.mp4")
        writer: Any = imageio_ffmpeg.write_frames(str(target), drawn[0].size, fps=RATE, macro_block_size=2)
        writer.send(None)
        for frame in drawn:
            writer.send(frame.tobytes())
        writer.close()
        return target.read_bytes()
