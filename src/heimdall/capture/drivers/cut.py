"""A narrow channel out of a wide stream, a piece at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heimdall.capture.faults import CaptureError, Fault
from heimdall.capture.interface import Tuning
from heimdall.decimation import LOBES, of_rows
from heimdall.formats.wording import frequency_text

_RATES_HZ = (240_000, 960_000, 1_200_000, 1_920_000, 2_400_000)
"""Among those that an RTL2832 takes: 225 to 300 kHz and 900 kHz to 3.2 MHz."""
_USABLE = 0.8
"""Share of the rate that a receiver's own filter leaves flat."""
_LEAST_OUT_HZ = 12_000.0
OVERSAMPLING = 1.6
"""Least rate kept, in bandwidths."""


@dataclass(frozen=True)
class Cut:
    """How a channel is received: the rate of the hardware, where it is tuned, and every how many-th sample is kept."""

    rate_hz: int
    center_hz: float
    factor: int

    def block(self, seconds: float) -> int:
        """Samples of the hardware in about so long, in whole steps."""
        step = 4 * self.factor
        return round(self.rate_hz * seconds) // step * step


def cut_of(tuning: Tuning) -> Cut:
    """Narrow channels lie a quarter of the rate beside the centre, where receivers have a spike of their own.

    Raises CaptureError for a channel that is too wide.
    """
    bandwidth_hz, widest_hz = tuning.bandwidth_hz, max(tuning.bandwidth_hz, tuning.widest_hz)
    rate_hz = next((each for each in _RATES_HZ if widest_hz <= _USABLE * each / 2), _RATES_HZ[-1])
    if widest_hz > _USABLE * rate_hz:
        given = frequency_text(_USABLE * rate_hz)
        raise CaptureError(Fault.TUNING, f"a dongle gives {given}, not {frequency_text(widest_hz)}")
    most = max(1, int(rate_hz / max(_LEAST_OUT_HZ, OVERSAMPLING * bandwidth_hz)))
    factor = next(each for each in range(most, 0, -1) if rate_hz % each == 0)
    if factor == 1 or bandwidth_hz > _USABLE * rate_hz / 2:
        return Cut(rate_hz, tuning.frequency_hz, 1)
    return Cut(rate_hz, tuning.frequency_hz - rate_hz / 4, factor)


class QuarterDecimator:
    """Takes the channel at a quarter of the rate above the centre to zero, filters it, and keeps every `factor`-th sample.

    The filter delays by nearly half its length.
    """

    def __init__(self, sample_rate_hz: float, factor: int) -> None:
        self.factor = factor
        self.delay_s = (LOBES // 2 - 1) * factor / sample_rate_hz
        self._before_RQ = np.zeros((LOBES - 1, factor), dtype=np.complex64)
        self._phase = 0

    def __call__(self, samples: NDArray[np.complex64]) -> NDArray[np.complex64]:
        """`samples` come in multiples of `factor`."""
        turn = np.array([1, -1j, -1, 1j], dtype=np.complex64)[(self._phase + np.arange(len(samples))) % 4]
        self._phase = (self._phase + len(samples)) % 4
        rows_RQ = np.concatenate([self._before_RQ, (samples * turn).reshape(-1, self.factor)])
        self._before_RQ = rows_RQ[len(rows_RQ) - len(self._before_RQ) :]
        return of_rows(rows_RQ)
