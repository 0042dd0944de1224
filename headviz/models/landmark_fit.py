"""The first model: a parametric head fitted to detected landmarks, textured from the photograph."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from safetensors import safe_open
from torch import Tensor

from headviz import assets
from headviz.errors import FaceTooSmallError, NoFaceError
from headviz.geometry.camera import Camera
from headviz.geometry.mesh import Mesh, vertex_normals
from headviz.geometry.mesh_field import MeshField
from headviz.heads.landmarks import OUTLINES
from headviz.heads.model import HeadModel, load_head
from headviz.models.landmark_basis import landmark_model
from headviz.models.reconstruction import Reconstruction
from headviz.models.registry import ModelCard
from headviz.photo.atlas import Atlas, build_atlas
from headviz.photo.calibration import Alignment, Calibration, features, read_calibration
from headviz.photo.detect import FaceDetection, FaceFinder
from headviz.photo.fit import FOCAL_SPREAD, HeadFit, Observation, fit_landmarks
from headviz.photo.picture import Box
from headviz.photo.texture import TEXTURE_REGIONS, Openings, TextureResult, project_texture

NAME = "landmark-fit"
WEIGHTS = "models/landmark_fit.safetensors"
CARD = "models/landmark_fit.json"
DEFAULT_FOCAL_35MM = 50.0  #: millimetres on 36 mm film width, where the picture does not say
KNOWN_FOCAL_SPREAD = 0.05
STRENGTH = 0.02  #: weight of the landmarks beside the calibrated posterior
SMALLEST_FACE = 48  #: pixels
Progress = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class FittedHead:
    """What the fit found in one picture, before texturing."""

    face: FaceDetection
    fit: HeadFit
    camera: Camera
    identity: Float[Tensor, " k"]
    expression: Float[Tensor, " e"]


def initial_camera(
    aligned: Alignment, seen: Float[Tensor, "l 2"], points: Float[Tensor, "l 3"], size: tuple[int, int], focal: float
) -> Camera:
    """A camera of the given focal length (pixels) that puts the points' middle where it is seen, at the seen scale."""
    width, height = size
    center = seen.new_tensor([width / 2, height / 2])
    scale, rotation = float(aligned.scale[0]), aligned.rotation[0]
    offset = (seen.mean(0) - center) / scale
    place = torch.stack([offset[0], -offset[1], offset.new_tensor(-focal / scale)])
    return Camera(rotation, place - rotation @ points.mean(0), focal, center, width, height)


