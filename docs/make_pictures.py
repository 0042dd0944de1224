"""Draws the pictures of the README and the documentation: python docs/make_pictures.py [FOLDER].

``viewers.png`` shows five viewers in their picture shell, ``ray.gif`` a ray on its way; the first needs half a minute.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image

from headviz import viewers
from headviz.geometry import preset
from headviz.viewers import Viewer
from headviz.viewers.look import PAPER
from headviz.viewers.picture import picture_bytes

HERE = Path(__file__).parent
WIDTH, GAP = 1500, 24  #: pixels


def chosen() -> list[tuple[Viewer, ...]]:
    """The viewers of each row, each at a telling step."""
    head, profile = preset("head"), preset("head_profile")
    ray = viewers.view_ray(head, title="Sphere tracing: one ray")
    trace = viewers.view_trace(head, size=128, title="Sphere tracing: a picture")
    squares = viewers.view_squares(profile, title="Marching squares")
    cubes = viewers.view_cubes(head, title="Marching cubes")
    quadtree = viewers.view_quadtree(profile, title="Quadtree")
    octree = viewers.view_octree(head, resolution=32, title="Octree")
    return [
        (ray.at(step=min(4, ray.steps - 1)), trace.at(step=9)),
        (squares.at(step=squares.steps // 2), cubes.at(step=cubes.steps // 2)),
        (quadtree.at(step=4), octree.at(step=3)),
    ]


def sheet(rows: list[tuple[Viewer, ...]]) -> Image.Image:
    """Viewers side by side, row below row, each as wide as its share of the row."""
    lines: list[list[Image.Image]] = []
    side = (WIDTH - 3 * GAP) // 2
    for row in rows:
        pictures = [Image.open(io.BytesIO(picture_bytes(viewer, dpi=160))).convert("RGB") for viewer in row]
        lines.append([p.resize((side, round(p.height * side / p.width)), Image.Resampling.LANCZOS) for p in pictures])
    height = GAP + sum(max(p.height for p in line) + GAP for line in lines)
    canvas = Image.new("RGB", (WIDTH, height), PAPER)
    top = GAP
    for line in lines:
        for column, picture in enumerate(line):
            canvas.paste(picture, (GAP + column * (side + GAP), top))
        top += max(p.height for p in line) + GAP
    return canvas


def main(folder: Path) -> None:
    """Draw them all."""
    rows = chosen()
    sheet(rows).save(folder / "viewers.png", optimize=True)
    rows[0][0].at(step=0).to_gif(folder / "ray.gif", dpi=80)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
