"""Named shapes: sizes, topology, promises."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh
from skimage.measure import find_contours, marching_cubes

from headviz.errors import FieldError
from headviz.geometry.calculus import gradient
from headviz.geometry.combine import Complement, Intersection, Union
from headviz.geometry.field import evaluate
from headviz.geometry.presets import PRESETS, preset
from headviz.geometry.shape import Shape

EULER = {"torus": 0, "double_torus": -2, "thin": 2}
SPACE = [name for name in PRESETS if preset(name).dimension == 3]
PLANE = [name for name in PRESETS if preset(name).dimension == 2]


def grid(shape: Shape, count: int) -> tuple[np.ndarray, float, np.ndarray]:
    """Values on a cubic grid around a shape, its spacing and first corner."""
    low, high = shape.bounds.double()
    half = float((high - low).max()) / 2 * 1.05
    start = (low + high) / 2 - half
    axes = [start[k] + torch.linspace(0, 2 * half, count, dtype=torch.float64) for k in range(shape.dimension)]
    points = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).reshape(-1, shape.dimension)
    return evaluate(shape, points).reshape((count,) * shape.dimension).numpy(), 2 * half / (count - 1), start.numpy()


@pytest.mark.parametrize("name", SPACE)
def test_surface_is_closed_and_of_the_right_kind(name: str) -> None:
    shape = preset(name)
    values, step, start = grid(shape, 180 if name == "thin" else 100)
    vertices, faces, _, _ = marching_cubes(values, 0.0)
    mesh = trimesh.Trimesh(vertices * step + start, faces, process=False)
    assert mesh.is_watertight
    assert mesh.euler_number == EULER.get(name, 2)
    assert mesh.body_count == (2 if name == "thin" else 1)
    low, high = shape.bounds.double().numpy()
    assert (mesh.vertices >= low - 1e-6).all()
    assert (mesh.vertices <= high + 1e-6).all()
    assert 0.1 < float((high - low).max()) < 0.35


@pytest.mark.parametrize("name", PLANE)
def test_outline_is_closed_and_within_bounds(name: str) -> None:
    shape = preset(name)
    values, step, start = grid(shape, 300)
    lines = find_contours(values, 0.0)
    assert len(lines) == (2 if name == "ring" else 1)
    low, high = shape.bounds.double().numpy()
    for line in lines:
        assert np.array_equal(line[0], line[-1])
        assert (line * step + start >= low - 1e-6).all()
        assert (line * step + start <= high + 1e-6).all()


@pytest.mark.parametrize("name", PRESETS)
def test_gradients_keep_to_the_lipschitz_constant(name: str) -> None:
    shape = preset(name)
    generator = torch.Generator().manual_seed(0)
    for reach in (0.15, 1.0):
        points = (2 * torch.rand(20_000, shape.dimension, generator=generator, dtype=torch.float64) - 1) * reach
        assert float(gradient(shape, points).norm(dim=1).max()) <= shape.lipschitz * (1 + 1e-9)
    assert shape.lipschitz <= 1.01
    assert shape.bounded


def count(shape: object) -> int:
    """Primitives in a shape."""
    if isinstance(shape, Union | Intersection):
        return sum(count(part) for part in shape.parts)
    return count(shape.shape) if hasattr(shape, "shape") else 1


def test_head_is_a_head() -> None:
    head = preset("head")
    low, high = head.bounds.double().numpy()
    assert 16 <= count(head) <= 24
    assert high[1] - low[1] == pytest.approx(0.29, abs=0.01)
    values, step, _ = grid(head, 100)
    assert 0.003 < (values < 0).sum() * step**3 < 0.005  # litres and a neck's worth more
    axis = torch.linspace(-0.2, 0.2, 2000, dtype=torch.float64)
    ahead = torch.stack([torch.zeros(2000), torch.full((2000,), -0.024), axis], dim=1)
    tip = axis[head(ahead) < 0].max()
    cheek = axis[head(ahead + torch.tensor([0.03, 0.0, 0.0])) < 0].max()
    assert tip > cheek + 0.015  # the nose is in front, towards +z
    assert tip == pytest.approx(high[2], abs=0.006)


def test_head_is_mirror_symmetric() -> None:
    points = 0.3 * torch.rand(5000, 3, generator=torch.Generator().manual_seed(1)) - 0.15
    flipped = points * torch.tensor([-1.0, 1.0, 1.0])
    assert torch.equal(preset("head")(points), preset("head")(flipped))


def test_head_is_a_good_estimate_of_the_distance_far_away() -> None:
    head = preset("head")
    values, step, start = grid(head, 100)
    vertices = torch.as_tensor(marching_cubes(values, 0.0)[0] * step + start)
    generator = torch.Generator().manual_seed(2)
    points = torch.nn.functional.normalize(torch.randn(500, 3, generator=generator, dtype=torch.float64), dim=1)
    for radius, least in ((0.3, 0.85), (1.0, 0.96), (5.0, 0.97)):
        ratio = head(points * radius) / torch.cdist(points * radius, vertices).amin(1)
        assert least < float(ratio.min()) <= float(ratio.max()) < 1.001


def test_thin_is_lost_by_signs_on_a_coarse_grid_but_not_by_bounds() -> None:
    shape = preset("thin")
    values, step, _ = grid(shape, 33)
    fine, fine_step, _ = grid(shape, 257)
    brim = (fine < 0).reshape(-1).nonzero()[0]
    where = np.stack(np.unravel_index(brim, fine.shape), 1) * fine_step / step
    cells = np.unique(np.minimum(where.astype(int), 31), axis=0)
    corners = [values[tuple((cells + np.array([i, j, k])).T)] for i in (0, 1) for j in (0, 1) for k in (0, 1)]
    signs = (np.array(corners) < 0).any(0) & (np.array(corners) > 0).any(0)
    reached = np.abs(corners).min(0) <= step * 3**0.5
    whole = (np.array(corners) < 0).all(0)
    assert (reached | whole).all()
    assert signs.mean() < 0.8


def test_profile_is_the_head_cut_in_half() -> None:
    points = 0.3 * torch.rand(1000, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64) - 0.15
    space = torch.stack([torch.zeros(1000).double(), points[:, 1], points[:, 0]], dim=1)
    assert torch.equal(preset("head_profile")(points), preset("head")(space))


def test_complement_counts_too() -> None:
    assert count(Complement(preset("box"))) == 1


def test_an_unknown_name_is_answered_with_a_close_one() -> None:
    with pytest.raises(FieldError, match="it is 'haed'; did you mean 'head'"):
        preset("haed")
    with pytest.raises(FieldError, match="one of head, sphere"):
        preset("")
