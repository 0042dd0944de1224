"""Pages in a browser: size, time to open, frames per second while scrubbing, latency in a notebook; beside peers.

``python tests/benchmarks/viewers.py`` prints a table, ``--json`` one JSON object as the last line. ``--quick`` leaves
out the largest records. It needs Chromium; where that draws WebGL in software, frames per second say little about a
computer with a graphics card, so the time that JavaScript takes for a step is measured beside them.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))
sys.path.append(str(Path(__file__).parent.parent))
from measure import Row, report, row

from headviz import viewers
from headviz.geometry import extract_surface, preset
from headviz.geometry.mesh import Mesh
from headviz.viewers import Viewer
from headviz.viewers.page import packed

LONGEST = 60  #: seconds that a page may take
READY = "window.viewersReady === true"
#: Goes through the steps there and back for two seconds, a step a frame; how many frames came, and how long our code took.
SCRUB = """async () => {
  const [viewer] = viewers;
  const frame = () => new Promise(requestAnimationFrame);
  await frame();
  const times = [];
  const started = performance.now();
  let frames = 0;
  while (performance.now() - started < 2000 || frames < 5) {
    const step = frames % (2 * viewer.steps - 2 || 1);
    viewer.set({ step: step < viewer.steps ? step : 2 * viewer.steps - 2 - step });
    const before = performance.now();
    viewer.flush();
    times.push(performance.now() - before);
    await frame();
    frames += 1;
  }
  const seconds = (performance.now() - started) / 1000;
  times.sort((a, b) => a - b);
  return { rate: frames / seconds, own: times[Math.floor(times.length / 2)], worst: times[Math.floor(times.length * 0.95)] };
}"""
#: Turns the camera for two seconds.
TURN = """async () => {
  const { orbit } = viewers[0].panels.find((panel) => panel.orbit);
  const frame = () => new Promise(requestAnimationFrame);
  const started = performance.now();
  let frames = 0;
  while (performance.now() - started < 2000 || frames < 5) {
    orbit.take({ ...orbit.shared(orbit.pose), yaw: frames * 0.02 });
    await frame();
    frames += 1;
  }
  return frames / ((performance.now() - started) / 1000);
}"""


def tests_module(name: str) -> Any:
    """A module of the tests by its path: this file has the name of their folder for viewers."""
    path = Path(__file__).parent.parent / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"tests.{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[f"tests.{path.stem}"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """A headless browser as the tests have it."""
    from playwright.sync_api import sync_playwright

    tools = tests_module("chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=tools.find_chromium(), headless=True, args=tools.FLAGS)
        yield running
        running.close()


def opened(browser: Any, page_file: Path, shown: Callable[[Any], bool]) -> tuple[Any, float]:
    """A page, and the seconds until it shows something."""
    page = browser.new_context(viewport={"width": 1200, "height": 900}).new_page()
    started = time.perf_counter()
    page.goto(page_file.as_uri(), wait_until="commit")
    while not shown(page):
        if time.perf_counter() - started > LONGEST:
            raise TimeoutError(f"{page_file.name} shows nothing after {LONGEST} s")
        time.sleep(0.01)
    return page, time.perf_counter() - started


def ours_is_shown(page: Any) -> bool:
    """All viewers have drawn."""
    return bool(page.evaluate(f"{READY} && viewers[0].frames > 0"))


def canvas_is_painted(page: Any) -> bool:
    """The largest canvas has more than one colour in its middle: as a person would judge, for any program."""
    box = page.evaluate("""() => {
      const all = [...document.querySelectorAll("canvas")].map((c) => c.getBoundingClientRect());
      const [best] = all.sort((a, b) => b.width * b.height - a.width * a.height);
      return best && best.width > 100 ? [best.x, best.y, best.width, best.height] : null;
    }""")
    if box is None:
        return False
    x, y, width, height = box
    clip = {"x": x + 0.4 * width, "y": y + 0.2 * height, "width": 0.2 * width, "height": 0.6 * height}
    picture = np.asarray(Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("L"))
    return bool(picture.std() > 3)


def median_opening(browser: Any, file: Path, shown: Callable[[Any], bool], repeats: int = 3) -> float:
    """Median seconds until a page shows something."""
    times = []
    for _ in range(repeats):
        page, seconds = opened(browser, file, shown)
        page.context.close()
        times.append(seconds)
    return statistics.median(times)


def head_mesh(faces: int) -> Mesh:
    """The head of primitives with about this many faces."""
    resolution = round((faces / 5.2) ** 0.5)
    return extract_surface(preset("head"), resolution=resolution).mesh


def mesh_rows(browser: Any, folder: Path, counts: list[int]) -> list[Row]:
    """The same mesh as a page by headviz, pyvista and K3D."""
    rows = []
    for wanted in counts:
        mesh = head_mesh(wanted)
        name = f"mesh of {len(mesh.faces):,} faces"
        pages = {"headviz": viewers.view_mesh(mesh).to_html(folder / "ours.html"), **peers(mesh, folder)}
        taken = {}
        for who, file in pages.items():
            try:
                taken[who] = median_opening(browser, file, ours_is_shown if who == "headviz" else canvas_is_painted)
            except TimeoutError as error:
                print(f"{who} is left out: {error}", file=sys.stderr)
        for peer in list(taken)[1:]:
            sizes = [pages[who].stat().st_size / 1e6 for who in ("headviz", peer)]
            rows.append(row(f"{name}, page", sizes[0], "MB", "", None, peer, sizes[1]))
            rows.append(row(f"{name}, opens", taken["headviz"], "s", "≤ 2", taken["headviz"] <= 2, peer, taken[peer]))
        page, _ = opened(browser, pages["headviz"], ours_is_shown)
        rows.append(row(f"{name}, turning", page.evaluate(TURN), "frames/s", "", None))
        page.context.close()
    return rows


def peers(mesh: Mesh, folder: Path) -> dict[str, Path]:
    """Pages of the same mesh by other programs, those of them that can be made here."""
    found: dict[str, Path] = {}
    vertices, faces = mesh.vertices.numpy().astype(np.float32), mesh.faces.numpy().astype(np.uint32)
    try:
        import k3d

        plot = k3d.plot(grid_visible=False)
        plot += k3d.mesh(vertices, faces, color=0xD9A58B)
        (folder / "k3d.html").write_text(plot.get_snapshot(), encoding="utf-8")
        found["K3D"] = folder / "k3d.html"
    except ImportError as error:
        print(f"K3D is left out: {error}", file=sys.stderr)
    try:
        import pyvista

        plotter = pyvista.Plotter(off_screen=True)
        plotter.add_mesh(pyvista.PolyData.from_regular_faces(vertices, faces.astype(np.int64)), color="#d9a58b")
        plotter.trame.export_html(folder / "pyvista.html")
        plotter.close()
        found["pyvista"] = folder / "pyvista.html"
    except (ImportError, RuntimeError) as error:
        print(f"pyvista is left out: {error}", file=sys.stderr)
    return found


def scrub_rows(browser: Any, folder: Path, name: str, viewer: Viewer) -> list[Row]:
    """Page size, opening, and scrubbing through the steps of one viewer."""
    file = viewer.to_html(folder / "scrub.html")
    seconds = median_opening(browser, file, ours_is_shown)
    page, _ = opened(browser, file, ours_is_shown)
    found = page.evaluate(f"({SCRUB})()")
    page.context.close()
    held = viewer.record.nbytes / 1e6
    return [
        row(f"{name}: record {held:.3g} MB, page", file.stat().st_size / 1e6, "MB", "", None),
        row(f"{name}: opens", seconds, "s", "≤ 2", seconds <= 2),
        row(f"{name}: scrubbing", found["rate"], "frames/s", "≥ 30", found["rate"] >= 30),
        row(f"{name}: JavaScript for a step", found["own"], "ms", "≤ 33", found["own"] <= 33),
    ]


def records(*, quick: bool) -> Iterator[tuple[str, Viewer]]:
    """What is scrubbed through."""
    head = preset("head")
    for looks, size in ((1e4, 44), (1e5, 140), (1e6, 440))[: 2 if quick else 3]:
        yield f"rays, about {looks:,.0f} looks", viewers.view_trace(head, size=size)
    yield "octree of the head", viewers.view_octree(head, resolution=64 if quick else 128)
    yield "marching cubes of the head", viewers.view_cubes(head, resolution=32 if quick else 128)


#: The time from each change of the step, by a key or by Python, until the frame after its drawing began.
LISTEN = """() => {
  const place = [...document.querySelectorAll(".jp-OutputArea *")].find((element) => element.viewer);
  const { viewer } = place;
  window.waits = [];
  const drawn = (began, step) => requestAnimationFrame(() => {
    if (viewer.state.step === step) drawn(began, step);
    else requestAnimationFrame(() => window.waits.push(performance.timeOrigin + performance.now() - began));
  });
  window.addEventListener("keydown", (event) => drawn(performance.timeOrigin + event.timeStamp, viewer.state.step), true);
  window.drawnAt = () => new Promise((done) => {
    const { step } = viewer.state;
    const look = () => requestAnimationFrame(() => {
      if (viewer.state.step === step) look();
      else requestAnimationFrame(() => done(performance.timeOrigin + performance.now()));
    });
    look();
  });
}"""


def notebook_rows(browser: Any, folder: Path) -> list[Row]:
    """In JupyterLab: from the press of a key to the picture, and from an assignment in Python to the picture."""
    jupyter, watching = tests_module("viewers/jupyter"), tests_module("viewers/conftest")
    cells = [
        "from headviz import viewers\nfrom headviz.geometry import preset\nimport time",
        "widget = viewers.view_ray(preset('head')).at(step=0).widget()\nwidget",
    ]
    with jupyter.running_lab(folder) as lab:
        watch = watching.Watch(browser.new_context(viewport={"width": 1200, "height": 1000}).new_page())
        opened = jupyter.Notebook(watch)
        opened.page.goto(f"{lab.url}doc/tree/{lab.write(cells)}")
        opened.wait()
        opened.run_all()
        opened.output(1).locator("figcaption").wait_for()
        opened.page.evaluate(LISTEN)
        opened.output(1).get_by_label("Step", exact=True).focus()
        opened.page.wait_for_timeout(5000)  # JupyterLab goes on loading for a while
        for _ in range(8):
            opened.page.keyboard.press("ArrowRight")
            opened.page.wait_for_timeout(700)
        by_key = opened.page.evaluate("window.waits")
        by_code = []
        for step in (0, 5, 1, 6, 2, 7, 3):
            opened.page.evaluate("window.when = window.drawnAt(), undefined")
            began = opened.value(f"(time.time(), setattr(widget, 'state', {{'step': {step}}}))")[0]
            by_code.append(opened.page.evaluate("window.when") - 1000 * began)
            opened.page.wait_for_timeout(700)
    key, code = statistics.median(by_key), statistics.median(by_code)
    return [
        row("notebook: key to picture, the frame after it included", key, "ms", "≤ 50", key <= 50),
        row("notebook: assignment in Python to picture", code, "ms", "", None),
    ]


def packing_rows(viewer: Viewer) -> list[Row]:
    """How long Python takes to pack a record for a notebook and for a page."""
    times = {}
    for level in (1, 6):
        started = time.perf_counter()
        packed(viewer, level=level)
        times[level] = time.perf_counter() - started
    size = viewer.record.nbytes / 1e6
    return [
        row(f"packing {size:.3g} MB, {where}", times[level], "s", "", None)
        for level, where in ((1, "live"), (6, "page"))
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    torch.manual_seed(0)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name, chromium() as browser:
        folder = Path(name)
        (folder / "jupyter").mkdir()
        rows += mesh_rows(browser, folder, [10_000, 100_000] if options.quick else [10_000, 100_000, 1_000_000])
        for label, viewer in records(quick=options.quick):
            rows += scrub_rows(browser, folder, label, viewer)
            if viewer.kind == "trace":
                rows += packing_rows(viewer)
        rows += notebook_rows(browser, folder / "jupyter")
    report("viewers", rows, as_json=options.json)


if __name__ == "__main__":
    main()
