"""How much a request may send, decided before any of it is kept in memory."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from heimdall.service.api.problems import respond

BODY_LIMIT_BYTES = 1_000_000


class BodyLimit:
    """Refuses bodies above `limit_bytes`, whether or not the sender says how long they are."""

    def __init__(self, app: ASGIApp, limit_bytes: int = BODY_LIMIT_BYTES) -> None:
        self._app = app
        self._limit_bytes = limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        if _declared_bytes(scope) > self._limit_bytes:
            return await respond(413, _complaint(self._limit_bytes))(scope, receive, send)
        await self._app(scope, _Counted(receive, self._limit_bytes), send)


class _Counted:
    def __init__(self, receive: Receive, limit_bytes: int) -> None:
        self._receive = receive
        self._limit_bytes = limit_bytes
        self._left_bytes = limit_bytes

    async def __call__(self) -> Message:
        message = await self._receive()
        self._left_bytes -= len(message.get("body", b""))
        if self._left_bytes < 0:
            raise HTTPException(413, _complaint(self._limit_bytes))
        return message


def _complaint(limit_bytes: int) -> str:
    return f"the body is larger than {limit_bytes} bytes"


def _declared_bytes(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0
