"""Receivers: register, edit, import, export."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Body, Query, Request, Response
from fastapi.params import Path as InPath
from pydantic import BaseModel, ConfigDict, Field

from heimdall.observation import ClockClass
from heimdall.service.api.dependencies import Operator, UsesParts, Viewer
from heimdall.service.api.http.paged import UsesPage, link_next
from heimdall.service.api.http.problems import documented
from heimdall.service.database.tables import RegisteredReceiver
from heimdall.service.queue.request_base import Id
from heimdall.service.receivers import registered, session_calibration, session_check
from heimdall.service.receivers.registered import ReceiverFields, RegisteredReceivers
from heimdall.service.receivers.session_calibration import Calibration
from heimdall.service.receivers.session_check import MOST, Checked
from heimdall.service.storage import sessions

router = APIRouter(prefix="/receivers", tags=["receivers"], responses=documented(401, 403, 422, 503))

ReceiverId = Annotated[str, InPath(pattern=r"^[0-9a-f]{16}$", examples=["0123456789abcdef"])]


class RegisteredReceiverView(ReceiverFields):
    id: str
    clock: str = Field(description="Clock class of the receiver.", examples=["100 ns or better"])
    updated_utc: datetime


class RegisteredReceiverPage(BaseModel):
    receivers: list[RegisteredReceiverView]


class Imported(BaseModel):
    count: int


class CalibrationRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    sessions: list[Id] = Field(
        min_length=1, max_length=100, description="Ids of stored sessions with known transmitters."
    )
    store: bool = Field(
        default=False, description="Store the corrections that are found, instead of only showing them."
    )


@router.get("", summary="List receivers")
def find(request: Request, response: Response, who: Viewer, parts: UsesParts, page: UsesPage) -> RegisteredReceiverPage:
    with parts.store.reading() as session:
        found = registered.find_part(session, page)
    link_next(request, response, found)
    return RegisteredReceiverPage(receivers=[view_receiver(row) for row in found.rows])


@router.post("", status_code=201, summary="Register a receiver", responses=documented(409, 413))
def create(
    fields: Annotated[ReceiverFields, Body()], response: Response, who: Operator, parts: UsesParts
) -> RegisteredReceiverView:
    """Recordings that name the receiver get its position if they have none, and its correction."""
    with parts.store.writing() as session:
        view = view_receiver(registered.add(session, fields))
    response.headers["Location"] = f"/api/v1/receivers/{view.id}"
    return view


@router.get("/export", summary="All receivers, as import reads them")
def export(who: Viewer, parts: UsesParts) -> RegisteredReceivers:
    with parts.store.reading() as session:
        return RegisteredReceivers(receivers=[registered.fields_of(row) for row in registered.find(session)])


@router.get("/check", summary="Which receivers are bad", responses=documented(404))
def check(
    who: Viewer,
    parts: UsesParts,
    session: Annotated[list[Id] | None, Query(description="Ids of stored sessions; by default all.")] = None,
    most: Annotated[int, Query(ge=1, le=1000, description="Use at most this many observations, evenly chosen.")] = MOST,
) -> Checked:
    """Checks each receiver against the others over stored sessions, the worst first; transmitters may be known or not."""
    with parts.store.reading() as opened:
        chosen = [sessions.get(opened, each) for each in session] if session else list(sessions.find(opened))
        known = registered.find(opened)
    return parts.locator.run(lambda: session_check.check(parts.settings, chosen, known, most)).result()


@router.post("/import", summary="Add receivers, or replace those of the same names", responses=documented(413))
def import_all(listed: Annotated[RegisteredReceivers, Body()], who: Operator, parts: UsesParts) -> Imported:
    with parts.store.writing() as session:
        return Imported(count=registered.import_all(session, listed))


@router.post(
    "/calibrate", summary="Find delays and level biases from known transmitters", responses=documented(404, 413)
)
def calibrate(wanted: Annotated[CalibrationRequest, Body()], who: Operator, parts: UsesParts) -> Calibration:
    """With `store` the receivers keep the corrections, and whatever they record from now on is corrected."""
    with parts.store.reading() as session:
        chosen = [sessions.get(session, each) for each in wanted.sessions]
        known = registered.find(session)
    found = session_calibration.calibrate(parts.settings, chosen, known)
    if not wanted.store:
        return found
    return session_calibration.keep(parts.store, parts.settings, chosen, found)


@router.get("/{receiver_id}", summary="One receiver", responses=documented(404))
def get(receiver_id: ReceiverId, who: Viewer, parts: UsesParts) -> RegisteredReceiverView:
    with parts.store.reading() as session:
        return view_receiver(registered.get(session, receiver_id))


@router.put("/{receiver_id}", summary="Edit a receiver", responses=documented(404, 409, 413))
def change(
    receiver_id: ReceiverId, fields: Annotated[ReceiverFields, Body()], who: Operator, parts: UsesParts
) -> RegisteredReceiverView:
    with parts.store.writing() as session:
        return view_receiver(registered.change(session, receiver_id, fields))


@router.delete("/{receiver_id}", status_code=204, summary="Forget a receiver", responses=documented(404))
def delete(receiver_id: ReceiverId, who: Operator, parts: UsesParts) -> None:
    with parts.store.writing() as session:
        registered.delete(session, receiver_id)


def view_receiver(row: RegisteredReceiver) -> RegisteredReceiverView:
    return RegisteredReceiverView(
        **registered.fields_of(row).model_dump(),
        id=row.id,
        clock=ClockClass.of(row.clock_sigma_s).value,
        updated_utc=datetime.fromtimestamp(row.updated_unix_s, UTC),
    )
