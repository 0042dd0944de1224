"""Fields whose Lipschitz bound is too small: over-steps show it, bracketing finds the hits nevertheless."""

from __future__ import annotations

import pytest
import torch
from scipy.optimize import brentq
from torch import Tensor

from headviz.errors import RayError
from headviz.geometry.bracket import Bracketing
from headviz.geometry.trace import sphere_trace
from headviz.geometry.trace_history import Status


class Wavy:
    """A ripple of 1 cm on a sphere of 10 cm: its gradient is up to 1 + 0.01 · 80 = 1.8, and with ``factor`` more."""

    def __init__(self, lipschitz: float, factor: float = 1.0) -> None:
        self.bounds, self.lipschitz, self.factor = torch.tensor([[-0.2] * 3, [0.2] * 3]), lipschitz, factor

    def __call__(self, points: Tensor) -> Tensor:
        return self.factor * (points.norm(dim=1) - 0.1 + 0.01 * (80 * points[:, 0]).sin())


def rays(count: int = 200) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    origins = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator, dtype=torch.float64), dim=1)
    targets = 0.05 * torch.randn(count, 3, generator=generator, dtype=torch.float64)
    return 0.6 * origins, torch.nn.functional.normalize(targets - 0.6 * origins, dim=1)


def first_root(field: Wavy, origin: Tensor, direction: Tensor) -> float:
    """The first sign change among many samples, by scipy's root finder."""

    def value(t: float) -> float:
        return float(field(origin[None] + t * direction[None]))

    t = torch.linspace(0, 1.2, 4001, dtype=torch.float64)
    beyond = (field(origin + t[:, None] * direction) < 0).nonzero()[:, 0]
    return brentq(value, float(t[beyond[0] - 1]), float(t[beyond[0]]), xtol=1e-12) if len(beyond) else torch.nan


TRUTH = torch.tensor([first_root(Wavy(1.8), *ray) for ray in zip(*rays(), strict=True)], dtype=torch.float64)


@pytest.mark.parametrize("relaxation", [1.0, 1.5, "adaptive"])
def test_an_honest_bound_is_never_overstepped(relaxation: float | str) -> None:
    found = sphere_trace(Wavy(1.8), *rays(), near=0.0, far=1.2, max_steps=600, relaxation=relaxation)
    assert found.oversteps == 0
    assert torch.equal(found.hit, TRUTH.isfinite())


@pytest.mark.parametrize("relaxation", [1.0, "adaptive"])
def test_a_small_bound_is_noticed_and_rays_still_arrive(relaxation: float | str) -> None:
    found = sphere_trace(
        Wavy(1.0, 1.4), *rays(), near=0.0, far=1.2, max_steps=400, tolerance=1e-6, relaxation=relaxation
    )
    assert found.oversteps > 50
    # Each hit is a place where the field is 0, the first or a later one.
    assert float(found.values[found.hit].abs().max()) <= 1e-6
    assert int(found.hit.sum()) > 0.9 * int(TRUTH.isfinite().sum())


@pytest.mark.parametrize("backward", [False, True])
def test_bracketing_recovers_the_first_hits(backward: bool) -> None:
    """The bound is almost four times too small: marching jumps about, brackets contain the first root."""
    origins, directions = rays()
    field = Wavy(1.0, 2.0)
    options = {
        "near": 0.0,
        "far": 1.2,
        "tolerance": 1e-7,
        "bracketing": Bracketing(100, 12, misses=True),
        "backward": backward,
    }
    found = sphere_trace(field, origins, directions, **options)
    reverse = origins + 1.2 * directions
    truth = TRUTH if not backward else torch.tensor(
        [1.2 - first_root(field, *ray) for ray in zip(reverse, -directions, strict=True)], dtype=torch.float64
    )  # fmt: skip
    close = (found.t - truth).abs() < 1e-5
    assert found.oversteps > 50
    hits = truth.isfinite()
    assert float(close[hits].double().mean()) > 0.95
    without = sphere_trace(field, origins, directions, **options | {"bracketing": Bracketing(100, 12)})
    assert int((hits & ~without.hit).sum()) > 20  # leapt over
    assert int((hits & ~found.hit).sum()) <= 2
    assert int((~hits & found.hit).sum()) == 0
    assert float(found.values[found.hit].abs().quantile(0.9)) <= 1e-7


def test_rays_out_of_steps_are_sampled_to_the_end() -> None:
    origins, directions = rays()
    few = {"near": 0.0, "far": 1.2, "max_steps": 2, "tolerance": 1e-8}
    left = sphere_trace(Wavy(1.8), origins, directions, **few)
    found = sphere_trace(Wavy(1.8), origins, directions, **few, bracketing=Bracketing(400, 10))
    assert left.count(Status.OUT_OF_STEPS) > 100
    assert float((found.hit == TRUTH.isfinite()).double().mean()) > 0.98
    both = found.hit & TRUTH.isfinite()
    assert float((found.t - TRUTH)[both].abs().quantile(0.95)) < 1e-7
    # A ray without a sign change is not shown to miss.
    assert found.count(Status.OUT_OF_STEPS) == int((left.status == Status.OUT_OF_STEPS).sum()) - int(
        (found.hit & ~left.hit).sum()
    )


def test_more_secant_steps_come_closer() -> None:
    origins, directions = rays()
    errors = []
    for secant in (0, 2, 4, 8):
        found = sphere_trace(
            Wavy(1.8), origins, directions, near=0.0, far=1.2, max_steps=1, tolerance=1e-12,
            bracketing=Bracketing(100, secant),
        )  # fmt: skip
        both = found.hit & TRUTH.isfinite()
        errors.append(float((found.t - TRUTH)[both].abs().median()))
    assert errors[0] > 1e-4
    assert errors[1] < 0.1 * errors[0]
    assert errors[2] < 0.1 * errors[1]
    assert errors[3] < 1e-9


def test_evaluations_and_steps_include_samples() -> None:
    with torch.no_grad():
        found = sphere_trace(Wavy(1.0, 2.0), *rays(), near=0.0, far=1.2, bracketing=Bracketing(30, 4), record=True)
    assert int(found.steps.sum()) == found.evaluations == int(found.history.evaluations.sum())


@pytest.mark.parametrize("settings", [(0, 8), (10, -1)])
def test_settings(settings: tuple[int, int]) -> None:
    with pytest.raises(RayError, match="at least 1 sample"):
        Bracketing(*settings)
