"""Sample clocks that run off their stated rate: seen by arrival times that drift from segment to segment of a recording."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from heimdall.constants import MAD_TO_SIGMA
from heimdall.evidence.batch import EvidenceBatch

Values = NDArray[np.float64]

_LEAST_SEGMENTS = 5
_SIGNIFICANT = 5.0
"""Standard deviations."""
FASTEST_MOTION = 3e-6
"""Of the speed of light: 900 m/s, faster than aircraft. What drifts faster is a sample clock."""


@dataclass(frozen=True, eq=False)
class Drifts:
    """Segments without drift, what it leaves uncertain for each receiver, (N,) in s, and how fast it was, where there was one."""

    segments: EvidenceBatch
    sigma_s_N: Values
    rates: Mapping[int, float]
    """As a part of the stated rate, against the middle one of the receivers."""


def without_drift(segments: EvidenceBatch, middle_s_B: Values, start_s_N: Values) -> Drifts:
    """The segments of a session with each receiver's drift taken off from its first sample on, where its stamp holds.

    `middle_s_B` are the middles of the segments and `start_s_N` the first samples, on one axis. A drift counts that is larger
    over the session than the receiver's clock is good for. One that a moving transmitter may cause, too, is taken off about the
    middle, and its extent is uncertain.
    """
    if len(segments) < _LEAST_SEGMENTS:
        return Drifts(segments, np.zeros_like(start_s_N), {})
    rate_N, sigma_N = _rates(segments, middle_s_B)
    half_s = 0.5 * float(np.ptp(middle_s_B))
    drifting = (np.abs(rate_N) > _SIGNIFICANT * sigma_N) & (np.abs(rate_N) * half_s > segments.clock_sigma_s[0])
    fast = drifting & (np.abs(rate_N) >= FASTEST_MOTION)
    origin_N = np.where(fast, start_s_N, np.median(middle_s_B))
    drift_BN = np.where(drifting, rate_N, 0.0) * (middle_s_B[:, None] - origin_N)
    unknown_N = np.where(fast, sigma_N, np.where(drifting, np.abs(rate_N), 0.0))
    # The rate of the middle receiver may be off as much, and moves those apart that began apart.
    apart_N = np.max(np.abs(rate_N), where=fast, initial=0.0) * np.abs(start_s_N - np.median(start_s_N))
    return Drifts(
        replace(segments, arrival_s=segments.arrival_s - drift_BN),
        np.hypot(unknown_N * half_s, apart_N),
        {index: float(rate_N[index]) for index in np.flatnonzero(drifting).tolist()},
    )


def _rates(segments: EvidenceBatch, middle_s_B: Values) -> tuple[Values, Values]:
    """(N,) slopes of the arrival times against the middle one of the receivers', and their standard deviations.

    Infinite deviations where too few segments have an arrival time.
    """
    timed = segments.has_arrival
    reference = int(np.argmax(timed.sum(axis=0)))
    both = timed & timed[:, [reference]]
    relative = segments.arrival_s - segments.arrival_s[:, [reference]]
    slopes = [_slope(middle_s_B[use], each[use]) for use, each in zip(both.T, relative.T, strict=True)]
    rate_N, sigma_N = np.array(slopes).T
    known = np.isfinite(sigma_N)
    others = known & (np.arange(len(rate_N)) != reference)
    if not others.any():
        return np.zeros_like(rate_N), np.full_like(sigma_N, np.inf)
    # What the reference's own times scatter by is in all the others'.
    sigma_N[reference] = np.median(sigma_N[others])
    return rate_N - np.median(rate_N[known]), sigma_N


def _slope(time_s: Values, value_s: Values) -> tuple[float, float]:
    """Median of the slopes between all pairs (Theil 1950, Sen 1968), and its standard deviation by the scatter about it."""
    if len(time_s) < _LEAST_SEGMENTS:
        return 0.0, np.inf
    first, second = np.triu_indices(len(time_s), 1)
    apart_s = time_s[second] - time_s[first]
    slope = float(np.median(((value_s[second] - value_s[first]) / apart_s)[apart_s > 0]))
    rest_s = value_s - slope * time_s
    scatter_s = MAD_TO_SIGMA * float(np.median(np.abs(rest_s - np.median(rest_s))))
    return slope, scatter_s / (np.sqrt(len(time_s)) * max(float(np.std(time_s)), 1e-9))
