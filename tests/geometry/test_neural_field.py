"""NeuralField: shapes, modes, gradients; measured slopes of functions whose slope is known; networks on disk."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from headviz.errors import BoundsError, FieldError, InputError, OutputError
from headviz.geometry.field import Field
from headviz.geometry.field_network import (
    FieldMLP,
    lipschitz_upper_bound,
    load_field_network,
    save_field_network,
)
from headviz.geometry.mesh_field import MeshField
from headviz.geometry.neural_field import NeuralField, measure_lipschitz
from headviz.heads.model import load_head

BOX = torch.tensor([[-0.15] * 3, [0.15] * 3])


class Function(nn.Module):
    """A function as a network without parameters."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, points: Tensor) -> Tensor:
        return self.function(points)


def small(**options: Any) -> FieldMLP:
    return FieldMLP(3, 32, **options)


def cloud(count: int, half: float = 0.15, seed: int = 0) -> Tensor:
    return half * (2 * torch.rand(count, 3, generator=torch.Generator().manual_seed(seed)) - 1)


def test_values_are_the_networks() -> None:
    network, points = small(), cloud(1000)
    field = NeuralField(network, BOX, lipschitz=2.0, chunk=64)
    torch.testing.assert_close(field(points), network(points)[:, 0])
    torch.testing.assert_close(field(points.double()), network(points)[:, 0].double())
    assert np.array_equal(field(points.numpy()), field(points).detach().numpy())
    assert field(points[:0]).shape == (0,)
    assert isinstance(field, Field)
    assert (field.lipschitz, field.measurement, field.exact) == (2.0, None, False)
    flat = NeuralField(Function(lambda p: p.norm(dim=1) - 0.1), BOX, lipschitz=1.0)
    torch.testing.assert_close(flat(points), points.norm(dim=1) - 0.1)


def test_network_of_the_plane() -> None:
    field = NeuralField(Function(lambda p: p.norm(dim=1, keepdim=True) - 0.1), BOX[:, :2])
    assert field(torch.zeros(4, 2)).shape == (4,)
    assert field.lipschitz == pytest.approx(1.1)


def test_colour_is_there_when_asked_for() -> None:
    network, points = small(color=True), cloud(100)
    field = NeuralField(network, BOX, lipschitz=2.0, color=True, chunk=30)
    torch.testing.assert_close(torch.cat([field(points)[:, None], field.color(points)], 1), network(points))
    assert float((field.color(points).detach() - 0.5).abs().max()) < 0.01
    assert not hasattr(NeuralField(small(), BOX, lipschitz=2.0), "color")


@pytest.mark.parametrize("fail", [False, True])
def test_training_mode_is_as_before(fail: bool) -> None:
    inner = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5), nn.Linear(8, 2 if fail else 1))
    inner[0].eval()
    field = NeuralField(inner, BOX, lipschitz=1.0)
    before = [part.training for part in inner.modules()]
    if fail:
        with pytest.raises(FieldError):
            field(cloud(10))
    else:
        assert torch.equal(field(cloud(10)), field(cloud(10)))  # no dropout
    assert [part.training for part in inner.modules()] == before == [True, False, True, True]


def test_gradients_reach_points_and_weights() -> None:
    network, points = small().double(), cloud(5).double().requires_grad_()
    field = NeuralField(network, BOX, lipschitz=2.0)
    assert torch.autograd.gradcheck(field, (points,), eps=1e-7, atol=1e-4)
    field(points).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    with torch.no_grad():
        assert not field(points).requires_grad


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda p: p, r"shape \(7,\) or \(7, 1\); shape is \(7, 3\)"),
        (lambda p: p.sum(), r"shape is \(\)"),
        (lambda p: p[1:, 0], r"shape is \(6,\)"),
        (lambda p: (p, p), "it returned tuple"),
    ],
)
def test_wrong_outputs_are_named(function: Any, message: str) -> None:
    with pytest.raises(FieldError, match=message):
        NeuralField(Function(function), BOX, lipschitz=1.0)(torch.zeros(7, 3))


