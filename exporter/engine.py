"""How work is run: in this process or on local processes. A distributed engine plugs in by the same interface."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import islice
from multiprocessing import get_context
from typing import Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Engine(Protocol):
    """Runs one function over many units of work that share nothing."""

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[T, R]]:
        """Yield ``(item, result)`` as results come, in any order. An exception in ``function`` is raised here."""
        ...


class Serial:
    """One unit after the other, in this process: for debugging and for very small trials."""

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[T, R]]:
        for item in items:
            yield item, function(item)


class Processes:
    """Local processes, one a core unless said otherwise. At most two units a worker are under way."""

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or len(os.sched_getaffinity(0))

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[T, R]]:
        queue = iter(items)
        with ProcessPoolExecutor(
            self.workers, mp_context=get_context("forkserver"), initializer=_ignore_interrupt
        ) as pool:
            running: dict[Future[R], T] = {}
            try:
                while True:
                    for item in islice(queue, 2 * self.workers - len(running)):
                        running[pool.submit(function, item)] = item
                    if not running:
                        return
                    done, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        yield running.pop(future), future.result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)


def _ignore_interrupt() -> None:
    """Ctrl-C reaches the whole process group; only the parent decides what it means."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def engine(name: str, workers: int | None = None) -> Engine:
    """The engine called ``serial`` or ``processes``."""
    return Serial() if name == "serial" else Processes(workers)
