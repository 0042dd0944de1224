"""How the time of a step grows with pixels and with faces: measured, fitted, drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from measure import Row, row
from render_peer import Peer
from render_scene import head_with, in_turns, saved, seen_from, training_step

SIZES = (64, 128, 256, 512, 1024)
FACTORS = (1 / 16, 1 / 4, 1, 4, 16)  #: of the packaged head's 8,944 faces
MIDDLE = 8944  #: faces of the packaged head
PEER = ((64, 1), (128, 1), (256, 1), (128, 1 / 16), (128, 1 / 4))  #: sizes and factors that PyTorch3D is asked for


@dataclass(frozen=True)
class Point:
    """A measured step.

    Attributes:
        size: of the square picture, pixels.
        faces: of the mesh.
        ms: of forward and backward.
        ours: or PyTorch3D's.
    """

    size: int
    faces: int
    ms: float
    ours: bool = True


@dataclass(frozen=True)
class Fit:
    """time ≈ fixed + per_pixel · pixels + per_face · faces + per_pair · pixels · faces, in milliseconds.

    The last is the soft mask's: its margin is a share of the picture, where a finer mesh has more faces.

    Attributes:
        fixed, per_pixel, per_face, per_pair: the coefficients.
        off: the largest relative deviation of a measured time.
    """

    fixed: float
    per_pixel: float
    per_face: float
    per_pair: float
    off: float

    def at(self, pixels: np.ndarray | float, faces: np.ndarray | float) -> np.ndarray:
        pixels, faces = np.asarray(pixels), np.asarray(faces)
        return self.fixed + self.per_pixel * pixels + self.per_face * faces + self.per_pair * pixels * faces


def measure(peer: Peer | None, folder: Path, turns: int) -> list[Point]:
    """Steps of ours over sizes and over faces, and at corners; and PyTorch3D's where that takes seconds at most."""
    scenes = {factor: head_with(factor) for factor in FACTORS}
    wanted = {(size, 1.0) for size in SIZES} | {(256, factor) for factor in FACTORS}
    wanted |= {(size, factor) for size in (64, 1024) for factor in (1 / 16, 16)} | {(512, 4)}
    steps = {key: training_step(scenes[key[1]], key[0]) for key in sorted(wanted)}
    asked: dict[tuple[int, float], Callable[[], float]] = {}
    if peer is not None:
        for size, factor in PEER:
            file = saved(scenes[factor], folder, f"head {factor}")
            request = {"task": "soft phong", "scene": file, **seen_from(size)}
            asked[size, factor] = lambda request=request: peer.seconds(**request)
    points = []
    for times, ours in ((in_turns(steps, turns), True), (in_turns({}, 2, asked), False)):
        points += [Point(key[0], len(scenes[key[1]].faces), 1e3 * found.calm, ours) for key, found in times.items()]
    return points


def fitted(points: list[Point]) -> Fit:
    """Least squares of the relative deviations, without negative coefficients."""
    from scipy.optimize import nnls

    pixels, faces, ms = np.array([(p.size**2, p.faces, p.ms) for p in points]).T
    scales = np.array([1.0, 1e6, 1e5, 1e11])  # so that coefficients are of one order
    terms = np.stack([np.ones_like(ms), pixels, faces, pixels * faces], axis=1) / scales
    found, _ = nnls(terms / ms[:, None], np.ones_like(ms))
    off = float(np.abs(terms @ found / ms - 1).max())
    return Fit(*(float(value) for value in found / scales), off)


def slope(points: list[Point], over: Callable[[Point], float]) -> float:
    """Exponent of a power law."""
    return float(np.polyfit(np.log([over(p) for p in points]), np.log([p.ms for p in points]), 1)[0])


