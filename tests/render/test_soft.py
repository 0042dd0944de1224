"""The soft mask: closed forms for one triangle, all pairs of pixels and faces in numpy, differences, the cut-off."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from headviz.errors import OptionError
from headviz.geometry.camera import Cameras, look_at_head
from headviz.geometry.mesh import Mesh
from headviz.geometry.mesh_batch import MeshBatch
from headviz.heads import load_head
from headviz.render.raster import rasterize
from headviz.render.shade import render
from headviz.render.soft import SoftMask, contributions, iou_loss, reference, soft_mask

from .scenes import DOUBLE, ONE, noise, straight

BOTH = pytest.mark.parametrize("made_by", [soft_mask, reference], ids=["compiled", "reference"])
Maker = Callable[..., Tensor]


def by_hand(pixels: np.ndarray, front: np.ndarray, faces: np.ndarray, mask: np.ndarray, soft: SoftMask) -> np.ndarray:
    """1 − Π (1 − exp(−d² / δ)) over all faces within the margin, for every pixel of one picture."""
    height, width = mask.shape
    delta = soft.delta * (min(height, width) / 2) ** 2
    u, v = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    points = np.stack([u, v], -1).reshape(-1, 2)
    left = np.ones(len(points))
    for face in faces:
        if not front[face].all():
            continue
        distance = np.full(len(points), np.inf)
        for start, end in zip(face, np.roll(face, -1), strict=True):
            a, b = pixels[start], pixels[end]
            to_a, to_b = (np.linalg.norm(points - each, axis=1) for each in (a, b))
            distance = np.minimum(distance, np.minimum(to_a, to_b))
            length = np.linalg.norm(b - a)
            if length > 0:
                along = (points - a) @ (b - a) / length
                beside = np.abs((points - a) @ np.array([a[1] - b[1], b[0] - a[0]])) / length
                distance = np.where((along > 0) & (along < length), np.minimum(distance, beside), distance)
        share = np.exp(-(distance**2) / delta)
        left *= np.where(share > soft.cutoff, np.maximum(1 - share, 1e-12), 1)
    return np.where(mask, 1, 1 - left.reshape(height, width))


def scene(seed: int, count: int, faces: int, size: tuple[int, int], spread: float = 1.4) -> tuple[Tensor, ...]:
    """Random pixel positions (b, n, 2), which are in front, faces, and an uncovered picture with a few pixels of mask."""
    bound = torch.tensor([size[1], size[0]], dtype=DOUBLE)
    pixels = bound * (spread * noise(count, 3 * faces, 2, seed=seed) - (spread - 1) / 2)
    index = (noise(faces, 3, seed=seed + 1) * 3 * faces).long()
    return pixels, noise(count, 3 * faces, seed=seed + 2) > 0.05, index, noise(count, *size, seed=seed + 3) > 0.8


@BOTH
@pytest.mark.parametrize(("width", "height"), [(20, 20), (30, 20), (20, 30)])
def test_beside_one_triangle_it_falls_with_the_distance(made_by: Maker, width: int, height: int) -> None:
    # A right angle at (5, 15), one side along x = 5 up to (5, 7), one along y = 15 to (13, 15).
    pixels = torch.tensor([[[5.0, 15.0], [13.0, 15.0], [5.0, 7.0]]], dtype=DOUBLE)
    soft = SoftMask(delta=0.09, cutoff=1e-9)  # δ is 9 square pixels: the shorter side is 20
    assert soft.square(height, width) == pytest.approx(9)
    assert soft.margin(height, width) == pytest.approx(math.sqrt(9 * math.log(1e9)))
    mask = torch.zeros(1, height, width, dtype=torch.bool)
    mask[0, 12, 6] = True
    made = made_by(pixels, torch.ones(1, 3, dtype=torch.bool), ONE, mask, soft)[0]
    assert made[12, 6] == 1
    for (row, column), square in {
        (10, 2): 2.5**2,  # to the upright side
        (17, 8): 2.5**2,  # to the level side
        (11, 11): 2.0**2 / 2,  # to the slanting side, u = v − 2
        (17, 1): 3.5**2 + 2.5**2,  # to the corner at (5, 15)
        (3, 4): 0.5**2 + 3.5**2,  # to the corner at (5, 7)
        (15, 15): 2.5**2 + 0.5**2,  # to the corner at (13, 15)
    }.items():
        assert float(made[row, column]) == pytest.approx(math.exp(-square / 9), rel=1e-9), (row, column)


@BOTH
@settings(max_examples=60)
@given(
    st.integers(0, 10**6), st.sampled_from([(9, 14), (20, 6), (1, 1), (1, 17), (16, 16), (40, 3)]), st.integers(1, 12)
)
@example(0, (1, 1), 1)
def test_all_pairs_of_pixels_and_faces_count(made_by: Maker, seed: int, size: tuple[int, int], faces: int) -> None:
    soft = SoftMask(delta=[0.3, 0.02, 2.0, 1 / 7000][seed % 4], cutoff=[1e-4, 1e-2, 0.5][seed % 3])
    given_ = scene(seed, 2, faces, size)
    made = made_by(*given_, soft)
    assert made.dtype == DOUBLE
    for k in range(2):
        pixels, front, index, mask = (values.numpy() for values in given_)
        np.testing.assert_allclose(made[k], by_hand(pixels[k], front[k], index, mask[k], soft), atol=1e-9)
    single = (given_[0].float(), *given_[1:])
    difference = (made_by(*single, soft).double() - made).abs()
    assert float(difference.median()) < 1e-5
    assert float(difference.max()) < 1.1 * soft.cutoff + 1e-4  # a pixel at a margin may be within it or not


def slope(made_by: Maker, given_: tuple[Tensor, ...], soft: SoftMask, upstream: Tensor) -> tuple[Tensor, Tensor]:
    pixels = given_[0].clone().requires_grad_()
    made = made_by(pixels, *given_[1:], soft)
    (found,) = torch.autograd.grad((made * upstream).sum(), pixels)
    return made.detach(), found


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.sampled_from([(9, 14), (20, 6), (1, 1), (33, 40)]), st.sampled_from([1, 5, 30]))
def test_the_compiled_one_is_the_readable_one(seed: int, size: tuple[int, int], faces: int) -> None:
    soft = SoftMask(delta=[0.3, 0.02, 1 / 7000][seed % 3], cutoff=[1e-4, 1e-12][seed % 2])
    given_ = scene(seed, 3, faces, size)
    upstream = noise(3, *size, seed=seed + 9) - 0.5
    upstream[noise(3, *size, seed=seed + 10) > 0.8] = 0
    (one, fast), (two, slow) = (slope(made_by, given_, soft, upstream) for made_by in (soft_mask, reference))
    torch.testing.assert_close(one, two, atol=1e-12, rtol=0)
    torch.testing.assert_close(fast, slow, atol=1e-9, rtol=1e-9)
    single = (given_[0].float(), *given_[1:])
    (_, fast), (_, slow) = (slope(made_by, single, soft, upstream.float()) for made_by in (soft_mask, reference))
    torch.testing.assert_close(fast, slow, atol=1e-3 * float(slow.abs().max() + 1), rtol=1e-3)


def kink(pixels: np.ndarray, faces: np.ndarray, size: tuple[int, int]) -> float:
    """How near a pixel is to where the formula's derivative jumps."""
    u, v = np.meshgrid(np.arange(size[1]) + 0.5, np.arange(size[0]) + 0.5)
    points = np.stack([u, v], -1).reshape(-1, 2)
    least = np.inf
    for face in faces:
        found = []
        for start, end in zip(face, np.roll(face, -1), strict=True):
            side = pixels[end] - pixels[start]
            along = (points - pixels[start]) @ side / max(side @ side, 1e-30)
            found.append(np.linalg.norm(points - pixels[start] - np.clip(along, 0, 1)[:, None] * side, axis=1))
            least = min(least, np.abs(along).min(), np.abs(along - 1).min())
        first, second, _ = np.sort(found, axis=0)
        shared = second - first  # 0 also where both sides' nearest point is their common corner
        least = min(least, np.where(shared > 1e-12, shared, np.inf).min(), first.min())
    return least


