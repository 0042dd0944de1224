"""Rendered heads: the truth that comes with a picture is the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from headviz.heads import HeadModel
from headviz.heads.data import (
    grow_hair,
    random_background,
    random_camera,
    random_expression,
    random_light,
    render_head,
)
from headviz.heads.paint import PaintMaps
from headviz.render.light import Directional, Harmonics

TARGET = torch.tensor([0.01, -0.02, 0.03])
SEEDS = range(12)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_camera_turns_by_the_angles_it_tells(seed: int) -> None:
    camera, yaw, pitch, roll = random_camera(np.random.default_rng(seed), 300, TARGET, 0.2, 0.7)
    assert abs(yaw) <= 0.7
    # Head to camera: first about y by −yaw, then about x by pitch, then about z by roll.
    expected = Rotation.from_euler("yxz", [-yaw, pitch, roll]).as_matrix()
    np.testing.assert_allclose(camera.rotation, expected, atol=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_positive_yaw_shows_the_heads_left_side(seed: int) -> None:
    camera, yaw, _, _ = random_camera(np.random.default_rng(seed), 300, TARGET, 0.2, 0.7)
    assert math.copysign(1, float((camera.position - TARGET)[0])) == math.copysign(1, yaw)


@pytest.mark.parametrize("seed", SEEDS)
def test_positive_pitch_is_seen_from_above_and_positive_roll_leans_to_the_left_of_the_picture(seed: int) -> None:
    camera, _, pitch, roll = random_camera(np.random.default_rng(seed), 300, TARGET, 0.2, 0.0)
    backwards = camera.rotation[2]  # the optical axis, from the head to the camera
    assert math.copysign(1, float(backwards[1])) == math.copysign(1, pitch)
    top, bottom = camera.project(TARGET + torch.tensor([[0, 0.1, 0], [0, -0.1, 0]]))
    assert math.copysign(1, float(bottom[0] - top[0])) == math.copysign(1, roll)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_head_fills_the_share_it_should(seed: int) -> None:
    size, height = 400, 0.25
    camera, *_ = random_camera(np.random.default_rng(seed), size, TARGET, height, 0.7)
    middle = camera.project(TARGET[None])[0]
    assert float((middle - size / 2).abs().max()) <= 0.12 * size + 1e-3
    depth = -float(camera.to_camera(TARGET)[2])
    assert 0.4 * size <= camera.focal * height / depth <= 0.8 * size
    assert 26 / 36 * size <= camera.focal <= 110 / 36 * size


def test_random_expressions_are_bounded_and_often_neutral(head: HeadModel) -> None:
    rng = np.random.default_rng(0)
    names = head.expression_names
    rows = torch.stack([random_expression(rng, names) for _ in range(400)])
    assert float(rows.min()) >= 0
    assert float(rows.max()) <= 1
    blink = [names.index("eyeBlinkLeft"), names.index("eyeBlinkRight")]
    others = [k for k in range(52) if k not in blink]
    assert 0.15 < float((rows[:, others] == 0).all(1).float().mean()) < 0.35  # a quarter
    assert bool((rows[:, names.index("mouthClose")] <= rows[:, names.index("jawOpen")]).all())
    assert float(rows[:, names.index("jawOpen")].max()) <= 0.6
    assert bool((rows[:, names.index("tongueOut")] == 0).all())
    assert int((rows > 0).any(0).sum()) == 51  # every expression but the tongue occurs


@pytest.mark.parametrize("seed", SEEDS)
def test_random_lights_and_backgrounds_are_sane(seed: int) -> None:
    light = random_light(np.random.default_rng(seed))
    around, key = light.sources
    assert isinstance(around, Harmonics)
    assert isinstance(key, Directional)
    assert float(key.direction.norm()) == pytest.approx(1, abs=1e-5)
    assert float(around.coefficients[0].min()) > 0.2
    assert 0 <= light.gloss <= 0.25
    picture = random_background(np.random.default_rng(seed), 64)
    assert picture.shape == (64, 64, 3)
    assert float(picture.min()) >= 0
    assert float(picture.max()) <= 1


def test_hair_raises_the_scalp_alone(head: HeadModel) -> None:
    most = 0.0
    for seed in SEEDS:
        grown = grow_hair(head.mean, head, np.random.default_rng(seed))
        moved = (grown - head.mean).norm(dim=1)
        assert float(moved[~head.region("scalp")].max()) == 0
        assert float(moved.max()) <= 0.04 + 1e-6
        most = max(most, float(moved.max()))
    assert most > 0.01


def test_the_truth_of_a_picture_is_seen_in_it(head: HeadModel, maps: PaintMaps) -> None:
    rng = np.random.default_rng(4)
    taken = render_head(head, maps, head.mean, rng, size=192, max_yaw=0.5)
    assert taken.picture.shape == (192, 192, 3)
    assert float(taken.picture.min()) >= 0
    assert float(taken.picture.max()) <= 1
    points = taken.camera.project(head.landmarks(head.vertices(expression=taken.expression)))
    assert float(points.min()) > 0
    assert float(points.max()) < 192
    assert abs(taken.yaw) <= 0.5


def test_the_same_seed_renders_the_same(head: HeadModel, maps: PaintMaps) -> None:
    first, again = (render_head(head, maps, head.mean, np.random.default_rng(9), size=96) for _ in range(2))
    assert torch.equal(first.picture, again.picture)
    assert torch.equal(first.expression, again.expression)
    assert (first.yaw, first.pitch, first.roll) == (again.yaw, again.pitch, again.roll)
