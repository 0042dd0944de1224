"""How a picture came about, as plain arrays: which faces are seen, what every stage adds, where gradients flow."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from headviz.errors import OptionError
from headviz.geometry.camera import Camera, Cameras
from headviz.geometry.mesh import Mesh
from headviz.geometry.mesh_batch import MeshBatch
from headviz.render.fragments import Fragments, fragments_of
from headviz.render.light import Lighting
from headviz.render.raster_torch import meetings
from headviz.render.soft import Contributions, SoftMask, contributions
from headviz.render.surface import MeshSurface, light_on

STEP = 1e-7  #: metres to either side over which a gradient image is measured, in float64


@dataclass(frozen=True, eq=False)
class RenderRecord:
    """Every stage of b pictures; shapes lack b where one mesh met one camera.

    Attributes:
        corners: where the vertices are seen, pixels from the upper left corner, shape (b, n, 2).
        distances: of the vertices along the optical axis, metres, shape (b, n).
        coverage: pixels in which each face is seen, shape (b, m).
        layers: how many faces each pixel's ray meets, hidden ones too, shape (b, h, w).
        colors: of the surface without light, linear RGB, shape (b, h, w, 3); 0 beside it, as all that follow.
        irradiance: light that arrives at the surface, linear RGB, shape (b, h, w, 3); 1 if drawn without light.
        highlights: what a glossy surface adds, linear RGB, shape (b, h, w, 3).
        softness: of the soft mask; ``None`` if there is none.
        pair_first: where the pairs of each pixel begin, in the numbering of pixels row by row, picture after picture,
            shape (b h w + 1,).
        pair_face, pair_distance, pair_probability: the faces that contribute to the soft mask of each uncovered pixel:
            which, how far away (pixels), and A of :mod:`headviz.render.soft`, shape (c,).
    """

    corners: Float[Tensor, "*b n 2"]
    distances: Float[Tensor, "*b n"]
    coverage: Int[Tensor, "*b m"]
    layers: Int[Tensor, "*b h w"]
    colors: Float[Tensor, "*b h w 3"]
    irradiance: Float[Tensor, "*b h w 3"]
    highlights: Float[Tensor, "*b h w 3"]
    softness: SoftMask | None
    pair_first: Int[Tensor, " _"]
    pair_face: Int[Tensor, " c"]
    pair_distance: Float[Tensor, " c"]
    pair_probability: Float[Tensor, " c"]

    def contributions(self, row: int, column: int, picture: int = 0) -> Contributions:
        """Which faces make the soft mask at one pixel, the strongest first; none at a covered pixel.

        Raises:
            OptionError: there is no such pixel.
        """
        height, width = self.layers.shape[-2:]
        count = self.layers.numel() // (height * width)
        if not (0 <= row < height and 0 <= column < width and 0 <= picture < count):
            raise OptionError(f"a pixel should be in {count} × {height} × {width}; it is {(picture, row, column)}")
        pixel = (picture * height + row) * width + column
        here = slice(int(self.pair_first[pixel]), int(self.pair_first[pixel + 1]))
        order = torch.argsort(self.pair_probability[here], descending=True, stable=True)
        return Contributions(
            torch.full_like(order, pixel), self.pair_face[here][order], self.pair_distance[here][order],
            self.pair_probability[here][order],
        )  # fmt: skip


def explained(surface: MeshSurface, light: Lighting | None, soft: SoftMask | None, *, single: bool) -> RenderRecord:
    """The record of a rendering of b meshes; with ``single``, shapes lack b."""
    meshes, cameras, pixels = surface.meshes, surface.cameras, surface.pixels
    with torch.no_grad():
        points = cameras.to_camera(meshes.vertices)
        corners = cameras.to_pixels(points)
        met = torch.cat([pixels.pixel[:0], *(pixel for pixel, _, _ in meetings(points, meshes.faces, cameras))])
        seen = pixels.covering + pixels.picture * len(meshes.faces)
        coverage = torch.bincount(seen, minlength=len(meshes) * len(meshes.faces))
        arriving, shine = torch.ones_like(surface.colors), torch.zeros_like(surface.colors)
        if light is not None:
            arriving, shine = light_on(surface, light, cameras)
        pairs = None
        if soft is not None:
            pairs = contributions(corners, points[..., 2] < 0, meshes.faces, pixels.mask, soft)
        per_pixel = torch.bincount(met[:0] if pairs is None else pairs.pixel, minlength=pixels.mask.numel())
        made = RenderRecord(
            corners=corners,
            distances=-points[..., 2],
            coverage=coverage.reshape(len(meshes), -1),
            layers=torch.bincount(met, minlength=pixels.mask.numel()).reshape(pixels.mask.shape),
            colors=pixels.spread(surface.colors),
            irradiance=pixels.spread(arriving),
            highlights=pixels.spread(shine),
            softness=soft,
            pair_first=torch.cat([per_pixel.new_zeros(1), per_pixel.cumsum(0)]),
            pair_face=met[:0] if pairs is None else pairs.face,
            pair_distance=points.new_zeros(0) if pairs is None else pairs.distance,
            pair_probability=points.new_zeros(0) if pairs is None else pairs.probability,
        )
    names = ("corners", "distances", "coverage", "layers", "colors", "irradiance", "highlights")
    return replace(made, **{name: getattr(made, name)[0] for name in names}) if single else made


@dataclass(frozen=True, eq=False)
class GradientImage:
    """How every pixel changes when one vertex moves: what a loss on the picture can tell the vertex.

    Attributes:
        vertex: which.
        picture: change of linear RGB per metre that the vertex moves along x, y, z, shape (h, w, 3 colours, 3 axes).
        soft_mask: change of the soft mask per metre, shape (h, w, 3 axes); 0 where none was asked for.
    """

    vertex: int
    picture: Float[Tensor, "h w 3 3"]
    soft_mask: Float[Tensor, "h w 3"]


def gradient_image(
    mesh: Mesh, camera: Camera, vertex: int, *, light: Lighting | None = None, soft: SoftMask | None = None
) -> GradientImage:
    """The derivative of a picture by the place of one vertex, as the backward pass sees it: visible faces are held.

    So are normals that the mesh brings; without any, those of the faces around follow the vertex.

    Central differences in float64 over 0.2 µm, with the same faces at all pixels, for automatic differentiation gives
    the derivative of a sum of pixels by many vertices, not that of many pixels by one vertex.

    Args:
        mesh: what is drawn.
        camera: from where.
        vertex: index of the vertex.
        light: as of :func:`~headviz.render.shade.render`.
        soft: as there.

    Raises:
        OptionError: there is no such vertex.
    """
    from headviz.render.shade import RenderSettings, render

    if not 0 <= vertex < len(mesh.vertices):
        raise OptionError(f"vertex should be in 0 to {len(mesh.vertices) - 1}; it is {vertex}")
    held = _double(mesh)
    face = render(mesh, camera).fragments.face[None]

    def hold(vertices: Tensor, faces: Tensor, cameras: Cameras) -> Fragments:
        return fragments_of(cameras.to_camera(vertices), faces, cameras, face)

    settings = RenderSettings(backend=hold)
    cameras = Cameras.of(camera)
    cameras = Cameras(
        cameras.rotation.double(), cameras.translation.double(), cameras.focal.double(), cameras.center.double(),
        camera.width, camera.height,
    )  # fmt: skip
    pictures, masks = [], []
    with torch.no_grad():
        for axis in range(3):
            ends = []
            for side in (STEP, -STEP):
                moved = held.vertices.clone()
                moved[0, vertex, axis] += side
                ends.append(render(replace(held, vertices=moved), cameras, light=light, soft=soft, settings=settings))
            pictures.append((ends[0].picture - ends[1].picture)[0] / (2 * STEP))
            some = [end.soft_mask for end in ends if end.soft_mask is not None]
            masks.append((some[0] - some[1])[0] / (2 * STEP) if some else torch.zeros_like(pictures[-1][..., 0]))
    like = mesh.vertices.dtype
    return GradientImage(vertex, torch.stack(pictures, -1).to(like), torch.stack(masks, -1).to(like))


def _double(mesh: Mesh) -> MeshBatch:
    batch = MeshBatch.of(mesh)
    values = {name: getattr(batch, name) for name in ("vertices", "uv", "texture", "colors", "normals")}
    return replace(batch, **{name: value.double() for name, value in values.items() if value is not None})
