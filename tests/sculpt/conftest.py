"""Heads and bodies to sculpt."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from headviz.geometry.mesh import Mesh
from headviz.heads.model import load_head
from headviz.sculpt import SculptSession


@pytest.fixture(scope="session")
def head() -> Mesh:
    """The packaged head, with its 52 expressions as sliders."""
    return load_head().mesh()


@pytest.fixture
def session(head: Mesh) -> SculptSession:
    """A session on the packaged head."""
    return SculptSession(head)


def wavy_sheet(side: int = 24, *, lean: float = 0.0) -> Mesh:
    """An open sheet in x and y with waves along z; symmetric across x = 0 unless it leans."""
    across = np.linspace(-0.1, 0.1, side)
    x, y = np.meshgrid(across, across)
    z = 0.01 * np.cos(60 * x) * np.sin(50 * y) + lean * x
    index = np.arange(side * side).reshape(side, side)
    a, b, c, d = index[:-1, :-1].ravel(), index[:-1, 1:].ravel(), index[1:, 1:].ravel(), index[1:, :-1].ravel()
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    points = np.stack([x, y, z], -1).reshape(-1, 3).astype(np.float32)
    points[:, 0] = (points[:, 0] - points[index[:, ::-1].ravel(), 0]) / 2
    return Mesh(torch.from_numpy(points), torch.from_numpy(faces))


@pytest.fixture
def sheet() -> Mesh:
    """A symmetric sheet with a boundary."""
    return wavy_sheet()


@pytest.fixture
def leaning_sheet() -> Mesh:
    """A sheet without twins by position."""
    return wavy_sheet(lean=0.4)
