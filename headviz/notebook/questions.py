"""The questions of notebooks 01 to 05, each with the few lines that compute its answer."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable

import torch
from torch import Tensor

from headviz.errors import OptionError
from headviz.geometry.calculus import gradient
from headviz.geometry.contour import marching_squares, square_table
from headviz.geometry.cube_tables import cube_table
from headviz.geometry.extract import extract_contour, extract_surface
from headviz.geometry.field import Field
from headviz.geometry.lattice import lattice_in
from headviz.geometry.presets import preset
from headviz.geometry.shape import Shape
from headviz.geometry.shapes2d import Circle, HalfPlane, Rectangle
from headviz.geometry.trace import sphere_trace
from headviz.geometry.trace_history import SphereTrace
from headviz.models.reconstruction import Reconstruction
from headviz.notebook.checks import Question, Truth, Verdict, judge, lookup
from headviz.render.traced import TracedImage

QUESTIONS: dict[str, Question] = {}
Compute = Callable[..., Truth]


def check(question: str, answer: object, *given: object) -> Verdict:
    """Say whether an answer is right; if not, give a hint.

    Args:
        question: its name, such as ``"03.2"``.
        answer: a number, several as a tuple, list, array or tensor, or ``None`` for no answer yet.
        given: what the question is about, where the notebook hands it over.

    Raises:
        OptionError: there is no such question, or it needs something else.
    """
    found = lookup(QUESTIONS, question)
    try:
        inspect.signature(found.truth).bind(*given)
    except TypeError:
        needs = ", ".join(inspect.signature(found.truth).parameters) or "nothing besides the answer"
        raise OptionError(f"question {question} needs {needs}; it got {len(given)} more than the answer") from None
    return judge(found, answer, given)


def question(
    name: str,
    hint: str,
    *,
    slips: tuple[tuple[Compute, str], ...] = (),
    tolerance: float = 0.01,
    margin: float = 1e-9,
) -> Callable[[Compute], Compute]:
    """Make a question of a function that computes its answer; the docstring is what it asks."""

    def add(truth: Compute) -> Compute:
        asks = " ".join((truth.__doc__ or "").split())
        QUESTIONS[name] = Question(name, asks, truth, hint, slips, tolerance, margin)
        return truth

    return add


def _ray(field: Field, origin: tuple[float, float], direction: tuple[float, float], **options: object) -> SphereTrace:
    """One recorded ray in the plane, double precision."""
    points = torch.tensor([origin, direction], dtype=torch.float64)
    return sphere_trace(field, points[:1], points[1:], near=0.0, record=True, **{"far": 2.0, **options})  # type: ignore[arg-type]


# 01: a photograph to a head


@question("01.1", "A length X at depth Z covers f · X / Z pixels; the depth of the origin is −t_z.")
def _pixels(head: Reconstruction) -> Truth:
    """How many pixels does 1 cm cover at the depth of the head's origin?"""
    origin = torch.zeros(3)
    across = 0.01 * head.camera.rotation[0]  # along the picture's own x axis
    moved = head.camera.project(torch.stack([origin, across]))
    return float((moved[1] - moved[0]).norm())


@question("01.2", "Write u = c + f X / Z down once for (X, Z) and once for (1.2 X, 1.2 Z).", margin=0.01)
def _larger_and_farther(head: Reconstruction) -> Truth:
    """By how many pixels does the picture of a head move that is 1.2 times as large and 1.2 times as far away?"""
    camera, points = head.camera, head.mesh.vertices.double()
    turned = points @ camera.rotation.double().T + camera.translation.double()
    seen = [camera.focal * part[:, :2] / -part[:, 2:] for part in (turned, 1.2 * turned)]
    return float((seen[1] - seen[0]).norm(dim=1).max())


@question(
    "01.3", "head.mesh.morphs['jawOpen'] holds a vector per vertex, metres: which is the longest?", tolerance=0.02
)
def _jaw(head: Reconstruction) -> Truth:
    """How far does the expression jawOpen at weight 1 move the vertex that it moves the most, in millimetres?"""
    return 1000 * float(head.mesh.morphs["jawOpen"].norm(dim=1).max())