def smooth_scenes(count: int) -> list[tuple[Tensor, ...]]:
    """Small scenes in which no pixel is where the formula's derivative jumps."""
    found = (scene(seed, 2, 3, (5, 6), spread=1.0) for seed in range(1000))
    smooth = (each for each in found if min(kink(pixels.numpy(), each[2].numpy(), (5, 6)) for pixels in each[0]) > 3e-4)
    return list(itertools.islice(smooth, count))


@BOTH
@pytest.mark.parametrize("k", range(4))
def test_first_and_second_derivatives_are_those_of_differences(made_by: Maker, k: int) -> None:
    pixels, front, faces, mask = smooth_scenes(4)[k]
    soft = SoftMask(delta=0.3, cutoff=1e-12)  # a step at the margin that differences do not see
    pixels.requires_grad_()
    assert gradcheck(lambda p: made_by(p, front, faces, mask, soft), (pixels,), eps=1e-7, atol=1e-5)
    assert gradgradcheck(lambda p: made_by(p, front, faces, mask, soft), (pixels,), eps=1e-7, atol=1e-4, rtol=1e-4)


@BOTH
def test_a_pixel_beside_a_side_is_pulled_as_computed_by_hand(made_by: Maker) -> None:
    # Only the side u = 6, from v = 2 to 10, is near the pixel (5.5, 8.5): its ends pull with their shares.
    pixels = torch.tensor([[[6.0, 2.0], [6.0, 10.0], [15.0, 6.0]]], dtype=DOUBLE).requires_grad_()
    soft = SoftMask(delta=0.04, cutoff=1e-9)  # 4 square pixels
    made = made_by(pixels, torch.ones(1, 3, dtype=torch.bool), ONE, torch.zeros(1, 20, 20, dtype=torch.bool), soft)
    (found,) = torch.autograd.grad(made[0, 8, 5], pixels)
    whole = -math.exp(-0.25 / 4) * 2 * 0.5 / 4  # moving to the right moves away
    share = (8.5 - 2) / 8
    expected = torch.tensor([[[whole * (1 - share), 0.0], [whole * share, 0.0], [0.0, 0.0]]], dtype=DOUBLE)
    torch.testing.assert_close(found, expected)


