"""Surfaces from fields: the octree's mesh is the full grid's."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from headviz.errors import (
    BoundsError,
    EmptySurfaceError,
    FieldError,
    OptionError,
    ResolutionError,
    ShapeError,
    SurfaceWarning,
)
from headviz.geometry.contour import marching_squares
from headviz.geometry.extract import extract_contour, extract_surface
from headviz.geometry.grid_field import GridField
from headviz.geometry.mesh import Mesh, face_normals
from headviz.geometry.mesh_field import MeshField
from headviz.geometry.presets import PRESETS, preset
from headviz.geometry.shapes import box, sphere, torus
from headviz.geometry.shapes2d import circle, rectangle
from headviz.heads.model import load_head

SOLIDS = sorted(name for name in PRESETS if preset(name).dimension == 3)


def open_edges(mesh: Mesh) -> int:
    """Directed edges without their opposite; a closed oriented mesh has none and no edge twice."""
    edges = torch.cat([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]])
    keys, back = (edges[:, a] * len(mesh.vertices) + edges[:, 1 - a] for a in (0, 1))
    assert len(torch.unique(keys)) == len(keys)
    return int((~torch.isin(keys, back)).sum())


def euler(mesh: Mesh) -> int:
    """Vertices − edges + faces."""
    edges = torch.cat([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]]).sort(1).values
    return len(torch.unique(mesh.faces)) - len(torch.unique(edges, dim=0)) + len(mesh.faces)


def area(mesh: Mesh) -> float:
    """Sum of the faces' areas."""
    return float(torch.linalg.vector_norm(face_normals(mesh.vertices.double(), mesh.faces), dim=1).sum()) / 2


def volume(mesh: Mesh) -> float:
    """Signed volume by the divergence theorem; positive if faces look outwards."""
    a, b, c = (mesh.vertices.double()[mesh.faces[:, k]] for k in range(3))
    return float((a * torch.linalg.cross(b, c)).sum()) / 6


@pytest.mark.parametrize("name", SOLIDS)
@pytest.mark.parametrize("resolution", [37, 96])
def test_octree_and_full_grid_give_one_mesh(name: str, resolution: int) -> None:
    field = preset(name)
    octree, dense = (extract_surface(field, resolution=resolution, method=method) for method in ("octree", "dense"))
    assert torch.equal(octree.mesh.faces, dense.mesh.faces)
    assert torch.equal(octree.mesh.vertices, dense.mesh.vertices)
    assert dense.evaluations == dense.dense_evaluations == octree.dense_evaluations
    if resolution == 96:
        assert octree.evaluations < 0.5 * dense.evaluations
    assert open_edges(octree.mesh) == 0
    assert volume(octree.mesh) > 0


@pytest.mark.parametrize("name", SOLIDS)
def test_sign_pruning_gives_the_same_mesh_where_it_lost_nothing(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SurfaceWarning)
        sign, safe = (
            extract_surface(preset(name), resolution=128, prune=p, record=True) for p in ("sign", "lipschitz")
        )
    assert sign.history is not None
    assert safe.history is not None
    assert len(safe.history.lost) == 0
    assert len(sign.history.cells) + len(sign.history.lost) == len(safe.history.cells)
    same = sign.mesh.faces.shape == safe.mesh.faces.shape and bool((sign.mesh.faces == safe.mesh.faces).all())
    assert same == (len(sign.history.lost) == 0)
    if same:
        assert torch.equal(sign.mesh.vertices, safe.mesh.vertices)


def test_thin_preset_shows_what_sign_pruning_loses() -> None:
    sign = extract_surface(preset("thin"), resolution=256, prune="sign", record=True)
    assert sign.history is not None
    assert len(sign.history.lost) > 100
    assert int(sign.history.lost_part.max()) + 1 >= 1


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(4, 40))
def test_random_unions_are_closed_and_equal(seed: int, resolution: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.rand(4, 4, generator=generator).tolist()
    balls = [sphere(0.02 + 0.2 * r).translate((x, y, z)) for r, x, y, z in numbers]
    field = balls[0].union(*balls[1:3]) - balls[3]
    try:
        octree = extract_surface(field, resolution=resolution)
    except EmptySurfaceError:
        with pytest.raises(EmptySurfaceError):
            extract_surface(field, resolution=resolution, method="dense")
        return
    dense = extract_surface(field, resolution=resolution, method="dense")
    assert torch.equal(octree.mesh.faces, dense.mesh.faces)
    assert torch.allclose(octree.mesh.vertices, dense.mesh.vertices, atol=1e-6)
    assert open_edges(octree.mesh) == 0


def test_mesh_of_a_mesh_is_that_mesh() -> None:
    solid = load_head().solid()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SurfaceWarning)
        found = extract_surface(MeshField(solid), resolution=64)
    distance = MeshField(solid)(found.mesh.vertices).abs()
    assert float(distance.max()) < found.lattice.spacing
    assert float(distance.mean()) < 0.05 * found.lattice.spacing
    assert open_edges(found.mesh) == 0


