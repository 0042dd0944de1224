"""What the viewers of quadtrees and octrees share: their state, their numbers, and the sentences that say them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeVar

import numpy as np
from jaxtyping import Float, Shaped

from headviz.errors import OptionError
from headviz.geometry.octree import Reason
from headviz.viewers import look
from headviz.viewers.subdivision_record import DROPPED, REASONS
from headviz.viewers.viewer import State, Viewer

Self = TypeVar("Self", bound="SubdivisionViewer")
_FINDS_AGAIN = ("cursor", "step", "prune")


@dataclass(frozen=True)
class SubdivisionState(State):
    """What both viewers let a person choose.

    Attributes:
        prune: which tree is shown, "lipschitz" or "sign".
        cell: the selected cell: its level, and its lower corner counted in cells of that level; ``None`` for none. It
            follows the cursor: the deepest cell there, down to the level shown.
        crossing, near, forced, safe, same_sign, empty, lost: which cells are drawn, by reason.
    """

    prune: str = "lipschitz"
    cell: tuple[int, ...] | None = None
    crossing: bool = True
    near: bool = True
    forced: bool = True
    safe: bool = True
    same_sign: bool = True
    empty: bool = True
    lost: bool = True


@dataclass(frozen=True, eq=False)
class SubdivisionViewer(Viewer):
    """Levels of a tree, one after the other, and then the contour or the surface of its finest cells."""

    state_type: ClassVar[type[State]] = SubdivisionState
    #: What the tree is for: its name, and that of a piece of it in singular and plural.
    noun: ClassVar[str]
    piece: ClassVar[tuple[str, str]]

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.choice.prune not in self.record.facts["trees"]:
            known = ", ".join(self.record.facts["trees"])
            raise OptionError(f"prune should be one of {known}; it is {self.choice.prune!r}")
        cell, dimension = self.choice.cell, len(self.lattice["cells"])
        whole = cell is None or all(isinstance(number, int) for number in cell)
        if not whole or (cell is not None and (len(cell) != dimension + 1 or not 0 <= cell[0] < len(self.levels))):
            raise OptionError(f"cell should be a level and {dimension} whole numbers; it is {cell}")

    @property
    def choice(self) -> SubdivisionState:
        """The state, as what it is."""
        assert isinstance(self.state, SubdivisionState)
        return self.state

    @property
    def lattice(self) -> dict[str, Any]:
        """Facts of the lattice."""
        found: dict[str, Any] = self.record.facts["lattice"]
        return found

    @property
    def tree(self) -> dict[str, Any]:
        """Facts of the tree that is shown."""
        found: dict[str, Any] = self.record.facts["trees"][self.choice.prune]
        return found

    @property
    def levels(self) -> list[dict[str, Any]]:
        """Facts of its levels, coarsest first."""
        found: list[dict[str, Any]] = self.tree["levels"]
        return found

    @property
    def steps(self) -> int:
        """A step per level, and one for the contour or surface."""
        trees: Mapping[str, Any] = self.record.facts["trees"]
        return 1 + len(next(iter(trees.values()))["levels"])

    @property
    def level(self) -> int:
        """The level that is shown; the finest one with the contour or surface."""
        return min(self.choice.step, len(self.levels) - 1)

    def of(self, name: str) -> Shaped[np.ndarray, "..."]:
        """An array of the tree that is shown."""
        return self.record.arrays[f"{self.choice.prune}.{name}"]

    def on_level(self, name: str, level: int) -> Shaped[np.ndarray, "..."]:
        """What an array says of the cells of one level."""
        first, count = self.levels[level]["first"], self.levels[level]["count"]
        return self.of(name)[first : first + count]

    def at(self: Self, **changes: Any) -> Self:
        """The same record in another state; cell and cursor follow each other as on the page.

        Raises:
            OptionError: there is no such field, or a value is out of range.
        """
        changed = replace(self, state=self.state.changed(changes))
        choice = changed.choice
        if "cell" in changes:
            if choice.cell is not None and "cursor" not in changes:
                return replace(changed, state=replace(choice, cursor=changed.centre(choice.cell)))
        elif choice.cursor is None:
            return replace(changed, state=replace(choice, cell=None))
        elif any(name in changes for name in _FINDS_AGAIN):
            return replace(changed, state=replace(choice, cell=changed.deepest(choice.cursor)))
        return changed

    # Cells and places.

    def embed(self, place: Shaped[np.ndarray, " d"]) -> tuple[float, float, float]:
        """The point of space at a place of the lattice's axes, metres."""
        x, y, z = (float(number) for number in place)
        return x, y, z

    def project(self, point: tuple[float, float, float]) -> Float[np.ndarray, " d"]:
        """The place of a point of space, metres."""
        return np.array(point, dtype=float)

    def centre(self, cell: tuple[int, ...]) -> tuple[float, float, float]:
        """The middle of a cell, metres."""
        size = self.levels[cell[0]]["size"]
        return self.embed(
            np.array(self.lattice["origin"]) + self.lattice["spacing"] * size * (np.array(cell[1:]) + 0.5)
        )

    def deepest(self, point: tuple[float, float, float]) -> tuple[int, ...] | None:
        """The smallest cell at a point, down to the level shown."""
        where = np.floor((self.project(point) - np.array(self.lattice["origin"])) / self.lattice["spacing"])
        if not np.isfinite(where).all() or (where < 0).any() or (where >= self.lattice["cells"]).any():
            return None
        for level in range(self.level, -1, -1):
            size = self.levels[level]["size"]
            cell = (level, *(int(number) for number in where // size))
            if self.place_of(cell) is not None:
                return cell
        return None

    def place_of(self, cell: tuple[int, ...]) -> int | None:
        """Where a cell stands in the arrays of its level."""
        cells = self.on_level("cells", cell[0])
        size = self.levels[cell[0]]["size"]
        found = np.flatnonzero((cells == np.array(cell[1:]) * size).all(axis=1))
        return int(found[0]) if len(found) else None

    def corner_values(self, cell: tuple[int, ...]) -> list[float]:
        """Values at the corners of a cell, corner k at (k & 1, k >> 1 & 1, …), metres."""
        size, limits = self.levels[cell[0]]["size"], self.lattice["cells"]
        samples, values = self.record.arrays["samples"], self.record.arrays["values"]
        found = []
        for corner in range(2 ** len(limits)):
            index = 0
            for axis, limit in enumerate(limits):
                index = index * (limit + 1) + min((cell[1 + axis] + (corner >> axis & 1)) * size, limit)
            found.append(float(values[np.searchsorted(samples, index)]))
        return found

    # Numbers and words.

    @property
    def numbers(self) -> dict[str, Any]:
        """What is drawn on the level shown, and of the selected cell."""
        facts = self.levels[self.level]
        counts = {name: facts["reasons"].get(name, 0) for name in REASONS}
        dropped = sum(counts[REASONS[reason]] for reason in DROPPED)
        return {
            "level": self.level, "size": facts["size"] * self.lattice["spacing"], "looked": facts["looked"],
            "split": facts["looked"] - dropped, "dropped": dropped, "evaluations": facts["so_far"],
            "share": facts["so_far"] / self.lattice["points"], "lost": facts["lost"],
            "lost_parts": facts["lost_parts"], "reasons": counts, "cell": self._cell_numbers(),
        }  # fmt: skip

    def _cell_numbers(self) -> dict[str, Any] | None:
        cell = self.choice.cell
        place = None if cell is None else self.place_of(cell)
        if cell is None or place is None:
            return None
        values, size = self.corner_values(cell), self.levels[cell[0]]["size"] * self.lattice["spacing"]
        reach = self.record.facts["lipschitz"]
        needed = None if reach is None else reach * size * (1 + self.lattice["slack"]) * math.sqrt(len(cell) - 1) / 2
        reason = int(self.on_level("reasons", cell[0])[place])
        return {
            "level": cell[0], "at": list(cell[1:]), "size": size, "reason": REASONS[reason], "values": values,
            "inside": int(self.on_level("inside", cell[0])[place]), "nearest": min(abs(value) for value in values),
            "needed": needed, "lost": self._lost_in(cell),
        }  # fmt: skip

    def _lost_in(self, cell: tuple[int, ...]) -> int:
        return int((self.of("lost") // self.levels[cell[0]]["size"] == np.array(cell[1:])).all(axis=1).sum())

    @property
    def caption(self) -> str:
        """What happened on the level shown, and to the selected cell."""
        numbers = self.numbers
        last = len(self.levels) - 1
        split, dropped = numbers["split"], numbers["dropped"]
        spent = f"{look.count(numbers['evaluations'], 'evaluation')}{'' if self.choice.step > last else ' so far'}"
        share = look.number(100 * numbers["share"])
        cost = f"{spent}, {share} % of the full grid{self._lost_words(numbers)}."
        looked = f"{look.count(numbers['looked'], 'cell')} of {look.length(numbers['size'])} looked at"
        if self.choice.step > last:
            made = f"The {self.noun} from {look.count(split, 'cell')} of {look.length(numbers['size'])}"
            words = f"{made}: {self.made_words()}; {cost}"
        elif self.level == last:
            words = f"Level {last} of {last}, the finest: {looked}, the {self.noun} passes through {split:,}; {cost}"
        else:
            words = f"Level {self.level} of {last}: {looked}, {split:,} split, {dropped:,} dropped; {cost}"
        return f"{words}{self._cell_words(numbers['cell'])}"

    def made_words(self) -> str:
        """What the contour or the surface of the tree is made of."""
        return "nothing at this resolution" if not self.tree["pieces"] else look.count(self.tree["pieces"], *self.piece)

    def _lost_words(self, numbers: Mapping[str, Any]) -> str:
        if numbers["lost"]:
            pieces = look.count(numbers["lost_parts"], "piece")
            return f"; {self.choice.prune} pruning has lost {look.count(numbers['lost'], 'cell')} in {pieces}"
        return "; no cell is lost" if self.level == len(self.levels) - 1 else ""

    def _cell_words(self, cell: Mapping[str, Any] | None) -> str:
        if cell is None:
            return ""
        place = ", ".join(str(number) for number in cell["at"])
        return f" Cell ({place}) of level {cell['level']}, {look.length(cell['size'])} wide: {self._why(cell)}."

    def _why(self, cell: Mapping[str, Any]) -> str:
        """Why a cell was split or dropped, with its numbers."""
        corners, inside = len(cell["values"]), cell["inside"]
        reason = REASONS.index(cell["reason"])
        if reason == Reason.CROSSING:
            fate = f"the {self.noun} passes" if cell["level"] == len(self.levels) - 1 else "split"
            return f"{inside} of {corners} corners inside, {fate}"
        agree = f"all {corners} corners {'inside' if inside else 'outside'}"
        nearest, needed = look.length(cell["nearest"]), look.length(cell["needed"])
        if reason == Reason.SAFE:
            bound = self.record.facts["lipschitz"]
            radius = "|f|" if bound == 1 else f"|f| / {look.number(bound)}"
            if cell["nearest"] > cell["needed"]:
                return f"dropped safely, |f| ≥ {nearest} at its corners and only {needed} are needed"
            return f"dropped safely, the balls of radius {radius} around its corners cover it"
        wrong = f"; {look.count(cell['lost'], 'lost cell')} in it" if cell["lost"] else ""
        near = f"|f| is only {nearest} at a corner and {needed} at all of them would rule it out"
        return {
            Reason.NEAR: f"split, because {near}",
            Reason.FORCED: f"split without asking, fewer than {self.lattice['coarsest']} cells across say nothing",
            Reason.SAME_SIGN: f"dropped on trust, {agree}{wrong}",
            Reason.EMPTY: f"{agree}, no {self.noun} at this resolution",
        }[Reason(reason)]