def test_wrong_colours_are_named() -> None:
    with pytest.raises(FieldError, match=r"\(7, 4\), value and colour; shape is \(7, 1\)"):
        NeuralField(small(), BOX, lipschitz=1.0, color=True).color(torch.zeros(7, 3))


@pytest.mark.parametrize("lipschitz", [0.0, -1.0, math.nan, math.inf])
def test_bounds_that_are_none(lipschitz: float) -> None:
    with pytest.raises(FieldError, match="positive number"):
        NeuralField(small(), BOX, lipschitz=lipschitz)
    with pytest.raises(BoundsError):
        NeuralField(small(), BOX.flip(0), lipschitz=1.0)
    with pytest.raises(BoundsError):
        NeuralField(small(), BOX[:, :1], lipschitz=1.0)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_slope_of_a_linear_layer_is_its_norm(seed: int) -> None:
    layer = nn.Linear(3, 1)
    nn.init.normal_(layer.weight, generator=torch.Generator().manual_seed(seed))
    norm = float(layer.weight.detach().norm())
    assert measure_lipschitz(layer, BOX, samples=8, rounds=1).largest == pytest.approx(norm, rel=1e-5)
    assert lipschitz_upper_bound(layer) == pytest.approx(norm, rel=1e-5)


@pytest.mark.parametrize(
    ("function", "slope"),
    [
        (lambda p: p.norm(dim=1), 1.0),
        (lambda p: torch.sin(20 * p[:, 0]), 20.0),
        (lambda p: 0.5 * p.square().sum(1), 0.15 * math.sqrt(3)),  # in a corner of the box
        (lambda p: 0.01 * torch.tanh((p[:, 0] - 0.0123) / 0.01), 1.0),  # on a plane
        (lambda p: 0.01 * torch.exp(-(p - 0.05).square().sum(1) / 2e-4), math.exp(-0.5)),  # on a small sphere
    ],
)
def test_slopes_in_closed_form(function: Any, slope: float) -> None:
    found = measure_lipschitz(Function(function), BOX)
    assert found.largest == pytest.approx(slope, rel=2e-3)
    assert found.largest <= slope * (1 + 1e-5)
    assert found.bound == found.largest * 1.1
    assert found.sampled <= found.largest


def test_refinement_finds_more_than_the_samples() -> None:
    ridge = Function(lambda p: 0.001 * torch.tanh((p.sum(1) - 0.0123) / 0.001))
    rough = measure_lipschitz(ridge, BOX, samples=216, rounds=0)
    fine = measure_lipschitz(ridge, BOX, samples=216)
    assert rough.largest == rough.sampled == fine.sampled < 0.97 * fine.largest
    assert (rough.samples, fine.samples) == (216, 216 + 10 * 8 * 64)
    assert float(fine.at.sum()) == pytest.approx(0.0123, abs=1e-4)


def test_measurement_is_repeatable() -> None:
    network = small()
    first, second = measure_lipschitz(network, BOX), measure_lipschitz(network, BOX)
    assert (first.largest, first.at.tolist()) == (second.largest, second.at.tolist())
    assert measure_lipschitz(network, BOX, seed=1).largest != first.largest
    field = NeuralField(network, BOX)
    assert field.measurement is not None
    assert field.lipschitz == field.measurement.bound == first.bound
    with torch.inference_mode():
        assert measure_lipschitz(network, BOX).largest == first.largest


def test_any_differentiable_field_can_be_measured() -> None:
    assert measure_lipschitz(MeshField(load_head().solid()), samples=64).largest == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(
    ("function", "options", "message"),
    [
        (lambda p: torch.zeros(len(p)), {}, "do not depend"),
        (lambda p: (p[:, 0] - p[:, 0]).sqrt(), {}, "finite gradients"),
        (lambda p: p[:, 0], {"samples": 0}, "samples ≥ 1"),
        (lambda p: p[:, 0], {"margin": 0.5}, "margin ≥ 1"),
    ],
)
def test_slopes_that_cannot_be_measured(function: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(FieldError, match=message):
        measure_lipschitz(Function(function), BOX, **options)


def test_a_network_has_no_box() -> None:
    with pytest.raises(BoundsError, match="give bounds"):
        measure_lipschitz(small())


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 5), st.sampled_from(["softplus", "relu"]), st.booleans())
def test_upper_bound_is_never_exceeded(seed: int, depth: int, activation: Any, color: bool) -> None:
    network = FieldMLP(depth, 16, activation=activation, color=color, seed=seed)
    field = NeuralField(network, BOX, lipschitz=1.0, color=color)
    measured = measure_lipschitz(field, samples=512)
    assert measured.largest <= lipschitz_upper_bound(network)