@pytest.mark.parametrize(
    ("field", "characteristic"), [(sphere(0.1), 2), (torus(0.1, 0.03), 0), (preset("double_torus"), -2)]
)
def test_euler_characteristic(field: object, characteristic: int) -> None:
    assert euler(extract_surface(field, resolution=60).mesh) == characteristic


def test_area_and_volume_converge_with_slope_two_from_below() -> None:
    shape, steps = sphere(0.3), [16, 32, 64, 128]
    bounds = torch.tensor([[-0.4] * 3, [0.4] * 3], dtype=torch.float64)
    meshes = [extract_surface(shape, resolution=n, bounds=bounds).mesh for n in steps]
    for exact, measured in ((4 * math.pi * 0.3**2, area), (4 / 3 * math.pi * 0.3**3, volume)):
        errors = [exact - measured(mesh) for mesh in meshes]
        assert all(error > 0 for error in errors)  # vertices lie on the sphere or inside, so triangles do
        slopes = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
        assert all(1.8 < slope < 2.2 for slope in slopes), slopes


def test_a_face_lies_in_the_cell_that_the_history_names() -> None:
    found = extract_surface(torus(0.1, 0.04), resolution=40, record=True)
    history = found.history
    assert history is not None
    low = found.lattice.origin + found.lattice.spacing * history.cells[history.face_cell]
    corners = found.mesh.vertices[found.mesh.faces]
    assert bool((corners >= low[:, None] - 1e-6).all())
    assert bool((corners <= low[:, None] + found.lattice.spacing + 1e-6).all())
    bits = (history.values < 0).long() << torch.arange(8)
    assert torch.equal(bits.sum(1), history.case.long())
    first, count = found.levels[-1], found.levels[-1].counts
    assert first.size == 1
    assert sum(count.values()) == first.total


def test_recording_changes_nothing_and_twice_gives_the_same() -> None:
    plain, recorded, again = (extract_surface(preset("head"), resolution=50, record=r) for r in (False, True, False))
    for other in (recorded, again):
        assert torch.equal(plain.mesh.vertices, other.mesh.vertices)
        assert torch.equal(plain.mesh.faces, other.mesh.faces)
        assert plain.evaluations == other.evaluations
    assert plain.history is None
    assert all(level.cells is None for level in plain.levels)


def test_bounds_may_be_given_and_double_precision_stays() -> None:
    bounds = torch.tensor([[-0.2] * 3, [0.2] * 3], dtype=torch.float64)
    found = extract_surface(sphere(0.1), resolution=32, bounds=bounds)
    assert found.mesh.vertices.dtype == torch.float64
    assert found.lattice.spacing == pytest.approx(0.4 / 32)
    assert (found.mesh.vertices.norm(dim=1) - 0.1).abs().max() < 2e-3


def test_a_surface_that_leaves_the_box_is_announced() -> None:
    bounds = torch.tensor([[-0.2, -0.2, -0.2], [0.05, 0.2, 0.2]])
    with pytest.warns(SurfaceWarning, match=r"leaves the box at x high \(\d+ cells\)"):
        found = extract_surface(sphere(0.1), resolution=40, bounds=bounds)
    assert open_edges(found.mesh) > 0


def test_a_box_that_touches_the_surface_is_no_reason_to_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = extract_surface(box(0.1, 0.2, 0.3), resolution=33)
    assert open_edges(found.mesh) == 0


@pytest.mark.parametrize(
    ("field", "options", "words"),
    [
        (sphere(0.1).translate((5, 0, 0)), {}, "outside, from .* thinner than a cell"),
        (sphere(9.0), {}, "inside, from .* another box"),
        (sphere(1e-4).translate((0.0013, 0.0017, 0.0011)), {"prune": "sign"}, "lipschitz"),
    ],
)  # fmt: skip
def test_no_surface_says_what_was_seen(field: object, options: dict, words: str) -> None:
    bounds = torch.tensor([[-0.2] * 3, [0.2] * 3])
    with pytest.raises(EmptySurfaceError, match=words):
        extract_surface(field, resolution=20, bounds=bounds, **options)


class Broken:
    """A field with a hole of NaN."""

    lipschitz = 1.0
    bounds = torch.tensor([[-1.0] * 3, [1.0] * 3])

    def __call__(self, points: Tensor) -> Tensor:
        values = points.norm(dim=1) - 0.5
        return torch.where(points[:, 0] > 0.4, torch.nan, values)


@pytest.mark.parametrize("method", ["octree", "dense"])
def test_values_that_are_not_finite_are_named(method: str) -> None:
    with pytest.raises(FieldError, match=r"of \d+ are not, the first is nan at"):
        extract_surface(Broken(), resolution=16, method=method)


