"""Warps by radial basis functions: points follow keypoints, mirrored if asked for, and gradients flow to everything.

Source: Jennings, Deep Generative Sculpting Models for Single Image 3D Reconstruction, 2023, chapter 3.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, TypeAlias, cast

import torch
from jaxtyping import Float
from torch import Tensor

from headviz.errors import OptionError, ShapeError
from headviz.geometry.rbf import checked_kernel, rbf
from headviz.geometry.threads import share_out

#: Pairs of a point and a keypoint that the formula is evaluated for at once.
PAIRS = 1 << 20
#: Pairs from which compiled code is worth loading.
COMPILED_PAIRS = 1 << 16
COMPILED_KERNELS = ("gaussian", "wendland")

#: Points (b or 1, n, 3), keypoints (b or 1, k, 3), vectors (b or 1, k, 3), alphas (b or 1, k).
Terms: TypeAlias = tuple[Tensor, Tensor, Tensor, Tensor]


def warp(
    points: Float[Tensor, "..."],
    keypoints: Float[Tensor, "..."],
    vectors: Float[Tensor, "..."],
    *,
    kernel: str = "gaussian",
    alpha: float | Float[Tensor, "..."] = 15.0,
    strength: float | Float[Tensor, "..."] = 1.0,
    mirror: str | None = None,
) -> Float[Tensor, "..."]:
    """Points moved by keypoints: x + s Σⱼ φ(|x − wⱼ|) vⱼ (Jennings 2023, Eq. 3.1).

    Differentiable in all tensors, twice if need be. Batch dimensions broadcast; all is computed in the points' type and
    on their device. Memory grows with points plus keypoints, not with their product (but for second derivatives).

    With ``mirror="x"`` a keypoint w with the vector v has the twin Mw with Mv, M = diag(−1, 1, 1), and a point
    moves by the symmetric sum p φ(|x − w|) v + (1 − p) φ(|x − Mw|) Mv, where p is the point's share in the side of w:
    far from the plane it is Eq. 3.1, the plane stays in itself and is not moved twice. See :func:`shares`.

    Args:
        points: shape (..., n, 3), metres.
        keypoints: shape (..., k, 3), metres.
        vectors: shape (..., k, 3), metres.
        kernel: one of ``headviz.geometry.rbf.KERNELS``; the formulas are in :func:`headviz.geometry.rbf.rbf`.
        alpha: the kernel's shape parameter, not negative: a number or a tensor, one for all or shape (..., k).
        strength: factor of the vectors: a number or a tensor, one for all or shape (..., k).
        mirror: ``"x"`` for twins across x = 0, or ``None``.

    Returns:
        Moved points, shape (..., n, 3).

    Raises:
        ShapeError: shapes do not fit together.
        OptionError: no such kernel or mirror, or a number ``alpha`` that is negative or not finite.
    """
    checked_kernel(kernel)
    if mirror not in (None, "x"):
        raise OptionError(f"mirror should be 'x' or None; it is {mirror!r}")
    if isinstance(alpha, (int, float)) and not 0 <= alpha < math.inf:
        raise OptionError(f"alpha should be finite and not negative; it is {alpha}")
    batch = _checked(points, keypoints, vectors, alpha, strength)
    factor = strength.to(points)[..., None] if isinstance(strength, Tensor) else strength
    widths = alpha.to(points) if isinstance(alpha, Tensor) else points.new_tensor(alpha)
    widths = widths.expand(*widths.shape[:-1], keypoints.shape[-2])
    spread = [_flat(values.to(points), batch, 2) for values in (points, keypoints, vectors.to(points) * factor)]
    terms = (spread[0], spread[1], spread[2], _flat(widths, batch, 1))
    moved: Tensor = (_Displacement.apply if _large(terms, kernel) else displacement)(*terms, kernel, mirror)
    return points + moved.reshape(*batch, *points.shape[-2:])


def displacement(
    points: Float[Tensor, "#b n 3"],
    keypoints: Float[Tensor, "#b k 3"],
    vectors: Float[Tensor, "#b k 3"],
    alphas: Float[Tensor, "#b k"],
    kernel: str,
    mirror: str | None,
) -> Float[Tensor, "#b n 3"]:
    """The formula of :func:`warp` in plain PyTorch, shape (b, n, 3); all that is faster is compared with it."""
    alphas = alphas[:, None, :]
    near = squared_distances(points, keypoints)
    if mirror is None:
        return rbf(near, kernel, alphas) @ vectors
    flip = vectors.new_tensor([-1.0, 1.0, 1.0])
    far = squared_distances(points, keypoints * flip)
    side = points[:, :, None, 0] * keypoints[:, None, :, 0]
    own, other = shares(side, near, far, kernel, alphas)
    return (own * rbf(near, kernel, alphas)) @ vectors + (other * rbf(far, kernel, alphas)) @ (vectors * flip)


def squared_distances(a: Float[Tensor, "#b n 3"], b: Float[Tensor, "#b k 3"]) -> Float[Tensor, "#b n k"]:
    """Squared distances of all pairs, without the cancellation of |a|² − 2ab + |b|²."""
    parts = [(a[:, :, None, axis] - b[:, None, :, axis]).square() for axis in range(3)]
    return parts[0] + parts[1] + parts[2]


def shares(
    side: Float[Tensor, "#b n k"],
    near: Float[Tensor, "#b n k"],
    far: Float[Tensor, "#b n k"],
    kernel: str,
    alphas: Float[Tensor, "#b 1 k"],
) -> tuple[Float[Tensor, "#b n k"], Float[Tensor, "#b n k"]]:
    """How much of a keypoint's and of its twin's displacement a point takes; the two add up to 1.

    p = sigmoid(κ (|x − Mw|² − |x − w|²)) = sigmoid(4 κ w_x x), with κ the α of the Gaussian about as wide as the
    kernel: α for ``gaussian``, 4α for ``wendland``, 4/α² for both multiquadrics. ``thin_plate`` has no width:
    p = |x − Mw|² / (|x − w|² + |x − Mw|²).

    Args:
        side: w_x x.
        near: |x − w|².
        far: |x − Mw|².
        kernel: one of ``KERNELS``.
        alphas: shape parameters.
    """
    if kernel == "thin_plate":
        both = near + far
        known = both > 0
        both = torch.where(known, both, 1)
        return torch.where(known, far / both, 0.5), torch.where(known, near / both, 0.5)
    kappa = alphas if kernel == "gaussian" else 4 * alphas if kernel == "wendland" else 4 / alphas.square()
    return torch.sigmoid(4 * kappa * side), torch.sigmoid(-4 * kappa * side)


def _checked(
    points: Tensor, keypoints: Tensor, vectors: Tensor, alpha: float | Tensor, strength: float | Tensor
) -> tuple[int, ...]:
    """The batch's shape.

    Raises:
        ShapeError: shapes do not fit together.
    """
    for name, values in (("points", points), ("keypoints", keypoints), ("vectors", vectors)):
        if values.ndim < 2 or values.shape[-1] != 3:
            raise ShapeError(f"{name} should have shape (..., n, 3); shape is {tuple(values.shape)}")
    count = keypoints.shape[-2]
    if vectors.shape[-2] != count:
        raise ShapeError(f"vectors should have shape (..., {count}, 3), as keypoints; shape is {tuple(vectors.shape)}")
    batches = {"points": points.shape[:-2], "keypoints": keypoints.shape[:-2], "vectors": vectors.shape[:-2]}
    for name, factor in (("alpha", alpha), ("strength", strength)):
        if isinstance(factor, Tensor) and factor.ndim:
            if factor.shape[-1] not in (1, count):
                raise ShapeError(f"{name} should have shape (..., {count}) or (); shape is {tuple(factor.shape)}")
            batches[name] = factor.shape[:-1]
    try:
        return tuple(torch.broadcast_shapes(*batches.values()))
    except RuntimeError as error:
        told = ", ".join(f"{tuple(shape)} of {name}" for name, shape in batches.items())
        raise ShapeError(f"batch dimensions should broadcast; they are {told}") from error


def _flat(values: Tensor, batch: tuple[int, ...], own: int) -> Tensor:
    """One batch dimension in place of all; it stays 1 where the values are the same throughout."""
    shape = values.shape[values.ndim - own :]
    if math.prod(values.shape[: values.ndim - own]) == 1:
        return values.reshape(1, *shape)
    return values.expand(*batch, *shape).reshape(-1, *shape)


def _large(terms: Terms, kernel: str) -> bool:
    """Whether there are too many pairs to write them all down."""
    pairs = max(map(len, terms)) * terms[0].shape[1] * terms[1].shape[1]
    return (
        pairs > (COMPILED_PAIRS if _compilable(*terms, kernel=kernel) else PAIRS) and not torch.compiler.is_compiling()
    )


def _compilable(*tensors: Tensor, kernel: str) -> bool:
    """Whether there is compiled code for these tensors."""
    plain = all(each.dtype == torch.float32 and each.device.type == "cpu" for each in tensors)
    return plain and kernel in COMPILED_KERNELS


class _Displacement(torch.autograd.Function):
    """:func:`displacement` without its memory: compiled where there is compiled code, else in parts."""

    @staticmethod
    def forward(*inputs: Any) -> Tensor:
        terms, kernel, mirror = cast(Terms, inputs[:4]), inputs[4], inputs[5]
        if _compilable(*terms, kernel=kernel):
            return _compiled_forward(terms, kernel, mirror)
        out = terms[0].new_empty(max(map(len, terms)), *terms[0].shape[1:])
        for b, rows in _parts(terms):
            out[b, rows] = displacement(*_part(terms, b, rows), kernel, mirror)
        return out

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG004 (PyTorch's signature)
        ctx.save_for_backward(*inputs[:4])
        ctx.kernel, ctx.mirror = inputs[4:]

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *inputs: Any) -> tuple[Tensor, int]:
        """One more batch dimension, for ``torch.func.vmap``."""
        moved = [
            values.expand(info.batch_size, *values.shape) if at is None else values.movedim(at, 0)
            for values, at in zip(inputs[:4], in_dims[:4], strict=True)
        ]
        batch = max(values.shape[1] for values in moved)
        terms = [values.expand(-1, batch, *values.shape[2:]).flatten(0, 1) for values in moved]
        found: Tensor = _Displacement.apply(*terms, *inputs[4:])  # type: ignore[no-untyped-call]
        return found.unflatten(0, (info.batch_size, batch)), 0

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,), kernel, mirror = gradients, ctx.kernel, ctx.mirror
        terms: Terms = ctx.saved_tensors
        wanted = [k for k in range(4) if ctx.needs_input_grad[k]]
        found: tuple[Tensor, ...]
        if torch.is_grad_enabled():  # a second derivative may be asked for: the formula, all at once
            moved = displacement(*terms, kernel, mirror)
            found = _gradients(moved, [terms[k] for k in wanted], gradient, create_graph=True)
        elif _compilable(*terms, gradient, kernel=kernel):
            every = _compiled_backward(terms, kernel, mirror, gradient)
            found = tuple(every[k] for k in wanted)
        else:
            found = _backward_in_parts(terms, kernel, mirror, gradient, wanted)
        given: list[Tensor | None] = [None] * 6
        for k, values in zip(wanted, found, strict=True):
            given[k] = values
        return tuple(given)


def _gradients(output: Tensor, inputs: list[Tensor], gradient: Tensor, *, create_graph: bool) -> tuple[Tensor, ...]:
    """Gradients by some inputs; zeros where there is no dependence, as of thin plates on α."""
    return torch.autograd.grad(
        output, inputs, gradient, create_graph=create_graph, allow_unused=True, materialize_grads=True
    )


def _parts(terms: Terms) -> Iterator[tuple[slice, slice]]:
    """Parts of the batch and of the points with at most ``PAIRS`` pairs each."""
    batch, n, k = max(map(len, terms)), terms[0].shape[1], max(terms[1].shape[1], 1)
    rows = max(PAIRS // k, 1)
    together = max(rows // max(n, 1), 1)
    for b in range(0, batch, together):
        for start in range(0, n, rows):
            yield slice(b, b + together), slice(start, start + rows)


def _part(terms: Terms, b: slice, rows: slice) -> Terms:
    """Some of the batch, where it is not one for all, and some of the points."""
    points, keypoints, vectors, alphas = (values if len(values) == 1 else values[b] for values in terms)
    return points[:, rows], keypoints, vectors, alphas


def _backward_in_parts(
    terms: Terms, kernel: str, mirror: str | None, gradient: Tensor, wanted: list[int]
) -> tuple[Tensor, ...]:
    """Gradients by the inputs that are wanted; each part is evaluated once more."""
    totals = cast(Terms, tuple(torch.zeros_like(values) for values in terms))
    for b, rows in _parts(terms):
        inputs = cast(Terms, tuple(values.detach() for values in _part(terms, b, rows)))
        for k in wanted:
            inputs[k].requires_grad_()
        with torch.enable_grad():
            moved = displacement(*inputs, kernel, mirror)
        found = _gradients(moved, [inputs[k] for k in wanted], gradient[b, rows], create_graph=False)
        for k, values in zip(wanted, found, strict=True):
            _part(totals, b, rows)[k].add_(values)
    return tuple(totals[k] for k in wanted)


def _compiled_forward(terms: Terms, kernel: str, mirror: str | None) -> Tensor:
    from headviz.geometry import warp_compiled as fast

    arrays = tuple(values.detach().contiguous().numpy() for values in terms)
    code = fast.CODES.index(kernel)
    kind = (code, mirror is not None, fast.KAPPA[code])
    out = torch.empty(max(map(len, terms)), *terms[0].shape[1:])
    written = out.numpy()
    blocks = len(out) * -(-out.shape[1] // fast.BLOCK)
    share_out(blocks, lambda first, last, _: fast.displace(arrays, kind, written, first, last))
    return out


def _compiled_backward(terms: Terms, kernel: str, mirror: str | None, gradient: Tensor) -> tuple[Tensor, ...]:
    """Gradients by points, keypoints, vectors and alphas."""
    from headviz.geometry import warp_compiled as fast

    arrays = tuple(values.detach().contiguous().numpy() for values in terms)
    code = fast.CODES.index(kernel)
    kind = (code, mirror is not None, fast.KAPPA[code])
    by_points = torch.empty(gradient.shape)
    given, written = gradient.detach().contiguous().numpy(), by_points.numpy()
    # Every thread sums for itself.
    totals = torch.zeros(torch.get_num_threads(), len(by_points), terms[1].shape[1], 7, dtype=torch.float64)
    sums = totals.numpy()
    share_out(
        len(by_points) * -(-by_points.shape[1] // fast.BLOCK),
        lambda first, last, thread: fast.pull_back(arrays, kind, given, written, sums[thread], first, last),
    )
    total = totals.sum(0).float()
    found = (by_points, total[..., :3], total[..., 3:6], total[..., 6])
    return tuple(values.sum_to_size(like.shape) for values, like in zip(found, terms, strict=True))
