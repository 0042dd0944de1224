"""Marching squares as a picture: the grid with the line so far, the 16 cases, the error against the resolution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from headviz.geometry.contour import Contour
from headviz.viewers import look
from headviz.viewers.picture import colormap, equal_axes
from headviz.viewers.record import array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from headviz.viewers.squares import SquaresViewer

_LETTERS = "abcd"
#: Corners and middles of the edges of a small picture, counter-clockwise from the lower left.
_CORNERS = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])
_MIDDLES = (_CORNERS + np.roll(_CORNERS, -1, axis=0)) / 2


def draw_squares(figure: Figure, viewer: SquaresViewer) -> None:
    """Draw all three parts into an empty figure."""
    rows = [row for row in viewer.record.facts["errors"] if row["distance"]]
    rows = rows if len(rows) > 2 else []  # two points are no curve
    grid = figure.add_gridspec(
        2 if rows else 1, 2, width_ratios=[1.15, 1.0], height_ratios=[1.0, 1.05] if rows else [1]
    )
    _draw_grid(figure.add_subplot(grid[:, 0]), viewer)
    draw_cases(figure.add_subplot(grid[0, 1]), viewer)
    if rows:
        _draw_errors(figure.add_subplot(grid[1, 1]), viewer, rows)


def _draw_grid(axes: Axes, viewer: SquaresViewer) -> None:
    left, low, right, high = viewer.record.facts["box"]
    room = 0.03 * max(right - left, high - low)
    first, second = viewer.record.facts["axes"]
    equal_axes(axes, (left - room, low - room, right + room, high + room), names=(first, second))
    rows, columns = viewer.samples.shape
    (x, y), (dx, dy) = viewer.place["origin"], viewer.place["spacing"]
    soft: Any = axes.xaxis.label.get_color()
    axes.vlines(x + dx * np.arange(columns), y, y + dy * (rows - 1), color=soft, alpha=0.35, linewidth=0.5)
    axes.hlines(y + dy * np.arange(rows), x, x + dx * (columns - 1), color=soft, alpha=0.35, linewidth=0.5)
    _draw_lines(axes, viewer.true_contour, color=soft, linewidth=0.8, linestyle=(0, (5, 4)))
    ink = axes.title.get_color()
    if viewer.state.step == viewer.steps - 1:
        _fill(axes, viewer.contour)
    ends = array(viewer.contour.points)[array(viewer.contour.segments[: viewer.done])]
    axes.plot(*_with_gaps(ends), color=ink, linewidth=1.6, solid_capstyle="round", zorder=3)
    _draw_samples(axes, viewer, ink)
    if viewer.number is not None:
        _draw_current(axes, viewer, viewer.number)


def _with_gaps(ends: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Segments (m, 2, 2) as one line with gaps: x and y, shape (2, 3 m)."""
    gap = np.full((len(ends), 1, 2), np.nan)
    made: Float[np.ndarray, "..."] = np.concatenate((ends, gap), axis=1).reshape(-1, 2).T
    return made


def _draw_lines(axes: Axes, contour: Contour, **style: Any) -> None:
    for line in contour.polylines:
        axes.plot(*array(contour.points[line]).T, zorder=2, **style)


