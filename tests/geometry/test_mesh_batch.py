"""Batches of meshes: the same as one mesh after the other, and errors that say what was expected and what came."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import TypeCheckError
from torch import Tensor
from torch.autograd import gradcheck

from headviz.errors import InputError, MeshError, ShapeError
from headviz.geometry.camera import Cameras
from headviz.geometry.mesh import Mesh, vertex_normals
from headviz.geometry.mesh_batch import MeshBatch

FACES = torch.tensor([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]])  # of a tetrahedron
UV = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.5, 0.5]])


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def mesh(seed: int = 0, **changes: object) -> Mesh:
    whole = Mesh(
        noise(4, 3, seed=seed), FACES, uv=UV, uv_faces=FACES + 1, texture=noise(5, 6, 3, seed=seed + 9),
        colors=noise(4, 3, seed=seed + 20), normals=noise(4, 3, seed=seed + 40),
    )  # fmt: skip
    return replace(whole, **changes)  # type: ignore[arg-type]


def by_hand(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Normals of vertices, face by face."""
    total = np.zeros_like(vertices)
    for face in faces:
        a, b, c = vertices[face]
        for corner in face:
            total[corner] += np.cross(b - a, c - a)
    return total / np.linalg.norm(total, axis=1, keepdims=True)


def test_a_batch_keeps_every_mesh() -> None:
    meshes = [mesh(seed) for seed in range(3)]
    batch = MeshBatch.of(meshes)
    assert len(batch) == 3
    for k, each in enumerate(meshes):
        for name in ("vertices", "texture", "colors", "normals"):
            assert torch.equal(getattr(batch, name)[k], getattr(each, name))
    assert torch.equal(batch.faces, FACES)
    assert torch.equal(batch.uv_index, FACES + 1)
    assert len(MeshBatch.of(meshes[0])) == 1
    with pytest.raises(FrozenInstanceError):
        batch.faces = FACES  # type: ignore[misc]


def test_what_all_meshes_share_is_kept_once() -> None:
    shared = mesh()
    batch = MeshBatch.of([replace(shared, vertices=noise(4, 3, seed=k)) for k in range(3)])
    assert batch.texture is not None
    assert batch.colors is not None
    assert batch.normals is not None
    assert [len(values) for values in (batch.texture, batch.colors, batch.normals)] == [1, 1, 1]
    plain = MeshBatch.of([Mesh(noise(4, 3), FACES)] * 2)
    assert plain.texture is plain.colors is plain.normals is plain.uv is None
    assert plain.uv_index is plain.faces


def test_gradients_flow_through_a_batch_to_its_meshes() -> None:
    moving = [noise(4, 3, seed=k).requires_grad_() for k in range(2)]
    texture = noise(5, 6, 3).requires_grad_()
    batch = MeshBatch.of([mesh(vertices=vertices, texture=texture) for vertices in moving])
    assert batch.texture is not None
    (batch.vertices[1].sum() + batch.texture.sum()).backward()
    assert moving[1].grad is not None
    assert bool((moving[1].grad == 1).all())
    assert moving[0].grad is None or bool((moving[0].grad == 0).all())
    assert texture.grad is not None


@given(st.integers(1, 4), st.integers(0, 99))
def test_normals_of_a_batch_are_those_of_each_mesh(count: int, seed: int) -> None:
    vertices = noise(count, 4, 3, seed=seed).double()
    found = MeshBatch(vertices, FACES).vertex_normals
    assert found.shape == (count, 4, 3)
    for k in range(count):
        np.testing.assert_allclose(found[k], by_hand(vertices[k].numpy(), FACES.numpy()), atol=1e-9)
        assert torch.equal(found[k], vertex_normals(vertices[k], FACES))


def test_given_normals_are_kept() -> None:
    batch = MeshBatch.of([mesh(0), mesh(1)])
    assert batch.vertex_normals is batch.normals


def test_normals_have_gradients() -> None:
    vertices = noise(2, 4, 3).double().requires_grad_()
    assert gradcheck(lambda v: MeshBatch(v, FACES).vertex_normals, (vertices,))


def test_a_leaf_with_two_sides_has_no_normals_and_no_gradient_from_them() -> None:
    # Both sides cancel, here without rounding; without care the derivative of 0 / |0| is 1e20.
    vertices = torch.tensor([[[0.0, 0.0, 1.0], [2.0, 1.0, 1.0], [-1.0, 3.0, 0.5], [1.0, 1.0, 1.0]]]).requires_grad_()
    batch = MeshBatch(vertices, torch.tensor([[0, 1, 2], [0, 2, 1]]))
    assert bool((batch.vertex_normals == 0).all())  # that of the vertex without faces, too
    (batch.vertex_normals * noise(1, 4, 3, seed=1)).sum().backward()
    assert vertices.grad is not None
    assert bool((vertices.grad == 0).all())


def test_a_mesh_seen_from_many_cameras_and_cameras_in_turns_are_all_pairs() -> None:
    meshes = MeshBatch.of([mesh(seed) for seed in range(3)])
    cameras = Cameras.orbit(torch.tensor([0.1, 0.9]), size=32)
    seen, turns = meshes.seen_from(2), cameras.repeated(3)
    assert len(seen) == len(turns) == 6
    found = turns.project(seen.vertices).unflatten(0, (3, 2))
    for k in range(3):
        for c in range(2):
            torch.testing.assert_close(found[k, c], cameras[c].project(meshes.vertices[k]), atol=1e-4, rtol=1e-4)
    for name in ("texture", "colors", "normals"):
        pairs = getattr(seen, name).unflatten(0, (3, 2))
        assert torch.equal(pairs[:, 0], getattr(meshes, name))
        assert torch.equal(pairs[:, 1], getattr(meshes, name))


