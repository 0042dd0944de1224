"""A job that runs beside the page: its stages with their times, and its result."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

TICK = 0.2  #: seconds between two looks at a stage that is still running

Result = TypeVar("Result")


@dataclass(frozen=True)
class Progress:
    """What a job has done so far.

    Attributes:
        stages: names and seconds of the finished stages, in order.
        current: the stage that runs, ``None`` at the end.
        seconds: how long the current stage has been running.
    """

    stages: tuple[tuple[str, float], ...] = ()
    current: str | None = None
    seconds: float = 0.0

    def begin(self, stage: str | None) -> Progress:
        """The current stage is over and another one begins."""
        done = self.stages if self.current is None else (*self.stages, (self.current, self.seconds))
        return Progress(done, stage)

    @property
    def total(self) -> float:
        """Seconds of all stages together."""
        return sum(seconds for _, seconds in self.stages) + self.seconds


class Watched(Generic[Result]):
    """A job in a thread of its own: iterating gives its progress whenever something changed, until it ends.

    Args:
        job: is called with a function that it calls with the name of each stage as it begins.
    """

    def __init__(self, job: Callable[[Callable[[str], None]], Result]) -> None:
        self._job = job
        self._result: Future[Result] = Future()

    def __iter__(self) -> Iterator[Progress]:
        news: SimpleQueue[tuple[str | None, float]] = SimpleQueue()
        progress, started = Progress(), time.perf_counter()
        with ThreadPoolExecutor(1, thread_name_prefix="headviz") as pool:
            self._result = pool.submit(self._job, lambda stage: news.put((stage, time.perf_counter())))
            self._result.add_done_callback(lambda _: news.put((None, time.perf_counter())))
            while True:
                try:
                    stage, now = news.get(timeout=TICK)
                except Empty:
                    progress = replace(progress, seconds=time.perf_counter() - started)
                    yield progress
                    continue
                progress, started = replace(progress, seconds=now - started).begin(stage), now
                yield progress
                if stage is None:
                    return

    def error(self) -> BaseException | None:
        """What the job raised, if anything, once its progress has been read to the end."""
        return self._result.exception()

    def result(self) -> Result:
        """What the job returned, once its progress has been read to the end; raises what the job raised."""
        return self._result.result()
