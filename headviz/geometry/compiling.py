"""How inner loops are compiled by numba. Only modules named ``…compiled.py`` import this; they are loaded when used."""

from __future__ import annotations

import functools
import os
import threading
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numba
from numba import njit

# TBB comes last: Open3D brings one that is too old, about which numba warns.
if "NUMBA_THREADING_LAYER_PRIORITY" not in os.environ:
    vars(numba.config)["THREADING_LAYER_PRIORITY"] = ["omp", "workqueue", "tbb"]

Loop = Callable[..., Any]


@dataclass
class _State:
    """Whether this process has used several cores, or was forked from one that had."""

    launch: threading.Lock = field(default_factory=threading.Lock)  # not every layer of numba takes calls at once
    used: bool = False
    forked: bool = False


_state = _State()


def compiled(function: Loop, **options: Any) -> Loop:
    """Compile a loop; its code is cached on disk, or only in memory where no folder can be written to."""
    try:
        made: Loop = njit(cache=True, **options)(function)
    except RuntimeError:  # numba found no folder for its cache
        made = njit(**options)(function)
    return made


def parallel(function: Loop) -> Loop:
    """Compile a loop that runs on all cores, one such loop at a time."""
    made = compiled(function, parallel=True)

    @functools.wraps(function)
    def launch(*arguments: Any) -> Any:
        if _state.forked:
            return _alone(function)(*arguments)
        with _state.launch:
            _state.used = True
            return made(*arguments)

    return launch


@functools.cache
def _alone(function: Loop) -> Loop:
    """The same loop on one core, under a name of its own in the cache."""
    twin = types.FunctionType(function.__code__, function.__globals__, function.__name__, function.__defaults__)
    twin.__module__, twin.__qualname__ = function.__module__, f"{function.__qualname__}_alone"
    return compiled(twin)


def _after_fork() -> None:
    """GNU OpenMP ends a forked process that uses it after its parent did; the loops then run on one core."""
    _state.launch = threading.Lock()
    _state.forked = _state.forked or _state.used


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
