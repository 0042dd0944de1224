"""The demo, used as a person uses it, in a real browser."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image

pytestmark = pytest.mark.browser

HEAD = "[...document.querySelectorAll('#head *')].map((e) => e.head).find(Boolean)"
MAKE = "#make:not([disabled])"
NETWORKLESS = """
import fcntl, os, socket, struct, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
    fcntl.ioctl(control, 0x8914, struct.pack("16sH14x", b"lo", 0x49))  # SIOCSIFFLAGS: up, running, loopback
try:
    socket.create_connection(("192.0.2.1", 80), timeout=2)
    sys.exit("there is a route to the outside")
except OSError:
    os.execv(sys.executable, [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *sys.argv[1:]])
"""


def choose(watch: Any, photograph: Path) -> None:
    """Upload a photograph and wait for its crop box."""
    watch.page.set_input_files("#photo input[type=file]", str(photograph))
    watch.page.locator(".hv-box").wait_for()


def make(watch: Any) -> dict[str, Any]:
    """Make the head and wait for it; what the viewer says of itself."""
    before = watch.page.evaluate(f"{HEAD}?.state?.caption ?? ''")
    watch.page.locator(MAKE).click()
    watch.page.get_by_text("The head is ready").wait_for(timeout=90_000)
    watch.until(f"{HEAD}?.state?.ready && !{HEAD}.state.moving")
    state = watch.page.evaluate(f"{HEAD}.state")
    assert state["caption"] != before or before == ""
    return state


def download(watch: Any, name: str, folder: Path) -> Path:
    """Click a link of the result and keep its file."""
    with watch.page.expect_download() as waiting:
        watch.page.locator(f"#downloads a[download='{name}']").click()
    assert waiting.value.suggested_filename == name
    path = folder / name
    waiting.value.save_as(path)
    return path


def test_photograph_becomes_a_head(demo: Any, visit: Callable[..., Any], astronaut: Path, tmp_path: Path) -> None:
    watch = visit(demo.url, color_scheme="light")
    watch.page.locator("#make[disabled]").wait_for()
    watch.photograph("demo-empty")
    choose(watch, astronaut)
    watch.photograph("demo-photograph")
    assert "1 face found, confidence 0." in watch.page.locator(".hv-words").inner_text()
    state = make(watch)
    assert (state["triangles"] > 5000, state["front"][2] > 0.95, state["yaw"]) == (True, True, 0)
    assert len(state["morphs"]) == 52
    assert state["morphs"]["mouthSmileLeft"] > 0.4
    assert "% of the skin seen in the photograph" in state["caption"]

    pixels = watch.pixels(HEAD)
    skin = (pixels[..., 0] > pixels[..., 2] + 25).mean()
    assert 0.08 < skin < 0.8, "a head should fill part of the picture"

    watch.page.locator("summary", has_text="Jaw").click()
    watch.page.get_by_label("Jaw: Open").focus()
    watch.page.keyboard.press("End")
    assert (abs(watch.pixels(HEAD) - pixels).sum(-1) > 30).mean() > 0.005
    watch.photograph("demo-head-light")

    mesh = trimesh.load(download(watch, "head.glb", tmp_path), force="mesh")
    assert len(mesh.faces) == state["triangles"]
    assert 0.15 < mesh.extents.max() < 0.5, "metres"
    assert mesh.visual.material.baseColorTexture is not None
    archive = zipfile.ZipFile(download(watch, "head-obj.zip", tmp_path))
    assert {"head.obj", "head.mtl"} <= set(archive.namelist())
    report = json.loads(download(watch, "report.json", tmp_path).read_text())
    assert report["model"] == watch.page.locator("#model input").input_value()
    assert "<!doctype html>" in download(watch, "head.html", tmp_path).read_text()[:20]
    table = watch.page.locator("#report").inner_text()
    assert "Landmark error" in table
    assert all(stage in table for stage in report["timings"])
    assert "In all" in table
    assert watch.low_contrast() == []

    for tab, names in {"Overlay": ["overlay"], "Maps": ["texture", "confidence"]}.items():
        watch.page.get_by_role("tab", name=tab).click()
        for name in names:
            watch.until(f"document.querySelector('#{name} img')?.naturalWidth > 100")
        watch.photograph(f"demo-{tab.lower()}-light")
    assert watch.overflow() <= 0
    assert demo.outside() == []


def test_crop_box_by_mouse_and_keyboard(demo: Any, visit: Callable[..., Any], astronaut: Path) -> None:
    watch = visit(demo.url)
    choose(watch, astronaut)
    words, box, mine = (watch.page.locator(at) for at in (".hv-words", ".hv-box", ".hv-choice input"))
    assert not mine.is_checked()
    at = box.bounding_box()
    frame = watch.page.locator(".hv-photo").bounding_box()
    watch.page.mouse.move(at["x"] + at["width"] / 2, at["y"] + at["height"] / 2)
    watch.page.mouse.down()
    watch.page.mouse.move(frame["x"] + frame["width"] - 20, frame["y"] + frame["height"] - 20, steps=5)
    watch.page.mouse.up()
    assert mine.is_checked()
    moved = box.bounding_box()
    assert moved["x"] > at["x"] + 50
    assert moved["x"] + moved["width"] <= frame["x"] + frame["width"] + 2, "the box should stay on the photograph"
    size = watch.page.locator(".hv-words").inner_text()
    watch.page.keyboard.press("Shift+ArrowLeft")
    assert words.inner_text() != size
    watch.page.keyboard.press("ArrowUp")
    watch.photograph("demo-crop")

    watch.page.locator(MAKE).click()  # there is no face in that corner
    problem = watch.page.get_by_role("alert")
    problem.wait_for(timeout=90_000)
    assert "no face" in problem.inner_text().lower()
    assert box.is_visible(), "the photograph should stay"
    watch.photograph("demo-no-face")

    mine.uncheck()
    assert abs(box.bounding_box()["x"] - at["x"]) < 1, "without my crop the box is the face again"
    make(watch)
    assert not problem.is_visible()


def test_several_faces_and_touch(demo: Any, visit: Callable[..., Any], astronaut: Path, tmp_path: Path) -> None:
    face = Image.open(astronaut).convert("RGB").crop((100, 0, 356, 256))
    both = Image.new("RGB", (700, 300), (120, 130, 140))
    both.paste(face.resize((300, 300)), (0, 0))
    both.paste(face.resize((220, 220)).transpose(Image.Transpose.FLIP_LEFT_RIGHT), (440, 40))
    both.save(tmp_path / "both.jpg", quality=95)

    watch = visit(demo.url, width=360, height=740, has_touch=True, is_mobile=True, color_scheme="light")
    watch.page.locator("#make").wait_for()
    assert watch.overflow() <= 0
    watch.photograph("demo-360-empty")
    choose(watch, tmp_path / "both.jpg")
    words = watch.page.locator(".hv-words")
    assert "2 faces found. Face 1 is chosen" in words.inner_text()
    watch.page.get_by_role("button", name="Face 2").tap()
    assert "Face 2 is chosen" in words.inner_text()
    left = watch.page.locator(".hv-box").bounding_box()["x"] - watch.page.locator(".hv-photo").bounding_box()["x"]
    assert left > 150
    finger = watch.page.context.new_cdp_session(watch.page)
    watch.photograph("demo-360-faces")
    make(watch)
    report = watch.page.locator("#report").inner_text()
    width = float(report.split("Face in the picture")[1].split()[0])
    assert width < 90, "the second face is the small one"

    box = watch.page.locator(".hv-box")
    box.scroll_into_view_if_needed()
    at = box.bounding_box()
    x, y = at["x"] + at["width"] / 2, at["y"] + at["height"] / 2
    for kind, points in (("touchStart", [[x, y]]), ("touchMove", [[x - 40, y + 5]]), ("touchEnd", [])):
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": a, "y": b} for a, b in points]})
    assert watch.page.locator(".hv-choice input").is_checked()
    assert box.bounding_box()["x"] == pytest.approx(at["x"] - 40, abs=3)
    assert watch.overflow() <= 0
    watch.photograph("demo-360-head")


def test_bad_files_are_told_and_nothing_is_lost(
    demo: Any, visit: Callable[..., Any], astronaut: Path, tmp_path: Path
) -> None:
    watch = visit(demo.url, color_scheme="dark")
    (tmp_path / "broken.png").write_bytes(astronaut.read_bytes()[:3000])
    (tmp_path / "words.jpg").write_text("not a picture")
    for name in ("broken.png", "words.jpg"):
        watch.page.set_input_files("#photo input[type=file]", str(tmp_path / name))
        told = watch.page.locator("#problem").filter(has_text=name)
        told.wait_for()
        assert str(tmp_path) not in told.inner_text()
        assert "/" not in told.inner_text().split(name)[0], "the folder of the upload is nobody's business"
        watch.page.locator("#photo input[type=file]").wait_for(state="attached")
    watch.photograph("demo-broken-dark")

    watch.page.locator("#examples button").first.click()
    watch.page.locator(".hv-box").wait_for()
    assert watch.page.locator("#problem [role=alert]").count() == 0
    make(watch)
    assert watch.low_contrast() == []
    watch.photograph("demo-head-dark")
    watch.page.get_by_role("button", name="Another photograph").click()
    watch.page.locator("#photo input[type=file]").wait_for(state="attached")
    assert watch.page.evaluate(f"{HEAD}.state.ready"), "the head stays until the next one"
    plain = tmp_path / "plain.png"
    Image.fromarray(np.full((200, 300, 3), 128, dtype=np.uint8)).save(plain)
    choose(watch, plain)
    assert "No face was found. Put the box around the face" in watch.page.locator(".hv-words").inner_text()
    assert watch.page.locator(".hv-choice input").is_checked()


def test_temporary_files_go_when_the_demo_ends(separate_demo: Any, visit: Callable[..., Any], astronaut: Path) -> None:
    watch = visit(separate_demo.url)
    choose(watch, astronaut)
    assert list(separate_demo.temporary.rglob("astronaut*"))
    watch.page.goto("about:blank")
    assert separate_demo.stop() == 0
    assert list(separate_demo.temporary.rglob("*.*")) == []
    assert separate_demo.outside() == []


def test_works_without_a_network() -> None:
    """The first test of this file again, in a network namespace that has a loopback and no route."""
    unshare = shutil.which("unshare")
    if unshare is None or not hasattr(ctypes.CDLL(None), "unshare"):
        pytest.skip("no unshare on this system; the other tests still watch every connection")
    flags = ["--net"] if os.geteuid() == 0 else ["--net", "--map-root-user"]
    if subprocess.run([unshare, *flags, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this system lets nobody make a network namespace; the other tests still watch every connection")
    test = f"{__file__}::{test_photograph_becomes_a_head.__name__}"
    environ = {name: value for name, value in os.environ.items() if name != "HEADVIZ_SCREENSHOTS"}
    done = subprocess.run(
        [unshare, *flags, sys.executable, "-c", NETWORKLESS, test],
        capture_output=True, text=True, check=False, timeout=240, env=environ, cwd=Path(__file__).parent.parent.parent,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "1 passed" in done.stdout
