"""Neighbours of every vertex, found once per mesh; compiled by numba as :mod:`headviz.sculpt.compiled` is."""

from typing import no_type_check

import numpy as np
from numba import prange

from headviz.geometry.compiling import compiled, parallel


@compiled
@no_type_check
def rings(faces, count):
    """For each vertex the opposite edges (b, c) of its faces (a, b, c), as first (n + 1,) and pairs (3 m, 2)."""
    first = np.zeros(count + 1, np.int32)
    for f in range(len(faces)):
        for corner in range(3):
            first[faces[f, corner] + 1] += 1
    for i in range(count):
        first[i + 1] += first[i]
    at = first[:-1].copy()
    pairs = np.empty((3 * len(faces), 2), np.int32)
    for f in range(len(faces)):
        for corner in range(3):
            i = faces[f, corner]
            pairs[at[i], 0] = faces[f, (corner + 1) % 3]
            pairs[at[i], 1] = faces[f, (corner + 2) % 3]
            at[i] += 1
    return first, pairs


@compiled
@no_type_check
def fans(first, pairs):
    """For each vertex its neighbours in order, as first (n + 1,) and neighbours; ~j instead of j begins a fan."""
    starts = np.zeros(len(first), np.int32)
    order = np.empty(2 * len(pairs), np.int32)
    used = np.zeros(len(pairs), np.bool_)
    at = 0
    for i in range(len(first) - 1):
        starts[i] = at
        left = first[i + 1] - first[i]
        while left > 0:
            edge = fan_begin(pairs, used, first[i], first[i + 1])
            order[at] = ~pairs[edge, 0]
            at += 1
            while edge >= 0:
                used[edge] = True
                left -= 1
                order[at] = pairs[edge, 1]
                at += 1
                edge = edge_from(pairs, used, first[i], first[i + 1], pairs[edge, 1])
    starts[-1] = at
    return starts, order[:at].copy()


@compiled
@no_type_check
def edge_from(pairs, used, low, high, corner):
    """The first edge left that begins at a corner, or −1."""
    for k in range(low, high):
        if not used[k] and pairs[k, 0] == corner:
            return k
    return -1


@compiled
@no_type_check
def fan_begin(pairs, used, low, high):
    """An edge left that no other leads to, or else the first that is left."""
    any_ = -1
    for k in range(low, high):
        if not used[k]:
            any_ = k if any_ < 0 else any_
            led = False
            for other in range(low, high):
                led = led or (not used[other] and pairs[other, 1] == pairs[k, 0])
            if not led:
                return k
    return any_


@parallel
@no_type_check
def boundary(first, pairs):
    """Which vertices have an edge with one face only, shape (n,) bool."""
    flag = np.zeros(len(first) - 1, np.bool_)
    for i in prange(len(flag)):
        for k in range(first[i], first[i + 1]):
            for side in range(2):
                closed = False
                for other in range(first[i], first[i + 1]):
                    if other != k and (pairs[other, 0] == pairs[k, side] or pairs[other, 1] == pairs[k, side]):
                        closed = True
                if not closed:
                    flag[i] = True
    return flag
