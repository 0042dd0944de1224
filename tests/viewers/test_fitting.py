"""Values for a state's fields: what fits is kept as it should be, what does not is refused in one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from headviz import viewers
from headviz.errors import OptionError
from headviz.geometry import extract_surface, preset
from headviz.viewers import State, Viewer


@dataclass(frozen=True)
class Chosen(State):
    """One field of every type that states have."""

    size: float = 1.0
    bold: bool = False
    name: str = "a"
    pixel: tuple[int, int] = (0, 0)
    painted: tuple[tuple[int, int], ...] = ()
    cell: tuple[int, ...] | None = None


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("step", 3.0, 3),
        ("step", np.int16(3), 3),
        ("size", 2, 2),
        ("size", np.float32(0.5), 0.5),
        ("bold", np.bool_(True), True),
        ("cursor", [1, 2, 3], (1, 2, 3)),
        ("cursor", np.zeros(3), (0.0, 0.0, 0.0)),
        ("cursor", torch.ones(3), (1.0, 1.0, 1.0)),
        ("cursor", None, None),
        ("pixel", torch.tensor([4, 5]), (4, 5)),
        ("painted", [[1, 2], [3.0, 4]], ((1, 2), (3, 4))),
        ("cell", [1, 2, 3, 4], (1, 2, 3, 4)),
    ],
)
def test_what_fits_is_kept(name: str, value: Any, kept: Any) -> None:
    found = getattr(Chosen().changed({name: value}), name)
    assert (found, type(found)) == (kept, type(kept))


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("step", "3", "a whole number"),
        ("step", 1.5, "a whole number"),
        ("step", True, "a whole number"),
        ("step", None, "a whole number"),
        ("step", float("nan"), "a whole number"),
        ("size", float("inf"), "a finite number"),
        ("size", False, "a finite number"),
        ("bold", 1, "True or False"),
        ("name", 5, "a word"),
        ("name", {}, "a word"),
        ("cursor", (1, 2), "3 entries, each a finite number or None"),
        ("cursor", (0.0, float("nan"), 0.0), "3 entries, each a finite number or None"),
        ("cursor", "abc", "3 entries"),
        ("pixel", 5, "2 entries, each a whole number"),
        ("painted", (1, 2), "a list, each entry 2 entries, each a whole number"),
        ("cell", 7, "a list, each entry a whole number or None"),
    ],
)
def test_what_does_not_fit_is_refused(name: str, value: Any, wanted: str) -> None:
    with pytest.raises(OptionError, match=f"{name} should be {wanted}.*; it is "):
        Chosen().changed({name: value})


def test_annotations_that_nobody_knows_are_let_through() -> None:
    @dataclass(frozen=True)
    class Local(State):
        words: Unknown | None = None  # type: ignore[name-defined]  # noqa: F821

    assert Local().changed({"words": {"a": 1}}).words == {"a": 1}  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def shown() -> list[Viewer]:
    ball = preset("sphere")
    return [
        viewers.view_ray(ball),
        viewers.view_trace(ball, size=16),
        viewers.view_squares(ball, resolution=4),
        viewers.view_cubes(ball, resolution=4),
        viewers.view_octree(ball, resolution=8),
        viewers.view_quadtree(ball, resolution=8),
        viewers.view_rendering(extract_surface(ball, resolution=8).mesh),
    ]


@pytest.mark.parametrize("wrong", ["foo", (1, 2, 3, 4, 5), {}, float("nan"), object()])
def test_no_viewer_fails_at_a_wrong_value(shown: list[Viewer], wrong: Any) -> None:
    for viewer in shown:
        for name in viewer.state.plain():
            if name == "cell" and isinstance(wrong, tuple):
                continue  # a list of whole numbers is right there
            with pytest.raises(OptionError):
                viewer.at(**{name: wrong})
