"""The questions of notebook 07: likely mistakes are known, and get an answer of their own."""

from __future__ import annotations

import math

import pytest
import torch

import headviz.notebook as hv
from headviz.geometry.mesh import Mesh


@pytest.mark.parametrize(
    ("name", "answer", "words"),
    [
        ("07.1", 11, "area"),
        ("07.2", 2.0, "halfway in space"),
        ("07.3", 0.3, "the middle of the picture"),
        ("07.4", 0.0, "not in pixels"),
        ("07.4", math.exp(-7000 * (2 / 256) ** 2), "half the picture's side"),
        ("07.5", 1.1, "more than 1"),
        ("07.5", 0.5, "the strongest alone"),
        ("07.5", 0.24, "what all of them leave"),
        ("07.6", (10 / 64) ** 2, "1/e"),
        ("07.6", (10 / 128) ** 2 / math.log(1e4), "half the picture's side"),
        ("07.6", 100 / math.log(1e4), "not in pixels"),
    ],
)
def test_likely_mistakes(name: str, answer: float, words: str) -> None:
    verdict = hv.check(name, answer)
    assert verdict.right is False
    assert words in verdict.text


def scene(*, turned: bool = False) -> Mesh:
    """Four faces, of which only that of vertex 3 has colours that a pixel sees; or, turned, that of vertex 9."""
    face = torch.tensor([[-0.04, -0.04, 0.0], [0.04, -0.04, 0.0], [0.0, 0.04, 0.0]])
    far = torch.tensor([0.0, 0.0, -0.1])
    places = torch.cat([face - 0.06 * torch.eye(3)[0], face + 0.06 * torch.eye(3)[0], face + far, 1e-4 * face])
    places[6:9] -= 0.06 * torch.eye(3)[0]
    colors = torch.eye(3).repeat(4, 1)
    colors[:3] = 0.5
    order = torch.arange(12).reshape(4, 3)
    if turned:
        order = order.roll(2, 0)
        places, colors = places[order.reshape(-1)], colors[order.reshape(-1)]
    return Mesh(places, torch.arange(12).reshape(4, 3), colors=colors)


def test_the_scene_decides_which_vertex_learns() -> None:
    camera = hv.look_at_head(size=16)
    assert hv.check("07.7", 3, scene(), camera).right
    assert hv.check("07.7", 9, scene(turned=True), camera).right
    for vertex, words in ((0, "one colour"), (6, "before it"), (9, "between the centres"), (4, "Ask of each face")):
        assert words in hv.check("07.7", vertex, scene(), camera).text
