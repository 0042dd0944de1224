"""Pictures from files: checked, upright, linear RGB.

Whatever Pillow decodes is brought to one form. What is lost on the way: 16 bits per channel become 8,
transparent parts are laid over neutral grey, animations keep their first frame, and colours outside
sRGB are clipped. Each choice that changed a picture beyond that is listed in :attr:`Photo.notes`.
"""

from __future__ import annotations

import math
import stat
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError
from torch import Tensor

from headviz.errors import PictureError
from headviz.geometry.color import from_uint8
from headviz.photo.quiet import quiet_stderr

MAX_BYTES = 64 * 1024 * 1024  #: larger files are refused
MAX_PIXELS = 50_000_000  #: pictures with more pixels are refused before they are decoded
MAX_SIDE = 4096  #: larger pictures are reduced until their longer side has this many pixels
MIN_SIDE = 16  #: pictures with a shorter side are refused
MAX_SCANS = 500  #: JPEG files with more passes are refused: each pass decodes the whole picture again

#: What is decoded (MPO comes with JPEG). None of these starts another program, as Pillow does for EPS.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "AVIF", "JPEG2000")
READABLE = "JPEG, PNG, WebP, GIF, TIFF, BMP, PPM, AVIF or JPEG 2000"

_GREY = (128, 128, 128, 255)  # behind transparent parts: it brightens or darkens a cut-out's edge the least
_DIAGONAL_35MM = math.hypot(36.0, 24.0)  # millimetres
_FOCAL_RANGE = (5.0, 2000.0)  # 35-mm equivalents that a camera can have, millimetres

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Beginnings of files that people take for pictures that we read: offset, bytes, what it is.
_FOREIGN = (
    (4, b"ftyphei", "a HEIC photograph; save it as JPEG"),
    (4, b"ftypmif1", "a HEIF photograph; save it as JPEG"),
    (4, b"ftypavi", "a damaged AVIF picture; copy or download it again"),
    (4, b"ftyp", "a video; take a frame of it and save that as JPEG"),
    (0, b"%PDF", "a PDF document; save its picture as JPEG"),
    (0, b"8BPS", "a Photoshop document; save it as PNG"),
    (0, b"<?xml", "an XML document; if it is a vector drawing, save it as PNG"),
    (0, b"<svg", "a vector drawing; save it as PNG"),
    (0, b"glTF", "a 3-D model, not a picture"),
)

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

