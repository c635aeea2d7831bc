"""The bin of sessions: what is in it, until when, and the way back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from nicegui import ui

from heimdall.service.auth import Role
from heimdall.service.database.tables import StoredSession
from heimdall.service.storage import retention
from heimdall.web import dialogs, words
from heimdall.web.layout import empty
from heimdall.web.page_session import Visit

_DAY_S = 86_400.0


@dataclass(frozen=True)
class _Binned:
    id: str
    name: str
    about: str


class SessionBin:
    """`restore` takes sessions out of it and says whether that was done; `emptied` learns that some are gone for good."""

    def __init__(
        self,
        visit: Visit,
        restore: Callable[[Sequence[str]], Awaitable[bool]],
        emptied: Callable[[], Awaitable[None]],
    ) -> None:
        self._visit = visit
        self._restore = restore
        self._emptied = emptied

    async def open(self) -> None:
        with dialogs.dialog_named("Bin") as self._dialog, ui.card().classes("ask bin"):
            ui.label("Bin").classes("title")
            self._list = ui.element("div").classes("list wide")
            with ui.element("div").classes("buttons"):
                self._empty = ui.button("Empty the bin …", on_click=self._ask_empty).props("flat no-caps")
                ui.button("Close", on_click=self._dialog.close).props("unelevated no-caps autofocus")
        await self._look()

    async def _look(self) -> None:
        rows = await self._visit.do(Role.VIEWER, self._find)
        if rows is None or self._list.is_deleted:
            return
        self._empty.set_visibility(bool(rows) and self._visit.may(Role.OPERATOR))
        self._list.clear()
        with self._list:
            if not rows:
                empty("The bin is empty", "Deleted sessions lie here for a while, and can be restored.")
            for row in rows:
                self._draw(row)

    def _find(self) -> list[_Binned]:
        bin_days = self._visit.parts.settings.bin_days
        with self._visit.parts.store.reading() as session:
            return [_binned(each, bin_days) for each in retention.binned(session)]

    def _draw(self, row: _Binned) -> None:
        with ui.element("div").classes("row"):
            with ui.element("div").classes("pick"):
                ui.label(row.name).classes("strong")
                ui.label(row.about).classes("muted")
            if self._visit.may(Role.OPERATOR):
                back = ui.button("Restore", on_click=lambda: self._take_out(row)).props("outline dense no-caps")
                back.props["aria-label"] = f"Restore {row.name}"

    async def _take_out(self, row: _Binned) -> None:
        if await self._restore([row.id]):
            ui.notify(f"{row.name} is back", type="positive", position="bottom")
        await self._look()

    def _ask_empty(self) -> None:
        question = "Delete all that is in the bin for good, with its recordings and fixes?"
        dialogs.confirm(question, "Delete for good", self._delete_all)

    async def _delete_all(self) -> None:
        def delete() -> bool:
            parts = self._visit.parts
            with parts.store.reading() as session:
                binned = retention.binned(session)
            for each in binned:
                retention.delete(parts.store, parts.settings, each.id)
            return True

        await self._visit.do(Role.OPERATOR, delete)
        await self._look()
        await self._emptied()


def _binned(stored: StoredSession, bin_days: float) -> _Binned:
    since_s = stored.deleted_unix_s or 0.0
    who = f"by {stored.deleted_by}" if stored.deleted_by is not None else "for its age or size"
    about = f"{words.bytes_text(stored.size_bytes)} · deleted {words.time_text(since_s)} {who}"
    return _Binned(stored.id, stored.name, f"{about} · kept until {words.time_text(since_s + bin_days * _DAY_S)}")
