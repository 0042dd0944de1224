"""Meshes to PyTorch3D and back, its texture look-up beside ours, and its Chamfer distance beside ours."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from pytorch3d.loss import chamfer_distance
from pytorch3d.ops import knn_points, sample_points_from_meshes
from pytorch3d.renderer import TexturesAtlas
from pytorch3d.renderer.mesh.rasterizer import Fragments
from pytorch3d.structures import Meshes

from headviz.errors import MeshError, ShapeError
from headviz.geometry.mesh import Mesh, vertex_normals
from headviz.geometry.sampling import sample_texture
from headviz.geometry.surface_metrics import (
    chamfer_l1,
    chamfer_l2,
    nearest_points,
    normal_consistency,
    sample_surface,
)
from headviz.interop import from_pytorch3d, to_pytorch3d


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def tent() -> Mesh:
    """A pyramid whose texture coordinates have a seam."""
    vertices = torch.tensor([[1.0, 0, 1], [1, 0, -1], [-1, 0, -1], [-1, 0, 1], [0, 1, 0]])
    sides = torch.tensor([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4], [0, 3, 2], [0, 2, 1]])
    uv = torch.tensor([[0.0, 0], [0.25, 0], [0.5, 0], [0.75, 0], [1, 0], [0.5, 1], [0.5, 0.5]])
    corners = torch.tensor([[0, 1, 5], [1, 2, 5], [2, 3, 5], [3, 4, 5], [0, 3, 2], [0, 2, 1]])
    return Mesh(vertices, sides, uv, corners, random(8, 11, 3), normals=vertex_normals(vertices, sides))


TENT = tent()
BARE = Mesh(TENT.vertices, TENT.faces)


def same(found: torch.Tensor | None, wanted: torch.Tensor) -> None:
    assert found is not None
    assert torch.equal(found, wanted)


def test_a_textured_mesh_with_a_seam_survives_exactly() -> None:
    found = from_pytorch3d(to_pytorch3d(TENT))
    for name in ("vertices", "faces", "uv", "uv_faces", "texture", "normals"):
        same(getattr(found, name), getattr(TENT, name))


def test_colors_survive_exactly() -> None:
    mesh = replace(BARE, colors=random(5, 3))
    found = from_pytorch3d(to_pytorch3d(mesh))
    same(found.colors, mesh.colors)
    assert (found.uv, found.texture, found.normals) == (None, None, None)


def test_coordinates_alone_survive() -> None:
    mesh = replace(BARE, uv=random(5, 2))
    found = from_pytorch3d(to_pytorch3d(mesh))
    same(found.uv, mesh.uv)
    assert (found.uv_faces, found.texture) == (None, None)


def test_plain_meshes_get_nothing_added() -> None:
    found = from_pytorch3d(to_pytorch3d(BARE))
    same(found.vertices, BARE.vertices)
    same(found.faces, BARE.faces)
    assert (found.uv, found.texture, found.colors, found.normals) == (None,) * 4


def test_gradients_pass_through() -> None:
    leaf = TENT.vertices.clone().requires_grad_()
    texture = random(8, 11, 3).requires_grad_()
    made = to_pytorch3d(replace(TENT, vertices=leaf, texture=texture))
    (made.verts_packed().sum() + made.textures.maps_padded().sum()).backward()
    same(leaf.grad, torch.ones(5, 3))
    same(texture.grad, torch.ones(8, 11, 3))


def test_textures_are_looked_up_as_ours_are() -> None:
    weights = torch.nn.functional.normalize(random(50, 3, seed=2), p=1, dim=1)
    face = torch.arange(50) % len(TENT.faces)
    pixels = Fragments(face.reshape(1, 5, 10, 1), torch.ones(1, 5, 10, 1), weights.reshape(1, 5, 10, 1, 3), None)
    theirs = to_pytorch3d(TENT).textures.sample_textures(pixels).reshape(50, 3)
    uv = (TENT.uv[TENT.uv_faces[face]] * weights[:, :, None]).sum(1)
    torch.testing.assert_close(theirs, sample_texture(TENT.texture, uv))


@pytest.mark.parametrize(
    ("other", "error", "message"),
    [
        (lambda: Meshes([BARE.vertices] * 2, [BARE.faces] * 2), ShapeError, "batch of one mesh.*there are 2"),
        (lambda: Meshes([], []), ShapeError, "there are 0"),
        (lambda: BARE, MeshError, "it is a Mesh"),
        (
            lambda: Meshes([BARE.vertices], [BARE.faces], TexturesAtlas([random(6, 2, 2, 3)])),
            MeshError,
            "TexturesAtlas",
        ),
        (lambda: to_pytorch3d(replace(BARE, colors=random(5, 3))).textures, MeshError, "TexturesVertex"),
    ],
)
def test_says_what_came(other, error, message) -> None:
    with pytest.raises(error, match=message):
        from_pytorch3d(other())


def test_chamfer_distances_are_theirs() -> None:
    a, b = random(300, 3), random(400, 3, seed=1)
    squares, _ = chamfer_distance(a[None], b[None])
    torch.testing.assert_close(chamfer_l2(a, b), squares / 2)
    root = knn_points(a[None], b[None]).dists.sqrt().mean() + knn_points(b[None], a[None]).dists.sqrt().mean()
    torch.testing.assert_close(chamfer_l1(a, b), root / 2)


def test_gradients_of_the_chamfer_distance_are_theirs() -> None:
    ours, theirs = random(60, 3).requires_grad_(), random(60, 3).requires_grad_()
    chamfer_l2(ours, random(70, 3, seed=1)).backward()
    (chamfer_distance(theirs[None], random(70, 3, seed=1)[None])[0] / 2).backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_neighbours_are_theirs() -> None:
    a, b = random(300, 3), random(400, 3, seed=1)
    distance, index = nearest_points(a, b)
    found = knn_points(a[None], b[None])
    torch.testing.assert_close(distance, found.dists[0, :, 0].sqrt())
    same(index, found.idx[0, :, 0])


def test_normal_consistency_is_one_minus_their_loss() -> None:
    a, b = random(300, 3), random(400, 3, seed=1)
    n, m = random(300, 3, seed=2) - 0.5, random(400, 3, seed=3) - 0.5
    _, loss = chamfer_distance(a[None], b[None], x_normals=n[None], y_normals=m[None])
    torch.testing.assert_close(normal_consistency(a, n, b, m), 1 - loss / 2)


def test_samples_have_the_moments_of_theirs() -> None:
    torch.manual_seed(0)
    theirs, normals = sample_points_from_meshes(to_pytorch3d(TENT), 100_000, return_normals=True)
    ours = sample_surface(TENT, 100_000)
    torch.testing.assert_close(ours.points.mean(0), theirs[0].mean(0), rtol=0, atol=0.01)
    torch.testing.assert_close(ours.points.T.cov(), theirs[0].T.cov(), rtol=0, atol=0.01)
    torch.testing.assert_close(ours.normals.T.cov(), normals[0].T.cov(), rtol=0, atol=0.01)
