"""Our renderer beside PyTorch3D's: cameras, faces, weights, depths, textures, light, distances; and their gradients.

PyTorch3D computes in single precision. Tolerances are multiples of its unit in the last place, 2⁻²³ ≈ 1.2·10⁻⁷, in the
screen's units, where the shorter side reaches from −1 to 1; where it matters, ours in double precision is the judge.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from pytorch3d.renderer import (
    AmbientLights,
    BlendParams,
    DirectionalLights,
    HardFlatShader,
    HardPhongShader,
    Materials,
    MeshRasterizer,
    MeshRenderer,
    PointLights,
    RasterizationSettings,
    SoftSilhouetteShader,
)
from pytorch3d.structures import Meshes
from torch import Tensor

from headviz.geometry.camera import Camera, Cameras, look_at_head
from headviz.geometry.mesh import Mesh, vertex_normals
from headviz.heads.model import load_head
from headviz.interop import to_pytorch3d, to_pytorch3d_cameras
from headviz.render.fragments import Fragments
from headviz.render.light import Ambient, Directional, Lighting, Point
from headviz.render.raster import rasterize
from headviz.render.raster_pytorch3d import to_pytorch3d_screen
from headviz.render.shade import RenderSettings, render
from headviz.render.soft import SoftMask, contributions, reference

MODEL = load_head()
HEAD = MODEL.mesh(morphs=False)
UNIT = 2**-23
SOFT = SoftMask()
TORCH = RenderSettings(backend="torch")


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def heads(count: int) -> Tensor:
    """Different people, or the mean head if it is one."""
    if count == 1:
        return HEAD.vertices[None]
    noise = torch.randn(count, 20, generator=torch.Generator().manual_seed(0))
    return MODEL.vertices(identity=noise)


def orbit(*yaws: float, **options: float) -> Cameras:
    return Cameras.orbit(torch.tensor(yaws), 0.1, **{"focal": 2.7, "size": 128, **options})


def cut(cameras: Cameras, width: int, height: int, center: tuple[float, float]) -> Cameras:
    """Another size, and a principal point beside the middle."""
    return replace(cameras, width=width, height=height, center=torch.tensor(center).expand(len(cameras), 2))


#: From all sides, not square, from 15 cm before the face with a wide angle, and from inside, where faces end behind it.
VIEWS = {
    "around": orbit(0.0, 0.4, -1.6),
    "wide": cut(orbit(0.3, -1.2), 160, 96, (90.0, 40.0)),
    "tall": cut(orbit(3.0, -1.2), 70, 128, (30.0, 70.0)),
    "near": orbit(0.0, -0.3, distance=0.16, focal=0.5),
    "inside": orbit(0.0, 0.3, distance=0.02, focal=0.5, size=64),
}


def in_double(cameras: Cameras) -> Cameras:
    return replace(
        cameras, rotation=cameras.rotation.double(), translation=cameras.translation.double(),
        focal=cameras.focal.double(), center=cameras.center.double(),
    )  # fmt: skip


def their_rasterizer(cameras: Cameras, **settings) -> MeshRasterizer:
    size = (cameras.height, cameras.width)
    return MeshRasterizer(to_pytorch3d_cameras(cameras), RasterizationSettings(image_size=size, **settings))


def theirs(vertices: Tensor, faces: Tensor, cameras: Cameras, **settings) -> Fragments:
    """What PyTorch3D's rasterizer sees with its own cameras, as fragments of ours."""
    found = their_rasterizer(cameras, **settings)(Meshes(list(vertices), [faces] * len(vertices)))
    face, mask = found.pix_to_face[..., 0], found.pix_to_face[..., 0] >= 0
    first = len(faces) * torch.arange(len(vertices))[:, None, None]
    return Fragments(torch.where(mask, face - first, -1), found.bary_coords[..., 0, :][mask], found.zbuf[..., 0][mask])


def size_on_screen(vertices: Tensor, faces: Tensor, cameras: Cameras, seen: Fragments) -> tuple[Tensor, Tensor]:
    """Of each covered pixel's face: its least height, and its farthest coordinate or 1, in the screen's units."""
    places = to_pytorch3d_screen(vertices.double(), in_double(cameras))[..., :2]
    corners = places[seen.picture[:, None], faces[seen.covering]]
    a, b, c = (corners.roll(-1, 1) - corners).unbind(1)
    longest = torch.stack([a, b, c], 1).norm(dim=2).amax(1)
    return (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).abs() / longest, corners.abs().amax((1, 2)).clamp(min=1)


