"""The sculpting page in a real browser, driven by mouse, keys and fingers, against the engine."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headviz.geometry.mesh import Mesh
from headviz.geometry.rbf import KERNELS
from headviz.heads.model import load_head
from headviz.interop import load_mesh
from headviz.sculpt import FALLOFFS, Brush, Keypoint, SculptSession, SetKeypoints, SetSliders, Step, Stroke, step_of
from headviz.sculpt.files import open_session, start_named
from headviz.viewers import view_sculpt

pytestmark = pytest.mark.browser

READY = "window.viewersReady === true"
DESK = "viewers[0].panels[0].desk"
#: In parts of the head's size: the page's result against the engine's.
CLOSE = 1e-4


class Page:
    """A page with a session, and a hand."""

    def __init__(self, watch: Any) -> None:
        self.watch, self.page, self.mouse = watch, watch.page, watch.page.mouse
        watch.until(READY)
        watch.until("!viewers[0].cameras[0].moving")

    def spot(self, x: float, y: float) -> tuple[float, float]:
        """A spot of the picture, in parts of its width and height from its middle."""
        box = self.page.locator("canvas.space").bounding_box()
        return box["x"] + box["width"] * (0.5 + x), box["y"] + box["height"] * (0.5 + y)

    def drag(self, *way: tuple[float, float], keys: Sequence[str] = ()) -> None:
        """Press, go along a way, let go."""
        self.mouse.move(*self.spot(*way[0]))
        for key in keys:
            self.page.keyboard.down(key)
        self.mouse.down()
        for spot in way[1:]:
            self.mouse.move(*self.spot(*spot), steps=3)
        self.mouse.up()
        for key in keys:
            self.page.keyboard.up(key)

    def set(self, **state: Any) -> None:
        self.page.evaluate("state => { viewers[0].set(state); viewers[0].flush(); }", state)

    @property
    def steps(self) -> list[dict[str, Any]]:
        """The steps up to where the session stands."""
        found: list[dict[str, Any]] = self.page.evaluate(
            f"(() => {{ const {{ history }} = {DESK}.session; "
            "return history.ancestors(history.current).reverse().slice(1).map(({ step }) => step); })()"
        )
        return found

    @property
    def positions(self) -> np.ndarray:
        return np.array(self.page.evaluate(f"Array.from({DESK}.session.positions)")).reshape(-1, 3)

    def apply(self, step: Step) -> None:
        self.page.evaluate(f"step => {DESK}.apply(step)", step.plain())

    @property
    def caption(self) -> str:
        text: str = self.page.evaluate("(viewers[0].flush(), viewers[0].caption)")
        return text


@pytest.fixture
def opened(visit: Callable[..., Any], tmp_path: Path) -> Callable[..., Page]:
    """Open a session's page."""

    def open_page(session: SculptSession | Mesh, width: int = 1200, height: int = 900, **options: Any) -> Page:
        path = view_sculpt(session, title="Sculpt").to_html(tmp_path / "sculpt.html")
        return Page(visit(path.as_uri(), width, height, **options))

    return open_page


def engine(mesh: Mesh, steps: list[dict[str, Any]]) -> SculptSession:
    """What the engine makes of the page's steps."""
    session = SculptSession(mesh)
    for step in steps:
        session.apply(step_of(step))
    return session


