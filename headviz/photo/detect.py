"""Finding faces and their 478 landmarks with MediaPipe's FaceLandmarker."""

from __future__ import annotations

import threading
import weakref
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from headviz import assets
from headviz.geometry.color import to_uint8
from headviz.photo.picture import Box
from headviz.photo.quiet import quiet_stderr

MODEL = "photo/face_landmarker.task"
DETECTION_SIDE = 1024  #: the detector sees pictures of at most this many pixels
CROP_SIDE = 384  #: pixels of the square crop that the landmarker sees
CROP_SCALE = 2.0  #: side of that crop in units of the detected box's longer side
MIN_CONFIDENCE = 0.5
SMALLEST_WINDOW = 200  #: pixels; a face that is large enough to use fills a quarter of such a window


@dataclass(frozen=True, eq=False)
class FaceDetection:
    """One face in a picture.

    Attributes:
        box: tight box around the landmarks, pixels.
        confidence: the detector's score, in [0, 1].
        landmarks: MediaPipe's 478 points: u and v in pixels from the upper left corner, and z in pixels,
            smaller towards the camera, relative to the middle of the head, shape (478, 3).
        scores: ARKit blend-shape scores by name, in [0, 1]; all of the 52 but ``tongueOut``.
    """

    box: Box
    confidence: float
    landmarks: Float[Tensor, "478 3"]
    scores: dict[str, float]


class FaceFinder:
    """MediaPipe's detector and landmarker, loaded once; a context manager, safe to use from several threads.

    Args:
        model: path of a ``face_landmarker.task`` bundle; the packaged one by default.
    """

    def __init__(self, model: Path | None = None) -> None:
        bundle = assets.path(MODEL) if model is None else model
        with zipfile.ZipFile(bundle) as parts:
            detector = parts.read("face_detector.tflite")
        self._lock = threading.Lock()
        with quiet_stderr():
            from mediapipe.tasks.python import BaseOptions, vision

            self._detector: Any = vision.FaceDetector.create_from_options(
                vision.FaceDetectorOptions(
                    base_options=BaseOptions(model_asset_buffer=detector), min_detection_confidence=MIN_CONFIDENCE
                )
            )
            self._landmarker: Any = vision.FaceLandmarker.create_from_options(
                vision.FaceLandmarkerOptions(
                    base_options=BaseOptions(model_asset_buffer=bundle.read_bytes()),
                    output_face_blendshapes=True,
                    num_faces=1,
                    min_face_detection_confidence=0.2,
                    min_face_presence_confidence=0.2,
                )
            )
            blank = _media_picture(np.zeros((64, 64, 3), dtype=np.uint8))
            self._detector.detect(blank)
            self._landmarker.detect(blank)
        # MediaPipe fails in its own destructor when the interpreter ends first.
        self._finalizer = weakref.finalize(self, _close, self._detector, self._landmarker)

    def __enter__(self) -> FaceFinder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the models; happens by itself at the end of the program."""
        with self._lock:
            self._finalizer()

    @contextmanager
    def _open(self) -> Iterator[None]:
        """One caller at a time, none after the end, and no chatter of MediaPipe's C++ side on stderr."""
        with self._lock, quiet_stderr():
            if not self._finalizer.alive:
                raise RuntimeError("the face finder is closed")
            yield

    def find(self, image: Float[Tensor, "h w 3"], crop: Box | None = None) -> list[FaceDetection]:
        """All faces, largest first; an empty list where there is none.

        Args:
            image: linear RGB in [0, 1], shape (h, w, 3).
            crop: look only inside this box. If the detector sees nothing there, the box is taken as
                the face itself and the landmarker decides.
        """
        picture = to_uint8(image)
        region = Box(0, 0, picture.shape[1], picture.shape[0]) if crop is None else crop
        candidates = self._boxes(picture, region)
        if not candidates and crop is not None:
            candidates = [(crop, 0.0)]
        faces = [self.landmarks(picture, box, score) for box, score in candidates]
        return _distinct([face for face in faces if face is not None and _middle_inside(face.box, region)])

    def landmarks(self, picture: UInt8[np.ndarray, "h w 3"], box: Box, confidence: float) -> FaceDetection | None:
        """Landmarks of the face in a box of an 8-bit sRGB picture, or ``None`` if there is no face."""
        side = CROP_SCALE * max(box.width, box.height)
        left, top = (box.left + box.right - side) / 2, (box.top + box.bottom - side) / 2
        pixels = _cut(picture, Box(left, top, left + side, top + side), CROP_SIDE)
        with self._open():
            found = self._landmarker.detect(_media_picture(pixels))
        if not found.face_landmarks:
            return None
        points = np.array([(p.x, p.y, p.z) for p in found.face_landmarks[0]], dtype=np.float32) * side
        landmarks = torch.from_numpy(points) + torch.tensor([left, top, 0.0])
        low, high = landmarks[:, :2].amin(0).tolist(), landmarks[:, :2].amax(0).tolist()
        scores = {c.category_name: float(c.score) for c in found.face_blendshapes[0]}
        scores.pop("_neutral", None)
        return FaceDetection(Box(low[0], low[1], high[0], high[1]), confidence, landmarks, scores)

    def second_opinion(
        self, image: Float[Tensor, "h w 3"], face: FaceDetection, twin: Int[Tensor, "478"]
    ) -> FaceDetection:
        """The face's landmarks averaged with what the mirrored picture gives, which cancels one-sided errors.

        Args:
            image: the picture in which the face was found.
            face: the first opinion.
            twin: index of every landmark's mirror twin.

        Returns:
            The face with averaged landmarks; unchanged if the mirrored picture gives no face.
        """
        side = CROP_SCALE * max(face.box.width, face.box.height)
        center_u, center_v = (face.box.left + face.box.right) / 2, (face.box.top + face.box.bottom) / 2
        left, top = max(0, int(center_u - side)), max(0, int(center_v - side))
        picture = to_uint8(image[top : int(center_v + side) + 1, left : int(center_u + side) + 1].flip(1))
        width = picture.shape[1]
        box = Box(
            left + width - face.box.right, face.box.top - top, left + width - face.box.left, face.box.bottom - top
        )
        seen = self.landmarks(np.ascontiguousarray(picture), box, face.confidence)
        if seen is None:
            return face
        mirrored = seen.landmarks[twin] * torch.tensor([-1.0, 1.0, 1.0]) + torch.tensor([left + width, top, 0.0])
        return replace(face, landmarks=(face.landmarks + mirrored) / 2)

    def _boxes(self, picture: UInt8[np.ndarray, "h w 3"], region: Box) -> list[tuple[Box, float]]:
        """Boxes and scores. The detector misses faces that are small in what it is shown: the picture is shown whole
        and in four overlapping windows, then, while nothing is found, in ever smaller ones.
        """
        found: list[tuple[Box, float]] = []
        for parts in (1, 2, 4, 8, 16):
            if parts > 2 and (found or 2 * max(region.width, region.height) / (parts + 1) < SMALLEST_WINDOW):
                break
            for window in _windows(region, parts):
                found += self._boxes_in(picture, window)
        return _merge(found)

    def _boxes_in(self, picture: UInt8[np.ndarray, "h w 3"], window: Box) -> list[tuple[Box, float]]:
        side = max(window.width, window.height)
        if side < 16:
            return []
        scale = min(1.0, DETECTION_SIDE / side)
        square = Box(window.left, window.top, window.left + side, window.top + side)
        pixels = _cut(picture, square, max(16, round(side * scale)))
        with self._open():
            found = self._detector.detect(_media_picture(pixels))
        boxes = []
        for face in found.detections:
            b, factor = face.bounding_box, side / pixels.shape[0]
            left, top = window.left + b.origin_x * factor, window.top + b.origin_y * factor
            boxes.append((Box(left, top, left + b.width * factor, top + b.height * factor), face.categories[0].score))
        return boxes


