"""The picture shell: viewers as PNG, SVG, GIF and MP4, drawn by matplotlib in the house's look."""

from __future__ import annotations

import io
import tempfile
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from headviz.errors import MissingExtraError, OutputError
from headviz.geometry.color import srgb_to_linear
from headviz.geometry.files import atomic_write
from headviz.viewers import look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from headviz.viewers.viewer import Viewer

PICTURES = (".png", ".svg", ".pdf")
MOTION = (".gif", ".mp4")
_INCH_OF_HEAD, _INCH_OF_LINE = 0.5, 0.26
_MOST_FRAMES = 240


@contextmanager
def style(*, dark: bool = False) -> Iterator[None]:
    """The settings of matplotlib for the look: sizes, colours, system fonts.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
    except ImportError:
        raise MissingExtraError("matplotlib", "notebook") from None
    paper, ink, soft = ("#15171a", "#eceae6", "#a9aeb6") if dark else (look.PAPER, look.INK, look.SOFT)
    rules: Any = {
        "figure.facecolor": paper, "axes.facecolor": paper, "savefig.facecolor": paper, "text.color": ink,
        "axes.edgecolor": soft, "axes.labelcolor": soft, "xtick.color": soft, "ytick.color": soft,
        "axes.spines.top": False, "axes.spines.right": False, "font.size": 9, "axes.labelsize": 9,
        "axes.titlesize": 10, "axes.titlelocation": "left", "axes.titlecolor": ink, "legend.frameon": False,
        "legend.fontsize": 8, "svg.fonttype": "none", "svg.hashsalt": "headviz",
        "hatch.color": look.MISSED, "hatch.linewidth": 0.5,
    }  # fmt: skip
    with mpl.rc_context(rules):
        yield


def figure_of(viewer: Viewer, *, rows: int = 0) -> Figure:
    """The viewer's picture with its title above and its caption below; draw inside :func:`style`.

    Args:
        viewer: what is drawn.
        rows: lines that there is room for below the picture, if the caption has fewer.
    """
    from matplotlib.figure import Figure as MatplotlibFigure

    width, height = viewer.size
    lines = _lines(viewer)
    lines += [""] * (rows - len(lines))
    head = _INCH_OF_HEAD if viewer.title else 0.12
    foot = _INCH_OF_LINE * len(lines) + 0.16
    whole = height + head + foot
    figure = MatplotlibFigure(figsize=(width, whole), layout="constrained")
    engine: Any = figure.get_layout_engine()
    engine.set(rect=(0.01, foot / whole, 0.98, height / whole))
    viewer.draw(figure)
    if viewer.title:
        figure.text(0.16 / width, 1 - 0.3 / whole, viewer.title, size=13, va="center", parse_math=False)
    for row, line in enumerate(reversed(lines)):
        figure.text(0.16 / width, (0.2 + _INCH_OF_LINE * row) / whole, line, size=10, va="center", parse_math=False)
    return figure


def _lines(viewer: Viewer) -> list[str]:
    """The caption as the lines below the picture."""
    return textwrap.wrap(viewer.caption, int(viewer.size[0] * 13))


def picture_bytes(viewer: Viewer, *, form: str = "png", dpi: float = 144, dark: bool = False, rows: int = 0) -> bytes:
    """The picture as bytes of a PNG, SVG or PDF file; ``rows`` as of :func:`figure_of`.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    out = io.BytesIO()
    with style(dark=dark):
        undated = {"Date": None} if form == "svg" else {"CreationDate": None} if form == "pdf" else {}
        figure_of(viewer, rows=rows).savefig(out, format=form, dpi=dpi, metadata=undated)
    return out.getvalue()


