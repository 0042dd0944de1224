"""The 52 expressions move what their names say, to the side that their names say."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from headviz.heads import HeadModel

FLIP = torch.tensor([-1.0, 1.0, 1.0])

#: Apple, ARKit, ARFaceAnchor.BlendShapeLocation, in the order of its documentation.
ARKIT = [
    "eyeBlinkLeft",
    "eyeLookDownLeft",
    "eyeLookInLeft",
    "eyeLookOutLeft",
    "eyeLookUpLeft",
    "eyeSquintLeft",
    "eyeWideLeft",
    "eyeBlinkRight",
    "eyeLookDownRight",
    "eyeLookInRight",
    "eyeLookOutRight",
    "eyeLookUpRight",
    "eyeSquintRight",
    "eyeWideRight",
    "jawForward",
    "jawLeft",
    "jawRight",
    "jawOpen",
    "mouthClose",
    "mouthFunnel",
    "mouthPucker",
    "mouthLeft",
    "mouthRight",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthFrownLeft",
    "mouthFrownRight",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthStretchLeft",
    "mouthStretchRight",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "browDownLeft",
    "browDownRight",
    "browInnerUp",
    "browOuterUpLeft",
    "browOuterUpRight",
    "cheekPuff",
    "cheekSquintLeft",
    "cheekSquintRight",
    "noseSneerLeft",
    "noseSneerRight",
    "tongueOut",
]
LEFT = [name for name in ARKIT if name.endswith("Left")]

# Points of MediaPipe's face mesh, from its published map. Left and right are the subject's own.
CHIN, UPPER_LIP, LOWER_LIP, NOSE_TIP = 152, 13, 14, 1
LEFT_CORNER, RIGHT_CORNER, LEFT_PUPIL, RIGHT_PUPIL = 291, 61, 473, 468
LEFT_LIDS, RIGHT_LIDS = (386, 374), (159, 145)
LEFT_BROW_INNER, LEFT_BROW_OUTER, RIGHT_BROW_INNER = 336, 300, 107
LEFT_WING, LEFT_CHEEK, RIGHT_CHEEK = 358, 425, 205


def shape(head: HeadModel, name: str) -> Tensor:
    return head.expression[head.expression_names.index(name)]


def posed(head: HeadModel, **weights: float) -> Tensor:
    """Landmarks of the mean head with an expression."""
    vector = torch.zeros(52)
    for name, weight in weights.items():
        vector[head.expression_names.index(name)] = weight
    return head.landmarks(head.vertices(expression=vector))


def test_the_names_are_arkits(head: HeadModel) -> None:
    assert len(ARKIT) == len(set(ARKIT)) == 52
    assert sorted(head.expression_names) == sorted(ARKIT)
    assert head.expression.shape == (52, len(head.mean), 3)


@pytest.mark.parametrize("name", ARKIT)
def test_every_expression_moves_the_head_by_millimetres(head: HeadModel, name: str) -> None:
    assert 0.002 < float(shape(head, name).norm(dim=1).max()) < 0.06


@pytest.mark.parametrize(
    ("name", "point", "axis", "sign"),
    [
        ("jawOpen", CHIN, "y", -1), ("jawLeft", CHIN, "x", 1), ("jawRight", CHIN, "x", -1), ("jawForward", CHIN, "z", 1),
        ("mouthLeft", LOWER_LIP, "x", 1), ("mouthRight", LOWER_LIP, "x", -1), ("mouthLowerDownLeft", LOWER_LIP, "y", -1),
        ("mouthUpperUpLeft", UPPER_LIP, "y", 1), ("mouthShrugUpper", UPPER_LIP, "y", 1),
        ("mouthSmileLeft", LEFT_CORNER, "y", 1), ("mouthSmileLeft", LEFT_CORNER, "x", 1),
        ("mouthFrownLeft", LEFT_CORNER, "y", -1), ("mouthStretchLeft", LEFT_CORNER, "x", 1),
        ("mouthDimpleLeft", LEFT_CORNER, "x", 1), ("mouthFunnel", LOWER_LIP, "z", 1), ("mouthPucker", LEFT_CORNER, "x", -1),
        ("browInnerUp", LEFT_BROW_INNER, "y", 1), ("browInnerUp", RIGHT_BROW_INNER, "y", 1),
        ("browDownLeft", LEFT_BROW_INNER, "y", -1), ("browOuterUpLeft", LEFT_BROW_OUTER, "y", 1),
        ("eyeBlinkLeft", LEFT_LIDS[0], "y", -1), ("eyeWideLeft", LEFT_LIDS[0], "y", 1), ("eyeSquintLeft", LEFT_LIDS[1], "y", 1),
        ("eyeLookUpLeft", LEFT_PUPIL, "y", 1), ("eyeLookDownLeft", LEFT_PUPIL, "y", -1),
        ("eyeLookInLeft", LEFT_PUPIL, "x", -1), ("eyeLookOutLeft", LEFT_PUPIL, "x", 1),
        ("cheekPuff", LEFT_CHEEK, "z", 1), ("cheekPuff", RIGHT_CHEEK, "z", 1), ("noseSneerLeft", LEFT_WING, "y", 1),
    ],
)  # fmt: skip
def test_an_expression_moves_its_landmark_its_way(head: HeadModel, name: str, point: int, axis: str, sign: int) -> None:
    move = posed(head, **{name: 1.0})[point] - posed(head)[point]
    assert float(move["xyz".index(axis)]) * sign > 0.0007


def test_the_tongue_comes_out(head: HeadModel) -> None:
    move = shape(head, "tongueOut")
    assert float(move[head.region("tongue"), 2].max()) > 0.02
    assert float(move[head.region("skin")].norm(dim=1).max()) < 1e-4


def test_jaw_open_parts_the_lips_and_mouth_close_shuts_them(head: HeadModel) -> None:
    def gap(**weights: float) -> float:
        points = posed(head, **weights)
        return float((points[UPPER_LIP] - points[LOWER_LIP]).norm())

    assert gap(jawOpen=1.0) > gap() + 0.015
    assert gap(jawOpen=1.0, mouthClose=1.0) < gap() + 0.5 * (gap(jawOpen=1.0) - gap())


def test_a_blink_shuts_one_eye(head: HeadModel) -> None:
    def opening(points: Tensor, lids: tuple[int, int]) -> float:
        return float(points[lids[0], 1] - points[lids[1], 1])

    still, blinking = posed(head), posed(head, eyeBlinkLeft=1.0)
    assert opening(blinking, LEFT_LIDS) < 0.3 * opening(still, LEFT_LIDS)
    assert opening(blinking, RIGHT_LIDS) == pytest.approx(opening(still, RIGHT_LIDS), abs=1e-6)


def test_a_pucker_narrows_the_mouth_and_a_stretch_widens_it(head: HeadModel) -> None:
    def width(**weights: float) -> float:
        points = posed(head, **weights)
        return float(points[LEFT_CORNER, 0] - points[RIGHT_CORNER, 0])

    assert width(mouthPucker=1.0) < width() - 0.005
    assert width(mouthStretchLeft=1.0, mouthStretchRight=1.0) > width() + 0.005


@pytest.mark.parametrize("name", [n for n in LEFT if n.startswith(("eye", "brow", "cheek"))])
def test_an_upper_expression_leaves_the_other_eye_alone(head: HeadModel, name: str) -> None:
    move = shape(head, name).norm(dim=1)
    for region in ("right_eyelids", "right_eyeball"):
        assert float(move[head.region(region)].max()) < 5e-4
    # The frown between the brows draws in the inner end of the other one.
    assert float(move[head.region("right_brow")].max()) < 0.2 * float(move[head.region("left_brow")].max()) + 1e-4
    assert float(move[head.region("skin")].max()) > 0.001


@pytest.mark.parametrize("name", LEFT)
def test_left_expressions_reach_farther_on_the_left(head: HeadModel, name: str) -> None:
    move = shape(head, name)
    if name in ("jawLeft", "mouthLeft"):  # directions, not sides
        assert float(move[head.region("face"), 0].mean()) > 0.0001
    else:
        x = head.mean[:, 0]
        assert float(move[x > 0.005].norm(dim=1).sum()) > 2 * float(move[x < -0.005].norm(dim=1).sum())


#: Millimetres by which shapes of the source are not symmetric; all others are to 0.2 mm.
ASYMMETRY = {
    "eyeLookUpLeft": 0.3, "jawOpen": 0.9, "mouthClose": 0.9, "mouthFunnel": 2.3, "mouthRollLower": 0.3, "mouthShrugLower": 0.5,
    "mouthSmileLeft": 1.4, "mouthStretchLeft": 0.4,
}  # fmt: skip


@pytest.mark.parametrize("name", [n for n in ARKIT if not n.endswith("Right")])
def test_expressions_are_symmetric_or_have_a_mirrored_twin(head: HeadModel, name: str) -> None:
    twin = shape(head, name.removesuffix("Left") + "Right" if name.endswith("Left") else name)
    difference = (twin[head.mirror] * FLIP - shape(head, name)).norm(dim=1)
    assert 1000 * float(difference.max()) < ASYMMETRY.get(name, 0.2)
