"""Detect landmarks on rendered heads, to learn how the detector errs: ``python -m headviz.models.collect``.

Needs the extra ``train``. Every shard is a file of its own, so the work can be stopped, resumed, and
shared by several processes. The detector is calibrated from the shards by ``headviz.models.calibrate``.
"""

from __future__ import annotations

import argparse
import time
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from safetensors.torch import save_file
from torch import Tensor

from headviz.heads.anny_source import Source, draw_heads, load_source
from headviz.heads.build import center_heads
from headviz.heads.data import HeadPicture, render_head
from headviz.heads.model import HeadModel, load_head
from headviz.heads.paint import PaintMaps, paint_maps
from headviz.heads.topology import build_topology
from headviz.photo.detect import FaceFinder

SHARD = 250
SEED = 500_000  #: the heads of shard k are drawn with seed SEED + k; never the seed of the basis


@lru_cache(maxsize=1)
def _source() -> tuple[Source, np.ndarray]:
    source = load_source()
    kept = build_topology(*(t.numpy() for t in (source.template, source.faces, source.uv, source.uv_faces))).kept
    return source, kept


def true_heads(count: int, seed: int) -> Float[Tensor, "b n 3"]:
    """Random heads straight from anny in the head model's topology, not projected to its basis."""
    source, kept = _source()
    return center_heads(draw_heads(source, count, seed).vertices[:, kept])


def coefficients(head: HeadModel, vertices: Float[Tensor, "b n 3"]) -> Float[Tensor, "b k"]:
    """Identity coefficients (standard deviations) of neutral heads by projection."""
    basis = head.identity.flatten(1)
    return ((vertices - head.mean).flatten(1) @ basis.T) / basis.pow(2).sum(1)


def observe(finder: FaceFinder, head: HeadModel, taken: HeadPicture) -> dict[str, Tensor] | None:
    """Landmarks (as the picture is, and as its mirror image says) and scores, or ``None``."""
    faces = finder.find(taken.picture)
    flipped = finder.find(taken.picture.flip(1))
    if not faces or not flipped:
        return None
    mirrored = flipped[0].landmarks[head.landmark_mirror] * torch.tensor([-1.0, 1.0, 1.0])
    mirrored[:, 0] += taken.picture.shape[1]
    scores = torch.tensor([faces[0].scores.get(name, 0.0) for name in head.expression_names])
    return {"landmarks": faces[0].landmarks, "mirrored": mirrored, "scores": scores}


def collect_shard(
    head: HeadModel, maps: PaintMaps, finder: FaceFinder, neutral: Tensor, seed: int
) -> dict[str, Tensor]:
    """Render and observe one picture of each head; heads without a detected face are left out."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Tensor]] = []
    for vertices, identity in zip(neutral, coefficients(head, neutral), strict=True):
        taken = render_head(head, maps, vertices, rng)
        seen = observe(finder, head, taken)
        if seen is not None:
            camera = taken.camera
            pose = torch.tensor([taken.yaw, taken.pitch, taken.roll, camera.focal, float(camera.width)])
            truth = {"identity": identity, "expression": taken.expression, "pose": pose}
            rows.append({**seen, **truth, "rotation": camera.rotation, "translation": camera.translation})
    return {name: torch.stack([row[name] for row in rows]).contiguous() for name in rows[0]}


def main() -> None:
    """Command line of the collection."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the shards go")
    parser.add_argument("--shards", type=int, default=66, help=f"how many shards of {SHARD} pictures")
    parser.add_argument("--worker", type=int, nargs=2, default=(0, 1), metavar=("K", "N"), help="this is worker K of N")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    head = load_head()
    maps = paint_maps(head)
    worker, workers = arguments.worker
    with FaceFinder() as finder:
        for shard in range(worker, arguments.shards, workers):
            path = arguments.folder / f"shard_{shard:04d}.safetensors"
            if path.exists():
                continue
            started = time.perf_counter()
            rows = collect_shard(head, maps, finder, true_heads(SHARD, SEED + shard), SEED + shard)
            partial = path.with_suffix(".partial")
            save_file(rows, partial)
            partial.replace(path)
            found, seconds = len(rows["pose"]), time.perf_counter() - started
            print(f"{path.name}: {found} of {SHARD} faces found, {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
