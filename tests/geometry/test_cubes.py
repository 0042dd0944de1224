"""The cube mesher, against a plain loop over cells with exact arithmetic, and what its meshes must be."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from headviz.errors import ShapeError
from headviz.geometry.cube_tables import CORNERS, cube_table
from headviz.geometry.cubes import CubeMesh, march_cells

Point = tuple[int, int, int]
Vertex = tuple[Point, Point]


def grids(kind: str, count: int, size: int = 4, seed: int = 0) -> torch.Tensor:
    """Random grids in a shell of outside values, so that their surfaces are closed, shape (count, s, s, s)."""
    chance = torch.Generator().manual_seed(seed)
    shape = (count, size, size, size)
    if kind == "normal":
        inner = torch.randn(shape, generator=chance)
    elif kind == "whole numbers":  # many zeros, and many saddles that are exactly 0
        inner = torch.randint(-2, 3, shape, generator=chance).float()
    else:  # every face is ambiguous
        inner = torch.rand(shape, generator=chance) * (-1.0) ** torch.stack(
            torch.meshgrid(*[torch.arange(size)] * 3, indexing="ij")
        ).sum(0)
    return torch.nn.functional.pad(inner, (1,) * 6, value=1.0)


def cells_of(values: torch.Tensor) -> torch.Tensor:
    """Corner indices of all cells of grids of shape (count, x, y, z)."""
    index = torch.arange(values.numel()).view(values.shape)
    x, y, z = (size - 1 for size in values.shape[1:])
    return torch.stack([index[:, i : i + x, j : j + y, k : k + z].flatten() for i, j, k in CORNERS.tolist()], 1)


def march(values: torch.Tensor) -> CubeMesh:
    return march_cells(cells_of(values), values.flatten())


def directed(faces: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A number for each directed edge, and for its opposite."""
    a, b = faces.flatten(), faces.roll(-1, 1).flatten()
    return a * count + b, b * count + a


@pytest.mark.parametrize("size", [4, 5])
@pytest.mark.parametrize("kind", ["normal", "whole numbers", "chequered"])
def test_10000_random_grids_are_closed(kind: str, size: int) -> None:
    values = grids(kind, 2500 if size == 4 else 1000, size, seed=size)
    mesh = march(values)
    there, back = directed(mesh.faces, len(mesh.edges))
    there, back = there.sort().values, back.sort().values
    assert torch.equal(there, back)
    assert bool((there.diff() > 0).all())
    assert torch.equal(mesh.faces.unique(), torch.arange(len(mesh.edges)))
    assert bool(((mesh.fraction >= 0) & (mesh.fraction <= 1)).all())
    assert len(mesh.state.unique()) > (60 if kind == "chequered" else 500)


def plain_segments(values: list[list[list[float]]]) -> dict[Point, set[tuple[Vertex, Vertex]]]:
    """Per cell, the directed segments in its faces: marching squares with an exact saddle, face by face."""
    size = range(len(values) - 1)
    return {cell: cell_segments(values, cell) for cell in ((i, j, k) for i in size for j in size for k in size)}


def cell_segments(values: list[list[list[float]]], cell: Point) -> set[tuple[Vertex, Vertex]]:
    segments = set()
    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        for side in (0, 1):
            ring = []
            for du, dv in ((0, 0), (1, 0), (1, 1), (0, 1)):
                point = list(cell)
                point[axis] += side
                point[u] += du
                point[v] += dv
                ring.append(tuple(point))
            ring = ring if side else ring[::-1]  # counter-clockwise seen from outside
            segments |= face_segments([Fraction(values[i][j][k]) for i, j, k in ring], ring)
    return segments


def face_segments(f: list[Fraction], ring: list[Point]) -> set[tuple[Vertex, Vertex]]:
    """With the inside on the right, seen from outside the cell."""
    edges = [tuple(sorted((ring[i], ring[(i + 1) % 4]))) for i in range(4)]
    enters = [i for i in range(4) if f[i] >= 0 > f[(i + 1) % 4]]
    leaves = [i for i in range(4) if f[i] < 0 <= f[(i + 1) % 4]]
    if len(enters) < 2:
        return {(edges[a], edges[b]) for a, b in zip(enters, leaves, strict=True)}
    saddle = (f[0] * f[2] - f[1] * f[3]) / (f[0] + f[2] - f[1] - f[3])
    return {(edges[i], edges[(i - 1) % 4 if saddle < 0 else (i + 1) % 4]) for i in enters}


