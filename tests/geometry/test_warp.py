"""Warps: the formula, its gradients, symmetry; compiled code and parts against the formula."""

from __future__ import annotations

import importlib
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from headviz.errors import OptionError, ShapeError
from headviz.geometry.rbf import KERNELS
from headviz.geometry.warp import displacement, warp

DOUBLE = torch.float64
FLIP = torch.tensor([-1.0, 1.0, 1.0])
module = importlib.import_module("headviz.geometry.warp")


def scene(n: int, k: int, *batch: int, seed: int = 0, dtype: torch.dtype = DOUBLE) -> tuple[Tensor, Tensor, Tensor]:
    """Points, keypoints and vectors; the first keypoint is a point, and the second lies on the plane x = 0."""
    generator = torch.Generator().manual_seed(seed)
    points, keypoints, vectors = (
        0.5 * torch.randn(*batch, count, 3, generator=generator, dtype=DOUBLE).to(dtype) for count in (n, k, k)
    )
    keypoints[..., 0, :] = points[..., 0, :]
    if k > 1:
        keypoints[..., 1, 0] = 0
    return points, keypoints, 0.2 * vectors


def widths(kernel: str, k: int, dtype: torch.dtype = DOUBLE) -> Tensor:
    """An alpha per keypoint, of a size that suits the kernel."""
    return torch.linspace(0.5, 1.5, k, dtype=dtype) * {"gaussian": 6.0, "wendland": 1.2}.get(kernel, 0.5)


def test_eq_3_1_by_hand() -> None:
    points, keypoints, vectors = scene(5, 3)
    found = warp(points, keypoints, vectors, alpha=7.0, strength=0.3)
    for i, x in enumerate(points.tolist()):
        moved = list(x)
        for w, v in zip(keypoints.tolist(), vectors.tolist(), strict=True):
            phi = math.exp(-7.0 * math.dist(x, w) ** 2)
            moved = [a + 0.3 * phi * b for a, b in zip(moved, v, strict=True)]
        assert found[i].tolist() == pytest.approx(moved, abs=1e-14)


@pytest.mark.parametrize("mirror", [None, "x"])
@pytest.mark.parametrize("kernel", KERNELS)
def test_gradcheck(kernel: str, mirror: str | None) -> None:
    points, keypoints, vectors = scene(4, 3)
    inputs = [points, keypoints, vectors, widths(kernel, 3), torch.tensor([0.8, -0.5, 1.0], dtype=DOUBLE)]

    def moved(p: Tensor, w: Tensor, v: Tensor, a: Tensor, s: Tensor) -> Tensor:
        return warp(p, w, v, kernel=kernel, alpha=a, strength=s, mirror=mirror)

    inputs = [each.requires_grad_() for each in inputs]
    found = torch.autograd.grad(moved(*inputs).square().sum(), inputs, materialize_grads=True, allow_unused=True)
    assert all(bool(each.isfinite().all()) for each in found)
    keypoints.data[0] += 0.05  # finite differences do not know the slope of r log r at 0
    keypoints.data[1, 0] = 0.01
    assert torch.autograd.gradcheck(moved, inputs, atol=1e-6)


@pytest.mark.parametrize("mirror", [None, "x"])
@pytest.mark.parametrize("batches", [((), (), ()), ((2,), (), (2,)), ((), (3, 1), (2,)), ((1,), (2,), (2,))])
def test_batches_broadcast(batches: tuple[tuple[int, ...], ...], mirror: str | None) -> None:
    points = scene(6, 4, *batches[0])[0]
    keypoints = scene(6, 4, *batches[1], seed=1)[1]
    vectors = scene(6, 4, *batches[2], seed=2)[2]
    whole = torch.broadcast_shapes(*batches)
    found = warp(points, keypoints, vectors, alpha=widths("gaussian", 4).expand(*whole, 4), mirror=mirror)
    assert found.shape == (*whole, 6, 3)
    spread = [
        each.expand(*whole, *each.shape[-2:]).reshape(-1, *each.shape[-2:]) for each in (points, keypoints, vectors)
    ]
    alone = [warp(p, w, v, alpha=widths("gaussian", 4), mirror=mirror) for p, w, v in zip(*spread, strict=True)]
    torch.testing.assert_close(found, torch.stack(alone).reshape(found.shape))


def gradients(moved: Tensor, inputs: list[Tensor]) -> tuple[Tensor, ...]:
    """Gradients by all inputs for an uneven weighing of the result."""
    ramp = torch.linspace(-1, 2, moved.numel(), dtype=moved.dtype).reshape(moved.shape)
    return torch.autograd.grad(moved, inputs, ramp, allow_unused=True, materialize_grads=True)


