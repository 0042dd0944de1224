"""The mesh record, its normals, and the split along seams."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from headviz.geometry.mesh import Mesh, face_normals, split_seams, vertex_normals

TRIANGLE = torch.tensor([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, 3.0, 0.0]])
ONE = torch.tensor([[0, 1, 2]])


def octahedron(rounds: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    """A sphere of radius 1 as a subdivided octahedron, faces outwards."""
    vertices = torch.tensor([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]]).double()
    faces = torch.tensor([[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]])
    for _ in range(rounds):
        edges = faces[:, [[1, 2], [2, 0], [0, 1]]].reshape(-1, 2).sort(1).values
        unique, index = edges.unique(dim=0, return_inverse=True)
        middle = len(vertices) + index.reshape(-1, 3)
        vertices = torch.cat([vertices, torch.nn.functional.normalize(vertices[unique].mean(1), dim=1)])
        (a, b, c), (x, y, z) = faces.T, middle.T
        corners = [torch.stack(t, 1) for t in ((a, z, y), (z, b, x), (y, x, c), (x, y, z))]
        faces = torch.cat(corners)
    return vertices, faces


def seamed(count: int = 3) -> Mesh:
    """A fan of triangles around vertex 0, each with texture coordinates of its own."""
    generator = torch.Generator().manual_seed(count)
    vertices = torch.rand(count + 2, 3, generator=generator)
    faces = torch.tensor([[0, k + 1, k + 2] for k in range(count)])
    return Mesh(
        vertices=vertices,
        faces=faces,
        uv=torch.rand(3 * count, 2, generator=generator),
        uv_faces=torch.arange(3 * count).reshape(-1, 3),
        colors=torch.rand(count + 2, 3, generator=generator),
        morphs={"smile": torch.rand(count + 2, 3, generator=generator)},
    )


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"faces": torch.tensor([[0, 1, 3]])}, "index 3 vertices; indices run from 0 to 3"),
        ({"faces": torch.tensor([[0, 1, -1]])}, "indices run from -1 to 1"),
        ({"uv": torch.zeros(4, 2)}, r"shape \(3, 2\); shape is \(4, 2\)"),
        (
            {"morphs": {"smile": torch.zeros(3, 3), "blink": torch.zeros(4, 3)}},
            r"'blink' should have shape \(3, 3\); shape is \(4, 3\)",
        ),
    ],
)
def test_a_mesh_that_does_not_fit_together_is_refused(parts, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Mesh(**{"vertices": TRIANGLE, "faces": ONE, **parts})


def test_a_mesh_without_faces_is_a_mesh() -> None:
    empty = Mesh(TRIANGLE, torch.zeros(0, 3, dtype=torch.int64))
    assert vertex_normals(empty.vertices, empty.faces).tolist() == [[0.0] * 3] * 3


def test_a_face_normal_points_to_the_viewer_who_sees_it_counter_clockwise() -> None:
    assert face_normals(TRIANGLE, ONE).tolist() == [[0.0, 0.0, 6.0]]  # twice the area, which is 3


def test_normals_of_a_sphere_are_its_points() -> None:
    vertices, faces = octahedron()
    normals = vertex_normals(vertices, faces)
    assert float((normals - vertices).norm(dim=1).mean()) < 0.03
    torch.testing.assert_close(normals.norm(dim=1), torch.ones(len(normals)).double())
    volume = float((vertices[faces[:, 0]] * face_normals(vertices, faces)).sum()) / 6
    assert 0.97 * 4 / 3 * math.pi < volume < 4 / 3 * math.pi  # an inscribed body is always smaller


def test_normals_turn_with_the_mesh() -> None:
    vertices, faces = octahedron(1)
    vertices = vertices * torch.tensor([1.0, 2.0, 0.5]).double()
    turn = torch.linalg.matrix_exp(torch.tensor([[0.0, -0.3, 0.5], [0.3, 0.0, -1.1], [-0.5, 1.1, 0.0]]).double())
    turned = vertex_normals(vertices @ turn.T, faces)
    torch.testing.assert_close(turned, vertex_normals(vertices, faces) @ turn.T)


def test_a_batch_is_its_members() -> None:
    vertices, faces = octahedron(1)
    batch = torch.stack([vertices, 2 * vertices + 1, vertices * torch.tensor([1.0, 2.0, 3.0]).double()])
    expected = torch.stack([vertex_normals(one, faces) for one in batch])
    torch.testing.assert_close(vertex_normals(batch, faces), expected)


def test_normals_have_gradients() -> None:
    vertices, faces = octahedron(0)
    assert torch.autograd.gradcheck(lambda v: vertex_normals(v, faces), (vertices * 1.5).requires_grad_())


def test_degenerate_faces_and_lone_vertices_get_zero_and_no_nan_in_gradients() -> None:
    vertices = torch.cat([TRIANGLE, TRIANGLE[:1], torch.ones(1, 3)]).requires_grad_()
    normals = vertex_normals(vertices, torch.tensor([[0, 1, 1], [3, 3, 3]]))
    assert float(normals.detach().abs().max()) == 0
    normals.sum().backward()
    assert vertices.grad is not None
    assert vertices.grad.isfinite().all()


def test_a_tiny_triangle_still_has_a_normal() -> None:
    torch.testing.assert_close(vertex_normals(TRIANGLE * 1e-6, ONE)[0], torch.tensor([0.0, 0.0, 1.0]))


@given(st.integers(1, 12))
def test_splitting_keeps_every_corner(count: int) -> None:
    mesh = seamed(count)
    split, source = split_seams(mesh)
    assert mesh.uv is not None
    assert mesh.uv_faces is not None
    assert split.uv is not None
    assert split.uv_faces is None
    assert torch.equal(split.vertices[split.faces], mesh.vertices[mesh.faces])
    assert torch.equal(split.uv[split.faces], mesh.uv[mesh.uv_faces])
    assert torch.equal(source[split.faces], mesh.faces)
    assert split.colors is not None
    assert mesh.colors is not None
    assert torch.equal(split.colors, mesh.colors[source])
    assert torch.equal(split.morphs["smile"], mesh.morphs["smile"][source])
    assert split.normals is not None
    torch.testing.assert_close(split.normals, vertex_normals(mesh.vertices, mesh.faces)[source])
    assert len(split.vertices) == 3 * count


def test_splitting_makes_no_more_vertices_than_needed() -> None:
    mesh = seamed(4)
    shared = Mesh(mesh.vertices, mesh.faces, uv=torch.rand(6, 2), uv_faces=mesh.faces)
    assert len(split_seams(shared)[0].vertices) == 6


def test_a_mesh_without_seams_is_returned_as_it_is() -> None:
    mesh = Mesh(TRIANGLE, ONE, uv=torch.zeros(3, 2))
    split, source = split_seams(mesh)
    assert split is mesh
    assert source.tolist() == [0, 1, 2]


def test_given_normals_are_kept_by_a_split() -> None:
    given_normals = torch.nn.functional.normalize(torch.rand(5, 3), dim=1)
    mesh = seamed(3)
    mesh = Mesh(mesh.vertices, mesh.faces, uv=mesh.uv, uv_faces=mesh.uv_faces, normals=given_normals)
    split, source = split_seams(mesh)
    assert split.normals is not None
    assert torch.equal(split.normals, given_normals[source])
