"""GPS stamps of a KiwiSDR's blocks: the straight line through them gives the true sample rate and when sampling began."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heimdall.constants import MAD_TO_SIGMA

NOT_RECENT_AGE_S = 254
"""An age from which on there is no GPS solution that is recent."""
MIN_STAMPS = 17
_MIN_SHARE = 0.8
"""Where more stamps than the rest miss the line, samples were lost."""
_SIGMAS = 5.0
_LEAST_SPREAD_S = 100e-9
_MOST_SPREAD_S = 10e-6
_GPS_SOLUTION_SIGMA_S = 50e-9
_DRIFT = 20e-9
"""What the oscillator may drift between two GPS solutions."""
_MAX_RATE_ERROR = 1e-3


class BrokenRecordingError(Exception):
    """This recording cannot be used; the message completes the sentence "the receiver is flagged: ..."."""


class TooFewStampsError(BrokenRecordingError):
    """Its samples are sound; only their time is missing."""


@dataclass(frozen=True, eq=False)
class Stamps:
    """One row a block; shapes (blocks,)."""

    age_s: NDArray[np.int64]
    """Age of the GPS solution."""
    stamp_s: NDArray[np.float64]
    """Time of the block's first sample, from a nearby origin for precision."""
    first_sample: NDArray[np.int64]
    """Index of that sample in the recording."""


@dataclass(frozen=True)
class StampLine:
    """Sample n was taken `time_s(n)` after the stamps' origin."""

    start_s: float
    step_s: float
    first_sample: int
    """Sample of the first stamp that lies on the line."""
    clock_sigma_s: float | None
    """None where GPS had no recent solution."""

    @property
    def sample_rate_hz(self) -> float:
        return float(1 / self.step_s)

    def time_s(self, sample: int) -> float:
        return self.start_s + self.step_s * sample


def require_enough(count: int) -> None:
    """Raises TooFewStampsError where so many stamps make no line."""
    if count < MIN_STAMPS:
        if count == 1:
            raise TooFewStampsError(f"it has one of the {MIN_STAMPS} GPS stamps that are needed")
        raise TooFewStampsError(f"it has {count or 'no'} GPS stamps, at least {MIN_STAMPS} are needed")


def line_through(stamps: Stamps, nominal_rate_hz: float) -> StampLine:
    """Raises BrokenRecordingError where there are too few stamps, or too many that miss the line."""
    require_enough(len(stamps.stamp_s))
    used = _on_one_line(stamps, nominal_rate_hz)
    step_s, start_s = np.polyfit(stamps.first_sample[used], stamps.stamp_s[used], 1)
    residual_s = stamps.stamp_s[used] - (start_s + step_s * stamps.first_sample[used])
    return StampLine(
        start_s=float(start_s),
        step_s=float(step_s),
        first_sample=int(stamps.first_sample[used][0]),
        clock_sigma_s=_clock_sigma_s(stamps.age_s[used], float(np.std(residual_s))),
    )


def _on_one_line(stamps: Stamps, nominal_rate_hz: float) -> NDArray[np.intp]:
    """Indices of the stamps on the line: slope and start by medians over far pairs (Theil 1950), then what lies near."""
    index = _candidates(stamps)
    sample, stamp_s = stamps.first_sample[index], stamps.stamp_s[index]
    half = len(index) // 2
    slope = _median_step_s(stamp_s, sample, half)
    if not _fits(slope, nominal_rate_hz):
        raise BrokenRecordingError(_off_rate(stamp_s, sample, slope, nominal_rate_hz))
    residual_s = stamp_s - slope * sample
    residual_s -= np.median(residual_s)
    spread_s = max(MAD_TO_SIGMA * float(np.median(np.abs(residual_s))), _LEAST_SPREAD_S)
    near = np.abs(residual_s) <= _SIGMAS * spread_s
    if spread_s > _MOST_SPREAD_S:
        raise BrokenRecordingError(_wide(stamp_s, sample, spread_s))
    if np.sum(near) < max(MIN_STAMPS, _MIN_SHARE * len(index)):
        raise BrokenRecordingError(_lost(int(np.sum(near)), len(index)))
    return index[near]


def _median_step_s(stamp_s: NDArray[np.float64], sample: NDArray[np.int64], apart: int) -> float:
    """Median time from sample to sample, by the pairs of stamps that are this many blocks apart."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.median((stamp_s[apart:] - stamp_s[:-apart]) / (sample[apart:] - sample[:-apart])))


def _fits(step_s: float, nominal_rate_hz: float) -> bool:
    return abs(step_s * nominal_rate_hz - 1) < _MAX_RATE_ERROR


def _off_rate(
    stamp_s: NDArray[np.float64], sample: NDArray[np.int64], far_step_s: float, nominal_rate_hz: float
) -> str:
    """Why stamps that are far apart do not fit a rate: it is another one, or those between them jump."""
    if not _fits(_median_step_s(stamp_s, sample, 1), nominal_rate_hz):
        return f"its GPS stamps do not fit the {nominal_rate_hz:g} Hz of its header"
    if far_step_s * nominal_rate_hz < 1:
        return "its GPS stamps go back in time while it records: they are wrong"
    return _lost(_most_on_a_line(stamp_s, sample), len(sample))


def _wide(stamp_s: NDArray[np.float64], sample: NDArray[np.int64], spread_s: float) -> str:
    """Why stamps lie far from a line: they jump, or each is inexact by itself."""
    neighbours_s = np.diff(stamp_s) - _median_step_s(stamp_s, sample, 1) * np.diff(sample)
    if np.mean(np.abs(neighbours_s) <= _MOST_SPREAD_S) >= _MIN_SHARE:
        return _lost(_most_on_a_line(stamp_s, sample), len(sample))
    return (
        f"its GPS stamps scatter by {1e3 * spread_s:.2g} ms about a line, those that GPS sets by at most"
        f" {1e3 * _MOST_SPREAD_S:g} ms: are they rounded?"
    )


def _most_on_a_line(stamp_s: NDArray[np.float64], sample: NDArray[np.int64]) -> int:
    """How many stamps go on from each other: the most within the largest spread about a line as steep as between neighbours."""
    residual_s = np.sort(stamp_s - _median_step_s(stamp_s, sample, 1) * sample)
    ends = np.searchsorted(residual_s, residual_s + 2 * _MOST_SPREAD_S, side="right")
    return int(np.max(ends - np.arange(len(residual_s))))


def _lost(count: int, of: int) -> str:
    return f"only {count} of its {of} GPS stamps lie on one line: samples were lost"


def _candidates(stamps: Stamps) -> NDArray[np.intp]:
    """Stamps with a recent GPS solution, or all where those are too few; the first is stale by habit, and dropped."""
    index = np.arange(1, len(stamps.stamp_s))
    fresh = index[stamps.age_s[index] < NOT_RECENT_AGE_S]
    return fresh if len(fresh) >= MIN_STAMPS else index


def _clock_sigma_s(age_s: NDArray[np.int64], residual_sigma_s: float) -> float | None:
    """Stamps' scatter, GPS solution, and what the oscillator drifts until the next solution."""
    if np.any(age_s >= NOT_RECENT_AGE_S):
        return None
    drift_s = _DRIFT * float(np.sqrt(np.mean(age_s.astype(float) ** 2)))
    return math.hypot(residual_sigma_s, _GPS_SOLUTION_SIGMA_S, drift_s)
