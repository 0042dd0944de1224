"""Marching squares, cell by cell: samples, the line through them, the 16 cases, and the error."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from headviz.errors import OptionError
from headviz.geometry.contour import SADDLES, Contour, ContourHistory, marching_squares
from headviz.geometry.field import Field
from headviz.viewers import look
from headviz.viewers.record import Record, array
from headviz.viewers.slices import Box
from headviz.viewers.squares_record import Plane, record_of_field, record_of_samples
from headviz.viewers.viewer import State, Viewer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BRUSHES = ("off", "inside", "outside")
#: What changes the line, and so the meaning of a step.
_RESHAPING = ("resolution", "level", "saddle", "painted", "all_cells")
_COUNTS = ("none", "1", "2", "3", "4")
_SEGMENTS = ("no segment", "one segment", "two segments")


@dataclass(frozen=True)
class SquaresState(State):
    """What a person has chosen; ``step`` counts the cells done; the last step is the whole line.

    Attributes:
        resolution: cells along the longer side, one of those in the record.
        level: the value sought, metres.
        saddle: what ambiguous cells do: ``"asymptotic"``, ``"join"`` or ``"split"``.
        painted: samples that were painted, as (index, side): index = row · width + column at this resolution, side −1
            for inside and 1 for outside. They get the level plus side times half a cell.
        brush: what painting makes of samples: ``"inside"``, ``"outside"``, or ``"off"``.
        all_cells: whether the steps go through the cells that are not crossed, too.
    """

    resolution: int = 0
    level: float = 0.0
    saddle: str = "asymptotic"
    painted: tuple[tuple[int, int], ...] = ()
    brush: str = "off"
    all_cells: bool = False


@dataclass(frozen=True, eq=False)
class SquaresViewer(Viewer):
    """Samples in the plane, and the line that marching squares draws through them."""

    kind: ClassVar[str] = "squares"
    state_type: ClassVar[type[State]] = SquaresState
    requires: ClassVar[tuple[str, ...]] = ("fine", "segments", "count", "ambiguous", "classes")
    size: ClassVar[tuple[float, float]] = (11.0, 5.8)

    def __post_init__(self) -> None:
        state = self.chosen
        if state.resolution == 0 and self.record.facts.get("sizes"):
            object.__setattr__(self, "state", replace(state, resolution=int(self.record.facts["sizes"][-1])))
        if state.brush not in BRUSHES:
            raise OptionError(f"brush should be one of {', '.join(BRUSHES)}; it is {state.brush!r}")
        super().__post_init__()

    @property
    def chosen(self) -> SquaresState:
        """The state, as what it is."""
        if not isinstance(self.state, SquaresState):
            raise OptionError(f"the state should be a SquaresState; it is {type(self.state).__name__}")
        return self.state

    @functools.cached_property
    def samples(self) -> Float[Tensor, "h w"]:
        """The values that are marched over, with what was painted, metres.

        Raises:
            OptionError: the record has no such resolution, or a painted sample does not exist.
        """
        state, sizes = self.chosen, self.record.facts["sizes"]
        if state.resolution not in sizes:
            raise OptionError(f"resolution should be one of {', '.join(map(str, sizes))}; it is {state.resolution}")
        values = torch.from_numpy(self.record.arrays[f"samples.{state.resolution}"].astype(np.float64))
        flat = values.reshape(-1)
        for entry in state.painted:
            if len(entry) != 2 or not 0 <= entry[0] < len(flat) or entry[1] not in (-1, 1):
                raise OptionError(
                    f"painted should be pairs of an index from 0 to {len(flat) - 1} and a side, −1 or 1; one is {entry}"
                )
            flat[entry[0]] = state.level + entry[1] * self.place["spacing"][0] / 2
        return values

    @property
    def place(self) -> dict[str, Any]:
        """``spacing`` and ``origin`` of the samples, metres."""
        placed: dict[str, Any] = self.record.facts["places"][str(self.chosen.resolution)]
        return placed

    @functools.cached_property
    def contour(self) -> Contour:
        """The line through the samples, with its history."""
        if self.chosen.saddle not in SADDLES:
            raise OptionError(f"saddle should be one of {', '.join(SADDLES)}; it is {self.chosen.saddle!r}")
        return self._march(self.samples, self.place)

    @functools.cached_property
    def true_contour(self) -> Contour:
        """The line on the finest grid, without what was painted."""
        fine = torch.from_numpy(self.record.arrays["fine"].astype(np.float64))
        return self._march(fine, self.record.facts["places"]["fine"])

    def _march(self, values: Tensor, place: Mapping[str, Any]) -> Contour:
        state = self.chosen
        (x, y), (dx, dy) = place["origin"], place["spacing"]
        return marching_squares(
            values, state.level, spacing=(dx, dy), origin=(x, y), saddle=state.saddle, record=True
        )  # fmt: skip

    @property
    def history(self) -> ContourHistory:
        """What was done cell by cell."""
        history = self.contour.history
        assert history is not None
        return history

    @functools.cached_property
    def sequence(self) -> Int[np.ndarray, " n"]:
        """Number (row · columns + column) of each cell, in the order of the steps."""
        return np.arange(self.contour.case.numel()) if self.chosen.all_cells else self._crossed

    @property
    def steps(self) -> int:
        """The samples alone, one per cell, and the whole line."""
        return len(self.sequence) + 2

    @property
    def number(self) -> int | None:
        """Number of the current cell; ``None`` at the first and the last step."""
        step = self.state.step
        return int(self.sequence[step - 1]) if 1 <= step <= len(self.sequence) else None

    @property
    def row(self) -> int | None:
        """The current cell's row in :attr:`history`; ``None`` where there is none or it is not crossed."""
        rows = np.flatnonzero(self._crossed == (-1 if self.number is None else self.number))
        return int(rows[0]) if len(rows) else None

    @functools.cached_property
    def _crossed(self) -> Int[np.ndarray, " n"]:
        columns = self.samples.shape[1] - 1
        return array(self.history.cell[:, 0] * columns + self.history.cell[:, 1])

    @property
    def done(self) -> int:
        """How many segments belong to the cells done, the current one included."""
        if self.number is None:
            return len(self.contour.segments) if self.state.step else 0
        return int((self.contour.cell <= self.number).sum())

    def at(self, **changes: Any) -> SquaresViewer:
        """The same record in another state; where the line changes and no step is given, the current cell is kept.

        Another resolution takes away what was painted; with a brush in the hand the whole line is shown.

        Raises:
            OptionError: there is no such field, or a value is out of range.
        """
        if "resolution" in changes and changes["resolution"] != self.chosen.resolution:
            changes.setdefault("painted", ())
        first = replace(self, state=self.state.changed({**changes, "step": 0}))
        if "step" in changes:
            return replace(first, state=first.state.changed({"step": changes["step"]}))
        same = all(getattr(first.state, name) == getattr(self.state, name) for name in _RESHAPING)
        step = self.state.step if same else self._step_in(first)
        if first.chosen.brush != "off" and self.chosen.brush == "off":
            step = first.steps - 1  # who paints wants to see the line
        return replace(first, state=first.state.changed({"step": step}))

    def _step_in(self, other: SquaresViewer) -> int:
        """The step of another viewer whose cell is where the current one is, or the next cell after it."""
        if self.number is None:
            return other.steps - 1 if self.state.step else 0
        (rows, columns), (height, width) = (tuple(n - 1 for n in one.samples.shape) for one in (self, other))
        row, column = divmod(self.number, columns)
        down, along = (2 * row + 1) * height // (2 * rows), (2 * column + 1) * width // (2 * columns)
        return int(np.searchsorted(other.sequence, down * width + along)) + 1

    @property
    def numbers(self) -> dict[str, Any]:
        """Counts, lengths in metres, and the current cell's case, crossings and saddle."""
        state, line = self.chosen, self.contour
        ends = line.points[line.segments]
        lengths = (ends[:, 1] - ends[:, 0]).norm(dim=1)
        whole = bool(line.closed.all()) and len(line.closed) > 0
        return {
            "resolution": state.resolution, "level": state.level, "painted": len(state.painted),
            "cells": len(self.sequence), "done": min(state.step, len(self.sequence)),
            "length": float(lengths[: self.done].sum()), "total": float(lengths.sum()),
            "lines": len(line.closed), "area": float(line.area.sum()) if whole else None, "current": self._current(),
        }  # fmt: skip

    def _current(self) -> dict[str, Any] | None:
        """The current cell; ``None`` at the first and the last step."""
        if self.number is None:
            return None
        row, column = divmod(self.number, self.samples.shape[1] - 1)
        case = int(self.contour.case[row, column])
        at = self.row
        fractions = [] if at is None else [f for f in self.history.fraction[at].tolist() if not math.isnan(f)]
        saddle = math.nan if at is None else float(self.history.saddle[at])
        return {
            "at": [column, row], "case": case, "class": int(self.record.arrays["classes"][case]),
            "inside": case.bit_count(), "segments": int(self.record.arrays["count"][case]), "fractions": fractions,
            "saddle": None if math.isnan(saddle) else saddle,
            "joined": at is not None and bool(self.history.joined[at]),
        }  # fmt: skip

    @property
    def caption(self) -> str:
        """What the current cell does, or what the whole line is."""
        numbers = self.numbers
        painted = f"; {look.count(numbers['painted'], 'sample')} painted" if numbers["painted"] else ""
        now = numbers["current"]
        if now is None:
            return f"{self._whole(numbers) if self.state.step else self._start(numbers)}{painted}."
        crossings = ""
        if now["fractions"]:
            listed = [look.number(fraction, 2) for fraction in now["fractions"]]
            crossings = f"; crossings at {', '.join(listed[:-1])} and {listed[-1]} of their edges"
        word = "cells looked at" if self.chosen.all_cells else "cells done"
        return (
            f"Cell ({now['at'][0]}, {now['at'][1]}), case {now['case']}: {self._why(now)}{crossings}; "
            f"{numbers['done']:,} of {numbers['cells']:,} {word}, "
            f"length so far {look.length(numbers['length'])}{painted}."
        )

    def _why(self, now: dict[str, Any]) -> str:
        """From the corners of a cell to its segments."""
        if now["saddle"] is None:
            return f"{_COUNTS[now['inside']]} of 4 corners inside, so {_SEGMENTS[now['segments']]}"
        end = "joined" if now["joined"] else "kept apart"
        if self.chosen.saddle != "asymptotic":
            return f"2 opposite corners inside, {end} by choice, two segments"
        side = "inside" if now["joined"] else "outside"
        return (
            f"2 opposite corners inside, which is ambiguous; the saddle between them is {side} "
            f"({look.length(now['saddle'])}), so they are {end}, two segments"
        )

    def _start(self, numbers: dict[str, Any]) -> str:
        if not len(self._crossed):
            return self._whole(numbers)
        height, width = self.samples.shape
        inside = int((self.samples < self.chosen.level).sum())
        return (
            f"{width} × {height} samples, {inside:,} of them inside: the line crosses "
            f"{len(self._crossed):,} of {look.count(self.contour.case.numel(), 'cell')}, where both signs meet"
        )

    def _whole(self, numbers: dict[str, Any]) -> str:
        if not numbers["lines"]:
            low, high = float(self.samples.min()), float(self.samples.max())
            side = "outside" if low >= self.chosen.level else "inside"
            return (
                f"No cell is crossed: all {self.samples.numel():,} samples lie {side}, "
                f"from {look.length(low)} to {look.length(high)}"
            )
        crossed = look.count(len(self.history.cell), "cell")
        around = "" if numbers["area"] is None else f" around {look.number(numbers['area'])} m²"
        return (
            f"All {crossed} with a crossing done, {self.chosen.resolution} along the longer side: "
            f"{look.count(numbers['lines'], 'line')}, {look.length(numbers['total'])} long{around}{self._error()}"
        )

    def _error(self) -> str:
        """How far from the truth, where that was measured."""
        state, facts = self.chosen, self.record.facts
        if state.painted or state.level != facts["level"] or state.saddle != facts["saddle"]:
            return ""
        rows = [row for row in facts["errors"] if row["resolution"] == state.resolution]
        if not rows or rows[0]["distance"] is None:
            return ""
        return f", at most {look.length(rows[0]['distance'])} from that on a grid of {facts['truth']}"

    def draw(self, figure: Figure) -> None:
        """The grid with the line so far, the 16 cases, and the error against the resolution."""
        from headviz.viewers.squares_picture import draw_squares

        draw_squares(figure, self)


