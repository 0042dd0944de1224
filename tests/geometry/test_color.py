"""Colours: the standard's curve, its inverse, and the tables for 8-bit pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from headviz.geometry.color import from_uint8, linear_to_srgb, srgb_to_linear, to_uint8


def standard(value: float) -> float:
    """IEC 61966-2-1, as printed."""
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


@given(st.floats(0, 1))
def test_curve_is_the_standards(value: float) -> None:
    assert float(srgb_to_linear(torch.tensor(value, dtype=torch.float64))) == pytest.approx(standard(value), abs=1e-12)


@given(st.floats(0, 1))
def test_curves_are_inverse(value: float) -> None:
    there_and_back = linear_to_srgb(srgb_to_linear(torch.tensor(value, dtype=torch.float64)))
    assert float(there_and_back) == pytest.approx(value, abs=1e-7)


def test_8_bit_values_survive() -> None:
    picture = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    linear = from_uint8(picture)
    assert linear.dtype == torch.float32
    assert float(linear[5, 3, 0]) == pytest.approx(standard(83 / 255), rel=1e-6)
    assert (to_uint8(linear) == picture).all()


def test_table_rounds_as_the_curve_does() -> None:
    picture = torch.rand(200, 300, 3, generator=torch.Generator().manual_seed(0)) ** 3
    exact = linear_to_srgb(picture.double()) * 255
    assert float((torch.from_numpy(to_uint8(picture)) - exact).abs().max()) < 0.52


def test_values_outside_are_clamped_and_nan_is_black() -> None:
    values = torch.tensor([-1.0, 2.0, torch.inf, -torch.inf, torch.nan, 1.0]).reshape(1, 2, 3)
    assert to_uint8(values).reshape(-1).tolist() == [0, 255, 255, 0, 0, 255]


@pytest.mark.parametrize("curve", [srgb_to_linear, linear_to_srgb])
def test_gradients_are_finite_and_right(curve) -> None:
    values = torch.tensor([0.0, 1e-4, 0.003, 0.03, 0.05, 0.5, 1.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(curve, values)
    outside = torch.tensor([-0.5, 1.5], requires_grad=True)
    curve(outside).sum().backward()
    assert outside.grad is not None
    assert outside.grad.isfinite().all()