@pytest.mark.parametrize("batch", [(), (3,)])
@pytest.mark.parametrize("mirror", [None, "x"])
@pytest.mark.parametrize("kernel", ["gaussian", "wendland"])
def test_compiled_code_is_the_formula(kernel: str, mirror: str | None, batch: tuple[int, ...]) -> None:
    """Values and gradients of the compiled code in single precision, to 2·10⁻⁶ of their size in double precision."""
    points, keypoints, vectors = scene(1777, 40, *batch, dtype=torch.float32)
    single = [each.requires_grad_() for each in (points, keypoints, vectors, widths(kernel, 40, torch.float32))]
    double = [each.detach().double().requires_grad_() for each in single]
    assert module.COMPILED_PAIRS < 1777 * 40
    ours = warp(*single[:3], kernel=kernel, alpha=single[3], mirror=mirror)
    flat = [each.reshape(-1, *each.shape[-2:]) for each in double[:3]]
    exact = double[0] + displacement(*flat, double[3][None], kernel, mirror).reshape(ours.shape)
    scale = (exact - double[0]).detach().abs().max()
    assert float((ours - exact).detach().abs().max() / scale) < 2e-6
    for found, wanted in zip(gradients(ours, single), gradients(exact, double), strict=True):
        assert float((found - wanted).abs().max() / wanted.abs().max()) < 2e-6


