"""Fields: functions of space whose level 0 is a surface. What they promise, and how they are evaluated."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from headviz.errors import FieldError, ShapeError

Array = TypeVar("Array", Tensor, np.ndarray)

#: Points that are evaluated at once: few enough for the processor's caches, many enough for its threads.
CHUNK = 1 << 16


@runtime_checkable
class Field(Protocol):
    """A function of space, negative inside.

    Attributes:
        bounds: lower and upper corner of a box that contains the surface, metres, shape (2, 3).
        lipschitz: an upper bound of the gradient's length; 1 for an exact distance.
    """

    bounds: Float[Tensor, "2 d"]
    lipschitz: float

    def __call__(self, points: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """Values at points of shape (n, 3), metres; in the plane points have 2 coordinates."""
        ...


class ArrayField:
    """What headviz's own fields share: they take numpy arrays as well as tensors, and check what they are given.

    A subclass sets ``bounds`` and ``lipschitz`` and defines :meth:`values`.
    """

    bounds: Float[Tensor, "2 d"]
    lipschitz: float = 1.0

    @property
    def dimension(self) -> int:
        """3 in space, 2 in the plane."""
        return int(self.bounds.shape[1])

    def values(self, points: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """Values at points of shape (n, dimension), metres, in the points' precision and on their device."""
        raise NotImplementedError

    def __call__(self, points: Array) -> Array:
        """Values at points of shape (n, dimension), metres: shape (n,), a tensor for a tensor, an array for an array.

        Raises:
            ShapeError: the points have another shape.
        """
        if points.ndim != 2 or points.shape[1] != self.dimension:
            raise ShapeError(f"points should have shape (n, {self.dimension}); shape is {tuple(points.shape)}")
        if isinstance(points, Tensor):
            return self.values(points)
        given = torch.as_tensor(points)
        if not given.is_floating_point():
            given = given.to(torch.get_default_dtype())
        found: np.ndarray[Any, Any] = self.values(given).detach().cpu().numpy()
        return found


def evaluate(field: Field, points: Float[Tensor, "n d"], *, chunk: int = CHUNK) -> Float[Tensor, " n"]:
    """Values of any field, chunk by chunk, checked.

    Raises:
        FieldError: the field returned something else than a floating-point tensor of shape (n,), or a value that is
            NaN or infinite.
    """
    parts = [field(part) for part in points.split(chunk)] if len(points) > chunk else [field(points)]
    if not all(isinstance(part, Tensor) and part.is_floating_point() for part in parts):
        kind = getattr(parts[0], "dtype", type(parts[0]).__name__)
        raise FieldError(f"a field should return a tensor of floating-point values; it returned {kind}")
    values = torch.cat(parts) if len(parts) > 1 else parts[0]
    if values.shape != (len(points),):
        raise FieldError(f"a field should return values of shape ({len(points)},); shape is {tuple(values.shape)}")
    # One pass: a sum is finite unless a term is not, or it overflows, and then the slow look decides.
    if len(points) and not bool(torch.isfinite(values.detach().sum())):
        _refuse_values(points, values.detach())
    return values


def _refuse_values(points: Tensor, values: Tensor) -> None:
    bad = (~torch.isfinite(values)).nonzero()[:, 0]
    if len(bad):
        where = ", ".join(f"{x:.4g}" for x in points[bad[0]].tolist())
        raise FieldError(
            f"a field should return finite values; {len(bad)} of {len(values)} are not, "
            f"the first is {float(values[bad[0]])} at ({where})"
        )
