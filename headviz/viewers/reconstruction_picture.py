"""The picture of a reconstruction: photograph, head, and slice through its distance, for matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Shaped, UInt8

from headviz.geometry.color import srgb_to_linear, to_uint8
from headviz.geometry.mesh import Mesh, vertex_normals
from headviz.render.colormap import viridis
from headviz.render.light import headlight
from headviz.render.shade import render
from headviz.viewers import look
from headviz.viewers.picture import colormap, equal_axes, hexadecimal
from headviz.viewers.reconstruction_record import moved_vertices, unjpeg
from headviz.viewers.surfaces import camera_of, place, scale_bar, show_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from headviz.viewers.reconstruction import ReconstructionViewer

YAW, PITCH = 28.0, 12.0  #: degrees, as the page's first view
LINE = 0.02  #: metres between two lines of equal distance
#: Axes of a slice across each axis, first the one to the right.
ACROSS = {"x": ("z", "y"), "y": ("x", "z"), "z": ("x", "y")}


def draw(viewer: ReconstructionViewer, figure: Figure) -> None:
    """Three panels; those that the stage does not know yet say so."""
    panels = 3 if viewer.grid is not None else 2
    photograph, head, *rest = (figure.add_subplot(1, panels, k + 1) for k in range(panels))
    for axes in (photograph, head, *rest):
        axes.set_anchor("N")  # so that the titles are in line
    _draw_photograph(viewer, photograph)
    _draw_head(viewer, head)
    if rest and viewer.stage == "distance":
        _draw_slice(viewer, rest[0], figure)
    elif rest and viewer.stage in ("texture", "head") and "texture" in viewer.record.arrays:
        show_picture(rest[0], unjpeg(viewer.record.arrays["texture"]))
        rest[0].set_title("Skin, unrolled")
    elif rest:
        _draw_times(viewer, rest[0])


def _draw_times(viewer: ReconstructionViewer, axes: Axes) -> None:
    """Seconds of each stage."""
    timings = [(str(name), float(seconds)) for name, seconds in viewer.record.facts["timings"]]
    if not timings:
        axes.set_axis_off()
        return
    rows = [*timings, ("in all", sum(seconds for _, seconds in timings))]
    colors = [look.INSIDE] * len(timings) + [look.SOFT]
    bars = axes.barh([name for name, _ in rows], [seconds for _, seconds in rows], color=colors, height=0.6)
    axes.bar_label(bars, [f" {look.number(seconds, 2)} s" for _, seconds in rows], fontsize=9)
    axes.set(xlabel="time (s)", xlim=(0, 1.2 * rows[-1][1]), box_aspect=0.6)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.set_title("Time of each stage")


def _draw_photograph(viewer: ReconstructionViewer, axes: Axes) -> None:
    facts, arrays, stage = viewer.record.facts, viewer.record.arrays, viewer.stage
    width, height = facts["size"]
    fitted = stage not in ("photograph", "face", "landmarks")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.imshow(unjpeg(arrays["photograph"]), extent=(0, width, height, 0))
    if stage not in ("photograph", "face"):
        _draw_window(axes, unjpeg(arrays["window"]), facts)
    if fitted:
        _draw_window(axes, unjpeg(arrays["overlay"]), facts, alpha=viewer.choice.opacity)
    box = view_box(facts, stage)
    axes.set(xlim=(box[0], box[2]), ylim=(box[3], box[1]), aspect="equal")
    if stage == "face":
        x0, y0, x1, y1 = facts["face"]
        axes.plot([x0, x1, x1, x0, x0], [y0, y0, y1, y1, y0], color=look.CURRENT, linewidth=2)
    if viewer.choice.landmarks and "landmarks" in arrays and stage in ("landmarks", "fit"):
        _draw_landmarks(axes, arrays, with_fit=stage == "fit")
    axes.set_title("Photograph, the fitted head over it" if fitted else "Photograph")


def _draw_window(axes: Axes, picture: UInt8[np.ndarray, "s s 3"], facts: Any, *, alpha: float = 1.0) -> None:
    """The part around the head, where it lies on the photograph: it may reach farther than that."""
    width, height = facts["size"]
    left, top, right, bottom = facts["window"]
    pixel = (right - left) / picture.shape[1]
    first = [max(0, round((0 - start) / pixel)) for start in (left, top)]
    last = [
        round((min(end, size) - start) / pixel) for end, size, start in ((right, width, left), (bottom, height, top))
    ]
    kept = picture[first[1] : last[1], first[0] : last[0]]
    extent = (left + first[0] * pixel, left + last[0] * pixel, top + last[1] * pixel, top + first[1] * pixel)
    axes.imshow(kept, extent=extent, alpha=alpha)


def view_box(facts: Any, stage: str) -> tuple[float, float, float, float]:
    """What of the photograph is shown: left, top, right, bottom in its pixels; the same rule as the page's."""
    width, height = facts["size"]
    if stage in ("photograph", "face"):
        return 0.0, 0.0, float(width), float(height)
    if stage in ("landmarks", "fit") and facts["face"] is not None:
        x0, y0, x1, y1 = facts["face"]
        half = 0.65 * max(x1 - x0, y1 - y0)
        x, y = (x0 + x1) / 2, (y0 + y1) / 2
        return x - half, y - half, x + half, y + half
    left, top, right, bottom = facts["window"]
    return left, top, right, bottom