def test_real_mouse_strokes_are_the_engines(opened: Callable[..., Page]) -> None:
    mesh = load_head().mesh()
    page = opened(mesh)
    page.drag((0.02, 0.2), (0.04, 0.28))
    for tool, key in (("inflate", "Control"), ("flatten", None), ("pinch", None), ("mask", None), ("inflate", "Shift")):
        page.set(tool=tool, falloff=FALLOFFS[len(page.steps)], symmetric=tool != "pinch", strength=1.3)
        page.drag((-0.06, -0.2), (0.05, -0.12), keys=[key] if key else [])
    page.set(tool="grab", symmetric=True, falloff="gaussian")
    page.drag((0.05, -0.2), (0.02, -0.3))
    page.set(tool="keypoint", kernel="wendland", radius=0.04)
    page.drag((0.08, 0.1), (0.1, 0.12))
    page.drag((0.0, 0.05), (0.0, 0.0))
    page.mouse.move(*page.spot(0.0, 0.0))
    steps = page.steps
    brushes = [step["brush"] for step in steps[:7]]
    tools = ["grab", "inflate", "flatten", "pinch", "mask", "smooth", "grab"]
    assert [brush["tool"] for brush in brushes] == tools
    assert [brush["invert"] for brush in brushes] == [False, True, *[False] * 5]
    assert all(len(step["points"]) > 2 for step in steps[1:6]), "dabs follow the way of the mouse"
    assert [len(step["keypoints"]) for step in steps[7:]] == [1, 2]
    assert steps[8]["keypoints"][1]["position"][0] == 0, "a keypoint near the plane is put onto it"
    session = engine(mesh, steps)
    assert np.abs(page.positions - session.positions).max() <= CLOSE * session.surface.size
    assert np.abs(session.positions - session.surface.rest).max() > 0.05 * session.surface.size
    viewer = view_sculpt(session)
    assert page.caption.split("; ")[0] == viewer.caption.split("; ")[0]
    page.watch.photograph("sculpt-page")


def test_symmetric_strokes_keep_the_head_symmetric(opened: Callable[..., Page]) -> None:
    page = opened(load_head().mesh())
    for tool in ("grab", "inflate", "smooth", "pinch"):
        page.set(tool=tool)
        page.drag((0.01, 0.2), (0.03, 0.26), (-0.04, 0.22))
    numbers = page.page.evaluate("viewers[0].numbers")
    assert numbers["step"] == 4
    assert numbers["residual"] <= 1e-6
    assert "symmetric to " in page.caption


def test_replayed_steps_are_the_engines(opened: Callable[..., Page]) -> None:
    mesh = load_head().mesh()
    page = opened(mesh)
    sites = [(0.0, -0.03, 0.12), (0.04, 0.0, 0.1), (0.05, -0.09, 0.07)]
    ways = [(0.003, 0.008, 0.01), (0.01, 0.0, 0.004), (0.0, -0.01, 0.008)]
    steps: list[Step] = [SetSliders({"jawOpen": 0.6, "mouthSmileLeft": 0.4})]
    for number, falloff in enumerate(FALLOFFS):
        brush = Brush(("grab", "inflate", "pinch")[number % 3], 0.04, falloff=falloff, symmetric=number % 2 == 0)
        points = ((0.02, 0.01, 0.1), (0.03, 0.02, 0.1))[: 1 if brush.tool == "grab" else 2]
        steps.append(Stroke(brush, points, (0.004, 0.002, 0.006)))
    for number, kernel in enumerate(KERNELS):
        alpha = {"gaussian": 1500.0, "wendland": 150.0}.get(kernel, 0.05)
        points = [Keypoint(site, way, kernel, alpha) for site, way in zip(sites, ways, strict=True)]
        steps.append(SetKeypoints(tuple(points), exact=number % 2 == 0))
    session = SculptSession(mesh)
    for step in steps:
        session.apply(step)
        page.apply(step)
        apart = np.abs(page.positions - session.positions).max() / session.surface.size
        assert apart <= CLOSE, f"{step.text}: {apart:.2g} of the size"


