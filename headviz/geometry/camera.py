"""Pinhole cameras in the OpenGL convention: one, or a differentiable batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Tensor

from headviz.errors import ShapeError

#: A number, or a tensor with one or with one per camera.
Each: TypeAlias = "float | Float[Tensor, '...']"


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


@dataclass(frozen=True, eq=False)
class Cameras:
    """Several cameras with pictures of one size, as tensors: gradients flow to all of them.

    Attributes:
        rotation: world to camera, shape (b, 3, 3).
        translation: metres, shape (b, 3).
        focal: focal lengths, pixels, shape (b,).
        center: principal points (cx, cy), pixels, shape (b, 2).
        width, height: size of the pictures, pixels.
    """

    rotation: Float[Tensor, "..."]
    translation: Float[Tensor, "..."]
    focal: Float[Tensor, "..."]
    center: Float[Tensor, "..."]
    width: int
    height: int

    def __post_init__(self) -> None:
        count = len(self.rotation) if self.rotation.ndim else 0
        wanted = {"rotation": (count, 3, 3), "translation": (count, 3), "focal": (count,), "center": (count, 2)}
        for name, shape in wanted.items():
            if tuple(getattr(self, name).shape) != shape:
                raise ShapeError(f"{name} of {count} cameras should have shape {shape}; "
                                 f"shape is {tuple(getattr(self, name).shape)}")  # fmt: skip
        if self.width < 1 or self.height < 1:
            raise ShapeError(f"pictures should have at least one pixel; they have {self.width} × {self.height}")

    @classmethod
    def of(cls, cameras: Camera | Sequence[Camera]) -> Cameras:
        """One or several cameras as a batch; gradients of their tensors flow through.

        Raises:
            ShapeError: there is none, or their pictures differ in size.
        """
        some = [cameras] if isinstance(cameras, Camera) else list(cameras)
        sizes = {(camera.width, camera.height) for camera in some}
        if len(sizes) != 1:
            raise ShapeError(f"cameras of a batch should have pictures of one size; they have {sorted(sizes)}")
        ((width, height),) = sizes
        rotation = torch.stack([camera.rotation for camera in some])
        return cls(
            rotation=rotation,
            translation=torch.stack([camera.translation for camera in some]),
            focal=rotation.new_tensor([camera.focal for camera in some]),
            center=torch.stack([camera.center for camera in some]),
            width=width,
            height=height,
        )

    @classmethod
    def orbit(
        cls,
        yaw: Each = 0.0,
        pitch: Each = 0.0,
        *,
        distance: Each = 0.9,
        target: tuple[float, float, float] | Float[Tensor, "..."] = (0.0, 0.0, 0.0),
        focal: Each = 3.0,
        size: int = 512,
    ) -> Cameras:
        """Cameras on an orbit around a point, looking at a head that faces +z; differentiable in every tensor.

        Args:
            yaw: angles about +y, radians; positive moves a camera to the head's own left (+x).
            pitch: elevations, radians; positive moves a camera up.
            distance: metres from the target.
            target: world point in the middle of the pictures, metres, shape (3,) or (b, 3).
            focal: focal lengths in units of the pictures' size.
            size: width and height, pixels.
        """
        tensors = [value for value in (yaw, pitch, distance, focal, target) if isinstance(value, Tensor)]
        dtype, device = torch.get_default_dtype(), tensors[0].device if tensors else None
        for value in tensors:
            dtype = torch.promote_types(dtype, value.dtype)
        *given, point = (
            torch.as_tensor(value, dtype=dtype, device=device) for value in (yaw, pitch, distance, focal, target)
        )
        turned, raised, away, length, *_ = torch.broadcast_tensors(*given, point.new_zeros(point.shape[:-1] or (1,)))
        cy, sy, cp, sp, zero = turned.cos(), turned.sin(), raised.cos(), raised.sin(), torch.zeros_like(turned)
        forward = torch.stack([sy * cp, sp, cy * cp], -1)  # from the target to the camera
        right = torch.stack([cy, zero, -sy], -1)
        rotation = torch.stack([right, torch.linalg.cross(forward, right), forward], -2)
        position = point + away[:, None] * forward
        translation = -(rotation @ position[..., None])[..., 0]
        center = turned.new_full((len(turned), 2), size / 2)
        return cls(rotation, translation, length * size, center, size, size)

    def __len__(self) -> int:
        return len(self.rotation)

    def __getitem__(self, index: int) -> Camera:
        """One of them; its focal length is a plain number, without gradient."""
        return Camera(
            self.rotation[index], self.translation[index], float(self.focal[index].detach()), self.center[index],
            self.width, self.height,
        )  # fmt: skip

    def select(self, index: Int[Tensor, " k"]) -> Cameras:
        """Some of them, by their numbers, as often as these occur."""
        return replace(
            self, rotation=self.rotation[index], translation=self.translation[index], focal=self.focal[index],
            center=self.center[index],
        )  # fmt: skip

    def to_camera(self, points: Float[Tensor, "#b n 3"]) -> Float[Tensor, "b n 3"]:
        """World points in each camera's frame, metres."""
        return points @ self.rotation.mT + self.translation[:, None]

    def project(self, points: Float[Tensor, "#b n 3"]) -> Float[Tensor, "b n 2"]:
        """Pixel positions (u, v) of world points. Points behind a camera give no error but no meaning."""
        return self.to_pixels(self.to_camera(points))

    def to_pixels(self, points: Float[Tensor, "b n 3"]) -> Float[Tensor, "b n 2"]:
        """Pixel positions (u, v) of points in the cameras' frames; in a camera's plane finite, but without meaning."""
        depth = -points[..., 2:]
        scale = self.focal[:, None, None] / torch.where(depth == 0, 1.0, depth)
        return self.center[:, None] + points[..., :2] * scale * points.new_tensor([1.0, -1.0])

    @property
    def position(self) -> Float[Tensor, "b 3"]:
        """The cameras' centres in the world, metres."""
        return -(self.rotation.mT @ self.translation[..., None])[..., 0]

    def image_plane(self) -> tuple[Float[Tensor, "b w"], Float[Tensor, "b h"]]:
        """Where the pixel centres' rays are at depth 1 in the camera's frame: x of every column, y of every row."""
        u = torch.arange(self.width, dtype=self.center.dtype, device=self.center.device) + 0.5
        v = torch.arange(self.height, dtype=self.center.dtype, device=self.center.device) + 0.5
        return (u - self.center[:, :1]) / self.focal[:, None], (self.center[:, 1:] - v) / self.focal[:, None]

    def enlarged(self, factor: int) -> Cameras:
        """The same cameras for pictures with ``factor`` times as many rows and columns."""
        return replace(
            self, focal=self.focal * factor, center=self.center * factor,
            width=self.width * factor, height=self.height * factor,
        )  # fmt: skip

    def repeated(self, count: int) -> Cameras:
        """All cameras ``count`` times in a row: a, b, a, b, …"""
        return self.select(torch.arange(len(self), device=self.focal.device).repeat(count))


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
    camera = Cameras.orbit(yaw, pitch, distance=distance, target=target, focal=focal, size=size)[0]
    return replace(camera, focal=focal * size)  # a Python number, not rounded to float32
