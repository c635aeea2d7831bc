"""Recordings brought to one rate and one span, whatever each receiver's own were."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heimdall.errors import InputError
from heimdall.observation import Reception

_EQUAL_RATES = 1e-9
_OVERSAMPLING = 8
"""Linear interpolation between samples at this many times the rate leaves an error below -45 dB at half the rate."""
_MIN_SAMPLES = 64


@dataclass(frozen=True, eq=False)
class Aligned:
    """Samples of all receivers over the same span; `start_s` is what a shift by whole samples could not take away."""

    samples_NT: NDArray[np.complex64]
    sample_rate_hz: float
    start_s_N: NDArray[np.float64]


def align(receptions: Sequence[Reception]) -> Aligned:
    """Cut all recordings to the span they share by their own stamps, and resample them where their rates differ.

    A receiver without a clock is taken to start with the others: its stamps mean nothing, and it serves for power only.
    Raises InputError where the recordings do not overlap.
    """
    rates = np.array([_rate(reception) for reception in receptions])
    starts = np.array([_stamp(reception) for reception in receptions])
    starts = np.where(np.isnan(starts), np.nanmax(starts) if not np.all(np.isnan(starts)) else 0.0, starts)
    counts = np.array([len(_samples(reception)) for reception in receptions])
    begin_s, end_s = float(np.max(starts)), float(np.min(starts + counts / rates))
    rate = float(np.min(rates))
    count = math.floor((end_s - begin_s) * rate) - 1
    if count < _MIN_SAMPLES:
        raise InputError(
            f"the recordings share no span of time ({end_s - begin_s:.3g} s): check their start times, or locate them apart"
        )
    if np.ptp(rates) <= _EQUAL_RATES * rate:
        return _cut(receptions, starts, begin_s, rate, count)
    resampled = [
        _resample(_samples(reception), own_rate, begin_s - start, rate, count)
        for reception, own_rate, start in zip(receptions, rates, starts, strict=True)
    ]
    return Aligned(np.stack(resampled), rate, np.zeros(len(receptions)))


def _samples(reception: Reception) -> NDArray[np.complex64]:
    assert reception.samples is not None
    return reception.samples


def _rate(reception: Reception) -> float:
    assert reception.sample_rate_hz is not None
    return reception.sample_rate_hz


def _stamp(reception: Reception) -> float:
    return math.nan if reception.receiver.clock_sigma_s is None else reception.start_s


def _cut(
    receptions: Sequence[Reception], starts: NDArray[np.float64], begin_s: float, rate: float, count: int
) -> Aligned:
    skip = np.round((begin_s - starts) * rate).astype(int)
    samples = np.stack(
        [_samples(reception)[first : first + count] for reception, first in zip(receptions, skip, strict=True)]
    )
    return Aligned(samples.astype(np.complex64), rate, starts + skip / rate - begin_s)


def _resample(
    samples: NDArray[np.complex64], own_rate: float, begin_s: float, rate: float, count: int
) -> NDArray[np.complex64]:
    """Band-limited oversampling by zeros in the spectrum, then linear interpolation at the wanted times."""
    size = len(samples)
    spectrum = np.fft.fft(samples)
    frequency = np.fft.fftfreq(size, 1 / own_rate)
    spectrum[np.abs(frequency) > 0.5 * rate] = 0
    half = (size + 1) // 2
    padded = np.zeros(size * _OVERSAMPLING, dtype=spectrum.dtype)
    padded[:half], padded[-(size - half) :] = spectrum[:half], spectrum[half:]
    fine = np.fft.ifft(padded) * _OVERSAMPLING
    position = (begin_s + np.arange(count) / rate) * own_rate * _OVERSAMPLING
    low = np.clip(position.astype(np.int64), 0, len(fine) - 2)
    share = position - low
    return (fine[low] * (1 - share) + fine[low + 1] * share).astype(np.complex64)
