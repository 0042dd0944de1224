"""A rendering as a viewer: what it shows is what the renderer says, on the page as in Python."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from headviz import viewers
from headviz.cli import main
from headviz.errors import CameraError, MeshError, OptionError, RecordError
from headviz.geometry.camera import look_at_head
from headviz.geometry.mesh import Mesh, face_normals, vertex_normals
from headviz.heads.model import load_head
from headviz.render.explain import gradient_image
from headviz.render.light import Ambient, Lighting, Point
from headviz.render.shade import render
from headviz.viewers import rendering_record
from headviz.viewers.look import number
from headviz.viewers.record import Record
from headviz.viewers.rendering import LIGHT, RenderingState, RenderingViewer
from headviz.viewers.rendering_picture import pixels

from .rendering_cases import CAMERA, SIDE, SOFT, some_pixels, triangle

MOST_BYTES = 2_500_000


@pytest.fixture(scope="module")
def ball(small_head: Mesh) -> RenderingViewer:
    """A ball with a nose, small enough to be looked at everywhere."""
    return viewers.view_rendering(small_head, CAMERA, light=LIGHT, soft=SOFT, title="A ball")


@pytest.fixture(scope="module")
def head() -> RenderingViewer:
    """The packaged head by default."""
    return viewers.view_rendering(load_head().mesh(morphs=False), title="A head")


def test_numbers_are_those_of_the_renderer(ball: RenderingViewer, small_head: Mesh) -> None:
    made = render(small_head, CAMERA, light=LIGHT, soft=SOFT, record=True)
    assert made.record is not None
    assert made.face is not None
    for column, row in some_pixels(ball, 25):
        numbers = ball.at(step=ball.stages.index("soft_mask"), beside=(column, row)).numbers
        assert numbers["pixel"] == [column, row]
        face = int(made.face[row, column])
        assert (numbers["face"], numbers["covered"]) == (face if face >= 0 else None, face >= 0)
        assert numbers["faces_met"] == int(made.record.layers[row, column])
        wanted = {"weights": made.fragments.barycentric, "depth": made.depth, "normal": made.normals, "uv": made.uv,
                  "color": made.record.colors, "light": made.record.irradiance,
                  "highlight": made.record.highlights, "position": made.points}  # fmt: skip
        for name, values in wanted.items():
            assert values is not None
            if face >= 0:
                np.testing.assert_allclose(numbers[name], values[row, column], rtol=1e-5, atol=1e-6, err_msg=name)
            else:
                assert numbers[name] is None, name
        np.testing.assert_array_equal(np.float32(numbers["picture"]), made.picture[row, column])
        assert made.soft_mask is not None
        assert numbers["soft_mask"] == float(made.soft_mask[row, column])
        found = made.record.contributions(row, column)
        assert numbers["contributing"] == len(found.face)
        if len(found.face):
            strongest = (found.face[0], found.distance[0], found.probability[0])
            names = ("strongest_face", "strongest_distance", "strongest_probability")
            assert tuple(numbers[name] for name in names) == tuple(value.item() for value in strongest)


def test_gradients_are_those_of_the_renderer(ball: RenderingViewer, small_head: Mesh) -> None:
    last = ball.at(step=ball.steps - 1)
    seen = 0
    for row in ball.record.facts["vertices"]:
        image = gradient_image(small_head, CAMERA, row["index"], light=LIGHT, soft=SOFT)
        for axis, of in ((0, "picture"), (1, "picture"), (1, "soft mask"), (2, "soft mask")):
            values = image.picture[..., axis] if of == "picture" else image.soft_mask[..., axis][..., None]
            moved = values.any(-1)
            shown = last.at(vertex=row["name"], axis="xyz"[axis], of=of)
            assert shown.numbers["changed"] == int(moved.sum())
            pixel, code = shown.changed()
            np.testing.assert_array_equal(pixel, moved.reshape(-1).nonzero()[:, 0])
            mean = values.mean(-1).reshape(-1)[pixel]
            assert ((code > 127.5) == (mean.numpy() > 0))[np.abs(code - 127.5) > 1].all()
            for where in moved.nonzero()[::9].tolist():
                here = shown.at(**{"pixel" if of == "picture" else "beside": where[::-1]})
                np.testing.assert_allclose(here.numbers["change"], 1e-3 * values[where[0], where[1]], rtol=1e-5)
                seen += 1
    assert seen > 20


def test_a_triangle_is_known_in_closed_form() -> None:
    viewer = triangle(light=None)
    numbers = viewer.at(pixel=(12, 12)).numbers
    x = 0.5 / 80  # of the pixel's centre, metres
    up = (0.1 - x) / 0.2  # from the lower side to the top
    assert numbers["weights"] == pytest.approx([(1 - up) / 2 - x / 0.2, (1 - up) / 2 + x / 0.2, up], abs=1e-5)
    assert numbers["color"] == pytest.approx(numbers["weights"], abs=1e-6)
    assert (numbers["depth"], numbers["normal"]) == (pytest.approx(0.9), pytest.approx([0, 0, 1]))
    assert numbers["position"] == pytest.approx([x, -x, 0], abs=1e-6)
    assert (numbers["light"], numbers["highlight"], numbers["uv"]) == (None, None, None)
    assert "highlights" not in viewer.stages
    below = viewer.at(step=viewer.stages.index("soft_mask"), beside=(12, 21)).numbers
    strength = math.exp(-(1.5**2) / (0.01 * 12**2))
    assert (below["contributing"], below["strongest_face"]) == (1, 0)
    assert below["strongest_distance"] == pytest.approx(1.5, abs=1e-5)
    assert below["soft_mask"] == pytest.approx(strength, abs=1e-5)
    moved = viewer.at(step=viewer.steps - 1, of="soft mask", vertex="left", axis="y", beside=(12, 21)).numbers
    share = 1 - (0.1 + x) / 0.2  # of the corner's rise, at this column
    assert moved["change"] == pytest.approx([strength * -2 * 1.5 / 1.44 * 80 * share * 1e-3], rel=1e-3)


def test_captions_carry_the_numbers_of_the_pixel() -> None:
    viewer = triangle(light=Lighting((Ambient(torch.full((3,), 0.5)),), gloss=0.1))
    said = {
        name: viewer.at(step=step, pixel=(12, 12), beside=(12, 21)).caption for step, name in enumerate(viewer.stages)
    }
    assert said["faces"].startswith("Pixel (12, 12) sees face 0, the only one that its ray meets; 1 of 1 face is seen")
    assert "the vertices 0, 1 and 2, weigh 0.234, 0.297 and 0.469" in said["weights"]
    assert "at depth 0.9 m" in said["depth"]
    assert "the normal (0, 0, 1)" in said["normals"]
    assert "the colour (0.234, 0.297, 0.469) of the vertices, in linear red, green and blue" in said["color"]
    assert "light of 0.5 from 1 source;" in said["light"]
    assert "a highlight of 0, of at most 0 in the picture" in said["highlights"]
    assert "colour (0.234, 0.297, 0.469) × light 0.5 + highlight 0 = (0.117, 0.148, 0.234)" in said["picture"]
    soft = viewer.stages.index("soft_mask")
    one = number(viewer.at(step=soft, beside=(12, 21)).numbers["strongest_probability"])
    assert (
        said["soft_mask"]
        == f"Pixel (12, 21) is not covered: its only face within 3.64 pixels, face 0, 1.5 pixels away, has A = {one}, which is its mask."
    )
    assert said["gradient"].startswith("Moving vertex 0 (left) along +z changes pixel (12, 12) by ")
    assert " of 576 pixels change." in said["gradient"]
    away = {name: viewer.at(step=step, pixel=(0, 0), beside=(0, 0)).caption for step, name in enumerate(viewer.stages)}
    assert "sees no face: its ray meets none of 1 face;" in away["faces"]
    assert away["depth"] == "Pixel (0, 0) sees no face: its ray meets none of 1 face."
    assert "shows the background, (0.922, 0.913, 0.888)" in away["picture"]
    assert "no face is within 3.64 pixels: its mask is 0" in away["soft_mask"]
    assert "does not change pixel (0, 0);" in away["gradient"]
    assert "is covered, so its mask is 1" in viewer.at(step=soft, beside=(12, 12)).caption
    plain = triangle(light=None)
    assert (
        "without light: (0.234, 0.297, 0.469)" in plain.at(step=plain.stages.index("picture"), pixel=(12, 12)).caption
    )


def test_a_vertex_behind_the_camera_changes_nothing() -> None:
    corners = torch.tensor([[-0.1, -0.1, 0.0], [0.1, -0.1, 0.0], [0.0, 0.1, 0.0]])
    corners = torch.cat([corners, corners + torch.tensor([0.0, 0.0, 2.0])])
    mesh = Mesh(corners, torch.tensor([[0, 1, 2], [3, 4, 5]]))
    viewer = viewers.view_rendering(mesh, look_at_head(distance=0.9, size=24), vertices={"far": 5, "top": 2})
    assert [row["spot"] is None for row in viewer.record.facts["vertices"]] == [True, False]
    last = viewer.at(step=viewer.steps - 1)
    assert last.caption.startswith("Moving vertex 5 (far) along +z does not change pixel ")
    assert pixels(last).shape == (24, 24, 4)


def test_many_faces_make_a_mask_together(head: RenderingViewer) -> None:
    shown = head.at(step=head.stages.index("soft_mask"))
    numbers, arrays = shown.numbers, head.record.arrays
    assert numbers["contributing"] > 3
    left = float(np.prod(1 - arrays["pair_probability"][shown.pairs].astype(np.float64)))
    assert numbers["soft_mask"] == pytest.approx(1 - left, abs=1e-5)
    assert f"{numbers['contributing']} faces within 3.26 pixels make its mask 1 − Π(1 − A) = " in shown.caption
    assert (np.diff(arrays["pair_probability"][shown.pairs]) <= 0).all()


def test_all_faces_count_and_the_strongest_are_kept(
    ball: RenderingViewer, small_head: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendering_record, "MOST_PAIRS", 2)
    few = viewers.view_rendering(small_head, CAMERA, light=LIGHT, soft=SOFT)
    assert few.record.facts["notes"] == ["All faces count in the soft mask; the 2 strongest of each pixel are drawn."]
    assert len(few.record.arrays["pair_face"]) < len(ball.record.arrays["pair_face"])
    step = ball.stages.index("soft_mask")
    for beside in some_pixels(ball, 10):
        one, other = few.at(step=step, beside=beside), ball.at(step=step, beside=beside)
        assert one.numbers == other.numbers
        assert one.pairs.stop - one.pairs.start == min(2, other.numbers["contributing"])


def test_stages_are_those_that_there_are(small_head: Mesh) -> None:
    every = ["faces", "weights", "depth", "normals", "uv", "color", "light", "highlights", "picture", "soft_mask", "gradient"]  # fmt: skip
    assert viewers.view_rendering(small_head, CAMERA).stages == every
    bare = Mesh(small_head.vertices, small_head.faces)
    few = viewers.view_rendering(bare, CAMERA, light=None, soft=None, vertices={})
    assert few.stages == ["faces", "weights", "depth", "normals", "color", "picture"]
    assert (few.of, few.vertex, few.numbers["change"], few.chosen.beside) == (
        ("picture",),
        None,
        None,
        few.chosen.pixel,
    )
    dull = Lighting((Point(torch.tensor([0.0, 0.3, 0.5]), torch.ones(3)),))
    assert viewers.view_rendering(bare, CAMERA, light=dull, soft=None).stages == [
        *few.stages[:5],
        "light",
        "picture",
        "gradient",
    ]


def test_states_are_new_viewers_and_are_checked(ball: RenderingViewer) -> None:
    other = ball.at(pixel=[3, 4], step=2, axis="x")
    assert (other.chosen.pixel, other.chosen.axis, other.record is ball.record) == ((3, 4), "x", True)
    assert ball.chosen.axis == "z"
    for wrong in (
        {"pixel": (SIDE, 0)},
        {"beside": (0, -1)},
        {"vertex": "ear"},
        {"axis": "w"},
        {"of": "depth"},
        {"step": 99},
    ):
        with pytest.raises(OptionError):
            ball.at(**wrong)
    assert ball.at(vertex="").vertex == ball.vertices[0]


def test_a_pixel_moves_the_cursor_and_a_vertex_the_pixel(head: RenderingViewer) -> None:
    assert head.state.cursor == pytest.approx(head.numbers["position"])
    nose = head.record.facts["vertices"][0]
    assert math.dist(head.numbers["position"], load_head().mean[nose["index"]]) < 0.005
    last = head.at(step=head.steps - 1)
    assert (last.numbers["vertex"], last.pixel) == ("nose tip", tuple(nose["pixel"]))
    for vertex in head.record.facts["vertices"]:
        shown = last.at(vertex=vertex["name"])
        assert shown.pixel == tuple(vertex["pixel"])
        assert shown.numbers["change"] is not None
        assert shown.state.cursor == pytest.approx(shown.numbers["position"])
        assert last.at(vertex=vertex["name"], pixel=(90, 90)).pixel == (90, 90)
    outline = last.at(vertex="on the outline", of="soft mask")
    assert outline.numbers["change"] is not None
    assert (outline.state.cursor, outline.at(cursor=(0.0, 0.1, 0.0)).state.cursor) == (None, (0.0, 0.1, 0.0))


def test_vertices_are_named_for_heads_and_chosen_for_other_meshes(head: RenderingViewer, ball: RenderingViewer) -> None:
    mean = load_head().mean
    found = {row["name"]: mean[row["index"]] for row in head.record.facts["vertices"]}
    assert list(found) == ["nose tip", "chin", "left cheek", "left ear rim", "crown", "on the outline"]
    assert float(found["nose tip"][2]) > float(mean[:, 2].max()) - 0.002
    assert float(found["crown"][1]) == float(mean[:, 1].max())
    assert float(found["left ear rim"][0]) == float(mean[:, 0].max())
    assert 0.02 < float(found["left cheek"][0]) < 0.06
    assert float(found["chin"][1]) < float(found["nose tip"][1]) - 0.03
    behind = viewers.view_rendering(load_head().mesh(morphs=False), look_at_head(yaw=math.pi, size=64))
    assert "nose tip" not in behind.vertices
    assert {"nearest to the camera", "highest", "lowest", "on the outline"} <= set(ball.vertices)
    assert len({row["index"] for row in ball.record.facts["vertices"]}) == len(ball.vertices)


def test_faces_beside_a_pixel_are_those_that_can_be_seen(ball: RenderingViewer, small_head: Mesh) -> None:
    visible = ball.record.arrays["visible"]
    assert visible[np.unique(ball.record.arrays["face"][ball.record.arrays["face"] >= 0])].all()
    middle = small_head.vertices[small_head.faces].mean(1)
    toward = torch.nn.functional.normalize(CAMERA.position - middle, dim=1)
    facing = (torch.nn.functional.normalize(face_normals(small_head.vertices, small_head.faces), dim=1) * toward).sum(1)
    assert not visible[(facing < -0.05).numpy()].any()
    assert visible[(facing > 0.5).numpy()].mean() > 0.95


def test_maps_and_pictures_differ(ball: RenderingViewer, tmp_path: Path) -> None:
    seen = {name: pixels(ball.at(step=step)).tobytes() for step, name in enumerate(ball.stages)}
    assert len(set(seen.values())) == len(ball.stages) == 11
    last = ball.at(step=10, vertex="farthest left")
    assert len({pixels(last.at(axis=axis, of=of)).tobytes() for axis in "xyz" for of in ball.of}) == 6
    covered = ball.record.arrays["face"] >= 0
    np.testing.assert_array_equal(pixels(ball)[..., 3] == 255, covered)
    for step in (1, 9, 10):
        picture = ball.at(step=step, cursor=(0.0, 0.0, 0.1)).to_png(tmp_path / f"{step}.png", dpi=40, dark=step == 9)
        with Image.open(picture) as drawn:
            assert drawn.size[0] == 440


def test_motion_shows_all_stages_with_room_for_the_longest_caption(ball: RenderingViewer, tmp_path: Path) -> None:
    with Image.open(ball.to_gif(tmp_path / "ball.gif", dpi=30)) as film:
        frames, (width, height) = film.n_frames, film.size
    assert (frames, width) == (11, 330)
    heights = []
    for step in range(11):
        with Image.open(ball.at(step=step).to_png(tmp_path / "one.png", dpi=30)) as picture:
            heights.append(picture.height)
    assert len(set(heights)) > 1
    assert height == max(heights) - max(heights) % 2


def test_files_open_as_they_were_left(ball: RenderingViewer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    left = ball.at(step=10, pixel=(20, 22), vertex=ball.vertices[1], axis="y", of="soft mask")
    again = viewers.open_record(left.save("ball.npz"))
    assert (again.state, again.caption, again.numbers, again.title) == (
        left.state,
        left.caption,
        left.numbers,
        left.title,
    )
    assert main(["view", "ball.npz", "--html", "ball.html", "--step", "3"]) == 0
    assert ball.at(step=3, pixel=(20, 22)).caption.replace("'", "&#x27;") in Path("ball.html").read_text()


def test_a_page_of_a_head_stays_small(head: RenderingViewer, tmp_path: Path) -> None:
    assert head.to_html(tmp_path / "head.html").stat().st_size < MOST_BYTES
    with pytest.raises(
        OptionError, match=r"at most 262,144 pixels; the camera's picture has 600 × 600: make it smaller"
    ):
        viewers.view_rendering(load_head().mesh(morphs=False), look_at_head(size=600))


def test_odd_inputs_are_shown_or_refused_with_words(small_head: Mesh, ball: RenderingViewer) -> None:
    with pytest.raises(OptionError, match="vertex should be in 0 to"):
        viewers.view_rendering(small_head, CAMERA, vertices={"no": 10**6})
    broken = small_head.vertices.clone()
    broken[7, 1] = math.nan
    for vertices, came in ((broken, "1 of 1,200 are NaN"), (torch.zeros(0, 3), "it has none")):
        with pytest.raises(MeshError, match=came):
            viewers.view_rendering(Mesh(vertices, small_head.faces[: len(vertices)]))
    with pytest.raises(CameraError, match="should see the mesh; none of its 2,304 faces covers"):
        viewers.view_rendering(small_head, look_at_head(target=(5.0, 0.0, 0.0), size=16))
    double = replace(small_head, vertices=small_head.vertices.double(), uv=None, texture=None, morphs={})
    normals = vertex_normals(double.vertices, double.faces)
    exact = viewers.view_rendering(replace(double, normals=normals), background=torch.zeros(3, dtype=torch.float64))
    assert exact.numbers["covered"]
    assert exact.at(step=exact.stages.index("picture"), pixel=(0, 0)).numbers["picture"] == [0, 0, 0]
    arrays = ball.record.arrays
    unfit = {"depth": arrays["depth"][:3], "pair_first": arrays["pair_first"][:-1], "map.light": arrays["map.light"][..., :3],
              "change_pixel": arrays["change_pixel"] + SIDE**2, "pair_face": arrays["pair_face"] - 1,
              "change_first": arrays["change_first"][::-1].copy()}  # fmt: skip
    for name, values in unfit.items():
        with pytest.raises(RecordError, match=name):
            RenderingViewer(Record("rendering", ball.record.facts, {**arrays, name: values}), RenderingState())
    with pytest.raises(RecordError, match="lacks corners"):
        RenderingViewer(Record("rendering", ball.record.facts, {k: v for k, v in arrays.items() if k != "corners"}))
