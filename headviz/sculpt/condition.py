"""What a mesh from elsewhere lacks for being sculpted: found, told in plain sentences, each with a repair offered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt64

from headviz.geometry.mesh import Mesh
from headviz.sculpt.origin import arrays_of
from headviz.sculpt.sheets import Edges, count_parts, duplicates, edges_of, pinched, repeated

#: Repairs in the order in which they are made.
FIXES = (
    "remove_nan", "weld", "remove_degenerate", "remove_duplicates", "split", "orient", "remove_unreferenced",
    "recentre", "rescale",
)  # fmt: skip
SEVERITIES = ("error", "warning", "note")
SMALLEST, LARGEST = 0.05, 1.0  #: longest side of what may be a head, metres
USUAL = 0.25  #: longest side of a head with its neck, metres
NEAR = 1e-5  #: vertices closer than this part of the longest side are at one place
TINY, HUGE = 10, 2_000_000  #: vertices, faces
_OFF_PLANE = 0.05  #: part of the longest side by which the middle may lie beside x = 0
_CHECKED = 3_000_000  #: more faces are not looked at for fans that meet in a vertex, which takes seconds
_NANOSECONDS = 17  #: of one vertex in an update, measured on two cores at 1,000,000 vertices
_UNITS = {"millimetres": 0.001, "centimetres": 0.01}


@dataclass(frozen=True)
class Problem:
    """Something about a mesh that should be known before it is sculpted.

    Attributes:
        kind: what it is, in one word.
        text: a sentence with its numbers.
        count: how many vertices, edges or faces are concerned.
        fix: the repair of ``FIXES`` that is offered, or none.
        severity: "error", where sculpting needs the repair, "warning", or "note".
    """

    kind: str
    text: str
    count: int
    fix: str | None = None
    severity: str = "warning"


@dataclass(frozen=True)
class Condition:
    """What was found about a mesh.

    Attributes:
        problems: in the order in which their repairs are made.
        vertices, faces: how many.
        components: connected parts of the surface.
        boundary_edges: edges with one face, 0 for a closed surface.
        size: longest side of the box around it, metres; of finite vertices.
    """

    problems: tuple[Problem, ...]
    vertices: int
    faces: int
    components: int
    boundary_edges: int
    size: float

    @property
    def usable(self) -> bool:
        """Whether it can be sculpted as it is."""
        return not any(problem.severity == "error" for problem in self.problems)

    @property
    def fixes(self) -> tuple[str, ...]:
        """The repairs that are offered, in their order."""
        offered = {problem.fix for problem in self.problems}
        return tuple(name for name in FIXES if name in offered)

    @property
    def text(self) -> str:
        """All sentences, one per line."""
        return "\n".join(problem.text for problem in self.problems)


def condition(mesh: Mesh) -> Condition:
    """Look at a mesh: 5,000,000 faces take some seconds.

    What cannot be known is not guessed: which way it faces, and what is up.
    """
    vertices, faces = arrays_of(mesh)
    finite = np.isfinite(vertices).all(1)
    points = vertices[finite].astype(np.float64)
    low, high = (points.min(0), points.max(0)) if len(points) else (np.zeros(3), np.zeros(3))
    size = float((high - low).max())
    found = _of_values(mesh, finite) + _of_counts(mesh, size)
    edges = edges_of(faces, len(vertices))
    parts, unused = count_parts(faces, len(vertices))
    found += _of_faces(vertices, faces, size)
    found += _of_edges(faces, edges, parts, vertices, size)
    if unused:
        found.append(
            Problem("unreferenced", f"{_many(unused, 'vertex', 'is')} in no face.", unused, "remove_unreferenced")
        )
    if len(points):
        found += _of_place((low + high) / 2, size, mirrored=mesh.mirror is not None)
    order = {fix: place for place, fix in enumerate(FIXES)}
    found.sort(key=lambda problem: order.get(problem.fix or "", len(order)))
    return Condition(tuple(found), len(vertices), len(faces), parts, int((edges.count == 1).sum()), size)


def _of_values(mesh: Mesh, finite: Bool[np.ndarray, " n"]) -> list[Problem]:
    """Numbers that are none."""
    found = []
    if bad := int((~finite).sum()):
        verb = "has" if bad == 1 else "have"
        text = f"Of {len(finite):,} vertices, {bad:,} {verb} a coordinate that is NaN or infinite."
        found.append(Problem("nan", text, bad, "remove_nan", "error"))
    others = dict(mesh.morphs) | ({} if mesh.uv is None else {"uv": mesh.uv})
    broken = [name for name, values in others.items() if not bool(values.isfinite().all())]
    if broken:
        text = f"{', '.join(broken[:3])} {'has' if len(broken) == 1 else 'have'} numbers that are NaN or infinite."
        found.append(Problem("nan_values", text, len(broken), "remove_nan", "error"))
    return found


def _of_counts(mesh: Mesh, size: float) -> list[Problem]:
    """Too little, or very much."""
    vertices, faces = len(mesh.vertices), len(mesh.faces)
    if not faces or size == 0:
        what = "no face" if not faces else "no extent"
        return [Problem("empty", f"The mesh has {what}: there is nothing to sculpt.", vertices, None, "error")]
    if vertices < TINY:
        text = f"The mesh has only {_many(vertices, 'vertex')}; a brush needs many, such as 4,000 of a head."
        return [Problem("tiny", text, vertices)]
    if faces > HUGE:
        most = vertices * _NANOSECONDS * 1e-6
        text = (
            f"{faces:,} faces are many: an update takes about {most / 2:.0f} ms while a brush covers half of them, "
            f"{most / 10:.0f} ms for a tenth."
        )
        return [Problem("huge", text, faces, None, "note")]
    return []


def _of_faces(vertices: Float[np.ndarray, "n 3"], faces: Int[np.ndarray, "m 3"], size: float) -> list[Problem]:
    """Faces that name a vertex twice, have no area, or stand there twice."""
    found = []
    twice = repeated(faces)
    if collapsed := int(twice.sum()):
        text = f"{_many(collapsed, 'face', 'has')} one vertex at two corners."
        found.append(Problem("degenerate", text, collapsed, "remove_degenerate"))
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    with np.errstate(all="ignore"):  # NaN is told elsewhere
        doubled = np.linalg.norm(np.cross(b - a, c - a), axis=1)
        flat = int((~twice & (doubled <= 1e-14 * size * size)).sum())
    if flat:
        text = f"{_many(flat, 'face', 'has')} no area; left alone, for the surface would have slits otherwise."
        found.append(Problem("flat", text, flat, None, "note"))
    if doubles := int(duplicates(faces).sum()):
        text = f"{_many(doubles, 'face', 'has')} the corners of another face."
        found.append(Problem("duplicate_faces", text, doubles, "remove_duplicates"))
    return found


def _of_edges(
    faces: Int[np.ndarray, "m 3"], edges: Edges, parts: int, vertices: Float[np.ndarray, "n 3"], size: float
) -> list[Problem]:
    """How faces are put together."""
    found = []
    if many := int((edges.count > 2).sum()):
        text = f"{_many(many, 'edge', 'has')} more than two faces, so the surface has no clear side there."
        found.append(Problem("nonmanifold_edges", text, many, "split"))
    elif len(faces) <= _CHECKED and (fans := pinched(faces, len(vertices))):
        text = f"{_many(fans, 'vertex', 'is')} where parts of the surface meet in a point and share no edge."
        found.append(Problem("nonmanifold_vertices", text, fans, "split"))
    if turned := int(((edges.count == 2) & (edges.upwards != 1)).sum()):
        text = f"Along {_many(turned, 'edge')} the faces on both sides are wound against each other."
        found.append(Problem("winding", text, turned, "orient"))
    openings = edges.ends[edges.count == 1]
    if len(edges.count) and not len(openings) and not turned and not many and _volume(vertices, faces) < 0:
        text = f"All {len(faces):,} faces look inwards: the volume is negative."
        found.append(Problem("inside_out", text, len(faces), "orient"))
    if len(openings):
        loops = count_parts(openings, len(vertices))[0]
        text = f"The surface is open: {_many(len(openings), 'edge')} with one face, in {_many(loops, 'opening')}."
        near = _near_pairs(vertices, size)
        text += f" {_many(near, 'vertex', 'is')} where another one is and can be joined to it." if near else ""
        found.append(Problem("open", text, len(openings), "weld" if near else None, "warning" if near else "note"))
    if parts > 1:
        text = (
            f"The surface has {parts:,} parts that are not connected; a smooth stroke does not go from one to another."
        )
        found.append(Problem("parts", text, parts, None, "note"))
    return found


def _of_place(center: Float[np.ndarray, "3"], size: float, *, mirrored: bool) -> list[Problem]:
    """Where it is and how large."""
    found = []
    away = float(np.linalg.norm(center))
    if size and away > 2 * size:
        text = (
            f"Its middle is {away:.4g} m from the origin, {away / size:.0f} times its size; "
            f"positions are exact to {away * 6e-8:.1g} m there."
        )
        found.append(Problem("far", text, 1, "recentre"))
    elif size and not mirrored and abs(center[0]) > _OFF_PLANE * size:
        text = f"Its middle is at x = {center[0]:.4g} m; the mirror plane of symmetric strokes is x = 0."
        found.append(Problem("off_plane", text, 1, "recentre"))
    if size and not SMALLEST <= size <= LARGEST:
        unit, scale = unit_of(size)
        guess = (
            f"in {unit} that is {size * scale:.3g} m"
            if unit
            else f"no usual unit makes it a head; {USUAL} m is offered"
        )
        text = f"Its longest side is {size:.4g} m, a head's about {USUAL} m; {guess}."
        found.append(Problem("scale", text, 1, "rescale"))
    return found


def unit_of(size: float) -> tuple[str, float]:
    """The unit that makes a length nearest to that of a head, or none, and metres per unit."""
    fitting = {unit: scale for unit, scale in _UNITS.items() if SMALLEST <= size * scale <= LARGEST}
    if not fitting:
        return "", USUAL / size
    return min(fitting.items(), key=lambda pair: abs(np.log(size * pair[1] / USUAL)))


def _volume(vertices: Float[np.ndarray, "n 3"], faces: Int[np.ndarray, "m 3"]) -> float:
    """Signed volume of a closed surface; of an open one nothing that means something."""
    points = vertices.astype(np.float64)
    with np.errstate(all="ignore"):  # NaN is told elsewhere
        a, b, c = ((points - points.mean(0))[faces[:, corner]] for corner in range(3))
        return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def _near_pairs(vertices: Float[np.ndarray, "n 3"], size: float) -> int:
    """Vertices that welding would join to others."""
    if not size:
        return 0
    points = vertices[np.isfinite(vertices).all(1)]
    cells = np.sort(cells_of(points, size))
    return int((cells[1:] == cells[:-1]).sum())


def cells_of(points: Float[np.ndarray, "n 3"], size: float) -> UInt64[np.ndarray, " n"]:
    """A number for each place, the same for points that are ``NEAR`` times the size apart or less, mostly."""
    cells = np.rint(points.astype(np.float64) / (NEAR * size)).astype(np.int64).view(np.uint64)
    factors = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64)
    with np.errstate(over="ignore"):
        mixed: UInt64[np.ndarray, " n"] = (cells * factors).sum(1, dtype=np.uint64)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))


def _many(count: int, noun: str, verb: str = "") -> str:
    """A number with its noun and verb."""
    if count == 1:
        return f"1 {noun} {verb}".rstrip()
    plural = {"vertex": "vertices"}.get(noun, noun + "s")
    return f"{count:,} {plural} {({'is': 'are', 'has': 'have'}).get(verb, '')}".rstrip()
