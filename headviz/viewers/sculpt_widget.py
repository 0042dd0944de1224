"""The live widget of a sculpting session: one history in two places.

The session in Python counts. A view in the browser does a person's step at once and sends it; here it becomes a step of
the session, after whatever Python has done meanwhile, and all views are told: which entries the history has now, and
where it stands. A view that has gone ahead of that goes back and does its own steps again after the others, so that
nothing is lost; see ``web/sculpt/desk.js``.
"""

from __future__ import annotations

import functools
import sys
import threading
import weakref
from collections.abc import Callable, Mapping
from typing import Any

from headviz.errors import HeadvizError
from headviz.sculpt import Change, SculptSession, step_of
from headviz.sculpt.files import step_line

_FAULTS = (HeadvizError, LookupError, TypeError, ValueError)


class Exchange:
    """What goes between a session and the views of one widget.

    Args:
        session: the session.
        send: takes a message for the views.
    """

    def __init__(self, session: SculptSession, send: Callable[[dict[str, Any]], None]) -> None:
        self.session = session
        self._send = send
        self._told = self._last()
        self._token: str | None = None
        self._answered = False
        self._made: dict[str, int] = {}
        self._waiting: list[Mapping[str, Any]] = []
        me = weakref.ref(self)

        def hear(change: Change) -> None:
            living = me()
            if living is None:
                end()
            elif change.what == "history":
                living.heard()

        self.end = end = session.subscribe(hear)

    def _last(self) -> int:
        return max(self.session.log.entries)

    def heard(self) -> None:
        """The history has changed: tell the views, then do what waited for the end of a stroke."""
        new = [entry for entry in self.session.log.entries.values() if entry.id > self._told]
        self._told = self._last()
        if self._token is not None and new:
            self._made[self._token] = new[-1].id
        self._tell(new, self._token)
        if self._token is None and self.session.live is None:
            waiting, self._waiting = self._waiting, []
            for message in waiting:
                self.take(message)

    def _tell(self, entries: list[Any], token: str | None, view: str | None = None) -> None:
        self._answered = True
        lines = [step_line(entry) for entry in entries if entry.step is not None]
        at = {"current": self.session.current, "versions": self.session.versions}
        self._send({"entries": lines, **at, "token": token, "view": view})

    def take(self, message: Mapping[str, Any]) -> None:
        """Do what a view asks for; what is refused is answered with the reason, and nothing has changed.

        Args:
            message: ``op`` is ``hello`` (``known``: the last entry that the view has), ``apply`` (``step``), ``undo``,
                ``redo``, ``goto`` (``id``, or ``made``: the token of the step that made the entry) or ``keep``
                (``name``: of a version, the present state).
        """
        operation, token = message.get("op"), str(message.get("token"))
        if operation == "hello":
            known = int(message.get("known", 0))
            new = [entry for entry in self.session.log.entries.values() if entry.id > known]
            self._tell(new, None, message.get("view"))
            return
        if self.session.live is not None:  # Python is in the middle of a stroke
            self._waiting.append(message)
            return
        self._token = token
        try:
            self._do(str(operation), message)
        except _FAULTS as error:
            at = {"current": self.session.current, "versions": self.session.versions}
            self._send({"error": str(error), "token": token, "entries": [], **at})
        finally:
            self._token = None

    def _do(self, operation: str, message: Mapping[str, Any]) -> None:
        session = self.session
        self._answered = False
        if operation == "apply":
            session.apply(step_of(message["step"]))
        elif operation == "undo":
            session.undo()
        elif operation == "redo":
            session.redo()
        elif operation == "goto":
            session.goto(self._made.get(str(message.get("made")), message["id"]))
        elif operation == "keep":
            session.keep_version(str(message["name"]))
        else:
            raise ValueError(
                f"a view should ask for hello, apply, undo, redo, goto or keep; it asks for {operation!r:.40}"
            )
        if not self._answered:  # there was nothing to undo or redo
            self._tell([], self._token)


def on_main_thread(task: Callable[[], None]) -> None:
    """Do something in the thread that runs a notebook's cells, between two of them; at once where this is that thread.

    JupyterLab may hand messages of widgets to a thread of their own, while a cell runs. A session is for one thread.
    """
    loop = None
    if threading.current_thread() is not threading.main_thread() and "IPython" in sys.modules:
        shell = sys.modules["IPython"].get_ipython()
        loop = getattr(getattr(shell, "kernel", None), "io_loop", None)
    if loop is None:
        task()
    else:
        loop.add_callback(task)


@functools.cache
def sculpt_widget_type() -> type[Any]:
    """The class of live sculpting widgets; made when it is first needed, because it needs anywidget.

    Raises:
        MissingExtraError: anywidget is not installed.
    """
    from headviz.viewers.widget import widget_type

    class SculptWidget(widget_type()):  # type: ignore[misc]
        """A sculpting session in a notebook; ``state``, ``numbers`` and ``caption`` are as in every viewer's widget."""

        def __init__(self, viewer: Any) -> None:
            super().__init__(viewer)
            me = weakref.ref(self)

            def send(message: dict[str, Any]) -> None:
                living = me()
                if living is not None:
                    living.send(message)

            self.exchange = Exchange(viewer.session, send)
            self.on_msg(self._hear)

        def _hear(self, _widget: Any, message: Any, _buffers: Any) -> None:
            if isinstance(message, Mapping):
                on_main_thread(lambda: self.exchange.take(message))

        @property
        def session(self) -> SculptSession:
            """The session that is sculpted."""
            return self.exchange.session

        def close(self) -> None:
            """Give the widget's memory back; the session stays."""
            self.exchange.end()
            super().close()

    return SculptWidget
