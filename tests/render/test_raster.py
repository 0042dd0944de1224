"""Every rasterizer's fragments against closed forms: coverage, barycentrics, depth, camera conventions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull

from headviz.geometry.camera import Camera, look_at_head
from headviz.render.fragments import Fragments
from headviz.render.raster import embree_rasterize_uv, rasterize

BACKENDS = pytest.mark.parametrize("backend", ["scanline", "embree", "torch"])
ONE = torch.tensor([[0, 1, 2]])
# Neither square nor centred, so that exchanged axes show.
CAMERA = Camera(torch.eye(3), torch.zeros(3), 70.0, torch.tensor([40.0, 20.0]), 64, 48)
CUBE = torch.tensor([[x, y, z] for x in (-0.1, 0.1) for y in (-0.1, 0.1) for z in (-0.1, 0.1)])
#: Corner indices of each side, counter-clockwise seen from outside.
SIDES = torch.tensor([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
CUBE_FACES = torch.cat([SIDES[:, :3], SIDES[:, [0, 2, 3]]])


def by_hand(corners: np.ndarray, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Barycentrics and depth at every pixel: the ray d through it meets the triangle where Σ bᵢ pᵢ = t d, Σ bᵢ = 1."""
    cx, cy = camera.center.tolist()
    u, v = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    d = np.stack([(u - cx) / camera.focal, -(v - cy) / camera.focal, -np.ones_like(u)], axis=-1)
    local = corners @ camera.rotation.double().numpy().T + camera.translation.double().numpy()
    scaled = np.linalg.solve(local.T, d[..., None])[..., 0]  # bᵢ / t
    total = scaled.sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return scaled / total[..., None], 1 / total


corner = st.tuples(st.floats(-0.5, 1, width=32), st.floats(-0.5, 0.5, width=32), st.floats(-3, -0.75, width=32))


@BACKENDS
@settings(max_examples=40)
@given(st.tuples(corner, corner, corner))
def test_one_triangle_is_covered_as_computed_by_hand(backend: str, corners: tuple[tuple[float, ...], ...]) -> None:
    vertices = np.array(corners, dtype=np.float64)
    assume(abs(np.linalg.det(vertices)) > 0.02)  # not seen from its edge
    fragments = rasterize(torch.tensor(corners), ONE, CAMERA, backend=backend)
    weights, depth = by_hand(vertices, CAMERA)
    inside, near = (weights > 1e-4).all(-1) & (depth > 0), (weights > -1e-4).all(-1) & (depth > 0)
    mask = fragments.mask.numpy()
    assert (mask >= inside).all()
    assert (mask <= near).all()
    np.testing.assert_allclose(fragments.barycentric.numpy()[mask], weights[mask], atol=2e-4)
    np.testing.assert_allclose(fragments.depth.numpy()[mask], depth[mask], rtol=1e-4)
    assert (fragments.barycentric.numpy()[~mask] == 0).all()
    assert np.isinf(fragments.depth.numpy()[~mask]).all()
    assert (fragments.face.numpy()[~mask] == -1).all()


@BACKENDS
def test_barycentrics_are_perspective_correct(backend: str) -> None:
    # A strip that runs away from the camera: the middle of the picture is not its middle.
    vertices = torch.tensor([[-1.0, -0.5, -1.0], [1.0, -0.5, -1.0], [-1.0, -0.5, -9.0], [1.0, -0.5, -9.0]])
    faces = torch.tensor([[0, 1, 2], [1, 3, 2]])
    camera = Camera(torch.eye(3), torch.zeros(3), 50.0, torch.tensor([32.0, 32.0]), 64, 64)
    fragments = rasterize(vertices, faces, camera, backend=backend)
    depth = fragments.interpolate(-vertices[:, 2:], faces)[..., 0]
    rows = torch.arange(64)[:, None] + 0.5
    expected = (0.5 * 50 / (rows - 32)).expand(64, 64)  # y = −0.5 is seen at v = 32 + 25 / depth
    torch.testing.assert_close(depth[fragments.mask], expected[fragments.mask], rtol=1e-4, atol=0)
    torch.testing.assert_close(fragments.depth[fragments.mask], expected[fragments.mask], rtol=1e-4, atol=0)
    assert int(fragments.mask.sum()) > 500


