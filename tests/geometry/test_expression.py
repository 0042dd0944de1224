"""Texts become shapes, or errors that say where and why; nothing else can happen."""

from __future__ import annotations

import subprocess

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from headviz.errors import ExpressionError
from headviz.geometry import shapes, shapes2d
from headviz.geometry.expression import DEEPEST, LONGEST, METHODS, SHAPES, parse_shape
from headviz.geometry.presets import PRESETS, preset
from headviz.geometry.shape import Shape
from headviz.geometry.shapes import Box, Cylinder, Plane, Sphere
from headviz.geometry.shapes2d import Circle, Rectangle

POINTS = 0.4 * torch.rand(300, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 0.2

SAME = {
    "sphere(0.1) | box(0.2, 0.1, 0.1).translate(0, 0.1, 0)": Sphere(0.1) | Box((0.2, 0.1, 0.1)).translate(0, 0.1, 0),
    "sphere(radius=.1, center=(0, -.1, +.05))": Sphere(0.1, (0, -0.1, 0.05)),
    "box(0.2) - cylinder(0.05, 1).rotate('x', 90)": Box((0.2, 0.2, 0.2)) - Cylinder(0.05, 1).rotate("x", 90),
    "~sphere(0.1) & -box(0.1)": ~Sphere(0.1) & ~Box((0.1, 0.1, 0.1)),
    "(sphere(0.1) | sphere(0.1, (0.1, 0, 0))) & plane((0, 1, 0), 0.02)": (Sphere(0.1) | Sphere(0.1, (0.1, 0, 0)))
    & Plane((0, 1, 0), 0.02),
    "sphere(0.1).union(box(0.1), torus, smooth=0.02)": Sphere(0.1).union(
        Box((0.1, 0.1, 0.1)), preset("torus"), smooth=0.02
    ),
    "head.scale(0.5).rotate((1, 1, 0), -30).mirror()": preset("head").scale(0.5).rotate((1, 1, 0), -30).mirror(),
    "head()": preset("head"),
    "circle(0.1).extrude(0.05)": Circle(0.1).extrude(0.05),
    "rectangle(0.1, 0.05).revolve(0.1).shell(0.01)": Rectangle((0.1, 0.05)).revolve(0.1).shell(0.01),
    "sphere(0.02).repeat(0.06, (3, None, 1))": Sphere(0.02).repeat(0.06, (3, None, 1)),
    "sphere(0.02).repeat([0.06, 0.05, 0], counts=2)\n  .offset(-1e-3)": Sphere(0.02)
    .repeat((0.06, 0.05, 0), 2)
    .offset(-1e-3),
    "head_profile.extrude(0.1).stretch(1, 2, 1).elongate((0.1, 0, 0))": preset("head_profile")
    .extrude(0.1)
    .stretch(1, 2, 1)
    .elongate(0.1, 0, 0),
}


@pytest.mark.parametrize("text", SAME)
def test_means_what_the_same_python_means(text: str) -> None:
    found = parse_shape(text)
    assert torch.equal(found(POINTS), SAME[text](POINTS))
    assert torch.equal(found.bounds, SAME[text].bounds)


def test_every_name_is_understood() -> None:
    for name in PRESETS:
        assert parse_shape(name).dimension == preset(name).dimension
    module = {**vars(shapes), **vars(shapes2d)}
    assert all(SHAPES[name] is module[name] for name in SHAPES)
    assert all(METHODS[name] is getattr(Shape, name) for name in METHODS)


WRONG = [
    ("", "the text is empty"),
    ("sphere(0.1", "should be an expression; '\\(' was never closed at column 7"),
    ("sphere(0.1) |", "should be an expression; invalid syntax"),
    ("spere(0.1)", "column 1, 'spere': there is no shape 'spere'; did you mean sphere"),
    ("box(0.1) | spher", "column 12, 'spher': there is no shape 'spher'; did you mean sphere"),
    ("é | box(1)", "column 1, 'é': there is no shape 'é'; there are box, capsule"),
    ("'é' | nothing", "column 7, 'nothing': there is no shape"),
    ("polygon", r"parameters are missing; it is polygon\(corners\)"),
    ("sphere(-1)", "column 1, 'sphere\\(-1\\)': radius should be a positive number; it is -1"),
    ("sphere()", None),
    ("capsule(0.1)", r"radius cannot|missing a required argument: 'end'; it is capsule|preset"),
    (
        "plane((0, 1, 0), (1, 2))",
        r"distance cannot be a tuple of 2; it is plane\(normal=\(0.0, 1.0, 0.0\), distance=0.0\)",
    ),
    ("sphere('x')", "radius cannot be the text 'x'"),
    ("sphere(head)", "radius cannot be a shape"),
    ("sphere(None)", "radius cannot be nothing"),
    ("sphere(True)", "column 8, 'True': a number, an axis or a shape was expected"),
    ("sphere(1j)", "a number, an axis or a shape was expected"),
    ("sphere(99999999999)", "the number is too large"),
    ("sphere(1e999)", "it is inf"),
    ("sphere(0.1, 0.2, 0.3)", "too many positional arguments"),
    ("sphere(radius=0.1, size=2)", "unexpected keyword argument 'size'"),
    ("sphere(0.1).repeet(1)", "shapes have no method 'repeet'; did you mean repeat"),
    ("sphere(0.1).union(3)", "others cannot be the number 3"),
    ("sphere(0.1).translate(1, 2)", "by should be 3 numbers; there are 2"),
    ("sphere(0.1).mirror('w')", "axis cannot be the text 'w'"),
    ("sphere(0.1).repeat(0.1)", "spacing should be at least"),
    ("sphere(0.1).rotate('x', 90, 3)", "too many positional"),
    ("sphere(0.1) | circle(0.1)", "of one dimension"),
    ("sphere(0.1) | 2", "both sides should be shapes; they are a shape and the number 2"),
    ("sphere(0.1) + sphere(0.1)", r"the operators of shapes are \| \(union\)"),
    ("+sphere(0.1)", "~ and - take the complement of a shape"),
    ("~0.1", "~ and - take the complement of a shape; this is the number 0.1"),
    ("0.1", "should describe a shape; '0.1' is the number 0.1"),
    ("(sphere(1), 2)", "is a tuple of 2"),
    ("(1, 2).union(head)", "only shapes have methods; this is a tuple of 2"),
    ("head.bounds", "only shapes, their methods"),
    ("head.at(1)", "no method 'at'"),
    ("head.__class__", "only shapes, their methods"),
    ("head.__init__()", "no method '__init__'"),
    ("head.union.__call__(head)", "only shapes, their methods"),
    ("__import__('os').system('true')", "there is no shape '__import__'|column 1"),
    ("(lambda: head)()", "only shapes and their methods can be called"),
    ("sphere(*(1,))", "\\* is not understood"),
    ("sphere(**{'radius': 1})", "\\*\\* is not understood"),
    ("[head for x in (1,)]", "only shapes, their methods"),
    ("(x := head)", "only shapes, their methods"),
    ("head if 1 else head", "only shapes, their methods"),
    ("f'{head}'", "only shapes, their methods"),
    ("2 ** 9999999", "the operators of shapes"),
    ("head; head", "should be an expression"),
    ("import os", "should be an expression"),
    ("sphere(1if 1 else 2)", "should be an expression|only shapes"),
    ("sphere('\\d')", "should be an expression|cannot be the text"),
    ("sphere(0.1)\0", "null bytes"),
    ("sphere(0.1)" + ".repeat(9, 1)" * 4, "should repeat at most 3 times"),
    ("~" * DEEPEST + "~head", f"nested at most {DEEPEST} deep"),
    ("~" * (LONGEST - 4) + "head", "cannot be read as an expression|nested at most"),
    ("(" * 900 + "head" + ")" * 900, "should be an expression|cannot be read|nested at most"),
    ("|".join(["head"] * 300), "nested at most"),
    (" " * LONGEST + "head", f"at most {LONGEST} characters; there are {LONGEST + 4}"),
]


@pytest.mark.parametrize(("text", "message"), [pair for pair in WRONG if pair[1]])
def test_says_what_is_wrong_and_where(text: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message) as caught:
        parse_shape(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


WORDS = [
    *SHAPES, *METHODS, *PRESETS, ".", ".", "(", "(", ")", ")", ",", ",", "|", "&", "-", "~", "+", "*", "**", "0.1", "0.05",
    "1", "-1", "1e400", "0x1f", "1_0", "'x'", "'z'", '"', "None", "True", "lambda", ":", "=", "radius=", "smooth=0.02", "[", "]",
    "{", "}", "é", "\\", "\n", "\t", "#", "@", "__class__", "nan", "if", "else", "for", "in", "await", ":=", "...", "f''", "b'x'",
]  # fmt: skip
texts = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(WORDS), max_size=25).map("".join))


