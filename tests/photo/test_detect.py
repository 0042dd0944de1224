"""MediaPipe's faces and landmarks: what is found, where, and what is not."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from headviz.geometry.color import from_uint8
from headviz.heads import load_head
from headviz.photo.detect import FaceDetection, FaceFinder
from headviz.photo.picture import Box, load_photo

#: What MediaPipe scores: Apple's 52 but for the tongue.
SCORED = [
    "eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft", "eyeSquintLeft",
    "eyeWideLeft", "eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight", "eyeLookOutRight", "eyeLookUpRight",
    "eyeSquintRight", "eyeWideRight", "jawForward", "jawLeft", "jawRight", "jawOpen", "mouthClose", "mouthFunnel",
    "mouthPucker", "mouthLeft", "mouthRight", "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft",
    "mouthFrownRight", "mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthPressLeft", "mouthPressRight",
    "mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight", "browDownLeft",
    "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff", "cheekSquintLeft",
    "cheekSquintRight", "noseSneerLeft", "noseSneerRight",
]  # fmt: skip
FACE = Box(170, 60, 280, 190)  #: around the astronaut's face


@pytest.fixture(scope="module")
def finder() -> Iterator[FaceFinder]:
    with FaceFinder() as finder:
        yield finder


@pytest.fixture(scope="module")
def photo(astronaut: Path) -> Tensor:
    return load_photo(astronaut).pixels


@pytest.fixture(scope="module")
def face(finder: FaceFinder, photo: Tensor) -> FaceDetection:
    (found,) = finder.find(photo)
    return found


def portrait(photo: Tensor, width: int) -> Tensor:
    """The astronaut's head and shoulders, resized."""
    part = Image.fromarray((photo[20:250, 110:340].numpy() ** (1 / 2.2) * 255).astype(np.uint8))
    small = part.resize((width, width), Image.Resampling.BICUBIC)
    return from_uint8(np.ascontiguousarray(np.asarray(small)))


def canvas(height: int, width: int) -> Tensor:
    """A smooth background without a face."""
    v, u = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    return torch.stack([0.2 + 0.3 * u, 0.3 + 0.2 * v, 0.4 - 0.2 * u * v], dim=-1)


def overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    width, height = min(a.right, b.right) - max(a.left, b.left), min(a.bottom, b.bottom) - max(a.top, b.top)
    both = max(0.0, width) * max(0.0, height)
    return both / (a.area + b.area - both)


def test_the_astronaut_is_found(face: FaceDetection) -> None:
    # By eye: chin at (224, 179), eyes at (203, 108) and (245, 107).
    assert overlap(face.box, Box(180, 70, 271, 179)) > 0.85
    assert 0.8 < face.confidence <= 1
    points = face.landmarks
    assert points.shape == (478, 3)
    for index, place in ((152, (228, 178)), (468, (205, 109)), (473, (247, 105)), (1, (222, 133))):
        assert math.dist(points[index, :2].tolist(), place) < 8, (index, points[index])


def test_landmarks_lie_in_the_picture_and_make_the_box(face: FaceDetection) -> None:
    u, v, z = face.landmarks.unbind(1)
    assert 0 < float(u.min()) == pytest.approx(face.box.left)
    assert float(u.max()) == pytest.approx(face.box.right)
    assert 0 < float(v.min()) == pytest.approx(face.box.top)
    assert float(v.max()) == pytest.approx(face.box.bottom)
    # The nose is nearest: z is smaller towards the camera, in pixels.
    assert int(z.argmin()) in (1, 4)
    assert 0.3 * face.box.width < float(z.max() - z.min()) < 1.5 * face.box.width


def test_left_and_right_are_the_subjects(face: FaceDetection) -> None:
    # She looks at the camera, so her left is to the right of the picture.
    assert face.landmarks[263, 0] > face.landmarks[33, 0] + 20
    assert face.landmarks[454, 0] > face.landmarks[234, 0] + 50


def test_scores_are_arkits_without_the_tongue(face: FaceDetection) -> None:
    assert sorted(face.scores) == sorted(SCORED)
    assert set(load_head().expression_names) - set(face.scores) == {"tongueOut"}
    assert all(0 <= score <= 1 for score in face.scores.values())


