"""Radial basis functions: values, slopes where r = 0, reach."""

from __future__ import annotations

import math

import pytest
import torch

from headviz.errors import OptionError
from headviz.geometry.rbf import KERNELS, alpha_of_radius, rbf

DOUBLE = torch.float64


def by_hand(kernel: str, r: float, alpha: float) -> float:
    """The formulas with Python's own functions."""
    return {
        "gaussian": lambda: math.exp(-alpha * r**2),
        "multiquadric": lambda: math.hypot(r, alpha),
        "inverse_multiquadric": lambda: 1 / math.hypot(r, alpha),
        "thin_plate": lambda: r**2 * math.log(r) if r else 0.0,
        "wendland": lambda: max(1 - math.sqrt(alpha) * r, 0) ** 4 * (4 * math.sqrt(alpha) * r + 1),
    }[kernel]()


@pytest.mark.parametrize("kernel", KERNELS)
def test_values(kernel: str) -> None:
    radii = torch.tensor([0.0, 1e-9, 0.01, 0.08, 0.2, 0.26, 0.5, 3.0], dtype=DOUBLE)
    found = rbf(radii.square(), kernel, 15.0)
    torch.testing.assert_close(found, torch.tensor([by_hand(kernel, float(r), 15.0) for r in radii], dtype=DOUBLE))


@pytest.mark.parametrize("kernel", KERNELS)
def test_alpha_per_keypoint(kernel: str) -> None:
    squared, alpha = torch.rand(4, 3, dtype=DOUBLE), torch.tensor([0.5, 1.0, 2.0], dtype=DOUBLE)
    found = rbf(squared, kernel, alpha)
    for column in range(3):
        torch.testing.assert_close(found[:, column], rbf(squared[:, column], kernel, float(alpha[column])))


@pytest.mark.parametrize("kernel", KERNELS)
def test_slopes_by_finite_differences(kernel: str) -> None:
    squared = torch.tensor(
        [0.02, 0.0998, 0.1002, 0.3, 0.7], dtype=DOUBLE, requires_grad=True
    )  # around the two branches
    alpha = torch.tensor([1.0, 1.0, 1.0, 0.9, 1.2], dtype=DOUBLE, requires_grad=True)
    assert torch.autograd.gradcheck(lambda s, a: rbf(s, kernel, a), (squared, alpha), atol=1e-8)
    assert torch.autograd.gradgradcheck(lambda s, a: rbf(s, kernel, a), (squared, alpha), atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
@pytest.mark.parametrize("kernel", KERNELS)
def test_gradients_where_a_point_is_a_keypoint(kernel: str, dtype: torch.dtype) -> None:
    """φ(|x|) is even: its gradient at 0 is 0, not NaN; those of a Gaussian and Wendland's bend as −2α and −20α."""
    x = torch.zeros(3, dtype=dtype, requires_grad=True)
    value = rbf(x.square().sum(), kernel, 2.0)
    (slope,) = torch.autograd.grad(value, x, create_graph=True)
    assert torch.equal(slope, torch.zeros(3, dtype=dtype))
    bend = {"gaussian": -4.0, "wendland": -40.0, "multiquadric": 0.5, "inverse_multiquadric": -0.125}
    if kernel in bend:
        (second,) = torch.autograd.grad(slope[0], x)
        torch.testing.assert_close(second, torch.tensor([bend[kernel], 0, 0], dtype=dtype))


def test_wendland_in_single_precision() -> None:
    """Neither branch loses digits, and nothing is negative."""
    squared = torch.linspace(0, 1.2, 100_001)
    found = rbf(squared, "wendland", 1.0)
    torch.testing.assert_close(found.double(), rbf(squared.double(), "wendland", 1.0), rtol=0, atol=3e-7)
    assert float(found.min()) >= 0
    assert not found[squared >= 1].any()


def test_alpha_of_radius() -> None:
    """At the radius Wendland's function is 0, and a Gaussian is e⁻⁴."""
    radius = 0.07
    at = torch.tensor(radius**2, dtype=DOUBLE)
    assert float(rbf(at, "wendland", alpha_of_radius("wendland", radius))) == pytest.approx(0, abs=1e-12)
    assert float(rbf(at, "gaussian", alpha_of_radius("gaussian", radius))) == pytest.approx(math.exp(-4))
    assert alpha_of_radius("multiquadric", radius) == alpha_of_radius("inverse_multiquadric", radius) == radius
    assert alpha_of_radius("thin_plate", radius) == 1


@pytest.mark.parametrize("radius", [0.0, -1.0, float("nan"), float("inf")])
def test_radius_refused(radius: float) -> None:
    with pytest.raises(OptionError, match="positive and finite"):
        alpha_of_radius("gaussian", radius)


def test_unknown_kernel() -> None:
    with pytest.raises(OptionError, match=r"one of gaussian, .* it is 'cubic'"):
        rbf(torch.ones(2), "cubic", 1.0)
    with pytest.raises(OptionError, match="it is 'cubic'"):
        alpha_of_radius("cubic", 1.0)
