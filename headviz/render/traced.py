"""Pictures of fields by sphere tracing: cones through blocks of pixels first, then a ray per pixel."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from headviz.errors import BoundsError, InputError, RayError
from headviz.geometry.camera import Camera, look_at_head
from headviz.geometry.field import Field, evaluate
from headviz.geometry.trace import sphere_trace
from headviz.geometry.trace_history import SphereTrace
from headviz.render.colormap import viridis
from headviz.render.cones import AskedOnce, TraceSettings, cone_starts
from headviz.render.light import Lighting, headlight
from headviz.render.surface import BACKGROUND, SKIN

FOCAL = 3.0  #: of a camera that sees a whole box, in units of the picture's size
FILLED = 0.47  #: how far the box reaches from the middle, in the same units


@dataclass(frozen=True, eq=False)
class TracedImage:
    """What a camera sees of a field, h × w pixels; their rays are numbered row by row.

    Attributes:
        depth: along the optical axis, metres, shape (h, w); infinite where nothing was hit. Differentiable where
            the trace is.
        normals: unit vectors out of the surface, shape (h, w, 3); 0 where nothing was hit. Without gradient.
        normals_from: how they were found: the field's gradient by ``"autograd"``, by central ``"differences"`` where
            the field has none, or ``"none"`` if they were not asked for.
        steps: evaluations of the field per pixel, without those of the cones, shape (h, w).
        mask: pixels that hit, shape (h, w).
        evaluations: of the field, all that the picture took: cones, rays, gradients and normals.
        trace: the rays, from where the cones have left off.
        cones: the traces of the cones, block sizes as in the settings.
        colors: linear RGB, shape (h, w, 3), of a field that has ``color(points)``, else ``None``; 0 without a hit.
    """

    depth: Float[Tensor, "h w"]
    normals: Float[Tensor, "h w 3"]
    normals_from: Literal["autograd", "differences", "none"]
    steps: Int[Tensor, "h w"]
    mask: Bool[Tensor, "h w"]
    evaluations: int
    trace: SphereTrace
    cones: tuple[SphereTrace, ...]
    colors: Float[Tensor, "h w 3"] | None = None

    def shaded(
        self, light: Lighting | None = None, background: Float[Tensor, "h w 3"] | Float[Tensor, "3"] | None = None
    ) -> Float[Tensor, "h w 3"]:
        """The lit surface, linear RGB, shape (h, w, 3).

        Args:
            light: the headlight of all plain renders by default.
            background: linear RGB, one colour (3,) or a picture (h, w, 3); the light background by default.

        Raises:
            InputError: the picture was traced without normals.
        """
        if self.normals_from == "none":
            raise InputError("a shaded picture needs normals; trace it with TraceSettings(normals=True)")
        normals = self.normals[self.mask].to("cpu", torch.float32)
        color = torch.tensor(SKIN) if self.colors is None else self.colors[self.mask].to(normals)
        picture = torch.empty(*self.mask.shape, 3)
        picture[:] = torch.tensor(BACKGROUND) if background is None else background
        points = self.trace.points.detach().reshape(*self.mask.shape, 3)[self.mask].to(normals)
        light = (headlight() if light is None else light).to(normals)
        picture[self.mask.cpu()] = color * light.irradiance(points, normals)
        return picture

    def step_picture(self, most: int | None = None) -> Float[Tensor, "h w 3"]:
        """Evaluations per pixel in viridis, linear RGB, shape (h, w, 3).

        Args:
            most: the number that gets the last colour; the largest of the picture by default. 0 gets the first.
        """
        steps = self.steps.to("cpu", torch.float32)
        return viridis(steps / max(1.0, float(steps.max()) if most is None else most))


def trace_camera(
    field: Field,
    camera: Camera,
    *,
    near: float = 0.0,
    far: float = math.inf,
    settings: TraceSettings | None = None,
    record: bool = False,
) -> TracedImage:
    """What a camera sees of a field: cones through blocks of pixels, then a ray per pixel from where they stopped.

    Args:
        field: negative inside; its picture is computed where its bounds are.
        camera: from where.
        near: depth at which rays begin, metres, ≥ 0.
        far: depth at which they end, metres; may be infinite where the field's bounds are not.
        settings: how; :class:`TraceSettings` by default.
        record: keep every look of rays and cones as the ``history`` of their traces.

    Raises:
        RayError, ShapeError, FieldError: as :func:`~headviz.geometry.trace.sphere_trace`.
    """
    settings = TraceSettings() if settings is None else settings
    if not 0 <= near < far:
        raise RayError(f"near should be at least 0 and before far; they are {near} and {far}")
    origin, directions = (array.to(field.bounds.device) for array in camera.rays())
    asked = AskedOnce(field)
    start, cones = cone_starts(asked, origin, directions, span=(near, far), settings=settings, record=record)
    rays = directions.reshape(-1, 3)
    trace = sphere_trace(
        asked, origin.expand_as(rays), rays, near=start.reshape(-1), far=rays.new_full((len(rays),), far),
        max_steps=settings.max_steps, tolerance=settings.tolerance, relaxation=settings.relaxation, record=record,
        bracketing=settings.bracketing,
    )  # fmt: skip
    hit = trace.hit
    size, points = start.shape, trace.points.detach()[hit]
    normals, source, spent = surface_normals(field, points, wanted=settings.normals)
    paint = surface_colors(field, points) if settings.colors else None
    colors = None if paint is None else torch.zeros_like(trace.points).detach().index_put((hit,), paint.to(points))
    return TracedImage(
        depth=torch.where(hit, trace.t, torch.inf).reshape(size),
        normals=torch.zeros_like(trace.points).detach().index_put((hit,), normals).reshape(*size, 3),
        normals_from=source,
        steps=trace.steps.reshape(size),
        mask=hit.reshape(size),
        evaluations=trace.evaluations + sum(cone.evaluations for cone in cones) + spent,
        trace=trace,
        cones=cones,
        colors=None if colors is None else colors.reshape(*size, 3),
    )


Source = Literal["autograd", "differences", "none"]


def surface_colors(field: Field, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"] | None:
    """The field's own colours, linear RGB, shape (n, 3); ``None`` if it has no ``color(points)``."""
    paint: Callable[[Tensor], Tensor] | None = getattr(field, "color", None)
    with torch.no_grad():
        return None if paint is None else paint(points)


