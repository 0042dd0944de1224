"""Writes the live pages that the documentation shows, one per viewer: python docs/make_pages.py [FOLDER].

``make docs`` calls it. The pages are small enough to be read on a telephone and are not kept in the repository.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from headviz import assets, models, viewers
from headviz.geometry import preset
from headviz.heads.model import load_head
from headviz.heads.paint import paint, paint_maps
from headviz.photo.picture import load_picture
from headviz.sculpt import Brush, Keypoint, SetKeypoints, Stroke
from headviz.sculpt.files import start_named
from headviz.viewers import Viewer

HERE = Path(__file__).parent


def reconstruction() -> Viewer:
    """The head of the astronaut."""
    made = models.load("landmark-fit").reconstruct(load_picture(assets.path("pictures/astronaut.png")))
    return viewers.view_reconstruction(made, title="From a photograph to a head")


def sculpted() -> Viewer:
    """The packaged head with three steps, to go on from."""
    session = start_named("head", load_head().mesh())
    session.apply(Stroke(Brush("inflate", 0.03), ((0.045, -0.03, 0.02), (0.05, -0.03, 0.015))))
    session.apply(SetKeypoints((Keypoint((0.0, -0.076, 0.0393), (0.0, -0.006, 0.006), alpha=4000.0),)))
    session.apply(Stroke(Brush("grab", 0.025), ((0.0, -0.015, 0.06),), (0.0, 0.004, 0.012)))
    return viewers.view_sculpt(session, title="Sculpt a head")


def rendering() -> Viewer:
    """The packaged head, painted."""
    head = load_head()
    painted = paint(paint_maps(head, 512), np.random.default_rng(7))
    mesh = replace(head.mesh(morphs=False), texture=painted.float())
    return viewers.view_rendering(mesh, title="How a mesh becomes a picture")


PAGES: dict[str, Callable[[], Viewer]] = {
    "ray": lambda: viewers.view_ray(preset("head"), title="One ray through the profile of a head"),
    "trace": lambda: viewers.view_trace(preset("head"), size=128, title="Every ray of a picture"),
    "squares": lambda: viewers.view_squares(preset("head_profile"), title="Marching squares"),
    "cubes": lambda: viewers.view_cubes(preset("head"), title="Marching cubes"),
    "quadtree": lambda: viewers.view_quadtree(preset("head_profile"), title="Quadtree of a profile"),
    "octree": lambda: viewers.view_octree(preset("head"), resolution=32, title="Octree of a head"),
    "reconstruction": reconstruction,
    "rendering": rendering,
    "sculpt": sculpted,
}


def main(folder: Path) -> None:
    """Write all pages."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in PAGES.items():
        path = make().to_html(folder / f"{name}.html")
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")  # noqa: T201 -- what a program in a terminal is for


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "_static" / "viewers")