def growth_rows(peer: Peer | None, folder: Path, turns: int) -> tuple[list[Row], list[Point]]:
    """Every measured time, the fit, and exponents at the large end; and the points for a drawing."""
    points = measure(peer, folder, turns)
    ours = [p for p in points if p.ours]
    rows = [row(f"growth: step, {p.size}², {p.faces:,} faces", p.ms, "ms", "", None) for p in ours]
    fit = fitted(ours)
    rows.append(row("growth: fit, always", fit.fixed, "ms", "", None))
    rows.append(row("growth: fit, per million pixels", 1e6 * fit.per_pixel, "ms", "", None))
    rows.append(row("growth: fit, per 100,000 faces", 1e5 * fit.per_face, "ms", "", None))
    rows.append(row("growth: fit, per million pixels and 100,000 faces", 1e11 * fit.per_pair, "ms", "", None))
    rows.append(row("growth: fit, largest deviation", 100 * fit.off, "%", "", None))
    pixels = [p for p in ours if p.faces == MIDDLE and p.size >= 256]
    faces = [p for p in ours if p.size == 256 and p.faces >= MIDDLE]
    rows += [exponent_row("", pixels, "pixels"), exponent_row("", faces, "faces")]
    theirs = [p for p in points if not p.ours]
    for p in theirs:
        rows.append(row(f"growth: PyTorch3D's soft Phong, {p.size}², {p.faces:,} faces", p.ms, "ms", "", None))
    if theirs:
        rows.append(exponent_row("PyTorch3D's ", [p for p in theirs if p.faces == MIDDLE], "pixels"))
        rows.append(exponent_row("PyTorch3D's ", [p for p in theirs if p.size == 128], "faces"))
    return rows, points


def exponent_row(whose: str, points: list[Point], over: str) -> Row:
    """The exponent of a power law through some points."""
    places = sorted(p.size**2 if over == "pixels" else p.faces for p in points)
    value = slope(points, lambda p: p.size**2 if over == "pixels" else p.faces)
    name = f"growth: {whose}exponent over {over}, {places[0]:,} to {places[-1]:,}"
    return row(name, value, "", "", None)


def draw(points: list[Point], path: Path) -> None:
    """Two panels, time over pixels and over faces, with the fit through ours."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    from headviz.viewers.look import INK, INSIDE, OUTSIDE, PAPER, SOFT, number

    fit = fitted([p for p in points if p.ours])
    share = 100 * 256**2 * MIDDLE * fit.per_pair / float(fit.at(256**2, MIDDLE))
    (taken,) = (p.ms for p in points if p.ours and (p.size, p.faces) == (256, MIDDLE))
    title = (
        f"A step at 256² of 8,944 faces takes {number(taken, 2)} ms; {number(share, 2)} % grow with pixels times faces"
    )
    figure, axes = plt.subplots(1, 2, figsize=(9, 4.4), dpi=150, sharey=True, layout="constrained", facecolor=PAPER)
    panels = (
        (lambda p: p.size**2, lambda p: p.faces == MIDDLE, "pixels, of 8,944 faces", lambda x: fit.at(x, MIDDLE)),
        (lambda p: p.faces, lambda p: p.size == (256 if p.ours else 128), "faces, at 256² pixels", lambda x: fit.at(256**2, x)),
    )  # fmt: skip
    for axis, (over, kept, name, curve) in zip(axes, panels, strict=True):
        mine, other = (sorted((p for p in points if kept(p) and p.ours == who), key=over) for who in (True, False))
        places = np.geomspace(over(mine[0]), over(mine[-1]), 200)
        axis.loglog(places, curve(places), color=INSIDE, linewidth=1.5)
        axis.loglog([over(p) for p in mine], [p.ms for p in mine], "o", color=INSIDE, markersize=6)
        if other:
            axis.loglog([over(p) for p in other], [p.ms for p in other], "s--", color=OUTSIDE, markersize=5)
            where = "PyTorch3D, soft Phong" if axis is axes[0] else "PyTorch3D, at 128²"
            axis.annotate(
                where, (over(other[0]), other[0].ms), (0, -18), textcoords="offset points", color=INK, fontsize=9
            )
        axis.annotate(
            "headviz", (over(mine[0]), mine[0].ms), (0, 12), textcoords="offset points", color=INK, fontsize=9
        )
        axis.set_xlabel(name, color=INK)
        axis.grid(color=SOFT, linewidth=0.4, alpha=0.35)
        axis.spines[["top", "right"]].set_visible(False)
        axis.set_facecolor(PAPER)
    axes[0].set_ylabel("forward and backward, ms", color=INK)
    line = (
        f"line: {number(fit.fixed, 2)} ms + {number(1e6 * fit.per_pixel, 2)} ms · pixels/10⁶ + "
        f"{number(1e5 * fit.per_face, 2)} ms · faces/10⁵ + {number(1e11 * fit.per_pair, 2)} ms · pixels · faces/10¹¹, "
        f"off by {number(100 * fit.off, 2)} % at most"
    )
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, color=INK)
    figure.supxlabel(line, x=0.01, ha="left", fontsize=8.5, color=SOFT)
    figure.savefig(path, facecolor=PAPER)
