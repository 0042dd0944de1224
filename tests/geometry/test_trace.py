"""Sphere tracing against closed forms: front and back hits, statuses, steps, and the box that rays enter."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from trace_peers import trace_active, trace_all

from headviz.errors import FieldError, RayError, ShapeError
from headviz.geometry.look_ahead import event_last, first_event
from headviz.geometry.trace import sphere_trace
from headviz.geometry.trace_history import SphereTrace, Status

DOUBLE = torch.float64


class Formula:
    """A field from a function, with a box and a Lipschitz bound; counts how often it is evaluated."""

    def __init__(self, function, half=(0.1, 0.1, 0.1), lipschitz=1.0):
        self.function, self.lipschitz, self.count = function, lipschitz, 0
        half = torch.as_tensor(half, dtype=DOUBLE)
        self.bounds = torch.stack([-half, half])

    def __call__(self, points: Tensor) -> Tensor:
        self.count += len(points)
        return self.function(points)


def ball(radius=0.1, dimension=3):
    return Formula(lambda p: p.norm(dim=1) - radius, (radius,) * dimension)


def block(half=(0.1, 0.06, 0.08)):
    size = torch.tensor(half, dtype=DOUBLE)

    def distance(p):
        q = p.abs() - size.to(p)
        return q.clamp(min=0).norm(dim=1) + q.amax(1).clamp(max=0)

    return Formula(distance, half)


def ring(major=0.08, minor=0.03):
    def distance(p):
        return torch.stack([p[:, [0, 2]].norm(dim=1) - major, p[:, 1]], 1).norm(dim=1) - minor

    return Formula(distance, (major + minor, minor, major + minor))


def some_rays(count=300, seed=0, dimension=3, dtype=DOUBLE):
    """Rays from all around towards points near the origin, their directions of all lengths."""
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.randn(3, count, dimension, generator=generator, dtype=DOUBLE)
    origins = 0.5 * torch.nn.functional.normalize(numbers[0], dim=1)
    lengths = torch.rand(count, 1, generator=generator, dtype=DOUBLE) * 3 + 0.1
    directions = torch.nn.functional.normalize(0.06 * numbers[1] - origins, dim=1) * lengths
    return origins.to(dtype), directions.to(dtype)


def trace(field, origins, directions, **options) -> SphereTrace:
    lengths = directions.norm(dim=1)
    options = {"near": 0.0 * lengths, "far": 2.0 / lengths, "tolerance": 1e-10, "max_steps": 5000} | options
    return sphere_trace(field, origins, directions, **options)


def sphere_hits(o, v, radius=0.1):
    """Both roots of |o + t v|² = r²; NaN where the ray misses."""
    a, b, c = (v * v).sum(1), (o * v).sum(1), (o * o).sum(1) - radius**2
    root = (b * b - a * c).sqrt()
    return (-b - root) / a, (-b + root) / a


def box_hits(o, v, half=(0.1, 0.06, 0.08)):
    size = torch.tensor(half, dtype=DOUBLE)
    ends = torch.stack([(-size - o) / v, (size - o) / v])
    first, last = ends.amin(0).amax(1), ends.amax(0).amin(1)
    nothing = torch.full_like(first, math.nan)
    return torch.where(first <= last, first, nothing), torch.where(first <= last, last, nothing)


def torus_hits(o, v, major=0.08, minor=0.03):
    """First and last real root of (|p|² + R² − r²)² = 4 R² (x² + z²) along the ray, by numpy."""
    found = []
    for origin, way in zip(o.numpy(), v.numpy(), strict=True):
        square = np.poly1d([way @ way, 2 * origin @ way, origin @ origin])
        flat = np.array([1.0, 0.0, 1.0])
        across = np.poly1d([way @ (flat * way), 2 * origin @ (flat * way), origin @ (flat * origin)])
        quartic = (square + (major**2 - minor**2)) ** 2 - 4 * major**2 * across
        roots = quartic.roots[np.abs(quartic.roots.imag) < 1e-7].real
        found.append((roots.min(), roots.max()) if len(roots) else (math.nan, math.nan))
    return torch.tensor(found, dtype=DOUBLE).T.unbind()


SOLIDS = {"sphere": (ball, sphere_hits), "box": (block, box_hits), "torus": (ring, torus_hits)}


@pytest.mark.parametrize("relaxation", [1.0, 1.4, 1.9, "adaptive"])
@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("solid", SOLIDS)
def test_hits_are_those_of_the_closed_form(solid: str, backward: bool, relaxation: float | str) -> None:
    make, solve = SOLIDS[solid]
    origins, directions = some_rays()
    truth = solve(origins, directions)[int(backward)]
    found = trace(make(), origins, directions, backward=backward, relaxation=relaxation)
    hits = truth.isfinite()
    assert 30 < int(hits.sum()) < 270 or solid != "torus"
    assert torch.equal(found.status, torch.where(hits, Status.HIT, Status.MISSED).to(torch.uint8))
    lengths = directions.norm(dim=1)
    assert float(((found.t - truth) * lengths).abs()[hits].quantile(0.95)) < 1e-8
    # At grazing rays a tolerance of the field's value is a larger one of the way, by the square root.
    assert float(((found.t - truth) * lengths).abs()[hits].max()) < 1e-5
    assert found.oversteps == 0
    assert float(found.values[hits].abs().max()) <= 1e-10
    torch.testing.assert_close(found.points, origins + found.t[:, None] * directions)


@pytest.mark.parametrize("backward", [False, True])
def test_circles_in_the_plane(backward: bool) -> None:
    origins, directions = some_rays(dimension=2)
    truth = sphere_hits(origins, directions)[int(backward)]
    found = trace(ball(dimension=2), origins, directions, backward=backward)
    assert torch.equal(found.hit, truth.isfinite())
    torch.testing.assert_close(found.t[found.hit], truth[found.hit], atol=1e-6, rtol=0)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-5)])
def test_precision_is_kept(dtype: torch.dtype, tolerance: float) -> None:
    origins, directions = some_rays(dtype=dtype)
    found = trace(ball(), origins, directions, tolerance=tolerance)
    assert {found.t.dtype, found.points.dtype, found.values.dtype} == {dtype}
    assert (found.status.dtype, found.steps.dtype) == (torch.uint8, torch.int32)
    truth = sphere_hits(origins.double(), directions.double())[0]
    slack = (found.t.double() - truth)[found.hit] * directions.double().norm(dim=1)[found.hit]
    assert float(slack.abs().median()) < 2 * tolerance


@pytest.mark.parametrize("relaxation", [1.0, 1.5, "adaptive"])
def test_the_plain_loops_find_the_same(relaxation: float | str) -> None:
    origins, directions = some_rays()
    directions = torch.nn.functional.normalize(directions, dim=1)
    ours = sphere_trace(ring(), origins, directions, near=0.0, far=1.0, relaxation=relaxation)
    for peer in (trace_all, trace_active):
        other = peer(ring(), origins, directions, 0.0, 1.0)
        assert torch.equal(ours.hit, other.hit)
        torch.testing.assert_close(ours.t[ours.hit], other.t[ours.hit], atol=3e-3, rtol=0)
        assert float((ours.t - other.t)[ours.hit].abs().median()) < 1e-4


angles = st.floats(-3, 3)


@settings(max_examples=25)
@given(angles, angles, st.floats(0.2, 5), st.floats(-2, 2), st.sampled_from([1.0, 1.3, "adaptive"]))
def test_moves_with_the_scene(yaw: float, roll: float, size: float, shift: float, relaxation: float | str) -> None:
    """Turned, enlarged and moved, field and rays meet at the same t."""
    generator = torch.tensor([[0, -roll, yaw], [roll, 0, -0.5], [-yaw, 0.5, 0]], dtype=DOUBLE)
    turn, move = torch.linalg.matrix_exp(generator), torch.tensor([shift, 0.3, -shift], dtype=DOUBLE)
    plain = ring()
    other = Formula(lambda p: size * plain((p - move) @ turn / size), (9.0, 9.0, 9.0))
    plain.bounds = other.bounds
    origins, directions = some_rays(20)
    options = {"near": 0.0, "far": 2.0 / directions.norm(dim=1), "relaxation": relaxation, "max_steps": 400}
    one = trace(plain, origins, directions, tolerance=1e-6, **options)
    two = trace(other, size * origins @ turn.T + move, size * directions @ turn.T, tolerance=size * 1e-6, **options)
    assert torch.equal(one.status, two.status)
    torch.testing.assert_close(one.t[one.hit], two.t[one.hit], atol=1e-3, rtol=0)
    assert float((one.t - two.t)[one.hit].abs().median()) < 1e-8


def test_the_same_call_gives_the_same_answer() -> None:
    origins, directions = some_rays()
    one, two = (trace(ring(), origins, directions, relaxation="adaptive") for _ in range(2))
    for name in ("points", "t", "status", "steps"):
        assert torch.equal(getattr(one, name), getattr(two, name))
    assert one.evaluations == two.evaluations


def test_evaluations_are_counted() -> None:
    origins, directions = some_rays()
    for options in ({}, {"relaxation": 1.5}, {"backward": True}, {"max_steps": 3}):
        field = ring()
        with torch.no_grad():
            found = trace(field, origins, directions, **options)
        assert field.count == found.evaluations == int(found.steps.sum())


def test_relaxation_takes_fewer_looks() -> None:
    """Past a long wall, where the distance hardly changes, a step of ω radii is what saves."""
    wall = Formula(lambda p: p[:, 1] + 0.02, (10.0, 10.0, 10.0))
    origins, directions = torch.zeros(1, 3), torch.tensor([[1.0, -1e-3, 0.0]])
    looks = {
        w: int(sphere_trace(wall, origins, directions, near=0.0, far=9.0, max_steps=2000, relaxation=w).steps)
        for w in (1.0, 1.5, 1.9, "adaptive")
    }
    assert looks[1.9] < looks[1.5] < looks[1.0]
    assert looks[1.5] == pytest.approx(looks[1.0] / 1.5, rel=0.05)
    assert looks["adaptive"] < looks[1.5]


def test_looking_ahead_in_vain_takes_no_step_away() -> None:
    """A ray that grazes the sphere may use all its looks, however many were planned for nothing."""
    origins = torch.tensor([[0.1001, 0.0, 1.0]] * 3, dtype=DOUBLE)
    directions = torch.tensor([[0.0, 0.0, -1.0]], dtype=DOUBLE).expand(3, 3)
    for steps in (1, 5, 20, 60):
        found = sphere_trace(
            ball(), origins, directions, near=0.0, far=2.0, max_steps=steps, tolerance=1e-6, relaxation="adaptive",
            record=True,
        )  # fmt: skip
        if bool((found.status == Status.OUT_OF_STEPS).all()):
            assert int((~found.history.ray(0).undone).sum()) <= steps + 1 <= int(found.steps[0])
    assert found.status.tolist() == [Status.MISSED] * 3


def test_looking_ahead_finds_what_single_looks_find() -> None:
    """Many rays take their looks one by one, few take several at once, until both hit the same places."""
    origins, directions = some_rays(9000)
    options = {"tolerance": 1e-9, "relaxation": "adaptive"}
    many = trace(ring(), origins, directions, **options)
    few = [trace(ring(), origins[k : k + 3], directions[k : k + 3], **options) for k in range(0, 90, 3)]
    assert torch.equal(torch.cat([one.status for one in few]), many.status[:90])
    difference = (torch.cat([one.t for one in few]) - many.t[:90]).abs() * directions.norm(dim=1)[:90]
    assert float(difference[many.hit[:90]].max()) < 1e-5
    assert float(difference[many.hit[:90]].median()) < 1e-8


def test_events_end_a_look_ahead() -> None:
    """Looks of radius 1, 1, … from 0: the event is the first hit or exit, or the last look before a gap."""
    at = torch.tensor([[0.5, 0.5, 0.5, 2.5, 0.5], [1.5, 1.5, 3.5, 3.0, 1.5], [2.5, 2.5, 4.0, 3.5, 2.5]])
    radius = torch.tensor([[1.0, 1, 1, 1, 1], [1, 0.01, 1, 1, 1], [1, 1, 1, 1, 0.6]])
    reach, end = torch.zeros(5), torch.tensor([9.0, 9, 9, 9, 3])
    assert first_event(at, radius, reach, end, near=0.02).tolist() == [2, 1, 0, 0, 2]
    rows = event_last(at, torch.tensor([2, 1, 0, 0, 2]))
    assert rows[-1].tolist() == [2.5, 1.5, 0.5, 2.5, 2.5]
    assert torch.equal(rows.sort(0).values, at)


@pytest.mark.parametrize("relaxation", [1.9, 1.5, "adaptive"])
def test_a_thin_plate_is_not_jumped(relaxation: float | str) -> None:
    """Relaxed steps end beyond a plate of 0.1 mm, whose other side is free again, and must be taken back."""
    plate = Formula(lambda p: p[:, 2].abs() - 5e-5, (1.0, 1.0, 1.0))
    origins = torch.zeros(200, 3, dtype=DOUBLE)
    origins[:, 2] = torch.linspace(0.3, 0.7, 200)
    directions = torch.tensor([[0.9, 0.0, -0.3]], dtype=DOUBLE).expand(200, 3)
    starts = torch.stack([-origins[:, 2], 0 * origins[:, 2], origins[:, 2]], 1)
    found = sphere_trace(plate, starts, directions, near=0.0, far=1.1, tolerance=1e-6, relaxation=relaxation)
    reached = origins[:, 2] < 0.3 * 1.1
    assert bool(found.hit[reached].all())
    assert int(reached.sum()) > 5
    torch.testing.assert_close(found.t[reached], (origins[reached, 2] - 5e-5) / 0.3, atol=1e-5, rtol=0)


def test_statuses() -> None:
    origins = torch.tensor([[0, 0, 1.0], [0.0999, 0, 1], [0.3, 0, 1], [0.1001, 0, 1]])
    directions = torch.tensor([[0, 0, -1.0]]).expand(4, 3)
    wide = ball()
    wide.bounds = wide.bounds * 5
    found = sphere_trace(wide, origins, directions, near=0.0, far=3.0, max_steps=8, tolerance=1e-6)
    assert found.status.tolist() == [Status.HIT, Status.OUT_OF_STEPS, Status.MISSED, Status.OUT_OF_STEPS]
    assert [found.count(status) for status in Status] == [1, 1, 2]
    assert found.t[2] == pytest.approx(1.5)  # where it left the box
    # The candidate kept is the look with the smallest |f| / t.
    for ray in (1, 3):
        history = sphere_trace(
            wide, origins, directions, near=0.0, far=3.0, max_steps=8, tolerance=1e-6, record=True
        ).history
        looks = history.ray(ray)
        best = int((looks.distances / looks.t).argmin())
        assert found.t[ray] == looks.t[best]
        assert found.values[ray] == pytest.approx(float(looks.distances[best]), rel=1e-5)


def test_convergence_is_tested_after_the_last_move() -> None:
    origin, down = torch.tensor([[0.0, 0.0, 1.0]]), torch.tensor([[0.0, 0.0, -1.0]])
    field = Formula(lambda p: p.norm(dim=1) - 0.1, (2.0, 2.0, 2.0))
    found = sphere_trace(field, origin, down, near=0.0, far=3.0, max_steps=1)
    assert (found.status.item(), found.steps.item(), found.t.item()) == (Status.HIT, 2, pytest.approx(0.9))


def test_rays_enter_by_the_box_and_those_that_miss_it_cost_nothing() -> None:
    origins = torch.tensor([[0, 0, 50.0], [1, 1, 50], [0.2, 0, 50], [0, 0, -50]], dtype=DOUBLE)
    directions = torch.tensor([[0, 0, -1.0]], dtype=DOUBLE).expand(4, 3)
    field = ball()
    found = sphere_trace(field, origins, directions, near=0.0, far=math.inf, record=True)
    assert found.steps.tolist() == [1, 0, 0, 0]
    assert found.status.tolist() == [Status.HIT, Status.MISSED, Status.MISSED, Status.MISSED]
    assert found.history.t[0] == pytest.approx(49.9 - 1e-4)
    assert bool(found.values[1:].isnan().all())
    assert bool(torch.isfinite(found.points).all())


@pytest.mark.parametrize("along", [0, 1, 2])
def test_rays_on_a_face_of_the_box_are_in_it(along: int) -> None:
    """A box field's rays in its own face, parallel to the axes, where slab quotients are 0/0."""
    origins, directions = torch.full((1, 3), 0.1), torch.zeros(1, 3)
    origins[0, along], directions[0, along] = -1.0, 1.0
    found = sphere_trace(block((0.1, 0.1, 0.1)), origins, directions, near=0.0, far=2.0)
    assert found.hit.item()
    assert found.t.item() == pytest.approx(0.9, abs=1e-3)


