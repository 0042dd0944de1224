"""MeshField against closed forms, trimesh, Open3D, and itself on meshes that are broken on purpose."""

from __future__ import annotations

import copy
import math
import pickle
from concurrent.futures import ThreadPoolExecutor

import igl
import numpy as np
import pytest
import torch
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from headviz.errors import FieldError, MeshError, ShapeError, SurfaceWarning
from headviz.geometry.field import Field
from headviz.geometry.mesh import Mesh
from headviz.geometry.mesh_field import MeshField
from headviz.heads.model import load_head


def mesh_of(*parts: trimesh.Trimesh, dtype: torch.dtype = torch.float64) -> Mesh:
    """One mesh of several of trimesh's, side by side."""
    joined = trimesh.util.concatenate(parts)
    return Mesh(torch.tensor(np.asarray(joined.vertices), dtype=dtype), torch.tensor(np.asarray(joined.faces)))


def ball(radius: float = 0.1, at: tuple[float, float, float] = (0, 0, 0), level: int = 3) -> trimesh.Trimesh:
    made = trimesh.creation.icosphere(level, radius)
    made.apply_translation(at)
    return made


def cloud(count: int, half: float, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return half * (2 * torch.rand(count, 3, generator=generator, dtype=dtype) - 1)


def around(mesh: Mesh, count: int, spread: float, seed: int = 0) -> torch.Tensor:
    """Points near the surface of a mesh."""
    rng = np.random.default_rng(seed)
    corners = mesh.vertices.double().numpy()[mesh.faces.numpy()[rng.integers(0, len(mesh.faces), count)]]
    inner = (corners * rng.dirichlet((1, 1, 1), count)[:, :, None]).sum(1)
    return torch.from_numpy(inner + rng.normal(0, spread, (count, 3)))


def exact_inside(mesh: Mesh, points: torch.Tensor) -> torch.Tensor:
    """By the exact generalised winding number."""
    winding = igl.winding_number(mesh.vertices.double().numpy(), mesh.faces.numpy(), points.double().numpy())
    return torch.from_numpy(np.abs(winding) > 0.5)


def box_distance(points: torch.Tensor, half: torch.Tensor) -> torch.Tensor:
    """Closed form of a box's signed distance."""
    q = points.abs() - half
    return q.clamp(min=0).norm(dim=1) + q.amax(1).clamp(max=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_box_distance_is_exact(dtype: torch.dtype) -> None:
    field = MeshField(mesh_of(trimesh.creation.box((0.2, 0.3, 0.4))))
    points = cloud(3000, 0.5, 1, dtype)
    expected = box_distance(points.double(), torch.tensor([0.1, 0.15, 0.2], dtype=torch.float64))
    values = field(points)
    assert values.dtype == dtype
    torch.testing.assert_close(values.double(), expected, rtol=0, atol=1e-15 if dtype == torch.float64 else 3e-8)
    assert isinstance(field, Field)
    assert (field.exact, field.lipschitz) == (True, 1.0)


def test_ball_lies_between_its_inscribed_and_circumscribed_spheres() -> None:
    field, points = MeshField(mesh_of(ball(0.1, level=4))), cloud(3000, 0.2)
    centre_to_faces = float(-field(torch.zeros(1, 3, dtype=torch.float64)))
    length = points.norm(dim=1)
    assert bool((field(points) >= length - 0.1 - 1e-12).all())
    assert bool((field(points) <= length - centre_to_faces + 1e-12).all())


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_units_do_not_matter(scale: float) -> None:
    offset = torch.tensor([3.0, -2.0, 7.0], dtype=torch.float64)
    mesh, points = mesh_of(ball(), ball(at=(0.1, 0.02, 0.03))), cloud(2000, 0.3)
    moved = MeshField(Mesh(scale * (mesh.vertices + offset), mesh.faces))
    torch.testing.assert_close(moved(scale * (points + offset)) / scale, MeshField(mesh)(points), rtol=0, atol=1e-14)


def test_head_solid_has_no_warning_and_the_signs_of_the_exact_winding_number() -> None:
    solid = load_head().solid()
    field = MeshField(solid)  # warnings are errors here
    assert (field.boundary_edges, field.degenerate_faces) == (0, 0)
    trusted, _ = field._surface._labels
    assert 0.9 < trusted.mean() < 1  # eyeballs pierce the skin, so both ways of finding the sign are used
    for points in (cloud(5000, 0.2), around(solid, 5000, 2e-3), around(solid, 5000, 1e-5)):
        torch.testing.assert_close(field(points) < 0, exact_inside(solid, points))


def test_head_solid_against_open3d() -> None:
    open3d = pytest.importorskip("open3d")
    solid = load_head().solid()
    skin = max(
        trimesh.Trimesh(solid.vertices.numpy(), solid.faces.numpy(), process=False).split(), key=lambda m: m.volume
    )
    scene = open3d.t.geometry.RaycastingScene()
    scene.add_triangles(skin.vertices.astype(np.float32), skin.faces.astype(np.uint32))
    points = cloud(5000, 0.2, dtype=torch.float32)
    expected = scene.compute_signed_distance(points.numpy(), nsamples=5).numpy()
    np.testing.assert_allclose(MeshField(mesh_of(skin))(points).numpy(), expected, atol=2e-6)


def test_head_solid_volume_matches_the_share_of_points_inside() -> None:
    solid = load_head().solid()
    field = MeshField(solid)
    low, high = field.bounds
    points = low + torch.rand(20_000, 3, generator=torch.Generator().manual_seed(0)) * (high - low)
    share = float((field(points) < 0).float().mean()) * float((high - low).prod())
    skin = max(
        trimesh.Trimesh(solid.vertices.numpy(), solid.faces.numpy(), process=False).split(), key=lambda m: m.volume
    )
    assert share == pytest.approx(skin.volume, rel=0.03)


@pytest.mark.parametrize("make", [trimesh.creation.annulus, trimesh.creation.capsule, trimesh.creation.cone])
def test_signs_agree_with_trimesh(make: object) -> None:
    kwargs = {"annulus": {"r_min": 0.5, "r_max": 1.0}, "cone": {"radius": 0.5}}.get(make.__name__, {})  # type: ignore[attr-defined]
    solid = make(height=1.0, **kwargs)  # type: ignore[operator]
    points = cloud(400, 1.5, 4)
    inside = MeshField(mesh_of(solid))(points).numpy() < 0
    np.testing.assert_array_equal(inside, solid.contains(points.numpy()))
    assert 0 < inside.mean() < 1


def test_sharp_spike_has_no_stray_signs() -> None:
    """Where face normals of the nearest edge or corner disagree, only pseudonormals tell the side."""
    spike = trimesh.creation.cone(radius=0.02, height=1.0, sections=5)
    mesh = mesh_of(spike)
    points = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64) + cloud(4000, 0.05, 2)
    torch.testing.assert_close(MeshField(mesh)(points) < 0, exact_inside(mesh, points))


def test_overlapping_parts_are_one_inside() -> None:
    mesh = mesh_of(ball(), ball(at=(0.05, 0, 0)))
    field, points = MeshField(mesh), cloud(5000, 0.2)
    either = MeshField(mesh_of(ball()))(points).minimum(MeshField(mesh_of(ball(at=(0.05, 0, 0))))(points)) < 0
    torch.testing.assert_close(field(points) < 0, either)


@pytest.mark.parametrize(
    "shift", [(0.2, 0.0, 0.0), (0.2, 0.1, 0.0), (0.2, 0.03, 0.07), (0.1, 0.1, 0.1), (0.05, 0.0, 0.0)]
)
def test_boxes_that_touch_or_share_planes(shift: tuple[float, float, float]) -> None:
    """Coplanar faces are pierced by nothing, and yet one face has different sides in different places."""
    one, other = trimesh.creation.box((0.2, 0.2, 0.2)), trimesh.creation.box((0.2, 0.1, 0.3))
    other.apply_translation(shift)
    mesh = mesh_of(one, other)
    points = torch.cat([cloud(4000, 0.3), around(mesh, 4000, 1e-3)])
    torch.testing.assert_close(MeshField(mesh)(points) < 0, exact_inside(mesh, points))


@pytest.mark.parametrize("turn", range(4))
def test_crossed_bars_that_touch(turn: int) -> None:
    """Two bars lie across each other, so that no edge passes through a face and no corner lies in one."""
    one, other = trimesh.creation.box((0.4, 0.1, 0.1)), trimesh.creation.box((0.1, 0.4, 0.1))
    other.apply_translation((0, 0, 0.1))
    mesh = mesh_of(one, other)
    rotation = torch.tensor(trimesh.transformations.random_rotation_matrix(np.array([0.1, 0.4, 0.2]) * turn)[:3, :3])
    mesh = Mesh(mesh.vertices @ rotation.T, mesh.faces)
    points = (cloud(4000, 0.1, turn) * torch.tensor([2.0, 2.0, 0.2]) + torch.tensor([0, 0, 0.05])) @ rotation.T
    torch.testing.assert_close(MeshField(mesh)(points) < 0, exact_inside(mesh, points))


def test_thin_shell() -> None:
    """Thinner than the step with which faces' sides are looked at."""
    outer, inner = ball(0.1), ball(0.1 - 1e-5)
    inner.invert()
    mesh = mesh_of(outer, inner)
    within = torch.tensor(outer.triangles_center * (1 - 0.5e-4))
    points = torch.cat([within, cloud(2000, 0.12)])
    values = MeshField(mesh)(points)
    torch.testing.assert_close(values < 0, exact_inside(mesh, points))
    assert bool((values[: len(within)] < 0).all())


@pytest.mark.parametrize("seed", range(5))
def test_parts_that_share_an_edge(seed: int) -> None:
    """The normals around that edge are those of two solids; their sum tells nothing."""
    rng = np.random.default_rng(seed)
    ends, left, right = (
        np.array([[0, 0, -0.1], [0, 0, 0.1]]),
        rng.uniform(0.02, 0.1, (2, 3)),
        rng.uniform(0.02, 0.1, (2, 3)),
    )
    left[:, 0] *= -1
    parts = [trimesh.convex.convex_hull(np.concatenate([ends, corners])) for corners in (left, right)]
    mesh, points = mesh_of(*parts), cloud(4000, 0.1, seed)
    torch.testing.assert_close(MeshField(mesh)(points) < 0, exact_inside(mesh, points))


def test_open_cup_is_closed_by_the_winding_number() -> None:
    """Where it is near 1/2, in the middle of a large opening, the fast one would not do."""
    whole = ball()
    cup = Mesh(torch.tensor(whole.vertices), torch.tensor(whole.faces[whole.triangles_center[:, 2] < 0.03]))
    with pytest.warns(SurfaceWarning, match="edges are open"):
        field = MeshField(cup)
    points = cloud(20_000, 0.1) * torch.tensor([1, 1, 0.2]) + torch.tensor([0, 0, 0.03])
    torch.testing.assert_close(field(points) < 0, exact_inside(cup, points))


@pytest.mark.parametrize("height", [1e-5, 1e-7, 1e-9])
def test_points_a_little_above_and_below_an_open_surface(height: float) -> None:
    whole = ball()
    with pytest.warns(SurfaceWarning, match="3 edges are open"):
        field = MeshField(Mesh(torch.tensor(whole.vertices), torch.tensor(whole.faces[1:])))
    centres = torch.tensor(
        whole.triangles_center[1:] + np.array([[1.0], [-1.0]])[:, :, None] * height * whole.face_normals[1:]
    )
    found = field(centres.reshape(-1, 3)).reshape(2, -1)
    torch.testing.assert_close(found, torch.tensor([[height], [-height]]).double().expand_as(found), rtol=1e-5, atol=0)


def test_part_turned_inside_out() -> None:
    outer, cavity, apart = ball(), ball(0.05), ball(0.05, (0.3, 0, 0))
    cavity.invert()
    apart.invert()
    field = MeshField(mesh_of(outer, cavity, apart))
    spots = torch.tensor([[0.0, 0, 0], [0.075, 0, 0], [0.3, 0, 0], [0.2, 0, 0]]).double()
    assert (field(spots) < 0).tolist() == [False, True, True, False]


def test_doubled_and_flipped_faces() -> None:
    """A copy of a part is the part; a few faces with a flipped copy cancel, which is a small hole."""
    whole, points = mesh_of(ball()), cloud(2000, 0.2)
    doubled = Mesh(whole.vertices, torch.cat([whole.faces, whole.faces]))
    torch.testing.assert_close(MeshField(doubled)(points), MeshField(whole)(points))
    flipped = Mesh(whole.vertices, torch.cat([whole.faces, whole.faces[:3].flip(1)]))
    with pytest.warns(SurfaceWarning, match="not watertight"):
        field = MeshField(flipped)
    clear = MeshField(whole)(points).abs() > 0.02
    torch.testing.assert_close((field(points) < 0)[clear], (MeshField(whole)(points) < 0)[clear])


def test_small_hole_is_closed_and_stated() -> None:
    whole, points = mesh_of(ball()), cloud(4000, 0.2)
    holed = Mesh(whole.vertices, whole.faces[1:])
    with pytest.warns(SurfaceWarning, match="3 edges are open"):
        field = MeshField(holed)
    assert field.boundary_edges == 3
    torch.testing.assert_close(field(points) < 0, exact_inside(holed, points))
    clear = (points - whole.vertices[whole.faces[0]].mean(0)).norm(dim=1) > 0.02
    clear &= MeshField(whole).nearest(points).face != 0
    assert float(clear.double().mean()) > 0.95
    torch.testing.assert_close(field(points)[clear], MeshField(whole)(points)[clear])


def test_unwelded_triangles_are_watertight() -> None:
    whole, points = mesh_of(ball()), cloud(500, 0.2)
    soup = Mesh(whole.vertices[whole.faces].reshape(-1, 3), torch.arange(3 * len(whole.faces)).reshape(-1, 3))
    assert MeshField(soup).boundary_edges == 0
    torch.testing.assert_close(MeshField(soup)(points), MeshField(whole)(points))


def test_faces_without_area_are_left_out() -> None:
    whole, points = mesh_of(ball()), cloud(500, 0.2)
    extra = torch.tensor([[0, 0, 1], [5, 5, 5]])
    field = MeshField(Mesh(whole.vertices, torch.cat([extra, whole.faces])))
    assert (field.degenerate_faces, field.boundary_edges) == (2, 0)
    torch.testing.assert_close(field(points), MeshField(whole)(points))
    assert int(field.nearest(points).face.min()) >= 2  # faces are counted as the mesh does


def test_points_on_the_surface_have_distance_zero() -> None:
    mesh = mesh_of(ball())
    values = MeshField(mesh)(torch.cat([around(mesh, 1000, 0.0), mesh.vertices]))
    assert float(values.abs().max()) < 1e-16


def test_nearest_points_lie_on_their_faces() -> None:
    solid = load_head().solid()
    field, points = MeshField(solid), cloud(2000, 0.2)
    found = field.nearest(points)
    on_face = (solid.vertices.double()[solid.faces[found.face]] * found.weights[:, :, None]).sum(1)
    torch.testing.assert_close(on_face, found.points, rtol=0, atol=1e-12)
    torch.testing.assert_close((points - found.points).norm(dim=1), found.distance, rtol=0, atol=1e-15)
    torch.testing.assert_close(found.distance, field(points).abs())
    squared, _, _ = igl.point_mesh_squared_distance(
        points.numpy(), solid.vertices.double().numpy(), solid.faces.numpy()
    )
    np.testing.assert_allclose(found.distance.numpy(), np.sqrt(squared), atol=1e-15)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_never_steeper_than_one(seed: int, other: int) -> None:
    field, a, b = MeshField(mesh_of(ball(level=1))), cloud(50, 0.2, seed), cloud(50, 0.2, other)
    assert bool(((field(a) - field(b)).abs() <= (a - b).norm(dim=1) + 1e-12).all())


def test_gradient_by_points() -> None:
    solid = load_head().solid()
    field, points = MeshField(solid), cloud(60, 0.2, 3).requires_grad_()
    assert torch.autograd.gradcheck(field, points, eps=1e-7, atol=1e-5)
    (slope,) = torch.autograd.grad(field(points).sum(), points)
    torch.testing.assert_close(slope.norm(dim=1), torch.ones(60, dtype=torch.float64))
    with torch.no_grad():
        assert float(field(points - field(points)[:, None] * slope).abs().max()) < 1e-12


def test_gradient_by_vertices() -> None:
    start, points = mesh_of(ball(level=0)), cloud(20, 0.2, 5)

    def values(vertices: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
        return MeshField(Mesh(vertices, start.faces))(at)

    assert torch.autograd.gradcheck(values, (start.vertices.requires_grad_(), points.requires_grad_()), eps=1e-7)


def test_gradient_on_the_surface_is_the_normal() -> None:
    mesh = mesh_of(trimesh.creation.box((0.2, 0.2, 0.2)))
    points = torch.tensor([[0.1, 0.02, 0.03], [0.01, -0.1, 0.04]], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(MeshField(mesh)(points).sum(), points)
    torch.testing.assert_close(slope, torch.tensor([[1.0, 0, 0], [0, -1, 0]]).double())


def test_second_derivatives_are_refused() -> None:
    points = cloud(3, 0.2).requires_grad_()
    values = MeshField(mesh_of(ball()))(points)
    (slope,) = torch.autograd.grad(values.square().sum(), points, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.sum().backward()
    (slope,) = torch.autograd.grad(values.sum(), points, create_graph=True)
    with pytest.raises(RuntimeError, match="does not require grad"):
        slope.sum().backward()


def test_same_answer_however_it_is_asked() -> None:
    solid = load_head().solid()
    field, points = MeshField(solid), torch.cat([cloud(4000, 0.2), around(solid, 4000, 1e-3)])
    values = field(points)
    assert torch.equal(field(points), values)
    assert torch.equal(torch.cat([field(part) for part in points.split(700)]), values)
    assert torch.equal(field(points.flip(0)).flip(0), values)
    assert torch.equal(torch.from_numpy(field(points.numpy())), values)
    assert torch.equal(pickle.loads(pickle.dumps(field))(points), values)
    assert torch.equal(copy.deepcopy(field)(points), values)
    assert torch.equal(field(points.clone().requires_grad_()).detach(), values)


def test_threads_do_not_disturb_each_other() -> None:
    field, parts = MeshField(load_head().solid()), [cloud(2000, 0.2, seed) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(field, parts))
    assert all(torch.equal(found, field(part)) for found, part in zip(together, parts, strict=True))


def test_large_meshes_do_without_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    mesh, points = mesh_of(ball(), ball(at=(0.1, 0, 0))), cloud(3000, 0.2)
    expected = MeshField(mesh)(points)
    monkeypatch.setattr("headviz.geometry.mesh_sign.LABELLED_FACES", 0)
    torch.testing.assert_close(MeshField(mesh)(points), expected, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("vertices", "faces", "message"),
    [
        (torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.long), "0 vertices and no face"),
        (torch.eye(3), torch.zeros(0, 3, dtype=torch.long), "3 vertices and no face"),
        (torch.tensor([[0.0, 0, 0], [1, math.inf, 0], [0, 1, 0]]), torch.tensor([[0, 1, 2]]), "1 of 3 are NaN"),
        (torch.zeros(3, 3), torch.tensor([[0, 1, 2]]), "all 1 faces have none"),
        (torch.arange(9.0).reshape(3, 3), torch.tensor([[0, 1, 2], [0, 0, 1]]), "all 2 faces have none"),
    ],
)
def test_meshes_that_cannot_be_used(vertices: torch.Tensor, faces: torch.Tensor, message: str) -> None:
    with pytest.raises(MeshError, match=message):
        MeshField(Mesh(vertices, faces))


def test_points_that_cannot_be_used() -> None:
    field = MeshField(mesh_of(ball()))
    with pytest.raises(FieldError, match="finite; 1 of 2"):
        field(torch.tensor([[0.0, float("nan"), 0.0], [0.0, 0.0, 0.0]]))
    with pytest.raises(FieldError, match="finite"):
        field.nearest(torch.tensor([[0.0, math.inf, 0.0]]))
    with pytest.raises(ShapeError, match=r"\(n, 3\); shape is \(4, 2\)"):
        field(torch.zeros(4, 2))


def test_no_points_and_one_point() -> None:
    field = MeshField(mesh_of(ball()))
    assert field(torch.zeros(0, 3)).shape == (0,)
    assert field.nearest(torch.zeros(0, 3)).points.shape == (0, 3)
    assert field(torch.zeros(1, 3)).shape == (1,)
    assert float(field(torch.zeros(5, 3)).std()) == 0


def test_single_triangle_has_no_inside() -> None:
    with pytest.warns(SurfaceWarning, match="3 edges are open"):
        field = MeshField(Mesh(torch.eye(3).double(), torch.tensor([[0, 1, 2]])))
    assert bool((field(cloud(500, 2.0)) > 0).all())
