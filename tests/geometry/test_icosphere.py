"""Icospheres: counts, symmetry, the sphere from below, and the texture map with its seam."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from headviz.errors import OptionError
from headviz.geometry.icosphere import icosphere
from headviz.geometry.mesh import Mesh, face_normals, split_seams

DOUBLE = torch.float64
FLIP = torch.tensor([-1.0, 1.0, 1.0])
LEVELS = range(6)


def corners(mesh: Mesh) -> Tensor:
    """Texture coordinates of the faces' corners, shape (m, 3, 2)."""
    assert mesh.uv is not None
    assert mesh.uv_faces is not None
    return mesh.uv[mesh.uv_faces]


def longitude(points: Tensor) -> Tensor:
    return torch.atan2(points[..., 0], points[..., 2])


def sides(faces: Tensor) -> Tensor:
    """Directed edges, shape (3 m, 2)."""
    return faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)


def crossing(mesh: Mesh) -> Tensor:
    """Which faces lie across the meridian on −z."""
    x, _, z = mesh.vertices[mesh.faces].unbind(2)
    return (x.amin(1) < 0) & (x.amax(1) > 0) & (z.amin(1) < 0) & (z.amax(1) <= 1e-9)


@pytest.mark.parametrize("n", [*LEVELS, 6])
def test_counts(n: int) -> None:
    mesh = icosphere(n)
    assert len(mesh.vertices) == 10 * 4**n + 2
    assert len(mesh.faces) == 20 * 4**n
    assert len(corners(mesh).reshape(-1, 2).unique(dim=0)) == len(mesh.uv) == 10 * 4**n + 3 * 2**n + 9
    assert mesh.faces.unique().tolist() == list(range(len(mesh.vertices)))
    assert mesh.uv_faces.unique().tolist() == list(range(len(mesh.uv)))


@pytest.mark.parametrize("n", LEVELS)
def test_closed_oriented_and_of_euler_characteristic_2(n: int) -> None:
    mesh = icosphere(n)
    directed = sides(mesh.faces)
    assert len(directed.unique(dim=0)) == len(directed)
    assert {tuple(e) for e in directed.tolist()} == {tuple(e) for e in directed.flip(1).tolist()}
    assert len(mesh.vertices) - len(directed) // 2 + len(mesh.faces) == 2
    degrees = directed[:, 0].bincount()
    assert (degrees == 5).sum() == 12
    assert (degrees == 6).sum() == len(mesh.vertices) - 12


@pytest.mark.parametrize("n", LEVELS)
@pytest.mark.parametrize("radius", [0.09, 1.0, 250.0])
def test_all_vertices_are_on_the_sphere_and_faces_look_outwards(n: int, radius: float) -> None:
    mesh = icosphere(n, radius=radius, dtype=DOUBLE)
    assert float((mesh.vertices.norm(dim=1) / radius - 1).abs().max()) < 4e-16
    single = icosphere(n, radius=radius)
    assert single.vertices.dtype == single.uv.dtype == torch.float32
    assert torch.equal(single.vertices, mesh.vertices.float())
    normals = torch.nn.functional.normalize(face_normals(mesh.vertices, mesh.faces), dim=1)
    middle = torch.nn.functional.normalize(mesh.vertices[mesh.faces].mean(1), dim=1)
    assert float((normals * middle).sum(1).min()) > 0.98


def test_area_and_volume_reach_the_sphere_from_below() -> None:
    """And the error is that of second order: a quarter with each subdivision."""
    errors = []
    for n in range(6):
        mesh = icosphere(n, radius=0.5, dtype=DOUBLE)
        weighted = face_normals(mesh.vertices, mesh.faces)
        area = float(weighted.norm(dim=1).sum()) / 2
        volume = float((mesh.vertices[mesh.faces[:, 0]] * weighted).sum()) / 6
        errors.append((1 - area / math.pi, 1 - volume / (math.pi / 6)))
    # The icosahedron in a sphere of radius 1 has edges of 1.0515: areas and volumes in closed form.
    edge = 1 / math.sin(2 * math.pi / 5)
    assert errors[0][0] == pytest.approx(1 - 5 * math.sqrt(3) * edge**2 / (4 * math.pi), abs=1e-12)
    assert errors[0][1] == pytest.approx(1 - 5 / 12 * (3 + math.sqrt(5)) * edge**3 / (4 / 3 * math.pi), abs=1e-12)
    for coarse, fine in itertools.pairwise(errors):
        assert 0 < fine[0] < coarse[0] / 3
        assert 0 < fine[1] < coarse[1] / 3
    assert [c / f for c, f in zip(*errors[-2:], strict=True)] == pytest.approx([4, 4], rel=0.01)


