"""What can be done with stored sessions: name, truth, pin, take away, delete and undo."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlencode

from nicegui import ui
from sqlalchemy.orm import Session

from heimdall.service.auth import Role
from heimdall.service.storage import retention, sessions
from heimdall.service.transmitters import listed
from heimdall.transmitter import find_named
from heimdall.web import dialogs, places, words
from heimdall.web.downloads import SESSIONS
from heimdall.web.page_session import Visit
from heimdall.web.sessions.session_row import SessionRow


class SessionActions:
    """`changed` is told each session that is another now, or gone; `binned` those that can be restored."""

    def __init__(
        self,
        visit: Visit,
        changed: Callable[[str, bool], Awaitable[None]],
        binned: Callable[[Sequence[SessionRow]], None],
    ) -> None:
        self._visit = visit
        self._changed = changed
        self._binned = binned

    def build_menu(self, row: Callable[[], SessionRow]) -> Callable[[], object]:
        """What can be done with the session that `row` gives by then; returns what brings the names in the menu up to date."""
        with ui.button(icon="more_vert").props('flat round dense aria-label="More"').classes("quiet"), ui.menu():
            self._item("Download", lambda: self.download([row()]))
            if not self._visit.may(Role.OPERATOR):
                return lambda: None
            pin = self._item("Pin", lambda: self.pin([row()], not row().pinned))
            self._item("Known transmitter …", lambda: self._ask_truth(row()))
            self._item("Rename …", lambda: self._ask_name(row()))
            self._item("Delete", lambda: self.delete([row()]))
        return lambda: pin.set_text("Unpin" if row().pinned else "Pin")

    def _item(self, name: str, action: Callable[[], object]) -> ui.item_section:
        with ui.menu_item(on_click=action).props("role=menuitem"):
            return ui.item_section(name)

    async def download(self, rows: Sequence[SessionRow]) -> None:
        def check() -> bool:
            parts = self._visit.parts
            with parts.store.reading() as session:
                stored = [sessions.get(session, row.id) for row in rows]
            return all(sessions.files_of(parts.settings, each) for each in stored)

        if await self._visit.do(Role.VIEWER, check):
            self._visit.take_away(f"{SESSIONS}?{urlencode({'session': [row.id for row in rows]}, doseq=True)}")

    async def pin(self, rows: Sequence[SessionRow], pinned: bool) -> None:
        def change(session: Session) -> None:
            for row in rows:
                retention.pin(session, row.id, pinned)

        await self._told(rows, await self._visit.change(Role.OPERATOR, change))

    async def delete(self, rows: Sequence[SessionRow]) -> None:
        """Deletes at once if that can be undone."""
        if self._visit.parts.settings.bin_days > 0:
            return await self._delete(rows)
        what = rows[0].name if len(rows) == 1 else words.count(len(rows), "session")
        size = words.bytes_text(sum(row.size_bytes for row in rows))
        dialogs.confirm(f"Delete {what} ({size}) for good?", "Delete", lambda: self._delete(rows))

    async def _delete(self, rows: Sequence[SessionRow]) -> None:
        def change(session: Session) -> None:
            for row in rows:
                retention.discard(session, row.id, self._visit.who.name)

        if await self._told(rows, await self._visit.change(Role.OPERATOR, change), gone=True):
            self._binned(rows if self._visit.parts.settings.bin_days > 0 else [])

    async def restore(self, session_ids: Sequence[str]) -> bool:
        def change(session: Session) -> None:
            for each in session_ids:
                retention.restore(session, each)

        done = await self._visit.change(Role.OPERATOR, change)
        if done:
            for each in session_ids:
                await self._changed(each, False)
        return done

    async def _ask_truth(self, row: SessionRow) -> None:
        heard = await self._visit.do(Role.VIEWER, self._heard, row)
        if heard is None:
            return
        label = "Latitude, longitude, height in m; locator, UTM; name; empty: unknown"
        if row.summary.truth is None and row.summary.with_truth:
            own = words.count(row.summary.with_truth, "observation")
            label = f"{own} with a place of its own: one place typed here replaces them all"
        before = "" if row.summary.truth is None else places.place_text(row.summary.truth.to_place())
        dialogs.ask("Known transmitter", label, before, lambda text: self._set_truth(row, text), offers=heard)

    def _heard(self, row: SessionRow) -> list[str]:
        """Names of those that send on the session's frequency."""
        with self._visit.parts.store.reading() as session:
            return [each.name for each in listed.heard_between(session, *row.summary.frequency_hz)]

    async def _set_truth(self, row: SessionRow, text: str) -> bool:
        def change() -> bool:
            parts = self._visit.parts
            with parts.store.reading() as session:
                found = find_named(listed.known(session), text)
            place = places.read_place(text) if found is None else found.place
            sessions.set_truth(parts.store, parts.settings, row.id, place)
            return True

        return await self._told([row], await self._visit.do(Role.OPERATOR, change))

    def _ask_name(self, row: SessionRow) -> None:
        dialogs.ask("Rename", "Name", row.name, lambda text: self._set_name(row, text))

    async def _set_name(self, row: SessionRow, text: str) -> bool:
        done = await self._visit.change(Role.OPERATOR, lambda session: sessions.rename(session, row.id, text))
        return await self._told([row], done)

    async def _told(self, rows: Sequence[SessionRow], done: bool | None, *, gone: bool = False) -> bool:
        if done:
            for row in rows:
                await self._changed(row.id, gone)
        return bool(done)
