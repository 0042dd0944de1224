"""Pictures of quadtrees, and what those of octrees share with them: squares, the tree, the methods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from headviz.geometry.octree import Reason
from headviz.viewers import look
from headviz.viewers.picture import colormap, equal_axes
from headviz.viewers.subdivision_record import DROPPED, REASONS
from headviz.viewers.subdivisions import SubdivisionViewer

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from headviz.viewers.quadtree import QuadtreeViewer

#: What the legend says of each reason.
WORDS = {
    "crossing": "corners differ: split", "near": "too near to rule out: split", "forced": "too coarse to judge: split",
    "safe": "proven empty: dropped", "same_sign": "corners agree: dropped on trust", "empty": "finest, corners agree",
    "lost": "lost by the pruning",
}  # fmt: skip
_METHODS = {
    "dense": ("full grid", look.MISSED),
    "sign": ("sign", look.OUTSIDE),
    "lipschitz": ("Lipschitz", look.INSIDE),
}
#: Pixels of a row of the tree.
_COLUMNS = 1400
_HATCH = {Reason.SAFE: "//////", Reason.SAME_SIGN: "....."}


@dataclass(frozen=True, eq=False)
class Squares:
    """Squares to draw.

    Attributes:
        boxes: left, low, right, high, metres.
        reasons: numbers of :class:`Reason`.
        now: whether they are of the level shown.
        inside: which dropped ones lie inside, where that is to be tinted.
    """

    boxes: Float[np.ndarray, "n 4"]
    reasons: Int[np.ndarray, " n"] | Shaped[np.ndarray, " n"]
    now: Bool[np.ndarray, " n"]
    inside: Bool[np.ndarray, " n"] | None = None


def draw_quadtree(figure: Figure, viewer: QuadtreeViewer) -> None:
    """Squares over the field's colours; tree, graph and table."""
    grid = figure.add_gridspec(2, 2, width_ratios=(1.25, 1), height_ratios=(1.5, 1))
    axes = figure.add_subplot(grid[0, 0])
    left, low, right, high = viewer.record.facts["grid"]["box"]
    field = viewer.record.arrays["grid"]
    reach = max(float(np.abs(field).max()), 1e-9)
    image = axes.imshow(
        field.T, origin="lower", extent=(left, right, low, high), cmap=colormap("signed"), vmin=-reach, vmax=reach,
        alpha=0.32,
    )  # fmt: skip
    figure.colorbar(image, ax=axes, location="bottom", label="signed distance (m)", shrink=0.7, aspect=40, pad=0.02)
    done = viewer.choice.step >= len(viewer.levels)
    _contour(axes, viewer.of("contour").reshape(-1, 2, 2), hint=not done)
    draw_squares(axes, _squares(viewer), viewer, calm=done)
    if viewer.choice.lost:
        draw_lost(axes, _lost(viewer), viewer.lattice["spacing"])
    _selected(axes, viewer)
    edge = 0.02 * (high - low)
    axes.set_anchor("S")
    equal_axes(axes, (left - edge, low - edge, right + edge, high + edge), names=tuple(viewer.record.facts["axes"]))
    draw_tree(figure.add_subplot(grid[0, 1]), viewer)
    draw_errors(figure.add_subplot(grid[1, 0]), viewer)
    draw_table(figure.add_subplot(grid[1, 1]), viewer)


def _squares(viewer: QuadtreeViewer) -> Squares:
    parts = []
    for level in range(viewer.level + 1):
        reasons = viewer.on_level("reasons", level)
        shown = np.isin(reasons, DROPPED) | (level == viewer.level)
        low, high = ends_of(viewer, level)
        parts.append((np.hstack([low, high])[shown], reasons[shown], np.full(int(shown.sum()), level == viewer.level)))
    boxes, reasons, now = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Squares(boxes, reasons, now)


def ends_of(viewer: SubdivisionViewer, level: int) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, "n d"]]:
    """Low and high corners of the cells of a level, metres, cut off where the lattice ends."""
    cells, facts = viewer.on_level("cells", level).astype(float), viewer.lattice
    high = np.minimum(cells + viewer.levels[level]["size"], facts["cells"])
    origin = np.array(facts["origin"])
    return origin + facts["spacing"] * cells, origin + facts["spacing"] * high


