"""The viewer of docs/add-a-viewer.md, as another package would ship it, in a real browser."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image, ImageSequence

from headviz.errors import OptionError
from headviz.viewers import Viewer, register
from headviz.viewers.registry import KINDS


@pytest.mark.browser
def test_the_documented_viewer_works_as_a_page(root: Path, workplace: Path, visit: Callable[..., Any]) -> None:
    words = (root / "docs" / "add-a-viewer.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", words, re.S)
    assert code is not None
    done = subprocess.run([sys.executable, "-c", code[1]], capture_output=True, text=True, check=True)
    watch = visit((workplace / "bisection.html").as_uri(), width=600, height=500)
    watch.until("window.viewersReady === true")
    for _ in range(3):
        watch.page.get_by_role("button", name="One step on").click()
    assert watch.until("viewers[0].state.step === 3")
    assert watch.page.evaluate("viewers[0].caption") == done.stdout.strip()
    assert watch.page.evaluate("viewers[0].numbers") == {"low": 1.25, "high": 1.5}
    watch.page.get_by_role("button", name="Play").click()
    assert watch.until("viewers[0].state.step === viewers[0].steps - 1")
    assert watch.page.locator("figcaption").inner_text() == "step 11: the root is known to 0.977 mm"
    watch.photograph("added-viewer")


def test_a_kind_belongs_to_one_viewer() -> None:
    class Impostor(Viewer):
        kind = "mesh"

    with pytest.raises(OptionError, match="the kind 'mesh' should be new; it belongs to MeshViewer"):
        register(Impostor)
    assert KINDS["mesh"] is not Impostor


def test_motion(root: Path, workplace: Path) -> None:
    words = (root / "docs" / "add-a-viewer.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", words, re.S)
    assert code is not None
    made = code[1] + "\nviewer.to_gif('bisection.gif', dpi=50)\nviewer.to_gif('bisection.mp4', dpi=50, seconds=0.25)"
    subprocess.run([sys.executable, "-c", made], check=True)
    with Image.open(workplace / "bisection.gif") as moving:
        frames = [np.asarray(frame.convert("RGB")).astype(int) for frame in ImageSequence.Iterator(moving)]
    assert len(frames) == 12
    assert all((abs(after - before).max() > 50) for before, after in itertools.pairwise(frames))
    probe = imageio_ffmpeg.count_frames_and_secs(str(workplace / "bisection.mp4"))
    assert probe == (24, pytest.approx(12 * 0.25, abs=0.3))
