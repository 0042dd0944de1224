"""Files of the window: open, save, export, recent ones, autosave and recovery; nothing is lost without being asked."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QSettings, QTimer, Signal
from PySide6.QtWidgets import QFileDialog

from headviz.errors import HeadvizError
from headviz.sculpt import SculptSession
from headviz.viewers import look
from headviz_apps.sculpt import dialogs
from headviz_apps.sculpt.jobs import Job
from headviz_apps.sculpt.opening import BASES, HEAD, PHOTO_SUFFIXES, SESSION_SUFFIX, Loaded, load, session_of

if TYPE_CHECKING:
    from headviz.sculpt.journal import Journal
    from headviz_apps.sculpt.window import SculptWindow

_RECENT = 8
_EXPORTS = "GLB, with texture and morphs (*.glb);;OBJ, with texture (*.obj);;PLY (*.ply);;STL, the shape only (*.stl)"


class Documents(QObject):
    """The session's file and everything around it.

    Args:
        window: the window; it shows what is opened.

    Signals:
        changed: name, path or the state of being saved.
        problem: writing the journal down has failed; from another thread.
    """

    changed = Signal()
    problem = Signal(str)

    def __init__(self, window: SculptWindow) -> None:
        super().__init__(window)
        self.window = window
        self.path: Path | None = None
        self.job: Job | None = None
        self._journal: Journal | None = None
        self._saved = self._mark()
        self._settings = QSettings(QSettings.Format.IniFormat, QSettings.Scope.UserScope, "headviz", "sculpt")
        window.workspace.changed.connect(lambda change: self.changed.emit() if change.what == "history" else None)
        self.problem.connect(lambda text: window.say(f"Autosave: {text}"))

    # -- state

    def _mark(self) -> tuple[int, tuple[tuple[str, int], ...]]:
        session = self.window.workspace.session
        return session.current, tuple(sorted(session.versions.items()))

    @property
    def dirty(self) -> bool:
        """Whether something was done since it was saved."""
        return self._mark() != self._saved

    @property
    def name(self) -> str:
        """What the window is called after."""
        return self.path.name.removesuffix(SESSION_SUFFIX) if self.path else self.window.workspace.session.name

    @property
    def recent(self) -> list[str]:
        """Files that were opened or saved, the latest first."""
        kept: Any = self._settings.value("recent", [])
        return [str(one) for one in ([kept] if isinstance(kept, str) else kept or [])]

    def _remember(self, path: Path) -> None:
        whole = str(path.resolve())
        self._settings.setValue("recent", [whole, *(one for one in self.recent if one != whole)][:_RECENT])
        self.changed.emit()

    def setting(self, name: str, default: Any) -> Any:
        """A choice that outlives the window."""
        return self._settings.value(name, default)

    def keep_setting(self, name: str, value: Any) -> None:
        """Keep a choice for the next window."""
        self._settings.setValue(name, value)

    # -- opening

    def show(self, session: SculptSession, path: Path | None = None, *, replaces: Path | None = None) -> None:
        """Work on a session from now on; what was worked on before is given up."""
        from headviz.sculpt.journal import Journal

        self.stop_journal()
        self.path = path
        self.window.workspace.open(session)
        self._show_texture(session)
        self._saved = self._mark() if replaces is None else (-1, ())
        self._journal = Journal(session, replaces=replaces, on_problem=self.problem.emit)
        self.changed.emit()

    def _show_texture(self, session: SculptSession) -> None:
        """Show a texture where there is one, unless a person looks at something else."""
        work, textured = self.window.workspace, session.base.texture is not None and session.base.uv is not None
        if work.view.shading in ("skin", "texture"):
            work.set_view(shading="texture" if textured else "skin")

    def stop_journal(self) -> None:
        """End autosave: the session was saved, or is not wanted."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def open_text(self, text: str, *, asked: bool = False) -> None:
        """Open what a word or a file stands for, in a thread; a picture becomes a head."""
        if not asked and not self.may_leave():
            return
        name = Path(text).name or HEAD
        if text in self.recent and not Path(text).exists():
            self._settings.setValue("recent", [one for one in self.recent if one != text])
        self._run(f"Opening {name}", lambda progress: load(text, progress), self._unless_changed(self.take))

    def _unless_changed(self, take: Callable[[Any], object]) -> Callable[[Any], object]:
        """Take a result that gives the session up, after a question where something was done meanwhile."""
        left = id(self.window.workspace.session), self._mark()

        def done(made: Any) -> None:
            if (id(self.window.workspace.session), self._mark()) == left or self.may_leave():
                take(made)

        return done

    def take(self, loaded: Loaded) -> bool:
        """Show what was read, after a question where the mesh is not in order; whether it is shown."""
        fixes: tuple[str, ...] = ()
        if loaded.questions and loaded.condition is not None:
            dialog = dialogs.ConditionDialog(self.window, loaded.name, loaded.condition)
            if dialog.exec() != dialog.DialogCode.Accepted:
                return False
            fixes = dialog.fixes
        try:
            session = session_of(loaded, fixes)
        except (HeadvizError, MemoryError) as error:
            dialogs.tell(self.window, f"“{loaded.name}” cannot be sculpted", str(error))
            return False
        self.show(session, loaded.path if loaded.session is not None else None)
        if loaded.path is not None:
            self._remember(loaded.path)
        for note in loaded.notes:
            self.window.say(note)
        return True

    def _run(self, doing: str, work: Callable[[Callable[[str], None]], Any], done: Callable[[Any], object]) -> None:
        if self.job is not None:
            self.window.say("Something is being opened already")
            return
        self.job = job = Job(work, self)
        self.window.begin_work(doing)

        def end() -> None:
            self.job = None
            self.window.end_work()
            job.deleteLater()  # with what it holds, such as the session before

        job.stage.connect(lambda stage: self.window.begin_work(f"{doing}: {stage}"))
        job.finished.connect(end)
        job.done.connect(lambda result: QTimer.singleShot(0, lambda: done(result)))
        job.failed.connect(lambda text: QTimer.singleShot(0, lambda: self._tell(f"{doing} failed", text)))
        job.start()

    def _tell(self, text: str, more: str) -> None:
        dialogs.tell(self.window, text, more)

    def wait(self) -> None:
        """Let what goes on in a thread come to its end: Qt aborts where a thread outlives it."""
        if self.job is not None:
            self.job.blockSignals(True)
            self.job.wait()
            self.job = None

    def run(self, doing: str, work: Callable[[Callable[[str], None]], Any], done: Callable[[Any], object]) -> None:
        """Do something in a thread, with progress in the status bar."""
        self._run(doing, work, done)

    def ask_open(self) -> None:
        """Ask for a file and open it."""
        from headviz.interop import MESH_FORMATS

        kinds = " ".join(f"*{suffix}" for suffix in (SESSION_SUFFIX, *MESH_FORMATS, *PHOTO_SUFFIXES))
        path, _ = QFileDialog.getOpenFileName(
            self.window, "Open", self._folder(), f"Sessions, meshes, photographs ({kinds});;All files (*)"
        )
        if path:
            self.open_text(path)

    def new(self) -> None:
        """Begin with the packaged head."""
        self.open_text(HEAD)

    # -- saving

    def save(self) -> bool:
        """Save under the name it has, or ask for one; whether it was saved."""
        return self.save_to(self.path) if self.path is not None else self.save_as()

    def save_as(self) -> bool:
        """Ask for a name and save."""
        name = f"{self.name}{SESSION_SUFFIX}"
        path, _ = QFileDialog.getSaveFileName(
            self.window, "Save the session", str(Path(self._folder()) / name), f"Sessions (*{SESSION_SUFFIX})"
        )
        if not path:
            return False
        return self.save_to(Path(path if path.endswith(".json") else path + SESSION_SUFFIX))

    def save_to(self, path: Path) -> bool:
        """Save under a name; where that fails, say so and ask for another place."""
        from headviz.sculpt.files import save_session

        self.window.workspace.settle()
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                save_session(self.window.workspace.session, path)
        except (HeadvizError, OSError) as error:
            dialogs.tell(self.window, "The session was not saved", f"{error}\n\nChoose another place; nothing is lost.")
            return self.save_as()
        self.path, self._saved = path, self._mark()
        self._remember(path)
        self.window.say("; ".join([f"Saved as {path.name}", *(str(one.message) for one in caught)]))
        return True

    def ask_export(self) -> None:
        """Ask for a name and a format, and write the mesh."""
        path, chosen = QFileDialog.getSaveFileName(
            self.window, "Export the mesh", str(Path(self._folder()) / f"{self.name}.glb"), _EXPORTS
        )
        if path:
            suffix = chosen[chosen.find("*.") + 1 : chosen.find(")")] if "*." in chosen else ".glb"
            self.export(Path(path) if Path(path).suffix else Path(path + suffix))

    def export(self, path: Path) -> bool:
        """Write the mesh as it is now; whether it was written."""
        from headviz.sculpt.export import export_mesh

        self.window.workspace.settle()
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                export_mesh(self.window.workspace.session, path)
        except (HeadvizError, OSError) as error:
            dialogs.tell(self.window, "The mesh was not written", str(error))
            return False
        self.window.say("; ".join([f"Exported as {path.name}", *(str(one.message) for one in caught)]))
        return True

    def ask_carry_over(self) -> None:
        """Ask for a mesh and do what was sculpted on it too."""
        from headviz.interop import MESH_FORMATS

        kinds = " ".join(f"*{suffix}" for suffix in MESH_FORMATS)
        path, _ = QFileDialog.getOpenFileName(self.window, "Carry over to", self._folder(), f"Meshes ({kinds})")
        if path and self.may_leave():
            self.carry_over(Path(path))

    def carry_over(self, path: Path) -> None:
        """Do the steps of this session on another mesh, in a thread; strokes go to the same places of the face."""
        from headviz.sculpt.transfer import replay_on

        session = self.window.workspace.session

        def work(progress: Callable[[str], None]) -> Any:
            other = session_of(load(str(path), progress))
            progress(f"doing {look.count(len(session.history) - 1, 'step')}")
            return replay_on(session, other.base, name=other.name)

        def done(made: Any) -> None:
            self.show(made.session)
            self._saved = (-1, ())
            self.window.say("; ".join([f"Carried over to {path.name}", *made.notes]))

        self._run(f"Carrying over to {path.name}", work, self._unless_changed(done))

    def may_leave(self) -> bool:
        """Whether the session may be given up: it is saved, was saved now, or is not wanted."""
        self.window.workspace.settle()
        if not self.dirty:
            return True
        answer = dialogs.ask_save(self.window, self.name)
        return answer == "discard" or (answer == "save" and self.save())

    def _folder(self) -> str:
        if self.path is not None:
            return str(self.path.parent)
        recent = self.recent
        return str(Path(recent[0]).parent) if recent else str(Path.home())

    # -- recovery

    def offer_recovery(self) -> None:
        """Ask about sessions that a crash has left behind, the latest first."""
        from headviz.sculpt.journal import discard, recover, recoverable

        for lost in recoverable():
            steps = f"{lost.steps} step{'s' * (lost.steps != 1)}"
            text = f"Recover the session of {lost.when:%d %B, %H:%M}?"
            answer = dialogs.ask_recover(self.window, text, f"“{lost.name}”, {steps}")
            if answer == "discard":
                discard(lost.path)
            elif answer == "recover":
                try:
                    session = recover(lost.path, bases=BASES)
                except HeadvizError as error:
                    dialogs.tell(self.window, "The session could not be recovered", str(error))
                    continue
                self.show(session, replaces=lost.path)
                self.window.say(f"Recovered: {steps}")
                return
            else:
                return
