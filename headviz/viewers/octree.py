"""An octree over a field in space, level by level, with a plane that cuts through it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
from jaxtyping import Bool, Float, Int

from headviz.errors import OptionError, ShapeError
from headviz.geometry.extract import Box
from headviz.geometry.field import Field
from headviz.geometry.lattice import Lattice, lattice_in
from headviz.geometry.octree import Subdivision
from headviz.viewers import look
from headviz.viewers.record import Record, array
from headviz.viewers.subdivision_methods import compare_methods, draw, find, prunings, resolutions_of
from headviz.viewers.subdivision_record import DROPPED, MOST_CELLS, Arrays, record_of
from headviz.viewers.subdivisions import SubdivisionState, SubdivisionViewer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Self = TypeVar("Self", bound="OctreeViewer")
AXES = "xyz"
_MOST_FACES = 1_000_000


@dataclass(frozen=True)
class OctreeState(SubdivisionState):
    """What a person can choose of an octree.

    Attributes:
        axis: along which the plane cuts, "x", "y" or "z".
        position: where it cuts, metres.
        cut: whether what lies beyond the plane is taken away.
        surface: whether the surface is drawn.
        dropped: whether the boxes of dropped cells are drawn in space, not only where the plane cuts them.
    """

    axis: str = "x"
    position: float = 0.0
    cut: bool = True
    surface: bool = True
    dropped: bool = False


@dataclass(frozen=True, eq=False)
class OctreeViewer(SubdivisionViewer):
    """Boxes of all levels around the surface, a cut through them, the tree they form, and evaluations against error."""

    kind: ClassVar[str] = "octree"
    state_type: ClassVar[type[OctreeState]] = OctreeState
    requires: ClassVar[tuple[str, ...]] = ("samples", "values")
    precision: ClassVar[dict[str, float]] = {"lipschitz.vertices": 1e-5, "sign.vertices": 1e-5}
    size: ClassVar[tuple[float, float]] = (11.0, 8.8)
    noun: ClassVar[str] = "surface"
    piece: ClassVar[tuple[str, str]] = ("triangle", "triangles")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.view.axis not in AXES or len(self.view.axis) != 1:
            raise OptionError(f"axis should be one of x, y, z; it is {self.view.axis!r}")

    @property
    def view(self) -> OctreeState:
        """The state, as what it is."""
        assert isinstance(self.state, OctreeState)
        return self.state

    @property
    def fixed(self) -> int:
        """Number of the axis along which the plane cuts."""
        return AXES.index(self.view.axis)

    @property
    def plane(self) -> float:
        """Where the plane cuts, in lattice steps."""
        found: float = (self.view.position - self.lattice["origin"][self.fixed]) / self.lattice["spacing"]
        return found

    def at(self: Self, **changes: Any) -> Self:
        """See :meth:`SubdivisionViewer.at`; the plane stays within the box."""
        made = super().at(**changes)
        low = made.lattice["origin"][made.fixed]
        high = low + made.lattice["spacing"] * made.lattice["cells"][made.fixed]
        return replace(made, state=replace(made.view, position=min(max(made.view.position, low), high)))

    def cut_on(self, level: int) -> Bool[np.ndarray, " n"]:
        """Which cells of a level the plane passes."""
        low = self.on_level("cells", level)[:, self.fixed].astype(float)
        found: Bool[np.ndarray, " n"] = (low <= self.plane) & (self.plane < low + self.levels[level]["size"])
        return found

    def shown_on(self, level: int) -> Bool[np.ndarray, " n"]:
        """Which cells of a level there are at the step: all of the level shown, of those above the dropped ones."""
        reasons = self.on_level("reasons", level)
        return np.ones(len(reasons), dtype=bool) if level == self.level else np.isin(reasons, DROPPED)

    @property
    def numbers(self) -> dict[str, Any]:
        """See :meth:`SubdivisionViewer.numbers`; and how many cells the plane passes."""
        passed = sum(int((self.cut_on(k) & self.shown_on(k)).sum()) for k in range(self.level + 1))
        return super().numbers | {"axis": self.view.axis, "position": self.view.position, "passed": passed}

    @property
    def caption(self) -> str:
        """See :meth:`SubdivisionViewer.caption`; and the plane."""
        passed = look.count(int(self.numbers["passed"]), "cell")
        return f"{super().caption} The plane {self.view.axis} = {look.length(self.view.position)} cuts {passed}."

    def surface(self) -> tuple[Float[np.ndarray, "n 3"], Int[np.ndarray, "m 3"]]:
        """Vertices and faces of the tree's surface."""
        name = self.tree["mesh"]
        if name is None:
            return np.zeros((0, 3), dtype=np.float32), np.zeros((0, 3), dtype=np.int32)
        return self.record.arrays[f"{name}.vertices"], self.record.arrays[f"{name}.faces"]

    def draw(self, figure: Figure) -> None:
        """Boxes, cut, tree, and the methods beside each other."""
        from headviz.viewers.octree_pictures import draw_octree

        draw_octree(figure, self)


