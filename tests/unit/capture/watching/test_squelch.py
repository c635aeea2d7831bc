"""Every signal is found once, and none is made up."""

import numpy as np
import pytest

from heimdall.capture.watching.squelch import Event, Squelch, SquelchRule

BLOCK_S = 0.05


def _events(levels: list[tuple[float, float]], rule: SquelchRule | None = None) -> list[tuple[float, Event]]:
    """Levels in dBm for so many seconds each, with the scatter of real ones."""
    squelch, time_s, found = Squelch(rule or SquelchRule()), 0.0, []
    scatter = np.random.default_rng(1)
    for level_dbm, seconds in levels:
        for _ in range(round(seconds / BLOCK_S)):
            time_s += BLOCK_S
            event = squelch.hear(level_dbm + scatter.normal(0, 0.7), BLOCK_S)
            if event is not None:
                found.append((time_s, event))
    return found


def test_each_of_many_transmissions_opens_once() -> None:
    found = _events([(-110, 20), (-85, 10)] * 20)
    assert [event for _, event in found][::2] == [Event.OPENED] * 20
    assert all(event is Event.CLOSED for _, event in found[1::2])


def test_noise_alone_opens_nothing() -> None:
    assert _events([(-110, 600)]) == []


def test_a_signal_that_wavers_between_the_thresholds_is_one() -> None:
    found = _events([(-110, 10), *[(-98, 2), (-103, 2)] * 10, (-110, 10)])
    assert [event for _, event in found] == [Event.OPENED, Event.CLOSED]


def test_what_is_too_short_does_not_count() -> None:
    assert _events([(-110, 10), (-80, 0.5), (-110, 10)], SquelchRule(least_s=1.0)) == []


def test_after_a_signal_nothing_counts_until_the_rest_is_over() -> None:
    levels = [(-110.0, 10.0), (-80.0, 5.0), (-110.0, 2.0), (-80.0, 4.0), (-110.0, 20.0), (-80.0, 5.0)]
    found = _events(levels, SquelchRule(cool_down_s=10.0))
    assert [event for _, event in found] == [Event.OPENED, Event.CLOSED, Event.OPENED]


def test_a_level_of_ones_own_does_not_follow_the_noise() -> None:
    assert _events([(-110, 10), (-90, 10)], SquelchRule(level_dbm=-85.0)) == []
    assert _events([(-84, 10)], SquelchRule(level_dbm=-85.0))[0][1] is Event.OPENED


def test_a_dead_receiver_is_no_noise_floor() -> None:
    assert _events([(-110, 10), (-300, 5), (-110, 60)]) == []


def test_memory_does_not_grow_with_time() -> None:
    squelch = Squelch(SquelchRule())
    for _ in range(4_000):
        squelch.hear(-110.0, 1.0)
    assert len(squelch._steps) == 2400


@pytest.mark.parametrize("level_dbm", [None, float("nan"), float("inf"), float("-inf"), 1e9])
def test_what_is_no_level_is_passed_over(level_dbm: float | None) -> None:
    squelch = Squelch(SquelchRule())
    assert squelch.hear(level_dbm, 10.0) is None
    assert squelch.floor_dbm == float("inf")
