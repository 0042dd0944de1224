"""Work for compiled loops, shared out among threads."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import torch


def share_out(count: int, action: Callable[[int, int, int], object]) -> None:
    """Do ``count`` items on as many threads as PyTorch uses: ``action(first, last, thread)``, range after range."""
    threads = min(torch.get_num_threads(), count)
    step = max(count // (8 * max(threads, 1)), 1)
    starts = itertools.count(0, step)

    def work(thread: int) -> None:
        while (start := next(starts)) < count:
            action(start, min(start + step, count), thread)

    others = [_pool(os.getpid(), threads - 1).submit(work, thread) for thread in range(1, threads)]
    work(0)
    for other in others:
        other.result()


@lru_cache(maxsize=1)
def _pool(process: int, threads: int) -> ThreadPoolExecutor:  # noqa: ARG001 (a forked process has none of the threads)
    return ThreadPoolExecutor(threads, thread_name_prefix="headviz-loops")
