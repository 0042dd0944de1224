"""Components and boundary loops of small meshes, beside trimesh."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from headviz.heads.topology import boundary_loops, components


def grid(rows: int, columns: int) -> np.ndarray:
    """Faces of an open sheet of rows × columns vertices."""
    r, c = (a.ravel() for a in np.meshgrid(np.arange(rows - 1), np.arange(columns - 1), indexing="ij"))
    a = r * columns + c
    return np.concatenate([np.stack([a, a + columns, a + 1], 1), np.stack([a + 1, a + columns, a + columns + 1], 1)])


def half_edges(faces: np.ndarray) -> set[tuple[int, int]]:
    return {(int(a), int(b)) for a, b in faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)}


def test_a_closed_surface_has_no_loop() -> None:
    assert boundary_loops(np.asarray(trimesh.creation.icosphere(subdivisions=2).faces)) == []


@pytest.mark.parametrize(("rows", "columns"), [(2, 2), (3, 5), (7, 4)])
def test_a_sheet_has_its_rim(rows: int, columns: int) -> None:
    (loop,) = boundary_loops(grid(rows, columns))
    r, c = np.divmod(np.arange(rows * columns), columns)
    rim = np.flatnonzero((r == 0) | (r == rows - 1) | (c == 0) | (c == columns - 1))
    assert sorted(loop.tolist()) == rim.tolist()
    pairs = set(zip(loop.tolist(), np.roll(loop, -1).tolist(), strict=True))
    assert pairs <= half_edges(grid(rows, columns))  # in the faces' own direction


def test_a_tube_has_two_loops() -> None:
    sheet = grid(5, 9)
    tube = np.where(sheet % 9 == 8, sheet - 8, sheet)  # the last column is the first
    loops = boundary_loops(tube)
    assert sorted(len(loop) for loop in loops) == [8, 8]
    assert {int(v) // 9 for v in np.concatenate(loops)} == {0, 4}


def test_components_are_trimeshs() -> None:
    parts = [trimesh.creation.icosphere(subdivisions=1), trimesh.creation.box(), trimesh.creation.cone(1, 2)]
    joined = trimesh.util.concatenate(parts)
    label = components(np.asarray(joined.faces), len(joined.vertices))
    expected = np.concatenate([np.full(len(part.vertices), k) for k, part in enumerate(parts)])
    assert len(np.unique(label)) == 3
    assert len(set(zip(label.tolist(), expected.tolist(), strict=True))) == 3


def test_a_vertex_without_a_face_is_a_component_of_its_own() -> None:
    assert len(np.unique(components(np.array([[0, 1, 2]]), 5))) == 3
