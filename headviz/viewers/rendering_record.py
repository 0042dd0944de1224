"""What the viewer of a rendering draws: every stage as a map, the values of every pixel, gradients by some vertices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from headviz.errors import CameraError, MeshError, OptionError, RecordError
from headviz.geometry.camera import Camera
from headviz.geometry.mesh import Mesh
from headviz.render.explain import GradientImage, gradient_image
from headviz.render.light import Lighting
from headviz.render.raster import rasterize
from headviz.render.shade import Rendering, render
from headviz.render.soft import SoftMask
from headviz.viewers import look
from headviz.viewers.record import Record, array
from headviz.viewers.rendering_maps import recorded, stages_of
from headviz.viewers.rendering_vertices import chosen_vertices
from headviz.viewers.surfaces import camera_of
from headviz.viewers.trace_record import camera_facts

Arrays = dict[str, Shaped[np.ndarray, "..."]]

#: A page with the values of more pixels would be too large.
MOST_PIXELS = 512 * 512
#: From where a mesh is looked at if nothing else is said, degrees; and how much of the picture it fills.
YAW, PITCH, FILLED = 25.0, 5.0, 0.88
#: A face is drawn beside a pixel where it is seen at one of these many places along a pixel's side.
PLACES = 4
#: Of a pixel's faces in the soft mask, so many are kept, the strongest; a fine mesh has a thousand of them.
MOST_PAIRS = 48
MILLIMETRE = 1e-3
#: What moving a vertex may change.
OF = ("picture", "soft mask")

NEEDED = (
    "face", "layers", "weights", "depth", "normal", "color", "picture", "corners", "faces", "visible", "contributing",
    "pair_first", "pair_face", "pair_distance", "pair_probability", "change_first", "change_pixel", "change_picture",
    "change_mask", "change_code",
)  # fmt: skip
PER_PIXEL = {"face": 0, "layers": 0, "weights": 3, "depth": 0, "normal": 3, "uv": 2, "color": 3, "light": 3,
             "highlight": 3, "picture": 3, "soft_mask": 0, "contributing": 0}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Scene:
    """What is drawn, and how."""

    mesh: Mesh
    camera: Camera
    light: Lighting | None
    soft: SoftMask | None
    background: Float[Tensor, "..."] | None


def camera_around(mesh: Mesh, *, size: int) -> Camera:
    """A camera that sees the whole mesh, from its left and a little from above, as large as it fits.

    Args:
        mesh: what is drawn.
        size: width and height of the picture, pixels.

    Raises:
        MeshError: it has no vertices, or some are NaN or infinite.
    """
    points = array(mesh.vertices).astype(np.float32)
    wrong = int((~np.isfinite(points)).any(axis=1).sum())
    if wrong or not len(points):
        came = f"{wrong:,} of {len(points):,} are NaN or infinite" if wrong else "it has none"
        raise MeshError(f"a mesh to look at should have vertices, all finite; {came}")
    camera = camera_of(points, yaw=YAW, pitch=PITCH, side=size)
    spots = camera.project(torch.from_numpy(points))
    low, high = spots.amin(0), spots.amax(0)
    factor = FILLED * size / max(float((high - low).max()), 1e-9)
    center = size / 2 - ((low + high) / 2 - camera.center) * factor
    rotation, translation, center = (value.to(mesh.vertices) for value in (camera.rotation, camera.translation, center))
    return Camera(rotation, translation, camera.focal * factor, center, size, size)


def rendering_record(scene: Scene, vertices: Mapping[str, int] | None) -> Record:
    """Render, and keep every stage.

    Args:
        scene: what is drawn, and how.
        vertices: that are moved, by name; ``None`` chooses some.

    Raises:
        OptionError: the picture has more pixels than a page can hold, or there is no such vertex.
        CameraError: no pixel sees the mesh.
    """
    camera = scene.camera
    if camera.width * camera.height > MOST_PIXELS:
        raise OptionError(f"a rendering to look at should have at most {MOST_PIXELS:,} pixels; the camera's picture "
                          f"has {camera.width:,} × {camera.height:,}: make it smaller by camera.scaled()")  # fmt: skip
    mesh, light, soft = scene.mesh, scene.light, scene.soft
    with torch.no_grad():
        if not bool(render(mesh, camera).mask.any()):
            raise CameraError(f"the camera should see the mesh; none of its {look.count(len(mesh.faces), 'face')} "
                              "covers the centre of a pixel")  # fmt: skip
        rendering = render(mesh, camera, light=light, soft=soft, background=scene.background, record=True)
        chosen = chosen_vertices(mesh, camera, rendering, soft) if vertices is None else dict(vertices)
        images = {name: gradient_image(mesh, camera, vertex, light=light, soft=soft) for name, vertex in chosen.items()}
    if vertices is None:  # those that change nothing, as the nose seen from behind, tell nothing
        images = {name: image for name, image in images.items() if bool(_changed(image).any())} or images
    pairs = _pairs(rendering)
    arrays = _pixels(scene, rendering) | _mesh(scene, rendering, pairs) | pairs | _changes(list(images.values()))
    stages = stages_of(rendering, light, gradients=bool(images))
    arrays |= {f"map.{stage.name}": stage.pixels for stage in stages}
    facts = _facts(scene, rendering) | {
        "stages": [stage.facts() for stage in stages],
        "vertices": [_vertex(name, image, scene, rendering) for name, image in images.items()],
        "notes": [],
    }
    if int(pairs["contributing"].max()) > MOST_PAIRS:
        facts["notes"] = [f"All faces count in the soft mask; the {MOST_PAIRS} strongest of each pixel are drawn."]
    return Record("rendering", facts | _first_pixels(rendering, facts["vertices"]), arrays)


def _pixels(scene: Scene, rendering: Rendering) -> Arrays:
    """What every pixel knows after each stage; 0 where it sees no face, and ``face`` −1, ``depth`` infinite."""
    record, light = recorded(rendering), scene.light
    made = {
        "face": rendering.face, "layers": record.layers, "weights": rendering.fragments.barycentric,
        "depth": rendering.depth, "normal": rendering.normals, "uv": rendering.uv, "color": record.colors,
        "light": None if light is None else record.irradiance, "picture": rendering.picture,
        "highlight": record.highlights if light is not None and light.shines else None,
        "soft_mask": rendering.soft_mask,
    }  # fmt: skip
    return {name: _single(value) for name, value in made.items() if value is not None}


def _single(values: Tensor) -> Shaped[np.ndarray, "..."]:
    """Whole numbers as they are, real ones in single precision, as they travel to the browser."""
    return array(values.float() if values.is_floating_point() else values)


def _mesh(scene: Scene, rendering: Rendering, pairs: Arrays) -> Arrays:
    """The projected mesh; ``visible`` are faces that are seen at any of several places of any pixel.

    Corners and faces that are neither visible nor in a pair are 0: nothing shows them, and of a large mesh they would
    be most.
    """
    record = recorded(rendering)
    finer = rasterize(scene.mesh.vertices, scene.mesh.faces, scene.camera.scaled(PLACES))
    visible = record.coverage > 0
    visible[finer.covering] = True
    known = visible.clone()
    known[pairs["pair_face"]] = True
    faces = torch.where(known[:, None], scene.mesh.faces, 0)
    used = torch.zeros(len(record.corners), dtype=torch.bool, device=faces.device)
    used[faces[known].reshape(-1)] = True
    corners = torch.where(used[:, None], record.corners, 0)
    return {"corners": _single(corners), "faces": array(faces), "visible": array(visible)}


def _pairs(rendering: Rendering) -> Arrays:
    """The strongest faces of the soft mask at every pixel, the strongest first, and how many there are in all."""
    record = recorded(rendering)
    first, strength = array(record.pair_first), _single(record.pair_probability)
    counts = np.diff(first)
    order = np.lexsort((-strength, np.repeat(np.arange(len(counts)), counts)))
    order = order[np.arange(len(order)) - np.repeat(first[:-1], counts) < MOST_PAIRS]
    kept = np.concatenate([[0], np.minimum(counts, MOST_PAIRS).cumsum()])
    contributing = counts.reshape(rendering.mask.shape)
    return {"contributing": contributing, "pair_first": kept, "pair_face": array(record.pair_face)[order],
            "pair_distance": _single(record.pair_distance)[order], "pair_probability": strength[order]}  # fmt: skip


def _changed(image: GradientImage) -> Tensor:
    """Pixels that change at all, shape (h, w)."""
    return image.picture.flatten(2).any(-1) | image.soft_mask.any(-1)


def _limits(image: GradientImage) -> list[list[float]]:
    """The greatest change per millimetre along each axis: of the mean of red, green and blue, and of the soft mask."""
    both = (image.picture.mean(2), image.soft_mask)
    return [(MILLIMETRE * values.abs().flatten(0, 1).amax(0)).tolist() for values in both]


def _changes(images: list[GradientImage]) -> Arrays:
    """Pixels that change when vertices move, vertex after vertex: by how much per millimetre, and in which colour.

    ``change_picture`` is by axis and colour, ``change_mask`` by axis, ``change_code`` the entry of the signed scale by
    what changes and by axis; the colour of the picture's change is that of the mean of red, green and blue.
    """
    first, rows = [0], []
    for image in images:
        pixel = array(_changed(image)).reshape(-1).nonzero()[0]
        picture = MILLIMETRE * array(image.picture.float()).reshape(-1, 3, 3)[pixel].swapaxes(1, 2)
        mask = MILLIMETRE * array(image.soft_mask.float()).reshape(-1, 3)[pixel]
        shown = np.stack([picture.mean(axis=2), mask], axis=1)
        limits = np.array(_limits(image))
        part = shown / np.where(limits > 0, limits, 1.0)
        code = np.clip(np.rint(255 * (0.5 + 0.5 * part)), 0, 255).astype(np.uint8)
        rows.append((pixel, picture, mask, code))
        first.append(first[-1] + len(pixel))
    names = {"change_pixel": ((0,), np.int64), "change_picture": ((0, 3, 3), np.float32),
             "change_mask": ((0, 3), np.float32), "change_code": ((0, 2, 3), np.uint8)}  # fmt: skip
    none = [np.zeros(shape, dtype) for shape, dtype in names.values()]
    together = [np.concatenate(parts) for parts in zip(none, *rows, strict=True)]
    return {"change_first": np.array(first), **dict(zip(names, together, strict=True))}


def _vertex(name: str, image: GradientImage, scene: Scene, rendering: Rendering) -> dict[str, Any]:
    """A vertex that is moved: where it is seen, its greatest changes per millimetre, and pixels that tell of them.

    ``per_mm`` is by how many pixels right and down it moves in the picture, per millimetre along x, y, z; ``spot`` is
    ``None`` behind the camera. ``pixel`` is column and row of a covered pixel that changes much, ``beside`` of the one
    beside the mesh whose soft mask changes most; ``None`` where there is none.
    """
    moves = MILLIMETRE * torch.eye(4, 3).to(scene.mesh.vertices).roll(1, 0)  # not at all, then along x, y, z
    places = scene.mesh.vertices[image.vertex] + moves
    spots, front = scene.camera.project(places), bool((scene.camera.to_camera(places)[:, 2] < 0).all())
    size = image.picture.abs().sum((-1, -2)) * rendering.fragments.barycentric.amin(-1)  # well inside a face
    soft = image.soft_mask.abs().sum(-1)
    return {
        "name": name, "index": image.vertex, "spot": spots[0].tolist() if front else None,
        "per_mm": (spots[1:] - spots[0]).tolist(), "limits": _limits(image),
        "pixel": _best(size, rendering.mask & (size > 0)), "beside": _best(soft, ~rendering.mask & (soft > 0)),
    }  # fmt: skip


def _best(score: Float[Tensor, "h w"], among: Bool[Tensor, "h w"]) -> list[int] | None:
    """Column and row of the pixel with the highest score; ``None`` where there is none to choose from."""
    if not bool(among.any()):
        return None
    row, column = divmod(int(torch.where(among, score.to(torch.float32), -torch.inf).argmax()), score.shape[1])
    return [column, row]


def _facts(scene: Scene, rendering: Rendering) -> dict[str, Any]:
    mesh, camera, soft, light = scene.mesh, scene.camera, scene.soft, scene.light
    record = recorded(rendering)
    given = {"the texture": mesh.texture, "the vertices": mesh.colors}
    coloring = next((name for name, values in given.items() if values is not None), "plain skin")
    highlights = float(record.highlights.max()) if light is not None and light.shines else None
    size = (camera.height, camera.width)
    return {
        "camera": camera_facts(camera), "faces": len(mesh.faces), "covered": int(rendering.mask.sum()),
        "faces_seen": int((record.coverage > 0).sum()), "colors_from": coloring,
        "sources": None if light is None else len(light.sources), "most_highlight": highlights,
        "margin": None if soft is None else soft.margin(*size),
        "texture": None if mesh.texture is None else [mesh.texture.shape[1], mesh.texture.shape[0]],
    }  # fmt: skip


def _first_pixels(rendering: Rendering, vertices: list[dict[str, Any]]) -> dict[str, list[int]]:
    """Column and row of a pixel to begin with, and of one beside the mesh: such that vertices change them, if any."""
    height, width = rendering.mask.shape
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    middle = -torch.hypot(rows - height / 2, columns - width / 2).to(rendering.mask.device)
    pixel = next((row["pixel"] for row in vertices if row["pixel"]), None)
    pixel = pixel or _best(middle, rendering.mask)
    beside = next((row["beside"] for row in reversed(vertices) if row["beside"]), None)
    if rendering.soft_mask is not None:
        half = -(rendering.soft_mask - 0.5).abs()
        beside = beside or _best(half, ~rendering.mask & (rendering.soft_mask > 0))
    assert pixel is not None  # for some pixel sees the mesh
    return {"pixel": pixel, "beside": beside or pixel}


def checked(record: Record) -> None:
    """Refuse a record whose arrays do not fit each other.

    Raises:
        RecordError: they do not.
    """
    arrays, camera = record.arrays, record.facts["camera"]
    size = (camera["height"], camera["width"])
    wanted = {name: (*size, *((last,) if last else ())) for name, last in PER_PIXEL.items() if name in arrays}
    wanted |= {f"map.{stage['name']}": (*size, 4) for stage in record.facts["stages"]}
    pairs, changes, faces = (len(arrays[name]) for name in ("pair_face", "change_pixel", "faces"))
    wanted |= {"pair_first": (size[0] * size[1] + 1,), "pair_distance": (pairs,), "pair_probability": (pairs,),
               "change_first": (len(record.facts["vertices"]) + 1,), "change_picture": (changes, 3, 3),
               "change_mask": (changes, 3), "change_code": (changes, 2, 3), "faces": (faces, 3), "visible": (faces,),
               "corners": (len(arrays["corners"]), 2)}  # fmt: skip
    for name, shape in wanted.items():
        if name not in arrays or arrays[name].shape != shape:
            came = arrays[name].shape if name in arrays else "missing"
            raise RecordError(f"array {name!r} should have shape {shape}; it is {came}")
    _check_indices(record, size[0] * size[1])


def _check_indices(record: Record, pixels: int) -> None:
    """Indices that point to what is not there would be drawn as nonsense."""
    arrays = record.arrays
    for name, low, most in (("face", -1, len(arrays["faces"])), ("pair_face", 0, len(arrays["faces"])),
                            ("faces", 0, len(arrays["corners"])), ("change_pixel", 0, pixels)):  # fmt: skip
        values = arrays[name]
        if values.size and not low <= int(values.min()) <= int(values.max()) < most:
            raise RecordError(f"array {name!r} should hold whole numbers from {low} to {most - 1}; they run from "
                              f"{look.number(float(values.min()))} to {look.number(float(values.max()))}")  # fmt: skip
    for name, last in (("pair_first", len(arrays["pair_face"])), ("change_first", len(arrays["change_pixel"]))):
        steps = arrays[name]
        if steps[0] != 0 or steps[-1] != last or (np.diff(steps.astype(np.int64)) < 0).any():
            raise RecordError(f"array {name!r} should ascend from 0 to {last}")
