"""Known transmitters: list, add, change, remove, import, export."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Body, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.params import Path as InPath
from pydantic import BaseModel, Field

from heimdall.formats.transmitters import from_bytes, to_text, with_all
from heimdall.service.api.dependencies import Operator, Parts, UsesParts, Viewer
from heimdall.service.api.http.attachments import attachment
from heimdall.service.api.http.paged import UsesPage, link_next
from heimdall.service.api.http.problems import documented
from heimdall.service.api.http.uploading import form_of, receive_some
from heimdall.service.storage.uploads import Upload, receiving
from heimdall.service.transmitters import listed
from heimdall.service.transmitters.listed import Listed
from heimdall.transmitter import KnownTransmitter

router = APIRouter(prefix="/transmitters", tags=["transmitters"], responses=documented(401, 403, 422, 503))

TransmitterId = Annotated[str, InPath(pattern=r"^[0-9a-f]{16}$", examples=["0123456789abcdef"])]
_EXAMPLES = {
    "broadcast": {
        "summary": "A broadcasting mast, on one of its frequencies",
        "value": {
            "name": "Feldberg FM",
            "latitude_deg": 50.2319,
            "longitude_deg": 8.4578,
            "height_m": 1000.0,
            "frequency_hz": 98.3e6,
            "kind": "fm",
        },
    },
    "beacon": {
        "summary": "A beacon, whose place is good to 600 m",
        "value": {
            "name": "Beacon",
            "latitude_deg": 50.0,
            "longitude_deg": 9.0,
            "frequency_hz": 355e3,
            "kind": "beacon",
            "position_sigma_m": 600,
        },
    },
}


class Form(StrEnum):
    """What lists are exchanged as."""

    CSV = "csv"
    GEOJSON = "geojson"
    JSON = "json"


_MEDIA_TYPES = {
    Form.CSV: "text/csv; charset=utf-8",
    Form.GEOJSON: "application/geo+json",
    Form.JSON: "application/json",
}
_FILES = {
    media.partition(";")[0]: {"schema": {"type": "string" if form is Form.CSV else "object"}}
    for form, media in _MEDIA_TYPES.items()
}


class TransmitterView(KnownTransmitter):
    id: str = Field(examples=["0123456789abcdef"])
    shipped: bool = Field(description="Whether it comes with Heimdall; one that is added under its name replaces it.")
    created_by: str | None = Field(description="Who added it; null if it comes with Heimdall.", examples=["operator"])
    created_utc: datetime | None = Field(description="When it was added; null if it comes with Heimdall.")


class TransmitterPage(BaseModel):
    transmitters: list[TransmitterView] = Field(description="Known transmitters in order of name.")


class ImportedTransmitters(BaseModel):
    count: int = Field(description="Number of transmitters that were added or replaced.", examples=[12])


_Low = Annotated[float | None, Query(ge=0, description="Lowest frequency to list.", examples=[60_000.0])]
_High = Annotated[float | None, Query(ge=0, description="Highest frequency to list.", examples=[80_000.0])]


@router.get("", summary="List known transmitters")
def find(
    request: Request,
    response: Response,
    who: Viewer,
    parts: UsesParts,
    page: UsesPage,
    low_hz: _Low = None,
    high_hz: _High = None,
) -> TransmitterPage:
    """Lists transmitters that were added, and those that come with Heimdall unless one of the same name was added."""
    with parts.store.reading() as session:
        found = listed.find_part(session, page, low_hz, high_hz)
    link_next(request, response, found)
    return TransmitterPage(transmitters=[view_transmitter(each) for each in found.rows])


@router.post("", status_code=201, summary="Add a known transmitter", responses=documented(409, 413))
def create(
    transmitter: Annotated[KnownTransmitter, Body(openapi_examples=_EXAMPLES)],
    response: Response,
    who: Operator,
    parts: UsesParts,
) -> TransmitterView:
    """Adds one transmitter on one frequency. From then on a fix names it if its region holds it."""
    with parts.store.writing() as session:
        view = view_transmitter(listed.add(session, transmitter, who.name))
    response.headers["Location"] = f"/api/v1/transmitters/{view.id}"
    return view


@router.get(
    "/export",
    summary="Download the known transmitters as a file",
    response_class=Response,
    responses={200: {"description": "The file.", "content": _FILES}},
)
def export(who: Viewer, parts: UsesParts, form: Annotated[Form, Query(alias="format")] = Form.CSV) -> Response:
    """The file also has those that come with Heimdall. Import reads it, and so does `heimdall transmitters import`."""
    return transmitter_file(parts, form)


@router.post(
    "/import",
    summary="Add known transmitters of a file, or replace those of the same names",
    responses=documented(400, 408, 409, 413),
    openapi_extra=form_of("A .csv, .geojson or .json file, as export writes it."),
)
async def import_all(request: Request, who: Operator, parts: UsesParts) -> ImportedTransmitters:
    """Adds all or none: if a row is wrong, the answer names it and nothing is added.

    Transmitters identical to those that come with Heimdall are left out.
    """
    with receiving(parts.settings) as upload:
        await receive_some(request, upload)
        return await run_in_threadpool(_import, parts, upload, who.name)


@router.get("/{transmitter_id}", summary="One known transmitter", responses=documented(404))
def get(transmitter_id: TransmitterId, who: Viewer, parts: UsesParts) -> TransmitterView:
    with parts.store.reading() as session:
        return view_transmitter(listed.get(session, transmitter_id))


@router.put("/{transmitter_id}", summary="Edit a known transmitter", responses=documented(404, 409, 413))
def change(
    transmitter_id: TransmitterId,
    transmitter: Annotated[KnownTransmitter, Body(openapi_examples=_EXAMPLES)],
    who: Operator,
    parts: UsesParts,
) -> TransmitterView:
    """A transmitter that comes with Heimdall cannot be edited: add one of the same name instead."""
    with parts.store.writing() as session:
        return view_transmitter(listed.change(session, transmitter_id, transmitter))


@router.delete(
    "/{transmitter_id}", status_code=204, summary="Remove a known transmitter", responses=documented(404, 409)
)
def delete(transmitter_id: TransmitterId, who: Operator, parts: UsesParts) -> None:
    """A transmitter that comes with Heimdall cannot be removed, and comes back when the one that replaced it is removed."""
    with parts.store.writing() as session:
        listed.delete(session, transmitter_id)


def transmitter_file(parts: Parts, form: Form) -> Response:
    with parts.store.reading() as session:
        found = [each.transmitter for each in listed.find(session)]
    name = f"transmitters.{form}"
    return attachment(to_text(name, found).encode(), name, _MEDIA_TYPES[form])


def view_transmitter(found: Listed) -> TransmitterView:
    created_unix_s = found.created_unix_s
    return TransmitterView(
        **found.transmitter.model_dump(),
        id=found.id,
        shipped=found.shipped,
        created_by=found.created_by,
        created_utc=None if created_unix_s is None else datetime.fromtimestamp(created_unix_s, UTC),
    )


def _import(parts: Parts, upload: Upload, who: str) -> ImportedTransmitters:
    given: Sequence[KnownTransmitter] = ()
    for path in sorted(upload.folder.iterdir()):
        given = with_all(given, from_bytes(path.name, path.read_bytes()))
    with parts.store.writing() as session:
        return ImportedTransmitters(count=listed.add_all(session, given, who))
