"""The stages of a rendering as pictures with their legends: made once, so that every shell shows the same pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped, UInt8

from headviz.geometry.color import to_uint8
from headviz.render.explain import RenderRecord
from headviz.render.light import Lighting
from headviz.render.shade import Rendering
from headviz.viewers import look
from headviz.viewers.record import array

#: Colours of the first, second and third corner of a face.
CORNERS = (look.INSIDE, look.OUTSIDE, look.HIT)
#: Texture coordinates are mixed of these, at (0, 0), (1, 0), (0, 1) and (1, 1).
_SQUARE = ("#f4f4f4", look.OUTSIDE, look.INSIDE, "#26323a")
_CHECKS = 32  #: squares along a texture's side
#: Greys from black to white of the picture behind changes, which are drawn in colours.
_FADED = (0.5, 0.8)

Pixels = UInt8[np.ndarray, "h w 4"]
Legend = list[tuple[str, str, str]]


@dataclass(frozen=True, eq=False)
class Stage:
    """One stage: its map and what explains it.

    Attributes:
        name, title, about: for programs, and for people; what the stage adds.
        pixels: sRGB with opacity; clear where there is nothing to show, shape (h, w, 4).
        bar: of the colour bar: ``label`` and the texts at its ``ends``; ``None`` if there is none.
        legend: mark, colour and text of each entry.
    """

    name: str
    title: str
    about: str
    pixels: Pixels
    bar: dict[str, Any] | None = None
    legend: Legend | tuple[()] = ()

    def facts(self) -> dict[str, Any]:
        """All but the pixels, as plain values."""
        return {"name": self.name, "title": self.title, "about": self.about, "bar": self.bar,
                "legend": [list(row) for row in self.legend]}  # fmt: skip


def stages_of(rendering: Rendering, light: Lighting | None, *, gradients: bool) -> list[Stage]:
    """The stages that this rendering has, in their order.

    Args:
        rendering: of one mesh by one camera, with its record.
        light: that it is drawn in.
        gradients: whether there are gradients to show; their stage shows the faded picture behind them.
    """
    mask = array(rendering.mask)
    made = [_faces(rendering, mask), _weights(rendering, mask), _depth(rendering, mask), _normals(rendering, mask)]
    if rendering.uv is not None:
        made.append(_uv(rendering, mask))
    made += _colors(rendering, light, mask)
    if rendering.soft_mask is not None:
        made.append(_soft_mask(rendering))
    if gradients:
        grey = to_uint8(rendering.picture).mean(axis=-1, keepdims=True) / 255
        faded = np.rint(255 * (_FADED[0] + (_FADED[1] - _FADED[0]) * grey)).astype(np.uint8).repeat(3, axis=-1)
        made.append(Stage("gradient", "Gradient", "how pixels change when a vertex moves", opaque(faded, mask)))
    return made


def recorded(rendering: Rendering) -> RenderRecord:
    """The record of a rendering that was made with one."""
    assert rendering.record is not None
    return rendering.record


def opaque(colors: Shaped[np.ndarray, "h w 3"], there: Bool[np.ndarray, "h w"]) -> Pixels:
    """Colours with full opacity where there is something, clear elsewhere."""
    made = np.concatenate([colors, np.full((*colors.shape[:-1], 1), 255, dtype=np.uint8)], axis=-1)
    made[~there] = 0
    return made


def _faces(rendering: Rendering, mask: Bool[np.ndarray, "h w"]) -> Stage:
    assert rendering.face is not None
    tint = 0.62 + 0.5 * _scattered(array(rendering.face))
    colors = np.clip(np.rint(tint[..., None] * _rgb(look.SKIN)), 0, 255).astype(np.uint8)
    legend: Legend = [("fill", look.SKIN, "one tint per face"), ("hatch", look.MISSED, "sees no face")]
    return Stage("faces", "Faces", "which face each pixel's ray meets first", opaque(colors, mask), legend=legend)


def _scattered(index: Int[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """A number from 0 to 1 for every face, the same at every call, far from those of its neighbours in the list."""
    return np.asarray(np.mod(index.astype(np.float64) * 0.6180339887498949, 1.0))


def _weights(rendering: Rendering, mask: Bool[np.ndarray, "h w"]) -> Stage:
    weights = np.clip(array(rendering.fragments.barycentric), 0, 1)
    colors = np.rint(weights @ np.stack([_rgb(color) for color in CORNERS])).astype(np.uint8)
    names = ("first", "second", "third")
    legend: Legend = [("fill", color, f"{name} corner") for color, name in zip(CORNERS, names, strict=True)]
    about = "how near each ray meets the corners of its face"
    return Stage("weights", "Weights", about, opaque(colors, mask), legend=legend)


def _depth(rendering: Rendering, mask: Bool[np.ndarray, "h w"]) -> Stage:
    depth = array(rendering.depth)
    some = depth[mask] if mask.any() else np.zeros(1)
    low, high = float(some.min()), float(some.max())
    part = (np.where(mask, depth, low) - low) / ((high - low) or 1.0)
    bar = {"label": "depth", "ends": [look.length(low), look.length(high)]}
    return Stage("depth", "Depth", "how far away, along the camera's axis", opaque(_sequential(part), mask), bar=bar)


def _normals(rendering: Rendering, mask: Bool[np.ndarray, "h w"]) -> Stage:
    colors = np.rint(127.5 + 127.5 * array(rendering.normals)).astype(np.uint8)
    legend: Legend = [
        ("fill", "#ff8080", "+x: its own left"), ("fill", "#80ff80", "+y: up"), ("fill", "#8080ff", "+z: ahead"),
    ]  # fmt: skip
    return Stage("normals", "Normals", "mixed from those of the corners", opaque(colors, mask), legend=legend)


def _uv(rendering: Rendering, mask: Bool[np.ndarray, "h w"]) -> Stage:
    assert rendering.uv is not None
    uv = array(rendering.uv).astype(np.float64)
    u, v = np.moveaxis(np.clip(uv, 0, 1), -1, 0)[..., None]
    origin, right, up, far = (_rgb(color) for color in _SQUARE)
    colors = (1 - v) * ((1 - u) * origin + u * right) + v * ((1 - u) * up + u * far)
    odd = np.floor(uv * _CHECKS).sum(axis=-1).astype(np.int64) % 2
    colors = np.rint(colors * np.where(odd, 0.84, 1.0)[..., None]).astype(np.uint8)
    legend: Legend = [("fill", _SQUARE[0], "u = 0, v = 0"), ("fill", _SQUARE[1], "u = 1, v = 0"),
                      ("fill", _SQUARE[2], "u = 0, v = 1"), ("fill", _SQUARE[3], "u = 1, v = 1")]  # fmt: skip
    return Stage("uv", "Texture", "where each pixel looks at the texture", opaque(colors, mask), legend=legend)


def _colors(rendering: Rendering, light: Lighting | None, mask: Bool[np.ndarray, "h w"]) -> list[Stage]:
    """Colour without light, the light, the highlights, and all of them together."""
    record = recorded(rendering)
    made = [Stage("color", "Colour", "of the surface, without light", opaque(to_uint8(record.colors), mask))]
    if light is not None:
        shown, bar = _bright(record.irradiance, "light that arrives")
        made.append(Stage("light", "Light", "what arrives at the surface", opaque(shown, mask), bar=bar))
        if light.shines:
            shown, bar = _bright(record.highlights, "highlights")
            about = "what the gloss sends to the camera"
            made.append(Stage("highlights", "Highlights", about, opaque(shown, mask), bar=bar))
    about = ("the colour as it is", "colour × light", "colour × light + highlights")[len(made) - 1]
    return [*made, Stage("picture", "Picture", about, opaque(to_uint8(rendering.picture), np.ones_like(mask)))]


def _bright(values: Float[torch.Tensor, "h w 3"], label: str) -> tuple[UInt8[np.ndarray, "h w 3"], dict[str, Any]]:
    """Light as a picture whose white is the brightest of it."""
    most = float(values.max())
    bar = {"label": label, "ends": ["0", look.number(most)], "scale": "grey"}
    return to_uint8(values / most if most > 0 else values), bar


def _soft_mask(rendering: Rendering) -> Stage:
    assert rendering.soft_mask is not None
    values = array(rendering.soft_mask)
    bar = {"label": "soft mask", "ends": ["0", "1"]}
    legend: Legend = [("hatch", look.MISSED, "0: no face within the margin")]
    about = "1 on the mesh, falling with the distance beside it"
    return Stage("soft_mask", "Soft mask", about, opaque(_sequential(values), values > 0), bar=bar, legend=legend)


def _sequential(part: Float[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    colors: UInt8[np.ndarray, "h w 3"] = look.sequential()[np.rint(255 * np.clip(part, 0, 1)).astype(np.int64)]
    return colors


def _rgb(color: str) -> Float[np.ndarray, "3"]:
    return np.array([int(color[k : k + 2], 16) for k in (1, 3, 5)], dtype=float)
