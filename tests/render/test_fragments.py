"""Fragments of batches: which face a pixel sees, where on it, and how that changes, by solving equations in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull
from torch import Tensor
from torch.autograd import gradcheck

from headviz.errors import CameraError, MeshError, OptionError, ShapeError
from headviz.geometry.camera import Camera, Cameras
from headviz.render.fragments import Fragments, fragments_of
from headviz.render.raster import rasterize

from .scenes import (
    DOUBLE,
    ONE,
    before,
    cameras_in,
    depth_range,
    meet,
    noise,
    oblique,
    rays_of,
    sheet,
    straight,
)  # fmt: skip

BACKENDS = pytest.mark.parametrize("backend", ["scanline", "embree", "torch"])
EXACT = pytest.mark.parametrize("backend", ["scanline", "torch"])
corner = st.tuples(st.floats(-2, 2), st.floats(-2, 2), st.floats(-3, 1.5).filter(lambda z: abs(z) > 0.05))


@EXACT
@settings(max_examples=60)
@given(st.tuples(corner, corner, corner), st.integers(0, 2))
@example(((-1.0, -1.0, -1.0), (1.0, -0.5, -2.0), (0.3, 1.5, 1.0)), 0)  # one corner behind the camera
@example(((-1.0, -1.0, 1.0), (1.0, -0.5, -2.0), (0.3, 1.5, 1.0)), 1)  # two
def test_one_triangle_is_the_solution_of_three_equations(backend: str, corners: tuple[tuple[float, ...], ...], k: int):
    local = np.array(corners)
    assume(abs(np.cross(local[0], local[1]) @ local[2]) > 1e-3)
    cameras = oblique(3)
    vertices = before(cameras, torch.tensor(corners, dtype=DOUBLE).expand(3, 3, 3))
    fragments = rasterize(vertices, ONE, cameras, backend=backend)
    weights, depth = (values[0] for values in meet(local[None], rays_of(cameras, k)))
    mask = fragments.mask[k].reshape(-1).numpy()
    assert (mask >= ((weights > 1e-9).all(0) & (depth > 0))).all()
    assert (mask <= ((weights > -1e-9).all(0) & (depth > 0))).all()
    found = fragments.barycentric[k].reshape(-1, 3).numpy()
    np.testing.assert_allclose(found[mask], weights.T[mask], atol=1e-7)
    np.testing.assert_allclose(fragments.depth[k].reshape(-1).numpy()[mask], depth[mask], rtol=1e-7)
    assert (found[~mask] == 0).all()


@BACKENDS
def test_of_a_floor_that_begins_behind_the_camera_its_part_in_front_is_seen(backend: str) -> None:
    # 1 m below, to a corner 8 m ahead; at the depth t it is 2 · 0.75 (8 − t) wide.
    vertices = torch.tensor([[-24.0, -1.0, 24.0], [24.0, -1.0, 24.0], [0.0, -1.0, -8.0]])
    fragments = rasterize(vertices, ONE, straight(32, 32, 8.0), backend=backend)
    steps = (torch.arange(32) + 0.5 - 16) / 8
    depth = torch.where(steps > 0, 1 / steps, torch.inf)[:, None].expand(32, 32)
    inside = (depth < 8) & ((steps * depth).abs() < 0.75 * (8 - depth))
    assert 300 < int(inside.sum()) < 500
    assert torch.equal(fragments.mask, inside)
    torch.testing.assert_close(fragments.depth[inside], depth[inside], rtol=1e-5, atol=0)


place = st.tuples(st.integers(-4, 20), st.integers(-4, 20))


@BACKENDS
@given(st.tuples(place, place, place), st.booleans(), st.sampled_from([0.25, 1.0, 2.0]))
@example(((0, 0), (8, 0), (0, 8)), False, 1.0)
def test_a_pixel_on_an_edge_or_a_corner_is_covered(
    backend: str, corners: tuple[tuple[int, int], ...], halves: bool, depth: float
) -> None:
    # Corners at pixel centres, or also between them; all numbers are dyadic, so that no rounding decides.
    half = np.array(corners) if halves else 2 * np.array(corners) + 1  # in halves of a pixel
    (au, av), (bu, bv), (cu, cv) = half.tolist()
    area = (bu - au) * (cv - av) - (bv - av) * (cu - au)
    assume(area != 0)
    u, v = np.meshgrid(2 * np.arange(12) + 1, 2 * np.arange(10) + 1)
    ends = [(au, av, bu, bv), (bu, bv, cu, cv), (cu, cv, au, av)]
    sides = np.stack([(q - o) * (v - p) - (r - p) * (u - o) for o, p, q, r in ends]) * np.sign(area)
    x, y = (half[:, 0] / 2 - 6) / 8 * depth, (5 - half[:, 1] / 2) / 8 * depth
    vertices = torch.tensor(np.stack([x, y, np.full(3, -depth)], 1), dtype=torch.float32)
    mask = rasterize(vertices, ONE, straight(12, 10, 8.0), backend=backend).mask.numpy()
    if backend == "embree":  # its rays may pass a boundary on either side
        assert (mask >= (sides > 0).all(0)).all()
        assert (mask <= (sides >= 0).all(0)).all()
    else:
        assert (mask == (sides >= 0).all(0)).all()


def place_sheet(places: Tensor, camera: Camera) -> Tensor:
    """Vertices in the camera's frame of (u, v, depth)."""
    u, v, depth = places.unbind(-1)
    x, y = (u - camera.center[0]) / camera.focal, (camera.center[1] - v) / camera.focal
    return torch.stack([x * depth, y * depth, -depth], -1)


