"""Signing in: a token opens a session, whose cookie says who looks at a page. The cookie is not the token."""

from __future__ import annotations

import hmac
import logging
import math
import secrets
from html import escape
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from heimdall.service import sign_ins
from heimdall.service.api.dependencies import Parts
from heimdall.service.api.http.problems import UnauthenticatedError
from heimdall.service.auth import Principal, Role, hash_of, identify_hash, is_loopback
from heimdall.service.errors import TooOftenError
from heimdall.service.rate_limit import RateLimit
from heimdall.web.notice import STATIC, notice

log = logging.getLogger(__name__)

COOKIE = "heimdall_session"
TRIES_PER_MINUTE = 10
"""Wrong tokens from one address. A token cannot be guessed; whoever tries is slowed down and stands in the log."""
_FORM = (STATIC / "sign_in.html").read_text(encoding="utf-8")


class Entry:
    """Knows the tokens of the database and, on loopback, one that lives as long as the process."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self._local = secrets.token_urlsafe(24) if is_loopback(parts.settings.host) else None
        self._wrong = RateLimit(TRIES_PER_MINUTE, what="wrong tokens")

    def address(self) -> str:
        """Where a browser on this machine signs in without typing a token."""
        settings = self.parts.settings
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        return f"http://{host}:{settings.port}/sign-in?token={self._local}"

    def identify(self, word: str | None) -> Principal | None:
        """Who signed in and was given this word in a cookie."""
        if not word:
            return None
        with self.parts.store.reading() as session:
            token_sha256 = sign_ins.token_of(session, word)
        return None if token_sha256 is None else self._owner(token_sha256)

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
        def leave(request: Request) -> Response:
            if word := request.cookies.get(COOKIE):
                with self.parts.store.writing() as session:
                    sign_ins.end(session, word)
            answer = RedirectResponse("/sign-in", 303)
            answer.delete_cookie(COOKIE)
            return answer

        return router

    def _owner(self, token_sha256: str) -> Principal | None:
        if self._local is not None and hmac.compare_digest(token_sha256, hash_of(self._local)):
            return Principal("this machine", Role.ADMIN)
        with self.parts.store.reading() as session:
            return identify_hash(session, token_sha256, self.parts.settings)

    def _admit(self, request: Request, token: str, target: str) -> Response:
        address = request.client.host if request.client else "an unknown address"
        try:
            self._wrong.check_room(address)
        except TooOftenError as error:
            return _form(target, "Too many wrong tokens: wait a minute.", 429, error.retry_after_s)
        who = self._owner(hash_of(token))
        if who is None:
            self._wrong.count(address)
            log.warning("signing in was refused from %s: the token is unknown, revoked or expired", address)
            return _form(target, "This token is unknown, revoked or expired.", 401)
        with self.parts.store.writing() as session:
            word = sign_ins.begin(session, token)
        log.info("%s (%s) signed in from %s", who.name, who.role, address)
        answer = RedirectResponse(local_path(target), 303)
        secure = request.url.scheme == "https"
        answer.set_cookie(COOKIE, word, max_age=sign_ins.KEEP_S, httponly=True, samesite="lax", secure=secure)
        return answer


def to_sign_in(request: Request) -> Response:
    """Sign in first, then come back."""
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/sign-in?next={quote(target, safe='')}", 303)


def local_path(target: str) -> str:
    """The target if it is a path of this site, else the first page: a link must not lead away from here."""
    plain = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()
    return target if plain else "/"


def _form(target: str, error: str = "", status: int = 200, retry_after_s: float | None = None) -> HTMLResponse:
    content = _FORM.replace("{next}", escape(local_path(target), quote=True)).replace("{error}", escape(error))
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    if retry_after_s is not None:
        headers["Retry-After"] = str(math.ceil(retry_after_s))
    return notice("Sign in", content, status, headers)