def test_cameras_see_points_where_theirs_do() -> None:
    cameras = Cameras.of([
        replace(look_at_head(yaw=0.5, pitch=0.2, focal=2.0, size=100), center=torch.tensor([70.0, 20.0]), width=96, height=64),
        replace(look_at_head(yaw=-1.0, distance=0.5, size=80), center=torch.tensor([30.0, 40.0]), width=96, height=64),
    ])  # fmt: skip
    points = 0.3 * random(2, 200, 3) - 0.15
    other = to_pytorch3d_cameras(cameras)
    torch.testing.assert_close(
        other.transform_points_screen(points)[..., :2], cameras.project(points), rtol=0, atol=1e-4
    )
    torch.testing.assert_close(other.get_camera_center(), cameras.position)
    seen = to_pytorch3d_screen(points, cameras)
    torch.testing.assert_close(other.transform_points_ndc(points)[..., :2], seen[..., :2], rtol=0, atol=8 * UNIT)
    depth = other.get_world_to_view_transform().transform_points(points)[..., 2]
    torch.testing.assert_close(depth, seen[..., 2], rtol=0, atol=4 * UNIT)


@pytest.mark.parametrize("view", VIEWS)
def test_pixels_see_the_faces_and_the_places_that_theirs_see(view: str) -> None:
    """Another face only where, in double precision, the ray passes an edge by less than a rounding: here nowhere.

    Corners are rounded to a unit of their coordinates, which moves weights by as much over the face's least height.
    """
    cameras, vertices = VIEWS[view], heads(len(VIEWS[view]))
    ours = rasterize(vertices, HEAD.faces, cameras, backend="torch")
    exact = rasterize(vertices.double(), HEAD.faces, in_double(cameras), backend="torch")
    behind = (cameras.to_camera(vertices)[..., 2] > 0)[:, HEAD.faces].any(-1)  # such faces are not seen there
    crossing = ours.spread(behind[ours.picture, ours.covering].float()) > 0
    assert bool(crossing.any()) == (view == "inside")
    for found in (theirs(vertices, HEAD.faces, cameras), rasterize(vertices, HEAD.faces, cameras, backend="pytorch3d")):
        other = (ours.face != found.face) & ~crossing
        assert int(other.sum()) <= 2 * len(cameras)
        assert bool((exact.barycentric[other].amin(-1) < 1e-3).all())
        same = ours.mask & ~other & ~crossing
        assert float(same.float().mean()) > 0.2
        height, far = size_on_screen(vertices, HEAD.faces, cameras, ours)
        tolerance = ours.spread(8 * UNIT * far / height)[same]
        assert bool(((ours.barycentric - found.barycentric).abs().amax(-1)[same] <= tolerance).all())
        torch.testing.assert_close(ours.depth[same], found.depth[same], rtol=3e-5, atol=0)
    sure = ours.face == exact.face
    assert int((~sure).sum()) <= 2 * len(cameras)
    torch.testing.assert_close(ours.depth[sure].double(), exact.depth[sure], rtol=3e-5, atol=0)


def summed(found: Fragments, what: str, weight: Tensor, keep: Tensor) -> Tensor:
    """A number that depends on every pixel's depth, or on a random attribute there."""
    if what == "depth":
        return (torch.where(keep, found.depth, 0.0) * weight).sum()
    attribute = random(len(HEAD.vertices), 2, seed=1).to(found.weights)
    values = found.interpolate(attribute, HEAD.faces)
    return (values * weight[..., None])[keep].sum()


@pytest.mark.parametrize("view", ["wide", "tall"])
@pytest.mark.parametrize("what", ["depth", "attribute"])
def test_gradients_at_the_vertices_are_theirs(what: str, view: str) -> None:
    """To 4·10⁻⁵ of their size, and to 10⁻³ with faces of less than a third of a pixel, which take the height's square."""
    cameras, vertices = VIEWS[view], heads(len(VIEWS[view]))
    seen = rasterize(vertices, HEAD.faces, cameras, backend="torch")
    high = seen.spread(size_on_screen(vertices, HEAD.faces, cameras, seen)[0]) > 0.005
    weight = random(*seen.mask.shape, seed=2)
    assert bool((seen.mask & ~high).any())
    for keep, tolerance in ((seen.mask, 1e-3), (high, 4e-5)):
        slopes = []
        for backend in ("double", "torch", "pytorch3d", "theirs"):
            leaf, watched = vertices.clone(), cameras
            if backend == "double":
                leaf, watched = leaf.double(), in_double(cameras)
            leaf.requires_grad_()
            if backend == "theirs":
                found = theirs(leaf, HEAD.faces, watched)
            else:
                found = rasterize(leaf, HEAD.faces, watched, backend="torch" if backend == "double" else backend)
            assert torch.equal(found.face, seen.face)
            slopes += torch.autograd.grad(summed(found, what, weight.to(leaf), keep), leaf)
        exact, *others = slopes
        for slope in others:
            assert float((slope - exact).norm() / exact.norm()) < tolerance


