"""Transmitters whose place is known: truths of sessions, references of clocks, and names for what was found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from heimdall.errors import InputError
from heimdall.fix import Fix, Near, joined_advice
from heimdall.geometry import geodesic_distance_m
from heimdall.observation import Observation, Place


class Kind(StrEnum):
    """What a transmitter is; it tells how wide its signal is where nobody says."""

    TIME_SIGNAL = "time-signal"
    AM = "am"
    FM = "fm"
    DAB = "dab"
    TELEVISION = "television"
    BEACON = "beacon"
    OTHER = "other"


_BANDWIDTH_HZ = {
    Kind.TIME_SIGNAL: 1e3,
    Kind.AM: 9e3,
    Kind.FM: 180e3,
    Kind.DAB: 1.536e6,
    Kind.TELEVISION: 7.6e6,
    Kind.BEACON: 2.5e3,
    Kind.OTHER: 10e3,
}
"""Channels as they are licensed: of time signals what long-wave antennas let through, of FM 15 kHz at 75 kHz deviation
(Carson), of television DVB-T in 8 MHz."""
_NETWORKS = (Kind.DAB, Kind.TELEVISION)
_POSITION_SIGMA_M = 30.0
"""Standard deviation of a position that somebody read off a map."""


class KnownTransmitter(BaseModel):
    """One transmitter on one frequency."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str = Field(
        min_length=1,
        max_length=64,
        description="Name of the transmitter, unique whatever its case.",
        examples=["DCF77"],
    )
    latitude_deg: float = Field(ge=-90, le=90, description="Latitude of its antenna, WGS 84.", examples=[50.01556])
    longitude_deg: float = Field(
        ge=-180, le=180, description="Longitude of its antenna, east of Greenwich.", examples=[9.01083]
    )
    height_m: Annotated[float, Field(ge=-1000, le=100_000)] | None = Field(
        default=None, description="Height of its antenna above the ellipsoid; null if unknown.", examples=[200.0]
    )
    frequency_hz: float = Field(gt=0, lt=1e12, description="Centre frequency of its channel.", examples=[77_500.0])
    kind: Kind = Field(default=Kind.OTHER, description="Kind of transmitter, which tells how wide its signal is.")
    bandwidth_hz: Annotated[float, Field(gt=0, lt=1e9)] | None = Field(
        default=None, description="Width of its channel; null for that of its kind.", examples=[1000.0]
    )
    position_sigma_m: float = Field(
        default=_POSITION_SIGMA_M,
        ge=0,
        le=1e6,
        description="Standard deviation of its position along each axis; a position in whole minutes of arc is good to 600 m.",
        examples=[100.0],
    )
    source: str = Field(default="", max_length=400, description="Source of these data.", examples=["PTB"])

    @field_validator("name", "source")
    @classmethod
    def _one_line(cls, value: str) -> str:
        if not value.isprintable() or value != value.strip():
            raise ValueError("text on one line, without blanks around it, is expected")
        return value

    @property
    def channel_hz(self) -> float:
        return self.bandwidth_hz or _BANDWIDTH_HZ[self.kind]

    @property
    def place(self) -> Place:
        return Place(self.latitude_deg, self.longitude_deg, self.height_m)

    @property
    def one_place(self) -> bool:
        """Not one of a network that sends the same on the same frequency from many places."""
        return self.kind not in _NETWORKS


def named(transmitters: Iterable[KnownTransmitter], name: str) -> KnownTransmitter:
    """The transmitter of that name, in whatever case. Raises InputError where there is none."""
    if (found := find_named(transmitters, name)) is None:
        raise InputError(
            f"no known transmitter is called {name!r}: `heimdall transmitters list` names them, `heimdall transmitters add` "
            "adds one"
        )
    return found


def find_named(transmitters: Iterable[KnownTransmitter], name: str) -> KnownTransmitter | None:
    """As `named`, but None if there is none."""
    wanted = name.strip().casefold()
    return next((each for each in transmitters if each.name.casefold() == wanted), None)


def with_near(fix: Fix, observation: Observation, transmitters: Iterable[KnownTransmitter]) -> Fix:
    """The fix of that observation, with the known transmitter that it may well be, or with a word on the one that it is not."""
    on_frequency = _on_frequency(transmitters, observation.frequency_hz, observation.bandwidth_hz)
    found = near(fix, observation.frequency_hz, observation.bandwidth_hz, on_frequency)
    elsewhere = None if found is not None else _elsewhere(fix, on_frequency)
    return replace(fix, near=found, advice=joined_advice(fix.advice, elsewhere))


def near(fix: Fix, frequency_hz: float, bandwidth_hz: float, transmitters: Iterable[KnownTransmitter]) -> Near | None:
    """The nearest known transmitter on the observation's frequency that stands in the fix's 95 % region."""
    if fix.region_95 is None:
        return None
    region = fix.region_95
    held = [
        each
        for each in _on_frequency(transmitters, frequency_hz, bandwidth_hz)
        if region.contains(each.latitude_deg, each.longitude_deg)
    ]
    return _nearest(fix, held)


def _on_frequency(
    transmitters: Iterable[KnownTransmitter], frequency_hz: float, bandwidth_hz: float
) -> list[KnownTransmitter]:
    return [
        each
        for each in transmitters
        if abs(each.frequency_hz - frequency_hz) <= 0.5 * max(bandwidth_hz, each.channel_hz)
    ]


def _nearest(fix: Fix, transmitters: Iterable[KnownTransmitter]) -> Near | None:
    if fix.latitude_deg is None or fix.longitude_deg is None:
        return None
    found = [
        Near(
            each.name,
            each.frequency_hz,
            geodesic_distance_m(fix.latitude_deg, fix.longitude_deg, each.latitude_deg, each.longitude_deg),
        )
        for each in transmitters
    ]
    return min(found, key=lambda each: each.distance_m, default=None)


def _elsewhere(fix: Fix, on_frequency: Iterable[KnownTransmitter]) -> str | None:
    """Says that the known transmitter of this frequency stands elsewhere: receivers that are all misplaced alike look sound."""
    other = _nearest(fix, (each for each in on_frequency if each.one_place))
    if other is None or fix.region_95 is None:
        return None
    return (
        f"{other.name}, known on this frequency, is {other.distance_m / 1e3:.0f} km from there: if it was heard, check the"
        " receivers' positions and clocks"
    )
