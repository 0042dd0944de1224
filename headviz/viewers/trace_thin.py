"""The part of a traced picture's record that its viewer keeps: what is drawn, and no more than a page can hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Int, Shaped

from headviz.errors import RecordError
from headviz.viewers import look
from headviz.viewers.record import Record

#: Pixels of the maps; of a larger picture every second (third, …) row and column is shown.
MOST_PIXELS = 1_200_000
#: Looks of all rays; of more, the rays of every second (third, …) row and column keep theirs.
MOST_LOOKS = 1_600_000

MAPS = ("depth", "back", "steps", "status", "last", "normal", "shaded")
LOOKS = ("index", "t", "distance", "undone", "offsets", "look")
OTHERS = ("overstep_ray", "overstep_step", "vertices", "faces")
#: Arrays without which nothing can be drawn.
NEEDED = ("depth", "steps", "status", "last", *LOOKS, *OTHERS)

Arrays = dict[str, Shaped[np.ndarray, "..."]]


def checked(record: Record) -> None:
    """Refuse a record whose arrays do not fit each other.

    Raises:
        RecordError: they do not.
    """
    arrays, camera = record.arrays, record.facts["camera"]
    size = (camera["height"], camera["width"])
    for name in MAPS:
        if name in arrays and arrays[name].shape[:2] != size:
            raise RecordError(f"array {name!r} should have {size[0]} × {size[1]} pixels; its shape is "
                              f"{arrays[name].shape}")  # fmt: skip
    looks = len(arrays["index"])
    for name in ("t", "distance", "undone"):
        if arrays[name].shape != (looks,):
            raise RecordError(f"array {name!r} should have {looks} looks; its shape is {arrays[name].shape}")
    offsets = arrays["offsets"]
    if (
        len(offsets) != len(arrays["look"]) + 1
        or offsets[0] != 0
        or offsets[-1] != looks
        or (np.diff(offsets) < 0).any()
    ):
        raise RecordError("array 'offsets' should ascend from 0 to the number of looks, one entry more than steps")
    if looks and not 0 <= int(arrays["index"].min()) <= int(arrays["index"].max()) < size[0] * size[1]:
        raise RecordError("array 'index' should hold numbers of rays")


def lean(record: Record) -> Record:
    """The record with only what is drawn, thinned to what a page can hold; ``facts["notes"]`` says what was left out.

    A record that is lean already comes back as it is.
    """
    arrays: Arrays = {name: record.arrays[name] for name in (*MAPS, *LOOKS, *OTHERS) if name in record.arrays}
    if "normals" in record.arrays:
        arrays["normal"] = np.rint(127 * record.arrays["normals"]).astype(np.int8)
    facts = dict(record.facts)
    if arrays["depth"].size > MOST_PIXELS:
        arrays, facts = _fewer_pixels(arrays, facts)
    if len(arrays["index"]) > MOST_LOOKS:
        arrays, facts = _fewer_looks(arrays, facts)
    unchanged = facts == dict(record.facts) and set(arrays) == set(record.arrays)
    return record if unchanged else Record(record.kind, facts, arrays)


def _fewer_pixels(arrays: Arrays, facts: Mapping[str, Any]) -> tuple[Arrays, dict[str, Any]]:
    """Every k-th row and column as a picture of its own, with a camera that sees just these pixels."""
    camera = facts["camera"]
    height, width = arrays["depth"].shape
    k = math.ceil(math.sqrt(arrays["depth"].size / MOST_PIXELS))
    made = {name: np.ascontiguousarray(values[::k, ::k]) if name in MAPS else values for name, values in arrays.items()}
    rows, columns = made["depth"].shape
    number = np.full((height, width), -1, dtype=np.int64)
    number[::k, ::k] = np.arange(rows * columns).reshape(rows, columns)
    made = _only(made, number.reshape(-1))
    center = [(place - 0.5) / k + 0.5 for place in camera["center"]]
    smaller = {**camera, "width": columns, "height": rows, "focal": camera["focal"] / k, "center": center}
    pixel = [min(place // k, most - 1) for place, most in zip(facts["pixel"], (columns, rows), strict=True)]
    hit = {name: int((made["status"] == value).sum()) for value, name in enumerate(("missed", "hit", "out_of_steps"))}
    note = f"Shown is every {_ordinal(k)} row and column of {width:,} × {height:,} pixels."
    says = {"camera": smaller, "pixel": pixel, "rays": rows * columns, "status": hit}
    return made, {**facts, **says, "notes": [*facts["notes"], note]}


def _fewer_looks(arrays: Arrays, facts: Mapping[str, Any]) -> tuple[Arrays, dict[str, Any]]:
    """The looks of the rays in every k-th row and column; the maps stay as they are."""
    height, width = arrays["depth"].shape
    rows, columns = np.divmod(arrays["index"].astype(np.int64), width)
    before = len(rows)
    k = max(2, math.isqrt(before // MOST_LOOKS))
    while int(((rows % k == 0) & (columns % k == 0)).sum()) > MOST_LOOKS:
        k += 1
    place = np.arange(height * width)
    row, column = np.divmod(place, width)
    made = _only(arrays, np.where((row % k == 0) & (column % k == 0), place, -1))
    note = (
        f"The looks of every {_ordinal(k)} row and column of rays are kept, {len(made['index']):,} of {before:,}; "
        f"the maps are whole."
    )
    return made, {**facts, "every": k, "notes": [*facts["notes"], note]}


def _only(arrays: Arrays, number: Int[np.ndarray, " n"]) -> Arrays:
    """The arrays with the looks of some rays: ``number`` is a ray's new number, or negative where it goes."""
    index = number[arrays["index"]]
    kept = index >= 0
    before = np.concatenate([[0], np.cumsum(kept)])
    some = {name: arrays[name][kept] for name in ("t", "distance", "undone")}
    over = number[arrays["overstep_ray"].astype(np.int64)]
    return {
        **arrays, **some, "index": index[kept].astype(np.int32), "offsets": before[arrays["offsets"]],
        "overstep_ray": over[over >= 0], "overstep_step": arrays["overstep_step"][over >= 0],
    }  # fmt: skip


def _ordinal(k: int) -> str:
    names = {2: "second", 3: "third", 4: "fourth", 5: "fifth"}
    return names.get(k, f"{look.count(k, '')}".strip() + "th")