def _close(*tasks: Any) -> None:
    with quiet_stderr():
        for task in tasks:
            task.close()


def _windows(region: Box, parts: int) -> Iterator[Box]:
    """The region itself, or parts² windows that overlap by half."""
    if parts == 1:
        yield region
        return
    width, height = region.width * 2 / (parts + 1), region.height * 2 / (parts + 1)
    for row in range(parts):
        for column in range(parts):
            left, top = region.left + column * width / 2, region.top + row * height / 2
            yield Box(left, top, left + width, top + height)


def _middle_inside(box: Box, region: Box) -> bool:
    u, v = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    return region.left <= u <= region.right and region.top <= v <= region.bottom


def _overlap(a: Box, b: Box) -> float:
    """Intersection over the smaller area."""
    width = min(a.right, b.right) - max(a.left, b.left)
    height = min(a.bottom, b.bottom) - max(a.top, b.top)
    return max(0.0, width) * max(0.0, height) / max(1e-9, min(a.area, b.area))


def _merge(found: list[tuple[Box, float]]) -> list[tuple[Box, float]]:
    """The best-scored box of every group that overlaps."""
    kept: list[tuple[Box, float]] = []
    for box, score in sorted(found, key=lambda pair: -pair[1]):
        if all(_overlap(box, other) < 0.5 for other, _ in kept):
            kept.append((box, score))
    return kept


def _distinct(faces: list[FaceDetection]) -> list[FaceDetection]:
    """Faces by size, without those that lie on a larger one."""
    kept: list[FaceDetection] = []
    for face in sorted(faces, key=lambda f: -f.box.area):
        if all(_overlap(face.box, other.box) < 0.5 for other in kept):
            kept.append(face)
    return kept


def _cut(picture: UInt8[np.ndarray, "h w 3"], box: Box, side: int) -> UInt8[np.ndarray, "s s 3"]:
    """A square part of the picture, black beyond its borders, resized to side × side by area averaging."""
    from PIL import Image

    left, top, right, bottom = (round(edge) for edge in (box.left, box.top, box.right, box.bottom))
    u, v = max(0, left), max(0, top)  # only the part is copied, not the whole picture
    inside = np.ascontiguousarray(picture[v : max(v, bottom), u : max(u, right)])
    part = Image.fromarray(inside).crop((left - u, top - v, right - u, bottom - v))
    if part.size != (side, side):
        part = part.resize((side, side), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.ascontiguousarray(np.asarray(part))


def _media_picture(pixels: UInt8[np.ndarray, "h w 3"]) -> Any:
    import mediapipe

    return mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=pixels)
