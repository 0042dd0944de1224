"""What is wrong with a mesh, and repairs."""

from __future__ import annotations

from dataclasses import replace

import igl
import numpy as np
import pytest
import torch
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from headviz.errors import OptionError
from headviz.geometry.files import write_stl
from headviz.geometry.mesh import Mesh
from headviz.interop import load_mesh
from headviz.sculpt import Brush, SculptSession, Stroke
from headviz.sculpt.condition import FIXES, condition
from headviz.sculpt.repair import fix
from headviz.sculpt.sheets import edges_of

from .conftest import wavy_sheet


def ball(radius: float = 0.1, detail: int = 2) -> Mesh:
    made = trimesh.creation.icosphere(detail, radius)
    return Mesh(torch.from_numpy(made.vertices).float(), torch.from_numpy(made.faces).long())


def kinds(mesh: Mesh) -> list[str]:
    return [problem.kind for problem in condition(mesh).problems]


def with_faces(mesh: Mesh, *faces: list[int]) -> Mesh:
    return replace(mesh, faces=torch.cat([mesh.faces, torch.tensor(faces)]))


def with_vertices(mesh: Mesh, *vertices: list[float]) -> Mesh:
    return replace(mesh, vertices=torch.cat([mesh.vertices, torch.tensor(vertices)]))


BALL = ball()


def test_a_ball_in_metres_has_nothing_wrong():
    found = condition(BALL)
    assert (found.problems, found.usable, found.text) == ((), True, "")
    assert (found.vertices, found.faces, found.components, found.boundary_edges) == (162, 320, 1, 0)
    assert found.size == pytest.approx(0.2, rel=1e-2)


