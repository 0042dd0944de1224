"""How far meshes, scans and solids are apart, after the best alignment where there is one.

Between surfaces without common vertices, by points sampled on them: ``surface_metrics.py``. Between depth maps or
normal maps: ``image_metrics.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from headviz.errors import BoundsError, InputError, ResolutionError, ShapeError
from headviz.geometry.field import Field, evaluate
from headviz.geometry.mesh import Mesh, face_normals
from headviz.geometry.surface_metrics import check_cloud, check_mesh

#: Cells along the longest side of a grid for two fields, at most: a layer of it still fits into memory.
_MAX_CELLS = 4096


class Similarity(NamedTuple):
    """The map p → scale · rotation · p + translation.

    Attributes:
        scale: a positive number, shape ().
        rotation: a proper rotation, shape (3, 3).
        translation: metres, shape (3,).
    """

    scale: Float[Tensor, ""]
    rotation: Float[Tensor, "3 3"]
    translation: Float[Tensor, "3"]

    def apply(self, points: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
        """Mapped points, shape (..., 3)."""
        return self.scale * points @ self.rotation.T + self.translation


def similarity_align(
    source: Float[Tensor, "n 3"],
    target: Float[Tensor, "n 3"],
    weights: Float[Tensor, " n"] | None = None,
    scale: bool = True,
) -> Similarity:
    """The similarity that moves source points onto target points with the least squares error.

    S. Umeyama, "Least-squares estimation of transformation parameters between two point patterns",
    PAMI 13(4), 1991, equations 40 to 43, with weights. Differentiable where the best rotation is unique and the
    points are in general position; for points on one line it is one of many.

    Args:
        source: points to move, shape (n, 3), n ≥ 3.
        target: where they should come, shape (n, 3).
        weights: how much each point counts, ≥ 0, shape (n,); equal by default.
        scale: whether the size may change; ``False`` gives the best rigid motion.

    Raises:
        ValueError: there are fewer than 3 points, a weight is negative, all are 0, or all source points coincide.
    """
    if len(source) < 3:
        raise ValueError(f"an alignment needs at least 3 points; there are {len(source)}")
    share = source.new_ones(len(source)) if weights is None else weights.to(source)
    least, total = float(share.detach().min()), float(share.detach().sum())
    if least < 0 or not total > 0:
        raise ValueError(f"weights should be ≥ 0 and not all 0; the least is {least:.4g}, their sum {total:.4g}")
    share = (share / share.sum())[:, None]
    source_mean, target_mean = (share * source).sum(0), (share * target).sum(0)
    centred = source - source_mean
    variance = (share * centred.square()).sum()
    if scale and not float(variance.detach()) > 0:
        raise ValueError("the source points all coincide; their scale cannot be estimated")
    covariance = (share * (target - target_mean)).T @ centred
    left, strengths, right = torch.linalg.svd(covariance)
    sign = torch.ones_like(strengths)
    if float(torch.det(left.detach()) * torch.det(right.detach())) < 0:
        sign[-1] = -1.0  # a reflection would fit better; the best rotation flips the weakest axis
    rotation = left * sign @ right
    factor = (strengths * sign).sum() / variance if scale else variance.new_ones(())
    return Similarity(factor, rotation, target_mean - factor * rotation @ source_mean)


def vertex_error(
    vertices: Float[Tensor, "n 3"],
    truth: Float[Tensor, "n 3"],
    *,
    align: Literal["similarity", "rigid", "none"] = "similarity",
    weights: Float[Tensor, " n"] | None = None,
) -> Float[Tensor, " n"]:
    """Distance of each vertex from its true position, metres, shape (n,).

    Args:
        vertices: what was estimated, shape (n, 3), metres.
        truth: the same vertices where they should be, shape (n, 3), metres.
        align: what is taken out of the error first, by :func:`similarity_align` of ``vertices`` to ``truth``.
        weights: how much each vertex counts in the alignment, shape (n,); 1 and 0 align by a region.

    Raises:
        ValueError: as :func:`similarity_align`.
    """
    if align != "none":
        vertices = similarity_align(vertices, truth, weights, scale=align == "similarity").apply(vertices)
    distance: Tensor = torch.linalg.vector_norm(vertices - truth, dim=-1)
    return distance


@dataclass(frozen=True, eq=False)
class ScanComparison:
    """How far the points of a scan are from a mesh, after the mesh was aligned with the scan.

    Attributes:
        distances: of each scan point that counts from the aligned mesh's surface, in the scan's unit, shape (k,).
        counted: which scan points count, shape (n,); k of them do.
        transform: what maps the mesh onto the scan.
        steps: how many steps of refinement improved the alignment.
        converged: whether the refinement came to an end; always true without one.
    """

    distances: Float[Tensor, " k"]
    counted: Bool[Tensor, " n"]
    transform: Similarity
    steps: int
    converged: bool

    @property
    def median(self) -> float:
        """Median distance, the mean of the middle two where their number is even."""
        return float(np.median(self.distances.cpu().numpy()))

    @property
    def mean(self) -> float:
        """Mean distance."""
        return float(self.distances.mean())

    @property
    def std(self) -> float:
        """Standard deviation of the distances (divided by k, as numpy does)."""
        return float(self.distances.std(unbiased=False))


def scan_to_mesh(
    scan: Float[Tensor, "n 3"],
    mesh: Mesh,
    scan_landmarks: Float[Tensor, "l 3"],
    landmarks: Float[Tensor, "l 3"],
    *,
    region: Literal["now", "all"] = "now",
    max_steps: int = 100,
) -> ScanComparison:
    """Distances of a scan's points from a mesh, aligned by landmarks and then by the surfaces: the NoW protocol.

    S. Sanyal et al., "Learning to Regress 3D Face Shape and Expression from an Image without 3D Supervision", CVPR
    2019, section 5, and the benchmark's code. The mesh is moved, turned and scaled onto the scan by its landmarks,
    then so that the sum of squared distances of the scan's points from its surface becomes least. The distances are
    those from the points to the surface, not to its vertices. The benchmark's alignment by landmarks may reflect the
    mesh; this one does not, so a mirrored face is an error here.

    Args:
        scan: points of the scan, shape (n, 3), in any unit; the benchmark's are millimetres.
        mesh: what was estimated, in any unit.
        scan_landmarks: on the scan, shape (l, 3). ``region="now"`` needs the benchmark's seven, see :func:`now_region`.
        landmarks: the same points on the mesh, shape (l, 3), l ≥ 3.
        region: ``"now"`` counts the scan points that :func:`now_region` keeps, ``"all"`` counts all.
        max_steps: how many steps the refinement takes at most; 0 leaves the alignment to the landmarks.

    Raises:
        ShapeError: points or landmarks have another shape.
        InputError: a coordinate is not finite, or no scan point counts.
        MeshError: the mesh has no faces, or vertices that are not finite.
        ValueError: as :func:`similarity_align`, for the landmarks.
    """
    for name, points in (("scan points", scan), ("scan landmarks", scan_landmarks), ("landmarks", landmarks)):
        check_cloud(points, name)
    check_mesh(mesh)
    if scan_landmarks.shape != landmarks.shape:
        raise ShapeError(
            f"landmarks should have shape {tuple(scan_landmarks.shape)}; shape is {tuple(landmarks.shape)}"
        )
    counted = now_region(scan, scan_landmarks) if region == "now" else scan.new_ones(len(scan), dtype=torch.bool)
    if not bool(counted.any()):
        raise InputError(f"no scan point lies in the face region around the landmarks; there are {len(scan)} points")
    points = scan[counted].detach().cpu().double()
    pairs = (landmarks.detach().cpu().double(), scan_landmarks.detach().cpu().double())
    best, steps, converged = _refine(points, mesh, similarity_align(*pairs), max_steps)
    distances = _fit(points, mesh, best)[0]
    return ScanComparison(distances.to(scan), counted, Similarity(*(part.to(scan) for part in best)), steps, converged)


def now_region(points: Float[Tensor, "n 3"], landmarks: Float[Tensor, "7 3"]) -> Bool[Tensor, " n"]:
    """Which points of a scan the NoW benchmark measures, shape (n,): those in a ball around the face's centre.

    The centre is 0.3 of the way from below the nose to between the inner eye corners; the radius is 0.7 times the sum
    of that way and the distance of the outer eye corners (the benchmark's ``compute_mask``).

    Args:
        points: of the scan, shape (n, 3).
        landmarks: the benchmark's seven in its order, shape (7, 3): outer and inner corner of one eye, inner and
            outer corner of the other, below the nose, corners of the mouth.

    Raises:
        ShapeError: there are not seven landmarks.
    """
    if landmarks.shape != (7, 3):
        raise ShapeError(f"the face region needs landmarks of shape (7, 3); shape is {tuple(landmarks.shape)}")
    nose, bridge = landmarks[4], (landmarks[1] + landmarks[2]) / 2
    eyes = torch.linalg.vector_norm(landmarks[0] - landmarks[3])
    radius = 0.7 * (eyes + torch.linalg.vector_norm(bridge - nose))
    inside: Tensor = torch.linalg.vector_norm(points - (nose + 0.3 * (bridge - nose)), dim=1) <= radius
    return inside


def points_to_mesh(
    points: Float[Tensor, "n 3"], mesh: Mesh
) -> tuple[Float[Tensor, " n"], Int[Tensor, " n"], Float[Tensor, "n 3"]]:
    """Distance of points from the surface of a mesh, exact, by libigl.

    Returns:
        Distances in metres, shape (n,), differentiable in the points; the nearest faces, shape (n,); the nearest points
        on them, shape (n, 3).

    Raises:
        ShapeError, InputError: the points are not finite ones of shape (n, 3) with n ≥ 1.
        MeshError: the mesh has no faces, or vertices that are not finite.
    """
    check_cloud(points, "points")
    check_mesh(mesh)
    import igl

    corners = np.ascontiguousarray(mesh.vertices.detach().cpu().double().numpy())
    queries = np.ascontiguousarray(points.detach().cpu().double().numpy())
    _, face, nearest = igl.point_mesh_squared_distance(queries, corners, mesh.faces.cpu().long().numpy())
    closest = torch.from_numpy(nearest.reshape(-1, 3)).to(points)
    distance: Tensor = torch.linalg.vector_norm(points - closest, dim=1)
    return distance, torch.from_numpy(face.reshape(-1).astype(np.int64)).to(points.device), closest


def voxel_iou(
    occupancy: Bool[Tensor, "*shape"] | Float[Tensor, "*shape"],
    truth: Bool[Tensor, "*shape"] | Float[Tensor, "*shape"],
    *,
    threshold: float = 0.5,
) -> float:
    """Intersection over union of two sets of voxels, in [0, 1].

    An empty set against one that is not has 0, so an empty mesh has 0; two empty sets are equal and have 1.

    Args:
        occupancy: what was estimated, of any shape; probabilities count from ``threshold`` on.
        truth: of the same shape.
        threshold: for probabilities.

    Raises:
        ShapeError: the shapes differ.
        InputError: a probability is NaN.
    """
    if occupancy.shape != truth.shape:
        raise ShapeError(f"occupancies should have the same shape; {tuple(occupancy.shape)} and {tuple(truth.shape)}")
    for name, values in (("occupancies", occupancy), ("true occupancies", truth)):
        if bool(torch.isnan(values).any()):
            raise InputError(f"{name} should be numbers; {int(torch.isnan(values).sum())} are NaN")
    ours, true = (values if values.dtype == torch.bool else values >= threshold for values in (occupancy, truth))
    return _ratio(int((ours & true).sum()), int((ours | true).sum()))


def field_iou(
    field: Field, truth: Field, *, resolution: int = 128, bounds: Float[Tensor, "2 3"] | None = None
) -> float:
    """Intersection over union of the insides of two fields, on a common grid, in [0, 1].

    The grid's cells are cubes, sampled at their centres, layer by layer. Empty fields as in :func:`voxel_iou`.

    Args:
        field: what was estimated, negative inside.
        truth: negative inside.
        resolution: cells along the longest side of the box.
        bounds: the box to look in, shape (2, 3), metres; by default the one around both fields' boxes.

    Raises:
        ResolutionError: ``resolution`` is not between 1 and 4096.
        BoundsError: the box is not finite, or has no volume.
        FieldError: a field's values are not finite.
    """
    if not 1 <= resolution <= _MAX_CELLS:
        raise ResolutionError(f"the resolution should be between 1 and {_MAX_CELLS} cells; it is {resolution}")
    if bounds is None:
        other = truth.bounds.to(field.bounds)
        bounds = torch.stack([torch.minimum(field.bounds, other)[0], torch.maximum(field.bounds, other)[1]])
    low, size = bounds[0], bounds[1] - bounds[0]
    if not bool(torch.isfinite(bounds).all()) or not float(size.min()) > 0:
        raise BoundsError(f"a box to compare fields in should be finite and have a volume; it is {bounds.tolist()}")
    step = size.max() / resolution
    x, y, z = (low[k] + step * (torch.arange(max(1, round(float(size[k] / step)))).to(bounds) + 0.5) for k in range(3))
    layer = torch.cartesian_prod(x, y)
    both = either = 0
    with torch.no_grad():
        for height in z:
            points = torch.cat([layer, height.expand(len(layer), 1)], dim=1)
            ours, true = evaluate(field, points) < 0, evaluate(truth, points) < 0
            both, either = both + int((ours & true).sum()), either + int((ours | true).sum())
    return _ratio(both, either)


def _ratio(both: int, either: int) -> float:
    return both / either if either else 1.0


def _fit(points: Tensor, mesh: Mesh, transform: Similarity) -> tuple[Tensor, Tensor, Tensor]:
    """Distances of points from the transformed mesh, the nearest points on it, and unit vectors from there to them."""
    moved = Mesh(transform.apply(mesh.vertices.detach().cpu().double()), mesh.faces.cpu())
    distance, face, closest = points_to_mesh(points, moved)
    normals = torch.nn.functional.normalize(face_normals(moved.vertices, moved.faces[face]), dim=1, eps=1e-300)
    # A point on the surface has no direction to it; the distance grows along the normal, either way.
    near = distance <= 1e-9 * points.abs().max()
    apart = (points - closest) / torch.where(near, 1.0, distance)[:, None]
    return distance, closest, torch.where(near[:, None], normals, apart)


def _refine(points: Tensor, mesh: Mesh, start: Similarity, max_steps: int) -> tuple[Similarity, int, bool]:
    """The similarity near ``start`` with the least sum of squared distances; how many steps it took; whether it is one.

    Levenberg and Marquardt's method on the distances, that is ICP with distances to planes (Chen and Medioni, 1992),
    damped. A step that does not improve is taken back.
    """
    best, steps, damping = start, 0, 1e-3
    if not max_steps:
        return best, 0, True
    distance, closest, direction = _fit(points, mesh, best)
    error = float(distance.square().sum())
    floor = 1e-18 * float((points - points.mean(0)).square().sum())
    for _ in range(max_steps):
        centre = closest.mean(0)
        arm = closest - centre
        size = arm.square().sum(1).mean().sqrt().clamp(min=1e-300)
        change = torch.cat(
            [(direction * arm).sum(1, keepdim=True), torch.linalg.cross(arm, direction), direction * size], 1
        )
        normal = change.T @ change
        step = torch.linalg.lstsq(
            normal + damping * torch.diag(normal.diagonal().clamp(min=1e-9 * float(normal.diagonal().max()))),
            change.T @ distance,
        ).solution
        trial = _moved(best, step, centre, float(size))
        found = _fit(points, mesh, trial)
        gained = error - float(found[0].square().sum())
        if gained > 0:
            best, (distance, closest, direction) = trial, found
            error, steps, damping = error - gained, steps + 1, max(damping / 10, 1e-12)
        else:
            damping *= 10
        still = float(step.abs().max()) < 1e-9 or 0 < gained <= 1e-10 * error
        if still or error <= floor or damping > 1e6:
            return best, steps, True
    return best, steps, False


def _moved(transform: Similarity, step: Tensor, centre: Tensor, size: float) -> Similarity:
    """A similarity followed by a small one about a centre: logarithm of scale, rotation vector, shift in sizes."""
    x, y, z = step[1:4].tolist()
    turn = torch.linalg.matrix_exp(step.new_tensor([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]]))
    factor = step[0].clamp(-0.5, 0.5).exp()
    shift = factor * turn @ (transform.translation - centre) + centre + size * step[4:]
    return Similarity(factor * transform.scale, turn @ transform.rotation, shift)
