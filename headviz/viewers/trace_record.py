"""What the viewer of a traced picture draws: maps, every look of every ray, and a preview of the surface."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from headviz.errors import BoundsError, EmptySurfaceError, FieldError, InputError, SurfaceWarning
from headviz.geometry.camera import Camera
from headviz.geometry.color import to_uint8
from headviz.geometry.extract import extract_surface
from headviz.geometry.field import Field
from headviz.geometry.mesh import Mesh
from headviz.geometry.trace import sphere_trace
from headviz.geometry.trace_history import Status, TraceHistory
from headviz.render.cones import TraceSettings
from headviz.render.traced import TracedImage
from headviz.viewers.record import Record, array
from headviz.viewers.trace_mesh import clustered, relief

Arrays = dict[str, Shaped[np.ndarray, "..."]]

#: Cells along the longest side of the preview of the surface.
PREVIEW = 72
#: The preview is simplified where it has more faces.
MOST_FACES = 120_000
#: Where the scene is looked at from: degrees to the side of the tracing camera, and above the horizon.
ASIDE, ABOVE = 62.0, 14.0
#: Spheres with a larger radius than this part of the surface's size can be told apart in the scene.
TELLING = 0.012
#: More such spheres do not tell more: the rays that have them graze the surface for long.
ENOUGH = 8
#: Failures of a preview after which the relief of the hits takes its place.
_NO_SURFACE = (EmptySurfaceError, FieldError, BoundsError)


def trace_record(
    image: TracedImage,
    camera: Camera,
    *,
    field: Field | None = None,
    mesh: Mesh | None = None,
    settings: TraceSettings | None = None,
) -> Record:
    """The whole record of a traced picture; the viewer keeps of it what it draws, and what a page can hold.

    Args:
        image: traced with ``record=True``.
        camera: that it was traced with.
        field: what was traced; it gives the back of the surface, a preview of it in space, and its box.
        mesh: a preview of the surface, metres, instead of one that is extracted from the field.
        settings: that it was traced with; the way back takes the same.

    Raises:
        InputError: the picture was traced without recording.
    """
    history = image.trace.history
    if history is None:
        raise InputError("a traced picture to look at should have a history; trace it with record=True")
    notes: list[str] = []
    arrays = _maps(image, history) | _looks(history)
    vertices, faces = _surface(image, camera, field, mesh, notes)
    arrays |= {"vertices": vertices, "faces": faces}
    if field is not None:
        arrays["back"] = _back(field, image, history, settings or TraceSettings())
    facts = _facts(image, camera, history) | {"notes": notes, "every": 1}
    facts["bounds"] = _box(image, field, vertices)
    facts |= _view(camera, facts["bounds"])
    size = math.dist(*facts["bounds"])
    facts["pixel"] = _telling_pixel(image, history, facts["view"], size)
    return Record("trace", facts, arrays)


def _maps(image: TracedImage, history: TraceHistory) -> Arrays:
    """One value per pixel; ``last`` is the step of the ray's last look, −1 for none."""
    size = tuple(image.mask.shape)
    last = torch.full((image.mask.numel(),), -1, dtype=torch.int32)
    for step in range(len(history)):
        last[history.index[history.step(step)].cpu().long()] = step
    made = {
        "depth": array(image.depth), "status": array(image.trace.status.reshape(size)), "steps": array(image.steps),
        "last": array(last.reshape(size)),
    }  # fmt: skip
    if image.normals_from != "none":
        mask = array(image.mask)
        shaded = to_uint8(image.shaded())
        shaded[~mask] = 0
        made |= {"normals": array(image.normals), "shaded": shaded}
    return made


def _looks(history: TraceHistory) -> Arrays:
    """Every look, step after step, as :class:`TraceHistory` keeps them, and the over-steps."""
    names = ("index", "t", "distance", "undone", "offsets", "look")
    over = history.oversteps
    return {name: array(getattr(history, name)) for name in names} | {
        "overstep_ray": array(over.ray),
        "overstep_step": array(over.step),
    }


