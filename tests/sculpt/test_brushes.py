"""Every brush against its formula in plain numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from headviz.geometry.mesh import Mesh, vertex_normals
from headviz.sculpt import FALLOFFS, TOOLS, Brush, SculptSession, Stroke, falloff, reference
from headviz.sculpt.brushes import smoothing

MOVING = [tool for tool in TOOLS if tool != "mask"]
NOSE = (0.004, -0.0117, 0.0625)
CHEEK = (0.055, -0.03, 0.02)
VECTOR = (0.003, -0.002, 0.006)


def expected(session: SculptSession, brush: Brush, center, vector=VECTOR) -> np.ndarray:
    """Positions after a stroke, by the reference."""
    points = session.positions.astype(np.float64)
    vector = np.float32(vector).astype(np.float64)
    mirror = session.surface.mirror
    for _ in range(smoothing(session.buffers, brush) if brush.tool == "smooth" else 1):
        moved = reference.displacement(
            points, session.surface.faces, mirror, brush, np.float32(center).astype(float), vector
        )
        points = points + moved * (1 - session.mask[:, None])
    return points


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("center", [NOSE, CHEEK])
@pytest.mark.parametrize("tool", MOVING)
def test_a_stroke_is_its_formula(session, tool, center, symmetric):
    brush = Brush(tool, radius=0.04, strength=0.7, symmetric=symmetric)
    wanted = expected(session, brush, center)
    session.apply(Stroke(brush, (center,), VECTOR))
    assert np.abs(wanted - session.surface.rest).max() > 1e-5
    assert np.abs(session.positions - wanted).max() < 1e-8


@pytest.mark.parametrize("name", FALLOFFS)
@pytest.mark.parametrize("tool", ["grab", "inflate"])
def test_falloffs(session, tool, name):
    brush = Brush(tool, radius=0.03, falloff=name, invert=True)
    wanted = expected(session, brush, CHEEK)
    session.apply(Stroke(brush, (CHEEK,), VECTOR))
    assert np.abs(session.positions - wanted).max() < 1e-8


@pytest.mark.parametrize("tool", MOVING)
def test_without_twins_both_sides_of_space_are_brushed(leaning_sheet, tool):
    session = SculptSession(leaning_sheet)
    assert session.surface.mirror is None
    brush = Brush(tool, radius=0.05)
    wanted = expected(session, brush, (0.02, 0.01, 0.01))
    session.apply(Stroke(brush, ((0.02, 0.01, 0.01),), VECTOR))
    assert np.abs(session.positions - wanted).max() < 1e-8
    moved = np.abs(session.positions - session.surface.rest).max(1) > 0
    assert moved[session.surface.rest[:, 0] > 0].any()
    assert moved[session.surface.rest[:, 0] < 0].any()


@given(st.sampled_from(FALLOFFS), st.floats(0, 3))
def test_falloff_lies_between_0_and_1_and_falls(name, t):
    here, further = falloff(np.array([t, t + 0.01]), name)
    assert 0 <= further <= here <= 1
    assert abs(here - reference.weight(np.array([t]), name)[0]) < 1e-12


def test_falloffs_begin_at_1_and_smooth_ones_end_without_a_kink():
    for name in FALLOFFS:
        assert falloff(np.array([0.0]), name)[0] == 1
    for name in ("smooth", "wendland", "sharp"):
        assert falloff(np.array([1 - 1e-4]), name)[0] < 1e-7
    volume = quad(lambda t: 4 * np.pi * t**2 * falloff(np.array([t]), "wendland")[0], 0, 1)[0]
    assert volume == pytest.approx(2 * np.pi / 21, rel=1e-6)  # by hand, from the polynomial


@pytest.mark.parametrize("tool", TOOLS)
def test_normals_are_those_of_the_whole_mesh(session, tool):
    live = session.begin(Brush(tool, radius=0.03), CHEEK)
    live.move((0.06, -0.02, 0.03))
    live.finish()
    mesh = session.mesh
    assert np.abs(session.normals - vertex_normals(mesh.vertices, mesh.faces).numpy()).max() < 2e-3
    wanted = reference.unit_normals(session.positions.astype(np.float64), session.surface.faces)
    assert np.abs(session.normals - wanted).max() < 2e-3


def test_flatten_of_a_plane_is_nothing_and_inflate_goes_along_the_normal(sheet):
    flat = Mesh(sheet.vertices * sheet.vertices.new_tensor([1, 1, 0]), sheet.faces)
    session = SculptSession(flat)
    session.apply(Stroke(Brush("flatten", radius=0.05), ((0.0, 0.0, 0.0),)))
    assert np.array_equal(session.positions, session.surface.rest)
    session.apply(Stroke(Brush("inflate", radius=0.05), ((0.05, 0.0, 0.0),)))
    added = session.positions - session.surface.rest
    assert np.abs(added[:, :2]).max() == 0
    assert added[:, 2].max() == pytest.approx(0.005, rel=0.05)


def test_smooth_keeps_an_open_edge_where_it_is_straight(sheet):
    flat = Mesh(sheet.vertices * sheet.vertices.new_tensor([1, 1, 0]), sheet.faces)
    session = SculptSession(flat)
    session.apply(Stroke(Brush("smooth", radius=0.05), ((0.1, 0.0, 0.0),)))
    rim = session.surface.rest[:, 0] > 0.0999
    assert np.abs((session.positions - session.surface.rest)[rim, 0]).max() < 1e-7


def test_smooth_lowers_roughness_and_its_inverse_raises_it(sheet):
    def roughness(session):
        points = session.positions.astype(float)
        return np.linalg.norm(reference.neighbour_means(points, session.surface.faces) - points)

    for invert, compare in ((False, np.less), (True, np.greater)):
        session = SculptSession(sheet)
        before = roughness(session)
        session.apply(Stroke(Brush("smooth", radius=0.2, invert=invert), ((0.0, 0.0, 0.0),)))
        assert compare(roughness(session), before)


def test_sharpening_does_not_run_away(session):
    live = session.begin(Brush("smooth", radius=0.05, invert=True), CHEEK)
    for k in range(6):
        live.move((0.055, -0.03 + 0.01 * k, 0.02))
    live.finish()
    moved = np.linalg.norm(session.positions - session.surface.rest, axis=1).max()
    assert 1e-4 < moved < 0.02


def test_pinch_draws_together_and_its_inverse_spreads(session):
    near = np.linalg.norm(session.surface.rest - CHEEK, axis=1) < 0.02
    before = np.linalg.norm(session.positions[near] - CHEEK, axis=1).mean()
    session.apply(Stroke(Brush("pinch", radius=0.04), (CHEEK,)))
    assert np.linalg.norm(session.positions[near] - CHEEK, axis=1).mean() < before
    session.undo()
    session.apply(Stroke(Brush("pinch", radius=0.04, invert=True), (CHEEK,)))
    assert np.linalg.norm(session.positions[near] - CHEEK, axis=1).mean() > before


@settings(max_examples=20)
@given(strength=st.floats(0, 1), radius=st.floats(0.005, 0.1))
def test_a_masked_vertex_stays(head, strength, radius):
    session = SculptSession(head)
    session.apply(Stroke(Brush("mask", radius=0.05, falloff="constant"), (CHEEK,)))
    assert set(np.unique(session.mask)) == {0.0, 1.0}
    for tool in MOVING:
        session.apply(Stroke(Brush(tool, radius=radius, strength=strength), (CHEEK,), VECTOR))
    held = session.mask == 1
    assert np.array_equal(session.positions[held], session.surface.rest[held])
