"""Fixes as the API answers with them: what `heimdall locate --json` has, and what they were made from."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, Field

from heimdall.formats.reports import fix_document
from heimdall.locating.information_share import bound_m
from heimdall.locating.located import Located
from heimdall.observation import Observation, Receiver
from heimdall.service.concurrent_locating import LocatedSession


class ReceiverView(BaseModel):
    name: str
    used: bool
    reason: str | None
    residual_m: float | None = Field(description="How late its signal came relative to the fix, as a length.")
    latitude_deg: float | None = Field(description="Position that was used; null if unknown.")
    longitude_deg: float | None
    height_m: float | None
    correction: str | None = Field(None, description="Correction from calibration that was taken off before locating.")


class TruthView(BaseModel):
    latitude_deg: float
    longitude_deg: float
    error_m: float
    inside_68: bool
    inside_95: bool


class WithoutView(BaseModel):
    receiver: str = Field(description="The most suspicious receiver, which is left out here.")
    status: str
    latitude_deg: float | None
    longitude_deg: float | None
    reach_m: float | None = Field(description="Distance from this position to the furthest point of its 95 % region.")


class NearView(BaseModel):
    name: str = Field(examples=["DCF77"])
    frequency_hz: float = Field(examples=[77_500.0])
    distance_m: float = Field(description="Distance of this transmitter from the position.", examples=[240.0])


class FixView(BaseModel):
    id: str
    status: str = Field(description="Status: ok, power-only, ambiguous, inconsistent or insufficient.", examples=["ok"])
    advice: str
    frequency_hz: float = Field(examples=[77_500.0])
    time_utc: datetime | None = Field(description="When the signal was heard; null if the recording does not say.")
    latitude_deg: float | None
    longitude_deg: float | None
    height_m: float | None = Field(description="Height above the ellipsoid; null if neither given nor determined.")
    height_sigma_m: float | None = Field(description="Standard deviation of the height; 0 if it was given.")
    protection_level_m: float | None = Field(
        None,
        description="If the status is ok: the radius around the position that holds the transmitter with 95 % even if one "
        "arrival time is wrong; null where the position would be open then, and without arrival times.",
    )
    covariance_enu_m2: list[list[float]] | None = Field(
        description="Covariance of the position error in east, north and up, to fit the 95 % region."
    )
    region_68: dict[str, Any] | None = Field(description="The 68 % region as a GeoJSON geometry.")
    region_95: dict[str, Any] | None = Field(description="The 95 % region as a GeoJSON geometry.")
    bound_m: float | None = Field(
        description="Cramér-Rao bound: no unbiased method can have a smaller root mean square error with what was measured; "
        "null where it does not exist."
    )
    method: str
    elapsed_ms: float
    receivers: list[ReceiverView]
    truth: TruthView | None
    notes: list[str] = Field([], description="What the reader decided, and what it could not read.")
    without: WithoutView | None = Field(
        description="If the status is inconsistent: the fix without the most suspicious receiver, where there is one."
    )
    near: NearView | None = Field(
        None, description="The nearest known transmitter on this frequency in the 95 % region."
    )


class FixesView(BaseModel):
    fixes: list[FixView]
    model: str | None = Field(description="Id of the model that was used; null if none was.")


def fixes_document(answer: LocatedSession) -> dict[str, Any]:
    """A FixesView in the form in which it is sent."""
    pairs = zip(answer.located, answer.observations, strict=True)
    return {
        "fixes": [_fix(located, observation) for located, observation in pairs],
        "model": None if answer.model is None else answer.model.id,
    }


def _fix(located: Located, observation: Observation) -> dict[str, Any]:
    places = {each.receiver.name: _place(each.receiver) for each in observation.receptions}
    time_utc = observation.time_utc
    return {
        **fix_document(located.fix, observation),
        "frequency_hz": observation.frequency_hz,
        "time_utc": None if time_utc is None else time_utc.astimezone(UTC).isoformat(),
        "bound_m": bound_m(located),
        "receivers": [{**vars(report), **places.get(report.name, {})} for report in located.fix.receivers],
    }


def _place(receiver: Receiver) -> dict[str, float | None]:
    values = {name: getattr(receiver, name) for name in ("latitude_deg", "longitude_deg", "height_m")}
    return {name: value if math.isfinite(value) else None for name, value in values.items()}
