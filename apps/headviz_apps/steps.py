"""The page "Watch the steps" of a head: made when it is asked for, served for an hour."""

from __future__ import annotations

import os
import secrets
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from headviz.models.reconstruction import Reconstruction
from headviz.viewers.steps import watch_steps

MOUNT = "headviz/steps"  #: address of the pages, below that of the demo
KEPT = 3600  #: seconds
HINT = "Photograph, rays, contours and octree of this head on one page; takes about ten seconds to make."
#: The tab opens with the click, for browsers open none later; what the page of the demo learns then goes there.
OPEN_TAB = """(...given) => {
  const tab = window.open("", "_blank");
  if (tab) {
    tab.document.title = "Watch the steps";
    tab.document.body.style.cssText = "margin: 32px; font: 15px system-ui, sans-serif; color-scheme: light dark";
    tab.document.body.textContent = "The steps are being drawn. This takes about ten seconds.";
  }
  window.headvizSteps = tab;
  return given;
}"""


def folder() -> Path:
    """Where the pages lie; it goes when the demo ends."""
    found = Path(os.environ.get("GRADIO_TEMP_DIR", tempfile.gettempdir())) / "headviz-steps"
    found.mkdir(parents=True, exist_ok=True)
    return found


def make_page(result: Reconstruction, progress: Callable[[str], None]) -> str:
    """Write the page of a head under a name that nobody can guess.

    Returns:
        Its address, below that of the demo.
    """
    place = folder()
    for old in place.glob("*.html"):
        if time.time() - old.stat().st_mtime > KEPT:
            old.unlink(missing_ok=True)
    name = f"{secrets.token_urlsafe(16)}.html"
    watch_steps(result, place / name, progress=progress)
    return f"{MOUNT}/{name}"
