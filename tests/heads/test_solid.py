"""The solid head and the texture atlas, judged by trimesh."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from headviz.geometry.mesh import Mesh
from headviz.heads import HeadModel
from headviz.render.raster import embree_rasterize_uv


def as_trimesh(mesh: Mesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(mesh.vertices.numpy(), mesh.faces.numpy(), process=False)


@pytest.fixture(scope="module")
def solid(head: HeadModel) -> trimesh.Trimesh:
    return as_trimesh(head.solid())


def test_it_is_closed_and_turned_outwards(solid: trimesh.Trimesh) -> None:
    assert solid.is_watertight
    assert solid.is_winding_consistent
    assert 0.002 < solid.volume < 0.008  # m³: 2 to 8 litres


def test_the_head_itself_is_open(head: HeadModel) -> None:
    assert not as_trimesh(head.mesh()).is_watertight


def test_skin_eyes_and_teeth_are_closed_balls(solid: trimesh.Trimesh) -> None:
    parts = sorted(solid.split(only_watertight=False), key=lambda part: part.volume)
    assert len(parts) == 4  # two eyes, teeth with tongue, skin with the inside of the mouth
    for part in parts:
        assert part.is_watertight
        assert part.euler_number == 2
        assert part.volume > 0
    # A human eyeball has about 6.5 ml; the two are alike.
    assert 4e-6 < parts[0].volume < 1e-5
    assert parts[0].volume == pytest.approx(parts[1].volume, rel=1e-4)


def test_every_sampled_head_is_closed(head: HeadModel) -> None:
    expression = torch.zeros(52)
    expression[head.expression_names.index("jawOpen")] = 1
    for identity in head.sample(8, seed=11):
        solid = as_trimesh(head.solid(head.vertices(identity, expression)))
        assert solid.is_watertight
        assert solid.is_winding_consistent
        assert 0.0005 < solid.volume < 0.01  # from the newborn to the largest adult


def test_three_vertices_are_added_and_none_moved(head: HeadModel) -> None:
    vertices = head.vertices(head.sample(1, 3)[0])
    solid = head.solid(vertices)
    assert len(solid.vertices) == len(vertices) + 3
    assert torch.equal(solid.vertices[:-3], vertices)
    assert torch.equal(solid.faces[: len(head.faces)], head.faces)
    for loop, center in zip(head.solid_loops, solid.vertices[-3:], strict=True):
        torch.testing.assert_close(center, vertices[loop].mean(0))
    assert head.metadata["solid_loops"] == ["neck", "right_eye", "left_eye"]
    assert float(solid.vertices[-3, 1]) == pytest.approx(float(vertices[head.region("neck"), 1].min()), abs=0.03)
    assert float(solid.vertices[-2, 0]) < 0 < float(solid.vertices[-1, 0])


def test_the_loops_are_the_whole_boundary(head: HeadModel) -> None:
    edges = torch.sort(head.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), dim=1).values
    unique, count = torch.unique(edges, dim=0, return_counts=True)
    rim = {tuple(edge) for edge in unique[count == 1].tolist()}
    assert int(count.max()) == 2
    pairs = [zip(loop.tolist(), loop.roll(-1).tolist(), strict=True) for loop in head.solid_loops]
    assert {tuple(sorted(pair)) for pair_list in pairs for pair in pair_list} == rim


def test_texture_coordinates_lie_in_the_unit_square(head: HeadModel) -> None:
    assert float(head.uv.min()) >= 0
    assert float(head.uv.max()) <= 1
    assert set(head.uv_faces.flatten().tolist()) == set(range(len(head.uv)))


def test_no_chart_is_flipped_or_overlaps(head: HeadModel) -> None:
    a, b, c = (head.uv[head.uv_faces[:, k]].double().numpy() for k in range(3))
    area = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2
    assert (area > 0).all()
    # Where charts overlap, the texels covered are fewer than the areas' sum. Along the charts' borders
    # centres of 1,024² texels count 0.02 % too many or too few.
    covered = float(embree_rasterize_uv(head.uv, head.uv_faces, 1024).mask.float().mean())
    assert covered == pytest.approx(area.sum(), abs=5e-4)
    assert covered > 0.7


def test_the_face_gets_the_most_texels_per_area(head: HeadModel) -> None:
    corners = head.mean[head.faces].double()
    area = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]).norm(dim=1)
    a, b, c = (head.uv[head.uv_faces[:, k]].double() for k in range(3))
    flat = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]).abs()

    def density(name: str) -> float:
        inside = head.region(name)[head.faces].all(1)
        return float(flat[inside].sum() / area[inside].sum())

    assert density("face") > 1.5 * density("scalp")
    assert density("face") > 1.2 * density("neck")


def test_a_texture_seam_belongs_to_one_vertex(head: HeadModel) -> None:
    owner = np.full(len(head.uv), -1)
    for uv_corner, corner in zip(head.uv_faces.flatten().tolist(), head.faces.flatten().tolist(), strict=True):
        assert owner[uv_corner] in (-1, corner)
        owner[uv_corner] = corner
    assert len(np.unique(owner)) == len(head.mean)