class LandmarkFit:
    """``landmark-fit``: MediaPipe's landmarks, a calibrated posterior, Gauss–Newton, and texture projection.

    Args:
        texture_size: width and height of the texture, texels.
    """

    def __init__(self, texture_size: int = 1024) -> None:
        self.card = read_card()
        self.texture_size = texture_size
        self.head: HeadModel = load_head()
        self.calibration: Calibration = read_calibration(assets.path(WEIGHTS))
        self.landmarks = landmark_model(self.head)
        self.finder = FaceFinder()
        self._atlas: Atlas | None = None
        self.uncertainty = vertex_uncertainty(self.head, self.calibration)

    def close(self) -> None:
        """Free the detector."""
        self.finder.close()

    @property
    def atlas(self) -> Atlas:
        """The texture atlas, prepared when first needed."""
        if self._atlas is None:
            regions = {name: self.head.region(name) for name in TEXTURE_REGIONS}
            self._atlas = build_atlas(self.head.mesh(morphs=False), regions, self.texture_size)
        return self._atlas

    def reconstruct(
        self,
        image: Float[Tensor, "h w 3"],
        *,
        crop: Box | None = None,
        progress: Progress | None = None,
        focal_35mm: float | None = None,
    ) -> Reconstruction:
        """Make a head from a photograph.

        Args:
            image: linear RGB in [0, 1], shape (h, w, 3).
            crop: look only inside this box; ``None`` takes the largest face.
            progress: called with ``detect``, ``fit`` and ``texture`` as each begins.
            focal_35mm: focal length in millimetres as on 35-mm film, where known (EXIF).

        Raises:
            NoFaceError: there is no face in the picture or the crop.
            FaceTooSmallError: the face is narrower than 48 pixels.
        """
        timings: dict[str, float] = {}
        with _stage("detect", timings, progress):
            face = self.detect(image, crop)
        with _stage("fit", timings, progress):
            fitted = self.fit(face, (image.shape[1], image.shape[0]), focal_35mm)
            neutral = self.head.vertices(fitted.identity)
            mesh = replace(self.head.mesh(neutral), normals=vertex_normals(neutral, self.head.faces))
            posed = self.head.vertices(fitted.identity, fitted.expression)
        with _stage("texture", timings, progress):
            mesh_seen = self.head.mesh(posed, morphs=False)
            result = project_texture(image, fitted.camera, mesh_seen, self.atlas, openings(face))
        return self._record(image, fitted, replace(mesh, texture=result.texture), result, timings)

    def detect(self, image: Float[Tensor, "h w 3"], crop: Box | None = None) -> FaceDetection:
        """The largest face in the picture or the crop, its landmarks averaged over the mirrored picture.

        Raises:
            NoFaceError: there is none.
            FaceTooSmallError: it is narrower than 48 pixels.
        """
        faces = self.finder.find(image, crop)
        if not faces:
            where = "in the picture" if crop is None else "inside the crop"
            raise NoFaceError(f"no face was found {where}; choose a clearer picture, or crop closely around the face")
        face = faces[0]
        if face.box.width < SMALLEST_FACE:
            raise FaceTooSmallError(
                f"the face is {face.box.width:.0f} pixels wide; it should be at least {SMALLEST_FACE}: "
                "take a larger picture"
            )
        return self.finder.second_opinion(image, face, self.head.landmark_mirror)

    def fit(self, face: FaceDetection, size: tuple[int, int], focal_35mm: float | None = None) -> FittedHead:
        """Camera, identity and expression of one detected face.

        Args:
            face: the detection.
            size: width and height of the picture, pixels.
            focal_35mm: focal length as on 35-mm film, millimetres; ``None`` leaves it to be estimated.
        """
        names = self.head.expression_names
        scores = torch.tensor([[face.scores.get(name, 0.0) for name in names]], dtype=torch.float64)
        landmarks = face.landmarks.double()[None]
        rows, aligned = features(self.landmarks, landmarks, scores)
        prior = self.calibration.prior(rows)
        seen = (landmarks[..., :2] - self.calibration.picture_bias(aligned))[0]
        focal = (focal_35mm or DEFAULT_FOCAL_35MM) / 36 * max(size)
        start = initial_camera(aligned, seen, self.landmarks.points(prior.mean), size, focal)
        observation = Observation(seen, self.calibration.sigma(aligned)[0])
        spread = FOCAL_SPREAD if focal_35mm is None else KNOWN_FOCAL_SPREAD
        fit = fit_landmarks(self.landmarks, observation, prior, start, focal_spread=spread, strength=STRENGTH)
        camera = replace(
            fit.camera, rotation=fit.camera.rotation.float(), translation=fit.camera.translation.float(),
            center=fit.camera.center.float(),
        )  # fmt: skip
        count = self.landmarks.identities
        return FittedHead(face, fit, camera, fit.parameters[:count].float(), fit.parameters[count:].float())

    def _record(
        self, image: Tensor, fitted: FittedHead, mesh: Mesh, result: TextureResult, timings: dict[str, float]
    ) -> Reconstruction:
        names = self.head.expression_names
        projected = fitted.fit.camera.project(self.landmarks.points(fitted.fit.parameters)).float()
        distance = (projected - fitted.face.landmarks[:, :2]).norm(dim=1)
        width = face_width(fitted.face.landmarks)
        report = {
            "landmark_error_pixels": float(distance.mean()),
            "landmark_error_percent_of_face_width": 100 * float(distance.mean()) / width,
            "face_width_pixels": width,
            "detector_confidence": fitted.face.confidence,
            "seen_fraction_of_skin": result.seen,
            "seen_fraction_of_face": result.seen_face,
            "expected_error_of_face_mm": 1000 * float(self.uncertainty[self.head.region("face")].mean()),
            "fit_iterations": fitted.fit.iterations,
            "outlying_landmarks": int((fitted.fit.influence < 0.25).sum()),
            "attribution": str(self.head.metadata["attribution"]),
            "focal_length_35mm": fitted.camera.focal * 36 / max(fitted.camera.width, fitted.camera.height),
        }
        return Reconstruction(
            image=image,
            camera=fitted.camera,
            mesh=mesh,
            field=MeshField(self.head.solid(self.head.vertices(fitted.identity, fitted.expression))),
            expression=dict(zip(names, [round(v, 4) for v in fitted.expression.tolist()], strict=True)),
            maps={"confidence": result.confidence},
            features={
                "landmarks": fitted.face.landmarks,
                "landmarks_fitted": projected,
                "identity": fitted.identity,
                "influence": fitted.fit.influence.float(),
                "uncertainty": self.uncertainty,
                "average": self.head.mean,
            },
            timings=timings,
            model=NAME,
            report=report,
        )


def openings(face: FaceDetection) -> Openings:
    """Outlines of the eyes and of the open mouth in the picture."""
    points = face.landmarks[:, :2]
    right, left, mouth = (points[list(OUTLINES[name])] for name in ("right_eye", "left_eye", "mouth"))
    return Openings((right, left), mouth)


def vertex_uncertainty(head: HeadModel, calibration: Calibration) -> Float[Tensor, " n"]:
    """Root mean square error that the posterior expects of each neutral vertex, metres, place and size included."""
    count = len(head.identity)
    covariance = torch.linalg.inv(calibration.precision)[:count, :count]
    root = torch.linalg.cholesky(covariance).float()
    spread: Tensor = (root.T @ head.identity.flatten(1)).unflatten(1, (-1, 3)).pow(2).sum((0, 2)).sqrt()
    return spread


def face_width(landmarks: Float[Tensor, "478 3"]) -> float:
    """Width of the face in the picture: the extent of its 468 face landmarks across, pixels."""
    across = landmarks[:468, 0]
    return float(across.max() - across.min())


@contextmanager
def _stage(name: str, timings: dict[str, float], progress: Progress | None) -> Iterator[None]:
    if progress is not None:
        progress(name)
    started = time.perf_counter()
    yield
    timings[name] = time.perf_counter() - started


def read_card() -> ModelCard:
    """The frozen card beside the weights."""
    return ModelCard(**json.loads(assets.path(CARD).read_text(encoding="utf-8")))


def calibration_facts() -> dict[str, float]:
    """What was measured when the detector was calibrated."""
    with safe_open(assets.path(WEIGHTS), framework="pt") as file:
        facts: dict[str, float] = json.loads(file.metadata()["headviz"])
    return facts
