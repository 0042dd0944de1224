"""The cube's cases and their triangles, against SciPy's rotation group and what makes neighbours fit."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from headviz.geometry.cube_tables import CORNERS, EDGE_AXIS, EDGES, FACES, cube_table

TABLE = cube_table()
MIDDLES = (CORNERS[EDGES[:, 0]] + CORNERS[EDGES[:, 1]]).double().numpy() / 2
Edges = tuple[int, ...]


def moved(matrix: np.ndarray, points: np.ndarray) -> list[int]:
    """Which of the points each is carried to by a symmetry of the cube."""
    images = (points - 0.5) @ matrix.T + 0.5
    return np.linalg.norm(images[:, None] - points, axis=2).argmin(1).tolist()


ROTATIONS = [turn.as_matrix() for turn in Rotation.create_group("O")]
MIRROR = np.diag([-1.0, 1.0, 1.0])
FACE_MIDDLES = CORNERS[FACES].double().mean(1).numpy()


def permutations(matrices: list[np.ndarray]) -> list[tuple[list[int], list[int], list[int]]]:
    return [(moved(m, CORNERS.double().numpy()), moved(m, MIDDLES), moved(m, FACE_MIDDLES)) for m in matrices]


def mask(where: list[int], bits: int) -> int:
    return sum(1 << where[k] for k in range(len(where)) if bits >> k & 1)


def turned(edges: Edges) -> Edges:
    """A loop or triangle from its lowest edge on."""
    start = edges.index(min(edges))
    return edges[start:] + edges[:start]


def triangles(state: int) -> list[Edges]:
    return [tuple(t) for t in TABLE.triangles[state, : int(TABLE.count[state])].tolist()]


def directed(edges: Edges) -> list[Edges]:
    return list(pairwise((*edges, edges[0])))


def in_one_face(*edges: int) -> bool:
    return any({int(k) for e in edges for k in EDGES[e]} <= set(face) for face in FACES.tolist())


STATES = range(len(TABLE.count))


def test_the_cube() -> None:
    assert (CORNERS @ torch.tensor([1, 2, 4])).tolist() == list(range(8))
    assert torch.equal(CORNERS[EDGES[:, 1]] - CORNERS[EDGES[:, 0]], torch.eye(3, dtype=torch.int64)[EDGE_AXIS])
    a, b, c, d = CORNERS[FACES].double().unbind(1)
    outwards = (a + b + c + d) / 2 - 1
    torch.testing.assert_close(torch.linalg.cross(b - a, c - b), outwards)


def test_there_are_15_classes() -> None:
    """Joined by brute force under SciPy's octahedral group and the complement; sizes as in the literature."""
    group = permutations(ROTATIONS)
    for case in range(256):
        orbit = {mask(corners, case) for corners, _, _ in group}
        orbit |= {255 - other for other in orbit}
        assert set(TABLE.classes[list(orbit)].tolist()) == {int(TABLE.classes[case])}
        assert min(orbit) == int(TABLE.representatives[TABLE.classes[case]])
    assert len(TABLE.representatives) == 15
    assert torch.bincount(TABLE.classes).tolist() == [2, 16, 24, 24, 48, 6, 16, 8, 8, 48, 12, 12, 24, 6, 2]


def test_every_case_and_decision_has_a_state() -> None:
    inside = torch.arange(256)[:, None] >> torch.arange(8) & 1
    a, b, c, d = inside[:, FACES].unbind(-1)
    ambiguous = (((a == c) & (b == d) & (a != b)) << torch.arange(6)).sum(1)
    assert torch.equal(ambiguous, TABLE.ambiguous)
    assert TABLE.state.shape == (256, 64)
    decisions = torch.arange(64)[None] & ambiguous[:, None]
    assert torch.equal(TABLE.cases[TABLE.state], torch.arange(256)[:, None].expand(-1, 64))
    assert torch.equal(TABLE.decisions[TABLE.state], decisions)
    assert len(TABLE.count) == int((2.0 ** inside.new_tensor([int(x).bit_count() for x in ambiguous])).sum())


