"""Surfaces and contours beside their peers: octree against the full grid, marching squares against scikit-image.

``python tests/benchmarks/extract.py`` prints a table, ``--json`` one JSON object as the last line. Times are medians,
taken in turns with the peer's. ``--quick`` leaves out what takes minutes (512³ and networks).
``--growth FOLDER`` instead counts evaluations from 64 to 1024 and writes ``cost-growth.md`` and ``cost-growth.png``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parent))
from measure import Row, interleaved_seconds, median_seconds, report, row

from headviz.geometry.contour import marching_squares
from headviz.geometry.extract import extract_surface
from headviz.geometry.field import Field, evaluate
from headviz.geometry.field_network import FieldMLP
from headviz.geometry.lattice import CHUNK, CoarseStore, lattice_in
from headviz.geometry.mesh_field import MeshField
from headviz.geometry.neural_field import NeuralField
from headviz.geometry.octree import subdivide
from headviz.geometry.presets import preset
from headviz.geometry.shapes import sphere
from headviz.heads.model import load_head

UNIT = torch.tensor([[-0.5] * 3, [0.5] * 3])


def box_around(field: Field, *, cube: bool) -> Tensor:
    """The field's box with a margin of 10 % on each side, made a cube if asked for."""
    low, high = field.bounds
    half = 0.6 * (high - low)
    half = half.max().expand(3) if cube else half
    return torch.stack([(low + high) / 2 - half, (low + high) / 2 + half])


def sphere_rows() -> list[Row]:
    """Evaluations for the sphere of the sheet."""
    lattice = lattice_in(UNIT, 256)
    rows = []
    for prune, goal in (("sign", 4.1), ("lipschitz", 6.3)):
        share = 100 * subdivide(sphere(0.4), lattice, prune=prune).evaluations / lattice.points
        rows.append(row(f"sphere 256³, evaluations, {prune}", share, "% of dense", f"≤ {goal}", share <= goal))
    return rows


def dense_and_skimage(field: Field, bounds: Tensor, resolution: int) -> None:
    """The peer: all points of the grid in chunks as ours are, then scikit-image's marching cubes."""
    from skimage.measure import marching_cubes

    grid = CoarseStore(lattice_in(bounds, resolution), 1)
    for part in torch.arange(len(grid.values)).split(CHUNK):
        grid.values[part] = field(grid.lattice.positions(grid.coordinates(part)))
    marching_cubes(grid.values.reshape(grid.shape).numpy(), 0.0)


def head_rows(resolution: int, repeats: int) -> list[Row]:
    """The composed head: evaluations and time, in a cube and in its own box, both with a margin of 10 %."""
    head, rows = preset("head"), []
    twice = resolution // 256
    for cube in (True, False):
        bounds = box_around(head, cube=cube)
        where = f"head {resolution}³" if cube else f"head {resolution} cells high, tight box"
        for prune, goal in (("sign", 7.0), ("lipschitz", 10.0)):
            found = extract_surface(head, resolution=resolution, bounds=bounds, prune=prune)
            share = 100 * found.evaluations / found.dense_evaluations
            goal /= twice
            rows.append(row(f"{where}, evaluations, {prune}", share, "% of dense", f"≤ {goal:g}", share <= goal))
        seconds = interleaved_seconds(
            {
                "sign": lambda: extract_surface(head, resolution=resolution, bounds=bounds, prune="sign"),  # noqa: B023
                "lipschitz": lambda: extract_surface(head, resolution=resolution, bounds=bounds),  # noqa: B023
                "dense": lambda: dense_and_skimage(head, bounds, resolution),  # noqa: B023
            },
            repeats,
        )
        for prune in ("sign", "lipschitz"):
            ratio = seconds["dense"] / seconds[prune]
            goal_text = f"≥ {12 * twice} × faster"
            rows.append(
                row(
                    f"{where}, mesh, {prune}, {ratio:.1f} × faster", seconds[prune], "s", goal_text, ratio >= 12 * twice,
                    "dense + scikit-image", seconds["dense"],
                )
            )  # fmt: skip
    return rows


class Timed:
    """A field that adds up the time spent in it."""

    def __init__(self, field: Field) -> None:
        self.field, self.bounds, self.lipschitz, self.seconds = field, field.bounds, field.lipschitz, 0.0

    def __call__(self, points: Tensor) -> Tensor:
        started = time.perf_counter()
        values = self.field(points)
        self.seconds += time.perf_counter() - started
        return values


def network_rows(resolutions: tuple[int, ...]) -> list[Row]:
    """An 8 × 512 network, at its geometric initialisation about the distance to a sphere."""
    torch.manual_seed(0)
    network = FieldMLP(width=512, depth=8, radius=0.35).eval()
    field = NeuralField(network, UNIT)
    rows = [row("8 × 512 network, measured Lipschitz bound", field.lipschitz, "", "", None)]
    sample = torch.rand(CHUNK, 3, generator=torch.Generator().manual_seed(1)) - 0.5
    for resolution in resolutions:
        timed = Timed(field)
        with torch.no_grad():
            each = median_seconds(lambda: evaluate(field, sample), 3) / len(sample)
            started = time.perf_counter()
            found = extract_surface(timed, resolution=resolution, bounds=UNIT)
            seconds = time.perf_counter() - started
            each = (each + median_seconds(lambda: evaluate(field, sample), 3) / len(sample)) / 2
        dense = each * found.dense_evaluations
        goal = 12 * resolution // 256
        name = f"8 × 512 network {resolution}³, {dense / seconds:.1f} × faster"
        peer = f"dense, from {len(sample):,} points"
        rows.append(row(name, seconds, "s", f"≥ {goal} × faster", dense / seconds >= goal, peer, dense))
        overhead = 100 * (seconds - timed.seconds) / seconds
        rows.append(
            row(f"8 × 512 network {resolution}³, our bookkeeping", overhead, "% of the time", "≤ 15", overhead <= 15)
        )
    return rows


