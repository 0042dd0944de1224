"""The zoo's front door: cards, the reconstructor protocol, and look-up by name.

A package adds a model of its own by an entry point in the group ``headviz.models`` that names
a callable without arguments returning a :class:`Reconstructor`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from headviz.errors import InputError

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from headviz.models.reconstruction import Reconstruction
    from headviz.photo.picture import Box

ENTRY_POINT_GROUP = "headviz.models"


@dataclass(frozen=True)
class ModelCard:
    """What a user should know of a model before using it.

    Attributes:
        name: the name that ``headviz.models.load`` takes.
        summary: one sentence.
        input: what it takes.
        weights: file name of the weights among the assets.
        sha256: hash of the weights file.
        size: bytes of the weights file.
        licence: licence of the weights and of the data that they were made from.
        source: where method and data come from.
        metrics: measured figures by name.
        baseline: the same figures of the mean head.
    """

    name: str
    summary: str
    input: str
    weights: str
    sha256: str
    size: int
    licence: str
    source: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    baseline: Mapping[str, float] = field(default_factory=dict)


@runtime_checkable
class Reconstructor(Protocol):
    """Anything that makes a head from a picture."""

    card: ModelCard

    def reconstruct(self, image: Float[Tensor, "h w 3"], *, crop: Box | None = None) -> Reconstruction:
        """Make a head from a picture. A model may accept further hints, see :func:`reconstruct`.

        Args:
            image: linear RGB in [0, 1], shape (h, w, 3).
            crop: look only inside this box; ``None`` looks for the largest face.

        Raises:
            NoFaceError: there is no face in the picture or the crop.
            FaceTooSmallError: the face has too few pixels.
        """
        ...


def reconstruct(
    model: Reconstructor, image: Float[Tensor, "h w 3"], *, crop: Box | None = None, **hints: object
) -> Reconstruction:
    """Call a model with those hints that its method accepts.

    Args:
        model: any reconstructor.
        image: linear RGB in [0, 1], shape (h, w, 3).
        crop: look only inside this box.
        hints: ``progress`` (called with the name of each stage as it begins), ``focal_35mm`` (focal length in
            millimetres as on 35-mm film, from the photograph's metadata), or what a model names itself.
    """
    known = inspect.signature(model.reconstruct).parameters
    anything = any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values())
    accepted = {name: value for name, value in hints.items() if anything or name in known}
    return model.reconstruct(image, crop=crop, **accepted)


_FACTORIES: dict[str, Callable[[], Reconstructor]] = {}


_CARDS: dict[str, Callable[[], ModelCard]] = {}


def register(name: str, factory: Callable[[], Reconstructor], card: Callable[[], ModelCard] | None = None) -> None:
    """Add a model under a name; the factory loads it when it is first asked for.

    Args:
        name: what :func:`load` takes.
        factory: loads the model.
        card: reads its card without loading it; by default the model is loaded for its card.

    Raises:
        ValueError: the name is taken.
    """
    if name in _FACTORIES:
        raise ValueError(f"a model named {name!r} is registered already")
    _FACTORIES[name] = factory
    if card is not None:
        _CARDS[name] = card


def names() -> list[str]:
    """Names of all models, built-in ones first, then those of other packages."""
    known = list(_FACTORIES)
    return known + sorted(e.name for e in entry_points(group=ENTRY_POINT_GROUP) if e.name not in known)


def card(name: str) -> ModelCard:
    """A model's card, read without loading the model where that is possible.

    Raises:
        InputError: no model has this name.
    """
    return _CARDS[name]() if name in _CARDS else load(name).card


def load(name: str) -> Reconstructor:
    """Load a pretrained reconstructor by name.

    Raises:
        InputError: no model has this name.
    """
    if name in _FACTORIES:
        return _FACTORIES[name]()
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        if entry.name == name:
            factory: Callable[[], Reconstructor] = entry.load()
            return factory()
    raise InputError(f"no model is named {name!r}; there are: {', '.join(names())}")
