"""The picture at the top of the README: ``python -m headviz.models.hero``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from headviz import assets
from headviz.geometry.color import to_uint8
from headviz.models.landmark_fit import LandmarkFit
from headviz.models.preview import caption, captioned, head_window, overlay, turned_picture
from headviz.photo.picture import load_photo

EXPRESSIONS: tuple[tuple[str, float, Mapping[str, float]], ...] = (
    ("neutral", 0.35, {}),
    ("jaw open", 0.35, {"jawOpen": 0.7, "browInnerUp": 0.8, "eyeWideLeft": 0.5, "eyeWideRight": 0.5}),
    ("pucker, wink", 0.35, {"mouthPucker": 0.9, "eyeBlinkLeft": 1.0, "cheekSquintLeft": 0.7}),
)


def main() -> None:
    """Reconstruct the astronaut and draw photograph, fit, turned head and three other expressions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=assets.folder() / "hero.png")
    parser.add_argument("--photo", type=Path, default=assets.folder() / "pictures" / "astronaut.png")
    arguments = parser.parse_args()
    model = LandmarkFit()
    photo = load_photo(arguments.photo)
    model.reconstruct(photo.pixels)  # the first one also prepares the atlas; the caption times the second
    made = model.reconstruct(photo.pixels, focal_35mm=photo.focal_35mm)
    model.close()
    pictures = [
        head_window(made, 320)[0],
        overlay(made, 320),
        turned_picture(made, 0.7, 320),
        turned_picture(made, -1.3, 320),
    ]
    names = ["photograph", "fitted head", "turned 40°", "turned 75°"]
    for name, yaw, weights in EXPRESSIONS:
        pictures.append(turned_picture(replace(made, expression=weights), yaw, 320))
        names.append(name)
    row = np.concatenate([to_uint8(picture) for picture in pictures], axis=1)
    Image.fromarray(captioned(row, names, caption(made))).save(arguments.output, optimize=True)
    print(f"{arguments.output}: {arguments.output.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
