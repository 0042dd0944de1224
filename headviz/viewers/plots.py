"""Pictures that explain a formula: curves, a warped grid, heads side by side. They have no controls.

A :class:`Plot` shows itself in a notebook, with its caption, and can be written as a file. What can be stepped through
or turned is a viewer instead.
"""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from headviz.errors import OptionError, ShapeError
from headviz.geometry.color import from_uint8
from headviz.geometry.mesh import Mesh
from headviz.viewers import look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from headviz.viewers.viewer import Viewer

_LINES = ((look.INSIDE, "-"), (look.CURRENT, "--"), (look.HIT, "-."), (look.INK, ":"), (look.MISSED, "-"))
_FINE = 8  # points on a grid's line between two crossings
_SIDE = 420  # pixels of a head's picture before it is cropped
_BAR = 0.05  # metres
_APART = 0.08  # of the axes' height: names of curves are nearer only in a legend
_ARRIVED = 1e-5  # metres: a keypoint this near to the tip of its vector is there


@dataclass(frozen=True, eq=False)
class Plot:
    """A picture with its caption.

    Attributes:
        draw: draws into an empty figure of matplotlib.
        caption: what is shown, in one sentence with its numbers.
        title: what it is a picture of.
        size: width and height without title and caption, inches.
    """

    draw: Callable[[Figure], None]
    caption: str
    title: str = ""
    size: tuple[float, float] = (8.0, 3.2)

    def to_png(self, path: Path | str, *, dpi: float = 144, dark: bool = False) -> Path:
        """Write the picture; a name that ends with .svg or .pdf gives that format.

        Raises:
            OutputError: the name ends with something else, or the file cannot be written.
            MissingExtraError: matplotlib is not installed.
        """
        from headviz.viewers.picture import write_picture

        return write_picture(cast("Viewer", self), path, dpi=dpi, dark=dark)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        from headviz.viewers.picture import picture_bytes

        del include, exclude
        data = base64.b64encode(picture_bytes(cast("Viewer", self), dpi=110)).decode("ascii")
        alt = html.escape(self.caption, quote=True)
        shown = f'<img alt="{alt}" style="max-width:100%" src="data:image/png;base64,{data}">'
        return {"text/html": shown, "text/plain": f"{self.title or 'plot'}: {self.caption}"}


def plot_curves(
    curves: Mapping[str, Sequence[Any]], *, x: str, y: str, log: str = "", title: str = "", caption: str = ""
) -> Plot:
    """Curves in one pair of axes, each labelled at its end.

    Args:
        curves: by name: the values along x and along y, tensors or arrays of one length.
        x: name of the axis to the right, with its unit.
        y: name of the axis upwards, with its unit.
        log: the axes that are logarithmic: ``""``, ``"x"``, ``"y"`` or ``"xy"``.
        title: what it is.
        caption: what is shown; by default where each curve begins and ends.

    Raises:
        ShapeError: there are no curves, or the two halves of one differ in length.
        OptionError: ``log`` names another axis.
    """
    if log not in ("", "x", "y", "xy"):
        raise OptionError(f"log should be one of '', 'x', 'y', 'xy'; it is {log!r}")
    held = {name: (_flat(along), _flat(up)) for name, (along, up) in curves.items()}
    for name, (along, up) in held.items():
        if len(along) != len(up) or not len(along):
            raise ShapeError(f"curve {name!r} should have as many x as y, at least one; it has {len(along)}, {len(up)}")
    if not held:
        raise ShapeError("there should be at least one curve; there is none")

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for (name, (along, up)), (color, dash) in zip(held.items(), cycle(_LINES), strict=False):
            axes.plot(along, up, color=_ink(axes, color), linestyle=dash, linewidth=1.8, label=name)
        for which in log:
            _logarithmic(axes, which)
        axes.set(xlabel=x, ylabel=y)
        axes.grid(visible=True, linewidth=0.4, alpha=0.4)
        axes.margins(x=0.01)
        if len(held) > 1:
            _name_curves(axes)

    names = {name: f"{name} " if len(held) > 1 else "" for name in held}
    ends = [f"{names[name]}from {_level(up, 0)} to {_level(up, -1)}" for name, (_, up) in held.items()]
    first = next(iter(held.values()))[0]
    start = y[0].upper() if y[0].isascii() else y[0]
    span = f"{x} from {look.number(first[0])} to {look.number(first[-1])}"
    told = f"{start}{y[1:]} for {span}: {', '.join(ends)}."
    return Plot(draw, caption or told, title)


