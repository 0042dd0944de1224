"""``landmark-fit`` on photographs: the record, its numbers, symmetry, errors."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from headviz import assets
from headviz.errors import FaceTooSmallError, NoFaceError
from headviz.geometry.field import Field
from headviz.models.landmark_fit import LandmarkFit, calibration_facts, face_width, initial_camera, vertex_uncertainty
from headviz.models.reconstruction import Reconstruction
from headviz.photo.calibration import align
from headviz.photo.picture import Box, load_photo

PHOTOGRAPHS = sorted(path for path in (assets.folder() / "pictures").iterdir() if path.suffix in (".png", ".jpg"))
FLIP = torch.tensor([-1.0, 1.0, 1.0])


def padded(photo: Tensor, left: int, top: int, right: int, bottom: int) -> Tensor:
    """The photograph with a grey margin."""
    planes = torch.nn.functional.pad(photo.permute(2, 0, 1), (left, right, top, bottom), value=0.3)
    return planes.permute(1, 2, 0).contiguous()


def resized(photo: Tensor, factor: float) -> Tensor:
    planes = torch.nn.functional.interpolate(
        photo.permute(2, 0, 1)[None], scale_factor=factor, mode="bilinear", antialias=True
    )
    return planes[0].permute(1, 2, 0).clamp(0, 1).contiguous()


def face_apart(model: LandmarkFit, a: Tensor, b: Tensor) -> float:
    """Mean distance of the face's vertices, mm."""
    face = model.head.region("face")
    return 1000 * float((a - b)[face].norm(dim=1).mean())


def test_the_record_is_complete(model: LandmarkFit, made: Reconstruction, photo: Tensor) -> None:
    head = model.head
    assert made.image is photo
    assert made.model == "landmark-fit" == model.card.name
    mesh = made.mesh
    assert mesh.vertices.shape == head.mean.shape
    assert torch.equal(mesh.faces, head.faces)
    assert torch.equal(mesh.uv, head.uv)
    assert torch.equal(mesh.mirror, head.mirror)
    assert list(mesh.morphs) == list(head.expression_names)
    assert mesh.texture.shape == (512, 512, 3)
    assert 0 <= float(mesh.texture.min()) <= float(mesh.texture.max()) <= 1
    torch.testing.assert_close(mesh.normals.norm(dim=1), torch.ones(len(head.mean)))
    assert made.maps["confidence"].shape == (512, 512)
    assert made.features["landmarks"].shape == (478, 3)
    assert made.features["landmarks_fitted"].shape == (478, 2)
    assert made.features["identity"].shape == (80,)
    assert made.features["influence"].shape == (478,)
    assert 0 <= float(made.features["influence"].min()) <= float(made.features["influence"].max()) <= 1
    tensors = [mesh.vertices, mesh.texture, mesh.normals, *made.maps.values(), *made.features.values()]
    assert all(bool(tensor.isfinite().all()) for tensor in tensors)
    with pytest.raises(FrozenInstanceError):
        made.mesh = mesh  # type: ignore[misc]


def test_the_camera_sees_the_head_in_the_picture(model: LandmarkFit, made: Reconstruction) -> None:
    camera = made.camera
    assert (camera.height, camera.width) == made.image.shape[:2]
    torch.testing.assert_close(camera.rotation @ camera.rotation.T, torch.eye(3), atol=1e-5, rtol=0)
    assert float(torch.det(camera.rotation)) == pytest.approx(1, abs=1e-5)
    depth = -camera.to_camera(made.posed.vertices)[:, 2]
    assert 0.2 < float(depth.min()) < float(depth.max()) < 10
    seen = camera.project(made.posed.vertices[model.head.region("face")])
    assert 165 < float(seen[:, 0].min()) < float(seen[:, 0].max()) < 285
    assert 55 < float(seen[:, 1].min()) < float(seen[:, 1].max()) < 190


def test_reported_errors_follow_from_the_features(model: LandmarkFit, made: Reconstruction) -> None:
    report, features = made.report, made.features
    distance = (features["landmarks_fitted"] - features["landmarks"][:, :2]).norm(dim=1).double()
    width = float(features["landmarks"][:468, 0].max() - features["landmarks"][:468, 0].min())
    assert report["landmark_error_pixels"] == pytest.approx(float(distance.mean()), rel=1e-5)
    assert report["face_width_pixels"] == pytest.approx(width) == pytest.approx(face_width(features["landmarks"]))
    assert report["landmark_error_percent_of_face_width"] == pytest.approx(
        100 * float(distance.mean()) / width, rel=1e-5
    )
    assert report["outlying_landmarks"] == int((features["influence"] < 0.25).sum())
    assert report["focal_length_35mm"] == pytest.approx(made.camera.focal * 36 / 512, rel=1e-5)
    assert 0.8 < report["detector_confidence"] <= 1
    assert 0.1 < report["seen_fraction_of_skin"] < 0.6
    assert 0.6 < report["seen_fraction_of_face"] < 1
    json.dumps(dict(report), allow_nan=False)


