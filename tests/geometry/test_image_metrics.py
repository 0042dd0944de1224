"""SIDE and MAD against their definitions, closed forms, and pictures whose border must not count."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from skimage.metrics import mean_squared_error

from headviz.errors import InputError, ShapeError
from headviz.geometry.image_metrics import erode_mask, mean_angle_deviation, side


def maps(seed: int, *shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.5


@given(st.integers(0, 10**6))
def test_side_is_the_deviation_of_the_logarithms(seed: int) -> None:
    depth, truth = maps(seed, 7, 9), maps(seed + 1, 7, 9)
    difference = (depth / truth).log().numpy()
    assert float(side(depth, truth)) == pytest.approx(difference.std())
    # the formula as it is printed
    plain = math.sqrt(mean_squared_error(depth.log().numpy(), truth.log().numpy()) - difference.mean() ** 2)
    assert float(side(depth, truth)) == pytest.approx(plain)


@given(st.integers(0, 10**6), st.floats(0.01, 100), st.floats(0.01, 100))
def test_scale_does_not_count(seed: int, size: float, other: float) -> None:
    depth, truth = maps(seed, 5, 6), maps(seed + 1, 5, 6)
    assert float(side(size * depth, other * truth)) == pytest.approx(float(side(depth, truth)), rel=1e-9)
    assert float(side(size * depth, depth)) == pytest.approx(0, abs=1e-12)


def test_half_of_the_picture_twice_as_far() -> None:
    truth = torch.ones(4, 8)
    depth = truth.clone()
    depth[:, 4:] = 2
    assert float(side(depth, truth)) == pytest.approx(math.log(2) / 2)


@given(st.integers(0, 10**6), st.integers(0, 3))
def test_erosion_is_scipys(seed: int, pixels: int) -> None:
    mask = maps(seed, 2, 13, 11) > 0.6
    wanted = [
        ndimage.binary_erosion(part.numpy(), np.ones((2 * pixels + 1, 2 * pixels + 1)), border_value=0) for part in mask
    ]
    assert np.array_equal(erode_mask(mask, pixels).numpy(), np.stack(wanted))


def test_what_lies_outside_the_eroded_mask_does_not_count() -> None:
    depth, truth = maps(0, 12, 12), maps(1, 12, 12)
    mask = torch.zeros(12, 12, dtype=torch.bool)
    mask[2:9, 3:10] = True
    inner = (slice(3, 8), slice(4, 9))
    wanted = float(side(depth[inner], truth[inner]))
    broken = torch.full_like(depth, torch.nan)
    broken[inner] = depth[inner]
    assert float(side(broken, truth, mask)) == pytest.approx(wanted)
    assert float(side(depth, truth, mask, erode=0)) == pytest.approx(float(side(depth[2:9, 3:10], truth[2:9, 3:10])))


def test_pictures_of_a_batch_are_apart() -> None:
    depth, truth = maps(0, 2, 3, 6, 6), maps(1, 2, 3, 6, 6)
    found = side(depth, truth)
    assert found.shape == (2, 3)
    assert float(found[1, 2]) == pytest.approx(float(side(depth[1, 2], truth[1, 2])))


def test_gradients() -> None:
    truth = maps(1, 5, 5)
    assert torch.autograd.gradcheck(lambda depth: side(depth, truth), (maps(0, 5, 5).requires_grad_(),))
    same = truth.clone().requires_grad_()
    side(same, truth).backward()
    assert same.grad is not None
    assert float(same.grad.abs().max()) == 0
    normals = maps(2, 4, 4, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda n: mean_angle_deviation(n, maps(3, 4, 4, 3)), (normals,))


@given(st.floats(0, 180), st.floats(0.1, 10))
def test_a_turn_of_all_normals_is_their_deviation(angle: float, length: float) -> None:
    truth = torch.tensor([0.0, 0.6, 0.8], dtype=torch.float64).expand(5, 5, 3)
    a = math.radians(angle)
    turned = math.cos(a) * truth + math.sin(a) * torch.tensor([0.0, -0.8, 0.6], dtype=torch.float64)
    assert float(mean_angle_deviation(length * turned, truth)) == pytest.approx(angle, abs=1e-9)


def test_small_angles_in_single_precision() -> None:
    truth = torch.tensor([0.0, 0.0, 1.0]).expand(3, 3, 3)
    tilted = torch.tensor([1e-4, 0.0, 1.0]).expand(3, 3, 3)
    assert float(mean_angle_deviation(tilted, truth)) == pytest.approx(math.degrees(1e-4), rel=1e-4)


def test_mad_keeps_to_the_mask() -> None:
    truth = maps(0, 8, 8, 3)
    normals = truth.clone()
    normals[0] = 0
    mask = torch.ones(8, 8, dtype=torch.bool)
    assert float(mean_angle_deviation(normals, truth, mask)) == pytest.approx(0, abs=1e-6)
    assert mean_angle_deviation(normals.float(), truth.float(), mask).dtype == torch.float32


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda f, _: f(torch.ones(3, 4), torch.ones(4, 3)), ShapeError, r"\(3, 4\) and \(4, 3\)"),
        (lambda f, _: f(torch.ones(4), torch.ones(4)), ShapeError, r"\(\.\.\., h, w\)"),
        (lambda f, _: f(torch.ones(4, 4), torch.ones(4, 4), torch.ones(3, 4, dtype=torch.bool)), ShapeError, "mask"),
        (lambda f, _: f(torch.zeros(4, 4), torch.ones(4, 4)), InputError, "depths should be positive.*16 of 16"),
        (lambda f, _: f(torch.ones(4, 4), torch.full((4, 4), torch.inf)), InputError, "true depths"),
        (
            lambda f, _: f(torch.ones(2, 2), torch.ones(2, 2), torch.ones(2, 2).bool()),
            InputError,
            "eroded by 1; 1 of 1",
        ),
        (lambda f, _: f(torch.ones(2, 2), torch.ones(2, 2), torch.ones(2, 2).bool(), erode=-1), InputError, "-1"),
        (lambda _, g: g(torch.ones(3, 3, 2), torch.ones(3, 3, 2)), ShapeError, "3"),
        (
            lambda _, g: g(torch.zeros(3, 3, 3), torch.ones(3, 3, 3)),
            InputError,
            "normals should be finite and not zero",
        ),
    ],
)
def test_says_what_is_wrong(call, error, message) -> None:
    # The bare functions: in the tests jaxtyping would refuse some shapes before they do.
    with pytest.raises(error, match=message):
        call(inspect.unwrap(side), inspect.unwrap(mean_angle_deviation))
