"""Watch the steps: one page with the way to a head, and with rays, contours and trees through its own field."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from headviz.geometry.extract import extract_surface
from headviz.geometry.field import Field
from headviz.models.reconstruction import Reconstruction
from headviz.viewers.cubes import view_cubes
from headviz.viewers.octree import view_octree
from headviz.viewers.page import write_page
from headviz.viewers.ray import view_ray
from headviz.viewers.reconstruction import view_reconstruction
from headviz.viewers.slices import KEPT, Slice
from headviz.viewers.squares import view_squares
from headviz.viewers.trace import view_trace
from headviz.viewers.viewer import Viewer

Progress = Callable[[str], None]
TITLE = "Watch the steps"
PIXELS = 128  #: side of the traced picture
CELLS_2D, CELLS_3D, LEVELS = 24, 24, 64  #: of the contour, of the surface, and of the tree, along the longest side
COMPARED = (8, 16, 32)  #: resolutions at which the octree's methods are compared
PREVIEW = 64  #: cells along the longest side of the surface beside the rays


class SlicedField:
    """A field in space of which only samples in one plane are asked: the distance to a mesh takes long at every point.

    Args:
        field: where its surface is.
        cut: its samples in a plane across an axis, which give the values everywhere along that axis.
    """

    def __init__(self, field: Field, cut: Slice) -> None:
        assert cut.plane is not None
        self.bounds: Float[Tensor, "2 3"] = field.bounds.detach().double().cpu()
        self.lipschitz = cut.grid.lipschitz
        self._grid, self._kept = cut.grid, list(KEPT[cut.plane[0]])

    def __call__(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Values in metres, shape (n,)."""
        found: Tensor = self._grid(points[:, self._kept].double())
        return found


def watch_steps(
    reconstruction: Reconstruction, path: Path | str, *, title: str = TITLE, progress: Progress = lambda _: None
) -> Path:
    """Write the page on which the way to a head can be watched, and the algorithms at work on it.

    Args:
        reconstruction: the head; one without a field gets a page with its own viewer alone.
        path: the HTML file.
        title: heading of the page.
        progress: called with what is being done.

    Raises:
        MeshError: the head has no faces, or vertices that are not finite.
        OutputError: the file cannot be written.
        HeadvizError: the browser module has not been built.
    """
    viewers = steps_viewers(reconstruction, progress=progress)
    progress("writing the page")
    return write_page(path, viewers, title=title)


def steps_viewers(reconstruction: Reconstruction, *, progress: Progress = lambda _: None) -> list[Viewer]:
    """The viewers of the page, all linked.

    Args:
        reconstruction: the head.
        progress: called with what is being done.
    """
    made: list[Viewer] = [
        view_reconstruction(reconstruction, title="From the photograph to the head", progress=progress)
    ]
    if reconstruction.field is not None:
        made += field_viewers(reconstruction.field, progress=progress)
    return made


def field_viewers(field: Field, *, progress: Progress = lambda _: None) -> list[Viewer]:
    """Rays, contour, surface and tree of one field, linked."""
    progress("sending a ray through the profile")
    ray = view_ray(field, title="Sphere tracing: one ray through the profile")
    progress("sending rays from a camera")
    preview = extract_surface(field, resolution=PREVIEW).mesh
    trace = view_trace(field, size=PIXELS, mesh=preview, title="Sphere tracing: every ray of a picture")
    progress("finding the profile, cell by cell")
    sliced = SlicedField(field, ray.slice)
    squares = view_squares(sliced, resolution=CELLS_2D, title="Marching squares: the profile, cell by cell")
    progress("finding the surface, cell by cell")
    cubes = view_cubes(field, resolution=CELLS_3D, title="Marching cubes: the surface, cell by cell")
    progress("splitting cells where the surface may be")
    octree = view_octree(
        field, resolution=LEVELS, compare=COMPARED, title="Octree: where the field was evaluated, and why"
    )
    return [ray, trace, squares, cubes, octree]
