"""The pure functions that build the head, on synthetic data. None of them needs anny."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from headviz.errors import MissingExtraError
from headviz.geometry.camera import look_at_head
from headviz.heads import HeadModel
from headviz.heads.anny_source import RandomHeads, _draw_sliders, load_source, to_canonical
from headviz.heads.build import (
    cast_back,
    center_heads,
    embed,
    name_sliders,
    plain_name,
    principal_components,
    variance_kept,
    with_regions,
)
from headviz.render.raster import rasterize

FLIP = torch.tensor([-1.0, 1.0, 1.0])
MIRROR = torch.tensor([1, 0, 3, 2, 4, 5])  # two pairs and two vertices on the plane


def random_heads(count: int, seed: int = 0) -> Tensor:
    return torch.randn(count, 6, 3, generator=torch.Generator().manual_seed(seed))


def test_components_are_numpys_svd_of_the_heads_and_their_mirror_images() -> None:
    heads = random_heads(50) * torch.linspace(0.2, 2, 6)[:, None]
    mean, components, scale = principal_components(heads, MIRROR, 10)
    both = torch.cat([heads, heads[:, MIRROR] * FLIP]).flatten(1).double().numpy()
    centre = both.mean(0)
    _, singular, vectors = np.linalg.svd(both - centre, full_matrices=False)
    np.testing.assert_allclose(mean.flatten(), centre, atol=1e-6)
    np.testing.assert_allclose(scale, singular[:10] / np.sqrt(len(both)), rtol=1e-5)
    rows = components.flatten(1).double().numpy()
    np.testing.assert_allclose(rows @ rows.T, np.eye(10), atol=1e-5)
    np.testing.assert_allclose(rows.T @ rows, vectors[:10].T @ vectors[:10], atol=1e-5)  # the same subspace
    np.testing.assert_allclose(np.abs((rows * vectors[:10]).sum(1)), 1, atol=1e-5)  # and the same axes


def test_components_are_symmetric_or_antisymmetric() -> None:
    _, components, _ = principal_components(random_heads(50), MIRROR, 12)
    cosine = (components[:, MIRROR] * FLIP * components).sum((1, 2))
    torch.testing.assert_close(cosine.abs(), torch.ones(12), atol=1e-5, rtol=0)


def test_variance_kept_is_one_minus_the_residual() -> None:
    heads = random_heads(30)
    mean = heads.mean(0)
    q = torch.linalg.qr(torch.randn(18, 18, generator=torch.Generator().manual_seed(1))).Q
    for count in (1, 5, 18):
        rows = (heads - mean).flatten(1).double().numpy()
        basis = q[:, :count].T.double().numpy()
        expected = np.square(rows @ basis.T).sum() / np.square(rows).sum()  # Pythagoras
        assert variance_kept(heads, mean, q[:, :count].T.unflatten(1, (6, 3))) == pytest.approx(expected, abs=1e-5)
    assert variance_kept(heads, mean, q.T.unflatten(1, (6, 3))) == pytest.approx(1, abs=1e-5)


def test_centred_heads_keep_their_shape() -> None:
    heads = random_heads(4) + 3
    centred = center_heads(heads)
    np.testing.assert_allclose(centred.mean(1), 0, atol=1e-6)
    torch.testing.assert_close(centred - centred[:, :1], heads - heads[:, :1])


def test_sliders_are_named_by_what_correlates() -> None:
    rng = np.random.default_rng(0)
    drawn = rng.normal(size=(800, 4))
    names = ["age", "l-ear-scale-vert-incr", "r-ear-scale-vert-incr", "head-fat-incr"]
    follow = np.stack(
        [
            -0.9 * drawn[:, 0] + 0.4 * rng.normal(size=800),
            drawn[:, 1] + rng.normal(size=800),
            drawn[:, 2] + 0.5 * drawn[:, 3] + rng.normal(size=800),  # its best name is taken by then
        ],
        axis=1,
    )
    heads = RandomHeads(torch.zeros(800, 1, 3), torch.as_tensor(drawn).float(), names)
    rows = name_sliders(torch.as_tensor(follow * [3, 1, 0.1]).float() + 2, heads, limit=3)
    assert [row["name"] for row in rows] == ["age", "ear height", "head fat"]
    assert [row["component"] for row in rows] == [0, 1, 2]
    assert [row["sign"] for row in rows] == [-1.0, 1.0, 1.0]
    for row, column, source in zip(rows, (0, 1, 2), (0, 1, 3), strict=True):
        expected = abs(np.corrcoef(follow[:, column], drawn[:, source])[0, 1])
        assert row["correlation"] == pytest.approx(expected, abs=5e-3)


@pytest.mark.parametrize(
    ("label", "plain"),
    [
        ("gender", "masculine"), ("age", "age"), ("height", "body height"), ("african", "African ancestry"),
        ("l-ear-scale-vert-incr", "ear height"), ("r-ear-scale-vert-incr", "ear height"), ("nose-scale-depth-incr", "nose depth"),
        ("head-scale-horiz-incr", "head width"), ("mouth-trans-up", "mouth raised"), ("chin-bones-incr", "chin bones"),
        ("nose-trans-out", "nose shifted sideways"),
    ],
)  # fmt: skip
def test_plain_names(label: str, plain: str) -> None:
    assert plain_name(label) == plain


def test_regions_survive_storage_as_bits(toy: HeadModel) -> None:
    masks = {
        name: torch.tensor(row)
        for name, row in {"a": [True, False, True, False], "b": [True] * 4, "c": [False] * 4}.items()
    }
    stored = with_regions(toy, masks)
    assert stored.region_names == ("a", "b", "c")
    for name, mask in masks.items():
        assert torch.equal(stored.region(name), mask)


def test_points_cast_back_from_a_picture_lie_where_they_were_projected_from(head: HeadModel) -> None:
    camera = look_at_head(focal=2.6, distance=0.9, size=256)
    fragments = rasterize(head.mean, head.faces, camera)
    points = head.landmarks(head.mean)[[1, 4, 152, 61, 291, 10, 205, 425]]
    found = cast_back(head, fragments, camera.project(points), fill=False)
    # A pixel is 0.9 m / (2.6 · 256) = 1.4 mm wide; on the slope of a cheek that is a few millimetres.
    assert float((found - points).norm(dim=1).max()) < 0.004


def test_points_beside_the_head_are_missing_or_filled_from_nearby(head: HeadModel) -> None:
    camera = look_at_head(focal=2.6, distance=0.9, size=128)
    fragments = rasterize(head.mean, head.faces, camera)
    corner = torch.tensor([[0.5, 0.5], [64.0, 64.0]])
    missing = cast_back(head, fragments, corner, fill=False)
    assert bool(missing[0].isnan().all())
    assert bool(missing[1].isfinite().all())
    filled = cast_back(head, fragments, corner, fill=True)
    assert torch.equal(filled[1], missing[1])
    covered = fragments.mask.nonzero().float()
    nearest = covered[(covered.square().sum(1)).argmin()].long()
    torch.testing.assert_close(
        filled[0], fragments.interpolate(head.mean, head.faces)[int(nearest[0]), int(nearest[1])]
    )


def test_embedding_keeps_symmetric_points_on_the_surface(head: HeadModel) -> None:
    points = head.landmarks(head.mean)
    again = embed(replace(head, landmark_mirror=torch.arange(478)), points)
    assert float((again.landmarks(head.mean) - points).norm(dim=1).max()) < 3e-4
    assert torch.equal(again.landmark_mirror, head.landmark_mirror)


def test_irises_lie_on_the_eyeballs_and_all_else_on_the_skin(head: HeadModel) -> None:
    eyeballs = head.region("left_eyeball") | head.region("right_eyeball")
    corners = head.faces[head.landmark_faces]
    assert bool(eyeballs[corners[468:]].all())
    assert bool(head.region("skin")[corners[:468]].all())


def test_annys_frame_becomes_ours() -> None:
    # z up, face to −y → y up, face to +z; +x stays.
    axes = torch.tensor([[1.0, 0, 0], [0, -1.0, 0], [0, 0, 1.0]])
    torch.testing.assert_close(to_canonical(axes), torch.tensor([[1.0, 0, 0], [0, 0, 1.0], [0, 1.0, 0]]))
    assert float(torch.det(to_canonical(torch.eye(3)))) == pytest.approx(1.0)  # a turn, not a reflection


def test_sliders_of_two_sides_go_together_and_are_narrow_for_babies() -> None:
    labels = ["l-ear-scale-incr", "r-ear-scale-incr", "nose-hump-incr"]
    rng = np.random.default_rng(0)
    adults = _draw_sliders(rng, labels, np.full(4000, 40.0))
    babies = _draw_sliders(rng, labels, np.zeros(4000))
    # 95 % shared variance is a correlation of √0.95.
    assert np.corrcoef(adults[labels[0]], adults[labels[1]])[0, 1] == pytest.approx(0.95**0.5, abs=0.01)
    assert abs(np.corrcoef(adults[labels[0]], adults[labels[2]])[0, 1]) < 0.08
    for label in labels:
        assert babies[label].std() == pytest.approx(0.3 * adults[label].std(), rel=0.1)
        assert np.abs(adults[label]).max() <= 1


def test_without_anny_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "anny", None)
    with pytest.raises(MissingExtraError, match=r"anny is not installed.*headviz\[train\]"):
        load_source()