@pytest.mark.parametrize("batch", [(), (2,)])
@pytest.mark.parametrize("mirror", [None, "x"])
@pytest.mark.parametrize("kernel", KERNELS)
def test_parts_are_the_whole(
    kernel: str, mirror: str | None, batch: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = [each.requires_grad_() for each in (*scene(50, 4, *batch), widths(kernel, 4))]
    whole = warp(*inputs[:3], kernel=kernel, alpha=inputs[3], mirror=mirror)
    monkeypatch.setattr(module, "PAIRS", 100)
    parts = warp(*inputs[:3], kernel=kernel, alpha=inputs[3], mirror=mirror)
    torch.testing.assert_close(parts, whole)
    for found, wanted in zip(gradients(parts, inputs), gradients(whole, inputs), strict=True):
        torch.testing.assert_close(found, wanted)


def test_second_derivatives_of_the_compiled_code() -> None:
    points, keypoints, vectors = scene(1800, 40, dtype=torch.float32)
    keypoints.requires_grad_()

    def bend(vectors: Tensor, keypoints: Tensor, points: Tensor) -> Tensor:
        loss = warp(points, keypoints, vectors).square().sum()
        (slope,) = torch.autograd.grad(loss, keypoints, create_graph=True)
        return torch.autograd.grad(slope.square().sum(), keypoints)[0]

    exact = keypoints.detach().double().requires_grad_()
    ours, wanted = bend(vectors, keypoints, points), bend(vectors.double(), exact, points.double())
    assert float((ours - wanted).abs().max() / wanted.abs().max()) < 1e-4


@pytest.mark.parametrize("kernel", ["gaussian", "wendland"])
def test_mirror_images_move_by_mirror_images_to_the_bit(kernel: str) -> None:
    """Wherever the twin stands in the array."""
    points, keypoints, vectors = scene(1999, 37, dtype=torch.float32)
    alpha = widths(kernel, 37, torch.float32)
    order = torch.randperm(len(points), generator=torch.Generator().manual_seed(5))
    here = warp(points, keypoints, vectors, kernel=kernel, alpha=alpha, mirror="x")
    there = warp((points * FLIP)[order], keypoints, vectors, kernel=kernel, alpha=alpha, mirror="x")
    assert torch.equal(there, (here * FLIP)[order])
    twins = warp(points, keypoints * FLIP, vectors * FLIP, kernel=kernel, alpha=alpha, mirror="x")
    assert torch.equal(twins, here)


@pytest.mark.parametrize("kernel", KERNELS)
@given(w=st.tuples(*[st.floats(-0.2, 0.2)] * 3), v=st.tuples(*[st.floats(-0.1, 0.1)] * 3), x=st.floats(-0.2, 0.2))
def test_a_mirrored_warp(kernel: str, w: tuple[float, ...], v: tuple[float, ...], x: float) -> None:
    """The plane stays in itself and moves by φ v without x; mirror images move alike."""
    keypoint, vector = torch.tensor([w], dtype=DOUBLE), torch.tensor([v], dtype=DOUBLE)
    alpha = float(widths(kernel, 1))
    points = torch.tensor([[0.0, 0.05, 0.1], [x, -0.05, 0.02], [-x, -0.05, 0.02]], dtype=DOUBLE)
    moved = warp(points, keypoint, vector, kernel=kernel, alpha=alpha, mirror="x") - points
    once = warp(points, keypoint, vector, kernel=kernel, alpha=alpha) - points
    assert float(moved[0, 0]) == pytest.approx(0, abs=1e-15)
    torch.testing.assert_close(moved[0, 1:], once[0, 1:])
    torch.testing.assert_close(moved[1], moved[2] * FLIP.double(), rtol=0, atol=1e-15)


@pytest.mark.parametrize("kernel", ["gaussian", "wendland"])
def test_far_from_the_plane_the_twin_is_not_felt(kernel: str) -> None:
    points, keypoints, vectors = scene(20, 3)
    points[:, 0], keypoints[:, 0] = points[:, 0].abs() + 5, keypoints[:, 0].abs() + 5
    options = {"kernel": kernel, "alpha": widths(kernel, 3)}
    alone = warp(points, keypoints, vectors, **options)
    torch.testing.assert_close(warp(points, keypoints, vectors, **options, mirror="x"), alone)


def test_transforms_of_functions() -> None:
    """``torch.func`` maps and differentiates the compiled code."""
    points, keypoints, vectors = scene(1800, 40, dtype=torch.float32)
    several = keypoints + torch.tensor([0.0, 0.1, 0.2])[:, None, None]

    def loss(moved: Tensor) -> Tensor:
        return warp(points, moved, vectors, mirror="x").square().sum()

    slopes = torch.func.vmap(torch.func.grad(loss))(several)
    for each, slope in zip(several, slopes, strict=True):
        alone = each.clone().requires_grad_()
        torch.testing.assert_close(slope, torch.autograd.grad(loss(alone), alone)[0], rtol=1e-4, atol=1e-4)


def test_everything_takes_the_type_of_the_points() -> None:
    points, keypoints, vectors = scene(5, 2)
    found = warp(points, keypoints.float(), vectors.float(), alpha=torch.tensor(3.0), strength=torch.tensor(0.5))
    assert found.dtype == DOUBLE
    torch.testing.assert_close(found, warp(points, keypoints, vectors, alpha=3, strength=0.5), rtol=0, atol=1e-7)
    assert warp(points.float(), keypoints, vectors).dtype == torch.float32


def test_nan_is_not_hidden() -> None:
    points, keypoints, vectors = scene(2000, 40, dtype=torch.float32)
    keypoints[3, 1] = math.nan
    assert bool(warp(points, keypoints, vectors).isnan().all())
    assert bool(warp(points, keypoints, vectors, kernel="wendland", mirror="x").isnan().all())


def test_nothing_to_move_and_nothing_that_moves() -> None:
    points, keypoints, vectors = scene(5, 2)
    assert torch.equal(warp(points, keypoints[:0], vectors[:0]), points)
    assert warp(points[:0], keypoints, vectors).shape == (0, 3)
    assert torch.equal(warp(points, keypoints, vectors, strength=0.0), points)


def test_errors() -> None:
    points, keypoints, vectors = scene(5, 2)
    with pytest.raises(OptionError, match=r"one of gaussian, .* it is 'cubic'"):
        warp(points, keypoints, vectors, kernel="cubic")
    with pytest.raises(OptionError, match="'x' or None; it is 'y'"):
        warp(points, keypoints, vectors, mirror="y")
    with pytest.raises(OptionError, match="not negative; it is -1"):
        warp(points, keypoints, vectors, alpha=-1)
    with pytest.raises(ShapeError, match=r"points should have shape \(..., n, 3\); shape is \(5, 2\)"):
        warp(points[:, :2], keypoints, vectors)
    with pytest.raises(ShapeError, match=r"vectors should have shape \(..., 2, 3\), .* shape is \(1, 3\)"):
        warp(points, keypoints, vectors[:1])
    with pytest.raises(ShapeError, match=r"alpha should have shape \(..., 2\) or \(\); shape is \(3,\)"):
        warp(points, keypoints, vectors, alpha=torch.ones(3))
    with pytest.raises(ShapeError, match=r"broadcast; they are \(2,\) of points, \(3,\) of keypoints"):
        warp(points.expand(2, 5, 3), keypoints.expand(3, 2, 3), vectors)
