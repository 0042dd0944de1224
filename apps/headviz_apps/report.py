"""Words, tables and lists for the page, as HTML."""

from __future__ import annotations

import logging
import re
import tempfile
from collections.abc import Mapping
from html import escape
from typing import Any

from headviz.errors import HeadvizError
from headviz.models.reconstruction import Reconstruction
from headviz.models.registry import ModelCard
from headviz.render.colormap import VIRIDIS
from headviz_apps.work import Progress

_log = logging.getLogger(__name__)

WHAT = {  #: what a file is for, by its ending
    ".glb": "Head for Blender, game engines and web pages, with its morphs",
    ".html": "Page to turn the head in any browser, without a network",
    ".zip": "Head as OBJ with material and texture",
    ".ply": "Head as PLY, for MeshLab and scanners' tools",
    ".png": "Picture of the result",
    ".json": "Report with all numbers",
}


def message(error: BaseException) -> str:
    """What went wrong, and what to do; without the folder in which this page keeps the upload."""
    text = re.sub(rf"{re.escape(tempfile.gettempdir())}/\S*/", "", str(error))
    if not isinstance(error, HeadvizError):
        _log.error("the work on a photograph stopped", exc_info=error)
        text = (
            f"An error of headviz itself stopped the work ({type(error).__name__}: {text}). The terminal tells where."
        )
    elif "." not in text.split(" ")[0]:  # the sentence does not begin with the name of a file
        text = text[:1].upper() + text[1:]
    return f'<p class="hv-error" role="alert">{escape(text)}</p>'


def steps(progress: Progress) -> str:
    """The finished stages with their times, and the one that runs."""
    rows = [f"<li><span>{escape(name)}</span><b>{seconds:.2f} s</b></li>" for name, seconds in progress.stages]
    if progress.current is not None:
        running = f"<span>{escape(progress.current)} …</span><b>{progress.seconds:.1f} s</b>"
        rows.append(f'<li class="hv-running" aria-current="step">{running}</li>')
    elif progress.stages:
        rows.append(f'<li class="hv-total"><span>in all</span><b>{progress.total:.2f} s</b></li>')
    return f'<ol class="hv-steps" role="status">{"".join(rows)}</ol>'


def estimate(seconds: float | None) -> str:
    """How long a run may take, said before the click."""
    if seconds is None:
        return "The first head takes a few seconds more, because the model is loaded first."
    return f"Takes about {seconds:.1f} s on this machine, judging by the last runs."


def card(model: ModelCard) -> str:
    """The model's card: what it takes, what it measured beside the mean head, where it comes from."""
    measures = {
        name: f"{value:g}" + (f" (mean head: {model.baseline[name]:g})" if name in model.baseline else "")
        for name, value in model.metrics.items()
    }
    lines = {"Takes": model.input, **measures, "Licence": model.licence, "Source": model.source}
    rows = "".join(
        f"<dt>{escape(name.capitalize())}</dt><dd>{escape(text)}</dd>" for name, text in lines.items() if text
    )
    return f'<div class="hv-card"><p>{escape(model.summary)}</p><dl>{rows}</dl></div>'


def note(result: Reconstruction) -> str:
    """What ends the caption below the head."""
    seen = number(result.report, "seen_fraction_of_skin")
    return "" if seen is None else f"{100 * seen:.0f} % of the skin seen in the photograph"


def number(report: Mapping[str, Any], key: str) -> float | None:
    """A number of the report, ``None`` if it has none of this name."""
    value = report.get(key)
    return float(value) if isinstance(value, (int, float)) else None


def size(count: int) -> str:
    """A file's size in words."""
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{max(1, round(count / 1e3))} kB"


def done(progress: Progress) -> str:
    """One line in place of the stages, once the head is there."""
    return f'<p class="hv-done" role="status">The head is ready, after {progress.total:.1f} s.</p>'


def scale() -> str:
    """The colour bar of the confidence map."""
    colors = ", ".join(VIRIDIS)
    bar = f'<div class="hv-bar" style="background: linear-gradient(to right, {colors})"></div>'
    words = "<span>0: not seen, completed by symmetry and skin tone</span><span>1: seen face on</span>"
    return f'<div class="hv-scale">{bar}<div class="hv-ends">{words}</div></div>'


def tables(result: Reconstruction) -> str:
    """What was measured, and the seconds of each stage."""
    times = {name: f"{seconds:.3f} s" for name, seconds in result.timings.items()}
    total = {"In all": f"{sum(result.timings.values()):.3f} s"}
    return _table("Measured", measured(result)) + _table("Time", {**times, **total})


def measured(result: Reconstruction) -> dict[str, str]:
    """The numbers of the report that the page shows, in words."""
    formats = {
        "landmark_error_percent_of_face_width": ("Landmark error", "{:.2f} % of the face’s width"),
        "seen_fraction_of_face": ("Face seen", "{:.0%}"),
        "seen_fraction_of_skin": ("Skin of the head seen", "{:.0%}"),
        "detector_confidence": ("Detector’s confidence", "{:.2f}"),
        "face_width_pixels": ("Face in the picture", "{:.0f} pixels wide"),
    }
    rows = {}
    for key, (label, form) in formats.items():
        value = number(result.report, key)
        if value is not None:
            rows[label] = form.format(value)
    height, width = result.image.shape[:2]
    rows["Picture"] = f"{width} × {height} pixels"
    rows["Vertices"], rows["Triangles"] = f"{len(result.mesh.vertices):,}", f"{len(result.mesh.faces):,}"
    rows["Model"] = result.model
    return rows


def _table(caption: str, rows: Mapping[str, str]) -> str:
    cells = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>' for name, value in rows.items()
    )
    return f'<table class="hv-table"><caption>{escape(caption)}</caption><tbody>{cells}</tbody></table>'
