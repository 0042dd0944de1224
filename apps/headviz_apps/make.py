"""What a click on the page's button does: a head from a photograph, with its files and pictures."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from headviz.models import registry
from headviz.models.export import write_reconstruction
from headviz.models.reconstruction import Reconstruction
from headviz.models.registry import Reconstructor
from headviz.photo.picture import Box, load_photo
from headviz.viewers.head import head_page
from headviz_apps import report
from headviz_apps.pictures import Picture, pictures

KEPT = 5  #: runs that an estimate looks back on


@dataclass(frozen=True, eq=False)
class Made:
    """A head with all that the page shows of it.

    Attributes:
        result: the model's record.
        files: what can be downloaded.
        pictures: overlay, texture and confidence; ``None`` for what the model does not give.
    """

    result: Reconstruction
    files: list[Path]
    pictures: dict[str, Picture | None]

    @property
    def glb(self) -> Path:
        """The head as the 3-D view takes it."""
        return next(file for file in self.files if file.suffix == ".glb")


@dataclass
class Models:
    """The models of this process: loaded once, used by one thread at a time, timed."""

    _loaded: dict[str, Reconstructor] = field(default_factory=dict)
    _seconds: dict[str, list[float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, name: str) -> Reconstructor:
        """A model by name, loaded at the first call."""
        if name not in self._loaded:
            self._loaded[name] = registry.load(name)
        return self._loaded[name]

    def make(self, name: str, path: Path, crop: Box | None, folder: Path, progress: Callable[[str], None]) -> Made:
        """Make a head from the photograph in a file, write its files into a folder, and remember the time.

        The first run of a model loads what it needs, so its time says nothing of the next one.
        """
        progress("wait for the model")
        with self._lock:
            started = time.perf_counter()
            progress("load the photograph")
            photo = load_photo(path)
            if name not in self._loaded:
                progress("load the model")
            hints = {"progress": progress, "focal_35mm": photo.focal_35mm}
            result = registry.reconstruct(self.get(name), photo.pixels, crop=crop, **hints)
            progress("write the files")
            files = packed(write_reconstruction(result, folder))
            progress("draw the pictures")
            made = Made(result, files, pictures(result))
            page = folder / "head.html"
            words = head_page(made.glb.read_bytes(), "Head", report.note(result), dict(result.expression))
            page.write_text(words, encoding="utf-8")
            files.append(page)
            runs = self._seconds.setdefault(name, [])
            runs.append(time.perf_counter() - started)
        return made

    def warm_up(self, name: str, path: Path) -> threading.Thread:
        """Load a model and time it on a photograph, in the background."""
        thread = threading.Thread(target=self._try_twice, args=(name, path), name="headviz warm-up", daemon=True)
        thread.start()
        return thread

    def _try_twice(self, name: str, path: Path) -> None:
        with TemporaryDirectory(prefix="headviz-") as folder:
            for _ in range(2):
                self.make(name, path, None, Path(folder), lambda _: None)

    def estimate(self, name: str) -> float | None:
        """Seconds that a run takes on this machine: the median of the last ones, ``None`` before the first."""
        runs = self._seconds.get(name, [])
        return median((runs[1:] or runs)[-KEPT:]) if runs else None

    def close(self) -> None:
        """Free what the models hold."""
        with self._lock, ExitStack() as stack:
            for model in self._loaded.values():
                close: Any = getattr(model, "close", None)
                if close is not None:
                    stack.callback(close)
            self._loaded.clear()


@cache
def models() -> Models:
    """The models that this process has loaded."""
    return Models()


def packed(files: list[Path]) -> list[Path]:
    """The same files, with the OBJ, its material and its texture in one archive."""
    parts = [file for file in files if file.stem == "head" and file.suffix in {".obj", ".mtl", ".png"}]
    if not parts:
        return list(files)
    archive = parts[0].with_name("head-obj.zip")
    with ZipFile(archive, "w", ZIP_DEFLATED, compresslevel=1) as target:
        for part in parts:
            target.write(part, part.name)
    return [*(file for file in files if file not in parts), archive]
