"""Two parts that a recorder split are one recording again, with every sample at its time."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from heimdall.formats.readers.recordings.heard import Heard, joined

START = datetime(2024, 5, 10, 12, tzinfo=UTC)
RATE_HZ = 12_000.5
TONES_HZ = (-4321.0, -900.5, 33.0, 777.7, 5000.0)


def _signal(time_s: NDArray[np.float64]) -> NDArray[np.complex64]:
    return sum(np.exp(2j * np.pi * tone_hz * time_s) for tone_hz in TONES_HZ).astype(np.complex64)  # type: ignore[union-attr]


def _heard(start_s: float, count: int, rate_hz: float = RATE_HZ, sigma_s: float | None = 1e-7) -> Heard:
    time_s = start_s + np.arange(count) / rate_hz
    whole_s = math.floor(start_s)
    return Heard(_signal(time_s), rate_hz, START + timedelta(seconds=whole_s), start_s - whole_s, sigma_s)


@pytest.mark.parametrize("fraction", [0.0, 0.25, 0.49, 0.51, 0.8])
@pytest.mark.parametrize("count", [800, 30_000])
def test_a_gap_that_is_no_whole_number_of_samples_moves_nothing(fraction: float, count: int) -> None:
    """Each sample is what the signal was at its time, in both parts, whichever is the longer."""
    one = _heard(0.3, 6000)
    two = _heard(one.length_s + 0.3 + (500 + fraction) / RATE_HZ, count)
    both = joined(one, two)
    assert both is not None
    assert both.gap_s == pytest.approx((500 + fraction) / RATE_HZ, abs=1e-9)
    heard = both.heard
    time_s = (heard.start_utc - START).total_seconds() + heard.start_rest_s
    true = _signal(time_s + np.arange(len(heard.samples)) / heard.sample_rate_hz)
    for inside in (slice(100, 5900), slice(len(true) - count + 100, len(true) - 100)):
        assert np.sqrt(np.mean(np.abs(heard.samples[inside] - true[inside]) ** 2)) < 0.02
    assert heard.clock_sigma_s == pytest.approx(1e-7, rel=1e-3)


def test_rates_that_differ_add_what_one_line_leaves_open() -> None:
    """Ten parts in a million over five seconds each: at each end of a part 12 us, 7 us as a standard deviation."""
    one = _heard(0.0, 60_000)
    two = _heard(one.length_s, 60_000, RATE_HZ * (1 + 1e-5))
    both = joined(one, two)
    assert both is not None
    assert both.heard.clock_sigma_s == pytest.approx(25e-6 / math.sqrt(12), rel=0.02)
    middle_s = both.heard.start_rest_s + 30_000 / both.heard.sample_rate_hz
    assert middle_s == pytest.approx(30_000 / RATE_HZ, abs=1e-9)


def test_without_clocks_nothing_is_resampled() -> None:
    one = _heard(0.0, 6000, sigma_s=None)
    two = _heard(one.length_s + 500.4 / RATE_HZ, 6000, sigma_s=None)
    both = joined(one, two)
    assert both is not None
    np.testing.assert_array_equal(both.heard.samples[6500:], two.samples)
    assert both.heard.clock_sigma_s is None


@pytest.mark.parametrize("later_s", [-0.01, 1.1])
def test_what_overlaps_or_lies_apart_is_not_joined(later_s: float) -> None:
    one = _heard(0.0, 6000)
    assert joined(one, _heard(one.length_s + later_s, 6000)) is None