CASES = {
    "nan": (lambda: replace(BALL, vertices=BALL.vertices.index_fill(0, torch.tensor([3, 8]), float("nan"))),
            "nan", "Of 162 vertices, 2 have a coordinate that is NaN or infinite.", "remove_nan"),
    "nan morph": (lambda: replace(BALL, morphs={"smile": BALL.vertices / 0}),
                  "nan_values", "smile has numbers that are NaN or infinite.", "remove_nan"),
    "unreferenced": (lambda: with_vertices(BALL, [0.0, 0, 0]), "unreferenced", "1 vertex is in no face.",
                     "remove_unreferenced"),
    "degenerate": (lambda: with_faces(BALL, [5, 5, 6], [7, 8, 7]), "degenerate",
                   "2 faces have one vertex at two corners.", "remove_degenerate"),
    "duplicates": (lambda: with_faces(BALL, BALL.faces[7].roll(1).tolist()), "duplicate_faces",
                   "1 face has the corners of another face.", "remove_duplicates"),
    "edges": (lambda: with_faces(with_vertices(BALL, [0.2, 0, 0]), [*BALL.faces[0, :2].tolist(), 162]),
              "nonmanifold_edges", "1 edge has more than two faces", "split"),
    "vertices": (lambda: Mesh(torch.cat([BALL.vertices, BALL.vertices[1:] + 0.3]),
                              torch.cat([BALL.faces, torch.where(BALL.faces > 0, BALL.faces + 161, 0)])),
                 "nonmanifold_vertices", "1 vertex is where parts of the surface meet in a point", "split"),
    "winding": (lambda: replace(BALL, faces=torch.cat([BALL.faces[:1].flip(1), BALL.faces[1:]])), "winding",
                "Along 3 edges the faces on both sides are wound against each other.", "orient"),
    "inside out": (lambda: replace(BALL, faces=BALL.faces.flip(1)), "inside_out",
                   "All 320 faces look inwards: the volume is negative.", "orient"),
    "far": (lambda: replace(BALL, vertices=BALL.vertices + torch.tensor([0.0, 50.0, 0.0])), "far",
            "Its middle is 50 m from the origin, 250 times its size; positions are exact to 3e-06 m there.",
            "recentre"),
    "off the plane": (lambda: replace(BALL, vertices=BALL.vertices + torch.tensor([0.05, 0.0, 0.0])), "off_plane",
                      "Its middle is at x = 0.05 m; the mirror plane of symmetric strokes is x = 0.", "recentre"),
    "millimetres": (lambda: ball(130.0), "scale",
                    "Its longest side is 260 m, a head's about 0.25 m; in millimetres that is 0.26 m.", "rescale"),
    "centimetres": (lambda: ball(11.0), "scale", "in centimetres that is 0.22 m.", "rescale"),
    "a unit of its own": (lambda: ball(1.0), "scale", "no usual unit makes it a head; 0.25 m is offered.", "rescale"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_problem_is_told_with_its_numbers_and_its_repair_ends_it(name):
    make, kind, text, name_of_fix = CASES[name]
    mesh = make()
    found = condition(mesh)
    (problem,) = [one for one in found.problems if one.kind == kind]
    assert text in problem.text
    assert problem.fix == name_of_fix
    assert name_of_fix in found.fixes
    assert found.usable == (name_of_fix != "remove_nan")
    made = fix(mesh, name_of_fix)
    assert made.fixes == (name_of_fix,)
    assert len(made.notes) == 1
    assert kind not in kinds(made.mesh)
    every = fix(mesh, "all")
    assert name_of_fix in every.fixes
    assert set(condition(every.mesh).fixes) <= {"weld"}
    assert condition(every.mesh).usable
    assert kind in kinds(mesh)  # what is given stays as it is


def test_things_that_are_only_said():
    assert kinds(Mesh(BALL.vertices[:3], torch.zeros(0, 3, dtype=torch.int64))) == ["unreferenced", "empty"]
    few = condition(Mesh(torch.tensor([[0.0, 0, 0], [0.1, 0, 0], [0, 0.1, 0]]), torch.tensor([[0, 1, 2]])))
    assert few.problems[-1].text or few.usable
    assert "The mesh has only 3 vertices; a brush needs many" in few.text
    sheet = condition(wavy_sheet())
    assert sheet.text == "The surface is open: 92 edges with one face, in 1 opening."
    assert sheet.fixes == ()
    two = Mesh(torch.cat([BALL.vertices, BALL.vertices]), torch.cat([BALL.faces, BALL.faces + 162]))
    assert "The surface has 2 parts that are not connected" in condition(two).text
    flat = BALL.vertices.clone()
    flat[BALL.faces[0, 0]] = flat[BALL.faces[0, 1]]
    assert "2 faces have no area; left alone" in condition(replace(BALL, vertices=flat)).text


def test_the_packaged_head_needs_nothing(head):
    found = condition(head)
    assert found.usable
    assert found.fixes == ()
    assert (found.components, found.boundary_edges) == (4, 58)


def test_a_soup_is_welded_and_closed_lips_stay_two(tmp_path):
    write_stl(tmp_path / "ball.stl", BALL)
    soup = load_mesh(tmp_path / "ball.stl", join=False)
    shaken = replace(
        soup,
        vertices=soup.vertices + 1e-8 * torch.randn(soup.vertices.shape, generator=torch.Generator().manual_seed(0)),
    )
    assert "where another one is and can be joined to it" in condition(shaken).text
    made = fix(shaken, "all")
    assert len(made.mesh.faces) == 320
    assert len(made.mesh.vertices) == 162
    assert trimesh.Trimesh(made.mesh.vertices, made.mesh.faces, process=False).is_watertight
    lips = torch.zeros(960, 3)
    lips[::3, 1] = 0.01  # the first corner of every face opens
    opening = fix(replace(soup, morphs={"open": lips}), "weld").mesh
    assert len(opening.vertices) > 162
    assert set(opening.morphs["open"][:, 1].tolist()) == {0.0, np.float32(0.01)}


def test_repairs_carry_everything_along(head):
    colors = torch.rand(len(head.vertices), 3)
    extra = [10, 3000]
    broken = replace(head, colors=colors, vertices=head.vertices.index_fill(0, torch.tensor(extra), float("nan")))
    made = fix(broken, "remove_nan", "remove_unreferenced").mesh
    kept = torch.ones(len(head.vertices), dtype=torch.bool)
    kept[extra] = False
    assert torch.equal(made.vertices, head.vertices[kept])
    assert torch.equal(made.colors, colors[kept])
    assert torch.equal(made.morphs["jawOpen"], head.morphs["jawOpen"][kept])
    faces = kept[head.faces].all(1)
    assert torch.equal(made.vertices[made.faces], head.vertices[head.faces[faces]])
    assert torch.equal(made.uv[made.uv_faces], head.uv[head.uv_faces[faces]])
    assert made.mirror is None  # twins went alone
    twins = [1000, int(head.mirror[1000])]
    both = fix(replace(head, vertices=head.vertices.index_fill(0, torch.tensor(twins), float("nan"))), "all").mesh
    assert both.mirror is not None
    torch.testing.assert_close(
        both.vertices[both.mirror] * torch.tensor([-1.0, 1, 1]), both.vertices, rtol=0, atol=1e-6
    )


def test_turned_faces_keep_their_texture(head):
    turned = torch.arange(len(head.faces)) % 3 == 0
    flip = torch.tensor([0, 2, 1])
    broken = replace(
        head,
        faces=torch.where(turned[:, None], head.faces[:, flip], head.faces),
        uv_faces=torch.where(turned[:, None], head.uv_faces[:, flip], head.uv_faces),
    )
    made = fix(broken, "orient").mesh
    corners, ours = (
        {tuple(row) for row in torch.cat([m.faces.reshape(-1, 1), m.uv_faces.reshape(-1, 1)], 1).tolist()}
        for m in (made, head)
    )
    assert corners == ours
    edges = edges_of(made.faces.numpy(), len(made.vertices))
    assert (edges.upwards[edges.count == 2] == 1).all()


def test_a_strip_with_one_side_stays_as_it_is():
    ring = torch.arange(8)
    angle = ring * torch.pi / 4
    middle = torch.stack([angle.cos(), angle.sin(), 0 * angle], 1)
    across = (angle / 2).cos()[:, None] * middle + (angle / 2).sin()[:, None] * torch.tensor([0.0, 0, 1])
    points = 0.1 * torch.cat([middle + 0.3 * across, middle - 0.3 * across])
    after = torch.where(ring < 7, ring + 1, 8)  # once around, the upper edge goes on as the lower one
    below = torch.where(ring < 7, ring + 9, 0)
    faces = torch.cat([torch.stack([ring, after, ring + 8], 1), torch.stack([after, below, ring + 8], 1)])
    strip = Mesh(points, faces)
    assert "winding" in kinds(strip)
    made = fix(strip, "orient")
    assert made.fixes == ()
    assert torch.equal(made.mesh.faces, faces)


def test_a_mesh_goes_back_to_its_own_frame():
    far = replace(
        ball(130.0),
        vertices=ball(130.0).vertices + torch.tensor([0.0, 4000.0, 10.0]),
        morphs={"up": ball(5.0).vertices},
    )
    made = fix(far, "all")
    assert made.fixes == ("recentre", "rescale")
    assert made.frame.center == pytest.approx((0, 4000, 10), abs=0.1)
    assert made.frame.scale == 0.001
    assert condition(made.mesh).problems == ()
    torch.testing.assert_close(made.mesh.morphs["up"], ball(0.005).vertices, rtol=1e-5, atol=1e-9)
    back = made.frame.restore(made.mesh)
    torch.testing.assert_close(back.vertices, far.vertices, rtol=0, atol=3e-4)  # of 4000: the last place of float32
    torch.testing.assert_close(back.morphs["up"], far.morphs["up"], rtol=1e-6, atol=1e-6)


def test_unknown_repairs():
    with pytest.raises(OptionError, match=r"a repair should be one of all, remove_nan, .* it is 'glue'"):
        fix(BALL, "glue")
    assert fix(BALL).fixes == fix(BALL, *FIXES[:-2]).fixes == ()


@settings(max_examples=60)
@given(data=st.data())
def test_any_triangles_can_be_looked_at_and_repaired(data):
    count = data.draw(st.integers(3, 12))
    faces = data.draw(st.lists(st.tuples(*[st.integers(0, count - 1)] * 3), min_size=1, max_size=14))
    places = st.sampled_from([0.0, 0.1, 0.1 + 1e-9, -0.2, 3.0, float("nan"), float("inf")])
    vertices = data.draw(st.lists(st.tuples(places, places, places), min_size=count, max_size=count))
    mesh = Mesh(torch.tensor(vertices), torch.tensor(faces))
    found = condition(mesh)
    made = fix(mesh, "all").mesh
    assert len(made.faces) <= len(mesh.faces)
    assert bool(made.vertices.isfinite().all())
    assert {"nan", "degenerate", "duplicate_faces"}.isdisjoint(kinds(made))
    if len(made.faces):
        assert bool(np.all(igl.is_edge_manifold(made.faces.numpy())[0]))
        SculptSession(made).apply(Stroke(Brush(), (tuple(made.vertices[0].tolist()),), (0.0, 0.0, 0.01)))
    assert all(problem.text.endswith(".") and "\n" not in problem.text for problem in found.problems)
