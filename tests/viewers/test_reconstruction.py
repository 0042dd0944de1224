"""The viewer of a reconstruction: its record, its states, its picture, and its page in a real browser."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from headviz.errors import InputError, MeshError, OptionError
from headviz.geometry.camera import look_at_head
from headviz.geometry.color import to_uint8
from headviz.geometry.expression import parse_shape
from headviz.geometry.mesh import Mesh, vertex_normals
from headviz.models.reconstruction import Reconstruction
from headviz.render.light import headlight
from headviz.render.shade import render
from headviz.viewers import open_record, view_reconstruction
from headviz.viewers.picture import picture_bytes
from headviz.viewers.reconstruction import ReconstructionViewer
from headviz.viewers.reconstruction_record import MARGIN, unjpeg
from headviz.viewers.slices import slice_field
from headviz.viewers.steps import SlicedField

RADIUS = 0.09  #: of the ball that is the head's field, metres
STAGES = ["photograph", "face", "landmarks", "fit", "texture", "head", "distance"]
browser_test = pytest.mark.browser
HANDLE = "window.viewers[0]"


@pytest.fixture(scope="module")
def made(small_head: Mesh) -> Reconstruction:
    """A small head, seen by a camera beside it, with all that a model can give."""
    head = replace(small_head, normals=vertex_normals(small_head.vertices, small_head.faces))
    camera = look_at_head(yaw=0.2, distance=0.8, focal=2.0, size=160)
    picture = render(Mesh(head.vertices, head.faces, normals=head.normals), camera, light=headlight()).picture
    generator = torch.Generator().manual_seed(1)
    seen = torch.nn.functional.normalize(torch.randn(40, 3, generator=generator), dim=1) * 0.05 + torch.tensor(
        [0, 0, 0.05]
    )
    spots = camera.project(seen)
    return Reconstruction(
        image=picture,
        camera=camera,
        mesh=head,
        expression={"mouthSmileLeft": 0.5, "jawOpen": 0.25},
        field=parse_shape(f"sphere({RADIUS})"),
        maps={"confidence": torch.linspace(0, 1, 64 * 64).reshape(64, 64)},
        features={
            "landmarks": torch.cat([spots, torch.zeros(40, 1)], dim=1),
            "landmarks_fitted": spots + 0.5,
            "influence": torch.linspace(0, 1, 40),
            "average": head.vertices * 1.05,
        },
        timings={"detect": 0.25, "fit": 0.5, "texture": 1.0},
        model="small",
        report={"landmark_error_pixels": 0.707, "outlying_landmarks": 10, "seen_fraction_of_skin": 0.25},
    )


@pytest.fixture(scope="module")
def viewer(made: Reconstruction) -> ReconstructionViewer:
    """Its viewer."""
    return view_reconstruction(made, size=160, title="A small head")


def test_record_holds_what_the_model_gave(viewer: ReconstructionViewer, made: Reconstruction) -> None:
    arrays, facts = viewer.record.arrays, viewer.record.facts
    assert [stage["name"] for stage in viewer.stages] == STAGES
    assert viewer.steps == len(STAGES)
    np.testing.assert_array_equal(arrays["vertices"], made.mesh.vertices)
    np.testing.assert_array_equal(
        arrays["vertices"][arrays["source"]][arrays["faces"]], made.mesh.vertices[made.mesh.faces]
    )
    np.testing.assert_allclose(arrays["landmarks"], made.features["landmarks"][:, :2], atol=1e-5)
    assert arrays["outlying"].sum() == 10
    picture = to_uint8(made.image)
    off = unjpeg(arrays["photograph"]).astype(float) - picture
    assert np.sqrt((off**2).mean()) <= facts["pictures"]["rms_error"] + 1e-6
    assert facts["timings"] == [["detect", 0.25], ["fit", 0.5], ["texture", 1.0]]


def test_overlay_is_the_head_over_the_same_photograph(viewer: ReconstructionViewer, made: Reconstruction) -> None:
    left, top, right, bottom = viewer.record.facts["window"]
    window, overlay = (unjpeg(viewer.record.arrays[name]).astype(int) for name in ("window", "overlay"))
    corner = overlay[:20, :20]
    assert abs(corner - window[:20, :20]).max() <= 8, "beside the head there is the photograph"
    u, v = made.camera.project(made.posed.vertices.mean(0)).tolist()
    place = [int((v - top) / (bottom - top) * 160), int((u - left) / (right - left) * 160)]
    assert overlay[place[0], place[1]][0] > overlay[place[0], place[1]][2] + 20, "skin where the camera sees the head"


def test_distance_is_that_of_the_field(viewer: ReconstructionViewer) -> None:
    facts = viewer.record.facts["field"]
    points = np.random.default_rng(0).uniform(-0.1, 0.1, (200, 3))
    found = [viewer.at(cursor=tuple(point)).distance() for point in points.tolist()]
    truth = np.linalg.norm(points, axis=1) - RADIUS
    assert abs(np.array(found) - truth).max() <= 1.5 * facts["error_greatest"] + facts["rounding"]
    assert 0 < facts["error_mean"] < facts["error_greatest"] < facts["spacing"][0]
    assert viewer.at(cursor=(1.0, 0.0, 0.0)).distance() is None
    reach = RADIUS * (1 + 2 * MARGIN)
    np.testing.assert_allclose([c.max() for c in viewer.grid.bounds.abs()], [reach, reach], rtol=0.05)


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_slice_follows_axis_and_position(viewer: ReconstructionViewer, axis: str) -> None:
    chosen = viewer.at(axis=axis, position=0.05)
    least = float(chosen.slice().min())
    assert least == pytest.approx(0.05 - RADIUS, abs=0.002), "on a ball the least distance of a plane is |d| − r"
    assert chosen.numbers["slice"]["least"] == least
    assert viewer.at(axis=axis, position=9.0).choice.position == pytest.approx(
        float(viewer.grid.bounds[1, "xyz".index(axis)])
    )


def test_cursor_takes_the_slice_with_it(viewer: ReconstructionViewer) -> None:
    assert viewer.at(cursor=(0.01, 0.02, 0.03)).choice.position == 0.01
    assert viewer.at(cursor=(0.01, 0.02, 0.03), follow=False).choice.position == 0.0
    assert viewer.at(cursor=(0.01, 0.02, 0.03)).at(axis="y").choice.position == 0.02
    assert viewer.at(cursor=(0.01, 0.02, 0.03), position=0.04).choice.position == 0.04
    assert viewer.choice.position == 0.0, "a state never changes"


def test_expression_moves_vertices_as_the_morphs_say(viewer: ReconstructionViewer, made: Reconstruction) -> None:
    step = viewer.record.facts["morph_step"]
    seen = (made.posed.vertices - made.mesh.vertices).norm(dim=1).max()
    assert viewer.moved() == pytest.approx(float(seen), abs=2 * step)
    assert viewer.strongest() == ("mouthSmileLeft", 0.5)
    assert "mouth smile left 0.5" in viewer.at(step=5).caption
    neutral = viewer.at(step=5, expression=(0.0, 0.0, 0.0))
    assert neutral.moved() == 0
    assert neutral.strongest() is None
    assert neutral.caption.endswith("all expressions are at 0.")
    jaw = viewer.at(expression=(1.0, 0.0, 0.0))
    assert jaw.moved() == pytest.approx(float(made.mesh.morphs["jawOpen"].norm(dim=1).max()), abs=2 * step)


def test_captions_have_their_numbers(viewer: ReconstructionViewer) -> None:
    said = [viewer.at(step=step).caption for step in range(viewer.steps)]
    numbers = ["160 × 160", "pixels", "40 landmarks", "0.707 pixels", "25 %", "vertices", "runs from"]
    assert all(number in words for number, words in zip(numbers, said, strict=True))
    assert all(words.endswith(".") and words.count(". ") == 0 for words in said)
    place = viewer.at(step=6, cursor=(0.0, 0.0, 0.05))
    assert "at the cursor (0, 0, 0.05) m it is −0.04 m, inside" in place.caption.replace("−0.0399", "−0.04")


def test_what_a_model_lacks_is_left_out(made: Reconstruction) -> None:
    bare = Reconstruction(made.image, made.camera, Mesh(made.mesh.vertices, made.mesh.faces))
    viewer = view_reconstruction(bare, size=64)
    assert [stage["name"] for stage in viewer.stages] == ["photograph", "fit", "head"]
    assert viewer.numbers["slice"] is None
    assert viewer.numbers["distance"] is None
    assert all(picture_bytes(viewer.at(step=step), dpi=40)[:4] == b"\x89PNG" for step in (1, 2))


def test_sliced_field_is_the_field_on_its_plane() -> None:
    field = parse_shape(f"sphere({RADIUS})")
    cut = slice_field(field, plane=("x", 0.0), samples=64)
    sliced = SlicedField(field, cut)
    points = torch.rand(300, 3, generator=torch.Generator().manual_seed(0)) * 0.16 - 0.08
    on_plane = points * torch.tensor([0.0, 1.0, 1.0])
    assert float((sliced(on_plane) - field(on_plane)).abs().max()) <= cut.error * 1.5
    assert torch.equal(sliced(points), sliced(on_plane)), "along the axis it stays the same"
    assert torch.equal(sliced.bounds, field.bounds.double())


def test_refusals(made: Reconstruction, viewer: ReconstructionViewer) -> None:
    broken = made.mesh.vertices.clone()
    broken[3, 1] = torch.nan
    with pytest.raises(MeshError, match=r"1 of \d+ vertices are NaN"):
        view_reconstruction(replace(made, mesh=Mesh(broken, made.mesh.faces)))
    with pytest.raises(InputError, match="photograph"):
        view_reconstruction(replace(made, image=made.image * torch.nan))
    with pytest.raises(OptionError, match="16 to 4096"):
        view_reconstruction(made, size=0)
    wrong = [{"axis": "w"}, {"surface": "gold"}, {"opacity": 2.0}, {"expression": (1.0,)}, {"map": "city"}, {"step": 7}]
    for change in [*wrong, {"position": float("nan")}]:
        with pytest.raises(OptionError):
            viewer.at(**change)


def test_pictures_differ_from_stage_to_stage(viewer: ReconstructionViewer) -> None:
    drawn = [picture_bytes(viewer.at(step=step), dpi=40) for step in (0, 2, 3, 5, 6)]
    assert len(set(drawn)) == 5
    picture = Image.open(io.BytesIO(drawn[0]))
    assert (picture.width, picture.height > 150) == (480, True)


def test_opens_as_it_was_left(viewer: ReconstructionViewer, tmp_path: Path) -> None:
    chosen = viewer.at(step=6, axis="z", position=0.02, expression=(0.1, 0.2, 0.3), opacity=0.5)
    again = open_record(chosen.save(tmp_path / "head.npz"))
    assert again.state == chosen.state
    assert again.title == "A small head"
    assert again.caption == chosen.caption
    assert again.numbers == chosen.numbers


STATES: list[dict[str, Any]] = [
    {"step": 0},
    {"step": 3, "opacity": 0.3},
    {"step": 5, "expression": [0.2, 0.9, 0.1]},
    {"step": 6, "axis": "y", "position": 0.0123},
    {"step": 6, "axis": "z", "cursor": [0.011, -0.02, 0.037]},
    {"step": 6, "cursor": [0.5, 0.0, 0.0]},
]


@pytest.fixture(scope="module")
def page_file(viewer: ReconstructionViewer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page on disk."""
    return viewer.to_html(tmp_path_factory.mktemp("page") / "head.html")


