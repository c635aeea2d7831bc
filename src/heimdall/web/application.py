"""The page on top of the API's application."""

from __future__ import annotations

import sys
from pathlib import Path

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from nicegui import app as page_app
from nicegui import ui
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from heimdall.service.api.parts import Parts
from heimdall.service.api.problems import respond
from heimdall.service.auth import is_loopback
from heimdall.web.map import map_page
from heimdall.web.map.tile_file import tile_routes
from heimdall.web.models import models_page
from heimdall.web.receivers import receivers_page
from heimdall.web.sign_in import Entry
from heimdall.web.system import system_page
from heimdall.web.training import training_page

STATIC = Path(__file__).parent / "static"
_API = "/api/{rest:path}"
_RECONNECT_S = 30.0
"""How long a page may be out of touch before it has to be loaded anew, and what was typed or chosen on it is lost: a machine
that trains on all its cores is slow to answer, and a phone loses its network."""
_HEADERS = {
    "Content-Security-Policy": "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


def install(app: FastAPI) -> None:
    """Call it once in a process: NiceGUI has one application."""
    parts: Parts = app.state.parts
    entry = Entry(parts)
    app.include_router(entry.routes(), include_in_schema=False)
    app.add_route(_API, _unknown_route, methods=["GET", "POST", "PUT", "PATCH", "DELETE"], include_in_schema=False)
    for module in (map_page, training_page, models_page, receivers_page, system_page):
        module.register(entry)
    if parts.settings.tile_file is not None:
        signed_in = [Depends(entry.check_signed_in)]
        app.include_router(tile_routes(parts.settings.tile_file), include_in_schema=False, dependencies=signed_in)
    page_app.add_static_files("/static", STATIC)
    app.add_middleware(SafeHeaders)
    ui.run_with(
        app,
        title="Heimdall",
        dark=None,
        tailwind=False,
        favicon=STATIC / "icon.svg",
        show_welcome_message=False,
        reconnect_timeout=_RECONNECT_S,
    )
    if is_loopback(parts.settings.host):
        print(f"Page: {entry.address()}\n", file=sys.stderr, flush=True)


class SafeHeaders:
    """No other site may show our pages in its own, and no browser may guess what a file is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


async def _unknown_route(request: Request) -> JSONResponse:
    """What lies below /api speaks JSON, also where there is nothing."""
    return respond(404, f"no {request.method} {request.url.path}: /api/v1/openapi.json lists what there is")
