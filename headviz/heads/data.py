"""Pictures of heads whose shape is known: random paint, hair, expression, pose, light, background."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from headviz.geometry.camera import Camera
from headviz.geometry.mesh import Mesh, vertex_normals
from headviz.heads.model import HeadModel
from headviz.heads.paint import PaintMaps, paint
from headviz.render.light import Directional, Harmonics, Lighting
from headviz.render.shade import render

Rng = np.random.Generator


@dataclass(frozen=True, eq=False)
class HeadPicture:
    """A rendered head and the truth behind it.

    Attributes:
        picture: linear RGB in [0, 1], shape (size, size, 3).
        camera: the camera that took it; the head is in its canonical pose.
        expression: the 52 weights, shape (52,).
        yaw, pitch, roll: turn of the head relative to the camera, radians; positive yaw shows the head's left side.
    """

    picture: Float[Tensor, "s s 3"]
    camera: Camera
    expression: Float[Tensor, "52"]
    yaw: float
    pitch: float
    roll: float


def random_expression(rng: Rng, names: tuple[str, ...]) -> Float[Tensor, "52"]:
    """Weights of a random expression: a quarter neutral, else a few shapes, mostly the same on both sides."""
    weights = np.zeros(len(names), dtype=np.float32)
    index = {name: k for k, name in enumerate(names)}
    if rng.uniform() < 0.75:
        stems = sorted({name.removesuffix("Left").removesuffix("Right") for name in names} - {"tongueOut"})
        for stem in rng.choice(stems, int(rng.integers(1, 7)), replace=False):
            value, lean = rng.beta(1.2, 1.8), rng.uniform(0.7, 1.0)
            if str(stem) in ("jawOpen", "mouthFunnel", "mouthPucker", "mouthClose"):
                value *= 0.6
            for side, factor in ((stem, 1.0), (f"{stem}Left", 1.0), (f"{stem}Right", lean)):
                if side in index:
                    weights[index[str(side)]] = value * factor
        weights[index["mouthClose"]] = min(weights[index["mouthClose"]], weights[index["jawOpen"]])
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        weights[index[name]] = max(weights[index[name]], float(rng.uniform(0, 0.15)))
    return torch.from_numpy(weights)


def random_camera(
    rng: Rng, size: int, target: Float[Tensor, "3"], height: float, max_yaw: float
) -> tuple[Camera, float, float, float]:
    """A camera that sees the head turned by up to ``max_yaw`` radians; returns it with yaw, pitch, roll."""
    yaw, pitch = float(rng.uniform(-max_yaw, max_yaw)), float(rng.normal(0, 0.14))
    roll = float(rng.normal(0, 0.10))
    focal = float(np.exp(rng.uniform(np.log(26), np.log(110)))) / 36 * size
    share = float(rng.uniform(0.4, 0.8))
    distance = focal * height / (share * size)
    cy, sy, cp, sp, cr, sr = (f(a) for a in (yaw, pitch, roll) for f in (np.cos, np.sin))
    turn_y = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    turn_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    turn_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    rotation = torch.as_tensor(turn_z @ turn_x @ turn_y, dtype=torch.float32)
    shift = torch.as_tensor(rng.uniform(-0.12, 0.12, 2) * distance * size / focal, dtype=torch.float32)
    translation = torch.tensor([float(shift[0]), float(shift[1]), -distance]) - rotation @ target
    return Camera(rotation, translation, focal, torch.tensor([size / 2, size / 2]), size, size), yaw, pitch, roll


def random_light(rng: Rng) -> Lighting:
    """Soft light from everywhere plus one key light, in front more often than not, slightly tinted."""
    harmonics = torch.zeros(9, 3)
    tint = torch.as_tensor(rng.normal(1, 0.06, 3), dtype=torch.float32)
    harmonics[0] = float(rng.uniform(0.35, 0.8)) * tint
    harmonics[1:4] = torch.as_tensor(rng.normal(0, 0.14, (3, 1)), dtype=torch.float32) * tint
    harmonics[4:] = torch.as_tensor(rng.normal(0, 0.04, (5, 1)), dtype=torch.float32) * tint
    aim = torch.as_tensor([rng.normal(0, 0.7), rng.normal(0.4, 0.4), rng.uniform(0.2, 1)], dtype=torch.float32)
    color = torch.as_tensor(rng.normal(1, 0.06, 3), dtype=torch.float32) * float(rng.uniform(0.1, 0.9))
    key = Directional(torch.nn.functional.normalize(aim, dim=0), color)
    return Lighting((Harmonics(harmonics), key), gloss=float(rng.uniform(0, 0.25)))


def random_background(rng: Rng, size: int) -> Float[Tensor, "s s 3"]:
    """Smooth coloured noise, from plain to busy."""
    picture = torch.zeros(1, 3, size, size)
    for cells in (1, 4, int(rng.integers(6, 40))):
        coarse = torch.as_tensor(rng.uniform(0, 1, (1, 3, cells, cells)), dtype=torch.float32)
        coarse = coarse.mean(1, keepdim=True).lerp(coarse, float(rng.uniform(0, 0.7)))
        layer = torch.nn.functional.interpolate(coarse, (size, size), mode="bilinear", align_corners=False)
        picture = picture + layer * float(rng.uniform(0.1, 1))
    return (picture[0].permute(1, 2, 0) / picture.max() * float(rng.uniform(0.1, 1))).clamp(0, 1)


def grow_hair(vertices: Float[Tensor, "n 3"], head: HeadModel, rng: Rng) -> Float[Tensor, "n 3"]:
    """Push the scalp outwards by up to 4 cm, as hair does; the face keeps its shape."""
    scalp = head.region("scalp")
    volume = float(rng.choice([0.0, rng.uniform(0, 0.012), rng.uniform(0.01, 0.04)]))
    rise = (vertices[:, 1] - vertices[scalp, 1].min()) / 0.08
    normals = vertex_normals(vertices, head.faces)
    return vertices + normals * (volume * rise.clamp(0, 1) * scalp)[:, None]


def render_head(
    head: HeadModel,
    maps: PaintMaps,
    neutral: Float[Tensor, "n 3"],
    rng: Rng,
    *,
    size: int = 384,
    max_yaw: float = 0.7854,
) -> HeadPicture:
    """Draw one random picture of a neutral head with the head model's topology.

    Args:
        head: the head model, for topology, regions and expressions.
        maps: what the painter knows of the head's texture.
        neutral: vertices of the head, metres, shape (n, 3); need not lie in the linear model.
        rng: every choice comes from it.
        size: width and height, pixels; drawn at this size without supersampling.
        max_yaw: largest turn to either side, radians.
    """
    expression = random_expression(rng, head.expression_names)
    vertices = neutral + torch.einsum("e,enc->nc", expression, head.expression)
    face = vertices[head.region("face")]
    height = 1.35 * float(face[:, 1].max() - face[:, 1].min())
    camera, yaw, pitch, roll = random_camera(rng, size, face.mean(0), height, max_yaw)
    mesh = Mesh(
        grow_hair(vertices, head, rng), head.faces, uv=head.uv, uv_faces=head.uv_faces, texture=paint(maps, rng)
    )
    picture = render(mesh, camera, light=random_light(rng), background=random_background(rng, size)).picture
    picture = picture * float(rng.uniform(0.35, 0.75)) / picture[::5, ::5].mean(-1).quantile(0.9).clamp(min=0.05)
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    noise = torch.randn(picture.shape, generator=generator) * float(rng.uniform(0, 0.015))
    return HeadPicture((picture + noise).clamp(0, 1), camera, expression, yaw, pitch, roll)