@pytest.fixture
def shown(page_file: Path, visit: Callable[..., Any]) -> Callable[..., Any]:
    """Open the page and wait for the viewer."""

    def show(**options: Any) -> Any:
        watch = visit(page_file.as_uri(), **{"width": 1200, "height": 900, "reduced_motion": "reduce", **options})
        watch.until("window.viewersReady === true")
        return watch

    return show


def same(one: Any, other: Any) -> bool:
    """Whether plain values agree, numbers to a millionth."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, int | float):
        return one == pytest.approx(other, rel=1e-6, abs=1e-12)
    return one == other


@browser_test
def test_page_says_what_python_says(shown: Callable[..., Any], viewer: ReconstructionViewer) -> None:
    watch = shown()
    for state in STATES:
        watch.page.evaluate(f"(state) => {{ {HANDLE}.set(state); {HANDLE}.flush(); }}", state)
        viewer = viewer.at(**state)
        assert watch.page.evaluate(f"{HANDLE}.caption") == viewer.caption
        assert watch.page.locator("figcaption").inner_text() == viewer.caption
        numbers = watch.page.evaluate(f"{HANDLE}.numbers")
        assert same(viewer.numbers, numbers), (viewer.numbers, numbers)
        assert watch.page.evaluate(f"{HANDLE}.state.position") == viewer.choice.position


@browser_test
def test_stages_by_keyboard_and_strip(shown: Callable[..., Any]) -> None:
    watch = shown()
    first = panel(watch, 1)
    watch.page.locator("input[data-name=step]").focus()
    for _ in range(3):
        watch.page.keyboard.press("ArrowRight")
    watch.until(f"{HANDLE}.state.step === 3")
    watch.page.evaluate(f"{HANDLE}.flush()")
    assert watch.page.locator(".stages button[aria-current=step]").inner_text().endswith("Fitted head")
    assert (abs(panel(watch, 1) - first).sum(-1) > 30).mean() > 0.02, "the head should be drawn over the photograph"
    watch.page.get_by_role("button", name="6 Signed distance").click()
    watch.until(f"{HANDLE}.state.step === 6")


def panel(watch: Any, number: int) -> np.ndarray:
    """What a panel shows: 1 the photograph, 2 the head, 3 the slice."""
    return watch.pixels(f"({{ screenshot: () => {HANDLE}.screenshot({number}) }})")


@browser_test
def test_click_on_the_photograph_finds_the_place_on_the_head(shown: Callable[..., Any], made: Reconstruction) -> None:
    watch = shown()
    watch.page.evaluate(f"{HANDLE}.set({{ step: 5 }}); {HANDLE}.flush()")
    nose = made.posed.vertices[made.posed.vertices[:, 2].argmax()]
    spot = made.camera.project(nose).tolist()
    x, y = watch.page.evaluate(f"(spot) => {HANDLE}.panels[1].at(...spot)", spot)
    box = watch.page.locator("canvas.plane").first.bounding_box()
    watch.page.mouse.click(box["x"] + x, box["y"] + y)
    cursor = watch.until(f"{HANDLE}.state.cursor")
    np.testing.assert_allclose(cursor, nose, atol=0.004)
    watch.page.evaluate(f"{HANDLE}.flush()")
    ring = panel(watch, 1)
    scale = ring.shape[1] / box["width"]
    near = ring[int((y - 12) * scale) : int((y + 12) * scale), int((x - 12) * scale) : int((x + 12) * scale)]
    assert ((near[..., 0] > 180) & (near[..., 2] < 60)).sum() > 20, "the cursor should be where the click was"


@browser_test
def test_click_on_the_slice_tells_the_distance(shown: Callable[..., Any], viewer: ReconstructionViewer) -> None:
    watch = shown()
    watch.page.evaluate(f"{HANDLE}.set({{ step: 6 }}); {HANDLE}.flush()")
    x, y = watch.page.evaluate(f"{HANDLE}.panels[3].at(0.03, 0.04)")
    box = watch.page.locator("canvas.plane").nth(1).bounding_box()
    watch.page.mouse.click(box["x"] + x, box["y"] + y)
    cursor = watch.until(f"{HANDLE}.state.cursor")
    np.testing.assert_allclose(cursor, [0.0, 0.04, 0.03], atol=0.001)
    assert watch.page.evaluate(f"{HANDLE}.numbers.distance") == pytest.approx(0.05 - RADIUS, abs=0.003)
    assert watch.page.evaluate(f"{HANDLE}.caption") == viewer.at(step=6, cursor=tuple(cursor)).caption


@browser_test
def test_sliders_of_expressions_and_the_cut(shown: Callable[..., Any]) -> None:
    watch = shown()
    watch.page.evaluate(f"{HANDLE}.set({{ step: 5 }}); {HANDLE}.flush()")
    before = panel(watch, 2)
    watch.page.locator("summary", has_text="Jaw").click()
    watch.page.get_by_label("Jaw: Open").focus()
    watch.page.keyboard.press("End")
    watch.until(f"{HANDLE}.state.expression?.[0] === 1")
    watch.page.evaluate(f"{HANDLE}.flush()")
    moved = panel(watch, 2)
    assert (abs(moved - before).sum(-1) > 30).mean() > 0.003
    watch.page.get_by_role("button", name="As in the photograph").click()
    watch.until(f"{HANDLE}.state.expression === null")
    watch.page.evaluate(f"{HANDLE}.set({{ step: 6 }}); {HANDLE}.flush()")
    cut = panel(watch, 2)
    assert (abs(cut - before).sum(-1) > 60).mean() > 0.05, "one half of the head should give way to the slice"
    watch.photograph("reconstruction-cut")


@browser_test
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_narrow_and_readable(shown: Callable[..., Any], scheme: str) -> None:
    watch = shown(width=360, height=740, color_scheme=scheme, has_touch=True, is_mobile=True)
    for step in (0, 3, 6):
        watch.page.evaluate(f"{HANDLE}.set({{ step: {step}, map: 'confidence' }}); {HANDLE}.flush()")
        assert watch.overflow() <= 0
        assert watch.low_contrast() == []
    watch.photograph(f"reconstruction-360-{scheme}")


@browser_test
def test_a_head_without_anything_but_a_mesh(made: Reconstruction, visit: Callable[..., Any], tmp_path: Path) -> None:
    bare = Reconstruction(made.image, made.camera, Mesh(made.mesh.vertices, made.mesh.faces))
    viewer = view_reconstruction(bare, size=64)
    watch = visit(viewer.to_html(tmp_path / "bare.html").as_uri())
    watch.until("window.viewersReady === true")
    for step in range(3):
        watch.page.evaluate(f"{HANDLE}.set({{ step: {step} }}); {HANDLE}.flush()")
        assert watch.page.evaluate(f"{HANDLE}.caption") == viewer.at(step=step).caption
        assert not watch.page.locator(".failure").is_visible()
    skin = panel(watch, 2)
    assert ((skin[..., 0] > skin[..., 2] + 25).mean()) > 0.05