def test_keys_undo_press_and_change_the_brush(opened: Callable[..., Page]) -> None:
    page = opened(load_head().mesh())
    keys = page.page.keyboard
    start = page.positions
    page.mouse.move(*page.spot(0.0, 0.1))
    page.page.locator("canvas.space").focus()
    keys.press("Enter")
    assert page.steps[0]["vector"][2] > 0, "Enter pulls the surface a little outwards"
    assert len(page.steps) == 1
    pulled = page.positions
    keys.press("Control+z")
    np.testing.assert_array_equal(page.positions, start)
    keys.press("Control+Shift+Z")
    np.testing.assert_array_equal(page.positions, pulled)
    radius = page.page.evaluate("viewers[0].state.radius")
    keys.press("f")
    for x in (0.05, 0.1):
        page.mouse.move(*page.spot(x, 0.1))
    page.mouse.down()
    page.mouse.up()
    assert page.page.evaluate("viewers[0].state.radius") > 1.2 * radius
    keys.press("Shift+F")
    for x in (0.05, 0.0):
        page.mouse.move(*page.spot(x, 0.1))
    assert page.page.evaluate("viewers[0].state.strength") < 0.9
    keys.press("Escape")
    assert page.page.evaluate("viewers[0].state.strength") == 1
    keys.press("x")
    assert page.page.evaluate("viewers[0].state.symmetric") is False
    assert len(page.steps) == 1, "none of this has sculpted"
    page.mouse.down()
    page.mouse.move(*page.spot(0.05, 0.0), steps=3)
    assert np.abs(page.positions - pulled).max() > 1e-3
    keys.press("Escape")
    page.mouse.up()
    np.testing.assert_array_equal(page.positions, pulled)
    assert len(page.steps) == 1


def test_beside_the_head_the_camera_turns_and_on_it_it_does_not(opened: Callable[..., Page]) -> None:
    page = opened(load_head().mesh())
    pose = "viewers[0].cameras[0].yaw"
    page.drag((0.45, -0.4), (0.3, -0.4))
    turned = page.page.evaluate(pose)
    assert abs(turned) > 5
    assert page.steps == []
    page.drag((0.0, 0.0), (0.05, 0.05))
    assert page.page.evaluate(pose) == turned
    assert len(page.steps) == 1


def test_one_finger_sculpts_and_two_turn(opened: Callable[..., Page]) -> None:
    page = opened(load_head().mesh(), 360, 800, has_touch=True, is_mobile=True)
    client = page.page.context.new_cdp_session(page.page)

    def touch(kind: str, *spots: tuple[float, float]) -> None:
        points = [dict(zip("xy", page.spot(*spot), strict=True), id=k) for k, spot in enumerate(spots)]
        client.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})

    distance = page.page.evaluate("viewers[0].cameras[0].distance")
    touch("Start", (0.0, 0.1))
    touch("Move", (0.05, 0.15))
    touch("Move", (0.1, 0.2))
    touch("End")
    assert [step["brush"]["tool"] for step in page.steps] == ["grab"]
    assert page.page.evaluate("viewers[0].cameras[0].distance") == distance
    after = page.positions
    touch("Start", (0.0, 0.1))
    touch("Start", (0.0, 0.1), (0.05, -0.1))
    for k in range(1, 6):
        touch("Move", (0.0, 0.1 + 0.03 * k), (0.05, -0.1 - 0.03 * k))
    touch("End")
    page.watch.until(f"Math.abs(viewers[0].cameras[0].distance - {distance}) > 0.05 * {distance}")
    assert len(page.steps) == 1
    np.testing.assert_array_equal(page.positions, after)


def test_keypoints_can_be_edited_and_made_exact(opened: Callable[..., Page]) -> None:
    page = opened(load_head().mesh())
    page.set(tool="keypoint", strength=0.5)
    page.drag((0.08, 0.1), (0.1, 0.12))
    page.page.locator("summary", has_text="Keypoints").click()
    page.page.locator(".point input[type=number]").nth(2).fill("7.5")
    page.page.locator(".point input[type=number]").nth(2).press("Enter")
    assert page.steps[-1]["keypoints"][0]["vector"][2] == pytest.approx(0.0075)
    page.page.locator("label", has_text="Exact").click()
    assert page.steps[-1]["exact"] is True
    handle = page.page.locator(".handle.keypoint")
    handle.focus()
    page.page.keyboard.press("ArrowUp")
    steps = page.steps
    assert steps[-1]["keypoints"][0]["vector"][1] > steps[-2]["keypoints"][0]["vector"][1]
    session = engine(load_head().mesh(), steps)
    assert np.abs(page.positions - session.positions).max() <= CLOSE * session.surface.size
    box = handle.bounding_box()
    page.mouse.move(box["x"] + 16, box["y"] + 16)
    page.mouse.down()
    page.mouse.move(box["x"] + 60, box["y"] + 40, steps=3)
    assert not np.array_equal(page.positions, session.positions)
    page.page.keyboard.press("Escape")
    page.mouse.up()
    assert page.steps == steps, "Esc takes the drag back"
    assert np.abs(page.positions - session.positions).max() <= CLOSE * session.surface.size
    page.page.keyboard.press("Delete")
    assert page.steps[-1]["keypoints"] == []
    handle.wait_for(state="detached")


