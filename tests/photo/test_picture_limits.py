"""What is too large, too small or damaged is refused in one clear line, quickly and quietly."""

from __future__ import annotations

import io
import os
import stat
import struct
import threading
import time
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from permissions import unprivileged
from PIL import Image

from headviz.errors import PictureError
from headviz.photo.picture import Photo, load_photo, load_picture

PICTURE = Image.fromarray(np.random.default_rng(1).integers(0, 255, (24, 40, 3), dtype=np.uint8))

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


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int, color: int, rows: bytes) -> bytes:
    """A PNG file by hand, for kinds that Pillow does not write."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


# Limits


def test_large_pictures_are_reduced_and_said_so(save: Save) -> None:
    photo = load_photo(save(PICTURE.resize((400, 240))), max_side=50)
    assert photo.pixels.shape == (30, 50, 3)
    assert photo.size == (400, 240)
    assert photo.notes == ("reduced from 400 × 240 to 50 × 30 pixels",)
    jpeg = load_photo(save(PICTURE.resize((400, 240)), "photo.jpg", quality=95), max_side=50)
    assert float((jpeg.pixels - photo.pixels).abs().mean()) < 0.02


def test_pixels_are_counted_before_anything_is_decoded(save: Save) -> None:
    for path in (
        save(png(30000, 2000, 8, 2, b""), "sixty.png"),
        save(png(10000, 10000, 8, 2, b""), "hundred.png"),  # here Pillow warns
        save(png(60000, 60000, 8, 2, b""), "billions.png"),  # and here it refuses
    ):
        with pytest.raises(PictureError, match=r"too many pixels|60 million\); at most 50 million"):
            load_picture(path)
    assert load_picture(save(PICTURE), max_pixels=960).shape == (24, 40, 3)
    with pytest.raises(PictureError, match="40 × 24 pixels"):
        load_picture(save(PICTURE), max_pixels=959)


def test_bytes_are_counted_before_the_file_is_read(save: Save, tmp_path: Path) -> None:
    with (tmp_path / "sparse.png").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(PictureError, match="has 1048576 MiB; at most 64 MiB are read"):
        load_picture(tmp_path / "sparse.png")
    path = save(PICTURE)
    assert load_picture(path, max_bytes=path.stat().st_size).shape == (24, 40, 3)
    with pytest.raises(PictureError, match="are read"):
        load_picture(path, max_bytes=path.stat().st_size - 1)


@pytest.mark.parametrize("size", [(1, 1), (15, 40), (5000, 16)])
def test_pictures_too_small_for_a_face_are_refused(save: Save, size: tuple[int, int]) -> None:
    with pytest.raises(PictureError, match=f"has {size[0]} × {size[1]} pixels; too few"):
        load_picture(save(PICTURE.resize(size)))


def test_a_jpeg_with_too_many_scans_is_refused(save: Save) -> None:
    data = save(PICTURE, "photo.jpg", progressive=True).read_bytes()
    start = data.rindex(b"\xff\xda")
    with pytest.raises(PictureError, match=r"has \d+ scans; at most 500"):
        load_picture(save(data[:start] + data[start:-2] * 600 + data[-2:], "bomb.jpg"))


# Bad files


def half(suffix: str, **options: Any) -> bytes:
    """The first half of a picture with much in it."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    buffer = io.BytesIO()
    noise.save(buffer, suffix, **options)
    return buffer.getvalue()[: len(buffer.getvalue()) // 2]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"is empty \(0 bytes\)"),
        (b"\0" * 1000, "not a picture that can be read; it should be JPEG, PNG"),
        (b"Dear all,\nhello\n", "not a picture"),
        (b"\x89PNG\r\n\x1a\n", "not a picture"),
        (b"\xff\xd8\xff\xe0", "not a picture"),
        (b"%PDF-1.7", "a PDF document; save its picture as JPEG"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "a HEIC photograph; save it as JPEG"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0", "a video"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a vector drawing"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture"),  # Pillow would start Ghostscript
        (half("PNG"), "damaged or incomplete"),
        (half("JPEG"), r"truncated \(\d+ bytes not processed\)"),
        (half("WEBP"), "damaged or incomplete|not a picture"),
        (half("TIFF"), "damaged or incomplete|not a picture"),
        (half("TIFF", compression="tiff_lzw"), "damaged or incomplete|not a picture"),
        (half("BMP"), "damaged or incomplete"),
        (half("GIF"), "damaged or incomplete"),
        (half("AVIF"), "damaged"),
        (half("JPEG2000"), "damaged or incomplete"),
    ],
)
def test_bad_files_are_one_clear_line(save: Save, data: bytes, message: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(PictureError, match=message) as caught:
        load_picture(save(data, "bad.jpg"))
    text = str(caught.value)
    assert "bad.jpg" in text
    assert "\n" not in text
    assert len(text) < 400
    assert capfd.readouterr() == ("", "")


def test_libtiff_does_not_write_to_the_terminal(save: Save, capfd: pytest.CaptureFixture[str]) -> None:
    data = bytearray(save(PICTURE, "photo.tif", compression="tiff_adobe_deflate").read_bytes())
    data[12:30] = b"x" * 18
    with pytest.raises(PictureError):
        load_picture(save(bytes(data), "photo.tif"))
    assert capfd.readouterr().err == ""


def test_places_that_hold_no_picture(tmp_path: Path) -> None:
    for path, message in (
        (tmp_path / "none.jpg", "does not exist"),
        (tmp_path, "is a folder; name a picture file"),
        (tmp_path / "none" / "x.jpg", "does not exist"),
        ("nul\0.jpg", "not the name of a file"),
        (tmp_path / ("x" * 300), "name too long"),
        (tmp_path / "two\nlines.jpg", r"two\\nlines\.jpg' does not exist"),
    ):
        with pytest.raises(PictureError, match=message) as caught:
            load_picture(path)
        assert "\n" not in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_a_pipe_does_not_make_us_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(PictureError, match="not a regular file"):
        load_picture(tmp_path / "pipe.jpg")


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system has no such permissions")
def test_a_file_without_permission(save: Save) -> None:
    path = save(PICTURE)
    path.chmod(0)
    with unprivileged(path.parent), pytest.raises(PictureError, match="cannot be read: Permission denied"):
        load_picture(path)


def test_an_unreadable_file(save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = save(PICTURE)
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PictureError, match=r"photo\.png cannot be read: Permission denied"):
        load_picture(path)


# Manners


def test_threads_do_not_disturb_each_other(save: Save) -> None:
    good = save(PICTURE)
    bad = save(half("TIFF", compression="tiff_lzw"), "bad.tif")
    before = list(warnings.filters)
    terminal = os.fstat(2)
    wrong: list[object] = []

    def work(number: int) -> None:
        for _ in range(10):
            try:
                found = load_picture(bad if number % 2 else good)
            except PictureError as error:
                found = error
            if isinstance(found, PictureError) != bool(number % 2):
                wrong.append(found)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert warnings.filters == before
    assert (os.fstat(2).st_ino, os.fstat(2).st_dev) == (terminal.st_ino, terminal.st_dev)
    assert not stat.S_ISDIR(terminal.st_mode)


def test_a_photograph_of_twelve_million_pixels_is_loaded_fast(save: Save, astronaut: Path) -> None:
    path = save(Image.open(astronaut).convert("RGB").resize((4096, 3000)), "large.jpg", quality=92)
    times = []
    for _ in range(3):
        start = time.process_time()
        photo = load_photo(path)
        times.append(time.process_time() - start)
    assert photo.pixels.shape == (3000, 4096, 3)
    assert min(times) < 1.0  # 0.15 s on a quiet machine


def test_the_shipped_photographs_load(root: Path) -> None:
    paths = [path for path in (root / "assets" / "pictures").iterdir() if path.suffix in (".png", ".jpg")]
    assert len(paths) >= 1
    for path in paths:
        photo = load_photo(path)
        assert isinstance(photo, Photo)
        assert photo.notes == ()
