"""Mesh regularisers: closed forms, a reference by loops, invariances, batches."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict

import pytest
import torch
from torch import Tensor

from headviz.geometry.icosphere import icosphere
from headviz.geometry.mesh import face_normals
from headviz.geometry.regularizers import (
    Topology,
    cotangent_laplacian,
    cotangent_weights,
    dirichlet_energy,
    edge_length,
    flatness,
    laplacian_smoothing,
    normal_consistency_loss,
    uniform_laplacian,
)

from .regularizer_cases import ALL, DOUBLE, LOSSES, book, noisy

TETRAHEDRON = torch.tensor([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], dtype=DOUBLE)
TETRAHEDRON_FACES = torch.tensor([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]])
CUBE = torch.tensor(list(itertools.product([0, 1], repeat=3)), dtype=DOUBLE)
CUBE_FACES = torch.tensor(
    [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4],
     [1, 5, 7], [1, 7, 3]]
)  # fmt: skip


def grid(rows: int = 5, columns: int = 6) -> tuple[Tensor, Topology]:
    """A flat sheet of uneven triangles in the plane z = 0, and in double precision."""
    index = torch.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = (part.flatten() for part in (index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]))
    faces = torch.cat([torch.stack([a, b, c], 1), torch.stack([a, c, d], 1)])
    generator = torch.Generator().manual_seed(1)
    spots = torch.stack(torch.meshgrid(torch.arange(columns), torch.arange(rows), indexing="xy"), -1).reshape(-1, 2)
    flat = spots + 0.4 * (torch.rand(len(spots), 2, generator=generator, dtype=DOUBLE) - 0.5)
    return torch.nn.functional.pad(flat, (0, 1)), Topology.of(faces, len(flat))


def fan(height: float = 0.0) -> tuple[Tensor, Topology]:
    """A regular hexagon of radius 1 about vertex 0, which is lifted."""
    turn = torch.arange(6, dtype=DOUBLE) * math.pi / 3
    rim = torch.stack([turn.cos(), turn.sin(), 0 * turn], 1)
    faces = torch.tensor([[0, 1 + k, 1 + (k + 1) % 6] for k in range(6)])
    return torch.cat([torch.tensor([[0, 0, height]], dtype=DOUBLE), rim]), Topology.of(faces, 7)


def rotation() -> Tensor:
    return torch.linalg.matrix_exp(torch.tensor([[0.0, -0.3, 0.5], [0.3, 0.0, -1.1], [-0.5, 1.1, 0.0]], dtype=DOUBLE))


# Topology


def test_topology_by_hand() -> None:
    """Two triangles with an edge in common, the second of which runs round the wrong way, and a lone vertex."""
    topology = Topology.of(torch.tensor([[0, 1, 2], [1, 2, 3]]), 5)
    assert topology.edges.tolist() == [[0, 1], [0, 2], [1, 2], [1, 3], [2, 3]]
    assert topology.face_edges.tolist() == [[2, 1, 0], [4, 3, 2]]
    assert topology.degrees.tolist() == [2, 3, 3, 2, 0]
    assert topology.pairs.tolist() == [[0, 1]]
    assert topology.turns.tolist() == [-1]
    assert Topology.of(torch.tensor([[0, 1, 2], [2, 1, 3]]), 5).turns.tolist() == [1]


@pytest.mark.parametrize("copies", [1, 2, 4])
def test_topology_is_that_of_loops(copies: int) -> None:
    """Also where edges have up to twelve faces, as many of which as not run round the wrong way."""
    faces = torch.cat([icosphere(1).faces] + [CUBE_FACES.flip(1), CUBE_FACES][: copies - 1] * (copies // 2))
    topology = Topology.of(faces.int(), 42)
    assert topology.faces.dtype == torch.int64  # of which PyTorch's gather wants its indices
    owners = defaultdict(list)
    for face, (a, b, c) in enumerate(faces.tolist()):
        for side in ((a, b), (b, c), (c, a)):
            owners[tuple(sorted(side))].append((face, side))
    assert topology.edges.tolist() == sorted(map(list, owners))
    pairs = [
        (f, g, -1 if s == t else 1) for own in owners.values() for (f, s), (g, t) in itertools.combinations(own, 2)
    ]
    found = zip(*topology.pairs.T.tolist(), topology.turns.tolist(), strict=True)
    assert sorted(found) == sorted(pairs)
    for face, edges in zip(faces.tolist(), topology.face_edges.tolist(), strict=True):
        for corner, edge in zip(face, edges, strict=True):
            assert {corner, *topology.edges[edge].tolist()} == set(face)


def test_topology_moves_to_a_device() -> None:
    topology = noisy(1)[1].to("meta")
    assert {value.device.type for value in vars(topology).values() if isinstance(value, Tensor)} == {"meta"}
    assert topology.count == 42


# Closed forms


def test_laplacians_of_a_regular_tetrahedron() -> None:
    """The mean of the other three vertices is −v/3."""
    topology = Topology.of(TETRAHEDRON_FACES, 4)
    for laplacian in (uniform_laplacian, cotangent_laplacian):
        torch.testing.assert_close(laplacian(TETRAHEDRON, topology), -4 / 3 * TETRAHEDRON)
    for weights in ("uniform", "cotangent"):
        assert float(laplacian_smoothing(TETRAHEDRON, topology, weights)) == pytest.approx(4 / 3 * math.sqrt(3))
        squared = laplacian_smoothing(TETRAHEDRON, topology, weights, squared=True)
        assert float(squared) == pytest.approx(16 / 9 * 3)
    torch.testing.assert_close(
        cotangent_weights(TETRAHEDRON, topology), torch.full((6,), 2 / math.sqrt(3), dtype=DOUBLE)
    )
    assert float(edge_length(TETRAHEDRON, topology)) == pytest.approx(8)
    assert float(edge_length(TETRAHEDRON, topology, math.sqrt(8))) == pytest.approx(0, abs=1e-14)


def test_laplacians_of_a_hexagon() -> None:
    vertices, topology = fan(0.25)
    for laplacian in (uniform_laplacian, cotangent_laplacian):
        torch.testing.assert_close(laplacian(vertices, topology)[0], torch.tensor([0, 0, -0.25], dtype=DOUBLE))
    spike = cotangent_laplacian(*fan(1000.0))[0]  # its weights are small, but not nothing
    torch.testing.assert_close(spike, torch.tensor([0, 0, -1000], dtype=DOUBLE))
    rim = (vertices[0] + vertices[2] + vertices[6]) / 3 - vertices[1]
    torch.testing.assert_close(uniform_laplacian(vertices, topology)[1], rim)
    weights = cotangent_weights(*fan())
    edges = topology.edges.tolist()
    assert float(weights[edges.index([0, 1])]) == pytest.approx(2 / math.sqrt(3))  # two faces
    assert float(weights[edges.index([1, 2])]) == pytest.approx(1 / math.sqrt(3))  # one, at the boundary


def test_cotangents_of_a_right_triangle() -> None:
    vertices = torch.tensor([[0, 0, 0], [3, 0, 0], [0, 4, 0]], dtype=DOUBLE)
    topology = Topology.of(torch.tensor([[0, 1, 2]]), 3)
    assert topology.edges.tolist() == [[0, 1], [0, 2], [1, 2]]
    assert cotangent_weights(vertices, topology).tolist() == pytest.approx([4 / 3, 3 / 4, 0])


def test_a_cube() -> None:
    """Twelve edges at right angles, six diagonals that are flat."""
    topology = Topology.of(CUBE_FACES, 8)
    assert len(topology.pairs) == 18
    assert float(normal_consistency_loss(CUBE, topology)) == pytest.approx(12 / 18)
    assert float(flatness(CUBE, topology)) == pytest.approx(12 / 18)
    assert float(edge_length(CUBE, topology)) == pytest.approx((12 * 1 + 6 * 2) / 18)


@pytest.mark.parametrize(
    ("vertices", "topology", "cosine"),
    [
        (TETRAHEDRON, Topology.of(TETRAHEDRON_FACES, 4), -1 / 3),
        (icosphere(0, dtype=DOUBLE).vertices, Topology.of(icosphere(0).faces, 12), math.sqrt(5) / 3),
        *((*book(0.0, 180.0 - angle), math.cos(math.radians(angle))) for angle in (0, 1e-3, 20, 90, 135, 180)),
    ],
)
def test_angles_between_faces(vertices: Tensor, topology: Topology, cosine: float) -> None:
    assert float(normal_consistency_loss(vertices, topology)) == pytest.approx(1 - cosine, abs=1e-14)
    assert float(flatness(vertices, topology)) == pytest.approx((1 - cosine) ** 2, abs=1e-14)


def test_an_edge_of_three_faces_has_three_pairs() -> None:
    vertices, topology = book(0.0, 90.0, 180.0)
    assert len(topology.pairs) == 3
    assert float(normal_consistency_loss(vertices, topology)) == pytest.approx((1 + 1 + 0) / 3)


def test_nothing_to_flatten_in_one_triangle() -> None:
    vertices, topology = book(0.0)
    vertices.requires_grad_()
    loss = normal_consistency_loss(vertices, topology) + flatness(vertices, topology)
    assert loss.tolist() == 0
    (slope,) = torch.autograd.grad(loss, vertices)
    assert float(slope.abs().max()) == 0


def test_a_flat_sheet() -> None:
    """Uneven triangles do not show in the cotangent Laplacian, and in no loss that looks at angles."""
    vertices, topology = grid()
    turned = vertices @ rotation().T + 3
    interior = torch.zeros(5, 6, dtype=torch.bool)
    interior[1:-1, 1:-1] = True
    found = cotangent_laplacian(turned, topology)[interior.flatten()]
    assert float(found.abs().max()) < 1e-14
    assert float(uniform_laplacian(turned, topology)[interior.flatten()].norm(dim=1).min()) > 0.01
    assert float(normal_consistency_loss(turned, topology)) < 1e-28
    assert float(flatness(turned, topology)) < 1e-28


@pytest.mark.parametrize("radius", [0.1, 2.0])
def test_the_cotangent_laplacian_of_a_sphere_is_its_mean_curvature(radius: float) -> None:
    """Σ w (vⱼ − vᵢ) / 2A = −2H n with H = 1/r, where A = Σ w |vⱼ − vᵢ|² / 8 is the area nearest to the vertex."""
    mesh = icosphere(4, radius=radius, dtype=DOUBLE)
    topology = Topology.of(mesh.faces, len(mesh.vertices))
    vectors, normals = cotangent_laplacian(mesh.vertices, topology), mesh.vertices / radius
    along = (vectors * normals).sum(1)
    assert float((along / vectors.norm(dim=1)).max()) < -0.9999
    weights, zero = cotangent_weights(mesh.vertices, topology), torch.zeros(len(normals), dtype=DOUBLE)
    squares = (mesh.vertices[topology.edges[:, 0]] - mesh.vertices[topology.edges[:, 1]]).square().sum(1)
    total, area = (
        zero.index_add(0, topology.edges.flatten(), each.repeat_interleave(2))
        for each in (weights, weights * squares / 8)
    )
    assert float(area.sum()) == pytest.approx(4 * math.pi * radius**2, rel=2e-3)
    curvature = -along * total / (2 * area) / 2
    torch.testing.assert_close(curvature * radius, torch.ones_like(curvature), rtol=1e-3, atol=0)
    assert float(laplacian_smoothing(mesh.vertices, topology, weights)) == pytest.approx(float(-along.mean()), rel=1e-4)


def test_the_energy_of_positions_is_twice_the_area() -> None:
    for vertices, topology in (noisy(2), grid(), fan(0.3)):
        area = face_normals(vertices, topology.faces).norm(dim=1).sum() / 2
        torch.testing.assert_close(
            dirichlet_energy(vertices, topology, cotangent_weights(vertices, topology)), 2 * area
        )


def test_the_energy_of_an_affine_map() -> None:
    """∫|∇v|² of v = M x over a flat sheet is |M|² of its first two columns, times the area."""
    vertices, topology = grid()
    matrix = torch.randn(3, 3, generator=torch.Generator().manual_seed(3), dtype=DOUBLE)
    area = face_normals(vertices, topology.faces).norm(dim=1).sum() / 2
    found = dirichlet_energy(vertices @ matrix.T + 1, topology, cotangent_weights(vertices, topology))
    torch.testing.assert_close(found, matrix[:, :2].square().sum() * area)


# A reference that can be read


def angle_at(corner: Tensor, a: Tensor, b: Tensor) -> float:
    return math.acos(float((a - corner) @ (b - corner) / (a - corner).norm() / (b - corner).norm()))


@pytest.mark.parametrize("shape", [lambda: noisy(1), lambda: grid(3, 4), lambda: book(0.0, 50.0, 170.0)])
def test_loops_agree(shape) -> None:
    vertices, topology = shape()
    wanted: dict[tuple[int, int], float] = defaultdict(float)
    for face in topology.faces.tolist():
        for k in range(3):
            corner, i, j = face[k], face[k - 2], face[k - 1]
            wanted[min(i, j), max(i, j)] += 1 / math.tan(angle_at(vertices[corner], vertices[i], vertices[j]))
    edges = [(i, j) for i, j in topology.edges.tolist()]
    weights = cotangent_weights(vertices, topology)
    assert weights.tolist() == pytest.approx([wanted[edge] for edge in edges])
    for laplacian, weight in ((uniform_laplacian, dict.fromkeys(wanted, 1.0)), (cotangent_laplacian, wanted)):
        found = laplacian(vertices, topology)
        for i in range(topology.count):
            ring = {j: w for (a, b), w in weight.items() for i_, j in ((a, b), (b, a)) if i_ == i}
            vector = sum(w * (vertices[j] - vertices[i]) for j, w in ring.items()) / sum(ring.values())
            torch.testing.assert_close(found[i], vector)
    lengths = torch.stack([(vertices[i] - vertices[j]).norm() for i, j in edges])
    torch.testing.assert_close(edge_length(vertices, topology, 0.4), (lengths - 0.4).square().mean())


# Invariances and batches


@pytest.mark.parametrize("name", LOSSES)
def test_place_turn_and_size(name: str) -> None:
    loss, power = LOSSES[name]
    vertices, topology = noisy(1)
    value = loss(vertices, topology)
    assert float(value) > 1e-3
    torch.testing.assert_close(loss(vertices + torch.tensor([3.0, -2.0, 5.0]), topology), value)
    torch.testing.assert_close(loss(vertices @ rotation().T, topology), value)
    for scale in (1e-4, 100.0):
        torch.testing.assert_close(loss(scale * vertices, topology), scale**power * value)


@pytest.mark.parametrize("name", LOSSES)
def test_the_order_of_faces_and_of_their_vertices_does_not_matter(name: str) -> None:
    loss, _ = LOSSES[name]
    vertices, topology = noisy(1)
    generator = torch.Generator().manual_seed(0)
    faces = topology.faces[torch.randperm(80, generator=generator)]
    faces = torch.where(torch.rand(80, 1, generator=generator) < 0.5, faces.flip(1), faces.roll(1, 1))
    torch.testing.assert_close(loss(vertices, Topology.of(faces, 42)), loss(vertices, topology))


@pytest.mark.parametrize("batch", [(3,), (2, 3), (1,), (0,)])
@pytest.mark.parametrize("name", ALL)
def test_a_batch_is_its_members(name: str, batch: tuple[int, ...]) -> None:
    vertices, topology = noisy(1, *batch)
    found = ALL[name](vertices, topology)
    one = ALL[name](noisy(1)[0], topology)
    assert found.shape == (*batch, *one.shape)
    flat = vertices.reshape(-1, 42, 3)
    alone = [ALL[name](each, topology) for each in flat]
    torch.testing.assert_close(
        found.flatten(0, len(batch) - 1), torch.stack(alone) if alone else one.new_empty(0, *one.shape)
    )


def test_weights_of_one_base_for_a_batch_of_offsets() -> None:
    base, topology = noisy(1)
    offsets = noisy(1, 2, 3, seed=1)[0] - base
    weights = cotangent_weights(base, topology)
    for function in (cotangent_laplacian, dirichlet_energy, laplacian_smoothing):
        found = function(offsets, topology, weights)
        spread = function(offsets, topology, weights.expand(2, 3, -1))
        torch.testing.assert_close(found, spread)
        torch.testing.assert_close(found[1, 2], function(offsets[1, 2], topology, weights))
    several = cotangent_weights(noisy(1, 4, seed=2)[0], topology)
    assert dirichlet_energy(offsets[0, 0], topology, several).shape == (4,)
