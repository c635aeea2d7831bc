"""Errors as `application/problem+json` (RFC 9457): one shape for every error of the API."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from sqlalchemy.exc import InterfaceError, OperationalError, TimeoutError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from heimdall.errors import HeimdallError, InputError, TooLargeError
from heimdall.files.disk import FULL, is_disk_full
from heimdall.service.api.http.methods import allowed
from heimdall.service.errors import (
    BusyError,
    ConflictError,
    LateError,
    TooOftenError,
    UnknownError,
)
from heimdall.service.logs import request_id
from heimdall.service.outage import database_outage
from heimdall.service.queue.jobs import JobConflictError, UnknownJobError
from heimdall.validation.complaints import what_is_wrong

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 5


class Problem(BaseModel):
    """What went wrong, and what to do."""

    type: str = Field(
        default="about:blank", description="Always about:blank, since the title says all that the type would."
    )
    title: str = Field(description="The name of the status.", examples=["Conflict"])
    status: int = Field(description="The HTTP status.", examples=[409])
    detail: str = Field(examples=["job 0123456789abcdef is succeeded and cannot be paused"])
    errors: list[dict[str, Any]] = Field(default_factory=list, description="Each wrong value: `where` and `message`.")


class UnauthenticatedError(HeimdallError):
    """No token, or one that nobody has."""


class ForbiddenError(HeimdallError):
    """The token's role does not cover this."""


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems with these statuses, for a route's `responses`."""
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: schema}} for status in statuses}


def install(app: FastAPI) -> None:
    for error, handler in _HANDLERS.items():
        app.add_exception_handler(error, handler)


def respond(
    status: int, detail: str, *, errors: list[dict[str, Any]] | None = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    problem = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, errors=errors or [])
    return JSONResponse(problem.model_dump(), status, headers, MEDIA_TYPE)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        methods = allowed(request)
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": methods})
        return respond(405, f"{request.method} is not allowed here: {methods} are", headers={"Allow": methods})
    return respond(error.status_code, str(error.detail), headers=error.headers)


async def _on_validation(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [
        {"where": ".".join(str(part) for part in found["loc"]), "message": what_is_wrong(found).lstrip(" :")}
        for found in error.errors()
    ]
    return respond(422, "; ".join(f"{found['where']}: {found['message']}" for found in errors), errors=errors)


async def _on_heimdall(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HeimdallError)
    if is_disk_full(error):
        return _full()
    if isinstance(error, UnauthenticatedError):
        return respond(401, str(error), headers={"WWW-Authenticate": "Bearer"})
    if isinstance(error, BusyError):
        status = 429 if isinstance(error, TooOftenError) else 503
        return respond(status, str(error), headers={"Retry-After": str(math.ceil(error.retry_after_s))})
    status = next((status for kind, status in _STATUSES.items() if isinstance(error, kind)), 500)
    return respond(status, str(error))


async def _on_database(_request: Request, error: Exception) -> JSONResponse:
    database_outage.tell(error)
    if is_disk_full(error):
        return _full()
    return respond(503, "the database does not answer; try again soon", headers={"Retry-After": str(RETRY_AFTER_S)})


async def _on_system(_request: Request, error: Exception) -> JSONResponse:
    if is_disk_full(error):
        return _full()
    raise error


def _full() -> JSONResponse:
    return respond(507, FULL, headers={"Retry-After": str(RETRY_AFTER_S)})


async def _on_disconnect(_request: Request, _error: Exception) -> JSONResponse:
    return respond(400, "the client disconnected before its request had arrived")


async def _on_bug(_request: Request, error: Exception) -> JSONResponse:
    number = request_id.get()
    where = "the log of the service has the details" + (f" under {number}" if number else "")
    return respond(500, f"internal error: {type(error).__name__}; {where}")


_STATUSES: dict[type[HeimdallError], int] = {
    ForbiddenError: 403,
    UnknownJobError: 404,
    UnknownError: 404,
    LateError: 408,
    JobConflictError: 409,
    ConflictError: 409,
    TooLargeError: 413,
    InputError: 422,
}
"""The first that fits counts."""
_HANDLERS = {
    HTTPException: _on_http,
    RequestValidationError: _on_validation,
    HeimdallError: _on_heimdall,
    OperationalError: _on_database,
    InterfaceError: _on_database,
    TimeoutError: _on_database,
    OSError: _on_system,
    ClientDisconnect: _on_disconnect,
    Exception: _on_bug,
}