def view_squares(
    source: Field | Tensor | Shaped[np.ndarray, "..."],
    *,
    resolution: int = 12,
    level: float = 0.0,
    box: Box | None = None,
    plane: Plane | None = None,
    saddle: str = "asymptotic",
    title: str = "",
) -> SquaresViewer:
    """A viewer of marching squares, cell by cell, that can be painted on.

    Args:
        source: a field in the plane or in space, metres, or samples of shape (h, w), h and w at least 2: row i is at
            the i-th y, column j at the j-th x.
        resolution: cells along the longer side to begin with, 1 to 512; without meaning for samples.
        level: the value sought, metres.
        box: left, low, right, high, metres. For a field, what is looked at; its own box with some room by default. For
            samples, where the first and the last of them are; by default they are 1 m apart.
        plane: for a field in space, the axis that is fixed and its value, metres; ("x", 0.0) by default, seen from the
            head's right: z to the right, y up.
        saddle: what ambiguous cells do: ``"asymptotic"``, ``"join"`` or ``"split"``.
        title: what it is.

    Raises:
        BoundsError: the box is not finite or has no extent.
        FieldError: a value or the level is not finite.
        OptionError: there is no such choice.
        ResolutionError: the resolution cannot be used, or there are more samples than can be stepped through.
        ShapeError: the samples have another shape.
    """
    if saddle not in SADDLES:
        raise OptionError(f"saddle should be one of {', '.join(SADDLES)}; it is {saddle!r}")
    if isinstance(source, Tensor | np.ndarray):
        if plane is not None:
            raise OptionError("samples lie in a plane already; leave plane out")
        record = record_of_samples(source, float(level), box, saddle)
        resolution = int(record.facts["sizes"][-1])
    else:
        record = record_of_field(source, resolution, float(level), box, plane, saddle)
    return _begin(record, SquaresState(resolution=resolution, level=float(level), saddle=saddle), title)


def _begin(record: Record, state: SquaresState, title: str) -> SquaresViewer:
    """The viewer at a cell that has something to tell: an ambiguous one, else the first after three fifths."""
    viewer = SquaresViewer(record, state, title)
    ambiguous = torch.isfinite(viewer.history.saddle).nonzero()
    return viewer.at(step=int(ambiguous[0, 0]) + 1 if len(ambiguous) else math.ceil(len(viewer.sequence) * 0.6))
