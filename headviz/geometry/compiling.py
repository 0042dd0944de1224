"""How inner loops are compiled by numba. Only modules named ``…compiled.py`` import this; they are loaded when used."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from typing import Any

import numba
from numba import njit

# TBB comes last: Open3D brings one that is too old, about which numba warns.
if "NUMBA_THREADING_LAYER_PRIORITY" not in os.environ:
    vars(numba.config)["THREADING_LAYER_PRIORITY"] = ["omp", "workqueue", "tbb"]

Loop = Callable[..., Any]
_LAUNCH = threading.Lock()  # not every threading layer of numba takes calls from several threads at once


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
        with _LAUNCH:
            return made(*arguments)

    return launch