@pytest.mark.parametrize("n", LEVELS)
def test_triangles_are_nearly_equal(n: int) -> None:
    mesh = icosphere(n, dtype=DOUBLE)
    ends = mesh.vertices[sides(mesh.faces)]
    lengths = (ends[:, 0] - ends[:, 1]).norm(dim=1)
    assert float(lengths.max() / lengths.min()) < 1.3


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
@pytest.mark.parametrize("n", LEVELS)
def test_the_mirror_is_exact(n: int, dtype: torch.dtype) -> None:
    mesh = icosphere(n, radius=0.1, dtype=dtype)
    assert mesh.mirror is not None
    assert torch.equal(mesh.vertices[mesh.mirror], mesh.vertices * FLIP)
    assert torch.equal(mesh.mirror[mesh.mirror], torch.arange(len(mesh.vertices)))
    assert bool((mesh.vertices[mesh.mirror == torch.arange(len(mesh.mirror)), 0] == 0).all())
    assert not bool(mesh.vertices[mesh.vertices == 0].signbit().any())  # atan2 would be on the other side of the seam
    twins = {tuple(sorted(face)) for face in mesh.mirror[mesh.faces].tolist()}
    assert twins == {tuple(sorted(face)) for face in mesh.faces.tolist()}


def test_a_finer_sphere_begins_with_the_coarser_one() -> None:
    coarse, fine = icosphere(2), icosphere(3)
    assert torch.equal(fine.vertices[: len(coarse.vertices)], coarse.vertices)
    children = fine.vertices[fine.faces].reshape(len(coarse.faces), 12, 3).mean(1)
    parents = coarse.vertices[coarse.faces].mean(1)
    nearest = torch.cdist(children, parents).argmin(1)
    assert torch.equal(nearest, torch.arange(len(coarse.faces)))


@pytest.mark.parametrize("n", LEVELS)
def test_texture_coordinates_are_those_of_a_map_of_the_world(n: int) -> None:
    """Every corner but poles and those drawn back to the seam, of which there are as many as stated."""
    mesh = icosphere(n, radius=0.3, dtype=DOUBLE)
    place, points = corners(mesh), mesh.vertices[mesh.faces]
    assert 0 <= float(place.min()) <= float(place.max()) <= 1
    torch.testing.assert_close(place[..., 1], 0.5 + (points[..., 1] / 0.3).clamp(-1, 1).asin() / math.pi)
    pole = points[..., [0, 2]].abs().amax(-1) < 1e-12
    assert pole.sum() == 10
    assert {float(v) for v in place[..., 1][pole]} == {0.0, 1.0}
    away = place[..., 0] - 0.5 - longitude(points) / (2 * math.pi)
    seam = (away.abs() - 1).abs() < 1e-12  # the other side of the seam
    drawn = ~pole & ~seam & (away.abs() > 1e-12)
    assert drawn.any(1).sum() == crossing(mesh).sum() == 2 * 2**n
    assert torch.equal(drawn.any(1), crossing(mesh))
    assert bool((drawn.sum(1) <= 1).all())
    assert set(place[..., 0][drawn].tolist()) == {1.0}
    assert bool((points[drawn][:, 0] < 0).all())


@pytest.mark.parametrize("n", LEVELS)
def test_the_front_is_in_the_middle_and_the_seam_at_the_back(n: int) -> None:
    mesh = icosphere(n, dtype=DOUBLE)
    place, points = corners(mesh), mesh.vertices[mesh.faces]
    level = (points[..., 0] == 0) & (points[..., 1].abs() < 0.999)
    front, back = level & (points[..., 2] > 0), level & (points[..., 2] < 0)
    assert bool((place[..., 0][front] == 0.5).all())
    assert set(place[..., 0][back].tolist()) == {0.0, 1.0}
    right = points[..., 0].amin(1) > 0  # +x is the head's own left, on the right of who looks at its face
    assert float(place[..., 0][right].min()) > 0.5


