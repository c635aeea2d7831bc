"""What is in a file of one receiver, and how two that its recorder split become one again."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import scipy
from numpy.typing import NDArray

_MOST_GAP_S = 1.0
"""Files of one receiver that follow each other this closely are one recording that its recorder split."""
_SAME_RATE = 1e-4
_LEAST_SHIFT = 1e-3
"""Least shift in samples: less moves nothing that can be measured."""
_SILENCE = 64
"""Samples after which what the shift of a recording's ends makes has died away."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands for the time of what has none, too."""


@dataclass(frozen=True, eq=False)
class Heard:
    """What is in a file: samples at the true rate, the first at `start_utc` (a whole second) and `start_rest_s`."""

    samples: NDArray[np.complex64]
    sample_rate_hz: float
    start_utc: datetime
    start_rest_s: float
    clock_sigma_s: float | None = None

    @property
    def begin_s(self) -> float:
        return (self.start_utc - EPOCH).total_seconds() + self.start_rest_s

    @property
    def end_s(self) -> float:
        return self.begin_s + self.length_s

    @property
    def length_s(self) -> float:
        return len(self.samples) / self.sample_rate_hz


@dataclass(frozen=True, eq=False)
class Joined:
    """Two recordings as one, and how long it is silent between them."""

    heard: Heard
    gap_s: float


def joined(one: Heard, two: Heard) -> Joined | None:
    """One recording of two with silence between them; None where they are too far apart, overlap, or differ in kind."""
    if (one.clock_sigma_s is None) != (two.clock_sigma_s is None):
        return None
    if abs(two.sample_rate_hz / one.sample_rate_hz - 1) > _SAME_RATE:
        return None
    later_s = (two.start_utc - one.start_utc).total_seconds() + two.start_rest_s - one.start_rest_s
    gap_s = later_s - one.length_s
    if not 0 <= round(gap_s * one.sample_rate_hz) <= _MOST_GAP_S * one.sample_rate_hz:
        return None
    return Joined(_on_one_line(one, two, later_s), max(0.0, gap_s))


def _on_one_line(one: Heard, two: Heard, later_s: float) -> Heard:
    """Both at one rate, the middle of each where its stamps have it, also between two samples of the other.

    What the one rate leaves of their own is added to the clock's uncertainty.
    """
    rate_hz = (len(one.samples) + len(two.samples)) / (one.length_s + two.length_s)
    one_early_s, two_early_s = (0.5 * (len(each.samples) / rate_hz - each.length_s) for each in (one, two))
    place = (later_s - two_early_s + one_early_s) * rate_hz
    first = max(round(place), len(one.samples))
    part = two.samples if two.clock_sigma_s is None else delayed(two.samples, place - first)
    silence = np.zeros(first - len(one.samples), np.complex64)
    return Heard(
        samples=np.concatenate([one.samples, silence, part]),
        sample_rate_hz=rate_hz,
        start_utc=one.start_utc,
        start_rest_s=one.start_rest_s - one_early_s,
        clock_sigma_s=_with_bend(one, two, 2 * max(abs(one_early_s), abs(two_early_s))),
    )


def _with_bend(one: Heard, two: Heard, bend_s: float) -> float | None:
    """The larger clock uncertainty of two, and times that are off by up to half of this, evenly, on both sides."""
    if one.clock_sigma_s is None or two.clock_sigma_s is None:
        return None
    return math.hypot(max(one.clock_sigma_s, two.clock_sigma_s), bend_s / math.sqrt(12))


def delayed(samples: NDArray[np.complex64], shift: float) -> NDArray[np.complex64]:
    """The samples by a part of a sample later: a slope of phase over their spectrum."""
    if abs(shift) < _LEAST_SHIFT or not np.all(np.isfinite(samples)):
        return samples
    size = scipy.fft.next_fast_len(len(samples) + _SILENCE)
    spectrum = scipy.fft.fft(samples, size)
    spectrum *= np.exp(-2j * np.pi * shift * scipy.fft.fftfreq(size)).astype(np.complex64)
    return np.asarray(scipy.fft.ifft(spectrum, overwrite_x=True)[: len(samples)], dtype=np.complex64)
