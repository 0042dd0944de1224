"""A viewer: a record, a state, and the three shells that show them (notebook widget, page, picture)."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from headviz.errors import OptionError, RecordError
from headviz.viewers.fitting import fitted
from headviz.viewers.record import Record, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Self = TypeVar("Self", bound="Viewer")


@dataclass(frozen=True)
class State:
    """What a person has chosen. Each viewer adds fields; all are numbers, words, or tuples of them.

    Attributes:
        step: where the step slider is, from 0.
        cursor: a point of the head, metres, that linked viewers share; ``None`` where nobody points.
    """

    step: int = 0
    cursor: tuple[float, float, float] | None = None

    def plain(self) -> dict[str, Any]:
        """The state as JSON can hold it."""
        made: dict[str, Any] = plain(dataclasses.asdict(self))
        return made

    def changed(self, changes: Mapping[str, Any]) -> State:
        """The state with some fields changed; this one stays as it is.

        Raises:
            OptionError: there is no such field, or a value does not fit; the message says what should be there.
        """
        known = [entry.name for entry in dataclasses.fields(self)]
        for name in changes:
            if name not in known:
                raise OptionError(f"a state's fields are {', '.join(known)}; there is no {name!r}")
        return replace(self, **{name: fitted(type(self), name, value) for name, value in changes.items()})


@dataclass(frozen=True, eq=False)
class Viewer(ABC):
    """A record and how it is looked at. Viewers never change; :meth:`at` gives another one.

    A kind of viewer is a subclass with a few class attributes, and a module of the same name in ``web/``.

    Attributes:
        record: what is drawn.
        state: what was chosen.
        title: what it is a picture of.
        link: viewers with the same link share camera and cursor, wherever they are on a page; ``None`` for none.
    """

    record: Record
    state: State = field(default_factory=State)
    title: str = ""
    link: str | None = None

    kind: ClassVar[str]
    state_type: ClassVar[type[State]] = State
    #: Arrays without which nothing can be drawn.
    requires: ClassVar[tuple[str, ...]] = ()
    #: Greatest error with which arrays may travel to the browser, in their own unit; others travel as they are.
    precision: ClassVar[Mapping[str, float]] = {}
    #: The browser module of a viewer that is not headviz's own: an ES module, see docs/add-a-viewer.md.
    module: ClassVar[str | Path | None] = None
    #: Width and height of the picture, inches.
    size: ClassVar[tuple[float, float]] = (10.0, 5.6)

    def __post_init__(self) -> None:
        if self.record.kind != self.kind:
            raise RecordError(f"a viewer of kind {self.kind!r} cannot draw a record of kind {self.record.kind!r}")
        missing = [name for name in self.requires if name not in self.record.arrays]
        if missing:
            raise RecordError(f"a {self.kind} record should have the arrays {', '.join(self.requires)}; "
                              f"it lacks {', '.join(missing)}")  # fmt: skip
        if not isinstance(self.state, self.state_type):
            raise OptionError(f"the state should be a {self.state_type.__name__}; it is {type(self.state).__name__}")
        if not 0 <= self.state.step < max(1, self.steps):
            raise OptionError(f"step should be in 0 to {max(1, self.steps) - 1}; it is {self.state.step}")

    @classmethod
    def module_text(cls) -> str:
        """The text of the viewer's own browser module; empty for headviz's viewers, which are all in one bundle."""
        return cls.module.read_text(encoding="utf-8") if isinstance(cls.module, Path) else cls.module or ""

    @property
    def steps(self) -> int:
        """How many steps there are; the slider shows them where there are at least two."""
        return 1

    @property
    @abstractmethod
    def caption(self) -> str:
        """What is shown, in one sentence with its numbers; the page says the same."""

    @property
    def numbers(self) -> dict[str, Any]:
        """The values that are drawn now, plain; a page's ``handle.numbers`` gives the same."""
        return {}

    @abstractmethod
    def draw(self, figure: Figure) -> None:
        """Draw the picture into an empty figure of matplotlib, all but title and caption."""

    def at(self: Self, **changes: Any) -> Self:
        """The same record in another state.

        Raises:
            OptionError: there is no such field, or a value is out of range.
        """
        return replace(self, state=self.state.changed(changes))

    def linked(self: Self, link: str | None) -> Self:
        """The same viewer with a link: all that have it share camera and cursor, in a notebook or on a page."""
        return replace(self, link=link)

    def widget(self) -> Any:
        """A live widget for notebooks; its ``state`` follows the browser, and may be assigned.

        Raises:
            MissingExtraError: anywidget is not installed.
        """
        from headviz.viewers.widget import widget_of

        return widget_of(self)

    def show(self, shell: str = "auto") -> None:
        """Show it here: in a notebook below the cell, else as a page in the browser.

        Args:
            shell: ``"live"``, ``"page"``, ``"picture"``, or ``"auto"`` for the first of these that can be had.

        Raises:
            OptionError: there is no such shell.
            MissingExtraError: what the shell needs is not installed.
        """
        from headviz.viewers.shells import show

        show(self, shell)

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, Any]:
        from headviz.viewers.shells import mime_bundle

        del include, exclude  # one shell is chosen; there is nothing to leave out
        return mime_bundle(self, "auto")

    def to_html(self, path: Path | str) -> Path:
        """Write one HTML file that opens from disk, works without Python, and asks for nothing outside itself."""
        from headviz.viewers.page import write_page

        return write_page(path, [self])

    def to_png(self, path: Path | str, *, dpi: float = 144, dark: bool = False) -> Path:
        """Write the current picture; a name that ends with .svg or .pdf gives that format."""
        from headviz.viewers.picture import write_picture

        return write_picture(self, path, dpi=dpi, dark=dark)

    def to_gif(self, path: Path | str, *, seconds: float | None = None, dpi: float = 96) -> Path:
        """Write all steps as a moving picture; a name that ends with .mp4 gives a film.

        Args:
            path: the file.
            seconds: that a step is shown; by default 0.5, less where there are more than 24 steps.
            dpi: dots per inch.
        """
        from headviz.viewers.picture import write_motion

        return write_motion(self, path, seconds=seconds, dpi=dpi)

    def save(self, path: Path | str) -> Path:
        """Keep the record and the state in an ``.npz`` file, which :func:`headviz.viewers.open_record` reads."""
        self.record.save(path, state=self.state.plain() | {"title": self.title})
        return Path(path)