def _facts(image: TracedImage, camera: Camera, history: TraceHistory) -> dict[str, Any]:
    trace = image.trace
    distance = history.distance.abs()
    farthest = float(distance[torch.isfinite(distance)].amax()) if len(distance) else 0.0
    return {
        "camera": camera_facts(camera), "lipschitz": history.lipschitz, "tolerance": history.tolerance,
        "relaxation": history.relaxation, "rays": image.mask.numel(), "evaluations": image.evaluations,
        "cones": [cone.evaluations for cone in image.cones],
        "oversteps": trace.oversteps + sum(cone.oversteps for cone in image.cones),
        "status": {status.name.lower(): trace.count(status) for status in Status},
        "distances": [history.tolerance, max(farthest, 10 * history.tolerance)],
        "most_steps": largest_shown(image.steps),
        "normals_from": image.normals_from,
    }  # fmt: skip


def camera_facts(camera: Camera) -> dict[str, Any]:
    """A camera as plain values: place, rotation from world to camera, focal length and centre in pixels, size."""
    return {
        "position": camera.position.double().tolist(), "rotation": camera.rotation.double().tolist(),
        "focal": float(camera.focal), "center": camera.center.double().tolist(),
        "width": camera.width, "height": camera.height,
    }  # fmt: skip


def camera_of(facts: Mapping[str, Any]) -> Camera:
    """The camera of :func:`camera_facts`, in double precision."""
    rotation = torch.tensor(facts["rotation"], dtype=torch.float64)
    position = torch.tensor(facts["position"], dtype=torch.float64)
    center = torch.tensor(facts["center"], dtype=torch.float64)
    return Camera(rotation, -rotation @ position, facts["focal"], center, facts["width"], facts["height"])


def camera_of_rays(image: TracedImage) -> Camera:
    """The camera of a traced picture, from its rays; the picture does not keep it.

    Raises:
        InputError: the picture was traced without recording, or is a single row or column of pixels.
    """
    history, (height, width) = image.trace.history, image.mask.shape
    if history is None:
        raise InputError("a traced picture to look at should have a history; trace it with record=True")
    if min(height, width) < 2:
        raise InputError(f"a picture of {width} × {height} pixels does not show its camera; give the camera too")
    origin = history.origins[0].double().cpu()
    rays = history.directions.reshape(height, width, 3).double().cpu()
    across, down = (rays[0, -1] - rays[0, 0]) / (width - 1), (rays[-1, 0] - rays[0, 0]) / (height - 1)
    focal = 2 / float(across.norm() + down.norm())
    right, up = across / across.norm(), -down / down.norm()
    rotation = torch.stack([right, up, torch.linalg.cross(right, up)])
    x, y, z = (rotation @ rays[0, 0]).tolist()
    center = torch.tensor([0.5 + focal * x / z, 0.5 - focal * y / z], dtype=torch.float64)
    return Camera(rotation, -rotation @ origin, focal, center, width, height)


def largest_shown(steps: Tensor) -> int:
    """The number of steps that gets the last colour: what 99 % of the rays with steps stay below, in fives.

    A few grazing rays take several times as many steps as all others, and would leave one colour to those.
    """
    some = steps[steps > 0].double()
    return 5 * math.ceil(float(torch.quantile(some, 0.99)) / 5) if 0 < len(some) <= 1 << 24 else 5


def _back(field: Field, image: TracedImage, history: TraceHistory, settings: TraceSettings) -> Float[np.ndarray, "h w"]:
    """Depth at which rays that hit leave the surface for good, metres; NaN where that is unknown."""
    hit = image.trace.hit
    found = torch.full_like(image.trace.t.detach(), torch.nan)
    if bool(hit.any()):
        with torch.no_grad():
            trace = sphere_trace(
                field, history.origins[hit], history.directions[hit], near=0.0, far=torch.inf, backward=True,
                max_steps=settings.max_steps, tolerance=history.tolerance, relaxation=settings.relaxation,
                bracketing=settings.bracketing,
            )  # fmt: skip
        found[hit] = torch.where(trace.hit, trace.t, torch.nan)
        found = torch.maximum(found, image.trace.t.detach())  # within the tolerance they may change places
    return array(found.reshape(image.mask.shape))


