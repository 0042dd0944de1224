"""The picture of a traced picture: a map beside the scene with one ray, by matplotlib."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from jaxtyping import Float, Shaped, UInt8

from headviz.geometry.camera import Camera
from headviz.geometry.trace_history import Status
from headviz.viewers import look
from headviz.viewers.record import Record
from headviz.viewers.surfaces import camera_of, place, show_picture, surface_picture
from headviz.viewers.trace_record import camera_of as tracing_camera

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from headviz.viewers.trace import TraceViewer

#: Opacity of a translucent surface.
CLEAR = 0.4
#: The lit surface as the scene shows it, per record and colour of the paper: it is the same at every step.
_LIT: WeakKeyDictionary[Record, dict[str, UInt8[np.ndarray, "h w 3"]]] = WeakKeyDictionary()


def draw(viewer: TraceViewer, figure: Figure) -> None:
    """The map and the scene, side by side."""
    left, right = figure.subplots(1, 2, width_ratios=(1.0, 1.05))
    for axes in (left, right):
        axes.set_anchor("N")  # so that the titles are on one line
    _draw_map(viewer, figure, left)
    _draw_scene(viewer, right)


def pixels(viewer: TraceViewer) -> UInt8[np.ndarray, "h w 4"]:
    """The map that the state names, sRGB with opacity; clear where there is nothing to show."""
    arrays, facts, state = viewer.record.arrays, viewer.record.facts, _state(viewer)
    status = arrays["status"]
    hit = status == Status.HIT
    if state.map in ("shaded", "normals"):
        normals = np.rint(127.5 + arrays["normal"] * (127.5 / 127)) if state.map == "normals" else arrays["shaded"]
        return _opaque(normals.astype(np.uint8), hit)
    if state.map == "status":
        made = _flat(status.shape, look.HIT, hit)
        made[status == Status.OUT_OF_STEPS] = _rgba(look.WRONG)
        return made
    if state.map == "known":
        return _known(viewer)
    values, (low, high), there = {
        "steps": (arrays["steps"], (1, facts["most_steps"]), arrays["steps"] > 0),
        "depth": (arrays["depth"], ranged(arrays["depth"]), hit),
        "thickness": (thickness(viewer), (0.0, ranged(thickness(viewer))[1]), hit),
    }[state.map]
    part = (np.where(there, values, low).astype(np.float64) - low) / ((high - low) or 1)
    made = _opaque(_colors(part), there)
    made[there & np.isnan(part)] = _rgba(look.WRONG)
    return made


def _known(viewer: TraceViewer) -> UInt8[np.ndarray, "h w 4"]:
    """Hits lit, misses clear, and rays that still march in the colour of the distance that they have just found."""
    arrays, facts, state = viewer.record.arrays, viewer.record.facts, _state(viewer)
    status, last = arrays["status"], arrays["last"]
    done = last <= state.step
    hit = done & (status == Status.HIT)
    made = _opaque(arrays["shaded"], hit) if "shaded" in arrays else _flat(status.shape, look.SKIN, hit)
    made[done & (status == Status.OUT_OF_STEPS)] = _rgba(look.WRONG)
    if state.step >= len(arrays["look"]):
        return made
    now = slice(int(arrays["offsets"][state.step]), int(arrays["offsets"][state.step + 1]))
    low, high = (math.log(value) for value in facts["distances"])
    with np.errstate(divide="ignore"):
        part = (np.log(np.abs(arrays["distance"][now].astype(np.float64))) - low) / (high - low)
    every, width = facts["every"], status.shape[1]
    row, column = np.divmod(arrays["index"][now].astype(np.int64), width)
    colors = _opaque(_colors(part), np.ones(len(part), dtype=bool))
    for down in range(every):  # a ray stands for all pixels up to the next ray that is kept
        for right in range(every):
            y, x = np.minimum(row + down, status.shape[0] - 1), np.minimum(column + right, width - 1)
            marching = ~done[y, x]
            made[y[marching], x[marching]] = colors[marching]
    return made


def thickness(viewer: TraceViewer) -> Float[np.ndarray, "h w"]:
    """Front to back along each ray, metres; NaN without a hit."""
    arrays, camera = viewer.record.arrays, viewer.record.facts["camera"]
    rows, columns = np.indices(arrays["depth"].shape)
    x = (columns + 0.5 - camera["center"][0]) / camera["focal"]
    y = (rows + 0.5 - camera["center"][1]) / camera["focal"]
    with np.errstate(invalid="ignore"):
        apart: Float[np.ndarray, "h w"] = (arrays["back"].astype(np.float64) - arrays["depth"]) * np.sqrt(
            x**2 + y**2 + 1
        )
    return apart


def ranged(values: Shaped[np.ndarray, "h w"]) -> tuple[float, float]:
    """The least and the greatest finite value; 0 and 0 without one."""
    some = values[np.isfinite(values)]
    return (float(some.min()), float(some.max())) if some.size else (0.0, 0.0)


def _state(viewer: TraceViewer) -> Any:
    return viewer.state


def _rgba(color: str) -> tuple[int, int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16), 255


def _colors(part: Float[np.ndarray, "..."]) -> UInt8[np.ndarray, "... 3"]:
    """The sequential scale at values from 0 to 1."""
    code = np.rint(255 * np.clip(np.nan_to_num(part), 0, 1)).astype(np.int64)
    colors: UInt8[np.ndarray, "... 3"] = look.sequential()[code]
    return colors


def _opaque(colors: Shaped[np.ndarray, "... 3"], there: Shaped[np.ndarray, "..."]) -> UInt8[np.ndarray, "... 4"]:
    made = np.concatenate([colors, np.full((*colors.shape[:-1], 1), 255, dtype=np.uint8)], axis=-1)
    made[~there] = 0
    return made


def _flat(size: tuple[int, ...], color: str, there: Shaped[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 4"]:
    made = np.zeros((*size, 4), dtype=np.uint8)
    made[there] = _rgba(color)
    return made


def _draw_map(viewer: TraceViewer, figure: Figure, axes: Axes) -> None:
    from matplotlib.patches import Rectangle

    made = pixels(viewer)
    height, width = made.shape[:2]
    axes.add_patch(
        Rectangle(
            (0, 0), width, height, hatch="////", fill=False, linewidth=0, edgecolor=look.MISSED, alpha=0.35, zorder=-1
        )
    )
    axes.imshow(made, extent=(0, width, height, 0), interpolation="nearest")
    column, row = viewer.pixel
    x, y, size = column + 0.5, row + 0.5, max(width, height)
    ink = axes.xaxis.label.get_color()
    for side in (-1, 1):
        axes.plot([x + side * 0.022 * size, x + side * 0.055 * size], [y, y], color=ink, linewidth=1.2)
        axes.plot([x, x], [y + side * 0.022 * size, y + side * 0.055 * size], color=ink, linewidth=1.2)
    axes.plot([x], [y], "o", markersize=8, markerfacecolor="none", markeredgecolor=look.CURRENT, markeredgewidth=2)
    _mark_cursor(viewer, axes, tracing_camera(viewer.record.facts["camera"]))
    axes.set(xlim=(0, width), ylim=(height, 0), xlabel="column (pixels)", ylabel="row (pixels)", title=_title(viewer))
    axes.spines[:].set_visible(True)
    _explain(viewer, figure, axes)


def _title(viewer: TraceViewer) -> str:
    state = _state(viewer)
    names = {"shaded": "lit", "steps": "looks of each ray", "depth": "depth of the hits",
             "normals": "normals", "thickness": "thickness along the rays", "status": "how the rays ended"}  # fmt: skip
    return str(names.get(state.map, f"known after step {state.step}"))


def _mark_cursor(viewer: TraceViewer, axes: Axes, camera: Camera) -> None:
    """A ring where linked viewers point."""
    if viewer.state.cursor is None:
        return
    spot = camera.project(torch.tensor([viewer.state.cursor], dtype=camera.rotation.dtype))[0].tolist()
    axes.plot(*spot, "o", markersize=6, markerfacecolor="none", markeredgecolor=look.CURRENT, markeredgewidth=1.5)


def _explain(viewer: TraceViewer, figure: Figure, axes: Axes) -> None:
    """A colour bar where numbers are shown, else a legend."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm, Normalize
    from matplotlib.patches import Patch

    from headviz.viewers.picture import colormap

    facts, state = viewer.record.facts, _state(viewer)
    lost = [Patch(color=look.WRONG, label="out of steps")] if facts["status"]["out_of_steps"] else []
    none = Patch(facecolor="none", edgecolor=look.MISSED, hatch="////", linewidth=0.5, label="missed")
    lit = Patch(color=look.SKIN, label="hit: lit")
    legends: dict[str, list[Patch]] = {
        "known": [lit, none, *lost], "shaded": [lit, none], "normals": [
            Patch(color=color, label=text) for color, text in
            (("#ff8080", "+x: its own left"), ("#80ff80", "+y: up"), ("#8080ff", "+z: ahead"))],
        "status": [Patch(color=look.HIT, label="hit"), none, *lost],
    }  # fmt: skip
    if state.map in legends:
        axes.legend(handles=legends[state.map], loc="upper left", bbox_to_anchor=(0.0, -0.13), ncols=3, borderaxespad=0)
    bars: dict[str, tuple[Normalize, str]] = {
        "known": (LogNorm(*facts["distances"]), "still marching: distance (m)"),
        "steps": (Normalize(1, facts["most_steps"]), "looks; the last colour: as many or more"),
        "depth": (Normalize(*ranged(viewer.record.arrays["depth"])), "depth (m)"),
    }
    if state.map == "thickness":
        bars["thickness"] = (Normalize(0, ranged(thickness(viewer))[1]), "front to back (m)")
    if state.map in bars:
        norm, label = bars[state.map]
        bar: Any = figure.colorbar(
            ScalarMappable(norm, colormap("sequential")),
            ax=axes,
            shrink=0.8,
            pad=0.02,
            anchor=(0, 1),
            panchor=(0, 1),
            label=label,
        )
        bar.outline.set_visible(False)


