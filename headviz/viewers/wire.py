"""Records on their way to the browser: one compressed block of bytes, arrays as they lie in memory.

Layout before compression (gzip): ``HVZ1``, the header's length (uint32), the header (JSON), then the arrays. Whole
numbers travel in the narrowest type that holds them. Real numbers travel as they are, or, where a viewer allows an
error, as 16-bit steps between the least and the greatest value of each column; the header then states the error.
Bytes of one significance lie together, which gzip likes. ``web/core/wire.js`` reads it.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Shaped

from headviz.viewers import look
from headviz.viewers.record import Record, plain

MAGIC = b"HVZ1"
_STEPS = 65535
_WHOLE = ("uint8", "int8", "uint16", "int16", "uint32", "int32")


def pack(
    record: Record,
    state: Mapping[str, Any],
    *,
    precision: Mapping[str, float] | None = None,
    level: int = 6,
) -> bytes:
    """A record and the state of its viewer as one block.

    Args:
        record: what to send.
        state: plain values.
        precision: for arrays of real numbers that may be rounded: the greatest error allowed, in their own unit.
        level: of compression, 1 (fast) to 9 (small).

    Raises:
        RecordError: a whole number does not fit into 32 bits.
    """
    allowed = precision or {}
    arrays = dict(record.arrays) | {"look.sequential": look.sequential(), "look.signed": look.signed()}
    entries, blocks, offset = [], [], 0
    for name, values in arrays.items():
        entry, block = _encoded(values, allowed.get(name))
        entries.append({"name": name, "shape": list(values.shape), "offset": offset, **entry})
        blocks.append(block)
        offset += len(block)
    header = json.dumps(
        {"kind": record.kind, "facts": dict(record.facts), "state": plain(dict(state)), "arrays": entries},
        allow_nan=False,
        separators=(",", ":"),
    ).encode()
    data = b"".join([MAGIC, len(header).to_bytes(4, "little"), header, *blocks])
    return gzip.compress(data, compresslevel=level, mtime=0)


def _encoded(values: Shaped[np.ndarray, "..."], error: float | None) -> tuple[dict[str, Any], bytes]:
    """How an array travels, and its bytes."""
    if values.dtype.kind in "bui":
        narrow = _narrowed(values)
        return {"dtype": narrow.dtype.name}, _shuffled(narrow)
    if error is not None and values.size and np.isfinite(values).all():
        steps, says = _quantised(values)
        if says["error"] <= error:
            return {"dtype": "uint16", **says}, _shuffled(steps)
    kept = values if values.dtype == np.float64 and error is None else values.astype(np.float32)
    return {"dtype": kept.dtype.name}, _shuffled(kept)


def _narrowed(values: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "..."]:
    if values.dtype.kind == "b":
        return values.astype(np.uint8)
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
    for name in _WHOLE:
        if np.iinfo(name).min <= low and high <= np.iinfo(name).max:
            return values.astype(name)
    return values.astype(np.float64)  # exact up to 2⁵³, which no index passes


def _quantised(values: Shaped[np.ndarray, "..."]) -> tuple[Shaped[np.ndarray, "..."], dict[str, Any]]:
    """Steps of each column (of the last axis, where there is more than one), and how to undo them."""
    columns = values.astype(np.float64).reshape(-1, values.shape[-1] if values.ndim > 1 else 1)
    low, high = columns.min(axis=0), columns.max(axis=0)
    size = np.where(high > low, (high - low) / _STEPS, 1.0)
    steps = np.rint((columns - low) / size).astype(np.uint16)
    # The browser unfolds in single precision, which rounds once more.
    single = np.finfo(np.float32)
    rounding = float(single.eps) * float(np.abs(columns).max()) + float(single.smallest_subnormal)
    error = float((size * (high > low)).max()) / 2 + rounding
    return steps.reshape(values.shape), {"low": low.tolist(), "size": size.tolist(), "error": error}


def _shuffled(values: Shaped[np.ndarray, "..."]) -> bytes:
    """The first bytes of all values, then the second bytes, and so on; least significant first."""
    flat = np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<"), copy=False)).reshape(-1)
    shuffled: bytes = flat.view(np.uint8).reshape(-1, values.dtype.itemsize).T.tobytes()
    return shuffled


def rounding_errors(record: Record, precision: Mapping[str, float]) -> dict[str, float]:
    """The greatest error of each array that :func:`pack` rounds, in its own unit."""
    given = {name: error for name, error in precision.items() if name in record.arrays}
    found = {name: _encoded(record.arrays[name], error)[0] for name, error in given.items()}
    return {name: entry["error"] for name, entry in found.items() if "error" in entry}