def textured(smooth: bool = True) -> Mesh:
    """The head with coloured clouds, or with a random colour in every texel."""
    if not smooth:
        return replace(HEAD, texture=random(512, 512, 3))
    clouds = torch.nn.functional.interpolate(random(1, 3, 32, 32), (512, 512), mode="bilinear", align_corners=False)
    return replace(HEAD, texture=clouds[0].permute(1, 2, 0).contiguous())


def their_picture(mesh: Mesh, cameras: Cameras, lights, materials=None, shader=HardPhongShader) -> Tensor:
    """A picture before black, shape (h, w, 4)."""
    blend = BlendParams(background_color=(0.0, 0.0, 0.0))
    paint = shader(cameras=to_pytorch3d_cameras(cameras), lights=lights, materials=materials, blend_params=blend)
    return MeshRenderer(their_rasterizer(cameras), paint)(to_pytorch3d(mesh))[0]


def our_picture(mesh: Mesh, camera: Camera, light: Lighting | None) -> Tensor:
    return render(mesh, camera, light=light, background=torch.zeros(3), settings=TORCH).picture


@pytest.mark.parametrize("smooth", [True, False])
@pytest.mark.parametrize("shader", [HardFlatShader, HardPhongShader])
def test_textures_look_as_theirs_do(shader, smooth: bool) -> None:
    """Places in the texture differ by thousandths of a texel: a colour by as much as it changes over them."""
    cameras = cut(orbit(0.4), 144, 128, (80.0, 60.0))
    mesh = textured(smooth)
    found = their_picture(mesh, cameras, AmbientLights(), shader=shader)
    ours = our_picture(mesh, cameras[0], None)
    assert torch.equal(found[..., 3] > 0, ours.amax(-1) > 0)
    difference = (found[..., :3] - ours).abs()
    assert float(difference.max()) < (1e-4 if smooth else 2e-3)
    assert float(difference.mean()) < (1e-6 if smooth else 1e-5)
    shifted = our_picture(replace(mesh, uv=mesh.uv + 0.5 / 512), cameras[0], None)  # half a texel would be seen
    assert float((shifted - ours).abs().mean()) > (1e-4 if smooth else 1e-2)


AMBIENT, COLOR, PLACE = (0.2, 0.3, 0.4), (0.5, 0.4, 0.3), (0.5, 0.4, 1.0)
COMMON = {"ambient_color": (AMBIENT,), "diffuse_color": (COLOR,), "specular_color": (COLOR,)}
LIGHTS = {
    "point": (
        PointLights(**COMMON, location=(PLACE,)),
        Point(torch.tensor(PLACE), torch.tensor(COLOR), falloff=0.0),
    ),
    "directional": (
        DirectionalLights(**COMMON, direction=(PLACE,)),
        Directional(torch.tensor(PLACE), torch.tensor(COLOR)),
    ),
}


def our_light(name: str, gloss: float, shininess: float) -> Lighting:
    return Lighting((Ambient(torch.tensor(AMBIENT)), LIGHTS[name][1]), gloss, shininess, "phong")


@pytest.mark.parametrize("name", LIGHTS)
@pytest.mark.parametrize(("gloss", "shininess"), [(0.0, 24.0), (0.6, 8.0), (0.6, 64.0)])
def test_phongs_light_is_theirs(name: str, gloss: float, shininess: float) -> None:
    """As a texture is; light adds roundings of cosines, which a power of 64 makes 64 times as large."""
    cameras, mesh = orbit(0.4), textured()
    materials = Materials(specular_color=((gloss,) * 3,), shininess=shininess)
    found = their_picture(mesh, cameras, LIGHTS[name][0], materials)[..., :3]
    ours = our_picture(mesh, cameras[0], our_light(name, gloss, shininess))
    assert float((found - ours).abs().max()) < 1e-4
    assert float((found - ours).abs().mean()) < 2e-6
    if gloss:
        matt = our_picture(mesh, cameras[0], our_light(name, 0.0, shininess))
        halfway = our_picture(mesh, cameras[0], replace(our_light(name, gloss, shininess), model="blinn-phong"))
        assert float((ours - matt).max()) > 0.2
        assert float((ours - halfway).abs().max()) > 0.05


