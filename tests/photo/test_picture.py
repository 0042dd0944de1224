"""Pictures of every kind come out upright, linear, RGB and within limits; bad files are one clear line."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from headviz.errors import PictureError
from headviz.geometry.color import srgb_to_linear, to_uint8
from headviz.photo.picture import Box, load_photo, load_picture

# Four colours in the corners, so that every turn and flip shows; 40 wide and 24 high.
CORNERS = np.zeros((24, 40, 3), np.uint8)
CORNERS[:12, :20], CORNERS[:12, 20:], CORNERS[12:, :20], CORNERS[12:, 20:] = (
    (200, 30, 40),
    (40, 180, 50),
    (60, 70, 220),
    (230, 220, 80),
)
PICTURE = Image.fromarray(CORNERS)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

Save = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Saves an image or bytes under a name."""

    def write(what: Image.Image | bytes, name: str = "photo.png", **options: Any) -> Path:
        path = tmp_path / name
        if isinstance(what, bytes):
            path.write_bytes(what)
        else:
            what.save(path, **options)
        return path

    return write


def seen(path: Path) -> np.ndarray:
    """What was loaded, as 8-bit sRGB in integers that can be subtracted."""
    return to_uint8(load_picture(path)).astype(int)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int, color: int, rows: bytes) -> bytes:
    """A PNG file by hand, for kinds that Pillow does not write."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


# Kinds of pictures


def test_values_are_linear_float32(save: Save) -> None:
    pixels = load_picture(save(PICTURE))
    assert pixels.dtype == torch.float32
    assert pixels.shape == (24, 40, 3)
    torch.testing.assert_close(pixels, srgb_to_linear(torch.from_numpy(CORNERS) / 255))


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "ppm", "gif", "webp", "jpg", "avif", "jp2"])
def test_formats(save: Save, suffix: str) -> None:
    options = {"lossless": True} if suffix == "webp" else {}
    tolerance = {"jpg": 30, "avif": 30, "gif": 12, "jp2": 0}.get(suffix, 0)
    photo = load_photo(save(PICTURE, f"photo.{suffix}", **options))
    assert np.median(np.abs(to_uint8(photo.pixels).astype(int) - CORNERS)) <= 3
    assert np.abs(to_uint8(photo.pixels).astype(int)[2:8, 2:14] - CORNERS[2:8, 2:14]).max() <= tolerance
    assert (photo.size, photo.orientation, photo.focal_35mm, photo.notes) == ((40, 24), 1, None, ())
    assert photo.format in ("PNG", "BMP", "TIFF", "PPM", "GIF", "WEBP", "JPEG", "AVIF", "JPEG2000")


def test_the_name_does_not_matter(save: Save) -> None:
    assert load_photo(save(PICTURE, "photo.jpg", format="PNG")).format == "PNG"


# How the stored rows and columns are to be read, by EXIF's table: orientation → upright to stored.
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, 1),  # the camera was turned so that the top of the scene is at the right
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("suffix", ["png", "tif", "webp", "jpg"])
@pytest.mark.parametrize("orientation", STORED)
def test_exif_orientation(save: Save, orientation: int, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](CORNERS)))
    options = {"lossless": True} if suffix == "webp" else {"quality": 95} if suffix == "jpg" else {}
    path = save(stored, f"photo.{suffix}", exif=exif, **options)
    found = seen(path)
    assert found.shape == CORNERS.shape
    assert np.abs(found - CORNERS)[2:10, 2:18].max() < 12
    assert np.abs(found - CORNERS)[14:22, 22:38].max() < 12
    photo = load_photo(path)
    if suffix == "tif":  # Pillow turns those itself
        assert (photo.size, photo.orientation) == (PICTURE.size, 1)
    else:
        assert (photo.size, photo.orientation) == (stored.size, orientation)


@pytest.mark.parametrize("value", [0, 9, 255])
def test_orientations_that_do_not_exist_are_ignored(save: Save, value: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    photo = load_photo(save(PICTURE, exif=exif))
    assert photo.orientation == 1
    assert (to_uint8(photo.pixels) == CORNERS).all()


def test_transparent_parts_lie_over_grey(save: Save) -> None:
    layer = np.dstack([CORNERS, np.full((24, 40), 255, np.uint8)])
    layer[:, :10, 3], layer[:, 10:20, 3] = 0, 128
    found = seen(save(Image.fromarray(layer)))
    assert (found[:, :10] == 128).all()
    assert np.abs(found[:, 10:20] - (CORNERS[:, 10:20].astype(int) + 128) / 2).max() <= 1.5
    assert (found[:, 20:] == CORNERS[:, 20:]).all()


def test_other_kinds_of_transparency(save: Save) -> None:
    grey = np.dstack([CORNERS[..., 0], np.where(np.arange(40) < 20, 0, 255)[None].repeat(24, 0)]).astype(np.uint8)
    found = seen(save(Image.fromarray(grey, "LA")))
    assert (found[:, :20] == 128).all()
    assert (found[:, 20:] == CORNERS[:, 20:, :1]).all()
    palette = PICTURE.quantize(4)
    clear = palette.getpixel((0, 0))
    found = seen(save(palette, transparency=clear))
    assert (found[:12, :20] == 128).all()
    assert np.abs(found[12:, 20:] - CORNERS[12:, 20:]).max() <= 4
    found = seen(save(PICTURE, transparency=(200, 30, 40)))
    assert (found[:12, :20] == 128).all()
    assert (found[12:] == CORNERS[12:]).all()


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_few_levels(save: Save, mode: str) -> None:
    image = PICTURE.convert(mode)
    assert (seen(save(image)) == np.asarray(image.convert("RGB"))).all()


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_cmyk_is_not_inverted(save: Save, suffix: str) -> None:
    path = save(PICTURE.convert("CMYK"), f"print.{suffix}")  # Pillow writes JPEGs inverted, with Adobe's marker
    if suffix == "jpg":
        assert b"Adobe" in path.read_bytes()
    assert np.median(np.abs(seen(path) - CORNERS)) < 4


def test_lab(save: Save) -> None:
    lab = ImageCms.createProfile("LAB")
    transform = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), lab, "RGB", "LAB")
    path = save(ImageCms.applyTransform(PICTURE, transform), "lab.tif")
    assert np.abs(seen(path) - CORNERS).max() < 8


def test_16_bits(save: Save) -> None:
    wide = CORNERS[..., 0].astype(np.uint16) * 257
    for name in ("grey.png", "grey.tif"):
        found = seen(save(Image.fromarray(wide), name))
        assert (found == CORNERS[..., :1]).all()
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in CORNERS.astype(np.uint16) * 257)
    assert (seen(save(png(40, 24, 16, 2, rows))) == CORNERS).all()
    assert (seen(save(b"P5 40 24 65535\n" + wide.astype(">u2").tobytes(), "grey.pgm")) == CORNERS[..., :1]).all()


def test_numbers_without_a_known_range_are_refused(save: Save) -> None:
    for values in (CORNERS[..., 0].astype(np.float32), CORNERS[..., 0].astype(np.int32) * 10**6):
        with pytest.raises(PictureError, match="32 bits per channel in no known range"):
            load_picture(save(Image.fromarray(values), "wide.tif"))


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "mpo"])
def test_animations_give_their_first_frame(save: Save, suffix: str) -> None:
    black = Image.new("RGB", PICTURE.size)
    path = save(PICTURE, f"film.{suffix}", save_all=True, append_images=[black, black])
    photo = load_photo(path)
    assert np.median(np.abs(to_uint8(photo.pixels).astype(int) - CORNERS)) < 8
    assert photo.notes == (() if suffix == "mpo" else ("the first frame of an animation",))


# Colour profiles


def test_an_srgb_profile_changes_nothing(save: Save) -> None:
    photo = load_photo(save(PICTURE, icc_profile=SRGB))
    assert (to_uint8(photo.pixels) == CORNERS).all()
    assert photo.notes == ()


def swapped(first: bytes, second: bytes) -> bytes:
    """The sRGB profile with two tags exchanged."""
    return SRGB.replace(first, b"????", 1).replace(second, first, 1).replace(b"????", second, 1)


def test_a_profile_is_applied(save: Save) -> None:
    photo = load_photo(save(PICTURE, icc_profile=swapped(b"rXYZ", b"gXYZ")))  # says that red is green
    assert np.abs(to_uint8(photo.pixels).astype(int) - CORNERS[..., [1, 0, 2]]).max() <= 2
    assert photo.notes == ()


@pytest.mark.parametrize(
    ("profile", "reason"),
    [
        (b"nonsense", "cannot open profile"),
        (SRGB[:200], "cannot"),
        (SRGB.replace(b"RGB ", b"CMYK", 1), "a profile for 'CMYK' in a picture of mode RGB"),
        (swapped(b"rXYZ", b"wtpt").replace(b"bXYZ", b"bABC"), "cannot"),
    ],
)
def test_an_unusable_profile_is_ignored_and_said_so(save: Save, profile: bytes, reason: str) -> None:
    photo = load_photo(save(PICTURE, icc_profile=profile))
    assert (to_uint8(photo.pixels) == CORNERS).all()
    (note,) = photo.notes
    assert note.startswith(f"the colour profile is ignored ({reason}")


def test_a_profile_of_another_world_is_ignored(save: Save) -> None:
    xyz = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    (note,) = load_photo(save(PICTURE, icc_profile=xyz)).notes
    assert "XYZ" in note


# What the camera wrote


def with_focal(focal: float, width: int | None = None, height: int | None = None) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F] = "maker"  # without a tag at the top, Pillow does not write the rest
    details = exif.get_ifd(0x8769)
    details[0xA405] = focal
    if width and height:
        details[0xA002], details[0xA003] = width, height
    return exif


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_focal_length(save: Save, suffix: str) -> None:
    photo = load_photo(save(PICTURE, f"photo.{suffix}", exif=with_focal(50)))
    assert photo.focal_35mm == 50
    diagonal = (40**2 + 24**2) ** 0.5
    assert photo.focal == pytest.approx(50 / (36**2 + 24**2) ** 0.5 * diagonal)


@pytest.mark.parametrize(
    ("exif", "focal"),
    [
        (with_focal(0), None),
        (with_focal(60000), None),
        (with_focal(28, 4000, 2400), 28),  # reduced
        (with_focal(28, 2400, 4000), 28),  # turned
        (with_focal(28, 4000, 3000), None),  # cropped
        (Image.Exif(), None),
    ],
)
def test_focal_lengths_that_cannot_be_trusted(save: Save, exif: Image.Exif, focal: float | None) -> None:
    photo = load_photo(save(PICTURE, exif=exif))
    assert photo.focal_35mm == focal
    assert (photo.focal is None) == (focal is None)
    assert any("cropped" in note for note in photo.notes) == (exif.get_ifd(0x8769).get(0xA003) == 3000)


def test_damaged_exif_data_are_ignored(save: Save) -> None:
    for exif in (b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\0\x09\x01\x12", b"Exif\0\0nothing"):
        photo = load_photo(save(PICTURE, "photo.jpg", exif=exif, quality=95))
        assert (photo.orientation, photo.focal_35mm) == (1, None)


def test_boxes_know_their_size() -> None:
    assert (Box(1, 2, 4, 8).width, Box(1, 2, 4, 8).height, Box(1, 2, 4, 8).area) == (3, 6, 18)
    assert Box(4, 2, 1, 8).area == 0
