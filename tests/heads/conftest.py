"""The shipped head, and a toy head small enough for exact oracles."""

from __future__ import annotations

import pytest
import torch

from headviz.heads.model import HeadModel, load_head
from headviz.heads.paint import PaintMaps, paint_maps


@pytest.fixture(scope="session")
def head() -> HeadModel:
    """The packaged head model."""
    return load_head()


@pytest.fixture(scope="session")
def maps(head: HeadModel) -> PaintMaps:
    """What the painter knows of a small texture."""
    return paint_maps(head, 192)


@pytest.fixture(scope="session")
def toy() -> HeadModel:
    """A tetrahedron with 4 identity components and 3 expressions, double precision."""
    generator = torch.Generator().manual_seed(3)
    count, shapes = 4, 3
    return HeadModel(
        mean=torch.randn(4, 3, generator=generator, dtype=torch.float64),
        identity=torch.randn(count, 4, 3, generator=generator, dtype=torch.float64),
        expression=torch.randn(shapes, 4, 3, generator=generator, dtype=torch.float64),
        faces=torch.tensor([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]]),
        uv=torch.zeros(4, 2),
        uv_faces=torch.tensor([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]]),
        mirror=torch.arange(4),
        landmark_faces=torch.tensor([0, 3]),
        landmark_weights=torch.tensor([[1.0, 0.0, 0.0], [0.25, 0.25, 0.5]]),
        landmark_mirror=torch.arange(2),
        region_bits=torch.tensor([1, 3, 2, 0]),
        solid_loops=(),
        expression_names=("a", "b", "c"),
        metadata={"regions": ["first", "second"], "sliders": []},
    )
