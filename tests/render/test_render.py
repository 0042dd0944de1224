"""The whole way from meshes, cameras and light to pictures: gradients by differences, batches, and what is refused."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from headviz.errors import ShapeError
from headviz.geometry.camera import Camera, Cameras
from headviz.geometry.mesh import Mesh
from headviz.geometry.mesh_batch import MeshBatch
from headviz.render.light import Ambient, Directional, Harmonics, Lighting, Point
from headviz.render.shade import Rendering, RenderSettings, render
from headviz.render.soft import SoftMask
from headviz.render.surface import BACKGROUND

from .scenes import DOUBLE, before, cameras_in, cast, meet, noise, oblique, rays_of

WIDTH, HEIGHT = 9, 7
SOFT = SoftMask(delta=0.2, cutoff=1e-12)
MAPS = ("picture", "soft_mask", "mask", "depth", "normals", "points", "uv", "face")


def scene(count: int = 2, **kept: bool) -> tuple[MeshBatch, Cameras, Lighting]:
    """Meshes of six corners and four faces before oblique cameras; no pixel lies near an edge, which may be moved."""
    faces = torch.tensor([[0, 1, 2], [2, 3, 4], [4, 5, 0], [1, 3, 5]])
    cameras = oblique(count, WIDTH, HEIGHT, focal=6.0)
    for seed in itertools.count():
        local = 2.6 * noise(count, 6, 3, seed=seed) - torch.tensor([1.3, 1.3, 3.6], dtype=DOUBLE)
        found = [meet(local[k].numpy()[faces.numpy()], rays_of(cameras, k)) for k in range(count)]
        edges = min(float(np.abs(weights).min()) for weights, _ in found)
        covered = [int(((weights.min(1) > 0) & (depth > 0)).any(0).sum()) for weights, depth in found]
        if edges > 1e-4 and min(covered) > 12 and max(covered) < 50:
            break
    meshes = MeshBatch(
        before(cameras, local), faces, noise(7, 2, seed=1), faces + 1,
        noise(count, 5, 4, 3, seed=2), noise(count, 6, 3, seed=3), noise(count, 6, 3, seed=4) - 0.5,
    )  # fmt: skip
    light = Lighting(
        (
            Ambient(0.2 * noise(count, 3, seed=5)), Directional(noise(count, 3, seed=6) - 0.5, noise(count, 3, seed=7)),
            Point(4 * noise(count, 3, seed=8) - 2, noise(count, 3, seed=9)), Harmonics(0.3 * noise(count, 9, 3, seed=10)),
        ),
        gloss=noise(count, seed=11), shininess=3.0,
    )  # fmt: skip
    left_out = {name: None for name in ("texture", "colors", "normals") if not kept.get(name, True)}
    return replace(meshes, **left_out), cameras, light


def one_by_one(thing: Any, k: int) -> Any:
    """The k-th of a batch, as a batch of one."""
    if isinstance(thing, Lighting):
        return thing.mapped(lambda _, values: values[k : k + 1])
    names = ("vertices", "texture", "colors", "normals", "rotation", "translation", "focal", "center")
    own = {name: value[k : k + 1] for name in names if (value := getattr(thing, name, None)) is not None}
    return replace(thing, **own)


def same(batch: Rendering, k: int, one: Rendering) -> None:
    """Whether the k-th picture of a batch, with all that belongs to it, is that of a batch of one, or a single one."""
    for name in MAPS:
        first, second = getattr(batch, name), getattr(one, name)
        if first is None or second is None:
            assert first is second
            continue
        second = second[0] if second.ndim == first.ndim else second
        torch.testing.assert_close(first[k], second, atol=1e-9, rtol=1e-9)


def inputs_of(meshes: MeshBatch, cameras: Cameras, light: Lighting) -> tuple[list[str], list[Tensor]]:
    """All numbers of a scene, with a need for gradients, and what they are called."""
    given = {f"mesh {name}": getattr(meshes, name) for name in ("vertices", "texture", "colors", "normals", "uv")}
    given |= {f"camera {name}": getattr(cameras, name) for name in ("rotation", "translation", "focal", "center")}
    light.mapped(lambda name, values: given.setdefault(f"light {name} {len(given)}", values))
    if meshes.texture is not None:
        given.pop("mesh colors")  # not seen
    else:
        given.pop("mesh uv")
    kept = {name: value.clone().requires_grad_() for name, value in given.items() if value is not None}
    return list(kept), list(kept.values())


def rebuilt(meshes: MeshBatch, cameras: Cameras, light: Lighting, names: list[str], values: tuple[Tensor, ...]) -> Any:
    """The scene with other numbers."""
    lights = iter([value for name, value in zip(names, values, strict=True) if name.startswith("light")])
    own = {kind: {} for kind in ("mesh", "camera")}
    for name, value in zip(names, values, strict=True):
        kind, field = name.split()[:2]
        if kind in own:
            own[kind][field] = value
    return replace(meshes, **own["mesh"]), replace(cameras, **own["camera"]), light.mapped(lambda *_: next(lights))


@pytest.mark.parametrize("backend", ["scanline", "torch"])
@pytest.mark.parametrize(
    ("kept", "model", "supersample"),
    [
        ({}, "blinn-phong", 1),
        ({"texture": False, "normals": False}, "phong", 1),
        ({"normals": False}, "blinn-phong", 2),
    ],
)
def test_every_gradient_is_that_of_differences(backend: str, kept: dict, model: Any, supersample: int) -> None:
    meshes, cameras, light = scene(**kept)
    light = replace(light, model=model)
    names, values = inputs_of(meshes, cameras, light)
    assert len(names) == 15 - len(kept)
    settings = RenderSettings(backend=backend, supersample=supersample)

    def draw(*values: Tensor) -> tuple[Tensor, Tensor]:
        scene_ = rebuilt(meshes, cameras, light, names, values)
        drawn = render(scene_[0], scene_[1], light=scene_[2], soft=SOFT, settings=settings)
        assert drawn.soft_mask is not None
        return drawn.picture, drawn.soft_mask

    picture, mask = draw(*values)
    slopes = torch.autograd.grad((picture * noise(*picture.shape)).sum() + mask.sum(), values)
    for name, slope in zip(names, slopes, strict=True):
        assert bool((slope != 0).any()), name
    assert gradcheck(draw, values, eps=1e-7, atol=2e-5, rtol=1e-4, fast_mode=True)  # along random directions


@pytest.mark.parametrize("backend", ["scanline", "torch"])
def test_gradients_of_the_other_maps_are_those_of_differences(backend: str) -> None:
    meshes, cameras, light = scene(texture=False, colors=False, normals=False)
    names, values = inputs_of(meshes, cameras, Lighting(()))
    names, values = [*names, "mesh uv"], [*values, noise(7, 2, seed=1).requires_grad_()]

    def draw(*values: Tensor) -> tuple[Tensor, ...]:
        scene_ = rebuilt(meshes, cameras, Lighting(()), names, values)
        drawn = render(scene_[0], scene_[1], settings=RenderSettings(backend=backend))
        assert drawn.uv is not None
        return drawn.depth[drawn.mask], drawn.normals, drawn.points, drawn.uv

    assert gradcheck(draw, values, eps=1e-7, atol=2e-5, rtol=1e-4, fast_mode=True)


@pytest.mark.parametrize("backend", ["scanline", "torch", "embree"])
@pytest.mark.parametrize("supersample", [1, 2])
def test_a_batch_is_one_picture_after_the_other(backend: str, supersample: int) -> None:
    settings = RenderSettings(backend=backend, supersample=supersample, texture_filter="mipmap")
    meshes, cameras, light = scene(3)
    behind = noise(3, HEIGHT, WIDTH, 3, seed=20)
    batch = render(meshes, cameras, light=light, background=behind, soft=SOFT, settings=settings)
    for k in range(3):
        mesh, camera, own = (one_by_one(thing, k) for thing in (meshes, cameras, light))
        same(batch, k, render(mesh, camera, light=own, background=behind[k : k + 1], soft=SOFT, settings=settings))
        assert mesh.texture is not None
        assert mesh.normals is not None
        plain = Mesh(
            mesh.vertices[0], mesh.faces, mesh.uv, mesh.uv_faces, mesh.texture[0], normals=mesh.normals[0]
        )  # fmt: skip
        alone = render(plain, cameras[k], light=own, background=behind[k], soft=SOFT, settings=settings)
        assert alone.picture.shape == (HEIGHT, WIDTH, 3)
        same(batch, k, alone)


def test_one_of_a_kind_serves_all_of_the_other() -> None:
    meshes, cameras, light = scene(3)
    light = one_by_one(light, 0)

    def draw(meshes: MeshBatch | Mesh, cameras: Cameras | Camera) -> Rendering:
        return render(meshes, cameras, light=light, soft=SOFT)

    some, others = draw(one_by_one(meshes, 1), cameras), draw(meshes, cameras[1])
    pairs = draw(meshes.seen_from(3), cameras.repeated(3))
    for k in range(3):
        same(some, k, draw(one_by_one(meshes, 1), one_by_one(cameras, k)))
        same(others, k, draw(one_by_one(meshes, k), one_by_one(cameras, 1)))
        for c in range(3):
            same(pairs, 3 * k + c, draw(one_by_one(meshes, k), one_by_one(cameras, c)))
    with pytest.raises(ShapeError, match="there are 3 cameras and 2 meshes; all pairs"):
        draw(replace(meshes, vertices=meshes.vertices[:2], texture=None, colors=None, normals=None), cameras)


def test_supersampling_is_the_mean_of_a_larger_picture() -> None:
    meshes, cameras, light = scene()
    behind = noise(HEIGHT, WIDTH, 3, seed=3)
    large = render(
        meshes, cameras.enlarged(3), light=light,
        background=behind.repeat_interleave(3, 0).repeat_interleave(3, 1), soft=SOFT,
    )  # fmt: skip
    drawn = render(meshes, cameras, light=light, background=behind, soft=SOFT, settings=RenderSettings(supersample=3))
    mean = large.picture.reshape(2, HEIGHT, 3, WIDTH, 3, 3).mean((2, 4))
    torch.testing.assert_close(drawn.picture, mean)
    plain = render(meshes, cameras, light=light, background=behind, soft=SOFT)
    assert not torch.equal(plain.picture, drawn.picture)
    for name in MAPS[1:]:
        assert torch.equal(getattr(plain, name), getattr(drawn, name)), name
    torch.testing.assert_close(drawn.depth, large.depth[:, 1::3, 1::3])  # the middle one of 3 × 3


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
def test_all_that_is_seen_fits_together(dtype: torch.dtype) -> None:
    meshes, cameras, light = scene()
    meshes, cameras = cast(meshes, dtype), cameras_in(cameras, dtype)  # type: ignore[assignment]
    drawn = render(meshes, cameras, light=light, soft=SOFT)
    assert drawn.soft_mask is not None
    assert drawn.uv is not None
    assert drawn.face is not None
    assert {getattr(drawn, name).dtype for name in MAPS[:2] + MAPS[3:7]} == {dtype}
    mask, tolerance = drawn.mask, 1e-10 if dtype == DOUBLE else 1e-4
    assert torch.equal(mask, drawn.face >= 0)
    assert torch.equal(mask, torch.isfinite(drawn.depth))
    assert bool((drawn.soft_mask[mask] == 1).all())
    assert bool((drawn.soft_mask[~mask] < 1).all())
    assert bool((drawn.picture[~mask] == torch.tensor(BACKGROUND).to(dtype)).all())
    for name in ("normals", "points", "uv"):
        assert bool((getattr(drawn, name)[~mask] == 0).all())
    torch.testing.assert_close(drawn.normals[mask].norm(dim=1), torch.ones_like(drawn.depth[mask]))
    local = cameras.to_camera(drawn.points.reshape(2, -1, 3)).reshape(2, HEIGHT, WIDTH, 3)
    torch.testing.assert_close(-local[..., 2][mask], drawn.depth[mask], atol=tolerance, rtol=tolerance)
    v, u = torch.meshgrid(torch.arange(HEIGHT) + 0.5, torch.arange(WIDTH) + 0.5, indexing="ij")
    seen = cameras.project(drawn.points.reshape(2, -1, 3)).reshape(2, HEIGHT, WIDTH, 2)
    centres = torch.stack([u, v], -1).expand(2, -1, -1, -1)[mask].to(dtype)
    torch.testing.assert_close(seen[mask], centres, atol=10 * tolerance, rtol=0)
    # Where a point is between its face's corners, its coordinates and its normal are, too.
    assert meshes.uv is not None
    for k, row, column in mask.nonzero().tolist():
        corners = meshes.faces[drawn.face[k, row, column]]
        solved = torch.linalg.lstsq(
            torch.cat([meshes.vertices[k][corners].T, torch.ones(1, 3, dtype=dtype)]).double(),
            torch.cat([drawn.points[k, row, column], torch.ones(1, dtype=dtype)]).double()[:, None],
        ).solution[:, 0]
        uv, normal = solved @ meshes.uv[corners + 1].double(), solved @ meshes.vertex_normals[k][corners].double()
        torch.testing.assert_close(drawn.uv[k, row, column].double(), uv, atol=10 * tolerance, rtol=0)
        torch.testing.assert_close(drawn.normals[k, row, column].double(), normal / normal.norm(), atol=1e-3, rtol=0)


def test_a_background_may_be_a_colour_a_picture_or_many() -> None:
    meshes, cameras, light = scene()
    mask = render(meshes, cameras).mask
    for shape in ((3,), (HEIGHT, WIDTH, 3), (1, HEIGHT, WIDTH, 3), (2, HEIGHT, WIDTH, 3)):
        behind = noise(*shape, seed=4).requires_grad_()
        drawn = render(meshes, cameras, light=light, background=behind).picture
        whole = behind.detach().expand(2, HEIGHT, WIDTH, 3)
        assert torch.equal(drawn[~mask], whole[~mask])
        (slope,) = torch.autograd.grad(drawn.sum(), behind)
        assert float(slope.sum()) == 3 * int((~mask).sum())
    for shape in ((4,), (1,), (WIDTH, HEIGHT, 3), (3, HEIGHT, WIDTH, 3), (HEIGHT, WIDTH)):
        with pytest.raises(ShapeError, match=r"background should have shape \(3,\), \(7, 9, 3\) or \(2, 7, 9, 3\)"):
            render(meshes, cameras, background=noise(*shape))


def test_drawing_again_gives_the_same_and_changes_nothing() -> None:
    meshes, cameras, light = scene()
    names, values = inputs_of(meshes, cameras, light)
    made, kept = [], [value.detach().clone() for value in values]
    for _ in range(2):
        scene_ = rebuilt(meshes, cameras, light, names, tuple(values))
        drawn = render(scene_[0], scene_[1], light=scene_[2], soft=SOFT)
        assert drawn.soft_mask is not None
        loss = (drawn.picture**2).sum() + drawn.soft_mask.sum() + drawn.normals.sum() + drawn.fragments.depths.sum()
        made.append((drawn.picture, drawn.soft_mask, *torch.autograd.grad(loss, values)))
    assert all(map(torch.equal, *made))
    assert all(map(torch.equal, values, kept))


@pytest.mark.parametrize("lit", [False, True])
def test_without_gradients_there_is_no_graph_even_later(lit: bool) -> None:
    meshes, cameras, light = scene()
    names, values = inputs_of(meshes, cameras, light)
    moved = rebuilt(meshes, cameras, light, names, tuple(values))
    with torch.no_grad():
        drawn = render(moved[0], moved[1], light=moved[2] if lit else None, soft=SOFT, record=lit)
    things = (drawn, drawn.surface, drawn.fragments, drawn.record)
    for thing in things:  # without light some are made only now
        for name in ("picture", "soft_mask", "depth", "normals", "points", "uv", "colors", "weights", "irradiance"):
            assert not getattr(getattr(thing, name, None), "requires_grad", False), (type(thing), name)
    own = one_by_one(light, 0) if lit else None
    same(drawn, 0, render(one_by_one(meshes, 0), one_by_one(cameras, 0), light=own, soft=SOFT))
