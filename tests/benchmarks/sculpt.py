"""Sculpting and its warps beside what they would cost in plain PyTorch: updates while dragging, starts, undo, memory.

``python tests/benchmarks/sculpt.py`` prints a table, ``--json`` one JSON object as the last line. Times are medians,
taken in turns with the peer's. ``--quick`` leaves out the million vertices, the thousand strokes and the cold start.

Heads are the packaged one with every face split into n² faces: 18, 112 and 1,007 thousand vertices. The peer of an
update is the formula of the warp on all vertices, with its mirror twin, and the normals of all vertices.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
import sculpt_window
from measure import Row, interleaved_seconds, report, row
from sculpt_heads import dense_head

from headviz.geometry.mesh import vertex_normals
from headviz.geometry.warp import displacement, warp
from headviz.sculpt import Brush, SculptSession, Stroke, prepare

CHEEK = np.array([0.05, 0.0, 0.2])
PAUSE = 0.02  # after PyTorch, until its threads have gone to sleep


def place(session: SculptSession) -> tuple[float, float, float]:
    """The vertex nearest to a point before the left cheek."""
    points = session.positions
    x, y, z = points[((points - CHEEK) ** 2).sum(1).argmin()].tolist()
    return x, y, z


def radii(session: SculptSession) -> dict[str, float]:
    """A tenth of the head, and what has half of the vertices, of both sides, under the brush."""
    points = session.positions.astype(np.float64)
    here = np.array(place(session))
    nearest = np.minimum(*(((points - here * [side, 1, 1]) ** 2).sum(1) for side in (1, -1)))
    return {"radius 10 % of the head": 0.1 * session.surface.size, "half the head": float(np.median(nearest)) ** 0.5}


def dense_update(session: SculptSession, radius: float) -> Callable[[], object]:
    """The peer: Eq. 3.1 with its twin on all vertices in PyTorch, and all normals."""
    points = torch.from_numpy(session.positions.copy())
    faces = torch.from_numpy(session.surface.faces).long()
    keypoint, vector = torch.tensor([[place(session)]]), torch.tensor([[[0.001, 0.002, 0.003]]])
    alpha = torch.tensor([[4 / radius**2]])

    def update() -> object:
        return vertex_normals(points + displacement(points[None], keypoint, vector, alpha, "gaussian", "x")[0], faces)

    return update


def drag(session: SculptSession, radius: float, peer: Callable[[], object], turns: int) -> tuple[float, float, int]:
    """Median seconds of an update and of its peer, in turns, and the number of vertices that moved."""
    start = place(session)
    live = session.begin(Brush("grab", radius=radius), start)
    ours, theirs = [], []
    for turn in range(turns):
        begun = time.perf_counter()
        peer()
        theirs.append(time.perf_counter() - begun)
        time.sleep(PAUSE)
        for step in range(10):
            x, y, z = start
            begun = time.perf_counter()
            live.move((x + 1e-4 * step, y + 1e-4 * turn, z + 1e-3))
            ours.append(time.perf_counter() - begun)
    moved = len(live.indices)
    live.cancel()
    return statistics.median(ours), statistics.median(theirs), moved


def update_rows(sizes: tuple[int, ...], turns: int) -> list[Row]:
    """Warp with its mirror twin and normals, while dragging."""
    rows = []
    for n in sizes:
        session = SculptSession(dense_head(n))
        count = len(session.positions)
        for (where, radius), limit in zip(radii(session).items(), (2, 12), strict=True):
            ours, theirs, moved = drag(session, radius, dense_update(session, radius), turns)
            name, peer, times = f"update, {count:,} vertices, {where}", "dense PyTorch, all normals", theirs / ours
            ours, theirs = 1e3 * ours, 1e3 * theirs
            if count < 1_000_000:
                rows.append(row(f"{name}: {moved:,} moved, {times:.0f} × faster", ours, "ms", "", None, peer, theirs))
                continue
            rows.append(row(f"{name}: {moved:,} moved", ours, "ms", f"≤ {limit} ms", ours <= limit))
            goal, met = ("≥ 50 × faster", times >= 50) if limit == 2 else ("", None)
            rows.append(row(f"{name}, {times:.0f} × faster", ours, "ms", goal, met, peer, theirs))
        rows += start_rows(session)
    return rows


def start_rows(session: SculptSession) -> list[Row]:
    """What comes before and after a drag: the vertices around the brush, and the way back."""
    rows = []
    count, start = len(session.positions), place(session)
    large = count > 1_000_000
    for where, radius in radii(session).items():
        starts, undos = [], []
        for step in range(9):
            begun = time.perf_counter()
            live = session.begin(Brush("grab", radius=radius), start)
            starts.append(time.perf_counter() - begun)
            live.move((start[0], start[1], start[2] + 1e-3 * (step + 1)))
            live.finish()
            begun = time.perf_counter()
            session.undo()
            undos.append(time.perf_counter() - begun)
        for name, times in (("start of a stroke", starts), ("undo", undos)):
            value = 1e3 * statistics.median(times)
            goal, met = ("≤ 16 ms", value <= 16) if large else ("", None)
            rows.append(row(f"{name}, {count:,} vertices, {where}", value, "ms", goal, met))
    return rows


def shuffled_rows() -> list[Row]:
    """What it costs that neighbours lie far apart in memory."""
    ours = {}
    for shuffled in (False, True):
        session = SculptSession(dense_head(15, shuffled=shuffled))
        radius = radii(session)["radius 10 % of the head"]
        ours[shuffled] = 1e3 * drag(session, radius, lambda: None, 5)[0]
        count = len(session.positions)
    name = f"update, {count:,} vertices in random order, radius 10 % of the head"
    return [row(name, ours[True], "ms", "", None, "in order", ours[False])]


def warp_rows(repeats: int) -> list[Row]:
    """256 Gaussian warps, as a network applies them; gradients by points, keypoints and vectors.

    With mirror twins there are fewer points, for the peer would want gigabytes.
    """
    rows = []
    for mirror, count, peer in ((None, 100_000, "cdist + exp"), ("x", 20_000, "the formula in PyTorch")):
        generator = torch.Generator().manual_seed(0)
        points, keypoints, vectors = (0.5 * torch.randn(n, 3, generator=generator) for n in (count, 256, 256))
        inputs = [each.requires_grad_() for each in (points, keypoints, 0.1 * vectors)]
        for what in ("forward", "forward and backward"):
            ours, dense = (measured(moved, inputs, what) for moved in warps(inputs, mirror))
            ours()
            actions = {"peer": dense, "pause": lambda: time.sleep(PAUSE), "ours": ours}
            seconds = interleaved_seconds(actions, repeats)
            times = seconds["peer"] / seconds["ours"]
            name = f"{count:,} points × 256 {'mirrored ' if mirror else ''}Gaussian warps, {what}, {times:.1f} × faster"
            goal, met = ("≥ 4 × faster", times >= 4) if mirror is None else ("", None)
            rows.append(row(name, 1e3 * seconds["ours"], "ms", goal, met, peer, 1e3 * seconds["peer"]))
    return rows


def warps(inputs: list[torch.Tensor], mirror: str | None) -> tuple[Callable[[], torch.Tensor], ...]:
    """Ours, and the peer: what one would write, or with twins the reference."""
    points, keypoints, vectors = inputs
    alphas = torch.full((1, len(keypoints)), 15.0)

    def ours() -> torch.Tensor:
        return warp(points, keypoints, vectors, alpha=15.0, mirror=mirror)

    def plain() -> torch.Tensor:
        return points + torch.exp(-15 * torch.cdist(points, keypoints).square()) @ vectors

    def mirrored() -> torch.Tensor:
        return points + displacement(points[None], keypoints[None], vectors[None], alphas, "gaussian", "x")[0]

    return ours, mirrored if mirror else plain


def measured(moved: Callable[[], torch.Tensor], inputs: list[torch.Tensor], what: str) -> Callable[[], object]:
    """A warp alone, or with its gradients."""
    if what == "forward":
        return torch.no_grad()(moved)
    weights = torch.randn(inputs[0].shape, generator=torch.Generator().manual_seed(1))
    return lambda: torch.autograd.grad(moved(), inputs, weights)


STROKES = """
import sys
import numpy as np
sys.path.insert(0, sys.argv[1])
from sculpt import CHEEK, radii
from sculpt_heads import dense_head
from headviz.sculpt import Brush, SculptSession, Stroke
def resident():
    return int(open("/proc/self/status").read().split("VmRSS:")[1].split()[0]) / 1e3