def test_she_smiles_with_open_eyes(face: FaceDetection) -> None:
    assert min(face.scores["mouthSmileLeft"], face.scores["mouthSmileRight"]) > 0.5
    assert max(face.scores["eyeBlinkLeft"], face.scores["eyeBlinkRight"]) < 0.5
    assert face.scores["mouthFrownLeft"] < 0.2


def test_the_same_picture_gives_the_same_landmarks(finder: FaceFinder, photo: Tensor, face: FaceDetection) -> None:
    (again,) = finder.find(photo)
    assert torch.equal(again.landmarks, face.landmarks)
    assert again.scores == face.scores


def test_the_second_opinion_is_close_and_no_farther_than_the_mirrored_one(
    finder: FaceFinder, photo: Tensor, face: FaceDetection
) -> None:
    twin = load_head().landmark_mirror
    second = finder.second_opinion(photo, face, twin)
    apart = (second.landmarks - face.landmarks)[:, :2].norm(dim=1)
    assert 0 < float(apart.max()) < 0.03 * face.box.width
    # It is the mean of two, so it is as far from the landmarks of the mirrored picture.
    (flipped,) = finder.find(photo.flip(1))
    mirrored = flipped.landmarks[twin, :2] * torch.tensor([-1.0, 1.0]) + torch.tensor([512.0, 0.0])
    assert (
        float((second.landmarks[:, :2] - (mirrored + face.landmarks[:, :2]) / 2).norm(dim=1).mean())
        < 0.005 * face.box.width
    )
    assert second.scores == face.scores
    assert second.box == face.box


def test_a_mirrored_picture_has_a_mirrored_second_opinion(
    finder: FaceFinder, photo: Tensor, face: FaceDetection
) -> None:
    twin = load_head().landmark_mirror
    one = finder.second_opinion(photo, face, twin).landmarks
    (flipped,) = finder.find(photo.flip(1))
    two = finder.second_opinion(photo.flip(1), flipped, twin).landmarks
    back = two[twin] * torch.tensor([-1.0, 1.0, 1.0]) + torch.tensor([512.0, 0.0, 0.0])
    assert float((one - back)[:, :2].norm(dim=1).mean()) < 0.005 * face.box.width


def test_a_second_opinion_that_sees_no_face_changes_nothing(finder: FaceFinder, face: FaceDetection) -> None:
    assert finder.second_opinion(canvas(512, 512), face, load_head().landmark_mirror) is face


@pytest.mark.parametrize(
    "crop",
    [FACE, Box(120, 20, 330, 230), Box(-100, -100, 700, 700), Box(150, 40, 300, 512)],
    ids=["tight", "wide", "beyond", "tall"],
)
def test_a_crop_with_the_face_finds_it(finder: FaceFinder, photo: Tensor, face: FaceDetection, crop: Box) -> None:
    (found,) = finder.find(photo, crop)
    assert float((found.landmarks - face.landmarks)[:, :2].norm(dim=1).mean()) < 0.02 * face.box.width


@pytest.mark.parametrize(
    "crop",
    [
        Box(300, 300, 512, 512), Box(0, 0, 130, 130), Box(120, 220, 330, 430), Box(280, 0, 512, 200), Box(600, 600, 700, 700),
        # Not square: the strip above the face, and the one to the left of it.
        Box(0, 0, 512, 60), Box(0, 0, 60, 512), Box(275, 60, 300, 190),
    ],
    ids=["below right", "corner", "chest", "right", "outside", "strip above", "strip left", "strip right"],
)  # fmt: skip
def test_a_crop_without_the_face_finds_none(finder: FaceFinder, photo: Tensor, crop: Box) -> None:
    assert finder.find(photo, crop) == []


def test_an_empty_crop_finds_none(finder: FaceFinder, photo: Tensor) -> None:
    assert finder.find(photo, Box(200, 100, 200, 100)) == []


def test_a_crop_decides_which_of_two_faces(finder: FaceFinder, photo: Tensor) -> None:
    both = canvas(300, 600)
    both[30:250, 40:260] = portrait(photo, 220)
    both[60:220, 380:540] = portrait(photo, 160)
    (left,) = finder.find(both, Box(0, 0, 300, 300))
    (right,) = finder.find(both, Box(320, 0, 600, 300))
    assert left.box.right < 300
    assert right.box.left > 380