def test_fitted_landmarks_are_those_of_the_posed_head(model: LandmarkFit, made: Reconstruction) -> None:
    projected = made.camera.project(model.head.landmarks(made.posed.vertices))
    # The expression's weights are rounded to 4 digits in the record.
    torch.testing.assert_close(projected, made.features["landmarks_fitted"], atol=0.02, rtol=0)


@pytest.mark.parametrize("path", PHOTOGRAPHS, ids=lambda path: path.stem)
def test_landmarks_are_met_on_every_shipped_photograph(model: LandmarkFit, path: Path) -> None:
    photo = load_photo(path)
    made = model.reconstruct(photo.pixels, focal_35mm=photo.focal_35mm)
    assert made.report["landmark_error_percent_of_face_width"] <= 1.5
    assert 0.5 < made.report["seen_fraction_of_face"] < 1


def test_the_posed_head_is_the_neutral_one_plus_weighted_morphs(model: LandmarkFit, made: Reconstruction) -> None:
    assert list(made.expression) == list(model.head.expression_names)
    assert all(0 <= weight <= 1 for weight in made.expression.values())
    offsets = np.stack([morph.double().numpy() for morph in made.mesh.morphs.values()])
    expected = made.mesh.vertices.double().numpy() + np.tensordot(list(made.expression.values()), offsets, axes=1)
    np.testing.assert_allclose(made.posed.vertices, expected, atol=1e-6)
    identity = made.features["identity"]
    torch.testing.assert_close(made.mesh.vertices, model.head.vertices(identity))
    torch.testing.assert_close(made.posed.normals.norm(dim=1), torch.ones(len(expected)))
    neutral = replace(made, expression={})
    assert torch.equal(neutral.posed.vertices, made.mesh.vertices)
    assert torch.equal(replace(made, expression={"no such morph": 1.0}).posed.vertices, made.mesh.vertices)


def test_she_smiles(made: Reconstruction) -> None:
    smile = [made.expression[f"mouthSmile{side}"] for side in ("Left", "Right")]
    assert min(smile) > 0.3
    assert made.expression["eyeBlinkLeft"] < 0.5
    assert made.expression["mouthFrownLeft"] < 0.2


def test_the_field_is_the_signed_distance_of_the_posed_head(model: LandmarkFit, made: Reconstruction) -> None:
    field = made.field
    assert isinstance(field, Field)
    vertices = made.posed.vertices
    on = field(vertices[model.head.region("skin")][::50])
    assert float(on.abs().max()) < 1e-4  # the record's expression is rounded to 4 digits
    ears = vertices[model.head.region("left_ear") | model.head.region("right_ear")].mean(0)
    assert float(field((ears + torch.tensor([0.0, 0.03, 0.0]))[None])) < -0.04  # in the middle of the skull
    assert float(field(torch.tensor([[0.0, 0.0, 1.0]]))) == pytest.approx(1 - float(vertices[:, 2].max()), abs=0.02)
    assert bool((field.bounds[0] <= vertices.amin(0) + 1e-4).all())
    assert bool((field.bounds[1] >= vertices.amax(0) - 1e-4).all())


def test_stages_are_told_in_order_and_timed(model: LandmarkFit, photo: Tensor) -> None:
    told: list[str] = []
    made = model.reconstruct(photo, progress=told.append)
    assert told == list(made.timings) == ["detect", "fit", "texture"]
    assert all(seconds > 0 for seconds in made.timings.values())


def test_the_same_photograph_gives_the_same_head(model: LandmarkFit, photo: Tensor, made: Reconstruction) -> None:
    kept = photo.clone()
    again = model.reconstruct(photo)
    assert torch.equal(again.mesh.vertices, made.mesh.vertices)
    assert torch.equal(again.mesh.texture, made.mesh.texture)
    assert again.expression == made.expression
    assert again.report == made.report
    assert torch.equal(photo, kept)


def test_a_mirrored_photograph_gives_the_mirrored_head(model: LandmarkFit, photo: Tensor, made: Reconstruction) -> None:
    flipped = model.reconstruct(photo.flip(1).contiguous())
    for name, weight in made.expression.items():
        side = "Left" if name.endswith("Left") else "Right"
        twin = name.removesuffix(side) + ("Right" if side == "Left" else "Left") if name.endswith(side) else name
        # The landmarks are averaged over the mirrored picture, the detector's scores are not.
        assert flipped.expression[twin] == pytest.approx(weight, abs=0.15 if "Smile" in name else 0.25), name
    mirrored = flipped.mesh.vertices[model.head.mirror] * FLIP
    assert face_apart(model, mirrored, made.mesh.vertices) < 0.7
    # Its camera is mirrored, too: the head's +x is seen to the other side.
    axes = made.camera.rotation * torch.tensor([[1.0, -1, -1], [-1, 1, 1], [-1, 1, 1]])
    assert float((flipped.camera.rotation - axes).abs().max()) < 0.05