session = SculptSession(dense_head(5))
radius = radii(session)[sys.argv[2]]
places = np.random.default_rng(0).integers(len(session.positions), size=1000)
session.apply(Stroke(Brush("grab", radius=radius), (tuple(session.positions[0].tolist()),), (0.0, 0.0, 1e-4)))
before = resident()
for k in places:
    point = tuple(session.positions[k].tolist())
    session.apply(Stroke(Brush("grab", radius=radius), (point,), (0.0, 1e-4, 1e-4)))
print(resident() - before)
"""


def memory_rows() -> list[Row]:
    """How much a process grows by a thousand strokes on 112,000 vertices; where the system tells."""
    rows: list[Row] = []
    if not Path("/proc/self/status").exists():
        return rows
    for where in ("radius 10 % of the head", "half the head"):
        command = [sys.executable, "-c", STROKES, str(Path(__file__).parent), where]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        grown = float(done.stdout)
        name = f"1,000 strokes on 111,950 vertices, {where}, growth of the process"
        rows.append(row(name, grown, "MB", "≤ 200", grown <= 200))
    return rows


FIRST = """
import sys, time
from headviz.heads.model import load_head
from headviz.sculpt import Brush, SculptSession, prepare
began = time.time()
prepare()
ready = time.time()
session = SculptSession(load_head().mesh(morphs=False))
point = tuple(session.positions[0].tolist())
start = time.time()
live = session.begin(Brush("grab", radius=0.03), point)
live.move((point[0], point[1], point[2] + 1e-3))
end = time.time()
print(end - float(sys.argv[1]), ready - began, end - start)
"""


def first_rows() -> list[Row]:
    """From the start of a process to the end of the first move, with compiled code on the disk and without."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}

        def run() -> list[float]:
            command = [sys.executable, "-c", FIRST, str(time.time())]
            done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
            return [float(value) for value in done.stdout.split()]

        times = {"nothing compiled yet": [run()]}
        times["compiled before"] = [run() for _ in range(5)]
    for when, runs in times.items():
        total, ready, stroke = (statistics.median(values) for values in zip(*runs, strict=True))
        rows.append(row(f"process start to first stroke, {when}", total, "s", "", None))
        rows.append(row(f"of which preparing, beside the window's start, {when}", ready, "s", "", None))
        rows.append(row(f"first stroke once prepared, {when}", 1e3 * stroke, "ms", "≤ 16 ms", 1e3 * stroke <= 16))
    return rows


