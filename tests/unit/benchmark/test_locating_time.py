"""The benchmark's session is one that can be located."""

import numpy as np
import pytest

from heimdall.benchmark.locating_time import benchmark_locate, session, timed


def test_the_session_has_the_size_asked_for_and_is_the_same_every_time() -> None:
    one, other = session(5, 2048), session(5, 2048)
    assert len(one.receptions) == 5
    for reception, again in zip(one.receptions, other.receptions, strict=True):
        assert reception.samples is not None
        assert reception.samples.shape == (2048,)
        np.testing.assert_array_equal(reception.samples, again.samples)


def test_every_part_is_timed_after_a_first_run() -> None:
    runs: list[int] = []
    timing = timed(lambda: runs.append(1), 3)
    assert len(runs) == 4
    assert timing.repeats == 3
    assert 0 <= timing.median_ms <= timing.q95_ms


@pytest.mark.parametrize("receivers", [3])
def test_evidence_and_search_are_parts_of_the_whole(receivers: int) -> None:
    timings = benchmark_locate(session(receivers, 1024), 3)
    assert set(timings) == {"samples_to_fix", "evidence", "search"}
    assert all(timing.median_ms > 0 for timing in timings.values())