def draw_squares(axes: Axes, squares: Squares, viewer: SubdivisionViewer, *, calm: bool = False) -> None:
    """Split cells outlined, dropped ones hatched or dotted."""
    dark = axes.xaxis.label.get_color()
    for reason in reversed(Reason):
        if not getattr(viewer.choice, REASONS[reason]):
            continue
        for now in (False, True):
            chosen = (squares.reasons == reason) & (squares.now == now)
            if not chosen.any():
                continue
            corners = _corners(squares.boxes[chosen])
            _fill(axes, corners, reason, None if squares.inside is None else squares.inside[chosen], now)
            color, width, line = {
                Reason.CROSSING: (look.CURRENT, 0.5 if calm else 1.4, "solid"), Reason.NEAR: (dark, 0.9, "solid"),
                Reason.FORCED: (dark, 0.9, "dotted"),
            }.get(reason, (look.MISSED, 0.5, "solid"))  # fmt: skip
            _add(axes, corners, facecolor="none", edgecolor=color, linewidth=width, linestyle=line)


def _fill(
    axes: Axes, corners: Float[np.ndarray, "n 4 2"], reason: Reason, inside: Bool[np.ndarray, " n"] | None, now: bool
) -> None:
    """The tint of one reason, and its hatching."""
    if reason == Reason.CROSSING:
        _add(axes, corners, facecolor=look.CURRENT, alpha=0.1, linewidth=0)
    if reason in DROPPED and inside is not None:
        for side, color in ((True, look.INSIDE), (False, look.OUTSIDE)):
            if (inside == side).any():
                _add(axes, corners[inside == side], facecolor=color, alpha=0.2, linewidth=0)
    if reason in _HATCH:
        style: dict[str, Any] = {"hatch": _HATCH[reason], "edgecolor": look.MISSED, "alpha": 1.0 if now else 0.6}
        _add(axes, corners, facecolor="none", linewidth=0, **style)


def _corners(boxes: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "n 4 2"]:
    left, low, right, high = boxes.T
    return np.stack([left, low, right, low, right, high, left, high], axis=1).reshape(-1, 4, 2)


def _add(axes: Axes, corners: Float[np.ndarray, "n 4 2"], **style: Any) -> None:
    from matplotlib.collections import PolyCollection

    axes.add_collection(PolyCollection(list(corners), **style))


def _contour(axes: Axes, ends: Float[np.ndarray, "n 2 2"], *, hint: bool) -> None:
    from matplotlib.collections import LineCollection

    color = axes.title.get_color()
    style: dict[str, Any] = {"linewidths": 0.8, "alpha": 0.5} if hint else {"linewidths": 2.0, "capstyle": "round"}
    axes.add_collection(LineCollection(list(ends), colors=color, zorder=4, **style))


def _lost(viewer: QuadtreeViewer) -> dict[int, Float[np.ndarray, "n 2"]]:
    """Middles of the lost cells by connected piece, as far as they were dropped down to the level shown."""
    gone = viewer.of("lost_level") <= viewer.level
    spots = np.array(viewer.lattice["origin"]) + viewer.lattice["spacing"] * (viewer.of("lost")[gone] + 0.5)
    parts = viewer.of("lost_part")[gone]
    return {int(part): spots[parts == part] for part in np.unique(parts)}


def draw_lost(axes: Axes, pieces: dict[int, Float[np.ndarray, "n 2"]], side: float) -> None:
    """Crosses, with a word for the largest pieces that lie apart; cells are ``side`` wide, metres."""
    for spots in pieces.values():
        axes.plot(*spots.T, "x", color=look.WRONG, markersize=4, markeredgewidth=1.3, zorder=5)
    placed: list[Float[np.ndarray, " 2"]] = []
    for spots in sorted(pieces.values(), key=len, reverse=True):
        spot = spots[spots[:, 0].argmax()]
        if len(placed) < 3 and all(np.abs(spot - other).max() > 12 * side for other in placed):
            placed.append(spot)
            _note(axes, f"lost: {look.count(len(spots), 'cell')}", (float(spot[0]), float(spot[1])), (6, 6))


