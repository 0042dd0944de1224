"""Marching in constant steps, and bracketing alone: what sphere tracing is compared with."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from torch import Tensor

from headviz.errors import FieldError, RayError, ShapeError
from headviz.geometry import bracket_rays, fixed_steps, sphere_trace
from headviz.geometry.bracket import Bracketing
from headviz.geometry.trace_history import Look, SphereTrace, Status


class Ball:
    """Twice the distance to a sphere of 10 cm around 0, in any dimension, with a bound that is far too small."""

    def __init__(self, dimension: int = 3) -> None:
        self.bounds = torch.tensor([[-0.2] * dimension, [0.2] * dimension], dtype=torch.float64)
        self.lipschitz = 0.1

    def __call__(self, points: Tensor) -> Tensor:
        return 2 * (points.norm(dim=1) - 0.1)


class Wavy(Ball):
    """A ball with ripples: a ray may meet it several times."""

    def __call__(self, points: Tensor) -> Tensor:
        return points.norm(dim=1) - 0.1 + 0.01 * (80 * points[:, 0]).sin()


def fan(dimension: int = 3, count: int = 60) -> tuple[Tensor, Tensor]:
    """Rays of different lengths side by side: through the sphere, beside it, beside its box; the first from inside."""
    x = torch.linspace(0, 0.25, count, dtype=torch.float64)
    rest = [0 * x] * (dimension - 2)
    directions = torch.stack([0 * x, *rest, -1 - x], 1)
    origins = torch.stack([x, *rest, (0 * x + 1).index_fill(0, torch.tensor([0]), 0.05)], 1)
    return origins, directions


def true_t(origins: Tensor, directions: Tensor) -> Tensor:
    """Where rays meet the sphere first, by the quadratic's formula; NaN where they do not; 0 from inside."""
    a = directions.square().sum(1)
    b, c = (origins * directions).sum(1), origins.square().sum(1) - 0.01
    return torch.where(c < 0, 0.0, (-b - (b * b - a * c).sqrt()) / a)


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("refine", [0, 1, 7, 30])
@settings(max_examples=12)
@given(step=st.floats(1e-3, 0.05))
def test_a_hit_is_behind_the_first_sign_change_by_less_than_a_step(dimension: int, refine: int, step: float) -> None:
    origins, directions = fan(dimension)
    truth = true_t(origins, directions)
    chord = 2 * (0.01 - origins[:, 0].square()).clamp(min=0).sqrt()
    found = fixed_steps(Ball(dimension), origins, directions, near=0.0, far=2.0, step=step, refine=refine)
    sure = chord > step  # a shorter chord may lie between two looks
    assert bool(found.hit[sure].all())
    assert not bool(found.hit[truth.isnan()].any())
    behind = ((found.t - truth) * directions.norm(dim=1))[found.hit]
    assert float(behind.min()) >= -1e-12
    assert float(behind.max()) <= step / 2**refine + 1e-12
    assert bool((found.values[found.hit] <= 0).all())


def test_looks_are_a_step_apart_until_the_sign_changes() -> None:
    origins, directions = fan()
    found = fixed_steps(Ball(), origins, directions, near=0.0, far=2.0, step=0.013, refine=3, record=True)
    assert found.history is not None
    assert (found.history.relaxation, found.history.tolerance, found.oversteps) == ("fixed", 0.0, 0)
    looks = found.history.ray(10)
    marched = looks.look == Look.MARCH
    torch.testing.assert_close(looks.moved[marched][:-1], torch.full((int(marched.sum()) - 1,), 0.013).double())
    assert looks.look.tolist() == sorted(looks.look.tolist())
    assert int((looks.look == Look.SECANT).sum()) == 3
    assert (looks.distances[marched] > 0).tolist() == [True] * (int(marched.sum()) - 1) + [False]
    missed = found.history.ray(30)  # from face to face of the box, the last step shorter
    torch.testing.assert_close(missed.positions[[0, -1], 2], torch.tensor([0.2, -0.2]).double())
    assert 0 < float(missed.moved[-2]) < 0.013
    assert len(missed.t) == math.ceil(0.4 / 0.013) + 1
    assert float(found.values[30]) == float(missed.distances[-1])


def test_statuses_and_rays_without_anything_to_search() -> None:
    origins, directions = fan()
    found = fixed_steps(Ball(), origins, directions, near=0.0, far=2.0, step=0.01)
    truth = true_t(origins, directions)
    assert torch.equal(found.hit, truth.isfinite())
    assert set(found.status.tolist()) == {Status.HIT, Status.MISSED}
    assert (int(found.steps[0]), float(found.t[0])) == (1, 0.0)  # starts inside
    beside = origins[:, 0] > 0.2
    assert found.steps[beside].tolist() == [0] * int(beside.sum())
    assert bool(found.values[beside].isnan().all())
    none = torch.zeros(60, dtype=torch.float64)
    nothing = fixed_steps(Ball(), origins, directions, near=none, far=none, step=0.01, record=True)
    assert (nothing.evaluations, nothing.t.tolist()) == (0, [0.0] * 60)
    empty = fixed_steps(Ball(), origins[:0], directions[:0], near=0.0, far=2.0, step=0.01, refine=2, record=True)
    assert (len(empty.t), empty.evaluations) == (0, 0)


class Shell(Ball):
    """The distance to a shell of 10 cm, 6 mm thick."""

    def __call__(self, points: Tensor) -> Tensor:
        return (points.norm(dim=1) - 0.1).abs() - 0.003