BROWSER = """
import { sessionOf } from "./sculpt.js";
import { LiveStroke } from "./algorithms/sculpting.js";
const typed = (arrays) => Object.fromEntries(Object.entries(arrays).filter(([, values]) => values !== undefined)
  .map(([name, values]) => [name, { data: (/faces|mirror/.test(name) ? Int32Array : Float32Array).from(values.flat()) }]));
const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
const answer = ({ facts, arrays, brushes, point }) => {
  const session = sessionOf({ facts, arrays: typed(arrays) });
  return brushes.map((brush) => {
    const [x, y, z] = point;
    const live = new LiveStroke(session, brush, point);
    const times = Array.from({ length: 60 }, (_, k) => live.move([x, y + 1e-4 * (k % 9), z + 1e-3]));
    const moved = live.handle.indices.length;
    live.cancel();
    return [median(times), moved];
  });
};
"""


def browser_rows() -> list[Row]:
    """The same update by the page's own code, in Node."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "viewers"))
    from node import run_module

    from headviz.viewers import view_sculpt

    mesh = dense_head(5)
    session = SculptSession(mesh)
    record = view_sculpt(session).record
    where = radii(session)
    plain = [Stroke(Brush("grab", radius=radius), (place(session),)).plain()["brush"] for radius in where.values()]
    arrays = {name: record.arrays[name] for name in ("vertices", "faces", "mirror")}
    data = {"facts": dict(record.facts), "arrays": arrays, "brushes": plain, "point": place(session)}
    found = run_module(BROWSER, data)
    count = len(session.positions)
    return [
        row(f"update in Node, {count:,} vertices, {name}: {moved:,} moved", value, "ms", "", None)
        for name, (value, moved) in zip(where, found, strict=True)
    ]


def window_rows() -> list[Row]:
    """The desktop window, from the command to the first drawn head; where there is a virtual screen to draw it on."""
    if not sculpt_window.can_open():
        return []
    seconds = sculpt_window.starts(7)
    value = statistics.median(seconds)
    name = f"headviz sculpt to the first drawn head, median of 7 ({min(seconds):.1f} to {max(seconds):.1f} s)"
    return [row(name, value, "s", "≤ 4 s", value <= 4)]


def main() -> None:
    """Command line of the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--quick", action="store_true", help="leave out what takes more than a few seconds")
    arguments = parser.parse_args()
    prepare()
    rows = update_rows((2, 5) if arguments.quick else (2, 5, 15), 7)
    rows += warp_rows(5 if arguments.quick else 9) + browser_rows()
    if not arguments.quick:
        rows += shuffled_rows() + memory_rows() + first_rows() + window_rows()
    report("sculpt", rows, as_json=arguments.json)


if __name__ == "__main__":
    main()
