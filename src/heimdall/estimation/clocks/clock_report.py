"""What a reference transmitter says about receivers' clocks: an offset and a drift each, or why none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heimdall.estimation.clocks.clock_fit import ClockFit
from heimdall.evidence.iq.reference_channel import Match
from heimdall.transmitter import KnownTransmitter

Values = NDArray[np.float64]


@dataclass(frozen=True)
class ClockReport:
    """What the reference says of one receiver's clock; None where it says nothing."""

    receiver: str
    synchronised: bool
    """Its time is the reference's now."""
    reason: str | None = None
    distance_m: float | None = None
    """From the reference."""
    snr_db: float | None = None
    offset_s: float | None = None
    """What its first sample's stamp was ahead of the hub's clock by."""
    drift_ppm: float | None = None
    """Of its sampling against the hub's."""
    carrier_ppm: float | None = None
    """Of its tuning against the hub's: the same oscillator drifts alike."""
    residual_s: float | None = None
    """Root mean square of what offset and drift leave of the readings."""
    readings: int = 0
    clock_sigma_s: float | None = None


@dataclass(frozen=True, eq=False)
class Clock:
    """One receiver's time on the hub's: the hub's time at its own time u is `match`'s minus what `fit` finds, plus the paths'."""

    match: Match
    fit: ClockFit
    path_s: float
    """How much longer than to the hub the reference takes to it."""
    sigma_s: float

    def hub_time_s(self, own_s: Values) -> Values:
        """Both since the recordings' first samples."""
        predicted = self.match.offset_s + self.match.rate * own_s
        return np.asarray(predicted - self.fit(predicted) + self.path_s)


@dataclass(frozen=True, eq=False)
class Clocks:
    """What a reference says about the receptions of one observation, by their index."""

    transmitter: KnownTransmitter
    hub: int | None
    hub_sigma_s: float
    found: Mapping[int, Clock]
    reports: tuple[ClockReport, ...]
    hub_start_s: float = 0.0
    """Of the moment that the hub's time is counted from, after the observation's `time_utc`."""
    source: str = ""
    """Where the reference was recorded, in words, if elsewhere than in the observation."""
    anchored: bool = True
    """The hub has a clock of its own: its time is that of all who have one, and not the hub's alone."""
    refused: str | None = None
    """Why the reference gives nobody a clock."""