def test_choices_that_do_not_exist_are_refused() -> None:
    with pytest.raises(OptionError, match="method"):
        extract_surface(sphere(0.1), resolution=16, method="guess")
    with pytest.raises(ResolutionError, match="4 GiB"):
        extract_surface(sphere(0.1), resolution=5000, method="dense")
    with pytest.raises(BoundsError, match="finite box"):
        extract_surface(Unbounded(), resolution=16)


class Unbounded:
    """A half space."""

    lipschitz = 1.0
    bounds = torch.tensor([[-math.inf] * 3, [math.inf] * 3])

    def __call__(self, points: Tensor) -> Tensor:
        return points[:, 1]


def test_progress_says_what_is_done() -> None:
    lines: list[str] = []
    extract_surface(sphere(0.1), resolution=64, progress=lines.append)
    assert lines[-1].startswith("meshing")
    assert any("64 cells across" in line for line in lines)


def test_memory_at_512_is_bounded_by_the_surface() -> None:
    """In a process of its own; less than a full grid's values alone would take four times over."""
    code = """
import resource
from pathlib import Path
from headviz.geometry.extract import extract_surface
from headviz.geometry.presets import preset
found = extract_surface(preset("head"), resolution=512)
status = Path("/proc/self/status")  # getrusage would report the parent's peak where that is larger
kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
if status.exists():
    kilobytes = int(status.read_text().split("VmHWM:")[1].split()[0])
print(len(found.mesh.faces), kilobytes / 1e6)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    faces, gigabytes = done.stdout.split()
    assert int(faces) > 500_000
    assert float(gigabytes) < 2


@pytest.mark.parametrize("resolution", [5, 16, 17, 100, 256])
def test_quadtree_gives_the_full_grids_contour(resolution: int) -> None:
    shape = (circle(0.1) - circle(0.03).translate(0.05, 0.02)) | rectangle(0.3, 0.004).translate(0.0, 0.2)
    found = extract_contour(shape, resolution=resolution)
    columns, rows = (torch.arange(n + 1) for n in found.lattice.cells)
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    values = shape(found.lattice.positions([x.reshape(-1), y.reshape(-1)])).reshape(x.shape)
    origin = (float(found.lattice.origin[0]), float(found.lattice.origin[1]))
    dense = marching_squares(values, spacing=found.lattice.spacing, origin=origin)
    assert torch.equal(found.contour.segments, dense.segments)
    assert torch.equal(found.contour.points, dense.points)
    assert bool(found.contour.closed.all())
    assert torch.equal(found.values < 0, values < 0)
    if resolution == 256:
        assert found.evaluations < 0.1 * found.dense_evaluations


class Odd:
    """A field that returns what it is told to."""

    lipschitz = 1.0
    bounds = torch.tensor([[-0.2] * 3, [0.2] * 3])

    def __init__(self, convert: Callable[[Tensor], object]) -> None:
        self.convert = convert

    def __call__(self, points: Tensor):
        return self.convert(points.norm(dim=1) - 0.1)


def test_fields_of_others_may_return_another_precision_but_not_another_kind() -> None:
    double = extract_surface(Odd(lambda values: values.double()), resolution=20)
    assert double.mesh.vertices.dtype == torch.float32
    assert torch.equal(double.mesh.faces, extract_surface(Odd(lambda values: values), resolution=20).mesh.faces)
    for convert in (lambda values: values < 0, lambda values: values.numpy(), lambda values: values.long()):
        with pytest.raises(FieldError, match="floating-point"):
            extract_surface(Odd(convert), resolution=20)


def test_boxes_may_be_arrays_and_lists() -> None:
    corners = [[-0.2, -0.2, -0.2], [0.2, 0.2, 0.2]]
    expected = extract_surface(sphere(0.1), resolution=np.int64(20), bounds=torch.tensor(corners)).mesh
    for bounds in (corners, np.array(corners, dtype=np.float32)):
        assert torch.equal(extract_surface(sphere(0.1), resolution=20, bounds=bounds).mesh.vertices, expected.vertices)
    assert len(extract_surface(sphere(0.3), resolution=9, bounds=[[-1, -1, -1], [1, 1, 1]]).mesh.faces) > 0


def test_the_other_dimension_names_the_other_function() -> None:
    with pytest.raises(ShapeError, match="use extract_contour"):
        extract_surface(circle(0.1), resolution=16)
    with pytest.raises(ShapeError, match="use extract_surface"):
        extract_contour(sphere(0.1), resolution=16)


def test_a_constant_field_has_no_surface() -> None:
    with pytest.raises(EmptySurfaceError, match="outside"):
        extract_surface(GridField(torch.ones(4, 4, 4)), resolution=8)
