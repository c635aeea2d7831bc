"""Stored sessions: upload, list, say where the transmitter was, delete."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Body, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.params import Path as InPath
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator

from heimdall.errors import InputError
from heimdall.observation import Place
from heimdall.service.api.dependencies import Operator, Parts, UsesParts, Viewer
from heimdall.service.api.http.attachments import ZIP, attachment, documented_file
from heimdall.service.api.http.paged import UsesPage, link_next
from heimdall.service.api.http.problems import documented
from heimdall.service.api.http.uploading import form_of, receive_some
from heimdall.service.database.tables import StoredSession
from heimdall.service.queue.request_base import Id
from heimdall.service.receivers.capture_view import RecordedView, view_recorded
from heimdall.service.storage import retention, session_archive, sessions
from heimdall.service.storage.retention import Usage
from heimdall.service.storage.session_summary import Summary, Truth
from heimdall.service.storage.uploads import Upload, receiving
from heimdall.service.transmitters import listed

router = APIRouter(prefix="/sessions", tags=["sessions"], responses=documented(401, 403, 422, 503))

SessionId = Annotated[str, InPath(pattern=r"^[0-9a-f]{16}$", examples=["0123456789abcdef"])]
_Name = Annotated[
    str, Query(max_length=120, description="Name of the session for people; if empty, its frequency and time.")
]
_Latitude = Annotated[float | None, Query(ge=-90, le=90, description="Latitude of the transmitter, if known.")]
_Longitude = Annotated[float | None, Query(ge=-180, le=180)]
_TransmitterName = Annotated[
    str | None,
    Query(max_length=64, description="Name of a known transmitter, instead of its position.", examples=["DCF77"]),
]
_Height = Annotated[float | None, Query(ge=-1000, le=100_000)]


class SessionView(BaseModel):
    id: str = Field(examples=["0123456789abcdef"])
    name: str
    created_by: str
    created_utc: datetime
    size_bytes: int
    data: str = Field(description="Name of the session in the `data` of a job.", examples=["sessions/0123456789abcdef"])
    summary: Summary
    job: str | None = Field(description="Id of the job that recorded it; null if it was uploaded.")
    recorded: RecordedView | None = Field(description="What each receiver recorded; null if it was uploaded.")
    fix_state: str | None = Field(
        description="State of locating a recording: waiting, located or failed; its fixes are in `GET /fixes`.",
        examples=["located"],
    )
    fix_problem: str | None = Field(description="Why the recording could not be located.")
    pinned: bool = Field(description="Whether it is kept whatever its age or size.")
    used_by: list[str] = Field(
        description="What keeps it from being deleted for its age or size.",
        examples=[["model 0123456789abcdef (quick)"]],
    )
    deleted_utc: datetime | None = Field(description="When it was put into the bin.")
    deleted_by: str | None = Field(description="Who put it into the bin; null if it was its age or the limit of size.")


class SessionList(BaseModel):
    sessions: list[SessionView]


class SessionChange(BaseModel):
    """What is left out stays as it is."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "DCF77, morning"}]})

    name: Annotated[str, Field(min_length=1, max_length=120)] | None = None
    truth: Truth | None = Field(default=None, description="True position of the transmitter; null if unknown.")
    transmitter: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        default=None,
        description="Name of the known transmitter that was recorded, instead of `truth`.",
        examples=["DCF77"],
    )
    pinned: bool | None = Field(default=None, description="Keep the session whatever its age or size.")

    @model_validator(mode="after")
    def _one_truth(self) -> Self:
        if self.transmitter is not None and "truth" in self.model_fields_set:
            raise ValueError("say truth or transmitter, not both")
        return self


@router.post(
    "",
    status_code=201,
    summary="Store a session",
    responses=documented(400, 408, 413),
    openapi_extra=form_of("A SigMF session (its files, or an archive), KiwiSDR recordings, or a measurement file."),
)
async def create(
    request: Request,
    response: Response,
    who: Operator,
    parts: UsesParts,
    name: _Name = "",
    latitude_deg: _Latitude = None,
    longitude_deg: _Longitude = None,
    height_m: _Height = None,
    transmitter: _TransmitterName = None,
) -> SessionView:
    """The observations of the session have to be readable now."""
    truth = _place(latitude_deg, longitude_deg, height_m)
    if transmitter is not None:
        truth = await run_in_threadpool(_known_place, parts, transmitter, truth)
    with receiving(parts.settings) as upload:
        await receive_some(request, upload)
        view = await run_in_threadpool(_add, parts, upload, name, who.name, truth)
    response.headers["Location"] = f"/api/v1/sessions/{view.id}"
    return view


@router.get("", summary="List sessions, the newest first")
def find(
    request: Request,
    response: Response,
    who: Viewer,
    parts: UsesParts,
    page: UsesPage,
    binned: Annotated[bool, Query(alias="bin", description="List the sessions in the bin instead.")] = False,
    job: Annotated[Id | None, Query(description="List only the sessions that this job recorded.")] = None,
) -> SessionList:
    with parts.store.reading() as session:
        found = sessions.find_part(session, page, binned=binned, job_id=job)
        used = retention.used_by(session)
    link_next(request, response, found)
    return SessionList(sessions=[view_session(stored, used.get(stored.id, ())) for stored in found.rows])


