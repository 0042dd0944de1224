"""Textures projected from pictures of heads whose texture is known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from headviz.geometry.camera import Camera, look_at_head
from headviz.geometry.mesh import Mesh
from headviz.heads import HeadModel, load_head
from headviz.heads.landmarks import OUTLINES
from headviz.heads.paint import paint, paint_maps
from headviz.photo.atlas import Atlas, build_atlas
from headviz.photo.texture import TEXTURE_REGIONS, Openings, TextureResult, project_texture, spread_over_mesh
from headviz.render.shade import render

SIZE = 256
PICTURE = 640


@dataclass(frozen=True)
class Scene:
    """A head with a texture that is the same on both sides."""

    head: HeadModel
    mesh: Mesh
    atlas: Atlas
    texture: Tensor

    def at(self, yaw: float = 0.0) -> Camera:
        return look_at_head(yaw=yaw, focal=2.6, distance=0.9, size=PICTURE)

    def photograph(self, camera: Camera, texture: Tensor | None = None) -> Tensor:
        """The head without light, so that its texture's colours are the picture's."""
        return render(replace(self.mesh, texture=self.texture if texture is None else texture), camera).picture

    def project(self, camera: Camera, texture: Tensor | None = None) -> TextureResult:
        return project_texture(self.photograph(camera, texture), camera, self.mesh, self.atlas)

    def where(self, name: str) -> Tensor:
        """Texels of a region as a picture's mask."""
        return self.atlas.picture(self.atlas.labels[name].float()[:, None])[..., 0] > 0

    def painted(self, colors: Tensor) -> Tensor:
        """A texture from colours of texels."""
        texture = self.atlas.picture(colors)
        texture[self.atlas.gutter] = colors[self.atlas.gutter_source]
        return texture


def symmetric_colors(points: Tensor) -> Tensor:
    x, y, z = (points / 0.05).unbind(-1)
    return torch.stack(
        [
            0.5 + 0.2 * (2 * y).sin() * x.cos(),
            0.4 + 0.15 * (1.5 * y + 1).cos() * (2 * x).cos(),
            0.3 + 0.1 * (z + y).sin(),
        ],
        -1,
    )


@pytest.fixture(scope="module")
def scene() -> Scene:
    head = load_head()
    mesh = head.mesh(morphs=False)
    atlas = build_atlas(mesh, {name: head.region(name) for name in TEXTURE_REGIONS}, SIZE)
    scene = Scene(head, mesh, atlas, torch.zeros(0))
    return replace(scene, texture=scene.painted(symmetric_colors(atlas.interpolate(head.mean))))


@pytest.fixture(scope="module")
def results(scene: Scene) -> dict[float, TextureResult]:
    """By yaw in radians; 0.7 is 40 degrees."""
    return {yaw: scene.project(scene.at(yaw)) for yaw in (0.0, 0.3, 0.7, -0.7, 1.4)}


@pytest.mark.parametrize("yaw", [0.0, 0.3, 0.7, -0.7, 1.4])
def test_what_is_seen_gets_its_own_colour(scene: Scene, results: dict[float, TextureResult], yaw: float) -> None:
    made = results[yaw]
    sure = (made.confidence > 0.9) & scene.atlas.covered
    assert int(sure.sum()) > 5000
    error = (made.texture - scene.texture)[sure].abs().amax(1)
    # The colours change by 1 % over a texel, and two bilinear look-ups blur that to a tenth of it.
    assert float(error.mean()) < 0.002
    assert float(error.quantile(0.99)) < 0.01


def test_painted_skin_comes_back(scene: Scene) -> None:
    painted = paint(paint_maps(scene.head, SIZE), np.random.default_rng(1))
    made = scene.project(scene.at(), painted)
    sure = (made.confidence > 0.9) & scene.atlas.covered
    error = (made.texture - painted)[sure].abs().amax(1)
    # Brows and freckles as fine as a texel are blurred by two bilinear look-ups.
    assert float(error.mean()) < 0.01
    assert float(error.quantile(0.95)) < 0.03