@BOTH
@pytest.mark.parametrize(
    "corners",
    [[[4.0, 5.0]] * 3, [[4.0, 5.0], [4.0, 5.0], [9.0, 7.0]], [[2.0, 2.0], [5.0, 5.0], [9.0, 9.0]], [[4.5, 5.5]] * 3],
    ids=["point", "twice the same corner", "line", "point on a pixel's centre"],
)
def test_faces_without_area_are_lines_and_points(made_by: Maker, corners: list[list[float]]) -> None:
    pixels = torch.tensor([corners], dtype=DOUBLE).requires_grad_()
    front, mask, soft = torch.ones(1, 3, dtype=torch.bool), torch.zeros(1, 12, 12, dtype=torch.bool), SoftMask(0.1)
    made = made_by(pixels, front, ONE, mask, soft)
    expected = by_hand(np.array(corners), front[0].numpy(), ONE.numpy(), mask[0].numpy(), soft)
    np.testing.assert_allclose(made.detach()[0], expected, atol=1e-9)
    (found,) = torch.autograd.grad((made * noise(12, 12)).sum(), pixels)
    assert bool(torch.isfinite(found).all())
    single = made_by(pixels.detach().float(), front, ONE, mask, soft)
    np.testing.assert_allclose(single[0], expected, atol=1e-5)


@BOTH
def test_a_face_that_is_there_twice_counts_twice(made_by: Maker) -> None:
    pixels, front, faces, _ = scene(5, 1, 1, (12, 9), spread=0.6)
    mask, front = torch.zeros(1, 12, 9, dtype=torch.bool), torch.ones_like(front)
    faces, soft = ONE, SoftMask(0.2)
    once, twice = (made_by(pixels, front, faces.repeat(k, 1), mask, soft) for k in (1, 2))
    torch.testing.assert_close(twice, 1 - (1 - once) ** 2)


@BOTH
@pytest.mark.parametrize("place", [torch.inf, -torch.inf, torch.nan, 1e30, -1e30])
def test_corners_behind_the_camera_do_not_count_wherever_they_are(made_by: Maker, place: float) -> None:
    pixels, _, _, mask = scene(3, 2, 2, (10, 12))
    pixels[:, 4] = place
    front = torch.ones(2, 6, dtype=torch.bool)
    front[:, 4] = False
    faces = torch.arange(6).reshape(2, 3)
    moving = pixels.clone().requires_grad_()
    made = made_by(moving, front, faces, mask, SoftMask(0.2))
    torch.testing.assert_close(made, made_by(pixels, front, faces[:1], mask, SoftMask(0.2)))
    (found,) = torch.autograd.grad(made.sum(), moving)
    assert bool(torch.isfinite(found).all())
    assert bool((found[:, 3:] == 0).all())
    assert bool((found[:, :3] != 0).any())


