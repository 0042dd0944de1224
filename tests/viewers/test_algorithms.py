"""The browser's algorithms against Python's, on the same samples and rays, in double precision."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from torch import Tensor

from headviz.geometry import GridField, bracket_rays, fixed_steps, preset, sphere_trace
from headviz.geometry.bracket import Bracketing
from headviz.geometry.trace_history import Look, SphereTrace, Status

from .node import run_module

#: Floats agree within this part of the grid's size; in adaptive tracing less closely, since it divides differences of
#: radii by differences of places, which magnifies how the two sides round.
RELATIVE, ADAPTIVE = 1e-10, 1e-8
COUNT = 60


class Claim:
    """A field with another Lipschitz bound than its own; its values stay."""

    def __init__(self, field: GridField, factor: float) -> None:
        self.field, self.bounds, self.lipschitz = field, field.bounds, factor * field.lipschitz

    def __call__(self, points: Tensor) -> Tensor:
        return self.field(points)


def sampled(shape: Any, resolution: int, margin: float) -> GridField:
    """A shape on a grid whose box is larger (or, with a negative margin, smaller) than the shape's, in metres."""
    grow = torch.tensor([[-margin], [margin]])
    grid = GridField.sample(shape, resolution, shape.bounds + grow)
    return GridField(grid.samples.double(), grid.origin.double(), grid.spacing.double())


