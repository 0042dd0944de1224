"""Packaged files are found, and a missing one says where it was looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from headviz import assets


@pytest.mark.parametrize("name", ["pictures/astronaut.png", "photo/face_landmarker.task", "heads/head.safetensors"])
def test_assets_are_found_in_the_checkout(name: str, root: Path) -> None:
    assert assets.path(name) == root / "assets" / name


def test_a_missing_asset_says_where_it_should_be() -> None:
    with pytest.raises(FileNotFoundError, match=r"asset 'heads/none\.bin' should be at .*none\.bin"):
        assets.path("heads/none.bin")


def test_assets_are_found_in_an_installed_wheel(bare, tmp_path: Path) -> None:
    code = "from headviz import assets; print(assets.path('pictures/astronaut.png'))"
    found = Path(bare.run("python", "-c", code, cwd=tmp_path).stdout.strip())
    assert found.parts[-4:] == ("headviz", "_assets", "pictures", "astronaut.png")
    assert found.is_relative_to(bare.folder)


def test_the_head_is_small(root: Path) -> None:
    assert (root / "assets" / "heads" / "head.safetensors").stat().st_size <= 8e6
