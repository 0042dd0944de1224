"""How a surface can cross a cube: all cases, made from the cube's rotations and the complement.

Corner k of the unit cube lies at (k & 1, k >> 1 & 1, k >> 2 & 1); bit k of a *case* says that corner k is inside.
A face of the cube whose inside corners are the two ends of a diagonal is *ambiguous*: a *decision* says whether they
are joined across the face. A case with its decisions is a *state*, and a state has one list of triangles.

The surface leaves the cube in one line segment per crossed face (two on an ambiguous one). Segments are linked into
closed loops and each loop is cut into triangles along diagonals. Neighbours share the segments, so that the surface is
closed if no diagonal of one cube meets a diagonal of its neighbour:

- A diagonal between two edges of one face of the cube is avoided. The 116 of 656 states whose loops go through an
  ambiguous face twice and leave no choice use only such diagonals as join two *starts* of segments. The neighbour runs
  the segments the other way, so that these are its ends and it never has the same diagonal.
- A loop without ambiguous faces can be cut along any diagonals. The choice is VTK's for one case of each class, and so
  for 126 of the 134 cases without ambiguous faces; the other 8 have another of several images of their representative.
- Else the diagonals are the shortest, measured between the middles of the edges.

W. Lorensen and H. Cline, "Marching cubes", SIGGRAPH 1987, made the cases from symmetry; G. Nielson and B. Hamann, "The
asymptotic decider", Visualization 1991, decide the faces.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

Triangle = tuple[int, int, int]
Loop = tuple[int, ...]
State = tuple[int, int]  # a case and its decisions

_EDGES = [(a, a | 1 << axis) for axis in range(3) for a in range(8) if not a >> axis & 1]
_FACES = [
    [corner | side << axis for corner in ((0, u, u | v, v) if side else (0, v, u | v, u))]
    for axis, u, v in ((0, 2, 4), (1, 4, 1), (2, 1, 2))
    for side in (0, 1)
]
_EDGE_OF = {frozenset(ends): e for e, ends in enumerate(_EDGES)}
#: Edge f, i runs from corner i of face f to the next.
_FACE_EDGES = [[_EDGE_OF[frozenset((face[i], face[(i + 1) % 4]))] for i in range(4)] for face in _FACES]

#: Corners of the unit cube, (x, y, z).
CORNERS: Int[Tensor, "8 3"] = torch.tensor([[k >> axis & 1 for axis in range(3)] for k in range(8)])
#: Corners that an edge joins, the lower first; edges along x, then y, then z, each by their lower corner.
EDGES: Int[Tensor, "12 2"] = torch.tensor(_EDGES)
#: Axis along which an edge runs: 0, 1, 2.
EDGE_AXIS: Int[Tensor, " 12"] = torch.arange(12) // 4
#: Corners of a face, counter-clockwise seen from outside; faces in the order −x, +x, −y, +y, −z, +z.
FACES: Int[Tensor, "6 4"] = torch.tensor(_FACES)

#: VTK's diagonals for the lowest case of each class that has a choice and no ambiguous face.
_DIAGONALS = {
    3: ((5, 8),),
    7: ((5, 10), (9, 10)),
    15: ((8, 11),),
    23: ((1, 9), (2, 10), (9, 10)),
    27: ((1, 6), (1, 9), (6, 9)),
    29: ((2, 5), (2, 10), (5, 10)),
}


@dataclass(frozen=True, eq=False)
class CubeTable:
    """Every way in which a surface crosses a cube.

    Attributes:
        classes: class of each case under the 24 rotations and the complement, 0 to 14, shape (256,).
        representatives: lowest case of each class, shape (15,).
        ambiguous: ambiguous faces of each case, bit f for face f of :data:`FACES`, shape (256,).
        state: state of each case and each 6-bit mask of decisions, shape (256, 64). Bit f set says that the two inside
            corners of face f are joined across it; bits of faces that are not ambiguous do not matter.
        cases: case of each state, shape (656,).
        decisions: decisions of each state, shape (656,).
        triangles: edges (of :data:`EDGES`) on which the corners of each state's triangles lie, counter-clockwise seen
            from outside, filled up with −1, shape (656, 10, 3).
        count: triangles of each state, shape (656,).
        loops: the closed loops of edges that each state's triangles fill, in the direction of the triangles.
    """

    classes: Int[Tensor, " 256"]
    representatives: Int[Tensor, " 15"]
    ambiguous: Int[Tensor, " 256"]
    state: Int[Tensor, "256 64"]
    cases: Int[Tensor, " s"]
    decisions: Int[Tensor, " s"]
    triangles: Int[Tensor, "s t 3"]
    count: Int[Tensor, " s"]
    loops: tuple[tuple[Loop, ...], ...]

    def to(self, device: torch.device) -> CubeTable:
        """The same table on another device."""
        values: dict[str, Any] = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        moved: dict[str, Any] = {name: v.to(device) if isinstance(v, Tensor) else v for name, v in values.items()}
        return CubeTable(**moved)


@dataclass(frozen=True)
class _Motion:
    """A rotation of the cube, perhaps with the complement: where corners, edges and faces go."""

    corners: tuple[int, ...]
    edges: tuple[int, ...]
    faces: tuple[int, ...]
    complement: bool

    def case(self, case: int) -> int:
        moved = sum(1 << self.corners[k] for k in range(8) if case >> k & 1)
        return 255 - moved if self.complement else moved

    def state(self, state: State) -> State:
        case, decisions = state
        moved = sum(1 << self.faces[f] for f in range(6) if decisions >> f & 1)
        if self.complement:  # what joins the inside parts the outside
            moved ^= sum(1 << self.faces[f] for f in range(6) if _ambiguous(case) >> f & 1)
        return self.case(case), moved

    def edge_lists(self, lists: tuple[Loop, ...]) -> tuple[Loop, ...]:
        """Loops or triangles, carried along; the complement turns them round."""
        step = -1 if self.complement else 1
        return tuple(tuple(self.edges[e] for e in edges[::step]) for edges in lists)


@functools.cache
def cube_table() -> CubeTable:
    """The table, made once."""
    states = [(case, d) for case in range(256) for d in range(64) if not d & ~_ambiguous(case)]
    number = {state: s for s, state in enumerate(states)}
    found = _transport(states)
    count = [len(found[state][1]) for state in states]
    triangles = torch.full((len(states), max(count), 3), -1)
    for s, state in enumerate(states):
        if count[s]:
            triangles[s, : count[s]] = torch.tensor(found[state][1])
    classes, representatives = _classes()
    return CubeTable(
        classes=torch.tensor(classes),
        representatives=torch.tensor(representatives),
        ambiguous=torch.tensor([_ambiguous(case) for case in range(256)]),
        state=torch.tensor([[number[case, d & _ambiguous(case)] for d in range(64)] for case in range(256)]),
        cases=torch.tensor([case for case, _ in states]),
        decisions=torch.tensor([decisions for _, decisions in states]),
        triangles=triangles,
        count=torch.tensor(count),
        loops=tuple(found[state][0] for state in states),
    )


def _transport(states: list[State]) -> dict[State, tuple[tuple[Loop, ...], tuple[Triangle, ...]]]:
    """Loops and triangles of all states, made for one of each orbit carried to the others, by a rotation if one can."""
    found: dict[State, tuple[tuple[Loop, ...], tuple[Triangle, ...]]] = {}
    for state in states:
        if state in found:
            continue
        loops = _loops(*state)
        parts = [_cut(loop, _DIAGONALS.get(state[0], ())) for loop in loops]
        triangles = tuple(triangle for _, part in parts for triangle in part)
        # The complement makes starts of ends: states with diagonals in a face are carried by rotations alone.
        chiral = any(in_face for in_face, _ in parts)
        for motion in _motions():
            if not (motion.complement and chiral):
                moved = motion.edge_lists(triangles)
                found.setdefault(motion.state(state), (motion.edge_lists(loops), moved))  # type: ignore[arg-type]
    return found


def _classes() -> tuple[list[int], list[int]]:
    """Class of each case, and the lowest case of each class."""
    lowest = [min(motion.case(case) for motion in _motions()) for case in range(256)]
    representatives = sorted(set(lowest))
    return [representatives.index(case) for case in lowest], representatives


@functools.cache
def _motions() -> tuple[_Motion, ...]:
    """The 24 rotations, each without and with the complement.

    Their order decides what a case gets that is the image of its representative in several ways: the first. In this one
    most get what VTK has, and the complement of a case has the same triangles, turned round.
    """
    faces = [sorted(face) for face in _FACES]
    return tuple(
        _Motion(
            corners=corners,
            edges=tuple(_EDGE_OF[frozenset((corners[a], corners[b]))] for a, b in _EDGES),
            faces=tuple(faces.index(sorted(corners[k] for k in face)) for face in faces),
            complement=complement,
        )
        for corners in reversed(dict.fromkeys(_turns()))
        for complement in (False, True)
    )


def _turns() -> Iterator[tuple[int, ...]]:
    """Where corners go under 0 to 3 quarter turns about z, then x, then y; each rotation comes more than once."""
    for about_x, about_y, about_z in itertools.product(range(4), repeat=3):
        points = [[k >> axis & 1 for axis in range(3)] for k in range(8)]
        for axis in [2] * about_z + [0] * about_x + [1] * about_y:
            u, v = (axis + 1) % 3, (axis + 2) % 3
            for point in points:
                point[u], point[v] = 1 - point[v], point[u]
        yield tuple(x | y << 1 | z << 2 for x, y, z in points)


@functools.cache
def _ambiguous(case: int) -> int:
    """Mask of the faces whose corners are inside, outside, inside, outside in turn."""
    inside = [[case >> k & 1 for k in face] for face in _FACES]
    return sum(1 << f for f, (a, b, c, d) in enumerate(inside) if a == c != b == d)


def _loops(case: int, decisions: int) -> tuple[Loop, ...]:
    """Closed loops of crossed edges, each from its lowest edge.

    Seen from outside the cube, a segment has the inside on its right. Then each crossed edge is the start of a segment
    in one of its two faces and the end of one in the other, so that linking is a permutation.
    """
    follows: dict[int, int] = {}
    for f, (face, edges) in enumerate(zip(_FACES, _FACE_EDGES, strict=True)):
        inside = [case >> k & 1 for k in face]
        # Counter-clockwise round the face the boundary enters the inside on some edges and leaves it on others.
        enters = [i for i in range(4) if inside[(i + 1) % 4] and not inside[i]]
        leaves = [i for i in range(4) if inside[i] and not inside[(i + 1) % 4]]
        joined = decisions >> f & 1
        for i in enters:
            # A segment round inside corners ends where these end; one round an outside corner, where it begins.
            ends = [j for j in leaves if len(leaves) == 1 or j == ((i - 1) % 4 if joined else (i + 1) % 4)]
            follows[edges[i]] = edges[ends[0]]
    loops = []
    while follows:
        loop = [min(follows)]
        while (after := follows.pop(loop[-1])) != loop[0]:
            loop.append(after)
        loops.append(tuple(loop))
    return tuple(loops)


def _cut(loop: Loop, wanted: tuple[tuple[int, int], ...]) -> tuple[int, tuple[Triangle, ...]]:
    """The best triangulation of a loop: number of its diagonals that lie in a face, and triangles.

    Dynamic programming over stretches of the loop; a stretch costs what its diagonals cost: those in a face first, then
    those that are not wanted, then the squares of their lengths.
    """
    follows = dict(zip(loop, (*loop[1:], loop[0]), strict=True))
    size = len(loop)
    best: dict[tuple[int, int], tuple[tuple[int, int, int], tuple[Triangle, ...]]] = {}
    for reach in range(1, size):
        for i in range(size - reach):
            j = i + reach
            own = (0, 0, 0) if reach in (1, size - 1) else _diagonal(loop[i], loop[j], follows, wanted)
            choices = [
                (
                    _add(own, best[i, k][0], best[k, j][0]),
                    best[i, k][1] + best[k, j][1] + ((loop[i], loop[k], loop[j]),),
                )
                for k in range(i + 1, j)
            ]
            best[i, j] = min(choices, key=lambda choice: choice[0]) if choices else (own, ())
    (in_face, _, _), triangles = best[0, size - 1]
    if in_face >= _NEVER:
        raise AssertionError(f"loop {loop} has no triangulation that keeps clear of its neighbours")
    return in_face, triangles


_NEVER = 100


def _diagonal(a: int, b: int, follows: dict[int, int], wanted: tuple[tuple[int, int], ...]) -> tuple[int, int, int]:
    """What a diagonal costs."""
    in_face = 0
    for edges in _FACE_EDGES:
        if a in edges and b in edges:
            in_face = 1 if follows[a] in edges and follows[b] in edges else _NEVER
    middles = [[sum(k >> axis & 1 for k in _EDGES[e]) for axis in range(3)] for e in (a, b)]
    length = sum((p - q) ** 2 for p, q in zip(*middles, strict=True))
    return in_face, -int((min(a, b), max(a, b)) in wanted), length


def _add(*costs: tuple[int, int, int]) -> tuple[int, int, int]:
    a, b, c = (sum(parts) for parts in zip(*costs, strict=True))
    return a, b, c
