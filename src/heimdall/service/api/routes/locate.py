"""Locate: recordings, measurements or stored sessions to fixes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from concurrent.futures import Future
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.requests import ClientDisconnect

from heimdall.errors import HeimdallError, InputError
from heimdall.locating import Method
from heimdall.observation import Observation
from heimdall.service.api.dependencies import Parts, UsesParts, Viewer
from heimdall.service.api.fix_views import FixesView, fixes_document
from heimdall.service.api.http.attachments import content_disposition
from heimdall.service.api.http.problems import documented
from heimdall.service.api.http.uploading import DOCUMENT_SCHEMA, form_of, receive
from heimdall.service.concurrent_locating import Deadline, LocatedSession
from heimdall.service.database.tables import StoredSession
from heimdall.service.queue.request_base import Id
from heimdall.service.storage import sessions
from heimdall.service.storage.uploads import Upload, file_name, receiving

router = APIRouter(prefix="/locate", tags=["locate"], responses=documented(400, 401, 403, 404, 408, 413, 422, 429, 503))

_LOOK_EVERY_S = 0.5
"""How often a request that waits is asked whether its sender is still there."""


class Form(StrEnum):
    """What the fixes are written as."""

    JSON = "json"
    GEOJSON = "geojson"
    KML = "kml"
    COT = "cot"
    PNG = "png"
    HTML = "html"


MEDIA_TYPES = {
    Form.JSON: "application/json",
    Form.GEOJSON: "application/geo+json",
    Form.KML: "application/vnd.google-earth.kml+xml",
    Form.COT: "application/xml",
    Form.PNG: "image/png",
    Form.HTML: "text/html",
}


_OTHER_FORMS: dict[str, Any] = {
    media: {"schema": {"type": "string"} | ({"format": "binary"} if form is Form.PNG else {})}
    for form, media in MEDIA_TYPES.items()
    if form is not Form.JSON
}
_FILES = "A SigMF session (its files, or an archive), KiwiSDR *_iq.wav with their positions, or a measurement file."


@router.post(
    "",
    summary="Locate what was recorded or measured",
    response_model=FixesView,
    responses={200: {"description": "The fixes, in the form asked for.", "content": _OTHER_FORMS}},
    openapi_extra=form_of(_FILES, required=False, document=DOCUMENT_SCHEMA),
)
async def locate(
    request: Request,
    who: Viewer,
    parts: UsesParts,
    session: Annotated[
        list[Id] | None, Query(description="Ids of stored sessions to locate, beside or instead of files.")
    ] = None,
    method: Annotated[
        Method, Query(description="Method; auto takes the one that the model's evaluation found better.")
    ] = Method.AUTO,
    model: Annotated[Id | None, Query(description="Id of the model; by default the champion.")] = None,
    form: Annotated[Form, Query(alias="format")] = Form.JSON,
    corrections: Annotated[
        bool, Query(description="Apply the corrections that calibration found for registered receivers.")
    ] = True,
) -> Response:
    """Send files, or measurements as JSON, or name stored sessions. Nothing that is sent is kept."""
    parts.rate.check(who.id or who.name)
    parts.locator.check_room()
    stored = _stored(parts, session or [])
    with receiving(parts.settings) as upload:
        count, named = await receive(request, upload)
        stored += _stored(parts, named)
        if not count and not stored:
            raise InputError(
                "nothing to locate: send files in the field `files`, or `observations` as JSON, or name a `session`"
            )

        deadline = parts.locator.deadline()

        def work() -> bytes:
            observations = _observations(parts, stored, upload if count else None, deadline)
            if form is Form.PNG and len(observations) != 1:
                raise InputError(
                    f"a picture holds one fix, not {len(observations)}: ask for `html`, or send one observation"
                )
            answer = parts.locator.locate(
                observations, method, model, deadline, corrected=corrections, session_ids=[each.id for each in stored]
            )
            return _written(answer, form)

        content = await _waited_for(request, parts.locator.run(work, deadline), deadline)
    return Response(content, headers=_headers(form, stored), media_type=MEDIA_TYPES[form])


def _headers(form: Form, stored: Sequence[StoredSession]) -> dict[str, str]:
    """The name to keep a file by; browsers show it all the same."""
    if form is Form.JSON:
        return {}
    name = file_name(stored[0].name) if len(stored) == 1 else "fixes"
    return {"Content-Disposition": content_disposition(f"{name}.{form}", "inline")}


async def _waited_for(request: Request, work: Future[bytes], deadline: Deadline) -> bytes:
    """What the work gives. It is abandoned when its time is over, or when nobody waits for it any more."""
    future = asyncio.wrap_future(work)
    future.add_done_callback(_retrieve_error)
    try:
        while not (await asyncio.wait({future}, timeout=_LOOK_EVERY_S))[0]:
            deadline.check()
            if await request.is_disconnected():
                raise ClientDisconnect
        return future.result()
    finally:
        deadline.abandon()


def _retrieve_error(work: asyncio.Future[bytes]) -> None:
    """How work ends that was abandoned is nothing to log as an error that nobody looked at."""
    if not work.cancelled():
        work.exception()


def _stored(parts: Parts, names: Sequence[str]) -> list[StoredSession]:
    if not names:
        return []
    with parts.store.reading() as session:
        return [sessions.get(session, name) for name in names]


def _observations(
    parts: Parts, stored: Sequence[StoredSession], upload: Upload | None, deadline: Deadline
) -> list[Observation]:
    observations: list[Observation] = []
    if upload is not None:
        upload.unpack()
        observations += sessions.read_upload(upload)
    for each in stored:
        deadline.check()
        observations += sessions.read_chosen(parts.store, parts.settings, each)
    return observations


def _written(answer: LocatedSession, form: Form) -> bytes:
    if form is Form.JSON:
        return json.dumps(fixes_document(answer), allow_nan=False).encode()
    try:
        return answer.to_bytes(f".{form}")
    except HeimdallError as error:  # such as a form that cannot say that there is no position
        raise InputError(str(error)) from error
