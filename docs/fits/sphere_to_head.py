"""A sphere becomes a head: only the outlines in some pictures are known, and the soft mask's gradients do the rest.

``python docs/fits/sphere_to_head.py [FOLDER]`` draws ``sphere-to-head.gif`` in about a minute.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from headviz.geometry import Cameras, MeshBatch, Topology, compare_surfaces, icosphere
from headviz.geometry.color import to_uint8
from headviz.geometry.mesh import Mesh
from headviz.geometry.regularizers import edge_length, flatness, laplacian_smoothing
from headviz.heads.model import load_head
from headviz.models.preview import captioned
from headviz.render import RenderSettings, SoftMask, headlight, iou_loss, render

DISTANCE, FOCAL = 0.9, 2.6


@dataclass(frozen=True, eq=False)
class SphereFit:
    """What came of it.

    Attributes:
        truth: the head.
        states: the mesh at the start and after some of the steps.
        losses: 1 − intersection over union after every step, mean of all views.
        cameras: the views.
    """

    truth: Mesh
    states: tuple[Mesh, ...]
    losses: tuple[float, ...]
    cameras: Cameras


def views(count: int, size: int, target: Tensor) -> Cameras:
    """Cameras all around, alternately a little from above and from below."""
    yaw = torch.arange(count) * (2 * torch.pi / count)
    pitch = torch.tensor([0.35, -0.35]).repeat(count)[:count]
    return Cameras.orbit(yaw, pitch, distance=DISTANCE, target=target, focal=FOCAL, size=size)


def symmetric(offsets: Tensor, ball: Mesh) -> Tensor:
    """Offsets whose mirror image is the same: a head's two sides look alike, which the outlines need not tell."""
    assert ball.mirror is not None
    return (offsets + offsets[ball.mirror] * offsets.new_tensor([-1.0, 1.0, 1.0])) / 2


def fit(*, steps: int = 300, count: int = 12, size: int = 128, subdivisions: int = 4, frames: int = 20) -> SphereFit:
    """Fit an icosphere to the outlines of the mean head.

    Args:
        steps: of Adam.
        count: views.
        size: of the pictures, pixels.
        subdivisions: of the icosphere.
        frames: states to keep, beside the start.
    """
    truth = load_head().solid()
    middle = (truth.vertices.amin(0) + truth.vertices.amax(0)) / 2
    cameras = views(count, size, middle)
    wanted = render(truth, cameras).mask.float()
    ball = icosphere(subdivisions, radius=0.1)
    topology = Topology.of(ball.faces, len(ball.vertices))
    start = ball.vertices + middle
    offsets = torch.zeros_like(start).requires_grad_()
    optimizer = torch.optim.Adam([offsets], lr=2e-3)
    states, losses = [Mesh(start, ball.faces)], []
    for step in range(steps):
        soft = SoftMask(delta=1e-3 * 0.01 ** (step / steps))  # a wide mask is seen from afar, a narrow one is exact
        vertices = start + symmetric(offsets, ball)
        drawn = render(MeshBatch(vertices[None], ball.faces), cameras, soft=soft)
        assert drawn.soft_mask is not None
        apart = iou_loss(drawn.soft_mask, wanted).mean()
        smooth = 40 * laplacian_smoothing(vertices, topology) + 40 * edge_length(vertices, topology)
        optimizer.zero_grad()
        (apart + smooth + flatness(vertices, topology)).backward()
        optimizer.step()
        losses.append(float(apart.detach()))
        if (step + 1) * frames // steps > step * frames // steps:
            states.append(Mesh((start + symmetric(offsets, ball)).detach(), ball.faces))
    return SphereFit(truth, tuple(states), tuple(losses), cameras)


def overlap(one: Mesh, other: Mesh, cameras: Cameras) -> float:
    """Intersection over union of hard masks, mean of all views."""
    a, b = render(one, cameras).mask, render(other, cameras).mask
    return float(((a & b).sum((1, 2)) / (a | b).sum((1, 2))).mean())


def draw(found: SphereFit, folder: Path, side: int = 220) -> Path:
    """All states as a moving picture, beside the head."""
    frames = []
    middle = found.truth.vertices.mean(0)
    cameras = Cameras.orbit(torch.tensor([0.0, 0.6, 1.57]), 0.1, distance=DISTANCE, target=middle, focal=2.8, size=side)
    settings = RenderSettings(supersample=2)
    steps = len(found.losses)
    truth = render(found.truth, cameras, light=headlight(), settings=settings).picture
    for k, state in enumerate(found.states):
        step = k * steps // (len(found.states) - 1)
        pictures = render(state, cameras, light=headlight(), settings=settings).picture
        row = np.concatenate([to_uint8(p) for p in (*pictures, truth[1])], axis=1)
        share = overlap(state, found.truth, found.cameras)
        sentence = f"step {step} of {steps}: its outlines overlap to {share:.3f} with the head's"
        frames.append(Image.fromarray(captioned(row, ["from the front", "turned", "profile", "the head"], sentence)))
    palette = [frame.quantize(64, dither=Image.Dither.NONE) for frame in frames]
    path = folder / "sphere-to-head.gif"
    waits = [700, *[160] * (len(frames) - 2), 3000]
    palette[0].save(path, save_all=True, append_images=palette[1:], duration=waits, loop=0, optimize=True)
    return path


def main(folder: Path) -> None:
    """Fit, draw, and say how good it is."""
    begun = time.perf_counter()
    found = fit()
    took = time.perf_counter() - begun
    first, last = (compare_surfaces(state, found.truth).accuracy for state in (found.states[0], found.states[-1]))
    share = overlap(found.states[-1], found.truth, found.cameras)
    print(f"{len(found.losses)} steps in {took:.1f} s: outlines overlap to {share:.4f}, "
          f"the surface is {1e3 * first:.1f} → {1e3 * last:.2f} mm from the head's on average")  # fmt: skip
    print(draw(found, folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent)
