"""Which face every pixel sees, and where on it: fragments, differentiable in the mesh and in the cameras."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from headviz.errors import ShapeError
from headviz.geometry.camera import Cameras


class CoveredPixels:
    """Pixels of one picture, or of b pictures, that see something; arrays with one row each are in row order.

    Attributes:
        mask: which pixels, shape (h, w) or (b, h, w).
    """

    mask: Bool[Tensor, "*b h w"]

    @cached_property
    def pixel(self) -> Int[Tensor, " p"]:
        """Number of each covered pixel, counted row by row, picture after picture, shape (p,)."""
        return self.mask.reshape(-1).nonzero()[:, 0]

    @cached_property
    def picture(self) -> Int[Tensor, " p"]:
        """Number of the picture that each covered pixel is in, shape (p,)."""
        height, width = self.mask.shape[-2:]
        return self.pixel // (height * width)

    def spread(self, values: Float[Tensor, "..."], beside: float = 0.0) -> Float[Tensor, "..."]:
        """Values of covered pixels as pictures, shape (…, h, w, …); ``beside`` where uncovered."""
        out = values.new_full((self.mask.numel(), *values.shape[1:]), beside)
        return out.index_copy(0, self.pixel, values).reshape(*self.mask.shape, *values.shape[1:])


@dataclass(frozen=True, eq=False)
class Fragments(CoveredPixels):
    """What the pixels of one picture, or of b pictures, see.

    Attributes:
        face: index of the face nearest to the camera, −1 where there is none, shape (h, w) or (b, h, w).
        weights: perspective-correct weights of the face's corners at each covered pixel, shape (p, 3).
        depths: distance along the optical axis of each covered pixel, metres, shape (p,).
    """

    face: Int[Tensor, "*b h w"]
    weights: Float[Tensor, "p 3"]
    depths: Float[Tensor, " p"]

    @cached_property
    def mask(self) -> Bool[Tensor, "*b h w"]:  # type: ignore[override]
        """Covered pixels."""
        return self.face >= 0

    @cached_property
    def covering(self) -> Int[Tensor, " p"]:
        """The face of each covered pixel, shape (p,)."""
        return self.face.reshape(-1)[self.pixel].long()

    @property
    def barycentric(self) -> Float[Tensor, "*b h w 3"]:
        """Weights at every pixel; 0 where uncovered."""
        return self.spread(self.weights)

    @property
    def depth(self) -> Float[Tensor, "*b h w"]:
        """Depth of every pixel, metres; infinite where uncovered."""
        return self.spread(self.depths, torch.inf)

    def at(self, values: Float[Tensor, "..."], index: Int[Tensor, "m 3"]) -> Float[Tensor, "p c"]:
        """Values at the corners, interpolated at the covered pixels.

        Args:
            values: shape (n, c), or one set per picture, shape (b or 1, n, c).
            index: of each face's corners, shape (m, 3).
        """
        corners = index.index_select(0, self.covering)
        if values.ndim == 3 and len(values) > 1:
            corners = corners + (self.picture * values.shape[1])[:, None]
        flat = values.reshape(-1, values.shape[-1])
        weights = self.weights.to(values.dtype)
        found = [weights[:, k : k + 1] * flat.index_select(0, corners[:, k]) for k in range(3)]
        return found[0] + found[1] + found[2]

    def interpolate(self, attribute: Float[Tensor, "..."], faces: Int[Tensor, "m 3"]) -> Float[Tensor, "*b h w c"]:
        """Attribute per corner index, shape (n, c) or (b, n, c), at every pixel; 0 where uncovered."""
        return self.spread(self.at(attribute, faces))


def corner_areas(
    corners: Float[Tensor, "p 3 3"], x: Float[Tensor, " p"], y: Float[Tensor, " p"]
) -> Float[Tensor, "p 3"]:
    """Weights, up to their sum, of the corners of faces where rays meet the faces' planes.

    A ray through (x, y, −1) is, at the depth zⱼ of corner j, beside it by aⱼ = (xⱼ − zⱼ x, yⱼ − zⱼ y). The weight of
    corner i is the area aⱼ × aₖ that the other two span: linear in the picture (M. Olano and T. Greer, "Triangle scan
    conversion using 2D homogeneous coordinates", Graphics Hardware 1997), without a division by a depth, so
    that corners behind the camera need no clipping, and in differences that are small where the corners are close.
    The ray meets the inside of the face where no two weights differ in sign.

    Args:
        corners: in the camera's frame, metres, shape (p, 3, 3).
        x: of the ray at depth 1, shape (p,).
        y: of the ray at depth 1, shape (p,).
    """
    depth = -corners[..., 2]
    a = torch.addcmul(corners[..., 0], depth, x[:, None], value=-1)
    b = torch.addcmul(corners[..., 1], depth, y[:, None], value=-1)
    return torch.stack(
        [
            a[:, 1] * b[:, 2] - a[:, 2] * b[:, 1],
            a[:, 2] * b[:, 0] - a[:, 0] * b[:, 2],
            a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0],
        ],
        dim=1,
    )


def fragments_of(
    points: Float[Tensor, "b n 3"], faces: Int[Tensor, "m 3"], cameras: Cameras, face: Int[Tensor, "b h w"]
) -> Fragments:
    """Fragments of pixels whose faces are known; gradients flow to the points and to the cameras' focal and centre.

    Which face a pixel sees does not change continuously, so any ray caster may have found it; where on the face the
    pixel's ray meets it does (W. Chen et al., "Learning to predict 3D objects with an interpolation-based
    differentiable renderer", NeurIPS 2019, section 3.1, here perspective-correct).

    Args:
        points: corners in the cameras' frames, metres, shape (b, n, 3).
        faces: shape (m, 3).
        cameras: b of them.
        face: index of a face, −1 for none, shape (b, h, w).

    Raises:
        ShapeError: there are not as many pictures, or not of the cameras' size.
    """
    wanted = (len(points), cameras.height, cameras.width)
    if tuple(face.shape) != wanted or len(cameras) != len(points):
        raise ShapeError(f"the faces that {len(cameras)} cameras see should have shape {wanted}; "
                         f"shape is {tuple(face.shape)}")  # fmt: skip
    seen = Fragments(face, points.new_zeros(0, 3), points.new_zeros(0))
    pixel, picture = seen.pixel, seen.picture
    columns, rows = cameras.image_plane()
    row = pixel // cameras.width  # of all pictures, one below the other
    x = columns.reshape(-1).index_select(0, picture * cameras.width + pixel - row * cameras.width)
    y = rows.reshape(-1).index_select(0, row)
    index = faces.index_select(0, seen.covering) + (picture * points.shape[1])[:, None]
    corners = points.reshape(-1, 3).index_select(0, index.reshape(-1)).reshape(-1, 3, 3)
    areas = corner_areas(corners, x, y)
    weights = areas / areas.sum(1, keepdim=True)
    made = Fragments(face, weights, -(weights * corners[..., 2]).sum(1))
    made.__dict__.update({name: seen.__dict__[name] for name in ("mask", "pixel", "picture", "covering")})
    return made