def _fill(axes: Axes, contour: Contour) -> None:
    """The inside of all closed lines, with its holes."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    closed = [
        array(contour.points[line]) for line, whole in zip(contour.polylines, contour.closed, strict=True) if whole
    ]
    if closed:
        path = Path.make_compound_path(*(Path(line, closed=True) for line in closed))
        axes.add_patch(PathPatch(path, facecolor=look.INSIDE, alpha=0.14, edgecolor="none"))


def _draw_samples(axes: Axes, viewer: SquaresViewer, ink: Any) -> None:
    """Dots, blue inside and orange outside, lighter towards the level; painted ones with a ring."""
    values = array(viewer.samples) - viewer.chosen.level
    rows, columns = values.shape
    (x, y), (dx, dy) = viewer.place["origin"], viewer.place["spacing"]
    across, up = np.meshgrid(x + dx * np.arange(columns), y + dy * np.arange(rows))
    inside = values < 0
    part = np.where(inside, -1, 1) * (0.35 + 0.65 * np.abs(values) / max(float(np.abs(values).max()), 1e-300))
    rim = np.where(inside, look.INSIDE, look.OUTSIDE).reshape(-1)
    size = float(np.clip(2600 / max(rows, columns) ** 1.6, 0.6, 60))
    axes.scatter(across, up, s=size, c=part, cmap=colormap("signed"), vmin=-1, vmax=1, edgecolors=rim.tolist(),
                 linewidths=0.8 if size > 4 else 0.3, zorder=4)  # fmt: skip
    if size > 20:
        for chosen, sign in ((inside, "$-$"), (~inside, "$+$")):
            axes.scatter(
                across[chosen], up[chosen], s=size * 0.4, marker=sign, color=look.INK, linewidths=0.3, zorder=5
            )
    marked = [index for index, _ in viewer.chosen.painted]
    axes.scatter(across.reshape(-1)[marked], up.reshape(-1)[marked], s=size * 2.2, facecolors="none", edgecolors=ink)


def _draw_current(axes: Axes, viewer: SquaresViewer, number: int) -> None:
    """The outline of the current cell and its crossings with their fractions."""
    from matplotlib.patches import Rectangle

    (x, y), (dx, dy) = viewer.place["origin"], viewer.place["spacing"]
    row, column = divmod(number, viewer.samples.shape[1] - 1)
    corner = (x + dx * column, y + dy * row)
    axes.add_patch(Rectangle(corner, dx, dy, fill=False, edgecolor=look.CURRENT, linewidth=2.4, zorder=3.5))
    if viewer.row is None:
        return
    aside = ((0, -9), (8, 0), (0, 9), (-8, 0))
    paper: Any = axes.get_facecolor()
    for edge, point in enumerate(viewer.history.points[viewer.row].tolist()):
        if point < 0:
            continue
        x, y = viewer.contour.points[point].tolist()
        axes.plot(x, y, "o", color=look.HIT, markersize=6, markeredgecolor=paper, zorder=6)
        text = look.number(float(viewer.contour.fraction[point]), 2)
        side = ("center", "left", "center", "right")[edge]
        note = axes.annotate(
            text, (x, y), aside[edge], textcoords="offset points", ha=side, va="center", size=8, zorder=7
        )
        note.set_bbox({"facecolor": paper, "edgecolor": "none", "pad": 0.6, "alpha": 0.85})


def draw_cases(axes: Axes, viewer: SquaresViewer) -> None:
    """The 16 cases in two rows, the current one framed; solid where inside corners are kept apart, dashed if joined."""
    from matplotlib.patches import Rectangle

    record, now = viewer.record.arrays, viewer.numbers["current"]
    counts = np.bincount(array(viewer.contour.case).reshape(-1), minlength=16)
    ink, soft = axes.title.get_color(), axes.xaxis.label.get_color()
    for case in range(16):
        shift = np.array([case % 8 * 1.6, -2.5 * (case // 8)])
        axes.add_patch(Rectangle((float(shift[0]), float(shift[1])), 1, 1, fill=False, edgecolor=soft, linewidth=0.7))
        for joined in (1, 0) if record["ambiguous"][case] else (0,):
            for a, b in record["segments"][joined, case, : record["count"][case]]:
                ends = _MIDDLES[[int(a), int(b)]] + shift
                style: Any = (0, (1, 1.5)) if joined else "solid"
                axes.plot(*ends.T, color=look.HIT, linewidth=1.2 if joined else 2.0, linestyle=style)
        inside = np.array([case >> k & 1 for k in range(4)], dtype=bool)
        at = _CORNERS + shift
        axes.scatter(at[inside, 0], at[inside, 1], s=20, color=look.INSIDE, zorder=3)
        axes.scatter(
            at[~inside, 0],
            at[~inside, 1],
            s=18,
            facecolor=axes.get_facecolor(),
            edgecolor=look.OUTSIDE,
            linewidth=1.2,
            zorder=3,
        )
        middle = float(shift[0]) + 0.5
        name = f"{case} {_LETTERS[int(record['classes'][case])]}"
        axes.text(middle, float(shift[1]) - 0.3, name, ha="center", va="top", size=8, color=ink)
        if counts[case]:
            axes.text(middle, float(shift[1]) - 0.7, f"{counts[case]:,} ×", ha="center", va="top", size=7, color=soft)
        if now is not None and now["case"] == case:
            axes.add_patch(
                Rectangle((middle - 0.76, float(shift[1]) - 1.12), 1.52, 2.36, fill=False, edgecolor=look.CURRENT,
                          linewidth=2)
            )  # fmt: skip
    axes.set(xlim=(-0.4, 12.6), ylim=(-3.8, 1.4), aspect="equal", title="The 16 cases: number, class, cells")
    axes.axis("off")


def _draw_errors(axes: Axes, viewer: SquaresViewer, rows: list[dict[str, float]]) -> None:
    facts = viewer.record.facts
    ink, soft = axes.title.get_color(), axes.xaxis.label.get_color()
    for name, text, color, style in (
        ("distance", "farthest point", ink, "-"),
        ("length", "length", soft, "--"),
    ):
        slope = "" if facts["slope"][name] is None else f", slope {look.number(facts['slope'][name], 2)}"
        pairs = np.array([(row["resolution"], row[name]) for row in rows if row[name]]).T
        axes.plot(*pairs, style, marker="o", markersize=3, color=color, label=text + slope)
    for row in rows:
        if row["resolution"] == viewer.chosen.resolution:
            axes.axvline(row["resolution"], color=look.CURRENT, linewidth=1.4)
            axes.plot(row["resolution"], row["distance"], "o", markersize=9, markerfacecolor="none",
                      markeredgecolor=look.CURRENT, markeredgewidth=2)  # fmt: skip
    sizes = [row["resolution"] for row in rows if float(np.log2(row["resolution"])).is_integer()]
    axes.set(xscale="log", yscale="log", xlabel="cells along the longer side", ylabel="error (m)")
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.xaxis.minorticks_off()
    axes.grid(visible=True, color=soft, alpha=0.25, linewidth=0.5)
    axes.set_title(f"Error at level {look.length(facts['level'])}, against a grid of {facts['truth']}")
    axes.legend()
