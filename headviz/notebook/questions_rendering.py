"""The questions of notebook 07, each with the few lines that compute its answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from headviz.geometry.camera import Camera, Cameras
from headviz.geometry.mesh import Mesh
from headviz.geometry.mesh_batch import MeshBatch
from headviz.notebook.checks import Truth
from headviz.notebook.questions import question
from headviz.render import Fragments, SoftMask, rasterize, render
from headviz.render.soft import reference

_DIB_R = SoftMask(delta=1 / 7000)


def _seen(corners: Sequence[tuple[float, float, float]], faces: list[list[int]], size: tuple[int, int]) -> Fragments:
    """What pixels see of faces whose corners are given by column, row (pixels) and depth (metres)."""
    places = torch.tensor(corners, dtype=torch.float64)
    points = torch.stack([places[:, 0] * places[:, 2], -places[:, 1] * places[:, 2], -places[:, 2]], dim=1)
    eye, zero = torch.eye(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    camera = Camera(eye, zero, 1.0, zero[:2], width=size[1], height=size[0])
    return rasterize(points, torch.tensor(faces), camera, backend="torch")


@question(
    "07.1", "Centres are at 1.5, 2.5, … Count row by row: a centre (x, y) is inside if x > 1.6, y > 1.6 and "
    "x + y < 7.9.", tolerance=0.0, margin=0.1,
    slips=((lambda: round(4.7**2 / 2), "That is its area; a pixel counts when its centre is inside, and only then."),),
)  # fmt: skip
def _pixels_that_see() -> Truth:
    """How many pixels see a triangle with corners at (1.6, 1.6), (6.3, 1.6) and (1.6, 6.3) pixels?"""
    corners = [(1.6, 1.6, 1.0), (6.3, 1.6, 1.0), (1.6, 6.3, 1.0)]
    return int(_seen(corners, [[0, 1, 2]], (8, 8)).mask.sum())


def _strip(far: float, width: int) -> Fragments:
    """One row of pixels along a strip from a depth of 1 m to ``far``, from the picture's left side to its right one."""
    corners = [(0.0, 0.0, 1.0), (0.0, 1.0, 1.0), (float(width), 0.0, far), (float(width), 1.0, far)]
    return _seen(corners, [[0, 1, 2], [1, 3, 2]], (1, width))


@question(
    "07.2", "In the picture both ends have the area 1/2. Divide each by its depth, and both by their sum.",
    slips=((lambda: 2.0, "That is halfway in space. The near half of an edge takes more than half of its picture."),),
)  # fmt: skip
def _halfway() -> Truth:
    """An edge runs from a depth of 1 m to one of 3 m. What is its depth in the middle of its picture, in metres?"""
    return float(_strip(3.0, 3).depth[0, 1])


def _off(far: float = 4.0, width: int = 2000) -> Tensor:
    """How far affine weights are from correct ones along a strip, parts of its length."""
    along = torch.tensor([[0.0], [0.0], [1.0], [1.0]], dtype=torch.float64)
    correct = _strip(far, width).interpolate(along, torch.tensor([[0, 1, 2], [1, 3, 2]]))[0, :, 0]
    return (torch.arange(width, dtype=torch.float64) + 0.5) / width - correct


@question(
    "07.3", "At the part t of the picture the correct share of the far end is (t / 4) / (1 − t + t / 4), the affine "
    "one is t. Where is the difference largest?",
    slips=((lambda: float(_off()[1000]), "That is in the middle of the picture; a little farther on it is more."),),
)  # fmt: skip
def _farthest_off() -> Truth:
    """By which part of the strip's length is an affine texture off at most?"""
    return float(_off().max())


