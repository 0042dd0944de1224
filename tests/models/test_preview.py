"""The preview picture: what it shows, and that its numbers are the report's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial import ConvexHull
from torch import Tensor

from headviz.models.landmark_fit import LandmarkFit
from headviz.models.preview import (
    SIDE,
    VIEWS,
    caption,
    captioned,
    head_window,
    overlay,
    overlay_picture,
    preview_picture,
    turned_picture,
)
from headviz.models.reconstruction import Reconstruction
from headviz.render.surface import BACKGROUND


@pytest.fixture(scope="module")
def picture(made: Reconstruction) -> np.ndarray:
    return preview_picture(made)


def ramp(height: int, width: int) -> Tensor:
    """A picture whose colours tell the place: red u, green v, in units of 1,000 pixels."""
    v, u = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    return torch.stack([u / 1000, v / 1000, torch.zeros_like(u)], dim=-1)


def test_it_is_a_row_of_five_pictures_and_a_caption(picture: np.ndarray) -> None:
    assert picture.dtype == np.uint8
    assert picture.shape == (SIDE + 64, SIDE * (2 + len(VIEWS)), 3)


def test_every_part_shows_something_of_its_own(picture: np.ndarray) -> None:
    parts = np.split(picture[:SIDE].astype(float), 5, axis=1)
    for k, part in enumerate(parts):
        assert part.std() > 20
        for other in parts[k + 1 :]:
            assert np.abs(part - other).mean() > 2


def test_the_caption_is_drawn_below(picture: np.ndarray) -> None:
    strip = picture[SIDE:]
    assert tuple(strip[-1, 0]) == (246, 245, 242)
    for k in range(5):  # a name under each picture
        assert (strip[:28, k * SIDE : (k + 1) * SIDE].min(axis=(1, 2)) < 150).any()
    assert (strip[30:] < 100).any()


def test_the_caption_tells_the_reports_numbers(made: Reconstruction) -> None:
    text = caption(made)
    seconds = sum(made.timings.values())
    assert f"{len(made.mesh.vertices):,} vertices" in text
    assert f"{seconds:.2f} s" in text
    assert f"{made.report['landmark_error_percent_of_face_width']:.2f} %" in text
    assert f"{100 * made.report['seen_fraction_of_skin']:.0f} % of the skin" in text


def test_a_model_without_a_report_still_has_a_caption(made: Reconstruction) -> None:
    text = caption(replace(made, report={}))
    assert "vertices" in text
    assert "landmarks" not in text
    assert "%" not in text


def test_the_window_shows_the_photograph_around_the_head(made: Reconstruction) -> None:
    part, window = head_window(made)
    assert part.shape == (SIDE, SIDE, 3)
    seen = window.project(made.posed.vertices)
    low, high = seen.amin(0), seen.amax(0)
    torch.testing.assert_close((low + high) / 2, torch.full((2,), SIDE / 2), atol=0.1, rtol=0)
    assert float((high - low).max()) == pytest.approx(SIDE / 1.5, rel=1e-3)  # a quarter more on each side


@pytest.mark.parametrize("side", [420, 100, 40])
def test_the_windows_pixels_are_those_its_camera_sees(made: Reconstruction, side: int) -> None:
    part, window = head_window(replace(made, image=ramp(*made.image.shape[:2])), side)
    points = made.posed.vertices
    place = window.project(points)
    inside = ((place > 2) & (place < side - 2)).all(1) & (made.camera.project(points) > 3).all(1)
    u, v = place[inside].long().unbind(1)
    centre = torch.stack([u, v], 1) + 0.5
    found = 1000 * part[v, u, :2]
    # Where the window's pixel lies in the photograph: its distance from the point's, at the window's scale.
    scale = window.focal / made.camera.focal
    expected = made.camera.project(points[inside]) + (centre - place[inside]) / scale
    assert int(inside.sum()) > 1000
    assert float((found - expected).abs().max()) < max(0.05, 0.6 / scale if side < 420 else 0)


def test_beyond_the_photograph_the_window_is_background(made: Reconstruction) -> None:
    camera = made.camera
    shifted = replace(camera, center=camera.center - torch.tensor([250.0, 0.0]))
    part, window = head_window(replace(made, camera=shifted))
    left = float(window.center[0] - shifted.center[0] * window.focal / shifted.focal)  # where the photograph begins
    assert left > 20
    assert bool((part[:, : int(left) - 1] == torch.tensor(BACKGROUND)).all())
    assert not bool((part[:, int(left) + 2 :] == torch.tensor(BACKGROUND)).all())


def test_the_overlay_changes_the_photograph_on_the_head_alone(made: Reconstruction) -> None:
    part, window = head_window(made)
    drawn = overlay(made)
    change = (drawn - part).abs().amax(-1).numpy()
    hull = ConvexHull(window.project(made.posed.vertices).double().numpy())
    u, v = np.meshgrid(np.arange(SIDE) + 0.5, np.arange(SIDE) + 0.5)
    outside = (np.stack([u, v], -1) @ hull.equations[:, :2].T + hull.equations[:, 2]).max(-1)
    assert change[outside > 1.5].max() < 1e-5
    assert (change > 0.02).mean() > 0.1
    assert (outside[change > 0.02] < 1.5).all()


def test_a_transparent_overlay_is_the_photograph(made: Reconstruction) -> None:
    torch.testing.assert_close(overlay(made, opacity=0.0), head_window(made)[0])


def test_the_overlay_picture_has_the_asked_size(made: Reconstruction) -> None:
    picture = overlay_picture(made, 256)
    assert picture.shape == (256, 256, 3)
    assert picture.dtype == np.uint8


@pytest.mark.parametrize("yaw", [0.0, 0.8, -1.4, 3.0])
def test_a_turned_head_is_whole_and_in_the_middle(made: Reconstruction, yaw: float) -> None:
    picture = turned_picture(made, yaw, 200)
    assert picture.shape == (200, 200, 3)
    drawn = ((picture - torch.tensor(BACKGROUND)).abs().amax(-1) > 0.02).nonzero().float()
    low, high = drawn.amin(0), drawn.amax(0)
    assert float(low.min()) > 2
    assert float(high.max()) < 197
    assert float((high - low)[0]) > 120
    assert abs(float((low + high)[1]) / 2 - 100) < 15


def test_positive_yaw_shows_the_heads_left_ear(model: LandmarkFit, made: Reconstruction) -> None:
    red = torch.full_like(made.mesh.texture, 0.5)
    texels = model.atlas.picture(model.atlas.labels["left_ear"].float()[:, None])[..., 0] > 0
    red[texels] = torch.tensor([1.0, 0.0, 0.0])
    painted = replace(made, mesh=replace(made.mesh, texture=red))

    def redness(yaw: float) -> int:
        picture = turned_picture(painted, yaw, 200)
        return int(((picture[..., 0] > 0.8) & (picture[..., 1] < 0.2)).sum())

    assert redness(0.8) > 100
    assert redness(-1.4) == 0


def test_names_stand_under_their_pictures() -> None:
    row = np.zeros((40, 300, 3), dtype=np.uint8)
    made = captioned(row, ["one", "", "three"], "a sentence")
    assert made.shape == (104, 300, 3)
    assert (made[:40] == 0).all()
    dark = (made[40:68] < 160).any(axis=(0, 2))
    assert dark[:100].any()
    assert not dark[100:200].any()
    assert dark[200:].any()