@pytest.mark.parametrize("kind", ["normal", "whole numbers", "chequered"])
def test_cells_are_cut_as_by_a_plain_loop(kind: str) -> None:
    for values in grids(kind, 12, 3, seed=7):
        mesh = march(values[None])
        points = [tuple(p) for p in torch.stack(torch.unravel_index(mesh.edges, values.shape), -1).view(-1, 3).tolist()]
        vertices = list(zip(points[::2], points[1::2], strict=True))
        size = len(values) - 1
        for number, (_, expected) in enumerate(sorted(plain_segments(values.tolist()).items())):
            faces = mesh.faces[mesh.cell == number].tolist()
            steps = {(vertices[a], vertices[b]) for face in faces for a, b in pairwise((*face, face[0]))}
            assert {(a, b) for a, b in steps if (b, a) not in steps} == expected, (number, size)
        for (low, high), fraction in zip(vertices, mesh.fraction.tolist(), strict=True):
            a, b = float(values[low]), float(values[high])
            assert fraction == pytest.approx(a / (a - b), abs=1e-6)
            assert sum(p == q for p, q in zip(high, low, strict=True)) == 2


def test_numbering() -> None:
    mesh = march(grids("normal", 3))
    axis = (mesh.edges[:, 1] - mesh.edges[:, 0]).tolist()
    keys = [low * 3 + {36: 0, 6: 1, 1: 2}[step] for low, step in zip(mesh.edges[:, 0].tolist(), axis, strict=True)]
    assert keys == sorted(set(keys))
    assert bool((mesh.cell.diff() >= 0).all())
    assert torch.equal(cube_table().count[mesh.state], torch.bincount(mesh.cell, minlength=len(mesh.state)))
    assert torch.equal(cube_table().cases[mesh.state], mesh.case.long())


@given(st.integers(0, 10**6), st.floats(0.05, 1.0))
@settings(max_examples=30, deadline=None)
def test_any_set_of_cells_gives_its_part_of_the_mesh(seed: int, share: float) -> None:
    values = grids("normal", 2, seed=seed)
    corners, whole = cells_of(values), march(values)
    chosen = torch.rand(len(corners), generator=torch.Generator().manual_seed(seed)) < share
    part = march_cells(corners[chosen], values.flatten())
    keep = chosen[whole.cell]
    assert torch.equal(whole.edges[whole.faces[keep]], part.edges[part.faces])
    assert torch.equal(whole.fraction[whole.faces[keep]], part.fraction[part.faces])
    assert torch.equal(chosen.nonzero()[:, 0][part.cell], whole.cell[keep])


def test_lattice_points_without_cells_do_not_matter() -> None:
    values = grids("normal", 1)
    corners = cells_of(values)
    where = torch.randperm(100_000, generator=torch.Generator().manual_seed(0))[: values.numel()].sort().values
    scattered = torch.full((100_000,), torch.nan)
    scattered[where] = values.flatten()
    near, far = march(values), march_cells(where[corners], scattered)
    assert torch.equal(where[near.edges], far.edges)
    for name in ("fraction", "faces", "cell", "case", "state"):
        assert torch.equal(getattr(near, name), getattr(far, name)), name


@given(st.integers(0, 10**6), st.integers(-20, 20))
@settings(max_examples=20, deadline=None)
def test_scale_does_not_matter(seed: int, power: int) -> None:
    values = grids("normal", 2, seed=seed)
    one, other = march(values), march(values * 2.0**power)
    assert torch.equal(one.faces, other.faces)
    assert torch.equal(one.fraction, other.fraction)


SYMMETRIES = st.tuples(st.permutations([1, 2, 3]), st.sets(st.sampled_from([1, 2, 3])))


@given(st.integers(0, 10**6), SYMMETRIES, st.booleans())
@settings(max_examples=40, deadline=None)
def test_rotation_mirror_and_complement(seed: int, symmetry: tuple[list[int], set[int]], complement: bool) -> None:
    """They carry the lines on the faces of cells along; how a loop is cut may depend on its position."""
    values = grids("normal", 1, 3, seed=seed).double()
    order, flips = symmetry
    if complement:  # the shell goes inside: leave it out
        values = -values[:, 1:-1, 1:-1, 1:-1]
    index = torch.arange(values.numel()).view(values.shape)
    turned, index = (
        t.permute(0, *order).flip(*flips).contiguous() if flips else t.permute(0, *order).contiguous()
        for t in (values, index)
    )
    old, new = march(-values if complement else values), march(turned)
    assert len(old.faces) == len(new.faces)
    assert boundaries(new, index.flatten()) == pytest.approx(boundaries(old, torch.arange(values.numel())))


