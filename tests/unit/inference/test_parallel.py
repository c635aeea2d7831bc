"""Work shared by processes comes back in order, takes its items as it needs them, and a dead worker is one line."""

# Another process reads functions by their names, and those of a test it would not find.
from __future__ import annotations

import math
import os
from collections.abc import Iterator

import pytest

from heimdall.errors import HeimdallError, InputError
from heimdall.inference.parallel import in_order
from heimdall.inference.ray_cluster import ray_address


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


def test_what_the_work_refuses_is_refused_here() -> None:
    with pytest.raises(InputError, match="--on slurm"):
        list(in_order(ray_address, ["ray:a:1", "slurm"], 2))