def _faces_of(text: str) -> dict[int, list[int]]:
    """The faces of an OBJ text by line number, from 1."""
    rows = enumerate(text.strip("\n").splitlines(), start=1)
    return {number: [int(one) for one in line.split()[1:]] for number, line in rows if line.startswith("f ")}


def _directed(face: list[int]) -> set[tuple[int, int]]:
    return set(zip(face, [*face[1:], face[0]], strict=True))


@question("01.4", "Two faces that share an edge should run through it in opposite directions.", margin=0.1)
def _turned(text: str) -> Truth:
    """Which line of the file describes the face that is turned the wrong way?"""
    faces = _faces_of(text)
    shared = {
        line: sum(len(_directed(face) & _directed(other)) for k, other in faces.items() if k != line)
        for line, face in faces.items()
    }
    return max(shared, key=lambda line: shared[line])


def _edges(text: str) -> int:
    return len({frozenset(edge) for face in _faces_of(text).values() for edge in _directed(face)})


def _cut(text: str) -> Truth:
    """How many edges has the cube after every face was cut into two triangles?"""
    return _edges(text) + sum(len(face) - 3 for face in _faces_of(text).values())


question(
    "01.5", "Count the cube's own edges, then one new edge per cut; or use V − E + F = 2.",
    slips=((_edges, "Those are the edges before the cut; each cut adds one."),), margin=0.1,
)(_cut)  # fmt: skip


# 02: signed distance


@question("02.1", "How far is the point from the centre, and how far is the circle?")
def _to_circle() -> Truth:
    """What is the signed distance of the point (0.12, 0.05) to the circle, in metres?"""
    return float(preset("circle")(torch.tensor([[0.12, 0.05]]))[0])


@question(
    "02.2", "The gradient points straight away from the nearest point: go back along it, p − f(p) ∇f(p).", margin=1e-4
)
def _nearest() -> Truth:
    """Which point of the rectangle's outline is nearest to (0.13, 0.11)?"""
    place = torch.tensor([[0.13, 0.11]], dtype=torch.float64)
    field = preset("rectangle")
    found: list[float] = (place - field(place)[:, None] * gradient(field, place))[0].tolist()
    return found


def _two_circles() -> Shape:
    return Circle(0.1, (-0.06, 0.0)) | Circle(0.1, (0.06, 0.0))


def _minimum() -> Truth:
    return float(_two_circles()(torch.zeros(1, 2))[0])


@question(
    "02.3", "Only the outline that is left counts: where do the two circles meet?",
    slips=((_minimum, "That is what the minimum gives: the way to an outline that the union has swallowed."),),
)  # fmt: skip
def _inside_union() -> Truth:
    """What is the true signed distance from the origin to the outline of the union, in metres?"""
    outline = extract_contour(_two_circles(), resolution=512).contour.points
    return -float(outline.norm(dim=1).min())


