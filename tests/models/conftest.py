"""The model and one reconstruction, made once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from torch import Tensor

from headviz.models.landmark_fit import LandmarkFit
from headviz.models.reconstruction import Reconstruction
from headviz.photo.picture import load_photo


@pytest.fixture(scope="session")
def model() -> Iterator[LandmarkFit]:
    """``landmark-fit`` with a texture of 512²."""
    model = LandmarkFit(texture_size=512)
    yield model
    model.close()


@pytest.fixture(scope="session")
def photo(astronaut: Path) -> Tensor:
    """The astronaut, linear RGB."""
    return load_photo(astronaut).pixels


@pytest.fixture(scope="session")
def made(model: LandmarkFit, photo: Tensor) -> Reconstruction:
    """The astronaut's head."""
    return model.reconstruct(photo)