def _selected(axes: Axes, viewer: QuadtreeViewer) -> None:
    """The selected cell and the balls that its corners prove empty."""
    from matplotlib.patches import Circle, Rectangle

    cell = viewer.numbers["cell"]
    if cell is None:
        return
    color = axes.title.get_color()
    low = np.array(viewer.lattice["origin"]) + cell["size"] * np.array(cell["at"])
    bound = viewer.record.facts["lipschitz"]
    for corner, value in enumerate(cell["values"]):
        spot = low + cell["size"] * np.array([corner & 1, corner >> 1])
        if bound:
            axes.add_patch(
                Circle(tuple(spot), abs(value) / bound, fill=False, color=color, linestyle="--", linewidth=0.8)
            )
        axes.plot(*spot, "o", color=look.INSIDE if value < 0 else look.OUTSIDE, markersize=4, zorder=7)
    axes.add_patch(Rectangle(tuple(low), cell["size"], cell["size"], fill=False, color=color, linewidth=2, zorder=6))


def draw_tree(axes: Axes, viewer: SubdivisionViewer) -> None:
    """A row per level, the root above, each cell as wide as it has leaves; and the legend with its numbers."""
    soft = str(axes.xaxis.label.get_color())
    greys = ("#c4c4c2", "#c4c4c2", "#e2e1dd") if soft == look.SOFT else ("#55585d", "#55585d", "#34373c")
    colors = (look.CURRENT, soft, soft, *greys)
    start, wide = layout_of(viewer)
    spots = (np.arange(_COLUMNS) + 0.5) * wide[0][0] / _COLUMNS
    table = np.array([[int(color[k : k + 2], 16) for k in (1, 3, 5)] for color in colors], dtype=np.uint8)
    for level, (left, size) in enumerate(zip(start, wide, strict=True)):
        if not len(left):
            continue
        place = np.searchsorted(left, spots, side="right").clip(1) - 1
        there = (spots >= left[place]) & (spots < left[place] + size[place])
        alpha = there * np.uint8(255 if level <= viewer.level else 56)
        row = np.column_stack([table[viewer.on_level("reasons", level)[place]], alpha])[None].astype(np.uint8)
        axes.imshow(row, extent=(0, wide[0][0], level + 0.34, level - 0.34), aspect="auto", interpolation="nearest")
    axes.axhspan(viewer.level - 0.46, viewer.level + 0.46, fill=False, color=look.CURRENT, linewidth=1.2)
    last = len(viewer.levels) - 1
    axes.set(xlim=(0, wide[0][0]), ylim=(last + 0.6, -0.6), ylabel="level", xticks=[], yticks=range(last + 1))
    axes.set(title="The tree", xlabel="leaves, in the order of the tree")
    _draw_legend(axes, viewer)


def _draw_legend(axes: Axes, viewer: SubdivisionViewer) -> None:
    """Below the tree: what each mark means, and how many cells there are of it."""
    from matplotlib.artist import Artist
    from matplotlib.patches import Patch

    numbers, soft = viewer.numbers, axes.xaxis.label.get_color()
    entries: list[Artist] = []
    for reason, name in zip(Reason, REASONS, strict=True):
        if not any(name in level["reasons"] for level in viewer.levels):
            continue
        edge = look.CURRENT if reason == Reason.CROSSING else look.MISSED if reason in DROPPED else soft
        mark = Patch(facecolor="none", edgecolor=edge, hatch=_HATCH.get(reason))
        mark.set_linestyle("dotted" if reason == Reason.FORCED else "solid")
        mark.set_label(f"{WORDS[name]} ({numbers['reasons'][name]:,})")
        entries.append(mark)
    if numbers["lost"]:
        words = f"{WORDS['lost']} ({numbers['lost']:,})"
        entries += axes.plot([], [], "x", color=look.WRONG, label=words)
    axes.legend(
        handles=entries, loc="upper left", bbox_to_anchor=(-0.02, -0.09), ncols=2, handlelength=1.4, columnspacing=1.0
    )


