"""``headviz trace``: rays through a field, as a picture and as a record of every step."""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from headviz.commands.console import Progress
from headviz.commands.fields import Source, check_targets, collected_warnings, load_source, require_space, source_name
from headviz.errors import OutputError
from headviz.geometry.files import atomic_write
from headviz.geometry.trace_history import Status
from headviz.render.cones import TraceSettings
from headviz.render.traced import TracedImage, camera_around, tolerance_for, trace_camera
from headviz.viewers.page import bundle
from headviz.viewers.record import Record, array
from headviz.viewers.trace import TraceViewer, viewer_of
from headviz.viewers.trace_record import trace_record
from headviz.viewers.traced import traced_picture, warnings_of


def run(options: argparse.Namespace) -> int:
    """Trace a picture, write it and its record, say what it took."""
    output = options.output or Path(f"{source_name(options.source)}_trace.npz")
    if output.suffix.lower() != ".npz":
        raise OutputError(f"{output} should end with .npz")
    targets = [output, output.with_suffix(".png")]
    if options.html is not None:
        bundle()  # without it there is no page: better to know before the rays are traced
        targets.append(options.html)
    check_targets(options.source, *targets)
    progress = Progress(1)
    progress.name = "trace"
    started = time.perf_counter()
    try:
        with collected_warnings() as notes:
            source = load_source(options.source, progress)
            require_space(source)
            camera = camera_around(source.field, yaw=options.yaw, pitch=options.pitch, size=options.size)
            tolerance = tolerance_for(source.field, camera) if options.tolerance is None else options.tolerance
            title = source.name if source.kind != "shape" else options.source
            settings = TraceSettings(max_steps=options.max_steps, tolerance=tolerance, relaxation=options.relaxation)
            progress(f"tracing {options.size} × {options.size} rays")
            with torch.no_grad():  # nobody asks for gradients of the hits, and they would be evaluations too
                image = trace_camera(source.field, camera, settings=settings, record=True)
            progress("finding the back and a preview of the surface")
            record = trace_record(image, camera, field=source.field, settings=settings)
        progress(f"writing {output.name}")
        viewer = viewer_of(record, title=title)
        files = [output, write(viewer, record, image, output, title=title)]
        if options.html is not None:
            progress(f"writing {options.html.name}")
            files.append(viewer.to_html(options.html))
    finally:
        progress.clear()
    made = as_json(options.source, source, image, files)
    made["seconds"] = round(time.perf_counter() - started, 3)
    made["tolerance_m"] = settings.tolerance
    made["warnings"] = [*notes, *warnings_of(image)]
    for note in made["warnings"]:
        print(f"headviz: warning: {note}", file=sys.stderr)
    print(json.dumps(made, indent=2) if options.json else sentence(made))
    return 0


def write(viewer: TraceViewer, record: Record, image: TracedImage, output: Path, *, title: str) -> Path:
    """Write the record, which a viewer opens and any program that reads ``.npz`` can use, and the picture beside it.

    Returns:
        The picture's file.
    """
    history = image.trace.history
    assert history is not None
    relaxation = np.asarray(math.nan if isinstance(history.relaxation, str) else history.relaxation)  # "adaptive": NaN
    arrays = {**history.arrays(), "relaxation": relaxation, **record.arrays, "mask": array(image.mask)}
    arrays.setdefault("normals", array(image.normals))
    Record(record.kind, record.facts, arrays).save(output, state={**viewer.state.plain(), "title": title})
    picture = output.with_suffix(".png")
    with atomic_write(picture) as file:
        Image.fromarray(traced_picture(image, title=title)).save(file, format="PNG")
    return picture


def as_json(text: str, source: Source, image: TracedImage, files: Sequence[Path]) -> dict[str, Any]:
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
