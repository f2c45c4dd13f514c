"""How work is run: in this process or on local processes. A distributed engine plugs in by the same interface."""

from __future__ import annotations

import atexit
import ctypes
import gc
import logging
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing import (
    connection,
    forkserver,
    get_context,
    parent_process,
    resource_tracker,
    set_forkserver_preload,
)
from threading import Thread, current_thread, main_thread
from typing import Protocol, Self, TypeVar

from .errors import WorkerDiedError

T = TypeVar("T")
R = TypeVar("R")

PRELOAD = ("trialbids.exporter.cli", "trialbids.exporter.inventory.reading")
"""The program and what workers of every command run: imported once, in the server that they are forked from."""

KEPT_BYTES = 512 * 1024**2
"""The memory that a worker keeps although it has freed it."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # malloc.h

UNDER_WAY, UNDER_WAY_MEANWHILE = 2, 64
"""Units of work a worker that are handed out at once, and where this process has something else to do first."""

ENDINGS = (signal.SIGINT, signal.SIGTERM)

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENCV_FOR_THREADS_NUM": "1"}
"""Of the libraries in a worker: every core has a worker already, and threads that wait for each other burn time."""


class Engine(Protocol):
    """Runs one function over many units of work that share nothing. Use it as a context: it ends its workers."""

    def map(
        self,
        function: Callable[[T], R],
        items: Iterable[T],
        lost: Callable[[T], R] | None = None,
        meanwhile: Callable[[], None] | None = None,
    ) -> Iterator[tuple[T, R]]:
        """Yield ``(item, result)`` as results come, in any order. An exception in ``function`` is raised here.

        ``lost`` gives the result of an item that ends the very process that works on it (native code that crashes,
        memory that runs out); without it that raises :class:`WorkerDiedError`. All other items go on. ``meanwhile``
        is done in this process while workers are at the first items; it must not matter whether it is done at all.
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...


class Serial:
    """One unit after the other, in this process: for debugging and for very small trials."""

    def map(
        self,
        function: Callable[[T], R],
        items: Iterable[T],
        lost: Callable[[T], R] | None = None,
        meanwhile: Callable[[], None] | None = None,
    ) -> Iterator[tuple[T, R]]:
        del lost, meanwhile  # this process would be the one that ends, and works on the items itself
        for item in items:
            yield item, function(item)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None: ...


class Processes:
    """Local processes, one a core unless said otherwise, kept for all stages of a run.

    At most :data:`UNDER_WAY` units a worker are under way. Workers are forked from a clean server that has imported
    what they need (``preload`` is what one command needs), so that no thread of this process is copied and no worker
    imports anything twice.
    """

    def __init__(self, workers: int | None = None, preload: Sequence[str] = ()) -> None:
        self.workers = workers or len(os.sched_getaffinity(0))
        set_forkserver_preload([*PRELOAD, *preload])
        # Ctrl-C reaches the whole process group, and only the parent decides what it means: the server and the
        # workers that it forks inherit the blocked signal.
        resource_tracker.ensure_running()  # first: starting it unblocks the signal again
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        with _environment(ONE_THREAD):
            forkserver.ensure_running()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self._pool = _pool(self.workers)

    def map(
        self,
        function: Callable[[T], R],
        items: Iterable[T],
        lost: Callable[[T], R] | None = None,
        meanwhile: Callable[[], None] | None = None,
    ) -> Iterator[tuple[T, R]]:
        queue = iter(items)
        running: dict[Future[R], T] = {}

        def hand_out(most: int) -> None:
            for item in islice(queue, max(0, most * self.workers - len(running))):
                running[self._submit(function, item)] = item

        try:
            if meanwhile is not None:
                with ThreadPoolExecutor(1) as beside:  # the first unit waits until there are workers
                    handed_out = beside.submit(hand_out, UNDER_WAY_MEANWHILE)
                    with _uninterrupted():  # it imports, and libraries swallow what is raised while they are imported
                        meanwhile()
                    handed_out.result()
            while True:
                hand_out(UNDER_WAY)
                if not running:
                    return
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                if any(is_broken(future) for future in done):
                    done, _ = wait(running)  # all of them end with the pool
                    self._pool.shutdown(wait=True)
                    self._pool = _pool(self.workers)
                for future in done:
                    item = running.pop(future)
                    yield item, _alone(function, item, lost) if is_broken(future) else future.result()
        finally:
            for future in running:
                future.cancel()

    def _submit(self, function: Callable[[T], R], item: T) -> Future[R]:
        try:
            with _uninterrupted():  # a new worker that is not told all it must know ends in a traceback of its own
                return self._pool.submit(function, item)
        except BrokenProcessPool as error:  # a worker has ended since the last result came
            failed: Future[R] = Future()
            failed.set_exception(error)
            return failed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Put off what ends this process until the block is done. Only the main thread is ever interrupted."""
    if current_thread() is not main_thread():
        yield
        return
    came: list[int] = []
    before = {number: signal.signal(number, lambda got, _: came.append(got)) for number in ENDINGS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Variables that are set for a while, where the user has not set them."""
    new = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(new)
    try:
        yield
    finally:
        for name in new:
            del os.environ[name]


def _pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, mp_context=get_context("forkserver"), initializer=_start_worker)


def is_broken(future: Future[R]) -> bool:
    """Whether a worker of the pool ended before this unit was done: it may be to blame, or another that ran beside."""
    return isinstance(future.exception(), BrokenProcessPool)


def _alone(function: Callable[[T], R], item: T, lost: Callable[[T], R] | None) -> R:
    """The result of one unit in a process of its own, with all the memory there is; what ends that too is to blame."""
    with _pool(1) as pool:
        try:
            return pool.submit(function, item).result()
        except BrokenProcessPool as error:
            if lost is None:
                sentence = "a worker ended without a word, twice on the same piece of work"
                raise WorkerDiedError(f"{sentence}: look whether memory runs out, or run with fewer workers") from error
            return lost(item)


def _start_worker() -> None:
    """Keep quiet, and do not outlive the parent, however it ends."""
    quieten()
    collect_rarely()
    keep_memory()
    parent = parent_process()
    if parent is not None:
        Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)


def quieten() -> None:
    """Libraries warn of odd headers by printing their values; those are private."""
    warnings.simplefilter("ignore")
    logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
    logging.getLogger("nibabel").setLevel(logging.CRITICAL + 1)


def collect_rarely() -> None:
    """Have the collector look for dead rings of objects every hundred thousand new ones.

    It walks over all that lives, which here is nearly all that was made: headers, stacks, modules. As often as Python
    does it by itself it takes a tenth of a run, and as much again when the process ends and all goes anyway.
    """
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
    atexit.register(gc.freeze)


def keep_memory() -> None:
    """Let this process keep what it frees, up to :data:`KEPT_BYTES`: an image is worked on in dozens of arrays, and to
    get each from the system anew, page by page, is some 6 % of an export's CPU. Only glibc can be told so.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, KEPT_BYTES)
        mallopt(_TRIM_THRESHOLD, KEPT_BYTES)


def engine(name: str, workers: int | None = None, preload: Sequence[str] = ()) -> Engine:
    """The engine called ``serial`` or ``processes``; ``preload`` are modules that its workers will need."""
    return Serial() if name == "serial" else Processes(workers, preload)
