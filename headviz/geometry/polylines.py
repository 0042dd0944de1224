"""Chains: segments that share points, put one after the other, all chains at once."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


class Chains(NamedTuple):
    """Polylines in the order of their first point.

    Attributes:
        polylines: for each chain its point indices in order, views of one tensor. A closed chain begins with its
            least index and repeats it at the end; an open one begins where no segment ends.
        closed: which chains are closed, shape (k,).
    """

    polylines: tuple[Int[Tensor, " _"], ...]
    closed: Bool[Tensor, " k"]


def chain_segments(segments: Int[Tensor, "m 2"], count: int) -> Chains:
    """Put directed segments one after the other: every segment is in exactly one polyline.

    The positions come from :func:`rank_chains`, without a sort and without a loop over segments.

    Args:
        segments: point indices (from, to), shape (m, 2). Every point is on a segment; at most one begins and at most
            one ends there, and none begins where it ends.
        count: how many points there are.
    """
    point = torch.arange(count, device=segments.device)
    before, after = point.clone(), point.clone()
    before[segments[:, 1]] = segments[:, 0]
    after[segments[:, 0]] = segments[:, 1]
    anchor, rank = rank_chains(before, after)

    least = torch.full_like(point, count).scatter_reduce_(0, anchor, point, "amin")
    begins = before == point
    first = torch.where(begins, point, least)[anchor]  # an open chain is anchored where it begins
    size = torch.bincount(anchor, minlength=count)[anchor]
    position = torch.remainder(rank - rank[first], size)

    heads = (first == point).nonzero()[:, 0]
    closed = ~begins[heads]
    extent = size[heads] + closed
    end = extent.cumsum(0)
    start = torch.empty_like(point)
    start[heads] = end - extent
    order = point.new_empty(count + int(closed.sum()))
    order[start[first] + position] = point
    order[end[closed] - 1] = heads[closed]
    return Chains(order.split(extent.tolist()) if len(heads) else (), closed)


def polyline_lengths(points: Float[Tensor, "n d"], polylines: tuple[Int[Tensor, " _"], ...]) -> Float[Tensor, " k"]:
    """Length of each polyline, shape (k,), in the points' units; differentiable in the points."""
    line, begin, end, _ = _links(polylines, points)
    return _per_line(line, torch.linalg.vector_norm(points[end] - points[begin], dim=1), len(polylines))


def polyline_areas(points: Float[Tensor, "n 2"], polylines: tuple[Int[Tensor, " _"], ...]) -> Float[Tensor, " k"]:
    """Signed area of each polyline in the plane, shape (k,), positive when counter-clockwise; differentiable.

    Gauss's formula, relative to the line's own first point: far from the origin the products would lose digits. An
    open polyline is closed by the straight way back.
    """
    line, begin, end, first = _links(polylines, points)
    a, b = points[begin] - points[first], points[end] - points[first]
    return _per_line(line, (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2, len(polylines))


def _links(
    polylines: tuple[Int[Tensor, " _"], ...], points: Float[Tensor, "n d"]
) -> tuple[Int[Tensor, " m"], Int[Tensor, " m"], Int[Tensor, " m"], Int[Tensor, " m"]]:
    """For each link of each polyline: which one it is in, where it begins and ends, and that polyline's first point."""
    none = torch.zeros(0, dtype=torch.int64, device=points.device)
    sizes = torch.tensor([len(line) for line in polylines], dtype=torch.int64, device=points.device)
    order = torch.cat((none, *polylines))
    line = torch.repeat_interleave(torch.arange(len(sizes), device=points.device), sizes)
    first = order[(sizes.cumsum(0) - sizes)[line]]
    same = line[1:] == line[:-1]
    return line[1:][same], order[:-1][same], order[1:][same], first[1:][same]


def _per_line(line: Int[Tensor, " m"], terms: Float[Tensor, " m"], count: int) -> Float[Tensor, " k"]:
    # index_put adds in the same order at every call on every device; index_add does not.
    return terms.new_zeros(count).index_put((line,), terms, accumulate=True)


def rank_chains(before: Int[Tensor, " n"], after: Int[Tensor, " n"]) -> tuple[Int[Tensor, " n"], Int[Tensor, " n"]]:
    """List ranking: how many links each point is behind a point of its chain, the anchor.

    Points whose scrambled number is less than that of both neighbours are taken out, about a third of those left in
    each round, then put back in reverse: O(n) work in O(log n) rounds. After R. Anderson and G. Miller, "A simple
    randomized parallel algorithm for list-ranking", Information Processing Letters 33, 1990, with a hash in the place
    of coins, so that every call does the same.

    Args:
        before: the point before each, shape (n,); itself where a chain begins.
        after: the point after each, shape (n,); itself where a chain ends.

    Returns:
        The anchor of each point, shape (n,): where its chain begins, or one point of a closed chain; and the
        number of links from there, shape (n,).
    """
    point = torch.arange(len(before), device=before.device)
    # The two ends of an open chain stay, and keep no neighbour from being taken out.
    key = torch.where((before == point) | (after == point), 1 << 32, _scramble(point))
    before, after, distance = before.clone(), after.clone(), torch.ones_like(point)
    left, taken = point, []
    while True:
        # index_select and index_copy_ take half the time of brackets.
        previous, following = before.index_select(0, left), after.index_select(0, left)
        own = key.index_select(0, left)
        inner = (own < key.index_select(0, previous)) & (own < key.index_select(0, following))
        at = inner.nonzero()[:, 0]
        if not len(at):
            break
        out, previous, following = (which.index_select(0, at) for which in (left, previous, following))
        behind = distance.index_select(0, previous)
        taken.append((out, previous, behind))
        after.index_copy_(0, previous, following)
        before.index_copy_(0, following, previous)
        distance.index_copy_(0, previous, behind + distance.index_select(0, out))
        left = left[~inner]
    # Left are the first and last point of each open chain, and one point of each closed chain.
    anchor, rank = before, torch.where(before == point, 0, distance.index_select(0, before))
    for out, previous, behind in reversed(taken):
        anchor.index_copy_(0, out, anchor.index_select(0, previous))
        rank.index_copy_(0, out, rank.index_select(0, previous) + behind)
    return anchor, rank


def _scramble(numbers: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    """Different numbers for different numbers below 2³¹, in no visible order: C. Wellons' hash lowbias32."""
    mask = 0xFFFFFFFF
    mixed = (numbers ^ (numbers >> 16)) * 0x7FEB352D & mask
    mixed = (mixed ^ (mixed >> 15)) * 0x846CA68B & mask
    return mixed ^ (mixed >> 16)
