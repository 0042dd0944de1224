"""From an uploaded file to the value of the crop box, and back to the crop for a model."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jaxtyping import Float
from PIL import Image
from torch import Tensor

from headviz import assets
from headviz.geometry.color import to_uint8
from headviz.photo.detect import FaceDetection, FaceFinder
from headviz.photo.picture import Box, load_photo

SHOWN_SIDE = 1280  #: pixels of the picture that the browser gets
FACE_MARGIN = 0.25  #: around a chosen face, in units of its box
START_CROP = 0.6  #: side of the first crop box where no face was found, in units of the picture


@cache
def finder() -> FaceFinder:
    """The face finder of this process; ``close_finder`` frees it."""
    return FaceFinder()


def close_finder() -> None:
    """Free the face finder, if it was ever used."""
    if finder.cache_info().currsize:
        finder().close()
        finder.cache_clear()


def examples() -> list[Path]:
    """The packaged photographs."""
    folder = assets.folder() / "pictures"
    return sorted(path for path in folder.iterdir() if path.suffix in {".png", ".jpg"})


def inspect(path: Path, folder: Path) -> tuple[Path, dict[str, Any]]:
    """Read a photograph and look for faces.

    Returns:
        A JPEG of the upright photograph for the browser, written into ``folder``, and the value of the
        crop box without it.

    Raises:
        PictureError: the file cannot be read as a picture, or it exceeds a limit.
    """
    photo = load_photo(path)
    image = photo.pixels
    value = crop_value(image.shape[1], image.shape[0], finder().find(image))
    return _shown(image, folder), {**value, "notes": list(photo.notes)}


def crop_value(width: int, height: int, faces: Sequence[FaceDetection]) -> dict[str, Any]:
    """What the crop box shows at first: the largest face, or a box in the middle where there is none."""
    boxes = [_clipped(face.box, width, height) for face in faces]
    middle = Box(*(side * (0.5 + half * START_CROP / 2) for half in (-1, 1) for side in (width, height)))
    return {
        "width": width,
        "height": height,
        "faces": [
            {"box": _numbers(box), "confidence": face.confidence} for box, face in zip(boxes, faces, strict=True)
        ],
        "selected": 0,
        "box": _numbers(boxes[0] if boxes else middle),
        "mine": not boxes,
    }


def chosen_crop(value: dict[str, Any]) -> Box | None:
    """The crop for a model: the user's box, a margin around the chosen face, or ``None`` for the largest face."""
    if value["mine"]:
        return _clipped(Box(*map(float, value["box"])), value["width"], value["height"])
    selected = int(value["selected"])
    if selected == 0:
        return None
    face = Box(*map(float, value["faces"][selected]["box"]))
    across, down = face.width * FACE_MARGIN, face.height * FACE_MARGIN
    grown = Box(face.left - across, face.top - down, face.right + across, face.bottom + down)
    return _clipped(grown, value["width"], value["height"])


def _clipped(box: Box, width: int, height: int) -> Box:
    left, top = min(max(box.left, 0.0), width - 1.0), min(max(box.top, 0.0), height - 1.0)
    return Box(left, top, min(max(box.right, left + 1), width), min(max(box.bottom, top + 1), height))


def _numbers(box: Box) -> list[float]:
    return [float(box.left), float(box.top), float(box.right), float(box.bottom)]


def _shown(image: Float[Tensor, "h w 3"], folder: Path) -> Path:
    picture = Image.fromarray(to_uint8(image))
    picture.thumbnail((SHOWN_SIDE, SHOWN_SIDE), reducing_gap=2.0)
    path = folder / "photograph.jpg"
    picture.save(path, quality=90)
    return path
