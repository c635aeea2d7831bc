"""Receivers by address: add, ask for their state, switch off, remove."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.params import Path as InPath
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from heimdall.capture.spectrum import Spectrum
from heimdall.service.api.dependencies import Operator, Parts, UsesParts, Viewer
from heimdall.service.api.http.problems import documented
from heimdall.service.api.routes import live
from heimdall.service.database.tables import OnlineReceiver
from heimdall.service.errors import ConflictError
from heimdall.service.receivers import online, preview
from heimdall.service.receivers.online_schemas import OnlineChange, OnlineFields, OnlineList, OnlineView, view_online

router = APIRouter(prefix="/receivers/online", tags=["online receivers"], responses=documented(401, 403, 422, 503))

Which = Annotated[str, InPath(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", description="Id or name of the receiver.")]
_EXAMPLES = {
    "kiwi": {"summary": "A KiwiSDR", "value": {"address": "kiwi://kiwi.example.org:8073"}},
    "dongle": {
        "summary": "A dongle behind rtl_tcp, which does not say where it is",
        "value": {
            "address": "rtl_tcp://dongle.example.org:1234",
            "name": "roof",
            "latitude_deg": 47.3,
            "longitude_deg": 8.5,
        },
    },
}


class RefreshRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"receivers": []}]})

    receivers: list[str] = Field(
        default_factory=list,
        max_length=online.MOST,
        description="Ids or names of the receivers; if empty, all that are switched on.",
    )


_SPECTRA: dict[str, Any] = {
    "description": "Events named `spectrum` with `utc`, `low_hz`, `high_hz`, `level_dbm` and `power_db`, the power over full "
    "scale in bins from low to high; at last `end`, with `reason` where the receiver ended it.",
    "content": {live.MEDIA_TYPE: {"schema": {"type": "string"}}},
}


@router.get("", summary="List receivers by address")
def find(who: Viewer, parts: UsesParts) -> OnlineList:
    """Each receiver has the state that it had when it was last asked."""
    with parts.store.reading() as session:
        return OnlineList(receivers=[view_online(each) for each in online.find(session)])


@router.post("", status_code=201, summary="Add a receiver by its address", responses=documented(409, 413))
def create(
    fields: Annotated[OnlineFields, Body(openapi_examples=_EXAMPLES)],
    response: Response,
    who: Operator,
    parts: UsesParts,
) -> OnlineView:
    """The receiver is first asked for its state, which may take 10 s. No redirect is followed; loopback and private networks are
    reached only where `HEIMDALL_CAPTURE_NETWORKS` names them."""
    view = view_online(online.add(parts.store, parts.settings, fields, who.name))
    response.headers["Location"] = f"/api/v1/receivers/online/{view.id}"
    return view


@router.post("/refresh", summary="Ask receivers for their state", responses=documented(404, 413))
def refresh(wanted: Annotated[RefreshRequest, Body()], who: Operator, parts: UsesParts) -> OnlineList:
    """The receivers are asked now, all at once; the service also does so every `HEIMDALL_RECEIVERS_EVERY_S`. No slot is taken."""
    found = online.refresh(parts.store, parts.settings, wanted.receivers)
    return OnlineList(receivers=[view_online(each) for each in found])


@router.get("/{which}", summary="One receiver by address", responses=documented(404))
def get(which: Which, who: Viewer, parts: UsesParts) -> OnlineView:
    with parts.store.reading() as session:
        return view_online(online.get(session, which))


@router.get(
    "/{which}/spectrum",
    summary="What a receiver hears",
    responses=documented(404, 409) | {200: _SPECTRA},
    response_class=StreamingResponse,
)
async def spectrum(
    which: Which,
    who: Operator,
    parts: UsesParts,
    frequency_hz: Annotated[float, Query(gt=0, le=30e9, description="Centre frequency of the channel.")],
    bandwidth_hz: Annotated[float, Query(gt=0, le=20e6)] = 10_000.0,
    seconds: Annotated[float, Query(ge=1, le=preview.MOST_S)] = 30.0,
) -> StreamingResponse:
    """To look before recording: about five spectra a second. It takes a slot of the receiver as long as somebody listens."""
    receiver = await run_in_threadpool(_known, parts, which)
    found = preview.spectra(receiver, frequency_hz, bandwidth_hz, parts.settings, seconds)
    first = await anext(found, None)  # what is wrong is said before the stream begins
    return StreamingResponse(_told(first, found), media_type=live.MEDIA_TYPE, headers={"Cache-Control": "no-store"})


@router.patch("/{which}", summary="Switch a receiver off or on, or change it", responses=documented(404, 413))
def change(which: Which, change: Annotated[OnlineChange, Body()], who: Operator, parts: UsesParts) -> OnlineView:
    """What is left out stays as it is. A receiver that is switched off is neither asked nor recorded."""
    with parts.store.writing() as session:
        return view_online(online.change(session, which, change))


@router.delete("/{which}", status_code=204, summary="Remove a receiver by address", responses=documented(404))
def delete(which: Which, who: Operator, parts: UsesParts) -> None:
    """Recordings of the receiver stay. Jobs that would record it go on without it."""
    with parts.store.writing() as session:
        online.delete(session, which)


def _known(parts: Parts, which: str) -> OnlineReceiver:
    with parts.store.reading() as session:
        return online.get(session, which)


async def _told(first: Spectrum | None, found: AsyncGenerator[Spectrum]) -> AsyncIterator[str]:
    reason = None
    async with aclosing(found):
        if first is not None:
            yield _event("spectrum", first)
        try:
            async for each in found:
                yield _event("spectrum", each)
        except ConflictError as error:
            reason = str(error)
    yield f"event: end\ndata: {json.dumps({'reason': reason})}\n\n"


def _event(name: str, spectrum: Spectrum) -> str:
    document = asdict(spectrum) | {"utc": spectrum.utc.isoformat()}
    return f"event: {name}\ndata: {json.dumps(document)}\n\n"
