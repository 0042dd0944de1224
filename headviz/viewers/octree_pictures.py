"""Pictures of octrees: boxes around the surface, the cut, the tree, the methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int

from headviz.geometry.camera import Camera
from headviz.geometry.octree import Reason
from headviz.viewers import look
from headviz.viewers.octree import AXES, OctreeViewer
from headviz.viewers.picture import equal_axes
from headviz.viewers.slices import KEPT
from headviz.viewers.subdivision_pictures import (
    Squares,
    draw_errors,
    draw_lost,
    draw_squares,
    draw_table,
    draw_tree,
    ends_of,
)
from headviz.viewers.subdivision_record import DROPPED, REASONS
from headviz.viewers.surfaces import camera_of, place, surface_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_YAW, _PITCH = -44.0, 12.0
#: Per axis, which side of the plane is taken away.
_TAKEN = {"x": -1, "y": 1, "z": 1}
_EDGES = np.array([0, 1, 2, 3, 4, 5, 6, 7, 0, 2, 1, 3, 4, 6, 5, 7, 0, 4, 1, 5, 2, 6, 3, 7]).reshape(-1, 2)
_CORNERS = np.array([[k & 1, k >> 1 & 1, k >> 2 & 1] for k in range(8)])
_MOST_BOXES = 4_000


def draw_octree(figure: Figure, viewer: OctreeViewer) -> None:
    """Boxes in space beside the cut; below tree, graph and table."""
    grid = figure.add_gridspec(2, 1, height_ratios=(1.3, 1))
    above, below = grid[0].subgridspec(1, 2), grid[1].subgridspec(1, 3, width_ratios=(1, 0.9, 1.2))
    _draw_space(figure.add_subplot(above[0]), viewer)
    _draw_cut(figure.add_subplot(above[1]), viewer)
    draw_tree(figure.add_subplot(below[0]), viewer)
    draw_errors(figure.add_subplot(below[1]), viewer)
    draw_table(figure.add_subplot(below[2]), viewer)


def _draw_space(axes: Axes, viewer: OctreeViewer) -> None:
    """The kept half of surface and boxes, the section, and the other half of the surface as a ghost."""
    low = np.array(viewer.lattice["origin"])
    high = low + viewer.lattice["spacing"] * np.array(viewer.lattice["cells"])
    ends = np.where(_CORNERS, high, low)
    camera = camera_of(ends, yaw=_YAW, pitch=_PITCH)
    spots = place(camera, ends)
    (left, top), (right, bottom) = spots.min(axis=0) - 8, spots.max(axis=0) + 8
    axes.set(xlim=(left, right), ylim=(bottom, top), xticks=[], yticks=[], aspect="equal", title="The octree")
    axes.spines[:].set_visible(False)
    kept, ghost = _halves(viewer)
    _add_surface(axes, viewer, camera, kept, 1.0)
    if viewer.choice.step < len(viewer.levels):
        _add_boxes(axes, viewer, camera)
    if viewer.view.cut:
        _add_section(axes, viewer, camera)
        _add_surface(axes, viewer, camera, ghost, 0.35)
    _draw_lost_in_space(axes, viewer, camera)


def _halves(viewer: OctreeViewer) -> tuple[Int[np.ndarray, "k 3"], Int[np.ndarray, "l 3"]]:
    """Faces that are kept, and those that the plane takes away."""
    vertices, faces = viewer.surface()
    if not viewer.view.surface or not viewer.view.cut:
        return (faces if viewer.view.surface else faces[:0]), faces[:0]
    middle = vertices[faces][:, :, viewer.fixed].mean(axis=1)
    kept = (middle - viewer.view.position) * _TAKEN[viewer.view.axis] <= 0
    return faces[kept], faces[~kept]


def _add_surface(axes: Axes, viewer: OctreeViewer, camera: Camera, faces: Int[np.ndarray, "k 3"], alpha: float) -> None:
    """Shaded faces, nothing where there are none."""
    if not len(faces):
        return
    shaded = surface_picture(viewer.surface()[0], faces, camera, paper="#000000")
    there = (shaded.max(axis=2, keepdims=True) > 0) * np.uint8(round(255 * alpha))
    extent = (0, camera.width, camera.height, 0)
    limits = axes.get_xlim(), axes.get_ylim()
    picture = np.concatenate([shaded, there.astype(np.uint8)], axis=2)
    axes.imshow(picture, extent=extent, zorder=1 if alpha == 1 else 4, interpolation="antialiased")
    axes.set(xlim=limits[0], ylim=limits[1])


def _add_boxes(axes: Axes, viewer: OctreeViewer, camera: Camera) -> None:
    """Edges of the cells that are split on the level shown."""
    from matplotlib.collections import LineCollection

    for reason in (Reason.FORCED, Reason.NEAR, Reason.CROSSING):
        boxes = _boxes(viewer, reason)
        if not len(boxes) or not getattr(viewer.choice, REASONS[reason]):
            continue
        color = look.CURRENT if reason == Reason.CROSSING else axes.xaxis.label.get_color()
        corners = place(camera, boxes.reshape(-1, 3)).reshape(-1, 8, 2)[:, _EDGES].reshape(-1, 2, 2)
        axes.add_collection(LineCollection(list(corners), colors=color, linewidths=0.4, alpha=0.6, zorder=2))


def _add_section(axes: Axes, viewer: OctreeViewer, camera: Camera) -> None:
    """What the plane cuts: filled squares, those outside open, and the line of the surface."""
    import matplotlib as mpl
    from matplotlib.collections import LineCollection, PolyCollection

    paper = str(mpl.rcParams["figure.facecolor"])
    squares = _section_squares(viewer)
    flat = place(camera, _in_space(viewer, squares.boxes).reshape(-1, 3)).reshape(-1, 4, 2)
    for reason in reversed(Reason):
        chosen = squares.reasons == reason
        if not chosen.any() or not getattr(viewer.choice, REASONS[reason]):
            continue
        solid = chosen & (np.asarray(squares.inside) | (reason not in DROPPED))
        fill = look.CURRENT if reason == Reason.CROSSING else look.INSIDE if reason in DROPPED else paper
        edge = look.CURRENT if reason == Reason.CROSSING else look.MISSED
        for color, alpha in ((paper, 1.0), (fill, 0.2)):
            fills = PolyCollection(list(flat[solid]), facecolor=color, alpha=alpha, linewidth=0, zorder=3)
            axes.add_collection(fills)
        frames = PolyCollection(list(flat[chosen]), facecolor="none", edgecolor=edge, linewidth=0.7, zorder=3.5)
        axes.add_collection(frames)
    section = section_of(*viewer.surface(), viewer.fixed, viewer.view.position)
    if viewer.view.surface and len(section):
        lines = place(camera, section.reshape(-1, 3)).reshape(-1, 2, 2)
        axes.add_collection(LineCollection(list(lines), colors=axes.title.get_color(), linewidths=1.4, zorder=5))


def _draw_lost_in_space(axes: Axes, viewer: OctreeViewer, camera: Camera) -> None:
    gone = viewer.of("lost_level") <= viewer.level
    if not viewer.choice.lost or not gone.any():
        return
    spots = np.array(viewer.lattice["origin"]) + viewer.lattice["spacing"] * (viewer.of("lost")[gone] + 0.5)
    axes.plot(*place(camera, spots).T, "x", color=look.WRONG, markersize=3, markeredgewidth=1.0, zorder=6)
    numbers = viewer.numbers
    text = f"× lost: {look.count(numbers['lost'], 'cell')} in {look.count(numbers['lost_parts'], 'piece')}"
    axes.text(0.02, 0.98, text, transform=axes.transAxes, va="top", size=9)


def _boxes(viewer: OctreeViewer, reason: Reason) -> Float[np.ndarray, "n 8 3"]:
    """Corners of the boxes of the level shown that are kept; of very many, evenly chosen ones."""
    low, high = ends_of(viewer, viewer.level)
    chosen = viewer.on_level("reasons", viewer.level) == reason
    if viewer.view.cut:
        position, axis = viewer.view.position, viewer.fixed
        chosen &= high[:, axis] > position if _TAKEN[viewer.view.axis] < 0 else low[:, axis] < position
    low, high = low[chosen], high[chosen]
    step = max(1, -(-len(low) // _MOST_BOXES))
    boxes: Float[np.ndarray, "n 8 3"] = np.where(_CORNERS, high[::step, None], low[::step, None])
    return boxes


def _section_squares(viewer: OctreeViewer) -> Squares:
    """The squares where the plane cuts cells."""
    u, v = KEPT[viewer.view.axis]
    boxes, reasons, now, inside = [], [], [], []
    for level in range(viewer.level + 1):
        chosen: Bool[np.ndarray, " n"] = viewer.cut_on(level) & viewer.shown_on(level)
        low, high = (ends[chosen] for ends in ends_of(viewer, level))
        boxes.append(np.stack([low[:, u], low[:, v], high[:, u], high[:, v]], axis=1))
        reasons.append(viewer.on_level("reasons", level)[chosen])
        inside.append(viewer.on_level("inside", level)[chosen] > 0)
        now.append(np.full(int(chosen.sum()), level == viewer.level))
    return Squares(np.concatenate(boxes), np.concatenate(reasons), np.concatenate(now), np.concatenate(inside))


def _in_space(viewer: OctreeViewer, boxes: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "n 4 3"]:
    """Corners of squares of the cut, in space."""
    u, v = KEPT[viewer.view.axis]
    corners = np.full((len(boxes), 4, 3), viewer.view.position)
    corners[:, :, u] = boxes[:, [0, 2, 2, 0]]
    corners[:, :, v] = boxes[:, [1, 1, 3, 3]]
    return corners


def section_of(
    vertices: Float[np.ndarray, "n 3"], faces: Int[np.ndarray, "m 3"], axis: int, position: float
) -> Float[np.ndarray, "k 2 3"]:
    """Where a plane meets a mesh: both ends of each segment, metres."""
    corners = vertices[faces].astype(float)
    away = corners[..., axis] - position
    ends = []
    for k in range(3):
        a, b = away[:, k], away[:, (k + 1) % 3]
        with np.errstate(divide="ignore", invalid="ignore"):
            part = np.where((a >= 0) != (b >= 0), a / (a - b), np.nan)
        ends.append(corners[:, k] + part[:, None] * (corners[:, (k + 1) % 3] - corners[:, k]))
    stacked = np.stack(ends, axis=1) if len(faces) else np.zeros((0, 3, 3))
    crossed = ~np.isnan(stacked[..., 0])
    cut = crossed.sum(axis=1) == 2
    found: Float[np.ndarray, "k 2 3"] = stacked[cut][crossed[cut]].reshape(-1, 2, 3)
    return found


def _draw_cut(axes: Axes, viewer: OctreeViewer) -> None:
    """The cells that the plane passes, and the surface there."""
    from matplotlib.collections import LineCollection

    done = viewer.choice.step >= len(viewer.levels)
    draw_squares(axes, _section_squares(viewer), viewer, calm=done)
    u, v = KEPT[viewer.view.axis]
    section = section_of(*viewer.surface(), viewer.fixed, viewer.view.position)[:, :, [u, v]]
    if viewer.view.surface and len(section):
        style = {"linewidths": 1.8} if done else {"linewidths": 0.8, "alpha": 0.5}
        axes.add_collection(LineCollection(list(section), colors=axes.title.get_color(), **style))
    low = np.array(viewer.lattice["origin"])
    high = low + viewer.lattice["spacing"] * np.array(viewer.lattice["cells"])
    gone = (viewer.of("lost_level") <= viewer.level) & (np.floor(viewer.plane) == viewer.of("lost")[:, viewer.fixed])
    if viewer.choice.lost and gone.any():
        spots = (low + viewer.lattice["spacing"] * (viewer.of("lost") + 0.5))[gone][:, [u, v]]
        parts = viewer.of("lost_part")[gone]
        draw_lost(axes, {int(part): spots[parts == part] for part in np.unique(parts)}, viewer.lattice["spacing"])
    equal_axes(axes, (low[u], low[v], high[u], high[v]), names=(AXES[u], AXES[v]))
    axes.locator_params(nbins=6)
    axes.set_title(f"The cut at {viewer.view.axis} = {look.length(viewer.view.position)}")
