"""The demo's parts that need no browser."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import torch

from headviz.errors import PictureError
from headviz.models.registry import ModelCard
from headviz.photo.detect import FaceDetection
from headviz.photo.picture import Box
from headviz_apps import photo, report
from headviz_apps.work import Progress, Watched


def face(left: float, top: float, right: float, bottom: float) -> FaceDetection:
    """A detection that is only its box."""
    return FaceDetection(Box(left, top, right, bottom), 0.9, torch.zeros(478, 3), {})


def test_crop_starts_on_the_largest_face() -> None:
    value = photo.crop_value(400, 300, [face(100, 50, 200, 170), face(10, 10, 40, 50)])
    assert value["box"] == [100, 50, 200, 170]
    assert (value["selected"], value["mine"]) == (0, False)
    assert photo.chosen_crop(value) is None, "the model looks for the largest face itself"


def test_another_face_is_cropped_with_a_margin_inside_the_picture() -> None:
    value = photo.crop_value(400, 300, [face(100, 50, 200, 170), face(10, 10, 50, 50)]) | {"selected": 1}
    crop = photo.chosen_crop(value)
    assert crop == Box(0, 0, 60, 60)


def test_without_a_face_the_box_is_in_the_middle_and_is_the_crop() -> None:
    value = photo.crop_value(400, 200, [])
    assert value["mine"]
    assert photo.chosen_crop(value) == Box(80, 40, 320, 160)


def test_a_crop_from_the_browser_is_kept_inside_the_picture() -> None:
    value = photo.crop_value(400, 300, []) | {"box": [-50, -1e9, 1e9, 100], "mine": True}
    assert photo.chosen_crop(value) == Box(0, 0, 400, 100)
    beyond = photo.chosen_crop(value | {"box": [900, 900, 950, 950]})
    assert beyond is not None
    assert beyond.area > 0


def test_stages_and_result_of_a_watched_job() -> None:
    def job(progress):
        progress("one")
        progress("two")
        return 7

    watched = Watched(job)
    seen = list(watched)
    assert [name for name, _ in seen[-1].stages] == ["one", "two"]
    assert seen[-1].current is None
    assert "one" in {progress.current for progress in seen}
    assert watched.error() is None
    assert watched.result() == 7


def test_an_error_of_a_watched_job_is_kept_for_the_page() -> None:
    def job(progress):
        progress("one")
        raise PictureError("words")

    watched = Watched(job)
    assert list(watched)[-1].current is None
    assert str(watched.error()) == "words"
    with pytest.raises(PictureError, match="words"):
        watched.result()


def test_message_hides_the_folder_and_escapes() -> None:
    path = Path(tempfile.gettempdir()) / "headviz-demo-x" / "0123" / "<i>.png"
    shown = report.message(PictureError(f"{path} is damaged"))
    assert "&lt;i&gt;.png is damaged" in shown
    assert "headviz-demo" not in shown
    assert "<i>" not in shown


def test_message_of_an_unexpected_error_names_it(caplog: pytest.LogCaptureFixture) -> None:
    shown = report.message(ZeroDivisionError("division by zero"))
    assert "ZeroDivisionError: division by zero" in shown
    assert "stopped" in caplog.text


def test_steps_and_times() -> None:
    progress = Progress((("find <the> face", 0.25), ("fit", 1.0)), "texture", 0.5)
    shown = report.steps(progress)
    assert "find &lt;the&gt; face" in shown
    assert "0.25 s" in shown
    assert 'aria-current="step"' in shown
    assert "1.8 s" in report.done(progress)
    assert "about 0.6 s" in report.estimate(0.62)
    assert "few seconds" in report.estimate(None)


def test_card_shows_the_mean_head_beside_each_measure() -> None:
    card = ModelCard(
        "m", "A <model>.", "a photograph", "", "", 0, "", "", {"error (mm)": 1.7, "n": 3.0}, {"error (mm)": 2.8}
    )
    shown = report.card(card)
    assert "A &lt;model&gt;." in shown
    assert "<dt>Error (mm)</dt><dd>1.7 (mean head: 2.8)</dd>" in shown
    assert "<dt>N</dt><dd>3</dd>" in shown
    assert "Licence" not in shown, "a line without words is left out"


@pytest.mark.parametrize(("count", "words"), [(12, "1 kB"), (1500, "2 kB"), (2_400_000, "2.4 MB")])
def test_sizes(count: int, words: str) -> None:
    assert report.size(count) == words
