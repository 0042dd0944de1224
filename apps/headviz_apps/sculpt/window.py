"""The sculpt window: tools left, the brush above, the head in the middle, keypoints, sliders and history right."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QByteArray, Qt, QTimer
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QGuiApplication, QIcon
from PySide6.QtWidgets import (
    QApplication,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QMainWindow,
    QProgressDialog,
    QSplitter,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

import headviz
from headviz.errors import HeadvizError
from headviz.sculpt import SculptSession, prepare
from headviz.viewers import look
from headviz_apps.sculpt import dialogs, likeness, motion
from headviz_apps.sculpt.actions import Actions
from headviz_apps.sculpt.canvas import Canvas
from headviz_apps.sculpt.documents import Documents
from headviz_apps.sculpt.history_panel import HistoryPanel
from headviz_apps.sculpt.icons import icon
from headviz_apps.sculpt.keypoint_panel import KeypointPanel
from headviz_apps.sculpt.look import PANEL_WIDTH, palette_of, sheet_of, theme_of
from headviz_apps.sculpt.opening import PHOTO_SUFFIXES
from headviz_apps.sculpt.reference_panel import ReferencePanel
from headviz_apps.sculpt.slider_panel import SliderPanel
from headviz_apps.sculpt.status import Legend, StatusBar
from headviz_apps.sculpt.tools import BrushBar, ToolBar
from headviz_apps.sculpt.workspace import Workspace

SIZE = (1280, 800)
LEAST = (880, 560)


class SculptWindow(QMainWindow):
    """One head being sculpted.

    Args:
        session: what to begin with; :meth:`Documents.show` opens others.
    """

    def __init__(self, session: SculptSession) -> None:
        super().__init__()
        self.setObjectName("sculpt")
        self.setAcceptDrops(True)
        self.workspace = Workspace(session)
        self._theme = ""
        self.canvas = Canvas(self.workspace, self)
        self.documents = Documents(self)
        self.tools, self.brush_bar = ToolBar(self.workspace), BrushBar(self.workspace)
        self.keypoints, self.sliders = KeypointPanel(self.workspace), SliderPanel(self.workspace)
        self.reference = ReferencePanel(self.canvas, self.ask_reference, self.ask_likeness)
        self.history = HistoryPanel(self.workspace)
        self.legend = Legend(self.workspace, self.canvas)
        self.status = StatusBar(self.workspace, self.canvas)
        self.setStatusBar(self.status)
        self._lay_out()
        self.actions_ = Actions(self)
        self.workspace.view_changed.connect(self._view_changed)
        self.workspace.brush_changed.connect(self._brush_changed)
        self.workspace.changed.connect(lambda _: self.actions_.refresh())
        self.workspace.failed.connect(lambda text: dialogs.tell(self, "That could not be done", text))
        self.documents.changed.connect(self._retitle)
        self.workspace.opened.connect(self._retitle)
        QGuiApplication.styleHints().colorSchemeChanged.connect(lambda _: self.restyle())
        self.workspace.set_view(theme=str(self.documents.setting("theme", "system")))
        self.setMinimumSize(*LEAST)
        self.resize(*SIZE)
        geometry = self.documents.setting("geometry", None)
        if isinstance(geometry, QByteArray):
            self.restoreGeometry(geometry)
        self.restyle()
        self._retitle()
        self.canvas.setFocus()

    def _lay_out(self) -> None:
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.tabBar().setDrawBase(False)
        self.tabs.addTab(self.keypoints, "Keypoints")
        self.tabs.addTab(self.sliders, "Sliders")
        self.tabs.addTab(self.reference, "Reference")
        split = QSplitter(Qt.Orientation.Vertical)
        split.addWidget(self.tabs)
        split.addWidget(self.history)
        split.setStretchFactor(0, 3)
        split.setStretchFactor(1, 2)
        split.setChildrenCollapsible(False)
        split.setHandleWidth(1)
        split.setSizes([520, 208])
        self.panel = QFrame()
        self.panel.setObjectName("panel")
        self.panel.setFixedWidth(PANEL_WIDTH)
        inside = QVBoxLayout(self.panel)
        inside.setContentsMargins(1, 0, 0, 0)
        inside.addWidget(split)
        middle = QVBoxLayout()
        middle.setContentsMargins(0, 0, 0, 0)
        middle.setSpacing(0)
        middle.addWidget(self.canvas, 1)
        middle.addWidget(self.legend)
        lower = QHBoxLayout()
        lower.setContentsMargins(0, 0, 0, 0)
        lower.setSpacing(0)
        lower.addWidget(self.tools)
        lower.addLayout(middle, 1)
        lower.addWidget(self.panel)
        whole = QWidget()
        column = QVBoxLayout(whole)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.brush_bar)
        column.addLayout(lower, 1)
        self.setCentralWidget(whole)

    def start(self) -> None:
        """After the first frame: compile what strokes need, begin autosave, look for lost sessions."""
        threading.Thread(target=prepare, name="headviz-prepare", daemon=True).start()
        self.documents.show(self.workspace.session, self.documents.path)
        QTimer.singleShot(0, self.documents.offer_recovery)

    # -- looks

    def restyle(self) -> None:
        """Colours of the theme that is chosen, or of the system."""
        scheme = QGuiApplication.styleHints().colorScheme()
        theme = theme_of(self.workspace.view.theme, system_dark=scheme == Qt.ColorScheme.Dark)
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        application.setPalette(palette_of(theme))
        application.setStyleSheet(sheet_of(theme))
        self.setWindowIcon(QIcon(icon("head", look.CURRENT)))
        for part in (self.tools, self.brush_bar, self.history):
            part.restyle(theme)
        self.canvas.set_theme(theme)
        self._theme = self.workspace.view.theme

    def _view_changed(self) -> None:
        if self.workspace.view.theme != self._theme:
            self.documents.keep_setting("theme", self.workspace.view.theme)
            self.restyle()
        self.actions_.refresh()

    def _brush_changed(self) -> None:
        self.actions_.refresh()
        if self.workspace.tool == "keypoint" and self.tabs.currentWidget() is not self.keypoints:
            self.tabs.setCurrentWidget(self.keypoints)

    def _retitle(self) -> None:
        self.setWindowTitle(f"{self.documents.name}[*] – headviz")
        self.setWindowModified(self.documents.dirty)

    # -- what takes a while, and what is said

    def say(self, text: str) -> None:
        """A sentence in the status bar."""
        self.status.say(text)

    def begin_work(self, doing: str) -> None:
        """Something takes a while."""
        self.status.work(doing)

    def end_work(self) -> None:
        """It is over."""
        self.status.work("")

    # -- what the menus ask for

    def ask_reference(self) -> None:
        """Ask for a picture and lay it over the head."""
        kinds = " ".join(f"*{suffix}" for suffix in PHOTO_SUFFIXES)
        path, _ = QFileDialog.getOpenFileName(self, "Load a reference picture", "", f"Pictures ({kinds})")
        if path:
            self.load_reference(Path(path))

    def load_reference(self, path: Path) -> None:
        """Lay a picture over the head."""
        try:
            self.canvas.reference.load(path)
        except HeadvizError as error:
            dialogs.tell(self, "The picture cannot be used", str(error))
            return
        self.tabs.setCurrentWidget(self.reference)
        self.reference.refresh()
        self.canvas.update()

    def flip_reference(self) -> None:
        """Show or hide the reference picture; without one, ask for it."""
        if not self.canvas.reference.exists:
            self.ask_reference()
            self.actions_.refresh()
            return
        self.canvas.reference.shown = not self.canvas.reference.shown
        self.reference.refresh()
        self.canvas.update()

    def ask_likeness(self) -> None:
        """Ask for a photograph and make the head like the face in it."""
        kinds = " ".join(f"*{suffix}" for suffix in PHOTO_SUFFIXES)
        path, _ = QFileDialog.getOpenFileName(self, "Make like this face", "", f"Photographs ({kinds})")
        if path:
            self.make_like(Path(path))

    def make_like(self, path: Path) -> None:
        """Set the identity sliders to the face in a photograph, as one step; the work is done in a thread."""
        likeness.make_like(self, path)

    def ask_screenshot(self) -> None:
        """Ask for a name and write what the canvas shows."""
        path, _ = QFileDialog.getSaveFileName(
            self, "Picture of the canvas", f"{self.documents.name}.png", "PNG (*.png)"
        )
        if path:
            self._written(lambda: motion.write_screenshot(self.canvas, Path(path)))

    def ask_turntable(self) -> None:
        """Ask for a name and write one turn of the head."""
        path, _ = QFileDialog.getSaveFileName(
            self, "Turntable", f"{self.documents.name}.gif", "GIF (*.gif);;MP4 film (*.mp4)"
        )
        if path:
            self.write_turntable(Path(path))

    def write_turntable(self, path: Path) -> None:
        """Write one turn of the head, with progress that can be ended."""
        shown = QProgressDialog("Drawing the turn…", "End it here", 0, motion.FRAMES, self)
        shown.setWindowModality(Qt.WindowModality.WindowModal)
        shown.setMinimumDuration(300)

        def progress(done: int, _: int) -> bool:
            shown.setValue(done)
            return not shown.wasCanceled()

        self._written(lambda: motion.write_turntable(self.canvas, path, progress))
        shown.close()

    def _written(self, write: Callable[[], Path]) -> None:
        try:
            self.say(f"Written: {write().name}")
        except (HeadvizError, OSError) as error:
            dialogs.tell(self, "The file was not written", str(error))

    def show_keys(self) -> None:
        """List all keys."""
        dialogs.KeysDialog(self).exec()

    def show_about(self) -> None:
        """Which headviz this is."""
        dialogs.tell(self, f"headviz {headviz.__version__}", "See how one picture becomes a 3-D head, and sculpt it.")

    # -- Qt

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802 -- Qt's name
        """Take files."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802 -- Qt's name
        """Open what was dropped; a picture over a head becomes its reference."""
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        event.acceptProposedAction()
        if paths:
            QTimer.singleShot(0, lambda: self.drop(paths[0]))

    def drop(self, path: Path) -> None:
        """Take a file: a picture as the reference, anything else as what to sculpt."""
        if path.suffix.lower() in PHOTO_SUFFIXES:
            self.load_reference(path)
        else:
            self.documents.open_text(str(path))

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802 -- Qt's name
        """Ask about unsaved changes, then end autosave: nothing is left to recover."""
        if self.canvas.pointer.live is not None:
            self.canvas.pointer.finish()
        if not self.documents.may_leave():
            event.ignore()
            return
        self.documents.stop_journal()
        self.documents.keep_setting("geometry", self.saveGeometry())
        self.hide()
        self.documents.wait()
        self.canvas.close()
        event.accept()
