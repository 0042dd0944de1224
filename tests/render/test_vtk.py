"""The same camera in VTK: a mesh that was rendered, exported and read again is seen where we see it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import pyvista
import torch
import trimesh

from headviz.geometry.camera import Camera, look_at_head
from headviz.geometry.color import to_uint8
from headviz.geometry.files import write_glb, write_obj
from headviz.heads.model import load_head
from headviz.interop import to_pyvista
from headviz.render import render

WIDTH, HEIGHT = 160, 120


def cameras() -> list[Camera]:
    """From the front, from one side and above, and with a principal point beside the middle."""
    middle = tuple(load_head().mean.mean(0).tolist())
    found = []
    for yaw, pitch, center in ((0.0, 0.0, (80.0, 60.0)), (0.8, 0.35, (80.0, 60.0)), (-0.5, -0.2, (66.0, 71.0))):
        made = look_at_head(yaw=yaw, pitch=pitch, target=middle, focal=2.4, size=HEIGHT)
        found.append(replace(made, center=torch.tensor(center), width=WIDTH))
    return found


def vtk_picture(surface: pyvista.PolyData, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Which pixels VTK covers, and its depths, metres: no code of ours but for the numbers of the camera."""
    plotter = pyvista.Plotter(off_screen=True, window_size=(camera.width, camera.height), lighting="none")
    plotter.add_mesh(surface, color="white", lighting=False)
    plotter.disable_anti_aliasing()
    view = plotter.camera
    position = camera.position.tolist()
    forward, up = -camera.rotation[2], camera.rotation[1]
    view.position = position
    view.focal_point = (camera.position + forward).tolist()
    view.up = up.tolist()
    view.view_angle = math.degrees(2 * math.atan(camera.height / 2 / camera.focal))
    cx, cy = camera.center.tolist()
    view.SetWindowCenter(1 - 2 * cx / camera.width, 2 * cy / camera.height - 1)
    view.clipping_range = (0.1, 3.0)
    plotter.show(auto_close=False)
    depth = -plotter.get_image_depth(fill_value=np.nan)
    plotter.close()
    return ~np.isnan(depth), depth


@pytest.mark.parametrize("k", range(3))
def test_vtk_sees_the_same(k: int) -> None:
    camera, head = cameras()[k], load_head().mesh(morphs=False)
    drawn = render(head, camera)
    mask, depth = vtk_picture(to_pyvista(replace(head, uv=None, uv_faces=None)), camera)
    ours = drawn.mask.numpy()
    apart = mask != ours
    assert ours.sum() > 2000
    assert apart.sum() <= 0.01 * ours.sum()  # along the outline
    rows, columns = np.nonzero(apart)
    near = torch.nn.functional.max_pool2d(drawn.mask[None].float(), 3, 1, 1)[0] - (
        1 - torch.nn.functional.max_pool2d(1 - drawn.mask[None].float(), 3, 1, 1)[0]
    )
    assert bool((near[rows, columns] > 0).all())
    both = mask & ours
    off = np.abs(depth[both] - drawn.depth.numpy()[both])
    assert np.quantile(off, 0.98) < 2e-4
    # One pixel to the side would not do.
    shifted = np.roll(mask, 1, axis=1)
    assert (shifted != ours).sum() > 2 * apart.sum() + 50


@pytest.mark.parametrize("kind", ["obj", "glb"])
def test_an_exported_mesh_is_seen_where_it_was(kind: str, tmp_path: Path) -> None:
    camera, head = cameras()[1], load_head().mesh(morphs=False)
    path = tmp_path / f"head.{kind}"
    (write_obj if kind == "obj" else write_glb)(path, head)
    read = trimesh.load(path, force="mesh", process=False)
    mask, _ = vtk_picture(pyvista.wrap(read), camera)
    ours = render(head, camera).mask.numpy()
    assert (mask != ours).sum() <= 0.01 * ours.sum()


def test_textures_are_seen_where_vtk_sees_them() -> None:
    """Colours of vertices, flat: VTK interpolates them in 8 bits."""
    camera, head = cameras()[2], load_head().mesh(morphs=False)
    low, high = head.vertices.amin(0), head.vertices.amax(0)
    colors = (head.vertices - low) / (high - low)
    drawn = render(replace(head, uv=None, uv_faces=None, colors=colors), camera)
    surface = to_pyvista(replace(head, uv=None, uv_faces=None))
    surface.point_data["linear"] = (255 * colors.numpy()).round().astype(np.uint8)
    plotter = pyvista.Plotter(off_screen=True, window_size=(WIDTH, HEIGHT), lighting="none")
    plotter.add_mesh(surface, scalars="linear", rgb=True, lighting=False)
    plotter.disable_anti_aliasing()
    view = plotter.camera
    view.position, view.up = camera.position.tolist(), camera.rotation[1].tolist()
    view.focal_point = (camera.position - camera.rotation[2]).tolist()
    view.view_angle = math.degrees(2 * math.atan(HEIGHT / 2 / camera.focal))
    cx, cy = camera.center.tolist()
    view.SetWindowCenter(1 - 2 * cx / WIDTH, 2 * cy / HEIGHT - 1)
    view.clipping_range = (0.1, 3.0)
    theirs = np.asarray(plotter.screenshot(return_img=True))[..., :3].astype(float) / 255
    plotter.close()
    mask = drawn.mask.numpy()
    off = np.abs(theirs - drawn.picture.numpy())[mask].max(-1)
    assert np.quantile(off, 0.97) < 0.02
    assert to_uint8(drawn.picture).shape == (HEIGHT, WIDTH, 3)
