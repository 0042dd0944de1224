"""Shapes from text, such as ``sphere(0.1) | box(0.2, 0.1, 0.1).translate(0, 0.1, 0)``, without running any of it.

The text is Python's grammar, of which little is allowed: names of shapes and presets, calls of shapes and of methods
of shapes, the operators ``|``, ``&``, ``-`` and ``~``, numbers, tuples of numbers, axis names. It is parsed, checked
and looked up in tables; nothing is evaluated.
"""

from __future__ import annotations

import ast
import difflib
import inspect
import types
import typing
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn, TypeAlias

from torch import Tensor

from headviz.errors import ExpressionError, HeadvizError
from headviz.geometry import shapes, shapes2d
from headviz.geometry.presets import PRESETS
from headviz.geometry.shape import Shape

#: Longer texts are refused.
LONGEST = 4000
#: Expressions nested deeper than this are refused.
DEEPEST = 60
#: More repetitions than this are refused: each costs up to eight evaluations of what it repeats.
MOST_REPETITIONS = 3

#: What can be called, by name.
SHAPES: Mapping[str, Callable[..., Shape]] = types.MappingProxyType(
    {
        "sphere": shapes.sphere,
        "ellipsoid": shapes.ellipsoid,
        "box": shapes.box,
        "rounded_box": shapes.rounded_box,
        "torus": shapes.torus,
        "capsule": shapes.capsule,
        "rounded_cone": shapes.rounded_cone,
        "cylinder": shapes.cylinder,
        "cone": shapes.cone,
        "plane": shapes.plane,
        "circle": shapes2d.circle,
        "ellipse": shapes2d.ellipse,
        "rectangle": shapes2d.rectangle,
        "rounded_rectangle": shapes2d.rounded_rectangle,
        "ring": shapes2d.ring,
        "segment": shapes2d.segment,
        "triangle": shapes2d.triangle,
        "polygon": shapes2d.polygon,
        "half_plane": shapes2d.half_plane,
    }
)

#: What can be called on a shape, by name.
METHODS: Mapping[str, Callable[..., Shape]] = types.MappingProxyType(
    {
        "union": Shape.union,
        "intersection": Shape.intersection,
        "difference": Shape.difference,
        "offset": Shape.offset,
        "shell": Shape.shell,
        "translate": Shape.translate,
        "rotate": Shape.rotate,
        "scale": Shape.scale,
        "stretch": Shape.stretch,
        "mirror": Shape.mirror,
        "repeat": Shape.repeat,
        "elongate": Shape.elongate,
        "extrude": Shape.extrude,
        "revolve": Shape.revolve,
        "slice": Shape.slice,
    }
)

_Value: TypeAlias = Any  # a shape, a number, a text, None, or a tuple of these


def parse_shape(text: str) -> Shape:
    """The shape that a text describes.

    >>> parse_shape("sphere(0.1) - cylinder(0.05, 0.3).rotate('x', 90)").bounded
    True

    Args:
        text: an expression: calls of :data:`SHAPES` with numbers in metres, names of presets with or without
            ``()``, calls of :data:`METHODS` on these, and the operators ``|``, ``&``, ``-``, ``~``.

    Raises:
        ExpressionError: the text is not such an expression, or a parameter is not one that its shape can have.
    """
    if len(text) > LONGEST:
        raise ExpressionError(f"a shape should be described in at most {LONGEST} characters; there are {len(text)}")
    if not text.strip():
        raise ExpressionError("a shape should be described, such as sphere(0.1) | box(0.2); the text is empty")
    text = " ".join(text.split())  # one line, so that a column is a place
    tree = _parse(text)
    found = _Reader(text).read(tree.body, 0)
    if not isinstance(found, Shape):
        raise ExpressionError(f"the text should describe a shape; {text!r} is {_kind(found)}")
    return found


