"""Random steps, for properties that hold for all of them."""

from __future__ import annotations

from hypothesis import strategies as st

from headviz.geometry.rbf import KERNELS, alpha_of_radius
from headviz.sculpt import FALLOFFS, TOOLS, Brush, ChangeMask, Keypoint, SetKeypoints, SetSliders, Stroke, Symmetrise

coordinates = st.floats(-0.12, 0.12)
points = st.tuples(coordinates, coordinates, coordinates)
small = st.tuples(*[st.floats(-0.02, 0.02)] * 3)
radii = st.floats(0.005, 0.15)
names = ("jawOpen", "mouthSmileLeft", "browInnerUp")


@st.composite
def brushes(draw, symmetric=None):
    """Any brush."""
    both = draw(st.booleans()) if symmetric is None else symmetric
    return Brush(
        draw(st.sampled_from(TOOLS)),
        draw(radii),
        draw(st.floats(0, 1)),
        draw(st.sampled_from(FALLOFFS)),
        draw(st.booleans()),
        both,
    )


@st.composite
def strokes(draw, symmetric=None):
    """Any stroke."""
    brush = draw(brushes(symmetric))
    path = draw(st.lists(points, min_size=1, max_size=1 if brush.tool == "grab" else 3))
    return Stroke(brush, tuple(path), draw(small))


@st.composite
def keypoints(draw, symmetric=None, kernel=None):
    """Any keypoint."""
    name = kernel or draw(st.sampled_from(KERNELS))
    both = draw(st.booleans()) if symmetric is None else symmetric
    return Keypoint(draw(points), draw(small), name, alpha_of_radius(name, draw(radii)), draw(st.floats(-2, 2)), both)


def steps(symmetric=None):
    """Any step that an exact solution has no part in; symmetric ones without sliders, for expressions are not symmetric."""
    many = st.lists(keypoints(symmetric), max_size=3).map(lambda found: SetKeypoints(tuple(found)))
    sliders = st.dictionaries(st.sampled_from(names), st.floats(0, 1)).map(SetSliders)
    sides = st.sampled_from(["left", "right"]).map(Symmetrise)
    masks = st.sampled_from(["clear", "invert"]).map(ChangeMask)
    return st.one_of(
        strokes(symmetric), strokes(symmetric), many, sides, masks, *([sliders] if symmetric is None else [])
    )
