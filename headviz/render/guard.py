"""Gradients that are not numbers are stopped where they appear, and named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from headviz.errors import GradientError
from headviz.geometry.camera import Cameras
from headviz.geometry.mesh_batch import MeshBatch
from headviz.render.checks import all_finite
from headviz.render.light import Lighting


def guarded(values: Tensor, name: str, source: str) -> Tensor:
    """The same values; a gradient that is not finite raises an error on its way through.

    Without gradients at all where they are off: what is computed from the values later has none, either.

    Args:
        values: a result, or an argument, of a rendering.
        name: what it is called, for the message.
        source: where a gradient that is wrong here has come from, for the message.

    Raises:
        GradientError: in the backward pass.
    """
    if not values.requires_grad:
        return values
    if not torch.is_grad_enabled():
        return values.detach()
    made: Tensor = _Guard.apply(values, name, source)  # type: ignore[no-untyped-call]
    return made


def guarded_scene(
    meshes: MeshBatch, cameras: Cameras, light: Lighting | None
) -> tuple[MeshBatch, Cameras, Lighting | None]:
    """The same scene; what a rendering adds to its gradients is looked at. Where gradients are off, it has none."""
    why = "what came in was finite, so a face may be seen from its edge, or a vertex lie almost in the camera's plane"

    def watched(thing: Any, names: tuple[str, ...]) -> Any:
        given = {name: getattr(thing, name) for name in names}
        needed = {name: values for name, values in given.items() if values is not None and values.requires_grad}
        changed = {name: guarded(values, name, why) for name, values in needed.items()}
        return replace(thing, **changed) if changed else thing

    return (
        watched(meshes, ("vertices", "texture", "colors", "normals", "uv")),
        watched(cameras, ("rotation", "translation", "focal", "center")),
        None if light is None else light.mapped(lambda name, values: guarded(values, f"the light's {name}", why)),
    )


class _Guard(torch.autograd.Function):
    """The identity, with a look at the gradient."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, name: str, source: str) -> Tensor:
        ctx.name, ctx.source = name, source
        return values.detach()  # not a view, for whoever gets it may change it in place

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        if not all_finite(gradient):
            wrong = ~torch.isfinite(gradient.detach())
            places = wrong.nonzero()
            first = ", ".join(str(k) for k in places[0].tolist())
            value = float(gradient.detach()[tuple(places[0])])
            raise GradientError(
                f"the gradient of {ctx.name} should be finite; {len(places):,} of {wrong.numel():,} values are not, "
                f"the first at [{first}] is {value}; {ctx.source}"
            )
        return gradient, None, None
