"""How triangles hang together: edges, fans around vertices, and the way round in which faces are wound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

Faces = Int[np.ndarray, "m 3"]


@dataclass(frozen=True, eq=False)
class Edges:
    """The edges of a surface.

    Attributes:
        ends: both vertices, the smaller number first, shape (e, 2).
        count: faces at each edge, shape (e,).
        upwards: how many of them go from the smaller number to the larger, shape (e,).
    """

    ends: Int[np.ndarray, "e 2"]
    count: Int[np.ndarray, " e"]
    upwards: Int[np.ndarray, " e"]


def edges_of(faces: Faces, vertices: int) -> Edges:
    """The edges of faces; a face that names a vertex twice has none there."""
    keys, _ = _keys(faces, vertices)
    keys = np.sort(keys)
    whole = keys >> 1
    starts = np.flatnonzero(np.diff(whole, prepend=-1))
    count = np.diff(starts, append=len(whole))
    upwards = np.add.reduceat(keys & 1, starts) if len(starts) else np.zeros(0, np.int64)
    return Edges(np.stack(np.divmod(whole[starts], max(vertices, 1)), 1), count, upwards)


def _keys(faces: Faces, vertices: int) -> tuple[Int[np.ndarray, " h"], Int[np.ndarray, " h"]]:
    """A number for each side of a face, of which the last bit is its direction; and the corner that it leaves."""
    begin = faces.reshape(-1).astype(np.int64)
    end = np.roll(faces, -1, axis=1).reshape(-1).astype(np.int64)
    keys = (np.minimum(begin, end) * max(vertices, 1) + np.maximum(begin, end)) * 2 + (begin < end)
    real = begin != end
    return keys[real], np.flatnonzero(real)


def _pairs(faces: Faces, vertices: int) -> tuple[Int[np.ndarray, "p 2"], Bool[np.ndarray, " p"]]:
    """Sides that two faces share and no third: the corners that they leave, and whether both go the same way."""
    keys, corners = _keys(faces, vertices)
    order = np.argsort(keys, kind="stable")
    whole, corners, way = keys[order] >> 1, corners[order], keys[order] & 1
    starts = np.flatnonzero(np.diff(whole, prepend=-1))
    first = starts[np.diff(starts, append=len(whole)) == 2]
    return np.stack([corners[first], corners[first + 1]], 1), way[first] == way[first + 1]


def fans(faces: Faces, vertices: int) -> Int[np.ndarray, "m 3"]:
    """For each corner of each face the number of its fan: faces around a vertex that hang together by edges of two."""
    pairs, same = _pairs(faces, vertices)
    after = pairs - pairs % 3 + (pairs + 1) % 3  # the corners at which these sides arrive
    begin = np.concatenate([pairs[:, 0], after[:, 0]])
    end = np.concatenate([np.where(same, pairs[:, 1], after[:, 1]), np.where(same, after[:, 1], pairs[:, 1])])
    return _parts(begin, end, faces.size).reshape(-1, 3)


def pinched(faces: Faces, vertices: int) -> int:
    """How many vertices have more than one fan."""
    found = fans(faces, vertices)
    owner = np.zeros(int(found.max(initial=-1)) + 1, np.int64)
    owner[found] = faces
    return int((np.bincount(owner, minlength=1) > 1).sum())


def split_fans(faces: Faces, vertices: int) -> tuple[Faces, Int[np.ndarray, " v"]]:
    """Give every fan a vertex of its own, and cut off faces where more than two still share an edge.

    Returns:
        Faces, and for each new vertex the old one; old vertices come first and in their places.
    """
    source = np.arange(vertices)
    for _ in range(16):  # a face that is cut off may leave a fan in two
        found = fans(faces, len(source))
        crowded = _third_faces(found, int(found.max(initial=-1)) + 1)
        found[crowded] = found.max(initial=-1) + 1 + np.arange(3 * int(crowded.sum())).reshape(-1, 3)
        labels, first, index = np.unique(found, return_index=True, return_inverse=True)
        owner = faces.reshape(-1)[first]
        order = np.lexsort((labels, owner))
        again = np.zeros(len(labels), dtype=bool)
        again[order[1:]] = owner[order[1:]] == owner[order[:-1]]
        place = np.where(again, len(source) - 1 + np.cumsum(again), owner)
        faces = place[index.reshape(-1)].reshape(-1, 3)
        source = np.concatenate([source, source[owner[again]]])
        if not again.any():
            break
    return faces, source


def _third_faces(faces: Faces, vertices: int) -> Bool[np.ndarray, " m"]:
    """Faces at an edge that already has two."""
    keys, corners = _keys(faces, vertices)
    order = np.argsort(keys >> 1, kind="stable")
    whole = keys[order] >> 1
    starts = np.flatnonzero(np.diff(whole, prepend=-1))
    rank = np.arange(len(whole)) - np.repeat(starts, np.diff(starts, append=len(whole)))
    third = np.zeros(len(faces), dtype=bool)
    third[corners[order][rank >= 2] // 3] = True
    return third


def wound_alike(faces: Faces, vertices: int) -> Bool[np.ndarray, " m"]:
    """Which faces to turn so that neighbours agree: the fewer ones of each part. A Möbius strip stays as it is.

    Parts of the surface are found on its double cover, where each face stands twice, once for each way round.
    """
    pairs, same = _pairs(faces, vertices)
    one, other, count = pairs[:, 0] // 3, pairs[:, 1] // 3, len(faces)
    begin, end = np.concatenate([one, one + count]), np.concatenate([other + count * same, other + count * ~same])
    sheet = _parts(begin, end, 2 * count)
    here, there = sheet[:count], sheet[count:]
    part = np.minimum(here, there)
    turned = here != part
    mostly = np.bincount(part, turned, minlength=1) > 0.5 * np.bincount(part, minlength=1)
    return np.asarray((turned != mostly[part]) & (here != there))


def parts_of(faces: Faces, vertices: int) -> Int[np.ndarray, " m"]:
    """The number of the connected part to which each face belongs; parts hang together by vertices."""
    begin, end = faces[:, :2].T.reshape(-1), faces[:, 1:].T.reshape(-1)
    found: Int[np.ndarray, " n"] = _parts(begin, end, vertices)
    return np.asarray(found[faces[:, 0]])


def count_parts(cells: Int[np.ndarray, "m k"], vertices: int) -> tuple[int, int]:
    """Connected parts of edges or faces, and the vertices that belong to none."""
    used = np.zeros(vertices, dtype=bool)
    used[cells.reshape(-1)] = True
    unused = int(vertices - used.sum())
    found = _parts(cells[:, :-1].T.reshape(-1), cells[:, 1:].T.reshape(-1), vertices)
    return int(found.max(initial=-1)) + 1 - unused, unused


def _parts(begin: Int[np.ndarray, " e"], end: Int[np.ndarray, " e"], count: int) -> Int[np.ndarray, " n"]:
    """The number of the connected part of each of some things, of which some are linked."""
    if not count:
        return np.zeros(0, np.int32)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(begin), np.int8), (begin, end)), shape=(count, count)).tocsr()
    return np.asarray(connected_components(graph, directed=False)[1])


def repeated(faces: Faces) -> Bool[np.ndarray, " m"]:
    """Which faces name a vertex twice, shape (m,)."""
    a, b, c = faces.T
    return np.asarray((a == b) | (b == c) | (c == a))


def duplicates(faces: Faces) -> Bool[np.ndarray, " m"]:
    """Which faces have the corners of an earlier face, whatever their order, shape (m,)."""
    corners = np.sort(faces, 1).astype(np.uint64)
    with np.errstate(over="ignore"):  # a hash: equal corners have equal keys, and others hardly ever
        keys = corners[:, 0] * np.uint64(0x9E3779B97F4A7C15) + corners[:, 1] * np.uint64(0xC2B2AE3D27D4EB4F)
        keys = (keys ^ (keys >> np.uint64(29))) * np.uint64(0x165667B19E3779F9) + corners[:, 2]
    ordered = np.sort(keys)
    twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    later = np.isin(keys, twice)
    first = np.unique(keys[later], return_index=True)[1]
    later[np.flatnonzero(later)[first]] = False
    return later
