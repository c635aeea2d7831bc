"""Signing in: a token becomes a cookie, and a cookie says who looks at a page."""

from __future__ import annotations

import hmac
import secrets
from html import escape
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from heimdall.service.api.parts import Parts
from heimdall.service.api.problems import UnauthenticatedError
from heimdall.service.auth import Principal, Role, identify, is_loopback

COOKIE = "heimdall_token"
_KEEP_S = 30 * 24 * 3600
_FORM = (Path(__file__).parent / "static" / "sign_in.html").read_text(encoding="utf-8")


class Entry:
    """Knows the tokens of the database and, on loopback, one that lives as long as the process."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self._local = secrets.token_urlsafe(24) if is_loopback(parts.settings.host) else None

    def address(self) -> str:
        """Where a browser on this machine signs in without typing a token."""
        settings = self.parts.settings
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        return f"http://{host}:{settings.port}/sign-in?token={self._local}"

    def identify(self, word: str | None) -> Principal | None:
        if not word:
            return None
        if self._local is not None and hmac.compare_digest(word.encode(), self._local.encode()):
            return Principal("this machine", Role.ADMIN)
        with self.parts.store.reading() as session:
            return identify(session, word, self.parts.settings)

    def check_signed_in(self, request: Request) -> None:
        """Raises UnauthenticatedError for a stranger."""
        if self.identify(request.cookies.get(COOKIE)) is None:
            raise UnauthenticatedError("sign in first")

    def routes(self) -> APIRouter:
        router = APIRouter()

        @router.get("/sign-in")
        def show(request: Request, token: str | None = None, next: str = "/") -> Response:
            return _form(next) if token is None else self._admit(request, token, next)

        @router.post("/sign-in")
        def enter(request: Request, token: Annotated[str, Form()] = "", next: Annotated[str, Form()] = "/") -> Response:
            return self._admit(request, token.strip(), next)

        @router.post("/sign-out")
        def leave() -> Response:
            answer = RedirectResponse("/sign-in", 303)
            answer.delete_cookie(COOKIE)
            return answer

        return router

    def _admit(self, request: Request, word: str, target: str) -> Response:
        if self.identify(word) is None:
            return _form(target, "This token is unknown or revoked.", 401)
        answer = RedirectResponse(local_path(target), 303)
        secure = request.url.scheme == "https"
        answer.set_cookie(COOKIE, word, max_age=_KEEP_S, httponly=True, samesite="lax", secure=secure)
        return answer


def to_sign_in(request: Request) -> Response:
    """Sign in first, then come back."""
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/sign-in?next={quote(target, safe='')}", 303)


def local_path(target: str) -> str:
    """The target if it is a path of this site, else the first page: a link must not lead away from here."""
    plain = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()
    return target if plain else "/"


def _form(target: str, error: str = "", status: int = 200) -> HTMLResponse:
    page = _FORM.replace("{next}", escape(local_path(target), quote=True)).replace("{error}", escape(error))
    return HTMLResponse(page, status, headers={"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})