def boundaries(mesh: CubeMesh, names: torch.Tensor) -> dict[tuple, float]:
    """Edges of the mesh in faces of cells, by the lattice edges they join; where the first vertex lies."""
    ends = names[mesh.edges]
    vertices = [tuple(sorted(pair)) for pair in ends.tolist()]
    places = [f if a < b else 1 - f for (a, b), f in zip(ends.tolist(), mesh.fraction.tolist(), strict=True)]
    there, _ = directed(mesh.faces, len(vertices))
    cells = mesh.cell.repeat_interleave(3)
    inner = {}
    for step, cell in zip(there.tolist(), cells.tolist(), strict=True):
        inner.setdefault((cell, *sorted(divmod(step, len(vertices)))), []).append(step)
    single = {tuple(sorted((vertices[a], vertices[b]))) for (_, a, b), steps in inner.items() if len(steps) == 1}
    return dict.fromkeys(single, 0.0) | dict(zip(vertices, places, strict=True))


@pytest.mark.parametrize(("saddle", "joined"), [(-1e-3, True), (0.0, False), (1e-3, False)])
def test_the_saddle_decides(saddle: float, joined: bool) -> None:
    """A saddle that is exactly 0 parts the inside."""
    low = torch.tensor([-1.0 + saddle, 1, 1, -1.0 + saddle, 3, 3, 3, 3])
    mesh = march_cells(torch.arange(8)[None], low)
    assert len(mesh.faces) == (4 if joined else 2)
    assert int(cube_table().decisions[mesh.state]) == (1 << 4 if joined else 0)


@pytest.mark.parametrize("exponent", [-140, 0, 120])
def test_saddles_of_extreme_float32_values_are_exact(exponent: int) -> None:
    low = torch.tensor([-1.0, 0.99, 1.0, -1.0, 3, 3, 3, 3]) * 2.0**exponent
    assert len(march_cells(torch.arange(8)[None], low).faces) == 4


def test_zeros_are_outside() -> None:
    values = torch.tensor([-1.0, 0, -0.0, 1, 0, 1, 1, 1])
    mesh = march_cells(torch.arange(8)[None], values)
    assert mesh.case.tolist() == [1]
    assert mesh.fraction.tolist() == [1.0, 1.0, 1.0]


@given(st.floats(-(2.0**127), -(2.0**-149), width=32), st.floats(0, 2.0**127, width=32))
def test_vertices_stay_on_their_edges(inside: float, outside: float) -> None:
    values = torch.full((8,), outside)
    values[0] = inside
    for ends in (values, values.flip(0)):
        fraction = march_cells(torch.arange(8)[None], ends).fraction
        assert bool(((fraction >= 0) & (fraction <= 1)).all())


def test_nothing_comes_of_nothing() -> None:
    full = torch.cat([torch.full((8,), -1.0), torch.ones(8)])
    for corners in (torch.zeros(0, 8, dtype=torch.int64), torch.arange(16).view(2, 8)):
        mesh = march_cells(corners, full)
        assert mesh.edges.shape == (0, 2)
        assert mesh.faces.shape == (0, 3)
        assert len(mesh.case) == len(mesh.state) == len(corners)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("index", [torch.int32, torch.int64])
def test_precision_and_call_twice(dtype: torch.dtype, index: torch.dtype) -> None:
    values = grids("normal", 5).to(dtype)
    corners = cells_of(values).to(index).T.contiguous().T  # of any layout
    one, two = march_cells(corners, values.flatten()), march_cells(corners, values.flatten())
    assert one.fraction.dtype == dtype
    for name in ("edges", "fraction", "faces", "cell", "case", "state"):
        assert torch.equal(getattr(one, name), getattr(two, name)), name


def test_gradients() -> None:
    values = grids("normal", 1, 2).double()
    corners = cells_of(values)
    flat = values.flatten().requires_grad_()
    assert torch.autograd.gradcheck(lambda f: march_cells(corners, f).fraction, flat, eps=1e-7)


def test_says_what_is_wrong() -> None:
    with pytest.raises(ShapeError, match=r"\(n, 8\); shape is \(2, 4\)"):
        march_cells(torch.zeros(2, 4, dtype=torch.int64), torch.ones(8))