@BACKENDS
@pytest.mark.parametrize("distance", [0.3, 1.0, 7.0])
def test_a_plane_across_the_view_has_one_depth(backend: str, distance: float) -> None:
    vertices = torch.tensor([[-9.0, -9.0, -1.0], [9.0, -9.0, -1.0], [0.0, 9.0, -1.0]]) * distance
    fragments = rasterize(vertices, ONE, CAMERA, backend=backend)
    assert bool(fragments.mask.all())
    torch.testing.assert_close(fragments.depth, torch.full((48, 64), distance))


cameras = st.builds(
    look_at_head,
    yaw=st.floats(-3, 3), pitch=st.floats(-1.2, 1.2), distance=st.floats(0.4, 1.5),
    target=st.tuples(*[st.floats(-0.05, 0.05)] * 3), focal=st.floats(0.8, 3), size=st.just(96),
)  # fmt: skip


@BACKENDS
@settings(max_examples=25)
@given(cameras)
def test_a_cube_is_the_convex_hull_of_its_projected_corners(backend: str, camera: Camera) -> None:
    fragments = rasterize(CUBE, CUBE_FACES, camera, backend=backend)
    hull = ConvexHull(camera.project(CUBE).double().numpy())
    u, v = np.meshgrid(np.arange(96) + 0.5, np.arange(96) + 0.5)
    outside = (np.stack([u, v], -1) @ hull.equations[:, :2].T + hull.equations[:, 2]).max(-1)  # pixels
    mask = fragments.mask.numpy()
    assert mask[outside < -0.05].all()
    assert not mask[outside > 0.05].any()


@BACKENDS
@settings(max_examples=25)
@given(cameras)
def test_what_a_pixel_sees_projects_to_its_centre(backend: str, camera: Camera) -> None:
    fragments = rasterize(CUBE, CUBE_FACES, camera, backend=backend)
    mask = fragments.mask
    points = fragments.interpolate(CUBE, CUBE_FACES)[mask]
    seen = camera.project(points)
    centres = mask.nonzero().flip(1) + 0.5  # columns are u, rows are v
    torch.testing.assert_close(seen, centres, atol=0.02, rtol=0)
    torch.testing.assert_close(-camera.to_camera(points)[:, 2], fragments.depth[mask], atol=1e-4, rtol=1e-4)


@BACKENDS
@settings(max_examples=25)
@given(cameras)
def test_only_sides_that_face_the_camera_are_seen(backend: str, camera: Camera) -> None:
    fragments = rasterize(CUBE, CUBE_FACES, camera, backend=backend)
    side = fragments.face[fragments.mask] % 6
    normals = torch.tensor([[-1.0, 0, 0], [1, 0, 0], [0, -1, 0], [0, 1, 0], [0, 0, -1], [0, 0, 1]])
    facing = (normals * (camera.position - 0.1 * normals)).sum(1)
    assert {int(k) for k in side.unique()} <= {k for k in range(6) if float(facing[k]) > -1e-4}


@BACKENDS
def test_the_corners_of_a_cube_are_where_the_camera_says(backend: str) -> None:
    camera = look_at_head(yaw=0.4, pitch=0.3, distance=1.2, focal=2.0, size=200)
    for point in CUBE:
        # A tiny triangle at the corner, turned to the camera.
        right, up = camera.rotation[0], camera.rotation[1]
        small = torch.stack([point + 0.01 * (-right - up), point + 0.01 * (right - up), point + 0.01 * 2 * up])
        covered = rasterize(small, ONE, camera, backend=backend).mask.nonzero().float() + 0.5
        torch.testing.assert_close(covered.mean(0).flip(0), camera.project(point), atol=0.35, rtol=0)