@BOTH
def test_a_batch_is_one_mask_after_the_other(made_by: Maker) -> None:
    given_, soft = scene(7, 4, 9, (14, 11)), SoftMask(0.05)
    upstream = noise(4, 14, 11, seed=1)
    batch, slopes = slope(made_by, given_, soft, upstream)
    for k in range(4):
        pixels, front, faces, mask = given_
        one, own = slope(
            made_by, (pixels[k : k + 1], front[k : k + 1], faces, mask[k : k + 1]), soft, upstream[k : k + 1]
        )
        torch.testing.assert_close(batch[k], one[0])
        torch.testing.assert_close(slopes[k], own[0])


@BOTH
def test_a_picture_that_is_full_or_empty_is_1_or_0_without_gradient(made_by: Maker) -> None:
    pixels, front, faces, mask = scene(2, 2, 4, (8, 9))
    soft = SoftMask()
    full, none = slope(made_by, (pixels, front, faces, torch.ones_like(mask)), soft, noise(8, 9))
    assert bool((full == 1).all())
    assert bool((none == 0).all())
    empty, none = slope(made_by, (pixels + 1000, front, faces, torch.zeros_like(mask)), soft, noise(8, 9))
    assert bool((empty == 0).all())
    assert bool((none == 0).all())
    away = (pixels - 1000).requires_grad_()
    made = made_by(away, front, faces, torch.zeros_like(mask), soft)
    (first,) = torch.autograd.grad(made.sum(), away, create_graph=True)  # as for a second derivative
    assert bool((first == 0).all())