def _surface(
    image: TracedImage, camera: Camera, field: Field | None, mesh: Mesh | None, notes: list[str]
) -> tuple[Shaped[np.ndarray, "v 3"], Shaped[np.ndarray, "f 3"]]:
    """Vertices and faces for the scene: the mesh that was given, the field's surface, or the relief of the hits."""
    if mesh is None and field is not None:
        try:
            with warnings.catch_warnings(), torch.no_grad():
                warnings.simplefilter("ignore", SurfaceWarning)  # of a preview nobody asks whether it is closed
                mesh = extract_surface(field, resolution=PREVIEW).mesh
        except _NO_SURFACE as error:
            notes.append(f"The scene shows the relief of the hits, because the surface was not found: {error}.")
    elif mesh is None:
        notes.append("The scene shows the relief of the hits; with the field it would show the whole surface.")
    if mesh is None:
        vertices, faces = relief(array(image.depth), camera)
    else:
        vertices, faces = array(mesh.vertices).astype(np.float32), array(mesh.faces)
    if len(faces) > MOST_FACES:
        vertices, faces = clustered(vertices, faces, MOST_FACES)
    return vertices, faces.astype(np.int32)


def _box(image: TracedImage, field: Field | None, vertices: Shaped[np.ndarray, "v 3"]) -> list[list[float]]:
    """Two corners of a box around what is looked at, metres: of the surface, else of the field, else of the rays."""
    points = vertices.astype(np.float64)
    if not len(points) and field is not None:
        points = array(field.bounds).astype(np.float64)
    if not len(points) or not np.isfinite(points).all():
        points = array(image.trace.points).astype(np.float64)
        points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        return [[-1.0] * 3, [1.0] * 3]
    return [points.min(axis=0).tolist(), points.max(axis=0).tolist()]


def _view(camera: Camera, bounds: list[list[float]]) -> dict[str, Any]:
    """``view``: yaw and pitch from which the scene is seen, degrees; ``plane``: depth of the picture in it, metres."""
    x, y, z = camera.rotation[2].tolist()  # from what is looked at to the camera
    yaw = (math.degrees(math.atan2(x, z)) + ASIDE + 180) % 360 - 180
    low, high = torch.tensor(bounds)
    corners = torch.cartesian_prod(*torch.stack([low, high], dim=1)).to(camera.rotation)
    nearest = float(-camera.to_camera(corners)[:, 2].max())
    size = float((high - low).norm())
    return {"view": [yaw, ABOVE - 0.3 * math.degrees(math.asin(max(-1.0, min(1.0, y))))],
            "plane": max(nearest - 0.12 * size, 0.25 * nearest, 0.05 * size)}  # fmt: skip


def _telling_pixel(image: TracedImage, history: TraceHistory, view: list[float], size: float) -> list[int]:
    """A pixel to begin with: a hit on a side that the scene shows, after some large spheres; or the middle.

    Of such pixels, the nearest to the middle of the picture.
    """
    height, width = image.mask.shape
    hits = image.mask.cpu().nonzero()  # row, column
    if not len(hits):
        return [width // 2, height // 2]
    if image.normals_from != "none":
        yaw, pitch = (math.radians(angle) for angle in view)
        away = [math.sin(yaw) * math.cos(pitch), math.sin(pitch), math.cos(yaw) * math.cos(pitch)]
        normals = image.normals.detach().cpu()[hits[:, 0], hits[:, 1]]
        seen = normals @ torch.tensor(away).to(normals) > 0.3
        hits = hits[seen] if bool(seen.any()) else hits
    spheres = torch.zeros(len(hits))
    for part in (TELLING, TELLING / 10, 0.0):  # rays that begin near the surface have no large spheres
        large = (history.distance > part * size * history.lipschitz) & ~history.undone
        counts = torch.bincount(history.index[large].cpu(), minlength=image.mask.numel()).reshape(height, width)
        spheres = counts[hits[:, 0], hits[:, 1]].clamp(max=ENOUGH)
        if int(spheres.max()) > 2:
            break
    hits = hits[spheres == spheres.max()]
    row, column = hits[int((hits - torch.tensor([height, width]) / 2).norm(dim=1).argmin())].tolist()
    return [column, row]