@BACKENDS
@settings(max_examples=25)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.9]), st.sampled_from([0.0, 0.3, 20.0]), st.floats(0.45, 3))
@example(0, 0.0, 0.0, 1.0)  # all edges pass exactly through the centres
@example(0, 0.0, 0.0, 0.5)  # four faces for every pixel
def test_a_closed_sheet_has_no_holes(backend: str, seed: int, jitter: float, depth: float, step: float) -> None:
    camera = straight(24, 20, 20.0)
    rows, columns = int(22 / step) + 1, int(26 / step) + 1
    places, faces = sheet(rows, columns, seed, jitter=jitter, depth=depth)
    places[:, :2] = places[:, :2] * step - 0.5  # its border is around the picture
    vertices = place_sheet(places, camera)
    fragments = rasterize(vertices, faces, camera, backend=backend)
    if backend != "embree":  # whose rays may pass between two faces where they meet a corner to the last bit
        assert bool(fragments.mask.all())
    assert float(fragments.weights.min()) > -1e-4
    low, high = depth_range(vertices[faces].double().numpy(), rays_of(Cameras.of(camera)), 1e-3)
    found = fragments.depth.reshape(-1).numpy()
    assert (found >= low * (1 - 1e-4)).all()
    assert (found <= high * (1 + 1e-4)).all()


def ball(rings: int = 24) -> tuple[Tensor, Tensor]:
    """A closed sphere of radius 1 around the origin, of triangles between circles of latitude."""
    angle = torch.arange(2 * rings) * torch.pi / rings
    height = torch.arange(1, rings) * torch.pi / rings
    points = [
        height.sin()[:, None] * angle.cos(),
        height.cos()[:, None].expand(-1, 2 * rings),
        height.sin()[:, None] * angle.sin(),
    ]
    vertices = torch.cat([torch.stack(points, -1).reshape(-1, 3), torch.tensor([[0.0, 1.0, 0.0], [0.0, -1.0, 0.0]])])
    grid = torch.arange((rings - 1) * 2 * rings).reshape(rings - 1, 2 * rings)
    a, b, c, d = grid[:-1], grid[1:], grid[1:].roll(-1, 1), grid[:-1].roll(-1, 1)
    top = torch.stack([torch.full_like(grid[0], len(vertices) - 2), grid[0], grid[0].roll(-1)], -1)
    bottom = torch.stack([torch.full_like(grid[0], len(vertices) - 1), grid[-1].roll(-1), grid[-1]], -1)
    sides = torch.cat([torch.stack([a, b, c], -1).reshape(-1, 3), torch.stack([a, c, d], -1).reshape(-1, 3)])
    return vertices, torch.cat([sides, top, bottom])


