"""The notebook shell: a viewer as a live widget, by anywidget."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from headviz.errors import MissingExtraError
from headviz.viewers.page import bundle, options_of, packed
from headviz.viewers.viewer import Viewer

LIVE = "Live: what is chosen here is in the widget's state, and the other way round."


@functools.cache
def widget_type() -> type[Any]:
    """The class of all live viewers; made when it is first needed, because it needs anywidget.

    Raises:
        MissingExtraError: anywidget is not installed.
    """
    try:
        import anywidget
        import traitlets
    except ImportError:
        raise MissingExtraError("anywidget", "notebook") from None

    class ViewerWidget(anywidget.AnyWidget):  # type: ignore[misc,unused-ignore]
        """A viewer in a notebook.

        Attributes:
            state: what is chosen, plain values; follows the browser, and may be assigned.
            numbers: the values that the browser draws, plain; empty before it has drawn.
            caption: the sentence that the browser shows; empty before it has drawn.
        """

        _esm = bundle().read_text(encoding="utf-8")
        packed = traitlets.Bytes().tag(sync=True)
        options = traitlets.Dict().tag(sync=True)
        state = traitlets.Dict().tag(sync=True)
        numbers = traitlets.Dict().tag(sync=True)
        caption = traitlets.Unicode().tag(sync=True)

        def __init__(self, viewer: Viewer) -> None:
            self._viewer = viewer
            super().__init__(
                packed=packed(viewer, level=1),
                state=viewer.state.plain(),
                options={"note": LIVE, **options_of(viewer)},
            )

        @traitlets.validate("state")
        def _follow(self, proposal: Any) -> dict[str, Any]:
            self._viewer = followed(self._viewer, proposal["value"])
            return self._viewer.state.plain()

        @property
        def viewer(self) -> Viewer:
            """The viewer in its present state."""
            return self._viewer

    return ViewerWidget


def followed(viewer: Viewer, state: Mapping[str, Any]) -> Viewer:
    """The viewer in the state that a browser or a person has given; what the viewer refuses is refused.

    A part of a state changes what it names, by the viewer's own rules. The browser sends whole states, to which it has
    applied these rules itself.
    """
    fields = viewer.state.plain()
    known = {name: value for name, value in state.items() if name in fields}
    if len(known) < len(fields):
        return viewer.at(**known)
    return replace(viewer, state=viewer.state.changed(known))


def widget_of(viewer: Viewer) -> Any:
    """A live widget of a viewer."""
    return widget_type()(viewer)
