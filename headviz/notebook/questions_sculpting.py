"""The questions of notebook 06, each with the few lines that compute its answer."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from headviz.geometry.extract import extract_surface
from headviz.geometry.mesh import Mesh
from headviz.geometry.presets import preset
from headviz.geometry.rbf import rbf
from headviz.geometry.warp import warp
from headviz.notebook.checks import Truth
from headviz.notebook.questions import question
from headviz.sculpt import Keypoint, SculptSession, SetKeypoints
from headviz.sculpt.transfer import replay_on


def _points(*rows: tuple[float, float, float]) -> Tensor:
    """Points given in millimetres, in metres and double precision."""
    return torch.tensor(rows, dtype=torch.float64) / 1000


@question(
    "06.1", "Solve exp(−α r²) = 1/2 for α, with r in metres.",
    slips=((lambda: math.log(2) / 20**2, "Lengths are metres: α is in 1/m²."),),
)  # fmt: skip
def _half() -> Truth:
    """With which α is a Gaussian worth one half at a distance of 20 mm?"""
    squared = torch.tensor([0.02**2], dtype=torch.float64)
    low, high = 1.0, 1e5
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if float(rbf(squared, "gaussian", middle)) > 0.5 else (low, middle)
    return low


@question(
    "06.2", "Each keypoint is carried by its own vector and by the other's, times φ between them.",
    slips=((lambda: 10.0, "That is its own vector; the other keypoint carries it along too."),),
)  # fmt: skip
def _together() -> Truth:
    """How far does each of the two keypoints move, in millimetres?"""
    keypoints = _points((0, 0, 0), (20, 0, 0))
    moved = warp(keypoints, keypoints, _points((0, 10, 0), (0, 10, 0)), alpha=2500.0) - keypoints
    return float(1000 * moved[0].norm())


def _slope(length: float) -> float:
    """The smallest slope of x + φ(x) v along x, for a vector of that length."""
    x = torch.linspace(0, 0.06, 6001, dtype=torch.float64).requires_grad_()
    line = torch.stack([x, torch.zeros_like(x), torch.zeros_like(x)], dim=1)
    vector = torch.tensor([[length, 0.0, 0.0]], dtype=torch.float64)
    moved = warp(line, torch.zeros(1, 3, dtype=torch.float64), vector, alpha=1000.0)
    (slope,) = torch.autograd.grad(moved[:, 0].sum(), x)
    return float(slope.min())


@question(
    "06.3", "x + φ(x) v stops growing where 1 + φ′(x) v = 0. φ′ = −2 α x φ is steepest at x = 1/√(2α).", tolerance=0.02,
    slips=((lambda: 1000 / math.sqrt(2 * 1000.0), "That is where it folds first, not how long the vector is then."),),
)  # fmt: skip
def _fold() -> Truth:
    """How long may the vector of a Gaussian with α = 1000 / m² be before space folds, in millimetres?"""
    low, high = 0.0, 0.1
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if _slope(middle) > 0 else (low, middle)
    return 1000 * low


@question(
    "06.4", "The eigenvalues of a 2 × 2 matrix with 1 on its diagonal and q beside it are 1 + q and 1 − q.",
    slips=((lambda: 1.9, "That is the larger eigenvalue; divide it by the smaller one."),),
)  # fmt: skip
def _condition() -> Truth:
    """What is the condition number of the matrix of two keypoints with φ = 0.9 between them?"""
    distance = torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=torch.float64)
    return float(torch.linalg.cond(rbf(distance, "gaussian", -math.log(0.9))))


def _on_the_plane(mirror: str | None) -> Tensor:
    keypoint, vector = _points((0, 0, 0)), _points((6, 8, 0))
    return 1000 * (warp(keypoint, keypoint, vector, alpha=2500.0, mirror=mirror) - keypoint)


@question(
    "06.5", "The plane x = 0 is its own mirror image: what may happen to the x of a vector there?",
    slips=(
        (lambda: float(_on_the_plane(None).norm()), "So far it goes without a mirror; here it is held in the plane."),
        (lambda: 16.0, "That is both strokes added, which is what the symmetric sum avoids."),
    ),
)  # fmt: skip
def _held() -> Truth:
    """How far does the keypoint on the mirror plane move, in millimetres?"""
    return float(_on_the_plane("x").norm())


@question(
    "06.6", "∂x̂/∂v is φ(r) times the identity, so the step is φ(r) times what is missing.",
    slips=((lambda: 3.0, "The vertex is not at the keypoint: only a part φ(r) of the gradient arrives."),),
)  # fmt: skip
def _step() -> Truth:
    """By how many millimetres does one step of gradient descent lengthen the vector?"""
    vertex, keypoint, target = _points((20, 0, 0)), _points((0, 0, 0)), _points((20, 3, 0))
    vector = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    loss = (warp(vertex, keypoint, vector, alpha=2500.0) - target).square().sum() / 2
    (slope,) = torch.autograd.grad(loss, vector)
    return float(1000 * slope.norm())


@question(
    "06.7", "φ depends on α r² only, and every r is now 1.25 times as long.",
    slips=((lambda: 1000 / 1.25, "α is per square metre."), (lambda: 1000 * 1.25**2, "On a larger head α is smaller.")),
)  # fmt: skip
def _larger() -> Truth:
    """Which α has the keypoint on the larger head?"""
    small = extract_surface(preset("sphere"), resolution=8).mesh
    session = SculptSession(small)
    session.apply(SetKeypoints((Keypoint((0.0, 0.0, 0.1), alpha=1000.0),)))
    return replay_on(session, Mesh(1.25 * small.vertices, small.faces)).session.keypoints[0].alpha