def _draw_scene(viewer: TraceViewer, axes: Axes) -> None:
    """The surface, the pane with the picture, and the ray with its safe spheres."""
    record, facts, state = viewer.record, viewer.record.facts, _state(viewer)
    low, high = np.array(facts["bounds"])
    corners = np.array([[(low, high)[k >> axis & 1][axis] for axis in range(3)] for k in range(8)])
    eye, shadow = tracing_camera(facts["camera"]), _on_pane(facts, corners)
    yaw, pitch = facts["view"]
    camera = camera_of(np.concatenate([corners, shadow]), yaw=yaw, pitch=pitch)
    show_picture(axes, _lit(record, camera, visible=state.surface != "none"))
    axes.images[0].set_alpha(CLEAR if state.surface == "clear" else 1.0)
    axes.set_title("the ray in space")
    soft = axes.xaxis.label.get_color()
    pane = _unprojected(
        eye, np.array([[0, 0], [eye.width, 0], [eye.width, eye.height], [0, eye.height]]), facts["plane"]
    )
    spots = place(camera, pane)
    _draw_pane(axes, pixels(viewer), spots)
    for one, other in zip(spots, np.roll(spots, -1, axis=0), strict=True):
        axes.plot(*np.stack([one, other], axis=1), color=soft, linewidth=0.8, zorder=3)
    apex = place(camera, np.array([facts["camera"]["position"]]))[0]
    for spot in spots:
        axes.plot(*np.stack([apex, spot], axis=1), color=soft, linewidth=0.5, zorder=3)
    _draw_ray(viewer, axes, camera, apex)
    axes.set(xlim=(0, camera.width), ylim=(camera.height, 0))