def layout_of(viewer: SubdivisionViewer) -> tuple[list[Float[np.ndarray, "..."]], list[Float[np.ndarray, "..."]]]:
    """Where each cell of each level begins in the row of all leaves, and how many leaves it has."""
    depth = len(viewer.levels)
    wide = [np.zeros(viewer.levels[level]["count"]) for level in range(depth)]
    for level in reversed(range(depth)):
        wide[level] = np.maximum(wide[level], 1)
        if level:
            np.add.at(wide[level - 1], viewer.on_level("parents", level), wide[level])
    start = [np.zeros(1)]
    for level in range(1, depth):
        parents = viewer.on_level("parents", level)
        before = np.cumsum(wide[level]) - wide[level]
        first = np.concatenate([[True], parents[1:] != parents[:-1]]) if len(parents) else np.zeros(0, dtype=bool)
        group = np.cumsum(first) - 1
        start.append(start[level - 1][parents] + before - before[first][group] if len(parents) else np.zeros(0))
    return start, wide


def draw_errors(axes: Axes, viewer: SubdivisionViewer) -> None:
    """Evaluations against mean error, logarithmic."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    rows = [row for row in viewer.record.facts["rows"] if row["mean"]]
    axes.set_title("Evaluations against error")
    if not rows:
        axes.text(0.5, 0.5, "nothing was compared", ha="center", va="center", transform=axes.transAxes)
        axes.set(xticks=[], yticks=[])
        return
    for method, (name, color) in _METHODS.items():
        own = [row for row in rows if row["method"] == method]
        spots = np.array([(row["evaluations"], 1e3 * row["mean"]) for row in own]).reshape(-1, 2)
        style: dict[str, Any] = {"color": color, "linewidth": 2.4 if method == viewer.choice.prune else 1.4}
        style["markerfacecolor"] = "none" if method == "lipschitz" else color
        axes.plot(*spots.T, "o-", label=name, markersize=5, **style)
        for row, (x, y) in zip(own, spots, strict=True):
            if row["lost"]:
                axes.plot(x, y, "x", color=look.WRONG, markersize=8, markeredgewidth=2, zorder=5)
                _note(axes, f"lost: {look.count(row['lost'], 'cell')}", (x, y), (6, -10))
            elif method == "dense":
                _note(axes, str(row["resolution"]), (x, y), (5, 5))
    axes.set(xscale="log", yscale="log", xlabel="evaluations", ylabel="mean error (mm)")
    for axis, places in ((axes.xaxis, (1.0,)), (axes.yaxis, (1.0, 2.0, 5.0))):
        axis.set_major_locator(LogLocator(subs=places))
        axis.set_major_formatter(FuncFormatter(lambda value, _: look.number(value)))
        axis.set_minor_locator(NullLocator())
    axes.legend(loc="lower left")


def _note(axes: Axes, text: str, spot: tuple[float, float], away: tuple[float, float]) -> None:
    axes.annotate(text, spot, away, textcoords="offset points", size=8)


def draw_table(axes: Axes, viewer: SubdivisionViewer) -> None:
    """The methods beside each other at the finest resolution compared."""
    axes.set_axis_off()
    rows = viewer.record.facts["rows"]
    if not rows:
        return
    finest = max(row["resolution"] for row in rows)
    columns = [row for row in rows if row["resolution"] == finest]
    lines = [
        ("evaluations", [f"{row['evaluations']:,}" for row in columns]),
        ("time", [_unit(row["seconds"], 1e3, "ms") for row in columns]),
        ("memory", [_unit(row["bytes"], 1e-3, "kB") for row in columns]),
        ("mean error", [_unit(row["mean"], 1e3, "mm") for row in columns]),
        ("greatest error", [_unit(row["error"], 1e3, "mm") for row in columns]),
        ("cells lost", ["–" if row["lost"] is None else f"{row['lost']:,}" for row in columns]),
        ("pieces lost", ["–" if row["lost_parts"] is None else f"{row['lost_parts']:,}" for row in columns]),
    ]
    axes.set_title(f"The methods at resolution {finest}")
    heads = [_METHODS[row["method"]][0] for row in columns]
    for place, (name, texts) in enumerate([("", heads), *lines]):
        y = 0.94 - place * 0.125
        style: Any = {"transform": axes.transAxes, "size": 8, "va": "center"}
        axes.text(0.0, y, name, **style)
        for column, text in enumerate(texts):
            weight = "bold" if place == 0 and columns[column]["method"] == viewer.choice.prune else "normal"
            axes.text(0.54 + 0.23 * column, y, text, ha="right", weight=weight, **style)


def _unit(value: float | None, factor: float, unit: str) -> str:
    return "–" if value is None else f"{look.number(value * factor)} {unit}"
