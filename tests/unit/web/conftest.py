"""The pages as NiceGUI's simulated user sees them: no browser, and so no layout and no JavaScript."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from nicegui import ui
from nicegui.functions.download import download
from nicegui.functions.navigate import Navigate
from nicegui.functions.notify import notify
from nicegui.testing import User, UserInteraction
from nicegui.testing.general import nicegui_reset_globals

from heimdall.service.api import create_app
from heimdall.service.auth import Role, create_token
from heimdall.service.database.migrate import migrate
from heimdall.service.database.store import Store
from heimdall.service.settings import Settings
from heimdall.service.storage import sessions
from heimdall.service.storage.uploads import receiving
from heimdall.web import install
from heimdall.web.sessions import example_session

_PATIENCE = 80
"""Looks of a tenth of a second, on a busy machine."""


class Visitor:
    """A simulated user who finds things by the names that a screen reader says."""

    def __init__(self, user: User) -> None:
        self.user = user

    async def open(self, path: str) -> None:
        await self.user.open(path)

    async def sees(self, text: str) -> None:
        await self.user.should_see(text, retries=_PATIENCE)

    async def sees_no(self, text: str) -> None:
        await self.user.should_not_see(text, retries=_PATIENCE)

    async def press(self, name: str) -> None:
        """The first button, menu item or tick box of this name."""
        UserInteraction(self.user, {self.named(name)[0]}, name).click()
        await asyncio.sleep(0)

    async def type(self, label: str, text: str) -> None:
        """Into the first field whose label begins so, and leave it."""
        fields = sorted(self.user.find(kind=ui.input).elements, key=lambda each: each.id)
        said = {
            each: (each.props.get("label"), each.props.get("aria-label"), each.props.get("placeholder"))
            for each in fields
        }
        field = next(each for each in fields if any((name or "").startswith(label) for name in said[each]))
        UserInteraction(self.user, {field}, label).clear().type(text).trigger("blur")
        await asyncio.sleep(0)

    def named(self, name: str) -> list[ui.element]:
        found = []
        for kind in (ui.button, ui.menu_item, ui.checkbox):
            with suppress(AssertionError):
                found += sorted(self.user.find(kind=kind).elements, key=lambda each: each.id)
        names = {
            each: {each.props.get("aria-label"), getattr(each, "text", None), _label(each)} - {None} for each in found
        }
        exact = [each for each in found if name in names[each]]
        return exact or [each for each in found if any(said.startswith(name) for said in names[each])]

    async def taken(self) -> httpx.Response:
        """The file that is downloaded next."""
        return await self.user.download.next(timeout=10)


def _label(element: ui.element) -> str | None:
    """Of a menu item, which holds its text in a section."""
    texts = [each.props.get("innerHTML") or getattr(each, "text", None) for each in element.descendants()]
    return next((str(text) for text in texts if text), None)


@dataclass(frozen=True)
class Kept:
    settings: Settings
    store: Store


class Site:
    """A service with nothing in it."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self.parts = Kept(settings, store)

    def visit(self, look: Callable[[Visitor], Awaitable[None]], role: Role = Role.OPERATOR) -> None:
        """Let somebody of a role look at the pages."""
        modules = {name: each for name, each in sys.modules.items() if name.partition(".")[0] == "heimdall"}
        try:
            asyncio.run(self._visit(look, role))
        finally:
            sys.modules.update(modules)  # NiceGUI drops those that have pages, and other tests hold their classes

    async def _visit(self, look: Callable[[Visitor], Awaitable[None]], role: Role) -> None:
        with nicegui_reset_globals():
            app = create_app(self.parts.settings, self.parts.store)
            install(app)
            transport = httpx.ASGITransport(app)
            async with (
                app.router.lifespan_context(app),
                httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
            ):
                with self.parts.store.writing() as session:
                    word = create_token(session, role, role)
                assert (await client.get("/sign-in", params={"token": word})).status_code == 303
                await look(Visitor(User(client)))

    def put_session(self, name: str) -> str:
        """A stored session: the example, under a name of its own."""
        settings = self.parts.settings
        with receiving(settings) as upload:
            example_session.put_example(upload)
            summary = sessions.prepare(upload)
            return sessions.add(self.parts.store, settings, upload, summary, name=name, created_by="t").id


NO_PLAN = [sys.executable, "-c", "import sys; sys.exit('no plan here')"]
"""A program in place of the training's: to plan one takes half a minute of processor, and no test here looks at it."""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("NICEGUI_USER_SIMULATION", "true")
    # A machine that runs other tests beside may take longer for a page than NiceGUI waits.
    monkeypatch.setitem(ui.page.__init__.__kwdefaults__, "response_timeout", 60.0)
    settings = Settings(home=tmp_path / "site", accelerator="cpu", program=NO_PLAN)
    store = Store(settings.database)
    migrate(store)
    yield Site(settings, store)
    ui.navigate, ui.notify, ui.download = Navigate(), notify, download
    store.close()
