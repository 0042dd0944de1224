"""What the options of the command line read: one function per kind of value, which says what it expected."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path


def whole(low: int, high: int) -> Callable[[str], int]:
    """A reader of whole numbers from low to high."""

    def parse(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"should be a whole number from {low} to {high}; got {text!r}")
        return int(text)

    return parse


def bounds(text: str) -> tuple[float, ...]:
    """Six numbers: the lower and the upper corner of a box."""
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != 6:
        raise argparse.ArgumentTypeError(f"should be six numbers, the lower and the upper corner; got {text!r}")
    return numbers


def angle(text: str) -> float:
    """An angle in degrees."""
    degrees = _number(text)
    if not math.isfinite(degrees):
        raise argparse.ArgumentTypeError(f"should be an angle in degrees; got {text!r}")
    return degrees


def relaxation(text: str) -> float | str:
    """1 to below 2, or adaptive."""
    if text == "adaptive":
        return text
    number = _number(text)
    if not 1 <= number < 2:
        raise argparse.ArgumentTypeError(f"should be a number from 1 to below 2, or adaptive; got {text!r}")
    return number


def tolerance(text: str) -> float:
    """A positive number of metres."""
    number = _number(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"should be a positive number of metres; got {text!r}")
    return number


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def face(text: str) -> str | int:
    """Largest, all, or a number from 1."""
    if text in ("largest", "all"):
        return text
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"should be largest, all or a number from 1; got {text!r}")
    return int(text)


def crop(text: str) -> tuple[float, float, float, float]:
    """LEFT,TOP,RIGHT,BOTTOM in pixels."""
    try:
        left, top, right, bottom = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"should be four numbers LEFT,TOP,RIGHT,BOTTOM; got {text!r}") from None
    if not (left < right and top < bottom):
        raise argparse.ArgumentTypeError(f"should have LEFT < RIGHT and TOP < BOTTOM; got {text!r}")
    return left, top, right, bottom


def texture_size(text: str) -> int:
    """A number of pixels from 64 to 8192."""
    if not text.isdecimal() or not 64 <= int(text) <= 8192:
        raise argparse.ArgumentTypeError(f"should be a number of pixels from 64 to 8192; got {text!r}")
    return int(text)


def port(text: str) -> int:
    """A number from 0 to 65535."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"should be a number from 0 to 65535; got {text!r}")
    return int(text)


def html(text: str) -> Path:
    """A file for a page."""
    if Path(text).suffix.lower() not in (".html", ".htm"):
        raise argparse.ArgumentTypeError(f"should be a file that ends with .html; got {text!r}")
    return Path(text)


def picture(text: str) -> Path:
    """A file for a picture."""
    if Path(text).suffix.lower() not in (".png", ".svg", ".pdf"):
        raise argparse.ArgumentTypeError(f"should be a file that ends with .png, .svg or .pdf; got {text!r}")
    return Path(text)
