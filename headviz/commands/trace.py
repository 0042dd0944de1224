"""``headviz trace``: rays through a field, as a picture and as a record of every step."""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from headviz.commands.console import Progress
from headviz.commands.fields import Source, check_targets, collected_warnings, load_source, require_space, source_name
from headviz.errors import BoundsError, OutputError
from headviz.geometry.camera import Camera, look_at_head
from headviz.geometry.files import atomic_write
from headviz.geometry.trace_history import Status
from headviz.render.cones import TraceSettings
from headviz.render.traced import TracedImage, trace_camera
from headviz.viewers.traced import traced_picture, warnings_of

FOCAL = 3.0  #: in units of the picture's size
FILLED = 0.47  #: how far the box reaches from the middle, in the same units


def run(options: argparse.Namespace) -> int:
    """Trace a picture, write it and its record, say what it took."""
    output = options.output or Path(f"{source_name(options.source)}_trace.npz")
    if output.suffix.lower() != ".npz":
        raise OutputError(f"{output} should end with .npz")
    check_targets(options.source, output, output.with_suffix(".png"))
    progress = Progress(1)
    progress.name = "trace"
    started = time.perf_counter()
    try:
        with collected_warnings() as notes:
            source = load_source(options.source, progress)
            require_space(source)
            camera = camera_around(source, options)
            tolerance = tolerance_for(source, camera) if options.tolerance is None else options.tolerance
            settings = TraceSettings(max_steps=options.max_steps, tolerance=tolerance, relaxation=options.relaxation)
            progress(f"tracing {options.size} × {options.size} rays")
            with torch.no_grad():  # nobody asks for gradients of the hits, and they would be evaluations too
                image = trace_camera(source.field, camera, settings=settings, record=True)
        progress(f"writing {output.name}")
        picture = write(image, output, title=source.name if source.kind != "shape" else options.source)
    finally:
        progress.clear()
    made = as_json(options.source, source, image, (output, picture))
    made["seconds"] = round(time.perf_counter() - started, 3)
    made["tolerance_m"] = settings.tolerance
    made["warnings"] = [*notes, *warnings_of(image)]
    for note in made["warnings"]:
        print(f"headviz: warning: {note}", file=sys.stderr)
    print(json.dumps(made, indent=2) if options.json else sentence(made))
    return 0


def camera_around(source: Source, options: argparse.Namespace) -> Camera:
    """A camera that sees the whole box of a field.

    Raises:
        BoundsError: the box is infinite.
    """
    low, high = source.field.bounds.detach().float().cpu()
    half = (high - low) / 2
    if not bool(torch.isfinite(half).all()) or not float(half.max()) > 0:
        raise BoundsError(f"{source.name} has no finite box to look at; cut it: (…) & box(0.2)")
    middle = ((low + high) / 2).tolist()
    view = {
        "yaw": math.radians(options.yaw),
        "pitch": math.radians(options.pitch),
        "target": (middle[0], middle[1], middle[2]),
        "focal": FOCAL,
        "size": options.size,
    }
    corners = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 3) * half
    x, y, z = (corners @ look_at_head(**view).rotation.T).unbind(1)
    distance = float((z + FOCAL * torch.maximum(x.abs(), y.abs()) / FILLED).max())
    return look_at_head(**view, distance=distance)


def tolerance_for(source: Source, camera: Camera) -> float:
    """How near a ray must come: a small part of the box, but more than single precision leaves uncertain.

    It is 0.1 mm for a head.
    """
    low, high = source.field.bounds.detach().float().cpu()
    distance = float(torch.linalg.vector_norm(camera.position - (low + high) / 2))
    return max(3e-4 * float((high - low).max()), 8 * torch.finfo(torch.float32).eps * distance)


def write(image: TracedImage, output: Path, *, title: str) -> Path:
    """Write the record, and the picture beside it.

    Returns:
        The picture's file.
    """
    history = image.trace.history
    assert history is not None
    arrays: dict[str, Any] = dict(history.arrays())
    maps = {"depth": image.depth, "normals": image.normals, "steps": image.steps, "mask": image.mask}
    arrays |= {name: value.detach().cpu().numpy() for name, value in maps.items()}
    arrays |= {"status": image.trace.status.reshape(image.mask.shape).cpu().numpy()}
    with atomic_write(output) as file:
        np.savez_compressed(file, **arrays)
    picture = output.with_suffix(".png")
    with atomic_write(picture) as file:
        Image.fromarray(traced_picture(image, title=title)).save(file, format="PNG")
    return picture


def as_json(text: str, source: Source, image: TracedImage, files: tuple[Path, Path]) -> dict[str, Any]:
    """What was made, as plain values."""
    trace = image.trace
    return {
        "source": text,
        "kind": source.kind,
        "files": [str(path) for path in files],
        "lipschitz": source.field.lipschitz,
        "rays": image.mask.numel(),
        "evaluations": image.evaluations,
        "evaluations_of_cones": [cone.evaluations for cone in image.cones],
        "status": {status.name.lower(): trace.count(status) for status in Status},
        "oversteps": trace.oversteps + sum(cone.oversteps for cone in image.cones),
        "most_evaluations_on_a_ray": int(trace.steps.max()),
    }


def sentence(made: dict[str, Any]) -> str:
    """What was made, in one line with its numbers."""
    return (
        f"{', '.join(made['files'])}: {made['status']['hit']:,} of {made['rays']:,} rays hit; "
        f"{made['evaluations']:,} evaluations, {made['evaluations'] / made['rays']:.1f} per ray; "
        f"{made['seconds']:.2f} s"
    )
