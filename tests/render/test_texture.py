"""Textures: bilinear and mip-mapped look-ups of batches, and how large a pixel is in a texture."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates
from torch import Tensor
from torch.autograd import gradcheck

from headviz.geometry.camera import Camera, Cameras
from headviz.geometry.mesh import Mesh
from headviz.geometry.mesh_batch import MeshBatch
from headviz.geometry.sampling import sample_texture, sample_textures
from headviz.render.raster import rasterize
from headviz.render.shade import RenderSettings, render
from headviz.render.texture import footprints, mip_levels, sample_mip_mapped

from .scenes import DOUBLE, before, cameras_in, corners_of, noise, oblique, rays_of, straight

SIZES = [(1, 1), (8, 8), (7, 5), (16, 4), (1, 9), (33, 17)]


def by_hand(texture: np.ndarray, u: float, v: float) -> np.ndarray:
    """scipy's bilinear look-up; texels' centres at half integers, v upwards."""
    height, width = texture.shape[:2]
    place = [[(1 - v) * height - 0.5], [u * width - 0.5]]
    return np.array([map_coordinates(texture[..., k], place, order=1, mode="nearest")[0] for k in range(3)])


def queries(pictures: int, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Coordinates, some of them outside, and their pictures, in order and not equally many."""
    picture = (noise(count, seed=seed) * pictures).long().sort().values
    return 1.4 * noise(count, 2, seed=seed + 1) - 0.2, picture


@pytest.mark.parametrize("size", SIZES)
@given(st.integers(1, 4), st.integers(0, 12), st.integers(0, 10**6))
@settings(max_examples=15)
def test_a_batch_of_textures_is_looked_up_one_after_the_other(
    size: tuple[int, int], pictures: int, count: int, seed: int
):
    textures = noise(pictures, *size, 3, seed=seed)
    uv, picture = queries(pictures, count, seed)
    found = sample_textures(textures, uv, picture)
    assert found.shape == (count, 3)
    for row in range(count):
        expected = by_hand(textures[picture[row]].numpy(), *uv[row].tolist())
        np.testing.assert_allclose(found[row], expected, atol=1e-12)
        np.testing.assert_allclose(sample_texture(textures[picture[row]], uv[row]), expected, atol=1e-12)
    torch.testing.assert_close(sample_mip_mapped(textures, uv, picture, torch.ones(count, dtype=DOUBLE)), found)


def overlaps(many: int, few: int) -> np.ndarray:
    """How much of each of a few equal parts each of many equal parts is, shape (few, many)."""
    start, left = np.arange(few)[:, None] / few, np.arange(many) / many
    return np.clip(np.minimum(start + 1 / few, left + 1 / many) - np.maximum(start, left), 0, None) * few