@pytest.mark.parametrize("yaw", [0.7, -0.7])
def test_the_hidden_side_is_mirrored(scene: Scene, results: dict[float, TextureResult], yaw: float) -> None:
    made = results[yaw]
    mirrored = (made.confidence > 0.3) & (made.confidence < 0.55) & scene.atlas.covered
    assert int(mirrored.sum()) > 3000
    error = (made.texture - scene.texture)[mirrored].abs().amax(1)
    assert float(error.mean()) < 0.01
    x = scene.atlas.picture(scene.atlas.interpolate(scene.head.mean))[..., 0]
    hidden = x * np.sign(yaw) < 0
    assert float(hidden[mirrored].float().mean()) > 0.8
    sure = (made.confidence > 0.9) & scene.where("face")
    assert float((~hidden)[sure].float().mean()) > 0.6


@pytest.mark.parametrize("yaw", [0.0, 0.3, 0.7, -0.7, 1.4])
def test_the_whole_face_is_complete(scene: Scene, results: dict[float, TextureResult], yaw: float) -> None:
    face = scene.where("face")
    error = (results[yaw].texture - scene.texture)[face].abs().amax(1)
    assert float(error.mean()) < 0.01
    assert float(error.quantile(0.95)) < 0.05


@pytest.mark.parametrize("yaw", [0.0, 0.3, 0.7, -0.7, 1.4])
def test_textures_are_colours_and_confidence_is_a_share(
    scene: Scene, results: dict[float, TextureResult], yaw: float
) -> None:
    made = results[yaw]
    assert made.texture.shape == (SIZE, SIZE, 3)
    assert made.confidence.shape == (SIZE, SIZE)
    for values in (made.texture, made.confidence):
        assert bool(values.isfinite().all())
        assert float(values.min()) >= 0
        assert float(values.max()) <= 1
    assert float(made.confidence[~scene.atlas.covered].max()) == 0
    assert 0 < made.seen < 1
    assert 0 < made.seen_face < 1


def test_a_frontal_view_sees_more_of_the_face(results: dict[float, TextureResult]) -> None:
    assert results[0.0].seen_face > results[0.3].seen_face > results[0.7].seen_face > results[1.4].seen_face
    assert results[0.7].seen_face == pytest.approx(results[-0.7].seen_face, abs=0.01)
    assert results[0.0].seen_face > 0.7
    assert 0.15 < results[0.0].seen < 0.5  # of all skin, the back of the head and the neck included


def test_nothing_behind_something_else_is_trusted(scene: Scene, results: dict[float, TextureResult]) -> None:
    for name in ("scalp", "neck"):
        behind = scene.where(name) & (scene.atlas.picture(scene.atlas.interpolate(scene.head.mean))[..., 2] < -0.06)
        assert float(results[0.0].confidence[behind].max()) == 0
    assert float(results[0.0].confidence[scene.where("sockets")].mean()) < 0.1


def test_a_uniform_photograph_gives_uniform_skin(scene: Scene) -> None:
    color = torch.tensor([0.5, 0.31, 0.22])
    made = project_texture(color.expand(300, 300, 3), scene.at(0.4).scaled(300 / PICTURE), scene.mesh, scene.atlas)
    skin = made.texture[scene.where("skin")]
    torch.testing.assert_close(skin, color.expand_as(skin), atol=1e-4, rtol=0)


@pytest.mark.parametrize("brightness", [0.05, 0.5])
def test_brightness_is_kept(scene: Scene, brightness: float) -> None:
    made = scene.project(scene.at(), scene.texture * brightness)
    sure = (made.confidence > 0.9) & scene.where("skin")
    torch.testing.assert_close(made.texture[sure].mean(0), brightness * scene.texture[sure].mean(0), rtol=0.01, atol=0)