def plot_warp(
    move: Callable[[Float[Tensor, "n 3"]], Float[Tensor, "n 3"]],
    keypoints: Float[Tensor, "k 3"],
    vectors: Float[Tensor, "k 3"],
    *,
    half: float = 0.1,
    lines: int = 21,
    title: str = "",
) -> Plot:
    """What a warp does to a square grid in the plane z = 0.

    Grey is the grid as it was, a ring a keypoint, its arrow the vector, a dot where it goes: green at the arrow's tip.

    Args:
        move: the warp: points (n, 3) to points (n, 3), metres.
        keypoints: shape (k, 3), metres; z is not drawn.
        vectors: shape (k, 3), metres.
        half: half the side of the grid, metres.
        lines: how many each way, at least 2.
        title: what it is.
    """
    at, by = keypoints.detach(), vectors.detach()
    grid = _grid(half, lines).to(at)
    with torch.no_grad():
        moved, gone = move(grid.reshape(-1, 3)).reshape(grid.shape), move(at)
    miss = (gone - at - by).norm(dim=1)
    before, after, start, tips, ends = (_plane(each) for each in (grid, moved, at, at + by, gone))

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for path in before:
            axes.plot(*path.T, color=look.MISSED, linewidth=0.4, alpha=0.6)
        for path in after:
            axes.plot(*path.T, color=_ink(axes, look.INK), linewidth=0.7)
        for place, tip in zip(start, tips, strict=True):
            axes.annotate("", tip, place, arrowprops={"arrowstyle": "->", "color": look.CURRENT, "linewidth": 1.6})
        axes.scatter(
            start[:, 0], start[:, 1], s=48, facecolors="none", edgecolors=look.CURRENT, linewidths=1.6, zorder=3
        )
        there = (miss < _ARRIVED).numpy()
        axes.scatter(ends[there, 0], ends[there, 1], s=26, color=look.HIT, zorder=4)
        axes.scatter(ends[~there, 0], ends[~there, 1], s=26, color=_ink(axes, look.INK), zorder=4)
        axes.set(aspect="equal", xlabel="x (mm)", ylabel="y (mm)")

    whole = f"{look.count(len(at), 'keypoint')} with vectors up to {_millimetres(by)}, x and y in mm"
    farthest = f"the grid moves by up to {_millimetres(moved - grid)}"
    worst = "each keypoint arrives at the tip of its arrow"
    if (miss >= _ARRIVED).any():
        worst = f"a keypoint (dot) ends up to {1000 * float(miss.max()):.1f} mm from the tip of its arrow"
    return Plot(draw, f"{whole}: {farthest}, and {worst}.", title, (8.0, 5.2))


def plot_heads(
    heads: Mapping[str, Mesh], *, base: Mesh | None = None, columns: int = 3, yaw: float = 0.0, title: str = ""
) -> Plot:
    """Heads side by side, seen by one camera.

    Args:
        heads: by the name that stands above each.
        base: colour shows how far vertices are from these, which are as many; ``None`` for skin.
        columns: how many stand in a row.
        yaw: degrees by which the camera is turned, from the head's left if positive.
        title: what they are.

    Raises:
        ShapeError: there are no heads, or one has another number of vertices than the base.
    """
    if not heads:
        raise ShapeError("there should be at least one head; there is none")
    away = {name: _away(mesh, base) for name, mesh in heads.items()} if base is not None else {}
    most = max((float(each.max()) for each in away.values()), default=0.0)
    rows = math.ceil(len(heads) / columns)

    def draw(figure: Figure) -> None:
        places = figure.subplots(rows, columns, squeeze=False).reshape(-1)
        pictures, pixels = _pictures(heads, away, most, yaw)
        for place in places[len(pictures) :]:
            place.set_visible(False)
        for place, (name, picture) in zip(places, pictures.items(), strict=False):
            place.imshow(picture, interpolation="antialiased")
            place.set(xticks=[], yticks=[])
            place.spines[:].set_visible(False)
            place.set_title(name)
        _scale_bar(places[0], next(iter(pictures.values())), pixels)
        if away:
            _colour_bar(figure, list(places), most)

    counts = f"{look.count(len(heads), 'head')} of {len(next(iter(heads.values())).vertices):,} vertices"
    farthest = [f"{name} {1000 * float(each.max()):.1f} mm" for name, each in away.items()]
    told = f"farthest from the base: {', '.join(farthest)}" if away else "seen by one camera"
    told = f"{counts}, {told}; the bar is {1000 * _BAR:g} mm."
    return Plot(draw, told, title, (8.0, 8.0 / columns * 1.25 * rows))


def _level(values: Float[np.ndarray, " n"], which: int) -> str:
    """One of some values; 0 where it is next to nothing beside the others."""
    return look.number(float(values[which]) if abs(values[which]) > 1e-9 * np.abs(values).max() else 0.0)


def _millimetres(vectors: Float[Tensor, "*b 3"]) -> str:
    """The length of the longest."""
    return f"{1000 * float(vectors.norm(dim=-1).max()):.1f} mm"


def _flat(values: Any) -> Float[np.ndarray, " n"]:
    held = values.detach().cpu().numpy() if isinstance(values, Tensor) else values
    return np.asarray(held, dtype=float).reshape(-1)


def _ink(axes: Axes, color: str) -> str:
    """The colour; ink becomes that of the text, which is light where the paper is dark."""
    return str(axes.title.get_color()) if color == look.INK else color


