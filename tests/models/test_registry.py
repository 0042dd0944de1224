"""Models by name: built in, from other packages, and unknown."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from importlib.metadata import EntryPoint, EntryPoints
from typing import Any

import pytest
import torch
from torch import Tensor

from headviz import assets, models
from headviz.errors import InputError
from headviz.models import registry
from headviz.models.landmark_fit import CARD, LandmarkFit, read_card
from headviz.models.registry import ModelCard, Reconstructor
from headviz.photo.picture import Box

CARDS = sorted((assets.folder() / "models").glob("*.json"))


class Foreign:
    """What another package might add."""

    card = ModelCard("foreign", "A test.", "a picture", "none", "0" * 64, 0, "MIT", "here")

    def __init__(self) -> None:
        self.seen: dict[str, Any] = {}

    def reconstruct(self, image: Tensor, *, crop: Box | None = None, focal_35mm: float | None = None) -> Any:
        self.seen = {"image": image, "crop": crop, "focal_35mm": focal_35mm}
        return "a head"


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two entry points of another package; one has the name of a built-in model."""
    group = registry.ENTRY_POINT_GROUP
    found = EntryPoints(EntryPoint(name, f"{__name__}:Foreign", group) for name in ("zebra", "landmark-fit", "foreign"))
    for entry in found:
        monkeypatch.setattr(type(entry), "load", lambda self: Foreign)
    monkeypatch.setattr(registry, "entry_points", lambda *, group: found.select(group=group))


def test_the_built_in_model_is_there() -> None:
    assert "landmark-fit" in models.names()
    assert len(set(models.names())) == len(models.names())


@pytest.mark.parametrize("name", ["landmark_fit", "", "deca"])
def test_an_unknown_name_is_refused_with_the_list(name: str) -> None:
    with pytest.raises(InputError) as caught:
        models.load(name)
    assert repr(name) in str(caught.value)
    assert "landmark-fit" in str(caught.value)


def test_models_of_other_packages_come_after_the_built_in_ones(foreign: None) -> None:
    assert models.names() == ["landmark-fit", "foreign", "zebra"]
    assert isinstance(models.load("foreign"), Foreign)


def test_a_foreign_package_cannot_replace_a_built_in_model(foreign: None, monkeypatch: pytest.MonkeyPatch) -> None:
    marker = Foreign()
    monkeypatch.setitem(registry._FACTORIES, "landmark-fit", lambda: marker)
    assert models.load("landmark-fit") is marker


def test_a_registered_model_is_loaded_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_FACTORIES", dict(registry._FACTORIES))
    calls = []

    def factory() -> Reconstructor:
        calls.append(1)
        return Foreign()

    models.register("mine", factory)
    assert calls == []
    assert models.names()[-1] == "mine" or "mine" in models.names()
    assert isinstance(models.load("mine"), Foreign)
    assert calls == [1]


def test_a_name_can_be_registered_once() -> None:
    with pytest.raises(ValueError, match="'landmark-fit' is registered already"):
        models.register("landmark-fit", Foreign)


def test_hints_that_a_model_does_not_know_are_left_out() -> None:
    model, image = Foreign(), torch.zeros(2, 2, 3)
    made = registry.reconstruct(model, image, crop=Box(0, 0, 2, 2), focal_35mm=35.0, progress=print, nonsense=1)
    assert made == "a head"
    assert model.seen["crop"] == Box(0, 0, 2, 2)
    assert model.seen["focal_35mm"] == 35.0
    assert model.seen["image"] is image


def test_cards_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Foreign.card.name = "other"  # type: ignore[misc]


def test_the_shipped_model_is_a_reconstructor(model: LandmarkFit) -> None:
    assert isinstance(model, Reconstructor)
    assert model.card == read_card()
    assert model.card.name == "landmark-fit"


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.stem)
def test_cards_tell_the_truth_about_their_weights(path: Any) -> None:
    card = ModelCard(**json.loads(path.read_text(encoding="utf-8")))
    weights = assets.path(card.weights)
    assert card.size == weights.stat().st_size
    assert card.sha256 == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert card.name in models.names()
    for text in (card.summary, card.input, card.licence, card.source):
        assert len(text) > 3
        assert text.strip() == text


def test_there_is_a_card_per_built_in_model() -> None:
    assert assets.path(CARD) in CARDS
    assert {json.loads(path.read_text(encoding="utf-8"))["name"] for path in CARDS} == set(registry._FACTORIES)


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.stem)
def test_every_figure_has_the_mean_heads_beside_it(path: Any) -> None:
    card = ModelCard(**json.loads(path.read_text(encoding="utf-8")))
    assert card.metrics
    for name, value in card.baseline.items():
        assert 0 < card.metrics[name] < value, name  # smaller is better: errors
    assert card.baseline