@question(
    "02.4", "Chain rule: how much faster does y / 0.6 change than y?", tolerance=0.02,
    slips=((lambda: 1 / 1.2, "That is the slope along x; along y the circle is pressed together."),),
)  # fmt: skip
def _steepest() -> Truth:
    """How steep is f(x / 1.2, y / 0.6) at most, where f is the distance to a circle?"""
    points = torch.rand(20_000, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 0.5
    points.requires_grad_()
    value = preset("circle")(points / points.new_tensor([1.2, 0.6]))
    (slope,) = torch.autograd.grad(value.sum(), points)
    return float(slope.norm(dim=1).max())


# 03: sphere tracing


@question("03.1", "The first safe circle's radius is the distance of the start: √(0.1² + 0.08²) − 0.1 m.")
def _second_look() -> Truth:
    """At which x does a ray from (−0.1, 0.08) along +x look at the field for the second time?"""
    history = _ray(preset("circle"), (-0.1, 0.08), (1.0, 0.0)).history
    assert history is not None
    return float(history.positions[1, 0])


# A wall that rises to the right, and a ray from 0.2 m in front of it that meets it at 60° to its normal.
_TILT, _SLANT = math.radians(30), math.radians(90)
_START = (-0.2 * math.cos(_TILT), -0.2 * math.sin(_TILT))
_SLANTED = (math.cos(_SLANT), math.sin(_SLANT))


def _wall() -> HalfPlane:
    return HalfPlane((-math.cos(_TILT), -math.sin(_TILT)), 0.0)


def _moves() -> Truth:
    """How many moves does the ray make until the field is at most 0.1 mm?"""
    return int(_ray(_wall(), _START, _SLANTED, tolerance=1e-4).steps[0]) - 1


def _looks() -> Truth:
    return int(_moves()) + 1  # type: ignore[arg-type]


question(
    "03.2", "Each move halves the distance to the wall, since 1 − cos 60° = 1/2: how often until 0.2 m is 0.1 mm?",
    slips=((_looks, "Those are the looks; there is one more of them than of moves."),), margin=0.1,
)(_moves)  # fmt: skip


@question(
    "03.3", "After a step of ω f the distance is f (1 − ω cos 60°). The two circles meet if the sum of their radii is "
    "at least the step.", tolerance=0.005,
)  # fmt: skip
def _largest_relaxation() -> Truth:
    """Up to which ω is the first step towards the wall at 60° not taken back?"""
    low, high = 1.0, 1.99
    for _ in range(20):
        middle = (low + high) / 2
        history = _ray(_wall(), _START, _SLANTED, relaxation=middle).history
        assert history is not None
        low, high = (low, middle) if bool(history.undone[1]) else (middle, high)
    return low


class _Steep:
    """A wall 2 cm thick at x = 0.1 m; the values are doubled, and it claims a distance's bound all the same."""

    bounds = torch.tensor([[-1.0, -1.0], [1.0, 1.0]])
    lipschitz = 1.0

    def __call__(self, points: Tensor) -> Tensor:
        return 2 * Rectangle((0.02, 2.0), center=(0.11, 0.0))(points)


@question("03.4", "At the start the field says 2 · 0.1 m, and the ray believes it. The wall is 0.02 m thick.")
def _beyond() -> Truth:
    """How far behind the back of the wall is the ray's second look, in metres?"""
    history = _ray(_Steep(), (0.0, 0.0), (1.0, 0.0)).history
    assert history is not None
    return float(history.positions[1, 0]) - 0.12


@question(
    "03.5", "Look for yellow in the map of steps: a pixel's rays pass close by something for a long way.", margin=0.1
)
def _slowest(image: TracedImage) -> Truth:
    """How many looks did the pixel take that took the most?"""
    return int(image.steps.max())


# 04: marching squares and cubes


@question("04.1", "Corner k counts 2ᵏ; corners run counter-clockwise from (0, 0).", margin=0.1)
def _case() -> Truth:
    """Which case is a cell whose two right corners are inside?"""
    corners = square_table().corners.tolist()
    values = torch.ones(2, 2)
    values[:, 1] = -1.0
    history = marching_squares(values, record=True).history
    assert history is not None
    assert corners[1] == [1, 0]
    return int(history.case[0])


@question("04.2", "The value runs in a straight line from −1 to 3: where is it 0?")
def _crossing() -> Truth:
    """Where on the edge from a corner with −1 mm to one with 3 mm does the contour cross, from 0 to 1?"""
    history = marching_squares(torch.tensor([[-1.0, 3.0], [-1.0, 3.0]]), record=True).history
    assert history is not None
    return float(history.fraction[0, 0])


@question("04.3", "With corners a, b, c, d counter-clockwise the saddle's value is (ac − bd) / (a − b + c − d).")
def _saddle() -> Truth:
    """What is the bilinear value at the saddle of a cell with −1, 2, −3, 1 at its corners, counter-clockwise?"""
    history = marching_squares(torch.tensor([[-1.0, 2.0], [1.0, -3.0]]), record=True).history
    assert history is not None
    return float(history.saddle[0])


def _contour_error(resolution: int) -> float:
    """Greatest distance of a circle's contour from the circle, over four places of the grid."""
    worst = 0.0
    for shift in (0.0, 0.25, 0.5, 0.75):
        step = 0.24 / resolution
        axis = -0.12 + step * (torch.arange(resolution + 1, dtype=torch.float64) + shift - 0.5)
        y, x = torch.meshgrid(axis, axis, indexing="ij")
        found = marching_squares(torch.hypot(x, y) - 0.1, spacing=step, origin=(float(axis[0]), float(axis[0])))
        middles = found.points[found.segments].mean(dim=1)
        worst = max(worst, float((middles.norm(dim=1) - 0.1).abs().max()))
    return worst


@question("04.4", "A chord of length h bulges away from its circle by about h² / (8 r).", tolerance=0.2)
def _order() -> Truth:
    """By which factor does the error of a circle's contour shrink when the resolution doubles?"""
    return _contour_error(64) / _contour_error(128)


@question("04.5", "One corner inside and seven outside, or the other way round.", margin=0.1,
          slips=((lambda: 8, "Half of them: inside and outside may change places."),))  # fmt: skip
def _one_corner() -> Truth:
    """How many of the 256 cases cut off a single corner?"""
    classes = cube_table().classes
    return int((classes == classes[1]).sum())


@question("04.6", "V − E + F; every face has 3 edges, and every edge belongs to 2 faces.", margin=0.1)
def _euler() -> Truth:
    """What is the Euler characteristic of the double torus?"""
    mesh = extract_surface(preset("double_torus"), resolution=48).mesh
    edges = (
        torch.cat([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]])
        .sort(dim=1)
        .values.unique(dim=0)
    )
    return len(mesh.vertices) - len(edges) + len(mesh.faces)


