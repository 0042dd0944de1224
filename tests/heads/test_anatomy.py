"""Where things are on the head: orientation, symmetry, regions, MediaPipe's landmarks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mediapipe.tasks.python.vision import FaceLandmarksConnections as Connections

from headviz.heads import HeadModel
from headviz.heads.landmarks import CHIN, FOREHEAD, LEFT_EDGE, LEFT_IRIS, NOSE_TIP, OUTLINES, RIGHT_EDGE, RIGHT_IRIS

FLIP = torch.tensor([-1.0, 1.0, 1.0])
PAIRED = ("ear", "eyeball", "eyelids", "brow", "cheek")
MIDDLE = (
    "skin",
    "mouth_inside",
    "tongue",
    "sockets",
    "face",
    "lips",
    "nose",
    "scalp",
    "forehead",
    "chin",
    "neck",
)

#: MediaPipe's names of our outlines; its left and right are the subject's own.
PUBLISHED = {
    "lips": "LIPS", "mouth": "LIPS", "right_brow": "RIGHT_EYEBROW", "left_brow": "LEFT_EYEBROW",
    "right_eye": "RIGHT_EYE", "left_eye": "LEFT_EYE", "oval": "FACE_OVAL",
}  # fmt: skip


def published(name: str) -> set[int]:
    return {end for c in getattr(Connections, f"FACE_LANDMARKS_{name}") for end in (c.start, c.end)}


def test_x_is_the_heads_own_left_y_up_and_the_face_looks_to_z(head: HeadModel) -> None:
    mean = {name: head.mean[head.region(name)].mean(0) for name in head.region_names}
    for part in PAIRED:
        assert float(mean[f"left_{part}"][0]) > 0.02
        assert float(mean[f"right_{part}"][0]) < -0.02
    assert mean["scalp"][1] > mean["nose"][1] > mean["lips"][1] > mean["chin"][1] > mean["neck"][1]
    assert mean["nose"][2] > mean["left_cheek"][2] > mean["left_ear"][2] > mean["scalp"][2]


def test_it_is_as_large_as_a_head(head: HeadModel) -> None:
    extent = head.mean.amax(0) - head.mean.amin(0)  # metres
    assert 0.12 < float(extent[0]) < 0.21
    assert 0.18 < float(extent[1]) < 0.32
    assert 0.15 < float(extent[2]) < 0.26
    points = head.landmarks(head.mean)
    # Pupils are 63 mm apart on average (Dodgson, "Variation and extrema of human interpupillary distance", 2004).
    assert 0.05 < float((points[LEFT_IRIS[0]] - points[RIGHT_IRIS[0]]).norm()) < 0.075


def test_the_mean_has_no_translation(head: HeadModel) -> None:
    assert float(head.mean.mean(0).abs().max()) < 1e-5
    assert float(head.identity.mean(1).abs().max()) < 1e-5


def test_the_mirror_map_is_an_involution(head: HeadModel) -> None:
    everyone = torch.arange(len(head.mean))
    assert torch.equal(head.mirror[head.mirror], everyone)
    on_plane = head.mirror == everyone
    assert 50 < int(on_plane.sum()) < 500
    assert float(head.mean[on_plane, 0].abs().max()) < 1e-6


def test_the_mean_is_its_own_mirror_image(head: HeadModel) -> None:
    residual = float((head.mean[head.mirror] * FLIP - head.mean).norm(dim=1).max())
    assert residual < 1e-4
    assert residual == pytest.approx(float(head.metadata["mirror_residual"]), abs=1e-6)  # type: ignore[arg-type]


def test_the_mirror_map_keeps_faces(head: HeadModel) -> None:
    def keys(faces: torch.Tensor) -> set[tuple[int, ...]]:
        return {tuple(sorted(face)) for face in faces.tolist()}

    mirrored, faces = keys(head.mirror[head.faces]), keys(head.faces)
    # Triangulated quads may be cut along the other diagonal.
    assert len(mirrored & faces) > 0.5 * len(faces)


def test_regions_have_the_promised_names(head: HeadModel) -> None:
    assert set(head.region_names) == {f"{side}_{part}" for side in ("left", "right") for part in PAIRED} | set(MIDDLE)
    for name in head.region_names:
        assert 10 <= int(head.region(name).sum()) < len(head.mean)


@pytest.mark.parametrize("part", PAIRED)
def test_paired_regions_are_mirror_images(head: HeadModel, part: str) -> None:
    left, right = head.region(f"left_{part}"), head.region(f"right_{part}")
    assert not bool((left & right & (head.mean[:, 0].abs() > 1e-4)).any())
    assert int((left[head.mirror] ^ right).sum()) <= 0.02 * int(left.sum())


@pytest.mark.parametrize("name", MIDDLE)
def test_middle_regions_are_symmetric(head: HeadModel, name: str) -> None:
    region = head.region(name)
    assert int((region[head.mirror] ^ region).sum()) <= 0.02 * int(region.sum())


def test_regions_lie_within_each_other(head: HeadModel) -> None:
    face, skin = head.region("face"), head.region("skin")
    for name in ("lips", "nose", "forehead", "chin", "left_cheek", "right_cheek"):
        assert bool((face | ~head.region(name)).all()), name
    for name in ("face", "scalp", "neck", "left_ear", "right_ear"):
        assert bool((skin | ~head.region(name)).all()), name
    for a, b in (("scalp", "face"), ("neck", "face"), ("left_ear", "scalp"), ("right_ear", "neck"), ("lips", "chin")):
        assert not bool((head.region(a) & head.region(b)).any()), (a, b)
    inner = ("left_eyeball", "right_eyeball", "mouth_inside", "tongue", "sockets", "skin")
    assert bool(torch.stack([head.region(name) for name in inner]).any(0).all())  # every vertex is something


@pytest.mark.parametrize("name", ["left_eyelids", "right_eyelids", "nose"])
def test_the_forehead_begins_above_the_eyes(head: HeadModel, name: str) -> None:
    assert not bool((head.region("forehead") & head.region(name)).any())


@pytest.mark.parametrize("name", PUBLISHED)
def test_outlines_are_mediapipes(name: str) -> None:
    ours = OUTLINES[name]
    assert len(set(ours)) == len(ours)
    assert set(ours) <= published(PUBLISHED[name])
    edges = {frozenset((c.start, c.end)) for c in getattr(Connections, f"FACE_LANDMARKS_{PUBLISHED[name]}")}
    if name.endswith("brow"):  # MediaPipe gives the two borders as open lines
        assert set(ours) == published(PUBLISHED[name])
    else:
        assert {frozenset(pair) for pair in zip(ours, (*ours[1:], ours[0]), strict=True)} <= edges


def test_the_lips_outlines_are_all_of_mediapipes_lips() -> None:
    assert set(OUTLINES["lips"]) | set(OUTLINES["mouth"]) == published("LIPS")
    assert not set(OUTLINES["lips"]) & set(OUTLINES["mouth"])


def test_irises_are_mediapipes() -> None:
    assert published("RIGHT_IRIS") < set(RIGHT_IRIS)
    assert published("LEFT_IRIS") < set(LEFT_IRIS)
    assert len(RIGHT_IRIS) == len(LEFT_IRIS) == 5


def test_landmarks_lie_on_faces(head: HeadModel) -> None:
    assert head.landmark_faces.shape == (478,)
    assert head.landmark_weights.shape == (478, 3)
    assert float(head.landmark_weights.min()) >= 0
    np.testing.assert_allclose(head.landmark_weights.sum(1), 1, atol=1e-6)
    assert int(head.landmark_faces.min()) >= 0
    assert int(head.landmark_faces.max()) < len(head.faces)


def test_landmarks_are_where_an_anatomist_would_point(head: HeadModel) -> None:
    points = head.landmarks(head.mean)
    oval = points[list(OUTLINES["oval"])]
    assert float(points[NOSE_TIP, 2]) > float(oval[:, 2].max()) + 0.005
    assert int(points[:468, 2].argmax()) in (1, 4)  # MediaPipe's two points on the tip of the nose
    assert int(points[list(OUTLINES["oval"]), 1].argmin()) == OUTLINES["oval"].index(CHIN)
    assert int(points[list(OUTLINES["oval"]), 1].argmax()) == OUTLINES["oval"].index(FOREHEAD)
    assert float(points[LEFT_EDGE, 0]) > 0.05
    assert float(points[RIGHT_EDGE, 0]) < -0.05
    # Outer and inner corners of the eyes, from the right ear to the left one.
    assert (np.diff(points[[33, 133, 168, 362, 263], 0]) > 0.01).all()
    # Corners of the mouth.
    assert float(points[61, 0]) < -0.015
    assert float(points[291, 0]) > 0.015


@pytest.mark.parametrize(
    ("region", "indices", "share"),
    [
        ("lips", OUTLINES["lips"], 0.85), ("left_eyelids", OUTLINES["left_eye"], 0.8), ("right_eyelids", OUTLINES["right_eye"], 0.8),
        ("left_brow", OUTLINES["left_brow"], 1.0), ("right_brow", OUTLINES["right_brow"], 1.0), ("nose", (1, 2, 4, 5, 195), 1.0),
        # The pupil and the two sides of the iris; its upper and lower ends are behind the lids.
        ("left_eyeball", (473, 474, 476), 1.0), ("right_eyeball", (468, 469, 471), 1.0),
    ],
)  # fmt: skip
def test_landmarks_lie_in_their_regions(head: HeadModel, region: str, indices: tuple[int, ...], share: float) -> None:
    corners = head.faces[head.landmark_faces[list(indices)]]
    assert float(head.region(region)[corners].any(1).float().mean()) >= share


def test_landmark_twins(head: HeadModel) -> None:
    twin = head.landmark_mirror
    assert torch.equal(twin[twin], torch.arange(478))
    pairs = {33: 263, 61: 291, 234: 454, 133: 362, 159: 386, 468: 473, 107: 336, 1: 1, 152: 152, 10: 10, 13: 13}
    assert {point: int(twin[point]) for point in pairs} == pairs
    points = head.landmarks(head.mean)
    assert float((points[twin] * FLIP - points).norm(dim=1).max()) < 5e-4
    for right, left in (("right_eye", "left_eye"), ("right_brow", "left_brow")):
        assert {int(twin[k]) for k in OUTLINES[right]} == set(OUTLINES[left])
