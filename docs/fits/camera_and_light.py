"""Camera and light come back from one picture of a known head: both are arguments that gradients reach.

``python docs/fits/camera_and_light.py [FOLDER]`` draws ``camera-and-light.png`` in about half a minute.
"""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from headviz.geometry import Cameras, MeshBatch
from headviz.geometry.color import to_uint8
from headviz.heads.model import load_head
from headviz.heads.paint import paint, paint_maps
from headviz.models.preview import captioned
from headviz.render import Harmonics, Lighting, SoftMask, iou_loss, render

FOCAL = 2.6


@dataclass(frozen=True, eq=False)
class Scene:
    """A camera on an orbit and soft light.

    Attributes:
        yaw, pitch: radians, shape (1,).
        distance: metres, shape (1,).
        target: what is in the middle of the picture, metres, shape (1, 3).
        harmonics: of the light, shape (9, 3).
    """

    yaw: Float[Tensor, "1"]
    pitch: Float[Tensor, "1"]
    distance: Float[Tensor, "1"]
    target: Float[Tensor, "1 3"]
    harmonics: Float[Tensor, "9 3"]

    def camera(self, size: int) -> Cameras:
        """The camera, for pictures of a size."""
        return Cameras.orbit(self.yaw, self.pitch, distance=self.distance, target=self.target, focal=FOCAL, size=size)

    @property
    def light(self) -> Lighting:
        """The light."""
        return Lighting((Harmonics(self.harmonics),))


@dataclass(frozen=True, eq=False)
class SceneFit:
    """What came of it.

    Attributes:
        head: what is seen.
        truth, start, found: the scenes.
        wanted: the picture, linear RGB, shape (h, w, 3).
        losses: after every step.
    """

    head: MeshBatch
    truth: Scene
    start: Scene
    found: Scene
    wanted: Float[Tensor, "h w 3"]
    losses: tuple[float, ...]


def painted_head(texels: int) -> MeshBatch:
    """The mean head with a painted texture."""
    model = load_head()
    texture = paint(paint_maps(model, texels), np.random.default_rng(5))
    return MeshBatch.of(replace(model.mesh(morphs=False), texture=texture))


def scenes(middle: Tensor) -> tuple[Scene, Scene]:
    """The true scene, and the frontal one in grey light where the search begins."""
    harmonics = torch.zeros(9, 3)
    harmonics[0] = torch.tensor([0.7, 0.62, 0.55])
    harmonics[1:4] = torch.tensor([[0.1, 0.12, 0.2], [0.15, 0.15, 0.15], [0.3, 0.25, 0.12]])
    shift = torch.tensor([[0.02, -0.015, 0.0]])
    truth = Scene(torch.tensor([0.55]), torch.tensor([-0.2]), torch.tensor([0.8]), middle[None] + shift, harmonics)
    plain = torch.zeros(9, 3)
    plain[0] = 0.5
    return truth, Scene(torch.zeros(1), torch.zeros(1), torch.tensor([1.0]), middle[None], plain)


def fit(*, steps: int = 300, size: int = 96, texels: int = 256) -> SceneFit:
    """Find camera and light of one picture.

    Args:
        steps: of Adam.
        size: of the picture, pixels.
        texels: width and height of the head's texture.
    """
    head = painted_head(texels)
    truth, start = scenes(head.vertices[0].mean(0))
    goal = render(head, truth.camera(size), light=truth.light)
    outline = goal.mask.float()
    places = [value.clone().requires_grad_() for value in (start.yaw, start.pitch, start.distance, start.target)]
    harmonics = start.harmonics.clone().requires_grad_()
    optimizer = torch.optim.Adam([{"params": places, "lr": 0.02}, {"params": [harmonics], "lr": 0.02}])
    slower = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.1 ** (1 / steps))
    losses = []
    for step in range(steps):
        scene = Scene(*places, harmonics)
        soft = SoftMask(delta=1e-2 * 0.005 ** (step / steps))
        drawn = render(head, scene.camera(size), light=scene.light, soft=soft)
        assert drawn.soft_mask is not None
        color = (drawn.picture - goal.picture)[drawn.mask & goal.mask].abs().mean()
        # Outlines lead the way; in the end only colours count, for a soft mask is a little larger than its mesh.
        loss = color + 1.5 * (1 - step / steps) * iou_loss(drawn.soft_mask, outline).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        slower.step()
        losses.append(float(loss.detach()))
    found = Scene(*(value.detach() for value in places), harmonics.detach())
    return SceneFit(head, truth, start, found, goal.picture[0], tuple(losses))


def errors(found: SceneFit, one: Scene) -> dict[str, float]:
    """How far a scene is from the true one.

    Returns:
        Degrees between the cameras' axes, millimetres between their centres, and the root mean square error of the
        light on all that is seen, in parts of its mean.
    """
    truth = found.truth
    a, b = one.camera(64), truth.camera(64)
    cosine = float((a.rotation[0, 2] * b.rotation[0, 2]).sum().clamp(-1, 1))
    seen = render(found.head, b).surface
    lights = [scene.light.irradiance(seen.points, seen.normals) for scene in (one, truth)]
    return {
        "degrees": math.degrees(math.acos(cosine)),
        "millimetres": 1e3 * float((a.position - b.position).norm()),
        "light": float((lights[0] - lights[1]).square().mean().sqrt() / lights[1].mean()),
    }


def draw(found: SceneFit, folder: Path, size: int = 256) -> Path:
    """The picture, the start, what was found, and the difference."""
    shown = [render(found.head, scene.camera(size), light=scene.light).picture[0]
             for scene in (found.truth, found.start, found.found)]  # fmt: skip
    apart = 1 - (5 * (shown[2] - shown[0]).abs()).clamp(0, 1)
    row = np.concatenate([to_uint8(picture) for picture in (*shown, apart)], axis=1)
    before, after = errors(found, found.start), errors(found, found.found)
    sentence = (
        f"{len(found.losses)} steps: the view was {before['degrees']:.0f}° off and is {after['degrees']:.2f}°, "
        f"the camera {before['millimetres']:.0f} and {after['millimetres']:.1f} mm, "
        f"the light {before['light']:.0%} and {after['light']:.1%}"
    )
    path = folder / "camera-and-light.png"
    Image.fromarray(captioned(row, ["the picture", "start", "found", "difference, five times"], sentence)).save(
        path, optimize=True
    )
    return path


def main(folder: Path) -> None:
    """Fit, draw, and say how good it is."""
    begun = time.perf_counter()
    found = fit()
    print(f"{len(found.losses)} steps in {time.perf_counter() - begun:.1f} s: {errors(found, found.start)} → "
          f"{errors(found, found.found)}")  # fmt: skip
    print(draw(found, folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent)
