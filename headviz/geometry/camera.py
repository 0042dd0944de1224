"""Pinhole camera in the OpenGL convention."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera: x right, y up, looking down −z; pixel centres at half integers.

    A point p of the world is at q = R p + t in the camera's frame and is seen at
    u = cx + f·qx/(−qz), v = cy − f·qy/(−qz), in pixels from the upper left corner.

    Attributes:
        rotation: R, world to camera, shape (3, 3).
        translation: t, metres, shape (3,).
        focal: focal length, pixels.
        center: principal point (cx, cy), pixels, shape (2,).
        width, height: size of the picture, pixels.
    """

    rotation: Float[Tensor, "3 3"]
    translation: Float[Tensor, "3"]
    focal: float
    center: Float[Tensor, "2"]
    width: int
    height: int

    def to_camera(self, points: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
        """World points in the camera's frame, metres."""
        return points @ self.rotation.T + self.translation

    def project(self, points: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 2"]:
        """Pixel positions (u, v) of world points. Points behind the camera give no error but no meaning."""
        q = self.to_camera(points)
        scale = self.focal / -q[..., 2:]
        return self.center + q[..., :2] * scale * q.new_tensor([1.0, -1.0])

    @property
    def position(self) -> Float[Tensor, "3"]:
        """The camera's centre in the world, metres."""
        return -self.rotation.T @ self.translation

    def rays(self) -> tuple[Float[Tensor, "3"], Float[Tensor, "h w 3"]]:
        """Origin (3,) and directions (h, w, 3) of the pixel centres' rays, world frame.

        Directions have length 1 along the optical axis, so a ray parameter is a depth.
        """
        u = torch.arange(self.width, dtype=self.center.dtype) + 0.5
        v = torch.arange(self.height, dtype=self.center.dtype) + 0.5
        x = ((u - self.center[0]) / self.focal).expand(self.height, self.width)
        y = (-(v - self.center[1]) / self.focal)[:, None].expand(self.height, self.width)
        directions = torch.stack([x, y, -torch.ones_like(x)], dim=-1)
        return self.position, directions @ self.rotation

    def scaled(self, factor: float) -> Camera:
        """The same camera for a picture resized by ``factor`` (sizes rounded to whole pixels)."""
        width, height = max(1, round(self.width * factor)), max(1, round(self.height * factor))
        return Camera(self.rotation, self.translation, self.focal * factor, self.center * factor, width, height)


def look_at_head(
    *,
    yaw: float = 0.0,
    pitch: float = 0.0,
    distance: float = 0.9,
    target: tuple[float, float, float] = (0.0, 0.0, 0.0),
    focal: float = 3.0,
    size: int = 512,
) -> Camera:
    """A camera on an orbit around ``target``, looking at a head that faces +z.

    Args:
        yaw: angle about +y, radians; positive moves the camera to the head's own left (+x).
        pitch: elevation, radians; positive moves the camera up.
        distance: metres from the target.
        target: world point in the middle of the picture, metres.
        focal: focal length in units of the picture's size.
        size: width and height, pixels.
    """
    cy, sy = float(torch.cos(torch.tensor(yaw))), float(torch.sin(torch.tensor(yaw)))
    cp, sp = float(torch.cos(torch.tensor(pitch))), float(torch.sin(torch.tensor(pitch)))
    forward = torch.tensor([sy * cp, sp, cy * cp])  # from the target to the camera
    right = torch.tensor([cy, 0.0, -sy])
    up = torch.linalg.cross(forward, right)
    rotation = torch.stack([right, up, forward])
    position = torch.tensor(target) + distance * forward
    return Camera(rotation, -rotation @ position, focal * size, torch.tensor([size / 2, size / 2]), size, size)