def test_upper_bound_of_chains() -> None:
    one, two = nn.Linear(3, 5), nn.Linear(5, 1)
    norms = float(torch.linalg.svdvals(one.weight.detach())[0] * torch.linalg.svdvals(two.weight.detach())[0])
    for part, factor in ((nn.ReLU(), 1), (nn.Sigmoid(), 0.25), (nn.LeakyReLU(-2.0), 2), (nn.ELU(3.0), 3)):
        assert lipschitz_upper_bound(nn.Sequential(one, part, two)) == pytest.approx(factor * norms, rel=1e-5)
    with pytest.raises(FieldError, match="slope of a Bilinear is not known"):
        lipschitz_upper_bound(nn.Sequential(nn.Bilinear(3, 3, 1)))


@pytest.mark.parametrize("activation", ["softplus", "relu"])
def test_network_begins_as_a_sphere(activation: Any) -> None:
    network = FieldMLP(8, 512, radius=0.1, center=(0.02, 0.0, -0.01), activation=activation)
    points = cloud(2000)
    error = network(points).detach()[:, 0] - ((points - network.center).norm(dim=1) - 0.1)
    assert float(error.abs().mean()) < 0.01
    far = NeuralField(network, BOX, lipschitz=2.0)(network.center + torch.tensor([[0.0] * 3, [0.1, 0.1, 0.1]])).detach()
    assert float(far[0]) < -0.05 < 0.03 < float(far[1])


def test_size_of_the_sphere_only_scales_the_network() -> None:
    points = cloud(100)
    torch.testing.assert_close(small(radius=2.0)(20 * points), 20 * small(radius=0.1)(points))


def test_global_random_numbers_are_left_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one, other = small(seed=3), small(seed=3)
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("depth", [1, 2, 5])
def test_saved_network_is_the_same_bit_for_bit(tmp_path: Path, depth: int, dtype: torch.dtype, color: bool) -> None:
    network = FieldMLP(depth, 16, radius=0.12, center=(0.01, 0.1, 0.3), activation="relu", color=color).to(dtype)
    save_field_network(tmp_path / "field.safetensors", network, BOX)
    field = load_field_network(tmp_path / "field.safetensors")
    points = cloud(100).to(dtype)
    assert torch.equal(field(points), NeuralField(network, BOX, lipschitz=1.0, color=color)(points))
    assert torch.equal(field.bounds.float(), BOX)
    assert field.lipschitz == NeuralField(network, BOX, color=color).lipschitz
    assert hasattr(field, "color") == color


def test_network_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        save_field_network(tmp_path / "missing" / "field.safetensors", small(), BOX, lipschitz=1.0)


