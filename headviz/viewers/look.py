"""The one visual language: colours, scales and how numbers are written, for every viewer in every shell.

The browser gets the scales with the data; ``web/core/look.js`` repeats the colours and ``web/core/format.js`` the
writing of numbers, and a test holds them together.
"""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
from jaxtyping import UInt8

from headviz.render.colormap import VIRIDIS

INSIDE, OUTSIDE = "#0072B2", "#E69F00"
CURRENT, HIT, MISSED, WRONG = "#D55E00", "#009E73", "#999999", "#CC79A7"
SKIN, EYES = "#d9a58b", "#f4f4f4"
PAPER, INK, SOFT = "#f6f5f2", "#1d1f22", "#595e66"
WHITE = "#ffffff"


def scale(colors: tuple[str, ...], entries: int = 256) -> UInt8[np.ndarray, "n 3"]:
    """Colours at equal steps, blended linearly in sRGB, shape (entries, 3)."""
    table = np.array([[int(color[k : k + 2], 16) for k in (1, 3, 5)] for color in colors], dtype=float)
    place = np.linspace(0, len(table) - 1, entries)
    columns = [np.interp(place, np.arange(len(table)), table[:, channel]) for channel in range(3)]
    return np.asarray(np.rint(np.stack(columns, axis=1)), dtype=np.uint8)


def sequential() -> UInt8[np.ndarray, "n 3"]:
    """viridis, for values from 0 up."""
    return scale(VIRIDIS)


def signed() -> UInt8[np.ndarray, "n 3"]:
    """Blue, white, orange: for values around 0, inside to outside."""
    return scale((INSIDE, "#7fb8d8", WHITE, "#f2cf7f", OUTSIDE))


def number(value: float | None, digits: int = 3) -> str:
    """A number as people read it: some significant digits, no trailing zeros, thousands apart, a true minus.

    Ties are rounded away from zero, as browsers do. ``None`` stands for a number that JSON cannot hold.
    """
    if value is None or math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    sign, exact = ("−" if value < 0 else ""), abs(Decimal(float(value)))
    exponent = exact.adjusted()
    rounded = exact.quantize(Decimal(1).scaleb(exponent - digits + 1), rounding=ROUND_HALF_UP)
    exponent = rounded.adjusted()
    if exponent < -4 or exponent >= 12:
        mantissa = _trimmed(f"{rounded.scaleb(-exponent):f}")
        return f"{sign}{mantissa}e{'−' if exponent < 0 else ''}{abs(exponent)}"
    if exponent >= digits - 1:
        return f"{sign}{int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP)):,}"
    return sign + _trimmed(f"{rounded:f}")


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def length(metres: float | None) -> str:
    """A length with its unit: metres from a centimetre up, else millimetres or micrometres."""
    if metres is None or not math.isfinite(metres) or metres == 0 or abs(metres) >= 0.01:
        return f"{number(metres)} m"
    if abs(metres) >= 1e-5:
        return f"{number(metres * 1e3)} mm"
    return f"{number(metres * 1e6)} µm"


def count(value: int, noun: str, plural: str | None = None) -> str:
    """A number of things: "1 ray", "1,024 rays"."""
    return f"{value:,} {noun if value == 1 else plural or noun + 's'}"
