"""The page of the demo: its layout, and what happens when something is clicked."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gradio as gr

from headviz.errors import HeadvizError, InputError
from headviz.models import registry
from headviz.models.reconstruction import Reconstruction
from headviz_apps import photo, report, steps
from headviz_apps.components import crop_box, downloads, head_view, photo_input, served, steps_link, uploaded
from headviz_apps.make import Made, models
from headviz_apps.work import Watched

QUEUE = 8  #: jobs that wait; more are turned away with a message
CLEAN = (600, 3600)  #: seconds: every ten minutes, files older than an hour are deleted

GONE = "the head was made more than an hour ago and is gone; make it again"

Update = dict[Any, Any]


class Page:
    """The components of the page and their handlers."""

    def __init__(self) -> None:
        self.path = gr.State()  # the photograph as it was uploaded
        self.result = gr.State(time_to_live=CLEAN[1])  # the head as the model made it
        with gr.Row(elem_classes="hv-columns"):
            with gr.Column(scale=4, min_width=280, elem_classes="hv-left"):
                self._lay_photo()
            with gr.Column(scale=7, min_width=280, elem_classes="hv-middle"):
                self._lay_head()
            with gr.Column(scale=4, min_width=240, elem_classes="hv-right"):
                self._lay_result()
        self._wire()

    def _lay_photo(self) -> None:
        _html("<h2>Photograph</h2>")
        self.upload = photo_input(
            label="Photograph",
            show_label=False,
            height=260,
            elem_id="photo",
            placeholder="Drop a photograph here, or click to choose one",
        )
        with gr.Column(elem_id="examples") as self.examples_part:
            gr.Examples(
                [str(path) for path in photo.examples()], self.upload, label="Or take an example", cache_examples=False
            )
        self.crop = crop_box(elem_id="crop", visible=False)
        self.another = gr.Button("Another photograph", size="sm", visible=False, elem_id="another")
        self.problem = _html(name="problem")
        names = registry.names()
        self.model = gr.Dropdown(names, value=names[0], label="Model", elem_id="model", interactive=True)
        with gr.Accordion("About the model", open=False):
            self.card = _html(name="card")
        self.make = gr.Button("Make the head", variant="primary", interactive=False, elem_id="make")
        self.estimate = _html(name="estimate")
        self.steps = _html(name="steps")

    def _lay_head(self) -> None:
        _html("<h2>Head</h2>")
        with gr.Tabs():
            with gr.Tab("In 3-D"):
                self.head = head_view(elem_id="head")
            with gr.Tab("Overlay"):
                self.overlay = _picture("overlay", "The head drawn over the photograph, by the camera of the fit.")
            with gr.Tab("Maps"), gr.Row():
                with gr.Column(min_width=240):
                    self.texture = _picture("texture", "Texture: the skin, unrolled.")
                with gr.Column(min_width=240):
                    self.confidence = _picture("confidence", "Confidence: how well the photograph shows the skin.")
                    _html(report.scale())

    def _lay_result(self) -> None:
        _html("<h2>Result</h2>")
        self.empty = _html('<p class="hv-quiet">Files, times and measurements appear here.</p>', "empty")
        with gr.Column(visible=False, elem_id="steps-part") as self.watch_part:
            self.watch = self._lay_button("steps", "watch")
            self.sculpt = self._lay_button("sculpt", "sculpt")
            self.watched = _html(name="watched")
            self.link = steps_link(elem_id="steps-link")
        self.downloads = downloads(elem_id="downloads")
        self.report = _html(name="report")

    def _lay_button(self, kind: str, name: str) -> gr.Button:
        button = gr.Button(steps.KINDS[kind].label, size="sm", elem_id=name)
        _html(f'<p class="hv-hint">{steps.KINDS[kind].hint}</p>')
        return button

    def _wire(self) -> None:
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        photo_parts = [self.path, self.upload, self.examples_part, self.crop, self.another, self.make, self.problem]
        photo_parts.append(self.estimate)
        self.upload.change(
            self.take,
            [self.upload, self.model],
            photo_parts,
            show_progress="minimal",
            show_progress_on=self.upload,
            api_visibility="private",
            concurrency_limit=2,
            preprocess=False,
        )
        self.another.click(self.leave, None, photo_parts, queue=False, **quiet)
        result_parts = [self.problem, self.steps, self.estimate, self.head, self.overlay, self.texture, self.confidence]
        result_parts += [self.empty, self.downloads, self.report, self.make, self.result, self.watch_part, self.watched]
        result_parts.append(self.link)
        self.make.click(self.run, [self.path, self.crop, self.model], result_parts, concurrency_limit=1, **quiet)
        page_parts = [self.problem, self.watch, self.sculpt, self.watched, self.link]
        for button, kind in ((self.watch, "steps"), (self.sculpt, "sculpt")):
            draw = partial(self.draw_page, kind)
            button.click(draw, self.result, page_parts, js=steps.open_tab(kind), concurrency_id="pages", **quiet)
        self.model.change(self.describe, self.model, [self.card, self.estimate], **quiet)

    def describe(self, name: str) -> tuple[str, str]:
        """The model's card, and how long it takes."""
        return report.card(models().get(name).card), report.estimate(models().estimate(name))

    def take(self, payload: dict[str, Any] | None, name: str) -> Iterator[Update]:
        """A photograph came: show it with its faces, or say why it cannot be used."""
        if payload is None:  # the photograph was taken away, by ``leave`` or by a click
            yield {self.estimate: report.estimate(models().estimate(name))}
            return
        with TemporaryDirectory(prefix="headviz-") as folder:
            try:
                path = uploaded(payload, self.upload)
                shown, value = photo.inspect(path, Path(folder))
            except HeadvizError as error:
                yield {self.upload: None, self.problem: report.message(error)}
                return
            yield {
                self.path: path,
                self.upload: gr.update(visible=False),
                self.examples_part: gr.update(visible=False),
                self.crop: gr.update(visible=True, value={**value, "photo": served(shown)}),
                self.another: gr.update(visible=True),
                self.make: gr.update(interactive=True),
                self.problem: "",
                self.estimate: report.estimate(models().estimate(name)),
            }

    def leave(self) -> Update:
        """Back to the choice of a photograph; a head that was made stays."""
        return {
            self.path: None,
            self.upload: gr.update(visible=True, value=None),
            self.examples_part: gr.update(visible=True),
            self.crop: gr.update(visible=False),
            self.another: gr.update(visible=False),
            self.make: gr.update(interactive=False),
            self.problem: "",
        }

    def run(self, path: Path, crop: dict[str, Any], name: str) -> Iterator[Update]:
        """Make the head; what was there before stays until the new one is complete."""
        yield {self.problem: "", self.make: gr.update(interactive=False)}
        box = photo.chosen_crop(crop)
        with TemporaryDirectory(prefix="headviz-") as folder:
            job = Watched(lambda progress: models().make(name, path, box, Path(folder), progress))
            for progress in job:
                yield {self.steps: report.steps(progress)}
            error = job.error()
            if error is not None:
                yield {
                    self.problem: report.message(error),
                    self.steps: "",
                    self.make: gr.update(interactive=True),
                }
                return
            made = job.result()
            yield {
                self.steps: report.done(progress),
                self.estimate: report.estimate(models().estimate(name)),
                self.head: head_value(made),
                self.overlay: made.pictures["overlay"],
                self.texture: made.pictures["texture"],
                self.confidence: made.pictures["confidence"],
                self.empty: gr.update(visible=False),
                self.downloads: download_values(made.files),
                self.report: report.tables(made.result),
                self.make: gr.update(interactive=True),
                self.result: made.result,
                self.watch_part: gr.update(visible=True),
                self.watched: "",
                self.link: None,
            }

    def draw_page(self, kind: str, result: Reconstruction | None) -> Iterator[Update]:
        """Make the page on which the way to the head can be watched, or the head be sculpted."""
        if result is None:  # kept for an hour
            yield {self.problem: report.message(InputError(GONE)), self.link: {"failed": True}}
            return
        busy, free = gr.update(interactive=False), gr.update(interactive=True)
        yield {self.problem: "", self.watch: busy, self.sculpt: busy, self.link: None}
        job = Watched(lambda progress: steps.make_page(result, progress, kind))
        for progress in job:
            yield {self.watched: report.steps(progress)}
        error = job.error()
        after: Update = {self.watched: "", self.watch: free, self.sculpt: free}
        if error is not None:
            yield {**after, self.problem: report.message(error), self.link: {"failed": True}}
            return
        yield {**after, self.link: {"url": job.result(), "label": steps.KINDS[kind].label}}


def head_value(made: Made) -> dict[str, Any]:
    """The value of the 3-D view."""
    result = made.result
    return {"glb": served(made.glb), "expression": dict(result.expression), "note": report.note(result)}


def download_values(files: list[Path]) -> list[dict[str, Any]]:
    """The value of the list of downloads."""
    order = list(report.WHAT)
    return [
        {
            "file": served(file),
            "name": file.name,
            "what": report.WHAT[file.suffix],
            "size": report.size(file.stat().st_size),
        }
        for file in sorted(files, key=lambda file: order.index(file.suffix))
    ]


def _html(value: str = "", name: str | None = None) -> gr.HTML:
    return gr.HTML(value, elem_id=name, apply_default_css=False)


def _picture(name: str, words: str) -> gr.Image:
    image = gr.Image(
        label=words, show_label=False, elem_id=name, interactive=False, format="png", buttons=["download", "fullscreen"]
    )
    _html(f'<p class="hv-hint">{words}</p>')
    return image