def test_a_start_inside_is_a_hit_where_it_starts() -> None:
    origins, directions = torch.zeros(1, 3), torch.tensor([[0.0, 2.0, 0.0]])
    found = sphere_trace(ball(), origins, directions, near=0.01, far=1.0)
    assert (found.hit.item(), found.t.item()) == (True, pytest.approx(0.01))
    out = sphere_trace(ball(), origins, directions, near=0.01, far=1.0, backward=True)
    assert (out.hit.item(), out.t.item()) == (True, pytest.approx(0.05, abs=1e-4))


def test_near_and_far_per_ray() -> None:
    origins = torch.tensor([[0.0, 0.0, 1.0]]).expand(4, 3)
    directions = torch.tensor([[0.0, 0.0, -1.0]]).expand(4, 3)
    near, far = torch.tensor([0.0, 0.0, 0.95, 0.9]), torch.tensor([2.0, 0.85, 2.0, 0.9])
    found = sphere_trace(ball(), origins, directions, near=near, far=far)
    assert found.status.tolist() == [Status.HIT, Status.MISSED, Status.HIT, Status.MISSED]
    torch.testing.assert_close(found.t[:3], torch.tensor([0.9, 0.0, 0.95]), atol=1e-3, rtol=0)
    assert found.steps.tolist()[3] == 0