def contour_rows() -> list[Row]:
    """Marching squares beside scikit-image on 2048² values."""
    from skimage.measure import find_contours

    axis = torch.linspace(-1, 1, 2048)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    circle = (x.square() + y.square()).sqrt() - 0.7
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(1, 1, 64, 64, generator=generator)
    waves = torch.nn.functional.interpolate(coarse, size=(2048, 2048), mode="bicubic", align_corners=False)[0, 0]
    rows = []
    for name, values in (("circle", circle), ("random waves", waves)):
        array = values.numpy()
        seconds = interleaved_seconds(
            {"ours": lambda: marching_squares(values), "peer": lambda: find_contours(array, 0.0)},  # noqa: B023
            7,
        )
        ours, peer = seconds["ours"], seconds["peer"]
        rows.append(
            row(f"marching squares 2048², {name}", ours, "s", "≤ 2 × peer", ours <= 2 * peer, "scikit-image", peer)
        )
    return rows


def mesh_field_rows() -> list[Row]:
    """Queries per second of the distance to the head's solid, in its box with a margin of 10 %."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        field = MeshField(load_head().solid())
    low, high = box_around(field, cube=False)
    points = low + torch.rand(300_000, 3, generator=torch.Generator().manual_seed(0)) * (high - low)
    seconds = median_seconds(lambda: field(points), 5)
    rate = len(points) / seconds / 1000
    return [row("distance to a mesh of 9,000 faces", rate, "thousand queries/s", "≥ 300", rate >= 300)]


MEMORY = """
import resource
from pathlib import Path
from headviz.geometry.extract import extract_surface
from headviz.geometry.presets import preset
found = extract_surface(preset("head"), resolution=512)
status = Path("/proc/self/status")  # getrusage would report the parent's peak where that is larger
if status.exists():
    print(int(status.read_text().split("VmHWM:")[1].split()[0]) / 1e6)
else:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)
"""


def memory_rows() -> list[Row]:
    """Peak memory of a process that does nothing else."""
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    peak = float(done.stdout)
    return [row("head 512³, peak memory of the process", peak, "GB", "≤ 2", peak <= 2)]


def growth(folder: Path) -> None:
    """Evaluations against resolution, with fitted exponents, as a table and a plot."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    resolutions = [64, 128, 256, 512, 1024]
    head = preset("head")
    counts: dict[str, list[int]] = {"full grid": [(n + 1) ** 3 for n in resolutions]}
    for name, field, bounds in (("sphere", sphere(0.4), UNIT), ("head", head, box_around(head, cube=True))):
        for prune in ("sign", "lipschitz"):
            counts[f"{name}, {prune}"] = [
                subdivide(field, lattice_in(bounds, n), prune=prune).evaluations for n in resolutions
            ]
    slopes = {name: float(np.polyfit(np.log2(resolutions), np.log2(values), 1)[0]) for name, values in counts.items()}
    figure, axes = plt.subplots(figsize=(7, 4.6), dpi=150, layout="constrained")
    styles = {"full grid": ("#999999", "s", "-"), "sphere": ("#0072B2", "o", "-"), "head": ("#D55E00", "^", "-")}
    for name, values in counts.items():
        color, mark, line = styles[name.split(",")[0]]
        line = "--" if name.endswith("sign") else line
        label = f"{name}: exponent {slopes[name]:.2f}"
        axes.loglog(resolutions, values, line, color=color, marker=mark, markersize=5, label=label, base=2)
    axes.set_yscale("log", base=10)
    axes.set_xticks(resolutions, [str(n) for n in resolutions])
    axes.set(xlabel="cells along each side", ylabel="evaluations of the field")
    axes.set_title("An octree's cost grows with the surface, a full grid's with the volume", fontsize=11, loc="left")
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
    figure.savefig(folder / "cost-growth.png")
    lines = [
        "# What a surface costs",
        "",
        "Evaluations of the field against the number of cells along each side, for a sphere of radius 0.4 in the unit",
        "cube and for the composed head in a cube with a margin of 10 %. The last column is the exponent fitted over the",
        "five resolutions; with `sign` it is below 2 because that pruning starts from a full grid of 32³ cells, which",
        "weighs most where the resolution is low. `python tests/benchmarks/extract.py --growth docs` counts again.",
        "",
        "![Evaluations against resolution](cost-growth.png)",
        "",
        "| | " + " | ".join(f"{n}³" for n in resolutions) + " | exponent |",
        "| --- |" + " ---: |" * (len(resolutions) + 1),
    ]
    for name, values in counts.items():
        lines.append(f"| {name} | " + " | ".join(f"{value:,}" for value in values) + f" | {slopes[name]:.2f} |")
    (folder / "cost-growth.md").write_text("\n".join([*lines, ""]), encoding="utf-8")


def main() -> None:
    """Command line of the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--quick", action="store_true", help="leave out what takes minutes")
    parser.add_argument("--growth", type=Path, metavar="FOLDER", help="write the table and plot of cost growth")
    arguments = parser.parse_args()
    if arguments.growth is not None:
        growth(arguments.growth)
        return
    rows = sphere_rows() + head_rows(256, 5)
    if not arguments.quick:
        rows += head_rows(512, 3) + network_rows((256, 512))
    rows += contour_rows() + mesh_field_rows() + memory_rows()
    report("extract", rows, as_json=arguments.json)


if __name__ == "__main__":
    main()
