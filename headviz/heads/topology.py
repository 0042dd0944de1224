"""What is fixed for every head: kept vertices, mirror map, texture atlas, boundary loops. Build time only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

Array = np.ndarray


def components(faces: Int[Array, "m 3"], count: int) -> Int[Array, " n"]:
    """Label of the connected component of every vertex."""
    rows, columns = faces[:, [0, 1, 2]].ravel(), faces[:, [1, 2, 0]].ravel()
    graph = coo_matrix((np.ones(len(rows)), (rows, columns)), (count, count))
    return np.asarray(connected_components(graph, directed=False)[1])


def boundary_loops(faces: Int[Array, "m 3"]) -> list[Int[Array, " _"]]:
    """Closed loops of boundary edges, each as vertices in the order of the faces' half-edges."""
    half = faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    present = {(int(a), int(b)) for a, b in half}
    following = {a: b for a, b in present if (b, a) not in present}
    loops = []
    while following:
        start = next(iter(following))
        loop = [start]
        while (after := following.pop(loop[-1])) != start:
            loop.append(after)
        loops.append(np.array(loop))
    return loops


@dataclass(frozen=True)
class Topology:
    """The head's fixed connectivity.

    Attributes:
        kept: indices of the source's vertices that remain, shape (n,).
        faces, uv, uv_faces: as in the head model.
        chart: texture chart of every face, shape (m,).
        mirror: twin of every vertex across x = 0, shape (n,).
        mirror_residual: largest distance between a vertex's mirror image and its twin, metres.
        loops: neck, right eye, left eye.
        eyes: vertices of the right and the left eyeball.
        skin: vertices of the skin's component, shape (n,) bool.
    """

    kept: Int[Array, " n"]
    faces: Int[Array, "m 3"]
    uv: Float[Array, "t 2"]
    uv_faces: Int[Array, "m 3"]
    chart: Int[Array, " m"]
    mirror: Int[Array, " n"]
    mirror_residual: float
    loops: tuple[Int[Array, " _"], ...]
    eyes: tuple[Int[Array, " _"], Int[Array, " _"]]
    skin: Array


def build_topology(
    template: Float[Array, "n 3"], faces: Int[Array, "m 3"], uv: Float[Array, "k 2"], uv_faces: Int[Array, "m 3"]
) -> Topology:
    """Drop the back half of the left eyeball (the right one has none), mirror, pack the charts, find the loops."""
    keep_face = ~_eye_back(template, faces, uv, uv_faces)
    kept = np.unique(faces[keep_face])
    renumber = np.full(len(template), -1)
    renumber[kept] = np.arange(len(kept))
    faces, uv_faces, points = renumber[faces[keep_face]], uv_faces[keep_face], template[kept]
    chart = np.unique(components(uv_faces, len(uv))[uv_faces[:, 0]], return_inverse=True)[1]
    used, flat = np.unique(uv_faces, return_inverse=True)
    uv_faces = flat.reshape(-1, 3)
    label = components(faces, len(points))
    counts = np.bincount(label)
    eyes = [np.flatnonzero(label == k) for k in np.flatnonzero(counts < 60)]
    right, left = sorted(eyes, key=lambda index: float(points[index, 0].mean()))
    mirror = _mirror_map(points, label)
    residual = float(np.abs(points[mirror] * [-1, 1, 1] - points).max())
    loops = boundary_loops(faces)
    neck = max(loops, key=len)
    rims = [loop for loop in loops if loop is not neck]
    rims.sort(key=lambda loop: float(points[loop, 0].mean()))
    return Topology(
        kept=kept,
        faces=faces,
        uv=pack_atlas(uv[used], uv_faces, chart, points, faces),
        uv_faces=uv_faces,
        chart=chart,
        mirror=mirror,
        mirror_residual=residual,
        loops=(neck, rims[0], rims[1]),
        eyes=(right, left),
        skin=label == int(np.argmax(counts)),
    )


def _eye_back(template: Array, faces: Array, uv: Array, uv_faces: Array) -> Array:
    """Faces of the left eyeball's back half: of the eye's two charts, the one behind."""
    chart = components(uv_faces, len(uv))[uv_faces[:, 0]]
    label = components(faces, len(template))[faces[:, 0]]
    back = np.zeros(len(faces), dtype=bool)
    for part in np.unique(label):
        charts = np.unique(chart[label == part])
        if len(charts) == 2 and (label == part).sum() < 200:
            depth = [template[faces[(label == part) & (chart == c)]][..., 2].mean() for c in charts]
            back |= (label == part) & (chart == charts[int(np.argmin(depth))])
    return back