# 05: quadtree and octree


def _cells() -> Truth:
    return 256**3


@question("05.1", "Values belong to corners, not to cells.", margin=0.1, tolerance=0.0,
          slips=((_cells, "Those are the cells; the field is evaluated at their corners."),))  # fmt: skip
def _dense_points() -> Truth:
    """At how many points is the field evaluated on a full grid of 256 × 256 × 256 cells?"""
    return lattice_in([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]], 256).points


@question("05.2", "How far from the centre is the farthest point of the cell?",
          slips=((lambda: 0.04, "The corners are farther away than the middles of the sides."),))  # fmt: skip
def _far_enough() -> Truth:
    """From which |f| at its centre on is a square cell with sides of 0.08 m surely empty, in metres?"""
    corners = torch.cartesian_prod(*[torch.tensor([-0.04, 0.04], dtype=torch.float64)] * 2)
    return float(corners.norm(dim=1).max())


def _seen(radius: float) -> bool:
    """Whether pruning by sign finds a circle in the middle of a cell of 0.02 m, the largest that is judged by signs."""
    field = Circle(radius, (0.01, 0.01))
    found = extract_contour(field, resolution=64, prune="sign", bounds=[[-0.32, -0.32], [0.32, 0.32]])
    return bool(len(found.contour.points))


@question("05.3", "The circle is seen when a corner of its cell lies inside it.", tolerance=0.02,
          slips=((lambda: 0.01, "That reaches the middles of the sides, but no corner."),))  # fmt: skip
def _visible() -> Truth:
    """From which radius on, in metres, is a circle in the middle of a cell with sides of 0.02 m not lost?"""
    low, high = 0.001, 0.019
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (low, middle) if _seen(middle) else (middle, high)
    return high


@question("05.4", "Only cells near the surface are looked into; a surface has two dimensions.",
          tolerance=0.0, margin=0.2, slips=((lambda: 3, "That is a full grid's exponent."),))  # fmt: skip
def _growth() -> Truth:
    """With which power of the resolution do the octree's evaluations grow?"""
    spent = [extract_surface(preset("head"), resolution=n).evaluations for n in (64, 128)]
    return math.log2(spent[1] / spent[0])


@question("05.5", "history.lost has one row per lost cell, history.cells one per cell that was found.", tolerance=0.03)
def _lost() -> Truth:
    """What share of the cells at the surface of "thin" does pruning by sign lose at 64 cells, in per cent?"""
    history = extract_surface(preset("thin"), resolution=64, prune="sign", record=True).history
    assert history is not None
    return 100 * len(history.lost) / (len(history.lost) + len(history.cells))