def _draw_landmarks(axes: Axes, arrays: Any, *, with_fit: bool) -> None:
    seen = arrays["landmarks"]
    for a, b in arrays.get("outlines", ()):
        axes.plot(*seen[[a, b]].T, color="white", linewidth=0.6)
    if with_fit and "landmarks_fitted" in arrays:
        fitted = arrays["landmarks_fitted"]
        for one, other in zip(seen, fitted, strict=True):
            axes.plot(*np.stack([one, other]).T, color="white", linewidth=0.5)
        axes.plot(*fitted.T, ".", color=look.HIT, markersize=3, label="the head's own points")
    axes.plot(*seen.T, ".", color=look.CURRENT, markersize=2.2, label="landmarks in the photograph")
    if "outlying" in arrays and arrays["outlying"].any():
        axes.plot(*seen[arrays["outlying"] > 0].T, "x", color=look.WRONG, markersize=5, label="outlying")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 0), ncols=1, fontsize=7, borderaxespad=0.2)


def _draw_head(viewer: ReconstructionViewer, axes: Axes) -> None:
    import matplotlib as mpl

    arrays, known = viewer.record.arrays, viewer.stage not in ("photograph", "face", "landmarks")
    if not known and "average" not in arrays:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "The head comes with the fit.", ha="center", transform=axes.transAxes)
        return
    points = posed(viewer) if known else arrays["average"].astype(np.float64)
    mesh = _painted_mesh(viewer, points, surface_of(viewer))
    camera = camera_of(points.astype(np.float32), yaw=YAW, pitch=PITCH)
    paper = torch.tensor(hexadecimal(str(mpl.rcParams["figure.facecolor"])), dtype=torch.float32)
    light = None if mesh.texture is not None else headlight()
    show_picture(axes, to_uint8(render(mesh, camera, light=light, background=paper).picture))
    scale_bar(axes, points.astype(np.float32), camera)
    spots = place(camera, points)
    left, top = spots.min(axis=0) - 30
    right, bottom = spots.max(axis=0) + 30
    axes.set(xlim=(min(left, 0.02 * camera.width), right), ylim=(max(bottom, camera.height), top))
    cursor = viewer.state.cursor
    if cursor is not None:
        spot = place(camera, np.array([cursor]))[0]
        axes.plot(*spot, "o", markersize=9, markerfacecolor="none", markeredgecolor=look.CURRENT, markeredgewidth=2)
    axes.set_title("The head, fitted" if known else "The average head: nothing is known yet")


