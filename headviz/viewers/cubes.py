"""Marching cubes, cell by cell: the surface so far, the current cell with its table entry, and the 15 classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from jaxtyping import Float, Int, Shaped

from headviz.errors import OptionError, ResolutionError
from headviz.geometry.cube_tables import CORNERS, EDGES, FACES, cube_table
from headviz.geometry.extract import Box, Extraction, extract_surface
from headviz.geometry.field import Field
from headviz.viewers import look
from headviz.viewers.record import Record, array
from headviz.viewers.viewer import State, Viewer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: More cells than this are not shown one by one.
MOST = 300_000
#: Names of the faces of a cell, in the order of the table.
FACE_NAMES = ("−x", "+x", "−y", "+y", "−z", "+z")


@dataclass(frozen=True)
class CubesState(State):
    """What a person has chosen; ``step`` counts the cells done, the last step is the whole surface.

    Attributes:
        follow: whether the camera follows the current cell.
        rest: whether the part to come is shown, translucent.
        smooth: whether the surface is shaded without its edges.
    """

    follow: bool = False
    rest: bool = True
    smooth: bool = False


@dataclass(frozen=True, eq=False)
class CubesViewer(Viewer):
    """A surface that is made cell by cell, from the lowest layer to the highest."""

    kind: ClassVar[str] = "cubes"
    state_type: ClassVar[type[State]] = CubesState
    requires: ClassVar[tuple[str, ...]] = (
        "vertices", "faces", "first", "cells", "values", "state", "state_case", "state_decisions", "state_triangles",
        "state_count", "classes", "ambiguous", "class_state", "edges", "cube_faces",
    )  # fmt: skip
    precision: ClassVar[Mapping[str, float]] = {"vertices": 1e-5}
    size: ClassVar[tuple[float, float]] = (12.0, 5.4)

    @property
    def chosen(self) -> CubesState:
        """The state, as what it is."""
        if not isinstance(self.state, CubesState):
            raise OptionError(f"the state should be a CubesState; it is {type(self.state).__name__}")
        return self.state

    @property
    def steps(self) -> int:
        """Nothing done, one per cell, and the whole surface."""
        return len(self.record.arrays["cells"]) + 2

    @property
    def number(self) -> int | None:
        """Index of the current cell; ``None`` at the first and the last step."""
        return self.state.step - 1 if 1 <= self.state.step < self.steps - 1 else None

    @property
    def done(self) -> int:
        """How many faces of the mesh are made, those of the current cell included."""
        last = min(self.state.step, self.steps - 2)
        return int(self.record.arrays["first"][last])

    @property
    def centers(self) -> Float[np.ndarray, "n 3"]:
        """The middle of each cell, metres."""
        facts = self.record.facts
        made: Float[np.ndarray, "n 3"] = np.asarray(facts["origin"]) + facts["spacing"] * (
            self.record.arrays["cells"].astype(float) + 0.5
        )
        return made

    def at(self, **changes: Any) -> CubesViewer:
        """The same record in another state. A step moves the cursor to its cell; a cursor goes to the nearest cell.

        Raises:
            OptionError: there is no such field, or a value is out of range.
        """
        if "step" in changes and "cursor" not in changes:
            made = replace(self, state=self.state.changed(changes))
            place = None if made.number is None else tuple(made.centers[made.number].tolist())
            return replace(made, state=made.state.changed({"cursor": place}))
        if changes.get("cursor") is not None and "step" not in changes:
            cursor = self.state.changed({"cursor": changes["cursor"]}).cursor
            away = ((self.centers - np.asarray(cursor, dtype=float)) ** 2).sum(axis=1)
            changes["step"] = int(away.argmin()) + 1
        return replace(self, state=self.state.changed(changes))

    @property
    def numbers(self) -> dict[str, Any]:
        """Counts, and the current cell: its place, case, corner values in metres, crossings, loops and decisions."""
        cells = len(self.record.arrays["cells"])
        return {
            "cells": cells, "done": min(self.state.step, cells), "triangles": self.done,
            "current": None if self.number is None else self._current(self.number),
        }  # fmt: skip

    def _current(self, number: int) -> dict[str, Any]:
        arrays = self.record.arrays
        state = int(arrays["state"][number])
        case, decisions = int(arrays["state_case"][state]), int(arrays["state_decisions"][state])
        ambiguous = int(arrays["ambiguous"][case])
        return {
            "at": arrays["cells"][number].tolist(), "case": case, "class": int(arrays["classes"][case]),
            "inside": case.bit_count(), "triangles": int(arrays["state_count"][state]),
            "loops": [len(loop) for loop in self.record.facts["loops"][state]],
            "ambiguous": [f for f in range(6) if ambiguous >> f & 1],
            "joined": [f for f in range(6) if ambiguous >> f & 1 and decisions >> f & 1],
            "values": arrays["values"][number].astype(float).tolist(),
            "fractions": [fraction for _, fraction in crossings(arrays, number)],
        }  # fmt: skip

    @property
    def caption(self) -> str:
        """What the current cell does, or what there is to do, or what was made."""
        numbers, facts = self.numbers, self.record.facts
        now = numbers["current"]
        if now is not None:
            corners = f"{now['inside']} of 8 corners inside"
            return (
                f"Cell {numbers['done']:,} of {numbers['cells']:,} at ({', '.join(map(str, now['at']))}), "
                f"case {now['case']} (class {now['class']}): {corners}, "
                f"{look.count(now['triangles'], 'triangle')} in {_loops(now['loops'])}{_faces(now)}."
            )
        crossed = f"{numbers['cells']:,} of {look.count(facts['all_cells'], 'cell')}"
        if self.state.step == 0:
            across = f"{facts['resolution']} cells of {look.length(facts['spacing'])}"
            return f"{across} along the longest side: the surface crosses {crossed}, and none is done yet."
        most = int(np.argmax(facts["class_counts"]))
        vertices = look.count(facts["vertices"], "vertex", "vertices")
        return (
            f"All {look.count(numbers['cells'], 'cell')} that the surface crosses done: "
            f"{look.count(numbers['triangles'], 'triangle')} with {vertices}; "
            f"the most frequent class is {most}, {look.count(facts['class_counts'][most], 'cell')}."
        )

    def draw(self, figure: Figure) -> None:
        """The surface so far, the current cell, and the 15 classes."""
        from headviz.viewers.cubes_picture import draw_cubes

        draw_cubes(figure, self)


def crossings(arrays: Mapping[str, Shaped[np.ndarray, "..."]], number: int) -> list[tuple[int, float]]:
    """The edges of a cell that the surface crosses, and where on them: 0 at the first corner, 1 at the second."""
    values = arrays["values"][number].astype(float)
    found = []
    for edge, (a, b) in enumerate(arrays["edges"].tolist()):
        if (values[a] < 0) != (values[b] < 0):
            found.append((edge, float(values[a] / (values[a] - values[b]))))
    return found


def _loops(sizes: list[int]) -> str:
    if len(sizes) == 1:
        return f"one loop of {sizes[0]} edges"
    listed = ", ".join(map(str, sizes[:-1]))
    return f"{len(sizes)} loops of {listed} and {sizes[-1]} edges"


def _faces(now: dict[str, Any]) -> str:
    """What the ambiguous faces decide."""
    said = [f"{FACE_NAMES[face]} ({'joined' if face in now['joined'] else 'kept apart'})" for face in now["ambiguous"]]
    if not said:
        return ""
    noun = "face is" if len(said) == 1 else "faces are"
    return f"; {len(said)} {noun} ambiguous, inside corners: {', '.join(said)}"


def view_cubes(field: Field, *, resolution: int = 16, bounds: Box | None = None, title: str = "") -> CubesViewer:
    """A viewer of marching cubes, cell by cell from the lowest layer up.

    Args:
        field: in space, metres, negative inside.
        resolution: number of cells along the longest side of the box.
        bounds: box to look in, metres; the field's own by default.
        title: what it is.

    Raises:
        EmptySurfaceError: the field does not change its sign.
        ResolutionError: the surface crosses more than 300,000 cells, or the resolution cannot be used.
        BoundsError, FieldError, ShapeError: as :func:`headviz.geometry.extract_surface`.

    Warns:
        SurfaceWarning: the surface leaves the box, so that the mesh is open there.
    """
    found = extract_surface(field, resolution=resolution, bounds=bounds, record=True)
    assert found.history is not None
    if len(found.history.cells) > MOST:
        raise ResolutionError(
            f"a surface to step through should cross at most {MOST:,} cells; at resolution {resolution} it crosses "
            f"{len(found.history.cells):,}: choose a lower one"
        )
    record = record_of(found)
    viewer = CubesViewer(record, CubesState(), title)
    return viewer.at(step=_telling(viewer))


def record_of(found: Extraction) -> Record:
    """The record of an extraction, its cells sorted by height, then depth, then width, and its faces with them."""
    history, table = found.history, cube_table()
    assert history is not None
    cells = array(history.cells)
    order = np.lexsort((cells[:, 0], cells[:, 2], cells[:, 1]))
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    owner = rank[array(history.face_cell)]
    faces = array(found.mesh.faces)[np.argsort(owner, kind="stable")]
    first = np.concatenate(([0], np.bincount(owner, minlength=len(cells)).cumsum()))
    state, representatives = array(history.state)[order], array(table.representatives)
    examples = array(table.state)[representatives, 0]
    used = np.unique(np.concatenate((state, examples)))
    classes = array(table.classes)
    arrays = {
        "vertices": array(found.mesh.vertices).astype(np.float32), "faces": faces, "first": first,
        "cells": cells[order], "values": array(history.values)[order].astype(np.float32),
        "state": np.searchsorted(used, state), "class_state": np.searchsorted(used, examples),
        "state_case": array(table.cases)[used], "state_decisions": array(table.decisions)[used],
        "state_triangles": array(table.triangles)[used], "state_count": array(table.count)[used],
        "classes": classes, "ambiguous": array(table.ambiguous),
        "edges": array(EDGES), "cube_faces": array(FACES), "corners": array(CORNERS),
    }  # fmt: skip
    lattice = found.lattice
    facts = {
        "loops": [table.loops[k] for k in used.tolist()], "vertices": len(arrays["vertices"]),
        "origin": lattice.origin, "spacing": lattice.spacing, "lattice": lattice.cells,
        "all_cells": int(np.prod(lattice.cells)), "resolution": max(lattice.cells),
        "class_counts": np.bincount(classes[array(history.case)], minlength=15),
    }  # fmt: skip
    return Record("cubes", facts, arrays)


def _telling(viewer: CubesViewer) -> int:
    """A step to begin with: a cell past the middle that is turned to the eye and crossed far from its corners."""
    cells, arrays = viewer.record.arrays["cells"], viewer.record.arrays
    values = arrays["values"].astype(float)
    axis = array(CORNERS).astype(bool)
    slope = np.stack([values[:, axis[:, k]].mean(1) - values[:, ~axis[:, k]].mean(1) for k in range(3)], axis=1)
    turned = slope @ np.array([0.45, 0.2, 0.87]) / np.maximum(np.linalg.norm(slope, axis=1), 1e-300)
    low, high = values[:, arrays["edges"][:, 0]], values[:, arrays["edges"][:, 1]]
    crossed = (low < 0) != (high < 0)
    fraction = np.divide(low, low - high, out=np.full_like(low, 0.5), where=crossed)
    clear = np.minimum(fraction, 1 - fraction).min(axis=1)
    place = np.arange(len(cells)) / max(1, len(cells))
    count: Int[np.ndarray, " n"] = arrays["state_count"][arrays["state"]].astype(int)
    score = turned + 2 * clear + 0.35 * count + 10 * ((place > 0.5) & (place < 0.75))
    return int(score.argmax()) + 1
