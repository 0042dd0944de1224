"""Thousands of damaged files: each gives a proper picture or one clear line, soon, and nothing else."""

from __future__ import annotations

import io
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from headviz.errors import PictureError
from headviz.photo.picture import load_photo

COUNT = 4000
SLOWEST = 5.0  # seconds for one file of two kilobytes


def samples() -> dict[str, bytes]:
    """Small pictures of every kind that is read, with everything that a file may carry."""
    ramp = np.linspace(0, 255, 24).astype(np.uint8)
    noise = np.random.default_rng(0).integers(0, 255, (24, 24), dtype=np.uint8)
    image = Image.fromarray(np.stack([np.add.outer(ramp // 2, ramp // 2), noise, np.tile(ramp, (24, 1))], axis=-1))
    grey16 = Image.fromarray(noise.astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    exif.get_ifd(0x8769)[0xA405] = 50
    rich: dict[str, Any] = {
        "exif": exif,
        "icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    }
    film: dict[str, Any] = {"save_all": True, "append_images": [image.rotate(90)]}
    kinds: dict[str, tuple[Image.Image, str, dict[str, Any]]] = {
        "jpeg": (image, "JPEG", rich),
        "progressive": (image, "JPEG", {"progressive": True}),
        "cmyk": (image.convert("CMYK"), "JPEG", {}),
        "mpo": (image, "MPO", film),
        "png": (image, "PNG", rich),
        "rgba": (image.convert("RGBA"), "PNG", {}),
        "palette": (image.quantize(16), "PNG", {"transparency": 3}),
        "16 bits": (grey16, "PNG", {}),
        "apng": (image, "PNG", film),
        "webp": (image, "WEBP", {}),
        "lossless": (image, "WEBP", {"lossless": True, **rich}),
        "animated webp": (image, "WEBP", film),
        "gif": (image, "GIF", {}),
        "animated gif": (image, "GIF", film),
        "tiff": (image, "TIFF", {"exif": exif}),
        "lzw": (image, "TIFF", {"compression": "tiff_lzw"}),
        "deflate": (image, "TIFF", {"compression": "tiff_adobe_deflate"}),
        "jpeg in tiff": (image, "TIFF", {"compression": "jpeg"}),
        "fax": (image.convert("1"), "TIFF", {"compression": "group4"}),
        "cmyk tiff": (image.convert("CMYK"), "TIFF", {}),
        "16 bits tiff": (grey16, "TIFF", {}),
        "bmp": (image, "BMP", {}),
        "bmp palette": (image.quantize(8), "BMP", {}),
        "ppm": (image, "PPM", {}),
        "avif": (image, "AVIF", {}),
        "jpeg 2000": (image, "JPEG2000", {}),
    }
    found = {}
    for name, (picture, kind, options) in kinds.items():
        buffer = io.BytesIO()
        picture.save(buffer, kind, **options)
        found[name] = buffer.getvalue()
    return found


SAMPLES = samples()


def damage(dice: random.Random, data: bytes) -> bytes:
    """One of five accidents."""
    broken = bytearray(data)
    accident = dice.randrange(5)
    if accident == 0:  # flipped bits
        for _ in range(dice.randint(1, 8)):
            broken[dice.randrange(len(broken))] ^= 1 << dice.randrange(8)
    elif accident == 1:  # truncated
        del broken[dice.randrange(len(broken)) :]
    elif accident == 2:  # continued by another file
        other = dice.choice(list(SAMPLES.values()))
        broken[dice.randrange(len(broken)) :] = other[dice.randrange(len(other)) :]
    elif accident == 3:  # an edited header
        for _ in range(dice.randint(1, 4)):
            broken[dice.randrange(min(128, len(broken)))] = dice.choice((0, 1, 127, 128, 255, dice.randrange(256)))
    else:  # a piece lost or repeated
        start = dice.randrange(len(broken))
        end = min(len(broken), start + dice.randint(1, 64))
        broken[start:end] = broken[start:end] * dice.randint(0, 4)
    return bytes(broken)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_samples_themselves_load(name: str, tmp_path: Path) -> None:
    (tmp_path / "sample").write_bytes(SAMPLES[name])
    assert load_photo(tmp_path / "sample").pixels.shape == (24, 24, 3)


def test_damaged_files(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    dice = random.Random(20)
    path = tmp_path / "damaged"
    outcomes: Counter[tuple[str, str]] = Counter()
    for number in range(COUNT):
        name = list(SAMPLES)[number % len(SAMPLES)]
        data = damage(dice, SAMPLES[name])
        path.write_bytes(data)
        start = time.process_time()
        try:
            photo = load_photo(path)
        except PictureError as error:
            outcome, text = "refused", str(error)
        else:
            outcome, text = "loaded", " ".join(photo.notes)
            assert photo.pixels.ndim == 3
            assert photo.pixels.shape[2] == 3
            assert min(photo.pixels.shape[:2]) >= 16
            assert 0 <= float(photo.pixels.min()) <= float(photo.pixels.max()) <= 1  # NaN fails this too
        assert text.isprintable(), (number, name, text)
        assert len(text) < 400
        assert time.process_time() - start < SLOWEST, (number, name)
        outcomes[name, outcome] += 1
    assert capfd.readouterr() == ("", "")
    assert {name for name, outcome in outcomes if outcome == "refused"} == set(SAMPLES)
    assert len({name for name, outcome in outcomes if outcome == "loaded"}) > 20, outcomes
