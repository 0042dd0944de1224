"""One ray searched by every method, for the viewer ``ray``; ``web/ray_search.js`` does the same on the same samples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from headviz.errors import OptionError
from headviz.geometry import GridField, SphereTrace, bracket_rays, fixed_steps, sphere_trace
from headviz.geometry.rays import prepare_rays
from headviz.geometry.trace_history import Status

#: Methods, and what they are called.
METHODS = {
    "plain": "Plain", "relaxed": "Over-relaxed", "adaptive": "Adaptive", "fixed": "Fixed step",
    "bracketing": "Bracketing",
}  # fmt: skip
#: Parts of the ray among which the true root is searched, and to how many metres it is bisected.
ROOT_SAMPLES, ROOT_ERROR = 4096, 1e-12
#: Of the method "relaxed", unless chosen otherwise.
RELAXATION = 1.3
STATUS_WORDS = {Status.MISSED: "missed", Status.HIT: "hit", Status.OUT_OF_STEPS: "out of steps"}


@dataclass(frozen=True)
class RaySettings:
    """One ray and how it is searched.

    Attributes:
        origin: metres.
        angle: of the direction, degrees, counter-clockwise from the first axis.
        relaxation: of the method ``"relaxed"``, in [1, 2).
        tolerance: of the field's value, metres.
        max_steps: moves of sphere tracing.
        step_size: of the method ``"fixed"``, metres.
        bound: the Lipschitz bound that sphere tracing relies on.
    """

    origin: tuple[float, float]
    angle: float
    relaxation: float
    tolerance: float
    max_steps: int
    step_size: float
    bound: float

    @property
    def direction(self) -> tuple[float, float]:
        """The unit vector."""
        turn = self.angle * math.pi / 180
        return math.cos(turn), math.sin(turn)

    def rays(self) -> tuple[Float[Tensor, "1 2"], Float[Tensor, "1 2"]]:
        """Origin and direction as the tracers take them."""
        return (
            torch.tensor([list(self.origin)], dtype=torch.float64),
            torch.tensor([list(self.direction)], dtype=torch.float64),
        )


class Claim:
    """A field that claims another Lipschitz bound than its own; its values stay."""

    def __init__(self, field: GridField, lipschitz: float) -> None:
        self.field, self.bounds, self.lipschitz = field, field.bounds, lipschitz

    def __call__(self, points: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """The field's values."""
        return self.field(points)


@dataclass(frozen=True)
class Overstep:
    """A step that claimed to be safe and ended beyond the surface; see headviz.geometry.trace_history.Oversteps.

    Attributes:
        look: index of the look that was beyond the surface.
        before, after: parameters of the step's ends, metres.
        value_before, value_after: the field there, metres.
    """

    look: int
    before: float
    after: float
    value_before: float
    value_after: float

    @property
    def slope(self) -> float:
        """How steeply the field falls between the ends, on average: more than the bound that was assumed."""
        return (self.value_before - self.value_after) / (self.after - self.before)


@dataclass(frozen=True, eq=False)
class Search:
    """What one method found, with every look on the way.

    Attributes:
        method: one of :data:`METHODS`.
        status: how it ended.
        hit: the parameter of the answer, metres.
        value: the field at the last look, metres; NaN where there was none.
        t: parameters of the looks, metres, shape (k,).
        distance: the field there, metres, shape (k,).
        undone: which looks led nowhere: a step that was taken back, or a look in advance without use, shape (k,).
        kind: why the field was evaluated, a :class:`headviz.geometry.trace_history.Look`, shape (k,).
        oversteps: in order.
    """

    method: str
    status: Status
    hit: float
    value: float
    t: Float[np.ndarray, " k"]
    distance: Float[np.ndarray, " k"]
    undone: Bool[np.ndarray, " k"]
    kind: Int[np.ndarray, " k"]
    oversteps: tuple[Overstep, ...]

    @property
    def steps(self) -> int:
        """How many steps led from one look to the next, those that were taken back left out."""
        return max(0, len(self.kept) - 1)

    @property
    def kept(self) -> Int[np.ndarray, " s"]:
        """The looks on which the ray went on: look ``kept[s]`` is where step s led; step 0 is where the ray begins."""
        found: Int[np.ndarray, " s"] = np.flatnonzero(~self.undone)
        return found

    def unused(self, step: int) -> Int[np.ndarray, " u"]:
        """The looks between the last step and this one that led nowhere; for the last step also those after it."""
        kept = self.kept
        first = kept[step - 1] + 1 if step > 0 else 0
        after = len(self.t) if step == len(kept) - 1 else kept[step]
        looks = np.arange(first, after)
        found: Int[np.ndarray, " u"] = looks[self.undone[first:after]]
        return found

    def moved(self, step: int) -> float:
        """How far the next step leads from here, metres; 0 for the last."""
        kept = self.kept
        return float(self.t[kept[step + 1]] - self.t[kept[step]]) if step + 1 < len(kept) else 0.0

    def overstep(self, step: int) -> Overstep | None:
        """The over-step that this step was, if it was one."""
        look = int(self.kept[step])
        return next((over for over in self.oversteps if over.look == look), None)

    def row(self, root: float | None) -> dict[str, Any]:
        """What the table of methods says: the error is against the true root, ``None`` where there is none to tell."""
        known = root is not None and self.status != Status.MISSED
        return {
            "method": self.method, "status": STATUS_WORDS[self.status], "steps": self.steps,
            "evaluations": len(self.t), "unused": int(self.undone.sum()), "oversteps": len(self.oversteps),
            "t": self.hit, "error": abs(self.hit - root) if known and root is not None else None,
        }  # fmt: skip


