"""The picture of a rendering: the map of a stage, and beside it the faces around the chosen pixel, by matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, UInt8

from headviz.geometry.color import to_uint8
from headviz.viewers import look
from headviz.viewers.rendering_maps import CORNERS
from headviz.viewers.trace_record import camera_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from headviz.viewers.rendering import RenderingViewer

#: Pixels to each side of what is shown around a pixel, from its middle.
LEAST_HALF = 4.5
#: Length of the arrow of a vertex that moves across the picture, as a part of what is shown.
ARROW = 0.08
# Marks lie on maps, which are the same in both themes.
_DARK, _PALE = look.INK, look.WHITE


def draw(viewer: RenderingViewer, figure: Figure) -> None:
    """The map and what is around the pixel, side by side, each above what explains it."""
    grid = figure.add_gridspec(2, 2, height_ratios=(1.0, 0.1))
    left, right = (figure.add_subplot(grid[0, k]) for k in (0, 1))
    facts = viewer.record.facts["stages"][viewer.state.step]
    _draw_pixels(viewer, left)
    left.set_title(f"{facts['title']}: {facts['about']}")
    camera = viewer.record.facts["camera"]
    left.set(xlim=(0, camera["width"]), ylim=(camera["height"], 0))
    _draw_choice(viewer, left)
    _draw_pixels(viewer, right)
    right.set_title(f"Around pixel {viewer.pixel}")
    low, high = box_around(viewer)
    right.set(xlim=(low[0], high[0]), ylim=(high[1], low[1]))
    _draw_around(viewer, right)
    _explain(viewer, figure.add_subplot(grid[1, 0]))
    _explain_around(viewer, figure.add_subplot(grid[1, 1]))


def pixels(viewer: RenderingViewer) -> UInt8[np.ndarray, "h w 4"]:
    """The map of the stage, sRGB with opacity; for gradients with the pixels that change."""
    made: UInt8[np.ndarray, "h w 4"] = viewer.record.arrays[f"map.{viewer.stage}"].copy()
    if viewer.stage == "gradient":
        pixel, code = viewer.changed()
        made.reshape(-1, 4)[pixel] = np.concatenate(
            [look.signed()[code], np.full((len(code), 1), 255, np.uint8)], axis=1
        )
    return made


def box_around(viewer: RenderingViewer) -> tuple[Float[np.ndarray, "2"], Float[np.ndarray, "2"]]:
    """Column and row where what is shown around the pixel begins, and where it ends."""
    half = max(LEAST_HALF, (viewer.record.facts["margin"] or 0.0) + 1)
    middle = np.array(viewer.pixel) + 0.5
    return middle - half, middle + half


def _draw_pixels(viewer: RenderingViewer, axes: Axes) -> None:
    """The map over the hatching of what sees nothing."""
    from matplotlib.patches import Rectangle

    made = pixels(viewer)
    height, width = made.shape[:2]
    hatched = Rectangle((0, 0), width, height, hatch="////", fill=False, linewidth=0, edgecolor=look.MISSED, alpha=0.35)
    hatched.set_zorder(-1)
    axes.add_patch(hatched)
    axes.imshow(made, extent=(0, width, height, 0), interpolation="nearest")
    axes.set(xlabel="column (pixels)", ylabel="row (pixels)")
    axes.spines[:].set_visible(True)


def _draw_choice(viewer: RenderingViewer, axes: Axes) -> None:
    """The ring at the pixel, the box that is shown beside, and the cursor of linked viewers."""
    from matplotlib.patches import Rectangle

    low, high = box_around(viewer)
    (x, y), (width, height) = low.tolist(), (high - low).tolist()
    for color, thick in ((_PALE, 2.4), (_DARK, 0.9)):
        axes.add_patch(Rectangle((x, y), width, height, fill=False, edgecolor=color, linewidth=thick))
    _ring(axes, viewer, size=7)
    if viewer.stage == "gradient":
        _draw_vertex(viewer, axes)
    if viewer.state.cursor is None or viewer.pixel != viewer.chosen.pixel:
        return
    camera = camera_of(viewer.record.facts["camera"])
    spot = camera.project(torch.tensor([viewer.state.cursor], dtype=torch.float64))[0].numpy()
    if np.linalg.norm(spot - np.array(viewer.pixel) - 0.5) > 1:
        axes.plot(*spot, "o", markersize=6, markerfacecolor="none", markeredgecolor=look.CURRENT, markeredgewidth=1.5)


def _ring(axes: Axes, viewer: RenderingViewer, *, size: float) -> None:
    column, row = viewer.pixel
    for color, width in ((_PALE, 3.6), (look.CURRENT, 2.0)):
        axes.plot([column + 0.5], [row + 0.5], "o", markersize=size, markerfacecolor="none", markeredgecolor=color,
                  markeredgewidth=width, zorder=7)  # fmt: skip


def _draw_vertex(viewer: RenderingViewer, axes: Axes) -> None:
    """The vertex of the gradients, and where it goes in the picture."""
    row = next(row for row in viewer.record.facts["vertices"] if row["name"] == viewer.vertex)
    if row["spot"] is None:  # behind the camera
        return
    moves = np.array(row["per_mm"])
    shown = abs(float(np.subtract(*axes.get_xlim())))
    longest = float(np.linalg.norm(moves, axis=1).max()) or 1.0
    spot = np.array(row["spot"])
    end = spot + moves["xyz".index(viewer.chosen.axis)] * ARROW * shown / longest
    arrow: Any = {"arrowstyle": "->", "color": look.CURRENT, "linewidth": 2, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (end[0], end[1]), (spot[0], spot[1]), zorder=8, arrowprops=arrow)
    axes.plot(*spot, "o", markersize=5, color=look.CURRENT, markeredgecolor=_PALE, zorder=8, clip_on=True)


def _draw_around(viewer: RenderingViewer, axes: Axes) -> None:
    """Faces, centres of pixels, and what the stage is about."""
    from matplotlib.collections import PolyCollection
    from matplotlib.patches import Rectangle

    arrays = viewer.record.arrays
    low, high = box_around(viewer)
    triangles = arrays["corners"][arrays["faces"][arrays["visible"].astype(bool)]]
    near = (triangles.max(axis=1) > low).all(axis=1) & (triangles.min(axis=1) < high).all(axis=1)
    if viewer.stage == "soft_mask":
        _draw_contributions(viewer, axes)
    for color, width, alpha in ((_PALE, 2.2, 0.35), (_DARK, 0.6, 1.0)):
        axes.add_collection(
            PolyCollection(
                list(triangles[near]), facecolors="none", edgecolors=color, linewidths=width, alpha=alpha, zorder=3
            )
        )
    size = np.array([viewer.record.facts["camera"]["width"], viewer.record.facts["camera"]["height"]])
    first, last = np.maximum(np.floor(low), 0).astype(int), np.minimum(np.ceil(high), size).astype(int)
    columns, rows = np.meshgrid(*(np.arange(a, b) + 0.5 for a, b in zip(first, last, strict=True)))
    axes.plot(columns.reshape(-1), rows.reshape(-1), "o", markersize=2.6, color=_DARK, markeredgecolor=_PALE,
              markeredgewidth=0.7, zorder=4)  # fmt: skip
    column, row = viewer.pixel
    axes.add_patch(
        Rectangle((column, row), 1, 1, fill=False, edgecolor=look.CURRENT, linewidth=1.2, linestyle="--", zorder=6)
    )
    face = int(arrays["face"][row, column])
    if face >= 0 and viewer.stage != "gradient":
        _draw_face(viewer, axes, arrays["corners"][arrays["faces"][face]])
    _ring(axes, viewer, size=6)
    if viewer.stage == "gradient":
        _draw_vertex(viewer, axes)


def _draw_face(viewer: RenderingViewer, axes: Axes, corners: Float[np.ndarray, "3 2"]) -> None:
    """The face that the pixel sees; with the weights of its corners at their stage."""
    from matplotlib.patches import Polygon

    for color, width in ((_PALE, 4.0), (look.CURRENT, 2.2)):
        axes.add_patch(Polygon(corners, fill=False, edgecolor=color, linewidth=width, joinstyle="round", zorder=5))
    if viewer.stage != "weights":
        return
    middle, paper = corners.mean(axis=0), axes.get_facecolor()
    for spot, weight, color in zip(corners, viewer.numbers["weights"], CORNERS, strict=True):
        axes.plot(*spot, "o", markersize=7, color=color, markeredgecolor=_PALE, zorder=8)
        right, below = spot[0] >= middle[0], spot[1] > middle[1]
        note = axes.annotate(look.number(weight), spot, (9 if right else -9, -7 if below else 7), zorder=9,
                             textcoords="offset points", ha="left" if right else "right", va="center")  # fmt: skip
        note.set_bbox({"facecolor": paper, "edgecolor": "none", "pad": 1, "alpha": 0.85})


def _draw_contributions(viewer: RenderingViewer, axes: Axes) -> None:
    """Faces that make the soft mask of the pixel, stronger with A; the margin, and the distance to the strongest."""
    from matplotlib.collections import PolyCollection
    from matplotlib.patches import Circle

    arrays, here = viewer.record.arrays, viewer.pairs
    part = arrays["pair_probability"][here]
    if len(part):
        red = np.array([int(look.CURRENT[k : k + 2], 16) / 255 for k in (1, 3, 5)])
        fill = np.concatenate([np.tile(red, (len(part), 1)), (0.08 + 0.82 * part / part[0])[:, None]], axis=1)
        triangles = arrays["corners"][arrays["faces"][arrays["pair_face"][here]]]
        axes.add_collection(
            PolyCollection(list(triangles[::-1]), facecolors=fill[::-1], edgecolors=look.CURRENT, linewidths=0.8)
        )
    column, row = viewer.pixel
    circles: list[tuple[float, Any]] = [(viewer.record.facts["margin"], "--")]
    if len(part):
        circles.append((float(arrays["pair_distance"][here][0]), "-"))
    for radius, line in circles:
        for color, width in ((_PALE, 3.4), (look.CURRENT, 1.8)):
            behind: Any = {"alpha": 0.35} if color == _PALE else {"linestyle": line}
            middle = (column + 0.5, row + 0.5)
            axes.add_patch(Circle(middle, radius, fill=False, edgecolor=color, linewidth=width, zorder=6, **behind))


def _explain(viewer: RenderingViewer, axes: Axes) -> None:
    """A colour bar where numbers are shown, and a legend, below the map."""
    from matplotlib.patches import Patch

    stage, soft = viewer.record.facts["stages"][viewer.state.step], str(axes.xaxis.label.get_color())
    axes.set_axis_off()
    bar = _bar_of_changes(viewer) if viewer.stage == "gradient" else stage["bar"]
    if bar is not None:
        table = {"sequential": look.sequential, "signed": look.signed, "grey": _grey}[bar.get("scale", "sequential")]()
        axes.imshow(table[None], extent=(0.45, 0.85, 0.68, 0.92), aspect="auto", interpolation="nearest")
        for x, text, side in ((0.43, f"{bar['label']}   {bar['ends'][0]}", "right"), (0.87, bar["ends"][1], "left")):
            axes.text(x, 0.8, text, ha=side, va="center", size=8, color=soft, in_layout=False)
        axes.set(xlim=(0, 1), ylim=(0, 1))
    entries = []
    for mark, color, text in stage["legend"]:
        how: Any = {"facecolor": color, "edgecolor": soft, "linewidth": 0.3}
        if mark == "hatch":
            how = {"facecolor": "none", "edgecolor": color, "linewidth": 0.5, "hatch": "////"}
        entries.append(Patch(label=text, **how))
    if entries:
        _legend(axes, entries, top=0.5 if bar else 1.0, columns=4)


def _explain_around(viewer: RenderingViewer, axes: Axes) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    axes.set_axis_off()
    entries: list[Any] = [
        Line2D(
            [],
            [],
            linestyle="",
            marker="o",
            markersize=3,
            color=_DARK,
            markeredgecolor=_PALE,
            label="centre of a pixel",
        ),
        Line2D([], [], color=str(axes.title.get_color()), linewidth=0.8, label="faces"),
    ]
    if viewer.stage == "soft_mask":
        entries += [Patch(color=look.CURRENT, label="faces that count, stronger with A"),
                    Line2D([], [], color=look.CURRENT, label="distance to the strongest"),
                    Line2D([], [], color=look.CURRENT, linestyle="--", label="margin")]  # fmt: skip
    elif viewer.stage == "gradient":
        entries.append(Line2D([], [], color=look.CURRENT, marker="o", markersize=4, label="the vertex and its way"))
    else:
        entries.append(Patch(facecolor="none", edgecolor=look.CURRENT, linewidth=2, label="the face that is seen"))
    _legend(axes, entries, top=1.0, columns=3)


def _legend(axes: Axes, entries: list[Any], *, top: float, columns: int) -> None:
    """A legend that leaves the size of the pictures as it is, so that they are the same at all stages."""
    made = axes.legend(handles=entries, loc="upper left", bbox_to_anchor=(0.0, top), ncols=columns, borderaxespad=0)
    made.set_in_layout(False)


def _grey() -> UInt8[np.ndarray, "n 3"]:
    """From no light to the brightest."""
    return to_uint8(torch.linspace(0, 1, 256)[:, None, None].expand(-1, 1, 3))[:, 0]


def _bar_of_changes(viewer: RenderingViewer) -> dict[str, Any]:
    row = next(row for row in viewer.record.facts["vertices"] if row["name"] == viewer.vertex)
    limit = row["limits"][viewer.of.index(viewer.chosen.of)]["xyz".index(viewer.chosen.axis)]
    label = "change per mm, mean of colours" if viewer.chosen.of == "picture" else "change per mm"
    return {"label": label, "ends": [look.number(-limit), f"+{look.number(limit)}"], "scale": "signed"}
