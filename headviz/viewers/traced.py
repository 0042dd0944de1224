"""A traced picture beside the steps that its rays took, with a scale and one sentence of numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from headviz.geometry.color import to_uint8
from headviz.geometry.trace_history import Status
from headviz.render.colormap import viridis
from headviz.render.traced import TracedImage

PAPER, INK, GREY, WARNING = (246, 245, 242), (21, 23, 26), (85, 85, 85), (204, 121, 167)
LEAST = 320  #: pixels of a panel's side
#: Missed rays are drawn in the grey of everything that was dropped safely.
MISSED = (153, 153, 153)


def sentence(image: TracedImage) -> str:
    """What the picture shows, with its numbers."""
    rays = image.mask.numel()
    hit, lost = int(image.mask.sum()), image.trace.count(Status.OUT_OF_STEPS)
    words = (
        f"{hit:,} of {rays:,} rays hit after {image.evaluations:,} evaluations, {image.evaluations / rays:.1f} per ray"
    )
    return f"{words}; {lost:,} ran out of steps" if lost else words


def warnings_of(image: TracedImage) -> list[str]:
    """What is wrong with the trace or its field, one sentence each."""
    found = []
    count = image.trace.oversteps + sum(cone.oversteps for cone in image.cones)
    if count:
        found.append(f"{count:,} steps went through the surface: the field's Lipschitz bound is too small")
    lost = image.trace.count(Status.OUT_OF_STEPS)
    if lost:
        found.append(f"{lost:,} rays ran out of steps: allow more, or a larger tolerance")
    if not bool(image.mask.any()):
        found.append("no ray hit anything: the field may be empty, or steeper than its Lipschitz bound")
    return found


def traced_picture(image: TracedImage, *, title: str) -> UInt8[np.ndarray, "h w 3"]:
    """The shaded field, the steps per ray with their scale, and the numbers; 8-bit sRGB.

    Args:
        image: what was traced.
        title: what it is a picture of.
    """
    most = _largest_shown(image.steps)
    steps = to_uint8(image.step_picture(most))
    none = (image.steps == 0).cpu().numpy()
    steps[none] = PAPER
    rows, columns = np.indices(none.shape)
    steps[none & ((rows + columns) % 8 == 0)] = MISSED
    return _composed(image, (_panel(to_uint8(image.shaded())), _panel(steps)), title, most)


def _composed(
    image: TracedImage, panels: tuple[Image.Image, Image.Image], title: str, most: int
) -> UInt8[np.ndarray, "h w 3"]:
    """The panels with their words and the scale."""
    (width, height), gap, margin = panels[0].size, 16, 24
    notes = warnings_of(image)
    canvas = Image.new("RGB", (2 * width + gap + 2 * margin, height + 176 + 20 * len(notes)), PAPER)
    draw = ImageDraw.Draw(canvas)
    small, middle, large = (ImageFont.load_default(size) for size in (13, 15, 20))
    draw.text((margin, 32), _fitted(draw, title, large, 2 * width + gap), INK, font=large, anchor="ls")
    left, right = margin, margin + width + gap
    for place, panel in zip((left, right), panels, strict=True):
        canvas.paste(panel, (place, 48))
    below = 48 + height + 20
    draw.text((left, below), "what the rays hit", GREY, font=middle, anchor="lm")
    draw.text((right, below), "evaluations on each ray", GREY, font=middle, anchor="lm")
    _scale(canvas, (right, below + 16, width, 12), most, exceeded=most < int(image.steps.max()))
    draw.rectangle((right, below + 56, right + 12, below + 68), outline=MISSED)
    draw.line((right, below + 68, right + 12, below + 56), fill=MISSED)
    draw.text((right + 20, below + 62), "none: background, by cones or the box", GREY, small, anchor="lm")
    draw.text((margin, below + 96), sentence(image), INK, font=middle, anchor="lm")
    for row, note in enumerate(notes):
        draw.text((margin, below + 118 + 20 * row), f"warning: {note}", WARNING, font=small, anchor="lm")
    return np.asarray(canvas)


def _panel(picture: UInt8[np.ndarray, "h w 3"]) -> Image.Image:
    """A picture, enlarged by whole pixels where it is too small for the words under it."""
    image = Image.fromarray(picture)
    factor = -(-LEAST // image.width)
    return image.resize((factor * image.width, factor * image.height), Image.Resampling.NEAREST)


def _fitted(draw: ImageDraw.ImageDraw, text: str, font: Any, width: int) -> str:
    """As much of a text as fits."""
    if draw.textlength(text, font=font) <= width:
        return text
    while text and draw.textlength(f"{text}…", font=font) > width:
        text = text[:-1]
    return f"{text}…"


def _largest_shown(steps: Tensor) -> int:
    """The number that gets the last colour: what 99 % of the rays that were evaluated stay below, rounded up to fives.

    A few grazing rays take several times as many steps as all others, and would leave one colour to those.
    """
    some = steps[steps > 0].double()
    return 5 * math.ceil(float(torch.quantile(some, 0.99)) / 5) if len(some) else 5


def _scale(canvas: Image.Image, box: tuple[int, int, int, int], most: int, *, exceeded: bool) -> None:
    """The colours from 1 to the largest number of steps, which a few rays may exceed."""
    left, top, width, height = box
    ramp = to_uint8(viridis(torch.linspace(1 / most, 1, width)).expand(height, width, 3).contiguous())
    canvas.paste(Image.fromarray(ramp), (left, top))
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(13)
    for number, anchor in ((1, "lt"), (round((1 + most) / 2), "mt"), (most, "rt")):
        place = left + (number - 1) / (most - 1) * width
        text = f"{number} or more" if exceeded and number == most else str(number)
        draw.text((place, top + height + 6), text, GREY, font=font, anchor=anchor)