def test_what_is_shared_stays_single_when_seen_from_many() -> None:
    shared = mesh()
    seen = MeshBatch.of([replace(shared, vertices=noise(4, 3, seed=k)) for k in range(2)]).seen_from(3)
    assert len(seen) == 6
    assert seen.texture is not None
    assert seen.colors is not None
    assert len(seen.texture) == len(seen.colors) == 1


@pytest.mark.parametrize(
    ("changed", "kind", "message"),
    [
        ({"vertices": noise(4, 3)}, ShapeError, r"vertices should have shape \(b, n, 3\), b ≥ 1; shape is \(4, 3\)"),
        ({"vertices": noise(2, 4, 2)}, ShapeError, r"vertices should have shape \(b, n, 3\).*is \(2, 4, 2\)"),
        ({"vertices": noise(0, 4, 3)}, ShapeError, r"b ≥ 1; shape is \(0, 4, 3\)"),
        ({"faces": FACES[:, :2]}, ShapeError, r"faces should have shape \(m, 3\); shape is \(4, 2\)"),
        ({"faces": FACES[0]}, ShapeError, r"faces should have shape \(m, 3\); shape is \(3,\)"),
        ({"faces": FACES + 1}, MeshError, "faces should index 4 vertices; indices run from 1 to 4"),
        ({"faces": FACES - 1}, MeshError, "faces should index 4 vertices; indices run from -1 to 2"),
        ({"faces": FACES[:0]}, MeshError, "a mesh should have faces; this one has 4 vertices and none"),
        ({"uv": noise(4, 3)}, ShapeError, r"uv should have shape \(k, 2\); shape is \(4, 3\)"),
        ({"uv_faces": None}, ShapeError, r"uv without uv_faces should have shape \(4, 2\); shape is \(5, 2\)"),
        ({"uv_faces": FACES + 2}, MeshError, "uv_faces should index 5 texture coordinates; indices run from 2 to 5"),
        ({"uv_faces": FACES[:3]}, ShapeError, r"uv_faces should have shape \(4, 3\), as faces; shape is \(3, 3\)"),
        ({"uv": None}, MeshError, r"a mesh with a texture should have texture coordinates \(uv\); it has none"),
        (
            {"texture": noise(5, 6, 3)},
            ShapeError,
            r"texture should have shape \(1 or 2, height, width, 3\).*\(5, 6, 3\)",
        ),
        ({"texture": noise(2, 5, 6, 4)}, ShapeError, r"texture should have .* shape is \(2, 5, 6, 4\)"),
        ({"texture": noise(3, 5, 6, 3)}, ShapeError, r"texture should have .* shape is \(3, 5, 6, 3\)"),
        ({"texture": noise(1, 0, 6, 3)}, ShapeError, r"at least one texel; shape is \(1, 0, 6, 3\)"),
        ({"colors": noise(4, 3)}, ShapeError, r"colors should have shape \(1 or 2, 4, 3\); shape is \(4, 3\)"),
        ({"colors": noise(2, 4, 4)}, ShapeError, r"colors should have shape \(1 or 2, 4, 3\); shape is \(2, 4, 4\)"),
        ({"normals": noise(3, 4, 3)}, ShapeError, r"normals should have shape \(1 or 2, 4, 3\); shape is \(3, 4, 3\)"),
        ({"normals": noise(2, 5, 3)}, ShapeError, r"normals should have shape \(1 or 2, 4, 3\); shape is \(2, 5, 3\)"),
    ],
)
def test_what_does_not_fit_is_named(changed: dict[str, Tensor | None], kind: type[Exception], message: str) -> None:
    batch = MeshBatch.of([mesh(0), mesh(1)])
    with pytest.raises(kind, match=message) as error:
        replace(batch, **changed)  # type: ignore[arg-type]
    assert isinstance(error.value, InputError)


def test_an_empty_mesh_is_an_error() -> None:
    with pytest.raises(MeshError, match="a mesh should have faces; this one has 0 vertices and none"):
        MeshBatch.of(Mesh(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int64)))
    with pytest.raises(ShapeError, match="a batch should have at least one mesh; there is none"):
        MeshBatch.of([])


def test_meshes_that_differ_in_kind_are_no_batch() -> None:
    with pytest.raises(ShapeError, match="the same faces; mesh 2 has others than mesh 0"):
        MeshBatch.of([mesh(0), mesh(1, faces=FACES.clone()), mesh(2, faces=FACES.flip(0))])
    with pytest.raises(ShapeError, match="the same faces; mesh 1 has others"):
        MeshBatch.of([mesh(0), mesh(1, faces=FACES[:3], uv_faces=FACES[:3])])
    with pytest.raises(ShapeError, match="should have colors, or none; 1 of 2 have it"):
        MeshBatch.of([mesh(0), mesh(1, colors=None)])
    with pytest.raises(ShapeError, match=r"texture of all meshes should have one shape.*\[\(2, 2, 3\), \(5, 6, 3\)\]"):
        MeshBatch.of([mesh(0), mesh(1, texture=noise(2, 2, 3))])


def test_meshes_of_several_sizes_are_no_batch() -> None:
    with pytest.raises(ShapeError, match="as many vertices; mesh 1 has 5, mesh 0 has 4"):
        MeshBatch.of([Mesh(noise(4, 3), FACES), Mesh(noise(5, 3), FACES)])


def test_a_texture_of_another_shape_does_not_pass_the_type_check() -> None:
    with pytest.raises(TypeCheckError, match="texture"):
        mesh(texture=noise(5, 6, 4))
