"""What a window shows of each kind of viewer. Every scene draws one state; actors are replaced by name."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped
from PIL import Image

from headviz.viewers import look
from headviz.viewers.viewer import Viewer

#: A box: lower and upper corner, metres.
BOX = tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]
_MOST_SPHERES = 24  #: safe spheres of a ray that are drawn, the newest
_MOST_BOXES = 60_000  #: cells of a level that are drawn


class Scene(ABC):
    """How one kind of viewer is drawn.

    Attributes:
        flat: whether it is a picture, which is not turned.
        home: yaw and pitch of the first view, degrees.
    """

    flat = False
    home = (28.0, 12.0)

    @abstractmethod
    def draw(self, plotter: Any, viewer: Viewer) -> None:
        """Draw a state; what an earlier state has drawn is replaced."""

    @abstractmethod
    def box(self, viewer: Viewer) -> BOX:
        """What should be seen."""


def scene_of(viewer: Viewer) -> Scene:
    """The scene for a viewer; a picture of it where there is none of its own."""
    scenes: dict[str, type[Scene]] = {
        "mesh": MeshScene, "reconstruction": HeadScene, "trace": TraceScene, "cubes": CubesScene, "octree": OctreeScene,
    }  # fmt: skip
    return scenes.get(viewer.kind, PictureScene)()


def surface(vertices: Shaped[np.ndarray, "n 3"], faces: Shaped[np.ndarray, "m 3"]) -> Any:
    """A triangle mesh of pyvista."""
    import pyvista

    sizes = np.full((len(faces), 1), 3)
    flat = np.concatenate([sizes, faces.astype(np.int64)], axis=1).ravel()
    return pyvista.PolyData(vertices.astype(np.float32), flat)


def box_of(points: Shaped[np.ndarray, "n 3"]) -> BOX:
    """The box around some points."""
    wide = points.astype(np.float64)
    return wide.min(axis=0), wide.max(axis=0)


def add(plotter: Any, name: str, mesh: Any, **options: Any) -> None:
    """Draw a mesh under a name, instead of what had it; nothing where it is empty."""
    if mesh is None or mesh.n_points == 0:
        plotter.remove_actor(name, render=False)
        return
    plotter.add_mesh(mesh, name=name, reset_camera=False, render=False, **options)


SKIN: dict[str, Any] = {"color": look.SKIN, "smooth_shading": True, "specular": 0.1, "ambient": 0.1}


class MeshScene(Scene):
    """A surface, or its edges."""

    def draw(self, plotter: Any, viewer: Viewer) -> None:
        """Draw it."""
        arrays = viewer.record.arrays
        style = "wireframe" if getattr(viewer.state, "wireframe", False) else "surface"
        add(plotter, "surface", surface(arrays["vertices"], arrays["faces"]), style=style, **SKIN)

    def box(self, viewer: Viewer) -> BOX:
        """Its own."""
        return box_of(viewer.record.arrays["vertices"])


class HeadScene(Scene):
    """The head of a reconstruction as far as it is known at the stage."""

    def draw(self, plotter: Any, viewer: Any) -> None:
        """Draw the average head, the fitted one, or that with its texture, cut where the slice is."""
        from headviz.viewers.reconstruction_picture import posed, surface_of
        from headviz.viewers.reconstruction_record import unjpeg

        arrays = viewer.record.arrays
        known = viewer.stage not in ("photograph", "face", "landmarks")
        points = posed(viewer) if known or "average" not in arrays else arrays["average"]
        mesh = surface(points[arrays["source"]], arrays["faces"])
        options = dict(SKIN)
        if surface_of(viewer) == "texture":
            mesh.active_texture_coordinates = arrays["uv"]
            options = {"texture": texture(unjpeg(arrays["texture"])), "smooth_shading": True, "ambient": 0.5,
                       "diffuse": 0.5}  # fmt: skip
        if viewer.stage == "distance":
            axis, reach = "xyz".index(viewer.choice.axis), viewer.record.facts["field"]["reach"]
            mesh = mesh.clip(normal=np.eye(3)[axis], origin=viewer.choice.position * np.eye(3)[axis])
            scale = {"scalars": "distance", "clim": [-reach, reach], "cmap": signed(), "show_scalar_bar": False}
            add(plotter, "slice", self._slice(viewer), lighting=False, **scale)
        else:
            plotter.remove_actor("slice", render=False)
        add(plotter, "surface", mesh, **options)

    def _slice(self, viewer: Any) -> Any:
        """The inside of the slice, in the signed colours."""
        import pyvista

        axis = "xyz".index(viewer.choice.axis)
        spacing = viewer.grid.spacing.numpy().copy()
        origin = viewer.grid.origin.numpy().copy()
        origin[axis] = viewer.choice.position
        values = np.expand_dims(viewer.slice(), axis)
        image = pyvista.ImageData(dimensions=values.shape, spacing=spacing, origin=origin)
        image["distance"] = values.ravel(order="F")
        return image.clip_scalar(scalars="distance", value=0.0, invert=True) if values.min() < 0 else None

    def box(self, viewer: Viewer) -> BOX:
        """The neutral head's."""
        return box_of(viewer.record.arrays["vertices"])


