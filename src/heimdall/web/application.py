"""The page on top of the API's application."""

from __future__ import annotations

import sys
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from nicegui import app as page_app
from nicegui import ui

from heimdall.service.api.parts import Parts
from heimdall.service.api.problems import respond
from heimdall.service.auth import is_loopback
from heimdall.web import map_page, models_page, receivers_page, system_page, training_page
from heimdall.web.entry import Entry

STATIC = Path(__file__).parent / "static"
_API = "/api/{rest:path}"


def install(app: FastAPI) -> None:
    """Call it once in a process: NiceGUI has one application."""
    parts: Parts = app.state.parts
    entry = Entry(parts)
    app.include_router(entry.routes(), include_in_schema=False)
    app.add_route(_API, _unknown_route, methods=["GET", "POST", "PUT", "PATCH", "DELETE"], include_in_schema=False)
    for module in (map_page, training_page, models_page, receivers_page, system_page):
        module.register(entry)
    page_app.add_static_files("/static", STATIC)
    ui.run_with(
        app, title="Heimdall", dark=None, tailwind=False, favicon=STATIC / "icon.svg", show_welcome_message=False
    )
    if is_loopback(parts.settings.host):
        print(f"Page: {entry.address()}\n", file=sys.stderr, flush=True)


async def _unknown_route(request: Request) -> JSONResponse:
    """What lies below /api speaks JSON, also where there is nothing."""
    return respond(404, f"no {request.method} {request.url.path}: /api/v1/openapi.json lists what there is")
