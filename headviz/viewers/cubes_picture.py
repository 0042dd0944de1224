"""Marching cubes as a picture: the surface so far, the current cell, the 15 classes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Shaped

from headviz.viewers import look
from headviz.viewers.surfaces import camera_of, place, scale_bar, show_picture, surface_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from headviz.viewers.cubes import CubesViewer

#: From where cells are seen, degrees; and how far the eye is, in sides of the cell. As web/cubes_cell.js.
YAW, PITCH, DISTANCE = 28.0, 16.0, 3.4
_CORNERS = np.array([[k >> axis & 1 for axis in range(3)] for k in range(8)], dtype=float)


def draw_cubes(figure: Figure, viewer: CubesViewer) -> None:
    """Draw all three parts into an empty figure."""
    grid = figure.add_gridspec(1, 3, width_ratios=[1.1, 1.0, 0.95])
    _draw_surface(figure.add_subplot(grid[0, 0]), viewer)
    _draw_cell(figure.add_subplot(grid[0, 1]), viewer)
    draw_classes(figure.add_subplot(grid[0, 2]), viewer)


def _draw_surface(axes: Axes, viewer: CubesViewer) -> None:
    """The part made so far; the part to come is blended over it."""
    import matplotlib as mpl

    arrays = viewer.record.arrays
    vertices, faces = arrays["vertices"], arrays["faces"]
    camera = camera_of(vertices, yaw=YAW, pitch=12)
    paper = str(mpl.rcParams["figure.facecolor"])
    whole = surface_picture(vertices, faces, camera, paper=paper).astype(float)
    made = surface_picture(vertices, faces[: viewer.done], camera, paper=paper) if viewer.done else None
    if made is None:
        empty = np.full_like(whole, [int(paper[k : k + 2], 16) for k in (1, 3, 5)])
        made = empty.astype(np.uint8)
    share = 0.22 if viewer.chosen.rest else 0.0
    show_picture(axes, np.rint((1 - share) * made + share * whole).astype(np.uint8))
    scale_bar(axes, vertices, camera)
    if viewer.number is not None:
        facts = viewer.record.facts
        corners = np.asarray(facts["origin"]) + facts["spacing"] * (arrays["cells"][viewer.number] + _CORNERS)
        spots = place(camera, corners)
        for a, b in arrays["edges"]:
            axes.plot(*spots[[a, b]].T, color=look.CURRENT, linewidth=2, solid_capstyle="round")
    axes.set_title("Surface so far")


def _draw_cell(axes: Axes, viewer: CubesViewer) -> None:
    """The current cell with its values, crossings and triangles."""
    axes.set(xlim=(-1.02, 1.02), ylim=(-1.02, 1.02), aspect="equal")
    axes.axis("off")
    if viewer.number is None:
        axes.text(0, 0, "no current cell", ha="center", va="center", color=axes.xaxis.label.get_color())
        return
    from headviz.viewers.cubes import crossings

    arrays, now = viewer.record.arrays, viewer.numbers["current"]
    found = dict(crossings(arrays, viewer.number))
    draw_cube(axes, arrays, int(arrays["state"][viewer.number]), found)
    factor, unit = (1e3, "mm") if viewer.record.facts["spacing"] < 0.5 else (1.0, "m")
    axes.set_title(f"Cell {viewer.number + 1:,}: case {now['case']}, class {now['class']}, values in {unit}")
    spots = projected(_CORNERS)
    for corner, value in enumerate(now["values"]):
        x, y = spots[corner, :2]
        out = np.array([x, y]) / max(1e-9, math.hypot(x, y)) * 13
        _label(axes, (x, y), look.number(value * factor), (float(out[0]), float(out[1])))
    for edge, fraction in found.items():
        a, b = arrays["edges"][edge]
        x, y, _ = projected((_CORNERS[a] + fraction * (_CORNERS[b] - _CORNERS[a]))[None])[0]
        axes.plot(x, y, "o", color=look.HIT, markersize=5, markeredgecolor=axes.get_facecolor(), zorder=6)
        _label(axes, (x, y), look.number(fraction, 2), (10, 7))


def _label(axes: Axes, spot: tuple[float, float], text: str, offset: tuple[float, float]) -> None:
    paper: Any = axes.figure.get_facecolor()
    note = axes.annotate(text, spot, offset, textcoords="offset points", ha="center", va="center", size=7.5, zorder=8)
    note.set_bbox({"facecolor": paper, "edgecolor": "none", "pad": 0.5, "alpha": 0.8})


def draw_classes(axes: Axes, viewer: CubesViewer) -> None:
    """One cell of each of the 15 classes, with how many cells of the surface have it."""
    from matplotlib.patches import Rectangle

    arrays, now = viewer.record.arrays, viewer.numbers["current"]
    ink, soft = axes.title.get_color(), axes.xaxis.label.get_color()
    for number in range(15):
        shift = np.array([number % 3 * 2.1, -2.15 * (number // 3)])
        draw_cube(axes, arrays, int(arrays["class_state"][number]), None, shift=shift, small=True)
        x, y = float(shift[0]), float(shift[1])
        axes.text(x - 0.95, y + 0.62, str(number), size=8, color=ink, weight="bold", ha="center")
        if viewer.record.facts["class_counts"][number]:
            axes.text(
                x, y - 1.16, f"{viewer.record.facts['class_counts'][number]:,} ×", size=7, color=soft, ha="center"
            )
        if now is not None and now["class"] == number:
            axes.add_patch(Rectangle((x - 1.03, y - 1.2), 2.06, 2.1, fill=False, edgecolor=look.CURRENT, linewidth=2))
    axes.set(xlim=(-1.1, 5.3), ylim=(-9.9, 1.0), aspect="equal", title="The 15 classes, and their cells")
    axes.axis("off")


def projected(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """Points of the unit cube as the picture has them: to the right, up, and towards the eye, shape (n, 3)."""
    yaw, pitch = math.radians(YAW), math.radians(PITCH)
    away = np.array([math.sin(yaw) * math.cos(pitch), math.sin(pitch), math.cos(yaw) * math.cos(pitch)])
    right = np.array([math.cos(yaw), 0, -math.sin(yaw)])
    up = np.array([-math.sin(yaw) * math.sin(pitch), math.cos(pitch), -math.cos(yaw) * math.sin(pitch)])
    centred = points - 0.5
    depth = centred @ away
    scale = DISTANCE / (DISTANCE - depth)
    return np.stack((centred @ right * scale, centred @ up * scale, depth), axis=1)


def draw_cube(
    axes: Axes,
    arrays: Any,
    state: int,
    fractions: dict[int, float] | None,
    *,
    shift: Float[np.ndarray, "2"] | None = None,
    small: bool = False,
) -> None:
    """A cell with its triangles, back to front; crossings in the middle of the edges unless fractions are given."""
    from matplotlib.patches import Polygon

    moved = np.zeros(2) if shift is None else shift
    spots = projected(_CORNERS)[:, :2] + moved
    edges, ink, soft = arrays["edges"], axes.title.get_color(), axes.xaxis.label.get_color()
    shown = _visible(arrays["cube_faces"])
    for a, b in edges:
        seen = any(a in face and b in face for face, see in zip(arrays["cube_faces"], shown, strict=True) if see)
        axes.plot(*spots[[a, b]].T, color=soft, linewidth=0.8, linestyle="-" if seen else ":", zorder=3 if seen else 1)
    triangles = arrays["state_triangles"][state, : arrays["state_count"][state]]
    at = {
        e: _CORNERS[a] + (0.5 if fractions is None else fractions[e]) * (_CORNERS[b] - _CORNERS[a])
        for e, (a, b) in enumerate(edges.tolist())
        if fractions is None or e in fractions
    }
    corners = [projected(np.array([at[int(e)] for e in triangle])) for triangle in triangles]
    for triangle in sorted(corners, key=lambda points: float(points[:, 2].mean())):
        axes.add_patch(
            Polygon(triangle[:, :2] + moved, facecolor=look.SKIN, alpha=0.88, edgecolor=ink,
                    linewidth=0.6 if small else 1.4, joinstyle="round", zorder=2)
        )  # fmt: skip
    _draw_corners(axes, spots, int(arrays["state_case"][state]), 14.0 if small else 60.0)


def _draw_corners(axes: Axes, spots: Float[np.ndarray, "8 2"], case: int, size: float) -> None:
    inside = np.array([case >> k & 1 for k in range(8)], dtype=bool)
    axes.scatter(spots[inside, 0], spots[inside, 1], s=size, color=look.INSIDE, zorder=5)
    axes.scatter(spots[~inside, 0], spots[~inside, 1], s=0.7 * size, facecolor=axes.figure.get_facecolor(),
                 edgecolor=look.OUTSIDE, linewidth=1.2 if size > 20 else 0.8, zorder=5)  # fmt: skip


def _visible(faces: Shaped[np.ndarray, "6 4"]) -> list[bool]:
    """Which faces of the cube are turned to the eye."""
    found = []
    for face in faces:
        a, b, c = projected(_CORNERS[face[:3]])[:, :2]
        found.append(bool((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) > 0))
    return found
