"""Time by the count of samples, and the samples that are missing from it."""

from __future__ import annotations

import itertools

import pytest

from heimdall.capture.drivers import sample_clock
from heimdall.capture.drivers.sample_clock import SampleClock

RATE_HZ = 240_000.0
BLOCK = 24_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SampleClock:
    return SampleClock(RATE_HZ)


def _run(clock: SampleClock, monkeypatch: pytest.MonkeyPatch, late_s: list[float]) -> list[int]:
    """Blocks that come so much later than they were taken."""
    ended_ns = []
    for number, late in enumerate(late_s):
        now_s = 1000.0 + (number + 1) * BLOCK / RATE_HZ + late
        monkeypatch.setattr(sample_clock, "monotonic", lambda now=now_s: now)
        monkeypatch.setattr(sample_clock, "time_ns", lambda now=now_s: int(now * 1e9))
        ended_ns.append(clock.count(BLOCK))
    return ended_ns


def test_only_the_first_block_reads_the_computers_clock(clock, monkeypatch) -> None:
    ended_ns = _run(clock, monkeypatch, [0.05, 0.01, 0.3, 0.0])
    assert [b - a for a, b in itertools.pairwise(ended_ns)] == [100_000_000] * 3


@pytest.mark.parametrize("late_s", [[0.05] * 100, [0.01, 0.2] * 50, [0.0] * 50 + [0.5] * 10 + [0.01] * 40])
def test_a_network_that_delays_loses_nothing(clock, monkeypatch, late_s) -> None:
    _run(clock, monkeypatch, late_s)
    assert clock.lost_s == 0


@pytest.mark.parametrize("lost_s", [0.06, 1.0])
def test_what_was_lost_shows_when_nothing_catches_up(clock, monkeypatch, lost_s) -> None:
    _run(clock, monkeypatch, [0.01, 0.03] * 30 + [lost_s + 0.01, lost_s + 0.03] * 20)
    assert clock.lost_s == pytest.approx(lost_s, abs=0.001)
