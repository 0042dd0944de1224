"""The browser's marching squares against Python's, on the same samples, in double precision."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from headviz.geometry import GridField, marching_squares, preset
from headviz.geometry.contour import ContourHistory, square_table

from .node import run_module

NAMES = ("circle", "ring", "rounded_rectangle", "head_profile")

SQUARES = """
import { marchingSquares } from "./algorithms/marching_squares.js";
import { polylineAreas, polylineLengths } from "./algorithms/quantities.js";
const answer = ({ table, cases }) => cases.map((given) => {
  const found = marchingSquares({ ...given, table });
  const { points, polylines, closed } = found;
  return { ...found, length: polylineLengths(points, polylines), area: polylineAreas(points, polylines, closed) };
});
"""


def sample_grids() -> list[dict[str, Any]]:
    """Noise, noise of few whole numbers (values at the level, saddles at the level), signs alone, a smooth line."""
    generator = torch.Generator().manual_seed(7)
    cases = []
    for number in range(150):
        height, width = (int(n) for n in torch.randint(2, 13, (2,), generator=generator))
        noise = torch.randn(height, width, generator=generator, dtype=torch.float64)
        values = [noise, noise.mul(1.5).round(), noise.sign(), 1e-160 * noise, noise + 3.0][number % 5]
        level = [0.0, 0.0, 0.0, 0.0, 2.5][number % 5]
        place = torch.rand(4, generator=generator, dtype=torch.float64).tolist()
        cases.append({
            "values": values, "level": level, "spacing": (place[0] + 0.1, place[1] + 0.1), "origin": (place[2], -place[3]),
            "saddle": ("asymptotic", "join", "split")[number % 3],
        })  # fmt: skip
    whole = {"spacing": 1.0, "origin": (0, 0), "saddle": "asymptotic"}
    cases += [{"values": GridField.sample(preset(name), 40).samples.double(), "level": 0.01, **whole} for name in NAMES]
    cases.append({"values": torch.ones(3, 4, dtype=torch.float64), "level": 1.0, **whole})  # nothing is crossed
    return cases


def squares(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    table = square_table()
    arrays = {name: getattr(table, name).reshape(-1) for name in ("segments", "count", "ambiguous")}
    given = [
        {**case, "values": case["values"].reshape(-1), "height": len(case["values"]), "width": len(case["values"][0])}
        for case in cases
    ]
    return run_module(SQUARES, {"table": arrays, "cases": given})


def test_contours_are_those_of_python() -> None:
    cases = sample_grids()
    ambiguous, at_level, joined = 0, 0, set()
    for case, found in zip(cases, squares(cases), strict=True):
        options = {name: case[name] for name in ("level", "spacing", "origin", "saddle")}
        truth = marching_squares(case["values"], record=True, **options)
        history = truth.history
        assert history is not None
        for name in ("segments", "case", "edges", "cell"):
            assert found[name] == getattr(truth, name).reshape(-1).tolist()
        assert found["polylines"] == [line.tolist() for line in truth.polylines]
        assert found["closed"] == truth.closed.tolist()
        close(found["fraction"], truth.fraction, 0)
        close(found["points"], truth.points, 1e-15)
        for name in ("length", "area"):
            close(found[name], getattr(truth, name), 1e-10)
        assert list(found["history"]) == [item.name for item in fields(ContourHistory)]
        for name, column in found["history"].items():
            close(column, getattr(history, name), 1e-15 * float(case["values"].abs().max()) if name == "saddle" else 0)
        ambiguous += int(history.saddle.isfinite().sum())
        joined |= set(history.joined[history.saddle == 0].tolist())
        at_level += int((case["values"] == case["level"]).sum())
    assert ambiguous > 500
    assert at_level > 300
    assert joined == {False, True}  # saddles exactly at the level, by every choice


def close(found: list[float], truth: Tensor, tolerance: float) -> None:
    np.testing.assert_allclose(
        np.array(found, dtype=float), truth.reshape(-1).double(), rtol=0, atol=tolerance, equal_nan=True
    )
