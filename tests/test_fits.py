"""The fits of docs/fits, shorter than there: each must come nearer to the truth, and draws its picture."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from PIL import Image

from headviz.geometry import compare_surfaces

FOLDER = Path(__file__).parent.parent / "docs" / "fits"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"fits_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_every_fit_is_tested() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.py")) == ["camera_and_light", "sphere_to_head", "texture"]


def test_a_sphere_becomes_a_head(tmp_path: Path) -> None:
    fits = load("sphere_to_head")
    found = fits.fit(steps=150, count=8, size=64, subdivisions=3, frames=2)
    first, last = (fits.overlap(state, found.truth, found.cameras) for state in (found.states[0], found.states[-1]))
    assert first < 0.8
    assert last > 0.93
    # Nearer to the head itself, too, not only to its outlines.
    apart = [
        compare_surfaces(state, found.truth, samples=5000).accuracy for state in (found.states[0], found.states[-1])
    ]
    assert apart[1] < 0.3 * apart[0]
    assert last == pytest.approx(float(fits.overlap(found.states[-1], found.truth, found.cameras)))
    mesh = found.states[-1]
    torch.testing.assert_close(mesh.vertices[fits.icosphere(3).mirror] * torch.tensor([-1.0, 1, 1]) + torch.tensor(
        [2 * float(mesh.vertices[:, 0].mean()), 0, 0]), mesh.vertices, atol=1e-4, rtol=0)  # fmt: skip
    with Image.open(fits.draw(found, tmp_path, side=48)) as picture:
        assert picture.n_frames == 3


def test_a_texture_comes_back(tmp_path: Path) -> None:
    fits = load("texture")
    found = fits.fit(steps=40, size=96, texels=128)
    start, end = fits.quality(found)
    assert end > start + 12  # dB
    assert 0.4 < float(found.seen.float().mean()) < 0.95
    assert bool((found.texture[~found.seen] == fits.GREY).all())
    with Image.open(fits.draw(found, tmp_path)) as picture:
        assert picture.width == 4 * 96


def test_camera_and_light_come_back(tmp_path: Path) -> None:
    fits = load("camera_and_light")
    found = fits.fit()
    before, after = fits.errors(found, found.start), fits.errors(found, found.found)
    assert before["degrees"] > 30
    assert after["degrees"] < 2
    assert after["millimetres"] < 0.05 * before["millimetres"]
    assert after["light"] < 0.1 * before["light"]
    assert max(fits.errors(found, found.truth).values()) < 0.1
    with Image.open(fits.draw(found, tmp_path, size=64)) as picture:
        assert picture.width == 4 * 64
