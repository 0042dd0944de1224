"""Textures, light and pictures, against scipy and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates
from torch import Tensor

from headviz.geometry.camera import Camera, Cameras
from headviz.geometry.mesh import Mesh
from headviz.geometry.sampling import sample_pixels, sample_texture
from headviz.render.light import Directional, Harmonics, Lighting, headlight
from headviz.render.shade import RenderSettings, render
from headviz.render.surface import BACKGROUND, SKIN

UP = torch.tensor([0.0, 0.0, 1.0])


def random_picture(height: int, width: int, channels: int = 3, seed: int = 0) -> Tensor:
    return torch.rand(height, width, channels, generator=torch.Generator().manual_seed(seed))


def sphere(count: int) -> Tensor:
    """Evenly spread unit vectors (a Fibonacci lattice): means over them are integrals over the sphere."""
    k = torch.arange(count, dtype=torch.float64) + 0.5
    z, angle = 1 - 2 * k / count, math.pi * (1 + 5**0.5) * k
    ring = (1 - z**2).sqrt()
    return torch.stack([ring * angle.cos(), ring * angle.sin(), z], dim=1).float()


def lit(
    harmonics: dict[int, float] | None = None, color: float = 0.0, direction: Tensor = UP, gloss: float = 0.0
) -> Lighting:
    coefficients = torch.zeros(9, 3)
    for k, value in (harmonics or {}).items():
        coefficients[k] = value
    return Lighting((Harmonics(coefficients), Directional(direction, torch.full((3,), color))), gloss)


def irradiance(light: Lighting, normals: Tensor) -> Tensor:
    return light.irradiance(torch.zeros_like(normals), normals)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (5, 7), (8, 3)])
def test_a_texel_centre_gives_the_texel(height: int, width: int) -> None:
    texture = random_picture(height, width)
    row, column = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    uv = torch.stack([(column + 0.5) / width, 1 - (row + 0.5) / height], dim=-1)
    torch.testing.assert_close(sample_texture(texture, uv), texture, atol=2e-6, rtol=0)
    pixels = torch.stack([column + 0.5, row + 0.5], dim=-1)
    torch.testing.assert_close(sample_pixels(texture, pixels), texture, atol=2e-6, rtol=0)


@given(st.lists(st.tuples(st.floats(-2, 9), st.floats(-2, 8)), min_size=1, max_size=30))
def test_between_centres_it_is_scipys_bilinear_look_up(places: list[tuple[float, float]]) -> None:
    picture = random_picture(6, 7, 2, seed=3)
    points = torch.tensor(places)
    u, v = np.array(places, dtype=np.float32).T
    expected = [map_coordinates(picture[..., k].numpy(), [v - 0.5, u - 0.5], order=1, mode="nearest") for k in range(2)]
    np.testing.assert_allclose(sample_pixels(picture, points), np.stack(expected, -1), atol=1e-5)
    uv = points / torch.tensor([7.0, -6.0]) + torch.tensor([0.0, 1.0])
    np.testing.assert_allclose(sample_texture(picture, uv), np.stack(expected, -1), atol=1e-5)


def test_texture_coordinates_start_at_the_lower_left() -> None:
    texture = torch.zeros(4, 4, 1)
    texture[3, 0] = 1  # the last row's first texel
    assert float(sample_texture(texture, torch.tensor([0.0, 0.0]))) == 1
    assert float(sample_texture(texture, torch.tensor([1.0, 1.0]))) == 0
    assert float(sample_pixels(texture, torch.tensor([0.5, 3.5]))) == 1


def test_samples_keep_the_shape_of_the_query() -> None:
    picture = random_picture(4, 4)
    assert sample_texture(picture, torch.rand(2, 5, 2)).shape == (2, 5, 3)
    assert sample_texture(picture, torch.rand(0, 2)).shape == (0, 3)
    assert sample_pixels(picture, torch.rand(2)).shape == (3,)


def test_look_ups_are_differentiable() -> None:
    picture = random_picture(5, 5, 1).double().requires_grad_()
    uv = (torch.rand(6, 2, generator=torch.Generator().manual_seed(1)).double() * 0.7 + 0.15).requires_grad_()
    assert torch.autograd.gradcheck(sample_texture, (picture, uv), eps=1e-7, atol=1e-5)


def test_constant_light_is_the_same_on_every_side() -> None:
    light = lit({0: 0.37})
    torch.testing.assert_close(irradiance(light, sphere(100)), torch.full((100, 3), 0.37))


@pytest.mark.parametrize(("index", "axis"), [(1, 1), (2, 2), (3, 0)])
def test_the_first_band_grows_along_its_axis(index: int, axis: int) -> None:
    normals = sphere(50)
    found = irradiance(lit({0: 1.0, index: 0.5}), normals)
    torch.testing.assert_close(found[:, 0], 1 + 0.5 * normals[:, axis])


def test_the_nine_harmonics_are_orthogonal_over_the_sphere() -> None:
    normals = sphere(20000)
    # A constant beside each keeps the sum positive, where light is not clamped.
    rows = [irradiance(lit({0: 9.0}), normals)[:, 0] - 8]
    rows += [irradiance(lit({0: 9.0, k: 1.0}), normals)[:, 0] - 9 for k in range(1, 9)]
    basis = torch.stack(rows).double()
    gram = basis @ basis.T / len(normals)
    lengths = gram.diagonal().sqrt()
    cosines = gram / (lengths[:, None] * lengths)
    assert float((cosines - torch.eye(9)).abs().max()) < 2e-3
    # Mean squares of 1, y, z, x, xy, yz, 3z²−1, xz, x²−y² over the unit sphere.
    expected = torch.tensor([1, 1 / 3, 1 / 3, 1 / 3, 1 / 15, 1 / 15, 4 / 5, 1 / 15, 4 / 15], dtype=torch.float64)
    torch.testing.assert_close(gram.diagonal(), expected, atol=1e-3, rtol=1e-3)


def test_light_from_one_side_follows_the_cosine() -> None:
    normals = sphere(200)
    direction = torch.nn.functional.normalize(torch.tensor([1.0, 2.0, -0.5]), dim=0)
    found = irradiance(lit(color=0.8, direction=direction), normals)[:, 1]
    cosine = normals.double() @ direction.double()
    torch.testing.assert_close(found.double(), 0.8 * cosine.clamp(min=0), atol=1e-6, rtol=0)


def test_light_is_never_negative() -> None:
    assert float(irradiance(lit({0: 0.1, 1: 2.0, 6: -1.0}), sphere(500)).min()) == 0


# A square that fills the picture exactly: 16 × 16 pixels at 1 m with a focal length of 16 pixels.
SIZE = 16
CAMERA = Camera(torch.eye(3), torch.zeros(3), float(SIZE), torch.tensor([SIZE / 2, SIZE / 2]), SIZE, SIZE)
QUAD = Mesh(
    vertices=torch.tensor([[-0.5, -0.5, -1.0], [0.5, -0.5, -1.0], [0.5, 0.5, -1.0], [-0.5, 0.5, -1.0]]),
    faces=torch.tensor([[0, 1, 2], [0, 2, 3]]),
    uv=torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]),
    texture=random_picture(SIZE, SIZE, seed=5),
)


def quad(**changes: Tensor | None) -> Mesh:
    fields = {"vertices": QUAD.vertices, "faces": QUAD.faces, "uv": QUAD.uv, "texture": QUAD.texture, **changes}
    return Mesh(**fields)  # type: ignore[arg-type]


def test_a_texture_is_seen_upright_and_unchanged() -> None:
    picture = render(QUAD, CAMERA).picture
    assert QUAD.texture is not None
    torch.testing.assert_close(picture, QUAD.texture, atol=1e-4, rtol=0)


def test_seams_use_their_own_texture_coordinates() -> None:
    # The same square with its four corners' coordinates in another order.
    shuffled = quad(uv=None, texture=None)
    mesh = Mesh(
        shuffled.vertices, shuffled.faces, uv=torch.tensor([[1.0, 1.0], [0.0, 0.0], [0.0, 1.0], [1.0, 0.0]]),
        uv_faces=torch.tensor([[1, 3, 0], [1, 0, 2]]), texture=QUAD.texture,
    )  # fmt: skip
    torch.testing.assert_close(render(mesh, CAMERA).picture, render(QUAD, CAMERA).picture, atol=1e-4, rtol=0)


def test_colours_of_vertices_are_interpolated() -> None:
    colors = torch.tensor([[0.0, 0, 0], [1.0, 0, 0], [1.0, 1.0, 0], [0, 1.0, 0]])
    picture = render(quad(uv=None, texture=None, colors=colors), CAMERA).picture
    steps = (torch.arange(SIZE) + 0.5) / SIZE
    torch.testing.assert_close(picture[..., 0], steps.expand(SIZE, SIZE), atol=1e-4, rtol=0)
    torch.testing.assert_close(picture[..., 1], (1 - steps)[:, None].expand(SIZE, SIZE), atol=1e-4, rtol=0)


def test_without_texture_and_colours_it_is_plain_skin() -> None:
    picture = render(quad(uv=None, texture=None), CAMERA).picture
    torch.testing.assert_close(picture, torch.tensor(SKIN).expand(SIZE, SIZE, 3))


def test_the_look_sheets_colours_are_its_hexadecimal_ones() -> None:
    for linear, code in ((SKIN, "d9a58b"), (BACKGROUND, "f6f5f2")):
        srgb = np.array([int(code[k : k + 2], 16) for k in (0, 2, 4)]) / 255
        np.testing.assert_allclose(linear, ((srgb + 0.055) / 1.055) ** 2.4, atol=1e-4)  # IEC 61966-2-1


def test_light_multiplies_the_texture() -> None:
    plain = render(QUAD, CAMERA).picture
    torch.testing.assert_close(render(QUAD, CAMERA, light=lit({0: 0.5})).picture, 0.5 * plain)
    # The square faces +z, where light from (0, 0.6, 0.8) arrives with cosine 0.8.
    side = lit(color=1.0, direction=torch.tensor([0.0, 0.6, 0.8]))
    torch.testing.assert_close(render(QUAD, CAMERA, light=side).picture, 0.8 * plain)


def test_given_normals_are_used() -> None:
    normals = torch.tensor([[0.0, 1.0, 0.0]]).expand(4, 3)
    mesh = quad(normals=normals)
    side = lit(color=1.0, direction=torch.tensor([0.0, 0.6, 0.8]))
    torch.testing.assert_close(render(mesh, CAMERA, light=side).picture, 0.6 * render(QUAD, CAMERA).picture)


def test_a_highlight_is_brightest_where_the_mirror_would_show_the_light() -> None:
    # Light straight from the camera is reflected from the middle of the square.
    black = quad(texture=torch.zeros(4, 4, 3))
    picture = render(black, CAMERA, light=lit(color=1.0, gloss=0.5)).picture[..., 0]
    middle = picture[7:9, 7:9]
    assert float(picture.max()) == pytest.approx(float(middle.max()))
    assert float(middle.max()) == pytest.approx(0.5, abs=0.02)
    assert float(picture[0, 0]) < 0.7 * float(middle.max())
    assert float(render(black, CAMERA, light=lit(color=1.0)).picture.max()) == 0


def test_the_background_shows_beside_the_mesh() -> None:
    small = quad(vertices=QUAD.vertices * torch.tensor([0.5, 0.5, 1.0]))
    behind = random_picture(SIZE, SIZE, seed=8)
    made = render(small, CAMERA, background=behind)
    mask = made.fragments.mask
    assert int(mask.sum()) == 64
    assert torch.equal(made.picture[~mask], behind[~mask])
    assert not torch.equal(made.picture[mask], behind[mask])
    one = render(small, CAMERA, background=torch.tensor([0.1, 0.2, 0.3])).picture
    assert bool((one[~mask] == torch.tensor([0.1, 0.2, 0.3])).all())
    assert bool((render(small, CAMERA).picture[~mask] == torch.tensor(BACKGROUND)).all())


def test_a_mesh_out_of_sight_leaves_the_background() -> None:
    away = quad(vertices=QUAD.vertices + torch.tensor([50.0, 0.0, 0.0]))
    made = render(away, CAMERA, light=headlight())
    assert not bool(made.fragments.mask.any())
    assert bool((made.picture == torch.tensor(BACKGROUND)).all())


def test_another_rasterizer_may_be_used() -> None:
    from headviz.render.fragments import Fragments

    def nothing(vertices: Tensor, faces: Tensor, cameras: Cameras) -> Fragments:
        empty = torch.full((len(vertices), cameras.height, cameras.width), -1)
        return Fragments(empty, torch.zeros(0, 3), torch.zeros(0))

    made = render(QUAD, CAMERA, settings=RenderSettings(backend=nothing))
    assert bool((made.picture == torch.tensor(BACKGROUND)).all())


def test_rendering_twice_gives_the_same_and_changes_nothing() -> None:
    behind = random_picture(SIZE, SIZE, seed=8)
    kept = behind.clone()
    first = render(QUAD, CAMERA, light=headlight(), background=behind).picture
    assert torch.equal(first, render(QUAD, CAMERA, light=headlight(), background=behind).picture)
    assert torch.equal(behind, kept)


def test_the_headlight_comes_from_above_and_in_front() -> None:
    light = headlight()
    (key,) = (source for source in light.sources if isinstance(source, Directional))
    assert float(key.direction.norm()) == pytest.approx(1, abs=1e-6)
    below, above, front, back = irradiance(light, torch.tensor([[0, -1.0, 0], [0, 1.0, 0], [0, 0, 1.0], [0, 0, -1.0]]))
    assert float(above[0]) > float(below[0]) > 0
    assert float(front[0]) > float(back[0]) > 0
    assert float(front.max()) < 1.2
