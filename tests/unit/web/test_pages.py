"""Each page as a person of some role finds it, and what a click does: NiceGUI's own test client, no browser."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest
from nicegui import ui
from nicegui.testing import User
from nicegui.testing.general import nicegui_reset_globals
from sqlalchemy.exc import OperationalError

from heimdall.service import sign_ins
from heimdall.service.api import create_app
from heimdall.service.auth import Role, create_token, list_tokens, revoke_token
from heimdall.service.database.migrate import migrate
from heimdall.service.database.store import Store
from heimdall.service.models import registry
from heimdall.service.queue import jobs
from heimdall.service.settings import Settings
from heimdall.web.application import install
from heimdall.web.layout import PAGES
from heimdall.web.sign_in import COOKIE

from .conftest import NO_PLAN

Visitor = Callable[[Role, Callable[[User], Awaitable[None]]], None]
_PATIENCE = 50
"""Tenths of a second until something has to be there: pages ask the database in threads."""
ONLY_FOR_OPERATORS = {
    "/record": "<h2>Spectrum</h2>",
    "/receivers": "Add a receiver",
    "/training": "<h2>Start</h2>",
    "/models": "<h2>Import</h2>",
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", host="127.0.0.1", accelerator="cpu", program=NO_PLAN)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    store = Store(settings.database)
    migrate(store)
    yield store
    store.close()


@pytest.fixture
def visit(settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch) -> Visitor:
    """Somebody of a role looks at pages as the function does that is given."""
    monkeypatch.setenv("NICEGUI_USER_SIMULATION", "true")
    # A machine that runs other tests beside may take longer for a page than NiceGUI waits.
    monkeypatch.setitem(ui.page.__init__.__kwdefaults__, "response_timeout", 60.0)

    async def look_as(role: Role, look: Callable[[User], Awaitable[None]]) -> None:
        with nicegui_reset_globals():
            app = create_app(settings, store)
            install(app)
            transport = httpx.ASGITransport(app)
            async with (
                app.router.lifespan_context(app),
                httpx.AsyncClient(transport=transport, base_url="http://heimdall") as client,
            ):
                with store.writing() as session:
                    token = create_token(session, "somebody", role)
                with store.writing() as session:
                    client.cookies.set(COOKIE, sign_ins.begin(session, token))
                await look(User(client))

    return lambda role, look: asyncio.run(look_as(role, look))


def test_a_stranger_is_sent_to_sign_in_and_back(visit: Visitor) -> None:
    async def look(user: User) -> None:
        user.http_client.cookies.clear()
        for path in PAGES.values():
            answer = await user.http_client.get(path)
            assert (answer.status_code, answer.headers["location"]) == (
                303,
                f"/sign-in?next={path.replace('/', '%2F')}",
            )

    visit(Role.VIEWER, look)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_every_page_opens_and_offers_what_the_role_may_do(visit: Visitor, role: Role) -> None:
    async def look(user: User) -> None:
        for name, path in PAGES.items():
            await user.open(path)
            await user.should_see(f'<h1 class="unseen">{name}</h1>', retries=_PATIENCE)
            if (only := ONLY_FOR_OPERATORS.get(path)) is not None:
                await (user.should_see if role is Role.OPERATOR else user.should_not_see)(only, retries=_PATIENCE // 10)

    visit(role, look)


def test_a_job_is_followed_and_cancelled_by_a_click(visit: Visitor, store: Store) -> None:
    with store.writing() as session:
        job_id = jobs.create(session, "train", {"recipe": "quick"}, name="site", created_by="x", attempts_max=1).id

    async def look(user: User) -> None:
        await user.open("/training")
        await user.should_see("site", retries=_PATIENCE)
        await user.should_see("Cancel", retries=_PATIENCE)
        user.find("Cancel").click()
        await user.should_see("cancelled", retries=_PATIENCE)

    visit(Role.OPERATOR, look)
    with store.reading() as session:
        assert jobs.get(session, job_id).state == "cancelled"


def test_whose_token_was_revoked_meanwhile_is_told_and_does_nothing(visit: Visitor, store: Store) -> None:
    with store.writing() as session:
        job_id = jobs.create(session, "train", {"recipe": "quick"}, name="site", created_by="x", attempts_max=1).id

    async def look(user: User) -> None:
        await user.open("/training")
        await user.should_see("Cancel", retries=_PATIENCE)
        with store.writing() as session:
            revoke_token(session, next(each.id for each in list_tokens(session) if each.name == "somebody"))
        user.find("Cancel").click()
        await user.should_see("Your token is no longer valid", retries=_PATIENCE)

    visit(Role.OPERATOR, look)
    with store.reading() as session:
        assert jobs.get(session, job_id).state == "queued"


def test_a_database_that_is_away_is_told_on_the_page(
    visit: Visitor, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise OperationalError("SELECT", {}, Exception("gone"))

    async def look(user: User) -> None:
        await user.open("/models")
        await user.should_see("No model yet", retries=_PATIENCE)
        monkeypatch.setattr(registry, "find", away)
        await user.open("/models")
        await user.should_see("The database does not answer", retries=_PATIENCE)

    visit(Role.VIEWER, look)
