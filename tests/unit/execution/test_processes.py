"""Work shared by processes comes back in order, takes its items as it needs them, and a dead worker is one line."""

# Another process reads functions by their names, and those of a test it would not find.
from __future__ import annotations

import math
import os
import signal
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor

import pytest

from heimdall.errors import HeimdallError, InputError
from heimdall.execution.processes import in_order
from heimdall.execution.ray_cluster import ray_address


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_the_order_of_the_items(jobs: int) -> None:
    assert list(in_order(math.factorial, range(20), jobs)) == [math.factorial(value) for value in range(20)]


@pytest.mark.parametrize(("jobs", "most"), [(1, 1), (2, 5)])
def test_few_items_are_taken_before_they_are_needed(jobs: int, most: int) -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for value in range(100):
            taken += 1
            yield value

    results = in_order(math.factorial, items(), jobs)
    next(results)
    assert taken <= most
    assert len(list(results)) == 99


def test_a_worker_that_dies_is_one_line_that_says_what_to_do() -> None:
    with pytest.raises(HeimdallError, match="--jobs"):
        list(in_order(os._exit, range(8), 2))


class _StoppedError(Exception):
    pass


def test_a_signal_waits_until_a_process_has_been_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half started, it would print a traceback of its own."""
    handed_over = []

    def submit(self: ProcessPoolExecutor, work: object, item: object) -> Future[int]:
        signal.raise_signal(signal.SIGTERM)
        handed_over.append(item)
        return Future()

    def stop(number: int, frame: object) -> None:
        raise _StoppedError

    monkeypatch.setattr(ProcessPoolExecutor, "submit", submit)
    before = signal.signal(signal.SIGTERM, stop)
    try:
        with pytest.raises(_StoppedError):
            list(in_order(math.factorial, range(8), 2))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert handed_over == [0]


def test_what_the_work_refuses_is_refused_here() -> None:
    with pytest.raises(InputError, match="--on slurm"):
        list(in_order(ray_address, ["ray:a:1", "slurm"], 2))