@settings(max_examples=600)
@given(texts)
@example("sphere(0.1)" + "|sphere(0.1)" * 40)
@example("-" * 3000 + "1")
def test_any_text_is_a_shape_or_an_expression_error(text: str) -> None:
    try:
        found = parse_shape(text)
    except ExpressionError:
        return
    assert isinstance(found, Shape)
    assert found(POINTS[:3, : found.dimension]).shape == (3,)


numbers = st.floats(0.02, 0.3).map(lambda x: f"{x:.3g}")
valid = st.recursive(
    st.one_of(numbers.map("sphere({})".format), st.tuples(numbers, numbers).map(lambda p: f"box({p[0]}, {p[1]})")),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("|&-"), inner).map("({0[0]} {0[1]} {0[2]})".format),
        st.tuples(inner, numbers).map("{0[0]}.translate(0, {0[1]}, 0)".format),
        inner.map("{}.rotate('y', 30)".format),
        inner.map("~{}".format),
    ),
    max_leaves=6,
)


@given(valid)
def test_agrees_with_python_on_valid_texts(text: str) -> None:
    names = {"__builtins__": {}, "sphere": shapes.sphere, "box": shapes.box}
    expected = eval(text, names)  # the grammar is Python's; here, and only here, Python reads it
    assert torch.equal(parse_shape(text)(POINTS), expected(POINTS))


def test_nothing_is_written_or_run(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: pytest.fail("a process was started"))
    for text in ("open('made', 'w')", "__import__('os').system('touch made')", "head.__reduce__()", "exec('1')"):
        with pytest.raises(ExpressionError):
            parse_shape(text)
    assert not list(tmp_path.iterdir())
