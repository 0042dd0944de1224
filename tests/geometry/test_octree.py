"""Quadtrees and octrees against the full grid."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from headviz.errors import BoundsError, FieldError, OptionError, ResolutionError, ShapeError
from headviz.geometry.lattice import BrickStore, CoarseStore, corner_axes, crossing, lattice_in
from headviz.geometry.octree import Reason, excludes_surface, lost_cells, subdivide, subdivide_everywhere


class Ball:
    """Exact distance to a circle or sphere; counts where it is evaluated."""

    lipschitz = 1.0

    def __init__(self, radius: float, center: tuple[float, ...], dtype: torch.dtype = torch.float32) -> None:
        self.radius, self.center = radius, torch.tensor(center, dtype=dtype)
        half = torch.full((len(center),), 0.5, dtype=dtype)
        self.bounds = torch.stack([-half, half])
        self.asked: list[Tensor] = []

    def __call__(self, points: Tensor) -> Tensor:
        self.asked.append(points.clone())
        return torch.linalg.vector_norm(points - self.center, dim=1) - self.radius


class Balls(Ball):
    """Several of them, exact outside."""

    def __init__(self, centers: Tensor, radii: Tensor) -> None:
        super().__init__(0.0, tuple([0.0] * centers.shape[1]))
        self.centers, self.radii = centers, radii

    def __call__(self, points: Tensor) -> Tensor:
        return (torch.cdist(points, self.centers, compute_mode="donot_use_mm_for_euclid_dist") - self.radii).amin(1)


class Wavy(Ball):
    """A field whose Lipschitz bound is known and not 1."""

    lipschitz = 3 * math.sqrt(3)

    def __call__(self, points: Tensor) -> Tensor:
        return (9 * points).sin().sum(1) / 3


@pytest.mark.parametrize("resolution", [1, 2, 7, 8, 9, 31, 64, 100])
@pytest.mark.parametrize("dimension", [2, 3])
def test_same_cells_and_values_as_the_full_grid(resolution: int, dimension: int) -> None:
    field = Ball(0.33, (0.04, -0.02, 0.01)[:dimension])
    lattice = lattice_in(field.bounds, resolution)
    full, found = subdivide_everywhere(field, lattice), subdivide(field, lattice)
    assert torch.equal(found.cells, full.cells)
    assert torch.equal(found.store.values[found.corners.long()], full.store.values[full.corners.long()])
    assert full.evaluations == lattice.points == (resolution + 1) ** dimension
    assert len(found.cells) or resolution < 3


@given(st.integers(0, 10_000), st.sampled_from([2, 3]), st.integers(3, 50))
def test_safe_pruning_loses_nothing(seed: int, dimension: int, resolution: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    centers = torch.rand(6, dimension, generator=generator) - 0.5
    field = Balls(centers, 0.2 * torch.rand(6, generator=generator) ** 3)
    lattice = lattice_in(field.bounds, resolution)
    assert torch.equal(subdivide(field, lattice).cells, subdivide_everywhere(field, lattice).cells)


def test_a_bound_other_than_one_is_respected() -> None:
    field = Wavy(0.0, (0.0, 0.0, 0.0))
    lattice = lattice_in(field.bounds, 64)
    found, full = subdivide(field, lattice), subdivide_everywhere(field, lattice)
    assert torch.equal(found.cells, full.cells)
    assert found.evaluations < full.evaluations


def test_each_point_is_evaluated_once_and_counted() -> None:
    field = Ball(0.4, (0.0, 0.0, 0.0))
    found = subdivide(field, lattice_in(field.bounds, 64))
    asked = torch.cat(field.asked)
    assert len(asked) == found.evaluations == sum(level.evaluations for level in found.levels)
    assert len(torch.unique(asked, dim=0)) == len(asked)


def test_evaluations_stay_within_the_goal_of_the_sphere() -> None:
    field = Ball(0.4, (0.0, 0.0, 0.0))
    lattice = lattice_in(field.bounds, 256)
    sign, safe = (subdivide(field, lattice, prune=prune).evaluations for prune in ("sign", "lipschitz"))
    assert sign / lattice.points <= 0.041
    assert safe / lattice.points <= 0.063


@pytest.mark.parametrize("resolution", [5, 64, 100])
def test_sign_pruning_finds_the_full_grid_less_what_it_says_it_lost(resolution: int) -> None:
    """At 100 cells even a sphere loses something: bulges that pass through one face of a coarser cell."""
    field = Ball(0.33, (0.04, -0.02, 0.01))
    lattice = lattice_in(field.bounds, resolution)
    full, found = subdivide_everywhere(field, lattice), subdivide(field, lattice, prune="sign")
    lost, _ = lost_cells(found, full)
    assert (len(lost) > 0) == (resolution == 100)
    both = torch.cat([found.cells, lost])
    assert torch.equal(torch.unique(both, dim=0), torch.unique(full.cells, dim=0))
    assert len(both) == len(full.cells)


def test_sign_pruning_loses_a_small_ball_and_says_which() -> None:
    field = Balls(torch.tensor([[-0.1, 0.0, 0.0], [0.361, 0.362, 0.363]]), torch.tensor([0.25, 0.011]))
    lattice = lattice_in(field.bounds, 256)
    sign, safe = subdivide(field, lattice, prune="sign"), subdivide(field, lattice)
    lost, part = lost_cells(sign, safe)
    assert len(lost) == len(safe.cells) - len(sign.cells) > 0
    assert part.unique().tolist() == [0]
    distance = torch.linalg.vector_norm(lattice.origin + lattice.spacing * (lost + 0.5) - field.centers[1], dim=1)
    assert float((distance - 0.011).abs().max()) < lattice.spacing
    nothing, none = lost_cells(safe, safe)
    assert len(nothing) == len(none) == 0


def test_record_names_every_cell_of_every_level() -> None:
    field = Ball(0.3, (0.0, 0.0, 0.1))
    lattice = lattice_in(field.bounds, 50)
    for prune in ("lipschitz", "sign"):
        plain, found = (subdivide(field, lattice, prune=prune, record=record) for record in (False, True))
        assert torch.equal(plain.cells, found.cells)
        assert torch.equal(plain.store.values.nan_to_num(9), found.store.values.nan_to_num(9))
        assert [level.counts for level in plain.levels] == [level.counts for level in found.levels]
        covered = 0.0
        for level, finer in zip(found.levels, [*found.levels[1:], None], strict=True):
            assert level.cells is not None
            assert level.reasons is not None
            assert len(level.cells) == len(level.reasons) == level.total
            dropped = level.reasons > Reason.FORCED
            size = (torch.tensor(lattice.cells) - level.cells).clamp(max=level.size).double()
            covered += float(size[dropped | (level.size == 1)].prod(1).sum())
            if finer is not None and lattice.cells[0] % level.size == 0:
                assert finer.total == 8 * int((~dropped).sum())
        assert covered == pytest.approx(50**3)  # leaves tile the lattice


@given(st.integers(0, 100_000), st.sampled_from([2, 3]))
def test_excluding_a_surface_is_a_proof(seed: int, dimension: int) -> None:
    """A cell is excluded only if the balls of its corners cover it, checked at many points."""
    generator = torch.Generator().manual_seed(seed)
    distance = 1.8 * torch.rand(2**dimension, 200, generator=generator)
    excluded = excludes_surface(distance, 1.0)
    corners = torch.tensor([[k >> axis & 1 for axis in range(dimension)] for k in range(2**dimension)]).float()
    points = torch.rand(500, dimension, generator=generator)
    covered = (torch.cdist(points, corners)[:, :, None] <= distance).any(1).all(0)
    assert bool((covered | ~excluded).all())


def test_a_plane_is_excluded_where_the_centre_alone_would_not_do() -> None:
    corners = torch.tensor([[k >> axis & 1 for axis in range(3)] for k in range(8)]).float()
    height = torch.tensor([0.73, 0.85, 1.0])  # of the plane above the cell's centre, in sides
    distance = (corners[:, 1:2] - 0.5 - height).abs()
    assert excludes_surface(distance, 1.0).all()
    assert bool((height[:2] < math.sqrt(3) / 2).all())


def test_progress_and_call_twice_same_answer() -> None:
    field, lines = Ball(0.3, (0.0, 0.0, 0.0)), []
    lattice = lattice_in(field.bounds, 40)
    first, second = subdivide(field, lattice, progress=lines.append), subdivide(field, lattice)
    assert len(lines) == len(first.levels)
    assert torch.equal(first.corners, second.corners)


def test_double_precision_stays_double() -> None:
    field = Ball(0.3, (0.0, 0.0, 0.0), torch.float64)
    found = subdivide(field, lattice_in(field.bounds, 16))
    assert found.store.values.dtype == torch.float64
    assert all(asked.dtype == torch.float64 for asked in field.asked)


def test_lattice_covers_its_box_with_cubes() -> None:
    bounds = torch.tensor([[-0.1, 0.0, 1.0], [0.2, 1.0, 1.5]])
    lattice = lattice_in(bounds, 40)
    assert lattice.cells == (12, 40, 20)
    assert torch.allclose(lattice.bounds, bounds, atol=1e-6)
    with_margin = lattice_in(bounds, 41, margin=0.5)
    assert with_margin.cells == (13, 41, 21)
    assert with_margin.spacing == pytest.approx(1 / 40)
    points = lattice.positions([torch.tensor([0, 12]), torch.tensor([0, 40]), torch.tensor([0, 20])])
    assert torch.allclose(points, lattice.bounds)


@pytest.mark.parametrize("cells", [(5, 9), (3, 17, 20)])
def test_stores_find_the_points_that_they_name(cells: tuple[int, ...]) -> None:
    size = torch.tensor(cells).float()
    lattice = lattice_in(torch.stack([0 * size, size]), max(cells))
    assert lattice.cells == cells
    every = torch.cartesian_prod(*[torch.arange(0, n, 8 if len(cells) == 3 else 16) for n in cells]).T.int()
    for store in (CoarseStore(lattice, 4), BrickStore(lattice, every)):
        slots = torch.arange(len(store.values))
        columns = store.coordinates(slots)
        inside = torch.stack([column <= n for column, n in zip(columns, cells, strict=True)]).all(0)
        assert torch.equal(store.index([column[inside] for column in columns]).long(), slots[inside])


def test_crossing_compares_all_corners() -> None:
    inside = torch.zeros(3, 3, 3, 1, dtype=torch.bool)
    inside[1, 1, 1] = True
    assert crossing(inside).all()
    inside[:] = True
    assert not crossing(inside).any()
    inside[0, 0, 0] = False
    assert crossing(inside)[..., 0].nonzero().tolist() == [[0, 0, 0]]


def test_corner_axes_stop_at_the_last_point() -> None:
    axes = corner_axes(torch.tensor([[4], [0]]), torch.tensor([0, 2, 4]), (5, 9))
    assert [axis.reshape(-1).tolist() for axis in axes] == [[4, 5, 5], [0, 2, 4]]


@pytest.mark.parametrize("resolution", [0, -3, True, 10**6, 2.5])
def test_absurd_resolutions_are_refused(resolution: object) -> None:
    with pytest.raises((ResolutionError, TypeError), match=r"resolution|type"):
        lattice_in(Ball(0.3, (0.0, 0.0)).bounds, resolution)


@pytest.mark.parametrize(
    "bounds", [[[0.0, 0.0], [0.0, 1.0]], [[0.0, 0.0], [float("inf"), 1.0]], [[1.0, 1.0], [0.0, 0.0]]]
)
def test_boxes_without_extent_are_refused(bounds: list[list[float]]) -> None:
    with pytest.raises(BoundsError, match="finite box"):
        lattice_in(torch.tensor(bounds), 8)
    with pytest.raises(ShapeError, match=r"\(2, 4\)"):
        lattice_in(torch.zeros(2, 4), 8)


def test_values_and_bounds_that_cannot_be_used_are_named() -> None:
    field = Ball(0.3, (0.0, 0.0, 0.0))
    lattice = lattice_in(field.bounds, 8)
    with pytest.raises(OptionError, match="prune"):
        subdivide(field, lattice, prune="hope")
    for bound in (-1.0, float("nan"), float("inf")):
        field.lipschitz = bound
        with pytest.raises(FieldError, match="Lipschitz"):
            subdivide(field, lattice)
    field.lipschitz = 1.0
    field.center = torch.tensor([float("nan")] * 3)
    with pytest.raises(FieldError, match="finite"):
        subdivide(field, lattice)