def _soft(probabilities: Sequence[float] = (), *, distance: float = 0.0) -> float:
    """The soft mask of a pixel beside faces with these A, or beside one at a distance, in a picture of 256 pixels."""
    square = _DIB_R.square(256, 256)
    away = [math.sqrt(-square * math.log(a)) for a in probabilities] or [distance]
    corners = [[(20.5 - d, 0.0), (20.5 - d, 256.0), (0.0, 128.0)] for d in away]
    places = torch.tensor(corners, dtype=torch.float64).reshape(1, -1, 2)
    faces, front = torch.arange(3 * len(away)).reshape(-1, 3), torch.ones(1, 3 * len(away), dtype=torch.bool)
    made = reference(places, front, faces, torch.zeros(1, 256, 256, dtype=torch.bool), _DIB_R)
    return float(made[0, 128, 20])


@question(
    "07.4", "A = exp(−d² / δ), with d in units of half the picture's side: 128 pixels.",
    slips=(
        (lambda: math.exp(-(2.0**2) * 7000), "Distances are in units of half the picture's side, not in pixels."),
        (lambda: math.exp(-((2 / 256) ** 2) * 7000), "It is half the picture's side that counts as 1."),
    ),
)  # fmt: skip
def _beside() -> Truth:
    """What is A two pixels beside a face, in a picture of 256 × 256 pixels with δ = 1/7000?"""
    return _soft(distance=2.0)


_THREE = (0.5, 0.4, 0.2)


@question(
    "07.5", "Each face leaves 1 − A of the pixel to the others.",
    slips=(
        (lambda: sum(_THREE), "Their sum is more than 1. Multiply what they leave."),
        (lambda: max(_THREE), "That is the strongest alone; the others cover a part of what it leaves."),
        (lambda: math.prod(1 - a for a in _THREE), "That is what all of them leave."),
    ),
)  # fmt: skip
def _together() -> Truth:
    """What is the soft mask of a pixel beside three faces with A = 0.5, 0.4 and 0.2?"""
    return _soft(_THREE)


@question(
    "07.6", "Solve exp(−d² / δ) = 10⁻⁴ for δ, with d in units of half the picture's side: 64 pixels.", tolerance=0.02,
    slips=(
        (lambda: (10 / 64) ** 2, "That is where A is 1/e. It may become smaller before it is cut off."),
        (lambda: (10 / 128) ** 2 / math.log(1e4), "It is half the picture's side that counts as 1."),
        (lambda: 10**2 / math.log(1e4), "Distances are in units of half the picture's side, not in pixels."),
    ),
)  # fmt: skip
def _wide() -> Truth:
    """From which δ on does a pixel feel an outline that is 10 pixels away, in a picture of 128 × 128 pixels?"""
    low, high = 1e-6, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if SoftMask(delta=middle).margin(128, 128) < 10 else (low, middle)
    return high


_CANDIDATES = (0, 3, 6, 9)


def _because(vertex: int, why: str) -> tuple[Callable[..., Truth], str]:
    """Why a vertex gets no gradient; a slip gets what the question gets."""
    return (lambda *_: vertex), why


@question(
    "07.7", "Ask of each face, not of each vertex: does a pixel see it, and would that pixel's colour change?",
    tolerance=0.0, margin=0.1,
    slips=(
        _because(0, "Pixels see its face, but that has one colour: wherever on it a pixel looks, it sees the same."),
        _because(6, "All pixels that could see its face see the one before it."),
        _because(9, "Its face is in front, but between the centres of pixels."),
    ),
)  # fmt: skip
def _pulled(scene: Mesh, camera: Camera) -> Truth:
    """Which of the vertices 0, 3, 6 and 9 gets a gradient from the colours of the picture?"""
    meshes = MeshBatch.of(scene)
    vertices = meshes.vertices.clone().requires_grad_()
    moved = MeshBatch(vertices, meshes.faces, colors=meshes.colors)
    render(moved, Cameras.of(camera)).picture.square().sum().backward()
    assert vertices.grad is not None
    size = vertices.grad[0].norm(dim=1)[list(_CANDIDATES)]
    return _CANDIDATES[int(size.argmax())]