def _mirror_map(points: Array, label: Array) -> Array:
    """Nearest vertex to each mirror image, looked for in the mirrored component."""
    flipped = points * [-1, 1, 1]
    mirror = np.empty(len(points), dtype=np.int64)
    centers = np.array([points[label == k].mean(0) for k in range(label.max() + 1)])
    sizes = np.bincount(label)
    for k in range(label.max() + 1):
        same_size = np.flatnonzero(sizes == sizes[k])
        twin = same_size[np.argmin(np.linalg.norm(centers[same_size] - centers[k] * [-1, 1, 1], axis=1))]
        candidates = np.flatnonzero(label == twin)
        mirror[label == k] = candidates[cKDTree(points[candidates]).query(flipped[label == k])[1]]
    if not np.array_equal(mirror[mirror], np.arange(len(points))):
        raise ValueError("the head's mesh has no one-to-one mirror map")
    return mirror


#: Lower strip of the atlas: left, right, bottom, top of each small chart, by where it lies on the head.
STRIP = {
    "right_eye": (0.005, 0.125, 0.005, 0.125),
    "left_eye": (0.135, 0.255, 0.005, 0.125),
    "neck": (0.265, 0.545, 0.005, 0.125),
    "mouth": (0.555, 0.765, 0.005, 0.125),
    "tongue": (0.775, 0.835, 0.005, 0.125),
    "right_socket": (0.845, 0.915, 0.005, 0.125),
    "left_socket": (0.925, 0.995, 0.005, 0.125),
}
MAIN = (0.005, 0.995, 0.14, 0.995)


def pack_atlas(uv: Array, uv_faces: Array, chart: Array, points: Array, faces: Array) -> Float[Array, "t 2"]:
    """Turn the charts upright and pack them into the unit square; the face gets most of the texels.

    The source lays the head out on its side with as many texels for the back of the head as for the
    face, so the main chart's axes are stretched by monotone maps, which keep it free of overlaps.
    """
    packed = np.empty_like(uv)
    for name, index in _chart_names(chart, points, faces).items():
        rows = np.unique(uv_faces[chart == index])
        x, y = uv[rows, 1], -uv[rows, 0]
        if name in ("neck", "right_eye", "left_eye", "tongue"):
            x, y = uv[rows, 0], uv[rows, 1]
        x = (x - x.min()) / (x.max() - x.min())
        y = (y - y.min()) / (y.max() - y.min())
        if name == "main":
            x, y = _widen_middle(x), _widen_face(y)
            if (
                points[faces[chart == index]][..., 0].ravel()
                @ (x[_local(rows, uv_faces[chart == index])].ravel() - 0.5)
                < 0
            ):
                x = 1 - x
        left, right, bottom, top = MAIN if name == "main" else STRIP[name]
        packed[rows] = np.stack([left + x * (right - left), bottom + y * (top - bottom)], axis=1)
    return packed


def _local(rows: Array, index: Array) -> Array:
    found: Array = np.searchsorted(rows, index)
    return found


def _widen_middle(x: Array, strength: float = 2.2) -> Array:
    """Monotone map of [0, 1] to itself, odd about ½, steepest there: the face lies in the middle."""
    side = 2 * np.abs(x - 0.5)
    wide: Array = 0.5 + 0.5 * np.sign(x - 0.5) * (1 + strength) * side / (1 + strength * side)
    return wide


def _widen_face(y: Array) -> Array:
    """Monotone, piecewise-linear map of [0, 1]: neck, face and scalp get 8, 56 and 36 % of the height."""
    mapped: Array = np.interp(y, (0.0, 0.1, 0.52, 1.0), (0.0, 0.08, 0.64, 1.0))
    return mapped


def _chart_names(chart: Array, points: Array, faces: Array) -> dict[str, int]:
    """Name the charts by size and place."""
    sizes = np.bincount(chart)
    centers = np.array([points[faces[chart == k]].reshape(-1, 3).mean(0) for k in range(len(sizes))])
    by_size = np.argsort(-sizes)
    names = {"main": int(by_size[0]), "mouth": int(by_size[1])}
    sockets = sorted(by_size[2:4], key=lambda k: centers[k, 0])
    names["right_socket"], names["left_socket"] = int(sockets[0]), int(sockets[1])
    names["tongue"], names["neck"] = int(by_size[4]), int(by_size[5])
    eyes = sorted(by_size[6:8], key=lambda k: centers[k, 0])
    names["right_eye"], names["left_eye"] = int(eyes[0]), int(eyes[1])
    return names