def search(grid: GridField, method: str, settings: RaySettings) -> Search:
    """Search a ray by one method.

    Raises:
        OptionError: there is no such method.
        RayError: the ray or a setting cannot be used.
    """
    origins, directions = settings.rays()
    near, far, field = 0.0, math.inf, Claim(grid, settings.bound)
    if method in ("plain", "relaxed", "adaptive"):
        relaxation: Any = {"plain": 1.0, "relaxed": settings.relaxation, "adaptive": "adaptive"}[method]
        found = sphere_trace(
            field, origins, directions, near=near, far=far, max_steps=settings.max_steps,
            tolerance=settings.tolerance, relaxation=relaxation, record=True,
        )  # fmt: skip
    elif method == "fixed":
        found = fixed_steps(field, origins, directions, near=near, far=far, step=settings.step_size, record=True)
    elif method == "bracketing":
        tolerance = settings.tolerance
        found = bracket_rays(field, origins, directions, near=near, far=far, tolerance=tolerance, record=True)
    else:
        raise OptionError(f"method should be one of {', '.join(METHODS)}; it is {method!r}")
    return _search_of(method, found)


def _search_of(method: str, found: SphereTrace) -> Search:
    """The record of a single ray."""
    assert found.history is not None
    ray, over = found.history.ray(0), found.history.oversteps
    columns = (over.step, over.t_before, over.t_after, over.value_before, over.value_after)
    oversteps = tuple(Overstep(*entry) for entry in zip(*(column.tolist() for column in columns), strict=True))
    return Search(
        method, Status(int(found.status[0])), float(found.t[0]), float(found.values[0]), ray.t.numpy(),
        ray.distances.numpy(), ray.undone.numpy(), ray.look.numpy().astype(np.int64), oversteps,
    )  # fmt: skip


def span(grid: GridField, settings: RaySettings) -> tuple[float, float]:
    """Where the ray enters and leaves the grid's box, metres along it; twice the same where it does not meet it."""
    rays = prepare_rays(
        Claim(grid, settings.bound), *settings.rays(), span=(0.0, math.inf), padding=0.0, backward=False
    )
    return float(rays.start[0]), float(rays.end[0])


def true_root(grid: GridField, settings: RaySettings) -> float | None:
    """The first root on the ray, metres along it: a sign change between dense samples, bisected; ``None`` if none.

    A surface that is entered and left between two of the samples is not seen. A ray that starts inside has it there.
    """
    start, end = span(grid, settings)
    if not start < end:
        return None
    step = (end - start) / ROOT_SAMPLES
    t = (start + step * torch.arange(ROOT_SAMPLES + 1, dtype=torch.float64)).clamp(max=end)
    origin, way = settings.rays()
    beyond = (grid(origin + t[:, None] * way) <= 0).nonzero()[:, 0]
    if not len(beyond):
        return None
    first = int(beyond[0])
    low, high = float(t[max(first - 1, 0)]), float(t[first])
    for _ in range(math.ceil(math.log2(step / ROOT_ERROR)) if first else 0):
        middle = (low + high) / 2
        if float(grid(origin + middle * way)[0]) <= 0:
            high = middle
        else:
            low = middle
    return high


def profile(grid: GridField, settings: RaySettings, count: int = 513) -> Float[np.ndarray, "n 2"]:
    """The field along the ray inside the box: rows (t, value), metres; none where the ray does not meet the box."""
    start, end = span(grid, settings)
    if not start < end:
        return np.zeros((0, 2))
    t = np.linspace(start, end, count)
    places = np.asarray(settings.origin) + t[:, None] * np.asarray(settings.direction)
    return np.stack([t, grid(torch.as_tensor(places)).numpy()], axis=1)


def instructive_ray(grid: GridField, bound: float) -> tuple[tuple[float, float], float]:
    """Origin and angle of a ray from the right that hits after some 16 steps, best one over-relaxation shortens."""
    (left, low), (right, high) = grid.bounds.tolist()
    size = max(right - left, high - low)
    heights = torch.linspace(low + 0.12 * (high - low), high - 0.12 * (high - low), 25, dtype=torch.float64)
    angles = torch.linspace(125.0, 235.0, 56, dtype=torch.float64)
    height, angle = (part.reshape(-1) for part in torch.meshgrid(heights, angles, indexing="ij"))
    origins = torch.stack([torch.full_like(height, right - 0.07 * (right - left)), height], 1)
    directions = torch.stack([torch.deg2rad(angle).cos(), torch.deg2rad(angle).sin()], 1)
    found, over = (
        sphere_trace(
            Claim(grid, bound), origins, directions, near=0.0, far=math.inf, max_steps=64, relaxation=relaxation
        )
        for relaxation in (1.0, RELAXATION)
    )  # fmt: skip
    saved, away = (found.steps - over.steps).double(), found.t / size
    beyond = grid(origins + (found.t + 0.05 * size)[:, None] * directions)  # deep inside, so that over-steps show
    cost = (found.steps - 16).abs() - 3 * saved + 12 * (away - 0.6).abs() + (angle - 180).abs() / 30
    cost = cost + 200 * (beyond / size + 0.03).clamp(min=0)
    cost = cost + 30 * (grid(origins) / found.t - 0.4).clamp(min=0)  # no first step that is most of the way
    cost[(found.status != Status.HIT) | (over.status != Status.HIT) | (away < 0.2)] = math.inf
    best = int(cost.argmin())
    if math.isfinite(float(cost[best])):
        return (float(origins[best, 0]), float(height[best])), float(angle[best])
    return (float(origins[0, 0]), (low + high) / 2), 180.0
