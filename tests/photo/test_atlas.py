"""The texture atlas: texels' places in closed form on a square, and mirror twins on the head."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from headviz.geometry.mesh import Mesh
from headviz.heads import HeadModel, load_head
from headviz.photo.atlas import GUTTER, Atlas, build_atlas

SIZE = 256
FLIP = torch.tensor([-1.0, 1.0, 1.0])
REGIONS = ("skin", "face", "mouth_inside", "left_ear", "right_ear", "left_eyeball", "right_eyeball")


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return load_head()


@pytest.fixture(scope="module")
def atlas(head: HeadModel) -> Atlas:
    return build_atlas(head.mesh(morphs=False), {name: head.region(name) for name in REGIONS}, SIZE)


def square() -> Mesh:
    """x from −1 to 1 and y from 0 to 1 in the middle of the texture: u = ½ + x/4, v = ¼ + y/2."""
    vertices = torch.tensor([[-1.0, 0, 0], [0, 0, 0], [1.0, 0, 0], [-1.0, 1, 0], [0, 1.0, 0], [1.0, 1, 0]])
    return Mesh(
        vertices=vertices,
        faces=torch.tensor([[0, 1, 4], [0, 4, 3], [2, 4, 1], [2, 5, 4]]),
        uv=torch.stack([0.5 + vertices[:, 0] / 4, 0.25 + vertices[:, 1] / 2], dim=1),
        mirror=torch.tensor([2, 1, 0, 5, 4, 3]),
    )


def test_texels_of_a_square_are_where_the_formula_says() -> None:
    mesh = square()
    atlas = build_atlas(mesh, {}, 32)
    rows, columns = torch.meshgrid(torch.arange(32), torch.arange(32), indexing="ij")
    inside = (rows >= 8) & (rows < 24) & (columns >= 8) & (columns < 24)
    assert torch.equal(atlas.covered, inside)
    x, y = ((columns + 0.5) / 32 - 0.5) * 4, (1 - (rows + 0.5) / 32 - 0.25) * 2
    found = atlas.interpolate(mesh.vertices)
    torch.testing.assert_close(found[:, :2], torch.stack([x, y], -1)[inside], atol=1e-5, rtol=0)
    torch.testing.assert_close(atlas.weights.sum(1), torch.ones(256))


def test_the_twin_of_a_square_is_its_reflected_column() -> None:
    atlas = build_atlas(square(), {}, 32)
    rows, columns = atlas.covered.nonzero().unbind(1)
    assert torch.equal(atlas.covered.nonzero()[atlas.twin], torch.stack([rows, 31 - columns], dim=1))


def test_regions_are_faces_with_all_corners_in_them() -> None:
    left = torch.tensor([False, True, True, False, True, True])
    atlas = build_atlas(square(), {"left": left}, 32)
    columns = atlas.covered.nonzero()[:, 1]
    assert torch.equal(atlas.labels["left"], columns >= 16)
    assert torch.equal(atlas.regions["left"], left)


def test_a_picture_puts_values_at_their_texels() -> None:
    atlas = build_atlas(square(), {}, 32)
    values = torch.arange(256.0)[:, None]
    picture = atlas.picture(values, fill=-1.0)
    assert picture.shape == (32, 32, 1)
    assert torch.equal(picture[8:24, 8:24, 0], values.reshape(16, 16))
    assert float(picture.sum()) == float(values.sum()) - (32 * 32 - 256)


def test_the_gutter_is_a_frame_of_its_nearest_texels() -> None:
    atlas = build_atlas(square(), {}, 32)
    rows, columns = torch.meshgrid(torch.arange(32), torch.arange(32), indexing="ij")
    outside = torch.stack([8 - rows, rows - 23, 8 - columns, columns - 23]).amax(0)
    assert torch.equal(atlas.gutter, (outside > 0) & (outside <= GUTTER))
    source = atlas.covered.nonzero()[atlas.gutter_source]
    distance = (source - atlas.gutter.nonzero()).abs().amax(1)
    assert torch.equal(distance, outside[atlas.gutter])


@pytest.mark.parametrize("missing", ["uv", "mirror"])
def test_a_mesh_without_uv_or_mirror_is_refused(missing: str) -> None:
    with pytest.raises(ValueError, match="uv and a mirror map"):
        build_atlas(replace(square(), **{missing: None}), {}, 32)


def test_texels_share_their_faces_area(atlas: Atlas, head: HeadModel) -> None:
    corners = atlas.corners.numpy()
    _, face = np.unique(corners, axis=0, return_inverse=True)
    total = np.bincount(face.ravel(), weights=atlas.share.numpy())
    np.testing.assert_allclose(total, 1, rtol=1e-4)
    # So the areas of all texels sum to the head's, but for faces too small to own one of 256² texels.
    a, b, c = (head.mean[atlas.corners[:, k]] for k in range(3))
    texels = torch.linalg.cross(b - a, c - a).norm(dim=1) / 2 * atlas.share
    a, b, c = (head.mean[head.faces[:, k]] for k in range(3))
    whole = float(torch.linalg.cross(b - a, c - a).norm(dim=1).sum() / 2)
    assert 0.9 * whole < float(texels.sum()) <= whole * (1 + 1e-5)


def places(atlas: Atlas, head: HeadModel) -> Tensor:
    return atlas.interpolate(head.mean)


def test_twins_lie_across_the_mirror_plane(atlas: Atlas, head: HeadModel) -> None:
    has = atlas.twin >= 0
    assert float(has.float().mean()) > 0.99
    place = places(atlas, head)
    apart = (place[atlas.twin[has]] * FLIP - place[has]).norm(dim=1)
    skin = atlas.labels["skin"][has]
    # A texel of 256 is a millimetre or two wide; in the folds of the mouth's inside the map is coarser.
    assert float(apart[skin].max()) < 0.004
    assert float(apart[skin].mean()) < 0.0005
    assert float(apart.max()) < 0.015


def test_the_twin_of_the_twin_is_near_by(atlas: Atlas) -> None:
    has = (atlas.twin >= 0) & (atlas.twin[atlas.twin.clamp(min=0)] >= 0) & atlas.labels["skin"]
    place = atlas.covered.nonzero().float()
    apart = (place[atlas.twin[atlas.twin[has]]] - place[has]).norm(dim=1)
    assert float((apart <= 2**0.5 + 1e-3).float().mean()) > 0.999
    assert float((apart == 0).float().mean()) > 0.95


def test_twins_swap_left_and_right(atlas: Atlas) -> None:
    for left, right in (("left_ear", "right_ear"), ("left_eyeball", "right_eyeball")):
        twins = atlas.twin[atlas.labels[left]]
        assert float(atlas.labels[right][twins[twins >= 0]].float().mean()) > 0.95


def test_the_gutter_holds_colours_of_texels_close_by(atlas: Atlas) -> None:
    assert not bool((atlas.gutter & atlas.covered).any())
    source = atlas.covered.nonzero()[atlas.gutter_source]
    assert int((source - atlas.gutter.nonzero()).abs().max()) <= GUTTER


def test_an_atlas_of_another_size_holds_the_same_places(head: HeadModel, atlas: Atlas) -> None:
    small = build_atlas(head.mesh(morphs=False), {}, SIZE // 2)
    assert float(small.covered.float().mean()) == pytest.approx(float(atlas.covered.float().mean()), abs=0.01)
    # The mean of four texels of the large atlas is one of the small one, inside charts.
    fine = atlas.picture(places(atlas, head)).reshape(SIZE // 2, 2, SIZE // 2, 2, 3).mean((1, 3))
    whole = atlas.covered.reshape(SIZE // 2, 2, SIZE // 2, 2).all(3).all(1) & small.covered
    coarse = small.picture(places(small, head))
    assert float((fine - coarse)[whole].norm(dim=1).quantile(0.99)) < 0.003