def test_normals_are_theirs() -> None:
    found = to_pytorch3d(HEAD).verts_normals_packed()
    torch.testing.assert_close(found, vertex_normals(HEAD.vertices, HEAD.faces), rtol=0, atol=4 * UNIT)


def test_a_pictures_gradients_at_vertices_and_texture_are_theirs() -> None:
    """Through light, normals, texture and rasterizer at once."""
    cameras, start, weight = orbit(0.4), textured(), random(128, 128, 3, seed=3)
    slopes = []
    for which in ("ours", "theirs"):
        mesh = replace(
            start, vertices=start.vertices.clone().requires_grad_(), texture=start.texture.clone().requires_grad_()
        )
        if which == "ours":
            picture = our_picture(mesh, cameras[0], our_light("point", 0.6, 24.0))
        else:
            materials = Materials(specular_color=((0.6,) * 3,), shininess=24.0)
            picture = their_picture(mesh, cameras, LIGHTS["point"][0], materials)[..., :3]
        slopes.append(torch.autograd.grad((picture * weight).sum(), [mesh.vertices, mesh.texture]))
    for ours, found, tolerance in zip(*slopes, (1e-3, 1e-4), strict=True):
        assert float((ours - found).norm() / found.norm()) < tolerance


def pairs_of_theirs(vertices: Tensor, cameras: Cameras, most: int = 128) -> tuple[Tensor, Tensor, Tensor]:
    """Pixel, face and squared distance in screen units, of all uncovered pixels and faces within the margin."""
    size = (cameras.height, cameras.width)
    blur = (SOFT.margin(*size) / (min(size) / 2)) ** 2
    found = their_rasterizer(cameras, blur_radius=blur, faces_per_pixel=most)(Meshes([vertices], [HEAD.faces]))
    free = ~rasterize(vertices[None], HEAD.faces, cameras, backend="torch").mask[0]
    near = (found.pix_to_face[0] >= 0) & free[..., None]
    assert 20 < int(near.sum(-1).max()) < most  # all of them had room
    pixel = torch.arange(free.numel()).reshape(*size, 1).expand(*size, most)
    return pixel[near], found.pix_to_face[0][near], found.dists[0][near]


def on_screen(vertices: Tensor, cameras: Cameras) -> tuple[Tensor, Tensor, Tensor, Tensor, SoftMask]:
    """What the soft mask is made of."""
    points = cameras.to_camera(vertices[None])
    mask = rasterize(vertices[None], HEAD.faces, cameras, backend="torch").mask
    return cameras.to_pixels(points), points[..., 2] < 0, HEAD.faces, mask, SOFT


@pytest.mark.parametrize("view", ["square", "wide"])
def test_faces_beside_a_pixel_and_their_distances_are_theirs(view: str) -> None:
    """The same pairs of a pixel and a face; distances to 10⁻⁴ pixels, and from theirs the same mask."""
    cameras = orbit(0.4) if view == "square" else cut(orbit(0.4), 160, 96, (90.0, 40.0))
    half = min(cameras.height, cameras.width) / 2
    pixel, face, squared = pairs_of_theirs(HEAD.vertices, cameras)
    order = torch.argsort(pixel * len(HEAD.faces) + face)
    inputs = on_screen(HEAD.vertices, cameras)
    ours = contributions(*inputs)
    own = torch.argsort(ours.pixel * len(HEAD.faces) + ours.face)
    assert len(pixel) > 4000
    assert torch.equal(ours.pixel[own], pixel[order])
    assert torch.equal(ours.face[own], face[order])
    torch.testing.assert_close(ours.distance[own], half * squared[order].sqrt(), rtol=0, atol=1e-4)
    left = torch.log((1 - torch.exp(-squared / SOFT.delta)).clamp(min=1e-12))
    rest = torch.zeros(inputs[3].numel()).index_add(0, pixel, left).exp().reshape(inputs[3].shape)
    made = reference(*inputs)
    assert int(((made > 0.05) & (made < 0.95)).sum()) > 100
    torch.testing.assert_close(made, torch.where(inputs[3], 1.0, 1 - rest), rtol=0, atol=1e-4)


