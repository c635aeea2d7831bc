"""What every driver of a receiver offers, and what passes between a driver and those who record.

A driver is a small module in `heimdall.capture.drivers` with one class. Its coroutines run on one event loop for all receivers.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from heimdall.capture.network.access import Access
from heimdall.capture.network.address import Address
from heimdall.formats.readers.sigmf.data import samples_of
from heimdall.observation import Place


class Gives(StrEnum):
    """What a receiver can give, the best first."""

    IQ_WITH_GPS_TIME = "iq with gps time"
    IQ = "iq"
    LEVEL = "level"


@dataclass(frozen=True)
class Target:
    """A receiver as the operator added it."""

    name: str
    address: Address
    password: str | None = field(default=None, repr=False)
    place: Place | None = None
    """Where it is, if the operator says so; what the receiver says of itself does not matter then."""
    position_sigma_m: float | None = None
    gain_db: float | None = None
    """Gain of the tuner; None leaves it to the driver."""
    ppm: float = 0.0
    """Known error of the oscillator in parts per million, which the driver has corrected where it can."""


@dataclass(frozen=True)
class ReceiverStatus:
    """What a receiver says of itself. None: it does not say."""

    gives: Gives
    title: str = ""
    place: Place | None = None
    position_sigma_m: float | None = None
    """Standard deviation that the digits of its place leave."""
    users: int | None = None
    slots: int | None = None
    gps_satellites: int | None = None
    gps_fixes_per_minute: int | None = None
    snr_db: float | None = None
    antenna: str = ""
    band_hz: tuple[float, float] | None = None
    """Lowest and highest frequency it receives."""
    tdoa_name: str = ""
    """The name under which its operator offers it for TDoA."""
    software: str = ""
    fault: str | None = None
    """Why it cannot be recorded now, as a sentence; None: it can."""
    notes: tuple[str, ...] = ()
    """What the operator should know, one sentence each."""

    @property
    def has_gps(self) -> bool:
        return bool(self.gps_satellites) or bool(self.gps_fixes_per_minute)


@dataclass(frozen=True)
class Tuning:
    """What to receive: a channel `bandwidth_hz` wide, centred on `frequency_hz`."""

    frequency_hz: float
    bandwidth_hz: float
    widest_hz: float = 0.0
    """Width of the widest channel that the same stream will be retuned to."""

    @property
    def edges_hz(self) -> tuple[float, float]:
        return self.frequency_hz - self.bandwidth_hz / 2, self.frequency_hz + self.bandwidth_hz / 2


@dataclass(frozen=True)
class StreamFormat:
    """How the samples of a stream lie in its blocks."""

    datatype: str
    """SigMF's word, such as ci16_be; ignored for levels."""
    sample_rate_hz: float
    """Rate as the receiver states it; its time stamps tell it more exactly."""
    frequency_hz: float
    """The frequency at zero of the baseband."""
    gives: Gives
    level_sigma_db: float | None = None
    """Standard deviation of its level calibration; None: nobody says."""
    clock_sigma_s: float | None = None
    """Standard deviation of its stamps, where whoever made them says it; else it is found from the stamps."""
    live: bool = True
    """False: a recording, whose first samples wait until somebody reads them."""


@dataclass(frozen=True)
class Block:
    """Samples that follow each other without a gap, or one level."""

    data: bytes
    """Samples in the datatype of the stream; empty for a level."""
    count: int
    """Complex samples in `data`."""
    host_utc_ns: int
    """When this computer received the block, or its first block and the count of samples since: UTC in ns since 1970."""
    gps_utc_ns: int | None = None
    """UTC of the first sample in ns since 1970 by the receiver's own clock; None where it has none."""
    gps_age_s: int | None = None
    """Age of the GPS solution behind `gps_utc_ns`; 254 and above: none that is recent."""
    lost: bool = False
    """Samples before this block were lost."""
    level_dbm: float | None = None
    """Received power in the channel, as the receiver measures it."""

    def samples(self, datatype: str) -> NDArray[np.complex64]:
        """Integers come out between -1 and 1."""
        return samples_of(self.data, datatype)


class Stream(Protocol):
    """An open receiver. Iterating raises CaptureError when it ends by a fault."""

    format: StreamFormat

    def __aiter__(self) -> AsyncGenerator[Block, None]: ...


@runtime_checkable
class RetunableStream(Stream, Protocol):
    """A stream that can be tuned to another channel while its samples run on without a gap.

    `host_utc_ns` of its blocks follows from the count of samples alone, from the first block on.
    """

    async def retune(self, tuning: Tuning) -> None:
        """The next block is of the new channel, in the format that `format` then has. Raises CaptureError."""
        ...


class Driver(Protocol):
    """One kind of receiver. No method follows a redirect, and none reaches an address that `access` does not allow."""

    kind: ClassVar[str]
    """Kind of receiver, as in the scheme of its address."""

    async def probe(self, target: Target, access: Access) -> ReceiverStatus:
        """Ask for its state without taking a slot. Raises CaptureError where no receiver of this kind answers."""
        ...

    def open(self, target: Target, tuning: Tuning, access: Access) -> AbstractAsyncContextManager[Stream]:
        """Take a slot, tune, and stream until the context ends. Entering raises CaptureError."""
        ...
