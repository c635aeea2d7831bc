"""The width of the channel that a signal fills, for recordings that do not state it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from heimdall.observation import Reception

_BINS = 512
_SEGMENTS = 8
_FLOOR_PERCENTILE = 25
_MEDIAN_BINS = 5
"""A carrier fills three bins of a Hann window; a median over five does not see it."""
_MIN_PEAK = 2.0
_PASSBAND = 0.8
_EDGE = 0.25


def occupied_bandwidth_hz(receptions: Sequence[Reception]) -> float:
    """Width, centred on zero, up to where the receivers' summed spectrum is 6 dB below its own median.

    Further out the slope is the receivers' own filters, whose delays differ. 0.8 of the sample rate where nothing stands
    out. The receptions have samples at about one rate.
    """
    rate_hz = min(reception.sample_rate_hz or math.inf for reception in receptions)
    shortest = min(len(reception.samples) for reception in receptions if reception.samples is not None)
    bins = min(_BINS, max(16, shortest // _SEGMENTS))
    ratios = [_above_noise(reception.samples, bins) for reception in receptions if reception.samples is not None]
    ratio = np.mean(ratios, axis=0)
    plateau = signal.medfilt(ratio, _MEDIAN_BINS)
    top = int(np.argmax(plateau))
    if plateau[top] < _MIN_PEAK:
        return _PASSBAND * rate_hz
    low, high = _run(plateau > math.sqrt(plateau[top]), top)
    typical = float(np.median(plateau[low : high + 1]))
    low, high = _run(plateau > max(_MIN_PEAK, _EDGE * typical), top)
    frequency = (np.arange(bins) - bins // 2) / bins
    reach = max(abs(frequency[low]), abs(frequency[high])) + 0.5 / bins
    return float(min(2 * reach, _PASSBAND) * rate_hz)


def _above_noise(samples: NDArray[np.complex64], bins: int) -> NDArray[np.float64]:
    """Power density over the noise floor, which a quarter of the band is taken to show; lowest frequency first."""
    _, density = signal.welch(samples, nperseg=bins, return_onesided=False, detrend=False)
    density = np.fft.fftshift(density)
    floor = float(np.percentile(density, _FLOOR_PERCENTILE))
    return density / (floor or float(np.max(density)) or 1.0)


def _run(inside: NDArray[np.bool_], start: int) -> tuple[int, int]:
    """First and last index of the unbroken run of True round `start`."""
    outside = np.flatnonzero(~inside)
    before, after = outside[outside < start], outside[outside > start]
    low = int(before[-1]) + 1 if len(before) else 0
    high = int(after[0]) - 1 if len(after) else len(inside) - 1
    return low, high
