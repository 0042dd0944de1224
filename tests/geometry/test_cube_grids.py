"""Marching cubes on full grids, against closed forms, VTK and scikit-image."""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from headviz.errors import (
    BoundsError,
    EmptySurfaceError,
    FieldError,
    InputError,
    MissingExtraError,
    ShapeError,
    SurfaceWarning,
)
from headviz.geometry.cube_tables import cube_table
from headviz.geometry.cubes import CubeContour, marching_cubes
from headviz.geometry.mesh import Mesh

Function = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
BOX = {"origin": (-1.0, -1.0, -1.0)}


def sphere(x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    return (x - 0.013).square().add((y - 0.021).square()).add((z + 0.017).square()).sqrt() - 0.7


def torus(x: torch.Tensor, y: torch.Tensor, z: torch.Tensor, at: float = 0.01, big: float = 0.6) -> torch.Tensor:
    return torch.hypot(torch.hypot(x - at, y + 0.02) - big, z - 0.013) - 0.21


def double_torus(x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    return torch.minimum(torus(x, y, z, -0.36, 0.35), torus(x, y, z, 0.37, 0.35))


def waves(x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    bumps = (3 * x + 0.3).sin() * (2.5 * y).cos() + (2.7 * z).sin() * (3.1 * x).cos()
    return bumps + 4 * (x * x + y * y + z * z) - 1.3


def sampled(function: Function, size: int, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, float]:
    """Values in the box [−1, 1]³, and the distance of the samples."""
    ticks = torch.linspace(-1, 1, size, dtype=dtype)
    return function(*torch.meshgrid(ticks, ticks, ticks, indexing="ij")), 2 / (size - 1)


def contour(function: Function, size: int, library: str = "headviz", record: bool = False) -> CubeContour:
    values, spacing = sampled(function, size)
    return marching_cubes(values, spacing=spacing, **BOX, library=library, record=record)


def solid(mesh: Mesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(mesh.vertices.detach().numpy(), mesh.faces.numpy(), process=False)


@pytest.mark.parametrize("library", ["headviz", "scikit-image", "vtk"])
@pytest.mark.parametrize(("function", "euler"), [(sphere, 2), (torus, 0), (double_torus, -2), (waves, 2)])
def test_shapes_are_what_they_are(function: Function, euler: int, library: str) -> None:
    """Closed, with the right number of handles, facing outward, as VTK and scikit-image have them."""
    ours = contour(function, 96, record=True)
    assert ours.case is not None
    assert not bool(cube_table().ambiguous[ours.case.long()].any())
    found, theirs = solid(ours.mesh), solid(contour(function, 96, library).mesh)
    assert found.is_watertight
    assert found.is_winding_consistent
    assert found.euler_number == theirs.euler_number == euler
    assert found.volume > 0
    assert theirs.volume == pytest.approx(found.volume, rel=1e-4)  # other diagonals
    assert theirs.area == pytest.approx(found.area, rel=1e-6)
    assert len(theirs.faces) == len(found.faces)
    assert cKDTree(theirs.vertices).query(found.vertices)[0].max() < 1e-5
    assert cKDTree(found.vertices).query(theirs.vertices)[0].max() < 1e-5


def test_faces_of_the_common_cases_are_vtks() -> None:
    """Cases without ambiguous faces: the same triangles as VTK's on at least 126 of 134; the others are turned."""
    table, same = cube_table(), 0
    for case in (table.ambiguous[:255] == 0).nonzero()[1:, 0].tolist():
        values = 1.0 - 2.0 * (torch.tensor(case) >> torch.arange(8) & 1).view(2, 2, 2).permute(2, 1, 0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SurfaceWarning)
            meshes = [marching_cubes(values, library=library).mesh for library in ("headviz", "vtk")]
        ours, theirs = ({frozenset(map(tuple, t)) for t in m.vertices[m.faces].tolist()} for m in meshes)
        same += ours == theirs
    assert same >= 126


def test_area_and_volume_converge_with_slope_2_from_below() -> None:
    errors = []
    for size in (16, 32, 64):
        mesh = solid(contour(sphere, size).mesh)
        errors.append((4 * math.pi * 0.7**2 - mesh.area, 4 / 3 * math.pi * 0.7**3 - mesh.volume))
    for wrong in zip(*errors, strict=True):
        assert wrong[-1] > 0
        slope = math.log2(wrong[0] / wrong[-1]) / math.log2(63 / 15)
        assert slope == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("size", [13, 40])
def test_convex_shapes_are_never_too_large(size: int) -> None:
    def ellipsoid(x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        return torch.sqrt((x / 0.9) ** 2 + (y / 0.5) ** 2 + (z / 0.6) ** 2) - 1

    mesh = solid(contour(ellipsoid, size).mesh)
    assert 0.9 < mesh.volume / (4 / 3 * math.pi * 0.9 * 0.5 * 0.6) < 1
    assert mesh.area < 5.4914608624  # by quadrature


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_recorded_equals_unrecorded(dtype: torch.dtype) -> None:
    values, spacing = sampled(waves, 24, dtype)
    plain, again = (marching_cubes(values, spacing=spacing) for _ in range(2))
    recorded = marching_cubes(values, spacing=spacing, record=True)
    for other in (again, recorded):
        assert torch.equal(plain.mesh.vertices, other.mesh.vertices)
        assert torch.equal(plain.mesh.faces, other.mesh.faces)
    assert plain.mesh.vertices.dtype == dtype
    assert plain.case is None
    assert plain.history is None


def test_the_record_goes_cell_by_cell() -> None:
    values, _ = sampled(waves, 24)
    found = marching_cubes(values, record=True)
    history, table = found.history, cube_table()
    assert history is not None
    assert found.case is not None
    inside = values.numpy() < 0
    case = sum(
        inside[i : 23 + i, j : 23 + j, k : 23 + k].astype(int) << (i + 2 * j + 4 * k)
        for i in (0, 1)
        for j in (0, 1)
        for k in (0, 1)
    )
    assert np.array_equal(found.case.numpy(), case)
    active = np.argwhere((case > 0) & (case < 255))
    assert np.array_equal(history.cell.numpy(), active)
    assert np.array_equal(history.case.numpy(), case[tuple(active.T)])
    assert torch.equal(history.cube_class, table.classes[history.case.long()])
    assert torch.equal(history.values < 0, (history.case[:, None] >> torch.arange(8) & 1).bool())
    assert torch.equal(history.faces[1:, 0], history.faces[:-1, 1])
    assert torch.equal(history.faces[:, 1] - history.faces[:, 0], table.count[history.state])
    for (start, end), cell in zip(history.faces.tolist(), history.cell, strict=True):
        corners = found.mesh.vertices[found.mesh.faces[start:end]] - cell
        assert bool(((corners >= -1e-9) & (corners <= 1 + 1e-9)).all())


def test_slabs_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    values, _ = sampled(torus, 23)
    whole = marching_cubes(values, record=True)
    monkeypatch.setattr("headviz.geometry.cubes._SLAB", 1200)
    parts = marching_cubes(values, record=True)
    assert torch.equal(whole.mesh.vertices, parts.mesh.vertices)
    assert torch.equal(whole.mesh.faces, parts.mesh.faces)
    assert whole.case is not None
    assert parts.case is not None
    assert torch.equal(whole.case, parts.case)


def test_vertices_lie_between_their_grid_points() -> None:
    values, _ = sampled(torus, 20)
    values = values[:, 1:, 3:]
    found = marching_cubes(values, 0.05, spacing=(0.5, 2.0, 1.0), origin=(3.0, -1.0, 0.0))
    assert found.edges is not None
    assert found.fraction is not None
    ends = torch.stack(torch.unravel_index(found.edges, values.shape), -1) * torch.tensor([0.5, 2.0, 1.0]).double()
    expected = torch.lerp(ends[:, 0], ends[:, 1], found.fraction[:, None]) + torch.tensor([3.0, -1.0, 0.0])
    torch.testing.assert_close(found.mesh.vertices, expected)
    low, high = values.flatten()[found.edges].unbind(1)
    torch.testing.assert_close(torch.lerp(low, high, found.fraction), torch.full_like(low, 0.05))


@given(st.floats(-0.1, 0.1), st.floats(0.1, 10), st.tuples(*[st.floats(-5, 5)] * 3))
@settings(max_examples=20, deadline=None)
def test_level_spacing_and_origin(level: float, spacing: float, origin: tuple[float, float, float]) -> None:
    values, _ = sampled(torus, 24)
    one = marching_cubes(values - level).mesh
    other = marching_cubes(values, level, spacing=spacing, origin=origin).mesh
    assert torch.equal(one.faces, other.faces)
    torch.testing.assert_close(one.vertices * spacing + torch.tensor(origin, dtype=torch.float64), other.vertices)


def test_takes_arrays_views_and_whole_numbers() -> None:
    values, _ = sampled(sphere, 12)
    strided = torch.stack([values, values], -1)[..., 0]
    expected = marching_cubes(values).mesh
    for same in (strided, values.numpy(), values.flip(0).flip(0)):
        assert torch.equal(marching_cubes(same).mesh.vertices, expected.vertices)
    whole = marching_cubes((values.numpy() > 0).astype(np.int16), 0.5).mesh
    assert whole.vertices.dtype == torch.float32
    assert solid(whole).is_watertight


def test_vertices_have_gradients() -> None:
    values = sampled(sphere, 5)[0].requires_grad_()
    assert torch.autograd.gradcheck(lambda f: marching_cubes(f, spacing=0.5).mesh.vertices, values, eps=1e-7)


@pytest.mark.parametrize("library", ["headviz", "scikit-image", "vtk"])
def test_says_where_the_surface_leaves_the_grid(library: str) -> None:
    values = sampled(sphere, 24)[0][:, :12, 5:]
    with pytest.warns(SurfaceWarning, match=r"\d+ boundary edges \(\d+ on \+y, \d+ on −z\)") as caught:
        mesh = marching_cubes(values, library=library).mesh
    edges = np.sort(solid(mesh).edges, axis=1)
    alone = int((np.unique(edges, axis=0, return_counts=True)[1] == 1).sum())
    assert f"there: {alone} boundary edges" in str(caught[0].message)


def bad(value: float) -> torch.Tensor:
    values = torch.ones(3, 4, 5)
    values[1, 2, 3] = values[2, 0, 0] = value
    return values


@pytest.mark.parametrize(
    ("values", "given", "error", "message"),
    [
        (torch.ones(4, 4), {}, ShapeError, r"shape is \(4, 4\)"),
        (torch.ones(4, 1, 4), {}, ShapeError, r"at least 2; shape is \(4, 1, 4\)"),
        (bad(math.nan), {}, FieldError, r"2 of 60 are not, the first is nan at index \(1, 2, 3\)"),
        (bad(-math.inf), {}, FieldError, r"2 of 60 are not, the first is -inf"),
        (bad(-1), {"level": math.nan}, FieldError, "level should be finite"),
        (bad(-1), {"level": 2.0}, EmptySurfaceError, "level 2 is passed nowhere: values run from -1 to 1"),
        (bad(-1), {"level": -1.0}, EmptySurfaceError, "values run from -1 to 1"),
        (bad(-1), {"level": 2.0, "library": "vtk"}, EmptySurfaceError, "VTK"),
        (bad(-1), {"level": 2.0, "library": "scikit-image"}, EmptySurfaceError, "scikit-image"),
        (bad(-1), {"spacing": 0.0}, BoundsError, "spacing"),
        (bad(-1), {"spacing": (1.0, -1.0, 1.0)}, BoundsError, "spacing"),
        (bad(-1), {"spacing": (1.0, 1.0)}, BoundsError, "three"),
        (bad(-1), {"origin": (0.0, math.inf, 0.0)}, BoundsError, "origin"),
        (bad(-1), {"library": "open3d"}, InputError, "headviz, scikit-image or vtk; it is 'open3d'"),
        (bad(-1), {"library": "vtk", "record": True}, InputError, "record"),
    ],
)
def test_says_what_is_wrong(values: torch.Tensor, given: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        marching_cubes(values, **given)


def test_values_may_overflow_their_sum() -> None:
    values = torch.full((3, 3, 3), 3e38)
    values[1, 1, 1] = -3e38
    assert len(marching_cubes(values).mesh.faces) == 8


@pytest.mark.parametrize(
    ("library", "module"), [("scikit-image", "skimage.measure"), ("vtk", "vtkmodules.vtkFiltersCore")]
)
def test_says_which_library_is_missing(library: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r"headviz\[meshers\]"):
        marching_cubes(bad(-1), library=library)
