"""The stored sessions: found by name, in pages, with what can be done to each."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from nicegui import events, ui

from heimdall.service.auth import Role
from heimdall.service.database.tables import StoredSession
from heimdall.service.storage import retention, sessions
from heimdall.service.storage.session_summary import Summary
from heimdall.service.storage.sessions import Sort, Wanted
from heimdall.service.storage.uploads import receiving
from heimdall.web import places, words
from heimdall.web.layout import empty, panel
from heimdall.web.map import example_session
from heimdall.web.page_session import Visit

LOOK_EVERY_S = 5.0
"""How soon a page learns of what another browser or the API has changed."""
_SORTS = {Sort.NEWEST: "newest first", Sort.OLDEST: "oldest first", Sort.NAME: "by name", Sort.LARGEST: "largest first"}


@dataclass(frozen=True)
class _Row:
    """What the list shows of a session; drawn again only where it changed."""

    id: str
    name: str
    about: str
    uploaded: str
    size_bytes: int
    summary: Summary


class SessionList:
    """`chosen` says which session is looked at; `choose` looks at another, `changed` is told what was edited or deleted."""

    def __init__(
        self,
        visit: Visit,
        chosen: Callable[[], str | None],
        choose: Callable[[str], Awaitable[None]],
        changed: Callable[[str, bool], Awaitable[None]],
    ) -> None:
        self._visit = visit
        self._chosen = chosen
        self._choose = choose
        self._changed = changed
        self._wanted = Wanted()
        self._drawn: object = None

    def build(self) -> None:
        with panel("Sessions"):
            with ui.element("div").classes("list-tools"):
                search = ui.input(placeholder="Search name or person", on_change=self._searched)
                search.props('dense outlined clearable debounce=300 aria-label="Search sessions"').classes("wide")
                sort = ui.select({each.value: name for each, name in _SORTS.items()}, value=Sort.NEWEST.value)
                sort.props('dense outlined options-dense aria-label="Order"').on_value_change(self._sorted)
                ui.checkbox("transmitter known", on_change=self._filtered).props("dense")
            self._list = ui.element("div").classes("list")
            self._pages = ui.element("div").classes("pages")

    async def look(self) -> None:
        """Fill the list, or what is new in it."""
        found = await self._visit.do(Role.VIEWER, self._find)
        if found is None:
            return
        stored, total = found
        rows = [_row(each) for each in stored]
        state = (rows, total, self._chosen(), self._wanted)
        if state != self._drawn:
            self._drawn = state
            self._draw(rows, total)

    def _find(self) -> tuple[Sequence[StoredSession], int]:
        with self._visit.parts.store.reading() as session:
            return sessions.search(session, self._wanted)

    async def _want(self, wanted: Wanted) -> None:
        self._wanted = wanted
        await self.look()

    async def _searched(self, event: events.ValueChangeEventArguments[str | None]) -> None:
        await self._want(replace(self._wanted, text=event.value or "", offset=0))

    async def _sorted(self, event: events.ValueChangeEventArguments[str]) -> None:
        await self._want(replace(self._wanted, sort=Sort(event.value), offset=0))

    async def _filtered(self, event: events.ValueChangeEventArguments[bool | None]) -> None:
        await self._want(replace(self._wanted, known=bool(event.value), offset=0))

    def _draw(self, rows: Sequence[_Row], total: int) -> None:
        self._list.clear()
        with self._list:
            if not rows:
                self._draw_nothing()
            for row in rows:
                self._draw_row(row)
        self._pages.clear()
        with self._pages:
            self._draw_pages(total)

    def _draw_nothing(self) -> None:
        if self._wanted.text or self._wanted.known:
            empty("None found", "No session has this name, or the filter leaves none.")
        else:
            empty("No session yet", "What is uploaded stays here, to be located again.")
            if self._visit.may(Role.OPERATOR):
                ui.button("Open an example", on_click=self._open_example).props("outline no-caps").classes("go")

    async def _open_example(self) -> None:
        stored_id = await self._visit.do(Role.OPERATOR, self._store_example)
        if stored_id is not None:
            await self._choose(stored_id)

    def _store_example(self) -> str:
        parts = self._visit.parts
        with receiving(parts.settings) as upload:
            example_session.put_example(upload)
            summary = sessions.prepare(upload)
            name, by = example_session.NAME, self._visit.who.name
            return sessions.add(parts.store, parts.settings, upload, summary, name=name, created_by=by).id

    def _draw_row(self, row: _Row) -> None:
        current = row.id == self._chosen()
        with ui.element("div").classes("row current" if current else "row"):
            pick = ui.element("button").classes("pick")
            with pick.props(f"type=button aria-pressed={'true' if current else 'false'}"):
                ui.label(row.name).classes("strong")
                ui.label(row.about).classes("muted")
                ui.label(row.uploaded).classes("muted")
            pick.on("click", lambda: self._choose(row.id))
            if self._visit.may(Role.OPERATOR):
                self._draw_menu(row)

    def _draw_menu(self, row: _Row) -> None:
        actions = {"Known transmitter …": self._ask_truth, "Rename …": self._ask_name, "Delete …": self._ask_delete}
        with ui.button(icon="more_vert").props('flat round dense aria-label="More"').classes("quiet"), ui.menu():
            for name, action in actions.items():
                ui.menu_item(name, lambda action=action: action(row)).props("role=menuitem")

    def _draw_pages(self, total: int) -> None:
        pages, wanted = math.ceil(total / self._wanted.limit), self._wanted
        if pages < 2:
            return
        number = wanted.offset // wanted.limit

        def button(icon: str, name: str, page: int) -> None:
            go = ui.button(icon=icon, on_click=lambda: self._want(replace(wanted, offset=page * wanted.limit)))
            go.props(f'flat round dense aria-label="{name}"').set_enabled(0 <= page < pages)

        button("chevron_left", "Previous page", number - 1)
        ui.label(f"page {number + 1} of {pages}, {words.count(total, 'session')}").classes("muted")
        button("chevron_right", "Next page", number + 1)

    def _ask_truth(self, row: _Row) -> None:
        label = "Latitude, longitude, height in m if known; or a locator, MGRS, UTM; empty if nobody knows"
        if row.summary.truth is None and row.summary.with_truth:
            own = words.count(row.summary.with_truth, "observation")
            label = f"{own} with a place of its own: one place typed here replaces them all"
        before = "" if row.summary.truth is None else places.place_text(row.summary.truth.to_place())
        words.ask("Known transmitter", label, before, lambda text: self._set_truth(row, text))

    async def _set_truth(self, row: _Row, text: str) -> bool:
        def change() -> bool:
            parts = self._visit.parts
            sessions.set_truth(parts.store, parts.settings, row.id, places.read_place(text))
            return True

        return await self._told(row, await self._visit.do(Role.OPERATOR, change))

    def _ask_name(self, row: _Row) -> None:
        words.ask("Rename", "Name", row.name, lambda text: self._set_name(row, text))

    async def _set_name(self, row: _Row, text: str) -> bool:
        def change() -> bool:
            with self._visit.parts.store.writing() as session:
                sessions.rename(session, row.id, text)
            return True

        return await self._told(row, await self._visit.do(Role.OPERATOR, change))

    def _ask_delete(self, row: _Row) -> None:
        days = self._visit.parts.settings.bin_days
        question = f"Delete {row.name} ({words.bytes_text(row.size_bytes)}) and its recordings?"
        question += f" It can be restored for {days:g} days." if days else ""
        words.confirm(question, "Delete", lambda: self._delete(row))

    async def _delete(self, row: _Row) -> None:
        def change() -> bool:
            with self._visit.parts.store.writing() as session:
                retention.discard(session, row.id, self._visit.who.name)
            return True

        await self._told(row, await self._visit.do(Role.OPERATOR, change), gone=True)

    async def _told(self, row: _Row, done: bool | None, *, gone: bool = False) -> bool:
        if done:
            await self.look()
            await self._changed(row.id, gone)
        return bool(done)


def _row(stored: StoredSession) -> _Row:
    summary = Summary.model_validate(stored.summary)
    when = datetime.fromtimestamp(stored.created_unix_s, UTC)
    uploaded = f"{when:%Y-%m-%d %H:%M} UTC by {stored.created_by}"
    return _Row(stored.id, stored.name, words.about_session(summary), uploaded, stored.size_bytes, summary)
