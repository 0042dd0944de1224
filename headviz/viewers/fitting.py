"""Values for the fields of a state: converted where nothing is lost, refused in one sentence where they do not fit."""

from __future__ import annotations

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from headviz.errors import OptionError

_WORDS = {int: "a whole number", float: "a finite number", bool: "True or False", str: "a word"}


def fitted(state: Any, name: str, value: Any) -> Any:
    """A value for a field of a state, as its annotation wants it: arrays and lists become tuples.

    Args:
        state: the class of the state.
        name: of a field.
        value: what a person or a browser gave; from JSON a whole number may come as 3.0.

    Raises:
        OptionError: it does not fit; the message says what should be there.
    """
    hint = _hints(state).get(name, Any)
    try:
        return _converted(hint, _plain(value))
    except TypeError:
        raise OptionError(f"{name} should be {_in_words(hint)}; it is {value!r}") from None


@functools.cache
def _hints(state: Any) -> Mapping[str, Any]:
    """The types of the fields; none of those whose annotations name what cannot be found from outside."""
    try:
        return typing.get_type_hints(state)
    except NameError:
        return {field.name: field.type for field in dataclasses.fields(state) if not isinstance(field.type, str)}


def _plain(value: Any) -> Any:
    """Numbers of numpy and torch as Python's, and all that can be listed as tuples."""
    if isinstance(value, np.generic | np.ndarray | torch.Tensor):
        value = value.tolist()
    return tuple(_plain(entry) for entry in value) if isinstance(value, list | tuple) else value


def _converted(hint: Any, value: Any) -> Any:
    """The value as the type wants it; types that states of headviz do not have are let through.

    Raises:
        TypeError: it does not fit.
    """
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return _one_of(typing.get_args(hint), value)
    if typing.get_origin(hint) is tuple:
        return _entries(typing.get_args(hint), value)
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if hint is int:
        if number and value == int(value):
            return int(value)
        raise TypeError
    fits = {float: number, bool: isinstance(value, bool), str: isinstance(value, str), types.NoneType: value is None}
    if not fits.get(hint, True):
        raise TypeError
    return value


def _one_of(hints: tuple[Any, ...], value: Any) -> Any:
    """The value as the first of several types that it fits."""
    for hint in hints:
        try:
            return _converted(hint, value)
        except TypeError:
            continue
    raise TypeError


def _entries(hints: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    """The entries of a tuple as their types want them."""
    if not isinstance(value, tuple):
        raise TypeError
    if len(hints) == 2 and hints[1] is Ellipsis:
        hints = (hints[0],) * len(value)
    if len(value) != len(hints):
        raise TypeError
    return tuple(_converted(hint, entry) for hint, entry in zip(hints, value, strict=True))


def _in_words(hint: Any) -> str:
    """What should be there."""
    args = typing.get_args(hint)
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return " or ".join(_in_words(arg) for arg in args)
    if typing.get_origin(hint) is tuple and Ellipsis in args:
        return f"a list, each entry {_in_words(args[0])}"
    if typing.get_origin(hint) is tuple:
        return f"{len(args)} entries, each {_in_words(args[0])}"
    return "None" if hint is types.NoneType else _WORDS.get(hint, str(hint))
