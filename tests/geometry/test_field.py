"""MeshField against closed forms and an independent library."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from headviz.geometry.field import Field, MeshField
from headviz.geometry.mesh import Mesh
from headviz.heads.model import load_head


def box_distance(points: torch.Tensor, half: torch.Tensor) -> torch.Tensor:
    """Closed form of a box's signed distance."""
    q = points.abs() - half
    return q.clamp(min=0).norm(dim=1) + q.amax(1).clamp(max=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_box_distance_is_exact(dtype: torch.dtype) -> None:
    box = trimesh.creation.box((0.2, 0.3, 0.4))
    field = MeshField(Mesh(torch.tensor(np.asarray(box.vertices)).float(), torch.tensor(np.asarray(box.faces))))
    points = torch.rand(500, 3, generator=torch.Generator().manual_seed(1), dtype=dtype) - 0.5
    expected = box_distance(points.double(), torch.tensor([0.1, 0.15, 0.2], dtype=torch.float64))
    values = field(points)
    assert values.dtype == dtype
    assert torch.allclose(values.double(), expected, atol=1e-6)
    assert isinstance(field, Field)


def test_overlapping_parts_are_one_inside() -> None:
    a, b = trimesh.creation.icosphere(3, 0.1), trimesh.creation.icosphere(3, 0.1)
    b.apply_translation((0.05, 0, 0))
    vertices = torch.tensor(np.concatenate([a.vertices, b.vertices])).float()
    faces = torch.tensor(np.concatenate([a.faces, b.faces + len(a.vertices)]))
    inside = MeshField(Mesh(vertices, faces))(torch.tensor([[0.025, 0.0, 0.0], [0.3, 0.0, 0.0]]))
    assert float(inside[0]) < 0 < float(inside[1])


def test_head_solid_volume_matches_the_share_of_points_inside() -> None:
    solid = load_head().solid()
    field = MeshField(solid)
    low, high = field.bounds
    generator = torch.Generator().manual_seed(0)
    points = low + torch.rand(20_000, 3, generator=generator) * (high - low)
    share = float((field(points) < 0).float().mean()) * float((high - low).prod())
    skin = max(
        trimesh.Trimesh(solid.vertices.numpy(), solid.faces.numpy(), process=False).split(), key=lambda m: m.volume
    )
    assert share == pytest.approx(skin.volume, rel=0.03)


def test_points_that_are_not_finite_are_refused() -> None:
    field = MeshField(load_head().solid())
    with pytest.raises(ValueError, match="finite"):
        field(torch.tensor([[0.0, float("nan"), 0.0]]))


def test_no_points_give_no_values() -> None:
    assert MeshField(load_head().solid())(torch.zeros(0, 3)).shape == (0,)
