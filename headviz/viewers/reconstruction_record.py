"""A reconstruction as the record that its viewer draws: pictures, landmarks, head, morphs, field, and what is said."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Shaped, UInt8
from PIL import Image
from torch import Tensor

from headviz.errors import InputError, MeshError
from headviz.geometry.color import to_uint8
from headviz.geometry.contour import square_table
from headviz.geometry.field import Field, evaluate
from headviz.geometry.grid_field import GridField
from headviz.geometry.mesh import Mesh, split_seams
from headviz.heads.landmarks import OUTLINES
from headviz.models.preview import head_window, overlay
from headviz.models.reconstruction import Reconstruction
from headviz.viewers.reconstruction_words import stages_of
from headviz.viewers.record import Record, array

GRID = 64  #: cells along the longest side of the sampled distance
MARGIN = 0.14  #: of the head's size, around it
CHECKED = 4000  #: random points at which the samples are compared with the field
TEXTURE_SIDE, CONFIDENCE_SIDE = 1024, 256  #: pixels at most
OUTLYING = 0.25  #: landmarks with less influence than this are called outlying
_STEPS = 65535
Progress = Callable[[str], None]
Arrays = dict[str, Shaped[np.ndarray, "..."]]


def record_of(
    reconstruction: Reconstruction, *, size: int, grid: GridField | None = None, progress: Progress = lambda _: None
) -> Record:
    """Everything that the viewer draws.

    Args:
        reconstruction: a head made from one picture.
        size: pixels of the pictures' longer side.
        grid: samples of the field, where they are there already.
        progress: called with what is being done.

    Raises:
        MeshError: the head has no faces, or vertices that are not finite.
        InputError: the photograph has values that are not finite.
    """
    _check(reconstruction)
    progress("drawing the head over the photograph")
    pictures, picture_facts = _pictures(reconstruction, size)
    head, head_facts = _head(reconstruction)
    seen, seen_facts = _landmarks(reconstruction)
    arrays = {**pictures, **head, **seen}
    facts: dict[str, Any] = {
        **picture_facts, **head_facts, **seen_facts,
        "camera": _camera(reconstruction),
        "timings": [[name, seconds] for name, seconds in reconstruction.timings.items()],
        "model": reconstruction.model,
        "field": None,
    }  # fmt: skip
    confidence = reconstruction.maps.get("confidence")
    if confidence is not None:
        arrays["confidence"] = _confidence(confidence)
    if reconstruction.field is not None:
        progress("sampling the signed distance")
        samples, facts["field"] = _field(reconstruction.field, grid)
        arrays |= samples
    facts["report"] = {name: value for name, value in reconstruction.report.items() if isinstance(value, int | float)}
    facts["stages"] = stages_of(facts, has_texture="texture" in arrays)
    return Record("reconstruction", facts, arrays)


def _check(reconstruction: Reconstruction) -> None:
    mesh = reconstruction.mesh
    bad = int((~torch.isfinite(mesh.vertices)).any(dim=1).sum())
    if bad or not len(mesh.faces):
        raise MeshError(
            f"a head to look at should have faces and finite vertices; this one has {len(mesh.faces)} faces, and "
            f"{bad} of {len(mesh.vertices)} vertices are NaN or infinite"
        )
    if not bool(torch.isfinite(reconstruction.image).all()):
        raise InputError("the photograph of a reconstruction should be finite numbers; some are NaN or infinite")


def _camera(reconstruction: Reconstruction) -> dict[str, Any]:
    camera = reconstruction.camera
    return {
        "rotation": camera.rotation.tolist(),
        "translation": camera.translation.tolist(),
        "focal": float(camera.focal),
        "center": camera.center.tolist(),
    }


def jpeg(picture: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, " n"]:
    """A picture as the bytes of a JPEG file."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=92, subsampling="4:4:4")
    return np.frombuffer(file.getvalue(), dtype=np.uint8)


def unjpeg(data: Shaped[np.ndarray, " n"]) -> UInt8[np.ndarray, "h w 3"]:
    """The picture of :func:`jpeg`."""
    return np.asarray(Image.open(io.BytesIO(data.astype(np.uint8).tobytes())).convert("RGB"))


