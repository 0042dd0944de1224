"""Pictures side by side: colours as they are, numbers by one colour bar."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Shaped
from torch import Tensor

from headviz.errors import OptionError, ShapeError
from headviz.geometry.color import to_uint8
from headviz.viewers import look
from headviz.viewers.picture import colormap
from headviz.viewers.plots import Plot

_WIDTH = 8.0  # inches
_FINE = 720  # a picture is enlarged to about as many pixels before it is drawn, so that its own stay sharp
_TICKS = (1, 2, 4, 8, 16, 20, 32, 40, 64, 80, 100, 128, 200)


def plot_pictures(
    pictures: Mapping[str, Tensor], *, scale: str = "", columns: int = 4, caption: str = "", title: str = ""
) -> Plot:
    """Pictures side by side, every pixel as it is.

    Numbers share one scale: viridis from the lowest, or from 0 where all are positive, to the highest; blue, white and
    orange around 0 where some are negative. Pixels whose number is not finite are hatched.

    Args:
        pictures: by the name that stands above each: linear RGB, shape (h, w, 3), or numbers, shape (h, w).
        scale: what the numbers are, with their unit.
        columns: how many stand in a row.
        caption: what is shown; by default the pictures' sizes and between what their numbers are.
        title: what they are.

    Raises:
        ShapeError: there are no pictures, or one has another shape.
        OptionError: there are numbers and no ``scale``, or no column.
    """
    held = _checked(pictures)
    maps = {name: values.double().numpy() for name, values in held.items() if values.ndim == 2}
    if maps and not scale:
        raise OptionError(f"scale should say what the numbers of {', '.join(maps)} are, with their unit; it is empty")
    if columns < 1:
        raise OptionError(f"columns should be at least 1; they are {columns}")
    across = min(columns, len(held))
    rows = math.ceil(len(held) / across)
    limits, alike = _limits(maps), len({values.shape[:2] for values in held.values()}) == 1

    def draw(figure: Any) -> None:
        places = figure.subplots(rows, across, squeeze=False)
        image = None
        for number, place in enumerate(places.reshape(-1)):
            if number >= len(held):
                place.set_visible(False)
                continue
            name = list(held)[number]
            drawn = _draw(place, maps[name] if name in maps else to_uint8(held[name]), limits)
            image = drawn if name in maps else image
            place.set_title(name)
            left, low = number % across == 0, number + across >= len(held)
            place.set(xlabel="column (pixels)" if low else "", ylabel="row (pixels)" if left else "")
            place.tick_params(labelleft=left or not alike, labelbottom=low or not alike)
        if image is not None:
            figure.colorbar(image, ax=list(places.reshape(-1)), label=scale, fraction=0.06, pad=0.02, aspect=28)

    tallest = max(values.shape[0] / values.shape[1] for values in held.values())
    wide = (_WIDTH - 0.6 - 0.9 * bool(maps)) / across - (0.1 if alike else 0.3)
    return Plot(draw, caption or _told(held, maps, scale), title, (_WIDTH, rows * (wide * tallest + 0.3) + 0.4))


def _checked(pictures: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The pictures, without gradients."""
    if not pictures:
        raise ShapeError("there should be at least one picture; there is none")
    for name, values in pictures.items():
        if not values.numel() or not (values.ndim == 2 or (values.ndim == 3 and values.shape[2] == 3)):
            raise ShapeError(f"picture {name!r} should have shape (h, w) or (h, w, 3); shape is {tuple(values.shape)}")
    return {name: values.detach().cpu() for name, values in pictures.items()}


def _limits(maps: Mapping[str, Shaped[np.ndarray, "h w"]]) -> tuple[float, float]:
    """Between what the colours lie: around 0 if some numbers are negative, from 0 if that is not far away."""
    low, high = (math.inf, -math.inf)
    for values in maps.values():
        some = values[np.isfinite(values)]
        if some.size:
            low, high = min(low, float(some.min())), max(high, float(some.max()))
    if low > high:
        return 0.0, 1.0
    if low < 0:
        return -max(-low, high), max(-low, high)
    low = 0.0 if low < 0.5 * high else low
    return low, high if high > low else low + 1


def _draw(place: Any, values: Shaped[np.ndarray, "..."], limits: tuple[float, float]) -> Any:
    """One picture with its pixels as coordinates."""
    height, width = values.shape[:2]
    times = max(1, round(_FINE / max(height, width)))
    large = values.repeat(times, axis=0).repeat(times, axis=1)
    how: dict[str, Any] = {}
    if values.ndim == 2:
        large = np.where(np.isfinite(large), large, np.nan)
        table = colormap("signed" if limits[0] < 0 else "sequential").with_extremes(bad=(0, 0, 0, 0))
        how = {"cmap": table, "vmin": limits[0], "vmax": limits[1], "interpolation_stage": "rgba"}
        place.patch.set(hatch="////", edgecolor=f"{look.MISSED}59", linewidth=0)
    image = place.imshow(large, extent=(0, width, height, 0), interpolation="antialiased", **how)
    step = next((step for step in _TICKS if max(height, width) <= 5 * step), max(height, width))
    place.set(xticks=range(0, width + 1, step), yticks=range(0, height + 1, step))
    return image


def _told(held: Mapping[str, Tensor], maps: Mapping[str, Shaped[np.ndarray, "h w"]], scale: str) -> str:
    sizes = {f"{values.shape[1]} × {values.shape[0]}" for values in held.values()}
    size = sizes.pop() if len(sizes) == 1 else "several sizes"
    whole = f"{look.count(len(held), 'picture')} of {size}{' pixels' if '×' in size else ''}"
    ranges = []
    for name, values in maps.items():
        some = values[np.isfinite(values)]
        if some.size:
            ranges.append(f"{name} from {look.number(float(some.min()))} to {look.number(float(some.max()))}")
    return f"{whole}; {scale}: {', '.join(ranges)}." if ranges else f"{whole}."