@pytest.mark.parametrize("size", [*SIZES, (9, 4), (255, 6)])
def test_every_level_is_the_mean_of_what_its_texels_cover(size: tuple[int, int]) -> None:
    textures = noise(2, *size, 3)
    levels = mip_levels(textures)
    assert levels[0] is textures
    for below, level in itertools.pairwise(levels):
        many, few = below.shape[1:3], level.shape[1:3]
        assert list(few) == [max(1, side // 2) for side in many]
        weights = [overlaps(one, other) for one, other in zip(many, few, strict=True)]
        expected = np.einsum("ih,jw,bhwc->bijc", *weights, below.numpy())
        np.testing.assert_allclose(level, expected, atol=1e-12)
        torch.testing.assert_close(level.mean((1, 2)), textures.mean((1, 2)))
    assert levels[-1].shape == (2, 1, 1, 3)


@given(st.integers(0, 10**6), st.sampled_from(SIZES))
@settings(max_examples=25)
def test_a_constant_texture_stays_constant_under_any_footprint(seed: int, size: tuple[int, int]) -> None:
    color = noise(2, 3, seed=seed)
    textures = color[:, None, None].expand(2, *size, 3)
    uv, picture = queries(2, 20, seed)
    footprint = torch.exp(20 * noise(20, seed=seed + 5) - 4)
    footprint[0], footprint[1], footprint[2] = 0.0, torch.inf, 1e30
    torch.testing.assert_close(sample_mip_mapped(textures, uv, picture, footprint), color[picture])


@pytest.mark.parametrize(("footprint", "levels"), [(0.2, {0: 1.0}), (1.0, {0: 1.0}), (2.0, {1: 1.0}), (4.0, {2: 1.0}),
    (2**0.25, {0: 0.75, 1: 0.25}), (2**1.5, {1: 0.5, 2: 0.5}), (999.0, {3: 1.0})])  # fmt: skip
def test_a_footprint_chooses_its_two_levels(footprint: float, levels: dict[int, float]) -> None:
    textures = noise(2, 8, 8, 3)
    uv, picture = queries(2, 9, 3)
    expected = sum(share * sample_textures(mip_levels(textures)[k], uv, picture) for k, share in levels.items())
    found = sample_mip_mapped(textures, uv, picture, torch.full((9,), footprint, dtype=DOUBLE))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("size", [(8, 8), (7, 5)])
def test_gradients_are_those_of_differences(size: tuple[int, int]) -> None:
    textures = noise(2, *size, 3).requires_grad_()
    uv, picture = queries(2, 9, 1)
    uv = (0.1 + 0.8 * noise(9, 2, seed=4)).requires_grad_()
    footprint = 6 * noise(9, seed=5)
    assert gradcheck(lambda t, c: sample_textures(t, c, picture), (textures, uv), eps=1e-7, atol=1e-5)
    assert gradcheck(lambda t, c: sample_mip_mapped(t, c, picture, footprint), (textures, uv), eps=1e-7, atol=1e-5)


def uv_at(rays: np.ndarray, corners: np.ndarray, texels: np.ndarray) -> np.ndarray:
    """Texture coordinates, in texels, where rays (p, 3) meet the planes of faces (p, 3, 3)."""
    solved = np.linalg.solve(np.swapaxes(corners, 1, 2), rays[..., None])[..., 0]
    return ((solved / solved.sum(1, keepdims=True))[..., None] * texels).sum(1)


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.sampled_from([(64, 64), (40, 90)]))
def test_a_footprint_is_how_far_apart_neighbouring_rays_are_in_the_texture(seed: int, size: tuple[int, int]) -> None:
    # Triangles of any tilt before oblique cameras, whose texture coordinates have a seam.
    cameras = oblique(2, focal=25.0)
    local = 3 * noise(2, 15, 3, seed=seed) - torch.tensor([1.5, 1.5, 4.0], dtype=DOUBLE)
    vertices, faces = before(cameras, local), torch.arange(15).reshape(5, 3)
    uv, uv_faces = noise(9, 2, seed=seed + 1), (noise(5, 3, seed=seed + 2) * 9).long()
    fragments = rasterize(vertices, faces, cameras, backend="torch")
    points = cameras.to_camera(vertices)
    found = footprints(fragments, points, faces, cameras, (uv, uv_faces, size)).numpy()
    start = 0
    for k in range(2):
        mask = fragments.mask[k].reshape(-1).numpy()
        face = fragments.face[k].reshape(-1).numpy()[mask]
        corners, rays = corners_of(vertices[k], faces, cameras, k)[face], rays_of(cameras, k)[mask]
        texels = uv[uv_faces].numpy()[face] * np.array([size[1], size[0]])
        step, focal = 1e-5, float(cameras.focal[k])
        sides = []
        for axis in range(2):
            move = np.zeros(3)
            move[axis] = step / focal  # a hundred-thousandth of a pixel
            difference = uv_at(rays + move, corners, texels) - uv_at(rays - move, corners, texels)
            sides.append(np.linalg.norm(difference, axis=1) / (2 * step))
        own = found[start : start + len(face)]
        np.testing.assert_allclose(own, np.maximum(*sides), rtol=1e-4, atol=1e-6)
        start += len(face)
    assert start == len(found)


def test_a_footprint_straight_ahead_is_a_ratio_of_sizes() -> None:
    # A square of 2 m with 64 texels, 4 m away, by 30 pixels at 1 m: 32 texels per metre, 7.5 pixels per metre.
    vertices = torch.tensor([[-1.0, -1.0, -4.0], [1.0, -1.0, -4.0], [1.0, 1.0, -4.0], [-1.0, 1.0, -4.0]])
    faces, uv = torch.tensor([[0, 1, 2], [0, 2, 3]]), torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    cameras = Cameras.of(straight(20, 20, 30.0))
    fragments = rasterize(vertices[None], faces, cameras)
    found = footprints(fragments, vertices[None], faces, cameras, (uv, faces, (64, 64)))
    torch.testing.assert_close(found, torch.full_like(found, 32 / 7.5))
    tall = footprints(
        fragments, vertices[None], faces, cameras, (uv, faces, (128, 64))
    )  # twice the rows: the longer side
    torch.testing.assert_close(tall, torch.full_like(tall, 64 / 7.5))


def board(texels: int, distance: float = 1.0) -> Mesh:
    """A black-and-white checkerboard, one texel per square, that fills the view of ``straight``."""
    vertices = torch.tensor([[-0.5, -0.5, -1.0], [0.5, -0.5, -1.0], [0.5, 0.5, -1.0], [-0.5, 0.5, -1.0]]) * distance
    faces, uv = torch.tensor([[0, 1, 2], [0, 2, 3]]), torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    squares = (torch.arange(texels)[:, None] + torch.arange(texels)) % 2
    return Mesh(vertices, faces, uv=uv, texture=squares[..., None].expand(-1, -1, 3).float())


@pytest.mark.parametrize("texels", [256, 255, 177])
def test_a_fine_checkerboard_is_grey_with_mip_mapping_and_supersampling_alone(texels: int) -> None:
    def spread(**settings_: object) -> float:
        picture = render(board(texels), straight(), settings=RenderSettings(**settings_)).picture  # type: ignore[arg-type]
        assert float(picture.mean()) == pytest.approx(0.5, abs=0.05)
        return float((picture - 0.5).abs().max())

    # 16 texels along a pixel, or 15.9: centres lie between texels in one case, on them in some places in the others.
    shifted = render(
        board(texels), Camera(torch.eye(3), torch.zeros(3), 16.0, torch.tensor([8.03, 8.03]), 16, 16)
    ).picture
    assert float((shifted - 0.5).abs().max()) > 0.2
    assert spread(texture_filter="mipmap") < 0.02
    assert spread(supersample=16) < (0.02 if texels == 256 else 0.1)


def test_what_a_pixel_sees_of_a_mipmap_is_the_mean_of_its_texels() -> None:
    # 4 texels along a pixel, and pixels that end where texels do: inside a level's look-up is one texel.
    picture = noise(64, 64, 3).float()
    mesh = Mesh(board(2).vertices, board(2).faces, uv=board(2).uv, texture=picture)
    found = render(mesh, straight(), settings=RenderSettings(texture_filter="mipmap")).picture
    torch.testing.assert_close(found, picture.reshape(16, 4, 16, 4, 3).mean((1, 3)), atol=1e-4, rtol=0)


def test_a_floor_to_the_horizon_fades_to_grey() -> None:
    depth = 60.0
    vertices = torch.tensor([[-60.0, -0.5, -0.2], [60.0, -0.5, -0.2], [60.0, -0.5, -depth], [-60.0, -0.5, -depth]])
    squares = board(512)
    mesh = Mesh(vertices, squares.faces, uv=squares.uv, texture=squares.texture)
    camera = straight(64, 64, 64.0)
    sharp = render(mesh, camera, settings=RenderSettings(texture_filter="mipmap")).picture[..., 0]
    raw = render(mesh, camera).picture[..., 0]
    far = slice(34, 40)  # 5 m to 20 m away
    assert float((sharp[far] - 0.5).abs().max()) < 0.12
    assert float((raw[far] - 0.5).abs().max()) > 0.4
    torch.testing.assert_close(sharp[60:], raw[60:], atol=0.6, rtol=0)


@pytest.mark.parametrize("backend", ["scanline", "torch", "embree"])
@pytest.mark.parametrize("filtered", ["bilinear", "mipmap"])
def test_textures_of_a_batch_are_seen_each_on_its_own_mesh(backend: str, filtered: str) -> None:
    square = board(2)
    textures = noise(3, 40, 24, 3).float()
    uv, uv_faces = torch.cat([torch.tensor([[0.3, 0.7]]), square.uv]), square.faces + 1  # type: ignore[list-item]
    vertices = torch.stack([square.vertices * torch.tensor([1.0, 1.0, 1 + 0.3 * k]) for k in range(3)])
    vertices[1] += 50  # out of sight
    cameras = cameras_in(Cameras.of([straight(12, 10, 9.0)] * 3), torch.float32)
    chosen = RenderSettings(backend=backend, texture_filter=filtered)  # type: ignore[arg-type]
    drawn = render(MeshBatch(vertices, square.faces, uv, uv_faces, textures), cameras, settings=chosen)
    for k in range(3):
        mesh = Mesh(vertices[k], square.faces, uv=uv, uv_faces=uv_faces, texture=textures[k])
        alone = render(mesh, cameras[k], settings=chosen)
        torch.testing.assert_close(drawn.picture[k], alone.picture, atol=1e-6, rtol=0)
    assert [int(mask.sum()) > 0 for mask in drawn.mask] == [True, False, True]


def test_mip_mapping_passes_gradients_to_texture_and_coordinates() -> None:
    square = board(2)
    texture, uv = noise(64, 64, 3).float().requires_grad_(), square.uv.clone().requires_grad_()  # type: ignore[union-attr]
    mesh = Mesh(square.vertices, square.faces, uv=uv, texture=texture)
    drawn = render(mesh, straight(), settings=RenderSettings(texture_filter="mipmap")).picture
    slopes = torch.autograd.grad((drawn * noise(16, 16, 3, seed=2)).sum(), (texture, uv))
    assert float(slopes[0].sum()) == pytest.approx(
        float(noise(16, 16, 3, seed=2).sum()), rel=1e-4
    )  # every pixel is a mean
    assert bool((slopes[1].abs().sum(1) > 0).all())
    assert math.isfinite(float(slopes[1].sum()))
