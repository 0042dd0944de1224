"""All rasterizers see the same: on a head, at every scale and size of picture, and in every form of the arrays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from headviz.geometry.camera import Cameras
from headviz.geometry.mesh_batch import MeshBatch
from headviz.heads import load_head
from headviz.render import boxes
from headviz.render.fragments import Fragments
from headviz.render.raster import rasterize
from headviz.render.shade import RenderSettings, render
from headviz.render.soft import SoftMask, reference

from .scenes import DOUBLE, ONE, before, cameras_in, corners_of, depth_range, meet, noise, oblique, rays_of, straight

NAMES = ("scanline", "embree", "torch")
BACKENDS = pytest.mark.parametrize("backend", NAMES)
HEAD = load_head()
VIEWS = 8


def around(size: int, distance: float = 0.9, focal: float = 3.0, count: int = VIEWS) -> Cameras:
    """From many sides, above and below, in float32."""
    yaw, pitch = 6.3 * noise(count, seed=11).float(), 3 * noise(count, seed=12).float() - 1.5
    return Cameras.orbit(yaw, pitch, distance=distance, focal=focal, size=size)


def check(fragments: Fragments, vertices: Tensor, faces: Tensor, cameras: Cameras, band: float, near: float) -> None:
    """Whether every pixel sees what it should; a ray within the band of an edge may pass it on either side.

    Args:
        fragments: what was found.
        vertices: shape (b, n, 3).
        faces: shape (m, 3).
        cameras: b of them.
        band: in units of weights.
        near: relative error of depths.
    """
    for k in range(len(cameras)):
        corners, rays = corners_of(vertices[k], faces, cameras, k), rays_of(cameras, k)
        low, high = depth_range(corners, rays, band)
        found = fragments.depth[k].detach().double().reshape(-1).numpy()
        assert (found >= low * (1 - near)).all()
        assert (found <= high * (1 + near)).all()  # infinite where nothing has to be seen
        mask, face = np.isfinite(found), fragments.face[k].reshape(-1).numpy()
        assert (mask == (face >= 0)).all()
        for pixel in np.flatnonzero(mask)[:: max(int(mask.sum()) // 50, 1)]:
            weights, depth = meet(corners[face[pixel]][None], rays[pixel][None])
            own = fragments.barycentric[k].detach().reshape(-1, 3)[pixel].numpy()
            np.testing.assert_allclose(own, weights[0, :, 0], atol=band)
            assert found[pixel] == pytest.approx(float(depth[0, 0]), rel=near)


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
def test_the_head_is_the_same_for_all_of_them(dtype: torch.dtype) -> None:
    cameras = cameras_in(around(128), dtype)
    vertices = HEAD.mean.to(dtype).expand(VIEWS, -1, -1)
    found = {name: rasterize(vertices, HEAD.faces, cameras, backend=name) for name in NAMES}
    first = found["scanline"]
    assert int(first.mask.sum()) > 20000
    for name in ("embree", "torch"):
        other = found[name]
        differ = (first.face != other.face).reshape(-1).nonzero()[:, 0]
        assert len(differ) <= 2e-4 * int(first.mask.sum()), name
        for pixel in differ.tolist():  # a ray that meets an edge, within rounding
            k, place = divmod(pixel, 128 * 128)
            faces = [int(f.face.reshape(-1)[pixel]) for f in (first, other)]
            corners = corners_of(vertices[k], HEAD.faces, cameras, k)[[f for f in faces if f >= 0]]
            weights, _ = meet(corners, rays_of(cameras, k)[place][None])
            assert float(np.abs(weights.min(1)).min()) < 1e-3, name
        same = first.face == other.face
        assert torch.equal(first.barycentric[same], other.barycentric[same])
        assert torch.equal(first.depth[same], other.depth[same])


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
def test_gradients_are_the_same_where_faces_are(dtype: torch.dtype) -> None:
    cameras = cameras_in(around(96, count=3), dtype)
    colors = noise(1, len(HEAD.mean), 3).to(dtype)
    found = {}
    for name in NAMES:
        numbers = [cameras.rotation, cameras.translation, cameras.focal, cameras.center, HEAD.mean.to(dtype)]
        *rest, mean = inputs = [value.clone().requires_grad_() for value in numbers]
        batch = MeshBatch(mean.expand(3, -1, -1), HEAD.faces, colors=colors)
        made = render(batch, Cameras(*rest, 96, 96), soft=SoftMask(), settings=RenderSettings(backend=name))
        found[name] = made, inputs
    faces = torch.stack([made.fragments.face for made, _ in found.values()])
    same = (faces == faces[0]).all(0)
    assert int((~same).sum()) <= 6
    upstream, softly = noise(3, 96, 96, 3, seed=3).to(dtype), noise(3, 96, 96, seed=4).to(dtype)
    slopes = {}
    for name, (made, inputs) in found.items():
        depth = torch.where(made.mask, made.depth, 0)
        assert made.soft_mask is not None
        loss = (upstream * same[..., None] * made.picture).sum() + (softly * same * (depth + made.soft_mask)).sum()
        slopes[name] = torch.autograd.grad(loss, inputs)
    for name in ("embree", "torch"):
        for one, other in zip(slopes["scanline"], slopes[name], strict=True):
            scale = float(one.abs().max())
            torch.testing.assert_close(one, other, atol=(1e-5 if dtype == torch.float32 else 1e-12) * scale, rtol=0)


SCALES = [(1e-3, 0.9e-3, 3.0), (1e3, 900.0, 3.0), (1.0, 100.0, 300.0), (1.0, 100.0, 20.0), (1.0, 0.25, 0.7)]


@BACKENDS
@pytest.mark.parametrize(("scale", "distance", "focal"), SCALES)
def test_scale_and_distance_do_not_matter(backend: str, scale: float, distance: float, focal: float) -> None:
    # Millimetres for metres, kilometres, 100 m away with a long or a short lens, and within arm's length.
    cameras = around(48, distance, focal, 2)
    vertices = (HEAD.mean * scale).expand(2, -1, -1)
    fragments = rasterize(vertices, HEAD.faces, cameras, backend=backend)
    far = distance > 50 * scale  # float32 has 8 µm at 100 m, where faces are some mm wide
    check(fragments, vertices, HEAD.faces, cameras, 0.05 if far else 2e-3, 1e-4)
    assert int(fragments.mask.sum()) >= (100 if focal != 20.0 else 4)


@BACKENDS
@pytest.mark.parametrize("size", [(1, 1), (1, 23), (23, 1), (333, 17), (17, 333)])
def test_pictures_may_have_any_size(backend: str, size: tuple[int, int]) -> None:
    width, height = size
    some = around(min(size), focal=1.0, count=1)
    cameras = Cameras(some.rotation, some.translation, some.focal * 4, some.center + 0.0, width, height)
    vertices = HEAD.mean[None]
    fragments = rasterize(vertices, HEAD.faces, cameras, backend=backend)
    assert fragments.face.shape == (1, height, width)
    check(fragments, vertices, HEAD.faces, cameras, 2e-3, 1e-4)
    assert bool(fragments.mask.any())


@BACKENDS
def test_faces_smaller_than_pixels_are_seen_where_centres_meet_them(backend: str) -> None:
    cameras = around(12, focal=2.0, count=4)
    vertices = HEAD.mean.expand(4, -1, -1)
    fragments = rasterize(vertices, HEAD.faces, cameras, backend=backend)
    assert int(fragments.mask.sum()) > 40
    check(fragments, vertices, HEAD.faces, cameras, 2e-3, 1e-4)


@BACKENDS
@settings(max_examples=30)
@given(st.integers(0, 10**6), st.sampled_from([1e-6, 1e-4, 1e-2]))
def test_slivers_are_seen_where_they_should_be(backend: str, seed: int, width: float) -> None:
    # Needles much thinner than a pixel, and an edge of one through the middle of a pixel now and then.
    cameras = oblique(1)
    ends = 2 * noise(20, 2, 3, seed=seed) - torch.tensor([1.0, 1.0, 3.0], dtype=DOUBLE)
    local = torch.cat([ends, ends[:, :1] + width * (noise(20, 1, 3, seed=seed + 1) - 0.5)], 1).reshape(1, 60, 3)
    vertices, faces = before(cameras, local), torch.arange(60).reshape(20, 3)
    fragments = rasterize(vertices, faces, cameras, backend=backend)
    if backend != "embree":  # float32
        check(fragments, vertices, faces, cameras, 1e-6, 1e-6)
    assert bool(torch.isfinite(fragments.weights).all())


@BACKENDS
@pytest.mark.parametrize("distance", [1.0, 1e6, 1e9])
def test_one_face_may_fill_the_picture_at_any_distance(backend: str, distance: float) -> None:
    vertices = torch.tensor([[-9.0, -9.0, -1.0], [9.0, -9.0, -1.0], [0.0, 9.0, -1.0]]) * distance
    fragments = rasterize(vertices, ONE, straight(40, 30, 30.0), backend=backend)
    assert bool((fragments.face == 0).all())
    torch.testing.assert_close(fragments.depth, torch.full((30, 40), distance))
    many = rasterize(vertices.expand(2, 3, 3), ONE, Cameras.of([straight(40, 30, 30.0)] * 2), backend=backend)
    assert bool(many.mask.all())


@BACKENDS
@pytest.mark.parametrize("number", [1e15, 1e30, 1e-42])
def test_absurd_numbers_do_no_harm(backend: str, number: float) -> None:
    # Corners whose products overflow, and one almost in the camera's plane, whose place in the picture is 0 · ∞.
    vertices = torch.tensor([[-3.0, -3.0, -1.0], [4.0, -2.0, -1.0], [0.0, 3.0, -number]])
    if number > 1:
        vertices[:2] *= number
    made = rasterize(vertices, ONE, straight(40, 30, 30.0), backend=backend)
    assert bool(torch.isfinite(made.depths).all())
    assert made.face.unique().tolist() in ([-1], [0], [-1, 0])


@BACKENDS
def test_arrays_may_lie_anyhow(backend: str) -> None:
    cameras = around(40, count=2)
    vertices = torch.stack([HEAD.mean, HEAD.mean * 0.9])
    first = rasterize(vertices, HEAD.faces, cameras, backend=backend)
    scattered = torch.zeros(3, 2 * vertices.shape[1], 2)
    scattered[:, ::2] = vertices.permute(2, 1, 0)
    strided = scattered[:, ::2].permute(2, 1, 0)
    assert not strided.is_contiguous()
    columns = HEAD.faces.T.contiguous().T
    moved = Cameras(
        cameras.rotation.mT.contiguous().mT, cameras.translation.repeat(1, 2)[:, :3], cameras.focal, cameras.center, 40, 40
    )  # fmt: skip
    for faces in (columns, HEAD.faces.to(torch.int32), HEAD.faces.to(torch.int32).T.contiguous().T):
        other = rasterize(strided, faces, moved, backend=backend)
        assert torch.equal(first.face, other.face)
        torch.testing.assert_close(first.weights, other.weights, atol=1e-5, rtol=0)
    whole = render(MeshBatch(strided.requires_grad_(), columns.to(torch.int32)), moved, soft=SoftMask())
    assert whole.soft_mask is not None
    (slope,) = torch.autograd.grad(whole.soft_mask.sum(), strided)
    assert bool(torch.isfinite(slope).all())


@pytest.mark.parametrize("at_once", [1, 7, 300])
def test_long_lists_are_cut_anywhere(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    cameras = around(12, count=2)
    vertices, faces = HEAD.mean.expand(2, -1, -1), HEAD.faces[::9]

    def draw() -> tuple[Tensor, Tensor]:
        face = rasterize(vertices, faces, cameras, backend="torch").face
        front = torch.ones(vertices.shape[:2], dtype=torch.bool)
        return face, reference(cameras.project(vertices), front, faces, face >= 0, SoftMask(0.1))

    whole = draw()
    monkeypatch.setattr(boxes, "AT_ONCE", at_once)
    parts = draw()
    assert torch.equal(whole[0], parts[0])
    assert int((whole[0] >= 0).sum()) > 20
    torch.testing.assert_close(whole[1], parts[1])


@contextmanager
def threads(count: int) -> Iterator[None]:
    before_ = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before_)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_pictures_do_not_depend_on_the_number_of_threads(count: int) -> None:
    # A few pictures are cut into bands of rows, many are not.
    cameras = around(75, count=count)
    made = []
    for number in (1, 2, 5, 7):
        with threads(number):
            vertices = HEAD.mean.expand(count, -1, -1).clone().requires_grad_()
            drawn = render(MeshBatch(vertices, HEAD.faces), cameras, soft=SoftMask())
            assert drawn.soft_mask is not None
            (slope,) = torch.autograd.grad((drawn.soft_mask * noise(75, 75).float()).sum(), vertices)
            made.append((drawn.fragments.face, drawn.soft_mask, slope))
    for face, mask, slope in made[1:]:
        assert torch.equal(face, made[0][0])
        torch.testing.assert_close(mask, made[0][1], atol=1e-6, rtol=0)
        torch.testing.assert_close(slope, made[0][2], atol=1e-4 * float(slope.abs().max()), rtol=0)
