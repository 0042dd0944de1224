"""Marching squares finds the lines that scikit-image finds, and those of shapes whose lines are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import label
from skimage.measure import find_contours

from headviz.errors import FieldError, InputError, OptionError, ResolutionError, ShapeError
from headviz.geometry.contour import Contour, marching_squares, square_table

seeds = st.integers(0, 10**6)
sizes = st.integers(2, 9)


def noise(seed: int, height: int = 6, width: int = 7) -> torch.Tensor:
    return torch.randn(height, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def links(contour: Contour) -> np.ndarray:
    """The segments as rows (x, y, x, y) in an order of their own."""
    return ordered(contour.points.detach()[contour.segments].reshape(-1, 4).numpy())


def ordered(rows: np.ndarray) -> np.ndarray:
    return rows[np.lexsort(np.round(rows, 9).T)]


def library_links(values: np.ndarray, level: float, connected: str) -> tuple[np.ndarray, list[np.ndarray]]:
    """The same from scikit-image, whose points are (row, column) and whose lines turn the other way."""
    lines = [line[::-1, ::-1] for line in find_contours(values, level, fully_connected=connected)]
    return ordered(np.concatenate([np.zeros((0, 4)), *(np.hstack((a[:-1], a[1:])) for a in lines)])), lines


def disc(count: int, radius: float = 0.7) -> Contour:
    """A circle about (0.05, −0.03) sampled on count × count points of [−1, 1]²."""
    axis = torch.linspace(-1, 1, count, dtype=torch.float64)
    distance = torch.hypot(axis[None, :] - 0.05, axis[:, None] + 0.03) - radius
    return marching_squares(distance, spacing=2 / (count - 1), origin=(-1.0, -1.0))


@pytest.mark.parametrize(("saddle", "connected"), [("join", "low"), ("split", "high")])
def test_finds_what_scikit_image_finds(saddle: str, connected: str) -> None:
    random = np.random.default_rng(0)
    for _ in range(1200):
        values, level = random.normal(size=random.integers(2, 12, 2)), 0.3 * random.normal()
        found = marching_squares(values, level, saddle=saddle)
        expected, lines = library_links(values, level, connected)
        np.testing.assert_allclose(links(found), expected, rtol=0, atol=1e-9)
        assert len(found.polylines) == len(lines)
        assert int(found.closed.sum()) == sum(bool((line[0] == line[-1]).all()) for line in lines)
        lengths = [np.linalg.norm(np.diff(line, axis=0), axis=1).sum() for line in lines]
        np.testing.assert_allclose(np.sort(found.length.numpy()), np.sort(lengths), rtol=0, atol=1e-9)


def test_values_at_the_level_count_as_outside() -> None:
    random = np.random.default_rng(1)
    for _ in range(300):
        values = random.integers(-2, 3, random.integers(2, 9, 2)).astype(float)
        # scikit-image counts them as low, so it is given the negative, and leaves out segments of length 0.
        expected, _ = library_links(-values, 0.0, "high")
        found = links(marching_squares(values, saddle="join"))
        found = found[(found[:, :2] != found[:, 2:]).any(1)]
        np.testing.assert_allclose(ordered(found[:, [2, 3, 0, 1]]), expected, rtol=0, atol=1e-12)


def test_the_decider_agrees_with_the_bilinear_interpolant() -> None:
    """Whether the inside corners of an ambiguous cell are connected is seen on a dense sample of the interpolant."""
    t = torch.linspace(0, 1, 129, dtype=torch.float64)
    joined = []
    for seed in range(300):
        a, b, c, d = noise(seed, 1, 4)[0].abs().tolist()
        sign = 1 if seed % 2 else -1
        cell = sign * torch.tensor([[a, -b], [-d, c]], dtype=torch.float64)
        history = marching_squares(cell, record=True).history
        assert history is not None
        if abs(float(history.saddle)) < 0.01 * (a + b + c + d):
            continue  # a bridge too thin for the sample
        inside = (
            torch.lerp(torch.lerp(cell[0, 0], cell[0, 1], t), torch.lerp(cell[1, 0], cell[1, 1], t), t[:, None]) < 0
        )
        parts, _ = label(inside.numpy(), np.ones((3, 3)))
        ends = parts[[0, -1], [-1, 0]] if sign > 0 else parts[[0, -1], [0, -1]]
        assert bool(history.joined) == (ends[0] == ends[1])
        joined.append(bool(history.joined))
    assert min(sum(joined), len(joined) - sum(joined)) > 50


@pytest.mark.parametrize("sign", [1, -1])
def test_a_saddle_at_the_level_is_outside(sign: int) -> None:
    cell = sign * torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    for left, right in zip(
        marching_squares(cell).polylines, marching_squares(cell, saddle="split").polylines, strict=True
    ):
        assert torch.equal(left, right)


def test_a_circle_converges_with_slope_2_from_below() -> None:
    counts = np.array([32, 64, 128, 256, 512])
    found = [disc(int(count)) for count in counts]
    for exact, measured in ((math.pi * 0.49, [c.area for c in found]), (math.pi * 1.4, [c.length for c in found])):
        error = exact - np.array([float(value) for value in measured])
        assert (error > 0).all()  # the distance is convex, so every point is inside the circle
        assert np.polyfit(np.log(counts), np.log(error), 1)[0] == pytest.approx(-2, abs=0.15)


def test_inside_is_on_the_left() -> None:
    axis = torch.linspace(-1, 1, 40)
    ring = (torch.hypot(axis[None], axis[:, None]) - 0.6).abs() - 0.2
    outer, hole = marching_squares(ring, spacing=float(axis[1] - axis[0])).area.tolist()
    assert (outer, hole) == (pytest.approx(math.pi * 0.64, rel=0.02), pytest.approx(-math.pi * 0.16, rel=0.02))


@given(seeds, sizes, sizes)
def test_corners_are_on_their_side_of_each_segment(seed: int, height: int, width: int) -> None:
    values = noise(seed, height, width)
    found = marching_squares(values)
    plain = ~square_table().ambiguous[found.case.reshape(-1)[found.cell].long()]
    begin, end = found.points[found.segments[plain]].unbind(1)
    row, column = found.cell[plain] // (width - 1), found.cell[plain] % (width - 1)
    for dx, dy in square_table().corners.tolist():
        corner = torch.stack((column + dx, row + dy), 1)
        along, across = end - begin, corner - begin
        side = along[:, 0] * across[:, 1] - along[:, 1] * across[:, 0]
        assert torch.equal(side > 0, values[row + dy, column + dx] < 0)


def test_the_table_has_every_case_once_and_mirrors_too() -> None:
    table = square_table()
    assert torch.bincount(table.classes).tolist() == [2, 8, 4, 2]
    assert table.representatives.tolist() == [0, 1, 3, 5]
    assert table.ambiguous.nonzero()[:, 0].tolist() == [5, 10]
    for case in range(16):
        inside = [case >> corner & 1 for corner in range(4)]
        leaves = [k for k in range(4) if inside[k] and not inside[(k + 1) % 4]]
        enters = [k for k in range(4) if not inside[k] and inside[(k + 1) % 4]]
        # The mirror x → 1 − x swaps corners 0 and 1, 2 and 3, edges 1 and 3, and left and right.
        mirrored = sum(inside[k ^ 1] << k for k in range(4))
        for joined in (0, 1):
            lines = table.segments[joined, case, : table.count[case]].tolist()
            assert [a for a, _ in lines] == leaves
            assert sorted(b for _, b in lines) == enters
            swapped = sorted([(-b) % 4, (-a) % 4] for a, b in lines)
            assert table.segments[joined, mirrored, : table.count[case]].tolist() == swapped


@given(seeds, sizes, sizes, st.sampled_from(["asymptotic", "join", "split"]))
def test_symmetries(seed: int, height: int, width: int, saddle: str) -> None:
    values = noise(seed, height, width)
    expected = links(marching_squares(values, 0.1, saddle=saddle))
    mirror = links(marching_squares(values.flip(1), 0.1, saddle=saddle))
    mirror[:, [0, 2]] = width - 1 - mirror[:, [0, 2]]
    np.testing.assert_allclose(ordered(mirror[:, [2, 3, 0, 1]]), expected, atol=1e-12)
    turned = links(marching_squares(values.rot90(), 0.1, saddle=saddle))  # (x, y) comes to (y, w − 1 − x)
    turned = np.stack((width - 1 - turned[:, 1], turned[:, 0], width - 1 - turned[:, 3], turned[:, 2]), 1)
    np.testing.assert_allclose(ordered(turned), expected, atol=1e-12)
    other = {"join": "split", "split": "join"}.get(saddle, saddle)
    complement = links(marching_squares(-values, -0.1, saddle=other))
    np.testing.assert_allclose(ordered(complement[:, [2, 3, 0, 1]]), expected, atol=1e-12)


@given(seeds, st.floats(0.01, 100), st.floats(0.01, 100), st.floats(-10, 10), st.floats(1e-3, 1e3))
def test_spacing_origin_and_scale(seed: int, dx: float, dy: float, shift: float, scale: float) -> None:
    values = noise(seed)
    plain = marching_squares(values, 0.2)
    placed = marching_squares(values, 0.2, spacing=(dx, dy), origin=(shift, -1.0))
    size, start = torch.tensor([[dx, dy], [shift, -1.0]], dtype=torch.float64)
    expected = plain.points * size + start
    torch.testing.assert_close(placed.points, expected)
    assert torch.equal(placed.segments, plain.segments)
    torch.testing.assert_close(placed.area, plain.area * dx * dy, equal_nan=True, rtol=1e-6, atol=1e-9)
    scaled = marching_squares(values * scale, 0.2 * scale)
    torch.testing.assert_close(scaled.points, plain.points, rtol=0, atol=1e-9)
    assert torch.equal(scaled.segments, plain.segments)


@settings(max_examples=200)
@given(seeds, sizes, sizes, st.sampled_from([torch.float32, torch.float64]))
def test_points_stay_on_their_edges_for_any_magnitudes(seed: int, height: int, width: int, dtype: torch.dtype) -> None:
    most = 35 if dtype == torch.float32 else 300
    values = (noise(seed, height, width).sign() * 10 ** (most * (2 * torch.rand(height, width).double() - 1))).to(dtype)
    found = marching_squares(values, spacing=0.1, origin=(0.3, 0.7))
    samples = torch.stack(
        (0.3 + 0.1 * (found.edges % width).to(dtype), 0.7 + 0.1 * (found.edges // width).to(dtype)), 2
    )
    assert bool(((samples[:, 0] <= found.points) & (found.points <= samples[:, 1])).all())
    low, high = values.reshape(-1)[found.edges].unbind(1)
    assert bool(((low < 0) != (high < 0)).all())


def test_an_edge_walked_backwards_has_the_same_point() -> None:
    low, high = -noise(0, 500, 1)[:, 0].abs(), noise(1, 500, 1)[:, 0].abs()
    for a, b in zip(low, high, strict=True):
        cell = torch.stack((a, b)).expand(2, 2)
        there, back = (float(marching_squares(values).fraction[0]) for values in (cell, cell.flip(1)))
        assert max(there, back) == 1 - min(there, back)


@pytest.mark.parametrize("exponent", [-700, 700])
def test_saddles_of_tiny_and_huge_values(exponent: int) -> None:
    values = noise(0, 30, 30)
    plain, scaled = (marching_squares(v, record=True).history for v in (values, values * 2.0**exponent))
    assert plain is not None
    assert scaled is not None
    assert 0 < int(plain.joined.sum()) < int((~plain.saddle.isnan()).sum())
    assert torch.equal(scaled.joined, plain.joined)


@given(seeds, sizes, sizes, st.booleans())
def test_recorded_equals_unrecorded(seed: int, height: int, width: int, whole: bool) -> None:
    values = noise(seed, height, width).round() if whole else noise(seed, height, width)
    plain, recorded = marching_squares(values), marching_squares(values, record=True)
    assert plain.history is None
    for name in ("points", "segments", "closed", "case", "edges", "fraction", "cell"):
        assert torch.equal(getattr(plain, name), getattr(recorded, name)), name
    assert all(torch.equal(a, b) for a, b in zip(plain.polylines, recorded.polylines, strict=True))


@given(seeds, sizes, sizes)
def test_the_history_retells_the_contour(seed: int, height: int, width: int) -> None:
    values = noise(seed, height, width)
    found = marching_squares(values, record=True)
    history, table = found.history, square_table()
    assert history is not None
    assert torch.equal(history.case, found.case[history.cell[:, 0], history.cell[:, 1]])
    assert len(history.cell) == int(((found.case != 0) & (found.case != 15)).sum())
    assert torch.equal(table.ambiguous[history.case.long()], ~history.saddle.isnan())
    retold = []
    for k, case in enumerate(history.case.tolist()):
        row, column = history.cell[k].tolist()
        corners = table.corners + torch.tensor((column, row))
        assert torch.equal(history.values[k], values[corners[:, 1], corners[:, 0]])
        first, count = int(history.first[k]), int(history.count[k])
        assert found.cell[first : first + count].tolist() == [row * (width - 1) + column] * count
        for a, b in table.segments[int(history.joined[k]), case, :count].tolist():
            retold.append([int(history.points[k, a]), int(history.points[k, b])])
        for edge in table.crossed[case].nonzero()[:, 0].tolist():
            # Along the sides on top and on the left, edges run against the axes.
            begin, end = (
                corners[table.edges[edge]].double().flip(0) if edge > 1 else corners[table.edges[edge]].double()
            )
            point = torch.lerp(begin, end, history.fraction[k, edge])
            torch.testing.assert_close(found.points[history.points[k, edge]], point)
    assert retold == found.segments.tolist()


def test_twice_the_same() -> None:
    first, second = marching_squares(noise(3, 60, 50)), marching_squares(noise(3, 60, 50))
    assert torch.equal(first.points, second.points)
    assert all(torch.equal(a, b) for a, b in zip(first.polylines, second.polylines, strict=True))


@pytest.mark.parametrize("seed", range(4))
def test_gradients(seed: int) -> None:
    def measured(values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        found = marching_squares(values, 0.05, spacing=(0.5, 2.0))
        return found.points, found.length, found.area[found.closed]

    values = 3 * noise(seed, 5, 6).requires_grad_()
    assert len(marching_squares(values).points) > 5
    assert torch.autograd.gradcheck(measured, (values,), eps=1e-7, atol=1e-4)


def test_the_gradient_of_a_circles_area_is_its_length() -> None:
    radius = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    axis = torch.linspace(-1, 1, 200, dtype=torch.float64)
    found = marching_squares(torch.hypot(axis[None], axis[:, None]) - radius, spacing=float(axis[1] - axis[0]))
    (gradient,) = torch.autograd.grad(found.area.sum(), radius)
    assert float(gradient) == pytest.approx(math.pi, rel=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_precision_is_that_of_the_values(dtype: torch.dtype) -> None:
    found = marching_squares(noise(0).to(dtype), 0.1, record=True)
    assert found.history is not None
    assert {found.points.dtype, found.length.dtype, found.area.dtype, found.history.saddle.dtype} == {dtype}
    assert found.case.dtype == torch.uint8


@pytest.mark.parametrize("change", ["read only", "big endian", "reversed", "transposed"])
def test_takes_any_array(change: str) -> None:
    array = noise(1).numpy().copy()
    if change == "big endian":
        array = array.astype(">f8")
    elif change != "read only":
        array = array[::-1] if change == "reversed" else array.T
    array.flags.writeable = False
    expected = marching_squares(torch.tensor(array.astype("f8").tolist(), dtype=torch.float64))
    assert torch.equal(marching_squares(array).points, expected.points)


@pytest.mark.parametrize("values", [torch.ones(5, 4), -torch.ones(5, 4), torch.zeros(2, 2)])
def test_no_crossing_gives_an_empty_contour(values: torch.Tensor) -> None:
    found = marching_squares(values, record=True)
    assert found.points.shape == found.segments.shape == (0, 2)
    assert found.polylines == ()
    assert found.length.shape == found.area.shape == found.closed.shape == (0,)
    assert found.case.shape == (len(values) - 1, values.shape[1] - 1)
    assert found.history is not None
    assert len(found.history.cell) == 0


BAD = torch.ones(4, 5)
BAD[2, 3], BAD[3, 1] = torch.nan, -torch.inf


@pytest.mark.parametrize(
    ("values", "options", "error", "message"),
    [
        (BAD, {}, FieldError, "2 of 20 are not, the first is nan at row 2, column 3"),
        (BAD.numpy(), {}, FieldError, "2 of 20"),
        (torch.full((3, 3), torch.inf), {}, FieldError, "9 of 9"),
        (torch.tensor([[-3e38, 3e38], [0, 0]]), {}, FieldError, "range that torch.float32 can hold"),
        (torch.ones(3, 3, dtype=torch.int64), {}, FieldError, "they are int64"),
        (np.ones((3, 3), bool), {}, FieldError, "they are bool"),
        (np.ones((3, 3), object), {}, FieldError, "they are object"),
        (torch.ones(1, 5), {}, ShapeError, r"at least 2; shape is \(1, 5\)"),
        (torch.ones(0, 0), {}, ShapeError, r"shape is \(0, 0\)"),
        (torch.ones(3, 3, 3), {}, ShapeError, r"shape is \(3, 3, 3\)"),
        (torch.ones(3, 3), {"level": math.nan}, FieldError, "level should be finite"),
        (torch.ones(3, 3), {"level": 1e300}, FieldError, "finite in torch.float32"),
        (torch.ones(3, 3), {"spacing": 0.0}, ResolutionError, r"it is \(0.0, 0.0\)"),
        (torch.ones(3, 3), {"spacing": (1.0, math.nan)}, ResolutionError, "positive and finite"),
        (torch.ones(3, 3), {"origin": (0.0, math.inf)}, InputError, "origin should be finite"),
        (torch.ones(3, 3), {"saddle": "linear"}, OptionError, "asymptotic, join, split; it is 'linear'"),
    ],
)
def test_says_what_is_wrong(values: torch.Tensor, options: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        marching_squares(values, **options)