@router.get("/usage", summary="How much sessions take, and what is deleted by itself")
def usage(who: Viewer, parts: UsesParts) -> Usage:
    with parts.store.reading() as session:
        return retention.usage(session, parts.settings)


@router.get(
    "/files",
    summary="Download the files of sessions as one archive",
    response_class=StreamingResponse,
    responses=documented(400, 404) | {200: documented_file(ZIP)},
)
def download(
    who: Viewer,
    parts: UsesParts,
    chosen: Annotated[
        list[Id],
        Query(alias="session", min_length=1, max_length=session_archive.MOST, description="Ids of stored sessions."),
    ],
) -> Response:
    """Returns a ZIP archive with a folder for each session, which can be uploaded again."""
    return session_files(parts, chosen)


def session_files(parts: Parts, chosen: Sequence[str]) -> Response:
    with parts.store.reading() as session:
        stored = [sessions.get(session, each) for each in dict.fromkeys(chosen)]
    content = session_archive.archive_of(parts.settings, stored)
    return attachment(content, session_archive.archive_name(stored), ZIP)


@router.get("/{session_id}", summary="One session", responses=documented(404))
def get(session_id: SessionId, who: Viewer, parts: UsesParts) -> SessionView:
    with parts.store.reading() as session:
        return view_session(sessions.get(session, session_id), retention.used_by(session).get(session_id, ()))


@router.patch("/{session_id}", summary="Rename a session, or say where its transmitter was", responses=documented(404))
def change(
    session_id: SessionId, change: Annotated[SessionChange, Body()], who: Operator, parts: UsesParts
) -> SessionView:
    if change.transmitter is not None or "truth" in change.model_fields_set:
        sessions.set_truth(parts.store, parts.settings, session_id, _said(parts, change))
    with parts.store.writing() as session:
        sessions.get(session, session_id)
        if change.name is not None:
            sessions.rename(session, session_id, change.name)
        if change.pinned is not None:
            retention.pin(session, session_id, change.pinned)
        return view_session(sessions.get(session, session_id), retention.used_by(session).get(session_id, ()))


@router.delete("/{session_id}", status_code=204, summary="Delete a session", responses=documented(404, 409))
def delete(
    session_id: SessionId,
    who: Operator,
    parts: UsesParts,
    forever: Annotated[
        bool, Query(description="Delete it for good with its files and fixes, whether or not it is in the bin.")
    ] = False,
) -> None:
    """Puts it into the bin for `HEIMDALL_BIN_DAYS`. Jobs that name it and have not run fail once it is gone for good."""
    if forever:
        return retention.delete(parts.store, parts.settings, session_id)
    with parts.store.writing() as session:
        retention.discard(session, session_id, who.name)


@router.post("/{session_id}/restore", summary="Take a session out of the bin", responses=documented(404))
def restore(session_id: SessionId, who: Operator, parts: UsesParts) -> SessionView:
    with parts.store.writing() as session:
        retention.restore(session, session_id)
        return view_session(sessions.get(session, session_id), retention.used_by(session).get(session_id, ()))


def view_session(stored: StoredSession, used_by: Sequence[str] = ()) -> SessionView:
    names = ("id", "name", "created_by", "size_bytes", "fix_state", "fix_problem", "pinned", "deleted_by")
    values: dict[str, Any] = {name: getattr(stored, name) for name in names}
    deleted_unix_s = stored.deleted_unix_s
    return SessionView(
        **values,
        created_utc=datetime.fromtimestamp(stored.created_unix_s, UTC),
        data=sessions.data_name(stored.id),
        summary=Summary.model_validate(stored.summary),
        job=stored.job_id,
        recorded=view_recorded(stored),
        used_by=list(used_by),
        deleted_utc=None if deleted_unix_s is None else datetime.fromtimestamp(deleted_unix_s, UTC),
    )


def _add(parts: Parts, upload: Upload, name: str, who: str, truth: Place | None) -> SessionView:
    prepared = sessions.prepare(upload, truth)
    stored = sessions.add(parts.store, parts.settings, upload, prepared, name=name, created_by=who)
    return view_session(stored)


def _said(parts: Parts, change: SessionChange) -> Place | None:
    """Where its transmitter was."""
    if change.transmitter is not None:
        return _known_place(parts, change.transmitter)
    return None if change.truth is None else change.truth.to_place()


def _known_place(parts: Parts, name: str, said: Place | None = None) -> Place:
    if said is not None:
        raise InputError("say where the transmitter was, or its name, not both")
    with parts.store.reading() as session:
        return listed.named(session, name).place


def _place(latitude_deg: float | None, longitude_deg: float | None, height_m: float | None) -> Place | None:
    if latitude_deg is None or longitude_deg is None:
        if latitude_deg is not None or longitude_deg is not None:
            raise InputError("the position of the transmitter needs latitude_deg and longitude_deg")
        return None
    return Place(latitude_deg, longitude_deg, height_m)
