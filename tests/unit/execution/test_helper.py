"""A helper does one thing at a time beside its starter, who never waits for its start and outlives its death."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool

import pytest

from heimdall.execution.helper import Helper

PROCESS = "__import__('os').getpid()"
"""The test's own functions are not there in another process."""


@pytest.fixture
def helper() -> Iterator[Helper]:
    made = Helper()
    yield made
    made.close()


def _started(helper: Helper, work, item) -> Future:
    """As soon as it is there and free."""
    end = time.monotonic() + 60
    while (future := helper.start(work, item)) is None:
        assert time.monotonic() < end
        time.sleep(0.05)
    return future


def test_nobody_waits_for_its_start_then_it_works_and_takes_one_thing_at_a_time(helper: Helper) -> None:
    assert helper.start(eval, PROCESS) is None
    assert _started(helper, eval, PROCESS).result(60) != os.getpid()
    slow = _started(helper, time.sleep, 0.5)
    assert helper.start(eval, PROCESS) is None
    slow.result(60)
    with pytest.raises(ValueError, match="invalid literal"):
        _started(helper, int, "no number").result(60)


def test_after_its_death_another_is_started(helper: Helper) -> None:
    with pytest.raises(BrokenProcessPool):
        _started(helper, os._exit, 1).result(60)
    assert _started(helper, eval, PROCESS).result(60) != os.getpid()


def test_a_closed_helper_takes_nothing(helper: Helper) -> None:
    helper.close()
    assert helper.start(eval, PROCESS) is None
