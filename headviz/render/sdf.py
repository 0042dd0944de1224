"""Pictures of fields by sphere tracing, with the same cameras, light and outputs as those of meshes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import normalize

from headviz.errors import ShapeError
from headviz.geometry.camera import Camera, Cameras
from headviz.geometry.field import Field, evaluate
from headviz.render.checks import check_cameras, check_light
from headviz.render.cones import TraceSettings
from headviz.render.fragments import CoveredPixels
from headviz.render.guard import guarded
from headviz.render.light import Lighting
from headviz.render.shade import Rendering, checked_background
from headviz.render.surface import SKIN, Surface, lit, over
from headviz.render.traced import surface_normals, trace_camera


@dataclass(frozen=True, eq=False)
class HitPixels(CoveredPixels):
    """Pixels whose rays hit a field.

    Attributes:
        mask: shape (h, w) or (b, h, w).
    """

    mask: Bool[Tensor, "*b h w"]


@dataclass(frozen=True, eq=False)
class FieldSurface(Surface):
    """What pixels see of a field.

    Attributes:
        field: what was traced.
        pixels: which of them hit.
        points: where, metres, shape (p, 3).
        depths: along the optical axis, metres, shape (p,).
    """

    field: Field
    pixels: HitPixels
    points: Float[Tensor, "p 3"]
    depths: Float[Tensor, " p"]

    @cached_property
    def normals(self) -> Float[Tensor, "p 3"]:  # type: ignore[override]
        """The field's unit gradient, with the gradients that the hits have; by differences where it has none."""
        points = self.points
        if torch.is_grad_enabled() and points.requires_grad:
            value = evaluate(self.field, points)
            (slope,) = torch.autograd.grad(value.sum(), points, create_graph=True)
            return normalize(slope, dim=1, eps=1e-20)
        return surface_normals(self.field, points)[0]

    @cached_property
    def colors(self) -> Float[Tensor, "p 3"]:  # type: ignore[override]
        """The field's own colours where it has ``color(points)``, else plain skin."""
        paint = getattr(self.field, "color", None)
        if paint is None:
            return self.points.new_tensor(SKIN).expand(len(self.points), 3)
        found: Tensor = paint(self.points)
        if found.shape != self.points.shape:
            raise ShapeError(f"color(points) should have shape {tuple(self.points.shape)}; it is {tuple(found.shape)}")
        return found.to(self.points)


def render_field(
    field: Field,
    camera: Camera | Cameras,
    *,
    light: Lighting | None = None,
    background: Float[Tensor, "..."] | None = None,
    span: tuple[float, float] = (0.0, math.inf),
    settings: TraceSettings | None = None,
) -> Rendering:
    """Draw a field's surface as :func:`~headviz.render.shade.render` draws a mesh; there is no soft mask.

    Gradients flow to the field's parameters, to the cameras' rotation and translation and to the light, through hits,
    normals and colours (:mod:`headviz.geometry.hit_gradient`); which rays hit is held.

    Args:
        field: negative inside; its own ``color(points)``, if it has that, else plain skin.
        camera: from where; one, or several.
        light: ``None`` shows colours as they are, without light.
        background: linear RGB: one colour (3,), a picture (h, w, 3), or one per picture (b, h, w, 3); ``None`` is the
            light background.
        span: depths between which rays look, metres; the far one may be infinite where the field's box is not.
        settings: how rays are traced.

    Raises:
        RayError, ShapeError, FieldError: as :func:`~headviz.geometry.trace.sphere_trace`.
        CameraError, LightError: their numbers cannot be used.
        GradientError: in the backward pass.
    """
    cameras = Cameras.of(camera) if isinstance(camera, Camera) else camera
    check_cameras(cameras)
    check_light(light, len(cameras))
    traces = [
        trace_camera(field, cameras[k], near=span[0], far=span[1], settings=_rays_alone(settings))
        for k in range(len(cameras))
    ]
    mask = torch.stack([trace.mask for trace in traces])
    points = torch.cat([trace.trace.points[trace.trace.hit] for trace in traces])
    depths = torch.cat([trace.depth[trace.mask] for trace in traces])
    surface = FieldSurface(field, HitPixels(mask), points, depths)
    picture = over(surface.pixels, lit(surface, light, cameras), checked_background(background, cameras))
    picture = guarded(picture, "picture", "it came in with the loss")
    if isinstance(camera, Cameras):
        return Rendering(picture, surface)
    return Rendering(picture[0], FieldSurface(field, HitPixels(mask[0]), points, depths))


def _rays_alone(settings: TraceSettings | None) -> TraceSettings:
    """Settings for tracing alone: normals and colours are found for all pictures together, where they are needed."""
    return replace(TraceSettings() if settings is None else settings, normals=False, colors=False)
