"""Time by the count of samples, for a receiver without a clock: when it began is unknown, how it runs on is not."""

from __future__ import annotations

from collections import deque
from time import monotonic, time_ns

_WINDOW_S = 2.0
_MOST_LATER_S = 0.04
"""rtl_tcp loses whole buffers of 131,072 samples, which are 55 ms at 2.4 MHz and more at the lower rates."""
_MOST_RATE_ERROR = 1e-4
"""Rate error of an oscillator, larger than that of any in use."""


class SampleClock:
    """UTC of this computer at the first block, and the count of samples from there on."""

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._samples = 0
        self._began_utc_ns = 0
        self._began_s = 0.0
        self._least_late_s = 0.0
        self._late_s: deque[tuple[float, float]] = deque()

    def count(self, samples: int) -> int:
        """UTC in ns at the end of a block that has just arrived."""
        now_s, length_s = monotonic(), samples / self._rate_hz
        if self._samples == 0:
            self._began_utc_ns, self._began_s = time_ns() - round(length_s * 1e9), now_s - length_s
        self._samples += samples
        ended_s = self._samples / self._rate_hz
        self._late_s.append((ended_s, now_s - self._began_s - ended_s))
        while self._late_s[0][0] < ended_s - _WINDOW_S:
            self._late_s.popleft()
        if ended_s <= _WINDOW_S:
            self._least_late_s = min(late for _, late in self._late_s)
        return self._began_utc_ns + round(ended_s * 1e9)

    @property
    def lost_s(self) -> float:
        """About how much was lost on the way; 0: nothing that shows.

        Samples that were lost cannot be seen in the stream. But all that follows comes later than its count says, and does not
        catch up.
        """
        later_s = min(late for _, late in self._late_s) - self._least_late_s if self._late_s else 0.0
        return later_s if later_s > _MOST_LATER_S + _MOST_RATE_ERROR * self._samples / self._rate_hz else 0.0
