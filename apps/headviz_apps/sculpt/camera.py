"""The camera of the canvas: a turntable around a point, its rays and its projection. Plain numbers, no toolkit."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Shaped

#: Yaw and pitch in degrees of the named views; yaw is positive from the head's own left.
VIEWS = {
    "front": (0.0, 0.0),
    "back": (180.0, 0.0),
    "left": (90.0, 0.0),
    "right": (-90.0, 0.0),
    "top": (0.0, 89.0),
    "bottom": (0.0, -89.0),
}
_FIELD = 24.0  # degrees from the lower to the upper edge
_PITCH = 89.0


@dataclass(frozen=True)
class Camera:
    """A turntable camera: y stays up.

    Attributes:
        target: what it turns around, metres.
        distance: from the target, metres.
        yaw, pitch: degrees; from the head's left, from above.
        width, height: of the canvas, logical pixels.
    """

    target: tuple[float, float, float] = (0.0, 0.0, 0.0)
    distance: float = 1.0
    yaw: float = 0.0
    pitch: float = 0.0
    width: int = 800
    height: int = 600

    @property
    def axes(self) -> Float[np.ndarray, "3 3"]:
        """Right, up and backward (towards the eye), one per row."""
        across, up = np.radians([self.yaw, self.pitch])
        back = np.array([np.sin(across) * np.cos(up), np.sin(up), np.cos(across) * np.cos(up)])
        right = np.array([np.cos(across), 0.0, -np.sin(across)])
        return np.stack([right, np.cross(back, right), back])

    @property
    def eye(self) -> Float[np.ndarray, "3"]:
        """Where it is, metres."""
        return np.asarray(self.target + self.distance * self.axes[2])

    @property
    def field(self) -> float:
        """Angle from the lower to the upper edge, degrees; wider where the canvas is narrow."""
        if self.width >= self.height:
            return _FIELD
        return float(2 * np.degrees(np.arctan(np.tan(np.radians(_FIELD / 2)) * self.height / self.width)))

    @property
    def focal(self) -> float:
        """Pixels per metre at the depth of one metre."""
        return self.height / 2 / float(np.tan(np.radians(self.field / 2)))

    def project(self, points: Shaped[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
        """Pixels right of the left edge and below the upper one, and depth in metres."""
        seen = (np.asarray(points, dtype=np.float64) - self.eye) @ self.axes.T
        depth = np.maximum(-seen[..., 2], 1e-9)
        x = self.width / 2 + self.focal * seen[..., 0] / depth
        y = self.height / 2 - self.focal * seen[..., 1] / depth
        return np.stack([x, y, -seen[..., 2]], axis=-1)

    def ray(self, x: float, y: float) -> Float[np.ndarray, "3"]:
        """Direction of a pixel, of depth 1."""
        right, up, back = self.axes
        return np.asarray((x - self.width / 2) / self.focal * right - (y - self.height / 2) / self.focal * up - back)

    def at_depth(self, x: float, y: float, depth: float) -> Float[np.ndarray, "3"]:
        """The point behind a pixel at a depth, metres."""
        return np.asarray(self.eye + depth * self.ray(x, y))

    def metres_per_pixel(self, depth: float) -> float:
        """How far apart neighbouring pixels are at a depth."""
        return depth / self.focal

    def orbited(self, dx: float, dy: float) -> Camera:
        """Turned by a mouse's way in pixels."""
        yaw = (self.yaw - 0.35 * dx + 180) % 360 - 180
        return replace(self, yaw=yaw, pitch=float(np.clip(self.pitch + 0.35 * dy, -_PITCH, _PITCH)))

    def panned(self, dx: float, dy: float) -> Camera:
        """Moved so that the target follows the mouse."""
        right, up, _ = self.axes
        moved = np.asarray(self.target) + self.metres_per_pixel(self.distance) * (-dx * right + dy * up)
        return replace(self, target=(float(moved[0]), float(moved[1]), float(moved[2])))

    def zoomed(self, steps: float, least: float, most: float) -> Camera:
        """Nearer by some turns of a wheel, between two distances."""
        return replace(self, distance=float(np.clip(self.distance * 0.88**steps, least, most)))

    def looking(self, yaw: float, pitch: float) -> Camera:
        """From another side."""
        return replace(self, yaw=yaw, pitch=float(np.clip(pitch, -_PITCH, _PITCH)))

    def framed(self, low: Shaped[np.ndarray, "3"], high: Shaped[np.ndarray, "3"]) -> Camera:
        """With a box in full view, seen from where it looks now."""
        low, high = low.astype(np.float64), high.astype(np.float64)
        middle, half = (low + high) / 2, float(np.linalg.norm(high - low)) / 2
        reach = max(half, 1e-6) / np.sin(np.radians(_FIELD / 2)) * 0.8
        return replace(self, target=(float(middle[0]), float(middle[1]), float(middle[2])), distance=reach)


def hit_face(
    origin: Shaped[np.ndarray, "3"],
    direction: Shaped[np.ndarray, "3"],
    positions: Float[np.ndarray, "n 3"],
    faces: Shaped[np.ndarray, "m 3"],
    chunk: int = 1 << 18,
) -> tuple[int, Float[np.ndarray, "3"]] | None:
    """The first face that a ray meets, and where in it, by barycentric weights; ``None`` where it meets none.

    Möller and Trumbore's test of every face; see :func:`hit_near` for one that is quick on large meshes.
    """
    best: tuple[float, int, Float[np.ndarray, "3"]] | None = None
    start, way = origin.astype(np.float64), direction.astype(np.float64)
    for first in range(0, len(faces), chunk):
        corners = positions[faces[first : first + chunk]].astype(np.float64)
        a, one, two = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        across = np.cross(way, two)
        area = np.einsum("ij,ij->i", one, across)
        with np.errstate(divide="ignore", invalid="ignore"):
            away = start - a
            u = np.einsum("ij,ij->i", away, across) / area
            turned = np.cross(away, one)
            v = turned @ way / area
            t = np.einsum("ij,ij->i", two, turned) / area
            met = (u >= -1e-9) & (v >= -1e-9) & (u + v <= 1 + 1e-9) & (t > 0)
        if met.any():
            which = int(np.flatnonzero(met)[np.argmin(t[met])])
            if best is None or t[which] < best[0]:
                weights = np.clip([1 - u[which] - v[which], u[which], v[which]], 0, 1)
                best = float(t[which]), first + which, weights / weights.sum()
    return None if best is None else best[1:]


def hit_near(
    origin: Shaped[np.ndarray, "3"],
    direction: Shaped[np.ndarray, "3"],
    positions: Float[np.ndarray, "n 3"],
    faces: Shaped[np.ndarray, "m 3"],
    place: Shaped[np.ndarray, "3"],
    reach: float,
) -> tuple[int, Float[np.ndarray, "3"]] | None:
    """As :func:`hit_face`, where it is known about where the ray meets the surface.

    Faces with a vertex nearer to ``place`` than ``reach``, metres, are looked at first; all others only where the ray
    meets none of them.
    """
    away = positions - place.astype(positions.dtype)
    near = np.einsum("ij,ij->i", away, away) < reach * reach
    some = np.flatnonzero(near[faces].any(axis=1))
    met = hit_face(origin, direction, positions, faces[some])
    return hit_face(origin, direction, positions, faces) if met is None else (int(some[met[0]]), met[1])