def test_a_head_cut_by_the_border_uses_what_is_there(scene: Scene, results: dict[float, TextureResult]) -> None:
    whole = scene.at()
    cut = replace(whole, width=PICTURE // 2)  # the right half of the picture is missing: the head's left side
    made = project_texture(scene.photograph(cut), cut, scene.mesh, scene.atlas)
    assert 0.4 * results[0.0].seen_face < made.seen_face < 0.6 * results[0.0].seen_face
    x = scene.atlas.picture(scene.atlas.interpolate(scene.head.mean))[..., 0]
    outside = (x > 0.001) & scene.where("face")
    assert float(made.confidence[outside].max()) <= 0.5 + 1e-6
    error = (made.texture - scene.texture)[outside].abs().amax(1)
    assert float(error.mean()) < 0.02  # mirrored from the other half


def test_a_head_out_of_the_picture_is_plain(scene: Scene) -> None:
    camera = scene.at()
    away = replace(camera, center=camera.center + 5000)
    made = project_texture(torch.rand(PICTURE, PICTURE, 3), away, scene.mesh, scene.atlas)
    assert made.seen == made.seen_face == 0
    assert float(made.confidence.max()) == 0
    skin = made.texture[scene.where("skin")]
    assert float(skin.std(0).max()) < 1e-4
    assert bool((skin[0].diff() < 0).all())  # red, green, blue: a skin's order


def test_gutters_repeat_the_chart(scene: Scene, results: dict[float, TextureResult]) -> None:
    made, atlas = results[0.0].texture, scene.atlas
    assert torch.equal(made[atlas.gutter], made[atlas.covered][atlas.gutter_source])


def test_the_background_does_not_bleed_onto_the_head(scene: Scene) -> None:
    camera = scene.at()
    blue = torch.tensor([0.0, 0.0, 1.0])
    textured = replace(scene.mesh, texture=scene.texture)
    photograph = render(textured, camera, background=blue).picture
    made = project_texture(photograph, camera, scene.mesh, scene.atlas).texture[scene.where("skin")]
    assert float((made[:, 2] > made[:, 0] + 0.2).float().mean()) < 0.001


@pytest.mark.parametrize(("size", "share"), [(0.99, 0.005), (0.97, 0.15)])
def test_a_fit_too_large_hardly_paints_the_background_on_the_head(scene: Scene, size: float, share: float) -> None:
    camera = scene.at()
    blue = torch.tensor([0.0, 0.0, 1.0])
    smaller = replace(scene.mesh, texture=scene.texture, vertices=scene.mesh.vertices * size)
    photograph = render(smaller, camera, background=blue).picture
    made = project_texture(photograph, camera, scene.mesh, scene.atlas).texture
    wrong = made[..., 2] > made[..., 0] + 0.2
    assert float(wrong[scene.where("skin")].float().mean()) < share
    assert not bool(wrong[scene.where("face")].any())


def test_what_lies_in_a_detected_eye_is_not_painted_on_the_lids(scene: Scene) -> None:
    camera = scene.at()
    points = camera.project(scene.head.landmarks(scene.head.mean))
    fitted = [points[list(OUTLINES[name])] for name in ("right_eye", "left_eye")]
    # A face whose eyes are seen 12 pixels lower than where the fit has them.
    shift = torch.tensor([0.0, 12.0])
    moved = Openings(tuple(eye + shift for eye in fitted))
    drawing = Image.new("L", (PICTURE, PICTURE))
    for polygon in moved.eyes:
        ImageDraw.Draw(drawing).polygon([tuple(point) for point in polygon.tolist()], fill=1)
    photograph = scene.photograph(camera).clone()
    photograph[torch.from_numpy(np.array(drawing)) == 1] = torch.tensor([0.0, 0.9, 0.0])

    place = scene.atlas.picture(camera.project(scene.atlas.interpolate(scene.head.mean))).long().clamp(0, PICTURE - 1)
    hit = torch.from_numpy(np.array(drawing))[place[..., 1], place[..., 0]] == 1
    lids = hit & scene.where("face")

    def error(openings: Openings | None) -> Tensor:
        return (
            (project_texture(photograph, camera, scene.mesh, scene.atlas, openings).texture - scene.texture)
            .abs()
            .amax(-1)
        )

    # The lids below the fitted eyes show the eyes' green only where nothing says that there are eyes.
    assert float(error(None)[lids].mean()) > 0.4
    assert float(error(moved)[lids].mean()) < 0.1
    assert int(lids.sum()) > 100


def test_hair_over_the_ears_is_not_taken_for_skin(scene: Scene) -> None:
    ears = scene.where("left_ear") | scene.where("right_ear")
    covered = scene.texture.clone()
    covered[ears] = torch.tensor([0.02, 0.05, 0.3])
    made = scene.project(scene.at(0.5), covered).texture[ears]
    assert float((made[:, 2] > made[:, 0]).float().mean()) < 0.05


def everything(scene: Scene) -> tuple[int, int]:
    return int(scene.atlas.covered.sum()), len(scene.head.mean)


def test_a_constant_spreads_as_itself(scene: Scene) -> None:
    texels, vertices = everything(scene)
    color = torch.tensor([0.3, 0.5, 0.7])
    weight = torch.rand(texels, generator=torch.Generator().manual_seed(0)).round()
    spread = spread_over_mesh(scene.atlas, scene.mesh, color.expand(texels, 3), weight, color.expand(vertices, 3))
    torch.testing.assert_close(spread, color.expand(vertices, 3), atol=1e-5, rtol=0)


def test_spreading_stays_between_the_known_colours(scene: Scene) -> None:
    texels, vertices = everything(scene)
    x = scene.atlas.interpolate(scene.head.mean)[:, 0]
    colors = torch.where(x[:, None] > 0, torch.tensor([0.8, 0.2, 0.5]), torch.tensor([0.4, 0.6, 0.5]))
    weight = ((x.abs() > 0.05) & scene.atlas.labels["skin"]).float()
    spread = spread_over_mesh(
        scene.atlas, scene.mesh, colors, weight, torch.tensor([0.6, 0.4, 0.5]).expand(vertices, 3)
    )
    # A discrete harmonic function takes its extremes where it is known (the maximum principle).
    assert bool((spread >= torch.tensor([0.4, 0.2, 0.5]) - 1e-4).all())
    assert bool((spread <= torch.tensor([0.8, 0.6, 0.5]) + 1e-4).all())
    near = scene.head.region("skin") & (scene.head.mean[:, 0].abs() > 0.065)
    right = near & (scene.head.mean[:, 0] < 0)
    assert float((spread[right] - torch.tensor([0.4, 0.6, 0.5])).abs().mean()) < 0.02
    assert float((spread[near & ~right] - torch.tensor([0.8, 0.2, 0.5])).abs().mean()) < 0.02


def test_what_is_unknown_takes_its_tone(scene: Scene) -> None:
    texels, vertices = everything(scene)
    tones = torch.tensor([0.2, 0.3, 0.4]).expand(vertices, 3)
    spread = spread_over_mesh(scene.atlas, scene.mesh, torch.ones(texels, 3), torch.zeros(texels), tones)
    torch.testing.assert_close(spread, tones, atol=1e-5, rtol=0)


def test_projecting_twice_gives_the_same_and_changes_nothing(scene: Scene) -> None:
    camera = scene.at(0.2)
    photograph = scene.photograph(camera)
    kept = photograph.clone()
    first, again = (project_texture(photograph, camera, scene.mesh, scene.atlas) for _ in range(2))
    assert torch.equal(first.texture, again.texture)
    assert (first.seen, first.seen_face) == (again.seen, again.seen_face)
    assert torch.equal(photograph, kept)
