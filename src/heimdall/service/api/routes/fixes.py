"""The history: positions of what was recorded, by time and frequency."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, BaseModel, Field

from heimdall.service.api.dependencies import UsesParts, Viewer
from heimdall.service.api.http.attachments import attachment
from heimdall.service.api.http.problems import documented
from heimdall.service.database.tables import StoredFix
from heimdall.service.queue.request_base import Id
from heimdall.service.storage import fix_files, fixes
from heimdall.service.storage.fixes import Wanted

router = APIRouter(prefix="/fixes", tags=["fixes"], responses=documented(401, 403, 422, 503))


class Form(StrEnum):
    JSON = "json"
    GEOJSON = "geojson"
    CSV = "csv"


_FILES = {
    Form.GEOJSON: (fix_files.to_geojson, "application/geo+json", "object"),
    Form.CSV: (fix_files.to_csv, "text/csv; charset=utf-8", "string"),
}
_OTHER_FORMS = {media.partition(";")[0]: {"schema": {"type": kind}} for _, media, kind in _FILES.values()}


class KeptFix(BaseModel):
    """A position of a recording."""

    id: str = Field(examples=["0123456789abcdef"])
    session: str = Field(description="Id of the recording's session, which may have been deleted.")
    job: str | None
    name: str = Field(description="Name of the recording.")
    at_utc: datetime = Field(description="When the signal was received.")
    frequency_hz: float
    status: str = Field(examples=["ok"])
    latitude_deg: float | None
    longitude_deg: float | None
    fix: dict[str, Any] | None = Field(
        description="The whole fix with its regions, as `heimdall locate --json` writes it."
    )


class History(BaseModel):
    fixes: list[KeptFix] = Field(description="Fixes in order of time.")


@router.get(
    "",
    summary="Positions of what was recorded, by time and frequency",
    response_model=History,
    responses={200: {"description": "The fixes, in the form asked for.", "content": _OTHER_FORMS}},
)
def find(
    who: Viewer,
    parts: UsesParts,
    since_utc: AwareDatetime | None = None,
    until_utc: AwareDatetime | None = None,
    low_hz: Annotated[float | None, Query(ge=0)] = None,
    high_hz: Annotated[float | None, Query(ge=0)] = None,
    job: Id | None = None,
    session: Id | None = None,
    limit: Annotated[int, Query(ge=1, le=fixes.MOST, description="Return at most this many fixes, the newest.")] = 2000,
    regions: Annotated[bool, Query(description="Include the whole fixes; GeoJSON always has the regions.")] = False,
    form: Annotated[Form, Query(alias="format")] = Form.JSON,
) -> Response | History:
    """Fixes stay when the recordings are deleted for their age or size."""
    wanted = Wanted(_unix_s(since_utc), _unix_s(until_utc), low_hz, high_hz, job, session, limit)
    with parts.store.reading() as opened:
        found = fixes.find(opened, wanted)
    if form is Form.JSON:
        return History(fixes=[_view(each, regions) for each in found])
    written, media_type, _ = _FILES[form]
    return attachment(written(found), f"fixes.{form}", media_type)


def _view(kept: StoredFix, regions: bool) -> KeptFix:
    names = ("id", "name", "frequency_hz", "status", "latitude_deg", "longitude_deg")
    return KeptFix(
        **{name: getattr(kept, name) for name in names},
        session=kept.session_id,
        job=kept.job_id,
        at_utc=datetime.fromtimestamp(kept.at_unix_s, UTC),
        fix=kept.document if regions else None,
    )


def _unix_s(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()
