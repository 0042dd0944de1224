"""Photograph to head: speed, landmark error, and truth beside the mean head.

``python tests/benchmarks/photo.py`` prints a table, ``--json`` one JSON object as the last line. Times are
medians on this machine; commands are timed in processes of their own.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))
from measure import Row, median_seconds, report, row
from truth import BANDS, Truth, TruthRow, measure_truth

from headviz import assets
from headviz.heads.model import ASSET, load_head, read_head
from headviz.models.landmark_fit import LandmarkFit
from headviz.photo.picture import load_photo

PICTURES = sorted(p for p in (assets.folder() / "pictures").iterdir() if p.suffix in (".png", ".jpg"))


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


def main() -> None:
    """Command line of the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--heads", type=int, default=100, help="how many heads of the truth test")
    arguments = parser.parse_args()
    model = LandmarkFit()
    rows = speed_rows(model) + landmark_rows(model) + truth_rows(measure_truth(model, arguments.heads))
    model.close()
    report("photo", rows, as_json=arguments.json)


if __name__ == "__main__":
    main()