# What Pillow raises on damaged files: seen when fuzzing, and what its own parsers expect of each other.
_DAMAGE = (
    OSError,
    ValueError,
    SyntaxError,
    TypeError,
    LookupError,
    ArithmeticError,
    EOFError,
    RuntimeError,
    struct.error,
    zlib.error,
)
_LOCK = threading.Lock()  # filters of warnings belong to the whole process


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels, from the upper left corner; right and bottom are exclusive."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Width, pixels."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Height, pixels."""
        return self.bottom - self.top

    @property
    def area(self) -> float:
        """Area, pixels²; 0 for an empty box."""
        return max(0.0, self.width) * max(0.0, self.height)


@dataclass(frozen=True, eq=False)
class Photo:
    """A picture and what its file says of how it was taken.

    Attributes:
        pixels: upright linear RGB in [0, 1], shape (h, w, 3), float32.
        focal_35mm: focal length that gives the same diagonal angle of view on 36 × 24 mm film,
            millimetres; ``None`` where the file does not tell or the picture was visibly cropped since.
        orientation: the EXIF orientation that was applied, 1 to 8; always 1 for TIFF files, which Pillow turns.
        size: width and height in the file, before it was turned (but for TIFF) or reduced, pixels.
        format: name of the file format, such as ``"JPEG"``.
        notes: sentences on what was changed or ignored.
    """

    pixels: Float[Tensor, "h w 3"]
    focal_35mm: float | None
    orientation: int
    size: tuple[int, int]
    format: str
    notes: tuple[str, ...]

    @property
    def focal(self) -> float | None:
        """Focal length in pixels of ``pixels``, or ``None`` where it is not known."""
        if self.focal_35mm is None:
            return None
        height, width = self.pixels.shape[:2]
        return self.focal_35mm / _DIAGONAL_35MM * math.hypot(width, height)


def load_picture(
    path: str | Path, *, max_bytes: int = MAX_BYTES, max_pixels: float = MAX_PIXELS, max_side: int = MAX_SIDE
) -> Float[Tensor, "h w 3"]:
    """Upright linear RGB in [0, 1] of a picture file, shape (h, w, 3), float32; see :func:`load_photo`."""
    return load_photo(path, max_bytes=max_bytes, max_pixels=max_pixels, max_side=max_side).pixels


def load_photo(
    path: str | Path, *, max_bytes: int = MAX_BYTES, max_pixels: float = MAX_PIXELS, max_side: int = MAX_SIDE
) -> Photo:
    """Read a picture file: checked, upright, in sRGB's primaries, and not larger than ``max_side``.

    The limits are checked before anything is decoded. Grey, palette, CMYK, Lab and transparent pictures become
    RGB; a colour profile in the file is applied, and where it is unusable the notes say so.

    Args:
        path: the file.
        max_bytes: largest file that is read.
        max_pixels: largest width × height that is decoded.
        max_side: larger pictures are reduced to this many pixels along their longer side.

    Raises:
        PictureError: the file cannot be read, is not a picture, is damaged, or exceeds a limit.
    """
    name = str(path) if str(path).isprintable() else repr(str(path))
    data = _read(Path(path), name, max_bytes)
    with _decoding(name, data):
        image: Image.Image = Image.open(BytesIO(data), formats=FORMATS)
        kind, size = image.format or "", image.size
        target = _reduced(size, max_side)
        _check(name, data, image, target, max_pixels)
        notes: list[str] = []
        if target != size:
            notes.append(f"reduced from {size[0]} × {size[1]} to {target[0]} × {target[1]} pixels")
            image.draft(None, target)  # a JPEG is decoded at a half, a quarter or an eighth of its size
        image.load()
        if getattr(image, "is_animated", False) and kind != "MPO":
            notes.append("the first frame of an animation")
        orientation, focal = _exif(image, size, notes)
        profile = image.info.get("icc_profile")
        image = _flat(name, image)
        if target != size:
            image = image.resize(target, Image.Resampling.LANCZOS, reducing_gap=2.0)
        image = _srgb(image, profile, notes)
        if orientation in _TURNS:
            image = image.transpose(_TURNS[orientation])
        pixels = np.asarray(image)
    return Photo(from_uint8(pixels), focal, orientation, size, kind, tuple(notes))


def _read(path: Path, name: str, limit: int) -> bytes:
    """All bytes of a regular file of at most ``limit`` bytes."""
    data = b""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise PictureError(f"{name} is a folder; name a picture file")
        if not stat.S_ISREG(status.st_mode):
            raise PictureError(f"{name} is not a regular file; name a picture file")
        if status.st_size <= limit:
            with path.open("rb") as file:
                data = file.read(limit + 1)
    except FileNotFoundError:
        raise PictureError(f"{name} does not exist") from None
    except OSError as error:
        raise PictureError(f"{name} cannot be read: {error.strerror or error}") from None
    except ValueError as error:  # a NUL in the name
        raise PictureError(f"{name} is not the name of a file: {error}") from None
    if status.st_size > limit or len(data) > limit:
        raise PictureError(
            f"{name} has {status.st_size / 2**20:.0f} MiB; at most {limit / 2**20:.4g} MiB are read: reduce the picture"
        )
    if not data:
        raise PictureError(f"{name} is empty (0 bytes); copy or download it again")
    return data


@contextmanager
def _decoding(name: str, data: bytes) -> Iterator[None]:
    """Turn everything that Pillow says about bad files into one :class:`PictureError`."""
    try:
        # libtiff writes its complaints to the terminal and Pillow has no switch for that
        quiet = quiet_stderr() if data.startswith(_TIFF) else nullcontext()
        with _LOCK, quiet, warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=UserWarning)  # metadata that Pillow could not read
            warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
            yield
    except UnidentifiedImageError:
        raise PictureError(f"{name} is {_guess(data)}") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise PictureError(f"{name} has too many pixels; reduce it first") from None
    except MemoryError:
        raise PictureError(f"{name} needs more memory than there is; reduce the picture first") from None
    except _DAMAGE as error:
        raise PictureError(f"{name} is damaged or incomplete ({_reason(error)}); copy or download it again") from None


def _reason(error: Exception) -> str:
    """What an error says, as one short printable line."""
    text = " ".join(str(error).split())[:120] or type(error).__name__
    return text if text.isprintable() else ascii(text)


def _guess(data: bytes) -> str:
    """What a file is that Pillow did not recognize."""
    for offset, start, what in _FOREIGN:
        if data[offset : offset + len(start)] == start:
            return what
    return f"not a picture that can be read; it should be {READABLE}"


def _check(name: str, data: bytes, image: Image.Image, target: tuple[int, int], max_pixels: float) -> None:
    """Refuse what is too large to decode or, at the size at which it would be used, too small."""
    width, height = image.size
    if width * height > max_pixels:
        raise PictureError(
            f"{name} has {width} × {height} pixels ({width * height / 1e6:.0f} million); "
            f"at most {max_pixels / 1e6:.4g} million are decoded: reduce it first"
        )
    if min(target) < MIN_SIDE:
        raise PictureError(f"{name} has {width} × {height} pixels; too few for a picture of a face")
    if image.format in ("JPEG", "MPO") and (scans := data.count(b"\xff\xda")) > MAX_SCANS:
        raise PictureError(f"{name} has {scans} scans; at most {MAX_SCANS} are decoded: save it again as a plain JPEG")


def _reduced(size: tuple[int, int], max_side: int) -> tuple[int, int]:
    """Width and height that fit into ``max_side``."""
    scale = min(1.0, max_side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _exif(image: Image.Image, size: tuple[int, int], notes: list[str]) -> tuple[int, float | None]:
    """Orientation and 35-mm equivalent focal length; asked after loading, for TIFF files turn themselves."""
    try:
        exif = image.getexif()
        orientation = exif.get(ExifTags.Base.Orientation, 1)
        details = exif.get_ifd(ExifTags.IFD.Exif)
        focal = _number(details.get(ExifTags.Base.FocalLengthIn35mmFilm))
        taken = [_number(details.get(tag)) for tag in (ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight)]
    except _DAMAGE:
        notes.append("the EXIF data cannot be read; taken as upright")
        return 1, None
    turn = orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1
    if not _FOCAL_RANGE[0] <= focal <= _FOCAL_RANGE[1]:
        return turn, None
    width, height = taken
    if width > 0 and height > 0:
        shape, original = sorted(size), sorted((width, height))  # some programs turn the pixels but not these numbers
        if abs(shape[0] * original[1] / (shape[1] * original[0]) - 1) > 0.02:
            notes.append("cropped since it was taken; the focal length in the file is ignored")
            return turn, None
    return turn, focal


def _number(value: Any) -> float:
    """A finite EXIF number, else 0."""
    try:
        number = float(value)
    except (TypeError, ValueError, ArithmeticError):
        return 0.0
    return number if math.isfinite(number) else 0.0


def _flat(name: str, image: Image.Image) -> Image.Image:
    """The picture in mode L, RGB, CMYK or LAB, 8 bits, without transparency."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        wide = np.asarray(image)
        if image.mode == "F" or not 0 <= int(wide.min()) <= int(wide.max()) <= 65535:
            raise PictureError(f"{name} has 32 bits per channel in no known range; save it with 8 or 16 bits")
        wide = wide.astype(np.uint32)
        return Image.fromarray(((wide * 255 + 32767) // 65535).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        layer = image.convert("RGBA")
        if layer.getchannel("A").histogram()[255] < layer.width * layer.height:
            layer = Image.alpha_composite(Image.new("RGBA", image.size, _GREY), layer)
        return layer.convert("RGB")
    if image.mode in ("L", "RGB", "CMYK", "LAB"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _srgb(image: Image.Image, profile: bytes | None, notes: list[str]) -> Image.Image:
    """The picture as RGB in sRGB, by its colour profile if that is usable."""
    transform = None
    if image.mode == "LAB":
        transform = ImageCms.buildTransform(ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB")
    elif profile:
        try:
            transform, mode = _profile_transform(profile, image.mode)
            image = image if image.mode == mode else image.convert(mode)
        except (ImageCms.PyCMSError, *_DAMAGE) as error:
            notes.append(f"the colour profile is ignored ({_reason(error)}); colours are taken as sRGB")
    if transform is not None:
        image = ImageCms.applyTransform(image, transform) or image
    return image if image.mode == "RGB" else image.convert("RGB")


def _profile_transform(data: bytes, mode: str) -> tuple[ImageCms.ImageCmsTransform | None, str]:
    """Transform from a colour profile to sRGB and the mode that it takes; ``None`` if it changes nothing.

    Raises:
        ValueError: the profile does not belong to such a picture, or turns white or black into something else.
        ImageCms.PyCMSError: the profile cannot be read.
    """
    profile = ImageCms.ImageCmsProfile(BytesIO(data))
    space = profile.profile.xcolor_space.strip()
    taken = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}.get(space)
    if taken is None or (mode != taken and (mode, taken) != ("L", "RGB")):
        raise ValueError(f"a profile for {space!r} in a picture of mode {mode}")
    transform = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), taken, "RGB")
    bands = len(Image.new(taken, (1, 1)).getbands())
    levels = np.linspace(0, 255, 5).astype(np.uint8)
    probe = np.stack(np.meshgrid(*[levels] * bands, indexing="ij"), axis=-1).reshape(1, -1, bands)
    source = Image.frombytes(taken, (probe.shape[1], 1), probe.tobytes())
    seen = np.asarray(ImageCms.applyTransform(source, transform)).astype(int)[0]
    dark, bright = (seen[0], seen[-1]) if taken != "CMYK" else (seen[-1], seen[0])
    if bright.min() < 128 or dark.max() > 127:
        raise ValueError("it shows white or black as another colour")
    unchanged = taken != "CMYK" and int(np.abs(seen - probe[0]).max()) <= 1
    return None if unchanged else transform, taken
