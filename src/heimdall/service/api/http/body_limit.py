"""How much a request may send and how long it may take to, decided before any of it is kept in memory."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from heimdall.service.api.http.problems import respond

BODY_LIMIT_BYTES = 1_000_000
BODY_LIMIT_S = 120.0
_COME_BACK_S = 5


class BodyLimit:
    """Refuses bodies above `limit_bytes` of their path, whether or not the sender says how long they are, and late ones.

    Of all requests that are under way together at most `together_bytes` are taken: they wait on a disk or in memory.
    """

    def __init__(
        self,
        app: ASGIApp,
        limit_bytes: Callable[[str], int] = lambda path: BODY_LIMIT_BYTES,
        limit_s: float = BODY_LIMIT_S,
        together_bytes: float = math.inf,
    ) -> None:
        self._app = app
        self._limit_bytes = limit_bytes
        self._limit_s = limit_s
        self._held = _Held(together_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        limit_bytes = self._limit_bytes(scope["path"])
        if _declared_bytes(scope) > limit_bytes:
            return await respond(413, _complaint(limit_bytes))(scope, receive, send)
        counted = _Counted(receive, limit_bytes, self._limit_s, self._held)
        try:
            await self._app(scope, counted, send)
        finally:
            self._held.give_back(counted.taken_bytes)


class _Held:
    """Bytes that requests under way have sent. For one event loop."""

    def __init__(self, most_bytes: float) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0

    def take(self, size_bytes: int) -> None:
        if self._bytes + size_bytes > self._most_bytes:
            headers = {"Retry-After": str(_COME_BACK_S)}
            raise HTTPException(503, "too many uploads are in progress: try again soon", headers)
        self._bytes += size_bytes

    def give_back(self, size_bytes: int) -> None:
        self._bytes -= size_bytes


class _Counted:
    def __init__(self, receive: Receive, limit_bytes: int, limit_s: float, held: _Held) -> None:
        self._receive = receive
        self._held = held
        self.taken_bytes = 0
        self._limit_bytes = limit_bytes
        self._left_bytes = limit_bytes
        self._limit_s = limit_s
        self._end_s = time.monotonic() + limit_s
        self._more = True

    async def __call__(self) -> Message:
        message = await self._next()
        size_bytes = len(message.get("body", b""))
        self._left_bytes -= size_bytes
        self._more = bool(message.get("more_body", False))
        if self._left_bytes < 0:
            raise HTTPException(413, _complaint(self._limit_bytes))
        self._held.take(size_bytes)
        self.taken_bytes += size_bytes
        return message

    async def _next(self) -> Message:
        if not self._more:  # the body is here; what is left to hear is that the client has gone, whenever that is
            return await self._receive()
        try:
            return await asyncio.wait_for(self._receive(), self._end_s - time.monotonic())
        except TimeoutError:
            raise HTTPException(408, f"the body did not arrive within {self._limit_s:g} s") from None


def _complaint(limit_bytes: int) -> str:
    return f"the body is larger than {limit_bytes} bytes"


def _declared_bytes(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0
