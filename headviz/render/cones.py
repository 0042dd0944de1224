"""Cones through blocks of pixels: how far all rays of a block are free, for a few evaluations per block.

Coarse to fine as in DIST (S. Liu et al., CVPR 2020), but safe: the rays of a block leave from one origin o, and none of
their unit directions is further than k from the block's axis a. So a point on any of them is within k s of the axis'
point p = o + s a at the same distance s, and where g(p) = f(p) − L k |p − o| is positive, f is positive on all of them.
g's Lipschitz bound is L (1 + k); it is traced by the same :func:`~headviz.geometry.trace.sphere_trace`. Up to where the
cone stops, for whatever reason, all rays of the block are free, and a block whose cone reaches the end is background.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d, max_pool2d, normalize

from headviz.errors import InputError
from headviz.geometry.bracket import Bracketing
from headviz.geometry.field import Field
from headviz.geometry.trace import sphere_trace
from headviz.geometry.trace_history import SphereTrace, Status


@dataclass(frozen=True)
class TraceSettings:
    """How a picture is traced.

    Attributes:
        max_steps, tolerance, relaxation, bracketing: as of :func:`~headviz.geometry.trace.sphere_trace`.
        blocks: sides of the square blocks of pixels that get a cone, each a multiple of the next; none traces every
            ray from near. For a field whose Lipschitz bound is too small cones may lose hits: trace it without.
        cone_tolerance: a cone stops when its rays may be nearer to the surface than this part of its radius; a small
            one brings rays further and costs more steps of cones.
        cone_steps: moves of a cone; one that has not stopped by then is a valid start all the same.
        normals: whether normals are found, which takes one evaluation with gradient per hit.
        colors: whether the field's own colours are asked for, where it has some.
    """

    max_steps: int = 128
    tolerance: float = 1e-4
    relaxation: float | Literal["adaptive"] = "adaptive"
    bracketing: Bracketing | None = None
    blocks: tuple[int, ...] = (16, 4)
    cone_tolerance: float = 0.5
    cone_steps: int = 12
    normals: bool = True
    colors: bool = True

    def __post_init__(self) -> None:
        sizes = (*self.blocks, 1)
        if any(large <= small or small < 1 or large % small for large, small in itertools.pairwise(sizes)):
            raise InputError(f"blocks should be sizes above 1, each a multiple of the next; they are {self.blocks}")
        if not self.cone_tolerance > 0:
            raise InputError(f"cone_tolerance should be positive; it is {self.cone_tolerance}")


class AskedOnce:
    """A field that is asked once what it says of itself: a composed shape works that out anew each time."""

    def __init__(self, field: Field) -> None:
        self.field, self.bounds, self.lipschitz = field, field.bounds, field.lipschitz

    def __call__(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """The field's values."""
        return self.field(points)


class ConeField:
    """A field less what a cone's width takes from it: where it is positive, the whole width is free.

    Its bounds are the field's, enlarged by the width at their farthest corner; its Lipschitz bound is L (1 + k).

    Args:
        field: f.
        origin: o, the cones' apex, metres, shape (3,).
        spread: k, the greatest distance of a ray's unit direction from its cone's axis.
    """

    def __init__(self, field: Field, origin: Float[Tensor, "3"], spread: float) -> None:
        box = field.bounds.to(origin)
        farthest = float(torch.linalg.vector_norm((box - origin).abs().amax(0)))
        self.field, self.origin = field, origin
        self.bounds = box + spread * farthest * box.new_tensor([[-1.0], [1.0]])
        self.narrowing = spread * field.lipschitz
        self.lipschitz = field.lipschitz + self.narrowing

    def __call__(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """f(p) − L k |p − o|."""
        away = _length(points - self.origin)
        return torch.sub(self.field(points), away, alpha=self.narrowing)


def cone_starts(
    field: Field,
    origin: Float[Tensor, "3"],
    directions: Float[Tensor, "h w 3"],
    *,
    span: tuple[float, float],
    settings: TraceSettings,
    record: bool = False,
) -> tuple[Float[Tensor, "h w"], tuple[SphereTrace, ...]]:
    """Where the ray of each pixel may begin, in units of its direction's length, and the traces of the cones.

    Rays of background blocks begin at far, so that nothing is left to search.

    Args:
        field: what is traced.
        origin: of all rays, metres, shape (3,).
        directions: of any length, shape (h, w, 3).
        span: near and far, in units of the directions' lengths.
        settings: block sizes and how cones are traced.
        record: keep the cones' histories.
    """
    with torch.no_grad():
        lengths = _length(directions)
        unit = directions / lengths[..., None]
        start, end = span[0] * lengths, span[1] * lengths
        traces = []
        for size in settings.blocks:
            axes, spread = _axes(unit, size)
            low, high = -_largest(-start, size), _largest(end, size)
            if not bool((low < high).any()):
                break  # all is background
            cone = ConeField(field, origin.detach(), spread)
            trace = _trace(cone, axes, (low, high), settings, record=record)
            traces.append(trace)
            free = torch.where(trace.status == Status.MISSED, torch.inf, trace.t).reshape(low.shape)
            start = torch.maximum(start, _enlarged(free, size, start))
        return torch.minimum(start / lengths, torch.as_tensor(span[1], dtype=start.dtype)), tuple(traces)


def _trace(
    cone: ConeField, axes: Tensor, span: tuple[Tensor, Tensor], settings: TraceSettings, *, record: bool
) -> SphereTrace:
    axes, low, high = axes.reshape(-1, 3), span[0].reshape(-1), span[1].reshape(-1)
    box = cone.field.bounds.to(cone.origin)
    outside = torch.maximum(box[0] - cone.origin, cone.origin - box[1]).clamp(min=0)
    nearest = max(float(torch.linalg.vector_norm(outside)), float(low.min()))
    width = cone.narrowing * nearest
    return sphere_trace(
        cone, cone.origin.expand_as(axes), axes, near=torch.minimum(low, high), far=high, max_steps=settings.cone_steps,
        tolerance=max(settings.tolerance, settings.cone_tolerance * width), relaxation=settings.relaxation,
        record=record,
    )  # fmt: skip


def _axes(unit: Tensor, size: int) -> tuple[Tensor, float]:
    """Unit axes of the blocks, and how far the directions in any block are from its axis at most."""
    mean = avg_pool2d(unit.permute(2, 0, 1)[None], size, ceil_mode=True)[0].permute(1, 2, 0)
    axes = normalize(mean, dim=-1)
    away = unit - _enlarged(axes, size, unit)
    # Rounding must not make the cone too narrow.
    return axes, float(_length(away).max()) * (1 + 1e-5) + 1e-6


def _length(vectors: Tensor) -> Tensor:
    """Lengths along the last axis, faster than by a norm."""
    x, y, z = vectors.unbind(-1)
    return torch.addcmul(torch.addcmul(x * x, y, y), z, z).sqrt()


def _largest(values: Tensor, size: int) -> Tensor:
    return max_pool2d(values[None, None], size, ceil_mode=True)[0, 0]


def _enlarged(blocks: Tensor, size: int, like: Tensor) -> Tensor:
    """Every block's value at all of its pixels."""
    height, width = like.shape[:2]
    return blocks.repeat_interleave(size, 0)[:height].repeat_interleave(size, 1)[:, :width]
