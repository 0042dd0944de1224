"""The picture of the viewer ``ray``: the slice, the field along the ray, and the table of methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from headviz.geometry.trace_history import Status
from headviz.viewers import look
from headviz.viewers.ray_search import METHODS, Search, profile
from headviz.viewers.ray_words import error_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from headviz.viewers.ray import RayViewer

_SPHERES = ("plain", "relaxed", "adaptive")  # methods whose steps follow the field


class _Theme:
    """Colours of the current style of matplotlib."""

    def __init__(self) -> None:
        import matplotlib as mpl
        from matplotlib.colors import to_rgb

        rules: Any = mpl.rcParams
        self.paper, self.ink, self.soft = rules["figure.facecolor"], rules["text.color"], rules["axes.labelcolor"]
        self.dark = sum(to_rgb(self.paper)) < 1.5
        self.surface = "#ffffff" if self.dark else "#000000"
        self.tint = 0.4 if self.dark else 0.55

    def grey(self, age: int, total: int) -> tuple[float, float, float]:
        """Of the k-th newest of the earlier steps, newest strongest; the oldest can still be seen on the colours."""
        part = age / max(total, 5)
        level = 0.85 - 0.35 * part if self.dark else 0.28 + 0.34 * part
        return level, level, level

    def halo(self, width: float) -> list[Any]:
        """Paper around a line of this width."""
        from matplotlib.patheffects import withStroke

        return [withStroke(linewidth=width + 1.8, foreground=self.paper)]


def draw_ray(viewer: RayViewer, figure: Figure) -> None:
    """Draw all three parts into an empty figure."""
    theme = _Theme()
    grid = figure.add_gridspec(2, 2, width_ratios=(1.25, 1), height_ratios=(1.25, 1))
    axes = figure.add_subplot(grid[:, 0])
    _draw_field(viewer, axes, theme)
    _draw_ray(viewer, axes, theme)
    _draw_profile(viewer, figure.add_subplot(grid[0, 1]), theme)
    _draw_table(viewer, figure.add_subplot(grid[1, 1]), theme)


def _draw_field(viewer: RayViewer, axes: Axes, theme: _Theme) -> None:
    """Colours, lines of round values with their numbers, and the surface."""
    from matplotlib.ticker import MaxNLocator

    from headviz.viewers.picture import colormap, equal_axes

    cut, iso = viewer.slice, viewer.iso
    left, low, right, high = cut.box
    du, dv = (cut.grid.spacing / 2).tolist()
    limit = cut.color_range
    image = axes.imshow(
        cut.grid.samples.T.numpy(), origin="lower", extent=(left - du, right + du, low - dv, high + dv), vmin=-limit,
        vmax=limit, cmap=colormap("signed"), alpha=theme.tint, interpolation="bilinear",
    )  # fmt: skip
    bar = axes.figure.colorbar(
        image, ax=axes, location="bottom", shrink=0.8, aspect=50, pad=0.02, extend="both", ticks=MaxNLocator(6)
    )
    bar.set_label("signed distance (m)", color=theme.soft)
    bar.outline.set_visible(False)
    for line in iso.lines():
        axes.plot(*line.T, color=theme.soft, linewidth=0.6, alpha=0.5)
    for line in iso.lines(0.0):
        axes.plot(*line.T, color=theme.surface, linewidth=1.6, path_effects=theme.halo(1.6))
    for level, u, v in iso.labels:
        text = look.number(float(level))
        axes.text(u, v, text, size=7, color=theme.soft, ha="center", va="center", path_effects=theme.halo(0.6))
    equal_axes(axes, cut.box, names=cut.axes)
    plane = cut.plane
    axes.set_title("Plane" if plane is None else f"Slice at {plane[0]} = {look.length(plane[1])}")


def _draw_ray(viewer: RayViewer, axes: Axes, theme: _Theme) -> None:
    """The ray, its looks up to the step, and what became of it."""
    cut, search, step = viewer.slice, viewer.search, viewer.state.step
    left, low, right, high = cut.box
    start, way = np.asarray(viewer.state.origin), np.asarray(viewer.settings.direction)
    size = max(right - left, high - low)
    axes.plot(*zip(start, start + 3 * size * way, strict=True), color=theme.soft, linewidth=0.9, dashes=(4, 4))
    if len(search.t):
        places = start + search.t[:, None] * way
        here = places[search.kept[step]]
        walked = tuple(zip(start, here, strict=True))
        axes.plot(*walked, color=theme.ink, linewidth=1.6, path_effects=theme.halo(1.6))
        if search.method in _SPHERES:
            _draw_circles(viewer, axes, theme, places)
        _draw_looks(search, step, axes, theme, places)
        _draw_end(viewer, axes, theme)
    tip = start + 0.13 * size * way
    arrow = {"arrowstyle": "-|>", "color": theme.ink, "linewidth": 1.8, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", xy=(tip[0], tip[1]), xytext=(start[0], start[1]), arrowprops=arrow)
    axes.plot(*start, "o", color=theme.ink, markeredgecolor=theme.paper, markersize=7)


def _draw_circles(viewer: RayViewer, axes: Axes, theme: _Theme, places: Float[np.ndarray, "k 2"]) -> None:
    """Safe circles: grey for earlier steps, vermilion now, dashed where a look led nowhere."""
    from matplotlib.patches import Circle

    search, step, bound = viewer.search, viewer.state.step, viewer.settings.bound

    def circle(look_: int, **style: Any) -> None:
        place, radius = places[look_], abs(float(search.distance[look_])) / bound
        axes.add_patch(Circle((float(place[0]), float(place[1])), radius, fill=False, **style))

    for s in range(step + 1):
        now = s == step
        for ghost in search.unused(s):
            circle(
                int(ghost), color=look.CURRENT if now else theme.grey(step, step), linewidth=0.9, linestyle=(0, (3, 3))
            )
        if not now:
            circle(int(search.kept[s]), color=theme.grey(step - 1 - s, step), linewidth=0.9)
    circle(int(search.kept[step]), color=look.CURRENT, linewidth=2.2, path_effects=theme.halo(2.2))


def _draw_looks(search: Search, step: int, axes: Axes, theme: _Theme, places: Float[np.ndarray, "k 2"]) -> None:
    """Dots for earlier looks, a ring for the current one, crosses for over-steps."""
    for s in range(step + 1):
        place = places[search.kept[s]]
        if search.overstep(s) is not None:
            _cross(axes, theme, place, "over-step" if s == step else "")
        elif s < step:
            axes.plot(*place, "o", color=theme.grey(step - 1 - s, step), markersize=3.2)
        else:
            ring: dict[str, Any] = {
                "color": look.CURRENT,
                "markersize": 8,
                "markeredgewidth": 2,
                "markerfacecolor": "none",
            }
            axes.plot(*place, "o", path_effects=theme.halo(1), **ring)


def _draw_end(viewer: RayViewer, axes: Axes, theme: _Theme) -> None:
    """In the last step: the hit, or the surface that was stepped over."""
    search, root = viewer.search, viewer.root
    if viewer.state.step < search.steps:
        return
    start, way = np.asarray(viewer.state.origin), np.asarray(viewer.settings.direction)
    if search.status == Status.HIT:
        axes.plot(*(start + search.hit * way), "o", color=look.HIT, markeredgecolor=theme.paper, markersize=8)
    elif search.status == Status.MISSED and root is not None:
        _cross(axes, theme, start + root * way, "stepped over")


def _cross(axes: Axes, theme: _Theme, place: Any, word: str) -> None:
    axes.plot(*place, "x", color=look.WRONG, markersize=8, markeredgewidth=2.4, path_effects=theme.halo(2.4))
    if word:
        axes.annotate(
            word, xy=(place[0], place[1]), xytext=(7, 5), textcoords="offset points", size=8, annotation_clip=True,
            path_effects=theme.halo(1),
        )  # fmt: skip


def _draw_profile(viewer: RayViewer, axes: Axes, theme: _Theme) -> None:
    """The field along the ray; from each look the line that falls as steeply as the bound allows."""
    search, step, bound, root = viewer.search, viewer.state.step, viewer.settings.bound, viewer.root
    axes.set(title="Field along the ray", xlabel="t (m)", ylabel="f (m)")
    curve = profile(viewer.slice.grid, viewer.settings)
    if not len(search.t) or not len(curve):
        axes.text(0.5, 0.5, "The ray does not meet the box.", ha="center", transform=axes.transAxes)
        return
    t, values = curve.T
    for part, color in ((values.clip(min=0), look.OUTSIDE), (values.clip(max=0), look.INSIDE)):
        axes.fill_between(t, part, color=color, alpha=0.5 * theme.tint, linewidth=0)
    axes.axhline(0, color=theme.surface, linewidth=0.9)
    axes.plot(t, values, color=theme.ink, linewidth=1.5)
    room = 0.08 * (max(0.0, values.max()) - min(0.0, values.min()) or 1.0)
    side = 0.02 * (t[-1] - t[0])
    axes.set(xlim=(t[0] - side, t[-1] + side), ylim=(min(0.0, values.min()) - room, max(0.0, values.max()) + room))
    if root is not None:
        axes.axvline(root, color=theme.surface, linewidth=0.9, linestyle=(0, (3, 3)))
        left = root > t[0] + 0.5 * (t[-1] - t[0])
        place: dict[str, Any] = {
            "xytext": (-5 if left else 5, -3),
            "textcoords": "offset points",
            "ha": "right" if left else "left",
        }
        axes.annotate(
            f"surface, t = {look.length(root)}", xy=(root, 1), xycoords=("data", "axes fraction"), va="top", size=8,
            color=theme.soft, path_effects=theme.halo(1), **place,
        )  # fmt: skip
    for s in range(step + 1):
        _draw_promise(search, s, step, axes, theme, bound)
    if step == search.steps and search.status == Status.HIT:
        axes.plot(search.hit, 0, "o", color=look.HIT, markeredgecolor=theme.paper, markersize=8, zorder=4)


def _draw_promise(search: Search, s: int, step: int, axes: Axes, theme: _Theme, bound: float) -> None:
    """One look: where the field may fall to 0 at the earliest."""
    now, t, value = s == step, float(search.t[search.kept[s]]), float(search.distance[search.kept[s]])
    color: Any = look.CURRENT if now else theme.grey(step - 1 - s, step)
    lands = t + value / bound if search.method in _SPHERES else t
    style: dict[str, Any] = {"path_effects": theme.halo(2)} if now else {}
    axes.plot([t, lands], [value, 0], color=color, linewidth=2 if now else 0.9, **style)
    if s > 0 and lands != t:
        axes.plot([t, t], [0, value], color=color, linewidth=0.8, linestyle=(0, (2, 3)))
    for ghost in search.unused(s):
        place = float(search.t[ghost]), float(search.distance[ghost])
        axes.plot(*place, "o", color=color, markerfacecolor="none", markersize=4)
    if search.overstep(s) is not None:
        _cross(axes, theme, (t, value), "over-step" if now else "")
    elif now:
        axes.plot(t, value, "o", color=color, markersize=7, markeredgewidth=2, markerfacecolor="none", zorder=3)
    else:
        axes.plot(t, value, "o", color=color, markersize=3.2)


def _draw_table(viewer: RayViewer, axes: Axes, theme: _Theme) -> None:
    """Steps, evaluations and error of every method; the chosen one marked."""
    from matplotlib.patches import Rectangle

    axes.set(xlim=(0, 1), ylim=(6.1, 0), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    columns = ((0.02, "left"), (0.36, "right"), (0.56, "right"), (0.76, "right"), (0.98, "right"))
    heads = ("method", "steps", "evaluations", "over-steps", "error")
    counts = ("steps", "evaluations", "oversteps")
    rows = [
        (METHODS[row["method"]], *(str(row[name]) for name in counts), outcome(row, viewer.root))
        for row in viewer.comparison
    ]  # fmt: skip
    for line, texts in enumerate([heads, *rows]):
        y = line + 0.55
        if line and list(METHODS)[line - 1] == viewer.state.method:
            axes.add_patch(Rectangle((0, line + 0.05), 1, 1, color=look.INSIDE, alpha=0.16, linewidth=0))
        axes.axhline(line + 1.05, color=theme.soft, linewidth=0.4, alpha=0.5)
        for (x, align), text in zip(columns, texts, strict=True):
            color = theme.soft if line == 0 else theme.ink
            axes.text(x, y, text, ha=align, va="center", size=8.5, color=color, parse_math=False)


def outcome(row: dict[str, Any], root: float | None) -> str:
    """The last column: the error, or why there is none."""
    if row["status"] == "out of steps":
        return "out of steps"
    if root is None:
        return "—" if row["status"] == "missed" else "no surface"
    return "missed it" if row["status"] == "missed" else error_words(row["error"])
