"""What a recorded trace tells, and that it is the same trace."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from headviz.errors import RayError
from headviz.geometry.bracket import Bracketing
from headviz.geometry.trace import sphere_trace
from headviz.geometry.trace_history import Look, SphereTrace


class Ball:
    """The distance to a sphere of 10 cm, times a factor that its Lipschitz bound of 1 may not know of."""

    def __init__(self, factor: float = 1.0) -> None:
        self.bounds, self.lipschitz, self.factor = torch.tensor([[-0.2] * 3, [0.2] * 3]), 1.0, factor

    def __call__(self, points: Tensor) -> Tensor:
        return self.factor * (points.norm(dim=1) - 0.1)


def fan(count: int = 60) -> tuple[Tensor, Tensor]:
    """Rays of different lengths side by side: through the sphere, grazing it, beside it, beside its box."""
    x = torch.linspace(0, 0.25, count, dtype=torch.float64)
    origins = torch.stack([x, 0 * x, 0 * x + 1], 1)
    return origins, torch.tensor([[0.0, 0.0, -1.0]], dtype=torch.float64) * (1 + x[:, None])


def trace(field: Ball | None = None, **options) -> SphereTrace:
    with torch.no_grad():
        return sphere_trace(field or Ball(), *fan(), near=0.0, far=1.5, **options)


CASES = {
    "plain": {},
    "relaxed": {"relaxation": 1.6},
    "adaptive": {"relaxation": "adaptive"},
    "backward": {"backward": True, "relaxation": 1.3},
    "few steps": {"max_steps": 3},
    "overshooting": {"field": Ball(2.5)},
    "bracketed": {"field": Ball(2.5), "bracketing": Bracketing(20), "max_steps": 20},
}


@pytest.mark.parametrize("case", CASES)
def test_recording_changes_nothing(case: str) -> None:
    one, two = trace(**CASES[case]), trace(**CASES[case], record=True)
    for name in ("points", "t", "status", "steps", "values"):
        torch.testing.assert_close(getattr(one, name), getattr(two, name), rtol=0, atol=0, equal_nan=True)
    assert (one.evaluations, one.oversteps) == (two.evaluations, two.oversteps)
    assert one.history is None


@pytest.mark.parametrize("case", CASES)
def test_the_history_is_complete_and_true(case: str) -> None:
    found = trace(**CASES[case], record=True)
    history, field = found.history, CASES[case].get("field", Ball())
    assert int(history.evaluations.sum()) == found.evaluations == len(history.index) == len(history.positions)
    torch.testing.assert_close(field(history.positions), history.distance)
    assert torch.equal(torch.bincount(history.index, minlength=60), found.steps.long())
    assert [int(history.active(step).sum()) for step in range(len(history))] == history.evaluations.tolist()
    assert len(history.oversteps) == found.oversteps
    for ray in range(0, 60, 7):
        looks = history.ray(ray)
        assert len(looks.t) == int(found.steps[ray])
        torch.testing.assert_close(looks.positions, fan()[0][ray] + looks.t[:, None] * fan()[1][ray])


@pytest.mark.parametrize("backward", [False, True])
def test_a_ray_walks_from_sphere_to_sphere(backward: bool) -> None:
    found = trace(record=True, backward=backward)
    looks = found.history.ray(5)
    torch.testing.assert_close(looks.moved[:-1], looks.distances[:-1])
    assert looks.t[-1] == found.t[5]
    assert looks.moved[-1] == 0
    assert looks.step.tolist() == list(range(len(looks.t)))
    assert bool((looks.t.diff() < 0).all()) == backward


def test_relaxed_steps_that_left_a_gap_are_marked_and_taken_back() -> None:
    looks = trace(record=True, relaxation=1.6).history.ray(5)
    where = looks.undone.nonzero()[:, 0]
    assert len(where) == 1
    k = int(where)
    # The step was 1.6 radii; the way back leaves one radius of the look before, and steps are safe from there on.
    torch.testing.assert_close(looks.moved[k - 1], 1.6 * looks.distances[k - 1])
    torch.testing.assert_close(looks.moved[k - 1] + looks.moved[k], looks.distances[k - 1])
    torch.testing.assert_close(looks.moved[k + 1 : -1], looks.distances[k + 1 : -1])
    assert looks.distances[k - 1] + looks.distances[k] < looks.moved[k - 1]


def test_adaptive_steps_leave_no_gap_unnoticed() -> None:
    """The free spheres of accepted looks overlap all the way, whatever the steps were."""
    history = trace(record=True, relaxation="adaptive", tolerance=1e-6).history
    for ray in range(40):
        looks = history.ray(ray)
        t, radius = (x[~looks.undone] for x in (looks.t * (1 + fan()[0][ray, 0]), looks.distances))
        assert bool((t.diff() <= radius[:-1] + radius[1:] + 1e-12).all())
    steps = history.ray(11)
    assert bool((steps.moved[~steps.undone][:-1] / steps.distances[~steps.undone][:-1]).max() > 1.05)


def test_oversteps_are_told() -> None:
    events = trace(Ball(2.5), record=True).history.oversteps
    assert len(events) > 5
    assert bool((events.value_before > 0).all())
    assert bool((events.value_after < -1e-4).all())
    lengths = fan()[1].norm(dim=1)[events.ray]
    # The step was as long as the bound claims to be safe.
    torch.testing.assert_close((events.t_after - events.t_before) * lengths, events.value_before)
    history = trace(Ball(2.5), record=True).history
    for ray, step, t in zip(events.ray.tolist(), events.step.tolist(), events.t_after.tolist(), strict=True):
        looks = history.ray(ray)
        assert float(looks.t[looks.step == step]) == t


def test_kinds_of_looks() -> None:
    history = trace(Ball(2.5), record=True, bracketing=Bracketing(20)).history
    kinds = [Look(int(k)) for k in history.look]
    assert set(kinds) == set(Look)
    assert kinds == sorted(kinds)
    assert Look.SECANT in history.ray(5).look.tolist()


def test_arrays_and_files(tmp_path: Path) -> None:
    history = trace(Ball(2.5), record=True, relaxation="adaptive").history
    history.save(tmp_path / "rays.npz")
    with np.load(tmp_path / "rays.npz") as read:
        assert {name: read[name].shape for name in read} == {k: v.shape for k, v in history.arrays().items()}
        np.testing.assert_array_equal(read["t"], history.t.numpy())
        assert read["index"].dtype == np.int32
        assert (str(read["relaxation"]), float(read["lipschitz"])) == ("adaptive", 1.0)
        assert len(read["overstep_ray"]) == len(history.oversteps)


@pytest.mark.parametrize("ray", [-1, 60])
def test_a_ray_that_is_not_there(ray: int) -> None:
    with pytest.raises(RayError, match=f"0 to 59; it is {ray}"):
        trace(record=True).history.ray(ray)
