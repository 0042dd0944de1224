"""``headviz reconstruct``: heads from one photograph or from many; a batch goes on after a failure."""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headviz.commands.console import BAD_INPUT, Progress, describe
from headviz.commands.fields import check_targets, keep_source
from headviz.commands.models import LazyModel
from headviz.errors import InputError, NoFaceError, OutputError
from headviz.models import registry
from headviz.models.export import write_reconstruction
from headviz.models.registry import Reconstructor
from headviz.photo.detect import FaceFinder
from headviz.photo.picture import Box, Photo, load_photo

#: Names under which a folder's files are taken for pictures; a file that is named itself may be called anything.
#: Those that cannot be read are among them, so that they are not passed over in silence.
PICTURE_SUFFIXES = (
    ".jpg", ".jpeg", ".mpo", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp", ".ppm", ".pgm", ".avif",
    ".jp2", ".j2k", ".heic", ".heif",
)  # fmt: skip

#: The files of a result that a photograph could be.
WRITTEN_PICTURES = ("head.png", "preview.png")


@dataclass(frozen=True)
class Job:
    """One picture of a batch and the folder that its result goes to."""

    photo: Path
    folder: Path


@dataclass(frozen=True)
class Outcome:
    """What became of one face, or of a picture in which none could be looked for.

    Attributes:
        photo: the picture.
        face: number of the face, counted from the largest; ``None`` where no number was asked for.
        error: why there is no head; empty if there is one.
        made: folder, files, seconds, report of the head, and notes on how the picture was read.
    """

    photo: Path
    face: int | None = None
    error: str = ""
    made: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Plain values; ``error`` is present only where there is one."""
        face = {} if self.face is None else {"face": self.face}
        return {"photo": str(self.photo), **face, **({"error": self.error} if self.error else self.made)}

    def __str__(self) -> str:
        name = str(self.photo) if self.face is None else f"{self.photo}, face {self.face}"
        if self.error:
            return self.error if self.error.startswith(name) else f"{name}: {self.error}"
        files = ", ".join(Path(path).name for path in self.made["files"])
        details = "; ".join([files, f"{self.made['seconds']:.1f} s", *self.made["notes"]])
        return f"{name}: {self.made['folder']} ({details})"


def run(options: argparse.Namespace) -> int:
    """Make a head from every picture; say at the end what failed."""
    if options.output is not None:
        check_folder(options.output)
    if options.html is not None:
        check_targets("", options.html)
    jobs, outcomes = plan(options.photos, options.output)
    pages = page_names(options.html)
    progress = Progress(len(jobs))
    batch = len(jobs) + len(outcomes) > 1
    for outcome in outcomes:
        tell(outcome, quiet=options.json)
    try:
        with LazyModel(options.model, options.texture_size) as model:
            for job in jobs:
                progress.name = job.photo.name
                for outcome in reconstruct(job, options, model, progress, pages):
                    outcomes.append(outcome)
                    progress.clear()
                    tell(outcome, quiet=options.json)
                progress.done += 1
    finally:
        progress.clear()
        if options.json:
            print(json.dumps([outcome.as_json() for outcome in outcomes], indent=2))
        elif batch or len(outcomes) > 1:
            print(summary(outcomes, len(jobs) - progress.done))
    return BAD_INPUT if any(outcome.error for outcome in outcomes) else 0


def tell(outcome: Outcome, *, quiet: bool) -> None:
    """One line: errors on stderr, what was made on stdout unless it is kept for JSON."""
    if outcome.error:
        print(f"headviz: {outcome}", file=sys.stderr)
    elif not quiet:
        print(outcome, flush=True)


def summary(outcomes: Sequence[Outcome], left: int) -> str:
    """The last line of a batch."""
    failed = [o.photo.name if o.face is None else f"{o.photo.name} (face {o.face})" for o in outcomes if o.error]
    text = f"{len(outcomes) - len(failed)} of {len(outcomes)} heads made"
    if failed:
        text += f"; {len(failed)} failed: {', '.join(failed)}"
    return f"{text}; {left} pictures not done" if left else text


def plan(photos: Sequence[Path], output: Path | None) -> tuple[list[Job], list[Outcome]]:
    """Which pictures to do and where their results go.

    One picture goes into ``output`` itself; several, or those of a folder, into one sub-folder each, which
    gets a number where two pictures have the same name.

    Returns:
        The jobs, and an outcome for every folder that cannot be read or has no picture in it.
    """
    found: list[Path] = []
    failed: list[Outcome] = []
    for photo in photos:
        try:
            pictures = pictures_in(photo) if photo.is_dir() else [photo]
        except OSError as error:
            failed.append(Outcome(photo, error=describe(error)))
            continue
        if not pictures:
            failed.append(Outcome(photo, error="there is no picture in this folder"))
        found += [picture for picture in pictures if picture not in found]
    if output is not None and len(photos) == len(found) == 1 and found == list(photos):
        return [Job(found[0], output)], failed
    folders: set[Path] = set()
    jobs = []
    for photo in found:
        wanted = output / photo.stem if output else Path(f"{photo.stem}_head")
        folder, number = wanted, 2
        while folder in folders:
            folder, number = wanted.with_name(f"{wanted.name}_{number}"), number + 1
        folders.add(folder)
        jobs.append(Job(photo, folder))
    return jobs, failed


def pictures_in(folder: Path) -> list[Path]:
    """The picture files of a folder by name, without those that begin with a dot."""
    files = (path for path in folder.iterdir() if not path.name.startswith("."))
    return sorted(path for path in files if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file())


def check_folder(folder: Path) -> None:
    """See to it before the work that a result can be written.

    Raises:
        OutputError: there is a file in the way, or the folder cannot be written to.
    """
    nearest = folder
    while not nearest.exists():
        nearest = nearest.parent
    if not nearest.is_dir():
        raise OutputError(f"{nearest} is a file; the result needs a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise OutputError(f"{nearest}: no permission to write there")


def page_names(first: Path | None) -> Iterator[Path | None]:
    """Where the pages of the heads go: FILE.html, then FILE_2.html and so on; ``None`` where none is wanted."""
    for number in itertools.count(1):
        yield first if first is None or number == 1 else first.with_name(f"{first.stem}_{number}{first.suffix}")


def reconstruct(
    job: Job, options: argparse.Namespace, model: LazyModel, progress: Progress, pages: Iterator[Path | None]
) -> Iterator[Outcome]:
    """Make the heads of one picture, one outcome per face."""
    progress("reading")
    try:
        check_folder(job.folder)
        photo = load_photo(job.photo)
        faces = choose_faces(photo, options)
    except (InputError, OSError) as error:
        yield Outcome(job.photo, error=describe(error))
        return
    progress("loading the model")
    loaded = model.get()
    for number, box in faces:
        folder = job.folder / f"face_{number}" if len(faces) > 1 else job.folder
        try:
            pictures = (folder / name for name in WRITTEN_PICTURES)
            keep_source(str(job.photo), *pictures, instead="name another folder by -o")
            made = make_head(loaded, photo, box, folder, progress, pages)
            yield Outcome(job.photo, number, made=made)
        except (InputError, OSError) as error:
            yield Outcome(job.photo, number, error=describe(error))


def choose_faces(photo: Photo, options: argparse.Namespace) -> list[tuple[int | None, Box | None]]:
    """Numbers and boxes of the faces that were asked for; a box of ``None`` lets the model look."""
    if options.crop is not None:
        return [(None, crop_box(photo, options.crop))]
    if options.face == "largest":
        return [(None, None)]
    with FaceFinder() as finder:
        boxes = [face.box for face in finder.find(photo.pixels)]
    if not boxes:
        raise NoFaceError("no face was found; --crop L,T,R,B says where to look")
    if options.face == "all":
        return list(enumerate(boxes, start=1)) if len(boxes) > 1 else [(None, boxes[0])]
    if options.face > len(boxes):
        count = "one face was" if len(boxes) == 1 else f"{len(boxes)} faces were"
        raise InputError(f"--face {options.face} is out of range: {count} found")
    return [(options.face, boxes[options.face - 1])]


def crop_box(photo: Photo, crop: tuple[float, float, float, float]) -> Box:
    """The part of a crop that lies inside the picture, in pixels of the picture as it was read.

    Args:
        photo: the picture, which may have been reduced.
        crop: left, top, right, bottom in pixels of the upright picture as it is in the file.

    Raises:
        InputError: no pixel of the picture is inside.
    """
    height, width = photo.pixels.shape[:2]
    original = photo.size[::-1] if photo.orientation >= 5 else photo.size  # the file has it lying on its side
    scale = width / original[0]
    left, top, right, bottom = (edge * scale for edge in crop)
    box = Box(max(left, 0.0), max(top, 0.0), min(right, float(width)), min(bottom, float(height)))
    if box.width < 1 or box.height < 1:
        raise InputError(f"--crop lies outside the picture, which has {original[0]} × {original[1]} pixels")
    return box


def make_head(
    model: Reconstructor, photo: Photo, box: Box | None, folder: Path, progress: Callable[[str], None],
    pages: Iterator[Path | None],
) -> dict[str, Any]:  # fmt: skip
    """Make one head, write it and its page where one is wanted, and tell what was made."""
    start = time.perf_counter()
    hints = {"progress": progress, "focal_35mm": photo.focal_35mm}
    reconstruction = registry.reconstruct(model, photo.pixels, crop=box, **hints)
    progress("writing")
    files = write_reconstruction(reconstruction, folder)
    page = next(pages)
    if page is not None:
        from headviz.viewers.reconstruction import view_reconstruction

        files.append(view_reconstruction(reconstruction, title="From a photograph to a head").to_html(page))
    seconds = time.perf_counter() - start
    return {
        "folder": str(folder),
        "files": [str(path) for path in files],
        "model": reconstruction.model,
        "seconds": round(seconds, 3),
        "timings": dict(reconstruction.timings),
        "report": dict(reconstruction.report),
        "notes": list(photo.notes),
    }