@BACKENDS
def test_a_closed_sphere_covers_its_silhouette_from_all_sides(backend: str) -> None:
    vertices, faces = ball()
    yaw, pitch = 6.3 * noise(12, seed=1).float(), 3 * noise(12, seed=2).float() - 1.5
    cameras = Cameras.orbit(yaw, pitch, distance=2 + 3 * noise(12, seed=3).float(), focal=1.5, size=64)
    fragments = rasterize(vertices.expand(12, -1, -1).contiguous(), faces, cameras, backend=backend)
    u, v = np.meshgrid(np.arange(64) + 0.5, np.arange(64) + 0.5)
    for k in range(12):
        hull = ConvexHull(cameras_in(cameras, DOUBLE).project(vertices.double()[None])[k].numpy())
        outside = (np.stack([u, v], -1) @ hull.equations[:, :2].T + hull.equations[:, 2]).max(-1)  # pixels
        mask = fragments.mask[k].numpy()
        assert mask[outside < -1e-3].all()
        assert not mask[outside > 1e-3].any()
        distance = float(cameras.position[k].norm())
        assert (
            float(fragments.depth[k][fragments.mask[k]].max()) < distance
        )  # the near half only: no leak to the far one


@BACKENDS
def test_grazing_edges_do_not_leak(backend: str) -> None:
    # A floor 1 mm below, in long thin triangles, with a wall behind it that would shine through.
    across, along = 2 * torch.linspace(-1, 1, 41), torch.tensor([0.002, 0.01, 0.05, 0.3, 2.0, 9.0])
    depth, side = torch.meshgrid(along, across, indexing="ij")
    floor = torch.stack([side * (0.5 + depth), torch.full_like(side, -0.001), -depth], -1).reshape(-1, 3)
    _, faces = sheet(5, 40, 3)
    wall = torch.tensor([[-99.0, -99.0, -10.0], [99.0, -99.0, -10.0], [0.0, 99.0, -10.0]])
    faces = torch.cat([faces, torch.tensor([[0, 1, 2]]) + len(floor)])
    fragments = rasterize(torch.cat([floor, wall]), faces, straight(40, 40, 30.0), backend=backend)
    y = (20 - torch.arange(40) - 0.5) / 30
    expected = torch.where((y < -0.001 / 9) & (y > -0.5), -0.001 / y, 10.0)[:, None].expand(40, 40)
    assert bool((expected[20:34] < 1).all())
    torch.testing.assert_close(fragments.depth[:34], expected[:34], rtol=2e-3, atol=0)


@EXACT
@settings(max_examples=25)
@given(st.permutations(range(6)), st.integers(0, 5))
def test_of_faces_that_are_equally_near_the_first_is_seen(backend: str, order: list[int], copies: int) -> None:
    # Faces across the view that overlap, of every orientation, some of them twice.
    places = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0], [0.25, 0.125]])
    vertices = torch.cat([places, -torch.ones(5, 1)], 1)
    faces = torch.tensor([[0, 1, 2], [0, 2, 3], [1, 2, 3], [3, 1, 0], [4, 0, 1], [2, 4, 3]])[order]
    faces = torch.cat([faces, faces[:copies], faces.roll(1, 1)])
    camera = straight(12, 10, 8.0)
    fragments = rasterize(vertices, faces, camera, backend=backend)
    alone = torch.stack([rasterize(vertices, face[None], camera, backend=backend).mask for face in faces])
    assert torch.equal(fragments.face, torch.where(alone.any(0), alone.int().argmax(0), -1))
    torch.testing.assert_close(fragments.depths, torch.ones_like(fragments.depths))


