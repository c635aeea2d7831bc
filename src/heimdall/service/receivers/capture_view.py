"""What a job that records is doing, and what each receiver gave, for people and for the API."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from heimdall.service.database.tables import Job, StoredSession


class PartView(BaseModel):
    """One receiver in a recording."""

    name: str
    state: str = Field(
        description="State of the receiver: asking, ready, recording, done or failed.", examples=["recording"]
    )
    gave: str | None = Field(description="What the receiver gives; null if nothing.", examples=["iq with gps time"])
    seconds: float = Field(description="Length of what was received so far.")
    samples: int
    level_dbm: float | None
    latitude_deg: float | None
    longitude_deg: float | None
    reason: str | None = Field(
        description="Why the receiver gave nothing or stopped early.", examples=["all its 4 slots are taken"]
    )
    notes: list[str]


class CaptureView(BaseModel):
    """What a job is doing with its receivers."""

    stage: str = Field(
        description="Stage: asking, waiting, listening, reference, recording, synchronising or done.",
        examples=["listening"],
    )
    listener: str | None = Field(description="Receiver that listens for the signal.")
    next_utc: datetime | None = Field(description="When the next recording begins.")
    recordings: int = Field(description="Number of complete recordings.")
    receivers: list[PartView] = Field(description="Receivers in the recording under way, or in the last one.")


class RecordedView(BaseModel):
    """How a session was recorded."""

    frequency_hz: float
    bandwidth_hz: float
    receivers: list[PartView]


def view_capture(job: Job) -> CaptureView | None:
    """None of a job that records nothing, or has not begun."""
    document = job.capture
    if not job.needs_capture or document is None:
        return None
    return CaptureView(
        stage=document.get("stage", "asking"),
        listener=document.get("listener"),
        next_utc=document.get("next_utc"),
        recordings=document.get("recordings", 0),
        receivers=[_view_part(part) for part in document.get("receivers", [])],
    )


def view_recorded(stored: StoredSession) -> RecordedView | None:
    """None of a session that was uploaded."""
    if stored.recorded is None:
        return None
    parts = [_view_part(part) for part in stored.recorded["receivers"]]
    return RecordedView.model_validate({**stored.recorded, "receivers": parts})


def _view_part(part: dict[str, Any]) -> PartView:
    longitude_deg, latitude_deg, *_ = (part.get("geolocation") or {}).get("coordinates") or (None, None)
    return PartView(
        name=part["name"],
        state=part["state"],
        gave=part.get("gave"),
        seconds=part.get("seconds", 0.0),
        samples=part.get("samples", 0),
        level_dbm=part.get("level_dbm"),
        latitude_deg=latitude_deg,
        longitude_deg=longitude_deg,
        reason=part.get("reason"),
        notes=part.get("notes", []),
    )
