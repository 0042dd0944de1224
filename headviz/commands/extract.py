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
    check_targets(options.source, output)
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
                progress=progress,
            )
        progress(f"writing {output.name}")
        WRITERS[output.suffix.lower()](output, found.mesh)
    finally:
        progress.clear()
    made = as_json(options.source, source, found, output)
    made["seconds"] = round(time.perf_counter() - started, 3)
    made["warnings"] = notes
    for note in notes:
        print(f"headviz: warning: {note}", file=sys.stderr)
    print(json.dumps(made, indent=2) if options.json else sentence(made))
    return 0


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
