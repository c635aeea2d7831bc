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
    residual_m: float | None = Field(description="How late its signal came, as a length.")
    latitude_deg: float | None = Field(description="Where it stood; null where nobody knew.")
    longitude_deg: float | None
    height_m: float | None
    correction: str | None = Field(None, description="What calibration had found of it and was taken off.")


class TruthView(BaseModel):
    latitude_deg: float
    longitude_deg: float
    error_m: float
    inside_68: bool
    inside_95: bool


class WithoutView(BaseModel):
    receiver: str = Field(description="The one that is most likely wrong, and left out here.")
    status: str
    latitude_deg: float | None
    longitude_deg: float | None
    reach_m: float | None = Field(description="From that place to the furthest point of its 95 % region.")


class NearView(BaseModel):
    name: str = Field(examples=["DCF77"])
    frequency_hz: float = Field(examples=[77_500.0])
    distance_m: float = Field(description="From the position.", examples=[240.0])


class FixView(BaseModel):
    id: str
    status: str = Field(description="ok, power-only, ambiguous, inconsistent or insufficient.", examples=["ok"])
    advice: str
    frequency_hz: float = Field(examples=[77_500.0])
    time_utc: datetime | None = Field(description="When it was heard; null where the recording does not say.")
    latitude_deg: float | None
    longitude_deg: float | None
    height_m: float | None = Field(description="Above the ellipsoid; null: neither given nor determined.")
    height_sigma_m: float | None = Field(description="0 where the height was given.")
    covariance_enu_m2: list[list[float]] | None = Field(
        description="Of east, north and up about the position, as the 95 % region has it."
    )
    region_68: dict[str, Any] | None = Field(description="A GeoJSON geometry.")
    region_95: dict[str, Any] | None = Field(description="A GeoJSON geometry.")
    bound_m: float | None = Field(
        description="Cramér-Rao bound: no unbiased method can have a smaller root mean square error with what was measured; "
        "null where it does not exist."
    )
    method: str
    elapsed_ms: float
    receivers: list[ReceiverView]
    truth: TruthView | None
    notes: list[str] = Field([], description="What the reader decided on the way, and what it could not read.")
    without: WithoutView | None = Field(description="Where the status is inconsistent: the fix without that receiver.")
    near: NearView | None = Field(
        None, description="A known transmitter on this frequency that stands in the 95 % region, the nearest."
    )


class FixesView(BaseModel):
    fixes: list[FixView]
    model: str | None = Field(description="Id of the model that was asked; null: none was.")


def fixes_document(answer: LocatedSession) -> dict[str, Any]:
    """A FixesView, as it is sent."""
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
