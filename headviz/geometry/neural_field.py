"""Fields given by a neural network, and how steep a field is, measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from headviz.errors import BoundsError, FieldError
from headviz.geometry.field import CHUNK, ArrayField, Field


@dataclass(frozen=True, eq=False)
class LipschitzMeasurement:
    """How a Lipschitz bound was measured. It is an estimate: a steeper place may lie between the samples.

    Attributes:
        samples: gradients that were looked at, the refinement's included.
        sampled: the greatest gradient length among the stratified samples.
        largest: the greatest after the refinement.
        at: where that was, metres, shape (d,).
        margin: the factor that makes the bound of it.
        seed: seed of the samples.
    """

    samples: int
    sampled: float
    largest: float
    at: Float[Tensor, " d"]
    margin: float
    seed: int

    @property
    def bound(self) -> float:
        """The bound: ``largest · margin``."""
        return self.largest * self.margin


class NeuralField(ArrayField):
    """A network as a field: any module that maps points (n, 3) to values (n,) or (n, 1), or (n, 4) with a colour.

    The network is evaluated in evaluation mode, in chunks, in its own precision; modules that were training are
    training again afterwards. Values are differentiable by the points and by the network's parameters.

    Args:
        module: the network. Negative inside, metres.
        bounds: box that contains the surface, metres, shape (2, 3), or (2, 2) for a network of the plane.
        lipschitz: an upper bound of the gradient's length. By default it is measured in the box, see
            :func:`measure_lipschitz`, which takes about 9,000 gradients.
        color: whether the network returns a linear RGB colour after the value; the field then has ``color(points)``.
        chunk: points that go through the network at once.

    Attributes:
        exact: ``False``; what a network returns is not a distance.
        measurement: how ``lipschitz`` was measured, ``None`` if it was given.

    Raises:
        BoundsError: the box is not finite or has no extent.
        FieldError: the bound that was given is not a positive number, or the network's gradient cannot be measured.
    """

    exact: bool = False

    def __init__(
        self,
        module: nn.Module,
        bounds: Float[Tensor, "2 d"],
        lipschitz: float | None = None,
        *,
        color: bool = False,
        chunk: int = CHUNK,
    ) -> None:
        self.module = module
        self.bounds = check_box(bounds)
        self.channels = 4 if color else 1
        self.chunk = chunk
        self.measurement = None if lipschitz is not None else measure_lipschitz(self, self.bounds)
        self.lipschitz = float(lipschitz) if self.measurement is None else self.measurement.bound  # type: ignore[arg-type]
        if not 0 < self.lipschitz < math.inf:
            raise FieldError(f"lipschitz should be a positive number; it is {self.lipschitz}")

    def values(self, points: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """Values at points of shape (n, d), metres: shape (n,), in the points' precision and on their device.

        Raises:
            FieldError: the network returns another shape.
        """
        return self._outputs(points)[:, 0]

    @property
    def color(self) -> Callable[[Float[Tensor, "n d"]], Float[Tensor, "n 3"]]:
        """Colours at points of shape (n, d): linear RGB as the network returns it, shape (n, 3).

        Raises:
            AttributeError: the field was made without ``color=True``.
        """
        if self.channels == 1:
            raise AttributeError("this field has no colour; make it with color=True")
        return self._color

    def _color(self, points: Float[Tensor, "n d"]) -> Float[Tensor, "n 3"]:
        return self._outputs(points)[:, 1:]

    def _outputs(self, points: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        own = next(self.module.parameters(), points)
        with evaluating(self.module):
            parts = [self._checked(part.to(own)) for part in points.split(self.chunk)]
        return torch.cat(parts).to(points)

    def _checked(self, points: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        found = self.module(points)
        expected = (len(points), self.channels)
        if not isinstance(found, Tensor):
            raise FieldError(
                f"a network should return a tensor of shape {expected}; it returned {type(found).__name__}"
            )
        column = found[:, None] if self.channels == 1 and found.ndim == 1 else found
        if column.shape != expected:
            either = f"({expected[0]},) or {expected}" if self.channels == 1 else f"{expected}, value and colour"
            raise FieldError(f"a network should return shape {either}; shape is {tuple(found.shape)}")
        return column


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """A network in evaluation mode; each of its modules that was training is training again afterwards."""
    training = [part for part in module.modules() if part.training]
    try:
        for part in training:
            part.training = False
        yield
    finally:
        for part in training:
            part.training = True


def measure_lipschitz(
    field: Field | nn.Module,
    bounds: Float[Tensor, "2 d"] | None = None,
    *,
    samples: int = 4096,
    seed: int = 0,
    margin: float = 1.1,
    rounds: int = 10,
) -> LipschitzMeasurement:
    """How steep a field is in a box: the greatest gradient length that was found, times a margin.

    One sample is drawn in each of about ``samples`` equal cells of the box. Then the 64 steepest places are improved:
    in each round eight candidates are drawn around each, and the best is kept; the radius shrinks from a cell to a
    thousandth of one. A search needs no second derivatives, which networks with ReLU do not have. The same seed gives
    the same measurement. What is found is a lower bound of the true constant; the margin is what is believed to be
    missing, not a proof. :func:`headviz.geometry.field_network.lipschitz_upper_bound` is one, and much larger.

    Args:
        field: any differentiable field, or a network with one value per point.
        bounds: the box, metres, shape (2, d); the field's by default.
        samples: number of stratified samples, at least 1; rounded down to a cell count such as 16 · 16 · 16.
        seed: seed of samples and search.
        margin: factor on the greatest length, at least 1.
        rounds: rounds of the search.

    Raises:
        BoundsError: there is no box, or it is not finite or has no extent.
        FieldError: a gradient is not finite, the values do not depend on the points, or a number is out of range.
    """
    if samples < 1 or rounds < 0 or not 1 <= margin < math.inf:
        raise FieldError(f"samples ≥ 1, rounds ≥ 0, margin ≥ 1 are needed; got {samples}, {rounds}, {margin}")
    if bounds is None:
        if isinstance(field, nn.Module):
            raise BoundsError("a network has no box of its own; give bounds=…")
        bounds = field.bounds
    low, high = check_box(bounds)
    if isinstance(field, nn.Module):
        field = NeuralField(field, bounds, lipschitz=1.0)
    points, length, seen, sampled = _steepest(field, (low, high), samples, seed, rounds)
    top = int(length.argmax())
    return LipschitzMeasurement(seen, sampled, float(length[top]), points[top], margin, seed)


def _steepest(
    field: Field, box: tuple[Tensor, Tensor], samples: int, seed: int, rounds: int
) -> tuple[Tensor, Tensor, int, float]:
    """The steepest places, gradient lengths there, the number of samples, and the greatest length before the search."""
    low, high = box
    generator = torch.Generator().manual_seed(seed)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, len(low), generator=generator, dtype=torch.float64).to(low)

    side = int(samples ** (1 / len(low)) + 1e-9)
    cell = (high - low) / side
    grid = torch.cartesian_prod(*[torch.arange(side, device=low.device)] * len(low)).reshape(-1, len(low))
    points = low + (grid + uniform(len(grid))) * cell
    length = _gradient_lengths(field, points)
    sampled, seen = float(length.max()), len(points)
    length, best = length.topk(min(64, len(points)))
    points = points[best]
    for step in range(rounds):
        radius = cell * 0.001 ** (step / max(rounds - 1, 1))
        tried = points + (2 * uniform(8, len(points)) - 1) * radius
        tried = torch.minimum(torch.maximum(tried, low), high)
        lengths = _gradient_lengths(field, tried.reshape(-1, len(low))).reshape(8, -1)
        seen += lengths.numel()
        longest, which = lengths.max(0)
        points = torch.where((longest > length)[:, None], tried[which, torch.arange(len(points))], points)
        length = torch.maximum(longest, length)
    return points, length, seen, sampled


def _gradient_lengths(field: Field, points: Float[Tensor, "n d"], chunk: int = 4096) -> Float[Tensor, " n"]:
    parts = []
    for part in points.split(chunk):
        with torch.inference_mode(False), torch.enable_grad():
            at = part.detach().clone().requires_grad_()
            values = field(at)
            if not values.requires_grad:
                raise FieldError(
                    "a field should be differentiable by its points; this one's values do not depend on them"
                )
            (gradient,) = torch.autograd.grad(values.sum(), at)
        parts.append(torch.linalg.vector_norm(gradient, dim=1))
    lengths = torch.cat(parts)
    bad = int((~torch.isfinite(lengths)).sum())
    if bad:
        raise FieldError(f"a field should have finite gradients; {bad} of {len(lengths)} are NaN or infinite")
    return lengths


def check_box(bounds: Float[Tensor, "2 d"]) -> Float[Tensor, "2 d"]:
    """The box, without gradients.

    Raises:
        BoundsError: it is not finite or has no extent, or it is no box of the plane or of space.
    """
    if bounds.ndim != 2 or bounds.shape[0] != 2 or bounds.shape[1] not in (2, 3):
        raise BoundsError(f"bounds should have shape (2, 3) or (2, 2); shape is {tuple(bounds.shape)}")
    if not bool(torch.isfinite(bounds).all()) or not bool((bounds[0] < bounds[1]).all()):
        raise BoundsError(f"bounds should be a finite box with extent; they are {bounds.tolist()}")
    return bounds.detach()