def _parse(text: str) -> ast.Expression:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what Python only warns of is not in this grammar
            return ast.parse(text, mode="eval")
    except SyntaxError as error:
        place = f" at column {error.offset}" if error.offset else ""
        raise ExpressionError(f"{_shortened(text)!r} should be an expression; {error.msg}{place}") from error
    except (RecursionError, MemoryError, ValueError) as error:
        raise ExpressionError(f"{_shortened(text)!r} cannot be read as an expression; {error!r}") from error


class _Reader:
    """Walks over the tree of one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.repetitions = 0

    def refuse(self, node: ast.AST, message: str) -> NoReturn:
        start = len(self.text.encode()[: getattr(node, "col_offset", 0)].decode(errors="ignore"))
        excerpt = ast.get_source_segment(self.text, typing.cast("ast.expr", node)) or self.text
        raise ExpressionError(f"column {start + 1}, {_shortened(excerpt)!r}: {message}")

    def read(self, node: ast.expr, depth: int) -> _Value:
        if depth > DEEPEST:
            self.refuse(node, f"an expression should be nested at most {DEEPEST} deep")
        readers: dict[type[ast.expr], Callable[[Any, int], _Value]] = {
            ast.Constant: self.constant,
            ast.Tuple: self.sequence,
            ast.List: self.sequence,
            ast.Name: self.name,
            ast.UnaryOp: self.unary,
            ast.BinOp: self.binary,
            ast.Call: self.call,
        }
        if type(node) not in readers:
            self.refuse(node, "only shapes, their methods, | & - ~, numbers and tuples are understood")
        return readers[type(node)](node, depth)

    def sequence(self, node: ast.Tuple | ast.List, depth: int) -> tuple[_Value, ...]:
        return tuple(self.read(item, depth + 1) for item in node.elts)

    def constant(self, node: ast.Constant, _: int) -> _Value:
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int | float | str | None):
            self.refuse(node, "a number, an axis or a shape was expected")
        if isinstance(value, int) and abs(value) > 10**9:
            self.refuse(node, "the number is too large")
        return value

    def name(self, node: ast.Name, _: int) -> Shape:
        if node.id in PRESETS:
            return PRESETS[node.id]()
        if node.id in SHAPES:
            self.refuse(node, f"parameters are missing; {_usage(node.id, SHAPES[node.id])}")
        return self.refuse(node, f"there is no shape {node.id!r}{_close(node.id, [*SHAPES, *PRESETS])}")

    def unary(self, node: ast.UnaryOp, depth: int) -> _Value:
        value = self.read(node.operand, depth + 1)
        if isinstance(value, Shape) and isinstance(node.op, ast.Invert | ast.USub):
            return ~value
        if isinstance(value, int | float) and isinstance(node.op, ast.UAdd | ast.USub):
            return -value if isinstance(node.op, ast.USub) else value
        return self.refuse(node, f"~ and - take the complement of a shape; this is {_kind(value)}")

    def binary(self, node: ast.BinOp, depth: int) -> Shape:
        left, right = self.read(node.left, depth + 1), self.read(node.right, depth + 1)
        if not isinstance(node.op, ast.BitOr | ast.BitAnd | ast.Sub):
            self.refuse(node, "the operators of shapes are | (union), & (intersection) and - (difference)")
        if not (isinstance(left, Shape) and isinstance(right, Shape)):
            self.refuse(node, f"both sides should be shapes; they are {_kind(left)} and {_kind(right)}")
        method = {ast.BitOr: Shape.union, ast.BitAnd: Shape.intersection, ast.Sub: Shape.difference}[type(node.op)]
        return self.build(node, method, (left, right), {})

    def call(self, node: ast.Call, depth: int) -> Shape:
        arguments = [self.argument(item, depth) for item in node.args]
        keywords = {}
        for item in node.keywords:
            if item.arg is None:
                self.refuse(item.value, "** is not understood")
            keywords[item.arg] = self.read(item.value, depth + 1)
        if isinstance(node.func, ast.Name):
            name = node.func.id
            if name in PRESETS and not arguments and not keywords:
                return PRESETS[name]()
            if name not in SHAPES:
                self.refuse(node.func, f"there is no shape {name!r}{_close(name, [*SHAPES, *PRESETS])}")
            return self.build(node, SHAPES[name], arguments, keywords)
        if not isinstance(node.func, ast.Attribute):
            self.refuse(node.func, "only shapes and their methods can be called")
        return self.method(node, node.func, arguments, keywords, depth)

    def method(
        self, node: ast.Call, func: ast.Attribute, arguments: list[_Value], keywords: dict[str, _Value], depth: int
    ) -> Shape:
        owner, name = self.read(func.value, depth + 1), func.attr
        if not isinstance(owner, Shape):
            self.refuse(func, f"only shapes have methods; this is {_kind(owner)}")
        if name not in METHODS:
            self.refuse(func, f"shapes have no method {name!r}{_close(name, METHODS)}")
        self.repetitions += name == "repeat"
        if self.repetitions > MOST_REPETITIONS:
            self.refuse(node, f"an expression should repeat at most {MOST_REPETITIONS} times")
        return self.build(node, METHODS[name], [owner, *arguments], keywords)

    def argument(self, node: ast.expr, depth: int) -> _Value:
        if isinstance(node, ast.Starred):
            self.refuse(node, "* is not understood")
        return self.read(node, depth + 1)

    def build(
        self, node: ast.expr, make: Callable[..., Shape], arguments: Sequence[_Value], keywords: Mapping[str, _Value]
    ) -> Shape:
        """Call a function of the tables, if the arguments are of the kinds that it is declared with."""
        try:
            bound = inspect.signature(make).bind(*arguments, **keywords)
        except TypeError as error:
            self.refuse(node, f"{error}; {_usage(make.__name__, make)}")
        hints = typing.get_type_hints(inspect.getattr_static(make, "__init__") if isinstance(make, type) else make)
        for name, value in bound.arguments.items():
            several = bound.signature.parameters[name].kind is inspect.Parameter.VAR_POSITIONAL
            for one in value if several else (value,):
                if name != "self" and not _fits(one, hints[name]):
                    self.refuse(node, f"{name} cannot be {_kind(one)}; {_usage(make.__name__, make)}")
        try:
            return make(*arguments, **keywords)
        except HeadvizError as error:
            self.refuse(node, str(error))


def _fits(value: _Value, hint: Any) -> bool:
    """Whether a value is of the kind that an annotation of the tables' functions asks for."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return any(_fits(value, one) for one in inner)
    if origin is typing.Literal:
        return value in inner
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return isinstance(value, tuple) and all(_fits(one, inner[0]) for one in value)
    if hint is float:
        return isinstance(value, int | float)
    return isinstance(hint, type) and hint is not Tensor and isinstance(value, hint)


def _usage(name: str, make: Callable[..., Shape]) -> str:
    """How something is called: its name and parameters."""
    shown = []
    for parameter in inspect.signature(make).parameters.values():
        star = "*" if parameter.kind is inspect.Parameter.VAR_POSITIONAL else ""
        default = "" if parameter.default is inspect.Parameter.empty else f"={parameter.default}"
        if parameter.name != "self":
            shown.append(f"{star}{parameter.name}{default}")
    return f"it is {name.lower() if isinstance(make, type) else name}({', '.join(shown)})"


def _close(name: str, names: Iterable[str]) -> str:
    found = difflib.get_close_matches(name, sorted(set(names)), n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(found)}?" if found else f"; there are {', '.join(sorted(set(names)))}"


def _kind(value: _Value) -> str:
    if isinstance(value, Shape):
        return "a shape"
    if isinstance(value, tuple):
        return f"a tuple of {len(value)}"
    return "nothing" if value is None else f"the {'text' if isinstance(value, str) else 'number'} {value!r}"


def _shortened(text: str, most: int = 60) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
