"""Fixes of what was recorded, as the history shows them: chosen by time and frequency, on the map and in a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from heimdall.errors import InputError
from heimdall.formats.quantities import hertz
from heimdall.formats.wording import coordinates_text, frequency_text
from heimdall.service.database.tables import StoredFix
from heimdall.service.storage.fixes import Wanted
from heimdall.web.map.evidence_grid import box_of
from heimdall.web.map.fix_view import EMPTY, Scene

SPANS_S = {
    "3600": "last hour",
    "86400": "last 24 hours",
    "604800": "last 7 days",
    "2592000": "last 30 days",
    "": "all time",
}
_MARGIN = 1.3
_LEAST_DEG = 0.25
"""Round each fix: one alone is shown with what is around it."""


@dataclass(frozen=True)
class PastFix:
    """One fix of the history."""

    session_id: str
    name: str
    at_unix_s: float
    frequency_hz: float
    status: str
    latitude_deg: float | None
    longitude_deg: float | None

    @property
    def time(self) -> str:
        return time_text(self.at_unix_s)

    def to_row(self, index: int) -> dict[str, Any]:
        known = self.latitude_deg is not None and self.longitude_deg is not None
        place = coordinates_text(self.latitude_deg or 0.0, self.longitude_deg or 0.0) if known else "no position"
        frequency = frequency_text(self.frequency_hz)
        return {"index": index, "time": self.time, "frequency": frequency, "status": self.status, "place": place}


def past_fix(stored: StoredFix) -> PastFix:
    return PastFix(**{name: getattr(stored, name) for name in PastFix.__dataclass_fields__})


def time_text(unix_s: float) -> str:
    return f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%d %H:%M:%S}"


def wanted_of(span: str, low: str, high: str, now_unix_s: float) -> Wanted:
    """Empty: no limit. Raises InputError for what is no frequency, or no band."""
    low_hz, high_hz = (hertz(text) if text.strip() else None for text in (low, high))
    if low_hz is not None and high_hz is not None and low_hz > high_hz:
        raise InputError(f"{low} is above {high}: write the lower frequency first")
    return Wanted(since_unix_s=now_unix_s - float(span) if span else None, low_hz=low_hz, high_hz=high_hz)


def in_span(fixes: Sequence[PastFix], since_unix_s: float, until_unix_s: float) -> list[int]:
    """Indices, both ends included."""
    return [index for index, fix in enumerate(fixes) if since_unix_s <= fix.at_unix_s <= until_unix_s]


def history_scene(fixes: Sequence[PastFix], shown: Sequence[int], *, stay: bool = False) -> Scene:
    """The fixes that are shown, in a view of them all. `stay`: the view stays where it is."""
    points = [_point(fix) for fix in fixes if fix.latitude_deg is not None]
    if not points:
        return EMPTY
    marks = [
        {
            "index": index,
            "name": f"{fixes[index].time} UTC, {frequency_text(fixes[index].frequency_hz)}: {fixes[index].status}",
            "latitude_deg": fixes[index].latitude_deg,
            "longitude_deg": fixes[index].longitude_deg,
        }
        for index in shown
        if fixes[index].latitude_deg is not None
    ]
    corners = np.array(points, dtype=float)
    around = np.concatenate([corners - _LEAST_DEG, corners + _LEAST_DEG])
    bounds = box_of(around, _MARGIN).to_bounds()
    return {"features": [], "fixes": marks, "evidence": None, "bounds": bounds, "stay": stay}


def _point(fix: PastFix) -> tuple[float | None, float | None]:
    return fix.longitude_deg, fix.latitude_deg
