"""What a stored session says of itself: counts, times, frequencies, receivers and the known transmitter."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime

from pydantic import BaseModel, Field, ValidationError

from heimdall.formats.wording import frequency_text
from heimdall.observation import NOT_READ, Observation, Place, Receiver, Reception

_MOST_RECEIVERS = 500
_MOST_NOTES = 20
_SAME_DEG = 1e-9


class HeardBy(BaseModel):
    """A receiver of a session."""

    name: str
    latitude_deg: float | None
    longitude_deg: float | None
    height_m: float
    clock: str = Field(description="Clock class of the receiver.", examples=["100 ns or better"])
    clock_sigma_s: float | None
    flaw: str | None = Field(description="Why its reception is not used.")


class Truth(BaseModel):
    """Where the transmitter was."""

    latitude_deg: float = Field(ge=-90, le=90, examples=[50.0155])
    longitude_deg: float = Field(ge=-180, le=180, examples=[9.0108])
    height_m: float | None = Field(default=None, ge=-1000, le=100_000)

    def to_place(self) -> Place:
        return Place(**self.model_dump())


class Summary(BaseModel):
    """What a reader found in a session."""

    observations: int
    with_truth: int = Field(description="Number of observations whose transmitter is known.")
    truth: Truth | None = Field(description="Position of the known transmitter, if it is the same for all.")
    carries: list[str] = Field(description="What the observations contain, of iq, times and powers.", examples=[["iq"]])
    frequency_hz: tuple[float, float] = Field(description="Lowest and highest frequency.")
    first_utc: datetime | None
    receivers: list[HeardBy] = Field(description=f"Receivers, at most {_MOST_RECEIVERS}.")
    notes: list[str]


def summarise(observations: Sequence[Observation]) -> Summary:
    """What the list of sessions shows of one, from what its files hold."""
    places = [observation.truth for observation in observations if observation.truth is not None]
    frequencies_hz = [observation.frequency_hz for observation in observations]
    times = [observation.time_utc for observation in observations if observation.time_utc is not None]
    notes = dict.fromkeys(note for observation in observations for note in observation.notes)
    # What is missing is told before anything that would crowd it out.
    told = sorted(notes, key=lambda note: not note.startswith(NOT_READ))
    return Summary(
        observations=len(observations),
        with_truth=len(places),
        truth=_common(places) if len(places) == len(observations) else None,
        carries=_carries(observations),
        frequency_hz=(min(frequencies_hz), max(frequencies_hz)),
        first_utc=min(times, default=None),
        receivers=_receivers(observations),
        notes=told[:_MOST_NOTES],
    )


def default_name(summary: Summary) -> str:
    """Frequency and day, for an upload without a name."""
    frequency = frequency_text(summary.frequency_hz[0])
    return f"{frequency}, {summary.first_utc:%Y-%m-%d %H:%M}" if summary.first_utc else frequency


def _carries(observations: Iterable[Observation]) -> list[str]:
    receptions = [reception for observation in observations for reception in observation.receptions]
    found = {
        "iq": any(reception.samples is not None for reception in receptions),
        "times": any(reception.toa_s is not None for reception in receptions),
        "powers": any(reception.rssi_dbm is not None for reception in receptions),
    }
    return [name for name, there in found.items() if there]


def _common(places: Sequence[Place]) -> Truth | None:
    first = places[0]
    same = all(
        abs(place.latitude_deg - first.latitude_deg) < _SAME_DEG
        and abs(place.longitude_deg - first.longitude_deg) < _SAME_DEG
        for place in places
    )
    try:
        return Truth(**vars(first)) if same else None
    except ValidationError:
        return None


def _receivers(observations: Iterable[Observation]) -> list[HeardBy]:
    """Each once, by name; one that is sound somewhere is told without a flaw."""
    found: dict[str, Reception] = {}
    for observation in observations:
        for reception in observation.receptions:
            name = reception.receiver.name
            if name not in found or (found[name].flaw is not None and reception.flaw is None):
                found[name] = reception
    return [_heard_by(reception.receiver, reception.flaw) for reception in list(found.values())[:_MOST_RECEIVERS]]


def _heard_by(receiver: Receiver, flaw: str | None) -> HeardBy:
    known = math.isfinite(receiver.latitude_deg + receiver.longitude_deg)
    return HeardBy(
        name=receiver.name,
        latitude_deg=receiver.latitude_deg if known else None,
        longitude_deg=receiver.longitude_deg if known else None,
        height_m=receiver.height_m if math.isfinite(receiver.height_m) else 0.0,
        clock=receiver.clock_class.value,
        clock_sigma_s=_finite(receiver.clock_sigma_s),
        flaw=flaw,
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