def _logarithmic(axes: Axes, which: str) -> None:
    """A logarithmic axis, ``"x"`` or ``"y"``, with plain numbers, or powers of ten where it is long."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    axis = axes.xaxis if which == "x" else axes.yaxis
    low, high = axis.get_view_interval()
    if high < 1000 * low:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high > 20 * low else (0.6, 1.0, 1.5, 2.0, 3.0, 4.0)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: look.number(value)))
    axis.set_minor_formatter(NullFormatter())


def _name_curves(axes: Axes) -> None:
    """The name of each curve beside its last point; in a legend where these are too near to each other."""
    axes.autoscale_view()
    curves = axes.get_lines()
    to_axes = axes.transData + axes.transAxes.inverted()
    ends = [np.asarray(to_axes.transform(np.asarray(curve.get_xydata(), dtype=float)[-1:]))[0] for curve in curves]
    if np.diff(np.sort([up for _, up in ends])).min() < _APART:
        axes.legend(handlelength=3)
        return
    for (along, up), curve in zip(ends, curves, strict=True):
        axes.text(
            along + 0.012, up, str(curve.get_label()), color=str(curve.get_color()), size=9, va="center",
            transform=axes.transAxes,
        )  # fmt: skip


def _grid(half: float, lines: int) -> Float[Tensor, "l n 3"]:
    """Points along the lines of a square grid, first those along x, then those along y."""
    across = torch.linspace(-half, half, lines, dtype=torch.float64)
    along = torch.linspace(-half, half, _FINE * (lines - 1) + 1, dtype=torch.float64)
    level, run = torch.meshgrid(across, along, indexing="ij")
    flat = torch.zeros_like(run)
    return torch.cat([torch.stack([run, level, flat], -1), torch.stack([level, run, flat], -1)])


def _plane(points: Float[Tensor, "*b 3"]) -> Float[np.ndarray, "*b 2"]:
    """X and y in millimetres."""
    return np.asarray(1000 * points[..., :2].numpy())


def _away(mesh: Mesh, base: Mesh) -> Float[Tensor, " n"]:
    """How far vertices are from those of the base, metres."""
    if mesh.vertices.shape != base.vertices.shape:
        raise ShapeError(
            f"a head should have vertices of shape {tuple(base.vertices.shape)}, as the base; "
            f"shape is {tuple(mesh.vertices.shape)}"
        )
    away: Tensor = (mesh.vertices - base.vertices).norm(dim=1)
    return away


def _pictures(
    heads: Mapping[str, Mesh], away: Mapping[str, Float[Tensor, " n"]], most: float, yaw: float
) -> tuple[dict[str, Shaped[np.ndarray, "h w 3"]], float]:
    """The heads through one camera, cropped alike, and how many pixels a metre has in the middle of them."""
    import matplotlib as mpl

    from headviz.viewers.surfaces import camera_of, place, surface_picture

    every = np.concatenate([_flat(mesh.vertices).reshape(-1, 3) for mesh in heads.values()]).astype(np.float32)
    camera = camera_of(every, yaw=yaw, side=_SIDE)
    seen = place(camera, every)
    left, high = np.floor(seen.min(axis=0)).astype(int).clip(0)
    right, low = np.ceil(seen.max(axis=0)).astype(int) + 1
    paper = str(mpl.rcParams["figure.facecolor"])
    scale = look.sequential()
    pictures = {}
    for name, mesh in heads.items():
        colors = None
        if name in away:
            entries = np.rint(away[name].numpy() / max(most, 1e-12) * (len(scale) - 1)).astype(int)
            colors = from_uint8(scale[entries][None])[0].numpy()
        vertices = _flat(mesh.vertices).reshape(-1, 3).astype(np.float32)
        picture = surface_picture(vertices, mesh.faces.numpy(), camera, colors=colors, paper=paper)
        pictures[name] = picture[high:low, left:right]
    middle = (every.min(axis=0) + every.max(axis=0)) / 2
    return pictures, camera.focal / float(np.linalg.norm(camera.position.numpy() - middle))


def _scale_bar(axes: Axes, picture: Shaped[np.ndarray, "h w 3"], pixels: float) -> None:
    """A bar below the first head, at its left."""
    color, down = axes.xaxis.label.get_color(), 1.0 - 1 / len(picture)
    axes.plot([0, _BAR * pixels], [down * len(picture)] * 2, color=color, linewidth=1.5, solid_capstyle="butt")
    axes.text(0, 0.975 * len(picture), f"{1000 * _BAR:g} mm", color=color, size=8, va="bottom")


def _colour_bar(figure: Figure, places: list[Axes], most: float) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    from headviz.viewers.picture import colormap

    scale = ScalarMappable(Normalize(0, 1000 * most), colormap("sequential"))
    figure.colorbar(scale, ax=places, label="distance from the base (mm)", shrink=0.8)
