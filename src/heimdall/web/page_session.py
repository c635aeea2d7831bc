"""One person looking at one page: who they are, what they may do, and what they are told when it does not work."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from fastapi import Request
from nicegui import run, ui
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from heimdall.errors import HeimdallError
from heimdall.files.atomic import SCRATCH
from heimdall.files.disk import FULL, is_disk_full
from heimdall.service.api.dependencies import Parts
from heimdall.service.api.http.problems import ForbiddenError, UnauthenticatedError
from heimdall.service.auth import Principal, Role
from heimdall.service.logs import audit
from heimdall.web.sign_in import COOKIE, Entry

log = logging.getLogger(__name__)

FAILURES = (HeimdallError, SQLAlchemyError, OSError)
"""What may go wrong with work that is done rightly."""
_API_HINT = re.compile(
    r"[:;,]? *`(?:GET|POST|PUT|PATCH|DELETE) /api/[^`]*`(?: lists them| lists what there is| says [^;.]*)?"
)
_SCRATCH = re.compile(rf"(?:/[\w.-]+)*/{SCRATCH}\w+/?")
_PLAIN_WORD = re.compile(r"[a-z'’-]+[ ,]")
P = ParamSpec("P")
T = TypeVar("T")


class Visit:
    def __init__(self, entry: Entry, request: Request, who: Principal) -> None:
        self.parts: Parts = entry.parts
        self.who = who
        self._entry = entry
        self._word = request.cookies.get(COOKIE)
        self._client = ui.context.client
        # Of what nobody foresaw: NiceGUI logs it, and people would see nothing happen.
        self._client.on_exception(lambda error: self.complain(what_went_wrong(error)))

    def may(self, role: Role) -> bool:
        return self.who.role.covers(role)

    async def do(self, role: Role, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """What `work` gives, done in a thread; None, and the person is told why, where it cannot or must not be done."""
        try:
            return await run.io_bound(lambda: self._allowed(role, lambda: work(*args, **kwargs), _name_of(work)))
        except FAILURES as error:
            self.tell(error)
        return None

    async def change(self, role: Role, work: Callable[[Session], object]) -> bool:
        """`do` within a transaction of the database; whether it was done."""

        @wraps(work)
        def apply() -> bool:
            with self.parts.store.writing() as session:
                work(session)
            return True

        return bool(await self.do(role, apply))

    def on_back(self, go: Callable[[str], Awaitable[None]]) -> None:
        """`go` is told the query of the address that the browser's Back and Forward lead to; see static/theme.js."""
        ui.on("went", lambda event: go(str(event.args)))

    def take_away(self, address: str) -> None:
        """Let the browser load a file of ours; also where the element that asked is no longer on the page."""
        with self._client:
            ui.download.from_url(address)

    def complain(self, message: str) -> None:
        """Say what went wrong, until it is closed; also where the element that asked is no longer on the page."""
        with self._client:
            ui.notify(
                sentence(message),
                type="negative",
                position="top",
                multi_line=True,
                close_button="Close",
                timeout=0,
                classes="complaint",
            )

    def tell(self, error: Exception) -> None:
        """Complain of one of `FAILURES`."""
        if isinstance(error, OSError) and not is_disk_full(error):
            log.error("on a page", exc_info=error)
        self.complain(what_went_wrong(error))

    def on_leave(self, end: Callable[[], object]) -> None:
        """`end` is called when the page is closed, or was out of touch for too long."""
        self._client.on_delete(end)

    def _allowed(self, role: Role, work: Callable[[], T], name: str) -> T:
        # Asked anew each time: a page may stay open longer than its token is good.
        who = self._entry.identify(self._word)
        if who is None:
            raise UnauthenticatedError("your token is no longer valid: sign in again")
        if not who.role.covers(role):
            raise ForbiddenError(f"this needs the role {role}; yours is {who.role}")
        self.who = who
        result = work()
        if role is not Role.VIEWER:
            audit.info("%s (%s) did %s on a page", who.name, who.role, name)
        return result


def _name_of(work: Callable[..., object]) -> str:
    name = getattr(work, "__qualname__", type(work).__qualname__)
    return str(name).replace(".<locals>", "").removesuffix(".<lambda>")


def arrive(entry: Entry, request: Request) -> Visit | None:
    """None for somebody who has to sign in first."""
    who = entry.identify(request.cookies.get(COOKIE))
    return None if who is None else Visit(entry, request, who)


class Latest:
    """Of several requests whose answers may come in any order, the last one made counts."""

    def __init__(self) -> None:
        self._number = 0

    def begin(self) -> Callable[[], bool]:
        """A new request; what comes back says whether it is still the last."""
        self._number += 1
        mine = self._number
        return lambda: mine == self._number


def what_went_wrong(error: Exception) -> str:
    """What a user is told; the log has what only those who run the service can mend."""
    if is_disk_full(error):
        return FULL
    if isinstance(error, HeimdallError):
        return str(error)
    if isinstance(error, SQLAlchemyError):
        return "the database does not answer; try again soon"
    return "something went wrong here that should not; the log of the service has the details"


def sentence(message: str) -> str:
    """With a capital letter and a full stop, and without what only a program or a terminal has a use for."""
    text = _API_HINT.sub("", message.strip())
    text = _SCRATCH.sub("", text).replace("`", "")
    if _PLAIN_WORD.match(text):  # and not a file's name
        text = text[:1].upper() + text[1:]
    return text + ("" if text.endswith((".", "!", "?")) else ".")
