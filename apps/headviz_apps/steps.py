"""Pages about a head that the demo has made, "Watch the steps" and "Sculpt it": made on demand, served for an hour."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from headviz.models.reconstruction import Reconstruction

MOUNT = "headviz/steps"  #: address of the pages, below that of the demo
KEPT = 3600  #: seconds

Said = Callable[[str], None]


def _watch(result: Reconstruction, path: Path, progress: Said) -> None:
    from headviz.viewers.steps import watch_steps

    watch_steps(result, path, progress=progress)


def _sculpt(result: Reconstruction, path: Path, progress: Said) -> None:
    from headviz.heads.sculptable import with_identity
    from headviz.viewers.sculpt import view_sculpt

    progress("preparing the head")
    viewer = view_sculpt(with_identity(result.mesh), title="The head of the photograph")
    progress("writing the page")
    viewer.to_html(path)


@dataclass(frozen=True)
class Kind:
    """A kind of page.

    Attributes:
        label: of its button.
        hint: what it is, below the button.
        title: of the tab while the page is made.
        waiting: what the tab says meanwhile.
        write: writes it into a file.
    """

    label: str
    hint: str
    title: str
    waiting: str
    write: Callable[[Reconstruction, Path, Said], None]


KINDS = {
    "steps": Kind(
        "Watch the steps",
        "Photograph, rays, contours and octree of this head on one page; takes about ten seconds to make.",
        "Watch the steps",
        "The steps are being drawn. This takes about ten seconds.",
        _watch,
    ),
    "sculpt": Kind(
        "Sculpt it",
        "Brushes, keypoints and sliders for this head, in the browser; what is made there can be saved.",
        "Sculpt it",
        "The head is being prepared. This takes a few seconds.",
        _sculpt,
    ),
}


def open_tab(kind: str) -> str:
    """The tab opens with the click, for browsers open none later; what the page of the demo learns then goes there."""
    made = KINDS[kind]
    return f"""(...given) => {{
  const tab = window.open("", "_blank");
  if (tab) {{
    tab.document.title = {json.dumps(made.title)};
    tab.document.body.style.cssText = "margin: 32px; font: 15px system-ui, sans-serif; color-scheme: light dark";
    tab.document.body.textContent = {json.dumps(made.waiting)};
  }}
  window.headvizTab = tab;
  return given;
}}"""


def folder() -> Path:
    """Where the pages lie; it goes when the demo ends."""
    found = Path(os.environ.get("GRADIO_TEMP_DIR", tempfile.gettempdir())) / "headviz-steps"
    found.mkdir(parents=True, exist_ok=True)
    return found


def make_page(result: Reconstruction, progress: Said, kind: str = "steps") -> str:
    """Write a page about a head under a name that nobody can guess.

    Returns:
        Its address, below that of the demo.
    """
    place = folder()
    for old in place.glob("*.html"):
        if time.time() - old.stat().st_mtime > KEPT:
            old.unlink(missing_ok=True)
    name = f"{secrets.token_urlsafe(16)}.html"
    KINDS[kind].write(result, place / name, progress)
    return f"{MOUNT}/{name}"
