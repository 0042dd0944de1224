"""Which side of a mesh a point is on, and where the mesh is nearest: arrays prepared once, for many queries."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

#: Above this many faces their sides are not labelled, which would take over a second; the winding number decides alone.
LABELLED_FACES = 30_000
#: A closest point with a smaller barycentric weight lies on the edge or corner opposite.
ON_EDGE = 1e-7
#: Fast winding numbers are single precision: nearer than this, in units of the mesh's size, they cannot tell the sides.
TOO_NEAR = 1e-6
#: Fast winding numbers err by some thousandths; this near to one half the exact one decides.
UNSURE = 0.05


class Closest(NamedTuple):
    """The points of a mesh that are closest to some queries.

    Attributes:
        point: closest points, shape (n, 3).
        face: the face each lies on, shape (n,).
        weights: its barycentric weights, shape (n, 3).
        distance: to the query, shape (n,).
    """

    point: Float[np.ndarray, "n 3"]
    face: Int[np.ndarray, " n"]
    weights: Float[np.ndarray, "n 3"]
    distance: Float[np.ndarray, " n"]


class Edges(NamedTuple):
    """The undirected edges of some faces, k of them.

    Attributes:
        ends: their two vertices, shape (k, 2).
        of_face: the edge opposite each corner, shape (m, 3).
        faces: how many faces each has, shape (k,).
        surplus: how many more faces run along it one way than the other, shape (k,); 0 in a closed surface.
    """

    ends: Int[np.ndarray, "k 2"]
    of_face: Int[np.ndarray, "m 3"]
    faces: Int[np.ndarray, " k"]
    surplus: Int[np.ndarray, " k"]


class Normals(NamedTuple):
    """Normals of some faces and of what is between them.

    Attributes:
        faces: unit normals, shape (f, 3).
        edges: pseudonormals of the edges, the sum of their faces', shape (k, 3).
        vertices: pseudonormals of the vertices, weighted by angle, shape (n, 3).
        topology: the edges.
    """

    faces: Float[np.ndarray, "f 3"]
    edges: Float[np.ndarray, "k 3"]
    vertices: Float[np.ndarray, "n 3"]
    topology: Edges


def find_edges(faces: Int[np.ndarray, "m 3"]) -> Edges:
    """The edges of faces of shape (m, 3), each once."""
    directed = faces[:, [[1, 2], [2, 0], [0, 1]]].reshape(-1, 2)
    base = int(faces.max()) + 1
    keys, inverse = np.unique(directed.min(1) * base + directed.max(1), return_inverse=True)
    inverse = inverse.reshape(-1)
    way = np.where(directed[:, 0] < directed[:, 1], 1.0, -1.0)
    surplus = np.abs(np.bincount(inverse, way)).astype(np.int64)
    return Edges(np.stack(np.divmod(keys, base), 1), inverse.reshape(-1, 3), np.bincount(inverse), surplus)


class Surface:
    r"""Triangles prepared for queries of distance and side.

    Vertices at the same place are one vertex, faces without area are left out. Distance and closest point are libigl's
    bounding-box tree (exact, double precision).

    The side is that of the generalised winding number w: inside where \|w\| > 1/2. In a closed surface w is a whole
    number that changes only across faces, so the side of the closest face that a query is on has one w; it is found
    once per face. Which side that is, the angle-weighted pseudonormal says (Bærentzen and Aanæs, "Signed Distance
    Computation Using the Angle Weighted Pseudonormal", TVCG 2005). Where that argument does not hold (the surface is
    open; the face is pierced by another, touches one or has an edge that is not between two faces) w is computed:
    Barill et al., "Fast Winding Numbers for Soups and Clouds", SIGGRAPH 2018, and exactly where that is near 1/2.

    Args:
        vertices: positions, shape (n, 3), finite.
        faces: vertex indices, shape (m, 3).

    Attributes:
        vertices: positions, each once, shape (k, 3).
        faces: the faces that have an area, shape (f, 3).
        kept: their index among the faces that were given, shape (f,).
        boundary_edges: edges along which as many faces run one way as the other do not; 0 in a closed surface.
    """

    def __init__(self, vertices: Float[np.ndarray, "n 3"], faces: Int[np.ndarray, "m 3"]) -> None:
        # −0 and 0 are the same place.
        unique, index = np.unique(vertices + 0.0, axis=0, return_inverse=True)
        welded = index.reshape(-1)[faces].reshape(-1, 3)
        apart = (welded != np.roll(welded, 1, axis=1)).all(1)
        self.boundary_edges = int((find_edges(welded[apart]).surplus > 0).sum()) if apart.any() else 0
        corners = unique[welded]
        sides = corners - np.roll(corners, 1, axis=1)
        doubled = np.linalg.norm(np.cross(sides[:, 1], sides[:, 2]), axis=1)
        self.kept = np.flatnonzero(apart & (doubled > 1e-12 * (sides**2).sum(2).max(1, initial=0)))
        self.vertices = np.ascontiguousarray(unique)
        self.faces = np.ascontiguousarray(welded[self.kept], dtype=np.int64)

    def __getstate__(self) -> dict[str, Any]:
        """Without the trees, which are found again when needed: libigl's objects cannot be copied or pickled."""
        return {name: value for name, value in self.__dict__.items() if name not in _FOUND}

    @cached_property
    def size(self) -> float:
        """The diagonal of the box, in the vertices' unit."""
        used = self.vertices[self.faces].reshape(-1, 3)
        return float(np.linalg.norm(np.ptp(used, axis=0)))

    @cached_property
    def _boxes(self) -> Any:
        import igl

        tree = igl.AABB()
        tree.init(self.vertices, self.faces)
        return tree

    @cached_property
    def _winding_tree(self) -> Any:
        import igl

        tree = igl.FastWindingNumberBVH()
        tree.init(self._unit(self.vertices), self.faces)
        return tree

    def _unit(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        # Single precision is best used around 0, in a cube of side 1.
        scaled: np.ndarray[Any, Any] = (points - self.vertices[self.faces[0, 0]]) / self.size
        return np.ascontiguousarray(scaled)

    @cached_property
    def _normals(self) -> Normals:
        import igl

        a, b, c = (self.vertices[self.faces[:, k]] for k in range(3))
        normal = np.cross(b - a, c - a)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        edges = find_edges(self.faces)
        of_edges = np.stack([np.bincount(edges.of_face.reshape(-1), np.repeat(normal[:, k], 3)) for k in range(3)], 1)
        angle = igl.PER_VERTEX_NORMALS_WEIGHTING_TYPE_ANGLE
        of_vertices = igl.per_vertex_normals(self.vertices, self.faces, angle, normal)
        return Normals(normal, of_edges, of_vertices, edges)

    @property
    def normals(self) -> Float[np.ndarray, "f 3"]:
        """Unit normals of the faces, shape (f, 3)."""
        return self._normals.faces

    @cached_property
    def _labels(self) -> tuple[Bool[np.ndarray, " f"], Bool[np.ndarray, "f 2"]]:
        """Whether a face's sides can be labelled, and whether its back and its front are inside."""
        import igl

        inside = np.zeros((len(self.faces), 2), dtype=bool)
        if self.boundary_edges or len(self.faces) > LABELLED_FACES:
            return inside[:, 0].copy(), inside
        normal, edges = self._normals.faces, self._normals.topology
        rough = edges.ends[(edges.faces != 2) | (edges.surplus != 0)]
        smooth = igl.is_vertex_manifold(self.faces)[: len(self.vertices)]
        smooth[rough] = False
        trusted = smooth[self.faces].all(1) & ~self._pierced(edges)
        corners = self.vertices[self.faces]
        step = 1e-3 * np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).min(1)[:, None] * normal
        back, front = (self._winding_tree.winding_number(self._unit(corners.mean(1) + s * step)) for s in (-1, 1))
        whole = np.maximum(np.abs(back - np.round(back)), np.abs(front - np.round(front))) < UNSURE
        trusted &= whole & (np.round(back) - np.round(front) == 1)
        return trusted, np.stack([np.abs(back), np.abs(front)], 1) > 0.5

    def _pierced(self, edges: Edges) -> Bool[np.ndarray, " f"]:
        """Faces that another one passes through or touches, shape (f,).

        Two triangles intersect where an edge of one meets the other. Faces that lie in one plane are told by moving all
        vertices a millionth of the mesh's size at random, and then the other way: one of the two makes them intersect.
        """
        import igl

        found = np.zeros(len(self.faces), dtype=bool)
        # libigl takes a ray for parallel to a face below an absolute bound of 1e-6: the mesh is made a million wide.
        wide = self._unit(self.vertices) * 1e6
        shift = np.random.default_rng(0).uniform(-1, 1, wide.shape)
        for moved in (wide + shift, wide - shift):
            tree = igl.AABB()
            tree.init(moved, self.faces)
            start = moved[edges.ends[:, 0]]
            hits = tree.intersect_ray(moved, self.faces, start, moved[edges.ends[:, 1]] - start)
            edge = np.repeat(np.arange(len(hits)), [len(hit) for hit in hits])
            rows = np.array([row[:2] for hit in hits for row in hit]).reshape(-1, 2)
            face, at = rows[:, 0].astype(np.int64), rows[:, 1]
            near = (self.faces[face][:, :, None] == edges.ends[edge][:, None]).any((1, 2))
            real = (at >= 0) & (at <= 1) & ~near
            piercing = np.zeros(len(edges.ends), dtype=bool)
            piercing[edge[real]] = True
            found[face[real]] = True
            found |= piercing[edges.of_face].any(1)
        return found

    def closest(self, points: Float[np.ndarray, "n 3"]) -> Closest:
        """Where the surface is nearest to points of shape (n, 3)."""
        import igl

        _, face, point = self._boxes.squared_distance(self.vertices, self.faces, points)
        point = point.reshape(-1, 3)
        a, b, c = (self.vertices[self.faces[face, k]] for k in range(3))
        weights = igl.barycentric_coordinates(point, a, b, c).reshape(-1, 3).clip(0, 1)
        weights /= weights.sum(1, keepdims=True)
        return Closest(point, face, weights, np.linalg.norm(points - point, axis=1))

    def inside(self, points: Float[np.ndarray, "n 3"], closest: Closest) -> Bool[np.ndarray, " n"]:
        """Whether points are inside, shape (n,), given where the surface is nearest to them."""
        trusted, label = self._labels
        away = points - closest.point
        height = (away * self.pseudonormals(closest)).sum(1)
        found: np.ndarray[Any, Any] = label[closest.face, (height > 0).astype(np.int64)]
        # A height of almost nothing is rounding's: a closest point on the border of an edge's or a corner's region.
        asked = np.flatnonzero(~trusted[closest.face] | (np.abs(height) < 1e-3 * closest.distance))
        if len(asked):
            found[asked] = np.abs(self._winding(points[asked], Closest(*(part[asked] for part in closest)))) > 0.5
        return found

    def pseudonormals(self, closest: Closest) -> Float[np.ndarray, "n 3"]:
        """Normals at closest points, of the face, edge or corner they lie on, shape (n, 3), of any length."""
        normals: np.ndarray[Any, Any] = self._normals.faces[closest.face]
        low = closest.weights < ON_EDGE
        count = low.sum(1)
        row = np.flatnonzero(count == 1)
        normals[row] = self._normals.edges[self._normals.topology.of_face[closest.face[row], low[row].argmax(1)]]
        row = np.flatnonzero(count == 2)
        normals[row] = self._normals.vertices[self.faces[closest.face[row], closest.weights[row].argmax(1)]]
        return normals

    def _winding(self, points: Float[np.ndarray, "n 3"], closest: Closest) -> Float[np.ndarray, " n"]:
        """Generalised winding numbers, good enough to tell on which side of 1/2 they are."""
        import igl

        least = TOO_NEAR * self.size
        near = np.flatnonzero(closest.distance < least)
        if len(near):
            # Asked a little farther out on the same side instead.
            away = points[near] - closest.point[near]
            length = np.linalg.norm(away, axis=1, keepdims=True)
            normal = self.normals[closest.face[near]]
            out = np.where(length > 1e-10 * self.size, away / np.maximum(length, 1e-300), normal)
            points = points.copy()
            points[near] = closest.point[near] + least * out
        found: np.ndarray[Any, Any] = self._winding_tree.winding_number(self._unit(points)).reshape(-1)
        unsure = np.flatnonzero(np.abs(np.abs(found) - 0.5) < UNSURE)
        if len(unsure):
            found[unsure] = igl.winding_number(self.vertices, self.faces, points[unsure])
        return found


#: What a Surface finds when it is first asked.
_FOUND = {name for name, value in vars(Surface).items() if isinstance(value, cached_property)}


def morton_order(points: Float[np.ndarray, "n 3"]) -> Int[np.ndarray, " n"]:
    """The order of points along a curve that stays near where it is, shape (n,): neighbours ask the same branches.

    G. M. Morton, "A Computer Oriented Geodetic Data Base", 1966: the bits of the three coordinates, interleaved.
    """
    low, extent = points.min(0), float(np.ptp(points, axis=0).max())
    cells = ((points - low) * (1023 / extent if extent > 0 else 0.0)).astype(np.uint32)
    for shift, mask in ((16, 0x030000FF), (8, 0x0300F00F), (4, 0x030C30C3), (2, 0x09249249)):
        cells = (cells | cells << np.uint32(shift)) & np.uint32(mask)
    keys = cells[:, 0] | cells[:, 1] << np.uint32(1) | cells[:, 2] << np.uint32(2)
    return np.argsort(keys, kind="stable")
