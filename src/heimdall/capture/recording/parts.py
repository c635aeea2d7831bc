"""What each receiver contributes to a recording, as data: for the session on disk, the command line, and a page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from heimdall.capture import LEAST_RECEIVERS
from heimdall.capture.faults import CaptureError, Fault
from heimdall.capture.interface import Gives, ReceiverStatus, Target
from heimdall.errors import HeimdallError
from heimdall.formats.writers.sigmf_write import point_json
from heimdall.observation import Place


class Stage(StrEnum):
    """How far a receiver has come."""

    ASKING = "asking"
    READY = "ready"
    RECORDING = "recording"
    DONE = "done"
    FAILED = "failed"


@dataclass
class Part:
    """What one receiver contributes. `reason` is why it stopped early or gave nothing."""

    name: str
    stage: Stage = Stage.ASKING
    gives: Gives | None = None
    place: Place | None = None
    seconds: float = 0.0
    samples: int = 0
    level_dbm: float | None = None
    level_sigma_db: float | None = None
    reason: str | None = None
    fault: Fault | None = None
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The entry in a session's collection, see docs/reference/formats.md."""
        place = self.place
        return {
            "name": self.name,
            "state": self.stage.value,
            "gave": None if self.gives is None or not (self.samples or self.gives is Gives.LEVEL) else self.gives.value,
            "seconds": round(self.seconds, 3),
            "samples": self.samples,
            "geolocation": None
            if place is None
            else point_json(place.latitude_deg, place.longitude_deg, place.height_m),
            **({"level_dbm": self.level_dbm} if self.gives is Gives.LEVEL and self.level_dbm is not None else {}),
            **({"level_sigma_db": self.level_sigma_db} if self.gives is Gives.LEVEL and self.level_sigma_db else {}),
            "reason": self.reason,
            "notes": self.notes,
        }


@dataclass(frozen=True)
class Recorded:
    """A session on disk, and each receiver's part in it."""

    collection: Path
    parts: tuple[Part, ...]

    @property
    def folder(self) -> Path:
        return self.collection.parent

    @property
    def useful(self) -> int:
        """Receivers that gave something."""
        return sum(
            1 for part in self.parts if part.samples or (part.gives is Gives.LEVEL and part.level_dbm is not None)
        )

    def check(self) -> None:
        """Raises HeimdallError where too few receivers gave anything."""
        if self.useful < LEAST_RECEIVERS:
            raise HeimdallError(
                f"{self.useful} of {len(self.parts)} receivers gave anything: at least {LEAST_RECEIVERS} are needed"
            )


OnChange = Callable[[Part], None]


def place_of(target: Target, status: ReceiverStatus) -> Place:
    """Where a receiver is. Raises CaptureError where nobody can say."""
    place = target.place or status.place
    if place is None:
        raise CaptureError(Fault.PLACE, "it does not say where it is: give its place")
    if (place.latitude_deg, place.longitude_deg) == (0.0, 0.0):
        raise CaptureError(Fault.PLACE, "it says that it is at 0, 0, where nobody is: give its place")
    if not (abs(place.latitude_deg) <= 90 and abs(place.longitude_deg) <= 180):
        raise CaptureError(Fault.PLACE, "it says a place that is none on earth: give its place")
    return place
