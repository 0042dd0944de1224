"""Polylines are what a walk from segment to segment finds, on chains of any shape."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from headviz.geometry.contour import marching_squares
from headviz.geometry.polylines import chain_segments, polyline_areas, polyline_lengths, rank_chains

chains = st.lists(st.tuples(st.integers(2, 40), st.booleans()), max_size=12)


def shuffled(lengths: list[tuple[int, bool]], seed: int) -> tuple[torch.Tensor, int]:
    """Segments of chains with so many points, closed or not, with numbers and order shuffled."""
    generator = torch.Generator().manual_seed(seed)
    count = sum(length for length, _ in lengths)
    name = torch.randperm(count, generator=generator)
    pairs, start = [], 0
    for length, closed in lengths:
        pairs += [(start + k, start + k + 1) for k in range(length - 1)]
        pairs += [(start + length - 1, start)] if closed else []
        start += length
    segments = name[torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2)]
    return segments[torch.randperm(len(segments), generator=generator)], count


def walked(segments: torch.Tensor, count: int) -> list[list[int]]:
    """The readable reference: follow the segments, open chains from their beginning, closed ones from their least."""
    following = dict(segments.tolist())
    begins = sorted(set(range(count)) - set(following.values()))
    lines = []
    for start in (*begins, *range(count)):
        if start in following:
            line = [start]
            while line[-1] in following:
                line.append(following.pop(line[-1]))
            lines.append(line)
    return sorted(lines)


@given(chains, st.integers(0, 10**6))
def test_chains_are_what_a_walk_finds(lengths: list[tuple[int, bool]], seed: int) -> None:
    segments, count = shuffled(lengths, seed)
    found = chain_segments(segments, count)
    assert [line.tolist() for line in found.polylines] == walked(segments, count)
    assert found.closed.tolist() == [bool(line[0] == line[-1]) for line in found.polylines]


@pytest.mark.parametrize("step", [1, 2, 7, 999])
@pytest.mark.parametrize("closed", [False, True])
def test_a_long_chain_is_ranked_from_its_anchor(step: int, closed: bool) -> None:
    count = 20_000
    point = torch.arange(count)
    before, after = (point - step) % count, (point + step) % count
    if not closed:
        before, after = torch.where(point < step, point, before), torch.where(point >= count - step, point, after)
    anchor, rank = rank_chains(before, after)
    assert len(anchor.unique()) == (math.gcd(step, count) if closed else step)
    assert torch.equal((anchor + rank * step) % count, point)


@given(st.integers(0, 10**6), st.integers(2, 12), st.integers(2, 12), st.booleans())
def test_every_segment_is_in_one_polyline(seed: int, height: int, width: int, whole: bool) -> None:
    values = torch.randn(height, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    found = marching_squares(values.round() if whole else values)
    pairs = [pair for line in found.polylines for pair in zip(line[:-1].tolist(), line[1:].tolist(), strict=True)]
    assert sorted(pairs) == sorted(map(tuple, found.segments.tolist()))
    assert [line.tolist() for line in found.polylines] == walked(found.segments, len(found.points))
    for line in (line for line, closed in zip(found.polylines, found.closed, strict=True) if not closed):
        for end in (found.edges[line[0]], found.edges[line[-1]]):
            row, column = end // width, end % width
            borders = [(row == 0), (row == height - 1), (column == 0), (column == width - 1)]
            assert any(bool(border.all()) for border in borders)


def test_length_and_area_of_squares() -> None:
    square = torch.tensor([[0, 0], [3, 0], [3, 2], [0, 2]], dtype=torch.float64) + 1e6
    closed, clockwise, open_line = torch.tensor([0, 1, 2, 3, 0]), torch.tensor([0, 3, 2, 1, 0]), torch.tensor([0, 1, 2])
    lines = (closed, open_line, clockwise)
    assert polyline_lengths(square, lines).tolist() == [10, 5, 10]
    assert polyline_areas(square, lines).tolist() == [6, 3, -6]


def test_area_of_an_open_line_is_undefined() -> None:
    values = torch.ones(8, 8)
    values[0, 3] = values[5, 5] = -1.0
    found = marching_squares(values)
    assert found.closed.tolist() == [False, True]
    assert found.area.isnan().tolist() == [True, False]
    assert float(found.area[1]) == pytest.approx(0.5)