def _on_pane(facts: Any, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """Where points are seen on the pane in front of the camera."""
    eye = tracing_camera(facts["camera"])
    spots = eye.project(torch.as_tensor(points)).numpy()
    return _unprojected(eye, np.clip(spots, 0, [eye.width, eye.height]), facts["plane"])


def _unprojected(camera: Camera, spots: Shaped[np.ndarray, "n 2"], depth: float) -> Float[np.ndarray, "n 3"]:
    """Points at a depth that are seen at these pixels."""
    away = (spots - camera.center.numpy()) / camera.focal
    rays = np.stack([away[:, 0], -away[:, 1], -np.ones(len(away))], axis=1) @ camera.rotation.numpy()
    points: Float[np.ndarray, "n 3"] = camera.position.numpy() + depth * rays
    return points


def _lit(record: Record, camera: Camera, *, visible: bool) -> UInt8[np.ndarray, "h w 3"]:
    import matplotlib as mpl

    paper = str(mpl.rcParams["figure.facecolor"])
    vertices, faces = record.arrays["vertices"], record.arrays["faces"]
    if not visible or not len(faces):
        made = np.empty((camera.height, camera.width, 3), dtype=np.uint8)
        made[:] = _rgba(paper)[:3]
        return made
    kept = _LIT.setdefault(record, {})
    if paper not in kept:
        kept[paper] = surface_picture(vertices.astype(np.float32), faces, camera, paper=paper)
    return kept[paper]


def _draw_pane(axes: Axes, made: UInt8[np.ndarray, "h w 4"], spots: Shaped[np.ndarray, "4 2"]) -> None:
    """The picture on its pane, without the slight perspective inside it."""
    from matplotlib.transforms import Affine2D

    origin, right, _, down = spots
    across, along = right - origin, down - origin
    matrix = np.array([[across[0], along[0], origin[0]], [across[1], along[1], origin[1]], [0, 0, 1]])
    axes.imshow(
        made, extent=(0, 1, 1, 0), transform=Affine2D(matrix) + axes.transData, interpolation="nearest", zorder=2
    )


def _draw_ray(viewer: TraceViewer, axes: Axes, camera: Camera, apex: Shaped[np.ndarray, "2"]) -> None:
    from matplotlib.patches import Circle

    numbers, looks, facts = viewer.numbers, viewer.looks(), viewer.record.facts
    own = -1 if numbers["look"] is None else numbers["look"]
    if own < 0:
        return
    ink, soft = str(axes.title.get_color()), str(axes.xaxis.label.get_color())
    spots = place(camera, looks.positions)
    axes.plot(*np.stack([apex, spots[0]], axis=1), color=soft, linewidth=0.8, zorder=4)
    axes.plot(*spots[own:].T, color=soft, linewidth=0.8, linestyle=":", zorder=4)
    axes.plot(*spots[: own + 1].T, color=ink, linewidth=1.6, zorder=5)
    for k in range(own + 1):
        radius = looks.distance[k] / facts["lipschitz"]
        if radius <= 0 or (looks.undone[k] and k < own):
            continue
        away = float(np.linalg.norm(camera.position.numpy() - looks.positions[k]))
        color, width = (look.CURRENT, 1.8) if k == own else (look.MISSED, 0.9)
        seen = camera.focal * radius / max(away, 1e-12)
        axes.add_patch(Circle(spots[k], seen, facecolor=color, alpha=0.15, zorder=5))
        axes.add_patch(Circle(spots[k], seen, fill=False, edgecolor=color, linewidth=width, zorder=6))
    axes.plot(*spots[:own].T, ".", color=soft, markersize=3, zorder=7)
    axes.plot(*spots[own], ".", color=look.CURRENT, markersize=8, zorder=8)
    _draw_ends(viewer, axes, camera)
    if numbers["overstepped"]:
        axes.plot(*spots[own], "x", color=look.WRONG, markersize=9, markeredgewidth=2.5, zorder=9)
        axes.annotate("over-step", spots[own], (8, 8), textcoords="offset points", color=ink, zorder=9)


def _draw_ends(viewer: TraceViewer, axes: Axes, camera: Camera) -> None:
    """The hit, and where the ray leaves for good."""
    numbers, state, direction = viewer.numbers, _state(viewer), viewer.direction()
    if numbers["ended"] != "hit":
        return
    ahead = direction / np.linalg.norm(direction)
    ends = [numbers["hit_at"]]
    if state.show_back and numbers["thickness"] is not None:
        ends.append(numbers["hit_at"] + numbers["thickness"])
    points = np.array(viewer.record.facts["camera"]["position"]) + np.array(ends)[:, None] * ahead
    spots = place(camera, points)
    axes.plot(*spots.T, color=look.HIT, linewidth=1.2, linestyle="--", zorder=8)
    axes.plot(*spots.T, "o", color=look.HIT, markersize=6, zorder=9)
