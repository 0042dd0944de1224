"""``headviz extract``: a surface from a field, as a mesh file."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from headviz.commands.console import Progress
from headviz.commands.fields import Source, check_targets, collected_warnings, load_source, require_space, source_name
from headviz.errors import OutputError
from headviz.geometry.extract import Extraction, extract_surface
from headviz.geometry.files import write_glb, write_obj, write_ply
from headviz.geometry.mesh import Mesh

WRITERS: dict[str, Callable[[Path, Mesh], object]] = {".glb": write_glb, ".obj": write_obj, ".ply": write_ply}


def run(options: argparse.Namespace) -> int:
    """Extract a surface, write it, say what it took."""
    output = options.output or Path(f"{source_name(options.source)}_surface.glb")
    check_suffix(output)
    check_targets(options.source, output, *([] if options.html is None else [options.html]))
    progress = Progress(1)
    progress.name = "extract"
    started = time.perf_counter()
    try:
        with collected_warnings() as notes:
            source = load_source(options.source, progress)
            require_space(source)
            found = extract_surface(
                source.field,
                resolution=options.resolution,
                method=options.method,
                prune=options.prune,
                bounds=None if options.bounds is None else torch.tensor(options.bounds).reshape(2, 3),
                record=options.html is not None,
                progress=progress,
            )
        progress(f"writing {output.name}")
        WRITERS[output.suffix.lower()](output, found.mesh)
        if options.html is not None:
            notes += write_html(options, source, found, progress)
    finally:
        progress.clear()
    made = as_json(options.source, source, found, output)
    if options.html is not None:
        made["html"] = str(options.html)
    made["seconds"] = round(time.perf_counter() - started, 3)
    made["warnings"] = notes
    for note in notes:
        print(f"headviz: warning: {note}", file=sys.stderr)
    print(json.dumps(made, indent=2) if options.json else sentence(made))
    return 0


def write_html(
    options: argparse.Namespace, source: Source, found: Extraction, progress: Callable[[str], None]
) -> list[str]:
    """Write the page with the octree and the cells of an extraction.

    Returns:
        What is missing on it, one sentence each.
    """
    from headviz.viewers import view_octree, write_page
    from headviz.viewers.cubes import MOST, CubesState, CubesViewer, record_of
    from headviz.viewers.viewer import Viewer

    progress("writing the page: the octree")
    prune = options.prune if options.method == "octree" else None
    bounds = None if options.bounds is None else torch.tensor(options.bounds).reshape(2, 3)
    title = f"Octree of {source.name}: where it was evaluated, and why"
    viewers: list[Viewer] = [
        view_octree(source.field, resolution=options.resolution, prune=prune, bounds=bounds, title=title)
    ]
    notes = []
    assert found.history is not None
    if len(found.history.cells) > MOST:
        notes.append(
            f"the page has the octree alone: of {len(found.history.cells):,} cells at most {MOST:,} can be shown"
        )
    else:
        progress("writing the page: the cells")
        cubes = CubesViewer(record_of(found), CubesState(), f"Surface of {source.name}, cell by cell")
        viewers.append(cubes.at(step=cubes.steps // 2))
    write_page(options.html, viewers, title=f"Extraction of {source.name}")
    return notes


def check_suffix(output: Path) -> None:
    """Refuse a name that no writer knows, before the work.

    Raises:
        OutputError: the suffix is unknown.
    """
    if output.suffix.lower() not in WRITERS:
        raise OutputError(f"{output} should end with one of {', '.join(WRITERS)}")


def as_json(text: str, source: Source, found: Extraction, output: Path) -> dict[str, Any]:
    """What was made, as plain values."""
    return {
        "source": text,
        "kind": source.kind,
        "output": str(output),
        "method": found.method,
        "prune": found.prune if found.method == "octree" else None,
        "cells": list(found.lattice.cells),
        "cell_size_m": found.lattice.spacing,
        "lipschitz": source.field.lipschitz,
        "vertices": len(found.mesh.vertices),
        "faces": len(found.mesh.faces),
        "evaluations": found.evaluations,
        "dense_evaluations": found.dense_evaluations,
        "levels": [
            {
                "size": level.size,
                "evaluations": level.evaluations,
                "cells": {reason.name.lower(): count for reason, count in level.counts.items()},
            }
            for level in found.levels
        ],
    }


def sentence(made: dict[str, Any]) -> str:
    """What was made, in one line with its numbers."""
    share = 100 * made["evaluations"] / made["dense_evaluations"]
    across = " × ".join(str(n) for n in made["cells"])
    return (
        f"{made['output']}: {made['vertices']:,} vertices, {made['faces']:,} faces; "
        f"{made['evaluations']:,} evaluations, {share:.1f} % of a full grid of {across} cells; {made['seconds']:.2f} s"
    )
