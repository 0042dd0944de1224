"""What a scene must be like to be drawn: typed errors that say what was expected and what came."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from headviz.errors import CameraError, LightError, MeshError, ShapeError
from headviz.geometry.camera import Cameras
from headviz.geometry.mesh import face_normals
from headviz.geometry.mesh_batch import MeshBatch
from headviz.render.light import Lighting

CAMERA = ("rotation", "translation", "focal", "center")
SHOWN = 5  #: of many places, those that a message names


def check_scene(meshes: MeshBatch, cameras: Cameras, light: Lighting | None, *, strict: bool = False) -> None:
    """Whether meshes and cameras can be drawn; shapes and indices were checked when they were made.

    Args:
        meshes: b of them.
        cameras: b of them.
        light: what lights them.
        strict: also refuse what is only not seen.

    Raises:
        ShapeError: precision or device differ.
        MeshError: vertices, texture, its coordinates or colours are not finite; with ``strict``, also faces without
            area and vertices behind a camera.
        CameraError: a camera's numbers are not finite, or its focal length is not positive.
        LightError: numbers of the light are not finite, or there are not as many as pictures.
    """
    like = meshes.vertices
    if like.dtype not in (torch.float32, torch.float64):
        raise ShapeError(f"vertices should be float32 or float64; they are {like.dtype}")
    for name in ("texture", "colors", "normals", "uv", "faces", "uv_faces"):
        _check_place(name, getattr(meshes, name), like)
    for name in CAMERA:
        _check_place(f"the cameras' {name}", getattr(cameras, name), like)
    check_cameras(cameras)
    for name in ("vertices", "texture", "colors", "normals", "uv"):
        values = getattr(meshes, name)
        if values is not None and not all_finite(values):
            raise MeshError(f"{name} should be finite; {_where(~torch.isfinite(values).all(-1))}")
    check_light(light, len(meshes))
    if strict:
        _check_strictly(meshes, cameras)


def check_cameras(cameras: Cameras) -> None:
    """Whether one can look through cameras.

    Raises:
        CameraError: their numbers are not finite, or a focal length is not positive.
    """
    for name in CAMERA:
        values = getattr(cameras, name)
        if not all_finite(values):
            raise CameraError(f"the cameras' {name} should be finite; {_where(~torch.isfinite(values))}")
    if not bool((cameras.focal > 0).all()):
        raise CameraError(f"focal lengths should be positive; {_where(cameras.focal <= 0)}")


def check_light(light: Lighting | None, count: int) -> None:
    """Whether light can shine in a number of pictures.

    Raises:
        LightError: its numbers are not finite, or there are not as many as pictures.
    """
    if light is not None:
        light.mapped(lambda name, values: _check_light(name, values, count))


def all_finite(values: Tensor) -> bool:
    """Whether all values are; a sum, which is fast, is looked at first."""
    return math.isfinite(float(values.detach().sum())) or bool(torch.isfinite(values).all())


def _check_light(name: str, values: Tensor, count: int) -> Tensor:
    own = {"coefficients": 2, "gloss": 0}.get(name, 1)
    if values.ndim > own and len(values) not in {1, count}:
        raise LightError(f"the light's {name} should be one or {count}, as pictures; there are {len(values)}")
    if not all_finite(values):
        raise LightError(f"the light's {name} should be finite; {_where(~torch.isfinite(values))}")
    if name == "direction" and not bool((values != 0).any(-1).all()):
        raise LightError(f"the light's direction should have a length; {values.tolist()} has none")
    return values


def _check_strictly(meshes: MeshBatch, cameras: Cameras) -> None:
    with torch.no_grad():
        a, b, c = (meshes.vertices[:, corner] for corner in meshes.faces.T)
        sides = (b - a).norm(dim=-1) * (c - a).norm(dim=-1)
        area = face_normals(meshes.vertices, meshes.faces).norm(dim=-1)
        flat = area <= 4 * torch.finfo(area.dtype).eps * sides  # cross products of parallel sides are rounded, too
        if bool(flat.any()):
            raise MeshError(f"faces should have an area; {_where(flat)}")
        behind = cameras.to_camera(meshes.vertices)[..., 2] >= 0
        if bool(behind.any()):
            raise MeshError(f"vertices should be in front of their camera; {_where(behind)}")


def _check_place(name: str, values: Tensor | None, like: Tensor) -> None:
    if values is None:
        return
    if values.device != like.device:
        raise ShapeError(f"{name} should be on {like.device}, as the vertices; it is on {values.device}")
    if values.is_floating_point() and values.dtype != like.dtype:
        raise ShapeError(f"{name} should be {like.dtype}, as the vertices; it is {values.dtype}")


def _where(wrong: Tensor) -> str:
    """How many are wrong, and the first of them."""
    places = wrong.nonzero()
    named = ["[" + ", ".join(str(k) for k in place.tolist()) + "]" for place in places[:SHOWN]]
    more = ", …" if len(places) > SHOWN else ""
    return f"{len(places):,} of {wrong.numel():,} are not: {', '.join(named)}{more}"
