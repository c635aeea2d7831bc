"""Methods as RFC 9110 has them: HEAD where there is GET, OPTIONS everywhere, and `Allow` with a refusal."""

from __future__ import annotations

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_CATCH_ALL = "/api/{rest:path}"
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class HeadAsGet:
    """Answers HEAD as GET, and keeps the body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            return await self._app(scope, receive, send)
        ended = False

        async def send_head(message: Message) -> None:
            nonlocal ended
            if message["type"] == "http.response.start":
                await send(message)
            elif not ended:  # an event stream would never end by itself
                ended = True
                await send({"type": "http.response.body", "body": b""})

        await self._app({**scope, "method": "GET"}, receive, send_head)


def add_catch_all(app: FastAPI) -> None:
    """What lies below /api speaks JSON, also where there is nothing; for an application with a page at every other address."""
    app.add_route(_CATCH_ALL, _nothing, methods=[*_METHODS, "OPTIONS", "TRACE"], include_in_schema=False)


def allowed(request: Request) -> str:
    """For `Allow`; empty where the address has no method at all."""
    found = {method for method in _METHODS if _has(request, method)}
    if found:
        found |= {"OPTIONS", "HEAD"} if "GET" in found else {"OPTIONS"}
    return ", ".join(sorted(found))


def _nothing(request: Request) -> Response:
    if allowed(request):
        raise HTTPException(405)
    raise HTTPException(404, f"no {request.method} {request.url.path}: /api/v1/openapi.json lists what there is")


def _has(request: Request, method: str) -> bool:
    scope = {**request.scope, "method": method, "path_params": {}}
    routes = [route for route in request.app.router.routes if not isinstance(route, Mount)]
    return any(
        route.matches(dict(scope))[0] is Match.FULL for route in routes if getattr(route, "path", "") != _CATCH_ALL
    )
