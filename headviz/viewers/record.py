"""What a viewer draws: named arrays, plain facts, and the file that keeps them."""

from __future__ import annotations

import json
import math
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

import numpy as np
import torch
from jaxtyping import Shaped

from headviz.errors import RecordError
from headviz.geometry.files import atomic_write

#: Under this name an ``.npz`` file says what it holds; all its other entries are arrays.
ENTRY = "headviz"
FORMAT, VERSION = "headviz record", 1
_KINDS_OF_NUMBERS = "biuf"
#: What numpy and zipfile raise at a file whose bytes are not what they should be.
_DAMAGES = (ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)
#: Entries of the files that `headviz trace` wrote before there were viewers.
_OF_OLD_TRACES = {"origins", "directions", "offsets", "mask", "status"}


@dataclass(frozen=True, eq=False)
class Record:
    """What one viewer draws, as plain values.

    Attributes:
        kind: which viewer, such as ``"ray"``.
        facts: numbers, words, and lists and mappings of them; what is not finite is ``None``.
        arrays: named arrays of numbers.
    """

    kind: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Shaped[np.ndarray, "..."]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, array in self.arrays.items():
            if not isinstance(array, np.ndarray) or array.dtype.kind not in _KINDS_OF_NUMBERS:
                came = getattr(array, "dtype", type(array).__name__)
                raise RecordError(f"array {name!r} should be a numpy array of numbers; it is {came}")
        object.__setattr__(self, "facts", MappingProxyType(plain(dict(self.facts))))
        object.__setattr__(self, "arrays", MappingProxyType(dict(self.arrays)))

    @property
    def nbytes(self) -> int:
        """Size of all arrays in memory."""
        return sum(array.nbytes for array in self.arrays.values())

    def save(self, path: Path | str, *, state: Mapping[str, Any] | None = None) -> None:
        """Write a compressed ``.npz`` file under exactly this name; any program that reads npz can use the arrays.

        Args:
            path: the file; it appears when it is complete.
            state: of the viewer, to open it as it was left.
        """
        says = {"format": FORMAT, "version": VERSION, "kind": self.kind, "facts": dict(self.facts), "state": state}
        named: dict[str, Any] = dict(self.arrays)
        named[ENTRY] = np.asarray(json.dumps(plain(says), allow_nan=False))
        with atomic_write(Path(path)) as file:
            np.savez_compressed(file, **named)


def load(path: Path | str) -> tuple[Record, Mapping[str, Any]]:
    """A record from a file, and the state its viewer was left in (empty if none was kept).

    Raises:
        RecordError: it is no file of records, or from a newer headviz; the message says which.
        OSError: it cannot be read.
    """
    path = Path(path)
    with path.open("rb") as file:
        try:
            arrays = _arrays(file)
        except _DAMAGES as error:
            raise RecordError(f"{path} should be an .npz file of headviz; it cannot be read: {error}") from None
    if ENTRY not in arrays and set(arrays) >= _OF_OLD_TRACES:
        raise RecordError(f"{path} is of an older `headviz trace`, which kept no camera; trace it again to view it")
    says = _says(path, arrays.pop(ENTRY, None))
    return Record(says["kind"], says["facts"], arrays), says.get("state") or {}


def _arrays(file: BinaryIO) -> dict[str, Shaped[np.ndarray, "..."]]:
    """All arrays of an ``.npz`` file. Whatever else it is gets one of the errors of ``_DAMAGES``."""
    if file.read(6) == b"\x93NUMPY":
        raise ValueError("it is a single array")
    if not zipfile.is_zipfile(file):  # numpy would take it for a pickle, and say how to open that
        raise ValueError("it is no zip file, or its end is missing")
    file.seek(0)
    with np.load(file, allow_pickle=False) as opened:
        found = {name: opened[name] for name in opened.files}
    foreign = [name for name, array in found.items() if not isinstance(array, np.ndarray)]
    if foreign:  # numpy gives the bytes of an entry that is no array
        raise ValueError(f"its entry {foreign[0]!r} is no array")
    return found


def _says(path: Path, entry: Shaped[np.ndarray, "..."] | None) -> dict[str, Any]:
    """What the file says of itself, checked."""
    if entry is None or entry.shape != () or entry.dtype.kind != "U":
        raise RecordError(f"{path} is an .npz file, but not of headviz: it has no entry {ENTRY!r}")
    try:
        says = json.loads(str(entry))
    except ValueError:
        raise RecordError(f"{path} is damaged: its entry {ENTRY!r} is no JSON") from None
    if not isinstance(says, dict) or says.get("format") != FORMAT:
        raise RecordError(f"{path} is an .npz file, but its entry {ENTRY!r} is not of a {FORMAT}")
    version = says.get("version")
    if not isinstance(version, int) or version > VERSION:
        raise RecordError(f"{path} has version {version} of the format; this headviz reads up to {VERSION}: update it")
    if not isinstance(says.get("kind"), str) or not isinstance(says.get("facts"), dict):
        raise RecordError(f"{path} is damaged: it does not say for which viewer it is")
    if not isinstance(says.get("state"), dict | None):
        raise RecordError(f"{path} is damaged: its state should be a mapping; it is {says['state']!r}")
    return says


def plain(value: Any) -> Any:
    """A value as JSON can hold it: numpy and torch numbers as Python's, tuples as lists, what is not finite as None.

    Raises:
        RecordError: it holds something else.
    """
    if isinstance(value, np.generic | torch.Tensor | np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(name): plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str):
        return str(value)
    raise RecordError(f"a fact should be a number, a word, or a list or mapping of them; it is {type(value).__name__}")


def array(value: torch.Tensor | Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "..."]:
    """A tensor or array as an array of its own, in C order, without gradient."""
    found = value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
    return np.ascontiguousarray(found)
