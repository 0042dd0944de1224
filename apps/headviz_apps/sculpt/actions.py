"""Menus and keys: one table, from which the window makes its actions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMenu

from headviz.sculpt import ChangeMask, Symmetrise
from headviz_apps.sculpt.look import THEMES
from headviz_apps.sculpt.scene import SHADINGS
from headviz_apps.sculpt.tools import SHADING_WORDS
from headviz_apps.sculpt.workspace import TOOLS

if TYPE_CHECKING:
    from headviz_apps.sculpt.window import SculptWindow

THEME_WORDS = {"system": "As the system", "light": "Light", "dark": "Dark"}


@dataclass(frozen=True)
class Entry:
    """A line of a menu.

    Attributes:
        text: its words; empty for a separator.
        do: what it does.
        keys: shortcuts, the first of which is shown.
        checked: says whether it is ticked; ``None`` where it is never.
    """

    text: str = ""
    do: Callable[[], object] | None = None
    keys: tuple[str, ...] = ()
    checked: Callable[[], bool] | None = None


class Actions:
    """The window's menus.

    Args:
        window: the window.
    """

    def __init__(self, window: SculptWindow) -> None:
        self.window = window
        self.made: dict[str, QAction] = {}
        self._entries: dict[str, Entry] = {}
        self.recent, self.versions = QMenu("Open recent", window), QMenu("Versions", window)
        bar = window.menuBar()
        bar.setNativeMenuBar(False)
        for title, entries in self._table().items():
            menu = bar.addMenu(title)
            for entry in entries:
                if not entry.text:
                    menu.addSeparator()
                    continue
                menu.addAction(self._action(entry))
                if entry.text == "Open…":
                    menu.addMenu(self.recent)
                if entry.text == "Keep version…":
                    menu.addMenu(self.versions)
            menu.aboutToShow.connect(self.refresh)
            if title == "View":
                self._add_choices(menu)
        self._add_hidden()
        self.recent.aboutToShow.connect(self._fill_recent)
        self.versions.aboutToShow.connect(self._fill_versions)
        self.refresh()

    def _action(self, entry: Entry) -> QAction:
        action = QAction(entry.text, self.window)
        if entry.keys:
            action.setShortcuts([QKeySequence(key) for key in entry.keys])
        action.setCheckable(entry.checked is not None)
        if entry.do is not None:
            action.triggered.connect(lambda _=False, do=entry.do: do())
        self.window.addAction(action)
        self.made[entry.text], self._entries[entry.text] = action, entry
        return action

    def refresh(self) -> None:
        """Tick and enable the lines as things are."""
        for name, entry in self._entries.items():
            if entry.checked is not None:
                self.made[name].setChecked(entry.checked())
        view = self.window.workspace.view
        for name, action in self._choices.items():
            action.setChecked(name in (f"theme {view.theme}", f"shading {view.shading}"))
            if name == "shading texture":
                action.setEnabled(self.window.canvas.scene.has_texture)

    def _table(self) -> dict[str, tuple[Entry, ...]]:
        return {
            "File": self._files(),
            "Edit": self._edits(),
            "View": self._views(),
            "Sculpt": self._strokes(),
            "Help": (
                Entry("Keys", self.window.show_keys, ("F1", "?")),
                Entry("About headviz", self.window.show_about),
            ),
        }

    def _files(self) -> tuple[Entry, ...]:
        window, files, line = self.window, self.window.documents, Entry()
        return (
            Entry("New head", files.new, ("Ctrl+N",)),
            Entry("Open…", files.ask_open, ("Ctrl+O",)),
            line,
            Entry("Save", files.save, ("Ctrl+S",)),
            Entry("Save as…", files.save_as, ("Ctrl+Shift+S",)),
            Entry("Export mesh…", files.ask_export, ("Ctrl+E",)),
            Entry("Carry over to another head…", files.ask_carry_over),
            line,
            Entry("Make like this face…", window.ask_likeness),
            Entry("Load reference picture…", window.ask_reference),
            line,
            Entry("Picture of the canvas…", window.ask_screenshot, ("Ctrl+P",)),
            Entry("Turntable, GIF or MP4…", window.ask_turntable),
            line,
            Entry("Quit", window.close, ("Ctrl+Q",)),
        )

    def _edits(self) -> tuple[Entry, ...]:
        window, work, line = self.window, self.window.workspace, Entry()
        return (
            Entry("Undo", work.undo, ("Ctrl+Z",)),
            Entry("Redo", work.redo, ("Ctrl+Shift+Z", "Ctrl+Y")),
            line,
            Entry("Keep version…", window.history.keep_version, ("Ctrl+K",)),
            Entry("Remove keypoint", window.keypoints.remove_chosen, ("Del",)),
        )

    def _views(self) -> tuple[Entry, ...]:
        window, work, canvas, line = self.window, self.window.workspace, self.window.canvas, Entry()
        return (
            Entry("Front", lambda: canvas.look_from("front"), ("Num+1", "Alt+1")),
            Entry("Left side", lambda: canvas.look_from("left"), ("Num+3", "Alt+3")),
            Entry("Top", lambda: canvas.look_from("top"), ("Num+7", "Alt+7")),
            Entry("Back", lambda: canvas.look_from("back"), ("Ctrl+Num+1", "Ctrl+Alt+1")),
            Entry("Right side", lambda: canvas.look_from("right"), ("Ctrl+Num+3", "Ctrl+Alt+3")),
            Entry("Below", lambda: canvas.look_from("bottom"), ("Ctrl+Num+7", "Ctrl+Alt+7")),
            Entry("Whole head", canvas.frame, ("Home",)),
            line,
            Entry("Wireframe", lambda: self._flip("wireframe"), ("W",), lambda: work.view.wireframe),
            Entry("Plane of symmetry", lambda: self._flip("plane"), ("P",), lambda: work.view.plane),
            Entry("Keypoints", lambda: self._flip("keypoints"), ("K",), lambda: work.view.keypoints),
            Entry("Displacement", self._flip_heat, ("H",), lambda: work.view.shading == "heat"),
            Entry("Reference picture", window.flip_reference, ("R",), self._has_reference),
            line,
        )

    def _strokes(self) -> tuple[Entry, ...]:
        work, line = self.window.workspace, Entry()
        return (
            Entry("Symmetry", self._flip_symmetry, ("X", "M"), lambda: work.brush.symmetric),
            Entry("Symmetrise, keep left side", lambda: work.apply(Symmetrise("left"))),
            Entry("Symmetrise, keep right side", lambda: work.apply(Symmetrise("right"))),
            line,
            Entry("Clear mask", lambda: work.apply(ChangeMask("clear")), ("Alt+M",)),
            Entry("Invert mask", lambda: work.apply(ChangeMask("invert")), ("Ctrl+I",)),
            line,
            Entry("Exact keypoints", self._flip_exact, (), lambda: work.session.exact),
        )

    def _add_choices(self, menu: QMenu) -> None:
        """Shading and theme, one of several each."""
        self._choices: dict[str, QAction] = {}
        for title, what, names in (("Shading", "shading", SHADINGS), ("Theme", "theme", THEMES)):
            inner, group = menu.addMenu(title), QActionGroup(self.window)
            for name in names:
                action = QAction(SHADING_WORDS.get(name) or THEME_WORDS[name], self.window)
                action.setCheckable(True)
                action.triggered.connect(lambda _=False, w=what, n=name: self.window.workspace.set_view(**{w: n}))
                group.addAction(action)
                inner.addAction(action)
                self._choices[f"{what} {name}"] = action

    def _add_hidden(self) -> None:
        """Keys without a line in a menu."""
        work, pointer = self.window.workspace, self.window.canvas.pointer
        keys: dict[str, Callable[[], object]] = {
            "F": lambda: self._resize("radius"),
            "Shift+F": lambda: self._resize("strength"),
            "[": lambda: work.set_brush(radius=work.brush.radius / 1.15),
            "]": lambda: work.set_brush(radius=work.brush.radius * 1.15),
        }
        for number, tool in enumerate(TOOLS, start=1):
            keys[str(number)] = lambda name=tool: work.choose_tool(name)  # type: ignore[misc]
        for key, do in keys.items():
            action = QAction(key, self.window)
            action.setShortcut(QKeySequence(key))
            action.triggered.connect(lambda _=False, do=do: do())
            self.window.addAction(action)
            self.made[key] = action
        self.pointer = pointer

    def _resize(self, what: str) -> None:
        self.window.canvas.setFocus()
        self.pointer.begin_resize(what)

    def _flip(self, what: str) -> None:
        work = self.window.workspace
        work.set_view(**{what: not getattr(work.view, what)})

    def _flip_heat(self) -> None:
        work = self.window.workspace
        work.set_view(shading="skin" if work.view.shading == "heat" else "heat")

    def _has_reference(self) -> bool:
        reference = self.window.canvas.reference
        return reference.exists and reference.shown

    def _flip_symmetry(self) -> None:
        work = self.window.workspace
        work.set_brush(symmetric=not work.brush.symmetric)
        work.said.emit("Symmetry on: the other side follows" if work.brush.symmetric else "Symmetry off")

    def _flip_exact(self) -> None:
        work = self.window.workspace
        work.set_exact(not work.session.exact)

    def _fill_versions(self) -> None:
        self.versions.clear()
        work = self.window.workspace
        for name, entry in work.session.versions.items():
            action = self.versions.addAction(name)
            action.triggered.connect(lambda _=False, to=entry: work.go_to(to))
        if self.versions.isEmpty():
            self.versions.addAction("None kept yet").setEnabled(False)

    def _fill_recent(self) -> None:
        self.recent.clear()
        for path in self.window.documents.recent:
            action = self.recent.addAction(Path(path).name)
            action.setToolTip(path)
            action.triggered.connect(lambda _=False, text=path: self.window.documents.open_text(text))
        if self.recent.isEmpty():
            self.recent.addAction("Nothing yet").setEnabled(False)
