"""Derivatives of fields: gradients, normals, curvatures."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from headviz.errors import FieldError
from headviz.geometry.field import Field


class Curvature(NamedTuple):
    """Curvatures of the level set through each point, with respect to the gradient: a ball's are positive.

    Attributes:
        mean: half the sum of the principal curvatures, 1/m, shape (n,); in the plane the curvature itself.
        gaussian: their product, 1/m², shape (n,); in the plane there is only one, and this is 0.
    """

    mean: Float[Tensor, " n"]
    gaussian: Float[Tensor, " n"]


def gradient(field: Field, points: Float[Tensor, "n d"], *, create_graph: bool = False) -> Float[Tensor, "n d"]:
    """Gradients of a field at points of shape (n, d), by automatic differentiation, shape (n, d).

    Works under ``torch.no_grad()`` too. Where a field has no gradient, as in the middle of a ball, it is whatever
    PyTorch makes of it; headviz's shapes give a finite vector there.

    Args:
        field: what is differentiated.
        points: where, metres.
        create_graph: whether the gradient can be differentiated again, and reaches the field's parameters.

    Raises:
        FieldError: the field's values do not depend on the points in a way that PyTorch can follow.
    """
    with torch.enable_grad():
        at = points if create_graph and points.requires_grad else points.detach().requires_grad_()
        found, _ = _backward(field, at, create_graph)
    return found if create_graph else found.detach()


def normals(field: Field, points: Float[Tensor, "n d"], *, create_graph: bool = False) -> Float[Tensor, "n d"]:
    """Unit normals, out of the inside, of the level sets through points of shape (n, d): shape (n, d).

    Zero where the gradient is.

    Raises:
        FieldError: as :func:`gradient`.
    """
    unit: Tensor = torch.nn.functional.normalize(gradient(field, points, create_graph=create_graph), dim=-1, eps=1e-30)
    return unit


def curvature(field: Field, points: Float[Tensor, "n d"]) -> Curvature:
    """Curvatures of the level sets through points of shape (n, d), d = 2 or 3.

    R. Goldman, "Curvature formulas for implicit curves and surfaces", CAGD 22(7), 2005, sections 3 and 4, with the
    sign that makes a ball's mean curvature 1/r: with g the gradient and H the Hessian,
    mean = (|g|² tr H − gᵀHg) / (2|g|³), gaussian = gᵀ adj(H) g / |g|⁴. In the plane mean is (|g|² tr H − gᵀHg) / |g|³.

    Args:
        field: at least twice differentiable where it is asked.
        points: where, metres; double precision is worth its while here.

    Raises:
        FieldError: as :func:`gradient`, or the field cannot be differentiated twice.
    """
    dimension = points.shape[1]
    with torch.enable_grad():
        at = points.detach().requires_grad_()
        first, weights = _backward(field, at, create_graph=True)
        rows = [_second(field, first[:, k], at, weights) for k in range(dimension)]
    g, hessian = first.detach(), torch.stack(rows, dim=1)
    steepness = g.square().sum(1)
    bent = steepness * hessian.diagonal(dim1=1, dim2=2).sum(1) - torch.einsum("ni,nij,nj->n", g, hessian, g)
    if dimension == 2:
        return Curvature(bent / steepness**1.5, torch.zeros_like(bent))
    a, b, c = hessian.unbind(1)
    # Rows of the adjugate of a symmetric matrix are the cross products of its rows.
    cross = torch.linalg.cross
    adjugate = torch.stack([cross(b, c), cross(c, a), cross(a, b)], dim=1)
    return Curvature(bent / (2 * steepness**1.5), torch.einsum("ni,nij,nj->n", g, adjugate, g) / steepness**2)


def _backward(field: Field, points: Tensor, create_graph: bool) -> tuple[Tensor, Tensor]:
    """The gradient, and the weights of 1 that every value got in it."""
    values = field(points)
    if not values.requires_grad:
        raise FieldError(
            f"a field should be differentiable to have a gradient; {type(field).__name__} returns values "
            "without a graph: take differences instead"
        )
    weights = torch.ones_like(values).requires_grad_(create_graph)
    (found,) = torch.autograd.grad(values, points, weights, create_graph=create_graph, allow_unused=True)
    if found is None:
        raise FieldError(f"the values of {type(field).__name__} should depend on the points; they do not")
    return found, weights


def _second(field: Field, component: Tensor, points: Tensor, weights: Tensor) -> Tensor:
    """Derivatives of one component of the gradient, shape (n, d).

    PyTorch returns nothing both for a constant gradient, as a plane has, and for one that it cannot follow, as that of
    a function which is differentiable only once. They are told apart by the derivative with respect to the weights:
    a gradient is linear in them.
    """
    try:
        found = torch.autograd.grad(component.sum(), (points, weights), retain_graph=True, allow_unused=True)
    except RuntimeError as error:
        raise FieldError(f"{_once(field)}: {error}") from error
    second, linear = (torch.zeros_like(x) if y is None else y for x, y in zip((points, weights), found, strict=True))
    if not torch.allclose(linear, component, rtol=1e-3, atol=1e-6, equal_nan=True):
        raise FieldError(_once(field))
    return second


def _once(field: Field) -> str:
    return f"a field should be differentiable twice to have a curvature; {type(field).__name__} is not"
