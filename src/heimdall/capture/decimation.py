"""A narrow channel out of a wide stream, a piece at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_TAPS_PER_STEP = 12
_ATTENUATION_BETA = 7.0
"""Kaiser window: 70 dB down outside."""


class QuarterDecimator:
    """Takes the channel at a quarter of the rate above the centre to zero, filters it, and keeps every `factor`-th sample.

    Receivers have a spike of their own at the centre, so the channel is put beside it. The filter delays by its half length.
    """

    def __init__(self, sample_rate_hz: float, factor: int) -> None:
        self.factor = factor
        half = _TAPS_PER_STEP * factor // 2
        # Six decibels down at half the rate that is kept: what folds back lies outside the inner two thirds of it.
        taps = np.sinc(np.arange(-half, half + 1) / factor) * np.kaiser(2 * half + 1, _ATTENUATION_BETA)
        self._taps = (taps / taps.sum()).astype(np.complex64)
        self.delay_s = half / sample_rate_hz
        self._before = np.zeros(2 * half, dtype=np.complex64)
        self._phase = 0

    def __call__(self, samples: NDArray[np.complex64]) -> NDArray[np.complex64]:
        """`samples` come in multiples of `factor`."""
        assert len(samples) % self.factor == 0
        turn = np.array([1, -1j, -1, 1j], dtype=np.complex64)[(self._phase + np.arange(len(samples))) % 4]
        self._phase = (self._phase + len(samples)) % 4
        joined = np.concatenate([self._before, samples * turn])
        self._before = joined[len(joined) - len(self._before) :]
        windows = np.lib.stride_tricks.sliding_window_view(joined, len(self._taps))[:: self.factor]
        return np.asarray(windows[: len(samples) // self.factor] @ self._taps, dtype=np.complex64)
