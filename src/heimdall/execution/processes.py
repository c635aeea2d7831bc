"""The same work on many items by several processes, of this machine or of a Ray cluster: in order, a few at a time."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import connection
from typing import Any, Protocol, TypeVar

from heimdall.errors import HeimdallError
from heimdall.execution.ray_cluster import connected, load_ray, one_line, ray_address

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD = 2
"""Items under way for each process: one being worked on and one that waits, so that none is idle."""
_DIED = "a worker process died, most likely for lack of memory: take a smaller --jobs"


class _Pool(Protocol):
    """Whoever does the work."""

    size: int

    def start(self, work: Callable[[Any], Any], item: Any) -> Any: ...

    def result(self, ticket: Any) -> Any:
        """Waits for it. Raises HeimdallError where whoever worked on it is gone."""


def cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(
    work: Callable[[Item], Result], items: Iterable[Item], jobs: int = 1, on: str | None = None
) -> Iterator[Result]:
    """`work(item)` of every item in the order given, by `jobs` processes or on a Ray cluster, named as `--on` has it.

    Items are taken from the iterable as they are needed, so that no more than a few a process are in memory. `work` and the
    items are pickled. What `work` raises is raised here.
    """
    if on is None and jobs == 1:
        yield from map(work, items)
        return
    with _ray_pool(on) if on is not None else _local_pool(jobs) as pool:
        waiting: deque[Any] = deque()
        for item in items:
            if len(waiting) == _AHEAD * pool.size:
                yield pool.result(waiting.popleft())
            waiting.append(pool.start(work, item))
        while waiting:
            yield pool.result(waiting.popleft())


class _Processes:
    def __init__(self, executor: ProcessPoolExecutor, size: int) -> None:
        self.size, self._executor = size, executor

    def start(self, work: Callable[[Any], Any], item: Any) -> Future[Any]:
        try:
            with _uninterrupted():
                return self._executor.submit(work, item)
        except BrokenProcessPool as error:
            raise HeimdallError(_DIED) from error

    def result(self, ticket: Future[Any]) -> Any:
        try:
            return ticket.result()
        except BrokenProcessPool as error:
            raise HeimdallError(_DIED) from error


@contextmanager
def _local_pool(jobs: int) -> Iterator[_Pool]:
    # A forked process would share the locks of threads that it does not have.
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(jobs, context, initializer=serve_only)
    try:
        yield _Processes(executor, jobs)
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Signals wait until the end: a new process that was handed half of its beginning would complain about the other half."""
    if threading.current_thread() is not threading.main_thread():  # handlers run in the main thread alone
        yield
        return
    came: list[int] = []
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    handlers = {number: handler for number, handler in handlers.items() if callable(handler)}
    for number in handlers:
        signal.signal(number, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for held in came:
            signal.raise_signal(held)


def serve_only() -> None:
    """In a worker: the starter decides what an interrupt means, and nothing outlives it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Before anything is loaded that starts threads of its own: the processes are to use the cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    starter = multiprocessing.parent_process()
    assert starter is not None

    def follow() -> None:
        connection.wait([starter.sentinel])
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


class _Cluster:
    """Ray repeats by itself what was under way on a node that is lost."""

    def __init__(self, ray: Any, size: int) -> None:
        self.size, self._ray = size, ray
        self._task = ray.remote(num_cpus=1)(_done)

    def start(self, work: Callable[[Any], Any], item: Any) -> Any:
        return self._task.remote(work, item)

    def result(self, ticket: Any) -> Any:
        try:
            return self._ray.get(ticket)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause if isinstance(error.cause, HeimdallError) else error from error
        except self._ray.exceptions.RayError as error:
            raise HeimdallError(f"the Ray cluster gave up on a piece of the work: {one_line(error)}") from error


def _done(work: Callable[[Any], Any], item: Any) -> Any:
    """What Ray runs: a function, where `work` may be any callable."""
    return work(item)


@contextmanager
def _ray_pool(on: str) -> Iterator[_Pool]:
    ray = load_ray()
    with connected(ray, ray_address(on)):
        yield _Cluster(ray, max(1, int(ray.cluster_resources().get("CPU", 1))))