@pytest.mark.parametrize("place", [(100, 200), (1500, 1300), (900, 940), (1700, 60)])
def test_a_small_face_in_a_large_picture_is_found(finder: FaceFinder, photo: Tensor, place: tuple[int, int]) -> None:
    picture = canvas(2000, 2000)
    left, top = place
    picture[top : top + 150, left : left + 150] = portrait(photo, 150)  # its face is 60 pixels wide
    (found,) = finder.find(picture)
    assert overlap(found.box, Box(left + 46, top + 33, left + 105, top + 104)) > 0.7
    assert 50 < found.box.width < 70


@pytest.mark.parametrize("width", [240, 160])
def test_two_faces_come_largest_first(finder: FaceFinder, photo: Tensor, width: int) -> None:
    picture = canvas(400, 800)
    picture[100 : 100 + width, 60 : 60 + width] = portrait(photo, width)
    picture[60:340, 440:720] = portrait(photo, 280)
    large, small = finder.find(picture)
    assert large.box.width / small.box.width == pytest.approx(280 / width, rel=0.1)
    assert large.box.left > 440
    assert small.box.right < 60 + width
    assert large.scores["mouthSmileLeft"] > 0.5
    assert small.scores["mouthSmileLeft"] > 0.5


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("size", [(64, 64), (480, 640), (2000, 1500)])
def test_noise_has_no_face(finder: FaceFinder, size: tuple[int, int], seed: int) -> None:
    assert finder.find(torch.rand(*size, 3, generator=torch.Generator().manual_seed(seed))) == []


@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_one_colour_has_no_face(finder: FaceFinder, value: float) -> None:
    assert finder.find(torch.full((300, 400, 3), value)) == []


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (16, 16), (17, 3000), (3, 50)])
def test_odd_sizes_do_no_harm(finder: FaceFinder, size: tuple[int, int]) -> None:
    assert finder.find(torch.rand(*size, 3, generator=torch.Generator().manual_seed(0))) == []


@pytest.mark.parametrize("turn", [0, 2])
def test_an_upright_face_is_needed(finder: FaceFinder, photo: Tensor, turn: int) -> None:
    found = finder.find(photo.rot90(turn, (0, 1)))
    assert len(found) <= 1
    assert (turn == 2) or len(found) == 1


@pytest.mark.parametrize("degrees", [-30, -15, 15, 30])
def test_a_tilted_face_has_tilted_landmarks(
    finder: FaceFinder, photo: Tensor, face: FaceDetection, degrees: int
) -> None:
    picture = Image.fromarray((photo.numpy() ** (1 / 2.2) * 255).astype(np.uint8))
    turned = np.asarray(picture.rotate(degrees, Image.Resampling.BICUBIC))  # counter-clockwise about the middle
    (found,) = finder.find(from_uint8(np.ascontiguousarray(turned)))
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    offset = face.landmarks[:, :2] - 256
    expected = torch.stack([c * offset[:, 0] + s * offset[:, 1], -s * offset[:, 0] + c * offset[:, 1]], 1) + 256
    assert float((found.landmarks[:, :2] - expected).norm(dim=1).mean()) < 0.03 * face.box.width


@pytest.mark.parametrize("factor", [0.5, 2.0, 4.0])
def test_a_resized_picture_has_resized_landmarks(
    finder: FaceFinder, photo: Tensor, face: FaceDetection, factor: float
) -> None:
    planes = torch.nn.functional.interpolate(
        photo.permute(2, 0, 1)[None], scale_factor=factor, mode="bilinear", antialias=True
    )
    (found,) = finder.find(planes[0].permute(1, 2, 0).clamp(0, 1).contiguous())
    assert float((found.landmarks[:, :2] / factor - face.landmarks[:, :2]).norm(dim=1).mean()) < 0.03 * face.box.width


def test_several_threads_get_what_one_gets(finder: FaceFinder, photo: Tensor, face: FaceDetection) -> None:
    empty = canvas(200, 200)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(finder.find, [photo, empty] * 6))
    for faces in found[::2]:
        assert torch.equal(faces[0].landmarks, face.landmarks)
    assert found[1::2] == [[]] * 6


def test_closing_twice_does_no_harm() -> None:
    finder = FaceFinder()
    finder.close()
    finder.close()


def test_a_closed_finder_says_so(photo: Tensor) -> None:
    finder = FaceFinder()
    finder.close()
    with pytest.raises((ValueError, RuntimeError)):
        finder.find(photo)


def test_a_missing_model_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FaceFinder(tmp_path / "none.task")
