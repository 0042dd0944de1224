"""Laplacian, edge and normal losses beside PyTorch3D's: values and gradients; and where the two differ on purpose."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from pytorch3d.loss import mesh_edge_loss, mesh_laplacian_smoothing, mesh_normal_consistency
from pytorch3d.ops import cot_laplacian
from pytorch3d.structures import Meshes
from pytorch3d.utils import ico_sphere
from torch import Tensor

from headviz.geometry.icosphere import icosphere
from headviz.geometry.regularizers import (
    Topology,
    cotangent_weights,
    edge_length,
    laplacian_smoothing,
    normal_consistency_loss,
    uniform_laplacian,
)
from headviz.heads.model import load_head

# PyTorch tells whoever makes a sparse matrix, as PyTorch3D does, that it is not checked.
pytestmark = pytest.mark.filterwarnings("ignore:Sparse invariant checks:UserWarning")

#: PyTorch3D's cotangents take no area for less than 10⁻⁶ square units: in metres a head has such faces, so decimetres.
HEAD_SCALE = 10.0

LOSSES: dict[str, tuple[Callable[[Tensor, Topology], Tensor], Callable[[Meshes], Tensor]]] = {
    "uniform": (laplacian_smoothing, lambda m: mesh_laplacian_smoothing(m, "uniform")),
    "cotangent": (
        lambda v, t: laplacian_smoothing(v, t, "cotangent"),
        lambda m: mesh_laplacian_smoothing(m, "cot"),
    ),
    "edges": (edge_length, mesh_edge_loss),
    "edges with a target": (lambda v, t: edge_length(v, t, 0.05), lambda m: mesh_edge_loss(m, 0.05)),
    "normals": (normal_consistency_loss, mesh_normal_consistency),
}


def noisy_sphere() -> tuple[Tensor, Tensor]:
    mesh = icosphere(3)
    noise = torch.randn(mesh.vertices.shape, generator=torch.Generator().manual_seed(0))
    return mesh.vertices + 0.02 * noise, mesh.faces


def head() -> tuple[Tensor, Tensor]:
    """With holes at the eyes and the neck, and vertices of the size of a head's in decimetres."""
    model = load_head()
    return HEAD_SCALE * model.mean, model.faces


def book() -> tuple[Tensor, Tensor]:
    """Five pages at one edge, two of which run round the wrong way."""
    turn = torch.tensor([0.0, 0.7, 1.9, 3.5, 4.0])
    corners = torch.stack([turn.cos(), turn.sin(), torch.linspace(0.2, 0.6, 5)], 1)
    faces = torch.tensor([[0, 1, 2], [1, 0, 3], [0, 1, 4], [5, 1, 0], [0, 1, 6]])
    return torch.cat([torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), corners]), faces


SHAPES = {"sphere": noisy_sphere, "head": head, "book": book}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", LOSSES)
def test_values_and_gradients_are_theirs(name: str, shape: str) -> None:
    """Gradients to 3·10⁻⁴ of their size: they only have single precision, and ours is nearer to the double one."""
    loss, their_loss = LOSSES[name]
    vertices, faces = SHAPES[shape]()
    topology = Topology.of(faces, len(vertices))
    ours, theirs, double = (v.requires_grad_() for v in (vertices.clone(), vertices.clone(), vertices.double()))
    found, wanted = loss(ours, topology), their_loss(Meshes([theirs], [faces]))
    assert wanted.item() > 1e-3
    torch.testing.assert_close(found, wanted.reshape(()), rtol=1e-6, atol=0)
    (slope,), (their_slope,) = torch.autograd.grad(found, ours), torch.autograd.grad(wanted, theirs)
    assert float((slope - their_slope).norm() / their_slope.norm()) < 3e-4
    (exact,) = torch.autograd.grad(loss(double, topology), double)
    assert float((slope - exact).norm() / exact.norm()) < 1e-5


@pytest.mark.parametrize("name", LOSSES)
def test_the_mean_over_a_batch_is_theirs(name: str) -> None:
    loss, their_loss = LOSSES[name]
    vertices, faces = noisy_sphere()
    batch = torch.stack([vertices, 1.5 * vertices, vertices * torch.tensor([1.0, 2.0, 0.7])])
    found = loss(batch, Topology.of(faces, len(vertices)))
    torch.testing.assert_close(found.mean(), their_loss(Meshes(list(batch), [faces] * 3)), rtol=1e-6, atol=0)


@pytest.mark.parametrize("shape", SHAPES)
def test_edges_and_cotangents_are_theirs(shape: str) -> None:
    vertices, faces = SHAPES[shape]()
    topology = Topology.of(faces, len(vertices))
    assert torch.equal(topology.edges, Meshes([vertices], [faces]).edges_packed())
    theirs = cot_laplacian(vertices, faces)[0].to_dense()[topology.edges[:, 0], topology.edges[:, 1]]
    weights = cotangent_weights(vertices, topology)
    assert float((weights - theirs).abs().max() / theirs.abs().max()) < 1e-4


def test_the_sphere_has_the_shape_of_theirs() -> None:
    """Another place of the icosahedron, the same counts, area and edges."""
    ours, theirs = icosphere(3), ico_sphere(3)
    assert (len(ours.vertices), len(ours.faces)) == (theirs.verts_packed().shape[0], theirs.faces_packed().shape[0])
    areas = Meshes([ours.vertices], [ours.faces]).faces_areas_packed()
    torch.testing.assert_close(areas.sort().values, theirs.faces_areas_packed().sort().values, rtol=1e-4, atol=0)


def test_small_faces_keep_their_cotangents_here_and_lose_them_there() -> None:
    """Cotangents do not know of size. In metres PyTorch3D changes those of the head's small faces, ours stay."""
    model = load_head()
    topology = Topology.of(model.faces, len(model.mean))
    ours = [cotangent_weights(scale * model.mean, topology) for scale in (1.0, HEAD_SCALE)]
    torch.testing.assert_close(*ours, rtol=1e-3, atol=1e-3)
    theirs = [
        cot_laplacian(scale * model.mean, model.faces)[0].to_dense()[topology.edges[:, 0], topology.edges[:, 1]]
        for scale in (1.0, HEAD_SCALE)
    ]
    changed = (theirs[0] - theirs[1]).abs() > 0.1 * theirs[1].abs() + 0.1
    assert float(changed.float().mean()) > 0.03


def test_a_vertex_without_edges_is_left_alone_here_and_drawn_to_the_origin_there() -> None:
    vertices, faces = noisy_sphere()
    vertices = torch.cat([vertices, torch.tensor([[3.0, 0.0, 4.0]])])
    topology = Topology.of(faces, len(vertices))
    wanted = mesh_laplacian_smoothing(Meshes([vertices], [faces])) - 5 / len(vertices)
    torch.testing.assert_close(laplacian_smoothing(vertices, topology), wanted, rtol=1e-5, atol=0)
    assert uniform_laplacian(vertices, topology)[-1].tolist() == [0, 0, 0]