def _reduced(picture: UInt8[np.ndarray, "h w 3"], side: int) -> UInt8[np.ndarray, "g v 3"]:
    """The picture with a longer side of at most ``side`` pixels."""
    height, width = picture.shape[:2]
    if max(height, width) <= side:
        return picture
    factor = side / max(height, width)
    wanted = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(Image.fromarray(picture).resize(wanted, Image.Resampling.LANCZOS))


def _pictures(reconstruction: Reconstruction, size: int) -> tuple[Arrays, dict[str, Any]]:
    """Photograph, the part around the head, the same with the head over it, texture; how far they are off as JPEG."""
    part, window = head_window(reconstruction, size)
    drawn = {
        "photograph": _reduced(to_uint8(reconstruction.image), size),
        "window": to_uint8(part),
        "overlay": to_uint8(overlay(reconstruction, size, 1.0)),
    }
    if reconstruction.mesh.texture is not None and reconstruction.mesh.uv is not None:
        drawn["texture"] = _reduced(to_uint8(reconstruction.mesh.texture), TEXTURE_SIDE)
    arrays: Arrays = {name: jpeg(picture) for name, picture in drawn.items()}
    off = {name: np.subtract(unjpeg(arrays[name]), drawn[name], dtype=np.float32) for name in drawn}
    errors = {name: float(np.sqrt(np.mean(difference**2))) for name, difference in off.items()}
    height, width = reconstruction.image.shape[:2]
    factor = window.focal / reconstruction.camera.focal
    left, top = (reconstruction.camera.center - window.center / factor).tolist()
    facts = {
        "size": [int(width), int(height)],
        "window": [left, top, left + size / factor, top + size / factor],
        "pictures": {"form": "image/jpeg", "names": list(drawn), "rms_error": max(errors.values())},
    }
    return arrays, facts


