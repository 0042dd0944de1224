"""Rasterizers: which face every pixel sees. One protocol, several ways to find out, the same fragments from all."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from headviz.errors import OptionError, ShapeError
from headviz.geometry.camera import Camera, Cameras
from headviz.geometry.mesh_batch import MeshBatch
from headviz.geometry.threads import share_out
from headviz.render import raster_torch
from headviz.render.checks import check_scene
from headviz.render.fragments import Fragments, fragments_of


@runtime_checkable
class Rasterizer(Protocol):
    """Anything that tells which face each pixel of several cameras sees."""

    def __call__(self, vertices: Float[Tensor, "b n 3"], faces: Int[Tensor, "m 3"], cameras: Cameras) -> Fragments:
        """Fragments of b pictures, one per mesh and camera, differentiable in the vertices and the cameras."""
        ...


Finder = Callable[[Tensor, Tensor, Cameras], Tensor]


def _of(find: Finder, vertices: Tensor, faces: Tensor, cameras: Cameras) -> Fragments:
    """Fragments by a function that finds faces for points in the cameras' frames."""
    points = cameras.to_camera(vertices)
    with torch.no_grad():
        face = find(points, faces, cameras)
    return fragments_of(points, faces, cameras, face)


def find_by_scan_lines(
    points: Float[Tensor, "b n 3"], faces: Int[Tensor, "m 3"], cameras: Cameras
) -> Int[Tensor, "b h w"]:
    """The nearest face at every pixel by compiled loops over the pixels of every face's box; CPU only."""
    from headviz.render.raster_compiled import cover

    count, size = len(points), (cameras.height, cameras.width)
    corners, places = points.contiguous().numpy(), cameras.to_pixels(points).contiguous().numpy()
    columns, rows = (values.contiguous().numpy() for values in cameras.image_plane())
    index = faces.to(torch.int32).contiguous().numpy()
    found = torch.full((count, *size), -1, dtype=torch.int32)
    written, depths = found.numpy(), np.full((count, *size), np.inf, corners.dtype)
    bands = max(1, min(torch.get_num_threads() // count, size[0] // 16))  # few pictures are cut into bands

    def work(start: int, stop: int, _: int) -> None:
        for item in range(start, stop):
            k, band = divmod(item, bands)
            first, last = (size[0] * edge // bands for edge in (band, band + 1))
            cover((corners[k], index, places[k]), (columns[k], rows[k]), (written[k], depths[k]), first, last)

    share_out(count * bands, work)
    return found.long()


def find_by_embree(points: Float[Tensor, "b n 3"], faces: Int[Tensor, "m 3"], cameras: Cameras) -> Int[Tensor, "b h w"]:
    """The nearest face at every pixel by rays of Embree (https://www.embree.org, through ``embreex``); CPU only.

    In float32 at any precision. Other than the other two it may see nothing, or what is behind, at a pixel whose centre
    is the picture of a mesh's edge or corner to the last bit.
    """
    columns, rows = (values.float() for values in cameras.image_plane())
    found = torch.full((len(points), cameras.height, cameras.width), -1)
    for k, some in enumerate(points.float()):
        top, bottom, left, right = _window(some, cameras, k)
        if top >= bottom or left >= right:
            continue
        y, x = torch.meshgrid(rows[k, top:bottom], columns[k, left:right], indexing="ij")
        rays = torch.stack([x, y, -torch.ones_like(x)], dim=-1).reshape(-1, 3).contiguous().numpy()
        hits = ray_scene(some, faces).run(np.zeros_like(rays), rays)  # type: ignore[attr-defined]
        found[k, top:bottom, left:right] = torch.from_numpy(hits.astype(np.int64)).reshape(x.shape)
    return found


def _window(points: Tensor, cameras: Cameras, k: int) -> tuple[int, int, int, int]:
    """Rows and columns that a mesh is seen in: all of them where it reaches behind the camera."""
    if bool((points[:, 2] >= 0).any()):
        return 0, cameras.height, 0, cameras.width
    focal, center = cameras.focal[k].float(), cameras.center[k].float()
    seen = points[:, :2] / -points[:, 2:] * focal * points.new_tensor([1.0, -1.0]) + center
    bound = points.new_tensor([cameras.width, cameras.height])
    low = torch.minimum((seen.amin(0) - 1).clamp(min=0), bound).long().tolist()
    high = torch.minimum((seen.amax(0) + 2).clamp(min=0), bound).long().tolist()
    return low[1], high[1], low[0], high[0]


def ray_scene(vertices: Float[Tensor, "n 3"], faces: Int[Tensor, "m 3"]) -> object:
    """An Embree scene of the mesh, for repeated queries of the same geometry."""
    from embreex import rtcore_scene
    from embreex.mesh_construction import TriangleMesh

    scene = rtcore_scene.EmbreeScene()
    corners = np.ascontiguousarray(vertices.detach().numpy(), dtype=np.float32)
    TriangleMesh(scene, corners, np.ascontiguousarray(faces.numpy(), dtype=np.int32))
    return scene


def embree_rasterize_uv(uv: Float[Tensor, "t 2"], uv_faces: Int[Tensor, "m 3"], size: int) -> Fragments:
    """Which face covers which texel of a size × size texture (first row on top), depth 0.

    The charts are laid flat and seen from above by parallel rays through the texels' centres.
    """
    flat = torch.cat([uv, torch.zeros(len(uv), 1)], dim=1)
    scene = ray_scene(flat, uv_faces)
    steps = (torch.arange(size, dtype=torch.float32) + 0.5) / size
    v, u = torch.meshgrid(1 - steps, steps, indexing="ij")
    starts = torch.stack([u, v, torch.ones_like(u)], dim=-1).reshape(-1, 3).numpy()
    down = np.broadcast_to(np.array([0, 0, -1], dtype=np.float32), starts.shape)
    hits = scene.run(starts, np.ascontiguousarray(down), query="INTERSECT", output=1)  # type: ignore[attr-defined]
    face = torch.from_numpy(hits["primID"].astype(np.int64))
    b, c = (torch.from_numpy(hits[name])[face >= 0] for name in ("u", "v"))
    return Fragments(face.reshape(size, size), torch.stack([1 - b - c, b, c], dim=-1), torch.zeros_like(b))


def by_pytorch3d(vertices: Float[Tensor, "b n 3"], faces: Int[Tensor, "m 3"], cameras: Cameras) -> Fragments:
    """PyTorch3D's rasterizer and its own weights and depths; see :mod:`headviz.render.raster_pytorch3d`."""
    from headviz.render.raster_pytorch3d import rasterize_by_pytorch3d

    return rasterize_by_pytorch3d(vertices, faces, cameras)


RASTERIZERS: dict[str, Rasterizer] = {
    "scanline": partial(_of, find_by_scan_lines),
    "embree": partial(_of, find_by_embree),
    "torch": partial(_of, raster_torch.find_faces),
    "pytorch3d": by_pytorch3d,
}


def rasterizer(backend: str | Rasterizer | None, device: torch.device, *, single: bool = False) -> Rasterizer:
    """A rasterizer by its name, itself, or the one for a device.

    Args:
        backend: ``None`` is ``"torch"`` on a GPU. On a CPU it is ``"scanline"`` for batches, several times as fast as
            Embree, which builds a tree for every mesh; and ``"embree"`` for a single picture, which should not wait
            half a second until compiled loops are loaded.
        device: of the mesh.
        single: whether it is a single picture.

    Raises:
        OptionError: there is no such name, or it needs a CPU.
    """
    if backend is None:
        backend = "torch" if device.type != "cpu" else "embree" if single else "scanline"
    if not isinstance(backend, str):
        return backend
    if backend not in RASTERIZERS:
        raise OptionError(f"backend should be one of {', '.join(RASTERIZERS)}; it is {backend!r}")
    if device.type != "cpu" and backend in ("scanline", "embree"):
        raise OptionError(f"the backend {backend!r} needs a mesh on the CPU; it is on {device}: use 'torch'")
    return RASTERIZERS[backend]


def rasterize(
    vertices: Float[Tensor, "*b n 3"],
    faces: Int[Tensor, "m 3"],
    camera: Camera | Cameras,
    *,
    backend: str | Rasterizer | None = None,
) -> Fragments:
    """What one camera sees of one mesh, or several of several; differentiable in the vertices and in ``Cameras``.

    Args:
        vertices: metres, shape (n, 3) with a ``Camera``, (b, n, 3) with ``Cameras``.
        faces: shape (m, 3).
        camera: from where; pixels are at half integers.
        backend: ``"scanline"`` (compiled, CPU), ``"embree"`` (rays, CPU), ``"torch"`` (any device, the readable one),
            ``"pytorch3d"``, or a :class:`Rasterizer`. ``None``: see :func:`rasterizer`.

    Raises:
        OptionError: there is no such backend.
        MeshError, CameraError, ShapeError: as of :func:`~headviz.render.shade.render`.
    """
    made = rasterizer(backend, vertices.device, single=isinstance(camera, Camera))
    several = isinstance(camera, Cameras)
    cameras = camera if isinstance(camera, Cameras) else Cameras.of(camera)
    meshes = MeshBatch(vertices if several else vertices[None], faces)
    if len(meshes) not in {1, len(cameras)}:
        raise ShapeError(
            f"there should be as many meshes as cameras, or one; there are {len(meshes)} and {len(cameras)}"
        )
    check_scene(meshes, cameras, None)
    batch = made(meshes.vertices, faces, cameras)
    return batch if several else Fragments(batch.face[0], batch.weights, batch.depths)
