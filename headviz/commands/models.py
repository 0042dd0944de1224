"""``headviz models``: the zoo for people and programs; and how a command uses a model."""

from __future__ import annotations

import argparse
import json
import sys
from types import TracebackType
from typing import Any, Protocol, runtime_checkable

from headviz.commands.console import BAD_INPUT, describe
from headviz.errors import HeadvizError, InputError
from headviz.models import registry
from headviz.models.registry import ModelCard, Reconstructor

TEXTURE_SIZE = 1024


@runtime_checkable
class Closable(Protocol):
    """A model that holds on to something outside Python, such as MediaPipe's detector."""

    def close(self) -> None:
        """Free it."""
        ...


@runtime_checkable
class Textured(Protocol):
    """A model whose textures can have any size."""

    texture_size: int


class LazyModel:
    """A model that is loaded when it is first asked for and freed at the end of a ``with`` block.

    Args:
        name: name in the registry.
        texture_size: width and height of its textures, texels.
    """

    def __init__(self, name: str, texture_size: int = TEXTURE_SIZE) -> None:
        self.name, self.texture_size = name, texture_size
        self._model: Reconstructor | None = None

    def __enter__(self) -> LazyModel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._model is not None and isinstance(self._model, Closable):
            self._model.close()
        self._model = None

    def get(self) -> Reconstructor:
        """The model.

        Raises:
            InputError: no model has this name, or its textures have another size that cannot be changed.
        """
        if self._model is None:
            self._model = registry.load(self.name)
            if isinstance(self._model, Textured):
                self._model.texture_size = self.texture_size
            elif self.texture_size != TEXTURE_SIZE:
                raise InputError(f"--texture-size cannot be chosen for the model {self.name}")
        return self._model


def run(options: argparse.Namespace) -> int:
    """List the models."""
    cards, code = [], 0
    for name in registry.names():
        try:
            cards.append(registry.card(name))
        except (HeadvizError, ImportError, OSError) as error:
            print(f"headviz: the model {name} cannot be loaded: {describe(error)}", file=sys.stderr)
            code = BAD_INPUT
    if options.json:
        print(json.dumps([card_values(card) for card in cards], indent=2))
    else:
        print("\n\n".join(card_text(card) for card in cards))
    return code


def card_values(card: ModelCard) -> dict[str, Any]:
    """A model card as plain values."""
    return {**vars(card), "metrics": dict(card.metrics), "baseline": dict(card.baseline)}


def card_text(card: ModelCard) -> str:
    """A model card for people; every figure stands beside the mean head's."""
    lines = [f"{card.name}: {card.summary}"]
    lines += [f"  {name:<9}{value}" for name, value in (("input", card.input), ("licence", card.licence))]
    lines.append(f"  {'size':<9}{card.size / 1e6:.1f} MB ({card.weights})")
    lines.append(f"  {'source':<9}{card.source}")
    for name, value in card.metrics.items():
        beside = f" (mean head {card.baseline[name]:g})" if name in card.baseline else ""
        lines.append(f"  {'measured':<9}{name} {value:g}{beside}")
    return "\n".join(lines)