@pytest.mark.parametrize("factor", [0.75, 2.0])
def test_the_pictures_size_hardly_matters(
    model: LandmarkFit, photo: Tensor, made: Reconstruction, factor: float
) -> None:
    other = model.reconstruct(resized(photo, factor))
    assert face_apart(model, other.mesh.vertices, made.mesh.vertices) < 1.0
    assert other.report["face_width_pixels"] == pytest.approx(factor * made.report["face_width_pixels"], rel=0.03)


@pytest.mark.parametrize("margin", [(300, 0, 0, 0), (0, 200, 200, 0)])
def test_the_place_in_the_picture_hardly_matters(
    model: LandmarkFit, photo: Tensor, made: Reconstruction, margin: tuple[int, int, int, int]
) -> None:
    other = model.reconstruct(padded(photo, *margin))
    assert face_apart(model, other.mesh.vertices, made.mesh.vertices) < 1.0
    shift = (other.features["landmarks"] - made.features["landmarks"])[:, :2].mean(0)
    torch.testing.assert_close(shift, torch.tensor(margin[:2]).float(), atol=2.0, rtol=0)


def test_a_known_focal_length_is_kept(model: LandmarkFit, photo: Tensor) -> None:
    for focal in (28.0, 85.0):
        made = model.reconstruct(photo, focal_35mm=focal)
        assert made.report["focal_length_35mm"] == pytest.approx(focal, rel=0.15)
        assert made.report["landmark_error_percent_of_face_width"] < 2


def test_a_grey_photograph_works(model: LandmarkFit, photo: Tensor, made: Reconstruction) -> None:
    grey = photo.mean(-1, keepdim=True).expand(-1, -1, 3).contiguous()
    other = model.reconstruct(grey)
    assert face_apart(model, other.mesh.vertices, made.mesh.vertices) < 1.5


def test_without_a_face_the_error_says_what_to_do(model: LandmarkFit, photo: Tensor) -> None:
    with pytest.raises(NoFaceError, match=r"no face was found in the picture; .*crop"):
        model.reconstruct(torch.full((200, 300, 3), 0.5))
    with pytest.raises(NoFaceError, match="inside the crop"):
        model.reconstruct(photo, crop=Box(300, 300, 512, 512))


def test_a_face_too_small_is_refused_with_its_size(model: LandmarkFit, photo: Tensor) -> None:
    with pytest.raises(FaceTooSmallError, match=r"is 3\d pixels wide; it should be at least 48") as caught:
        model.reconstruct(resized(photo, 0.38))
    assert caught.value.args


def test_a_crop_chooses_the_face(model: LandmarkFit, photo: Tensor, made: Reconstruction) -> None:
    both = torch.full((512, 900, 3), 0.3)
    both[:, :512] = photo
    both[100:356, 600:856] = resized(photo, 0.75)[0:256, 40:296]
    largest = model.reconstruct(both)
    assert float(largest.features["landmarks"][:, 0].max()) < 512
    chosen = model.reconstruct(both, crop=Box(600, 100, 856, 356))
    assert float(chosen.features["landmarks"][:, 0].min()) > 600
    assert face_apart(model, chosen.mesh.vertices, made.mesh.vertices) < 1.5


def test_the_start_puts_the_head_where_it_is_seen(model: LandmarkFit, made: Reconstruction) -> None:
    landmarks, points = made.features["landmarks"].double()[None], model.landmarks.mean
    aligned = align(landmarks, points[None])
    camera = initial_camera(aligned, landmarks[0, :, :2], points, (512, 512), 700.0)
    middle = points.mean(0)
    torch.testing.assert_close(camera.project(middle), landmarks[0, :, :2].mean(0))
    assert -700 / float(camera.to_camera(middle)[2]) == pytest.approx(float(aligned.scale))
    assert float((camera.project(points) - landmarks[0, :, :2]).norm(dim=1).mean()) < 0.08 * 91


def test_uncertainty_is_a_root_mean_square_over_the_posterior(model: LandmarkFit, made: Reconstruction) -> None:
    covariance = np.linalg.inv(model.calibration.precision.numpy())[:80, :80]
    basis = model.head.identity.double().numpy()
    some = np.arange(0, len(model.head.mean), 400)
    expected = [np.sqrt(sum(basis[:, v, c] @ covariance @ basis[:, v, c] for c in range(3))) for v in some]
    found = vertex_uncertainty(model.head, model.calibration)
    np.testing.assert_allclose(found[torch.as_tensor(some)], expected, rtol=1e-3)
    assert torch.equal(made.features["uncertainty"], found)
    face = 1000 * float(found[model.head.region("face")].mean())
    assert made.report["expected_error_of_face_mm"] == pytest.approx(face)
    assert 1 < face < 10


def test_the_calibration_was_better_than_the_mean_head() -> None:
    facts = calibration_facts()
    assert facts["face_rms_mm"] < 0.75 * facts["mean_head_face_rms_mm"]
    assert facts["pictures"] > 5000
    assert facts["pictures_held_out"] > 500


def test_the_detector_is_quiet(model: LandmarkFit, photo: Tensor, capfd: pytest.CaptureFixture[str]) -> None:
    model.reconstruct(photo)
    out, err = capfd.readouterr()
    assert out == ""
    assert err == ""
