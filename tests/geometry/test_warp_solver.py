"""Interpolating warps: keypoints arrive, scipy agrees, and what cannot be solved is told."""

from __future__ import annotations

import pytest
import torch
from scipy.interpolate import RBFInterpolator
from torch import Tensor

from headviz.errors import OptionError, ShapeError
from headviz.geometry.rbf import KERNELS, alpha_of_radius
from headviz.geometry.warp import warp
from headviz.geometry.warp_solver import WarpSolver

DOUBLE = torch.float64
FLIP = torch.tensor([-1.0, 1.0, 1.0], dtype=DOUBLE)
SIZE = 0.3  # of the scene, metres


def scene(k: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Points, keypoints and their displacements in a box of the size of a head; the second keypoint is on the plane."""
    generator = torch.Generator().manual_seed(seed)
    points, keypoints, moves = (SIZE * (torch.rand(n, 3, generator=generator, dtype=DOUBLE) - 0.5) for n in (300, k, k))
    keypoints[1:2, 0] = 0
    return points, keypoints, 0.1 * moves


@pytest.mark.parametrize("k", [1, 2, 3, 4, 30])
@pytest.mark.parametrize("mirror", [None, "x"])
@pytest.mark.parametrize("kernel", KERNELS)
def test_keypoints_arrive(kernel: str, mirror: str | None, k: int) -> None:
    _, keypoints, moves = scene(k)
    solver = WarpSolver(keypoints, kernel=kernel, alpha=alpha_of_radius(kernel, 0.1), mirror=mirror)
    wanted = moves.clone()
    if mirror:
        wanted[solver.held, 0] = 0
        assert solver.held.tolist() == [index == 1 for index in range(k)]
    arrived = solver.warp(keypoints, solver.vectors(moves)) - keypoints
    assert solver.exact
    assert float((arrived - wanted).abs().max()) < 1e-6 * SIZE
    assert solver.miss(moves) < 1e-6 * SIZE


@pytest.mark.parametrize(
    ("kernel", "theirs", "shape", "degree"),
    [
        ("gaussian", "gaussian", lambda alpha: alpha**0.5, -1),
        ("multiquadric", "multiquadric", lambda alpha: 1 / alpha, 0),
        ("inverse_multiquadric", "inverse_multiquadric", lambda alpha: 1 / alpha, -1),
        ("thin_plate", "thin_plate_spline", lambda alpha: 1.0, 1),
    ],
)
def test_scipy_agrees(kernel: str, theirs: str, shape, degree: int) -> None:
    points, keypoints, moves = scene(30)
    alpha = alpha_of_radius(kernel, 0.1)
    solver = WarpSolver(keypoints, kernel=kernel, alpha=alpha)
    peer = RBFInterpolator(keypoints.numpy(), moves.numpy(), kernel=theirs, epsilon=shape(alpha), degree=degree)
    ours = solver.warp(points, solver.vectors(moves)) - points
    torch.testing.assert_close(ours, torch.from_numpy(peer(points.numpy())), rtol=0, atol=1e-9)


@pytest.mark.parametrize("kernel", ["gaussian", "inverse_multiquadric", "wendland"])
def test_the_vectors_are_those_of_warp(kernel: str) -> None:
    """Without a polynomial and a mirror, with an alpha per keypoint."""
    points, keypoints, moves = scene(8)
    alpha = alpha_of_radius(kernel, 0.1) * torch.linspace(0.8, 1.2, 8, dtype=DOUBLE)
    solver = WarpSolver(keypoints, kernel=kernel, alpha=alpha)
    vectors = solver.vectors(moves)
    torch.testing.assert_close(
        solver.warp(points, vectors), warp(points, keypoints, vectors, kernel=kernel, alpha=alpha)
    )


@pytest.mark.parametrize("kernel", KERNELS)
def test_symmetry(kernel: str) -> None:
    """Mirror images move by mirror images, and the plane stays in itself."""
    points, keypoints, moves = scene(12)
    solver = WarpSolver(keypoints, kernel=kernel, alpha=alpha_of_radius(kernel, 0.1), mirror="x")
    vectors = solver.vectors(moves)
    here, there = solver.warp(points, vectors), solver.warp(points * FLIP, vectors)
    torch.testing.assert_close(there, here * FLIP, rtol=0, atol=1e-9 * SIZE)
    seam = points * torch.tensor([0.0, 1.0, 1.0], dtype=DOUBLE)
    assert float(solver.warp(seam, vectors)[:, 0].abs().max()) < 1e-9 * SIZE


def test_an_affine_map_is_reproduced_by_thin_plates() -> None:
    points, keypoints, _ = scene(10)
    matrix = torch.tensor([[0.1, 0.2, 0.0], [0.0, -0.1, 0.3], [0.2, 0.0, 0.1]], dtype=DOUBLE)
    solver = WarpSolver(keypoints, kernel="thin_plate")
    moved = solver.warp(points, solver.vectors(keypoints @ matrix + 0.02)) - points
    torch.testing.assert_close(moved, points @ matrix + 0.02)


def test_few_keypoints_of_thin_plates_move_as_little_as_they_can() -> None:
    """One is a translation; two stretch the line between them and nothing across it."""
    points, keypoints, moves = scene(2)
    one = WarpSolver(keypoints[:1], kernel="thin_plate")
    torch.testing.assert_close(one.warp(points, one.vectors(moves[:1])), points + moves[0])
    two = WarpSolver(keypoints, kernel="thin_plate")
    along = keypoints[1] - keypoints[0]
    part = (points - keypoints[0]) @ along / along.square().sum()
    wanted = points + moves[0] + part[:, None] * (moves[1] - moves[0])
    torch.testing.assert_close(two.warp(points, two.vectors(moves)), wanted)


@pytest.mark.parametrize("mirror", [None, "x"])
@pytest.mark.parametrize("kernel", KERNELS)
def test_cardinal_functions_add_up(kernel: str, mirror: str | None) -> None:
    points, keypoints, moves = scene(6)
    solver = WarpSolver(keypoints, kernel=kernel, alpha=alpha_of_radius(kernel, 0.1), mirror=mirror)
    total = torch.zeros_like(points)
    for index in range(6):
        across, along = solver.cardinal(points, index)
        total += torch.stack([across, along, along], 1) * moves[index]
    torch.testing.assert_close(solver.warp(points, solver.vectors(moves)) - points, total, rtol=0, atol=1e-10)
    own = solver.cardinal(keypoints, 2)
    for part in own:
        torch.testing.assert_close(part, torch.eye(6, dtype=DOUBLE)[2], rtol=0, atol=1e-9)
    assert solver.cardinal(points.float(), 2)[0].dtype == torch.float32


def test_differentiable_in_displacements() -> None:
    points, keypoints, moves = scene(5)
    solver = WarpSolver(keypoints, kernel="thin_plate", mirror="x")
    batch = torch.stack([moves, -2 * moves]).requires_grad_()
    assert torch.autograd.gradcheck(lambda d: solver.warp(points[:4], solver.vectors(d)), batch)


def test_duplicates_move_by_the_mean_and_say_so() -> None:
    _, keypoints, moves = scene(4)
    keypoints[3] = keypoints[0]
    solver = WarpSolver(keypoints, alpha=400.0)
    assert not solver.exact
    arrived = solver.warp(keypoints, solver.vectors(moves)) - keypoints
    torch.testing.assert_close(arrived[0], (moves[0] + moves[3]) / 2)
    assert solver.miss(moves) == pytest.approx(float((moves[0] - moves[3]).norm() / 2))
    moves[3] = moves[0]
    assert solver.miss(moves) < 1e-6 * SIZE


def test_both_of_a_pair_of_twins_are_one_handle() -> None:
    _, keypoints, moves = scene(4)
    keypoints[3] = keypoints[0] * FLIP
    solver = WarpSolver(keypoints, alpha=400.0, mirror="x")
    assert not solver.exact
    moves[3] = moves[0] * FLIP
    wanted = moves.clone()
    wanted[solver.held, 0] = 0
    arrived = solver.warp(keypoints, solver.vectors(moves)) - keypoints
    torch.testing.assert_close(arrived, wanted)


@pytest.mark.parametrize("kernel", KERNELS)
def test_hardly_apart(kernel: str) -> None:
    """Keypoints a hundredth of a millimetre apart, or from the plane, arrive too."""
    _, keypoints, moves = scene(6)
    keypoints[2] = keypoints[0] + 1e-5
    keypoints[3, 0] = 1e-5
    solver = WarpSolver(keypoints, kernel=kernel, alpha=alpha_of_radius(kernel, 0.1), mirror="x")
    assert solver.exact
    assert solver.miss(moves) < 1e-6 * SIZE


def test_errors() -> None:
    points, keypoints, moves = scene(4)
    with pytest.raises(ShapeError, match=r"keypoints should have shape \(k, 3\) with k ≥ 1; shape is \(0, 3\)"):
        WarpSolver(keypoints[:0])
    with pytest.raises(ShapeError, match=r"alpha should be a number or have shape \(4,\); its is \(2,\)"):
        WarpSolver(keypoints, alpha=torch.ones(2))
    with pytest.raises(OptionError, match="alpha should be positive"):
        WarpSolver(keypoints, alpha=0.0)
    with pytest.raises(OptionError, match=r"one of gaussian, .* it is 'cubic'"):
        WarpSolver(keypoints, kernel="cubic")
    with pytest.raises(OptionError, match="'x' or None; it is 'y'"):
        WarpSolver(keypoints, mirror="y")
    with pytest.raises(OptionError, match="keypoints should be finite"):
        WarpSolver(keypoints / 0)
    solver = WarpSolver(keypoints)
    with pytest.raises(ShapeError, match=r"displacements should have shape \(..., 4, 3\); shape is \(3, 3\)"):
        solver.vectors(moves[:3])
    with pytest.raises(ShapeError, match=r"vectors should have shape \(..., 4, 3\); shape is \(3, 3\)"):
        solver.warp(points, moves[:3])
    with pytest.raises(ShapeError, match=r"points should have shape \(..., n, 3\); shape is \(300, 2\)"):
        solver.warp(points[:, :2], moves)
    with pytest.raises(OptionError, match="index should be below 4; it is 4"):
        solver.cardinal(points, 4)
