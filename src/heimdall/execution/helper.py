"""One process beside this one, for threads that would wait for each other in a single interpreter."""

from __future__ import annotations

import logging
import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from heimdall.execution.processes import serve_only

Item = TypeVar("Item")
Result = TypeVar("Result")
log = logging.getLogger(__name__)


class Helper:
    """Does one thing at a time. Started when it is first asked, and of use once it is there: nobody waits for its start.

    Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._executor: ProcessPoolExecutor | None = None
        self._started: Future[None] | None = None
        self._busy = False
        self._closed = False

    def start(self, work: Callable[[Item], Result], item: Item) -> Future[Result] | None:
        """`work(item)` there, both pickled; None where the helper is busy, or not there yet: do it yourself.

        What `work` raises, its future raises, and BrokenProcessPool where the helper died; the next call starts another.
        """
        with self._lock:
            if self._busy or self._closed or not self._is_there():
                return None
            assert self._executor is not None
            try:
                future = self._executor.submit(work, item)
            except BrokenProcessPool:
                self._gone()
                return None
            self._busy = True
        future.add_done_callback(self._free)
        return future

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._gone()

    def _is_there(self) -> bool:
        if self._executor is None:
            # A forked process would share the locks of threads that it does not have.
            context = multiprocessing.get_context("spawn")
            self._executor = ProcessPoolExecutor(1, context, initializer=serve_only)
            self._started = self._executor.submit(_greet)
        assert self._started is not None
        if self._started.done() and self._started.exception() is not None:
            self._gone()
            return False
        return self._started.done()

    def _free(self, future: Future[Result]) -> None:
        with self._lock:
            self._busy = False
            if not future.cancelled() and isinstance(future.exception(), BrokenProcessPool):
                log.warning(
                    "the process that helps with locating died, most likely for lack of memory; another is started"
                )
                self._gone()

    def _gone(self) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
        self._executor = self._started = None


def _greet() -> None:
    """Is done when the process is there."""