def test_no_rays() -> None:
    none = torch.zeros(0, 3)
    found = sphere_trace(ball(), none, none, near=0.0, far=1.0, record=True)
    assert (found.points.shape, found.evaluations, len(found.history)) == ((0, 3), 0, 0)


def test_a_shared_origin_is_the_same_as_its_copies() -> None:
    _, directions = some_rays()
    origin = torch.tensor([[0.3, 0.0, 0.4]], dtype=DOUBLE)
    directions = torch.nn.functional.normalize(directions, dim=1) * 0.2 - origin
    one = trace(ball(), origin.expand(300, 3), directions)
    two = trace(ball(), origin.repeat(300, 1), directions)
    assert torch.equal(one.t, two.t)
    assert one.hit.any()


GOOD = torch.ones(3, 3)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"directions": torch.tensor([[1.0, 0, 0], [0, 0, 0], [0, 0, 0]])}, RayError, "2 of 3 are not, .* ray 1"),
        ({"directions": GOOD * math.inf}, RayError, "3 of 3"),
        ({"origins": torch.tensor([[1.0, 0, 0], [0, math.nan, 0], [0, 0, 0]])}, RayError, "1 of 3"),
        ({"directions": torch.ones(3, 2)}, ShapeError, r"shape \(n, 3\); shape is \(3, 2\)"),
        ({"origins": torch.ones(1, 3)}, ShapeError, "1 and 3"),
        ({"near": 2.0, "far": 1.0}, RayError, "3 of 3 rays, .* near 2 and far 1"),
        ({"near": 1.0, "far": 1.0}, RayError, "3 of 3"),
        ({"near": torch.tensor([0.0, 2.0, math.nan])}, RayError, "2 of 3 rays, the first is ray 1"),
        ({"near": torch.zeros(4)}, ShapeError, r"\(3,\); shape is \(4,\)"),
        ({"max_steps": 0}, RayError, "at least 1; it is 0"),
        ({"tolerance": 0.0}, RayError, "positive"),
        ({"tolerance": math.nan}, RayError, "nan"),
        ({"relaxation": 2.0}, RayError, r"\[1, 2\)"),
        ({"relaxation": 0.9}, RayError, "0.9"),
        ({"field": Formula(lambda p: p[:, 0] * math.nan)}, FieldError, "finite"),
        ({"field": Formula(lambda p: p, lipschitz=1.0)}, FieldError, "shape"),
        ({"field": Formula(lambda p: p[:, 0], lipschitz=0.0)}, FieldError, "Lipschitz"),
        ({"field": Formula(lambda p: p[:, 0], lipschitz=math.inf)}, FieldError, "Lipschitz"),
        ({"field": Formula(lambda p: p[:, 0], (math.inf,) * 3), "far": math.inf}, RayError, "3 of 3 rays are endless"),
    ],
)  # fmt: skip
def test_says_what_is_wrong(changes: dict, error: type[Exception], message: str) -> None:
    options = {"field": ball(), "origins": GOOD * 0.09, "directions": -GOOD, "near": 0.0, "far": 1.0} | changes
    with pytest.raises(error, match=message):
        # The bare function: in the tests jaxtyping would refuse some shapes before it does.
        inspect.unwrap(sphere_trace)(options.pop("field"), options.pop("origins"), options.pop("directions"), **options)
