"""A field given by samples on a regular grid, interpolated between them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from headviz.errors import BoundsError, FieldError, ResolutionError, ShapeError
from headviz.geometry.field import CHUNK, ArrayField, Field, evaluate
from headviz.geometry.lattice import lattice_in

#: More samples than this, 4 GB in single precision, are taken for a mistake.
MOST_SAMPLES = 1 << 30


class GridField(ArrayField):
    """Samples on a grid, interpolated trilinearly (bilinearly in the plane).

    Sample (i, j, k) is at ``origin + spacing · (i, j, k)``. Between samples the field is exactly the interpolant, which
    is continuous; its gradient jumps from cell to cell.

    Outside the grid, at distance d from its nearest point with value v: if all samples on the border are positive, the
    surface is inside and the value is √(v² + (L·d)²) with L the Lipschitz bound. A field with bound L that has the
    grid's surface has no lower safe value there, so a ray may step by it. If a sample on the border is not positive,
    the surface leaves the grid and nothing is known of it outside; the value there is v, which continues the surface
    straight on. Both are continuous, have the bound L, and no surface outside that does not touch the border.

    Values are differentiable by the points and by the samples, second derivatives by the points within a cell included.

    Args:
        values: samples, shape (nx, ny, nz) or (nx, ny), at least 2 along each axis.
        origin: where the first sample is, metres, shape (3,) or (2,); 0 by default.
        spacing: distance between samples, metres: one number, or one per axis.

    Attributes:
        lipschitz: the greatest slope of the interpolant, exact. A cell's gradient is longest at one of its corners,
            since |∇f|² is convex along each axis; there it is made of the differences along the three edges.
        exact: ``False``; interpolated distances are not distances.
        closed: whether all samples on the border are positive.

    Raises:
        ShapeError: the values are no grid of the plane or of space, or origin or spacing do not fit to it.
        FieldError: a sample is not finite.
        BoundsError: the spacing is not positive, or origin or spacing are not finite.
    """

    exact: bool = False

    def __init__(
        self,
        values: Float[Tensor, "*shape"] | Float[np.ndarray, "*shape"],
        origin: Float[Tensor, " d"] | Float[np.ndarray, " d"] | Sequence[float] | None = None,
        spacing: Float[Tensor, " d"] | Float[np.ndarray, " d"] | Sequence[float] | float = 1.0,
    ) -> None:
        self.samples = torch.as_tensor(values)
        shape = self.samples.shape
        if len(shape) not in (2, 3) or min(shape) < 2:
            raise ShapeError(
                f"a grid should have shape (nx, ny, nz) or (nx, ny), at least 2 each; shape is {tuple(shape)}"
            )
        if not self.samples.is_floating_point():
            self.samples = self.samples.to(torch.get_default_dtype())
        start = [0.0] * len(shape) if origin is None else origin
        self.origin = torch.as_tensor(start, dtype=self.samples.dtype).detach().to(self.samples)
        self.spacing = torch.as_tensor(spacing, dtype=self.samples.dtype).detach().to(self.samples)
        if self.spacing.ndim == 0:
            self.spacing = self.spacing.repeat(len(shape))
        self._check(len(shape))
        cells = torch.tensor(shape, device=self.samples.device) - 1
        self.bounds = torch.stack([self.origin, self.origin + cells * self.spacing])
        self.lipschitz = greatest_slope(self.samples, self.spacing)
        sides = [self.samples.detach().select(a, end) for a in range(len(shape)) for end in (0, -1)]
        self.closed = all(float(side.min()) > 0 for side in sides)

    def _check(self, dimension: int) -> None:
        for name, given in (("origin", self.origin), ("spacing", self.spacing)):
            if given.shape != (dimension,):
                raise ShapeError(f"{name} should have shape ({dimension},); shape is {tuple(given.shape)}")
            if not bool(torch.isfinite(given).all()):
                raise BoundsError(f"{name} should be finite; it is {given.tolist()}")
        if not float(self.spacing.min()) > 0:
            raise BoundsError(f"spacing should be positive; it is {self.spacing.tolist()}")
        bad = int((~torch.isfinite(self.samples.detach())).sum())
        if bad:
            raise FieldError(f"samples should be finite; {bad} of {self.samples.numel()} are NaN or infinite")

    @classmethod
    def sample(
        cls,
        field: Field,
        resolution: int,
        bounds: Float[Tensor, "2 d"] | None = None,
        *,
        progress: Callable[[str], None] | None = None,
    ) -> GridField:
        """The grid field of another field's values, without gradients, evaluated chunk by chunk.

        Args:
            field: what to sample.
            resolution: number of cells along the longest side of the box; cells are cubes.
            bounds: the box that the grid covers, metres, shape (2, d); the field's by default.
            progress: called with a line of text every million samples.

        Raises:
            BoundsError: the box is not finite or has no extent.
            ResolutionError: the resolution is no number of cells, or there would be more than 2³⁰ samples.
            FieldError: a value is not finite.
        """
        lattice = lattice_in(field.bounds if bounds is None else bounds, resolution)
        shape = [cells + 1 for cells in lattice.cells]
        count = math.prod(shape)
        if count > MOST_SAMPLES:
            raise ResolutionError(
                f"a grid should have at most {MOST_SAMPLES} samples; resolution {resolution} has {count}"
            )
        origin = lattice.origin.detach()
        samples = torch.empty(count, dtype=origin.dtype, device=origin.device)
        with torch.no_grad():
            for start in range(0, count, CHUNK):
                if progress is not None and start % (16 * CHUNK) == 0:
                    progress(f"sampling {start:,} of {count:,} points")
                index = torch.arange(start, min(start + CHUNK, count), device=origin.device)
                at = torch.stack(torch.unravel_index(index, shape), 1)
                samples[start : start + CHUNK] = evaluate(field, origin + at * lattice.spacing)
        return cls(samples.reshape(shape), origin, lattice.spacing)

    def values(self, points: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """Values at points of shape (n, d), metres: shape (n,), in the points' precision and on their device.

        Raises:
            FieldError: a point is not finite.
        """
        bad = int((~torch.isfinite(points.detach())).any(1).sum())
        if bad:
            raise FieldError(f"points should be finite; {bad} of {len(points)} are NaN or infinite")
        low, high = self.bounds.to(points)
        inside = torch.minimum(torch.maximum(points, low), high)
        found = self._interpolate(inside)
        if not self.closed:
            return found
        beyond = (points - inside).square().sum(1)
        # √ has no derivative at 0, so points of the grid do not pass it.
        out = beyond.detach() > 0
        far = (found.square() + self.lipschitz**2 * beyond).where(out, 1.0).sqrt()
        return torch.where(out, far, found)

    def _interpolate(self, points: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """The interpolant at points of the grid's box."""
        shape = self.samples.shape
        at = (points - self.origin.to(points)) / self.spacing.to(points)
        most = torch.tensor(shape, device=points.device) - 2
        cell = torch.minimum(at.detach().floor().long().clamp(min=0), most)
        part = at - cell
        strides = torch.tensor([math.prod(shape[axis + 1 :]) for axis in range(len(shape))], device=points.device)
        first = (cell * strides).sum(1)
        flat = self.samples.reshape(-1).to(points.device)
        found = points.new_zeros(len(points))
        for corner in product((0, 1), repeat=len(shape)):
            weight = torch.stack([part[:, a] if up else 1 - part[:, a] for a, up in enumerate(corner)]).prod(0)
            index = first + sum(int(strides[a]) for a, up in enumerate(corner) if up)
            found = found + weight * flat[index].to(points.dtype)
        return found


def greatest_slope(samples: Float[Tensor, "*shape"], spacing: Float[Tensor, " d"]) -> float:
    """The greatest gradient length of the multilinear interpolant, exact up to rounding, rounded upwards.

    Args:
        samples: values on a grid, in the plane or in space.
        spacing: distance between samples along each axis, shape (d,).
    """
    values = samples.detach()
    slopes = [values.diff(dim=axis) / spacing[axis] for axis in range(values.ndim)]
    squares = [slope.square() for slope in slopes]
    greatest = 0.0
    for corner in product((0, 1), repeat=values.ndim):
        total = torch.zeros([n - 1 for n in values.shape], dtype=values.dtype, device=values.device)
        for axis, square in enumerate(squares):
            for other, end in enumerate(corner):
                square = square if other == axis else square.narrow(other, end, square.shape[other] - 1)
            total += square
        greatest = max(greatest, float(total.max()))
    return math.sqrt(greatest) * (1 + 4 * torch.finfo(values.dtype).eps)