@pytest.mark.parametrize("n", LEVELS)
def test_no_triangle_of_the_map_is_stretched_folded_or_across_the_seam(n: int) -> None:
    """Sides on the map, measured at the scale of the map where they are, against sides on the sphere."""
    mesh = icosphere(n, dtype=DOUBLE)
    place, points = corners(mesh), mesh.vertices[mesh.faces]
    extent = place.amax(1) - place.amin(1)
    assert float(extent[:, 0].max()) <= 0.2 + 1e-12
    side = place.roll(-1, 1) - place
    assert float((side[:, 0, 0] * side[:, 1, 1] - side[:, 0, 1] * side[:, 1, 0]).min()) > 0  # counter-clockwise
    pole = (points[..., [0, 2]].abs().amax(-1) < 1e-12).any(1)
    latitude = (place[..., 1] - 0.5) * math.pi
    scale = 2 * math.pi * latitude.cos().mean(1)
    east, north = extent[:, 0] * scale, extent[:, 1] * math.pi
    arcs = 2 * ((points.roll(-1, 1) - points).norm(dim=2) / 2).asin()
    inside = ~pole & ~crossing(mesh)
    assert 0.7 < float((east / arcs.amin(1))[inside].min()) < float((east / arcs.amax(1))[inside].max()) < 1.4
    across = ~pole & crossing(mesh)
    if n:
        assert 0.4 < float((east / arcs.amin(1))[across].min()) < float((east / arcs.amax(1))[across].max()) < 0.7
    assert 0.5 < float((north / arcs.amin(1)).min()) < float((north / arcs.amax(1)).max()) < 1.2


@pytest.mark.parametrize("n", LEVELS)
def test_the_seam_is_one_path_of_edges_from_pole_to_pole(n: int) -> None:
    """Edges whose ends differ in texture from one of their faces to the other are those of the seam, or lead to a pole."""
    mesh = icosphere(n)
    directed, textured = sides(mesh.faces).tolist(), sides(mesh.uv_faces).tolist()
    of_edge = {tuple(edge): tuple(uv) for edge, uv in zip(directed, textured, strict=True)}
    cut = {(a, b) for (a, b), (p, q) in of_edge.items() if a < b and of_edge[b, a] != (q, p)}
    poles = {int(mesh.vertices[:, 1].argmax()), int(mesh.vertices[:, 1].argmin())}
    inside = {edge for edge in cut if not poles & set(edge)}
    assert len(cut) - len(inside) == 10
    downwards = sorted({end for edge in inside for end in edge}, key=lambda end: -float(mesh.vertices[end, 1]))
    assert inside == {tuple(sorted(edge)) for edge in itertools.pairwise(downwards)}
    assert len(inside) == 3 * 2**n - 2
    assert float(mesh.vertices[downwards, 2].max()) < 0


@pytest.mark.parametrize("n", LEVELS)
def test_poles_are_halfway_between_the_other_corners(n: int) -> None:
    mesh = icosphere(n, dtype=DOUBLE)
    place, points = corners(mesh), mesh.vertices[mesh.faces]
    pole = points[..., 1].abs() > 1 - 1e-12
    assert pole.any(1).sum() == 10
    of_pole = place[..., 0][pole]
    others = place[..., 0][pole.any(1)][~pole[pole.any(1)]].reshape(10, 2)
    torch.testing.assert_close(of_pole, others.mean(1))
    assert len(mesh.uv_faces[pole].unique()) == 10


def test_splitting_the_seam_gives_one_vertex_per_coordinate() -> None:
    mesh = icosphere(3)
    split, _ = split_seams(mesh)
    assert len(split.vertices) == len(mesh.uv)
    assert torch.equal(split.uv[split.faces], corners(mesh))


def test_called_twice_gives_the_same() -> None:
    first, second = icosphere(4), icosphere(4)
    for name in ("vertices", "faces", "uv", "uv_faces", "mirror"):
        assert torch.equal(getattr(first, name), getattr(second, name))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"subdivisions": -1}, r"in 0 … 8; there are -1"),
        ({"subdivisions": 9}, r"in 0 … 8; there are 9"),
        ({"radius": 0.0}, "positive and finite in torch.float32; it is 0"),
        ({"radius": -0.1}, r"it is -0\.1"),
        ({"radius": math.nan}, "it is nan"),
        ({"radius": math.inf}, "it is inf"),
        ({"radius": 1e39}, r"it is 1e\+39"),
        ({"dtype": torch.int64}, "floating-point type; it is torch.int64"),
    ],
)
def test_errors(arguments, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        icosphere(**arguments)
