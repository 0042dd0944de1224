"""Painted skin: signed distances in closed form, and colours that a skin can have."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from headviz.geometry.polygon import polygon_distance
from headviz.heads import HeadModel
from headviz.heads.paint import PaintMaps, paint

coordinates = st.floats(-3, 3, width=32)


@given(st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=20), st.floats(0.2, 2), st.floats(0.2, 2))
def test_the_distance_to_a_rectangle_is_the_known_formula(
    places: list[tuple[float, float]], a: float, b: float
) -> None:
    rectangle = torch.tensor([[-a, -b], [a, -b], [a, b], [-a, b]])
    found = polygon_distance(torch.tensor(places), rectangle)
    # Inigo Quilez, "2D distance functions": |max(d, 0)| + min(max(d), 0) with d = |p| − half sides.
    d = np.abs(np.array(places)) - [a, b]
    expected = np.linalg.norm(np.maximum(d, 0), axis=1) + np.minimum(d.max(1), 0)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("turn", [1, -1])
def test_the_distance_to_a_circle_does_not_depend_on_the_direction(turn: int) -> None:
    angles = torch.arange(400) * 2 * math.pi / 400 * turn
    circle = torch.stack([angles.cos(), angles.sin()], dim=1)
    points = torch.randn(300, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(polygon_distance(points, circle), points.norm(dim=1) - 1, atol=1e-4, rtol=0)


def test_a_dent_is_outside() -> None:
    arrow = torch.tensor([[0.0, 0.0], [2.0, 1.0], [4.0, 0.0], [2.0, 4.0]])
    found = polygon_distance(torch.tensor([[2.0, 0.5], [2.0, 2.0]]), arrow)
    assert found[0] == pytest.approx(math.sin(math.atan2(1, 2)) * 1.0, abs=0.01)  # below the dent
    assert float(found[1]) < 0


def test_maps_know_where_texels_are(head: HeadModel, maps: PaintMaps) -> None:
    assert 0.7 < float(maps.covered.float().mean()) < 0.9
    place = maps.position[maps.covered]
    assert bool((place >= head.mean.amin(0) - 1e-6).all())
    assert bool((place <= head.mean.amax(0) + 1e-6).all())
    assert not bool((maps.eyeball & maps.inside).any())
    assert bool((maps.distances["lips"] < 0).any())
    inside_lips = maps.position[maps.distances["lips"] < 0]
    assert float((inside_lips[:, 1] - head.mean[head.region("lips"), 1].mean()).abs().max()) < 0.03
    assert maps.levels["brow"] > maps.levels["nose"] > maps.levels["chin"]
    for side, sign in (("right_brow", -1), ("left_brow", 1)):
        assert float(maps.position[maps.distances[side] < 0][:, 0].mean()) * sign > 0.02


@pytest.mark.parametrize("seed", range(6))
def test_paint_is_a_colour_everywhere(maps: PaintMaps, seed: int) -> None:
    albedo = paint(maps, np.random.default_rng(seed))
    assert albedo.shape == (192, 192, 3)
    assert albedo.dtype == torch.float32
    assert bool(albedo.isfinite().all())
    assert float(albedo.min()) >= 0
    assert float(albedo.max()) <= 1


def test_the_same_seed_paints_the_same(maps: PaintMaps) -> None:
    first, again, other = (paint(maps, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert float((first - other).abs().mean()) > 0.01


def test_features_have_their_colours(maps: PaintMaps) -> None:
    redder = 0
    for seed in range(10):
        albedo = paint(maps, np.random.default_rng(seed))
        pupil = albedo.flatten(0, 1)[int(maps.iris.argmin())]
        white = albedo[(maps.iris > 1.3) & (maps.iris < 2)]
        assert float(pupil.max()) < 0.1
        assert float(white.mean()) > 0.3
        cheek = albedo[maps.covered & (maps.distances["oval"] < -0.03) & (maps.distances["lips"] > 0.01)].mean(0)
        assert cheek[0] > cheek[1] > cheek[2]  # skin is red more than green more than blue
        lips = albedo[(maps.distances["lips"] < -0.001) & (maps.distances["mouth"] > 0.002)].mean(0)
        redder += int(lips[0] / lips[1] > cheek[0] / cheek[1])
    assert redder >= 9
