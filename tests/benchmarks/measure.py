"""What the benchmarks share: rows, times, and how they are printed."""

from __future__ import annotations

import json
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

Row = dict[str, Any]


def row(
    name: str, ours: float, unit: str, goal: str, met: bool | None, peer: str = "", peer_value: float | None = None
) -> Row:
    """One row of the result; ``ratio`` is ours over the peer's value."""
    ratio = None if peer_value is None else ours / peer_value
    return {
        "name": name,
        "ours": round(ours, 4),
        "peer": peer,
        "peer_value": None if peer_value is None else round(peer_value, 4),
        "ratio": None if ratio is None else round(ratio, 4),
        "unit": unit,
        "goal": goal,
        "met": met,
    }


def median_seconds(action: Callable[[], object], repeats: int) -> float:
    """Median wall-clock time of an action."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def interleaved_seconds(actions: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median times of several actions, taken in turns, so that a disturbance meets them all."""
    times: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(repeats):
        for name, action in actions.items():
            started = time.perf_counter()
            action()
            times[name].append(time.perf_counter() - started)
    return {name: statistics.median(taken) for name, taken in times.items()}


def table(rows: list[Row]) -> str:
    """Rows as a Markdown table."""
    lines = ["| measurement | headviz | peer | ratio | goal | met |", "| --- | --- | --- | --- | --- | --- |"]
    for r in rows:
        peer = "" if r["peer_value"] is None else f"{r['peer']}: {r['peer_value']:.3g} {r['unit']}"
        ratio = "" if r["ratio"] is None else f"{r['ratio']:.2f}"
        met = {True: "yes", False: "no", None: ""}[r["met"]]
        lines.append(f"| {r['name']} | {r['ours']:.3g} {r['unit']} | {peer} | {ratio} | {r['goal']} | {met} |")
    return "\n".join(lines)


def report(benchmark: str, rows: list[Row], *, as_json: bool) -> None:
    """Print a table, or one JSON object on one line."""
    machine = f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"
    print(json.dumps({"benchmark": benchmark, "machine": machine, "rows": rows}) if as_json else table(rows))
