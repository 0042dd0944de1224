"""Mirror twins and nearest surface points."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from headviz.heads.landmarks import closest_on_surface, mirror_pairs


@pytest.mark.parametrize("seed", range(3))
def test_planted_twins_are_found(seed: int) -> None:
    rng = np.random.default_rng(seed)
    right = rng.uniform(-1, 1, (220, 3)) - [1.1, 0, 0]
    middle = rng.uniform(-1, 1, (38, 3)) * [0, 1, 1]
    points = np.concatenate([right, right * [-1, 1, 1], middle]) + rng.normal(0, 1e-4, (478, 3))
    order = rng.permutation(478)
    place = np.argsort(order)  # where each point went
    planted = np.concatenate([np.arange(220, 440), np.arange(220), np.arange(440, 478)])
    found = mirror_pairs(torch.as_tensor(points[order], dtype=torch.float32)).numpy()
    assert (found == place[planted[order]]).all()


@pytest.mark.parametrize("subdivisions", [1, 3])
def test_nearest_points_are_no_farther_than_any_sample_of_the_surface(subdivisions: int) -> None:
    ball = trimesh.creation.icosphere(subdivisions=subdivisions)
    vertices, faces = torch.as_tensor(ball.vertices).float(), torch.as_tensor(ball.faces).long()
    points = torch.as_tensor(np.random.default_rng(1).normal(0, 1, (60, 3))).float()
    face, weights = closest_on_surface(points, vertices, faces)
    assert float(weights.min()) >= 0
    torch.testing.assert_close(weights.sum(1), torch.ones(60))
    found = (vertices[faces[face]] * weights[..., None]).sum(1)
    distance = (found - points).norm(dim=1)
    samples = torch.as_tensor(np.array(trimesh.sample.sample_surface(ball, 20000, seed=0)[0])).float()
    assert bool((distance <= torch.cdist(points, samples).amin(1) + 1e-6).all())
    # The surface lies between the sphere through its vertices and the one through its faces' middles.
    inner = float(vertices[faces].mean(1).norm(dim=1).min())
    radius = points.norm(dim=1)
    assert bool((distance >= radius - 1 - 1e-5).all())
    assert bool((distance[radius > 1] <= radius[radius > 1] - inner + 1e-5).all())


def test_points_on_the_surface_are_their_own_nearest() -> None:
    box = trimesh.creation.box().subdivide()
    vertices, faces = torch.as_tensor(box.vertices).float(), torch.as_tensor(box.faces).long()
    weights = torch.as_tensor(np.random.default_rng(0).dirichlet((1, 1, 1), len(faces))).float()
    points = (vertices[faces] * weights[..., None]).sum(1)
    face, found = closest_on_surface(points, vertices, faces)
    assert face.tolist() == list(range(len(faces)))
    torch.testing.assert_close(found, weights, atol=1e-5, rtol=0)
