"""What was heard: the one type that every reader and the simulator make."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

NOT_READ = "not read: "
"""What a note begins with that tells of a part of the input that could not be read."""


class ClockClass(StrEnum):
    """How exact a receiver's time stamps are, by their standard deviation."""

    GOOD = "100 ns or better"
    FAIR = "10 us or better"
    POOR = "worse than 10 us"
    NONE = "none"

    @classmethod
    def of(cls, clock_sigma_s: float | None) -> ClockClass:
        """None is no clock. GPS reaches the first class, a reference transmitter the second, network time the third."""
        if clock_sigma_s is None:
            return cls.NONE
        if clock_sigma_s <= 100e-9:
            return cls.GOOD
        return cls.FAIR if clock_sigma_s <= 10e-6 else cls.POOR


@dataclass(frozen=True)
class Place:
    """A WGS84 position: degrees, and metres above the ellipsoid (None where nobody knows)."""

    latitude_deg: float
    longitude_deg: float
    height_m: float | None = None


@dataclass(frozen=True)
class Receiver:
    """A receiver as its owner describes it, unchecked; `Reception.flaw` says what cannot be right."""

    name: str
    latitude_deg: float
    longitude_deg: float
    height_m: float = 0.0
    clock_sigma_s: float | None = None
    """Standard deviation of its time stamps against UTC; None: no clock to rely on."""
    level_sigma_db: float | None = None
    """Standard deviation of its level calibration; None: unknown, the estimators take their own."""
    position_sigma_m: float | None = None
    """Standard deviation of its place along each horizontal axis; None: nobody says."""

    @property
    def clock_class(self) -> ClockClass:
        return ClockClass.of(self.clock_sigma_s)


@dataclass(frozen=True, eq=False)
class Reception:
    """What one receiver heard: IQ, or an arrival time, or a received power, or any of them together."""

    receiver: Receiver
    samples: NDArray[np.complex64] | None = None
    """Complex baseband around the observation's centre frequency, shape (sample count,)."""
    sample_rate_hz: float | None = None
    start_s: float = 0.0
    """Time of the first sample by this receiver's clock, in s after the observation's `time_utc`."""
    toa_s: float | None = None
    """Arrival time by this receiver's clock, in s after any origin that all receptions share."""
    toa_step_s: float | None = None
    """Step of the last digit that it is written with; None if unknown, or if its clock is no better than that."""
    rssi_dbm: float | None = None
    rssi_sigma_db: float | None = None
    """Standard deviation of the received power beyond shadowing; None: unknown."""
    sensitivity_dbm: float | None = None
    """The weakest power it would have reported: without `rssi_dbm` it listened and heard nothing. None: unknown."""
    flaw: str | None = None
    """Why this reception must not be used, found by its reader; None: nothing known against it."""
    correction: str | None = None
    """What calibration had found of its receiver and was taken off, in words; None: nothing was."""


@dataclass(frozen=True, eq=False)
class Observation:
    """One transmission as several receivers heard it.

    `bandwidth_hz` is the width of the channel to search the signal in; `transmitter_height_m` is known or None.
    """

    id: str
    frequency_hz: float
    bandwidth_hz: float
    receptions: tuple[Reception, ...]
    time_utc: datetime | None = None
    transmitter_height_m: float | None = None
    truth: Place | None = None
    notes: tuple[str, ...] = field(default=())
    """What the reader decided on the way, one sentence each, for the operator."""

    @property
    def usable(self) -> tuple[Reception, ...]:
        """The receptions without a flaw, in their order."""
        return tuple(each for each in self.receptions if each.flaw is None)

    @property
    def usable_receivers(self) -> tuple[Receiver, ...]:
        return tuple(each.receiver for each in self.usable)
