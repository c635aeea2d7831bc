"""Each request has a number, a line in the log and a place in the figures."""

from __future__ import annotations

import logging
import re
import secrets
import time

from prometheus_client import CollectorRegistry, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from heimdall.service.logs import audit, request_id

log = logging.getLogger(__name__)

HEADER = "X-Request-ID"
_PLAIN = re.compile(r"[\w.-]{1,64}", re.ASCII)
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_READING = {"GET", "HEAD", "OPTIONS"}
_BUCKETS_S = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100)
_UNKNOWN = "unknown"
_GONE = 499
"""What proxies call a request whose client left before its answer; in the log and the figures alone."""
_UNANSWERED = "No response returned."
"""Starlette's words where a client has left before a page was answered: no fault of ours."""


class Observed:
    """Gives each request the number that its client or proxy chose, or a new one, and notes how it ended."""

    def __init__(self, app: ASGIApp, registry: CollectorRegistry, prefix: str) -> None:
        self._app = app
        self._prefix = prefix
        self._seconds = Histogram(
            "heimdall_request_seconds",
            "From the arrival of a request to the end of its answer.",
            ["method", "route", "status"],
            buckets=_BUCKETS_S,
            registry=registry,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        begun_s, status = time.monotonic(), 500
        number = _number(scope)
        request_id.set(number)
        gone = False

        async def receive_watched() -> Message:
            nonlocal gone
            message = await receive()
            gone = gone or message["type"] == "http.disconnect"
            return message

        async def send_numbered(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = number
            await send(message)

        try:
            await self._app(scope, receive_watched, send_numbered)
        except RuntimeError as error:
            if not gone or str(error) != _UNANSWERED:
                raise
            status = _GONE
        finally:
            self._note(scope, status, time.monotonic() - begun_s)

    def _note(self, scope: Scope, status: int, elapsed_s: float) -> None:
        # Names from outside are no labels: each would be a time series of its own.
        method = scope["method"] if scope["method"] in _METHODS else _UNKNOWN
        self._seconds.labels(method, _route(scope, self._prefix), f"{status // 100}xx").observe(elapsed_s)
        api = scope["path"].startswith("/api/")
        changed = api and method not in _READING and status < 400
        (audit if changed else log).log(
            logging.INFO if api else logging.DEBUG,
            "%s %s %d in %.0f ms for %s from %s",
            method,
            scope["path"],
            status,
            1000 * elapsed_s,
            scope.get("state", {}).get("who", "nobody"),
            (scope.get("client") or ("an unknown address",))[0],
        )


def _number(scope: Scope) -> str:
    given = Headers(scope=scope).get(HEADER, "")
    return given if _PLAIN.fullmatch(given) else secrets.token_hex(8)


def _route(scope: Scope, prefix: str) -> str:
    path = str(getattr(scope.get("route"), "path", _UNKNOWN))
    # FastAPI knows a router's paths without the prefix that it was included with.
    return prefix + path if path.startswith("/") and scope["path"].startswith(prefix) and "/api/" not in path else path
