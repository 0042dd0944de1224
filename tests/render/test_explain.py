"""What a record says of a picture, held against the picture; and gradient images against automatic differentiation."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from headviz.errors import OptionError
from headviz.geometry import Mesh, MeshBatch, icosphere
from headviz.geometry.camera import Cameras, look_at_head
from headviz.heads.model import load_head
from headviz.render import RenderSettings, SoftMask, gradient_image, headlight, render

CAMERA = look_at_head(yaw=0.3, size=64, focal=2.6)
BALL = icosphere(2, radius=0.1)
LIT = replace(headlight(), gloss=0.4)


def textured() -> Mesh:
    generator = torch.Generator().manual_seed(0)
    return replace(BALL, texture=torch.rand(16, 24, 3, generator=generator))


def test_a_record_changes_nothing() -> None:
    plain = render(textured(), CAMERA, light=LIT, soft=SoftMask())
    kept = render(textured(), CAMERA, light=LIT, soft=SoftMask(), record=True)
    assert plain.record is None
    assert torch.equal(plain.picture, kept.picture)
    assert plain.soft_mask is not None
    assert kept.soft_mask is not None
    assert torch.equal(plain.soft_mask, kept.soft_mask)


def test_the_stages_make_the_picture() -> None:
    drawn = render(textured(), CAMERA, light=LIT, record=True)
    record = drawn.record
    assert record is not None
    made = record.colors * record.irradiance + record.highlights
    torch.testing.assert_close(made[drawn.mask], drawn.picture[drawn.mask])
    assert float(record.highlights.max()) > 0.05
    dark = render(textured(), CAMERA, record=True).record
    assert dark is not None
    assert bool((dark.irradiance[drawn.mask] == 1).all())
    assert not bool(dark.highlights.any())


def test_coverage_counts_pixels_and_layers_count_faces() -> None:
    drawn = render(BALL, CAMERA, record=True)
    record = drawn.record
    assert record is not None
    assert torch.equal(record.coverage, torch.bincount(drawn.face[drawn.mask], minlength=len(BALL.faces)))
    assert torch.equal(record.layers > 0, drawn.mask)
    assert bool((record.layers[drawn.mask] == 2).all())  # a ray goes into a ball and out of it
    torch.testing.assert_close(record.corners, CAMERA.project(BALL.vertices), atol=1e-3, rtol=0)
    torch.testing.assert_close(record.distances, -CAMERA.to_camera(BALL.vertices)[:, 2])


@pytest.mark.parametrize("place", ["left", "top", "far"])
def test_contributions_make_the_soft_mask(place: str) -> None:
    drawn = render(BALL, CAMERA, soft=SoftMask(), record=True)
    record, soft = drawn.record, drawn.soft_mask
    assert record is not None
    assert soft is not None
    between = ((soft > 0.05) & (soft < 0.95)).nonzero()
    row, column = {"left": between[:, 1].argmin(), "top": between[:, 0].argmin(), "far": -1}[place], 0
    row, column = (0, 0) if place == "far" else between[row].tolist()
    found = record.contributions(row, column)
    assert float(1 - (1 - found.probability).prod()) == pytest.approx(float(soft[row, column]), abs=1e-6)
    assert bool((found.probability.diff() <= 0).all())
    torch.testing.assert_close(
        found.probability, torch.exp(-found.distance.square() / SoftMask().square(64, 64)), atol=1e-6, rtol=1e-5
    )
    assert (len(found.face) == 0) == (place == "far")
    covered = drawn.mask.nonzero()[0].tolist()
    assert len(record.contributions(*covered).face) == 0


def test_pairs_are_in_the_order_of_pixels_in_every_picture() -> None:
    cameras = Cameras.orbit(torch.tensor([0.0, 0.8]), size=48)
    drawn = render(MeshBatch.of(BALL), cameras, soft=SoftMask(), record=True)
    record, soft = drawn.record, drawn.soft_mask
    assert record is not None
    assert soft is not None
    assert record.coverage.shape == (2, len(BALL.faces))
    for picture in range(2):
        row, column = ((soft[picture] > 0.3) & (soft[picture] < 0.7)).nonzero()[3].tolist()
        found = record.contributions(row, column, picture)
        assert float(1 - (1 - found.probability).prod()) == pytest.approx(float(soft[picture, row, column]), abs=1e-6)
    with pytest.raises(OptionError, match=r"a pixel should be in 2 × 48 × 48; it is \(2, 0, 0\)"):
        record.contributions(0, 0, 2)
    with pytest.raises(OptionError, match=r"it is \(0, 48, 0\)"):
        record.contributions(48, 0)


def test_a_record_without_a_soft_mask_has_no_pairs() -> None:
    record = render(BALL, CAMERA, record=True).record
    assert record is not None
    assert record.softness is None
    assert len(record.contributions(0, 0).face) == 0
    assert len(record.pair_first) == 64 * 64 + 1


@pytest.mark.parametrize("made", ["skin", "texture", "colors", "normals"])
def test_a_gradient_image_is_what_the_backward_pass_gives(made: str) -> None:
    mesh = {
        "skin": BALL,
        "texture": textured(),
        "colors": replace(BALL, uv=None, uv_faces=None, colors=BALL.vertices * 4 + 0.5),
        "normals": replace(textured(), normals=BALL.vertices / 0.1),
    }[made]
    soft = SoftMask()
    double = MeshBatch.of(mesh)
    double = replace(
        double, **{name: getattr(double, name).double() for name in ("vertices", "uv", "texture", "colors", "normals")
                   if getattr(double, name) is not None},
    )  # fmt: skip
    leaf = double.vertices.clone().requires_grad_()
    cameras = Cameras.of(CAMERA)
    cameras = Cameras(
        cameras.rotation.double(), cameras.translation.double(), cameras.focal.double(), cameras.center.double(), 64, 64
    )
    settings = RenderSettings(backend="embree")
    drawn = render(replace(double, vertices=leaf), cameras, light=LIT, soft=soft, settings=settings)
    assert drawn.soft_mask is not None
    slopes = [
        torch.autograd.grad(values.sum(), leaf, retain_graph=True)[0] for values in (drawn.picture, drawn.soft_mask)
    ]
    vertex = int(torch.minimum(*(slope[0].norm(dim=1) / slope.norm() for slope in slopes)).argmax())  # changes both
    found = gradient_image(mesh, CAMERA, vertex, light=LIT, soft=soft)
    strongest = found.picture.abs().amax((2, 3)).flatten().topk(3).indices.tolist()
    for pixel in strongest:
        row, column = divmod(pixel, 64)
        for color in range(3):
            (wanted,) = torch.autograd.grad(drawn.picture[0, row, column, color], leaf, retain_graph=True)
            assert float(wanted[0, vertex].abs().max()) > 0
            torch.testing.assert_close(
                found.picture[row, column, color].double(), wanted[0, vertex], rtol=1e-3, atol=1e-3
            )
    assert float(found.soft_mask.abs().max()) > 0
    for pixel in found.soft_mask.abs().amax(2).flatten().topk(3).indices.tolist():
        row, column = divmod(pixel, 64)
        (wanted,) = torch.autograd.grad(drawn.soft_mask[0, row, column], leaf, retain_graph=True)
        torch.testing.assert_close(found.soft_mask[row, column].double(), wanted[0, vertex], rtol=1e-3, atol=1e-3)


def test_a_vertex_out_of_sight_changes_nothing() -> None:
    back = int(BALL.vertices[:, 2].argmin())
    found = gradient_image(BALL, look_at_head(size=48), back, light=headlight(), soft=SoftMask())
    assert not bool(found.picture.any())
    assert not bool(found.soft_mask.any())
    with pytest.raises(OptionError, match="vertex should be in 0 to 161; it is 162"):
        gradient_image(BALL, CAMERA, 162)


def test_the_head_is_explained() -> None:
    head = load_head()
    camera = look_at_head(target=tuple(head.mean.mean(0).tolist()), focal=2.6, size=96)
    drawn = render(head.mesh(morphs=False), camera, light=headlight(), soft=SoftMask(), record=True)
    assert drawn.record is not None
    assert int(drawn.record.coverage.sum()) == int(drawn.mask.sum())
    assert int(drawn.record.layers.max()) >= 4


def test_a_mesh_out_of_sight_is_explained_as_well() -> None:
    drawn = render(replace(BALL, vertices=BALL.vertices + 50), CAMERA, light=LIT, soft=SoftMask(), record=True)
    assert drawn.record is not None
    assert not bool(drawn.record.layers.any())
    assert len(drawn.record.pair_face) == 0