def view_octree(
    field: Field,
    *,
    resolution: int = 64,
    prune: str | None = None,
    bounds: Box | None = None,
    compare: Sequence[int] | None = None,
    title: str = "",
) -> OctreeViewer:
    """A viewer of the octree that finds a field's surface.

    Args:
        field: of space, negative inside.
        resolution: number of finest cells along the longest side.
        prune: which tree is shown first, "lipschitz" or "sign"; by default the first that the field allows.
        bounds: box to look in, metres; by default the field's own with a margin of half a cell.
        compare: resolutions at which the methods are compared; by default this one (128 at most) and its half, quarter
            and eighth.
        title: what it is.

    Raises:
        ShapeError: the field is one of the plane; :func:`view_quadtree` is for those.
        BoundsError, FieldError, OptionError, ResolutionError: there is no such box, pruning or resolution, or a value
            of the field is not finite.
    """
    if field.bounds.shape[1] != 3:
        raise ShapeError(f"the field should have 3 coordinates; it has {field.bounds.shape[1]}: use view_quadtree")

    def lattice_at(cells: int) -> Lattice:
        return lattice_in(field.bounds, cells, margin=0.5) if bounds is None else lattice_in(bounds, cells)

    lattice = lattice_at(resolution)
    found = {name: find(field, lattice, name, record=True) for name in prunings(field)}
    safe = found.get("lipschitz") or find(field, lattice, "dense")
    facts, arrays = record_of(found, safe)
    facts["notes"] = _thinned(facts["trees"])
    _add_surfaces(facts, arrays, found)
    chosen = resolutions_of(min(resolution, 128)) if compare is None else compare
    rows, reference = compare_methods(field, lattice_at, chosen)
    facts |= {"lipschitz": field.lipschitz, "resolution": resolution, "rows": rows, "reference": reference}
    low, high = (float(x) for x in lattice.bounds.double()[:, 0])
    state = OctreeState(
        step=max(0, len(next(iter(found.values())).levels) - 3),
        prune=next(iter(found)) if prune is None else prune,
        position=(low + high) / 2 + lattice.spacing / 4,  # not where cells meet
    )
    return OctreeViewer(Record("octree", facts, arrays), state, title)


def _thinned(trees: dict[str, Any]) -> list[str]:
    """What a person should know of trees that are not drawn whole."""
    return [
        f"Of the {tree['total']:,} cells of the tree by {name}, {tree['stored']:,} are drawn, in whole subtrees: a "
        f"page holds about {MOST_CELLS:,}. All numbers are of the whole tree, but those of the cut."
        for name, tree in trees.items()
        if tree["stored"] < tree["total"]
    ]


def _add_surfaces(facts: dict[str, Any], arrays: Arrays, found: dict[str, Subdivision]) -> None:
    """Put the trees' surfaces into a record; trees with the same cells share one."""
    first: str | None = None
    for name, one in found.items():
        tree = facts["trees"][name]
        if first is not None and not tree["lost"] and len(one.cells) == len(found[first].cells):
            tree |= {key: facts["trees"][first][key] for key in ("pieces", "mesh")}
            continue
        drawn = draw(one)
        tree |= {"pieces": len(drawn.simplices), "mesh": name if len(drawn.simplices) else None}
        if len(drawn.simplices) > _MOST_FACES:
            facts["notes"].append(f"The surface has more than {_MOST_FACES:,} triangles and is not drawn.")
            tree["mesh"] = None
        elif len(drawn.simplices):
            arrays[f"{name}.vertices"] = array(drawn.points).astype(np.float32)
            arrays[f"{name}.faces"] = array(drawn.simplices)
        first = first or name
