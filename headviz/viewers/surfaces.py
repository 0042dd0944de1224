"""Meshes in pictures: shaded as everywhere in headviz, with the camera, so that marks find their place."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped, UInt8

from headviz.geometry.camera import Camera, look_at_head
from headviz.geometry.color import to_uint8
from headviz.geometry.mesh import Mesh, vertex_normals
from headviz.render.light import headlight
from headviz.render.shade import render
from headviz.viewers.picture import hexadecimal

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIDE = 640  # pixels of a shaded picture
_FOCAL = 3.2


def camera_of(points: Float[np.ndarray, "n 3"], *, yaw: float = 0.0, pitch: float = 0.0, side: int = _SIDE) -> Camera:
    """A camera that sees all points, turned by yaw (from the head's left if positive) and pitch, in degrees."""
    low, high = points.min(axis=0), points.max(axis=0)
    middle, radius = (low + high) / 2, float(np.linalg.norm(high - low)) / 2
    return look_at_head(
        yaw=math.radians(yaw), pitch=math.radians(pitch), target=(float(middle[0]), float(middle[1]), float(middle[2])),
        focal=_FOCAL, size=side, distance=max(radius, 1e-9) * (0.3 + 2 * _FOCAL),
    )  # fmt: skip


def surface_picture(
    vertices: Float[np.ndarray, "n 3"],
    faces: Int[np.ndarray, "m 3"],
    camera: Camera,
    *,
    colors: Float[np.ndarray, "n 3"] | None = None,
    paper: str = "#f6f5f2",
) -> UInt8[np.ndarray, "h w 3"]:
    """The lit mesh, 8-bit sRGB; in skin colour where it has no colours of its own (linear RGB per vertex)."""
    paint = None if colors is None else torch.as_tensor(np.asarray(colors, dtype=np.float32))
    mesh = Mesh(
        torch.as_tensor(np.asarray(vertices, dtype=np.float32)), torch.as_tensor(np.asarray(faces, dtype=np.int64)),
        colors=paint,
    )  # fmt: skip
    lit = replace(mesh, normals=vertex_normals(mesh.vertices, mesh.faces))
    paper_color = torch.tensor(hexadecimal(paper), dtype=torch.float32)
    return to_uint8(render(lit, camera, light=headlight(), background=paper_color).picture)


def draw_surface(
    axes: Axes,
    vertices: Float[np.ndarray, "n 3"],
    faces: Int[np.ndarray, "m 3"],
    *,
    yaw: float = 0.0,
    pitch: float = 0.0,
    colors: Float[np.ndarray, "n 3"] | None = None,
) -> Camera:
    """A mesh in an axes of matplotlib, with a scale bar.

    Returns:
        The camera: :func:`place` gives the spot of a point in the same axes.
    """
    import matplotlib as mpl

    camera = camera_of(vertices, yaw=yaw, pitch=pitch)
    paper: Any = mpl.rcParams["figure.facecolor"]
    show_picture(axes, surface_picture(vertices, faces, camera, colors=colors, paper=str(paper)))
    scale_bar(axes, vertices, camera)
    return camera


def show_picture(axes: Axes, picture: Shaped[np.ndarray, "h w 3"]) -> None:
    """A picture with its pixels as coordinates and no ticks."""
    height, width = picture.shape[:2]
    axes.imshow(picture, extent=(0, width, height, 0), interpolation="antialiased")
    axes.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def place(camera: Camera, points: Shaped[np.ndarray, "n 3"]) -> Shaped[np.ndarray, "n 2"]:
    """Where points lie in the picture of a camera, pixels, shape (n, 2)."""
    return camera.project(torch.as_tensor(np.asarray(points, dtype=np.float32))).numpy()


def scale_bar(axes: Axes, vertices: Float[np.ndarray, "n 3"], camera: Camera) -> None:
    """A bar of a round length, as long as it looks in the middle of the mesh."""
    middle = (vertices.min(axis=0) + vertices.max(axis=0)) / 2
    distance = float(np.linalg.norm(camera.position.numpy() - middle))
    pixels_per_metre = camera.focal / distance
    wanted = camera.width / 5 / pixels_per_metre
    power = 10.0 ** math.floor(math.log10(wanted))
    bar = next(k for k in (5, 2, 1) if k * power <= wanted) * power
    left, down = 0.04 * camera.width, 0.96 * camera.height
    color = axes.xaxis.label.get_color()
    axes.plot([left, left + bar * pixels_per_metre], [down, down], color=color, linewidth=1.5, solid_capstyle="butt")
    text = f"{bar * 1000:g} mm" if bar < 0.1 else f"{bar:g} m"
    axes.text(left, down - 0.012 * camera.height, text, color=color, size=8, va="bottom")
