"""The notebook shell: a viewer as a live widget, by anywidget."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from headviz.errors import MissingExtraError
from headviz.viewers.page import options_of, packed, packed_module
from headviz.viewers.viewer import Viewer

LIVE = "Live: what is chosen here is in the widget's state, and the other way round."


# anywidget gives a module two seconds to load, which a megabyte on a busy computer may miss, and every widget has its
# own copy. So this one is small, and the first viewer in a notebook unpacks the common one for all.
_LOADER = """
const KEY = Symbol.for("headviz.module.HASH");

async function load(packed) {
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const code = await new Response(stream).arrayBuffer();
  const address = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  return import(address).finally(() => URL.revokeObjectURL(address));
}

async function render(context) {
  const bytes = context.model.get("module");
  globalThis[KEY] ??= load(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  return (await globalThis[KEY]).default.render(context);
}

export default { render };
"""


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

        _esm = _LOADER.replace("HASH", hashlib.sha256(packed_module()).hexdigest()[:16])
        module = traitlets.Bytes().tag(sync=True)
        packed = traitlets.Bytes().tag(sync=True)
        options = traitlets.Dict().tag(sync=True)
        state = traitlets.Dict().tag(sync=True)
        numbers = traitlets.Dict().tag(sync=True)
        caption = traitlets.Unicode().tag(sync=True)

        def __init__(self, viewer: Viewer) -> None:
            self._viewer = viewer
            super().__init__(
                module=packed_module(),
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