def pieces(seed: int) -> tuple[Cameras, Tensor, Tensor]:
    """Two cameras and four triangles before each of them, in float64; no pixel lies at an edge."""
    cameras = oblique(2, 9, 7, focal=6.0)
    local = 3 * noise(2, 12, 3, seed=seed) - torch.tensor([1.5, 1.5, 4.0], dtype=DOUBLE)
    faces = torch.arange(12).reshape(4, 3)
    for k in range(2):
        weights, _ = meet(local[k].numpy()[faces.numpy()], rays_of(cameras, k))
        assume(float(np.abs(weights).min()) > 1e-4)
    return cameras, before(cameras, local), faces


@EXACT
@settings(max_examples=3)
@given(st.integers(0, 10**6))
def test_gradients_in_everything_are_those_of_differences(backend: str, seed: int) -> None:
    cameras, vertices, faces = pieces(seed)
    assume(int(rasterize(vertices, faces, cameras, backend=backend).mask.sum()) > 8)

    def draw(vertices: Tensor, *numbers: Tensor) -> tuple[Tensor, Tensor]:
        fragments = rasterize(vertices, faces, Cameras(*numbers, 9, 7), backend=backend)
        return fragments.weights, fragments.depths

    inputs = (vertices, cameras.rotation, cameras.translation, cameras.focal, cameras.center)
    assert gradcheck(draw, [value.clone().requires_grad_() for value in inputs], atol=1e-4, rtol=1e-4)


def test_the_depth_of_a_tilted_plane_moves_as_computed_by_hand() -> None:
    # z = −1 + s x is met at the depth 1 / (1 + s x): a corner that is pulled nearer pulls by its weight over that depth.
    vertices = torch.tensor([[-3.0, -3.0, -1.6], [3.0, -3.0, -0.4], [0.0, 4.0, -1.0]], dtype=DOUBLE).requires_grad_()
    fragments = rasterize(vertices, ONE, straight(8, 8, 8.0, DOUBLE), backend="scanline")
    x = rays_of(Cameras.of(straight(8, 8, 8.0, DOUBLE)))[:, 0]
    np.testing.assert_allclose(fragments.depth.detach().reshape(-1), 1 / (1 + 0.2 * x), rtol=1e-12)
    (slope,) = torch.autograd.grad(fragments.depth[3, 5], vertices)
    weight = fragments.barycentric[3, 5].detach()
    # Depth t of the plane n·p = c through the corners along the ray d: dt = Σ bᵢ (n · δpᵢ) / (n · d), n = (−0.2, 0, 1).
    ray = torch.tensor([1.5 / 8, 0.5 / 8, -1.0], dtype=DOUBLE)
    normal = torch.tensor([-0.2, 0.0, 1.0], dtype=DOUBLE)
    torch.testing.assert_close(slope, weight[:, None] * normal / (normal @ ray))


@BACKENDS
def test_a_batch_is_one_picture_after_the_other(backend: str) -> None:
    cameras = cameras_in(oblique(3), torch.float32)
    vertices = before(cameras, (3 * noise(3, 30, 3) - torch.tensor([1.5, 1.5, 4.0])).float())
    faces = torch.arange(30).reshape(10, 3)
    batch = rasterize(vertices, faces, cameras, backend=backend)
    values = noise(3, 30, 4).float()
    seen = batch.interpolate(values, faces)
    for k in range(3):
        one = rasterize(vertices[k], faces, cameras[k], backend=backend)
        assert torch.equal(batch.face[k], one.face)
        torch.testing.assert_close(batch.barycentric[k], one.barycentric)
        torch.testing.assert_close(batch.depth[k], one.depth)
        torch.testing.assert_close(seen[k], one.interpolate(values[k], faces))
    shared = rasterize(vertices[:1], faces, cameras, backend=backend)  # one mesh for all cameras
    again = rasterize(vertices[:1].expand(3, -1, -1), faces, cameras, backend=backend)
    assert torch.equal(shared.face, again.face)
    assert torch.equal(shared.weights, again.weights)


