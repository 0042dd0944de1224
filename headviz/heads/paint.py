"""Painted skin: random but plausible albedo in UV space, for pictures of heads whose shape is known.

There are no skin photographs in the head's source, so skin tone, lips, brows, lashes, irises, stubble, hair
and blemishes are painted from signed distances to outlines on the mean head.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from headviz.geometry.polygon import polygon_distance
from headviz.heads.landmarks import CHIN, GLABELLA, NOSE_BASE, OUTLINES
from headviz.heads.model import HeadModel
from headviz.render.raster import embree_rasterize_uv

Rng = np.random.Generator


@dataclass(frozen=True, eq=False)
class PaintMaps:
    """What the painter knows of every texel of a size × size texture.

    Attributes:
        position: place on the mean head, metres, shape (size, size, 3).
        covered: texels that belong to a chart.
        distances: signed distance to named outlines in the frontal view, metres, negative inside.
        iris: distance from each eye's axis in units of the iris radius, large elsewhere.
        inside: mouth interior.
        tongue: the tongue, painted as light as teeth, for the source has none and a detector expects them.
        levels: heights of brow, nose base and chin, metres.
    """

    position: Float[Tensor, "s s 3"]
    covered: Bool[Tensor, "s s"]
    distances: dict[str, Float[Tensor, "s s"]]
    iris: Float[Tensor, "s s"]
    eyeball: Bool[Tensor, "s s"]
    inside: Bool[Tensor, "s s"]
    tongue: Bool[Tensor, "s s"]
    levels: dict[str, float]


def paint_maps(head: HeadModel, size: int = 384) -> PaintMaps:
    """Prepare the maps that :func:`paint` needs; about a second."""
    fragments = embree_rasterize_uv(head.uv, head.uv_faces, size)
    position = fragments.interpolate(head.mean, head.faces)
    covered = fragments.mask
    landmarks = head.landmarks(head.mean)
    skin = head.region("skin")[head.faces].all(1)
    main = covered & skin[fragments.face.clamp(min=0)]
    front = main & (position[..., 2] > landmarks[:, 2].min() - 0.01)
    distances = {}
    for name, outline in OUTLINES.items():
        distance = torch.full((size, size), 1.0)
        distance[front] = polygon_distance(position[front][:, :2], landmarks[list(outline), :2])
        distances[name] = distance
    iris = torch.full((size, size), 99.0)
    eyeball = torch.zeros(size, size, dtype=torch.bool)
    for name in ("right_eyeball", "left_eyeball"):
        region = head.region(name)
        texels = covered & region[head.faces].all(1)[fragments.face.clamp(min=0)]
        ball = head.mean[region]
        apex = ball[ball[:, 2].argmax()]
        iris[texels] = (position[texels] - apex)[:, :2].norm(dim=1) / 0.0058
        eyeball |= texels
    kinds = {name: head.region(name)[head.faces].all(1) for name in ("mouth_inside", "tongue")}
    pick = {name: covered & mask[fragments.face.clamp(min=0)] for name, mask in kinds.items()}
    levels = {n: float(landmarks[i, 1]) for n, i in (("brow", GLABELLA), ("nose", NOSE_BASE), ("chin", CHIN))}
    return PaintMaps(position, covered, distances, iris, eyeball, pick["mouth_inside"], pick["tongue"], levels)


def _soft(distance: Tensor, width: float) -> Tensor:
    """1 inside, 0 outside, a smooth edge of the given width in metres."""
    return torch.sigmoid(-4 * distance / width)


def _noise(rng: Rng, size: int, cells: int) -> Tensor:
    """Smooth noise in [−1, 1] with about ``cells`` features across."""
    coarse = torch.as_tensor(rng.uniform(-1, 1, (1, 1, cells, cells)), dtype=torch.float32)
    return torch.nn.functional.interpolate(coarse, (size, size), mode="bicubic", align_corners=False)[0, 0]


def _skin_tone(rng: Rng) -> Tensor:
    """Linear RGB along the line from dark to light human skin, with a little variation of hue."""
    dark, light = torch.tensor([0.085, 0.043, 0.028]), torch.tensor([0.78, 0.52, 0.40])
    t = float(rng.uniform(0, 1))
    tone = torch.exp((1 - t) * torch.log(dark) + t * torch.log(light))
    return (tone * torch.as_tensor(rng.normal(1, (0.04, 0.07, 0.10)), dtype=torch.float32)).clamp(0.01, 0.9)


def _mix(albedo: Tensor, color: Tensor, amount: Tensor) -> Tensor:
    return albedo + amount[..., None] * (color - albedo)


def paint(maps: PaintMaps, rng: Rng) -> Float[Tensor, "s s 3"]:
    """A random albedo, linear RGB, shape (size, size, 3)."""
    size = maps.iris.shape[0]
    tone = _skin_tone(rng)
    mottle = 1 + 0.06 * _noise(rng, size, 24) + 0.05 * _noise(rng, size, 6) + 0.05 * _noise(rng, size, 160)
    albedo = tone * mottle[..., None]
    spots = _noise(rng, size, 200) > rng.uniform(0.8, 1.4)
    albedo = _mix(albedo, tone * 0.6, spots.float() * 0.6)
    hair = torch.as_tensor(
        np.exp(rng.uniform(np.log(0.006), np.log(0.35))) * rng.uniform((1, 0.6, 0.35), (1, 0.95, 0.9))
    )
    hair = hair.float()
    albedo = _paint_hair(maps, rng, albedo, hair)
    albedo = _paint_lips(maps, rng, albedo, tone)
    return _paint_eyes(maps, rng, albedo, tone)


def _paint_hair(maps: PaintMaps, rng: Rng, albedo: Tensor, hair: Tensor) -> Tensor:
    size = maps.iris.shape[0]
    strands = 0.75 + 0.5 * _noise(rng, size, 220).abs()
    x, y, z = maps.position.unbind(-1)
    hairline = maps.levels["brow"] + rng.uniform(0.045, 0.075) + 0.01 * _noise(rng, size, 12)
    behind = z.max() - z
    scalp = torch.sigmoid((y - hairline + 1.15 * (behind - 0.035).clamp(min=0)) / 0.003)
    scalp = scalp * torch.sigmoid((y - maps.levels["nose"] + 0.02 * rng.standard_normal()) / 0.004)
    ears = (x.abs() > 0.066) & (behind > 0.07) & (y < maps.levels["brow"] + 0.02)
    if rng.uniform() < 0.8:
        albedo = _mix(albedo, hair * strands[..., None], scalp * rng.uniform(0.7, 1.0) * (~ears).float())
    grow, strength = rng.uniform(-0.001, 0.0022), rng.uniform(0.35, 0.95)
    shift = tuple(int(v) for v in rng.integers(-3, 4, 2))
    for side in ("right_brow", "left_brow"):
        distance = torch.roll(maps.distances[side], shift if side == "right_brow" else (shift[0], -shift[1]), (0, 1))
        patchy = (0.7 + 0.5 * _noise(rng, size, 150)).clamp(0, 1)
        albedo = _mix(albedo, hair * strands[..., None], _soft(distance - grow, 0.004) * strength * patchy)
    if rng.uniform() < 0.35:
        chin = torch.sigmoid((maps.levels["nose"] - 0.006 - y) / 0.004) * torch.sigmoid((0.062 - behind) / 0.006)
        chin = chin * torch.sigmoid((maps.distances["lips"] - 0.002) / 0.001)
        cheeks = torch.sigmoid((y - maps.levels["nose"] + 0.02) / 0.006) * torch.sigmoid((0.03 - x.abs()) / 0.003)
        beard = torch.maximum(
            chin * torch.sigmoid((maps.levels["nose"] - 0.03 + 0.3 * x.abs() - y) / 0.006), chin * cheeks
        )
        albedo = _mix(albedo, hair * strands[..., None], beard * rng.uniform(0.15, 0.9))
    return albedo


def _paint_lips(maps: PaintMaps, rng: Rng, albedo: Tensor, tone: Tensor) -> Tensor:
    red = tone * torch.as_tensor(rng.uniform((0.75, 0.35, 0.35), (1.05, 0.7, 0.75)), dtype=torch.float32)
    lips = _soft(maps.distances["lips"] - rng.uniform(-0.0008, 0.0008), 0.0016)
    albedo = _mix(albedo, red, lips * rng.uniform(0.4, 1.0))
    seam = torch.exp(-((maps.distances["mouth"] / 0.0008) ** 2))
    albedo = _mix(albedo, red * 0.45, seam * 0.6)
    albedo = _mix(albedo, torch.tensor([0.10, 0.02, 0.02]), maps.inside.float())
    return _mix(albedo, torch.tensor([0.62, 0.56, 0.48]), maps.tongue.float())


def _paint_eyes(maps: PaintMaps, rng: Rng, albedo: Tensor, tone: Tensor) -> Tensor:
    lash = torch.minimum(maps.distances["right_eye"], maps.distances["left_eye"])
    edge = torch.exp(-((lash / rng.uniform(0.0008, 0.0018)) ** 2))
    albedo = _mix(albedo, tone * 0.12, edge * rng.uniform(0.3, 0.9))
    shadow = torch.exp(-((lash / 0.008) ** 2)) * (lash > 0)
    albedo = _mix(albedo, tone * torch.tensor([0.7, 0.6, 0.6]), shadow * rng.uniform(0, 0.6))
    colors = torch.tensor(
        [[0.05, 0.02, 0.01], [0.16, 0.08, 0.03], [0.12, 0.14, 0.05], [0.12, 0.22, 0.36], [0.2, 0.22, 0.22]]
    )
    ring = colors[int(rng.integers(len(colors)))]
    radius, scale = maps.iris, rng.uniform(0.92, 1.12)
    white = torch.as_tensor(rng.uniform((0.55, 0.5, 0.46), (0.8, 0.76, 0.74)), dtype=torch.float32)
    eye = white * (1 - 0.2 * (radius[..., None] - 1).clamp(0, 1) * torch.tensor([0.3, 1.0, 1.0]))
    iris = torch.sigmoid((scale - radius) / 0.04)
    eye = _mix(eye, ring * 0.4, iris)
    eye = _mix(eye, ring, torch.sigmoid((scale - 0.14 - radius) / 0.05))
    eye = _mix(eye, torch.tensor([0.004, 0.004, 0.004]), torch.sigmoid((rng.uniform(0.3, 0.5) - radius) / 0.04))
    return torch.where(maps.eyeball[..., None], eye, albedo)
