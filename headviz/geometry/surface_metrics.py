"""How far two surfaces are apart, measured between points sampled on them. Each variant has a name of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Int
from torch import Tensor

from headviz.errors import InputError, MeshError, ShapeError
from headviz.geometry.mesh import Mesh, face_normals

#: Share of the true surface's longest side that counts as hit where no threshold is given (Tatarchenko et al. 2019).
THRESHOLD_SHARE = 0.01


class SurfaceSamples(NamedTuple):
    """Points on a mesh.

    Attributes:
        points: positions, shape (n, 3), metres.
        normals: unit normals of the faces they lie on, shape (n, 3).
        faces: which face each lies on, ascending, shape (n,).
    """

    points: Float[Tensor, "n 3"]
    normals: Float[Tensor, "n 3"]
    faces: Int[Tensor, " n"]


class FScore(NamedTuple):
    """Shares in [0, 1] of points that the other cloud has within a distance.

    Attributes:
        score: harmonic mean of precision and recall; 0 where both are 0.
        precision: share of the estimated points close to the truth.
        recall: share of the true points close to the estimate.
    """

    score: float
    precision: float
    recall: float


@dataclass(frozen=True)
class SurfaceComparison:
    """How far a surface is from the true one. Lengths are in metres, the rest are shares.

    Attributes:
        accuracy: mean distance of the surface's points from the truth.
        completeness: mean distance of the truth's points from the surface.
        chamfer_l1: see :func:`chamfer_l1`.
        chamfer_l2: see :func:`chamfer_l2`; square metres.
        chamfer_dgsm: see :func:`chamfer_dgsm`; without unit.
        normal_consistency: see :func:`normal_consistency`; 1 is best.
        f_score: see :func:`f_score`; with its ``precision`` and ``recall`` at ``threshold``.
        precision: share of the surface's points that the truth has within ``threshold``.
        recall: share of the truth's points that the surface has within ``threshold``.
        threshold: the distance that counts as hit.
        hausdorff: see :func:`hausdorff`.
        hausdorff_95: the same at the 95th percentile, which a few stray points do not move.
        samples: how many points were sampled on each surface.
        seed: of the samples.
    """

    accuracy: float
    completeness: float
    chamfer_l1: float
    chamfer_l2: float
    chamfer_dgsm: float
    normal_consistency: float
    f_score: float
    precision: float
    recall: float
    threshold: float
    hausdorff: float
    hausdorff_95: float
    samples: int
    seed: int


def sample_surface(mesh: Mesh, count: int, *, seed: int = 0) -> SurfaceSamples:
    """Points distributed evenly over the area of a mesh, one in each of ``count`` strips of equal area.

    The strips follow the order of the faces, so every face gets its share of the points up to one. Within a triangle
    points are uniform (Osada et al., "Shape Distributions", 2002, equation 1). The same seed gives the same points on
    every device. Differentiable in the vertices: each point keeps its place within its face.

    Args:
        mesh: what to sample; faces without area get no points.
        count: how many points, ≥ 1.
        seed: of the random numbers.

    Raises:
        InputError: ``count`` is less than 1.
        MeshError: the mesh has no face with an area, or vertices that are not finite.
    """
    if count < 1:
        raise InputError(f"the number of samples should be at least 1; it is {count}")
    check_mesh(mesh)
    # Sums of many small areas need double precision, whatever the mesh has.
    exact = face_normals(mesh.vertices.detach().cpu().double(), mesh.faces.cpu())
    reach = torch.linalg.vector_norm(exact, dim=1).cumsum(0)
    if not float(reach[-1]) > 0:
        raise MeshError(f"a mesh to sample should have an area; all of its {len(mesh.faces)} faces have none")
    numbers = torch.rand(3, count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    strips = (torch.arange(count) + numbers[0]) * (reach[-1] / count)
    last = int(torch.searchsorted(reach, reach[-1]))  # the last face with an area
    chosen = torch.searchsorted(reach, strips, right=True).clamp(max=last)
    root = numbers[1].sqrt()
    weights = torch.stack([1 - root, root * (1 - numbers[2]), root * numbers[2]], dim=1).to(mesh.vertices)
    chosen = chosen.to(mesh.faces.device)
    points = (weights[:, :, None] * mesh.vertices[mesh.faces[chosen]]).sum(1)
    weighted = face_normals(mesh.vertices, mesh.faces[chosen])
    # Brought to a length of about 1 first: normalize() takes what is shorter than 1e-12 for zero.
    weighted = weighted / weighted.detach().abs().amax(1, keepdim=True).clamp(min=1e-37)
    return SurfaceSamples(points, torch.nn.functional.normalize(weighted, dim=1), chosen)


def nearest_points(
    source: Float[Tensor, "n 3"], target: Float[Tensor, "m 3"]
) -> tuple[Float[Tensor, " n"], Int[Tensor, " n"]]:
    """Distance of each source point to the nearest target point, metres, shape (n,), and that point's index.

    The search is scipy's k-d tree, in double precision on the processor; the distances are computed from its answer
    by torch and differentiable in both clouds. At distance 0 the gradient is 0.

    Raises:
        ShapeError: a cloud is not of shape (n, 3) with n ≥ 1.
        InputError: a coordinate is not finite.
    """
    check_cloud(source, "source points")
    check_cloud(target, "target points")
    from scipy.spatial import cKDTree

    # A balanced tree is built more slowly and answers no faster, least of all where many coordinates are equal.
    tree = cKDTree(_array(target), balanced_tree=False)
    found = tree.query(_array(source), workers=-1)[1]
    index = torch.from_numpy(np.asarray(found, dtype=np.int64)).to(target.device)
    distance: Tensor = torch.linalg.vector_norm(source - target[index], dim=1)
    return distance, index


def chamfer_l1(points: Float[Tensor, "n 3"], truth: Float[Tensor, "m 3"]) -> Float[Tensor, ""]:
    """Half the sum of the mean distances there (accuracy) and back (completeness), metres, shape ().

    L. Mescheder et al., "Occupancy Networks", CVPR 2019, supplement, equations 8 to 10 ("Chamfer-L1").

    Raises:
        ShapeError, InputError: as :func:`nearest_points`.
    """
    there, back = nearest_points(points, truth)[0], nearest_points(truth, points)[0]
    return (there.mean() + back.mean()) / 2


def chamfer_l2(points: Float[Tensor, "n 3"], truth: Float[Tensor, "m 3"]) -> Float[Tensor, ""]:
    """Half the sum of the mean *squared* distances there and back, square metres, shape ().

    "Chamfer-L2" of the Occupancy Networks' evaluation code. PyTorch3D's ``chamfer_distance`` is twice this.

    Raises:
        ShapeError, InputError: as :func:`nearest_points`.
    """
    return _squared_sum(points, truth) / 2


def chamfer_dgsm(points: Float[Tensor, "n 3"], truth: Float[Tensor, "m 3"]) -> Float[Tensor, ""]:
    """The *sum* of the mean squared distances there and back between normalised clouds, without unit, shape ().

    J. Jennings, "Deep Generative Sculpting Models for Single Image 3D Reconstruction", 2023, section 2.5.2. Each cloud
    is shifted to mean 0 and scaled so that the longest side of its box along the axes is 1. Place and size therefore
    do not count; turning both clouds changes their boxes and with them the number.

    Raises:
        ShapeError: as :func:`nearest_points`.
        InputError: a coordinate is not finite, or all points of a cloud coincide.
    """
    check_cloud(points, "points")
    check_cloud(truth, "true points")
    return _squared_sum(_unit_extent(points), _unit_extent(truth))


def normal_consistency(
    points: Float[Tensor, "n 3"],
    normals: Float[Tensor, "n 3"],
    truth: Float[Tensor, "m 3"],
    truth_normals: Float[Tensor, "m 3"],
) -> Float[Tensor, ""]:
    """Mean of |n·n′| over nearest points, half there and half back, in [0, 1], shape ().

    Occupancy Networks, supplement, equation 12. Normals need not be of unit length; a zero vector counts as 0.
    Differentiable in the normals.

    Raises:
        ShapeError: as :func:`nearest_points`, or normals have another shape than their points.
        InputError: a coordinate is not finite.
    """
    for name, vectors, owners in (("normals", normals, points), ("true normals", truth_normals, truth)):
        check_cloud(vectors, name)
        if vectors.shape != owners.shape:
            raise ShapeError(f"{name} should have shape {tuple(owners.shape)}; shape is {tuple(vectors.shape)}")
    there, back = nearest_points(points, truth)[1], nearest_points(truth, points)[1]
    return _agreement(normals, truth_normals, there, back)


def f_score(points: Float[Tensor, "n 3"], truth: Float[Tensor, "m 3"], threshold: float) -> FScore:
    """Harmonic mean of precision and recall: shares of points closer than a threshold to the other cloud.

    A. Knapitsch et al., "Tanks and Temples", 2017, equations 3 to 5; M. Tatarchenko et al., "What Do Single-view 3D
    Reconstruction Networks Learn?", CVPR 2019, who take 1 % of the volume's side as threshold.

    Args:
        points: the estimate, shape (n, 3), metres.
        truth: shape (m, 3), metres.
        threshold: metres, positive; a distance counts where it is less.

    Raises:
        ShapeError, InputError: as :func:`nearest_points`; InputError also for a threshold that is not positive.
    """
    return _f_score(nearest_points(points, truth)[0], nearest_points(truth, points)[0], threshold)


def hausdorff_directed(
    points: Float[Tensor, "n 3"], truth: Float[Tensor, "m 3"], *, percentile: float = 100.0
) -> Float[Tensor, ""]:
    """The largest distance of a point from the nearest true point, metres, shape (). Not symmetric.

    Args:
        points: where distances are taken from, shape (n, 3), metres.
        truth: where they are taken to, shape (m, 3), metres.
        percentile: which of the distances, in [0, 100]; 100 is the largest, 95 leaves stray points out.

    Raises:
        ShapeError, InputError: as :func:`nearest_points`; InputError also for a percentile outside [0, 100].
    """
    return _percentile(nearest_points(points, truth)[0], percentile)


def hausdorff(
    points: Float[Tensor, "n 3"], truth: Float[Tensor, "m 3"], *, percentile: float = 100.0
) -> Float[Tensor, ""]:
    """The larger of the two directed Hausdorff distances (or of their percentiles), metres, shape (). Symmetric.

    Args:
        points: one cloud, shape (n, 3), metres.
        truth: the other, shape (m, 3), metres.
        percentile: as in :func:`hausdorff_directed`.

    Raises:
        ShapeError, InputError: as :func:`hausdorff_directed`.
    """
    there = hausdorff_directed(points, truth, percentile=percentile)
    return torch.maximum(there, hausdorff_directed(truth, points, percentile=percentile))


def compare_surfaces(
    mesh: Mesh, truth: Mesh, *, samples: int = 100_000, threshold: float | None = None, seed: int = 0
) -> SurfaceComparison:
    """All sampled metrics of a mesh against the true one, from one set of samples.

    The two surfaces are sampled independently, so that a surface compared with itself shows the floor below which the
    numbers mean nothing: about half of √(area / samples) for the mean distances. Nothing is aligned here.

    Args:
        mesh: the estimate.
        truth: what it should be.
        samples: points on each surface.
        threshold: metres, for the F-score; by default 1 % of the longest side of the truth's box.
        seed: of the samples.

    Raises:
        MeshError, InputError: as :func:`sample_surface`; InputError also for a threshold that is not positive.
    """
    with torch.no_grad():
        ours, true = sample_surface(mesh, samples, seed=seed), sample_surface(truth, samples, seed=seed + 1)
        (there, to), (back, fro) = nearest_points(ours.points, true.points), nearest_points(true.points, ours.points)
        if threshold is None:
            threshold = THRESHOLD_SHARE * float((truth.vertices.amax(0) - truth.vertices.amin(0)).max())
        share = _f_score(there, back, threshold)
        accuracy, completeness = float(there.mean()), float(back.mean())
        return SurfaceComparison(
            accuracy=accuracy,
            completeness=completeness,
            chamfer_l1=(accuracy + completeness) / 2,
            chamfer_l2=float(there.square().mean() + back.square().mean()) / 2,
            chamfer_dgsm=float(chamfer_dgsm(ours.points, true.points)),
            normal_consistency=float(_agreement(ours.normals, true.normals, to, fro)),
            f_score=share.score,
            precision=share.precision,
            recall=share.recall,
            threshold=threshold,
            hausdorff=max(float(there.max()), float(back.max())),
            hausdorff_95=max(float(_percentile(there, 95.0)), float(_percentile(back, 95.0))),
            samples=samples,
            seed=seed,
        )


def check_cloud(points: Tensor, name: str) -> None:
    """Refuse what is not a cloud of finite points.

    Raises:
        ShapeError: the shape is not (n, 3) with n ≥ 1.
        InputError: a coordinate is not finite.
    """
    if points.ndim != 2 or points.shape[1] != 3 or not len(points):
        raise ShapeError(f"{name} should have shape (n, 3) with n ≥ 1; shape is {tuple(points.shape)}")
    finite = torch.isfinite(points.detach()).all(1)
    if not bool(finite.all()):
        raise InputError(f"{name} should be finite; {int((~finite).sum())} of {len(points)} are not")


def check_mesh(mesh: Mesh) -> None:
    """Refuse a mesh that has no surface to measure.

    Raises:
        MeshError: there are no faces, or vertices that are not finite.
    """
    if not len(mesh.faces):
        raise MeshError(f"a mesh to measure should have faces; it has {len(mesh.vertices)} vertices and no faces")
    finite = torch.isfinite(mesh.vertices.detach()).all(1)
    if not bool(finite.all()):
        raise MeshError(f"vertices should be finite; {int((~finite).sum())} of {len(finite)} are not")


def _array(points: Tensor) -> npt.NDArray[np.float64]:
    return np.ascontiguousarray(points.detach().cpu().double().numpy())


def _squared_sum(points: Tensor, truth: Tensor) -> Tensor:
    there, back = nearest_points(points, truth)[0], nearest_points(truth, points)[0]
    return there.square().mean() + back.square().mean()


def _unit_extent(points: Tensor) -> Tensor:
    """A cloud with mean 0 whose longest side is 1."""
    extent = (points.amax(0) - points.amin(0)).max()
    if not float(extent.detach()) > 0:
        raise InputError(f"the points of a cloud to normalise should differ; all {len(points)} coincide")
    return (points - points.mean(0)) / extent


def _agreement(normals: Tensor, truth: Tensor, there: Tensor, back: Tensor) -> Tensor:
    ours, true = torch.nn.functional.normalize(normals, dim=1), torch.nn.functional.normalize(truth, dim=1)
    forth = (ours * true[there]).sum(1).abs().mean()
    return (forth + (true * ours[back]).sum(1).abs().mean()) / 2


def _f_score(there: Tensor, back: Tensor, threshold: float) -> FScore:
    if not threshold > 0:
        raise InputError(f"the threshold should be positive; it is {threshold:.4g}")
    precision, recall = (float((distance < threshold).double().mean()) for distance in (there, back))
    total = precision + recall
    return FScore(2 * precision * recall / total if total else 0.0, precision, recall)


def _percentile(distance: Tensor, percentile: float) -> Tensor:
    if not 0 <= percentile <= 100:
        raise InputError(f"a percentile should lie in [0, 100]; it is {percentile:.4g}")
    if percentile == 100:
        return distance.max()
    # Sorted by hand, as torch.quantile takes no more than 16 million values; linear between the two around.
    place = percentile / 100 * (len(distance) - 1)
    low = int(place)
    ordered = distance.sort().values
    return torch.lerp(ordered[low], ordered[min(low + 1, len(ordered) - 1)], place - low)
