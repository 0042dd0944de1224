"""Heads as bases for sculpting: the parametric head whose identity and expressions are named morphs."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from headviz.geometry.mesh import Mesh
from headviz.heads.model import HeadModel, load_head

_UNNAMED = "shape "  #: identity components without a human name are "shape 17" and so on, counted from 1


def identity_names(head: HeadModel) -> tuple[str, ...]:
    """A name for every identity component, in their order: its human name, else "shape" and its number."""
    named = {slider.component: slider.name for slider in head.sliders}
    return tuple(named.get(k, f"{_UNNAMED}{k + 1}") for k in range(len(head.identity)))


def identity_morphs(head: HeadModel) -> dict[str, Float[Tensor, "n 3"]]:
    """Identity components as morphs, metres per standard deviation; a larger weight is more of what the name says."""
    signs = {slider.component: slider.sign for slider in head.sliders}
    return {name: signs.get(k, 1.0) * head.identity[k] for k, name in enumerate(identity_names(head))}


def sculptable_head() -> Mesh:
    """The packaged mean head with its identity components and its 52 expressions as morphs."""
    head = load_head()
    plain = head.mesh()
    return replace(plain, morphs={**identity_morphs(head), **plain.morphs})


def with_identity(mesh: Mesh) -> Mesh:
    """A mesh that has the parametric head's faces gets its identity morphs; any other stays as it is.

    A reconstruction's mesh is one of the first kind: its texture and its own morphs are kept.
    """
    head = load_head()
    if mesh.faces.shape != head.faces.shape or not torch.equal(mesh.faces.long(), head.faces):
        return mesh
    mirror = head.mirror if mesh.mirror is None else mesh.mirror
    return replace(mesh, morphs={**identity_morphs(head), **mesh.morphs}, mirror=mirror)


def identity_weights(vertices: Float[Tensor, "n 3"], *, base: Float[Tensor, "n 3"] | None = None) -> dict[str, float]:
    """The weights of :func:`identity_morphs` that bring the base nearest to a neutral head, by least squares.

    Args:
        vertices: a neutral head with the parametric head's vertices, metres.
        base: what is to be moved; the mean head by default.

    Raises:
        ValueError: the head has another number of vertices.
    """
    head = load_head()
    if vertices.shape != head.mean.shape:
        raise ValueError(f"vertices should have shape {tuple(head.mean.shape)}; shape is {tuple(vertices.shape)}")
    morphs = identity_morphs(head)
    basis = torch.stack([offsets.flatten() for offsets in morphs.values()], dim=1).double()
    away = (vertices - (head.mean if base is None else base)).flatten().double()
    found = torch.linalg.lstsq(basis, away[:, None]).solution[:, 0]
    return {name: round(float(weight), 6) for name, weight in zip(morphs, found, strict=True)}


@lru_cache(maxsize=1)
def _groups() -> dict[str, str]:
    head = load_head()
    return {
        **dict.fromkeys(identity_names(head), "identity"),
        **dict.fromkeys(head.expression_names, "expression"),
    }


def group_of(name: str) -> str:
    """What a morph of this name is: "identity", "expression" or "other"."""
    if re.fullmatch(rf"{_UNNAMED}\d+", name):
        return "identity"
    return _groups().get(name, "other")