def uneven() -> GridField:
    """Noise on a grid whose cells are no squares: no distance at all."""
    values = torch.randn(9, 14, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    return GridField(0.05 * values + 0.03, (-0.1, 0.05), (0.025, 0.011))


def plane() -> GridField:
    """A half-plane: along the diagonal its field rises as steeply as its bound, but for the rounding of the spacing.

    Rising exactly so, adaptive tracing would decide on the last bit of a difference, which two languages may round apart.
    """
    x = torch.linspace(-0.1, 0.1, 21, dtype=torch.float64)
    return GridField((x[:, None] + x) / math.sqrt(2), torch.tensor([-0.1, -0.1]), torch.tensor([0.01, 0.01]))


GRIDS: dict[str, Callable[[], GridField]] = {
    "circle": lambda: sampled(preset("circle"), 24, 0.03),
    "ring": lambda: sampled(preset("ring"), 40, 0.02),
    "rounded rectangle": lambda: sampled(preset("rounded_rectangle"), 33, 0.05),
    "profile": lambda: sampled(preset("head_profile"), 64, 0.02),
    "profile that leaves its grid": lambda: sampled(preset("head_profile"), 30, -0.03),
    "union": lambda: sampled((preset("circle") | preset("ring").translate(0.15, 0.02)).rotate("z", 20), 48, 0.01),
    "smooth difference": lambda: sampled(
        preset("rectangle").difference(preset("circle").translate(0.06, 0.06), smooth=0.02), 29, 0.04
    ),
    "plane": plane,
    "noise": uneven,
}


@cache
def grid(name: str) -> GridField:
    return GRIDS[name]()


def plain(field: GridField) -> dict[str, Any]:
    """What the browser makes the same field of."""
    values, shape = field.samples.reshape(-1), list(field.samples.shape)
    return {"values": values, "shape": shape, "origin": field.origin, "spacing": field.spacing}


def rays(field: GridField, seed: int) -> tuple[Tensor, Tensor]:
    """Rays through the grid's box or beside it, of different lengths, some from inside the box, some along an axis."""
    generator = torch.Generator().manual_seed(seed)

    def random(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(*shape, generator=generator, dtype=torch.float64)

    low, high = field.bounds
    size, middle = high - low, (low + high) / 2
    angle = random(0, 2 * math.pi, COUNT)
    around = torch.stack([angle.cos(), angle.sin()], 1) * random(0.05, 1.4, COUNT, 1)
    origins = middle + around * size
    directions = (middle + random(-0.6, 0.6, COUNT, 2) * size - origins) * random(0.5, 3.0, COUNT, 1)
    directions[:4, 0] = 0.0
    directions[4:8, 1] = 0.0
    origins[0, 0] = high[0]  # along a face of the box
    corners = torch.tensor([[1, 1], [-1, 1], [-1, -1], [1, 1]])
    part = torch.tensor([[0.29], [0.29], [0.29], [0.004]], dtype=torch.float64)
    origins[8:12], directions[8:12] = middle + part * size * corners, size * corners  # away from the surface
    return origins, directions


@dataclass(frozen=True)
class Method:
    """One way to search rays, as Python and as the browser call it; ``lipschitz`` is a factor of the field's bound."""

    name: str
    options: dict[str, Any]
    lipschitz: float = 1.0
    bracketing: Bracketing | None = None


METHODS = {
    "plain": Method("sphere", {}),
    "tight": Method("sphere", {"tolerance": 1e-9, "max_steps": 400}),
    "relaxed": Method("sphere", {"relaxation": 1.6}),
    "backward": Method("sphere", {"relaxation": 1.3, "backward": True}),
    "few steps": Method("sphere", {"max_steps": 3}),
    "small bound": Method("sphere", {"max_steps": 40}, 0.3),
    "small bound, bracketed": Method("sphere", {"max_steps": 12}, 0.3, Bracketing(20, 6)),
    "misses bracketed": Method("sphere", {"relaxation": 1.5}, 0.15, Bracketing(30, 8, misses=True)),
    "adaptive": Method("sphere", {"relaxation": "adaptive"}),
    "adaptive, few steps": Method("sphere", {"relaxation": "adaptive", "max_steps": 7}, 1.0, Bracketing(9, 3)),
    "adaptive, small bound": Method("sphere", {"relaxation": "adaptive", "max_steps": 30}, 0.4),
    "bracketing": Method("bracketing", {}, 1.0, Bracketing(25, 8)),
    "samples alone": Method("bracketing", {}, 1.0, Bracketing(11, 0)),
    "fixed steps": Method("fixed", {"step": 0.006}),
    "fixed steps, bisected": Method("fixed", {"step": 0.02, "refine": 12}),
}


def search(method: Method, field: GridField, origins: Tensor, directions: Tensor) -> SphereTrace:
    """Python's answer."""
    options = {"near": 0.0, "far": 2.5, "record": True, **method.options}
    with torch.no_grad():
        if method.name == "fixed":
            return fixed_steps(field, origins, directions, **options)
        if method.name == "bracketing":
            return bracket_rays(field, origins, directions, bracketing=method.bracketing, **options)
        claim = Claim(field, method.lipschitz)
        return sphere_trace(claim, origins, directions, bracketing=method.bracketing, **options)


def browser_options(method: Method, field: GridField) -> dict[str, Any]:
    options = {"near": 0.0, "far": 2.5, **method.options}
    if "max_steps" in options:
        options["maxSteps"] = options.pop("max_steps")
    given = (
        {item.name: getattr(method.bracketing, item.name) for item in fields(Bracketing)} if method.bracketing else {}
    )
    if method.name == "bracketing":
        return options | given
    return options | {"lipschitz": method.lipschitz * field.lipschitz} | ({"bracketing": given} if given else {})


SEARCH = """
import { gridField } from "./algorithms/grid.js";
import { bracketing, fixedSteps, sphereTrace } from "./algorithms/sphere_trace.js";
const searches = { sphere: sphereTrace, bracketing, fixed: fixedSteps };
const answer = ({ grid, origins, directions, methods }) => {
  const field = gridField(grid);
  return methods.map(([name, options]) => origins.map((origin, k) => searches[name](field, origin, directions[k], options)));
};
"""


def compare_ray(found: dict[str, Any], truth: SphereTrace, ray: int, tolerance: float, *, alone: bool) -> None:
    """One ray of Python's answer and the browser's: status, counts and every look."""
    assert truth.history is not None
    looks, history = found["looks"], truth.history.ray(ray)
    assert (found["status"], found["steps"]) == (int(truth.status[ray]), int(truth.steps[ray]))
    assert found["evaluations"] == len(looks) == len(history.t)
    numbers = [found["t"], found["value"], *found["point"]]
    expected = [float(truth.t[ray]), float(truth.values[ray]), *truth.points[ray].tolist()]
    np.testing.assert_allclose(numbers, expected, rtol=0, atol=tolerance, equal_nan=True)
    assert [look["undone"] for look in looks] == history.undone.tolist()
    assert [look["look"] for look in looks] == history.look.tolist()
    if alone:  # else the history has steps of other rays, too
        assert [look["step"] for look in looks] == history.step.tolist()
    for name, column in (("t", "t"), ("distance", "distances"), ("moved", "moved"), ("position", "positions")):
        np.testing.assert_allclose(
            np.array([look[name] for look in looks]).reshape(getattr(history, column).shape),
            getattr(history, column), rtol=0, atol=tolerance,
        )  # fmt: skip
    events = truth.history.oversteps
    mine = (events.ray == ray).nonzero()[:, 0]
    assert len(found["oversteps"]) == len(mine)
    for name, key in (
        ("t_before", "tBefore"),
        ("t_after", "tAfter"),
        ("value_before", "valueBefore"),
        ("value_after", "valueAfter"),
    ):
        expected = getattr(events, name)[mine]
        np.testing.assert_allclose([event[key] for event in found["oversteps"]], expected, rtol=0, atol=tolerance)
    if alone:
        assert [event["step"] for event in found["oversteps"]] == events.step[mine].tolist()


@pytest.mark.parametrize("name", GRIDS)
def test_one_ray_is_searched_as_in_python(name: str) -> None:
    field = grid(name)
    origins, directions = rays(field, seed=list(GRIDS).index(name))
    methods = [[method.name, browser_options(method, field)] for method in METHODS.values()]
    found = run_module(SEARCH, {"grid": plain(field), "origins": origins, "directions": directions, "methods": methods})
    size = float((field.bounds[1] - field.bounds[0]).max())
    seen = set()
    for (title, method), answers in zip(METHODS.items(), found, strict=True):
        # What adaptive tracing looks at in advance depends on the rays that are traced together.
        alone = "adaptive" in title
        tolerance = size * (ADAPTIVE if alone else RELATIVE)
        together = None if alone else search(method, field, origins, directions)
        for ray in range(COUNT if not alone else COUNT // 5):
            truth = together or search(method, field, origins[ray, None], directions[ray, None])
            compare_ray(answers[ray], truth, 0 if alone else ray, tolerance, alone=alone)
            seen.add((answers[ray]["status"], bool(answers[ray]["oversteps"])))
            seen |= {(look["look"], look["undone"]) for look in answers[ray]["looks"]}
    assert {(Status.HIT, False), (Status.MISSED, False), (Status.OUT_OF_STEPS, False), (Status.HIT, True)} <= seen
    assert {(Look.MARCH, True), (Look.SAMPLE, False), (Look.SECANT, False)} <= seen


GRID = """
import { gridField } from "./algorithms/grid.js";
const answer = (cases) => cases.map(({ grid, single, points }) => {
  const values = single ? Float32Array.from(grid.values) : Float64Array.from(grid.values);
  const { bounds, lipschitz, closed, value, gradient } = gridField({ ...grid, values });
  return { bounds, lipschitz, closed, values: points.map((p) => value(...p)), slopes: points.map((p) => gradient(...p)) };
});
"""


def test_a_grid_is_the_field_that_python_has() -> None:
    generator = torch.Generator().manual_seed(1)
    cases, points = [], {}
    for name in GRIDS:
        field = grid(name)
        low, high = field.bounds
        inside = low + (high - low) * torch.rand(200, 2, generator=generator, dtype=torch.float64)
        outside = low + (high - low) * (3 * torch.rand(200, 2, generator=generator, dtype=torch.float64) - 1)
        points[name] = torch.cat([inside, outside])
        cases.append({"grid": plain(field), "points": points[name], "single": name not in ("plane", "noise")})
    for name, found in zip(GRIDS, run_module(GRID, cases), strict=True):
        field = grid(name)
        at = points[name].requires_grad_()
        values = field(at)
        (slopes,) = torch.autograd.grad(values.sum(), at)
        assert (found["closed"], found["lipschitz"]) == (field.closed, pytest.approx(field.lipschitz, rel=1e-15))
        np.testing.assert_allclose(found["bounds"], field.bounds, rtol=0, atol=1e-16)
        np.testing.assert_allclose(found["values"], values.detach(), rtol=0, atol=1e-14)
        np.testing.assert_allclose(found["slopes"], slopes, rtol=0, atol=1e-9)


def test_at_samples_and_on_faces_the_grid_has_its_samples() -> None:
    field = uneven()
    index = torch.cartesian_prod(torch.arange(9), torch.arange(14))
    points = field.origin + index * field.spacing
    (found,) = run_module(GRID, [{"grid": plain(field), "points": points, "single": False}])
    np.testing.assert_allclose(found["values"], field.samples.reshape(-1), rtol=0, atol=1e-14)


def test_a_grid_is_closed_where_all_samples_on_its_border_are_positive() -> None:
    values = torch.ones(30, 5, 6, dtype=torch.float64)
    values.view(30, 30).fill_diagonal_(0.0)
    fields = [GridField(samples) for samples in values]
    found = run_module(GRID, [{"grid": plain(field), "points": [], "single": False} for field in fields])
    assert [answer["closed"] for answer in found] == [field.closed for field in fields]
    assert sum(field.closed for field in fields) == 12


ROOTS = """
import { gridField } from "./algorithms/grid.js";
import { trueRoot } from "./algorithms/quantities.js";
const answer = ({ grid, origins, directions, ...options }) => {
  const field = gridField(grid);
  return origins.map((origin, k) => trueRoot(field, origin, directions[k], options));
};
"""


@pytest.mark.parametrize("name", ["ring", "profile", "noise"])
def test_the_true_root_is_the_one_that_scipy_finds(name: str) -> None:
    field = grid(name)
    origins, directions = rays(field, seed=5)
    data = {"grid": plain(field), "origins": origins, "directions": directions, "near": 0.0, "far": 2.5}
    hits = 0
    for ray, found in enumerate(run_module(ROOTS, data)):
        truth = first_root(field, origins[ray], directions[ray])
        assert (found is None) == math.isnan(truth)
        if found is not None:
            length = float(directions[ray].norm())
            assert found["t"] * length == pytest.approx(truth * length, abs=2e-12)
            np.testing.assert_allclose(found["point"], origins[ray] + truth * directions[ray], rtol=0, atol=2e-12)
            hits += 1
    assert 15 < hits < COUNT


def first_root(field: GridField, origin: Tensor, direction: Tensor) -> float:
    """The first sign change inside the box among many samples, by scipy's root finder; NaN without one."""

    def value(t: float) -> float:
        return float(field((origin + t * direction)[None]))

    t = torch.linspace(0, 2.5, 20001, dtype=torch.float64)
    points = origin + t[:, None] * direction
    low, high = field.bounds
    t = t[((points >= low) & (points <= high)).all(1)]
    beyond = (field(origin + t[:, None] * direction) <= 0).nonzero()[:, 0] if len(t) else []
    if not len(beyond):
        return math.nan
    first = int(beyond[0])
    if first == 0:  # inside where the ray begins, or where it enters the box
        enter = max(float(x) for x in torch.minimum((low - origin) / direction, (high - origin) / direction))
        return max(0.0, enter)
    return brentq(value, float(t[first - 1]), float(t[first]), xtol=1e-15, rtol=1e-15)


REFUSED = """
import { gridField } from "./algorithms/grid.js";
import { marchingSquares } from "./algorithms/marching_squares.js";
import { bracketing, fixedSteps, sphereTrace } from "./algorithms/sphere_trace.js";
const field = gridField({ values: [1, 1, -1, 1], shape: [2, 2] });
const ray = (search, options, origin = [-1, 0.5], direction = [1, 0]) => search(field, origin, direction, { far: 3, ...options });
const calls = {
  "1 of 4 are NaN": () => gridField({ values: [1, NaN, 0, 1], shape: [2, 2] }),
  "should have 6 samples; there are 4": () => gridField({ values: [1, 1, 0, 1], shape: [2, 3] }),
  "at least 2 each": () => gridField({ values: [1, 1], shape: [1, 2] }),
  "spacing should be positive and finite; it is (0,0)": () => gridField({ values: [1, 1, 0, 1], shape: [2, 2], spacing: 0 }),
  "2 of 4 are NaN": () => marchingSquares({ values: [NaN, 1, 0, Infinity], width: 2, height: 2 }),
  "saddle should be one of": () => marchingSquares({ values: [1, 1, 0, 1], width: 2, height: 2, saddle: "nearest" }),
  "they are 4 for 3 · 2": () => marchingSquares({ values: [1, 1, 0, 1], width: 2, height: 3 }),
  "the level should be finite": () => marchingSquares({ values: [1, 1, 0, 1], width: 2, height: 2, level: NaN }),
  "relaxation should be in [1, 2)": () => ray(sphereTrace, { relaxation: 2 }),
  "maxSteps should be at least 1": () => ray(sphereTrace, { maxSteps: 0 }),
  "tolerance should be positive": () => ray(sphereTrace, { tolerance: 0 }),
  "lipschitz should be positive": () => ray(sphereTrace, { lipschitz: 0 }),
  "near should be before far": () => ray(sphereTrace, { near: 3 }),
  "direction should not be 0": () => ray(sphereTrace, {}, [0, 0], [0, 0]),
  "origin should be finite": () => ray(sphereTrace, {}, [NaN, 0]),
  "origin should have 2 coordinates; it has 3": () => ray(sphereTrace, {}, [0, 0, 0]),
  "at least 1 sample": () => ray(bracketing, { samples: 0 }),
  "step should be positive": () => ray(fixedSteps, {}),
  "at most 1048576 steps": () => ray(fixedSteps, { step: 1e-9 }),
  "at least 0 bisections": () => ray(fixedSteps, { step: 0.1, refine: -1 }),
};
const answer = () => Object.entries(calls).map(([expected, call]) => {
  try {
    call();
  } catch (error) {
    return [expected, `${error.name}: ${error.message}`];
  }
  return [expected, "nothing was thrown"];
});
"""


def test_what_cannot_be_used_is_refused_with_a_sentence() -> None:
    for expected, message in run_module(REFUSED, None):
        assert message.startswith("RangeError: ")
        assert expected in message


SPACE = """
import { sphereTrace } from "./algorithms/sphere_trace.js";
const value = (x, y, z) => Math.hypot(x, y, z) - 0.1;
const field = { value, bounds: [[-0.1, -0.1, -0.1], [0.1, 0.1, 0.1]], lipschitz: 1 };
const answer = () => [
  sphereTrace(field, [0, 0, 1], [0, 0, -2]), sphereTrace(field, [0, 0, 1], [0, 0, -2], { backward: true }),
  sphereTrace(field, [0, 0, 1], [0, 0, -2], { far: 0.3 }), sphereTrace(field, [0.2, 0, 1], [0, 0, -2]),
];
"""


def test_rays_in_space_and_rays_without_anything_to_search() -> None:
    front, back, short, beside = run_module(SPACE, None)
    assert (front["status"], front["t"]) == (Status.HIT, pytest.approx(0.45, abs=1e-4))
    assert (back["status"], back["t"]) == (Status.HIT, pytest.approx(0.55, abs=1e-4))
    for nothing in (short, beside):
        assert (nothing["status"], nothing["looks"], nothing["t"]) == (Status.MISSED, [], 0.0)
        assert math.isnan(nothing["value"])
