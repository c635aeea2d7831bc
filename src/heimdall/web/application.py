"""The page on top of the API's application."""

from __future__ import annotations

import sys
from urllib.parse import urlsplit

from fastapi import Depends, FastAPI, Request
from fastapi.responses import Response
from nicegui import app as page_app
from nicegui import ui
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from heimdall.service.api.dependencies import Parts
from heimdall.service.api.http.methods import add_catch_all
from heimdall.service.auth import is_loopback
from heimdall.web.downloads import download_routes
from heimdall.web.layout import PAGES
from heimdall.web.map import map_page
from heimdall.web.map.tile_file import tile_routes
from heimdall.web.models import models_page
from heimdall.web.notice import STATIC, notice
from heimdall.web.receivers import receivers_page
from heimdall.web.record import record_page
from heimdall.web.sign_in import Entry
from heimdall.web.system import system_page
from heimdall.web.training import training_page
from heimdall.web.transmitters import transmitters_page

_RECONNECT_S = 30.0
"""How long a page may be out of touch before it has to be loaded anew, and what was typed or chosen on it is lost: a machine
that trains on all its cores is slow to answer, and a phone loses its network."""
_POLICY = {
    "default-src": "'self'",
    # NiceGUI writes its pages as scripts, and Vue makes functions of templates.
    "script-src": "'self' 'unsafe-inline' 'unsafe-eval'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


def install(app: FastAPI) -> None:
    """Call it once in a process: NiceGUI has one application."""
    parts: Parts = app.state.parts
    entry = Entry(parts)
    app.include_router(entry.routes(), include_in_schema=False)
    app.include_router(download_routes(entry), include_in_schema=False)
    add_catch_all(app)
    for module in (map_page, record_page, training_page, models_page, receivers_page, transmitters_page, system_page):
        module.register(entry)
    if parts.settings.tile_file is not None:
        signed_in = [Depends(entry.check_signed_in)]
        app.include_router(tile_routes(parts.settings.tile_file), include_in_schema=False, dependencies=signed_in)
    page_app.add_static_files("/static", STATIC)
    page_app.add_exception_handler(404, _no_page)
    app.add_middleware(SafeHeaders, tile_url=parts.settings.tile_url)
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


async def _no_page(_request: Request, _error: Exception) -> Response:
    """An address that somebody mistyped, or a link to what is gone."""
    links = " · ".join(f'<a href="{path}">{name}</a>' for name, path in PAGES.items())
    return notice("Not found", f"<p>There is no page at this address.</p><p>{links}</p>", 404)


class SafeHeaders:
    """No other site may show our pages in its own, and no browser may guess what a file is."""

    def __init__(self, app: ASGIApp, tile_url: str | None = None) -> None:
        self._app = app
        self._headers = {"Content-Security-Policy": content_policy(tile_url), **_HEADERS}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def content_policy(tile_url: str | None) -> str:
    """What a page may load: what is ours, and the tiles of the map that were configured."""
    tiles = urlsplit((tile_url or "").replace("{s}", "*"))
    images = f"{_POLICY['img-src']} {tiles.scheme}://{tiles.netloc}" if tiles.netloc else _POLICY["img-src"]
    return "; ".join(f"{name} {sources}" for name, sources in (_POLICY | {"img-src": images}).items())