def test_the_soft_masks_gradient_is_that_of_their_distances() -> None:
    cameras = orbit(0.4, size=64)
    slopes = []
    for which in ("ours", "theirs"):
        leaf = HEAD.vertices.clone().requires_grad_()
        if which == "ours":
            mask = reference(*on_screen(leaf, cameras)).reshape(-1)
        else:
            pixel, _, squared = pairs_of_theirs(leaf, cameras)
            left = torch.log((1 - torch.exp(-squared / SOFT.delta)).clamp(min=1e-12))
            mask = 1 - torch.zeros(64 * 64).index_add(0, pixel, left).exp()
        slopes += torch.autograd.grad((mask * random(64 * 64, seed=4)).sum(), leaf)
    assert float((slopes[0] - slopes[1]).norm() / slopes[1].norm()) < 1e-3


def test_their_silhouette_beside_the_head_follows_from_our_distances() -> None:
    """Theirs is 1 − Π (1 − sigmoid(−d²/σ)) there: half, not all, of a face that a pixel just misses."""
    cameras = orbit(0.4)
    size, sigma = (128, 128), 1e-4
    blur = (SOFT.margin(*size) / 64) ** 2
    rasterizer = their_rasterizer(cameras, blur_radius=blur, faces_per_pixel=128)
    paint = SoftSilhouetteShader(BlendParams(sigma=sigma))
    found = MeshRenderer(rasterizer, paint)(to_pytorch3d(HEAD))[0, ..., 3]
    inputs = on_screen(HEAD.vertices, cameras)
    ours = contributions(*inputs)
    left = torch.nn.functional.logsigmoid((ours.distance / 64).square() / sigma)
    made = 1 - torch.zeros(128 * 128).index_add(0, ours.pixel, left).exp().reshape(size)
    free = ~inputs[3][0]
    assert int(((made > 0.05) & (made < 0.95) & free).sum()) > 100
    torch.testing.assert_close(made[free], found[free], rtol=0, atol=1e-4)


SQUARE = torch.tensor([[-1.0, -1.0, -1.0], [1.0, -1.0, -1.0], [1.0, 1.0, -1.0], [-1.0, 1.0, -1.0]])
HALVES = torch.tensor([[0, 1, 2], [0, 2, 3]])
STRAIGHT = Cameras.of(Camera(torch.eye(3), torch.zeros(3), 8.0, torch.tensor([8.0, 8.0]), 16, 16))


def test_a_pixel_on_an_edge_is_covered_here_and_a_hole_there() -> None:
    ours = rasterize(SQUARE[None], HALVES, STRAIGHT, backend="torch")
    assert bool(ours.mask.all())
    assert torch.equal(theirs(SQUARE[None], HALVES, STRAIGHT).mask[0], ~torch.eye(16, dtype=torch.bool).flip(1))


def test_a_face_that_ends_behind_the_camera_is_seen_here_and_there_when_clipped() -> None:
    floor = torch.tensor([[-9.0, -0.2, -9.0], [9, -0.2, -9], [9, -0.2, 9], [-9, -0.2, 9]])[None]
    cameras = orbit(0.3, size=64, focal=1.0)
    ours = rasterize(floor, HALVES, cameras, backend="torch")
    assert int(ours.mask.sum()) > 1000
    assert not bool(theirs(floor, HALVES, cameras).mask.any())
    clipped = theirs(floor, HALVES, cameras, z_clip_value=0.1)
    assert torch.equal(ours.face, clipped.face)
    torch.testing.assert_close(ours.barycentric, clipped.barycentric, rtol=0, atol=3e-5)
    torch.testing.assert_close(ours.depths, clipped.depths, rtol=1e-4, atol=0)


def test_a_tiny_face_is_seen_here_and_not_there() -> None:
    """Around a pixel's centre: twice an area of less than 10⁻⁸ square units counts as none there."""
    middle = torch.tensor([0.5 / 8, 0.5 / 8, 0.0]) + torch.tensor([0.0, 0.0, -1.0])
    for side, seen in ((5e-5, False), (1e-3, True)):
        small = middle + side * torch.tensor([[-0.3, -0.3, 0.0], [0.7, -0.3, 0.0], [-0.3, 0.7, 0.0]])
        small = torch.cat([small, SQUARE - torch.tensor([0.0, 0.0, 1.0])])[None]
        faces = torch.tensor([[0, 1, 2], [3, 4, 5], [3, 5, 6]])
        assert int((rasterize(small, faces, STRAIGHT, backend="torch").face == 0).sum()) == 1
        assert bool((theirs(small, faces, STRAIGHT).face == 0).any()) == seen
