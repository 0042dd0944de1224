"""Which shell shows a viewer: live where there is a kernel and anywidget, else a page, else a picture; and why."""

from __future__ import annotations

import base64
import html
import importlib.util
import sys
import tempfile
import webbrowser
from pathlib import Path
from typing import Any

from headviz.errors import OptionError
from headviz.viewers.page import BUNDLE, page
from headviz.viewers.viewer import Viewer

SHELLS = ("auto", "live", "page", "picture")
_HEIGHT = 760  # pixels of a page inside a notebook; what is longer scrolls


def choose(shell: str = "auto") -> tuple[str, str]:
    """The shell to use, and why, as the end of the sentence "Shown as …, because …".

    Raises:
        OptionError: there is no such shell.
    """
    if shell not in SHELLS:
        raise OptionError(f"shell should be one of {', '.join(SHELLS)}; it is {shell!r}")
    if shell != "auto":
        return shell, "it was asked for"
    if not BUNDLE.is_file():
        return "picture", "the browser module has not been built (npm ci && npm run build in headviz/viewers/web)"
    if importlib.util.find_spec("anywidget") is None:
        return "page", "anywidget is not installed (pip install 'headviz[notebook]')"
    if not _has_kernel():
        return "page", "no notebook kernel is running"
    return "live", "a notebook kernel and anywidget are there"


def _has_kernel() -> bool:
    """Whether this process is a kernel that can talk to a front end."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    return getattr(shell, "kernel", None) is not None


def mime_bundle(viewer: Viewer, shell: str) -> dict[str, Any]:
    """What a notebook shows of a viewer; ``text/plain`` says which shell was chosen and why."""
    chosen, why = choose(shell)
    text = f"{viewer.title or viewer.kind}: {viewer.caption}\nShown {_as(chosen)}, because {why}."
    if chosen == "live":
        widget = viewer.widget()
        made: dict[str, Any] = dict(widget._repr_mimebundle_()[0])
        hint = "A front end that shows only this text has no widgets: show it with .show('page')."
        return made | {"text/plain": f"{text} {hint}"}
    note = f"Shown {_as(chosen)}, because {why}."
    if chosen == "page":
        return {"text/html": _frame(page([viewer], note=note), viewer.title or viewer.kind), "text/plain": text}
    return {"text/html": _image(viewer, note), "text/plain": text}


def _as(shell: str) -> str:
    return {"live": "live", "page": "as a page", "picture": "as a picture"}[shell]


def _frame(text: str, title: str) -> str:
    """The page inside a notebook's output, kept apart from the notebook's own page."""
    return (
        f'<iframe title="{html.escape(title, quote=True)}" style="width:100%;height:{_HEIGHT}px;border:0" '
        f'sandbox="allow-scripts allow-downloads" srcdoc="{html.escape(text, quote=True)}"></iframe>'
    )


def _image(viewer: Viewer, note: str) -> str:
    from headviz.viewers.picture import picture_bytes

    data = base64.b64encode(picture_bytes(viewer)).decode("ascii")
    return (
        f'<figure><img alt="{html.escape(viewer.caption, quote=True)}" style="max-width:100%" '
        f'src="data:image/png;base64,{data}"><figcaption>{html.escape(note)}</figcaption></figure>'
    )


def show(viewer: Viewer, shell: str) -> None:
    """Show a viewer in the notebook, or outside of one in the system's browser or picture viewer."""
    if _has_kernel():
        from IPython.display import display

        display(mime_bundle(viewer, shell), raw=True)  # type: ignore[no-untyped-call,unused-ignore]
        return
    chosen, why = choose(shell)
    if chosen == "live":
        raise OptionError("a live widget needs a running notebook kernel; show it as a page or a picture")
    folder = Path(tempfile.mkdtemp(prefix="headviz-"))
    path = viewer.to_html(folder / "viewer.html") if chosen == "page" else viewer.to_png(folder / "viewer.png")
    sys.stdout.write(f"{path}: shown {_as(chosen)}, because {why}\n")
    webbrowser.open(path.as_uri())
