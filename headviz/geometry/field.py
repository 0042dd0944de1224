"""Fields: functions of space whose level 0 is a surface."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor


@runtime_checkable
class Field(Protocol):
    """A function of space, negative inside.

    Attributes:
        bounds: lower and upper corner of a box that contains the surface, metres, shape (2, 3).
        lipschitz: an upper bound of the gradient's length; 1 for an exact distance.
    """

    bounds: Float[Tensor, "2 3"]
    lipschitz: float

    def __call__(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Values at points of shape (n, 3), metres."""
        ...
