"""A small OBJ file, line by line: vertices get their numbers, and faces call them by these numbers."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from jaxtyping import Float, Int, Shaped

from headviz.errors import MeshError
from headviz.viewers import look
from headviz.viewers.record import Record
from headviz.viewers.viewer import State, Viewer

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Longer files are for view_mesh: their numbers would hide the picture.
MOST_LINES = 400
_YAW, _PITCH = 28.0, 12.0  # the view "three" of the browser's camera


@dataclass(frozen=True)
class ObjState(State):
    """``step``: the line that is read now, 0 before the first; ``labels``: whether vertices show their numbers."""

    labels: bool = True


@dataclass(frozen=True, eq=False)
class ObjViewer(Viewer):
    """The text of an OBJ file beside what its lines up to the current one have made."""

    kind: ClassVar[str] = "obj"
    state_type: ClassVar[type[State]] = ObjState
    requires: ClassVar[tuple[str, ...]] = (
        "vertices", "corners", "offsets", "normals", "outward", "triangles", "vertex_line", "face_line",
        "triangle_line",
    )  # fmt: skip

    @property
    def steps(self) -> int:
        """One per line, and one before them."""
        return 1 + len(self.record.facts["lines"])

    @property
    def numbers(self) -> dict[str, Any]:
        """The line, and how many vertices and faces there are by then."""
        arrays, step = self.record.arrays, self.state.step
        return {
            "line": step,
            "vertices": int((arrays["vertex_line"] <= step).sum()),
            "faces": int((arrays["face_line"] <= step).sum()),
        }

    @property
    def caption(self) -> str:
        """What the current line says."""
        facts, arrays, step = self.record.facts, self.record.arrays, self.state.step
        if step == 0:
            return f"No line of {self.steps - 1} is read yet."
        begin = f"Line {step} of {self.steps - 1}"
        vertex, face = (np.flatnonzero(arrays[name] == step) for name in ("vertex_line", "face_line"))
        if len(vertex):
            x, y, z = (look.length(float(one)) for one in arrays["vertices"][vertex[0]])
            return f"{begin}: vertex {vertex[0] + 1} lies at x = {x}, y = {y}, z = {z}."
        if len(face):
            low, high = arrays["offsets"][face[0] : face[0] + 2]
            names = [str(k + 1) for k in arrays["corners"][low:high].tolist()]
            normal = ", ".join(look.number(float(v)) for v in arrays["normals"][face[0]])
            way = "outwards" if arrays["outward"][face[0]] else "inwards: it is turned the wrong way"
            return f"{begin}: a face from vertex {' to '.join(names)} and back; its normal ({normal}) points {way}."
        return f"{begin}: {facts['others'].get(str(step), 'nothing is drawn for it')}."

    def draw(self, figure: Figure) -> None:
        """The text on the left, the mesh on the right."""
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.3))
        self._draw_text(left)
        self._draw_mesh(right)

    def _draw_text(self, axes: Axes) -> None:
        lines, step = self.record.facts["lines"], self.state.step
        first = max(0, min(step - 9, len(lines) - 18))
        shown = lines[first : first + 18]
        axes.set(xlim=(0, 1), ylim=(max(18, len(shown)) + 0.5, 0.5))
        axes.axis("off")
        for row, text in enumerate(shown, start=1):
            current = first + row == step
            color = look.CURRENT if current else axes.xaxis.label.get_color()
            weight = "bold" if current else "normal"
            words = f"{first + row:3d}  {text}"
            axes.text(0, row, words, family="monospace", color=color, weight=weight, va="center", parse_math=False)

    def _draw_mesh(self, axes: Axes) -> None:
        import matplotlib as mpl

        from headviz.viewers.surfaces import camera_of, place, show_picture, surface_picture

        arrays, step = self.record.arrays, self.state.step
        vertices = arrays["vertices"].astype(np.float32)
        camera = camera_of(vertices, yaw=_YAW, pitch=_PITCH)
        triangles = arrays["triangles"][arrays["triangle_line"] <= step]
        paper = str(mpl.rcParams["figure.facecolor"])
        if len(triangles):
            soup = vertices[triangles].reshape(-1, 3)  # corners of their own, so that faces stay flat
            show_picture(axes, surface_picture(soup, np.arange(len(soup)).reshape(-1, 3), camera, paper=paper))
        else:
            blank = np.array([int(paper[k : k + 2], 16) for k in (1, 3, 5)], dtype=np.uint8)
            show_picture(axes, np.tile(blank, (camera.height, camera.width, 1)))
        spots, ink = place(camera, vertices), axes.title.get_color()
        for face in np.flatnonzero(arrays["face_line"] <= step):
            ring = arrays["corners"][arrays["offsets"][face] : arrays["offsets"][face + 1]]
            now = arrays["face_line"][face] == step
            around = spots[np.append(ring, ring[0])]
            axes.plot(*around.T, color=look.CURRENT if now else ink, linewidth=2 if now else 0.8)
        for number in np.flatnonzero(arrays["vertex_line"] <= step):
            color = look.CURRENT if arrays["vertex_line"][number] == step else ink
            axes.plot(*spots[number], "o", color=color, markersize=4)
            if self.state.labels:  # type: ignore[attr-defined]
                axes.annotate(str(number + 1), spots[number], (5, 5), textcoords="offset points", color=color)


def view_obj(text: str, *, title: str = "") -> ObjViewer:
    """A viewer of the text of a small OBJ file: its lines one by one, and the mesh with numbered vertices.

    Drawn are lines ``v x y z`` and ``f a b c …`` (also ``a/uv/normal``, and numbers that count backwards from −1);
    other lines are shown as text.

    Args:
        text: the file, metres.
        title: what it is.

    Raises:
        MeshError: a line cannot be read, a face names a vertex that is not there yet, or there are no vertices or too
            many lines.
    """
    lines = text.strip("\n").expandtabs(4).splitlines()
    if len(lines) > MOST_LINES:
        raise MeshError(
            f"an OBJ file to read line by line should have at most {MOST_LINES} lines; it has {len(lines)}: "
            "use view_mesh(load_mesh(path))"
        )
    vertices: list[list[float]] = []
    faces: list[list[int]] = []
    vertex_line: list[int] = []
    face_line: list[int] = []
    others: dict[str, str] = {}
    for number, line in enumerate(lines):
        word, *rest = line.split("#")[0].split() or [""]
        if word == "v":
            vertices.append(_position(number, line, rest))
            vertex_line.append(number + 1)
        elif word == "f":
            faces.append([_corner(number, line, one, len(vertices)) for one in rest])
            face_line.append(number + 1)
            if len(rest) < 3:
                raise MeshError(f"line {number + 1} should name at least 3 vertices; it is {line!r}")
        else:
            others[str(number + 1)] = "a comment" if line.lstrip().startswith("#") else "nothing is drawn for it"
    if not vertices:
        raise MeshError(f"an OBJ file should have lines 'v x y z'; none of its {len(lines)} lines is one")
    facts = {"lines": lines, "others": others}
    arrays = _arrays(np.array(vertices), faces, vertex_line, face_line)
    return ObjViewer(Record("obj", facts, arrays), ObjState(step=len(lines)), title)


def _position(number: int, line: str, rest: list[str]) -> list[float]:
    try:
        place = [float(one) for one in rest[:3]]
    except ValueError:
        place = []
    if len(place) != 3 or not np.isfinite(place).all():
        raise MeshError(f"line {number + 1} should be 'v x y z' with finite numbers; it is {line!r}")
    return place


def _corner(number: int, line: str, text: str, known: int) -> int:
    try:
        index = int(text.split("/", maxsplit=1)[0])
    except ValueError:
        index = 0
    if not (1 <= index <= known or -known <= index <= -1):
        raise MeshError(f"line {number + 1} should name vertices 1 to {known}, as there are so far; it is {line!r}")
    return index - 1 if index > 0 else known + index


def _arrays(
    vertices: Float[np.ndarray, "n 3"], faces: list[list[int]], vertex_line: list[int], face_line: list[int]
) -> dict[str, Shaped[np.ndarray, "..."]]:
    """All that is drawn: faces as lists of corners one after the other, and cut into triangles."""
    normals = np.array([_normal(vertices[face]) for face in faces]).reshape(-1, 3)
    middle = (vertices.min(axis=0) + vertices.max(axis=0)) / 2
    outward = [bool(n @ (vertices[face].mean(axis=0) - middle) >= 0) for n, face in zip(normals, faces, strict=True)]
    triangles = [(face[0], b, c) for face in faces for b, c in itertools.pairwise(face[1:])]
    cut = [line for line, face in zip(face_line, faces, strict=True) for _ in face[2:]]
    return {
        "vertices": vertices,
        "corners": _whole([corner for face in faces for corner in face]),
        "offsets": _whole([0, *np.cumsum([len(face) for face in faces]).tolist()]),
        "normals": normals,
        "outward": np.array(outward, dtype=bool),
        "vertex_line": _whole(vertex_line),
        "face_line": _whole(face_line),
        "triangles": _whole([corner for triangle in triangles for corner in triangle]).reshape(-1, 3),
        "triangle_line": _whole(cut),
    }


def _whole(values: list[int]) -> Int[np.ndarray, " n"]:
    return np.array(values, dtype=np.int32)


def _normal(ring: Float[np.ndarray, "k 3"]) -> Float[np.ndarray, "3"]:
    """Unit normal of a polygon that need not be flat (Newell's method); 0 where it has no area."""
    total = np.cross(ring, np.roll(ring, -1, axis=0)).sum(axis=0)
    length = float(np.linalg.norm(total))
    made: Float[np.ndarray, "3"] = total / length if length > 0 else np.zeros(3)
    return made