class TraceScene(Scene):
    """The surface, the chosen ray, and its safe spheres up to the step."""

    home = (87.0, 14.0)  # from beside the camera, or its rays would be seen as points

    def draw(self, plotter: Any, viewer: Any) -> None:
        """Draw it."""
        import pyvista

        arrays = viewer.record.arrays
        if "surface" not in plotter.actors:
            add(plotter, "surface", surface(arrays["vertices"], arrays["faces"]), **SKIN | {"opacity": 0.35})
        looks = viewer.looks()
        done = np.flatnonzero(looks.step <= viewer.state.step)
        for number in range(_MOST_SPHERES):
            plotter.remove_actor(f"sphere {number}", render=False)
        for name in ("ray", "looks", "now"):
            plotter.remove_actor(name, render=False)
        if not len(done):
            return
        places = looks.positions[done]
        if len(done) > 1:
            add(plotter, "ray", pyvista.lines_from_points(places), color=look.INK, line_width=2)
            add(
                plotter,
                "looks",
                pyvista.PolyData(places[:-1]),
                color=look.SOFT,
                point_size=8,
                render_points_as_spheres=True,
            )
        for number, which in enumerate(done[::-1][:_MOST_SPHERES]):
            radius = abs(float(looks.distance[which]))
            if radius > 0:
                ball = pyvista.Sphere(
                    radius=radius, center=looks.positions[which], theta_resolution=40, phi_resolution=24
                )
                color, opacity = (look.CURRENT, 0.35) if number == 0 else (look.MISSED, 0.12)
                add(plotter, f"sphere {number}", ball, color=color, opacity=opacity, smooth_shading=True)
        ended = viewer.state.step >= int(looks.step[-1]) and viewer.numbers.get("ended") is not None
        color = look.HIT if ended and abs(float(looks.distance[done[-1]])) < 1e-3 else look.CURRENT
        add(plotter, "now", pyvista.PolyData(places[-1:]), color=color, point_size=14, render_points_as_spheres=True)

    def box(self, viewer: Viewer) -> BOX:
        """That of the surface."""
        return box_of(viewer.record.arrays["vertices"])


class CubesScene(Scene):
    """The faces of the cells done, the rest translucent, and the current cell."""

    def draw(self, plotter: Any, viewer: Any) -> None:
        """Draw it."""
        arrays, facts = viewer.record.arrays, viewer.record.facts
        vertices, faces = arrays["vertices"], arrays["faces"]
        if "rest" not in plotter.actors:
            add(plotter, "rest", surface(vertices, faces), color=look.MISSED, opacity=0.12)
        done = faces[: viewer.done]
        add(plotter, "surface", surface(vertices, done) if len(done) else None, color=look.SKIN, show_edges=True,
            edge_color=look.SOFT, line_width=0.5, ambient=0.35)  # fmt: skip
        current = None
        if viewer.number is not None:
            low = np.asarray(facts["origin"]) + facts["spacing"] * arrays["cells"][viewer.number].astype(float)
            current = boxes_of(low[None], np.full(1, facts["spacing"]))
        add(plotter, "now", current, style="wireframe", color=look.CURRENT, line_width=4, lighting=False)

    def box(self, viewer: Viewer) -> BOX:
        """That of the surface."""
        return box_of(viewer.record.arrays["vertices"])


