"""Sphere tracing the head field beside its peers: the plain loop over all rays, and the plain loop over active rays.

``python tests/benchmarks/trace.py`` prints a table, ``--json`` one JSON object as the last line. Times are medians,
taken in turns with the peers'. ``--sweep`` instead compares relaxations and block sizes, evaluations and times.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import sys
from pathlib import Path

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parent))
from measure import Row, interleaved_seconds, report, row
from trace_peers import trace_active, trace_all

from headviz.geometry.camera import Camera, look_at_head
from headviz.geometry.field import Field
from headviz.geometry.presets import preset
from headviz.geometry.trace import sphere_trace
from headviz.render.traced import TraceSettings, trace_camera

NEAR, FAR = 0.5, 1.3  # depths in front of and behind a head that is 0.9 m away


def camera(size: int = 512) -> Camera:
    """The view of all measurements: three quarters, the head filling the picture's height."""
    return look_at_head(yaw=0.4, pitch=0.1, target=(0.0, -0.02, 0.0), focal=2.7, size=size)


def reference(field: Field, origins: Tensor, directions: Tensor) -> Tensor:
    """Depths in double precision to a tolerance of a nanometre, NaN where nothing is hit."""
    found = sphere_trace(
        field, origins.double(), directions.double(), near=NEAR, far=FAR, max_steps=4000, tolerance=1e-9,
        relaxation="adaptive",
    )  # fmt: skip
    return torch.where(found.hit, found.t, torch.nan)


def accuracy(t: Tensor, hit: Tensor, truth: Tensor) -> tuple[float, int]:
    """The largest error of depth where both hit away from grazing, metres, and how many rays hit in one only."""
    both = hit & truth.isfinite()
    return float((t.double() - truth).abs()[both].quantile(0.999)), int((hit != truth.isfinite()).sum())


def speed_rows(field: Field, view: Camera, repeats: int) -> list[Row]:
    """Times and evaluations of one picture."""
    origin, directions = view.rays()
    rays = directions.reshape(-1, 3)
    origins = origin.expand_as(rays)
    bare = TraceSettings(normals=False)
    actions = {
        "all": lambda: trace_all(field, origins, rays, NEAR, FAR),
        "active": lambda: trace_active(field, origins, rays, NEAR, FAR),
        "ours": lambda: trace_camera(field, view, near=NEAR, far=FAR, settings=bare),
        "picture": lambda: trace_camera(field, view, near=NEAR, far=FAR),
        "recorded": lambda: trace_camera(field, view, near=NEAR, far=FAR, settings=bare, record=True),
        "rays": lambda: sphere_trace(field, origins, rays, near=NEAR, far=FAR, relaxation="adaptive"),
        "rays recorded": lambda: sphere_trace(
            field, origins, rays, near=NEAR, far=FAR, relaxation="adaptive", record=True
        ),
    }
    for name in ("active", "ours", "picture", "rays"):
        actions[name]()
    seconds = interleaved_seconds(actions, repeats)
    ours, single = actions["ours"](), actions["rays"]()
    every, active = trace_all(field, origins, rays, NEAR, FAR), trace_active(field, origins, rays, NEAR, FAR)
    truth = reference(field, origins, rays)
    ours_error, ours_other = accuracy(ours.trace.t, ours.trace.hit, truth)
    peer_error, peer_other = accuracy(active.t, active.hit, truth)
    fewer = 100 * (1 - ours.evaluations / active.evaluations)
    fewer_single = 100 * (1 - single.evaluations / active.evaluations)
    share = 100 * ours.evaluations / every.evaluations
    times = seconds["all"] / seconds["ours"]
    cost = 100 * (seconds["recorded"] / seconds["ours"] - 1)
    cost_single = 100 * (seconds["rays recorded"] / seconds["rays"] - 1)
    return [
        row("camera, 512² rays", seconds["ours"], "s", "", None, "all rays, 128 steps", seconds["all"]),
        row("  times faster", times, "×", "≥ 18", times >= 18),
        row("camera with normals", seconds["picture"], "s", "≥ 18 × faster", seconds["all"] >= 18 * seconds["picture"],
            "all rays, 128 steps", seconds["all"]),
        row("  share of its evaluations", share, "%", "≤ 8", share <= 8),
        row("camera, 512² rays", seconds["ours"], "s", "", None, "active rays", seconds["active"]),
        row("  its evaluations", ours.evaluations, "evaluations", "≤ 80 % of peer", fewer >= 20,
            "active rays", active.evaluations),
        row("sphere_trace, 512² rays, its evaluations", single.evaluations, "evaluations", "≤ 80 % of peer",
            fewer_single >= 20, "active rays", active.evaluations),
        row("error of depth, 99.9 % of hits", 1e6 * ours_error, "µm", "≤ peer", ours_error <= 1.05 * peer_error,
            "active rays", 1e6 * peer_error),
        row("rays that hit in one only, against double precision", ours_other, "rays", "", None, "active rays", peer_other),
        row("cost of recording, camera", cost, "%", "≤ 25", cost <= 25),
        row("cost of recording, sphere_trace", cost_single, "%", "≤ 25", cost_single <= 25),
    ]  # fmt: skip


def sweep(field: Field, view: Camera) -> None:
    """Evaluations, most steps and time by relaxation and block sizes."""
    for blocks, relaxation in itertools.product([(), (8,), (16, 4), (16, 4, 2)], [1.0, 1.2, 1.4, 1.6, "adaptive"]):
        settings = TraceSettings(blocks=blocks, relaxation=relaxation, normals=False)
        action = functools.partial(trace_camera, field, view, near=NEAR, far=FAR, settings=settings)
        found, seconds = action(), interleaved_seconds({"": action}, 3)
        print(f"{blocks!s:12} {relaxation!s:9} {found.evaluations:9,} {int(found.steps.max()):4} {seconds['']:.3f} s")


def main() -> None:
    """Command line of the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--sweep", action="store_true", help="compare settings instead")
    parser.add_argument("--repeats", type=int, default=5, help="how often everything is timed")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    field = preset("head")
    with torch.no_grad():
        if arguments.sweep:
            sweep(field, camera())
        else:
            report("trace", speed_rows(field, camera(), arguments.repeats), as_json=arguments.json)


if __name__ == "__main__":
    main()
