"""Meshes that several tests write and read."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from headviz.geometry.mesh import Mesh


def sphere(rows: int = 8, columns: int = 12, size: int = 32) -> Mesh:
    """A sphere of 10 cm with a seam in its texture coordinates and three morph targets; its nose is at +z."""
    theta = torch.linspace(0, torch.pi, rows + 1)[1:-1]
    phi = torch.arange(columns) * 2 * torch.pi / columns
    ring = torch.stack(
        [
            theta.sin()[:, None] * phi.sin(),
            theta.cos()[:, None].expand(-1, columns),
            theta.sin()[:, None] * phi.cos(),
        ],
        dim=-1,
    ).reshape(-1, 3)
    vertices = 0.1 * torch.cat([ring, torch.tensor([[0.0, 1.0, 0.0], [0.0, -1.0, 0.0]])])
    vertices[(rows // 2 - 1) * columns] *= 1.3  # the nose
    north, south = len(ring), len(ring) + 1
    faces, uv_faces = [], []
    v = 1 - theta / torch.pi
    uv = [[c / columns, float(v[r])] for r in range(rows - 1) for c in range(columns + 1)]
    uv += [[(c + 0.5) / columns, 1.0] for c in range(columns)] + [[(c + 0.5) / columns, 0.0] for c in range(columns)]
    top, bottom = (rows - 1) * (columns + 1), (rows - 1) * (columns + 1) + columns
    for c in range(columns):
        right = (c + 1) % columns
        for r in range(rows - 2):
            a, b, d, e = r * columns + c, (r + 1) * columns + c, (r + 1) * columns + right, r * columns + right
            k = r * (columns + 1) + c
            faces += [[a, b, d], [a, d, e]]
            uv_faces += [[k, k + columns + 1, k + columns + 2], [k, k + columns + 2, k + 1]]
        last = (rows - 2) * columns
        faces += [[north, c, right], [south, last + right, last + c]]
        k = (rows - 2) * (columns + 1) + c
        uv_faces += [[top + c, c, c + 1], [bottom + c, k + 1, k]]
    some = torch.zeros_like(vertices)
    some[3:9] = 0.004
    ramp = torch.linspace(0, 1, size)
    texture = torch.stack(
        [ramp.expand(size, size), ramp[:, None].expand(size, size), torch.full((size, size), 0.2)], -1
    )
    return Mesh(
        vertices=vertices,
        faces=torch.tensor(faces),
        uv=torch.tensor(uv),
        uv_faces=torch.tensor(uv_faces),
        texture=texture.contiguous(),
        morphs={"jawOpen": vertices * 0.1, "mouthSmile_L": some, "tongueOut": torch.zeros_like(vertices)},
    )


HEAD = sphere()
PLAIN = Mesh(HEAD.vertices, HEAD.faces)
COLORED = replace(PLAIN, colors=(HEAD.vertices * 4 + 0.5).clamp(0, 1))


@pytest.fixture(scope="session")
def head() -> Mesh:
    """A sphere with a nose, a texture with a seam, and morph targets."""
    return HEAD


@pytest.fixture(scope="session")
def plain() -> Mesh:
    """Its geometry alone."""
    return PLAIN


@pytest.fixture(scope="session")
def colored() -> Mesh:
    """Its geometry with a colour per vertex."""
    return COLORED


@pytest.fixture(scope="session")
def fine_head() -> Mesh:
    """As many vertices, texels and morph targets as a real head has."""
    fine = sphere(47, 98, 1024)
    offsets = torch.randn(len(fine.vertices), 3) * 1e-3 * (torch.rand(len(fine.vertices), 1) < 0.25)
    return replace(fine, morphs={f"shape {k}": offsets.roll(k, 0) for k in range(52)})
