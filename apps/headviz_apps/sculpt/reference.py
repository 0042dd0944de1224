"""The reference picture: laid over the head, moved and scaled by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QImage

from headviz.photo.picture import load_picture


@dataclass
class Reference:
    """A picture over the canvas.

    Attributes:
        image: the picture; null where there is none.
        name: its file's name.
        opacity: in [0, 1].
        center: of the picture, in canvas heights from the canvas's middle, so that it keeps its place when resized.
        height: of the picture, in canvas heights.
        shown: whether it is drawn.
        moving: whether the mouse moves it instead of sculpting.
    """

    image: QImage = field(default_factory=QImage)
    name: str = ""
    opacity: float = 0.5
    center: tuple[float, float] = (0.0, 0.0)
    height: float = 0.9
    shown: bool = True
    moving: bool = False

    def load(self, path: Path) -> None:
        """Take a picture from a file, turned as its metadata asks.

        Raises:
            PictureError: it is no picture.
        """
        from headviz.geometry.color import to_uint8

        pixels = to_uint8(load_picture(path, max_side=2048))
        height, width = pixels.shape[:2]
        self.image = QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888).copy()
        self.name, self.shown, self.center, self.height = path.name, True, (0.0, 0.0), 0.9

    def remove(self) -> None:
        """Have none."""
        self.image, self.name, self.moving = QImage(), "", False

    @property
    def exists(self) -> bool:
        """Whether there is a picture."""
        return not self.image.isNull()

    def rectangle(self, width: int, height: int) -> QRectF:
        """Where it is drawn on a canvas, pixels."""
        tall = self.height * height
        wide = tall * self.image.width() / max(1, self.image.height())
        middle = QPointF(width / 2 + self.center[0] * height, height / 2 + self.center[1] * height)
        return QRectF(middle.x() - wide / 2, middle.y() - tall / 2, wide, tall)

    def move(self, dx: float, dy: float, canvas_height: int) -> None:
        """Move it by pixels."""
        self.center = self.center[0] + dx / canvas_height, self.center[1] + dy / canvas_height

    def scale(self, steps: float) -> None:
        """Make it larger by some turns of the wheel."""
        self.height = float(min(20.0, max(0.05, self.height * 1.06**steps)))