def surface_normals(
    field: Field, points: Float[Tensor, "n 3"], *, wanted: bool = True
) -> tuple[Float[Tensor, "n 3"], Source, int]:
    """Unit normals, how they were found, and how many evaluations that took; 0 where the gradient is 0.

    The field's gradient by autograd where it has one, else central differences of 10⁻⁴ of its box's diagonal (of
    1 m where that is infinite), in float32 accurate to about 10⁻³.
    """
    if not wanted or not len(points):
        return torch.zeros_like(points), "autograd" if wanted else "none", 0
    with torch.enable_grad():
        place = points.detach().requires_grad_()
        value = evaluate(field, place)
        gradient: Tensor | None = None
        if value.requires_grad:
            (gradient,) = torch.autograd.grad(value.sum(), place, allow_unused=True)
    if gradient is not None:
        return torch.nn.functional.normalize(gradient, dim=1, eps=1e-20), "autograd", len(points)
    size = float(torch.linalg.vector_norm(field.bounds[1] - field.bounds[0]))
    step = 1e-4 * (size if math.isfinite(size) else 1.0) * torch.eye(points.shape[1]).to(points)
    with torch.no_grad():
        ends = [evaluate(field, points + side * axis) for axis in step for side in (1, -1)]
    gradient = torch.stack([after - before for after, before in zip(ends[::2], ends[1::2], strict=True)], dim=1)
    normals = torch.nn.functional.normalize(gradient, dim=1, eps=1e-20)
    return normals, "differences", len(points) * (1 + 2 * points.shape[1])


def camera_around(field: Field, *, yaw: float = 0.0, pitch: float = 0.0, size: int = 512) -> Camera:
    """A camera that sees the whole box of a field.

    Args:
        field: in space.
        yaw: degrees; positive sees it from the head's left.
        pitch: degrees; positive sees it from above.
        size: width and height, pixels.

    Raises:
        BoundsError: the box is infinite.
    """
    low, high = field.bounds.detach().float().cpu()
    half = (high - low) / 2
    if not bool(torch.isfinite(half).all()) or not float(half.max()) > 0:
        raise BoundsError("the field has no finite box to look at; cut it: (…) & box(0.2)")
    x, y, z = ((low + high) / 2).tolist()
    angles = math.radians(yaw), math.radians(pitch)

    def at(distance: float) -> Camera:
        return look_at_head(yaw=angles[0], pitch=angles[1], target=(x, y, z), focal=FOCAL, size=size, distance=distance)

    corners = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 3) * half
    across, up, away = (corners @ at(1.0).rotation.T).unbind(1)
    return at(float((away + FOCAL * torch.maximum(across.abs(), up.abs()) / FILLED).max()))


def tolerance_for(field: Field, camera: Camera) -> float:
    """How near a ray must come, metres: a small part of the box, but more than single precision leaves uncertain.

    It is 0.1 mm for a head.
    """
    low, high = field.bounds.detach().float().cpu()
    distance = float(torch.linalg.vector_norm(camera.position.cpu() - (low + high) / 2))
    return max(3e-4 * float((high - low).max()), 8 * torch.finfo(torch.float32).eps * distance)