def _confidence(values: Float[Tensor, "..."]) -> UInt8[np.ndarray, "h w"]:
    """The confidence in 255 steps, reduced by averaging."""
    plane = values[..., 0] if values.ndim == 3 else values
    factor = max(1, -(-max(plane.shape) // CONFIDENCE_SIDE))
    small = torch.nn.functional.avg_pool2d(plane[None, None].float(), factor, ceil_mode=True)[0, 0]
    return (small.nan_to_num().clamp(0, 1) * 255 + 0.5).to(torch.uint8).numpy()


def _landmarks(
    reconstruction: Reconstruction,
) -> tuple[Arrays, dict[str, Any]]:
    """Where landmarks were seen and where the fitted head has them, pixels of the photograph."""
    features = reconstruction.features
    if "landmarks" not in features:
        return {}, {"landmarks": 0, "face": None}
    seen = array(features["landmarks"])[:, :2].astype(np.float32)
    arrays: Arrays = {"landmarks": seen}
    if "landmarks_fitted" in features:
        arrays["landmarks_fitted"] = array(features["landmarks_fitted"])[:, :2].astype(np.float32)
    if "influence" in features:
        arrays["outlying"] = array(features["influence"] < OUTLYING)
    if len(seen) == 478:  # MediaPipe's, whose outlines are known
        loops = [np.array(loop) for loop in OUTLINES.values()]
        arrays["outlines"] = np.concatenate([np.stack([loop, np.roll(loop, -1)], axis=1) for loop in loops])
    return arrays, {"landmarks": len(seen), "face": [*seen.min(axis=0).tolist(), *seen.max(axis=0).tolist()]}


def _head(reconstruction: Reconstruction) -> tuple[Arrays, dict[str, Any]]:
    """The neutral head, one vertex per texture coordinate, and its morphs where they move something."""
    mesh = reconstruction.mesh
    split, source = split_seams(Mesh(mesh.vertices, mesh.faces, mesh.uv, mesh.uv_faces))
    arrays: Arrays = {
        "vertices": array(mesh.vertices).astype(np.float32),
        "faces": array(split.faces),
        "source": array(source),
    }
    if split.uv is not None and mesh.texture is not None:
        arrays["uv"] = array(split.uv).astype(np.float32)
    average = reconstruction.features.get("average")
    if average is not None and average.shape == mesh.vertices.shape:
        arrays["average"] = array(average).astype(np.float32)
    morphs, step = _morphs(mesh.morphs)
    names = list(mesh.morphs)
    weights = [float(reconstruction.expression.get(name, 0.0)) for name in names]
    facts = {
        "vertices": len(mesh.vertices), "faces": len(mesh.faces), "morphs": names, "expression": weights,
        "morph_step": step,
    }  # fmt: skip
    return arrays | morphs, facts


def _morphs(morphs: Mapping[str, Tensor]) -> tuple[Arrays, float]:
    """Offsets of all morphs one after the other, only of vertices that move, as 16-bit steps; the step in metres."""
    if not morphs:
        return {}, 0.0
    offsets = [array(offset).astype(np.float64) for offset in morphs.values()]
    greatest = max(float(np.abs(offset).max()) for offset in offsets)
    step = greatest / 32767 or 1.0
    rounded = [np.rint(offset / step).astype(np.int16) for offset in offsets]
    moved = [np.flatnonzero(offset.any(axis=1)) for offset in rounded]
    return {
        "morph_start": np.cumsum([0, *map(len, moved)]),
        "morph_vertex": np.concatenate(moved),
        "morph_offset": np.concatenate([offset[which] for offset, which in zip(rounded, moved, strict=True)]),
    }, step


def _field(field: Field, grid: GridField | None) -> tuple[Arrays, dict[str, Any]]:
    """The distance on a grid in 16-bit steps, and how far the samples and what lies between them are off."""
    if grid is None:
        low, high = field.bounds.detach().float().cpu()
        margin = MARGIN * float((high - low).max())
        grid = GridField.sample(field, GRID, torch.stack([low - margin, high + margin]))
    values = array(grid.samples).astype(np.float64)
    low_value, high_value = float(values.min()), float(values.max())
    size = (high_value - low_value) / _STEPS or 1.0
    steps = np.rint((values - low_value) / size).astype(np.uint16)
    facts: dict[str, Any] = {
        "low": low_value, "size": size, "origin": array(grid.origin).tolist(), "spacing": array(grid.spacing).tolist(),
        "shape": list(steps.shape), "reach": max(abs(low_value), abs(high_value)), "rounding": size / 2,
    }  # fmt: skip
    points = _random_points(grid)
    with torch.no_grad():
        exact = evaluate(field, points).double().cpu()
        off = (grid_of(steps, facts)(points.double()) - exact).abs()
    facts |= {"error_greatest": float(off.max()), "error_mean": float(off.mean()), "checked": len(points)}
    table = square_table()
    arrays = {
        "distance": steps, "square_segments": array(table.segments), "square_count": array(table.count),
        "square_ambiguous": array(table.ambiguous),
    }  # fmt: skip
    return arrays, facts


def _random_points(grid: GridField) -> Float[Tensor, "n 3"]:
    low, high = grid.bounds.float()
    found: Tensor = low + (high - low) * torch.rand(CHECKED, 3, generator=torch.Generator().manual_seed(0))
    return found


def grid_of(steps: Shaped[np.ndarray, "x y z"], facts: Mapping[str, Any]) -> GridField:
    """The grid that the page computes with, in double precision."""
    values = facts["low"] + facts["size"] * steps.astype(np.float64)
    return GridField(values, facts["origin"], facts["spacing"])


@functools.lru_cache(maxsize=4)
def grid_in(record: Record) -> GridField | None:
    """The grid of a record, made once for all viewers that share the record; ``None`` where it has none."""
    if record.facts["field"] is None:
        return None
    return grid_of(record.arrays["distance"], record.facts["field"])


def moved_vertices(record: Record, weights: list[float]) -> Float[np.ndarray, "n 3"]:
    """How far an expression moves each vertex of the neutral head, metres, shape (n, 3)."""
    moved = np.zeros((record.facts["vertices"], 3))
    for weight, vertices, offsets in morph_parts(record, weights):
        moved[vertices] += weight * record.facts["morph_step"] * offsets.astype(np.float64)
    return moved


def morph_parts(
    record: Record, weights: list[float]
) -> Iterator[tuple[float, Shaped[np.ndarray, " k"], Shaped[np.ndarray, "k 3"]]]:
    """The morphs in use: weight, vertices that move, offsets in steps."""
    for k, weight in enumerate(weights):
        if weight != 0:
            which = slice(*record.arrays["morph_start"][k : k + 2])
            yield weight, record.arrays["morph_vertex"][which], record.arrays["morph_offset"][which]