def write_picture(viewer: Viewer, path: Path | str, *, dpi: float = 144, dark: bool = False) -> Path:
    """Write the picture; the name's end says in which format.

    Raises:
        OutputError: the name does not end with .png, .svg or .pdf, or the file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in PICTURES:
        raise OutputError(f"{path} should end with {', '.join(PICTURES)}")
    data = picture_bytes(viewer, form=path.suffix.lower()[1:], dpi=dpi, dark=dark)
    with atomic_write(path) as file:
        file.write(data)
    return path


def frames(viewer: Viewer, *, dpi: float = 96) -> Iterator[Image.Image]:
    """The pictures of all steps, of evenly chosen ones where there are very many; all of one size."""
    steps = np.unique(np.linspace(0, max(0, viewer.steps - 1), min(max(1, viewer.steps), _MOST_FRAMES)).round())
    shown = [viewer.at(step=step) for step in steps.astype(int).tolist()]
    rows = max(len(_lines(one)) for one in shown)  # the longest caption has room in every picture
    first: tuple[int, int] | None = None
    for one in shown:
        drawn = Image.open(io.BytesIO(picture_bytes(one, dpi=dpi, rows=rows))).convert("RGB")
        first = first or (drawn.width - drawn.width % 2, drawn.height - drawn.height % 2)  # films want even sides
        canvas = Image.new("RGB", first, look.PAPER)
        canvas.paste(drawn, (0, 0))
        yield canvas


def write_motion(viewer: Viewer, path: Path | str, *, seconds: float | None = None, dpi: float = 96) -> Path:
    """Write all steps as a GIF or, by the name's end, as an MP4 film.

    Raises:
        OutputError: the name does not end with .gif or .mp4, or the file cannot be written.
        MissingExtraError: matplotlib is missing, or for a film imageio and its ffmpeg.
    """
    path = Path(path)
    check_motion(path)
    pace = seconds if seconds is not None else max(0.08, min(0.5, 12 / max(1, viewer.steps)))
    return write_frames(list(frames(viewer, dpi=dpi)), path, seconds=pace, hold=1.5)


def write_frames(
    drawn: Sequence[Image.Image], path: Path, *, seconds: float, hold: float = 0.0, dither: bool = False
) -> Path:
    """Write pictures of one size, with even sides, as a GIF or, by the name's end, as an MP4 film.

    Args:
        drawn: the pictures, RGB.
        path: the file.
        seconds: that each picture stays.
        hold: seconds that a GIF's last picture stays longer, before it begins again.
        dither: whether a GIF mixes its 256 colours, which suits shaded surfaces and not lines.

    Raises:
        OutputError: the name does not end with .gif or .mp4, or the file cannot be written.
        MissingExtraError: imageio-ffmpeg, which carries the encoder of films, is not installed.
    """
    check_motion(path)
    if path.suffix.lower() == ".mp4":
        data = _film(drawn, 1 / seconds)
        with atomic_write(path) as file:
            file.write(data)
        return path
    shared, how = _palette(drawn), Image.Dither.FLOYDSTEINBERG if dither else Image.Dither.NONE
    palette = [frame.quantize(palette=shared, dither=how) for frame in drawn]
    waits = [round(1000 * seconds)] * len(palette)
    waits[-1] += round(1000 * hold)
    with atomic_write(path) as file:
        palette[0].save(file, "GIF", save_all=True, append_images=palette[1:], duration=waits, loop=0)
    return path


def check_motion(path: Path) -> None:
    """Check, before anything is drawn, that a GIF or a film can be written under this name.

    Raises:
        OutputError: the name does not end with .gif or .mp4, or its folder does not exist.
    """
    if path.suffix.lower() not in MOTION:
        raise OutputError(f"{path} should end with {' or '.join(MOTION)}")
    if not path.absolute().parent.is_dir():
        raise OutputError(f"{path} cannot be written: its folder does not exist")


def _palette(drawn: Sequence[Image.Image]) -> Image.Image:
    """One palette for all frames, in which the look's colours are exact: small marks must keep theirs."""
    some = drawn[:: max(1, len(drawn) // 6)]
    tall = Image.new("RGB", (some[0].width, some[0].height * len(some)))
    for row, frame in enumerate(some):
        tall.paste(frame, (0, row * frame.height))
    exact = (look.CURRENT, look.HIT, look.WRONG, look.INSIDE, look.OUTSIDE, look.MISSED, look.PAPER, look.INK)
    reserved = [int(color[k : k + 2], 16) for color in exact for k in (1, 3, 5)]
    found = (
        tall.quantize(256 - len(exact), method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).getpalette() or []
    )
    made = Image.new("P", (1, 1))
    made.putpalette([*found[: 3 * (256 - len(exact))], *reserved])
    return made


def _film(drawn: Sequence[Image.Image], rate: float) -> bytes:
    """Pictures as an MP4 film; each twice where there are few a second, since players want more.

    Raises:
        MissingExtraError: imageio-ffmpeg, which carries the encoder, is not installed.
    """
    try:
        import imageio_ffmpeg
    except ImportError:
        raise MissingExtraError("imageio_ffmpeg", "notebook") from None
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "film.mp4")
        again = 1 if rate >= 20 else 2
        writer: Any = imageio_ffmpeg.write_frames(str(target), drawn[0].size, fps=again * rate, macro_block_size=2)
        writer.send(None)
        for frame in drawn:
            for _ in range(again):
                writer.send(frame.tobytes())
        writer.close()
        return target.read_bytes()


def equal_axes(axes: Axes, box: tuple[float, float, float, float], *, names: tuple[str, str] = ("x", "y")) -> None:
    """Axes in metres that show a box (left, low, right, high) without distortion, with names and units."""
    left, low, right, high = box
    axes.set(xlim=(left, right), ylim=(low, high), aspect="equal", xlabel=f"{names[0]} (m)", ylabel=f"{names[1]} (m)")


def colormap(name: str) -> Any:
    """The colour map of a scale of the look: ``"sequential"`` or ``"signed"``; NaN is magenta."""
    from matplotlib.colors import ListedColormap

    table = {"sequential": look.sequential, "signed": look.signed}[name]()
    return ListedColormap(table / 255.0, name=f"headviz {name}").with_extremes(bad=look.WRONG)


def hexadecimal(color: str) -> tuple[float, float, float]:
    """Linear RGB of a colour like ``"#d9a58b"``."""
    values = [int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    red, green, blue = srgb_to_linear(torch.tensor(values, dtype=torch.float64)).tolist()
    return red, green, blue
