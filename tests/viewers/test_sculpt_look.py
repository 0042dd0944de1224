"""How the sculpting page looks: texture, colours, lengths, where handles sit, versions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from headviz import viewers
from headviz.geometry.mesh import Mesh
from headviz.geometry.seams import copy_at_seams
from headviz.sculpt import Brush, Keypoint, SculptSession, SetKeypoints, Stroke
from headviz.viewers import view_sculpt
from headviz.viewers.sculpt_record import vertex_colors
from headviz.viewers.sculpt_words import length

from .node import run_module

READY = "window.viewersReady === true"
PULL = Stroke(Brush("grab", 0.05), ((0.03, 0.0, 0.1),), (0.01, 0.0, 0.02))


def checkered(head: Mesh) -> Mesh:
    """The small head with a texture of four colours, and seams: each face has one of the four, its corners in the middle."""
    quarters = torch.tensor([[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]])
    colors = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    texture = torch.zeros(16, 16, 3)
    for (u, v), color in zip(quarters.tolist(), colors, strict=True):
        row, column = round(16 * (1 - v)), round(16 * u)
        texture[row - 4 : row + 4, column - 4 : column + 4] = color
    center = head.vertices[head.faces].mean(1)
    which = (center[:, 0] > 0).long() + 2 * (center[:, 1] > 0).long()
    return replace(head, uv=quarters, uv_faces=which[:, None].expand(-1, 3).contiguous(), texture=texture)


def test_vertices_are_copied_for_drawing_where_the_texture_has_seams(small_head: Mesh) -> None:
    mesh = checkered(small_head)
    code = """
    import { copiesOf, copy } from "./sculpt/copies.js";
    const answer = ({ faces, uv, uvFaces, vertices }) => {
      const count = vertices.length / 3;
      const found = copiesOf(faces, count, { uv, uvFaces });
      const drawn = new Float32Array(vertices.length + 3 * found.copied.length);
      drawn.set(vertices);
      copy(drawn, vertices.length, found.copied);
      return { ...found, drawn };
    };
    """
    assert mesh.uv is not None
    assert mesh.uv_faces is not None
    data = {
        "faces": mesh.faces.flatten().tolist(),
        "uv": mesh.uv.flatten().tolist(),
        "uvFaces": mesh.uv_faces.flatten().tolist(),
        "vertices": mesh.vertices.flatten().tolist(),
    }
    found = run_module(code, data)
    split, _ = copy_at_seams(mesh)
    corners = torch.tensor(found["corners"]).reshape(-1, 3)
    drawn, uv = torch.tensor(found["drawn"]).reshape(-1, 3), torch.tensor(found["uv"]).reshape(-1, 2)
    assert len(drawn) == len(split.vertices) > len(mesh.vertices)
    torch.testing.assert_close(drawn[corners], mesh.vertices[mesh.faces])
    torch.testing.assert_close(
        uv[corners] * torch.tensor([1.0, -1.0]) + torch.tensor([0.0, 1.0]), mesh.uv[mesh.uv_faces]
    )


def test_handles_sit_where_the_session_says(small_head: Mesh) -> None:
    session = SculptSession(small_head)
    sites = [(0.031, 0.02, 0.09), (0.0, -0.05, 0.11), (0.05, 0.031, -0.08)]
    session.apply(SetKeypoints(tuple(Keypoint(site, (0.01, 0.0, 0.01), alpha=900.0) for site in sites)))
    session.apply(PULL)
    code = """
    import { Surface } from "./algorithms/rings.js";
    import { blend, siteOf } from "./sculpt/site.js";
    const answer = ({ base, faces, positions, sites }) => {
      const surface = new Surface(Float32Array.from(base.flat()), faces.flat());
      return sites.map((site) => {
        const { corners, weights, off } = siteOf(surface, site);
        return blend(positions.flat(), corners, weights).map((value, axis) => value + off[axis]);
      });
    };
    """
    base, faces = session.surface.rest.tolist(), session.surface.faces.tolist()
    found = run_module(code, {"base": base, "faces": faces, "positions": session.positions.tolist(), "sites": sites})
    np.testing.assert_allclose(found, session.keypoint_positions(), atol=1e-6)


def test_lengths_are_said_as_people_say_them() -> None:
    code = """
    import { length } from "./sculpt/words.js";
    const answer = (lengths) => lengths.map(length);
    """
    said = {
        0.0: "0 mm",
        0.02: "20 mm",
        0.0189: "18.9 mm",
        0.0999: "99.9 mm",
        0.1: "0.1 m",
        0.254: "0.254 m",
        4e-6: "4 µm",
    }
    assert [length(metres) for metres in said] == list(said.values())
    assert run_module(code, list(said)) == list(said.values())


def test_colors_of_the_head_itself_are_chosen_where_there_are_some(small_head: Mesh, tmp_path: Path) -> None:
    plain = replace(small_head, uv=None, texture=None)
    painted = replace(plain, colors=torch.rand(len(plain.vertices), 3))
    textured = checkered(small_head)
    assert [view_sculpt(mesh).state.surface for mesh in (plain, painted, textured)] == ["skin", "texture", "texture"]  # type: ignore[attr-defined]
    colors = vertex_colors(textured)
    assert colors is not None
    right_and_high = (small_head.vertices[:, 0] < -0.02) & (small_head.vertices[:, 1] > 0.02)
    np.testing.assert_allclose(colors[right_and_high.numpy()], [[0, 0, 1]] * int(right_and_high.sum()), atol=1e-6)
    view_sculpt(textured).save(tmp_path / "a.npz")
    opened = viewers.open_record(tmp_path / "a.npz")
    assert opened.session.base.texture is not None  # type: ignore[attr-defined]
    torch.testing.assert_close(opened.session.base.texture, textured.texture, atol=1e-3, rtol=0)  # type: ignore[attr-defined]
    assert opened.to_png(tmp_path / "a.png").stat().st_size > 5_000


def opened(visit: Callable[..., Any], folder: Path, session: SculptSession | Mesh) -> Any:
    watch = visit(view_sculpt(session, title="Sculpt").to_html(folder / "a.html").as_uri(), 1200, 900)
    watch.until(READY)
    watch.until("!viewers[0].cameras[0].moving")
    return watch


@pytest.mark.browser
@pytest.mark.parametrize("painted", [False, True])
def test_the_page_draws_the_heads_own_colors_and_they_follow(
    visit: Callable[..., Any], tmp_path: Path, small_head: Mesh, painted: bool
) -> None:
    mesh = checkered(small_head)
    if painted:
        shown = torch.from_numpy(np.array(vertex_colors(mesh)))
        mesh = replace(mesh, uv=None, uv_faces=None, texture=None, colors=shown)
    watch = opened(visit, tmp_path, mesh)

    def quarters() -> list[str]:
        picture = watch.pixels("viewers[0].panels[0]")
        height, width, _ = picture.shape
        names = {"r": "red", "g": "green", "b": "blue", "rg": "yellow"}
        found = []
        for x, y in ((-0.08, -0.14), (0.08, -0.14), (-0.08, 0.14), (0.08, 0.14)):
            color = picture[round(height * (0.5 + y)), round(width * (0.5 + x))]
            found.append(names.get("".join("rgb"[k] for k in range(3) if color[k] > 0.5 * color.max()), str(color)))
        return found

    assert quarters() == ["blue", "yellow", "red", "green"]
    watch.page.evaluate("step => viewers[0].panels[0].desk.apply(step)", PULL.plain())
    assert quarters() == ["blue", "yellow", "red", "green"]
    watch.photograph(f"sculpt-{'painted' if painted else 'textured'}")
    watch.page.evaluate("viewers[0].set({ surface: 'skin' }), viewers[0].flush()")
    assert "red" not in quarters()
    watch.page.evaluate("viewers[0].set({ surface: 'texture' }), viewers[0].flush()")
    assert quarters() == ["blue", "yellow", "red", "green"]


@pytest.mark.browser
def test_versions_and_twins_on_the_page(visit: Callable[..., Any], tmp_path: Path, small_head: Mesh) -> None:
    session = SculptSession(small_head)
    session.apply(PULL)
    session.keep_version("pulled")
    session.apply(SetKeypoints((Keypoint((0.0, 0.0, 0.13), (0.0, 0.0, 0.01)),)))
    watch = opened(visit, tmp_path, session)
    history = "viewers[0].panels[0].desk.session.history"
    for name in ("History", "Keypoints"):
        watch.page.locator("summary", has_text=name).click()
    watch.page.locator("label", has_text="Mirror twin").click()
    assert watch.page.evaluate(f"{history}.settings.keypoints[0].symmetric") is False
    watch.page.get_by_label("Name of a version").fill(" one-sided ")
    watch.page.keyboard.press("Enter")
    assert watch.page.evaluate(f"{history}.versions") == {"pulled": 1, "one-sided": 3}
    watch.page.get_by_role("button", name="pulled").click()
    assert watch.page.evaluate(f"{history}.current") == 1
    watch.page.get_by_role("button", name="one-sided").click()
    assert watch.page.evaluate(f"{history}.current") == 3
