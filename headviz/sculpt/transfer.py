"""The strokes of one head done on another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from headviz.geometry.mesh import Mesh
from headviz.sculpt.places import locate
from headviz.sculpt.session import SculptSession
from headviz.sculpt.steps import Keypoint, Point, SetKeypoints, SetSliders, Step, Stroke, Symmetrise
from headviz.sculpt.surface import Surface

_ON_PLANE = 1e-5  #: sizes of the head: points nearer to x = 0 stay on it
_FAR = 0.1  #: sizes of the head: strokes that had to be moved farther to reach the surface are named
_SAMPLES, _ROUNDS, _TRIMMED = 2000, 40, 0.7  # of the fit of two heads with other faces
_ROOM = 4_000_000  #: bytes of undo of the head that is only followed


@dataclass(frozen=True, eq=False)
class Transfer:
    """What came of it.

    Attributes:
        session: the other head with the strokes; they can be undone one by one.
        notes: a sentence for each thing that could not be carried over.
        same_faces: whether points were carried by faces, or by their place in space.
    """

    session: SculptSession
    notes: tuple[str, ...]
    same_faces: bool


def replay_on(session: SculptSession, mesh: Mesh, *, name: str = "head") -> Transfer:
    """Do the steps from the base to the present state on another head.

    Where both heads have the same faces, a point goes to the same place of the same face, as both are at that step.
    Where not, the heads are scaled to one size and shifted onto each other, and the point goes to the nearest place.
    Vectors and radii are scaled by the ratio of the boxes' longest sides, kernels' parameters accordingly. Symmetric
    strokes stay symmetric. Versions on the way keep their names.

    Args:
        session: whose steps they are; it stays as it is.
        mesh: the other head, facing the same way.
        name: what the new session is called.

    Raises:
        MeshError: the other head cannot be sculpted.
    """
    mover = _Mover(SculptSession(session.base, budget=_ROOM), SculptSession(mesh, name=name))
    places = {0: 0}
    for entry in reversed(list(session.log.ancestors(session.current))):
        if entry.step is None:
            continue
        moved = mover.moved(entry.step)
        mover.old.apply(entry.step)
        if moved is not None:
            mover.new.apply(moved)
        places[entry.id] = mover.new.current
    for version, number in session.versions.items():
        if number in places:
            mover.new.log.versions[version] = places[number]
    return Transfer(mover.new, tuple(mover.notes), mover.same)


class _Mover:
    """Two heads at the same step, and how steps go from one to the other."""

    def __init__(self, old: SculptSession, new: SculptSession) -> None:
        self.old, self.new = old, new
        self.same = len(old.surface) == len(new.surface) and np.array_equal(old.surface.faces, new.surface.faces)
        self.equal = self.same and np.array_equal(old.surface.rest, new.surface.rest)
        self.scale = new.surface.size / old.surface.size
        self.shift = np.zeros(3) if self.same else self._fitted()
        self.notes: dict[str, None] = {}

    def moved(self, step: Step) -> Step | None:
        """The step for the other head, if it can be done there."""
        if isinstance(step, Stroke):
            points = self._points(step.points, self.old.positions, self.new.positions)
            brush = replace(step.brush, radius=step.brush.radius * self.scale)
            return Stroke(brush, points, self._vector(step.vector))
        if isinstance(step, SetKeypoints):
            places = self._points(
                [point.position for point in step.keypoints], self.old.surface.rest, self.new.surface.rest
            )
            made = [self._keypoint(point, place) for point, place in zip(step.keypoints, places, strict=True)]
            return SetKeypoints(tuple(made), step.exact)
        if isinstance(step, SetSliders):
            return self._sliders(step)
        if isinstance(step, Symmetrise) and self.new.surface.mirror is None:
            self._note("the other head has no mirror map: it was not symmetrised")
            return None
        return step

    def _points(
        self, points: Sequence[Point], old: Float[np.ndarray, "n 3"], new: Float[np.ndarray, "m 3"]
    ) -> tuple[Point, ...]:
        """Points of the old head on the new one."""
        if self.equal or not points:
            return tuple(points)
        given = np.array(points, dtype=np.float64)
        if self.same:
            found = locate(self.old.surface, old, given).on(new, self.scale)
        else:
            place = locate(self.new.surface, new, self.scale * given + self.shift)
            found = place.on(new, 0.0)
            away = float(np.linalg.norm(place.offsets, axis=1).max()) / self.new.surface.size
            if away > _FAR:
                self._note(f"a stroke was {100 * away:.0f} % of the head's size away from the other head's surface")
        seam = np.abs(given[:, 0]) < _ON_PLANE * self.old.surface.size
        found[seam, 0] = 0.0
        return tuple((float(x), float(y), float(z)) for x, y, z in found)

    def _fitted(self) -> Float[np.ndarray, "3"]:
        """The shift that brings the scaled head nearest to the other one: middle onto middle, then closest points.

        P. J. Besl, N. D. McKay, "A Method for Registration of 3-D Shapes", PAMI 1992; here without turning, and with
        the nearer part of the points, for necks and shoulders differ most. Sideways only where a head is far aside.
        """
        old, new = self.old.surface, self.new.surface
        scaled = self.scale * old.rest[:: max(1, len(old) // _SAMPLES)].astype(np.float64)
        from scipy.spatial import cKDTree

        tree = cKDTree(new.rest[:: max(1, len(new) // (10 * _SAMPLES))])
        shift = _middle(new) - self.scale * _middle(old)
        free = np.array([abs(shift[0]) > 0, True, True])
        for _ in range(_ROUNDS):
            distance, nearest = tree.query(scaled + shift)
            near = distance <= np.quantile(distance, _TRIMMED)
            shift = shift + free * (tree.data[nearest[near]] - scaled[near] - shift).mean(0)
        return np.asarray(shift)

    def _vector(self, vector: Point) -> Point:
        x, y, z = (float(self.scale * value) for value in vector)
        return x, y, z

    def _keypoint(self, keypoint: Keypoint, place: Point) -> Keypoint:
        """A keypoint at another place that reaches as far in sizes of the head."""
        power = {"gaussian": -2, "wendland": -2, "multiquadric": 1, "inverse_multiquadric": 1}.get(keypoint.kernel, 0)
        alpha = keypoint.alpha * self.scale**power
        return replace(keypoint, position=place, vector=self._vector(keypoint.vector), alpha=alpha)

    def _sliders(self, step: SetSliders) -> SetSliders | None:
        known = {name: value for name, value in step.values.items() if name in self.new.layers.morphs}
        for name in step.values.keys() - known.keys():
            self._note(f"the other head has no slider {name!r}: its weight was left out")
        return SetSliders(known) if known else None

    def _note(self, text: str) -> None:
        self.notes[text] = None


def _middle(surface: Surface) -> Float[np.ndarray, "3"]:
    """Middle of the box; on the mirror plane where the head is nearly in the middle of it."""
    middle = surface.center.astype(np.float64)
    if abs(middle[0]) < 0.05 * surface.size:
        middle[0] = 0.0
    return middle