@BACKENDS
def test_the_nearer_of_two_faces_is_seen(backend: str) -> None:
    far = torch.tensor([[-9.0, -9.0, -3.0], [9.0, -9.0, -3.0], [0.0, 9.0, -3.0]])
    near = torch.tensor([[-0.2, -0.2, -1.0], [0.2, -0.2, -1.0], [0.0, 0.2, -1.0]])
    vertices, faces = torch.cat([far, near]), torch.tensor([[0, 1, 2], [3, 4, 5]])
    fragments = rasterize(vertices, faces, CAMERA, backend=backend)
    alone = rasterize(near, ONE, CAMERA, backend=backend).mask
    assert torch.equal(fragments.face == 1, alone)
    assert bool((fragments.face[~alone] == 0).all())


@BACKENDS
def test_behind_the_camera_nothing_is_seen(backend: str) -> None:
    fragments = rasterize(
        torch.tensor([[-9.0, -9.0, 1.0], [9.0, -9.0, 1.0], [0.0, 9.0, 1.0]]), ONE, CAMERA, backend=backend
    )
    assert not bool(fragments.mask.any())
    assert bool(fragments.depth.isinf().all())


def test_interpolation_is_zero_where_nothing_is_seen() -> None:
    fragments = Fragments(torch.tensor([[0, -1]]), torch.tensor([[0.2, 0.3, 0.5]]), torch.tensor([1.0]))
    values = torch.tensor([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]])
    torch.testing.assert_close(fragments.interpolate(values, ONE), torch.tensor([[[2.8, 28.0], [0.0, 0.0]]]))


@BACKENDS
def test_double_precision_is_accepted(backend: str) -> None:
    camera = Camera(
        torch.eye(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64), 70.0, CAMERA.center.double(), 64, 48
    )
    vertices = torch.tensor([[-0.2, -0.2, -1.0], [0.2, -0.2, -1.0], [0.0, 0.2, -1.0]])
    one, two = (
        rasterize(vertices, ONE, CAMERA, backend=backend),
        rasterize(vertices.double(), ONE, camera, backend=backend),
    )
    assert torch.equal(one.face, two.face)


places = st.tuples(st.floats(0, 1, width=32), st.floats(0, 1, width=32))


@settings(max_examples=40)
@given(st.tuples(places, places, places), st.sampled_from([7, 16, 33]))
def test_texels_are_covered_when_their_centre_is(corners: tuple[tuple[float, float], ...], size: int) -> None:
    a, b, c = np.array(corners, dtype=np.float64)
    matrix = np.stack([b - a, c - a], axis=1)
    assume(abs(np.linalg.det(matrix)) > 0.02)
    fragments = embree_rasterize_uv(torch.tensor(corners), ONE, size)
    steps = (np.arange(size) + 0.5) / size
    u, v = np.meshgrid(steps, 1 - steps)  # the first row is the top
    local = np.linalg.solve(matrix, (np.stack([u, v], -1) - a)[..., None])[..., 0]
    weights = np.concatenate([1 - local.sum(-1, keepdims=True), local], axis=-1)
    mask = fragments.mask.numpy()
    assert (mask >= (weights > 1e-4).all(-1)).all()
    assert (mask <= (weights > -1e-4).all(-1)).all()
    np.testing.assert_allclose(fragments.barycentric.numpy()[mask], weights[mask], atol=1e-4)
    found = fragments.interpolate(torch.tensor(corners), ONE).numpy()
    np.testing.assert_allclose(found[mask], np.stack([u, v], -1)[mask], atol=1e-5)


def test_the_whole_square_covers_every_texel() -> None:
    uv = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    fragments = embree_rasterize_uv(uv, torch.tensor([[0, 1, 2], [0, 2, 3]]), 64)
    assert bool(fragments.mask.all())
    assert int(fragments.face[63, 32]) == 0  # v = 0 is the last row
    assert int(fragments.face[0, 31]) == 1