def posed(viewer: ReconstructionViewer) -> Float[np.ndarray, "n 3"]:
    """The vertices with the expression, metres, shape (n, 3)."""
    found: Float[np.ndarray, "n 3"] = viewer.record.arrays["vertices"] + moved_vertices(viewer.record, viewer.weights)
    return found


def surface_of(viewer: ReconstructionViewer) -> str:
    """How the head is painted now; the same rule as the page's."""
    chosen = viewer.choice.surface
    if chosen == "auto":
        chosen = "plain" if viewer.stage in ("photograph", "face", "landmarks", "fit") else "texture"
    if chosen in ("texture", "confidence") and (chosen not in viewer.record.arrays or "uv" not in viewer.record.arrays):
        return "plain"
    return chosen


def _painted_mesh(viewer: ReconstructionViewer, points: Float[np.ndarray, "n 3"], surface: str) -> Mesh:
    arrays = viewer.record.arrays
    vertices = torch.as_tensor(points.astype(np.float32))[torch.as_tensor(arrays["source"].astype(np.int64))]
    faces = torch.as_tensor(arrays["faces"].astype(np.int64))
    whole = torch.as_tensor(_unsplit(arrays).astype(np.int64))
    source = torch.as_tensor(arrays["source"].astype(np.int64))
    normals = vertex_normals(torch.as_tensor(points.astype(np.float32)), whole)[source]
    uv = torch.as_tensor(arrays["uv"]) if "uv" in arrays else None
    if surface == "texture":
        sheet = srgb_to_linear(torch.as_tensor(unjpeg(arrays["texture"]).astype(np.float32) / 255))
        return Mesh(vertices, faces, uv, texture=sheet, normals=normals)
    if surface == "confidence":
        sheet = viridis(torch.as_tensor(arrays["confidence"].astype(np.float32) / 255))
        return Mesh(vertices, faces, uv, texture=sheet, normals=normals)
    return Mesh(vertices, faces, normals=normals)


def _unsplit(arrays: Any) -> Shaped[np.ndarray, "m 3"]:
    found: Shaped[np.ndarray, "m 3"] = arrays["source"][arrays["faces"]]
    return found


def _draw_slice(viewer: ReconstructionViewer, axes: Axes, figure: Figure) -> None:
    assert viewer.grid is not None
    names = ACROSS[viewer.choice.axis]
    values = viewer.slice()
    if names == ("z", "y"):
        values = values.T  # samples run along y, then z
    kept = ["xyz".index(name) for name in names]
    low, high = viewer.grid.bounds.numpy()
    box = (low[kept[0]], low[kept[1]], high[kept[0]], high[kept[1]])
    reach = viewer.record.facts["field"]["reach"]
    extent = (box[0], box[2], box[1], box[3])
    image = axes.imshow(
        values.T,
        origin="lower",
        extent=extent,
        cmap=colormap("signed"),
        vmin=-reach,
        vmax=reach,
        interpolation="bilinear",
    )
    columns = [np.linspace(low[k], high[k], size) for k, size in zip(kept, values.shape, strict=True)]
    levels = LINE * np.arange(np.ceil(values.min() / LINE), np.floor(values.max() / LINE) + 1)
    if viewer.choice.lines:
        axes.contour(
            *columns, values.T, levels=levels[levels != 0], colors=look.SOFT, linewidths=0.5, linestyles="solid"
        )
    if values.min() < 0 < values.max():
        axes.contour(*columns, values.T, levels=[0.0], colors=["black"], linewidths=2)
    cursor = viewer.state.cursor
    if cursor is not None:
        spot = [cursor[k] for k in kept]
        axes.plot(*spot, "o", markersize=9, markerfacecolor="none", markeredgecolor=look.CURRENT, markeredgewidth=2)
    equal_axes(axes, (float(box[0]), float(box[1]), float(box[2]), float(box[3])), names=names)
    axes.set_title(f"Slice {viewer.choice.axis} = {look.length(viewer.choice.position)}")
    figure.colorbar(image, ax=axes, label="signed distance (m)", shrink=0.8)
