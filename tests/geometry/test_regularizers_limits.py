"""Mesh regularisers at their limits: derivatives, single precision, faces without area, bad input."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from headviz.errors import MeshError, OptionError, ShapeError
from headviz.geometry.regularizers import (
    FLAT,
    Topology,
    cotangent_laplacian,
    cotangent_weights,
    dirichlet_energy,
    edge_length,
    flatness,
    laplacian_smoothing,
    normal_consistency_loss,
    uniform_laplacian,
)

from .regularizer_cases import ALL, DOUBLE, FUNCTIONS, LOSSES, book, noisy

# Derivatives


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradcheck(name: str) -> None:
    vertices, topology = noisy(0, 2)
    inputs = (vertices.requires_grad_(),)
    assert torch.autograd.gradcheck(lambda v: FUNCTIONS[name](v, topology), inputs)
    assert torch.autograd.gradgradcheck(lambda v: FUNCTIONS[name](v, topology), inputs)


@pytest.mark.parametrize("function", [cotangent_laplacian, laplacian_smoothing, dirichlet_energy])
def test_gradcheck_of_values_and_weights(function) -> None:
    base, topology = noisy(0)
    inputs = (noisy(0, 2, seed=1)[0].requires_grad_(), cotangent_weights(base, topology).requires_grad_())
    assert torch.autograd.gradcheck(lambda v, w: function(v, topology, w), inputs)
    assert torch.autograd.gradgradcheck(lambda v, w: function(v, topology, w), inputs)


def test_the_weights_of_the_shape_are_constants() -> None:
    vertices, topology = noisy(1)
    vertices.requires_grad_()
    (found,) = torch.autograd.grad(laplacian_smoothing(vertices, topology, "cotangent"), vertices)
    fixed = cotangent_weights(vertices, topology)
    (wanted,) = torch.autograd.grad(laplacian_smoothing(vertices, topology, fixed.detach()), vertices)
    (through,) = torch.autograd.grad(laplacian_smoothing(vertices, topology, fixed), vertices)
    torch.testing.assert_close(found, wanted)
    assert float((through - wanted).abs().max()) > 1e-3


@pytest.mark.parametrize("name", LOSSES)
def test_single_precision(name: str) -> None:
    """Values and gradients to 10⁻⁵ of their size, of a head in metres too."""
    loss, _ = LOSSES[name]
    vertices, topology = noisy(3, noise=0.01)
    exact = (0.1 * vertices).requires_grad_()
    single = exact.detach().float().requires_grad_()
    exact = single.detach().double().requires_grad_()
    found, wanted = loss(single, topology), loss(exact, topology)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(wanted.item(), rel=1e-5)
    (found,), (wanted,) = torch.autograd.grad(found, single), torch.autograd.grad(wanted, exact)
    assert float((found - wanted).abs().max() / wanted.abs().max()) < 1e-5


def test_nearly_level_faces_keep_their_digits_in_single_precision() -> None:
    """1 − n·n′ from its definition has a handful of wrong answers there: it is no finer than 6·10⁻⁸."""
    vertices, topology = book(0.0, 180 - 0.02)
    assert float(normal_consistency_loss(vertices, topology)) == pytest.approx(6.0923e-8, rel=1e-4)
    assert float(normal_consistency_loss(vertices.float(), topology)) == pytest.approx(6.0923e-8, rel=1e-3)


@pytest.mark.parametrize("name", ALL)
def test_steps_downhill(name: str) -> None:
    """The gradient is one, and no function is constant."""
    vertices, topology = noisy(1)
    vertices.requires_grad_()
    before = ALL[name](vertices, topology).square().sum()
    (slope,) = torch.autograd.grad(before, vertices)
    after = ALL[name]((vertices - 1e-4 * slope / slope.norm()).detach(), topology).square().sum()
    assert after.item() < before.item()


# Faces without area


def collapsed(kind: str, dtype: torch.dtype) -> tuple[Tensor, Topology]:
    """Shapes with faces that have no area, or next to none."""
    vertices, topology = noisy(1)
    if kind == "a point":
        vertices = torch.zeros_like(vertices) + 0.3
    elif kind == "a line":
        vertices = vertices * torch.tensor([1.0, 0.0, 0.0])
    elif kind == "one vertex on another":
        first, second = topology.edges[7]
        vertices[second] = vertices[first]
    elif kind == "a ring on a point":
        vertices[topology.edges[topology.edges[:, 0] == 0, 1]] = torch.tensor([0.5, 0.2, 0.1], dtype=DOUBLE)
    elif kind == "a ring nearly on a point":
        ring = topology.edges[topology.edges[:, 0] == 0, 1]
        vertices[ring] = 1e-9 * vertices[ring] + torch.tensor([0.5, 0.2, 0.1], dtype=DOUBLE)
    elif kind == "folded":
        vertices[:, 2] = 0
    elif kind == "a sliver":
        a, b, c = topology.faces[5]
        vertices[c] = 0.3 * vertices[a] + 0.7 * vertices[b] + 1e-12
    elif kind == "tiny":
        vertices = 1e-18 * vertices
    return vertices.to(dtype), topology


KINDS = ["a point", "a line", "one vertex on another", "a ring on a point", "a ring nearly on a point", "folded",
         "a sliver", "tiny"]  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ALL)
def test_values_and_both_derivatives_stay_finite(name: str, kind: str, dtype: torch.dtype) -> None:
    vertices, topology = collapsed(kind, dtype)
    vertices.requires_grad_()
    found = ALL[name](vertices, topology)
    assert bool(found.isfinite().all())
    (slope,) = torch.autograd.grad(found.sum(), vertices, create_graph=True)
    assert bool(slope.isfinite().all())
    if slope.requires_grad:
        (second,) = torch.autograd.grad(slope.sum(), vertices, allow_unused=True, materialize_grads=True)
        assert bool(second.isfinite().all())


@pytest.mark.parametrize("along", [0.4, 1.0])
@pytest.mark.parametrize("power", range(-12, 0))
def test_cotangents_are_true_down_to_flat_and_bounded_below(power: int, along: float) -> None:
    """A triangle whose third vertex is near the middle of a side, or near its end."""
    height = 10.0**power
    tip = torch.tensor([along, height, 0], dtype=DOUBLE)
    vertices = torch.stack([torch.zeros(3, dtype=DOUBLE), torch.tensor([1, 0, 0], dtype=DOUBLE), tip])
    found = cotangent_weights(vertices, Topology.of(torch.tensor([[0, 1, 2]]), 3))
    assert float(found.abs().max()) <= 1 / (2 * FLAT)
    if power > -4:
        assert float(found[2]) == pytest.approx(tip[0] / height)  # the angle at vertex 0, opposite edge 1–2
    elif power < -4:
        assert float(found[2]) == pytest.approx(1 / (2 * FLAT), rel=0.5)


def test_gradcheck_of_a_narrow_face() -> None:
    """What is computed there is differentiated, size included."""
    vertices = torch.tensor([[0, 0, 0], [1, 0, 0], [0.4, 3e-5, 0], [0.5, 0.2, 0.4]], dtype=DOUBLE).requires_grad_()
    topology = Topology.of(torch.tensor([[0, 1, 2], [1, 0, 3]]), 4)
    for function in (cotangent_weights, normal_consistency_loss, flatness):
        assert torch.autograd.gradcheck(lambda v, f=function: f(v, topology), (vertices,), eps=1e-9, rtol=1e-2)


def test_a_pair_with_a_face_without_area_counts_half() -> None:
    vertices, topology = book(0.0, 180.0)
    vertices[3] = 0.4 * vertices[1]
    assert float(normal_consistency_loss(vertices, topology)) == pytest.approx(0.5)
    vertices[2] = vertices[0]
    assert float(normal_consistency_loss(vertices, topology)) == 0


def test_a_vertex_without_faces_stays() -> None:
    vertices, topology = noisy(1)
    more = Topology.of(topology.faces, 43)
    lone = torch.cat([vertices, torch.full((1, 3), 9.0, dtype=DOUBLE)]).requires_grad_()
    for laplacian in (uniform_laplacian, cotangent_laplacian):
        found = laplacian(lone, more)
        assert found[-1].tolist() == [0, 0, 0]
        torch.testing.assert_close(found[:-1], laplacian(vertices, topology))
    total = sum(loss(lone, more) for loss, _ in LOSSES.values())
    (slope,) = torch.autograd.grad(total, lone)
    assert slope[-1].tolist() == [0, 0, 0]
    assert bool(slope.isfinite().all())


def test_nan_is_not_hidden() -> None:
    vertices, topology = noisy(1)
    vertices[3, 1] = math.nan
    assert all(math.isnan(loss(vertices, topology)) for loss, _ in LOSSES.values())


# Errors


@pytest.mark.parametrize(
    ("faces", "error", "message"),
    [
        (torch.zeros(0, 3, dtype=torch.int64), MeshError, "5 vertices and no faces"),
        (torch.tensor([[0, 1]]), ShapeError, r"shape \(m, 3\); shape is \(1, 2\)"),
        (torch.tensor([0, 1, 2]), ShapeError, r"shape is \(3,\)"),
        (torch.tensor([[0.0, 1.0, 2.0]]), MeshError, r"whole numbers; they are torch\.float32"),
        (torch.tensor([[0, 1, 5]]), MeshError, "index 5 vertices; indices run from 0 to 5"),
        (torch.tensor([[0, 1, -1]]), MeshError, "indices run from -1 to 1"),
        (
            torch.tensor([[0, 1, 2], [3, 3, 4], [2, 1, 2]]),
            MeshError,
            r"2 of 3 do not, the first is face 1, \[3, 3, 4\]",
        ),
    ],
)
def test_faces_that_are_none(faces: Tensor, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Topology.of(faces, 5)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("shape", [(41, 3), (2, 43, 3), (42, 2), (3,)])
def test_values_that_do_not_fit(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"shape \(..., 42, 3\); shape is \(.*\)"):
        ALL[name](torch.zeros(shape), noisy(1)[1])


def test_options_that_do_not_exist() -> None:
    vertices, topology = noisy(0)
    with pytest.raises(OptionError, match="'uniform', 'cotangent' or a tensor; they are 'cot'"):
        laplacian_smoothing(vertices, topology, "cot")
    for target in (-1.0, math.inf, math.nan):
        with pytest.raises(OptionError, match=f"finite and not negative; it is {target:.4g}"):
            edge_length(vertices, topology, target)
    for function in (cotangent_laplacian, laplacian_smoothing, dirichlet_energy):
        with pytest.raises(ShapeError, match=r"weights should have shape \(..., 30\); shape is \(29,\)"):
            function(vertices, topology, torch.ones(29))
