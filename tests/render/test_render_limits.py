"""What cannot be drawn is refused by name, gradients that are no numbers are stopped, and odd meshes do no harm."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from headviz.errors import CameraError, GradientError, InputError, LightError, MeshError, OptionError, ShapeError
from headviz.geometry.camera import Cameras
from headviz.geometry.mesh import Mesh
from headviz.geometry.mesh_batch import MeshBatch
from headviz.render.fragments import Fragments, fragments_of
from headviz.render.light import Ambient, Directional, Lighting, headlight
from headviz.render.shade import RenderSettings, render
from headviz.render.soft import SoftMask, iou_loss

from .scenes import DOUBLE, ONE, noise, straight

BACKENDS = pytest.mark.parametrize("backend", ["scanline", "torch", "embree"])
CAMERA = straight(10, 8, 8.0)
TRIANGLE = torch.tensor([[-0.3, -0.3, -1.0], [0.4, -0.2, -1.0], [0.0, 0.3, -1.2]])
UV = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])


def batch(count: int = 2, **changes: Tensor | None) -> MeshBatch:
    whole = MeshBatch(
        TRIANGLE.expand(count, 3, 3).contiguous(), ONE, UV, None, noise(count, 4, 5, 3).float(),
        noise(count, 3, 3, seed=1).float(), noise(count, 3, 3, seed=2).float(),
    )  # fmt: skip
    return replace(whole, **changes)  # type: ignore[arg-type]


def seen(count: int = 2) -> Cameras:
    return Cameras.of([CAMERA] * count)


def spoiled(values: Tensor | None, *place: int, by: float = math.nan) -> Tensor:
    assert values is not None
    values = values.clone()
    values[place] = by
    return values


M, C, INF = batch(), seen(), math.inf
THREE = torch.ones(3)


@pytest.mark.parametrize(
    ("meshes", "cameras", "kind", "message"),
    [
        (replace(M, vertices=spoiled(M.vertices, 1, 2, 0)), C, MeshError, r"vertices should be finite; 1 of 6 are not: \[1, 2\]$"),
        (replace(M, vertices=spoiled(M.vertices, 0, 0, 2, by=-INF)), C, MeshError, r"vertices .*1 of 6 are not: \[0, 0\]$"),
        (replace(M, vertices=M.vertices * INF), C, MeshError, r"6 of 6 are not: \[0, 0\], \[0, 1\], .*\[1, 1\], …$"),
        (replace(M, texture=spoiled(M.texture, 0, 3, 4, 1)), C, MeshError, r"texture should be finite; 1 of 40 .*\[0, 3, 4\]$"),
        (replace(M, colors=spoiled(M.colors, 1, 0, 2)), C, MeshError, r"colors should be finite; 1 of 6 .*\[1, 0\]$"),
        (replace(M, normals=spoiled(M.normals, 0, 1, 1, by=INF)), C, MeshError, r"normals should be finite; .*\[0, 1\]$"),
        (replace(M, uv=spoiled(M.uv, 2, 1)), C, MeshError, r"uv should be finite; 1 of 3 are not: \[2\]$"),
        (replace(M, vertices=M.vertices.half()), C, ShapeError, "vertices should be float32 or float64; they are torch.float16"),
        (replace(M, texture=M.texture.double()), C, ShapeError, "texture should be torch.float32, as the vertices; it is torch.float64"),
        (replace(M, colors=M.colors.double()), C, ShapeError, "colors should be torch.float32.*it is torch.float64"),
        (replace(M, normals=M.normals.half()), C, ShapeError, "normals should be torch.float32.*it is torch.float16"),
        (replace(M, uv=M.uv.double()), C, ShapeError, "uv should be torch.float32.*it is torch.float64"),
        (M, replace(C, focal=C.focal.double()), ShapeError, "the cameras' focal should be torch.float32.*torch.float64"),
        (replace(M, colors=M.colors.to("meta")), C, ShapeError, "colors should be on cpu, as the vertices; it is on meta"),
        (M, replace(C, center=C.center.to("meta")), ShapeError, "the cameras' center should be on cpu.*on meta"),
        (M, replace(C, rotation=spoiled(C.rotation, 1, 0, 2)), CameraError, r"the cameras' rotation should be finite; 1 of 18.*\[1, 0, 2\]$"),
        (M, replace(C, translation=spoiled(C.translation, 0, 1, by=INF)), CameraError, r"translation .*1 of 6 are not: \[0, 1\]$"),
        (M, replace(C, focal=spoiled(C.focal, 1)), CameraError, r"the cameras' focal should be finite; 1 of 2 are not: \[1\]$"),
        (M, replace(C, focal=spoiled(C.focal, 1, by=0.0)), CameraError, r"focal lengths should be positive; 1 of 2 are not: \[1\]$"),
        (M, replace(C, focal=-C.focal), CameraError, r"focal lengths should be positive; 2 of 2 are not: \[0\], \[1\]$"),
        (M, replace(C, center=spoiled(C.center, 0, 0)), CameraError, r"the cameras' center should be finite; 1 of 4"),
        (M, seen(3), ShapeError, "as many cameras as meshes, or one; there are 3 cameras and 2 meshes"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_refused_by_name(meshes: MeshBatch, cameras: Cameras, kind: type, message: str) -> None:
    with pytest.raises(kind, match=message) as error:
        render(meshes, cameras, light=headlight())
    assert isinstance(error.value, InputError)


def test_single_meshes_are_refused_by_name() -> None:
    plain = Mesh(TRIANGLE, ONE)
    for mesh, message in (
        (Mesh(torch.zeros(0, 3), ONE[:0]), "should have faces; this one has 0 vertices and none"),
        (Mesh(TRIANGLE, ONE[:0]), "should have faces; this one has 3 vertices and none"),
        (replace(plain, texture=noise(4, 4, 3).float()), r"should have texture coordinates \(uv\); it has none"),
        (replace(plain, vertices=spoiled(TRIANGLE, 1, 1)), r"vertices should be finite; 1 of 3 are not: \[0, 1\]"),
        (
            replace(plain, uv=UV, uv_faces=ONE + 2, texture=noise(4, 4, 3).float()),
            "uv_faces should index 3 texture coord",
        ),
    ):
        with pytest.raises(MeshError, match=message):
            render(mesh, CAMERA)
    with pytest.raises(ShapeError, match="at least one texel"):
        render(replace(plain, uv=UV, texture=torch.zeros(0, 4, 3)), CAMERA)


def test_light_and_choices_are_refused_by_name() -> None:
    for light, message in (
        (Lighting((Ambient(torch.ones(3, 3)),)), "the light's color should be one or 2, as pictures; there are 3"),
        (Lighting((Ambient(spoiled(THREE, 1)),)), r"the light's color should be finite; 1 of 3 are not: \[1\]"),
        (
            Lighting((Directional(torch.zeros(3), THREE),)),
            r"direction should have a length; \[0.0, 0.0, 0.0\] has none",
        ),
        (Lighting((), gloss=torch.tensor([0.1, INF])), r"the light's gloss should be finite; 1 of 2 are not: \[1\]"),
    ):
        with pytest.raises(LightError, match=message):
            render(M, C, light=light)
    for choice, message in (
        ({"supersample": 0}, "supersample should be from 1 to 16; it is 0"),
        ({"supersample": 17}, "supersample should be from 1 to 16; it is 17"),
    ):
        with pytest.raises(OptionError, match=message):
            RenderSettings(**choice)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=r"backend should be one of scanline.*; it is 'opengl'"):
        render(M, C, settings=RenderSettings(backend="opengl"))


def test_strict_rendering_refuses_what_is_not_seen() -> None:
    flat = torch.tensor([[0.0, 0.0, -1.0], [0.1, 0.1, -1.0], [0.1, 0.1, -1.0]])
    behind = spoiled(TRIANGLE, 1, 2, by=0.25)
    strict = RenderSettings(strict=True)
    for vertices, message in (
        (torch.stack([TRIANGLE, flat]), r"faces should have an area; 1 of 2 are not: \[1, 0\]$"),
        (torch.stack([behind, TRIANGLE]), r"vertices should be in front of their camera; 1 of 6 are not: \[0, 1\]$"),
    ):
        meshes = MeshBatch(vertices, ONE)
        assert bool(torch.isfinite(render(meshes, C, light=headlight()).picture).all())
        with pytest.raises(MeshError, match=message):
            render(meshes, C, settings=strict)
    render(M, C, settings=strict)


@pytest.mark.parametrize("value", [math.nan, INF, -INF])
def test_a_gradient_that_comes_in_as_no_number_is_named(value: float) -> None:
    moving = batch(vertices=M.vertices.clone().requires_grad_())
    drawn = render(moving, C, light=headlight(), soft=SoftMask())
    bad = torch.zeros_like(drawn.picture)
    bad[1, 3, 4, 2] = value
    with pytest.raises(GradientError, match=r"the gradient of picture should be finite; 1 of 480 values are not, "
                                            rf"the first at \[1, 3, 4, 2\] is {value}; it came in with the loss"):  # fmt: skip
        drawn.picture.backward(bad, retain_graph=True)
    assert drawn.soft_mask is not None
    with pytest.raises(GradientError, match=r"soft_mask should be finite; 2 of 160 .*\[0, 5, 0\] is .*with the loss"):
        drawn.soft_mask.backward(spoiled(spoiled(torch.ones(2, 8, 10), 1, 0, 0, by=value), 0, 5, 0, by=value))
    assert moving.vertices.grad is None  # nothing arrived


def test_the_root_of_a_black_picture_is_named() -> None:
    color = torch.zeros(1, 3, 3, requires_grad=True)
    drawn = render(batch(texture=None, colors=color), C, background=THREE)
    with pytest.raises(
        GradientError, match=r"gradient of picture should be finite; .* is inf; it came in with the loss"
    ):
        drawn.picture.sqrt().sum().backward()


def claimed(vertices: Tensor, faces: Tensor, cameras: Cameras) -> Fragments:
    """A rasterizer that says that every pixel sees face 0, whatever it is."""
    face = torch.zeros(len(vertices), cameras.height, cameras.width, dtype=torch.int64)
    return fragments_of(cameras.to_camera(vertices), faces, cameras, face)


def test_a_gradient_that_becomes_no_number_inside_is_named_by_what_it_belongs_to() -> None:
    flat = torch.zeros(3, 3) - torch.tensor([0.0, 0.0, 1.0])
    settings = RenderSettings(backend=claimed)
    colors = M.colors
    assert colors is not None
    for name, message in {
        "vertices": r"gradient of vertices should be finite; .* of 18 values are not, the first at \[1, 0, 0\] is nan; what "
        "came in was finite",
        "colors": r"gradient of colors should be finite; 9 of 18 .* \[1, 0, 0\] is nan; what came in was finite",
    }.items():
        needed = {"vertices": torch.stack([TRIANGLE, flat]), "colors": colors}
        needed[name] = needed[name].clone().requires_grad_()
        drawn = render(batch(texture=None, **needed), C, settings=settings)
        with pytest.raises(GradientError, match=message):
            drawn.picture.backward(torch.ones_like(drawn.picture))
    focal = C.focal.clone().requires_grad_()
    drawn = render(
        batch(texture=None, vertices=torch.stack([TRIANGLE, flat])), replace(C, focal=focal), settings=settings
    )
    with pytest.raises(
        GradientError, match=r"gradient of focal should be finite; 1 of 2 values are not, the first at \[1\]"
    ):
        drawn.picture.backward(torch.ones_like(drawn.picture))


def test_pictures_may_be_changed_in_place_and_vertices_may_not_between_the_passes() -> None:
    moving = batch(vertices=M.vertices.clone().requires_grad_())
    drawn = render(moving, C, light=headlight(), soft=SoftMask())
    assert drawn.soft_mask is not None
    wanted = torch.autograd.grad((2 * drawn.picture).sum() + drawn.soft_mask[:, :4].sum(), moving.vertices)
    drawn = render(moving, C, light=headlight(), soft=SoftMask())
    assert drawn.soft_mask is not None
    drawn.picture.mul_(2)
    drawn.soft_mask[:, 4:] = 0
    torch.testing.assert_close(
        torch.autograd.grad(drawn.picture.sum() + drawn.soft_mask.sum(), moving.vertices), wanted
    )
    drawn = render(moving, replace(C, rotation=C.rotation.clone().requires_grad_()), light=headlight())
    with torch.no_grad():
        moving.vertices.add_(0.01)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        drawn.picture.sum().backward()


@BACKENDS
def test_gradients_through_odd_meshes_are_finite(backend: str) -> None:
    # A face of no area beside others, at a point and along a line, a leaf with two sides, a vertex of no face, faces
    # behind the camera, in its plane, hidden and out of the picture; all with light, gloss, soft mask and texture.
    vertices = torch.tensor([
        [-0.3, -0.3, -1.0], [0.4, -0.2, -1.0], [0.0, 0.3, -1.2], [0.0, 0.0, -1.0], [0.2, 0.0, -1.0], [0.5, 0.5, -3.0],
        [-0.6, 0.5, -3.0], [0.1, 0.2, 1.0], [0.3, 0.1, 0.0], [9.0, 9.0, -1.0], [9.0, 8.0, -1.0], [0.0, 0.0, -5.0],
    ])  # fmt: skip
    faces = torch.tensor([
        [0, 1, 2], [2, 1, 0], [3, 3, 3], [3, 4, 3], [3, 4, 4], [5, 6, 2], [5, 6, 0], [7, 2, 0], [8, 1, 2], [8, 7, 0],
        [9, 10, 9], [9, 10, 1], [7, 8, 7],
    ])  # fmt: skip
    given = [vertices, noise(4, 4, 3).float(), noise(12, 2, seed=1).float(), *(getattr(seen(1), name) for name in (
        "rotation", "translation", "focal", "center"))]  # fmt: skip
    moving, texture, uv, *numbers = given = [value.clone().requires_grad_() for value in given]
    light = Lighting((*headlight().sources, Directional(torch.tensor([0.0, 0.0, 1.0]), THREE)), gloss=0.4)
    settings = RenderSettings(backend=backend, texture_filter="mipmap", supersample=2)
    drawn = render(
        MeshBatch(moving[None], faces, uv, None, texture[None]), Cameras(*numbers, 10, 8), light=light,
        soft=SoftMask(0.1), settings=settings,
    )  # fmt: skip
    assert drawn.soft_mask is not None
    assert bool(torch.isfinite(drawn.picture).all() & torch.isfinite(drawn.soft_mask).all())
    loss = (drawn.picture**2).sum() + iou_loss(drawn.soft_mask, torch.ones(1, 8, 10)).sum() + drawn.normals.sum()
    for name, slope in zip(("vertices", "texture", "uv"), torch.autograd.grad(loss, given), strict=False):
        assert bool(torch.isfinite(slope).all()), name
        assert float(slope.abs().max()) < 1e5, name
        if name == "vertices":
            assert bool((slope[11] == 0).all())  # of no face
    assert int(drawn.mask.sum()) > 10


def test_what_is_not_seen_has_no_gradient() -> None:
    hidden = TRIANGLE * 2 - torch.tensor([0.0, 0.0, 1.0])
    front = torch.tensor([[-2.0, -2.0, -0.5], [2.0, -2.0, -0.5], [0.0, 3.0, -0.5]])
    vertices = torch.cat([front, hidden]).requires_grad_()
    colors = noise(1, 6, 3).float().requires_grad_()
    meshes = MeshBatch(vertices[None], torch.tensor([[0, 1, 2], [3, 4, 5]]), colors=colors)
    drawn = render(meshes, seen(1), light=headlight(), soft=SoftMask())
    assert drawn.soft_mask is not None
    first, second = torch.autograd.grad(drawn.picture.sum() + drawn.soft_mask.sum(), (vertices, colors))
    assert bool((first[3:] == 0).all())
    assert bool((second[0, 3:] == 0).all())
    assert bool((second[0, :3] != 0).any())


@BACKENDS
def test_large_pictures_and_faces_are_no_trouble(backend: str) -> None:
    camera = straight(512, 512, 512.0)
    corners = 0.5 * noise(100, 3, 2, seed=3).float() - 0.25
    depth = -1 - noise(100, 3, 1, seed=4).float()
    many = MeshBatch(
        torch.cat([corners, depth], -1).reshape(1, 300, 3).requires_grad_(), torch.arange(300).reshape(100, 3)
    )
    whole = MeshBatch(torch.tensor([[[-9.0, -9.0, -1.0], [9.0, -9.0, -1.0], [0.0, 9.0, -1.0]]]).requires_grad_(), ONE)
    around = MeshBatch(torch.tensor([[[-9.0, -9.0, 1.0], [9.0, -9.0, 1.0], [0.0, -9.0, -20.0]]]).requires_grad_(), ONE)
    settings = RenderSettings(backend=backend)
    for meshes in (many, whole, around):
        best = math.inf
        for _ in range(3):
            start = time.perf_counter()
            drawn = render(meshes, camera, light=headlight(), soft=SoftMask(), settings=settings)
            assert drawn.soft_mask is not None
            (drawn.picture.sum() + drawn.soft_mask.sum()).backward()
            best = min(best, time.perf_counter() - start)
        assert best < 3  # seconds; a tenth of it on one core
        assert meshes.vertices.grad is None or bool(torch.isfinite(meshes.vertices.grad).all())
    assert bool(drawn.mask.any())
    assert bool(render(whole, camera, settings=settings).mask.all())


def test_double_meshes_take_light_and_background_of_any_precision() -> None:
    meshes = MeshBatch(TRIANGLE.double()[None], ONE)
    drawn = render(meshes, straight(10, 8, 8.0, DOUBLE), light=headlight(), background=THREE)
    assert drawn.picture.dtype == DOUBLE
    assert drawn.depth.dtype == drawn.normals.dtype == DOUBLE


@pytest.mark.parametrize("name", ["picture", "soft_mask", "depth", "normals", "points", "uv"])
def test_whatever_a_gradient_comes_in_by_is_named_with_the_place_in_a_single_picture(name: str) -> None:
    mesh = Mesh(TRIANGLE.clone().requires_grad_(), ONE, uv=UV)
    drawn = render(mesh, CAMERA, light=headlight(), soft=SoftMask())
    row, column = (
        drawn.mask.nonzero()[0].tolist()
        if name != "soft_mask"
        else ((drawn.soft_mask > 0.01) & (drawn.soft_mask < 0.99)).nonzero()[0].tolist()
    )  # type: ignore[operator]
    values = getattr(drawn, name)[row, column]
    with pytest.raises(
        GradientError, match=rf"the gradient of {name} .*the first at \[{row}, {column}(, 0)?\] is nan; it came in"
    ):
        (values.sum() * math.nan).backward()
