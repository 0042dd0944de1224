"""Planes through fields: where they lie, what they keep, and how far their samples are off."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from headviz.errors import BoundsError, FieldError, OptionError
from headviz.geometry import preset
from headviz.geometry.field import Field
from headviz.viewers.record import Record
from headviz.viewers.slices import iso_lines, round_step, slice_field, slice_of


class Formula:
    """A field by a formula."""

    def __init__(self, formula, bounds, lipschitz=1.0):
        self.formula, self.bounds, self.lipschitz = formula, torch.tensor(bounds), lipschitz

    def __call__(self, points: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        return self.formula(points)


BALL = [[-0.1, -0.1, -0.1], [0.1, 0.1, 0.1]]


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_a_plane_lies_where_it_says(axis: str) -> None:
    """The field x + 10 y + 100 z names every point of space."""
    weights = torch.tensor([1.0, 10.0, 100.0])
    cut = slice_field(Formula(lambda points: points @ weights, BALL), plane=(axis, 0.03), samples=20)
    for place in ((0.02, -0.05), (-0.1, 0.04)):
        point = cut.embed(place)
        assert point["xyz".index(axis)] == 0.03
        assert cut.value(place) == pytest.approx(sum(w * c for w, c in zip((1, 10, 100), point, strict=True)), abs=1e-5)
        assert cut.project(point) == pytest.approx((*place, 0.0), abs=1e-15)
    shifted = np.array(cut.embed((0.0, 0.0))) + 0.01 * np.eye(3)["xyz".index(axis)]
    assert abs(cut.project(shifted.tolist())[2]) == pytest.approx(0.01)
    assert cut.axes == {"x": ("z", "y"), "y": ("x", "z"), "z": ("x", "y")}[axis]


def test_a_head_is_cut_at_its_mirror_plane_and_faces_right() -> None:
    cut = slice_field(preset("head"), samples=64)
    assert cut.plane == ("x", 0.0)
    samples = cut.grid.samples
    inside = (samples < 0).nonzero() * cut.grid.spacing + cut.grid.origin
    nose = inside[inside[:, 0].argmax()]
    assert nose[0] > 0.1  # the nose is the foremost point, left and right of which the face recedes
    assert abs(float(nose[1])) < 0.05


def test_the_sampling_error_is_measured_and_falls_with_the_square_of_the_spacing() -> None:
    """Away from its middle a circle's distance is smooth: bilinear interpolation is off by at most h²/(4 r)."""
    box = (0.03, 0.03, 0.13, 0.13)
    errors = [slice_field(preset("circle"), box=box, samples=count).error for count in (20, 40)]
    assert 3 < errors[0] / errors[1] < 5
    assert 0 < errors[0] <= (0.1 / 20) ** 2 / (4 * math.hypot(0.03, 0.03))


def test_a_slice_survives_a_record() -> None:
    cut = slice_field(preset("torus"), plane=("y", 0.01), samples=32)
    again = slice_of(Record("ray", cut.facts(), cut.arrays()))
    assert torch.equal(again.grid.samples, cut.grid.samples)
    assert again.grid.lipschitz == cut.grid.lipschitz
    assert (again.axes, again.plane, again.error, again.box) == (cut.axes, cut.plane, cut.error, cut.box)


def test_round_lines_of_a_circle_are_circles() -> None:
    cut = slice_field(preset("circle"))
    lines = iso_lines(cut.grid)
    assert 0.0 in lines.level
    assert len(lines.lines(0.0)) == 1
    step = round_step((float(cut.grid.samples.max()) - float(cut.grid.samples.min())) / 16)
    assert step in (0.01, 0.02)
    for k, level in enumerate(lines.level):
        radius = np.hypot(*lines.points[lines.offsets[k] : lines.offsets[k + 1]].T)
        assert np.abs(radius - (0.1 + level)).max() < 2 * cut.error
        assert level / step == pytest.approx(round(level / step), abs=1e-9)
    assert np.abs(np.hypot(*lines.labels[:, 1:].T) - 0.1 - lines.labels[:, 0]).max() < 2 * cut.error


@pytest.mark.parametrize(("rough", "step"), [(0.011, 0.02), (0.02, 0.02), (0.3, 0.5), (7.0, 10.0), (0.0, 0.0)])
def test_steps_are_round(rough: float, step: float) -> None:
    assert round_step(rough) == step


def endless() -> Field:
    bounds = [[-math.inf] * 2, [math.inf] * 2]
    return Formula(lambda points: points[:, 0], bounds)


def test_what_cannot_be_cut_is_refused() -> None:
    with pytest.raises(OptionError, match="plane should be x, y or z"):
        slice_field(preset("head"), plane=("w", 0.0))
    with pytest.raises(OptionError, match="of the plane already"):
        slice_field(preset("circle"), plane=("x", 0.0))
    with pytest.raises(OptionError, match="samples should be in 1 to 1024"):
        slice_field(preset("circle"), samples=5000)
    with pytest.raises(BoundsError, match="give the box"):
        slice_field(endless())
    with pytest.raises(BoundsError, match="finite box with extent"):
        slice_field(endless(), box=(0.0, 0.0, 0.0, 1.0))
    with pytest.raises(FieldError, match="finite values"):
        slice_field(Formula(lambda points: points[:, 0] * math.nan, [[-1.0, -1.0], [1.0, 1.0]]))


def test_a_field_without_bounds_is_cut_in_a_given_box() -> None:
    cut = slice_field(endless(), box=(-1.0, -0.5, 1.0, 0.5), samples=10)
    assert cut.error == pytest.approx(0.0, abs=1e-6)
    assert cut.box == pytest.approx((-1.0, -0.5, 1.0, 0.5))
