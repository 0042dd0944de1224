"""Pictures from files: checked, upright, linear RGB."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels, from the upper left corner; right and bottom are exclusive."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Width, pixels."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Height, pixels."""
        return self.bottom - self.top

    @property
    def area(self) -> float:
        """Area, pixels²; 0 for an empty box."""
        return max(0.0, self.width) * max(0.0, self.height)
