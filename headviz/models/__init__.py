"""The zoo: one file per system, a registry, model cards."""

from __future__ import annotations

from headviz.models.registry import ModelCard, Reconstructor, load, names, register

__all__ = ["ModelCard", "Reconstructor", "load", "names", "register"]


def _landmark_fit() -> Reconstructor:
    from headviz.models.landmark_fit import LandmarkFit

    return LandmarkFit()


register("landmark-fit", _landmark_fit)