def test_rows_of_covered_pixels_are_spread_and_interpolated() -> None:
    face = torch.tensor([[[1, -1, 0]], [[-1, 1, 1]]])  # two pictures of 1 × 3
    weights = noise(4, 3)
    fragments = Fragments(face, weights, noise(4))
    index = torch.tensor([[0, 1, 2], [3, 1, 0]])
    assert fragments.pixel.tolist() == [0, 2, 4, 5]
    assert fragments.picture.tolist() == [0, 0, 1, 1]
    assert fragments.covering.tolist() == [1, 0, 1, 1]
    one, each = noise(4, 2, seed=1), noise(2, 4, 2, seed=2)
    for values in (one, one[None], each):
        found = fragments.at(values, index)
        for row, (picture, covering) in enumerate([(0, 1), (0, 0), (1, 1), (1, 1)]):
            own = values if values.ndim == 2 else values[min(picture, len(values) - 1)]
            wanted = sum(weights[row, k] * own[index[covering, k]] for k in range(3))
            torch.testing.assert_close(found[row], wanted)
    spread = fragments.spread(torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.inf)
    assert spread.tolist() == [[[1.0, torch.inf, 2.0]], [[torch.inf, 3.0, 4.0]]]
    assert fragments.spread(noise(4, 2, 5)).shape == (2, 1, 3, 2, 5)
    assert fragments.at(noise(4, 1).float(), index).dtype == torch.float32  # as the values


@BACKENDS
@pytest.mark.parametrize(
    ("changed", "kind", "message"),
    [
        ({"faces": ONE + 1}, MeshError, "faces should index 3 vertices; indices run from 1 to 3"),
        ({"faces": ONE - 1}, MeshError, "faces should index 3 vertices; indices run from -1 to 1"),
        ({"faces": ONE + 300_000_000}, MeshError, "faces should index 3 vertices"),
        ({"faces": ONE[:0]}, MeshError, "should have faces"),
        ({"vertices": torch.tensor([[[0.0, 0, -1], [torch.nan, 0, -1], [0, 1, -1]]])}, MeshError, r"finite.*\[0, 1\]"),
        ({"vertices": torch.zeros(1, 3, 3, dtype=DOUBLE)}, ShapeError, "should be torch.float64, as the vertices"),
        ({"vertices": torch.zeros(2, 3, 3)}, ShapeError, "as many meshes as cameras, or one; there are 2 and 1"),
        ({"focal": torch.tensor([0.0])}, CameraError, "focal lengths should be positive"),
        ({"center": torch.tensor([[0.0, torch.inf]])}, CameraError, r"center should be finite.*\[0, 1\]"),
    ],
)
def test_what_cannot_be_rasterized_is_named(backend: str, changed: dict, kind: type[Exception], message: str) -> None:
    numbers = {"rotation": torch.eye(3)[None], "translation": torch.zeros(1, 3), "focal": torch.tensor([8.0])}
    numbers |= {"center": torch.tensor([[4.0, 3.0]])}
    numbers |= {name: value for name, value in changed.items() if name in numbers}
    vertices = changed.get("vertices", torch.tensor([[[0.0, 0, -1], [1, 0, -1], [0, 1, -1]]]))
    with pytest.raises(kind, match=message):
        rasterize(vertices, changed.get("faces", ONE), Cameras(**numbers, width=8, height=6), backend=backend)


def test_faces_of_another_size_and_unknown_backends_are_named() -> None:
    cameras = oblique(2)
    with pytest.raises(ShapeError, match=r"2 cameras see should have shape \(2, 26, 34\); shape is \(2, 26, 33\)"):
        fragments_of(noise(2, 3, 3), ONE, cameras, torch.full((2, 26, 33), -1))
    with pytest.raises(OptionError, match="one of scanline, embree, torch, pytorch3d; it is 'scan'"):
        rasterize(noise(2, 3, 3), ONE, cameras, backend="scan")
