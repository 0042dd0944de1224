"""Photograph to head: speed, landmark error, and truth beside the mean head.

``python tests/benchmarks/photo.py`` prints a table, ``--json`` one JSON object as the last line. Times are
medians on this machine; commands are timed in processes of their own.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parent))
from truth import BANDS, Truth, TruthRow, measure_truth

from headviz import assets
from headviz.heads.model import ASSET, load_head, read_head
from headviz.models.landmark_fit import LandmarkFit
from headviz.photo.picture import load_photo

Row = dict[str, Any]
PICTURES = sorted(p for p in (assets.folder() / "pictures").iterdir() if p.suffix in (".png", ".jpg"))


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


def run_python(*arguments: str) -> None:
    """Run this interpreter and wait; fails loudly."""
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)


def speed_rows(model: LandmarkFit) -> list[Row]:
    """Warm and cold times."""
    photo = load_photo(PICTURES[0]).pixels
    model.reconstruct(photo)
    warm = median_seconds(lambda: model.reconstruct(photo), 9)
    head = load_head()
    identity, expression = head.sample(1, 0)[0], torch.rand(52)
    for _ in range(20):
        head.vertices(identity, expression)
    vertices = median_seconds(lambda: head.vertices(identity, expression), 200)
    path = assets.path(ASSET)
    loading = median_seconds(lambda: read_head(path), 9)
    with tempfile.TemporaryDirectory() as folder:
        cold = median_seconds(
            lambda: run_python("-m", "headviz", "reconstruct", str(PICTURES[0]), "-o", f"{folder}/head"), 3
        )
    size = path.stat().st_size / 1e6
    kept = 100 * float(str(head.metadata["variance_kept_check_heads"]))
    nothing = median_seconds(lambda: run_python("-c", "pass"), 7)
    started = median_seconds(lambda: run_python("-c", "import headviz"), 7)
    helped = median_seconds(lambda: run_python("-m", "headviz", "--help"), 7)
    return [
        row("warm photograph to head, 1024² texture", warm, "s", "≤ 0.6", warm <= 0.6),
        row("cold command, files written", cold, "s", "≤ 5", cold <= 5),
        row("headviz --help", helped, "s", "≤ 0.3", helped <= 0.3, "python -c pass", nothing),
        row("import headviz", started, "s", "≤ 0.15", started <= 0.15, "python -c pass", nothing),
        row("HeadModel.vertices, one head", 1000 * vertices, "ms", "≤ 1", vertices <= 0.001),
        row("loading the head model", 1000 * loading, "ms", "≤ 50", loading <= 0.05),
        row("head asset", size, "MB", "≤ 8", size <= 8),
        row("variance kept, heads not used in the basis", kept, "%", "≥ 99.5", kept >= 99.5),
    ]  # fmt: skip


def landmark_rows(model: LandmarkFit) -> list[Row]:
    """Mean distance of fitted from detected landmarks on every shipped photograph."""
    rows = []
    for path in PICTURES:
        photo = load_photo(path)
        report = model.reconstruct(photo.pixels, focal_35mm=photo.focal_35mm).report
        error = float(report["landmark_error_percent_of_face_width"])
        rows.append(row(f"landmark error, {path.stem}", error, "% of face width", "≤ 1.5", error <= 1.5))
    return rows


def truth_rows(truth: Truth) -> list[Row]:
    """Vertex error of the face region against the mean head's, overall and per yaw band."""

    def one(
        name: str, ours: Callable[[TruthRow], float], base: Callable[[TruthRow], float], low: float, high: float
    ) -> Row:
        value, peer = truth.average(ours, low, high), truth.average(base, low, high)
        return row(
            f"{name} ({truth.count(low, high)} heads)",
            value,
            "mm",
            "≤ 0.75 × mean head",
            value <= 0.75 * peer,
            "mean head",
            peer,
        )

    rows = [one("vertex error, neutral", lambda r: r.fitted, lambda r: r.mean, 0, 90)]
    rows += [one(f"  yaw {low}° to {high}°", lambda r: r.fitted, lambda r: r.mean, low, high) for low, high in BANDS]
    rows.append(one("vertex error, with expression", lambda r: r.fitted_expressed, lambda r: r.mean_expressed, 0, 90))
    naive, mean = truth.average(lambda r: r.naive), truth.average(lambda r: r.mean)
    rows.append(row("plain reprojection fit, neutral, for comparison", naive, "mm", "", None, "mean head", mean))
    rows.append(row("pictures without a fit", truth.failures, "of 100", "counted", None))
    return rows


def table(rows: list[Row]) -> str:
    """Rows as a Markdown table."""
    lines = ["| measurement | headviz | peer | ratio | goal | met |", "| --- | --- | --- | --- | --- | --- |"]
    for r in rows:
        peer = "" if r["peer_value"] is None else f"{r['peer']}: {r['peer_value']:.3g} {r['unit']}"
        ratio = "" if r["ratio"] is None else f"{r['ratio']:.2f}"
        met = {True: "yes", False: "no", None: ""}[r["met"]]
        lines.append(f"| {r['name']} | {r['ours']:.3g} {r['unit']} | {peer} | {ratio} | {r['goal']} | {met} |")
    return "\n".join(lines)


def main() -> None:
    """Command line of the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--heads", type=int, default=100, help="how many heads of the truth test")
    arguments = parser.parse_args()
    model = LandmarkFit()
    rows = speed_rows(model) + landmark_rows(model) + truth_rows(measure_truth(model, arguments.heads))
    model.close()
    machine = f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"
    if arguments.json:
        print(json.dumps({"benchmark": "photo", "machine": machine, "rows": rows}))
    else:
        print(table(rows))


if __name__ == "__main__":
    main()
