"""The zoo: one file per system, a registry, model cards."""

from __future__ import annotations

from headviz.models.registry import ModelCard, Reconstructor, card, load, names, register

__all__ = ["ModelCard", "Reconstructor", "card", "load", "names", "register"]


def _landmark_fit() -> Reconstructor:
    from headviz.models.landmark_fit import LandmarkFit

    return LandmarkFit()


def _landmark_fit_card() -> ModelCard:
    from headviz.models.landmark_fit import read_card

    return read_card()


register("landmark-fit", _landmark_fit, _landmark_fit_card)
