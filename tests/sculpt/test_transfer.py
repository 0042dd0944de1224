"""The strokes of one head on another."""

from __future__ import annotations

import igl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headviz.geometry.extract import extract_surface
from headviz.geometry.mesh import Mesh
from headviz.geometry.presets import preset
from headviz.heads.model import load_head
from headviz.sculpt import Brush, Keypoint, SculptSession, SetKeypoints, SetSliders, Stroke, Symmetrise
from headviz.sculpt.places import locate
from headviz.sculpt.transfer import replay_on

from .strategies import steps

pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
NOSE_TIP, CHEEK_POINT = 1, 425  # MediaPipe's


def other_head() -> Mesh:
    """Another person."""
    model = load_head()
    return model.mesh(model.vertices(model.sample(1, 3))[0])


def place(mesh: Mesh, point: int) -> tuple[float, float, float]:
    return tuple(load_head().landmarks(mesh.vertices)[point].tolist())


def grabbed(mesh: Mesh, point: int, vector: tuple[float, float, float]) -> SculptSession:
    session = SculptSession(mesh)
    session.apply(Stroke(Brush(radius=0.03), (place(mesh, point),), vector))
    return session


def moved(session: SculptSession) -> np.ndarray:
    return np.linalg.norm(session.positions - session.surface.rest, axis=1)


@settings(max_examples=15)
@given(done=st.lists(steps(), min_size=1, max_size=5))
def test_on_its_own_base_a_session_is_itself(head, done):
    session = SculptSession(head)
    for step in done:
        session.apply(step)
    found = replay_on(session, head)
    assert (found.notes, found.same_faces) == ((), True)
    np.testing.assert_array_equal(found.session.positions, session.positions)
    np.testing.assert_array_equal(found.session.mask, session.mask)


def test_on_another_person_the_same_place_moves(head):
    session = grabbed(head, NOSE_TIP, (0.0, 0.0, 0.02))
    session.keep_version("long nose")
    session.apply(Stroke(Brush("inflate", radius=0.03), (place(head, CHEEK_POINT),)))
    person = other_head()
    found = replay_on(session, person)
    assert found.notes == ()
    scale = found.session.surface.size / session.surface.size
    assert scale != 1
    nose, cheek = (entry.step for entry in found.session.history[1:])
    np.testing.assert_allclose(nose.points[0], place(person, NOSE_TIP), atol=1e-6)
    np.testing.assert_allclose(nose.vector, (0, 0, 0.02 * scale), rtol=1e-6)
    assert nose.brush.radius == pytest.approx(0.03 * scale)
    np.testing.assert_allclose(cheek.points[0], place(person, CHEEK_POINT), atol=1e-3)  # the nose's grab reaches there
    assert found.session.versions == {"long nose": 1}
    assert found.session.sculpted_residual < 1e-6


def test_a_head_of_twice_the_size_gets_twice_the_strokes(head):
    session = grabbed(head, NOSE_TIP, (0.0, 0.01, 0.02))
    nose = place(head, NOSE_TIP)
    session.apply(SetKeypoints((Keypoint(nose, (0.0, 0.01, 0.0)), Keypoint(nose, (0.01, 0, 0), "wendland", 900.0))))
    session.apply(SetKeypoints((Keypoint(nose, (0.0, 0.01, 0.0), "inverse_multiquadric", 0.03),), exact=True))
    session.apply(Stroke(Brush("smooth", radius=0.05), (nose, (0.0, 0.0, 0.07))))
    large = replay_on(session, Mesh(2 * head.vertices, head.faces, mirror=head.mirror)).session
    np.testing.assert_allclose(large.positions, 2 * session.positions, atol=1e-6)


def test_on_other_faces_the_nose_is_still_the_nose(head):
    session = grabbed(head, NOSE_TIP, (0.0, 0.0, 0.02))
    session.apply(SetSliders({"jawOpen": 0.5}))
    stylised = extract_surface(preset("head"), resolution=64).mesh
    found = replay_on(session, stylised)
    assert not found.same_faces
    assert found.notes == ("the other head has no slider 'jawOpen': its weight was left out",)
    rest, far = found.session.surface.rest, moved(found.session)
    tip = rest[rest[:, 2].argmax()]
    assert np.linalg.norm(rest[far.argmax()] - tip) < 0.015
    assert far.max() > 0.015
    assert far[rest[:, 2] < 0.05].max() == 0
    assert found.session.residual < found.session.base_residual + 1e-6


def test_what_the_other_head_cannot_do_is_said(head, leaning_sheet):
    session = SculptSession(head)
    session.apply(Symmetrise())
    session.apply(SetSliders({"jawOpen": 0.5, "tongueOut": 1.0}))
    session.apply(Stroke(Brush(), ((0.0, 0.0, -0.15),), (0.0, 0.0, 0.01)))  # behind the head, where the sheet is not
    notes = replay_on(session, leaning_sheet).notes
    assert notes[0] == "the other head has no mirror map: it was not symmetrised"
    assert {note.split("'")[1] for note in notes[1:3]} == {"jawOpen", "tongueOut"}
    assert "of the head's size away from the other head's surface" in notes[3]


def test_a_session_is_left_as_it_is(head):
    session = grabbed(head, NOSE_TIP, (0.0, 0.0, 0.02))
    before = session.positions.copy()
    replay_on(session, other_head())
    np.testing.assert_array_equal(session.positions, before)
    assert session.current == 1


@pytest.mark.parametrize("count", [5, 300])
def test_places_are_the_nearest_ones_by_libigl(head, count):
    session = SculptSession(head)
    rng = np.random.default_rng(0)
    faces = rng.integers(len(head.faces), size=count)
    weights = rng.dirichlet(np.ones(3), count)
    normals = session.normals[session.surface.faces[faces]].mean(1)
    points = np.einsum("pc,pcd->pd", weights, session.positions[session.surface.faces[faces]]) + 1e-4 * normals
    found = locate(session.surface, session.positions, points)
    wanted = np.sqrt(igl.point_mesh_squared_distance(points, session.positions.astype(float), head.faces.numpy())[0])
    distance = np.linalg.norm(found.offsets, axis=1)
    assert (distance >= wanted - 1e-9).all()
    assert (distance <= wanted + 1e-9).mean() > 0.97  # else a face beside the nearest vertices is nearer
    np.testing.assert_allclose(found.on(session.positions), points, atol=1e-9)


def test_places_at_faces_without_an_area(sheet):
    points = sheet.vertices.clone()
    points[sheet.faces[0]] = points[sheet.faces[0, 0]].clone()
    session = SculptSession(Mesh(points, sheet.faces))
    found = locate(session.surface, session.positions, points[:1].double().numpy())
    assert np.isfinite(found.weights).all()
    np.testing.assert_allclose(found.on(session.positions), points[:1], atol=1e-7)