def test_triangles_fill_the_loops() -> None:
    for state in STATES:
        case, loops = int(TABLE.cases[state]), TABLE.loops[state]
        crossed = [e for e, (a, b) in enumerate(EDGES.tolist()) if (case >> a ^ case >> b) & 1]
        assert sorted(e for loop in loops for e in loop) == crossed
        assert all(in_one_face(*step) for loop in loops for step in directed(loop))
        edges = Counter(step for t in triangles(state) for step in directed(t))
        assert max(edges.values(), default=1) == 1
        boundary = {step for step in edges if step[::-1] not in edges}
        assert boundary == {step for loop in loops for step in directed(loop)}
        assert int(TABLE.count[state]) == sum(len(loop) - 2 for loop in loops)
        assert not any(in_one_face(*t) for t in triangles(state))


def test_neighbours_never_have_the_same_diagonal() -> None:
    """Two cells that agree on their common face have there the same segments, opposite, and nothing else in common."""
    sides: dict[tuple, tuple[set, set, set]] = {}
    for state in STATES:
        case, decisions = int(TABLE.cases[state]), int(TABLE.decisions[state])
        segments = {step for loop in TABLE.loops[state] for step in directed(loop)}
        every = {step for t in triangles(state) for step in directed(t)}
        for f, face in enumerate(FACES.tolist()):
            axis, side = divmod(f, 2)
            inside = tuple(case >> k & 1 for k in sorted(face))
            across = moved(np.diag([1.0 - 2 * (i == axis) for i in range(3)]), MIDDLES) if side else list(range(12))
            here = [{(across[a], across[b]) for a, b in steps if in_face(a, b, face)} for steps in (segments, every)]
            ends = sides.setdefault((axis, inside, decisions >> f & 1), (set(), set(), set()))
            ends[side].update(here[1] - here[0])
            ends[2].add(frozenset(here[0] if side else {(b, a) for a, b in here[0]}))
    assert any(low for low, _, _ in sides.values())
    for low, high, segments in sides.values():
        assert not low & high
        assert len(segments) == 1


def in_face(a: int, b: int, face: list[int]) -> bool:
    return {int(k) for e in (a, b) for k in EDGES[e]} <= set(face)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("complement", [False, True])
def test_loops_are_symmetric(mirrored: bool, complement: bool) -> None:
    for corners, edges, faces in permutations([m @ MIRROR for m in ROTATIONS] if mirrored else ROTATIONS):
        for state in STATES:
            case, decisions = int(TABLE.cases[state]), int(TABLE.decisions[state])
            ambiguous = int(TABLE.ambiguous[case]) if complement else 0
            image = 255 * complement ^ mask(corners, case)
            other = int(TABLE.state[image, mask(faces, decisions ^ ambiguous)])
            step = -1 if mirrored ^ complement else 1
            expected = {turned(tuple(edges[e] for e in loop[::step])) for loop in TABLE.loops[state]}
            assert {turned(loop) for loop in TABLE.loops[other]} == expected


def test_triangles_are_symmetric() -> None:
    """One of the motions that carry a state to another carries its triangles too; the complement turns them round.

    Not the complement where diagonals lie in faces: those join starts of segments.
    """
    group = permutations(ROTATIONS)
    chiral = {s for s in STATES if any(in_one_face(*step) for step in inner(s))}
    assert len(chiral) == 116
    found: dict[tuple[int, int], bool] = {}
    for state in STATES:
        case, decisions = int(TABLE.cases[state]), int(TABLE.decisions[state])
        for corners, edges, faces in group:
            image = mask(corners, case), mask(faces, decisions)
            carried = [tuple(edges[e] for e in t) for t in triangles(state)]
            for step in (1,) if state in chiral else (1, -1):
                other = int(TABLE.state[image if step == 1 else (255 - image[0], 63 - image[1])])
                same = {turned(t[::step]) for t in carried} == {turned(t) for t in triangles(other)}
                found[state, other] = found.get((state, other), False) or same
                if step == -1 and corners == list(range(8)):
                    assert same
    assert all(found.values())


def inner(state: int) -> set[Edges]:
    steps = {step for t in triangles(state) for step in directed(t)}
    return {step for step in steps if step[::-1] in steps}


def test_is_made_once_and_can_be_moved() -> None:
    assert cube_table() is TABLE
    copy = TABLE.to(torch.device("meta"))
    assert copy.triangles.device.type == "meta"
    assert copy.loops is TABLE.loops
