"""A channel is no wider than what was recorded of it, whoever stated its width."""

from __future__ import annotations

import math
from dataclasses import replace

from heimdall.observation import Observation

_ROUNDING = 1.01
"""A channel may reach this much out of the recordings by rounding."""


def within_recordings(observation: Observation) -> Observation:
    """The observation with a channel that two of its recordings hold, the widest such, and a note where that is narrower.

    A receiver that recorded less than the channel keeps its own rate. Without recordings the channel is as it is stated.
    """
    stated_hz, recorded_hz = observation.bandwidth_hz, _recorded_hz(observation)
    if recorded_hz is None or stated_hz <= _ROUNDING * recorded_hz:
        return observation
    note = (
        f"a channel of {stated_hz:.6g} Hz is wider than what was recorded: the {recorded_hz:.6g} Hz that were recorded are"
        " used"
    )
    return replace(observation, bandwidth_hz=recorded_hz, notes=(*observation.notes, note))


def _recorded_hz(observation: Observation) -> float | None:
    """The second highest sample rate: one receiver alone says nothing, and its rate may be stated in another unit."""
    rates_hz = [
        each.sample_rate_hz
        for each in observation.usable
        if each.samples is not None and each.sample_rate_hz is not None
    ]
    sound_hz = sorted(rate_hz for rate_hz in rates_hz if 0 < rate_hz < math.inf)
    return sound_hz[-2:][0] if sound_hz else None