class OctreeScene(Scene):
    """The cells of the current level that are split or kept, and the surface."""

    def draw(self, plotter: Any, viewer: Any) -> None:
        """Draw it."""
        from headviz.viewers.subdivision_record import DROPPED

        vertices, faces = viewer.surface()
        if len(faces) and viewer.view.surface:
            if "surface" not in plotter.actors:
                add(plotter, "surface", surface(vertices, faces), **SKIN | {"opacity": 0.6})
        else:
            plotter.remove_actor("surface", render=False)
        level = viewer.level
        cells, reasons = viewer.on_level("cells", level), viewer.on_level("reasons", level)
        side = viewer.lattice["spacing"] * viewer.levels[level]["size"]
        low = np.asarray(viewer.lattice["origin"]) + viewer.lattice["spacing"] * cells.astype(float)
        kept = ~np.isin(reasons, DROPPED)
        if viewer.view.cut:
            kept &= low[:, viewer.fixed] <= viewer.view.position
        low = low[kept][:: max(1, -(-int(kept.sum()) // _MOST_BOXES))]
        add(plotter, "cells", boxes_of(low, np.full(len(low), side)) if len(low) else None, style="wireframe",
            color=look.CURRENT, line_width=1.5, lighting=False)  # fmt: skip

    def box(self, viewer: Any) -> BOX:
        """That of the lattice."""
        low = np.asarray(viewer.lattice["origin"], dtype=float)
        return low, low + viewer.lattice["spacing"] * np.asarray(viewer.lattice["cells"], dtype=float)


class PictureScene(Scene):
    """The picture that matplotlib draws, for what lies in the plane."""

    flat = True

    def draw(self, plotter: Any, viewer: Viewer) -> None:
        """Draw it as a rectangle with a texture."""
        import pyvista

        from headviz.viewers.picture import style

        with style():
            from matplotlib.figure import Figure

            figure = Figure(figsize=viewer.size, layout="constrained")
            viewer.draw(figure)
            file = io.BytesIO()
            figure.savefig(file, format="png", dpi=110)
        picture = np.asarray(Image.open(file).convert("RGB"))
        low, high = self.box(viewer)
        size = high - low
        sheet = pyvista.Plane(center=(0, 0, 0), direction=(0, 0, 1), i_size=size[0], j_size=size[1])
        add(plotter, "picture", sheet, texture=texture(picture), lighting=False)

    def box(self, viewer: Viewer) -> BOX:
        """A rectangle of the picture's shape, 1 wide."""
        half = np.array([0.5, 0.5 * viewer.size[1] / viewer.size[0], 0.0])
        return -half, half


def boxes_of(low: Float[np.ndarray, "n 3"], sides: Float[np.ndarray, " n"]) -> Any:
    """Cubes by lower corner and side, as one mesh of quadrilaterals."""
    import pyvista

    corner = np.array([[k & 1, k >> 1 & 1, k >> 2] for k in range(8)], dtype=float)
    points = (low[:, None] + sides[:, None, None] * corner).reshape(-1, 3)
    quads: Int[np.ndarray, "6 4"] = np.array(
        [[0, 1, 3, 2], [4, 5, 7, 6], [0, 1, 5, 4], [2, 3, 7, 6], [0, 2, 6, 4], [1, 3, 7, 5]]
    )
    faces = (8 * np.arange(len(low))[:, None, None] + quads).reshape(-1, 4)
    flat = np.concatenate([np.full((len(faces), 1), 4), faces], axis=1).ravel()
    return pyvista.PolyData(points, flat)


def texture(picture: Shaped[np.ndarray, "h w 3"]) -> Any:
    """A picture for a surface."""
    import pyvista

    made: Any = pyvista.Texture
    return made(picture)


def signed() -> Any:
    """The colour map of signed values."""
    from headviz.viewers.picture import colormap

    return colormap("signed")
