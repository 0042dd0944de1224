"""A traced picture as a viewer: what it shows is what the trace recorded, on the page as in Python."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from headviz import viewers
from headviz.cli import main
from headviz.errors import BoundsError, InputError, OptionError, RecordError
from headviz.geometry import parse_shape, preset
from headviz.geometry.bracket import Bracketing
from headviz.geometry.camera import Camera, look_at_head
from headviz.geometry.mesh import Mesh
from headviz.geometry.shapes import Sphere
from headviz.geometry.trace_history import Status
from headviz.render.cones import TraceSettings
from headviz.render.traced import TracedImage, trace_camera
from headviz.viewers import trace_thin
from headviz.viewers.record import Record
from headviz.viewers.trace import TraceState, TraceViewer
from headviz.viewers.trace_mesh import clustered
from headviz.viewers.trace_picture import pixels, thickness
from headviz.viewers.trace_record import camera_of_rays

RADIUS, AWAY, SIDE = 0.1, 0.9, 24
READY = "window.viewersReady === true"


class Bent(Sphere):
    """A sphere that claims to rise less than it does, so that steps go through it."""

    lipschitz = 0.6


def straight(size: int = SIDE) -> Camera:
    return look_at_head(distance=AWAY, focal=3.0, size=size)


@pytest.fixture(scope="module")
def ball() -> TraceViewer:
    """A sphere seen from straight ahead, where everything is known in closed form."""
    return viewers.view_trace(Sphere(RADIUS), camera=straight(), title="A ball")


@pytest.fixture(scope="module")
def ring() -> TraceViewer:
    """A torus from aside, by cones and adaptive steps."""
    return viewers.view_trace(preset("torus"), size=40, settings=TraceSettings(), title="A ring")


def recorded(settings: TraceSettings | None = None) -> TracedImage:
    return trace_camera(Sphere(RADIUS), straight(), settings=settings, record=True)


def test_record_holds_the_looks_of_the_trace() -> None:
    image = recorded(TraceSettings(relaxation=1.5, blocks=(4,)))
    history = image.trace.history
    assert history is not None
    viewer = viewers.view_trace(image)
    for ray in range(0, SIDE * SIDE, 37):
        one = history.ray(ray)
        looks = viewer.at(pixel=(ray % SIDE, ray // SIDE)).looks()
        np.testing.assert_array_equal(looks.step, one.step)
        np.testing.assert_array_equal(looks.distance, one.distances.double())
        np.testing.assert_array_equal(looks.undone, one.undone)
        np.testing.assert_allclose(looks.positions, one.positions, atol=1e-6)
    last = viewer.record.arrays["last"].reshape(-1)
    for step in (0, 3, len(history) - 1):
        assert viewer.at(step=step).numbers["marching"] == int((last > step).sum())
        after = history.active(step + 1) if step + 1 < len(history) else torch.zeros(SIDE * SIDE, dtype=torch.bool)
        assert viewer.at(step=step).numbers["marching"] == int(after.sum())


def test_the_middle_of_a_ball_is_known_in_closed_form(ball: TraceViewer) -> None:
    numbers = ball.at(pixel=(SIDE // 2, SIDE // 2), step=ball.steps - 1).numbers
    x = 0.5 / (3 * SIDE)  # of the pixel's ray, per depth
    slope = math.hypot(x, x, 1)
    half = math.sqrt(RADIUS**2 - AWAY**2 * (1 - 1 / slope**2))
    assert numbers["ended"] == "hit"
    assert numbers["hit_at"] == pytest.approx(AWAY / slope - half, abs=2e-4)
    assert numbers["thickness"] == pytest.approx(2 * half, abs=4e-4)
    assert math.dist(numbers["position"], (0, 0, 0)) == pytest.approx(RADIUS + numbers["distance"], abs=1e-6)
    assert np.nanmax(thickness(ball)) == pytest.approx(2 * RADIUS, rel=0.01)
    assert np.linalg.norm(ball.record.arrays["vertices"], axis=1) == pytest.approx(RADIUS, abs=1e-3)


def test_counts_add_up_at_every_step(ring: TraceViewer) -> None:
    before = math.inf
    for step in range(ring.steps):
        numbers = ring.at(step=step).numbers
        parts = [numbers[name] for name in ("marching", "hit", "missed", "out_of_steps")]
        assert sum(parts) == 40 * 40
        assert numbers["marching"] <= before
        before = numbers["marching"]
    assert before == 0
    assert numbers["hit"] == int((ring.record.arrays["status"] == Status.HIT).sum()) > 100


def test_states_are_new_viewers_and_are_checked(ball: TraceViewer) -> None:
    other = ball.at(pixel=[3, 4], step=0, map="depth")
    assert (other.state.pixel, ball.state.pixel != (3, 4), other.record is ball.record) == ((3, 4), True, True)
    for wrong in ({"pixel": (SIDE, 0)}, {"map": "colour"}, {"surface": "glass"}, {"step": ball.steps}):
        with pytest.raises(OptionError):
            ball.at(**wrong)


def test_a_step_or_a_pixel_moves_the_cursor_along_the_ray(ball: TraceViewer) -> None:
    hit = ball.at(pixel=(12, 12), step=0).at(step=ball.steps - 1)
    assert hit.state.cursor is not None
    assert math.hypot(*hit.state.cursor) == pytest.approx(RADIUS, abs=1e-3)
    assert hit.at(map="depth").state.cursor == hit.state.cursor
    assert hit.at(pixel=(0, 0)).state.cursor is None  # this ray never looks
    assert hit.at(step=0, cursor=(1.0, 2.0, 3.0)).state.cursor == (1.0, 2.0, 3.0)


def test_captions_say_what_happens() -> None:
    ball = viewers.view_trace(Sphere(RADIUS), camera=straight())
    start = ball.at(pixel=(12, 12), step=0)
    assert "step 0 of" in start.caption
    assert f"so the ray may move {viewers.look.length(start.numbers['radius'])}" in start.caption
    assert "the ray hits" in ball.at(pixel=(12, 12), step=ball.steps - 1).caption
    assert "never looks" in ball.at(pixel=(0, 0)).caption
    wide = viewers.view_trace(Sphere(RADIUS), camera=straight(), settings=TraceSettings(relaxation=1.6, blocks=()))
    assert "over-relaxed, it moves" in wide.at(pixel=(12, 12), step=0).caption
    few = viewers.view_trace(
        Sphere(RADIUS), camera=straight(), settings=TraceSettings(max_steps=2, blocks=(), relaxation=1.0)
    )
    assert "ran out of steps: allow more" in few.caption
    bent = viewers.view_trace(Bent(RADIUS), camera=straight())
    over = bent.record.arrays["overstep_ray"][0]
    step = int(bent.record.arrays["overstep_step"][0])
    shown = bent.at(pixel=(int(over) % SIDE, int(over) // SIDE), step=step)
    assert shown.numbers["overstepped"]
    assert "went through the surface, so the Lipschitz bound 0.6 is wrong" in shown.caption
    found = TraceSettings(bracketing=Bracketing(), max_steps=2, blocks=(), relaxation=1.0)
    assert "change of sign" in viewers.view_trace(Sphere(RADIUS), camera=straight(), settings=found).at(step=5).caption


def test_a_traced_picture_shows_its_own_camera() -> None:
    camera = look_at_head(yaw=0.5, pitch=-0.2, distance=0.7, target=(0.01, 0.02, 0.0), size=33)
    image = trace_camera(Sphere(RADIUS), camera, record=True)
    found = camera_of_rays(image)
    points = torch.rand(20, 3, generator=torch.Generator().manual_seed(1)) * 0.2 - 0.1
    torch.testing.assert_close(found.project(points.double()).float(), camera.project(points), atol=1e-3, rtol=0)
    viewer = viewers.view_trace(image)
    assert "back" not in viewer.record.arrays
    assert "thickness" not in viewer.maps
    assert any("relief" in note for note in viewer.record.facts["notes"])
    assert np.linalg.norm(viewer.record.arrays["vertices"], axis=1) == pytest.approx(RADIUS, abs=1e-3)


def test_maps_and_pictures_differ(ball: TraceViewer, tmp_path: Path) -> None:
    seen = {name: pixels(ball.at(map=name, step=1)).tobytes() for name in ball.maps}
    assert len(set(seen.values())) == len(ball.maps) == 7
    shades = pixels(ball.at(map="status"))
    assert (shades[..., 3] == 255).sum() == (ball.record.arrays["status"] != Status.MISSED).sum()
    for name, changes in {"first": {"step": 0}, "clear": {"surface": "clear", "map": "steps"}}.items():
        viewer = ball.at(**changes, cursor=(0.0, 0.0, RADIUS))
        assert viewer.to_png(tmp_path / f"{name}.png", dpi=50, dark=name == "clear").stat().st_size > 5000
    first, clear = (np.asarray(Image.open(tmp_path / f"{name}.png")) for name in ("first", "clear"))
    assert first.shape[1] == clear.shape[1] == 550


def test_files_open_as_they_were_left(ring: TraceViewer, tmp_path: Path) -> None:
    left = ring.at(step=4, pixel=(9, 20), map="depth", surface="clear")
    again = viewers.open_record(left.save(tmp_path / "ring.npz"))
    assert (again.state, again.caption, again.numbers, again.title) == (
        left.state,
        left.caption,
        left.numbers,
        left.title,
    )


def test_the_command_writes_a_record_that_opens_and_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["trace", "torus", "--size", "32", "-o", "ring.npz", "--html", "ring.html", "--json"]) == 0
    names = set(np.load("ring.npz").files)
    assert {"headviz", "origins", "directions", "t", "relaxation", "normals", "mask", "status", "vertices"} <= names
    viewer = viewers.open_record("ring.npz")
    assert viewer.title == "torus"
    assert viewer.caption.split(",")[0] == f"Pixel ({viewer.state.pixel[0]}"
    assert "origins" not in viewer.record.arrays  # the viewer does not carry to a page what it does not draw
    assert viewer.caption.split(";")[0] in Path("ring.html").read_text()


def test_what_a_page_cannot_hold_is_left_out_and_said(ball: TraceViewer, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = len(ball.record.arrays["index"])
    monkeypatch.setattr(trace_thin, "MOST_LOOKS", looks // 3)
    thin = TraceViewer(ball.record, ball.state)
    assert thin.record.facts["every"] == 2
    assert len(thin.record.arrays["index"]) <= looks // 3
    assert "every second row and column" in thin.record.facts["notes"][-1]
    whole = ball.at(step=2, pixel=(12, 10)).numbers
    assert thin.at(step=2, pixel=(13, 11)).numbers == whole
    monkeypatch.setattr(trace_thin, "MOST_LOOKS", looks)
    monkeypatch.setattr(trace_thin, "MOST_PIXELS", SIDE * SIDE // 3)
    small = TraceViewer(ball.record, TraceState())
    assert small.record.arrays["depth"].shape == (SIDE // 2, SIDE // 2)
    few, many = small.at(step=2, pixel=(6, 5)).numbers, whole
    for name in ("at", "distance", "looks"):
        assert few[name] == pytest.approx(many[name])
    np.testing.assert_allclose(few["position"], many["position"], atol=1e-9)
    assert "every second row and column of 24 × 24" in small.record.facts["notes"][-1]


def test_odd_inputs_are_shown_or_refused_with_words() -> None:
    empty = viewers.view_trace(preset("sphere") - preset("sphere").scale(2), size=16)
    assert "No ray hit anything" in empty.caption
    assert empty.draw is not None
    aside = look_at_head(target=(5.0, 0.0, 0.0), size=8)
    nothing = viewers.view_trace(Sphere(RADIUS), camera=aside)
    assert (nothing.steps, nothing.numbers["looks"]) == (1, 0)
    assert nothing.to_png is not None
    with pytest.raises(InputError, match="record=True"):
        viewers.view_trace(trace_camera(Sphere(RADIUS), straight()))
    with pytest.raises(BoundsError, match="finite box"):
        viewers.view_trace(parse_shape("plane()"))
    record = nothing.record
    broken = {**record.arrays, "depth": record.arrays["depth"][:3]}
    with pytest.raises(RecordError, match="pixels"):
        TraceViewer(Record("trace", record.facts, broken), TraceState())


def test_large_meshes_are_simplified() -> None:
    side = torch.arange(200)
    x, y = torch.meshgrid(side, side, indexing="ij")
    vertices = torch.stack([x, y, torch.zeros_like(x)], dim=-1).reshape(-1, 3).float().numpy()
    corner = (x * 200 + y)[:-1, :-1].reshape(-1)
    faces = torch.cat(
        [torch.stack([corner, corner + 200, corner + 1], 1), torch.stack([corner + 1, corner + 200, corner + 201], 1)]
    )
    points, kept = clustered(vertices, faces.numpy(), 4000)
    assert 1000 < len(kept) < 6000
    sides = points[kept][:, 1:] - points[kept][:, :1]
    assert np.abs(np.cross(sides[:, 0], sides[:, 1])[:, 2]).sum() / 2 == pytest.approx(199**2, rel=0.05)


# In a real browser.


@pytest.fixture
def opened(visit: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    def open_page(*shown: TraceViewer, **options: Any) -> Any:
        watch = visit(viewers.write_page(tmp_path / "page.html", shown).as_uri(), **options)
        watch.until(READY)
        return watch

    return open_page


def same(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        if value is None or isinstance(value, str | bool):
            assert found[name] == value, name
        else:
            np.testing.assert_allclose(found[name], value, rtol=1e-6, atol=1e-9, err_msg=name)


@pytest.mark.browser
def test_page_says_and_counts_the_same_as_python(opened: Callable[..., Any], ring: TraceViewer) -> None:
    bracketed = TraceSettings(bracketing=Bracketing(), max_steps=3, blocks=(), relaxation=1.0)
    others = [
        viewers.view_trace(Bent(RADIUS), camera=straight()),
        viewers.view_trace(Sphere(RADIUS), camera=straight(), settings=bracketed),
    ]
    watch = opened(ring, *others)
    script = """([k, states]) => states.map((state) => {
      const v = viewers[k]; v.set(state); v.flush(); return [v.caption, v.numbers, v.steps, v.state.cursor]; })"""
    checked = set()
    for which, viewer in enumerate((ring, *others)):
        height, width = viewer.record.arrays["depth"].shape
        random = np.random.default_rng(which)
        hits = np.argwhere(viewer.record.arrays["status"] == Status.HIT)
        chosen = [(int(c), int(r)) for r, c in random.choice(hits, 12)] + [(0, 0), (width // 2, height // 5)]
        states = [
            {"pixel": pixel, "step": int(random.integers(viewer.steps)), "show_back": bool(random.integers(2))}
            for pixel in chosen
        ]
        wanted, answers = viewer, watch.page.evaluate(script, [which, states])
        for state, (caption, numbers, steps, cursor) in zip(states, answers, strict=True):
            wanted = wanted.at(**state)
            assert caption == wanted.caption
            assert (cursor or ()) == pytest.approx(wanted.state.cursor or (), rel=1e-6, abs=1e-9)
            assert steps == viewer.steps
            same(numbers, wanted.numbers)
            checked.add(numbers["ended"])
    assert {"hit", "missed", None} <= checked


@pytest.mark.browser
def test_page_paints_the_maps_of_python(opened: Callable[..., Any], ring: TraceViewer) -> None:
    watch = opened(ring)
    script = """(chosen) => chosen.map(([map, step]) => { viewers[0].set({ map, step }); viewers[0].flush();
      return Array.from(window.maps.context.getImageData(0, 0, 40, 40).data); })"""
    # The painter is reached as a person's program could: through the plane's own painting.
    watch.page.evaluate("""() => { const plane = viewers[0].panels[0]; const image = plane.image;
      plane.image = function (source, ...rest) { window.maps = { context: source.getContext("2d") }; return image.call(this, source, ...rest); };
      plane.draw(); }""")
    chosen = [(name, step) for name in (*ring.maps, "known") for step in (0, 7, 2, ring.steps - 1)]
    for (name, step), found in zip(chosen, watch.page.evaluate(script, chosen), strict=True):
        painted = np.array(found).reshape(40, 40, 4)
        wanted = pixels(ring.at(map=name, step=step)).astype(int)
        np.testing.assert_array_equal(painted[..., 3], wanted[..., 3])
        assert np.abs(painted - wanted)[wanted[..., 3] > 0].max(initial=0) <= 6, (name, step)  # one entry of the scale


@pytest.mark.browser
def test_slider_keys_and_mouse_choose_step_and_pixel(opened: Callable[..., Any], ring: TraceViewer) -> None:
    watch = opened(ring)
    page = watch.page
    before = watch.pixels("viewers[0]")
    page.locator('input[data-name="step"]').focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    watch.until("viewers[0].state.step === 1")
    watch.until(
        "document.querySelector('section div').shadowRoot.querySelector('output').textContent.startsWith('step 1 /')"
    )
    assert np.abs(watch.pixels("viewers[0]") - before).max() > 50
    row, column = np.argwhere(ring.record.arrays["status"] == Status.HIT)[30].tolist()
    x, y = page.evaluate(f"viewers[0].panels[0].at({column + 0.5}, {-row - 0.5})")
    box = page.locator("canvas.plane").bounding_box()
    page.mouse.click(box["x"] + x, box["y"] + y)
    watch.until(f"viewers[0].state.pixel[0] === {column} && viewers[0].state.pixel[1] === {row}")
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("ArrowDown")
    watch.until(f"viewers[0].state.pixel[1] === {row + 1}")
    numbers, caption, cursor = page.evaluate(
        "viewers[0].flush(), [viewers[0].numbers, viewers[0].caption, viewers[0].state.cursor]"
    )
    shown = ring.at(step=1, pixel=(max(0, column - 10), row + 1))
    same(numbers, shown.numbers)
    assert caption == shown.caption == page.locator("figcaption").inner_text()
    assert cursor == numbers["position"]
    assert page.locator("tbody tr").count() == shown.numbers["looks"]


@pytest.mark.browser
def test_the_scene_shows_what_is_chosen(opened: Callable[..., Any], ball: TraceViewer) -> None:
    watch = opened(ball)
    handle = "({ screenshot: () => viewers[0].screenshot(1) })"
    solid = watch.pixels(handle)
    pictures = [solid]
    for changes in ("surface: 'none'", "surface: 'clear'", "step: 0", "show_back: false, step: 50"):
        watch.page.evaluate(f"viewers[0].set({{ {changes} }}), viewers[0].flush()")
        pictures.append(watch.pixels(handle))
    assert all(np.abs(one - other).max() > 40 for one, other in itertools.pairwise(pictures))
    watch.page.evaluate("viewers[0].set({ surface: 'solid' }), viewers[0].flush()")
    spot = watch.page.evaluate(f"viewers[0].panels[1].project([0, 0.3 * {RADIUS}, {RADIUS} * Math.sqrt(0.91)])")
    box = watch.page.locator("canvas.space").bounding_box()
    watch.page.mouse.click(box["x"] + spot[0], box["y"] + spot[1])
    seen = straight().project(torch.tensor([[0.0, 0.3 * RADIUS, RADIUS * math.sqrt(0.91)]]))[0].tolist()
    watch.until(
        f"Math.hypot(viewers[0].state.pixel[0] + 0.5 - {seen[0]}, viewers[0].state.pixel[1] + 0.5 - {seen[1]}) < 2"
    )


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_narrow_pages_fit_and_can_be_read(opened: Callable[..., Any], ring: TraceViewer, scheme: str) -> None:
    watch = opened(ring, width=360, height=740, color_scheme=scheme)
    assert watch.overflow() <= 0
    assert watch.low_contrast() == []
    watch.photograph(f"trace-{scheme}")


@pytest.mark.browser
def test_linked_viewers_mark_each_others_cursor(
    opened: Callable[..., Any], ball: TraceViewer, small_head: Mesh
) -> None:
    watch = opened(ball, viewers.view_mesh(small_head))
    watch.page.evaluate("viewers[0].set({ step: 1 })")
    watch.until("viewers[1].state.cursor !== null")
    assert watch.page.evaluate("viewers[1].state.cursor") == pytest.approx(ball.at(step=1).numbers["position"])
    before = watch.pixels("viewers[0]")
    watch.page.evaluate("viewers[1].set({ cursor: [0.05, 0.08, 0] })")
    watch.until("viewers[0].state.cursor[1] === 0.08")
    watch.page.evaluate("viewers[0].flush()")
    assert np.abs(watch.pixels("viewers[0]") - before).max() > 50
    assert watch.page.evaluate("viewers[0].state.step") == 1
