"""From meshes, cameras and light to pictures, differentiable in all of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from headviz.errors import OptionError, ShapeError
from headviz.geometry.camera import Camera, Cameras
from headviz.geometry.mesh import Mesh
from headviz.geometry.mesh_batch import MeshBatch
from headviz.render.checks import check_scene
from headviz.render.explain import RenderRecord, explained
from headviz.render.fragments import Fragments
from headviz.render.guard import guarded, guarded_scene
from headviz.render.light import Lighting
from headviz.render.raster import Rasterizer, rasterizer
from headviz.render.soft import SoftMask, soft_mask
from headviz.render.surface import MeshSurface, Surface, TextureFilter, lit, over


@dataclass(frozen=True)
class RenderSettings:
    """How a picture is made.

    Attributes:
        backend: the rasterizer, as of :func:`~headviz.render.raster.rasterize`.
        texture_filter: ``"bilinear"``, or ``"mipmap"``, which averages texels where a pixel sees several.
        supersample: k draws k × k pixels for each one and averages their colours. Mask, depth and all else stay those
            of the pixel's centre.
        strict: raise an error for what is otherwise only not seen: faces without area and vertices behind a camera.
    """

    backend: str | Rasterizer | None = None
    texture_filter: TextureFilter = "bilinear"
    supersample: int = 1
    strict: bool = False

    def __post_init__(self) -> None:
        if self.texture_filter not in ("bilinear", "mipmap"):
            raise OptionError(f"texture_filter should be 'bilinear' or 'mipmap'; it is {self.texture_filter!r}")
        if not 1 <= self.supersample <= 16:
            raise OptionError(f"supersample should be from 1 to 16; it is {self.supersample}")


@dataclass(frozen=True, eq=False)
class Rendering:
    """Pictures of one size, and what their pixels see. Shapes lack the first b where one mesh met one camera.

    Attributes:
        picture: linear RGB before the background, shape (b, h, w, 3).
        surface: what covered pixels see, one row each.
        soft_mask: 1 where covered, beside it falling with the distance, shape (b, h, w); ``None`` if not asked for.
        record: of every stage; ``None`` unless it was asked for.
    """

    picture: Float[Tensor, "*b h w 3"]
    surface: Surface
    soft_mask: Float[Tensor, "*b h w"] | None = None
    record: RenderRecord | None = None

    @property
    def mask(self) -> Bool[Tensor, "*b h w"]:
        """Covered pixels."""
        return self.surface.pixels.mask

    @property
    def depth(self) -> Float[Tensor, "*b h w"]:
        """Along the optical axis, metres; infinite beside the surface."""
        return _watched(self.surface.pixels.spread(self.surface.depths, torch.inf), "depth")

    @property
    def normals(self) -> Float[Tensor, "*b h w 3"]:
        """Unit vectors in the world, 0 beside the surface."""
        return _watched(self.surface.pixels.spread(self.surface.normals), "normals")

    @property
    def points(self) -> Float[Tensor, "*b h w 3"]:
        """What is seen, in the world, metres; 0 beside the surface."""
        return _watched(self.surface.pixels.spread(self.surface.points), "points")

    @property
    def uv(self) -> Float[Tensor, "*b h w 2"] | None:
        """Texture coordinates, 0 beside the surface; ``None`` for a surface that has none."""
        uv = self.surface.uv
        return None if uv is None else _watched(self.surface.pixels.spread(uv), "uv")

    @property
    def face(self) -> Int[Tensor, "*b h w"] | None:
        """Index of the face that is seen, −1 beside the mesh; ``None`` for a surface without faces."""
        pixels = self.surface.pixels
        return pixels.face if isinstance(pixels, Fragments) else None

    @property
    def fragments(self) -> Fragments:
        """Faces and weights.

        Raises:
            OptionError: the surface has no faces.
        """
        pixels = self.surface.pixels
        if not isinstance(pixels, Fragments):
            raise OptionError("only a mesh has fragments; this is a picture of a field")
        return pixels


def render(
    mesh: Mesh | MeshBatch,
    camera: Camera | Cameras,
    *,
    light: Lighting | None = None,
    background: Float[Tensor, "..."] | None = None,
    soft: SoftMask | None = None,
    settings: RenderSettings | None = None,
    record: bool = False,
) -> Rendering:
    """Draw meshes with their texture, their colours, or plain skin.

    Gradients flow to vertices, texture, colours, normals, to cameras given as ``Cameras``, and to the light. Which face
    a pixel sees is held: what changes at outlines is seen by ``soft`` only. A gradient that is not finite raises an
    error that names what it belongs to.

    Args:
        mesh: one, or several with the same faces.
        camera: from where; one, or several. One of a kind is used for all of the other; two batches are taken in
            pairs (``meshes.seen_from(v)`` and ``cameras.repeated(b)`` are all pairs).
        light: ``None`` shows colours as they are, without light.
        background: linear RGB: one colour (3,), a picture (h, w, 3), or one per picture (b, h, w, 3); ``None`` is the
            light background.
        soft: makes the soft mask; ``None`` does not.
        settings: backend, texture filter, supersampling.
        record: keep what every stage adds, and which faces make the soft mask at which pixels.

    Raises:
        MeshError, ShapeError, CameraError, OptionError: what was expected and what came.
        GradientError: in the backward pass.
    """
    settings = RenderSettings() if settings is None else settings
    single = isinstance(mesh, Mesh) and isinstance(camera, Camera)
    meshes, cameras = paired(mesh, camera)
    check_scene(meshes, cameras, light, strict=settings.strict)
    meshes, cameras, light = guarded_scene(meshes, cameras, light)
    draw = rasterizer(settings.backend, meshes.vertices.device, single=single)
    fragments = draw(meshes.vertices, meshes.faces, cameras)
    surface = MeshSurface(meshes, cameras, fragments, settings.texture_filter)
    if settings.supersample > 1:
        picture = _supersampled(meshes, cameras, light, background, replace(settings, backend=draw))
    else:
        picture = over(fragments, lit(surface, light, cameras), checked_background(background, cameras))
    softened = None if soft is None else _softened(surface, soft, single=single)
    history = explained(surface, light, soft, single=single) if record else None
    if single:
        alone = Fragments(fragments.face[0], fragments.weights, fragments.depths)
        surface, picture = replace(surface, pixels=alone), picture[0]
    return Rendering(_watched(picture, "picture"), surface, softened, history)


def _watched(values: Tensor, name: str) -> Tensor:
    """A result of a rendering, whose gradient is looked at when it comes in."""
    return guarded(values, name, "it came in with the loss")


def paired(mesh: Mesh | MeshBatch, camera: Camera | Cameras) -> tuple[MeshBatch, Cameras]:
    """As many meshes as cameras.

    Raises:
        ShapeError: there are several of both, and not the same number.
    """
    meshes = MeshBatch.of(mesh) if isinstance(mesh, Mesh) else mesh
    cameras = Cameras.of(camera) if isinstance(camera, Camera) else camera
    if len(meshes) == 1 and len(cameras) > 1:
        meshes = meshes.seen_from(len(cameras))
    elif len(cameras) == 1 and len(meshes) > 1:
        cameras = cameras.repeated(len(meshes))
    if len(meshes) != len(cameras):
        raise ShapeError(f"there should be as many cameras as meshes, or one; there are {len(cameras)} cameras and "
                         f"{len(meshes)} meshes; all pairs: meshes.seen_from(), cameras.repeated()")  # fmt: skip
    return meshes, cameras


def checked_background(background: Tensor | None, cameras: Cameras) -> Tensor | None:
    """The background, if it fits the pictures.

    Raises:
        ShapeError: it does not.
    """
    if background is None:
        return None
    picture = (cameras.height, cameras.width, 3)
    if tuple(background.shape) not in {(3,), picture, (1, *picture), (len(cameras), *picture)}:
        raise ShapeError(f"background should have shape (3,), {picture} or {(len(cameras), *picture)}; "
                         f"shape is {tuple(background.shape)}")  # fmt: skip
    return background


def _softened(surface: MeshSurface, soft: SoftMask, *, single: bool) -> Tensor:
    points = surface.cameras.to_camera(surface.meshes.vertices)
    front = points.detach()[..., 2] < 0
    pixels = surface.cameras.to_pixels(points)
    made = soft_mask(pixels, front, surface.meshes.faces, surface.pixels.mask, soft)
    return _watched(made[0] if single else made, "soft_mask")


def _supersampled(
    meshes: MeshBatch,
    cameras: Cameras,
    light: Lighting | None,
    background: Tensor | None,
    settings: RenderSettings,
) -> Tensor:
    """The mean of k × k pixels for every one."""
    k = settings.supersample
    behind = checked_background(background, cameras)
    if behind is not None and behind.ndim > 1:
        behind = behind.repeat_interleave(k, -3).repeat_interleave(k, -2)
    larger = cameras.enlarged(k)
    fragments = rasterizer(settings.backend, meshes.vertices.device)(meshes.vertices, meshes.faces, larger)
    surface = MeshSurface(meshes, larger, fragments, settings.texture_filter)
    picture = over(fragments, lit(surface, light, larger), behind)
    return torch.nn.functional.avg_pool2d(picture.permute(0, 3, 1, 2), k).permute(0, 2, 3, 1)
