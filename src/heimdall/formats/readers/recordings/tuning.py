"""Receivers that listened a little beside each other: which frequency is the session's, and samples moved to it.

Drivers state the frequency that their hardware could really set, and programs round; both lie far within a channel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heimdall.arrays import shifted

WITHIN = 1.01
"""A channel may reach this much out of a recording by rounding."""
_SHARE_OF_RATE = 1e-3
"""What differs by no more of the sample rate is one channel."""
_SHARE_OF_FREQUENCY = 1e-9
"""The rounding of a frequency, where no rate is known."""
_LEAST_TURNS = 0.01
"""A shift that turns the phase by less from the first sample to the last changes nothing."""


@dataclass(frozen=True)
class Tuning:
    """Where a receiver listened by its recording."""

    frequency_hz: float
    sample_rate_hz: float | None

    def is_at(self, frequency_hz: float) -> bool:
        rate_hz = self.sample_rate_hz
        width_hz = _SHARE_OF_RATE * rate_hz if rate_hz is not None and np.isfinite(rate_hz) else 0.0
        return abs(self.frequency_hz - frequency_hz) <= max(width_hz, _SHARE_OF_FREQUENCY * frequency_hz)

    def holds(self, frequency_hz: float, width_hz: float | None) -> bool:
        """Whether a channel of that width about that frequency lies in what was recorded; None: half of all that was."""
        rate_hz = self.sample_rate_hz or math.inf
        if self.is_at(frequency_hz) or not math.isfinite(rate_hz):
            return self.is_at(frequency_hz)
        needed_hz = 0.5 * rate_hz if width_hz is None else width_hz
        return abs(self.frequency_hz - frequency_hz) + 0.5 * needed_hz <= 0.5 * WITHIN * rate_hz

    def moves(self, frequency_hz: float, count: int) -> bool:
        """Whether so many samples must be shifted to be centred at that frequency."""
        if self.sample_rate_hz is None or not np.isfinite(self.sample_rate_hz):
            return False
        return abs(self.frequency_hz - frequency_hz) * count > _LEAST_TURNS * self.sample_rate_hz > 0

    def flaw(self, frequency_hz: float) -> str:
        """Why it does not serve, where it does not hold the channel."""
        rate = "what" if self.sample_rate_hz is None else f"the {self.sample_rate_hz:.6g} Hz that"
        return f"it listened at {self.frequency_hz:.12g} Hz: {frequency_hz:.12g} Hz is outside {rate} it recorded"

    def note(self, name: str, frequency_hz: float) -> str:
        return f"{name} listened at {self.frequency_hz:.12g} Hz: its samples are shifted to {frequency_hz:.12g} Hz"


def common_frequency_hz(tunings: Sequence[Tuning]) -> float:
    """The frequency that most listened at; of those alike, the one that most state."""

    def support(candidate: Tuning) -> tuple[int, int]:
        near = sum(each.is_at(candidate.frequency_hz) for each in tunings)
        return near, sum(each.frequency_hz == candidate.frequency_hz for each in tunings)

    return max(tunings, key=support).frequency_hz


def tuned_to(frequency_hz: float, samples: NDArray[np.complex64], tuning: Tuning) -> NDArray[np.complex64]:
    """The samples as if they had been taken around that frequency; as they are where the shift is nothing."""
    if not tuning.moves(frequency_hz, len(samples)):
        return samples
    assert tuning.sample_rate_hz is not None
    return shifted(samples, frequency_hz - tuning.frequency_hz, tuning.sample_rate_hz)