def test_contributions_are_the_pairs_by_pixel() -> None:
    pixels, front, faces, mask = scene(4, 2, 5, (9, 10))
    soft = SoftMask(0.1)
    pairs = contributions(pixels, front, faces, mask, soft)
    assert bool((pairs.pixel.diff() >= 0).all())
    assert float(pairs.probability.min()) >= soft.cutoff
    torch.testing.assert_close(pairs.probability, torch.exp(-(pairs.distance**2) / soft.square(9, 10)))
    assert not bool(mask.reshape(-1)[pairs.pixel].any())
    for k in (0, len(pairs.pixel) // 2, len(pairs.pixel) - 1):
        picture, rest = divmod(int(pairs.pixel[k]), 90)
        alone = by_hand(
            pixels[picture].numpy(),
            front[picture].numpy(),
            faces[pairs.face[k]][None].numpy(),
            mask[picture].numpy(),
            soft,
        )
        assert float(pairs.probability[k]) == pytest.approx(alone.reshape(-1)[rest], abs=1e-9)


HEAD = load_head()


def mask_of(size: int, soft: SoftMask, yaw: float = 0.4) -> Tensor:
    made = render(Mesh(HEAD.mean, HEAD.faces), look_at_head(yaw=yaw, size=size), soft=soft).soft_mask
    assert made is not None
    return made


@pytest.mark.parametrize("yaw", [0.0, 0.9, 2.5])
def test_where_the_heads_mask_ends_there_is_no_step_to_be_seen(yaw: float) -> None:
    whole, cut = mask_of(160, SoftMask(cutoff=1e-12), yaw), mask_of(160, SoftMask(), yaw)
    assert float((whole - cut).abs().max()) < 1 / 255
    assert float(whole[(cut == 0) & (whole > 0)].max()) < 1 / 255  # just beyond the margin
    assert int(((whole > 0) & (whole < 1)).sum()) > 300


def test_the_same_softness_looks_the_same_at_every_size() -> None:
    small, large = mask_of(100, SoftMask(1 / 300)), mask_of(200, SoftMask(1 / 300))
    halved = large.unflatten(1, (100, 2)).unflatten(0, (100, 2)).mean((1, 3))
    assert float((small - halved).abs().max()) < 0.12  # pixels that the outline cuts
    assert float((small - halved).abs().mean()) < 2e-3
    beside = (small < 0.95) & (small > 0.01)
    assert int(beside.sum()) > 300
    assert float((small - halved)[beside].abs().mean()) < 0.02


def test_the_mask_of_a_rendering_is_that_of_its_projected_corners() -> None:
    cameras = Cameras.orbit(torch.tensor([0.3, 2.0]), size=24, focal=2.0)
    vertices, faces = 0.15 * (noise(2, 12, 3).float() - 0.5), torch.arange(12).reshape(4, 3)
    vertices[1, 4] = 2 * cameras.position[1]  # behind the second camera
    drawn = render(MeshBatch(vertices, faces), cameras, soft=SoftMask(0.01))
    assert drawn.soft_mask is not None
    local = cameras.to_camera(vertices)
    for k in range(2):
        pixels = cameras.project(vertices)[k].double().numpy()
        front = (local[k, :, 2] < 0).numpy()
        expected = by_hand(pixels, front, faces.numpy(), drawn.mask[k].numpy(), SoftMask(0.01))
        np.testing.assert_allclose(drawn.soft_mask[k], expected, atol=3e-4)
    assert 0 < int(drawn.mask.sum()) < 500


soft_pictures = st.integers(0, 10**6).map(lambda seed: (noise(3, 5, 4, seed=seed), noise(3, 5, 4, seed=seed + 1)))


@given(soft_pictures)
def test_the_loss_of_masks_is_their_intersection_over_their_union(pictures: tuple[Tensor, Tensor]) -> None:
    one, other = pictures
    hard, hard_other = (one > 0.5).double(), (other > 0.5).double()
    found = iou_loss(hard, hard_other)
    for k in range(3):
        shared = int(((one[k] > 0.5) & (other[k] > 0.5)).sum())
        either = int(((one[k] > 0.5) | (other[k] > 0.5)).sum())
        assert float(found[k]) == pytest.approx(1 - shared / either if either else 0.0)
    soft = iou_loss(one, other)
    assert soft.shape == (3,)
    assert bool(((soft >= 0) & (soft <= 1)).all())
    torch.testing.assert_close(soft, iou_loss(other, one))
    expected = 1 - (one * other).sum((1, 2)) / (one + other - one * other).sum((1, 2))
    torch.testing.assert_close(soft, expected)
    torch.testing.assert_close(iou_loss(one[0], other[0]), soft[0])  # without a first dimension
    assert gradcheck(iou_loss, (one.requires_grad_(), other.requires_grad_()))


def test_the_loss_of_equal_disjoint_and_empty_masks() -> None:
    some = (noise(2, 6, 6) > 0.5).double()
    assert iou_loss(some, some).tolist() == [0, 0]
    assert iou_loss(some, 1 - some).tolist() == [1, 1]
    nothing = torch.zeros(2, 6, 6, dtype=DOUBLE).requires_grad_()
    assert iou_loss(nothing, some).tolist() == [1, 1]
    both = iou_loss(nothing, torch.zeros_like(nothing))
    assert both.tolist() == [0, 0]
    (found,) = torch.autograd.grad(both.sum(), nothing)
    assert bool((found == 0).all())
    (found,) = torch.autograd.grad(iou_loss(nothing, some).sum(), nothing)
    torch.testing.assert_close(found, -some / some.sum((1, 2), keepdim=True))  # more where it is wanted is better


def test_the_loss_pulls_a_triangle_to_where_it_is_wanted() -> None:
    camera = straight(32, 32, 32.0)
    wanted = torch.zeros(32, 32)
    wanted[8:24, 18:30] = 1
    vertices = torch.tensor([[-0.4, -0.2, -1.0], [-0.1, -0.2, -1.0], [-0.2, 0.2, -1.0]]).requires_grad_()
    drawn = render(MeshBatch(vertices[None], ONE), camera, soft=SoftMask(1 / 20))
    assert drawn.soft_mask is not None
    (found,) = torch.autograd.grad(iou_loss(drawn.soft_mask[0], wanted), vertices)
    assert float(found[:, 0].sum()) < 0  # to the right
    hard = rasterize(vertices, ONE, camera, backend="torch").mask
    assert bool((drawn.soft_mask[0].detach()[hard] == 1).all())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"delta": 0.0}, "delta should be positive and finite; it is 0.0"),
        ({"delta": -1.0}, "delta should be positive and finite; it is -1.0"),
        ({"delta": math.inf}, "delta should be positive and finite; it is inf"),
        ({"delta": math.nan}, "delta should be positive and finite; it is nan"),
        ({"cutoff": 0.0}, r"cutoff should be in \(0, 1\); it is 0.0"),
        ({"cutoff": 1.0}, r"cutoff should be in \(0, 1\); it is 1.0"),
        ({"cutoff": math.nan}, r"cutoff should be in \(0, 1\); it is nan"),
    ],
)
def test_a_softness_that_cannot_be_is_named(values: dict[str, float], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        SoftMask(**values)
