"""Each page as a person of some role finds it, and what a click does."""

from __future__ import annotations

import errno

import pytest
from sqlalchemy.exc import OperationalError

from heimdall.service.auth import Role, list_tokens, revoke_token
from heimdall.service.models import registry
from heimdall.service.queue import jobs
from heimdall.service.storage import sessions
from heimdall.web.layout import PAGES

from .conftest import Site, Visitor

ONLY_FOR_OPERATORS = {
    "/record": "<h2>Spectrum</h2>",
    "/receivers": "Add a receiver",
    "/transmitters": "Add a transmitter",
    "/training": "<h2>Start</h2>",
    "/models": "<h2>Import</h2>",
}


def test_a_stranger_is_sent_to_sign_in_and_back(site: Site) -> None:
    async def look(visitor: Visitor) -> None:
        client = visitor.user.http_client
        client.cookies.clear()
        for path in PAGES.values():
            answer = await client.get(path)
            assert (answer.status_code, answer.headers["location"]) == (
                303,
                f"/sign-in?next={path.replace('/', '%2F')}",
            )

    site.visit(look, Role.VIEWER)


def test_an_address_without_a_page_is_told_and_led_back(site: Site) -> None:
    async def look(visitor: Visitor) -> None:
        for path in ("/nothing", "/training/nothing", "/static/nothing.css"):
            answer = await visitor.user.http_client.get(path)
            assert answer.status_code == 404
            assert '<a href="/">' in answer.text

    site.visit(look)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_every_page_opens_and_offers_what_the_role_may_do(site: Site, role: Role) -> None:
    async def look(visitor: Visitor) -> None:
        for name, path in PAGES.items():
            await visitor.open(path)
            await visitor.sees(f'<h1 class="unseen">{name}</h1>')
            if (only := ONLY_FOR_OPERATORS.get(path)) is not None:
                await (visitor.sees if role is Role.OPERATOR else visitor.sees_no)(only)

    site.visit(look, role)


def test_a_job_is_followed_and_cancelled_by_a_click(site: Site) -> None:
    job_id = _put_training(site)

    async def look(visitor: Visitor) -> None:
        await visitor.open("/training")
        await visitor.sees("site")
        await visitor.sees("Cancel")
        await visitor.press("Cancel")
        await visitor.sees("A cancelled job cannot be resumed")
        assert _state(site, job_id) == "queued"
        await visitor.press("Cancel it")
        await visitor.sees('data-state="cancelled"')

    site.visit(look)
    assert _state(site, job_id) == "cancelled"


def test_a_job_is_deleted_only_after_a_question(site: Site) -> None:
    job_id = _put_training(site)
    with site.parts.store.writing() as session:
        jobs.cancel(session, job_id, "op")

    async def look(visitor: Visitor) -> None:
        await visitor.open("/training")
        await visitor.sees("Delete")
        await visitor.press("Delete")
        await visitor.sees("its log and its checkpoints?")
        assert _state(site, job_id) == "cancelled"
        await visitor.press("Delete it")
        await visitor.sees("Nothing runs")

    site.visit(look, Role.ADMIN)


def test_whose_token_was_revoked_meanwhile_is_told_and_does_nothing(site: Site) -> None:
    job_id = _put_training(site)

    async def look(visitor: Visitor) -> None:
        await visitor.open("/training")
        await visitor.sees("Cancel")
        with site.parts.store.writing() as session:
            revoke_token(session, next(each.id for each in list_tokens(session) if each.name == Role.OPERATOR))
        await visitor.press("Cancel")
        await visitor.sees("Cancel it")
        await visitor.press("Cancel it")
        await visitor.sees("Your token is no longer valid")

    site.visit(look)
    assert _state(site, job_id) == "queued"


def test_a_database_that_is_away_is_told_on_the_page(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise OperationalError("SELECT", {}, Exception("gone"))

    async def look(visitor: Visitor) -> None:
        await visitor.open("/models")
        await visitor.sees("No model yet")
        monkeypatch.setattr(registry, "find", away)
        await visitor.open("/models")
        await visitor.sees("The database does not answer")

    site.visit(look, Role.VIEWER)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "The disk is full"),
        (PermissionError(errno.EACCES, "denied"), "the log of the service has the details"),
        (ZeroDivisionError("a bug"), "the log of the service has the details"),
    ],
)
def test_whatever_goes_wrong_after_a_click_is_told(
    site: Site, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    async def look(visitor: Visitor) -> None:
        await visitor.open("/")
        await visitor.sees("Open an example")
        monkeypatch.setattr(sessions, "add", fail)
        await visitor.press("Open an example")
        await visitor.sees(said)

    site.visit(look)


def _put_training(site: Site) -> str:
    with site.parts.store.writing() as session:
        return jobs.create(session, "train", {"recipe": "quick"}, name="site", created_by="x", attempts_max=1).id


def _state(site: Site, job_id: str) -> str:
    with site.parts.store.reading() as session:
        return jobs.get(session, job_id).state
