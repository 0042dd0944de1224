"""Renderings to look at, for the tests of their viewer."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from headviz import viewers
from headviz.geometry.camera import look_at_head
from headviz.geometry.mesh import Mesh
from headviz.render.soft import SoftMask
from headviz.viewers.rendering import RenderingViewer

SIDE, SOFT = 48, SoftMask(delta=1 / 300)
CAMERA = look_at_head(yaw=0.3, pitch=0.1, target=(0.0, 0.0, 0.01), size=SIDE)


def triangle(**changes: Any) -> RenderingViewer:
    """A triangle across the view: at 80 pixels per metre, its lower side along row 20."""
    corners = torch.tensor([[-0.1, -0.1, 0.0], [0.1, -0.1, 0.0], [0.0, 0.1, 0.0]])
    mesh = Mesh(corners, torch.tensor([[0, 1, 2]]), colors=torch.eye(3))
    options: dict[str, Any] = {"soft": SoftMask(delta=0.01), "vertices": {"left": 0, "top": 2}}
    return viewers.view_rendering(mesh, look_at_head(distance=0.9, focal=3.0, size=24), **options | changes)


def some_pixels(viewer: RenderingViewer, count: int) -> list[tuple[int, int]]:
    """Columns and rows of covered pixels, of those with a soft mask, and of any, in equal parts."""
    random, arrays = np.random.default_rng(0), viewer.record.arrays
    beside = (arrays["face"] < 0) & (arrays["soft_mask"] > 0)
    parts = [np.argwhere(some) for some in (arrays["face"] >= 0, beside, arrays["face"] >= -1)]
    return [(int(column), int(row)) for part in parts for row, column in random.choice(part, count)]
