"""Light: every source and both kinds of highlights against their formulas in numpy, per picture, with gradients."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck
from torch.nn.functional import normalize

from headviz.errors import LightError, OptionError, ShapeError
from headviz.geometry.mesh_batch import MeshBatch
from headviz.render.checks import check_light
from headviz.render.light import Ambient, Directional, Harmonics, Lighting, Point, Source, headlight
from headviz.render.shade import render

from .scenes import DOUBLE, ONE, noise, oblique, straight

MODELS = pytest.mark.parametrize("model", ["phong", "blinn-phong"])
COUNT = 30


def signed(*shape: int, seed: int = 0) -> Tensor:
    return 2 * noise(*shape, seed=seed) - 1


def surface(count: int = COUNT, pictures: int = 3, seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Points, normals, directions to the viewer, and the picture of each point, in order."""
    points = signed(count, 3, seed=seed)
    normals, view = (normalize(signed(count, 3, seed=seed + k), dim=1) for k in (1, 2))
    return points, normals, view, (torch.arange(count) * pictures // count)


def each(seed: int, *shape: int) -> Tensor:
    """One value per picture of :func:`surface`."""
    return noise(3, *shape, seed=seed)


def sources(seed: int = 0, *, alone: bool = False) -> tuple[Source, ...]:
    """One of each, with numbers per picture, or one for all."""
    made = (
        Ambient(each(seed, 3)),
        Directional(each(seed + 1, 3) - 0.5, each(seed + 2, 3)),
        Point(2 * each(seed + 3, 3) - 1, each(seed + 4, 3)),
        Harmonics(each(seed + 5, 9, 3) - 0.3),
    )
    if not alone:
        return made
    return Lighting(made).mapped(lambda _, values: values[0]).sources


def by_hand(source: Source, point: np.ndarray, normal: np.ndarray, k: int) -> np.ndarray:
    """Light at a matt surface from a source with numbers per picture."""
    own = {name: value[k].numpy() for name, value in vars(source).items() if isinstance(value, Tensor)}
    if isinstance(source, Ambient):
        return own["color"]
    if isinstance(source, Harmonics):
        x, y, z = normal
        basis = [1, y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y]
        return np.maximum(np.array(basis) @ own["coefficients"], 0)
    toward, falloff = own.get("direction"), 1.0
    if isinstance(source, Point):
        toward = own["position"] - point
        falloff = np.linalg.norm(toward) ** -source.falloff
    assert toward is not None
    return max(float(normal @ toward / np.linalg.norm(toward)), 0.0) * own["color"] * falloff


@pytest.mark.parametrize("kind", range(4), ids=["ambient", "directional", "point", "harmonics"])
def test_light_is_what_its_formula_says_at_every_point_of_every_picture(kind: int) -> None:
    points, normals, _, picture = surface()
    source = sources()[kind]
    found = Lighting((source,)).irradiance(points, normals, picture)
    for row in range(COUNT):
        expected = by_hand(source, points[row].numpy(), normals[row].numpy(), int(picture[row]))
        np.testing.assert_allclose(found[row], expected, atol=1e-12)


@pytest.mark.parametrize("falloff", [0.0, 1.0, 2.0])
def test_light_from_a_place_falls_with_a_power_of_the_distance(falloff: float) -> None:
    # 2 m and 4 m below a lamp, face up, and beside it under 60°.
    points = torch.tensor([[0.0, -2.0, 0.0], [0.0, -4.0, 0.0], [2 * math.sqrt(3), -2.0, 0.0]], dtype=DOUBLE)
    normals = torch.tensor([[0.0, 1.0, 0.0]], dtype=DOUBLE).expand(3, 3)
    lamp = Point(torch.zeros(3, dtype=DOUBLE), torch.tensor([1.0, 2.0, 4.0], dtype=DOUBLE), falloff)
    found = Lighting((lamp,)).irradiance(points, normals)
    expected = torch.tensor([2.0**-falloff, 4.0**-falloff, 0.5 * 4.0**-falloff], dtype=DOUBLE)
    torch.testing.assert_close(found, expected[:, None] * torch.tensor([1.0, 2.0, 4.0], dtype=DOUBLE))
    assert bool((Lighting((lamp,)).irradiance(points, -normals) == 0).all())  # from behind


def test_a_point_far_away_is_a_direction() -> None:
    points, normals, _, _ = surface()
    direction = torch.tensor([1.0, 2.0, 3.0], dtype=DOUBLE)
    far = Point(1e7 * direction, torch.ones(3, dtype=DOUBLE), falloff=0.0)
    near = Directional(17 * direction, torch.ones(3, dtype=DOUBLE))  # of any length
    one, other = (Lighting((source,)).irradiance(points, normals) for source in (far, near))
    torch.testing.assert_close(one, other, atol=1e-6, rtol=0)


def test_a_point_at_the_surface_itself_gives_finite_light_and_gradients() -> None:
    points = torch.zeros(1, 3, requires_grad=True)
    lamp = Point(torch.zeros(3), torch.ones(3))
    light = Lighting((lamp,), gloss=0.5)
    up = torch.tensor([[0.0, 1.0, 0.0]])
    found = light.irradiance(points, up) + light.highlights(points, up, up, torch.zeros(1, dtype=torch.int64))
    found.sum().backward()
    assert points.grad is not None
    assert bool(torch.isfinite(found).all() & torch.isfinite(points.grad).all())


@MODELS
@given(st.floats(0, 1.2), st.floats(-1.2, 1.2), st.sampled_from([1.0, 5.5, 24.0]))
def test_highlights_in_a_plane_follow_the_angles(model: Any, incoming: float, outgoing: float, power: float) -> None:
    # Light from the angle a to the normal, seen from b on the other side: Phong's cosine is that of a − b,
    # Blinn's that of half of it.
    normal = torch.tensor([[0.0, 0.0, 1.0]], dtype=DOUBLE)
    toward = torch.tensor([math.sin(incoming), 0.0, math.cos(incoming)], dtype=DOUBLE)
    view = torch.tensor([[-math.sin(outgoing), 0.0, math.cos(outgoing)]], dtype=DOUBLE)
    color = torch.tensor([1.0, 0.5, 0.25], dtype=DOUBLE)
    light = Lighting((Directional(3 * toward, color),), gloss=0.7, shininess=power, model=model)
    found = light.highlights(torch.zeros(1, 3, dtype=DOUBLE), normal, view, torch.zeros(1, dtype=torch.int64))
    angle = incoming - outgoing if model == "phong" else (incoming - outgoing) / 2
    expected = 0.7 * max(math.cos(angle), 0) ** power * color
    torch.testing.assert_close(found[0], expected, atol=1e-12, rtol=1e-9)


@MODELS
def test_highlights_of_every_source_add_up(model: Any) -> None:
    points, normals, view, picture = surface(seed=4)
    light = Lighting(sources(), gloss=each(31), shininess=3.0, model=model)
    found = light.highlights(points, normals, view, picture)
    assert light.shines
    for row in range(COUNT):
        k, normal = int(picture[row]), normals[row].numpy()
        total = np.zeros(3)
        for source in light.sources:
            if isinstance(source, Directional):
                toward, color = source.direction[k].numpy(), source.color[k].numpy()
            elif isinstance(source, Point):
                toward = (source.position[k] - points[row]).numpy()
                color = source.color[k].numpy() / (toward @ toward)
            else:
                continue  # from everywhere: no highlight
            toward = toward / np.linalg.norm(toward)
            half = toward + view[row].numpy()
            mirrored = 2 * (normal @ toward) * normal - toward
            cosine = mirrored @ view[row].numpy() if model == "phong" else normal @ half / np.linalg.norm(half)
            if normal @ toward > 0:
                total += max(float(cosine), 0) ** 3 * color
        np.testing.assert_allclose(found[row], float(light.gloss[k]) * total, atol=1e-12)  # type: ignore[index]


@MODELS
def test_light_from_behind_the_surface_has_no_highlight(model: Any) -> None:
    # Seen straight, lit from just behind: the direction halfway between is still before the surface.
    up = torch.tensor([[0.0, 0.0, 1.0]])
    light = Lighting((Directional(torch.tensor([0.0, 1.0, -0.2]), torch.ones(3)),), 1.0, 2.0, model)
    assert bool((light.highlights(torch.zeros(1, 3), up, up, torch.zeros(1, dtype=torch.int64)) == 0).all())


def test_more_light_is_never_darker() -> None:
    points, normals, view, picture = surface()
    light = Lighting(sources(), gloss=0.4)
    first = light.irradiance(points, normals, picture) + light.highlights(points, normals, view, picture)
    brighter = light.mapped(lambda name, values: 1.5 * values if name == "color" else values)
    more = replace(brighter, sources=(*brighter.sources, Ambient(torch.full((3,), 0.1, dtype=DOUBLE))), gloss=0.6)
    second = more.irradiance(points, normals, picture) + more.highlights(points, normals, view, picture)
    assert bool((second >= first + 0.1).all())
    assert bool((first >= 0).all())


def test_a_matt_surface_in_a_furnace_reflects_what_arrives() -> None:
    # Over all directions of light, Lambert's cosine has the mean 1/4 of a sphere's cross-section to its area.
    count = 20000
    z = 1 - (2 * torch.arange(count, dtype=DOUBLE) + 1) / count
    turn = math.pi * (1 + 5**0.5) * torch.arange(count, dtype=DOUBLE)
    ring = (1 - z**2).sqrt()
    lamps = Directional(torch.stack([ring * turn.cos(), ring * turn.sin(), z], 1), torch.ones(count, 3, dtype=DOUBLE))
    normals = normalize(signed(1, 3, seed=5), dim=1).expand(count, 3)
    found = Lighting((lamps,)).irradiance(torch.zeros_like(normals), normals, torch.arange(count))
    assert float(found.mean()) == pytest.approx(0.25, abs=1e-4)


@MODELS
@pytest.mark.parametrize("per_picture", [True, False])
def test_numbers_per_picture_are_a_loop_over_pictures(model: Any, per_picture: bool) -> None:
    points, normals, view, picture = surface()
    gloss = each(8) if per_picture else torch.tensor(0.3, dtype=DOUBLE)
    light = Lighting(sources(alone=not per_picture), gloss=gloss, model=model)
    found = light.irradiance(points, normals, picture), light.highlights(points, normals, view, picture)
    for k in range(3):
        rows = picture == k
        alone = light.mapped(lambda _, values, k=k: values[k] if per_picture else values)  # type: ignore[misc]
        first = torch.zeros(int(rows.sum()), dtype=torch.int64)
        torch.testing.assert_close(found[0][rows], alone.irradiance(points[rows], normals[rows], first))
        torch.testing.assert_close(found[0][rows], alone.irradiance(points[rows], normals[rows]))
        torch.testing.assert_close(found[1][rows], alone.highlights(points[rows], normals[rows], view[rows], first))
    shared = light.mapped(lambda _, values: values[None] if not per_picture else values[:1])  # a first dimension of 1
    single = light.mapped(lambda _, values: values if not per_picture else values[0])
    for name, arguments in (("irradiance", (points, normals)), ("highlights", (points, normals, view))):
        torch.testing.assert_close(
            getattr(shared, name)(*arguments, picture), getattr(single, name)(*arguments, picture)
        )


@MODELS
def test_gradients_in_everything_are_those_of_differences(model: Any) -> None:
    points, normals, view, picture = surface(9, seed=2)
    kinds = {Ambient: 1, Directional: 2, Point: 2, Harmonics: 1}
    tensors = [value for source in sources(3) for value in vars(source).values() if isinstance(value, Tensor)]

    def shade(points: Tensor, normals: Tensor, view: Tensor, gloss: Tensor, *numbers: Tensor) -> Tensor:
        rest, made = list(numbers), []
        for kind, count in kinds.items():
            made.append(kind(*(rest.pop(0) for _ in range(count))))
        light = Lighting(tuple(made), gloss, 4.0, model)
        return light.irradiance(points, normals, picture) + light.highlights(points, normals, view, picture)

    inputs = [value.clone().requires_grad_() for value in (points, normals, view, each(9), *tensors)]
    assert gradcheck(shade, inputs, eps=1e-7, atol=1e-5)


def test_gradients_where_nothing_shines_are_finite() -> None:
    points, normals, view, picture = (values.float() if values.is_floating_point() else values for values in surface())
    for power in (0.3, 1.0, 24.0):
        direction = torch.tensor([0.0, 0.0, 1.0]).requires_grad_()
        light = Lighting((Directional(direction, torch.ones(3)),), 0.5, power)
        across = torch.stack([normals[:, 0], normals[:, 1], torch.zeros(COUNT)], 1)  # no cosine at all
        made = light.irradiance(points, across) + light.highlights(points, across, view, picture)
        made.sum().backward()
        assert direction.grad is not None
        assert bool(torch.isfinite(direction.grad).all()), power


@dataclass(frozen=True, eq=False)
class Stripes:
    """Somebody else's source, with a tensor of its own and without a beam."""

    strength: Tensor
    frequency: float = 5.0

    def diffuse(self, points: Tensor, normals: Tensor, picture: Tensor) -> Tensor:
        strength = self.strength if self.strength.ndim == 0 else self.strength[picture]
        return (strength * (1 + (self.frequency * points[:, 0]).sin()))[:, None].expand(-1, 3)

    def beam(self, points: Tensor, picture: Tensor) -> None:
        return None


class Torch:
    """Another one, which is no dataclass, and answers with one value for all points."""

    def diffuse(self, points: Tensor, normals: Tensor, picture: Tensor) -> Tensor:
        return points.new_full((3,), 0.25)

    def beam(self, points: Tensor, picture: Tensor) -> tuple[Tensor, Tensor]:
        return points.new_tensor([0.0, 0.0, 1.0]), points.new_full((3,), 0.5)


def test_anybody_may_write_a_source() -> None:
    assert isinstance(Stripes(torch.tensor(1.0)), Source)
    assert isinstance(Torch(), Source)
    strength = torch.tensor([0.5, 0.8]).requires_grad_()
    light = Lighting((Stripes(strength), Torch()), gloss=0.1)
    vertices = torch.tensor([[-9.0, -9.0, -1.0], [9.0, -9.0, -1.0], [0.0, 9.0, -1.0]])
    colors = torch.ones(1, 3, 3)
    meshes = MeshBatch(vertices.expand(2, 3, 3), ONE, colors=colors)
    drawn = render(meshes, straight(8, 6, 8.0), light=light)
    x = (torch.arange(8) + 0.5 - 4) / 8
    diffuse = torch.tensor([0.5, 0.8])[:, None] * (1 + (5 * x).sin()) + 0.25
    y = (3 - torch.arange(6) - 0.5) / 8
    halfway = normalize(torch.stack([-x.expand(6, 8), -y[:, None].expand(6, 8), torch.ones(6, 8)], -1), dim=-1)
    halfway = normalize(halfway + torch.tensor([0.0, 0.0, 1.0]), dim=-1)[..., 2]
    expected = diffuse[:, None] + 0.1 * 0.5 * halfway**24
    torch.testing.assert_close(drawn.picture, expected[..., None].expand(2, 6, 8, 3), atol=1e-5, rtol=0)
    drawn.picture.sum().backward()
    assert strength.grad is not None
    assert bool((strength.grad > 0).all())


def test_light_moves_to_another_precision_and_is_changed_by_name() -> None:
    light = Lighting(sources(), gloss=each(3), shininess=7.0, model="phong")
    single = light.to(torch.zeros(1))
    seen: list[str] = []
    single.mapped(lambda name, values: seen.append(name) or values)
    names = ["color", "direction", "color", "position", "color", "coefficients"]
    assert sorted(seen) == sorted(["gloss", *names])
    assert isinstance(single.gloss, Tensor)
    assert single.gloss.dtype == torch.float32
    assert {
        value.dtype for source in single.sources for value in vars(source).values() if isinstance(value, Tensor)
    } == {torch.float32}
    assert (single.shininess, single.model) == (7.0, "phong")
    assert light.sources[0].color.dtype == DOUBLE  # type: ignore[attr-defined]  # the first is as it was
    assert Lighting((), gloss=0.2).mapped(lambda _, values: values * 0).gloss == 0.2


def test_without_gloss_nothing_shines_and_without_sources_it_is_dark() -> None:
    assert not Lighting(sources()).shines
    assert not headlight().shines
    assert Lighting(sources(), gloss=0.1).shines
    assert Lighting(sources(), gloss=torch.zeros(1)).shines  # it may have a gradient
    points, normals, _, picture = surface()
    assert bool((Lighting(()).irradiance(points, normals, picture) == 0).all())


THREE = torch.ones(3)


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: Ambient(torch.ones(4)), ShapeError, r"color should have shape \(3,\) or \(b, 3\); shape is \(4,\)"),
        (lambda: Ambient(torch.ones(())), ShapeError, r"color should have .*; shape is \(\)"),
        (lambda: Ambient(torch.ones(2, 2, 3)), ShapeError, r"color should have .*; shape is \(2, 2, 3\)"),
        (lambda: Directional(torch.ones(2), THREE), ShapeError, r"direction should have .*; shape is \(2,\)"),
        (lambda: Directional(THREE, torch.ones(1)), ShapeError, r"color should have .*; shape is \(1,\)"),
        (lambda: Point(torch.ones(3, 1), THREE), ShapeError, r"position should have .*; shape is \(3, 1\)"),
        (lambda: Point(THREE, torch.ones(3, 4)), ShapeError, r"color should have .*; shape is \(3, 4\)"),
        (lambda: Harmonics(torch.ones(3, 9)), ShapeError, r"shape \(9, 3\) or \(b, 9, 3\); shape is \(3, 9\)"),
        (lambda: Harmonics(THREE), ShapeError, r"coefficients should have .*; shape is \(3,\)"),
        (
            lambda: Lighting((), torch.ones(2, 1)),
            ShapeError,
            r"gloss should have shape \(\) or \(b,\); shape is \(2, 1\)",
        ),
        (lambda: Lighting((), shininess=0.0), OptionError, "shininess should be positive; it is 0.0"),
        (lambda: Lighting((), shininess=math.nan), OptionError, "shininess should be positive; it is nan"),
    ],
)
def test_what_is_no_light_is_named(make: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        make()


def test_light_that_does_not_fit_the_pictures_is_named() -> None:
    for source in sources():
        check_light(Lighting((source,)), 3)
        with pytest.raises(LightError, match="should be one or 2, as pictures; there are 3"):
            check_light(Lighting((source,)), 2)
    with pytest.raises(LightError, match="the light's gloss should be one or 2, as pictures; there are 3"):
        check_light(Lighting((), gloss=torch.ones(3)), 2)
    bad = torch.tensor([[1.0, 0.0, 0.0], [0.0, torch.nan, torch.inf]])
    with pytest.raises(LightError, match=r"direction should be finite; 2 of 6 are not: \[1, 1\], \[1, 2\]"):
        render(
            MeshBatch(torch.zeros(2, 3, 3, dtype=DOUBLE), ONE), oblique(2), light=Lighting((Directional(bad, THREE),))
        )
    check_light(None, 5)
    check_light(Lighting(sources(alone=True), gloss=torch.tensor(0.1)), 5)
