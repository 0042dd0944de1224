"""Spheres of nearly equal triangles with a texture map: the shape from which meshes are fitted and predicted."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from headviz.errors import OptionError
from headviz.geometry.mesh import Mesh

#: The finest sphere has 655,362 vertices.
MAX_SUBDIVISIONS = 8


def icosphere(subdivisions: int = 3, *, radius: float = 1.0, dtype: torch.dtype = torch.float32) -> Mesh:
    """A sphere about the origin: an icosahedron whose faces are split in four, again and again.

    It has 10·4ⁿ + 2 vertices, all on the sphere, and 20·4ⁿ faces, and is its own mirror image in x to the bit. The
    vertices of a coarser sphere come first in a finer one, and faces 4k to 4k + 3 are the parts of its face k.

    The texture is an equirectangular map of the world: u = ½ + atan2(x, z) / 2π and v = ½ + asin(y / r) / π, so that
    a face that looks along +z is at u = ½. Two poles of the icosahedron are vertices; each face around them has a
    coordinate of its own for the pole, halfway between its other two. The seam runs down the meridian on −z, and as
    no sphere of this kind has edges along a whole meridian of its mirror plane (117 of 180 degrees are heights of
    faces), 2·2ⁿ faces lie across it. They belong to the edge u = 1, and the corner that they have beyond it is drawn
    back to u = 1: there the texture is up to twice as wide as elsewhere. No face reaches from one edge to the other.

    Args:
        subdivisions: n, how often each face is split, in 0 … 8.
        radius: metres, positive.
        dtype: of vertices and texture coordinates. The sphere is computed in double precision on the processor.

    Returns:
        A mesh with ``uv`` of shape (10·4ⁿ + 3·2ⁿ + 9, 2), ``uv_faces`` and ``mirror``.

    Raises:
        OptionError: subdivisions outside 0 … 8, a radius that is not positive or not finite in this type, or a type
            that is not a floating-point one.
    """
    if not 0 <= subdivisions <= MAX_SUBDIVISIONS:
        raise OptionError(f"subdivisions should be in 0 … {MAX_SUBDIVISIONS}; there are {subdivisions}")
    if not dtype.is_floating_point:
        raise OptionError(f"dtype should be a floating-point type; it is {dtype}")
    if not 0 < radius <= torch.finfo(dtype).max:
        raise OptionError(f"the radius should be positive and finite in {dtype}; it is {radius:.4g}")
    vertices, faces, mirror = _icosahedron()
    for _ in range(subdivisions):
        vertices, faces, mirror = _split(vertices, faces, mirror)
    uv, uv_faces = _unroll(vertices, faces)
    return Mesh((radius * vertices).to(dtype), faces, uv=uv.to(dtype), uv_faces=uv_faces, mirror=mirror)


def _icosahedron() -> tuple[Float[Tensor, "12 3"], Int[Tensor, "20 3"], Int[Tensor, "12"]]:
    """Unit icosahedron with vertices at ±y and an edge from +y down to −z, its faces, its mirror.

    Below the upper pole come two rings of five in the order of their longitudes, from −180 and from −144 degrees.
    """
    turns = [2 * math.pi * k / 5 for k in range(-2, 3)]
    # Sines and cosines one by one, as those of whole arrays need not be the same for −a as for a to the last bit.
    lower = torch.tensor([[2 * math.sin(a), -1, 2 * math.cos(a)] for a in turns], dtype=torch.float64) / math.sqrt(5)
    upper = 0.0 - lower.roll(-2, 0)  # 0 − 0 is 0, −0 would be the other side of the seam
    pole = torch.tensor([[0.0, 1.0, 0.0]], dtype=torch.float64)
    faces = []
    for k in range(5):
        u, next_u, w, next_w = 1 + k, 1 + (k + 1) % 5, 6 + k, 6 + (k + 1) % 5
        faces += [[0, u, next_u], [u, w, next_u], [w, next_w, next_u], [11, next_w, w]]
    mirror = torch.tensor([0, 1, 5, 4, 3, 2, 10, 9, 8, 7, 6, 11])
    return torch.cat([pole, upper, lower, 0.0 - pole]), torch.tensor(faces), mirror


def _split(
    vertices: Float[Tensor, "n 3"], faces: Int[Tensor, "m 3"], mirror: Int[Tensor, " n"]
) -> tuple[Float[Tensor, "n2 3"], Int[Tensor, "m4 3"], Int[Tensor, " n2"]]:
    """Every face in four, the new vertices in the middle of the edges and lifted to the unit sphere."""
    count = len(vertices)
    sides = faces[:, [[1, 2], [2, 0], [0, 1]]].sort(-1).values
    keys, side = torch.unique(sides[..., 0] * count + sides[..., 1], return_inverse=True)
    ends = torch.stack([keys // count, keys % count], 1)
    middle = vertices[ends[:, 0]] + vertices[ends[:, 1]]
    x, y, z = middle.T
    middle = middle / (x * x + y * y + z * z).sqrt()[:, None]  # one by one: the same for mirror images
    twins = mirror[ends].sort(1).values
    twin = torch.searchsorted(keys, twins[:, 0] * count + twins[:, 1])
    (a, b, c), (across_a, across_b, across_c) = faces.T, (count + side).T
    parts = [a, across_c, across_b, across_c, b, across_a, across_b, across_a, c, across_a, across_b, across_c]
    return torch.cat([vertices, middle]), torch.stack(parts, 1).reshape(-1, 3), torch.cat([mirror, count + twin])


def _unroll(
    vertices: Float[Tensor, "n 3"], faces: Int[Tensor, "m 3"]
) -> tuple[Float[Tensor, "k 2"], Int[Tensor, "m 3"]]:
    """Texture coordinates of a unit sphere that is its own mirror image, and their indices."""
    x, y, z = vertices.T
    u = 0.5 + torch.atan2(x, z) / (2 * math.pi)
    v = 0.5 + torch.atan2(y, (x * x + z * z).sqrt()) / math.pi
    corner = u[faces]
    # A face that crosses x = 0 is its own mirror image, so its coordinates sum to 0 exactly.
    right = x[faces].sum(1, keepdim=True) >= 0
    pole = (x == 0)[faces] & (z == 0)[faces]
    moved = torch.where(right, corner < 0.25, corner > 0.75)
    corner = torch.where(moved, right.to(corner), corner)
    of_pole = (corner * ~pole).sum(1) / 2
    count = len(vertices)
    # No vertex is moved both to the left and to the right.
    keys = torch.where(pole, 2 * count + torch.arange(len(faces))[:, None], faces + count * moved)
    corner = torch.where(pole, of_pole[:, None], corner)
    keys, uv_faces = torch.unique(keys, return_inverse=True)
    uv = vertices.new_empty(len(keys), 2)
    uv[uv_faces] = torch.stack([corner, v[faces]], -1)
    return uv, uv_faces