def test_a_thin_part_between_two_looks_is_not_seen_where_sphere_tracing_sees_it() -> None:
    shell = Shell()
    shell.lipschitz = 1.0
    ray = (torch.tensor([[0.0, 0.0, 0.18]]).double(), torch.tensor([[0.0, 0.0, -1.0]]).double())
    coarse = fixed_steps(shell, *ray, near=0.0, far=0.18, step=0.05)  # at 18, 13, 8, 3 and 0 cm
    fine = fixed_steps(shell, *ray, near=0.0, far=0.18, step=0.005)
    traced = sphere_trace(shell, *ray, near=0.0, far=0.18)
    assert (coarse.hit.tolist(), fine.hit.tolist(), traced.hit.tolist()) == ([False], [True], [True])
    assert coarse.evaluations == 5


def both(record: bool) -> list[SphereTrace]:
    options = {"near": 0.0, "far": 2.0, "record": record}
    marched = fixed_steps(Wavy(), *fan(), step=0.01, refine=4, **options)
    return [marched, bracket_rays(Wavy(), *fan(), bracketing=Bracketing(40, 6), **options)]


def test_recording_changes_nothing_and_the_history_is_complete() -> None:
    for one, two in zip(both(record=False), both(record=True), strict=True):
        assert one.history is None
        for name in ("points", "t", "status", "steps", "values"):
            torch.testing.assert_close(getattr(one, name), getattr(two, name), rtol=0, atol=0, equal_nan=True)
        history = two.history
        assert history is not None
        assert one.evaluations == two.evaluations == len(history.index) == int(two.steps.sum())
        assert torch.equal(torch.bincount(history.index, minlength=60), two.steps.long())
        torch.testing.assert_close(Wavy()(history.positions), history.distance)
        torch.testing.assert_close(two.points, fan()[0] + two.t[:, None] * fan()[1])


def first_root(origin: Tensor, direction: Tensor) -> float:
    """The first sign change among many samples, by scipy's root finder; NaN without one."""

    def value(t: float) -> float:
        return float(Wavy()((origin + t * direction)[None]))

    t = torch.linspace(0, 2.0, 8001, dtype=torch.float64)
    beyond = (Wavy()(origin + t[:, None] * direction) <= 0).nonzero()[:, 0]
    if not len(beyond) or int(beyond[0]) == 0:
        return 0.0 if len(beyond) else math.nan
    return brentq(value, float(t[beyond[0] - 1]), float(t[beyond[0]]), xtol=1e-13)


def test_both_find_the_first_root_that_scipy_finds() -> None:
    origins, directions = fan()
    truth = torch.tensor([first_root(*ray) for ray in zip(origins, directions, strict=True)], dtype=torch.float64)
    marched = fixed_steps(Wavy(), origins, directions, near=0.0, far=2.0, step=2e-4, refine=30)
    bracketed = bracket_rays(
        Wavy(), origins, directions, near=0.0, far=2.0, bracketing=Bracketing(2000, 12), tolerance=1e-11
    )
    for found in (marched, bracketed):
        assert torch.equal(found.hit, truth.isfinite())
        torch.testing.assert_close(found.t[found.hit], truth[found.hit], rtol=0, atol=1e-10)
    assert bool(bracketed.values[~bracketed.hit].isnan().all())


def test_bracketing_costs_a_look_its_samples_and_its_secants() -> None:
    origins, directions = fan()
    found = bracket_rays(Ball(), origins, directions, near=0.0, far=2.0, bracketing=Bracketing(20, 5), record=True)
    assert found.history is not None
    kinds = found.history.ray(30).look.tolist()
    assert kinds == [Look.MARCH] + [Look.SAMPLE] * 20  # a miss
    hit = found.history.ray(10).look.tolist()
    assert set(hit) == {Look.MARCH, Look.SAMPLE, Look.SECANT}
    assert hit.count(Look.SECANT) <= 5
    assert float(found.values[found.hit][1:].abs().max()) <= 1e-4  # but the ray from inside
    assert (int(found.steps[0]), float(found.t[0])) == (1, 0.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"step": 0.0}, "step should be positive and finite, in metres; it is 0.0"),
        ({"step": math.nan}, "step should be positive and finite"),
        ({"step": 0.01, "refine": -1}, "at least 0 bisections; it is -1"),
        ({"step": 1e-9}, "at most 1048576 steps; 0.4 m in steps of 1e-09 m"),
        ({"step": 0.01, "far": -1.0}, "near should be before far"),
    ],
)
def test_settings_that_cannot_be_used(options: dict[str, float], message: str) -> None:
    with pytest.raises(RayError, match=message):
        fixed_steps(Ball(), *fan(), **{"near": 0.0, "far": 2.0} | options)


def test_fields_and_shapes_that_cannot_be_used() -> None:
    class Broken(Ball):
        def __call__(self, points: Tensor) -> Tensor:
            return super().__call__(points) / 0

    with pytest.raises(FieldError, match="finite values"):
        fixed_steps(Broken(), *fan(), near=0.0, far=2.0, step=0.01)
    with pytest.raises(ShapeError, match=r"\(n, 2\)"):
        fixed_steps(Ball(2), *fan(), near=0.0, far=2.0, step=0.01)
    with pytest.raises(RayError, match="tolerance should be positive"):
        bracket_rays(Ball(), *fan(), near=0.0, far=2.0, tolerance=0.0)
