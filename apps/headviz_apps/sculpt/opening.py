"""What a word or a file stands for: a base to sculpt, or a session to go on with. No toolkit here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from headviz.errors import InputError
from headviz.geometry.mesh import Mesh
from headviz.heads.sculptable import sculptable_head, with_identity
from headviz.interop import MESH_FORMATS

if TYPE_CHECKING:
    from headviz.models.reconstruction import Reconstruction
    from headviz.sculpt import SculptSession
    from headviz.sculpt.condition import Condition

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".heic", ".avif")
SESSION_SUFFIX = ".headviz.json"
MODEL = "landmark-fit"
HEAD = "head"  #: the packaged head's name
_RECONSTRUCTION = "head.glb"  # in the folder of one
#: Meshes that session files know by name.
BASES: dict[str, Callable[[], Mesh]] = {HEAD: sculptable_head}

Progress = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Loaded:
    """What was read.

    Attributes:
        name: what to call it.
        mesh: a base; ``None`` where it is a session.
        session: a session; ``None`` where it is a base.
        path: the session's file, or the mesh's.
        condition: what should be known of the mesh; ``None`` for our own heads.
        notes: sentences about how it was read.
    """

    name: str
    mesh: Mesh | None = None
    session: SculptSession | None = None
    path: Path | None = None
    condition: Condition | None = None
    notes: tuple[str, ...] = ()

    @property
    def questions(self) -> bool:
        """Whether a person should be asked about the mesh before it is sculpted."""
        found = self.condition
        return found is not None and any(problem.severity in ("error", "warning") for problem in found.problems)


def load(text: str, progress: Progress) -> Loaded:
    """Read what is to be sculpted.

    Args:
        text: empty or "head" for the packaged head; a mesh, a photograph, a session, or the folder of a reconstruction.
        progress: called with what is being done.

    Raises:
        InputError: it is none of them, or cannot be read; the message says what it should be.
    """
    if text in ("", HEAD) and not Path(text or HEAD).exists():
        progress("reading the head")
        return Loaded(HEAD, sculptable_head())
    path = Path(text or HEAD)
    if path.is_dir():
        if not (path / _RECONSTRUCTION).is_file():
            raise InputError(f"{path} is a folder without {_RECONSTRUCTION}; name a mesh, a photograph or a session")
        return _mesh(path / _RECONSTRUCTION, path.name, progress)
    if not path.is_file():
        raise InputError(f"{path} cannot be read: No such file or directory")
    suffix = path.suffix.lower()
    if suffix in MESH_FORMATS:
        return _mesh(path, path.stem, progress)
    if suffix in PHOTO_SUFFIXES:
        return from_reconstruction(reconstructed(path, progress), path.stem)
    if suffix == ".json":
        return _session(path, progress)
    kinds = ", ".join([*MESH_FORMATS, SESSION_SUFFIX, *PHOTO_SUFFIXES])
    raise InputError(f"{path} should be a mesh, a session or a photograph ({kinds})")


def from_reconstruction(made: Reconstruction, name: str) -> Loaded:
    """The neutral head of a reconstruction as a base: texture and expressions kept, identity as further sliders."""
    return Loaded(name, with_identity(made.mesh))


def reconstructed(path: Path, progress: Progress) -> Reconstruction:
    """The head of a photograph.

    Raises:
        InputError: it is no picture, or no face is found in it.
    """
    from headviz.models import registry
    from headviz.photo.picture import load_photo

    progress("reading the photograph")
    photo = load_photo(path)
    progress("loading the model")
    model = registry.load(MODEL)
    try:
        return registry.reconstruct(model, photo.pixels, progress=progress, focal_35mm=photo.focal_35mm)
    finally:
        if (close := getattr(model, "close", None)) is not None:
            close()


def _session(path: Path, progress: Progress) -> Loaded:
    import warnings

    from headviz.sculpt.files import open_session

    def tell(done: int, of: int) -> None:
        if done % 50 == 0:
            progress(f"opening the session: step {done} of {of}")

    progress("opening the session")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        session = open_session(path, bases=BASES, progress=tell)
    name = path.name.removesuffix(SESSION_SUFFIX).removesuffix(".json")
    return Loaded(name, session=session, path=path, notes=tuple(str(one.message) for one in caught))


def _mesh(path: Path, name: str, progress: Progress) -> Loaded:
    import warnings

    from headviz.interop import load_mesh
    from headviz.sculpt.condition import condition

    progress("reading the mesh")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        mesh = load_mesh(path, finite=False)
    progress("looking the mesh over")
    notes = tuple(str(one.message) for one in caught)
    return Loaded(name, mesh, path=path, condition=condition(mesh), notes=notes)


def session_of(loaded: Loaded, fixes: tuple[str, ...] = ()) -> SculptSession:
    """The session of what was read, after repairs where some were chosen.

    Raises:
        MeshError: the mesh cannot be sculpted.
    """
    from headviz.sculpt import SculptSession
    from headviz.sculpt.files import start_named
    from headviz.sculpt.origin import Origin
    from headviz.sculpt.repair import fix

    if loaded.session is not None:
        return loaded.session
    mesh = loaded.mesh
    assert mesh is not None
    if loaded.path is None:
        return start_named(HEAD, mesh) if loaded.name == HEAD else SculptSession(mesh, name=loaded.name)
    made = fix(mesh, *fixes)
    complete = with_identity(made.mesh)
    session = SculptSession(complete, name=loaded.name)
    if complete is made.mesh:
        session.origin = Origin("file", str(loaded.path.resolve()), made.fixes, made.frame)
    else:  # the file lacks the sliders, so the session keeps the base itself
        session.origin = Origin("memory", "", made.fixes, made.frame)
    return session
