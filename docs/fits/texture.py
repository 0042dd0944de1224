"""A texture comes back from pictures: every texel that a camera sees gets the colour that explains what was seen.

``python docs/fits/texture.py [FOLDER]`` draws ``texture-recovery.png`` in about half a minute.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from PIL import Image
from torch import Tensor

from headviz.geometry import Cameras, MeshBatch
from headviz.geometry.color import to_uint8
from headviz.heads.model import load_head
from headviz.heads.paint import paint, paint_maps
from headviz.models.preview import captioned
from headviz.render import RenderSettings, headlight, render

TRUE = RenderSettings(supersample=3)  #: a photograph averages over its pixels
GREY = 0.3  #: where nothing is known
FITTED = RenderSettings(texture_filter="mipmap")


@dataclass(frozen=True, eq=False)
class TextureFit:
    """What came of it.

    Attributes:
        head: with the true texture.
        texture: the one found, linear RGB, shape (h, w, 3).
        seen: texels that the pictures depend on, shape (h, w).
        losses: mean absolute difference of the pictures, after every step.
        unseen: from where no picture was taken, for the test.
    """

    head: MeshBatch
    texture: Float[Tensor, "h w 3"]
    seen: Bool[Tensor, "h w"]
    losses: tuple[float, ...]
    unseen: Cameras


def fit(*, steps: int = 120, size: int = 256, texels: int = 384, seed: int = 2) -> TextureFit:
    """Paint a head, take eight pictures of it in known light, and find its texture from them.

    Args:
        steps: of Adam, four pictures each.
        size: of the pictures, pixels.
        texels: width and height of the texture.
        seed: of the painter.
    """
    model = load_head()
    truth = paint(paint_maps(model, texels), np.random.default_rng(seed))
    head = MeshBatch.of(replace(model.mesh(morphs=False), texture=truth))
    middle = model.mean.mean(0)
    yaw = torch.linspace(-1.6, 1.6, 8)
    cameras = Cameras.orbit(yaw, 0.25 * (3 * yaw).cos(), target=middle, distance=0.9, focal=2.9, size=size)
    light = headlight()
    wanted = render(head, cameras, light=light, settings=TRUE).picture
    texture = torch.full_like(truth[None], GREY).requires_grad_()
    optimizer = torch.optim.Adam([texture], lr=0.03, betas=(0.8, 0.95), eps=3e-6)
    losses = []
    for step in range(steps):
        some = torch.arange(step % 2, 8, 2)
        drawn = render(replace(head, texture=texture), cameras.select(some), light=light, settings=FITTED)
        loss = (drawn.picture - wanted[some]).abs()[drawn.mask].mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    seen = looked_at(replace(head, texture=texture), cameras)
    found = torch.where(seen[..., None], texture.detach()[0].clamp(0, 1), GREY)
    unseen = Cameras.orbit(torch.tensor([0.23]), 0.1, target=middle, distance=0.9, focal=2.9, size=size)
    return TextureFit(head, found, seen, tuple(losses), unseen)


def looked_at(head: MeshBatch, cameras: Cameras) -> Bool[Tensor, "h w"]:
    """Texels that pictures three times as large would look up."""
    drawn = render(head, cameras.enlarged(3))
    assert head.texture is not None
    (gradient,) = torch.autograd.grad(drawn.picture.sum(), head.texture)
    return gradient[0].abs().amax(-1) > 0


def quality(found: TextureFit) -> tuple[float, float]:
    """Peak signal-to-noise ratio, dB, of the start and of the result in a view that was not fitted."""
    truth = render(found.head, found.unseen, settings=TRUE)

    def of(texture: Tensor) -> float:
        made = render(replace(found.head, texture=texture[None]), found.unseen, settings=TRUE)
        return -10 * float(((made.picture - truth.picture)[truth.mask] ** 2).mean().log10())

    return of(torch.full_like(found.texture, GREY)), of(found.texture)


def draw(found: TextureFit, folder: Path) -> Path:
    """The textures, and a head with each from where no picture was taken."""
    size = found.unseen.width
    assert found.head.texture is not None
    rows = [found.head.texture[0], found.texture]
    flat = [torch.nn.functional.interpolate(t.permute(2, 0, 1)[None], (size, size), mode="area")[0].permute(1, 2, 0)
            for t in rows]  # fmt: skip
    views = [render(replace(found.head, texture=t[None]), found.unseen, light=headlight(), settings=TRUE).picture[0]
             for t in rows]  # fmt: skip
    row = np.concatenate([to_uint8(p) for p in (flat[0], flat[1], views[0], views[1])], axis=1)
    start, end = quality(found)
    names = ["true texture", "found from 8 pictures", "true head, new view", "head with the texture found"]
    sentence = (
        f"{len(found.losses)} steps: from {start:.1f} to {end:.1f} dB in a view that was not fitted; "
        "what no picture shows stays grey"
    )
    path = folder / "texture-recovery.png"
    Image.fromarray(captioned(row, names, sentence)).save(path, optimize=True)
    return path


def main(folder: Path) -> None:
    """Fit, draw, and say how good it is."""
    begun = time.perf_counter()
    found = fit()
    took = time.perf_counter() - begun
    start, end = quality(found)
    print(f"{len(found.losses)} steps in {took:.1f} s: {start:.1f} → {end:.1f} dB in a view that was not fitted, "
          f"{float(found.seen.float().mean()):.0%} of the texels were seen")  # fmt: skip
    print(draw(found, folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent)