def test_sliders_are_tools_too(opened: Callable[..., Page]) -> None:
    page = opened(load_head().mesh())
    page.page.evaluate(
        """() => { const root = document.querySelector("#viewer-0 > div").shadowRoot; const range = root.querySelector("[data-morph=jawOpen]");
        for (const value of ["0.3", "0.8"]) { range.value = value; range.dispatchEvent(new Event("input")); }
        range.dispatchEvent(new Event("change")); }"""
    )
    assert page.steps == [{"kind": "sliders", "values": {"jawOpen": 0.8}}]
    session = engine(load_head().mesh(), page.steps)
    assert np.abs(page.positions - session.positions).max() <= CLOSE * session.surface.size


@pytest.mark.parametrize("named", [False, True])
def test_the_desktop_opens_what_the_page_downloads(
    opened: Callable[..., Page], small_head: Mesh, tmp_path: Path, named: bool
) -> None:
    start = start_named("head", load_head().mesh()) if named else SculptSession(small_head, name="A ball / nose")
    start.apply(Stroke(Brush("grab", 0.05), ((0.03, 0.0, 0.1),), (0.01, 0.0, 0.01)))
    start.apply(SetSliders({"jawOpen": 0.5}))
    start.keep_version("open")
    start.undo()
    page = opened(start)
    page.drag((0.0, 0.05), (0.05, 0.1))
    with page.page.expect_download() as waited:
        page.page.locator("[data-do=session]").click()
    file = tmp_path / waited.value.suggested_filename
    assert file.name == ("head.headviz.json" if named else "A-ball-nose.headviz.json")
    waited.value.save_as(file)
    document = json.loads(file.read_text(encoding="utf-8"))
    assert ("mesh" in document["base"]) != named
    session = open_session(file, bases={"head": lambda: load_head().mesh()})  # which warns where it comes out otherwise
    assert np.abs(page.positions - session.positions).max() <= CLOSE * session.surface.size
    assert [entry.id for entry in session.history] == [0, 1, 3]
    assert session.versions == {"open": 2}
    with page.page.expect_download() as waited:
        page.page.locator("[data-do=obj]").click()
    waited.value.save_as(tmp_path / "mesh.obj")
    mesh = load_mesh(tmp_path / "mesh.obj")
    assert len(mesh.faces) == len(start.surface.faces)
    assert mesh.uv is not None


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 360])
def test_it_fits_and_can_be_read(opened: Callable[..., Page], scheme: str, width: int) -> None:
    session = SculptSession(load_head().mesh())
    session.apply(Stroke(Brush("grab", 0.03), ((0.0, -0.02, 0.12),), (0.0, 0.0, 0.01)))
    session.apply(SetKeypoints((Keypoint((0.04, -0.05, 0.08), (0.01, 0.0, 0.01), alpha=2500.0),)))
    page = opened(session, width, 900, color_scheme=scheme)
    page.page.evaluate(
        """() => document.querySelector("#viewer-0 > div").shadowRoot.querySelectorAll("details").forEach((d) => (d.open = true))"""
    )
    page.set(surface="distance", tool="keypoint")
    assert page.watch.overflow() <= 0
    assert page.watch.low_contrast() == []
    page.watch.photograph(f"sculpt-{width}-{scheme}")
