"""The history of fixes as a file to take away: GeoJSON for maps, CSV for tables."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from heimdall.service.database.tables import StoredFix

_COLUMNS = ("time_utc", "name", "frequency_hz", "status", "latitude_deg", "longitude_deg", "session", "advice")


def to_geojson(fixes: Sequence[StoredFix]) -> bytes:
    """Estimates and regions, as `heimdall locate --output fix.geojson` has them, each with its time and frequency."""
    features = [feature for fix in fixes for feature in _features(fix)]
    document = {"type": "FeatureCollection", "features": features}
    return (json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n").encode()


def to_csv(fixes: Sequence[StoredFix]) -> bytes:
    """A line a fix, without regions."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(_COLUMNS)
    for fix in fixes:
        place = (fix.latitude_deg, fix.longitude_deg)
        advice = fix.document.get("advice", "")
        table.writerow([_time(fix), fix.name, fix.frequency_hz, fix.status, *place, fix.session_id, advice])
    return text.getvalue().encode()


def _features(fix: StoredFix) -> Iterator[dict[str, Any]]:
    about = {"fix": fix.id, "name": fix.name, "time_utc": _time(fix), "frequency_hz": fix.frequency_hz}
    known = fix.latitude_deg is not None and fix.longitude_deg is not None
    place = {"type": "Point", "coordinates": [fix.longitude_deg, fix.latitude_deg]} if known else None
    told = {"status": fix.status, "advice": fix.document.get("advice", ""), "session": fix.session_id}
    yield {"type": "Feature", "geometry": place, "properties": {**about, "kind": "estimate", **told}}
    for name, probability in (("region_68", 0.68), ("region_95", 0.95)):
        if (region := fix.document.get(name)) is not None:
            properties = {**about, "kind": "region", "probability": probability}
            yield {"type": "Feature", "geometry": region, "properties": properties}


def _time(fix: StoredFix) -> str:
    return datetime.fromtimestamp(fix.at_unix_s, UTC).isoformat()