def rewrite(path: Path, change: Any) -> None:
    """Change the metadata and tensors of a file."""
    with safe_open(path, framework="pt") as file:
        about, tensors = json.loads(file.metadata()["headviz"]), {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
    text = change(about, tensors)
    save_file(tensors, path, metadata={"headviz": json.dumps(about) if text is None else text})


def put(about: dict[str, Any], *keys: str, value: Any) -> None:
    for key in keys[:-1]:
        about = about[key]
    about[keys[-1]] = value


HOSTILE: dict[str, tuple[Any, str]] = {
    "no JSON": (lambda a, t: "{", "not a field network"),
    "deep JSON": (lambda a, t: "[" * 100_000, "not a field network"),
    "a list": (lambda a, t: "[]", "object with the keys"),
    "a huge number": (lambda a, t: "9" * 10_000, "not a field network"),
    "format": (lambda a, t: put(a, "format", value="x"), "format should be"),
    "key missing": (lambda a, t: a.pop("bounds") and None, "keys"),
    "architecture": (lambda a, t: put(a, "architecture", value=[1]), "an architecture should have the keys"),
    "unknown key": (lambda a, t: put(a, "architecture", "call", value="os.system"), "keys"),
    "huge depth": (lambda a, t: put(a, "architecture", "depth", value=10**9), "depth should be"),
    "huge width": (lambda a, t: put(a, "architecture", "width", value=10**9), "width should be"),
    "wide": (lambda a, t: put(a, "architecture", "width", value=8192), r"layers.0.* should have shape \[81"),
    "deep": (lambda a, t: put(a, "architecture", "depth", value=64), "missing: "),
    "bool for number": (lambda a, t: put(a, "architecture", "depth", value=True), "depth should be"),
    "text": (lambda a, t: put(a, "architecture", "width", value="32"), "width should be"),
    "radius": (lambda a, t: put(a, "architecture", "radius", value=0), "radius should be"),
    "radius NaN": (lambda a, t: put(a, "architecture", "radius", value=math.nan), "radius should be"),
    "centre": (lambda a, t: put(a, "architecture", "center", value=[0, 0]), "center should be"),
    "activation": (lambda a, t: put(a, "architecture", "activation", value=["relu"]), "activation should be"),
    "colour": (lambda a, t: put(a, "architecture", "color", value=1), "color should be"),
    "bounds rows": (lambda a, t: put(a, "bounds", value=[[0, 0, 0]]), "bounds should be"),
    "bounds type": (lambda a, t: put(a, "bounds", value=[[0, 0, "0"], [1, 1, 1]]), "bounds should be"),
    "bounds empty": (lambda a, t: put(a, "bounds", value=[[0, 0, 0], [0, 0, 0]]), "box with extent"),
    "lipschitz": (lambda a, t: put(a, "lipschitz", value=-1), "positive number"),
    "lipschitz none": (lambda a, t: put(a, "lipschitz", value=None), "lipschitz should be"),
    "weights missing": (lambda a, t: t.pop("layers.1.bias") is None or None, r"missing: \['layers.1.bias'\]"),
    "weights more": (lambda a, t: t.update(more=torch.zeros(1)), r"unknown: \['more'\]"),
    "weights shape": (lambda a, t: t.update({"layers.1.bias": torch.zeros(3)}), "layers.1.bias should have shape"),
    "weights type": (lambda a, t: t.update({"layers.1.bias": torch.zeros(32).long()}), "all be F32"),
    "weights mixed": (lambda a, t: t.update({"layers.1.bias": torch.zeros(32).double()}), "all be F32"),
    "weights NaN": (lambda a, t: t["layers.1.bias"].fill_(math.nan) is None or None, "layers.1.bias should be finite"),
    "weights inf": (lambda a, t: t["layers.2.weight"].fill_(math.inf) is None or None, "should be finite"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files(tmp_path: Path, name: str) -> None:
    path = tmp_path / "field.safetensors"
    save_field_network(path, small(), BOX, lipschitz=1.5)
    change, message = HOSTILE[name]
    rewrite(path, change)
    with pytest.raises(InputError, match=message):
        load_field_network(path)


@pytest.mark.parametrize("content", [b"", b"\x80\x04pickle", b"\xff" * 64, b"\x08" + b"\0" * 7 + b"{}      "])
def test_files_that_are_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "field.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a field network"):
        load_field_network(path)
    with pytest.raises(InputError, match="is not a file"):
        load_field_network(tmp_path)


def test_large_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "field.safetensors"
    save_field_network(path, small(), BOX, lipschitz=1.5)
    monkeypatch.setattr("headviz.geometry.field_network.MOST_BYTES", 100)
    with pytest.raises(InputError, match="at most 100 bytes"):
        load_field_network(path)


@pytest.mark.parametrize("options", [{"depth": 0}, {"width": 3}, {"radius": -1.0}, {"center": (0.0, 0.0)}])
def test_networks_that_cannot_be_built(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="should be"):
        FieldMLP(**{"depth": 2, "width": 8, **options})
